//! The rate of change.

use serde::{Deserialize, Serialize};
use ta::{Next, Reset};

use super::{Indicator, IndicatorError, checked, usable};

/// The change against the value `period` inputs ago, in per cent; zero where that value was zero.
/// The `ta` crate's, guarded. `peek` copies the window; `update` does not allocate.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Roc};
///
/// let mut it = Roc::new(1)?;
/// assert_eq!([100.0, 110.0].map(|x| it.update(x)), [None, Some(10.0)]); // per cent
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Roc {
    inner: ta::indicators::RateOfChange,
    period: usize,
    missing: usize,
    last: Option<f64>,
}

impl Roc {
    /// A change over `period` steps.
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when the period is zero or beyond reason.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        let inner = ta::indicators::RateOfChange::new(checked("roc", period)?);
        let inner = inner.map_err(|_| IndicatorError::Period { name: "roc", period })?;
        Ok(Self { inner, period, missing: period, last: None })
    }
}

impl Indicator for Roc {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.period + 1
    }

    #[inline]
    fn update(&mut self, x: f64) -> Option<f64> {
        if !usable(x) {
            return None;
        }
        let change = self.inner.next(x);
        if self.missing > 0 {
            self.missing -= 1;
            return None;
        }
        self.last = Some(if change.is_finite() { change } else { 0.0 });
        self.last
    }

    fn peek(&self, x: f64) -> Option<f64> {
        if self.missing > 0 { None } else { self.clone().update(x) }
    }

    #[inline]
    fn value(&self) -> Option<f64> {
        self.last
    }

    fn reset(&mut self) {
        self.inner.reset();
        self.missing = self.period;
        self.last = None;
    }
}
