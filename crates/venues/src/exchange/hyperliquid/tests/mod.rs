//! Hyperliquid's codec held against its documents and its SDK: signatures, requests, messages, bad input, errors.

mod streams;

use bellwether_sdk::{
    Aggressor, InstrumentId, Interval, Liquidity, OrderKind, Price, Qty, Rate, Side, TimeInForce, Trail, Ts,
};

use super::Hyperliquid;
use super::sign::{agent, connection_id, payload};
use crate::exchange::{
    AccountNote, Act, Amend, Ask, Cancel, ClientId, Fault, Listings, Note, OrderRef, OrderStatus, Place, Product,
    Reply, Response, Rules, Span, Stamp, Topic, TradeReply, Venue, WireError, fixtures, trial,
};
use crate::keys::{Credential, Scheme};

const SECRET: &str = "0x0123456789012345678901234567890123456789012345678901234567890123";
const ACCOUNT: &str = "0x1719884eb866cb12b2287399b15f7db5e7d775ea";
const ID: InstrumentId = InstrumentId(0);
const NOW: Ts = Ts::from_millis(1_700_000_000_000);
const CLIENT: ClientId = ClientId { session: 0, number: 1 };

/// An instrument that stands second in the list, with prices of two decimals.
fn rules() -> Rules {
    let plain = trial::rules("hyperliquid:ETH/USDC:USDC", "ETH", 2, 4);
    Rules { index: 1, notional_min: 10_000_000, significant_digits: 5, ..plain }
}

fn listings() -> Listings {
    Listings::new([(ID, rules())])
}

fn key() -> Credential {
    Credential::new(ACCOUNT, Scheme::Secp256k1, SECRET).expect("a key")
}

fn stamp(nonce: u64) -> Stamp {
    Stamp { now: NOW, nonce }
}

fn ok(body: &str) -> Response {
    Response { status: 200, headers: Vec::new(), body: body.to_owned() }
}

fn reply(ask: &Ask, body: &str) -> Reply {
    Hyperliquid::mainnet().reply(ask, &ok(body), &listings()).expect("a reply")
}

// Signatures -------------------------------------------------------------------------------------

const ORDER: &str = r#"{"type":"order","orders":[{"a":1,"b":true,"p":"100","s":"100","r":false,"t":{"limit":{"tif":"Gtc"}}}],"grouping":"na"}"#;
const WITH_ID: &str = r#"{"type":"order","orders":[{"a":1,"b":true,"p":"100","s":"100","r":false,"t":{"limit":{"tif":"Gtc"}},"c":"0x00000000000000000000000000000001"}],"grouping":"na"}"#;

/// The signature as the SDK prints it: numbers without leading zeros.
fn signed(body: &str) -> (String, String, u64) {
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let signature = &body["signature"];
    let number = |key: &str| {
        let text = signature[key].as_str().expect("text");
        assert_eq!(text.len(), 66, "{text}");
        format!("0x{}", text[2..].trim_start_matches('0'))
    };
    (number("r"), number("s"), signature["v"].as_u64().expect("a number"))
}

