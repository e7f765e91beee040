//! An L2 book kept from snapshots and changes, with the feed's own sequence rule.

use std::collections::VecDeque;

use bellwether_sdk::{Depth, Level, Price, Qty, Side};
use serde::{Deserialize, Serialize};

/// Messages kept while a snapshot is awaited; beyond, the oldest go.
const WAITING_MAX: usize = 10_000;

/// Whether a book can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Sync {
    /// No snapshot yet, or a gap since: changes wait for the next snapshot.
    Lost,
    /// A snapshot is in; the next change must contain the one after `last`.
    Snapshot { last: i64 },
    /// In step; the next change must follow `last`.
    Live { last: i64 },
}

/// Whether a numbered message follows one whose last change is `last`: it names that as its predecessor, or, where it
/// names none (zero), contains the change after it. Levels are absolute, so changes that come again do no harm.
///
/// Binance's rule: futures go by the predecessor (`pu`), spot by the first change (`U` at most `last + 1`). A message
/// with nothing new does not follow: numbers that begin anew must not freeze a book unnoticed.
pub const fn follows(last: i64, first_id: i64, last_id: i64, prev_id: i64) -> bool {
    if prev_id != 0 { prev_id == last } else { first_id <= last + 1 && last_id > last }
}

/// What a depth message did to a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It changed the book, which is valid.
    Changed,
    /// It was older than the snapshot, or waits for one to build on: nothing changed.
    PassedOver,
    /// Messages are missing before it: the book is empty and invalid until the next snapshot.
    Gap,
}

/// The price levels of one instrument.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Book {
    /// Rising: the best bid is last.
    bids: Vec<(Price, Qty)>,
    /// Falling: the best offer is last.
    asks: Vec<(Price, Qty)>,
    sync: Sync,
    /// Numbered changes that came before their snapshot: a snapshot is asked for after the feed began, and comes late.
    waiting: VecDeque<Waiting>,
}

/// A change that waits for its snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Waiting {
    first_id: i64,
    last_id: i64,
    prev_id: i64,
    levels: Vec<Level>,
}

impl Default for Book {
    fn default() -> Self {
        Self { bids: Vec::new(), asks: Vec::new(), sync: Sync::Lost, waiting: VecDeque::new() }
    }
}

impl Book {
    /// Whether a snapshot is in and no message was missed since.
    #[inline]
    pub fn is_valid(&self) -> bool {
        self.sync != Sync::Lost
    }

    /// The venue's id of the last change in the book; zero when it has none.
    pub fn last_id(&self) -> i64 {
        match self.sync {
            Sync::Lost => 0,
            Sync::Snapshot { last } | Sync::Live { last } => last,
        }
    }

    /// The best bid.
    pub fn best_bid(&self) -> Option<(Price, Qty)> {
        self.bids.last().copied()
    }

    /// The best offer.
    pub fn best_ask(&self) -> Option<(Price, Qty)> {
        self.asks.last().copied()
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (Price, Qty)> + '_ {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
        .iter()
        .rev()
        .copied()
    }

    /// The quantity at a price; zero when there is none.
    pub fn qty_at(&self, side: Side, price: Price) -> Qty {
        let (levels, found) = self.find(side, price);
        found.map_or(Qty::ZERO, |i| levels[i].1)
    }

    /// Takes a quantity from a level; the feed's next change of that level overrules it.
    pub fn take(&mut self, side: Side, price: Price, qty: Qty) {
        let left = self.qty_at(side, price).mantissa() - qty.mantissa();
        self.set(&Level { side, price, qty: Qty::from_mantissa(left.max(0)) });
    }

    /// Keeps the best levels of each side, at most so many, and adds what was removed as deletions.
    pub fn keep(&mut self, levels_max: usize, removed: &mut Vec<Level>) {
        for (side, levels) in [(Side::Buy, &mut self.bids), (Side::Sell, &mut self.asks)] {
            let excess = levels.len().saturating_sub(levels_max);
            // The worst stand first.
            removed.extend(levels.drain(..excess).map(|(price, _)| Level { side, price, qty: Qty::ZERO }));
        }
    }

