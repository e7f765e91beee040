//! Questions over REST and their answers.

use bellwether_sdk::{Aggressor, Bar, Decimal, InstrumentId, Interval, Price, Qty, Side, Ts};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::errors::{self, Envelope};
use super::facts::{INTERVALS, Table};
use super::flows;
use super::rows::{Execution, Held, Instrument, Order, Wallet, side};
use crate::exchange::codec::{
    Pair, interval_word, iso, json, listed, mark, millis, millis_if, not_understood, present, push_levels, query,
    to_millis, with_cursor,
};
use crate::exchange::{
    Ask, BookRow, Digits, FundingRow, Listing, Listings, OrderRef, Permissions, Product, Reply, Request, Response,
    Rules, Span, TickerRow, TradeRow, VenueError, WireError, rate,
};

/// Most bars in one answer.
pub(super) const BARS_MAX: u32 = 1000;
/// Days that a question about fills reaches from its beginning on, if it names no end; and how long they are kept.
const FILLS_DAYS: i64 = 7;
const FILLS_KEPT_NS: i64 = 730 * 86_400_000_000_000;

/// The request for a question.
pub(super) fn ask(table: &Table, ask: &Ask, listings: &Listings) -> Result<Request, VenueError> {
    let category = ("category", table.category);
    let name = |id: &InstrumentId| listed(listings, *id).map(|r| r.name.as_str());
    let public = |path: &str, fields: &[(&str, &str)]| Request::get(format!("/v5/market/{path}"), query(fields), 1);
    let private = |path: &str, fields: &[(&str, &str)]| Request::get(format!("/v5/{path}"), query(fields), 1).signed();
    let linear_only = || match table.product {
        Product::Linear => Ok(()),
        Product::Spot => Err(VenueError::unsupported("spot has no positions and no funding")),
    };
    Ok(match ask {
        Ask::Time => public("time", &[]),
        Ask::Instruments => public("instruments-info", &[category, ("limit", "1000")]),
        Ask::Ticker(id) => public("tickers", &[category, ("symbol", name(id)?)]),
        Ask::Book(id, levels) => {
            let limit = (*levels).clamp(1, 1000).to_string();
            public("orderbook", &[category, ("symbol", name(id)?), ("limit", &limit)])
        }
        Ask::Trades(id, count) => {
            let limit = (*count).clamp(1, table.trades_max).to_string();
            public("recent-trade", &[category, ("symbol", name(id)?), ("limit", &limit)])
        }
        Ask::TradesFrom(..) => return Err(VenueError::unsupported("Bybit gives recent trades only, no history")),
        Ask::Bars(id, interval, from, to) => bars_request(category, name(id)?, *interval, *from, *to)?,
        Ask::Funding(id, from, to) => {
            linear_only()?;
            // At most 200 rows, the newest: 200 hours hold no more, whatever the contract's interval.
            let to = (*to).min(from.plus(200 * Interval::HOUR.nanos()));
            let (from, to) = (to_millis(*from).to_string(), (to_millis(to) - 1).to_string());
            let fields = [category, ("symbol", name(id)?), ("startTime", &from), ("endTime", &to), ("limit", "200")];
            public("funding/history", &fields)
        }
        Ask::Balances => private("account/wallet-balance", &[("accountType", "UNIFIED")]),
        Ask::Positions => {
            linear_only()?;
            private("position/list", &[category, ("settleCoin", settle(listings)), ("limit", "200")])
        }
        Ask::OpenOrders(Some(id)) => {
            private("order/realtime", &[category, ("symbol", name(id)?), ("openOnly", "0"), ("limit", "50")])
        }
        Ask::OpenOrders(None) if table.product == Product::Linear => {
            private("order/realtime", &[category, ("settleCoin", settle(listings)), ("openOnly", "0"), ("limit", "50")])
        }
        Ask::OpenOrders(None) => private("order/realtime", &[category, ("openOnly", "0"), ("limit", "50")]),
        Ask::OpenConditional(_) => {
            return Err(VenueError::unsupported("Bybit tells orders that wait for a trigger among the open ones"));
        }
        Ask::Order(id, OrderRef::Client(client)) => {
            private("order/realtime", &[category, ("symbol", name(id)?), ("orderLinkId", &client.to_string())])
        }
        Ask::Order(id, OrderRef::Venue(order)) => {
            private("order/realtime", &[category, ("symbol", name(id)?), ("orderId", order)])
        }
        Ask::Fills(id, span) => {
            let from = to_millis(kept(span).from).max(0).to_string();
            let fields = [category, ("symbol", name(id)?), ("startTime", &from), ("limit", "100")];
            let request = private("execution/list", &fields);
            with_cursor(request, "cursor", span)
        }
        Ask::Paid(span) => {
            linear_only()?;
            flows::request("SETTLEMENT", span)
        }
        Ask::Moved(span) => flows::request(flows::way(span), span),
        Ask::Permissions => private("user/query-api", &[]),
        Ask::StreamTicket | Ask::KeepTicket(_) => {
            return Err(VenueError::unsupported("Bybit's private stream is opened by a login, not by a ticket"));
        }
    })
}

