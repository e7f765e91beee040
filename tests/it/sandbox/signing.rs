//! Who may do what: keys, signatures, times, permissions, addresses, expiry, limits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bellwether::sandbox::{ApiKey, LimitSettings};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;

use super::{Venue, hmac_of, now_ms, signed_params};

const KEY: &str = "X-MBX-APIKEY: full\r\n";

#[test]
fn a_request_is_refused_for_what_is_wrong_with_its_signing() {
    let venue = Venue::new();
    let ask = |headers: &str, query: &str| {
        let signature = hmac_of(query);
        venue.ask("GET", &format!("/api/v3/account?{query}&signature={signature}"), headers, "").refused()
    };
    let at = |ms: i64| format!("timestamp={}", now_ms() + ms);
    assert_eq!(ask(KEY, &at(0)), (200, 0));
    assert_eq!(ask("", &at(0)), (401, -2014));
    assert_eq!(ask("X-MBX-APIKEY: nobody\r\n", &at(0)), (401, -2015));
    assert_eq!(ask(KEY, "recvWindow=5000"), (400, -1102));
    assert_eq!(ask(KEY, &at(5_000)), (400, -1021));
    assert_eq!(ask(KEY, &at(-10_000)), (400, -1021));
    assert_eq!(ask(KEY, &format!("recvWindow=20000&{}", at(-10_000))), (200, 0));
    assert_eq!(ask(KEY, &format!("recvWindow=60001&{}", at(0))), (400, -1131));
    assert_eq!(ask(KEY, &format!("timestamp={}", now_ms() * 1_000)), (200, 0), "microseconds");
    let unsigned = venue.ask("GET", &format!("/api/v3/account?{}", at(0)), KEY, "");
    assert_eq!(unsigned.refused(), (400, -1102));
    let wrong = format!("/api/v3/account?{}&signature={}", at(0), hmac_of("something else"));
    assert_eq!(venue.ask("GET", &wrong, KEY, "").refused(), (400, -1022));
    assert_eq!(ask(KEY, &format!("bogus=1&{}", at(0))), (400, -1104));
}

#[test]
fn query_and_body_are_signed_together_without_a_separator() {
    let venue = Venue::new();
    let (query, body) = ("symbol=BTCUSDT&side=BUY&type=MARKET", format!("quantity=0.01&timestamp={}", now_ms()));
    let signature = hmac_of(&format!("{query}{body}"));
    let headers = format!("{KEY}Content-Type: application/x-www-form-urlencoded\r\n");
    let target = format!("/api/v3/order/test?{query}");
    let placed = venue.ask("POST", &target, &headers, &format!("{body}&signature={signature}"));
    assert_eq!(placed.status, 200, "{}", placed.json);
    let joined = hmac_of(&format!("{query}&{body}"));
    assert_eq!(venue.ask("POST", &target, &headers, &format!("{body}&signature={joined}")).refused(), (400, -1022));
}

#[test]
fn keys_do_only_what_they_may_from_where_they_may_until_they_expire() {
    let venue = Venue::new();
    venue.signed_by("reader", "GET", "/api/v3/account", "").done();
    let order = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01";
    assert_eq!(venue.signed_by("reader", "POST", "/api/v3/order", order).refused(), (401, -2015));
    let put = |key: String| venue.admin("POST", "keys", &json!({"key": key})).done();
    put(format!("trader:{}:trade", super::SECRET));
    assert_eq!(venue.signed_by("trader", "GET", "/api/v3/account", "").refused(), (401, -2015));
    put(format!("elsewhere:{}:read:10.1.2.3", super::SECRET));
    assert_eq!(venue.signed_by("elsewhere", "GET", "/api/v3/account", "").refused(), (401, -2015));
    put(format!("here:{}:read:10.1.2.3,127.0.0.1", super::SECRET));
    venue.signed_by("here", "GET", "/api/v3/account", "").done();
    put(format!("brief:{}:read,withdraw::{}", super::SECRET, now_ms() + 2_500));
    let shown = venue.signed_by("brief", "GET", "/sapi/v1/account/apiRestrictions", "").done();
    assert_eq!((&shown["enableWithdrawals"], &shown["enableSpotAndMarginTrading"]), (&json!(true), &json!(false)));
    std::thread::sleep(std::time::Duration::from_millis(2_600));
    assert_eq!(venue.signed_by("brief", "GET", "/api/v3/account", "").refused(), (401, -2015));
    venue.admin("DELETE", "keys", &json!({"id": "here"})).done();
    assert_eq!(venue.signed_by("here", "GET", "/api/v3/account", "").refused(), (401, -2015));
    assert_eq!(venue.admin("GET", "refused", &json!({})).done(), json!({"keys": 5}));
    assert_eq!(venue.ask("GET", "/sandbox/keys", "", "").status, 401);
    assert!(!venue.admin("GET", "keys", &json!({})).done().to_string().contains(super::SECRET));
}

