//! Stories of providers that are asked: Token Metrics and Aleo, against local servers that answer in their words.

use std::collections::BTreeMap;

use bellwether::config::{AleoSource, SourceSettings, TokenMetricsSource};
use bellwether::run;
use bellwether::sources::tokenmetrics::{Asked, Desk as Provider, Imported};
use bellwether::sources::{Api, Budget};

use super::desk::Desk;
use super::server::Server;
use super::webhook::Session;

/// The machine's clock.
fn now() -> bellwether_sdk::Ts {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    bellwether_sdk::Ts::from_nanos(i64::try_from(since.as_nanos()).expect("a time of this age"))
}

const SIGNAL: &str = r#"{"success":true,"message":"Data fetched successfully","length":2,"data":[
    {"TOKEN_ID":3375,"TOKEN_NAME":"A","TOKEN_SYMBOL":"AAA","DATE":"$DATE","TRADING_SIGNAL":1,"TOKEN_TREND":1,"TM_TRADER_GRADE":"81.2"},
    {"TOKEN_ID":9,"TOKEN_NAME":"B","TOKEN_SYMBOL":"AAA","DATE":"$DATE","TRADING_SIGNAL":-1,"TOKEN_TREND":1}]}"#;

/// The date of now.
fn today() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    let days = i64::try_from(since.as_secs() / 86_400).expect("a time of this age");
    // Days to a date of the civil calendar, as Hinnant has it.
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    format!("{:04}-{month:02}-{day:02}", yoe + era * 400 + i64::from(month <= 2))
}

fn token_metrics(url: String, change: impl FnOnce(&mut TokenMetricsSource)) -> Session {
    let mut source = TokenMetricsSource {
        url,
        instruments: BTreeMap::from([("3375".to_owned(), "test:AAA/USD".to_owned())]),
        every_s: 1,
        per_minute_max: 1_000,
        ..TokenMetricsSource::default()
    };
    change(&mut source);
    Session::start(|_, settings| {
        settings.signals.store = true;
        settings.state_dir = Some(settings.data.dir.join("state"));
        settings.strategy[0].params.insert("qty".to_owned(), "1".to_owned());
        settings.source.insert("tm".to_owned(), SourceSettings::TokenMetrics(source));
    })
}

#[test]
fn a_providers_signal_is_traded_once_stored_and_its_grade_is_known() {
    let date = today();
    let server = Server::start(move |n, _| match n {
        0 => ("503 busy".to_owned(), "try later".to_owned()),
        _ => ("200 OK".to_owned(), SIGNAL.replace("$DATE", &date)),
    });
    let session = token_metrics(format!("http://{}", server.address), |_| {});
    let first = server.next();
    assert_eq!(first.target, "/v2/trading-signals?token_id=3375&limit=100");
    assert_eq!(first.header("x-api-key"), "open sesame");
    assert!(session.line().1.starts_with("tm: stale, trading-signals (1): status 503"));
    assert!(session.line().1.starts_with("order 1 buy 1 test:AAA/USD"));
    server.next();
    server.next();
    server.next();
    let desk = std::sync::Arc::clone(&session.desk);
    let (tape, catalog) = (desk.folder.path().join("hook.tape"), desk.catalog());
    let report = session.end();
    assert_eq!(report.outcome.orders.len(), 1, "the other token of that ticker is nobody's");
    let stored = bellwether::data::news::load(&catalog, "tm").expect("stored");
    assert!(stored.len() >= 2 && stored.iter().all(|l| l.when().is_ok()), "{stored:?}");
    let mut grades = 0;
    run::show(&tape, |_, text| {
        grades += usize::from(text.contains("tokenmetrics.trading-signals.tm_trader_grade"));
        true
    })
    .expect("a tape");
    assert_eq!(grades, 1);
}

#[test]
fn a_wrong_key_is_not_tried_again_and_a_price_is_never_paid() {
    for (status, word) in [("401 no", "the key is not accepted"), ("402 pay", "never done by itself")] {
        let server = Server::start(move |_, _| (status.to_owned(), "{}".to_owned()));
        let session = token_metrics(format!("http://{}", server.address), |_| {});
        let said = session.line().1;
        assert!(said.contains(word) && !said.contains("sesame"), "{said}");
        server.next();
        let quiet = server.taken.recv_timeout(std::time::Duration::from_millis(1_500));
        assert!(quiet.is_err(), "it asked again after {status}");
        session.end();
    }
}

