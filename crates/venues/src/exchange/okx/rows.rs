//! Rows that REST answers and sockets have in common: orders, fills, positions, balances, bars; and the rules.

use std::borrow::Cow;

use bellwether_sdk::{Bar, Decimal, InstrumentId, Interval, Level, OrderKind, Price, Qty, Side, Symbol, TimeInForce};
use serde::Deserialize;

use crate::exchange::codec::{
    Pair, amount, amount_if, base_of, digits_of, millis, millis_if, most, negated, present, push_levels, qty_max,
};
use crate::exchange::vocab::liquidity;
use crate::exchange::{
    Balance, Digits, FillNote, Listing, OrderNote, OrderRow, OrderStatus, Position, Product, Rules, WireError,
};

/// Buy or sell.
pub(super) fn side(word: &str) -> Result<Side, WireError> {
    match word {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        _ => Err(WireError::Number { field: "side", text: word.chars().take(40).collect(), why: "no side".into() }),
    }
}

/// A count of contracts (swaps) or an amount of base (spot) in base units.
pub(super) fn qty(field: &'static str, digits: Digits<'_>, rules: &Rules) -> Result<Qty, WireError> {
    base_of(field, digits, rules.contract, rules.qty_scale)
}

/// A price.
pub(super) fn price(field: &'static str, digits: Digits<'_>, rules: &Rules) -> Result<Price, WireError> {
    digits.mantissa(field, rules.price_scale).map(Price::from_mantissa)
}

/// A market's quantity: not below zero, as those of positions may be.
pub(super) fn traded(field: &'static str, digits: Digits<'_>, rules: &Rules) -> Result<Qty, WireError> {
    let found = qty(field, digits, rules)?;
    if found < Qty::ZERO { Err(digits.wrong(field, "no quantity is below zero")) } else { Ok(found) }
}

/// Adds the levels of a side.
pub(super) fn levels(into: &mut Vec<Level>, side: Side, rows: &[Pair<'_>], rules: &Rules) -> Result<(), WireError> {
    if rules.contract == Decimal::new(1, 0) {
        return push_levels(into, side, rows, rules);
    }
    for Pair(px, sz) in rows {
        into.push(Level { side, price: px.price("price", rules.price_scale)?, qty: traded("quantity", *sz, rules)? });
    }
    Ok(())
}

/// A state of the venue.
pub(super) fn status(word: &str) -> OrderStatus {
    match word {
        "live" => OrderStatus::Acknowledged,
        "partially_filled" => OrderStatus::PartlyFilled,
        "filled" => OrderStatus::Filled,
        "canceled" | "mmp_canceled" => OrderStatus::Cancelled,
        _ => OrderStatus::Unknown,
    }
}

/// An order, as REST and the private stream have it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order<'a> {
    pub inst_id: &'a str,
    pub ord_id: &'a str,
    #[serde(borrow, default)]
    cl_ord_id: Cow<'a, str>,
    side: &'a str,
    ord_type: &'a str,
    #[serde(borrow, default)]
    px: Option<Digits<'a>>,
    #[serde(borrow)]
    sz: Digits<'a>,
    state: &'a str,
    #[serde(borrow, default)]
    acc_fill_sz: Option<Digits<'a>>,
    #[serde(borrow, default)]
    fill_sz: Option<Digits<'a>>,
    #[serde(borrow, default)]
    fill_px: Option<Digits<'a>>,
    #[serde(borrow, default)]
    fill_time: Option<Digits<'a>>,
    #[serde(default)]
    trade_id: &'a str,
    #[serde(default)]
    exec_type: &'a str,
    #[serde(borrow, default)]
    fill_fee: Option<Digits<'a>>,
    #[serde(default)]
    fill_fee_ccy: &'a str,
    #[serde(borrow, default)]
    fee: Option<Digits<'a>>,
    #[serde(default)]
    fee_ccy: &'a str,
    #[serde(default)]
    tgt_ccy: &'a str,
    #[serde(borrow, default)]
    cancel_source: Option<Digits<'a>>,
    #[serde(borrow, default)]
    cancel_source_reason: Cow<'a, str>,
    #[serde(borrow, default)]
    c_time: Option<Digits<'a>>,
    #[serde(borrow, default)]
    u_time: Option<Digits<'a>>,
}

