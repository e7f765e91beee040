//! The gateway's connections: the private stream and the trading socket, with the ticket that they may need.
//!
//! One that broke is opened again, and what was missed meanwhile is asked for. Before the venue cuts them, and when
//! the key changes, it is otherwise: new ones come up beside the old, and only when they carry do orders go over them
//! ([`Era`]). The old ones are heard for a moment longer, and until what was said on them is answered; then they
//! close.

use std::sync::Arc;

use bellwether_sdk::Ts;

use super::requests::{Flight, Job};
use super::{Gateway, GatewayEvent};
use crate::exchange::machine::{Action, Backoff, BackoffSettings, Line, LineEvent, Link, nanos};
use crate::exchange::{AccountNote, Plan, SocketUse, TradeReply};
use crate::keys::{Key, KeyError, Use};

/// A connection, or the wait for its next attempt.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) line: Option<Line>,
    /// When to try; [`Ts::MAX`] for not at all.
    retry_at: Ts,
    backoff: Backoff,
    /// Since when all is said that it needs; [`Ts::NONE`] for not yet.
    subscribed: Ts,
    /// The venue has no such connection.
    absent: bool,
    /// The venue's running number of the last message, where it counts them.
    sequence: Option<u64>,
}

impl Wire {
    fn new(settings: BackoffSettings, seed: u64) -> Self {
        Self {
            line: None,
            retry_at: Ts::MAX,
            backoff: Backoff::new(settings, seed),
            subscribed: Ts::NONE,
            absent: false,
            sequence: None,
        }
    }

    pub(super) fn is(&self, link: Link) -> bool {
        self.line.as_ref().is_some_and(|l| l.link() == link)
    }
}

/// Both, with the key that they are opened with, and the ticket.
#[derive(Debug)]
pub(super) struct Wires {
    pub(super) key: Option<Arc<Key>>,
    pub(super) account: Wire,
    pub(super) trade: Wire,
    pub(super) ticket: Option<String>,
    keep_due: Ts,
    /// Whether account notes are coming in.
    pub(super) private_on: bool,
    /// The venue said that account notes are coming in.
    confirmed: bool,
    /// When it began to come up, or to close.
    pub(super) since: Ts,
}

impl Wires {
    pub(super) fn new(settings: BackoffSettings, seed: u64) -> Self {
        Self {
            key: None,
            account: Wire::new(settings, seed ^ 1),
            trade: Wire::new(settings, seed ^ 2),
            ticket: None,
            keep_due: Ts::MAX,
            private_on: false,
            confirmed: false,
            since: Ts::NONE,
        }
    }

    pub(super) fn begin(&mut self, now: Ts) {
        for wire in [&mut self.account, &mut self.trade] {
            if wire.line.is_none() {
                wire.retry_at = now;
            }
        }
    }

    pub(super) fn is_of(&self, key: &Arc<Key>) -> bool {
        self.key.as_ref().is_some_and(|k| Arc::ptr_eq(k, key))
    }

    fn get(&mut self, which: SocketUse) -> &mut Wire {
        if which == SocketUse::Trade { &mut self.trade } else { &mut self.account }
    }

    /// Whether all that the venue has of connections is up, and was not refused for a moment or is confirmed.
    pub(super) fn is_up(&self, now: Ts) -> bool {
        let up =
            |w: &Wire| w.absent || w.subscribed != Ts::NONE && (self.confirmed || w.subscribed.plus(SETTLE) <= now);
        up(&self.account) && up(&self.trade)
    }
}

/// Which connections: those that orders go over; those that will be these, of the same key or of the one that comes
/// next; those that were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    Now,
    Next,
    Old,
}

const ERAS: [Era; 3] = [Era::Now, Era::Next, Era::Old];
pub(super) const BOTH: [SocketUse; 2] = [SocketUse::Account, SocketUse::Trade];

fn choose<'a>(
    era: Era,
    now: &'a mut Wires,
    next: &'a mut Option<Wires>,
    old: &'a mut Option<Wires>,
) -> Option<&'a mut Wires> {
    match era {
        Era::Now => Some(now),
        Era::Next => next.as_mut(),
        Era::Old => old.as_mut(),
    }
}