    /// Takes a message.
    ///
    /// The sequence rule is that of venues which number changes (Binance): after a snapshot that contains change `n`,
    /// messages up to `n` are passed over and the first one after must contain `n + 1` or name `n` as its predecessor;
    /// from then on each must follow the one before, as [`follows`] says. Changes that come before their snapshot wait for it. Messages
    /// without numbers are taken as they come.
    pub fn apply(&mut self, depth: &Depth<'_>) -> Applied {
        if depth.snapshot {
            self.clear();
            for level in depth.levels {
                self.set(level);
            }
            self.sync = Sync::Snapshot { last: depth.last_id };
            let waiting = std::mem::take(&mut self.waiting);
            for change in waiting {
                let applied = self.change(change.first_id, change.last_id, change.prev_id, &change.levels);
                if applied == Applied::Gap || !self.is_valid() {
                    self.wait(change.first_id, change.last_id, change.prev_id, change.levels);
                }
            }
            return if self.is_valid() { Applied::Changed } else { Applied::Gap };
        }
        let applied = self.change(depth.first_id, depth.last_id, depth.prev_id, depth.levels);
        if !self.is_valid() && depth.last_id != 0 {
            self.wait(depth.first_id, depth.last_id, depth.prev_id, depth.levels.to_vec());
        }
        applied
    }

