//! Answers of Kraken's REST.

use std::collections::BTreeMap;

use bellwether_sdk::{
    Aggressor, Bar, Decimal, InstrumentId, Interval, Level, OrderKind, Price, Qty, Side, TimeInForce, Trail, Ts,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::names::{currency, find, listed};
use super::{errors, time};
use crate::exchange::vocab::liquidity;
use crate::exchange::{
    Ask, Balance, BookRow, Digits, Fault, FillNote, Listing, Listings, OrderRef, OrderRow, OrderStatus, Permissions,
    Reply, Response, Rules, TickerRow, TradeRow, VenueError, WireError,
};

type Map<'a> = BTreeMap<String, &'a RawValue>;

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
        Ask::Funding(..) | Ask::Positions => Err(VenueError::unsupported("kraken's spot market has none")),
        Ask::Balances => balances(&read(result)?),
        Ask::OpenOrders(only) => {
            let (mut rows, left_out) = orders(result, listings)?;
            rows.retain(|r| only.is_none_or(|id| r.instrument == id));
            Ok(Reply::Orders(rows, left_out))
        }
        Ask::Order(id, order) => one_order(result, listings, *id, order),
        Ask::Fills(id, from) => fills(result, listed(listings, *id)?, listings, *from),
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

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, VenueError> {
    serde_json::from_str(text).map_err(|e| wrong(WireError::shape(e, text)))
}

fn wrong(error: WireError) -> VenueError {
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
        multiplier: 1,
        contract: bellwether_sdk::Decimal::new(1, 0),
        significant_digits: 0,
        trading: matches!(row.status.as_deref(), None | Some("online" | "limit_only" | "post_only")),
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

fn price(field: &'static str, digits: Digits<'_>, rules: &Rules) -> Result<Price, WireError> {
    digits.mantissa(field, rules.price_scale).map(Price::from_mantissa)
}

fn qty(field: &'static str, digits: Digits<'_>, rules: &Rules) -> Result<Qty, WireError> {
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
            bid: price("b", row.b[0], rules)?,
            bid_qty: qty("b", row.b[2], rules)?,
            ask: price("a", row.a[0], rules)?,
            ask_qty: qty("a", row.a[2], rules)?,
            last: price("c", row.c[0], rules)?,
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
                    price: price("price", *at, &listing.rules)?,
                    qty: qty("volume", *size, &listing.rules)?,
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
        let number =
            |field, value: &RawValue, scale| crate::exchange::mantissa(field, value.get(), scale).map_err(wrong);
        trades.push(TradeRow {
            id: row.get(6).map(|id| digits(id)).unwrap_or_default(),
            ts_venue: Ts::from_nanos(number("time", when, 9)?),
            price: Price::from_mantissa(number("price", at, listing.rules.price_scale)?),
            qty: Qty::from_mantissa(number("volume", size, listing.rules.qty_scale)?),
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
                open: price("open", *open, &listing.rules)?,
                high: price("high", *high, &listing.rules)?,
                low: price("low", *low, &listing.rules)?,
                close: price("close", *close, &listing.rules)?,
                volume: qty("volume", *volume, &listing.rules)?,
                interval,
                instrument: listing.id,
            })
        };
        bars.push(bar().map_err(wrong)?);
    }
    Ok(Reply::Bars(bars))
}

// The account ------------------------------------------------------------------------------------

/// What is owned, and free of what orders hold. Plain balances (without holds) are read as free.
fn balances(rows: &Map<'_>) -> Result<Reply, VenueError> {
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(borrow)]
        balance: Digits<'a>,
        #[serde(borrow, default)]
        hold_trade: Option<Digits<'a>>,
    }
    let mut balances = Vec::with_capacity(rows.len());
    for (name, row) in rows {
        let (total, held) = if row.get().starts_with('{') {
            let row: Row<'_> = read(row.get())?;
            let held = row.hold_trade.map(|h| h.decimal("hold_trade")).transpose().map_err(wrong)?;
            (row.balance.decimal("balance").map_err(wrong)?, held.unwrap_or(Decimal::new(0, 0)))
        } else {
            (read::<Digits<'_>>(row.get())?.decimal("balance").map_err(wrong)?, Decimal::new(0, 0))
        };
        if total.mantissa() != 0 {
            let free = minus(total, held).ok_or_else(|| VenueError::malformed("a balance does not fit"))?;
            balances.push(Balance { currency: currency(name), total, free });
        }
    }
    Ok(Reply::Balances(balances))
}

