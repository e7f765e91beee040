//! Stories of signals that come from outside: stored ones in a backtest and in paper mode, on the tape, and what is refused.

pub mod desk;
mod faults;
mod measure;
mod places;
mod process;
mod provider;
pub mod server;
mod sinks;
mod webhook;

use bellwether::config::{Combine, FileSource, OnStop, SourceSettings};
use bellwether::data::news::{self, Line};
use bellwether::run::{self, RunError};

use desk::{Desk, at_hour, signal};

#[test]
fn a_backtest_on_stored_signals_equals_the_paper_run_and_its_tape() {
    let desk = Desk::new();
    desk.store("provider", &[signal("1", "long", 3), signal("2", "flat", 9), signal("3", "long", 20)]);
    let backtest = desk.backtest(|_| {}).expect("a backtest");
    assert_eq!(backtest.outcome.orders.len(), 3);
    let tape = desk.folder.path().join("x.tape");
    let paper = desk.paper(Some(&tape), |s| s.session.on_stop = OnStop::Keep).expect("a session");
    assert_eq!(paper.outcome.order_hash, backtest.outcome.order_hash);
    let replay = run::replay(&tape, &desk.registry()).expect("a replay");
    assert_eq!(replay.divergence, None);
    assert_eq!(replay.order_hash, backtest.outcome.order_hash);
}

#[test]
fn a_signal_is_heard_when_it_could_be_known_and_not_when_it_was_made() {
    let desk = Desk::new();
    let late = signal("1", "long", 3)
        .replace(r#""received":"2024-01-01T03:00:00Z""#, &format!("\"received\":\"{}\"", at_hour(7)));
    desk.store("provider", &[late]);
    let outcome = desk.backtest(|_| {}).expect("a backtest").outcome;
    // Known at the close of the bar of 06:00, it fills at the open of the bar that begins then.
    assert_eq!(outcome.orders[0].ts_created, desk::ts(7));
    assert_eq!(outcome.fills[0].price.to_f64(outcome.instruments[0].price_scale), 107.0);
}

#[test]
fn a_message_acts_once_and_an_expired_one_not_at_all() {
    let desk = Desk::new();
    let expired = signal("3", "long", 8).replace("\"tags\"", &format!("\"expiry\":\"{}\",\"tags\"", at_hour(8)));
    desk.store("provider", &[signal("1", "long", 3), signal("2", "flat", 5), expired]);
    // The same message by another way, later.
    desk.append("provider", &signal("1", "long", 9));
    let outcome = desk.backtest(|_| {}).expect("a backtest").outcome;
    assert_eq!(outcome.orders.len(), 2);
    assert_eq!(desk::dropped(&outcome, "signal_duplicate"), 1);
    assert_eq!(desk::dropped(&outcome, "signal_expired"), 1);
}

#[test]
fn the_more_trusted_source_decides() {
    let desk = Desk::new();
    desk.store("good", &[signal("1", "long", 3)]);
    desk.store("other", &[signal("1", "flat", 4)]);
    let run = |combine| {
        let change = |s: &mut bellwether::config::Settings| {
            s.signals.replay = vec!["other".to_owned(), "good".to_owned()];
            (s.signals.combine, s.signals.order) = (combine, vec!["good".to_owned()]);
        };
        desk.backtest(change).expect("a backtest").outcome
    };
    assert_eq!(run(Combine::Latest).orders.len(), 2);
    let trusted = run(Combine::Priority);
    assert_eq!(trusted.orders.len(), 1);
    assert_eq!(desk::dropped(&trusted, "signal_outranked"), 1);
}

#[test]
fn a_run_that_only_emits_signals_makes_no_order() {
    let desk = Desk::new();
    desk.store("provider", &[signal("1", "long", 3)]);
    let outcome = desk.backtest(|s| s.signals.only = true).expect("a backtest").outcome;
    assert_eq!((outcome.orders.len(), outcome.signals), (0, 1));
}

#[test]
fn a_file_is_a_source_and_a_bad_line_of_it_is_named() {
    let desk = Desk::new();
    let path = desk.folder.path().join("research.csv");
    std::fs::write(&path, format!("instrument,direction,made\ntest:AAA/USD,buy,{}\n", at_hour(2))).expect("written");
    let with_file = |s: &mut bellwether::config::Settings| {
        s.signals.replay.clear();
        let file = FileSource { path: path.clone(), delay_s: 60 };
        s.source.insert("research".to_owned(), SourceSettings::File(file));
    };
    let outcome = desk.backtest(with_file).expect("a backtest").outcome;
    assert_eq!(outcome.orders[0].ts_created, desk::ts(2).plus(60_000_000_000));
    std::fs::write(&path, "instrument,direction,made\ntest:AAA/USD,sideways,2024-01-01\n").expect("written");
    let Err(RunError::Data(said)) = desk.backtest(with_file) else { panic!("sideways is no direction") };
    assert!(said.contains("research.csv") && said.contains("line 2") && said.contains("`sideways`"), "{said}");
}

#[test]
fn a_series_that_is_not_there_is_named_with_those_that_are() {
    let desk = Desk::new();
    desk.store("there", &[signal("1", "long", 3)]);
    let Err(RunError::Data(said)) = desk.backtest(|_| {}) else { panic!("there is no such series") };
    assert_eq!(said, "no stored signals called \"provider\"; there are: there");
}

#[test]
fn an_instrument_of_another_run_is_left_out() {
    let desk = Desk::new();
    let other = signal("1", "long", 3).replace("test:AAA/USD", "test:BBB/USD");
    desk.store("provider", &[other, signal("2", "long", 4)]);
    assert_eq!(desk.backtest(|_| {}).expect("a backtest").outcome.orders.len(), 1);
    assert_eq!(news::load(&desk.catalog(), "provider").expect("read").iter().filter_map(Line::instrument).count(), 2);
}

#[test]
fn every_story_that_the_reliability_page_names_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/reliability.md")).expect("the page");
    let section =
        page.split("## Signals in and out").nth(1).and_then(|s| s.split("\n## ").next()).expect("the section");
    let mut code = String::new();
    let mut folders: Vec<_> =
        ["src/sources", "src/sinks", "tests/it/signals", "tests/signals"].map(|f| root.join(f)).into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => code.push_str(&std::fs::read_to_string(path).unwrap_or_default()),
            }
        }
    }
    let named: Vec<&str> = section.split('`').skip(1).step_by(2).filter(|w| w.matches('_').count() > 3).collect();
    assert!(named.len() > 50, "{}", named.len());
    for story in named {
        assert!(code.contains(&format!("fn {story}(")) || code.contains(&format!("def {story}(")), "{story}");
    }
}
