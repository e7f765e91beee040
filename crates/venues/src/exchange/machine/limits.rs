//! A venue's limits, obeyed before it complains. Shared by all machines that speak to it from one address.
//!
//! The buckets are `governor`'s, driven by the machines' time: nothing here reads a clock.

use std::num::NonZeroU32;
use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use bellwether_sdk::Ts;
use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// A point in time of the machines, for `governor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Point(u64);

impl Add<Nanos> for Point {
    type Output = Self;
    fn add(self, nanos: Nanos) -> Self {
        Self(self.0.saturating_add(nanos.as_u64()))
    }
}

impl Reference for Point {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }
    fn saturating_sub(&self, duration: Nanos) -> Self {
        self.0.checked_sub(duration.as_u64()).map_or(*self, Self)
    }
}

/// The time that was told last.
#[derive(Debug, Clone, Default)]
struct Told(Arc<AtomicU64>);

impl Told {
    fn tell(&self, now: Ts) {
        self.0.fetch_max(u64::try_from(now.nanos()).unwrap_or(0), Ordering::Relaxed);
    }
}

impl Clock for Told {
    type Instant = Point;
    fn now(&self) -> Point {
        Point(self.0.load(Ordering::Relaxed))
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, Told, NoOpMiddleware<Point>>;

/// Half of a limit may be spent at once and the same half refills over the window: so no window of that length, however
/// it is cut, sees more than the limit.
fn bucket(limit: u32, window: Duration, clock: Told) -> Bucket {
    let half = NonZeroU32::new(limit / 2).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(window / half.get()).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
    RateLimiter::direct_with_clock(quota.allow_burst(half), clock)
}

/// The request weight and the order rate of one venue from one address.
pub struct Limits {
    clock: Told,
    weight: Bucket,
    orders: Bucket,
    burst: u32,
    /// Nothing is sent before this time: the venue said so.
    paused_until: AtomicI64,
}

impl Limits {
    /// Limits of a venue: request weight per minute, orders per ten seconds.
    pub fn new(weight_per_minute: u32, orders_per_10s: u32) -> Arc<Self> {
        let clock = Told::default();
        Arc::new(Self {
            weight: bucket(weight_per_minute, Duration::from_secs(60), clock.clone()),
            orders: bucket(orders_per_10s, Duration::from_secs(10), clock.clone()),
            burst: (weight_per_minute / 2).max(1),
            clock,
            paused_until: AtomicI64::new(i64::MIN),
        })
    }

    /// Spends weight, or says when it may be tried again. A request heavier than the bucket is let through when the
    /// bucket is full.
    ///
    /// # Errors
    /// The time from which on it may be tried again.
    pub fn spend(&self, weight: u32, now: Ts) -> Result<(), Ts> {
        self.not_paused(now)?;
        let Some(weight) = NonZeroU32::new(weight.min(self.burst)) else { return Ok(()) };
        self.take(&self.weight, weight, now)
    }

    /// Spends one order, or says when it may be tried again.
    ///
    /// # Errors
    /// The time from which on it may be tried again.
    pub fn order(&self, now: Ts) -> Result<(), Ts> {
        self.not_paused(now)?;
        self.take(&self.orders, NonZeroU32::MIN, now)
    }

    /// The venue said to wait.
    pub fn pause(&self, until: Ts) {
        self.paused_until.fetch_max(until.nanos(), Ordering::Relaxed);
    }

    fn not_paused(&self, now: Ts) -> Result<(), Ts> {
        let until = Ts::from_nanos(self.paused_until.load(Ordering::Relaxed));
        if now < until { Err(until) } else { Ok(()) }
    }

    fn take(&self, bucket: &Bucket, n: NonZeroU32, now: Ts) -> Result<(), Ts> {
        self.clock.tell(now);
        match bucket.check_n(n) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(later)) => {
                let wait = i64::try_from(later.wait_time_from(self.clock.now()).as_nanos()).unwrap_or(i64::MAX);
                Err(now.plus(wait.max(1)))
            }
            // Cannot be: the weight was cut to the bucket.
            Err(_) => Err(now.plus(1_000_000_000)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_sees_more_than_the_limit() {
        let limits = Limits::new(100, 10);
        let start = 1_700_000_000_000_000_000_i64;
        let mut sent = Vec::new();
        // Tries every 50 ms for five minutes.
        for step in 0..6_000_i64 {
            let now = start + step * 50_000_000;
            while limits.spend(5, Ts::from_nanos(now)).is_ok() {
                sent.push(now);
            }
        }
        let most = sent.iter().map(|t| sent.iter().filter(|u| **u >= *t && **u < *t + 60_000_000_000).count()).max();
        assert!(most.is_some_and(|n| n * 5 <= 100), "{most:?}");
        assert!(sent.len() * 5 > 200, "the limit is used: {}", sent.len());
    }

    #[test]
    fn a_refusal_says_when_and_a_pause_holds_everything() {
        let limits = Limits::new(20, 2);
        let now = Ts::from_millis(1_700_000_000_000);
        assert_eq!(limits.order(now), Ok(()));
        let again = limits.order(now).expect_err("one of two at once");
        assert!(again > now && limits.order(again).is_ok());
        limits.pause(now.plus(90_000_000_000));
        assert_eq!(limits.spend(1, again), Err(now.plus(90_000_000_000)));
    }
}
