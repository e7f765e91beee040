//! Two runs side by side: what differs in results, in what made them, and where the orders and trades first part.
//!
//! Results are equal when the order hash, every figure and every trade are; what made the runs (settings, data, code)
//! is listed apart, because equal results of different code are what one hopes for.

use std::collections::BTreeMap;

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use serde::Serialize;
use serde_json::Value;

use super::document::Document;
use super::terminal::{Terminal, figure, plain, tame};

/// What two runs differ in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Id of the first run.
    pub a: String,
    /// Id of the second run.
    pub b: String,
    /// Whether orders, figures and trades are equal.
    pub equal: bool,
    /// Whether settings, data and code are equal too.
    pub same_settings: bool,
    /// Figures that differ.
    pub summary: Vec<FigureDifference>,
    /// Settings, data and code that differ.
    pub settings: Vec<Difference>,
    /// The first order that differs.
    pub first_order: Option<RowDifference>,
    /// The first trade that differs.
    pub first_trade: Option<RowDifference>,
}

/// A figure that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigureDifference {
    /// Its key.
    pub key: String,
    /// In the first run.
    pub a: Option<f64>,
    /// In the second run.
    pub b: Option<f64>,
    /// The second less the first.
    pub change: Option<f64>,
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Where, as in `strategies.0.params.fast`.
    pub key: String,
    /// In the first run; null where it has none.
    pub a: Value,
    /// In the second run; null where it has none.
    pub b: Value,
}

/// The first row of two tables that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowDifference {
    /// Its number, from 1.
    pub row: usize,
    /// Rows of the first run.
    pub rows_a: usize,
    /// Rows of the second run.
    pub rows_b: usize,
    /// The fields that differ; empty where one run has no such row.
    pub fields: Vec<Difference>,
}

/// Fields of `run` that differ between any two runs, or are results.
const NOT_COMPARED: [&str; 13] = [
    "id",
    "created",
    "command",
    "engine_cpu_seconds",
    "wall_seconds",
    "order_hash",
    "start_equity",
    "end_equity",
    "fees",
    "funding",
    "notes",
    "first_time",
    "last_time",
];

/// Compares two runs.
pub fn compare(a: &Document, b: &Document) -> Comparison {
    let summary = figures(a, b);
    let settings = differences(&made_by(a), &made_by(b));
    let first_order = first_difference(&a.orders, &b.orders);
    let first_trade = first_difference(&a.trades, &b.trades);
    let equal =
        a.run.order_hash == b.run.order_hash && summary.is_empty() && first_order.is_none() && first_trade.is_none();
    Comparison {
        a: a.run.id.clone(),
        b: b.run.id.clone(),
        equal,
        same_settings: settings.is_empty(),
        summary,
        settings,
        first_order,
        first_trade,
    }
}

fn figures(a: &Document, b: &Document) -> Vec<FigureDifference> {
    let pairs = a.summary.figures().into_iter().zip(b.summary.figures());
    pairs
        .filter(|((_, x), (_, y))| x != y)
        .map(|((d, x), (_, y))| FigureDifference {
            key: d.key.to_owned(),
            a: x,
            b: y,
            change: x.zip(y).map(|(x, y)| y - x),
        })
        .collect()
}

fn made_by(document: &Document) -> BTreeMap<String, Value> {
    let mut run = serde_json::to_value(&document.run).unwrap_or_default();
    if let Some(fields) = run.as_object_mut() {
        NOT_COMPARED.iter().for_each(|key| {
            fields.remove(*key);
        });
    }
    let mut flat = BTreeMap::new();
    flatten("", &run, &mut flat);
    flat
}

/// Turns nested values into paths.
fn flatten(path: &str, value: &Value, flat: &mut BTreeMap<String, Value>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(key, value)| flatten(&below(key), value, flat));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(i, value)| flatten(&below(&i.to_string()), value, flat));
        }
        _ => {
            flat.insert(path.to_owned(), value.clone());
        }
    }
}

fn differences(a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>) -> Vec<Difference> {
    let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
    keys.sort();
    keys.dedup();
    let value = |of: &BTreeMap<String, Value>, key: &String| of.get(key).cloned().unwrap_or(Value::Null);
    keys.into_iter()
        .filter(|key| a.get(*key) != b.get(*key))
        .map(|key| Difference { key: key.clone(), a: value(a, key), b: value(b, key) })
        .collect()
}

fn first_difference<T: PartialEq + Serialize>(a: &[T], b: &[T]) -> Option<RowDifference> {
    let row = a.iter().zip(b).position(|(x, y)| x != y).unwrap_or(a.len().min(b.len()));
    if row == a.len() && row == b.len() {
        return None;
    }
    let flat = |rows: &[T]| {
        let mut flat = BTreeMap::new();
        if let Some(row) = rows.get(row) {
            flatten("", &serde_json::to_value(row).unwrap_or_default(), &mut flat);
        }
        flat
    };
    let (x, y) = (flat(a), flat(b));
    let fields = if x.is_empty() || y.is_empty() { Vec::new() } else { differences(&x, &y) };
    Some(RowDifference { row: row + 1, rows_a: a.len(), rows_b: b.len(), fields })
}

