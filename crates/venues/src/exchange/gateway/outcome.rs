//! What answers to requests mean for orders.

use std::sync::Arc;

use bellwether_sdk::{OrderId, OrderKind, Qty, Ts};

use super::halt::refused_ms;
use super::held::{Cancelling, State};
use super::requests::{Flight, Job, Sent, Waiting};
use super::wires::Era;
use super::{Gateway, GatewayEvent, nanos};
use crate::exchange::{ActReply, Ask, Fault, OrderRef, OrderRow, OrderStatus, Reply, SocketUse, VenueError};
use crate::keys::Key;

/// "Not found" that must be heard after the settling time before an order is believed not to be there.
const MISSING_ENOUGH: u32 = 2;
/// Cancels of one order that the venue may refuse while it calls the order open.
const CANCEL_TRIES: u32 = 8;
/// How often a change that the venue took down is looked for.
const AMEND_TRIES: u32 = 4;
/// Repetitions of a question that concerns no order.
const ASK_TRIES: u32 = 8;
/// The clock is asked for once more before connections are begun where its first answer took so long.
const SLOW_ANSWER: i64 = nanos(500);

impl Gateway {
    /// The direct answer to an act.
    pub(super) fn on_act(&mut self, flight: Flight, outcome: Result<Vec<ActReply>, VenueError>) {
        let Flight { job, tries, key, .. } = flight;
        let key = key.as_ref();
        // Each of these acts is of one order; a refusal stands in its entry.
        let outcome = outcome.and_then(|replies| match replies.into_iter().next() {
            Some(ActReply { refused: Some(error), .. }) => Err(error),
            first => Ok(first),
        });
        match job.clone() {
            Job::Place(id) => match outcome {
                Ok(Some(reply)) => self.see(id, reply.status, reply.filled, &reply.venue_id, "", true),
                Ok(None) => self.is_unknown(id),
                Err(error) => self.place_failed(id, &error, key),
            },
            Job::Cancel(id) => match outcome {
                Ok(reply) => self.cancel_taken(id, reply),
                Err(error) => self.cancel_failed(id, tries, &error, key),
            },
            Job::Amend(id, amend) => match outcome {
                Ok(reply) => {
                    // Some venues answer before they have looked: the order shows whether it was changed.
                    if let Some(held) = self.orders.get_mut(&id) {
                        held.amending = Some((amend, 0));
                    }
                    self.later(self.settings.ask_after_ms, Job::Order(id), 0);
                    if let Some(reply) = reply.filter(|r| !r.venue_id.is_empty()) {
                        self.named(id, &reply.venue_id);
                    }
                }
                Err(error) if error.fault == Fault::Unknown || error.fault == Fault::Malformed => {
                    // The quantity it has now stands at the venue.
                    self.events.push_back(GatewayEvent::AmendRefused(id, "unknown_outcome"));
                    self.later(self.settings.ask_after_ms, Job::Order(id), 0);
                }
                Err(error) if self.fault_of_all(&error, key) => self.later(0, Job::Amend(id, amend), tries + 1),
                Err(error) => self.events.push_back(GatewayEvent::AmendRefused(id, error.reason)),
            },
            Job::CancelAll(instrument) => {
                let failed = outcome.is_err();
                if let Err(error) = outcome {
                    self.fault_of_all(&error, key);
                }
                let mine: Vec<OrderId> = self.live.iter().copied().collect();
                for id in mine {
                    let Some(held) = self.orders.get_mut(&id) else { continue };
                    if held.order().instrument != instrument || held.cancelling != Cancelling::Sent {
                        continue;
                    }
                    if failed {
                        held.cancelling = Cancelling::Wanted;
                        self.later(0, Job::Cancel(id), 0);
                    } else {
                        self.later(1_000, Job::Order(id), 0);
                    }
                }
            }
            Job::CancelStray(..) => {
                if let Err(error) = outcome {
                    self.fault_of_all(&error, key);
                    // "Not found" is what is wanted.
                    if error.fault != Fault::Rejected && tries < CANCEL_TRIES {
                        let wait = self.wait_ms(tries);
                        self.later(wait, job, tries + 1);
                    }
                }
            }
            _ => {}
        }
    }

