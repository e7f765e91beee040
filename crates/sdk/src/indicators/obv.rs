//! On-balance volume.

use serde::{Deserialize, Serialize};
use ta::Next;

use super::{Indicator, Ohlcv};

/// Volume added when the close rises, taken off when it falls; begins at the first bar's volume. The `ta` crate's,
/// guarded. Its level depends on where it began: only its changes say something.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Ohlcv, Obv};
///
/// let bar = |close: f64| Ohlcv { open: close, high: close + 1.0, low: close - 1.0, close, volume: 10.0 };
/// let mut it = Obv::new();
/// it.update(bar(10.0));
/// let before = it.value().unwrap_or_default();
/// assert_eq!(it.update(bar(11.0)), Some(before + 10.0)); // a rise adds the volume
/// ```
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Obv {
    inner: ta::indicators::OnBalanceVolume,
    last: Option<f64>,
}

impl Obv {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Indicator for Obv {
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
