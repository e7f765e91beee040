//! Questions over REST and their answers.

use bellwether_sdk::{Aggressor, Bar, Decimal, InstrumentId, Interval, Level, Price, Qty, Side, Ts};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::errors::body;
use super::facts::INTERVALS;
use super::rows::{Fill, Item, Order, side};
use crate::exchange::codec::{
    encode_into, interval_word, iso, iso_millis, json, listed, millis, not_understood, present, query, sum, to_millis,
    with_cursor,
};
use crate::exchange::{
    Ask, Balance, BookRow, Digits, Fault, Listings, OrderRef, Permissions, Reply, Request, Response, Rules, Span,
    TickerRow, TradeRow, VenueError, WireError,
};

const ROOT: &str = "/api/v3/brokerage";
/// Most bars in one answer.
pub(super) const BARS_MAX: u32 = 350;

/// The request for a question.
pub(super) fn ask(ask: &Ask, listings: &Listings) -> Result<Request, VenueError> {
    let name = |id: &InstrumentId| listed(listings, *id).map(|r| r.name.as_str());
    let public = |path: &str, fields: &[(&str, &str)]| Request::get(format!("{ROOT}/{path}"), query(fields), 1);
    let private = |path: &str, fields: &[(&str, &str)]| public(path, fields).signed();
    let of = |id: &InstrumentId, what: &str| name(id).map(|name| format!("market/products/{name}/{what}"));
    let unsupported = |text: &str| Err(VenueError::unsupported(text));
    Ok(match ask {
        Ask::Time => public("time", &[]),
        Ask::Instruments => public("market/products", &[("product_type", "SPOT")]),
        Ask::Ticker(id) => public(&of(id, "ticker")?, &[("limit", "1")]),
        Ask::Book(id, levels) => {
            let limit = (*levels).clamp(1, 1000).to_string();
            public("market/product_book", &[("product_id", name(id)?), ("limit", &limit)])
        }
        Ask::Trades(id, count) => public(&of(id, "ticker")?, &[("limit", &(*count).clamp(1, 1000).to_string())]),
        Ask::TradesFrom(..) => return unsupported("Coinbase gives the newest trades of a range, not its first"),
        Ask::Bars(id, interval, from, to) => {
            let word = interval_word(INTERVALS, *interval)
                .ok_or_else(|| VenueError::unsupported(format!("Coinbase makes no bars of {interval}")))?;
            let end = (*to).min(from.plus(interval.nanos().saturating_mul(i64::from(BARS_MAX))));
            let seconds = |ts: Ts| to_millis(ts).div_euclid(1000);
            let (start, end) = (seconds(*from).to_string(), (seconds(end) - 1).to_string());
            let fields = [("start", start.as_str()), ("end", &end), ("granularity", word), ("limit", "350")];
            public(&of(id, "candles")?, &fields)
        }
        Ask::Balances => private("accounts", &[("limit", "250")]),
        Ask::OpenOrders(Some(id)) => {
            private("orders/historical/batch", &[("order_status", "OPEN"), ("product_ids", name(id)?)])
        }
        Ask::OpenOrders(None) => private("orders/historical/batch", &[("order_status", "OPEN")]),
        Ask::Order(_, OrderRef::Venue(order)) => {
            let mut path = "orders/historical/".to_owned();
            encode_into(&mut path, order);
            private(&path, &[])
        }
        Ask::Order(id, OrderRef::Client(_)) => {
            private("orders/historical/batch", &[("product_ids", name(id)?), ("limit", "250")])
        }
        Ask::Fills(id, span) => {
            let from = iso_millis(span.from.max(Ts::from_nanos(0)));
            let fields = [("product_ids", name(id)?), ("start_sequence_timestamp", &from), ("limit", "250")];
            let request = private("orders/historical/fills", &fields);
            with_cursor(request, "cursor", span)
        }
        Ask::Permissions => private("key_permissions", &[]),
        Ask::OpenConditional(_) => {
            return unsupported("Coinbase tells orders that wait for a trigger among the open ones");
        }
        Ask::Moved(_) => return unsupported("Coinbase keeps deposits and withdrawals in another service"),
        Ask::Funding(..) | Ask::Positions | Ask::Paid(_) => return unsupported("spot has no positions and no funding"),
        Ask::StreamTicket | Ask::KeepTicket(_) => {
            return unsupported("Coinbase's private stream is opened by a token of the key, not by a ticket");
        }
    })
}

