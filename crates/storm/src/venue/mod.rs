//! How the venue speaks: one file per protocol, over the one [`Floor`]. No code is shared with the codecs under test.

mod binance;
mod bybit;

use bellwether::exchange::{Request, Response};

use crate::dice::Dice;
use crate::floor::{Floor, Said};

/// What the venue is like when a request reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It does what it is asked for.
    Well,
    /// It refuses: too many requests. Nothing is done.
    Limited,
    /// It refuses: overloaded. Nothing is done.
    Busy,
    /// It does it, and answers with an error of its own.
    Broken,
}

/// What a protocol is spoken over.
pub struct Desk<'a> {
    /// The truth.
    pub floor: &'a mut Floor,
    /// For what the venue decides by chance.
    pub dice: &'a mut Dice,
    /// The public id of the key that is good.
    pub key: &'a str,
    /// See there.
    pub mood: Mood,
    /// Questions are answered with what was so many milliseconds ago.
    pub lag_ms: i64,
}

impl Desk<'_> {
    /// Whether what happened at a time is known to whoever answers questions.
    pub fn knows(&self, ms: i64) -> bool {
        ms <= self.floor.ms - self.lag_ms
    }
}

/// What a client set up on a connection.
#[derive(Debug, Clone, Default)]
pub struct Ear {
    /// It hears the market.
    pub market: bool,
    /// It hears of its orders.
    pub account: bool,
    /// It has shown its key.
    pub known: bool,
}

/// A protocol.
pub trait Mouth: Send {
    /// The instrument, as bellwether calls it.
    fn symbol(&self) -> &'static str;

    /// What a client of a new connection at an address hears from the beginning.
    fn opened(&self, url: &str) -> Ear;

    /// Answers a request.
    fn answer(&mut self, desk: &mut Desk<'_>, request: &Request) -> Response;

    /// Hears a message, and says what follows on the same connection.
    fn hear(&mut self, desk: &mut Desk<'_>, ear: &mut Ear, text: &str) -> Vec<String>;

    /// What clients are told.
    fn tell(&self, said: &Said, ms: i64) -> Vec<String>;

    /// The client's id of an order that a message or a request's query and body places.
    fn places(&self, text: &str) -> Option<String>;
}

/// The protocols that there are.
pub const NAMES: [&str; 2] = ["binance", "bybit"];

/// A protocol by its name.
pub fn mouth(name: &str) -> Option<Box<dyn Mouth>> {
    match name {
        "binance" => Some(Box::new(binance::Binance)),
        "bybit" => Some(Box::new(bybit::Bybit)),
        _ => None,
    }
}

/// An answer in JSON.
fn json(status: u16, body: String) -> Response {
    Response { status, headers: Vec::new(), body }
}

/// Digits of a whole number of units with a point before the last `scale` of them.
fn digits(units: i128, scale: usize) -> String {
    let (sign, units) = (if units < 0 { "-" } else { "" }, units.unsigned_abs());
    let text = format!("{units:0>width$}", width = scale + 1);
    let (whole, part) = text.split_at(text.len() - scale);
    format!("{sign}{whole}.{part}")
}

/// A decimal's units at a scale; `None` for what is none, or has more digits.
fn units(text: &str, scale: usize) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = part.trim_end_matches('0');
    (part.len() <= scale).then(|| format!("{whole}{part:0<scale$}").parse().ok()).flatten()
}
