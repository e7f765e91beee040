//! Bybit's codec against hand-written messages of its documents' shapes.

mod account;

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
fn orders_become_these_requests() {
    let ((spot, s), (linear, l)) = (spot(), linear());
    let price = Price::from_mantissa(2_745_050);
    let stop_limit = OrderKind::StopLimit { trigger: Price::from_mantissa(2_700_000), price };
    let body = |side: &str, rest: &str| {
        format!(r#"{{"category":"linear","symbol":"BTCUSDT","side":"{side}",{rest}"positionIdx":0}}"#)
    };
    let id = format!(r#""orderLinkId":"{CLIENT_TEXT}","#);
    for (order, expected) in [
        (
            limit(Side::Buy, 2_745_050),
            body("Buy", &format!(r#""orderType":"Limit","qty":"0.005","price":"27450.5","timeInForce":"GTC",{id}"#)),
        ),
        (
            place(Side::Sell, OrderKind::Market, |_| {}),
            body("Sell", &format!(r#""orderType":"Market","qty":"0.005","timeInForce":"IOC",{id}"#)),
        ),
        (
            place(Side::Sell, OrderKind::StopMarket { trigger: price }, |_| {}),
            body(
                "Sell",
                &format!(
                    r#""orderType":"Market","qty":"0.005","timeInForce":"IOC",{id}"triggerPrice":"27450.5","triggerDirection":2,"triggerBy":"LastPrice","#
                ),
            ),
        ),
        (
            place(Side::Buy, stop_limit, |_| {}),
            body(
                "Buy",
                &format!(
                    r#""orderType":"Limit","qty":"0.005","price":"27450.5","timeInForce":"GTC",{id}"triggerPrice":"27000","triggerDirection":1,"triggerBy":"LastPrice","#
                ),
            ),
        ),
    ] {
        assert_eq!(asked(linear.act(&Act::Place(order), &l)), format!("POST /v5/order/create signed {expected}"));
    }
    let post_only = place(Side::Buy, OrderKind::Limit { price }, |o| o.post_only = true);
    assert!(asked(linear.act(&Act::Place(post_only), &l)).contains(r#""timeInForce":"PostOnly""#));
    let closing = place(Side::Sell, OrderKind::Limit { price }, |o| {
        (o.reduce_only, o.tif) = (true, TimeInForce::Fok);
    });
    let text = asked(linear.act(&Act::Place(closing), &l));
    assert!(
        text.contains(r#""timeInForce":"FOK""#) && text.ends_with(r#""positionIdx":0,"reduceOnly":true}"#),
        "{text}"
    );
    assert_eq!(
        asked(spot.act(&Act::Place(place(Side::Buy, OrderKind::Market, |_| {})), &s)),
        format!(
            r#"POST /v5/order/create signed {{"category":"spot","symbol":"BTCUSDT","side":"Buy","orderType":"Market","qty":"0.000005","timeInForce":"IOC","orderLinkId":"{CLIENT_TEXT}","marketUnit":"baseCoin"}}"#
        )
    );
    let no = "unsupported: venue_rejected";
    let trail = OrderKind::TrailingStop { trail: bellwether_sdk::Trail::Offset(price) };
    for refused in [
        place(Side::Sell, trail, |_| {}),
        place(Side::Buy, OrderKind::Limit { price }, |o| o.tif = TimeInForce::Gtd(Ts::from_millis(1))),
        place(Side::Buy, OrderKind::Market, |o| o.tif = TimeInForce::Fok),
        place(Side::Buy, OrderKind::Limit { price }, |o| (o.post_only, o.tif) = (true, TimeInForce::Ioc)),
    ] {
        assert_eq!(asked(linear.act(&Act::Place(refused), &l)), no);
    }
    assert_eq!(asked(spot.act(&Act::Place(place(Side::Sell, stop_limit, |_| {})), &s)), no);
    assert_eq!(asked(spot.act(&Act::Place(place(Side::Buy, OrderKind::Market, |o| o.reduce_only = true)), &s)), no);
}

#[test]
fn changes_cancels_and_batches_become_these_requests() {
    let (venue, l) = linear();
    let by_client = Cancel { instrument: ID, order: OrderRef::Client(CLIENT) };
    let by_venue = Cancel { instrument: ID, order: OrderRef::Venue("v1".to_owned()) };
    let amend = Amend {
        instrument: ID,
        order: OrderRef::Venue("v1".to_owned()),
        side: Side::Buy,
        price: Some(Price::from_mantissa(100)),
        qty: Some(Qty::from_mantissa(2)),
    };
    let named = format!(r#"{{"symbol":"BTCUSDT","orderLinkId":"{CLIENT_TEXT}"}}"#);
    for (act, expected) in [
        (
            Act::Cancel(by_client.clone()),
            format!(r#"cancel signed {{"category":"linear","symbol":"BTCUSDT","orderLinkId":"{CLIENT_TEXT}"}}"#),
        ),
        (
            Act::CancelMany(vec![by_client.clone(), by_venue]),
            format!(
                r#"cancel-batch signed {{"category":"linear","request":[{named},{{"symbol":"BTCUSDT","orderId":"v1"}}]}}"#
            ),
        ),
        (
            Act::Amend(amend),
            r#"amend signed {"category":"linear","symbol":"BTCUSDT","orderId":"v1","price":"1","qty":"0.002"}"#
                .to_owned(),
        ),
        (Act::CancelAll(ID), r#"cancel-all signed {"category":"linear","symbol":"BTCUSDT"}"#.to_owned()),
    ] {
        assert_eq!(asked(venue.act(&act, &l)), format!("POST /v5/order/{expected}"));
    }
    let many = asked(venue.act(&Act::PlaceMany(vec![limit(Side::Buy, 1), limit(Side::Sell, 2)]), &l));
    assert!(
        many.starts_with(r#"POST /v5/order/create-batch signed {"category":"linear","request":[{"symbol""#),
        "{many}"
    );
    assert_eq!(asked(venue.act(&Act::PlaceMany(vec![limit(Side::Buy, 1); 21]), &l)), "unsupported: venue_rejected");
    let replace = Act::CancelReplace(by_client.clone(), limit(Side::Buy, 1));
    assert_eq!(asked(venue.act(&replace, &l)), "unsupported: venue_rejected");

    let say = |act: &Act| venue.say(act, 12, &l, &key(), "", stamp(1_700_000_000_000)).expect("said");
    assert_eq!(
        say(&Act::Cancel(by_client)).expect("over the socket"),
        format!(
            r#"{{"reqId":"12","header":{{"X-BAPI-TIMESTAMP":"1700000000000","X-BAPI-RECV-WINDOW":"5000"}},"op":"order.cancel","args":[{{"category":"linear","symbol":"BTCUSDT","orderLinkId":"{CLIENT_TEXT}"}}]}}"#
        )
    );
    assert_eq!(say(&Act::CancelAll(ID)), None);
}

#[test]
fn acts_are_answered_one_by_one() {
    let (venue, l) = linear();
    let act = Act::CancelAll(ID);
    let body =
        format!(r#"{{"retCode":0,"retMsg":"OK","result":{{"orderId":"v1","orderLinkId":"{CLIENT_TEXT}"}},"time":1}}"#);
    let replies = venue.act_reply(&act, &response(200, &body), &l).expect("an answer");
    assert_eq!((replies.len(), replies[0].venue_id.as_str(), replies[0].client), (1, "v1", Some(CLIENT)));
    assert_eq!((replies[0].status, &replies[0].refused), (OrderStatus::Acknowledged, &None));

    let batch = r#"{"retCode":0,"retMsg":"OK","result":{"list":[{"orderId":"v1","orderLinkId":"x"},{"orderId":"","orderLinkId":"y"}]},"retExtInfo":{"list":[{"code":0,"msg":"OK"},{"code":110007,"msg":"ab not enough"}]},"time":1}"#;
    let replies = venue.act_reply(&act, &response(200, batch), &l).expect("an answer");
    assert_eq!(replies[0].refused, None);
    assert_eq!(replies[1].refused.as_ref().map(|e| e.reason), Some("insufficient_funds"));

    let silent =
        r#"{"retCode":0,"retMsg":"OK","result":{"list":[{"orderId":"v1"},{"orderId":""}]},"retExtInfo":{},"time":1}"#;
    let replies = venue.act_reply(&act, &response(200, silent), &l).expect("an answer");
    assert_eq!(replies[0].refused, None);
    assert_eq!(replies[1].refused.as_ref().map(|e| e.fault.name()), Some("unknown_outcome"));

    let TradeReply::Answered(12, Ok(replies)) = venue
        .read_trade(r#"{"reqId":"12","retCode":0,"retMsg":"OK","op":"order.create","data":{"orderId":"v9","orderLinkId":"z"},"connId":"c"}"#, &l)
        .expect("read")
    else {
        panic!("no answer")
    };
    assert_eq!(replies[0].venue_id, "v9");
    let refused = r#"{"reqId":"13","retCode":110072,"retMsg":"OrderLinkedID is duplicate","op":"order.create","data":{},"connId":"c"}"#;
    assert!(
        matches!(venue.read_trade(refused, &l), Ok(TradeReply::Answered(13, Err(e))) if e.reason == "duplicate_order_id")
    );
    let login = r#"{"retCode":0,"retMsg":"OK","op":"auth","connId":"c"}"#;
    assert_eq!(venue.read_trade(login, &l), Ok(TradeReply::LoggedIn(Ok(()))));
    let no = r#"{"retCode":10004,"retMsg":"sign","op":"auth","connId":"c"}"#;
    assert!(matches!(venue.read_trade(no, &l), Ok(TradeReply::LoggedIn(Err(e))) if e.fault.name() == "authentication"));
    assert_eq!(venue.read_trade(r#"{"retCode":0,"op":"pong","data":["1"]}"#, &l), Ok(TradeReply::Ignored));
}

#[test]
fn topics_are_subscribed_ten_at_a_time_and_a_book_is_renewed_by_subscribing_anew() {
    let (venue, l) = linear();
    let five = Interval::from_nanos(300_000_000_000).expect("an interval");
    let topics = [
        Topic::Trades(ID),
        Topic::Quotes(ID),
        Topic::Depth(ID, 20),
        Topic::Depth(ID, 51),
        Topic::Bars(ID, five),
        Topic::Bars(ID, Interval::from_nanos(1).expect("an interval")),
        Topic::Funding(ID),
    ];
    let plans = venue.market(&venue.facts().urls, &topics, &l);
    assert_eq!(plans.len(), 1);
    assert_eq!(plans[0].url, "wss://stream.bybit.com/v5/public/linear");
    assert_eq!(plans[0].topics.len(), 6, "an interval that the venue lacks is left out");
    assert_eq!(
        plans[0].messages,
        [
            r#"{"op":"subscribe","args":["publicTrade.BTCUSDT","orderbook.1.BTCUSDT","orderbook.50.BTCUSDT","orderbook.200.BTCUSDT","kline.5.BTCUSDT","tickers.BTCUSDT"]}"#
        ]
    );
    assert_eq!(venue.market(&venue.facts().urls, &[Topic::Trades(ID); 11], &l)[0].messages.len(), 2);
    assert_eq!(
        venue.renew_book(Topic::Depth(ID, 50), &l),
        [
            r#"{"op":"unsubscribe","args":["orderbook.50.BTCUSDT"]}"#,
            r#"{"op":"subscribe","args":["orderbook.50.BTCUSDT"]}"#
        ]
    );
}

const TRADE: &str = r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1709891679005,"data":[{"T":1709891679000,"s":"BTCUSDT","S":"Buy","v":"0.010","p":"27451.50","L":"PlusTick","i":"9dc75fca-4bdd-4773-9f78-6f5d7ab2a110","BT":false,"seq":1},{"T":1709891679001,"s":"BTCUSDT","S":"Sell","v":0.5,"p":27451,"i":"2290000000061666327","BT":false}]}"#;
const BOOK: &str = r#"{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1709891679500,"data":{"s":"BTCUSDT","b":[["27450.00","0.4"]],"a":[["27451.00","0"]],"u":18,"seq":99},"cts":1709891679400}"#;

#[test]
fn market_messages_are_read() {
    let (venue, l) = linear();
    let hear = |text: &str| heard(&venue, text, &l);
    assert_eq!(
        hear(TRADE),
        [
            "trade 3 2745150x10 Buyer at 1709891679000 #0",
            "trade 3 2745100x500 Seller at 1709891679001 #2290000000061666327"
        ]
    );
    assert_eq!(hear(BOOK), ["change 3 18-18<0 b2745000x400 a2745100x0 at 1709891679400 None"]);
    assert!(hear(&BOOK.replace("delta", "snapshot"))[0].starts_with("snapshot 3 18-18<0 "));
    assert!(hear(&BOOK.replace("\"u\":18", "\"u\":1"))[0].starts_with("snapshot 3 1-1<0 "), "a restart replaces");
    let best = BOOK.replace("orderbook.50", "orderbook.1").replace("delta", "snapshot");
    assert_eq!(hear(&best), ["quote 3 2745000x400 2745100x0 at 1709891679400"]);
    let bar = r#"{"topic":"kline.5.BTCUSDT","data":[{"start":1672324800000,"end":1672325099999,"interval":"5","open":"16649.5","close":"16677","high":"16678","low":"16608","volume":"2.081","turnover":"34666.4005","confirm":true,"timestamp":1672324988882}],"ts":1672324988882,"type":"snapshot"}"#;
    assert_eq!(hear(bar), ["bar 3 1672324800000-1672325100000 1664950 1667800 1660800 1667700 v2081 true"]);
    let ticker = r#"{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT","markPrice":"17217.339","nextFundingTime":"1673280000000","fundingRate":"-0.000212"},"cs":1,"ts":1673272861686}"#;
    assert_eq!(hear(ticker), ["funding 3 -212000000 1673280000000 mark 1721733"]);
    let change =
        r#"{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","lastPrice":"1"},"cs":1,"ts":1}"#;
    assert_eq!(hear(change), ["Ignored"]);
    let next = change.replace("lastPrice\":\"1", "nextFundingTime\":\"1673308800000");
    assert_eq!(hear(&next), ["funding 3 - 1673308800000 mark 0"], "the rate is as it was");
    for (text, expected) in [
        (r#"{"success":true,"ret_msg":"","conn_id":"c","req_id":"","op":"subscribe"}"#, "Subscribed"),
        (r#"{"success":true,"ret_msg":"pong","conn_id":"c","op":"ping"}"#, "Alive"),
        (r#"{"success":false,"ret_msg":"no such topic","op":"subscribe"}"#, "Refused(\"no such topic\")"),
        (
            r#"{"topic":"liquidation.BTCUSDT","data":{}}"#,
            "Unexpected(\"{\\\"topic\\\":\\\"liquidation.BTCUSDT\\\",\\\"data\\\":{}}\")",
        ),
        (&TRADE.replace("\"s\":\"BTCUSDT\"", "\"s\":\"ETHUSDT\"").replace("Sell", "?"), "Ignored"),
    ] {
        assert_eq!(hear(text)[0], expected, "{text}");
    }
}

/// An order on the private stream.
const ORDER: &str = r#"{"id":"m","topic":"order","creationTime":1672364262474,"data":[{"category":"linear","symbol":"BTCUSDT","orderId":"v1","side":"Buy","orderType":"Limit","cancelType":"UNKNOWN","price":"30000.5","qty":"0.100","timeInForce":"GTC","orderStatus":"PartiallyFilled","orderLinkId":"0000000000000abc0000000000000007","cumExecQty":"0.040","createdTime":"1672364262444","updatedTime":"1672364262457","rejectReason":"EC_NoError","triggerPrice":""}]}"#;

fn wrapped(result: &str) -> String {
    format!(r#"{{"retCode":0,"retMsg":"OK","result":{result},"retExtInfo":{{}},"time":1700000120000}}"#)
}

#[test]
fn instruments_give_their_rules_and_what_is_not_understood_is_named() {
    let (linear, l) = linear();
    let body = wrapped(
        r#"{"nextPageCursor":"","list":[
        {"symbol":"BTCUSDT","contractType":"LinearPerpetual","status":"Trading","baseCoin":"BTC","quoteCoin":"USDT","settleCoin":"USDT","priceScale":"2","priceFilter":{"tickSize":"0.5"},"lotSizeFilter":{"minOrderQty":"0.002","maxOrderQty":"100.0","maxMktOrderQty":"50.0","qtyStep":"0.001","minNotionalValue":"5"}},
        {"symbol":"BTC-27MAR26","contractType":"LinearFutures","status":"Trading","baseCoin":"BTC","quoteCoin":"USDT","settleCoin":"USDT","priceFilter":{"tickSize":"0.5"},"lotSizeFilter":{"minOrderQty":"0.002","qtyStep":"0.001"}},
        {"symbol":"BADUSDT","contractType":"LinearPerpetual","status":"Trading","baseCoin":"BAD","quoteCoin":"USDT","settleCoin":"USDT","priceFilter":{"tickSize":"zero"},"lotSizeFilter":{"minOrderQty":"1","qtyStep":"1"}},
        {"symbol":"WORSE","status":7}]}"#,
    );
    let Reply::Instruments(rows, unread) = told(&linear, &Ask::Instruments, &body, &l) else {
        panic!("no instruments")
    };
    assert_eq!(unread, ["BADUSDT", "WORSE"]);
    let [btc] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((btc.symbol.as_str(), btc.name.as_str()), ("bybit:BTC/USDT:USDT", "BTCUSDT"));
    assert_eq!(
        (btc.price_scale, btc.qty_scale, btc.tick, btc.lot),
        (2, 3, Price::from_mantissa(50), Qty::from_mantissa(1))
    );
    assert_eq!((btc.qty_min, btc.notional_min, btc.closed.is_none()), (Qty::from_mantissa(2), 500_000, true));
    assert_eq!((btc.qty_max.mantissa(), btc.qty_max_market.mantissa(), btc.notional_max), (100_000, 50_000, 0));
    let (spot, s) = spot();
    let body = wrapped(
        r#"{"list":[{"symbol":"ETHUSDC","status":"PreLaunch","baseCoin":"ETH","quoteCoin":"USDC","lotSizeFilter":{"basePrecision":"0.00001","minOrderQty":"0.001","minOrderAmt":"1","maxOrderQty":"9","maxLimitOrderQty":"8","maxMarketOrderQty":"7.5"},"priceFilter":{"tickSize":"0.01"}}]}"#,
    );
    let Reply::Instruments(rows, _) = told(&spot, &Ask::Instruments, &body, &s) else { panic!("no instruments") };
    assert_eq!((rows[0].symbol.as_str(), rows[0].qty_scale, rows[0].closed.is_none()), ("bybit:ETH/USDC", 5, false));
    assert_eq!((rows[0].qty_max.mantissa(), rows[0].qty_max_market.mantissa()), (800_000, 750_000));
    assert_eq!(spot.guess_name(&"bybit:ETH/USDC".parse().expect("a symbol")), "ETHUSDC");
    assert_eq!(linear.guess_name(&"bybit:ETH/USDC:USDC".parse().expect("a symbol")), "ETHPERP");
}

#[test]
fn answers_are_read() {
    let (venue, l) = linear();
    let tell = |ask: Ask, result: &str| told(&venue, &ask, &wrapped(result), &l);
    assert_eq!(
        tell(Ask::Time, r#"{"timeSecond":"1688639403","timeNano":"1688639403423213947"}"#),
        Reply::Time(Ts::from_nanos(1_688_639_403_423_213_947))
    );
    let bars = r#"{"category":"linear","symbol":"BTCUSDT","list":[["1700000100000","3","3","3","3","1","3"],["1700000040000","2","4","1","3","0.5","1"],["1699999980000","1","2","1","2","0.25","1"]]}"#;
    let Reply::Bars(bars) = tell(Ask::Bars(ID, Interval::MINUTE, Ts::from_nanos(0), Ts::MAX), bars) else {
        panic!("no bars")
    };
    let opens: Vec<_> =
        bars.iter().map(|b| (b.ts_open.nanos() / 1_000_000, b.open.mantissa(), b.volume.mantissa())).collect();
    assert_eq!(opens, [(1_699_999_980_000, 100, 250), (1_700_000_040_000, 200, 500)], "the open one is left out");
    let Reply::Funding(rows) = tell(
        Ask::Funding(ID, Ts::from_nanos(0), Ts::MAX),
        r#"{"category":"linear","list":[{"symbol":"BTCUSDT","fundingRate":"0.0001","fundingRateTimestamp":"2000"},{"symbol":"BTCUSDT","fundingRate":"-0.00015","fundingRateTimestamp":"1000"}]}"#,
    ) else {
        panic!("no funding")
    };
    assert_eq!((rows[0].ts_venue, rows[0].rate.mantissa()), (Ts::from_millis(1000), -150_000_000));
    let Reply::Book(book) =
        tell(Ask::Book(ID, 1), r#"{"s":"BTCUSDT","b":[["2","1.5"]],"a":[["3","1"]],"ts":5,"u":77,"seq":1}"#)
    else {
        panic!("no book")
    };
    assert_eq!((book.last_id, book.levels.len(), book.levels[0].qty), (77, 2, Qty::from_mantissa(1500)));
    let Reply::Ticker(ticker) = tell(
        Ask::Ticker(ID),
        r#"{"list":[{"symbol":"BTCUSDT","bid1Price":"2","bid1Size":"1","ask1Price":"","ask1Size":"","lastPrice":"2.5"}]}"#,
    ) else {
        panic!("no ticker")
    };
    assert_eq!(
        (ticker.bid, ticker.ask, ticker.last),
        (Price::from_mantissa(200), Price::ZERO, Price::from_mantissa(250))
    );
    let Reply::Trades(trades) = tell(
        Ask::Trades(ID, 2),
        r#"{"list":[{"execId":"b","symbol":"BTCUSDT","price":"2","size":"1","side":"Sell","time":"2"},{"execId":"a","symbol":"BTCUSDT","price":"1","size":"1","side":"Buy","time":"1"}]}"#,
    ) else {
        panic!("no trades")
    };
    assert_eq!(trades.iter().map(|t| t.id.as_str()).collect::<String>(), "ab");
}

#[test]
fn private_answers_are_read() {
    let (venue, l) = linear();
    let tell = |ask: Ask, result: &str| told(&venue, &ask, &wrapped(result), &l);
    let row = |status: &str, symbol: &str| {
        format!(
            r#"{{"symbol":"{symbol}","orderId":"v1","orderLinkId":"c1","side":"Sell","orderType":"Limit","price":"30","qty":"0.1","timeInForce":"IOC","orderStatus":"{status}","cumExecQty":"0.05","triggerPrice":"31","createdTime":"5"}}"#
        )
    };
    let list = format!(
        r#"{{"list":[{},{},{}]}}"#,
        row("Untriggered", "BTCUSDT"),
        row("New", "ETHUSDT"),
        row("Cancelled", "BTCUSDT")
    );
    let Reply::Orders(rows, others) = tell(Ask::OpenOrders(None), &list) else { panic!("no orders") };
    assert_eq!((rows.len(), others), (1, 1), "closed ones are not open, others are counted");
    let (trigger, price) = (Price::from_mantissa(3100), Price::from_mantissa(3000));
    assert_eq!(rows[0].kind, Some(OrderKind::StopLimit { trigger, price }));
    assert_eq!(
        (rows[0].qty, rows[0].filled, rows[0].tif),
        (Qty::from_mantissa(100), Qty::from_mantissa(50), TimeInForce::Ioc)
    );
    let touched = list.replace("\"createdTime\"", "\"triggerDirection\":1,\"createdTime\"");
    assert!(
        matches!(tell(Ask::OpenOrders(None), &touched), Reply::Orders(rows, 1) if rows[0].kind.is_none()),
        "a sell that waits for a rise is no stop"
    );
    let found =
        tell(Ask::Order(ID, OrderRef::Client(CLIENT)), &format!(r#"{{"list":[{}]}}"#, row("Cancelled", "BTCUSDT")));
    assert!(matches!(found, Reply::Orders(rows, 0) if rows[0].status == OrderStatus::Cancelled));
    let ask = |ask: &Ask, result: &str| venue.reply(ask, &response(200, &wrapped(result)), &l).expect_err("an error");
    assert_eq!(ask(&Ask::Order(ID, OrderRef::Client(CLIENT)), r#"{"list":[]}"#).reason, "unknown_order");
    let page = format!(r#"{{"list":[{}],"nextPageCursor":"a%3A1&b"}}"#, row("New", "BTCUSDT"));
    let Reply::SomeOrders(rows, 0, ended) = tell(Ask::OpenOrders(None), &page) else { panic!("no silent end of page") };
    let next = venue.ask_on(&Ask::OpenOrders(None), &ended, &l).expect("a request");
    assert_eq!(rows.len(), 1);
    assert!(next.query.ends_with("&limit=50&cursor=a%253A1%26b") && next.signed, "{}", next.query);
    let last = r#"{"list":[],"nextPageCursor":"again"}"#;
    assert_eq!(tell(Ask::OpenOrders(None), last), Reply::Orders(Vec::new(), 0), "nothing comes after an empty page");
    let execution = r#"{"symbol":"BTCUSDT","orderId":"v1","orderLinkId":"c1","side":"Sell","execId":"e1","execPrice":"30","execQty":"0.1","execFee":"0.01","execType":"Trade","execTime":"5","isMaker":true}"#;
    let fills = |cursor: &str| format!(r#"{{"list":[{execution}],"nextPageCursor":"{cursor}"}}"#);
    let days = |days: i64| Ts::from_millis(days * 86_400_000);
    let span = Span::new(days(0), days(9));
    let Reply::Fills(rows, Some(older)) = tell(Ask::Fills(ID, span.clone()), &fills("a%3A1")) else { panic!("a page") };
    let next = venue.ask(&Ask::Fills(ID, older.clone()), &l).expect("a request");
    assert_eq!((rows.len(), next.signed), (1, true));
    assert!(next.query.ends_with("&startTime=0&limit=100&cursor=a%253A1"), "{}", next.query);
    let Reply::Fills(_, again) = tell(Ask::Fills(ID, older.clone()), &fills("a%3A1")) else { panic!("a page") };
    assert_eq!(again, Some(Span::new(days(7), days(9))), "a page that names itself is the last");
    let Reply::Fills(_, newer) = tell(Ask::Fills(ID, older), &fills("")) else { panic!("the last page") };
    assert_eq!(newer, Some(Span::new(days(7), days(9))), "a question reaches seven days");
    let Reply::Fills(_, None) = tell(Ask::Fills(ID, Span::new(days(7), days(9))), last) else { panic!("all of it") };
    let old = venue.ask(&Ask::Fills(ID, Span::new(Ts::NONE, days(1_000))), &l).expect("a request");
    assert!(old.query.ends_with("&startTime=23328000000&limit=100"), "two years: {}", old.query);
    let held = |idx: u8| {
        format!(
            r#"{{"list":[{{"positionIdx":{idx},"symbol":"BTCUSDT","side":"Buy","size":"0.5","avgPrice":"50000","liqPrice":""}},{{"positionIdx":0,"symbol":"BTCUSDT","side":"","size":"0"}}]}}"#
        )
    };
    let Reply::Positions(rows) = tell(Ask::Positions, &held(0)) else { panic!("no positions") };
    assert_eq!((rows.len(), rows[0].qty, rows[0].liquidation), (1, Qty::from_mantissa(500), None));
    assert!(ask(&Ask::Positions, &held(2)).text.contains("hedge mode"));
    let key = |read_only: u8, wallet: &str, ips: &str| {
        let text = format!(
            r#"{{"readOnly":{read_only},"permissions":{{"ContractTrade":["Order","Position"],"Spot":[],"Wallet":[{wallet}],"Derivatives":[],"New":[]}},"ips":[{ips}],"expiredAt":"2026-01-02T03:04:05Z"}}"#
        );
        let Reply::Permissions(p) = tell(Ask::Permissions, &text) else { panic!("no permissions") };
        (p.trade, p.withdraw, p.ip_bound, p.expires)
    };
    let expires = Ts::from_millis(1_767_323_045_000);
    assert_eq!(key(0, r#""AccountTransfer""#, r#""*""#), (Some(true), Some(true), Some(false), expires));
    assert_eq!(key(0, "", r#""1.2.3.4""#), (Some(true), Some(false), Some(true), expires));
    assert_eq!(key(1, r#""Withdraw""#, ""), (Some(false), Some(false), Some(false), expires));
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

#[test]
fn changes_of_funding_are_told_whole_by_the_feed() {
    use crate::exchange::feed::{Feed, FeedEvent, FeedSettings};
    use crate::exchange::machine::{Action, Limits};

    let (venue, listings) = linear();
    let facts = venue.facts().clone();
    let limits = Limits::new(facts.weight_per_minute, facts.orders_per_10s);
    let settings = FeedSettings { clock_every_ms: 0, ..FeedSettings::default() };
    let topics = [Topic::Funding(ID)];
    let (mut feed, missing) = Feed::new(std::sync::Arc::new(venue), listings, &topics, &facts.urls, settings, limits);
    assert_eq!(missing, []);
    let now = Ts::from_millis(1_673_272_861_686);
    let told = std::cell::RefCell::new(Vec::new());
    let mut sink = |event: FeedEvent<'_>| {
        if let FeedEvent::FundingRate(_, rate, at, mark) = event {
            told.borrow_mut().push((rate.mantissa(), at.nanos() / 1_000_000, mark.mantissa()));
        }
    };
    feed.on_time(now, &mut sink);
    let link = feed.actions().find_map(|a| if let Action::Connect { link, .. } = a { Some(link) } else { None });
    let link = link.expect("a connection");
    feed.on_opened(link, now, &mut sink);
    for (kind, fields) in [
        ("delta", r#""markPrice":"17000""#),
        ("snapshot", r#""markPrice":"17217.3","nextFundingTime":"1673280000000","fundingRate":"-0.0002""#),
        ("delta", r#""fundingRate":"0.0001""#),
        ("delta", r#""lastPrice":"1""#),
        ("delta", r#""nextFundingTime":"1673308800000""#),
        ("delta", r#""markPrice":"17300""#),
    ] {
        let text = format!(
            r#"{{"topic":"tickers.BTCUSDT","type":"{kind}","data":{{"symbol":"BTCUSDT",{fields}}},"cs":1,"ts":1}}"#
        );
        feed.on_text(link, &text, now, &mut sink);
    }
    let (first, second, mark) = (1_673_280_000_000, 1_673_308_800_000, 1_721_730);
    assert_eq!(
        told.into_inner(),
        [
            (-200_000_000, first, mark),
            (100_000_000, first, mark),
            (100_000_000, second, mark),
            (100_000_000, second, 1_730_000)
        ]
    );
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
