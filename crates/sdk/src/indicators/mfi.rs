//! The money flow index.

use serde::{Deserialize, Serialize};

use super::window::Window;
use super::{Indicator, IndicatorError, Ohlcv, checked};

/// The share of the last `period` money flows (typical price × volume) that came with a rising typical price, in per
/// cent; zero where no money flowed, as in TA-Lib. Linear in the period per update: running sums keep a residue that
/// turns a quiet market into an index of 100.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Ohlcv, Mfi};
///
/// let bar = |close: f64| Ohlcv { open: close, high: close + 1.0, low: close - 1.0, close, volume: 10.0 };
/// let mut it = Mfi::new(2)?;
/// let last = [10.0, 11.0, 12.0].map(|x| it.update(bar(x)))[2];
/// assert_eq!(last, Some(100.0)); // money came in at every bar
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mfi {
    /// The last typical price.
    previous: Option<f64>,
    /// Below zero for falling prices.
    flows: Window,
}

impl Mfi {
    /// An index over `period` flows (usually 14).
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when the period is zero or beyond reason.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(Self { previous: None, flows: Window::new(checked("mfi", period)?) })
    }
}

fn flow(previous: f64, typical: f64, volume: f64) -> f64 {
    let change = typical - previous;
    // A change within the rounding of the typical price is none.
    if change.abs() <= 1e-14 * (typical.abs() + previous.abs()) { 0.0 } else { (typical * volume).copysign(change) }
}

fn index(flows: impl Iterator<Item = f64>) -> f64 {
    let (rising, all) = flows.fold((0.0, 0.0), |(rising, all), f| (rising + f.max(0.0), all + f.abs()));
    if all > 0.0 { 100.0 * (rising / all) } else { 0.0 }
}

impl Indicator for Mfi {
    type Input = Ohlcv;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.flows.period() + 1
    }

    fn update(&mut self, bar: Ohlcv) -> Option<f64> {
        if !bar.is_usable() {
            return None;
        }
        let typical = bar.typical();
        let previous = self.previous.replace(typical)?;
        self.flows.push(flow(previous, typical, bar.volume));
        self.value()
    }

    fn peek(&self, bar: Ohlcv) -> Option<f64> {
        let typical = bar.typical();
        let previous = self.previous.filter(|_| bar.is_usable() && self.flows.is_full_with_next())?;
        Some(index(self.flows.stored_with_next(flow(previous, typical, bar.volume))))
    }

    fn value(&self) -> Option<f64> {
        self.flows.is_full().then(|| index(self.flows.held().iter().copied()))
    }

    fn reset(&mut self) {
        self.previous = None;
        self.flows.clear();
    }
}
