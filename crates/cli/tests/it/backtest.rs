//! A run and its answer: tables for people, one document for scripts.

use crate::desk::{Desk, RUN};

#[test]
fn the_document_has_what_scripts_rely_on() {
    let desk = Desk::new().with_bars();
    let document = desk.json(&format!("backtest {RUN} --cash 10000USD --fee-bps 10 --json"));
    assert_eq!(document["schema_version"], 1);
    for key in
        ["id", "order_hash", "data_hash", "config_hash", "fill_profile", "events", "engine_cpu_seconds", "wall_seconds"]
    {
        assert!(!document["run"][key].is_null(), "run.{key}");
    }
    let figures = "start_equity end_equity return_pct cagr_pct buy_hold_return_pct exposure_pct fees funding orders trades \
                   win_rate_pct profit_factor expectancy_pct sqn max_drawdown_pct max_drawdown_days sharpe_daily_365 \
                   sortino_daily_365 calmar";
    for key in figures.split_whitespace() {
        let figure = &document["summary"][key];
        assert!(
            figure.is_number() || (figure.is_null() && document["reasons"][key].is_string()),
            "summary.{key}: {figure}"
        );
    }
    let trades = document["trades"].as_array().expect("trades");
    assert!(trades.len() > 5, "{} trades", trades.len());
    let keys = "instrument side qty entry_ts entry_price entry_bar_ts exit_ts exit_price exit_bar_ts fees pnl entry_tag exit_reason";
    for key in keys.split_whitespace() {
        assert!(trades[0][key].is_string(), "trades[0].{key}: {}", trades[0][key]);
    }
    for table in ["orders", "fills", "equity", "open_positions"] {
        assert!(document[table].is_array(), "{table}");
    }
    assert_eq!(document["run"]["fill_profile"], "next-open@1");
    assert_eq!(document["run"]["events"], 960);
    assert_eq!(document["summary"]["trades"], trades.len());
}

#[test]
fn equal_lines_make_equal_orders_and_other_parameters_others() {
    let desk = Desk::new().with_bars();
    let hash = |line: &str| desk.json(&format!("backtest {line} --json"))["run"]["order_hash"].clone();
    let first = hash(RUN);
    assert_eq!(hash(RUN), first);
    assert_ne!(hash(&format!("{RUN} --set strategy.slow=30")), first);
    assert_ne!(hash(&format!("{RUN} --fill-profile close@1")), serde_json::Value::Null);
}

#[test]
fn fees_slippage_and_latency_cost() {
    let desk = Desk::new().with_bars();
    let end = |flags: &str| {
        let document = desk.json(&format!("backtest {RUN} --json --no-save --set strategy.qty=1 {flags}"));
        document["summary"]["end_equity"].as_f64().expect("a number")
    };
    let free = end("--fee-bps 0");
    assert!(end("--fee-bps 10") < free);
    assert!(end("--fee-bps 0 --slippage-bps 5") < free);
    assert!(end("--maker-bps 0 --taker-bps 20") < end("--fee-bps 10"));
}

#[test]
fn close_at_end_leaves_nothing_open_and_ranges_are_half_open() {
    let desk = Desk::new().with_bars();
    let open = desk.json(&format!("backtest {RUN} --json"));
    assert_eq!(open["open_positions"].as_array().map(Vec::len), Some(1));
    let closed = desk.json(&format!("backtest {RUN} --json --close-at-end"));
    assert_eq!(closed["open_positions"].as_array().map(Vec::len), Some(0));
    let reasons = closed["trades"].as_array().expect("trades").iter().map(|t| &t["exit_reason"]);
    assert_eq!(reasons.filter(|r| **r == "end_of_data").count(), 1);
    let day = desk.json(&format!("backtest {RUN} --json --from 2024-01-02 --to 2024-01-03"));
    assert_eq!(day["run"]["events"], 24);
    let same = desk.json(&format!("backtest {RUN} --json --timerange 20240102-20240103"));
    assert_eq!(same["run"]["order_hash"], day["run"]["order_hash"]);
}