/// Of contracts of two settlement currencies, half of the positions and open orders would be told as none.
pub(super) fn not_together(table: &Table, listings: &Listings) -> Option<String> {
    let first = settle(listings);
    let settles = |l: &&Listing| l.rules.symbol.settle() != first;
    let other = listings.iter().find(settles).filter(|_| table.product == Product::Linear)?;
    Some(format!(
        "bybit is asked for positions and orders of one settlement currency, {first}: {} needs a session of its own",
        other.rules.symbol
    ))
}

/// Linear contracts settle in USDT or USDC, and one question is about one of them: that of the run's first instrument.
fn settle(listings: &Listings) -> &str {
    listings.iter().next().map_or("USDT", |l| l.rules.symbol.settle())
}

/// Of more bars than fit, the venue gives the newest; so no more than fit are asked for.
fn bars_request(
    category: (&str, &str),
    name: &str,
    interval: Interval,
    from: Ts,
    to: Ts,
) -> Result<Request, VenueError> {
    let word = interval_word(INTERVALS, interval)
        .ok_or_else(|| VenueError::unsupported(format!("Bybit makes no bars of {interval}")))?;
    let end = to.min(from.plus(interval.nanos().saturating_mul(i64::from(BARS_MAX))));
    let (start, end) = (to_millis(from).to_string(), (to_millis(end) - 1).to_string());
    let fields = [category, ("symbol", name), ("interval", word), ("start", &start), ("end", &end), ("limit", "1000")];
    Ok(Request::get("/v5/market/kline", query(&fields), 1))
}

/// Reads an answer. A bar is complete when it closes no later than the time in the answer, which is the venue's.
pub(super) fn reply(table: &Table, ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
    let envelope = errors::open(response, false)?;
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
        Ask::Positions => return positions(table, &envelope, listings),
        Ask::OpenOrders(_) => return open_orders(table, &envelope, listings),
        Ask::Order(..) => return order(table, &envelope, listings),
        Ask::Fills(_, span) => fills(table, &envelope, span, listings),
        Ask::Paid(span) => flows::paid(&envelope, span, listings),
        Ask::Moved(span) => flows::moved(&envelope, span),
        Ask::Permissions => permissions(&envelope),
        Ask::OpenConditional(_) | Ask::TradesFrom(..) | Ask::StreamTicket | Ask::KeepTicket(_) => {
            return Err(VenueError::unsupported("Bybit has no such question"));
        }
    };
    read.map_err(|e| not_understood(&e, false))
}

/// Orders that ended longer ago than the last 500 are in a list of their own.
pub(super) fn ask_further(table: &Table, ask: &Ask, listings: &Listings) -> Option<Request> {
    match ask {
        Ask::Order(..) => {
            let mut request = self::ask(table, ask, listings).ok()?;
            request.path = request.path.replace("order/realtime", "order/history");
            Some(request)
        }
        _ => None,
    }
}

/// The result of an answer as a shape.
pub(super) fn result<'a, T: Deserialize<'a>>(envelope: &Envelope<'a>) -> Result<T, WireError> {
    let missing = || WireError::shape("the answer has no result", "");
    json(envelope.result.map(RawValue::get).ok_or_else(missing)?)
}

#[derive(Deserialize)]
pub(super) struct List<'a, T> {
    #[serde(default = "Vec::new")]
    pub list: Vec<T>,
    #[serde(rename = "nextPageCursor", borrow, default)]
    pub cursor: Option<std::borrow::Cow<'a, str>>,
}

