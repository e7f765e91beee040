//! What changed an account beside its orders: its bills, asked by their type.

use std::borrow::Cow;

use serde::Deserialize;

use super::errors::Envelope;
use super::rest::data;
use crate::exchange::codec::{amount, millis, query, to_millis};
use crate::exchange::{Digits, Listings, MovedRow, PaidRow, Reply, Request, Span, WireError};

/// Rows of one answer.
const PAGE: usize = 100;
/// Days that the list of recent bills holds, with a margin: what is older is asked of the archive, which has three months.
const RECENT: i64 = 6;

/// The question after bills of a type.
pub(super) fn request(kind: &str, span: &Span) -> Request {
    let path = if span.end_within(RECENT) < span.to { "bills-archive" } else { "bills" };
    let (begin, end) = (to_millis(span.from).to_string(), to_millis(span.to).to_string());
    let mut fields = vec![("type", kind), ("begin", &*begin), ("end", &*end), ("limit", "100")];
    if !span.cursor.is_empty() {
        fields.push(("after", &span.cursor));
    }
    Request::get(format!("/api/v5/account/{path}"), query(&fields), 1).signed()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(borrow)]
    bill_id: Cow<'a, str>,
    #[serde(borrow, default)]
    inst_id: Cow<'a, str>,
    #[serde(borrow)]
    ccy: Cow<'a, str>,
    #[serde(borrow)]
    bal_chg: Digits<'a>,
    #[serde(borrow)]
    sub_type: Cow<'a, str>,
    #[serde(borrow)]
    ts: Digits<'a>,
}

/// Bills come newest first: a full page goes on behind its last.
fn further(span: &Span, rows: &[Row<'_>]) -> Option<Span> {
    let last = rows.last().filter(|_| rows.len() >= PAGE)?;
    Some(span.go_on(last.bill_id.as_ref()))
}

pub(super) fn paid(envelope: &Envelope<'_>, span: &Span, listings: &Listings) -> Result<Reply, WireError> {
    let rows: Vec<Row<'_>> = data(envelope)?;
    let further = further(span, &rows);
    let mut paid = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(listing) = listings.named(&row.inst_id) else { continue };
        paid.push(PaidRow {
            instrument: listing.id,
            id: row.bill_id.into_owned(),
            amount: amount("balChg", row.bal_chg)?,
            currency: row.ccy.into_owned(),
            ts_venue: millis("ts", row.ts)?,
        });
    }
    Ok(Reply::Paid(paid, further))
}

pub(super) fn moved(envelope: &Envelope<'_>, span: &Span) -> Result<Reply, WireError> {
    let rows: Vec<Row<'_>> = data(envelope)?;
    let further = further(span, &rows);
    let rows = rows.into_iter().map(|row| {
        Ok(MovedRow {
            id: row.bill_id.into_owned(),
            amount: amount("balChg", row.bal_chg)?,
            currency: row.ccy.into_owned(),
            word: match row.sub_type.as_ref() {
                "11" => "transfer_in".to_owned(),
                "12" => "transfer_out".to_owned(),
                other => format!("transfer_{other}"),
            },
            ts_venue: millis("ts", row.ts)?,
        })
    });
    Ok(Reply::Moved(rows.collect::<Result<_, WireError>>()?, further))
}
