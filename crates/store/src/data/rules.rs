//! `instruments.json`: rules and fees of instruments that the venue or the user states. Optional.
//! Its shape is documented at [`Catalog`](super::Catalog). Numbers are text, so that no digit is lost; an unknown key
//! is an error, so that a misspelt rule does not silently not apply.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::path::Path;

use bellwether_sdk::num::rescale;
use bellwether_sdk::{Decimal, Instrument, Rate, Symbol, Ts};
use serde::Deserialize;

use super::error::DataError;
use super::time::parse_date;

/// The name of the file in the catalog.
const INSTRUMENTS: &str = "instruments.json";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    valid_from: Option<String>,
    tick: Decimal,
    lot: Decimal,
    qty_min: Option<Decimal>,
    notional_min: Option<Decimal>,
    qty_max: Option<Decimal>,
    qty_max_market: Option<Decimal>,
    notional_max: Option<Decimal>,
    multiplier: Option<i64>,
    maker_bps: Option<Decimal>,
    taker_bps: Option<Decimal>,
}

/// The rules of a catalog: per instrument by the time from which on they count, in nanoseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    by_symbol: BTreeMap<String, BTreeMap<i64, Rule>>,
}

impl Rules {
    /// Reads the rules of a catalog; none where the file is missing.
    pub(crate) fn load(dir: &Path) -> Result<Self, DataError> {
        let path = dir.join(INSTRUMENTS);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(DataError::io("reading", &path)(e)),
        };
        let wrong = |found: String| DataError::Damaged {
            path: path.clone(),
            found,
            remedy: "correct it, or remove it to have the rules inferred".to_owned(),
        };
        let read: BTreeMap<Symbol, Vec<Rule>> = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
        let mut by_symbol = BTreeMap::new();
        for (symbol, rules) in read {
            let mut dated = BTreeMap::new();
            for rule in rules {
                check(&rule).map_err(|what| wrong(format!("{symbol}: {what}")))?;
                let from = match &rule.valid_from {
                    None => i64::MIN,
                    Some(text) => {
                        parse_date(text).ok_or_else(|| wrong(format!("{symbol}: {text:?} is not a date")))?.nanos()
                    }
                };
                dated.insert(from, rule);
            }
            if !dated.is_empty() {
                by_symbol.insert(symbol.to_string(), dated);
            }
        }
        Ok(Self { by_symbol })
    }

    pub(crate) fn has(&self, symbol: &Symbol) -> bool {
        self.by_symbol.contains_key(symbol.as_str())
    }

    /// The rule in force at a time; before the first one, that.
    fn at(&self, symbol: &Symbol, at: Ts) -> Option<&Rule> {
        let dated = self.by_symbol.get(symbol.as_str())?;
        dated.range(..=at.nanos()).next_back().or_else(|| dated.first_key_value()).map(|(_, rule)| rule)
    }

    /// The times within a range (its start excluded) from which on others count.
    pub(crate) fn changes(&self, symbol: &Symbol, range: Range<Ts>) -> Vec<Ts> {
        let dated = self.by_symbol.get(symbol.as_str());
        let within = (Bound::Excluded(range.start.nanos()), Bound::Excluded(range.end.nanos()));
        let first = dated.and_then(|d| d.keys().next());
        // The first counts before its time too.
        let later = dated.into_iter().flat_map(|d| d.range(within)).filter(|(at, _)| Some(*at) != first);
        later.map(|(at, _)| Ts::from_nanos(*at)).collect()
    }

    /// Maker and taker rates; a rate not stated is the other one.
    pub(crate) fn fees(&self, symbol: &Symbol, at: Ts) -> Option<(Rate, Rate)> {
        let rule = self.at(symbol, at)?;
        let maker = rule.maker_bps.or(rule.taker_bps)?;
        let taker = rule.taker_bps.or(rule.maker_bps)?;
        Some((Rate::from_bps(maker).ok()?, Rate::from_bps(taker).ok()?))
    }

    /// Puts stated rules in the place of inferred ones; scales grow to hold tick and lot.
    pub(crate) fn apply(&self, inferred: Instrument, at: Ts, dir: &Path) -> Result<Instrument, DataError> {
        let Some(rule) = self.at(&inferred.symbol, at) else { return Ok(inferred) };
        let wrong = |what: &str, value: Decimal| {
            DataError::damaged(&dir.join(INSTRUMENTS), format!("{}: {what} {value} does not fit", inferred.symbol))
        };
        let price_scale = inferred.price_scale.max(rule.tick.normalized().scale());
        let qty_min = rule.qty_min.unwrap_or(Decimal::new(0, 0));
        let qty_scale = inferred.qty_scale.max(rule.lot.normalized().scale()).max(qty_min.normalized().scale());
        let notional_min = rule.notional_min.unwrap_or(Decimal::new(0, 0)).normalized();
        let digits = price_scale + qty_scale;
        let notional = (notional_min.scale() <= digits)
            .then(|| {
                i128::from(notional_min.mantissa()).checked_mul(10i128.pow(u32::from(digits - notional_min.scale())))
            })
            .flatten()
            .ok_or_else(|| wrong("notional_min", notional_min))?;
        // Of a maximum digits beyond are cut, and one that no order can reach is none.
        let most = |value: Option<Decimal>| {
            bellwether_sdk::Qty::from_mantissa(value.and_then(|v| v.at_scale_toward_zero(qty_scale)).unwrap_or(0))
        };
        let scaled = |value: Decimal, scale| rescale(value.normalized().mantissa(), value.normalized().scale(), scale);
        Ok(Instrument {
            price_scale,
            qty_scale,
            tick: scaled(rule.tick, price_scale)
                .map(bellwether_sdk::Price::from_mantissa)
                .ok_or_else(|| wrong("tick", rule.tick))?,
            lot: scaled(rule.lot, qty_scale)
                .map(bellwether_sdk::Qty::from_mantissa)
                .ok_or_else(|| wrong("lot", rule.lot))?,
            qty_min: scaled(qty_min, qty_scale)
                .map(bellwether_sdk::Qty::from_mantissa)
                .ok_or_else(|| wrong("qty_min", qty_min))?,
            notional_min: notional,
            qty_max: most(rule.qty_max),
            qty_max_market: most(rule.qty_max_market),
            notional_max: rule.notional_max.map_or(0, |v| v.at_wide_scale(digits)),
            multiplier: rule.multiplier.unwrap_or(1),
            inferred: false,
            ..inferred
        })
    }
}

