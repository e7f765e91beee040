//! The slow stochastic oscillator.

use serde::{Deserialize, Serialize};

use super::{Highest, Indicator, IndicatorError, Lowest, Ohlcv, Sma};

/// Lane's stochastic: where the close stands between the lowest low and the highest high of the last `period` bars, in
/// per cent, smoothed by a simple average (%K), and that once more (%D); zero where there is no range.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Ohlcv, SlowStochastic};
///
/// let bar = |close: f64| Ohlcv { open: close, high: close + 1.0, low: close - 1.0, close, volume: 10.0 };
/// let mut it = SlowStochastic::new(2, 1, 1)?;
/// for close in [10.0, 11.0, 12.0] {
///     it.update(bar(close));
/// }
/// assert!(it.value().expect("warm").k > 60.0); // the close is near the top of its range
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SlowStochastic {
    highs: Highest,
    lows: Lowest,
    k: Sma,
    d: Sma,
}

/// The two lines, in per cent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StochasticOutput {
    /// The smoothed position in the range.
    pub k: f64,
    /// The average of `k`.
    pub d: f64,
}

impl SlowStochastic {
    /// An oscillator over `period` bars, %K smoothed over `k` and %D over `d` values (usually 14, 3, 3).
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when a period is zero or beyond reason.
    pub fn new(period: usize, k: usize, d: usize) -> Result<Self, IndicatorError> {
        Ok(Self { highs: Highest::new(period)?, lows: Lowest::new(period)?, k: Sma::new(k)?, d: Sma::new(d)? })
    }
}

/// Where `x` stands between `low` and `high`, in per cent; zero when those are equal up to rounding.
#[inline]
pub(super) fn position(x: f64, low: f64, high: f64) -> f64 {
    if high - low <= 1e-14 * (high.abs() + low.abs()) { 0.0 } else { (x - low) / (high - low) * 100.0 }
}

impl Indicator for SlowStochastic {
    type Input = Ohlcv;
    type Output = StochasticOutput;

    fn warmup(&self) -> usize {
        self.highs.warmup() + self.k.warmup() + self.d.warmup() - 2
    }

    fn update(&mut self, bar: Ohlcv) -> Option<StochasticOutput> {
        if !bar.is_usable() {
            return None;
        }
        let (high, low) = (self.highs.update(bar.high), self.lows.update(bar.low));
        let k = self.k.update(position(bar.close, low?, high?))?;
        Some(StochasticOutput { k, d: self.d.update(k)? })
    }

    fn peek(&self, bar: Ohlcv) -> Option<StochasticOutput> {
        if !bar.is_usable() {
            return None;
        }
        let (high, low) = (self.highs.peek(bar.high)?, self.lows.peek(bar.low)?);
        let k = self.k.peek(position(bar.close, low, high))?;
        Some(StochasticOutput { k, d: self.d.peek(k)? })
    }

    fn value(&self) -> Option<StochasticOutput> {
        Some(StochasticOutput { k: self.k.value()?, d: self.d.value()? })
    }

    fn reset(&mut self) {
        self.highs.reset();
        self.lows.reset();
        self.k.reset();
        self.d.reset();
    }
}
