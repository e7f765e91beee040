//! Answers of `/info`.

use bellwether_sdk::{Decimal, InstrumentId, OrderKind, Price, Qty, Side, TimeInForce, Ts};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::account::FillWords;
use super::acts::listed;
use super::errors;
use super::market::{BarWords, BookWords, TradeWords, aggressor, price, qty, side};
use crate::exchange::wire::each;
use crate::exchange::{
    Ask, Balance, BookRow, Digits, Fault, FundingRow, Listing, Listings, OrderRow, OrderStatus, PaidRow, Permissions,
    Position, Reply, Response, Rules, Span, TickerRow, TradeRow, VenueError, WireError, rate,
};

/// The smallest value of an order, in USDC.
const NOTIONAL_MIN: i128 = 10;
/// Decimals that price and size share.
const DECIMALS: u8 = 6;

/// An answer about a stretch of time holds this many rows at least, if there are more.
const FILLS_PAGE: usize = 500;

/// Reads an answer.
pub(super) fn reply(ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
    if let Some(error) = errors::of_status(response, false) {
        return Err(error);
    }
    let body = response.body.as_str();
    match ask {
        Ask::Time => {
            #[derive(Deserialize)]
            struct Row {
                time: i64,
            }
            read::<Row>(body).map(|row| Reply::Time(Ts::from_millis(row.time)))
        }
        Ask::Instruments => instruments(body),
        Ask::Ticker(id) => ticker(body, listed(listings, *id)?),
        Ask::Book(id, _) => book(body, listed(listings, *id)?).map(Reply::Book),
        Ask::Trades(id, count) => trades(body, listed(listings, *id)?, *count as usize),
        Ask::Bars(id, interval, from, to) => {
            let listing = listed(listings, *id)?;
            let mut bars = Vec::new();
            each(body, |row: BarWords<'_>| {
                bars.push(row.bar(listing)?);
                Ok(())
            })
            .map_err(wrong)?;
            // Nothing in the answer says that a bar is complete: one that ends after what was asked for is not.
            bars.retain(|b| b.interval == *interval && b.ts_open >= *from && b.ts_close <= *to);
            bars.sort_by_key(|b| b.ts_open);
            Ok(Reply::Bars(bars))
        }
        Ask::Funding(id, from, to) => funding(body, listed(listings, *id)?, *from, *to),
        Ask::Balances => balances(body),
        Ask::Positions => positions(body, listings),
        Ask::OpenOrders(only) => open_orders(body, listings, *only),
        Ask::Order(..) => one_order(body, listings),
        Ask::Fills(id, span) => fills(body, listings, *id, span),
        Ask::Paid(span) => paid(body, span, listings),
        Ask::Permissions => permissions(body).map(Reply::Permissions),
        Ask::OpenConditional(_) | Ask::TradesFrom(..) | Ask::Moved(_) | Ask::StreamTicket | Ask::KeepTicket(_) => {
            Err(VenueError::unsupported("hyperliquid has no such question"))
        }
    }
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, VenueError> {
    serde_json::from_str(text).map_err(|e| wrong(WireError::shape(e, text)))
}

fn wrong(error: WireError) -> VenueError {
    VenueError::malformed(error.to_string())
}

/// The venue's number of an instrument is its place in the list, delisted ones counted.
fn instruments(body: &str) -> Result<Reply, VenueError> {
    #[derive(Deserialize)]
    struct Meta<'a> {
        #[serde(borrow)]
        universe: Vec<&'a RawValue>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        name: String,
        sz_decimals: u8,
        #[serde(default)]
        is_delisted: Option<bool>,
    }
    let meta: Meta<'_> = read(body)?;
    let (mut known, mut unknown): (Vec<Rules>, Vec<String>) = (Vec::new(), Vec::new());
    for (index, row) in meta.universe.iter().enumerate() {
        let Ok(row) = read::<Row>(row.get()) else {
            unknown.push(format!("number {index}"));
            continue;
        };
        let symbol = format!("hyperliquid:{}/USDC:USDC", row.name.to_uppercase()).parse();
        let Some(price_scale) = DECIMALS.checked_sub(row.sz_decimals) else {
            unknown.push(row.name);
            continue;
        };
        match (symbol, u32::try_from(index)) {
            (Ok(symbol), Ok(index)) if !known.iter().any(|r| r.symbol == symbol) => known.push(Rules {
                symbol,
                stream_name: row.name.clone(),
                name: row.name,
                index,
                price_scale,
                qty_scale: row.sz_decimals,
                tick: Price::from_mantissa(1),
                lot: Qty::from_mantissa(1),
                qty_min: Qty::ZERO,
                notional_min: NOTIONAL_MIN * 10i128.pow(u32::from(DECIMALS)),
                qty_max: Qty::ZERO,
                qty_max_market: Qty::ZERO,
                notional_max: 0,
                multiplier: 1,
                contract: bellwether_sdk::Decimal::new(1, 0),
                significant_digits: 5,
                closed: (row.is_delisted == Some(true)).then(|| "delisted".to_owned()),
            }),
            _ => unknown.push(row.name),
        }
    }
    Ok(Reply::Instruments(known, unknown))
}

