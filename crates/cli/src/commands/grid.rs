//! A grid: every combination of parameter values, one table, and the warning that goes with it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use bellwether::host::Registry;
use bellwether::report::Summary;
use bellwether::report::metrics::{Flag, Metrics, metrics};
use bellwether::run::{self, RunError, RunReport, Variant};
use comfy_table::{CellAlignment, Table, presets};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::failure::{Code, Failure};
use crate::plan::Plan;
use crate::{interrupt, out, progress, steps};

/// Stands behind a figure that is flagged.
const MARK: char = '!';

/// Rows of the printed table; JSON has all.
const ROWS_MAX: usize = 100;

/// What stands under every grid.
fn warning(tried: usize) -> String {
    format!(
        "{tried} variants tried. The best of {tried} is not evidence: of many tries some win by luck. \
         Run it on data that was not searched (--from, --to) before believing it."
    )
}

/// A grid, whole.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Grid {
    /// The layout of this document; within a number fields are only added.
    schema_version: u32,
    /// How many variants there are.
    tried: usize,
    /// What to think of the best of them.
    note: String,
    /// All of them, best return first.
    variants: Vec<Row>,
}

/// One variant's figures.
#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    /// Its values of what differs, by key.
    set: BTreeMap<String, String>,
    /// The figures; absent when it could not be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Summary>,
    /// SHA-256 of the canonical order records, hex: that of the single run; absent when it could not be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_hash: Option<String>,
    /// Figures that should not be taken at face value; absent when it could not be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<Vec<Flag>>,
    /// Why a figure is absent, by its key; absent when it could not be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<BTreeMap<String, String>>,
    /// Why it could not be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip)]
    ordered: Vec<(String, String)>,
}

/// Runs the grid and answers.
pub(crate) fn run(plan: &Plan, registry: &Registry, json: bool) -> Result<(), Failure> {
    let total: usize = plan.axes.iter().map(|(_, values)| values.len()).product();
    let bar = progress::bar(total as u64, "variants");
    let done = |count: usize| bar.set_position(count as u64);
    let variants = run::grid(&plan.settings, registry, &plan.axes, interrupt::listen()?, &kept, &done);
    bar.finish_and_clear();
    let variants = variants?;
    if variants.iter().any(|v| matches!(v.result, Err(RunError::Interrupted))) {
        return Err(RunError::Interrupted.into());
    }
    let rows = sorted(variants);
    let grid = Grid { schema_version: 1, tried: rows.len(), note: warning(rows.len()), variants: rows };
    if json {
        out::json(&grid)?;
    } else {
        out::answer(&text(plan, &grid.variants))?;
    }
    match grid.variants.iter().all(|r| r.error.is_some()) {
        true => Err(Failure::new(Code::Bad, "no variant could be run; the reasons stand in the answer")),
        false => Ok(()),
    }
}

/// Best return first; equal ones and errors in order of the axes.
fn sorted(variants: Vec<Variant<Kept>>) -> Vec<Row> {
    let mut rows: Vec<Row> = variants.into_iter().map(row).collect();
    rows.sort_by(|a, b| match (return_of(a), return_of(b)) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.error.is_some().cmp(&b.error.is_some()),
    });
    rows
}

fn return_of(row: &Row) -> Option<f64> {
    row.summary.as_ref().and_then(|s| s.return_pct)
}

/// What is kept of a run.
struct Kept {
    metrics: Metrics,
    order_hash: String,
}

fn kept(report: RunReport) -> Kept {
    Kept { metrics: metrics(&report.outcome), order_hash: report.outcome.order_hash }
}

fn row(variant: Variant<Kept>) -> Row {
    let mut row = Row {
        set: variant.set.iter().cloned().collect(),
        summary: None,
        order_hash: None,
        flags: None,
        reasons: None,
        error: None,
        ordered: variant.set,
    };
    match variant.result {
        Ok(Kept { metrics, order_hash }) => {
            (row.summary, row.order_hash) = (Some(metrics.summary), Some(order_hash));
            (row.flags, row.reasons) = (Some(metrics.flags), Some(metrics.reasons));
        }
        Err(e) => row.error = Some(e.to_string()),
    }
    row
}

fn text(plan: &Plan, rows: &[Row]) -> String {
    let mut table = Table::new();
    let figures = ["return %", "max dd %", "sharpe", "trades", "win %", "profit f.", "fees"];
    let names = plan.axes.iter().map(|(name, _)| name.strip_prefix("strategy.").unwrap_or(name));
    table.load_style(presets::NOTHING).set_header(names.chain(figures));
    for row in rows.iter().take(ROWS_MAX) {
        let values = row.ordered.iter().map(|(_, value)| value.clone());
        table.add_row(values.chain(cells(row)));
    }
    for column in table.column_iter_mut().skip(plan.axes.len()) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut out = table.to_string();
    if rows.len() > ROWS_MAX {
        out.push_str(&format!("\n… and {} more; --json has all", rows.len() - ROWS_MAX));
    }
    if rows.iter().take(ROWS_MAX).any(|row| cells(row).iter().any(|cell| cell.ends_with(MARK))) {
        out.push_str(&format!("\n{MARK} not to be taken at face value; --json says why"));
    }
    for row in rows.iter().filter(|r| r.error.is_some()).take(3) {
        let set: Vec<_> = row.ordered.iter().map(|(k, v)| format!("{k}={v}")).collect();
        out.push_str(&format!("\n{}: {}", set.join(" "), row.error.as_deref().unwrap_or_default()));
    }
    out.push_str(&format!("\n\n{}\n", warning(rows.len())));
    let best = rows.first().filter(|r| r.error.is_none()).map(|r| r.ordered.as_slice());
    out.push_str(&steps::after_grid(best));
    out
}

fn cells(row: &Row) -> Vec<String> {
    let Some(summary) = &row.summary else { return vec!["error".to_owned()] };
    let summary = serde_json::to_value(summary).unwrap_or(Value::Null);
    let marked = |key: &str, text: String| {
        let flagged = row.flags.iter().flatten().any(|f| f.metric == key);
        if flagged { format!("{text}{MARK}") } else { text }
    };
    let figure = |key: &str| marked(key, summary[key].as_f64().map_or("-".to_owned(), |v| format!("{v:.2}")));
    vec![
        figure("return_pct"),
        figure("max_drawdown_pct"),
        figure("sharpe_daily_365"),
        marked("trades", summary["trades"].to_string()),
        figure("win_rate_pct"),
        figure("profit_factor"),
        figure("fees"),
    ]
}
