//! What a live session has sent, which is not sent again, and what the venue calls it: gathered while it runs and while its
//! tape is heard, so that it goes on at the venue.

use std::collections::BTreeMap;

use bellwether_sdk::{InstrumentId, OrderId, OrderState, Price, Qty, Ts};
use serde::{Deserialize, Serialize};

use crate::engine::{Adopted as What, Adoption, Command, Engine, Told};
use crate::exchange::OrderStatus;
use crate::exchange::gateway::{Adopted, Earlier, Paid};
use crate::orders::{Answer, Order, WordId};
use crate::risk::Approved;
use crate::tape::VenueNote;

/// Funding is asked for again since a day before the last that is known: what is older than this is not told again.
const PAID_KEPT_NS: i64 = 2 * 86_400_000_000_000;

/// The orders that were sent, and what is known of the venues' accounts.
#[derive(Debug, Default)]
pub(super) struct Sent {
    orders: BTreeMap<OrderId, (Approved<Order>, Way)>,
    rest: Rest,
    /// How many orders the engine had put away when it was looked at last.
    away: u64,
}

/// What is known of an order beside itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Way {
    /// The price that it was judged by.
    reference: Price,
    sent: Ts,
    attempts: u64,
    cancelled: bool,
    /// The venue's ids of its fills.
    seen: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Rest {
    /// The id of a fill whose answer has not been heard: a crash may have come between.
    coming: Option<(OrderId, String)>,
    /// What was noted of the venues' accounts.
    aside: Vec<VenueNote>,
    /// Orders of others that were taken over.
    adopted: BTreeMap<OrderId, Taken>,
    /// Funding whose answer has not been heard.
    paying: Option<(InstrumentId, String, Ts)>,
    /// Funding that was booked or left alone, by the venue's ids.
    paid: Paid,
    /// By gateway: since when funding is booked.
    since: BTreeMap<u64, Ts>,
}

/// An order of others, as it was taken over and since.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Taken {
    order: Order,
    venue_id: String,
    before: Qty,
    since: Ts,
    cancelled: bool,
    seen: Vec<String>,
}

/// What is carried over beside the orders themselves, in their order.
#[derive(Serialize, Deserialize)]
pub(super) struct SentState(Vec<Way>, Rest);

impl Sent {
    /// Before the session hears an input.
    pub(super) fn before(&mut self, told: &Told<'_>) {
        if let Told::Adopt(adoption, _) = told {
            return self.take(adoption);
        }
        if let Told::Answer(Answer::Funding(instrument, _), _) = told {
            if let Some((_, id, at)) = self.rest.paying.take().filter(|(of, ..)| of == instrument) {
                self.is_paid(*instrument, id, at);
            }
            return;
        }
        let Told::Answer(Answer::Fill { order, .. }, _) = told else { return };
        let Some((_, trade)) = self.rest.coming.take().filter(|(id, _)| id == order) else { return };
        if let Some((_, way)) = self.orders.get_mut(order) {
            way.seen.push(trade);
        } else if let Some(taken) = self.rest.adopted.get_mut(order) {
            taken.seen.push(trade);
        }
    }

    /// Funding need not be booked again. What is older than is asked for is forgotten.
    fn is_paid(&mut self, instrument: InstrumentId, id: String, at: Ts) {
        self.rest.paid.insert((instrument, id), at);
        let newest = self.rest.paid.values().max().copied().unwrap_or(at);
        self.rest.paid.retain(|_, of| of.plus(PAID_KEPT_NS) >= newest);
    }

    /// Funding that was booked or left alone, by instrument and the venue's id, with the venue's time.
    pub(super) fn paid(&self) -> Paid {
        self.rest.paid.clone()
    }

    /// By gateway: since when funding is booked, where it is.
    pub(super) fn funding_since(&self) -> BTreeMap<u64, Ts> {
        self.rest.since.clone()
    }

    /// An order of others is taken over.
    fn take(&mut self, adoption: &Adoption) {
        if let What::Order { venue_id, before, seen, since, .. } = &adoption.what {
            let (order, venue_id, seen) = (adoption.order(0, WordId::default()), venue_id.clone(), seen.clone());
            let taken = Taken { order, venue_id, before: *before, since: *since, cancelled: false, seen };
            self.rest.adopted.insert(adoption.order, taken);
        }
    }

    /// What the engine has put away is not kept here either: the venue has called it ended long ago.
    pub(super) fn put_away(&mut self, engine: &Engine) {
        let away = engine.put_away_counts().orders;
        if std::mem::replace(&mut self.away, away) != away {
            self.orders.retain(|id, _| engine.orders().get(*id).is_ok());
            self.rest.adopted.retain(|id, _| engine.orders().get(*id).is_ok());
        }
    }

