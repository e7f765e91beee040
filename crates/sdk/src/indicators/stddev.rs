//! The standard deviation of a window.

use serde::{Deserialize, Serialize};

use super::window::Window;
use super::{Indicator, IndicatorError, checked, usable};

/// The population standard deviation (division by `n`, as TA-Lib and chart programs do) of the last `period` values.
///
/// In two passes over the window, linear in the period: a running sum of squares keeps a residue, and on a flat run
/// after a move its square root is 1e-8 where it should be zero.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, StdDev};
///
/// let mut it = StdDev::new(2)?;
/// assert_eq!([1.0, 3.0].map(|x| it.update(x)), [None, Some(1.0)]); // of all, not of a sample
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StdDev {
    window: Window,
}

/// Mean and standard deviation.
pub(super) type Moments = (f64, f64);

impl StdDev {
    /// A deviation over `period` values.
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when the period is zero or beyond reason.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(Self { window: Window::new(checked("stddev", period)?) })
    }

    pub(super) fn moments(&self) -> Option<Moments> {
        self.window.is_full().then(|| moments(self.window.held().iter().copied(), self.window.period()))
    }

    pub(super) fn moments_with(&self, x: f64) -> Option<Moments> {
        let ready = usable(x) && self.window.is_full_with_next();
        ready.then(|| moments(self.window.stored_with_next(x), self.window.period()))
    }
}

fn moments(mut values: impl Iterator<Item = f64> + Clone, n: usize) -> Moments {
    let n = n as f64;
    // Counted from one of them, so that the mean of equal values is that value, and their deviation zero, to the bit.
    let all = values.clone();
    let pivot = values.next().unwrap_or(0.0);
    let mean = pivot + values.map(|x| x - pivot).sum::<f64>() / n;
    let squares: f64 = all.map(|x| (x - mean) * (x - mean)).sum();
    (mean, (squares / n).sqrt())
}

impl Indicator for StdDev {
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
        self.moments_with(x).map(|(_, deviation)| deviation)
    }

    fn value(&self) -> Option<f64> {
        self.moments().map(|(_, deviation)| deviation)
    }

    fn reset(&mut self) {
        self.window.clear();
    }
}
