//! Indicators: one value in, one value out, no allocation per update. One per file, behind one trait.
//!
//! Values are `f64`: these feed decisions and charts, never money. Each agrees with TA-Lib within 1e-9 once it has its
//! first value (recursive ones with another seed once the seed's weight is below 1e-12), also on flat runs and on
//! prices of 1e-5; `tests/talib.rs` holds them to it. True range, rate of change and on-balance volume come from the
//! `ta` crate. Ours stand where it is wrong against TA-Lib (RSI, ATR, CCI, slow stochastic, Keltner), keeps rounding
//! residue for good (SMA, standard deviation, Bollinger bands, MFI), is linear in the period (highest, lowest), has no
//! seed to choose (EMA, MACD), or has none (WMA, ADX, Donchian, stochastic RSI).
//!
//! Input that is not finite, or of 1e100 and more, is ignored: `update` answers `None` and nothing changes. So one bad
//! value cannot poison a run.
//!
//! ```
//! use bellwether_sdk::indicators::{Ema, Indicator, Rsi};
//!
//! let mut fast = Ema::new(3)?;
//! assert_eq!(fast.update(10.0), Some(10.0));
//! assert_eq!(fast.peek(12.0), Some(11.0)); // what the unfinished bar would make of it
//! assert_eq!(fast.value(), Some(10.0));    // nothing has changed
//!
//! let mut rsi = Rsi::new(2)?;
//! let out: Vec<_> = [1.0, 2.0, 1.0, 3.0].map(|x| rsi.update(x)).to_vec();
//! assert_eq!(rsi.warmup(), 3);
//! assert_eq!(out[..3], [None, None, Some(50.0)]);
//! # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
//! ```

mod adx;
mod atr;
mod bollinger;
mod cci;
mod donchian;
mod ema;
mod extremes;
mod keltner;
mod macd;
mod mfi;
mod obv;
mod roc;
mod rsi;
mod sma;
mod stddev;
mod stoch_rsi;
mod stochastic;
mod true_range;
mod wilder;
mod window;
mod wma;

pub use adx::{Adx, AdxOutput};
pub use atr::Atr;
pub use bollinger::{Bollinger, BollingerOutput};
pub use cci::Cci;
pub use donchian::{Donchian, DonchianOutput};
pub use ema::{Ema, Seed};
pub use extremes::{Highest, Lowest};
pub use keltner::{Keltner, KeltnerOutput};
pub use macd::{Macd, MacdOutput};
pub use mfi::Mfi;
pub use obv::Obv;
pub use roc::Roc;
pub use rsi::Rsi;
pub use sma::Sma;
pub use stddev::StdDev;
pub use stoch_rsi::{StochRsi, StochRsiOutput};
pub use stochastic::{SlowStochastic, StochasticOutput};
pub use true_range::TrueRange;
pub use wilder::Wilder;
pub use wma::Wma;

use serde::{Deserialize, Serialize};

use crate::{Bar, Instrument, ParamError};

/// An indicator: values in, values out once there are enough of them.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Sma};
///
/// let mut it = Sma::new(2)?;
/// it.update(1.0);
/// assert!(!it.is_ready());
/// it.update(3.0);
/// assert_eq!((it.value(), it.peek(5.0), it.warmup()), (Some(2.0), Some(4.0), 2));
/// it.reset();
/// assert_eq!(it.value(), None);
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
pub trait Indicator {
    /// What goes in: `f64`, or [`Ohlcv`] where a close is not enough.
    type Input;
    /// What comes out.
    type Output;

    /// How many inputs it takes to the first output, that one included.
    fn warmup(&self) -> usize;

    /// Takes one input and gives the new value; `None` while warming up, and when the input is unusable (which then
    /// changes nothing).
    fn update(&mut self, input: Self::Input) -> Option<Self::Output>;

