//! Stored events of one instrument, in order of time, once or again and again.
//!
//! What is played: trades always; depth where the catalog has it for the same time, else quotes. Offsets count from
//! the first event and grow over repetitions.

use std::sync::Arc;

use bellwether_sdk::{Instrument, Level, Quote, Symbol, Trade, Ts};

use super::error::SandboxError;
use crate::data::Catalog;
use crate::market::{Batch, Kind, Source};

/// The pause between the end of the data and its repetition, nanoseconds.
const SEAM_NS: i64 = 100_000_000;

/// One stored event.
#[derive(Debug, Clone)]
pub(super) enum Tick {
    Trade(Trade),
    Quote(Quote),
    /// Whether it replaces the book, and the levels.
    Depth(bool, Vec<Level>),
}

/// How the book that clients see comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BookFrom {
    Depth,
    Quotes,
    Trades,
}

struct Cursor {
    source: Box<dyn Source>,
    batch: Option<Batch>,
    at: usize,
}

impl Cursor {
    fn fill(&mut self) -> Result<bool, SandboxError> {
        if self.batch.as_ref().is_some_and(|b| self.at < b.len()) {
            return Ok(true);
        }
        self.at = 0;
        self.batch = self.source.next(self.batch.take())?;
        Ok(self.batch.is_some())
    }

    /// The time of its next event; book before print among equals.
    fn key(&self) -> Option<(Ts, u8)> {
        match self.batch.as_ref()? {
            Batch::Depth(d) => d.heads.get(self.at).map(|h| (h.ts, 0)),
            Batch::Quotes(v) => v.get(self.at).map(|q| (q.ts, 1)),
            Batch::Trades(v) => v.get(self.at).map(|t| (t.ts, 2)),
            Batch::Bars(_) | Batch::Funding(_) => None,
        }
    }

    fn take(&mut self) -> Option<Tick> {
        let at = self.at;
        self.at += 1;
        match self.batch.as_ref()? {
            Batch::Trades(v) => v.get(at).copied().map(Tick::Trade),
            Batch::Quotes(v) => v.get(at).copied().map(Tick::Quote),
            Batch::Depth(d) => d.heads.get(at).map(|h| {
                let range = h.levels_start as usize..(h.levels_start + h.levels_len) as usize;
                Tick::Depth(h.snapshot, d.levels.get(range).unwrap_or_default().to_vec())
            }),
            Batch::Bars(_) | Batch::Funding(_) => None,
        }
    }
}

/// The tape of one instrument.
pub(super) struct Tape {
    catalog: Arc<Catalog>,
    instrument: Instrument,
    kinds: Vec<Kind>,
    first: Ts,
    end: Ts,
    cursors: Vec<Cursor>,
    /// The offset at which the present repetition began.
    base: i64,
    /// An event that was read and is not due.
    held: Option<(i64, Tick)>,
}

impl Tape {
    /// The tape of an instrument, which needs trades.
    pub(super) fn open(catalog: &Arc<Catalog>, instrument: &Instrument) -> Result<Self, SandboxError> {
        let symbol = &instrument.symbol;
        let trades = catalog.find(symbol, Kind::Trades).ok_or_else(|| no_trades(catalog, symbol))?;
        let (mut first, mut end) = (trades.first, trades.end);
        let mut kinds = vec![Kind::Trades];
        for kind in [Kind::Depth, Kind::Quotes] {
            let Some(series) = catalog.find(symbol, kind) else { continue };
            let (from, to) = (first.max(series.first), end.min(series.end));
            if from < to && kinds.len() == 1 {
                (first, end) = (from, to);
                kinds.push(kind);
            }
        }
        let mut tape = Self {
            catalog: Arc::clone(catalog),
            instrument: instrument.clone(),
            kinds,
            first,
            end,
            cursors: Vec::new(),
            base: 0,
            held: None,
        };
        tape.rewind()?;
        Ok(tape)
    }

    /// What the book is made of.
    pub(super) fn book_from(&self) -> BookFrom {
        match self.kinds.get(1) {
            Some(Kind::Depth) => BookFrom::Depth,
            Some(_) => BookFrom::Quotes,
            None => BookFrom::Trades,
        }
    }

    /// From the first event to the repetition, nanoseconds.
    pub(super) fn length(&self) -> i64 {
        self.end.nanos() - self.first.nanos() + SEAM_NS
    }

    fn rewind(&mut self) -> Result<(), SandboxError> {
        self.cursors.clear();
        for kind in &self.kinds {
            let source = self.catalog.source(&self.instrument, *kind, self.first..self.end)?;
            let mut cursor = Cursor { source, batch: None, at: 0 };
            if cursor.fill()? {
                self.cursors.push(cursor);
            }
        }
        Ok(())
    }

    /// The next event that is due up to an offset; begins anew at the end when `again`.
    pub(super) fn next(&mut self, until: i64, again: bool) -> Result<Option<(i64, Tick)>, SandboxError> {
        if self.held.is_none() {
            self.held = self.read(again)?;
        }
        Ok(self.held.take_if(|(offset, _)| *offset <= until))
    }

    fn read(&mut self, again: bool) -> Result<Option<(i64, Tick)>, SandboxError> {
        if self.cursors.is_empty() {
            if !again {
                return Ok(None);
            }
            self.rewind()?;
            self.base += self.length();
        }
        let keys = self.cursors.iter().enumerate();
        let Some(((ts, _), i)) = keys.filter_map(|(i, c)| c.key().map(|k| (k, i))).min() else { return Ok(None) };
        let tick = self.cursors[i].take();
        if !self.cursors[i].fill()? {
            self.cursors.remove(i);
        }
        let offset = self.base + ts.nanos() - self.first.nanos();
        Ok(tick.map(|t| (offset, t)))
    }
}

fn no_trades(catalog: &Catalog, symbol: &Symbol) -> SandboxError {
    let with: Vec<String> =
        catalog.series().iter().filter(|s| s.kind == Kind::Trades).map(|s| s.symbol.to_string()).collect();
    let there =
        if with.is_empty() { "no instrument has any".to_owned() } else { format!("there are {}", with.join(", ")) };
    SandboxError::setting(format!("instrument {symbol}"), format!("the catalog has no trades of it; {there}"))
}
