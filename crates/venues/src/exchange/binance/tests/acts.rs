//! Acts as requests and messages, and their answers.

use bellwether_sdk::{Rate, Trail};

use super::*;
use crate::exchange::{Act, Amend, Cancel, Fault, OrderRef, OrderStatus};

const ID: &str = "000000000000abcd0000000000000007";
const STOP_ID: &str = "000000000000abcd8000000000000007";

/// What an act becomes: method, target, weight; or the class of its refusal.
fn said(venue: &Binance, act: &Act) -> String {
    match venue.act(act, &listings(venue.facts().product)) {
        Ok(r) => {
            assert!(r.signed && r.write && r.body.is_empty());
            format!("{} {}", r.method.name(), r.target())
        }
        Err(e) => e.fault.name().to_owned(),
    }
}

fn placed(change: impl Fn(&mut Order)) -> (String, String) {
    let act = Act::Place(place(change));
    (said(&spot(), &act), said(&futures(), &act))
}

#[test]
fn orders_become_these_requests() {
    let spot_head =
        |side: &str, kind: &str| format!("POST /api/v3/order?symbol=BTCUSDT&side={side}&type={kind}&quantity=0.5");
    let head =
        |side: &str, kind: &str| format!("POST /fapi/v1/order?symbol=BTCUSDT&side={side}&type={kind}&quantity=0.5");
    let algo = |kind: &str| {
        format!("POST /fapi/v1/algoOrder?algoType=CONDITIONAL&symbol=BTCUSDT&side=BUY&type={kind}&quantity=0.5")
    };
    let end = format!("&newClientOrderId={ID}&newOrderRespType=RESULT");
    let spot_stop_end = format!("&newClientOrderId={STOP_ID}&newOrderRespType=RESULT");
    let algo_end = format!("&clientAlgoId={STOP_ID}");
    let no = || "unsupported".to_owned();
    let price = Price::from_mantissa(10_025);
    let trigger = Price::from_mantissa(9_000);
    let trail = |ppm: i64| OrderKind::TrailingStop { trail: Trail::Fraction(Rate::from_mantissa(ppm * 1_000_000)) };

    let limit = placed(|_| {});
    assert_eq!(limit.0, format!("{}&timeInForce=GTC&price=100.25{end}", spot_head("BUY", "LIMIT")));
    assert_eq!(limit.1, format!("{}&timeInForce=GTC&price=100.25{end}", head("BUY", "LIMIT")));

    let market = placed(|o| {
        o.kind = OrderKind::Market;
        o.side = Side::Sell;
        o.reduce_only = true;
    });
    assert_eq!(market.0, format!("{}{end}", spot_head("SELL", "MARKET")));
    assert_eq!(market.1, format!("{}&reduceOnly=true{end}", head("SELL", "MARKET")));

    let maker = placed(|o| o.post_only = true);
    assert_eq!(maker.0, format!("{}&price=100.25{end}", spot_head("BUY", "LIMIT_MAKER")));
    assert_eq!(maker.1, format!("{}&timeInForce=GTX&price=100.25{end}", head("BUY", "LIMIT")));

    let till = placed(|o| o.tif = TimeInForce::Gtd(Ts::from_millis(1_700_000_000_999)));
    assert_eq!(till.0, no());
    assert_eq!(
        till.1,
        format!("{}&timeInForce=GTD&price=100.25&goodTillDate=1700000000000{end}", head("BUY", "LIMIT"))
    );

    let stop = placed(|o| o.kind = STOP);
    assert_eq!(stop.0, format!("{}&stopPrice=90{spot_stop_end}", spot_head("BUY", "STOP_LOSS")));
    assert_eq!(stop.1, format!("{}&triggerPrice=90{algo_end}", algo("STOP_MARKET")));

    let stop_limit = placed(|o| {
        o.kind = OrderKind::StopLimit { trigger, price };
        o.tif = TimeInForce::Ioc;
    });
    assert_eq!(
        stop_limit.0,
        format!("{}&timeInForce=IOC&price=100.25&stopPrice=90{spot_stop_end}", spot_head("BUY", "STOP_LOSS_LIMIT"))
    );
    assert_eq!(stop_limit.1, format!("{}&timeInForce=IOC&price=100.25&triggerPrice=90{algo_end}", algo("STOP")));

    let trailing = placed(|o| o.kind = trail(15_000));
    assert_eq!(trailing.0, format!("{}&trailingDelta=150{spot_stop_end}", spot_head("BUY", "STOP_LOSS")));
    assert_eq!(trailing.1, format!("{}&callbackRate=1.5{algo_end}", algo("TRAILING_STOP_MARKET")));
}

