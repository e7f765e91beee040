//! The simple moving average.

use serde::{Deserialize, Serialize};

use super::window::Window;
use super::{Indicator, IndicatorError, checked, usable};

/// The mean of the last `period` values.
///
/// The running sum is made afresh once per period and when an outlier leaves, so that the rounding an outlier leaves
/// behind is gone when the outlier is (the `ta` crate's stays for good: one 1e17 among ones leaves an SMA(3) of 0.333).
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Sma};
///
/// let mut it = Sma::new(2)?;
/// assert_eq!([1.0, 2.0, 4.0].map(|x| it.update(x)), [None, Some(1.5), Some(3.0)]);
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sma {
    window: Window,
    sum: f64,
}

impl Sma {
    /// A mean over `period` values.
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when the period is zero or beyond reason.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(Self { window: Window::new(checked("sma", period)?), sum: 0.0 })
    }

    #[inline]
    fn sum_with(&self, x: f64) -> f64 {
        let sum = self.sum + (x - self.window.oldest());
        if self.window.comes_round() || self.sum.abs() > 1e4 * sum.abs() {
            self.window.stored_with_next(x).sum()
        } else {
            sum
        }
    }

    #[inline]
    fn mean(&self, sum: f64) -> f64 {
        sum / self.window.period() as f64
    }
}

impl Indicator for Sma {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.window.period()
    }

    #[inline]
    fn update(&mut self, x: f64) -> Option<f64> {
        if !usable(x) {
            return None;
        }
        self.sum = self.sum_with(x);
        self.window.push(x);
        self.value()
    }

    #[inline]
    fn peek(&self, x: f64) -> Option<f64> {
        (usable(x) && self.window.is_full_with_next()).then(|| self.mean(self.sum_with(x)))
    }

    #[inline]
    fn value(&self) -> Option<f64> {
        self.window.is_full().then(|| self.mean(self.sum))
    }

    fn reset(&mut self) {
        self.window.clear();
        self.sum = 0.0;
    }
}
