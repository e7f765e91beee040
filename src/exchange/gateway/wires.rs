//! The gateway's connections: the private stream and the trading socket, with the ticket that they may need.
//!
//! They are replaced by reconnecting, also before the venue cuts them; what was missed meanwhile is asked for. So the
//! private side needs no successor that runs beside.

use bellwether_sdk::Ts;

use super::requests::Job;
use super::{Gateway, GatewayEvent};
use crate::exchange::machine::{Action, Backoff, BackoffSettings, Line, LineEvent, Link, nanos};
use crate::exchange::{AccountNote, Fault, Plan, SocketUse, TradeReply, VenueError};
use crate::keys::KeyError;

/// A connection, or the wait for its next attempt.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) line: Option<Line>,
    /// When to try; [`Ts::MAX`] for not at all.
    retry_at: Ts,
    backoff: Backoff,
    subscribed: bool,
    /// The venue's running number of the last message, where it counts them.
    sequence: Option<u64>,
}

impl Wire {
    fn new(settings: BackoffSettings, seed: u64) -> Self {
        Self { line: None, retry_at: Ts::MAX, backoff: Backoff::new(settings, seed), subscribed: false, sequence: None }
    }

    fn is(&self, link: Link) -> bool {
        self.line.as_ref().is_some_and(|l| l.link() == link)
    }
}

/// Both, and the ticket.
#[derive(Debug)]
pub(super) struct Wires {
    pub(super) account: Wire,
    pub(super) trade: Wire,
    pub(super) ticket: Option<String>,
    keep_due: Ts,
    next_link: u32,
    /// Whether account notes are coming in.
    pub(super) private_on: bool,
}

impl Wires {
    pub(super) fn new(settings: BackoffSettings, seed: u64) -> Self {
        Self {
            account: Wire::new(settings, seed ^ 1),
            trade: Wire::new(settings, seed ^ 2),
            ticket: None,
            keep_due: Ts::MAX,
            next_link: 0,
            private_on: false,
        }
    }

    pub(super) fn begin(&mut self, now: Ts) {
        for wire in [&mut self.account, &mut self.trade] {
            if wire.line.is_none() {
                wire.retry_at = now;
            }
        }
    }

    pub(super) fn get(&mut self, which: SocketUse) -> &mut Wire {
        if which == SocketUse::Trade { &mut self.trade } else { &mut self.account }
    }
}

const BOTH: [SocketUse; 2] = [SocketUse::Account, SocketUse::Trade];

impl Gateway {
    fn plan(&mut self, which: SocketUse) -> Result<Option<Plan>, KeyError> {
        let stamp = self.stamp();
        let ticket = self.wires.ticket.as_deref().unwrap_or_default();
        let (urls, listings, signer) = (&self.settings.urls, &self.listings, &*self.signer);
        match which {
            SocketUse::Trade => self.venue.trade(urls, listings, signer, ticket, stamp),
            _ => self.venue.account(urls, listings, signer, ticket, stamp),
        }
    }

    /// Whether account notes come on this one.
    fn is_private(&self, which: SocketUse) -> bool {
        (which == SocketUse::Trade) == self.facts.account_on_trade
    }

    fn which(&self, link: Link) -> Option<SocketUse> {
        if self.wires.account.is(link) {
            Some(SocketUse::Account)
        } else {
            self.wires.trade.is(link).then_some(SocketUse::Trade)
        }
    }

    /// A connection was opened.
    pub fn on_opened(&mut self, link: Link, now: Ts) {
        let now = self.at(now);
        let Some(which) = self.which(link) else { return };
        // The signature in the plan has aged while the connection was made.
        let fresh = self.plan(which).ok().flatten();
        if let Some(line) = &mut self.wires.get(which).line {
            line.on_opened(fresh, now, &mut self.out);
        }
        self.watch_wires();
        self.pump();
    }

    /// A connection ended, or could not be opened.
    pub fn on_closed(&mut self, link: Link, why: &str, now: Ts) {
        self.at(now);
        if let Some(which) = self.which(link) {
            self.wire_ended(which, why);
            self.pump();
        }
    }

