//! Ended orders that were put away: how many, their hash, and where the others are found.
//!
//! A session of weeks does not keep every order in memory. What is put away, and when, follows from the orders alone, so a
//! tape that is heard again and a snapshot come to the same.

use std::collections::BTreeMap;

use bellwether_sdk::OrderId;
use serde::{Deserialize, Serialize};

use super::hash::{Named, chained};
use super::{FillRecord, OrderRecord, Words};

/// How many were put away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutAway {
    /// Orders.
    pub orders: u64,
    /// Fills of these.
    pub fills: u64,
    /// Closed trades.
    pub trades: u64,
}

/// What is left of orders that were put away.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Away {
    pub(super) counts: PutAway,
    /// The hash of all of them, each time with what went before.
    pub(super) chain: [u8; 32],
    /// Orders that stayed the last time.
    pub(super) left: usize,
}

impl Away {
    pub(super) fn take(&mut self, orders: &[OrderRecord], fills: &[FillRecord], words: &Words, named: &Named<'_>) {
        if !orders.is_empty() {
            self.chain = chained(&self.chain, orders, fills, words, named);
        }
        self.counts.orders += orders.len() as u64;
        self.counts.fills += fills.len() as u64;
    }
}

/// Where each order is in the list: by number, which are dense for the newest. Creation order may differ from that of the
/// numbers within one event.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Places {
    /// The newest begin after this number.
    base: u64,
    newest: Vec<u32>,
    /// Older ones that are still there.
    older: BTreeMap<u64, u32>,
}

impl Places {
    pub(super) fn with_room(count: usize) -> Self {
        Self { newest: Vec::with_capacity(count), ..Self::default() }
    }

    /// Of a list of which others were put away.
    pub(super) fn of(records: &[OrderRecord], kept: usize) -> Self {
        let last = records.iter().map(|r| r.id.0).max().unwrap_or(0);
        let mut places = Self { base: last.saturating_sub(2 * kept as u64), ..Self::default() };
        for (record, place) in records.iter().zip(0..) {
            places.put(record.id, place);
        }
        places
    }

    pub(super) fn put(&mut self, id: OrderId, place: usize) {
        // More than four billion orders do not fit any memory.
        let place = place as u32;
        match self.index(id) {
            None => drop(self.older.insert(id.0, place)),
            Some(index) => {
                if self.newest.len() <= index {
                    self.newest.resize(index + 1, u32::MAX);
                }
                self.newest[index] = place;
            }
        }
    }

    pub(super) fn get(&self, id: OrderId) -> Option<usize> {
        let place = match self.index(id) {
            None => self.older.get(&id.0),
            Some(index) => self.newest.get(index),
        };
        place.map(|p| *p as usize)
    }

    fn index(&self, id: OrderId) -> Option<usize> {
        id.0.checked_sub(self.base + 1).and_then(|i| usize::try_from(i).ok())
    }
}

/// What was put away, kept aside all the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Archive {
    orders: Vec<OrderRecord>,
    fills: Vec<FillRecord>,
}

impl Archive {
    pub(super) fn take(&mut self, orders: Vec<OrderRecord>, fills: Vec<FillRecord>) {
        self.orders.extend(orders);
        self.fills.extend(fills);
    }

