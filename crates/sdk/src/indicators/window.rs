//! The last `n` values, in a ring. Allocates once.

use serde::{Deserialize, Serialize};

/// A ring of the last `n` values.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Window {
    values: Vec<f64>,
    /// Where the next one goes; the oldest, once full.
    next: usize,
    len: usize,
}

impl Window {
    pub(super) fn new(period: usize) -> Self {
        Self { values: vec![0.0; period], next: 0, len: 0 }
    }

    pub(super) fn period(&self) -> usize {
        self.values.len()
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len == self.values.len()
    }

    /// Whether one more makes it full, or it is full already.
    #[inline]
    pub(super) fn is_full_with_next(&self) -> bool {
        self.len + 1 >= self.values.len()
    }

    /// The value that the next push drives out; zero while there is room.
    #[inline]
    pub(super) fn oldest(&self) -> f64 {
        self.values[self.next]
    }

    /// Whether the next push is the last of a round.
    #[inline]
    pub(super) fn comes_round(&self) -> bool {
        self.next + 1 == self.values.len()
    }

    /// Puts a value in, over the oldest.
    #[inline]
    pub(super) fn push(&mut self, x: f64) {
        self.values[self.next] = x;
        self.len = (self.len + 1).min(self.values.len());
        self.next += 1;
        if self.next == self.values.len() {
            self.next = 0;
        }
    }

    /// The values held, in no particular but always the same order.
    #[inline]
    pub(super) fn held(&self) -> &[f64] {
        &self.values[..self.len]
    }

    /// The values held, oldest first.
    #[inline]
    pub(super) fn in_order(&self) -> impl Iterator<Item = f64> {
        let start = if self.is_full() { self.next } else { 0 };
        let held = self.held();
        held[start..].iter().chain(&held[..start]).copied()
    }

    /// The values that remain when the oldest leaves, then `x`.
    pub(super) fn with_next(&self, x: f64) -> impl Iterator<Item = f64> {
        self.in_order().skip(usize::from(self.is_full())).chain(std::iter::once(x))
    }

    /// What [`held`](Self::held) would give after pushing `x`, in the same order, so that sums come out to the bit.
    pub(super) fn stored_with_next(&self, x: f64) -> impl Iterator<Item = f64> + Clone {
        let (before, after) = self.held().split_at(self.next.min(self.len));
        before.iter().copied().chain(std::iter::once(x)).chain(after.iter().skip(1).copied())
    }

    pub(super) fn clear(&mut self) {
        self.values.fill(0.0);
        self.next = 0;
        self.len = 0;
    }
}
