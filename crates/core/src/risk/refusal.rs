//! Why an order was refused, with the numbers.

use std::fmt;

use bellwether_sdk::{InstrumentId, Money};
use serde::{Deserialize, Serialize};

use super::{Cause, Hold, Limit};
use crate::orders::OrderType;

/// How full a limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Which limit.
    pub limit: Limit,
    /// Whose; `None` for the account's.
    pub instrument: Option<InstrumentId>,
    /// What there is of it, or would be.
    pub used: Money,
    /// What there may be.
    pub max: Money,
    /// Digits of both.
    pub scale: u8,
}

impl Level {
    /// A count against its limit.
    pub(super) fn count(limit: Limit, instrument: Option<InstrumentId>, used: u32, max: u32) -> Self {
        let money = |n: u32| Money::from_mantissa(i128::from(n));
        Self { limit, instrument, used: money(used), max: money(max), scale: 0 }
    }

    /// Whether it is beyond the limit.
    pub fn is_over(&self) -> bool {
        self.used > self.max
    }

    /// How full it is, in basis points of the limit, rounded down; saturating.
    pub fn filled_bps(&self) -> u64 {
        let used = self.used.mantissa().max(0).unsigned_abs();
        let max = self.max.mantissa().max(0).unsigned_abs();
        if max == 0 {
            return if used == 0 { 0 } else { u64::MAX };
        }
        u64::try_from(used.saturating_mul(10_000) / max).unwrap_or(u64::MAX)
    }

    /// What there is, as text.
    pub fn used_text(&self) -> String {
        self.used.to_text(self.scale)
    }

    /// What there may be, as text.
    pub fn max_text(&self) -> String {
        self.max.to_text(self.scale)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, max) = (self.used_text(), self.max_text());
        match self.limit {
            Limit::OrderNotional => write!(f, "order value {used} is over the limit {max}"),
            Limit::Declared => write!(f, "order value {used} is over what its strategy declares, {max}"),
            Limit::PositionQty => write!(f, "the position would be {used}, the limit is {max}"),
            Limit::PositionNotional => write!(f, "position value {used} would be over the limit {max}"),
            Limit::Leverage => write!(f, "the position would be {used} times equity, the limit is {max}"),
            Limit::OpenOrders => write!(f, "{used} orders would be open, the limit is {max}"),
            Limit::TotalNotional => write!(f, "all positions together would be worth {used}, the limit is {max}"),
            Limit::TotalLeverage => write!(f, "all positions would be {used} times equity, the limit is {max}"),
            Limit::TotalOpenOrders => write!(f, "{used} orders of all instruments would be open, the limit is {max}"),
            Limit::OrderRate => write!(f, "it would be order {used} within a minute, the limit is {max}"),
            Limit::AssetNotional => write!(f, "positions in the asset would be worth {used}, the limit is {max}"),
            Limit::DailyLoss => write!(f, "the day has lost {used}, the limit is {max}"),
            Limit::Drawdown => write!(f, "equity is {used} per cent below its peak, the limit is {max}"),
            Limit::LossesInRow => write!(f, "{used} trades in a row lost, the limit is {max}"),
        }
    }
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
    /// A limit would be passed.
    #[error("{0}")]
    Over(Level),
    /// On spot: it would sell more than is held.
    #[error("it sells {sale}, with the sales that are open {all}, and {held} are held")]
    Uncovered {
        /// What it sells.
        sale: String,
        /// With what open sales are of.
        all: String,
        /// The position.
        held: String,
    },
    /// Its strategy declares other instruments than this.
    #[error("its strategy does not declare the instrument")]
    InstrumentUndeclared,
    /// Its strategy declares other kinds of orders than this.
    #[error("its strategy does not declare {} orders", .0.name())]
    KindUndeclared(OrderType),
    /// The order's price is too far on the wrong side of the market.
    #[error("the price {price} is {away_bps} basis points beyond the quote's {quote}, the collar is {max_bps}")]
    Collar {
        /// The order's price.
        price: String,
        /// The best price of the other side.
        quote: String,
        /// How far it is beyond.
        away_bps: i64,
        /// The limit.
        max_bps: i64,
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
    /// The price is old.
    #[error("the last price is {age_ms} ms old, the limit is {max_ms}")]
    PriceAge {
        /// Its age.
        age_ms: i64,
        /// The limit.
        max_ms: i64,
    },
    /// Too many orders whose outcome nobody knows.
    #[error("the outcome of {unknown} orders is unknown, the limit is {max}")]
    UnknownOrders {
        /// How many.
        unknown: u32,
        /// The limit.
        max: u32,
    },
    /// A stop closed a position a short while ago.
    #[error("a stop closed the position; nothing is opened for another {left_ms} ms")]
    Cooldown {
        /// Milliseconds left.
        left_ms: i64,
    },
    /// A limit tripped, or somebody pulled the kill switch: it stays so until a person re-arms the guard.
    #[error("the guard has tripped ({0}); only orders that reduce pass until `bellwether arm`")]
    Tripped(Cause),
    /// Trading is paused for a reason that goes by itself.
    #[error("trading is paused: {}", .0.words())]
    Held(Hold),
}

impl Refusal {
    /// Its name in reports and JSON, from a closed list.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SizeZero => "size_zero",
            Self::PriceNotPositive => "price_not_positive",
            Self::NoPrice => "no_price",
            Self::Over(level) => level.limit.name(),
            Self::Uncovered { .. } => "insufficient_position",
            Self::InstrumentUndeclared => "instrument_undeclared",
            Self::KindUndeclared(_) => "kind_undeclared",
            Self::Collar { .. } => "price_collar_max",
            Self::PriceGap { .. } => "price_gap_max",
            Self::PriceAge { .. } => "price_age_max",
            Self::UnknownOrders { .. } => "unknown_orders_max",
            Self::Cooldown { .. } => "cooldown",
            Self::Tripped(Cause::Limit(level)) => level.limit.name(),
            Self::Tripped(Cause::Kill) => "kill_switch",
            Self::Held(hold) => hold.name(),
        }
    }
}
