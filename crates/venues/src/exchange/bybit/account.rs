//! The private stream: orders, executions, positions, balances.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::errors::{of_code, of_login};
use super::facts::Table;
use super::rows::{Execution, Held, Order, Wallet};
use super::sign;
use crate::exchange::codec::{array, json, quoted};
use crate::exchange::{AccountNote, Listings, OrderStatus, Plan, Stamp, Urls, WireError};
use crate::keys::{KeyError, Signer};

/// The connection of the private stream.
pub(super) fn plan(table: &Table, urls: &Urls, signer: &dyn Signer, stamp: Stamp) -> Result<Plan, KeyError> {
    let topics = array(table.account_topics.iter().map(|t| quoted(t)));
    Ok(Plan {
        url: urls.account.clone(),
        login: Some(sign::login(signer, stamp)?),
        messages: vec![format!(r#"{{"op":"subscribe","args":{topics}}}"#)],
        topics: Vec::new(),
    })
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    topic: Option<&'a str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    op: &'a str,
    #[serde(default)]
    success: Option<bool>,
    #[serde(rename = "retCode", default)]
    code: i64,
    #[serde(rename = "retMsg", borrow, default)]
    text: std::borrow::Cow<'a, str>,
    /// The same in the venue's other spelling.
    #[serde(rename = "ret_msg", borrow, default)]
    text_too: std::borrow::Cow<'a, str>,
}

/// Reads a message.
pub(super) fn read(table: &Table, text: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    let message: Message<'_> = json(text)?;
    let Some(topic) = message.topic else { return Ok(vec![answer(&message, text)]) };
    let data = message.data.map(RawValue::get).ok_or_else(|| WireError::shape("no data", text))?;
    let kind = topic.split('.').next().unwrap_or(topic);
    match kind {
        "order" => orders(table, data, listings),
        // The fast kind says no fees; it is not subscribed, and a fill without its fee is not booked.
        "execution" if topic.starts_with("execution.fast") => Ok(vec![AccountNote::Ignored]),
        "execution" => executions(table, data, listings),
        "position" => positions(table, data, listings),
        "wallet" => balances(data),
        _ => Ok(vec![AccountNote::Unexpected(text.chars().take(200).collect())]),
    }
}

fn answer(message: &Message<'_>, text: &str) -> AccountNote {
    let words = if message.text.is_empty() { &message.text_too } else { &message.text };
    match (message.op, message.success.unwrap_or(message.code == 0)) {
        ("ping" | "pong", _) => AccountNote::Alive,
        ("auth", true) => AccountNote::LoggedIn,
        ("subscribe", true) => AccountNote::Ready,
        ("auth", false) => AccountNote::Refused(of_login(message.code, words)),
        ("subscribe", false) => AccountNote::Refused(of_code(message.code, words, false)),
        _ => AccountNote::Unexpected(text.chars().take(200).collect()),
    }
}

/// A message without a row of this run is understood all the same.
fn or_ignored(notes: Vec<AccountNote>) -> Vec<AccountNote> {
    if notes.is_empty() { vec![AccountNote::Ignored] } else { notes }
}

fn orders(table: &Table, data: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    let rows: Vec<Order<'_>> = json(data)?;
    let mut notes = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some(listing) = row.listing(table, listings) else { continue };
        let note = row.note(listing)?;
        if note.status == OrderStatus::Unknown {
            notes.push(AccountNote::Unexpected(format!("order {} is in a state {:?}", note.venue_id, note.text)));
        }
        notes.push(AccountNote::Order(note));
    }
    Ok(or_ignored(notes))
}

fn executions(table: &Table, data: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    let rows: Vec<Execution<'_>> = json(data)?;
    let mut notes = Vec::with_capacity(rows.len());
    for row in rows.iter().filter(|r| r.is_fill()) {
        if let Some(listing) = row.listing(table, listings) {
            notes.push(AccountNote::Fill(row.fill(listing)?));
        }
    }
    Ok(or_ignored(notes))
}

fn positions(table: &Table, data: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    let rows: Vec<Held<'_>> = json(data)?;
    let mut notes = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some(listing) = row.listing(table, listings) else { continue };
        notes.push(if row.position_idx == 0 {
            AccountNote::Position(row.position(listing)?)
        } else {
            AccountNote::Unexpected(format!("{} is held in hedge mode, which is not spoken", row.symbol))
        });
    }
    Ok(or_ignored(notes))
}

fn balances(data: &str) -> Result<Vec<AccountNote>, WireError> {
    let rows: Vec<Wallet<'_>> = json(data)?;
    let mut notes = Vec::new();
    for row in &rows {
        notes.extend(row.balances()?.into_iter().map(AccountNote::Balance));
    }
    Ok(or_ignored(notes))
}
