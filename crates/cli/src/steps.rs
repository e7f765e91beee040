//! The closing "Next steps": commands that work as printed.

use std::fmt::Write;

use bellwether::host::Registry;
use bellwether::report::Document;
use bellwether_sdk::{Decimal, ParamSpec};

use crate::args::Global;
use crate::record::{shell_line, typed};

/// What to do after a run.
pub(crate) fn after_run(
    global: &Global,
    document: &Document,
    saved: bool,
    has_report: bool,
    registry: &Registry,
) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    let id = document.run.id.as_str();
    if saved {
        if !has_report {
            rows.push(("see it", with_state(global, &["runs", "report", id, "report.html"])));
        }
        if document.trades.is_empty() {
            rows.push(("ask why", with_state(global, &["explain", id])));
        } else {
            rows.push(("every trade", with_state(global, &["runs", "export", id, "--table", "trades"])));
        }
        rows.push(("prove it", with_state(global, &["verify", id])));
    } else if !has_report {
        rows.push(("see it", again(&["--report", "report.html"])));
    }
    if let Some(set) = vary(document, registry) {
        let mut words = typed();
        drop_report(&mut words);
        words.extend(["--set".to_owned(), set]);
        rows.push(("vary it", shell_line(words)));
    }
    block(&rows)
}

/// What to do after a session.
pub(crate) fn after_session(
    global: &Global,
    document: &Document,
    saved: bool,
    tape: Option<&std::path::Path>,
) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    let id = document.run.id.as_str();
    if let Some(tape) = tape.and_then(|t| t.to_str()) {
        rows.push(("prove it", with_state(global, &["replay", tape])));
        let mode = if document.run.fill_profile == "venue" { "live" } else { "paper" };
        rows.push(("go on", with_state(global, &[mode, "--resume", tape])));
    }
    if saved {
        rows.push(("see it", with_state(global, &["runs", "report", id, "report.html"])));
        rows.push(("every trade", with_state(global, &["runs", "export", id, "--table", "trades"])));
    }
    block(&rows)
}

/// What to do after a grid: its best variant as a run.
pub(crate) fn after_grid(best: Option<&[(String, String)]>) -> String {
    let Some(best) = best else { return String::new() };
    block(&[("look at the best", shell_line(with_values(typed(), best)))])
}

/// A command line whose ranges are replaced by values.
fn with_values(words: Vec<String>, values: &[(String, String)]) -> Vec<String> {
    let is_axis = |set: &str| set.split_once('=').is_some_and(|(k, _)| values.iter().any(|(key, _)| key == k.trim()));
    let mut out = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        if word == "--set" && words.peek().is_some_and(|next| is_axis(next)) {
            words.next();
        } else if !word.strip_prefix("--set=").is_some_and(is_axis) && word != "--json" {
            out.push(word);
        }
    }
    out.extend(values.iter().flat_map(|(k, v)| ["--set".to_owned(), format!("{k}={v}")]));
    out
}

fn block(rows: &[(&str, String)]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let width = rows.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
    let mut out = String::from("\nNext steps\n");
    for (what, command) in rows {
        let _ = writeln!(out, "  {what:width$}  {command}");
    }
    out
}

/// The line that was typed and more words; a later `--set` of a key takes the place of an earlier one.
fn again(more: &[&str]) -> String {
    let mut words = typed();
    words.extend(more.iter().map(|w| (*w).to_owned()));
    shell_line(words)
}

fn with_state(global: &Global, words: &[&str]) -> String {
    let mut line: Vec<String> = typed().into_iter().take(1).collect();
    line.extend(words.iter().map(|w| (*w).to_owned()));
    if let Some(dir) = &global.state_dir {
        line.extend(["--state-dir".to_owned(), dir.to_string_lossy().into_owned()]);
    }
    if let Some(file) = &global.config {
        // The file may say where runs are.
        line.extend(["--config".to_owned(), file.to_string_lossy().into_owned()]);
    }
    shell_line(line)
}

fn drop_report(words: &mut Vec<String>) {
    if let Some(at) = words.iter().position(|w| w == "--report") {
        words.drain(at..(at + 2).min(words.len()));
    }
    words.retain(|w| !w.starts_with("--report="));
}

/// A range about the first number that the first strategy has.
fn vary(document: &Document, registry: &Registry) -> Option<String> {
    let strategy = document.run.strategies.first()?;
    let specs = registry.get(&strategy.plugin).ok()?.specs;
    specs.iter().filter(|s| s.kind == "integer").find_map(|spec| {
        let now = strategy.params.get(spec.name)?.as_i64().filter(|n| *n >= 2)?;
        let step = (now / 2).max(1);
        let (low, high) = (now - step, now + step);
        // Others may stand in relation to it, so the range stays small and inside what is declared.
        (within(spec, low) && within(spec, high)).then(|| format!("{}.{}={low}:{high}:{step}", strategy.id, spec.name))
    })
}

fn within(spec: &ParamSpec, value: i64) -> bool {
    let at = |text: &str| Decimal::parse(text.as_bytes()).map(Decimal::to_f64);
    match &spec.range {
        None => true,
        Some((low, high)) => matches!((at(low), at(high)), (Ok(l), Ok(h)) if (l..=h).contains(&(value as f64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_give_way_to_the_values_and_the_rest_stays() {
        let words = "bw backtest --set strategy.fast=5:9:2 --set=strategy.slow=20,40 --set sim.latency_ms=5 --warmup 3";
        let words = words.split(' ').map(str::to_owned).collect();
        let values = [("strategy.fast".to_owned(), "7".to_owned()), ("strategy.slow".to_owned(), "40".to_owned())];
        let line = with_values(words, &values).join(" ");
        assert_eq!(line, "bw backtest --set sim.latency_ms=5 --warmup 3 --set strategy.fast=7 --set strategy.slow=40");
    }
}
