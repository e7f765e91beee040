//! What a run remembers of its way: equity, drawdown, days, candles. Bounded: when a curve has too many points it is
//! halved.

use bellwether_sdk::{InstrumentId, Interval, Money, Price, Qty, Tag, Ts};
use serde::{Deserialize, Serialize};

use super::core::Calm;
use super::outcome::{Candle, Chart, ChartSeries, DayPoint, Drawdown, EquityPoint};

/// Points a curve is halved at.
const POINTS_MAX: usize = 2048;

/// What a strategy told at each candle: its index and the name of the value, the values.
type Told = ((usize, Tag), Vec<f64>);

/// What becomes of the start equity when it is put into the first instrument and held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Hold {
    /// It goes with the price.
    Price,
    /// An inverse contract, counted in its coin: at twice the price half the start is won, at half of it all is lost.
    Inverse,
    /// The instrument is what equity is counted in, or its price is of another currency than equity.
    Same,
}

impl Hold {
    fn value(self, start: Money, first: Price, last: Price) -> Option<Money> {
        let (first, last) = (i128::from(first.mantissa()), i128::from(last.mantissa()));
        let (num, den) = match self {
            Self::Price => (last, first),
            Self::Inverse => (2 * last - first, last),
            Self::Same => (1, 1),
        };
        let value = start.mantissa().checked_mul(num).filter(|_| first > 0 && last > 0)?;
        Some(Money::from_mantissa(value / den))
    }
}

/// Watches equity and prices.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Recorder {
    /// Length of a candle and of a step of the equity curve; doubles as the run gets long.
    width: Interval,
    /// When the present candle, or the present day, ends: the only comparison most events cost.
    next: Ts,
    candle_end: Ts,
    day_end: Ts,
    start: Money,
    hold: Hold,
    first_price: Price,
    last_price: Price,
    equity: Money,
    equity_min: Money,
    pub(super) daily: Vec<DayPoint>,
    pub(super) points: Vec<EquityPoint>,
    pub(super) drawdown: Drawdown,
    peak: Money,
    peak_ts: Ts,
    trough: Money,
    trough_ts: Ts,
    pub(super) exposed_ns: i64,
    exposed_since: Ts,
    candles: Vec<Vec<Candle>>,
    current: Vec<Option<Candle>>,
    /// Per instrument.
    series: Vec<Vec<Told>>,
    pub(super) first: Ts,
    last: Ts,
}

impl Recorder {
    pub(super) fn new(instruments: usize, width: Interval, start: Money, hold: Hold) -> Self {
        Self {
            width,
            next: Ts::NONE,
            candle_end: Ts::NONE,
            day_end: Ts::NONE,
            start,
            hold,
            first_price: Price::ZERO,
            last_price: Price::ZERO,
            equity: start,
            equity_min: start,
            daily: Vec::new(),
            points: Vec::new(),
            drawdown: Drawdown::default(),
            peak: start,
            peak_ts: Ts::NONE,
            trough: start,
            trough_ts: Ts::NONE,
            exposed_ns: 0,
            exposed_since: Ts::NONE,
            candles: vec![Vec::new(); instruments],
            current: vec![None; instruments],
            series: vec![Vec::new(); instruments],
            first: Ts::NONE,
            last: Ts::NONE,
        }
    }

    /// Whether a candle or a day may be over at `now`: then call [`Recorder::pass_time`].
    #[inline]
    pub(super) fn is_due(&self, now: Ts) -> bool {
        now >= self.next
    }

    /// When the next candle or day ends.
    #[inline]
    pub(super) fn next_due(&self) -> Ts {
        self.next
    }

    /// Ends a day when its time has come; says whether candles end as well, so that strategies may be asked for their
    /// values: then call [`Recorder::observed`] and [`Recorder::end_candles`].
    pub(super) fn pass_time(&mut self, now: Ts) -> bool {
        if self.first == Ts::NONE {
            self.first = now;
            self.peak_ts = now;
            self.day_end = now.floor_to(Interval::DAY).plus(Interval::DAY.nanos());
            self.candle_end = now.floor_to(self.width).plus(self.width.nanos());
        }
        self.pass_day(now);
        let ended = now >= self.candle_end;
        self.next = self.candle_end.min(self.day_end);
        ended
    }

    /// Ends a day when its time has come, once there has been an event.
    #[inline]
    pub(super) fn pass_day(&mut self, now: Ts) {
        if now >= self.day_end && self.first != Ts::NONE {
            self.end_day();
            self.day_end = now.floor_to(Interval::DAY).plus(Interval::DAY.nanos());
        }
    }

    fn end_day(&mut self) {
        let day = self.day_end.plus(-Interval::DAY.nanos());
        self.daily.push(DayPoint { day, equity: self.equity });
    }