    /// Sees to faults that concern more than one request. Whether the request's key was refused and another signs now:
    /// nothing was done, and it may go out again.
    fn fault_of_all(&mut self, error: &VenueError, key: Option<&Arc<Key>>) -> bool {
        match error.fault {
            Fault::RateLimited { retry_after_ms } => {
                self.limits.pause(self.now.plus(nanos(retry_after_ms.unwrap_or(1_000))));
            }
            Fault::Authentication => {
                let another = key.is_some_and(|key| self.key_refused(key, &error.to_string()));
                if !another {
                    self.halt(error.to_string());
                }
                return another;
            }
            Fault::ClockSkew => {
                self.clock.doubt();
                self.later(0, Job::Time, 0);
            }
            _ => {}
        }
        false
    }

    fn place_failed(&mut self, id: OrderId, error: &VenueError, key: Option<&Arc<Key>>) {
        let another = self.fault_of_all(error, key);
        let Some(held) = self.orders.get_mut(&id).filter(|h| h.state == State::Sent) else { return };
        match error.fault {
            Fault::RateLimited { retry_after_ms } => {
                held.tries += 1;
                let wait = retry_after_ms.unwrap_or(500 << held.tries.min(4));
                self.wait_to_place(id, wait, "rate_limited");
            }
            Fault::Transient => {
                held.tries += 1;
                let wait = 50 << held.tries.min(6);
                self.wait_to_place(id, wait, "venue_unreachable");
            }
            Fault::ClockSkew if !held.skewed => {
                held.skewed = true;
                held.state = State::Waiting(held.first.plus(nanos(self.settings.repeat_for_ms) + 1));
                held.why = "clock_skew";
                self.after_clock.push(Waiting { due: self.now, job: Job::Place(id), tries: 0, page: None });
            }
            Fault::ClockSkew => self.end(id, OrderStatus::Rejected, "clock_skew"),
            Fault::Authentication if another => self.wait_to_place(id, 0, "authentication"),
            Fault::Authentication => self.end(id, OrderStatus::Rejected, "authentication"),
            Fault::Unsupported => self.end(id, OrderStatus::Rejected, "unsupported"),
            // An id that was used before: whatever it names is asked for.
            Fault::Rejected if error.reason == "duplicate_order_id" => self.is_unknown(id),
            Fault::Rejected => self.end(id, OrderStatus::Rejected, error.reason),
            Fault::Unknown | Fault::Malformed if planted!("unknown_is_rejected") => {
                self.end(id, OrderStatus::Rejected, "venue_unreachable");
            }
            Fault::Unknown | Fault::Malformed => self.is_unknown(id),
        }
        if error.fault == Fault::Rejected {
            self.note(format!("order {} refused: {error}", id.0));
        }
    }

    /// It is not known what became of an order: the venue is asked.
    pub(super) fn is_unknown(&mut self, id: OrderId) {
        let Some(held) = self.orders.get_mut(&id).filter(|h| h.state == State::Sent && h.ended.is_none()) else {
            return;
        };
        if planted!("resend_on_timeout") {
            held.state = State::Waiting(self.now);
            return;
        }
        held.state = State::Unknown;
        held.missing = 0;
        let wanted = held.cancelling != Cancelling::No;
        self.events.push_back(GatewayEvent::Unknown(id));
        self.later(self.settings.ask_after_ms, Job::Order(id), 0);
        // In a halt nothing is asked, and what is to end is ended by its client id.
        if wanted && self.halted.is_some() {
            self.later(0, Job::Cancel(id), 0);
        }
    }

    fn cancel_taken(&mut self, id: OrderId, reply: Option<ActReply>) {
        match reply {
            Some(r) if !r.status.is_open() => self.see(id, r.status, r.filled, "", "", true),
            // The private stream will say so; if not, it is asked for.
            _ => self.later(1_000, Job::Order(id), 0),
        }
    }

