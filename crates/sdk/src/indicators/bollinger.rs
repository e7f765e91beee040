//! Bollinger bands.

use serde::{Deserialize, Serialize};

use super::stddev::Moments;
use super::{Indicator, IndicatorError, StdDev, checked_width};

/// The mean of the last `period` values, and bands `width` population standard deviations above and below it.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Bollinger};
///
/// let mut it = Bollinger::new(2, 2.0)?;
/// it.update(1.0);
/// let bands = it.update(3.0).expect("two values");
/// assert_eq!((bands.lower, bands.middle, bands.upper), (0.0, 2.0, 4.0));
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bollinger {
    deviation: StdDev,
    width: f64,
}

/// The three lines.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BollingerOutput {
    /// Mean plus `width` deviations.
    pub upper: f64,
    /// The mean.
    pub middle: f64,
    /// Mean less `width` deviations.
    pub lower: f64,
}

impl Bollinger {
    /// Bands over `period` values, `width` deviations wide on either side (usually 20 and 2).
    ///
    /// # Errors
    /// [`IndicatorError`] when the period is zero or beyond reason, or the width is negative or not finite.
    pub fn new(period: usize, width: f64) -> Result<Self, IndicatorError> {
        let deviation = StdDev::new(period).map_err(|_| IndicatorError::Period { name: "bollinger", period })?;
        Ok(Self { deviation, width: checked_width("bollinger", width)? })
    }

    fn bands(&self, (middle, deviation): Moments) -> BollingerOutput {
        let reach = self.width * deviation;
        BollingerOutput { upper: middle + reach, middle, lower: middle - reach }
    }
}

impl Indicator for Bollinger {
    type Input = f64;
    type Output = BollingerOutput;

    fn warmup(&self) -> usize {
        self.deviation.warmup()
    }

    fn update(&mut self, x: f64) -> Option<BollingerOutput> {
        self.deviation.update(x)?;
        self.value()
    }

    fn peek(&self, x: f64) -> Option<BollingerOutput> {
        self.deviation.moments_with(x).map(|m| self.bands(m))
    }

    fn value(&self) -> Option<BollingerOutput> {
        self.deviation.moments().map(|m| self.bands(m))
    }

    fn reset(&mut self) {
        self.deviation.reset();
    }
}
