//! OKX's codec against hand-written messages of its documents' shapes.

use bellwether_sdk::{Decimal, Interval, OrderKind, Price, Qty, Side, TimeInForce, Ts};

use super::Okx;
use crate::exchange::http::Method;
use crate::exchange::trial::{
    CLIENT, CLIENT_TEXT, ID, asked, heard, limit, one, place, prefixes_fail, response, rules, survives, told,
};
use crate::exchange::{
    AccountNote, Act, Amend, Ask, Cancel, Listings, Note, OrderRef, OrderStatus, Product, Reply, Request, Span, Stamp,
    Topic, TradeReply, Venue,
};
use crate::keys::{Credential, Scheme};

const DAY: Span = Span::new(Ts::from_nanos(0), Ts::from_millis(86_400_000));

fn spot() -> (Okx, Listings) {
    let mut rules = rules("okx:BTC/USDT", "BTC-USDT", 1, 8);
    rules.index = 11;
    (Okx::new(Product::Spot), one(rules))
}

/// A contract is 0.01 BTC, the lot 0.01 contracts: 0.0001 BTC.
fn swap() -> (Okx, Listings) {
    let mut rules = rules("okx:BTC/USDT:USDT", "BTC-USDT-SWAP", 1, 4);
    (rules.contract, rules.index) = (Decimal::new(1, 2), 10_459);
    (Okx::new(Product::Linear), one(rules))
}

fn key() -> Credential {
    let key = Credential::new(
        "985d5b66-57ce-40fb-b714-afc0b9787083",
        Scheme::HmacSha256,
        "chNOOS4KvNXR_Xq4k4c9qsfoKWvnDecLATCRlcBwyKDYnWgO",
    );
    key.expect("a key").with_passphrase("1234567890")
}

fn stamp(ms: i64) -> Stamp {
    Stamp { now: Ts::from_millis(ms), nonce: 1 }
}

fn header(request: &Request, name: &str) -> String {
    request.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default()
}

#[test]
fn signatures_are_those_of_the_fact_sheet() {
    let (venue, l) = swap();
    let at = stamp(1_607_418_537_715);
    let mut get = Request::get("/api/v5/account/balance", "", 1).signed();
    venue.sign(&mut get, &key(), at).expect("signed");
    assert_eq!(header(&get, "OK-ACCESS-SIGN"), "PJ61e1nb2F2Qd7D8SPiaIcx2gjdELc+o0ygzre9z33k=");
    assert_eq!(header(&get, "OK-ACCESS-TIMESTAMP"), "2020-12-08T09:08:57.715Z");
    assert_eq!(header(&get, "OK-ACCESS-PASSPHRASE"), "1234567890");
    assert_eq!(header(&get, "expTime"), "");
    let body =
        r#"{"instId":"BTC-USD-200925","tdMode":"isolated","side":"buy","ordType":"limit","px":"432.11","sz":"2"}"#;
    let mut post = Request::new(Method::Post, "/api/v5/trade/order", "", 1).body("application/json", body).signed();
    venue.sign(&mut post, &key(), at).expect("signed");
    assert_eq!(header(&post, "OK-ACCESS-SIGN"), "nEpHMx6gZYYjWVfzXtwccJAPmWrrmDHvV4cNsi10d6o=");
    assert_eq!(header(&post, "expTime"), "1607418542715", "an order says when it expires");
    let urls = &venue.facts().urls;
    let plan = venue.account(urls, &l, &key(), "", stamp(1_704_876_947_999)).expect("a plan").expect("a plan");
    assert_eq!(
        plan.login.as_deref(),
        Some(
            r#"{"op":"login","args":[{"apiKey":"985d5b66-57ce-40fb-b714-afc0b9787083","passphrase":"1234567890","timestamp":"1704876947","sign":"h40uJnu4QWNKOXDPW/QiOVwtFDAmLKh7ThzSboYPqrk="}]}"#
        )
    );
    assert_eq!(
        plan.messages,
        [
            r#"{"op":"subscribe","args":[{"channel":"orders","instType":"SWAP"},{"channel":"account"},{"channel":"positions","instType":"SWAP"}]}"#
        ]
    );
    let wrong = Credential::new("k", Scheme::HmacSha512, "c2VjcmV0").expect("a key");
    assert!(venue.sign(&mut get, &wrong, at).is_err());
}

#[test]
fn the_demo_has_its_header_and_its_sockets() {
    let (_, l) = swap();
    let venue = Okx::demo(Product::Linear);
    assert!(venue.facts().urls.market.starts_with("wss://wspap.okx.com:8443/"));
    assert_eq!(header(&venue.ask(&Ask::Balances, &l).expect("a request"), "x-simulated-trading"), "1");
    let real = Okx::new(Product::Linear).ask(&Ask::Balances, &l).expect("a request");
    assert_eq!(header(&real, "x-simulated-trading"), "");
}