impl Order<'_> {
    fn filled(&self, rules: &Rules) -> Result<Option<Qty>, WireError> {
        present(self.acc_fill_sz).map(|d| qty("accFillSz", d, rules)).transpose()
    }

    /// Why it was cancelled, where not by us.
    fn reason(&self) -> &'static str {
        match self.cancel_source.map_or("", Digits::text) {
            "13" => "no_liquidity",
            "15" => "price_out_of_bounds",
            "31" => "post_only_would_take",
            _ => "",
        }
    }

    /// What the private stream tells of it.
    pub(super) fn note(&self, listing: &Listing) -> Result<OrderNote, WireError> {
        let status = status(self.state);
        let known = status != OrderStatus::Unknown;
        Ok(OrderNote {
            instrument: listing.id,
            venue_id: self.ord_id.to_owned(),
            client_id: self.cl_ord_id.to_string(),
            status,
            filled: self.filled(&listing.rules)?,
            reason: if status == OrderStatus::Cancelled { self.reason() } else { "" },
            text: if known { self.cancel_source_reason.to_string() } else { self.state.to_owned() },
            ts_venue: millis_if("uTime", self.u_time)?,
        })
    }

    /// The fill that a message of the private stream tells of, if one. Its fee is `fillFee`; where that is missing, the
    /// order's whole fee is the fill's only if it is the first. A fill whose fee is not known is left to be asked for.
    pub(super) fn fill(&self, listing: &Listing) -> Result<Option<FillNote>, WireError> {
        let rules = &listing.rules;
        let (Some(sz), Some(px)) = (present(self.fill_sz), present(self.fill_px)) else { return Ok(None) };
        let filled = qty("fillSz", sz, rules)?;
        if filled.is_zero() || self.trade_id.is_empty() || self.trade_id == "0" {
            return Ok(None);
        }
        let (fee, currency) = match (present(self.fill_fee), present(self.fee)) {
            (Some(fee), _) => (fee, self.fill_fee_ccy),
            (None, Some(fee)) if self.filled(rules)? == Some(filled) => (fee, self.fee_ccy),
            _ => return Ok(None),
        };
        FillNote {
            instrument: listing.id,
            trade_id: self.trade_id.to_owned(),
            venue_id: self.ord_id.to_owned(),
            client_id: self.cl_ord_id.to_string(),
            side: side(self.side)?,
            price: price("fillPx", px, rules)?,
            qty: filled,
            // Charges are below zero at the venue.
            fee: negated(fee.decimal("fillFee")?),
            fee_currency: currency.to_owned(),
            liquidity: liquidity(self.exec_type == "M"),
            ts_venue: millis_if("fillTime", self.fill_time)?,
        }
        .checked()
        .map(Some)
    }

    /// The row of an answer. The size of a spot market order may be in quote: then what filled stands for it.
    pub(super) fn row(&self, listing: &Listing) -> Result<OrderRow, WireError> {
        let rules = &listing.rules;
        let limit = present(self.px).map(|d| price("px", d, rules)).transpose()?;
        let filled = self.filled(rules)?.unwrap_or(Qty::ZERO);
        Ok(OrderRow {
            instrument: listing.id,
            venue_id: self.ord_id.to_owned(),
            client_id: self.cl_ord_id.to_string(),
            side: side(self.side)?,
            kind: match (self.ord_type, limit) {
                ("market", _) => Some(OrderKind::Market),
                ("limit" | "post_only" | "fok" | "ioc", Some(price)) => Some(OrderKind::Limit { price }),
                _ => None,
            },
            tif: match self.ord_type {
                "fok" => TimeInForce::Fok,
                "ioc" | "optimal_limit_ioc" => TimeInForce::Ioc,
                _ => TimeInForce::Gtc,
            },
            qty: if self.tgt_ccy == "quote_ccy" { filled } else { qty("sz", self.sz, rules)? },
            filled,
            status: status(self.state),
            ts_venue: millis_if("cTime", self.c_time)?,
        })
    }
}

/// A fill of REST.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fill<'a> {
    pub inst_id: &'a str,
    #[serde(default)]
    pub bill_id: &'a str,
    trade_id: &'a str,
    #[serde(default)]
    ord_id: &'a str,
    #[serde(borrow, default)]
    cl_ord_id: Cow<'a, str>,
    #[serde(borrow)]
    fill_px: Digits<'a>,
    #[serde(borrow)]
    fill_sz: Digits<'a>,
    side: &'a str,
    #[serde(default)]
    exec_type: &'a str,
    #[serde(borrow, default)]
    fee: Option<Digits<'a>>,
    #[serde(default)]
    fee_ccy: &'a str,
    #[serde(borrow)]
    ts: Digits<'a>,
}

