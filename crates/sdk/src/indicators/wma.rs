//! The linearly weighted moving average.

use serde::{Deserialize, Serialize};

use super::window::Window;
use super::{Indicator, IndicatorError, checked, usable};

/// The mean of the last `period` values, the newest weighted `period`, the oldest 1. Linear in the period per update.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Wma};
///
/// let mut it = Wma::new(2)?;
/// assert_eq!([3.0, 6.0].map(|x| it.update(x)), [None, Some(5.0)]); // (1 × 3 + 2 × 6) / 3
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wma {
    window: Window,
}

impl Wma {
    /// A weighted mean over `period` values.
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when the period is zero or beyond reason.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(Self { window: Window::new(checked("wma", period)?) })
    }

    fn mean(&self, values: impl Iterator<Item = f64>) -> f64 {
        let n = self.window.period() as f64;
        let mut weight = 0.0;
        let weighted = values.fold(0.0, |sum, x| {
            weight += 1.0;
            sum + weight * x
        });
        weighted / (n * (n + 1.0) / 2.0)
    }
}

impl Indicator for Wma {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.window.period()
    }

    fn update(&mut self, x: f64) -> Option<f64> {
        if !usable(x) {
            return None;
        }
        self.window.push(x);
        self.value()
    }

    fn peek(&self, x: f64) -> Option<f64> {
        (usable(x) && self.window.is_full_with_next()).then(|| self.mean(self.window.with_next(x)))
    }

    fn value(&self) -> Option<f64> {
        self.window.is_full().then(|| self.mean(self.window.in_order()))
    }

    fn reset(&mut self) {
        self.window.clear();
    }
}
