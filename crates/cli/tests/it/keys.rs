//! Stories of `keys`: what an operator types, with the sandbox as the venue.

use std::io::Write;
use std::process::Stdio;

use bellwether::sandbox::{ApiKey, Sandbox, SandboxSettings};

use crate::desk::{Desk, root};

const SECRET: &str = "hunter2-hunter2-hunter2-hunter2";

/// A venue with a key for trading, one for reading, and one that could withdraw.
fn sandbox() -> Sandbox {
    let key = |id: &str, perms: &str| ApiKey::parse(&format!("{id}:{SECRET}:{perms}")).expect("a key");
    Sandbox::start(SandboxSettings {
        data: root().join("backtest-data"),
        instruments: vec!["binance:BTC/USDT".parse().expect("a symbol")],
        pace: 0.0,
        keys: vec![
            key("key-that-trades", "read,trade"),
            key("key-that-reads", "read"),
            key("key-that-takes", "read,trade,withdraw"),
        ],
        ..SandboxSettings::default()
    })
    .expect("a sandbox")
}

fn desk(venue: &Sandbox, keys: &str) -> Desk {
    let at = format!("[venue.binance]\nrest_url = \"http://{}\"\n{keys}", venue.address());
    Desk::new().file("keys.toml", &at)
}

/// Adds a key as `file:NAME.json`, its secret on standard input.
fn add(desk: &Desk, name: &str, id: &str) {
    let line =
        format!("keys add binance/{name} --id {id} --source file:{name}.json --config keys.toml --state-dir state");
    let mut command = desk.command(&line);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("started");
    child.stdin.take().expect("an input").write_all(format!("{SECRET}\n").as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ended");
    let told = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success() && told.contains("[[key]]") && !told.contains(SECRET), "{told}");
}

fn entry(name: &str, scope: &str) -> String {
    format!("[[key]]\naccount = \"binance/{name}\"\nscope = \"{scope}\"\nsource = \"file:{name}.json\"\n")
}

#[test]
fn a_key_is_added_checked_and_refused_where_it_may_do_too_much_or_too_little() {
    let venue = sandbox();
    let keys =
        [entry("main", "trade"), entry("second", "read"), entry("third", "read"), entry("fourth", "trade")].concat();
    let desk = desk(&venue, &keys);
    for (name, id) in [
        ("main", "key-that-trades"),
        ("second", "key-that-trades"),
        ("third", "key-that-takes"),
        ("fourth", "key-that-reads"),
    ] {
        add(&desk, name, id);
    }
    let on = "--config keys.toml --state-dir state";
    assert_eq!(desk.json(&format!("keys list --json {on}"))["keys"].as_array().map(Vec::len), Some(4));
    let told = desk.json(&format!("keys check binance/main --json {on}"));
    assert_eq!((&told["fit"], &told["keys"][0]["trial_order"]), (&true.into(), &"taken".into()), "{told}");
    let reads = desk.json(&format!("keys check binance/second --json {on}"));
    assert!(reads["keys"][0]["detail"].as_str().is_some_and(|d| d.contains("only for reading")), "{reads}");
    for (name, why) in [("third", "may withdraw or transfer"), ("fourth", "does not take it")] {
        let answer = desk.run(&format!("keys check binance/{name} --accept-unknown-scopes {on}"));
        assert!(answer.code == 4 && answer.stdout.contains(why), "{answer:?}");
    }
    let audit = desk.json(&format!("keys audit --json {on}"));
    let events: Vec<&str> =
        audit["entries"].as_array().expect("events").iter().filter_map(|e| e["event"].as_str()).collect();
    assert_eq!(events, ["added", "added", "added", "added", "probed", "probed", "rejected", "rejected"]);
    let head = audit["head"].as_str().expect("a head");
    desk.done(&format!("keys audit --verify --head {head} {on}"));
    desk.fails(&format!("keys audit --verify --head {} {on}", "1".repeat(64)), 5, "does not have the head");
    for file in ["main.json", "state/audit/keys.jsonl"] {
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(desk.path(file)).expect("there").permissions());
        assert_eq!(mode & 0o077, 0, "{file} is open to others");
    }
}

#[test]
fn a_key_of_the_environment_is_listed_and_checked_and_no_key_is_not_a_fit_one() {
    let venue = sandbox();
    let desk = desk(&venue, "");
    let on = "--config keys.toml --state-dir state";
    desk.fails(&format!("keys check {on}"), 3, "there is no key");
    let desk =
        desk.env("BELLWETHER_KEY_BINANCE_MAIN_ID", "key-that-trades").env("BELLWETHER_KEY_BINANCE_MAIN_SECRET", SECRET);
    assert_eq!(desk.json(&format!("keys list --json {on}"))["keys"][0]["account"], "binance/main");
    assert_eq!(desk.json(&format!("keys check --json {on}"))["keys"][0]["fit"], true);
}

#[test]
fn a_missing_secret_without_a_terminal_is_a_matter_of_usage_and_no_prompt() {
    let desk = Desk::new();
    let mut command = desk.command("keys add binance/main --id a --source file:k.json --state-dir state");
    let output = command.stdin(Stdio::null()).output().expect("ended");
    let told = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.code() == Some(2) && told.contains("--secret-file"), "{told}");
    assert!(!desk.path("k.json").exists());
    desk.fails("keys revoke binance/main --state-dir state", 2, "--now");
}

#[test]
fn a_secret_in_the_settings_is_refused_and_not_shown() {
    let bad = [
        format!("source = \"{SECRET}\""),
        format!("source = \"file:k\"\nsecret = \"{SECRET}\""),
        format!("source = \"file:k\"\nscope = \"{SECRET}\""),
    ];
    for (text, said) in bad.iter().zip(["file:PATH", "unknown key", "scope"]) {
        let desk = Desk::new().file("keys.toml", &format!("[[key]]\naccount = \"binance/main\"\n{text}\n"));
        let answer = desk.run("keys list --config keys.toml --state-dir state");
        assert!(answer.code == 3 && answer.stderr.contains(said), "{answer:?}");
        assert!(!answer.stderr.contains(SECRET), "{answer:?}");
    }
}

#[test]
fn settings_are_shown_with_the_places_of_keys_and_without_a_key() {
    let desk = Desk::new().file("keys.toml", &entry("main", "trade"));
    let shown = desk.done("config show --config keys.toml");
    assert!(shown.contains("source = \"file:main.json\""), "{shown}");
}

#[test]
fn a_live_session_does_not_start_without_its_key_or_with_one_that_could_withdraw_or_has_expired() {
    let venue = sandbox();
    let at = venue.address();
    let keys = entry("main", "trade");
    let more = format!("market_url = \"ws://{at}\"\ntrade_url = \"ws://{at}/ws-api/v3\"\n{keys}");
    let desk = desk(&venue, &more);
    let limits = "--set risk.position_notional_max=20000 --set risk.order_notional_max=15000 \
                  --set risk.orders_per_minute_max=1000 --set risk.daily_loss_max=5000";
    let live = format!(
        "live --strategy quoter --kind quotes --instrument binance:BTC/USDT {limits} --config keys.toml --state-dir state"
    );
    desk.fails(&live, 3, "main.json: No such file");
    add(&desk, "main", "key-that-takes");
    desk.fails(&live, 4, "may withdraw or transfer");
    let ended = format!(r#"{{"id": "key-that-trades", "secret": "{SECRET}", "expires": "2026-01-01T00:00:00Z"}}"#);
    // The file keeps the mode that it was made with.
    std::fs::write(desk.path("main.json"), ended).expect("written");
    desk.fails(&live, 4, "it has expired, as its source says");
}
