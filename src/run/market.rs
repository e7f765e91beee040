//! Venues' markets for a session: which venues, their instruments' rules, and the feeds that listen to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bellwether_sdk::{Bar, Instrument, InstrumentId, InstrumentKind, Interval, Price, Qty, Rate, Symbol, Ts};

use super::RunError;
use super::supply::{Offer, Offers};
use crate::config::{self, Settings, VenueSettings};
use crate::exchange::feed::{Feed, FeedSettings};
use crate::exchange::machine::Limits;
use crate::exchange::transport::Transport;
use crate::exchange::{
    ActCount, Ask, Fault, Listings, Product, Reply, Rules, Topic, Urls, Venue, venue, venue_on_testnet, venues,
};
use crate::market::Kind;

/// A venue's product in a session.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) venue: Arc<dyn Venue>,
    pub(super) urls: Urls,
    pub(super) listings: Listings,
    pub(super) limits: Arc<Limits>,
}

/// Which of a venue's markets an instrument is traded on.
pub(super) fn product_of(symbol: &Symbol) -> Result<Product, RunError> {
    match (symbol.kind(), symbol.expiry()) {
        (InstrumentKind::Spot, None) => Ok(Product::Spot),
        (InstrumentKind::Linear, None) => Ok(Product::Linear),
        _ => Err(RunError::Settings(format!(
            "{symbol}: only spot and perpetual contracts settled in their quote currency can be traded at venues"
        ))),
    }
}

/// The key of a product's settings: the venue's name, and `_linear` behind it for contracts.
pub(super) fn settings_key(name: &str, product: Product) -> String {
    match product {
        Product::Spot => name.to_owned(),
        Product::Linear => format!("{name}_linear"),
    }
}

/// The instruments that settings name.
///
/// # Errors
/// [`RunError::Settings`] when they name none.
pub fn symbols(settings: &Settings) -> Result<Vec<Symbol>, RunError> {
    let none = Offers { rows: Vec::new(), place: "the settings".to_owned() };
    match super::plan::symbols_of(settings, &none) {
        Ok(symbols) if !symbols.is_empty() => Ok(symbols),
        Err(e @ RunError::Settings(_)) => Err(e),
        _ => Err(RunError::Settings("which instrument? name one with --instrument, e.g. binance:BTC/USDT".to_owned())),
    }
}

/// The key of a symbol's venue in `[venue.KEY]`.
///
/// # Errors
/// [`RunError::Settings`] for what cannot be traded at venues.
pub fn venue_key(symbol: &Symbol) -> Result<String, RunError> {
    Ok(settings_key(symbol.venue(), product_of(symbol)?))
}

/// Whether what is sent to one of a venue's addresses moves no real money: the address is on this machine or, where none
/// is set, the venue's test network is meant. A test network under an address of one's own may be anything.
pub(super) fn is_play(own: &VenueSettings, url: Option<&str>) -> bool {
    url.map_or(own.testnet, is_loopback)
}

