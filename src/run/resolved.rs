//! The settings of a run as they were understood, and their hash: equal for settings that mean the same, however they are
//! written. What the catalog says of an instrument (fees, rules) is not among them; `data_hash` and the document have it.

use bellwether_sdk::{Decimal, ParamValues, Ts};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::money::parse_cash;
use super::plan::{Plan, strategies_of};
use crate::config::Settings;
use crate::host::{Entry, Registry};
use crate::orders::hex;
use crate::signal::is_sizing;

/// Sections all of whose decimals are numbers, whatever the digits they are written with.
const OF_NUMBERS: [&str; 3] = ["account", "risk", "sim"];

/// SHA-256 of the settings that make a result, as they were understood.
pub(super) fn config_hash(settings: &Settings, registry: &Registry, plan: &Plan) -> String {
    hash(&value(settings, registry, plan))
}

/// SHA-256 of the same settings as they were written: by it a session knows those that it goes on with.
pub(super) fn written_hash(settings: &Settings) -> String {
    // Settings are plain data, so writing them cannot fail.
    let text = serde_json::to_vec(&relevant(settings)).unwrap_or_default();
    hex(&Sha256::digest(&text))
}

fn hash(value: &Value) -> String {
    hex(&Sha256::digest(value.to_string().as_bytes()))
}

/// What makes a result; where data and state are stored does not.
fn relevant(settings: &Settings) -> Settings {
    let mut relevant = settings.clone();
    relevant.state_dir = None;
    relevant.data = crate::config::DataSettings::default();
    relevant.sink.clear();
    let usual = crate::config::SessionSettings::default();
    (relevant.session.durability, relevant.session.segment_kib) = (usual.durability, usual.segment_kib);
    relevant.session.awake_us = usual.awake_us;
    relevant.session.orders_kept = usual.orders_kept;
    // What was done about others' orders stands on the tape.
    (relevant.session.foreign, relevant.session.adopt_for) = (usual.foreign, usual.adopt_for);
    // What is in a strategy's file counts, not where it lies.
    relevant.strategy.iter_mut().filter(|s| s.sha256.is_some()).for_each(|s| s.plugin.clear());
    relevant
}

fn value(settings: &Settings, registry: &Registry, plan: &Plan) -> Value {
    let mut resolved = relevant(settings);
    let symbols: Vec<_> = plan.instruments.iter().map(|i| i.symbol.clone()).collect();
    let defaults = settings.backtest.instruments.clone();
    let asked = strategies_of(settings);
    resolved.strategy = asked
        .iter()
        .map(|wanted| {
            let mut one = wanted.clone();
            one.id = wanted.name().to_owned();
            if one.instruments.is_empty() {
                one.instruments = if defaults.is_empty() { symbols.clone() } else { defaults.clone() };
            }
            if let Ok(entry) = registry.get_pinned(&wanted.plugin, wanted.sha256.as_deref()) {
                one.params = params(&entry, &wanted.params);
            }
            if one.sha256.is_some() {
                one.plugin.clear();
            }
            one
        })
        .collect();
    resolved.backtest.instruments = symbols;
    resolved.backtest.interval = plan.input.bars;
    resolved.backtest.kinds.retain(|k| k != "bars");
    let at = |ts: Ts, none: Ts| (ts != none).then(|| ts.nanos().to_string());
    resolved.backtest.from = at(plan.range.start, Ts::from_nanos(i64::MIN + 1));
    resolved.backtest.to = at(plan.range.end, Ts::MAX);
    resolved.sim.fill_profile = Some(plan.profile.to_string());
    resolved.account.kind = Some(plan.account);
    if let Ok((amount, code)) = parse_cash(&settings.account.cash, &plan.instruments) {
        resolved.account.cash = format!("{} {code}", amount.normalized());
    }
    // Settings are plain data, so writing them cannot fail.
    let mut value = serde_json::to_value(&resolved).unwrap_or_else(|_| json!({}));
    for section in OF_NUMBERS {
        if let Some(section) = value.get_mut(section) {
            normalize(section);
        }
    }
    value
}

/// All parameters of a strategy, defaults among them, each in one way of writing.
fn params(entry: &Entry, given: &ParamValues) -> ParamValues {
    let mut all: ParamValues =
        entry.specs.iter().filter_map(|s| Some((s.name.to_owned(), s.default.clone()?))).collect();
    all.extend(given.clone());
    for (name, text) in &mut all {
        let kind = entry.specs.iter().find(|s| s.name == name.as_str()).map(|s| s.kind);
        let is_number = match kind {
            Some(kind) => matches!(kind, "integer" | "number" | "decimal"),
            None => is_sizing(name),
        };
        if is_number && let Some(number) = number(text) {
            *text = number;
        }
    }
    all
}

/// A decimal with the digits that count; `None` of what is none.
fn number(text: &str) -> Option<String> {
    Some(text.trim().parse::<Decimal>().ok()?.normalized().to_string())
}

/// Every text that is a decimal is written with the digits that count.
fn normalize(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(number) = number(text) {
                *text = number;
            }
        }
        Value::Array(all) => all.iter_mut().for_each(normalize),
        Value::Object(all) => all.values_mut().for_each(normalize),
        _ => {}
    }
}
