//! The private stream.

use super::*;

#[test]
fn the_private_stream_is_read() {
    let (venue, l) = linear();
    let read = |text: &str| venue.read_account(text, &l).unwrap_or_else(|e| panic!("{text}: {e}"));
    let order = |text: &str| match &read(text)[0] {
        AccountNote::Order(note) => note.clone(),
        other => panic!("{other:?}"),
    };
    let note = order(ORDER);
    assert_eq!((note.venue_id.as_str(), note.client_id.as_str()), ("v1", CLIENT_TEXT));
    assert_eq!((note.status, note.filled), (OrderStatus::PartlyFilled, Some(Qty::from_mantissa(40))));
    assert_eq!((note.reason, note.ts_venue), ("", Ts::from_millis(1_672_364_262_457)));
    let crossed =
        order(&ORDER.replace("PartiallyFilled", "Cancelled").replace("EC_NoError", "EC_PostOnlyWillTakeLiquidity"));
    assert_eq!((crossed.status, crossed.reason), (OrderStatus::Cancelled, "post_only_would_take"));
    assert_eq!(
        read(&ORDER.replace("\"linear\"", "\"spot\"")),
        [AccountNote::Ignored],
        "the same symbol, another market"
    );
    let odd = read(&ORDER.replace("PartiallyFilled", "Dreaming"));
    assert!(matches!(&odd[0], AccountNote::Unexpected(text) if text.contains("Dreaming")), "{odd:?}");
    assert!(matches!(&odd[1], AccountNote::Order(note) if note.status == OrderStatus::Unknown));

    let fill = r#"{"topic":"execution","id":"x","creationTime":1,"data":[{"category":"linear","symbol":"BTCUSDT","execFee":"-0.0015","execId":"t1","execPrice":"95900.1","execQty":"0.5","execType":"Trade","feeRate":"0","orderId":"v1","orderLinkId":"c1","side":"Sell","execTime":"1746270400353","isMaker":true}]}"#;
    let AccountNote::Fill(note) = &read(fill)[0] else { panic!("no fill") };
    assert_eq!(
        (note.trade_id.as_str(), note.price, note.qty),
        ("t1", Price::from_mantissa(9_590_010), Qty::from_mantissa(500))
    );
    assert_eq!(
        (note.fee.to_string().as_str(), note.fee_currency.as_str()),
        ("-0.0015", "USDT"),
        "a rebate is below zero"
    );
    assert_eq!((note.side, note.liquidity), (Side::Sell, bellwether_sdk::Liquidity::Maker));
    assert_eq!(read(&fill.replace("\"Trade\"", "\"Funding\"")), [AccountNote::Ignored]);
    assert_eq!(read(&fill.replace("\"execution\"", "\"execution.fast\"")), [AccountNote::Ignored]);

    let held = r#"{"id":"p","topic":"position","creationTime":1,"data":[{"positionIdx":0,"symbol":"BTCUSDT","side":"Sell","size":"0.01","entryPrice":"3641.075","liqPrice":"51764.83003276","unrealisedPnl":"-0.00255","category":"linear"}]}"#;
    let AccountNote::Position(position) = &read(held)[0] else { panic!("no position") };
    assert_eq!(position.qty, Qty::from_mantissa(-10));
    assert_eq!(position.entry.map(|d| d.to_string()).as_deref(), Some("3641.075"));
    assert!(
        matches!(&read(&held.replace("Idx\":0", "Idx\":1"))[0], AccountNote::Unexpected(t) if t.contains("hedge mode"))
    );

    let wallet = r#"{"id":"w","topic":"wallet","creationTime":1,"data":[{"coin":[{"coin":"USDT","walletBalance":"100","locked":"10","totalOrderIM":"20.5","totalPositionIM":"0"},{"coin":"BTC","walletBalance":"1","locked":"","totalOrderIM":"2"}]}]}"#;
    let free: Vec<_> = read(wallet)
        .iter()
        .map(|n| match n {
            AccountNote::Balance(b) => format!("{} {} {}", b.currency, b.total, b.free),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(free, ["USDT 100 69.5", "BTC 1 0"]);

    for (text, expected) in [
        (r#"{"success":true,"ret_msg":"","op":"auth","conn_id":"c"}"#, AccountNote::LoggedIn),
        (r#"{"success":true,"ret_msg":"","op":"subscribe","conn_id":"c"}"#, AccountNote::Ready),
        (r#"{"req_id":"","op":"pong","args":["1"],"conn_id":"c"}"#, AccountNote::Alive),
    ] {
        assert_eq!(read(text), [expected]);
    }
    let refused = read(r#"{"success":false,"ret_msg":"bad key","op":"auth","conn_id":"c"}"#);
    assert!(
        matches!(&refused[0], AccountNote::Refused(e) if e.fault.name() == "authentication" && e.text == "bad key")
    );
}

#[test]
fn not_every_refused_login_is_a_refused_key() {
    let (venue, l) = linear();
    for (words, fault) in [
        ("Error sign, please check your signature", "authentication"),
        ("Unmatched IP", "authentication"),
        ("Params Error", "clock_skew"),
        ("request expired", "clock_skew"),
        ("connection error", "rejected"),
    ] {
        let text = format!(r#"{{"success":false,"ret_msg":"{words}","op":"auth","conn_id":"c"}}"#);
        let refused = venue.read_account(&text, &l).expect("read");
        assert!(matches!(&refused[0], AccountNote::Refused(e) if e.fault.name() == fault), "{words}: {refused:?}");
        let text = format!(r#"{{"retCode":10001,"retMsg":"{words}","op":"auth","connId":"c"}}"#);
        let refused = venue.read_trade(&text, &l).expect("read");
        assert!(matches!(&refused, TradeReply::LoggedIn(Err(e)) if e.fault.name() == fault), "{words}: {refused:?}");
    }
}

#[test]
fn a_spot_fill_that_names_no_currency_paid_in_what_was_got() {
    let (venue, l) = spot();
    let fill = |side: &str, fee: &str, code: &str| {
        let text = format!(
            r#"{{"topic":"execution","id":"x","creationTime":1,"data":[{{"category":"spot","symbol":"BTCUSDT","execFee":"{fee}",{code}"execId":"t1","execPrice":"95900.1","execQty":"0.5","execType":"Trade","orderId":"v1","side":"{side}","execTime":"1746270400353","isMaker":true}}]}}"#
        );
        match &venue.read_account(&text, &l).expect("read")[0] {
            AccountNote::Fill(fill) => fill.fee_currency.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(fill("Buy", "0.0005", ""), "BTC");
    assert_eq!(fill("Sell", "47.95", r#""feeCurrency":"","#), "USDT");
    assert_eq!(fill("Buy", "0.2", r#""feeCurrency":"MNT","#), "MNT", "what is said counts");
    // A maker that is paid has it in what was given.
    assert_eq!((fill("Buy", "-4.7", ""), fill("Sell", "-0.00005", "")), ("USDT".to_owned(), "BTC".to_owned()));
}
