//! Answers as JSON: money, quantities and times as text, absent values as null.

use bellwether_sdk::{Aggressor, InstrumentId, Liquidity, OrderKind, Side, TimeInForce, Ts};
use serde_json::{Value, json};

use super::desk::Desk;
use super::{LookError, ONE, rules};
use crate::exchange::{FillNote, OrderRow, Permissions, Reply, Rules, VenueError};

/// A time in nanoseconds as text; null for none.
pub(super) fn ns(ts: Ts) -> Value {
    if ts == Ts::NONE { Value::Null } else { json!(ts.nanos().to_string()) }
}

fn price(rules: &Rules, price: bellwether_sdk::Price) -> String {
    rules::text(price.mantissa(), rules.price_scale)
}

fn qty(rules: &Rules, qty: bellwether_sdk::Qty) -> String {
    rules::text(qty.mantissa(), rules.qty_scale)
}

/// A price where zero means that there is none.
fn price_if(rules: &Rules, value: bellwether_sdk::Price) -> Value {
    if value.is_zero() { Value::Null } else { json!(price(rules, value)) }
}

/// A quantity where zero means that the venue does not say.
fn qty_if(rules: &Rules, value: bellwether_sdk::Qty) -> Value {
    if value.is_zero() { Value::Null } else { json!(qty(rules, value)) }
}

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

/// The body of an answer's document.
///
/// # Errors
/// [`LookError`] when the answer is about an instrument that was not asked about.
pub(super) fn of(reply: &Reply, desk: &Desk) -> Result<Value, LookError> {
    let named = |id: InstrumentId| desk.listings().get(id).map(|l| &l.rules).ok_or_else(|| desk.unexpected());
    Ok(match reply {
        Reply::Time(ts) => json!({"venue_ns": ns(*ts)}),
        Reply::Ticker(t) => {
            let r = named(ONE)?;
            json!({
                "ts_venue_ns": ns(t.ts_venue),
                "bid": price_if(r, t.bid),
                "bid_qty": qty_if(r, t.bid_qty),
                "ask": price_if(r, t.ask),
                "ask_qty": qty_if(r, t.ask_qty),
                "last": price_if(r, t.last),
            })
        }
        Reply::Book(b) => {
            let r = named(ONE)?;
            let prices = |side: Side| b.levels.iter().filter(move |l| l.side == side).map(|l| l.price);
            if let (Some(bid), Some(ask)) = (prices(Side::Buy).max(), prices(Side::Sell).min())
                && bid >= ask
            {
                let (bid, ask) = (price(r, bid), price(r, ask));
                let why = format!("the book is crossed: its best bid {bid} is not below its best offer {ask}");
                return Err(LookError::Venue(VenueError::malformed(why)));
            }
            let side = |side: Side| -> Vec<Value> {
                let levels = b.levels.iter().filter(|l| l.side == side);
                levels.map(|l| json!([price(r, l.price), qty(r, l.qty)])).collect()
            };
            json!({
                "ts_venue_ns": ns(b.ts_venue),
                "last_id": b.last_id.to_string(),
                "bids": side(Side::Buy),
                "asks": side(Side::Sell),
            })
        }
        Reply::Trades(rows) => {
            let r = named(ONE)?;
            let row = |t: &crate::exchange::TradeRow| {
                let aggressor = match t.aggressor {
                    Aggressor::Buyer => json!("buyer"),
                    Aggressor::Seller => json!("seller"),
                    Aggressor::Unknown => Value::Null,
                };
                json!({"id": t.id, "ts_venue_ns": ns(t.ts_venue), "price": price(r, t.price), "qty": qty(r, t.qty),
                       "aggressor": aggressor})
            };
            json!({"trades": rows.iter().map(row).collect::<Vec<_>>()})
        }
        Reply::Bars(rows) => {
            let r = named(ONE)?;
            let row = |b: &bellwether_sdk::Bar| {
                json!({"ts_open_ns": ns(b.ts_open), "ts_close_ns": ns(b.ts_close), "open": price(r, b.open),
                       "high": price(r, b.high), "low": price(r, b.low), "close": price(r, b.close),
                       "volume": qty(r, b.volume)})
            };
            json!({"bars": rows.iter().map(row).collect::<Vec<_>>()})
        }
        Reply::Funding(rows) => {
            let r = named(ONE)?;
            let row = |f: &crate::exchange::FundingRow| json!({"ts_venue_ns": ns(f.ts_venue), "rate": f.rate.to_text(), "mark": price_if(r, f.mark)});
            json!({"funding": rows.iter().map(row).collect::<Vec<_>>()})
        }
        Reply::Balances(rows) => {
            let row = |b: &crate::exchange::Balance| {
                json!({"currency": b.currency, "total": b.total.normalized().to_string(),
                       "free": b.free.normalized().to_string()})
            };
            json!({"balances": rows.iter().map(row).collect::<Vec<_>>()})
        }
        Reply::Positions(rows) => {
            let row = |p: &crate::exchange::Position| {
                let r = named(p.instrument)?;
                let text = |d: Option<bellwether_sdk::Decimal>| d.map(|d| d.normalized().to_string());
                Ok(json!({"symbol": r.symbol.as_str(), "qty": qty(r, p.qty), "entry": text(p.entry),
                          "liquidation": text(p.liquidation), "unrealised": text(p.unrealised)}))
            };
            json!({"positions": rows.iter().map(row).collect::<Result<Vec<_>, LookError>>()?})
        }
        Reply::Orders(rows, foreign) | Reply::SomeOrders(rows, foreign, _) => {
            let rows = rows.iter().map(|o| Ok(order(named(o.instrument)?, o)));
            json!({"orders": rows.collect::<Result<Vec<_>, LookError>>()?, "of_unlisted_instruments": foreign})
        }
        Reply::Fills(rows, _) => {
            let rows = rows.iter().map(|f| Ok(fill(named(f.instrument)?, f)));
            json!({"fills": rows.collect::<Result<Vec<_>, LookError>>()?})
        }
        Reply::Paid(rows, _) => {
            let row = |p: &crate::exchange::PaidRow| {
                let r = named(p.instrument)?;
                Ok(json!({"symbol": r.symbol.as_str(), "id": p.id, "amount": p.amount.normalized().to_string(),
                          "currency": p.currency, "ts_venue_ns": ns(p.ts_venue)}))
            };
            json!({"payments": rows.iter().map(row).collect::<Result<Vec<_>, LookError>>()?})
        }
        Reply::Moved(rows, _) => {
            let row = |m: &crate::exchange::MovedRow| {
                json!({"id": m.id, "what": m.word, "amount": m.amount.normalized().to_string(),
                       "currency": m.currency, "ts_venue_ns": ns(m.ts_venue)})
            };
            json!({"transfers": rows.iter().map(row).collect::<Vec<_>>()})
        }
        Reply::Permissions(p) => permissions(p),
        Reply::Instruments(..) | Reply::StreamTicket(_) | Reply::Done => return Err(desk.unexpected()),
    })
}

