//! Orders of one account at one venue: sent once, followed to their end, never guessed.
//!
//! A machine without I/O, like the [feed](super::feed). What it holds to:
//!
//! - A client order id is issued and sent once (`issue` counts attempts in the id). An order is tried
//!   again only after an answer that says that nothing was done.
//! - A request whose answer is lost has an unknown outcome. That is a state of the order; the venue is asked until it
//!   is known. "Not found" counts only after the venue's settling time.
//! - What the venue says of an order may come twice, late, or out of order. Fills are booked once by their id, also
//!   after an end that we believed in. Quantities that fills do not explain are asked for, not made up.
//!
//! It decides nothing: what was not approved cannot be given to it, and what ended is not replaced.

mod account;
mod counts;
mod eras;
mod fees;
mod foreign;
mod halt;
mod held;
mod known;
mod leaving;
mod notes;
mod outcome;
mod requests;
mod wires;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bellwether_sdk::{Decimal, InstrumentId, Money, OrderId, Price, Qty, Size, Ts};

use super::machine::{Action, BackoffSettings, ClockOffset, Limits, Link, Tag, nanos};
use super::{Amend, Balance, Facts, Listings, OrderRow, OrderStatus, PaidRow, Position, Request, Stamp, Urls, Venue};
use crate::keys::Signing;
use crate::orders::{Answer, Order, REASONS};
use crate::risk::Approved;
use held::{Cancelling, Held, State};
use known::Known;
use notes::Orphan;
use requests::{Flight, Job, Waiting};
use wires::Wires;

pub use account::Paid;
pub use foreign::{Adoptable, Adopted, LeftAlone};
pub use held::order_of;

/// Fills are asked for from so much before the time that is meant: clocks differ.
const FILLS_MARGIN_NS: i64 = 60_000_000_000;

/// What a gateway tells.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum GatewayEvent {
    /// An order changed or filled.
    Answer(Answer),
    /// It is not known what became of an order's request; the venue is being asked.
    Unknown(OrderId),
    /// It is known again, and this is its state.
    Known(OrderId, OrderStatus),
    /// An order that the venue had not taken goes out again: its how manieth attempt, from 1.
    Attempt(OrderId, u64),
    /// The venue's id of the fill that the next answer tells.
    FillId(OrderId, String),
    /// A resting order was changed; what is `None` stayed.
    Amended(OrderId, Option<Price>, Option<Qty>),
    /// A change of a resting order was refused, with the reason; the order is as it was.
    AmendRefused(OrderId, &'static str),
    /// A balance, whole.
    Balance(Balance),
    /// A position, whole.
    Position(Position),
    /// All balances of the account; those that are nothing are left out.
    Balances(Vec<Balance>),
    /// All positions of the account; those that are nothing are left out.
    Positions(Vec<Position>),
    /// Funding that the venue booked, for the first time.
    Paid(PaidRow),
    /// A fill's fee was paid in another currency than the settlement's: whose fill, the fee less what the fill says was
    /// withheld, its currency, and what our cash paid for it in settlement currency.
    FeePaid(InstrumentId, Decimal, String, Money),
    /// An open order in the account that this gateway did not send.
    Foreign(OrderRow),
    /// One of these as it stands now.
    Adoptable(Adoptable),
    /// One of these cannot be taken over.
    LeftAlone(LeftAlone),
    /// A fill's fee was paid in a currency that is neither settlement nor base: it is not in the fill.
    FeeElsewhere(OrderId, Decimal, String),
    /// Whether the private stream is on.
    Private(bool),
    /// Nanoseconds that the venue's clock is ahead of ours, and the round trip.
    Clock(i64, i64),
    /// Something odd, in words.
    Note(String),
    /// The key was refused: nothing but cancels is sent until [`Gateway::resume`], until another key signs, or until a
    /// question that was refused is answered; after a refused login, that for the balances.
    Halt(String),
    /// Such a question was answered: it sends again.
    Resumed,
}

