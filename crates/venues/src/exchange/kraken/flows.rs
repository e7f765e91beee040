//! What came into an account or left it: its ledger, asked by the type of its rows, one after the other.

use bellwether_sdk::Decimal;
use serde::Deserialize;

use super::names::currency;
use super::rest::seconds_before;
use super::rows::{Map, read, wrong};
use super::time;
use crate::exchange::codec::{negated, sum};
use crate::exchange::{Digits, MovedRow, Reply, Span, VenueError};

/// The types, in the order in which they are asked.
const KINDS: [&str; 3] = ["deposit", "withdrawal", "transfer"];
/// Rows of one answer.
const PAGE: usize = 50;

/// Where in a stretch an answer ended: which type, and how many rows of it were told.
fn place(span: &Span) -> (usize, usize) {
    let (kind, told) = span.cursor.split_once(' ').unwrap_or_default();
    (kind.parse().unwrap_or(0).min(KINDS.len() - 1), told.parse().unwrap_or(0))
}

/// The form of the question.
pub(super) fn form(span: &Span) -> String {
    let (kind, told) = place(span);
    let (start, end) = (seconds_before(span.from), seconds_before(span.to.plus(1)));
    format!("type={}&start={start}&end={end}&ofs={told}", KINDS[kind])
}

pub(super) fn moved(result: &str, span: &Span) -> Result<Reply, VenueError> {
    #[derive(Deserialize)]
    struct Whole<'a> {
        #[serde(borrow)]
        ledger: Map<'a>,
    }
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(rename = "type")]
        kind: String,
        asset: String,
        #[serde(borrow)]
        amount: Digits<'a>,
        #[serde(borrow)]
        fee: Digits<'a>,
        #[serde(borrow)]
        time: Digits<'a>,
    }
    let whole: Whole<'_> = read(result)?;
    let mut rows = Vec::with_capacity(whole.ledger.len());
    for (id, row) in &whole.ledger {
        let row: Row<'_> = read(row.get())?;
        let net: Option<Decimal> =
            sum(row.amount.decimal("amount").map_err(wrong)?, negated(row.fee.decimal("fee").map_err(wrong)?));
        rows.push(MovedRow {
            id: id.clone(),
            amount: net.ok_or_else(|| VenueError::malformed("an amount does not fit"))?,
            currency: currency(&row.asset),
            word: row.kind,
            ts_venue: time::seconds("time", row.time).map_err(wrong)?,
        });
    }
    let (kind, told) = place(span);
    let further = match (rows.len() >= PAGE, kind + 1 < KINDS.len()) {
        (true, _) => Some(span.go_on(format!("{kind} {}", told + rows.len()))),
        (false, true) => Some(span.go_on(format!("{} 0", kind + 1))),
        (false, false) => None,
    };
    Ok(Reply::Moved(rows, further))
}
