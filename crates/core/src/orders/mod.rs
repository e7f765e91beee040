//! Order life: every order of a session, its state, and what filled.
//!
//! Records are small (an order, its fill and its trade take under 300 bytes together): words are interned.

mod answer;
mod away;
mod book;
#[cfg(test)]
mod fixtures;
mod hash;
mod life;
mod record;

pub use answer::{Answer, REASONS, reason_of};
pub use away::PutAway;
pub use book::{OrderError, Orders};
pub use hash::{Named, hex, hex_of};
pub use life::{Life, Step};
pub use record::{FillRecord, OrderRecord, OrderType, TifType, WordId, Words};

use bellwether_sdk::{InstrumentId, OrderId, OrderKind, Role, Side, Size, TimeInForce};
use serde::{Deserialize, Serialize};

/// An order as it goes to the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// Index of the strategy.
    pub strategy: u16,
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// How much.
    pub size: Size,
    /// When and at what price.
    pub kind: OrderKind,
    /// How long.
    pub tif: TimeInForce,
    /// Refused rather than filled as taker.
    pub post_only: bool,
    /// Only to make a position smaller.
    pub reduce_only: bool,
    /// Why it came to be.
    pub role: Role,
    /// The entry it protects, or zero.
    pub parent: OrderId,
    /// Orders of one group other than zero are one-cancels-other: the number of the group's first order.
    pub oco: OrderId,
    /// Text for reports.
    pub tag: WordId,
}

impl Order {
    /// Whether it can do nothing but make a position smaller.
    pub const fn only_reduces(&self) -> bool {
        self.reduce_only || self.role.is_protective()
    }

    /// Its limit price or trigger; zero for market and trailing orders.
    pub fn price(&self) -> bellwether_sdk::Price {
        match self.kind {
            OrderKind::Limit { price } => price,
            OrderKind::StopMarket { trigger } | OrderKind::StopLimit { trigger, .. } => trigger,
            OrderKind::Market | OrderKind::TrailingStop { .. } => bellwether_sdk::Price::ZERO,
        }
    }
}