/// A venue that does not confirm has refused by then.
const SETTLE: i64 = nanos(500);
/// How often the connections of a key that comes or goes are looked at where nothing else asks for it, milliseconds.
const BUSY_MS: u64 = 20;

impl Gateway {
    pub(super) fn set(&mut self, era: Era) -> Option<&mut Wires> {
        choose(era, &mut self.wires, &mut self.next, &mut self.old)
    }

    fn wire(&mut self, (era, which): (Era, SocketUse)) -> Option<&mut Wire> {
        self.set(era).map(|set| set.get(which))
    }

    fn plan(&mut self, (era, which): (Era, SocketUse)) -> Result<Option<Plan>, KeyError> {
        let (stamp, now) = (self.stamp(), self.now);
        let set = match era {
            Era::Now => Some(&self.wires),
            Era::Next => self.next.as_ref(),
            Era::Old => self.old.as_ref(),
        };
        let Some(set) = set else { return Ok(None) };
        let Some(key) = set.key.as_deref() else {
            return Err(KeyError::NoneInForce(self.signing.account().to_owned()));
        };
        key.note(Use::Streams, now);
        let ticket = set.ticket.as_deref().unwrap_or_default();
        let (urls, listings) = (&self.settings.urls, &self.listings);
        match which {
            SocketUse::Trade => self.venue.trade(urls, listings, key, ticket, stamp),
            _ => self.venue.account(urls, listings, key, ticket, stamp),
        }
    }

    /// Whether account notes come on this one.
    fn is_private(&self, which: SocketUse) -> bool {
        (which == SocketUse::Trade) == self.facts.account_on_trade
    }

    fn which(&self, link: Link) -> Option<(Era, SocketUse)> {
        let sets = [(Era::Now, Some(&self.wires)), (Era::Next, self.next.as_ref()), (Era::Old, self.old.as_ref())];
        sets.into_iter().find_map(|(era, set)| {
            let set = set?;
            let which = if set.account.is(link) { Some(SocketUse::Account) } else { None };
            which.or_else(|| set.trade.is(link).then_some(SocketUse::Trade)).map(|which| (era, which))
        })
    }

    /// A connection was opened.
    pub fn on_opened(&mut self, link: Link, now: Ts) {
        let now = self.at(now);
        let Some(at) = self.which(link) else { return };
        // The signature in the plan has aged while the connection was made.
        let fresh = self.plan(at).ok().flatten();
        let set = choose(at.0, &mut self.wires, &mut self.next, &mut self.old);
        if let Some(line) = set.and_then(|set| set.get(at.1).line.as_mut()) {
            line.on_opened(fresh, now, &mut self.out);
        }
        self.watch_wires();
        self.pump();
    }

    /// A connection ended, or could not be opened.
    pub fn on_closed(&mut self, link: Link, why: &str, now: Ts) {
        self.at(now);
        if let Some(at) = self.which(link) {
            self.wire_ended(at, why);
            self.pump();
        }
    }

    fn wire_ended(&mut self, at: (Era, SocketUse), why: &str) {
        let now = self.now;
        let (era, which) = at;
        let has_ticket = self.facts.ticket.is_some();
        let Some(wire) = self.wire(at) else { return };
        let Some(line) = wire.line.take() else { return };
        wire.subscribed = Ts::NONE;
        if line.opened() != Ts::NONE && now >= line.opened().plus(nanos(10_000)) {
            wire.backoff.reset();
        }
        let wait_ms = wire.backoff.next_ms();
        wire.retry_at = if era == Era::Old { Ts::MAX } else { now.plus(nanos(wait_ms)) };
        if let Some(set) = self.set(era).filter(|_| has_ticket) {
            // It may be what the connection failed of.
            set.ticket = None;
        }
        if era == Era::Now {
            self.note(format!("{which:?} connection: {why}; trying again in {wait_ms} ms"));
            if self.is_private(which) && self.wires.private_on {
                self.wires.private_on = false;
                self.events.push_back(GatewayEvent::Private(false));
                self.reconcile_due = self.reconcile_due.min(now.plus(nanos(self.settings.reconcile_blind_ms)));
            }
        }
        if which == SocketUse::Trade {
            let link = line.link();
            let gone: Vec<u64> = self.said.iter().filter(|(_, f)| f.link == Some(link)).map(|(n, _)| *n).collect();
            for flight in gone.into_iter().filter_map(|n| self.said.remove(&n)).collect::<Vec<_>>() {
                match flight.job {
                    Job::Place(id) if planted!("forget_on_disconnect") => {
                        self.end(id, crate::exchange::OrderStatus::Rejected, "venue_unreachable");
                    }
                    _ => self.lost(flight, why),
                }
            }
        }
    }