impl Fill<'_> {
    /// The fill.
    pub(super) fn row(&self, listing: &Listing) -> Result<FillNote, WireError> {
        let rules = &listing.rules;
        let fee = present(self.fee).map(|d| d.decimal("fee")).transpose()?;
        FillNote {
            instrument: listing.id,
            trade_id: self.trade_id.to_owned(),
            venue_id: self.ord_id.to_owned(),
            client_id: self.cl_ord_id.to_string(),
            side: side(self.side)?,
            price: price("fillPx", self.fill_px, rules)?,
            qty: qty("fillSz", self.fill_sz, rules)?,
            fee: fee.map_or(Decimal::new(0, 0), negated),
            fee_currency: if fee.is_some() { self.fee_ccy.to_owned() } else { String::new() },
            liquidity: liquidity(self.exec_type == "M"),
            ts_venue: millis("ts", self.ts)?,
        }
        .checked()
    }
}

/// A position.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Held<'a> {
    pub inst_id: &'a str,
    pub pos_side: &'a str,
    #[serde(borrow)]
    pos: Digits<'a>,
    #[serde(borrow, default)]
    avg_px: Option<Digits<'a>>,
    #[serde(borrow, default)]
    liq_px: Option<Digits<'a>>,
    #[serde(borrow, default)]
    upl: Option<Digits<'a>>,
}

impl Held<'_> {
    /// The position: signed in net mode; in long/short mode the side says the sign.
    pub(super) fn position(&self, listing: &Listing) -> Result<Position, WireError> {
        let held = qty("pos", self.pos, &listing.rules)?.mantissa();
        Ok(Position {
            instrument: listing.id,
            qty: Qty::from_mantissa(if self.pos_side == "short" { -held.abs() } else { held }),
            entry: amount_if("avgPx", self.avg_px)?.filter(|_| held != 0),
            liquidation: amount_if("liqPx", self.liq_px)?,
            unrealised: amount_if("upl", self.upl)?,
        })
    }
}

/// The balances of an account.
#[derive(Debug, Deserialize)]
pub(super) struct Wallet<'a> {
    #[serde(borrow)]
    details: Vec<Detail<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    ccy: &'a str,
    #[serde(borrow)]
    cash_bal: Digits<'a>,
    #[serde(borrow, default)]
    avail_bal: Option<Digits<'a>>,
}

impl Wallet<'_> {
    /// Its balances.
    pub(super) fn balances(&self) -> Result<Vec<Balance>, WireError> {
        let read = |d: &Detail<'_>| {
            Ok(Balance {
                currency: d.ccy.to_owned(),
                total: amount("cashBal", d.cash_bal)?,
                free: amount_if("availBal", d.avail_bal)?.unwrap_or(Decimal::new(0, 0)),
            })
        };
        self.details.iter().map(read).collect()
    }
}

/// A bar's row: opening time, four prices, volume (contracts of swaps), two more volumes, and whether it is complete.
pub(super) type Candle<'a> = [Digits<'a>; 9];

/// The bar of a row, and whether it is complete.
pub(super) fn bar(
    row: &Candle<'_>,
    instrument: InstrumentId,
    rules: &Rules,
    interval: Interval,
) -> Result<(Bar, bool), WireError> {
    let [start, open, high, low, close, volume, _, _, confirm] = row;
    let ts_open = millis("ts", *start)?;
    let bar = Bar {
        ts_open,
        ts_close: ts_open.plus(interval.nanos()),
        open: open.price("open", rules.price_scale)?,
        high: high.price("high", rules.price_scale)?,
        low: low.price("low", rules.price_scale)?,
        close: close.price("close", rules.price_scale)?,
        volume: traded("vol", *volume, rules)?,
        interval,
        instrument,
    };
    Ok((bar, confirm.text() == "1"))
}

