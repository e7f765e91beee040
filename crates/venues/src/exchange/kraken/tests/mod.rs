//! Kraken's codec held against its documents: signatures, requests, messages, bad input, errors.

mod streams;
mod ticket;

use bellwether_sdk::{
    Aggressor, InstrumentId, Interval, Liquidity, OrderKind, Price, Qty, Rate, Side, TimeInForce, Trail, Ts,
};

use super::Kraken;
use super::sign::signature;
use crate::exchange::fixtures::place;
use crate::exchange::{
    AccountNote, Act, Amend, Ask, Cancel, ClientId, Fault, Listings, NO_INSTRUMENT, Note, OrderRef, OrderStatus,
    Product, Reply, Request, Response, Rules, Span, Stamp, Topic, TradeReply, Venue, trial,
};
use crate::keys::{Credential, Scheme};

const SECRET: &str = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";
const ID: InstrumentId = InstrumentId(0);
const NOW: Ts = Ts::from_millis(1_700_000_000_000);
const CLIENT: ClientId = ClientId { session: 0x0123_4567_89ab_cdef, number: 7 };
const CLIENT_TEXT: &str = "0123456789abcdef0000000000000007";

fn rules() -> Rules {
    Rules { stream_name: "BTC/USD".to_owned(), ..trial::rules("kraken:BTC/USD", "XXBTZUSD", 1, 8) }
}

fn listings() -> Listings {
    Listings::new([(ID, rules())])
}

fn key() -> Credential {
    Credential::new("key", Scheme::HmacSha512, SECRET).expect("a key")
}

fn stamp(nonce: u64) -> Stamp {
    Stamp { now: NOW, nonce }
}

fn ok(result: &str) -> Response {
    Response { status: 200, headers: Vec::new(), body: format!("{{\"error\":[],\"result\":{result}}}") }
}

fn reply(ask: &Ask, result: &str) -> Reply {
    Kraken::spot().reply(ask, &ok(result), &listings()).expect("a reply")
}

// Signatures -------------------------------------------------------------------------------------

#[test]
fn what_is_done_about_an_order_costs_the_more_the_younger_it_is() {
    let kraken = Kraken::spot();
    let cost = |act: &Act| [0, 4_999, 5_000, 10_000, 15_000, 45_000, 90_000, 300_000].map(|age| kraken.cost(act, age));
    let order = OrderRef::Client(CLIENT);
    assert_eq!(cost(&Act::Place(buy(LIMIT, |_| ()))), [1; 8]);
    let amend = Amend { instrument: ID, order: order.clone(), side: Side::Buy, price: None, qty: None };
    assert_eq!(cost(&Act::Amend(amend)), [4, 4, 3, 2, 1, 1, 1, 1]);
    assert_eq!(cost(&Act::Cancel(Cancel { instrument: ID, order })), [8, 8, 6, 5, 4, 2, 1, 0]);
}

#[test]
fn the_official_signature_of_a_form_is_met() {
    let body = "ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25";
    let mut request = super::rest::write("AddOrder", super::rest::FORM, body.to_owned(), 0);
    Kraken::spot().sign(&mut request, &key(), stamp(1_616_492_376_594)).expect("signed");
    assert_eq!(request.body, format!("nonce=1616492376594&{body}"));
    let header = |name: &str| request.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    assert_eq!(header("API-Key"), Some("key"));
    assert_eq!(
        header("API-Sign"),
        Some("4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==")
    );
}

#[test]
fn the_signature_of_a_json_body_is_met() {
    let body = r#"{"nonce": 1616492376594, "ordertype": "limit", "pair": "XBTUSD", "price": 37500, "type": "buy", "volume": 1.25}"#;
    let signed = signature(&key(), "/0/private/AddOrder", "1616492376594", body).expect("signed");
    assert_eq!(signed, "6sn7V7nSkHwzpxYH0nzLk6th0ZvWNh8dAHCYLfjSeGKCY6329ct0p0GYPkgYRzRafoai65bp3y4D5BqSYGaxZQ==");
}

#[test]
fn the_nonce_stands_first_in_json_and_alone_in_an_empty_body() {
    for (body, want) in [("{\"a\":1}", "{\"nonce\":9,\"a\":1}"), ("{}", "{\"nonce\":9}"), ("", "nonce=9")] {
        let mut request = Request::get("/0/private/X", "", 1).body("t", body);
        super::sign::sign(&mut request, &key(), stamp(9)).expect("signed");
        assert_eq!(request.body, want);
    }
}

