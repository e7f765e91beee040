//! The store from the command line.

use crate::desk::{Desk, bars};

const IMPORT: &str = "data import --format csv --instrument test:AAA/USD --interval 1h --data data";

#[test]
fn what_is_imported_is_listed_shown_checked_and_exported() {
    let desk = Desk::new().with_bars();
    let listed = desk.json("data list --data data --json");
    assert_eq!(listed["series"][0]["symbol"], "test:AAA/USD");
    assert_eq!(listed["series"][0]["rows"], 960);
    assert!(desk.done("data list --data data").contains("bars-1h"));
    assert!(desk.done("data check --data data").contains("960 rows: nothing odd"));
    assert_eq!(desk.json("data show --data data --rows 2 --tail --json")["rows"].as_array().map(Vec::len), Some(2));
    assert!(desk.done("data show --data data --at 2024-01-02 --rows 1").contains("2024-01-02T00:00:00Z"));
    desk.done("data export --data data --out out.csv");
    desk.done("data import --format csv --instrument test:AAA/USD --interval 1h --data again out.csv");
    let row_hash = |dir: &str| desk.json(&format!("data list --data {dir} --json"))["series"][0]["row_hash"].clone();
    assert_eq!(row_hash("again"), row_hash("data"));
    let made = desk.json("data resample --data data --interval 1h --to 4h --json");
    assert_eq!(made["bars"], 240);
    desk.fails("data show --data data", 2, "2 series fit");
}

#[test]
fn a_gap_between_two_files_is_told_and_refused_when_strict() {
    let all = bars(60);
    let (head, rows) = all.split_once('\n').expect("a header");
    let part = |skip: usize, take: usize| {
        let rows: Vec<&str> = rows.lines().skip(skip).take(take).collect();
        format!("{head}\n{}\n", rows.join("\n"))
    };
    let desk = Desk::new().file("a.csv", &part(0, 24)).file("b.csv", &part(30, 24));
    desk.fails(&format!("{IMPORT} --strict a.csv b.csv"), 4, "gaps: 1, first at 2024-01-02T00:00:00Z (b.csv:2)");
    assert!(!desk.path("data/_manifest.json").exists());
    let told = desk.done(&format!("{IMPORT} a.csv b.csv"));
    assert!(told.contains("test:AAA/USD bars-1h, between the files and what is stored:\n  odd: gaps: 1"), "{told}");
    desk.fails("data check --data data --instrument test:BBB/USD", 3, "has nothing of test:BBB/USD");
    let trades = "ts_ms,price,qty\n1704067200000,1,1\n";
    std::fs::write(desk.path("t.csv"), trades).expect("written");
    desk.done("data import --format csv --instrument test:BBB/USD --data data t.csv");
    desk.fails("data check --data data --instrument test:BBB/USD --kind bars", 3, "has no bars of test:BBB/USD");
}

/// `ulimit -f` sends a signal that ends a program where it stands.
#[cfg(unix)]
#[test]
fn a_limit_on_the_size_of_files_is_told_as_an_error_and_leaves_nothing() {
    let desk = Desk::new().file("bars.csv", &bars(20_000));
    let line = format!("ulimit -f 8; exec {} {IMPORT} bars.csv", env!("CARGO_BIN_EXE_bellwether"));
    let mut shell = std::process::Command::new("sh");
    let output = shell.args(["-c", &line]).current_dir(desk.path("")).env("HOME", desk.path("home")).output();
    let output = output.expect("a shell");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("writing") && stderr.contains("arge"), "{stderr}");
    let left: Vec<_> =
        std::fs::read_dir(desk.path("data")).into_iter().flatten().flatten().map(|e| e.file_name()).collect();
    assert!(left.iter().all(|name| name == "_lock"), "{left:?}");
    desk.done(&format!("{IMPORT} bars.csv"));
}

