//! The market as the engine sees it: currencies, kinds of data, streams of events, books, bars built from finer data.
//!
//! Pure: no file, clock or socket. Where the events come from is the business of `data` and `exchange`.

pub mod bars;
pub mod book;
mod kind;
mod stream;

use bellwether_sdk::{Price, Quote};
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

/// The middle of a quote, or its only side; zero when it has none.
pub fn mid(quote: &Quote) -> Price {
    match (quote.bid.mantissa(), quote.ask.mantissa()) {
        (0, one) | (one, 0) => Price::from_mantissa(one),
        (bid, ask) => Price::from_mantissa(bid + (ask - bid) / 2),
    }
}