    fn cancel_failed(&mut self, id: OrderId, tries: u32, error: &VenueError, key: Option<&Arc<Key>>) {
        let another = self.fault_of_all(error, key);
        let wait = self.wait_ms(tries);
        let Some(held) = self.orders.get_mut(&id).filter(|h| h.ended.is_none() || h.never_arrived) else { return };
        match error.fault {
            Fault::Authentication if another => self.later(0, Job::Cancel(id), tries + 1),
            Fault::Authentication => {
                held.cancelling = Cancelling::Wanted;
                self.later(refused_ms(tries), Job::Cancel(id), tries + 1);
            }
            Fault::RateLimited { .. } | Fault::Transient | Fault::ClockSkew => {
                self.later(wait, Job::Cancel(id), tries + 1)
            }
            Fault::Unsupported => {
                held.cancelling = Cancelling::No;
                self.note(format!("order {} cannot be cancelled: {error}", id.0));
            }
            Fault::Rejected if held.cancel_tries >= CANCEL_TRIES => {
                held.cancelling = Cancelling::No;
                self.note(format!("order {}: cancel refused {CANCEL_TRIES} times, last: {error}", id.0));
            }
            // One that was believed lost has ended, and is not asked about: after a refusal it is cancelled when it is seen
            // again, after no answer in any case.
            Fault::Rejected if held.ended.is_some() => held.cancelling = Cancelling::No,
            _ if held.ended.is_some() => self.later(wait, Job::Cancel(id), tries + 1),
            // Unknown outcome, or the venue does not find it: what it is now decides whether to cancel again.
            _ => {
                // What was not answered was not refused: as long as nobody knows, it is wanted.
                held.cancel_tries += u32::from(error.fault == Fault::Rejected);
                held.cancelling = Cancelling::Wanted;
                let wait = self.wait_ms(self.orders.get(&id).map_or(0, |h| h.cancel_tries));
                if self.halted.is_some() && error.fault != Fault::Rejected {
                    // Nobody is asked in a halt.
                    return self.later(wait.max(refused_ms(tries)), Job::Cancel(id), tries + 1);
                }
                self.later(wait, Job::Order(id), 0);
            }
        }
    }