fn minus(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalized(), b.normalized());
    let scale = a.scale().max(b.scale());
    let left = a.at_scale(scale).ok()?.checked_sub(b.at_scale(scale).ok()?)?;
    Some(Decimal::new(left, scale))
}

#[derive(Deserialize)]
struct OrderWords<'a> {
    #[serde(default)]
    cl_ord_id: Option<String>,
    status: String,
    #[serde(borrow)]
    opentm: Option<Digits<'a>>,
    #[serde(borrow)]
    expiretm: Option<Digits<'a>>,
    #[serde(borrow)]
    descr: Description<'a>,
    #[serde(borrow)]
    vol: Digits<'a>,
    #[serde(borrow)]
    vol_exec: Digits<'a>,
    #[serde(default)]
    timeinforce: Option<String>,
}

#[derive(Deserialize)]
struct Description<'a> {
    pair: String,
    #[serde(rename = "type")]
    side: String,
    ordertype: String,
    #[serde(borrow)]
    price: Option<Digits<'a>>,
    #[serde(borrow)]
    price2: Option<Digits<'a>>,
}

/// The orders of `{"open": {..}}`, `{"closed": {..}}` or `{id: ..}`, oldest first, and how many were of other pairs.
fn orders(result: &str, listings: &Listings) -> Result<(Vec<OrderRow>, u32), VenueError> {
    let whole: Map<'_> = read(result)?;
    let rows: Map<'_> = match whole.get("open").or_else(|| whole.get("closed")) {
        Some(rows) => read(rows.get())?,
        None => whole,
    };
    let (mut orders, mut left_out) = (Vec::with_capacity(rows.len()), 0);
    for (id, row) in &rows {
        let row: OrderWords<'_> = read(row.get())?;
        match find(listings, &row.descr.pair) {
            Some(listing) => orders.push(order(id, &row, listing).map_err(wrong)?),
            None => left_out += 1,
        }
    }
    orders.sort_by_key(|o| o.ts_venue);
    Ok((orders, left_out))
}

fn order(id: &str, row: &OrderWords<'_>, listing: &Listing) -> Result<OrderRow, WireError> {
    let (whole, filled) = (qty("vol", row.vol, &listing.rules)?, qty("vol_exec", row.vol_exec, &listing.rules)?);
    let status = match row.status.as_str() {
        "pending" | "open" if filled.is_zero() => OrderStatus::Acknowledged,
        "pending" | "open" => OrderStatus::PartlyFilled,
        "closed" => OrderStatus::Filled,
        "canceled" => OrderStatus::Cancelled,
        "expired" => OrderStatus::Expired,
        _ => OrderStatus::Unknown,
    };
    let expires = row.expiretm.map(|t| time::seconds("expiretm", t)).transpose()?.filter(|t| t.nanos() > 0);
    let tif = match row.timeinforce.as_deref() {
        Some("IOC" | "ioc") => TimeInForce::Ioc,
        Some("FOK" | "fok") => TimeInForce::Fok,
        _ => expires.map_or(TimeInForce::Gtc, TimeInForce::Gtd),
    };
    Ok(OrderRow {
        instrument: listing.id,
        venue_id: id.to_owned(),
        client_id: row.cl_ord_id.clone().unwrap_or_default(),
        side: side("type", &row.descr.side)?,
        kind: kind(&row.descr, &listing.rules),
        tif,
        qty: whole,
        filled,
        status,
        ts_venue: row.opentm.map_or(Ok(Ts::NONE), |t| time::seconds("opentm", t))?,
    })
}

/// Buy or sell.
pub(super) fn side(field: &'static str, text: &str) -> Result<Side, WireError> {
    match text {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        _ => Err(WireError::Number {
            field,
            text: text.chars().take(40).collect(),
            why: "neither buy nor sell".to_owned(),
        }),
    }
}

/// Our kind of an order; `None` for those that we do not have. A stop's trigger may stand in either price.
fn kind(words: &Description<'_>, rules: &Rules) -> Option<OrderKind> {
    let at = |digits: Option<Digits<'_>>| price("price", digits?, rules).ok().filter(|p| !p.is_zero());
    let (first, second) = (at(words.price), at(words.price2));
    Some(match words.ordertype.as_str() {
        "market" => OrderKind::Market,
        "limit" => OrderKind::Limit { price: first? },
        "stop-loss" => OrderKind::StopMarket { trigger: first.or(second)? },
        "stop-loss-limit" => OrderKind::StopLimit { trigger: first?, price: second? },
        "trailing-stop" => {
            let text = words.price?.text().trim_start_matches('+');
            let trail = match text.strip_suffix('%') {
                Some(percent) => {
                    let percent: Decimal = percent.parse().ok()?;
                    Trail::Fraction(bellwether_sdk::Rate::from_pct(percent).ok()?)
                }
                None => Trail::Offset(Price::from_mantissa(
                    crate::exchange::mantissa("price", text, rules.price_scale).ok()?,
                )),
            };
            OrderKind::TrailingStop { trail }
        }
        _ => return None,
    })
}

