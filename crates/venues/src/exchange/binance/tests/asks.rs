//! Questions and their answers.

use bellwether_sdk::{Aggressor, Decimal, Interval, Liquidity, Rate, Trail};

use super::*;
use crate::exchange::{Ask, Base, Fault, OrderRef, OrderStatus, Reply, Span};

fn minute() -> Interval {
    Interval::MINUTE
}

fn ms(ms: i64) -> Ts {
    Ts::from_millis(ms)
}

#[test]
fn questions_become_these_requests() {
    let client = ClientId { session: 0xabcd, number: 7 };
    let stop = ClientId::of(0xabcd, 7, &STOP);
    let bars = Ask::Bars(BTC, minute(), Ts::from_nanos(1), ms(120_000));
    let cases: [(Ask, &str, &str); 20] = [
        (Ask::Time, "1 /api/v3/time", "1 /fapi/v1/time"),
        (Ask::Instruments, "20 /api/v3/exchangeInfo", "1 /fapi/v1/exchangeInfo"),
        (Ask::Ticker(BTC), "2 /api/v3/ticker/24hr?symbol=BTCUSDT", "2 /fapi/v1/ticker/bookTicker?symbol=BTCUSDT"),
        (Ask::Book(BTC, 7), "5 /api/v3/depth?symbol=BTCUSDT&limit=7", "2 /fapi/v1/depth?symbol=BTCUSDT&limit=10"),
        (
            Ask::Book(BTC, 9999),
            "250 /api/v3/depth?symbol=BTCUSDT&limit=5000",
            "20 /fapi/v1/depth?symbol=BTCUSDT&limit=1000",
        ),
        (Ask::Trades(BTC, 5), "25 /api/v3/trades?symbol=BTCUSDT&limit=5", "5 /fapi/v1/trades?symbol=BTCUSDT&limit=5"),
        (
            Ask::TradesFrom(BTC, Ts::from_nanos(5_999_999)),
            "4 /api/v3/aggTrades?symbol=BTCUSDT&startTime=5&limit=1000",
            "20 /fapi/v1/aggTrades?symbol=BTCUSDT&startTime=5&limit=1000",
        ),
        (
            bars,
            "2 /api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1&endTime=119999&limit=1000",
            "10 /fapi/v1/klines?symbol=BTCUSDT&interval=1m&startTime=1&endTime=119999&limit=1500",
        ),
        (
            Ask::Funding(BTC, ms(1), ms(9)),
            "unsupported",
            "1 /fapi/v1/fundingRate?symbol=BTCUSDT&startTime=1&endTime=8&limit=1000",
        ),
        (Ask::Balances, "20 S /api/v3/account?omitZeroBalances=true", "5 S /fapi/v3/balance"),
        (Ask::Positions, "unsupported", "5 S /fapi/v3/positionRisk"),
        (Ask::OpenOrders(None), "80 S /api/v3/openOrders", "40 S /fapi/v1/openOrders"),
        (Ask::OpenOrders(Some(BTC)), "6 S /api/v3/openOrders?symbol=BTCUSDT", "1 S /fapi/v1/openOrders?symbol=BTCUSDT"),
        (Ask::OpenConditional(Some(BTC)), "unsupported", "1 S /fapi/v1/openAlgoOrders?symbol=BTCUSDT"),
        (
            Ask::Order(BTC, OrderRef::Client(client)),
            "4 S /api/v3/order?symbol=BTCUSDT&origClientOrderId=000000000000abcd0000000000000007",
            "1 S /fapi/v1/order?symbol=BTCUSDT&origClientOrderId=000000000000abcd0000000000000007",
        ),
        (
            Ask::Order(BTC, OrderRef::Client(stop)),
            "4 S /api/v3/order?symbol=BTCUSDT&origClientOrderId=000000000000abcd8000000000000007",
            "1 S /fapi/v1/algoOrder?clientAlgoId=000000000000abcd8000000000000007",
        ),
        (
            Ask::Order(BTC, OrderRef::Venue("algo-12".to_owned())),
            "4 S /api/v3/order?symbol=BTCUSDT&orderId=12",
            "1 S /fapi/v1/algoOrder?algoId=12",
        ),
        (Ask::Order(BTC, OrderRef::Venue("1&x=2".to_owned())), "rejected", "rejected"),
        (
            Ask::Fills(BTC, Span::new(ms(3), ms(3))),
            "20 S /api/v3/myTrades?symbol=BTCUSDT&startTime=3&limit=1000",
            "5 S /fapi/v1/userTrades?symbol=BTCUSDT&startTime=3&endTime=3&limit=1000",
        ),
        (Ask::StreamTicket, "unsupported", "1 S /fapi/v1/listenKey"),
    ];
    for (ask, on_spot, on_futures) in cases {
        for (venue, product, want) in [(spot(), Product::Spot, on_spot), (futures(), Product::Linear, on_futures)] {
            let got = match venue.ask(&ask, &listings(product)) {
                Ok(r) => format!("{}{} {}", r.weight, if r.signed { " S" } else { "" }, r.target()),
                Err(e) => e.fault.name().to_owned(),
            };
            assert_eq!(got, want, "{ask:?}");
        }
    }
    let unlisted = Ask::Ticker(InstrumentId(9));
    assert_eq!(spot().ask(&unlisted, &listings(Product::Spot)).expect_err("unlisted").fault, Fault::Rejected);
    let odd = Ask::Bars(BTC, Interval::from_nanos(7).expect("above zero"), ms(0), ms(9));
    assert_eq!(spot().ask(&odd, &listings(Product::Spot)).expect_err("odd").fault, Fault::Unsupported);
}