/// Reads an answer. Coinbase does not say whether a bar is complete: those that close after the range asked for are
/// left out, so ask up to now.
pub(super) fn reply(ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
    let rules = |id: &InstrumentId| listed(listings, *id);
    let text = super::errors::open(response, false)?;
    let read = match ask {
        Ask::Time => time(text),
        Ask::Instruments => instruments(text),
        Ask::Ticker(id) => ticker(text, rules(id)?),
        Ask::Book(id, _) => book(text, rules(id)?),
        Ask::Trades(id, _) => trades(text, rules(id)?),
        Ask::Bars(id, interval, _, to) => bars(text, *id, rules(id)?, *interval, *to),
        Ask::Balances => return balances(response),
        Ask::OpenOrders(_) | Ask::Order(..) => return orders(ask, response, listings),
        Ask::Fills(_, span) => fills(text, span, listings),
        Ask::Permissions => permissions(text),
        Ask::OpenConditional(_)
        | Ask::TradesFrom(..)
        | Ask::Funding(..)
        | Ask::Positions
        | Ask::Paid(_)
        | Ask::Moved(_)
        | Ask::StreamTicket
        | Ask::KeepTicket(_) => {
            return Err(VenueError::unsupported("Coinbase has no such question"));
        }
    };
    read.map_err(|e| not_understood(&e, false))
}

fn time(text: &str) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Clock<'a> {
        #[serde(borrow)]
        epoch_millis: Digits<'a>,
    }
    millis("epochMillis", json::<Clock<'_>>(text)?.epoch_millis).map(Reply::Time)
}

fn instruments(text: &str) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    struct Products<'a> {
        #[serde(borrow)]
        products: Vec<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Named<'a> {
        product_id: &'a str,
    }
    let (mut rules, mut unread) = (Vec::new(), Vec::new());
    for row in json::<Products<'_>>(text)?.products {
        match json::<Item<'_>>(row.get()) {
            Ok(item) if !matches!(item.product_type, "SPOT" | "") => {}
            Ok(item) => match item.rules() {
                Some(found) => rules.push(found),
                None => unread.push(item.product_id.to_owned()),
            },
            Err(_) => unread.push(
                json::<Named<'_>>(row.get())
                    .map_or_else(|_| row.get().chars().take(60).collect(), |n| n.product_id.to_owned()),
            ),
        }
    }
    Ok(Reply::Instruments(rules, unread))
}

/// A public trade, of REST and the stream alike.
#[derive(Debug, Deserialize)]
pub(super) struct Print<'a> {
    pub trade_id: &'a str,
    pub product_id: &'a str,
    #[serde(borrow)]
    pub price: Digits<'a>,
    #[serde(borrow)]
    pub size: Digits<'a>,
    pub time: &'a str,
    side: &'a str,
}

impl Print<'_> {
    /// Who took; the venue says who made.
    pub(super) fn aggressor(&self) -> Aggressor {
        match side(self.side) {
            Ok(Side::Buy) => Aggressor::Seller,
            Ok(Side::Sell) => Aggressor::Buyer,
            Err(_) => Aggressor::Unknown,
        }
    }
}

#[derive(Deserialize)]
struct Prints<'a> {
    #[serde(borrow)]
    trades: Vec<Print<'a>>,
    #[serde(borrow, default)]
    best_bid: Option<Digits<'a>>,
    #[serde(borrow, default)]
    best_ask: Option<Digits<'a>>,
}

fn price(field: &'static str, digits: Option<Digits<'_>>, rules: &Rules) -> Result<Price, WireError> {
    present(digits).map_or(Ok(Price::ZERO), |d| d.best_price(field, rules.price_scale))
}

