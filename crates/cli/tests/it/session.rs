//! Paper and live sessions: what they trade, what their tapes prove, how they go on, and what they refuse to begin.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::desk::Desk;

/// Paper over the shipped data without waiting; orders are left open at the end, as a backtest leaves them.
const PAPER: &str = "paper --json --pace 0 --set session.on_stop=keep --state-dir";

const BTC: &str = "--instrument binance:BTC/USDT";

/// A session of `FLAGS`: its document.
fn paper(desk: &Desk, state: &str, flags: &str) -> Value {
    desk.json(&format!("{PAPER} {} {flags}", desk.path(state).display()))
}

fn hash(document: &Value) -> &str {
    document["run"]["order_hash"].as_str().expect("an order hash")
}

fn tape(document: &Value) -> PathBuf {
    document["run"]["tape"].as_str().expect("a tape").into()
}

/// The tape's whole frames: where each begins, and where the last one ends.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let (mut at, mut begins) = (8, vec![8]);
    while at + 8 <= bytes.len() {
        at += 8 + u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
        begins.push(at);
    }
    begins
}

fn replay(desk: &Desk, tape: &Path, code: i32) -> Value {
    let answer = desk.run(&format!("replay {} --json", tape.display()));
    assert_eq!(answer.code, code, "{answer:?}");
    serde_json::from_str(&answer.stdout).expect("JSON")
}

#[test]
fn paper_without_waiting_is_the_backtest_for_every_kind_of_data_and_fill_rule() {
    let desk = Desk::new().at_root();
    let bars = "--interval 1h --from 2023-01-01 --to 2023-02-01";
    let trades = "--kind trades --fill-profile trade@1";
    let quotes = "--kind quotes --fill-profile quote@1";
    for strategy in ["ema_cross", "quoter", "bollinger_reversion"] {
        for (data, profile) in [(bars, "next-open@1"), (trades, "trade@1"), (quotes, "quote@1")] {
            let flags = format!("--strategy {strategy} {BTC} {data}");
            let session = paper(&desk, "state", &format!("{flags} --no-save"));
            let backtest = desk.json(&format!("backtest --json --no-save {flags}"));
            assert_eq!(hash(&session), hash(&backtest), "{flags}");
            assert_eq!(session["run"]["fill_profile"], profile, "{flags}");
            assert_eq!(session["fills"], backtest["fills"], "{flags}");
            let made = session["orders"].as_array().map_or(0, Vec::len);
            assert!(made > 0 || strategy == "bollinger_reversion" && data != bars, "{flags}: no order at all");
        }
    }
}

#[test]
fn a_tape_replays_and_shows_what_the_session_did() {
    let desk = Desk::new().at_root();
    let session = paper(&desk, "state", &format!("--strategy quoter {BTC} --kind trades"));
    let path = tape(&session);
    let found = replay(&desk, &path, 0);
    assert_eq!((&found["equal"], &found["mode"], &found["torn_bytes"]), (&true.into(), &"paper".into(), &0.into()));
    assert_eq!(found["order_hash"]["recorded"], session["run"]["order_hash"]);
    assert_eq!(found["order_hash"]["replayed"], session["run"]["order_hash"]);
    let state = desk.path("state").display().to_string();
    let shown = desk.done(&format!("tape show last --state-dir {state}"));
    assert_eq!(shown.lines().count() as u64, found["records"].as_u64().expect("records"));
    assert!(shown.starts_with("0 start paper of version "), "{shown:.100}");
    let effects = desk.done(&format!("tape show {} --effects", path.display()));
    let placed = effects.lines().filter(|l| l.contains(" effect order ")).count();
    assert_eq!(Some(placed), session["orders"].as_array().map(Vec::len), "{effects}");
    assert_eq!(effects.lines().count() as u64, found["effects"].as_u64().expect("effects"));
}

#[test]
fn a_flipped_byte_is_named_by_its_record_and_a_torn_end_is_none() {
    let desk = Desk::new().at_root();
    let path = tape(&paper(&desk, "state", &format!("--strategy quoter {BTC} --kind trades")));
    let bytes = std::fs::read(&path).expect("read");
    let begins = frames(&bytes);
    for number in [0, begins.len() / 2] {
        let mut flipped = bytes.clone();
        flipped[begins[number] + 8] ^= 1;
        let changed = desk.path("flipped.tape");
        std::fs::write(&changed, flipped).expect("written");
        let found = replay(&desk, &changed, 5);
        let why = found["damaged"].as_str().expect("damage");
        assert!(why.contains(&format!("record {number} is damaged")), "{why}");
        assert_eq!(found["equal"], false);
    }
    let torn = desk.path("torn.tape");
    std::fs::write(&torn, &bytes[..begins[begins.len() - 2] + 3]).expect("written");
    let found = replay(&desk, &torn, 0);
    assert_eq!((&found["torn_bytes"], &found["order_hash"]["recorded"]), (&3.into(), &Value::Null));
}

