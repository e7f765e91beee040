//! Bars of all the venue's intervals, kept from trades. An interval without a trade is a flat bar, as at the venue.

use std::collections::VecDeque;

use bellwether_sdk::{Interval, Price, Ts};

use super::digits;

/// Bars kept of each interval.
const KEPT: usize = 1_500;
const SECOND: i64 = 1_000_000_000;

/// The venue's intervals: name and seconds; a month has none.
const INTERVALS: [(&str, i64); 16] = [
    ("1s", 1),
    ("1m", 60),
    ("3m", 180),
    ("5m", 300),
    ("15m", 900),
    ("30m", 1_800),
    ("1h", 3_600),
    ("2h", 7_200),
    ("4h", 14_400),
    ("6h", 21_600),
    ("8h", 28_800),
    ("12h", 43_200),
    ("1d", 86_400),
    ("3d", 259_200),
    ("1w", 604_800),
    ("1M", 0),
];

/// One bar; volumes are mantissas at the quantity's scale and at the sum of both scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kline {
    pub(super) open_ts: Ts,
    /// The end, exclusive.
    pub(super) end: Ts,
    pub(super) open: Price,
    pub(super) high: Price,
    pub(super) low: Price,
    pub(super) close: Price,
    pub(super) volume: i128,
    pub(super) quote_volume: i128,
    pub(super) count: u64,
    pub(super) buy_volume: i128,
    pub(super) buy_quote_volume: i128,
    /// Ids of the first and last trade; -1 for none.
    pub(super) first_id: i64,
    pub(super) last_id: i64,
}

/// A trade as bars see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Print {
    pub(super) id: i64,
    pub(super) ts: Ts,
    pub(super) price: Price,
    pub(super) qty: i64,
    /// The buyer rested: the seller took.
    pub(super) buyer_is_maker: bool,
}

impl Kline {
    fn flat(open_ts: Ts, end: Ts, price: Price) -> Self {
        Self {
            open_ts,
            end,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 0,
            quote_volume: 0,
            count: 0,
            buy_volume: 0,
            buy_quote_volume: 0,
            first_id: -1,
            last_id: -1,
        }
    }

    fn add(&mut self, print: &Print) {
        if self.count == 0 {
            (self.open, self.high, self.low) = (print.price, print.price, print.price);
            self.first_id = print.id;
        }
        self.high = self.high.max(print.price);
        self.low = self.low.min(print.price);
        self.close = print.price;
        self.last_id = print.id;
        self.count += 1;
        let qty = i128::from(print.qty);
        let value = qty * i128::from(print.price.mantissa());
        self.volume += qty;
        self.quote_volume += value;
        if !print.buyer_is_maker {
            self.buy_volume += qty;
            self.buy_quote_volume += value;
        }
    }

    /// The row of `klines`.
    pub(super) fn row(&self, price_scale: u8, qty_scale: u8) -> String {
        let price = |p| digits::price(p, price_scale);
        let (base, quote) = (qty_scale, price_scale + qty_scale);
        format!(
            r#"[{},"{}","{}","{}","{}","{}",{},"{}",{},"{}","{}","0"]"#,
            millis(self.open_ts),
            price(self.open),
            price(self.high),
            price(self.low),
            price(self.close),
            digits::eight(self.volume, base),
            millis(self.end) - 1,
            digits::eight(self.quote_volume, quote),
            self.count,
            digits::eight(self.buy_volume, base),
            digits::eight(self.buy_quote_volume, quote),
        )
    }
}

/// Milliseconds since 1970.
pub(super) fn millis(ts: Ts) -> i64 {
    ts.nanos().div_euclid(1_000_000)
}

/// The bars of one interval.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) name: &'static str,
    seconds: i64,
    pub(super) bars: VecDeque<Kline>,
    /// Something was added since this was cleared.
    pub(super) changed: bool,
}

impl Series {
    fn bounds(&self, ts: Ts) -> (Ts, Ts) {
        if let Some(interval) = Interval::from_nanos(self.seconds * SECOND) {
            let open = ts.floor_to(interval);
            return (open, open.plus(interval.nanos()));
        }
        month(ts)
    }