/// Whether every venue of the settings' instruments is a test network or on this machine.
///
/// # Errors
/// [`RunError::Settings`] for instruments that are no symbols or cannot be traded at venues.
pub fn plays(settings: &Settings) -> Result<bool, RunError> {
    for symbol in symbols(settings)? {
        // Orders go to these two; the third hears of them.
        let play = settings.venue.get(&venue_key(&symbol)?).is_some_and(|own| {
            [&own.rest_url, &own.trade_url].iter().all(|url| is_play(own, url.as_deref()))
                && own.account_url.as_deref().is_none_or(is_loopback)
        });
        if !play {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether an address is on this machine.
fn is_loopback(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        None => false,
    }
}

/// A venue's product with its addresses, as the settings say.
///
/// # Errors
/// [`RunError::Settings`] for a venue that is not known, or a test network that it does not have.
pub(super) fn open(settings: &Settings, name: &str, product: Product) -> Result<(Arc<dyn Venue>, Urls), RunError> {
    let none = VenueSettings::default();
    let own = settings.venue.get(&settings_key(name, product)).unwrap_or(&none);
    let made = if own.testnet { venue_on_testnet(name, product) } else { venue(name, product) };
    let made = made.ok_or_else(|| {
        let known: Vec<String> = venues().into_iter().map(|(n, p)| settings_key(n, p)).collect();
        RunError::Settings(format!(
            "no venue {:?} is known; there are: {}",
            settings_key(name, product),
            known.join(", ")
        ))
    })?;
    let facts = made.facts();
    let mut urls = match (own.testnet, &facts.testnet) {
        (false, _) => facts.urls.clone(),
        (true, Some(test)) => test.clone(),
        (true, None) => return Err(RunError::Settings(format!("{name} has no test network"))),
    };
    for (url, set) in [
        (&mut urls.rest, &own.rest_url),
        (&mut urls.market, &own.market_url),
        (&mut urls.account, &own.account_url),
        (&mut urls.trade, &own.trade_url),
    ] {
        if let Some(set) = set {
            *url = set.trim_end_matches('/').to_owned();
        }
    }
    Ok((Arc::from(made), urls))
}

/// The rules of a venue's instruments.
///
/// # Errors
/// [`RunError::Venue`] when it cannot be reached or refuses.
pub(super) async fn instruments(
    venue: &dyn Venue,
    urls: &Urls,
    transport: &dyn Transport,
) -> Result<(Vec<Rules>, Vec<String>), RunError> {
    let name = venue.facts().venue;
    let empty = Listings::default();
    let failed = |what: String| RunError::Venue(format!("{name}: asking for the instruments at {}: {what}", urls.rest));
    let request = venue.ask(&Ask::Instruments, &empty).map_err(|e| failed(e.to_string()))?;
    // A venue that is busy is asked again: nothing hangs on when.
    for wait_s in [1, 2, 4, 8, 16] {
        let answer = transport.http(&urls.rest, &request).await.map_err(|e| failed(e.to_string()))?;
        match venue.reply(&Ask::Instruments, &answer, &empty) {
            Ok(Reply::Instruments(rules, odd)) => return Ok((rules, odd)),
            Err(e) if matches!(e.fault, Fault::RateLimited { .. } | Fault::Transient) => {
                tokio::time::sleep(std::time::Duration::from_secs(wait_s)).await;
            }
            Err(e) => return Err(failed(e.to_string())),
            Ok(_) => return Err(failed("the answer is of another kind".to_owned())),
        }
    }
    let answer = transport.http(&urls.rest, &request).await.map_err(|e| failed(e.to_string()))?;
    match venue.reply(&Ask::Instruments, &answer, &empty).map_err(|e| failed(e.to_string()))? {
        Reply::Instruments(rules, odd) => Ok((rules, odd)),
        _ => Err(failed("the answer is of another kind".to_owned())),
    }
}

/// The places where the symbols are traded, with their rules, and what data they offer.
///
/// # Errors
/// [`RunError`].
pub(super) async fn places(
    settings: &Settings,
    symbols: &[Symbol],
    transport: &dyn Transport,
) -> Result<(Vec<Place>, Offers), RunError> {
    if settings.session.feed == config::Feed::Bus {
        return super::bus::places(settings, symbols, transport).await;
    }
    let mut groups: BTreeMap<(String, Product), Vec<(InstrumentId, Symbol)>> = BTreeMap::new();
    for (symbol, id) in symbols.iter().zip(0u16..) {
        let key = (symbol.venue().to_owned(), product_of(symbol)?);
        groups.entry(key).or_default().push((InstrumentId(id), symbol.clone()));
    }
    let (mut places, mut rows) = (Vec::new(), Vec::new());
    for ((name, product), wanted) in groups {
        let (venue, urls) = open(settings, &name, product)?;
        let (all, _) = instruments(&*venue, &urls, transport).await?;
        let mut listed = Vec::new();
        for (id, symbol) in wanted {
            let rules = all.iter().find(|r| r.symbol == symbol).ok_or_else(|| {
                let near = super::plan::nearest(symbol.as_str(), all.iter().map(|r| r.symbol.as_str()));
                RunError::Settings(format!(
                    "{symbol} is not listed by {name}{}",
                    near.map(|n| format!("; did you mean {n}?")).unwrap_or_default()
                ))
            })?;
            let mut kinds = vec![Kind::Trades, Kind::Quotes, Kind::Depth];
            if product == Product::Linear {
                kinds.push(Kind::Funding);
            }
            // No venue says in its list of instruments what this account pays.
            let usual = venue.facts().fees_bps;
            let fees = usual.and_then(|(maker, taker)| Rate::from_bps(maker).ok().zip(Rate::from_bps(taker).ok()));
            rows.push((id, Offer { instrument: rules.instrument(id), fees, fees_are_assumed: true, kinds }));
            listed.push((id, rules.clone()));
        }
        let facts = venue.facts();
        let own = settings.venue.get(&settings_key(facts.venue, facts.product));
        let limits = Limits::with_acts(
            own.and_then(|v| v.weight_per_minute).unwrap_or(facts.weight_per_minute),
            own.and_then(|v| v.orders_per_10s).unwrap_or(facts.orders_per_10s),
            facts.act_count.map(|count| ActCount {
                max: own.and_then(|v| v.act_count_max).unwrap_or(count.max),
                empties_ms: own.and_then(|v| v.act_count_empties_ms).unwrap_or(count.empties_ms),
            }),
        );
        places.push(Place { venue, urls, listings: Listings::new(listed), limits });
    }
    rows.sort_by_key(|r| r.0);
    let names: Vec<&str> = places.iter().map(|p| p.venue.facts().venue).collect();
    let place = names.join(", ");
    Ok((places, Offers { rows: rows.into_iter().map(|r| r.1).collect(), place }))
}

/// Why orders cannot be sent to these places, or not in one session: for each instrument and place that is concerned.
pub(super) fn without_orders(places: &[Place]) -> Vec<String> {
    let mut why = Vec::new();
    for place in places {
        let name = place.venue.facts().venue;
        for rules in place.listings.iter().map(|l| &l.rules) {
            let word = rules.closed.iter();
            why.extend(word.map(|word| format!("{name} takes no orders for {} now: it says {word}", rules.symbol)));
        }
        why.extend(place.venue.not_together(&place.listings));
    }
    why
}

/// A second source of an instrument: where, and how its numbers become the first's.
pub(super) struct Second {
    pub(super) instrument: InstrumentId,
    pub(super) place: Place,
    pub(super) scale: Scale,
}

/// From a second source's digits to the first's. What does not fit exactly is rounded toward zero: these prices judge and
/// stand in, they do not enter books.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    price: (u8, u8),
    qty: (u8, u8),
}

impl Scale {
    fn change(mantissa: i64, (from, to): (u8, u8)) -> i64 {
        let wide = i128::from(mantissa);
        let changed =
            if to >= from { wide * 10i128.pow(u32::from(to - from)) } else { wide / 10i128.pow(u32::from(from - to)) };
        i64::try_from(changed).unwrap_or(0)
    }

    pub(super) fn price(self, price: Price) -> Price {
        Price::from_mantissa(Self::change(price.mantissa(), self.price))
    }

    pub(super) fn qty(self, qty: Qty) -> Qty {
        Qty::from_mantissa(Self::change(qty.mantissa(), self.qty))
    }
}

/// The second sources that the settings name for instruments of the session.
///
/// # Errors
/// [`RunError`].
pub(super) async fn seconds(
    settings: &Settings,
    instruments: &[Instrument],
    transport: &dyn Transport,
) -> Result<Vec<Second>, RunError> {
    let mut seconds = Vec::new();
    for (first, second) in &settings.session.second_source {
        let Some(instrument) = instruments.iter().find(|i| i.symbol == *first) else {
            return Err(RunError::Settings(format!("session.second_source: {first} is no instrument of the session")));
        };
        let (mut places, _) = places(settings, std::slice::from_ref(second), transport).await?;
        let Some(mut place) = places.pop() else { continue };
        let rules = place.listings.iter().next().map(|l| l.rules.clone());
        let Some(rules) = rules else { continue };
        let scale =
            Scale { price: (rules.price_scale, instrument.price_scale), qty: (rules.qty_scale, instrument.qty_scale) };
        place.listings = Listings::new([(instrument.id, rules)]);
        seconds.push(Second { instrument: instrument.id, place, scale });
    }
    Ok(seconds)
}

/// What of an instrument's data its second source cannot stand in for, in words; `None` where it can for all.
pub(super) fn not_stood_in_for(instrument: &Instrument, series: &[(InstrumentId, Kind)]) -> Option<String> {
    let own = series.iter().filter(|(id, _)| *id == instrument.id).map(|(_, kind)| *kind);
    let left: Vec<String> =
        own.filter(|k| matches!(k, Kind::Depth | Kind::Bars(_))).map(|kind| kind.to_string()).collect();
    (!left.is_empty()).then(|| {
        format!(
            "the second source of {} stands in for trades and quotes only: not for {}",
            instrument.symbol,
            left.join(", ")
        )
    })
}

/// The last complete bars of an instrument before `now`, oldest first, as many as asked for if the venue has them.
///
/// # Errors
/// [`RunError::Venue`].
pub(super) async fn history(
    place: &Place,
    instrument: InstrumentId,
    interval: Interval,
    count: u64,
    now: Ts,
    transport: &dyn Transport,
) -> Result<Vec<Bar>, RunError> {
    let name = place.venue.facts().venue;
    let failed = |what: String| RunError::Venue(format!("{name}: asking for past bars of {interval}: {what}"));
    let end = now.floor_to(interval);
    let span = i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(interval.nanos());
    let mut from = end.plus(-span);
    let mut bars: Vec<Bar> = Vec::new();
    while from < end {
        let ask = Ask::Bars(instrument, interval, from, end);
        let request = place.venue.ask(&ask, &place.listings).map_err(|e| failed(e.to_string()))?;
        let answer = transport.http(&place.urls.rest, &request).await.map_err(|e| failed(e.to_string()))?;
        let page = match place.venue.reply(&ask, &answer, &place.listings).map_err(|e| failed(e.to_string()))? {
            Reply::Bars(page) => page,
            _ => return Err(failed("the answer is of another kind".to_owned())),
        };
        let fresh: Vec<Bar> = page.into_iter().filter(|b| b.ts_open >= from && b.ts_open < end).collect();
        // An answer without any speaks of one page only.
        let page = interval.nanos().saturating_mul(i64::from(place.venue.facts().bars_page.max(1)));
        from = fresh.last().map_or(from.plus(page), |last| last.ts_open.plus(interval.nanos()));
        bars.extend(fresh);
    }
    Ok(bars)
}

/// The feed of a place for the series a plan wants.
///
/// # Errors
/// [`RunError::Venue`] when the venue lacks one of them.
pub(super) fn feed(
    place: &Place,
    series: &[(InstrumentId, Kind)],
    settings: &Settings,
    seed: u64,
) -> Result<Feed, RunError> {
    let session = &settings.session;
    let mut topics = Vec::new();
    for (id, kind) in series.iter().filter(|(id, _)| place.listings.get(*id).is_some()) {
        topics.push(match kind {
            Kind::Trades => Topic::Trades(*id),
            Kind::Quotes => Topic::Quotes(*id),
            Kind::Depth => Topic::Depth(*id, session.depth_levels),
            Kind::Bars(interval) => Topic::Bars(*id, *interval),
            Kind::Funding => Topic::Funding(*id),
        });
    }
    let mut how = FeedSettings { seed, ..FeedSettings::default() };
    how.stale.quotes_ms = session.stale_ms;
    how.stale.depth_ms = session.stale_ms;
    how.stale.trades_ms = session.stale_trades_ms;
    let (feed, missing) = Feed::new(
        Arc::clone(&place.venue),
        place.listings.clone(),
        &topics,
        &place.urls,
        how,
        Arc::clone(&place.limits),
    );
    match missing.first() {
        None => Ok(feed),
        Some(topic) => Err(RunError::Venue(format!("{} has no stream of {topic:?}", place.venue.facts().venue))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for yes in ["http://127.0.0.1:8377", "https://localhost/", "http://[::1]:1", "http://127.9.9.9"] {
            assert!(is_loopback(yes), "{yes}");
        }
        for no in [
            "https://api.binance.com",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1@evil.example",
            "http://10.0.0.1",
            "127.0.0.1",
            "",
        ] {
            assert!(!is_loopback(no), "{no}");
        }
    }

    /// A yes is needed wherever an order may cost money: a test network counts only at its own addresses.
    #[test]
    fn what_may_cost_money_is_no_play() {
        let settings = |testnet: bool, rest: &str, trade: &str, account: &str| {
            let set = |url: &str| (!url.is_empty()).then(|| url.to_owned());
            let mut settings = Settings::default();
            settings.backtest.instruments = vec!["binance:BTC/USDT".parse().expect("a symbol")];
            let own = settings.venue.entry("binance".to_owned()).or_default();
            own.testnet = testnet;
            (own.rest_url, own.trade_url, own.account_url) = (set(rest), set(trade), set(account));
            settings
        };
        let (here, there) = ("http://127.0.0.1:8377", "http://127.0.0.1.evil.example");
        for (testnet, rest, trade, account) in
            [(true, "", "", ""), (false, here, here, ""), (true, here, here, here), (true, here, "", "")]
        {
            let play = plays(&settings(testnet, rest, trade, account)).expect("settings");
            assert!(play, "{testnet} {rest} {trade} {account}");
        }
        for (testnet, rest, trade, account) in [
            (false, "", "", ""),
            (false, here, "", ""),
            (false, "", here, ""),
            (false, here, here, there),
            (true, there, "", ""),
            (true, "", there, ""),
            (false, there, there, there),
        ] {
            let play = plays(&settings(testnet, rest, trade, account)).expect("settings");
            assert!(!play, "{testnet} {rest} {trade} {account}");
        }
    }

    #[test]
    fn what_a_second_source_does_not_stand_in_for_is_told() {
        let of = |id| Instrument::inferred(InstrumentId(id), "test:AAA/USD".parse().expect("a symbol"), 2, 4);
        let one = InstrumentId(0);
        let series = [(one, Kind::Depth), (one, Kind::Trades), (InstrumentId(1), Kind::Quotes)];
        let words = not_stood_in_for(&of(0), &series).expect("depth is left");
        assert!(words.ends_with("for trades and quotes only: not for depth"), "{words}");
        assert_eq!(not_stood_in_for(&of(1), &series), None);
    }

    #[test]
    fn contracts_of_two_settlement_currencies_are_no_live_session_at_bybit() {
        let place = |symbols: &[&str]| {
            let (venue, urls) = open(&Settings::default(), "bybit", Product::Linear).expect("built in");
            let rules = |(symbol, id): (&&str, u16)| {
                (InstrumentId(id), crate::run::look::guess(&*venue, &symbol.parse().expect("a symbol")))
            };
            let listings = Listings::new(symbols.iter().zip(0..).map(rules));
            let limits = Limits::new(1, 1);
            Place { venue, urls, listings, limits }
        };
        let (one, other) = ("bybit:BTC/USDT:USDT", "bybit:ETH/USDC:USDC");
        assert_eq!(without_orders(&[place(&[one, "bybit:ETH/USDT:USDT"])]), Vec::<String>::new());
        let why = without_orders(&[place(&[one, other])]);
        assert!(why.len() == 1 && why[0].contains("USDT") && why[0].contains(other), "{why:?}");
    }
}