/// The answer about one order.
///
/// # Errors
/// [`LookError`] when the venue told of none, or of another instrument.
pub(super) fn one_order(desk: &Desk, reply: &Reply) -> Result<Value, LookError> {
    let Reply::Orders(rows, _) = reply else { return Err(desk.unexpected()) };
    let row = rows.first().ok_or_else(|| desk.unexpected())?;
    let rules = desk.listings().get(row.instrument).ok_or_else(|| desk.unexpected())?;
    Ok(json!({"order": order(&rules.rules, row)}))
}

pub(super) fn order(r: &Rules, o: &OrderRow) -> Value {
    let (kind, limit, trigger) = match o.kind {
        Some(OrderKind::Market) => (json!("market"), Value::Null, Value::Null),
        Some(OrderKind::Limit { price: p }) => (json!("limit"), json!(price(r, p)), Value::Null),
        Some(OrderKind::StopMarket { trigger }) => (json!("stop_market"), Value::Null, json!(price(r, trigger))),
        Some(OrderKind::StopLimit { trigger, price: p }) => {
            (json!("stop_limit"), json!(price(r, p)), json!(price(r, trigger)))
        }
        Some(OrderKind::TrailingStop { .. }) => (json!("trailing_stop"), Value::Null, Value::Null),
        None => (Value::Null, Value::Null, Value::Null),
    };
    let tif = match o.tif {
        TimeInForce::Gtc => "gtc",
        TimeInForce::Ioc => "ioc",
        TimeInForce::Fok => "fok",
        TimeInForce::Gtd(_) => "gtd",
    };
    json!({
        "symbol": r.symbol.as_str(),
        "venue_id": o.venue_id,
        "client_id": o.client_id,
        "side": side_name(o.side),
        "type": kind,
        "price": limit,
        "trigger": trigger,
        "tif": tif,
        "qty": qty(r, o.qty),
        "filled": qty(r, o.filled),
        "status": o.status.name(),
        "ts_venue_ns": ns(o.ts_venue),
    })
}

fn fill(r: &Rules, f: &FillNote) -> Value {
    let liquidity = match f.liquidity {
        Liquidity::Maker => "maker",
        Liquidity::Taker => "taker",
    };
    json!({
        "symbol": r.symbol.as_str(),
        "trade_id": f.trade_id,
        "venue_id": f.venue_id,
        "client_id": f.client_id,
        "side": side_name(f.side),
        "price": price(r, f.price),
        "qty": qty(r, f.qty),
        "fee": f.fee.normalized().to_string(),
        "fee_currency": f.fee_currency,
        "liquidity": liquidity,
        "ts_venue_ns": ns(f.ts_venue),
    })
}

fn permissions(p: &Permissions) -> Value {
    json!({
        "read": p.read,
        "trade": p.trade,
        "withdraw": p.withdraw,
        "ip_bound": p.ip_bound,
        "expires_ns": ns(p.expires),
    })
}

/// A quantity of the instrument asked about.
pub(super) fn qty_text(r: &Rules, value: bellwether_sdk::Qty) -> String {
    qty(r, value)
}

/// Keeps so many levels per side: venues give more where they have only certain sizes.
pub(super) fn cut_book(mut body: Value, levels: u32) -> Value {
    for side in ["bids", "asks"] {
        if let Some(rows) = body.get_mut(side).and_then(Value::as_array_mut) {
            rows.truncate(usize::try_from(levels).unwrap_or(usize::MAX));
        }
    }
    body
}

/// Keeps the last so many rows: some venues give more than was asked for.
pub(super) fn last(mut body: Value, name: &str, limit: u32) -> Value {
    if let Some(rows) = body.get_mut(name).and_then(Value::as_array_mut) {
        rows.drain(..rows.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX)));
    }
    body
}

/// Keeps the first so many rows.
pub(super) fn first(mut body: Value, name: &str, limit: u32) -> Value {
    if let Some(rows) = body.get_mut(name).and_then(Value::as_array_mut) {
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    body
}
