//! Why a run made no trade: the most frequent reasons, in words.

use super::document::Document;
use super::text::grouped;

/// The most frequent reasons, at most three, why a run has no closed trade; empty if it has one.
pub fn why_no_trade(document: &Document) -> Vec<String> {
    if !document.trades.is_empty() {
        return Vec::new();
    }
    let mut reasons = counted(document);
    reasons.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    reasons.dedup_by(|a, b| a.1 == b.1);
    let mut reasons: Vec<String> = reasons.into_iter().map(|(_, text)| text).collect();
    if reasons.is_empty() {
        reasons.extend(document.signals.unbuilt.iter().map(|bars| format!("no bar was completed: {bars}")));
        reasons.push(silence(document));
    }
    reasons.truncate(3);
    reasons
}

fn counted(document: &Document) -> Vec<(u64, String)> {
    let mut reasons = Vec::new();
    for r in &document.signals.dropped {
        reasons.push((r.count, format!("signal made no order: {} ({} times)", r.reason, grouped(r.count))));
    }
    for r in &document.refusals {
        reasons.push((r.count, format!("order refused: {} ({} times)", r.reason, grouped(r.count))));
    }
    for r in document.order_ends.iter().filter(|r| matches!(r.state.as_str(), "expired" | "cancelled")) {
        let why = if r.reason.is_empty() { "no reason given" } else { &r.reason };
        reasons.push((r.count, format!("order {}: {why} ({} times)", r.state, grouped(r.count))));
    }
    for state in ["sent", "acknowledged", "partly_filled"] {
        let open = document.orders.iter().filter(|o| o.state.name() == state).count() as u64;
        if open > 0 {
            reasons.push((open, format!("order still open at the end: {state} ({} times)", grouped(open))));
        }
    }
    let lots: usize = document.open_positions.iter().map(|p| p.lots.len()).sum();
    if lots > 0 {
        reasons.push((
            lots as u64,
            format!("position opened and never closed ({} lots open at the end)", grouped(lots as u64)),
        ));
    }
    reasons
}

/// Nothing was refused or dropped, and still nothing happened.
fn silence(document: &Document) -> String {
    let seen = format!("{} {}", grouped(document.run.events), document.event_noun());
    match (document.signals.emitted, document.orders.len()) {
        (0, 0) => format!("no signal: 0 signals and 0 orders in {seen}"),
        (signals, 0) => format!("{} signals in {seen} and no order came of them", grouped(signals)),
        (_, orders) => format!("{} orders in {seen} and none of them filled", grouped(orders as u64)),
    }
}
