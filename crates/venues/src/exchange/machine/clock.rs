//! How far the venue's clock is from ours.

use std::collections::VecDeque;

use bellwether_sdk::Ts;

/// Measurements kept; the one with the shortest round trip counts.
const KEPT: usize = 8;
/// What a venue that tells whole seconds may be off by its rounding, nanoseconds.
const ROUNDED: i64 = 1_000_000_000;

/// The offset of the venue's clock, from asking it the time: what it said is taken to be true in the middle of the
/// round trip. Of several measurements that with the shortest round trip is believed, because it leaves least room. One
/// that cannot be true together with what is believed says that a clock was set: those before it do not count any more.
#[derive(Debug, Clone, Default)]
pub struct ClockOffset {
    measured: VecDeque<(i64, i64)>,
    /// With the next measurement these do not count any more.
    doubted: bool,
}

impl ClockOffset {
    /// Takes a measurement: when it was asked and answered by our clock, and what the venue's clock said.
    pub fn measure(&mut self, asked: Ts, answered: Ts, venue: Ts) {
        let round = answered.nanos().saturating_sub(asked.nanos()).max(0);
        let offset = venue.nanos().saturating_sub(asked.nanos().saturating_add(round / 2));
        // The venue answered within the round trip: the truth is at most half of one away.
        let was_set = self.round_trip().is_some_and(|believed| {
            let apart = offset.saturating_sub(self.offset()).saturating_abs();
            apart > (round / 2).saturating_add(believed / 2).saturating_add(ROUNDED)
        });
        if std::mem::take(&mut self.doubted) || was_set {
            self.measured.clear();
        }
        if self.measured.len() == KEPT {
            self.measured.pop_front();
        }
        self.measured.push_back((round, offset));
    }

    /// The clocks may have jumped: from the next measurement on, those before it do not count. Until then they are the best
    /// there is; also what the venue refuses now may have been signed before the last of them.
    pub fn doubt(&mut self) {
        self.doubted = true;
    }

    /// Nanoseconds to add to our clock to get the venue's; zero before the first measurement.
    pub fn offset(&self) -> i64 {
        self.measured.iter().min_by_key(|(round, _)| *round).map_or(0, |(_, offset)| *offset)
    }

    /// The round trip of the measurement that counts, nanoseconds; `None` before the first.
    pub fn round_trip(&self) -> Option<i64> {
        self.measured.iter().map(|(round, _)| *round).min()
    }

    /// The venue's time at a time of ours.
    pub fn venue_time(&self, now: Ts) -> Ts {
        now.plus(self.offset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_round_trip_counts_and_is_halved() {
        let at = Ts::from_nanos;
        let mut clock = ClockOffset::default();
        assert_eq!(clock.offset(), 0);
        clock.measure(at(1_000), at(1_400), at(2_200));
        assert_eq!(clock.offset(), 1_000);
        clock.measure(at(2_000), at(9_000), at(3_000));
        assert_eq!(clock.offset(), 1_000, "a slow answer does not replace a quick one");
        clock.measure(at(3_000), at(3_100), at(4_075));
        assert_eq!(clock.offset(), 1_025);
        assert_eq!(clock.venue_time(at(10)), at(1_035));
        clock.doubt();
        assert_eq!(clock.offset(), 1_025, "until it is measured again");
        clock.measure(at(4_000), at(6_000), at(9_000));
        assert_eq!(clock.offset(), 4_000, "a slow answer counts where the quick ones are doubted");
    }

    #[test]
    fn a_clock_that_was_set_is_seen_at_once() {
        let s = |seconds: i64| Ts::from_nanos(seconds * 1_000_000_000);
        let mut clock = ClockOffset::default();
        clock.measure(s(10), s(10), s(10));
        clock.measure(s(20), s(22), s(23));
        assert_eq!(clock.offset(), 0, "two seconds are explained by a slow answer and rounding");
        clock.measure(s(30), s(32), s(35));
        assert_eq!((clock.offset(), clock.round_trip()), (4_000_000_000, Some(2_000_000_000)), "four are not");
        clock.measure(s(40), s(40), s(36));
        assert_eq!(clock.offset(), -4_000_000_000, "set back");
    }
}
