//! How many messages a minute are let through.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A window of a minute.
const WINDOW: Duration = Duration::from_secs(60);

/// Counts what was let through within the last minute.
#[derive(Debug)]
pub(super) struct PerMinute {
    max: usize,
    passed: VecDeque<Instant>,
}

impl PerMinute {
    pub(super) fn new(max: u32) -> Self {
        Self { max: max as usize, passed: VecDeque::new() }
    }

    /// Whether one more may pass now.
    pub(super) fn lets(&mut self, now: Instant) -> bool {
        while self.passed.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
            self.passed.pop_front();
        }
        let lets = self.passed.len() < self.max;
        if lets {
            self.passed.push_back(now);
        }
        lets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_pass_in_any_minute() {
        let (mut two, start) = (PerMinute::new(2), Instant::now());
        let at = |s: u64| start + Duration::from_secs(s);
        assert!(two.lets(at(0)) && two.lets(at(30)) && !two.lets(at(59)));
        assert!(two.lets(at(60)) && !two.lets(at(61)));
    }
}
