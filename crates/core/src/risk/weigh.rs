//! What an order would come to: the worst that can become of it together with all that is open already.

use bellwether_sdk::{Decimal, Instrument, InstrumentKind, Money, OrderKind, Price, Qty, Rate, Side, Size};

use super::{Level, Limit, Limits, Pending, Refusal, RiskView, amount_at};
use crate::orders::Order;

/// Digits of leverage.
const LEVERAGE_SCALE: u8 = 4;

/// The levels that an order would bring about; those that it cannot raise are left out.
///
/// # Errors
/// [`Refusal::NoPrice`] when a limit asks for a value and there is none.
pub(super) fn levels(limits: &Limits, order: &Order, view: &RiskView<'_>) -> Result<Vec<Level>, Refusal> {
    let own = limits.of(order.instrument);
    let mut levels = Vec::new();
    let declared = limits.declared_by(order.strategy).is_some_and(|d| d.order_notional_max.is_some());
    let values = own.order_notional_max.is_some() || declared || limits.weighs_pending();
    if values {
        weigh_values(limits, order, view, &mut levels)?;
    }
    let instrument = Some(order.instrument);
    let counts = [
        (Limit::OpenOrders, instrument, view.open_orders, own.open_orders_max),
        (Limit::TotalOpenOrders, None, view.pace.open_orders, limits.total_open_orders_max),
        (Limit::OrderRate, None, view.pace.orders_last_minute, limits.orders_per_minute_max),
    ];
    for (limit, whose, used, max) in counts {
        levels.extend(max.map(|max| Level::count(limit, whose, used.saturating_add(1), max)));
    }
    Ok(levels)
}

fn weigh_values(limits: &Limits, order: &Order, view: &RiskView<'_>, levels: &mut Vec<Level>) -> Result<(), Refusal> {
    let price = worst_price(order, view.last);
    if price.is_zero() {
        return Err(Refusal::NoPrice);
    }
    let own = limits.of(order.instrument);
    let value = Value { view, price };
    let (asked, after) = value.of_order(order);
    let settled = |limit, used: u128, max: Option<Decimal>| {
        let scale = view.money_scale;
        max.map(|max| Level {
            limit,
            instrument: Some(order.instrument),
            used: money(used),
            max: at(max, scale),
            scale,
        })
    };
    levels.extend(settled(Limit::OrderNotional, asked, own.order_notional_max));
    let declared = limits.declared_by(order.strategy).and_then(|d| d.order_notional_max);
    levels.extend(settled(Limit::Declared, asked, declared));
    let held = value.worth(view.position.qty.mantissa()).unsigned_abs();
    // An order that makes the position smaller is welcome, however large the position is.
    if after.unsigned_abs() <= held {
        return Ok(());
    }
    levels.extend(settled(Limit::PositionNotional, after.unsigned_abs(), own.position_notional_max));
    levels.extend(own.position_qty_max.map(|max| qty_level(order, view, &value, max)));
    if own.leverage_max.is_some() || limits.weighs_others() {
        weigh_account(limits, order, view, after, levels)?;
    }
    Ok(())
}

/// The price at which an order is worth most: a sell limit fills at any price above it, a stop that the market has passed
/// at the market's, a stop-limit up to its limit.
fn worst_price(order: &Order, last: Price) -> Price {
    let buys = order.side == Side::Buy;
    let at_trigger = |trigger: Price| match (buys, last.is_zero()) {
        (_, true) => trigger,
        (true, _) => trigger.max(last),
        (false, _) => trigger.min(last),
    };
    match order.kind {
        OrderKind::Market | OrderKind::TrailingStop { .. } => last,
        OrderKind::Limit { price } if buys => price,
        OrderKind::Limit { price } => price.max(last),
        OrderKind::StopMarket { trigger } => at_trigger(trigger),
        OrderKind::StopLimit { price, .. } if buys => price,
        OrderKind::StopLimit { trigger, price } => price.max(at_trigger(trigger)),
    }
}

