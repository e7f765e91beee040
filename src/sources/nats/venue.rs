//! Market data of the bus, read as a venue's is: a codec without an account. The machine that listens to venues then listens
//! here too, with its books, its watch over what is stale and its reconnects.
//!
//! Nothing is traded here. What is too old, ahead of our clock, of another instrument or malformed is passed over and told;
//! its topic grows stale.

use std::sync::atomic::{AtomicU64, Ordering};

use bellwether_sdk::{
    Aggressor, Bar, Decimal, Depth, Instrument, InstrumentId, Interval, Level, Price, Qty, Quote, Rate, Side, Symbol,
    Trade, Ts,
};

use super::form::{MARKET_VERSION, MarketForm, MarketWhat, Taker};
use super::{subject_of, word};
use crate::config::BusFeed;
use crate::exchange::{
    AccountNote, Act, ActReply, Ask, BookRule, Continuity, Facts, Fault, Heartbeat, Listings, Note, Plan, Product,
    Reply, Request, Response, Rules, Sink, SnapshotBy, Stamp, Topic, TradeReply, Urls, Venue, VenueError, WireError,
    mantissa, notional, qty_max,
};
use crate::keys::{KeyError, Signer};

/// Asks for the last message of each of the subjects that the body lists.
pub const LAST: &str = "/last";

/// Asks for the messages of the subject in the query since the nanoseconds behind it.
pub const SINCE: &str = "/since";

/// Why orders do not go here.
const NO_ORDERS: &str = "the bus carries market data and takes no orders";

/// An instrument as a publisher offers it.
#[derive(Debug, Clone, PartialEq)]
pub struct Offered {
    /// Its rules.
    pub rules: Rules,
    /// Whether the publisher inferred them from data.
    pub inferred: bool,
    /// Fees of maker and taker, where they are known.
    pub fees: Option<(Rate, Rate)>,
    /// The kinds of data that are published of it, by name.
    pub kinds: Vec<String>,
}

/// The bus as a venue.
#[derive(Debug)]
pub struct BusVenue {
    facts: Facts,
    prefix: String,
    /// Nanoseconds between the publisher's stamp and our clock; `None` where any will do.
    apart_max: Option<i64>,
    /// Trades so far. Each is told under its own number: what comes twice was passed over on the way, and two that are alike
    /// are two.
    trades: AtomicU64,
}

impl BusVenue {
    /// The bus that the settings name.
    pub fn new(settings: &BusFeed) -> Self {
        let url = settings.url.clone();
        let urls = Urls { rest: url.clone(), market: url, account: String::new(), trade: String::new() };
        let facts = Facts {
            venue: "bus",
            product: Product::Spot,
            urls,
            testnet: None,
            book: BookRule { continuity: Continuity::Snapshots, snapshot: SnapshotBy::Stream, truncate: false },
            // Whether the server lives is asked by the connection itself; a publisher may have little to say.
            heartbeat: Heartbeat { say: None, dead_after_ms: 86_400_000 },
            connection_life_ms: None,
            weight_per_minute: 600,
            orders_per_10s: 0,
            fees_bps: None,
            act_count: None,
            says_per_second: 100,
            ticket: None,
            account_on_trade: false,
            signed_in_turn: false,
            cancel_replace: false,
            amend: false,
            batch_max: 1,
            bars_page: 1,
            bars_kept: None,
            balance_is_wallet: false,
            settle_ms: 0,
        };
        let apart = i64::try_from(settings.age_max_s).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
        Self {
            facts,
            prefix: word(&settings.prefix),
            apart_max: (apart > 0).then_some(apart),
            trades: AtomicU64::new(0),
        }
    }

    fn subject(&self, what: &str, symbol: &Symbol) -> String {
        format!("{}.market.{what}.{}", self.prefix, subject_of(symbol.as_str()))
    }

    /// Asks for what is offered of instruments.
    pub fn ask_offers(&self, symbols: &[Symbol]) -> Request {
        let subjects: Vec<String> = symbols.iter().map(|s| self.subject("instrument", s)).collect();
        Request::get(LAST, "", 1).body("application/json", serde_json::Value::from(subjects).to_string())
    }

