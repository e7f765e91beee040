//! The trading socket.

use super::*;
use crate::exchange::{AccountNote, Act, Cancel, Fault, OrderRef, OrderStatus, TradeReply};
use crate::keys::Signer;

fn say(venue: &Binance, act: &Act, key: &dyn Signer) -> Option<String> {
    let product = venue.facts().product;
    venue.say(act, 41, &listings(product), key, "", at_millis(5)).unwrap_or_else(|e| panic!("{act:?}: {e}"))
}

#[test]
fn an_order_is_said_signed_or_on_a_connection_that_is_logged_on() {
    let act = Act::Place(place(|_| {}));
    let said = say(&spot(), &act, &key()).expect("said");
    let payload = format!(
        "apiKey={KEY_ID}&newClientOrderId=000000000000abcd0000000000000007&newOrderRespType=RESULT&price=100.25&quantity=0.5&side=BUY&symbol=BTCUSDT&timeInForce=GTC&timestamp=5&type=LIMIT"
    );
    let signature = crate::orders::hex(&key().sign(payload.as_bytes()).expect("signed"));
    let json: serde_json::Value = serde_json::from_str(&said).expect("json");
    assert_eq!((json["id"].as_u64(), json["method"].as_str()), (Some(41), Some("order.place")));
    assert_eq!(json["params"]["signature"].as_str(), Some(signature.as_str()));
    assert_eq!(json["params"]["timestamp"].as_i64(), Some(5));
    assert_eq!(json["params"]["price"].as_str(), Some("100.25"));

    let said = say(&spot(), &act, &ed25519()).expect("said");
    let json: serde_json::Value = serde_json::from_str(&said).expect("json");
    assert_eq!((json["params"].get("signature"), json["params"].get("apiKey")), (None, None));
    assert_eq!(json["params"]["timestamp"].as_i64(), Some(5));
}

#[test]
fn acts_have_these_methods() {
    let cancel = |id: &str| Cancel { instrument: BTC, order: OrderRef::Venue(id.to_owned()) };
    for (venue, act, method) in [
        (spot(), Act::Cancel(cancel("5")), Some("order.cancel")),
        (spot(), Act::CancelReplace(cancel("5"), place(|_| {})), Some("order.cancelReplace")),
        (spot(), Act::CancelAll(BTC), Some("openOrders.cancelAll")),
        (spot(), Act::Place(place(|o| o.kind = STOP)), Some("order.place")),
        (futures(), Act::Place(place(|_| {})), Some("order.place")),
        (futures(), Act::Place(place(|o| o.kind = STOP)), Some("algoOrder.place")),
        (futures(), Act::Cancel(cancel("algo-5")), Some("algoOrder.cancel")),
        (futures(), Act::CancelAll(BTC), None),
        (futures(), Act::PlaceMany(vec![place(|_| {})]), None),
    ] {
        let said = say(&venue, &act, &key());
        let json: Option<serde_json::Value> = said.map(|s| serde_json::from_str(&s).expect("json"));
        assert_eq!(json.as_ref().and_then(|j| j["method"].as_str()), method, "{act:?}");
    }
}

#[test]
fn the_connection_asks_for_the_private_stream_on_spot_alone() {
    let plan = |venue: &Binance, key: &dyn Signer| {
        let urls = &venue.facts().urls;
        venue.trade(urls, &listings(venue.facts().product), key, "", at_millis(5)).expect("signed").expect("a socket")
    };
    let spot_plan = plan(&spot(), &key());
    assert_eq!((spot_plan.url.as_str(), spot_plan.login), ("wss://ws-api.binance.com:443/ws-api/v3", None));
    let [message] = spot_plan.messages.as_slice() else { panic!("one message") };
    let json: serde_json::Value = serde_json::from_str(message).expect("json");
    assert_eq!(json["method"].as_str(), Some("userDataStream.subscribe.signature"));
    let signature = crate::orders::hex(&key().sign(format!("apiKey={KEY_ID}&timestamp=5").as_bytes()).expect("signed"));
    assert_eq!(json["params"]["signature"].as_str(), Some(signature.as_str()));
    assert!(plan(&futures(), &key()).messages.is_empty());
    assert!(plan(&futures(), &ed25519()).login.is_some());

    let account = |venue: &Binance| {
        let urls = &venue.facts().urls;
        venue.account(urls, &listings(Product::Spot), &key(), "the-key", at_millis(5)).expect("no key needed")
    };
    assert_eq!(account(&spot()), None);
    assert_eq!(account(&futures()).map(|p| p.url), Some("wss://fstream.binance.com/private/ws/the-key".to_owned()));
}

