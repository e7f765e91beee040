//! The measure of a series of signals as people read it: a table for the terminal, a page.

use std::fmt::Write as _;

use super::html::esc as escape;
use crate::signal::{JUDGED_FROM, Measure, REAL_BELOW, Verdict};

/// The heads of the table.
const HEADS: [&str; 7] = ["bars", "count", "hit rate (95 %)", "mean return (95 %)", "after cost", "IC", "rank IC"];

fn rows(measure: &Measure) -> Vec<[String; 7]> {
    let pct = |v: f64| format!("{:.2} %", v * 100.0);
    let with = |v: f64, [low, high]: [f64; 2]| format!("{} ({} to {})", pct(v), pct(low), pct(high));
    let of = |h: &crate::signal::AtHorizon| {
        [
            h.bars.to_string(),
            h.count.to_string(),
            with(h.hit_rate, h.hit_rate_interval),
            with(h.mean_return, h.mean_return_interval),
            pct(h.mean_after_cost),
            format!("{:.3}", h.coefficient),
            format!("{:.3}", h.rank_coefficient),
        ]
    };
    measure.horizons.iter().map(of).collect()
}

/// What the verdict says, in words.
fn verdict(measure: &Measure) -> String {
    let chance = measure.as_good_by_chance.unwrap_or(1.0) * 100.0;
    match measure.verdict {
        Verdict::Real => format!("real: only {chance:.1} % of rotated series do as well"),
        Verdict::NoBetterThanChance => {
            format!(
                "no better than chance: {chance:.1} % of rotated series do as well (real is under {} %)",
                REAL_BELOW * 100.0
            )
        }
        Verdict::TooFew => format!("too few signals to tell: {}, and {JUDGED_FROM} are needed", measure.count),
        Verdict::Constant => "it always says the same: there is nothing to compare".to_owned(),
    }
}

fn summary(measure: &Measure) -> Vec<String> {
    let pct = |v: f64| format!("{:.2} %", v * 100.0);
    let [long, short, flat] = measure.shares.map(|s| format!("{:.0} %", s * 100.0));
    vec![
        format!("{} signals measured, {} without prices", measure.count, measure.left_out),
        format!("long {long}, short {short}, flat {flat}; turnover {:.2} a day", measure.turnover_per_day),
        format!(
            "held until the next: {} before cost, {} after; the market itself {}",
            pct(measure.held_return),
            pct(measure.held_return_after_cost),
            pct(measure.market_return)
        ),
        format!("verdict: {}", verdict(measure)),
    ]
}

/// A table for the terminal.
pub fn text(title: &str, measure: &Measure) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(HEADS);
    for row in rows(measure) {
        table.add_row(row);
    }
    format!("{title}\n\n{table}\n\n{}\n", summary(measure).join("\n"))
}

/// A page of its own, without scripts: table and decay curve.
pub fn html(title: &str, measure: &Measure) -> String {
    let cells =
        |tag: &str, cells: &[&str]| cells.iter().map(|c| format!("<{tag}>{}</{tag}>", escape(c))).collect::<String>();
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <style>body{font:15px system-ui;margin:2em;max-width:70em}table{border-collapse:collapse}\
         td,th{padding:.3em .8em;text-align:right;border-bottom:1px solid #ccc}</style>",
    );
    // Writing to a string cannot fail.
    let _ = write!(page, "<title>{0}</title><h1>{0}</h1>", escape(title));
    for line in summary(measure) {
        let _ = write!(page, "<p>{}</p>", escape(&line));
    }
    let _ = write!(page, "<table><tr>{}</tr>", cells("th", &HEADS));
    for row in rows(measure) {
        let row: Vec<&str> = row.iter().map(String::as_str).collect();
        let _ = write!(page, "<tr>{}</tr>", cells("td", &row));
    }
    let _ = write!(page, "</table>{}</html>", decay(measure));
    page
}

/// Mean return by horizon, as bars.
fn decay(measure: &Measure) -> String {
    let most = measure.horizons.iter().map(|h| h.mean_return.abs()).fold(0.0, f64::max);
    if most == 0.0 {
        return String::new();
    }
    let mut bars = String::new();
    for (i, h) in measure.horizons.iter().enumerate() {
        let (x, tall) = (10 + i * 60, (h.mean_return.abs() / most * 90.0).max(1.0));
        let (y, colour) = if h.mean_return >= 0.0 { (100.0 - tall, "#2a7") } else { (100.0, "#c44") };
        let _ = write!(
            bars,
            "<rect x=\"{x}\" y=\"{y:.1}\" width=\"40\" height=\"{tall:.1}\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"210\" text-anchor=\"middle\" font-size=\"12\">{}</text>",
            x + 20,
            h.bars
        );
    }
    let width = 20 + measure.horizons.len() * 60;
    format!("<h2>Decay: mean return by bars held</h2><svg width=\"{width}\" height=\"220\">{bars}</svg>")
}
