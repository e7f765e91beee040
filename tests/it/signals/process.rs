//! Stories of a program that tells signals on its standard output.

use bellwether::config::{ProcessSource, SourceSettings};

use super::webhook::Session;

fn session(script: &str) -> Session {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    Session::start(|_, settings| {
        let process = ProcessSource { command, age_max_s: 300, silent_max_s: 1 };
        settings.source.insert("mine".to_owned(), SourceSettings::Process(process));
    })
}

const LONG: &str = r#"{"id":"$1","instrument":"test:AAA/USD","direction":"long","qty":"1"}"#;

#[test]
fn a_program_tells_signals_its_nonsense_is_refused_and_it_is_started_again() {
    let line = LONG.replace("$1", "p-1");
    let session = session(&format!("echo nonsense; echo '{line}'; exit 3"));
    let mut said = Vec::new();
    // It is started at least twice, and its second message is the same as its first.
    while said.iter().filter(|l: &&String| l.contains("it ended with")).count() < 2 {
        said.push(session.line().1);
    }
    assert!(said.iter().any(|l| l.starts_with("mine: a message is refused (1)")), "{said:?}");
    assert_eq!(said.iter().filter(|l| l.starts_with("order ")).count(), 1, "{said:?}");
    let report = session.end();
    let counted = report.outcome.notes.iter().find(|n| n.starts_with("source mine: ")).expect("counts");
    assert!(counted.contains("restarts"), "{counted}");
}

#[test]
fn a_program_is_given_no_key_and_its_silence_is_told() {
    let line = LONG.replace("$1", "env-$(env | grep -c -i -E 'key|secret|home')");
    let session = session(&format!("echo \"{}\"; sleep 30", line.replace('"', "\\\"")));
    let mut said = Vec::new();
    while !said.iter().any(|l: &String| l.contains("mine: stale")) {
        said.push(session.line().1);
    }
    let desk = std::sync::Arc::clone(&session.desk);
    session.end();
    let tape = desk.folder.path().join("hook.tape");
    let mut messages = Vec::new();
    bellwether::run::show(&tape, |_, text| {
        messages.extend(text.contains("env-").then(|| text.to_owned()));
        true
    })
    .expect("a tape");
    assert!(messages.len() == 1 && messages[0].contains("\"env-0\""), "{messages:?}");
}