/// Adds an entry for an instrument unless the one in force says the same; fees that it states stay. Whatever else the
/// file holds stays as it is. The caller holds the lock. Gives whether the file changed.
pub(super) fn note(dir: &Path, symbol: &Symbol, stated: &super::StatedRules) -> Result<bool, DataError> {
    let known = Rules::load(dir)?;
    let path = dir.join(INSTRUMENTS);
    let read = |text: &str| text.parse::<Decimal>().ok();
    let old = known.at(symbol, Ts::MAX);
    let zero = Decimal::new(0, 0);
    let same = old.is_some_and(|r| {
        let optional = [
            (r.qty_min, &stated.qty_min),
            (r.notional_min, &stated.notional_min),
            (r.qty_max, &stated.qty_max),
            (r.qty_max_market, &stated.qty_max_market),
            (r.notional_max, &stated.notional_max),
        ];
        (Some(r.tick), Some(r.lot)) == (read(&stated.tick), read(&stated.lot))
            && optional.iter().all(|(old, new)| old.unwrap_or(zero) == read(new).unwrap_or(zero))
            && r.multiplier.unwrap_or(1) == stated.multiplier
    });
    if same {
        return Ok(false);
    }
    let mut all: serde_json::Map<String, serde_json::Value> = match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|e| DataError::damaged(&path, e))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => serde_json::Map::new(),
        Err(e) => return Err(DataError::io("reading", &path)(e)),
    };
    let mut entry = serde_json::json!({
        "valid_from": stated.valid_from,
        "tick": stated.tick,
        "lot": stated.lot,
        "qty_min": stated.qty_min,
        "notional_min": stated.notional_min,
        "qty_max": stated.qty_max,
        "qty_max_market": stated.qty_max_market,
        "notional_max": stated.notional_max,
        "multiplier": stated.multiplier,
    });
    for (name, bps) in [("maker_bps", old.and_then(|r| r.maker_bps)), ("taker_bps", old.and_then(|r| r.taker_bps))] {
        if let Some(bps) = bps {
            entry[name] = serde_json::json!(bps.to_string());
        }
    }
    let rows = all.entry(symbol.as_str()).or_insert_with(|| serde_json::json!([]));
    if let Some(rows) = rows.as_array_mut() {
        // Of one day the last word counts.
        rows.retain(|r| r["valid_from"].as_str() != Some(stated.valid_from.as_str()));
        rows.push(entry);
    }
    let temporary = dir.join(format!("{INSTRUMENTS}.tmp"));
    let mut text = serde_json::to_vec_pretty(&all).map_err(|e| DataError::damaged(&path, e))?;
    text.push(b'\n');
    std::fs::write(&temporary, &text)
        .and_then(|()| std::fs::rename(&temporary, &path))
        .map_err(DataError::io("writing", &path))?;
    Ok(true)
}

fn check(rule: &Rule) -> Result<(), String> {
    for (name, value) in [("tick", rule.tick), ("lot", rule.lot)] {
        if !value.is_positive() {
            return Err(format!("{name} {value} is not above zero"));
        }
    }
    let not_negative = [
        ("qty_min", rule.qty_min),
        ("notional_min", rule.notional_min),
        ("qty_max", rule.qty_max),
        ("qty_max_market", rule.qty_max_market),
        ("notional_max", rule.notional_max),
    ];
    if let Some((name, Some(value))) = not_negative.into_iter().find(|(_, v)| v.is_some_and(|v| v.mantissa() < 0)) {
        return Err(format!("{name} {value} is negative"));
    }
    if rule.multiplier.is_some_and(|m| m <= 0) {
        return Err("multiplier is not above zero".to_owned());
    }
    for (name, value) in [("maker_bps", rule.maker_bps), ("taker_bps", rule.taker_bps)] {
        if value.is_some_and(|v| Rate::from_bps(v).is_err()) {
            return Err(format!("{name} has more than eight digits after the point"));
        }
    }
    Ok(())
}
