//! Stories of sources on bad days: senders that are slow, large, wrong, hostile, early, late or contradict each other.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bellwether::config::{AleoSource, OnConflict, ProcessSource, SourceSettings, TokenMetricsSource, WebhookAuth};

use super::desk::Desk;
use super::server::post;
use super::webhook::{Session, alert, now};

/// What a source counted, from the report.
fn counted(session: Session, source: &str) -> (String, usize) {
    let outcome = session.end().outcome;
    let begins = format!("source {source}: ");
    let note = outcome.notes.iter().find(|n| n.starts_with(&begins)).cloned();
    (note.unwrap_or_else(|| format!("{:?}", outcome.notes)), outcome.orders.len())
}

#[test]
fn a_sender_who_dawdles_is_cut_off_and_others_are_heard_meanwhile() {
    let session = Session::start(|_, _| {});
    session.begun();
    assert_eq!(post(session.address, "", &alert("1", "long", &now())).0, 200);
    let mut slow = TcpStream::connect(session.address).expect("a connection");
    slow.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{").expect("sent");
    let began = Instant::now();
    assert_eq!(post(session.address, "", &alert("2", "flat", &now())).0, 200);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let mut answer = String::new();
    let _ = slow.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let (counts, orders) = counted(session, "tv");
    assert!(counts.contains("slow 1") && orders == 1, "{counts}");
}

#[test]
fn any_other_json_is_read_by_its_map_and_what_it_lacks_is_named() {
    let session = Session::start(|hook, _| {
        hook.auth = WebhookAuth::Header;
        let map =
            [("instrument", "asset.pair"), ("direction", "side"), ("notional", "usd"), ("id", "uuid"), ("stop", "sl")];
        hook.map = map.map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned())).into();
        hook.instruments = [("AAA-USD".to_owned(), "test:AAA/USD".to_owned())].into();
    });
    session.begun();
    let proof = "x-bellwether-secret: open sesame\r\n";
    let good = r#"{"asset":{"pair":"AAA-USD","x":[1,{"y":null}]},"side":"Buy","usd":"250","uuid":"g-1","sl":90.5,"note":"{text}"}"#;
    assert_eq!(post(session.address, "x-bellwether-secret: open barley\r\n", good).0, 401);
    assert_eq!(post(session.address, "", good).0, 401);
    assert_eq!(post(session.address, proof, good).0, 200);
    for (from, to, named) in [
        ("\"uuid\":\"g-1\",", "", "made"),
        ("\"side\":\"Buy\"", "\"direction\":\"Buy\"", "direction"),
        ("\"pair\":\"AAA-USD\"", "\"pair\":\"AAA-EUR\"", "AAA-EUR"),
        ("\"usd\":\"250\"", "\"usd\":\"-250\"", "notional"),
        ("\"usd\":\"250\"", "\"usd\":{\"a\":1}", "number or text"),
        ("\"sl\":90.5", "\"sl\":\"NaN\"", "stop"),
    ] {
        let (status, answer) = post(session.address, proof, &good.replace(from, to).replace("g-1", named));
        assert!(status == 422 && answer.contains(named), "{named}: {status} {answer}");
    }
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    for body in ["[]", "1", "\"x\"", "{", &deep] {
        let status = post(session.address, proof, body).0;
        assert!(status == 422, "{status} {}", &body[..body.len().min(20)]);
    }
    let desk = std::sync::Arc::clone(&session.desk);
    let (counts, orders) = counted(session, "tv");
    assert!(counts.contains("unproven 2") && orders == 1, "{counts}");
    drop(desk);
}

#[test]
fn a_program_that_floods_lies_about_the_time_or_writes_one_endless_line_moves_nothing() {
    let script = r#"
        echo '{"id":"old","instrument":"test:AAA/USD","direction":"long","made":"2020-01-01"}'
        echo '{"id":"ahead","instrument":"test:AAA/USD","direction":"long","made":"2090-01-01"}'
        echo '{"id":"who","instrument":"test:BBB/USD","direction":"long"}'
        head -c 300000 /dev/zero | tr '\0' 'x'; echo
        i=0; while [ $i -lt 200 ]; do echo '{"id":"same","instrument":"test:AAA/USD","direction":"flat"}'; i=$((i+1)); done
        echo '{"id":"good","instrument":"test:AAA/USD","direction":"long","qty":"1","reason":"/stop 000000 {text}"}'
        sleep 30"#;
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    let session = Session::start(|_, settings| {
        let process = ProcessSource { command, age_max_s: 300, silent_max_s: 0 };
        settings.source.insert("mine".to_owned(), SourceSettings::Process(process));
    });
    while !session.line().1.starts_with("order 1 ") {}
    let (counts, orders) = counted(session, "mine");
    for what in ["too_old 1", "from_the_future 1", "unknown_instrument 1", "too_large 1"] {
        assert!(counts.contains(what), "{what}: {counts}");
    }
    assert_eq!(orders, 1);
}

