//! JSON Schemas: those published are those in force, and what the command prints fits them.

use serde_json::{Value, json};

use crate::desk::{Desk, RUN, root};
use crate::fits::fits;

#[test]
fn the_published_schemas_are_those_in_force() {
    let data = ["data-import", "data-list", "data-check", "data-show", "data-resample", "data-export"];
    for name in ["config", "grid", "market", "message", "signal"].iter().chain(&data) {
        let path = format!("docs/schema/{name}-1.json");
        let published = std::fs::read_to_string(root().join(&path)).expect("the schema");
        let anew = format!("write it anew: bellwether schema {name} > {path}");
        assert_eq!(Desk::new().done(&format!("schema {name}")), published, "{anew}");
    }
}

/// Holds a document against the schema of a name, and the schema against a document that is none.
#[track_caller]
fn holds(desk: &Desk, schema: &str, mut document: Value) {
    let schema = desk.json(&format!("schema {schema}"));
    fits(&document, &schema, &schema).unwrap_or_else(|e| panic!("{e}: {document}"));
    assert_eq!(document["schema_version"], 1);
    document["schema_version"] = json!("1");
    assert!(fits(&document, &schema, &schema).is_err(), "the check must be able to fail");
}

#[test]
fn what_is_printed_fits_its_schema() {
    let desk = Desk::new().with_bars();
    holds(&desk, "backtest", desk.json(&format!("backtest {RUN} --json")));
    // The second cannot be run: its averages never cross.
    holds(&desk, "grid", desk.json(&format!("backtest {RUN} --set strategy.fast=5,20 --json")));
    let odd = "ts_ms,open,high,low,close,volume\n1704067200000,2,1,2,2,1\n1704074400000,2,2,2,2,1\n";
    let desk = desk.file("odd.csv", odd);
    let import = "data import --format csv --instrument test:ODD/USD --interval 1h --data data odd.csv --json";
    let imported = desk.json(import);
    assert_ne!(imported["files"][0]["findings"], json!([]));
    holds(&desk, "data-import", imported);
    holds(&desk, "data-import", desk.json(import));
    holds(&desk, "data-list", desk.json("data list --data data --json"));
    let checked = desk.run("data check --data data --json").stdout;
    holds(&desk, "data-check", serde_json::from_str(&checked).expect("JSON"));
    let bars = "--data data --instrument test:AAA/USD";
    holds(&desk, "data-show", desk.json(&format!("data show {bars} --json")));
    holds(&desk, "data-export", desk.json(&format!("data export {bars} --out out.csv --json")));
    holds(&desk, "data-resample", desk.json(&format!("data resample {bars} --to 4h --json")));
}
