//! The private stream: orders, fills, balances and positions, wrapped in a subscription or bare.
//!
//! A fill is told before the order's new state, so that who adds up fills is never behind. A fill without a price is
//! not told: the order's cumulated quantity shows that one is missing, and it is fetched. Futures' wallet balances come
//! without what is free: the cross wallet stands in, which counts margin in use as free.

use bellwether_sdk::{Decimal, Side, Ts};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::vocab::liquidity;
use super::super::{AccountNote, Balance, Digits, FillNote, Listing, Listings, OrderNote, OrderStatus, Plan, Position};
use super::super::{Urls, WireError};
use super::dialect::Dialect;
use super::errors::by_words;
use super::rows::{algo_venue_id, price, qty, sum};
use super::words;

/// The connection, by its ticket; `None` where the trading socket carries it.
pub(super) fn plan(d: &Dialect, urls: &Urls, ticket: &str) -> Option<Plan> {
    d.ticket.as_ref()?;
    Some(Plan { url: format!("{}/private/ws/{ticket}", urls.account), ..Plan::default() })
}

/// What wraps an event, and its kind if it is bare.
#[derive(Deserialize)]
struct EnvelopeWire<'a> {
    #[serde(default)]
    e: Option<String>,
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct KindWire {
    e: String,
}

/// Reads a message.
///
/// # Errors
/// [`WireError`] when it is not understood.
pub(super) fn read(text: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    let envelope: EnvelopeWire<'_> = parse(text)?;
    match (envelope.event.or(envelope.data), envelope.e) {
        (Some(inner), _) => {
            let kind: KindWire = parse(inner.get())?;
            event(&kind.e, inner.get(), listings)
        }
        (None, Some(kind)) => event(&kind, text, listings),
        (None, None) => Ok(vec![AccountNote::Unexpected(text.chars().take(120).collect())]),
    }
}

/// An object; a list would be read by its places.
pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, WireError> {
    if !text.trim_start().starts_with('{') {
        return Err(WireError::shape("no object", text));
    }
    serde_json::from_str(text).map_err(|e| WireError::shape(e, text))
}

fn event(kind: &str, text: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    match kind {
        "executionReport" => report(&parse(text)?, listings),
        "ORDER_TRADE_UPDATE" => report(&parse::<OrderUpdateWire<'_>>(text)?.o, listings),
        "ALGO_UPDATE" => algo(&parse(text)?, listings),
        "outboundAccountPosition" => balances(parse(text)?),
        "ACCOUNT_UPDATE" => account(parse(text)?, listings),
        "listenKeyExpired" | "eventStreamTerminated" | "serverShutdown" => {
            Ok(vec![AccountNote::Leaving(kind.to_owned())])
        }
        // What they say comes in other events too.
        "balanceUpdate" | "listStatus" | "externalLockUpdate" | "TRADE_LITE" | "ACCOUNT_CONFIG_UPDATE" => {
            Ok(vec![AccountNote::Ignored])
        }
        _ => Ok(vec![AccountNote::Unexpected(kind.chars().take(60).collect())]),
    }
}

#[derive(Deserialize)]
struct OrderUpdateWire<'a> {
    #[serde(borrow)]
    o: ReportWire<'a>,
}

/// An order's report. Spot and futures name the same things alike.
#[derive(Deserialize)]
struct ReportWire<'a> {
    s: String,
    #[serde(default)]
    c: String,
    /// Of spot's cancels, the order's own id; `c` is the request's.
    #[serde(rename = "C", default)]
    original: Option<String>,
    #[serde(rename = "S")]
    side: String,
    #[serde(default)]
    f: String,
    x: String,
    #[serde(rename = "X")]
    status: String,
    #[serde(default)]
    r: Option<String>,
    /// Why it expired: a word on spot.
    #[serde(rename = "eR", default)]
    expiry: Option<String>,
    /// Why it expired: a number on futures.
    #[serde(borrow, default)]
    er: Option<Digits<'a>>,
    #[serde(borrow)]
    i: Digits<'a>,
    #[serde(borrow)]
    l: Digits<'a>,
    #[serde(rename = "L", borrow)]
    last_price: Digits<'a>,
    #[serde(borrow)]
    z: Digits<'a>,
    #[serde(borrow, default)]
    n: Option<Digits<'a>>,
    #[serde(rename = "N", default)]
    fee_currency: Option<String>,
    #[serde(rename = "T")]
    time: i64,
    #[serde(borrow, default)]
    t: Option<Digits<'a>>,
    #[serde(default)]
    m: bool,
}

