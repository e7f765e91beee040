//! The settlements of perpetuals: those that a session books itself because a feed names them, each once, and those
//! that venues list.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bellwether_sdk::{Funding, InstrumentId, Price, Rate, Ts};

use super::RunError;
use super::download::{FUNDING_WINDOW_NS, unsettled_ns};
use super::market::Place;
use super::paper::wall_now;
use crate::exchange::transport::Transport;
use crate::exchange::{Ask, Product, Reply};
use crate::market::Kind;

/// A feed that names a later settlement has made the one before, although our clock may be behind by so much.
const CLOCKS_APART_NS: i64 = 600_000_000_000;

/// How often venues are asked for what they list: one question for each contract.
const ASK_EVERY: Duration = Duration::from_secs(3_600);

/// The settlements of perpetuals after a time, up to now, oldest first, as venues list them.
///
/// # Errors
/// [`RunError::Venue`].
pub(super) async fn since(
    places: &[Place],
    after: Ts,
    now: Ts,
    transport: &dyn Transport,
) -> Result<Vec<Funding>, RunError> {
    let mut all = Vec::new();
    for place in places.iter().filter(|p| p.venue.facts().product == Product::Linear) {
        let failed = |what: String| RunError::Venue(format!("{}: {what}", place.venue.facts().venue));
        for instrument in place.listings.iter().map(|l| l.id) {
            let mut from = after.plus(1);
            while from < now {
                let to = from.plus(FUNDING_WINDOW_NS).min(now);
                let ask = Ask::Funding(instrument, from, to);
                let request = place.venue.ask(&ask, &place.listings).map_err(|e| failed(e.to_string()))?;
                let answer = transport.http(&place.urls.rest, &request).await.map_err(|e| failed(e.to_string()))?;
                let reply = place.venue.reply(&ask, &answer, &place.listings).map_err(|e| failed(e.to_string()))?;
                let Reply::Funding(rows) = reply else {
                    return Err(failed("the answer is of another kind".to_owned()));
                };
                let within = rows.iter().filter(|r| r.ts_venue >= from && r.ts_venue < to);
                all.extend(within.map(|r| Funding { ts: r.ts_venue, rate: r.rate, mark: r.mark, instrument }));
                from = to;
            }
        }
    }
    all.sort_by_key(|f| (f.ts, f.instrument));
    Ok(all)
}

/// Settlements as venues list them, asked for now and then.
pub(super) struct Listed<'a> {
    places: &'a [Place],
    transport: Arc<dyn Transport>,
    /// Until when the answers reach.
    after: Ts,
}

impl<'a> Listed<'a> {
    /// Of the contracts at these places, from a time on.
    pub(super) fn new(places: &'a [Place], transport: Arc<dyn Transport>, from: Ts) -> Self {
        Self { places, transport, after: from }
    }

    /// What was settled since the last answer, and before this time. After a failure it is asked for again.
    pub(super) async fn until(&mut self, now: Ts) -> Result<Vec<Funding>, RunError> {
        let found = since(self.places, self.after, now, &*self.transport).await?;
        self.after = self.after.max(now.plus(-1));
        Ok(found)
    }

    /// Tells what venues list, each time when it is final.
    pub(super) async fn follow(&mut self, mut tell: impl FnMut(Result<Vec<Funding>, RunError>)) -> Infallible {
        loop {
            tokio::time::sleep(ASK_EVERY).await;
            tell(self.until(wall_now().plus(-unsettled_ns(Kind::Funding))).await);
        }
    }
}

/// Which settlement comes next, and which was booked last.
#[derive(Debug, Default)]
pub(super) struct Settlements {
    next: BTreeMap<InstrumentId, (Ts, Rate, Price)>,
    booked: BTreeMap<InstrumentId, Ts>,
}

