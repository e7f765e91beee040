//! Streams of market events: batches of one kind and one instrument, in order of engine time.
//!
//! Events come in batches so that reading costs no virtual call per tick; the engine merges the batches of many
//! streams by time and hands events on one by one.

use std::collections::VecDeque;

use bellwether_sdk::{Bar, Funding, InstrumentId, Level, Quote, Trade, Ts};

use super::Kind;

/// The head of one depth message; its levels stand in [`DepthBatch::levels`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepthHead {
    /// Engine time.
    pub ts: Ts,
    /// The venue's time, [`Ts::NONE`] where unknown.
    pub ts_venue: Ts,
    /// Whether it replaces the whole book.
    pub snapshot: bool,
    /// The venue's id of its first change, zero for none.
    pub first_id: i64,
    /// The venue's id of its last change, zero for none.
    pub last_id: i64,
    /// The `last_id` of the message before, zero when unknown.
    pub prev_id: i64,
    /// Where its levels start in [`DepthBatch::levels`].
    pub levels_start: u32,
    /// How many levels it has.
    pub levels_len: u32,
}

/// Whole depth messages, never a part of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DepthBatch {
    /// In order of engine time.
    pub heads: Vec<DepthHead>,
    /// The levels of all heads, one after the other.
    pub levels: Vec<Level>,
}

/// Events of one kind and one instrument, in order of engine time (bars: of `ts_open`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batch {
    /// Trades.
    Trades(Vec<Trade>),
    /// Quotes.
    Quotes(Vec<Quote>),
    /// Bars; `ts_close` is already clamped to the open of the bar after it, across batches too.
    Bars(Vec<Bar>),
    /// Depth messages.
    Depth(DepthBatch),
    /// Funding settlements.
    Funding(Vec<Funding>),
}

impl Batch {
    /// The count of events.
    pub fn len(&self) -> usize {
        match self {
            Self::Trades(v) => v.len(),
            Self::Quotes(v) => v.len(),
            Self::Bars(v) => v.len(),
            Self::Depth(d) => d.heads.len(),
            Self::Funding(v) => v.len(),
        }
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A stream broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// A stream of market events of one kind and one instrument.
pub trait Source: Send {
    /// Which kind.
    fn kind(&self) -> Kind;

    /// Which instrument.
    fn instrument(&self) -> InstrumentId;

    /// The next events, never an empty batch; `None` at the end. May reuse `spent`'s memory.
    ///
    /// # Errors
    /// [`SourceError`] says the file and what is wrong with it.
    fn next(&mut self, spent: Option<Batch>) -> Result<Option<Batch>, SourceError>;
}

/// A stream from memory.
#[derive(Debug, Clone)]
pub struct VecSource {
    kind: Kind,
    instrument: InstrumentId,
    batches: VecDeque<Batch>,
}

impl VecSource {
    /// A stream of these batches.
    pub fn new(kind: Kind, instrument: InstrumentId, batches: impl IntoIterator<Item = Batch>) -> Self {
        Self { kind, instrument, batches: batches.into_iter().filter(|b| !b.is_empty()).collect() }
    }
}

impl Source for VecSource {
    fn kind(&self) -> Kind {
        self.kind
    }
    fn instrument(&self) -> InstrumentId {
        self.instrument
    }
    fn next(&mut self, _spent: Option<Batch>) -> Result<Option<Batch>, SourceError> {
        Ok(self.batches.pop_front())
    }
}