#[test]
fn a_series_is_removed_when_it_is_meant() {
    let desk = Desk::new().with_bars();
    let line = "data remove --data data --instrument test:AAA/USD --kind bars-1h";
    let told = desk.done(line);
    assert!(told.contains("960 rows") && told.contains("would go; `--yes` removes them"), "{told}");
    assert!(desk.done("data list --data data").contains("bars-1h"));
    let answer = desk.json(&format!("{line} --yes --json"));
    assert_eq!((&answer["rows"], &answer["removed"]), (&960.into(), &true.into()), "{answer}");
    assert!(!desk.done("data list --data data").contains("bars-1h"));
    desk.fails(&format!("{line} --yes"), 3, "no such series");
}

#[test]
fn what_the_rows_are_is_not_guessed_where_it_is_told() {
    let head = "ts_ms,open,high,low,close,volume,funding_rate";
    let text = format!("{head}\n1704067200000,5,6,5,6,1,0.0001\n1704070800000,5,6,5,6,1,0.0001\n");
    let desk = Desk::new().file("both.csv", &text);
    let line = "data import --format csv --instrument test:BBB/USD --data data both.csv";
    desk.fails(&format!("{line} --interval 1h"), 3, "add --kind bars");
    assert!(desk.done(&format!("{line} --kind bars")).contains("bars-1h, 2 rows"));
}

#[test]
fn importing_again_changes_nothing() {
    let desk = Desk::new().with_bars();
    assert!(desk.done(&format!("{IMPORT} bars.csv")).contains("unchanged"));
    assert_eq!(desk.json(&format!("{IMPORT} bars.csv --json"))["unchanged"], true);
}

#[test]
fn bad_files_are_refused_with_their_place_and_nothing_is_written() {
    let desk = Desk::new().with_bars();
    let before = desk.done("data list --data data --json");
    let good = bars(30);
    let cases = [
        ("nan.csv", good.replace("100.50,", "NaN,"), "nan.csv:2"),
        ("zero.csv", good.replace("100.50,", "0,"), "zero.csv:2"),
        ("columns.csv", format!("{good}1,2,3\n"), "columns.csv:32"),
        ("digits.csv", good.replace("100.50,", &format!("{},", "9".repeat(40))), "digits.csv:2"),
        ("unit.csv", good.replace("ts_ms", "ts_s"), "time"),
        ("empty.csv", String::new(), "empty"),
        ("words.csv", "what,is,this\n1,2,3\n".to_owned(), "words.csv"),
    ];
    for (name, text, place) in cases {
        std::fs::write(desk.path(name), text).expect("written");
        desk.fails(&format!("{IMPORT} {name}"), 3, place);
    }
    std::fs::write(desk.path("torn.csv.gz"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2]).expect("written");
    desk.fails(&format!("{IMPORT} torn.csv.gz"), 3, "torn.csv.gz");
    std::fs::create_dir(desk.path("folder")).expect("a folder");
    desk.fails(&format!("{IMPORT} folder"), 3, "directory");
    let missing = desk.run(&format!("{IMPORT} missing.csv"));
    assert!(missing.code == 3 || missing.code == 1, "{missing:?}");
    assert!(missing.stderr.contains("missing.csv"), "{missing:?}");
    assert_eq!(desk.done("data list --data data --json"), before);
}

#[test]
fn oddities_are_told_and_strict_refuses_them() {
    let mut lines: Vec<String> = bars(48).lines().map(str::to_owned).collect();
    lines.remove(10);
    let desk = Desk::new().file("gap.csv", &(lines.join("\n") + "\n"));
    desk.fails(&format!("{IMPORT} --strict gap.csv"), 4, "gaps: 1");
    assert!(!desk.path("data/_manifest.json").exists());
    assert!(desk.done(&format!("{IMPORT} gap.csv")).contains("gaps: 1"));
    let answer = desk.run("data check --data data --json");
    assert_eq!(answer.code, 5, "{answer:?}");
    let report: serde_json::Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(report["series"][0]["findings"][0]["kind"], "gaps");
    assert_eq!(report["series"][0]["findings"][0]["first"]["utc"], "2024-01-01T09:00:00Z");
}
