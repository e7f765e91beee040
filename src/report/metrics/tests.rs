use super::*;
use crate::report::samples::{busy, days, empty, hour, lot, order, trade, usd};
use bellwether_sdk::{Money, Side, Ts};

fn summary(outcome: &Outcome) -> Summary {
    metrics(outcome).summary
}

fn flagged(outcome: &Outcome, metric: &str) -> String {
    let found = metrics(outcome).flags.into_iter().filter(|f| f.metric == metric).map(|f| f.why);
    found.collect::<Vec<_>>().join(" | ")
}

/// 60 trades of changing luck over 90 days: nothing to flag.
fn sound() -> Outcome {
    let curve: Vec<i64> = (1..=90).map(|i| 10_000 + 10 * i + if i % 2 == 0 { 90 } else { 0 }).collect();
    let mut run = days(&curve);
    run.trades = (0..60).map(|i| trade(i * 24, i * 24 + 5, 20_000, if i % 5 < 3 { 20_100 } else { 19_900 })).collect();
    run.fees = usd(60);
    run
}

#[derive(serde::Deserialize)]
struct Reference {
    start: i64,
    fee: i64,
    days: Vec<(String, i64)>,
    trades: Vec<(i64, i64)>,
    values: BTreeMap<String, f64>,
}

#[test]
fn figures_equal_those_of_empyrical_and_quantstats() {
    let text = include_str!("../../../tests/metrics/reference.json");
    let reference: Reference = serde_json::from_str(text).expect("the reference");
    let ts = |day: &str| {
        let t: jiff::Timestamp = format!("{day}T00:00:00Z").parse().expect("a day");
        Ts::from_nanos(t.as_nanosecond() as i64)
    };
    let mut run = days(&reference.days.iter().map(|(_, e)| *e).collect::<Vec<_>>());
    for (point, (day, _)) in run.daily.iter_mut().zip(&reference.days) {
        point.day = ts(day);
    }
    run.start_equity = usd(reference.start);
    run.ts_first = run.daily[0].day;
    run.ts_last = run.daily.last().expect("days").day.plus(DAY_NS);
    run.trades = reference.trades.iter().enumerate().map(|(i, (a, b))| trade(i as i64, i as i64 + 1, *a, *b)).collect();
    assert_eq!(reference.fee, 1, "the fee of the sample trades");
    let figures = summary(&run);
    for (key, want) in &reference.values {
        let got = figures.get(key).unwrap_or_else(|| panic!("{key} is absent"));
        assert!((got - want).abs() <= 1e-9 * want.abs().max(1.0), "{key}: {got}, the reference says {want}");
    }
    assert!(reference.values.len() >= 27, "the reference has only {}", reference.values.len());
    assert_eq!(figures.days, 90);
}

#[test]
fn the_table_of_definitions_is_the_summary_and_the_document() {
    let value = serde_json::to_value(summary(&empty())).expect("JSON");
    let keys: Vec<&String> = value.as_object().expect("an object").keys().collect();
    assert_eq!(keys.len(), DEFINITIONS.len());
    assert!(DEFINITIONS.iter().all(|d| value.get(d.key).is_some()), "{keys:?}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    if std::env::var_os("BELLWETHER_BLESS").is_some() {
        std::fs::write(path, markdown()).expect("docs/metrics.md");
    }
    let page = std::fs::read_to_string(path).expect("docs/metrics.md");
    assert!(page == markdown(), "docs/metrics.md is stale: run this test with BELLWETHER_BLESS=1");
}

#[test]
fn a_few_trades_are_counted_by_hand() {
    let mut run = days(&[10_099, 10_048]);
    run.trades = vec![trade(0, 2, 20_000, 20_100), trade(24, 30, 20_000, 19_950)];
    run.exposed_ns = 8 * 3_600_000_000_000;
    let s = summary(&run);
    assert_eq!((s.trades, s.long_trades, s.short_trades, s.days), (2, 2, 0, 2));
    assert_eq!(s.win_rate_pct, Some(50.0));
    assert_eq!(s.profit_factor, Some(99.0 / 51.0));
    assert_eq!(s.expectancy, Some(24.0));
    assert_eq!(s.avg_trade_hours, Some(4.0));
    assert_eq!(s.max_consecutive_losses, 1);
    assert!((s.best_trade_pct.expect("a trade") - 0.495).abs() < 1e-12);
    assert!((s.exposure_pct.expect("time") - 100.0 * 8.0 / 48.0).abs() < 1e-12);
    assert!((s.return_pct.expect("equity") - 0.48).abs() < 1e-12);
    assert!((s.buy_hold_return_pct.expect("a curve") - 0.2).abs() < 1e-12);
    assert!((s.max_drawdown_pct.expect("a fall") - 100.0 * 51.0 / 10_099.0).abs() < 1e-12);
    assert_eq!(s.max_drawdown_days, Some(1.0));
}

