//! Error codes and statuses, each in its class.

use super::*;
use crate::exchange::{Act, Ask, Fault, VenueError};

fn limited(ms: Option<u64>) -> Fault {
    Fault::RateLimited { retry_after_ms: ms }
}

fn after_a_read(status: u16, body: &str) -> VenueError {
    spot().reply(&Ask::Balances, &response(status, body), &listings(Product::Spot)).expect_err("an error")
}

fn after_a_write(status: u16, body: &str) -> VenueError {
    let act = Act::Place(place(|_| {}));
    futures().act_reply(&act, &response(status, body), &listings(Product::Linear)).expect_err("an error")
}

#[test]
fn codes_are_sorted() {
    for (status, code, words, read, write, reason) in [
        (500, -1000, "An unknown error occurred.", Fault::Transient, Fault::Unknown, "venue_rejected"),
        (
            400,
            -1001,
            "Internal error; unable to process your request.",
            Fault::Transient,
            Fault::Unknown,
            "venue_rejected",
        ),
        (401, -1002, "", Fault::Authentication, Fault::Authentication, "venue_rejected"),
        (429, -1003, "Too many requests.", limited(None), limited(None), "venue_rejected"),
        (400, -1006, "Execution status unknown.", Fault::Transient, Fault::Unknown, "venue_rejected"),
        (504, -1007, "Timeout.", Fault::Transient, Fault::Unknown, "venue_rejected"),
        (503, -1008, "Server is currently overloaded.", Fault::Transient, Fault::Transient, "venue_rejected"),
        (400, -1013, "Filter failure: LOT_SIZE", Fault::Rejected, Fault::Rejected, "size_off_lot"),
        (400, -1013, "Filter failure: PRICE_FILTER", Fault::Rejected, Fault::Rejected, "price_off_tick"),
        (400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE", Fault::Rejected, Fault::Rejected, "price_out_of_bounds"),
        (400, -1013, "Filter failure: NOTIONAL", Fault::Rejected, Fault::Rejected, "notional_below_minimum"),
        (400, -1013, "Filter failure: MAX_NUM_ORDERS", Fault::Rejected, Fault::Rejected, "venue_rejected"),
        (400, -1015, "Too many new orders.", limited(None), limited(None), "venue_rejected"),
        (400, -1021, "Timestamp outside of the recvWindow.", Fault::ClockSkew, Fault::ClockSkew, "venue_rejected"),
        (400, -1022, "Signature is not valid.", Fault::Authentication, Fault::Authentication, "venue_rejected"),
        (400, -1100, "Illegal characters.", Fault::Rejected, Fault::Rejected, "venue_rejected"),
        (400, -1111, "Parameter 'price' has too much precision.", Fault::Rejected, Fault::Rejected, "price_off_tick"),
        (400, -1121, "Invalid symbol.", Fault::Rejected, Fault::Rejected, "venue_rejected"),
        (
            400,
            -2010,
            "Account has insufficient balance for requested action.",
            Fault::Rejected,
            Fault::Rejected,
            "insufficient_funds",
        ),
        (400, -2010, "Duplicate order sent.", Fault::Rejected, Fault::Rejected, "duplicate_order_id"),
        (
            400,
            -2010,
            "Order would immediately match and take.",
            Fault::Rejected,
            Fault::Rejected,
            "post_only_would_take",
        ),
        (400, -2010, "Order would trigger immediately.", Fault::Rejected, Fault::Rejected, "would_trigger_at_once"),
        (400, -2010, "Market is closed.", Fault::Rejected, Fault::Rejected, "market_closed"),
        (400, -2011, "Unknown order sent.", Fault::Rejected, Fault::Rejected, "unknown_order"),
        (400, -2013, "Order does not exist.", Fault::Rejected, Fault::Rejected, "unknown_order"),
        (401, -2014, "API-key format invalid.", Fault::Authentication, Fault::Authentication, "venue_rejected"),
        (401, -2015, "Invalid API-key.", Fault::Authentication, Fault::Authentication, "venue_rejected"),
        (400, -2019, "Margin is insufficient.", Fault::Rejected, Fault::Rejected, "insufficient_funds"),
        (400, -2021, "Order would immediately trigger.", Fault::Rejected, Fault::Rejected, "would_trigger_at_once"),
        (400, -2022, "ReduceOnly Order is rejected.", Fault::Rejected, Fault::Rejected, "reduce_only"),
        (
            400,
            -4131,
            "The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
            Fault::Rejected,
            Fault::Rejected,
            "price_out_of_bounds",
        ),
        (
            400,
            -4164,
            "Order's notional must be no smaller than 100.",
            Fault::Rejected,
            Fault::Rejected,
            "notional_below_minimum",
        ),
        (400, -5022, "Post Only order will be rejected.", Fault::Rejected, Fault::Rejected, "post_only_would_take"),
        (400, -9999, "Something new.", Fault::Rejected, Fault::Rejected, "venue_rejected"),
    ] {
        let body = format!(r#"{{"code":{code},"msg":"{words}"}}"#);
        let (r, w) = (after_a_read(status, &body), after_a_write(status, &body));
        assert_eq!((r.fault, w.fault, w.reason), (read, write, reason), "{code} {words}");
        assert_eq!((w.code, w.text), (code.to_string(), words.to_owned()));
    }
}

#[test]
fn statuses_without_a_code_are_sorted() {
    for (status, body, read, write) in [
        (403, "<html>WAF</html>", limited(None), limited(None)),
        (418, "", limited(None), limited(None)),
        (429, "no json", limited(None), limited(None)),
        (401, "", Fault::Authentication, Fault::Authentication),
        (404, "", Fault::Rejected, Fault::Rejected),
        (502, "<html>", Fault::Transient, Fault::Unknown),
        (503, r#"{"msg":"Service Unavailable"}"#, Fault::Transient, Fault::Unknown),
        (200, "{", Fault::Malformed, Fault::Unknown),
    ] {
        assert_eq!((after_a_read(status, body).fault, after_a_write(status, body).fault), (read, write), "{status}");
    }
}

#[test]
fn the_time_to_wait_is_taken_from_the_header_in_seconds() {
    let mut answer = response(429, r#"{"code":-1003,"msg":"Too many requests."}"#);
    answer.headers.push(("retry-after".to_owned(), "7".to_owned()));
    let error = spot().reply(&Ask::Balances, &answer, &listings(Product::Spot)).expect_err("limited");
    assert_eq!(error.fault, limited(Some(7000)));
    answer.body = "no json".to_owned();
    let error = spot().reply(&Ask::Balances, &answer, &listings(Product::Spot)).expect_err("limited");
    assert_eq!(error.fault, limited(Some(7000)));
}
