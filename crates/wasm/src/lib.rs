//! Strategies from WebAssembly components: read, checked, compiled, bounded, called.
//!
//! A component is of the world `bellwether:strategy` (`crates/guest/wit/strategy.wit`) and imports nothing: no clock, no
//! file, no network, no environment is reachable. Memory, instructions and time per call are bounded ([`Limits`]); what goes
//! beyond, traps or says what cannot be, stops that strategy alone
//! ([`Context::halt`](bellwether_sdk::Context::halt)). Equal inputs give equal results, bit for bit: NaNs are made
//! canonical, and the count of instructions ends a loop at the same place in every run.
//!
//! The crate decides nothing about trading; it knows no account and no key.

mod asked;
mod bindings;
mod cache;
mod check;
mod guest;
mod limits;
mod load;
mod make;
mod names;
mod seen;

pub use limits::Limits;
pub use load::WasmHost;
pub use make::{MakeError, componentize};
