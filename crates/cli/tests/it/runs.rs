//! What is kept of a run, and what can be done with it.

use crate::desk::{Desk, RUN};

#[test]
fn a_run_is_kept_listed_shown_exported_and_verified() {
    let desk = Desk::new().with_bars();
    let made = desk.json(&format!("backtest {RUN} --json"));
    let id = made["run"]["id"].as_str().expect("an id");
    let listed = desk.json("runs list --json");
    assert_eq!(listed["runs"][0]["id"], id);
    assert!(desk.done("runs list").contains(id));
    assert_eq!(desk.json("runs show last --json"), made);
    assert!(desk.done(&format!("runs show {id}")).contains("Summary"));
    let csv = desk.done("runs export last --table trades");
    assert_eq!(csv.lines().count(), made["trades"].as_array().expect("trades").len() + 1);
    for table in ["fills", "orders", "equity"] {
        desk.done(&format!("runs export {id} --table {table} --format parquet --out {table}.parquet"));
        let bytes = std::fs::read(desk.path(&format!("{table}.parquet"))).expect("the file");
        assert_eq!(&bytes[..4], b"PAR1");
    }
    assert!(desk.done("verify last").contains(": equal; "));
    assert_eq!(desk.json("verify last --json")["equal"], true);
}

#[cfg(unix)]
#[test]
fn the_state_folder_is_the_owners_alone_and_where_it_was_asked_for() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new().with_bars();
    desk.done(&format!("backtest {RUN} --state-dir deep/state"));
    let mode = std::fs::metadata(desk.path("deep/state")).expect("the folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(desk.json("runs list --json --state-dir deep/state")["runs"].as_array().map(Vec::len), Some(1));
    desk.done(&format!("backtest {RUN}"));
    assert!(desk.path("home/.local/state/bellwether/runs").is_dir());
    let xdg = desk.path("xdg").display().to_string();
    let desk = desk.env("XDG_STATE_HOME", &xdg);
    desk.done(&format!("backtest {RUN}"));
    assert!(desk.path("xdg/bellwether/runs").is_dir());
    let desk = desk.file("plain", "");
    desk.fails(&format!("backtest {RUN} --state-dir plain/state"), 1, "opening the state folder plain/state: ");
}

#[test]
fn runs_that_differ_compare_as_different_with_exit_5() {
    let desk = Desk::new().with_bars();
    let other = format!("backtest {RUN} --set strategy.slow=30 --json");
    for (name, line) in [("a.json", format!("backtest {RUN} --json")), ("b.json", other)] {
        std::fs::write(desk.path(name), desk.done(&line)).expect("written");
    }
    desk.done("compare a.json a.json");
    let answer = desk.run("compare a.json b.json");
    assert_eq!(answer.code, 5, "{answer:?}");
    assert!(answer.stdout.contains("different"), "{answer:?}");
    let answer = desk.run("compare a.json last --json");
    assert_eq!(answer.code, 5, "{answer:?}");
    let told: serde_json::Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(told["comparison"]["equal"], false);
}

#[test]
fn verify_tells_changed_data_from_equal_data() {
    let desk = Desk::new().with_bars();
    desk.done(&format!("backtest {RUN}"));
    // The same hours at other prices.
    let other: String =
        crate::desk::bars(1000).lines().filter(|l| !l.ends_with("999")).fold(String::new(), |mut all, line| {
            all.push_str(&line.replace(",10", ",11"));
            all.push('\n');
            all
        });
    let desk = desk.file("other.csv", &other);
    desk.done("data import --format csv --instrument test:AAA/USD --interval 1h --data moved other.csv");
    let answer = desk.run("verify last --data moved");
    assert_eq!(answer.code, 5, "{answer:?}");
    assert!(answer.stdout.contains("DIFFERENT orders"), "{answer:?}");
    assert!(answer.stdout.contains("note: the data changed"), "{answer:?}");
    desk.fails("verify last --data nowhere", 3, "nowhere");
}

#[test]
fn a_run_that_is_not_there_or_does_not_read_is_bad_data() {
    let desk =
        Desk::new().file("torn.json", "{\"schema_version\": 1, \"run\": ").file("new.json", "{\"schema_version\": 99}");
    for line in ["runs show last", "verify last", "compare last last", "runs export nobody"] {
        desk.fails(line, 3, "no run ");
    }
    desk.fails("runs show torn.json", 3, "torn.json");
    desk.fails("verify new.json", 3, "schema_version 99");
    desk.fails("runs show ../etc", 3, "help: ");
}

#[test]
fn the_days_of_a_run_are_a_table() {
    let desk = Desk::new().with_bars();
    let run = desk.json(&format!("backtest {RUN} --json"));
    let days = desk.done("runs export last --table daily");
    let mut lines = days.lines();
    assert_eq!(lines.next(), Some("day,ts,time,equity,return_pct,has_data"));
    let first = format!(
        "2024-01-01,1704067200000000000,2024-01-01T00:00:00Z,{}",
        run["daily"][0]["equity"].as_str().expect("text")
    );
    assert!(lines.next().is_some_and(|l| l.starts_with(&first)), "{days}");
    assert_eq!(days.trim_end().lines().count(), 1 + run["daily"].as_array().expect("days").len());
    desk.done("runs export last --table daily --out daily.parquet");
}
