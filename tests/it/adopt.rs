//! What others left at the venue is taken into the books: the engine's side.

use bellwether::engine::{Adopted, Adoption, Circuit, Ending, Told};
use bellwether::orders::Answer;
use bellwether::risk::Limits;
use bellwether_sdk::{
    InstrumentId, Liquidity, Money, OrderId, OrderKind, OrderState, Price, Qty, Side, TimeInForce, Ts,
};

use crate::guard::circuit::{ANN, at, live, out, trade};

const ONE: InstrumentId = InstrumentId(0);

fn qty(units: i64) -> Qty {
    Qty::from_mantissa(units * 1_000)
}

fn price(units: i64) -> Price {
    Price::from_mantissa(units * 100)
}

/// Takes over `what`, of five units, as the next order.
fn adopt(circuit: &mut Circuit, strategy: Option<&str>, side: Side, what: Adopted, second: i64) -> OrderId {
    let order = circuit.engine().next_order();
    let adoption = Adoption {
        order,
        strategy: strategy.map(str::to_owned),
        instrument: ONE,
        side,
        qty: qty(5),
        what,
        operator: "ann".to_owned(),
        reason: "mine".to_owned(),
    };
    circuit.tell(Told::Adopt(&adoption, at(second))).expect("told");
    order
}

fn resting(limit: i64) -> Adopted {
    Adopted::Order {
        venue_id: "x1".to_owned(),
        client_id: "by hand".to_owned(),
        kind: OrderKind::Limit { price: price(limit) },
        tif: TimeInForce::Gtc,
        before: qty(2),
        seen: vec!["t1".to_owned()],
        since: at(1),
    }
}

fn fills(circuit: &mut Circuit, order: OrderId, units: i64, value: i64, second: i64) {
    let answer = Answer::Fill {
        order,
        instrument: ONE,
        side: Side::Buy,
        price: price(value),
        qty: qty(units),
        withheld: Qty::ZERO,
        qty_total: qty(5),
        fee: Money::ZERO,
        liquidity: Liquidity::Maker,
        bar_ts: Ts::NONE,
    };
    circuit.tell(Told::Answer(answer, at(second))).expect("told");
}

#[test]
fn an_order_of_no_strategy_is_open_fills_once_and_goes_with_the_kill_switch() {
    let mut circuit = live(Limits::default());
    let order = adopt(&mut circuit, None, Side::Buy, resting(90), 1);
    assert_eq!(out(&mut circuit), "", "nothing is sent for it");
    assert_eq!(circuit.engine().strategy_ids(), ["s", "house"]);
    let open: Vec<_> = circuit.engine().open_orders().map(|o| (o.id, o.state, o.qty_left)).collect();
    assert_eq!(open, [(order, OrderState::Acknowledged, qty(5))]);
    fills(&mut circuit, order, 2, 90, 2);
    assert_eq!(circuit.engine().ledger().position(ONE).qty, qty(2));
    circuit.tell(Told::Kill(true, ANN, at(3))).expect("told");
    // What it bought is closed with everything else: it is the account's.
    assert_eq!(out(&mut circuit), format!("cancel {}, Sell 2", order.0));
}

#[test]
fn at_the_end_it_is_cancelled_or_kept_as_the_others_are() {
    for cancel in [true, false] {
        let mut circuit = live(Limits::default());
        let order = adopt(&mut circuit, None, Side::Buy, resting(90), 1);
        circuit.tell(Told::Stop(at(2), Ending { cancel, close: false })).expect("told");
        let sent = if cancel { format!("cancel {}", order.0) } else { String::new() };
        assert_eq!(out(&mut circuit), sent);
    }
}

#[test]
fn a_limit_neither_refuses_it_nor_forgets_it() {
    let mut circuit = live(Limits { total_open_orders_max: Some(1), ..Limits::default() });
    let order = adopt(&mut circuit, Some("s"), Side::Buy, resting(90), 1);
    assert_eq!(circuit.engine().orders().get(order).expect("there").state, OrderState::Acknowledged);
    trade(&mut circuit, 2, 100);
    assert_eq!(out(&mut circuit), "", "the strategy's own order would be the second open one");
    circuit.tell(Told::Answer(Answer::Cancelled(order, "requested"), at(3))).expect("told");
    trade(&mut circuit, 4, 100);
    assert_eq!(out(&mut circuit), "Buy 3");
}

#[test]
fn a_position_is_booked_at_the_venues_price_without_fee_and_cash_stays() {
    let mut circuit = live(Limits::default());
    trade(&mut circuit, 1, 100);
    let _ = out(&mut circuit);
    let before = circuit.engine().ledger().conservation(0);
    let order = adopt(&mut circuit, Some("s"), Side::Sell, Adopted::Position { entry: price(120) }, 2);
    let engine = circuit.engine();
    let position = engine.ledger().position(ONE);
    assert_eq!((position.qty, position.mark), (qty(-5), price(100)), "marked at the market, not at its entry");
    let record = engine.orders().get(order).expect("there");
    assert_eq!((record.state, record.filled), (OrderState::Filled, qty(5)));
    assert_eq!(engine.ledger().fees(0), Money::ZERO);
    let after = engine.ledger().conservation(0);
    assert_eq!((before.0 == before.1, after.0 == after.1), (true, true));
}

#[test]
fn a_number_that_is_not_the_next_is_not_believed() {
    let mut circuit = live(Limits::default());
    let order = adopt(&mut circuit, None, Side::Buy, resting(90), 1);
    let wrong = Adoption {
        order,
        strategy: None,
        instrument: ONE,
        side: Side::Buy,
        qty: qty(1),
        what: resting(80),
        operator: String::new(),
        reason: String::new(),
    };
    circuit.tell(Told::Adopt(&wrong, at(2))).expect("told");
    assert_eq!(circuit.engine().open_orders().count(), 1);
}
