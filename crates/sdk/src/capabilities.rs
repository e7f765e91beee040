//! What a strategy says it may do at the most, so that whoever runs it can hold it to that.

use crate::{Decimal, OrderKind};

/// The most that a strategy may do; the guard refuses what goes beyond.
///
/// ```
/// use bellwether_sdk::{Capabilities, Decimal, OrderKinds};
///
/// let careful = Capabilities {
///     instruments: &["binance:BTC/USDT"],
///     orders: OrderKinds { market: true, ..OrderKinds::NONE },
///     order_notional_max: Some(Decimal::new(1_000, 0)),
/// };
/// assert!(!careful.orders.limit);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Names of the instruments it may trade; empty: any.
    pub instruments: &'static [&'static str],
    /// The kinds of orders it may place, itself or by signals.
    pub orders: OrderKinds,
    /// The largest value of one order, in quote currency; `None`: no limit of its own.
    pub order_notional_max: Option<Decimal>,
}

/// Kinds of orders; by default all.
///
/// ```
/// use bellwether_sdk::{OrderKind, OrderKinds, testing::price};
///
/// let plain = OrderKinds { market: true, ..OrderKinds::NONE };
/// assert!(plain.allow(OrderKind::Market) && !plain.allow(OrderKind::Limit { price: price("1") }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderKinds {
    /// [`OrderKind::Market`].
    pub market: bool,
    /// [`OrderKind::Limit`].
    pub limit: bool,
    /// [`OrderKind::StopMarket`].
    pub stop_market: bool,
    /// [`OrderKind::StopLimit`].
    pub stop_limit: bool,
    /// [`OrderKind::TrailingStop`].
    pub trailing_stop: bool,
}

impl OrderKinds {
    /// All of them.
    pub const ALL: Self = Self { market: true, limit: true, stop_market: true, stop_limit: true, trailing_stop: true };
    /// None of them.
    pub const NONE: Self =
        Self { market: false, limit: false, stop_market: false, stop_limit: false, trailing_stop: false };

    /// Whether an order's kind is among them.
    pub const fn allow(self, kind: OrderKind) -> bool {
        match kind {
            OrderKind::Market => self.market,
            OrderKind::Limit { .. } => self.limit,
            OrderKind::StopMarket { .. } => self.stop_market,
            OrderKind::StopLimit { .. } => self.stop_limit,
            OrderKind::TrailingStop { .. } => self.trailing_stop,
        }
    }
}

impl Default for OrderKinds {
    fn default() -> Self {
        Self::ALL
    }
}