    pub(super) fn kill_wire(&mut self, at: (Era, SocketUse), why: &str) {
        if let Some(link) = self.wire(at).and_then(|w| w.line.as_ref()).map(Line::link) {
            self.out.push_back(Action::Close { link });
        }
        self.wire_ended(at, why);
    }

    /// A trading socket on which a request had no answer in time may be dead, however it looks: it is opened anew, and
    /// what else was said on it is asked about with that request.
    pub(super) fn close_unanswered(&mut self) {
        let within_ms = self.settings.answer_within_ms;
        let is_late = |f: &Flight, now: Ts| now >= f.at.plus(nanos(within_ms));
        while let Some((number, flight)) = self.said.iter().find(|(_, f)| is_late(f, self.now)) {
            let (number, why) = (*number, format!("no answer within {within_ms} ms"));
            match flight.link.and_then(|link| self.which(link)) {
                Some(at) => self.kill_wire(at, &why),
                None => {
                    let flight = self.said.remove(&number);
                    flight.into_iter().for_each(|flight| self.lost(flight, &why));
                }
            }
        }
    }

    /// Connects what is due, beats hearts, finds the dead, replaces the old; changes keys where that is due.
    pub(super) fn watch_wires(&mut self) {
        // From this look on, and not from the last message: under load there is always one that just came.
        self.keys_due = self.now.plus(nanos(match self.signing.poll_ms() {
            0 => BUSY_MS,
            ms => u64::from(ms),
        }));
        if self.signing.changes() != self.keys_seen {
            self.look_at_keys();
        }
        for at in ERAS.into_iter().flat_map(|era| BOTH.map(|which| (era, which))) {
            self.watch_wire(at);
        }
        self.watch_eras();
        if self.wires.is_up(self.now) {
            self.logins_refused = 0;
        }
        if self.now >= self.wires.keep_due && self.halted.is_none() {
            self.wires.keep_due = Ts::MAX;
            if let Some(ticket) = self.wires.ticket.clone() {
                self.later(0, Job::KeepTicket(ticket), 0);
            }
        }
    }

    fn watch_wire(&mut self, at: (Era, SocketUse)) {
        let (now, may_connect) = (self.now, self.halted.is_none() || at.0 == Era::Next);
        let set = choose(at.0, &mut self.wires, &mut self.next, &mut self.old);
        let Some(wire) = set.map(|set| set.get(at.1)) else { return };
        let retry_at = wire.retry_at;
        let Some(line) = &mut wire.line else {
            if retry_at <= now && may_connect {
                self.connect(at);
            }
            return;
        };
        let event = line.on_time(now, &mut self.out);
        let (opened, subscribed) = (line.opened(), line.is_subscribed());
        if subscribed && wire.subscribed == Ts::NONE {
            wire.subscribed = now;
            self.private_began(at);
        } else if let LineEvent::Dead(why) = event {
            self.kill_wire(at, &why);
        } else if at.0 == Era::Now && now >= self.renew_at(opened) {
            self.renew();
        }
    }

    /// When the successor of a connection is to be opened: some time before the venue cuts it.
    fn renew_at(&self, opened: Ts) -> Ts {
        match self.facts.connection_life_ms {
            Some(ms) if opened != Ts::NONE && self.may_renew() => opened.plus(nanos(ms - ms / 48)).max(self.renew_due),
            _ => Ts::MAX,
        }
    }

