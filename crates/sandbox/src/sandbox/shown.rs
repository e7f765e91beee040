//! The book that clients see, numbered as the venue numbers it.
//!
//! Where the catalog has depth, it is that depth. Where it has quotes, the best level is the quote and twenty levels a
//! side are made up behind it; where it has trades only, the best level is made up too, a tick around the last trade.
//! Made-up levels stand on a fixed grid with quantities that depend on the price alone, so that they stay where they
//! are while the price moves. Every change has a number: a snapshot taken at `lastUpdateId` n and the diffs with
//! `U ≤ n + 1 ≤ u` and after make the same book.

use std::collections::BTreeMap;

use bellwether_sdk::num::pow10;
use bellwether_sdk::{Aggressor, Depth, Instrument, InstrumentId, Level, Price, Qty, Quote, Side, Trade, Ts};

use super::fault::mixed;
use crate::market::book::Book;

/// Made-up levels a side.
const LEVELS: i64 = 20;

/// Changes since a stream's last message.
#[derive(Debug, Default, Clone)]
pub(super) struct Changes {
    /// The number of the first change.
    pub(super) first: i64,
    pub(super) levels: BTreeMap<(bool, Price), Qty>,
}

/// The shown book.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) book: Book,
    /// The number of the last change.
    pub(super) last_id: i64,
    /// Since the last message at 100 ms, and since the last at 1 s.
    fast: Changes,
    slow: Changes,
    begun: bool,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            book: Book::default(),
            last_id: 1_000_000,
            fast: Changes::default(),
            slow: Changes::default(),
            begun: false,
        }
    }
}

impl Shown {
    /// Stored depth; gives what changed.
    pub(super) fn depth(&mut self, snapshot: bool, levels: &[Level], instrument: InstrumentId) -> Vec<Level> {
        if snapshot {
            return self.turn_into(levels, instrument);
        }
        if !self.begun {
            return Vec::new();
        }
        self.change(levels.to_vec(), instrument)
    }

    /// A quote, with made-up levels behind it; gives what changed.
    pub(super) fn quote(&mut self, quote: &Quote, rules: &Instrument) -> Vec<Level> {
        let target = ladder(quote, rules);
        self.turn_into(&target, rules.id)
    }

    /// A trade, where there is nothing else to make a book of; gives what changed. It takes from a level, and where the book
    /// stays as it is as much came back: that level is told again, so that a book is not silent while its market trades.
    pub(super) fn trade(&mut self, trade: &Trade, rules: &Instrument) -> Vec<Level> {
        let tick = rules.tick.mantissa();
        let p = trade.price.mantissa();
        let (bid, ask) = if trade.aggressor == Aggressor::Seller { (p, p + tick) } else { (p - tick, p) };
        let (bid, ask) = (Price::from_mantissa(bid.max(0)), Price::from_mantissa(ask));
        let quote = Quote { bid, ask, bid_qty: made_up(bid, rules), ask_qty: made_up(ask, rules), ..Quote::default() };
        let changes = self.quote(&quote, rules);
        if !changes.is_empty() {
            return changes;
        }
        let (side, price) = if trade.aggressor == Aggressor::Seller { (Side::Buy, bid) } else { (Side::Sell, ask) };
        self.change(vec![Level { side, price, qty: self.book.qty_at(side, price) }], rules.id)
    }

    /// Changes the book into the target, level by level.
    fn turn_into(&mut self, target: &[Level], instrument: InstrumentId) -> Vec<Level> {
        let mut changes = Vec::new();
        for side in [Side::Buy, Side::Sell] {
            let wanted = |price: Price| target.iter().any(|l| l.side == side && l.price == price && !l.qty.is_zero());
            let gone = self.book.levels(side).map(|(price, _)| price).filter(|p| !wanted(*p));
            changes.extend(gone.map(|price| Level { side, price, qty: Qty::ZERO }));
        }
        let differs = |l: &&Level| self.book.qty_at(l.side, l.price) != l.qty;
        changes.extend(target.iter().filter(differs).copied());
        self.change(changes, instrument)
    }

