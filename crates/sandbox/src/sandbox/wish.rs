//! An order as a client asks for it: read out of parameters and held against the symbol's filters.

use bellwether_sdk::{Decimal, Instrument, Price, Qty, Side};

use super::digits::DIGITS;
use super::error::Refused;
use super::params::Params;

/// The venue's order types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Limit,
    Market,
    LimitMaker,
    StopLoss,
    StopLossLimit,
    TakeProfit,
    TakeProfitLimit,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Limit,
        Self::LimitMaker,
        Self::Market,
        Self::StopLoss,
        Self::StopLossLimit,
        Self::TakeProfit,
        Self::TakeProfitLimit,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Limit => "LIMIT",
            Self::Market => "MARKET",
            Self::LimitMaker => "LIMIT_MAKER",
            Self::StopLoss => "STOP_LOSS",
            Self::StopLossLimit => "STOP_LOSS_LIMIT",
            Self::TakeProfit => "TAKE_PROFIT",
            Self::TakeProfitLimit => "TAKE_PROFIT_LIMIT",
        }
    }

    pub(super) const fn has_limit(self) -> bool {
        matches!(self, Self::Limit | Self::LimitMaker | Self::StopLossLimit | Self::TakeProfitLimit)
    }

    /// Whether it sleeps until the last price reaches its stop price.
    pub(super) const fn is_conditional(self) -> bool {
        matches!(self, Self::StopLoss | Self::StopLossLimit | Self::TakeProfit | Self::TakeProfitLimit)
    }

    const fn has_tif(self) -> bool {
        matches!(self, Self::Limit | Self::StopLossLimit | Self::TakeProfitLimit)
    }

    /// The names, for `exchangeInfo`.
    pub(super) fn names() -> Vec<&'static str> {
        Self::ALL.iter().map(|k| k.name()).collect()
    }

    /// Whether a price wakes it up: stop-losses on the losing side, take-profits on the winning one.
    pub(super) fn wakes(self, side: Side, stop: Price, last: Price) -> bool {
        let rising = match self {
            Self::StopLoss | Self::StopLossLimit => side == Side::Buy,
            _ => side == Side::Sell,
        };
        if rising { last >= stop } else { last <= stop }
    }
}

/// Time in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tif {
    Gtc,
    Ioc,
    Fok,
}

impl Tif {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gtc => "GTC",
            Self::Ioc => "IOC",
            Self::Fok => "FOK",
        }
    }
}

/// How much an answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    Ack,
    Result,
    Full,
}

/// What a client wants.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) side: Side,
    pub(super) kind: Kind,
    pub(super) tif: Tif,
    /// Zero while only a quote quantity is known.
    pub(super) qty: Qty,
    pub(super) quote_qty: Option<Decimal>,
    pub(super) price: Price,
    pub(super) stop: Price,
    pub(super) client_id: Option<String>,
    pub(super) telling: Telling,
}

impl Wish {
    /// Reads the parameters of a new order; the symbol is read already.
    pub(super) fn read(p: &Params, rules: &Instrument) -> Result<Self, Refused> {
        let side = match p.need("side")? {
            "BUY" => Side::Buy,
            "SELL" => Side::Sell,
            _ => return Err(Refused::new(-1117, "Invalid side.")),
        };
        let name = p.need("type")?;
        let kind = Kind::ALL.into_iter().find(|k| k.name() == name);
        let kind = kind.ok_or_else(|| Refused::new(-1116, "Invalid orderType."))?;
        let tif = match p.get("timeInForce") {
            Some(_) if !kind.has_tif() => return Err(Refused::not_required("timeInForce")),
            None if kind.has_tif() => return Err(Refused::missing("timeInForce")),
            None if matches!(kind, Kind::Market | Kind::StopLoss | Kind::TakeProfit) => Tif::Ioc,
            None | Some("GTC") => Tif::Gtc,
            Some("IOC") => Tif::Ioc,
            Some("FOK") => Tif::Fok,
            Some(_) => return Err(Refused::new(-1115, "Invalid timeInForce.")),
        };
        for name in ["icebergQty", "trailingDelta"] {
            if p.get(name).is_some() {
                return Err(Refused::not_required(name));
            }
        }
        let (price, stop) =
            (price_of(p, "price", kind.has_limit(), rules)?, price_of(p, "stopPrice", kind.is_conditional(), rules)?);
        let quote_qty = decimal(p, "quoteOrderQty")?;
        let qty = match decimal(p, "quantity")? {
            Some(_) if quote_qty.is_some() => return Err(Refused::not_required("quoteOrderQty")),
            Some(qty) => {
                on_grid(qty, rules.qty_scale).map(Qty::from_mantissa).ok_or_else(|| Refused::filter("LOT_SIZE"))?
            }
            None if kind == Kind::Market && quote_qty.is_some_and(Decimal::is_positive) => Qty::ZERO,
            None => return Err(Refused::missing("quantity")),
        };
        if quote_qty.is_some() && kind != Kind::Market {
            return Err(Refused::not_required("quoteOrderQty"));
        }
        if quote_qty.is_none() && qty <= Qty::ZERO {
            return Err(Refused::new(-1013, "Invalid quantity."));
        }
        let full = matches!(kind, Kind::Limit | Kind::Market);
        let telling = match p.get("newOrderRespType") {
            None if full => Telling::Full,
            None | Some("ACK") => Telling::Ack,
            Some("RESULT") => Telling::Result,
            Some("FULL") => Telling::Full,
            Some(_) => return Err(Refused::illegal("newOrderRespType")),
        };
        if p.get("selfTradePreventionMode")
            .is_some_and(|m| !matches!(m, "NONE" | "EXPIRE_MAKER" | "EXPIRE_TAKER" | "EXPIRE_BOTH" | "DECREMENT"))
        {
            return Err(Refused::illegal("selfTradePreventionMode"));
        }
        for name in ["strategyId", "strategyType"] {
            p.int(name)?;
        }
        let client_id = client_id(p, "newClientOrderId")?;
        Ok(Self { side, kind, tif, qty, quote_qty, price, stop, client_id, telling })
    }
}

