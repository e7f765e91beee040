//! The highest and the lowest of a window, in constant time per value whatever the period.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Indicator, IndicatorError, checked, usable};

/// Candidates for the highest value: each newer than and below the one before it. Of a run of equal ones the newest
/// stays.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Monotonic {
    period: usize,
    seen: u64,
    /// Number of the input and its value.
    candidates: VecDeque<(u64, f64)>,
}

impl Monotonic {
    fn new(name: &'static str, period: usize) -> Result<Self, IndicatorError> {
        // A few places only: a long window of prices has few candidates, and what it needs is allocated once.
        Ok(Self { period: checked(name, period)?, seen: 0, candidates: VecDeque::with_capacity(period.min(64)) })
    }

    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        let number = self.seen;
        self.seen += 1;
        while self.candidates.back().is_some_and(|&(_, back)| back <= x) {
            self.candidates.pop_back();
        }
        self.candidates.push_back((number, x));
        if self.candidates.front().is_some_and(|&(first, _)| first + self.period as u64 <= number) {
            self.candidates.pop_front();
        }
        self.highest()
    }

    #[inline]
    fn highest(&self) -> Option<f64> {
        self.candidates.front().filter(|_| self.seen >= self.period as u64).map(|&(_, x)| x)
    }

    fn highest_with(&self, x: f64) -> Option<f64> {
        let staying = self.candidates.iter().find(|&&(number, _)| number + self.period as u64 > self.seen);
        let highest = staying.map_or(x, |&(_, best)| best.max(x));
        (self.seen + 1 >= self.period as u64).then_some(highest)
    }

    fn clear(&mut self) {
        self.seen = 0;
        self.candidates.clear();
    }
}

/// The highest of the last `period` values.
///
/// ```
/// use bellwether_sdk::indicators::{Highest, Indicator};
///
/// let mut it = Highest::new(2)?;
/// assert_eq!([3.0, 2.0, 1.0].map(|x| it.update(x)), [None, Some(3.0), Some(2.0)]);
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Highest(Monotonic);

/// The lowest of the last `period` values.
///
/// ```
/// use bellwether_sdk::indicators::{Indicator, Lowest};
///
/// let mut it = Lowest::new(2)?;
/// assert_eq!([1.0, 2.0, 3.0].map(|x| it.update(x)), [None, Some(1.0), Some(2.0)]);
/// # Ok::<(), bellwether_sdk::indicators::IndicatorError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lowest(Monotonic);

impl Highest {
    /// The highest of `period` values.
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when the period is zero or beyond reason.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Monotonic::new("highest", period).map(Self)
    }
}

impl Lowest {
    /// The lowest of `period` values.
    ///
    /// # Errors
    /// [`IndicatorError::Period`] when the period is zero or beyond reason.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Monotonic::new("lowest", period).map(Self)
    }
}

impl Indicator for Highest {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.0.period
    }

    #[inline]
    fn update(&mut self, x: f64) -> Option<f64> {
        if usable(x) { self.0.push(x) } else { None }
    }

    fn peek(&self, x: f64) -> Option<f64> {
        if usable(x) { self.0.highest_with(x) } else { None }
    }

    #[inline]
    fn value(&self) -> Option<f64> {
        self.0.highest()
    }

    fn reset(&mut self) {
        self.0.clear();
    }
}

impl Indicator for Lowest {
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.0.period
    }

    #[inline]
    fn update(&mut self, x: f64) -> Option<f64> {
        if usable(x) { self.0.push(-x).map(|y| -y) } else { None }
    }

    fn peek(&self, x: f64) -> Option<f64> {
        if usable(x) { self.0.highest_with(-x).map(|y| -y) } else { None }
    }

    #[inline]
    fn value(&self) -> Option<f64> {
        self.0.highest().map(|y| -y)
    }

    fn reset(&mut self) {
        self.0.clear();
    }
}