fn report(w: &ReportWire<'_>, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    let Some(listing) = listings.named(&w.s) else { return Ok(vec![AccountNote::Ignored]) };
    let original = w.original.as_ref().filter(|id| !id.is_empty() && w.x != "REPLACED");
    let client_id = original.unwrap_or(&w.c);
    let mut notes = Vec::with_capacity(2);
    notes.extend(fill(w, listing, client_id)?.map(AccountNote::Fill));
    let status = words::status(&w.status);
    let (reason, text) = why(w, status);
    notes.push(AccountNote::Order(OrderNote {
        instrument: listing.id,
        venue_id: w.i.text().to_owned(),
        client_id: client_id.clone(),
        status,
        filled: Some(qty("z", w.z, listing)?),
        reason,
        text,
        ts_venue: Ts::from_millis(w.time),
    }));
    Ok(notes)
}

/// The execution that a report tells of, if it does.
fn fill(w: &ReportWire<'_>, listing: &Listing, client_id: &str) -> Result<Option<FillNote>, WireError> {
    let (last, at) = (qty("l", w.l, listing)?, price("L", w.last_price, listing)?);
    let trade_id = w.t.map_or("", Digits::text);
    let traded = matches!(w.x.as_str(), "TRADE" | "CALCULATED");
    if !traded || last.mantissa() <= 0 || at.mantissa() <= 0 || trade_id.is_empty() || trade_id.starts_with('-') {
        return Ok(None);
    }
    Ok(Some(FillNote {
        instrument: listing.id,
        trade_id: trade_id.to_owned(),
        venue_id: w.i.text().to_owned(),
        client_id: client_id.to_owned(),
        side: side(&w.side)?,
        price: at,
        qty: last,
        fee: w.n.map_or(Ok(Decimal::new(0, 0)), |n| n.decimal("n"))?,
        fee_currency: w.fee_currency.clone().unwrap_or_default(),
        liquidity: liquidity(w.m),
        ts_venue: Ts::from_millis(w.time),
    }))
}

fn side(word: &str) -> Result<Side, WireError> {
    words::side(word).ok_or_else(|| WireError::shape("a side that is neither BUY nor SELL", word))
}

/// Why an order ended without us.
fn why(w: &ReportWire<'_>, status: OrderStatus) -> (&'static str, String) {
    if !matches!(status, OrderStatus::Rejected | OrderStatus::Expired) {
        return ("", String::new());
    }
    let word = w.r.as_deref().filter(|r| *r != "NONE").or(w.expiry.as_deref()).unwrap_or("");
    let number = w.er.map_or("", Digits::text);
    let reason = match number {
        "2" | "3" | "9" => "no_liquidity",
        "4" => "reduce_only",
        "7" => "market_closed",
        // A post-only order that would have taken ends as expired.
        _ if w.f == "GTX" && word.is_empty() => "post_only_would_take",
        _ => by_words(word),
    };
    let text = if word.is_empty() && !number.is_empty() { format!("expiry reason {number}") } else { word.to_owned() };
    (reason, text)
}

#[derive(Deserialize)]
struct AlgoUpdateWire<'a> {
    #[serde(rename = "T")]
    time: i64,
    #[serde(borrow)]
    o: AlgoWire<'a>,
}

#[derive(Deserialize)]
struct AlgoWire<'a> {
    #[serde(default)]
    caid: String,
    #[serde(borrow)]
    aid: Digits<'a>,
    s: String,
    #[serde(borrow)]
    q: Digits<'a>,
    #[serde(rename = "X")]
    status: String,
    #[serde(borrow, default)]
    ai: Option<Digits<'a>>,
    #[serde(borrow, default)]
    aq: Option<Digits<'a>>,
    #[serde(default)]
    rm: Option<String>,
}

