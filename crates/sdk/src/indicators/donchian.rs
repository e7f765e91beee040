//! The Donchian channel.

use serde::{Deserialize, Serialize};

use super::{Highest, Indicator, IndicatorError, Lowest, Ohlcv};

/// The highest high and the lowest low of the last `period` bars, the newest included.
///
/// For a breakout hold the close against the [`value`](Indicator::value) *before* the update: a close is never above
/// the high of its own bar.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Ohlcv, Donchian};
///
/// let bar = |close: f64| Ohlcv { open: close, high: close + 1.0, low: close - 1.0, close, volume: 10.0 };
/// let mut it = Donchian::new(2)?;
/// it.update(bar(10.0));
/// let channel = it.update(bar(12.0)).expect("two bars");
/// assert_eq!((channel.lower, channel.upper), (9.0, 13.0));
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Donchian {
    highs: Highest,
    lows: Lowest,
}

/// The three lines.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DonchianOutput {
    /// The highest high.
    pub upper: f64,
    /// Half way between them.
    pub middle: f64,
    /// The lowest low.
    pub lower: f64,
}

impl Donchian {
    /// A channel over `period` bars.
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when the period is zero or beyond reason.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        let named = |_| IndicatorError::Period { name: "donchian", period };
        Ok(Self { highs: Highest::new(period).map_err(named)?, lows: Lowest::new(period).map_err(named)? })
    }
}

fn channel(upper: Option<f64>, lower: Option<f64>) -> Option<DonchianOutput> {
    let (upper, lower) = (upper?, lower?);
    Some(DonchianOutput { upper, middle: (upper + lower) / 2.0, lower })
}

impl Indicator for Donchian {
    type Input = Ohlcv;
    type Output = DonchianOutput;

    fn warmup(&self) -> usize {
        self.highs.warmup()
    }

    #[inline]
    fn update(&mut self, bar: Ohlcv) -> Option<DonchianOutput> {
        if !bar.is_usable() {
            return None;
        }
        channel(self.highs.update(bar.high), self.lows.update(bar.low))
    }

    fn peek(&self, bar: Ohlcv) -> Option<DonchianOutput> {
        if bar.is_usable() { channel(self.highs.peek(bar.high), self.lows.peek(bar.low)) } else { None }
    }

    #[inline]
    fn value(&self) -> Option<DonchianOutput> {
        channel(self.highs.value(), self.lows.value())
    }

    fn reset(&mut self) {
        self.highs.reset();
        self.lows.reset();
    }
}