fn book(body: &str, listing: &Listing) -> Result<BookRow, VenueError> {
    let row: BookWords<'_> = read(body)?;
    let levels = row.levels(&listing.rules).map_err(wrong)?;
    Ok(BookRow { ts_venue: Ts::from_millis(row.time), last_id: 0, levels })
}

/// The best of the book; the last price is not in it.
fn ticker(body: &str, listing: &Listing) -> Result<Reply, VenueError> {
    let book = book(body, listing)?;
    let best = |side| {
        let level = book.levels.iter().find(|l| l.side == side);
        level.map_or((Price::ZERO, Qty::ZERO), |l| (l.price, l.qty))
    };
    let ((bid, bid_qty), (ask, ask_qty)) = (best(Side::Buy), best(Side::Sell));
    Ok(Reply::Ticker(TickerRow { ts_venue: book.ts_venue, bid, bid_qty, ask, ask_qty, last: Price::ZERO }))
}

/// The venue gives the newest first.
fn trades(body: &str, listing: &Listing, count: usize) -> Result<Reply, VenueError> {
    let mut trades = Vec::new();
    each(body, |row: TradeWords<'_>| {
        trades.push(TradeRow {
            id: row.tid.to_string(),
            ts_venue: Ts::from_millis(row.time),
            price: row.px.price("px", listing.rules.price_scale)?,
            qty: row.sz.qty("sz", listing.rules.qty_scale)?,
            aggressor: aggressor(&row.side),
        });
        Ok(())
    })
    .map_err(wrong)?;
    trades.reverse();
    trades.sort_by_key(|t| t.ts_venue);
    trades.drain(..trades.len().saturating_sub(count));
    Ok(Reply::Trades(trades))
}

fn funding(body: &str, listing: &Listing, from: Ts, to: Ts) -> Result<Reply, VenueError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row<'a> {
        coin: String,
        #[serde(borrow)]
        funding_rate: Digits<'a>,
        time: i64,
    }
    let mut rows = Vec::new();
    each(body, |row: Row<'_>| {
        let ts_venue = Ts::from_millis(row.time);
        let rate = rate("fundingRate", row.funding_rate.text())?;
        if row.coin == listing.rules.name && (from..to).contains(&ts_venue) {
            rows.push(crate::exchange::FundingRow { ts_venue, rate, mark: Price::ZERO });
        }
        Ok(())
    })
    .map_err(wrong)?;
    rows.sort_by_key(|r: &FundingRow| r.ts_venue);
    Ok(Reply::Funding(rows))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct State<'a> {
    #[serde(borrow, default)]
    margin_summary: Option<Summary<'a>>,
    #[serde(borrow, default)]
    cross_margin_summary: Option<Summary<'a>>,
    #[serde(borrow, default)]
    withdrawable: Option<Digits<'a>>,
    #[serde(borrow, default)]
    asset_positions: Vec<Held<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    #[serde(borrow)]
    account_value: Digits<'a>,
}

#[derive(Deserialize)]
struct Held<'a> {
    #[serde(borrow)]
    position: HeldWords<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeldWords<'a> {
    coin: String,
    #[serde(borrow)]
    szi: Digits<'a>,
    #[serde(borrow, default)]
    entry_px: Option<Digits<'a>>,
    #[serde(borrow, default)]
    liquidation_px: Option<Digits<'a>>,
    #[serde(borrow, default)]
    unrealized_pnl: Option<Digits<'a>>,
}

