//! Order kinds, times in force and refusals, told as journals.

use bellwether::engine::Outcome;
use bellwether::report::{Document, Provenance, terminal};
use bellwether::risk::{InstrumentLimits, Limits};
use bellwether::sim::{Profile, SlippageModel};
use bellwether_sdk::{
    Bracket, Context, Decimal, Instrument, InstrumentId, Intent, Interval, OrderKind, Rate, Role, Side, Size,
    TimeInForce, Trail, Ts,
};

use crate::desk::{Desk, fills_text, price, qty, states_text};

const ID: InstrumentId = InstrumentId(0);

#[test]
fn a_market_order_fills_over_several_trades_up_to_their_size() {
    let outcome = Desk::default().trades("100 100:1 101:1 102:5", |n, ctx| {
        if n == 0 {
            ctx.place(Intent::market(ID, Side::Buy, qty(3)));
        }
    });
    assert_eq!(fills_text(&outcome), "1 buy 1@100, 1 buy 1@101, 1 buy 1@102");
}

#[test]
fn a_resting_limit_fills_only_when_traded_through() {
    let outcome = Desk::default().trades("100 99 98:2 97:2 97", |n, ctx| {
        if n == 0 {
            ctx.place(Intent::limit(ID, Side::Buy, qty(3), price(98)));
        }
    });
    assert_eq!(fills_text(&outcome), "1 buy 2@98, 1 buy 1@98");
}

#[test]
fn a_quote_fills_up_to_its_size_and_not_twice() {
    let outcome = Desk::default().quotes("99/101:2 99/101:2 99/102:2", |n, ctx| {
        if n == 0 {
            ctx.place(Intent::market(ID, Side::Buy, qty(5)));
        }
    });
    assert_eq!(fills_text(&outcome), "1 buy 2@101, 1 buy 2@101, 1 buy 1@102");
}

#[test]
fn post_only_that_would_take_is_refused() {
    let outcome = Desk::default().quotes("99/101 99/101", |n, ctx| {
        if n == 0 {
            ctx.place(Intent::limit(ID, Side::Buy, qty(1), price(101)).post_only());
            ctx.place(Intent::limit(ID, Side::Buy, qty(1), price(100)).post_only());
        }
    });
    assert_eq!(states_text(&outcome), "1 rejected post_only_would_take, 2 acknowledged");
}

#[test]
fn ioc_takes_what_is_there_and_fok_all_or_nothing() {
    let outcome = Desk::default().quotes("99/101:2 99/101:2", |n, ctx| {
        if n == 0 {
            ctx.place(Intent::limit(ID, Side::Buy, qty(3), price(101)).tif(TimeInForce::Fok));
            ctx.place(Intent::limit(ID, Side::Buy, qty(3), price(101)).tif(TimeInForce::Ioc));
            ctx.place(Intent::limit(ID, Side::Buy, qty(3), price(100)).tif(TimeInForce::Ioc));
        }
    });
    assert_eq!(fills_text(&outcome), "2 buy 2@101");
    assert_eq!(states_text(&outcome), "1 expired fok, 2 expired ioc, 3 expired ioc");
}

#[test]
fn an_order_that_came_to_nothing_is_counted_once() {
    let each = InstrumentLimits { order_notional_max: Some(Decimal::new(500, 0)), ..Default::default() };
    let limits = Limits { each, ..Limits::default() };
    let outcome = Desk { limits, ..Desk::default() }.quotes("99/101:2 99/101:2", |n, ctx| {
        if n == 0 {
            ctx.place(Intent::limit(ID, Side::Buy, qty(1), price(101)));
            ctx.place(Intent::limit(ID, Side::Buy, qty(1), price(101)).post_only());
            ctx.place(Intent::limit(ID, Side::Buy, qty(1), price(100)).tif(TimeInForce::Ioc));
            ctx.place(Intent::limit(ID, Side::Buy, qty(6), price(100)));
        }
    });
    let run = Document::new(&outcome, &Provenance::default());
    let refused: u64 = run.refusals.iter().map(|r| r.count).sum();
    let ended: u64 = run.order_ends.iter().filter(|e| e.state != "rejected").map(|e| e.count).sum();
    let all: u64 = run.order_ends.iter().map(|e| e.count).sum();
    assert_eq!((refused, ended, all, run.orders.len()), (2, 1, 3, 4), "{:?}", run.refusals);
    let page = terminal::render(&run, terminal::Terminal::default());
    assert!(!page.lines().any(|l| l.contains("refused") && l.contains("ioc")), "nobody refused it: {page}");
    assert!(page.lines().any(|l| l.trim_start().starts_with("expired") && l.contains("ioc")), "{page}");
}