#[test]
fn what_a_key_may_do_is_asked_at_the_spot_host() {
    let ask = |venue: Binance| venue.ask(&Ask::Permissions, &listings(Product::Spot)).expect("a request");
    assert_eq!((ask(spot()).base, ask(futures()).base), (Base::Rest, Base::Spot));
    assert_eq!(ask(futures()).target(), "/sapi/v1/account/apiRestrictions");
}

fn read(venue: &Binance, ask: &Ask, body: &str) -> Reply {
    let product = venue.facts().product;
    venue.reply(ask, &response(200, body), &listings(product)).unwrap_or_else(|e| panic!("{ask:?}: {e}"))
}

#[test]
fn clock_ticker_and_book_are_read() {
    assert_eq!(read(&spot(), &Ask::Time, r#"{"serverTime":1700000000123}"#), Reply::Time(ms(1_700_000_000_123)));
    let ticker = r#"{"symbol":"BTCUSDT","lastPrice":"100.50000000","bidPrice":"100.25000000","bidQty":"1.50000000",
        "askPrice":100.75,"askQty":"0.00000001","closeTime":1700000000123,"unknown":{"a":[1]}}"#;
    let Reply::Ticker(t) = read(&spot(), &Ask::Ticker(BTC), ticker) else { panic!("a ticker") };
    assert_eq!((t.bid.mantissa(), t.bid_qty.mantissa(), t.ask.mantissa()), (10_025, 150_000_000, 10_075));
    assert_eq!((t.ask_qty.mantissa(), t.last.mantissa(), t.ts_venue), (1, 10_050, ms(1_700_000_000_123)));
    let book = r#"{"lastUpdateId":77,"E":5,"T":6,"bids":[["100.25","2"],["100.00","1"]],"asks":[["101","0.5"]]}"#;
    let Reply::Book(b) = read(&futures(), &Ask::Book(BTC, 5), book) else { panic!("a book") };
    let levels: Vec<_> = b.levels.iter().map(|l| (l.side, l.price.mantissa(), l.qty.mantissa())).collect();
    assert_eq!((b.last_id, b.ts_venue), (77, ms(6)));
    assert_eq!(
        levels,
        [(Side::Buy, 10_025, 200_000_000), (Side::Buy, 10_000, 100_000_000), (Side::Sell, 10_100, 50_000_000)]
    );
}

#[test]
fn trades_are_read_with_who_crossed_the_spread() {
    let body = r#"[{"id":5,"price":"100.25","qty":"1","time":9,"isBuyerMaker":true,"isBestMatch":true},
        {"id":6,"price":"100.50","qty":"2","time":9,"isBuyerMaker":false}]"#;
    let Reply::Trades(rows) = read(&spot(), &Ask::Trades(BTC, 5), body) else { panic!("trades") };
    assert_eq!((rows[0].id.as_str(), rows[0].aggressor), ("5", Aggressor::Seller));
    assert_eq!((rows[1].price.mantissa(), rows[1].aggressor), (10_050, Aggressor::Buyer));
    let body = r#"[{"a":11,"p":"100.25","q":"4","f":1,"l":2,"T":9,"m":true,"M":true}]"#;
    let Reply::Trades(rows) = read(&futures(), &Ask::TradesFrom(BTC, ms(0)), body) else { panic!("trades") };
    assert_eq!((rows[0].id.as_str(), rows[0].qty.mantissa(), rows[0].ts_venue), ("11", 400_000_000, ms(9)));
}

