//! Keltner channels.

use serde::{Deserialize, Serialize};

use super::{Atr, Ema, Indicator, IndicatorError, Ohlcv, Seed, checked_width};

/// An EMA of the typical price, seeded by its mean, and lines `width` average true ranges above and below it.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Ohlcv, Keltner};
///
/// let bar = |close: f64| Ohlcv { open: close, high: close + 1.0, low: close - 1.0, close, volume: 10.0 };
/// let mut it = Keltner::new(2, 2, 1.0)?;
/// for _ in 0..5 {
///     it.update(bar(10.0));
/// }
/// let channel = it.value().expect("warm");
/// assert_eq!((channel.lower, channel.middle, channel.upper), (8.0, 10.0, 12.0));
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Keltner {
    middle: Ema,
    range: Atr,
    width: f64,
}

/// The three lines.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KeltnerOutput {
    /// Middle plus `width` ranges.
    pub upper: f64,
    /// The average of the typical price.
    pub middle: f64,
    /// Middle less `width` ranges.
    pub lower: f64,
}

impl Keltner {
    /// The average over `period` bars, the range over `range` of them (usually 20, 10 and a width of 2).
    ///
    /// # Errors
    /// [`IndicatorError`] when a period is zero or beyond reason, or the width is negative or not finite.
    pub fn new(period: usize, range: usize, width: f64) -> Result<Self, IndicatorError> {
        let width = checked_width("keltner", width)?;
        Ok(Self { middle: Ema::seeded(period, Seed::Sma)?, range: Atr::new(range)?, width })
    }

    fn lines(&self, middle: Option<f64>, range: Option<f64>) -> Option<KeltnerOutput> {
        let (middle, reach) = (middle?, self.width * range?);
        Some(KeltnerOutput { upper: middle + reach, middle, lower: middle - reach })
    }
}

impl Indicator for Keltner {
    type Input = Ohlcv;
    type Output = KeltnerOutput;

    fn warmup(&self) -> usize {
        self.middle.warmup().max(self.range.warmup())
    }

    fn update(&mut self, bar: Ohlcv) -> Option<KeltnerOutput> {
        if !bar.is_usable() {
            return None;
        }
        let (middle, range) = (self.middle.update(bar.typical()), self.range.update(bar));
        self.lines(middle, range)
    }

    fn peek(&self, bar: Ohlcv) -> Option<KeltnerOutput> {
        if bar.is_usable() { self.lines(self.middle.peek(bar.typical()), self.range.peek(bar)) } else { None }
    }

    fn value(&self) -> Option<KeltnerOutput> {
        self.lines(self.middle.value(), self.range.value())
    }

    fn reset(&mut self) {
        self.middle.reset();
        self.range.reset();
    }
}