/// The account's one balance: its value, unrealised profit included, and what of it is free.
fn balances(body: &str) -> Result<Reply, VenueError> {
    let state: State<'_> = read(body)?;
    let summary = state.margin_summary.or(state.cross_margin_summary);
    let summary = summary.ok_or_else(|| VenueError::malformed("the answer has no account value"))?;
    let total = summary.account_value.decimal("accountValue").map_err(wrong)?;
    let free = match state.withdrawable {
        Some(digits) => digits.decimal("withdrawable").map_err(wrong)?,
        None => total,
    };
    if total.mantissa() == 0 {
        return Ok(Reply::Balances(Vec::new()));
    }
    Ok(Reply::Balances(vec![Balance { currency: "USDC".to_owned(), total, free }]))
}

/// Positions of coins that are not of this run are left out.
fn positions(body: &str, listings: &Listings) -> Result<Reply, VenueError> {
    let state: State<'_> = read(body)?;
    let mut positions = Vec::new();
    for Held { position } in state.asset_positions {
        let Some(listing) = listings.named(&position.coin) else { continue };
        let decimal = |field, digits: Option<Digits<'_>>| -> Result<Option<Decimal>, VenueError> {
            digits.map(|d| d.decimal(field)).transpose().map_err(wrong)
        };
        let held = qty("szi", position.szi, &listing.rules).map_err(wrong)?;
        if !held.is_zero() {
            positions.push(Position {
                instrument: listing.id,
                qty: held,
                entry: decimal("entryPx", position.entry_px)?,
                liquidation: decimal("liquidationPx", position.liquidation_px)?,
                unrealised: decimal("unrealizedPnl", position.unrealized_pnl)?,
            });
        }
    }
    Ok(Reply::Positions(positions))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderWords<'a> {
    coin: String,
    side: String,
    #[serde(borrow)]
    limit_px: Digits<'a>,
    #[serde(borrow)]
    sz: Digits<'a>,
    #[serde(borrow, default)]
    orig_sz: Option<Digits<'a>>,
    oid: u64,
    #[serde(default)]
    timestamp: i64,
    #[serde(default)]
    order_type: Option<String>,
    #[serde(borrow, default)]
    trigger_px: Option<Digits<'a>>,
    #[serde(default)]
    tif: Option<String>,
    #[serde(default)]
    cloid: Option<String>,
}

impl OrderWords<'_> {
    fn row(self, status: &str, listing: &Listing) -> Result<OrderRow, WireError> {
        let rules = &listing.rules;
        let left = qty("sz", self.sz, rules)?;
        let whole = self.orig_sz.map_or(Ok(left), |sz| qty("origSz", sz, rules))?;
        let filled = Qty::from_mantissa((whole.mantissa() - left.mantissa()).max(0));
        let (mut status, _) = errors::status(status);
        if status == OrderStatus::Acknowledged && !filled.is_zero() {
            status = OrderStatus::PartlyFilled;
        }
        let limit = price("limitPx", self.limit_px, rules)?;
        let trigger = || self.trigger_px.and_then(|p| price("triggerPx", p, rules).ok());
        let kind = match self.order_type.as_deref() {
            None | Some("Limit") => Some(OrderKind::Limit { price: limit }),
            Some("Market") => Some(OrderKind::Market),
            Some("Stop Market") => trigger().map(|trigger| OrderKind::StopMarket { trigger }),
            Some("Stop Limit") => trigger().map(|trigger| OrderKind::StopLimit { trigger, price: limit }),
            Some(_) => None,
        };
        Ok(OrderRow {
            instrument: listing.id,
            venue_id: self.oid.to_string(),
            client_id: self.cloid.unwrap_or_default(),
            side: side(&self.side)?,
            kind,
            tif: if matches!(self.tif.as_deref(), Some("Ioc" | "FrontendMarket")) {
                TimeInForce::Ioc
            } else {
                TimeInForce::Gtc
            },
            qty: whole,
            filled,
            status,
            ts_venue: Ts::from_millis(self.timestamp),
        })
    }
}

fn open_orders(body: &str, listings: &Listings, only: Option<InstrumentId>) -> Result<Reply, VenueError> {
    let (mut rows, mut left_out) = (Vec::new(), 0);
    each(body, |row: OrderWords<'_>| {
        match listings.named(&row.coin) {
            Some(listing) if only.is_none_or(|id| id == listing.id) => rows.push(row.row("open", listing)?),
            Some(_) => {}
            None => left_out += 1,
        }
        Ok(())
    })
    .map_err(wrong)?;
    rows.sort_by_key(|r: &OrderRow| r.ts_venue);
    Ok(Reply::Orders(rows, left_out))
}