#[test]
fn questions_become_these_requests() {
    let ((spot, s), (swap, l)) = (spot(), swap());
    let (from, to) = (Ts::from_millis(1_700_000_000_000), Ts::from_millis(1_800_000_000_000));
    let five = Interval::from_nanos(300_000_000_000).expect("an interval");
    for (ask, expected) in [
        (Ask::Time, "GET /api/v5/public/time".to_owned()),
        (Ask::Instruments, "GET /api/v5/public/instruments?instType=SWAP".to_owned()),
        (Ask::Ticker(ID), "GET /api/v5/market/ticker?instId=BTC-USDT-SWAP".to_owned()),
        (Ask::Book(ID, 1000), "GET /api/v5/market/books?instId=BTC-USDT-SWAP&sz=400".to_owned()),
        (Ask::Trades(ID, 9), "GET /api/v5/market/trades?instId=BTC-USDT-SWAP&limit=9".to_owned()),
        (Ask::TradesFrom(ID, from), "unsupported: venue_rejected".to_owned()),
        (
            Ask::Bars(ID, five, from, to),
            "GET /api/v5/market/history-candles?instId=BTC-USDT-SWAP&bar=5m&before=1699999999999&after=1700030000000&limit=100".to_owned(),
        ),
        (
            Ask::Bars(ID, Interval::DAY, from, Ts::from_millis(1_700_000_000_001)),
            "GET /api/v5/market/history-candles?instId=BTC-USDT-SWAP&bar=1Dutc&before=1699999999999&after=1700000000001&limit=100".to_owned(),
        ),
        (
            Ask::Funding(ID, from, to),
            "GET /api/v5/public/funding-rate-history?instId=BTC-USDT-SWAP&before=1699999999999&after=1700360000000&limit=100".to_owned(),
        ),
        (Ask::Balances, "GET /api/v5/account/balance signed".to_owned()),
        (Ask::Positions, "GET /api/v5/account/positions?instType=SWAP signed".to_owned()),
        (Ask::OpenOrders(None), "GET /api/v5/trade/orders-pending?instType=SWAP&limit=100 signed".to_owned()),
        (
            Ask::OpenOrders(Some(ID)),
            "GET /api/v5/trade/orders-pending?instType=SWAP&instId=BTC-USDT-SWAP&limit=100 signed".to_owned(),
        ),
        (
            Ask::Order(ID, OrderRef::Client(CLIENT)),
            format!("GET /api/v5/trade/order?instId=BTC-USDT-SWAP&clOrdId={CLIENT_TEXT} signed"),
        ),
        (
            Ask::Fills(ID, Span::new(from, from)),
            "GET /api/v5/trade/fills?instType=SWAP&instId=BTC-USDT-SWAP&begin=1700000000000&limit=100 signed".to_owned(),
        ),
        (Ask::Permissions, "GET /api/v5/account/config signed".to_owned()),
        (Ask::StreamTicket, "unsupported: venue_rejected".to_owned()),
    ] {
        assert_eq!(asked(swap.ask(&ask, &l)), expected, "{ask:?}");
    }
    assert_eq!(asked(spot.ask(&Ask::Positions, &s)), "unsupported: venue_rejected");
    assert_eq!(asked(spot.ask(&Ask::Instruments, &s)), "GET /api/v5/public/instruments?instType=SPOT");
    assert_eq!(swap.guess_name(&"okx:BTC/USDT:USDT".parse().expect("a symbol")), "BTC-USDT-SWAP");
    assert_eq!(spot.guess_name(&"okx:BTC/USDT".parse().expect("a symbol")), "BTC-USDT");
}