#[test]
fn an_empty_run_has_reasons_instead_of_figures() {
    let m = metrics(&empty());
    let s = &m.summary;
    assert_eq!((s.start_equity, s.end_equity, s.return_pct, s.trades), (10_000.0, 10_000.0, Some(0.0), 0));
    for (definition, value) in s.figures() {
        assert_eq!(value.is_none(), m.reasons.contains_key(definition.key), "{}", definition.key);
    }
    for key in ["cagr_pct", "buy_hold_return_pct", "win_rate_pct", "profit_factor", "sqn", "sharpe_daily_365", "calmar"]
    {
        assert!(m.reasons.contains_key(key), "{key}");
    }
    assert_eq!(m.flags, []);
}

#[test]
fn one_day_has_no_sharpe_but_a_best_day() {
    let m = metrics(&days(&[10_100]));
    assert_eq!(m.summary.sharpe_daily_365, None);
    assert_eq!(m.reasons["sharpe_daily_365"], "needs 2 days, the run has 1");
    assert!((m.summary.best_day_pct.expect("a day") - 1.0).abs() < 1e-12);
}

#[test]
fn a_day_without_data_returns_zero_in_365_and_is_not_there_in_252() {
    let mut run = days(&[10_100, 10_201]);
    run.daily[1].day = run.daily[1].day.plus(2 * DAY_NS);
    let daily = Daily::of(&run);
    assert_eq!(daily.calendar.len(), 4);
    assert_eq!(daily.calendar[1..3], [0.0, 0.0]);
    assert_eq!(daily.trading.len(), 2);
    assert_eq!(summary(&run).days, 4);
}

#[test]
fn of_two_points_of_one_day_the_later_counts() {
    let mut run = days(&[10_100, 10_200, 10_300]);
    run.daily[2].day = run.daily[1].day.plus(5);
    let daily = Daily::of(&run);
    assert_eq!(daily.equity, [10_000.0, 10_100.0, 10_300.0]);
}

#[test]
fn lost_accounts_and_disorder_end_the_daily_figures_with_a_reason() {
    let m = metrics(&days(&[9_000, -500, -400, 100]));
    assert_eq!(m.summary.sharpe_daily_365, None);
    assert!(m.reasons["sharpe_daily_365"].contains("equity was -500 before 2024-01-03"), "{:?}", m.reasons);
    let lost = days(&[9_000, -500]);
    let m = metrics(&lost);
    assert_eq!(m.summary.return_pct, Some(-105.0));
    assert!(m.reasons["cagr_pct"].contains("ended below zero"));
    assert_eq!(flagged(&lost, "end_equity"), "the account was lost");
    let mut run = days(&[10_100, 10_200]);
    run.daily.swap(0, 1);
    assert!(metrics(&run).reasons["volatility_daily_365_pct"].contains("out of order at 2024-01-01"));
}

#[test]
fn no_figure_is_ever_infinite_or_not_a_number() {
    let mut run = days(&[10_100, 10_200]);
    run.start_equity = Money::ZERO;
    run.drawdown.fraction = f64::NAN;
    run.trades = vec![trade(0, 1, 0, 5)];
    let m = metrics(&run);
    assert!(m.reasons["max_drawdown_pct"].contains("NaN"));
    assert!(m.reasons["return_pct"].contains("equity of 0"));
    let text = serde_json::to_string(&m.summary).expect("JSON");
    let back: Summary = serde_json::from_str(&text).expect("a summary");
    assert_eq!(back, m.summary);
    let mut short = days(&[20_000]);
    short.ts_last = hour(0).plus(1);
    assert!(metrics(&short).reasons["cagr_pct"].contains("too short"));
}

#[test]
fn profits_of_several_currencies_are_not_summed() {
    let mut run = sound();
    run.instruments.push(crate::report::samples::instrument(1, "bitmex:XBT/USD:XBT"));
    run.trades[3].instrument = bellwether_sdk::InstrumentId(1);
    let m = metrics(&run);
    for key in ["profit_factor", "expectancy", "sqn"] {
        assert!(m.reasons[key].contains("settle in USDT and XBT"), "{key}: {:?}", m.reasons);
    }
    assert!(m.summary.profit_factor_return.is_some());
}

