//! Venues' markets for a session: which venues, their instruments' rules, and the feeds that listen to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bellwether_sdk::{InstrumentId, InstrumentKind, Symbol};

use super::RunError;
use super::supply::{Offer, Offers};
use crate::config::{Settings, VenueSettings};
use crate::exchange::feed::{Feed, FeedSettings};
use crate::exchange::machine::Limits;
use crate::exchange::transport::Transport;
use crate::exchange::{Ask, Listings, Product, Reply, Rules, Topic, Urls, VENUES, Venue, venue, venue_on_testnet};
use crate::market::Kind;

/// A venue's product in a session.
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

/// A venue's product with its addresses, as the settings say.
///
/// # Errors
/// [`RunError::Settings`] for a venue that is not built in, or a test network that it does not have.
pub(super) fn open(settings: &Settings, name: &str, product: Product) -> Result<(Arc<dyn Venue>, Urls), RunError> {
    let none = VenueSettings::default();
    let own = settings.venue.get(&settings_key(name, product)).unwrap_or(&none);
    let made = if own.testnet { venue_on_testnet(name, product) } else { venue(name, product) };
    let made = made.ok_or_else(|| {
        let known: Vec<String> = VENUES.iter().map(|(n, p)| settings_key(n, *p)).collect();
        RunError::Settings(format!(
            "no venue {:?} is built in; there are: {}",
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
            rows.push((id, Offer { instrument: rules.instrument(id), fees: None, kinds }));
            listed.push((id, rules.clone()));
        }
        let facts = venue.facts();
        let limits = Limits::new(facts.weight_per_minute, facts.orders_per_10s);
        places.push(Place { venue, urls, listings: Listings::new(listed), limits });
    }
    rows.sort_by_key(|r| r.0);
    let names: Vec<&str> = places.iter().map(|p| p.venue.facts().venue).collect();
    let place = names.join(", ");
    Ok((places, Offers { rows: rows.into_iter().map(|r| r.1).collect(), place }))
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
