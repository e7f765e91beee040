//! What others left at the venue is taken into the books: an open order, or a position in a contract.

use bellwether_sdk::{InstrumentId, OrderId, OrderKind, Price, Qty, Role, Side, Size, TimeInForce, Ts};
use serde::{Deserialize, Serialize};

use crate::orders::{Order, WordId};

/// Something of others that is ours from now on, because somebody wanted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoption {
    /// The number of the order that it is in our books: [`Engine::next_order`](super::Engine::next_order).
    pub order: OrderId,
    /// The strategy that it belongs to; `None`: to none, which is the [house](super::HOUSE).
    pub strategy: Option<String>,
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Buy or sell; of a position, what would have opened it.
    pub side: Side,
    /// What was open of the order, or the position's size: above zero.
    pub qty: Qty,
    /// What it is.
    pub what: Adopted,
    /// Who wanted it.
    pub operator: String,
    /// Why.
    pub reason: String,
}

impl Adoption {
    /// The order that it is in our books, of a strategy by its index. What a venue does not tell of an order is taken to
    /// be the usual.
    pub fn order(&self, strategy: u16, tag: WordId) -> Order {
        let (kind, tif) = match &self.what {
            Adopted::Order { kind, tif, .. } => (*kind, *tif),
            Adopted::Position { .. } => (OrderKind::Market, TimeInForce::Gtc),
        };
        Order {
            id: self.order,
            strategy,
            instrument: self.instrument,
            side: self.side,
            size: Size::Qty(self.qty),
            kind,
            tif,
            post_only: false,
            reduce_only: false,
            role: Role::Intent,
            parent: OrderId(0),
            oco: OrderId(0),
            tag,
        }
    }

    /// The price that a position was opened at; `None` for an order.
    pub const fn entry(&self) -> Option<Price> {
        match &self.what {
            Adopted::Position { entry } => Some(*entry),
            Adopted::Order { .. } => None,
        }
    }
}

/// What is taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Adopted {
    /// An open order. Ours is what was open of it: what had filled before stands aside.
    Order {
        /// The venue's id.
        venue_id: String,
        /// The client order id as it stands at the venue.
        client_id: String,
        /// When and at what price.
        kind: OrderKind,
        /// How long.
        tif: TimeInForce,
        /// What had filled before.
        before: Qty,
        /// The venue's ids of these fills: none of them is booked.
        seen: Vec<String>,
        /// Fills from this time of our clock on are ours, but for those.
        since: Ts,
    },
    /// A position, as if it had been opened now at the venue's entry price, which is rounded to the instrument's digits.
    Position {
        /// The venue's entry price.
        entry: Price,
    },
}
