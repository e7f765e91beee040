//! Strategies as WebAssembly components, as the command runs them. They are built here, with the target for WebAssembly; where
//! the compiler has none, the stories say that they were skipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

use bellwether::host::Loader;
use bellwether_sdk::{
    Action, Bar, Context, Feature, Instrument, InstrumentId, InstrumentView, Interval, OrderId, OrderState,
    OrderUpdate, Outbox, OwnView, PositionView, Price, Probe, Qty, Quote, Strategy, Ts, View,
};
use bellwether_wasm::{Limits, WasmHost};
use serde_json::Value;

use crate::desk::{Desk, root};

/// Builds a strategy's folder once; `None` where the target is missing.
pub fn built(folder: &str, file: &str) -> Option<PathBuf> {
    built_with(folder, file, &[])
}

/// The same with something in the compiler's environment.
fn built_with(folder: &str, file: &str, env: &[(&str, &str)]) -> Option<PathBuf> {
    let target = root().join("target").join("plugins");
    std::fs::create_dir_all(&target).expect("a folder");
    let out = target.join(file);
    let mut command = Command::new(env!("CARGO_BIN_EXE_bellwether"));
    command.args(["strategy", "build", folder, "--json", "--out"]).arg(&out);
    command.current_dir(root()).env("CARGO_TARGET_DIR", &target).envs(env.iter().copied());
    let answer = command.output().expect("the command runs");
    let said = String::from_utf8_lossy(&answer.stderr);
    if said.contains("the compiler cannot build for") {
        eprintln!("skipped: {said}");
        return None;
    }
    assert!(answer.status.success(), "{said}");
    let told: Value = serde_json::from_slice(&answer.stdout).expect("JSON");
    assert_eq!(told["file"].as_str(), out.to_str());
    Some(out)
}

/// The hostile strategy, and the same that says that it looks at events alone: both at once, since they are built in one
/// place.
fn both() -> Option<&'static (PathBuf, PathBuf)> {
    static BUILT: OnceLock<Option<(PathBuf, PathBuf)>> = OnceLock::new();
    let folder = "tests/plugins/hostile";
    let build = || {
        let blind = built_with(folder, "hostile_blind.wasm", &[("HOSTILE_SIGNAL_ONLY", "1")])?;
        Some((built(folder, "hostile.wasm")?, blind))
    };
    BUILT.get_or_init(build).as_ref()
}

fn hostile() -> Option<&'static str> {
    both()?.0.to_str()
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
        ("loop-in-start", "it took more than 1000 million instructions to start"),
        ("loop-in-tick", "it took more than 200 million instructions in one event"),
        ("loop-in-observe", "it took more than 200 million instructions to tell what it decides by"),
        ("panic", "it panicked"),
        ("recursion", "stack is used up"),
        ("memory", "MiB of memory"),
        ("flood", "more than 10000 things in one event"),
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
    desk.fails(&line("loop-in-new"), 3, "it took more than 5000 million instructions to be made");
    desk.done(&line("peek"));
}

#[test]
fn a_component_names_no_folder_of_its_author() {
    if hostile().is_none() {
        return;
    }
    let desk = Desk::new();
    desk.done("strategy new my-cross");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bellwether"));
    command.args(["strategy", "build", "--offline"]).arg(desk.path("my-cross")).env_remove("CARGO_TARGET_DIR");
    let answer = command.output().expect("the command runs");
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let component = std::fs::read(desk.path("my-cross/my_cross.wasm")).expect("built");
    let folder = desk.path("my-cross");
    let folder = folder.to_str().expect("text").as_bytes();
    assert!(!component.windows(folder.len()).any(|window| window == folder), "the author's folder is in it");
    // What is loaded is compiled: no numbers as text and no sorting where a strategy needs none, of 20 and 5 kB.
    assert!(component.len() < 140_000, "{} bytes", component.len());
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
    let paper = "paper --config pinned.toml --data data --interval 1h --pace 0 --no-save --state-dir state";
    desk.fails(paper, 3, "its content has changed");
    let answer = desk.run(&format!("{paper} --watch"));
    assert!(answer.code == 0 && answer.stderr.contains("taken as it is, since it is watched"), "{answer:?}");
    desk.done("replay last --state-dir state");
}