impl Comparison {
    /// The comparison as tables.
    pub fn render(&self, terminal: Terminal) -> String {
        let mut out = String::new();
        let verdict = match (self.equal, self.same_settings) {
            (true, true) => "equal: orders, figures, trades, settings, data and code",
            (true, false) => "equal results: orders, figures and trades; what made them differs",
            (false, true) => "different results from equal settings, data and code",
            (false, false) => "different",
        };
        out.push_str(&format!("{} and {}: {verdict}\n", tame(&self.a), tame(&self.b)));
        let definition = |key: &str| super::metrics::DEFINITIONS.iter().find(|d| d.key == key);
        let shown = |key: &str, value: Option<f64>| definition(key).map_or_else(String::new, |d| figure(d, value));
        let rows = self.summary.iter().map(|d| {
            let change = d.change.map_or_else(|| "–".to_owned(), change);
            vec![d.key.clone(), shown(&d.key, d.a), shown(&d.key, d.b), change]
        });
        section(&mut out, terminal, "Figures", &["figure", "first", "second", "change"], rows.collect());
        section(&mut out, terminal, "Settings, data and code", &["key", "first", "second"], cells(&self.settings));
        for (title, row) in [("orders", &self.first_order), ("trades", &self.first_trade)] {
            let Some(row) = row else { continue };
            let title = format!("First difference of {title}: row {} of {} and {}", row.row, row.rows_a, row.rows_b);
            if row.fields.is_empty() {
                out.push_str(&format!("\n{title}; one run ends before it\n"));
            }
            section(&mut out, terminal, &title, &["field", "first", "second"], cells(&row.fields));
        }
        if terminal.utf8 { out } else { out.replace('–', "-") }
    }
}

/// A change, never rounded to nothing.
fn change(value: f64) -> String {
    if value.abs() < 1e-4 { format!("{value:+.1e}") } else { format!("{value:+.4}") }
}

fn cells(differences: &[Difference]) -> Vec<Vec<String>> {
    let text = |v: &Value| if v.is_null() { "–".to_owned() } else { tame(&plain(v)) };
    differences.iter().map(|d| vec![tame(&d.key), text(&d.a), text(&d.b)]).collect()
}

fn section(out: &mut String, terminal: Terminal, title: &str, header: &[&str], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    let rule = if terminal.utf8 { '─' } else { '-' };
    let mut table = Table::new();
    table
        .load_style(TableStyle::new().header_separator(LineStyle::none().fill(rule).junction(rule)))
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(terminal.width.max(20))
        .set_header(header.iter().copied())
        .add_rows(rows);
    out.push_str(&format!("\n{title}\n{}\n", table.trim_fmt()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{busy, document};
    use bellwether_sdk::Price;

    #[test]
    fn a_run_equals_itself_and_its_repetition() {
        let a = document(&busy(30));
        let mut b = document(&busy(30));
        (b.run.id, b.run.wall_seconds, b.run.created) = ("other".to_owned(), 9.0, "2025-01-01T00:00:00Z".to_owned());
        let comparison = compare(&a, &b);
        assert!(comparison.equal && comparison.same_settings, "{comparison:?}");
        assert!(comparison.render(Terminal::default()).contains("equal: orders"));
    }

    #[test]
    fn another_parameter_is_named_by_its_path_and_leaves_results_equal() {
        let a = document(&busy(30));
        let mut b = a.clone();
        b.run.strategies[0].params.insert("fast".to_owned(), 12.into());
        b.run.settings["fees"]["new"] = "1".into();
        let comparison = compare(&a, &b);
        assert!(comparison.equal && !comparison.same_settings);
        let keys: Vec<&str> = comparison.settings.iter().map(|d| d.key.as_str()).collect();
        assert_eq!(keys, ["settings.fees.new", "strategies.0.params.fast"]);
        assert_eq!((&comparison.settings[1].a, &comparison.settings[1].b), (&10.into(), &12.into()));
    }

    #[test]
    fn the_first_trade_that_differs_is_shown_with_its_fields() {
        let a = document(&busy(30));
        let mut run = busy(30);
        run.trades[7].exit_price = Price::from_mantissa(1);
        run.order_hash = "11".repeat(32);
        let comparison = compare(&a, &document(&run));
        assert!(!comparison.equal);
        let row = comparison.first_trade.as_ref().expect("a difference");
        assert_eq!((row.row, row.fields.len()), (8, 1));
        assert_eq!((row.fields[0].key.as_str(), &row.fields[0].b), ("exit_price", &"0.01".into()));
        assert_eq!(comparison.first_order, None);
        assert!(comparison.render(Terminal::default()).contains("First difference of trades: row 8 of 30 and 30"));
    }

    #[test]
    fn a_shorter_run_differs_where_it_ends() {
        let (a, b) = (document(&busy(5)), document(&busy(4)));
        let comparison = compare(&a, &b);
        let row = comparison.first_order.as_ref().expect("a difference");
        assert_eq!((row.row, row.rows_a, row.rows_b), (9, 10, 8));
        assert!(comparison.summary.iter().any(|d| d.key == "trades" && d.change == Some(-1.0)));
        assert_eq!([3e-14, -0.5].map(change), ["+3.0e-14", "-0.5000"]);
        let text = comparison.render(Terminal { utf8: false, ..Terminal::default() });
        assert!(text.contains("one run ends before it") && text.is_ascii(), "{text}");
    }
}
