//! The relative strength index.

use serde::{Deserialize, Serialize};

use super::{Indicator, IndicatorError, Wilder, usable};

/// Wilder's RSI: 100 · gains / (gains + losses), each smoothed by [`Wilder`]; 50 where nothing has moved.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Rsi};
///
/// let mut it = Rsi::new(2)?;
/// assert_eq!([1.0, 2.0, 1.0].map(|x| it.update(x)), [None, None, Some(50.0)]);
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rsi {
    previous: Option<f64>,
    gains: Wilder,
    losses: Wilder,
}

impl Rsi {
    /// An index over `period` changes.
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when the period is zero or beyond reason.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        let smooth = Wilder::new(period).map_err(|_| IndicatorError::Period { name: "rsi", period })?;
        Ok(Self { previous: None, gains: smooth.clone(), losses: smooth })
    }
}

#[inline]
fn split(change: f64) -> (f64, f64) {
    if change > 0.0 { (change, 0.0) } else { (0.0, -change) }
}

#[inline]
fn index(gains: f64, losses: f64) -> f64 {
    let moved = gains + losses;
    if moved > 0.0 { 100.0 * (gains / moved) } else { 50.0 }
}

impl Indicator for Rsi {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.gains.warmup() + 1
    }

    #[inline]
    fn update(&mut self, x: f64) -> Option<f64> {
        if !usable(x) {
            return None;
        }
        let (gain, loss) = split(x - self.previous.replace(x)?);
        let (gains, losses) = (self.gains.update(gain), self.losses.update(loss));
        Some(index(gains?, losses?))
    }

    fn peek(&self, x: f64) -> Option<f64> {
        let (gain, loss) = split(x - self.previous.filter(|_| usable(x))?);
        Some(index(self.gains.peek(gain)?, self.losses.peek(loss)?))
    }

    #[inline]
    fn value(&self) -> Option<f64> {
        Some(index(self.gains.value()?, self.losses.value()?))
    }

    fn reset(&mut self) {
        self.previous = None;
        self.gains.reset();
        self.losses.reset();
    }
}
