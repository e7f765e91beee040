//! Looking at a venue, and single orders by hand: one vocabulary over all venues, answered as JSON.
//!
//! Everything goes by REST, one question at a time. Orders pass the guard like any other. It keeps no books, follows no
//! order after its answer, and repeats no write: a write whose outcome is unknown is asked about by its id.

mod desk;
mod dry;
mod error;
mod place;
mod rows;
mod rules;

use std::time::Duration;

use bellwether_sdk::{Decimal, InstrumentId, Interval, OrderKind, Rate, Side, TimeInForce, Trail, Ts};
use serde_json::{Map, Value, json};

use super::download::FUNDING_WINDOW_NS;
use crate::config::Settings;
use crate::exchange::{Act, Ask, ClientId, Fault, OrderRef, Reply, Span, VenueError};

pub use error::LookError;
#[cfg(test)]
pub(super) use rules::guess;
pub use rules::rules_of;
pub(super) use rules::{notional_text, qty_text, tick_text};

use desk::Desk;

/// Seconds between tries of a further page, where the venue is asked more often than it allows and does not say how long.
const PAGE_WAITS_S: [u64; 4] = [3, 6, 12, 24];

/// Where to look, as whom, and whether anything is sent.
#[derive(Debug, Clone, Default)]
pub struct LookAt {
    /// The venue's key in the settings: `binance`, `binance_linear`, `kraken`, ….
    pub venue: String,
    /// The account whose key signs.
    pub account: String,
    /// Another REST address than the settings'.
    pub rest_url: Option<String>,
    /// Another address for all sockets than the settings'.
    pub ws_url: Option<String>,
    /// The venue's test network.
    pub testnet: bool,
    /// Nothing is sent: the requests are the answer.
    pub dry_run: bool,
    /// Our clock and nonce, instead of the system's.
    pub now: Option<Ts>,
    /// Instruments with their rules, instead of asking for them.
    pub rules: Option<Vec<crate::exchange::Rules>>,
    /// Whether orders with real money are meant.
    pub real_money: bool,
}

/// An order as it is typed; numbers as text until the instrument's rules are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderWish {
    /// Buy or sell.
    pub side: Side,
    /// Its quantity.
    pub qty: Decimal,
    /// Its limit.
    pub price: Option<Decimal>,
    /// The price that wakes it.
    pub trigger: Option<Decimal>,
    /// A trailing stop's distance, per cent of the best price.
    pub trail_pct: Option<Decimal>,
    /// How long.
    pub tif: TimeInForce,
    /// Refused rather than filled as taker.
    pub post_only: bool,
    /// Only to make a position smaller.
    pub reduce_only: bool,
    /// Our id of it; by default made of the time.
    pub client: Option<ClientId>,
    /// The price that market orders are judged by; by default the venue's last.
    pub reference: Option<Decimal>,
}

/// A change of a resting order as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmendWish {
    /// The order.
    pub order: OrderRef,
    /// Its new limit.
    pub price: Option<Decimal>,
    /// Its new whole quantity.
    pub qty: Option<Decimal>,
    /// Its side; needed where it cannot be asked for.
    pub side: Option<Side>,
}

/// What is asked or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The venue's clock.
    Time,
    /// Its instruments.
    Instruments,
    /// Best quote and last price.
    Ticker,
    /// The book, so many levels per side.
    Book(u32),
    /// The last trades, at most so many.
    Trades(u32),
    /// Bars that open in `[from, to)`; the newest so many where `from` is absent.
    Bars(Interval, Option<Ts>, Option<Ts>, u32),
    /// Funding settlements in `[from, to)`; of the last week where `from` is absent.
    Funding(Option<Ts>, Option<Ts>),
    /// Balances of the account.
    Balances,
    /// Positions of the account.
    Positions,
    /// Open orders, of one instrument or all.
    Orders,
    /// One order.
    Order(OrderRef),
    /// Our fills from a time on; of the last day where it is absent.
    Fills(Option<Ts>),
    /// Funding that the account was paid or paid, from a time on; of the last week where it is absent.
    Payments(Option<Ts>),
    /// Deposits, withdrawals and transfers of the account, from a time on; of the last week where it is absent.
    Transfers(Option<Ts>),
    /// What the key may do.
    Permissions,
    /// Places an order.
    Place(OrderWish),
    /// Changes a resting order.
    Amend(AmendWish),
    /// Cancels an order.
    Cancel(OrderRef),
    /// Cancels all open orders of an instrument.
    CancelAll,
}

