//! Orders, changes and cancels as requests and as messages, and what is answered.

use super::*;

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
