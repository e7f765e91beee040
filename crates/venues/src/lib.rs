//! The exchange door: venues as codecs, the machines they share, the transport, and the keys that sign for them.
//!
//! The library `bellwether` gives these rooms on beside its own; use it, not this crate.

/// Whether a known bug is planted here: in builds that try out the storm, and nowhere else.
#[cfg(bellwether_bugs)]
macro_rules! planted {
    ($name:literal) => {
        crate::bugs::is($name)
    };
}
#[cfg(not(bellwether_bugs))]
macro_rules! planted {
    ($name:literal) => {
        false
    };
}

#[cfg(bellwether_bugs)]
#[doc(hidden)]
pub mod bugs;
pub mod exchange;
pub mod keys;

#[cfg(test)]
use bellwether_core::portfolio;
use bellwether_core::{market, orders, risk};
