//! Open orders that others sent: looked up, and taken over where somebody wants that.
//!
//! Which fills are ours is a matter of ids, not of times: an order is taken over only when the venue has told every fill
//! that its filled quantity counts. Those stand aside; all others are booked.

use std::collections::BTreeMap;

use bellwether_sdk::{InstrumentId, Qty, Ts};

use super::held::Held;
use super::requests::Job;
use super::{Gateway, GatewayEvent, nanos};
use crate::exchange::{ClientId, FillNote, NO_INSTRUMENT, OrderRow, OrderStatus};
use crate::orders::Order;

/// So often fills that explain what filled are asked for.
const TRIES: u32 = 8;
/// Answers without the order that must be heard, the last of them a settling time after it was seen.
const MISSING_ENOUGH: u32 = 2;

/// An order of others that is ours from now on.
#[derive(Debug, Clone)]
pub struct Adopted {
    /// The order: a quantity, which is what was open of it.
    pub order: Order,
    /// The venue's id.
    pub venue_id: String,
    /// What had filled before.
    pub before: Qty,
    /// Fills from this time of our clock on are ours, but for those seen.
    pub since: Ts,
    /// Whether its cancel was asked for.
    pub cancelled: bool,
    /// How its end was told.
    pub ended: Option<OrderStatus>,
    /// What fills were told of it.
    pub filled: Qty,
    /// The venue's ids of fills that stand aside or were told.
    pub seen: Vec<String>,
}

/// An order that is being looked up.
#[derive(Debug, Default)]
pub(super) struct LookedUp {
    /// As it was found, and our time of the question.
    row: Option<(OrderRow, Ts)>,
    fills: BTreeMap<String, Qty>,
    tries: u32,
    /// When it was to be looked up, and answers since without it.
    since: Ts,
    missing: u32,
}

/// An order of others that is not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftAlone {
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// The venue's id.
    pub venue_id: String,
    /// Why.
    pub why: String,
    /// It was not found any more; if it is seen again it is told again.
    pub is_gone: bool,
}

/// An open order of others that may be [taken over](Gateway::take_in).
#[derive(Debug, Clone, PartialEq)]
pub struct Adoptable {
    /// The order as it stood.
    pub row: OrderRow,
    /// The venue's ids of all that had filled of it.
    pub seen: Vec<String>,
    /// Our time then.
    pub since: Ts,
}

impl Gateway {
    /// Looks an open order of others up, to be told as [`GatewayEvent::Adoptable`].
    pub fn look_up(&mut self, instrument: InstrumentId, venue_id: &str, now: Ts) {
        self.at(now);
        let name = (instrument, venue_id.to_owned());
        if !self.looked_up.contains_key(&name) && !self.by_venue.contains_key(&name) {
            self.looked_up.insert(name.clone(), LookedUp { since: self.now, ..LookedUp::default() });
            self.later(0, Job::Foreign(name.0, name.1), 0);
            self.pump();
        }
    }

    pub(super) fn is_looked_up(&self, instrument: InstrumentId, venue_id: &str) -> bool {
        let is_it =
            |(of, id): &&(InstrumentId, String)| (instrument == NO_INSTRUMENT || *of == instrument) && id == venue_id;
        !self.looked_up.is_empty() && self.looked_up.keys().any(|name| is_it(&name))
    }

