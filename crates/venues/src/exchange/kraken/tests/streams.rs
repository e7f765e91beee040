//! What Kraken's sockets say, also what they should not.

use super::*;

fn notes(text: &str) -> Result<Vec<String>, crate::exchange::WireError> {
    let mut notes = Vec::new();
    let mut sink = |note: Note<'_>| notes.push(format!("{note:?}"));
    Kraken::spot().read_market(text, &listings(), NOW, &mut sink)?;
    Ok(notes)
}

const TRADES: &str = r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":30000.10,"qty":0.00027625,"ord_type":"limit","trade_id":71,"timestamp":"2023-10-06T17:35:55.440295Z"},{"symbol":"ETH/USD","side":"buy","price":1.123456,"qty":1,"ord_type":"limit","trade_id":1,"timestamp":"2023-10-06T17:35:55.440295Z"},{"symbol":"BTC/USD","side":"sell","price":30000.0,"qty":1,"ord_type":"market","trade_id":72,"timestamp":"2023-10-06T17:35:56Z"}]}"#;
const BOOK: &str = r#"{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":30000.1,"qty":0.10000000}],"asks":[{"price":30000.2,"qty":2}],"checksum":4000000000,"timestamp":"2023-10-06T17:35:55Z"}]}"#;
const TICKER: &str = r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":30000.1,"bid_qty":2.5,"ask":30000.2,"ask_qty":3.2,"last":1,"change_pct":0.24}]}"#;
const OHLC: &str = r#"{"channel":"ohlc","type":"update","data":[{"symbol":"BTC/USD","interval":5,"interval_begin":"2023-10-04T16:25:00.000000000Z","open":1.5,"high":3,"low":1,"close":2,"volume":7.25,"vwap":1.123456789,"trades":12}]}"#;

#[test]
fn trades_are_read_and_those_of_other_pairs_left_out() {
    let mut trades = Vec::new();
    let mut sink = |note: Note<'_>| {
        if let Note::Trade(trade, id) = note {
            trades.push((trade, id));
        }
    };
    Kraken::spot().read_market(TRADES, &listings(), NOW, &mut sink).expect("read");
    let (first, id) = trades[0];
    assert_eq!((first.price.mantissa(), first.qty.mantissa(), id), (300_001, 27_625, 71));
    assert_eq!((first.ts, first.ts_venue), (NOW, Ts::from_nanos(1_696_613_755_440_295_000)));
    assert_eq!(
        trades.iter().map(|(t, id)| (t.aggressor, *id)).collect::<Vec<_>>(),
        [(Aggressor::Buyer, 71), (Aggressor::Seller, 72)]
    );
}

#[test]
fn a_book_is_read_with_its_checksum() {
    let mut seen = Vec::new();
    let mut sink = |note: Note<'_>| {
        if let Note::Depth(depth, crc) = note {
            let levels: Vec<_> = depth.levels.iter().map(|l| (l.side, l.price.mantissa(), l.qty.mantissa())).collect();
            seen.push((depth.snapshot, depth.last_id, crc, levels));
        }
    };
    Kraken::spot().read_market(BOOK, &listings(), NOW, &mut sink).expect("read");
    let levels = vec![(Side::Buy, 300_001, 10_000_000), (Side::Sell, 300_002, 200_000_000)];
    assert_eq!(seen, [(true, 0, Some(4_000_000_000), levels)]);
}

#[test]
fn a_book_kept_through_the_codec_has_the_checksum_of_krakens_guide() {
    // As numbers: whether zeros at their end are written or not, the checksum is over all digits of the scale.
    let side = |levels: &[(&str, &str)]| {
        let rows: Vec<_> = levels.iter().map(|(p, q)| format!("{{\"price\":{p},\"qty\":{q}}}")).collect();
        rows.join(",")
    };
    let asks = side(&[
        ("45285.2", "0.00100000"),
        ("45286.4", "1.54571953"),
        ("45286.6", "1.54571109"),
        ("45289.6", "1.54560911"),
        ("45290.2", "0.1589066"),
        ("45291.8", "1.54553491"),
        ("45294.7", "0.04454749"),
        ("45296.1", "0.35380000"),
        ("45297.5", "0.09945542"),
        ("45299.5", "0.18772827"),
    ]);
    let bids = side(&[
        ("45283.5", "0.10000000"),
        ("45283.4", "1.54582015"),
        ("45282.1", "0.1"),
        ("45281.0", "0.10000000"),
        ("45280.3", "1.54592586"),
        ("45279", "0.07990000"),
        ("45277.6", "0.03310103"),
        ("45277.5", "0.30000000"),
        ("45277.3", "1.54602737"),
        ("45276.6", "0.15445238"),
    ]);
    let text = format!(
        "{{\"channel\":\"book\",\"type\":\"snapshot\",\"data\":[{{\"symbol\":\"BTC/USD\",\"bids\":[{bids}],\
         \"asks\":[{asks}],\"checksum\":3310070434}}]}}"
    );
    let mut book = crate::market::book::Book::default();
    let mut told = None;
    let mut sink = |note: Note<'_>| {
        if let Note::Depth(depth, crc) = note {
            book.apply(&depth);
            told = crc;
        }
    };
    Kraken::spot().read_market(&text, &listings(), NOW, &mut sink).expect("read");
    assert_eq!((told, crate::exchange::crc_of(&book)), (Some(3_310_070_434), 3_310_070_434));
}

