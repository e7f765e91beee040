//! What changed an account beside its orders: one log of the unified account, asked by the type of its rows.

use serde::Deserialize;

use super::errors::Envelope;
use super::rest::{List, result};
use crate::exchange::codec::{millis, query, to_millis};
use crate::exchange::{Digits, Listings, MovedRow, PaidRow, Reply, Request, Span, WireError};

/// Days that one question may span.
const DAYS: i64 = 7;
/// Types of rows about money in and out, with what stands before their cursors.
const IN: (&str, &str) = ("TRANSFER_IN", "in ");
const OUT: (&str, &str) = ("TRANSFER_OUT", "out ");

/// Which of money in and out is asked for at a place of a stretch.
pub(super) fn way(span: &Span) -> &'static str {
    if span.cursor.starts_with(OUT.1) { OUT.0 } else { IN.0 }
}

/// The question after rows of a type.
pub(super) fn request(kind: &str, span: &Span) -> Request {
    let (from, to) = (to_millis(span.from).to_string(), to_millis(span.end_within(DAYS)).to_string());
    let cursor = [IN.1, OUT.1].iter().find_map(|p| span.cursor.strip_prefix(p)).unwrap_or(&span.cursor);
    let mut fields = vec![("accountType", "UNIFIED")];
    if kind == "SETTLEMENT" {
        fields.push(("category", "linear"));
    }
    fields.extend([("type", kind), ("startTime", &from), ("endTime", &to), ("limit", "50")]);
    if !cursor.is_empty() {
        fields.push(("cursor", cursor));
    }
    Request::get("/v5/account/transaction-log", query(&fields), 1).signed()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    id: String,
    #[serde(default)]
    symbol: String,
    currency: String,
    #[serde(rename = "type")]
    kind: String,
    /// Cash flow, funding and fee together: by how much the wallet changed.
    #[serde(borrow)]
    change: Digits<'a>,
    #[serde(borrow)]
    transaction_time: Digits<'a>,
}

/// The next page, told by its cursor; a page that names itself is the last.
pub(super) fn next_page<T>(span: &Span, page: &List<'_, T>, before: &str) -> Option<Span> {
    let cursor = page.cursor.as_deref().filter(|c| !c.is_empty() && !page.list.is_empty())?;
    let next = format!("{before}{cursor}");
    (next != span.cursor).then(|| span.go_on(next))
}

pub(super) fn paid(envelope: &Envelope<'_>, span: &Span, listings: &Listings) -> Result<Reply, WireError> {
    let page: List<'_, Row<'_>> = result(envelope)?;
    let further = next_page(span, &page, "").or_else(|| span.after(span.end_within(DAYS)));
    let mut paid = Vec::with_capacity(page.list.len());
    for row in page.list.into_iter().filter(|r| r.kind == "SETTLEMENT") {
        let Some(listing) = listings.named(&row.symbol) else { continue };
        paid.push(PaidRow {
            instrument: listing.id,
            id: row.id,
            amount: row.change.decimal("change")?,
            currency: row.currency,
            ts_venue: millis("transactionTime", row.transaction_time)?,
        });
    }
    Ok(Reply::Paid(paid, further))
}

pub(super) fn moved(envelope: &Envelope<'_>, span: &Span) -> Result<Reply, WireError> {
    let page: List<'_, Row<'_>> = result(envelope)?;
    let before = if way(span) == OUT.0 { OUT.1 } else { IN.1 };
    let further = next_page(span, &page, before).or_else(|| match before == IN.1 {
        true => Some(span.go_on(OUT.1)),
        false => span.after(span.end_within(DAYS)),
    });
    let rows = page.list.into_iter().map(|row| {
        Ok(MovedRow {
            amount: row.change.decimal("change")?,
            currency: row.currency,
            word: row.kind,
            ts_venue: millis("transactionTime", row.transaction_time)?,
            id: row.id,
        })
    });
    Ok(Reply::Moved(rows.collect::<Result<_, WireError>>()?, further))
}