/// How a gateway behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewaySettings {
    /// The session part of client order ids.
    pub session: u64,
    /// The venue's addresses.
    pub urls: Urls,
    /// Waits between attempts to connect.
    pub backoff: BackoffSettings,
    /// Seed of the jitter.
    pub seed: u64,
    /// A request on the trading socket without an answer within so many milliseconds has an unknown outcome, and the
    /// socket is opened anew: acts go by REST until it is up.
    pub answer_within_ms: u64,
    /// An order that could not be sent is tried again for so many milliseconds, then rejected.
    pub repeat_for_ms: u64,
    /// The first question after an unknown outcome comes after so many milliseconds; later ones wait longer.
    pub ask_after_ms: u64,
    /// Fills that an order's state speaks of are awaited for so many milliseconds, then asked for.
    pub fills_within_ms: u64,
    /// Open orders are compared with the venue's so often, milliseconds, while orders are open.
    pub reconcile_every_ms: u64,
    /// The same while the private stream is off.
    pub reconcile_blind_ms: u64,
    /// The venue cancels our orders by itself when it has not heard of us for so many milliseconds, where it can; it is
    /// told three times as often. 0 for not at all.
    pub cancel_after_ms: u64,
    /// Balances, positions and the venue's clock are asked for so often, milliseconds, and after every reconnect; 0 only
    /// at the start.
    pub account_every_ms: u64,
    /// Digits of settlement currencies; where one is missing, the instrument's price and quantity digits together.
    pub money_scales: BTreeMap<String, u8>,
}

impl GatewaySettings {
    /// The usual, for a session at a venue's addresses.
    pub fn new(session: u64, urls: Urls) -> Self {
        Self {
            session,
            urls,
            backoff: BackoffSettings::default(),
            seed: session,
            answer_within_ms: 3_000,
            repeat_for_ms: 5_000,
            ask_after_ms: 200,
            fills_within_ms: 500,
            reconcile_every_ms: 60_000,
            reconcile_blind_ms: 5_000,
            cancel_after_ms: 0,
            account_every_ms: 0,
            money_scales: BTreeMap::new(),
        }
    }
}

/// What is known of an order, for looking at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderView {
    /// Its number.
    pub id: OrderId,
    /// The venue's id; empty while unknown.
    pub venue_id: String,
    /// Its state; [`OrderStatus::Unknown`] while that is not known.
    pub status: OrderStatus,
    /// Its whole quantity.
    pub qty: Qty,
    /// What fills were told of it.
    pub filled: Qty,
}

/// An order of an earlier process, as its tape knows it.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// The order.
    pub order: Approved<Order>,
    /// The price it was judged by.
    pub reference: Price,
    /// When it was sent.
    pub sent: Ts,
    /// How often it was sent.
    pub attempts: u64,
    /// Whether it was told that the venue has it.
    pub accepted: bool,
    /// Whether its cancel was asked for.
    pub cancelled: bool,
    /// How its end was told; an order that ended is not asked for, but fills that come after all are booked.
    pub ended: Option<OrderStatus>,
    /// What fills were told of it.
    pub filled: Qty,
    /// The venue's ids of these fills.
    pub seen: Vec<String>,
}

/// The orders of one account.
pub struct Gateway {
    venue: Arc<dyn Venue>,
    facts: Facts,
    listings: Listings,
    signing: Signing,
    /// The count of its changes that was looked at last.
    keys_seen: u32,
    /// When keys and the connections of those that come and go are looked at again.
    keys_due: Ts,
    cancels_seen: u32,
    settings: GatewaySettings,
    limits: Arc<Limits>,
    orders: BTreeMap<OrderId, Held>,
    live: BTreeSet<OrderId>,
    by_venue: BTreeMap<(InstrumentId, String), OrderId>,
    /// The highest number of an order that is not kept any more.
    put_away: OrderId,
    /// Orders that are none of ours, or no more.
    foreign: Known,
    /// The private stream told of orders that others sent; which they are, the list of open orders says later.
    others_send: bool,
    /// Names of orders by which the venue was asked which they are.
    whose: Known,
    orphans: Vec<(Ts, Orphan)>,
    /// Orders of others that are looked up to be taken over.
    looked_up: BTreeMap<(InstrumentId, String), foreign::LookedUp>,
    /// Funding, where it is followed.
    payments: Option<account::Payments>,
    wires: Wires,
    /// Connections that come, and those that go: of another key, or of the same before the venue cuts them.
    next: Option<Wires>,
    old: Option<Wires>,
    /// They are not renewed before this time.
    renew_due: Ts,
    next_link: u32,
    asked: BTreeMap<Tag, Flight>,
    said: BTreeMap<u64, Flight>,
    waiting: VecDeque<Waiting>,
    /// Signed requests that wait for the one before, where they go one at a time.
    turn: VecDeque<(Flight, Request)>,
    after_clock: Vec<Waiting>,
    clock: ClockOffset,
    /// Connections were begun: what opens them is signed, so the clock is asked for first.
    begun: bool,
    nonce: u64,
    next_number: u64,
    reconcile_due: Ts,
    spare: fees::Spare,
    account_due: Ts,
    switch_due: Ts,
    switch_failed: bool,
    halted: Option<String>,
    /// The question whose answer ends the halt: it is asked again, how often it was, and when next.
    refused: Option<(Job, u32, Ts)>,
    /// How often a login was refused since the connections were up.
    logins_refused: u32,
    out: VecDeque<Action>,
    events: VecDeque<GatewayEvent>,
    now: Ts,
}

