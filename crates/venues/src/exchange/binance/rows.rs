//! Answers to questions as rows.
//!
//! Bars: the venue does not say here which is complete, so a bar that closes after the end of the range asked for is
//! left out; who asks for a range that ends now gets complete bars only. Balances of futures count what lies in open
//! positions as owned, not as free. Positions of an account in hedge mode are given net, without entry and liquidation
//! price when both sides are held.

use bellwether_sdk::{Aggressor, Bar, Decimal, Interval, Level, Price, Qty, Rate, Side, Ts};
use serde::Deserialize;

use super::super::vocab::liquidity;
use super::super::{
    Ask, Balance, BookRow, Digits, Fault, FillNote, FundingRow, Listing, Listings, OrderRow, Permissions, Position,
    Product, Reply, Response, Span, TickerRow, TradeRow, VenueError, WireError, rate,
};
use super::dialect::Dialect;
use super::orders::ALGO;
use super::rest::{ROWS_MAX, fills_stretch, listing};
use super::{errors, flows, instruments, words};

impl From<WireError> for VenueError {
    fn from(error: WireError) -> Self {
        Self::malformed(error.to_string())
    }
}

/// Reads an answer.
///
/// # Errors
/// [`VenueError`], sorted into its class.
pub(super) fn reply(d: &Dialect, ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
    if !response.is_ok() {
        return Err(errors::of_response(response, false));
    }
    let body = response.body.as_str();
    match ask {
        Ask::Time => Ok(Reply::Time(Ts::from_millis(parse::<TimeWire>(body)?.server_time))),
        Ask::Instruments => instruments::read(d, body),
        Ask::Ticker(id) => ticker(body, listing(listings, *id)?),
        Ask::Book(id, _) => book(body, listing(listings, *id)?),
        Ask::Trades(id, _) => trades(body, listing(listings, *id)?),
        Ask::TradesFrom(id, _) => history(body, listing(listings, *id)?),
        Ask::Bars(id, interval, _, to) => bars(body, listing(listings, *id)?, *interval, *to),
        Ask::Funding(id, ..) => funding(body, listing(listings, *id)?),
        Ask::Balances if d.product == Product::Spot => spot_balances(body),
        Ask::Balances => futures_balances(body),
        Ask::Positions => positions(body, listings),
        Ask::OpenOrders(_) => orders(parse::<Vec<OrderWire<'_>>>(body)?, listings),
        Ask::OpenConditional(_) => algos(parse::<Vec<AlgoWire<'_>>>(body)?, listings),
        Ask::Order(_, order) => match super::orders::place_of(d, order) {
            super::orders::Place::Apart => algos(vec![parse(body)?], listings),
            super::orders::Place::Book => orders(vec![parse(body)?], listings),
        },
        Ask::Fills(id, span) => fills(d, body, span, listing(listings, *id)?),
        Ask::Paid(span) => flows::read_paid(body, span, listings),
        Ask::Moved(span) => flows::read_moved(d, body, span),
        Ask::Permissions => permissions(d, body),
        Ask::StreamTicket => Ok(Reply::StreamTicket(parse::<TicketWire>(body)?.listen_key)),
        Ask::KeepTicket(_) => Ok(Reply::Done),
    }
}

pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a str) -> Result<T, VenueError> {
    serde_json::from_str(body).map_err(|e| WireError::shape(e, body).into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TimeWire {
    server_time: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TicketWire {
    listen_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TickerWire<'a> {
    #[serde(borrow)]
    bid_price: Digits<'a>,
    #[serde(borrow)]
    bid_qty: Digits<'a>,
    #[serde(borrow)]
    ask_price: Digits<'a>,
    #[serde(borrow)]
    ask_qty: Digits<'a>,
    #[serde(borrow)]
    last_price: Option<Digits<'a>>,
    /// Spot.
    close_time: Option<i64>,
    /// Futures.
    time: Option<i64>,
}

fn ts(millis: Option<i64>) -> Ts {
    millis.filter(|ms| *ms > 0).map_or(Ts::NONE, Ts::from_millis)
}

/// A price of an instrument.
pub(super) fn price(field: &'static str, digits: Digits<'_>, listing: &Listing) -> Result<Price, WireError> {
    digits.mantissa(field, listing.rules.price_scale).map(Price::from_mantissa)
}

/// A quantity of an instrument.
pub(super) fn qty(field: &'static str, digits: Digits<'_>, listing: &Listing) -> Result<Qty, WireError> {
    digits.mantissa(field, listing.rules.qty_scale).map(Qty::from_mantissa)
}

/// A mark price: an average with more digits than the instrument's prices, cut toward zero.
pub(super) fn mark(field: &'static str, digits: Digits<'_>, listing: &Listing) -> Result<Price, WireError> {
    let cut = digits.decimal(field)?.at_scale_toward_zero(listing.rules.price_scale);
    match cut.ok_or_else(|| digits.wrong(field, "does not fit"))? {
        found @ 0.. => Ok(Price::from_mantissa(found)),
        _ => Err(digits.wrong(field, "no price is below zero")),
    }
}

fn ticker(body: &str, l: &Listing) -> Result<Reply, VenueError> {
    let wire: TickerWire<'_> = parse(body)?;
    Ok(Reply::Ticker(TickerRow {
        ts_venue: ts(wire.close_time.or(wire.time)),
        bid: wire.bid_price.best_price("bidPrice", l.rules.price_scale)?,
        bid_qty: wire.bid_qty.qty("bidQty", l.rules.qty_scale)?,
        ask: wire.ask_price.best_price("askPrice", l.rules.price_scale)?,
        ask_qty: wire.ask_qty.qty("askQty", l.rules.qty_scale)?,
        last: wire.last_price.map_or(Ok(Price::ZERO), |p| p.best_price("lastPrice", l.rules.price_scale))?,
    }))
}

#[derive(Deserialize)]
struct BookWire<'a> {
    #[serde(rename = "lastUpdateId")]
    last_update_id: i64,
    #[serde(rename = "T")]
    time: Option<i64>,
    #[serde(borrow)]
    bids: Vec<Vec<Digits<'a>>>,
    #[serde(borrow)]
    asks: Vec<Vec<Digits<'a>>>,
}

fn book(body: &str, l: &Listing) -> Result<Reply, VenueError> {
    let wire: BookWire<'_> = parse(body)?;
    let mut levels = Vec::with_capacity(wire.bids.len() + wire.asks.len());
    for (side, rows) in [(Side::Buy, &wire.bids), (Side::Sell, &wire.asks)] {
        for row in rows {
            let [p, q, ..] = row.as_slice() else {
                return Err(VenueError::malformed("a level of the book without price or quantity"));
            };
            levels.push(Level {
                side,
                price: p.price("price", l.rules.price_scale)?,
                qty: q.qty("quantity", l.rules.qty_scale)?,
            });
        }
    }
    Ok(Reply::Book(BookRow { ts_venue: ts(wire.time), last_id: wire.last_update_id, levels }))
}

/// Who crossed the spread, by whether the buyer was there first.
pub(super) const fn aggressor(buyer_is_maker: bool) -> Aggressor {
    if buyer_is_maker { Aggressor::Seller } else { Aggressor::Buyer }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TradeWire<'a> {
    #[serde(borrow)]
    id: Digits<'a>,
    #[serde(borrow)]
    price: Digits<'a>,
    #[serde(borrow)]
    qty: Digits<'a>,
    time: i64,
    is_buyer_maker: bool,
}

fn trades(body: &str, l: &Listing) -> Result<Reply, VenueError> {
    let rows: Vec<TradeWire<'_>> = parse(body)?;
    let rows = rows.iter().map(|t| {
        Ok(TradeRow {
            id: t.id.text().to_owned(),
            ts_venue: Ts::from_millis(t.time),
            price: t.price.price("price", l.rules.price_scale)?,
            qty: t.qty.qty("qty", l.rules.qty_scale)?,
            aggressor: aggressor(t.is_buyer_maker),
        })
    });
    Ok(Reply::Trades(rows.collect::<Result<_, WireError>>()?))
}

#[derive(Deserialize)]
struct AggWire<'a> {
    #[serde(borrow)]
    a: Digits<'a>,
    #[serde(borrow)]
    p: Digits<'a>,
    #[serde(borrow)]
    q: Digits<'a>,
    #[serde(rename = "T")]
    time: i64,
    m: bool,
}

fn history(body: &str, l: &Listing) -> Result<Reply, VenueError> {
    let rows: Vec<AggWire<'_>> = parse(body)?;
    let rows = rows.iter().map(|t| {
        Ok(TradeRow {
            id: t.a.text().to_owned(),
            ts_venue: Ts::from_millis(t.time),
            price: t.p.price("p", l.rules.price_scale)?,
            qty: t.q.qty("q", l.rules.qty_scale)?,
            aggressor: aggressor(t.m),
        })
    });
    Ok(Reply::Trades(rows.collect::<Result<_, WireError>>()?))
}

fn bars(body: &str, l: &Listing, interval: Interval, to: Ts) -> Result<Reply, VenueError> {
    let rows: Vec<Vec<Digits<'_>>> = parse(body)?;
    let mut bars = Vec::with_capacity(rows.len());
    for row in &rows {
        let [open_ms, open, high, low, close, volume, ..] = row.as_slice() else {
            return Err(VenueError::malformed("a bar with fewer than six fields"));
        };
        let ts_open = Ts::from_millis(open_ms.mantissa("open time", 0)?);
        let ts_close = ts_open.plus(interval.nanos());
        if ts_close > to {
            continue;
        }
        bars.push(Bar {
            ts_open,
            ts_close,
            open: open.price("open", l.rules.price_scale)?,
            high: high.price("high", l.rules.price_scale)?,
            low: low.price("low", l.rules.price_scale)?,
            close: close.price("close", l.rules.price_scale)?,
            volume: volume.qty("volume", l.rules.qty_scale)?,
            interval,
            instrument: l.id,
        });
    }
    Ok(Reply::Bars(bars))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FundingWire<'a> {
    #[serde(borrow)]
    funding_rate: Digits<'a>,
    funding_time: i64,
    #[serde(borrow)]
    mark_price: Option<Digits<'a>>,
}

fn funding(body: &str, l: &Listing) -> Result<Reply, VenueError> {
    let rows: Vec<FundingWire<'_>> = parse(body)?;
    let rows = rows.iter().map(|f| {
        Ok(FundingRow {
            ts_venue: Ts::from_millis(f.funding_time),
            rate: rate("fundingRate", f.funding_rate.text())?,
            // Old settlements have an empty one.
            mark: f.mark_price.filter(|m| !m.text().is_empty()).map_or(Ok(Price::ZERO), |m| mark("markPrice", m, l))?,
        })
    });
    Ok(Reply::Funding(rows.collect::<Result<_, WireError>>()?))
}

/// The sum of two amounts.
///
/// # Errors
/// [`WireError::Number`] when it does not fit.
pub(super) fn sum(field: &'static str, a: Decimal, b: Decimal) -> Result<Decimal, WireError> {
    let (a, b) = (a.normalized(), b.normalized());
    let scale = a.scale().max(b.scale());
    let fits = a.at_scale(scale).ok().zip(b.at_scale(scale).ok()).and_then(|(a, b)| a.checked_add(b));
    fits.map(|m| Decimal::new(m, scale)).ok_or_else(|| WireError::Number {
        field,
        text: format!("{a} + {b}"),
        why: "does not fit".to_owned(),
    })
}

fn is_zero(amount: &Decimal) -> bool {
    amount.mantissa() == 0
}

#[derive(Deserialize)]
struct AccountWire<'a> {
    #[serde(borrow)]
    balances: Vec<SpotBalanceWire<'a>>,
}

#[derive(Deserialize)]
struct SpotBalanceWire<'a> {
    asset: String,
    #[serde(borrow)]
    free: Digits<'a>,
    #[serde(borrow)]
    locked: Digits<'a>,
}