    /// Reads the answer: what is offered, and what could not be understood.
    ///
    /// # Errors
    /// [`VenueError`] where the bus does not answer; of class transient where asking again may help.
    pub fn offers(&self, response: &Response) -> Result<(Vec<Offered>, Vec<String>), VenueError> {
        let (mut all, mut odd) = (Vec::new(), Vec::new());
        for form in forms(response)? {
            match form.map_err(|e| e.to_string()).and_then(|f| offered(&f)) {
                Ok(offered) => all.push(offered),
                Err(why) => odd.push(why),
            }
        }
        Ok((all, odd))
    }

    /// Whether a publisher's stamp and our clock agree as far as they must.
    fn is_fresh(&self, stamped: Ts, now: Ts) -> Result<(), &'static str> {
        let age = now.nanos().saturating_sub(stamped.nanos());
        match self.apart_max {
            Some(most) if age > most => {
                Err("messages older than session.bus.age_max_s are passed over: they come late, or \
                 the publisher's clock is behind")
            }
            Some(most) if age < -most => Err(
                "messages from further ahead than session.bus.age_max_s are passed over: the publisher's clock and \
                     this machine's differ",
            ),
            _ => Ok(()),
        }
    }
}

/// The messages of an answer: a list of texts as they were published.
fn forms(response: &Response) -> Result<Vec<Result<MarketForm, WireError>>, VenueError> {
    if !response.is_ok() {
        return Err(VenueError::of_status(response.status, false, &response.body));
    }
    let texts: Vec<String> =
        serde_json::from_str(&response.body).map_err(|e| VenueError::malformed(format!("a list of messages: {e}")))?;
    Ok(texts.iter().map(|text| read(text)).collect())
}

/// A message of a version that we know.
fn read(text: &str) -> Result<MarketForm, WireError> {
    let form: MarketForm = serde_json::from_str(text).map_err(|e| WireError::shape(e, text))?;
    match form.schema_version {
        MARKET_VERSION => Ok(form),
        other => Err(WireError::shape(format!("its form is of version {other}, this program knows 1"), text)),
    }
}

fn offered(form: &MarketForm) -> Result<Offered, String> {
    let MarketWhat::Instrument { kinds, rules, maker_fee, taker_fee } = &form.what else {
        return Err(format!("{}: what should be its rules is a {}", form.instrument, form.what.word()));
    };
    let wrong = |why: String| format!("the rules of {}: {why}", form.instrument);
    let symbol: Symbol = form.instrument.parse().map_err(|e| wrong(format!("{e}")))?;
    // So many digits an i64 can hold, and a product of both an i128.
    if rules.price_scale > 18 || rules.qty_scale > 18 {
        return Err(wrong(format!("{} and {} digits are too many", rules.price_scale, rules.qty_scale)));
    }
    let number = |field, text: &str, scale| mantissa(field, text, scale).map_err(|e| wrong(e.to_string()));
    let (tick, lot) = (number("tick", &rules.tick, rules.price_scale)?, number("lot", &rules.lot, rules.qty_scale)?);
    let qty_min = number("qty_min", &rules.qty_min, rules.qty_scale)?;
    if tick <= 0 || lot <= 0 || qty_min < 0 || rules.multiplier <= 0 {
        return Err(wrong("tick, lot and multiplier are above zero, and qty_min is not below".to_owned()));
    }
    let least = Decimal::parse(rules.notional_min.as_bytes()).map_err(|e| wrong(format!("notional_min: {e}")))?;
    let notional_min = notional(least, rules.price_scale, rules.qty_scale).filter(|n| *n >= 0);
    let most = |field: &str, text: &str| match Decimal::parse(text.as_bytes()) {
        Ok(most) if most.mantissa() >= 0 => Ok(most),
        _ => Err(wrong(format!("{field} {text:.40} is no number at or above zero"))),
    };
    let qty_most = |field: &str, text: &str| most(field, text).map(|most| qty_max(most, rules.qty_scale));
    let fee = |text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => {
            let fee = Decimal::parse(text.as_bytes()).and_then(Rate::from_fraction);
            fee.map(Some).map_err(|e| wrong(format!("fee {text:.40}: {e}")))
        }
    };
    Ok(Offered {
        rules: Rules {
            name: form.instrument.clone(),
            stream_name: form.instrument.clone(),
            index: 0,
            price_scale: rules.price_scale,
            qty_scale: rules.qty_scale,
            tick: Price::from_mantissa(tick),
            lot: Qty::from_mantissa(lot),
            qty_min: Qty::from_mantissa(qty_min),
            notional_min: notional_min.ok_or_else(|| wrong("notional_min is none".to_owned()))?,
            qty_max: qty_most("qty_max", &rules.qty_max)?,
            qty_max_market: qty_most("qty_max_market", &rules.qty_max_market)?,
            notional_max: most("notional_max", &rules.notional_max)?.at_wide_scale(rules.price_scale + rules.qty_scale),
            multiplier: rules.multiplier,
            contract: Decimal::new(1, 0),
            significant_digits: 0,
            closed: None,
            symbol,
        },
        inferred: rules.inferred,
        fees: fee(maker_fee)?.zip(fee(taker_fee)?),
        kinds: kinds.clone(),
    })
}

