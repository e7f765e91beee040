//! NATS: signals of other processes, as they are said or as a stream of JetStream kept them. A feature of the build.
//!
//! Subjects are `PREFIX.signal.VENUE.PAIR`, `PREFIX.notice.TOPIC` and `PREFIX.market.KIND.VENUE.PAIR`; docs/bus.md.

mod form;
#[cfg(feature = "nats")]
mod link;
#[cfg(feature = "nats")]
mod listen;
#[cfg(feature = "nats")]
mod pull;
mod venue;
#[cfg(test)]
mod venue_tests;
#[cfg(feature = "nats")]
mod way;

use std::sync::Arc;

use bellwether_sdk::Ts;

use super::Gate;
use crate::config::{BusFeed, NatsSource};
use crate::exchange::transport::Transport;
use crate::keys::{KeyError, Token};

pub use form::{MARKET_VERSION, MarketForm, MarketWhat, RulesForm, Taker, market_schema};
#[cfg(feature = "nats")]
pub use link::{Link, NatsError, StreamSpec};
pub use venue::{BusVenue, Offered, told};

/// Who cannot be reached in this build.
pub const NOT_BUILT: &str = "this program was built without NATS; build it with `--features nats`";

/// The words of an instrument in a subject: `binance:BTC/USDT:USDT` is `binance.BTC-USDT_USDT`.
pub fn subject_of(instrument: &str) -> String {
    let (venue, pair) = instrument.split_once(':').unwrap_or(("none", instrument));
    format!("{}.{}", word(venue), word(&pair.replace('/', "-").replace(':', "_")))
}

/// One word of a subject: what has a meaning there, or is no plain letter, becomes a dash.
pub fn word(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '-' }).collect();
    if plain.is_empty() { "-".to_owned() } else { plain }
}

/// Who we are at a server: a token that is not set is none, because not every server asks.
///
/// # Errors
/// [`KeyError`] for one that is set and cannot be used.
pub fn who(found: Result<Token, KeyError>) -> Result<Option<Token>, KeyError> {
    match found {
        Ok(token) => Ok(Some(token)),
        Err(KeyError::Absent { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Listens for ever; `since` is the time from which on a stream is heard.
///
/// # Errors
/// What is wrong with the settings, or that the build cannot.
#[cfg(feature = "nats")]
pub(super) fn listener(
    settings: NatsSource,
    token: Option<Token>,
    gate: Arc<Gate>,
    since: Ts,
) -> Result<impl Future<Output = ()> + Send + 'static, String> {
    let link = listen::link(&settings, token, &gate)?;
    Ok(listen::Listener::new(settings, link, gate, since).run())
}

/// Without the feature nobody listens.
///
/// # Errors
/// Always [`NOT_BUILT`].
#[cfg(not(feature = "nats"))]
pub(super) fn listener(_: NatsSource, _: Option<Token>, _: Arc<Gate>, _: Ts) -> Result<std::future::Ready<()>, String> {
    Err(NOT_BUILT.to_owned())
}

/// A transport that also knows the way to the server of the settings.
///
/// # Errors
/// What is wrong with the settings, or that the build cannot.
#[cfg(feature = "nats")]
pub fn way(settings: &BusFeed, token: Option<Token>, other: Arc<dyn Transport>) -> Result<Arc<dyn Transport>, String> {
    Ok(Arc::new(way::BusWay::new(settings, token, other)?))
}

/// Without the feature there is no way.
///
/// # Errors
/// Always [`NOT_BUILT`].
#[cfg(not(feature = "nats"))]
pub fn way(_: &BusFeed, _: Option<Token>, _: Arc<dyn Transport>) -> Result<Arc<dyn Transport>, String> {
    Err(NOT_BUILT.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instrument_is_two_words_of_a_subject_whatever_its_name() {
        assert_eq!(subject_of("binance:BTC/USDT"), "binance.BTC-USDT");
        assert_eq!(subject_of("binance:BTC/USDT:USDT-261225"), "binance.BTC-USDT_USDT-261225");
        assert_eq!(subject_of("us:BRK.B/USD"), "us.BRK-B-USD");
        for hostile in ["", ":", "a:*", "x:>", "v:a.b c\r\nPUB", "a.b:c"] {
            let subject = subject_of(hostile);
            let words: Vec<&str> = subject.split('.').collect();
            assert_eq!(words.len(), 2, "{subject}");
            assert!(words.iter().all(|w| !w.is_empty() && !w.contains(['*', '>', ' ', '\r', '\n'])), "{subject}");
        }
    }

    #[test]
    fn nobody_in_particular_is_allowed_and_a_broken_secret_is_not() {
        let absent = KeyError::Absent { name: "X".to_owned() };
        assert!(matches!(who(Err(absent)), Ok(None)));
        assert!(who(Err(KeyError::Variable { name: "X".to_owned(), why: "empty".to_owned() })).is_err());
    }
}
