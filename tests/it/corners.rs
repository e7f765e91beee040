//! Where two rules meet: exits that pay for entries, protection beside what replaces it, ends of time and of books.

use bellwether::market::{Batch, DepthBatch, DepthHead, Kind};
use bellwether::sim::Profile;
use bellwether_sdk::{
    Bar, Bracket, Context, Decimal, Direction, InstrumentId, Intent, Interval, Level, OrderState, OrderUpdate, Price,
    Probe, Rate, Side, Signal, SizeHint, Stance, Strategy, TimeInForce, Trail, Ts,
};

use crate::desk::{Desk, bars, fills_text, price, qty, quotes, states_text};

const ID: InstrumentId = InstrumentId(0);

fn second(n: i64) -> Ts {
    Ts::from_nanos(n * 1_000_000_000)
}

#[test]
fn an_exit_pays_for_an_entry_of_the_same_open_whichever_is_printed_first() {
    for (held, wanted) in [(0, 1), (1, 0)] {
        let desk = Desk { symbols: vec!["test:AAA/USD", "test:BBB/USD"], cash: 1000, margin: None, ..Desk::default() };
        let outcome = desk.bars_of_all(&["100 100 100 100"; 2], move |n, ctx| {
            let (held, wanted) = (InstrumentId(held), InstrumentId(wanted));
            match n {
                1 => {
                    ctx.place(Intent::market(held, Side::Buy, qty(10)));
                }
                5 => {
                    ctx.place(Intent::market(wanted, Side::Buy, qty(10)));
                    ctx.place(Intent::market(held, Side::Sell, qty(10)));
                }
                _ => {}
            }
        });
        assert_eq!(states_text(&outcome), "1 filled, 2 filled, 3 filled", "{held} to {wanted}");
        assert!(outcome.fills.iter().all(|f| f.ts == f.bar_ts), "all at an open");
    }
}

/// Wishes to be long until it hears that it was taken.
#[derive(Default)]
struct Latches {
    stance: Stance,
    told: Vec<&'static str>,
}

impl Strategy for Latches {
    fn on_bar(&mut self, ctx: &mut Context<'_>, _: &Bar) {
        if self.stance.wished() != Direction::Long {
            self.stance.wish(Direction::Long);
            ctx.signal(Signal::long(ID));
        }
    }
    fn on_order(&mut self, ctx: &mut Context<'_>, update: &OrderUpdate) {
        self.stance.told(update);
        if update.state == OrderState::Rejected {
            self.told.push(update.reason);
            assert!(self.told.iter().all(|r| *r == "warm_up") && ctx.now() <= second(120), "{:?}", self.told);
        }
    }
    fn on_fill(&mut self, _: &mut Context<'_>, fill: &bellwether_sdk::Fill) {
        self.stance.filled(fill);
    }
}

#[test]
fn a_strategy_is_told_that_a_signal_of_the_warm_up_came_to_nothing() {
    let desk = Desk { warmup: 2, ..Desk::default() };
    let outcome = desk.run_strategy(
        vec![(Kind::Bars(Interval::MINUTE), Batch::Bars(bars("100 101 102 103 104")))],
        Box::<Latches>::default(),
    );
    assert_eq!(
        (outcome.signals, &*outcome.signals_dropped),
        (3, &[("warm_up".to_owned(), 2)][..]),
        "of three, two too early"
    );
    assert_eq!(fills_text(&outcome), "1 buy 1@103", "it wished again when it counted");
}

#[test]
fn an_order_that_waits_for_its_price_leaves_the_stop_where_it_is() {
    let story = |text: &str| {
        let outcome = Desk::default().bars(text, |n, ctx| match n {
            0 => ctx.signal(Signal::long(ID).stop(price(95))),
            2 => ctx.signal(Signal::short(ID).entry(price(110))),
            _ => {}
        });
        (fills_text(&outcome), states_text(&outcome))
    };
    let (fills, states) = story("100 100 100 100/100/90/90 120");
    assert_eq!(fills, "1 buy 1@100, 2 sell 1@95");
    assert_eq!(states, "1 filled, 2 filled, 3 cancelled requested", "whichever fills first ends the other");
    let (fills, states) = story("100 100 100 100/112/100/112 90");
    assert_eq!(fills, "1 buy 1@100, 3 sell 2@110");
    assert_eq!(states, "1 filled, 2 cancelled requested, 3 filled");
}