#[test]
fn an_inverse_trade_returns_profit_over_its_value_in_the_base_currency() {
    let instrument = crate::report::samples::instrument(0, "bitmex:XBT/USD:XBT");
    let mut t = trade(0, 1, 20_000, 25_000);
    // One contract of a dollar: 1/20000 − 1/25000 = 0.00001 XBT, a fifth of the 0.00005 put in.
    t.pnl = Money::from_mantissa(1_000);
    assert!((trade_return(&instrument, &t, 8).expect("a return") - 0.2).abs() < 1e-12);
}

#[test]
fn a_sound_run_raises_no_flag() {
    assert_eq!(metrics(&sound()).flags, []);
}

#[test]
fn figures_too_good_are_flagged() {
    let mut run = sound();
    run.daily = days(&(1..=90).map(|i| 10_000 + 50 * i).collect::<Vec<_>>()).daily;
    assert!(flagged(&run, "sharpe_daily_365").contains("look-ahead or of luck"));
    let mut run = sound();
    run.trades.iter_mut().for_each(|t| t.pnl = usd(5));
    run.trades[7].pnl = usd(6);
    assert!(flagged(&run, "win_rate_pct").contains("all 60 closed trades won"));
    assert!(flagged(&run, "profit_factor").contains("no losing trade"));
    run.trades[0].pnl = usd(-1);
    assert!(flagged(&run, "profit_factor").contains("times the losses"));
    let mut run = sound();
    run.drawdown.fraction = 0.0;
    assert!(flagged(&run, "max_drawdown_pct").contains("never fell"));
    let mut run = sound();
    run.end_equity = usd(100_000);
    assert!(flagged(&run, "cagr_pct").contains("% a year"));
    let mut run = sound();
    for (i, day) in run.daily.iter_mut().enumerate() {
        day.equity = usd(10_000 + 50 * i as i64 - i64::from(i == 40));
    }
    assert!(!flagged(&run, "sharpe_daily_365").is_empty());
}

#[test]
fn figures_from_too_little_are_flagged() {
    let mut run = days(&[10_100, 10_050, 10_200]);
    run.trades = vec![trade(0, 1, 20_000, 20_200), trade(2, 3, 20_000, 20_050), trade(4, 5, 20_000, 19_990)];
    run.fees = usd(3);
    assert!(flagged(&run, "cagr_pct").contains("annualised from 3d"));
    assert!(flagged(&run, "sharpe_daily_365").contains("from 3 daily returns"));
    assert!(flagged(&run, "sharpe_daily_252").contains("from 3 daily returns"));
    let mut weekly = days(&[10_100, 10_050, 10_200, 10_300, 10_200, 10_400]);
    for (i, day) in weekly.daily.iter_mut().enumerate() {
        day.day = day.day.plus(6 * i as i64 * DAY_NS);
    }
    assert!(!flagged(&weekly, "sharpe_daily_365").contains("daily returns"), "36 days, most without data");
    assert!(flagged(&weekly, "sharpe_daily_252").contains("from 6 daily returns"));
    assert!(flagged(&run, "trades").contains("3 closed trades"));
    assert!(flagged(&run, "best_trade_pct").contains("one trade of 3 made 84 %"));
    run.trades.truncate(1);
    assert!(flagged(&run, "trades").starts_with("1 closed trade:"));
    assert_eq!(flagged(&run, "best_trade_pct"), "");
}

#[test]
fn what_is_not_real_is_flagged() {
    let mut run = days(&[10_100, 10_050]);
    run.orders = vec![order(1, 0, Side::Buy)];
    run.fills = vec![crate::report::samples::fill(1, 0, Side::Buy, 20_000)];
    run.open_lots = vec![lot(0, 20_000), lot(1, 20_000)];
    assert!(flagged(&run, "fees").contains("1 fills and no fee"));
    assert!(flagged(&run, "trades").contains("no trade was closed"));
    assert_eq!(summary(&run).open_positions, 1, "two lots of one position");
    run.instruments[0].inferred = true;
    assert!(flagged(&run, "instruments").contains("binance:BTC/USDT"));
}

#[test]
fn equal_runs_have_equal_figures() {
    assert_eq!(metrics(&busy(500)), metrics(&busy(500)));
}