#[test]
fn gtd_ends_at_its_time() {
    let outcome = Desk::default().quotes("99/101 99/101 99/101 99/90", |n, ctx| {
        if n == 0 {
            let until = TimeInForce::Gtd(Ts::from_nanos(2_000_000_000));
            ctx.place(Intent::limit(ID, Side::Buy, qty(1), price(95)).tif(until));
        }
    });
    assert_eq!(states_text(&outcome), "1 expired gtd");
    assert_eq!(outcome.orders[0].ts_done, Ts::from_nanos(2_000_000_000));
}

#[test]
fn reduce_only_never_makes_a_position() {
    let outcome = Desk::default().bars("100 100 100 100", |n, ctx| match n {
        0 => {
            ctx.place(Intent::market(ID, Side::Sell, qty(1)).reduce_only());
        }
        1 => {
            ctx.place(Intent::market(ID, Side::Buy, qty(2)));
        }
        2 => {
            ctx.place(Intent::market(ID, Side::Sell, qty(5)).reduce_only());
        }
        _ => {}
    });
    assert_eq!(states_text(&outcome), "1 cancelled nothing_to_reduce, 2 filled, 3 filled");
    assert_eq!(fills_text(&outcome), "2 buy 2@100, 3 sell 2@100");
}

#[test]
fn a_stop_limit_waits_when_the_bar_may_have_met_its_limit_first() {
    let stop_limit = |limit: i64| Intent {
        kind: OrderKind::StopLimit { trigger: price(105), price: price(limit) },
        ..Intent::market(ID, Side::Buy, qty(1))
    };
    let clear = Desk::default().bars_with("100 100/106/100/103 104", 0, vec![stop_limit(106)]);
    assert_eq!(fills_text(&clear), "1 buy 1@105");
    let unclear = Desk::default().bars_with("100 100/106/100/103 104/104/103/104", 0, vec![stop_limit(104)]);
    assert_eq!(fills_text(&unclear), "1 buy 1@104");
    assert_eq!(unclear.fills[0].bar_ts, Ts::from_nanos(2 * 60_000_000_000));
}

#[test]
fn a_trailing_stop_follows_and_never_goes_back() {
    let trail = OrderKind::TrailingStop { trail: Trail::Offset(price(5)) };
    let outcome = Desk::default().bars("100 100 100/110/100/110 110/112/108/109 108/108/106/106", move |n, ctx| {
        if n == 0 {
            ctx.place(Intent::market(ID, Side::Buy, qty(1)));
        }
        if n == 1 {
            ctx.place(Intent { kind: trail, ..Intent::market(ID, Side::Sell, qty(1)).reduce_only() });
        }
    });
    assert_eq!(fills_text(&outcome), "1 buy 1@100, 2 sell 1@107");
    assert_eq!(outcome.trades[0].exit_reason.name(), "intent");
}

#[test]
fn one_protective_order_cancels_the_other() {
    let bracket = Bracket { stop_loss: Some(price(90)), take_profit: Some(price(110)), trailing_stop: None };
    let entry = Intent::market(ID, Side::Buy, qty(2)).bracket(bracket);
    let outcome = Desk::default().bars_with("100 100 100/111/99/105 90/90/80/80", 0, vec![entry]);
    assert_eq!(fills_text(&outcome), "1 buy 2@100, 3 sell 2@110");
    assert_eq!(states_text(&outcome), "1 filled, 2 cancelled oco, 3 filled");
    assert_eq!(outcome.trades[0].exit_reason.name(), "take_profit");
}

#[test]
fn a_reversal_is_one_order_and_two_trades() {
    let outcome = Desk { close_at_end: true, ..Desk::default() }.bars("100 100 110 105", |n, ctx| match n {
        0 => {
            ctx.place(Intent::market(ID, Side::Buy, qty(1)));
        }
        1 => {
            ctx.place(Intent::market(ID, Side::Sell, qty(2)));
        }
        _ => {}
    });
    assert_eq!(fills_text(&outcome), "1 buy 1@100, 2 sell 2@110, 3 buy 1@105");
    let trades: Vec<_> = outcome.trades.iter().map(|t| (t.pnl.to_text(8), t.exit_reason.name())).collect();
    assert_eq!(trades, [("10".to_owned(), "intent"), ("5".to_owned(), "end_of_data")]);
}

