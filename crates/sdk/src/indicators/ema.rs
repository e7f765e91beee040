//! The exponential moving average.

use serde::{Deserialize, Serialize};

use super::{Indicator, IndicatorError, checked, usable};

/// Where an exponential average begins.
///
/// ```
/// use bellwether_sdk::indicators::{Ema, Indicator, Seed};
///
/// let mut like_talib = Ema::seeded(2, Seed::Sma)?;
/// assert_eq!([1.0, 3.0].map(|x| like_talib.update(x)), [None, Some(2.0)]); // begins with the simple average
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, bellwether_sdk_macros::Choice)]
pub enum Seed {
    /// At the first value; there is a value from the first input on. So do `ta`, pandas (`adjust=False`) and most charts.
    #[default]
    First,
    /// At the mean of the first `period` values; there is none before. So does TA-Lib.
    Sma,
}

/// `e ← k·x + (1 − k)·e` with `k = 2 / (period + 1)`. With [`Seed::First`] bit for bit that of the `ta` crate.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Ema};
///
/// let mut it = Ema::new(3)?;
/// assert_eq!([10.0, 12.0].map(|x| it.update(x)), [Some(10.0), Some(11.0)]);
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ema {
    k: f64,
    keep: f64,
    /// The average; while a mean is being gathered, the sum so far.
    current: f64,
    /// Inputs still wanted; zero once there is a value.
    missing: usize,
    period: usize,
    seed: Seed,
}

impl Ema {
    /// An average that starts at the first value.
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when the period is zero or beyond reason.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Self::seeded(period, Seed::First)
    }

    /// An average with a choice of its start.
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when the period is zero or beyond reason.
    pub fn seeded(period: usize, seed: Seed) -> Result<Self, IndicatorError> {
        let k = 2.0 / (checked("ema", period)? as f64 + 1.0);
        let mut ema = Self { k, keep: 1.0 - k, current: 0.0, missing: 0, period, seed };
        ema.reset();
        Ok(ema)
    }

    #[inline]
    fn next(&self, x: f64) -> f64 {
        self.k * x + self.keep * self.current
    }

    #[cold]
    fn gather(&mut self, x: f64) -> Option<f64> {
        self.current += x;
        self.missing -= 1;
        if self.missing > 0 {
            return None;
        }
        self.current /= self.warmup() as f64;
        Some(self.current)
    }
}

impl Indicator for Ema {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        match self.seed {
            Seed::First => 1,
            Seed::Sma => self.period,
        }
    }

    #[inline]
    fn update(&mut self, x: f64) -> Option<f64> {
        if !usable(x) {
            return None;
        }
        if self.missing > 0 {
            return self.gather(x);
        }
        self.current = self.next(x);
        Some(self.current)
    }

    #[inline]
    fn peek(&self, x: f64) -> Option<f64> {
        match self.missing {
            _ if !usable(x) => None,
            0 => Some(self.next(x)),
            1 => Some((self.current + x) / self.warmup() as f64),
            _ => None,
        }
    }

    #[inline]
    fn value(&self) -> Option<f64> {
        (self.missing == 0).then_some(self.current)
    }

    fn reset(&mut self) {
        self.current = 0.0;
        self.missing = self.warmup();
    }
}
