//! Answers of Kraken's REST: instruments and the market; those about the account are read in `private`.

use std::collections::BTreeMap;

use bellwether_sdk::{Aggressor, Bar, Decimal, Interval, Level, Price, Qty, Side, Ts};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::names::{currency, listed};
use super::private::{balances, fills, one_order, orders, permissions};
use super::{errors, flows, time};
use crate::exchange::{
    Ask, BookRow, Digits, Listing, Listings, Reply, Response, Rules, TickerRow, TradeRow, VenueError, WireError,
};

/// Rows by name.
pub(super) type Map<'a> = BTreeMap<String, &'a RawValue>;

/// Reads an answer.
pub(super) fn reply(ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
    let result = errors::result(response, false)?;
    match ask {
        Ask::Time => server_time(result),
        Ask::Instruments => Ok(instruments(&read(result)?)),
        Ask::Ticker(id) => ticker(first(result)?, listed(listings, *id)?).map(Reply::Ticker),
        Ask::Book(id, _) => book(first(result)?, listed(listings, *id)?).map(Reply::Book),
        Ask::Trades(id, count) => trades(first(result)?, listed(listings, *id)?, Ts::NONE, *count as usize),
        Ask::TradesFrom(id, from) => trades(first(result)?, listed(listings, *id)?, *from, usize::MAX),
        Ask::Bars(id, interval, from, to) => bars(result, listed(listings, *id)?, *interval, *from, *to),
        Ask::Moved(span) => flows::moved(result, span),
        Ask::Funding(..) | Ask::Positions | Ask::Paid(_) => {
            Err(VenueError::unsupported("kraken's spot market has none"))
        }
        Ask::Balances => balances(&read(result)?),
        Ask::OpenOrders(only) => {
            let (mut rows, left_out) = orders(result, listings)?;
            rows.retain(|r| only.is_none_or(|id| r.instrument == id));
            Ok(Reply::Orders(rows, left_out))
        }
        Ask::Order(id, order) => one_order(result, listings, *id, order),
        Ask::Fills(id, span) => fills(result, listed(listings, *id)?, listings, span),
        Ask::Permissions => permissions(result).map(Reply::Permissions),
        Ask::OpenConditional(_) => Err(VenueError::unsupported("Kraken has no such question")),
        Ask::StreamTicket => {
            #[derive(Deserialize)]
            struct Row {
                token: String,
            }
            read::<Row>(result).map(|r| Reply::StreamTicket(r.token))
        }
        Ask::KeepTicket(_) => Ok(Reply::Done),
    }
}

/// Reads an answer's part.
pub(super) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, VenueError> {
    serde_json::from_str(text).map_err(|e| wrong(WireError::shape(e, text)))
}

/// An answer whose number is wrong.
pub(super) fn wrong(error: WireError) -> VenueError {
    VenueError::malformed(error.to_string())
}

/// The one entry of a result by pair; Kraken answers by the long name whatever was asked with.
fn first(result: &str) -> Result<&str, VenueError> {
    let rows: Map<'_> = read(result)?;
    let found = rows.into_iter().find(|(name, _)| name != "last");
    found.map(|(_, row)| row.get()).ok_or_else(|| VenueError::malformed("the answer names no pair"))
}

fn server_time(result: &str) -> Result<Reply, VenueError> {
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(borrow)]
        unixtime: Digits<'a>,
    }
    let row: Row<'_> = read(result)?;
    time::seconds("unixtime", row.unixtime).map(Reply::Time).map_err(wrong)
}

// Instruments ------------------------------------------------------------------------------------

#[derive(Deserialize)]
struct PairRow {
    wsname: Option<String>,
    aclass_base: Option<String>,
    pair_decimals: u8,
    lot_decimals: u8,
    #[serde(default)]
    tick_size: Option<Decimal>,
    #[serde(default)]
    ordermin: Option<Decimal>,
    #[serde(default)]
    costmin: Option<Decimal>,
    #[serde(default)]
    status: Option<String>,
}

