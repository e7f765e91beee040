//! What holds a session at venues together: it hears feeds and gateways, tells the session, and sends what that wants
//! sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use bellwether_sdk::{Funding, InstrumentId, OpenOrder, OrderId, Price, Role, Ts};

use super::account::Accounts;
use super::asked::{Standing, positions};
use super::foreign::Foreigners;
use super::keeper::Words;
use super::market::Scale;
use super::news::Outside;
use super::paper::Watcher;
use super::pulse::{Around, pulse};
use super::rehearsal::Rehearsal;
use super::report::Reporter;
use super::session::{Session, status};
use super::settlements::Settlements;
use super::swap::Swapper;
use super::watchdog::Watch;
use super::{RunError, ask};
use crate::api::Pages;
use crate::config::{OnStop, Settings};
use crate::engine::{Command, Ending, Event, Told};
use crate::exchange::Topic;
use crate::exchange::drive::{Desk, Hands};
use crate::exchange::feed::FeedEvent;
use crate::exchange::gateway::GatewayEvent;
use crate::keys::Signing;
use crate::orders::Answer;
use crate::signal::News;
use crate::sources::{Mail, Question, plain};
use crate::tape::VenueNote;

/// How often people are told how it stands.
const STATUS_EVERY_NS: i64 = 250_000_000;

/// Different notes that are remembered, so that each is told once.
const NOTES_MAX: usize = 4_096;

/// The same alarm is told again after so long.
const ALARM_AGAIN_NS: i64 = 60_000_000_000;

/// How long a live session waits at its end for the venue to say what became of its orders: longer than a venue is silent
/// after too many requests in a minute. Who cannot wait asks to stop a second time.
pub(super) const FAREWELL_NS: i64 = 75_000_000_000;

/// How long a session that cannot go on waits for its orders to end.
const GIVING_UP_NS: i64 = 20_000_000_000;

/// What holds a session together: hears feeds and gateways, tells the session, sends what it wants sent.
pub(super) struct Pilot<'a, 'b> {
    pub(super) session: Session,
    pub(super) watcher: &'a mut Reporter<'b>,
    pub(super) on_stop: OnStop,
    pub(super) currency: String,
    pub(super) start_equity: f64,
    pub(super) status_due: Ts,
    /// The settlements of perpetuals.
    pub(super) funding: Settlements,
    /// By instrument: the number of its gateway. Empty in paper mode.
    pub(super) gateways: BTreeMap<InstrumentId, usize>,
    /// Orders that did not leave because the tape waits for its disk; they are answered next.
    pub(super) held_back: Vec<OrderId>,
    /// How many orders the engine had put away when gateways were told last.
    pub(super) put_away: u64,
    /// How many swaps there had been when the signers were last told what strategies declare.
    declared_at: Option<usize>,
    /// What the feed says of itself: by what it is about.
    pub(super) feed: BTreeMap<String, String>,
    /// Notes and how often they came.
    pub(super) told: BTreeMap<String, u64>,
    /// When an alarm was told last.
    alarmed: BTreeMap<String, Ts>,
    /// What the keeper of keys has to say.
    pub(super) key_words: Words,
    /// The keys of each account.
    pub(super) signings: Vec<Signing>,
    /// By feed of a second source: of which instrument, and how its numbers become the first's.
    pub(super) seconds: BTreeMap<usize, (InstrumentId, Scale)>,
    /// Topics of first sources that are stale, and since when.
    pub(super) stale: BTreeMap<Topic, Ts>,
    /// Topics of first sources that no connection carries.
    pub(super) cut: BTreeSet<Topic>,
    /// The second source's price told last, and when.
    pub(super) referred: BTreeMap<InstrumentId, (Price, Ts)>,
    /// What comes from outside the market.
    pub(super) outside: Option<Outside>,
    /// Set when a person ends the session from a chat.
    pub(super) stop: Option<&'a AtomicBool>,
    /// The upper half of order ids, and of signals' ids.
    pub(super) number: u64,
    /// The end was asked for; the session ends at this time at the latest.
    pub(super) ending: Option<Ts>,
    /// The kill switch was pulled, and whether positions are to be closed.
    pub(super) killed: Option<bool>,
    /// Who watches whether the session moves.
    pub(super) watch: Option<Watch>,
    /// Prepares changes of strategies.
    pub(super) swapper: Option<Swapper>,
    /// The session's locks.
    pub(super) standing: Option<Standing>,
    /// The venues' accounts.
    pub(super) accounts: Accounts,
    /// What others left at the venues.
    pub(super) foreigners: Foreigners,
    /// Where others look how it stands.
    pub(super) pages: Option<Pages>,
    /// Keeps the way of an order warm.
    pub(super) rehearsal: Option<Rehearsal>,
    /// When market data last came from a feed that strategies hear.
    pub(super) heard: Ts,
    /// How late the loop was for its last status.
    pub(super) lag_ns: i64,
    pub(super) failed: Option<RunError>,
    /// A failure was acted on: open orders were cancelled, and the session ends.
    pub(super) given_up: bool,
}