#[test]
fn a_file_of_json_lines_is_heard_when_it_could_be_known_and_its_bad_line_named() {
    let desk = Desk::new();
    let path = desk.folder.path().join("research.jsonl");
    let row = |id: &str, direction: &str, made: &str, received: &str| {
        format!(
            r#"{{"id":"{id}","instrument":"test:AAA/USD","direction":"{direction}","qty":"1","made":"{made}","received":"{received}"}}"#
        )
    };
    let run = |text: &str| {
        std::fs::write(&path, text).expect("written");
        desk.backtest(|s| {
            s.signals.replay.clear();
            let file = bellwether::config::FileSource { path: path.clone(), delay_s: 0 };
            s.source.insert("research".to_owned(), SourceSettings::File(file));
        })
    };
    let at = super::desk::at_hour;
    let good = format!("{}\n{}\n", row("a", "long", &at(3), &at(5)), row("b", "flat", &at(8), &at(8)));
    let outcome = run(&good).expect("a backtest").outcome;
    let times: Vec<_> = outcome.orders.iter().map(|o| o.ts_created).collect();
    assert_eq!(times, [super::desk::ts(5), super::desk::ts(8)]);
    for (bad, words) in [
        (row("c", "long", &at(9), &at(4)), "before"),
        ("{\"instrument\":".to_owned(), "line 3"),
        (row("c", "long", "tomorrow", &at(9)), "tomorrow"),
        (row("c", "long", &at(9), &at(9)).replace("\"qty\"", "\"qtty\""), "qtty"),
    ] {
        let Err(error) = run(&format!("{good}{bad}\n")) else { panic!("{bad} is taken") };
        let said = error.to_string();
        assert!(said.contains(words) && said.contains("research"), "{words}: {said}");
    }
}

#[test]
fn two_sources_that_want_the_opposite_close_or_change_nothing_as_is_set() {
    let desk = Desk::new();
    desk.store("one", &[super::desk::signal("1", "long", 3)]);
    desk.store("two", &[super::desk::signal("1", "short", 6)]);
    let run = |conflict| {
        let set = |s: &mut bellwether::config::Settings| {
            s.signals.replay = vec!["one".to_owned(), "two".to_owned()];
            s.signals.conflict = conflict;
        };
        let outcome = desk.backtest(set).expect("a backtest").outcome;
        outcome.orders.len()
    };
    assert_eq!((run(OnConflict::Flat), run(OnConflict::Hold)), (2, 1));
}

#[test]
fn a_provider_that_never_answers_is_told_and_holds_nobody_up() {
    // It takes connections, as the system does for it, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let session = Session::start(|_, settings| {
        settings.state_dir = Some(settings.data.dir.join("state"));
        let asked = TokenMetricsSource { url: url.clone(), every_s: 1, ..TokenMetricsSource::default() };
        settings.source.insert("tm".to_owned(), SourceSettings::TokenMetrics(asked));
        let chain = AleoSource { url, every_s: 1, ..AleoSource::default() };
        settings.source.insert("chain".to_owned(), SourceSettings::Aleo(chain));
    });
    // Whoever connects waits until somebody listens.
    assert_eq!(post(session.address, "", &alert("1", "long", &now())).0, 200);
    let began = Instant::now();
    assert_eq!(post(session.address, "", &alert("2", "flat", &now())).0, 200);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let mut told = BTreeSet::new();
    while told.len() < 2 {
        let line = session.line().1;
        told.extend(["tm: stale,", "chain: stale,"].into_iter().filter(|word| line.starts_with(word)));
    }
    let (counts, orders) = counted(session, "tm");
    // The second alert undoes an order that is still under way, or closes what it has become.
    assert!(counts.contains("calls_failed 1") && (1..=2).contains(&orders), "{counts}, {orders} orders");
}

#[test]
fn a_program_or_file_that_is_not_there_is_named() {
    let session = Session::start(|_, settings| {
        let command = vec!["/nowhere/my-model".to_owned()];
        let process = ProcessSource { command, age_max_s: 300, silent_max_s: 0 };
        settings.source.insert("mine".to_owned(), SourceSettings::Process(process));
    });
    let said = session.line().1;
    assert!(said.starts_with("mine: starting /nowhere/my-model: ") && said.ends_with("started again in 1 s"), "{said}");
    session.end();
    let desk = Desk::new();
    let run = desk.backtest(|s| {
        s.signals.replay.clear();
        let file = bellwether::config::FileSource { path: "/nowhere/research.csv".into(), delay_s: 0 };
        s.source.insert("research".to_owned(), SourceSettings::File(file));
    });
    let Err(error) = run else { panic!("there is no such file") };
    assert!(error.to_string().contains("/nowhere/research.csv"), "{error}");
}
