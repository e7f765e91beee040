//! A run as one HTML file that needs nothing but a browser.
//!
//! Charts are drawn by plotly.js, which comes embedded in the `plotly` package and stands in the file once; styles and
//! the little script of our own are in this folder. A content security policy in the page forbids every load from
//! anywhere, so that opening a report tells nobody. All text from outside is escaped, also within the data of the
//! script. The page is made in memory: it is bounded by the thinned curves and by [`TRADES_SHOWN_MAX`].

mod charts;
mod tables;

use std::fmt::Write;

use super::document::Document;
use super::metrics::{DEFINITIONS, Definition, Group, Unit};
use super::terminal::{figure, period, plain};
use super::text::{grouped, money};
use super::why::why_no_trade;
use crate::engine::Outcome;

/// The page lists and marks at most so many trades, the last ones; more would make it slow to open.
pub const TRADES_SHOWN_MAX: usize = 5_000;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; \
                      base-uri 'none'; form-action 'none'";

/// The figures in large print.
const HEADLINE: [&str; 8] = [
    "return_pct",
    "buy_hold_return_pct",
    "cagr_pct",
    "max_drawdown_pct",
    "sharpe_daily_365",
    "trades",
    "win_rate_pct",
    "profit_factor",
];

/// Makes the page of a run. Candles and indicators are only in the `outcome`; a stored run has none.
pub fn render(document: &Document, outcome: Option<&Outcome>) -> String {
    let data = charts::PageData::of(document, outcome);
    let mut body = String::with_capacity(64 * 1024 + 700 * document.trades.len().min(TRADES_SHOWN_MAX));
    body.push_str(&header(document));
    body.push_str(&headline(document));
    body.push_str(&flags(document));
    body.push_str(&list("Why there is no trade", &why_no_trade(document)));
    body.push_str(&list("Notes", &document.run.notes));
    body.push_str(&plots(document, outcome));
    body.push_str(&metrics(document));
    body.push_str(&tables::groups("By exit reason", &document.per_exit_reason));
    body.push_str(&tables::groups("By instrument", &document.per_instrument));
    body.push_str(&tables::groups("By entry tag", &document.per_tag));
    body.push_str(&tables::open_positions(document));
    body.push_str(&refused(document));
    body.push_str(&tables::trades(document));
    body.push_str(&provenance(document));
    let _ = write!(body, "<footer>Bellwether {} · times are UTC</footer>", esc(&document.run.version));
    page(&title(document), &body, &json_in_script(&data))
}