fn list<'a, T: Deserialize<'a>>(envelope: &Envelope<'a>) -> Result<Vec<T>, WireError> {
    result::<List<'a, T>>(envelope).map(|r| r.list)
}

fn time(envelope: &Envelope<'_>) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    struct Clock<'a> {
        #[serde(rename = "timeNano", borrow)]
        nanos: Digits<'a>,
    }
    let clock: Clock<'_> = result(envelope)?;
    clock.nanos.mantissa("timeNano", 0).map(|n| Reply::Time(Ts::from_nanos(n)))
}

fn instruments(table: &Table, envelope: &Envelope<'_>) -> Result<Reply, WireError> {
    let page: List<'_, &RawValue> = result(envelope)?;
    let (mut rules, mut unread) = (Vec::with_capacity(page.list.len()), Vec::new());
    for row in page.list {
        match json::<Instrument<'_>>(row.get()) {
            Ok(row) if !row.belongs(table.product) => {}
            Ok(row) => match row.rules(table.product) {
                Some(found) => rules.push(found),
                None => unread.push(row.symbol.to_owned()),
            },
            Err(_) => unread.push(name_in(row.get())),
        }
    }
    if page.cursor.is_some_and(|c| !c.is_empty()) {
        unread.push("instruments beyond the first thousand".to_owned());
    }
    Ok(Reply::Instruments(rules, unread))
}

/// The symbol of a row that is otherwise not understood.
fn name_in(row: &str) -> String {
    #[derive(Deserialize)]
    struct Named<'a> {
        symbol: &'a str,
    }
    json::<Named<'_>>(row).map_or_else(|_| row.chars().take(60).collect(), |n| n.symbol.to_owned())
}

/// One row of tickers, also as the stream sends it: there a change holds only what changed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ticker<'a> {
    pub symbol: &'a str,
    #[serde(borrow, default)]
    bid1_price: Option<Digits<'a>>,
    #[serde(borrow, default)]
    bid1_size: Option<Digits<'a>>,
    #[serde(borrow, default)]
    ask1_price: Option<Digits<'a>>,
    #[serde(borrow, default)]
    ask1_size: Option<Digits<'a>>,
    #[serde(borrow, default)]
    last_price: Option<Digits<'a>>,
    #[serde(borrow, default)]
    pub funding_rate: Option<Digits<'a>>,
    #[serde(borrow, default)]
    pub next_funding_time: Option<Digits<'a>>,
    #[serde(borrow, default)]
    pub mark_price: Option<Digits<'a>>,
}

fn price(field: &'static str, digits: Option<Digits<'_>>, rules: &Rules) -> Result<Price, WireError> {
    present(digits).map_or(Ok(Price::ZERO), |d| d.best_price(field, rules.price_scale))
}

fn qty(field: &'static str, digits: Option<Digits<'_>>, rules: &Rules) -> Result<Qty, WireError> {
    present(digits).map_or(Ok(Qty::ZERO), |d| d.qty(field, rules.qty_scale))
}

fn ticker(envelope: &Envelope<'_>, rules: &Rules) -> Result<Reply, WireError> {
    let rows: Vec<Ticker<'_>> = list(envelope)?;
    let row = rows.iter().find(|r| r.symbol == rules.name);
    let row = row.ok_or_else(|| WireError::shape("the instrument is not in the answer", &rules.name))?;
    Ok(Reply::Ticker(TickerRow {
        ts_venue: millis_if("time", envelope.time)?,
        bid: price("bid1Price", row.bid1_price, rules)?,
        bid_qty: qty("bid1Size", row.bid1_size, rules)?,
        ask: price("ask1Price", row.ask1_price, rules)?,
        ask_qty: qty("ask1Size", row.ask1_size, rules)?,
        last: price("lastPrice", row.last_price, rules)?,
    }))
}

fn book(envelope: &Envelope<'_>, rules: &Rules) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    struct Book<'a> {
        #[serde(borrow)]
        b: Vec<Pair<'a>>,
        #[serde(borrow)]
        a: Vec<Pair<'a>>,
        #[serde(borrow, default)]
        ts: Option<Digits<'a>>,
        u: i64,
    }
    let book: Book<'_> = result(envelope)?;
    let mut levels = Vec::with_capacity(book.b.len() + book.a.len());
    push_levels(&mut levels, Side::Buy, &book.b, rules)?;
    push_levels(&mut levels, Side::Sell, &book.a, rules)?;
    Ok(Reply::Book(BookRow { ts_venue: millis_if("ts", book.ts)?, last_id: book.u, levels }))
}