    /// The answer to a question.
    pub(super) fn on_reply(&mut self, flight: Flight, outcome: Result<Reply, VenueError>) {
        if matches!(&outcome, Err(e) if e.fault == Fault::Rejected && e.reason == "unknown_order")
            && matches!(flight.job, Job::Order(_))
            && self.ask_further(&flight)
        {
            return;
        }
        if let Err(error) = &outcome
            && flight.is_page_of_fills()
            && flight.tries < ASK_TRIES
            && let Some(wait) = self.wait_for(error, flight.tries)
        {
            self.fault_of_all(error, None);
            return self.page_later(wait, Flight { tries: flight.tries + 1, ..flight });
        }
        let Flight { job, tries, at, sent, key, mut before, .. } = flight;
        let was_heard = outcome.as_ref().map_or_else(|e| e.fault == Fault::Rejected, |_| true);
        if was_heard && self.refused.as_ref().is_some_and(|r| r.0 == job) {
            self.events.push_back(GatewayEvent::Resumed);
            self.go_on();
        }
        let outcome = match outcome {
            Ok(Reply::Orders(rows, others)) => {
                before.orders.extend(rows);
                Ok(Reply::Orders(before.orders, others))
            }
            Ok(Reply::Fills(rows, further)) if before.count > 0 => {
                before.fills.splice(0..0, rows);
                // Pages come from the newest to the oldest, stretches of days the other way round.
                before.fills.sort_by_key(|row| row.ts_venue);
                Ok(Reply::Fills(before.fills, further))
            }
            other => other,
        };
        match (job, outcome) {
            (Job::Order(id), Ok(Reply::Orders(rows, _))) => self.on_order_asked(id, &rows, &sent, at, tries),
            (Job::Order(id), Err(e)) if e.fault == Fault::Rejected && e.reason == "unknown_order" => {
                self.not_found(id, at, tries);
            }
            (Job::Order(id), Err(e)) if e.fault == Fault::Unsupported => {
                // A venue that cannot be asked for one order is asked for all open ones.
                let wait = self.wait_ms(tries);
                self.later(wait, Job::Open, 0);
                self.later(wait.saturating_mul(2), Job::Order(id), tries + 1);
            }
            (Job::Whose(_, venue_id), Ok(Reply::Orders(rows, _))) => {
                for row in rows.iter().filter(|row| row.venue_id == venue_id) {
                    let ours = self.find(row.instrument, &row.client_id, "");
                    ours.into_iter().for_each(|id| self.named(id, &venue_id));
                }
            }
            (Job::Whose(..), Err(e)) if e.fault == Fault::Rejected => {}
            (Job::Fills(instrument, _), Ok(Reply::Fills(rows, _))) => {
                rows.into_iter().for_each(|row| self.on_fill(row));
                let mine = |id: &OrderId| self.orders.get(id).is_some_and(|h| h.order().instrument == instrument);
                let mine: Vec<OrderId> = self.live.iter().copied().filter(mine).collect();
                mine.into_iter().for_each(|id| self.settle(id));
            }
            (Job::Foreign(instrument, venue_id), Ok(Reply::Orders(rows, _))) => {
                self.on_foreign(instrument, venue_id, rows, at);
            }
            (Job::ForeignFills(instrument, venue_id, _), Ok(Reply::Fills(rows, _))) => {
                self.on_foreign_fills(instrument, venue_id, &rows);
            }
            (job @ (Job::Open | Job::Conditional), Ok(Reply::Orders(rows, _))) => {
                self.on_open(&rows, at, job == Job::Conditional);
            }
            (Job::Time, Ok(Reply::Time(venue))) => {
                self.clock.measure(at, self.now, venue);
                let round = self.clock.round_trip().unwrap_or(0);
                self.events.push_back(GatewayEvent::Clock(self.clock.offset(), round));
                // An answer that took long, as one that waits for a connection, says little: the next is quicker.
                if round > SLOW_ANSWER && tries == 0 && !self.begun {
                    self.later(0, Job::Time, 1);
                } else {
                    self.begin_wires();
                }
                for waiting in std::mem::take(&mut self.after_clock) {
                    match waiting.job {
                        Job::Place(id) => self.place(id),
                        job => self.later(0, job, waiting.tries),
                    }
                }
            }
            (Job::Ticket(_), Ok(Reply::StreamTicket(ticket))) => self.on_ticket(ticket, key.as_ref()),
            (Job::KeepTicket(_), Ok(_)) => self.keep_later(),
            (Job::Paid(_), Ok(Reply::Paid(rows, further))) => self.on_paid(rows, further),
            (Job::Balances, Ok(Reply::Balances(rows))) => {
                self.events.extend(rows.iter().cloned().map(GatewayEvent::Balance));
                self.events.push_back(GatewayEvent::Balances(rows));
            }
            (Job::Positions, Ok(Reply::Positions(rows))) => {
                self.events.extend(rows.iter().cloned().map(GatewayEvent::Position));
                self.events.push_back(GatewayEvent::Positions(rows));
            }
            (job, Ok(other)) => {
                self.note(format!("another answer than to the question: {other:?}"));
                self.ask_again(job, tries, None);
            }
            (job, Err(error)) => self.ask_failed(job, tries, &error, key.as_ref()),
        }
    }

