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

/// The first result does not hang on where the command stands.
#[test]
fn in_an_empty_folder_the_data_that_the_command_carries_stands_in() {
    let desk = Desk::new();
    let answer = desk.run("backtest --json");
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.stderr.contains("there is no backtest-data here"), "{answer:?}");
    let there: serde_json::Value = serde_json::from_str(&answer.stdout).expect("JSON");
    let here = Desk::new().at_root().json("backtest --json");
    assert_eq!(there["run"]["order_hash"], here["run"]["order_hash"]);
    assert_eq!(there["run"]["data_hash"], here["run"]["data_hash"]);
    assert!(desk.done("verify last").contains(": equal; "));
    let paper = desk.json("paper --pace 0 --for 20s --json");
    assert!(paper["summary"]["orders"].as_u64() > Some(0), "{paper}");
    assert!(desk.done("data list").contains("binance:BTC/USDT"));
    // What is named and is not there is an error still.
    desk.fails("backtest --data nowhere", 3, "nowhere");
}