fn ticker(text: &str, rules: &Rules) -> Result<Reply, WireError> {
    let answer: Prints<'_> = json(text)?;
    let last = answer.trades.first();
    Ok(Reply::Ticker(TickerRow {
        ts_venue: Ts::NONE,
        bid: price("best_bid", answer.best_bid, rules)?,
        bid_qty: Qty::ZERO,
        ask: price("best_ask", answer.best_ask, rules)?,
        ask_qty: Qty::ZERO,
        last: price("price", last.map(|t| t.price), rules)?,
    }))
}

fn book(text: &str, rules: &Rules) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        pricebook: Book<'a>,
    }
    #[derive(Deserialize)]
    struct Book<'a> {
        #[serde(borrow)]
        bids: Vec<Row<'a>>,
        #[serde(borrow)]
        asks: Vec<Row<'a>>,
        #[serde(borrow, default)]
        time: Option<&'a str>,
    }
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(borrow)]
        price: Digits<'a>,
        #[serde(borrow)]
        size: Digits<'a>,
    }
    let Book { bids, asks, time } = json::<Answer<'_>>(text)?.pricebook;
    let mut levels = Vec::with_capacity(bids.len() + asks.len());
    for (side, rows) in [(Side::Buy, &bids), (Side::Sell, &asks)] {
        for row in rows {
            levels.push(Level {
                side,
                price: row.price.price("price", rules.price_scale)?,
                qty: row.size.qty("size", rules.qty_scale)?,
            });
        }
    }
    let ts_venue = time.map_or(Ok(Ts::NONE), |t| iso("time", t))?;
    Ok(Reply::Book(BookRow { ts_venue, last_id: 0, levels }))
}

fn trades(text: &str, rules: &Rules) -> Result<Reply, WireError> {
    let answer: Prints<'_> = json(text)?;
    let read = |row: &Print<'_>| {
        Ok(TradeRow {
            id: row.trade_id.to_owned(),
            ts_venue: iso("time", row.time)?,
            price: row.price.price("price", rules.price_scale)?,
            qty: row.size.qty("size", rules.qty_scale)?,
            aggressor: row.aggressor(),
        })
    };
    answer.trades.iter().rev().map(read).collect::<Result<_, _>>().map(Reply::Trades)
}

/// A bar, of REST and the stream alike; its start is in seconds.
#[derive(Debug, Deserialize)]
pub(super) struct Candle<'a> {
    #[serde(borrow)]
    start: Digits<'a>,
    #[serde(borrow)]
    low: Digits<'a>,
    #[serde(borrow)]
    high: Digits<'a>,
    #[serde(borrow)]
    open: Digits<'a>,
    #[serde(borrow)]
    close: Digits<'a>,
    #[serde(borrow)]
    volume: Digits<'a>,
    #[serde(default)]
    pub product_id: &'a str,
}

impl Candle<'_> {
    /// The bar.
    pub(super) fn bar(&self, instrument: InstrumentId, rules: &Rules, interval: Interval) -> Result<Bar, WireError> {
        let price = |field, digits: Digits<'_>| digits.price(field, rules.price_scale);
        let ts_open = Ts::from_millis(self.start.mantissa("start", 0)?.saturating_mul(1000));
        Ok(Bar {
            ts_open,
            ts_close: ts_open.plus(interval.nanos()),
            open: price("open", self.open)?,
            high: price("high", self.high)?,
            low: price("low", self.low)?,
            close: price("close", self.close)?,
            volume: self.volume.qty("volume", rules.qty_scale)?,
            interval,
            instrument,
        })
    }
}

fn bars(text: &str, id: InstrumentId, rules: &Rules, interval: Interval, to: Ts) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        candles: Vec<Candle<'a>>,
    }
    let candles = json::<Answer<'_>>(text)?.candles;
    let mut bars = candles.iter().rev().map(|c| c.bar(id, rules, interval)).collect::<Result<Vec<_>, _>>()?;
    bars.retain(|bar| bar.ts_close <= to);
    Ok(Reply::Bars(bars))
}

/// The rest of a list is on another page: what is missing here would be taken for not there.
fn whole(has_next: bool, what: &str) -> Result<(), VenueError> {
    if has_next { Err(VenueError::unsupported(format!("{what} do not fit one answer"))) } else { Ok(()) }
}

