//! Bybit's codec against hand-written messages of its documents' shapes: signatures, questions, errors, bad input.

mod account;
mod acts;
mod answers;
mod market;

use bellwether_sdk::{Interval, OrderKind, Price, Qty, Side, TimeInForce, Ts};

use super::Bybit;
use crate::exchange::trial::{
    CLIENT, CLIENT_TEXT, ID, asked, heard, limit, one, place, prefixes_fail, response, rules, survives, told,
};
use crate::exchange::{
    AccountNote, Act, Amend, Ask, Cancel, Listings, OrderRef, OrderStatus, Product, Reply, Request, Span, Stamp, Topic,
    TradeReply, Venue,
};
use crate::keys::{Credential, Scheme};

fn spot() -> (Bybit, Listings) {
    (Bybit::new(Product::Spot), one(rules("bybit:BTC/USDT", "BTCUSDT", 2, 6)))
}

fn linear() -> (Bybit, Listings) {
    (Bybit::new(Product::Linear), one(rules("bybit:BTC/USDT:USDT", "BTCUSDT", 2, 3)))
}

fn key() -> Credential {
    Credential::new("test_api_key", Scheme::HmacSha256, "test_secret").expect("a key")
}

fn stamp(ms: i64) -> Stamp {
    Stamp { now: Ts::from_millis(ms), nonce: 1 }
}

const TRADE: &str = r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1709891679005,"data":[{"T":1709891679000,"s":"BTCUSDT","S":"Buy","v":"0.010","p":"27451.50","L":"PlusTick","i":"9dc75fca-4bdd-4773-9f78-6f5d7ab2a110","BT":false,"seq":1},{"T":1709891679001,"s":"BTCUSDT","S":"Sell","v":0.5,"p":27451,"i":"2290000000061666327","BT":false}]}"#;
const BOOK: &str = r#"{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1709891679500,"data":{"s":"BTCUSDT","b":[["27450.00","0.4"]],"a":[["27451.00","0"]],"u":18,"seq":99},"cts":1709891679400}"#;
const ORDER: &str = r#"{"id":"m","topic":"order","creationTime":1672364262474,"data":[{"category":"linear","symbol":"BTCUSDT","orderId":"v1","side":"Buy","orderType":"Limit","cancelType":"UNKNOWN","price":"30000.5","qty":"0.100","timeInForce":"GTC","orderStatus":"PartiallyFilled","orderLinkId":"0000000000000abc0000000000000007","cumExecQty":"0.040","createdTime":"1672364262444","updatedTime":"1672364262457","rejectReason":"EC_NoError","triggerPrice":""}]}"#;

