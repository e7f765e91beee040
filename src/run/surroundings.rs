//! What a session on venues' feeds stands in: network, clock and disk. This machine's, or simulated ones, in which the same
//! code runs through what goes wrong (`crates/storm`).

use std::sync::Arc;

use crate::exchange::drive::{Clock, WallClock};
use crate::exchange::transport::Transport;
use crate::tape::{OnDisk, Waits, plain_disk};

/// Network, clock and disk.
pub struct Surroundings<'a> {
    /// The way to venues.
    pub transport: Arc<dyn Transport>,
    /// Makes clocks that tell the same time.
    pub clock: &'a dyn Fn() -> Box<dyn Clock>,
    /// What stands between the tape and its file.
    pub disk: OnDisk,
    /// How much of the tape may wait for the disk.
    pub waits: Waits,
    /// Whether time passes by itself: then the stages of the way are counted in a file beside the tape, by a thread of
    /// its own, and the way is kept warm.
    pub in_real_time: bool,
}

impl Surroundings<'static> {
    /// This machine's, with a way to venues.
    pub fn of_this_machine(transport: Arc<dyn Transport>) -> Self {
        Self {
            transport,
            clock: &|| Box::<WallClock>::default(),
            disk: plain_disk(),
            waits: Waits::default(),
            in_real_time: true,
        }
    }
}
