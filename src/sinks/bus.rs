//! The places of a sink of kind `nats`, in a build that has them.

use super::market::Tap;
use super::post::{About, Task, Tokens};
use super::{Place, PostError};
use crate::config::SinkSettings;

/// The subjects of a sink.
///
/// # Errors
/// [`PostError`].
#[cfg(feature = "nats")]
pub(super) fn subjects(name: &str, sink: &SinkSettings, tokens: Tokens<'_>) -> Result<Box<dyn Place>, PostError> {
    Ok(Box::new(super::nats::Subjects::new(link(name, sink, tokens)?, &sink.nats)))
}

/// Who publishes the market data of a sink, and where it is handed over.
///
/// # Errors
/// [`PostError`].
#[cfg(feature = "nats")]
pub(super) fn publisher(
    name: &str,
    sink: &SinkSettings,
    tokens: Tokens<'_>,
    about: About<'_>,
) -> Result<(Tap, Task), PostError> {
    let (tap, events) = Tap::new(&sink.nats, about.instruments.len());
    // A session that is taken up has the number that it had, and counts its events anew.
    let run = format!("{:016x}-{:x}", about.session, super::post::now().nanos());
    let (link, counts) = (link(name, sink, tokens)?, std::sync::Arc::clone(tap.counts()));
    let publisher =
        super::nats::Publisher::new(link, &sink.nats, run, about.instruments, about.offerings, events, counts);
    Ok((tap, Box::pin(publisher.run())))
}

#[cfg(feature = "nats")]
fn link(name: &str, sink: &SinkSettings, tokens: Tokens<'_>) -> Result<crate::sources::nats::Link, PostError> {
    let token = crate::sources::nats::who(tokens("nats", name));
    let token = token.map_err(|error| PostError::Key { name: name.to_owned(), error })?;
    let to = if sink.to.is_empty() { "nats://127.0.0.1:4222" } else { &sink.to };
    let link = crate::sources::nats::Link::new(to, token, None);
    link.map_err(|why| PostError::Setting { name: name.to_owned(), why: format!("to = {why}") })
}

/// A build without it has no such place.
///
/// # Errors
/// Always [`PostError::Setting`].
#[cfg(not(feature = "nats"))]
pub(super) fn subjects(name: &str, _: &SinkSettings, _: Tokens<'_>) -> Result<Box<dyn Place>, PostError> {
    Err(not_built(name))
}

/// A build without it publishes nothing.
///
/// # Errors
/// Always [`PostError::Setting`].
#[cfg(not(feature = "nats"))]
pub(super) fn publisher(name: &str, _: &SinkSettings, _: Tokens<'_>, _: About<'_>) -> Result<(Tap, Task), PostError> {
    Err(not_built(name))
}

#[cfg(not(feature = "nats"))]
fn not_built(name: &str) -> PostError {
    PostError::Setting { name: name.to_owned(), why: crate::sources::nats::NOT_BUILT.to_owned() }
}