impl What {
    /// Its name on the command line and in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Instruments => "instruments",
            Self::Ticker => "ticker",
            Self::Book(_) => "book",
            Self::Trades(_) => "trades",
            Self::Bars(..) => "bars",
            Self::Funding(..) => "funding",
            Self::Balances => "balances",
            Self::Positions => "positions",
            Self::Orders => "orders",
            Self::Order(_) => "order",
            Self::Fills(_) => "fills",
            Self::Payments(_) => "payments",
            Self::Transfers(_) => "transfers",
            Self::Permissions => "permissions",
            Self::Place(_) => "place",
            Self::Amend(_) => "amend",
            Self::Cancel(_) => "cancel",
            Self::CancelAll => "cancel-all",
        }
    }

    /// Whether it changes something.
    pub const fn writes(&self) -> bool {
        matches!(self, Self::Place(_) | Self::Amend(_) | Self::Cancel(_) | Self::CancelAll)
    }

    /// Whether it is about one instrument; open orders may be.
    const fn needs_symbol(&self) -> bool {
        !matches!(
            self,
            Self::Time
                | Self::Instruments
                | Self::Balances
                | Self::Positions
                | Self::Orders
                | Self::Payments(_)
                | Self::Transfers(_)
                | Self::Permissions
        )
    }
}

/// The instrument that is asked about: the first of the table.
const ONE: InstrumentId = InstrumentId(0);

const DAY_NS: i64 = 86_400_000_000_000;

/// What was booked a moment ago belongs to what is asked for, whatever the venue's clock says.
const CLOCKS_NS: i64 = 60_000_000_000;

/// Asks a venue something, or does something there. The answer is the document of docs/exchange.md.
///
/// # Errors
/// [`LookError`].
pub fn look(settings: &Settings, at: &LookAt, what: &What, symbol: Option<&str>) -> Result<Value, LookError> {
    if what.needs_symbol() && symbol.is_none() {
        return Err(LookError::Usage(format!("{} needs a symbol, e.g. BTC/USDT", what.name())));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| LookError::Unavailable(format!("starting the runtime: {e}")))?;
    let mut desk = Desk::open(settings, at)?;
    if what.writes() && !at.dry_run && !at.real_money && !desk.is_play() {
        return Err(LookError::RealMoney(desk.rest_url().to_owned()));
    }
    runtime.block_on(async {
        desk.list(what, symbol).await?;
        let told = answer(settings, &mut desk, what, symbol.is_some()).await;
        match told {
            // The request is written: what its answer would have been is not of interest.
            Ok(_) | Err(LookError::NotSent) if at.dry_run => {
                let written = desk.take_written();
                Ok(desk.document(what, written))
            }
            told => Ok(desk.document(what, told?)),
        }
    })
}

