//! The tables of the page: months, groups of trades, open positions, the trades themselves.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::charts::number;
use super::{TRADES_SHOWN_MAX, esc};
use crate::report::document::{Document, GroupRow, TradeRow};
use crate::report::text::{fixed, grouped, money, short_time, span};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Returns by month and year, coloured; nothing without a day.
pub(super) fn months(document: &Document) -> String {
    let table = monthly_returns(document);
    if table.is_empty() {
        return String::new();
    }
    let head: String = MONTHS.iter().map(|m| format!("<th>{m}</th>")).collect();
    let mut out = format!(
        "<div class=\"scroll\"><table class=\"heat\"><thead><tr><th></th>{head}<th>Year</th></tr></thead><tbody>"
    );
    for (year, months) in &table {
        let _ = write!(out, "<tr><th>{year}</th>");
        for month in months {
            out.push_str(&heat(*month, 12.0));
        }
        let known = months.iter().flatten();
        let whole = known.fold(1.0, |growth, r| growth * (1.0 + r / 100.0));
        out.push_str(&heat(Some(100.0 * (whole - 1.0)), 60.0));
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    out
}

/// Return of each month in per cent, by year: the last equity of the month over the last of the month before.
fn monthly_returns(document: &Document) -> BTreeMap<i32, [Option<f64>; 12]> {
    let mut last: BTreeMap<(i32, usize), f64> = BTreeMap::new();
    for row in &document.daily {
        let mut parts = row.day.split('-');
        let year = parts.next().and_then(|y| y.parse().ok());
        let month = parts.next().and_then(|m| m.parse::<usize>().ok()).filter(|m| (1..=12).contains(m));
        if let (Some(year), Some(month)) = (year, month) {
            last.insert((year, month - 1), number(&row.equity));
        }
    }
    let mut table: BTreeMap<i32, [Option<f64>; 12]> = BTreeMap::new();
    let mut before = number(&document.run.start_equity);
    for ((year, month), equity) in last {
        if before > 0.0 {
            table.entry(year).or_default()[month] = Some(100.0 * (equity / before - 1.0));
        }
        before = equity;
    }
    table
}

/// A coloured cell; the colour is full at so many per cent.
fn heat(value: Option<f64>, full: f64) -> String {
    let Some(value) = value.filter(|v| v.is_finite()) else { return "<td></td>".to_owned() };
    let strength = (value.abs() / full).min(1.0) * 0.55;
    let colour = if value < 0.0 { "down" } else { "up" };
    format!("<td style=\"background:rgba(var(--{colour}-rgb),{strength:.2})\">{}</td>", fixed(value, 1))
}

/// A number cell that sorts by its value.
fn cell(value: f64, text: &str) -> String {
    let sort = if value.is_finite() { value } else { 0.0 };
    format!("<td class=\"n\" data-v=\"{sort}\">{text}</td>")
}

fn signed(value: f64, text: &str) -> String {
    let colour = if value > 0.0 {
        " up"
    } else if value < 0.0 {
        " down"
    } else {
        ""
    };
    let sort = if value.is_finite() { value } else { 0.0 };
    format!("<td class=\"n{colour}\" data-v=\"{sort}\">{text}</td>")
}

fn pct(value: f64) -> String {
    signed(value, &format!("{} %", fixed(value, 2)))
}

/// A table of grouped trades under its title; nothing without a row.
pub(super) fn groups(title: &str, rows: &[GroupRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "<section><h2>{title}</h2><div class=\"scroll\"><table class=\"sortable\"><thead><tr><th></th><th class=\"n\">Trades</th>\
         <th class=\"n\">Win rate</th><th class=\"n\">Mean return</th><th class=\"n\">Best</th><th class=\"n\">Worst</th>\
         <th class=\"n\" title=\"Sum of gaining trade returns / sum of losing ones\">Profit factor</th>\
         <th class=\"n\">Mean duration</th><th class=\"n\">Fees</th><th class=\"n\">Profit</th></tr></thead><tbody>"
    );
    for row in rows {
        let key = if row.key.is_empty() { "<span class=\"soft\">(none)</span>".to_owned() } else { esc(&row.key) };
        let currency = row.currency.as_deref().map(esc).unwrap_or_default();
        let amount = |text: &Option<String>| match text {
            Some(text) => (number(text), format!("{} {currency}", esc(&money(text)))),
            None => (0.0, "several currencies".to_owned()),
        };
        let (fees, pnl) = (amount(&row.fees), amount(&row.pnl));
        let factor = row.profit_factor_return.map_or_else(|| "–".to_owned(), |v| fixed(v, 2));
        let _ = write!(
            out,
            "<tr><td>{key}</td>{}{}{}{}{}{}{}{}{}</tr>",
            cell(row.trades as f64, &grouped(row.trades)),
            cell(row.win_rate_pct, &format!("{} %", fixed(row.win_rate_pct, 1))),
            pct(row.mean_return_pct),
            pct(row.best_return_pct),
            pct(row.worst_return_pct),
            cell(row.profit_factor_return.unwrap_or(f64::MAX), &factor),
            cell(row.mean_hours, &span((row.mean_hours * 3.6e12) as i64)),
            cell(fees.0, &fees.1),
            signed(pnl.0, &pnl.1),
        );
    }
    out.push_str("</tbody></table></div></section>");
    out
}

/// Positions open at the end; nothing without one.
pub(super) fn open_positions(document: &Document) -> String {
    if document.open_positions.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<section><h2>Open at the end</h2><div class=\"scroll\"><table><thead><tr><th>Instrument</th><th>Strategy</th><th>Side</th>\
         <th class=\"n\">Quantity</th><th>Since</th><th class=\"n\">Entry</th><th class=\"n\">Last</th><th class=\"n\">Change</th>\
         </tr></thead><tbody>",
    );
    for p in &document.open_positions {
        let scale = document.instrument(&p.instrument).map_or(2, |i| usize::from(i.price_scale));
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td>{}<td>{}</td>{}{}{}</tr>",
            esc(&p.instrument),
            esc(&p.strategy),
            p.side.name(),
            cell(number(&p.qty), &esc(&p.qty)),
            esc(&short_time(&p.entry_time)),
            cell(p.entry_price, &fixed(p.entry_price, scale)),
            cell(p.last_price.as_deref().map_or(0.0, number), &esc(p.last_price.as_deref().unwrap_or("–"))),
            p.unrealised_pct.map_or_else(|| "<td class=\"n\">–</td>".to_owned(), pct),
        );
    }
    out.push_str("</tbody></table></div></section>");
    out
}