#[test]
fn how_long_each_event_of_stored_data_took_is_kept() {
    let desk = Desk::new().at_root();
    let session = paper(&desk, "state", &format!("--strategy ema_cross {BTC} --kind quotes --no-save"));
    let kept = desk.json(&format!("latency {} --json", tape(&session).display()));
    let stages = kept["stages"].as_array().expect("stages").iter().filter(|s| s["count"] != 0).collect::<Vec<_>>();
    let [decide] = stages.as_slice() else { panic!("{kept}") };
    let read = session["run"]["data"].as_array().into_iter().flatten();
    let rows: u64 = read.filter_map(|series| series["rows"].as_u64()).sum();
    assert!(rows > 1_000 && decide["stage"] == "decide" && decide["count"] == rows, "{rows}: {kept}");
    let [p50, max] = ["p50_ns", "max_ns"].map(|name| decide[name].as_u64().expect("a number"));
    assert!(0 < p50 && p50 <= max, "{kept}");
}

/// A catalog that has grown at its beginning, or has other prices, is not gone on with at another place.
#[test]
fn a_session_does_not_go_on_with_data_that_it_did_not_hear() {
    let desk = Desk::new().with_bars();
    let flags = "--data data --strategy ema_cross --instrument test:AAA/USD --interval 1h --set strategy.qty=1";
    let path = tape(&paper(&desk, "state", flags));
    let bytes = std::fs::read(&path).expect("read");
    let begins = frames(&bytes);
    let resume = format!("{PAPER} {} {flags} --resume {}", desk.path("state").display(), path.display());
    let rows = crate::desk::bars(960);
    let without_third: Vec<&str> = rows.lines().enumerate().filter(|(i, _)| *i != 3).map(|(_, l)| l).collect();
    for (text, goes_on) in [(rows.clone(), true), (without_third.join("\n"), false)] {
        std::fs::write(&path, &bytes[..begins[begins.len() / 2]]).expect("written");
        std::fs::remove_dir_all(desk.path("data")).expect("removed");
        std::fs::write(desk.path("bars.csv"), text).expect("written");
        desk.done("data import --format csv --instrument test:AAA/USD --interval 1h --data data bars.csv");
        if goes_on {
            desk.done(&resume);
        } else {
            desk.fails(&resume, 3, "the catalog was changed since");
        }
    }
}

/// The first seconds of the shipped trades as a session, and then the rest: as if it had not been ended.
#[test]
fn a_session_goes_on_where_its_tape_ended_and_ends_as_if_it_had_not() {
    let desk = Desk::new().at_root();
    let flags = format!("--strategy ema_cross {BTC} --kind trades --set strategy.notional=1000");
    let whole = paper(&desk, "whole", &flags);
    let path = tape(&whole);
    let bytes = std::fs::read(&path).expect("read");
    let begins = frames(&bytes);
    // What a crash in the middle leaves.
    std::fs::write(&path, &bytes[..begins[begins.len() / 2] + 5]).expect("written");
    let resumed = desk.json(&format!("{PAPER} {} {flags} --resume {}", desk.path("whole").display(), path.display()));
    assert_eq!(tape(&resumed), path);
    assert_eq!(hash(&resumed), hash(&whole));
    assert_eq!(resumed["fills"], whole["fills"]);
    assert_eq!(replay(&desk, &path, 0)["order_hash"]["replayed"], whole["run"]["order_hash"]);
    desk.fails(
        &format!("{PAPER} {} {flags} --set strategy.fast=7 --resume {}", desk.path("w2").display(), path.display()),
        3,
        "made with other settings",
    );
}