impl Gateway {
    /// A gateway for an account; it does nothing before [`start`](Self::start).
    pub fn new(
        venue: Arc<dyn Venue>,
        listings: Listings,
        signing: impl Into<Signing>,
        settings: GatewaySettings,
        limits: Arc<Limits>,
    ) -> Self {
        let signing = signing.into();
        let facts = venue.facts().clone();
        let wires = Wires::new(settings.backoff, settings.seed);
        Self {
            venue,
            facts,
            listings,
            keys_seen: signing.changes(),
            keys_due: Ts::NONE,
            cancels_seen: signing.cancels(),
            signing,
            settings,
            limits,
            orders: BTreeMap::new(),
            live: BTreeSet::new(),
            by_venue: BTreeMap::new(),
            put_away: OrderId(0),
            foreign: Known::default(),
            others_send: false,
            whose: Known::default(),
            orphans: Vec::new(),
            looked_up: BTreeMap::new(),
            payments: None,
            wires,
            next: None,
            old: None,
            renew_due: Ts::NONE,
            next_link: 0,
            asked: BTreeMap::new(),
            said: BTreeMap::new(),
            waiting: VecDeque::new(),
            turn: VecDeque::new(),
            after_clock: Vec::new(),
            clock: ClockOffset::default(),
            begun: false,
            nonce: 0,
            next_number: 0,
            reconcile_due: Ts::MAX,
            spare: fees::Spare::default(),
            account_due: Ts::MAX,
            switch_due: Ts::MAX,
            switch_failed: false,
            halted: None,
            refused: None,
            logins_refused: 0,
            out: VecDeque::new(),
            events: VecDeque::new(),
            now: Ts::NONE,
        }
    }

    /// Measures the clock, connects, and asks for balances, positions and what is open.
    pub fn start(&mut self, now: Ts) {
        self.at(now);
        self.ask_paid(0);
        for job in [Job::Time, Job::Balances, Job::Positions, Job::Open, Job::Conditional] {
            self.later(0, job, 0);
        }
        self.account_later();
        if self.settings.cancel_after_ms > 0 {
            self.switch_due = now;
        }
        self.on_time(now);
    }

    /// Starts where there is no venue: as if its clock were ours and connections opened at once. For going through the way of
    /// an order whose message is thrown away.
    pub fn start_alone(&mut self, now: Ts) {
        self.start(now);
        self.begin_wires();
        let opened: Vec<Link> = self
            .actions()
            .filter_map(|action| if let Action::Connect { link, .. } = action { Some(link) } else { None })
            .collect();
        opened.into_iter().for_each(|link| self.on_opened(link, now));
        self.out.clear();
    }