fn balances(response: &Response) -> Result<Reply, VenueError> {
    #[derive(Deserialize)]
    struct Accounts<'a> {
        #[serde(borrow)]
        accounts: Vec<Account<'a>>,
        #[serde(default)]
        has_next: bool,
    }
    #[derive(Deserialize)]
    struct Account<'a> {
        currency: &'a str,
        #[serde(borrow)]
        available_balance: Amount<'a>,
        #[serde(borrow)]
        hold: Amount<'a>,
    }
    #[derive(Deserialize)]
    struct Amount<'a> {
        #[serde(borrow)]
        value: Digits<'a>,
    }
    let answer: Accounts<'_> = body(response, false)?;
    whole(answer.has_next, "the accounts")?;
    let wire = |e: WireError| not_understood(&e, false);
    let mut rows = Vec::with_capacity(answer.accounts.len());
    for account in &answer.accounts {
        let free =
            crate::exchange::codec::amount("available_balance", account.available_balance.value).map_err(wire)?;
        let hold = crate::exchange::codec::amount("hold", account.hold.value).map_err(wire)?;
        let total = sum(free, hold).ok_or_else(|| VenueError::malformed("a balance does not fit"))?;
        if total != Decimal::new(0, 0) {
            rows.push(Balance { currency: account.currency.to_owned(), total, free });
        }
    }
    Ok(Reply::Balances(rows))
}

/// Orders of a list, or the one that was asked for: by its number a single one comes, by ours it is looked for.
fn orders(ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
    #[derive(Deserialize)]
    struct Orders<'a> {
        #[serde(borrow, default)]
        orders: Option<Vec<Order<'a>>>,
        #[serde(borrow, default)]
        order: Option<Order<'a>>,
        #[serde(default)]
        has_next: bool,
        #[serde(default)]
        cursor: String,
    }
    let answer: Orders<'_> = body(response, false)?;
    let mut found = match (answer.orders, answer.order) {
        (Some(list), _) => list,
        (None, Some(one)) => vec![one],
        (None, None) => return Err(not_understood(&WireError::shape("no orders in it", &response.body), false)),
    };
    match ask {
        Ask::Order(_, OrderRef::Client(client)) => {
            let ours = client.to_string();
            found.retain(|o| o.client_order_id == ours);
        }
        Ask::Order(..) => {}
        _ => whole(answer.has_next && answer.cursor.is_empty(), "the open orders")?,
    }
    let (mut rows, mut others) = (Vec::with_capacity(found.len()), 0);
    for order in &found {
        match listings.named(order.product_id) {
            Some(listing) => rows.push(order.row(listing).map_err(|e| not_understood(&e, false))?),
            None => others += 1,
        }
    }
    let one = matches!(ask, Ask::Order(..));
    if one && rows.is_empty() {
        let text = "the venue has no such order among the newest 250 of the instrument";
        return Err(VenueError::new(Fault::Rejected, "", text).reason("unknown_order"));
    }
    match !one && answer.has_next {
        true => Ok(Reply::SomeOrders(rows, others, answer.cursor)),
        false => Ok(Reply::Orders(rows, others)),
    }
}

/// Fills come newest first; the cursor is that of the older ones.
fn fills(text: &str, span: &Span, listings: &Listings) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    struct Fills<'a> {
        #[serde(borrow)]
        fills: Vec<Fill<'a>>,
        #[serde(default)]
        cursor: String,
    }
    let Fills { fills: rows, cursor } = json::<Fills<'_>>(text)?;
    let further = (!cursor.is_empty() && !rows.is_empty()).then(|| span.go_on(cursor));
    let mut fills = Vec::with_capacity(rows.len());
    for row in rows.iter().rev().filter(|r| r.is_fill()) {
        if let Some(listing) = listings.named(row.product_id) {
            fills.push(row.row(listing)?);
        }
    }
    Ok(Reply::Fills(fills, further))
}

fn permissions(text: &str) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    struct Key {
        can_view: bool,
        can_trade: bool,
        can_transfer: bool,
    }
    let key: Key = json(text)?;
    Ok(Reply::Permissions(Permissions {
        read: Some(key.can_view),
        trade: Some(key.can_trade),
        withdraw: Some(key.can_transfer),
        ip_bound: None,
        expires: Ts::NONE,
        end_unknown: false,
    }))
}