#[test]
fn live_mode_says_what_is_missing_before_it_begins() {
    let desk = Desk::new().file("near.toml", "[session]\nfeed = \"venue\"\n[venue.binance]\nrest_url = \"http://127.0.0.1:9\"\nmarket_url = \"ws://127.0.0.1:9\"\ntrade_url = \"ws://127.0.0.1:9\"\n");
    let live = format!("live --strategy quoter {BTC}");
    let limits = "--set risk.position_notional_max=20000 --set risk.order_notional_max=15000 \
                  --set risk.orders_per_minute_max=1000 --set risk.daily_loss_max=5000";
    desk.fails(&live, 4, "--i-understand-this-trades-real-money");
    desk.fails(&format!("{live} {limits}"), 4, "live mode places real orders");
    let yes = format!("{live} --i-understand-this-trades-real-money");
    let answer = desk.run(&yes);
    assert_eq!(answer.code, 4, "{answer:?}");
    for limit in ["position_notional_max", "order_notional_max", "orders_per_minute_max", "daily_loss_max"] {
        assert!(answer.stderr.contains(&format!("risk.{limit}")), "{answer:?}");
    }
    let one_missing = limits.replace("--set risk.daily_loss_max=5000", "");
    desk.fails(&format!("{yes} {one_missing}"), 4, "not set: risk.daily_loss_max\n");
    // A venue on this machine needs no yes, but a key.
    let near = format!("{live} {limits} --config near.toml");
    desk.fails(&near, 3, "BELLWETHER_KEY_BINANCE_MAIN_ID");
    desk.fails(&format!("{near} --venue-account second"), 3, "BELLWETHER_KEY_BINANCE_SECOND_ID");
    let with_key = Desk::new()
        .file("near.toml", &std::fs::read_to_string(desk.path("near.toml")).expect("read"))
        .env("BELLWETHER_KEY_BINANCE_MAIN_ID", "id")
        .env("BELLWETHER_KEY_BINANCE_MAIN_SECRET", "secret");
    with_key.fails(&near, 6, "127.0.0.1:9");
}

#[test]
fn a_grid_and_a_tape_of_another_mode_make_no_session() {
    let desk = Desk::new().at_root();
    desk.fails("paper --set strategy.fast=5,10", 2, "a session is one run");
    let path =
        tape(&paper(&desk, "state", &format!("--strategy quoter {BTC} --kind trades --to 2025-03-25T23:08:00Z")));
    let text = desk.path("no.tape");
    std::fs::write(&text, "no tape at all").expect("written");
    desk.fails(&format!("replay {}", text.display()), 3, "no tape of version 01");
    desk.fails("replay nosuch.tape", 3, "nosuch.tape");
    assert!(path.exists());
}

/// `older.tape` was recorded before tapes knew holds, kill switch and what stands aside, with a position open at its end.
#[test]
fn an_older_versions_tape_is_read_and_its_session_goes_on_with_its_position() {
    let desk = Desk::new().at_root();
    let path = desk.path("older.tape");
    std::fs::copy(crate::desk::root().join("crates/cli/tests/fixtures/older.tape"), &path).expect("copied");
    let found = replay(&desk, &path, 0);
    let hash = "4992e0aee912cf8655557f5e339bd40073f69bb5dc93b2cf518839e76b95a5c7";
    assert_eq!((&found["equal"], &found["order_hash"]["recorded"]), (&true.into(), &hash.into()));
    let flags = format!(
        "--strategy buy_and_hold --set strategy.notional=1000 {BTC} --kind trades --to 2025-03-25T23:07:30Z \
         --set risk.position_notional_max=5000"
    );
    let resumed = paper(&desk, "state", &format!("{flags} --resume {}", path.display()));
    assert_eq!(resumed["open_positions"][0]["qty"], "0.011452", "{resumed:.400}");
    assert_eq!(resumed["fills"].as_array().map(Vec::len), Some(1), "it bought again");
    assert_eq!(replay(&desk, &path, 0)["equal"], true);
}

