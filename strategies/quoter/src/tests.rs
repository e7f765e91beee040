//! Golden quotes on text ticks.

use bellwether_sdk::testing::{Desk, price, qty};
use bellwether_sdk::{OrderId, Outbox, OwnView, ParamValues, Ts, View};

use super::*;

fn quoter(settings: &[(&str, &str)]) -> Quoter {
    let all =
        [("qty", "1"), ("half_spread_bps", "100"), ("skew_bps", "10"), ("requote_bps", "20"), ("inventory_max", "2")];
    let all = all.iter().chain(settings);
    let values: ParamValues = all.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Quoter::new(QuoterParams::from_values(&values).expect("values")).expect("a strategy")
}

fn desk() -> Desk<Quoter> {
    Desk::new(quoter(&[]))
}

/// Tells the strategy what became of an order.
fn answer(desk: &mut Desk<Quoter>, order: u64, state: OrderState) {
    answer_for(desk, order, state, "");
}

fn answer_for(desk: &mut Desk<Quoter>, order: u64, state: OrderState, reason: &'static str) {
    let (view, own, mut out) = (View::default(), OwnView::default(), Outbox::default());
    let (instrument, ts) = (InstrumentId(0), Ts::from_nanos(0));
    let mut ctx = Context::new(ts, instrument, &view, &own, &mut out);
    let update = OrderUpdate { order: OrderId(order), instrument, ts, state, reason };
    desk.strategy.on_order(&mut ctx, &update);
}

#[test]
fn it_rests_one_post_only_order_on_either_side_of_the_middle() {
    let desk = desk().quotes("99.9/100.1 99.9/100.1");
    assert_eq!(desk.story(), "1:buy-1@99/post 1:sell-1@101/post");
    assert!(desk.intents().iter().all(|i| i.post_only));
    assert_eq!(desk.strategy.account(), AccountKind::Margin);
}

#[test]
fn it_moves_an_order_only_when_off_by_more_than_the_slack_and_after_the_cancel() {
    let mut desk = desk().quotes("99.9/100.1 100/100.2 100.9/101.1 100.9/101.1");
    assert_eq!(desk.story(), "1:buy-1@99/post 1:sell-1@101/post 3:cancel-1 3:cancel-2");
    answer(&mut desk, 1, OrderState::Cancelled);
    let desk = desk.quotes("100.9/101.1");
    assert_eq!(desk.story(), "1:buy-1@99/post 1:sell-1@101/post 3:cancel-1 3:cancel-2 5:buy-1@99.99/post");
}

#[test]
fn a_fill_leans_the_prices_and_the_side_is_quoted_again() {
    let mut desk = desk().quotes("99.9/100.1");
    desk.fill(OrderId(1));
    // One held: the fair price is 99.9, so it bids 98.901 and the offer at 101 is within 20 bp of 100.899.
    assert_eq!(desk.quotes("99.9/100.1").story(), "1:buy-1@99/post 1:sell-1@101/post 2:buy-1@98.901/post");
}

#[test]
fn at_the_most_it_may_hold_it_does_not_bid() {
    let mut desk = desk().quotes("99.9/100.1");
    desk.own.positions[0].qty = qty("2");
    // The bid that rests is taken away, too.
    let desk = desk.quotes("99.9/100.1");
    assert!(desk.story().contains("2:cancel-1"), "{}", desk.story());
    assert_eq!(desk.intents().iter().filter(|i| i.side == Side::Buy).count(), 1);
}

#[test]
fn long_only_offers_what_it_holds() {
    let mut desk = Desk::new(quoter(&[("mode", "long-only")])).quotes("99.9/100.1");
    assert_eq!(desk.story(), "1:buy-1@99/post");
    desk.own.positions[0].qty = qty("0.4");
    assert_eq!(desk.quotes("99.9/100.1").story(), "1:buy-1@99/post 2:sell-0.4@100.9596/post");
}

#[test]
fn it_never_quotes_across_the_market() {
    let desk = Desk::new(quoter(&[("half_spread_bps", "0"), ("skew_bps", "0")])).quotes("100/100.000001");
    let [bid, ask] =
        [Side::Buy, Side::Sell].map(|side| desk.own.orders.iter().find(|o| o.side == side).map(|o| o.price));
    assert_eq!((bid, ask), (Some(price("100")), Some(price("100.000001"))));
}

#[test]
fn a_refused_price_is_not_tried_again_until_it_moves() {
    let mut desk = desk().trades("100");
    answer(&mut desk, 1, OrderState::Rejected);
    let desk = desk.trades("100 100.1 101");
    assert_eq!(desk.story(), "1:buy-1@99/post 1:sell-1@101/post 4:buy-1@99.99/post 4:cancel-2");
}

#[test]
fn a_price_that_only_a_warm_up_refused_is_tried_again_at_once() {
    let mut desk = desk().trades("100");
    answer_for(&mut desk, 1, OrderState::Rejected, "warm_up");
    assert_eq!(desk.trades("100").story(), "1:buy-1@99/post 1:sell-1@101/post 2:buy-1@99/post");
}

#[test]
fn trades_do_not_move_it_once_quotes_are_known() {
    assert_eq!(desk().quotes("99.9/100.1").trades("150").story(), "1:buy-1@99/post 1:sell-1@101/post");
    let (bids, asks) = ([(price("99.9"), qty("1"))], [(price("100.1"), qty("1"))]);
    let mut desk = desk();
    desk.book(&BookView { ts: Ts::from_nanos(1), instrument: InstrumentId(0), bids: &bids, asks: &asks });
    assert_eq!(desk.story(), "1:buy-1@99/post 1:sell-1@101/post");
}

#[test]
fn a_restored_state_knows_its_orders() {
    let saved = desk().quotes("99.9/100.1").strategy.save();
    let mut strategy = quoter(&[]);
    strategy.restore(&saved).expect("the state");
    assert_eq!(Desk::new(strategy).quotes("99.9/100.1").story(), "");
    assert!(quoter(&[]).restore(&saved[..3]).is_err());
}