fn nanos(field: &'static str, text: &str) -> Result<Ts, WireError> {
    mantissa(field, text, 0).map(Ts::from_nanos)
}

fn positive(field: &'static str, text: &str, scale: u8) -> Result<i64, WireError> {
    match mantissa(field, text, scale)? {
        n if n > 0 => Ok(n),
        _ => Err(WireError::shape(format!("{field} is not above zero"), text)),
    }
}

fn at_least_zero(field: &'static str, text: &str, scale: u8) -> Result<Qty, WireError> {
    match mantissa(field, text, scale)? {
        n if n >= 0 => Ok(Qty::from_mantissa(n)),
        _ => Err(WireError::shape(format!("{field} is below zero"), text)),
    }
}

/// A bar as it was published; it closed no later than now.
fn bar(what: &MarketWhat, ts: Ts, id: InstrumentId, rules: &Rules) -> Result<Bar, WireError> {
    let MarketWhat::Bar { interval, ts_open, open, high, low, close, volume } = what else {
        return Err(WireError::shape("it is no bar", what.word()));
    };
    let price = |field, text: &str| positive(field, text, rules.price_scale).map(Price::from_mantissa);
    let bar = Bar {
        ts_open: nanos("ts_open", ts_open)?,
        ts_close: ts,
        open: price("open", open)?,
        high: price("high", high)?,
        low: price("low", low)?,
        close: price("close", close)?,
        volume: at_least_zero("volume", volume, rules.qty_scale)?,
        interval: interval.parse::<Interval>().map_err(|e| WireError::shape(e, interval))?,
        instrument: id,
    };
    let (lowest, highest) = (bar.open.min(bar.close), bar.open.max(bar.close));
    if bar.low > lowest || bar.high < highest || bar.ts_open >= bar.ts_close {
        return Err(WireError::shape("its prices or times contradict each other", interval));
    }
    Ok(bar)
}

impl Venue for BusVenue {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn guess_name(&self, symbol: &Symbol) -> String {
        symbol.to_string()
    }

    fn ask(&self, ask: &Ask, listings: &Listings) -> Result<Request, VenueError> {
        match ask {
            Ask::Bars(id, _, from, _) => {
                let listing = listings.get(*id).ok_or_else(|| VenueError::malformed("no such instrument"))?;
                let subject = self.subject("bar", &listing.rules.symbol);
                Ok(Request::get(SINCE, format!("{subject} {}", from.nanos()), 1))
            }
            other => Err(VenueError::unsupported(format!("the bus does not answer {other:?}"))),
        }
    }