    fn wire_ended(&mut self, which: SocketUse, why: &str) {
        let now = self.now;
        let wire = self.wires.get(which);
        let Some(line) = wire.line.take() else { return };
        wire.subscribed = false;
        if line.opened() != Ts::NONE && now >= line.opened().plus(nanos(10_000)) {
            wire.backoff.reset();
        }
        let wait_ms = wire.backoff.next_ms();
        wire.retry_at = now.plus(nanos(wait_ms));
        self.note(format!("{which:?} connection: {why}; trying again in {wait_ms} ms"));
        if self.is_private(which) && self.wires.private_on {
            self.wires.private_on = false;
            self.events.push_back(GatewayEvent::Private(false));
            self.reconcile_due = self.reconcile_due.min(now.plus(nanos(self.settings.reconcile_blind_ms)));
        }
        if self.facts.ticket.is_some() {
            // It may be what the connection failed of.
            self.wires.ticket = None;
        }
        if which == SocketUse::Trade {
            for flight in std::mem::take(&mut self.said).into_values() {
                self.lost(flight, why);
            }
        }
    }

    fn kill_wire(&mut self, which: SocketUse, why: &str) {
        if let Some(line) = &self.wires.get(which).line {
            let link = line.link();
            self.out.push_back(Action::Close { link });
        }
        self.wire_ended(which, why);
    }

    /// Connects what is due, beats hearts, finds the dead, replaces the old.
    pub(super) fn watch_wires(&mut self) {
        let now = self.now;
        for which in BOTH {
            let wire = self.wires.get(which);
            let retry_at = wire.retry_at;
            let Some(line) = &mut wire.line else {
                if retry_at <= now && self.halted.is_none() {
                    self.connect(which);
                }
                continue;
            };
            let event = line.on_time(now, &mut self.out);
            let (opened, subscribed) = (line.opened(), line.is_subscribed());
            if let LineEvent::Dead(why) = event {
                self.kill_wire(which, &why);
            } else if self.is_old(opened) && self.said.is_empty() {
                self.kill_wire(which, "replaced before the venue cuts it");
                self.connect(which);
            } else if subscribed && !std::mem::replace(&mut self.wires.get(which).subscribed, true) {
                self.private_began(which);
            }
        }
        if now >= self.wires.keep_due && self.halted.is_none() {
            self.wires.keep_due = Ts::MAX;
            if let Some(ticket) = self.wires.ticket.clone() {
                self.later(0, Job::KeepTicket(ticket), 0);
            }
        }
    }

    fn life(&self) -> i64 {
        self.facts.connection_life_ms.map_or(i64::MAX, |ms| nanos(ms - ms / 48))
    }

    fn is_old(&self, opened: Ts) -> bool {
        opened != Ts::NONE && self.now >= opened.plus(self.life())
    }

    pub(super) fn wires_due(&self) -> Ts {
        let mut due = self.wires.keep_due;
        for wire in [&self.wires.account, &self.wires.trade] {
            due = due.min(match &wire.line {
                None if self.halted.is_some() => Ts::MAX,
                None => wire.retry_at,
                Some(line) if line.is_subscribed() && !wire.subscribed => Ts::NONE,
                Some(line) if line.opened() != Ts::NONE && self.said.is_empty() => {
                    line.next_due().min(line.opened().plus(self.life()))
                }
                Some(line) => line.next_due(),
            });
        }
        due
    }

    fn connect(&mut self, which: SocketUse) {
        if self.facts.ticket.is_some() && self.wires.ticket.is_none() {
            // Its answer connects.
            self.wires.get(which).retry_at = Ts::MAX;
            if !self.is_under_way(&Job::Ticket) {
                self.later(0, Job::Ticket, 0);
            }
            return;
        }
        let wire_ready = match self.plan(which) {
            Ok(plan) => plan,
            Err(error) => {
                self.halt(format!("the {which:?} connection cannot be signed: {error}"));
                None
            }
        };
        let Some(plan) = wire_ready else {
            self.wires.get(which).retry_at = Ts::MAX;
            return;
        };
        self.wires.next_link += 1;
        let link = Link(self.wires.next_link);
        let (line, action) = Line::open(link, plan, &self.facts.heartbeat, self.facts.says_per_second, self.now);
        let wire = self.wires.get(which);
        wire.line = Some(line);
        wire.sequence = None;
        wire.retry_at = Ts::MAX;
        self.out.push_back(action);
    }

