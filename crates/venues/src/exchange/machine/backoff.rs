//! Waiting longer after each failure, with jitter from a seed, so that runs repeat.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// How long to wait between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffSettings {
    /// First wait, milliseconds; up to twice as long by jitter.
    pub first_ms: u64,
    /// Longest wait before jitter, milliseconds.
    pub max_ms: u64,
}

impl Default for BackoffSettings {
    fn default() -> Self {
        Self { first_ms: 200, max_ms: 30_000 }
    }
}

/// The waits of one series of failures: doubling up to the longest, each with a jitter of up to itself.
#[derive(Debug)]
pub struct Backoff {
    settings: BackoffSettings,
    seed: u64,
    series: u64,
    waits: ExponentialBackoff,
}

impl Backoff {
    /// A series; equal seeds give equal waits.
    pub fn new(settings: BackoffSettings, seed: u64) -> Self {
        Self { settings, seed, series: 0, waits: waits(settings, seed) }
    }

    /// Begins anew after a success.
    pub fn reset(&mut self) {
        // Another jitter than in the series before, and still the same in a run that is repeated.
        self.series += 1;
        self.waits = waits(self.settings, self.seed ^ self.series.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }

    /// The next wait, milliseconds.
    pub fn next_ms(&mut self) -> u64 {
        let wait = self.waits.next().unwrap_or(Duration::from_millis(self.settings.max_ms));
        u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
    }
}

fn waits(settings: BackoffSettings, seed: u64) -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(settings.first_ms.max(1)))
        .with_max_delay(Duration::from_millis(settings.max_ms.max(1)))
        .with_factor(2.0)
        .without_max_times()
        .with_jitter()
        .with_jitter_seed(seed)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_repeat_with_their_seed() {
        let settings = BackoffSettings { first_ms: 100, max_ms: 1_000 };
        let run = |seed| {
            let mut backoff = Backoff::new(settings, seed);
            (0..8).map(|_| backoff.next_ms()).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        let waits = run(7);
        assert!((100..=200).contains(&waits[0]), "{waits:?}");
        assert!(waits[5..].iter().all(|w| (1_000..=2_000).contains(w)), "{waits:?}");
    }
}
