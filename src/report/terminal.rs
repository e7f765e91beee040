//! A run as tables for people at a terminal.
//!
//! Figures stand under the keys of their definitions (`docs/metrics.md`), so that what is read here can be looked up
//! and scripted. The caller says how wide the terminal is and whether it knows UTF-8 and colours; nothing is asked of
//! the system. Text from outside (tags, reasons) loses its control characters. "Next steps" are the command's to print.

use std::collections::BTreeMap;
use std::fmt::Write;

use comfy_table::{CellAlignment, ContentArrangement, ContentLineStyle, LineStyle, Table, TableStyle};

use super::document::{Document, GroupRow};
use super::metrics::{DEFINITIONS, Definition, Unit};
use super::text::{amount, fixed, grouped, money, short_time};
use super::why::why_no_trade;

/// What the terminal can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Columns.
    pub width: u16,
    /// Whether lines and dashes may be other than ASCII.
    pub utf8: bool,
    /// Whether headings may be bold and warnings coloured; false when the output is no terminal.
    pub colour: bool,
}

impl Default for Terminal {
    fn default() -> Self {
        Self { width: 100, utf8: true, colour: false }
    }
}

const RESULT: [&str; 14] = [
    "start_equity",
    "end_equity",
    "return_pct",
    "buy_hold_return_pct",
    "cagr_pct",
    "exposure_pct",
    "fees",
    "funding",
    "max_drawdown_pct",
    "max_drawdown_days",
    "sharpe_daily_365",
    "sortino_daily_365",
    "calmar",
    "volatility_daily_365_pct",
];

const TRADES: [&str; 14] = [
    "orders",
    "fills",
    "trades",
    "open_positions",
    "win_rate_pct",
    "profit_factor",
    "payoff_ratio",
    "expectancy_pct",
    "avg_win_pct",
    "avg_loss_pct",
    "best_trade_pct",
    "worst_trade_pct",
    "avg_trade_hours",
    "sqn",
];

/// The head names at most so many series of data.
const SERIES_SHOWN_MAX: usize = 8;

/// Tables wider than this get two figures side by side.
const TWO_COLUMNS_WIDTH: u16 = 76;

/// The whole report of a run.
pub fn render(document: &Document, terminal: Terminal) -> String {
    let mut page = Page { out: String::new(), terminal };
    page.header(document);
    page.summary(document);
    page.why(document);
    if document.per_exit_reason.len() + document.per_tag.len() + document.per_instrument.len() > 0 {
        page.groups("Closed trades by exit reason", &document.per_exit_reason);
    }
    if document.per_instrument.len() > 1 {
        page.groups("Closed trades by instrument", &document.per_instrument);
    }
    if document.per_tag.len() > 1 {
        page.groups("Closed trades by entry tag", &document.per_tag);
    }
    page.open_positions(document);
    page.refused(document);
    page.lines("Read with care", document.flags.iter().map(|f| format!("{}: {}", f.metric, f.why)).collect(), true);
    page.lines("Notes", document.run.notes.clone(), false);
    page.out
}

/// A figure as people read it; a dash where there is none.
pub(super) fn figure(definition: &Definition, value: Option<f64>) -> String {
    let Some(value) = value else { return "–".to_owned() };
    match definition.unit {
        Unit::Count => grouped(value as u64),
        Unit::Percent => format!("{} %", fixed(value, 2)),
        Unit::Money => amount(value),
        Unit::Ratio => fixed(value, 2),
        Unit::Days | Unit::Hours => fixed(value, 1),
    }
}