/// `one-file.tape` was recorded before tapes went on in files, with a position and two resting orders at its end.
#[test]
fn a_tape_of_one_file_goes_on_in_several_with_its_position_and_resting_orders() {
    let desk = Desk::new().at_root();
    let path = desk.path("one-file.tape");
    std::fs::copy(crate::desk::root().join("crates/cli/tests/fixtures/one-file.tape"), &path).expect("copied");
    let found = replay(&desk, &path, 0);
    let hash = "b29029c04d1872b17faa23b82d527f892a0771c4b6510a99397b879e042870eb";
    assert_eq!((&found["equal"], &found["order_hash"]["recorded"]), (&true.into(), &hash.into()));
    let before = std::fs::read(&path).expect("read");
    let flags = format!(
        "--strategy quoter --set strategy.half_spread_bps=0.3 --set strategy.requote_bps=0.5 {BTC} --kind trades \
         --to 2025-03-25T23:07:10Z --set risk.position_notional_max=5000"
    );
    // The same settings, its place in the data, and nothing more to hear.
    let resumed = paper(&desk, "state", &format!("{flags} --set session.segment_kib=4 --resume {}", path.display()));
    assert_eq!(resumed["open_positions"][0]["qty"], "0.00251", "{resumed:.400}");
    let resting = |o: &&Value| o["state"] == "acknowledged";
    let ids = |d: &Value| {
        d["orders"].as_array().expect("orders").iter().filter(resting).map(|o| o["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&resumed), [3, 4]);
    assert_eq!(resumed["fills"].as_array().map(Vec::len), Some(1));
    let after = std::fs::read(&path).expect("read");
    assert!(after.starts_with(&before), "what stood there was changed");
    let found = replay(&desk, &path, 0);
    assert_eq!((&found["equal"], &found["order_hash"]["replayed"]), (&true.into(), &resumed["run"]["order_hash"]));
}

#[test]
fn a_session_that_died_is_taken_up_from_its_newest_snapshot() {
    let desk = Desk::new().at_root();
    let flags = format!(
        "--strategy ema_cross {BTC} --kind trades --set strategy.notional=1000 --set session.segment_kib=16 \
         --set session.durability=direct"
    );
    let whole = paper(&desk, "whole", &flags);
    let path = tape(&whole);
    let found = replay(&desk, &path, 0);
    assert_eq!(found["snapshots"]["equal"], 2, "{found}");
    let file = |n: u32| PathBuf::from(format!("{}.{n:04}", path.display()));
    let last = (1..).take_while(|n| file(*n).exists()).last().expect("files");
    assert!(last > 5, "{last} files");
    // What a crash in the middle of the newest file leaves.
    let bytes = std::fs::read(file(last)).expect("read");
    std::fs::write(file(last), &bytes[..bytes.len() / 2]).expect("written");
    let resume = format!("{PAPER} {} {flags} --resume {}", desk.path("whole").display(), path.display());
    let answer = desk.run(&resume);
    assert!(answer.stderr.contains("taken up from the snapshot before record "), "{}", answer.stderr);
    let resumed: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(hash(&resumed), hash(&whole));
    assert_eq!(resumed["fills"], whole["fills"]);
    let found = replay(&desk, &path, 0);
    assert_eq!(found["order_hash"]["replayed"], whole["run"]["order_hash"]);
    // A snapshot that was changed is not believed, and a file that is gone is damage.
    let snapshot = PathBuf::from(format!("{}.snap", file(last).display()));
    let mut bytes = std::fs::read(&snapshot).expect("read");
    bytes[40] ^= 4;
    std::fs::write(&snapshot, &bytes).expect("written");
    let answer = desk.run(&resume);
    assert!(answer.stderr.contains("is not believed: ") && answer.stderr.contains(" is damaged"), "{}", answer.stderr);
    std::fs::remove_file(file(2)).expect("removed");
    let answer = desk.run(&format!("tape verify {}", path.display()));
    assert_eq!(answer.code, 5, "{answer:?}");
    assert!(answer.stdout.contains("the tape goes on in "), "{answer:?}");
}

#[test]
fn tapes_that_are_not_needed_are_named_and_deleted_when_asked() {
    let desk = Desk::new().at_root();
    let flags = format!(
        "--strategy ema_cross {BTC} --kind trades --set session.segment_kib=64 --set session.durability=direct"
    );
    let (ended, died) = (tape(&paper(&desk, "state", &flags)), tape(&paper(&desk, "state", &flags)));
    let bytes = std::fs::read(&died).expect("read");
    std::fs::write(&died, &bytes[..bytes.len() / 2]).expect("written");
    for n in 1.. {
        let file = PathBuf::from(format!("{}.{n:04}", died.display()));
        if std::fs::remove_file(file).is_err() {
            break;
        }
    }
    let prune = format!("tape prune --json --state-dir {}", desk.path("state").display());
    desk.fails("tape prune", 2, "--keep");
    let kept = |answer: &Value, tape: &Path| {
        let rows = answer["tapes"].as_array().expect("tapes");
        let row = rows.iter().find(|r| r["tape"] == tape.display().to_string().as_str()).expect("a row");
        row["kept"].as_str().unwrap_or_default().to_owned()
    };
    let young = desk.json(&format!("{prune} --days 1"));
    assert_eq!(kept(&young, &ended), "not old enough");
    let newest = desk.json(&format!("{prune} --keep 1"));
    assert_eq!((kept(&newest, &died).as_str(), kept(&newest, &ended).as_str()), ("one of the newest 1", ""));
    assert!(ended.exists(), "it was not asked to delete");
    let done = desk.json(&format!("{prune} --keep 0 --yes"));
    assert!(kept(&done, &died).contains("its session did not end"), "{done}");
    let names: Vec<String> = std::fs::read_dir(ended.parent().expect("a folder"))
        .expect("read")
        .map(|e| e.expect("read").path().display().to_string())
        .collect();
    assert!(names.iter().all(|n| n.starts_with(&died.display().to_string())), "{names:?}");
}