#[test]
fn the_signatures_of_the_official_sdk_are_met() {
    let dummy = r#"{"type":"dummy","num":100000000000}"#;
    let trigger = r#"{"type":"order","orders":[{"a":1,"b":true,"p":"100","s":"100","r":false,"t":{"trigger":{"isMarket":true,"triggerPx":"103","tpsl":"sl"}}}],"grouping":"na"}"#;
    let table = [
        (
            dummy,
            0,
            true,
            "0x53749d5b30552aeb2fca34b530185976545bb22d0b3ce6f62e31be961a59298",
            "0x755c40ba9bf05223521753995abb2f73ab3229be8ec921f350cb447e384d8ed8",
            27,
        ),
        (
            ORDER,
            0,
            true,
            "0xd65369825a9df5d80099e513cce430311d7d26ddf477f5b3a33d2806b100d78e",
            "0x2b54116ff64054968aa237c20ca9ff68000f977c93289157748a3162b6ea940e",
            28,
        ),
        (
            ORDER,
            0,
            false,
            "0x82b2ba28e76b3d761093aaded1b1cdad4960b3af30212b343fb2e6cdfa4e3d54",
            "0x6b53878fc99d26047f4d7e8c90eb98955a109f44209163f52d8dc4278cbbd9f5",
            27,
        ),
        (
            WITH_ID,
            0,
            true,
            "0x41ae18e8239a56cacbc5dad94d45d0b747e5da11ad564077fcac71277a946e3",
            "0x3c61f667e747404fe7eea8f90ab0e76cc12ce60270438b2058324681a00116da",
            27,
        ),
        (
            trigger,
            0,
            true,
            "0x98343f2b5ae8e26bb2587daad3863bc70d8792b09af1841b6fdd530a2065a3f9",
            "0x6b5bb6bb0633b710aa22b721dd9dee6d083646a5f8e581a20b545be6c1feb405",
            27,
        ),
        (
            r#"{"type":"scheduleCancel"}"#,
            0,
            true,
            "0x6cdfb286702f5917e76cd9b3b8bf678fcc49aec194c02a73e6d4f16891195df9",
            "0x6557ac307fa05d25b8d61f21fb8a938e703b3d9bf575f6717ba21ec61261b2a0",
            27,
        ),
        (
            r#"{"type":"cancel","cancels":[{"a":0,"o":77738308}]}"#,
            1_700_000_000_000,
            true,
            "0x2d25f8bb8b4dd16863fc6ebbfca6dbe41c256d6cafbcec7d9fca8caa03418e7",
            "0x669f38877442b2f5491e40229f7f2e9dc54cd3e8583cdce0bf468a9c51af27de",
            28,
        ),
    ];
    for (action, nonce, mainnet, r, s, v) in table {
        let body = payload(action, &key(), nonce, mainnet).expect("signed");
        assert_eq!(signed(&body), (r.to_owned(), s.to_owned(), v), "{action}");
    }
    let vault = Credential::new(ACCOUNT, Scheme::Secp256k1, SECRET).expect("a key").with_passphrase(ACCOUNT);
    let body = payload(dummy, &vault, 0, true).expect("signed");
    assert_eq!(
        signed(&body),
        (
            "0x3c548db75e479f8012acf3000ca3a6b05606bc2ec0c29c50c515066a326239".to_owned(),
            "0x4d402be7396ce74fbba3795769cda45aec00dc3125a984f2a9f23177b190da2c".to_owned(),
            28
        )
    );
    assert!(body.ends_with(&format!(",\"vaultAddress\":\"{ACCOUNT}\"}}")), "{body}");
}

#[test]
fn the_hash_of_an_order_is_that_of_the_official_sdk() {
    let action = r#"{"type":"order","orders":[{"a":4,"b":true,"p":"1670.1","s":"0.0147","r":false,"t":{"limit":{"tif":"Ioc"}}}],"grouping":"na"}"#;
    let id = connection_id(action, 1_677_777_606_040, None).expect("hashed");
    assert_eq!(crate::orders::hex(&id), "0fcbeda5ae3c4950a548021552a4fea2226858c4453571bf3f24ba017eac2908");
}

#[test]
fn an_order_of_ours_is_signed_as_the_sdk_signs_it_on_either_network() {
    let act = Act::Place(buy(1_000_000, OrderKind::Limit { price: Price::from_mantissa(10_000) }, |_| ()));
    for (venue, r) in [
        (Hyperliquid::mainnet(), "0x41ae18e8239a56cacbc5dad94d45d0b747e5da11ad564077fcac71277a946e3"),
        (Hyperliquid::testnet(), ""),
    ] {
        let mut request = venue.act(&act, &listings()).expect("a request");
        assert_eq!(request.body, format!("{{\"action\":{WITH_ID}}}"));
        venue.sign(&mut request, &key(), stamp(0)).expect("signed");
        let on_mainnet = signed(&request.body).0 == "0x41ae18e8239a56cacbc5dad94d45d0b747e5da11ad564077fcac71277a946e3";
        assert_eq!(on_mainnet, !r.is_empty(), "the networks' signatures differ");
        let said = venue.say(&act, 5, &listings(), &key(), "", stamp(0)).expect("a message").expect("said");
        let want = format!(
            "{{\"method\":\"post\",\"id\":5,\"request\":{{\"type\":\"action\",\"payload\":{}}}}}",
            request.body
        );
        assert_eq!(said, want);
    }
    assert_eq!(Hyperliquid::testnet().facts().urls.rest, "https://api.hyperliquid-testnet.xyz");
}

#[test]
fn the_address_of_a_key_is_recovered() {
    assert_eq!(agent(&key()).expect("an address"), "0x14791697260e4c9a71f18484c9f997b308e59325");
}

