//! The private stream: orders, with what filled of them in all.

use std::borrow::Cow;

use bellwether_sdk::Qty;
use serde::Deserialize;

use super::errors::{of_words, reason};
use super::market::{Envelope, say};
use super::rows::status;
use super::sign;
use crate::exchange::codec::{iso, json};
use crate::exchange::{AccountNote, Digits, Listing, Listings, OrderNote, OrderStatus, Plan, Stamp, Urls, WireError};
use crate::keys::{KeyError, Signer};

/// The connection of the private stream, with the heartbeats that keep it open. The token is in the subscription.
pub(super) fn plan(urls: &Urls, listings: &Listings, signer: &dyn Signer, stamp: Stamp) -> Result<Plan, KeyError> {
    let names: Vec<&str> = listings.iter().map(|l| l.rules.stream_name.as_str()).collect();
    let token = sign::token(signer, stamp, None)?;
    let messages = vec![say("subscribe", "user", &names, Some(&token)), say("subscribe", "heartbeats", &[], None)];
    Ok(Plan { url: urls.account.clone(), login: None, messages, topics: Vec::new() })
}

#[derive(Deserialize)]
struct Row<'a> {
    order_id: &'a str,
    #[serde(borrow, default)]
    client_order_id: Cow<'a, str>,
    product_id: &'a str,
    status: &'a str,
    #[serde(borrow)]
    cumulative_quantity: Digits<'a>,
    #[serde(borrow, default)]
    cancel_reason: Cow<'a, str>,
    #[serde(borrow, default)]
    reject_reason: Cow<'a, str>,
}

impl Row<'_> {
    fn note(&self, listing: &Listing, timestamp: Option<&str>) -> Result<OrderNote, WireError> {
        let filled = self.cumulative_quantity.mantissa("cumulative_quantity", listing.rules.qty_scale)?;
        let status = status(self.status, Qty::from_mantissa(filled));
        let text = if self.reject_reason.is_empty() { &self.cancel_reason } else { &self.reject_reason };
        let known = status != OrderStatus::Unknown;
        Ok(OrderNote {
            instrument: listing.id,
            venue_id: self.order_id.to_owned(),
            client_id: self.client_order_id.to_string(),
            status,
            filled: Some(Qty::from_mantissa(filled)),
            reason: if status == OrderStatus::Rejected { reason(&self.reject_reason) } else { "" },
            text: if known { text.to_string() } else { self.status.to_owned() },
            ts_venue: timestamp.map_or(Ok(bellwether_sdk::Ts::NONE), |t| iso("timestamp", t))?,
        })
    }
}

/// Reads a message.
pub(super) fn read(text: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    let envelope: Envelope<'_> = json(text)?;
    if envelope.kind == "error" {
        return Ok(vec![AccountNote::Refused(of_words(&envelope.message))]);
    }
    let mut notes = vec![AccountNote::Sequence(envelope.number(text)?)];
    match envelope.channel {
        "user" => orders(&envelope, listings, &mut notes)?,
        "heartbeats" => notes.push(AccountNote::Alive),
        "subscriptions" => notes.push(subscribed(&envelope)?),
        _ => notes.push(AccountNote::Unexpected(text.chars().take(200).collect())),
    }
    Ok(notes)
}

/// The stream is on once the user channel is among the subscriptions.
fn subscribed(envelope: &Envelope<'_>) -> Result<AccountNote, WireError> {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        subscriptions: Channels<'a>,
    }
    #[derive(Deserialize)]
    struct Channels<'a> {
        #[serde(borrow, default)]
        user: Option<&'a serde_json::value::RawValue>,
    }
    let on = envelope.events::<Event<'_>>()?.iter().any(|e| e.subscriptions.user.is_some());
    Ok(if on { AccountNote::Ready } else { AccountNote::Ignored })
}

fn orders(envelope: &Envelope<'_>, listings: &Listings, notes: &mut Vec<AccountNote>) -> Result<(), WireError> {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow, default = "Vec::new")]
        orders: Vec<Row<'a>>,
    }
    for row in envelope.events::<Event<'_>>()?.iter().flat_map(|e| &e.orders) {
        let Some(listing) = listings.named(row.product_id) else { continue };
        let note = row.note(listing, envelope.timestamp)?;
        if note.status == OrderStatus::Unknown {
            notes.push(AccountNote::Unexpected(format!("order {} is in a state {:?}", note.venue_id, note.text)));
        }
        notes.push(AccountNote::Order(note));
    }
    Ok(())
}