    /// A ticket came: the connections that waited for it are opened.
    pub(super) fn on_ticket(&mut self, ticket: String) {
        self.wires.ticket = Some(ticket);
        self.keep_later();
        self.wires.begin(self.now);
        self.watch_wires();
    }

    pub(super) fn keep_later(&mut self) {
        self.wires.keep_due = match self.facts.ticket {
            Some(ms) if ms > 0 => self.now.plus(nanos(ms)),
            _ => Ts::MAX,
        };
    }

    /// The private stream is on: what was missed before is asked for.
    fn private_began(&mut self, which: SocketUse) {
        if !self.is_private(which) {
            return;
        }
        if !std::mem::replace(&mut self.wires.private_on, true) {
            self.events.push_back(GatewayEvent::Private(true));
            if self.settings.account_every_ms > 0 {
                self.ask_account(0);
            }
        }
        self.catch_up();
    }

    /// Asks for what may have been missed: open orders, and fills of whatever is open as far as we know.
    fn catch_up(&mut self) {
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

    /// A message came on a connection.
    pub fn on_text(&mut self, link: Link, text: &str, now: Ts) {
        let now = self.at(now);
        let Some(which) = self.which(link) else { return };
        if let Some(line) = &mut self.wires.get(which).line {
            line.on_heard(now);
        }
        if which == SocketUse::Account {
            match self.venue.read_account(text, &self.listings) {
                Ok(notes) => notes.into_iter().for_each(|note| self.on_note(which, note)),
                Err(error) => self.misread(&error.to_string()),
            }
        } else {
            match self.venue.read_trade(text, &self.listings) {
                Ok(TradeReply::Answered(number, outcome)) => {
                    if let Some(flight) = self.said.remove(&number) {
                        self.on_act(flight, outcome);
                    }
                }
                Ok(TradeReply::LoggedIn(Ok(()))) => self.logged_in(which),
                Ok(TradeReply::LoggedIn(Err(error))) => self.login_refused(which, &error),
                Ok(TradeReply::Account(notes)) => notes.into_iter().for_each(|note| self.on_note(which, note)),
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

    fn logged_in(&mut self, which: SocketUse) {
        let now = self.now;
        if let Some(line) = &mut self.wires.get(which).line {
            line.on_logged_in(now, &mut self.out);
        }
        self.watch_wires();
    }

    fn login_refused(&mut self, which: SocketUse, error: &VenueError) {
        if error.fault == Fault::Authentication {
            self.halt(format!("the venue refused the login of the {which:?} connection: {error}"));
        }
        if error.fault == Fault::ClockSkew {
            self.clock.forget();
            self.later(0, Job::Time, 0);
        }
        self.kill_wire(which, &format!("login refused: {error}"));
    }

    fn on_note(&mut self, which: SocketUse, note: AccountNote) {
        match note {
            AccountNote::Order(order) => self.on_order(order),
            AccountNote::Fill(fill) => self.on_fill(fill),
            AccountNote::Balance(balance) => self.events.push_back(GatewayEvent::Balance(balance)),
            AccountNote::Position(position) => self.events.push_back(GatewayEvent::Position(position)),
            AccountNote::Sequence(n) => {
                let last = self.wires.get(which).sequence.replace(n);
                if last.is_some_and(|last| n > last.saturating_add(1)) {
                    self.note(format!("private messages between {last:?} and {n} are missing: the venue is asked"));
                    self.catch_up();
                }
            }
            AccountNote::LoggedIn => self.logged_in(which),
            AccountNote::Ready => self.private_began(which),
            AccountNote::Refused(error) => self.login_refused(which, &error),
            AccountNote::Leaving(why) => {
                self.kill_wire(which, &why);
                self.wires.get(which).retry_at = self.now;
            }
            AccountNote::Unexpected(words) => self.note(format!("not understood: {words}")),
            AccountNote::Alive | AccountNote::Ignored => {}
        }
    }
}
