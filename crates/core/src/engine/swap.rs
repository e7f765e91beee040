//! A strategy takes another's place while a session runs: another version of it, or the same with other parameters.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};

use bellwether_sdk::{Bar, Context, InstrumentId, Interval, ParamValues, Quote, Strategy, Trade, Ts};
use serde::{Deserialize, Serialize};

use super::slot::Input;
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
    /// Whether the newcomer took up its state, and so knows the orders it had placed.
    pub(super) gave_state: bool,
    /// Whether what is heard now is the newcomer's own: the one before never asked for it.
    pub(super) newcomers_own: bool,
}

impl Trial {
    /// A timer is due: it was of the one before, who has it no longer, or it is the newcomer's own.
    pub(super) fn fire(&mut self, at: Ts, timer: u64) {
        let known = self.timers.iter().position(|known| *known == (at, timer));
        self.newcomers_own = known.is_none();
        if let Some(known) = known {
            self.timers.remove(known);
        }
    }
}

/// What one would be warmed up by that took a strategy's place now: a copy, to be heard beside the session.
pub struct History {
    pub(super) past: Past,
    pub(super) input: Input,
    pub(super) given: Vec<InstrumentId>,
}

impl History {
    /// The events, in order, for one that wants the last `window` of each kind and asks for `more` bars beside its input.
    ///
    /// # Errors
    /// When it wants more than is remembered.
    pub fn last(&self, window: u64, more: &[(InstrumentId, Interval)]) -> Result<Vec<Seen>, String> {
        self.past.last(window, |seen| match seen {
            Seen::Bar(b) => self.input.has_bars(self.given.contains(&b.instrument), more, (b.instrument, b.interval)),
            Seen::Trade(_) | Seen::Quote(_) => true,
        })
    }
}

/// An event that is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Seen {
    /// A trade.
    Trade(Trade),
    /// A quote.
    Quote(Quote),
    /// A bar.
    Bar(Bar),
}

impl Seen {
    const fn row(&self) -> Row {
        match self {
            Self::Trade(t) => (t.instrument, Kind::Trades),
            Self::Quote(q) => (q.instrument, Kind::Quotes),
            Self::Bar(b) => (b.instrument, Kind::Bars(b.interval.nanos())),
        }
    }

    /// Whose it is.
    pub const fn instrument(&self) -> InstrumentId {
        match self {
            Self::Trade(t) => t.instrument,
            Self::Quote(q) => q.instrument,
            Self::Bar(b) => b.instrument,
        }
    }

    /// Engine time at which it was heard.
    pub const fn ts(&self) -> Ts {
        match self {
            Self::Trade(t) => t.ts,
            Self::Quote(q) => q.ts,
            Self::Bar(b) => b.ts_close,
        }
    }

    /// Lets a strategy hear it.
    pub fn tell(&self, strategy: &mut dyn Strategy, ctx: &mut Context<'_>) {
        match self {
            Self::Trade(t) => strategy.on_trade(ctx, t),
            Self::Quote(q) => strategy.on_quote(ctx, q),
            Self::Bar(b) => strategy.on_bar(ctx, b),
        }
    }
}

/// Kinds of events that are remembered; bars by their interval in nanoseconds, so that an hour's do not push a day's out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Kind {
    Trades,
    Quotes,
    Bars(i64),
}

type Row = (InstrumentId, Kind);

/// The last events that a strategy heard, by instrument and kind, each with its number.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Past {
    rows: BTreeMap<Row, VecDeque<(u64, Seen)>>,
    heard: u64,
}

impl Past {
    pub(super) fn push(&mut self, seen: Seen) {
        let row = self.rows.entry(seen.row()).or_default();
        if row.len() == REMEMBERED {
            row.pop_front();
        }
        self.heard += 1;
        row.push_back((self.heard, seen));
    }

    /// The last `window` events of each row that is wanted (all that there are, for zero), in the order in which they were
    /// heard.
    ///
    /// # Errors
    /// When more were heard than are remembered, and fewer are remembered than asked for.
    pub(super) fn last(&self, window: u64, wants: impl Fn(&Seen) -> bool) -> Result<Vec<Seen>, String> {
        let wanted = usize::try_from(window).unwrap_or(usize::MAX);
        let rows = || self.rows.values().filter(|row| row.front().is_some_and(|(_, seen)| wants(seen)));
        if wanted > REMEMBERED && rows().any(|row| row.len() == REMEMBERED) {
            return Err(format!("it wants {window} events of history, and a session remembers {REMEMBERED}"));
        }
        let wanted = if wanted == 0 { REMEMBERED } else { wanted };
        let mut last: Vec<(u64, Seen)> =
            rows().flat_map(|row| row.iter().skip(row.len().saturating_sub(wanted)).copied()).collect();
        last.sort_unstable_by_key(|(number, _)| *number);
        Ok(last.into_iter().map(|(_, seen)| seen).collect())
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::{Price, Qty};

    use super::*;

    fn bar(close: i64) -> Seen {
        bar_of(close, Interval::MINUTE)
    }

    fn bar_of(close: i64, interval: Interval) -> Seen {
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
            interval,
            instrument: InstrumentId(0),
        })
    }

    #[test]
    fn the_last_events_are_remembered_in_order_and_a_window_that_was_forgotten_is_refused() {
        let all = |_: &Seen| true;
        let mut past = Past::default();
        for close in 1..=10 {
            past.push(bar(close));
        }
        assert_eq!(past.last(3, all), Ok(vec![bar(8), bar(9), bar(10)]));
        assert_eq!(past.last(0, all).map(|all| all.len()), Ok(10));
        // Fewer were heard than it wants: it would stand no better had it been there from the beginning.
        assert_eq!(past.last(100_000, all).map(|all| all.len()), Ok(10));
        for close in 11..=5_000 {
            past.push(bar(close));
        }
        assert_eq!(past.last(0, all).map(|all| (all.len(), all[0])), Ok((REMEMBERED, bar(5_000 - 4_095))));
        assert!(past.last(5_000, all).is_err_and(|why| why.contains("5000")));
    }
    #[test]
    fn bars_of_one_interval_do_not_push_those_of_another_out_of_the_window() {
        let mut past = Past::default();
        for close in 1..=100 {
            past.push(bar(close));
            if close % 10 == 0 {
                past.push(bar_of(close, Interval::HOUR));
            }
        }
        let hours = |seen: &Seen| matches!(seen, Seen::Bar(b) if b.interval == Interval::HOUR);
        let last: Vec<Seen> = [80, 90, 100].map(|close| bar_of(close, Interval::HOUR)).to_vec();
        assert_eq!(past.last(3, hours), Ok(last));
        assert_eq!(past.last(3, |_| true).map(|all| all.len()), Ok(6));
    }
}