#[test]
fn a_component_that_traps_in_a_session_is_stopped_alone_and_its_orders_go_or_stay_as_its_policy_says() {
    let Some(file) = hostile() else { return };
    let desk = Desk::new().with_bars();
    let run = |how: &str, on_halt: &str| {
        let settings = format!(
            "version = 1\n[session]\non_stop = \"keep\"\n\
             [[strategy]]\nid = \"good\"\nplugin = \"ema_cross\"\nparams = {{ fast = 5, slow = 20, mode = \"long-only\", qty = 1 }}\n\
             [[strategy]]\nid = \"hostile\"\nplugin = {file:?}\non_halt = {on_halt:?}\nparams = {{ how = {how:?}, qty = 1 }}\n"
        );
        std::fs::write(desk.path("settings.toml"), settings).expect("written");
        let answer = desk.run(
            "paper --config settings.toml --data data --instrument test:AAA/USD --interval 1h --pace 0 --json --no-save \
             --state-dir state",
        );
        let document = serde_json::from_str(&answer.stdout).unwrap_or_else(|e| panic!("{how}: {e}: {answer:?}"));
        desk.done("replay last --state-dir state");
        (trades_of_the_good(&document), desk.done("tape show --effects last --state-dir state"))
    };
    let (expected, calm) = run("well", "cancel");
    assert!(expected.len() > 5 && !calm.contains("halt hostile"), "{calm}");
    // Looked at as a candle ends, which replay does at the same places.
    let (trades, effects) = run("loop-in-observe", "cancel");
    assert_eq!(trades, expected);
    assert!(effects.contains("halt hostile: it took more than 200 million instructions to tell what"), "{effects}");
    for (on_halt, cancelled) in [("cancel", 1), ("keep", 0)] {
        let (trades, effects) = run("panic", on_halt);
        assert_eq!(trades, expected, "{on_halt}");
        let (before, after) = effects.split_once("halt hostile: it panicked").unwrap_or_else(|| panic!("{effects}"));
        // The hostile one's is far from the market.
        let place = before.lines().find(|l| l.contains(" limit 0.01 ")).unwrap_or_else(|| panic!("{before}"));
        let words: Vec<&str> = place.split_whitespace().collect();
        let number = words[words.iter().position(|w| *w == "order").expect("an order") + 1];
        // It is asked for in the moment of the halt, which is told after the commands of that moment.
        let cancel = format!("cancel {number}");
        let count = effects.lines().filter(|l| l.ends_with(&cancel)).count();
        assert_eq!(count, cancelled, "{on_halt}: {number}: {after}");
    }
}

#[test]
fn a_session_whose_watchdog_does_not_wait_for_a_component_is_refused() {
    let Some(file) = hostile() else { return };
    let desk = Desk::new().with_bars();
    let line = |strategy: &str, ms: u64| {
        format!(
            "paper --strategy {strategy} --data data --instrument test:AAA/USD --interval 1h --pace 0 --no-save \
             --set session.hang_ms={ms} --state-dir state"
        )
    };
    desk.fails(&line(file, 5_000), 3, "session.hang_ms = 5000 ends the session before a component");
    for (strategy, ms) in [(file, 5_001), (file, 0), ("ema_cross", 5_000)] {
        desk.done(&line(strategy, ms));
    }
}

