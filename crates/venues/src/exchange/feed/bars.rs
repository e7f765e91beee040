//! Bars of one topic: complete once, in order, without holes that could have been filled.
//!
//! Some venues say when a bar is complete. Others just send the bar as it grows (Kraken, Hyperliquid): it is complete
//! when the next one begins, or when its time is over by the venue's clock and a grace has passed. What was missed
//! while no connection was there is fetched by REST before later bars are told; it is never made up.

use std::collections::VecDeque;

use bellwether_sdk::{Bar, Ts};

use super::{FeedEvent, FeedSink};

/// Complete bars held back while missed ones are fetched; beyond, they are told with the hole.
const HELD_MAX: usize = 64;

/// The state of one series.
#[derive(Debug, Default)]
pub(super) struct Bars {
    growing: Option<Bar>,
    /// The connection was lost while it grew: it may lack trades.
    torn: bool,
    last: Option<Bar>,
    /// The connection was lost since the last bar that was told.
    doubt: bool,
    held: VecDeque<Bar>,
    /// A range to be fetched, and whether it is being fetched.
    pub(super) wanted: Option<(Ts, Ts)>,
    pub(super) asked: bool,
}

impl Bars {
    pub(super) fn connection_lost(&mut self) {
        self.torn = self.growing.is_some();
        self.doubt = true;
    }

    /// The stream told a bar. Whether a range is wanted now.
    pub(super) fn on_bar(&mut self, bar: Bar, complete: bool, sink: &mut dyn FeedSink) -> bool {
        if self.last.is_some_and(|l| bar.ts_open <= l.ts_open)
            || self.held.back().is_some_and(|h| bar.ts_open <= h.ts_open)
        {
            return false;
        }
        if let Some(before) = self.growing.take_if(|g| g.ts_open < bar.ts_open) {
            if self.torn {
                self.want(before.ts_open, before.ts_close);
            } else {
                self.complete(before, sink);
            }
            self.torn = false;
        }
        if complete {
            self.growing = None;
            self.torn = false;
            self.complete(bar, sink);
        } else {
            // What a venue sends of a bar is the whole of it so far.
            self.growing = Some(bar);
            self.torn = false;
        }
        self.wanted.is_some() && !self.asked
    }

    fn want(&mut self, from: Ts, to: Ts) {
        let from = self.last.map_or(from, |l| l.ts_close.min(from));
        self.wanted = Some(self.wanted.map_or((from, to), |(a, b)| (a.min(from), b.max(to))));
    }

    fn complete(&mut self, bar: Bar, sink: &mut dyn FeedSink) {
        let hole = self.doubt && self.last.is_some_and(|l| bar.ts_open > l.ts_close);
        if hole {
            self.want(bar.ts_open, bar.ts_open);
        }
        if self.wanted.is_some() && self.held.len() < HELD_MAX {
            self.held.push_back(bar);
            return;
        }
        self.tell(bar, sink);
    }

    fn tell(&mut self, bar: Bar, sink: &mut dyn FeedSink) {
        if self.last.is_none_or(|l| bar.ts_open > l.ts_open) {
            self.last = Some(bar);
            self.doubt = false;
            sink.feed(FeedEvent::Bar(bar));
        }
    }

    /// The range wanted was fetched (or could not be: then it is empty), and what was held can be told.
    pub(super) fn fetched(&mut self, bars: &[Bar], sink: &mut dyn FeedSink) {
        let to = self.wanted.take().map_or(Ts::NONE, |(_, to)| to);
        self.asked = false;
        for bar in bars.iter().filter(|b| b.ts_open < to || b.ts_close <= to) {
            self.tell(*bar, sink);
        }
        self.doubt = false;
        for bar in std::mem::take(&mut self.held) {
            self.tell(bar, sink);
        }
    }

    pub(super) fn on_time(&mut self, _now: Ts, venue_now: Ts, grace: i64, sink: &mut dyn FeedSink) {
        if self.due(grace) > venue_now {
            return;
        }
        if let Some(bar) = self.growing.take() {
            if self.torn {
                self.want(bar.ts_open, bar.ts_close);
                self.torn = false;
            } else {
                self.complete(bar, sink);
            }
        }
    }

    /// When the growing bar is complete, by the venue's clock.
    pub(super) fn due(&self, grace: i64) -> Ts {
        self.growing.map_or(Ts::MAX, |g| g.ts_close.plus(grace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_sdk::{InstrumentId, Interval, Price, Qty};

    fn bar(minute: i64, close: i64) -> Bar {
        let at = |m: i64| Ts::from_millis(m * 60_000);
        let price = Price::from_mantissa;
        Bar {
            ts_open: at(minute),
            ts_close: at(minute + 1),
            open: price(1),
            high: price(close),
            low: price(1),
            close: price(close),
            volume: Qty::from_mantissa(1),
            interval: Interval::MINUTE,
            instrument: InstrumentId(0),
        }
    }

    /// Runs steps and gives what was told as `minute:close`.
    fn told(run: impl FnOnce(&mut Bars, &mut dyn FeedSink)) -> Vec<String> {
        let mut out = Vec::new();
        let mut bars = Bars::default();
        run(&mut bars, &mut |event: FeedEvent<'_>| {
            if let FeedEvent::Bar(b) = event {
                out.push(format!("{}:{}", b.ts_open.nanos() / 60_000_000_000, b.close.mantissa()));
            }
        });
        out
    }

    #[test]
    fn a_bar_without_a_closed_flag_is_complete_when_the_next_begins_or_its_time_is_over() {
        let out = told(|bars, sink| {
            bars.on_bar(bar(1, 5), false, sink);
            bars.on_bar(bar(1, 6), false, sink);
            bars.on_bar(bar(2, 7), false, sink);
            bars.on_time(Ts::NONE, Ts::from_millis(3 * 60_000), 1_000_000, sink);
            bars.on_time(Ts::NONE, Ts::from_millis(3 * 60_000 + 1), 1_000_000, sink);
            // Late, and told once already.
            bars.on_bar(bar(2, 9), false, sink);
            bars.on_bar(bar(2, 9), true, sink);
        });
        assert_eq!(out, ["1:6", "2:7"]);
    }

    #[test]
    fn what_was_missed_is_fetched_before_later_bars_are_told() {
        let out = told(|bars, sink| {
            bars.on_bar(bar(1, 5), true, sink);
            bars.connection_lost();
            assert!(bars.on_bar(bar(4, 8), true, sink));
            assert_eq!(bars.wanted, Some((bar(2, 0).ts_open, bar(4, 0).ts_open)));
            bars.on_bar(bar(5, 9), true, sink);
            bars.fetched(&[bar(2, 6), bar(3, 7)], sink);
            bars.on_bar(bar(6, 1), true, sink);
        });
        assert_eq!(out, ["1:5", "2:6", "3:7", "4:8", "5:9", "6:1"]);
    }

    #[test]
    fn a_bar_torn_by_a_disconnection_is_fetched_not_told_as_it_was() {
        let out = told(|bars, sink| {
            bars.on_bar(bar(1, 5), false, sink);
            bars.connection_lost();
            assert!(bars.on_bar(bar(2, 8), false, sink));
            assert_eq!(bars.wanted, Some((bar(1, 0).ts_open, bar(1, 0).ts_close)));
            bars.fetched(&[bar(1, 7)], sink);
            bars.on_bar(bar(3, 8), false, sink);
        });
        assert_eq!(out, ["1:7", "2:8"]);
    }
}
