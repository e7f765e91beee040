//! Coinbase's refusals, sorted. They are words, in several places.

use std::borrow::Cow;

use serde::Deserialize;

use crate::exchange::codec::{json, not_understood};
use crate::exchange::{Fault, Response, VenueError};

/// The body of an answer that says yes.
///
/// # Errors
/// [`VenueError`], sorted by status and word.
pub(super) fn open(response: &Response, write: bool) -> Result<&str, VenueError> {
    #[derive(Deserialize, Default)]
    struct Refused<'a> {
        #[serde(borrow, default)]
        error: Cow<'a, str>,
        #[serde(borrow, default)]
        message: Cow<'a, str>,
        #[serde(borrow, default)]
        errors: Vec<One<'a>>,
    }
    #[derive(Deserialize)]
    struct One<'a> {
        #[serde(borrow, default)]
        id: Cow<'a, str>,
        #[serde(borrow, default)]
        message: Cow<'a, str>,
    }
    if response.is_ok() {
        return Ok(&response.body);
    }
    let mut error = VenueError::of_status(response.status, write, &response.body);
    if let Ok(refused) = json::<Refused<'_>>(&response.body) {
        let (word, text) = match refused.errors.first() {
            Some(one) => (one.id.clone(), one.message.clone()),
            None => (refused.error, refused.message),
        };
        if !word.is_empty() {
            error = VenueError::new(fault_of(&word).unwrap_or(error.fault), word.clone(), text)
                .reason(reason(&word))
                .unknown_if_timed_out(write);
        }
    }
    if let Fault::RateLimited { retry_after_ms: wait @ None } = &mut error.fault {
        *wait = response.retry_after_ms();
    }
    Err(error)
}

/// Words that say more than the status.
fn fault_of(word: &str) -> Option<Fault> {
    match word.to_ascii_lowercase().as_str() {
        "rate_limit_exceeded" | "resource_exhausted" => Some(Fault::RateLimited { retry_after_ms: None }),
        "unauthenticated" | "unauthorized" | "permission_denied" => Some(Fault::Authentication),
        _ => None,
    }
}

/// An error of a socket, which is words alone: of the key, of a limit, or of what was asked for.
pub(super) fn of_words(text: &str) -> VenueError {
    let words = text.to_ascii_lowercase().replace('_', " ");
    let speaks_of = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    let fault = if speaks_of(&["rate limit", "too many", "resource exhausted"]) {
        Fault::RateLimited { retry_after_ms: None }
    } else if speaks_of(&["authenticat", "unauthorized", "permission denied", "jwt"]) {
        Fault::Authentication
    } else {
        Fault::Rejected
    };
    VenueError::new(fault, "", text)
}

/// What a word means in the closed list. The same reason comes with and without prefixes, so parts are looked for.
pub(super) fn reason(word: &str) -> &'static str {
    const PARTS: &[(&str, &str)] = &[
        ("INSUFFICIENT_FUND", "insufficient_funds"),
        ("POST_ONLY", "post_only_would_take"),
        ("UNKNOWN_CANCEL_ORDER", "unknown_order"),
        ("ORDER_NOT_FOUND", "unknown_order"),
        ("NOT_FOUND", "unknown_order"),
        ("ORDER_IS_FULLY_FILLED", "unknown_order"),
        ("BASE_SIZE_TOO_SMALL", "size_below_minimum"),
        ("BELOW_MIN_SIZE", "size_below_minimum"),
        ("QUOTE_SIZE_TOO_SMALL", "notional_below_minimum"),
        ("SIZE_PRECISION", "size_off_lot"),
        ("PRICE_PRECISION", "price_off_tick"),
        ("STOP_PRICE_ABOVE_LAST", "would_trigger_at_once"),
        ("STOP_PRICE_BELOW_LAST", "would_trigger_at_once"),
        ("STOP_PRICE_BELOW_MARKET", "would_trigger_at_once"),
        ("LIMIT_PRICE_TOO_FAR", "price_out_of_bounds"),
        ("PRICE_OUT_OF_BOUND", "price_out_of_bounds"),
        ("NO_LIQUIDITY", "no_liquidity"),
        ("UNTRADABLE_PRODUCT", "market_closed"),
        ("ORDER_ENTRY_DISABLED", "market_closed"),
        ("REDUCE_ONLY", "reduce_only"),
    ];
    PARTS.iter().find(|(part, _)| word.contains(part)).map_or("venue_rejected", |(_, reason)| *reason)
}

/// Reads the body of an answer that says yes.
///
/// # Errors
/// [`VenueError`] when it is not understood: of a write the outcome is unknown.
pub(super) fn body<'a, T: Deserialize<'a>>(response: &'a Response, write: bool) -> Result<T, VenueError> {
    json(open(response, write)?).map_err(|e| not_understood(&e, write))
}