#[test]
fn a_key_of_another_kind_is_refused() {
    let other = Credential::new("k", Scheme::HmacSha256, "secret").expect("a key");
    let error = signature(&other, "/", "1", "").expect_err("refused").to_string();
    assert_eq!(error, "kraken takes keys of kind HMAC-SHA512, this one is HMAC-SHA256");
}

// Requests ---------------------------------------------------------------------------------------

#[test]
fn questions_are_these_requests() {
    let minute = Interval::MINUTE;
    let (from, to) = (Ts::from_millis(60_000), Ts::from_millis(120_000));
    let table: &[(Ask, &str, &str)] = &[
        (Ask::Time, "GET /0/public/Time", ""),
        (Ask::Instruments, "GET /0/public/AssetPairs", ""),
        (Ask::Ticker(ID), "GET /0/public/Ticker?pair=XXBTZUSD", ""),
        (Ask::Book(ID, 20), "GET /0/public/Depth?pair=XXBTZUSD&count=20", ""),
        (Ask::Trades(ID, 50), "GET /0/public/Trades?pair=XXBTZUSD&count=50", ""),
        (Ask::TradesFrom(ID, from), "GET /0/public/Trades?pair=XXBTZUSD&since=59999999999&count=1000", ""),
        (Ask::Bars(ID, minute, from, to), "GET /0/public/OHLC?pair=XXBTZUSD&interval=1&since=59", ""),
        (Ask::Balances, "POST /0/private/BalanceEx", ""),
        (Ask::OpenOrders(None), "POST /0/private/OpenOrders", ""),
        (
            Ask::Order(ID, OrderRef::Client(CLIENT)),
            "POST /0/private/OpenOrders",
            "cl_ord_id=0123456789abcdef0000000000000007",
        ),
        (Ask::Order(ID, OrderRef::Venue("OABC-1".into())), "POST /0/private/QueryOrders", "txid=OABC-1"),
        (
            Ask::Fills(ID, Span::new(from, to)),
            "POST /0/private/TradesHistory",
            "type=all&consolidate_taker=false&start=59.999999999",
        ),
        (Ask::Permissions, "POST /0/private/GetApiKeyInfo", ""),
        (Ask::StreamTicket, "POST /0/private/GetWebSocketsToken", ""),
        (Ask::KeepTicket("t".into()), "POST /0/private/GetWebSocketsToken", ""),
    ];
    for (ask, want, body) in table {
        let request = Kraken::spot().ask(ask, &listings()).expect("a request");
        assert_eq!(format!("{} {}", request.method.name(), request.target()), *want, "{ask:?}");
        assert_eq!(request.body, *body, "{ask:?}");
        assert_eq!(request.signed, want.contains("private"), "{ask:?}");
        assert!(!request.write, "{ask:?}");
    }
    for ask in [
        Ask::Funding(ID, from, to),
        Ask::Positions,
        Ask::Bars(ID, Interval::from_nanos(7).expect("an interval"), from, to),
    ] {
        let error = Kraken::spot().ask(&ask, &listings()).expect_err("not there");
        assert_eq!(error.fault, Fault::Unsupported, "{ask:?}");
    }
}

#[test]
fn an_order_known_by_our_id_alone_is_asked_for_a_second_time_among_the_ended() {
    let ask = Ask::Order(ID, OrderRef::Client(CLIENT));
    let error = Kraken::spot().reply(&ask, &ok("{\"open\":{}}"), &listings()).expect_err("not open");
    assert_eq!((error.fault, error.reason), (Fault::Rejected, "unknown_order"));
    let further = Kraken::spot().ask_further(&ask, &listings()).expect("a second request");
    assert_eq!((further.path.as_str(), further.write), ("/0/private/ClosedOrders", false));
    let closed = format!("{{\"closed\":{{\"OX\":{}}},\"count\":1}}", order_row("closed", "1.0", CLIENT_TEXT));
    let Ok(Reply::Orders(rows, 0)) = Kraken::spot().reply(&ask, &ok(&closed), &listings()) else { panic!("orders") };
    assert_eq!((rows[0].status, rows[0].venue_id.as_str()), (OrderStatus::Filled, "OX"));
    assert!(Kraken::spot().ask_further(&Ask::Time, &listings()).is_none());
}

