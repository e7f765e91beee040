//! The kill switch from another terminal, the locks of accounts, and what a tripped guard keeps out.

#![cfg(unix)]

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use bellwether::sandbox::{ApiKey, Sandbox, SandboxSettings};

use crate::desk::{Desk, root};

const LIMITS: &str = "--set risk.position_notional_max=20000 --set risk.order_notional_max=15000 \
                      --set risk.orders_per_minute_max=1000 --set risk.daily_loss_max=5000";

/// A sandbox and a desk whose settings and key lead to it.
pub fn at_sandbox() -> (Sandbox, Desk) {
    at_sandbox_with(|_| {})
}

/// With settings of the sandbox changed.
pub fn at_sandbox_with(change: impl FnOnce(&mut SandboxSettings)) -> (Sandbox, Desk) {
    let mut settings = SandboxSettings {
        data: root().join("backtest-data"),
        instruments: vec!["binance:BTC/USDT".parse().expect("a symbol")],
        pace: 20.0,
        keys: vec![ApiKey::parse("bot:s3cret:read,trade").expect("a key")],
        ..SandboxSettings::default()
    };
    change(&mut settings);
    let venue = Sandbox::start(settings).expect("a sandbox");
    let at = venue.address();
    let settings = format!(
        "[venue.binance]\nrest_url = \"http://{at}\"\nmarket_url = \"ws://{at}\"\naccount_url = \"ws://{at}\"\n\
         trade_url = \"ws://{at}/ws-api/v3\"\n"
    );
    let desk = Desk::new()
        .file("live.toml", &settings)
        .env("BELLWETHER_KEY_BINANCE_MAIN_ID", "bot")
        .env("BELLWETHER_KEY_BINANCE_MAIN_SECRET", "s3cret");
    (venue, desk)
}

pub fn live(flags: &str) -> String {
    format!("live --config live.toml --state-dir state --instrument binance:BTC/USDT --kind trades {LIMITS} {flags}")
}

pub fn orders(desk: &Desk, venue: &Sandbox) -> usize {
    let line = format!("exchange binance orders BTC/USDT --json --rest-url http://{}", venue.address());
    desk.json(&line)["orders"].as_array().expect("orders").len()
}

/// A session's process; it does not outlive its test.
pub struct Running(pub Child);

impl Running {
    pub fn start(desk: &Desk, line: &str) -> Self {
        let told = std::fs::File::create(desk.path("stderr")).expect("a file");
        Self(desk.command(line).stdout(Stdio::null()).stderr(Stdio::from(told)).spawn().expect("started"))
    }

    /// Waits for its end; its exit code.
    pub fn ended(&mut self) -> Option<i32> {
        self.0.wait().expect("it ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a session says something.
pub fn wait_for(desk: &Desk, text: &str) {
    let told = || std::fs::read_to_string(desk.path("stderr")).unwrap_or_default();
    let began = Instant::now();
    while !told().contains(text) {
        assert!(began.elapsed() < Duration::from_secs(60), "it never says {text:?}: {}", told());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Starts a session and waits until it has an order at the venue.
pub fn trading(desk: &Desk, venue: &Sandbox) -> Running {
    trading_by(desk, venue, &live("--strategy quoter"))
}

/// The same by another line.
pub fn trading_by(desk: &Desk, venue: &Sandbox, line: &str) -> Running {
    let mut child = Running::start(desk, line);
    let began = Instant::now();
    while orders(desk, venue) == 0 {
        let told = || std::fs::read_to_string(desk.path("stderr")).unwrap_or_default();
        assert!(child.0.try_wait().expect("a look").is_none(), "it ended: {}", told());
        assert!(began.elapsed() < Duration::from_secs(60), "no order within a minute: {}", told());
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

#[test]
fn the_kill_switch_leaves_no_order_and_bars_the_account_until_a_person_arms_it() {
    let (venue, desk) = at_sandbox();
    let mut child = trading(&desk, &venue);
    // One account, one session.
    desk.fails(&live("--strategy quoter --for 1s"), 4, "one account, one session");
    let stopped = desk.done("stop --now --reason drill --operator ann --state-dir state");
    assert_eq!(stopped.trim(), "stopped: binance-main");
    assert_eq!(child.ended(), Some(0));
    assert_eq!(orders(&desk, &venue), 0);
    let tape = desk.done("tape show last --state-dir state");
    assert!(tape.contains("Kill(false, \"ann\", \"drill\""), "{tape}");
    assert!(tape.contains("effect guard tripped kill_switch: cancel_all"), "{tape}");
    assert_eq!(desk.json("replay last --json --state-dir state")["equal"], true);
    desk.fails(&live("--strategy quoter --for 1s"), 4, "the kill switch was pulled; look at it");
    assert_eq!(desk.done("arm --reason drilled --state-dir state").trim(), "armed: binance-main");
    desk.done(&format!("{} --json --for 3s", live("--strategy quoter")));
    let tape = desk.done("tape show last --state-dir state");
    assert!(tape.contains("Arm(") && tape.contains("\"drilled\""), "{tape}");
    desk.fails("stop --state-dir state", 3, "no session runs");
}

#[test]
fn the_file_stop_with_flatten_closes_what_is_held() {
    let (venue, desk) = at_sandbox();
    let line = live("--strategy buy_and_hold --set strategy.notional=1000");
    let mut child = Running::start(&desk, &line);
    let held = || {
        let line = format!("exchange binance balances --json --rest-url http://{}", venue.address());
        let rows = desk.json(&line)["balances"].as_array().expect("balances").clone();
        rows.iter().any(|r| r["currency"] == "BTC" && r["total"] != "0")
    };
    let before = held();
    assert!(!before, "the account holds BTC before anything was bought");
    let began = Instant::now();
    while !held() {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing was bought within a minute");
        std::thread::sleep(Duration::from_millis(100));
    }
    std::fs::write(desk.path("state/STOP"), "flatten").expect("written");
    assert_eq!(child.ended(), Some(0));
    let tape = desk.done("tape show last --effects --state-dir state");
    assert!(tape.contains("market gtc guard reduce_only"), "{tape}");
    desk.fails(&line, 4, "the kill switch was pulled");
    desk.done("arm --reason drilled --state-dir state");
    assert!(!desk.path("state/STOP").exists());
}

#[test]
fn a_signal_stops_a_paper_session_at_once() {
    let desk = Desk::new().at_root();
    let state = desk.path("state").display().to_string();
    let mut child = Running::start(&desk, &format!("paper --pace 1 --state-dir {state}"));
    let began = Instant::now();
    while !desk.path("state/locks").exists() || began.elapsed() < Duration::from_secs(2) {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not begin");
        std::thread::sleep(Duration::from_millis(50));
    }
    let sent = std::process::Command::new("kill").args(["-USR1", &child.0.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    assert_eq!(child.ended(), Some(0));
    let tape = desk.done(&format!("tape show last --state-dir {state}"));
    assert!(tape.contains("Kill(false, \"signal\""), "{tape}");
}