fn one_order(body: &str, listings: &Listings) -> Result<Reply, VenueError> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        status: String,
        #[serde(borrow, default)]
        order: Option<Known<'a>>,
    }
    #[derive(Deserialize)]
    struct Known<'a> {
        #[serde(borrow)]
        order: OrderWords<'a>,
        status: String,
    }
    let answer: Answer<'_> = read(body)?;
    let Some(known) = answer.order else {
        let unknown = VenueError::new(Fault::Rejected, answer.status.clone(), "hyperliquid names no such order");
        return Err(match answer.status.as_str() {
            "unknownOid" | "missing" => unknown.reason("unknown_order"),
            other => VenueError::malformed(format!("the order's answer has the unknown status {other:?}")),
        });
    };
    match listings.named(&known.order.coin) {
        Some(listing) => Ok(Reply::Orders(vec![known.order.row(&known.status, listing).map_err(wrong)?], 0)),
        None => Ok(Reply::Orders(Vec::new(), 1)),
    }
}

/// The oldest first, of all coins: a full answer is gone on with from its newest.
fn fills(body: &str, listings: &Listings, id: InstrumentId, span: &Span) -> Result<Reply, VenueError> {
    let (mut fills, mut times) = (Vec::new(), Vec::new());
    each(body, |row: FillWords<'_>| {
        times.push(Ts::from_millis(row.time));
        if let Some(listing) = listings.named(&row.coin).filter(|l| l.id == id) {
            fills.push(row.fill(listing)?);
        }
        Ok(())
    })
    .map_err(wrong)?;
    let further = span.since_newest(times.iter().copied()).filter(|_| times.len() >= FILLS_PAGE);
    fills.retain(|f| f.ts_venue >= span.from);
    fills.sort_by_key(|f| f.ts_venue);
    Ok(Reply::Fills(fills, further))
}

/// The end of an agent, by its address, in the list of an account's named agents. One that is not there has no name, or is
/// of another account: the venue does not say it.
pub(super) fn agent_end(body: &str, address: &str) -> Result<Option<Ts>, VenueError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        address: String,
        valid_until: Option<i64>,
    }
    let rows: Vec<Row> = read(body)?;
    let own = rows.iter().find(|r| r.address.eq_ignore_ascii_case(address));
    Ok(own.map(|r| r.valid_until.map_or(Ts::NONE, Ts::from_millis)))
}

/// An agent trades and cannot withdraw; any other role is that of a key which can.
fn permissions(body: &str) -> Result<Permissions, VenueError> {
    #[derive(Deserialize)]
    struct Row {
        role: String,
    }
    let role = read::<Row>(body)?.role;
    let permissions = Permissions { expires: Ts::NONE, ip_bound: Some(false), ..Permissions::default() };
    match role.as_str() {
        "agent" => Ok(Permissions { read: Some(true), trade: Some(true), withdraw: Some(false), ..permissions }),
        "missing" => Err(VenueError::new(Fault::Authentication, "missing", "hyperliquid does not know this key")),
        _ => Ok(Permissions { read: Some(true), trade: Some(true), withdraw: Some(true), ..permissions }),
    }
}

/// Most rows of one answer, the oldest.
const PAID_PAGE: usize = 500;

/// Funding comes without an id of its own (its hash is nothing but zeros): a coin settles once at a time, so the time names
/// it.
fn paid(body: &str, span: &Span, listings: &Listings) -> Result<Reply, VenueError> {
    #[derive(Deserialize)]
    struct Row<'a> {
        time: i64,
        #[serde(borrow)]
        delta: Delta<'a>,
    }
    #[derive(Deserialize)]
    struct Delta<'a> {
        coin: String,
        #[serde(borrow)]
        usdc: Digits<'a>,
    }
    let rows: Vec<Row<'_>> = read(body)?;
    let newest = rows.iter().map(|r| r.time).max().filter(|_| rows.len() >= PAID_PAGE);
    let mut paid = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some(listing) = listings.named(&row.delta.coin) else { continue };
        paid.push(PaidRow {
            instrument: listing.id,
            id: row.time.to_string(),
            amount: row.delta.usdc.decimal("usdc").map_err(wrong)?,
            currency: "USDC".to_owned(),
            ts_venue: Ts::from_millis(row.time),
        });
    }
    let further = newest.map(Ts::from_millis).filter(|at| *at > span.from).and_then(|at| span.after(at));
    Ok(Reply::Paid(paid, further))
}