    fn wait(&mut self, first_id: i64, last_id: i64, prev_id: i64, levels: Vec<Level>) {
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Waiting { first_id, last_id, prev_id, levels });
    }

    fn change(&mut self, first_id: i64, last_id: i64, prev_id: i64, levels: &[Level]) -> Applied {
        let numbered = last_id != 0;
        let follows = match self.sync {
            Sync::Lost => return Applied::PassedOver,
            Sync::Snapshot { last } if numbered && last != 0 => {
                if last_id <= last {
                    return Applied::PassedOver;
                }
                first_id <= last + 1 || prev_id == last
            }
            Sync::Live { last } if numbered && last != 0 => follows(last, first_id, last_id, prev_id),
            Sync::Snapshot { .. } | Sync::Live { .. } => true,
        };
        if !follows {
            self.clear();
            self.sync = Sync::Lost;
            return Applied::Gap;
        }
        for level in levels {
            self.set(level);
        }
        self.sync = Sync::Live { last: last_id };
        Applied::Changed
    }

    fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    fn find(&self, side: Side, price: Price) -> (&Vec<(Price, Qty)>, Result<usize, usize>) {
        match side {
            Side::Buy => (&self.bids, self.bids.binary_search_by(|l| l.0.cmp(&price))),
            Side::Sell => (&self.asks, self.asks.binary_search_by(|l| price.cmp(&l.0))),
        }
    }

    fn set(&mut self, level: &Level) {
        let (_, found) = self.find(level.side, level.price);
        let levels = match level.side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        match (found, level.qty.is_zero()) {
            (Ok(i), true) => drop(levels.remove(i)),
            (Ok(i), false) => levels[i].1 = level.qty,
            (Err(_), true) => {}
            (Err(i), false) => levels.insert(i, (level.price, level.qty)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_sdk::{InstrumentId, Ts};

    fn level(side: Side, price: i64, qty: i64) -> Level {
        Level { side, price: Price::from_mantissa(price), qty: Qty::from_mantissa(qty) }
    }

    fn message(snapshot: bool, ids: (i64, i64, i64), levels: &[Level]) -> Depth<'_> {
        Depth {
            ts: Ts::from_nanos(0),
            ts_venue: Ts::NONE,
            snapshot,
            first_id: ids.0,
            last_id: ids.1,
            prev_id: ids.2,
            levels,
            instrument: InstrumentId(0),
        }
    }

    #[test]
    fn changes_before_the_snapshot_are_passed_over_and_a_gap_invalidates() {
        let mut book = Book::default();
        let bid = [level(Side::Buy, 100, 5)];
        assert_eq!(book.apply(&message(false, (1, 3, 0), &bid)), Applied::PassedOver);
        assert_eq!(
            book.apply(&message(true, (0, 10, 0), &[level(Side::Buy, 99, 1), level(Side::Sell, 101, 2)])),
            Applied::Changed
        );
        assert_eq!(book.apply(&message(false, (8, 10, 7), &bid)), Applied::PassedOver);
        assert_eq!(book.apply(&message(false, (9, 12, 8), &bid)), Applied::Changed);
        assert_eq!(book.best_bid(), Some((Price::from_mantissa(100), Qty::from_mantissa(5))));
        assert_eq!(book.apply(&message(false, (13, 15, 12), &[level(Side::Buy, 100, 0)])), Applied::Changed);
        assert_eq!(book.best_bid(), Some((Price::from_mantissa(99), Qty::from_mantissa(1))));
        assert_eq!(book.apply(&message(false, (20, 22, 19), &bid)), Applied::Gap);
        assert!(!book.is_valid());
        assert_eq!(book.best_ask(), None);
    }

    #[test]
    fn changes_that_came_before_a_late_snapshot_are_made_up_for() {
        let mut book = Book::default();
        let at = |price: i64| [level(Side::Buy, price, 1)];
        for (ids, price) in [((1, 3, 0), 90), ((4, 8, 3), 91), ((9, 12, 8), 92)] {
            assert_eq!(book.apply(&message(false, ids, &at(price))), Applied::PassedOver);
        }
        // The snapshot holds everything up to change 5: the second message straddles it, the third follows.
        assert_eq!(book.apply(&message(true, (0, 5, 0), &at(50))), Applied::Changed);
        let bids: Vec<_> = book.levels(Side::Buy).map(|l| l.0.mantissa()).collect();
        assert_eq!(bids, [92, 91, 50]);
        assert_eq!(book.apply(&message(false, (13, 14, 12), &at(93))), Applied::Changed);
    }

    #[test]
    fn a_message_that_brings_changes_again_follows_and_one_that_leaves_some_out_does_not() {
        let at = |price: i64| [level(Side::Buy, price, 1)];
        let mut book = Book::default();
        book.apply(&message(true, (0, 10, 0), &at(50)));
        for (ids, applied) in [
            ((11, 15, 0), Applied::Changed),
            // Spot: some of it is in the book already.
            ((14, 20, 0), Applied::Changed),
            ((21, 22, 20), Applied::Changed),
            // Futures: the predecessor alone decides.
            ((22, 25, 21), Applied::Gap),
        ] {
            assert_eq!(book.apply(&message(false, ids, &at(60))), applied, "{ids:?}");
        }
        assert!(!follows(20, 22, 23, 0) && !follows(20, 18, 20, 0));
    }

    #[test]
    fn keeping_the_best_levels_says_what_was_removed() {
        let mut book = Book::default();
        let levels = [level(Side::Buy, 98, 1), level(Side::Buy, 99, 2), level(Side::Sell, 101, 3)];
        book.apply(&message(true, (0, 0, 0), &levels));
        let mut removed = Vec::new();
        book.keep(1, &mut removed);
        assert_eq!(removed, [level(Side::Buy, 98, 0)]);
        assert_eq!(book.best_bid(), Some((Price::from_mantissa(99), Qty::from_mantissa(2))));
    }

    #[test]
    fn levels_come_best_first() {
        let mut book = Book::default();
        let levels = [3, 1, 2].map(|p| level(Side::Sell, p, p)).to_vec();
        book.apply(&message(true, (0, 0, 0), &levels));
        let prices: Vec<_> = book.levels(Side::Sell).map(|l| l.0.mantissa()).collect();
        assert_eq!(prices, [1, 2, 3]);
        assert_eq!(book.qty_at(Side::Sell, Price::from_mantissa(2)), Qty::from_mantissa(2));
    }
}