fn page(title: &str, body: &str, data: &str) -> String {
    let plotly = plotly::Plot::offline_js_sources();
    let library = first_script(&plotly);
    let mut out = String::with_capacity(library.len() + body.len() + data.len() + 32 * 1024);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n\
         <script type=\"application/json\" id=\"data\">{data}</script>\n"
    );
    out.push_str(library);
    let _ = write!(out, "\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

/// The first script element: the package gives the chart library and, after it, one for formulas that we have no use for.
fn first_script(scripts: &str) -> &str {
    const END: &str = "</script>";
    scripts.find(END).map_or(scripts, |end| &scripts[..end + END.len()])
}

/// Text as it may stand in an element or in a quoted attribute.
pub(super) fn esc(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// JSON as it may stand in a script element: no text in it can end the element or begin a comment.
fn json_in_script(value: &impl serde::Serialize) -> String {
    let json = serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned());
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn title(document: &Document) -> String {
    let names: Vec<&str> = document.run.strategies.iter().map(|s| s.id.as_str()).collect();
    let instruments: Vec<&str> = document.instruments.iter().map(|i| i.symbol.as_str()).collect();
    let some = |list: &[&str]| match list {
        [] => "run".to_owned(),
        [one] => (*one).to_owned(),
        [one, more @ ..] if more.len() > 2 => format!("{one} and {} more", more.len()),
        all => all.join(", "),
    };
    esc(&format!("{} on {}", some(&names), some(&instruments)))
}

fn header(document: &Document) -> String {
    let run = &document.run;
    let mut chips = vec![
        format!("{} account, {} {}", run.account, money(&run.start_equity), run.currency),
        run.fill_profile.clone(),
        format!("warm-up {} bars", grouped(run.warmup_bars)),
    ];
    for strategy in &run.strategies {
        let params: Vec<String> = strategy.params.iter().map(|(k, v)| format!("{k}={}", plain(v))).collect();
        chips.push(format!("{} {}", strategy.plugin, params.join(" ")).trim_end().to_owned());
    }
    chips.extend(run.data.iter().map(|d| format!("{} {}", d.instrument, d.kind)));
    let chips: String = chips.iter().map(|c| format!("<span class=\"chip\">{}</span>", esc(c))).collect();
    format!(
        "<header><h1>{}</h1><p>{}</p><div class=\"chips\">{chips}</div></header>",
        title(document),
        esc(&period(document))
    )
}

/// The explanation of a figure, as a tooltip.
fn tooltip(definition: &Definition, document: &Document) -> String {
    let mut text = format!("{}: {} Source: {}.", definition.key, definition.formula, definition.source);
    if let Some(why) = document.reasons.get(definition.key) {
        let _ = write!(text, " Absent here: {why}.");
    }
    esc(&text)
}

/// A sign beside a figure that is flagged.
fn mark(key: &str, document: &Document) -> String {
    let why: Vec<&str> = document.flags.iter().filter(|f| f.metric == key).map(|f| f.why.as_str()).collect();
    if why.is_empty() {
        String::new()
    } else {
        format!("<span class=\"mark\" title=\"{}\">!</span>", esc(&why.join("; ")))
    }
}

fn colour(key: &str, value: Option<f64>) -> &'static str {
    match (key, value) {
        ("max_drawdown_pct" | "win_rate_pct", _) | (_, None) => "",
        (key, Some(v)) if key.ends_with("_pct") && v > 0.0 => " up",
        (key, Some(v)) if key.ends_with("_pct") && v < 0.0 => " down",
        _ => "",
    }
}

fn headline(document: &Document) -> String {
    let figures = document.summary.figures();
    let mut out = String::from("<div class=\"cards\">");
    for (definition, value) in HEADLINE.iter().filter_map(|key| figures.iter().find(|(d, _)| d.key == *key)) {
        let _ = write!(
            out,
            "<div class=\"card\" title=\"{}\"><div class=\"label\">{}{}</div><div class=\"value{}\">{}</div></div>",
            tooltip(definition, document),
            definition.label,
            mark(definition.key, document),
            colour(definition.key, *value),
            figure(definition, *value),
        );
    }
    out.push_str("</div>");
    out
}

fn flags(document: &Document) -> String {
    if document.flags.is_empty() {
        return String::new();
    }
    let item = |f: &super::metrics::Flag| format!("<li><code>{}</code> {}</li>", esc(&f.metric), esc(&f.why));
    let items: String = document.flags.iter().map(item).collect();
    format!("<section class=\"flags\"><h2>Read with care</h2><ul>{items}</ul></section>")
}

fn list(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let items: String = lines.iter().map(|l| format!("<li>{}</li>", esc(l))).collect();
    format!("<section class=\"notes\"><h2>{title}</h2><ul>{items}</ul></section>")
}

fn plots(document: &Document, outcome: Option<&Outcome>) -> String {
    let mut out = String::new();
    if !document.equity.is_empty() {
        out.push_str(
            "<section><h2>Equity <small>against buy and hold of the first instrument</small></h2><div class=\"plot\" id=\"equity\"></div>\
             <h2>Drawdown <small>from the highest equity so far</small></h2><div class=\"plot\" id=\"drawdown\"></div></section>",
        );
    }
    out.push_str(&candle_section(document, outcome));
    let months = tables::months(document);
    if !months.is_empty() {
        let _ = write!(out, "<section><h2>Returns by month <small>per cent</small></h2>{months}</section>");
    }
    if !document.trades.is_empty() || !document.daily.is_empty() {
        out.push_str(
            "<div class=\"pair\"><section><h2>Trade returns <small>after fees</small></h2><div class=\"plot\" id=\"trade-returns\"></div>\
             </section><section><h2>Daily returns</h2><div class=\"plot\" id=\"daily-returns\"></div></section></div>",
        );
    }
    out
}

fn candle_section(document: &Document, outcome: Option<&Outcome>) -> String {
    let Some(outcome) = outcome else {
        return "<section><h2>Prices</h2><p class=\"soft\">A stored run has no price curves; repeat it with a report to see \
                candles, entries and exits.</p></section>"
            .to_owned();
    };
    let drawn = outcome.charts.iter().zip(&outcome.instruments).filter(|(c, _)| !c.candles.is_empty());
    let width = outcome.charts.first().map_or_else(String::new, |c| format!("candles of {} ", c.width));
    let names: Vec<String> = drawn.map(|(_, i)| esc(i.symbol.as_str())).collect();
    let pick = match names.as_slice() {
        [] => return String::new(),
        [_] => String::new(),
        many => {
            let option = |(i, name): (usize, &String)| format!("<option value=\"{i}\">{name}</option>");
            let options: String = many.iter().enumerate().map(option).collect();
            format!("<div class=\"tools\"><select id=\"chart-pick\" aria-label=\"Instrument\">{options}</select></div>")
        }
    };
    let marked =
        if document.trades.len() > TRADES_SHOWN_MAX { "; the last entries and exits of each instrument" } else { "" };
    format!(
        "<section><h2>Prices <small>{width}with entries, exits and the strategy's own values{marked}</small></h2>{pick}\
         <div class=\"plot\" id=\"candles\"></div></section>"
    )
}

fn metrics(document: &Document) -> String {
    let figures = document.summary.figures();
    let mut out = String::from(
        "<section><h2>Figures <small>point at a name for its definition</small></h2><div class=\"metrics\">",
    );
    for group in Group::ALL {
        let _ = write!(out, "<div><h3>{}</h3><dl>", group.title());
        for (definition, value) in figures.iter().filter(|(d, _)| d.group == group) {
            let unit = match (definition.unit, value) {
                (Unit::Hours | Unit::Days, Some(_)) => definition.unit.name(),
                _ => "",
            };
            let _ = write!(
                out,
                "<div><dt title=\"{}\">{}{}</dt><dd>{} {unit}</dd></div>",
                tooltip(definition, document),
                definition.label,
                mark(definition.key, document),
                figure(definition, *value),
            );
        }
        out.push_str("</dl></div>");
    }
    out.push_str("</div></section>");
    debug_assert_eq!(figures.len(), DEFINITIONS.len());
    out
}

fn refused(document: &Document) -> String {
    let refused = document.refusals.iter().map(|c| ("refused", &c.reason, c.count));
    let ended =
        document.order_ends.iter().filter(|e| e.state != "rejected").map(|e| (e.state.as_str(), &e.reason, e.count));
    let dropped = document.signals.dropped.iter().map(|c| ("signal dropped", &c.reason, c.count));
    let rows: Vec<(&str, &String, u64)> = refused.chain(ended).chain(dropped).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<section><h2>Refused, expired and dropped</h2><div class=\"scroll\"><table class=\"sortable\"><thead><tr><th>What</th>\
         <th>Reason</th><th class=\"n\">Count</th></tr></thead><tbody>",
    );
    for (what, reason, count) in rows {
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td class=\"n\" data-v=\"{count}\">{}</td></tr>",
            esc(what),
            esc(reason),
            grouped(count)
        );
    }
    out.push_str("</tbody></table></div></section>");
    out
}

