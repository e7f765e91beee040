//! Messages out: what a session reports and the signals it makes, delivered where people and programs read.
//!
//! A session hands a [`Notice`] to the [`Post`] and goes on at once: the post has a thread of its own, a bounded [`Spool`]
//! on disk per place, and a courier per place that delivers in order, waits when the place is down and counts what it
//! must drop. Nothing here decides anything about trading.

mod bus;
mod courier;
mod digest;
mod disk;
mod file;
mod http;
mod mail;
mod market;
#[cfg(feature = "nats")]
mod nats;
mod notice;
mod post;
mod quiet;
mod spool;
mod telegram;
mod templates;
mod totp;

pub use courier::{Place, Undelivered};
pub use disk::free_bytes;
pub use file::message_schema;
pub use market::{Levels, MarketCounts, MarketEvent, Numbered, Offering, Tap};
pub use notice::{Message, Notice, TOPICS, topic_of};
pub use post::{About, Clock, Counts, Post, PostError, Tokens, place};
pub use spool::Spool;
pub use telegram::{Chat, Chats};
pub use templates::render;
pub use totp::{code_at, is_code};