fn order_row(status: &str, filled: &str, client: &str) -> String {
    format!(
        r#"{{"cl_ord_id":"{client}","status":"{status}","opentm":1700000000.1234,"expiretm":0,"vol":"1.0","vol_exec":"{filled}",
        "descr":{{"pair":"XBTUSD","type":"buy","ordertype":"limit","price":"30000.5","price2":"0"}},"unknown":1}}"#
    )
}

fn buy(kind: OrderKind, change: impl FnOnce(&mut crate::orders::Order)) -> crate::exchange::Place {
    place(&rules(), 125_000_000, kind, change)
}

const LIMIT: OrderKind = OrderKind::Limit { price: Price::from_mantissa(375_000) };

#[test]
fn orders_are_these_forms_and_messages() {
    let trigger = Price::from_mantissa(400_005);
    let head = format!("cl_ord_id={CLIENT_TEXT}&");
    let say = |kind: &str, rest: &str| {
        format!(
            "{{\"method\":\"add_order\",\"params\":{{\"order_type\":\"{kind}\",\"side\":\"buy\",\"order_qty\":1.25,\
             \"cl_ord_id\":\"{CLIENT_TEXT}\"{rest},\"symbol\":\"BTC/USD\",\"token\":\"t\"}},\"req_id\":5}}"
        )
    };
    let triggers = |price: &str, by: &str| {
        format!(",\"triggers\":{{\"reference\":\"last\",\"price\":{price},\"price_type\":\"{by}\"}}")
    };
    let table = [
        (buy(OrderKind::Market, |_| ()), "ordertype=market&pair=XXBTZUSD&type=buy&volume=1.25", say("market", "")),
        (
            buy(LIMIT, |o| o.post_only = true),
            "oflags=post&ordertype=limit&pair=XXBTZUSD&price=37500&type=buy&volume=1.25",
            say("limit", ",\"limit_price\":37500,\"post_only\":true"),
        ),
        (
            buy(LIMIT, |o| o.tif = TimeInForce::Ioc),
            "ordertype=limit&pair=XXBTZUSD&price=37500&timeinforce=IOC&type=buy&volume=1.25",
            say("limit", ",\"limit_price\":37500,\"time_in_force\":\"ioc\""),
        ),
        (
            buy(LIMIT, |o| o.tif = TimeInForce::Gtd(NOW)),
            "expiretm=1700000000&ordertype=limit&pair=XXBTZUSD&price=37500&timeinforce=GTD&type=buy&volume=1.25",
            say("limit", ",\"limit_price\":37500,\"time_in_force\":\"gtd\",\"expire_time\":\"2023-11-14T22:13:20Z\""),
        ),
        (
            buy(OrderKind::StopMarket { trigger }, |_| ()),
            "ordertype=stop-loss&pair=XXBTZUSD&price=40000.5&type=buy&volume=1.25",
            say("stop-loss", &triggers("40000.5", "static")),
        ),
        (
            buy(OrderKind::StopLimit { trigger, price: Price::from_mantissa(401_000) }, |_| ()),
            "ordertype=stop-loss-limit&pair=XXBTZUSD&price=40000.5&price2=40100&type=buy&volume=1.25",
            say("stop-loss-limit", &format!(",\"limit_price\":40100{}", triggers("40000.5", "static"))),
        ),
        (
            buy(OrderKind::TrailingStop { trail: Trail::Fraction(Rate::from_mantissa(15_000_000_000)) }, |_| ()),
            "ordertype=trailing-stop&pair=XXBTZUSD&price=%2B1.5%25&type=buy&volume=1.25",
            say("trailing-stop", &triggers("1.5", "pct")),
        ),
        (
            buy(OrderKind::TrailingStop { trail: Trail::Offset(Price::from_mantissa(1_000)) }, |_| ()),
            "ordertype=trailing-stop&pair=XXBTZUSD&price=%2B100&type=buy&volume=1.25",
            say("trailing-stop", &triggers("100", "quote")),
        ),
    ];
    for (place, form, message) in table {
        let act = Act::Place(place);
        let request = Kraken::spot().act(&act, &listings()).expect("a request");
        assert_eq!((request.path.as_str(), request.write, request.signed), ("/0/private/AddOrder", true, true));
        assert_eq!(request.body, format!("{head}{form}"));
        let said = Kraken::spot().say(&act, 5, &listings(), &key(), "t", stamp(1)).expect("a message");
        assert_eq!(said.expect("said"), message);
        assert!(serde_json::from_str::<serde_json::Value>(&message).is_ok(), "{message}");
    }
}