    fn reply(&self, ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
        let Ask::Bars(id, interval, from, to) = ask else {
            return Err(VenueError::unsupported("the bus does not answer that"));
        };
        let listing = listings.get(*id).ok_or_else(|| VenueError::malformed("no such instrument"))?;
        let mut bars = Vec::new();
        for form in forms(response)?.into_iter().flatten() {
            let Ok(ts) = nanos("ts", &form.ts) else { continue };
            let Ok(bar) = bar(&form.what, ts, *id, &listing.rules) else { continue };
            let is_wanted = bar.interval == *interval && bar.ts_open >= *from && bar.ts_open < *to;
            // A publisher that began anew over stored data says the same bars again.
            if is_wanted && bars.last().is_none_or(|b: &Bar| b.ts_open < bar.ts_open) {
                bars.push(bar);
            }
        }
        Ok(Reply::Bars(bars))
    }

    fn act(&self, _: &Act, _: &Listings) -> Result<Request, VenueError> {
        Err(VenueError::unsupported(NO_ORDERS))
    }

    fn act_reply(&self, _: &Act, _: &Response, _: &Listings) -> Result<Vec<ActReply>, VenueError> {
        Err(VenueError::unsupported(NO_ORDERS))
    }

    fn sign(&self, _: &mut Request, _: &dyn Signer, _: Stamp) -> Result<(), KeyError> {
        Ok(())
    }

    /// One connection per instrument: all kinds of its data stand in one row, so that a gap in it shows.
    fn market(&self, urls: &Urls, topics: &[Topic], listings: &Listings) -> Vec<Plan> {
        let mut plans: Vec<(InstrumentId, Plan)> = Vec::new();
        for topic in topics.iter().filter(|t| !matches!(t, Topic::Funding(_))) {
            let Some(listing) = listings.get(topic.instrument()) else { continue };
            match plans.iter_mut().find(|(id, _)| *id == listing.id) {
                Some((_, plan)) => plan.topics.push(*topic),
                None => {
                    let subject = self.subject("*", &listing.rules.symbol);
                    let plan =
                        Plan { url: urls.market.clone(), login: None, messages: vec![subject], topics: vec![*topic] };
                    plans.push((listing.id, plan));
                }
            }
        }
        plans.into_iter().map(|(_, plan)| plan).collect()
    }

    fn renew_book(&self, _: Topic, _: &Listings) -> Vec<String> {
        // The next message of depth is the whole book.
        Vec::new()
    }

