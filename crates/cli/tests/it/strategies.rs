//! What the shipped strategies tell of themselves.

use crate::desk::Desk;

#[test]
fn every_shipped_strategy_is_listed_with_its_parameters() {
    let desk = Desk::new();
    let listed = desk.json("strategy list --json");
    let all = listed["strategies"].as_array().expect("a list");
    assert!(!all.is_empty());
    for strategy in all {
        let name = strategy["name"].as_str().expect("a name");
        assert!(desk.done("strategy list").contains(name));
        let shown = desk.json(&format!("strategy params {name} --json"));
        assert_eq!(shown["params"], strategy["params"], "{name}");
        for param in shown["params"].as_array().expect("a list") {
            assert_ne!(param["help"], "", "{name}: {param}");
        }
        desk.done(&format!("config check --strategy {name}"));
    }
}

#[test]
fn an_unknown_strategy_is_told_the_nearest_one() {
    let desk = Desk::new();
    desk.fails("strategy show ema_crss", 3, r#"unknown strategy "ema_crss"; did you mean "ema_cross"?"#);
    desk.fails("backtest --strategy emacross", 3, r#"did you mean "ema_cross"?"#);
}

#[test]
fn parameters_are_checked_before_anything_runs() {
    let desk = Desk::new();
    desk.fails("backtest --set strategy.fst=5", 3, r#"did you mean "fast"?"#);
    desk.fails("backtest --set strategy.fast=0", 3, "must be from 1 to");
    desk.fails("backtest --set strategy.fast=5,0", 3, "must be from 1 to");
    desk.fails("backtest --set strategy.fast=many", 3, "write a whole number");
    desk.fails("backtest --set strategy.mode=both", 3, "long-only");
    desk.fails("backtest --set strategy.notional_pct=-5", 3, "must be above 0");
    desk.fails("backtest --set nobody.fast=5", 3, "unknown key \"nobody.fast\"");
}
