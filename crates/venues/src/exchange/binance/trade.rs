//! The trading socket: Binance's WebSocket API. On spot it also carries the private stream.
//!
//! A connection of an Ed25519 key logs on once, and its orders need no signature of their own; with other keys each is
//! signed. Requests carry our numbers as ids; what is not a request of the gateway carries a word.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{AccountNote, Act, Fault, Listings, Plan, Product, Stamp, TradeReply, Urls, VenueError, WireError};
use super::dialect::Dialect;
use super::errors::{self, ErrorWire};
use super::params::Params;
use super::{account, answers, orders, sign};
use crate::keys::{KeyError, Scheme, Signer};

/// The id of the logon.
const LOGON: &str = "logon";
/// The id of the private stream's subscription.
const ACCOUNT: &str = "account";

/// The connection; `None` where the user has set it to nothing.
///
/// # Errors
/// [`KeyError`].
pub(super) fn plan(d: &Dialect, urls: &Urls, signer: &dyn Signer, stamp: Stamp) -> Result<Option<Plan>, KeyError> {
    if urls.trade.is_empty() {
        return Ok(None);
    }
    let signed = |id: &str, method: &str| {
        let params = sign::params(Params::new(), signer, stamp)?;
        Ok(format!("{{\"id\":\"{id}\",\"method\":\"{method}\",\"params\":{}}}", params.object()))
    };
    let login = logs_on(signer).then(|| signed(LOGON, "session.logon")).transpose()?;
    let messages = match d.product {
        Product::Spot => vec![signed(ACCOUNT, "userDataStream.subscribe.signature")?],
        Product::Linear => Vec::new(),
    };
    Ok(Some(Plan { url: urls.trade.clone(), login, messages, topics: Vec::new() }))
}

fn logs_on(signer: &dyn Signer) -> bool {
    signer.scheme() == Scheme::Ed25519
}

/// An act as a message; `None` where it goes by REST.
///
/// # Errors
/// [`VenueError`].
pub(super) fn say(
    d: &Dialect,
    act: &Act,
    number: u64,
    listings: &Listings,
    signer: &dyn Signer,
    stamp: Stamp,
) -> Result<Option<String>, VenueError> {
    let (door, params) = orders::spoken(d, act, listings)?;
    let Some(method) = door.socket else { return Ok(None) };
    let params = if logs_on(signer) {
        sign::logged_on(params, stamp)
    } else {
        sign::params(params, signer, stamp).map_err(|e| VenueError::new(Fault::Authentication, "", e.to_string()))?
    };
    let mut text = String::with_capacity(640);
    // Writing to a String cannot fail.
    let _ = write!(text, "{{\"id\":{number},\"method\":\"{method}\",\"params\":");
    params.object_into(&mut text);
    text.push('}');
    Ok(Some(text))
}

#[derive(Deserialize)]
struct MessageWire<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    status: Option<u16>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<ErrorWire<'a>>,
}

/// Reads a message.
///
/// # Errors
/// [`WireError`] when it is not understood.
pub(super) fn read(text: &str, listings: &Listings) -> Result<TradeReply, WireError> {
    let wire: MessageWire<'_> = account::parse(text)?;
    let Some(status) = wire.status else {
        return account::read(text, listings).map(TradeReply::Account);
    };
    let id = wire.id.map_or("null", RawValue::get);
    if let Ok(number) = id.parse::<u64>() {
        return Ok(TradeReply::Answered(number, answer(&wire, status, listings)));
    }
    let refused = wire.error.as_ref().map(|e| errors::of_socket(e, status));
    Ok(match (id.trim_matches('"'), refused) {
        (LOGON, None) => TradeReply::LoggedIn(Ok(())),
        (LOGON, Some(error)) => TradeReply::LoggedIn(Err(error)),
        (ACCOUNT, None) => TradeReply::Account(vec![AccountNote::Ready]),
        (ACCOUNT, Some(error)) => TradeReply::Account(vec![AccountNote::Refused(error)]),
        // The venue could not even read the id of what it refuses.
        (_, Some(error)) => TradeReply::Account(vec![AccountNote::Unexpected(error.to_string())]),
        (_, None) => TradeReply::Ignored,
    })
}

fn answer(wire: &MessageWire<'_>, status: u16, listings: &Listings) -> Result<Vec<super::super::ActReply>, VenueError> {
    match (&wire.error, wire.result) {
        (Some(error), _) => match answers::halves(error, listings) {
            Some(halves) => Ok(halves),
            None => Err(errors::of_socket(error, status)),
        },
        (None, Some(result)) if (200..300).contains(&status) => {
            answers::of_result(result.get(), listings).map_err(super::rows::unknown)
        }
        (None, _) => Err(VenueError::of_status(status, true, "an answer without a result")),
    }
}
