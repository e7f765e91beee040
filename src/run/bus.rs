//! Sessions whose market data another process publishes: which instruments it offers, under which rules, and the way there; and
//! what a session of ours offers to others.

use std::sync::Arc;

use bellwether_sdk::{Instrument, InstrumentId, Rate, Symbol};

use super::RunError;
use super::market::Place;
use super::supply::{Offer, Offers};
use crate::config::{Feed, Settings};
use crate::exchange::machine::Limits;
use crate::exchange::transport::Transport;
use crate::exchange::{Fault, Listings};
use crate::market::Kind;
use crate::sinks::Offering;
use crate::sources::Tokens;
use crate::sources::nats::{BusVenue, way, who};

/// The name of the token with which market data is read.
const MARKET: &str = "market";

/// The way to venues and, for a session that listens to the bus, to its server.
///
/// # Errors
/// [`RunError::Settings`] for what is wrong with the settings, or a build that cannot.
pub(super) fn with_way(
    settings: &Settings,
    tokens: Tokens<'_>,
    transport: Arc<dyn Transport>,
) -> Result<Arc<dyn Transport>, RunError> {
    if settings.session.feed != Feed::Bus {
        return Ok(transport);
    }
    let token = who(tokens("nats", MARKET))?;
    way(&settings.session.bus, token, transport).map_err(|why| RunError::Settings(format!("session.bus: {why}")))
}

/// The bus as a place, with the rules of the instruments as their publishers say them, and what data they publish. A publisher
/// that is not there yet is waited for a while.
///
/// # Errors
/// [`RunError`].
pub(super) async fn places(
    settings: &Settings,
    symbols: &[Symbol],
    transport: &dyn Transport,
) -> Result<(Vec<Place>, Offers), RunError> {
    let venue = BusVenue::new(&settings.session.bus);
    let url = &settings.session.bus.url;
    let request = venue.ask_offers(symbols);
    let failed = |what: String| RunError::Venue(format!("the bus at {url}: {what}"));
    let mut waits = [1, 2, 4, 8].into_iter();
    let (offered, odd) = loop {
        let answer = transport.http(url, &request).await.map_err(|e| failed(e.to_string()))?;
        match (venue.offers(&answer), waits.next()) {
            (Ok(offers), _) => break offers,
            (Err(e), Some(wait_s)) if e.fault == Fault::Transient => {
                tracing::warn!("the bus at {url}: {}; asked again in {wait_s} s", e.text);
                tokio::time::sleep(std::time::Duration::from_secs(wait_s)).await;
            }
            (Err(e), _) => return Err(failed(e.text)),
        }
    };
    let (mut listed, mut rows) = (Vec::new(), Vec::new());
    for (symbol, id) in symbols.iter().zip((0u16..).map(InstrumentId)) {
        let Some(found) = offered.iter().find(|o| o.rules.symbol == *symbol) else {
            let why = odd.first().map_or_else(|| "its rules name another".to_owned(), Clone::clone);
            return Err(failed(format!("{symbol} is not understood: {why}")));
        };
        // Of a newer publisher we may not know every kind.
        let kinds: Vec<Kind> = found.kinds.iter().filter_map(|k| k.parse().ok()).collect();
        let instrument = Instrument { inferred: found.inferred, ..found.rules.instrument(id) };
        rows.push(Offer { instrument, fees: found.fees, fees_are_assumed: false, kinds });
        listed.push((id, found.rules.clone()));
    }
    let place = url.clone();
    let facts = crate::exchange::Venue::facts(&venue);
    let (urls, limits) = (facts.urls.clone(), Limits::new(facts.weight_per_minute, facts.orders_per_10s));
    let places = vec![Place { venue: Arc::new(venue), urls, listings: Listings::new(listed), limits }];
    Ok((places, Offers { rows, place }))
}

/// What a session that hears these series offers to others of each instrument.
pub(super) fn offerings(
    instruments: &[Instrument],
    series: &[(InstrumentId, Kind)],
    fees: impl Fn(&Symbol) -> Option<(Rate, Rate)>,
) -> Vec<Offering> {
    let of = |i: &Instrument| Offering {
        fees: fees(&i.symbol),
        kinds: series.iter().filter(|(id, _)| *id == i.id).map(|(_, kind)| kind.to_string()).collect(),
    };
    instruments.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::transport::{Live, LiveSettings};
    use crate::keys::{KeyError, Token};

    fn nobody(_: &str, name: &str) -> Result<Token, KeyError> {
        Err(KeyError::Absent { name: name.to_owned() })
    }

    fn way_to(feed: Feed, url: &str) -> Result<(), String> {
        let mut settings = Settings::default();
        (settings.session.feed, settings.session.bus.url) = (feed, url.to_owned());
        let live = Arc::new(Live::new(LiveSettings::default()).expect("a network"));
        with_way(&settings, &nobody, live).map(drop).map_err(|e| e.to_string())
    }

    #[test]
    fn who_listens_to_venues_needs_no_bus_and_who_names_a_wrong_one_is_told() {
        assert_eq!(way_to(Feed::Venue, "nonsense"), Ok(()));
        let why = way_to(Feed::Bus, "http://host").expect_err("no address");
        let words = if cfg!(feature = "nats") { "nats://HOST:PORT" } else { "--features nats" };
        assert!(why.contains("session.bus") && why.contains(words), "{why}");
        let why = way_to(Feed::Bus, "http://me:secret@host").expect_err("somebody's name");
        assert!(!why.contains("secret@"), "{why}");
        assert_eq!(way_to(Feed::Bus, "nats://127.0.0.1:4222").is_ok(), cfg!(feature = "nats"));
    }

    #[test]
    fn what_is_offered_of_each_instrument_is_what_is_heard_of_it() {
        let instrument =
            |i: u16, name: &str| Instrument::inferred(InstrumentId(i), name.parse().expect("a symbol"), 2, 4);
        let instruments = [instrument(0, "test:AAA/USD"), instrument(1, "test:BBB/USD")];
        let series = [(InstrumentId(1), Kind::Trades), (InstrumentId(1), Kind::Depth), (InstrumentId(0), Kind::Quotes)];
        let fee = Rate::from_mantissa(7);
        let all = offerings(&instruments, &series, |s| (s.as_str() == "test:AAA/USD").then_some((fee, fee)));
        assert_eq!((all[0].fees, all[0].kinds.clone()), (Some((fee, fee)), vec!["quotes".to_owned()]));
        assert_eq!((all[1].fees, all[1].kinds.clone()), (None, vec!["trades".to_owned(), "depth".to_owned()]));
    }
}