    fn read_market(&self, text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
        let form = read(text)?;
        let Some(listing) = listings.named(&form.instrument) else {
            sink.note(Note::Unexpected("a message under an instrument's subject is about another"));
            return Ok(());
        };
        let (id, of) = (listing.id, &listing.rules);
        let stamped = nanos("ts", &form.ts)?;
        if let MarketWhat::Instrument { .. } = form.what {
            let now_are = offered(&form).map_err(|why| WireError::shape(why, text))?.rules;
            sink.note(match now_are == *of {
                true => Note::Alive,
                false => {
                    Note::Unexpected("the instrument's rules are others than at the session's start; begin it anew")
                }
            });
            return Ok(());
        }
        if let Err(why) = self.is_fresh(stamped, now) {
            sink.note(Note::Unexpected(why));
            return Ok(());
        }
        let ts_venue = form.ts_venue.as_deref().map_or(Ok(Ts::NONE), |t| nanos("ts_venue", t))?;
        let price = |field, text: &str| positive(field, text, of.price_scale).map(Price::from_mantissa);
        let qty = |field, text: &str| at_least_zero(field, text, of.qty_scale);
        match &form.what {
            MarketWhat::Trade { price: at, qty: of_base, aggressor } => {
                let aggressor = match aggressor {
                    None => Aggressor::Unknown,
                    Some(Taker::Buyer) => Aggressor::Buyer,
                    Some(Taker::Seller) => Aggressor::Seller,
                };
                let (price, qty) = (price("price", at)?, qty("qty", of_base)?);
                let nth = self.trades.fetch_add(1, Ordering::Relaxed) + 1;
                sink.note(Note::Trade(Trade { ts: now, ts_venue, price, qty, instrument: id, aggressor }, nth));
            }
            MarketWhat::Quote { bid, bid_qty, ask, ask_qty } => {
                let side = |field, text: &Option<String>| text.as_deref().map_or(Ok(Price::ZERO), |t| price(field, t));
                let quote = Quote {
                    ts: now,
                    ts_venue,
                    bid: side("bid", bid)?,
                    bid_qty: qty("bid_qty", bid_qty)?,
                    ask: side("ask", ask)?,
                    ask_qty: qty("ask_qty", ask_qty)?,
                    instrument: id,
                };
                if quote.bid >= quote.ask && !quote.ask.is_zero() {
                    return Err(WireError::shape("its bid is not below its offer", text));
                }
                sink.note(Note::Quote(quote));
            }
            MarketWhat::Bar { .. } => {
                // Its times stay the publisher's: what it tells is of then, and the series goes by them.
                sink.note(Note::Bar(bar(&form.what, stamped, id, of)?, true));
            }
            MarketWhat::Depth { bids, asks } => {
                let mut levels = Vec::with_capacity(bids.len() + asks.len());
                for (side, rows) in [(Side::Buy, bids), (Side::Sell, asks)] {
                    for (at, of_base) in rows {
                        levels.push(Level { side, price: price("price", at)?, qty: qty("qty", of_base)? });
                    }
                }
                let depth = Depth {
                    ts: now,
                    ts_venue,
                    snapshot: true,
                    first_id: 0,
                    last_id: 0,
                    prev_id: 0,
                    levels: &levels,
                    instrument: id,
                };
                sink.note(Note::Depth(depth, None));
            }
            MarketWhat::Instrument { .. } => {}
        }
        Ok(())
    }

    fn account(&self, _: &Urls, _: &Listings, _: &dyn Signer, _: &str, _: Stamp) -> Result<Option<Plan>, KeyError> {
        Ok(None)
    }

    fn read_account(&self, text: &str, _: &Listings) -> Result<Vec<AccountNote>, WireError> {
        Err(WireError::shape("the bus has no accounts", text))
    }

    fn trade(&self, _: &Urls, _: &Listings, _: &dyn Signer, _: &str, _: Stamp) -> Result<Option<Plan>, KeyError> {
        Ok(None)
    }

    fn say(
        &self,
        _: &Act,
        _: u64,
        _: &Listings,
        _: &dyn Signer,
        _: &str,
        _: Stamp,
    ) -> Result<Option<String>, VenueError> {
        Err(VenueError::new(Fault::Unsupported, "", NO_ORDERS))
    }

    fn read_trade(&self, text: &str, _: &Listings) -> Result<TradeReply, WireError> {
        Err(WireError::shape(NO_ORDERS, text))
    }
}

/// An instrument as it is told to others.
pub fn told(instrument: &Instrument, fees: Option<(Rate, Rate)>, kinds: Vec<String>) -> MarketWhat {
    let (price, qty) = (instrument.price_scale, instrument.qty_scale);
    MarketWhat::Instrument {
        kinds,
        rules: super::form::RulesForm {
            price_scale: price,
            qty_scale: qty,
            tick: instrument.tick.to_text(price),
            lot: instrument.lot.to_text(qty),
            qty_min: instrument.qty_min.to_text(qty),
            notional_min: bellwether_sdk::Money::from_mantissa(instrument.notional_min).to_text(price + qty),
            qty_max: instrument.qty_max.to_text(qty),
            qty_max_market: instrument.qty_max_market.to_text(qty),
            notional_max: bellwether_sdk::Money::from_mantissa(instrument.notional_max).to_text(price + qty),
            multiplier: instrument.multiplier,
            inferred: instrument.inferred,
        },
        maker_fee: fees.map(|f| f.0.to_text()),
        taker_fee: fees.map(|f| f.1.to_text()),
    }
}