fn provenance(document: &Document) -> String {
    let run = &document.run;
    let mut rows = vec![
        ("Run", run.id.clone()),
        ("Made", run.created.clone()),
        ("Version", run.version.clone()),
        ("Command", run.command.clone()),
        ("Order hash", run.order_hash.clone()),
        ("Data hash", run.data_hash.clone()),
        ("Config hash", run.config_hash.clone()),
        ("Fill profile", run.fill_profile.clone()),
        ("Seed", run.seed.to_string()),
        (
            "Time",
            format!(
                "{:.3} s in the engine, {:.3} s in all, {} events",
                run.engine_cpu_seconds,
                run.wall_seconds,
                grouped(run.events)
            ),
        ),
    ];
    for s in &run.strategies {
        rows.push(("Strategy", format!("{} ({}) {}", s.id, s.plugin, s.artefact_hash)));
    }
    for d in &run.data {
        let times = [&d.first_time, &d.last_time].map(|t| t.clone().unwrap_or_default());
        rows.push((
            "Data",
            format!("{} {}, {} rows, {} to {}", d.instrument, d.kind, grouped(d.rows), times[0], times[1]),
        ));
    }
    for i in &document.instruments {
        let inferred = if i.inferred { ", inferred from the data" } else { "" };
        rows.push(("Rules", format!("{}: {}, tick {}, lot {}{inferred}", i.symbol, i.kind, i.tick, i.lot)));
    }
    let rows: String = rows.iter().map(|(k, v)| format!("<dt>{k}</dt><dd><code>{}</code></dd>", esc(v))).collect();
    let settings = serde_json::to_string_pretty(&run.settings).unwrap_or_default();
    format!(
        "<section><h2>What made this run</h2><dl class=\"made\">{rows}</dl><details><summary>Settings</summary><pre>{}</pre>\
         </details></section>",
        esc(&settings)
    )
}

#[cfg(test)]
mod tests;