async fn answer(settings: &Settings, desk: &mut Desk, what: &What, one: bool) -> Result<Value, LookError> {
    let now = desk.now();
    Ok(match what {
        What::Time => desk.time().await?,
        What::Instruments if desk.is_dry() => {
            desk.ask(&Ask::Instruments).await?;
            Value::Null
        }
        What::Instruments => {
            let rows: Vec<Value> = desk.listings().iter().map(|l| rules::shown(&l.rules)).collect();
            json!({"instruments": rows, "not_understood": desk.odd()})
        }
        What::Ticker => rows::of(&desk.ask(&Ask::Ticker(ONE)).await?, desk)?,
        What::Book(levels) => rows::cut_book(rows::of(&desk.ask(&Ask::Book(ONE, *levels)).await?, desk)?, *levels),
        What::Trades(limit) => {
            rows::last(rows::of(&desk.ask(&Ask::Trades(ONE, *limit)).await?, desk)?, "trades", *limit)
        }
        What::Bars(interval, from, to, limit) => {
            let to = to.unwrap_or(now).min(now);
            let span = interval.nanos().saturating_mul(i64::from(*limit));
            let from = from.unwrap_or_else(|| to.floor_to(*interval).plus(-span));
            rows::first(rows::of(&bars(desk, *interval, from, to, *limit).await?, desk)?, "bars", *limit)
        }
        What::Funding(from, to) => {
            let to = to.unwrap_or(now);
            let from = from.unwrap_or_else(|| to.plus(-7 * DAY_NS));
            let mut rows = Vec::new();
            let mut at = from;
            // At least one question, so that a venue that has no such thing says so.
            while at < to || at == from {
                let until = at.plus(FUNDING_WINDOW_NS).min(to);
                let Reply::Funding(more) = desk.ask(&Ask::Funding(ONE, at, until)).await? else {
                    return Err(desk.unexpected());
                };
                rows.extend(more.into_iter().filter(|r| r.ts_venue >= at && r.ts_venue < until));
                at = until.max(at.plus(1));
            }
            rows::of(&Reply::Funding(rows), desk)?
        }
        What::Balances => rows::of(&desk.ask(&Ask::Balances).await?, desk)?,
        What::Positions => rows::of(&desk.ask(&Ask::Positions).await?, desk)?,
        What::Orders => {
            let mut reply = desk.open_orders(&Ask::OpenOrders(one.then_some(ONE))).await?;
            // Where orders that wait for a trigger are kept apart, they are open orders all the same.
            match desk.ask(&Ask::OpenConditional(one.then_some(ONE))).await {
                Ok(Reply::Orders(more, foreign)) => {
                    if let Reply::Orders(rows, others) = &mut reply {
                        rows.extend(more);
                        *others += foreign;
                    }
                }
                Err(LookError::Venue(e)) if e.fault == Fault::Unsupported => {}
                Ok(_) => {}
                Err(e) => return Err(e),
            }
            rows::of(&reply, desk)?
        }
        What::Order(order) => {
            let reply = desk.ask(&Ask::Order(ONE, order.clone())).await?;
            rows::one_order(desk, &reply)?
        }
        What::Fills(from) => {
            let from = from.unwrap_or_else(|| now.plus(-DAY_NS));
            rows::of(&whole(desk, |span| Ask::Fills(ONE, span), Some(from)).await?, desk)?
        }
        What::Payments(from) => rows::of(&whole(desk, Ask::Paid, *from).await?, desk)?,
        What::Transfers(from) => rows::of(&whole(desk, Ask::Moved, *from).await?, desk)?,
        What::Permissions => rows::of(&desk.ask(&Ask::Permissions).await?, desk)?,
        What::Place(wish) => place::place(settings, desk, wish).await?,
        What::Amend(wish) => place::amend(settings, desk, wish).await?,
        What::Cancel(order) => place::cancel(desk, order).await?,
        What::CancelAll => place::cancel_all(desk).await?,
    })
}

/// Bars of a stretch, page by page, until there are enough.
async fn bars(desk: &mut Desk, interval: Interval, from: Ts, to: Ts, limit: u32) -> Result<Reply, LookError> {
    let page = interval.nanos().saturating_mul(i64::from(desk.venue().facts().bars_page.max(1)));
    let (mut all, mut at) = (Vec::new(), from);
    while at == from || at < to && all.len() < limit as usize {
        let Reply::Bars(rows) = desk.ask(&Ask::Bars(ONE, interval, at, to)).await? else {
            return Err(desk.unexpected());
        };
        let fresh = rows.into_iter().filter(|b| b.ts_open >= at && b.ts_open < to);
        let before = all.len();
        all.extend(fresh);
        at = all[before..].last().map_or(at.plus(page), |last| last.ts_open.plus(interval.nanos()));
    }
    Ok(Reply::Bars(all))
}