#[test]
fn protection_comes_back_for_what_is_left_when_its_replacement_is_called_off() {
    let three = SizeHint::Qty(Decimal::new(3, 0));
    let outcome = Desk::default().trades("100 100:3 100 100:1 100 80 80", move |n, ctx| match n {
        0 => ctx.signal(Signal::long(ID).size(three).stop(price(90))),
        2 => ctx.signal(Signal::flat(ID)),
        3 => ctx.signal(Signal::long(ID).size(three)),
        _ => {}
    });
    assert_eq!(fills_text(&outcome), "1 buy 3@100, 3 sell 1@100, 4 sell 2@80");
}

#[test]
fn a_trailing_stop_that_comes_back_follows_from_the_price_of_then() {
    let outcome = Desk::default().bars("100 100 150 150 150/150/139/145", |n, ctx| match n {
        0 => ctx.signal(Signal::long(ID).trailing(Trail::Offset(price(10)))),
        2 => ctx.signal(Signal::short(ID).size(SizeHint::Qty(Decimal::new(1_000_000, 0)))),
        _ => {}
    });
    assert_eq!(states_text(&outcome), "1 filled, 2 cancelled requested, 3 rejected insufficient_margin, 4 filled");
    assert_eq!(fills_text(&outcome), "1 buy 1@100, 4 sell 1@140");
}

#[test]
fn bars_beside_quotes_fill_nothing() {
    let streams = vec![
        (Kind::Quotes, Batch::Quotes(quotes("99/101:2 99/101:2"))),
        (Kind::Bars(Interval::MINUTE), Batch::Bars(bars("100/120/80/100 100/120/80/100"))),
    ];
    let outcome = Desk::default().profile(Profile::Quote).run(streams, |n, ctx| {
        if n == 0 {
            ctx.place(Intent::market(ID, Side::Buy, qty(5)));
            ctx.place(Intent::limit(ID, Side::Buy, qty(1), price(90)));
        }
    });
    assert_eq!(fills_text(&outcome), "1 buy 2@101, 1 buy 2@101");
}

#[test]
fn a_cash_account_pays_the_whole_value_of_its_contracts_once() {
    let desk =
        Desk { symbols: vec!["test:AAA/USD:USD", "test:BBB/USD:USD"], cash: 1000, margin: None, ..Desk::default() };
    let outcome = desk.bars_of_all(&["100 100 100 100 100", "50 50 50 50 50"], |n, ctx| {
        let at = |id, side, q| Intent::market(InstrumentId(id), side, qty(q));
        match n {
            1 => drop(ctx.place(at(0, Side::Buy, 10))),
            3 => drop(ctx.place(at(1, Side::Buy, 1))),
            5 => drop(ctx.place(at(0, Side::Sell, 4))),
            7 => drop(ctx.place(at(1, Side::Buy, 8))),
            _ => {}
        }
    });
    assert_eq!(states_text(&outcome), "1 filled, 2 rejected insufficient_funds, 3 filled, 4 filled");
}

#[test]
fn an_order_meets_its_open_though_a_pair_before_it_ends_there() {
    let bracket = Bracket { stop_loss: Some(price(90)), take_profit: Some(price(110)), ..Bracket::default() };
    let outcome = Desk::default().bars("100 100 100 120 130", move |n, ctx| match n {
        0 => drop(ctx.place(Intent::market(ID, Side::Buy, qty(1)).bracket(bracket))),
        2 => drop(ctx.place(Intent::market(ID, Side::Buy, qty(2)))),
        _ => {}
    });
    assert_eq!(fills_text(&outcome), "1 buy 1@100, 3 sell 1@120, 4 buy 2@120");
}

#[test]
fn an_order_that_is_good_till_a_bar_closes_meets_that_bar_and_not_the_next_open() {
    let story = |text: &str| {
        let intent = Intent::limit(ID, Side::Buy, qty(1), price(96)).tif(TimeInForce::Gtd(second(120)));
        let outcome = Desk::default().bars_with(text, 0, vec![intent]);
        (fills_text(&outcome), states_text(&outcome))
    };
    assert_eq!(story("100 100/100/95/98 98").0, "1 buy 1@96");
    assert_eq!(story("100 100/100/97/98 90"), (String::new(), "1 expired gtd".to_owned()));
}