#[test]
fn orders_become_these_requests_in_contracts() {
    let ((spot, s), (swap, l)) = (spot(), swap());
    let ask = |order| asked(swap.act(&Act::Place(order), &l));
    // Five units of 0.0001 BTC are 0.05 contracts.
    assert_eq!(
        ask(limit(Side::Buy, 432_115)),
        format!(
            r#"POST /api/v5/trade/order signed {{"instId":"BTC-USDT-SWAP","tdMode":"cross","clOrdId":"{CLIENT_TEXT}","side":"buy","ordType":"limit","sz":"0.05","px":"43211.5"}}"#
        )
    );
    let price = Price::from_mantissa(10);
    let of = |change: fn(&mut crate::orders::Order)| ask(place(Side::Sell, OrderKind::Limit { price }, change));
    assert!(of(|o| o.post_only = true).contains(r#""ordType":"post_only""#));
    assert!(of(|o| o.tif = TimeInForce::Ioc).contains(r#""ordType":"ioc""#));
    assert!(of(|o| o.tif = TimeInForce::Fok).contains(r#""ordType":"fok""#));
    assert!(of(|o| o.reduce_only = true).ends_with(r#""px":"1","reduceOnly":true}"#));
    assert_eq!(
        asked(spot.act(&Act::Place(place(Side::Buy, OrderKind::Market, |_| {})), &s)),
        format!(
            r#"POST /api/v5/trade/order signed {{"instId":"BTC-USDT","tdMode":"cash","clOrdId":"{CLIENT_TEXT}","side":"buy","ordType":"market","sz":"0.00000005","tgtCcy":"base_ccy"}}"#
        )
    );
    let no = "unsupported: venue_rejected";
    for refused in [
        place(Side::Sell, OrderKind::StopMarket { trigger: price }, |_| {}),
        place(Side::Sell, OrderKind::StopLimit { trigger: price, price }, |_| {}),
        place(Side::Buy, OrderKind::Limit { price }, |o| o.tif = TimeInForce::Gtd(Ts::from_millis(1))),
        place(Side::Buy, OrderKind::Market, |o| o.tif = TimeInForce::Fok),
        place(Side::Buy, OrderKind::Market, |o| o.post_only = true),
    ] {
        assert_eq!(ask(refused), no);
    }
    let mut thirds = rules("okx:X/USDT:USDT", "X-USDT-SWAP", 1, 4);
    thirds.contract = Decimal::new(3, 0);
    assert_eq!(asked(swap.act(&Act::Place(limit(Side::Buy, 1)), &one(thirds))), "rejected: size_off_lot");
}

#[test]
fn changes_cancels_and_batches_become_these_requests() {
    let (venue, l) = swap();
    let by_client = Cancel { instrument: ID, order: OrderRef::Client(CLIENT) };
    let by_venue = Cancel { instrument: ID, order: OrderRef::Venue("v1".to_owned()) };
    let amend = Amend {
        instrument: ID,
        order: OrderRef::Venue("v1".to_owned()),
        side: Side::Buy,
        price: Some(Price::from_mantissa(15)),
        qty: Some(Qty::from_mantissa(200)),
    };
    for (act, expected) in [
        (Act::Cancel(by_client.clone()), format!(r#"cancel-order signed {{"instId":"BTC-USDT-SWAP","clOrdId":"{CLIENT_TEXT}"}}"#)),
        (
            Act::CancelMany(vec![by_venue.clone(), by_venue]),
            r#"cancel-batch-orders signed [{"instId":"BTC-USDT-SWAP","ordId":"v1"},{"instId":"BTC-USDT-SWAP","ordId":"v1"}]"#.to_owned(),
        ),
        (
            Act::Amend(amend),
            r#"amend-order signed {"instId":"BTC-USDT-SWAP","ordId":"v1","newSz":"2","newPx":"1.5"}"#.to_owned(),
        ),
    ] {
        assert_eq!(asked(venue.act(&act, &l)), format!("POST /api/v5/trade/{expected}"));
    }
    let switch = |ms| venue.cancel_after(ms, &l).into_iter().map(|r| (r.path, r.body)).collect::<Vec<_>>();
    let path = "/api/v5/trade/cancel-all-after".to_owned();
    assert_eq!(switch(30_000), [(path.clone(), r#"{"timeOut":"30"}"#.to_owned())]);
    assert_eq!(switch(0), [(path, r#"{"timeOut":"0"}"#.to_owned())]);
    let no = "unsupported: venue_rejected";
    assert_eq!(asked(venue.act(&Act::CancelAll(ID), &l)), no);
    assert_eq!(asked(venue.act(&Act::PlaceMany(Vec::new()), &l)), no);
    assert_eq!(asked(venue.act(&Act::CancelReplace(by_client.clone(), limit(Side::Buy, 1)), &l)), no);
    let say = |act: &Act, l: &Listings| venue.say(act, 12, l, &key(), "", stamp(1_700_000_000_000)).expect("said");
    assert_eq!(
        say(&Act::Cancel(by_client.clone()), &l).expect("over the socket"),
        format!(r#"{{"id":"12","op":"cancel-order","args":[{{"instIdCode":10459,"clOrdId":"{CLIENT_TEXT}"}}]}}"#)
    );
    let placed = say(&Act::Place(limit(Side::Buy, 10)), &l).expect("over the socket");
    assert!(placed.starts_with(
        r#"{"id":"12","op":"order","expTime":"1700000005000","args":[{"instIdCode":10459,"tdMode":"cross""#
    ));
    let unnumbered = one(rules("okx:BTC/USDT:USDT", "BTC-USDT-SWAP", 1, 4));
    assert_eq!(say(&Act::Cancel(by_client), &unnumbered), None, "without a number it goes by REST");
}

#[test]
fn acts_are_answered_one_by_one() {
    let (venue, l) = swap();
    let act = Act::CancelAll(ID);
    let row = |id: &str, code: &str| {
        format!(r#"{{"ordId":"{id}","clOrdId":"{CLIENT_TEXT}","tag":"","sCode":"{code}","sMsg":"words"}}"#)
    };
    let body = |code: &str, rows: &[String]| format!(r#"{{"code":"{code}","msg":"","data":[{}]}}"#, rows.join(","));
    let reply = |text: &str| venue.act_reply(&act, &response(200, text), &l);
    let replies = reply(&body("0", &[row("v1", "0")])).expect("taken");
    assert_eq!(
        (replies[0].venue_id.as_str(), replies[0].client, replies[0].status),
        ("v1", Some(CLIENT), OrderStatus::Acknowledged)
    );
    let some = reply(&body("2", &[row("v1", "0"), row("", "51008")])).expect("some taken");
    assert_eq!(some[0].refused, None);
    assert_eq!(some[1].refused.as_ref().map(|e| (e.reason, e.text.as_str())), Some(("insufficient_funds", "words")));
    for (code, fault, reason) in [
        ("51016", "rejected", "duplicate_order_id"),
        ("51603", "rejected", "unknown_order"),
        ("51020", "rejected", "size_below_minimum"),
        ("50011", "rate_limited", "venue_rejected"),
        ("50004", "unknown_outcome", "venue_rejected"),
    ] {
        let error = reply(&body("1", &[row("", code)])).expect_err("refused");
        assert_eq!((error.fault.name(), error.reason), (fault, reason), "{code}");
    }
    for text in
        ["[]", r#"{"code":"0","msg":"","data":[]}"#, r#"{"code":"0","msg":""}"#, r#"{"code":"0","data":[{"x":1}]}"#]
    {
        assert_eq!(reply(text).expect_err(text).fault.name(), "unknown_outcome", "{text}");
    }
    let socket = |text: &str| venue.read_trade(text, &l).expect("read");
    let ok = format!(
        r#"{{"id":"12","op":"order","code":"0","msg":"","data":[{}],"inTime":"1","outTime":"2"}}"#,
        row("v1", "0")
    );
    assert!(matches!(socket(&ok), TradeReply::Answered(12, Ok(r)) if r[0].venue_id == "v1"));
    let no = r#"{"id":"13","op":"order","code":"60014","msg":"too many","data":[]}"#;
    assert!(matches!(socket(no), TradeReply::Answered(13, Err(e)) if e.code == "60014"));
    assert_eq!(socket(r#"{"event":"login","code":"0","msg":"","connId":"c"}"#), TradeReply::LoggedIn(Ok(())));
    let refused = socket(r#"{"event":"error","code":"60009","msg":"Login failed.","connId":"c"}"#);
    assert!(matches!(refused, TradeReply::LoggedIn(Err(e)) if e.fault.name() == "authentication"));
    assert_eq!(socket("pong"), TradeReply::Ignored);
}

#[test]
fn bars_have_a_connection_of_their_own() {
    let (venue, l) = swap();
    let topics = [
        Topic::Trades(ID),
        Topic::Bars(ID, Interval::MINUTE),
        Topic::Depth(ID, 20),
        Topic::Quotes(ID),
        Topic::Funding(ID),
    ];
    let plans = venue.market(&venue.facts().urls, &topics, &l);
    assert_eq!(plans.len(), 2);
    assert_eq!(
        plans[0].messages,
        [
            r#"{"op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT-SWAP"},{"channel":"books","instId":"BTC-USDT-SWAP"},{"channel":"bbo-tbt","instId":"BTC-USDT-SWAP"},{"channel":"funding-rate","instId":"BTC-USDT-SWAP"}]}"#
        ]
    );
    assert_eq!(plans[1].url, "wss://ws.okx.com:8443/ws/v5/business");
    assert_eq!(plans[1].messages, [r#"{"op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT-SWAP"}]}"#]);
    assert_eq!(
        venue.renew_book(Topic::Depth(ID, 5), &l),
        [
            r#"{"op":"unsubscribe","args":[{"channel":"books","instId":"BTC-USDT-SWAP"}]}"#,
            r#"{"op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT-SWAP"}]}"#
        ]
    );
}

const TRADE: &str = r#"{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","tradeId":"130639474","px":"42219.9","sz":"12.06","side":"buy","ts":"1630048897897","count":"3"}]}"#;
const BOOK: &str = r#"{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":"update","data":[{"asks":[["8477","7","0","2"]],"bids":[["8476.9","0","0","0"]],"ts":"1597026383085","checksum":0,"prevSeqId":17,"seqId":19}]}"#;

#[test]
fn market_messages_are_read() {
    let (venue, l) = swap();
    let hear = |text: &str| heard(&venue, text, &l);
    assert_eq!(hear(TRADE), ["trade 3 422199x1206 Buyer at 1630048897897 #130639474"]);
    assert_eq!(hear(BOOK), ["change 3 19-19<17 b84769x0 a84770x700 at 1597026383085 None"]);
    let snapshot = BOOK.replace("update", "snapshot").replace("\"prevSeqId\":17", "\"prevSeqId\":-1");
    assert!(hear(&snapshot)[0].starts_with("snapshot 3 19-19<0 "));
    let best = BOOK.replace("\"books\"", "\"bbo-tbt\"").replace("\"action\":\"update\",", "");
    assert_eq!(hear(&best), ["quote 3 84769x0 84770x700 at 1597026383085"]);
    let bar = r#"{"arg":{"channel":"candle1m","instId":"BTC-USDT-SWAP"},"data":[["1597026360000","8533.5","8553.7","8527.1","8548.2","45247","452.47","3","0"]]}"#;
    assert_eq!(hear(bar), ["bar 3 1597026360000-1597026420000 85335 85537 85271 85482 v4524700 false"]);
    assert!(hear(&bar.replace("\"0\"]]", "\"1\"]]"))[0].ends_with("true"));
    let funding = r#"{"arg":{"channel":"funding-rate","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","fundingRate":"-0.0001","fundingTime":"1744590349506","nextFundingTime":"1"}]}"#;
    assert_eq!(hear(funding), ["funding 3 -100000000 1744590349506 mark 0"]);
    for (text, expected) in [
        ("pong", "Alive"),
        (r#"{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"connId":"c"}"#, "Subscribed"),
        (r#"{"event":"error","code":"60018","msg":"no channel","connId":"c"}"#, "Refused(\"no channel\")"),
        (r#"{"event":"notice","code":"64008","msg":"upgrade","connId":"c"}"#, "Leaving(\"upgrade\")"),
        (&TRADE.replace("BTC", "ETH"), "Ignored"),
    ] {
        assert_eq!(hear(text), [expected], "{text}");
    }
    assert!(hear(r#"{"arg":{"channel":"new"},"data":[]}"#)[0].starts_with("Unexpected"));
}

#[test]
fn an_idle_book_and_one_after_maintenance_go_on() {
    use crate::market::book::{Applied, Book};
    let (venue, l) = swap();
    let mut book = Book::default();
    let mut apply = |text: &str| {
        let mut applied = None;
        let mut sink = |note: Note<'_>| {
            if let Note::Depth(depth, _) = note {
                applied = Some(book.apply(&depth));
            }
        };
        venue.read_market(text, &l, Ts::from_nanos(1), &mut sink).expect("read");
        applied.expect("a depth message")
    };
    let message = |prev: i64, seq: i64| {
        let numbers = format!("\"prevSeqId\":{prev},\"seqId\":{seq}");
        BOOK.replace("\"prevSeqId\":17,\"seqId\":19", &numbers)
    };
    assert_eq!(apply(&message(-1, 17).replace("update", "snapshot")), Applied::Changed);
    assert_eq!(apply(&message(17, 19)), Applied::Changed);
    assert_eq!(apply(&message(19, 19)), Applied::Changed, "an idle book repeats its number");
    assert_eq!(apply(&message(19, 3)), Applied::Changed, "numbers start anew");
    assert_eq!(apply(&message(3, 5)), Applied::Changed);
    assert_eq!(apply(&message(6, 7)), Applied::Gap);
}

const ORDER: &str = r#"{"arg":{"channel":"orders","instType":"SWAP"},"data":[{"accFillSz":"0.03","avgPx":"103698.9","cTime":"1746947317401","cancelSource":"","clOrdId":"0000000000000abc0000000000000007","execType":"M","fee":"-0.05","feeCcy":"USDT","fillFee":"-0.02","fillFeeCcy":"USDT","fillPx":"103698.9","fillSz":"0.01","fillTime":"1746947317402","instId":"BTC-USDT-SWAP","ordId":"v1","ordType":"limit","posSide":"net","px":"103700","side":"buy","state":"partially_filled","sz":"0.05","tradeId":"t1","uTime":"1746947317403"}]}"#;

#[test]
fn the_private_stream_is_read() {
    let (venue, l) = swap();
    let read = |text: &str| venue.read_account(text, &l).unwrap_or_else(|e| panic!("{text}: {e}"));
    let notes = read(ORDER);
    let [AccountNote::Fill(fill), AccountNote::Order(order)] = notes.as_slice() else { panic!("{notes:?}") };
    assert_eq!(
        (fill.trade_id.as_str(), fill.qty, fill.price),
        ("t1", Qty::from_mantissa(1), Price::from_mantissa(1_036_989))
    );
    assert_eq!((fill.fee.to_string().as_str(), fill.fee_currency.as_str()), ("0.02", "USDT"), "paid is above zero");
    assert_eq!(fill.liquidity, bellwether_sdk::Liquidity::Maker);
    assert_eq!((order.status, order.filled), (OrderStatus::PartlyFilled, Some(Qty::from_mantissa(3))));
    assert_eq!((order.client_id.as_str(), order.ts_venue), (CLIENT_TEXT, Ts::from_millis(1_746_947_317_403)));
    let without = read(&ORDER.replace("\"fillFee\"", "\"old\""));
    assert!(matches!(without.as_slice(), [AccountNote::Order(_)]), "a later fill's fee is not the order's whole fee");
    let only = read(&ORDER.replace("\"fillFee\"", "\"old\"").replace("\"fillSz\":\"0.01\"", "\"fillSz\":\"0.03\""));
    assert!(matches!(&only[0], AccountNote::Fill(f) if f.fee == Decimal::new(5, 2)));
    let cancelled = ORDER.replace("partially_filled", "canceled").replace("\"tradeId\":\"t1\"", "\"tradeId\":\"\"");
    let crossed = read(&cancelled.replace("\"cancelSource\":\"\"", "\"cancelSource\":\"31\""));
    assert!(matches!(crossed.as_slice(), [AccountNote::Order(o)] if o.reason == "post_only_would_take"));
    let odd = read(&ORDER.replace("partially_filled", "dreaming"));
    assert!(odd.iter().any(|n| matches!(n, AccountNote::Unexpected(t) if t.contains("dreaming"))), "{odd:?}");
    assert!(odd.iter().any(|n| matches!(n, AccountNote::Order(o) if o.status == OrderStatus::Unknown)));
    assert_eq!(read(&ORDER.replace("BTC-USDT", "ETH-USDT")), [AccountNote::Ignored]);

    let held = r#"{"arg":{"channel":"positions","instType":"SWAP"},"data":[{"instId":"BTC-USDT-SWAP","posSide":"net","pos":"-3","avgPx":"100.25","liqPx":"","upl":"-1.5"}]}"#;
    let AccountNote::Position(position) = &read(held)[0] else { panic!("no position") };
    assert_eq!((position.qty, position.liquidation), (Qty::from_mantissa(-300), None));
    assert!(matches!(&read(&held.replace("net", "long"))[0], AccountNote::Unexpected(t) if t.contains("long/short")));
    let wallet = r#"{"arg":{"channel":"account"},"data":[{"details":[{"ccy":"USDT","cashBal":"94.42612990333333123","availBal":"90"}]}]}"#;
    assert!(
        matches!(&read(wallet)[0], AccountNote::Balance(b) if b.currency == "USDT" && b.free == Decimal::new(90, 0))
    );
    for (text, expected) in [
        (r#"{"event":"login","code":"0","msg":"","connId":"c"}"#, AccountNote::LoggedIn),
        (r#"{"event":"subscribe","arg":{"channel":"orders"},"connId":"c"}"#, AccountNote::Ready),
        ("pong", AccountNote::Alive),
        (r#"{"event":"notice","code":"64008","msg":"upgrade"}"#, AccountNote::Leaving("upgrade".to_owned())),
    ] {
        assert_eq!(read(text), [expected]);
    }
}

fn wrapped(data: &str) -> String {
    format!(r#"{{"code":"0","msg":"","data":[{data}]}}"#)
}

#[test]
fn instruments_give_their_rules_in_base_units() {
    let (venue, l) = swap();
    let row = |id: &str, kind: &str, value: &str, family: &str| {
        format!(
            r#"{{"instId":"{id}","ctType":"{kind}","ctVal":"{value}","ctMult":"1","ctValCcy":"BTC","settleCcy":"USDT","uly":"{family}","tickSz":"0.1","lotSz":"0.01","minSz":"0.02","maxLmtSz":"100000000","maxMktSz":"12000","maxLmtAmt":"20000000","state":"live","instIdCode":10459}}"#
        )
    };
    let rows = [
        row("BTC-USDT-SWAP", "linear", "0.01", "BTC-USDT"),
        row("BTC-USD-SWAP", "inverse", "100", "BTC-USD"),
        row("ETH-USDT-SWAP", "linear", "0.1", "ETH-USDT"),
        r#"{"instId":"BAD","ctType":7}"#.to_owned(),
    ];
    let Reply::Instruments(rules, unread) = told(&venue, &Ask::Instruments, &wrapped(&rows.join(",")), &l) else {
        panic!()
    };
    assert_eq!(unread, ["ETH-USDT-SWAP", "BAD"], "a contract valued in another currency is not understood");
    let [btc] = rules.as_slice() else { panic!("{rules:?}") };
    assert_eq!((btc.symbol.as_str(), btc.index, btc.contract), ("okx:BTC/USDT:USDT", 10_459, Decimal::new(1, 2)));
    assert_eq!(
        (btc.qty_scale, btc.lot, btc.qty_min, btc.multiplier),
        (4, Qty::from_mantissa(1), Qty::from_mantissa(2), 1)
    );
    // A million and a hundred and twenty bitcoin, and twenty million dollars.
    assert_eq!(
        (btc.qty_max.mantissa(), btc.qty_max_market.mantissa(), btc.notional_max),
        (10_000_000_000, 1_200_000, 20_000_000 * 10i128.pow(5))
    );
    let (spot, s) = spot();
    let row = r#"{"instId":"BTC-USDT","baseCcy":"BTC","quoteCcy":"USDT","ctVal":"","ctMult":"","tickSz":"0.1","lotSz":"0.00000001","minSz":"0.00001","maxLmtSz":"9999999999","maxMktSz":"1000000","maxLmtAmt":"20000000","state":"suspend"}"#;
    let rows = [row.to_owned(), row.replace("USDT", "EUR").replace("9999999999", "999999999999")].join(",");
    let Reply::Instruments(rules, _) = told(&spot, &Ask::Instruments, &wrapped(&rows), &s) else { panic!() };
    assert_eq!(
        (rules[0].symbol.as_str(), rules[0].qty_scale, rules[0].qty_min, rules[0].closed.is_none()),
        ("okx:BTC/USDT", 8, Qty::from_mantissa(1000), false)
    );
    // Of spot the largest market order is in dollars, which no quantity can say; and so is a value in another currency.
    assert_eq!(
        (rules[0].qty_max.mantissa(), rules[0].qty_max_market, rules[0].notional_max),
        (999_999_999_900_000_000, Qty::ZERO, 20_000_000 * 10i128.pow(9))
    );
    assert_eq!((rules[1].qty_max, rules[1].notional_max), (Qty::ZERO, 0), "more than any order of ours has");
}

#[test]
fn answers_are_read() {
    let (venue, l) = swap();
    let tell = |ask: Ask, data: &str| told(&venue, &ask, &wrapped(data), &l);
    assert_eq!(tell(Ask::Time, r#"{"ts":"1597026383085"}"#), Reply::Time(Ts::from_millis(1_597_026_383_085)));
    let bars = r#"["120000","3","3","3","3","1","0","0","0"],["60000","2","4","1","3","50","0","0","1"],["0","1","2","1","2","25","0","0","1"]"#;
    let Reply::Bars(bars) = tell(Ask::Bars(ID, Interval::MINUTE, Ts::from_nanos(0), Ts::MAX), bars) else { panic!() };
    let read: Vec<_> = bars.iter().map(|b| (b.ts_open.nanos(), b.open.mantissa(), b.volume.mantissa())).collect();
    assert_eq!(read, [(0, 10, 2500), (60_000_000_000, 20, 5000)], "the open one is left out");
    let rates = r#"{"fundingRate":"0.1","realizedRate":"0.0002","fundingTime":"2"},{"fundingRate":"-0.0001","realizedRate":"","fundingTime":"1"}"#;
    let Reply::Funding(rows) = tell(Ask::Funding(ID, Ts::from_nanos(0), Ts::MAX), rates) else { panic!() };
    assert_eq!(rows.iter().map(|r| r.rate.mantissa()).collect::<Vec<_>>(), [-100_000_000, 200_000_000]);
    let Reply::Book(book) =
        tell(Ask::Book(ID, 1), r#"{"asks":[["3","1","0","1"]],"bids":[["2","1.5","0","1"]],"ts":"5","seqId":77}"#)
    else {
        panic!()
    };
    assert_eq!((book.last_id, book.levels[0].qty), (77, Qty::from_mantissa(150)));
    let Reply::Ticker(t) =
        tell(Ask::Ticker(ID), r#"{"last":"2.5","bidPx":"2","bidSz":"1","askPx":"","askSz":"","ts":"5"}"#)
    else {
        panic!()
    };
    assert_eq!(
        (t.bid, t.bid_qty, t.ask, t.last),
        (Price::from_mantissa(20), Qty::from_mantissa(100), Price::ZERO, Price::from_mantissa(25))
    );
    let order = |state: &str| {
        format!(
            r#"{{"instId":"BTC-USDT-SWAP","ordId":"v1","clOrdId":"c","side":"sell","ordType":"fok","px":"3","sz":"2","state":"{state}","accFillSz":"1","cTime":"5"}}"#
        )
    };
    let Reply::Orders(rows, 0) = tell(Ask::OpenOrders(None), &order("live")) else { panic!() };
    assert_eq!(
        (rows[0].qty, rows[0].filled, rows[0].tif),
        (Qty::from_mantissa(200), Qty::from_mantissa(100), TimeInForce::Fok)
    );
    assert_eq!(rows[0].kind, Some(OrderKind::Limit { price: Price::from_mantissa(30) }));
    let error = |ask: &Ask, data: &str| venue.reply(ask, &response(200, &wrapped(data)), &l).expect_err("an error");
    let full = vec![order("live"); 100].join(",");
    let Reply::SomeOrders(rows, 0, ended) = tell(Ask::OpenOrders(None), &full) else { panic!("no silent end of page") };
    assert_eq!((rows.len(), ended.as_str()), (100, "v1"));
    let next = venue.ask_on(&Ask::OpenOrders(None), &ended, &l).expect("a request");
    assert_eq!(next.query, "instType=SWAP&limit=100&after=v1");
    assert_eq!(error(&Ask::Order(ID, OrderRef::Client(CLIENT)), "").reason, "unknown_order");
    let fill = r#"{"instId":"BTC-USDT-SWAP","tradeId":"t","ordId":"v","clOrdId":"c","fillPx":"3","fillSz":"2","side":"sell","execType":"T","feeCcy":"USDT","fee":"0.01","ts":"5"}"#;
    let Reply::Fills(rows, None) = tell(Ask::Fills(ID, DAY), fill) else { panic!() };
    assert_eq!(
        (rows[0].fee.to_string().as_str(), rows[0].qty),
        ("-0.01", Qty::from_mantissa(200)),
        "a rebate is below zero"
    );
    let rows: Vec<String> =
        (0..100).map(|i| fill.replace("\"tradeId\"", &format!("\"billId\":\"b{i}\",\"tradeId\""))).collect();
    let Reply::Fills(_, Some(older)) = tell(Ask::Fills(ID, DAY), &rows.join(",")) else {
        panic!("no silent end of page")
    };
    let query = |span: &Span| venue.ask(&Ask::Fills(ID, span.clone()), &l).expect("a request").target();
    let recent = "/api/v5/trade/fills?instType=SWAP&instId=BTC-USDT-SWAP&begin=0&limit=100";
    assert_eq!(query(&older), format!("{recent}&after=b99"));
    assert!(error(&Ask::Fills(ID, DAY), &vec![fill; 100].join(",")).text.contains("billId"));
    let week = Span::new(DAY.from, Ts::from_millis(7 * 86_400_000));
    assert_eq!(
        query(&week),
        "/api/v5/trade/fills-history?instType=SWAP&instId=BTC-USDT-SWAP&begin=0&end=432000001&limit=100"
    );
    let Reply::Fills(_, Some(newer)) = tell(Ask::Fills(ID, week), fill) else { panic!("no silent end of the archive") };
    assert_eq!(query(&newer), recent.replace("begin=0", "begin=432000000"));
    let held = |side: &str| format!(r#"{{"instId":"BTC-USDT-SWAP","posSide":"{side}","pos":"2","avgPx":"1"}}"#);
    assert!(
        matches!(tell(Ask::Positions, &held("short")), Reply::Positions(p) if p[0].qty == Qty::from_mantissa(-200))
    );
    assert!(error(&Ask::Positions, &[held("short"), held("long")].join(",")).text.contains("net mode"));
    let Reply::Permissions(p) = tell(Ask::Permissions, r#"{"perm":"read_only,withdraw","ip":""}"#) else { panic!() };
    assert_eq!((p.read, p.trade, p.withdraw, p.ip_bound), (Some(true), Some(false), Some(true), Some(false)));
}

#[test]
fn errors_are_sorted() {
    let (venue, l) = swap();
    for (code, read, write) in [
        ("50011", "rate_limited", "rate_limited"),
        ("50061", "rate_limited", "rate_limited"),
        ("50004", "transient", "unknown_outcome"),
        ("50026", "transient", "unknown_outcome"),
        ("51149", "transient", "unknown_outcome"),
        ("50001", "transient", "unknown_outcome"),
        ("50013", "transient", "unknown_outcome"),
        ("50102", "clock_skew", "clock_skew"),
        ("50111", "authentication", "authentication"),
        ("50113", "authentication", "authentication"),
        ("50105", "authentication", "authentication"),
        ("50101", "authentication", "authentication"),
        ("51000", "rejected", "rejected"),
    ] {
        let body = format!(r#"{{"code":"{code}","msg":"words","data":[]}}"#);
        for status in [200, 400, 503] {
            let error = venue.reply(&Ask::Balances, &response(status, &body), &l).expect_err("an error");
            assert_eq!((error.fault.name(), error.text.as_str()), (read, "words"), "{code}");
            let error = venue.act_reply(&Act::CancelAll(ID), &response(status, &body), &l).expect_err("an error");
            assert_eq!(error.fault.name(), write, "{code}");
        }
    }
    for (status, body, read, write) in [
        (429, "", "rate_limited", "rate_limited"),
        (502, "<html>", "transient", "unknown_outcome"),
        (200, "<html>", "malformed", "unknown_outcome"),
    ] {
        assert_eq!(venue.reply(&Ask::Balances, &response(status, body), &l).expect_err("an error").fault.name(), read);
        let error = venue.act_reply(&Act::CancelAll(ID), &response(status, body), &l).expect_err("an error");
        assert_eq!(error.fault.name(), write);
    }
}

#[test]
fn bad_input_is_an_error_and_never_a_panic() {
    let (venue, l) = swap();
    for text in [TRADE, BOOK, ORDER] {
        survives(&venue, text, &l);
    }
    prefixes_fail(&venue, &Ask::Time, &wrapped(r#"{"ts":"1"}"#), &l);
    let read = |text: &str| venue.read_market(text, &l, Ts::from_nanos(1), &mut |_: Note<'_>| {});
    for (find, put, field) in
        [("42219.9", "42219.95", "px"), ("12.06", "12.065", "sz"), ("1630048897897", "1e99", "ts")]
    {
        let error = read(&TRADE.replace(find, put)).expect_err(put).to_string();
        assert!(error.starts_with(field), "{error}");
    }
    assert!(read(&BOOK.replace("update", "change")).is_err(), "an action that could be either");
    assert!(read(&BOOK.replace("\"seqId\":19", "\"x\":1")).is_err(), "a book that cannot be followed");
    assert!(read(&BOOK.replace("\"prevSeqId\":17,", "")).is_err());
    assert!(read(&BOOK.replace("\"7\"", "7")).is_ok(), "a number where a text was");
    assert!(read("{}").is_err());
    assert!(venue.read_account(&ORDER.replace("0.03", "0.035"), &l).is_err(), "money is never guessed");
}
