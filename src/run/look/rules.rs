//! Instruments' rules as JSON, there and back, and numbers held against them.

use bellwether_sdk::{Decimal, Price, Qty, Size, Symbol};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{LookError, ONE};
use crate::exchange::{Rules, Venue, qty_max};
use crate::orders::Order;

/// Digits of a guess: more than any instrument here needs, few enough for 64 bits.
const GUESS_DIGITS: u8 = 8;
/// What stands for the venue's word where rules are read from a file, which has none.
const NOT_TRADING: &str = "not trading";

/// A mantissa as text without needless zeros.
pub(super) fn text(mantissa: i64, scale: u8) -> String {
    Decimal::new(mantissa, scale).normalized().to_string()
}

/// An order's value as text.
pub(in crate::run) fn notional_text(rules: &Rules, value: i128) -> String {
    let text = bellwether_sdk::num::format_wide(value, rules.price_scale + rules.qty_scale);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// The step of prices as text.
pub(in crate::run) fn tick_text(rules: &Rules) -> String {
    text(rules.tick.mantissa(), rules.price_scale)
}

/// A quantity as text.
pub(in crate::run) fn qty_text(rules: &Rules, qty: Qty) -> String {
    text(qty.mantissa(), rules.qty_scale)
}

/// Rules as they are shown, and as [`rules_of`] reads them.
pub(super) fn shown(rules: &Rules) -> Value {
    json!({
        "symbol": rules.symbol.as_str(),
        "name": rules.name,
        "stream_name": rules.stream_name,
        "index": rules.index,
        "price_scale": rules.price_scale,
        "qty_scale": rules.qty_scale,
        "tick": tick_text(rules),
        "lot": qty_text(rules, rules.lot),
        "qty_min": qty_text(rules, rules.qty_min),
        "notional_min": notional_text(rules, rules.notional_min),
        "qty_max": qty_text(rules, rules.qty_max),
        "qty_max_market": qty_text(rules, rules.qty_max_market),
        "notional_max": notional_text(rules, rules.notional_max),
        "multiplier": rules.multiplier,
        "contract": rules.contract.to_string(),
        "significant_digits": rules.significant_digits,
        "trading": rules.closed.is_none(),
    })
}

#[derive(Deserialize)]
struct Wire {
    symbol: Symbol,
    name: String,
    stream_name: Option<String>,
    #[serde(default)]
    index: u32,
    price_scale: u8,
    qty_scale: u8,
    tick: Decimal,
    lot: Decimal,
    qty_min: Option<Decimal>,
    notional_min: Option<Decimal>,
    qty_max: Option<Decimal>,
    qty_max_market: Option<Decimal>,
    notional_max: Option<Decimal>,
    multiplier: Option<i64>,
    contract: Option<Decimal>,
    #[serde(default)]
    significant_digits: u8,
    trading: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Rows(Vec<Wire>),
    Whole { instruments: Vec<Wire> },
}

/// Reads instruments with their rules from what `exchange VENUE instruments --json` wrote, or from its list alone.
///
/// # Errors
/// [`LookError::Unknown`] that says what does not read.
pub fn rules_of(json: &str) -> Result<Vec<Rules>, LookError> {
    let wrong = |why: String| LookError::Unknown(format!("reading instruments' rules: {why}"));
    let (Document::Rows(rows) | Document::Whole { instruments: rows }) =
        serde_json::from_str(json).map_err(|e| wrong(e.to_string()))?;
    rows.into_iter().map(|w| of_wire(w).map_err(wrong)).collect()
}

fn of_wire(w: Wire) -> Result<Rules, String> {
    if w.price_scale > 15 || w.qty_scale > 15 {
        return Err(format!("{}: a scale is at most 15 digits", w.symbol));
    }
    let at = |what: &str, value: Decimal, scale| {
        value.at_scale(scale).map_err(|e| format!("{}: {what} {value}: {e}", w.symbol))
    };
    let positive = |what: &str, value: i64| match value > 0 {
        true => Ok(value),
        false => Err(format!("{}: {what} is not above zero", w.symbol)),
    };
    let notional = |value: Option<Decimal>| value.map_or(0, |n| n.at_wide_scale(w.price_scale + w.qty_scale));
    let most = |value: Option<Decimal>| value.map_or(Qty::ZERO, |most| qty_max(most, w.qty_scale));
    Ok(Rules {
        tick: Price::from_mantissa(positive("tick", at("tick", w.tick, w.price_scale)?)?),
        lot: Qty::from_mantissa(positive("lot", at("lot", w.lot, w.qty_scale)?)?),
        qty_min: Qty::from_mantissa(w.qty_min.map_or(Ok(0), |q| at("qty_min", q, w.qty_scale))?),
        notional_min: notional(w.notional_min),
        qty_max: most(w.qty_max),
        qty_max_market: most(w.qty_max_market),
        notional_max: notional(w.notional_max),
        stream_name: w.stream_name.clone().unwrap_or_else(|| w.name.clone()),
        name: w.name.clone(),
        index: w.index,
        price_scale: w.price_scale,
        qty_scale: w.qty_scale,
        multiplier: positive("multiplier", w.multiplier.unwrap_or(1))?,
        contract: w.contract.filter(|c| c.is_positive()).unwrap_or(Decimal::new(1, 0)),
        significant_digits: w.significant_digits,
        closed: (w.trading == Some(false)).then(|| NOT_TRADING.to_owned()),
        symbol: w.symbol,
    })
}

/// Rules that nobody stated: the venue's usual name of the symbol, and eight digits everywhere.
pub(in crate::run) fn guess(venue: &dyn Venue, symbol: &Symbol) -> Rules {
    Rules::plain(symbol.clone(), &venue.guess_name(symbol), GUESS_DIGITS, GUESS_DIGITS)
}

/// A price on the tick.
pub(super) fn price(rules: &Rules, value: Decimal) -> Result<Price, LookError> {
    let tick = rules.tick.mantissa().max(1);
    match value.normalized().at_scale(rules.price_scale) {
        Ok(mantissa) if mantissa % tick == 0 => Ok(Price::from_mantissa(mantissa)),
        _ => {
            let tick = text(tick, rules.price_scale);
            Err(LookError::Rules(format!(
                "a price of {value} is not a multiple of {tick}, the tick of {}",
                rules.symbol
            )))
        }
    }
}

/// A quantity on the lot.
pub(super) fn qty(rules: &Rules, value: Decimal) -> Result<Qty, LookError> {
    let lot = rules.lot.mantissa().max(1);
    match value.normalized().at_scale(rules.qty_scale) {
        Ok(mantissa) if mantissa % lot == 0 => Ok(Qty::from_mantissa(mantissa)),
        _ => {
            let lot = text(lot, rules.qty_scale);
            Err(LookError::Rules(format!(
                "a quantity of {value} is not a multiple of {lot}, the lot of {}",
                rules.symbol
            )))
        }
    }
}

/// Refuses an order that is above the venue's largest.
pub(super) fn not_above_max(rules: &Rules, order: &Order) -> Result<(), LookError> {
    let Size::Qty(qty) = order.size else { return Ok(()) };
    let (instrument, symbol) = (rules.instrument(ONE), &rules.symbol);
    if let Some(max) = instrument.qty_max_of(order.kind).filter(|max| qty > *max) {
        let (qty, max) = (qty_text(rules, qty), qty_text(rules, max));
        return Err(LookError::Rules(format!(
            "a quantity of {qty} is above {max}, the largest of such an order of {symbol}"
        )));
    }
    let value = order.kind.limit().map_or(0, |price| instrument.notional(price, qty));
    if instrument.notional_max > 0 && value > instrument.notional_max {
        let (value, max) = (notional_text(rules, value), notional_text(rules, rules.notional_max));
        return Err(LookError::Rules(format!(
            "a value of {value} is above {max}, the largest of an order of {symbol}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_as_they_are_shown() {
        let rules = Rules {
            symbol: "binance:BTC/USDT".parse().expect("a symbol"),
            name: "BTCUSDT".to_owned(),
            stream_name: "btcusdt".to_owned(),
            index: 3,
            price_scale: 5,
            qty_scale: 8,
            tick: Price::from_mantissa(1_000),
            lot: Qty::from_mantissa(1_000),
            qty_min: Qty::from_mantissa(2_000),
            notional_min: 50_000_000_000_000,
            qty_max: Qty::from_mantissa(900_000_000_000),
            qty_max_market: Qty::from_mantissa(12_000_000_000),
            notional_max: 9_000_000 * 10i128.pow(13),
            multiplier: 1,
            contract: Decimal::new(1, 2),
            significant_digits: 5,
            closed: Some(NOT_TRADING.to_owned()),
        };
        let text = json!({ "instruments": [shown(&rules)] }).to_string();
        assert!(text.contains(r#""tick":"0.01""#) && text.contains(r#""notional_min":"5""#), "{text}");
        let largest = r#""notional_max":"9000000","notional_min":"5""#;
        assert!(text.contains(r#""qty_max":"9000","qty_max_market":"120""#) && text.contains(largest), "{text}");
        assert_eq!(rules_of(&text).expect("read"), std::slice::from_ref(&rules));
        // What was written before there were largest orders has none.
        let older =
            text.replace(r#""qty_max":"9000","qty_max_market":"120","#, "").replace(r#""notional_max":"9000000","#, "");
        let none = Rules { qty_max: Qty::ZERO, qty_max_market: Qty::ZERO, notional_max: 0, ..rules.clone() };
        assert_eq!(rules_of(&older).expect("read"), [none]);
        assert_eq!(rules_of(&json!([shown(&rules)]).to_string()).expect("read"), std::slice::from_ref(&rules));
        assert!(rules_of("{}").is_err() && rules_of(&text.replace("0.01", "0.000000001")).is_err());
        assert!(price(&rules, "100.01".parse().expect("a number")).is_ok());
        let off = price(&rules, "100.015".parse().expect("a number")).expect_err("off the tick").to_string();
        assert!(off.contains("100.015") && off.contains("0.01"), "{off}");
    }
}