#[test]
fn a_notional_is_sized_at_the_fill_fee_included() {
    let size = Size::Notional { amount: Decimal::new(1000, 0), close: qty(0) };
    let outcome = Desk { fee_bps: 10, ..Desk::default() }.bars_with(
        "100 100 100",
        0,
        vec![Intent { size, ..Intent::market(ID, Side::Buy, qty(0)) }],
    );
    assert_eq!(fills_text(&outcome), "1 buy 9.99@100");
    assert_eq!(outcome.fees.to_text(8), "0.999");
}

#[test]
fn a_cash_account_neither_borrows_nor_shorts() {
    let outcome = Desk { margin: None, cash: 150, ..Desk::default() }.bars("100 100 100 100", |n, ctx| match n {
        0 => {
            ctx.place(Intent::market(ID, Side::Sell, qty(1)));
        }
        1 => {
            ctx.place(Intent::market(ID, Side::Buy, qty(2)));
        }
        2 => {
            ctx.place(Intent::market(ID, Side::Buy, qty(1)));
        }
        _ => {}
    });
    assert_eq!(states_text(&outcome), "1 rejected insufficient_position, 2 rejected insufficient_funds, 3 filled");
    assert_eq!(outcome.refusals, [("insufficient_funds".to_owned(), 1), ("insufficient_position".to_owned(), 1)]);
}

#[test]
fn leverage_is_limited_and_a_losing_account_is_liquidated() {
    let desk = |symbol| Desk { symbols: vec![symbol], cash: 100, margin: Some((2, 5)), ..Desk::default() };
    for symbol in ["test:AAA/USD", "test:AAA/USD:USD"] {
        let outcome = desk(symbol).bars("100 100 100/101/40/45 45", |n, ctx| {
            if n == 0 {
                ctx.place(Intent::market(ID, Side::Buy, qty(3)));
                ctx.place(Intent::market(ID, Side::Buy, qty(2)));
            }
        });
        // Two at 100 on 100 of cash: equity 2p − 100 falls below 5 % of 2p at p = 52.63.
        assert_eq!(fills_text(&outcome), "2 buy 2@100, 3 sell 2@52.63", "{symbol}");
        assert_eq!(states_text(&outcome), "1 rejected insufficient_margin, 2 filled, 3 filled");
        assert_eq!(outcome.trades[0].exit_reason.name(), "liquidation");
        assert_eq!(outcome.end_equity.to_text(8), "5.26");
    }
}

#[test]
fn slippage_is_against_the_trader_and_within_the_limit() {
    let fraction = SlippageModel::Fraction(Rate::from_bps(Decimal::new(100, 0)).expect("a rate"));
    let desk = || Desk { slippage: fraction, ..Desk::default() };
    let outcome = desk().bars_with(
        "100 100",
        0,
        vec![Intent::market(ID, Side::Buy, qty(1)), Intent::market(ID, Side::Sell, qty(1))],
    );
    assert_eq!(fills_text(&outcome), "1 buy 1@101, 2 sell 1@99");
    let ticks = Desk { slippage: SlippageModel::Ticks(3), ..Desk::default() };
    let outcome = ticks.quotes("99/101", |n, ctx| {
        if n == 0 {
            ctx.place(Intent::limit(ID, Side::Buy, qty(1), bellwether_sdk::Price::from_mantissa(10_102)));
        }
    });
    assert_eq!(fills_text(&outcome), "1 buy 1@101.02");
}

#[test]
fn a_price_of_too_many_digits_is_refused_as_at_the_venue() {
    let desk = Desk { symbols: vec!["hyperliquid:AAA/USDC:USDC"], ..Desk::default() };
    let limit = |mantissa| Intent::limit(ID, Side::Buy, qty(1), bellwether_sdk::Price::from_mantissa(mantissa));
    // 1000.51 has six significant digits, 1000.5 five, and 999.51 five.
    let outcome = desk.bars_with("1000 1000", 0, vec![limit(100_051), limit(100_050), limit(99_951)]);
    assert_eq!(states_text(&outcome), "1 rejected price_off_tick, 2 filled, 3 acknowledged");
}

#[test]
fn latency_makes_an_order_late() {
    let late = Desk { latency_ns: 1_500_000_000, ..Desk::default() };
    let outcome = late.quotes("99/101 99/102 99/103 99/104", |n, ctx| {
        if n == 0 {
            ctx.place(Intent::market(ID, Side::Buy, qty(1)));
        }
    });
    assert_eq!(fills_text(&outcome), "1 buy 1@102");
    assert_eq!(outcome.fills[0].ts, Ts::from_nanos(1_500_000_000));
}