    /// The whole lists again: orders by number, fills by time.
    pub(super) fn with(
        mut self,
        orders: Vec<OrderRecord>,
        fills: Vec<FillRecord>,
    ) -> (Vec<OrderRecord>, Vec<FillRecord>) {
        self.take(orders, fills);
        self.orders.sort_by_key(|o| o.id);
        self.fills.sort_by_key(|f| f.ts);
        (self.orders, self.fills)
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::{Instrument, InstrumentId, OrderKind, OrderState, Price, Qty, Ts};

    use super::super::fixtures::{self, order};
    use super::super::{Order, OrderError, Orders};
    use super::*;

    fn fill(id: u64, ts: i64) -> FillRecord {
        FillRecord { ts: Ts::from_nanos(ts), ..fixtures::fill(id, 10) }
    }

    /// Orders of which every third fills, every seventh rests, and the others are cancelled.
    fn live(orders: &mut Orders, ids: std::ops::RangeInclusive<u64>, kept: usize, named: &Named<'_>) {
        for id in ids {
            let now = id as i64 * 10;
            orders.create(&order(id), Ts::from_nanos(now));
            orders.send(OrderId(id)).expect("sent");
            if id % 3 == 0 {
                orders.fill(fill(id, now + 1), Qty::from_mantissa(10)).expect("filled");
            } else if id % 7 != 0 {
                orders.end(OrderId(id), OrderState::Cancelled, "requested", Ts::from_nanos(now + 1)).expect("ended");
            }
            if orders.is_full(kept) {
                orders.put_away(kept, named);
            }
        }
    }

    fn instrument() -> Instrument {
        Instrument::inferred(InstrumentId(0), "test:AAA/USD".parse().expect("a symbol"), 2, 1)
    }

    #[test]
    fn what_is_put_away_is_counted_and_hashed_and_what_rests_or_ended_last_stays() {
        let instrument = instrument();
        let named = Named { instruments: vec![&instrument], strategies: vec!["s"] };
        let (mut orders, mut archived) = (Orders::default(), Orders::default());
        archived.keep_archive();
        live(&mut orders, 1..=5_000, 20, &named);
        live(&mut archived, 1..=5_000, 20, &named);
        assert_eq!((orders.made(), orders.filled()), (5_000, 1_666));
        let resting = (1..=5_000u64).filter(|id| id % 7 == 0 && id % 3 != 0);
        assert!(
            resting.clone().all(|id| orders.get(OrderId(id)).is_ok_and(|o| o.life.is_out())),
            "one that rests is gone"
        );
        assert!((4_990..=5_000).all(|id| orders.get(OrderId(id)).is_ok()));
        assert_eq!(orders.get(OrderId(1)).err(), Some(OrderError::Unknown(1)));
        // Its memory is that of what rests and a quarter more than is kept.
        let ended = orders.records().len() - resting.count();
        assert!((20..=20 + 20 / 4 + 200).contains(&ended), "{ended}");
        assert_eq!(orders.hash(&named), archived.hash(&named));
        let (records, fills, _, left_out) = archived.into_parts();
        assert_eq!((records.len(), fills.len(), left_out), (5_000, 1_666, PutAway::default()));
        assert!(records.is_sorted_by_key(|r| r.id) && fills.is_sorted_by_key(|f| f.ts));
    }

    #[test]
    fn an_old_order_that_ended_a_moment_ago_is_not_the_first_to_go() {
        let instrument = instrument();
        let named = Named { instruments: vec![&instrument], strategies: vec!["s"] };
        let mut orders = Orders::default();
        live(&mut orders, 1..=500, 20, &named);
        orders.end(OrderId(7), OrderState::Cancelled, "requested", Ts::from_nanos(5_005)).expect("it rests");
        live(&mut orders, 501..=515, 20, &named);
        assert_eq!(orders.get(OrderId(7)).map(|o| o.state), Ok(OrderState::Cancelled));
        // What comes late for it is a fact like any other.
        assert_eq!(orders.fill_late(fill(7, 5_200), Qty::from_mantissa(10)), Ok(OrderState::Filled));
        live(&mut orders, 516..=900, 20, &named);
        assert_eq!(orders.get(OrderId(7)).err(), Some(OrderError::Unknown(7)));
    }

    #[test]
    fn the_last_end_that_was_put_away_is_told() {
        let instrument = instrument();
        let named = Named { instruments: vec![&instrument], strategies: vec!["s"] };
        let mut orders = Orders::default();
        live(&mut orders, 1..=20, usize::MAX, &named);
        // Two of them rest: 7 and 14.
        assert_eq!(orders.put_away(18, &named), Ts::NONE);
        assert_eq!(orders.put_away(10, &named), Ts::from_nanos(91));
        assert_eq!(orders.get(OrderId(10)).map(|o| o.ts_done), Ok(Ts::from_nanos(101)), "the next one stays");
    }

    #[test]
    fn the_hash_of_what_was_put_away_is_in_the_hash() {
        let instrument = instrument();
        let named = Named { instruments: vec![&instrument], strategies: vec!["s"] };
        let of = |price: i64| {
            let mut orders = Orders::default();
            let first = Order { kind: OrderKind::Limit { price: Price::from_mantissa(price) }, ..order(1) };
            orders.create(&first, Ts::from_nanos(1));
            orders.send(OrderId(1)).expect("sent");
            orders.end(OrderId(1), OrderState::Cancelled, "requested", Ts::from_nanos(2)).expect("ended");
            live(&mut orders, 2..=100, 5, &named);
            assert_eq!(orders.get(OrderId(1)).err(), Some(OrderError::Unknown(1)));
            orders.hash(&named)
        };
        assert_ne!(of(100), of(101));
        assert_eq!(of(100), of(100));
    }
}
