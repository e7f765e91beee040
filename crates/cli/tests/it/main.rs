//! Stories about the command itself: it is run as a person or a script runs it.

mod adopt;
mod backtest;
mod data;
mod death;
mod desk;
mod explain;
mod grid;
mod help;
mod keys;
#[cfg(unix)]
mod kill;
#[cfg(unix)]
mod operation;
mod pipes;
#[cfg(feature = "wasm")]
mod plugins;
mod runs;
mod sandbox;
mod session;
mod settings;
mod shipped;
mod stop;
mod strategies;
mod swap;
mod venue;
