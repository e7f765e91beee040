//! The stochastic RSI.

use serde::{Deserialize, Serialize};

use super::stochastic::position;
use super::{Highest, Indicator, IndicatorError, Lowest, Rsi, Sma};

/// Where the [`Rsi`] stands between its own lowest and highest of the last `range` values, in per cent (%K), and the
/// simple average of that (%D).
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, StochRsi};
///
/// let mut it = StochRsi::new(2, 2, 1)?;
/// assert_eq!(it.update(1.0), None);
/// assert!(it.warmup() > 2);
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StochRsi {
    rsi: Rsi,
    highs: Highest,
    lows: Lowest,
    k: Option<f64>,
    d: Sma,
}

/// The two lines, in per cent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StochRsiOutput {
    /// The position in the range.
    pub k: f64,
    /// The average of `k`.
    pub d: f64,
}

impl StochRsi {
    /// The RSI over `period` changes, its range over `range` values, %D over `d` (usually 14, 14, 3).
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when a period is zero or beyond reason.
    pub fn new(period: usize, range: usize, d: usize) -> Result<Self, IndicatorError> {
        Ok(Self {
            rsi: Rsi::new(period)?,
            highs: Highest::new(range)?,
            lows: Lowest::new(range)?,
            k: None,
            d: Sma::new(d)?,
        })
    }
}

impl Indicator for StochRsi {
    type Input = f64;
    type Output = StochRsiOutput;

    fn warmup(&self) -> usize {
        self.rsi.warmup() + self.highs.warmup() + self.d.warmup() - 2
    }

    fn update(&mut self, x: f64) -> Option<StochRsiOutput> {
        let rsi = self.rsi.update(x)?;
        let (high, low) = (self.highs.update(rsi), self.lows.update(rsi));
        let k = position(rsi, low?, high?);
        self.k = Some(k);
        Some(StochRsiOutput { k, d: self.d.update(k)? })
    }

    fn peek(&self, x: f64) -> Option<StochRsiOutput> {
        let rsi = self.rsi.peek(x)?;
        let k = position(rsi, self.lows.peek(rsi)?, self.highs.peek(rsi)?);
        Some(StochRsiOutput { k, d: self.d.peek(k)? })
    }

    fn value(&self) -> Option<StochRsiOutput> {
        Some(StochRsiOutput { k: self.k?, d: self.d.value()? })
    }

    fn reset(&mut self) {
        self.rsi.reset();
        self.highs.reset();
        self.lows.reset();
        self.k = None;
        self.d.reset();
    }
}