impl<'a, 'b> Pilot<'a, 'b> {
    pub(super) fn new(
        session: Session,
        settings: &Settings,
        watcher: &'a mut Reporter<'b>,
        gateways: BTreeMap<InstrumentId, usize>,
    ) -> Self {
        let engine = session.circuit.engine();
        Self {
            currency: engine.reporting().to_owned(),
            start_equity: engine.start_equity(),
            session,
            watcher,
            on_stop: settings.session.on_stop,
            status_due: Ts::NONE,
            funding: Settlements::default(),
            gateways,
            held_back: Vec::new(),
            put_away: 0,
            declared_at: None,
            feed: BTreeMap::new(),
            told: BTreeMap::new(),
            alarmed: BTreeMap::new(),
            key_words: Words::default(),
            signings: Vec::new(),
            seconds: BTreeMap::new(),
            stale: BTreeMap::new(),
            cut: BTreeSet::new(),
            referred: BTreeMap::new(),
            outside: None,
            stop: None,
            number: 0,
            ending: None,
            killed: None,
            watch: None,
            swapper: None,
            standing: None,
            accounts: Accounts::default(),
            foreigners: Foreigners::default(),
            pages: None,
            rehearsal: None,
            heard: Ts::NONE,
            lag_ns: 0,
            failed: None,
            given_up: false,
        }
    }

    /// Tells the session, and sends what it wants sent: the tape has it already.
    pub(super) fn tell(&mut self, told: Told<'_>, desk: &mut Desk<'_>) {
        if self.failed.is_some() {
            return;
        }
        if let Some(watch) = &self.watch {
            watch.beat();
        }
        if let Err(error) = self.session.tell(told) {
            self.fail(error, desk);
            return;
        }
        if self.session.circuit.engine().has_signals() {
            self.watcher.signals(self.session.circuit.engine_mut(), self.number);
        }
        self.watcher.heard(self.session.circuit.engine());
        if self.gateways.is_empty() {
            return;
        }
        self.follow_put_away(desk);
        self.follow_swaps();
        for command in self.session.circuit.outgoing() {
            match command {
                // What only makes a position smaller leaves even so: its record survives this process.
                Command::Submit(order) if self.session.is_behind().is_some() && !order.get().only_reduces() => {
                    self.held_back.push(order.get().id);
                }
                Command::Submit(order) => {
                    let instrument = order.get().instrument;
                    let Some(number) = self.gateways.get(&instrument) else { continue };
                    let reference = self.session.circuit.engine().view().instruments[instrument.index()].last;
                    desk.submit(*number, order, reference);
                }
                Command::Cancel(id, instrument) => {
                    if let Some(number) = self.gateways.get(&instrument) {
                        desk.cancel(*number, id);
                    }
                }
            }
        }
    }

    /// Who signs holds each strategy to what its present version declares.
    fn follow_swaps(&mut self) {
        let engine = self.session.circuit.engine();
        let swaps = engine.swaps().len();
        if self.declared_at.replace(swaps) != Some(swaps) {
            self.signings.iter().for_each(|signing| signing.declare(engine.declared().to_vec()));
        }
    }

