//! Positions, cash, profit: exact accounting of facts.
mod trade;
pub use trade::{OpenLot, TradeRecord};