fn spot_balances(body: &str) -> Result<Reply, VenueError> {
    let mut balances = Vec::new();
    for row in parse::<AccountWire<'_>>(body)?.balances {
        let free = row.free.decimal("free")?;
        let total = sum("balance", free, row.locked.decimal("locked")?)?;
        if !is_zero(&total) {
            balances.push(Balance { currency: row.asset, total, free });
        }
    }
    Ok(Reply::Balances(balances))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FuturesBalanceWire<'a> {
    asset: String,
    #[serde(borrow)]
    balance: Digits<'a>,
    #[serde(borrow)]
    available_balance: Digits<'a>,
}

fn futures_balances(body: &str) -> Result<Reply, VenueError> {
    let mut balances = Vec::new();
    for row in parse::<Vec<FuturesBalanceWire<'_>>>(body)? {
        let total = row.balance.decimal("balance")?;
        if !is_zero(&total) {
            let free = row.available_balance.decimal("availableBalance")?;
            balances.push(Balance { currency: row.asset, total, free });
        }
    }
    Ok(Reply::Balances(balances))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PositionWire<'a> {
    symbol: String,
    #[serde(borrow)]
    position_amt: Digits<'a>,
    #[serde(borrow)]
    entry_price: Digits<'a>,
    #[serde(borrow)]
    liquidation_price: Option<Digits<'a>>,
    #[serde(borrow)]
    un_realized_profit: Option<Digits<'a>>,
}

