//! What the toy venue says, read: rows of its answers, notes of its streams, and its refusals sorted into faults.

use bellwether::exchange::{
    ActReply, Fault, FillNote, Listing, Note, OrderNote, OrderRow, OrderStatus, Response, Rules, Sink, VenueError,
    WireError, mantissa,
};
use bellwether_sdk::{
    Aggressor, Bar, Decimal, Depth, InstrumentId, Level, Liquidity, OrderKind, Price, Qty, Quote, Side, TimeInForce,
    Trade, Ts,
};
use serde_json::Value;

pub(super) fn ok_text<'a>(v: &'a Value, field: &'static str) -> Result<&'a str, WireError> {
    v[field].as_str().ok_or_else(|| WireError::shape(format!("no {field}"), &v.to_string()))
}

/// A number of a market: prices are above zero and quantities not below it.
fn at_least(least: i64, field: &'static str, text: &str, scale: u8) -> Result<i64, WireError> {
    match mantissa(field, text, scale)? {
        found if found >= least => Ok(found),
        _ => Err(WireError::shape(format!("{field} is too small"), text)),
    }
}

fn price(v: &Value, field: &'static str, rules: &Rules) -> Result<Price, WireError> {
    at_least(1, field, ok_text(v, field)?, rules.price_scale).map(Price::from_mantissa)
}

fn qty(v: &Value, field: &'static str, rules: &Rules) -> Result<Qty, WireError> {
    at_least(0, field, ok_text(v, field)?, rules.qty_scale).map(Qty::from_mantissa)
}

pub(super) fn time(v: &Value) -> Ts {
    v["ts"].as_i64().map_or(Ts::NONE, Ts::from_millis)
}

fn side(v: &Value) -> Result<Side, WireError> {
    match ok_text(v, "side")? {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        other => Err(WireError::shape(format!("side {other:?}"), &v.to_string())),
    }
}

fn status(v: &Value) -> OrderStatus {
    match v["status"].as_str() {
        Some("open") => OrderStatus::Acknowledged,
        Some("part") => OrderStatus::PartlyFilled,
        Some("filled") => OrderStatus::Filled,
        Some("cancelled") => OrderStatus::Cancelled,
        Some("rejected") => OrderStatus::Rejected,
        Some("expired") => OrderStatus::Expired,
        _ => OrderStatus::Unknown,
    }
}

pub(super) fn levels(v: &Value, rules: &Rules) -> Result<Vec<Level>, WireError> {
    let mut out = Vec::new();
    for (field, side) in [("b", Side::Buy), ("a", Side::Sell)] {
        for row in v[field].as_array().ok_or_else(|| WireError::shape(format!("no {field}"), &v.to_string()))? {
            let text = |i: usize| row[i].as_str().ok_or_else(|| WireError::shape("a level", &v.to_string()));
            let price = Price::from_mantissa(at_least(1, "price", text(0)?, rules.price_scale)?);
            let qty = Qty::from_mantissa(at_least(0, "qty", text(1)?, rules.qty_scale)?);
            out.push(Level { side, price, qty });
        }
    }
    Ok(out)
}

pub(super) fn order_note(v: &Value, l: &Listing) -> Result<OrderNote, WireError> {
    let filled = if v["filled"].is_null() { None } else { Some(qty(v, "filled", &l.rules)?) };
    Ok(OrderNote {
        instrument: l.id,
        venue_id: v["id"].as_str().unwrap_or_default().to_owned(),
        client_id: v["client"].as_str().unwrap_or_default().to_owned(),
        status: status(v),
        filled,
        reason: "",
        text: String::new(),
        ts_venue: time(v),
    })
}

pub(super) fn order_row(v: &Value, l: &Listing) -> Result<OrderRow, WireError> {
    let note = order_note(v, l)?;
    Ok(OrderRow {
        instrument: l.id,
        venue_id: note.venue_id,
        client_id: note.client_id,
        side: side(v)?,
        kind: Some(OrderKind::Limit { price: price(v, "p", &l.rules)? }),
        tif: TimeInForce::Gtc,
        qty: qty(v, "q", &l.rules)?,
        filled: note.filled.unwrap_or(Qty::ZERO),
        status: note.status,
        ts_venue: note.ts_venue,
    })
}

pub(super) fn fill_note(v: &Value, l: &Listing) -> Result<FillNote, WireError> {
    let fee = Decimal::parse(ok_text(v, "fee")?.as_bytes()).map_err(|e| WireError::shape(e, &v.to_string()))?;
    FillNote {
        instrument: l.id,
        trade_id: ok_text(v, "trade")?.to_owned(),
        venue_id: v["id"].as_str().unwrap_or_default().to_owned(),
        client_id: v["client"].as_str().unwrap_or_default().to_owned(),
        side: side(v)?,
        price: price(v, "p", &l.rules)?,
        qty: qty(v, "q", &l.rules)?,
        fee,
        fee_currency: "USD".to_owned(),
        liquidity: Liquidity::Maker,
        ts_venue: time(v),
    }
    .checked()
}

