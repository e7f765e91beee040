//! Strategies changed while their session runs, by the command.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::desk::Desk;

/// Three minutes of stored trades in some nine seconds.
const SESSION: &str =
    "paper --data backtest-data --instrument binance:BTC/USDT --kind trades --pace 20 --json --no-save";

/// A session that runs, by the name that others ask it by.
struct Running<'a> {
    desk: &'a Desk,
    child: Child,
    name: String,
}

impl<'a> Running<'a> {
    fn begin(desk: &'a Desk, rest: &str) -> Self {
        let line = format!("{SESSION} --state-dir {} {rest}", desk.path("state").display());
        let child =
            desk.command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command runs");
        let begun = Instant::now();
        let name = loop {
            let names = std::fs::read_dir(desk.path("state/locks")).into_iter().flatten();
            let lock =
                names.filter_map(|e| Some(e.ok()?.file_name().to_str()?.strip_suffix(".lock")?.to_owned())).next();
            match lock {
                Some(name) => break name,
                None if begun.elapsed() > Duration::from_secs(60) => panic!("the session did not begin"),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        Self { desk, child, name }
    }

    /// A line with the state folder, `SESSION` in it being the session.
    fn line(&self, text: &str) -> String {
        format!("{} --state-dir {}", text.replace("SESSION", &self.name), self.desk.path("state").display())
    }

    /// What it did, and that replay does the same.
    fn end(self) -> (Value, String) {
        let output = self.child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
        let state = format!("--state-dir {}", self.desk.path("state").display());
        self.desk.done(&format!("replay last {state}"));
        (document, self.desk.done(&format!("tape show --effects last {state}")))
    }
}

#[test]
fn parameters_are_set_in_a_session_that_runs_and_what_cannot_be_is_refused() {
    let desk = Desk::new().at_root();
    let session = Running::begin(&desk, "--strategy ema_cross --set strategy.notional=100");
    let done = desk.json(&session.line("strategy set SESSION fast=5 qty=0.01 --operator ann --json"));
    assert_eq!((&done["schema_version"], &done["step"]), (&1.into(), &"kept".into()), "{done}");
    assert!(done["text"].as_str().is_some_and(|t| t.contains("it heard its first event")), "{done}");
    desk.fails(&session.line("strategy set SESSION fast=5"), 4, "runs already");
    desk.fails(&session.line("strategy set SESSION fast=26"), 4, "never cross");
    desk.fails(&session.line("strategy set SESSION speed=9"), 4, "unknown parameter");
    desk.fails(&session.line("strategy set SESSION fast=5 --strategy other"), 4, "no strategy \"other\"");
    desk.fails(&session.line("strategy swap SESSION quoter"), 4, "emits orders");
    desk.fails(&session.line("strategy set paper-none fast=5"), 3, "there are: paper-");
    desk.fails(&session.line("strategy set SESSION fast"), 2, "NAME=VALUE");
    let (_, effects) = session.end();
    let swaps: Vec<&str> = effects.lines().filter(|l| l.contains("swap ema_cross")).collect();
    let [put_in, kept] = swaps.as_slice() else { panic!("{swaps:?}") };
    assert!(put_in.contains("fast=5 qty=0.01; warmed up by") && put_in.contains("asked for by ann"), "{put_in}");
    assert!(kept.contains("kept"), "{kept}");
}

#[cfg(feature = "wasm")]
#[test]
fn a_component_takes_the_place_of_the_native_one_with_its_state_and_replays_when_its_file_is_gone() {
    use crate::plugins::built;
    let Some(built) = built("strategies/ema-cross", "ema_cross.wasm") else { return };
    let params = "--strategy ema_cross --set strategy.fast=5 --set strategy.slow=20 --set strategy.qty=0.01";
    let plain = Desk::new().at_root();
    let (expected, _) = Running::begin(&plain, params).end();
    let desk = Desk::new().at_root();
    let file = desk.path("cross.wasm");
    std::fs::copy(&built, &file).expect("copied");
    let session = Running::begin(&desk, params);
    desk.done(&session.line(&format!("strategy swap SESSION {}", file.display())));
    desk.fails(&session.line(&format!("strategy swap SESSION {}", file.display())), 4, "runs already");
    std::fs::write(desk.path("broken.wasm"), b"not one").expect("written");
    let broken = desk.path("broken.wasm").display().to_string();
    desk.fails(&session.line(&format!("strategy swap SESSION {broken}")), 3, "no WebAssembly component");
    // It runs from memory, and replay from what was kept of it.
    std::fs::remove_file(&file).expect("removed");
    let (document, effects) = session.end();
    assert!(effects.contains("took over a state of"), "{effects}");
    assert_eq!(document["run"]["order_hash"], expected["run"]["order_hash"]);
}

#[cfg(feature = "wasm")]
#[test]
fn with_watch_a_session_takes_a_file_that_changes_and_leaves_one_that_breaks() {
    use crate::plugins::built;
    let Some(first) = built("strategies/ema-cross", "ema_cross.wasm") else { return };
    let Some(second) = built("strategies/macd", "macd.wasm") else { return };
    let desk = Desk::new().at_root();
    let file = desk.path("watched.wasm");
    std::fs::copy(&first, &file).expect("copied");
    let session = Running::begin(&desk, &format!("--watch --strategy {}", file.display()));
    let becomes = |bytes: &[u8]| {
        std::fs::write(desk.path("new"), bytes).expect("written");
        std::fs::rename(desk.path("new"), &file).expect("renamed");
    };
    std::thread::sleep(Duration::from_millis(500));
    becomes(b"not one");
    std::thread::sleep(Duration::from_millis(1_500));
    becomes(&std::fs::read(&second).expect("built"));
    let (_, effects) = session.end();
    let swaps: Vec<&str> = effects.lines().filter(|l| l.contains(" swap ") || l.starts_with("swap ")).collect();
    assert!(swaps.len() == 2 && swaps[0].contains("asked for by --watch"), "{swaps:?}\n{effects}");
    assert!(swaps[0].contains("warmed up by"), "{swaps:?}");
}

/// Native, then a component with its state, then that with other parameters and so without: while the sandbox sends its load,
/// with marks in it by which a lost quote shows (the quantity of the best bid changes four times a second).
#[cfg(all(feature = "wasm", unix))]
#[test]
fn a_component_takes_a_place_under_load_and_no_quote_and_no_resting_order_is_lost() {
    use crate::kill::{at_sandbox_with, live, orders, trading_by};
    use crate::plugins::built;
    use bellwether::tape::{Record, TapeReader};

    // A build that is not optimised takes more than a second to warm a component up by thousands of quotes.
    const RATE: u32 = if cfg!(debug_assertions) { 200 } else { 20_000 };
    let Some(component) = built("strategies/quoter", "quoter.wasm") else { return };
    let (venue, desk) = at_sandbox_with(|s| (s.flood, s.pace) = (RATE, 0.001));
    let line = live("--strategy quoter").replace("--kind trades", "--kind quotes");
    let mut session = trading_by(&desk, &venue, &line);
    let swap = format!("strategy swap binance-main {} --operator ann --state-dir state", component.display());
    assert!(desk.done(&swap).contains("it heard its first event"));
    let set = desk.done("strategy set binance-main half_spread_bps=7 --operator ann --state-dir state");
    assert!(set.contains("resting orders of the one before are cancelled"), "{set}");
    // It quotes on, and some more marks are heard.
    std::thread::sleep(Duration::from_secs(4));
    desk.done("stop --state-dir state");
    assert_eq!(session.ended(), Some(0), "{}", std::fs::read_to_string(desk.path("stderr")).unwrap_or_default());
    assert_eq!(orders(&desk, &venue), 0, "nothing is left behind");
    let effects = desk.done("tape show last --effects --state-dir state");
    let at = effects.find("half_spread_bps=7; warmed up by").unwrap_or_else(|| panic!("{effects}"));
    assert!(effects[..at].contains("took over a state of"), "{effects}");
    assert!(effects[at..].contains(" order "), "it quotes on: {effects}");
    assert_eq!(desk.json("replay last --json --state-dir state")["equal"], true);

    let tapes = std::fs::read_dir(desk.path("state/tapes")).expect("tapes").filter_map(|e| Some(e.ok()?.path()));
    let tape = tapes.filter(|p| p.extension().is_some_and(|e| e == "tape")).max().expect("a tape");
    let mut reader = TapeReader::open(&tape).expect("a tape");
    let (mut one, mut before, mut runs) = (1, 0, vec![0_u32]);
    while let Some((_, record)) = reader.read().expect("a record") {
        match record {
            Record::Start(start) => one = 10_i64.pow(u32::from(start.instruments[0].qty_scale)),
            Record::Quote(quote) if [one, 2 * one].contains(&quote.bid_qty.mantissa()) => {
                let now = quote.bid_qty.mantissa();
                if std::mem::replace(&mut before, now) != now {
                    runs.push(0);
                }
                *runs.last_mut().expect("one") += 1;
            }
            _ => {}
        }
    }
    // Before the first mark it had not yet begun to listen, and after the last it stopped.
    let whole = &runs[2..runs.len() - 1];
    assert!(whole.len() > 10 && whole.iter().all(|run| *run == RATE / 4), "quotes between marks: {runs:?}");
}
