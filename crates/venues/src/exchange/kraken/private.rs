//! Answers of Kraken's REST about the account.

use bellwether_sdk::{Decimal, InstrumentId, OrderKind, Price, Side, TimeInForce, Trail, Ts};
use serde::Deserialize;

use super::names::{currency, find};
use super::rows::{Map, price, qty, read, wrong};
use super::time;
use crate::exchange::vocab::liquidity;
use crate::exchange::{
    Balance, Digits, Fault, FillNote, Listing, Listings, OrderRef, OrderRow, OrderStatus, Permissions, Reply, Rules,
    Span, VenueError, WireError,
};

/// What is owned, and free of what orders hold. Plain balances (without holds) are read as free.
pub(super) fn balances(rows: &Map<'_>) -> Result<Reply, VenueError> {
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
pub(super) fn orders(result: &str, listings: &Listings) -> Result<(Vec<OrderRow>, u32), VenueError> {
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
pub(super) fn one_order(
    result: &str,
    listings: &Listings,
    id: InstrumentId,
    asked: &OrderRef,
) -> Result<Reply, VenueError> {
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

/// Fifty at a time of all pairs, the newest first: older ones are asked for behind as many as were told.
pub(super) fn fills(result: &str, listing: &Listing, listings: &Listings, span: &Span) -> Result<Reply, VenueError> {
    #[derive(Deserialize)]
    struct Whole<'a> {
        #[serde(borrow)]
        trades: Map<'a>,
        count: usize,
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
    let told = span.cursor.parse().unwrap_or(0usize) + whole.trades.len();
    let further = (told < whole.count && !whole.trades.is_empty()).then(|| span.go_on(told.to_string()));
    let mut fills = Vec::with_capacity(whole.trades.len());
    for (id, row) in &whole.trades {
        let row: Row<'_> = read(row.get())?;
        if find(listings, &row.pair).is_none_or(|l| l.id != listing.id) {
            continue;
        }
        let fill = || {
            FillNote {
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
            }
            .checked()
        };
        fills.push(fill().map_err(wrong)?);
    }
    fills.retain(|f| f.ts_venue >= span.from);
    fills.sort_by_key(|f| f.ts_venue);
    Ok(Reply::Fills(fills, further))
}

pub(super) fn permissions(result: &str) -> Result<Permissions, VenueError> {
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
        end_unknown: false,
    })
}
