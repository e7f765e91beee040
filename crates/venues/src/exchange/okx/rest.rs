//! Questions over REST and their answers.

use std::borrow::Cow;

use bellwether_sdk::{Aggressor, Decimal, InstrumentId, Interval, Price, Qty, Side, Ts};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::errors::{self, Envelope};
use super::facts::{INTERVALS, Table};
use super::flows;
use super::rows::{self, Candle, Fill, Held, Instrument, Order, Wallet};
use crate::exchange::codec::{
    Pair, interval_word, json, listed, millis, millis_if, not_understood, present, query, to_millis, with_cursor,
};
use crate::exchange::{
    Ask, BookRow, Digits, Fault, FundingRow, Listings, OrderRef, Permissions, Product, Reply, Request, Response, Rules,
    Span, TickerRow, TradeRow, VenueError, WireError, rate,
};

/// Rows of one answer, asked for where the venue would give more or fewer.
pub(super) const PAGE: u32 = 100;
/// Most open orders, and most fills, in one answer.
const ROWS_MAX: usize = 100;
/// So far back, with a margin, the list of recent fills goes: older ones, of three months, are in another.
const FILLS_RECENT_NS: i64 = 2 * 86_400_000_000_000;

/// The request for a question.
pub(super) fn ask(table: &Table, ask: &Ask, listings: &Listings) -> Result<Request, VenueError> {
    let kind = ("instType", table.kind);
    let name = |id: &InstrumentId| listed(listings, *id).map(|r| ("instId", r.name.as_str()));
    let public = |path: &str, fields: &[(&str, &str)]| Request::get(format!("/api/v5/{path}"), query(fields), 1);
    let private = |path: &str, fields: &[(&str, &str)]| public(path, fields).signed();
    let swaps_only = || match table.product {
        Product::Linear => Ok(()),
        Product::Spot => Err(VenueError::unsupported("spot has no positions and no funding")),
    };
    Ok(match ask {
        Ask::Time => public("public/time", &[]),
        Ask::Instruments => public("public/instruments", &[kind]),
        Ask::Ticker(id) => public("market/ticker", &[name(id)?]),
        Ask::Book(id, levels) => public("market/books", &[name(id)?, ("sz", &(*levels).clamp(1, 400).to_string())]),
        Ask::Trades(id, count) => public("market/trades", &[name(id)?, ("limit", &(*count).clamp(1, 500).to_string())]),
        Ask::TradesFrom(..) => {
            return Err(VenueError::unsupported("OKX pages its trades backwards from a time, not forwards"));
        }
        Ask::Bars(id, interval, from, to) => {
            let word = interval_word(INTERVALS, *interval)
                .ok_or_else(|| VenueError::unsupported(format!("OKX makes no bars of {interval}")))?;
            let (before, after) = between(*from, *to, *interval);
            let limit = PAGE.to_string();
            let fields = [name(id)?, ("bar", word), ("before", &before), ("after", &after), ("limit", &limit)];
            public("market/history-candles", &fields)
        }
        Ask::Funding(id, from, to) => {
            swaps_only()?;
            // A contract settles once an hour at most.
            let (before, after) = between(*from, *to, Interval::HOUR);
            let limit = PAGE.to_string();
            let fields = [name(id)?, ("before", &before), ("after", &after), ("limit", &limit)];
            public("public/funding-rate-history", &fields)
        }
        Ask::Balances => private("account/balance", &[]),
        Ask::Positions => {
            swaps_only()?;
            private("account/positions", &[kind])
        }
        Ask::OpenOrders(Some(id)) => private("trade/orders-pending", &[kind, name(id)?, ("limit", "100")]),
        Ask::OpenOrders(None) => private("trade/orders-pending", &[kind, ("limit", "100")]),
        Ask::OpenConditional(_) => {
            return Err(VenueError::unsupported("orders that wait for a trigger are not placed at OKX"));
        }
        Ask::Order(id, OrderRef::Client(client)) => {
            private("trade/order", &[name(id)?, ("clOrdId", &client.to_string())])
        }
        Ask::Order(id, OrderRef::Venue(order)) => private("trade/order", &[name(id)?, ("ordId", order)]),
        Ask::Fills(id, span) => {
            let (begin, name) = (to_millis(span.from).max(0).to_string(), name(id)?);
            let request = match old_fills(span) {
                Some(edge) => {
                    let end = (to_millis(edge) + 1).to_string();
                    private("trade/fills-history", &[kind, name, ("begin", &begin), ("end", &end), ("limit", "100")])
                }
                None => private("trade/fills", &[kind, name, ("begin", &begin), ("limit", "100")]),
            };
            with_cursor(request, "after", span)
        }
        Ask::Paid(span) => {
            swaps_only()?;
            flows::request("8", span)
        }
        Ask::Moved(span) => flows::request("1", span),
        Ask::Permissions => private("account/config", &[]),
        Ask::StreamTicket | Ask::KeepTicket(_) => {
            return Err(VenueError::unsupported("OKX's private stream is opened by a login, not by a ticket"));
        }
    })
}

