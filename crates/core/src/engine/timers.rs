//! What is due at a time by itself: strategies' timers and the ends of built bars.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bellwether_sdk::Ts;

/// The order of events at one time. A bar's open print comes last: what is decided at a bar's close can so meet the
/// next open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A built bar: index of its builder.
    Bar(usize),
    /// A strategy's timer: index of the strategy, and its number.
    Timer(usize, u64),
}

type Entry = (Ts, Class, u64, Due);

/// A queue of what is due, by time, class and order of entry.
#[derive(Debug)]
pub struct Timers {
    heap: BinaryHeap<Reverse<Entry>>,
    next: Ts,
    entered: u64,
}

impl Default for Timers {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), next: Ts::MAX, entered: 0 }
    }
}

impl Timers {
    /// Enters something.
    pub fn add(&mut self, at: Ts, due: Due) {
        let class = match due {
            Due::Bar(_) => Class::BarClose,
            Due::Timer(..) => Class::Timer,
        };
        self.entered += 1;
        self.heap.push(Reverse((at, class, self.entered, due)));
        self.next = self.next.min(at);
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
        self.next = self.heap.peek().map_or(Ts::MAX, |e| e.0.0);
        Some((ts, due))
    }
}
