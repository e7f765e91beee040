//! Instruments and their rules from `exchangeInfo`.
//!
//! Prices and quantities keep three digits more than tick and lot ask for (at most eight): both were finer in the past
//! of many instruments, and history must read exactly. No more than that, since volumes of cheap coins must fit 63 bits.

use bellwether_sdk::{Decimal, Price, Qty, Symbol};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::codec::{most, qty_max};
use super::super::{Digits, Product, Reply, Rules, VenueError, WireError};
use super::dialect::Dialect;

/// Digits beyond those of tick and lot.
const RESERVE: u8 = 3;
/// Digits that the venue knows at most.
const SCALE_MAX: u8 = 8;

#[derive(Deserialize)]
struct Info<'a> {
    #[serde(borrow)]
    symbols: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SymbolWire<'a> {
    symbol: String,
    #[serde(default)]
    status: String,
    base_asset: String,
    quote_asset: String,
    margin_asset: Option<String>,
    contract_type: Option<String>,
    is_spot_trading_allowed: Option<bool>,
    #[serde(borrow)]
    filters: Vec<Filter<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter<'a> {
    filter_type: String,
    #[serde(borrow)]
    tick_size: Option<Digits<'a>>,
    #[serde(borrow)]
    step_size: Option<Digits<'a>>,
    #[serde(borrow)]
    min_qty: Option<Digits<'a>>,
    #[serde(borrow)]
    max_qty: Option<Digits<'a>>,
    #[serde(borrow)]
    min_notional: Option<Digits<'a>>,
    #[serde(borrow)]
    max_notional: Option<Digits<'a>>,
    #[serde(borrow)]
    notional: Option<Digits<'a>>,
}

#[derive(Deserialize)]
struct Named {
    symbol: String,
}

/// The instruments of a product; those that were not understood are named beside them. Dated contracts are of no
/// product here and left out.
///
/// # Errors
/// [`VenueError`] of class malformed.
pub(super) fn read(d: &Dialect, body: &str) -> Result<Reply, VenueError> {
    let info: Info<'_> = serde_json::from_str(body).map_err(|e| VenueError::malformed(e.to_string()))?;
    let mut rules = Vec::with_capacity(info.symbols.len());
    let mut unknown = Vec::new();
    for row in info.symbols {
        match one(d, row.get()) {
            Ok(Some(one)) => rules.push(one),
            Ok(None) => {}
            Err(_) => {
                let named: Result<Named, _> = serde_json::from_str(row.get());
                unknown.push(named.map_or_else(|_| row.get().chars().take(40).collect(), |n| n.symbol));
            }
        }
    }
    Ok(Reply::Instruments(rules, unknown))
}

fn one(d: &Dialect, row: &str) -> Result<Option<Rules>, VenueError> {
    let wire: SymbolWire<'_> = serde_json::from_str(row).map_err(|e| VenueError::malformed(e.to_string()))?;
    let (base, quote) = (&wire.base_asset, &wire.quote_asset);
    let text = match d.product {
        Product::Spot => format!("binance:{base}/{quote}"),
        Product::Linear => {
            match wire.contract_type.as_deref() {
                Some("PERPETUAL") => {}
                Some("CURRENT_QUARTER" | "NEXT_QUARTER" | "CURRENT_MONTH" | "NEXT_MONTH") => return Ok(None),
                _ => return Err(VenueError::malformed("a contract of an unknown type")),
            }
            format!("binance:{base}/{quote}:{}", wire.margin_asset.as_deref().unwrap_or(quote))
        }
    };
    let symbol: Symbol = text.parse().map_err(|e| VenueError::malformed(format!("{e}")))?;
    if d.product == Product::Linear && symbol.settle() != symbol.quote() {
        return Err(VenueError::malformed("a contract that is not settled in its quote currency"));
    }
    rules(wire, symbol).map(Some).map_err(|e| VenueError::malformed(e.to_string()))
}

fn rules(wire: SymbolWire<'_>, symbol: Symbol) -> Result<Rules, WireError> {
    let (mut tick, mut lot, mut least, mut notional) = (None, None, None, None);
    let (mut most_qty, mut most_at_market, mut most_notional) = (None, None, None);
    for f in &wire.filters {
        match f.filter_type.as_str() {
            "PRICE_FILTER" => tick = f.tick_size,
            "LOT_SIZE" => (lot, least, most_qty) = (f.step_size, f.min_qty, f.max_qty),
            "MARKET_LOT_SIZE" => most_at_market = f.max_qty,
            "NOTIONAL" | "MIN_NOTIONAL" => (notional, most_notional) = (f.min_notional.or(f.notional), f.max_notional),
            _ => {}
        }
    }
    let (price_scale, tick) = step("tickSize", tick)?;
    let (qty_scale, lot) = step("stepSize", lot)?;
    let qty_min = least.map_or(Ok(0), |q| q.mantissa("minQty", qty_scale))?;
    let notional_min = match notional {
        Some(n) => wide(n.decimal("minNotional")?, price_scale + qty_scale),
        None => 0,
    };
    Ok(Rules {
        symbol,
        stream_name: wire.symbol.to_lowercase(),
        name: wire.symbol,
        index: 0,
        price_scale,
        qty_scale,
        tick: Price::from_mantissa(tick),
        lot: Qty::from_mantissa(lot),
        qty_min: Qty::from_mantissa(qty_min),
        notional_min,
        qty_max: qty_max(most("maxQty", most_qty)?, qty_scale),
        qty_max_market: qty_max(most("maxQty", most_at_market)?, qty_scale),
        notional_max: most("maxNotional", most_notional)?.at_wide_scale(price_scale + qty_scale),
        multiplier: 1,
        contract: bellwether_sdk::Decimal::new(1, 0),
        significant_digits: 0,
        closed: match (wire.status.as_str(), wire.is_spot_trading_allowed) {
            ("TRADING", Some(false)) => Some("isSpotTradingAllowed: false".to_owned()),
            ("TRADING", _) => None,
            _ => Some(wire.status),
        },
    })
}

/// A scale and a step at it. No filter, or a step of zero, means that the finest digit is the step.
fn step(field: &'static str, step: Option<Digits<'_>>) -> Result<(u8, i64), WireError> {
    let step = step.map(|s| s.decimal(field)).transpose()?.filter(|s| s.is_positive());
    let Some(step) = step else { return Ok((SCALE_MAX, 1)) };
    let digits = step.normalized().scale();
    let scale = digits.max((digits + RESERVE).min(SCALE_MAX));
    match step.at_scale(scale) {
        Ok(mantissa) => Ok((scale, mantissa)),
        Err(e) => Err(WireError::Number { field, text: step.to_string(), why: e.to_string() }),
    }
}

/// A decimal at a scale of its own, wide; digits beyond are rounded up, so that a minimum stays one.
fn wide(value: Decimal, scale: u8) -> i128 {
    let value = value.normalized();
    let mantissa = i128::from(value.mantissa().max(0));
    if scale >= value.scale() {
        mantissa.saturating_mul(10i128.pow(u32::from(scale - value.scale())))
    } else {
        let unit = 10i128.pow(u32::from(value.scale() - scale));
        (mantissa + unit - 1) / unit
    }
}
