//! How far the venue's clock is from ours.

use std::collections::VecDeque;

use bellwether_sdk::Ts;

/// Measurements kept; the one with the shortest round trip counts.
const KEPT: usize = 8;

/// The offset of the venue's clock, from asking it the time: what it said is taken to be true in the middle of the
/// round trip. Of several measurements that with the shortest round trip is believed, because it leaves least room.
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
        if std::mem::take(&mut self.doubted) {
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
}
