//! Hyperliquid's socket for one account: its streams, and actions posted beside them.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::market::GREETING;
use super::{account, acts, errors, sign};
use crate::exchange::{AccountNote, Fault, Listings, Plan, TradeReply, Urls, VenueError, WireError};
use crate::keys::{KeyError, Signer};

/// The connection: orders and fills of the account are subscribed on it.
pub(super) fn plan(urls: &Urls, signer: &dyn Signer) -> Result<Plan, KeyError> {
    let user = sign::account(signer)?;
    let subscribe = |kind: &str| {
        format!("{{\"method\":\"subscribe\",\"subscription\":{{\"type\":\"{kind}\",\"user\":\"{user}\"}}}}")
    };
    let messages = vec![subscribe("orderUpdates"), subscribe("userFills")];
    Ok(Plan { url: urls.trade.clone(), login: None, messages, topics: Vec::new() })
}

/// A signed action as a message.
pub(super) fn post(number: u64, payload: &str) -> String {
    format!("{{\"method\":\"post\",\"id\":{number},\"request\":{{\"type\":\"action\",\"payload\":{payload}}}}}")
}

#[derive(Deserialize)]
struct Channel<'a> {
    channel: String,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Posted<'a> {
    id: u64,
    #[serde(borrow)]
    response: PostedResponse<'a>,
}

#[derive(Deserialize)]
struct PostedResponse<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    payload: &'a RawValue,
}

#[derive(Deserialize)]
struct Fills<'a> {
    #[serde(borrow, default)]
    fills: Option<&'a RawValue>,
}

/// Reads a message.
pub(super) fn read(text: &str, listings: &Listings) -> Result<TradeReply, WireError> {
    if text.trim() == GREETING {
        return Ok(TradeReply::Ignored);
    }
    let message: Channel<'_> = json(text)?;
    let data = message.data.map_or("null", RawValue::get);
    let notes = match message.channel.as_str() {
        "post" => return posted(data),
        "orderUpdates" => account::orders(data, listings)?,
        "userFills" | "user" => match json::<Fills<'_>>(data)?.fills {
            Some(rows) => account::fills(rows.get(), listings)?,
            None => Vec::new(),
        },
        "subscriptionResponse" => vec![AccountNote::Ready],
        "pong" => vec![AccountNote::Alive],
        "error" => {
            let words: String = serde_json::from_str(data).unwrap_or_else(|_| data.to_owned());
            vec![AccountNote::Refused(errors::of_text(&words, false))]
        }
        "userEvents" | "userFundings" | "notification" | "webData2" => Vec::new(),
        other => vec![AccountNote::Unexpected(other.chars().take(80).collect())],
    };
    Ok(TradeReply::Account(if notes.is_empty() { vec![AccountNote::Ignored] } else { notes }))
}

/// The answer to an action. What cannot be read may have been done: then the outcome is unknown.
fn posted(data: &str) -> Result<TradeReply, WireError> {
    let posted: Posted<'_> = json(data)?;
    let payload = posted.response.payload.get();
    let result = match posted.response.kind.as_str() {
        "action" => acts::answered(payload),
        "error" => {
            let words: String = serde_json::from_str(payload).unwrap_or_else(|_| payload.to_owned());
            Err(errors::of_post(&words))
        }
        other => Err(VenueError::new(Fault::Unknown, "", format!("an answer of the unknown kind {other:?}"))),
    };
    Ok(TradeReply::Answered(posted.id, result))
}

fn json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, WireError> {
    serde_json::from_str(text).map_err(|e| WireError::shape(e, text))
}