    /// The open orders of an instrument, asked for to find one of others among them.
    pub(super) fn on_foreign(&mut self, instrument: InstrumentId, venue_id: String, rows: Vec<OrderRow>, asked: Ts) {
        let name = (instrument, venue_id);
        let (wait, settle) = (self.settings.ask_after_ms, nanos(self.facts.settle_ms));
        let Some(found) = self.looked_up.get_mut(&name) else { return };
        let Some(row) = rows.into_iter().find(|r| r.instrument == instrument && r.venue_id == name.1) else {
            // An answer may be of a moment ago.
            found.missing += 1;
            if found.missing < MISSING_ENOUGH || asked < found.since.plus(settle) {
                let wait = wait << found.missing.min(5);
                return self.later(wait, Job::Foreign(name.0, name.1), 0);
            }
            self.foreign.forget(name.0, &name.1);
            self.looked_up.remove(&name);
            let why =
                "it is not open any more, or waits for a trigger where the venue keeps such orders apart".to_owned();
            let left = LeftAlone { instrument: name.0, venue_id: name.1, why, is_gone: true };
            return self.events.push_back(GatewayEvent::LeftAlone(left));
        };
        match row.client_id.parse::<ClientId>() {
            Ok(client) if client.session == self.settings.session => {
                return self.leave_alone(&name, "it bears a number of this very session");
            }
            _ if row.kind.is_none() => {
                return self.leave_alone(&name, "it is of a kind that this program does not have");
            }
            _ => {}
        }
        let Some(found) = self.looked_up.get_mut(&name) else { return };
        if row.filled.is_zero() {
            self.looked_up.remove(&name);
            self.events.push_back(GatewayEvent::Adoptable(Adoptable { row, seen: Vec::new(), since: asked }));
            return;
        }
        let from = row.ts_venue;
        (found.row, found.fills) = (Some((row, asked)), BTreeMap::new());
        self.later(0, Job::ForeignFills(name.0, name.1, from), 0);
    }

    /// Fills of the instrument since a time of the venue.
    pub(super) fn on_foreign_fills(&mut self, instrument: InstrumentId, venue_id: String, rows: &[FillNote]) {
        let name = (instrument, venue_id);
        let wait = self.settings.ask_after_ms;
        let Some(found) = self.looked_up.get_mut(&name) else { return };
        let its = rows.iter().filter(|f| f.venue_id == name.1 && !f.trade_id.is_empty());
        found.fills.extend(its.map(|f| (f.trade_id.clone(), f.qty)));
        let explained: i64 = found.fills.values().map(|q| q.mantissa()).fold(0, i64::saturating_add);
        match found.row.take() {
            Some((row, asked)) if row.filled.mantissa() == explained => {
                let seen = std::mem::take(&mut found.fills).into_keys().collect();
                self.looked_up.remove(&name);
                self.events.push_back(GatewayEvent::Adoptable(Adoptable { row, seen, since: asked }));
            }
            // It filled meanwhile, or the venue is late to tell: asked for again from the order on.
            _ if found.tries < TRIES => {
                found.tries += 1;
                let wait = wait << found.tries;
                self.later(wait, Job::Foreign(name.0, name.1), 0);
            }
            _ => self.leave_alone(&name, "the venue does not tell the fills that make up what has filled of it"),
        }
    }

    pub(super) fn leave_alone(&mut self, name: &(InstrumentId, String), why: &str) {
        self.looked_up.remove(name);
        let left = LeftAlone { instrument: name.0, venue_id: name.1.clone(), why: why.to_owned(), is_gone: false };
        self.events.push_back(GatewayEvent::LeftAlone(left));
    }

    /// Takes an order of others over: it is followed to its end as ours, and cancelled when that is asked for.
    pub fn take_in(&mut self, adopted: Adopted, now: Ts) {
        self.at(now);
        let id = adopted.order.id;
        if self.orders.contains_key(&id) {
            return self.note(format!("order {} is there already: what was taken over under it is not managed", id.0));
        }
        let listed = self.listings.get(adopted.order.instrument).is_some();
        let Some(mut held) = Held::adopted(&adopted, self.settings.session).filter(|_| listed) else {
            return self.note(format!("order {} is of an instrument that is not listed; it is not managed", id.0));
        };
        for trade in &adopted.seen {
            held.is_new_fill(trade);
        }
        self.orders.insert(id, held);
        if adopted.ended.is_none() {
            self.live.insert(id);
        }
        // What came for it meanwhile is read now.
        self.named(id, &adopted.venue_id);
        if adopted.ended.is_some() {
            return;
        }
        if adopted.cancelled {
            self.cancel(id, now);
        }
        self.later(0, Job::Order(id), 0);
        self.later(0, Job::Fills(adopted.order.instrument, adopted.since), 0);
        if self.reconcile_due == Ts::MAX {
            self.reconcile_later();
        }
        self.pump();
    }
}