#[test]
fn what_cannot_be_said_is_not_sent() {
    let both = ("unsupported".to_owned(), "unsupported".to_owned());
    let offset = OrderKind::TrailingStop { trail: Trail::Offset(Price::from_mantissa(5)) };
    let far = OrderKind::TrailingStop { trail: Trail::Fraction(Rate::from_mantissa(200_000_000_010)) };
    let till = TimeInForce::Gtd(Ts::from_millis(9));
    assert_eq!(placed(|o| (o.post_only, o.tif) = (true, TimeInForce::Ioc)), both);
    assert_eq!(placed(|o| (o.post_only, o.kind) = (true, OrderKind::Market)), both);
    assert_eq!(placed(|o| (o.post_only, o.kind) = (true, STOP)), both);
    assert_eq!(placed(|o| (o.kind, o.tif) = (OrderKind::Market, TimeInForce::Fok)), both);
    assert_eq!(placed(|o| (o.kind, o.tif) = (STOP, till)), both);
    assert_eq!(placed(|o| o.kind = offset), both);
    assert_eq!(placed(|o| o.kind = far), both);
    assert_eq!(placed(|o| o.reduce_only = true).0, "unsupported", "spot has nothing to buy back");
    let mut unmarked = place(|o| o.kind = STOP);
    unmarked.client = ClientId { session: 1, number: 1 };
    assert_eq!(said(&futures(), &Act::Place(unmarked)), "unsupported");
    let mut unlisted = place(|_| {});
    unlisted.order = super::approved(Order { instrument: InstrumentId(9), ..unlisted.order.into_inner() });
    assert_eq!(said(&spot(), &Act::Place(unlisted)), "rejected");
}

fn ours(kind: &OrderKind) -> OrderRef {
    OrderRef::Client(ClientId::of(0xabcd, 7, kind))
}

fn theirs(id: &str) -> OrderRef {
    OrderRef::Venue(id.to_owned())
}

