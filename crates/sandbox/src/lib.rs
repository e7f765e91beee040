//! The sandbox venue: an exchange on this machine that speaks Binance's spot protocols over stored data.
//!
//! The library `bellwether` gives this room on beside its own; use it, not this crate.

pub mod sandbox;

use bellwether_core::{market, orders, portfolio, risk, sim};
use bellwether_store::data;
