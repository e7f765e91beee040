//! The market's streams: subscribed to, read, and told on by the feed.

use super::*;

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
