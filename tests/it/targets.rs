//! A bracket at a spot venue, which takes one sale: the stop is there, the target is held until the market reaches it.

use bellwether::engine::{Circuit, Ending, OnHalt, Told};
use bellwether::orders::Answer;
use bellwether::risk::{Limits, Policy};
use bellwether_sdk::{
    Bracket, Context, Decimal, InstrumentId, Intent, Liquidity, Money, OrderId, Price, Qty, Side, Strategy, Trade, Ts,
};

use crate::guard::circuit::{ANN, at, live_of, out, trade};

const ONE: InstrumentId = InstrumentId(0);

/// Buys two once, with a stop at 90 and a target at 110.
struct Brackets {
    trades: usize,
    then: Then,
}

/// What it does at its fourth trade, and in steps at the fifth too.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Nothing,
    Leave,
    LeaveInSteps,
    CancelAll,
}

impl Strategy for Brackets {
    fn on_trade(&mut self, ctx: &mut Context<'_>, _: &Trade) {
        self.trades += 1;
        let (one, two) = (Qty::from_mantissa(1_000), Qty::from_mantissa(2_000));
        let price = |units: i64| Some(Price::from_mantissa(units * 100));
        let sell = |qty| Intent::market(ONE, Side::Sell, qty).reduce_only();
        let bracket = Bracket { stop_loss: price(90), take_profit: price(110), ..Bracket::default() };
        match self.trades {
            1 => drop(ctx.place(Intent::market(ONE, Side::Buy, two).bracket(bracket))),
            4 if self.then == Then::Leave => drop(ctx.place(sell(two))),
            4 | 5 if self.then == Then::LeaveInSteps => drop(ctx.place(sell(one))),
            4 if self.then == Then::CancelAll => ctx.cancel_all(ONE),
            _ => {}
        }
    }
}

fn fill(circuit: &mut Circuit, order: u64, units: i64, value: i64, second: i64) {
    fill_less(circuit, order, (units * 1_000, 0), value, second);
}

/// So many thousandths fill, of which the venue keeps so many.
fn fill_less(circuit: &mut Circuit, order: u64, (qty, withheld): (i64, i64), value: i64, second: i64) {
    let record = circuit.engine().orders().get(OrderId(order)).expect("there");
    let answer = Answer::Fill {
        order: OrderId(order),
        instrument: ONE,
        side: record.side,
        price: Price::from_mantissa(value * 100),
        qty: Qty::from_mantissa(qty),
        withheld: Qty::from_mantissa(withheld),
        qty_total: record.qty,
        fee: Money::ZERO,
        liquidity: Liquidity::Taker,
        bar_ts: Ts::NONE,
    };
    circuit.tell(Told::Answer(answer, at(second))).expect("told");
}

/// A position of two, with its stop at the venue.
fn bracketed(then: Then) -> Circuit {
    let mut circuit = live_of(Box::new(Brackets { trades: 0, then }), OnHalt::Cancel, Limits::default());
    trade(&mut circuit, 1, 100);
    assert_eq!(out(&mut circuit), "Buy 1");
    fill(&mut circuit, 1, 2, 100, 2);
    assert_eq!(out(&mut circuit), "Sell 2", "the stop alone");
    circuit.tell(Told::Answer(Answer::Accepted(OrderId(2)), at(2))).expect("told");
    circuit
}

#[test]
fn the_target_is_sold_when_the_stop_has_made_room() {
    let mut circuit = bracketed(Then::Nothing);
    trade(&mut circuit, 3, 109);
    assert_eq!(out(&mut circuit), "");
    trade(&mut circuit, 4, 110);
    assert_eq!(out(&mut circuit), "cancel 2");
    trade(&mut circuit, 5, 111);
    assert_eq!(out(&mut circuit), "", "its coins are locked until the venue says otherwise");
    circuit.tell(Told::Answer(Answer::Cancelled(OrderId(2), "requested"), at(6))).expect("told");
    assert_eq!(out(&mut circuit), "Sell 3");
    fill(&mut circuit, 3, 2, 111, 7);
    assert_eq!(out(&mut circuit), "");
    trade(&mut circuit, 9, 115);
    assert_eq!(out(&mut circuit), "", "nothing is left to do");
}

#[test]
fn what_the_target_did_not_sell_has_its_stop_and_its_target_again() {
    let mut circuit = bracketed(Then::Nothing);
    trade(&mut circuit, 3, 110);
    circuit.tell(Told::Answer(Answer::Cancelled(OrderId(2), "requested"), at(4))).expect("told");
    assert_eq!(out(&mut circuit), "cancel 2, Sell 3");
    fill(&mut circuit, 3, 1, 110, 5);
    circuit.tell(Told::Answer(Answer::Expired(OrderId(3), "ioc"), at(5))).expect("told");
    assert_eq!(out(&mut circuit), "Sell 4", "the stop, for one");
    assert_eq!(circuit.engine().orders().get(OrderId(4)).expect("there").qty, Qty::from_mantissa(1_000));
    circuit.tell(Told::Answer(Answer::Accepted(OrderId(4)), at(5))).expect("told");
    trade(&mut circuit, 5, 110);
    assert_eq!(out(&mut circuit), "", "not at once");
    trade(&mut circuit, 7, 110);
    circuit.tell(Told::Answer(Answer::Cancelled(OrderId(4), "requested"), at(8))).expect("told");
    assert_eq!(out(&mut circuit), "cancel 4, Sell 5");
}