/// Text from outside without what a terminal would obey.
pub(super) fn tame(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

struct Page {
    out: String,
    terminal: Terminal,
}

impl Page {
    fn push(&mut self, text: &str) {
        if self.terminal.utf8 {
            self.out.push_str(text);
        } else {
            let plain = text.replace(['–', '—'], "-").replace('·', "|").replace('→', "to").replace('…', "...");
            self.out.push_str(&plain);
        }
        self.out.push('\n');
    }

    fn heading(&mut self, text: &str, warning: bool) {
        self.out.push('\n');
        let line = match (self.terminal.colour, warning) {
            (false, _) => text.to_owned(),
            (true, false) => format!("\u{1b}[1m{text}\u{1b}[0m"),
            (true, true) => format!("\u{1b}[1;33m{text}\u{1b}[0m"),
        };
        self.push(&line);
    }

    fn table(&self) -> Table {
        let rule = if self.terminal.utf8 { '─' } else { '-' };
        let style = TableStyle::new()
            .header_lines(ContentLineStyle::none())
            .header_separator(LineStyle::none().fill(rule).junction(rule))
            .content_lines(ContentLineStyle::none());
        let mut table = Table::new();
        table
            .load_style(style)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(self.terminal.width.max(20));
        table
    }

    fn print(&mut self, table: &Table) {
        for line in table.lines() {
            let line = line.trim_end().to_owned();
            self.push(&line);
        }
    }

    fn header(&mut self, document: &Document) {
        let run = &document.run;
        let mut table = self.table();
        for strategy in &run.strategies {
            let params: Vec<String> = strategy.params.iter().map(|(k, v)| format!("{k}={}", plain(v))).collect();
            let name = if strategy.id == strategy.plugin {
                strategy.id.clone()
            } else {
                format!("{} ({})", strategy.id, strategy.plugin)
            };
            let text = if params.is_empty() { name } else { format!("{name}: {}", params.join(" ")) };
            table.add_row(["Strategy".to_owned(), tame(&text)]);
        }
        for data in run.data.iter().take(SERIES_SHOWN_MAX) {
            table.add_row([
                "Data".to_owned(),
                tame(&format!("{} {}, {} rows", data.instrument, data.kind, grouped(data.rows))),
            ]);
        }
        if run.data.len() > SERIES_SHOWN_MAX {
            table.add_row(["".to_owned(), format!("and {} more series", run.data.len() - SERIES_SHOWN_MAX)]);
        }
        table.add_row(["Period".to_owned(), period(document)]);
        let account = format!("{}, {} {}", run.account, money(&run.start_equity), run.currency);
        table.add_row(["Account".to_owned(), tame(&account)]);
        let fills = format!("{}, warm-up {} bars", run.fill_profile, grouped(run.warmup_bars));
        table.add_row(["Fills".to_owned(), tame(&fills)]);
        table.add_row(["Run".to_owned(), tame(&run.id)]);
        self.print(&table);
    }

    fn summary(&mut self, document: &Document) {
        self.heading("Summary", false);
        let figures: BTreeMap<&str, String> =
            document.summary.figures().into_iter().map(|(d, v)| (d.key, figure(d, v))).collect();
        let cell = |key: &str| figures.get(key).cloned().unwrap_or_default();
        let mut table = self.table();
        let right = |table: &mut Table, column: usize| {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        };
        if self.terminal.width >= TWO_COLUMNS_WIDTH {
            for (a, b) in RESULT.iter().zip(TRADES) {
                table.add_row([(*a).to_owned(), cell(a), String::new(), b.to_owned(), cell(b)]);
            }
            right(&mut table, 1);
            right(&mut table, 4);
        } else {
            for key in RESULT.iter().chain(&TRADES) {
                table.add_row([(*key).to_owned(), cell(key)]);
            }
            right(&mut table, 1);
        }
        self.print(&table);
        self.absent(document);
    }

    /// Says why figures are absent, one line per reason.
    fn absent(&mut self, document: &Document) {
        let shown = |key: &str| RESULT.contains(&key) || TRADES.contains(&key);
        let mut keys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for definition in DEFINITIONS.iter().filter(|d| shown(d.key)) {
            if let Some(why) = document.reasons.get(definition.key) {
                keys.entry(why).or_default().push(definition.key);
            }
        }
        for (why, keys) in keys {
            self.paragraph(" – ", &format!("{why}: {}", keys.join(", ")));
        }
    }

    fn why(&mut self, document: &Document) {
        let reasons = why_no_trade(document);
        self.lines("Why there is no trade", reasons, true);
    }

    fn groups(&mut self, title: &str, rows: &[GroupRow]) {
        if rows.is_empty() {
            return;
        }
        self.heading(title, false);
        let mut table = self.table();
        table.set_header(["", "trades", "win rate", "mean return", "best", "worst", "profit"]);
        for row in rows {
            let profit = match (&row.pnl, &row.currency) {
                (Some(pnl), Some(currency)) => format!("{} {currency}", money(pnl)),
                _ => "several currencies".to_owned(),
            };
            let pct = |v: f64| format!("{} %", fixed(v, 2));
            let key = if row.key.is_empty() { "(none)".to_owned() } else { tame(&row.key) };
            table.add_row([
                key,
                grouped(row.trades),
                format!("{} %", fixed(row.win_rate_pct, 1)),
                pct(row.mean_return_pct),
                pct(row.best_return_pct),
                pct(row.worst_return_pct),
                profit,
            ]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        self.print(&table);
    }

    fn open_positions(&mut self, document: &Document) {
        if document.open_positions.is_empty() {
            return;
        }
        self.heading("Open at the end", false);
        let mut table = self.table();
        table.set_header(["instrument", "side", "quantity", "since", "entry", "last", "change"]);
        for p in &document.open_positions {
            let scale = document.instrument(&p.instrument).map_or(2, |i| usize::from(i.price_scale));
            table.add_row([
                tame(&p.instrument),
                p.side.name().to_owned(),
                p.qty.clone(),
                short_time(&p.entry_time),
                fixed(p.entry_price, scale),
                p.last_price.clone().unwrap_or_else(|| "–".to_owned()),
                p.unrealised_pct.map_or_else(|| "–".to_owned(), |v| format!("{} %", fixed(v, 2))),
            ]);
        }
        self.print(&table);
    }

    fn refused(&mut self, document: &Document) {
        let mut rows: Vec<(String, String, u64)> =
            document.refusals.iter().map(|r| ("refused".to_owned(), r.reason.clone(), r.count)).collect();
        let ended = document.order_ends.iter().filter(|r| r.state != "rejected");
        rows.extend(ended.map(|r| (r.state.clone(), r.reason.clone(), r.count)));
        let dropped = document.signals.dropped.iter();
        rows.extend(dropped.map(|r| ("signal dropped".to_owned(), r.reason.clone(), r.count)));
        if rows.is_empty() {
            return;
        }
        self.heading("Refused, expired and dropped", false);
        let mut table = self.table();
        table.set_header(["what", "reason", "count"]);
        for (what, reason, count) in rows {
            let reason = if reason.is_empty() { "(none given)".to_owned() } else { tame(&reason) };
            table.add_row([what, reason, grouped(count)]);
        }
        if let Some(column) = table.column_mut(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        self.print(&table);
    }

    fn lines(&mut self, title: &str, lines: Vec<String>, warning: bool) {
        if lines.is_empty() {
            return;
        }
        self.heading(title, warning);
        for line in lines {
            self.paragraph(" · ", &line);
        }
    }

    /// A sentence broken at the width of the terminal, indented under its mark.
    fn paragraph(&mut self, mark: &str, text: &str) {
        let width = usize::from(self.terminal.width.max(20)) - 3;
        let mut line = String::new();
        let mut lead = mark;
        for word in tame(text).split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                self.push(&format!("{lead}{line}"));
                (lead, line) = ("   ", String::new());
            }
            if !line.is_empty() {
                line.push(' ');
            }
            let _ = write!(line, "{word}");
        }
        self.push(&format!("{lead}{line}"));
    }
}

/// The period of a run in words.
pub(super) fn period(document: &Document) -> String {
    let run = &document.run;
    match (&run.first_time, &run.last_time) {
        (Some(first), Some(last)) => {
            format!(
                "{} → {} UTC, {} {}",
                short_time(first),
                short_time(last),
                grouped(run.events),
                document.event_noun()
            )
        }
        _ => "no market event".to_owned(),
    }
}

/// A JSON value without the quotes of a string.
pub(super) fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{busy, days, document, empty};
    use bellwether_sdk::Money;

    fn text(document: &Document, width: u16) -> String {
        render(document, Terminal { width, utf8: true, colour: false })
    }

    #[test]
    fn a_report_names_figures_by_their_definitions() {
        let page = text(&document(&busy(60)), 100);
        for part in [
            "ema (ema_cross): fast=10 slow=30",
            "next-open@1, warm-up 0 bars",
            "margin, 10,000.00 USDT",
            "sharpe_daily_365",
            "max_drawdown_pct",
            "Closed trades by exit reason",
            "stop_loss",
            "Closed trades by instrument",
            "binance:ETH/USDT:USDT",
            "insufficient_cash",
            "signal dropped",
            "Open at the end",
            "warm-up took 0 bars",
        ] {
            assert!(page.contains(part), "{part} is not in:\n{page}");
        }
        let flagged = document(&busy(5));
        assert!(text(&flagged, 100).contains("Read with care"));
    }

    #[test]
    fn many_series_are_counted_instead_of_named() {
        let mut document = document(&empty());
        document.run.data = vec![document.run.data[0].clone(); 50];
        let page = text(&document, 100);
        assert_eq!(page.matches("bars-1h").count(), 8);
        assert!(page.contains("and 42 more series"), "{page}");
    }

    #[test]
    fn every_shown_key_is_a_figure() {
        for key in RESULT.iter().chain(&TRADES) {
            assert!(DEFINITIONS.iter().any(|d| d.key == *key), "{key}");
        }
    }

    #[test]
    fn a_run_without_trades_says_why() {
        let mut run = empty();
        run.events = 1_440;
        let page = text(&document(&run), 100);
        assert!(page.contains("Why there is no trade\n · no signal: 0 signals and 0 orders in 1,440 bars"), "{page}");
        assert!(page.contains("no closed trade: win_rate_pct"), "{page}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [60, 80, 120] {
            for line in text(&document(&busy(40)), width).lines() {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
            }
        }
    }

    #[test]
    fn ascii_terminals_get_ascii_and_pipes_no_colour() {
        let mut run = days(&[10_100, 10_050]);
        run.drawdown.fraction = f64::NAN;
        let page = render(&document(&run), Terminal { width: 90, utf8: false, colour: false });
        assert!(page.is_ascii(), "{page}");
        assert!(!page.contains('\u{1b}'));
        let page = render(&document(&run), Terminal { width: 90, utf8: true, colour: true });
        assert!(page.contains("\u{1b}[1mSummary\u{1b}[0m"));
    }

    #[test]
    fn words_from_outside_cannot_command_the_terminal() {
        let mut run = empty();
        run.refusals = vec![("\u{1b}[2Jgone".to_owned(), 1)];
        run.notes = vec!["\u{7}bell".to_owned()];
        run.end_equity = Money::from_mantissa(-1);
        let page = text(&document(&run), 100);
        assert!(!page.contains('\u{1b}') && !page.contains('\u{7}'), "{page:?}");
        assert!(page.contains("?[2Jgone"));
    }
}