    fn change(&mut self, levels: Vec<Level>, instrument: InstrumentId) -> Vec<Level> {
        if levels.is_empty() {
            return levels;
        }
        self.last_id += 1;
        self.book.apply(&message(&levels, !self.begun, instrument, Ts::NONE));
        self.begun = true;
        for changes in [&mut self.fast, &mut self.slow] {
            if changes.levels.is_empty() {
                changes.first = self.last_id;
            }
            changes.levels.extend(levels.iter().map(|l| ((l.side == Side::Buy, l.price), l.qty)));
        }
        levels
    }

    /// What the depth stream of 100 ms (`fast`) or of a second has to tell.
    pub(super) fn take_changes(&mut self, fast: bool) -> Option<Changes> {
        let changes = if fast { &mut self.fast } else { &mut self.slow };
        let taken = std::mem::take(changes);
        (!taken.levels.is_empty()).then_some(taken)
    }

    /// The whole book as a list of levels.
    pub(super) fn all(&self) -> Vec<Level> {
        let side = |side: Side| self.book.levels(side).map(move |(price, qty)| Level { side, price, qty });
        side(Side::Buy).chain(side(Side::Sell)).collect()
    }

    /// The best bid and offer.
    pub(super) fn top(&self, ts: Ts, instrument: InstrumentId) -> Quote {
        let (bid, bid_qty) = self.book.best_bid().unwrap_or_default();
        let (ask, ask_qty) = self.book.best_ask().unwrap_or_default();
        Quote { ts, ts_venue: Ts::NONE, bid, bid_qty, ask, ask_qty, instrument }
    }
}

/// A depth message without numbers: it is taken as it comes.
pub(super) fn message(levels: &[Level], snapshot: bool, instrument: InstrumentId, ts: Ts) -> Depth<'_> {
    Depth { ts, ts_venue: Ts::NONE, snapshot, first_id: 0, last_id: 0, prev_id: 0, levels, instrument }
}

/// The quote as the best level and made-up levels behind it.
fn ladder(quote: &Quote, rules: &Instrument) -> Vec<Level> {
    let mut levels = Vec::with_capacity(2 * LEVELS as usize);
    let step = step_of(quote.bid.max(quote.ask), rules);
    for side in [Side::Buy, Side::Sell] {
        let (best, qty) = match side {
            Side::Buy => (quote.bid, quote.bid_qty),
            Side::Sell => (quote.ask, quote.ask_qty),
        };
        if best <= Price::ZERO {
            continue;
        }
        let qty = if qty.is_zero() { made_up(best, rules) } else { qty };
        levels.push(Level { side, price: best, qty });
        // The first grid price strictly behind the best.
        let behind = match side {
            Side::Buy => (best.mantissa() - 1).div_euclid(step) * step,
            Side::Sell => (best.mantissa() + step).div_euclid(step) * step,
        };
        for k in 0..LEVELS - 1 {
            let price = Price::from_mantissa(behind - side.sign() * k * step);
            if price > Price::ZERO {
                levels.push(Level { side, price, qty: made_up(price, rules) });
            }
        }
    }
    levels
}

/// The grid of made-up levels: about a fifty-thousandth of the price, a power of ten of ticks.
fn step_of(price: Price, rules: &Instrument) -> i64 {
    let mut step = rules.tick.mantissa().max(1);
    while step.saturating_mul(10) <= price.mantissa() / 50_000 {
        step *= 10;
    }
    step
}