    /// A price of an instrument, from a trade or a tick.
    #[inline]
    pub(super) fn price(&mut self, instrument: InstrumentId, ts: Ts, price: Price, qty: Qty) {
        if instrument.0 == 0 {
            self.last_price = price;
        }
        if let Some(candle) = &mut self.current[instrument.index()] {
            candle.high = candle.high.max(price);
            candle.low = candle.low.min(price);
            candle.close = price;
            candle.volume = Qty::from_mantissa(candle.volume.mantissa().saturating_add(qty.mantissa()));
        } else {
            self.candle(instrument, ts, [price; 4], qty);
        }
    }

    /// Prices of an instrument: open, high, low, close.
    #[inline]
    pub(super) fn candle(&mut self, instrument: InstrumentId, ts: Ts, [open, high, low, close]: [Price; 4], qty: Qty) {
        if instrument.0 == 0 {
            if self.first_price.is_zero() {
                self.first_price = open;
            }
            self.last_price = close;
        }
        match &mut self.current[instrument.index()] {
            Some(candle) => {
                candle.high = candle.high.max(high);
                candle.low = candle.low.min(low);
                candle.close = close;
                candle.volume = Qty::from_mantissa(candle.volume.mantissa().saturating_add(qty.mantissa()));
            }
            none => *none = Some(Candle { ts, open, high, low, close, volume: qty }),
        }
    }

    /// Equity after an event at `now`.
    #[inline]
    pub(super) fn equity(&mut self, now: Ts, equity: Money, exposed: bool) {
        let before = std::mem::replace(&mut self.last, now);
        if exposed != (self.exposed_since != Ts::NONE) {
            self.exposure_changed(now, exposed);
        }
        if equity == self.equity {
            return;
        }
        if self.equity == self.peak && before != Ts::NONE {
            // It stood at the peak until now.
            self.peak_ts = before;
        }
        self.equity = equity;
        if equity < self.equity_min {
            self.equity_min = equity;
        }
        if equity >= self.peak {
            self.recovered(now, equity);
        } else if equity < self.trough {
            self.trough = equity;
            self.trough_ts = now;
        }
    }

    /// Events of one instrument in a row, none of which ends a candle: comes to what [`Recorder::candle`] (or `price`)
    /// and [`Recorder::equity`] make of them one after the other. `equity_at` must rise or fall with the price.
    pub(super) fn stretch<T: Calm>(&mut self, events: &[T], equity_at: impl Fn(Price) -> Money, exposed: bool) {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
        let [open, mut high, mut low, first_close] = first.prices();
        let (mut close_high, mut close_low, mut volume) = (first_close, first_close, first.qty().mantissa());
        for event in &events[1..] {
            let [_, h, l, close] = event.prices();
            (high, low) = (high.max(h), low.min(l));
            (close_high, close_low) = (close_high.max(close), close_low.min(close));
            volume = volume.saturating_add(event.qty().mantissa());
        }
        let close = last.prices()[3];
        self.candle(first.instrument(), first.begin(), [open, high, low, close], Qty::from_mantissa(volume));
        self.equity(first.end(), equity_at(first_close), exposed);
        // Equity is monotonous in the price: its extremes are at the extremes of the closes.
        let (a, b) = (equity_at(close_high), equity_at(close_low));
        let (most, least) = (a.max(b), a.min(b));
        if most == least || (most < self.peak && least >= self.trough) {
            self.last = last.end();
            self.equity = equity_at(close);
            self.equity_min = self.equity_min.min(least);
        } else {
            for event in &events[1..] {
                self.equity(event.end(), equity_at(event.prices()[3]), exposed);
            }
        }
    }

    fn exposure_changed(&mut self, now: Ts, exposed: bool) {
        if exposed {
            self.exposed_since = now;
        } else {
            self.exposed_ns += now.nanos() - self.exposed_since.nanos();
            self.exposed_since = Ts::NONE;
        }
    }

    /// A new peak: what lay between it and the last one is a finished drawdown.
    #[cold]
    fn recovered(&mut self, now: Ts, equity: Money) {
        self.judge_drawdown(now);
        self.peak = equity;
        self.peak_ts = now;
        self.trough = equity;
        self.trough_ts = now;
    }

    fn judge_drawdown(&mut self, now: Ts) {
        if self.trough >= self.peak || self.peak_ts == Ts::NONE {
            return;
        }
        self.drawdown.longest_ns = self.drawdown.longest_ns.max(now.nanos() - self.peak_ts.nanos());
        let (peak, trough) = (self.peak.mantissa() as f64, self.trough.mantissa() as f64);
        let fraction = if peak > 0.0 { (peak - trough) / peak } else { 0.0 };
        if fraction > self.drawdown.fraction {
            self.drawdown.fraction = fraction;
            self.drawdown.peak = self.peak;
            self.drawdown.trough = self.trough;
            self.drawdown.ts_peak = self.peak_ts;
            self.drawdown.ts_trough = self.trough_ts;
        }
    }