fn positions(body: &str, listings: &Listings) -> Result<Reply, VenueError> {
    let mut positions: Vec<Position> = Vec::new();
    for row in parse::<Vec<PositionWire<'_>>>(body)? {
        let Some(l) = listings.named(&row.symbol) else { continue };
        let held = qty("positionAmt", row.position_amt, l)?;
        if held.is_zero() {
            continue;
        }
        let positive = |field, digits: Option<Digits<'_>>| {
            digits.map(|d| d.decimal(field)).transpose().map(|d| d.filter(|d| d.is_positive()))
        };
        let unrealised = row.un_realized_profit.map(|u| u.decimal("unRealizedProfit")).transpose()?;
        let position = Position {
            instrument: l.id,
            qty: held,
            entry: positive("entryPrice", Some(row.entry_price))?,
            liquidation: positive("liquidationPrice", row.liquidation_price)?,
            unrealised,
        };
        match positions.iter_mut().find(|p| p.instrument == l.id) {
            Some(other) => merge(other, &position)?,
            None => positions.push(position),
        }
    }
    Ok(Reply::Positions(positions))
}

/// The other side of an account in hedge mode.
fn merge(net: &mut Position, other: &Position) -> Result<(), WireError> {
    let both = net.qty.mantissa().checked_add(other.qty.mantissa());
    net.qty = both.map(Qty::from_mantissa).ok_or_else(|| WireError::Number {
        field: "positionAmt",
        text: other.qty.mantissa().to_string(),
        why: "both sides together do not fit".to_owned(),
    })?;
    net.unrealised = match (net.unrealised, other.unrealised) {
        (Some(a), Some(b)) => Some(sum("unRealizedProfit", a, b)?),
        _ => None,
    };
    (net.entry, net.liquidation) = (None, None);
    Ok(())
}