/// The venue's exclusive bounds of a range that starts at `from` and fits one answer.
fn between(from: Ts, to: Ts, step: Interval) -> (String, String) {
    let end = to.min(from.plus(step.nanos().saturating_mul(i64::from(PAGE))));
    ((to_millis(from) - 1).to_string(), to_millis(end).to_string())
}

/// Reads an answer. A bar is complete when its row says so.
pub(super) fn reply(table: &Table, ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
    let envelope = errors::open(response)?;
    let rules = |id: &InstrumentId| listed(listings, *id);
    let read = match ask {
        Ask::Time => time(&envelope),
        Ask::Instruments => instruments(table, &envelope),
        Ask::Ticker(id) => ticker(&envelope, rules(id)?),
        Ask::Book(id, _) => book(&envelope, rules(id)?),
        Ask::Trades(id, _) => trades(&envelope, rules(id)?),
        Ask::Bars(id, interval, ..) => bars(&envelope, *id, rules(id)?, *interval),
        Ask::Funding(..) => funding(&envelope),
        Ask::Balances => balances(&envelope),
        Ask::Positions => return positions(&envelope, listings),
        Ask::OpenOrders(_) | Ask::Order(..) => return orders(ask, &envelope, listings),
        Ask::Fills(_, span) => fills(&envelope, span, listings),
        Ask::Paid(span) => flows::paid(&envelope, span, listings),
        Ask::Moved(span) => flows::moved(&envelope, span),
        Ask::Permissions => permissions(&envelope),
        Ask::OpenConditional(_) | Ask::TradesFrom(..) | Ask::StreamTicket | Ask::KeepTicket(_) => {
            return Err(VenueError::unsupported("OKX has no such question"));
        }
    };
    read.map_err(|e| not_understood(&e, false))
}

pub(super) fn data<'a, T: Deserialize<'a>>(envelope: &Envelope<'a>) -> Result<Vec<T>, WireError> {
    let missing = || WireError::shape("the answer has no data", "");
    json(envelope.data.map(RawValue::get).ok_or_else(missing)?)
}

/// The one row of an answer that has one.
fn first<'a, T: Deserialize<'a>>(envelope: &Envelope<'a>) -> Result<T, WireError> {
    let missing = || WireError::shape("the answer has no row", "");
    data(envelope)?.into_iter().next().ok_or_else(missing)
}

fn time(envelope: &Envelope<'_>) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    struct Clock<'a> {
        #[serde(borrow)]
        ts: Digits<'a>,
    }
    millis("ts", first::<Clock<'_>>(envelope)?.ts).map(Reply::Time)
}

fn instruments(table: &Table, envelope: &Envelope<'_>) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named<'a> {
        inst_id: &'a str,
    }
    let (mut rules, mut unread) = (Vec::new(), Vec::new());
    for row in data::<&RawValue>(envelope)? {
        match json::<Instrument<'_>>(row.get()) {
            Ok(row) if !row.belongs(table.product) => {}
            Ok(row) => match row.rules(table.product) {
                Some(found) => rules.push(found),
                None => unread.push(row.inst_id.to_owned()),
            },
            Err(_) => unread.push(
                json::<Named<'_>>(row.get())
                    .map_or_else(|_| row.get().chars().take(60).collect(), |n| n.inst_id.to_owned()),
            ),
        }
    }
    Ok(Reply::Instruments(rules, unread))
}