/// An instrument.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Instrument<'a> {
    pub inst_id: &'a str,
    #[serde(default)]
    ct_type: &'a str,
    #[serde(default)]
    base_ccy: &'a str,
    #[serde(default)]
    quote_ccy: &'a str,
    #[serde(default)]
    settle_ccy: &'a str,
    #[serde(default)]
    uly: &'a str,
    #[serde(default)]
    ct_val_ccy: &'a str,
    #[serde(borrow, default)]
    ct_val: Option<Digits<'a>>,
    #[serde(borrow, default)]
    ct_mult: Option<Digits<'a>>,
    #[serde(borrow)]
    tick_sz: Digits<'a>,
    #[serde(borrow)]
    lot_sz: Digits<'a>,
    #[serde(borrow)]
    min_sz: Digits<'a>,
    #[serde(borrow, default)]
    max_lmt_sz: Option<Digits<'a>>,
    #[serde(borrow, default)]
    max_mkt_sz: Option<Digits<'a>>,
    #[serde(borrow, default)]
    max_lmt_amt: Option<Digits<'a>>,
    state: &'a str,
    #[serde(borrow, default)]
    inst_id_code: Option<Digits<'a>>,
}

impl Instrument<'_> {
    /// Whether it is of the product; inverse swaps come in the same list.
    pub(super) fn belongs(&self, product: Product) -> bool {
        product == Product::Spot || self.ct_type == "linear"
    }

    /// Our symbol and what a contract is in base.
    fn name(&self, product: Product) -> Option<(String, Decimal)> {
        if product == Product::Spot {
            return Some((format!("okx:{}/{}", self.base_ccy, self.quote_ccy), Decimal::new(1, 0)));
        }
        let (base, quote) = self.uly.split_once('-')?;
        if self.ct_val_ccy != base || self.settle_ccy != quote {
            return None;
        }
        let value = present(self.ct_val)?.decimal("ctVal").ok()?;
        let times = present(self.ct_mult).map_or(Ok(Decimal::new(1, 0)), |d| d.decimal("ctMult")).ok()?;
        let contract = times_exactly(value, times).filter(|c| c.is_positive())?;
        Some((format!("okx:{base}/{quote}:{}", self.settle_ccy), contract))
    }

    /// Its rules; `None` when they are not understood.
    pub(super) fn rules(&self, product: Product) -> Option<Rules> {
        let (symbol, contract) = self.name(product)?;
        let tick = self.tick_sz.decimal("tickSz").ok()?;
        let lot = times_exactly(self.lot_sz.decimal("lotSz").ok()?, contract)?;
        let qty_min = times_exactly(self.min_sz.decimal("minSz").ok()?, contract)?;
        let (price_scale, qty_scale) = (digits_of(tick), digits_of(lot).max(digits_of(qty_min)));
        let symbol: Symbol = symbol.parse().ok()?;
        let base = |field, digits| {
            let none = Decimal::new(0, 0);
            most(field, digits).ok().map(|count| qty_max(times_exactly(count, contract).unwrap_or(none), qty_scale))
        };
        // Of spot the venue bounds market orders in dollars: in `maxMktSz` too.
        let at_market = if product == Product::Spot { None } else { self.max_mkt_sz };
        // Amounts are in dollars: a quote currency that is none would need a rate.
        let value = self.max_lmt_amt.filter(|_| DOLLARS.contains(&symbol.quote()));
        Some(Rules {
            symbol,
            name: self.inst_id.to_owned(),
            stream_name: self.inst_id.to_owned(),
            index: present(self.inst_id_code).map_or(Ok(0), |d| d.text().parse()).ok()?,
            price_scale,
            qty_scale,
            tick: Price::from_mantissa(tick.at_scale(price_scale).ok().filter(|t| *t > 0)?),
            lot: Qty::from_mantissa(lot.at_scale(qty_scale).ok().filter(|l| *l > 0)?),
            qty_min: Qty::from_mantissa(qty_min.at_scale(qty_scale).ok()?),
            notional_min: 0,
            qty_max: base("maxLmtSz", self.max_lmt_sz)?,
            qty_max_market: base("maxMktSz", at_market)?,
            notional_max: most("maxLmtAmt", value).ok()?.at_wide_scale(price_scale + qty_scale),
            multiplier: 1,
            contract,
            significant_digits: 0,
            closed: (self.state != "live").then(|| self.state.to_owned()),
        })
    }
}

/// Quote currencies that are taken for a dollar where the venue states amounts in dollars.
const DOLLARS: [&str; 3] = ["USD", "USDT", "USDC"];

fn times_exactly(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalized(), b.normalized());
    let scale = a.scale().checked_add(b.scale()).filter(|s| *s <= bellwether_sdk::num::SCALE_MAX)?;
    Some(Decimal::new(a.mantissa().checked_mul(b.mantissa())?, scale).normalized())
}