/// An order as it stands in answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderWire<'a> {
    symbol: String,
    #[serde(borrow)]
    order_id: Digits<'a>,
    #[serde(default)]
    client_order_id: String,
    #[serde(borrow)]
    price: Option<Digits<'a>>,
    #[serde(borrow)]
    stop_price: Option<Digits<'a>>,
    #[serde(borrow)]
    orig_qty: Digits<'a>,
    #[serde(borrow)]
    executed_qty: Digits<'a>,
    status: String,
    #[serde(default)]
    time_in_force: String,
    #[serde(rename = "type")]
    kind: String,
    side: String,
    time: Option<i64>,
    update_time: Option<i64>,
    good_till_date: Option<i64>,
    /// Of trailing stops, basis points (spot).
    #[serde(borrow)]
    trailing_delta: Option<Digits<'a>>,
    /// Of trailing stops, per cent (futures).
    #[serde(borrow)]
    price_rate: Option<Digits<'a>>,
}

/// A share of a hundred or of ten thousand as a rate.
fn share(field: &'static str, digits: Option<Digits<'_>>, below: u8) -> Result<Option<Rate>, WireError> {
    let Some(digits) = digits.filter(|d| !d.text().is_empty()) else { return Ok(None) };
    let mantissa = digits.mantissa(field, Rate::SCALE - below)?;
    Ok((mantissa > 0).then(|| Rate::from_mantissa(mantissa)))
}

