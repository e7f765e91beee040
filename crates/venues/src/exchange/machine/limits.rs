//! A venue's limits, obeyed before it complains. Shared by all machines that speak to it from one address.
//!
//! Three things hold a request back: what we spent, by a bucket per limit; what all who share the limit used, as far
//! as the venue says it in its answers; and, where a venue counts acts per instrument, that count. The buckets are
//! `governor`'s, driven by the machines' time: nothing here reads a clock.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Add;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bellwether_sdk::{InstrumentId, Ts};
use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::nanos;
use crate::exchange::{ActCount, Used};

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

/// A second.
const SECOND: i64 = 1_000_000_000;
/// Of what all may use, questions leave a twentieth for acts.
const FOR_ACTS: u32 = 20;

/// What was used of a limit within the venue's present window: what we spent, and what others did as far as it was
/// told.
struct Window {
    limit: u32,
    long: i64,
    /// The window's number, and what was used in it; both in half of the bits.
    used: AtomicU64,
}

impl Window {
    const fn new(limit: u32, seconds: i64) -> Self {
        Self { limit, long: seconds * SECOND, used: AtomicU64::new(0) }
    }

    /// What was used in the window of a time, and that window's number.
    fn at(&self, state: u64, now: Ts) -> (u64, u32) {
        let number = u64::try_from(now.nanos().div_euclid(self.long)).unwrap_or(0) & u64::from(u32::MAX);
        (number, if state >> 32 == number { state as u32 } else { 0 })
    }

    fn change(&self, now: Ts, change: impl Fn(u32) -> u32) {
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| {
            let (number, used) = self.at(state, now);
            Some(number << 32 | u64::from(change(used)))
        });
    }

    /// The venue says what was used. Within the first second that may be the window before: clocks differ.
    fn told(&self, used: u32, now: Ts) {
        if now.nanos().rem_euclid(self.long) >= SECOND {
            self.change(now, |known| known.max(used));
        }
    }

    /// Whether there is room for more, or from when on there will be.
    fn room(&self, n: u32, most: u32, now: Ts) -> Result<(), Ts> {
        let (_, used) = self.at(self.used.load(Ordering::Relaxed), now);
        if used == 0 || used.saturating_add(n) <= most {
            return Ok(());
        }
        let left = self.long - now.nanos().rem_euclid(self.long);
        Err(now.plus(left + SECOND))
    }
}

/// The counts of acts per instrument: each in thousandths, as of a time.
struct Counts {
    rule: ActCount,
    counts: Mutex<BTreeMap<InstrumentId, (i64, Ts)>>,
}

impl Counts {
    const ONE: i64 = 1_000;

    const fn max(&self) -> i64 {
        self.rule.max as i64 * Self::ONE
    }

    /// Nanoseconds in which a count falls by so many thousandths.
    fn falls_in(&self, count: i64) -> i64 {
        let whole = i128::from(nanos(self.rule.empties_ms)) * i128::from(count.max(0));
        i64::try_from(whole / i128::from(self.max().max(1))).unwrap_or(i64::MAX)
    }

    fn change<T>(&self, instrument: InstrumentId, now: Ts, change: impl FnOnce(&mut i64) -> T) -> T {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, at) = counts.entry(instrument).or_insert((0, now));
        let passed = i128::from(now.nanos().saturating_sub(at.nanos()).max(0));
        let fallen = passed * i128::from(self.max()) / i128::from(nanos(self.rule.empties_ms).max(1));
        *count = count.saturating_sub(i64::try_from(fallen).unwrap_or(i64::MAX)).max(0);
        *at = now.max(*at);
        change(count)
    }
}

/// The request weight and the order rate of one venue from one address, and its counts of acts.
pub struct Limits {
    clock: Told,
    weight: Bucket,
    orders: Bucket,
    weight_used: Window,
    orders_used: Window,
    acts: Option<Counts>,
    burst: u32,
    /// Nothing is sent before this time: the venue said so.
    paused_until: AtomicI64,
}

impl Limits {
    /// Limits of a venue: request weight per minute, orders per ten seconds.
    pub fn new(weight_per_minute: u32, orders_per_10s: u32) -> Arc<Self> {
        Self::with_acts(weight_per_minute, orders_per_10s, None)
    }

    /// The same of a venue that counts acts per instrument.
    pub fn with_acts(weight_per_minute: u32, orders_per_10s: u32, acts: Option<ActCount>) -> Arc<Self> {
        let clock = Told::default();
        Arc::new(Self {
            weight: bucket(weight_per_minute, Duration::from_secs(60), clock.clone()),
            orders: bucket(orders_per_10s, Duration::from_secs(10), clock.clone()),
            weight_used: Window::new(weight_per_minute, 60),
            orders_used: Window::new(orders_per_10s, 10),
            acts: acts.map(|rule| Counts { rule, counts: Mutex::default() }),
            burst: (weight_per_minute / 2).max(1),
            clock,
            paused_until: AtomicI64::new(i64::MIN),
        })
    }

    /// Spends a question's weight, or says when it may be tried again. A request heavier than the bucket is let through
    /// when the bucket is full.
    ///
    /// # Errors
    /// The time from which on it may be tried again.
    pub fn spend(&self, weight: u32, now: Ts) -> Result<(), Ts> {
        self.spend_below(weight, self.weight_used.limit - self.weight_used.limit / FOR_ACTS, now)
    }