fn read(text: &str) -> TradeReply {
    spot().read_trade(text, &listings(Product::Spot)).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn answered(text: &str) -> Result<Vec<crate::exchange::ActReply>, crate::exchange::VenueError> {
    match read(text) {
        TradeReply::Answered(41, answer) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn answers_are_told_by_our_numbers() {
    let taken = answered(
        r#"{"id":41,"status":200,"result":{"symbol":"BTCUSDT","orderId":7,"clientOrderId":"x","status":"FILLED","executedQty":"0.5"},"rateLimits":[{"count":1}]}"#,
    );
    let reply = &taken.expect("taken")[0];
    assert_eq!(
        (reply.venue_id.as_str(), reply.status, reply.filled),
        ("7", OrderStatus::Filled, Some(Qty::from_mantissa(50_000_000)))
    );
    let refused = answered(r#"{"id":41,"status":400,"error":{"code":-2010,"msg":"Duplicate order sent."}}"#);
    assert_eq!(refused.expect_err("refused").reason, "duplicate_order_id");
    for (text, fault) in [
        (
            r#"{"id":41,"status":418,"error":{"code":-1003,"msg":"banned","data":{"serverTime":1000,"retryAfter":4500}}}"#,
            Fault::RateLimited { retry_after_ms: Some(3500) },
        ),
        (r#"{"id":41,"status":500,"error":{"code":-1000,"msg":"?"}}"#, Fault::Unknown),
        (r#"{"id":41,"status":400,"error":{"code":-1021,"msg":"?"}}"#, Fault::ClockSkew),
        (r#"{"id":41,"status":200,"result":{"orderId":[]}}"#, Fault::Unknown),
        (r#"{"id":41,"status":200}"#, Fault::Unknown),
        (r#"{"id":41,"status":503}"#, Fault::Unknown),
    ] {
        assert_eq!(answered(text).expect_err("an error").fault, fault, "{text}");
    }
    let half = answered(
        r#"{"id":41,"status":409,"error":{"code":-2021,"msg":"Order cancel-replace partially failed.","data":{"cancelResult":"SUCCESS","newOrderResult":"FAILURE","cancelResponse":{"symbol":"BTCUSDT","orderId":5,"status":"CANCELED"},"newOrderResponse":{"code":-2010,"msg":"Market is closed."}}}}"#,
    );
    let half = half.expect("both halves");
    assert_eq!(
        (half[0].status, half[1].refused.as_ref().map(|e| e.reason)),
        (OrderStatus::Cancelled, Some("market_closed"))
    );
}

#[test]
fn logon_subscription_and_events_are_told_apart() {
    let refused = r#""status":401,"error":{"code":-2015,"msg":"Invalid API-key."}"#;
    assert_eq!(read(r#"{"id":"logon","status":200,"result":{"apiKey":"k"}}"#), TradeReply::LoggedIn(Ok(())));
    let TradeReply::LoggedIn(Err(e)) = read(&format!("{{\"id\":\"logon\",{refused}}}")) else { panic!("refused") };
    assert_eq!(e.fault, Fault::Authentication);
    let ready = r#"{"id":"account","status":200,"result":{"subscriptionId":0}}"#;
    assert_eq!(read(ready), TradeReply::Account(vec![AccountNote::Ready]));
    let TradeReply::Account(notes) = read(&format!("{{\"id\":\"account\",{refused}}}")) else { panic!("refused") };
    assert!(matches!(notes.as_slice(), [AccountNote::Refused(_)]), "{notes:?}");
    let TradeReply::Account(notes) = read(&format!("{{\"id\":null,{refused}}}")) else { panic!("reported") };
    assert!(matches!(notes.as_slice(), [AccountNote::Unexpected(_)]), "{notes:?}");
    assert_eq!(read(r#"{"id":"pong","status":200,"result":{}}"#), TradeReply::Ignored);
    let event = r#"{"subscriptionId":0,"event":{"e":"outboundAccountPosition","B":[]}}"#;
    assert_eq!(read(event), TradeReply::Account(Vec::new()));
    assert_eq!(read(r#"{"e":"balanceUpdate"}"#), TradeReply::Account(vec![AccountNote::Ignored]));
}

#[test]
fn messages_cut_anywhere_are_refused() {
    let text = r#"{"id":41,"status":200,"result":{"symbol":"BTCUSDT","orderId":7,"status":"NEW"},"rateLimits":[]}"#;
    for end in 0..text.len() {
        assert!(spot().read_trade(&text[..end], &listings(Product::Spot)).is_err(), "{end}");
    }
}
