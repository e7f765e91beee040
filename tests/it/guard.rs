//! The risk guard as a user meets it: limits with their numbers, trips that stay, policies that are carried out.

use std::sync::{Arc, Mutex};

use bellwether::market::{Batch, Kind};
use bellwether::risk::{Declared, InstrumentLimits, Limits, Policy};
use bellwether_sdk::{Bar, Context, Decimal, InstrumentId, Intent, Interval, OrderKinds, OrderUpdate, Side, Strategy};

use crate::desk::{Desk, bars, fills_text, price, qty, states_text};

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

/// Buys two where one is allowed, at the second bar; asks again whenever it hears that the order never left.
struct Insists {
    bars: usize,
    asks_again: bool,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Strategy for Insists {
    fn on_bar(&mut self, ctx: &mut Context<'_>, _: &Bar) {
        self.bars += 1;
        self.heard.lock().expect("a list").push(format!("bar {}", self.bars));
        if self.bars == 2 {
            ctx.place(Intent::market(ONE, Side::Buy, qty(2)));
        }
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, update: &OrderUpdate) {
        let words = format!("{} {} {}", update.order.0, update.state.name(), update.reason);
        self.heard.lock().expect("a list").push(words);
        if self.asks_again {
            ctx.place(Intent::market(ONE, Side::Buy, qty(2)));
        }
    }
}

/// What it hears, and how the run ended.
fn insisting(asks_again: bool) -> (Vec<String>, bellwether::engine::Outcome) {
    let each = InstrumentLimits { position_notional_max: whole(150), ..Default::default() };
    let limits = Limits { each, ..Default::default() };
    let heard = Arc::new(Mutex::new(Vec::new()));
    let strategy = Box::new(Insists { bars: 0, asks_again, heard: Arc::clone(&heard) });
    let streams = vec![(Kind::Bars(Interval::MINUTE), Batch::Bars(bars("100 100 100")))];
    let run = Desk { limits, ..Desk::default() }.run_strategy(streams, strategy);
    let heard = std::mem::take(&mut *heard.lock().expect("a list"));
    (heard, run)
}

#[test]
fn a_strategy_hears_that_its_order_was_refused_before_the_next_event() {
    let (heard, run) = insisting(false);
    assert_eq!(heard, ["bar 1", "bar 2", "1 rejected refused_by_guard", "bar 3"]);
    assert_eq!(refusals(&run), "position_notional_max 1");
    // One that never gives up is not heard for ever.
    let (heard, run) = insisting(true);
    assert_eq!(heard.len(), 10_002);
    assert_eq!(run.halts[0].reason, "more than 10000 orders at one time");
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
    assert_eq!(fills_text(&run), "1 buy 1@100, 3 sell 1@400");
}

#[test]
fn a_strategy_is_held_to_what_it_declares_and_may_always_get_out() {
    let declared = Declared {
        instruments: vec![ONE],
        orders: OrderKinds { market: true, ..OrderKinds::NONE },
        order_notional_max: whole(150),
    };
    let limits = Limits { declared: vec![declared.clone()], ..Default::default() };
    let run = |limits| {
        Desk { limits, ..Desk::default() }.bars("100 100 100 100 100", |n, ctx| match n {
            0 => drop(ctx.place(Intent::market(ONE, Side::Buy, qty(1)))),
            1 => drop(ctx.place(Intent::market(ONE, Side::Buy, qty(2)))),
            2 => drop(ctx.place(Intent::limit(ONE, Side::Buy, qty(1), price(100)))),
            // A limit order that it does not declare either; but it only gets out.
            3 => drop(ctx.place(Intent::limit(ONE, Side::Sell, qty(1), price(90)))),
            _ => {}
        })
    };
    let held = run(limits);
    assert_eq!(refusals(&held), "declared_notional_max 1, kind_undeclared 1");
    assert_eq!(fills_text(&held), "1 buy 1@100, 4 sell 1@100");
    let elsewhere = Declared { instruments: vec![InstrumentId(7)], ..declared };
    let other = run(Limits { declared: vec![elsewhere], ..Default::default() });
    assert_eq!(refusals(&other), "instrument_undeclared 4");
    // What one strategy declares binds no other.
    let open = run(Limits { declared: Vec::new(), ..Default::default() });
    assert_eq!(refusals(&open), "");
}

#[test]
fn leverage_is_held_against_equity() {
    let each = InstrumentLimits { leverage_max: Some(Decimal::new(15, 1)), ..Default::default() };
    let limits = Limits { each, ..Default::default() };
    let run = Desk { limits, cash: 100, ..Desk::default() }.bars("100 100 100 100", buying(3));
    assert_eq!(fills_text(&run), "1 buy 1@100");
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
    assert_eq!(fills_text(&run), "1 buy 1@100, 4 sell 1@100");
    let note = run.notes.iter().find(|n| n.contains("the guard tripped")).expect("a note");
    assert!(note.contains("the day has lost 60, the limit is 50; stop_entries"), "{note}");
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
    assert_eq!(fills_text(&run), "1 buy 1@100, 3 sell 1@70");
    assert!(states_text(&run).contains("2 cancelled requested"), "{}", states_text(&run));
    assert_eq!(run.orders[2].role, bellwether_sdk::Role::Guard);
}

#[test]
fn flatten_closes_in_pieces_where_the_venue_takes_no_order_of_the_whole() {
    let limits = Limits { drawdown_pct_max: whole(10), on_trip: Policy::Flatten, ..Default::default() };
    let desk = Desk { limits, cash: 500, rules: |it| it.qty_max_market = qty(1), ..Desk::default() };
    let run = desk.bars("100 100 70 70 70", |n, ctx| {
        if n == 0 {
            ctx.place(Intent::limit(ONE, Side::Buy, qty(2), price(100)));
        }
    });
    assert_eq!(fills_text(&run), "1 buy 2@100, 2 sell 1@70, 3 sell 1@70");
}

#[test]
fn losses_in_a_row_trip_and_a_win_between_them_does_not() {
    let limits = Limits { losses_in_row_max: Some(2), ..Default::default() };
    let round = |n: usize, ctx: &mut Context<'_>| {
        let side = if n.is_multiple_of(2) { Side::Buy } else { Side::Sell };
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
    // The stop is hit at the open of the third bar, two minutes in; the fourth minute is free again.
    let limits = Limits { cooldown_ns: 120_000_000_000, ..Default::default() };
    let run = Desk { limits, ..Desk::default() }.bars("100 100 80 80 80 80 80", |n, ctx| match n {
        0 => drop(
            ctx.place(
                Intent::market(ONE, Side::Buy, qty(1))
                    .bracket(bellwether_sdk::Bracket { stop_loss: Some(price(90)), ..Default::default() }),
            ),
        ),
        2..=5 => drop(ctx.place(Intent::market(ONE, Side::Buy, qty(1)))),
        _ => {}
    });
    assert_eq!(refusals(&run), "cooldown 1", "{}", states_text(&run));
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

pub mod circuit {
    //! The guard in a session: what it is told from outside, and what goes on the tape.

    use bellwether::engine::{
        Circuit, Command, Engine, EngineConfig, Event, Input, OnHalt, Passed, Person, SlotConfig, Told,
    };
    use bellwether::market::Currency;
    use bellwether::orders::Answer;
    use bellwether::portfolio::{Ledger, Terms};
    use bellwether::risk::{Guard, GuardAct, Hold};
    use bellwether::signal::Sizer;
    use bellwether_sdk::{
        AccountKind, Aggressor, Instrument, Interval, Liquidity, Money, OrderId, Strategy, Trade, Ts,
    };

    use super::*;

    /// Buys one three seconds after each trade.
    struct BuysLater;

    impl Strategy for BuysLater {
        fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
            ctx.timer(trade.ts.plus(3_000_000_000), 1);
        }

        fn on_timer(&mut self, ctx: &mut Context<'_>, _: u64) {
            ctx.place(Intent::market(ONE, Side::Buy, qty(1)));
        }
    }

    /// Buys one at every trade.
    struct Buys;

    impl Strategy for Buys {
        fn on_trade(&mut self, ctx: &mut Context<'_>, _: &Trade) {
            ctx.place(Intent::market(ONE, Side::Buy, qty(1)));
        }
    }

    pub fn live(limits: Limits) -> Circuit {
        live_of(Box::new(Buys), OnHalt::Cancel, limits)
    }

    /// With a strategy of one's own.
    pub fn live_of(strategy: Box<dyn Strategy>, on_halt: OnHalt, limits: Limits) -> Circuit {
        let instrument = Instrument::inferred(ONE, "test:AAA/USD".parse().expect("a symbol"), 2, 3);
        let terms = Terms::new(&instrument, 0, 8).expect("terms");
        Circuit::live(Engine::new(EngineConfig {
            instruments: vec![instrument],
            currencies: vec![Currency { code: "USD".to_owned(), scale: 8 }],
            ledger: Ledger::new(vec![terms], vec![Money::from_mantissa(1_000 * 100_000_000)], 0),
            account: AccountKind::Margin,
            slots: vec![SlotConfig {
                id: "s".to_owned(),
                strategy,
                instruments: vec![ONE],
                input: Input { trades: true, ..Input::default() },
                sizer: Sizer::Qty(Decimal::new(1, 0)),
                on_halt,
            }],
            guard: Guard::new(limits),
            warmup: 0,
            chart_width: Interval::MINUTE,
            build: Vec::new(),
            bars_of_stream: vec![None],
        }))
    }

    pub fn at(second: i64) -> Ts {
        Ts::from_nanos(second * 1_000_000_000)
    }

    pub fn trade(circuit: &mut Circuit, second: i64, value: i64) {
        let trade = Trade {
            ts: at(second),
            ts_venue: Ts::NONE,
            price: price(value),
            qty: qty(1),
            instrument: ONE,
            aggressor: Aggressor::Unknown,
        };
        circuit.tell(Told::Market(Event::Trade(&trade))).expect("told");
    }

    /// What goes out: `order 1`, `cancel 1`.
    pub fn out(circuit: &mut Circuit) -> String {
        let words = circuit.outgoing().into_iter().map(|command| match command {
            Command::Submit(order) => format!("{:?} {}", order.get().side, order.get().id.0),
            Command::Cancel(id, _) => format!("cancel {}", id.0),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    pub fn fill(circuit: &mut Circuit, id: u64, second: i64, value: i64) {
        let order = circuit.engine().orders().get(OrderId(id)).expect("there").side;
        let answer = Answer::Fill {
            order: OrderId(id),
            instrument: ONE,
            side: order,
            price: price(value),
            qty: qty(1),
            withheld: bellwether_sdk::Qty::ZERO,
            qty_total: qty(1),
            fee: Money::ZERO,
            liquidity: Liquidity::Taker,
            bar_ts: Ts::NONE,
        };
        circuit.tell(Told::Answer(answer, at(second))).expect("told");
    }

    pub const ANN: Person<'static> = Person { operator: "ann", reason: "drill" };

    #[test]
    fn the_kill_switch_cancels_and_closes_and_only_a_person_opens_the_door_again() {
        let mut circuit = live(Limits::default());
        trade(&mut circuit, 1, 100);
        fill(&mut circuit, 1, 1, 100);
        trade(&mut circuit, 2, 100);
        assert_eq!(out(&mut circuit), "Buy 1, Buy 2");
        circuit.tell(Told::Kill(true, ANN, at(3))).expect("told");
        assert_eq!(out(&mut circuit), "cancel 2, Sell 3");
        trade(&mut circuit, 4, 100);
        assert_eq!(out(&mut circuit), "", "an entry left, or the position was closed twice");
        // The venue refuses the first try: another follows.
        circuit.tell(Told::Answer(Answer::Rejected(OrderId(3), "transient"), at(5))).expect("told");
        assert_eq!(out(&mut circuit), "Sell 5");
        fill(&mut circuit, 5, 6, 100);
        circuit.tell(Told::Arm(ANN, at(7))).expect("told");
        trade(&mut circuit, 8, 100);
        assert_eq!(out(&mut circuit), "Buy 6");
    }

    #[test]
    fn it_warns_at_four_fifths_trips_with_the_numbers_and_measures_anew_when_armed() {
        let mut circuit = live(Limits { daily_loss_max: whole(50), ..Limits::default() });
        trade(&mut circuit, 1, 100);
        fill(&mut circuit, 1, 1, 100);
        let mut acts = Vec::new();
        for (second, value) in [(2, 61), (3, 59), (4, 58), (5, 49), (6, 40)] {
            trade(&mut circuit, second, value);
            let journal = std::mem::take(circuit.journal());
            acts.extend(journal.into_iter().filter_map(|p| match p {
                Passed::Guard(GuardAct::Warned(level)) => Some(format!("{second}: warned {}", level.used_text())),
                Passed::Guard(GuardAct::Tripped(cause, _)) => Some(format!("{second}: {cause}")),
                _ => None,
            }));
        }
        let text = "the day has lost 51, the limit is 50";
        assert_eq!(acts, ["3: warned 41".to_owned(), format!("5: {text}")]);
        circuit.tell(Told::Arm(ANN, at(7))).expect("told");
        let _ = out(&mut circuit);
        trade(&mut circuit, 8, 39);
        assert!(out(&mut circuit).starts_with("Buy"), "it tripped again at once");
    }

    /// A session on a day whose earlier ones made so much; it may lose fifty.
    fn after_earlier(made: i64) -> Circuit {
        let mut circuit = live(Limits { daily_loss_max: whole(50), ..Limits::default() });
        let unit = 10i128.pow(u32::from(circuit.engine().account().scale));
        circuit.tell(Told::Earlier(Money::from_mantissa(i128::from(made) * unit), at(1))).expect("told");
        circuit
    }

    fn is_tripped(circuit: &Circuit) -> bool {
        circuit.engine().guard().is_tripped()
    }

    #[test]
    fn what_earlier_sessions_of_the_day_lost_counts_to_its_loss() {
        let mut circuit = after_earlier(-45);
        trade(&mut circuit, 2, 100);
        fill(&mut circuit, 1, 2, 100);
        trade(&mut circuit, 3, 96);
        assert!(!is_tripped(&circuit));
        trade(&mut circuit, 4, 95);
        let (cause, _) = circuit.engine().guard().tripped().expect("tripped");
        assert_eq!(cause.to_string(), "the day has lost 50, the limit is 50");
        // What they won is room, as within one session.
        let mut circuit = after_earlier(10);
        trade(&mut circuit, 2, 100);
        fill(&mut circuit, 1, 2, 100);
        trade(&mut circuit, 3, 45);
        assert!(!is_tripped(&circuit));
        trade(&mut circuit, 4, 40);
        assert!(is_tripped(&circuit));
        assert!(is_tripped(&after_earlier(-50)), "before any order");
    }

    #[test]
    fn what_earlier_sessions_lost_counts_no_more_after_midnight_nor_when_a_person_has_armed() {
        let mut circuit = after_earlier(-45);
        trade(&mut circuit, 2, 100);
        fill(&mut circuit, 1, 2, 100);
        trade(&mut circuit, 86_401, 60);
        assert!(!is_tripped(&circuit));
        let mut circuit = after_earlier(-45);
        circuit.tell(Told::Arm(ANN, at(2))).expect("told");
        trade(&mut circuit, 3, 100);
        fill(&mut circuit, 1, 3, 100);
        trade(&mut circuit, 4, 60);
        assert!(!is_tripped(&circuit));
        trade(&mut circuit, 5, 50);
        assert!(is_tripped(&circuit));
    }

    #[test]
    fn a_hold_goes_when_its_cause_is_gone() {
        let mut circuit = live(Limits::default());
        circuit.tell(Told::Hold(Hold::Account, true, at(1))).expect("told");
        trade(&mut circuit, 2, 100);
        assert_eq!(out(&mut circuit), "");
        circuit.tell(Told::Hold(Hold::Account, false, at(3))).expect("told");
        trade(&mut circuit, 4, 100);
        assert_eq!(out(&mut circuit), "Buy 2");
    }

    #[test]
    fn what_cannot_be_is_refused_and_counted_and_changes_nothing() {
        let mut circuit = live(Limits::default());
        trade(&mut circuit, 1, 100);
        circuit.tell(Told::Answer(Answer::Cancelled(OrderId(1), "requested"), at(2))).expect("told");
        for answer in [Answer::Accepted(OrderId(1)), Answer::Expired(OrderId(1), "gtd"), Answer::Accepted(OrderId(9))] {
            circuit.tell(Told::Answer(answer, at(3))).expect("told");
        }
        let engine = circuit.engine();
        assert_eq!(engine.impossible_answers(), 3);
        let record = engine.orders().get(OrderId(1)).expect("there");
        assert_eq!(record.state, bellwether_sdk::OrderState::Cancelled);
    }

    #[test]
    fn too_many_unknown_outcomes_and_an_old_price_hold_entries_back() {
        let limits = Limits { unknown_orders_max: Some(0), price_age_ns_max: Some(5_000_000_000), ..Limits::default() };
        let mut circuit = live(limits);
        trade(&mut circuit, 1, 100);
        circuit.tell(Told::Answer(Answer::Unknown(OrderId(1)), at(2))).expect("told");
        trade(&mut circuit, 3, 100);
        assert_eq!(out(&mut circuit), "Buy 1");
        circuit.tell(Told::Answer(Answer::Accepted(OrderId(1)), at(4))).expect("told");
        trade(&mut circuit, 5, 100);
        assert_eq!(out(&mut circuit), "Buy 3");
    }

    #[test]
    fn a_timer_that_fires_late_is_judged_by_the_time_at_which_it_fires() {
        let limits = Limits { price_age_ns_max: Some(5_000_000_000), ..Limits::default() };
        let mut circuit = live_of(Box::new(BuysLater), OnHalt::Cancel, limits);
        trade(&mut circuit, 1, 100);
        circuit.tell(Told::Clock(at(4))).expect("told");
        assert_eq!(out(&mut circuit), "Buy 1", "the price is three seconds old");
        trade(&mut circuit, 5, 100);
        // Nothing is heard for an hour; the first that comes then is no new price.
        circuit.tell(Told::Hold(Hold::ClockSkew, false, at(3_605))).expect("told");
        assert_eq!(out(&mut circuit), "");
        let record = circuit.engine().orders().get(OrderId(2)).expect("there");
        assert_eq!(record.state, bellwether_sdk::OrderState::Rejected);
    }

    /// Buys two and sells them by turns, at every trade.
    struct Rounds(u64);

    impl Strategy for Rounds {
        fn on_trade(&mut self, ctx: &mut Context<'_>, _: &Trade) {
            let side = if self.0.is_multiple_of(2) { Side::Buy } else { Side::Sell };
            self.0 += 1;
            ctx.place(Intent::market(ONE, side, qty(2)));
        }
    }

    #[test]
    fn an_order_that_fills_in_pieces_is_one_loss_in_a_row() {
        let limits = Limits { losses_in_row_max: Some(2), ..Limits::default() };
        let mut circuit = live_of(Box::new(Rounds(0)), OnHalt::Cancel, limits);
        // Of two: so many halves fill, and what is left of it is cancelled.
        let fills = |circuit: &mut Circuit, id: u64, second: i64, value: i64, halves: usize| {
            let side = circuit.engine().orders().get(OrderId(id)).expect("there").side;
            for _ in 0..halves {
                let half = bellwether_sdk::Qty::from_mantissa(qty(1).mantissa() / 2);
                let answer = Answer::Fill {
                    order: OrderId(id),
                    instrument: ONE,
                    side,
                    price: price(value),
                    qty: half,
                    withheld: bellwether_sdk::Qty::ZERO,
                    qty_total: qty(2),
                    fee: Money::ZERO,
                    liquidity: Liquidity::Taker,
                    bar_ts: Ts::NONE,
                };
                circuit.tell(Told::Answer(answer, at(second))).expect("told");
            }
            if halves < 4 {
                circuit.tell(Told::Answer(Answer::Cancelled(OrderId(id), "requested"), at(second))).expect("told");
            }
        };
        for (id, value, halves) in [(1, 100, 4), (2, 90, 4)] {
            trade(&mut circuit, 1, value);
            fills(&mut circuit, id, 1, value, halves);
        }
        assert!(!circuit.engine().guard().is_tripped(), "four pieces of one order are one loss");
        for (id, value, halves) in [(3, 100, 4), (4, 90, 3)] {
            assert!(!circuit.engine().guard().is_tripped());
            trade(&mut circuit, 2, value);
            fills(&mut circuit, id, 2, value, halves);
        }
        assert!(circuit.engine().guard().is_tripped(), "the second ended with a loss too, though not wholly filled");
    }
}

#[test]
fn at_a_venue_a_spot_sale_is_covered_by_the_position_or_refused() {
    let limits = Limits { covered_sales: true, ..Limits::default() };
    let run = Desk { limits, ..Desk::default() }.bars("100 100 100 100 100", |n, ctx| {
        let sale = |q| Intent::market(ONE, Side::Sell, qty(q)).reduce_only();
        match n {
            0 => drop(ctx.place(sale(5))),
            1 => drop(ctx.place(Intent::market(ONE, Side::Buy, qty(2)))),
            3 => {
                ctx.place(Intent::limit(ONE, Side::Sell, qty(2), price(200)));
                ctx.place(sale(2));
            }
            _ => {}
        }
    });
    assert_eq!(refusals(&run), "insufficient_position 2");
    let states = states_text(&run);
    assert!(states.starts_with("1 rejected insufficient_position, 2 filled, 3 acknowledged, 4 rejected"), "{states}");
}

#[test]
fn an_order_is_valued_at_the_price_at_which_it_is_worth_most() {
    let each = InstrumentLimits { order_notional_max: whole(150), ..Default::default() };
    let limits = Limits { each, ..Limits::default() };
    let run = Desk { limits, ..Desk::default() }.bars("100 100 100", |n, ctx| {
        let stop = |side, trigger| Intent::stop(ONE, side, qty(2), price(trigger));
        let stop_limit = |trigger, limit| Intent {
            kind: bellwether_sdk::OrderKind::StopLimit { trigger: price(trigger), price: price(limit) },
            ..stop(Side::Buy, trigger)
        };
        if n == 0 {
            ctx.place(Intent::limit(ONE, Side::Sell, qty(2), price(1)));
            ctx.place(stop(Side::Buy, 1));
            ctx.place(stop_limit(1, 200));
            ctx.place(stop(Side::Sell, 70));
            ctx.place(Intent::limit(ONE, Side::Buy, qty(2), price(70)));
        }
    });
    let states = states_text(&run);
    assert_eq!(refusals(&run), "order_notional_max 3", "{states}");
    assert!(states.contains("4 acknowledged, 5 acknowledged"), "{states}");
}