/// Whether a spot sale is covered by the position, with all sales that are open. What protects a position, and what the
/// guard makes to close one, is of the position by itself.
pub(super) fn covered(order: &Order, view: &RiskView<'_>) -> Result<(), Refusal> {
    let spot = view.instrument.kind() == InstrumentKind::Spot;
    if !spot || order.side == Side::Buy || order.role.is_protective() {
        return Ok(());
    }
    let sale = match order.size {
        Size::Qty(qty) => qty.mantissa(),
        Size::Notional { amount, close } => {
            let value = Value { view, price: worst_price(order, view.last) };
            close.mantissa().saturating_add(value.qty_of(at(amount, view.money_scale).mantissa()))
        }
    };
    let (all, held) = (sale.saturating_add(view.pace.sales), view.position.qty.mantissa());
    if all <= held {
        return Ok(());
    }
    let text = |qty: i64| Qty::from_mantissa(qty).to_text(view.instrument.qty_scale);
    Err(Refusal::Uncovered { sale: text(sale), all: text(all), held: text(held) })
}

fn qty_level(order: &Order, view: &RiskView<'_>, value: &Value<'_>, max: Decimal) -> Level {
    let qty = match order.size {
        Size::Qty(qty) => qty.mantissa(),
        Size::Notional { amount, close } => {
            close.mantissa().saturating_add(value.qty_of(at(amount, view.money_scale).mantissa()))
        }
    };
    let pending = pending_of(view, order.side);
    let open = pending.qty.saturating_add(value.qty_of(pending.amount));
    let after =
        i128::from(view.position.qty.mantissa()) + i128::from(order.side.sign()) * (i128::from(qty) + i128::from(open));
    Level {
        limit: Limit::PositionQty,
        instrument: Some(order.instrument),
        used: Money::from_mantissa(after.abs()),
        max: at(max, view.instrument.qty_scale),
        scale: view.instrument.qty_scale,
    }
}

/// Limits over more than one instrument, and those that equity is in.
fn weigh_account(
    limits: &Limits,
    order: &Order,
    view: &RiskView<'_>,
    after: i128,
    levels: &mut Vec<Level>,
) -> Result<(), Refusal> {
    let pace = &view.pace;
    let after = in_reporting(view, after).ok_or(Refusal::NoPrice)?;
    let scale = pace.reporting_scale;
    let total = after.unsigned_abs().saturating_add(pace.others.mantissa().unsigned_abs());
    let equity = pace.equity.mantissa();
    let leverage = |limit, instrument, worth: u128, max: Decimal| {
        // Rounded up: what is a hair over the limit is over.
        let wide = worth.saturating_mul(10u128.pow(u32::from(LEVERAGE_SCALE)));
        let used = if equity > 0 { wide.div_ceil(equity.unsigned_abs()) } else { u128::MAX };
        Level { limit, instrument, used: money(used), max: at(max, LEVERAGE_SCALE), scale: LEVERAGE_SCALE }
    };
    let amount = |limit, used: u128, max: Decimal| Level {
        limit,
        instrument: None,
        used: money(used),
        max: at(max, scale),
        scale,
    };
    let own = limits.of(order.instrument).leverage_max;
    levels.extend(own.map(|max| leverage(Limit::Leverage, Some(order.instrument), after.unsigned_abs(), max)));
    levels.extend(limits.total_notional_max.map(|max| amount(Limit::TotalNotional, total, max)));
    levels.extend(limits.total_leverage_max.map(|max| leverage(Limit::TotalLeverage, None, total, max)));
    if let Some(max) = limits.asset_notional_max.get(base_of(view.instrument)) {
        let others = pace.asset_others.mantissa();
        let asset = others.saturating_add(after).unsigned_abs();
        // It may hedge what the other instruments hold.
        if asset > others.unsigned_abs() {
            levels.push(Level { instrument: Some(order.instrument), ..amount(Limit::AssetNotional, asset, *max) });
        }
    }
    Ok(())
}

fn base_of(instrument: &Instrument) -> &str {
    instrument.symbol.base()
}

fn in_reporting(view: &RiskView<'_>, amount: i128) -> Option<i128> {
    match view.pace.in_reporting {
        (_, 0) => None,
        (num, den) => Some(amount.checked_mul(num)? / den),
    }
}

fn pending_of(view: &RiskView<'_>, side: Side) -> Pending {
    match side {
        Side::Buy => view.pace.pending.0,
        Side::Sell => view.pace.pending.1,
    }
}

/// Values at one price.
struct Value<'a> {
    view: &'a RiskView<'a>,
    price: Price,
}

