//! Answers to acts, by REST and by the trading socket: the same shapes, told apart by their fields.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{Act, ActReply, Digits, Fault, Listings, OrderStatus, Response, VenueError};
use super::errors::{self, ErrorWire};
use super::rows::{algo_venue_id, unknown};
use super::words;

/// One order in an answer, or the error it met. Every field may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AnswerWire<'a> {
    symbol: Option<String>,
    #[serde(borrow)]
    order_id: Option<Digits<'a>>,
    client_order_id: Option<String>,
    orig_client_order_id: Option<String>,
    status: Option<String>,
    #[serde(borrow)]
    executed_qty: Option<Digits<'a>>,
    #[serde(borrow)]
    algo_id: Option<Digits<'a>>,
    client_algo_id: Option<String>,
    algo_status: Option<String>,
    #[serde(borrow)]
    code: Option<Digits<'a>>,
    msg: Option<String>,
    /// The orders of a list of orders, in answers to "cancel all".
    #[serde(borrow)]
    order_reports: Option<&'a RawValue>,
    #[serde(borrow)]
    amended_order: Option<&'a RawValue>,
    cancel_result: Option<String>,
    new_order_result: Option<String>,
    #[serde(borrow)]
    cancel_response: Option<&'a RawValue>,
    #[serde(borrow)]
    new_order_response: Option<&'a RawValue>,
}

/// Reads the answer to an act. An answer that says "done" but is not understood is an unknown outcome.
///
/// # Errors
/// [`VenueError`], sorted into its class.
pub(super) fn reply(act: &Act, response: &Response, listings: &Listings) -> Result<Vec<ActReply>, VenueError> {
    if response.is_ok() {
        return of_result(&response.body, listings).map_err(unknown);
    }
    if let Ok(error) = serde_json::from_str::<ErrorWire<'_>>(&response.body) {
        if let Some(halves) = halves(&error, listings) {
            return Ok(halves);
        }
        // Nothing was open: nothing is.
        if matches!(act, Act::CancelAll(_) | Act::CancelAllConditional(_)) && error.code.text() == "-2011" {
            return Ok(Vec::new());
        }
    }
    Err(errors::of_response(response, true))
}

/// The two halves of a cancel-replace that failed in part or whole.
pub(super) fn halves(error: &ErrorWire<'_>, listings: &Listings) -> Option<Vec<ActReply>> {
    if !matches!(error.code.text(), "-2021" | "-2022") {
        return None;
    }
    let wire: AnswerWire<'_> = serde_json::from_str(error.data?.get()).ok()?;
    wire.cancel_result.as_ref()?;
    replaced(&wire, listings).ok()
}

/// Reads the result of a request that was taken.
///
/// # Errors
/// The parser's words.
pub(super) fn of_result(body: &str, listings: &Listings) -> Result<Vec<ActReply>, serde_json::Error> {
    if body.trim_start().starts_with('[') {
        let rows: Vec<AnswerWire<'_>> = serde_json::from_str(body)?;
        let mut replies = Vec::with_capacity(rows.len());
        for row in &rows {
            match row.order_reports {
                Some(reports) => {
                    let reports: Vec<AnswerWire<'_>> = serde_json::from_str(reports.get())?;
                    for report in &reports {
                        replies.push(one(report, listings)?);
                    }
                }
                None => replies.push(one(row, listings)?),
            }
        }
        return Ok(replies);
    }
    let wire: AnswerWire<'_> = serde_json::from_str(body)?;
    if wire.cancel_result.is_some() {
        return replaced(&wire, listings);
    }
    if let Some(amended) = wire.amended_order {
        return Ok(vec![one(&serde_json::from_str(amended.get())?, listings)?]);
    }
    // "Cancelled all" names no orders.
    if wire.names_nothing() && wire.code.is_some() && refusal(&wire).is_none() {
        return Ok(Vec::new());
    }
    Ok(vec![one(&wire, listings)?])
}

fn blank(refused: Option<VenueError>) -> ActReply {
    let status = if refused.is_some() { OrderStatus::Rejected } else { OrderStatus::Unknown };
    ActReply { venue_id: String::new(), client: None, status, filled: None, refused }
}

/// Why one was refused, if it was.
fn refusal(wire: &AnswerWire<'_>) -> Option<VenueError> {
    let code = wire.code.filter(|c| c.text().starts_with('-'))?;
    let error = ErrorWire { code, msg: wire.msg.clone().unwrap_or_default(), data: None };
    Some(errors::of_code(&error, 400, None, true))
}

impl AnswerWire<'_> {
    fn names_nothing(&self) -> bool {
        self.order_id.is_none() && self.algo_id.is_none()
    }
}

fn one(wire: &AnswerWire<'_>, listings: &Listings) -> Result<ActReply, serde_json::Error> {
    let listing = wire.symbol.as_deref().and_then(|s| listings.named(s));
    let filled = wire.executed_qty.zip(listing).and_then(|(q, l)| super::rows::qty("executedQty", q, l).ok());
    let refused = refusal(wire);
    if wire.names_nothing() && refused.is_none() {
        return Err(serde::de::Error::custom("no order in it"));
    }
    let status = match (&refused, &wire.status, &wire.algo_status) {
        (Some(_), ..) => OrderStatus::Rejected,
        (None, Some(word), _) => words::status(word),
        (None, None, Some(word)) => words::algo_status(word),
        // A conditional order's cancel answers with a code alone.
        (None, None, None) if wire.code.is_some() => OrderStatus::Cancelled,
        (None, None, None) => OrderStatus::Acknowledged,
    };
    let venue_id = match (wire.order_id, wire.algo_id) {
        (Some(id), _) => id.text().to_owned(),
        (None, Some(id)) => algo_venue_id(id, None),
        (None, None) => String::new(),
    };
    // Of a cancel, `clientOrderId` is the request's own on spot, and the order's is the original one. Of an amend the
    // two are equal, as we name it again.
    let client = wire.orig_client_order_id.as_ref().or(wire.client_order_id.as_ref()).or(wire.client_algo_id.as_ref());
    Ok(ActReply { venue_id, client: client.and_then(|c| c.parse().ok()), status, filled, refused })
}

/// First the cancelled order, then the new one.
fn replaced(wire: &AnswerWire<'_>, listings: &Listings) -> Result<Vec<ActReply>, serde_json::Error> {
    let half = |result: &Option<String>, answer: Option<&RawValue>| {
        let answer: Option<AnswerWire<'_>> = answer.map(|a| serde_json::from_str(a.get())).transpose()?;
        Ok(match (result.as_deref(), answer) {
            (Some("SUCCESS"), Some(answer)) => one(&answer, listings)?,
            (Some("FAILURE"), Some(answer)) => {
                let refused = refusal(&answer)
                    .unwrap_or_else(|| VenueError::new(Fault::Rejected, "", "refused without a reason"));
                blank(Some(refused))
            }
            (Some("NOT_ATTEMPTED"), _) => {
                blank(Some(VenueError::new(Fault::Rejected, "", "not tried, since the cancel failed")))
            }
            _ => blank(None),
        })
    };
    Ok(vec![half(&wire.cancel_result, wire.cancel_response)?, half(&wire.new_order_result, wire.new_order_response)?])
}