    /// What is to be done now, in order.
    pub fn actions(&mut self) -> impl Iterator<Item = Action> + '_ {
        self.out.drain(..)
    }

    /// Whether there is anything to be carried out.
    pub fn has_actions(&self) -> bool {
        !self.out.is_empty()
    }

    /// What happened, oldest first.
    pub fn next_event(&mut self) -> Option<GatewayEvent> {
        self.events.pop_front()
    }

    /// All orders that it knows, by number.
    pub fn orders(&self) -> impl Iterator<Item = OrderView> + '_ {
        self.orders.values().map(Held::view)
    }

    /// Whether all is known of every order: nothing is on its way, no answer, cancel or fill is awaited.
    pub fn is_settled(&self) -> bool {
        let at_rest = |h: &Held| {
            h.state == State::Open && h.cancelling == Cancelling::No && h.ending.is_none() && h.fills_due == Ts::MAX
        };
        self.live.iter().filter_map(|id| self.orders.get(id)).all(at_rest)
    }

    /// Whether an order has not ended, as far as is known.
    pub fn has_live(&self) -> bool {
        !self.live.is_empty()
    }

    /// Sends an order. The reference price works notional sizes out and bounds market orders at venues that have none.
    pub fn submit(&mut self, order: Approved<Order>, reference: Price, now: Ts) {
        let now = self.at(now);
        let id = order.get().id;
        if self.orders.contains_key(&id) || self.is_put_away(id) {
            self.note(format!("order {} was given to the gateway twice; the second is left alone", id.0));
            return;
        }
        let refuse = match self.quantity(order.get(), reference) {
            _ if self.halted.is_some() => Some("halted"),
            None => Some("instrument_not_listed"),
            Some(qty) if qty <= Qty::ZERO => Some("size_below_minimum"),
            Some(qty) => {
                let held = Held::new(order, qty, reference, self.settings.session, now);
                self.orders.insert(id, held);
                self.live.insert(id);
                None
            }
        };
        match refuse {
            Some(reason) => self.tell(Answer::Rejected(id, reason)),
            None => self.place(id),
        }
    }

    /// Takes over an order that an earlier process sent in the same session: it is asked for.
    pub fn adopt(&mut self, earlier: Earlier, now: Ts) {
        self.at(now);
        let Earlier { order, reference, sent, attempts, accepted, cancelled, ended, filled, seen } = earlier;
        let id = order.get().id;
        let Some(qty) = self.quantity(order.get(), reference) else {
            self.note(format!("order {} is of an instrument that is not listed; it is not managed", id.0));
            return;
        };
        let mut held = Held::new(order, qty, reference, self.settings.session, sent);
        (0..attempts.max(1)).for_each(|_| held.issue(sent));
        held.told = filled;
        held.filled = filled;
        held.accepted = accepted;
        held.state = State::Unknown;
        held.ended = ended;
        for trade in &seen {
            held.is_new_fill(trade);
        }
        self.orders.insert(id, held);
        if ended.is_some() {
            return;
        }
        self.live.insert(id);
        if cancelled {
            self.cancel(id, now);
        }
        self.later(0, Job::Order(id), 0);
        self.pump();
    }

    /// The exact quantity of an order: notional sizes at the reference price, toward zero to the lot, without fees.
    fn quantity(&self, order: &Order, reference: Price) -> Option<Qty> {
        let rules = &self.listings.get(order.instrument)?.rules;
        let (amount, close) = match order.size {
            Size::Qty(qty) => return Some(qty),
            Size::Notional { amount, close } => (amount, close),
        };
        let price = if order.price().is_zero() { reference } else { order.price() };
        let unit = i128::from(price.mantissa()).checked_mul(i128::from(rules.multiplier))?;
        if unit <= 0 {
            return Some(Qty::ZERO);
        }
        // qty = amount / (price · multiplier), at the quantity's digits.
        let digits = u32::from(rules.price_scale) + u32::from(rules.qty_scale);
        let wide = i128::from(amount.mantissa()).checked_mul(10_i128.checked_pow(digits)?)?;
        let wide = wide / 10_i128.checked_pow(u32::from(amount.scale()))?;
        let lot = i128::from(rules.lot.mantissa().max(1));
        let bought = i64::try_from(wide / unit / lot * lot).ok()?.max(0);
        Some(Qty::from_mantissa(bought.checked_add(close.mantissa())?))
    }

    /// Ends an order; its answer comes when the venue has said so.
    pub fn cancel(&mut self, id: OrderId, now: Ts) {
        self.at(now);
        let halted = self.halted.is_some();
        let Some(held) = self.orders.get_mut(&id).filter(|h| h.ended.is_none()) else { return };
        match (held.state, held.cancelling) {
            (State::Waiting(_), _) => self.end(id, OrderStatus::Cancelled, "requested"),
            (State::Sent | State::Unknown, _) if planted!("cancel_forgotten") => {}
            (State::Open, Cancelling::No) => self.cancel_now(id),
            // In a halt it is not asked what became of an order, and a cancel that was refused with the key waits.
            (State::Open | State::Unknown, Cancelling::No | Cancelling::Wanted) if halted => self.cancel_now(id),
            (State::Sent | State::Unknown, _) => held.cancelling = Cancelling::Wanted,
            (State::Open, _) => {}
        }
    }

    fn cancel_now(&mut self, id: OrderId) {
        if let Some(held) = self.orders.get_mut(&id) {
            held.cancelling = Cancelling::Wanted;
        }
        self.later(0, Job::Cancel(id), 0);
        self.pump();
    }

    /// Ends all open orders, of one instrument or all.
    pub fn cancel_all(&mut self, instrument: Option<InstrumentId>, now: Ts) {
        self.at(now);
        // The venue's cancel of all would reach them too.
        let alone = self.foreign.is_empty() && !self.others_send;
        let mine = |h: &Held| instrument.is_none_or(|i| h.order().instrument == i);
        let ids: Vec<OrderId> = self.live.iter().copied().filter(|id| self.orders.get(id).is_some_and(mine)).collect();
        let mut resting: BTreeMap<InstrumentId, Vec<OrderId>> = BTreeMap::new();
        for id in ids {
            let Some(held) = self.orders.get_mut(&id) else { continue };
            let together = alone && held.state == State::Open && held.cancelling == Cancelling::No;
            // Orders that wait for a trigger may be kept apart, where the common cancel does not reach them.
            if together && !held.client().is_conditional() {
                resting.entry(held.order().instrument).or_default().push(id);
            } else {
                self.cancel(id, now);
            }
        }
        for (instrument, ids) in resting {
            if ids.len() < 2 {
                ids.into_iter().for_each(|id| self.cancel(id, now));
                continue;
            }
            for id in &ids {
                if let Some(held) = self.orders.get_mut(id) {
                    held.cancelling = Cancelling::Sent;
                }
            }
            self.later(0, Job::CancelAll(instrument), 0);
        }
        self.pump();
    }

    /// Changes a resting order's price or whole quantity, where the venue can; else it is refused.
    pub fn amend(&mut self, id: OrderId, price: Option<Price>, qty: Option<Qty>, now: Ts) {
        self.at(now);
        let refuse = match self.orders.get(&id) {
            _ if !self.facts.amend => Some("amend_unsupported"),
            _ if self.halted.is_some() => Some("halted"),
            Some(held) if held.state == State::Open && held.ended.is_none() => None,
            Some(_) | None => Some("unknown_order"),
        };
        if let Some(reason) = refuse {
            self.events.push_back(GatewayEvent::AmendRefused(id, reason));
            return;
        }
        if let Some(held) = self.orders.get(&id) {
            let (instrument, side) = (held.order().instrument, held.order().side);
            let amend = Amend { instrument, order: held.reference(), side, price, qty };
            self.later(0, Job::Amend(id, amend), 0);
            self.pump();
        }
    }

    /// Time passed.
    pub fn on_time(&mut self, now: Ts) {
        let now = self.at(now);
        self.watch_wires();
        self.close_unanswered();
        let due: Vec<OrderId> = self.live.iter().copied().filter(|id| self.due_of(*id) <= now).collect();
        for id in due {
            let Some(held) = self.orders.get_mut(&id) else { continue };
            if matches!(held.state, State::Waiting(at) if at <= now) {
                self.place(id);
            } else if held.fills_due <= now {
                held.fills_due = Ts::MAX;
                let (instrument, from) = (held.order().instrument, held.first);
                self.later(0, Job::Fills(instrument, from), 0);
            }
        }
        if now >= self.reconcile_due {
            self.reconcile();
        }
        self.ask_refused();
        if now >= self.switch_due {
            let within = self.settings.cancel_after_ms;
            self.later(0, Job::Switch(within), 0);
            self.switch_due = now.plus(nanos(within / 3));
        }
        if now >= self.account_due {
            self.ask_account(0);
            self.later(0, Job::Time, 0);
            // Orders of others show here also while none of ours is open.
            if !planted!("no_reconcile") {
                self.later(0, Job::Open, 0);
                self.later(0, Job::Conditional, 0);
            }
        }
        self.drop_orphans();
        self.pump();
    }

    /// Forgets the orders that have ended and are not kept by whoever books their fills. Fills that come for them after all
    /// have the account looked at.
    pub fn put_away(&mut self, is_kept: impl Fn(OrderId) -> bool) {
        let going: Vec<OrderId> =
            self.orders.iter().filter(|(id, h)| h.ended.is_some() && !is_kept(**id)).map(|(id, _)| *id).collect();
        let Some(last) = going.last().copied() else { return };
        for id in &going {
            self.orders.remove(id);
        }
        self.by_venue.retain(|_, id| going.binary_search(id).is_err());
        self.put_away = self.put_away.max(last);
    }

    /// Numbers up to this one are an earlier process's: those of them that are not [`adopt`](Self::adopt)ed were put away.
    pub fn go_on_after(&mut self, last: OrderId) {
        self.put_away = self.put_away.max(last);
    }

    /// Whether an order was put away: numbers only grow, so one that is not there was there.
    fn is_put_away(&self, id: OrderId) -> bool {
        id <= self.put_away && !self.orders.contains_key(&id)
    }

    fn due_of(&self, id: OrderId) -> Ts {
        self.orders.get(&id).map_or(Ts::MAX, |h| match h.state {
            State::Waiting(at) => at,
            _ => h.fills_due,
        })
    }

    /// When [`on_time`](Self::on_time) has something to do.
    pub fn next_due(&self) -> Ts {
        let said = self.said.values().map(|f| f.at.plus(nanos(self.settings.answer_within_ms))).min();
        let orders = self.live.iter().map(|id| self.due_of(*id)).min();
        let waiting = self.waiting.iter().map(|w| w.due).min();
        let all = [said, orders, waiting, Some(self.wires_due()), Some(self.reconcile_due)];
        let refused = self.refused.as_ref().map(|r| r.2);
        let all = all.into_iter().chain([Some(self.account_due), Some(self.switch_due), refused]);
        all.flatten().min().unwrap_or(Ts::MAX)
    }

    /// Compares with the venue: what is open, and what filled.
    fn reconcile(&mut self) {
        self.reconcile_later();
        if self.live.is_empty() && self.wires.private_on {
            // Looked at again when the next order is sent.
            self.reconcile_due = Ts::MAX;
        }
        for job in [Job::Open, Job::Conditional] {
            if !self.is_under_way(&job) && !planted!("no_reconcile") {
                self.later(0, job, 0);
            }
        }
    }

    fn reconcile_later(&mut self) {
        let settings = &self.settings;
        let every = if self.wires.private_on { settings.reconcile_every_ms } else { settings.reconcile_blind_ms };
        self.reconcile_due = self.now.plus(nanos(every));
    }

    fn at(&mut self, now: Ts) -> Ts {
        self.now = self.now.max(now);
        self.now
    }

    fn stamp(&mut self) -> Stamp {
        let now = self.clock.venue_time(self.now);
        let millis = u64::try_from(now.nanos() / 1_000_000).unwrap_or(0);
        self.nonce = millis.max(self.nonce + 1);
        Stamp { now, nonce: self.nonce }
    }

    fn note(&mut self, words: String) {
        self.events.push_back(GatewayEvent::Note(words));
    }

    fn tell(&mut self, answer: Answer) {
        // A tape cannot give back a reason that is not in the list.
        debug_assert!(
            !matches!(answer, Answer::Rejected(_, why) | Answer::Cancelled(_, why) | Answer::Expired(_, why)
                if !REASONS.contains(&why)),
            "{answer:?}"
        );
        self.events.push_back(GatewayEvent::Answer(answer));
    }
}
