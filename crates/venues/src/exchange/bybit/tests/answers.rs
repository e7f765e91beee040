//! Answers to questions: instruments, the market, the account.

use super::*;

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