fn trades(envelope: &Envelope<'_>, rules: &Rules) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(rename = "execId")]
        id: &'a str,
        #[serde(borrow)]
        price: Digits<'a>,
        #[serde(borrow)]
        size: Digits<'a>,
        side: &'a str,
        #[serde(borrow)]
        time: Digits<'a>,
    }
    let rows: Vec<Row<'_>> = list(envelope)?;
    let read = |row: &Row<'_>| {
        Ok(TradeRow {
            id: row.id.to_owned(),
            ts_venue: millis("time", row.time)?,
            price: row.price.price("price", rules.price_scale)?,
            qty: row.size.qty("size", rules.qty_scale)?,
            aggressor: aggressor(row.side),
        })
    };
    rows.iter().rev().map(read).collect::<Result<_, _>>().map(Reply::Trades)
}

/// The taker of a trade, from its side.
pub(super) fn aggressor(word: &str) -> Aggressor {
    match side(word) {
        Ok(Side::Buy) => Aggressor::Buyer,
        Ok(Side::Sell) => Aggressor::Seller,
        Err(_) => Aggressor::Unknown,
    }
}

fn bars(
    envelope: &Envelope<'_>,
    instrument: InstrumentId,
    rules: &Rules,
    interval: Interval,
) -> Result<Reply, WireError> {
    let rows: Vec<[Digits<'_>; 7]> = list(envelope)?;
    let now = millis_if("time", envelope.time)?;
    let read = |[start, open, high, low, close, volume, _]: &[Digits<'_>; 7]| {
        let price = |field, digits: &Digits<'_>| digits.price(field, rules.price_scale);
        let ts_open = millis("start", *start)?;
        Ok(Bar {
            ts_open,
            ts_close: ts_open.plus(interval.nanos()),
            open: price("open", open)?,
            high: price("high", high)?,
            low: price("low", low)?,
            close: price("close", close)?,
            volume: volume.qty("volume", rules.qty_scale)?,
            interval,
            instrument,
        })
    };
    let mut bars = rows.iter().rev().map(read).collect::<Result<Vec<_>, WireError>>()?;
    bars.retain(|bar| bar.ts_close <= now);
    Ok(Reply::Bars(bars))
}

fn funding(envelope: &Envelope<'_>) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row<'a> {
        #[serde(borrow)]
        funding_rate: Digits<'a>,
        #[serde(borrow)]
        funding_rate_timestamp: Digits<'a>,
    }
    let rows: Vec<Row<'_>> = list(envelope)?;
    let read = |row: &Row<'_>| {
        let ts_venue = millis("fundingRateTimestamp", row.funding_rate_timestamp)?;
        Ok(FundingRow { ts_venue, rate: rate("fundingRate", row.funding_rate.text())?, mark: Price::ZERO })
    };
    rows.iter().rev().map(read).collect::<Result<_, _>>().map(Reply::Funding)
}

fn balances(envelope: &Envelope<'_>) -> Result<Reply, WireError> {
    let zero = Decimal::new(0, 0);
    let mut rows = Vec::new();
    for wallet in list::<Wallet<'_>>(envelope)? {
        rows.extend(wallet.balances()?.into_iter().filter(|b| b.total != zero || b.free != zero));
    }
    Ok(Reply::Balances(rows))
}

fn positions(table: &Table, envelope: &Envelope<'_>, listings: &Listings) -> Result<Reply, VenueError> {
    let wire = |e: WireError| not_understood(&e, false);
    let mut rows = Vec::new();
    for held in list::<Held<'_>>(envelope).map_err(wire)? {
        let Some(listing) = held.listing(table, listings) else { continue };
        let position = held.position(listing).map_err(wire)?;
        if position.qty.is_zero() {
            continue;
        }
        if held.position_idx != 0 {
            let text = format!("{} is held in hedge mode; set the account to one-way mode", held.symbol);
            return Err(VenueError::new(crate::exchange::Fault::Rejected, "", text));
        }
        rows.push(position);
    }
    Ok(Reply::Positions(rows))
}