fn instruments(pairs: &Map<'_>) -> Reply {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for (name, row) in pairs {
        match read::<PairRow>(row.get()).ok().and_then(|row| rules(name, &row)) {
            Some(rules) => known.push(rules),
            None => unknown.push(name.clone()),
        }
    }
    Reply::Instruments(known, unknown)
}

/// The rules of a pair; `None` for those that we do not trade: tokenised assets (their orders must say so), dark pools,
/// names that are no symbol.
fn rules(name: &str, row: &PairRow) -> Option<Rules> {
    if row.aclass_base.as_deref().is_some_and(|class| class != "currency") {
        return None;
    }
    let (base, quote) = row.wsname.as_deref()?.split_once('/')?;
    let stream_name = format!("{}/{}", currency(base), currency(quote));
    let (price_scale, qty_scale) = (row.pair_decimals, row.lot_decimals);
    let at = |value: &Option<Decimal>, scale| value.map_or(Some(0), |v| v.at_scale(scale).ok());
    // No more digits than an i64 has, even for the product of the smallest order.
    if price_scale > 18 || qty_scale > 18 {
        return None;
    }
    Some(Rules {
        symbol: format!("kraken:{stream_name}").parse().ok()?,
        name: name.to_owned(),
        stream_name,
        index: 0,
        price_scale,
        qty_scale,
        tick: Price::from_mantissa(at(&row.tick_size, price_scale)?.max(1)),
        lot: Qty::from_mantissa(1),
        qty_min: Qty::from_mantissa(at(&row.ordermin, qty_scale)?),
        notional_min: row.costmin.map_or(Some(0), |v| wide(v, price_scale + qty_scale))?,
        qty_max: Qty::ZERO,
        qty_max_market: Qty::ZERO,
        notional_max: 0,
        multiplier: 1,
        contract: bellwether_sdk::Decimal::new(1, 0),
        significant_digits: 0,
        closed: match row.status.as_deref() {
            None | Some("online" | "limit_only" | "post_only") => None,
            Some(word) => Some(word.to_owned()),
        },
    })
}

/// A decimal at a scale that an order's value has; excess digits are rounded up.
fn wide(value: Decimal, scale: u8) -> Option<i128> {
    let mantissa = i128::from(value.mantissa());
    if scale >= value.scale() {
        return mantissa.checked_mul(10i128.checked_pow(u32::from(scale - value.scale()))?);
    }
    let unit = 10i128.pow(u32::from(value.scale() - scale));
    Some((mantissa + unit - 1).div_euclid(unit))
}

// Market -----------------------------------------------------------------------------------------

/// A price of a pair.
pub(super) fn price(field: &'static str, digits: Digits<'_>, rules: &Rules) -> Result<Price, WireError> {
    digits.mantissa(field, rules.price_scale).map(Price::from_mantissa)
}

/// A quantity of a pair.
pub(super) fn qty(field: &'static str, digits: Digits<'_>, rules: &Rules) -> Result<Qty, WireError> {
    digits.mantissa(field, rules.qty_scale).map(Qty::from_mantissa)
}