/// A client order id, when sent and not empty.
pub(super) fn client_id(p: &Params, name: &str) -> Result<Option<String>, Refused> {
    let Some(text) = p.get(name).filter(|t| !t.is_empty()) else { return Ok(None) };
    let legal = text.len() <= 36 && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
    if legal {
        return Ok(Some(text.to_owned()));
    }
    let range = "^[a-zA-Z0-9-_]{1,36}$";
    Err(Refused::new(-1100, format!("Illegal characters found in parameter '{name}'; legal range is '{range}'.")))
}

fn decimal(p: &Params, name: &str) -> Result<Option<Decimal>, Refused> {
    let value = p.decimal(name)?;
    if value.is_some_and(|v| v.normalized().scale() > DIGITS) {
        return Err(Refused::new(-1111, format!("Parameter '{name}' has too much precision.")));
    }
    Ok(value)
}

/// A quantity of a parameter, as the venue reads it.
pub(super) fn qty_of(p: &Params, name: &str, rules: &Instrument) -> Result<Qty, Refused> {
    let value = decimal(p, name)?.ok_or_else(|| Refused::missing(name))?;
    on_grid(value, rules.qty_scale).map(Qty::from_mantissa).ok_or_else(|| Refused::filter("LOT_SIZE"))
}

fn price_of(p: &Params, name: &str, wanted: bool, rules: &Instrument) -> Result<Price, Refused> {
    match decimal(p, name)? {
        None if wanted => Err(Refused::missing(name)),
        None => Ok(Price::ZERO),
        Some(_) if !wanted => Err(Refused::not_required(name)),
        Some(value) if !value.is_positive() => Err(Refused::new(-1013, "Invalid price.")),
        Some(value) => {
            on_grid(value, rules.price_scale).map(Price::from_mantissa).ok_or_else(|| Refused::filter("PRICE_FILTER"))
        }
    }
}

/// The mantissa at a scale; `None` when it is finer than that or too large.
fn on_grid(value: Decimal, scale: u8) -> Option<i64> {
    value.normalized().at_scale(scale).ok()
}

/// The limits of a symbol that its instrument does not state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filters {
    pub(super) price_max: i64,
    pub(super) qty_min: i64,
    pub(super) qty_max: i64,
    /// Of an order without a price.
    pub(super) qty_max_market: i64,
    /// At `price_scale + qty_scale`.
    pub(super) notional_min: i128,
    /// Of an order with a price.
    pub(super) notional_max: i128,
}

/// Most open orders of an account on a symbol.
pub(super) const ORDERS_MAX: usize = 200;
/// Most sleeping ones among them.
pub(super) const SLEEPING_MAX: usize = 5;

