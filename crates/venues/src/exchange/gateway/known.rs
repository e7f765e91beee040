//! Orders at the venue that were dealt with, so that each is dealt with once.

use std::collections::BTreeSet;

use bellwether_sdk::InstrumentId;

/// So many names are remembered: more than an account may have open anywhere. Then all are forgotten, and one that is still
/// there is dealt with again.
const KNOWN_MAX: usize = 4_096;

/// The venue's names of orders.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeSet<(InstrumentId, String)>);

impl Known {
    /// Notes an order; whether it is new.
    pub(super) fn is_new(&mut self, instrument: InstrumentId, venue_id: &str) -> bool {
        if self.has(instrument, venue_id) {
            return false;
        }
        if self.0.len() >= KNOWN_MAX {
            self.0.clear();
        }
        self.0.insert((instrument, venue_id.to_owned()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, instrument: InstrumentId, venue_id: &str) -> bool {
        self.0.contains(&(instrument, venue_id.to_owned()))
    }

    /// If it is seen again it is new.
    pub(super) fn forget(&mut self, instrument: InstrumentId, venue_id: &str) {
        self.0.remove(&(instrument, venue_id.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_new_once_and_not_all_that_ever_were_are_remembered() {
        let (mut known, mut most) = (Known::default(), 0);
        let one = InstrumentId(1);
        assert!(known.is_new(one, "1") && !known.is_new(one, "1") && known.is_new(InstrumentId(2), "1"));
        for name in 2..100_000 {
            let name = name.to_string();
            assert!(known.is_new(one, &name) && known.has(one, &name) && !known.has(InstrumentId(3), &name));
            most = most.max(known.0.len());
        }
        assert_eq!(most, KNOWN_MAX);
        assert!(known.is_new(one, "1"), "one of long ago is dealt with again");
        known.forget(one, "1");
        assert!(known.is_new(one, "1"));
    }
}