    /// A strategy's value for the candle about to end.
    pub(super) fn observed(&mut self, instrument: InstrumentId, name: (usize, &'static str), value: f64) {
        let rows = self.candles[instrument.index()].len();
        let series = &mut self.series[instrument.index()];
        let i = series.iter().position(|((strategy, value), _)| (*strategy, &**value) == name).unwrap_or_else(|| {
            series.push(((name.0, name.1.into()), Vec::new()));
            series.len() - 1
        });
        series[i].1.resize(rows, f64::NAN);
        series[i].1.push(value);
    }

    /// Ends the present candles and the present step of the equity curve.
    pub(super) fn end_candles(&mut self, now: Ts) {
        let ts = self.candle_end.plus(-self.width.nanos());
        for i in 0..self.current.len() {
            if let Some(mut candle) = self.current[i].take() {
                candle.ts = ts;
                self.candles[i].push(candle);
            }
            let rows = self.candles[i].len();
            for (_, values) in &mut self.series[i] {
                values.resize(rows, f64::NAN);
            }
        }
        self.push_point(ts.plus(self.width.nanos()));
        self.candle_end = now.floor_to(self.width).plus(self.width.nanos());
        if self.points.len() >= POINTS_MAX || self.candles.iter().any(|c| c.len() >= POINTS_MAX) {
            self.halve();
            self.candle_end = now.floor_to(self.width).plus(self.width.nanos());
        }
        self.next = self.candle_end.min(self.day_end);
    }

    fn push_point(&mut self, ts: Ts) {
        let held = self.hold.value(self.start, self.first_price, self.last_price);
        self.points.push(EquityPoint {
            ts,
            equity: self.equity,
            equity_min: self.equity_min,
            buy_hold: held.unwrap_or(self.start),
        });
        self.equity_min = self.equity;
    }

    /// Doubles the width: candles and points of one new span become one.
    fn halve(&mut self) {
        let Some(width) = Interval::from_nanos(self.width.nanos().saturating_mul(2)) else { return };
        self.width = width;
        for (candles, series) in self.candles.iter_mut().zip(&mut self.series) {
            let mut merged: Vec<Candle> = Vec::with_capacity(candles.len() / 2 + 1);
            let mut keep: Vec<usize> = Vec::with_capacity(candles.len() / 2 + 1);
            for (row, candle) in candles.iter().enumerate() {
                let ts = candle.ts.floor_to(width);
                match merged.last_mut().filter(|m| m.ts == ts) {
                    Some(m) => {
                        m.high = m.high.max(candle.high);
                        m.low = m.low.min(candle.low);
                        m.close = candle.close;
                        m.volume = Qty::from_mantissa(m.volume.mantissa().saturating_add(candle.volume.mantissa()));
                        if let Some(k) = keep.last_mut() {
                            *k = row;
                        }
                    }
                    None => {
                        merged.push(Candle { ts, ..*candle });
                        keep.push(row);
                    }
                }
            }
            *candles = merged;
            for (_, values) in series {
                *values = keep.iter().map(|row| values.get(*row).copied().unwrap_or(f64::NAN)).collect();
            }
        }
        let mut points: Vec<EquityPoint> = Vec::with_capacity(self.points.len() / 2 + 1);
        for point in &self.points {
            let span = |p: &EquityPoint| p.ts.plus(-1).floor_to(width);
            match points.last_mut().filter(|p| span(p) == span(point)) {
                Some(p) => *p = EquityPoint { equity_min: p.equity_min.min(point.equity_min), ..*point },
                None => points.push(*point),
            }
        }
        self.points = points;
    }

    /// Ends everything that is open.
    pub(super) fn finish(&mut self) {
        if self.first == Ts::NONE {
            return;
        }
        self.judge_drawdown(self.last);
        if self.exposed_since != Ts::NONE {
            self.exposure_changed(self.last, false);
        }
        self.end_day();
        for i in 0..self.current.len() {
            if let Some(mut candle) = self.current[i].take() {
                candle.ts = candle.ts.floor_to(self.width);
                self.candles[i].push(candle);
            }
        }
        self.push_point(self.last);
    }

    /// Equity at the start of the present UTC day.
    pub(super) fn day_start(&self) -> Money {
        self.daily.last().map_or(self.start_equity(), |d| d.equity)
    }

    /// How many days have ended.
    pub(super) fn days(&self) -> i64 {
        self.daily.len() as i64
    }

    /// Equity before the first event.
    pub(super) fn start_equity(&self) -> Money {
        self.start
    }

    /// The last time seen.
    pub(super) fn last(&self) -> Ts {
        self.last
    }

    /// The price curves.
    pub(super) fn take_charts(&mut self, strategies: &[String]) -> Vec<Chart> {
        let series = std::mem::take(&mut self.series);
        std::mem::take(&mut self.candles)
            .into_iter()
            .zip(series)
            .map(|(candles, series)| Chart {
                width: self.width,
                series: series
                    .into_iter()
                    .map(|(name, mut values)| {
                        values.resize(candles.len(), f64::NAN);
                        ChartSeries { name: format!("{}: {}", strategies[name.0], name.1), values }
                    })
                    .collect(),
                candles,
            })
            .collect()
    }
}
