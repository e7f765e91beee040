//! The commodity channel index.

use serde::{Deserialize, Serialize};

use super::window::Window;
use super::{Indicator, IndicatorError, Ohlcv, checked};

/// Lambert's CCI: the typical price less its mean, by 0.015 times its mean absolute deviation; zero on a flat window.
/// Linear in the period per update.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Ohlcv, Cci};
///
/// let bar = |close: f64| Ohlcv { open: close, high: close + 1.0, low: close - 1.0, close, volume: 10.0 };
/// let mut it = Cci::new(2)?;
/// it.update(bar(10.0));
/// assert!(it.update(bar(12.0)).expect("two bars") > 0.0); // above its average
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cci {
    typicals: Window,
    last: Option<f64>,
}

impl Cci {
    /// An index over `period` bars (usually 20).
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when the period is zero or beyond reason.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(Self { typicals: Window::new(checked("cci", period)?), last: None })
    }
}

fn index(newest: f64, values: impl Iterator<Item = f64> + Clone, n: usize) -> f64 {
    let mean = values.clone().sum::<f64>() / n as f64;
    let deviation = values.map(|x| (x - mean).abs()).sum::<f64>() / n as f64;
    // What is flat up to rounding is flat; a quotient of two roundings would be noise of any size.
    let rounding = 1e-14 * mean.abs();
    let apart = newest - mean;
    if apart.abs() <= rounding || deviation <= rounding { 0.0 } else { apart / (0.015 * deviation) }
}

impl Indicator for Cci {
    type Input = Ohlcv;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.typicals.period()
    }

    fn update(&mut self, bar: Ohlcv) -> Option<f64> {
        if !bar.is_usable() {
            return None;
        }
        let typical = bar.typical();
        self.typicals.push(typical);
        if self.typicals.is_full() {
            self.last = Some(index(typical, self.typicals.held().iter().copied(), self.typicals.period()));
        }
        self.last
    }

    fn peek(&self, bar: Ohlcv) -> Option<f64> {
        let typical = bar.typical();
        let ready = bar.is_usable() && self.typicals.is_full_with_next();
        ready.then(|| index(typical, self.typicals.stored_with_next(typical), self.typicals.period()))
    }

    fn value(&self) -> Option<f64> {
        self.last
    }

    fn reset(&mut self) {
        self.typicals.clear();
        self.last = None;
    }
}