pub(super) fn act_row(v: &Value, rules: &Rules) -> Result<ActReply, WireError> {
    Ok(ActReply {
        venue_id: ok_text(v, "id")?.to_owned(),
        client: v["client"].as_str().and_then(|c| c.parse().ok()),
        status: status(v),
        filled: if v["filled"].is_null() { None } else { Some(qty(v, "filled", rules)?) },
        refused: None,
    })
}

pub(super) fn refusal(v: &Value) -> Option<VenueError> {
    let code = v["code"].as_str()?;
    let words = v["msg"].as_str().unwrap_or_default();
    Some(match code {
        "limit" => VenueError::new(Fault::RateLimited { retry_after_ms: v["wait"].as_u64() }, code, words),
        "clock" => VenueError::new(Fault::ClockSkew, code, words),
        "key" => VenueError::new(Fault::Authentication, code, words),
        "busy" => VenueError::new(Fault::Transient, code, words),
        "unsure" => VenueError::new(Fault::Unknown, code, words),
        "no_order" => VenueError::new(Fault::Rejected, code, words).reason("unknown_order"),
        "funds" => VenueError::new(Fault::Rejected, code, words).reason("insufficient_funds"),
        "twice" => VenueError::new(Fault::Rejected, code, words).reason("duplicate_order_id"),
        _ => VenueError::new(Fault::Rejected, code, words),
    })
}

/// The JSON of a good answer; the error of a bad one.
pub(super) fn body(response: &Response, write: bool) -> Result<Value, VenueError> {
    let value = serde_json::from_str::<Value>(&response.body).ok();
    if !response.is_ok() {
        return Err(value.as_ref().and_then(refusal).unwrap_or_else(|| {
            match VenueError::of_status(response.status, write, &response.body) {
                VenueError { fault: Fault::RateLimited { .. }, code, text, .. } => {
                    VenueError::new(Fault::RateLimited { retry_after_ms: response.retry_after_ms() }, code, text)
                }
                other => other,
            }
        }));
    }
    value.ok_or_else(|| VenueError::malformed("no JSON"))
}

pub(super) fn bar(v: &Value, instrument: InstrumentId, rules: &Rules) -> Result<Bar, WireError> {
    let interval = ok_text(v, "i")?.parse().map_err(|e| WireError::shape(e, &v.to_string()))?;
    let ts_open = time(v);
    if ts_open == Ts::NONE {
        return Err(WireError::shape("no ts", &v.to_string()));
    }
    Ok(Bar {
        ts_open,
        ts_close: ts_open.plus(bellwether_sdk::Interval::nanos(interval)),
        open: price(v, "o", rules)?,
        high: price(v, "h", rules)?,
        low: price(v, "l", rules)?,
        close: price(v, "c", rules)?,
        volume: qty(v, "q", rules)?,
        interval,
        instrument,
    })
}

pub(super) fn market_note(kind: &str, v: &Value, l: &Listing, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    let (instrument, rules, ts_venue) = (l.id, &l.rules, time(v));
    match kind {
        "trade" => {
            let aggressor = if side(v)? == Side::Buy { Aggressor::Buyer } else { Aggressor::Seller };
            let (price, qty) = (price(v, "p", rules)?, qty(v, "q", rules)?);
            let id = v["id"].as_u64().unwrap_or(0);
            sink.note(Note::Trade(Trade { ts: now, ts_venue, price, qty, instrument, aggressor }, id));
        }
        "quote" => sink.note(Note::Quote(Quote {
            ts: now,
            ts_venue,
            bid: price(v, "b", rules)?,
            bid_qty: qty(v, "B", rules)?,
            ask: price(v, "a", rules)?,
            ask_qty: qty(v, "A", rules)?,
            instrument,
        })),
        "bar" => sink.note(Note::Bar(bar(v, instrument, rules)?, v["done"].as_bool().unwrap_or(false))),
        _ => {
            let levels = levels(v, rules)?;
            let number = |key: &str| v[key].as_i64().unwrap_or(0);
            let depth = Depth {
                ts: now,
                ts_venue,
                snapshot: v["snap"].as_bool().unwrap_or(false),
                first_id: number("first"),
                last_id: number("last"),
                prev_id: 0,
                levels: &levels,
                instrument,
            };
            let crc = v["crc"].as_u64().and_then(|c| u32::try_from(c).ok());
            sink.note(Note::Depth(depth, crc));
        }
    }
    Ok(())
}
