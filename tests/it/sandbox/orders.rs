//! Orders over REST and over the WebSocket API: filters, life, cancel-replace, amend, the events they cause.

use bellwether::sandbox::Commission;
use serde_json::{Value, json};

use super::{Socket, Venue, cents, price, signed_params, units};

fn get_order(venue: &Venue, id: &Value) -> Value {
    venue.signed("GET", "/api/v3/order", &format!("symbol=BTCUSDT&orderId={id}")).done()
}

#[test]
fn what_breaks_a_filter_or_a_form_is_refused_with_its_code() {
    let venue = Venue::new();
    let (bid, ask) = venue.best();
    let near = price(bid - 1_000);
    let table = [
        ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=87000.001".to_owned(), -1013, "PRICE_FILTER"),
        ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=87000.000000001".to_owned(), -1111, "price"),
        ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=1000.00".to_owned(), -1013, "PERCENT_PRICE_BY_SIDE"),
        (format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.0100001&price={near}"), -1013, "LOT_SIZE"),
        (format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0&price={near}"), -1013, "quantity"),
        (format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=1000001&price={near}"), -1013, "LOT_SIZE"),
        (format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=1000&price={near}"), -1013, "NOTIONAL"),
        (format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.00001&price={near}"), -1013, "NOTIONAL"),
        ("side=BUY&type=MARKET&quantity=0.00001".to_owned(), -1013, "NOTIONAL"),
        (format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=10&price={near}"), -2010, "insufficient balance"),
        ("side=SELL&type=MARKET&quantity=2.5".to_owned(), -2010, "insufficient balance"),
        ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=-1&price=1".to_owned(), -1100, "quantity"),
        ("side=BUY&type=LIMIT&quantity=0.01&price=87000".to_owned(), -1102, "timeInForce"),
        ("side=BUY&type=LIMIT&timeInForce=GTC&price=87000".to_owned(), -1102, "quantity"),
        ("side=BUY&type=MARKET&quantity=0.01&price=87000".to_owned(), -1106, "price"),
        ("side=BUY&type=MARKET&quantity=0.01&timeInForce=GTC".to_owned(), -1106, "timeInForce"),
        ("side=LONG&type=MARKET&quantity=0.01".to_owned(), -1117, "side"),
        ("side=BUY&type=MAGIC&quantity=0.01".to_owned(), -1116, "orderType"),
        (format!("side=BUY&type=LIMIT&timeInForce=DAY&quantity=0.01&price={near}"), -1115, "timeInForce"),
        ("side=BUY&type=MARKET&quantity=0.01&newClientOrderId=a%20b".to_owned(), -1100, "newClientOrderId"),
        (format!("side=BUY&type=LIMIT_MAKER&quantity=0.01&price={}", price(ask)), -2010, "immediately match"),
        (
            format!("side=SELL&type=STOP_LOSS&quantity=0.01&stopPrice={}", price(ask + 5_000)),
            -2010,
            "trigger immediately",
        ),
        ("side=BUY&type=MARKET&quantity=0.01&colour=red".to_owned(), -1104, "read"),
    ];
    for (query, code, words) in table {
        let answer = venue.order(&query);
        assert_eq!(answer.json["code"], code, "{query}: {}", answer.json);
        assert!(answer.json["msg"].as_str().is_some_and(|m| m.contains(words)), "{query}: {}", answer.json);
    }
    assert_eq!(
        venue.signed("POST", "/api/v3/order", "symbol=NOPE&side=BUY&type=MARKET&quantity=1").refused(),
        (400, -1121)
    );
    assert_eq!(venue.signed("GET", "/api/v3/allOrders", "symbol=BTCUSDT").done(), json!([]), "nothing was placed");
    assert_eq!(venue.balance("USDT"), ("100000.00000000".to_owned(), "0.00000000".to_owned()));
    assert_eq!(venue.get("/api/v3/order").status, 401);
    assert_eq!(venue.get("/api/v3/nothing").status, 404);
    assert_eq!(venue.ask("PATCH", "/api/v3/order", "", "").status, 405);
}

#[test]
fn a_resting_order_locks_its_money_until_it_is_cancelled() {
    let venue = Venue::new();
    let (bid, _) = venue.best();
    let limit = price(bid - 10_000);
    let placed = venue
        .order(&format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.5&price={limit}&newClientOrderId=a-1"))
        .done();
    assert_eq!(
        (&placed["status"], &placed["clientOrderId"], &placed["fills"]),
        (&json!("NEW"), &json!("a-1"), &json!([]))
    );
    let (free, locked) = venue.balance("USDT");
    // The price of a half and a taker's tenth of a percent on it.
    assert_eq!(units(&json!(locked)), i128::from(bid - 10_000) * 500_500);
    assert_eq!(units(&json!(free)) + units(&json!(locked)), 100_000 * 100_000_000);
    let twice =
        venue.order(&format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.5&price={limit}&newClientOrderId=a-1"));
    assert_eq!((twice.refused(), &twice.json["msg"]), ((400, -2010), &json!("Duplicate order sent.")));
    let open = venue.signed("GET", "/api/v3/openOrders", "symbol=BTCUSDT").done();
    assert_eq!(open.as_array().map(Vec::len), Some(1));
    let gone =
        venue.signed("DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=a-1&newClientOrderId=c-1").done();
    assert_eq!(
        (&gone["status"], &gone["origClientOrderId"], &gone["clientOrderId"]),
        (&json!("CANCELED"), &json!("a-1"), &json!("c-1"))
    );
    assert_eq!(venue.signed("DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=a-1").refused(), (400, -2011));
    assert_eq!(venue.signed("GET", "/api/v3/order", "symbol=BTCUSDT&orderId=777").refused(), (400, -2013));
    assert_eq!(venue.signed("GET", "/api/v3/order", "symbol=BTCUSDT").refused(), (400, -1102));
    assert_eq!(venue.balance("USDT").1, "0.00000000");
    assert_eq!(venue.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").refused(), (400, -2011));
}

#[test]
fn market_orders_walk_the_book_that_is_shown_and_money_is_kept() {
    let venue = Venue::new();
    let book = venue.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").done();
    let asks = book["asks"].as_array().expect("asks").clone();
    // Past the first level, into the second.
    let first = units(&asks[0][1]);
    let qty = (first + units(&asks[1][1]) / 2) / 1_000 * 1_000;
    let text = format!("{}.{:08}", qty / 100_000_000, qty % 100_000_000);
    let before = units(&json!(venue.balance("USDT").0));
    let placed = venue.order(&format!("side=BUY&type=MARKET&quantity={text}"));
    if first * i128::from(cents(&asks[0][0])) / 100 > before {
        assert_eq!(placed.refused(), (400, -2010));
        return;
    }
    let placed = placed.done();
    assert_eq!(placed["status"], "FILLED", "{placed}");
    let fills = placed["fills"].as_array().expect("fills");
    assert_eq!(fills.len(), 2);
    assert_eq!((&fills[0]["price"], &fills[0]["qty"]), (&asks[0][0], &asks[0][1]));
    assert_eq!(fills[1]["price"], asks[1][0]);
    let fees: i128 = fills.iter().map(|f| units(&f["commission"])).sum();
    let spent = units(&placed["cummulativeQuoteQty"]);
    assert_eq!(before - units(&json!(venue.balance("USDT").0)), spent + fees);
    assert_eq!(units(&json!(venue.balance("BTC").0)), 200_000_000 + qty);
    let mine = venue.signed("GET", "/api/v3/myTrades", &format!("symbol=BTCUSDT&orderId={}", placed["orderId"])).done();
    assert_eq!(mine.as_array().map(Vec::len), Some(2));
    assert_eq!(mine[0]["id"], fills[0]["tradeId"]);
}

#[test]
fn times_in_force_end_what_does_not_fill_at_once() {
    let venue = Venue::new();
    let (bid, ask) = venue.best();
    let far = price(bid - 20_000);
    for tif in ["IOC", "FOK"] {
        let placed = venue.order(&format!("side=BUY&type=LIMIT&timeInForce={tif}&quantity=0.01&price={far}")).done();
        assert_eq!((&placed["status"], &placed["executedQty"]), (&json!("EXPIRED"), &json!("0.00000000")), "{tif}");
    }
    let filled = venue.order(&format!("side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.01&price={}", price(ask))).done();
    assert_eq!(filled["status"], "FILLED");
    let spent = venue.order("side=BUY&type=MARKET&quoteOrderQty=100&newOrderRespType=RESULT").done();
    assert!(units(&spent["cummulativeQuoteQty"]) <= 10_000_000_000 && spent.get("fills").is_none(), "{spent}");
    let ack = venue.order("side=SELL&type=MARKET&quantity=0.01&newOrderRespType=ACK").done();
    assert!(ack.get("status").is_none() && ack["orderId"].is_u64());
    assert_eq!(
        venue.signed("POST", "/api/v3/order/test", "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.01").done(),
        json!({})
    );
}

#[test]
fn resting_and_sleeping_orders_fill_as_the_market_comes_to_them() {
    let venue = Venue::new();
    let (bid, ask) = venue.best();
    let maker = venue.order(&format!("side=BUY&type=LIMIT_MAKER&quantity=0.01&price={}", price(bid - 500))).done();
    let stop = venue.order(&format!("side=SELL&type=STOP_LOSS&quantity=0.01&stopPrice={}", price(bid - 1_000))).done();
    let target = venue.order(&format!(
        "side=SELL&type=TAKE_PROFIT_LIMIT&timeInForce=GTC&quantity=0.01&stopPrice={}&price={}",
        price(ask + 1_500),
        price(ask + 1_000)
    ));
    let target = target.done();
    assert_eq!(get_order(&venue, &stop["orderId"])["isWorking"], json!(false));
    for _ in 0..24 {
        venue.step(1_000);
    }
    let (maker, stop, target) = (
        get_order(&venue, &maker["orderId"]),
        get_order(&venue, &stop["orderId"]),
        get_order(&venue, &target["orderId"]),
    );
    assert_eq!(
        (&maker["status"], &stop["status"], &target["status"]),
        (&json!("FILLED"), &json!("FILLED"), &json!("FILLED"))
    );
    let mine = venue.signed("GET", "/api/v3/myTrades", "symbol=BTCUSDT").done();
    let of = |order: &Value| {
        mine.as_array().expect("trades").iter().find(|t| t["orderId"] == order["orderId"]).expect("a trade").clone()
    };
    assert_eq!((&of(&maker)["isMaker"], cents(&of(&maker)["price"])), (&json!(true), bid - 500));
    let of_stop = of(&stop);
    assert!(!of_stop["isMaker"].as_bool().expect("a flag") && cents(&of_stop["price"]) <= bid, "{of_stop}");
    assert!(cents(&of(&target)["price"]) >= ask + 1_000, "{}", of(&target));
}

#[test]
fn cancel_replace_tells_success_failure_and_the_half_of_it() {
    let venue = Venue::new();
    let (bid, _) = venue.best();
    let rest = |qty: &str, away: i64| {
        format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity={qty}&price={}", price(bid - away))
    };
    let first = venue.order(&rest("0.01", 10_000)).done()["orderId"].clone();
    let replace = |mode: &str, id: &Value, order: &str| {
        let query = format!("symbol=BTCUSDT&cancelReplaceMode={mode}&cancelOrderId={id}&{order}");
        venue.signed("POST", "/api/v3/order/cancelReplace", &query)
    };
    let both = replace("STOP_ON_FAILURE", &first, &rest("0.02", 11_000)).done();
    assert_eq!((&both["cancelResult"], &both["newOrderResult"]), (&json!("SUCCESS"), &json!("SUCCESS")));
    let second = both["newOrderResponse"]["orderId"].clone();
    assert_eq!(get_order(&venue, &first)["status"], "CANCELED");

    let early = replace("STOP_ON_FAILURE", &second, &rest("500", 11_000));
    assert_eq!(early.refused(), (400, -1013), "filters come before the cancel: {}", early.json);
    assert_eq!(get_order(&venue, &second)["status"], "NEW");
    let half = replace("STOP_ON_FAILURE", &second, &rest("50", 11_000));
    assert_eq!(half.refused(), (409, -2021));
    let data = &half.json["data"];
    assert_eq!((&data["cancelResult"], &data["newOrderResult"]), (&json!("SUCCESS"), &json!("FAILURE")));
    assert_eq!(
        (&data["cancelResponse"]["status"], &data["newOrderResponse"]["code"]),
        (&json!("CANCELED"), &json!(-2010))
    );

    let none = replace("STOP_ON_FAILURE", &second, &rest("0.01", 11_000));
    assert_eq!((none.refused(), &none.json["data"]["newOrderResult"]), ((400, -2022), &json!("NOT_ATTEMPTED")));
    let other = replace("ALLOW_FAILURE", &second, &rest("0.01", 11_000));
    assert_eq!((other.refused(), &other.json["data"]["newOrderResult"]), ((409, -2021), &json!("SUCCESS")));
    assert_eq!(venue.signed("GET", "/api/v3/openOrders", "").done().as_array().map(Vec::len), Some(1));
}

#[test]
fn an_amend_makes_an_order_smaller_and_nothing_else() {
    let venue = Venue::new();
    let (bid, _) = venue.best();
    let order =
        venue.order(&format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.03&price={}", price(bid - 10_000))).done();
    let id = &order["orderId"];
    let amend = |qty: &str| {
        venue.signed("PUT", "/api/v3/order/amend/keepPriority", &format!("symbol=BTCUSDT&orderId={id}&newQty={qty}"))
    };
    let amended = amend("0.01").done();
    assert_eq!(amended["amendedOrder"]["qty"], "0.01000000");
    assert_eq!(get_order(&venue, id)["origQty"], "0.01000000");
    assert_eq!(amend("0.02").refused(), (400, -2038));
    assert_eq!(units(&json!(venue.balance("USDT").1)), i128::from(bid - 10_000) * 10_010);
}

fn follow(venue: &Venue) -> (Socket, Value) {
    let mut socket = venue.socket("/ws-api/v3");
    let (answer, _) = socket.call("follow", "userDataStream.subscribe.signature", &signed_params("full", json!({})));
    let number = answer["result"]["subscriptionId"].clone();
    assert!(number.is_u64(), "{answer}");
    (socket, number)
}

#[test]
fn orders_over_the_socket_are_followed_by_wrapped_events() {
    let venue = Venue::new();
    let (bid, _) = venue.best();
    let (mut socket, number) = follow(&venue);
    let order = json!({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01",
        "price": price(bid - 10_000), "newClientOrderId": "ws-1"});
    let (placed, mut events) = socket.call("p", "order.place", &signed_params("full", order));
    assert_eq!((&placed["status"], &placed["result"]["status"]), (&json!(200), &json!("NEW")), "{placed}");
    assert!(placed["rateLimits"].as_array().is_some_and(|r| r.len() == 3), "{placed}");
    let id = placed["result"]["orderId"].clone();
    let (status, more) =
        socket.call("s", "order.status", &signed_params("full", json!({"symbol": "BTCUSDT", "orderId": id})));
    events.extend(more);
    assert_eq!(status["result"]["clientOrderId"], "ws-1");
    let amend = json!({"symbol": "BTCUSDT", "orderId": id, "newQty": "0.005"});
    events.extend(socket.call("a", "order.amend.keepPriority", &signed_params("full", amend)).1);
    let cancel = json!({"symbol": "BTCUSDT", "origClientOrderId": "ws-1"});
    let (gone, more) = socket.call("c", "order.cancel", &signed_params("full", cancel));
    events.extend(more);
    assert_eq!(gone["result"]["status"], "CANCELED", "{gone}");
    let market = json!({"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.01"});
    let (sold, more) = socket.call("m", "order.place", &signed_params("full", market));
    events.extend(more);
    assert_eq!(sold["result"]["status"], "FILLED");
    events.extend(socket.events(10 - events.len()));
    assert!(events.iter().all(|e| e["subscriptionId"] == number), "{events:?}");
    let told: Vec<String> = events
        .iter()
        .map(|e| &e["event"])
        .map(|e| match e["e"].as_str() {
            Some("executionReport") => format!("{} {}", e["x"], e["X"]).replace('"', ""),
            other => other.unwrap_or_default().to_owned(),
        })
        .collect();
    let balances = "outboundAccountPosition";
    assert_eq!(
        told,
        [
            "NEW NEW",
            balances,
            "REPLACED NEW",
            balances,
            "CANCELED CANCELED",
            balances,
            "NEW NEW",
            balances,
            "TRADE FILLED",
            balances
        ]
    );
    let (cancelled, trade) = (&events[4]["event"], &events[8]["event"]);
    assert_eq!(cancelled["C"], "ws-1");
    assert_eq!(
        (&trade["l"], &trade["z"], &trade["N"], &trade["m"]),
        (&json!("0.01000000"), &json!("0.01000000"), &json!("USDT"), &json!(false))
    );
    assert_eq!(trade["t"], sold["result"]["fills"][0]["tradeId"]);
    let twice = socket.call("t", "userDataStream.subscribe.signature", &signed_params("full", json!({}))).0;
    assert_eq!(twice["status"], 400);
    assert_eq!(socket.call("u", "userDataStream.unsubscribe", &json!({})).0["status"], 200);
}

#[test]
fn the_socket_refuses_in_its_own_form() {
    let venue = Venue::new();
    let mut socket = venue.socket("/ws-api/v3");
    assert_eq!(socket.call("1", "order.fly", &json!({})).0["error"]["code"], -1020);
    let mut bad = signed_params("full", json!({"symbol": "BTCUSDT"}));
    bad["symbol"] = "ETHUSDT".into();
    assert_eq!(socket.call("2", "openOrders.status", &bad).0["error"]["code"], -1022);
    assert_eq!(socket.call("3", "ping", &json!({})).0["result"], json!({}));
    let depth = socket.call("4", "depth", &json!({"symbol": "BTCUSDT", "limit": 5})).0;
    assert_eq!(depth["result"]["bids"].as_array().map(Vec::len), Some(5));
    let wrong = json!({"symbol": "BTCUSDT", "cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": 5, "side": "SELL",
        "type": "MARKET", "quantity": "0.01"});
    let half = socket.call("5", "order.cancelReplace", &signed_params("full", wrong)).0;
    assert_eq!((&half["status"], &half["error"]["code"]), (&json!(409), &json!(-2021)));
    assert_eq!(half["error"]["data"]["newOrderResult"], "SUCCESS");
    let resting = json!({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01",
        "price": price(venue.best().0 - 9_000)});
    socket.call("6", "order.place", &signed_params("full", resting));
    let all = socket.call("7", "openOrders.cancelAll", &signed_params("full", json!({"symbol": "BTCUSDT"}))).0;
    assert_eq!(all["result"].as_array().map(Vec::len), Some(1), "{all}");
    socket.0.send(tokio_tungstenite::tungstenite::Message::text("no json")).expect("sent");
    assert_eq!(socket.next().expect("an answer")["error"]["code"], -1135);
}

#[test]
fn under_trade_1_a_market_order_waits_for_the_next_trade_and_under_quote_1_it_takes_the_quote() {
    let venue = Venue::with(|s| s.profile = bellwether::sim::Profile::Trade);
    let placed = venue.order("side=BUY&type=MARKET&quantity=0.001").done();
    assert_eq!(placed["status"], "NEW");
    venue.step(300);
    assert_ne!(get_order(&venue, &placed["orderId"])["executedQty"], "0.00000000");
    let venue = Venue::with(|s| s.profile = bellwether::sim::Profile::Quote);
    let ask = venue.best().1;
    let placed = venue.order("side=BUY&type=MARKET&quantity=0.001").done();
    assert_eq!((&placed["status"], cents(&placed["fills"][0]["price"])), (&json!("FILLED"), ask));
}

#[test]
fn a_purchase_gives_less_than_it_filled_where_commission_is_taken_of_it() {
    let venue = Venue::with(|s| s.commission = Commission::Received);
    let (_, ask) = venue.best();
    let (usdt, high) = (units(&json!(venue.balance("USDT").0)), price(ask + 100_000));
    let bought = venue.order(&format!("side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.01333&price={high}")).done();
    let fills = bought["fills"].as_array().expect("fills");
    assert!(fills.iter().all(|f| f["commissionAsset"] == "BTC"), "{bought}");
    // Ten basis points, rounded up to the eighth digit for each fill.
    let taken: i128 = fills.iter().map(|f| units(&f["commission"])).sum();
    let exact = fills.iter().map(|f| (units(&f["qty"]) + 999) / 1_000).sum::<i128>();
    assert_eq!(taken, exact, "{bought}");
    assert_eq!(usdt - units(&json!(venue.balance("USDT").0)), units(&bought["cummulativeQuoteQty"]));
    assert_eq!(units(&json!(venue.balance("BTC").0)), 200_000_000 + units(&bought["executedQty"]) - taken);

    // All that was filled is more than there is; what there is can be sold, and pays in quote.
    let sell = |qty: &str| venue.order(&format!("side=SELL&type=MARKET&quantity={qty}"));
    assert_eq!(sell("2.01333").refused(), (400, -2010));
    let sold = sell("2.01331").done();
    assert!(sold["fills"].as_array().expect("fills").iter().all(|f| f["commissionAsset"] == "USDT"), "{sold}");
}