    /// What the engine has put away, gateways need not know either.
    fn follow_put_away(&mut self, desk: &mut Desk<'_>) {
        let engine = self.session.circuit.engine();
        let away = engine.put_away_counts().orders;
        if std::mem::replace(&mut self.put_away, away) == away {
            return;
        }
        let numbers: BTreeSet<usize> = self.gateways.values().copied().collect();
        for number in numbers {
            if let Some(gateway) = desk.gateway(number) {
                gateway.put_away(|id| engine.orders().get(id).is_ok());
            }
        }
    }

    /// Whether nothing is awaited of the venue any more: no order is open or, where they are kept, each is known to rest.
    pub(super) fn is_over(&self, desk: &mut Desk<'_>) -> bool {
        if self.given_up {
            return self.gateways.values().all(|number| desk.gateway(*number).is_none_or(|g| !g.has_live()));
        }
        if let Some(flatten) = self.killed {
            return self.session.circuit.engine().open_orders().next().is_none() && (!flatten || self.is_flat());
        }
        if self.on_stop == OnStop::Keep {
            return self.gateways.values().all(|number| desk.gateway(*number).is_none_or(|g| g.is_settled()));
        }
        self.session.circuit.engine().open_orders().next().is_none()
    }

    /// Answers orders that must not leave because the tape waits for its disk.
    fn answer_held_back(&mut self, now: Ts, desk: &mut Desk<'_>) {
        for id in std::mem::take(&mut self.held_back) {
            self.note("orders are not sent while the tape waits for its disk".to_owned());
            self.tell(Told::Answer(Answer::Rejected(id, "not_sent"), now), desk);
        }
    }

    pub(super) fn write(&mut self, note: VenueNote, desk: &mut Desk<'_>) {
        // What follows a failure would stand behind a gap.
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = self.session.note(note) {
            self.fail(error, desk);
        }
    }

    fn fail(&mut self, error: RunError, desk: &mut Desk<'_>) {
        self.failed.get_or_insert(error);
        self.give_up(desk);
    }

    /// After a failure nothing new leaves, and what is open is cancelled. The gateways follow that to its end, since an order
    /// that is on its way can be cancelled only when the venue has it; nobody is told of it any more.
    fn give_up(&mut self, desk: &mut Desk<'_>) {
        // Once: a second failure must not take back the cancels of the first.
        if std::mem::replace(&mut self.given_up, true) {
            return;
        }
        for number in self.gateways.values() {
            if let Some(gateway) = desk.gateway(*number) {
                gateway.forget_unsent();
            }
            desk.cancel_all(*number, None);
        }
        let until = desk.now().plus(GIVING_UP_NS);
        self.ending = Some(self.ending.map_or(until, |at| at.min(until)));
        if self.is_over(desk) {
            desk.stop();
        }
    }

    /// Something that is told once, however often it happens: many notes name an order.
    pub(super) fn note(&mut self, note: String) {
        let note = plain(note);
        if self.count(&note) == 1 {
            self.watcher.effect(self.session.now, &note);
        }
    }

    /// Something that comes and goes, told each time: the same words at most once a minute.
    pub(super) fn alarm(&mut self, now: Ts, note: String) {
        let note = plain(note);
        self.count(&note);
        if self.alarmed.len() >= NOTES_MAX {
            self.alarmed.clear();
        }
        if self.alarmed.get(&note).is_none_or(|at| now >= at.plus(ALARM_AGAIN_NS)) {
            self.watcher.effect(self.session.now, &note);
            self.alarmed.insert(note, now);
        }
    }

    /// A stop that the venue refused or ended leaves its position without one: that is more than an order that was refused.
    /// Not where another order closes the position.
    fn see_unprotected(&mut self, order: OrderId, why: &str, now: Ts) {
        let engine = self.session.circuit.engine();
        let Ok(record) = engine.orders().get(order) else { return };
        let held = engine.ledger().position(record.instrument).qty;
        let closes = |o: &OpenOrder| o.instrument == record.instrument && o.side == record.side && o.price.is_zero();
        let is_stop = matches!(record.role, Role::StopLoss | Role::TrailingStop);
        if is_stop && !held.is_zero() && !engine.open_orders().any(closes) {
            let symbol = &engine.view().instruments[record.instrument.index()].instrument.symbol;
            let words = format!("order {}, a stop, is over ({why}): a position in {symbol} is not protected", order.0);
            self.alarm(now, words);
        }
    }

