//! Stories that cross doors: one binary, a module per story.

mod adopt;
mod check;
mod conformance;
mod conservation;
mod corners;
mod desk;
mod exchange;
mod fills;
mod flood;
mod guard;
mod history;
mod keys;
mod l2;
mod orders;
mod payloads;
mod properties;
mod rooms;
mod sandbox;
mod sessions;
mod signals;
#[cfg(unix)]
mod spot;
mod stored;
mod swap;
mod swap_places;
#[cfg(unix)]
mod tape_fails;
mod targets;
mod unsafe_code;
#[cfg(unix)]
mod watchdog;