#[test]
fn next_steps_work_as_printed() {
    let desk = Desk::new().with_bars();
    let told = desk.done(&format!("backtest {RUN} --state-dir state"));
    let steps: Vec<&str> = told
        .split_once("Next steps\n")
        .expect("next steps")
        .1
        .lines()
        .filter_map(|l| l.split_once(" /"))
        .map(|l| l.1)
        .collect();
    assert_eq!(steps.len(), 4, "{told}");
    for step in steps {
        let (_, line) = step.split_once(' ').expect("a command");
        desk.done(line);
    }
    assert!(std::fs::metadata(desk.path("report.html")).expect("the report").len() > 1_000_000);
}

#[test]
fn a_range_without_data_is_an_error_that_says_what_there_is() {
    let desk = Desk::new().with_bars();
    desk.fails(&format!("backtest {RUN} --from 2030-01-01"), 3, "2024-02-10T00:00:00Z");
    desk.fails("backtest --data data --instrument test:BBB/USD --interval 1h", 3, "test:BBB/USD");
    desk.fails("backtest --data data --instrument test:AAA/USD --interval 1m", 3, "1m");
    desk.fails("backtest --data nowhere --instrument test:AAA/USD", 3, "nowhere");
    desk.fails(&format!("backtest {RUN} --account cash --set strategy.mode=long-short"), 3, "account");
}

#[test]
fn a_report_that_cannot_be_written_is_an_error_and_leaves_nothing() {
    let desk = Desk::new().with_bars();
    desk.fails(&format!("backtest {RUN} --no-save --report no/where.html"), 2, "its folder does not exist");
    desk.fails(&format!("backtest {RUN} --no-save --report data"), 2, "is a folder");
    #[cfg(target_os = "linux")]
    desk.fails(
        &format!("backtest {RUN} --no-save --report /dev/full"),
        1,
        "writing /dev/full: No space left on device",
    );
    desk.done(&format!("backtest {RUN} --no-save --report report.html"));
    let html = std::fs::read_to_string(desk.path("report.html")).expect("the report");
    assert!(html.contains("test:AAA/USD"));
    let left: Vec<_> = std::fs::read_dir(desk.path(".")).expect("the folder").filter_map(Result::ok).collect();
    assert!(left.iter().all(|e| !e.file_name().to_string_lossy().ends_with(".part")), "{left:?}");
    assert!(!desk.path("home/.local").exists(), "--no-save keeps nothing");
}

#[test]
fn a_run_without_a_signal_tells_how_far_from_one_it_was() {
    let desk = Desk::new().with_bars();
    // A day of rising prices, and a strategy that buys after a fall.
    let line = "backtest --data data --instrument test:AAA/USD --interval 1h --to 2024-01-02 --strategy rsi_reversion";
    let told = desk.done(&format!("{line} --state-dir state"));
    assert!(told.contains("no signal: 0 signals and 0 orders"), "{told}");
    let stood = "rsi_reversion on test:AAA/USD at the end: rsi < oversold: now 100, acts at 30, distance -70";
    assert!(told.contains(stood), "{told}");
    let step = told.lines().find(|l| l.trim_start().starts_with("ask why")).expect("a next step");
    assert!(step.contains(" explain "), "{step}");
    let (_, line) = step.split_once(" explain ").expect("a command");
    desk.done(&format!("explain {line}"));
}

#[test]
fn settings_that_mean_the_same_have_one_hash() {
    let desk = Desk::new().with_bars();
    let hash = |flags: &str| {
        let run = desk.json(&format!("backtest {RUN} --json --no-save {flags}"));
        run["run"]["config_hash"].as_str().expect("a hash").to_owned()
    };
    let one = hash("--from 2024-01-02 --to 2024-01-20 --cash 10000");
    for same in [
        "--timerange 20240102-20240120 --cash 10000USD",
        "--from 1704153600 --to 2024-01-20T00:00:00Z --cash 10000.0",
        "--from 2024-01-02 --to 2024-01-20 --fill-profile next-open@1",
        "--from 2024-01-02 --to 2024-01-20 --account margin --leverage 1.0 --set strategy.fast=5",
        "--from 2024-01-02 --to 2024-01-20 --strategy ema_cross --set strategy.mode=long-short",
    ] {
        assert_eq!(hash(same), one, "{same}");
    }
    for other in ["--from 2024-01-02 --to 2024-01-21", "--timerange 20240102-20240120 --cash 10001"] {
        assert_ne!(hash(other), one, "{other}");
    }
}
