//! Closed trades: lots, closed first in first out.

use bellwether_sdk::{InstrumentId, Money, Price, Qty, Role, Side, Ts};
use serde::{Deserialize, Serialize};

use crate::orders::WordId;

/// A lot from its entry to its exit; a partial exit splits it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct TradeRecord {
    /// Entry and exit fees of this lot, in the settlement currency.
    pub fees: Money,
    /// Profit after fees, in the settlement currency.
    pub pnl: Money,
    /// Causal time of the entry fill.
    pub entry_ts: Ts,
    /// Open time of the bar that filled the entry; [`Ts::NONE`] when a tick did.
    pub entry_bar_ts: Ts,
    /// Causal time of the exit fill.
    pub exit_ts: Ts,
    /// Open time of the bar that filled the exit; [`Ts::NONE`] when a tick did.
    pub exit_bar_ts: Ts,
    /// Entry price.
    pub entry_price: Price,
    /// Exit price.
    pub exit_price: Price,
    /// Quantity, above zero.
    pub qty: Qty,
    /// Tag of the entry order.
    pub entry_tag: WordId,
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Index of the strategy in the run.
    pub strategy: u16,
    /// `Buy` for a long lot, `Sell` for a short one.
    pub side: Side,
    /// Role of the exit order.
    pub exit_reason: Role,
}

/// A lot still open at the end, or a whole position made of its lots.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct OpenLot {
    /// Entry fees of this lot not yet given to a trade, in the settlement currency.
    pub fees: Money,
    /// Causal time of the entry fill.
    pub entry_ts: Ts,
    /// Open time of the bar that filled the entry; [`Ts::NONE`] when a tick did.
    pub entry_bar_ts: Ts,
    /// Entry price.
    pub entry_price: Price,
    /// Quantity, above zero.
    pub qty: Qty,
    /// Tag of the entry order.
    pub entry_tag: WordId,
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Index of the strategy in the run.
    pub strategy: u16,
    /// `Buy` for a long lot, `Sell` for a short one.
    pub side: Side,
}
