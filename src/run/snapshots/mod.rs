//! Snapshots are what hearing the tape would have made of a session, for paper and live, wherever they are taken: after them
//! everything comes out the same, to the byte.

mod busy;
mod run;

use std::path::{Path, PathBuf};

use bellwether_sdk::{Instrument, InstrumentId, Interval, Qty, Rate, Ts};

use super::session::{Session, Taping};
use super::tapes::{build, replay_by, resumable};
use crate::config::{Durability, Feed, Settings, StrategySettings};
use crate::engine::Circuit;
use crate::host::Registry;
use crate::tape::{
    InstrumentRecord, MaximaRecord, Mode, Record, Snapshot, Start, TapeReader, Waits, files_of, plain_disk,
    segment_path, snapshot_path,
};
use busy::{Busy, Dice, Silent};
use run::{Run, second, tell};

const SECOND: i64 = 1_000_000_000;

fn registry() -> Registry {
    Registry::new().with::<Busy>().with::<strategy_ema_cross::EmaCross>().with::<Silent>()
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    let strategy = |plugin: &str, params: &[(&str, &str)]| StrategySettings {
        plugin: plugin.to_owned(),
        params: params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..StrategySettings::default()
    };
    let sized = [("fast", "3"), ("slow", "7"), ("mode", "long-short"), ("risk_pct", "1")];
    settings.strategy = vec![strategy("busy", &[]), strategy("ema_cross", &sized)];
    settings.backtest.instruments = instruments().into_iter().map(|i| i.symbol).collect();
    settings.backtest.kinds = ["trades", "quotes", "depth"].map(str::to_owned).to_vec();
    settings.backtest.interval = Some(Interval::from_nanos(SECOND).expect("a second"));
    settings.account.cash = "100000USD".to_owned();
    settings.sim.latency_ms = 300;
    settings.risk.losses_in_row_max = Some(4);
    settings.risk.cooldown_s = 5;
    settings.risk.orders_per_minute_max = Some(100);
    settings.session.durability = Durability::Direct;
    settings.session.feed = Feed::Venue;
    settings.session.orders_kept = 40;
    settings.session.segment_kib = 8;
    settings
}

fn instruments() -> Vec<Instrument> {
    let of =
        |(i, name): (usize, &str)| Instrument::inferred(InstrumentId(i as u16), name.parse().expect("a symbol"), 2, 1);
    ["test:AAA/USD", "test:BBB/USD:USD"].into_iter().enumerate().map(of).collect()
}

fn start(mode: Mode, settings: &Settings) -> Start {
    let kinds = ["trades", "quotes", "depth", "funding"].map(str::to_owned).to_vec();
    let fees = Some((Rate::from_mantissa(100_000_000), Rate::from_mantissa(500_000_000)));
    Start {
        mode,
        session: 1,
        version: "test".to_owned(),
        program: "p".to_owned(),
        created: Ts::from_nanos(0),
        settings: serde_json::to_string(settings).expect("JSON"),
        instruments: instruments().iter().map(|i| InstrumentRecord::new(i, fees, kinds.clone())).collect(),
        place: "a test".to_owned(),
        pace: 0,
        maxima: instruments().iter().map(MaximaRecord::new).collect(),
    }
}

#[test]
fn whoever_takes_up_a_state_goes_on_as_if_it_had_heard_all_before() {
    for mode in [Mode::Paper, Mode::Live] {
        let mut run = Run::new(mode, &settings());
        run.pass(0..400, 25);
        // Of everything there was something.
        for word in
            ["order ", "cancel ", "filled ", "stop ", "limit ", "until ", "guard tripped", "guard armed", "guard holds"]
        {
            assert!(run.count(word) > 0, "{mode:?}: no {word:?}");
        }
        for word in ["unknown ", "adopted order ", "adopted position order "] {
            assert_eq!(run.count(word) > 0, mode == Mode::Live, "{mode:?}: {word}");
        }
        assert!(run.count("funding ") > 0);
        let engine = run.session.circuit.engine();
        assert!(engine.open_orders().count() > 0, "nothing rests at the end");
        assert!(engine.orders().records().iter().any(|o| o.filled > Qty::ZERO && o.filled < o.qty), "no part filled");
        assert_eq!(run.marks.len(), 15);
        let away = run.session.circuit.engine().put_away_counts();
        assert!(away.orders > 0 && away.trades > 0, "nothing was put away: {away:?}");
        run.check();
    }
}

