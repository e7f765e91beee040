//! Settings as a person meets them: layers, complaints, what is shown.

use bellwether::config::{Settings, known_paths, load};

use crate::desk::{Desk, root};

#[test]
fn the_commented_default_file_is_the_defaults_and_names_every_key() {
    let path = root().join("config/default.toml");
    let loaded = load(Some(&path), &[]).expect("the shipped file loads");
    assert_eq!(loaded.settings, Settings::default());
    let text = std::fs::read_to_string(path).expect("the shipped file");
    for key in known_paths() {
        let name = key.rsplit('.').next().unwrap_or_default();
        assert!(text.contains(&format!("{name} = ")), "config/default.toml does not name {key}");
    }
}

#[test]
fn shipped_settings_pass_their_check() {
    let desk = Desk::new().at_root();
    for name in ["default", "paper", "live"] {
        desk.done(&format!("config check --config config/{name}.toml"));
    }
    for entry in std::fs::read_dir(root().join("config/strategies")).expect("the folder") {
        let path = entry.expect("an entry").path();
        desk.done(&format!("config check --config {}", path.display()));
    }
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let desk = Desk::new().file("x.toml", "[sim]\nlatency_ms = 1\n[backtest]\nwarmup = 1\n[account]\ncash = 5\n");
    let desk = desk.env("BELLWETHER__SIM__LATENCY_MS", "2").env("BELLWETHER__BACKTEST__WARMUP", "2");
    let shown = desk.json("config show --config x.toml --latency-ms 3 --json");
    assert_eq!(shown["sim"]["latency_ms"], 3);
    assert_eq!(shown["backtest"]["warmup"], 2);
    assert_eq!(shown["account"]["cash"], "5");
    let desk = desk.env("BELLWETHER_CONFIG", "x.toml");
    assert_eq!(desk.json("config show --json")["account"]["cash"], "5");
}

#[test]
fn what_is_shown_can_be_loaded_again() {
    let desk = Desk::new();
    let flags = "--instrument binance:BTC/USDT --kind trades --cash 500USDT --fee-bps 7.5 --slippage-bps 2 \
                 --leverage 3 --account margin --set strategy.fast=5";
    let shown = desk.done(&format!("config show {flags}"));
    let desk = desk.file("again.toml", &shown);
    assert_eq!(desk.done("config show --config again.toml"), shown);
}

#[test]
fn a_mistake_in_a_file_is_told_with_its_line_and_exits_3() {
    let desk = Desk::new().file("key.toml", "version = 1\n[risk]\norder_notional_mx = 5\n");
    let told = r#"error: reading key.toml:3: unknown key "order_notional_mx"; did you mean "order_notional_max"?"#;
    desk.fails("config check --config key.toml", 3, told);
    let desk = desk.file("kind.toml", "[sim]\nlatency_ms = \"soon\"\n");
    desk.fails("backtest --config kind.toml", 3, "reading kind.toml:2: sim.latency_ms: found string \"soon\"; write");
    let desk = desk.file("torn.toml", "[sim\n");
    desk.fails("backtest --config torn.toml", 3, "reading torn.toml:1: not valid TOML");
    desk.fails("backtest --config missing.toml", 3, "reading missing.toml: no such file");
    std::fs::create_dir(desk.path("folder.toml")).expect("a folder");
    desk.fails("backtest --config folder.toml", 3, "is a folder");
    std::fs::write(desk.path("binary.toml"), [0xff, 0xfe, 0x00]).expect("written");
    desk.fails("backtest --config binary.toml", 3, "reading binary.toml: not UTF-8 text");
    let desk = desk.file("param.toml", "[[strategy]]\nplugin = \"ema_cross\"\n[strategy.params]\nfast = 5\nslw = 9\n");
    let told = r#"reading param.toml:5: strategy ema_cross has no parameter "slw"; did you mean "slow"?"#;
    desk.fails("backtest --config param.toml", 3, told);
    let desk = desk.file("plugin.toml", "version = 1\n[[strategy]]\nplugin = \"ema_crss\"\n");
    desk.fails("config check --config plugin.toml", 3, "did you mean \"ema_cross\"?");
}

#[test]
fn a_mistake_in_a_flag_or_variable_is_told_with_its_name() {
    let desk = Desk::new();
    desk.fails("backtest --set sim.latncy_ms=5", 3, r#"did you mean "sim.latency_ms"?"#);
    desk.fails("backtest --from soon", 3, "\"soon\" is not a time");
    desk.fails("backtest --from 2024-02-01 --to 2024-01-01", 3, "is empty");
    desk.fails("backtest --cash 5usd", 3, "not an amount of cash");
    desk.fails("backtest --fill-profile next-opn@1", 3, r#"did you mean "next-open@1"?"#);
    let desk = desk.env("BELLWETHER__SIM__LATENCY", "5");
    desk.fails("backtest", 3, r#"unknown key "BELLWETHER__SIM__LATENCY"; did you mean "BELLWETHER__SIM__LATENCY_MS"?"#);
}
