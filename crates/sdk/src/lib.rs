//! All that a Bellwether strategy sees: market events, signals, intents, the [`Strategy`] contract, indicators.
//!
//! No I/O, no clock, no keys, no async: what is not here a strategy cannot name. Builds for the host and for
//! `wasm32-unknown-unknown`.

mod capabilities;
mod event;
pub mod indicators;
mod instrument;
pub mod math;
mod mode;
pub mod num;
mod order;
#[doc(hidden)]
pub mod params;
mod per_instrument;
mod signal;
mod stance;
pub mod state;
mod strategy;
pub mod testing;
mod time;
mod view;

/// For the state of strategies: derive with `#[serde(crate = "bellwether_sdk::serde")]`.
pub use serde;

/// The version of this sdk.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

// The derives name the sdk by its crate name, also in here.
extern crate self as bellwether_sdk;

pub use bellwether_sdk_macros::{Choice, Params};
pub use capabilities::{Capabilities, OrderKinds};
pub use event::{Aggressor, Bar, Depth, Funding, Level, Quote, Side, Trade};
pub use instrument::{Instrument, InstrumentId, InstrumentKind, Symbol, SymbolError};
pub use mode::Mode;
pub use num::{Decimal, Money, NumError, Price, Qty, Rate};
pub use order::{
    Bracket, Fill, Intent, Liquidity, OrderId, OrderKind, OrderState, OrderUpdate, Role, Size, Tag, TimeInForce, Trail,
};
pub use params::{ParamError, ParamSpec, ParamType, ParamValues, Params};
pub use per_instrument::PerInstrument;
pub use signal::{Direction, Signal, SizeHint};
pub use stance::Stance;
pub use strategy::{AccountKind, Action, Context, Outbox, Plugin, Probe, Strategy};
pub use time::{Interval, IntervalError, Ts};
pub use view::{BookView, Feature, Features, InstrumentView, OpenOrder, OwnView, PositionView, View};

// The pages' own code is compiled and run. They are not among the sources that `strategy new` writes.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/your-first-strategy.md")]
mod your_first_strategy {}
#[cfg(doctest)]
#[doc = include_str!("../../../docs/coming-from-freqtrade.md")]
mod coming_from_freqtrade {}
