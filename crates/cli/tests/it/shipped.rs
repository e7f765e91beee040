//! The shipped data and the shipped strategies go together.

use crate::desk::{Desk, root};

#[test]
fn every_shipped_strategy_has_a_runnable_example() {
    let desk = Desk::new().at_root();
    let state = desk.path("state").display().to_string();
    let listed = desk.json("strategy list --json");
    for strategy in listed["strategies"].as_array().expect("strategies") {
        let name = strategy["name"].as_str().expect("a name");
        assert!(root().join(format!("config/strategies/{name}.toml")).is_file(), "{name} has no example");
        let document =
            desk.json(&format!("backtest --config config/strategies/{name}.toml --state-dir {state} --json"));
        assert!(document["summary"]["orders"].as_u64() > Some(0), "{name} makes no order");
        assert_eq!(document["run"]["strategies"][0]["plugin"], name);
        assert!(desk.done(&format!("verify last --state-dir {state}")).contains(": equal; "), "{name}");
    }
}

#[test]
fn without_any_flag_the_best_known_series_is_run() {
    let document = Desk::new().at_root().json("backtest --json");
    assert_eq!(document["run"]["strategies"][0]["plugin"], "ema_cross");
    assert_eq!(document["instruments"][0]["symbol"], "binance:BTC/USDT");
    assert_eq!(document["run"]["data"][0]["kind"], "bars-1h");
}