/// The one order asked for; `unknown_order` when it is not there.
fn one_order(result: &str, listings: &Listings, id: InstrumentId, asked: &OrderRef) -> Result<Reply, VenueError> {
    let (mut rows, _) = orders(result, listings)?;
    rows.retain(|row| {
        row.instrument == id
            && match asked {
                OrderRef::Client(client) => row.client_id.parse() == Ok(*client),
                OrderRef::Venue(venue) => row.venue_id == *venue,
            }
    });
    // An id may be used again after its order ended: the newest counts.
    match rows.pop() {
        Some(row) => Ok(Reply::Orders(vec![row], 0)),
        None => Err(VenueError::new(Fault::Rejected, "", "kraken names no such order").reason("unknown_order")),
    }
}

fn fills(result: &str, listing: &Listing, listings: &Listings, from: Ts) -> Result<Reply, VenueError> {
    #[derive(Deserialize)]
    struct Whole<'a> {
        #[serde(borrow)]
        trades: Map<'a>,
    }
    #[derive(Deserialize)]
    struct Row<'a> {
        ordertxid: String,
        #[serde(default)]
        cl_ord_id: Option<String>,
        pair: String,
        #[serde(borrow)]
        time: Digits<'a>,
        #[serde(rename = "type")]
        side: String,
        #[serde(borrow)]
        price: Digits<'a>,
        #[serde(borrow)]
        fee: Digits<'a>,
        #[serde(borrow)]
        vol: Digits<'a>,
        #[serde(default)]
        maker: Option<bool>,
    }
    let whole: Whole<'_> = read(result)?;
    let mut fills = Vec::with_capacity(whole.trades.len());
    for (id, row) in &whole.trades {
        let row: Row<'_> = read(row.get())?;
        if find(listings, &row.pair).is_none_or(|l| l.id != listing.id) {
            continue;
        }
        let fill = || {
            Ok(FillNote {
                instrument: listing.id,
                trade_id: id.clone(),
                venue_id: row.ordertxid,
                client_id: row.cl_ord_id.unwrap_or_default(),
                side: side("type", &row.side)?,
                price: price("price", row.price, &listing.rules)?,
                qty: qty("vol", row.vol, &listing.rules)?,
                fee: row.fee.decimal("fee")?,
                // Fees are in the quote currency unless the order asked for the other.
                fee_currency: listing.rules.symbol.quote().to_owned(),
                liquidity: liquidity(row.maker.unwrap_or(false)),
                ts_venue: time::seconds("time", row.time)?,
            })
        };
        fills.push(fill().map_err(wrong)?);
    }
    fills.retain(|f| f.ts_venue >= from);
    fills.sort_by_key(|f| f.ts_venue);
    Ok(Reply::Fills(fills))
}

fn permissions(result: &str) -> Result<Permissions, VenueError> {
    /// What moves money off the account or away from trading.
    const MOVES: [&str; 5] =
        ["withdraw-funds", "add-withdraw-address", "update-withdraw-address", "add-funds", "earn-funds"];
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row<'a> {
        permissions: Vec<String>,
        #[serde(borrow, default)]
        valid_until: Option<Digits<'a>>,
        #[serde(default)]
        ip_allowlist: Option<Vec<String>>,
    }
    let row: Row<'_> = read(result)?;
    let may = |what: &str| row.permissions.iter().any(|p| p == what);
    let until = row.valid_until.map(|t| time::seconds("validUntil", t)).transpose().map_err(wrong)?;
    Ok(Permissions {
        read: Some(may("query-funds") && may("query-open-trades")),
        trade: Some(may("modify-trades")),
        withdraw: Some(MOVES.iter().any(|m| may(m))),
        ip_bound: row.ip_allowlist.map(|list| !list.is_empty()),
        expires: until.filter(|t| t.nanos() > 0).unwrap_or(Ts::NONE),
    })
}
