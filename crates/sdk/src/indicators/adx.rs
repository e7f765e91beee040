//! The average directional index.

use serde::{Deserialize, Serialize};

use super::{Indicator, IndicatorError, Ohlcv, TrueRange, checked};

/// Wilder's directional movement: how much of the true range went up (+DI) and down (−DI), and the smoothed strength
/// of their difference (ADX), all in per cent. Where nothing moves the last values stay.
///
/// Sums begin with the first `period − 1` movements, and the ADX with the mean of the first `period` indices, as in TA-Lib.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Ohlcv, Adx};
///
/// let bar = |close: f64| Ohlcv { open: close, high: close + 1.0, low: close - 1.0, close, volume: 10.0 };
/// let mut it = Adx::new(2)?;
/// for close in 1..=10 {
///     it.update(bar(f64::from(close)));
/// }
/// let rising = it.value().expect("warm");
/// assert!(rising.adx > 90.0 && rising.plus_di > rising.minus_di);
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Adx {
    period: usize,
    previous: Option<Ohlcv>,
    range: TrueRange,
    /// Movements taken, up to `2·period − 1`, after which there is a value.
    taken: usize,
    up: f64,
    down: f64,
    ranges: f64,
    /// The ADX; while it is being gathered, the sum so far.
    adx: f64,
}

/// The three lines, in per cent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdxOutput {
    /// The strength of the trend, whatever its direction.
    pub adx: f64,
    /// The part of the range that went up.
    pub plus_di: f64,
    /// The part of the range that went down.
    pub minus_di: f64,
}

impl Adx {
    /// An index over `period` bars (usually 14).
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when the period is zero or beyond reason.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        checked("adx", period)?;
        let range = TrueRange::new();
        Ok(Self { period, previous: None, range, taken: 0, up: 0.0, down: 0.0, ranges: 0.0, adx: 0.0 })
    }

    fn indices(&self) -> (f64, f64) {
        if self.ranges > 0.0 {
            (100.0 * (self.up / self.ranges), 100.0 * (self.down / self.ranges))
        } else {
            (0.0, 0.0)
        }
    }

    /// The directional index of the bar, unless nothing moved.
    fn strength(&self) -> Option<f64> {
        let (plus, minus) = self.indices();
        let both = plus + minus;
        (both >= 1e-14).then(|| 100.0 * ((plus - minus).abs() / both))
    }

    fn movement(&mut self, previous: Ohlcv, bar: Ohlcv, range: f64) {
        let (up, down) = (bar.high - previous.high, previous.low - bar.low);
        let kept = if self.taken < self.period { 1.0 } else { 1.0 - 1.0 / self.period as f64 };
        self.up = self.up * kept + if up > down && up > 0.0 { up } else { 0.0 };
        self.down = self.down * kept + if down > up && down > 0.0 { down } else { 0.0 };
        self.ranges = self.ranges * kept + range;
    }
}

impl Indicator for Adx {
    type Input = Ohlcv;
    type Output = AdxOutput;

    fn warmup(&self) -> usize {
        2 * self.period
    }

    fn update(&mut self, bar: Ohlcv) -> Option<AdxOutput> {
        let range = self.range.update(bar)?;
        let previous = self.previous.replace(bar)?;
        let (n, last) = (self.period, 2 * self.period - 1);
        let steady = self.taken == last;
        self.taken = (self.taken + 1).min(last);
        self.movement(previous, bar, range);
        if steady {
            self.adx += self.strength().map_or(0.0, |dx| (dx - self.adx) / n as f64);
        } else if self.taken >= n {
            self.adx += self.strength().unwrap_or(0.0);
            if self.taken == last {
                self.adx /= n as f64;
            }
        }
        self.value()
    }

    fn peek(&self, bar: Ohlcv) -> Option<AdxOutput> {
        self.clone().update(bar)
    }

    fn value(&self) -> Option<AdxOutput> {
        let (plus_di, minus_di) = self.indices();
        (self.taken == 2 * self.period - 1).then_some(AdxOutput { adx: self.adx, plus_di, minus_di })
    }

    fn reset(&mut self) {
        self.previous = None;
        self.range.reset();
        (self.taken, self.up, self.down, self.ranges, self.adx) = (0, 0.0, 0.0, 0.0, 0.0);
    }
}