    pub(super) fn wires_due(&self) -> Ts {
        let mut due = self.wires.keep_due;
        for (era, set) in
            [(Era::Now, Some(&self.wires)), (Era::Next, self.next.as_ref()), (Era::Old, self.old.as_ref())]
        {
            for wire in set.into_iter().flat_map(|set| [&set.account, &set.trade]) {
                due = due.min(match &wire.line {
                    None if era == Era::Now && self.halted.is_some() => Ts::MAX,
                    None => wire.retry_at,
                    Some(line) if line.is_subscribed() && wire.subscribed == Ts::NONE => Ts::NONE,
                    Some(line) if era == Era::Now => line.next_due().min(self.renew_at(line.opened())),
                    Some(line) => line.next_due(),
                });
            }
        }
        let looks = self.signing.poll_ms() > 0 || self.next.is_some() || self.old.is_some();
        due.min(if looks { self.keys_due } else { Ts::MAX })
    }

    /// Connects, if it was not begun before.
    pub(super) fn begin_wires(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            self.wires.begin(self.now);
            self.watch_wires();
        }
    }

    fn connect(&mut self, at: (Era, SocketUse)) {
        let (era, now) = (at.0, self.now);
        if era == Era::Now {
            let key = self.signing.in_force();
            if self.wires.key.is_none() || self.wires.account.line.is_none() && self.wires.trade.line.is_none() {
                self.wires.key = key;
            }
        }
        let needs_ticket = self.facts.ticket.is_some();
        let Some(set) = self.set(era) else { return };
        if needs_ticket && set.ticket.is_none() {
            // Its answer connects.
            set.get(at.1).retry_at = Ts::MAX;
            if !self.is_under_way(&Job::Ticket(era)) {
                self.later(0, Job::Ticket(era), 0);
            }
            return;
        }
        let plan = match self.plan(at) {
            Ok(plan) => plan,
            Err(error) if era == Era::Now => {
                self.halt(format!("the {:?} connection cannot be signed: {error}", at.1));
                None
            }
            Err(error) => return self.next_failed(&error.to_string()),
        };
        let Some(wire) = self.wire(at) else { return };
        wire.retry_at = Ts::MAX;
        let Some(plan) = plan else {
            wire.absent = true;
            return;
        };
        self.next_link += 1;
        let link = Link(self.next_link);
        let (line, action) = Line::open(link, plan, &self.facts.heartbeat, self.facts.says_per_second, now);
        if let Some(wire) = self.wire(at) {
            wire.line = Some(line);
            wire.sequence = None;
            self.out.push_back(action);
        }
    }

    /// A ticket came for a key: the connections that waited for it are opened.
    pub(super) fn on_ticket(&mut self, ticket: String, key: Option<&Arc<Key>>) {
        let now = self.now;
        let Some(era) = ERAS.into_iter().find(|era| {
            let set = self.set(*era).filter(|set| set.ticket.is_none());
            set.is_some_and(|set| key.is_some_and(|key| set.is_of(key)))
        }) else {
            return;
        };
        if let Some(set) = self.set(era) {
            set.ticket = Some(ticket);
            set.begin(now);
        }
        if era == Era::Now {
            self.keep_later();
        }
        self.watch_wires();
    }

    pub(super) fn keep_later(&mut self) {
        self.wires.keep_due = match self.facts.ticket {
            Some(ms) if ms > 0 => self.now.plus(nanos(ms)),
            _ => Ts::MAX,
        };
    }

    /// The private stream is on: what was missed before is asked for.
    fn private_began(&mut self, (era, which): (Era, SocketUse)) {
        if !self.is_private(which) {
            return;
        }
        let Some(set) = self.set(era) else { return };
        let before = std::mem::replace(&mut set.private_on, true);
        if era == Era::Now {
            if !before {
                self.events.push_back(GatewayEvent::Private(true));
                if self.settings.account_every_ms > 0 {
                    self.ask_account(0);
                }
            }
            self.catch_up();
        }
    }

    /// Asks for what may have been missed: open orders, and fills of whatever is open as far as we know.
    pub(super) fn catch_up(&mut self) {
        if planted!("no_reconcile") {
            return;
        }
        self.reconcile();
        let mut since: std::collections::BTreeMap<_, Ts> = std::collections::BTreeMap::new();
        for held in self.live.iter().filter_map(|id| self.orders.get(id)).filter(|h| h.sent != Ts::NONE) {
            let first = since.entry(held.order().instrument).or_insert(held.first);
            *first = held.first.min(*first);
        }
        for (instrument, from) in since {
            self.later(0, Job::Fills(instrument, from), 0);
        }
    }

    /// A connection was pinged: one without a message for hours lives all the same.
    pub fn on_alive(&mut self, link: Link, now: Ts) {
        let now = self.at(now);
        if let Some(line) = self.which(link).and_then(|at| self.wire(at)).and_then(|w| w.line.as_mut()) {
            line.on_heard(now);
        }
    }

    /// A message came on a connection.
    pub fn on_text(&mut self, link: Link, text: &str, now: Ts) {
        self.on_alive(link, now);
        let now = self.now;
        let Some(at) = self.which(link) else { return };
        if at.1 == SocketUse::Account {
            match self.venue.read_account(text, &self.listings) {
                Ok(notes) => notes.into_iter().for_each(|note| self.on_note(at, note)),
                Err(error) => self.misread(&error.to_string()),
            }
        } else {
            match self.venue.read_trade(text, &self.listings) {
                Ok(TradeReply::Answered(number, outcome)) => {
                    self.limits.told(self.venue.used_said(text), now);
                    if let Some(flight) = self.said.remove(&number) {
                        self.on_act(flight, outcome);
                    }
                }
                Ok(TradeReply::LoggedIn(Ok(()))) => self.logged_in(at),
                Ok(TradeReply::LoggedIn(Err(error))) => self.login_refused(at, &error),
                Ok(TradeReply::Account(notes)) => notes.into_iter().for_each(|note| self.on_note(at, note)),
                Ok(TradeReply::Ignored) => {}
                Err(error) => self.misread(&error.to_string()),
            }
        }
        self.pump();
    }

    /// A private message was not understood: it may have concerned an order, so the venue is asked.
    fn misread(&mut self, why: &str) {
        self.note(why.to_owned());
        self.reconcile();
    }

    fn logged_in(&mut self, at: (Era, SocketUse)) {
        let now = self.now;
        let set = choose(at.0, &mut self.wires, &mut self.next, &mut self.old);
        if let Some(line) = set.and_then(|set| set.get(at.1).line.as_mut()) {
            line.on_logged_in(now, &mut self.out);
        }
        self.watch_wires();
    }

    fn on_note(&mut self, at: (Era, SocketUse), note: AccountNote) {
        match note {
            AccountNote::Order(order) => self.on_order(order),
            AccountNote::Fill(fill) => self.on_fill_told(fill),
            // The successor tells what is newer.
            AccountNote::Balance(_) | AccountNote::Position(_) if at.0 == Era::Old => {}
            AccountNote::Balance(balance) => self.events.push_back(GatewayEvent::Balance(balance)),
            AccountNote::Position(position) => self.events.push_back(GatewayEvent::Position(position)),
            AccountNote::Sequence(n) => {
                let last = self.wire(at).and_then(|wire| wire.sequence.replace(n));
                if last.is_some_and(|last| n > last.saturating_add(1)) {
                    self.note(format!("private messages between {last:?} and {n} are missing: the venue is asked"));
                    self.catch_up();
                }
            }
            AccountNote::LoggedIn => self.logged_in(at),
            AccountNote::Ready => {
                if let Some(set) = self.set(at.0) {
                    set.confirmed = true;
                }
                self.private_began(at);
            }
            AccountNote::Refused(error) => self.login_refused(at, &error),
            AccountNote::Leaving(why) => {
                let now = self.now;
                self.kill_wire(at, &why);
                if let Some(wire) = self.wire(at).filter(|_| at.0 != Era::Old) {
                    wire.retry_at = now;
                }
            }
            AccountNote::Unexpected(words) => self.note(format!("not understood: {words}")),
            AccountNote::Alive | AccountNote::Ignored => {}
        }
    }
}
