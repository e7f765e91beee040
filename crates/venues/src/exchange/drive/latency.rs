//! How long the stages from a message to its order take.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// A point on the way of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its bytes were read from the socket.
    Read,
    /// It was understood and its first event is about to be told.
    Parsed,
    /// All its events were told, and decided upon.
    Decided,
    /// The bytes of an order or other request that came of it are about to be handed to the socket.
    Ready,
    /// They were handed to the socket, and the system has taken them.
    Written,
    /// All that came of it is done: what is written from now on is of something else.
    Done,
}

/// Is told when a message passes a point. Does nothing by default.
pub trait Probe: Send {
    /// A point was passed now.
    fn stamp(&mut self, stage: Stage) {
        let _ = stage;
    }

    /// For getting at what was measured.
    fn as_any(&self) -> &dyn Any;
}

impl Probe for () {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Parts of each power of two, as a power of two: durations are told apart by 1.6 % or better.
const PARTS_LOG2: u32 = 6;
const PARTS: u64 = 1 << PARTS_LOG2;
/// Longer durations (34 s) count as this power of two, nanoseconds.
const LONGEST_LOG2: u32 = 35;
const SLOTS: usize = ((LONGEST_LOG2 - PARTS_LOG2 + 1) as usize) << PARTS_LOG2;

/// Counts of durations, nanoseconds. One thread records and any may read at any time: no lock, and nothing is copied
/// by whoever records.
#[derive(Debug)]
pub struct Histogram {
    slots: Vec<AtomicU64>,
    count: AtomicU64,
    max: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            count: AtomicU64::new(0),
            max: AtomicU64::new(0),
        }
    }
}

/// Below [`PARTS`] each nanosecond has a slot; above, each power of two has that many.
fn slot_of(ns: u64) -> usize {
    let ns = ns.min((1 << LONGEST_LOG2) - 1);
    if ns < PARTS {
        return ns as usize;
    }
    let power = ns.ilog2() - PARTS_LOG2;
    (((u64::from(power) + 1) << PARTS_LOG2) + (ns >> power) - PARTS) as usize
}

/// The longest duration of a slot.
fn longest_of(slot: usize) -> u64 {
    let slot = slot as u64;
    if slot < PARTS {
        return slot;
    }
    let (power, part) = ((slot >> PARTS_LOG2) - 1, slot & (PARTS - 1));
    ((PARTS + part + 1) << power) - 1
}

/// Adds one without the cost of an atomic addition: only one thread records.
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

impl Histogram {
    /// Counts a duration. Only one thread may.
    pub fn record(&self, ns: u64) {
        bump(&self.slots[slot_of(ns)]);
        bump(&self.count);
        if ns > self.max.load(Ordering::Relaxed) {
            self.max.store(ns, Ordering::Relaxed);
        }
    }

    /// How many were counted.
    pub fn len(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The longest, nanoseconds.
    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// The duration below or at which a share of all lies, nanoseconds, by at most 1.6 % too long; 0 of none.
    pub fn quantile(&self, share: f64) -> u64 {
        let counts: Vec<u64> = self.slots.iter().map(|s| s.load(Ordering::Relaxed)).collect();
        let wanted = (counts.iter().sum::<u64>() as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (slot, count) in counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return longest_of(slot).min(self.max());
            }
        }
        0
    }
}

/// The histograms of a session.
#[derive(Debug, Default)]
pub struct Stages {
    /// From read to parsed: of every message that told something.
    pub parse: Histogram,
    /// From parsed to decided: of the same.
    pub decide: Histogram,
    /// From decided to ready: of messages that led to a request.
    pub sign: Histogram,
    /// From read to ready, of the same: our own time.
    pub own: Histogram,
    /// From ready to written, of the same: the system's time for a write.
    pub write: Histogram,
    /// From read to written: of the same.
    pub whole: Histogram,
}

