//! The measure of a series of signals as people read it: a table for the terminal, a page.

use std::fmt::Write as _;

use super::html::esc as escape;
use crate::signal::{AtHorizon, JUDGED_FROM, Measure, REAL_BELOW, Verdict};

/// The heads of the table.
const HEADS: [&str; 7] = ["bars", "count", "hit rate (95 %)", "mean return (95 %)", "after cost", "IC", "rank IC"];

fn rows(measure: &Measure) -> Vec<[String; 7]> {
    let with = |v: f64, [low, high]: [f64; 2]| format!("{} ({} to {})", pct(v), pct(low), pct(high));
    let of = |h: &AtHorizon| {
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

/// The shuffled baseline: what the same values come to in another order.
fn baseline(measure: &Measure) -> String {
    let of = |[median, high]: [f64; 2]| {
        format!("; of rotated series {median:.3} in the middle, one in a hundred over {high:.3}")
    };
    measure.chance_coefficients.map(of).unwrap_or_default()
}

fn summary(measure: &Measure) -> Vec<String> {
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
        format!("best IC over the horizons {:.3}{}", measure.best_coefficient, baseline(measure)),
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

/// A page of its own, without scripts: table and decay curves.
pub fn html(title: &str, measure: &Measure) -> String {
    let cells =
        |tag: &str, cells: &[&str]| cells.iter().map(|c| format!("<{tag}>{}</{tag}>", escape(c))).collect::<String>();
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <style>body{font:15px system-ui;margin:2em;max-width:70em}table{border-collapse:collapse}\
         h2{font-size:1.1em}figure{display:inline-block;margin:0 2em 0 0}td,th{padding:.3em .8em;text-align:right;border-bottom:1px solid #ccc}</style>",
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
    let _ = write!(page, "</table>");
    for decay in DECAYS {
        let _ = write!(page, "{}", decay.chart(measure));
    }
    page.push_str("</html>");
    page
}

/// A decay curve: a figure by horizon.
struct Decay {
    title: &'static str,
    of: fn(&AtHorizon) -> f64,
    words: fn(f64) -> String,
}

/// The decay curves.
const DECAYS: &[Decay] = &[
    Decay { title: "Decay: information coefficient by bars", of: |h| h.coefficient, words: |v| format!("{v:.3}") },
    Decay { title: "Decay: mean return by bars", of: |h| h.mean_return, words: pct },
    Decay { title: "Decay: mean return after cost by bars", of: |h| h.mean_after_cost, words: pct },
];

fn pct(value: f64) -> String {
    format!("{:.2} %", value * 100.0)
}

impl Decay {
    /// As bars; each names its value.
    fn chart(&self, measure: &Measure) -> String {
        let of = self.of;
        let most = measure.horizons.iter().map(|h| of(h).abs()).fold(0.0, f64::max);
        if most == 0.0 {
            return String::new();
        }
        let mut bars = String::new();
        for (i, h) in measure.horizons.iter().enumerate() {
            let value = of(h);
            let (x, tall) = (10 + i * 60, (value.abs() / most * 90.0).max(1.0));
            let (middle, (y, colour)) = (x + 20, if value >= 0.0 { (110.0 - tall, "#2a7") } else { (110.0, "#c44") });
            let _ = write!(
                bars,
                "<rect x=\"{x}\" y=\"{y:.1}\" width=\"40\" height=\"{tall:.1}\" fill=\"{colour}\"/>\
             <text x=\"{middle}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"11\">{}</text>\
             <text x=\"{middle}\" y=\"235\" text-anchor=\"middle\" font-size=\"12\">{}</text>",
                if value >= 0.0 { y - 4.0 } else { y + tall + 13.0 },
                (self.words)(value),
                h.bars
            );
        }
        let width = 20 + measure.horizons.len() * 60;
        let title = self.title;
        format!(
            "<figure><h2>{title}</h2><svg role=\"img\" aria-label=\"{title}\" width=\"{width}\" height=\"245\">{bars}</svg></figure>"
        )
    }
}