    fn ask_failed(&mut self, job: Job, tries: u32, error: &VenueError, key: Option<&Arc<Key>>) {
        if job == Job::Time {
            // Connections may come up all the same.
            self.begin_wires();
        }
        if let Job::Foreign(instrument, venue_id) | Job::ForeignFills(instrument, venue_id, _) = &job
            && error.fault == Fault::Unsupported
        {
            let name = (*instrument, venue_id.clone());
            return self.leave_alone(&name, &format!("asking for it failed: {error}"));
        }
        if error.fault == Fault::Unsupported {
            if job == Job::Positions {
                // Where there are no contracts there are no positions.
                self.events.push_back(GatewayEvent::Positions(Vec::new()));
            }
            if matches!(job, Job::Paid(_)) {
                self.payments = None;
                self.note(format!("funding is not booked: {error}"));
            }
            return;
        }
        let another = self.fault_of_all(error, key);
        if error.fault == Fault::Authentication && !another {
            self.was_refused(&job, 0);
        }
        match (error.fault, job) {
            // The connections of the key that signs now ask for a ticket of their own.
            (Fault::Authentication, Job::Ticket(_) | Job::KeepTicket(_)) if another => {}
            (Fault::Authentication, job) if another => self.ask_again(job, tries, Some(0)),
            (Fault::ClockSkew, Job::Time) => self.ask_again(Job::Time, tries, None),
            (Fault::ClockSkew, job) if tries == 0 => {
                self.after_clock.push(Waiting { due: self.now, job, tries: 1, page: None });
            }
            (Fault::RateLimited { retry_after_ms }, job) => self.ask_again(job, tries, retry_after_ms),
            // Without a key there is no asking; the order stays unknown, and is asked for when sending goes on.
            (_, job @ Job::Ticket(_)) => self.ask_again(job, tries, None),
            // What opened no connection that is there need not be kept.
            (_, Job::KeepTicket(ticket)) if self.wires.ticket.as_ref() != Some(&ticket) => {}
            // The venue does not know it: a stream of its own hears nothing more, and is opened with another.
            (Fault::Rejected, Job::KeepTicket(_)) if !self.facts.account_on_trade => {
                self.kill_wire((Era::Now, SocketUse::Account), &format!("its ticket is not kept: {error}"));
            }
            (_, job) => {
                if tries == 0 {
                    self.note(format!("asking for {job:?} failed: {error}"));
                }
                self.ask_again(job, tries, None);
            }
        }
    }

    /// After how long a page is asked for again; `None` where that is of no use, and the whole is asked for again.
    fn wait_for(&self, error: &VenueError, tries: u32) -> Option<u64> {
        match error.fault {
            Fault::RateLimited { retry_after_ms } => Some(retry_after_ms.unwrap_or(self.wait_ms(tries))),
            Fault::Transient | Fault::Unknown => Some(self.wait_ms(tries)),
            _ => None,
        }
    }

    /// Questions about orders are repeated until they are answered; others come again by themselves.
    fn ask_again(&mut self, job: Job, tries: u32, wait_ms: Option<u64>) {
        let must = matches!(
            job,
            Job::Order(_)
                | Job::Whose(..)
                | Job::Fills(..)
                | Job::Foreign(..)
                | Job::ForeignFills(..)
                | Job::Open
                | Job::Conditional
                | Job::Time
                | Job::Ticket(_)
                | Job::KeepTicket(_)
        );
        if must || tries < ASK_TRIES {
            let wait = wait_ms.unwrap_or_else(|| self.wait_ms(tries));
            self.later(wait, job, tries.saturating_add(1));
        }
    }

    fn on_order_asked(&mut self, id: OrderId, rows: &[OrderRow], sent: &Sent, at: Ts, tries: u32) {
        let by = match sent {
            Sent::Ask(Ask::Order(_, by)) => by,
            _ => return,
        };
        let is_it = |row: &&OrderRow| match by {
            OrderRef::Client(client) => row.client_id.parse() == Ok(*client),
            OrderRef::Venue(venue) => row.venue_id == *venue,
        };
        match rows.iter().find(is_it) {
            Some(row) => {
                self.see_amended(id, row);
                self.see(id, row.status, Some(row.filled), &row.venue_id, "", true);
            }
            None => self.not_found(id, at, tries),
        }
    }

