//! What Hyperliquid's sockets say, also what they should not.

use super::*;

fn notes(text: &str) -> Result<Vec<String>, WireError> {
    let mut notes = Vec::new();
    let mut sink = |note: Note<'_>| notes.push(format!("{note:?}"));
    Hyperliquid::mainnet().read_market(text, &listings(), NOW, &mut sink)?;
    Ok(notes)
}

const TRADES: &str = r#"{"channel":"trades","data":[{"coin":"ETH","side":"B","px":"2000.5","sz":"0.25","hash":"0xabc","time":1700000000123,"tid":77,"users":["0x1","0x2"]},{"coin":"ETH","side":"A","px":"2000.0","sz":"1.0","hash":"0xabd","time":1700000000124,"tid":66,"users":["0x1","0x2"]}]}"#;
const BOOK: &str = r#"{"channel":"l2Book","data":{"coin":"ETH","time":1700000000123,"levels":[[{"px":"2000.1","sz":"1.5","n":2}],[{"px":"2000.2","sz":"0.25","n":1}]]}}"#;
const BBO: &str =
    r#"{"channel":"bbo","data":{"coin":"ETH","time":1700000000123,"bbo":[{"px":"2000.1","sz":"1.5","n":2},null]}}"#;
const CANDLE: &str = r#"{"channel":"candle","data":{"t":1700000040000,"T":1700000099999,"s":"ETH","i":"1m","o":"1","c":"2","h":"3","l":"0.5","v":"4.25","n":9}}"#;
const CONTEXT: &str = r#"{"channel":"activeAssetCtx","data":{"coin":"ETH","ctx":{"funding":"0.0000125","openInterest":"1.00000001","markPx":"2000.1239","oraclePx":"1"}}}"#;

#[test]
fn market_messages_are_read() {
    let mut seen = Vec::new();
    let mut sink = |note: Note<'_>| {
        seen.push(match note {
            Note::Trade(t, id) => format!("trade {id} {} {} {:?}", t.price.mantissa(), t.qty.mantissa(), t.aggressor),
            Note::Quote(q) => {
                let [bid, ask] = [q.bid, q.ask].map(Price::mantissa);
                format!("quote {bid}@{} {ask}@{}", q.bid_qty.mantissa(), q.ask_qty.mantissa())
            }
            Note::Depth(d, crc) => format!("depth {} {} {crc:?}", d.snapshot, d.levels.len()),
            Note::Bar(b, complete) => {
                let [o, h, l, c] = [b.open, b.high, b.low, b.close].map(Price::mantissa);
                format!("bar {o} {h} {l} {c} {} {} {complete}", b.volume.mantissa(), b.interval)
            }
            Note::FundingRate(_, rate, settles, mark) => {
                format!(
                    "funding {} {} {}",
                    rate.expect("a rate").mantissa(),
                    settles.nanos() / 1_000_000_000,
                    mark.mantissa()
                )
            }
            other => format!("{other:?}"),
        });
    };
    for text in [TRADES, BOOK, BBO, CANDLE, CONTEXT] {
        Hyperliquid::mainnet().read_market(text, &listings(), NOW, &mut sink).expect("read");
    }
    assert_eq!(
        seen,
        [
            "trade 77 200050 2500 Buyer",
            "trade 66 200000 10000 Seller",
            "depth true 2 None",
            "quote 200010@15000 0@0",
            "bar 100 300 50 200 42500 1m false",
            // 1 700 000 000 s is 22:13:20: the hour is full at 23:00. The mark is cut to the scale.
            "funding 12500000 1700002800 200012",
        ]
    );
}