/// The last trades, sortable, with a filter; nothing without one.
pub(super) fn trades(document: &Document) -> String {
    let all = &document.trades;
    if all.is_empty() {
        return String::new();
    }
    let skipped = all.len().saturating_sub(TRADES_SHOWN_MAX);
    let note = if skipped == 0 {
        grouped(all.len() as u64)
    } else {
        format!("the last {} of {}; runs export has all", grouped(TRADES_SHOWN_MAX as u64), grouped(all.len() as u64))
    };
    // A column that says the same in every row tells nothing.
    let strategies = document.run.strategies.len() > 1;
    let strategy = if strategies { "<th>Strategy</th>" } else { "" };
    let mut out = format!(
        "<section class=\"late\"><h2>Trades <small>{note}</small></h2><div class=\"tools\"><input id=\"filter\" type=\"search\" \
         placeholder=\"Filter: tag, reason, date …\" aria-label=\"Filter trades\"></div><div class=\"tall\">\
         <table class=\"sortable\" id=\"trades\"><thead><tr><th class=\"n\">#</th><th>Instrument</th><th>Side</th>\
         <th class=\"n\">Quantity</th><th>Entry (UTC)</th><th class=\"n\">Price</th><th>Exit (UTC)</th><th class=\"n\">Price</th>\
         <th class=\"n\">Held</th><th class=\"n\">Profit</th><th class=\"n\">Return</th><th class=\"n\">Fees</th><th>Tag</th>\
         <th>Exit reason</th>{strategy}</tr></thead><tbody>"
    );
    for (i, t) in all.iter().enumerate().skip(skipped) {
        trade(&mut out, i + 1, t, strategies);
    }
    out.push_str("</tbody></table></div></section>");
    out
}

fn trade(out: &mut String, row: usize, t: &TradeRow, strategies: bool) {
    let nanos = |text: &str| text.parse::<i64>().unwrap_or_default();
    let held = nanos(&t.exit_ts).saturating_sub(nanos(&t.entry_ts));
    let pnl = number(&t.pnl);
    let _ = write!(
        out,
        "<tr>{}<td>{}</td><td>{}</td>{}<td>{}</td>{}<td>{}</td>{}{}{}{}{}<td>{}</td><td>{}</td>{}</tr>",
        cell(row as f64, &row.to_string()),
        esc(&t.instrument),
        t.side.name(),
        cell(number(&t.qty), &esc(&t.qty)),
        esc(&short_time(&t.entry_time)),
        cell(number(&t.entry_price), &esc(&t.entry_price)),
        esc(&short_time(&t.exit_time)),
        cell(number(&t.exit_price), &esc(&t.exit_price)),
        cell(held as f64, &span(held)),
        signed(pnl, &format!("{} {}", esc(&money(&t.pnl)), esc(&t.currency))),
        t.return_pct.map_or_else(|| "<td class=\"n\" data-v=\"0\">–</td>".to_owned(), pct),
        cell(number(&t.fees), &esc(&money(&t.fees))),
        esc(&t.entry_tag),
        t.exit_reason.name(),
        if strategies { format!("<td>{}</td>", esc(&t.strategy)) } else { String::new() },
    );
}