#[test]
fn a_bar_that_closes_after_the_range_is_left_out() {
    let body =
        r#"[[0,"1","3","1","2","10",59999,"20",3,"5","10","0"],[60000,"2","2","2","2","1",119999,"2",1,"1","1","0"]]"#;
    let ask = |to| Ask::Bars(BTC, minute(), ms(0), ms(to));
    let Reply::Bars(bars) = read(&spot(), &ask(119_999), body) else { panic!("bars") };
    assert_eq!(bars.len(), 1);
    assert_eq!((bars[0].ts_open, bars[0].ts_close), (ms(0), ms(60_000)));
    assert_eq!((bars[0].high.mantissa(), bars[0].volume.mantissa()), (300, 1_000_000_000));
    let Reply::Bars(bars) = read(&spot(), &ask(120_000), body) else { panic!("bars") };
    assert_eq!(bars.len(), 2);
}

#[test]
fn funding_keeps_its_rate_and_cuts_the_mark_price() {
    let body = r#"[{"symbol":"BTCUSDT","fundingRate":"-0.00012345","fundingTime":8,"markPrice":"100.25999999"},
        {"symbol":"BTCUSDT","fundingRate":"0.0001","fundingTime":9,"markPrice":""}]"#;
    let Reply::Funding(rows) = read(&futures(), &Ask::Funding(BTC, ms(0), ms(9)), body) else { panic!("funding") };
    assert_eq!((rows[0].rate, rows[0].mark.mantissa()), (Rate::from_mantissa(-123_450_000), 10_025));
    assert_eq!((rows[1].ts_venue, rows[1].mark.mantissa()), (ms(9), 0));
}

#[test]
fn balances_other_than_zero_are_read() {
    let body = r#"{"canTrade":true,"balances":[{"asset":"BTC","free":"1.5","locked":"0.25000000"},
        {"asset":"ETH","free":"0.000","locked":"0"}]}"#;
    let Reply::Balances(rows) = read(&spot(), &Ask::Balances, body) else { panic!("balances") };
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].total, rows[0].free), (Decimal::new(175, 2), Decimal::new(15, 1)));
    let body = r#"[{"asset":"USDT","balance":"100.00","availableBalance":"40.5"},{"asset":"BNB","balance":"0","availableBalance":"7"}]"#;
    let Reply::Balances(rows) = read(&futures(), &Ask::Balances, body) else { panic!("balances") };
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].total, rows[0].free), (Decimal::new(100, 0), Decimal::new(405, 1)));
}