#[test]
fn fill_or_kill_goes_by_rest_alone() {
    let act = Act::Place(buy(LIMIT, |o| o.tif = TimeInForce::Fok));
    assert_eq!(Kraken::spot().say(&act, 5, &listings(), &key(), "t", stamp(1)), Ok(None));
    let request = Kraken::spot().act(&act, &listings()).expect("a request");
    assert!(request.body.contains("timeinforce=FOK"), "{}", request.body);
}

#[test]
fn what_cannot_be_expressed_is_refused() {
    let refused = [
        buy(OrderKind::Market, |o| o.tif = TimeInForce::Fok),
        buy(OrderKind::Market, |o| o.tif = TimeInForce::Gtd(NOW)),
        buy(OrderKind::Market, |o| o.post_only = true),
        buy(LIMIT, |o| (o.post_only, o.tif) = (true, TimeInForce::Ioc)),
        buy(OrderKind::StopMarket { trigger: Price::from_mantissa(1) }, |o| o.tif = TimeInForce::Ioc),
        buy(LIMIT, |o| o.reduce_only = true),
    ];
    for place in refused {
        let error = Kraken::spot().act(&Act::Place(place), &listings()).expect_err("refused");
        assert_eq!(error.fault, Fault::Unsupported, "{place:?}");
    }
    let sale = buy(LIMIT, |o| (o.reduce_only, o.side) = (true, Side::Sell));
    assert!(Kraken::spot().act(&Act::Place(sale), &listings()).is_ok(), "a spot sale reduces by itself");
    let switch = Kraken::spot().cancel_after(30_000, &listings());
    assert_eq!((switch[0].path.as_str(), switch[0].body.as_str()), ("/0/private/CancelAllOrdersAfter", "timeout=30"));
    for act in [
        Act::CancelAll(ID),
        Act::PlaceMany(Vec::new()),
        Act::CancelMany(Vec::new()),
        Act::CancelReplace(Cancel { instrument: ID, order: OrderRef::Client(CLIENT) }, buy(LIMIT, |_| ())),
    ] {
        assert_eq!(Kraken::spot().act(&act, &listings()).expect_err("refused").fault, Fault::Unsupported);
    }
}

#[test]
fn other_acts_are_these_requests_and_messages() {
    let client = Cancel { instrument: ID, order: OrderRef::Client(CLIENT) };
    let venue = Cancel { instrument: ID, order: OrderRef::Venue("OABC-1".to_owned()) };
    let amend = Amend {
        instrument: ID,
        order: OrderRef::Venue("OABC-1".to_owned()),
        side: Side::Buy,
        price: Some(Price::from_mantissa(300_001)),
        qty: Some(Qty::from_mantissa(50_000_000)),
    };
    let table = [
        (
            Act::Cancel(client.clone()),
            "CancelOrder",
            format!("cl_ord_id={CLIENT_TEXT}"),
            format!("\"cancel_order\",\"params\":{{\"cl_ord_id\":[\"{CLIENT_TEXT}\"],"),
        ),
        (
            Act::Cancel(venue.clone()),
            "CancelOrder",
            "txid=OABC-1".to_owned(),
            "\"cancel_order\",\"params\":{\"order_id\":[\"OABC-1\"],".to_owned(),
        ),
        (
            Act::CancelMany(vec![client, venue]),
            "CancelOrderBatch",
            format!("{{\"cl_ord_ids\":[\"{CLIENT_TEXT}\"],\"orders\":[\"OABC-1\"]}}"),
            format!("\"batch_cancel\",\"params\":{{\"cl_ord_id\":[\"{CLIENT_TEXT}\"],\"orders\":[\"OABC-1\"],"),
        ),
        (
            Act::Amend(amend),
            "AmendOrder",
            "limit_price=30000.1&order_qty=0.5&txid=OABC-1".to_owned(),
            "\"amend_order\",\"params\":{\"order_id\":\"OABC-1\",\"limit_price\":30000.1,\"order_qty\":0.5,".to_owned(),
        ),
        (
            Act::PlaceMany(vec![buy(LIMIT, |_| ()), buy(OrderKind::Market, |_| ())]),
            "AddOrderBatch",
            format!(
                "{{\"orders\":[{{\"cl_ord_id\":\"{CLIENT_TEXT}\",\"ordertype\":\"limit\",\"price\":\"37500\",\
                 \"type\":\"buy\",\"volume\":\"1.25\"}},{{\"cl_ord_id\":\"{CLIENT_TEXT}\",\"ordertype\":\"market\",\
                 \"type\":\"buy\",\"volume\":\"1.25\"}}],\"pair\":\"XXBTZUSD\"}}"
            ),
            "\"batch_add\",\"params\":{\"orders\":[{\"order_type\":\"limit\",".to_owned(),
        ),
    ];
    for (act, path, body, message) in table {
        let request = Kraken::spot().act(&act, &listings()).expect("a request");
        assert_eq!(request.path, format!("/0/private/{path}"));
        assert_eq!((request.body.as_str(), request.write), (body.as_str(), true));
        let said = Kraken::spot().say(&act, 9, &listings(), &key(), "t", stamp(1)).expect("a message").expect("said");
        assert!(said.starts_with(&format!("{{\"method\":{message}")), "{said}");
        assert!(said.ends_with("\"token\":\"t\"},\"req_id\":9}"), "{said}");
        assert!(serde_json::from_str::<serde_json::Value>(&said).is_ok(), "{said}");
    }
}