fn ticker(envelope: &Envelope<'_>, rules: &Rules) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row<'a> {
        #[serde(borrow, default)]
        last: Option<Digits<'a>>,
        #[serde(borrow, default)]
        bid_px: Option<Digits<'a>>,
        #[serde(borrow, default)]
        bid_sz: Option<Digits<'a>>,
        #[serde(borrow, default)]
        ask_px: Option<Digits<'a>>,
        #[serde(borrow, default)]
        ask_sz: Option<Digits<'a>>,
        #[serde(borrow, default)]
        ts: Option<Digits<'a>>,
    }
    let row: Row<'_> = first(envelope)?;
    let price = |field, d| present(d).map_or(Ok(Price::ZERO), |d: Digits<'_>| d.best_price(field, rules.price_scale));
    let qty = |field, d| present(d).map_or(Ok(Qty::ZERO), |d| rows::traded(field, d, rules));
    Ok(Reply::Ticker(TickerRow {
        ts_venue: millis_if("ts", row.ts)?,
        bid: price("bidPx", row.bid_px)?,
        bid_qty: qty("bidSz", row.bid_sz)?,
        ask: price("askPx", row.ask_px)?,
        ask_qty: qty("askSz", row.ask_sz)?,
        last: price("last", row.last)?,
    }))
}

fn book(envelope: &Envelope<'_>, rules: &Rules) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Book<'a> {
        #[serde(borrow)]
        bids: Vec<Pair<'a>>,
        #[serde(borrow)]
        asks: Vec<Pair<'a>>,
        #[serde(borrow, default)]
        ts: Option<Digits<'a>>,
        #[serde(default)]
        seq_id: i64,
    }
    let book: Book<'_> = first(envelope)?;
    let mut levels = Vec::with_capacity(book.bids.len() + book.asks.len());
    rows::levels(&mut levels, Side::Buy, &book.bids, rules)?;
    rows::levels(&mut levels, Side::Sell, &book.asks, rules)?;
    Ok(Reply::Book(BookRow { ts_venue: millis_if("ts", book.ts)?, last_id: book.seq_id, levels }))
}

/// The taker of a trade, from its side.
pub(super) fn aggressor(word: &str) -> Aggressor {
    match rows::side(word) {
        Ok(Side::Buy) => Aggressor::Buyer,
        Ok(Side::Sell) => Aggressor::Seller,
        Err(_) => Aggressor::Unknown,
    }
}

fn trades(envelope: &Envelope<'_>, rules: &Rules) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row<'a> {
        trade_id: &'a str,
        #[serde(borrow)]
        px: Digits<'a>,
        #[serde(borrow)]
        sz: Digits<'a>,
        side: &'a str,
        #[serde(borrow)]
        ts: Digits<'a>,
    }
    let rows: Vec<Row<'_>> = data(envelope)?;
    let read = |row: &Row<'_>| {
        Ok(TradeRow {
            id: row.trade_id.to_owned(),
            ts_venue: millis("ts", row.ts)?,
            price: row.px.price("px", rules.price_scale)?,
            qty: rows::traded("sz", row.sz, rules)?,
            aggressor: aggressor(row.side),
        })
    };
    rows.iter().rev().map(read).collect::<Result<_, _>>().map(Reply::Trades)
}

fn bars(envelope: &Envelope<'_>, id: InstrumentId, rules: &Rules, interval: Interval) -> Result<Reply, WireError> {
    let rows: Vec<Candle<'_>> = data(envelope)?;
    let mut bars = Vec::with_capacity(rows.len());
    for row in rows.iter().rev() {
        let (bar, complete) = rows::bar(row, id, rules, interval)?;
        if complete {
            bars.push(bar);
        }
    }
    Ok(Reply::Bars(bars))
}

fn funding(envelope: &Envelope<'_>) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row<'a> {
        #[serde(borrow)]
        funding_rate: Digits<'a>,
        /// What was settled, which may differ from what was announced.
        #[serde(borrow, default)]
        realized_rate: Option<Digits<'a>>,
        #[serde(borrow)]
        funding_time: Digits<'a>,
    }
    let rows: Vec<Row<'_>> = data(envelope)?;
    let read = |row: &Row<'_>| {
        let settled = present(row.realized_rate).unwrap_or(row.funding_rate);
        let rate = rate("realizedRate", settled.text())?;
        Ok(FundingRow { ts_venue: millis("fundingTime", row.funding_time)?, rate, mark: Price::ZERO })
    };
    rows.iter().rev().map(read).collect::<Result<_, _>>().map(Reply::Funding)
}

