//! The account as a whole: balances and positions, and funding as the venue booked it, which is asked for with every look
//! at them and told once, by the venue's ids.

use std::collections::BTreeMap;

use bellwether_sdk::{InstrumentId, Ts};

use super::requests::Job;
use super::{Gateway, GatewayEvent, nanos};
use crate::exchange::{PaidRow, Product, Span};

/// How far back fills are asked for when the account differs from our books.
const FILLS_AGAIN_NS: i64 = 3_600_000_000_000;
/// Funding is asked for again since so long before the last that is known: a venue may be late to book one of several contracts.
const AGAIN_NS: i64 = 86_400_000_000_000;
/// What is known is kept for longer than it is asked for.
const KEPT_NS: i64 = 2 * AGAIN_NS;
/// Clocks differ, and what is booked in this moment is wanted too.
const AHEAD_MS: u64 = 60_000;

/// Payments that were told, by instrument and the venue's id, with the venue's time.
pub type Paid = BTreeMap<(InstrumentId, String), Ts>;

/// What is asked for, and what is known.
#[derive(Debug)]
pub(super) struct Payments {
    /// Nothing before this time of our clock is ours.
    since: Ts,
    known: Paid,
}

impl Gateway {
    /// From now on funding is asked for that the venue booked since a time of our clock, but for what is known. Where a
    /// venue's product has none, nothing is asked.
    pub fn follow_funding(&mut self, since: Ts, known: Paid) {
        if self.facts.product == Product::Linear {
            self.payments = Some(Payments { since, known });
        }
    }

    /// The stretch in which something new may be.
    pub(super) fn paid_span(&self) -> Option<Span> {
        let payments = self.payments.as_ref()?;
        let began = self.clock.venue_time(payments.since);
        let newest = payments.known.values().max().map_or(Ts::NONE, |at| at.plus(-AGAIN_NS));
        Some(Span::new(began.max(newest), self.clock.venue_time(self.now).plus(nanos(AHEAD_MS))))
    }

    pub(super) fn ask_paid(&mut self, wait_ms: u64) {
        if self.payments.is_some() && !self.is_under_way(&Job::Paid(None)) {
            self.later(wait_ms, Job::Paid(None), 0);
        }
    }

    pub(super) fn on_paid(&mut self, mut rows: Vec<PaidRow>, further: Option<Span>) {
        let Some(payments) = &mut self.payments else { return };
        let began = self.clock.venue_time(payments.since);
        rows.retain(|row| row.ts_venue >= began && !row.id.is_empty());
        rows.sort_by(|a, b| (a.ts_venue, a.instrument, &a.id).cmp(&(b.ts_venue, b.instrument, &b.id)));
        for row in rows {
            if payments.known.insert((row.instrument, row.id.clone()), row.ts_venue).is_none() {
                self.events.push_back(GatewayEvent::Paid(row));
            }
        }
        let newest = payments.known.values().max().copied().unwrap_or(Ts::NONE);
        payments.known.retain(|_, at| at.plus(KEPT_NS) >= newest);
        if let Some(further) = further {
            self.later(0, Job::Paid(Some(further)), 0);
        }
    }

    /// Asks for balances, positions, open orders and fills after so many milliseconds: fills since a time at which the
    /// account was as it should be, but of the last hour at the most. Not where a look is under way, and that is both halves
    /// of it: what is told of one alone is compared with nothing.
    pub fn look_at_account(&mut self, wait_ms: u64, since: Option<Ts>, now: Ts) {
        let now = self.at(now);
        if self.is_under_way(&Job::Balances) && self.is_under_way(&Job::Positions) {
            return;
        }
        self.ask_account(wait_ms);
        let from = now.plus(-FILLS_AGAIN_NS).max(since.unwrap_or(Ts::NONE));
        let instruments: Vec<InstrumentId> = self.listings.iter().map(|l| l.id).collect();
        // The account, looked at by itself, makes up for much of what is not compared.
        if !planted!("no_reconcile") {
            for instrument in instruments {
                self.later(wait_ms, Job::Fills(instrument, from), 0);
            }
            self.later(wait_ms, Job::Open, 0);
        }
        self.pump();
    }

    pub(super) fn ask_account(&mut self, wait_ms: u64) {
        // First: what a balance has of it is booked when the balance is compared.
        self.ask_paid(wait_ms);
        for job in [Job::Balances, Job::Positions] {
            self.later(wait_ms, job, 0);
        }
        self.account_later();
    }

    pub(super) fn account_later(&mut self) {
        self.account_due = match self.settings.account_every_ms {
            0 => Ts::MAX,
            every => self.now.plus(nanos(every)),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::GatewaySettings;
    use super::*;
    use crate::exchange::binance::Binance;
    use crate::exchange::machine::Limits;
    use crate::exchange::{Listings, Venue};
    use crate::keys::{Credential, Scheme};

    #[test]
    fn a_look_that_has_only_one_half_under_way_is_made_whole() {
        for (one, other) in [(Job::Balances, Job::Positions), (Job::Positions, Job::Balances)] {
            let venue = Arc::new(Binance::new(Product::Linear));
            let (facts, now) = (venue.facts().clone(), Ts::from_nanos(1_700_000_000_000_000_000));
            let limits = Limits::new(facts.weight_per_minute, facts.orders_per_10s);
            let key = Arc::new(Credential::new("key", Scheme::HmacSha256, "secret").expect("a key"));
            let settings = GatewaySettings::new(1, facts.urls);
            let mut gateway = Gateway::new(venue, Listings::default(), key, settings, limits);
            gateway.at(now);
            gateway.later(0, one.clone(), 0);
            gateway.pump();
            assert!(gateway.is_under_way(&one) && !gateway.is_under_way(&other), "{one:?}");
            gateway.look_at_account(1_000, None, now);
            assert!(gateway.is_under_way(&one) && gateway.is_under_way(&other), "{one:?}");
            let waiting = gateway.waiting.len();
            gateway.look_at_account(1_000, None, now);
            assert_eq!(gateway.waiting.len(), waiting, "a whole one is enough");
        }
    }
}
