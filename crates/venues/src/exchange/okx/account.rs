//! The private stream: orders with their fills, positions, balances.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::errors::of_code;
use super::facts::Table;
use super::rows::{Held, Order, Wallet};
use super::sign;
use crate::exchange::codec::{Writer, array, json};
use crate::exchange::{AccountNote, Listings, OrderStatus, Plan, Product, Stamp, Urls, WireError};
use crate::keys::{KeyError, Signer};

/// The connection of the private stream.
pub(super) fn plan(table: &Table, urls: &Urls, signer: &dyn Signer, stamp: Stamp) -> Result<Plan, KeyError> {
    let of_kind = |channel| Writer::default().text("channel", channel).text("instType", table.kind).end();
    let mut args = vec![of_kind("orders"), Writer::default().text("channel", "account").end()];
    if table.product == Product::Linear {
        args.push(of_kind("positions"));
    }
    Ok(Plan {
        url: urls.account.clone(),
        login: Some(sign::login(signer, stamp)?),
        messages: vec![format!(r#"{{"op":"subscribe","args":{}}}"#, array(args))],
        topics: Vec::new(),
    })
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    arg: Option<Arg<'a>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    event: &'a str,
    #[serde(default)]
    code: &'a str,
    #[serde(borrow, default)]
    msg: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Arg<'a> {
    #[serde(default)]
    channel: &'a str,
}

/// Reads a message.
pub(super) fn read(text: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    if text == "pong" {
        return Ok(vec![AccountNote::Alive]);
    }
    let message: Message<'_> = json(text)?;
    if !message.event.is_empty() {
        return Ok(vec![answer(&message, text)]);
    }
    let (Some(arg), Some(data)) = (&message.arg, message.data.map(RawValue::get)) else {
        return Err(WireError::shape("neither an event nor data", text));
    };
    let notes = match arg.channel {
        "orders" => orders(data, listings)?,
        "positions" => positions(data, listings)?,
        "account" => {
            let rows: Vec<Wallet<'_>> = json(data)?;
            let mut notes = Vec::new();
            for row in &rows {
                notes.extend(row.balances()?.into_iter().map(AccountNote::Balance));
            }
            notes
        }
        _ => vec![AccountNote::Unexpected(text.chars().take(200).collect())],
    };
    Ok(if notes.is_empty() { vec![AccountNote::Ignored] } else { notes })
}

fn answer(message: &Message<'_>, text: &str) -> AccountNote {
    match message.event {
        "login" if message.code == "0" => AccountNote::LoggedIn,
        "subscribe" => AccountNote::Ready,
        "error" | "login" => AccountNote::Refused(of_code(message.code, &message.msg, false)),
        "notice" => AccountNote::Leaving(message.msg.to_string()),
        "unsubscribe" | "channel-conn-count" => AccountNote::Ignored,
        _ => AccountNote::Unexpected(text.chars().take(200).collect()),
    }
}

/// The fill of a message comes before the state that it leads to.
fn orders(data: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    let rows: Vec<Order<'_>> = json(data)?;
    let mut notes = Vec::with_capacity(rows.len() * 2);
    for row in &rows {
        let Some(listing) = listings.named(row.inst_id) else { continue };
        if let Some(fill) = row.fill(listing)? {
            notes.push(AccountNote::Fill(fill));
        }
        let note = row.note(listing)?;
        if note.status == OrderStatus::Unknown {
            notes.push(AccountNote::Unexpected(format!("order {} is in a state {:?}", note.venue_id, note.text)));
        }
        notes.push(AccountNote::Order(note));
    }
    Ok(notes)
}

fn positions(data: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    let rows: Vec<Held<'_>> = json(data)?;
    let mut notes = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some(listing) = listings.named(row.inst_id) else { continue };
        notes.push(if row.pos_side == "net" {
            AccountNote::Position(row.position(listing)?)
        } else {
            // One side of two: the other may be held as well, so this is not the whole position.
            AccountNote::Unexpected(format!("{} is held in long/short mode, which is not spoken", row.inst_id))
        });
    }
    Ok(notes)
}