// Answers ----------------------------------------------------------------------------------------

#[test]
fn instruments_get_our_names_and_the_rest_is_named() {
    let pair = |ws: &str, class: &str| {
        format!(
            r#"{{"altname":"A","wsname":"{ws}","aclass_base":"{class}","pair_decimals":1,"lot_decimals":8,"tick_size":"0.1",
            "ordermin":"0.00005","costmin":"0.5","status":"online"}}"#
        )
    };
    let result = format!(
        "{{\"XXBTZUSD\":{},\"XDGEUR\":{},\"AAPLxUSD\":{},\"BAD\":{{}}}}",
        pair("XBT/USD", "currency"),
        pair("XDG/EUR", "currency"),
        pair("AAPLx/USD", "tokenized_asset")
    );
    let Reply::Instruments(known, unknown) = reply(&Ask::Instruments, &result) else { panic!("instruments") };
    assert_eq!(unknown, ["AAPLxUSD", "BAD"]);
    let names: Vec<_> = known.iter().map(|r| (r.symbol.as_str(), r.name.as_str(), r.stream_name.as_str())).collect();
    assert_eq!(names, [("kraken:DOGE/EUR", "XDGEUR", "DOGE/EUR"), ("kraken:BTC/USD", "XXBTZUSD", "BTC/USD")]);
    let btc = &known[1];
    assert_eq!((btc.price_scale, btc.qty_scale, btc.tick.mantissa(), btc.qty_min.mantissa()), (1, 8, 1, 5_000));
    assert_eq!((btc.notional_min, btc.closed.is_none()), (500_000_000, true));
    assert_eq!(Kraken::spot().guess_name(&"kraken:BTC/USD".parse().expect("a symbol")), "XBTUSD");
}

