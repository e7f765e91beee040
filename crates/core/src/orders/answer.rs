//! What an exchange says of orders and of the account, simulated or real.

use bellwether_sdk::{InstrumentId, Liquidity, Money, OrderId, Price, Qty, Side, Ts};

/// What the exchange answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer {
    /// The order rests or is about to fill.
    Accepted(OrderId),
    /// The order is refused, with a reason from a closed list.
    Rejected(OrderId, &'static str),
    /// It filled, in whole or part.
    Fill {
        /// The order; zero for a liquidation.
        order: OrderId,
        /// Whose instrument.
        instrument: InstrumentId,
        /// Buy or sell.
        side: Side,
        /// The price.
        price: Price,
        /// The quantity.
        qty: Qty,
        /// What the exchange kept of a spot purchase as its fee, in whole lots: the position grows by the rest. Its value
        /// is in `fee`.
        withheld: Qty,
        /// The order's whole quantity (notional orders learn it here).
        qty_total: Qty,
        /// The fee in settlement currency.
        fee: Money,
        /// Maker or taker.
        liquidity: Liquidity,
        /// Open time of the bar that filled it; [`Ts::NONE`] for ticks.
        bar_ts: Ts,
    },
    /// It ended by a cancel, with a reason.
    Cancelled(OrderId, &'static str),
    /// It ended by its time in force, with a reason.
    Expired(OrderId, &'static str),
    /// Nobody knows yet what became of it: the venue is asked. It may rest, fill or never have arrived.
    Unknown(OrderId),
    /// Funding was paid (below zero) or received, in settlement currency.
    Funding(InstrumentId, Money),
}

/// Every reason that a venue's answer can have: a closed list, on which reports and strategies rely. (The simulated
/// exchange has more of its own; its answers are never read from a tape.)
pub const REASONS: &[&str] = &[
    "",
    "amend_unsupported",
    "authentication",
    "cancelled_by_venue",
    "clock_skew",
    "duplicate_order_id",
    "expired",
    "fok",
    "gtd",
    "halted",
    "instrument_not_listed",
    "insufficient_funds",
    "ioc",
    "key_narrowed",
    "malformed",
    "market_closed",
    "never_arrived",
    "no_liquidity",
    "not_at_venue",
    "not_sent",
    "notional_below_minimum",
    "post_only",
    "post_only_would_take",
    "price_off_tick",
    "price_out_of_bounds",
    "rate_limited",
    "reduce_only",
    "rejected",
    "requested",
    "size_below_minimum",
    "size_off_lot",
    "time_in_force",
    "transient",
    "unknown_order",
    "unknown_outcome",
    "unsupported",
    "venue_rejected",
    "venue_unreachable",
    "would_trigger_at_once",
];

/// The reason of a text; one that is not in [`REASONS`] is `venue_rejected`.
pub fn reason_of(text: &str) -> &'static str {
    REASONS.iter().find(|r| **r == text).copied().unwrap_or("venue_rejected")
}
