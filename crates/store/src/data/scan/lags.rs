//! Two clocks: how much later than the venue's stamp rows were received.

/// An even sample of all lags, since the middle one is asked for.
#[derive(Debug)]
pub(super) struct Lags {
    every: u64,
    rows: u64,
    sample: Vec<i64>,
}

impl Default for Lags {
    fn default() -> Self {
        Self { every: 1, rows: 0, sample: Vec::new() }
    }
}

impl Lags {
    /// A sample that is full keeps every second value.
    const ROWS_MAX: usize = 1 << 16;

    /// Takes the lag of the next row, in nanoseconds.
    pub(super) fn take(&mut self, lag: i64) {
        if self.rows.is_multiple_of(self.every) {
            if self.sample.len() == Self::ROWS_MAX {
                let mut keep = false;
                self.sample.retain(|_| {
                    keep = !keep;
                    keep
                });
                self.every *= 2;
            }
            if self.rows.is_multiple_of(self.every) {
                self.sample.push(lag);
            }
        }
        self.rows += 1;
    }

    /// The middle one; zero of none.
    pub(super) fn median(&mut self) -> i64 {
        let middle = self.sample.len() / 2;
        if self.sample.is_empty() { 0 } else { *self.sample.select_nth_unstable(middle).1 }
    }
}
