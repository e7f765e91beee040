//! Moving average convergence and divergence.

use serde::{Deserialize, Serialize};

use super::{Ema, Indicator, IndicatorError, Seed};

/// Appel's MACD: a fast less a slow [`Ema`], and an EMA of that difference as signal line.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Macd};
///
/// let mut it = Macd::new(1, 2, 1)?;
/// let flat = [5.0; 3].map(|x| it.update(x))[2].expect("warm");
/// assert_eq!((flat.macd, flat.signal, flat.histogram), (0.0, 0.0, 0.0));
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Macd {
    fast: Ema,
    slow: Ema,
    signal: Ema,
}

/// The three lines, in the units of the input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MacdOutput {
    /// Fast less slow average.
    pub macd: f64,
    /// The average of `macd`.
    pub signal: f64,
    /// `macd` less `signal`.
    pub histogram: f64,
}

impl Macd {
    /// Lines from the first value on (usually 12, 26, 9).
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when a period is zero or beyond reason.
    pub fn new(fast: usize, slow: usize, signal: usize) -> Result<Self, IndicatorError> {
        Self::seeded(fast, slow, signal, Seed::First)
    }

    /// Lines with a choice of how each average starts.
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when a period is zero or beyond reason.
    pub fn seeded(fast: usize, slow: usize, signal: usize, seed: Seed) -> Result<Self, IndicatorError> {
        Ok(Self { fast: Ema::seeded(fast, seed)?, slow: Ema::seeded(slow, seed)?, signal: Ema::seeded(signal, seed)? })
    }
}

#[inline]
fn lines(macd: f64, signal: f64) -> MacdOutput {
    MacdOutput { macd, signal, histogram: macd - signal }
}

impl Indicator for Macd {
    type Input = f64;
    type Output = MacdOutput;

    fn warmup(&self) -> usize {
        self.fast.warmup().max(self.slow.warmup()) + self.signal.warmup() - 1
    }

    #[inline]
    fn update(&mut self, x: f64) -> Option<MacdOutput> {
        let (fast, slow) = (self.fast.update(x), self.slow.update(x));
        let macd = fast? - slow?;
        Some(lines(macd, self.signal.update(macd)?))
    }

    fn peek(&self, x: f64) -> Option<MacdOutput> {
        let macd = self.fast.peek(x)? - self.slow.peek(x)?;
        Some(lines(macd, self.signal.peek(macd)?))
    }

    fn value(&self) -> Option<MacdOutput> {
        Some(lines(self.fast.value()? - self.slow.value()?, self.signal.value()?))
    }

    fn reset(&mut self) {
        self.fast.reset();
        self.slow.reset();
        self.signal.reset();
    }
}