fn some_price(field: &'static str, digits: Option<Digits<'_>>, l: &Listing) -> Result<Price, WireError> {
    digits.filter(|d| !d.text().is_empty()).map_or(Ok(Price::ZERO), |d| price(field, d, l))
}

fn known_side(word: &str) -> Result<Side, WireError> {
    words::side(word).ok_or_else(|| WireError::shape("a side that is neither BUY nor SELL", word))
}

fn orders(wires: Vec<OrderWire<'_>>, listings: &Listings) -> Result<Reply, VenueError> {
    let (mut rows, mut others) = (Vec::with_capacity(wires.len()), 0);
    for w in wires {
        let Some(l) = listings.named(&w.symbol) else {
            others += 1;
            continue;
        };
        let trail = share("trailingDelta", w.trailing_delta, 4)?.or(share("priceRate", w.price_rate, 2)?);
        let (limit, trigger) = (some_price("price", w.price, l)?, some_price("stopPrice", w.stop_price, l)?);
        rows.push(OrderRow {
            instrument: l.id,
            venue_id: w.order_id.text().to_owned(),
            client_id: w.client_order_id,
            side: known_side(&w.side)?,
            kind: words::kind(&w.kind, limit, trigger, trail),
            tif: words::tif(&w.time_in_force, w.good_till_date.unwrap_or(0)),
            qty: qty("origQty", w.orig_qty, l)?,
            filled: qty("executedQty", w.executed_qty, l)?,
            status: words::status(&w.status),
            ts_venue: ts(w.time.or(w.update_time)),
        });
    }
    Ok(Reply::Orders(rows, others))
}

/// An order that waits, or waited, for its trigger.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AlgoWire<'a> {
    #[serde(borrow)]
    algo_id: Digits<'a>,
    #[serde(default)]
    client_algo_id: String,
    #[serde(alias = "type")]
    order_type: String,
    symbol: String,
    side: String,
    #[serde(default)]
    time_in_force: String,
    #[serde(borrow)]
    quantity: Digits<'a>,
    algo_status: String,
    #[serde(borrow)]
    actual_order_id: Option<Digits<'a>>,
    #[serde(borrow)]
    trigger_price: Option<Digits<'a>>,
    #[serde(borrow)]
    price: Option<Digits<'a>>,
    #[serde(borrow)]
    callback_rate: Option<Digits<'a>>,
    create_time: Option<i64>,
    good_till_date: Option<i64>,
}

fn algos(wires: Vec<AlgoWire<'_>>, listings: &Listings) -> Result<Reply, VenueError> {
    let (mut rows, mut others) = (Vec::with_capacity(wires.len()), 0);
    for w in wires {
        let Some(l) = listings.named(&w.symbol) else {
            others += 1;
            continue;
        };
        let trail = share("callbackRate", w.callback_rate, 2)?;
        let (limit, trigger) = (some_price("price", w.price, l)?, some_price("triggerPrice", w.trigger_price, l)?);
        rows.push(OrderRow {
            instrument: l.id,
            venue_id: algo_venue_id(w.algo_id, w.actual_order_id),
            client_id: w.client_algo_id,
            side: known_side(&w.side)?,
            kind: words::kind(&w.order_type, limit, trigger, trail),
            tif: words::tif(&w.time_in_force, w.good_till_date.unwrap_or(0)),
            qty: qty("quantity", w.quantity, l)?,
            filled: Qty::ZERO,
            status: words::algo_status(&w.algo_status),
            ts_venue: ts(w.create_time),
        });
    }
    Ok(Reply::Orders(rows, others))
}

