//! Strategies as WebAssembly components, as the command runs them. They are built here, with the target for WebAssembly; where
//! the compiler has none, the stories say that they were skipped.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::desk::{Desk, root};

/// Builds a strategy's folder once; `None` where the target is missing.
fn built(folder: &str, file: &str) -> Option<PathBuf> {
    let target = root().join("target").join("plugins");
    std::fs::create_dir_all(&target).expect("a folder");
    let out = target.join(file);
    let mut command = Command::new(env!("CARGO_BIN_EXE_bellwether"));
    command.args(["strategy", "build", folder, "--out"]).arg(&out);
    command.current_dir(root()).env("CARGO_TARGET_DIR", &target);
    let answer = command.output().expect("the command runs");
    let said = String::from_utf8_lossy(&answer.stderr);
    if said.contains("the compiler cannot build for") {
        eprintln!("skipped: {said}");
        return None;
    }
    assert!(answer.status.success(), "{said}");
    Some(out)
}

fn hostile() -> Option<&'static str> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(|| built("tests/plugins/hostile", "hostile.wasm")).as_ref()?.to_str()
}

/// A run of the hostile strategy beside a good one, and what became of both.
fn beside(desk: &Desk, file: &str, how: &str) -> (i32, String, Value) {
    let settings = format!(
        "version = 1\n[[strategy]]\nid = \"good\"\nplugin = \"ema_cross\"\nparams = {{ fast = 5, slow = 20, mode = \"long-only\", qty = 1 }}\n\
         [[strategy]]\nid = \"hostile\"\nplugin = {file:?}\nparams = {{ how = {how:?}, qty = 1 }}\n"
    );
    std::fs::write(desk.path("settings.toml"), settings).expect("written");
    let answer = desk
        .run("backtest --config settings.toml --data data --instrument test:AAA/USD --interval 1h --json --no-save");
    let document = serde_json::from_str(&answer.stdout).unwrap_or_else(|e| panic!("{how}: {e}: {answer:?}"));
    (answer.code, answer.stderr, document)
}

fn trades_of_the_good(document: &Value) -> Vec<(Value, Value, Value)> {
    let trades = document["trades"].as_array().expect("trades");
    let good = trades.iter().filter(|t| t["strategy"] == "good");
    good.map(|t| (t["entry_ts"].clone(), t["entry_price"].clone(), t["exit_price"].clone())).collect()
}

#[test]
fn whatever_a_component_does_wrong_stops_it_alone_and_the_other_strategy_trades_as_before() {
    let Some(file) = hostile() else { return };
    let desk = Desk::new().with_bars();
    let (code, _, well) = beside(&desk, file, "well");
    assert_eq!(code, 0);
    let expected = trades_of_the_good(&well);
    assert!(expected.len() > 5, "{well}");
    for (how, why) in [
        ("loop-in-start", "instructions in one event"),
        ("loop-in-tick", "instructions in one event"),
        ("panic", "it panicked"),
        ("recursion", "the stack is used up"),
        ("memory", "MiB of memory"),
        ("flood", "1000000 things in one event"),
        ("timers", "timers at one time"),
        ("nan-strength", "the strength of a signal is NaN"),
        ("nan-size", "inf per cent of equity"),
        ("foreign-instrument", "instrument 9"),
        ("long-text", "1048576 bytes"),
        ("halt", "enough"),
    ] {
        let (code, said, document) = beside(&desk, file, how);
        assert_eq!(code, 1, "{how}");
        assert!(said.contains("strategy hostile was stopped") && said.contains(why), "{how}: {said}");
        assert_eq!(trades_of_the_good(&document), expected, "{how}");
    }
}

#[test]
fn orders_with_absurd_numbers_are_refused_and_the_run_goes_on() {
    let Some(file) = hostile() else { return };
    let desk = Desk::new().with_bars();
    let expected = trades_of_the_good(&beside(&desk, file, "well").2);
    for how in ["huge-qty", "negative-qty", "huge-price", "negative-price"] {
        let (code, said, document) = beside(&desk, file, how);
        assert_eq!(code, 0, "{how}: {said}");
        assert_eq!(trades_of_the_good(&document), expected, "{how}");
    }
}

#[test]
fn a_loop_before_the_start_is_a_refusal_and_a_key_in_the_environment_is_not_found() {
    let Some(file) = hostile() else { return };
    let desk = Desk::new().with_bars().env("BELLWETHER_KEYS__BINANCE__MAIN__SECRET", "planted");
    let line = |how: &str| {
        format!(
            "backtest --strategy {file} --set strategy.how={how} --data data --instrument test:AAA/USD --interval 1h --no-save"
        )
    };
    desk.fails(&line("loop-in-new"), 3, "instructions in one event");
    desk.done(&line("peek"));
}

#[test]
fn a_file_that_is_no_component_is_refused_and_a_pin_holds_its_content() {
    let desk = Desk::new().with_bars();
    std::fs::write(desk.path("random.wasm"), b"not one").expect("written");
    std::fs::write(desk.path("core.wasm"), [0, b'a', b's', b'm', 1, 0, 0, 0]).expect("written");
    std::fs::write(desk.path("cut.wasm"), [0, b'a', b's', b'm', 0x0d, 0, 1, 0]).expect("written");
    for (file, why) in [
        ("random.wasm", "no WebAssembly component"),
        ("core.wasm", "a core module"),
        ("cut.wasm", "exports nothing"),
        ("absent.wasm", "cannot be read"),
    ] {
        desk.fails(&format!("backtest --strategy ./{file} --data data --interval 1h"), 3, why);
    }
    let Some(file) = hostile() else { return };
    let whole = std::fs::read(file).expect("built");
    std::fs::write(desk.path("half.wasm"), &whole[..whole.len() / 2]).expect("written");
    desk.fails("backtest --strategy ./half.wasm --data data --interval 1h", 3, "damaged");
    let pinned = format!("version = 1\n[[strategy]]\nplugin = {file:?}\nsha256 = \"{}\"\n", "0".repeat(64));
    std::fs::write(desk.path("pinned.toml"), pinned).expect("written");
    desk.fails("backtest --config pinned.toml --data data --interval 1h", 3, "its content has changed");
}

#[test]
fn a_shipped_strategy_makes_the_same_orders_as_a_component() {
    let Some(file) = built("strategies/ema-cross", "ema_cross.wasm") else { return };
    let desk = Desk::new().with_bars();
    let hash = |strategy: &str| {
        let line = format!("backtest --strategy {strategy} {} --json --no-save", crate::desk::RUN);
        desk.json(&line)["run"]["order_hash"].clone()
    };
    let native = hash("ema_cross");
    assert!(native.is_string());
    assert_eq!(hash(file.to_str().expect("text")), native);
}
