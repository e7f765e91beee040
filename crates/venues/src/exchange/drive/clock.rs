//! The driver's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use bellwether_sdk::Ts;

/// Tells the time; never goes back.
pub trait Clock: Send {
    /// Now.
    fn now(&mut self) -> Ts;
}

/// The system's clock, held where it would go back.
#[derive(Debug, Default)]
pub struct WallClock {
    last: i64,
}

impl Clock for WallClock {
    fn now(&mut self) -> Ts {
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX));
        self.last = self.last.max(now);
        Ts::from_nanos(self.last)
    }
}