/// The venue's id of an order that lives apart: that of the order it became, once it triggered.
pub(super) fn algo_venue_id(algo: Digits<'_>, actual: Option<Digits<'_>>) -> String {
    match actual.filter(|id| !matches!(id.text(), "" | "0" | "null")) {
        Some(id) => id.text().to_owned(),
        None => format!("{ALGO}{}", algo.text()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FillWire<'a> {
    #[serde(borrow)]
    id: Digits<'a>,
    #[serde(borrow)]
    order_id: Digits<'a>,
    #[serde(borrow)]
    price: Digits<'a>,
    #[serde(borrow)]
    qty: Digits<'a>,
    #[serde(borrow)]
    commission: Digits<'a>,
    commission_asset: String,
    time: i64,
    #[serde(alias = "buyer")]
    is_buyer: bool,
    #[serde(alias = "maker")]
    is_maker: bool,
}

/// The oldest first: a full answer is gone on with from its newest, another from where the question ended.
fn fills(d: &Dialect, body: &str, span: &Span, l: &Listing) -> Result<Reply, VenueError> {
    let rows: Vec<FillWire<'_>> = parse(body)?;
    let rows = rows.into_iter().map(|f| {
        FillNote {
            instrument: l.id,
            trade_id: f.id.text().to_owned(),
            venue_id: f.order_id.text().to_owned(),
            client_id: String::new(),
            side: if f.is_buyer { Side::Buy } else { Side::Sell },
            price: price("price", f.price, l)?,
            qty: qty("qty", f.qty, l)?,
            fee: f.commission.decimal("commission")?,
            fee_currency: f.commission_asset,
            liquidity: liquidity(f.is_maker),
            ts_venue: Ts::from_millis(f.time),
        }
        .checked()
    });
    let rows = rows.collect::<Result<Vec<_>, WireError>>()?;
    let further = match fills_stretch(d, span) {
        _ if rows.len() >= ROWS_MAX as usize => span.since_newest(rows.iter().map(|f| f.ts_venue)),
        (_, Some(end)) => span.after(end),
        (_, None) => None,
    };
    Ok(Reply::Fills(rows, further))
}

/// What a key may do. That a key may withdraw must be said or denied by the venue, not be left out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyWire {
    ip_restrict: Option<bool>,
    enable_reading: Option<bool>,
    enable_withdrawals: bool,
    enable_internal_transfer: bool,
    permits_universal_transfer: bool,
    enable_futures: Option<bool>,
    enable_spot_and_margin_trading: Option<bool>,
    trading_authority_expiration_time: Option<i64>,
}

fn permissions(d: &Dialect, body: &str) -> Result<Reply, VenueError> {
    let key: KeyWire = parse(body)?;
    let trade = match d.product {
        Product::Spot => key.enable_spot_and_margin_trading,
        Product::Linear => key.enable_futures,
    };
    Ok(Reply::Permissions(Permissions {
        read: key.enable_reading,
        trade,
        withdraw: Some(key.enable_withdrawals || key.enable_internal_transfer || key.permits_universal_transfer),
        ip_bound: key.ip_restrict,
        expires: ts(key.trading_authority_expiration_time),
        end_unknown: false,
    }))
}

/// An outcome that must be asked about: something was taken, but the answer cannot be read.
pub(super) fn unknown(why: impl std::fmt::Display) -> VenueError {
    VenueError::new(Fault::Unknown, "", format!("the venue took the request, but its answer was not understood: {why}"))
}
