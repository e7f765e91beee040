//! Positions, cash and profit: exact accounting of facts (fills, fees, funding). It decides nothing.
//!
//! The same [`Ledger`] keeps our books and those of the simulated exchange. Invariant, to the last digit:
//! cash + cost of what is owned = start + realised profit − fees + funding (see [`Ledger::conservation`]).

mod ledger;
mod lots;
mod terms;
mod trade;

pub use ledger::{Ledger, Position};
pub use lots::{LotFill, Lots};
pub(crate) use terms::over_rate_unit;
pub use terms::{Terms, div_half_even};
pub use trade::{OpenLot, TradeRecord};

/// Accounting left the range of its numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortfolioError {
    /// A sum or product does not fit.
    #[error("overflow in {what}: the amounts are too large for exact money")]
    Overflow {
        /// The computation.
        what: &'static str,
    },
}