#[test]
fn risk_refuses_with_a_reason_that_is_counted() {
    let each = InstrumentLimits { order_notional_max: Some(Decimal::new(150, 0)), ..Default::default() };
    let limits = Limits { each, ..Limits::default() };
    let outcome = Desk { limits, ..Desk::default() }.bars("100 100 100", |n, ctx| {
        if n == 0 {
            ctx.place(Intent::market(ID, Side::Buy, qty(2)));
            ctx.place(Intent::market(ID, Side::Buy, qty(1)));
        }
    });
    assert_eq!(states_text(&outcome), "1 rejected order_notional_max, 2 filled");
}

#[test]
fn warm_up_hears_but_does_not_act() {
    let outcome = Desk { warmup: 2, ..Desk::default() }.bars("100 101 102 103 104", |_, ctx| {
        ctx.place(Intent::market(ID, Side::Buy, qty(1)));
    });
    assert_eq!(outcome.orders.len(), 3);
    assert_eq!((outcome.signals, outcome.signals_dropped), (0, vec![("order_in_warm_up".to_owned(), 2)]));
}

#[test]
fn an_order_of_the_last_bar_stays_open() {
    let outcome =
        Desk::default().profile(Profile::NextOpen).bars_with("100 101", 1, vec![Intent::market(ID, Side::Buy, qty(1))]);
    assert_eq!(states_text(&outcome), "1 acknowledged");
}

/// What two runs over the same events must share to be the same run.
fn assert_same(calm: &Outcome, usual: &Outcome) {
    assert_eq!(calm.order_hash, usual.order_hash);
    assert_eq!(calm.end_equity, usual.end_equity);
    assert_eq!((calm.events, calm.exposed_ns), (usual.events, usual.exposed_ns));
    let curve = |o: &Outcome| o.equity.iter().map(|p| (p.ts, p.equity, p.equity_min, p.buy_hold)).collect::<Vec<_>>();
    assert_eq!(curve(calm), curve(usual));
    let days = |o: &Outcome| o.daily.iter().map(|d| (d.day, d.equity)).collect::<Vec<_>>();
    assert_eq!(days(calm), days(usual));
    let drawdown = |o: &Outcome| {
        let d = o.drawdown;
        (d.fraction, d.peak, d.trough, d.ts_peak, d.ts_trough, d.longest_ns)
    };
    assert_eq!(drawdown(calm), drawdown(usual));
    let candles = |o: &Outcome| {
        o.charts[0].candles.iter().map(|c| (c.ts, c.open, c.high, c.low, c.close, c.volume)).collect::<Vec<_>>()
    };
    assert_eq!(candles(calm), candles(usual));
}

/// Market orders now and then, a limit beside each, all of it cancelled once in a while. What the strategy sees goes
/// into the sizes, so that a wrong price, equity or time would show in the orders.
fn restless(n: usize, ctx: &mut Context<'_>) {
    if n % 97 == 5 {
        let side = if n.is_multiple_of(2) { Side::Buy } else { Side::Sell };
        let seen = ctx.last(ID).mantissa() + ctx.equity_f64() as i64 + ctx.now().nanos() / 1_000_000_000;
        ctx.place(Intent::market(ID, side, qty(1 + seen % 5)));
        ctx.place(Intent::limit(ID, side.opposite(), qty(1), price(101)));
    }
    if n.is_multiple_of(501) {
        ctx.cancel_all(ID);
    }
}

/// A warm-up of one event keeps the engine on its usual path and drops nothing of what [`restless`] asks for.
fn usual_or_calm(usual: bool, cash: i64, chart_width: Interval) -> Desk {
    Desk { fee_bps: 3, warmup: u64::from(usual), cash, chart_width, ..Desk::default() }
}

/// A stretch of calm trades is taken at once when only one strategy hears them; that must not change anything.
#[test]
fn calm_stretches_of_trades_change_nothing() {
    let walk: Vec<String> = (0..9000i64).map(|i| format!("{}:{}", 100 + (i * i / 7 + i) % 23, 1 + i % 5)).collect();
    for (cash, width) in [(10_000, Interval::MINUTE), (10_000, Interval::HOUR), (120, Interval::HOUR)] {
        let run = |usual| usual_or_calm(usual, cash, width).trades(&walk.join(" "), restless);
        let (calm, usual) = (run(false), run(true));
        assert!(calm.fills.len() > 10, "{} fills", calm.fills.len());
        assert_same(&calm, &usual);
    }
}