#[test]
fn positions_of_both_sides_are_netted() {
    let one = r#"[{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"-0.5","entryPrice":"100.123456","liquidationPrice":"0","unRealizedProfit":"1.25"},
        {"symbol":"ETHUSDT","positionAmt":"0.000","entryPrice":"0.0","liquidationPrice":"0","unRealizedProfit":"0"},
        {"symbol":"XRPUSDT","positionAmt":"9","entryPrice":"1","liquidationPrice":"0","unRealizedProfit":"0"}]"#;
    let Reply::Positions(rows) = read(&futures(), &Ask::Positions, one) else { panic!("positions") };
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].qty.mantissa(), rows[0].entry), (-50_000_000, Some(Decimal::new(100_123_456, 6))));
    assert_eq!((rows[0].liquidation, rows[0].unrealised), (None, Some(Decimal::new(125, 2))));
    let two = r#"[{"symbol":"BTCUSDT","positionSide":"LONG","positionAmt":"2","entryPrice":"100","liquidationPrice":"50","unRealizedProfit":"1"},
        {"symbol":"BTCUSDT","positionSide":"SHORT","positionAmt":"-0.5","entryPrice":"90","liquidationPrice":"200","unRealizedProfit":"2.5"}]"#;
    let Reply::Positions(rows) = read(&futures(), &Ask::Positions, two) else { panic!("positions") };
    assert_eq!((rows[0].qty.mantissa(), rows[0].entry, rows[0].liquidation), (150_000_000, None, None));
    assert_eq!(rows[0].unrealised, Some(Decimal::new(35, 1)));
}

/// An order with some fields changed.
fn order(changes: &str) -> String {
    format!(
        r#"{{"orderId":9,"clientOrderId":"mine","price":"100.25","origQty":"0.5","executedQty":"0.25","time":8,"updateTime":9,"side":"BUY",{changes}}}"#
    )
}