/// The same bytes with a word replaced by another of its length.
fn patched(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut out = bytes.to_vec();
    let places: Vec<usize> = (0..bytes.len()).filter(|i| bytes[*i..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty(), "{from} is not in there");
    places.iter().for_each(|at| out[*at..*at + to.len()].copy_from_slice(to.as_bytes()));
    out
}

#[test]
fn a_component_that_is_not_of_the_contract_is_refused_and_told_what_is_wrong() {
    let Some(file) = hostile() else { return };
    let desk = Desk::new();
    let whole = std::fs::read(file).expect("built");
    // A component that does nothing but ask for a function `clock`.
    let asks = b"\0asm\x0d\0\x01\0\x07\x05\x01\x40\0\x01\0\x0a\x0a\x01\0\x05clock\x01\0".to_vec();
    for (bytes, why) in [
        (asks, "it asks for clock; a strategy is given nothing beyond the contract"),
        (patched(&whole, "plugin@1.0.0", "plugin@2.0.0"), "it was made for version 2.0.0 of the contract"),
        (patched(&whole, "plugin@1.0.0", "plugin@1.1.0"), "version 1.1.0 of the contract; this program knows 1.0"),
        (patched(&whole, "bellwether:strategy/", "bellwether:tragedies"), "it is of another world"),
        (patched(&whole, "strategy/plugin", "strategy/pluger"), "it is of another world"),
        (patched(&whole, "on-timer", "on-tiger"), "it does not fit the contract"),
        (patched(&whole, "ts-venue", "ts-vanue"), "it broke the contract: expected record field named ts-venue"),
    ] {
        std::fs::write(desk.path("other.wasm"), bytes).expect("written");
        desk.fails("strategy show ./other.wasm", 3, why);
    }
    let shown = desk.done(&format!("strategy show {file}"));
    assert!(shown.contains("misbehaves as told") && shown.contains("Made for contract 1."), "{shown}");
}

#[test]
fn no_damage_to_a_file_brings_the_command_down() {
    let Some(file) = hostile() else { return };
    let desk = Desk::new();
    let whole = std::fs::read(file).expect("built");
    for n in 0..48_usize {
        // Sections lie at the ends, code in the middle: all of it is hit.
        let mut bytes = whole.clone();
        let at = n * whole.len() / 48 + n;
        bytes[at] ^= 1 << (n % 8);
        bytes.truncate(if n % 3 == 0 { at + 1 } else { whole.len() });
        std::fs::write(desk.path("damaged.wasm"), bytes).expect("written");
        let answer = desk.run("strategy show ./damaged.wasm");
        assert!(matches!(answer.code, 0 | 3), "byte {at}: {answer:?}");
        assert!(n % 3 != 0 || answer.code == 3, "cut at {at}: {answer:?}");
    }
}

#[test]
fn a_state_that_loops_when_it_is_taken_up_is_found_before_anything_trades() {
    let Some(file) = hostile() else { return };
    let desk = Desk::new().with_bars();
    let state = |how: &str| {
        let line = format!("strategy check {file} --set strategy.how={how} --data data --interval 1h --json");
        let answer = desk.run(&line);
        let report: Value = serde_json::from_str(&answer.stdout).unwrap_or_else(|e| panic!("{how}: {e}: {answer:?}"));
        let findings = report["findings"].as_array().expect("findings").clone();
        let of = |check: &str| {
            let one = findings.iter().find(|f| f["check"] == check).unwrap_or_else(|| panic!("{report}"));
            (one["verdict"].clone(), one["found"].to_string())
        };
        // Not a conflict of parameters: at a value that it declares it never comes to be.
        let (verdict, found) = of("parameters");
        assert_eq!((answer.code, verdict), (5, "failed".into()), "{found}");
        assert!(found.contains("loop-in-new is declared and refused") && found.contains("instructions"), "{found}");
        of("state")
    };
    let (verdict, found) = state("well");
    assert_eq!(verdict, "ok", "{found}");
    let (verdict, found) = state("loop-in-restore");
    assert_eq!(verdict, "failed", "{found}");
    assert!(found.contains("instructions"), "{found}");
}

#[test]
fn every_shipped_strategy_passes_the_check_in_both_forms_and_makes_the_same_orders() {
    let desk = Desk::new().at_root();
    let listed = desk.json("strategy list --json");
    for strategy in listed["strategies"].as_array().expect("strategies") {
        let name = strategy["name"].as_str().expect("a name");
        let folder = format!("strategies/{}", name.replace('_', "-"));
        let Some(file) = built(&folder, &format!("{name}.wasm")) else { return };
        let file = file.to_str().expect("text");
        let native = format!("config/strategies/{name}.toml");
        let text = std::fs::read_to_string(root().join(&native)).expect("an example");
        let (plugin, component) = (format!("plugin = {name:?}"), desk.path(&format!("{name}.toml")));
        assert!(text.contains(&plugin), "{name}");
        std::fs::write(&component, text.replace(&plugin, &format!("plugin = {file:?}"))).expect("written");
        let component = component.display().to_string();
        let hash = |config: &str| {
            desk.json(&format!("backtest --config {config} --no-save --json"))["run"]["order_hash"].clone()
        };
        assert_eq!(hash(&component), hash(&native), "{name}");
        for (strategy, config) in [(name, &native), (file, &component)] {
            let checked = desk.json(&format!("strategy check {strategy} --config {config} --json"));
            assert_eq!(checked["ok"], true, "{checked}");
            assert_eq!(checked["order_hash"], hash(&native), "{strategy}");
        }
    }
}

/// A strategy of a component as the engine holds it, called by hand.
struct ByHand {
    strategy: Box<dyn Strategy>,
    view: View,
    own: OwnView,
    out: Outbox,
    bars: i64,
}

impl ByHand {
    fn new(file: &Path, limits: Limits, params: &[(&str, &str)]) -> Self {
        let entry = WasmHost::new(limits, None).and_then(|host| host.load(file.to_str().expect("text"), None));
        let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let instrument = Instrument::inferred(InstrumentId(0), "test:AAA/USD".parse().expect("a symbol"), 2, 3);
        let seen = InstrumentView { instrument, last: Price::ZERO, quote: Quote::default() };
        let mut it = Self {
            strategy: (entry.expect("loaded").make)(&params).expect("made"),
            view: View { instruments: vec![seen], ..View::default() },
            own: OwnView {
                positions: vec![PositionView::default()],
                orders: Vec::new(),
                instruments: vec![InstrumentId(0)],
            },
            out: Outbox { actions: Vec::new(), next_order: 1 },
            bars: 0,
        };
        it.hear(|strategy, ctx| strategy.on_start(ctx));
        it
    }

    fn hear<T>(&mut self, hook: impl FnOnce(&mut dyn Strategy, &mut Context<'_>) -> T) -> T {
        let now = Ts::from_millis(self.bars * 60_000);
        let mut ctx = Context::new(now, InstrumentId(0), &self.view, &self.own, &mut self.out);
        hook(self.strategy.as_mut(), &mut ctx)
    }

    fn next_bar(&mut self) -> Bar {
        self.bars += 1;
        let (price, minute) = (Price::from_mantissa(100), 60_000);
        Bar {
            ts_open: Ts::from_millis((self.bars - 1) * minute),
            ts_close: Ts::from_millis(self.bars * minute),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty::from_mantissa(1),
            interval: Interval::MINUTE,
            instrument: InstrumentId(0),
        }
    }

    /// Lets it hear so many bars, one by one or at once, until it is halted: at which, and why.
    fn bars(&mut self, count: usize, at_once: bool) -> Option<(usize, String)> {
        let mut heard = 0;
        while heard < count {
            heard += if at_once && self.strategy.takes_many() {
                let bars: Vec<Bar> = (heard..count).map(|_| self.next_bar()).collect();
                self.hear(|strategy, ctx| strategy.on_bars(ctx, &bars))
            } else {
                let bar = self.next_bar();
                self.hear(|strategy, ctx| strategy.on_bar(ctx, &bar));
                1
            };
            if let Some(why) = self.halted() {
                return Some((heard, why));
            }
        }
        None
    }

    fn halted(&mut self) -> Option<String> {
        self.out.actions.drain(..).find_map(|action| match action {
            Action::Halt(why) => Some(why.into_owned()),
            _ => None,
        })
    }
}

#[test]
fn events_given_at_once_may_take_as_long_as_one_by_one_and_a_wrong_answer_stops_it_at_its_event() {
    let Some((_, file)) = both() else { return };
    let work = [("how", "work"), ("at", "11"), ("work", "50")];
    let mut measured = ByHand::new(file, Limits::default(), &work);
    assert_eq!(measured.bars(11, false), None);
    let before = measured.strategy.work();
    assert_eq!(measured.bars(1, false), None);
    let one = measured.strategy.work() - before;
    for at_once in [false, true] {
        let limits = |fuel_per_event| Limits { fuel_per_event, ..Limits::default() };
        assert_eq!(ByHand::new(file, limits(2 * one), &work).bars(100, at_once), None, "half of it: {at_once}");
        let halted = ByHand::new(file, limits(one / 2), &work).bars(100, at_once);
        let (at, why) = halted.unwrap_or_else(|| panic!("twice as much: {at_once}"));
        assert!(why.contains("million instructions in"), "{why}");
        // Of events at once it is not known at which it was: it has heard none of them, and asked for nothing since.
        assert_eq!(at, if at_once { 1 } else { 11 }, "{why}");
        let wrong = [("how", "nan-strength"), ("at", "37")];
        let halted = ByHand::new(file, Limits::default(), &wrong).bars(100, at_once);
        assert!(matches!(&halted, Some((37, why)) if why.contains("strength of a signal is NaN")), "{halted:?}");
        let looks = ByHand::new(file, Limits::default(), &[("how", "look"), ("at", "37")]).bars(100, at_once);
        assert!(matches!(&looks, Some((37, why)) if why.contains("it looked at a position")), "{looks:?}");
    }
    // An event over the limit among many that leave room for it: each is counted by itself from then on.
    let limits = Limits { fuel_per_event: one - one / 10, ..Limits::default() };
    let mut once = ByHand::new(file, limits, &work);
    assert_eq!(once.bars(12, true), None);
    assert!(!once.strategy.takes_many());
    assert_eq!(once.bars(12, true).map(|(at, _)| at), Some(1));
}

/// One that works so many thousand rounds in each bar, with a limit by the clock alone.
fn worker(file: &Path, event_ms_max: u64, thousands: u64) -> ByHand {
    let limits = Limits { event_ms_max, fuel_per_event: u64::MAX >> 8, ..Limits::default() };
    ByHand::new(file, limits, &[("how", "work"), ("at", "1"), ("work", &thousands.to_string())])
}

/// Thousands of rounds that take so many milliseconds here and now.
fn rounds_of(file: &Path, ms: u64) -> u64 {
    let mut it = worker(file, 60_000, 50_000);
    let begun = Instant::now();
    assert_eq!(it.bars(1, false), None);
    50_000 * ms / (begun.elapsed().as_millis() as u64).max(1)
}

#[test]
fn the_past_is_heard_in_the_time_of_one_event() {
    let Some((file, _)) = both() else { return };
    // Each takes a sixth of what one may, and there are forty.
    let thousands = rounds_of(file, 50);
    assert_eq!(worker(file, 300, thousands).bars(2, false), None);
    let mut newcomer = worker(file, 300, thousands);
    newcomer.strategy.warms_up(true);
    let halted = newcomer.bars(40, false);
    assert!(matches!(&halted, Some((_, why)) if why == "it took longer than 225 ms to hear of the past"), "{halted:?}");
    let mut taken = worker(file, 300, thousands);
    taken.strategy.warms_up(true);
    taken.strategy.warms_up(false);
    assert_eq!(taken.bars(12, false), None, "each event has its own time again");
}

#[test]
fn what_comes_of_an_event_at_once_is_heard_in_the_time_of_that_event() {
    let Some((file, _)) = both() else { return };
    let made = |ms, thousands| worker(file, ms, thousands);
    let update = |it: &mut ByHand| {
        let (order, ts) = (OrderId(1), Ts::from_millis(it.bars * 60_000));
        let update = OrderUpdate { order, instrument: InstrumentId(0), ts, state: OrderState::Sent, reason: "" };
        it.hear(|strategy, ctx| strategy.on_order(ctx, &update));
        it.halted()
    };
    let mut tries = Vec::new();
    // By the clock on the wall, on a machine that may be busy: each takes a fifth of what an event may, and there are twelve.
    for _ in 0..5 {
        let thousands = rounds_of(file, 80);
        let mut it = made(400, thousands);
        let bar = it.bars(1, false).map(|(_, why)| why);
        it.bars += 1;
        let alone = [bar, update(&mut it), it.bars(1, false).map(|(_, why)| why)];
        let together = (0..12).find_map(|_| update(&mut it));
        if alone == [None, None, None] && together.as_deref() == Some("it took longer than 400 ms in one event") {
            return;
        }
        tries.push((thousands, alone, together));
    }
    panic!("each takes some 80 ms, which is less than an event may, and twelve of one time take more: {tries:?}");
}

#[test]
fn one_that_fails_as_it_is_looked_at_or_saved_is_stopped_at_the_next_event_with_the_reason() {
    let Some((file, _)) = both() else { return };
    let mut looked_at = ByHand::new(file, Limits::default(), &[("how", "loop-in-observe"), ("at", "2")]);
    let (worked, mut probe) = (looked_at.strategy.work(), Probe::default());
    looked_at.strategy.observed(&mut probe);
    assert_eq!(
        (&probe, looked_at.strategy.work()),
        (&Probe::default(), worked),
        "it told nothing yet, and is not asked"
    );
    assert_eq!(looked_at.bars(1, false), None);
    looked_at.strategy.observe(&mut probe);
    assert_eq!(probe.values, [("bars", 1.0)]);
    assert_eq!(looked_at.bars(1, false), None);
    let worked = looked_at.strategy.work();
    let mut last = Probe::default();
    looked_at.strategy.observed(&mut last);
    assert_eq!((last, looked_at.strategy.work()), (probe.clone(), worked), "what it told then");
    looked_at.strategy.observe(&mut probe);
    let why = "it took more than 200 million instructions to tell what it decides by".to_owned();
    assert_eq!(looked_at.strategy.failure(), Some(why.clone()));
    assert_eq!(looked_at.bars(9, false), Some((1, why)));

    let mut saved = ByHand::new(file, Limits::default(), &[("how", "loop-in-save")]);
    assert_eq!(saved.bars(1, false), None);
    assert_eq!(saved.strategy.save(), Vec::<u8>::new());
    let why = "it took more than 500 million instructions to save its state".to_owned();
    assert_eq!(saved.strategy.failure(), Some(why.clone()));
    assert_eq!(saved.strategy.restore(&[0; 8]), Err(why.clone()), "not what the instance that trapped would say");
    assert_eq!(saved.bars(9, false), Some((1, why)));
}

#[test]
fn a_component_sees_features_as_a_native_strategy_does() {
    let Some((file, _)) = both() else { return };
    let mut it = ByHand::new(file, Limits::default(), &[("how", "feature"), ("at", "2")]);
    assert_eq!(it.bars(1, false), None);
    it.view.features.set("fear".into(), None, Feature { value: 20.5, ts: Ts::from_nanos(7) });
    assert_eq!(it.bars(1, false), Some((1, "fear is Some((20.5, 7))".to_owned())));
}

#[test]
fn a_component_that_asks_for_more_than_it_declares_is_refused_by_the_guard_with_the_reason() {
    let Some(file) = built("tests/plugins/bounded", "bounded.wasm") else { return };
    let desk = Desk::new().with_bars();
    desk.done("data import --format csv --instrument test:BBB/USD --interval 1h --data data bars.csv");
    let line = |instrument: &str| {
        let (file, state) = (file.display(), "--state-dir state");
        format!(
            "paper --strategy {file} --data data --instrument {instrument} --interval 1h --pace 0 --json --no-save {state}"
        )
    };
    desk.fails(&line("test:BBB/USD"), 3, "declares that it trades test:AAA/USD only");
    let document = desk.json(&line("test:AAA/USD"));
    let refused: Vec<(&str, u64)> = document["refusals"]
        .as_array()
        .expect("refusals")
        .iter()
        .map(|r| (r["reason"].as_str().unwrap_or_default(), r["count"].as_u64().unwrap_or_default()))
        .collect();
    assert_eq!(refused, [("declared_notional_max", 1), ("kind_undeclared", 1)]);
    let effects = desk.done("tape show --effects last --state-dir state");
    let bought: Vec<&str> = effects.lines().filter(|l| l.contains(" buy ")).collect();
    assert!(bought.len() == 1 && bought[0].contains(" 1 test:AAA/USD market"), "only what it declares left: {effects}");
    desk.done("replay last --state-dir state");
}
