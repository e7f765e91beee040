//! Help, versions, and lines that do not read.

use crate::desk::Desk;

/// Every command, found by reading `--help` from the top down.
fn commands(desk: &Desk, path: &str, found: &mut Vec<String>) {
    let help = desk.done(&format!("{path} --help"));
    found.push(path.trim().to_owned());
    let Some((_, rest)) = help.split_once("\nCommands:\n") else { return };
    for line in rest.lines().take_while(|l| !l.is_empty()) {
        let name = line.split_whitespace().next().unwrap_or_default();
        if line.starts_with("  ") && !line.starts_with("   ") && name != "help" {
            commands(desk, &format!("{path} {name}"), found);
        }
    }
}

#[test]
fn every_command_has_help_with_examples_and_answers_programs() {
    let desk = Desk::new();
    let mut found = Vec::new();
    commands(&desk, "", &mut found);
    assert!(found.len() > 10, "{found:?}");
    for path in &found {
        let help = desk.done(&format!("{path} --help"));
        let leaf = !help.contains("\nCommands:\n");
        assert!(!leaf || help.contains("Example"), "`{path} --help` shows no example:\n{help}");
        let always = ["schema", "tape export"].contains(&path.as_str());
        assert!(!leaf || always || help.contains("--json"), "`{path}` has no --json:\n{help}");
    }
}

#[test]
fn the_version_is_told() {
    assert_eq!(Desk::new().done("--version"), format!("bellwether {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_line_that_does_not_read_exits_2_and_says_why() {
    let desk = Desk::new();
    desk.fails("backtest --bogus", 2, "unexpected argument '--bogus'");
    desk.fails("backtst", 2, "similar subcommand exists: 'backtest'");
    desk.fails("backtest --instrument BTCUSDT", 2, "is not an instrument: no venue before a colon");
    desk.fails("backtest --interval 1y", 2, "write a whole number and a unit");
    desk.fails("backtest --fee-bps 5 --maker-bps 2", 2, "cannot be used with");
    desk.fails("backtest --kind candles", 2, "invalid value 'candles'");
    desk.fails("backtest --set fast", 2, "no KEY=VALUE");
    desk.fails("backtest --timerange soon", 2, "not a range of times");
    desk.fails("backtest --set strategy.fast=5:30", 2, "is not a range");
}

#[test]
fn aliases_mean_the_same() {
    let desk = Desk::new();
    let named = desk.done("config show --instrument binance:ETH/USDT --interval 5m --from 20240101 --to 2024-02-01");
    let alias = desk.done("config show --symbol binance:ETH/USDT --timeframe 5m --timerange 20240101-2024-02-01");
    assert_eq!(named, alias);
    assert!(named.contains("from = \"20240101\""), "{named}");
}
