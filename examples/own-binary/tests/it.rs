//! The binary of the example is the command, and knows the example's strategy alone.

use std::path::Path;
use std::process::Command;

#[test]
fn the_command_backtests_the_strategy_that_it_was_built_with() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let state = tempfile::tempdir().expect("a folder");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_own-binary"));
        command.args(args).arg("--state-dir").arg(state.path()).current_dir(&root);
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON")
    };
    let listed = run(&["strategy", "list", "--json"]);
    let names: Vec<&str> =
        listed["strategies"].as_array().expect("a list").iter().filter_map(|s| s["name"].as_str()).collect();
    assert_eq!(names, ["my_cross"]);
    let line = "backtest --strategy my_cross --data backtest-data --instrument binance:BTC/USDT --interval 1h --json";
    let document = run(&line.split(' ').collect::<Vec<_>>());
    assert!(document["trades"].as_array().expect("trades").len() > 100, "{}", document["run"]);
}