    /// Spends the weight of what is done about an order: it may use what questions leave.
    ///
    /// # Errors
    /// The time from which on it may be tried again.
    pub fn spend_on_act(&self, weight: u32, now: Ts) -> Result<(), Ts> {
        self.spend_below(weight, self.weight_used.limit, now)
    }

    fn spend_below(&self, weight: u32, most: u32, now: Ts) -> Result<(), Ts> {
        self.not_paused(now)?;
        let Some(weight) = NonZeroU32::new(weight.min(self.burst)) else { return Ok(()) };
        self.take(&self.weight, &self.weight_used, weight, most, now)
    }

    /// Spends one order, or says when it may be tried again.
    ///
    /// # Errors
    /// The time from which on it may be tried again.
    pub fn order(&self, now: Ts) -> Result<(), Ts> {
        self.not_paused(now)?;
        self.take(&self.orders, &self.orders_used, NonZeroU32::MIN, self.orders_used.limit, now)
    }

    /// The venue said what was used so far.
    pub fn told(&self, used: Used, now: Ts) {
        for (window, used) in [(&self.weight_used, used.weight), (&self.orders_used, used.orders)] {
            if let Some(used) = used {
                window.told(used, now);
            }
        }
    }

    /// Whether an instrument's count has room for an act that costs so much; it is counted when it is
    /// [sent](Self::acted).
    ///
    /// # Errors
    /// The time from which on it has.
    pub fn may_act(&self, instrument: InstrumentId, cost: u32, now: Ts) -> Result<(), Ts> {
        let Some(acts) = self.acts.as_ref().filter(|_| cost > 0) else { return Ok(()) };
        let over = acts.change(instrument, now, |count| *count + i64::from(cost) * Counts::ONE - acts.max());
        if over <= 0 { Ok(()) } else { Err(now.plus(acts.falls_in(over).saturating_add(1))) }
    }

    /// An act that costs so much was sent.
    pub fn acted(&self, instrument: InstrumentId, cost: u32, now: Ts) {
        if let Some(acts) = self.acts.as_ref().filter(|_| cost > 0) {
            acts.change(instrument, now, |count| *count = count.saturating_add(i64::from(cost) * Counts::ONE));
        }
    }

    /// The venue said to wait.
    pub fn pause(&self, until: Ts) {
        self.paused_until.fetch_max(until.nanos(), Ordering::Relaxed);
    }

    fn not_paused(&self, now: Ts) -> Result<(), Ts> {
        let until = Ts::from_nanos(self.paused_until.load(Ordering::Relaxed));
        if now < until { Err(until) } else { Ok(()) }
    }

    fn take(&self, bucket: &Bucket, window: &Window, n: NonZeroU32, most: u32, now: Ts) -> Result<(), Ts> {
        window.room(n.get(), most, now)?;
        self.clock.tell(now);
        match bucket.check_n(n) {
            Ok(Ok(())) => {
                window.change(now, |used| used.saturating_add(n.get()));
                Ok(())
            }
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

    #[test]
    fn what_others_used_holds_back_until_the_venues_window_ends_and_questions_leave_room_for_acts() {
        let limits = Limits::new(6_000, 100);
        // The beginning of a minute.
        let now = Ts::from_millis(1_700_000_040_000);
        let used = |weight, orders| Used { weight: Some(weight), orders: Some(orders) };
        limits.told(used(5_690, 99), now);
        assert_eq!((limits.spend(20, now), limits.order(now)), (Ok(()), Ok(())), "it may be that of the window before");
        let now = now.plus(2_000_000_000);
        limits.told(used(5_690, 99), now);
        limits.told(used(100, 3), now);
        assert_eq!((limits.spend(10, now), limits.order(now)), (Ok(()), Ok(())), "up to the limit");
        let minute = Ts::from_millis(1_700_000_100_000);
        assert_eq!(limits.spend(1, now), Err(minute.plus(SECOND)));
        assert_eq!(limits.spend_on_act(300, now), Ok(()), "the last twentieth is for acts");
        assert_eq!(limits.spend_on_act(1, now), Err(minute.plus(SECOND)));
        let ten = Ts::from_millis(1_700_000_050_000);
        assert_eq!(limits.order(now), Err(ten.plus(SECOND)));
        assert_eq!((limits.order(ten.plus(SECOND)), limits.spend(20, minute.plus(SECOND))), (Ok(()), Ok(())));
    }

    #[test]
    fn a_count_of_acts_fills_per_instrument_and_falls_with_time() {
        let limits = Limits::with_acts(100, 100, Some(ActCount { max: 60, empties_ms: 60_000 }));
        let (one, other) = (InstrumentId(1), InstrumentId(2));
        let now = Ts::from_millis(1_700_000_000_000);
        limits.acted(one, 59, now);
        assert_eq!((limits.may_act(one, 1, now), limits.may_act(other, 60, now)), (Ok(()), Ok(())));
        limits.acted(one, 9, now);
        let later = limits.may_act(one, 1, now).expect_err("it is over");
        assert!((later.nanos() - now.nanos() - 9 * SECOND).abs() < 1_000, "one per second: {later:?}");
        assert!(limits.may_act(one, 1, later.plus(-SECOND)).is_err());
        assert_eq!(limits.may_act(one, 1, later), Ok(()));
        assert_eq!(limits.may_act(one, 60, now.plus(200 * SECOND)), Ok(()), "it does not fall below nothing");
        assert_eq!(Limits::new(100, 100).may_act(one, 1_000, now), Ok(()), "most venues count none");
    }
}