/// A whole stretch of an account's history up to now, question by question.
async fn whole(desk: &mut Desk, ask: fn(Span) -> Ask, from: Option<Ts>) -> Result<Reply, LookError> {
    let now = desk.now();
    let mut span = Some(Span::new(from.unwrap_or_else(|| now.plus(-7 * DAY_NS)), now.plus(CLOCKS_NS)));
    let mut all: Option<Reply> = None;
    while let Some(next) = span {
        let mut told = desk.ask(&ask(next.clone())).await;
        // A venue's limits may hold fewer questions than a long history has pages.
        for wait_s in PAGE_WAITS_S.iter().filter(|_| all.is_some()) {
            let Err(LookError::Venue(VenueError { fault: Fault::RateLimited { retry_after_ms }, .. })) = told else {
                break;
            };
            tokio::time::sleep(retry_after_ms.map_or(Duration::from_secs(*wait_s), Duration::from_millis)).await;
            told = desk.ask(&ask(next.clone())).await;
        }
        let (more, further) = match told? {
            Reply::Paid(rows, further) => (Reply::Paid(rows, None), further),
            Reply::Moved(rows, further) => (Reply::Moved(rows, None), further),
            Reply::Fills(rows, further) => (Reply::Fills(rows, None), further),
            _ => return Err(desk.unexpected()),
        };
        if further.as_ref() == Some(&next) {
            return Err(desk.unexpected());
        }
        span = further;
        match (&mut all, more) {
            // What two pages tell happened once.
            (Some(Reply::Paid(rows, _)), Reply::Paid(more, _)) => extend_by_new(rows, more),
            (Some(Reply::Moved(rows, _)), Reply::Moved(more, _)) => extend_by_new(rows, more),
            // Oldest first: pages come from the newest to the oldest, stretches of days the other way round.
            (Some(Reply::Fills(rows, _)), Reply::Fills(more, _)) => {
                let before = std::mem::take(rows);
                *rows = more;
                extend_by_new(rows, before);
                rows.sort_by_key(|row| row.ts_venue);
            }
            (_, more) => all = Some(more),
        }
    }
    all.ok_or_else(|| desk.unexpected())
}

/// Adds the rows that are not there yet.
fn extend_by_new<T: PartialEq>(rows: &mut Vec<T>, more: Vec<T>) {
    let known = rows.len();
    for row in more {
        if !rows[..known].contains(&row) {
            rows.push(row);
        }
    }
}

/// The kind of an order as its prices say.
fn kind_of(wish: &OrderWish, rules: &crate::exchange::Rules) -> Result<OrderKind, LookError> {
    let price = |value: Decimal| rules::price(rules, value);
    Ok(match (wish.price, wish.trigger, wish.trail_pct) {
        (None, None, None) => OrderKind::Market,
        (Some(limit), None, None) => OrderKind::Limit { price: price(limit)? },
        (None, Some(trigger), None) => OrderKind::StopMarket { trigger: price(trigger)? },
        (Some(limit), Some(trigger), None) => OrderKind::StopLimit { trigger: price(trigger)?, price: price(limit)? },
        (None, None, Some(pct)) => {
            let rate = Rate::from_pct(pct).map_err(|e| LookError::Usage(format!("a trail of {pct} %: {e}")))?;
            OrderKind::TrailingStop { trail: Trail::Fraction(rate) }
        }
        _ => return Err(LookError::Usage("a trailing stop has neither price nor trigger".to_owned())),
    })
}

/// A document's head with what is in it.
fn headed(venue: &str, what: &What, symbol: Option<&str>, body: Value) -> Value {
    let mut document = Map::new();
    document.insert("schema_version".to_owned(), json!(1));
    document.insert("venue".to_owned(), json!(venue));
    document.insert("what".to_owned(), json!(what.name()));
    document.insert("symbol".to_owned(), json!(symbol));
    if let Value::Object(fields) = body {
        document.extend(fields);
    }
    Value::Object(document)
}