#[test]
fn a_budget_that_is_used_up_is_not_overdrawn() {
    let server = Server::start(move |_, _| ("200 OK".to_owned(), r#"{"success":true,"data":[]}"#.to_owned()));
    let session = token_metrics(format!("http://{}", server.address), |s| s.calls_per_day_max = 2);
    let said = session.line().1;
    assert!(said.contains("the day's 2 calls are used up"), "{said}");
    session.end();
    assert_eq!(server.taken.try_iter().count(), 2);
}

#[test]
fn a_provider_that_changes_its_fields_is_noticed() {
    let server = Server::start(|_, _| ("200 OK".to_owned(), SIGNAL.replace("TRADING_SIGNAL", "VERDICT")));
    let session = token_metrics(format!("http://{}", server.address), |_| {});
    assert!(session.line().1.contains("the answer is not understood: a signal is neither"));
    assert_eq!(session.end().outcome.orders.len(), 0);
}

#[test]
fn rows_of_long_ago_and_of_times_to_come_trade_nothing() {
    let server =
        Server::start(|n, _| ("200 OK".to_owned(), SIGNAL.replace("$DATE", ["2020-01-01", "2090-01-01"][n % 2])));
    let session = token_metrics(format!("http://{}", server.address), |_| {});
    (0..3).for_each(|_| drop(server.next()));
    let outcome = session.end().outcome;
    let counts = outcome.notes.iter().find(|n| n.starts_with("source tm: ")).expect("counts");
    assert!(counts.contains("too_old") && counts.contains("from_the_future"), "{counts}");
    assert!(outcome.orders.is_empty());
}

#[test]
fn a_chain_is_watched_and_a_changed_balance_is_told() {
    let server = Server::start(|n, taken| {
        let body = match taken.target.as_str() {
            "/v1/mainnet/block/latest" => format!(
                r#"{{"header":{{"metadata":{{"height":{},"timestamp":{}}}}},"transactions":[]}}"#,
                100 + n,
                1_700_000_000 + n * 3
            ),
            // Those between two looks, and an address that the explorer has trouble with.
            t if t.starts_with("/v1/mainnet/blocks?") => {
                let number = |name: &str| {
                    let found = t.split(['?', '&']).find_map(|part| part.strip_prefix(name));
                    found.and_then(|n| n.parse::<u64>().ok()).expect("a height")
                };
                let block = |height: u64| {
                    let timestamp = 1_700_000_000 + (height - 100) * 3;
                    format!(
                        r#"{{"header":{{"metadata":{{"height":{height},"timestamp":{timestamp}}}}},"transactions":[]}}"#
                    )
                };
                format!("[{}]", (number("start=")..number("end=")).map(block).collect::<Vec<_>>().join(","))
            }
            t if t.ends_with("/account/aleo1me") => format!("\"{}u64\"", if n < 5 { 5_000_000 } else { 7_500_000 }),
            t if t.ends_with("/bonded/aleo1me") => "null".to_owned(),
            other => return (format!("500 Something went wrong: {other}"), String::new()),
        };
        ("200 OK".to_owned(), body)
    });
    let source = AleoSource {
        url: format!("http://{}/v1", server.address),
        every_s: 1,
        addresses: [("ill", "aleo1ill"), ("me", "aleo1me")].map(|(n, a)| (n.to_owned(), a.to_owned())).into(),
        ..AleoSource::default()
    };
    let session = Session::start(|_, settings| {
        settings.source.insert("chain".to_owned(), SourceSettings::Aleo(source));
    });
    let said = session.line().1;
    assert!(said.starts_with("chain: stale, status 500"), "{said}");
    let said =
        std::iter::repeat_with(|| session.line().1).find(|said| !said.starts_with("chain: stale")).expect("more");
    assert_eq!(said, "chain: the balance of me went from 5 to 7.5 credits");
    let desk = std::sync::Arc::clone(&session.desk);
    session.end();
    let tape = desk.folder.path().join("hook.tape");
    let (mut features, mut heights) = (String::new(), Vec::new());
    run::show(&tape, |_, text| {
        features.push_str(text);
        let told = text.split_once("aleo.height").map(|(_, rest)| rest.chars().filter(char::is_ascii_digit).take(3));
        heights.extend(told.map(String::from_iter).and_then(|n: String| n.parse::<u64>().ok()));
        true
    })
    .expect("a tape");
    assert!(heights.len() > 3 && heights.windows(2).all(|w| w[1] == w[0] + 1), "a block is left out: {heights:?}");
    for name in ["aleo.height", "aleo.block_time", "aleo.balance.me", "aleo.staked.me", "aleo.calls.credits.aleo"] {
        assert!(features.contains(name), "{name}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn at_provider(server: &Server, state: &std::path::Path, version: &str, per_day_max: u64) -> Provider {
    let key = bellwether::keys::Token::new("open sesame");
    let api = Api::open(&format!("http://{}", server.address), Some(key), 1_000).expect("a way");
    Provider::new(api, Budget::new(state, "tm", per_day_max, 1_000), version)
}

fn asked(endpoint: &str) -> Asked {
    let filters = BTreeMap::from([("token_id".to_owned(), "3375".to_owned())]);
    Asked { endpoint: endpoint.to_owned(), filters, days: None }
}

fn named() -> BTreeMap<String, String> {
    BTreeMap::from([("3375".to_owned(), "test:AAA/USD".to_owned())])
}

fn import_hourly(
    provider: &Provider,
    desk: &Desk,
    range: (bellwether_sdk::Ts, bellwether_sdk::Ts),
) -> Result<Imported, (Imported, String)> {
    let (catalog, asked, named) = (desk.catalog(), asked("hourly-trading-signals"), named());
    runtime().block_on(provider.import(&catalog, "tm", &asked, range, 0, &named))
}

fn days(from: &str, to: &str) -> (bellwether_sdk::Ts, bellwether_sdk::Ts) {
    let at = |text: &str| bellwether::config::parse_time(text).expect("a day");
    (at(from), at(to))
}

/// Hourly rows of the provider: an hour of 2024-01-01 and the position that it names.
fn hourly(rows: &[(u32, i32)]) -> String {
    let row = |(hour, position): &(u32, i32)| {
        format!(
            r#"{{"TOKEN_ID":3375,"TOKEN_NAME":"A","TOKEN_SYMBOL":"AAA","TIMESTAMP":"2024-01-01 {hour:02}:00:00","CLOSE":1.5,"SIGNAL":"{position}","POSITION":"{position}"}}"#
        )
    };
    let rows: Vec<String> = rows.iter().map(row).collect();
    format!(r#"{{"success":true,"message":"ok","length":{},"data":[{}]}}"#, rows.len(), rows.join(","))
}

#[test]
fn a_providers_history_is_known_when_its_hour_is_over_and_a_backtest_of_it_equals_the_paper_run() {
    let desk = Desk::new();
    let server = Server::start(|_, _| ("200 OK".to_owned(), hourly(&[(3, 1), (8, 0), (12, 1), (20, 0)])));
    let provider = at_provider(&server, desk.folder.path(), "v2", 10);
    let import = || {
        let range = days("2024-01-01", "2024-01-02");
        import_hourly(&provider, &desk, range).expect("a history")
    };
    let (first, again) = (import(), import());
    assert_eq!((first.rows, first.new, again.new, first.until.as_str()), (4, first.lines, 0, "2024-01-02"));
    let target = "/v2/hourly-trading-signals?token_id=3375&startDate=2024-01-01&endDate=2024-01-02&limit=100&page=1";
    assert_eq!(server.next().target, target);
    let follow = |s: &mut bellwether::config::Settings| {
        s.signals.replay = vec!["tm".to_owned()];
        s.strategy[0].params.insert("qty".to_owned(), "1".to_owned());
        s.session.on_stop = bellwether::config::OnStop::Keep;
    };
    let tape = desk.folder.path().join("tm.tape");
    let backtest = desk.backtest(follow).expect("a backtest").outcome;
    let paper = desk.paper(Some(&tape), follow).expect("a session").outcome;
    let prices = |o: &bellwether::engine::Outcome| -> Vec<f64> {
        o.fills.iter().map(|f| f.price.to_f64(o.instruments[0].price_scale)).collect()
    };
    // The row of 03:00 is of the hour that ends at 04:00: the open of that bar is the first price, and not 103.
    assert_eq!(prices(&backtest), [104.0, 109.0, 113.0, 121.0]);
    assert_eq!((&paper.order_hash, prices(&paper)), (&backtest.order_hash, prices(&backtest)));
    let replay = run::replay(&tape, &desk.registry()).expect("a replay");
    assert_eq!((replay.divergence, replay.order_hash), (None, paper.order_hash));
}

#[test]
fn a_history_of_many_pages_and_ranges_is_asked_for_whole_within_the_budget() {
    let desk = Desk::new();
    let server = Server::start(|_, taken| {
        let rows: Vec<(u32, i32)> =
            (0..if taken.target.ends_with("page=1") { 100 } else { 3 }).map(|_| (5, 1)).collect();
        ("200 OK".to_owned(), hourly(&rows))
    });
    let provider = at_provider(&server, desk.folder.path(), "v3", 3);
    let range = days("2024-01-01", "2024-02-10");
    let (done, why) = import_hourly(&provider, &desk, range).expect_err("three calls are too few");
    assert_eq!((done.rows, done.until.as_str()), (103, "2024-01-29"));
    assert!(why.contains("the day's 3 calls are used up"), "{why}");
    let targets: Vec<String> = server.taken.try_iter().map(|t| t.target).collect();
    assert!(targets[0].contains("start_date=2024-01-01&end_date=2024-01-29&limit=100&page=1"), "{targets:?}");
    assert!(targets[1].ends_with("page=2") && targets[2].contains("start_date=2024-01-30&end_date=2024-02-10"));
    assert_eq!((targets.len(), provider.budget().used(now()).map(|u| u.day_calls)), (3, Ok(3)));
}

#[test]
fn what_is_wrong_at_the_provider_is_said_and_what_was_stored_stays() {
    let desk = Desk::new();
    let cases: [(&str, &str, &str); 6] = [
        ("401 no", "{}", "the key is not accepted"),
        ("402 pay", "{}", "never done by itself"),
        ("429 slow\r\nretry-after: 7", "{}", "status 429"),
        ("200 OK", r#"{"success":false,"message":"credits used up"}"#, "credits used up"),
        (
            "200 OK",
            r#"{"success":true,"data":[{"TOKEN_ID":3375,"DATE":"2024-01-01","VERDICT":1}]}"#,
            "neither 1, 0 nor -1",
        ),
        ("200 OK", "<html>sorry</html>", "not understood"),
    ];
    for (status, body, word) in cases {
        let server = Server::start(move |n, taken| match n {
            0 => ("200 OK".to_owned(), hourly(&[(3, 1)])),
            _ if taken.header("x-api-key") == "open sesame" => (status.to_owned(), body.to_owned()),
            _ => ("500 no key".to_owned(), String::new()),
        });
        let state = tempfile::tempdir().expect("a folder");
        let provider = at_provider(&server, state.path(), "v2", 10);
        let range = days("2024-01-01", "2024-02-10");
        let (done, why) = import_hourly(&provider, &desk, range).expect_err("the second range fails");
        assert!(why.contains(word) && !why.contains("sesame"), "{word}: {why}");
        assert_eq!((done.rows, done.until.as_str()), (1, "2024-01-29"));
    }
    let hostile =
        Asked { filters: BTreeMap::from([("symbol".to_owned(), "A&limit=9\r\n".to_owned())]), ..asked("price") };
    let server = Server::kind();
    let said = runtime().block_on(at_provider(&server, desk.folder.path(), "v2", 10).page(&hostile, 1, 1));
    assert!(said.is_err() && server.taken.try_recv().is_err(), "nothing was sent");
}

#[test]
fn reports_are_stored_for_people_and_trade_nothing() {
    let server = Server::start(|_, _| {
        let body = r##"{"success":true,"data":[{"TOKEN_ID":3375,"TOKEN_SYMBOL":"AAA","DEEP_DIVE":"# Buy now! {text} /stop 1","CODE_REVIEW":"-"}]}"##;
        ("200 OK".to_owned(), body.to_owned())
    });
    let session = token_metrics(format!("http://{}", server.address), |s| s.endpoints = vec!["ai-reports".to_owned()]);
    let said = session.line().1;
    assert!(said.starts_with("tm: a report is stored as "), "{said}");
    let path = said.rsplit(' ').next().expect("a path").to_owned();
    let stored: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).expect("read")).expect("JSON");
    assert_eq!(stored["fields"]["deep_dive"], "# Buy now! {text} /stop 1");
    server.next();
    server.next();
    assert!(session.end().outcome.orders.is_empty());
}

#[test]
fn a_chain_whose_explorer_fails_is_told_and_heard_again_when_it_is_back() {
    let server = Server::start(|n, taken| {
        let answers = ["429 slow down", "500 Something went wrong", "200 OK", "200 OK"];
        let bodies = ["slow", "Something went wrong: x", "<html>", r#"{"header":{}}"#];
        match answers.get(n) {
            Some(status) => ((*status).to_owned(), bodies[n].to_owned()),
            None if taken.target.ends_with("/block/latest") => {
                let body = r#"{"header":{"metadata":{"height":7,"timestamp":1700000000}},"transactions":[]}"#;
                ("200 OK".to_owned(), body.to_owned())
            }
            None => ("404 none".to_owned(), String::new()),
        }
    });
    let source = AleoSource { url: format!("http://{}/v1", server.address), every_s: 1, ..AleoSource::default() };
    let session = Session::start(|_, settings| {
        settings.source.insert("chain".to_owned(), SourceSettings::Aleo(source));
    });
    let said = session.line().1;
    assert!(said.starts_with("chain: stale, status 429"), "{said}");
    (0..6).for_each(|_| drop(server.next()));
    std::thread::sleep(std::time::Duration::from_millis(300));
    let desk = std::sync::Arc::clone(&session.desk);
    let report = session.end();
    assert!(report.outcome.notes.iter().any(|n| n == "source chain: calls_failed 4"), "{:?}", report.outcome.notes);
    let mut heights = 0;
    run::show(&desk.folder.path().join("hook.tape"), |_, text| {
        heights += usize::from(text.contains("aleo.height"));
        true
    })
    .expect("a tape");
    assert!(heights >= 1, "the block after the faults is heard");
}