    /// The value that [`update`](Self::update) would give, without taking the input: for the unfinished bar.
    fn peek(&self, input: Self::Input) -> Option<Self::Output>;

    /// The value after the last input taken; `None` while warming up.
    fn value(&self) -> Option<Self::Output>;

    /// Forgets all inputs.
    fn reset(&mut self);

    /// Whether it has a value.
    fn is_ready(&self) -> bool {
        self.value().is_some()
    }
}

/// One bar as indicators see it.
///
/// ```
/// use bellwether_sdk::Interval;
/// use bellwether_sdk::indicators::Ohlcv;
/// use bellwether_sdk::testing::{bars, instrument};
///
/// let bar = Ohlcv::of(&bars("100", Interval::HOUR)[0], &instrument(0, "test:AAA/USD"));
/// assert_eq!((bar.close, bar.typical()), (100.0, 100.0)); // typical: (high + low + close) / 3
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Ohlcv {
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Quantity traded.
    pub volume: f64,
}

impl Ohlcv {
    /// A bar of an instrument in its natural units.
    pub fn of(bar: &Bar, instrument: &Instrument) -> Self {
        let scale = instrument.price_scale;
        Self {
            open: bar.open.to_f64(scale),
            high: bar.high.to_f64(scale),
            low: bar.low.to_f64(scale),
            close: bar.close.to_f64(scale),
            volume: bar.volume.to_f64(instrument.qty_scale),
        }
    }

    /// The mean of high, low and close.
    #[inline]
    pub fn typical(&self) -> f64 {
        (self.high + self.low + self.close) / 3.0
    }

    #[inline]
    fn is_usable(&self) -> bool {
        [self.open, self.high, self.low, self.close, self.volume].into_iter().all(usable)
    }
}

impl ta::Open for Ohlcv {
    fn open(&self) -> f64 {
        self.open
    }
}

impl ta::High for Ohlcv {
    fn high(&self) -> f64 {
        self.high
    }
}

impl ta::Low for Ohlcv {
    fn low(&self) -> f64 {
        self.low
    }
}

impl ta::Close for Ohlcv {
    fn close(&self) -> f64 {
        self.close
    }
}

impl ta::Volume for Ohlcv {
    fn volume(&self) -> f64 {
        self.volume
    }
}

/// An indicator cannot be made so.
///
/// ```
/// use bellwether_sdk::indicators::Sma;
///
/// assert!(Sma::new(0).is_err());
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum IndicatorError {
    /// A period is outside of what can be.
    #[error("the period of {name} is {period}; write a whole number from 1 to {PERIOD_MAX}")]
    Period {
        /// The indicator.
        name: &'static str,
        /// What was asked.
        period: usize,
    },
    /// A width is not a finite number of zero or more.
    // The number would bring 20 kB of code into every component: what writes an `f64` as text.
    #[error("the width of {name} is no finite number of zero or more; write one")]
    Width {
        /// The indicator.
        name: &'static str,
        /// What was asked.
        width: f64,
    },
}

impl From<IndicatorError> for ParamError {
    fn from(error: IndicatorError) -> Self {
        Self::Conflict(error.to_string())
    }
}

/// The longest period: what a strategy may keep in memory by one number (80 MB).
pub const PERIOD_MAX: usize = 10_000_000;

/// Whether a value may enter an indicator: finite, and so small that neither squares nor sums overflow.
#[inline]
fn usable(x: f64) -> bool {
    x.abs() < 1e100
}

fn checked(name: &'static str, period: usize) -> Result<usize, IndicatorError> {
    if (1..=PERIOD_MAX).contains(&period) { Ok(period) } else { Err(IndicatorError::Period { name, period }) }
}

fn checked_width(name: &'static str, width: f64) -> Result<f64, IndicatorError> {
    if width.is_finite() && width >= 0.0 { Ok(width) } else { Err(IndicatorError::Width { name, width }) }
}

#[cfg(test)]
mod tests;
