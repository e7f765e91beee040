//! Signals in: whoever tells us something from outside the market, each behind the same gate into one mailbox.
//!
//! All sources of a session run on one thread of their own ([`Sources`]); the session reads its [`Mailbox`] between two
//! market events. A source decides nothing: the [`Gate`] refuses what does not read, is too old, from the future or about
//! an unknown instrument, and says so. Whether a message was heard before is asked by the engine, whose memory is the tape.

pub mod aleo;
mod api;
mod budget;
mod gate;
mod limits;
mod mailbox;
pub mod nats;
mod poll;
mod process;
mod run;
pub mod tokenmetrics;
mod webhook;

pub use api::{Api, ApiError};
pub use budget::{Budget, Used};
pub use gate::{Gate, GateSettings};
pub(crate) use mailbox::plain;
pub use mailbox::{Mail, Mailbox, Question, Sender, mailbox};
pub use run::{SourceError, Sources, Tokens, budgets};
pub use webhook::Webhook;