#[test]
fn quotes_and_bars_are_read() {
    let mut quotes = Vec::new();
    let mut bars = Vec::new();
    let mut sink = |note: Note<'_>| match note {
        Note::Quote(quote) => quotes.push(quote),
        Note::Bar(bar, complete) => bars.push((bar, complete)),
        _ => {}
    };
    Kraken::spot().read_market(TICKER, &listings(), NOW, &mut sink).expect("read");
    Kraken::spot().read_market(OHLC, &listings(), NOW, &mut sink).expect("read");
    let quote = quotes[0];
    assert_eq!((quote.bid.mantissa(), quote.bid_qty.mantissa()), (300_001, 250_000_000));
    assert_eq!((quote.ask.mantissa(), quote.ask_qty.mantissa(), quote.ts_venue), (300_002, 320_000_000, Ts::NONE));
    let (bar, complete) = bars[0];
    assert_eq!((bar.open.mantissa(), bar.high.mantissa(), bar.low.mantissa(), bar.close.mantissa()), (15, 30, 10, 20));
    assert_eq!((bar.volume.mantissa(), bar.interval.to_string(), complete), (725_000_000, "5m".to_owned(), false));
    assert_eq!(bar.ts_open, Ts::from_millis(1_696_436_700_000));
}

#[test]
fn other_messages_are_named_for_what_they_are() {
    for (text, want) in [
        (r#"{"channel":"heartbeat"}"#, "[Alive]"),
        (r#"{"method":"pong","req_id":1}"#, "[Alive]"),
        (r#"{"method":"subscribe","result":{"channel":"book"},"success":true}"#, "[Subscribed]"),
        (r#"{"method":"unsubscribe","result":{"channel":"book"},"success":true}"#, "[Ignored]"),
        (
            r#"{"method":"subscribe","error":"Currency pair not supported","success":false}"#,
            "[Refused(\"Currency pair not supported\")]",
        ),
        (r#"{"channel":"status","type":"update","data":[{"system":"online"}]}"#, "[Ignored]"),
        (r#"{"channel":"status","type":"update","data":[{"system":"maintenance"}]}"#, "[Leaving(\"maintenance\")]"),
        (r#"{"channel":"news","data":[]}"#, "[Unexpected(\"news\")]"),
    ] {
        assert_eq!(
            format!("{:?}", notes(text).expect("read")).replace("\\\"", "\"").replace("[\"", "[").replace("\"]", "]"),
            want.to_owned(),
            "{text}"
        );
    }
}

#[test]
fn topics_become_one_connection_and_a_book_is_renewed_by_subscribing_anew() {
    let kraken = Kraken::spot();
    let minute = Interval::MINUTE;
    let topics = [
        Topic::Trades(ID),
        Topic::Quotes(ID),
        Topic::Depth(ID, 20),
        Topic::Bars(ID, minute),
        Topic::Funding(ID),
        Topic::Trades(InstrumentId(9)),
    ];
    let plans = kraken.market(&kraken.facts().urls, &topics, &listings());
    assert_eq!(plans.len(), 1);
    assert_eq!(plans[0].topics, topics[..4]);
    assert_eq!(
        plans[0].messages[2],
        r#"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":25,"snapshot":true}}"#
    );
    assert_eq!(
        kraken.renew_book(topics[2], &listings()),
        [
            r#"{"method":"unsubscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":25}}"#,
            r#"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":25,"snapshot":true}}"#
        ]
    );
    assert_eq!([5, 10, 11, 500, 2000].map(|n| kraken.depth_levels(n)), [10, 10, 25, 500, 1000]);
    assert!(kraken.market(&kraken.facts().urls, &[Topic::Funding(ID)], &listings()).is_empty());
}

// The private socket -----------------------------------------------------------------------------

fn account(text: &str) -> Vec<AccountNote> {
    Kraken::spot().read_account(text, &listings()).expect("read")
}

const EXECUTION: &str = r#"{"channel":"executions","type":"update","data":[{"order_id":"O1","cl_ord_id":"0123456789abcdef0000000000000007","exec_id":"T1","exec_type":"trade","trade_id":5,"symbol":"BTC/USD","side":"sell","last_qty":0.005,"last_price":26599.9,"liquidity_ind":"t","timestamp":"2023-09-22T10:33:05.709993Z","order_status":"partially_filled","cum_qty":0.015,"fees":[{"asset":"USD","qty":0.3458}]}],"sequence":10}"#;

#[test]
fn an_execution_is_a_fill_and_an_order_note() {
    let notes = account(EXECUTION);
    let [AccountNote::Fill(fill), AccountNote::Order(order)] = notes.as_slice() else { panic!("{notes:?}") };
    assert_eq!((fill.trade_id.as_str(), fill.price.mantissa(), fill.qty.mantissa()), ("T1", 265_999, 500_000));
    assert_eq!(
        (fill.fee.to_string(), fill.fee_currency.as_str(), fill.liquidity),
        ("0.3458".into(), "USD", Liquidity::Taker)
    );
    assert_eq!((order.status, order.filled), (OrderStatus::PartlyFilled, Some(Qty::from_mantissa(1_500_000))));
    assert_eq!(order.client_id.parse(), Ok(CLIENT));
}

#[test]
fn fills_of_a_taker_order_have_the_same_ids_on_the_socket_and_by_rest() {
    let ids = ["T1", "T2", "T3"];
    let told = ids.map(|id| match &account(&EXECUTION.replace("\"T1\"", &format!("\"{id}\"")))[0] {
        AccountNote::Fill(fill) => fill.trade_id.clone(),
        other => panic!("{other:?}"),
    });
    let row = |id: &str| {
        format!(
            r#""{id}":{{"ordertxid":"O1","pair":"XXBTZUSD","time":1700000001.5,"type":"sell","ordertype":"market",
            "price":"26599.9","cost":"1","fee":"0.3458","vol":"0.005","trade_id":5,"maker":false}}"#
        )
    };
    let asked = Ask::Fills(ID, Span::new(NOW, NOW));
    let Reply::Fills(rows, None) = reply(&asked, &format!("{{\"trades\":{{{}}},\"count\":3}}", ids.map(row).join(",")))
    else {
        panic!("fills")
    };
    assert_eq!(rows.iter().map(|f| f.trade_id.clone()).collect::<Vec<_>>(), told);
    // The number of the market's trade is no id of ours: the fill is asked for by REST.
    let nameless = account(&EXECUTION.replace("\"exec_id\":\"T1\",", ""));
    assert!(matches!(&nameless[0], AccountNote::Fill(fill) if fill.trade_id.is_empty()), "{nameless:?}");
}

#[test]
fn an_order_note_without_a_pair_is_told_by_its_ids() {
    let row = r#"{"timestamp":"2023-09-22T10:33:05.709982Z","order_status":"canceled","exec_type":"canceled","order_id":"O1","cum_qty":0.5,"reason":"Post only order"}"#;
    let notes = account(&format!("{{\"channel\":\"executions\",\"type\":\"update\",\"data\":[{row}],\"sequence\":9}}"));
    let [AccountNote::Order(order)] = notes.as_slice() else { panic!("{notes:?}") };
    assert_eq!((order.instrument, order.venue_id.as_str(), order.filled), (NO_INSTRUMENT, "O1", None));
    assert_eq!((order.status, order.reason), (OrderStatus::Cancelled, "post_only_would_take"));
    let margin = r#"{"channel":"executions","type":"snapshot","data":[{"exec_type":"snapshot","position_status":"open","symbol":"BTC/USD"}]}"#;
    assert_eq!(account(margin), [AccountNote::Ignored]);
    let foreign = EXECUTION.replace("BTC/USD", "ETH/USD");
    assert_eq!(account(&foreign), [AccountNote::Ignored]);
    let odd = EXECUTION.replace("partially_filled", "levitating");
    assert!(matches!(&account(&odd)[1], AccountNote::Order(o) if o.status == OrderStatus::Unknown));
}

#[test]
fn the_socket_subscribes_with_its_ticket_and_answers_are_matched() {
    let kraken = Kraken::spot();
    let plan = kraken.trade(&kraken.facts().urls, &listings(), &key(), "tick", stamp(1)).expect("a plan").expect("one");
    assert_eq!(plan.messages.len(), 2);
    assert!(plan.messages.iter().all(|m| m.contains("\"token\":\"tick\"")), "{:?}", plan.messages);
    assert_eq!(kraken.account(&kraken.facts().urls, &listings(), &key(), "", stamp(1)), Ok(None));

    let read = |text: &str| kraken.read_trade(text, &listings()).expect("read");
    let TradeReply::Answered(42, Ok(rows)) = read(
        r#"{"method":"add_order","req_id":42,"success":true,"result":{"order_id":"O1","cl_ord_id":"0123456789abcdef0000000000000007"}}"#,
    ) else {
        panic!("an answer")
    };
    assert_eq!((rows[0].venue_id.as_str(), rows[0].client), ("O1", Some(CLIENT)));
    let TradeReply::Answered(43, Err(error)) =
        read(r#"{"method":"add_order","req_id":43,"success":false,"error":"EOrder:Insufficient funds"}"#)
    else {
        panic!("an answer")
    };
    assert_eq!((error.fault, error.reason), (Fault::Rejected, "insufficient_funds"));
    for result in [
        r#"{"orders":[{"order_id":"O1","success":true},{"success":false,"error":"EOrder:Invalid price"}]}"#,
        r#"[{"order_id":"O1"},{"error":"EOrder:Invalid price"}]"#,
    ] {
        let text = format!("{{\"method\":\"batch_add\",\"req_id\":1,\"success\":true,\"result\":{result}}}");
        let TradeReply::Answered(1, Ok(rows)) = read(&text) else { panic!("an answer") };
        assert!(rows[0].refused.is_none() && rows[1].refused.is_some());
    }
    assert_eq!(
        read(r#"{"method":"batch_cancel","req_id":2,"success":true,"orders_cancelled":2}"#),
        TradeReply::Answered(2, Ok(vec![]))
    );
    let subscribed = r#"{"method":"subscribe","result":{"channel":"executions"},"success":true}"#;
    assert_eq!(read(subscribed), TradeReply::Account(vec![AccountNote::Ready]));
    let refused = r#"{"method":"subscribe","error":"ESession:Invalid session","success":false}"#;
    assert!(matches!(&account(refused)[0], AccountNote::Refused(e) if e.fault == Fault::Authentication));
    let balances = r#"{"channel":"balances","type":"update","data":[{"asset":"BTC","balance":1.25,"amount":-0.1}]}"#;
    assert!(
        matches!(&account(balances)[0], AccountNote::Balance(b) if b.currency == "BTC" && b.total.to_string() == "1.25")
    );
}

// Bad input --------------------------------------------------------------------------------------

#[test]
fn messages_cut_at_any_byte_are_refused_without_a_note_or_a_panic() {
    for text in [TRADES, BOOK, TICKER, OHLC] {
        for end in 0..text.len() {
            assert!(notes(&text[..end]).is_err(), "{}", &text[..end]);
        }
    }
    for end in 0..EXECUTION.len() {
        assert!(Kraken::spot().read_trade(&EXECUTION[..end], &listings()).is_err(), "{}", &EXECUTION[..end]);
    }
}

#[test]
fn one_bad_number_refuses_the_whole_message_and_says_which() {
    for (text, from, to, field) in [
        (TRADES, "30000.10", "30000.15", "price"),
        (TRADES, "0.00027625", "0.000276251", "qty"),
        (TRADES, "\"qty\":1,\"ord_type\":\"market\"", "\"qty\":1e30,\"ord_type\":\"market\"", "qty"),
        (TRADES, "2023-10-06T17:35:56Z", "yesterday", "timestamp"),
        (BOOK, "30000.2", "30000.25", "price"),
        (TICKER, "3.2", "true", "expected a number"),
        (OHLC, "\"interval\":5", "\"interval\":-5", "interval"),
        (OHLC, "\"interval\":5", "\"interval\":9223372036854775807", "interval"),
    ] {
        assert!(text.contains(from), "{from}");
        let error = notes(&text.replace(from, to)).expect_err("refused").to_string();
        assert!(error.contains(field), "{error}");
    }
    assert!(Kraken::spot().read_account(&EXECUTION.replace("26599.9", "26599.95"), &listings()).is_err());
    assert!(Kraken::spot().read_account(&EXECUTION.replace("sell", "lend"), &listings()).is_err());
}

#[test]
fn texts_and_numbers_are_read_alike_and_unknown_fields_passed_over() {
    let quoted =
        TRADES.replace("30000.10", "\"30000.10\"").replace("\"ord_type\"", "\"never_seen\":{\"a\":[1]},\"ord_type\"");
    assert_eq!(notes(&quoted).expect("read"), notes(TRADES).expect("read"));
}
