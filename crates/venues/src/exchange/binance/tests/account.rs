//! The private stream.

use bellwether_sdk::{Decimal, Liquidity};

use super::*;
use crate::exchange::{AccountNote, OrderStatus};

fn hear(text: &str) -> Vec<AccountNote> {
    spot().read_account(text, &listings(Product::Spot)).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// A report of spot with some fields changed.
fn report(changes: &[(&str, &str)]) -> String {
    let mut text = r#"{"e":"executionReport","E":9,"s":"BTCUSDT","c":"mine","S":"BUY","o":"LIMIT","f":"GTC","q":"1","p":"100","P":"0","F":"0","g":-1,"C":"","x":"NEW","X":"NEW","r":"NONE","i":55,"l":"0.00000000","z":"0.00000000","L":"0.00000000","n":"0","N":null,"T":8,"t":-1,"w":true,"m":false,"O":8,"Z":"0"}"#.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text
}

const FILLED: [(&str, &str); 8] = [
    ("\"x\":\"NEW\"", "\"x\":\"TRADE\""),
    ("\"X\":\"NEW\"", "\"X\":\"PARTIALLY_FILLED\""),
    ("\"l\":\"0.00000000\"", "\"l\":\"0.25000000\""),
    ("\"z\":\"0.00000000\"", "\"z\":\"0.75000000\""),
    ("\"L\":\"0.00000000\"", "\"L\":\"100.25000000\""),
    ("\"n\":\"0\",\"N\":null", "\"n\":\"0.00025\",\"N\":\"BTC\""),
    ("\"t\":-1", "\"t\":777"),
    ("\"m\":false", "\"m\":true"),
];

#[test]
fn a_fill_comes_before_the_orders_new_state_wrapped_or_bare() {
    let bare = report(&FILLED);
    let wrapped = format!("{{\"subscriptionId\":0,\"event\":{bare}}}");
    let stream = format!("{{\"stream\":\"anything\",\"data\":{bare}}}");
    for text in [bare, wrapped, stream] {
        let notes = hear(&text);
        let [AccountNote::Fill(f), AccountNote::Order(o)] = notes.as_slice() else { panic!("{notes:?}") };
        assert_eq!((f.trade_id.as_str(), f.venue_id.as_str(), f.client_id.as_str()), ("777", "55", "mine"));
        assert_eq!((f.side, f.price.mantissa(), f.qty.mantissa()), (Side::Buy, 10_025, 25_000_000));
        assert_eq!((f.fee, f.fee_currency.as_str(), f.liquidity), (Decimal::new(25, 5), "BTC", Liquidity::Maker));
        assert_eq!((o.status, o.filled), (OrderStatus::PartlyFilled, Some(Qty::from_mantissa(75_000_000))));
        assert_eq!(o.ts_venue, Ts::from_millis(8));
    }
}

#[test]
fn a_fill_without_a_price_is_not_invented() {
    let mut changes = FILLED.to_vec();
    changes.remove(4);
    let notes = hear(&report(&changes));
    let [AccountNote::Order(o)] = notes.as_slice() else { panic!("{notes:?}") };
    assert_eq!(o.filled, Some(Qty::from_mantissa(75_000_000)));
}

#[test]
fn a_cancel_names_the_order_and_not_the_request() {
    let cancelled = [("\"C\":\"\"", "\"C\":\"original\""), ("\"X\":\"NEW\"", "\"X\":\"CANCELED\"")];
    let notes = hear(&report(&[&cancelled[..], &[("\"x\":\"NEW\"", "\"x\":\"CANCELED\"")]].concat()));
    let [AccountNote::Order(o)] = notes.as_slice() else { panic!("{notes:?}") };
    assert_eq!((o.client_id.as_str(), o.status, o.reason), ("original", OrderStatus::Cancelled, ""));
    // An amended order is known by its new id, which with us is the old one.
    let amended = [("\"C\":\"\"", "\"C\":\"before\""), ("\"x\":\"NEW\"", "\"x\":\"REPLACED\"")];
    let notes = hear(&report(&amended));
    let [AccountNote::Order(o)] = notes.as_slice() else { panic!("{notes:?}") };
    assert_eq!((o.client_id.as_str(), o.status), ("mine", OrderStatus::Acknowledged));
}

#[test]
fn an_order_that_ends_says_why() {
    for (changes, status, reason) in [
        (
            vec![("\"X\":\"NEW\"", "\"X\":\"REJECTED\""), ("NONE", "INSUFFICIENT_BALANCES")],
            OrderStatus::Rejected,
            "insufficient_funds",
        ),
        (
            vec![("\"X\":\"NEW\"", "\"X\":\"EXPIRED\""), ("\"w\":", "\"eR\":\"INSUFFICIENT_LIQUIDITY\",\"w\":")],
            OrderStatus::Expired,
            "no_liquidity",
        ),
        (vec![("\"X\":\"NEW\"", "\"X\":\"EXPIRED\""), ("GTC", "GTX")], OrderStatus::Expired, "post_only_would_take"),
        (
            vec![("\"X\":\"NEW\"", "\"X\":\"EXPIRED\""), ("\"w\":", "\"er\":\"4\",\"w\":")],
            OrderStatus::Expired,
            "reduce_only",
        ),
        (
            vec![("\"X\":\"NEW\"", "\"X\":\"EXPIRED_IN_MATCH\""), ("NONE", "SELF_TRADE")],
            OrderStatus::Expired,
            "venue_rejected",
        ),
        (vec![("\"X\":\"NEW\"", "\"X\":\"A_NEW_STATE\"")], OrderStatus::Unknown, ""),
    ] {
        let notes = hear(&report(&changes));
        let [AccountNote::Order(o)] = notes.as_slice() else { panic!("{notes:?}") };
        assert_eq!((o.status, o.reason), (status, reason), "{changes:?}");
    }
}

#[test]
fn futures_tell_orders_and_liquidations_alike() {
    let text = r#"{"e":"ORDER_TRADE_UPDATE","E":9,"T":9,"o":{"s":"BTCUSDT","c":"autoclose-1","S":"SELL","o":"MARKET","f":"IOC","q":"0.5","p":"0","ap":"99","sp":null,"x":"CALCULATED","X":"FILLED","i":66,"l":"0.5","z":"0.5","L":"99.00","N":null,"n":null,"T":7,"t":888,"b":"0","m":false,"R":true,"ps":"BOTH","rp":"-5","si":0,"ss":0}}"#;
    let notes = futures().read_account(text, &listings(Product::Linear)).expect("read");
    let [AccountNote::Fill(f), AccountNote::Order(o)] = notes.as_slice() else { panic!("{notes:?}") };
    assert_eq!(
        (f.side, f.price.mantissa(), f.fee, f.fee_currency.as_str()),
        (Side::Sell, 9_900, Decimal::new(0, 0), "")
    );
    assert_eq!((o.client_id.as_str(), o.status), ("autoclose-1", OrderStatus::Filled));
}

#[test]
fn a_conditional_order_is_followed_to_what_it_becomes() {
    for (state, actual, done, id, status, filled) in [
        ("NEW", "", "", "algo-12", OrderStatus::Acknowledged, None),
        ("TRIGGERING", "", "0", "algo-12", OrderStatus::Acknowledged, None),
        ("TRIGGERED", "99", "0", "99", OrderStatus::Acknowledged, None),
        ("FINISHED", "99", "0.5", "99", OrderStatus::Filled, Some(50_000_000)),
        ("FINISHED", "99", "0.2", "99", OrderStatus::Unknown, Some(20_000_000)),
        ("CANCELED", "", "0", "algo-12", OrderStatus::Cancelled, None),
        ("REJECTED", "", "0", "algo-12", OrderStatus::Rejected, None),
    ] {
        let text = format!(
            r#"{{"e":"ALGO_UPDATE","T":7,"E":9,"o":{{"caid":"c","aid":12,"at":"CONDITIONAL","o":"STOP_MARKET","s":"BTCUSDT","S":"SELL","ps":"BOTH","f":"GTC","q":"0.5","X":"{state}","ai":"{actual}","ap":"0","aq":"{done}","tp":"90","p":"0","rm":"Reduce Only reject"}}}}"#
        );
        let notes = hear(&text);
        let [AccountNote::Order(o)] = notes.as_slice() else { panic!("{notes:?}") };
        assert_eq!((o.venue_id.as_str(), o.client_id.as_str(), o.status), (id, "c", status), "{state}");
        assert_eq!(o.filled.map(Qty::mantissa), filled, "{state}");
        assert_eq!(o.reason, if state == "REJECTED" { "reduce_only" } else { "" });
    }
}

#[test]
fn balances_and_positions_are_read() {
    let notes = hear(r#"{"e":"outboundAccountPosition","E":9,"u":8,"B":[{"a":"BTC","f":"1.5","l":"0.25"}]}"#);
    let [AccountNote::Balance(b)] = notes.as_slice() else { panic!("{notes:?}") };
    assert_eq!((b.currency.as_str(), b.total, b.free), ("BTC", Decimal::new(175, 2), Decimal::new(15, 1)));
    let notes = hear(
        r#"{"e":"ACCOUNT_UPDATE","E":9,"T":8,"a":{"m":"ORDER","B":[{"a":"USDT","wb":"100.5","cw":"90","bc":"0"}],"P":[{"s":"BTCUSDT","pa":"-0.5","ep":"100.125","up":"-1.5","ps":"BOTH"},{"s":"BTCUSDT","pa":"1","ep":"1","ps":"LONG"},{"s":"XRPUSDT","pa":"1","ep":"1","ps":"BOTH"}]}}"#,
    );
    let [AccountNote::Balance(b), AccountNote::Position(p), AccountNote::Unexpected(u)] = notes.as_slice() else {
        panic!("{notes:?}")
    };
    assert_eq!((b.total, b.free), (Decimal::new(1005, 1), Decimal::new(90, 0)));
    assert_eq!(
        (p.qty.mantissa(), p.entry, p.unrealised),
        (-50_000_000, Some(Decimal::new(100_125, 3)), Some(Decimal::new(-15, 1)))
    );
    assert!(u.contains("LONG"), "{u}");
}

#[test]
fn what_ends_the_stream_and_what_says_nothing_new() {
    for kind in ["listenKeyExpired", "eventStreamTerminated", "serverShutdown"] {
        let text = format!("{{\"e\":\"{kind}\",\"E\":1}}");
        assert_eq!(hear(&text), [AccountNote::Leaving(kind.to_owned())]);
    }
    for kind in ["balanceUpdate", "listStatus", "TRADE_LITE", "ACCOUNT_CONFIG_UPDATE"] {
        assert_eq!(hear(&format!("{{\"e\":\"{kind}\",\"E\":1}}")), [AccountNote::Ignored]);
    }
    for kind in ["MARGIN_CALL", "A_NEW_KIND"] {
        assert_eq!(hear(&format!("{{\"e\":\"{kind}\"}}")), [AccountNote::Unexpected(kind.to_owned())]);
    }
    assert_eq!(hear(&report(&[("BTCUSDT", "XRPUSDT")])), [AccountNote::Ignored], "not of this run");
    assert!(matches!(hear("{}").as_slice(), [AccountNote::Unexpected(_)]));
}

#[test]
fn bad_messages_are_refused() {
    let good = report(&FILLED);
    for end in 0..good.len() {
        assert!(spot().read_account(&good[..end], &listings(Product::Spot)).is_err(), "{end}");
    }
    for (from, to) in [
        ("100.25000000", "100.255"),
        ("0.25000000", "lots"),
        ("\"S\":\"BUY\"", "\"S\":\"HOLD\""),
        ("\"z\":\"0.75000000\"", "\"z\":null"),
        ("0.00025", "0.00000000000000000000000000025"),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good);
        assert!(spot().read_account(&bad, &listings(Product::Spot)).is_err(), "{from} {to}");
    }
}