impl Value<'_> {
    /// The value of a signed quantity in settlement currency, with its sign.
    fn worth(&self, qty: i64) -> i128 {
        let value = self.view.terms.notional(self.price, Qty::from_mantissa(qty.saturating_abs()));
        let value = value.map(|m| m.mantissa().saturating_abs()).unwrap_or(i128::MAX);
        if qty < 0 { -value } else { value }
    }

    /// About how much of the base a value is, rounded up.
    fn qty_of(&self, amount: i128) -> i64 {
        if amount <= 0 {
            return 0;
        }
        let one = self.worth(bellwether_sdk::num::pow10(self.view.instrument.qty_scale)).max(1);
        let qty = amount.saturating_mul(i128::from(bellwether_sdk::num::pow10(self.view.instrument.qty_scale)));
        i64::try_from((qty + one - 1) / one).unwrap_or(i64::MAX)
    }

    /// The order's own value, and the position's, with its sign, once it and all that is open on its side has filled.
    fn of_order(&self, order: &Order) -> (u128, i128) {
        let (qty, amount) = match order.size {
            Size::Qty(qty) => (qty.mantissa(), 0),
            Size::Notional { amount, close } => (close.mantissa(), at(amount, self.view.money_scale).mantissa()),
        };
        let asked = self.worth(qty).unsigned_abs().saturating_add(amount.unsigned_abs());
        let pending = pending_of(self.view, order.side);
        let sign = order.side.sign();
        let moved = qty.saturating_add(pending.qty).saturating_mul(sign);
        let rest = self.worth(self.view.position.qty.mantissa().saturating_add(moved));
        let amounts = amount.saturating_add(pending.amount).saturating_mul(i128::from(sign));
        (asked, rest.saturating_add(amounts))
    }
}

/// A price that is on the wrong side of the market by more than the collar allows.
pub(super) fn collar(limits: &Limits, order: &Order, view: &RiskView<'_>) -> Result<(), Refusal> {
    let Some(max) = limits.price_collar_max else { return Ok(()) };
    let (bid, ask) = view.pace.quote;
    let near = |quote: Price| if quote.is_zero() { view.last } else { quote };
    let quote = if order.side == Side::Buy { near(ask) } else { near(bid) };
    let price = order.price();
    // Stops name prices away from the market; a market order names none.
    if price.is_zero() || quote.is_zero() || !matches!(order.kind, bellwether_sdk::OrderKind::Limit { .. }) {
        return Ok(());
    }
    let beyond = i128::from(order.side.sign()) * i128::from(price.mantissa() - quote.mantissa());
    if !is_beyond(beyond, quote, max) {
        return Ok(());
    }
    let text = |p: Price| p.to_text(view.instrument.price_scale);
    Err(Refusal::Collar {
        price: text(price),
        quote: text(quote),
        away_bps: bps_of(beyond, quote),
        max_bps: rate_bps(max),
    })
}

/// Two sources that do not agree.
pub(super) fn gap(limits: &Limits, view: &RiskView<'_>) -> Result<(), Refusal> {
    let Some(max) = limits.price_gap_max else { return Ok(()) };
    if view.reference.is_zero() || view.last.is_zero() {
        return Ok(());
    }
    let gap = i128::from(view.last.mantissa() - view.reference.mantissa()).abs();
    if !is_beyond(gap, view.reference, max) {
        return Ok(());
    }
    let text = |p: Price| p.to_text(view.instrument.price_scale);
    Err(Refusal::PriceGap {
        price: text(view.last),
        reference: text(view.reference),
        gap_bps: bps_of(gap, view.reference),
        max_bps: rate_bps(max),
    })
}

/// Whether distance ÷ price > max, without dividing.
fn is_beyond(distance: i128, price: Price, max: Rate) -> bool {
    distance.saturating_mul(10i128.pow(u32::from(Rate::SCALE)))
        > i128::from(max.mantissa()) * i128::from(price.mantissa())
}

fn bps_of(distance: i128, price: Price) -> i64 {
    i64::try_from(distance.saturating_mul(10_000) / i128::from(price.mantissa()).max(1)).unwrap_or(i64::MAX)
}

const fn rate_bps(rate: Rate) -> i64 {
    rate.mantissa() / 10i64.pow(Rate::SCALE as u32 - 4)
}

fn money(amount: u128) -> Money {
    Money::from_mantissa(i128::try_from(amount).unwrap_or(i128::MAX))
}

fn at(amount: Decimal, scale: u8) -> Money {
    money(amount_at(amount, scale))
}
