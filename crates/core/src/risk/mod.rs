//! The only room that makes an [`Approved`] order. It says yes or no, with the numbers; it changes nothing.
//!
//! Without limits set, only what no venue would take is refused.

use bellwether_sdk::{Decimal, Instrument, Money, OrderKind, Price, Qty, Rate, Side, Size};

use crate::orders::Order;
use crate::portfolio::{Position, Terms};

/// Something risk has approved. Only this room can make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    /// What was approved.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// What was approved, for the one who carries it out.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Limits; `None` means none. Amounts are in quote currency (settlement currency for inverse contracts).
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Largest value of one order.
    pub order_notional_max: Option<Decimal>,
    /// Largest value of the position in one instrument after the order.
    pub position_notional_max: Option<Decimal>,
    /// Most open orders in one instrument.
    pub open_orders_max: Option<u32>,
    /// Most orders within any 60 seconds of engine time.
    pub orders_per_minute_max: Option<u32>,
    /// Largest loss of equity since the start of the UTC day, in reporting currency, open positions at their marks.
    pub daily_loss_max: Option<Decimal>,
    /// Largest distance of an instrument's price from its second source's, as a fraction of the latter.
    pub price_gap_max: Option<Rate>,
}

/// Why an order was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The quantity or the notional is not above zero.
    #[error("the size is zero")]
    SizeZero,
    /// A price of the order is not above zero.
    #[error("a price is not above zero")]
    PriceNotPositive,
    /// No price is known yet to value the order by.
    #[error("no price yet to value the order by")]
    NoPrice,
    /// The order is larger than allowed.
    #[error("order value {asked} is over the limit {max}")]
    OrderNotional {
        /// Its value.
        asked: String,
        /// The limit.
        max: String,
    },
    /// The position would be larger than allowed.
    #[error("position value {asked} would be over the limit {max}")]
    PositionNotional {
        /// The value it would have.
        asked: String,
        /// The limit.
        max: String,
    },
    /// Too many open orders.
    #[error("{open} orders are open, the limit is {max}")]
    OpenOrders {
        /// How many are open.
        open: u32,
        /// The limit.
        max: u32,
    },
    /// Too many orders within a minute.
    #[error("{sent} orders went out within the last minute, the limit is {max}")]
    OrderRate {
        /// How many went out.
        sent: u32,
        /// The limit.
        max: u32,
    },
    /// Two sources do not agree on the price.
    #[error("the price {price} is {gap_bps} basis points from the second source's {reference}, the limit is {max_bps}")]
    PriceGap {
        /// The instrument's price.
        price: String,
        /// The second source's.
        reference: String,
        /// How far they are apart.
        gap_bps: i64,
        /// The limit.
        max_bps: i64,
    },
    /// The day has lost too much.
    #[error("the day has lost {lost}, the limit is {max}; only orders that reduce are let through")]
    DailyLoss {
        /// What it lost.
        lost: String,
        /// The limit.
        max: String,
    },
}

impl Refusal {
    /// Its name in reports and JSON, from a closed list.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SizeZero => "size_zero",
            Self::PriceNotPositive => "price_not_positive",
            Self::NoPrice => "no_price",
            Self::OrderNotional { .. } => "order_notional_max",
            Self::PositionNotional { .. } => "position_notional_max",
            Self::OpenOrders { .. } => "open_orders_max",
            Self::OrderRate { .. } => "orders_per_minute_max",
            Self::DailyLoss { .. } => "daily_loss_max",
            Self::PriceGap { .. } => "price_gap_max",
        }
    }
}

/// What the guard looks at beside the order.
#[derive(Debug, Clone, Copy)]
pub struct RiskView<'a> {
    /// Name, scales and rules.
    pub instrument: &'a Instrument,
    /// The value formula.
    pub terms: &'a Terms,
    /// Digits of the settlement currency.
    pub money_scale: u8,
    /// The account's net position.
    pub position: &'a Position,
    /// The last price; zero before the first.
    pub last: Price,
    /// Open orders in the instrument.
    pub open_orders: u32,
    /// The second source's price; zero when there is none.
    pub reference: Price,
    /// How fast orders go out and how the day goes.
    pub pace: Pace,
}

/// How fast orders go out and how the day goes, over the whole account.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// Orders that went out within the last 60 seconds.
    pub orders_last_minute: u32,
    /// What the UTC day has lost so far in reporting currency; below zero when it gained.
    pub day_loss: Money,
    /// Digits of the reporting currency.
    pub reporting_scale: u8,
}

/// The guard.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guard {
    /// Its limits.
    pub limits: Limits,
}

