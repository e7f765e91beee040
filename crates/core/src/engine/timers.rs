//! What is due at a time by itself: strategies' timers and the ends of built bars.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bellwether_sdk::{InstrumentId, OrderId, Ts};
use serde::{Deserialize, Serialize};

/// The order of events at one time. A bar's open print comes last: what is decided at a bar's close can so meet the
/// next open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum Class {
    /// Funding settlements.
    Funding = 1,
    /// Depth messages.
    Depth,
    /// Quotes.
    Quote,
    /// Trades.
    Trade,
    /// Complete bars.
    BarClose,
    /// Timers.
    Timer,
    /// News from outside the market: heard when the market of that moment has been.
    News,
    /// Open prints of bars.
    BarOpen,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Due {
    /// A built bar: index of its builder.
    Bar(usize),
    /// A strategy's timer: index of the strategy, and its number.
    Timer(usize, u64),
    /// A strategy's order never left: it hears of it when the moment in which it asked is over.
    Unsent(usize, InstrumentId, OrderId, Unsent),
    /// The signal that a strategy's order was made of has lapsed.
    Lapse(usize, OrderId),
}

/// Why an order never left, or a signal made none (then it is order 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unsent {
    /// The guard refused it; the order's record says by which limit.
    Guard,
    /// The strategy is paused.
    Paused,
    /// The run only emits signals.
    OnlySignals,
    /// The warm-up is not over.
    WarmUp,
    /// No order can be made of the signal; the count of dropped signals says why.
    NoOrder,
}

impl Unsent {
    /// What the strategy is told as the reason.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Guard => "refused_by_guard",
            Self::Paused => "paused",
            Self::OnlySignals => "only_signals",
            Self::WarmUp => "warm_up",
            Self::NoOrder => "no_order",
        }
    }

    /// Under what an order that a strategy made itself is counted among what was dropped.
    pub const fn reason_of_order(self) -> &'static str {
        match self {
            Self::Paused => "order_while_paused",
            Self::OnlySignals => "order_where_signals_only",
            Self::WarmUp => "order_in_warm_up",
            Self::Guard | Self::NoOrder => self.reason(),
        }
    }
}

pub(super) type Entry = (Ts, Class, u64, Due);

/// A queue of what is due, by time, class and order of entry.
#[derive(Debug)]
pub struct Timers {
    heap: BinaryHeap<Reverse<Entry>>,
    next: Ts,
    entered: u64,
    /// By strategy: how many timers of it are pending.
    pending: Vec<usize>,
}

impl Default for Timers {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), next: Ts::MAX, entered: 0, pending: Vec::new() }
    }
}

impl Timers {
    /// What is due, in order, and how many entries there have been: to be carried over. (A heap's own order depends on
    /// how it came to be.)
    pub(super) fn state(&self) -> (Vec<Entry>, u64) {
        let mut entries: Vec<Entry> = self.heap.iter().map(|e| e.0).collect();
        entries.sort_unstable();
        (entries, self.entered)
    }

    /// Takes up what was due.
    pub(super) fn take_up(&mut self, (entries, entered): (Vec<Entry>, u64)) {
        self.next = entries.first().map_or(Ts::MAX, |e| e.0);
        self.pending.clear();
        entries.iter().for_each(|e| self.count(e.3, 1));
        self.heap = entries.into_iter().map(Reverse).collect();
        self.entered = entered;
    }

    /// Enters something.
    pub fn add(&mut self, at: Ts, due: Due) {
        let class = match due {
            Due::Bar(_) => Class::BarClose,
            Due::Timer(..) | Due::Unsent(..) | Due::Lapse(..) => Class::Timer,
        };
        self.entered += 1;
        self.count(due, 1);
        self.heap.push(Reverse((at, class, self.entered, due)));
        self.next = self.next.min(at);
    }

    fn count(&mut self, due: Due, more: isize) {
        if let Due::Timer(strategy, _) = due {
            if strategy >= self.pending.len() {
                self.pending.resize(strategy + 1, 0);
            }
            self.pending[strategy] = self.pending[strategy].saturating_add_signed(more);
        }
    }

    /// How many timers of a strategy are pending.
    pub fn pending(&self, strategy: usize) -> usize {
        self.pending.get(strategy).copied().unwrap_or_default()
    }

    /// The timers of a strategy, in the order in which they are due.
    pub fn of(&self, strategy: usize) -> Vec<(Ts, u64)> {
        let mut its: Vec<&Entry> =
            self.heap.iter().map(|e| &e.0).filter(|e| matches!(e.3, Due::Timer(s, _) if s == strategy)).collect();
        its.sort_unstable();
        let timer = |entry: &&Entry| match entry.3 {
            Due::Timer(_, timer) => Some((entry.0, timer)),
            Due::Bar(_) | Due::Unsent(..) | Due::Lapse(..) => None,
        };
        its.iter().filter_map(timer).collect()
    }

    /// Drops the timers of a strategy.
    pub fn forget(&mut self, strategy: usize) {
        self.heap.retain(|e| !matches!(e.0.3, Due::Timer(s, _) if s == strategy));
        self.next = self.heap.peek().map_or(Ts::MAX, |e| e.0.0);
        if let Some(pending) = self.pending.get_mut(strategy) {
            *pending = 0;
        }
    }

    /// The time of the earliest.
    #[inline]
    pub fn next(&self) -> Ts {
        self.next
    }

    /// The earliest that comes before an event of `class` at `at`.
    pub fn take_before(&mut self, at: Ts, class: Class) -> Option<(Ts, Due)> {
        let Reverse((ts, due_class, _, due)) = *self.heap.peek()?;
        if (ts, due_class) >= (at, class) {
            return None;
        }
        self.heap.pop();
        self.count(due, -1);
        self.next = self.heap.peek().map_or(Ts::MAX, |e| e.0.0);
        Some((ts, due))
    }
}