#[test]
fn keys_that_cannot_serve_are_refused() {
    let other = Credential::new(ACCOUNT, Scheme::HmacSha256, "secret").expect("a key");
    let error = payload(ORDER, &other, 0, true).expect_err("refused").to_string();
    assert_eq!(error, "hyperliquid takes keys of kind secp256k1, this one is HMAC-SHA256");
    let nameless = Credential::new("me", Scheme::Secp256k1, SECRET).expect("a key");
    let mut request = Hyperliquid::mainnet().ask(&Ask::Balances, &listings()).expect("a request");
    assert!(Hyperliquid::mainnet().sign(&mut request, &nameless, stamp(0)).is_err());
    assert!(payload(r#"{"type":"x","num":1.5}"#, &key(), 0, true).is_err(), "fractions are never hashed");
}

// Requests ---------------------------------------------------------------------------------------

#[test]
fn questions_are_these_bodies() {
    let (from, to) = (Ts::from_millis(60_000), Ts::from_millis(120_000));
    let about = |kind: &str, rest: &str| format!("{{\"type\":\"{kind}\",\"user\":\"{ACCOUNT}\"{rest}}}");
    let table = [
        (Ask::Time, r#"{"type":"exchangeStatus"}"#.to_owned()),
        (Ask::Instruments, r#"{"type":"meta"}"#.to_owned()),
        (Ask::Ticker(ID), r#"{"type":"l2Book","coin":"ETH"}"#.to_owned()),
        (Ask::Book(ID, 5), r#"{"type":"l2Book","coin":"ETH"}"#.to_owned()),
        (Ask::Trades(ID, 5), r#"{"type":"recentTrades","coin":"ETH"}"#.to_owned()),
        (
            Ask::Bars(ID, Interval::HOUR, from, to),
            r#"{"type":"candleSnapshot","req":{"coin":"ETH","interval":"1h","startTime":60000,"endTime":119999}}"#
                .to_owned(),
        ),
        (
            Ask::Funding(ID, from, to),
            r#"{"type":"fundingHistory","coin":"ETH","startTime":60000,"endTime":119999}"#.to_owned(),
        ),
        (Ask::Balances, about("clearinghouseState", "")),
        (Ask::Positions, about("clearinghouseState", "")),
        (Ask::OpenOrders(None), about("frontendOpenOrders", "")),
        (Ask::Order(ID, OrderRef::Venue("77".into())), about("orderStatus", ",\"oid\":77")),
        (
            Ask::Order(ID, OrderRef::Client(CLIENT)),
            about("orderStatus", ",\"oid\":\"0x00000000000000000000000000000001\""),
        ),
        (Ask::Fills(ID, Span::new(from, to)), about("userFillsByTime", ",\"startTime\":60000")),
        (Ask::Permissions, r#"{"type":"userRole","user":"0x14791697260e4c9a71f18484c9f997b308e59325"}"#.to_owned()),
    ];
    for (ask, body) in table {
        let mut request = Hyperliquid::mainnet().ask(&ask, &listings()).expect("a request");
        assert_eq!((request.path.as_str(), request.method.name(), request.write), ("/info", "POST", false), "{ask:?}");
        assert_eq!(request.signed, request.body.contains('$'), "{ask:?}");
        Hyperliquid::mainnet().sign(&mut request, &key(), stamp(0)).expect("signed");
        assert_eq!(request.body, body, "{ask:?}");
    }
    let week: Interval = "1w".parse().expect("an interval");
    for ask in [Ask::TradesFrom(ID, from), Ask::StreamTicket, Ask::Bars(ID, week, from, to)] {
        let error = Hyperliquid::mainnet().ask(&ask, &listings()).expect_err("not there");
        assert_eq!(error.fault, Fault::Unsupported, "{ask:?}");
    }
    let odd = Ask::Order(ID, OrderRef::Venue("OX-1".into()));
    assert_eq!(Hyperliquid::mainnet().ask(&odd, &listings()).expect_err("no number").reason, "unknown_order");
}

fn buy(qty: i64, kind: OrderKind, change: impl FnOnce(&mut crate::orders::Order)) -> Place {
    Place { client: CLIENT, reference: Price::from_mantissa(200_000), ..fixtures::place(&rules(), qty, kind, change) }
}

const LIMIT: OrderKind = OrderKind::Limit { price: Price::from_mantissa(190_050) };

#[test]
fn orders_are_these_words() {
    let trigger = Price::from_mantissa(210_000);
    let sell = |o: &mut crate::orders::Order| o.side = Side::Sell;
    let table = [
        (buy(15_000, LIMIT, |_| ()), r#""b":true,"p":"1900.5","s":"1.5","r":false,"t":{"limit":{"tif":"Gtc"}}"#),
        (
            buy(15_000, LIMIT, |o| (o.tif, o.reduce_only) = (TimeInForce::Ioc, true)),
            r#""b":true,"p":"1900.5","s":"1.5","r":true,"t":{"limit":{"tif":"Ioc"}}"#,
        ),
        (
            buy(15_000, LIMIT, |o| o.post_only = true),
            r#""b":true,"p":"1900.5","s":"1.5","r":false,"t":{"limit":{"tif":"Alo"}}"#,
        ),
        (
            buy(1, OrderKind::Market, |_| ()),
            r#""b":true,"p":"2100","s":"0.0001","r":false,"t":{"limit":{"tif":"Ioc"}}"#,
        ),
        (buy(1, OrderKind::Market, sell), r#""b":false,"p":"1900","s":"0.0001","r":false,"t":{"limit":{"tif":"Ioc"}}"#),
        (
            buy(1, OrderKind::StopMarket { trigger }, |_| ()),
            r#""b":true,"p":"2205","s":"0.0001","r":false,"t":{"trigger":{"isMarket":true,"triggerPx":"2100","tpsl":"sl"}}"#,
        ),
        (
            buy(1, OrderKind::StopLimit { trigger, price: Price::from_mantissa(211_000) }, |_| ()),
            r#""b":true,"p":"2110","s":"0.0001","r":false,"t":{"trigger":{"isMarket":false,"triggerPx":"2100","tpsl":"sl"}}"#,
        ),
    ];
    for (place, words) in table {
        let request = Hyperliquid::mainnet().act(&Act::Place(place), &listings()).expect("a request");
        assert_eq!((request.path.as_str(), request.write, request.signed), ("/exchange", true, true));
        let id = "\"c\":\"0x00000000000000000000000000000001\"";
        let want =
            format!("{{\"action\":{{\"type\":\"order\",\"orders\":[{{\"a\":1,{words},{id}}}],\"grouping\":\"na\"}}}}");
        assert_eq!(request.body, want);
    }
}

#[test]
fn a_market_order_goes_five_per_cent_at_most_and_to_a_price_that_passes() {
    let bound = |reference, side| {
        super::prices::bound(Price::from_mantissa(reference), side, &rules()).expect("a bound").mantissa()
    };
    // 1234.56 × 1.05 = 1296.288: five digits, cut toward the reference.
    assert_eq!(bound(123_456, Side::Buy), 129_620);
    assert_eq!(bound(123_456, Side::Sell), 117_290);
    // Whole prices pass with any count of digits.
    assert_eq!(bound(12_345_678, Side::Buy), 12_962_900);
    assert_eq!(bound(1, Side::Buy), 1);
    for (price, passes) in [(123_450, true), (123_456, false), (12_345_600, true), (12_345_650, false), (0, false)] {
        let text = super::prices::text(Price::from_mantissa(price), &rules());
        assert_eq!(text.is_ok(), passes, "{price}");
    }
    let off = buy(1, OrderKind::Limit { price: Price::from_mantissa(123_456) }, |_| ());
    let error = Hyperliquid::mainnet().act(&Act::Place(off), &listings()).expect_err("refused");
    assert_eq!((error.fault, error.reason), (Fault::Rejected, "price_off_tick"));
    let blind = Place { reference: Price::ZERO, ..buy(1, OrderKind::Market, |_| ()) };
    let error = Hyperliquid::mainnet().act(&Act::Place(blind), &listings()).expect_err("refused");
    assert_eq!(error.fault, Fault::Rejected);
}

#[test]
fn what_cannot_be_expressed_is_refused() {
    let cancel = |order| Cancel { instrument: ID, order };
    let (ours, theirs) = (cancel(OrderRef::Client(CLIENT)), cancel(OrderRef::Venue("7".into())));
    let trigger = Price::from_mantissa(100);
    let acts = [
        Act::Place(buy(1, LIMIT, |o| o.tif = TimeInForce::Fok)),
        Act::Place(buy(1, LIMIT, |o| o.tif = TimeInForce::Gtd(NOW))),
        Act::Place(buy(1, LIMIT, |o| (o.tif, o.post_only) = (TimeInForce::Ioc, true))),
        Act::Place(buy(1, OrderKind::Market, |o| o.post_only = true)),
        Act::Place(buy(1, OrderKind::StopMarket { trigger }, |o| o.tif = TimeInForce::Ioc)),
        Act::Place(buy(1, OrderKind::TrailingStop { trail: Trail::Fraction(Rate::from_mantissa(1)) }, |_| ())),
        Act::PlaceMany(Vec::new()),
        Act::CancelMany(vec![ours.clone(), theirs]),
        Act::CancelMany(Vec::new()),
        Act::CancelAll(ID),
        Act::Amend(Amend { instrument: ID, order: ours.order, side: Side::Buy, price: None, qty: None }),
    ];
    for act in acts {
        let error = Hyperliquid::mainnet().act(&act, &listings()).expect_err("refused");
        assert_eq!(error.fault, Fault::Unsupported, "{act:?}");
    }
}

#[test]
fn cancels_and_replacements_are_these_actions() {
    let cancel = |order| Cancel { instrument: ID, order };
    let (ours, theirs) = (cancel(OrderRef::Client(CLIENT)), cancel(OrderRef::Venue("77738308".into())));
    let order = r#"{"a":1,"b":true,"p":"1900.5","s":"0.0001","r":false,"t":{"limit":{"tif":"Gtc"}},"c":"0x00000000000000000000000000000001"}"#;
    let table = [
        (Act::Cancel(theirs.clone()), r#"{"type":"cancel","cancels":[{"a":1,"o":77738308}]}"#.to_owned()),
        (
            Act::Cancel(ours.clone()),
            r#"{"type":"cancelByCloid","cancels":[{"asset":1,"cloid":"0x00000000000000000000000000000001"}]}"#
                .to_owned(),
        ),
        (
            Act::CancelMany(vec![theirs.clone(), theirs.clone()]),
            r#"{"type":"cancel","cancels":[{"a":1,"o":77738308},{"a":1,"o":77738308}]}"#.to_owned(),
        ),
        (
            Act::CancelReplace(theirs, buy(1, LIMIT, |_| ())),
            format!("{{\"type\":\"batchModify\",\"modifies\":[{{\"oid\":77738308,\"order\":{order}}}]}}"),
        ),
        (
            Act::CancelReplace(ours, buy(1, LIMIT, |_| ())),
            format!(
                "{{\"type\":\"batchModify\",\"modifies\":[{{\"oid\":\"0x00000000000000000000000000000001\",\
                 \"order\":{order}}}]}}"
            ),
        ),
        (
            Act::PlaceMany(vec![buy(1, LIMIT, |_| ()), buy(1, LIMIT, |_| ())]),
            format!("{{\"type\":\"order\",\"orders\":[{order},{order}],\"grouping\":\"na\"}}"),
        ),
    ];
    for (act, action) in table {
        let request = Hyperliquid::mainnet().act(&act, &listings()).expect("a request");
        assert_eq!(request.body, format!("{{\"action\":{action}}}"));
    }
}

// Answers ----------------------------------------------------------------------------------------

#[test]
fn instruments_keep_their_place_in_the_list() {
    let body = r#"{"universe":[{"name":"BTC","szDecimals":5,"maxLeverage":40},{"name":"kPEPE","szDecimals":0,"isDelisted":null},
        {"name":"OLD","szDecimals":2,"isDelisted":true},{"name":"ODD","szDecimals":9},{"noname":1},{"name":"a b","szDecimals":1}]}"#;
    let Reply::Instruments(known, unknown) = reply(&Ask::Instruments, body) else { panic!("instruments") };
    let rows: Vec<_> = known
        .iter()
        .map(|r| (r.symbol.as_str(), r.name.as_str(), r.index, r.price_scale, r.closed.is_none()))
        .collect();
    assert_eq!(
        rows,
        [
            ("hyperliquid:BTC/USDC:USDC", "BTC", 0, 1, true),
            ("hyperliquid:KPEPE/USDC:USDC", "kPEPE", 1, 6, true),
            ("hyperliquid:OLD/USDC:USDC", "OLD", 2, 4, false),
        ]
    );
    assert_eq!(unknown, ["ODD", "number 4", "a b"]);
    assert_eq!((known[0].significant_digits, known[0].notional_min, known[0].qty_scale), (5, 10_000_000, 5));
    assert_eq!(known[0].instrument(ID).significant_digits(), Some(5), "the engine goes by the same rule");
    for (symbol, name) in [("hyperliquid:KPEPE/USDC:USDC", "kPEPE"), ("hyperliquid:BTC/USDC:USDC", "BTC")] {
        assert_eq!(Hyperliquid::mainnet().guess_name(&symbol.parse().expect("a symbol")), name);
    }
}

#[test]
fn market_answers_are_read() {
    assert_eq!(reply(&Ask::Time, r#"{"time":1700000000000,"specialStatuses":null}"#), Reply::Time(NOW));
    let book = r#"{"coin":"ETH","levels":[[{"px":"2000.1","sz":"1.5","n":2},{"px":"2000","sz":"1"}],[{"px":"2000.2","sz":"0.25"}]],"time":1700000000000}"#;
    let Reply::Book(row) = reply(&Ask::Book(ID, 20), book) else { panic!("a book") };
    let levels: Vec<_> = row.levels.iter().map(|l| (l.side, l.price.mantissa(), l.qty.mantissa())).collect();
    assert_eq!(levels, [(Side::Buy, 200_010, 15_000), (Side::Buy, 200_000, 10_000), (Side::Sell, 200_020, 2_500)]);
    let Reply::Ticker(row) = reply(&Ask::Ticker(ID), book) else { panic!("a ticker") };
    assert_eq!((row.bid.mantissa(), row.ask.mantissa(), row.ask_qty.mantissa()), (200_010, 200_020, 2_500));
    let trade = |tid: u64, time: u64| {
        format!(
            r#"{{"coin":"ETH","side":"A","px":"2000.5","sz":"0.5","time":{time},"tid":{tid},"hash":"0x0","users":[]}}"#
        )
    };
    let Reply::Trades(rows) =
        reply(&Ask::Trades(ID, 2), &format!("[{},{},{}]", trade(3, 30), trade(2, 20), trade(1, 10)))
    else {
        panic!("trades")
    };
    let ids: Vec<_> = rows.iter().map(|t| (t.id.as_str(), t.aggressor)).collect();
    assert_eq!(ids, [("2", Aggressor::Seller), ("3", Aggressor::Seller)]);
    let candle = |t: i64| {
        format!(
            r#"{{"t":{t},"T":{},"s":"ETH","i":"1m","o":"1","h":"3","l":"0.5","c":"2","v":"4.25","n":9}}"#,
            t + 59_999
        )
    };
    let ask = Ask::Bars(ID, Interval::MINUTE, Ts::from_millis(60_000), Ts::from_millis(200_000));
    let Reply::Bars(bars) =
        reply(&ask, &format!("[{},{},{},{}]", candle(0), candle(60_000), candle(120_000), candle(180_000)))
    else {
        panic!("bars")
    };
    let opens: Vec<_> = bars.iter().map(|b| b.ts_open).collect();
    assert_eq!(
        opens,
        [Ts::from_millis(60_000), Ts::from_millis(120_000)],
        "the last one ends after what was asked for"
    );
    let ask = Ask::Funding(ID, Ts::from_millis(0), Ts::from_millis(100));
    let rates = r#"[{"coin":"ETH","fundingRate":"-0.0000081","premium":"0","time":50},{"coin":"ETH","fundingRate":"0.0000125","time":20},{"coin":"ETH","fundingRate":"1","time":100}]"#;
    let Reply::Funding(rows) = reply(&ask, rates) else { panic!("rates") };
    let rows: Vec<_> = rows.iter().map(|r| (r.ts_venue, r.rate.mantissa())).collect();
    assert_eq!(rows, [(Ts::from_millis(20), 12_500_000), (Ts::from_millis(50), -8_100_000)]);
}

const FILL: &str = r#"{"coin":"ETH","px":"2000.5","sz":"0.5","side":"A","time":1700000000000,"oid":55,"crossed":true,"fee":"0.25","tid":99,"feeToken":"USDC","cloid":"0x00000000000000000000000000000001","startPosition":"0.0"}"#;

#[test]
fn account_answers_are_read() {
    let state = r#"{"marginSummary":{"accountValue":"1000.5","totalNtlPos":"1"},"withdrawable":"800.25","time":1,
        "assetPositions":[{"type":"oneWay","position":{"coin":"ETH","szi":"-1.5","entryPx":"2000.123","liquidationPx":null,"unrealizedPnl":"-3.5"}},
        {"type":"oneWay","position":{"coin":"DOGE","szi":"7","entryPx":"1"}}]}"#;
    let Reply::Balances(rows) = reply(&Ask::Balances, state) else { panic!("balances") };
    assert_eq!(format!("{} {} {}", rows[0].currency, rows[0].total, rows[0].free), "USDC 1000.5 800.25");
    let Reply::Positions(rows) = reply(&Ask::Positions, state) else { panic!("positions") };
    assert_eq!((rows.len(), rows[0].qty.mantissa(), rows[0].liquidation), (1, -15_000, None));
    assert_eq!(rows[0].entry.map(|d| d.to_string()).as_deref(), Some("2000.123"));

    let order = r#"{"coin":"ETH","side":"B","limitPx":"1900.5","sz":"0.5","origSz":"2.0","oid":7,"timestamp":1700000000000,
        "orderType":"Stop Limit","triggerPx":"1950.0","tif":"Gtc","cloid":"0x00000000000000000000000000000001","reduceOnly":true}"#;
    let Reply::Orders(rows, left_out) =
        reply(&Ask::OpenOrders(None), &format!("[{order},{}]", order.replace("ETH", "DOGE")))
    else {
        panic!("orders")
    };
    assert_eq!((rows.len(), left_out), (1, 1));
    assert_eq!((rows[0].status, rows[0].filled.mantissa()), (OrderStatus::PartlyFilled, 15_000));
    let (trigger, price) = (Price::from_mantissa(195_000), Price::from_mantissa(190_050));
    assert_eq!(rows[0].kind, Some(OrderKind::StopLimit { trigger, price }));
    assert_eq!(rows[0].client_id.parse(), Ok(CLIENT));

    let ask = Ask::Order(ID, OrderRef::Client(CLIENT));
    let body =
        format!(r#"{{"status":"order","order":{{"order":{order},"status":"marginCanceled","statusTimestamp":1}}}}"#);
    let Reply::Orders(rows, 0) = reply(&ask, &body) else { panic!("an order") };
    assert_eq!((rows[0].status, rows[0].venue_id.as_str()), (OrderStatus::Cancelled, "7"));
    let unknown = Hyperliquid::mainnet().reply(&ask, &ok(r#"{"status":"unknownOid"}"#), &listings());
    assert_eq!(unknown.expect_err("not there").reason, "unknown_order");

    let fills = format!("[{FILL},{}]", FILL.replace("1700000000000", "1600000000000"));
    let Reply::Fills(rows, _) = reply(&Ask::Fills(ID, Span::new(NOW, NOW)), &fills) else { panic!("fills") };
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].trade_id.as_str(), rows[0].venue_id.as_str(), rows[0].side), ("99", "55", Side::Sell));
    assert_eq!((rows[0].fee.to_string(), rows[0].liquidity), ("0.25".to_owned(), Liquidity::Taker));
    let span = Span::new(NOW.plus(-1), NOW.plus(1));
    let full = format!("[{}]", vec![FILL; 500].join(","));
    let Reply::Fills(rows, further) = reply(&Ask::Fills(ID, span.clone()), &full) else { panic!("fills") };
    assert_eq!(
        (rows.len(), further),
        (500, Some(Span::new(NOW.plus(999_999), span.to))),
        "newer ones are on another page"
    );
}

#[test]
fn only_an_agents_key_cannot_withdraw() {
    for (role, withdraw) in [("agent", false), ("user", true), ("vault", true), ("subAccount", true), ("new", true)] {
        let Reply::Permissions(p) = reply(&Ask::Permissions, &format!("{{\"role\":\"{role}\"}}")) else { panic!("p") };
        assert_eq!((p.withdraw, p.trade), (Some(withdraw), Some(true)), "{role}");
    }
    let missing = Hyperliquid::mainnet().reply(&Ask::Permissions, &ok("{\"role\":\"missing\"}"), &listings());
    assert_eq!(missing.expect_err("refused").fault, Fault::Authentication);
}

#[test]
fn an_agents_end_is_read_where_the_venue_tells_it() {
    let venue = Hyperliquid::mainnet();
    let mut request = venue.key_end().expect("a question");
    venue.sign(&mut request, &key(), stamp(0)).expect("signed");
    assert_eq!(request.body, format!("{{\"type\":\"extraAgents\",\"user\":\"{ACCOUNT}\"}}"));
    // A key that trades for a vault is its owner's all the same.
    let vault = Credential::new(ACCOUNT, Scheme::Secp256k1, SECRET)
        .expect("a key")
        .with_passphrase(&format!("0x{}", "01".repeat(20)));
    let mut request = venue.key_end().expect("a question");
    venue.sign(&mut request, &vault, stamp(0)).expect("signed");
    assert!(request.body.contains(ACCOUNT), "{}", request.body);
    let told = |address: &str, until: &str| {
        let row = format!(
            r#"[{{"address":"0x01","name":"a","validUntil":1}},{{"address":"{address}","name":"b","validUntil":{until}}}]"#
        );
        venue.key_end_reply(&ok(&row), &key())
    };
    let own = "0x14791697260E4c9A71f18484C9f997B308e59325";
    assert_eq!(told(own, "1700000000000"), Ok(Some(NOW)));
    assert_eq!(told(own, "null"), Ok(Some(Ts::NONE)));
    assert_eq!(told("0x02", "1700000000000"), Ok(None), "another's end is not this one's");
    assert_eq!(told(own, "\"soon\"").expect_err("malformed").fault, Fault::Malformed);
    assert!(venue.key_end_reply(&ok("<html>"), &key()).is_err());
}

fn statuses(rows: &str) -> String {
    format!("{{\"status\":\"ok\",\"response\":{{\"type\":\"order\",\"data\":{{\"statuses\":[{rows}]}}}}}}")
}

#[test]
fn answers_to_acts_are_read_one_by_one() {
    let read = |act: &Act, body: &str| Hyperliquid::mainnet().act_reply(act, &ok(body), &listings());
    let one = Act::Place(buy(15_000, LIMIT, |_| ()));
    for (row, status, filled, id) in [
        (r#"{"resting":{"oid":7}}"#, OrderStatus::Acknowledged, None, "7"),
        (r#"{"filled":{"totalSz":"1.5","avgPx":"1900.123456","oid":8}}"#, OrderStatus::Filled, Some(15_000), "8"),
        (r#"{"filled":{"totalSz":"0.5","avgPx":"1","oid":8}}"#, OrderStatus::PartlyFilled, Some(5_000), "8"),
        (r#""waitingForTrigger""#, OrderStatus::Acknowledged, None, ""),
    ] {
        let rows = read(&one, &statuses(row)).expect("read");
        assert_eq!(
            (rows[0].status, rows[0].filled.map(Qty::mantissa), rows[0].venue_id.as_str()),
            (status, filled, id)
        );
        assert_eq!(rows[0].client, Some(CLIENT));
    }
    let two = Act::PlaceMany(vec![buy(1, LIMIT, |_| ()), buy(1, LIMIT, |_| ())]);
    let error = r#"{"error":"Insufficient margin to place order. asset=1"}"#;
    let rows = read(&two, &statuses(&format!("{{\"resting\":{{\"oid\":7}}}},{error}"))).expect("read");
    assert_eq!(rows[1].refused.as_ref().map(|e| e.reason), Some("insufficient_funds"));
    assert!(rows[0].refused.is_none());
    let rows = read(&two, &statuses(error)).expect("one error for all");
    assert!(rows.len() == 2 && rows.iter().all(|r| r.refused.is_some()));
    assert_eq!(read(&two, &statuses(r#"{"resting":{"oid":7}}"#)).expect_err("one is missing").fault, Fault::Unknown);

    let old = Cancel { instrument: ID, order: OrderRef::Venue("7".into()) };
    let cancel = Act::Cancel(old.clone());
    assert_eq!(read(&cancel, &statuses("\"success\"")).expect("read")[0].status, OrderStatus::Cancelled);
    let gone = r#"{"error":"Order was never placed, already canceled, or filled. asset=1"}"#;
    let rows = read(&cancel, &statuses(gone)).expect("read");
    assert_eq!(rows[0].refused.as_ref().map(|e| e.reason), Some("unknown_order"));
    let replace = Act::CancelReplace(old, buy(1, LIMIT, |_| ()));
    let rows = read(&replace, &statuses(r#"{"resting":{"oid":9}}"#)).expect("read");
    assert_eq!(
        (rows[0].status, rows[0].venue_id.as_str(), rows[1].venue_id.as_str()),
        (OrderStatus::Cancelled, "7", "9")
    );
    let rows = read(&replace, &statuses(r#"{"error":"Cannot modify canceled or filled order"}"#)).expect("read");
    assert!(rows.iter().all(|r| r.refused.is_some()));
}

// Streams ----------------------------------------------------------------------------------------

#[test]
fn errors_are_sorted_into_their_classes() {
    use Fault::{Authentication, ClockSkew, RateLimited, Rejected, Transient, Unknown};
    let table = [
        ("User or API Wallet 0xabc does not exist.", Authentication, "venue_rejected"),
        (
            "Too many cumulative requests sent (10001 > 10000) for volume traded $1",
            RateLimited { retry_after_ms: Some(10_000) },
            "venue_rejected",
        ),
        ("Invalid nonce: 5", ClockSkew, "venue_rejected"),
        ("Price must be divisible by tick size. asset=1", Rejected, "price_off_tick"),
        ("Order must have minimum value of $10. asset=1", Rejected, "notional_below_minimum"),
        ("Insufficient margin to place order. asset=1", Rejected, "insufficient_funds"),
        ("Reduce only order would increase position. asset=1", Rejected, "reduce_only"),
        ("Post only order would have immediately matched, bbo was 1@2. asset=1", Rejected, "post_only_would_take"),
        ("Order could not immediately match against any resting orders. asset=1", Rejected, "no_liquidity"),
        ("Invalid TP/SL price. asset=1", Rejected, "would_trigger_at_once"),
        ("No liquidity available for market order. asset=1", Rejected, "no_liquidity"),
        ("Order was never placed, already canceled, or filled. asset=1", Rejected, "unknown_order"),
        ("Order has invalid size.", Rejected, "size_off_lot"),
        ("Something new", Rejected, "venue_rejected"),
    ];
    let act = Act::Place(buy(1, LIMIT, |_| ()));
    for (words, fault, reason) in table {
        let body = format!("{{\"status\":\"err\",\"response\":{words:?}}}");
        let error = Hyperliquid::mainnet().act_reply(&act, &ok(&body), &listings()).expect_err("an error");
        assert_eq!((error.fault, error.reason), (fault, reason), "{words}");
    }
    let limited = RateLimited { retry_after_ms: Some(2_000) };
    for (status, read, write) in [(429, limited, limited), (422, Rejected, Rejected), (500, Transient, Unknown)] {
        let headers = vec![("retry-after".to_owned(), "2".to_owned())];
        let response = Response { status, headers, body: "no".to_owned() };
        let of_read = Hyperliquid::mainnet().reply(&Ask::Time, &response, &listings()).expect_err("an error");
        let of_write = Hyperliquid::mainnet().act_reply(&act, &response, &listings()).expect_err("an error");
        assert_eq!((of_read.fault, of_write.fault), (read, write), "{status}");
    }
    for body in ["", "<html>", "null", "{\"status\":\"ok\"}"] {
        let read = Hyperliquid::mainnet().reply(&Ask::Balances, &ok(body), &listings()).expect_err("refused");
        assert_eq!(read.fault, Fault::Malformed, "{body}");
        let write = Hyperliquid::mainnet().act_reply(&act, &ok(body), &listings()).expect_err("refused");
        assert_eq!(write.fault, Unknown, "{body}");
    }
}

#[test]
fn the_venue_is_built_in_with_a_test_network_that_signs_otherwise() {
    let main = crate::exchange::venue("hyperliquid", Product::Linear).expect("built in");
    let test = crate::exchange::venue_on_testnet("hyperliquid", Product::Linear).expect("built in");
    assert_eq!(main.facts().testnet.as_ref(), Some(&test.facts().urls));
    assert_ne!(main.facts().urls, test.facts().urls);
}
