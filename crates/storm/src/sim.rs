//! The simulation as its parts share it: one [`World`] behind a lock, its time, and what wakes the venue.
//!
//! Time is tokio's, paused: it stands while anybody has something to do, and leaps to the next thing that is due.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bellwether::exchange::drive::Clock;
use bellwether_sdk::Ts;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

use crate::world::World;

/// A millisecond.
pub const MS: i64 = 1_000_000;

/// One seed's simulation.
pub struct Sim {
    world: Mutex<World>,
    began: Instant,
    /// There is something new for the venue.
    pub stirred: Arc<Notify>,
    /// The process died.
    pub died: Arc<Notify>,
}

impl Sim {
    /// A world at its beginning. Must be made on the runtime whose time it has.
    pub fn new(world: World, died: Arc<Notify>, stirred: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { world: Mutex::new(world), began: Instant::now(), stirred, died })
    }

    /// Nanoseconds since the beginning.
    pub fn elapsed(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_nanos()).unwrap_or(i64::MAX)
    }

    /// The world as of now.
    pub fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.now = self.elapsed();
        world
    }

    /// When a moment of the world comes.
    pub fn instant(&self, at: i64) -> Instant {
        self.began + Duration::from_nanos(u64::try_from(at).unwrap_or(0))
    }

    /// Lets so many milliseconds pass.
    pub async fn pass(&self, ms: i64) {
        tokio::time::sleep(Duration::from_millis(u64::try_from(ms).unwrap_or(0))).await;
    }
}

/// The process' clock: it may jump, and as the machine's it never goes back.
pub struct ShiftedClock {
    /// Whose.
    pub sim: Arc<Sim>,
    /// The latest time it told.
    pub last: i64,
}

impl Clock for ShiftedClock {
    fn now(&mut self) -> Ts {
        let world = self.sim.world();
        self.last = self.last.max(crate::world::START + world.now + world.clock_shift);
        Ts::from_nanos(self.last)
    }
}

/// A process that stands still while its disk makes it wait.
pub struct Stalled<F> {
    sim: Arc<Sim>,
    process: Pin<Box<F>>,
    sleep: Pin<Box<Sleep>>,
}

impl<F: Future> Stalled<F> {
    /// A process in a world.
    pub fn new(sim: Arc<Sim>, process: F) -> Self {
        Self { sim, process: Box::pin(process), sleep: Box::pin(tokio::time::sleep(Duration::ZERO)) }
    }
}

impl<F: Future> Future for Stalled<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        loop {
            let (now, until) = {
                let world = self.sim.world();
                (world.now, world.stalled_until)
            };
            if until <= now {
                return self.process.as_mut().poll(context);
            }
            let at = self.sim.instant(until);
            self.sleep.as_mut().reset(at);
            if self.sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