#[test]
fn closed_trades_go_with_the_orders_of_their_time() {
    let mut settings = settings();
    settings.session.orders_kept = 48;
    let mut run = Run::new(Mode::Live, &settings);
    run.pass(0..150, 1_000_000);
    let away = run.session.circuit.engine().put_away_counts();
    let outcome = run.session.finish().expect("an outcome");
    let trades = away.trades + outcome.trades.len() as u64;
    assert!(away.orders > 0 && away.trades > 0 && !outcome.trades.is_empty(), "{away:?}");
    assert!(trades <= settings.session.orders_kept, "{trades} are so many that they would go by their number");
    let last = outcome.orders.iter().map(|o| o.ts_done).max();
    assert!(outcome.trades.last().map(|t| t.exit_ts) >= last.map(|ts| ts.plus(-60 * SECOND)), "the newest stay");
}

/// A tape of a session of so many seconds or more in several files, with its state at the end, and how many they were.
fn taped(mode: Mode, settings: &Settings, dir: &Path, seconds: i64) -> (PathBuf, Vec<u8>, i64) {
    let path = dir.join("t.tape");
    let mut run = Run::new(mode, settings);
    let taping = Taping::new(settings, "p", plain_disk(), Waits::default());
    run.session.begin_tape(&path, &run.start, taping).expect("begun");
    run.pass(0..seconds, 1_000_000);
    // Whoever decides does not wait until a next file is made.
    let mut passed = seconds;
    while Snapshot::segments(&path).len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        run.pass(passed..passed + 50, 1_000_000);
        passed += 50;
    }
    run.session.flush().expect("flushed");
    let state = run.session.state().expect("a state");
    (path, state, passed)
}

fn resumed(path: &Path, mode: Mode, settings: &Settings) -> (Session, Vec<String>) {
    let (_, mut run) = resumable(path, &registry(), settings, mode, "p").expect("resumable");
    let said = run.session.take_lines().into_iter().map(|(_, line)| line).collect();
    (run.session, said)
}

#[test]
fn a_tape_goes_on_in_files_with_snapshots_and_is_taken_up_from_the_newest() {
    for mode in [Mode::Paper, Mode::Live] {
        for durability in [Durability::Staged, Durability::Direct, Durability::Sync] {
            let mut settings = settings();
            settings.session.durability = durability;
            let dir = tempfile::tempdir().expect("a folder");
            let (path, state, _) = taped(mode, &settings, dir.path(), 300);
            let found = Snapshot::segments(&path);
            assert!(segment_path(&path, 2).exists() && found.len() == 2, "{found:?}");
            let replay = replay_by(&path, &registry(), "p").expect("a replay");
            assert!(
                replay.divergence.is_none() && replay.damaged.is_none(),
                "{:?} {:?}",
                replay.divergence,
                replay.damaged
            );
            assert_eq!((replay.snapshots, replay.snapshot_notes.len()), (2, 0));
            assert_eq!(replay.torn, 0);
            let (session, said) = resumed(&path, mode, &settings);
            assert!(said[0].contains("taken up from the snapshot"), "{said:?}");
            assert!(session.state().as_ref() == Ok(&state), "{mode:?} {durability:?} from the newest");
            // Another program hears the whole tape.
            let (_, run) = resumable(&path, &registry(), &settings, mode, "another").expect("resumable");
            assert!(run.session.state().as_ref() == Ok(&state), "{mode:?} {durability:?} from the beginning");
            // Without the newest, the one before; without any, the whole tape.
            for left in [1, 0] {
                std::fs::remove_file(snapshot_path(&path, found[1 - left])).expect("removed");
                let (session, said) = resumed(&path, mode, &settings);
                assert_eq!(said.len(), left, "{said:?}");
                assert!(session.state().as_ref() == Ok(&state), "{mode:?} {durability:?} with {left}");
            }
        }
    }
}

