//! What the shipped strategies tell of themselves.

use crate::desk::{Desk, root};

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

#[test]
fn parameters_reach_the_strategies_they_are_meant_for() {
    let two = "[[strategy]]\nid = \"a\"\nplugin = \"ema_cross\"\nparams = { fast = 3, qty = 1 }\n\
               [[strategy]]\nid = \"b\"\nplugin = \"ema_cross\"\nparams = { fast = 4, qty = 2 }\n";
    let desk = Desk::new().file("two.toml", two);
    let params = |flags: &str| {
        let shown = desk.json(&format!("config show --config two.toml --json {flags}"));
        let all = shown["strategy"].as_array().expect("strategies").clone();
        all.iter().map(|s| format!("{}:{}", s["id"], s["params"]).replace('"', "")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(params(""), "a:{fast:3,qty:1} b:{fast:4,qty:2}");
    assert_eq!(params("--set strategy.fast=7"), "a:{fast:7,qty:1} b:{fast:7,qty:2}");
    assert_eq!(params("--set b.fast=7"), "a:{fast:3,qty:1} b:{fast:7,qty:2}");
    assert_eq!(params("--strategy b"), "b:{fast:4,qty:2}");
    // One way of sizing stands: the later.
    assert_eq!(params("--set b.notional_pct=50"), "a:{fast:3,qty:1} b:{fast:4,notional_pct:50}");
    // But for the distance of the stop, which goes with the risk.
    for flags in ["--set b.risk_pct=1 --set b.stop_atr=3", "--set b.stop_atr=3 --set b.risk_pct=1"] {
        assert_eq!(params(flags), "a:{fast:3,qty:1} b:{fast:4,risk_pct:1,stop_atr:3}");
    }
    assert_eq!(params("--set b.risk_pct=1 --set b.stop_atr=3 --set b.qty=5"), "a:{fast:3,qty:1} b:{fast:4,qty:5}");
    let desk = Desk::new().file("twins.toml", &two.replace("\"b\"", "\"a\""));
    desk.fails(
        "config check --config twins.toml",
        3,
        "reading twins.toml:6: strategy.1.id: strategies 1 and 2 are both called",
    );
}

#[test]
fn strategies_cannot_come_from_the_environment() {
    let desk = Desk::new().env("BELLWETHER__STRATEGY__FAST", "5");
    desk.fails("config show", 3, "strategies are set in a file or with --set strategy.NAME=VALUE");
}

/// What is in the desk's folder, but for its home.
fn left(desk: &Desk) -> Vec<String> {
    let entries = std::fs::read_dir(desk.path(".")).expect("a folder").map(|e| e.expect("an entry").file_name());
    entries.map(|name| name.to_string_lossy().into_owned()).filter(|name| name != "home").collect()
}

#[test]
fn a_new_strategy_does_not_take_the_name_of_one_that_this_command_has() {
    let desk = Desk::new();
    for name in ["ema-cross", "ema_cross", "Macd"] {
        desk.fails(&format!("strategy new {name}"), 2, "this command has a strategy");
    }
    desk.fails("strategy new ema-cross", 2, "such as my-ema-cross");
    assert_eq!(left(&desk), Vec::<String>::new());
}

#[test]
fn what_is_no_sdk_is_refused_and_nothing_is_written() {
    let desk = Desk::new().file("Cargo.toml", "[package]\nname = \"other\"\n");
    let alone = "[package]\nname = \"bellwether-sdk\"\n";
    std::fs::create_dir_all(desk.path("alone/sdk")).expect("a folder");
    std::fs::write(desk.path("alone/sdk/Cargo.toml"), alone).expect("written");
    let before = left(&desk);
    desk.fails("strategy new mine --sdk absent", 2, "name a checkout's crates/sdk");
    desk.fails("strategy new mine --sdk .", 2, "there is no package bellwether-sdk in");
    desk.fails("strategy new mine --sdk alone/sdk", 2, "there is no package bellwether-guest in");
    desk.fails("strategy new mine --lang python --sdk alone/sdk", 2, "--sdk names Rust sources");
    assert_eq!(left(&desk), before);
    desk.done(&format!("strategy new mine --sdk {}", root().join("crates/sdk").display()));
    let manifest = std::fs::read_to_string(desk.path("mine/Cargo.toml")).expect("written");
    assert!(manifest.contains("crates/sdk\" }"), "{manifest}");
}

#[test]
fn a_new_strategy_is_there_whole_and_knows_what_differs_between_machines() {
    let desk = Desk::new();
    desk.done("strategy new mine");
    assert_eq!(left(&desk), ["mine"]);
    let rules = std::fs::read_to_string(desk.path("mine/clippy.toml")).expect("written");
    assert!(rules.contains("f64::exp") && rules.contains("bellwether_sdk::math::exp"), "{rules}");
    // Its data is where it says.
    desk.done("data show --data mine/data --rows 1");
}

#[test]
fn a_strategy_is_shown_with_what_it_needs_and_may_do() {
    let desk = Desk::new();
    let told = desk.json("strategy show quoter --json");
    assert_eq!((&told["account"], &told["signal_only"]), (&"margin".into(), &false.into()), "{told}");
    assert!(told["state_version"].is_u64() && told["warmup"].is_u64(), "{told}");
    let shown = desk.done("strategy show quoter");
    for part in ["Kinds of orders: market, limit", "Needs a margin account.", "warm-up", "State version"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[cfg(not(feature = "wasm"))]
#[test]
fn a_program_without_a_host_for_components_says_how_to_get_one() {
    let desk = Desk::new();
    let how = "`cargo install --locked --path crates/cli --features wasm`";
    for line in ["strategy build", "strategy build my-cross --out cross.wasm --offline"] {
        desk.fails(line, 2, how);
    }
    for line in ["strategy show ./x.wasm", "backtest --strategy ./x.wasm"] {
        desk.fails(line, 3, how);
    }
}

#[cfg(feature = "wasm")]
#[test]
fn a_folder_of_another_language_is_told_what_packs_it() {
    let desk = Desk::new();
    desk.done("strategy new my-cross --lang python");
    desk.fails("strategy build my-cross", 2, "pip install componentize-py");
    desk.fails("strategy build my-cross", 2, "componentize --stub-wasi strategy -o my_cross.wasm");
}