impl Stages {
    /// All by name, in order.
    pub fn all(&self) -> [(&'static str, &Histogram); 6] {
        [
            ("parse", &self.parse),
            ("decide", &self.decide),
            ("sign", &self.sign),
            ("own", &self.own),
            ("write", &self.write),
            ("whole", &self.whole),
        ]
    }
}

/// Measures the stages. What it counts can be read elsewhere while it counts.
#[derive(Debug, Default)]
pub struct Latency {
    stages: Arc<Stages>,
    read: Option<Instant>,
    parsed: Option<Instant>,
    decided: Option<Instant>,
    ready: Option<Instant>,
}

impl Latency {
    /// The histograms.
    pub fn stages(&self) -> &Arc<Stages> {
        &self.stages
    }

    fn begin(&mut self, read: Option<Instant>) {
        (self.read, self.parsed, self.decided, self.ready) = (read, None, None, None);
    }
}

fn record(histogram: &Histogram, from: Instant, to: Instant) {
    histogram.record(u64::try_from((to - from).as_nanos()).unwrap_or(u64::MAX));
}

impl Probe for Latency {
    fn stamp(&mut self, stage: Stage) {
        match stage {
            Stage::Done => self.begin(None),
            Stage::Read => self.begin(Some(Instant::now())),
            // Only what came of a message is measured, and of that the first request.
            Stage::Ready | Stage::Written if self.decided.is_none() => {}
            _ => self.pass(stage, Instant::now()),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Latency {
    fn pass(&mut self, stage: Stage, now: Instant) {
        let stages = &*self.stages;
        match (stage, self.read, self.parsed, self.decided, self.ready) {
            (Stage::Parsed, Some(read), ..) => {
                record(&stages.parse, read, now);
                self.parsed = Some(now);
            }
            (Stage::Decided, _, Some(parsed), ..) => {
                record(&stages.decide, parsed, now);
                self.decided = Some(now);
            }
            (Stage::Ready, Some(read), _, Some(decided), None) => {
                record(&stages.sign, decided, now);
                record(&stages.own, read, now);
                self.ready = Some(now);
            }
            (Stage::Written, Some(read), _, _, Some(ready)) => {
                record(&stages.write, ready, now);
                record(&stages.whole, read, now);
                self.begin(None);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_leads_to_no_order_is_not_in_the_whole() {
        let mut latency = Latency::default();
        for stage in [
            Stage::Read,
            Stage::Parsed,
            Stage::Decided,
            Stage::Done,
            Stage::Ready,
            Stage::Written,
            Stage::Read,
            Stage::Decided,
        ] {
            latency.stamp(stage);
        }
        let counts = |l: &Latency| l.stages().all().map(|(_, h)| h.len());
        assert_eq!(counts(&latency), [1, 1, 0, 0, 0, 0]);
        let way = [Stage::Read, Stage::Parsed, Stage::Decided, Stage::Ready, Stage::Written];
        for stage in way.into_iter().chain([Stage::Ready, Stage::Written]) {
            latency.stamp(stage);
        }
        assert_eq!(counts(&latency), [2, 2, 1, 1, 1, 1], "the first request of a message counts");
    }

    #[test]
    fn a_duration_lies_in_its_slot_and_slots_are_narrow() {
        for ns in (0..10_000).chain((14..35).flat_map(|p| [(1 << p) - 1, 1 << p, (1 << p) + 12_345])) {
            let longest = longest_of(slot_of(ns));
            assert!(longest >= ns && (longest - ns) as f64 <= ns as f64 / 60.0, "{ns}: {longest}");
            assert!(slot_of(ns) == 0 || longest_of(slot_of(ns) - 1) < ns, "{ns}");
        }
        assert_eq!(slot_of(u64::MAX), SLOTS - 1);
    }

    #[test]
    fn quantiles_are_of_what_was_counted() {
        let histogram = Histogram::default();
        assert_eq!((histogram.quantile(0.5), histogram.len()), (0, 0));
        (1..=1000).for_each(|ns| histogram.record(ns));
        assert_eq!(histogram.max(), 1000);
        assert!((500..=508).contains(&histogram.quantile(0.5)), "{}", histogram.quantile(0.5));
        assert!((990..=1000).contains(&histogram.quantile(0.99)));
        assert_eq!(histogram.quantile(1.0), 1000);
    }
}