fn open_orders(table: &Table, envelope: &Envelope<'_>, listings: &Listings) -> Result<Reply, VenueError> {
    let wire = |e: WireError| not_understood(&e, false);
    let List { list: orders, cursor }: List<'_, Order<'_>> = result(envelope).map_err(wire)?;
    let (mut rows, mut others) = (Vec::with_capacity(orders.len()), 0);
    for order in &orders {
        match order.listing(table, listings) {
            Some(listing) => rows.push(order.row(listing).map_err(wire)?),
            None => others += 1,
        }
    }
    rows.retain(|row| row.status.is_open());
    // A last page may name a cursor too: what comes after it is empty.
    Ok(match cursor.filter(|c| !c.is_empty() && !orders.is_empty()) {
        Some(cursor) => Reply::SomeOrders(rows, others, cursor.into_owned()),
        None => Reply::Orders(rows, others),
    })
}

fn order(table: &Table, envelope: &Envelope<'_>, listings: &Listings) -> Result<Reply, VenueError> {
    let wire = |e: WireError| not_understood(&e, false);
    let orders: Vec<Order<'_>> = list(envelope).map_err(wire)?;
    let mut rows = Vec::with_capacity(1);
    for order in &orders {
        if let Some(listing) = order.listing(table, listings) {
            rows.push(order.row(listing).map_err(wire)?);
        }
    }
    if rows.is_empty() {
        let text = "the venue has no such order";
        return Err(VenueError::new(crate::exchange::Fault::Rejected, "", text).reason("unknown_order"));
    }
    Ok(Reply::Orders(rows, 0))
}

/// A stretch as far as there are fills of it.
fn kept(span: &Span) -> Span {
    Span { from: span.from.max(span.to.plus(-FILLS_KEPT_NS)), ..span.clone() }
}

fn fills(table: &Table, envelope: &Envelope<'_>, span: &Span, listings: &Listings) -> Result<Reply, WireError> {
    let page: List<'_, Execution<'_>> = result(envelope)?;
    let further = flows::next_page(span, &page, "").or_else(|| kept(span).after(kept(span).end_within(FILLS_DAYS)));
    let rows = page.list;
    let mut fills = Vec::with_capacity(rows.len());
    for row in rows.iter().rev().filter(|r| r.is_fill()) {
        if let Some(listing) = row.listing(table, listings) {
            fills.push(row.fill(listing)?);
        }
    }
    Ok(Reply::Fills(fills, further))
}

/// A key may withdraw where it may move anything out of the account, sub-accounts included.
fn permissions(envelope: &Envelope<'_>) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Key<'a> {
        read_only: i64,
        #[serde(borrow)]
        permissions: Granted<'a>,
        #[serde(borrow, default)]
        ips: Vec<&'a str>,
        #[serde(borrow, default)]
        expired_at: Option<&'a str>,
    }
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "PascalCase", default)]
    struct Granted<'a> {
        #[serde(borrow)]
        contract_trade: Vec<&'a str>,
        #[serde(borrow)]
        derivatives: Vec<&'a str>,
        #[serde(borrow)]
        spot: Vec<&'a str>,
        #[serde(borrow)]
        wallet: Vec<&'a str>,
    }
    let key: Key<'_> = result(envelope)?;
    let granted = &key.permissions;
    let trades = granted.spot.contains(&"SpotTrade")
        || granted.contract_trade.contains(&"Order")
        || !granted.derivatives.is_empty();
    let moves = |p: &&str| *p == "Withdraw" || *p == "AccountTransfer" || p.starts_with("SubMemberTransfer");
    let expires = match key.expired_at {
        None | Some("" | "1970-01-01T00:00:00Z") => Ts::NONE,
        Some(text) => iso("expiredAt", text)?,
    };
    Ok(Reply::Permissions(Permissions {
        read: Some(true),
        trade: Some(key.read_only == 0 && trades),
        // A key that only reads cannot move anything, whatever its boxes say.
        withdraw: Some(key.read_only == 0 && granted.wallet.iter().any(moves)),
        ip_bound: Some(!key.ips.is_empty() && !key.ips.contains(&"*")),
        expires,
        end_unknown: false,
    }))
}

/// The mark price of a ticker; zero when it is not in it.
pub(super) fn mark_of(ticker: &Ticker<'_>, rules: &Rules) -> Result<Price, WireError> {
    present(ticker.mark_price).map_or(Ok(Price::ZERO), |d| mark("markPrice", d, rules.price_scale))
}