fn ticker(row: &str, listing: &Listing) -> Result<TickerRow, VenueError> {
    /// Price, whole lots, lots.
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(borrow)]
        a: [Digits<'a>; 3],
        #[serde(borrow)]
        b: [Digits<'a>; 3],
        #[serde(borrow)]
        c: [Digits<'a>; 2],
    }
    let (row, rules): (Row<'_>, _) = (read(row)?, &listing.rules);
    let values = || {
        Ok(TickerRow {
            ts_venue: Ts::NONE,
            bid: row.b[0].best_price("b", rules.price_scale)?,
            bid_qty: row.b[2].qty("b", rules.qty_scale)?,
            ask: row.a[0].best_price("a", rules.price_scale)?,
            ask_qty: row.a[2].qty("a", rules.qty_scale)?,
            last: row.c[0].best_price("c", rules.price_scale)?,
        })
    };
    values().map_err(wrong)
}

fn book(row: &str, listing: &Listing) -> Result<BookRow, VenueError> {
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(borrow)]
        asks: Vec<(Digits<'a>, Digits<'a>, Digits<'a>)>,
        #[serde(borrow)]
        bids: Vec<(Digits<'a>, Digits<'a>, Digits<'a>)>,
    }
    let row: Row<'_> = read(row)?;
    let mut levels = Vec::with_capacity(row.bids.len() + row.asks.len());
    let mut ts_venue = Ts::NONE;
    for (side, rows) in [(Side::Buy, &row.bids), (Side::Sell, &row.asks)] {
        for (at, size, changed) in rows {
            let level = || {
                Ok(Level {
                    side,
                    price: at.price("price", listing.rules.price_scale)?,
                    qty: size.qty("volume", listing.rules.qty_scale)?,
                })
            };
            levels.push(level().map_err(wrong)?);
            ts_venue = ts_venue.max(time::seconds("timestamp", *changed).map_err(wrong)?);
        }
    }
    Ok(BookRow { ts_venue, last_id: 0, levels })
}

/// Price, volume, time, side, order type, text, id: a list that may grow at its end.
type TradeWords<'a> = Vec<&'a RawValue>;

fn trades(rows: &str, listing: &Listing, from: Ts, count: usize) -> Result<Reply, VenueError> {
    let rows: Vec<TradeWords<'_>> = read(rows)?;
    let mut trades = Vec::with_capacity(rows.len());
    for row in &rows {
        let [at, size, when, side, ..] = row.as_slice() else {
            return Err(VenueError::malformed("a trade has fewer than four values"));
        };
        let digits = |value: &RawValue| value.get().trim_matches('"').to_owned();
        let number = |value| read::<Digits<'_>>(RawValue::get(value));
        trades.push(TradeRow {
            id: row.get(6).map(|id| digits(id)).unwrap_or_default(),
            ts_venue: Ts::from_nanos(number(when)?.mantissa("time", 9).map_err(wrong)?),
            price: number(at)?.price("price", listing.rules.price_scale).map_err(wrong)?,
            qty: number(size)?.qty("volume", listing.rules.qty_scale).map_err(wrong)?,
            aggressor: match side.get() {
                "\"b\"" => Aggressor::Buyer,
                "\"s\"" => Aggressor::Seller,
                _ => Aggressor::Unknown,
            },
        });
    }
    trades.retain(|t| t.ts_venue >= from);
    trades.drain(..trades.len().saturating_sub(count));
    Ok(Reply::Trades(trades))
}

/// Complete are the bars up to `last`, by Kraken's own word; the one after it is still open.
fn bars(result: &str, listing: &Listing, interval: Interval, from: Ts, to: Ts) -> Result<Reply, VenueError> {
    /// Time, open, high, low, close, volume-weighted price, volume, count.
    type Row<'a> = (Digits<'a>, Digits<'a>, Digits<'a>, Digits<'a>, Digits<'a>, Digits<'a>, Digits<'a>, Digits<'a>);
    let whole: Map<'_> = read(result)?;
    let last = whole.get("last").ok_or_else(|| VenueError::malformed("the answer has no \"last\""))?;
    let last = crate::exchange::mantissa("last", last.get(), 9).map(Ts::from_nanos).map_err(wrong)?;
    let rows: Vec<Row<'_>> = read(first(result)?)?;
    let mut bars = Vec::with_capacity(rows.len());
    for (when, open, high, low, close, _, volume, _) in &rows {
        let ts_open = time::seconds("time", *when).map_err(wrong)?;
        if ts_open > last || ts_open < from || ts_open >= to {
            continue;
        }
        let bar = || {
            Ok(Bar {
                ts_open,
                ts_close: ts_open.plus(interval.nanos()),
                open: open.price("open", listing.rules.price_scale)?,
                high: high.price("high", listing.rules.price_scale)?,
                low: low.price("low", listing.rules.price_scale)?,
                close: close.price("close", listing.rules.price_scale)?,
                volume: volume.qty("volume", listing.rules.qty_scale)?,
                interval,
                instrument: listing.id,
            })
        };
        bars.push(bar().map_err(wrong)?);
    }
    Ok(Reply::Bars(bars))
}
