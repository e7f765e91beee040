//! A strategy takes another's place while a session runs: another version of it, or the same with other parameters.

use std::cell::Cell;
use std::collections::VecDeque;

use bellwether_sdk::{Bar, Context, InstrumentId, Interval, ParamValues, Quote, Strategy, Trade, Ts};
use serde::{Deserialize, Serialize};

use crate::risk::Declared;
use crate::signal::{Gauge, Sizer};

/// Events of one kind and instrument that a session remembers per strategy, to warm up one that takes its place.
pub(super) const REMEMBERED: usize = 4_096;

/// What is put in whose place: all that is needed to make it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {
    /// The id of the strategy whose place it takes.
    pub strategy: String,
    /// Its plugin: a name or a file.
    pub plugin: String,
    /// The strategy's own name.
    pub name: String,
    /// SHA-256 of the file, hex; empty for natives.
    pub sha256: String,
    /// Its own version; empty for natives.
    pub version: String,
    /// Versions of one strategy with an equal number take each other's state; zero: none does.
    pub state_version: u32,
    /// All its parameters, its sizer's among them.
    pub params: ParamValues,
    /// Whether it is given the state of the one before; otherwise it hears what is remembered.
    pub takes_state: bool,
    /// Who asked for it.
    pub operator: String,
}

/// A strategy that is ready to take another's place.
pub struct Newcomer {
    /// The strategy, made and not yet started.
    pub strategy: Box<dyn Strategy>,
    /// How its signals are sized.
    pub sizer: Sizer,
    /// What it declares that it does at the most.
    pub declared: Declared,
}

/// Holds a [`Newcomer`] until it is taken.
#[derive(Default)]
pub struct Fresh(Cell<Option<Newcomer>>);

impl Fresh {
    /// With one in it.
    pub fn new(newcomer: Newcomer) -> Self {
        Self(Cell::new(Some(newcomer)))
    }

    pub(super) fn take(&self) -> Option<Newcomer> {
        self.0.take()
    }
}

impl std::fmt::Debug for Fresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fresh")
    }
}

/// How far a swap has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// It has the place, on trial until it has heard its first event.
    In,
    /// It heard its first event and stays.
    Kept,
    /// It failed: the one before has its place again, and missed nothing.
    Back,
}

impl Step {
    /// Its name on the tape.
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Kept => "kept",
            Self::Back => "taken back",
        }
    }
}

/// What became of a swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swapped {
    /// The id of the strategy.
    pub strategy: String,
    /// Engine time.
    pub at: Ts,
    /// How far it has come.
    pub step: Step,
    /// With what, or why.
    pub text: String,
}

/// The one whose place was taken, until the newcomer has proved itself.
pub(super) struct Trial {
    pub(super) before: Box<dyn Strategy>,
    pub(super) sizer: Sizer,
    pub(super) gauges: Vec<Gauge>,
    pub(super) declared: Declared,
    pub(super) more_bars: Vec<(InstrumentId, Interval)>,
    pub(super) timers: Vec<(Ts, u64)>,
    pub(super) halted: bool,
    pub(super) form: Option<Swap>,
}

/// An event that is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum Seen {
    Trade(Trade),
    Quote(Quote),
    Bar(Bar),
}

impl Seen {
    /// Its instrument, and which of an instrument's rows it belongs to.
    fn row(&self) -> usize {
        let (id, kind): (InstrumentId, usize) = match self {
            Self::Trade(t) => (t.instrument, 0),
            Self::Quote(q) => (q.instrument, 1),
            Self::Bar(b) => (b.instrument, 2),
        };
        3 * id.index() + kind
    }

    pub(super) const fn instrument(&self) -> InstrumentId {
        match self {
            Self::Trade(t) => t.instrument,
            Self::Quote(q) => q.instrument,
            Self::Bar(b) => b.instrument,
        }
    }

    /// Engine time at which it was heard.
    pub(super) const fn ts(&self) -> Ts {
        match self {
            Self::Trade(t) => t.ts,
            Self::Quote(q) => q.ts,
            Self::Bar(b) => b.ts_close,
        }
    }

    pub(super) fn tell(&self, strategy: &mut dyn Strategy, ctx: &mut Context<'_>) {
        match self {
            Self::Trade(t) => strategy.on_trade(ctx, t),
            Self::Quote(q) => strategy.on_quote(ctx, q),
            Self::Bar(b) => strategy.on_bar(ctx, b),
        }
    }
}

/// The last events that a strategy heard, by instrument and kind, each with its number.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Past {
    rows: Vec<VecDeque<(u64, Seen)>>,
    heard: u64,
}

impl Past {
    pub(super) fn new(instruments: usize) -> Self {
        Self { rows: vec![VecDeque::new(); 3 * instruments], heard: 0 }
    }

    pub(super) fn push(&mut self, seen: Seen) {
        let row = &mut self.rows[seen.row()];
        if row.len() == REMEMBERED {
            row.pop_front();
        }
        self.heard += 1;
        row.push_back((self.heard, seen));
    }

    /// The last `window` events of each row (all that there are, for zero), in the order in which they were heard.
    ///
    /// # Errors
    /// When more were heard than are remembered, and fewer are remembered than asked for.
    pub(super) fn last(&self, window: u64) -> Result<Vec<Seen>, String> {
        let wanted = usize::try_from(window).unwrap_or(usize::MAX);
        if wanted > REMEMBERED && self.rows.iter().any(|row| row.len() == REMEMBERED) {
            return Err(format!("it wants {window} events of history, and a session remembers {REMEMBERED}"));
        }
        let wanted = if wanted == 0 { REMEMBERED } else { wanted };
        let mut last: Vec<(u64, Seen)> =
            self.rows.iter().flat_map(|row| row.iter().skip(row.len().saturating_sub(wanted)).copied()).collect();
        last.sort_unstable_by_key(|(number, _)| *number);
        Ok(last.into_iter().map(|(_, seen)| seen).collect())
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::{Price, Qty};

    use super::*;

    fn bar(close: i64) -> Seen {
        let price = Price::from_mantissa(close);
        let ts_close = Ts::from_nanos(close);
        Seen::Bar(Bar {
            ts_open: ts_close,
            ts_close,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty::ZERO,
            interval: Interval::MINUTE,
            instrument: InstrumentId(0),
        })
    }

    #[test]
    fn the_last_events_are_remembered_in_order_and_a_window_that_was_forgotten_is_refused() {
        let mut past = Past::new(1);
        for close in 1..=10 {
            past.push(bar(close));
        }
        assert_eq!(past.last(3), Ok(vec![bar(8), bar(9), bar(10)]));
        assert_eq!(past.last(0).map(|all| all.len()), Ok(10));
        // Fewer were heard than it wants: it would stand no better had it been there from the beginning.
        assert_eq!(past.last(100_000).map(|all| all.len()), Ok(10));
        for close in 11..=5_000 {
            past.push(bar(close));
        }
        assert_eq!(past.last(0).map(|all| (all.len(), all[0])), Ok((REMEMBERED, bar(5_000 - 4_095))));
        assert!(past.last(5_000).is_err_and(|why| why.contains("5000")));
    }
}
