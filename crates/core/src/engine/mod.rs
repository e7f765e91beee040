//! The deterministic event loop: one event in, everything it causes out.
//!
//! [`Engine`] is the state machine: strategies, sizer, risk, order life, portfolio. It knows no venue: what it wants
//! done comes out as [`Command`]s, what was done goes in as [`Answer`](crate::orders::Answer)s. [`Replay`] drives it
//! against the simulated exchange from streams of stored events. Pure: time is the time of the events.

mod adopt;
mod circuit;
mod core;
mod merge;
mod outcome;
mod pair;
mod record;
mod replay;
mod slot;
mod state;
mod swap;
mod timers;

pub use self::core::{Command, Engine, EngineConfig, EngineError, Event, Said, What};
pub use adopt::{Adopted, Adoption};
pub use circuit::{Circuit, Ending, Passed, Person, Told, Waiting};
pub use merge::Merge;
pub use outcome::{Candle, Chart, ChartSeries, DayPoint, Drawdown, EquityPoint, Outcome};
pub use pair::Pair;
pub use replay::{Replay, ReplayError, SeriesPart};
pub use slot::{HOUSE, Halt, Input, OnHalt, SlotConfig};
pub use state::{Maker, StateError};
pub use swap::{Fresh, History, Newcomer, Seen, Step, Swap, Swapped};
pub use timers::Class;