    /// What goes out.
    pub(super) fn goes(&mut self, command: &Command, engine: &Engine) {
        match command {
            Command::Submit(order) => {
                let reference = engine.view().instruments[order.get().instrument.index()].last;
                let way = Way { reference, sent: engine.now(), attempts: 1, cancelled: false, seen: Vec::new() };
                self.orders.insert(order.get().id, (*order, way));
            }
            Command::Cancel(id, _) => {
                if let Some((_, way)) = self.orders.get_mut(id) {
                    way.cancelled = true;
                } else if let Some(taken) = self.rest.adopted.get_mut(id) {
                    taken.cancelled = true;
                }
            }
        }
    }

    /// What the venue calls something.
    pub(super) fn noted(&mut self, note: &VenueNote) {
        match note {
            VenueNote::Attempt(id, attempt) => {
                if let Some((_, way)) = self.orders.get_mut(id) {
                    way.attempts = *attempt;
                }
            }
            VenueNote::Fill(id, trade) => self.rest.coming = Some((*id, trade.clone())),
            VenueNote::Aside(number, what, _) => {
                // The last amount counts: there is one for each of what an account holds.
                let same = |n: &VenueNote| matches!(n, VenueNote::Aside(m, of, _) if m == number && of == what);
                self.rest.aside.retain(|n| !same(n));
                self.rest.aside.push(note.clone());
            }
            VenueNote::Paid(instrument, id, at, true) => self.rest.paying = Some((*instrument, id.clone(), *at)),
            VenueNote::Paid(instrument, id, at, false) => self.is_paid(*instrument, id.clone(), *at),
            VenueNote::Left(..) => {}
            VenueNote::Funding(number, since) => drop(self.rest.since.insert(*number, *since)),
        }
    }

    /// What was noted of the venues' accounts.
    pub(super) fn aside(&self) -> Vec<VenueNote> {
        self.rest.aside.clone()
    }

    /// The orders, with what became of them.
    pub(super) fn known(&self, engine: &Engine) -> Vec<Earlier> {
        let of = |(id, (order, way)): (&OrderId, &(Approved<Order>, Way))| {
            let record = engine.orders().get(*id).ok()?;
            Some(Earlier {
                order: *order,
                reference: way.reference,
                sent: way.sent,
                attempts: way.attempts,
                accepted: !matches!(record.state, OrderState::Sent | OrderState::Unknown),
                cancelled: way.cancelled,
                ended: end_of(record.state),
                filled: record.filled,
                seen: if planted!("forget_fill_ids") { Vec::new() } else { way.seen.clone() },
            })
        };
        self.orders.iter().filter_map(of).collect()
    }

    /// The orders of others that were taken over, with what became of them.
    pub(super) fn taken(&self, engine: &Engine) -> Vec<Adopted> {
        let of = |(id, taken): (&OrderId, &Taken)| {
            let record = engine.orders().get(*id).ok()?;
            Some(Adopted {
                order: taken.order,
                venue_id: taken.venue_id.clone(),
                before: taken.before,
                since: taken.since,
                cancelled: taken.cancelled,
                ended: end_of(record.state),
                filled: record.filled,
                seen: taken.seen.clone(),
            })
        };
        self.rest.adopted.iter().filter_map(of).collect()
    }

    /// The orders as they were approved.
    pub(super) fn orders(&self) -> impl ExactSizeIterator<Item = Approved<Order>> {
        self.orders.values().map(|(order, _)| *order)
    }

    /// What is to be carried over beside these.
    pub(super) fn state(&self) -> SentState {
        SentState(self.orders.values().map(|(_, way)| way.clone()).collect(), self.rest.clone())
    }

    /// As it was when an engine had put so many orders away.
    pub(super) fn of(orders: Vec<Approved<Order>>, state: SentState, away: u64) -> Self {
        let ways = orders.into_iter().zip(state.0);
        Self { orders: ways.map(|(order, way)| (order.get().id, (order, way))).collect(), rest: state.1, away }
    }
}

/// How the venue called the end of an order in a state.
fn end_of(state: OrderState) -> Option<OrderStatus> {
    match state {
        OrderState::Filled => Some(OrderStatus::Filled),
        OrderState::Cancelled => Some(OrderStatus::Cancelled),
        OrderState::Rejected => Some(OrderStatus::Rejected),
        OrderState::Expired => Some(OrderStatus::Expired),
        _ => None,
    }
}
