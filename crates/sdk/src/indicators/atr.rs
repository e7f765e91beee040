//! The average true range.

use serde::{Deserialize, Serialize};

use super::{Indicator, IndicatorError, Ohlcv, TrueRange, Wilder};

/// The true range smoothed by [`Wilder`]. The first bar has no previous close and only serves as one, as in TA-Lib.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Ohlcv, Atr};
///
/// let bar = |close: f64| Ohlcv { open: close, high: close + 1.0, low: close - 1.0, close, volume: 10.0 };
/// let mut it = Atr::new(2)?;
/// let last = [10.0; 4].map(|x| it.update(bar(x)))[3];
/// assert_eq!(last, Some(2.0)); // each bar is two high
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Atr {
    range: TrueRange,
    mean: Wilder,
}

impl Atr {
    /// An average over `period` true ranges.
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when the period is zero or beyond reason.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        let mean = Wilder::new(period).map_err(|_| IndicatorError::Period { name: "atr", period })?;
        Ok(Self { range: TrueRange::new(), mean })
    }
}

impl Indicator for Atr {
    type Input = Ohlcv;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.mean.warmup() + 1
    }

    #[inline]
    fn update(&mut self, bar: Ohlcv) -> Option<f64> {
        let first = !self.range.is_ready();
        let range = self.range.update(bar)?;
        if first { None } else { self.mean.update(range) }
    }

    fn peek(&self, bar: Ohlcv) -> Option<f64> {
        if self.range.is_ready() { self.mean.peek(self.range.peek(bar)?) } else { None }
    }

    #[inline]
    fn value(&self) -> Option<f64> {
        self.mean.value()
    }

    fn reset(&mut self) {
        self.range.reset();
        self.mean.reset();
    }
}