#[test]
fn fill_or_kill_takes_several_levels_of_a_book_or_nothing() {
    let level = |side, p, q| Level { side, price: price(p), qty: qty(q) };
    let levels = vec![level(Side::Buy, 99, 5), level(Side::Sell, 100, 3), level(Side::Sell, 101, 7)];
    let head = |n: i64, levels_len| DepthHead {
        ts: second(n),
        ts_venue: Ts::NONE,
        snapshot: n == 0,
        first_id: 0,
        last_id: 0,
        prev_id: 0,
        levels_start: 0,
        levels_len,
    };
    let book = || {
        vec![(Kind::Depth, Batch::Depth(DepthBatch { heads: vec![head(0, 3), head(1, 3)], levels: levels.clone() }))]
    };
    struct Once(Option<Intent>);
    impl Strategy for Once {
        fn on_book(&mut self, ctx: &mut Context<'_>, _: &bellwether_sdk::BookView<'_>) {
            if let Some(intent) = self.0.take() {
                ctx.place(intent);
            }
        }
    }
    let story = |intent: Intent| {
        let desk = Desk::default().profile(Profile::Book);
        fills_text(&desk.run_strategy(book(), Box::new(Once(Some(intent.tif(TimeInForce::Fok))))))
    };
    let limit = |q, p| Intent::limit(ID, Side::Buy, qty(q), price(p));
    assert_eq!(story(limit(10, 101)), "1 buy 3@100, 1 buy 7@101");
    assert_eq!(story(limit(10, 100)), "");
    assert_eq!(story(limit(11, 101)), "");
    let amount = Decimal::new(400, 0);
    let notional = Intent { size: bellwether_sdk::Size::Notional { amount, close: qty(0) }, ..limit(1, 101) };
    assert_eq!(story(notional), "1 buy 3@100, 1 buy 1@101");
}

#[test]
fn a_drawdown_begins_when_the_peak_is_left_and_not_when_it_was_reached() {
    let outcome = Desk::default().bars("100 100 100 100 100 100 90 90 100 100", |n, ctx| {
        if n == 4 {
            ctx.place(Intent::market(ID, Side::Buy, qty(1)));
        }
    });
    // At the peak until the close at 6 min; below from 7 min, and back at 8:00, the open at 100.
    let minutes = outcome.drawdown.longest_ns / Interval::MINUTE.nanos();
    assert_eq!((minutes, outcome.drawdown.ts_peak), (3, second(360)), "{:?}", outcome.drawdown);
}

#[test]
fn holding_an_inverse_contract_is_counted_in_its_coin() {
    let held = |symbol: &'static str, text: &str| {
        let outcome = Desk { symbols: vec![symbol], cash: 1000, ..Desk::default() }.bars(text, |_, _| {});
        outcome.equity.last().expect("a point").buy_hold.to_text(8)
    };
    assert_eq!(held("test:AAA/USD:AAA", "100 200"), "1500");
    assert_eq!(held("test:AAA/USD:AAA", "100 50"), "0");
    assert_eq!(held("test:AAA/USD", "100 200"), "2000");
}

#[test]
fn what_fills_at_a_days_first_open_is_that_days() {
    let day = Interval::DAY.nanos();
    let mut all = bars("100 100 100 80 80");
    for (n, bar) in all.iter_mut().enumerate() {
        let shift = if n < 3 { day - 3 * Interval::MINUTE.nanos() } else { 3 * day };
        let begin = n as i64 * Interval::MINUTE.nanos() + shift - if n < 3 { 0 } else { 3 * Interval::MINUTE.nanos() };
        (bar.ts_open, bar.ts_close) = (Ts::from_nanos(begin), Ts::from_nanos(begin + Interval::MINUTE.nanos() - 1));
    }
    let streams = vec![(Kind::Bars(Interval::MINUTE), Batch::Bars(all))];
    let outcome = Desk::default().run(streams, |n, ctx| match n {
        0 => drop(ctx.place(Intent::market(ID, Side::Buy, qty(1)))),
        2 => drop(ctx.place(Intent::market(ID, Side::Sell, qty(1)))),
        _ => {}
    });
    assert_eq!(fills_text(&outcome), "1 buy 1@100, 2 sell 1@80");
    let daily: Vec<String> = outcome.daily.iter().map(|d| d.equity.to_text(8)).collect();
    assert_eq!(daily, ["1000000", "999980"]);
}

