//! A bracket at a spot venue, which takes one sale: the stop is there, the target is held until the market reaches it.

use bellwether::engine::{Circuit, OnHalt, Told};
use bellwether::orders::Answer;
use bellwether::risk::Limits;
use bellwether_sdk::{
    Bracket, Context, InstrumentId, Intent, Liquidity, Money, OrderId, Price, Qty, Side, Strategy, Trade, Ts,
};

use crate::guard::circuit::{at, live_of, out, trade};

const ONE: InstrumentId = InstrumentId(0);

/// Buys two once, with a stop at 90 and a target at 110.
struct Brackets {
    trades: usize,
    then: Then,
}

/// What it does at its fourth trade.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Nothing,
    Leave,
    CancelAll,
}

impl Strategy for Brackets {
    fn on_trade(&mut self, ctx: &mut Context<'_>, _: &Trade) {
        self.trades += 1;
        let (two, price) = (Qty::from_mantissa(2_000), |units: i64| Some(Price::from_mantissa(units * 100)));
        let bracket = Bracket { stop_loss: price(90), take_profit: price(110), ..Bracket::default() };
        match self.trades {
            1 => drop(ctx.place(Intent::market(ONE, Side::Buy, two).bracket(bracket))),
            4 if self.then == Then::Leave => drop(ctx.place(Intent::market(ONE, Side::Sell, two).reduce_only())),
            4 if self.then == Then::CancelAll => ctx.cancel_all(ONE),
            _ => {}
        }
    }
}

fn fill(circuit: &mut Circuit, order: u64, side: Side, units: i64, value: i64, second: i64) {
    let answer = Answer::Fill {
        order: OrderId(order),
        instrument: ONE,
        side,
        price: Price::from_mantissa(value * 100),
        qty: Qty::from_mantissa(units * 1_000),
        withheld: Qty::ZERO,
        qty_total: Qty::from_mantissa(2_000),
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
    fill(&mut circuit, 1, Side::Buy, 2, 100, 2);
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
    fill(&mut circuit, 3, Side::Sell, 2, 111, 7);
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
    fill(&mut circuit, 3, Side::Sell, 1, 110, 5);
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
    fill(&mut circuit, 2, Side::Sell, 2, 90, 4);
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
    fill(&mut circuit, 3, Side::Sell, 2, 112, 7);
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
fn a_market_order_that_fills_in_pieces_is_protected_once() {
    let begun = || {
        let strategy = Box::new(Brackets { trades: 0, then: Then::Nothing });
        let mut circuit = live_of(strategy, OnHalt::Cancel, Limits::default());
        trade(&mut circuit, 1, 100);
        assert_eq!(out(&mut circuit), "Buy 1");
        fill(&mut circuit, 1, Side::Buy, 1, 100, 2);
        assert_eq!(out(&mut circuit), "", "the rest comes in a moment");
        circuit
    };
    let stop = |circuit: &Circuit| circuit.engine().orders().get(OrderId(2)).expect("the stop").qty;
    let mut circuit = begun();
    fill(&mut circuit, 1, Side::Buy, 1, 101, 2);
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
    fill(&mut circuit, 1, Side::Buy, 1, 101, 5);
    assert_eq!(out(&mut circuit), "Sell 3");
}