fn wrapped(result: &str) -> String {
    format!(r#"{{"retCode":0,"retMsg":"OK","result":{result},"retExtInfo":{{}},"time":1700000120000}}"#)
}

#[test]
fn signatures_are_those_of_the_fact_sheet() {
    let (venue, _) = linear();
    let sign = |mut request: Request| {
        venue.sign(&mut request, &key(), stamp(1_700_000_000_000)).expect("signed");
        let header = |name: &str| request.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        assert_eq!(header("X-BAPI-TIMESTAMP").as_deref(), Some("1700000000000"));
        assert_eq!(header("X-BAPI-RECV-WINDOW").as_deref(), Some("5000"));
        assert_eq!(header("X-BAPI-API-KEY").as_deref(), Some("test_api_key"));
        header("X-BAPI-SIGN").expect("a signature")
    };
    assert_eq!(
        sign(Request::get("/v5/order/realtime", "category=linear&symbol=BTCUSDT", 1).signed()),
        "fd4f31228a46109dc6673062328693696df9a96c7ff04e6491a45e7f63a0fdd7"
    );
    let body = r#"{"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "test-order-1"}"#;
    let post = Request::new(crate::exchange::Method::Post, "/v5/order/cancel", "", 1);
    assert_eq!(
        sign(post.body("application/json", body).signed()),
        "2df4a0603d69c08d5dea29ba85b46eb7db64ce9e9ebd34a7802a3d69700cb2a1"
    );
    let (url, nothing) = (&venue.facts().urls, Listings::default());
    let plan = venue.account(url, &nothing, &key(), "", stamp(1_699_999_990_000)).expect("a plan").expect("a plan");
    assert_eq!(
        plan.login.as_deref(),
        Some(
            r#"{"op":"auth","args":["test_api_key",1700000000000,"bacffe7500499eb829bb58c45d36d1b3e5ac67c14eaeba91df5e99ccee013925"]}"#
        )
    );
    assert_eq!(plan.messages, [r#"{"op":"subscribe","args":["order","execution","position","wallet"]}"#]);
    let wrong = Credential::new("k", Scheme::Secp256k1, &"11".repeat(32)).expect("a key");
    let refused = venue.sign(&mut Request::get("/", "", 1), &wrong, stamp(0)).expect_err("another kind of key");
    assert!(refused.to_string().contains("bybit takes keys of kind HMAC-SHA256 or RSA-SHA256"), "{refused}");
}

#[test]
fn questions_become_these_requests() {
    let ((spot, s), (linear, l)) = (spot(), linear());
    let (from, to) = (Ts::from_millis(1_700_000_000_000), Ts::from_millis(1_800_000_000_000));
    for (ask, expected) in [
        (Ask::Time, "GET /v5/market/time"),
        (Ask::Instruments, "GET /v5/market/instruments-info?category=linear&limit=1000"),
        (Ask::Ticker(ID), "GET /v5/market/tickers?category=linear&symbol=BTCUSDT"),
        (Ask::Book(ID, 5000), "GET /v5/market/orderbook?category=linear&symbol=BTCUSDT&limit=1000"),
        (Ask::Trades(ID, 500), "GET /v5/market/recent-trade?category=linear&symbol=BTCUSDT&limit=500"),
        (Ask::TradesFrom(ID, from), "unsupported: venue_rejected"),
        (
            Ask::Bars(ID, Interval::MINUTE, from, to),
            "GET /v5/market/kline?category=linear&symbol=BTCUSDT&interval=1&start=1700000000000&end=1700059999999&limit=1000",
        ),
        (
            Ask::Funding(ID, from, to),
            "GET /v5/market/funding/history?category=linear&symbol=BTCUSDT&startTime=1700000000000&endTime=1700719999999&limit=200",
        ),
        (Ask::Balances, "GET /v5/account/wallet-balance?accountType=UNIFIED signed"),
        (Ask::Positions, "GET /v5/position/list?category=linear&settleCoin=USDT&limit=200 signed"),
        (Ask::OpenOrders(None), "GET /v5/order/realtime?category=linear&settleCoin=USDT&openOnly=0&limit=50 signed"),
        (Ask::OpenOrders(Some(ID)), "GET /v5/order/realtime?category=linear&symbol=BTCUSDT&openOnly=0&limit=50 signed"),
        (
            Ask::Order(ID, OrderRef::Client(CLIENT)),
            "GET /v5/order/realtime?category=linear&symbol=BTCUSDT&orderLinkId=0000000000000abc0000000000000007 signed",
        ),
        (
            Ask::Order(ID, OrderRef::Venue("a&b".to_owned())),
            "GET /v5/order/realtime?category=linear&symbol=BTCUSDT&orderId=a%26b signed",
        ),
        (
            Ask::Fills(ID, Span::new(from, from)),
            "GET /v5/execution/list?category=linear&symbol=BTCUSDT&startTime=1700000000000&limit=100 signed",
        ),
        (Ask::Permissions, "GET /v5/user/query-api signed"),
        (Ask::StreamTicket, "unsupported: venue_rejected"),
        (Ask::Ticker(bellwether_sdk::InstrumentId(99)), "rejected: venue_rejected"),
    ] {
        assert_eq!(asked(linear.ask(&ask, &l)), expected, "{ask:?}");
    }
    for (ask, expected) in [
        (Ask::Trades(ID, 500), "GET /v5/market/recent-trade?category=spot&symbol=BTCUSDT&limit=60"),
        (Ask::Positions, "unsupported: venue_rejected"),
        (Ask::Funding(ID, from, to), "unsupported: venue_rejected"),
        (Ask::OpenOrders(None), "GET /v5/order/realtime?category=spot&openOnly=0&limit=50 signed"),
    ] {
        assert_eq!(asked(spot.ask(&ask, &s)), expected, "{ask:?}");
    }
    let odd = Interval::from_nanos(7_000_000_000).expect("an interval");
    assert_eq!(asked(spot.ask(&Ask::Bars(ID, odd, from, to), &s)), "unsupported: venue_rejected");
}

#[test]
fn an_order_that_ended_long_ago_is_asked_for_in_the_history() {
    let (venue, l) = linear();
    let by_id = Ask::Order(ID, OrderRef::Client(CLIENT));
    let further = venue.ask_further(&by_id, &l).expect("a second request");
    let first = venue.ask(&by_id, &l).expect("a request");
    assert_eq!((further.path.as_str(), &further.query, further.signed), ("/v5/order/history", &first.query, true));
    assert!(venue.ask_further(&Ask::OpenOrders(Some(ID)), &l).is_none());
}

#[test]
fn errors_are_sorted() {
    let (venue, l) = linear();
    let act = Act::CancelAll(ID);
    for (code, read, write, reason) in [
        (10006, "rate_limited", "rate_limited", "venue_rejected"),
        (10000, "transient", "unknown_outcome", "venue_rejected"),
        (10016, "transient", "unknown_outcome", "venue_rejected"),
        (170146, "transient", "unknown_outcome", "venue_rejected"),
        (170147, "transient", "unknown_outcome", "venue_rejected"),
        (10002, "clock_skew", "clock_skew", "venue_rejected"),
        (-1, "clock_skew", "clock_skew", "venue_rejected"),
        (10003, "authentication", "authentication", "venue_rejected"),
        (10004, "authentication", "authentication", "venue_rejected"),
        (33004, "authentication", "authentication", "venue_rejected"),
        (110072, "rejected", "rejected", "duplicate_order_id"),
        (110001, "rejected", "rejected", "unknown_order"),
        (170213, "rejected", "rejected", "unknown_order"),
        (110007, "rejected", "rejected", "insufficient_funds"),
        (110094, "rejected", "rejected", "notional_below_minimum"),
        (110079, "transient", "transient", "venue_rejected"),
        (10001, "rejected", "rejected", "venue_rejected"),
    ] {
        let body = format!(r#"{{"retCode":{code},"retMsg":"words","result":{{}},"time":5}}"#);
        let error = venue.reply(&Ask::Balances, &response(200, &body), &l).expect_err("an error");
        assert_eq!((error.fault.name(), error.reason), (read, reason), "{code}");
        assert_eq!((error.code, error.text.as_str()), (code.to_string(), "words"));
        let error = venue.act_reply(&act, &response(200, &body), &l).expect_err("an error");
        assert_eq!((error.fault.name(), error.reason), (write, reason), "{code}");
    }
    for (status, body, read, write) in [
        (429, "", "rate_limited", "rate_limited"),
        (403, "access too frequent", "rate_limited", "rate_limited"),
        (403, "forbidden", "rate_limited", "rate_limited"),
        (502, "<html>", "transient", "unknown_outcome"),
        (200, "<html>", "malformed", "unknown_outcome"),
        (200, r#"{"retCode":0,"retMsg":"OK","result":[7],"time":1}"#, "malformed", "unknown_outcome"),
    ] {
        let error = venue.reply(&Ask::Balances, &response(status, body), &l).expect_err("an error");
        assert_eq!(error.fault.name(), read, "{status} {body}");
        let error = venue.act_reply(&act, &response(status, body), &l).expect_err("an error");
        assert_eq!(error.fault.name(), write, "{status} {body}");
    }
    let mut limited =
        response(200, r#"{"retCode":10006,"retMsg":"Too many visits!","result":{},"time":1700000000000}"#);
    limited.headers.push(("x-bapi-limit-reset-timestamp".to_owned(), "1700000001500".to_owned()));
    let error = venue.reply(&Ask::Balances, &limited, &l).expect_err("an error");
    assert_eq!(error.fault, crate::exchange::Fault::RateLimited { retry_after_ms: Some(1500) });
}

#[test]
fn bad_input_is_an_error_and_never_a_panic() {
    let (venue, l) = linear();
    for text in [TRADE, BOOK, ORDER] {
        survives(&venue, text, &l);
    }
    prefixes_fail(&venue, &Ask::Time, &wrapped(r#"{"timeNano":"1"}"#), &l);
    let read = |text: &str| venue.read_market(text, &l, Ts::from_nanos(1), &mut |_: crate::exchange::Note<'_>| {});
    for (find, put, field) in [
        ("27451.50", "27451.505", "p"),
        ("0.010", "0.0101", "v"),
        ("\"0.010\"", "\"abc\"", "v"),
        ("1709891679000", "99999999999999999999", "T"),
    ] {
        let error = read(&TRADE.replace(find, put)).expect_err(put).to_string();
        assert!(error.starts_with(field), "{error}");
    }
    assert!(read(&BOOK.replace("0.4", "1e300")).is_err());
    assert!(read(&BOOK.replace("\"27450.00\",", "")).is_err(), "a level of one member");
    assert!(read(&TRADE.replace("\"BT\":false", "\"new\":{\"deep\":[[[]]]}")).is_ok(), "unknown fields are nothing");
    assert!(venue.read_account(&ORDER.replace("0.040", "0.0401"), &l).is_err(), "money is never guessed");
    let deep = format!("{{\"topic\":{}", "[".repeat(200_000));
    assert!(read(&deep).is_err());
}
