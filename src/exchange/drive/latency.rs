//! How long the stages from a message to its order take.

use std::any::Any;
use std::time::Instant;

use hdrhistogram::Histogram;

/// A point on the way of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its bytes were read from the socket.
    Read,
    /// It was understood and its first event is about to be told.
    Parsed,
    /// All its events were told, and decided upon.
    Decided,
    /// The bytes of an order or other request that came of it were handed to the socket.
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

/// Histograms of the stages, in nanoseconds up to a minute, with three digits.
#[derive(Debug, Clone)]
pub struct Latency {
    /// From read to parsed: of every message that told something.
    pub parse: Histogram<u64>,
    /// From parsed to decided: of the same.
    pub decide: Histogram<u64>,
    /// From decided to written: of messages that led to a request.
    pub write: Histogram<u64>,
    /// From read to written: of the same.
    pub whole: Histogram<u64>,
    read: Option<Instant>,
    parsed: Option<Instant>,
    decided: Option<Instant>,
}

/// Longest duration told apart, nanoseconds.
const LONGEST_NS: u64 = 60_000_000_000;

impl Latency {
    /// Empty histograms.
    ///
    /// # Errors
    /// The library's own, for bounds that it does not take.
    pub fn new() -> Result<Self, hdrhistogram::CreationError> {
        let empty = || Histogram::new_with_bounds(1, LONGEST_NS, 3);
        Ok(Self {
            parse: empty()?,
            decide: empty()?,
            write: empty()?,
            whole: empty()?,
            read: None,
            parsed: None,
            decided: None,
        })
    }

    /// The stages by name, in order.
    pub fn stages(&self) -> [(&'static str, &Histogram<u64>); 4] {
        [("parse", &self.parse), ("decide", &self.decide), ("write", &self.write), ("whole", &self.whole)]
    }
}

fn record(histogram: &mut Histogram<u64>, from: Instant, to: Instant) {
    let nanos = u64::try_from((to - from).as_nanos()).unwrap_or(LONGEST_NS);
    histogram.saturating_record(nanos.max(1));
}

impl Probe for Latency {
    fn stamp(&mut self, stage: Stage) {
        if stage == Stage::Done {
            (self.read, self.parsed, self.decided) = (None, None, None);
            return;
        }
        let now = Instant::now();
        match stage {
            Stage::Done => {}
            Stage::Read => (self.read, self.parsed, self.decided) = (Some(now), None, None),
            Stage::Parsed => {
                self.parsed = Some(now);
                if let Some(read) = self.read {
                    record(&mut self.parse, read, now);
                }
            }
            Stage::Decided => {
                self.decided = self.parsed.map(|_| now);
                if let Some(parsed) = self.parsed {
                    record(&mut self.decide, parsed, now);
                }
            }
            Stage::Written => {
                if let (Some(read), Some(decided)) = (self.read.take(), self.decided.take()) {
                    record(&mut self.write, decided, now);
                    record(&mut self.whole, read, now);
                }
            }
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_leads_to_no_order_is_not_in_the_whole() {
        let mut latency = Latency::new().expect("bounds");
        for stage in
            [Stage::Read, Stage::Parsed, Stage::Decided, Stage::Done, Stage::Written, Stage::Read, Stage::Decided]
        {
            latency.stamp(stage);
        }
        let counts = latency.stages().map(|(name, h)| (name, h.len()));
        assert_eq!(counts, [("parse", 1), ("decide", 1), ("write", 0), ("whole", 0)]);
        for stage in [Stage::Read, Stage::Parsed, Stage::Decided, Stage::Written, Stage::Written] {
            latency.stamp(stage);
        }
        assert_eq!(latency.whole.len(), 1, "the first request of a message counts");
    }
}
