//! Hyperliquid's error texts and order states, sorted. It has no codes: the words are all there is.

use crate::exchange::{Fault, OrderStatus, Response, VenueError};

/// The words that an error begins with or holds, with class and reason. The first that fits counts.
const KNOWN: [(&str, Option<Fault>, &str); 22] = [
    ("User or API Wallet", Some(Fault::Authentication), ""),
    ("Invalid signature", Some(Fault::Authentication), ""),
    ("Too many cumulative requests", Some(Fault::RateLimited { retry_after_ms: Some(10_000) }), ""),
    ("Too Many Requests", Some(Fault::RateLimited { retry_after_ms: None }), ""),
    ("rate limit", Some(Fault::RateLimited { retry_after_ms: None }), ""),
    ("Invalid nonce", Some(Fault::ClockSkew), ""),
    ("nonce too", Some(Fault::ClockSkew), ""),
    ("divisible by tick", None, "price_off_tick"),
    ("invalid price", None, "price_off_tick"),
    ("too far from", None, "price_out_of_bounds"),
    ("minimum value", None, "notional_below_minimum"),
    ("invalid size", None, "size_off_lot"),
    ("Insufficient", None, "insufficient_funds"),
    ("Must deposit", None, "insufficient_funds"),
    ("educe only", None, "reduce_only"),
    ("Post only", None, "post_only_would_take"),
    ("could not immediately match", None, "no_liquidity"),
    ("No liquidity", None, "no_liquidity"),
    ("Invalid TP/SL", None, "would_trigger_at_once"),
    ("never placed, already canceled, or filled", None, "unknown_order"),
    ("Cannot modify canceled or filled", None, "unknown_order"),
    ("uplicate", None, "duplicate_order_id"),
];

/// The class and reason of an error's words.
pub(super) fn of_text(text: &str, write: bool) -> VenueError {
    let known = KNOWN.iter().find(|(words, ..)| text.contains(words));
    let fault = known.and_then(|(_, fault, _)| *fault).unwrap_or(Fault::Rejected);
    let error = VenueError::new(fault, "", text.chars().take(300).collect::<String>());
    match known {
        Some((.., reason)) if !reason.is_empty() => error.reason(reason),
        _ => error.unknown_if_timed_out(write),
    }
}

/// What a status other than 2xx means; `None` for a good one.
pub(super) fn of_status(response: &Response, write: bool) -> Option<VenueError> {
    if response.is_ok() {
        return None;
    }
    let mut error = VenueError::of_status(response.status, write, &response.body);
    if let Fault::RateLimited { retry_after_ms } = &mut error.fault {
        *retry_after_ms = response.retry_after_ms();
    }
    Some(error)
}

/// What the error of a request over the socket means: it begins with the status that REST would have given.
pub(super) fn of_post(text: &str) -> VenueError {
    match text.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse::<u16>().ok()) {
        Some(status @ 400..=599) => VenueError::of_status(status, true, text),
        _ => of_text(text, true),
    }
}

/// An order's state by its word, and the reason where the venue ended it.
pub(super) fn status(word: &str) -> (OrderStatus, &'static str) {
    let reason = match word {
        "tickRejected" => "price_off_tick",
        "minTradeNtlRejected" => "notional_below_minimum",
        "perpMarginRejected" | "insufficientSpotBalanceRejected" | "marginCanceled" => "insufficient_funds",
        "reduceOnlyRejected" | "reduceOnlyCanceled" => "reduce_only",
        "badAloPxRejected" => "post_only_would_take",
        "iocCancelRejected" | "marketOrderNoLiquidityRejected" => "no_liquidity",
        "badTriggerPxRejected" => "would_trigger_at_once",
        "oracleRejected" => "price_out_of_bounds",
        "delistedCanceled" => "market_closed",
        _ => "venue_rejected",
    };
    match word {
        "open" | "triggered" => (OrderStatus::Acknowledged, ""),
        "filled" => (OrderStatus::Filled, ""),
        "canceled" => (OrderStatus::Cancelled, ""),
        // The rest of an order that fills at once or goes.
        "iocCancelRejected" => (OrderStatus::Cancelled, reason),
        "scheduledCancel" => (OrderStatus::Cancelled, reason),
        "rejected" => (OrderStatus::Rejected, reason),
        _ if word.ends_with("Canceled") => (OrderStatus::Cancelled, reason),
        _ if word.ends_with("Rejected") => (OrderStatus::Rejected, reason),
        _ => (OrderStatus::Unknown, ""),
    }
}
