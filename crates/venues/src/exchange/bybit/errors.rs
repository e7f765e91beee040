//! Bybit's codes, sorted.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::exchange::codec::json;
use crate::exchange::{Digits, Fault, Response, VenueError};

/// What every answer of REST is wrapped in.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(rename = "retCode")]
    pub code: i64,
    #[serde(rename = "retMsg", borrow, default)]
    pub text: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    pub result: Option<&'a RawValue>,
    #[serde(rename = "retExtInfo", borrow, default)]
    pub more: Option<&'a RawValue>,
    /// The venue's time of the answer, milliseconds.
    #[serde(borrow, default)]
    pub time: Option<Digits<'a>>,
}

/// The envelope of an answer that says yes.
///
/// # Errors
/// [`VenueError`], sorted: the code where there is one, else the status.
pub(super) fn open(response: &Response, write: bool) -> Result<Envelope<'_>, VenueError> {
    match json::<Envelope<'_>>(&response.body) {
        Ok(envelope) if envelope.code == 0 && response.is_ok() => Ok(envelope),
        Ok(envelope) if envelope.code != 0 => {
            let mut error = of_code(envelope.code, &envelope.text, write);
            if let Fault::RateLimited { retry_after_ms } = &mut error.fault {
                *retry_after_ms = until_reset(response, &envelope);
            }
            Err(error)
        }
        Err(e) if response.is_ok() => Err(crate::exchange::codec::not_understood(&e, write)),
        _ => Err(of_status(response, write)),
    }
}

/// Milliseconds to the time that a header names, by the venue's own clock.
fn until_reset(response: &Response, envelope: &Envelope<'_>) -> Option<u64> {
    let reset: i64 = response.header("x-bapi-limit-reset-timestamp")?.parse().ok()?;
    let now = envelope.time?.mantissa("time", 0).ok()?;
    u64::try_from(reset.checked_sub(now)?).ok()
}

/// A status without a code. 403 with these words is the limit per address, which bans for ten minutes.
fn of_status(response: &Response, write: bool) -> VenueError {
    let mut error = VenueError::of_status(response.status, write, &response.body);
    if response.status == 403 && response.body.contains("too frequent") {
        error.fault = Fault::RateLimited { retry_after_ms: Some(600_000) };
    }
    if let Fault::RateLimited { retry_after_ms: wait @ None } = &mut error.fault {
        *wait = response.retry_after_ms();
    }
    error
}

/// A code, sorted.
pub(super) fn of_code(code: i64, text: &str, write: bool) -> VenueError {
    let fault = match code {
        10006 | 10018 | 10429 | 20003 | 10403 => Fault::RateLimited { retry_after_ms: None },
        10000 | 10016 | 170001 | 170007 | 170146 | 170147 if write => Fault::Unknown,
        10000 | 10016 | 170001 | 170007 | 170146 | 170147 | 110079 => Fault::Transient,
        10002 | -1 => Fault::ClockSkew,
        10003 | 10004 | 10005 | 10007 | 10009 | 10010 | 33004 | -2015 => Fault::Authentication,
        _ => Fault::Rejected,
    };
    let reason = match code {
        110072 | 10014 | 170141 => "duplicate_order_id",
        110001 | 110008 | 110010 | 170213 => "unknown_order",
        110004 | 110006 | 110007 | 110012 | 110044 | 110045 | 110052 | 170131 => "insufficient_funds",
        110094 | 170140 => "notional_below_minimum",
        170136 => "size_below_minimum",
        170137 => "size_off_lot",
        170134 => "price_off_tick",
        110003 | 170132 | 170133 | 170193 | 170194 => "price_out_of_bounds",
        110017 => "reduce_only",
        110092 | 110093 => "would_trigger_at_once",
        170218 => "post_only_would_take",
        _ => "venue_rejected",
    };
    VenueError::new(fault, code.to_string(), text).reason(reason).unknown_if_timed_out(write)
}

/// A refused login, sorted: by its code, and where that says nothing by its words.
pub(super) fn of_login(code: i64, text: &str) -> VenueError {
    let error = of_code(code, text, false);
    let words = text.to_ascii_lowercase();
    let speaks_of = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    let fault = match error.fault {
        Fault::Rejected if speaks_of(&["key", "sign", "permission", "unmatched ip"]) => Fault::Authentication,
        // A login whose time is over is called wrong in its parameters.
        Fault::Rejected if speaks_of(&["params error", "expire", "timestamp"]) => Fault::ClockSkew,
        fault => fault,
    };
    VenueError { fault, ..error }
}