fn balances(envelope: &Envelope<'_>) -> Result<Reply, WireError> {
    let zero = Decimal::new(0, 0);
    let mut rows = Vec::new();
    for wallet in data::<Wallet<'_>>(envelope)? {
        rows.extend(wallet.balances()?.into_iter().filter(|b| b.total != zero || b.free != zero));
    }
    Ok(Reply::Balances(rows))
}

fn positions(envelope: &Envelope<'_>, listings: &Listings) -> Result<Reply, VenueError> {
    let wire = |e: WireError| not_understood(&e, false);
    let mut rows: Vec<crate::exchange::Position> = Vec::new();
    for held in data::<Held<'_>>(envelope).map_err(wire)? {
        let Some(listing) = listings.named(held.inst_id) else { continue };
        let position = held.position(listing).map_err(wire)?;
        if position.qty.is_zero() {
            continue;
        }
        if rows.iter().any(|p| p.instrument == position.instrument) {
            let text = format!("{} is held both long and short; set the account to net mode", held.inst_id);
            return Err(VenueError::new(Fault::Rejected, "", text));
        }
        rows.push(position);
    }
    Ok(Reply::Positions(rows))
}

fn orders(ask: &Ask, envelope: &Envelope<'_>, listings: &Listings) -> Result<Reply, VenueError> {
    let wire = |e: WireError| not_understood(&e, false);
    let orders: Vec<Order<'_>> = data(envelope).map_err(wire)?;
    let one = matches!(ask, Ask::Order(..));
    let (mut rows, mut others) = (Vec::with_capacity(orders.len()), 0);
    for order in &orders {
        match listings.named(order.inst_id) {
            Some(listing) => rows.push(order.row(listing).map_err(wire)?),
            None => others += 1,
        }
    }
    if one && rows.is_empty() {
        return Err(VenueError::new(Fault::Rejected, "", "the venue has no such order").reason("unknown_order"));
    }
    // Those that are older than the last of a full page are on the next one.
    Ok(match orders.last().filter(|_| !one && orders.len() >= ROWS_MAX) {
        Some(last) => Reply::SomeOrders(rows, others, last.ord_id.to_owned()),
        None => Reply::Orders(rows, others),
    })
}

/// Up to when a stretch is older than what the list of recent fills holds.
fn old_fills(span: &Span) -> Option<Ts> {
    let edge = span.to.plus(-FILLS_RECENT_NS);
    (span.from < edge).then_some(edge)
}

/// Fills come newest first: those that are older than the last of a full page are on the next one.
fn fills(envelope: &Envelope<'_>, span: &Span, listings: &Listings) -> Result<Reply, WireError> {
    let rows: Vec<Fill<'_>> = data(envelope)?;
    let further = match rows.last().filter(|_| rows.len() >= ROWS_MAX) {
        Some(last) if last.bill_id.is_empty() => {
            return Err(WireError::shape("a full page of fills without billId", ""));
        }
        Some(last) => Some(span.go_on(last.bill_id)),
        None => old_fills(span).and_then(|edge| span.after(edge)),
    };
    let mut fills = Vec::with_capacity(rows.len());
    for row in rows.iter().rev() {
        if let Some(listing) = listings.named(row.inst_id) {
            fills.push(row.row(listing)?);
        }
    }
    Ok(Reply::Fills(fills, further))
}

fn permissions(envelope: &Envelope<'_>) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    struct Config<'a> {
        #[serde(borrow)]
        perm: Cow<'a, str>,
        #[serde(borrow, default)]
        ip: Cow<'a, str>,
    }
    let config: Config<'_> = first(envelope)?;
    let may = |word: &str| Some(config.perm.split(',').any(|p| p.trim() == word));
    Ok(Reply::Permissions(Permissions {
        read: may("read_only"),
        trade: may("trade"),
        withdraw: may("withdraw"),
        ip_bound: Some(!config.ip.trim().is_empty()),
        expires: Ts::NONE,
        end_unknown: false,
    }))
}