/// A quantity worth one to forty thousand of the quote currency, by the price alone.
fn made_up(price: Price, rules: &Instrument) -> Qty {
    let thousands = 1 + i128::from(mixed(price.mantissa().unsigned_abs()) % 40);
    let unit = i128::from(pow10(rules.price_scale)) * i128::from(pow10(rules.qty_scale));
    let qty = thousands * 1_000 * unit / i128::from(price.mantissa().max(1));
    let lot = i128::from(rules.lot.mantissa().max(1));
    Qty::from_mantissa(i64::try_from((qty / lot * lot).max(lot)).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Instrument {
        Instrument::inferred(InstrumentId(0), "binance:BTC/USDT".parse().expect("a symbol"), 2, 5)
    }

    fn quote(bid: i64, ask: i64) -> Quote {
        let (bid, ask) = (Price::from_mantissa(bid), Price::from_mantissa(ask));
        Quote { bid, ask, bid_qty: Qty::from_mantissa(7), ask_qty: Qty::from_mantissa(9), ..Quote::default() }
    }

    #[test]
    fn snapshot_and_diffs_make_the_shown_book_and_it_is_never_crossed() {
        let rules = rules();
        let mut shown = Shown::default();
        shown.quote(&quote(8_700_000, 8_700_001), &rules);
        shown.take_changes(true);
        let (mut copy, taken_at) = (shown.all(), shown.last_id);
        for step in 1..200i64 {
            let p = 8_700_000 + (step * 7_919) % 3_000 - 1_500;
            shown.quote(&quote(p, p + 1 + step % 9), &rules);
            let (bid, ask) = (shown.book.best_bid().expect("a bid").0, shown.book.best_ask().expect("an offer").0);
            assert!(bid < ask && bid.mantissa() == p, "{bid:?} {ask:?}");
        }
        let changes = shown.take_changes(true).expect("changes");
        assert_eq!(changes.first, taken_at + 1);
        for ((buy, price), qty) in changes.levels {
            let side = if buy { Side::Buy } else { Side::Sell };
            copy.retain(|l| l.side != side || l.price != price);
            if !qty.is_zero() {
                copy.push(Level { side, price, qty });
            }
        }
        let sorted = |mut v: Vec<Level>| {
            v.sort_by_key(|l| (l.side == Side::Buy, l.price));
            v
        };
        assert_eq!(sorted(copy), sorted(shown.all()));
        assert_eq!(shown.all().len(), 40);
    }

    #[test]
    fn stored_depth_is_shown_as_it_is_and_a_later_snapshot_comes_as_changes() {
        let mut shown = Shown::default();
        let level = |side, price: i64, qty: i64| Level {
            side,
            price: Price::from_mantissa(price),
            qty: Qty::from_mantissa(qty),
        };
        let id = InstrumentId(0);
        assert!(shown.depth(false, &[level(Side::Buy, 99, 1)], id).is_empty(), "changes need a snapshot before them");
        shown.depth(true, &[level(Side::Buy, 100, 5), level(Side::Sell, 101, 2)], id);
        let first = shown.last_id;
        shown.depth(false, &[level(Side::Buy, 100, 4), level(Side::Sell, 102, 3)], id);
        shown.take_changes(true);
        // The stored data begins anew.
        let changes = shown.depth(true, &[level(Side::Buy, 100, 4), level(Side::Sell, 103, 2)], id);
        assert_eq!(shown.last_id, first + 2);
        let gone = [level(Side::Sell, 101, 0), level(Side::Sell, 102, 0), level(Side::Sell, 103, 2)];
        assert_eq!(changes, gone);
        assert_eq!(shown.take_changes(true).map(|c| (c.first, c.levels.len())), Some((first + 2, 3)));
        assert_eq!(shown.book.best_ask(), Some((Price::from_mantissa(103), Qty::from_mantissa(2))));
    }

    #[test]
    fn a_trade_alone_makes_a_book_around_it() {
        let (rules, mut shown) = (rules(), Shown::default());
        let trade = Trade {
            ts: Ts::NONE,
            ts_venue: Ts::NONE,
            price: Price::from_mantissa(8_700_000),
            qty: Qty::from_mantissa(1),
            instrument: InstrumentId(0),
            aggressor: Aggressor::Seller,
        };
        shown.trade(&trade, &rules);
        assert_eq!(shown.top(Ts::NONE, rules.id).bid, trade.price);
        assert_eq!(shown.top(Ts::NONE, rules.id).ask.mantissa(), 8_700_001);
        // Another one at the same price changes nothing, and is seen.
        let (before, _) = (shown.all(), shown.take_changes(true));
        assert_eq!(shown.trade(&trade, &rules).len(), 1);
        assert_eq!(shown.all(), before);
        let changes = shown.take_changes(true).expect("told");
        assert_eq!(changes.levels.len(), 1);
    }
}