#[test]
fn market_answers_are_read() {
    assert_eq!(
        reply(&Ask::Time, r#"{"unixtime":1762820224,"rfc1123":""}"#),
        Reply::Time(Ts::from_millis(1_762_820_224_000))
    );
    let Reply::Ticker(row) = reply(
        &Ask::Ticker(ID),
        r#"{"XXBTZUSD":{"a":["100.30000","1","1.000"],"b":["100.2","1","0.5"],"c":["99.4","0.1"]}}"#,
    ) else {
        panic!("a ticker")
    };
    assert_eq!((row.bid.mantissa(), row.ask.mantissa(), row.last.mantissa()), (1002, 1003, 994));
    assert_eq!((row.bid_qty.mantissa(), row.ask_qty.mantissa()), (50_000_000, 100_000_000));
    let Reply::Book(book) = reply(
        &Ask::Book(ID, 10),
        r#"{"XXBTZUSD":{"asks":[["100.3","0.136",1762820248]],"bids":[["100.2","0.002",1762820233],["100.1","1",1]]}}"#,
    ) else {
        panic!("a book")
    };
    let levels: Vec<_> = book.levels.iter().map(|l| (l.side, l.price.mantissa(), l.qty.mantissa())).collect();
    assert_eq!(levels, [(Side::Buy, 1002, 200_000), (Side::Buy, 1001, 100_000_000), (Side::Sell, 1003, 13_600_000)]);
    assert_eq!(book.ts_venue, Ts::from_millis(1_762_820_248_000));
    let trades = r#"{"XXBTZUSD":[["1.1","2",1762795433.9717445,"b","l","",7],["1.2","3",1762795434,"s","m","",8,"new"]],"last":"1"}"#;
    let Reply::Trades(rows) = reply(&Ask::Trades(ID, 10), trades) else { panic!("trades") };
    assert_eq!((rows[0].id.as_str(), rows[0].aggressor, rows[1].aggressor), ("7", Aggressor::Buyer, Aggressor::Seller));
    assert_eq!(rows[0].ts_venue, Ts::from_nanos(1_762_795_433_971_744_500));
    let Reply::Trades(rows) = reply(&Ask::Trades(ID, 1), trades) else { panic!("trades") };
    assert_eq!((rows.len(), rows[0].id.as_str()), (1, "8"));
}

#[test]
fn only_bars_that_kraken_calls_complete_and_that_were_asked_for_are_given() {
    let row = |t: i64| format!("[{t},\"1.0\",\"3.0\",\"0.5\",\"2.0\",\"1.5\",\"4.25\",9]");
    let result = format!("{{\"XXBTZUSD\":[{},{},{},{}],\"last\":120}}", row(0), row(60), row(120), row(180));
    let ask = Ask::Bars(ID, Interval::MINUTE, Ts::from_millis(60_000), Ts::from_millis(600_000));
    let Reply::Bars(bars) = reply(&ask, &result) else { panic!("bars") };
    let opens: Vec<_> = bars.iter().map(|b| b.ts_open.nanos() / 1_000_000_000).collect();
    assert_eq!(opens, [60, 120]);
    let bar = bars[0];
    assert_eq!((bar.open.mantissa(), bar.high.mantissa(), bar.low.mantissa(), bar.close.mantissa()), (10, 30, 5, 20));
    assert_eq!((bar.volume.mantissa(), bar.ts_close), (425_000_000, Ts::from_millis(120_000)));
}

#[test]
fn account_answers_are_read() {
    let Reply::Balances(rows) = reply(
        &Ask::Balances,
        r#"{"XXBT":{"balance":"1.5","hold_trade":"0.5"},"ZUSD":{"balance":"0.0000"},"ETH.F":"2.0"}"#,
    ) else {
        panic!("balances")
    };
    let rows: Vec<_> = rows.iter().map(|b| format!("{} {} {}", b.currency, b.total, b.free)).collect();
    assert_eq!(rows, ["ETH.F 2 2", "BTC 1.5 1"]);

    let open = format!(
        "{{\"open\":{{\"O1\":{},\"O2\":{}}}}}",
        order_row("open", "0.25", CLIENT_TEXT),
        order_row("open", "0", "x").replace("XBTUSD", "ETHUSD")
    );
    let Reply::Orders(rows, left_out) = reply(&Ask::OpenOrders(None), &open) else { panic!("orders") };
    assert_eq!((rows.len(), left_out), (1, 1));
    let row = &rows[0];
    assert_eq!(
        (row.status, row.filled.mantissa(), row.qty.mantissa()),
        (OrderStatus::PartlyFilled, 25_000_000, 100_000_000)
    );
    assert_eq!(row.kind, Some(OrderKind::Limit { price: Price::from_mantissa(300_005) }));
    assert_eq!(row.client_id.parse(), Ok(CLIENT));
    assert_eq!(row.ts_venue, Ts::from_nanos(1_700_000_000_123_400_000));

    let trade = |time: &str, pair: &str| {
        format!(
            r#"{{"ordertxid":"O1","pair":"{pair}","time":{time},"type":"sell","ordertype":"limit","price":"30000.50",
            "cost":"1","fee":"1.23","vol":"0.50000000","trade_id":9,"maker":true}}"#
        )
    };
    let result = format!(
        "{{\"trades\":{{\"TB\":{},\"TA\":{},\"TC\":{}}},\"count\":3}}",
        trade("1700000001.5", "XXBTZUSD"),
        trade("1700000002", "XXBTZUSD"),
        trade("1700000002", "XETHZUSD")
    );
    let Reply::Fills(rows, None) = reply(&Ask::Fills(ID, Span::new(NOW, NOW)), &result) else { panic!("fills") };
    let ids: Vec<_> = rows.iter().map(|f| f.trade_id.as_str()).collect();
    assert_eq!(ids, ["TB", "TA"]);
    let fill = &rows[0];
    assert_eq!(
        (fill.price.mantissa(), fill.qty.mantissa(), fill.fee.to_string()),
        (300_005, 50_000_000, "1.23".into())
    );
    assert_eq!((fill.liquidity, fill.side, fill.fee_currency.as_str()), (Liquidity::Maker, Side::Sell, "USD"));
    let more = result.replace("\"count\":3", "\"count\":5");
    let Reply::Fills(_, Some(older)) = reply(&Ask::Fills(ID, Span::new(NOW, NOW)), &more) else { panic!("a page") };
    let next = Kraken::spot().ask(&Ask::Fills(ID, older.clone()), &listings()).expect("a request");
    assert_eq!(
        next.body, "type=all&consolidate_taker=false&start=1699999999.999999999&ofs=3",
        "those of other pairs count"
    );
    let Reply::Fills(_, None) = reply(&Ask::Fills(ID, older), &more) else { panic!("the last page") };

    assert_eq!(reply(&Ask::StreamTicket, r#"{"token":"abc","expires":900}"#), Reply::StreamTicket("abc".into()));
    assert_eq!(reply(&Ask::KeepTicket("abc".into()), r#"{"token":"new","expires":900}"#), Reply::Done);
}

#[test]
fn permissions_tell_a_key_that_could_move_money() {
    let info = |words: &str| {
        format!("{{\"apiKeyName\":\"n\",\"permissions\":[{words}],\"validUntil\":\"0\",\"ipAllowlist\":[]}}")
    };
    let Reply::Permissions(p) =
        reply(&Ask::Permissions, &info("\"query-funds\",\"query-open-trades\",\"modify-trades\",\"create-ws-token\""))
    else {
        panic!("permissions")
    };
    assert_eq!(
        (p.read, p.trade, p.withdraw, p.ip_bound, p.expires),
        (Some(true), Some(true), Some(false), Some(false), Ts::NONE)
    );
    for word in ["withdraw-funds", "add-withdraw-address", "update-withdraw-address", "add-funds", "earn-funds"] {
        let Reply::Permissions(p) = reply(&Ask::Permissions, &info(&format!("\"{word}\""))) else { panic!("p") };
        assert_eq!((p.withdraw, p.trade), (Some(true), Some(false)), "{word}");
    }
    let dated = info("").replace("\"0\"", "\"1800000000\"").replace("[]}", "[\"1.2.3.4\"]}");
    let Reply::Permissions(p) = reply(&Ask::Permissions, &dated) else { panic!("p") };
    assert_eq!((p.expires, p.ip_bound), (Ts::from_millis(1_800_000_000_000), Some(true)));
}

#[test]
fn answers_to_acts_are_read_one_by_one() {
    let read = |act: &Act, result: &str| Kraken::spot().act_reply(act, &ok(result), &listings());
    let one = Act::Place(buy(LIMIT, |_| ()));
    let rows = read(&one, r#"{"descr":{"order":"buy"},"txid":["OABC-1"]}"#).expect("read");
    assert_eq!(
        (rows[0].venue_id.as_str(), rows[0].client, rows[0].status),
        ("OABC-1", Some(CLIENT), OrderStatus::Acknowledged)
    );
    let two = Act::PlaceMany(vec![buy(LIMIT, |_| ()), buy(LIMIT, |_| ())]);
    let rows = read(&two, r#"{"orders":[{"txid":"O1"},{"error":"EOrder:Insufficient funds"}]}"#).expect("read");
    assert_eq!((rows[0].venue_id.as_str(), rows[0].refused.is_none()), ("O1", true));
    assert_eq!(rows[1].refused.as_ref().map(|e| e.reason), Some("insufficient_funds"));
    assert_eq!(read(&two, r#"{"orders":[{"txid":"O1"}]}"#).expect_err("one is missing").fault, Fault::Unknown);
    assert_eq!(read(&one, r#"{"txid":[]}"#).expect_err("no id").fault, Fault::Unknown);
    let cancel = Act::Cancel(Cancel { instrument: ID, order: OrderRef::Client(CLIENT) });
    for (result, status) in [
        (r#"{"count":1}"#, OrderStatus::Cancelled),
        (r#"{"count":1,"pending":true}"#, OrderStatus::Acknowledged),
        (r#"{"count":0}"#, OrderStatus::Unknown),
    ] {
        assert_eq!(read(&cancel, result).expect("read")[0].status, status, "{result}");
    }
}

// Market streams ---------------------------------------------------------------------------------

#[test]
fn bad_answers_are_malformed_for_reads_and_unknown_for_writes() {
    let act = Act::Place(buy(LIMIT, |_| ()));
    for body in ["", "<html>", "{", "[]", "{\"error\":[]}", "{\"error\":[],\"result\":7}"] {
        let response = Response { status: 200, headers: Vec::new(), body: body.to_owned() };
        let read = Kraken::spot().reply(&Ask::Balances, &response, &listings()).expect_err("refused");
        assert_eq!(read.fault, Fault::Malformed, "{body}");
        let write = Kraken::spot().act_reply(&act, &response, &listings()).expect_err("refused");
        assert_eq!(write.fault, Fault::Unknown, "{body}");
    }
}

#[test]
fn errors_are_sorted_into_their_classes() {
    use Fault::{Authentication, ClockSkew, RateLimited, Rejected, Transient, Unknown};
    let limited = RateLimited { retry_after_ms: None };
    let table = [
        ("EAPI:Rate limit exceeded", limited, limited, "venue_rejected"),
        ("EOrder:Rate limit exceeded", limited, limited, "venue_rejected"),
        ("EGeneral:Temporary lockout", limited, limited, "venue_rejected"),
        ("EGeneral:Too many requests", limited, limited, "venue_rejected"),
        ("EService:Unavailable", Transient, Unknown, "venue_rejected"),
        ("EService:Busy", Transient, Unknown, "venue_rejected"),
        ("EDatabase:Internal error", Transient, Unknown, "venue_rejected"),
        ("EGeneral:Internal error", Transient, Unknown, "venue_rejected"),
        ("EService:Market in cancel_only mode", Rejected, Rejected, "market_closed"),
        ("EService:Market in post_only mode", Rejected, Rejected, "market_closed"),
        ("EAPI:Invalid key", Authentication, Authentication, "venue_rejected"),
        ("EAPI:Invalid signature", Authentication, Authentication, "venue_rejected"),
        ("EAPI:Invalid nonce", ClockSkew, ClockSkew, "venue_rejected"),
        ("EGeneral:Permission denied", Authentication, Authentication, "venue_rejected"),
        ("ESession:Invalid session", Authentication, Authentication, "venue_rejected"),
        ("EOrder:Insufficient funds", Rejected, Rejected, "insufficient_funds"),
        ("EOrder:Order minimum not met", Rejected, Rejected, "size_below_minimum"),
        ("EOrder:Cost minimum not met", Rejected, Rejected, "notional_below_minimum"),
        ("EOrder:Unknown order", Rejected, Rejected, "unknown_order"),
        ("EOrder:Invalid price", Rejected, Rejected, "price_out_of_bounds"),
        ("EOrder:Post only order", Rejected, Rejected, "post_only_would_take"),
        ("EGeneral:Invalid arguments", Rejected, Rejected, "venue_rejected"),
        ("EGeneral:Invalid arguments:volume", Rejected, Rejected, "size_off_lot"),
        ("EQuery:Unknown asset pair", Rejected, Rejected, "venue_rejected"),
    ];
    let act = Act::Place(buy(LIMIT, |_| ()));
    for (text, read, write, reason) in table {
        let body = format!("{{\"error\":[{text:?}]}}");
        let response = Response { status: 200, headers: Vec::new(), body };
        let of_read = Kraken::spot().reply(&Ask::Balances, &response, &listings()).expect_err("an error");
        let of_write = Kraken::spot().act_reply(&act, &response, &listings()).expect_err("an error");
        assert_eq!((of_read.fault, of_write.fault, of_write.reason), (read, write, reason), "{text}");
        assert_eq!(of_read.code, text);
    }
    for (status, read, write) in
        [(429, limited, limited), (403, limited, limited), (502, Transient, Unknown), (520, Transient, Unknown)]
    {
        let response = Response { status, headers: Vec::new(), body: "<html>".to_owned() };
        let of_read = Kraken::spot().reply(&Ask::Time, &response, &listings()).expect_err("an error");
        let of_write = Kraken::spot().act_reply(&act, &response, &listings()).expect_err("an error");
        assert_eq!((of_read.fault, of_write.fault), (read, write), "{status}");
    }
    let warned = Response {
        status: 200,
        headers: Vec::new(),
        body: r#"{"error":["WGeneral:Old"],"result":{"unixtime":1}}"#.into(),
    };
    assert!(Kraken::spot().reply(&Ask::Time, &warned, &listings()).is_ok());
}

#[test]
fn the_venue_is_built_in() {
    let venue = crate::exchange::venue("kraken", Product::Spot).expect("built in");
    assert_eq!((venue.facts().venue, venue.facts().product), ("kraken", Product::Spot));
}