impl Filters {
    /// Of an instrument: a million as largest price; and where it states none, a million as largest quantity, nine
    /// million as largest value, five as smallest.
    pub(super) fn of(rules: &Instrument) -> Self {
        let unit = |scale: u8| bellwether_sdk::num::pow10(scale);
        let value = i128::from(unit(rules.price_scale)) * i128::from(unit(rules.qty_scale));
        let million = 1_000_000 * unit(rules.qty_scale) / rules.lot.mantissa() * rules.lot.mantissa();
        let stated = |most: Qty, else_it: i64| if most.is_zero() { else_it } else { most.mantissa() };
        let qty_max = stated(rules.qty_max, million);
        Self {
            price_max: 1_000_000 * unit(rules.price_scale) / rules.tick.mantissa() * rules.tick.mantissa(),
            qty_min: rules.qty_min.mantissa().max(rules.lot.mantissa()),
            qty_max,
            qty_max_market: stated(rules.qty_max_market, qty_max),
            notional_min: if rules.notional_min > 0 { rules.notional_min } else { 5 * value },
            notional_max: if rules.notional_max > 0 { rules.notional_max } else { 9_000_000 * value },
        }
    }

    /// Holds an order against the filters. `last` is the last price, by which market orders are valued.
    pub(super) fn check(&self, wish: &Wish, rules: &Instrument, last: Price) -> Result<(), Refused> {
        for price in [wish.price, wish.stop].into_iter().filter(|p| !p.is_zero()) {
            let tick = rules.tick.mantissa();
            if price.mantissa() % tick != 0 || price.mantissa() > self.price_max || price.mantissa() < tick {
                return Err(Refused::filter("PRICE_FILTER"));
            }
        }
        if !wish.price.is_zero() && !last.is_zero() {
            let (low, high) = (last.mantissa() / 5, last.mantissa().saturating_mul(5));
            if !(low..=high).contains(&wish.price.mantissa()) {
                return Err(Refused::filter("PERCENT_PRICE_BY_SIDE"));
            }
        }
        self.check_qty(wish.qty, rules)?;
        if wish.price.is_zero() && wish.qty.mantissa() > self.qty_max_market {
            return Err(Refused::filter("MARKET_LOT_SIZE"));
        }
        let price = if wish.price.is_zero() { if wish.stop.is_zero() { last } else { wish.stop } } else { wish.price };
        let notional = i128::from(price.mantissa()) * i128::from(wish.qty.mantissa());
        let above = !wish.price.is_zero() && notional > self.notional_max;
        if !price.is_zero() && (notional < self.notional_min || above) {
            return Err(Refused::filter("NOTIONAL"));
        }
        Ok(())
    }

    /// The quantity's part of it.
    pub(super) fn check_qty(&self, qty: Qty, rules: &Instrument) -> Result<(), Refused> {
        let q = qty.mantissa();
        if q < self.qty_min || q > self.qty_max || q % rules.lot.mantissa() != 0 {
            return Err(Refused::filter("LOT_SIZE"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::InstrumentId;

    use super::*;

    #[test]
    fn an_order_above_the_largest_that_the_instrument_states_is_refused_by_its_filter() {
        let mut rules = Instrument::inferred(InstrumentId(0), "test:AAA/USD".parse().expect("a symbol"), 2, 3);
        (rules.qty_max, rules.qty_max_market) = (Qty::from_mantissa(10_000), Qty::from_mantissa(2_000));
        rules.notional_max = rules.notional(Price::from_mantissa(10_000), Qty::from_mantissa(5_000));
        let filters = Filters::of(&rules);
        let refused = |query: &str| {
            let wish = Wish::read(&Params::of_text(query, "").expect("parameters"), &rules).expect("a wish");
            let told = filters.check(&wish, &rules, Price::from_mantissa(10_000)).err();
            told.map(|refused| (refused.body()["code"].clone(), refused.body()["msg"].clone()))
        };
        let filter =
            |name: &str| Some((serde_json::json!(-1013), serde_json::json!(format!("Filter failure: {name}"))));
        let limit =
            |qty: &str, price: &str| format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity={qty}&price={price}");
        assert_eq!(refused(&limit("10", "50")), None);
        assert_eq!(refused(&limit("10.001", "50")), filter("LOT_SIZE"));
        assert_eq!(refused(&limit("5.001", "100")), filter("NOTIONAL"));
        assert_eq!(refused("side=BUY&type=MARKET&quantity=2"), None);
        assert_eq!(refused("side=BUY&type=MARKET&quantity=2.001"), filter("MARKET_LOT_SIZE"));
        assert_eq!(refused("side=BUY&type=STOP_LOSS&quantity=2.001&stopPrice=110"), filter("MARKET_LOT_SIZE"));
    }
}
