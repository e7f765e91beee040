//! Stories about the command itself: it is run as a person or a script runs it.

mod adopt;
mod answers;
mod backtest;
mod data;
mod death;
mod desk;
mod explain;
#[path = "../../../../src/report/document/tests/fits.rs"]
mod fits;
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
mod schema;
mod session;
mod settings;
mod shipped;
mod stop;
mod strategies;
mod swap;
mod venue;