    /// Lets time pass: bars that have ended are followed by flat ones. Gives how many have ended.
    pub(super) fn roll(&mut self, now: Ts) -> usize {
        let mut ended = 0;
        while let Some(last) = self.bars.back().filter(|b| b.end <= now) {
            let price = last.close;
            let (open, end) = self.bounds(last.end);
            self.push(Kline::flat(open, end, price));
            ended += 1;
            if ended > KEPT {
                // So long a silence leaves nothing of what was before.
                let (open, end) = self.bounds(now);
                self.push(Kline::flat(open, end, price));
            }
        }
        ended
    }

    fn push(&mut self, bar: Kline) {
        if self.bars.len() >= KEPT {
            self.bars.pop_front();
        }
        self.bars.push_back(bar);
    }

    fn add(&mut self, print: &Print) -> usize {
        let ended = self.roll(print.ts);
        if self.bars.is_empty() {
            let (open, end) = self.bounds(print.ts);
            self.push(Kline::flat(open, end, print.price));
        }
        if let Some(bar) = self.bars.back_mut() {
            bar.add(print);
        }
        self.changed = true;
        ended
    }
}

/// The month that holds a time.
fn month(ts: Ts) -> (Ts, Ts) {
    use jiff::tz::Offset;
    let instant = jiff::Timestamp::from_nanosecond(i128::from(ts.nanos())).unwrap_or_default();
    let date = Offset::UTC.to_datetime(instant).date();
    let start = |date: jiff::civil::Date| {
        let nanos = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).map(jiff::Timestamp::as_nanosecond);
        Ts::from_nanos(nanos.ok().and_then(|n| i64::try_from(n).ok()).unwrap_or(i64::MAX))
    };
    let first = date.first_of_month();
    (start(first), start(date.last_of_month().tomorrow().unwrap_or(first)))
}

/// The bars of one instrument.
#[derive(Debug)]
pub(super) struct Klines {
    pub(super) all: Vec<Series>,
}

impl Default for Klines {
    fn default() -> Self {
        let series = |&(name, seconds)| Series { name, seconds, bars: VecDeque::new(), changed: false };
        Self { all: INTERVALS.iter().map(series).collect() }
    }
}

impl Klines {
    /// The bars of an interval by its name.
    pub(super) fn of(&self, name: &str) -> Option<&Series> {
        self.all.iter().find(|s| s.name == name)
    }

    /// Adds a trade; gives the bars it ended: interval and how many.
    pub(super) fn add(&mut self, print: &Print) -> Vec<(usize, usize)> {
        let added = self.all.iter_mut().enumerate().map(|(i, s)| (i, s.add(print)));
        added.filter(|(_, ended)| *ended > 0).collect()
    }

    /// Lets time pass; gives the bars that ended: interval and how many.
    pub(super) fn roll(&mut self, now: Ts) -> Vec<(usize, usize)> {
        let rolled = self.all.iter_mut().enumerate().map(|(i, s)| (i, s.roll(now)));
        rolled.filter(|(_, ended)| *ended > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(id: i64, ms: i64, price: i64, qty: i64, buyer_is_maker: bool) -> Print {
        Print { id, ts: Ts::from_millis(ms), price: Price::from_mantissa(price), qty, buyer_is_maker }
    }

    #[test]
    fn bars_sum_their_trades_and_silence_is_flat() {
        let mut klines = Klines::default();
        klines.add(&print(1, 60_000, 100, 5, false));
        klines.add(&print(2, 61_000, 120, 2, true));
        klines.add(&print(3, 240_500, 90, 1, false));
        let minutes = &klines.of("1m").expect("minutes").bars;
        assert_eq!(minutes.len(), 4);
        let first = minutes[0];
        assert_eq!(
            (first.open.mantissa(), first.high.mantissa(), first.low.mantissa(), first.close.mantissa()),
            (100, 120, 100, 120)
        );
        assert_eq!((first.volume, first.quote_volume, first.count, first.buy_volume), (7, 740, 2, 5));
        assert_eq!((minutes[1].count, minutes[1].open.mantissa(), minutes[1].first_id), (0, 120, -1));
        assert_eq!(minutes[3].open.mantissa(), 90);
        assert_eq!(
            first.row(2, 0),
            r#"[60000,"1.00000000","1.20000000","1.00000000","1.20000000","7.00000000",119999,"7.40000000",2,"5.00000000","5.00000000","0"]"#
        );
    }

    #[test]
    fn months_begin_on_the_first() {
        let (from, to) = month(Ts::from_millis(1_709_210_096_000)); // 2024-02-29
        assert_eq!((millis(from), millis(to)), (1_706_745_600_000, 1_709_251_200_000));
    }
}
