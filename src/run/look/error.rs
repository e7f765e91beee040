//! Why a look at a venue failed, sorted by what may be done about it.

use crate::exchange::VenueError;
use crate::keys::KeyError;
use crate::risk::Refusal;

/// A venue was not asked, did not answer, or refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookError {
    /// What was asked for does not go together.
    #[error("{0}")]
    Usage(String),
    /// No such venue or instrument, or rules that do not read.
    #[error("{0}")]
    Unknown(String),
    /// There is no key, or not of the kind that the venue takes.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// An order with real money was not confirmed.
    #[error("{0} trades real money, and that was not confirmed; nothing was sent")]
    RealMoney(String),
    /// The guard refused an order.
    #[error("the guard refused: {0}; nothing was sent")]
    Guard(#[from] Refusal),
    /// An order breaks the instrument's rules.
    #[error("{0}; nothing was sent")]
    Rules(String),
    /// The venue answered with an error.
    #[error("{0}")]
    Venue(VenueError),
    /// The venue did not answer.
    #[error("{0}")]
    Unavailable(String),
    /// What became of a write is not known.
    #[error("it is not known what became of it: {why}; ask again: {remedy}")]
    Outcome {
        /// What happened.
        why: String,
        /// How to find out.
        remedy: String,
    },
    /// A dry run wrote the request and has no answer.
    #[error("nothing was sent")]
    NotSent,
}
