//! What the commands that answer in a line say to programs.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::desk::Desk;

#[test]
fn a_new_strategy_is_told_with_the_commands_that_follow() {
    let desk = Desk::new();
    let told = desk.json("strategy new My-Cross --json");
    let fields = (&told["schema_version"], &told["name"], &told["folder"], &told["component"]);
    assert_eq!(fields, (&json!(1), &json!("my_cross"), &json!("My-Cross"), &json!("my_cross.wasm")));
    let other = desk.done("strategy new my-cross");
    let next = |name: &str| {
        let lines =
            told["next"].as_array().expect("commands").iter().map(|c| format!("  {}\n", c.as_str().expect("text")));
        lines.collect::<String>().replace("My-Cross", name)
    };
    assert!(other.starts_with(&format!("my-cross: written. Next:\n\n{}\nThe bars", next("my-cross"))), "{other}");
}

#[test]
fn signals_that_are_taken_in_are_counted_listed_and_shown() {
    let line = r#"{"made":"2024-01-01T00:00:00Z","instrument":"test:AAA/USD","direction":"long"}"#;
    let desk = Desk::new().file("a.jsonl", &format!("{line}\n"));
    let import = "signals import --name research --data data --json a.jsonl";
    std::fs::create_dir(desk.path("data")).expect("a folder");
    assert_eq!(desk.json(import), json!({"schema_version": 1, "name": "research", "lines": 1, "lines_new": 1}));
    assert_eq!(desk.json(import)["lines_new"], 0);
    let listed = desk.json("signals list --data data --json");
    assert_eq!(listed, json!({"schema_version": 1, "series": [{"name": "research", "lines": 1}]}));
    let shown = desk.json("signals show research --data data --json");
    let lines: Value = serde_json::from_str(&desk.done("signals show research --data data")).expect("one line");
    assert_eq!(shown, json!({"schema_version": 1, "name": "research", "lines": [lines]}));
}

#[test]
fn a_test_message_says_what_came_of_it_and_no_sink_is_an_error() {
    let bad = "[sink.bad]\nkind = \"file\"\nto = \"missing/messages.jsonl\"\n";
    let good = "[sink.good]\nkind = \"file\"\nto = \"messages.jsonl\"\n";
    let desk = Desk::new().file("good.toml", good).file("both.toml", &format!("{good}{bad}"));
    for flags in ["", "chat", "--json"] {
        desk.fails(&format!("notify test {flags}"), 3, "no [sink.NAME]");
        desk.fails(&format!("notify test {flags}"), 3, "[sink.chat]\n  kind = \"file\"");
    }
    desk.fails("notify test other --config good.toml", 3, "the settings have: good");
    let row = |error: Value| json!({"sink": "good", "delivered": error.is_null(), "error": error});
    let told = desk.json("notify test --config good.toml --json");
    assert_eq!(told, json!({"schema_version": 1, "sinks": [row(Value::Null)]}));
    assert_eq!(desk.done("notify test --config good.toml"), "good: delivered\n");
    let answer = desk.run("notify test --config both.toml --json");
    assert_eq!(answer.code, 1, "{answer:?}");
    let told: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    let sinks = told["sinks"].as_array().expect("sinks");
    assert_eq!((sinks.len(), &sinks[0]["delivered"], &sinks[1]), (2, &json!(false), &row(Value::Null)));
    assert!(sinks[0]["error"].as_str().is_some_and(|e| e.contains("missing/messages.jsonl")), "{told}");
    let topics = desk.json("notify topics --json");
    let first = &topics["topics"][0];
    let line = format!("{:<12}{}", first["topic"].as_str().expect("a word"), first["what"].as_str().expect("words"));
    assert!(desk.done("notify topics").starts_with(&line), "{topics}");
}

/// A provider on this machine that answers every request alike.
fn provider(body: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
            let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    format!("http://{at}")
}

#[test]
fn token_metrics_key_and_history_are_told_to_programs() {
    let at = provider(
        r#"{"success":true,"message":"","length":1,"data":[{"TOKEN_ID":3375,"DATE":"2024-01-01","TRADING_SIGNAL":1}]}"#,
    );
    let source = format!(
        "[source.tm]\nkind = \"tokenmetrics\"\nurl = \"{at}\"\ninstruments = {{ \"3375\" = \"test:AAA/USD\" }}\n"
    );
    let desk = Desk::new().file("tm.toml", &source).env("BELLWETHER_KEY_TOKENMETRICS_TM_SECRET", "sesame");
    std::fs::create_dir(desk.path("data")).expect("a folder");
    let told = desk.json("signals tokenmetrics check --config tm.toml --json");
    assert_eq!(told, json!({"schema_version": 1, "source": "tm", "url": at, "version": "v2", "accepted": true}));
    let line = "signals tokenmetrics import --name tm --from 2024-01-01 --to 2024-01-02 --data data --config tm.toml";
    let told = desk.json(&format!("{line} --json"));
    assert_eq!((&told["schema_version"], &told["whole"]), (&json!(1), &json!(true)), "{told}");
    assert!(told["lines_new"].as_u64().is_some_and(|n| n > 0), "{told}");
    assert!(desk.done(line).contains(" 0 of them new"));
}
