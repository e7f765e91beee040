//! The gateway's requests: waiting, sent over the trading socket or by REST, and answered.

use std::sync::Arc;

use bellwether_sdk::{InstrumentId, OrderId, Side, Ts};

use super::counts::wait_until;
use super::held::{Cancelling, State};
use super::wires::Era;
use super::{FILLS_MARGIN_NS, Gateway, GatewayEvent, nanos};
use crate::exchange::machine::{Action, Link, Tag};
use crate::exchange::transport::TransportError;
use crate::exchange::{
    Act, Amend, Ask, Cancel, Fault, FillNote, OrderRef, OrderRow, OrderStatus, Product, Reply, Request, Response, Span,
    VenueError,
};
use crate::keys::{Asked, Key, KeyError, Use};
use crate::orders::Answer;

/// A venue that tells open orders, or fills, on more pages than these has lost its place.
const PAGES_MAX: u32 = 200;

/// A sale that waits for room looks again after so long.
const ROOM_NS: i64 = nanos(10);

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Job {
    /// Places an order; made by [`Gateway::place`] only.
    Place(OrderId),
    Cancel(OrderId),
    Amend(OrderId, Amend),
    CancelAll(InstrumentId),
    /// An attempt that should not be there.
    CancelStray(InstrumentId, String),
    /// What became of an order.
    Order(OrderId),
    /// Which of our orders, if any, a venue's id means.
    Whose(InstrumentId, String),
    /// Fills of an instrument from a time on.
    Fills(InstrumentId, Ts),
    /// An open order of others, to be taken over.
    Foreign(InstrumentId, String),
    /// What filled of it since a time.
    ForeignFills(InstrumentId, String, Ts),
    /// All open orders.
    Open,
    /// All orders that wait for a trigger, where the venue keeps them apart.
    Conditional,
    Time,
    Ticket(Era),
    KeepTicket(String),
    Balances,
    Positions,
    /// Funding that the venue booked; `None`: all that may be new.
    Paid(Option<Span>),
    /// Tells the venue's dead man's switch that we live; with zero, that it is not wanted any more.
    Switch(u64),
}

impl Job {
    /// What it uses a key for.
    const fn purpose(&self) -> Use {
        match self {
            Self::Place(_) => Use::Place,
            Self::Cancel(_) | Self::CancelAll(_) | Self::CancelStray(..) | Self::Switch(_) => Use::Cancel,
            Self::Amend(..) => Use::Amend,
            Self::Order(_) | Self::Whose(..) | Self::Open | Self::Conditional | Self::Foreign(..) => Use::Orders,
            Self::Fills(..) | Self::ForeignFills(..) => Use::Fills,
            Self::Ticket(_) | Self::KeepTicket(_) => Use::Streams,
            Self::Time | Self::Balances | Self::Positions | Self::Paid(_) => Use::Account,
        }
    }

    /// Whether it may leave an order at the venue that was not there.
    pub(super) const fn makes_risk(&self) -> bool {
        matches!(self, Self::Place(_) | Self::Amend(..))
    }

    fn is_act(&self) -> bool {
        matches!(self, Self::Place(_) | Self::Cancel(_) | Self::Amend(..) | Self::CancelAll(_) | Self::CancelStray(..))
    }
}

/// A request that waits.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) due: Ts,
    pub(super) job: Job,
    pub(super) tries: u32,
    /// The page of fills that it goes on with.
    pub(super) page: Option<Box<Flight>>,
}

/// A request under way.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) job: Job,
    pub(super) tries: u32,
    pub(super) at: Ts,
    /// What was sent, for reading its answer.
    pub(super) sent: Sent,
    /// It was the second request for its question.
    pub(super) further: bool,
    /// The pages before.
    pub(super) before: Pages,
    /// It is signed.
    pub(super) signed: bool,
    /// The key that signed it.
    pub(super) key: Option<Arc<Key>>,
    /// The connection that it was said on.
    pub(super) link: Option<Link>,
}

impl Flight {
    fn new(job: Job, tries: u32, at: Ts, sent: Sent) -> Self {
        Self { job, tries, at, sent, further: false, before: Pages::default(), signed: false, key: None, link: None }
    }

    /// Whether fills were told already of the answer that it goes on with.
    pub(super) fn is_page_of_fills(&self) -> bool {
        self.before.count > 0 && matches!(self.sent, Sent::Ask(Ask::Fills(..)))
    }
}