#[test]
fn other_messages_are_named_for_what_they_are() {
    for (text, want) in [
        ("Websocket connection established.", "Ignored"),
        (r#"{"channel":"pong"}"#, "Alive"),
        (
            r#"{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"trades"}}}"#,
            "Subscribed",
        ),
        (r#"{"channel":"subscriptionResponse","data":{"method":"unsubscribe","subscription":{}}}"#, "Ignored"),
        (r#"{"channel":"error","data":"Invalid subscription"}"#, "Refused(\"Invalid subscription\")"),
        (r#"{"channel":"allMids","data":{"mids":{}}}"#, "Ignored"),
        (r#"{"channel":"news","data":{}}"#, "Unexpected(\"news\")"),
    ] {
        assert_eq!(notes(text).expect("read"), [want], "{text}");
    }
    assert_eq!(notes(&TRADES.replace("ETH", "DOGE")).expect("read"), [""; 0]);
}

#[test]
fn topics_become_one_connection() {
    let venue = Hyperliquid::mainnet();
    let topics = [
        Topic::Trades(ID),
        Topic::Quotes(ID),
        Topic::Depth(ID, 5),
        Topic::Bars(ID, Interval::MINUTE),
        Topic::Funding(ID),
        Topic::Bars(ID, "7s".parse().expect("an interval")),
    ];
    let plans = venue.market(&venue.facts().urls, &topics, &listings());
    assert_eq!((plans.len(), plans[0].topics.as_slice()), (1, &topics[..5]));
    let words: Vec<_> = plans[0].messages.iter().map(|m| &m[37..]).collect();
    assert_eq!(
        words,
        [
            r#"{"type":"trades","coin":"ETH"}}"#,
            r#"{"type":"bbo","coin":"ETH"}}"#,
            r#"{"type":"l2Book","coin":"ETH"}}"#,
            r#"{"type":"candle","coin":"ETH","interval":"1m"}}"#,
            r#"{"type":"activeAssetCtx","coin":"ETH"}}"#,
        ]
    );
    assert_eq!(venue.renew_book(topics[2], &listings()).len(), 2);
    assert!(venue.renew_book(topics[0], &listings()).is_empty());
}

const UPDATE: &str = r#"{"channel":"orderUpdates","data":[{"order":{"coin":"ETH","side":"B","limitPx":"1900.5","sz":"0.5","oid":7,"timestamp":1,"origSz":"2.0","cloid":"0x00000000000000000000000000000001"},"status":"open","statusTimestamp":1700000000000}]}"#;

#[test]
fn account_messages_are_read() {
    let venue = Hyperliquid::mainnet();
    let read = |text: &str| venue.read_account(text, &listings()).expect("read");
    let [AccountNote::Order(order)] = &read(UPDATE)[..] else { panic!("an order") };
    assert_eq!((order.status, order.filled), (OrderStatus::PartlyFilled, Some(Qty::from_mantissa(15_000))));
    assert_eq!((order.venue_id.as_str(), order.client_id.parse(), order.ts_venue), ("7", Ok(CLIENT), NOW));
    for (word, status, reason) in [
        ("filled", OrderStatus::Filled, ""),
        ("canceled", OrderStatus::Cancelled, ""),
        ("triggered", OrderStatus::PartlyFilled, ""),
        ("rejected", OrderStatus::Rejected, "venue_rejected"),
        ("marginCanceled", OrderStatus::Cancelled, "insufficient_funds"),
        ("reduceOnlyCanceled", OrderStatus::Cancelled, "reduce_only"),
        ("delistedCanceled", OrderStatus::Cancelled, "market_closed"),
        ("selfTradeCanceled", OrderStatus::Cancelled, "venue_rejected"),
        ("badAloPxRejected", OrderStatus::Rejected, "post_only_would_take"),
        ("iocCancelRejected", OrderStatus::Cancelled, "no_liquidity"),
        ("minTradeNtlRejected", OrderStatus::Rejected, "notional_below_minimum"),
        ("levitating", OrderStatus::Unknown, ""),
    ] {
        let notes = read(&UPDATE.replace("\"open\"", &format!("\"{word}\"")));
        let [AccountNote::Order(order)] = notes.as_slice() else { panic!("an order") };
        assert_eq!((order.status, order.reason), (status, reason), "{word}");
    }
    for text in [
        format!("{{\"channel\":\"userFills\",\"data\":{{\"isSnapshot\":true,\"user\":\"0x1\",\"fills\":[{FILL}]}}}}"),
        format!("{{\"channel\":\"user\",\"data\":{{\"fills\":[{FILL}]}}}}"),
    ] {
        let [AccountNote::Fill(fill)] = &read(&text)[..] else { panic!("a fill") };
        assert_eq!((fill.trade_id.as_str(), fill.price.mantissa(), fill.qty.mantissa()), ("99", 200_050, 5_000));
    }
    assert_eq!(read(r#"{"channel":"user","data":{"funding":{"coin":"ETH"}}}"#), [AccountNote::Ignored]);
    assert_eq!(read(r#"{"channel":"subscriptionResponse","data":{}}"#), [AccountNote::Ready]);

    let plan = venue.trade(&venue.facts().urls, &listings(), &key(), "", stamp(0)).expect("a plan").expect("one");
    assert!(plan.messages.iter().all(|m| m.contains(ACCOUNT)) && plan.messages.len() == 2);
}

#[test]
fn posted_actions_are_answered_by_number() {
    let read = |text: &str| Hyperliquid::mainnet().read_trade(text, &listings()).expect("read");
    let post = |kind: &str, payload: &str| {
        format!(
            "{{\"channel\":\"post\",\"data\":{{\"id\":12,\"response\":{{\"type\":\"{kind}\",\"payload\":{payload}}}}}}}"
        )
    };
    let TradeReply::Answered(12, Ok(rows)) = read(&post(
        "action",
        &statuses(r#"{"resting":{"oid":7}},{"error":"Post only order would have immediately matched, bbo was 1@2."}"#),
    )) else {
        panic!("an answer")
    };
    assert_eq!((rows[0].venue_id.as_str(), rows[0].status), ("7", OrderStatus::Acknowledged));
    assert_eq!(rows[1].refused.as_ref().map(|e| e.reason), Some("post_only_would_take"));
    for (kind, payload, fault) in [
        ("error", "\"429 Too Many Requests: slow\"", Fault::RateLimited { retry_after_ms: None }),
        ("error", "\"502 Bad Gateway\"", Fault::Unknown),
        ("error", "\"422 Failed to deserialize\"", Fault::Rejected),
        ("action", r#"{"status":"err","response":"User or API Wallet 0x1 does not exist."}"#, Fault::Authentication),
        ("action", r#"{"status":"odd"}"#, Fault::Unknown),
        ("novelty", "{}", Fault::Unknown),
    ] {
        let TradeReply::Answered(12, Err(error)) = read(&post(kind, payload)) else { panic!("an error") };
        assert_eq!(error.fault, fault, "{payload}");
    }
}

// Bad input --------------------------------------------------------------------------------------

#[test]
fn messages_cut_at_any_byte_are_refused_without_a_note_or_a_panic() {
    for text in [TRADES, BOOK, BBO, CANDLE, CONTEXT] {
        for end in 0..text.len() {
            assert!(notes(&text[..end]).is_err(), "{}", &text[..end]);
        }
    }
    for end in 0..UPDATE.len() {
        assert!(Hyperliquid::mainnet().read_trade(&UPDATE[..end], &listings()).is_err(), "{}", &UPDATE[..end]);
    }
}

#[test]
fn one_bad_number_refuses_the_whole_message_and_says_which() {
    for (text, from, to, field) in [
        (TRADES, "2000.0", "2000.001", "px"),
        (TRADES, "\"1.0\"", "\"0.00001\"", "sz"),
        (TRADES, "\"1.0\"", "\"1e99\"", "sz"),
        (TRADES, "\"1.0\"", "true", "expected a number"),
        (BOOK, "2000.2", "-", "px"),
        (BBO, "1.5", "1.55555", "sz"),
        (CANDLE, "\"1m\"", "\"1 moon\"", "1 moon"),
        (CONTEXT, "0.0000125", "soon", "funding"),
    ] {
        assert!(text.contains(from), "{from}");
        let error = notes(&text.replace(from, to)).expect_err("refused").to_string();
        assert!(error.contains(field), "{error}");
    }
    assert!(Hyperliquid::mainnet().read_account(&UPDATE.replace("\"2.0\"", "\"2.00001\""), &listings()).is_err());
    let quoted = TRADES.replace("\"2000.5\"", "2000.5").replace("\"hash\"", "\"new\":{\"a\":[1]},\"hash\"");
    assert_eq!(notes(&quoted).expect("read"), notes(TRADES).expect("read"));
}
