//! The risk guard as a user meets it: limits with their numbers, trips that stay, policies that are carried out.

use bellwether::risk::{InstrumentLimits, Limits, Policy};
use bellwether_sdk::{Context, Decimal, InstrumentId, Intent, Side};

use crate::desk::{Desk, fills_text, price, qty, states_text};

const ONE: InstrumentId = InstrumentId(0);

fn whole(n: i64) -> Option<Decimal> {
    Some(Decimal::new(n, 0))
}

fn refusals(outcome: &bellwether::engine::Outcome) -> String {
    outcome.refusals.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// Buys one at each of the first so many bars.
fn buying(times: usize) -> impl FnMut(usize, &mut Context<'_>) + Send + 'static {
    move |n, ctx| {
        if n < times {
            ctx.place(Intent::market(ONE, Side::Buy, qty(1)));
        }
    }
}

#[test]
fn orders_that_rest_count_as_if_they_had_filled() {
    let limits = Limits {
        each: InstrumentLimits { position_notional_max: whole(250), ..Default::default() },
        ..Default::default()
    };
    let run = Desk { limits, ..Desk::default() }.bars("100 100 100", |n, ctx| {
        if n == 0 {
            for _ in 0..3 {
                ctx.place(Intent::limit(ONE, Side::Buy, qty(1), price(90)));
            }
            ctx.place(Intent::limit(ONE, Side::Sell, qty(1), price(110)));
        }
    });
    // Two of 90 rest; the third could make it 270. The sell is on the other side and has its own room.
    assert_eq!(refusals(&run), "position_notional_max 1");
    assert!(states_text(&run).contains("3 rejected position_notional_max"), "{}", states_text(&run));
}

#[test]
fn a_limit_never_keeps_anybody_in_a_position() {
    let limits = Limits {
        each: InstrumentLimits {
            position_notional_max: whole(150),
            order_notional_max: whole(150),
            ..Default::default()
        },
        ..Default::default()
    };
    let run = Desk { limits, ..Desk::default() }.bars("100 100 400 400 400", |n, ctx| match n {
        0 => drop(ctx.place(Intent::market(ONE, Side::Buy, qty(1)))),
        // It is worth 400 by now, more than any limit: closing is welcome, turning round is not.
        2 => drop(ctx.place(Intent::market(ONE, Side::Sell, qty(2)))),
        3 => drop(ctx.place(Intent::market(ONE, Side::Sell, qty(1)))),
        _ => {}
    });
    assert_eq!(refusals(&run), "order_notional_max 1");
    assert_eq!(fills_text(&run), "1 buy 1.000@100.00, 3 sell 1.000@400.00");
}

#[test]
fn leverage_is_held_against_equity() {
    let each = InstrumentLimits { leverage_max: Some(Decimal::new(15, 1)), ..Default::default() };
    let limits = Limits { each, ..Default::default() };
    let run = Desk { limits, cash: 100, ..Desk::default() }.bars("100 100 100 100", buying(3));
    assert_eq!(fills_text(&run), "1 buy 1.000@100.00");
    assert_eq!(refusals(&run), "leverage_max 2");
}

#[test]
fn a_daily_loss_trips_and_stays_tripped_and_closing_is_still_allowed() {
    let limits = Limits { daily_loss_max: whole(50), ..Default::default() };
    let run = Desk { limits, ..Desk::default() }.bars("100 100 40 40 100 100 100", |n, ctx| match n {
        0 => drop(ctx.place(Intent::market(ONE, Side::Buy, qty(1)))),
        3 => drop(ctx.place(Intent::market(ONE, Side::Buy, qty(1)))),
        // The loss is made good again; the guard does not forget by itself.
        4 => drop(ctx.place(Intent::market(ONE, Side::Buy, qty(1)))),
        5 => drop(ctx.place(Intent::market(ONE, Side::Sell, qty(1)))),
        _ => {}
    });
    assert_eq!(refusals(&run), "daily_loss_max 2");
    assert_eq!(fills_text(&run), "1 buy 1.000@100.00, 4 sell 1.000@100.00");
    let note = run.notes.iter().find(|n| n.contains("the guard tripped")).expect("a note");
    assert!(note.contains("the day has lost 60.00000000, the limit is 50.00000000; stop_entries"), "{note}");
}

#[test]
fn flatten_cancels_what_is_open_and_closes_what_is_held() {
    let limits = Limits { drawdown_pct_max: whole(10), on_trip: Policy::Flatten, ..Default::default() };
    let run = Desk { limits, cash: 200, ..Desk::default() }.bars("100 100 70 70 70", |n, ctx| {
        if n == 0 {
            ctx.place(Intent::market(ONE, Side::Buy, qty(1)));
            ctx.place(Intent::limit(ONE, Side::Buy, qty(1), price(10)));
        }
    });
    // 200 fell to 170, by 15 per cent; what it holds is sold at the next open.
    assert_eq!(fills_text(&run), "1 buy 1.000@100.00, 3 sell 1.000@70.00");
    assert!(states_text(&run).contains("2 cancelled requested"), "{}", states_text(&run));
    assert_eq!(run.orders[2].role, bellwether_sdk::Role::Guard);
}

#[test]
fn losses_in_a_row_trip_and_a_win_between_them_does_not() {
    let limits = Limits { losses_in_row_max: Some(2), ..Default::default() };
    let round = |n: usize, ctx: &mut Context<'_>| {
        let side = if n % 2 == 0 { Side::Buy } else { Side::Sell };
        ctx.place(Intent::market(ONE, side, qty(1)));
    };
    let run = |text| Desk { limits: limits.clone(), ..Desk::default() }.bars(text, round);
    // Bought and sold at the opens that follow: 100 → 90, 100 → 110, 100 → 90, 100 → 90.
    let good = run("100 100 90 100 110 100 90 100 110");
    assert_eq!((refusals(&good).as_str(), good.trades.len()), ("", 4));
    let bad = run("100 100 90 100 90 100 110 100 110");
    assert_eq!((refusals(&bad).as_str(), bad.trades.len()), ("losses_in_row_max 5", 2));
}

#[test]
fn after_a_stop_out_nothing_is_opened_for_a_while() {
    let limits = Limits { cooldown_ns: 120_000_000_000, ..Default::default() };
    let run = Desk { limits, ..Desk::default() }.bars("100 100 80 80 80 80 80", |n, ctx| match n {
        0 => drop(ctx.place(Intent::market(ONE, Side::Buy, qty(1)).bracket(bellwether_sdk::Bracket { stop_loss: Some(price(90)), ..Default::default() }))),
        2 | 3 | 4 | 5 => drop(ctx.place(Intent::market(ONE, Side::Buy, qty(1)))),
        _ => {}
    });
    assert_eq!(refusals(&run), "cooldown 2", "{}", states_text(&run));
}

#[test]
fn a_price_across_the_market_is_refused_by_the_collar() {
    let rate = bellwether_sdk::Rate::from_bps(Decimal::new(100, 0)).expect("a rate");
    let limits = Limits { price_collar_max: Some(rate), ..Default::default() };
    let run = Desk { limits, ..Desk::default() }.bars("100 100 100", |n, ctx| {
        if n == 0 {
            ctx.place(Intent::limit(ONE, Side::Buy, qty(1), price(102)));
            ctx.place(Intent::limit(ONE, Side::Buy, qty(1), price(101)));
            ctx.place(Intent::limit(ONE, Side::Buy, qty(1), price(50)));
            ctx.place(Intent::limit(ONE, Side::Sell, qty(1), price(98)));
        }
    });
    assert_eq!(refusals(&run), "price_collar_max 2");
}