#[test]
fn orders_are_read_with_kind_and_state() {
    let price = Price::from_mantissa(10_025);
    let trigger = Price::from_mantissa(9_000);
    let fraction = OrderKind::TrailingStop { trail: Trail::Fraction(Rate::from_mantissa(10_000_000_000)) };
    for (changes, kind, status) in [
        (r#""type":"LIMIT","status":"NEW""#, Some(OrderKind::Limit { price }), OrderStatus::Acknowledged),
        (
            r#""type":"LIMIT_MAKER","status":"PARTIALLY_FILLED""#,
            Some(OrderKind::Limit { price }),
            OrderStatus::PartlyFilled,
        ),
        (r#""type":"MARKET","status":"FILLED""#, Some(OrderKind::Market), OrderStatus::Filled),
        (r#""type":"STOP_LOSS","stopPrice":"90","status":"CANCELED""#, Some(STOP), OrderStatus::Cancelled),
        (r#""type":"STOP_LOSS","trailingDelta":100,"status":"REJECTED""#, Some(fraction), OrderStatus::Rejected),
        (r#""type":"TRAILING_STOP_MARKET","priceRate":"1.0","status":"EXPIRED""#, Some(fraction), OrderStatus::Expired),
        (
            r#""type":"STOP","stopPrice":"90","status":"EXPIRED_IN_MATCH""#,
            Some(OrderKind::StopLimit { trigger, price }),
            OrderStatus::Expired,
        ),
        (r#""type":"TAKE_PROFIT","stopPrice":"90","status":"PENDING_NEW""#, None, OrderStatus::Acknowledged),
        (r#""type":"A_NEW_KIND","status":"A_NEW_STATE""#, None, OrderStatus::Unknown),
    ] {
        let body = format!("[{}]", order(&format!(r#""symbol":"BTCUSDT",{changes}"#)));
        let Reply::Orders(rows, others) = read(&spot(), &Ask::OpenOrders(None), &body) else { panic!("orders") };
        assert_eq!((rows[0].kind, rows[0].status, others), (kind, status, 0), "{changes}");
        assert_eq!((rows[0].venue_id.as_str(), rows[0].client_id.as_str()), ("9", "mine"));
        assert_eq!(
            (rows[0].qty.mantissa(), rows[0].filled.mantissa(), rows[0].ts_venue),
            (50_000_000, 25_000_000, ms(8))
        );
    }
    let foreign = format!("[{}]", order(r#""symbol":"XRPUSDT","type":"LIMIT","status":"NEW""#));
    assert_eq!(read(&spot(), &Ask::OpenOrders(None), &foreign), Reply::Orders(Vec::new(), 1));
}

#[test]
fn a_conditional_order_is_known_by_what_it_became() {
    let body = |status: &str, actual: &str| {
        format!(
            r#"{{"algoId":12,"clientAlgoId":"c","algoType":"CONDITIONAL","orderType":"STOP_MARKET","symbol":"BTCUSDT","side":"SELL","timeInForce":"GTC","quantity":"0.5","algoStatus":"{status}","actualOrderId":"{actual}","triggerPrice":"90.00","price":"0","createTime":4}}"#
        )
    };
    let ask = Ask::Order(BTC, OrderRef::Venue("algo-12".to_owned()));
    for (status, actual, id, want) in [
        ("NEW", "", "algo-12", OrderStatus::Acknowledged),
        ("TRIGGERED", "99", "99", OrderStatus::Unknown),
        ("FINISHED", "99", "99", OrderStatus::Unknown),
        ("CANCELED", "", "algo-12", OrderStatus::Cancelled),
    ] {
        let Reply::Orders(rows, _) = read(&futures(), &ask, &body(status, actual)) else { panic!("orders") };
        assert_eq!((rows[0].venue_id.as_str(), rows[0].status, rows[0].kind), (id, want, Some(STOP)), "{status}");
    }
}

#[test]
fn fills_are_read_with_fee_and_liquidity() {
    let body = r#"[{"symbol":"BTCUSDT","id":3,"orderId":9,"price":"100.25","qty":"0.5","commission":"-0.001","commissionAsset":"BNB","time":5,"isBuyer":true,"isMaker":true}]"#;
    let Reply::Fills(rows, None) = read(&spot(), &Ask::Fills(BTC, Span::new(ms(0), ms(0))), body) else {
        panic!("fills")
    };
    let f = &rows[0];
    assert_eq!(
        (f.trade_id.as_str(), f.venue_id.as_str(), f.side, f.liquidity),
        ("3", "9", Side::Buy, Liquidity::Maker)
    );
    assert_eq!((f.fee, f.fee_currency.as_str(), f.qty.mantissa()), (Decimal::new(-1, 3), "BNB", 50_000_000));
    let full = format!("[{}]", vec![body.trim_matches(['[', ']']); 1000].join(","));
    let Reply::Fills(_, newer) = read(&spot(), &Ask::Fills(BTC, Span::new(ms(0), ms(9))), &full) else {
        panic!("fills")
    };
    assert_eq!(newer, Some(Span::new(ms(5), ms(9))), "the oldest come first");
    let body = body.replace("isBuyer\":true", "buyer\":false").replace("isMaker\":true", "maker\":false");
    let Reply::Fills(rows, _) = read(&futures(), &Ask::Fills(BTC, Span::new(ms(0), ms(0))), &body) else {
        panic!("fills")
    };
    assert_eq!((rows[0].side, rows[0].liquidity), (Side::Sell, Liquidity::Taker));
}

#[test]
fn fills_of_contracts_are_asked_for_seven_days_after_the_other() {
    const DAY: i64 = 86_400_000;
    // An order that rested for nine days: its fill is in the second stretch.
    let (from, to) = (1_700_000_000_000, 1_700_000_000_000 + 9 * DAY);
    let (venue, listings) = (futures(), listings(Product::Linear));
    let asked = |span: &Span| venue.ask(&Ask::Fills(BTC, span.clone()), &listings).expect("a request").target();
    let mut span = Span::new(ms(from), ms(to));
    let mut stretches = Vec::new();
    loop {
        stretches.push(asked(&span));
        let Reply::Fills(_, further) = read(&venue, &Ask::Fills(BTC, span.clone()), "[]") else { panic!("fills") };
        let Some(next) = further else { break };
        span = next;
    }
    let of =
        |from: i64, to: i64| format!("/fapi/v1/userTrades?symbol=BTCUSDT&startTime={from}&endTime={to}&limit=1000");
    assert_eq!(stretches, [of(from, from + 7 * DAY), of(from + 7 * DAY, to)]);
    // Older ones than half a year are not kept, and not asked for.
    let old = Span::new(ms(to - 500 * DAY), ms(to));
    assert_eq!(asked(&old), of(to - 180 * DAY, to - 173 * DAY));
    let Reply::Fills(_, Some(next)) = read(&venue, &Ask::Fills(BTC, old), "[]") else { panic!("fills") };
    assert_eq!(next, Span::new(ms(to - 173 * DAY), ms(to)));
    // On spot a question reaches to now.
    let Reply::Fills(_, None) = read(&spot(), &Ask::Fills(BTC, Span::new(ms(from), ms(to))), "[]") else {
        panic!("fills")
    };
}

#[test]
fn a_key_that_may_move_money_is_told() {
    let body = |withdraw: bool, universal: bool| {
        format!(
            r#"{{"ipRestrict":true,"enableReading":true,"enableWithdrawals":{withdraw},"enableInternalTransfer":false,"permitsUniversalTransfer":{universal},"enableFutures":false,"enableSpotAndMarginTrading":true}}"#
        )
    };
    for (withdraw, universal, want) in [(false, false, false), (true, false, true), (false, true, true)] {
        let Reply::Permissions(p) = read(&spot(), &Ask::Permissions, &body(withdraw, universal)) else { panic!("key") };
        assert_eq!((p.withdraw, p.trade, p.read, p.ip_bound), (Some(want), Some(true), Some(true), Some(true)));
    }
    let Reply::Permissions(p) = read(&futures(), &Ask::Permissions, &body(false, false)) else { panic!("key") };
    assert_eq!(p.trade, Some(false));
    let silent = r#"{"ipRestrict":true,"enableReading":true}"#;
    let error = spot().reply(&Ask::Permissions, &response(200, silent), &listings(Product::Spot));
    assert_eq!(error.expect_err("not said").fault, Fault::Malformed);
}

#[test]
fn instruments_are_read_and_what_is_not_understood_is_named() {
    let body = r#"{"serverTime":1,"symbols":[
        {"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","isSpotTradingAllowed":true,"filters":[
            {"filterType":"PRICE_FILTER","minPrice":"0.01","tickSize":"0.01000000"},
            {"filterType":"LOT_SIZE","minQty":"0.00001000","maxQty":"9000.00000000","stepSize":"0.00001000"},
            {"filterType":"MARKET_LOT_SIZE","minQty":"0","maxQty":"112.21108820","stepSize":"0"},
            {"filterType":"NOTIONAL","minNotional":"5.00000000","maxNotional":"9000000.00000000","applyMaxToMarket":false}]},
        {"symbol":"OFFUSDT","status":"BREAK","baseAsset":"OFF","quoteAsset":"USDT","filters":[
            {"filterType":"PRICE_FILTER","tickSize":"0.00000000"}]},
        {"symbol":"幣USDT","status":"TRADING","baseAsset":"幣","quoteAsset":"USDT","filters":[]},
        {"symbol":"BROKEN","status":"TRADING"}]}"#;
    let Reply::Instruments(rules, unknown) = read(&spot(), &Ask::Instruments, body) else { panic!("instruments") };
    assert_eq!(unknown, ["幣USDT", "BROKEN"]);
    let btc = &rules[0];
    assert_eq!(
        (btc.symbol.as_str(), btc.name.as_str(), btc.stream_name.as_str()),
        ("binance:BTC/USDT", "BTCUSDT", "btcusdt")
    );
    assert_eq!((btc.price_scale, btc.tick.mantissa(), btc.qty_scale, btc.lot.mantissa()), (5, 1000, 8, 1000));
    assert_eq!((btc.qty_min.mantissa(), btc.notional_min, btc.closed.is_none()), (1000, 5 * 10i128.pow(13), true));
    assert_eq!(
        (btc.qty_max.mantissa(), btc.qty_max_market.mantissa(), btc.notional_max),
        (900_000_000_000, 11_221_108_820, 9_000_000 * 10i128.pow(13))
    );
    assert_eq!((rules[1].tick.mantissa(), rules[1].price_scale, rules[1].closed.as_deref()), (1, 8, Some("BREAK")));
    assert_eq!((rules[1].qty_max, rules[1].qty_max_market, rules[1].notional_max), (Qty::ZERO, Qty::ZERO, 0));

    let body = r#"{"symbols":[
        {"symbol":"BTCUSDT","contractType":"PERPETUAL","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","marginAsset":"USDT","filters":[
            {"filterType":"PRICE_FILTER","tickSize":"0.10"},{"filterType":"LOT_SIZE","minQty":"0.001","maxQty":"1000","stepSize":"0.001"},
            {"filterType":"MARKET_LOT_SIZE","maxQty":"0","stepSize":"0.001"},{"filterType":"MIN_NOTIONAL","notional":"100"}]},
        {"symbol":"BTCUSDT_260925","contractType":"CURRENT_QUARTER","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","marginAsset":"USDT","filters":[]},
        {"symbol":"ODD","contractType":"A_NEW_TYPE","status":"TRADING","baseAsset":"O","quoteAsset":"D","marginAsset":"D","filters":[]}]}"#;
    let Reply::Instruments(rules, unknown) = read(&futures(), &Ask::Instruments, body) else { panic!("instruments") };
    assert_eq!((rules.len(), unknown), (1, vec!["ODD".to_owned()]));
    assert_eq!(
        (rules[0].symbol.as_str(), rules[0].price_scale, rules[0].notional_min),
        ("binance:BTC/USDT:USDT", 4, 100 * 10i128.pow(10))
    );
    // Zero is the venue's word for a filter that is off.
    assert_eq!((rules[0].qty_max.to_text(6), rules[0].qty_max_market.mantissa()), ("1000".to_owned(), 0));
}

#[test]
fn a_number_with_digits_too_many_refuses_the_answer_by_name() {
    let body = r#"[{"id":5,"price":"100.255","qty":"1","time":9,"isBuyerMaker":true}]"#;
    let error = spot().reply(&Ask::Trades(BTC, 5), &response(200, body), &listings(Product::Spot)).expect_err("fine");
    assert_eq!(error.fault, Fault::Malformed);
    assert!(error.text.contains("price \"100.255\""), "{error}");
}

#[test]
fn answers_cut_anywhere_do_not_panic() {
    let bodies = [
        (Ask::Ticker(BTC), r#"{"bidPrice":"1","bidQty":"1","askPrice":"2","askQty":"1"}"#.to_owned()),
        (Ask::Book(BTC, 5), r#"{"lastUpdateId":77,"bids":[["100.25","2"]],"asks":[["101","0.5"]]}"#.to_owned()),
        (Ask::Bars(BTC, minute(), ms(0), ms(9)), r#"[[0,"1","3","1","2","10",59999]]"#.to_owned()),
        (Ask::OpenOrders(None), format!("[{}]", order(r#""symbol":"BTCUSDT","type":"LIMIT","status":"NEW""#))),
        (Ask::Instruments, r#"{"symbols":[{"symbol":"A","baseAsset":"A","quoteAsset":"B","filters":[]}]}"#.to_owned()),
    ];
    for (ask, body) in bodies {
        read(&spot(), &ask, &body);
        for end in 0..body.len() {
            let cut = spot().reply(&ask, &response(200, &body[..end]), &listings(Product::Spot));
            assert_eq!(cut.expect_err("cut").fault, Fault::Malformed, "{ask:?} {end}");
        }
    }
}