    /// How often a note was told, with this time.
    fn count(&mut self, note: &str) -> u64 {
        // A session of weeks does not remember them all.
        if self.told.len() >= NOTES_MAX {
            self.told.clear();
        }
        let count = self.told.entry(note.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// Tells that the venue's clock and ours differ, once for each difference in whole seconds: its size wanders.
    pub(super) fn note_clock(&mut self, offset_ns: i64) {
        let seconds = offset_ns.saturating_add(offset_ns.signum().saturating_mul(500_000_000)) / 1_000_000_000;
        if seconds != 0 {
            let side = if seconds > 0 { "ahead of" } else { "behind" };
            let apart = seconds.unsigned_abs();
            self.note(format!("clock: the venue's is {apart} s {side} this machine's; set it right"));
        }
    }

    pub(super) fn show(&mut self, now: Ts) {
        self.key_words.take().into_iter().for_each(|words| self.note(words));
        if let Err(error) = self.session.flush() {
            self.failed.get_or_insert(error);
        }
        for (at, line) in self.session.take_lines() {
            self.watcher.effect(at, &line);
        }
        let mut status = status(self.session.circuit.engine(), &self.currency, self.start_equity);
        let seconds = |since: &Ts| now.nanos().saturating_sub(since.nanos()) / 1_000_000_000;
        let stale = self.stale.values().map(|since| format!("STALE for {} s", seconds(since)));
        status.feed = stale.chain(self.feed.values().cloned()).collect::<Vec<_>>().join(", ");
        let age = now.nanos().saturating_sub(self.heard.nanos());
        status.feed_age_ns = (self.heard != Ts::NONE).then_some(age.max(0));
        self.watcher.status(&status);
    }

    fn show_pulse(&self, now: Ts) {
        let Some(pages) = &self.pages else { return };
        let around = Around {
            mode: if self.gateways.is_empty() { "paper" } else { "live" },
            heard: self.heard,
            now,
            stale_topics: self.stale.len(),
            loop_lag_ns: self.lag_ns,
            queued_orders: self.held_back.len(),
            tape_backlog: self.session.backlog(),
        };
        let mut pulse = pulse(self.session.circuit.engine(), &self.signings, &around);
        pulse.sources = self.outside.as_ref().map(|o| o.sources.metrics()).unwrap_or_default();
        pulse.sinks = self.watcher.metrics();
        pages.show(pulse);
    }

    fn settle_funding(&mut self, now: Ts, desk: &mut Desk<'_>) {
        while let Some(funding) = self.funding.due(now) {
            self.book_funding(funding, desk);
        }
    }

    fn book_funding(&mut self, funding: Funding, desk: &mut Desk<'_>) {
        // At a venue the venue books it.
        if self.gateways.is_empty() {
            let funding = Funding { ts: funding.ts.max(self.session.now), ..funding };
            self.tell(Told::Market(Event::Funding(&funding)), desk);
        }
    }
}

impl Hands for Pilot<'_, '_> {
    fn on_feed(&mut self, feed: usize, event: FeedEvent<'_>, now: Ts, desk: &mut Desk<'_>) {
        if !self.seconds.is_empty()
            && let Some(second) = self.seconds.get(&feed).copied()
        {
            return self.on_second(second, event, now, desk);
        }
        if let FeedEvent::Trade(_) | FeedEvent::Quote(_) | FeedEvent::Depth(_) | FeedEvent::Bar(_) = event {
            self.heard = now;
        }
        match event {
            FeedEvent::Trade(trade) => self.tell(Told::Market(Event::Trade(&trade)), desk),
            FeedEvent::Quote(quote) => self.tell(Told::Market(Event::Quote(&quote)), desk),
            FeedEvent::Depth(depth) => self.tell(Told::Market(Event::Depth(&depth)), desk),
            FeedEvent::Bar(mut bar) => {
                bar.ts_close = bar.ts_close.max(self.session.now);
                self.tell(Told::Market(Event::Bar(&bar)), desk);
            }
            FeedEvent::FundingRate(id, rate, at, mark) => {
                if let Some(over) = self.funding.told(id, at, rate, mark, now) {
                    self.book_funding(over, desk);
                }
            }
            FeedEvent::BookLost(id, why) => {
                self.alarm(now, format!("book lost: {}", why.name()));
                self.tell(Told::BookLost(id, now), desk);
            }
            FeedEvent::Stale(topic, age_ms) => self.on_stale(topic, age_ms, now, desk),
            FeedEvent::Alive(topic) => {
                self.stale.remove(&topic);
                self.tell_stale(topic, now, desk);
            }
            FeedEvent::Cut(topics) => self.on_cut(topics, true, now, desk),
            FeedEvent::Carried(topics) => self.on_cut(topics, false, now, desk),
            FeedEvent::Connected(..) => drop(self.feed.remove(&format!("link of {feed}"))),
            FeedEvent::Reconnecting(_, attempt, wait_ms, why) => {
                self.feed.insert(format!("link of {feed}"), format!("reconnecting ({attempt}) in {wait_ms} ms"));
                self.alarm(now, format!("feed disconnected: {why}"));
            }
            FeedEvent::Refused(why) => self.note(format!("the venue refused: {why}")),
            FeedEvent::Unexpected(_, why) => self.note(format!("not understood: {why}")),
            FeedEvent::Clock(offset, _) => self.note_clock(offset),
        }
    }

    fn on_gateway(&mut self, gateway: usize, event: GatewayEvent, now: Ts, desk: &mut Desk<'_>) {
        match event {
            GatewayEvent::Answer(answer) => {
                self.tell(Told::Answer(answer, now), desk);
                match answer {
                    Answer::Cancelled(_, "requested") => {}
                    Answer::Rejected(order, why) | Answer::Cancelled(order, why) | Answer::Expired(order, why) => {
                        self.see_unprotected(order, why, now);
                    }
                    _ => {}
                }
            }
            GatewayEvent::Unknown(id) => self.tell(Told::Answer(Answer::Unknown(id), now), desk),
            GatewayEvent::Attempt(..) if planted!("lose_attempt") => {}
            GatewayEvent::Attempt(id, attempt) => self.write(VenueNote::Attempt(id, attempt), desk),
            GatewayEvent::FillId(id, trade) => self.write(VenueNote::Fill(id, trade), desk),
            GatewayEvent::Private(on) if on => drop(self.feed.remove("private")),
            GatewayEvent::Private(_) => drop(self.feed.insert("private".to_owned(), "private stream off".to_owned())),
            GatewayEvent::Foreign(row) => self.on_foreign(gateway, row, now, desk),
            GatewayEvent::Adoptable(order) => self.on_adoptable(gateway, &order, now, desk),
            GatewayEvent::LeftAlone(left) => self.on_left_alone(gateway, &left),
            GatewayEvent::FeeElsewhere(id, fee, code) => {
                self.note(format!("order {}: fee of {fee} {code} is not in the books", id.0));
            }
            GatewayEvent::Note(text) => self.note(text),
            GatewayEvent::Halt(why) => {
                self.feed.insert("halt".to_owned(), format!("HALTED: {why}"));
                self.note(format!("nothing is sent any more: {why}"));
            }
            GatewayEvent::Resumed => {
                self.feed.remove("halt");
                self.alarm(now, "the venue takes the key again: orders are sent".to_owned());
            }
            other => self.on_account(gateway, other, now, desk),
        }
        if self.ending.is_some() && self.is_over(desk) {
            desk.stop();
        }
    }

    fn on_bell(&mut self, now: Ts, desk: &mut Desk<'_>) {
        while let Some(mail) = self.outside.as_ref().and_then(|o| o.mailbox.take()) {
            let at = now.max(self.session.now);
            match mail {
                Mail::News(news) => self.tell(Told::News(&News { at, ..news }), desk),
                Mail::Note(text) => self.alarm(now, text),
                Mail::Ask(question, reply) => {
                    if let Some(news) = ask::news_of(question, at) {
                        self.tell(Told::News(&news), desk);
                    }
                    if let Some(stop) = self.stop.filter(|_| question == Question::Stop) {
                        stop.store(true, Ordering::Relaxed);
                    }
                    // Who asked may have gone away.
                    let _ = reply.send(ask::answer(question, self.session.circuit.engine()));
                }
            }
        }
    }

    fn between(&mut self, now: Ts) {
        let Some(rehearsal) = self.rehearsal.as_mut().filter(|r| r.is_due(now)) else { return };
        if let Err(error) = rehearsal.run(self.session.circuit.engine().view(), now) {
            self.rehearsal = None;
            self.note(left_cold(&error));
        }
    }

    fn on_time(&mut self, now: Ts, desk: &mut Desk<'_>) {
        if let Some(watch) = &self.watch {
            watch.beat();
        }
        // A session that cannot go on hears no requests: the watchdog takes them.
        if self.failed.is_none() {
            self.hear_asked(now, desk);
            self.take_newcomers(now, desk);
        }
        self.answer_held_back(now, desk);
        self.settle_funding(now, desk);
        if self.session.circuit.next_due() <= now {
            self.tell(Told::Clock(now), desk);
        }
        if self.status_due <= now {
            let late = now.nanos().saturating_sub(self.status_due.nanos());
            self.lag_ns = if self.status_due == Ts::NONE { 0 } else { late };
            self.status_due = now.plus(STATUS_EVERY_NS);
            self.show(now);
            self.show_pulse(now);
            if let Some(watch) = &self.watch {
                watch.note_positions(positions(self.session.circuit.engine()));
            }
            self.see_standing(false);
        }
        // What is shown is written first: that may have failed.
        if self.failed.is_some() {
            self.give_up(desk);
        }
        if self.ending.is_some_and(|at| at <= now) {
            let open = self.session.circuit.engine().open_orders().count();
            self.note(format!("the session ended while the venue had not answered for {open} open orders"));
            desk.stop();
        }
    }

    fn next_due(&self) -> Ts {
        if self.failed.is_some() {
            // The session hears nothing any more.
            return self.status_due.min(self.ending.unwrap_or(Ts::MAX));
        }
        if !self.held_back.is_empty() {
            return Ts::NONE;
        }
        let funding = self.funding.next_due();
        self.session.circuit.next_due().min(self.status_due).min(funding).min(self.ending.unwrap_or(Ts::MAX))
    }

    fn on_stop(&mut self, now: Ts, desk: &mut Desk<'_>) {
        if self.ending.is_none() {
            self.end_session(now, desk);
        }
    }
}

impl Pilot<'_, '_> {
    /// Keeps the guard's state, and what was made today, where the next session finds it.
    pub(super) fn see_standing(&mut self, at_once: bool) {
        if let Some(standing) = &mut self.standing {
            standing.see(self.session.circuit.engine());
            standing.keep_day(self.session.circuit.engine(), at_once);
        }
    }

    /// The session ends as its settings say.
    pub(super) fn end_session(&mut self, now: Ts, desk: &mut Desk<'_>) {
        let ending = Ending { cancel: self.on_stop == OnStop::Cancel, close: self.on_stop == OnStop::Close };
        if self.on_stop == OnStop::Keep {
            for number in self.gateways.values() {
                if let Some(gateway) = desk.gateway(*number) {
                    gateway.let_orders_stay(now);
                }
            }
        }
        self.tell(Told::Stop(now.max(self.session.now), ending), desk);
        self.show(now);
        if self.failed.is_some() {
            return self.give_up(desk);
        }
        if self.gateways.is_empty() || self.is_over(desk) {
            desk.stop();
        } else {
            self.ending = Some(now.plus(FAREWELL_NS));
        }
    }
}

/// The session goes on without: only its orders are slower.
pub(super) fn left_cold(error: &RunError) -> String {
    format!("the way of orders is not kept warm: {error}")
}
