//! Stories of providers that are asked: Token Metrics and Aleo, against local servers that answer in their words.

use std::collections::BTreeMap;

use bellwether::config::{AleoSource, SourceSettings, TokenMetricsSource};
use bellwether::run;

use super::server::Server;
use super::webhook::Session;

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
        grades += usize::from(text.contains("tokenmetrics.tm_trader_grade"));
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
fn a_chain_is_watched_and_a_changed_balance_is_told() {
    let server = Server::start(|n, taken| {
        let body = match taken.target.as_str() {
            "/v1/mainnet/block/latest" => format!(
                r#"{{"header":{{"metadata":{{"height":{},"timestamp":{}}}}},"transactions":[]}}"#,
                100 + n,
                1_700_000_000 + n * 3
            ),
            t if t.ends_with("/account/aleo1me") => format!("\"{}u64\"", if n < 5 { 5_000_000 } else { 7_500_000 }),
            t if t.ends_with("/bonded/aleo1me") => "null".to_owned(),
            other => return (format!("500 Something went wrong: {other}"), String::new()),
        };
        ("200 OK".to_owned(), body)
    });
    let source = AleoSource {
        url: format!("http://{}/v1", server.address),
        every_s: 1,
        addresses: BTreeMap::from([("me".to_owned(), "aleo1me".to_owned())]),
        ..AleoSource::default()
    };
    let session = Session::start(|_, settings| {
        settings.source.insert("chain".to_owned(), SourceSettings::Aleo(source));
    });
    let said = session.line().1;
    assert_eq!(said, "chain: the balance of me went from 5 to 7.5 credits");
    let desk = std::sync::Arc::clone(&session.desk);
    session.end();
    let tape = desk.folder.path().join("hook.tape");
    let mut features = String::new();
    run::show(&tape, |_, text| {
        features.push_str(text);
        true
    })
    .expect("a tape");
    for name in ["aleo.height", "aleo.block_time", "aleo.balance.me", "aleo.staked.me", "aleo.calls.credits.aleo"] {
        assert!(features.contains(name), "{name}");
    }
}