/// What pages told of an answer that is not whole yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Pages {
    pub(super) orders: Vec<OrderRow>,
    /// Those of later pages before those of earlier ones.
    pub(super) fills: Vec<FillNote>,
    pub(super) count: u32,
}

/// A request as the codec knows it.
#[derive(Debug, Clone)]
pub(super) enum Sent {
    Act(Act),
    Ask(Ask),
    Switch,
}

impl Gateway {
    /// Puts a request off.
    pub(super) fn later(&mut self, wait_ms: u64, job: Job, tries: u32) {
        let due = self.now.plus(nanos(wait_ms));
        let waits = self.waiting.iter_mut().find(|w| w.job == job);
        match waits {
            // The same question twice is one, at the earlier time.
            Some(same) => same.due = same.due.min(due),
            None => self.waiting.push_back(Waiting { due, job, tries, page: None }),
        }
    }

    /// How long to wait before a repetition, milliseconds: doubling, with a jitter that repeats with the seed.
    pub(super) fn wait_ms(&self, tries: u32) -> u64 {
        let base = self.settings.ask_after_ms.max(1) << tries.min(6);
        let mixed = (self.settings.seed ^ self.next_number ^ u64::from(tries)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        base + (mixed >> 40) % base
    }

    pub(super) fn is_under_way(&self, job: &Job) -> bool {
        self.asked.values().any(|f| f.job == *job)
            || self.waiting.iter().any(|w| w.job == *job)
            || self.turn.iter().any(|(f, _)| f.job == *job)
    }

    /// Sends what is due and affordable.
    pub(super) fn pump(&mut self) {
        self.take_turns();
        for _ in 0..self.waiting.len() {
            let Some(waiting) = self.waiting.pop_front() else { break };
            let halted = self.halted.is_some() && !waiting.job.goes_in_a_halt();
            if waiting.due > self.now || halted {
                let due = if halted { waiting.due.max(self.now.plus(nanos(1_000))) } else { waiting.due };
                self.waiting.push_back(Waiting { due, ..waiting });
                continue;
            }
            match waiting.page {
                Some(flight) => self.send_page(*flight),
                None => self.send(waiting.job, waiting.tries),
            }
        }
    }

    /// Places an order: under a new client order id, if the venue's limits allow it now.
    pub(super) fn place(&mut self, id: OrderId) {
        let now = self.now;
        let repeat_for = nanos(self.settings.repeat_for_ms);
        let waits = |h: &super::Held| h.ended.is_none() && matches!(h.state, State::Waiting(_));
        let Some(held) = self.orders.get_mut(&id).filter(|h| waits(h)) else { return };
        if held.cancelling != Cancelling::No {
            self.end(id, OrderStatus::Cancelled, "requested");
            return;
        }
        if self.halted.is_some() {
            self.end(id, OrderStatus::Rejected, "halted");
            return;
        }
        if now > held.first.plus(repeat_for) {
            let why = held.why;
            self.end(id, OrderStatus::Rejected, why);
            return;
        }
        if self.waits_for_room(id) {
            let Some(held) = self.orders.get_mut(&id) else { return };
            held.state = State::Waiting(now.plus(ROOM_NS));
            return;
        }
        let Some(held) = self.orders.get_mut(&id) else { return };
        let instrument = held.order().instrument;
        let act = self.facts.act_count.and_then(|_| held.placement()).map(Act::Place);
        let cost = act.map_or(0, |act| self.venue.cost(&act, 0));
        if let Err(later) = self.limits.may_act(instrument, cost, now).and_then(|()| self.limits.order(now)) {
            held.state = State::Waiting(later);
            held.why = "rate_limited";
            return;
        }
        held.issue(now);
        let attempts = held.attempts();
        if attempts > 1 {
            self.events.push_back(GatewayEvent::Attempt(id, attempts));
        }
        if self.reconcile_due == Ts::MAX {
            self.reconcile_later();
        }
        self.send(Job::Place(id), 0);
    }

    /// Whether a sale waits for the end of others, which was asked for: a spot venue holds what they sell until then, and by
    /// REST what is sent first may be looked at last. It waits no longer than for an answer.
    fn waits_for_room(&self, id: OrderId) -> bool {
        let Some(own) = self.orders.get(&id) else { return false };
        let (order, by_socket) = (own.order(), self.wires.trade.line.as_ref().is_some_and(|l| l.is_open()));
        let spot = self.facts.product == Product::Spot && order.side == Side::Sell;
        if !spot || by_socket || self.now >= own.first.plus(nanos(self.settings.answer_within_ms)) {
            return false;
        }
        let makes_room = |h: &super::Held| {
            let (other, ends) = (h.order(), h.cancelling != Cancelling::No);
            ends && other.instrument == order.instrument && other.side == Side::Sell
        };
        self.live.iter().filter(|other| **other != id).any(|other| self.orders.get(other).is_some_and(makes_room))
    }

    /// The act of a job; `None` when it is of no use any more.
    fn act(&mut self, job: &Job) -> Option<Act> {
        Some(match job {
            Job::Place(id) => Act::Place(self.orders.get(id)?.placement()?),
            Job::Cancel(id) => {
                let held = self.orders.get_mut(id).filter(|h| h.ended.is_none() || h.never_arrived)?;
                held.cancelling = Cancelling::Sent;
                Act::Cancel(Cancel { instrument: held.order().instrument, order: held.reference() })
            }
            Job::Amend(id, amend) => {
                self.orders.get(id).filter(|h| h.ended.is_none())?;
                Act::Amend(amend.clone())
            }
            Job::CancelAll(instrument) => Act::CancelAll(*instrument),
            Job::CancelStray(instrument, venue_id) => {
                Act::Cancel(Cancel { instrument: *instrument, order: OrderRef::Venue(venue_id.clone()) })
            }
            _ => return None,
        })
    }

    pub(super) fn ask(&self, job: &Job) -> Option<Ask> {
        Some(match job {
            Job::Order(id) => {
                // What has ended meanwhile need not be asked for.
                let held = self.orders.get(id).filter(|h| h.ended.is_none())?;
                // By our id as long as it is not sure that the venue's is of this attempt.
                let unknown = held.state == State::Unknown;
                let by = if unknown { OrderRef::Client(held.client()) } else { held.reference() };
                Ask::Order(held.order().instrument, by)
            }
            Job::Whose(instrument, venue_id) => Ask::Order(*instrument, OrderRef::Venue(venue_id.clone())),
            Job::Fills(instrument, from) => Ask::Fills(*instrument, self.fills_span(self.clock.venue_time(*from))),
            Job::Foreign(instrument, _) => Ask::OpenOrders(Some(*instrument)),
            Job::ForeignFills(instrument, _, from) => Ask::Fills(*instrument, self.fills_span(*from)),
            Job::Open => Ask::OpenOrders(None),
            Job::Conditional => Ask::OpenConditional(None),
            Job::Time => Ask::Time,
            Job::Ticket(_) => Ask::StreamTicket,
            Job::KeepTicket(ticket) => Ask::KeepTicket(ticket.clone()),
            Job::Balances => Ask::Balances,
            Job::Positions => Ask::Positions,
            Job::Paid(None) => Ask::Paid(self.paid_span()?),
            Job::Paid(Some(span)) => Ask::Paid(span.clone()),
            _ => return None,
        })
    }

    /// Fills from a time of the venue on; clocks differ.
    fn fills_span(&self, from: Ts) -> Span {
        let now = self.clock.venue_time(self.now);
        Span::new(from.plus(-FILLS_MARGIN_NS), now.plus(FILLS_MARGIN_NS))
    }

    pub(super) fn send(&mut self, job: Job, tries: u32) {
        if let Job::Switch(within_ms) = job {
            for request in self.venue.cancel_after(within_ms, &self.listings) {
                self.send_http(job.clone(), tries, Sent::Switch, request);
            }
            return;
        }
        if job.is_act() {
            if let Some(act) = self.act(&job) {
                if let Err(wait_ms) = self.count_act(&job, &act) {
                    return self.later(wait_ms, job, tries);
                }
                self.send_act(job, tries, act);
            }
        } else if let Some(ask) = self.ask(&job) {
            match self.venue.ask(&ask, &self.listings) {
                Ok(request) => self.send_http(job, tries, Sent::Ask(ask), request),
                Err(error) => {
                    self.on_reply(Flight::new(job, tries, self.now, Sent::Ask(ask)), Err(error));
                }
            }
        }
    }

    /// The key that signs a request: connections and their tickets have their own, an order is shown to the narrowing.
    fn key_for(&mut self, flight: &Flight) -> Result<Arc<Key>, KeyError> {
        let none = || KeyError::NoneInForce(String::new());
        let own = match &flight.job {
            Job::Ticket(era) => self.set(*era).and_then(|set| set.key.clone()),
            Job::KeepTicket(_) => self.wires.key.clone(),
            Job::Place(id) => {
                let Some(place) = self.orders.get(id).and_then(super::Held::placement) else { return Err(none()) };
                let order = place.order.get();
                let Some(listing) = self.listings.get(order.instrument) else { return Err(none()) };
                let rules = &listing.rules;
                let price = if order.price().is_zero() { place.reference } else { order.price() };
                let (scale, multiplier) = (rules.price_scale + rules.qty_scale, rules.multiplier);
                let asked = Asked { order: &place.order, qty: place.qty, price, scale, multiplier };
                return self.signing.order(&asked, self.now);
            }
            job => return self.signing.key(job.purpose(), self.now),
        };
        let key = own.ok_or_else(none)?;
        key.note(Use::Streams, self.now);
        Ok(key)
    }

    fn send_act(&mut self, job: Job, tries: u32, act: Act) {
        let now = self.now;
        let mut flight = Flight::new(job, tries, now, Sent::Act(act));
        // A socket may be logged in: it speaks for its own key only. In a halt there may be none.
        let speaks = self.halted.is_none() && self.signing.in_force().is_some_and(|key| self.wires.is_of(&key));
        if speaks && self.wires.trade.line.as_ref().is_some_and(|l| l.is_open()) {
            match self.say(&mut flight) {
                Ok(Some(number)) => return drop(self.said.insert(number, flight)),
                Ok(None) => {}
                Err(error) => return self.on_act(flight, Err(error)),
            }
        }
        let Sent::Act(act) = &flight.sent else { return };
        match self.venue.act(act, &self.listings) {
            Ok(request) => self.dispatch(flight, request),
            Err(error) => self.on_act(flight, Err(error)),
        }
    }

    /// Says an act on the trading socket; under which number, if it did.
    fn say(&mut self, flight: &mut Flight) -> Result<Option<u64>, VenueError> {
        let Sent::Act(act) = &flight.sent else { return Ok(None) };
        let now = self.now;
        let key = self.key_for(flight).map_err(|e| unsigned(&e))?;
        let stamp = self.stamp();
        self.next_number += 1;
        let number = self.next_number;
        let ticket = self.wires.ticket.as_deref().unwrap_or_default();
        let said = self.venue.say(act, number, &self.listings, &*key, ticket, stamp);
        flight.key = Some(key);
        let Some(text) = said? else { return Ok(None) };
        let Some(line) = &mut self.wires.trade.line else { return Ok(None) };
        flight.link = Some(line.link());
        line.say_act(text, flight.job.makes_risk().then_some(number), now, &mut self.out);
        Ok(Some(number))
    }

    fn send_http(&mut self, job: Job, tries: u32, sent: Sent, request: Request) {
        self.dispatch(Flight::new(job, tries, self.now, sent), request);
    }

    /// Asks on where a venue needs two requests for a question; whether it does.
    pub(super) fn ask_further(&mut self, flight: &Flight) -> bool {
        let Sent::Ask(ask) = &flight.sent else { return false };
        let Some(request) = self.venue.ask_further(ask, &self.listings).filter(|_| !flight.further) else {
            return false;
        };
        self.dispatch(Flight { further: true, ..flight.clone() }, request);
        true
    }

    /// Asks for the next page of open orders.
    fn ask_on(&mut self, mut flight: Flight, rows: Vec<OrderRow>, ended: &str) {
        let Sent::Ask(ask) = &flight.sent else { return };
        flight.before.orders.extend(rows);
        flight.before.count += 1;
        let next = match flight.before.count {
            PAGES_MAX.. => {
                Err(VenueError::new(Fault::Malformed, "", format!("{PAGES_MAX} pages of open orders, and more")))
            }
            _ => self.venue.ask_on(ask, ended, &self.listings),
        };
        match next {
            Ok(request) => self.dispatch(flight, request),
            Err(error) => self.on_reply(flight, Err(error)),
        }
    }

    /// Asks for the next page of fills. Booked in another order than they came, they would make another profit: they wait
    /// for the last page.
    fn ask_fills_on(&mut self, mut flight: Flight, rows: Vec<FillNote>, further: Span) {
        let Sent::Ask(Ask::Fills(instrument, _)) = flight.sent else { return };
        flight.before.fills.splice(0..0, rows);
        flight.before.count += 1;
        if flight.before.count >= PAGES_MAX {
            self.note(format!("{PAGES_MAX} pages of fills, and more: what these have is booked"));
            return self.on_reply(flight, Ok(Reply::Fills(Vec::new(), None)));
        }
        self.send_page(Flight { tries: 0, sent: Sent::Ask(Ask::Fills(instrument, further)), ..flight });
    }

    fn send_page(&mut self, flight: Flight) {
        let Sent::Ask(ask) = &flight.sent else { return };
        match self.venue.ask(ask, &self.listings) {
            Ok(request) => self.dispatch(flight, request),
            Err(error) => self.on_reply(flight, Err(error)),
        }
    }

    /// Puts the next page of fills off; what was told stays told.
    pub(super) fn page_later(&mut self, wait_ms: u64, flight: Flight) {
        let (due, job, tries) = (self.now.plus(nanos(wait_ms)), flight.job.clone(), flight.tries);
        self.waiting.push_back(Waiting { due, job, tries, page: Some(Box::new(flight)) });
    }

    /// Whether a signed request has to wait for another's answer.
    fn is_not_its_turn(&self) -> bool {
        self.facts.signed_in_turn && self.asked.values().any(|f| f.signed)
    }

    /// Lets a signed request wait for its turn: acts before questions, each question once.
    fn wait_for_turn(&mut self, flight: Flight, request: Request) {
        let is_whole = |f: &Flight| f.before.count == 0 && !f.further;
        if self.turn.iter().any(|(f, _)| f.job == flight.job && is_whole(f) && is_whole(&flight)) {
            return;
        }
        let at = match flight.job.is_act() {
            true => self.turn.iter().position(|(f, _)| !f.job.is_act()).unwrap_or(self.turn.len()),
            false => self.turn.len(),
        };
        self.turn.insert(at, (flight, request));
    }

    /// Sends what waited for its turn and is still wanted.
    fn take_turns(&mut self) {
        if self.halted.is_some() {
            for (flight, request) in std::mem::take(&mut self.turn) {
                match flight.job {
                    Job::Place(id) => self.end(id, OrderStatus::Rejected, "halted"),
                    ref job if job.goes_in_a_halt() => self.turn.push_back((flight, request)),
                    job => self.later(1_000, job, flight.tries),
                }
            }
        }
        while !self.is_not_its_turn()
            && let Some((flight, request)) = self.turn.pop_front()
        {
            let (now, repeat_for) = (self.now, nanos(self.settings.repeat_for_ms));
            if let Job::Place(id) = flight.job {
                let Some(held) = self.orders.get_mut(&id).filter(|h| h.state == State::Sent && h.ended.is_none())
                else {
                    continue;
                };
                if held.cancelling != Cancelling::No {
                    self.end(id, OrderStatus::Cancelled, "requested");
                    continue;
                }
                if now > held.first.plus(repeat_for) {
                    self.end(id, OrderStatus::Rejected, "venue_unreachable");
                    continue;
                }
                held.sent = now;
            }
            self.dispatch(Flight { at: now, ..flight }, request);
        }
    }

    fn dispatch(&mut self, mut flight: Flight, mut request: Request) {
        flight.signed = request.signed;
        if flight.signed && self.is_not_its_turn() {
            return self.wait_for_turn(flight, request);
        }
        let (weight, now) = (request.weight, self.now);
        let is_act = flight.job.is_act();
        let spent = if is_act { self.limits.spend_on_act(weight, now) } else { self.limits.spend(weight, now) };
        if let Err(later) = spent {
            let wait_ms = wait_until(later, now);
            match flight.job {
                // Nothing was sent: the order waits, and the next attempt has a new id.
                Job::Place(id) => self.wait_to_place(id, wait_ms, "rate_limited"),
                _ if flight.is_page_of_fills() => self.page_later(wait_ms, flight),
                job => self.later(wait_ms, job, flight.tries),
            }
            return;
        }
        if request.signed {
            let stamp = self.stamp();
            let signed = self.key_for(&flight).and_then(|key| {
                self.venue.sign(&mut request, &*key, stamp)?;
                flight.key = Some(key);
                Ok(())
            });
            if let Err(error) = signed {
                self.answered(flight, Err(unsigned(&error)));
                return;
            }
        }
        self.next_number += 1;
        let tag = Tag(self.next_number);
        self.asked.insert(tag, flight);
        self.out.push_back(Action::Http { tag, request });
    }

    pub(super) fn wait_to_place(&mut self, id: OrderId, wait_ms: u64, why: &'static str) {
        let due = self.now.plus(nanos(wait_ms));
        let repeat_for = nanos(self.settings.repeat_for_ms);
        let Some(held) = self.orders.get_mut(&id) else { return };
        held.state = State::Waiting(due);
        held.why = why;
        if due > held.first.plus(repeat_for) {
            self.end(id, OrderStatus::Rejected, why);
        }
    }

    /// An answer came, or did not.
    pub fn on_http(&mut self, tag: Tag, answer: Result<&Response, &TransportError>, now: Ts) {
        let now = self.at(now);
        if let Ok(response) = answer {
            self.limits.told(self.venue.used(response), now);
        }
        let Some(flight) = self.asked.remove(&tag) else { return };
        match answer {
            Ok(response) => self.answered(flight, Ok(response)),
            Err(error) => {
                let fault = if error.nothing_sent() { Fault::Transient } else { Fault::Unknown };
                self.answered(flight, Err(VenueError::new(fault, "", error.to_string())));
            }
        }
        self.pump();
    }

    fn answered(&mut self, flight: Flight, answer: Result<&Response, VenueError>) {
        match &flight.sent {
            Sent::Act(act) => {
                let outcome = answer.and_then(|r| self.venue.act_reply(act, r, &self.listings));
                self.on_act(flight, outcome);
            }
            Sent::Switch => {
                let outcome = answer.and_then(|r| self.venue.cancel_after_reply(r));
                self.on_switch(outcome);
            }
            Sent::Ask(ask) => match answer.and_then(|r| self.venue.reply(ask, r, &self.listings)) {
                Ok(Reply::SomeOrders(rows, _, ended)) => self.ask_on(flight, rows, &ended),
                Ok(Reply::Fills(rows, Some(further))) => self.ask_fills_on(flight, rows, further),
                outcome => self.on_reply(flight, outcome),
            },
        }
    }

    /// A request's answer will not come.
    pub(super) fn lost(&mut self, flight: Flight, why: &str) {
        let error = VenueError::new(Fault::Unknown, "", why);
        match flight.sent {
            Sent::Act(_) => self.on_act(flight, Err(error)),
            Sent::Switch => self.on_switch(Err(error)),
            Sent::Ask(_) => self.on_reply(flight, Err(error)),
        }
    }

    /// Tells an order's end and forgets what waits for it.
    pub(super) fn end(&mut self, id: OrderId, status: OrderStatus, reason: &'static str) {
        let Some(held) = self.orders.get_mut(&id).filter(|h| h.ended.is_none()) else { return };
        held.ended = Some(status);
        held.fills_due = Ts::MAX;
        if held.amending.take().is_some() {
            self.events.push_back(GatewayEvent::AmendRefused(id, "unknown_order"));
        }
        self.live.remove(&id);
        match status {
            OrderStatus::Cancelled => self.tell(Answer::Cancelled(id, reason)),
            OrderStatus::Expired => self.tell(Answer::Expired(id, reason)),
            OrderStatus::Rejected => self.tell(Answer::Rejected(id, reason)),
            // Its fills said it.
            OrderStatus::Filled | OrderStatus::Acknowledged | OrderStatus::PartlyFilled | OrderStatus::Unknown => {}
        }
    }
}

/// What it means for a request that it was not signed: nothing was done.
fn unsigned(error: &KeyError) -> VenueError {
    match error {
        KeyError::Narrowed { .. } => VenueError::new(Fault::Rejected, "", error.to_string()).reason("key_narrowed"),
        _ => VenueError::new(Fault::Authentication, "", error.to_string()),
    }
}
