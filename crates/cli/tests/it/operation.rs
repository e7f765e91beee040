//! What an operator asks: is it well, is it whole, does it agree with the venue, can it be brought back.

#![cfg(unix)]

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::desk::Desk;
use crate::kill::{Running, at_sandbox, live, trading, wait_for};

/// A page of this machine: its status line and the rest.
fn page(port: u16, path: &str) -> Option<String> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

#[test]
fn a_live_session_says_how_it_is_and_a_tripped_one_that_it_is_not_ready() {
    let (venue, desk) = at_sandbox();
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let line = live(&format!("--strategy quoter --set session.health_addr=127.0.0.1:{port}"));
    let mut child = Running::start(&desk, &line);
    let began = Instant::now();
    let well = loop {
        let told = page(port, "/health").unwrap_or_default();
        if told.starts_with("HTTP/1.1 200") {
            break told;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "never well: {told}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(well.contains("\"mode\":\"live\"") && well.contains("\"ready\":true"), "{well}");
    let metrics = loop {
        let told = page(port, "/metrics").expect("a page");
        if told.contains("bellwether_feed_age_seconds ") {
            break told;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the feed never said anything: {told}");
        std::thread::sleep(Duration::from_millis(100));
    };
    for name in ["feed_age_seconds", "loop_lag_seconds", "open_orders{state=\"acknowledged\"}", "tape_backlog_bytes"] {
        assert!(metrics.contains(&format!("\nbellwether_{name} ")), "{name} is not in\n{metrics}");
    }
    assert!(metrics.contains("bellwether_guard_level{limit=\"daily_loss_max\"} "), "{metrics}");
    let streams = metrics.lines().find_map(|l| {
        let key = l.strip_prefix("bellwether_key_uses_total{account=\"binance/main\",key=\"env (")?;
        key.split_once("use=\"streams\"} ")?.1.parse::<u64>().ok()
    });
    assert!(streams.is_some_and(|n| n > 0), "its stream was opened with its key: {metrics}");
    desk.done("stop --state-dir state");
    assert_eq!(child.ended(), Some(0));
    drop(venue);
}

#[test]
fn a_statement_agrees_with_the_venue_to_the_last_digit() {
    let (venue, desk) = at_sandbox();
    desk.done(&format!("{} --json --for 6s", live("--strategy buy_and_hold --set strategy.notional=1000")));
    let told = desk.json("statement --json --state-dir state");
    assert_eq!((&told["equal"], &told["different"]), (&true.into(), &0.into()), "{told}");
    assert!(told["fills"].as_u64().is_some_and(|n| n > 0), "nothing was bought: {told}");
    assert_eq!(told["rows"][0]["ours"]["qty"], told["rows"][0]["venue"]["qty"]);
    // A person trades on the account: the session did not.
    let at = format!("--rest-url http://{}", venue.address());
    desk.done(&format!("exchange binance place BTC/USDT --side buy --qty 0.001 {at}"));
    let answer = desk.run("statement --state-dir state --csv fills.csv");
    assert_eq!(answer.code, 5, "{answer:?}");
    assert!(answer.stdout.contains("not in our books"), "{answer:?}");
    let csv = std::fs::read_to_string(desk.path("fills.csv")).expect("written");
    assert!(csv.lines().last().is_some_and(|l| l.contains(",not in our books,fill,")), "{csv}");
}

#[test]
fn money_that_came_in_and_was_left_alone_stands_in_the_statement_beside_the_venues_word() {
    let (venue, desk) = at_sandbox();
    let line = live("--strategy buy_and_hold --set strategy.notional=1000 --foreign leave");
    let child = Running::start(&desk, &line);
    wait_for(&desk, "filled 1 ");
    // The account is looked at once a minute; a session that goes on looks at once.
    drop(child);
    deposit(&venue, "500");
    deposit(&venue, "-20.25");
    let before = desk.run("statement --json --state-dir state");
    assert_eq!(before.code, 5, "nobody left it alone yet: {before:?}");
    let mut child = Running::start(&desk, &format!("{line} --resume last"));
    wait_for(&desk, "reconciliation: USDT: the venue has ");
    wait_for(&desk, "beside this session: left alone");
    desk.done("stop --state-dir state");
    assert_eq!(child.ended(), Some(0));
    let found = desk.json("statement --json --state-dir state");
    let moved = &found["moved"][0];
    assert_eq!(
        (&moved["currency"], &moved["ours"], &moved["venue"]),
        (&"USDT".into(), &"479.75".into(), &"479.75".into())
    );
    assert_eq!((&found["equal"], found["transfers"].as_array().map(Vec::len)), (&true.into(), Some(2)), "{found}");
    assert_eq!(desk.json("replay last --json --state-dir state")["equal"], true);
    let text = desk.done("statement --state-dir state --csv all.csv");
    assert!(text.contains("2 transfers in 1 currencies, 0 different"), "{text}");
    let csv = std::fs::read_to_string(desk.path("all.csv")).expect("written");
    assert!(csv.contains(",withdrawal,-20.25,USDT,"), "{csv}");
    // What came in since is not known to the tape.
    deposit(&venue, "1");
    let answer = desk.run("statement --state-dir state");
    assert_eq!(answer.code, 5, "{answer:?}");
    assert!(
        answer.stdout.contains("the session left 479.75 alone, the venue's transfers come to 480.75"),
        "{answer:?}"
    );
}

/// Money comes in at the venue, or leaves it.
fn deposit(venue: &bellwether::sandbox::Sandbox, amount: &str) {
    let body = format!(r#"{{"asset":"USDT","amount":"{amount}"}}"#);
    let mut stream = std::net::TcpStream::connect(venue.address()).expect("the sandbox");
    let head = format!(
        "POST /sandbox/deposit HTTP/1.1\r\nHost: x\r\nX-Sandbox-Token: {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        venue.token(),
        body.len()
    );
    write!(stream, "{head}{body}").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn the_doctor_finds_what_is_wrong() {
    let (venue, desk) = at_sandbox();
    let line = "doctor --config live.toml --state-dir state --venue binance --json";
    let told = desk.json(line);
    assert_eq!(told["healthy"], true, "{told}");
    let state = |told: &serde_json::Value, what: &str| {
        let rows = told["findings"].as_array().expect("findings").clone();
        let row = rows.into_iter().find(|r| r["what"] == what).unwrap_or_else(|| panic!("no {what} in {told}"));
        row["state"].as_str().expect("text").to_owned()
    };
    for what in ["config", "state folder", "binance key", "binance clock"] {
        assert_eq!(state(&told, what), "ok", "{told}");
    }
    venue.stop().expect("stopped");
    std::fs::write(desk.path("state/STOP"), "").expect("written");
    let answer = desk.run(line);
    assert_eq!(answer.code, 1, "{answer:?}");
    let told = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!((state(&told, "binance clock").as_str(), state(&told, "kill switch").as_str()), ("FAIL", "FAIL"));
}

#[test]
fn a_state_folder_is_kept_and_brought_back_and_its_tapes_are_whole() {
    let desk = Desk::new().at_root();
    let (old, new) = (desk.path("old").display().to_string(), desk.path("new").display().to_string());
    desk.done(&format!("paper --json --pace 0 --strategy quoter --kind trades --state-dir {old}"));
    let file = desk.path("bot.zip").display().to_string();
    let mut kept = desk.json(&format!("state backup {file} --state-dir {old} --json"));
    assert!(kept["files"].as_u64().is_some_and(|n| n > 1), "{kept}");
    assert_eq!((&kept["schema_version"], &kept["file"]), (&1.into(), &json!(file)));
    desk.fails(&format!("state backup {file} --state-dir {old}"), 4, "is there already");
    let restored = desk.json(&format!("state restore {file} --state-dir {new} --json"));
    kept["state_dir"] = json!(new);
    assert_eq!(restored, kept);
    assert_eq!(desk.json(&format!("replay last --json --state-dir {new}"))["equal"], true);
    let found = desk.json(&format!("tape verify --json --state-dir {new}"));
    assert_eq!((&found["damaged"], &found["ended"]), (&serde_json::Value::Null, &true.into()));
    let shown = desk.done(&format!("tape show --json --state-dir {new}"));
    assert_eq!(Some(shown.lines().count() as u64), found["records"].as_u64());
    assert!(shown.starts_with("{\"record\":0,\"text\":\"start paper of version"), "{shown}");
    let lines = desk.done(&format!("tape export --state-dir {new}"));
    assert_eq!(Some(lines.lines().count() as u64), found["records"].as_u64());
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first[1]["Start"]["mode"], "paper");
    let tapes = std::fs::read_dir(desk.path("new/tapes")).expect("tapes");
    let path = tapes.filter_map(|e| Some(e.ok()?.path())).find(|p| p.extension().is_some_and(|x| x == "tape"));
    let path = path.expect("a tape");
    let mut bytes = std::fs::read(&path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&path, bytes).expect("written");
    let answer = desk.run(&format!("tape verify {}", path.display()));
    assert_eq!(answer.code, 5, "{answer:?}");
    assert!(answer.stdout.starts_with("DAMAGED: ") || answer.stdout.contains("no whole record"), "{answer:?}");
}

#[test]
fn what_somebody_else_did_on_the_account_is_noticed_and_left_alone_when_a_person_says_so() {
    let (venue, desk) = at_sandbox();
    let child = trading(&desk, &venue);
    let at = format!("--rest-url http://{}", venue.address());
    desk.done(&format!("exchange binance place BTC/USDT --side buy --qty 0.01 {at}"));
    // The account is looked at once a minute; a session that goes on looks at once.
    drop(child);
    let mut child = Running::start(&desk, &live("--strategy quoter --resume last"));
    wait_for(&desk, "reconciliation: BTC: the venue has ");
    wait_for(&desk, "holds entries: account_not_understood");
    let told = std::fs::read_to_string(desk.path("stderr")).expect("its words");
    assert!(!told.contains("releases entries"), "{told}");
    let armed = desk.json("arm --session binance-main --reason me --state-dir state --json");
    let expected = json!({"schema_version": 1, "armed": ["binance-main"], "stop_file_removed": false});
    assert_eq!(armed, expected);
    wait_for(&desk, "releases entries: account_not_understood");
    let stopped = desk.json("stop --state-dir state --json");
    let expected = json!({"session": "binance-main", "pid": child.0.id(), "ended": true});
    assert_eq!(stopped, json!({"schema_version": 1, "sessions": [expected]}));
    assert_eq!(child.ended(), Some(0));
    assert_eq!(desk.json("replay last --json --state-dir state")["equal"], true);
}