impl Settlements {
    /// A feed names the next settlement, its rate and mark. Gives the one that was awaited, where that is over.
    pub(super) fn told(&mut self, id: InstrumentId, at: Ts, rate: Rate, mark: Price, now: Ts) -> Option<Funding> {
        if at == Ts::NONE || self.booked.get(&id).is_some_and(|last| at <= *last) {
            return None;
        }
        let awaited = self.next.get(&id).map_or(at, |next| next.0);
        let over = if awaited < at && awaited <= now.plus(CLOCKS_APART_NS) { self.book(id, now) } else { None };
        self.next.insert(id, (at, rate, mark));
        over
    }

    /// One that is due.
    pub(super) fn due(&mut self, now: Ts) -> Option<Funding> {
        let id = self.next.iter().find(|(_, next)| next.0 <= now).map(|(id, _)| *id)?;
        self.book(id, now)
    }

    /// One that was made at a time was booked otherwise: it is not booked again.
    pub(super) fn is_booked(&mut self, id: InstrumentId, at: Ts) {
        let last = self.booked.entry(id).or_insert(at);
        *last = at.max(*last);
    }

    /// When one is due; [`Ts::MAX`] for none.
    pub(super) fn next_due(&self) -> Ts {
        self.next.values().map(|next| next.0).min().unwrap_or(Ts::MAX)
    }

    fn book(&mut self, instrument: InstrumentId, now: Ts) -> Option<Funding> {
        let (at, rate, mark) = self.next.remove(&instrument)?;
        self.is_booked(instrument, at);
        Some(Funding { ts: at.min(now), rate, mark, instrument })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: InstrumentId = InstrumentId(0);
    const HOUR: i64 = 3_600_000;

    fn told(settlements: &mut Settlements, at: i64, rate: i64, now: i64) -> Option<(i64, i64)> {
        let (at, rate) = (Ts::from_millis(at), Rate::from_mantissa(rate));
        shown(settlements.told(ONE, at, rate, Price::ZERO, Ts::from_millis(now)))
    }

    fn shown(funding: Option<Funding>) -> Option<(i64, i64)> {
        funding.map(|f| (f.ts.nanos() / 1_000_000, f.rate.mantissa()))
    }

    #[test]
    fn a_settlement_is_booked_also_when_the_next_is_named_before_our_clock_has_come_to_it() {
        let mut settlements = Settlements::default();
        assert_eq!(told(&mut settlements, 8 * HOUR, 1, HOUR), None);
        assert_eq!(told(&mut settlements, 8 * HOUR, 2, 8 * HOUR - 1_500), None);
        // The venue's clock is a second ahead.
        assert_eq!(told(&mut settlements, 16 * HOUR, 3, 8 * HOUR - 1_000), Some((8 * HOUR - 1_000, 2)));
        assert_eq!(shown(settlements.due(Ts::from_millis(8 * HOUR + 1_000))), None, "it was booked");
        assert_eq!(shown(settlements.due(Ts::from_millis(16 * HOUR))), Some((16 * HOUR, 3)));
    }

    #[test]
    fn a_settlement_is_booked_once_and_one_that_was_moved_is_not() {
        let mut settlements = Settlements::default();
        told(&mut settlements, 8 * HOUR, 1, HOUR);
        assert_eq!(told(&mut settlements, 12 * HOUR, 1, HOUR), None, "put off hours before");
        assert_eq!(shown(settlements.due(Ts::from_millis(12 * HOUR))), Some((12 * HOUR, 1)));
        assert_eq!(told(&mut settlements, 12 * HOUR, 1, 12 * HOUR + 1), None, "an old message");
        assert_eq!(settlements.next_due(), Ts::MAX);
        settlements.is_booked(ONE, Ts::from_millis(16 * HOUR));
        assert_eq!(told(&mut settlements, 16 * HOUR, 1, 13 * HOUR), None);
        assert_eq!(settlements.next_due(), Ts::MAX, "booked from the venue's history");
    }
}
