//! The true range.

use serde::{Deserialize, Serialize};
use ta::Next;

use super::{Indicator, Ohlcv};

/// The largest of high − low, |high − previous close| and |low − previous close|; for the first bar high − low.
/// The `ta` crate's, guarded.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Ohlcv, TrueRange};
///
/// let bar = |close: f64| Ohlcv { open: close, high: close + 1.0, low: close - 1.0, close, volume: 10.0 };
/// let mut it = TrueRange::new();
/// it.update(bar(10.0));
/// assert_eq!(it.update(bar(13.0)), Some(4.0)); // from the last close, 10, to the high, 14
/// ```
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TrueRange {
    inner: ta::indicators::TrueRange,
    last: Option<f64>,
}

impl TrueRange {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Indicator for TrueRange {
    type Input = Ohlcv;
    type Output = f64;

    fn warmup(&self) -> usize {
        1
    }

    #[inline]
    fn update(&mut self, bar: Ohlcv) -> Option<f64> {
        if !bar.is_usable() {
            return None;
        }
        self.last = Some(self.inner.next(&bar));
        self.last
    }

    #[inline]
    fn peek(&self, bar: Ohlcv) -> Option<f64> {
        self.clone().update(bar)
    }

    #[inline]
    fn value(&self) -> Option<f64> {
        self.last
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}