#[test]
fn a_strategy_that_saves_nothing_has_no_snapshot_and_says_so() {
    let mut settings = settings();
    settings.strategy.push(StrategySettings { plugin: "silent".to_owned(), ..StrategySettings::default() });
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("t.tape");
    let mut run = Run::new(Mode::Paper, &settings);
    let taping = Taping::new(&settings, "p", plain_disk(), Waits::default());
    run.session.begin_tape(&path, &run.start, taping).expect("begun");
    run.pass(0..200, 1_000_000);
    assert_eq!(run.count("no snapshot, a resumption hears the whole tape: strategy silent saves no state"), 1);
    assert!(segment_path(&path, 1).exists() && Snapshot::segments(&path).is_empty());
    let hash = run.session.order_hash();
    drop(run);
    let (session, said) = resumed(&path, Mode::Paper, &settings);
    assert_eq!((session.order_hash(), said.len()), (hash, 0));
}

#[test]
fn a_session_that_died_and_goes_on_ends_as_if_it_had_not() {
    for durability in [Durability::Staged, Durability::Direct] {
        let mut settings = settings();
        settings.session.durability = durability;
        let dir = tempfile::tempdir().expect("a folder");
        let (path, _, passed) = taped(Mode::Paper, &settings, dir.path(), 150);
        let mut whole = Run::new(Mode::Paper, &settings);
        whole.pass(0..passed + 150, 1_000_000);
        // In the middle of a record, as a crash leaves it.
        let last = (0..).map(|n| segment_path(&path, n)).take_while(|p| p.exists()).last().expect("a file");
        let mut torn = std::fs::OpenOptions::new().append(true).open(&last).expect("open");
        std::io::Write::write_all(&mut torn, &[9, 0, 0, 0, 1]).expect("written");
        let (reader, run) = resumable(&path, &registry(), &settings, Mode::Paper, "p").expect("resumable");
        let mut again = Run { session: run.session, ..Run::new(Mode::Paper, &settings) };
        let taping = Taping::new(&settings, "p", plain_disk(), Waits::default());
        again.session.resume_tape(reader, &run.start, run.cut, taping).expect("goes on");
        again.pass(passed..passed + 150, 1_000_000);
        assert_eq!(again.session.order_hash(), whole.session.order_hash());
        again.session.finish().expect("ended");
        let replay = replay_by(&path, &registry(), "p").expect("a replay");
        assert!(replay.divergence.is_none() && replay.damaged.is_none() && replay.torn == 0, "{replay:?}");
        assert_eq!((replay.snapshots, replay.recorded_hash), (2, Some(whole.session.order_hash())));
        assert!(Circuit::to_send(&whole.session.circuit).is_empty());
        let left: Vec<PathBuf> = files_of(&path).expect("files");
        assert!(left.iter().all(|p| p.metadata().is_ok_and(|m| m.len() > 24)), "an empty file is left: {left:?}");
    }
}

#[test]
fn a_tape_or_snapshot_with_any_byte_changed_or_cut_anywhere_is_found_out_or_recovered_and_never_believed() {
    let mut settings = settings();
    settings.session.segment_kib = 1;
    settings.strategy.remove(1);
    let dir = tempfile::tempdir().expect("a folder");
    let (path, state, _) = taped(Mode::Paper, &settings, dir.path(), 11);
    assert!(segment_path(&path, 2).exists() && Snapshot::segments(&path).len() == 2);
    // What the session was after each input: all that a tape that is cut may say.
    let mut known = vec![];
    let mut reader = TapeReader::open(&path).expect("open");
    let Some((_, Record::Start(first))) = reader.read().expect("read") else { panic!("no start") };
    let mut session = build(&first, &registry()).expect("a session");
    known.push(session.state().expect("a state"));
    while let Some((_, record)) = reader.read().expect("read") {
        if !matches!(record, Record::Effect(_) | Record::Continued(_)) {
            tell(&mut session, &record);
            known.push(session.state().expect("a state"));
        }
    }
    assert!(known.last() == Some(&state));
    let take_up = || resumable(&path, &registry(), &settings, Mode::Paper, "p");
    for file in files_of(&path).expect("files") {
        let good = std::fs::read(&file).expect("read");
        let number =
            file.to_string_lossy().trim_end_matches(".snap").rsplit_once('.').and_then(|(_, n)| n.parse().ok());
        let is_snapshot = file.extension().is_some_and(|e| e == "snap");
        let is_last = !is_snapshot && file == segment_path(&path, last_segment(&path));
        // Every byte is looked at by whoever reads it; whole sessions are taken up at some places.
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            for (bad, is_cut) in [(bad.as_slice(), false), (&good[..at], true)] {
                std::fs::write(&file, bad).expect("written");
                let what = format!("{} {} at {at}", file.display(), if is_cut { "cut" } else { "changed" });
                if is_snapshot {
                    let read = Snapshot::read(&path, number.expect("a number"));
                    assert!(read.is_err(), "{what} was believed");
                } else {
                    // A tape may end anywhere, and nowhere else than at its end.
                    let read = verify_all(&path);
                    assert!(read.is_err() || is_cut && is_last, "{what} was not found: {read:?}");
                }
                if at % 41 > 0 {
                    continue;
                }
                match take_up() {
                    Ok((_, run)) => {
                        let found = run.session.state().expect("a state");
                        // What stands before a snapshot is not looked at.
                        assert!(found == state || is_cut && is_last && known.contains(&found), "{what}: another state");
                    }
                    Err(why) => assert!(!is_snapshot, "{what}, and nothing else is hurt: {why}"),
                }
            }
        }
        std::fs::remove_file(&file).expect("removed");
        match take_up() {
            Ok((_, run)) => assert!(run.session.state().as_ref() == Ok(&state), "without {}", file.display()),
            Err(_) => assert!(!is_snapshot),
        }
        std::fs::write(&file, &good).expect("written");
    }
    assert!(take_up().is_ok());
}