/// An order that waits, or waited, for its trigger. Once triggered it is known by the id of the order it became, whose
/// own reports tell the rest; here only a complete fill is sure.
fn algo(w: &AlgoUpdateWire<'_>, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    let o = &w.o;
    let Some(listing) = listings.named(&o.s) else { return Ok(vec![AccountNote::Ignored]) };
    let whole = qty("q", o.q, listing)?;
    let done = o.aq.filter(|q| !q.text().is_empty()).map(|q| qty("aq", q, listing)).transpose()?;
    let status = match o.status.as_str() {
        "TRIGGERED" => OrderStatus::Acknowledged,
        "FINISHED" if done == Some(whole) => OrderStatus::Filled,
        word => words::algo_status(word),
    };
    let text = o.rm.clone().unwrap_or_default();
    let refused = matches!(status, OrderStatus::Rejected | OrderStatus::Expired);
    Ok(vec![AccountNote::Order(OrderNote {
        instrument: listing.id,
        venue_id: algo_venue_id(o.aid, o.ai),
        client_id: o.caid.clone(),
        status,
        filled: done.filter(|_| o.status == "FINISHED"),
        reason: if refused { by_words(&text) } else { "" },
        text: if refused { text } else { String::new() },
        ts_venue: Ts::from_millis(w.time),
    })])
}

#[derive(Deserialize)]
struct PositionsWire<'a> {
    #[serde(rename = "B", borrow)]
    balances: Vec<SpotBalanceWire<'a>>,
}

#[derive(Deserialize)]
struct SpotBalanceWire<'a> {
    a: String,
    #[serde(borrow)]
    f: Digits<'a>,
    #[serde(borrow)]
    l: Digits<'a>,
}

fn balances(wire: PositionsWire<'_>) -> Result<Vec<AccountNote>, WireError> {
    let notes = wire.balances.into_iter().map(|b| {
        let free = b.f.decimal("f")?;
        let total = sum("balance", free, b.l.decimal("l")?)?;
        Ok(AccountNote::Balance(Balance { currency: b.a, total, free }))
    });
    notes.collect()
}

#[derive(Deserialize)]
struct AccountUpdateWire<'a> {
    #[serde(borrow)]
    a: AccountWire<'a>,
}

#[derive(Deserialize)]
struct AccountWire<'a> {
    #[serde(rename = "B", borrow, default)]
    balances: Vec<WalletWire<'a>>,
    #[serde(rename = "P", borrow, default)]
    positions: Vec<PositionWire<'a>>,
}

#[derive(Deserialize)]
struct WalletWire<'a> {
    a: String,
    #[serde(borrow)]
    wb: Digits<'a>,
    #[serde(borrow)]
    cw: Digits<'a>,
}

#[derive(Deserialize)]
struct PositionWire<'a> {
    s: String,
    #[serde(borrow)]
    pa: Digits<'a>,
    #[serde(borrow)]
    ep: Digits<'a>,
    #[serde(borrow, default)]
    up: Option<Digits<'a>>,
    #[serde(default)]
    ps: Option<String>,
}

fn account(wire: AccountUpdateWire<'_>, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    let mut notes = Vec::with_capacity(2);
    for b in wire.a.balances {
        let (total, free) = (b.wb.decimal("wb")?, b.cw.decimal("cw")?);
        notes.push(AccountNote::Balance(Balance { currency: b.a, total, free }));
    }
    for p in wire.a.positions {
        let Some(listing) = listings.named(&p.s) else { continue };
        notes.push(match p.ps.as_deref() {
            None | Some("BOTH") => AccountNote::Position(Position {
                instrument: listing.id,
                qty: qty("pa", p.pa, listing)?,
                entry: Some(p.ep.decimal("ep")?).filter(|e| e.is_positive()),
                liquidation: None,
                unrealised: p.up.map(|u| u.decimal("up")).transpose()?,
            }),
            // One side alone is not the position: what is held is asked for.
            Some(side) => AccountNote::Unexpected(format!("a {side} position: the account is not in one-way mode")),
        });
    }
    if notes.is_empty() {
        notes.push(AccountNote::Ignored);
    }
    Ok(notes)
}
