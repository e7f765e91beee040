//! Signatures: the venue's own examples, and examples recomputed with independent code.

use super::*;
use crate::exchange::{Method, Request};

/// Signs a request with everything before the time in the query, and gives the signature as it stands on the wire.
fn signed(query: &str, body: &str, key: &Credential, ms: i64) -> String {
    let mut request = Request::new(Method::Post, "/api/v3/order", query, 1).signed();
    request.body = body.to_owned();
    spot().sign(&mut request, key, at_millis(ms)).expect("signed");
    assert_eq!(request.headers, [("X-MBX-APIKEY".to_owned(), KEY_ID.to_owned())]);
    let end = if body.is_empty() { request.query } else { request.body };
    end.split_once("&signature=").expect("signed").1.to_owned()
}

#[test]
fn requests_are_signed_as_in_the_published_examples() {
    let order = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000";
    let symbol = "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96";
    let foreign = order.replace("symbol=LTCBTC", symbol);
    let (query, body) = ("symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC", "quantity=1&price=0.1&recvWindow=5000");
    for (query, body, ms, want) in [
        (order, "", 1_499_827_319_559, "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (&foreign, "", 1_499_827_319_559, "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"),
        (query, body, 1_499_827_319_559, "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"),
        ("", "", 1_578_963_600_000, "d84e6641b1e328e7b418fff030caed655c266299c9355e36ce801ed14631eed4"),
    ] {
        assert_eq!(signed(query, body, &key(), ms), want, "{query} {body}");
    }
}

#[test]
fn a_symbol_outside_ascii_is_encoded_before_it_is_signed() {
    let params = super::super::params::Params::new().text("symbol", "１２３４５６");
    assert_eq!(params.query(), "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96");
}

#[test]
fn an_ed25519_key_signs_the_same_payload_in_base64() {
    let order = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000";
    assert_eq!(
        signed(order, "", &ed25519(), 1_499_827_319_559),
        "3fhuDZ9nYMviDQ5OEtJBJS11jUZDTRzRQ%2BTQMarm%2BLErFiJvUiVPQjTzDoWZQe4miPX%2ByHk1v%2FZ7TWLYjIbmCA%3D%3D"
    );
}

#[test]
fn futures_are_signed_as_in_their_published_example() {
    let secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9";
    let id = "dbefbc809e3e83c283a984c3a1459732ea7db1360ca80c5c2c8867408d28cc83";
    let key = Credential::new(id, Scheme::HmacSha256, secret).expect("a key");
    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000";
    let mut request = Request::new(Method::Post, "/fapi/v1/order", query, 1).signed();
    futures().sign(&mut request, &key, at_millis(1_591_702_613_943)).expect("signed");
    let want = format!(
        "{query}&timestamp=1591702613943&signature=3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    );
    assert_eq!(request.query, want);
}

#[test]
fn messages_of_the_socket_are_signed_over_sorted_parameters() {
    let params = super::super::params::Params::new()
        .text("symbol", "BTCUSDT")
        .text("side", "SELL")
        .text("type", "LIMIT")
        .text("timeInForce", "GTC")
        .text("quantity", "0.01000000")
        .text("price", "52000.00")
        .number("recvWindow", 100_u64);
    let said = super::super::sign::params(params, &key(), at_millis(1_645_423_376_532)).expect("signed");
    assert_eq!(
        said.object(),
        format!(
            "{{\"apiKey\":\"{KEY_ID}\",\"price\":\"52000.00\",\"quantity\":\"0.01000000\",\"recvWindow\":100,\"side\":\"SELL\",\"symbol\":\"BTCUSDT\",\"timeInForce\":\"GTC\",\"timestamp\":1645423376532,\"type\":\"LIMIT\",\"signature\":\"aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24\"}}"
        )
    );
}

#[test]
fn an_ed25519_key_logs_on() {
    let plan =
        spot().trade(&spot().facts().urls, &listings(Product::Spot), &ed25519(), "", at_millis(1_649_729_878_532));
    let plan = plan.expect("signed").expect("a socket");
    assert_eq!(
        plan.login.expect("logs on"),
        format!(
            "{{\"id\":\"logon\",\"method\":\"session.logon\",\"params\":{{\"apiKey\":\"{KEY_ID}\",\"timestamp\":1649729878532,\"signature\":\"763GJeFgG09B/06V/dq24cLu6f0R57whgDMyOCubDex4CTTElmDgPSIQqLdOsvW5TBxyaaFotVCI8tUmQMChAA==\"}}}}"
        )
    );
}

#[test]
fn signing_anew_replaces_time_and_signature() {
    let mut request = Request::get("/api/v3/account", "omitZeroBalances=true", 20).signed();
    spot().sign(&mut request, &key(), at_millis(1)).expect("signed");
    let once = request.clone();
    spot().sign(&mut request, &key(), at_millis(2)).expect("signed");
    assert_ne!(once.query, request.query);
    spot().sign(&mut request, &key(), at_millis(1)).expect("signed");
    assert_eq!(once, request);
    let mut empty = Request::get("/fapi/v3/balance", "", 5).signed();
    futures().sign(&mut empty, &key(), at_millis(1)).expect("signed");
    futures().sign(&mut empty, &key(), at_millis(1)).expect("signed");
    assert_eq!(empty.query.matches("timestamp=1&signature=").count(), 1);
}

#[test]
fn a_key_of_another_kind_is_named() {
    let key = Credential::new("k", Scheme::HmacSha512, "aGVsbG8=").expect("a key");
    let mut request = Request::get("/api/v3/account", "", 20).signed();
    let error = spot().sign(&mut request, &key, at_millis(1)).expect_err("another kind");
    assert_eq!(
        error.to_string(),
        "binance takes keys of kind HMAC-SHA256, Ed25519 or RSA-SHA256, this one is HMAC-SHA512"
    );
}

#[test]
fn a_stream_ticket_takes_the_key_and_no_signature() {
    let ask = crate::exchange::Ask::StreamTicket;
    let mut request = futures().ask(&ask, &listings(Product::Linear)).expect("a request");
    futures().sign(&mut request, &key(), at_millis(1)).expect("signed");
    assert_eq!((request.target().as_str(), request.headers.len(), request.write), ("/fapi/v1/listenKey", 1, false));
}