/// An act whose answer was lost is not repeated; this says which of our orders it concerned.
fn concerned(act: &Act) -> Option<OrderRef> {
    match act {
        Act::Place(place) => Some(OrderRef::Client(place.client)),
        Act::Amend(amend) => Some(amend.order.clone()),
        Act::Cancel(cancel) => Some(cancel.order.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bellwether_sdk::{Qty, Symbol};

    use super::*;
    use crate::config::KeySettings;
    use crate::exchange::{Product, Request, venue};
    use crate::run::fake::{Fake, okx};

    /// Asks a venue that answers so, with a key of its kind.
    fn told(
        key: &str,
        symbol: &str,
        what: &What,
        answers: impl Fn(&Request) -> String + Send + Sync + 'static,
    ) -> Value {
        asked(key, symbol, what, answers).expect("answered")
    }

    fn asked(
        key: &str,
        symbol: &str,
        what: &What,
        answers: impl Fn(&Request) -> String + Send + Sync + 'static,
    ) -> Result<Value, LookError> {
        let symbol: Symbol = symbol.parse().expect("a symbol");
        let product = if key.ends_with("_linear") { Product::Linear } else { Product::Spot };
        let rules = guess(&*venue(symbol.venue(), product).expect("built in"), &symbol);
        let (venue, account) = (key.to_owned(), "main".to_owned());
        let at = LookAt { venue, account, rules: Some(vec![rules]), ..LookAt::default() };
        let key = KeySettings {
            account: format!("{}/main", symbol.venue()),
            source: r#"exec:echo '{"id": "key-0001", "secret": "c2VjcmV0", "passphrase": "word"}'"#.to_owned(),
            ..KeySettings::default()
        };
        let settings = Settings { key: vec![key], ..Settings::default() };
        let mut desk = Desk::open(&settings, &at).expect("a desk").by(Box::new(Fake(answers)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            desk.list(what, Some(symbol.as_str())).await.expect("listed");
            answer(&settings, &mut desk, what, true).await
        })
    }

    #[test]
    fn the_newest_bars_and_a_whole_week_of_funding_are_told_where_a_page_is_short() {
        const HOUR: i64 = 3_600_000;
        // What is asked for ends now, by our clock.
        let now = super::super::paper::wall_now().nanos() / 1_000_000;
        let last = now / HOUR * HOUR - HOUR;
        let bars = What::Bars(Interval::HOUR, None, None, 250);
        let told_bars = told("okx", "okx:BTC/USDT", &bars, move |r| okx(r, now, 0..0));
        let opens: Vec<&str> =
            told_bars["bars"].as_array().expect("bars").iter().filter_map(|b| b["ts_open_ns"].as_str()).collect();
        assert_eq!((opens.len(), opens[249]), (250, format!("{}000000", last).as_str()));
        let week = told("okx_linear", "okx:BTC/USDT:USDT", &What::Funding(None, None), move |r| okx(r, now, 0..0));
        assert_eq!(week["funding"].as_array().expect("rows").len(), 7 * 24, "{week}");
    }

    fn bybit(result: &str) -> String {
        format!(r#"{{"retCode":0,"retMsg":"OK","result":{result},"retExtInfo":{{}},"time":1672283754510}}"#)
    }

    #[test]
    fn fills_end_where_the_venue_names_the_same_page_again_and_are_told_once() {
        let row = r#"{"symbol":"BTCUSDT","orderId":"o1","orderLinkId":"","side":"Buy","execFee":"0.015","execId":"e1",
            "execPrice":"50000","execQty":"0.1","execType":"Trade","execTime":"1672282722429","feeCurrency":"USDT",
            "isMaker":true}"#;
        let page = format!(r#"{{"nextPageCursor":"132766%3A2%2C132766%3A2","category":"linear","list":[{row}]}}"#);
        let fills = told("bybit_linear", "bybit:BTC/USDT:USDT", &What::Fills(None), move |_| bybit(&page));
        assert_eq!(fills["fills"].as_array().map(Vec::len), Some(1), "{fills}");
    }

    #[test]
    fn the_newest_trades_are_told_where_a_venue_gives_more_than_was_asked_for() {
        let row = |id: u32| {
            format!(
                r#"{{"trade_id":"{id}","product_id":"BTC-USD","price":"10{id}","size":"1","side":"BUY",
                "time":"2026-01-01T00:00:0{id}Z"}}"#
            )
        };
        let rows = [3, 2, 1].map(row).join(",");
        let newest =
            told("coinbase", "coinbase:BTC/USD", &What::Trades(2), move |_| format!(r#"{{"trades":[{rows}]}}"#));
        let ids: Vec<&str> =
            newest["trades"].as_array().expect("rows").iter().filter_map(|t| t["id"].as_str()).collect();
        assert_eq!(ids, ["2", "3"], "{newest}");
        let ticker = told("coinbase", "coinbase:BTC/USD", &What::Ticker, |_| {
            r#"{"trades":[],"best_bid":"100","best_ask":"101"}"#.to_owned()
        });
        assert_eq!(
            (&ticker["bid"], &ticker["bid_qty"], &ticker["ask_qty"]),
            (&json!("100"), &Value::Null, &Value::Null)
        );
    }

    #[test]
    fn a_book_that_no_market_has_is_refused() {
        let of = |bid: &str, ask: &str| {
            let book = format!(r#"{{"s":"BTCUSDT","b":[["{bid}","1"]],"a":[["{ask}","1"]],"ts":1672765737733,"u":5}}"#);
            asked("bybit", "bybit:BTC/USDT", &What::Book(5), move |_| bybit(&book)).map_err(|e| e.to_string())
        };
        assert!(of("100", "101").is_ok());
        for (bid, ask) in [("0", "101"), ("-5", "101"), ("NaN", "101"), ("1e30", "101")] {
            assert!(of(bid, ask).is_err_and(|e| e.contains("malformed") && e.contains(bid)), "{bid}");
        }
        let crossed = of("101", "101").expect_err("crossed");
        assert!(crossed.contains("crossed") && crossed.contains("best bid 101"), "{crossed}");
    }

    fn wish(price: Option<&str>, trigger: Option<&str>, client: Option<&str>) -> OrderWish {
        let number = |text: &str| text.parse().expect("a number");
        OrderWish {
            side: Side::Buy,
            qty: number("0.1"),
            price: price.map(number),
            trigger: trigger.map(number),
            trail_pct: None,
            tif: TimeInForce::Gtc,
            post_only: false,
            reduce_only: false,
            client: client.map(|id| id.parse().expect("an id")),
            reference: Some(number("100")).filter(|_| price.is_none()),
        }
    }

    #[test]
    fn a_limit_order_is_placed_without_asking_for_the_market_where_no_limit_wants_it() {
        let placed = told("bybit", "bybit:BTC/USDT", &What::Place(wish(Some("100"), None, None)), |request| {
            assert_eq!(request.path, "/v5/order/create");
            bybit(r#"{"orderId":"o1","orderLinkId":""}"#)
        });
        assert_eq!(placed["order"]["venue_id"], "o1", "{placed}");
    }

    #[test]
    fn a_client_id_that_is_given_is_sent_or_refused_and_never_changed() {
        const ID: &str = "00000000000000010000000000000002";
        let stop = What::Place(wish(None, Some("110"), Some(ID)));
        let sent = told("bybit_linear", "bybit:BTC/USDT:USDT", &stop, |request| {
            assert!(request.body.contains(ID), "{}", request.body);
            bybit(r#"{"orderId":"o1","orderLinkId":""}"#)
        });
        assert_eq!(sent["client_id"], ID);
        // There orders that wait for a trigger are kept apart, and found again by a mark in their ids.
        let refused = asked("binance_linear", "binance:BTC/USDT:USDT", &stop, |_| "{}".to_owned());
        let refused = refused.expect_err("refused").to_string();
        assert!(refused.contains("00000000000000018000000000000002"), "{refused}");
    }

    #[test]
    fn a_dry_run_writes_nothing_that_rests_on_a_guess() {
        let place = What::Place(wish(Some("2000"), None, None));
        let dry = |venue: &str, symbol: &str, what: &What, rules: Option<Vec<crate::exchange::Rules>>| {
            let at = LookAt {
                venue: venue.to_owned(),
                account: "main".to_owned(),
                dry_run: true,
                now: Some(Ts::from_millis(1_700_000_000_000)),
                rules,
                ..LookAt::default()
            };
            let key = KeySettings {
                account: format!("{}/main", venue.trim_end_matches("_linear")),
                source: r#"exec:echo '{"id": "key-0001", "secret": "c2VjcmV0", "passphrase": "word"}'"#.to_owned(),
                ..KeySettings::default()
            };
            look(&Settings { key: vec![key], ..Settings::default() }, &at, what, Some(symbol))
        };
        let order = What::Order(OrderRef::Venue("1".to_owned()));
        for (venue, symbol) in [("hyperliquid_linear", "ETH/USDC"), ("okx_linear", "ETH/USDT")] {
            let refused = dry(venue, symbol, &place, None).expect_err("a guess");
            assert!(matches!(&refused, LookError::Usage(why) if why.contains("--rules FILE")), "{refused}");
        }
        assert!(dry("okx_linear", "ETH/USDT", &order, None).is_ok(), "which has no quantity");
        assert!(dry("bybit_linear", "ETH/USDT", &place, None).is_ok(), "which counts no contracts");
        let symbol: Symbol = "okx:ETH/USDT:USDT".parse().expect("a symbol");
        let known = guess(&*venue("okx", Product::Linear).expect("built in"), &symbol);
        let known = crate::exchange::Rules { contract: Decimal::new(1, 1), index: 7, ..known };
        // Ten units of the last digit less than what is asked for.
        let small = crate::exchange::Rules { qty_max: Qty::from_mantissa(9_999_990), ..known.clone() };
        let above = dry("okx_linear", "ETH/USDT", &place, Some(vec![small])).expect_err("refused").to_string();
        assert!(above.contains("a quantity of 0.1 is above 0.0999999"), "{above}");
        let small = crate::exchange::Rules { notional_max: 19_999 * 10i128.pow(14), ..known.clone() };
        let above = dry("okx_linear", "ETH/USDT", &place, Some(vec![small])).expect_err("refused").to_string();
        assert!(above.contains("a value of 200 is above 199.99"), "{above}");
        let written = dry("okx_linear", "ETH/USDT", &place, Some(vec![known])).expect("written");
        let body = written["requests"][0]["body"].as_str().expect("a body");
        assert!(body.contains(r#""sz":"1""#), "{body}");
        // A session says it on its trading socket, whose login has the passphrase.
        let (said, opens) = (written["socket"]["message"].as_str(), written["socket"]["opens"].to_string());
        assert!(said.is_some_and(|said| said.contains(r#""sz":"1""#)), "{written}");
        assert!(opens.contains("key-0001") && opens.contains("(hidden)"), "{opens}");
        assert!(!written.to_string().contains("word") && !written.to_string().contains("secret"), "{written}");
    }

    #[test]
    fn where_a_venue_cannot_cancel_all_each_open_order_is_cancelled() {
        let row = |pair: &str| {
            format!(
                r#"{{"cl_ord_id":"","status":"open","opentm":1700000000.1234,"expiretm":0,"vol":"1.0","vol_exec":"0",
                "descr":{{"pair":"{pair}","type":"buy","ordertype":"limit","price":"30000.5","price2":"0"}}}}"#
            )
        };
        // Two of this instrument, and one of another.
        let open = std::sync::Mutex::new(vec![("O1", "XBTUSD"), ("O2", "XBTUSD"), ("O3", "ETHUSD")]);
        let cancelled = Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = Arc::clone(&cancelled);
        let left = told("kraken", "kraken:BTC/USD", &What::CancelAll, move |request| {
            let mut open = open.lock().expect("orders");
            let result = if request.path.ends_with("CancelOrder") {
                let at = open.iter().position(|(id, _)| request.body.contains(id)).expect("an open order");
                seen.lock().expect("ids").push(open.remove(at).0);
                r#"{"count":1}"#.to_owned()
            } else {
                let rows: Vec<String> = open.iter().map(|(id, pair)| format!("\"{id}\":{}", row(pair))).collect();
                format!(r#"{{"open":{{{}}}}}"#, rows.join(","))
            };
            format!(r#"{{"error":[],"result":{result}}}"#)
        });
        assert_eq!(*cancelled.lock().expect("ids"), ["O1", "O2"], "not the other instrument's");
        assert_eq!(left["orders"].as_array().map(Vec::len), Some(0), "{left}");
    }
}
