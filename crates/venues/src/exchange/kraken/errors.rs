//! Kraken's error texts, sorted by what may be done about them. REST answers status 200 even for errors.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::exchange::{Fault, Response, VenueError};

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    error: Vec<String>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

/// The `result` of an answer.
///
/// # Errors
/// [`VenueError`], sorted into its class. What a write was answered with and cannot be read is an unknown outcome.
pub(super) fn result(response: &Response, write: bool) -> Result<&str, VenueError> {
    let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(&response.body) else {
        return Err(unreadable(response, write));
    };
    // Warnings begin with W and come beside a result.
    if let Some(error) = envelope.error.iter().find(|e| !e.starts_with('W')) {
        return Err(of_text(error, write));
    }
    match envelope.result {
        Some(result) if response.is_ok() => Ok(result.get()),
        _ => Err(unreadable(response, write)),
    }
}

/// What a body says that is none of Kraken's: an error page, or a truncated answer.
fn unreadable(response: &Response, write: bool) -> VenueError {
    let start: String = response.body.chars().take(200).collect();
    if response.is_ok() {
        let fault = if write { Fault::Unknown } else { Fault::Malformed };
        return VenueError::new(fault, "", format!("the answer is not Kraken's: {start:?}"));
    }
    let mut error = VenueError::of_status(response.status, write, &response.body);
    if let Fault::RateLimited { retry_after_ms } = &mut error.fault {
        *retry_after_ms = response.retry_after_ms();
    }
    error
}

/// The class and reason of an error text such as `EOrder:Insufficient funds`.
pub(super) fn of_text(text: &str, write: bool) -> VenueError {
    const LIMITS: [&str; 5] = [
        "EAPI:Rate limit exceeded",
        "EOrder:Rate limit exceeded",
        "EGeneral:Temporary lockout",
        "EGeneral:Too many requests",
        "EService:Throttled",
    ];
    const KEYS: [&str; 5] = [
        "EAPI:Invalid key",
        "EAPI:Invalid signature",
        "EGeneral:Permission denied",
        "ESession:Invalid session",
        "EAuth:",
    ];
    const FAILURES: [&str; 5] = [
        "EService:Unavailable",
        "EService:Busy",
        "EService:Timeout",
        "EDatabase:Internal error",
        "EGeneral:Internal error",
    ];
    let is_of = |list: &[&str]| list.iter().any(|known| text.starts_with(known));
    let fault = if is_of(&LIMITS) {
        Fault::RateLimited { retry_after_ms: None }
    } else if text.starts_with("EAPI:Invalid nonce") {
        // Another use of the key was faster, or our clock went back: nothing was done, and a later nonce is taken.
        Fault::ClockSkew
    } else if is_of(&KEYS) {
        Fault::Authentication
    } else if is_of(&FAILURES) {
        if write { Fault::Unknown } else { Fault::Transient }
    } else {
        Fault::Rejected
    };
    let words = text.split_once(':').map_or(text, |(_, words)| words);
    let error = VenueError::new(fault, text.chars().take(120).collect::<String>(), words.trim());
    match reason(text) {
        "" => error.unknown_if_timed_out(write),
        reason => error.reason(reason),
    }
}

/// The reason of the closed list that a text of Kraken's fits; empty for none.
pub(super) fn reason(text: &str) -> &'static str {
    const REASONS: [(&str, &str); 15] = [
        ("Insufficient funds", "insufficient_funds"),
        ("Insufficient margin", "insufficient_funds"),
        ("Insufficient initial margin", "insufficient_funds"),
        ("Order minimum not met", "size_below_minimum"),
        ("Cost minimum not met", "notional_below_minimum"),
        ("Unknown order", "unknown_order"),
        ("Post only", "post_only_would_take"),
        ("Tick size", "price_off_tick"),
        ("Invalid price", "price_out_of_bounds"),
        ("Price protection", "price_out_of_bounds"),
        ("Reduce only", "reduce_only"),
        ("Duplicate", "duplicate_order_id"),
        ("Invalid arguments:volume", "size_off_lot"),
        ("Market in", "market_closed"),
        ("No liquidity", "no_liquidity"),
    ];
    REASONS.iter().find(|(words, _)| text.contains(words)).map_or("", |(_, reason)| reason)
}