#[test]
fn cancels_and_amends_become_these_requests() {
    let cancel = |order| Act::Cancel(Cancel { instrument: BTC, order });
    let amend = |order, price: Option<i64>, qty: Option<i64>| {
        let (price, qty) = (price.map(Price::from_mantissa), qty.map(Qty::from_mantissa));
        Act::Amend(Amend { instrument: BTC, order, side: Side::Sell, price, qty })
    };
    let market = OrderKind::Market;
    let no = "unsupported";
    for (act, on_spot, on_futures) in [
        (
            cancel(ours(&market)),
            format!("DELETE /api/v3/order?symbol=BTCUSDT&origClientOrderId={ID}"),
            format!("DELETE /fapi/v1/order?symbol=BTCUSDT&origClientOrderId={ID}"),
        ),
        (
            cancel(ours(&STOP)),
            format!("DELETE /api/v3/order?symbol=BTCUSDT&origClientOrderId={STOP_ID}"),
            format!("DELETE /fapi/v1/algoOrder?clientAlgoId={STOP_ID}"),
        ),
        (
            cancel(theirs("algo-5")),
            "DELETE /api/v3/order?symbol=BTCUSDT&orderId=5".to_owned(),
            "DELETE /fapi/v1/algoOrder?algoId=5".to_owned(),
        ),
        (cancel(theirs("five")), "rejected".to_owned(), "rejected".to_owned()),
        (
            amend(ours(&market), None, Some(25_000_000)),
            format!(
                "PUT /api/v3/order/amend/keepPriority?symbol=BTCUSDT&origClientOrderId={ID}&newClientOrderId={ID}&newQty=0.25"
            ),
            no.to_owned(),
        ),
        (amend(theirs("5"), None, Some(25_000_000)), no.to_owned(), no.to_owned()),
        (
            amend(theirs("5"), Some(9_999), Some(25_000_000)),
            no.to_owned(),
            "PUT /fapi/v1/order?symbol=BTCUSDT&orderId=5&side=SELL&quantity=0.25&price=99.99".to_owned(),
        ),
        (amend(ours(&STOP), Some(1), Some(1)), no.to_owned(), no.to_owned()),
        (
            Act::CancelAll(BTC),
            "DELETE /api/v3/openOrders?symbol=BTCUSDT".to_owned(),
            "DELETE /fapi/v1/allOpenOrders?symbol=BTCUSDT".to_owned(),
        ),
        (Act::CancelAllConditional(BTC), no.to_owned(), "DELETE /fapi/v1/algoOpenOrders?symbol=BTCUSDT".to_owned()),
        (
            Act::CancelReplace(Cancel { instrument: BTC, order: theirs("5") }, place(|_| {})),
            format!(
                "POST /api/v3/order/cancelReplace?symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.5&timeInForce=GTC&price=100.25&newClientOrderId={ID}&newOrderRespType=RESULT&cancelReplaceMode=STOP_ON_FAILURE&cancelOrderId=5"
            ),
            no.to_owned(),
        ),
    ] {
        assert_eq!(said(&spot(), &act), on_spot, "{act:?}");
        assert_eq!(said(&futures(), &act), on_futures, "{act:?}");
    }
}

#[test]
fn batches_are_for_futures_and_for_plain_orders() {
    let row = format!(
        r#"{{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","quantity":"0.5","timeInForce":"GTC","price":"100.25","newClientOrderId":"{ID}","newOrderRespType":"RESULT"}}"#
    );
    let request =
        futures().act(&Act::PlaceMany(vec![place(|_| {}); 2]), &listings(Product::Linear)).expect("a request");
    let mut encoded = String::new();
    super::super::params::encode(&format!("[{row},{row}]"), &mut encoded);
    assert_eq!(request.target(), format!("/fapi/v1/batchOrders?batchOrders={encoded}"));
    for act in [
        Act::PlaceMany(vec![place(|_| {}); 6]),
        Act::PlaceMany(Vec::new()),
        Act::PlaceMany(vec![place(|o| o.kind = STOP)]),
        Act::CancelMany(vec![Cancel { instrument: BTC, order: ours(&STOP) }]),
        Act::CancelMany(vec![
            Cancel { instrument: BTC, order: ours(&OrderKind::Market) },
            Cancel { instrument: BTC, order: theirs("5") },
        ]),
    ] {
        assert_eq!(said(&futures(), &act), "unsupported", "{act:?}");
        assert_eq!(said(&spot(), &act), "unsupported", "{act:?}");
    }
    let cancels = ["5", "6"].map(|id| Cancel { instrument: BTC, order: theirs(id) }).to_vec();
    assert_eq!(
        said(&futures(), &Act::CancelMany(cancels)),
        "DELETE /fapi/v1/batchOrders?symbol=BTCUSDT&orderIdList=%5B5%2C6%5D"
    );
}

fn answer(venue: &Binance, act: &Act, status: u16, body: &str) -> Result<Vec<crate::exchange::ActReply>, Fault> {
    venue.act_reply(act, &response(status, body), &listings(venue.facts().product)).map_err(|e| e.fault)
}

