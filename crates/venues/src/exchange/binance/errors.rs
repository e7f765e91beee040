//! The venue's error codes, sorted by what may be done about them.
//!
//! Codes from the venue's error documents (spot 2026-07; futures' numbers beyond -1xxx as commonly published). A 5xx
//! after a write is always an unknown outcome, whatever its text says: asking costs a moment, a double order money. The
//! one exception is -1008, which says that nothing was done.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{Digits, Fault, Response, VenueError};

/// An error as the venue writes it.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorWire<'a> {
    /// The code.
    #[serde(borrow)]
    pub code: Digits<'a>,
    /// Its words.
    #[serde(default)]
    pub msg: String,
    /// What happened to each half of a cancel-replace; or the times of a ban.
    #[serde(borrow, default)]
    pub data: Option<&'a RawValue>,
}

/// Until when requests are refused.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BanWire {
    server_time: u64,
    retry_after: u64,
}

/// What a response with a bad status means.
pub(super) fn of_response(response: &Response, write: bool) -> VenueError {
    let retry = response.retry_after_ms();
    match serde_json::from_str::<ErrorWire<'_>>(&response.body) {
        Ok(error) => of_code(&error, response.status, retry, write),
        // 403 is the firewall's word for too many requests, and a web page.
        Err(_) if matches!(response.status, 403 | 418 | 429) => {
            let fault = Fault::RateLimited { retry_after_ms: retry };
            VenueError { fault, ..VenueError::of_status(response.status, write, &response.body) }
        }
        Err(_) => VenueError::of_status(response.status, write, &response.body),
    }
}

/// What an error of the WebSocket API means.
pub(super) fn of_socket(error: &ErrorWire<'_>, status: u16) -> VenueError {
    let ban = error.data.and_then(|d| serde_json::from_str::<BanWire>(d.get()).ok());
    of_code(error, status, ban.map(|b| b.retry_after.saturating_sub(b.server_time)), true)
}

/// What a code means, met with a status.
pub(super) fn of_code(error: &ErrorWire<'_>, status: u16, retry_after_ms: Option<u64>, write: bool) -> VenueError {
    let code: i64 = error.code.text().parse().unwrap_or(0);
    let open = if write { Fault::Unknown } else { Fault::Transient };
    let fault = match (code, status) {
        (-1008, _) => Fault::Transient,
        (-1003 | -1015, _) | (_, 418 | 429) => Fault::RateLimited { retry_after_ms },
        (-1021, _) => Fault::ClockSkew,
        (-1002 | -1022 | -2014 | -2015 | -2017, _) | (_, 401) => Fault::Authentication,
        (-1000 | -1001 | -1006 | -1007, _) | (_, 408 | 500..) => open,
        // One half may have been done; who reads both halves does not come here.
        (-2021 | -2022, _) if error.msg.contains("cancel-replace") => open,
        (-1004 | -1016, _) => Fault::Transient,
        _ => Fault::Rejected,
    };
    let words: String = error.msg.chars().take(200).collect();
    VenueError::new(fault, error.code.text(), words).reason(reason(code, &error.msg)).unknown_if_timed_out(write)
}

/// The reason of the closed list.
fn reason(code: i64, words: &str) -> &'static str {
    match code {
        -1013 | -1111 | -2010 | -2011 | -1010 => by_words(words),
        -2013 => "unknown_order",
        -2018 | -2019 => "insufficient_funds",
        // On spot -2021 and -2022 are halves of a cancel-replace, whose answers say more.
        -2021 if !words.contains("cancel-replace") => "would_trigger_at_once",
        -2022 if !words.contains("cancel-replace") => "reduce_only",
        -4004 => "size_below_minimum",
        -4023 => "size_off_lot",
        -4014 => "price_off_tick",
        -4002 | -4013 | -4016 | -4024 | -4131 => "price_out_of_bounds",
        -4116 => "duplicate_order_id",
        -4118 => "reduce_only",
        -4108 | -4141 => "market_closed",
        -4164 => "notional_below_minimum",
        -5021 => "no_liquidity",
        -5022 => "post_only_would_take",
        _ => "venue_rejected",
    }
}

/// The words decide where one code has many.
pub(super) fn by_words(words: &str) -> &'static str {
    const TABLE: [(&str, &str); 19] = [
        ("insufficient balance", "insufficient_funds"),
        ("INSUFFICIENT_BALANCE", "insufficient_funds"),
        ("immediately match", "post_only_would_take"),
        ("GTX_ORDER_REJECT", "post_only_would_take"),
        ("trigger immediately", "would_trigger_at_once"),
        ("Duplicate order", "duplicate_order_id"),
        ("Unknown order", "unknown_order"),
        ("Order does not exist", "unknown_order"),
        ("Market is closed", "market_closed"),
        ("PERCENT_PRICE", "price_out_of_bounds"),
        ("PRICE_FILTER", "price_off_tick"),
        ("LOT_SIZE", "size_off_lot"),
        ("NOTIONAL", "notional_below_minimum"),
        ("liquidity is less", "no_liquidity"),
        ("INSUFFICIENT_LIQUIDITY", "no_liquidity"),
        ("ReduceOnly", "reduce_only"),
        ("Reduce Only", "reduce_only"),
        ("'price' has too much precision", "price_off_tick"),
        ("'quantity' has too much precision", "size_off_lot"),
    ];
    TABLE.iter().find(|(part, _)| words.contains(part)).map_or("venue_rejected", |(_, reason)| *reason)
}