#[test]
fn a_stop_that_fills_takes_its_target_with_it() {
    let mut circuit = bracketed(Then::Nothing);
    trade(&mut circuit, 3, 110);
    assert_eq!(out(&mut circuit), "cancel 2");
    // The venue was faster than the cancel.
    fill(&mut circuit, 2, 2, 90, 4);
    trade(&mut circuit, 5, 120);
    assert_eq!(out(&mut circuit), "");
    assert!(circuit.engine().ledger().position(ONE).qty.is_zero());
}

#[test]
fn a_target_waits_while_an_exit_is_on_its_way() {
    let mut circuit = bracketed(Then::Leave);
    trade(&mut circuit, 3, 100);
    trade(&mut circuit, 4, 100);
    trade(&mut circuit, 5, 105);
    assert_eq!(out(&mut circuit), "Sell 3", "the strategy leaves");
    trade(&mut circuit, 6, 112);
    assert_eq!(out(&mut circuit), "", "one sale at a time");
    fill(&mut circuit, 3, 2, 112, 7);
    trade(&mut circuit, 8, 112);
    assert_eq!(out(&mut circuit), "cancel 2", "what protected the position has nothing left to do");
}

#[test]
fn a_target_goes_with_everything_else_that_the_strategy_cancels() {
    let mut circuit = bracketed(Then::CancelAll);
    trade(&mut circuit, 3, 100);
    trade(&mut circuit, 4, 100);
    trade(&mut circuit, 5, 105);
    assert_eq!(out(&mut circuit), "cancel 2");
    circuit.tell(Told::Answer(Answer::Cancelled(OrderId(2), "requested"), at(6))).expect("told");
    trade(&mut circuit, 7, 115);
    assert_eq!(out(&mut circuit), "", "nothing is sold, nor protected, that it does not want to be");
}

#[test]
fn what_the_venue_kept_of_a_purchase_is_neither_protected_nor_sold() {
    let mut circuit = live_of(Box::new(Brackets { trades: 0, then: Then::Leave }), OnHalt::Cancel, Limits::default());
    trade(&mut circuit, 1, 100);
    assert_eq!(out(&mut circuit), "Buy 1");
    let cash = |c: &Circuit| c.engine().ledger().cash(0).mantissa();
    let (scale, before) = (circuit.engine().money_scale(ONE), cash(&circuit));
    let money = |hundredths: i128| hundredths * 10_i128.pow(u32::from(scale) - 2);
    let bought = |qty: i64, withheld: i64, fee: i128| Answer::Fill {
        order: OrderId(1),
        instrument: ONE,
        side: Side::Buy,
        price: Price::from_mantissa(100 * 100),
        qty: Qty::from_mantissa(qty),
        withheld: Qty::from_mantissa(withheld),
        qty_total: Qty::from_mantissa(2_000),
        fee: Money::from_mantissa(money(fee)),
        liquidity: Liquidity::Taker,
        bar_ts: Ts::NONE,
    };
    // Of the first piece all stays at the venue, of the second one thousandth, each worth 10 cents.
    circuit.tell(Told::Answer(bought(1, 1, 10), at(2))).expect("told");
    circuit.tell(Told::Answer(bought(1_999, 1, 10), at(2))).expect("told");
    assert_eq!(out(&mut circuit), "Sell 2");
    let engine = circuit.engine();
    assert_eq!(engine.orders().get(OrderId(2)).expect("the stop").qty, Qty::from_mantissa(1_998));
    assert_eq!(engine.orders().get(OrderId(1)).expect("the entry").filled, Qty::from_mantissa(2_000));
    assert_eq!(engine.ledger().position(ONE).qty, Qty::from_mantissa(1_998));
    assert_eq!(before - cash(&circuit), money(200 * 100), "what was paid is the price of all of it");
    let (have, should) = engine.ledger().conservation(0);
    assert_eq!(have, should);
    // It sells the two that it ordered.
    (3..=5).for_each(|second| trade(&mut circuit, second, 100));
    assert_eq!(out(&mut circuit), "Sell 3");
    assert_eq!(circuit.engine().orders().get(OrderId(3)).expect("the exit").qty, Qty::from_mantissa(1_998));
}