impl Guard {
    /// Approves an order or says why not.
    ///
    /// # Errors
    /// [`Refusal`], with the numbers.
    pub fn approve(&self, order: Order, view: &RiskView<'_>) -> Result<Approved<Order>, Refusal> {
        let prices_positive = match order.kind {
            OrderKind::Market | OrderKind::TrailingStop { .. } => true,
            OrderKind::Limit { price } => price > Price::ZERO,
            OrderKind::StopMarket { trigger } => trigger > Price::ZERO,
            OrderKind::StopLimit { trigger, price } => trigger > Price::ZERO && price > Price::ZERO,
        };
        if !prices_positive {
            return Err(Refusal::PriceNotPositive);
        }
        match order.size {
            Size::Qty(qty) if qty <= Qty::ZERO => return Err(Refusal::SizeZero),
            Size::Notional { amount, close } if !amount.is_positive() && close <= Qty::ZERO => {
                return Err(Refusal::SizeZero);
            }
            Size::Qty(_) | Size::Notional { .. } => {}
        }
        let makes_smaller = order.reduce_only;
        if !makes_smaller {
            self.check_notionals(&order, view)?;
        }
        if let Some(max) = self.limits.open_orders_max.filter(|max| !makes_smaller && view.open_orders >= *max) {
            return Err(Refusal::OpenOrders { open: view.open_orders, max });
        }
        if !makes_smaller {
            self.check_gap(view)?;
            self.check_pace(&view.pace)?;
        }
        Ok(Approved(order))
    }

    fn check_gap(&self, view: &RiskView<'_>) -> Result<(), Refusal> {
        let Some(max) = self.limits.price_gap_max else { return Ok(()) };
        if view.reference.is_zero() || view.last.is_zero() {
            return Ok(());
        }
        let (price, reference) = (i128::from(view.last.mantissa()), i128::from(view.reference.mantissa()));
        let gap = (price - reference).abs();
        // gap ÷ reference > max, without dividing.
        if gap * 10i128.pow(u32::from(Rate::SCALE)) <= i128::from(max.mantissa()) * reference {
            return Ok(());
        }
        let text = |p: Price| p.to_text(view.instrument.price_scale);
        Err(Refusal::PriceGap {
            price: text(view.last),
            reference: text(view.reference),
            gap_bps: i64::try_from(gap * 10_000 / reference).unwrap_or(i64::MAX),
            max_bps: max.mantissa() / 10i64.pow(u32::from(Rate::SCALE) - 4),
        })
    }

    fn check_pace(&self, pace: &Pace) -> Result<(), Refusal> {
        if let Some(max) = self.limits.orders_per_minute_max.filter(|max| pace.orders_last_minute >= *max) {
            return Err(Refusal::OrderRate { sent: pace.orders_last_minute, max });
        }
        let lost = u128::try_from(pace.day_loss.mantissa()).unwrap_or(0);
        match self.limits.daily_loss_max.filter(|max| lost >= amount_at(*max, pace.reporting_scale) && lost > 0) {
            Some(max) => {
                let lost = pace.day_loss.to_text(pace.reporting_scale);
                Err(Refusal::DailyLoss { lost, max: max.to_string() })
            }
            None => Ok(()),
        }
    }

    fn check_notionals(&self, order: &Order, view: &RiskView<'_>) -> Result<(), Refusal> {
        if self.limits.order_notional_max.is_none() && self.limits.position_notional_max.is_none() {
            return Ok(());
        }
        let price = if order.price().is_zero() { view.last } else { order.price() };
        if price.is_zero() {
            return Err(Refusal::NoPrice);
        }
        let value =
            |qty: Qty| view.terms.notional(price, qty).map(|m| m.mantissa().unsigned_abs()).unwrap_or(u128::MAX);
        let held = view.position.qty.mantissa();
        let (asked, position_after) = match order.size {
            Size::Qty(qty) => {
                (value(qty), value(Qty::from_mantissa(held.saturating_add(order.side.sign() * qty.mantissa()))))
            }
            Size::Notional { amount, close } => {
                let amount = amount_at(amount, view.money_scale);
                let rest = held.saturating_add(order.side.sign() * close.mantissa());
                let same_side = rest == 0 || (rest > 0) == (order.side == Side::Buy);
                let rest = value(Qty::from_mantissa(rest));
                (
                    amount.saturating_add(value(close)),
                    if same_side { rest.saturating_add(amount) } else { rest.abs_diff(amount) },
                )
            }
        };
        let text = |m: u128| Money::from_mantissa(i128::try_from(m).unwrap_or(i128::MAX)).to_text(view.money_scale);
        let over = |limit: Option<Decimal>, value: u128| limit.filter(|l| value > amount_at(*l, view.money_scale));
        if let Some(max) = over(self.limits.order_notional_max, asked) {
            return Err(Refusal::OrderNotional { asked: text(asked), max: max.to_string() });
        }
        let grows = position_after > value(view.position.qty);
        if let Some(max) = over(self.limits.position_notional_max, position_after).filter(|_| grows) {
            return Err(Refusal::PositionNotional { asked: text(position_after), max: max.to_string() });
        }
        Ok(())
    }
}

/// A decimal amount as a mantissa at a money scale, cut toward zero, saturating.
fn amount_at(amount: Decimal, scale: u8) -> u128 {
    let mantissa = u128::from(amount.mantissa().unsigned_abs());
    let (from, to) = (u32::from(amount.scale()), u32::from(scale));
    if to >= from {
        mantissa.saturating_mul(10u128.saturating_pow(to - from))
    } else {
        mantissa / 10u128.pow(from - to)
    }
}
