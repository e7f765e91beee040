//! Ranges of parameters.

use crate::desk::{Desk, RUN};

#[test]
fn a_grid_tries_every_combination_and_warns() {
    let desk = Desk::new().with_bars();
    let line = format!("backtest {RUN} --set strategy.fast=3:9:3 --set strategy.slow=20,40");
    let answer = desk.json(&format!("{line} --json"));
    assert_eq!(answer["schema_version"], 1);
    assert_eq!(answer["tried"], 6);
    let variants = answer["variants"].as_array().expect("variants");
    let returns: Vec<f64> = variants.iter().map(|v| v["summary"]["return_pct"].as_f64().expect("a number")).collect();
    assert!(returns.is_sorted_by(|a, b| a >= b), "{returns:?}");
    let mut sets: Vec<String> = variants.iter().map(|v| v["set"].to_string()).collect();
    sets.sort();
    sets.dedup();
    assert_eq!(sets.len(), 6);
    let told = desk.done(&line);
    assert!(told.contains("6 variants tried. The best of 6 is not evidence"), "{told}");
}

#[test]
fn a_variant_of_a_grid_is_the_run_of_its_values() {
    let desk = Desk::new().with_bars();
    let grid = desk.json(&format!("backtest {RUN} --set strategy.fast=3,7 --json"));
    for variant in grid["variants"].as_array().expect("variants") {
        let fast = variant["set"]["strategy.fast"].as_str().expect("a value");
        let run = desk.json(&format!("backtest {RUN} --set strategy.fast={fast} --json"));
        assert_eq!(run["run"]["order_hash"], variant["order_hash"], "fast={fast}");
        assert_eq!(run["summary"], variant["summary"], "fast={fast}");
    }
}

#[test]
fn a_later_value_beats_an_earlier_range_however_it_is_written() {
    let desk = Desk::new().with_bars();
    for (range, one) in [("strategy", "ema_cross"), ("ema_cross", "strategy")] {
        let run = desk.json(&format!("backtest {RUN} --set {range}.fast=3,7 --set {one}.fast=5 --json"));
        assert!(run["run"]["order_hash"].is_string(), "{range}: a run and no grid");
    }
    // Of two strategies, a range of both stands for the other one.
    let two = |fast: &str| format!("[[strategy]]\nplugin = \"ema_cross\"\nid = \"{fast}\"\n");
    let desk = desk.file("two.toml", &format!("{}{}", two("a"), two("b")));
    let run = format!("backtest {RUN} --config two.toml").replace("--strategy ema_cross", "");
    let grid = desk.json(&format!("{run} --set strategy.fast=3,7 --set a.fast=5 --json"));
    let alone = |fast: u32| desk.json(&format!("{run} --set a.fast=5 --set b.fast={fast} --json"))["run"].clone();
    assert_eq!(grid["tried"], 2);
    for variant in grid["variants"].as_array().expect("variants") {
        let fast = variant["set"]["strategy.fast"].as_str().expect("a value").parse().expect("a number");
        assert_eq!(variant["order_hash"], alone(fast)["order_hash"], "{variant}");
    }
}

#[test]
fn what_is_not_to_be_believed_is_flagged_in_a_grid_too() {
    let desk = Desk::new().with_bars();
    let line = format!("backtest {RUN} --set strategy.fast=3,7");
    let grid = desk.json(&format!("{line} --json"));
    for variant in grid["variants"].as_array().expect("variants") {
        let fast = variant["set"]["strategy.fast"].as_str().expect("a value");
        let run = desk.json(&format!("backtest {RUN} --set strategy.fast={fast} --json"));
        assert_eq!((&variant["flags"], &variant["reasons"]), (&run["flags"], &run["reasons"]), "fast={fast}");
    }
    let trades = grid["variants"][0]["summary"]["trades"].to_string();
    let told = desk.done(&line);
    assert!(told.contains(&format!("{trades}!")) && told.contains("! not to be taken at face value"), "{told}");
}

#[test]
fn combinations_that_conflict_tell_so_and_the_rest_is_run() {
    let desk = Desk::new().with_bars();
    let grid = desk.json(&format!("backtest {RUN} --set strategy.fast=20,5 --json"));
    assert_eq!(grid["tried"], 2);
    assert!(grid["variants"][0]["summary"].is_object());
    assert_eq!(grid["variants"][1]["set"]["strategy.fast"], "20");
    assert!(grid["variants"][1]["error"].as_str().is_some_and(|e| e.contains("never cross")), "{grid}");
    desk.fails(&format!("backtest {RUN} --set strategy.fast=20"), 3, "never cross");
}

#[test]
fn a_grid_too_large_or_with_a_report_is_refused() {
    let desk = Desk::new().with_bars();
    desk.fails(&format!("backtest {RUN} --set strategy.fast=1:5000:1 --set strategy.slow=1:5000:1"), 3, "over 100000");
    desk.fails(&format!("backtest {RUN} --set strategy.fast=5,6 --report x.html"), 2, "--report is for one run");
}

#[test]
fn the_count_of_threads_changes_nothing() {
    let of = |threads: &str| {
        let desk = Desk::new().with_bars().env("RAYON_NUM_THREADS", threads);
        desk.done(&format!("backtest {RUN} --set strategy.fast=3:9:1 --set strategy.slow=20,40 --json"))
    };
    assert_eq!(of("1"), of("4"), "to the last byte");
}