#[test]
fn exits_in_steps_sell_what_came_and_no_more() {
    // So much of the first step has filled when the second is made.
    for sold in [0, 400, 1_000] {
        let strategy = Box::new(Brackets { trades: 0, then: Then::LeaveInSteps });
        let limits = Limits { covered_sales: true, ..Limits::default() };
        let mut circuit = live_of(strategy, OnHalt::Cancel, limits);
        trade(&mut circuit, 1, 100);
        fill_less(&mut circuit, 1, (2_000, 2), 100, 2);
        assert_eq!(out(&mut circuit), "Buy 1, Sell 2", "with its stop");
        (3..=5).for_each(|second| trade(&mut circuit, second, 100));
        if sold > 0 {
            fill_less(&mut circuit, 3, (sold, 0), 100, 5);
        }
        trade(&mut circuit, 6, 100);
        assert_eq!(out(&mut circuit), "Sell 3, Sell 4", "{sold} sold");
        let qty = |id| circuit.engine().orders().get(OrderId(id)).expect("a step").qty.mantissa();
        assert_eq!([qty(3), qty(4)], [1_000, 998], "{sold} sold");
    }
}

/// A market entry of which a half came: its protection waits for the rest.
fn begun(then: Then, limits: Limits) -> Circuit {
    let mut circuit = live_of(Box::new(Brackets { trades: 0, then }), OnHalt::Cancel, limits);
    trade(&mut circuit, 1, 100);
    assert_eq!(out(&mut circuit), "Buy 1");
    fill(&mut circuit, 1, 1, 100, 2);
    assert_eq!(out(&mut circuit), "", "the rest comes in a moment");
    circuit
}

#[test]
fn a_market_order_that_fills_in_pieces_is_protected_once() {
    let begun = || begun(Then::Nothing, Limits::default());
    let stop = |circuit: &Circuit| circuit.engine().orders().get(OrderId(2)).expect("the stop").qty;
    let mut circuit = begun();
    fill(&mut circuit, 1, 1, 101, 2);
    assert_eq!((out(&mut circuit).as_str(), stop(&circuit)), ("Sell 2", Qty::from_mantissa(2_000)));
    // It ends without the rest.
    let mut circuit = begun();
    circuit.tell(Told::Answer(Answer::Expired(OrderId(1), "no_liquidity"), at(2))).expect("told");
    assert_eq!((out(&mut circuit).as_str(), stop(&circuit)), ("Sell 2", Qty::from_mantissa(1_000)));
    // The rest does not come: what is there is not left alone for it.
    let mut circuit = begun();
    trade(&mut circuit, 3, 100);
    assert_eq!(out(&mut circuit), "");
    trade(&mut circuit, 4, 100);
    assert_eq!((out(&mut circuit).as_str(), stop(&circuit)), ("Sell 2", Qty::from_mantissa(1_000)));
    fill(&mut circuit, 1, 1, 101, 5);
    assert_eq!(out(&mut circuit), "Sell 3");
}

#[test]
fn nothing_is_protected_late_when_everything_was_cancelled() {
    let stop = |close| Told::Stop(at(3), Ending { cancel: true, close });
    let ways = [
        (Told::Kill(false, ANN, at(3)), "cancel 1"),
        (Told::Kill(true, ANN, at(3)), "cancel 1, Sell 2"),
        (stop(false), "cancel 1"),
        (stop(true), "cancel 1, Sell 2"),
    ];
    let late = ways.map(|(way, asked)| {
        let mut circuit = begun(Then::Nothing, Limits::default());
        circuit.tell(way).expect("told");
        assert_eq!(out(&mut circuit), asked);
        circuit.tell(Told::Answer(Answer::Cancelled(OrderId(1), "requested"), at(3))).expect("told");
        out(&mut circuit)
    });
    assert_eq!(late, [""; 4]);
}

#[test]
fn a_guard_that_closes_forgets_what_waits_for_its_protection_and_one_that_only_cancels_entries_does_not() {
    let policies = [(Policy::Flatten, "cancel 1, Sell 2", ""), (Policy::CancelAll, "cancel 1", "Sell 2")];
    for (on_trip, asked, then) in policies {
        let limits = Limits { daily_loss_max: Some(Decimal::new(50, 0)), on_trip, ..Limits::default() };
        let mut circuit = begun(Then::Nothing, limits);
        trade(&mut circuit, 3, 40);
        assert_eq!(out(&mut circuit), asked, "{on_trip:?}");
        circuit.tell(Told::Answer(Answer::Cancelled(OrderId(1), "requested"), at(3))).expect("told");
        assert_eq!(out(&mut circuit), then, "{on_trip:?}");
    }
}

#[test]
fn a_strategy_that_cancels_all_leaves_nothing_to_be_protected_late_but_what_comes_after() {
    let cancelled = || {
        let mut circuit = begun(Then::CancelAll, Limits::default());
        (0..3).for_each(|_| trade(&mut circuit, 3, 100));
        assert_eq!(out(&mut circuit), "cancel 1");
        circuit
    };
    let mut circuit = cancelled();
    circuit.tell(Told::Answer(Answer::Cancelled(OrderId(1), "requested"), at(3))).expect("told");
    trade(&mut circuit, 5, 100);
    assert_eq!(out(&mut circuit), "");
    // The venue was faster than the cancel.
    let mut circuit = cancelled();
    fill(&mut circuit, 1, 1, 100, 3);
    assert_eq!(out(&mut circuit), "Sell 2");
    assert_eq!(circuit.engine().orders().get(OrderId(2)).expect("the stop").qty, Qty::from_mantissa(1_000));
}