    /// Whether a change that the venue took down was made.
    fn see_amended(&mut self, id: OrderId, row: &OrderRow) {
        let wait = self.settings.ask_after_ms;
        let Some(held) = self.orders.get_mut(&id).filter(|h| h.ended.is_none()) else { return };
        let Some((amend, tries)) = held.amending.take() else { return };
        let limit = match row.kind {
            Some(OrderKind::Limit { price } | OrderKind::StopLimit { price, .. }) => Some(price),
            _ => None,
        };
        held.qty = Qty::from_mantissa(row.qty.mantissa().saturating_sub(held.before.mantissa()));
        let is_made = amend.qty.is_none_or(|q| q == row.qty) && amend.price.is_none_or(|p| Some(p) == limit);
        if is_made {
            self.events.push_back(GatewayEvent::Amended(id, amend.price, amend.qty));
        } else if tries < AMEND_TRIES && row.status.is_open() {
            held.amending = Some((amend, tries + 1));
            self.later(wait << tries, Job::Order(id), 0);
        } else {
            self.events.push_back(GatewayEvent::AmendRefused(id, "unknown_outcome"));
        }
    }

    /// The venue does not know an order, it says, of a question asked at a time.
    fn not_found(&mut self, id: OrderId, asked: Ts, tries: u32) {
        let now = self.now;
        let settle = nanos(self.facts.settle_ms);
        let wait = self.wait_ms(tries);
        let Some(held) = self.orders.get_mut(&id).filter(|h| h.ended.is_none()) else { return };
        // Whatever was known of it when it was asked for is settled, or the answer is too early.
        let settled = held.sent.plus(settle);
        if asked < settled && !planted!("not_found_at_once") {
            let early = u64::try_from((settled.nanos() - now.nanos()) / 1_000_000 + 1).unwrap_or(0);
            self.later(wait.max(early), Job::Order(id), tries + 1);
            return;
        }
        held.missing += 1;
        if held.missing < MISSING_ENOUGH && !planted!("not_found_at_once") {
            self.later(wait, Job::Order(id), tries + 1);
            return;
        }
        match held.state {
            State::Unknown if held.told.is_zero() && !held.accepted => {
                held.never_arrived = true;
                self.events.push_back(GatewayEvent::Known(id, OrderStatus::Rejected));
                self.end(id, OrderStatus::Rejected, "never_arrived");
            }
            // It was there, so it has ended: how much of it filled is in the fills.
            state => {
                if state == State::Unknown {
                    held.state = State::Open;
                    self.events.push_back(GatewayEvent::Known(id, OrderStatus::Cancelled));
                }
                if held.ending.is_none() {
                    held.ending = Some((OrderStatus::Cancelled, "not_at_venue"));
                    let (instrument, from) = (held.order().instrument, held.first);
                    self.later(0, Job::Fills(instrument, from), 0);
                }
            }
        }
    }

    /// All open orders of the account, as of a question asked at a time; `waiting` for those that wait for a trigger,
    /// where the venue keeps them apart.
    fn on_open(&mut self, rows: &[OrderRow], asked: Ts, waiting: bool) {
        let apart = self.venue.ask(&Ask::OpenConditional(None), &self.listings).is_ok();
        let mut there = std::collections::BTreeSet::new();
        for row in rows {
            match self.find(row.instrument, &row.client_id, &row.venue_id) {
                Some(id) if self.orders.contains_key(&id) => {
                    there.insert(id);
                    if !self.is_stray(id, &row.client_id, &row.venue_id) {
                        self.see(id, row.status, Some(row.filled), &row.venue_id, "", false);
                    }
                }
                Some(id) if self.is_put_away(id) => self.see_put_away(row.instrument, id, row.status, &row.venue_id),
                _ => {
                    if self.foreign.is_new(row.instrument, &row.venue_id) {
                        self.signing.foreign(format!("{} ({})", row.venue_id, row.client_id));
                        self.events.push_back(GatewayEvent::Foreign(row.clone()));
                    }
                }
            }
        }
        let settle = nanos(self.facts.settle_ms);
        let gone: Vec<OrderId> = self
            .live
            .iter()
            .copied()
            .filter(|id| !there.contains(id))
            .filter(|id| {
                let at = |h: &super::Held| {
                    let in_this = !apart || h.client().is_conditional() == waiting;
                    let settled = h.ending.is_none() && h.sent.plus(settle) <= asked;
                    in_this && settled && matches!(h.state, State::Open | State::Unknown)
                };
                self.orders.get(id).is_some_and(at)
            })
            .collect();
        for id in gone {
            self.later(0, Job::Order(id), 0);
        }
    }
}
