//! The market as the engine sees it: currencies, kinds of data, streams of events, books, bars built from finer data.
//!
//! Pure: no file, clock or socket. Where the events come from is the business of `data` and `exchange`.

pub mod bars;
pub mod book;
mod kind;
mod stream;

pub use kind::{Kind, KindError};

pub use stream::{Batch, DepthBatch, DepthHead, Source, SourceError, VecSource};

/// A currency of this run and the digits of its [`Money`](bellwether_sdk::Money).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Currency {
    /// Its code, e.g. `USDT`.
    pub code: String,
    /// Digits after the point.
    pub scale: u8,
}

/// The digits a currency has unless an instrument of the run needs more.
pub const MONEY_SCALE_MIN: u8 = 8;