/// So must a stretch of calm bars, in which the account may come to be liquidated.
#[test]
fn calm_stretches_of_bars_change_nothing() {
    let close = |i: i64| 100 + (i * i / 7 + i) % 23;
    let walk: Vec<String> = (1..9000)
        .map(|i| {
            let (open, close) = (close(i - 1), close(i));
            format!("{open}/{}/{}/{close}", open.max(close) + i % 3, open.min(close) - i % 2)
        })
        .collect();
    let mut liquidated = 0;
    for (cash, width) in [(10_000, Interval::MINUTE), (10_000, Interval::DAY), (120, Interval::DAY)] {
        for profile in [Profile::NextOpen, Profile::Close, Profile::OhlcPath] {
            let run = |usual| usual_or_calm(usual, cash, width).profile(profile).bars(&walk.join(" "), restless);
            let (calm, usual) = (run(false), run(true));
            assert!(calm.fills.len() > 10, "{} fills", calm.fills.len());
            liquidated += calm.trades.iter().filter(|t| t.exit_reason == Role::Liquidation).count();
            assert_same(&calm, &usual);
        }
    }
    assert!(liquidated > 0, "no account was liquidated");
}

#[test]
fn a_native_strategy_that_floods_is_stopped_before_one_of_its_orders_leaves() {
    let outcome = Desk::default().trades("100 101 102", |n, ctx| {
        let orders = if n == 1 { 10_001 } else { 1 };
        for _ in 0..orders {
            ctx.place(Intent::limit(ID, Side::Buy, qty(1), price(50)));
        }
    });
    let [halt] = outcome.halts.as_slice() else { panic!("{:?}", outcome.halts) };
    assert_eq!(halt.reason, "more than 10000 actions in one event");
    assert_eq!(states_text(&outcome), "1 cancelled requested", "only the order before it, which goes with it");
}

#[test]
fn bars_that_are_asked_for_again_and_again_are_asked_for_once() {
    let outcome = Desk::default().bars("100 101 102 103 104", |_, ctx| {
        ctx.subscribe_bars(ID, Interval::from_nanos(90_000_000_000).expect("a minute and a half"));
    });
    let said: Vec<_> = outcome.notes.iter().filter(|note| note.contains("cannot be built from")).collect();
    assert_eq!(said.len(), 1, "{said:?}");
}

/// Ten with a limit price, two without one, and a value of five hundred.
fn small_venue(it: &mut Instrument) {
    (it.qty_max, it.qty_max_market) = (qty(10), qty(2));
    it.notional_max = it.notional(price(100), qty(5));
}

#[test]
fn an_order_above_the_venues_largest_is_rejected_by_the_rule_that_it_breaks() {
    let outcome = Desk { rules: small_venue, ..Desk::default() }.quotes("99/101:100 99/101:100", |n, ctx| {
        if n == 0 {
            ctx.place(Intent::market(ID, Side::Buy, qty(2)));
            ctx.place(Intent::market(ID, Side::Buy, qty(3)));
            ctx.place(Intent::market(ID, Side::Sell, qty(3)).reduce_only());
            ctx.place(Intent::stop(ID, Side::Buy, qty(3), price(110)));
            ctx.place(Intent::limit(ID, Side::Buy, qty(10), price(50)));
            ctx.place(Intent::limit(ID, Side::Buy, qty(11), price(1)));
            ctx.place(Intent::limit(ID, Side::Buy, qty(6), price(98)));
            // Three at an offer of 101.
            let size = Size::Notional { amount: Decimal::new(303, 0), close: qty(0) };
            ctx.place(Intent { size, ..Intent::market(ID, Side::Buy, qty(1)) });
        }
    });
    assert_eq!(fills_text(&outcome), "1 buy 2@101");
    assert_eq!(
        states_text(&outcome),
        "1 filled, 2 rejected qty_above_max, 3 rejected qty_above_max, 4 rejected qty_above_max, 5 acknowledged, \
         6 rejected qty_above_max, 7 rejected notional_above_max, 8 rejected qty_above_max"
    );
}

#[test]
fn what_closes_positions_at_the_end_of_a_run_goes_out_in_orders_that_the_venue_takes() {
    let desk = Desk { rules: small_venue, close_at_end: true, ..Desk::default() };
    let outcome = desk.quotes("99/101:100 99/101:100 99/101:100", |n, ctx| {
        if n == 0 {
            ctx.place(Intent::market(ID, Side::Buy, qty(2)));
            ctx.place(Intent::limit(ID, Side::Buy, qty(3), price(101)));
        }
    });
    assert_eq!(fills_text(&outcome), "1 buy 2@101, 2 buy 3@101, 3 sell 2@100, 4 sell 1.5@100, 5 sell 1.5@100");
    assert_eq!(outcome.trades.len(), 3, "three closing orders");
}