#[test]
fn accounts_of_two_keys_do_not_see_each_other() {
    let venue = Venue::with(|s| {
        s.keys.push(ApiKey::parse(&format!("two@second:{}:read,trade", super::SECRET)).expect("a key"))
    });
    venue.order("side=BUY&type=MARKET&quantity=0.5").done();
    let second = venue.signed_by("two", "GET", "/api/v3/account", "").done();
    assert!(second["balances"].to_string().contains("100000.00000000"), "{second}");
    assert_eq!(venue.signed_by("two", "GET", "/api/v3/allOrders", "symbol=BTCUSDT").done(), json!([]));
}

#[test]
fn an_ed25519_key_signs_requests_and_logs_a_session_on() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    let public = STANDARD.encode(pair.public_key().as_ref());
    let venue = Venue::with(|s| s.keys.push(ApiKey::parse(&format!("ed:ed25519={public}:read,trade")).expect("a key")));
    let sign = |payload: &str| STANDARD.encode(pair.sign(payload.as_bytes()).as_ref());
    let query = format!("timestamp={}", now_ms());
    let escaped = sign(&query).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let target = format!("/api/v3/account?{query}&signature={escaped}");
    venue.ask("GET", &target, "X-MBX-APIKEY: ed\r\n", "").done();

    let mut socket = venue.socket("/ws-api/v3");
    let (refused, _) = socket.call("0", "userDataStream.subscribe", &json!({}));
    assert_eq!(refused["status"], 401);
    let time = now_ms();
    let signature = sign(&format!("apiKey=ed&timestamp={time}"));
    let (on, _) =
        socket.call("1", "session.logon", &json!({"apiKey": "ed", "timestamp": time, "signature": signature}));
    assert_eq!((&on["status"], &on["result"]["apiKey"]), (&json!(200), &json!("ed")), "{on}");
    let (followed, _) = socket.call("2", "userDataStream.subscribe", &json!({}));
    assert!(followed["result"]["subscriptionId"].is_u64(), "{followed}");
    let order =
        json!({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", "timestamp": now_ms()});
    let (placed, _) = socket.call("3", "order.place", &order);
    assert_eq!(placed["result"]["status"], "FILLED", "{placed}");
    let (out, _) = socket.call("4", "session.logout", &json!({}));
    assert_eq!(out["result"]["apiKey"], json!(null));
    let (refused, _) = socket.call("5", "order.place", &order);
    assert_eq!(refused["error"]["code"], -2014, "{refused}");
    let hmac = signed_params("full", json!({}));
    assert_eq!(socket.call("6", "session.logon", &hmac).0["error"]["code"], -4056);
}

#[test]
fn weight_is_counted_refused_with_429_and_banned_with_418() {
    let limits = LimitSettings { weight_per_minute: 100, orders_per_10s: 3, ..LimitSettings::default() };
    let venue = Venue::with(|s| s.limits = limits);
    assert_eq!(venue.get("/api/v3/exchangeInfo").headers["x-mbx-used-weight-1m"], "20");
    for _ in 0..3 {
        let placed = venue.signed("POST", "/api/v3/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01");
        assert!(placed.headers.contains_key("x-mbx-order-count-10s"), "{placed:?}");
    }
    let fourth = venue.order("side=BUY&type=MARKET&quantity=0.01");
    assert!(matches!(fourth.refused(), (429, -1015) | (200, 0)), "{fourth:?}"); // a window may have ended in between
    let mut statuses = Vec::new();
    for _ in 0..40 {
        let answer = venue.get("/api/v3/exchangeInfo");
        if answer.status != 200 {
            assert_eq!(answer.json["code"], -1003);
            assert!(answer.headers["retry-after"].parse::<u64>().is_ok_and(|s| s > 0));
        }
        statuses.push(answer.status);
    }
    assert!(statuses.contains(&429) && statuses.last() == Some(&418), "{statuses:?}");
}
