//! Wilder's smoothing, the running mean under RSI, ATR and ADX.

use serde::{Deserialize, Serialize};

use super::{Indicator, IndicatorError, checked, usable};

/// `w ← (w·(n − 1) + x) / n`, seeded with the mean of the first `n` values (J. Welles Wilder, *New Concepts in
/// Technical Trading Systems*, 1978). Also known as RMA or SMMA; an EMA of `k = 1/n`.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Wilder};
///
/// let mut it = Wilder::new(2)?;
/// assert_eq!([1.0, 3.0, 4.0].map(|x| it.update(x)), [None, Some(2.0), Some(3.0)]);
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wilder {
    period: usize,
    /// The mean; while it is being gathered, the sum so far.
    current: f64,
    missing: usize,
}

impl Wilder {
    /// A smoothing over `period` values.
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when the period is zero or beyond reason.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(Self { period: checked("wilder", period)?, current: 0.0, missing: period })
    }

    /// The current value and what is still wanted after `x`.
    #[inline]
    fn step(&self, x: f64) -> (f64, usize) {
        let n = self.period as f64;
        match self.missing {
            0 => ((self.current * (n - 1.0) + x) / n, 0),
            1 => ((self.current + x) / n, 0),
            missing => (self.current + x, missing - 1),
        }
    }
}

impl Indicator for Wilder {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.period
    }

    #[inline]
    fn update(&mut self, x: f64) -> Option<f64> {
        if !usable(x) {
            return None;
        }
        (self.current, self.missing) = self.step(x);
        self.value()
    }

    #[inline]
    fn peek(&self, x: f64) -> Option<f64> {
        let (value, missing) = self.step(x);
        (usable(x) && missing == 0).then_some(value)
    }

    #[inline]
    fn value(&self) -> Option<f64> {
        (self.missing == 0).then_some(self.current)
    }

    fn reset(&mut self) {
        self.current = 0.0;
        self.missing = self.period;
    }
}