fn last_segment(path: &Path) -> u32 {
    (0..).take_while(|n| segment_path(path, *n).exists()).last().unwrap_or(0)
}

/// Reads a tape to its end.
fn verify_all(path: &Path) -> Result<u64, String> {
    match super::verify(path) {
        Ok(found) => found.damaged.map_or(Ok(found.records), Err),
        Err(e) => Err(e.to_string()),
    }
}

/// A gigabyte of trades and quotes, with some hundred thousand orders. Takes minutes: `cargo test --release -p bellwether
/// --lib -- --ignored --nocapture gigabyte`.
#[test]
#[ignore = "takes minutes, and is of a release build"]
fn a_tape_of_a_gigabyte_is_taken_up_within_two_seconds() {
    let mut settings = settings();
    settings.strategy[0].params.insert("every".to_owned(), "101".to_owned());
    settings.strategy.remove(1);
    settings.risk = crate::config::RiskSettings::default();
    settings.account.cash = "1000000000USD".to_owned();
    settings.session.segment_kib = Settings::default().session.segment_kib;
    for mode in [Mode::Live, Mode::Paper] {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("t.tape");
        let mut run = Run::new(mode, &settings);
        let taping = Taping::new(&settings, "p", plain_disk(), Waits::default());
        run.session.begin_tape(&path, &run.start, taping).expect("begun");
        let size = || files_of(&path).expect("files").iter().map(|f| f.metadata().map_or(0, |m| m.len())).sum::<u64>();
        let (mut dice, mut price, mut n) = (Dice(3), [1_000_000, 2_000_000], 0);
        while n % 10_000 != 9_999 || size() < 1_000_000_000 {
            for record in second(n, &mut dice, &mut price)
                .into_iter()
                .filter(|r| !matches!(r, Record::News(_) | Record::Hold(..) | Record::Swap(..)))
            {
                run.show_venue(&record);
                run.hear(record);
                run.trade();
            }
            run.session.flush().expect("flushed");
            run.heard.clear();
            run.lines.clear();
            price = price.map(|p| p.clamp(500_000, 5_000_000));
            n += 1;
        }
        let (orders, hash) = (run.session.circuit.engine().orders().records().len(), run.session.order_hash());
        drop(run);
        let snapshot = snapshot_path(&path, Snapshot::segments(&path)[0]).metadata().expect("there").len();
        let begun = std::time::Instant::now();
        let (session, said) = resumed(&path, mode, &settings);
        let took = begun.elapsed();
        eprintln!("{mode:?}: {} bytes, {orders} orders, a snapshot of {snapshot}: {took:?}; {said:?}", size());
        assert_eq!(session.order_hash(), hash);
        let begun = std::time::Instant::now();
        let (_, whole) = resumable(&path, &registry(), &settings, mode, "").expect("resumable");
        eprintln!("{mode:?}: the whole tape: {:?}", begun.elapsed());
        assert!(whole.session.state() == session.state());
        assert!(took.as_secs_f64() < 2.0, "{took:?}");
    }
}