#[test]
fn a_funding_at_a_bars_close_ends_no_candle_and_no_day_before_the_bar_is_in() {
    let minute = Interval::MINUTE.nanos();
    let shift = Interval::DAY.nanos() - 3 * minute;
    let mut all = bars("100 100/100/100/110 110/120/90/120 120 120");
    for bar in &mut all {
        (bar.ts_open, bar.ts_close) = (bar.ts_open.plus(shift), bar.ts_close.plus(shift));
    }
    let midnight = Ts::from_nanos(Interval::DAY.nanos());
    let paid = bellwether_sdk::Funding {
        ts: midnight,
        rate: Rate::from_mantissa(10_000_000_000),
        mark: price(100),
        instrument: ID,
    };
    let streams = vec![(Kind::Bars(Interval::MINUTE), Batch::Bars(all)), (Kind::Funding, Batch::Funding(vec![paid]))];
    let desk = Desk { symbols: vec!["test:AAA/USD:USD"], ..Desk::default() };
    let outcome = desk.run(streams, |n, ctx| {
        if n == 0 {
            ctx.place(Intent::market(ID, Side::Buy, qty(1)));
        }
    });
    let daily: Vec<String> = outcome.daily.iter().map(|d| d.equity.to_text(8)).collect();
    assert_eq!(daily, ["1000019", "1000019"], "the last bar of the day and what settled at its end are in it");
    let candles: Vec<_> = outcome.charts[0].candles.iter().map(|c| (c.high, c.low, c.close)).collect();
    assert_eq!(candles.len(), 5, "{candles:?}");
    assert_eq!(candles[2], (price(120), price(90), price(120)));
}

#[test]
fn an_entry_ends_when_its_signal_does() {
    let signal = |until: i64| {
        let signal = Signal { expiry: Some(second(until)), ..Signal::long(ID) };
        signal.entry(price(90))
    };
    let story = |until: i64| {
        let outcome = Desk::default().bars("100 100 100 85 85", move |n, ctx| {
            if n == 0 {
                ctx.signal(signal(until));
            }
        });
        (fills_text(&outcome), states_text(&outcome))
    };
    assert_eq!(story(150), (String::new(), "1 cancelled requested".to_owned()));
    assert_eq!(story(200).0, "1 buy 1@85");
}

/// Tells the last price of whatever it is asked about.
struct Tells(Vec<Price>);

impl Strategy for Tells {
    fn on_bar(&mut self, _: &mut Context<'_>, bar: &Bar) {
        self.0[bar.instrument.index()] = bar.close;
    }
    fn observe(&self, probe: &mut Probe) {
        probe.value("close", Some(self.0[probe.instrument.index()].to_f64(2)));
    }
}

#[test]
fn every_instrument_of_a_strategy_has_its_lines_in_the_chart() {
    let desk = Desk { symbols: vec!["test:AAA/USD", "test:BBB/USD"], ..Desk::default() };
    let of = |id: u16, text: &str| {
        let bars = bars(text).into_iter().map(|bar| Bar { instrument: InstrumentId(id), ..bar });
        (id, Kind::Bars(Interval::MINUTE), Batch::Bars(bars.collect()))
    };
    let outcome = desk.run_all(vec![of(0, "1 2 3"), of(1, "7 8 9")], Box::new(Tells(vec![Price::ZERO; 2])));
    let lines: Vec<_> =
        outcome.charts.iter().map(|c| (c.width, c.series[0].name.as_str(), &c.series[0].values[..2])).collect();
    let minute = Interval::MINUTE;
    assert_eq!(lines, [(minute, "s: close", &[1.0, 2.0][..]), (minute, "s: close", &[7.0, 8.0][..])]);
}