#[test]
fn an_order_taken_is_known_by_its_ids_and_state() {
    let act = Act::Place(place(|_| {}));
    let body = format!(
        r#"{{"symbol":"BTCUSDT","orderId":28,"orderListId":-1,"clientOrderId":"{ID}","transactTime":1,"origQty":"0.5","executedQty":"0.20000000","status":"PARTIALLY_FILLED","newField":null}}"#
    );
    let [reply] = answer(&spot(), &act, 200, &body).expect("taken").try_into().expect("one");
    assert_eq!((reply.venue_id.as_str(), reply.status), ("28", OrderStatus::PartlyFilled));
    assert_eq!(reply.client, Some(ClientId { session: 0xabcd, number: 7 }));
    assert_eq!((reply.filled, reply.refused), (Some(Qty::from_mantissa(20_000_000)), None));
    // Nothing but the ids: taken, no more is known.
    let bare = format!(r#"{{"symbol":"BTCUSDT","orderId":28,"clientOrderId":"{ID}"}}"#);
    assert_eq!(answer(&spot(), &act, 200, &bare).expect("taken")[0].status, OrderStatus::Acknowledged);
    // Taken, but in words that are not understood: the order may be alive.
    for body in ["", "{}", "<html>", "[1]", "[{}]", "[[]]", r#"{"orderId":{}}"#, &bare[..20]] {
        assert_eq!(answer(&spot(), &act, 200, body), Err(Fault::Unknown), "{body}");
    }
    let stop = Act::Place(place(|o| o.kind = STOP));
    let body = format!(r#"{{"algoId":5,"clientAlgoId":"{STOP_ID}","symbol":"BTCUSDT","algoStatus":"NEW"}}"#);
    let reply = &answer(&futures(), &stop, 200, &body).expect("taken")[0];
    assert_eq!((reply.venue_id.as_str(), reply.status), ("algo-5", OrderStatus::Acknowledged));
    assert!(reply.client.expect("ours").is_conditional());
}

#[test]
fn a_cancel_is_answered_with_the_orders_own_id() {
    let act = Act::Cancel(Cancel { instrument: BTC, order: theirs("4") });
    let body = format!(
        r#"{{"symbol":"BTCUSDT","origClientOrderId":"{ID}","orderId":4,"clientOrderId":"of-the-request","executedQty":"0.1","status":"CANCELED"}}"#
    );
    let reply = &answer(&spot(), &act, 200, &body).expect("cancelled")[0];
    assert_eq!(reply.client, Some(ClientId { session: 0xabcd, number: 7 }));
    assert_eq!((reply.status, reply.filled), (OrderStatus::Cancelled, Some(Qty::from_mantissa(10_000_000))));
    let algo = Act::Cancel(Cancel { instrument: BTC, order: theirs("algo-4") });
    let body = r#"{"algoId":4,"clientAlgoId":"c","code":"200","msg":"success"}"#;
    let reply = &answer(&futures(), &algo, 200, body).expect("cancelled")[0];
    assert_eq!((reply.venue_id.as_str(), reply.status), ("algo-4", OrderStatus::Cancelled));
}

#[test]
fn cancel_all_answers_with_what_was_cancelled() {
    let act = Act::CancelAll(BTC);
    let body = r#"[{"symbol":"BTCUSDT","orderId":4,"status":"CANCELED","executedQty":"0"},
        {"orderListId":9,"symbol":"BTCUSDT","orderReports":[{"symbol":"BTCUSDT","orderId":5,"status":"CANCELED","executedQty":"0"}]}]"#;
    let ids: Vec<_> = answer(&spot(), &act, 200, body).expect("done").into_iter().map(|r| r.venue_id).collect();
    assert_eq!(ids, ["4", "5"]);
    assert_eq!(answer(&futures(), &act, 200, r#"{"code":200,"msg":"done"}"#), Ok(Vec::new()));
    let none = r#"{"code":-2011,"msg":"Unknown order sent."}"#;
    assert_eq!(answer(&spot(), &act, 400, none), Ok(Vec::new()), "nothing was open");
}

#[test]
fn a_batch_is_answered_one_by_one() {
    let act = Act::PlaceMany(vec![place(|_| {}); 2]);
    let body = r#"[{"symbol":"BTCUSDT","orderId":4,"clientOrderId":"x","status":"NEW","executedQty":"0"},{"code":-2022,"msg":"ReduceOnly Order is rejected."}]"#;
    let [taken, refused] = answer(&futures(), &act, 200, body).expect("read").try_into().expect("two");
    assert_eq!((taken.status, taken.refused), (OrderStatus::Acknowledged, None));
    assert_eq!(refused.refused.map(|e| (e.fault, e.reason)), Some((Fault::Rejected, "reduce_only")));
}

#[test]
fn a_cancel_replace_says_what_became_of_each_half() {
    let act = Act::CancelReplace(Cancel { instrument: BTC, order: theirs("5") }, place(|_| {}));
    let cancelled = r#"{"symbol":"BTCUSDT","orderId":5,"origClientOrderId":"a","status":"CANCELED","executedQty":"0"}"#;
    let placed = r#"{"symbol":"BTCUSDT","orderId":6,"clientOrderId":"b","status":"NEW","executedQty":"0"}"#;
    let both = format!(
        r#"{{"cancelResult":"SUCCESS","newOrderResult":"SUCCESS","cancelResponse":{cancelled},"newOrderResponse":{placed}}}"#
    );
    let statuses =
        |r: Vec<crate::exchange::ActReply>| r.iter().map(|r| (r.status, r.venue_id.clone())).collect::<Vec<_>>();
    let got = answer(&spot(), &act, 200, &both).map(statuses);
    assert_eq!(got, Ok(vec![(OrderStatus::Cancelled, "5".to_owned()), (OrderStatus::Acknowledged, "6".to_owned())]));
    let half = format!(
        r#"{{"code":-2021,"msg":"Order cancel-replace partially failed.","data":{{"cancelResult":"SUCCESS","newOrderResult":"FAILURE","cancelResponse":{cancelled},"newOrderResponse":{{"code":-2010,"msg":"Order would immediately match and take."}}}}}}"#
    );
    let [cancel, place] = answer(&spot(), &act, 409, &half).expect("read").try_into().expect("two");
    assert_eq!((cancel.status, cancel.refused), (OrderStatus::Cancelled, None));
    assert_eq!(place.refused.map(|e| e.reason), Some("post_only_would_take"));
    let none = r#"{"code":-2022,"msg":"Order cancel-replace failed.","data":{"cancelResult":"FAILURE","newOrderResult":"NOT_ATTEMPTED","cancelResponse":{"code":-2011,"msg":"Unknown order sent."},"newOrderResponse":null}}"#;
    let [cancel, place] = answer(&spot(), &act, 400, none).expect("read").try_into().expect("two");
    assert_eq!(cancel.refused.map(|e| e.reason), Some("unknown_order"));
    assert_eq!(place.refused.map(|e| e.fault), Some(Fault::Rejected));
    // Failed in part, and which part is not said.
    let silent = r#"{"code":-2021,"msg":"Order cancel-replace partially failed."}"#;
    assert_eq!(answer(&spot(), &act, 409, silent), Err(Fault::Unknown));
}

#[test]
fn an_amend_answers_with_the_amended_order() {
    let act = Act::Cancel(Cancel { instrument: BTC, order: theirs("5") });
    let body = format!(
        r#"{{"transactTime":1,"executionId":60,"amendedOrder":{{"symbol":"BTCUSDT","orderId":23,"origClientOrderId":"{ID}","clientOrderId":"{ID}","qty":"5","executedQty":"0","status":"NEW"}}}}"#
    );
    let reply = &answer(&spot(), &act, 200, &body).expect("amended")[0];
    assert_eq!((reply.venue_id.as_str(), reply.status), ("23", OrderStatus::Acknowledged));
}

#[test]
fn the_dead_mans_switch_counts_down_for_each_contract_and_spot_has_none() {
    let asked = futures().cancel_after(30_000, &listings(Product::Linear));
    let of_btc = asked.iter().find(|r| r.query.contains("symbol=BTCUSDT")).expect("one of BTC");
    assert_eq!((of_btc.path.as_str(), of_btc.signed), ("/fapi/v1/countdownCancelAll", true));
    assert_eq!(of_btc.query, "symbol=BTCUSDT&countdownTime=30000");
    assert_eq!(spot().cancel_after(30_000, &listings(Product::Spot)), []);
}
