//! Sessions on venues' feeds: paper against the simulated exchange, live against the venue. One thread reads, decides and
//! writes; the tape has an effect before it leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bellwether_sdk::{Funding, InstrumentId, Interval, OrderId, OrderState, Price, Qty, Rate, Ts};

use super::account::{Accounts, LOOK_EVERY_MS, signing_of, stored_with_cash, with_cash_of_venues};
use super::asked::{Standing, positions};
use super::backtest::config_hash;
use super::keeper::{Ring, Signings, Words};
use super::latency::LatencyKeeper;
use super::market::{self, Place, Scale};
use super::news::Outside;
use super::paper::{SessionPlan, Watcher};
use super::pulse::{Around, pulse};
use super::rehearsal::Rehearsal;
use super::report::Reporter;
use super::session::{Session, status};
use super::setup::Setup;
use super::supply::Offers;
use super::surroundings::Surroundings;
use super::tapes::{self, Ears};
use super::watchdog::Watch;
use super::{RunError, RunReport, ask};
use crate::api::Pages;
use crate::config::{OnStop, Settings};
use crate::engine::{Circuit, Command, Ending, Engine, Event, Told};
use crate::exchange::drive::{Desk, Drive, Hands, Histogram, Latency, Stages};
use crate::exchange::feed::FeedEvent;
use crate::exchange::gateway::{Earlier, Gateway, GatewayEvent, GatewaySettings};
use crate::exchange::transport::{Live, LiveSettings, Transport};
use crate::exchange::{Listing, OrderStatus, Topic};
use crate::host::Registry;
use crate::keys::Signing;
use crate::market::Kind;
use crate::orders::Answer;
use crate::signal::News;
use crate::sources::{Mail, Question};
use crate::tape::{InstrumentRecord, Mode, OnDisk, Start, TapeReader, VenueNote};

/// How often people are told how it stands.
const STATUS_EVERY_NS: i64 = 250_000_000;

/// How often a second source's price is told at most.
const REFER_EVERY_NS: i64 = 100_000_000;

/// How long a live session waits at its end for the venue to say what became of its orders: longer than a venue is silent
/// after too many requests in a minute. Who cannot wait asks to stop a second time.
pub(super) const FAREWELL_NS: i64 = 75_000_000_000;

/// Runs a session on venues' feeds: paper without keys, live with them.
///
/// # Errors
/// [`RunError`].
pub fn session(
    settings: &Settings,
    registry: &Registry,
    plan: SessionPlan<'_>,
    keys: Option<Ring>,
    watcher: &mut dyn Watcher,
    stop: &AtomicBool,
) -> Result<RunReport, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| RunError::Venue(format!("starting the runtime: {e}")))?;
    let transport: Arc<dyn Transport> =
        Arc::new(Live::new(LiveSettings::default()).map_err(|e| RunError::Venue(e.to_string()))?);
    runtime.block_on(async {
        let signings = match keys {
            Some(ring) => Some(ring.begin(settings, &*transport).await?),
            None => None,
        };
        let around = Surroundings::of_this_machine(transport);
        session_in(settings, registry, plan, signings, watcher, stop, around).await
    })
}

/// The same within other surroundings than this machine's, on the runtime of the caller: one thread, with time.
///
/// # Errors
/// [`RunError`].
pub async fn session_in(
    settings: &Settings,
    registry: &Registry,
    plan: SessionPlan<'_>,
    keys: Option<Signings>,
    watcher: &mut dyn Watcher,
    stop: &AtomicBool,
    around: Surroundings<'_>,
) -> Result<RunReport, RunError> {
    let Surroundings { transport, clock, disk, in_real_time } = around;
    let wall_now = || clock().now();
    let began = Instant::now();
    let mode = if keys.is_some() { Mode::Live } else { Mode::Paper };
    let symbols = market::symbols(settings)?;
    let tapes = (plan.tape.as_deref(), plan.resume.as_deref());
    let standing = Standing::take(plan.state.as_deref(), settings, mode, &symbols, tapes)?;
    let (places, offers) = market::places(settings, &symbols, &*transport).await?;
    let found = match keys.as_ref().filter(|_| plan.resume.is_none()) {
        Some(keys) => Some(with_cash_of_venues(settings, &places, &offers, keys, &*transport, &wall_now).await?),
        None => None,
    };
    let (found, held) = found.map_or((None, Vec::new()), |(settings, held)| (Some(settings), held));
    let settings = found.as_ref().unwrap_or(settings);
    let setup = Setup::new(settings, registry, &offers)?;
    let (instruments, series) = (setup.plan.instruments.clone(), setup.plan.series.clone());
    let builds = setup.plan.build.clone();
    let (profile, notes) = (setup.plan.profile.to_string(), setup.plan.notes.clone());
    let seconds = market::seconds(settings, &instruments, &*transport).await?;
    let start = start_record(settings, &setup, &offers, &plan, mode, wall_now());
    let TakenUp { mut session, number, earlier, aside } = match &plan.resume {
        Some(path) => take_up(path, registry, settings, mode, disk)?,
        None => {
            let (engine, sim) = setup.build(settings);
            let circuit = match mode {
                Mode::Paper => Circuit::paper(engine, sim),
                Mode::Live => Circuit::live(engine),
            };
            let tape = plan.tape.as_deref().map(|p| (p, &start, settings.session.durability, disk));
            let session = Session::new(circuit, instruments.clone(), tape)?;
            TakenUp { session, number: plan.session, earlier: Vec::new(), aside: Vec::new() }
        }
    };
    if plan.resume.is_none() && settings.backtest.warmup > 0 {
        warm_up(&mut session, &places, &builds, settings.backtest.warmup, wall_now(), &*transport).await?;
    }
    let latency = Latency::default();
    let stages = Arc::clone(latency.stages());
    let keeper =
        session.tape_path().filter(|_| in_real_time).map(|tape| LatencyKeeper::begin(Arc::clone(&stages), tape));
    let mut drive = Drive::new(transport, clock()).with_probe(Box::new(latency));
    let mut by_instrument = BTreeMap::new();
    let mut accounts = Accounts::new(settings);
    let mut orders = BTreeMap::new();
    for place in &places {
        drive.add_feed(market::feed(place, &series, settings, number)?, place.urls.rest.clone());
        if let Some(keys) = &keys {
            let mut gateway = gateway(place, keys, number, session.circuit.engine(), settings)?;
            let its = earlier.iter().filter(|e| place.listings.get(e.order.get().instrument).is_some());
            let its: Vec<&Earlier> = its.collect();
            its.iter().for_each(|e| gateway.adopt((*e).clone(), wall_now()));
            let number = drive.add_gateway(gateway, place.urls.rest.clone());
            orders.extend(its.iter().map(|e| (e.order.get().id, number)));
            by_instrument.extend(place.listings.iter().map(|l| (l.id, number)));
            accounts.add(number, place.listings.iter().map(|l| l.id).collect(), places.len() == 1, &aside);
        }
    }
    let rehearsal = match (&keys, places.first()) {
        (Some(keys), Some(place)) if in_real_time => {
            Rehearsal::new(settings, &offers, place, &signing_of(place, keys)?)?
        }
        _ => None,
    };
    let mut second_by_feed = BTreeMap::new();
    for second in seconds {
        let series = [(second.instrument, Kind::Trades), (second.instrument, Kind::Quotes)];
        let feed = market::feed(&second.place, &series, settings, plan.session)?;
        let number = drive.add_feed(feed, second.place.urls.rest.clone());
        second_by_feed.insert(number, second.scale);
    }
    let outside = Outside::open(settings, &instruments, plan.tokens)?;
    let mut reporter = Reporter::open(settings, plan.tokens, &outside.sender, mode.name(), watcher)?;
    if reporter.is_open() || settings.signals.only {
        session.circuit.engine_mut().keep_signals();
    }
    reporter.began(wall_now(), plan.resume.is_some());
    drive.ring_for(outside.mailbox.bell());
    let mut hands = Pilot::new(session, settings, &mut reporter, by_instrument);
    (hands.outside, hands.stop, hands.number) = (Some(outside), Some(stop), plan.session);
    hands.seconds = second_by_feed;
    hands.orders = orders;
    hands.accounts = accounts;
    hands.rehearsal = rehearsal;
    hands.pages = settings.session.health_addr.map(Pages::serve).transpose().map_err(RunError::Settings)?;
    hands.begin_accounts(held, wall_now())?;
    hands.key_words = keys.as_ref().map(Signings::words).unwrap_or_default();
    hands.signings = keys.as_ref().map(Signings::all).unwrap_or_default();
    let watched: &[_] = if mode == Mode::Live { &symbols } else { &[] };
    hands.watch = standing.watch(settings, watched, hands.session.tape_path().as_deref());
    hands.standing = Some(standing);
    drive.run(&mut hands, asked_to_stop(stop, plan.ends_after)).await;
    drop(hands.watch.take());
    // Their keeper has last words.
    drop(keys);
    hands.show();
    let Pilot { session, failed, told, outside, standing, .. } = hands;
    let sent = reporter.ended(wall_now(), failed.as_ref());
    if let Some(error) = failed {
        return Err(error);
    }
    drop(keeper);
    let tape = session.tape_path();
    let mut outcome = session.finish()?;
    drop(standing);
    outcome.notes.extend(notes);
    outcome.notes.extend(told.into_iter().map(|(note, count)| format!("{note} ({count} times)")));
    outcome.notes.extend(outside.iter().flat_map(|o| o.sources.counts()).chain(sent));
    outcome.notes.push(latency_note(&stages));
    Ok(RunReport {
        outcome,
        fill_profile: if mode == Mode::Live { "venue".to_owned() } else { profile },
        data_hash: String::new(),
        config_hash: config_hash(settings),
        series: Vec::new(),
        engine_cpu_seconds: 0.0,
        wall_seconds: began.elapsed().as_secs_f64(),
        tape,
    })
}

/// Past bars, so that strategies on bars need not wait for them.
async fn warm_up(
    session: &mut Session,
    places: &[Place],
    builds: &[(InstrumentId, Interval)],
    count: u64,
    now: Ts,
    transport: &dyn Transport,
) -> Result<(), RunError> {
    let mut bars = Vec::new();
    for (id, interval) in builds {
        let Some(place) = places.iter().find(|p| p.listings.get(*id).is_some()) else { continue };
        bars.extend(market::history(place, *id, *interval, count, now, transport).await?);
    }
    bars.sort_by_key(|b| (b.ts_close, b.instrument));
    for bar in &bars {
        session.tell(Told::Market(Event::Bar(bar)))?;
    }
    Ok(())
}

fn latency_note(stages: &Stages) -> String {
    let us = |ns: u64| ns as f64 / 1000.0;
    let of = |(name, h): (&str, &Histogram)| {
        let (p50, p99) = (h.quantile(0.5), h.quantile(0.99));
        format!("{name} p50 {:.1} p99 {:.1} max {:.1} µs of {}", us(p50), us(p99), us(h.max()), h.len())
    };
    format!("latency: {}", stages.all().map(of).join("; "))
}

fn gateway(
    place: &Place,
    keys: &Signings,
    session: u64,
    engine: &Engine,
    settings: &Settings,
) -> Result<Gateway, RunError> {
    let signer = signing_of(place, keys)?;
    let cancel_after_ms = settings.session.cancel_after_ms;
    let mut settings = GatewaySettings::new(session, place.urls.clone());
    settings.account_every_ms = LOOK_EVERY_MS;
    settings.cancel_after_ms = cancel_after_ms;
    // Fees are told in the digits in which the engine keeps that money.
    let scale = |l: &Listing| (l.rules.symbol.settle().to_owned(), engine.money_scale(l.id));
    settings.money_scales = place.listings.iter().map(scale).collect();
    Ok(Gateway::new(Arc::clone(&place.venue), place.listings.clone(), signer, settings, Arc::clone(&place.limits)))
}

/// Completes when the person asks to stop or the time is up.
pub(super) async fn asked_to_stop(stop: &AtomicBool, ends_after: Option<Duration>) {
    let began = tokio::time::Instant::now();
    while !stop.load(Ordering::Relaxed) && ends_after.is_none_or(|d| began.elapsed() < d) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn start_record(
    settings: &Settings,
    setup: &Setup,
    offers: &Offers,
    plan: &SessionPlan<'_>,
    mode: Mode,
    created: Ts,
) -> Start {
    let of = |(i, offer): (&bellwether_sdk::Instrument, &super::supply::Offer)| {
        InstrumentRecord::new(i, offer.fees, offer.kinds.iter().map(Kind::to_string).collect())
    };
    Start {
        mode,
        session: plan.session,
        version: plan.program.0.to_owned(),
        program: plan.program.1.to_owned(),
        created,
        settings: stored_with_cash(&plan.settings_json, &settings.account.cash),
        instruments: setup.plan.instruments.iter().zip(&offers.rows).map(of).collect(),
        place: offers.place.clone(),
        pace: if settings.session.feed == crate::config::Feed::Venue { 0 } else { settings.session.pace },
    }
}

/// A session as its tape left it.
struct TakenUp {
    session: Session,
    /// The upper half of its client order ids.
    number: u64,
    /// The orders that it had sent to venues.
    earlier: Vec<Earlier>,
    /// What it had noted of the venues' accounts.
    aside: Vec<VenueNote>,
}

/// Hears what a live session had sent, which is not sent again, and what the venue called it.
#[derive(Default)]
struct Sent {
    orders: BTreeMap<OrderId, Earlier>,
    /// The id of a fill whose answer has not been heard: a crash may have come between.
    coming: Option<(OrderId, String)>,
    /// What was noted of the venues' accounts.
    aside: Vec<VenueNote>,
}

impl Ears for Sent {
    fn before(&mut self, told: &Told<'_>, _: &mut Session) {
        let Told::Answer(Answer::Fill { order, .. }, _) = told else { return };
        if let Some((_, trade)) = self.coming.take().filter(|(id, _)| id == order)
            && let Some(earlier) = self.orders.get_mut(order)
        {
            earlier.seen.push(trade);
        }
    }

    fn after(&mut self, session: &mut Session) {
        for command in session.circuit.outgoing() {
            match command {
                Command::Submit(order) => {
                    let reference = session.circuit.engine().view().instruments[order.get().instrument.index()].last;
                    let earlier = Earlier {
                        order,
                        reference,
                        sent: session.now,
                        attempts: 1,
                        accepted: false,
                        cancelled: false,
                        ended: None,
                        filled: Qty::ZERO,
                        seen: Vec::new(),
                    };
                    self.orders.insert(order.get().id, earlier);
                }
                Command::Cancel(id, _) => {
                    if let Some(earlier) = self.orders.get_mut(&id) {
                        earlier.cancelled = true;
                    }
                }
            }
        }
    }

    fn noted(&mut self, note: VenueNote) {
        match note {
            VenueNote::Attempt(id, attempt) => {
                if let Some(earlier) = self.orders.get_mut(&id) {
                    earlier.attempts = attempt;
                }
            }
            VenueNote::Fill(id, trade) => self.coming = Some((id, trade)),
            aside @ VenueNote::Aside(..) => self.aside.push(aside),
        }
    }
}

impl Sent {
    /// With what became of them.
    fn known(self, session: &Session) -> Vec<Earlier> {
        let orders = session.circuit.engine().orders();
        let of = |(id, mut earlier): (OrderId, Earlier)| {
            if planted!("forget_fill_ids") {
                earlier.seen.clear();
            }
            let record = orders.get(id).ok()?;
            earlier.filled = record.filled;
            earlier.accepted = !matches!(record.state, OrderState::Sent | OrderState::Unknown);
            earlier.ended = match record.state {
                OrderState::Filled => Some(OrderStatus::Filled),
                OrderState::Cancelled => Some(OrderStatus::Cancelled),
                OrderState::Rejected => Some(OrderStatus::Rejected),
                OrderState::Expired => Some(OrderStatus::Expired),
                _ => None,
            };
            Some(earlier)
        };
        self.orders.into_iter().filter_map(of).collect()
    }
}

/// Takes a session up where its tape ended.
fn take_up(
    path: &Path,
    registry: &Registry,
    settings: &Settings,
    mode: Mode,
    disk: OnDisk<'_>,
) -> Result<TakenUp, RunError> {
    let mut reader = TapeReader::open(path)?;
    let mut sent = Sent::default();
    let tapes::TapeRun { mut session, start, cut, .. } =
        tapes::resumable(&mut reader, registry, settings, mode, &mut sent)?;
    let aside = std::mem::take(&mut sent.aside);
    let earlier = if planted!("forget_on_restart") { Vec::new() } else { sent.known(&session) };
    session.resume_tape(reader, settings.session.durability, cut, disk)?;
    let now = session.now;
    session.tell(Told::Resume(now))?;
    // Books are from before: they begin again with their snapshots.
    for i in 0..session.circuit.engine().view().instruments.len() {
        session.tell(Told::BookLost(InstrumentId(i as u16), now))?;
    }
    Ok(TakenUp { session, number: start.session, earlier, aside })
}

/// What holds a session together: hears feeds and gateways, tells the session, sends what it wants sent.
pub(super) struct Pilot<'a, 'b> {
    pub(super) session: Session,
    watcher: &'a mut Reporter<'b>,
    on_stop: OnStop,
    currency: String,
    start_equity: f64,
    status_due: Ts,
    /// The next settlement of each perpetual: when, at which rate and mark.
    funding: BTreeMap<InstrumentId, (Ts, Rate, Price)>,
    /// By instrument: the number of its gateway. Empty in paper mode.
    pub(super) gateways: BTreeMap<InstrumentId, usize>,
    /// Of orders that went out: their gateway.
    orders: BTreeMap<OrderId, usize>,
    /// Orders that did not leave because the tape waits for its disk; they are answered next.
    held_back: Vec<OrderId>,
    /// What the feed says of itself: by what it is about.
    feed: BTreeMap<String, String>,
    /// Notes and how often they came.
    told: BTreeMap<String, u64>,
    /// What the keeper of keys has to say.
    key_words: Words,
    /// The keys of each account.
    signings: Vec<Signing>,
    /// By feed: how the numbers of a second source become the first's.
    seconds: BTreeMap<usize, Scale>,
    /// Instruments whose first source is stale, by topic.
    stale: BTreeSet<Topic>,
    /// The second source's price told last, and when.
    referred: BTreeMap<InstrumentId, (Price, Ts)>,
    /// What comes from outside the market.
    outside: Option<Outside>,
    /// Set when a person ends the session from a chat.
    stop: Option<&'a AtomicBool>,
    /// The upper half of order ids, and of signals' ids.
    number: u64,
    /// The end was asked for; the session ends at this time at the latest.
    pub(super) ending: Option<Ts>,
    /// The kill switch was pulled, and whether positions are to be closed.
    pub(super) killed: Option<bool>,
    /// Who watches whether the session moves.
    pub(super) watch: Option<Watch>,
    /// The session's locks.
    pub(super) standing: Option<Standing>,
    /// The venues' accounts.
    pub(super) accounts: Accounts,
    /// Where others look how it stands.
    pub(super) pages: Option<Pages>,
    /// Keeps the way of an order warm.
    rehearsal: Option<Rehearsal>,
    /// When a feed last said something.
    heard: Ts,
    /// How late the loop was for its last status.
    lag_ns: i64,
    failed: Option<RunError>,
    /// A failure was acted on: open orders were cancelled, and the session ends.
    given_up: bool,
}

impl<'a, 'b> Pilot<'a, 'b> {
    fn new(
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
            funding: BTreeMap::new(),
            gateways,
            orders: BTreeMap::new(),
            held_back: Vec::new(),
            feed: BTreeMap::new(),
            told: BTreeMap::new(),
            key_words: Words::default(),
            signings: Vec::new(),
            seconds: BTreeMap::new(),
            stale: BTreeSet::new(),
            referred: BTreeMap::new(),
            outside: None,
            stop: None,
            number: 0,
            ending: None,
            killed: None,
            watch: None,
            standing: None,
            accounts: Accounts::default(),
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
        for command in self.session.circuit.outgoing() {
            match command {
                // What only makes a position smaller leaves even so: its record survives this process.
                Command::Submit(order) if self.session.is_behind().is_some() && !order.get().only_reduces() => {
                    self.held_back.push(order.get().id);
                }
                Command::Submit(order) => {
                    let (id, instrument) = (order.get().id, order.get().instrument);
                    let Some(number) = self.gateways.get(&instrument) else { continue };
                    self.orders.insert(id, *number);
                    let reference = self.session.circuit.engine().view().instruments[instrument.index()].last;
                    desk.submit(*number, order, reference);
                }
                Command::Cancel(id, _) => {
                    if let Some(number) = self.orders.get(&id) {
                        desk.cancel(*number, id);
                    }
                }
            }
        }
    }

    /// Whether nothing is awaited of the venue any more: no order is open or, where they are kept, each is known to rest.
    pub(super) fn is_over(&self, desk: &mut Desk<'_>) -> bool {
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
        if let Err(error) = self.session.note(note) {
            self.fail(error, desk);
        }
    }

    fn fail(&mut self, error: RunError, desk: &mut Desk<'_>) {
        self.failed.get_or_insert(error);
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
        desk.stop();
    }

    pub(super) fn note(&mut self, note: String) {
        let count = self.told.entry(note.clone()).or_default();
        *count += 1;
        if *count == 1 {
            let now = self.session.now;
            self.watcher.effect(now, &note);
        }
    }

    fn show(&mut self) {
        self.key_words.take().into_iter().for_each(|words| self.note(words));
        if let Err(error) = self.session.flush() {
            self.failed.get_or_insert(error);
        }
        for (at, line) in self.session.take_lines() {
            self.watcher.effect(at, &line);
        }
        let mut status = status(self.session.circuit.engine(), &self.currency, self.start_equity);
        status.feed = self.feed.values().cloned().collect::<Vec<_>>().join(", ");
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
        pages.show(pulse(self.session.circuit.engine(), &self.signings, &around));
    }

    /// A second source: its price judges the first's; while the first is stale, its trades and quotes stand in.
    fn on_second(&mut self, scale: Scale, event: FeedEvent<'_>, now: Ts, desk: &mut Desk<'_>) {
        let (instrument, price, stands_in) = match event {
            FeedEvent::Trade(mut trade) => {
                (trade.price, trade.qty) = (scale.price(trade.price), scale.qty(trade.qty));
                let stands_in = self.stale.contains(&Topic::Trades(trade.instrument));
                if stands_in {
                    self.tell(Told::Market(Event::Trade(&trade)), desk);
                }
                (trade.instrument, trade.price, stands_in)
            }
            FeedEvent::Quote(mut quote) => {
                (quote.bid, quote.ask) = (scale.price(quote.bid), scale.price(quote.ask));
                (quote.bid_qty, quote.ask_qty) = (scale.qty(quote.bid_qty), scale.qty(quote.ask_qty));
                let stands_in = self.stale.contains(&Topic::Quotes(quote.instrument));
                if stands_in {
                    self.tell(Told::Market(Event::Quote(&quote)), desk);
                }
                (quote.instrument, quote.mid(), stands_in)
            }
            FeedEvent::Reconnecting(_, _, _, why) => return self.note(format!("second source disconnected: {why}")),
            _ => return,
        };
        if stands_in {
            self.note("the second source stands in for a stale first".to_owned());
        }
        let last = self.referred.get(&instrument).copied().unwrap_or((Price::ZERO, Ts::NONE));
        if price != last.0 && !price.is_zero() && last.1.plus(REFER_EVERY_NS) <= now {
            self.referred.insert(instrument, (price, now));
            self.tell(Told::Reference(instrument, price, now.max(self.session.now)), desk);
        }
    }

    fn settle_funding(&mut self, now: Ts, desk: &mut Desk<'_>) {
        let due: Vec<InstrumentId> = self.funding.iter().filter(|(_, f)| f.0 <= now).map(|(id, _)| *id).collect();
        for instrument in due {
            if let Some((ts, rate, mark)) = self.funding.remove(&instrument) {
                let funding = Funding { ts: ts.max(self.session.now), rate, mark, instrument };
                // At a venue the venue books it.
                if self.gateways.is_empty() {
                    self.tell(Told::Market(Event::Funding(&funding)), desk);
                }
            }
        }
    }
}

impl Hands for Pilot<'_, '_> {
    fn on_feed(&mut self, feed: usize, event: FeedEvent<'_>, now: Ts, desk: &mut Desk<'_>) {
        self.heard = now;
        if !self.seconds.is_empty()
            && let Some(scale) = self.seconds.get(&feed).copied()
        {
            return self.on_second(scale, event, now, desk);
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
                if at != Ts::NONE {
                    self.funding.insert(id, (at, rate, mark));
                }
            }
            FeedEvent::BookLost(id, why) => {
                self.note(format!("book lost: {}", why.name()));
                self.tell(Told::BookLost(id, now), desk);
            }
            FeedEvent::Stale(topic, age_ms) => {
                self.stale.insert(topic);
                self.feed.insert(format!("{topic:?}"), format!("STALE for {} s", age_ms / 1000));
                self.note(format!("feed is stale: {topic:?}"));
            }
            FeedEvent::Alive(topic) => {
                self.stale.remove(&topic);
                self.feed.remove(&format!("{topic:?}"));
            }
            FeedEvent::Connected(..) => drop(self.feed.remove(&format!("link of {feed}"))),
            FeedEvent::Reconnecting(_, attempt, wait_ms, why) => {
                self.feed.insert(format!("link of {feed}"), format!("reconnecting ({attempt}) in {wait_ms} ms"));
                self.note(format!("feed disconnected: {why}"));
            }
            FeedEvent::Refused(why) => self.note(format!("the venue refused: {why}")),
            FeedEvent::Unexpected(_, why) => self.note(format!("not understood: {why}")),
            FeedEvent::Clock(..) => {}
        }
    }

    fn on_gateway(&mut self, gateway: usize, event: GatewayEvent, now: Ts, desk: &mut Desk<'_>) {
        match event {
            GatewayEvent::Answer(answer) => self.tell(Told::Answer(answer, now), desk),
            GatewayEvent::Unknown(id) => self.tell(Told::Answer(Answer::Unknown(id), now), desk),
            GatewayEvent::Attempt(..) if planted!("lose_attempt") => {}
            GatewayEvent::Attempt(id, attempt) => self.write(VenueNote::Attempt(id, attempt), desk),
            GatewayEvent::FillId(id, trade) => self.write(VenueNote::Fill(id, trade), desk),
            GatewayEvent::Private(on) if on => drop(self.feed.remove("private")),
            GatewayEvent::Private(_) => drop(self.feed.insert("private".to_owned(), "private stream off".to_owned())),
            GatewayEvent::Foreign(row) => {
                self.note(format!("an open order that is not ours: {} ({})", row.venue_id, row.client_id));
            }
            GatewayEvent::FeeElsewhere(id, fee, code) => {
                self.note(format!("order {}: fee of {fee} {code} is not in the books", id.0));
            }
            GatewayEvent::Note(text) => self.note(text),
            GatewayEvent::Halt(why) => {
                self.feed.insert("halt".to_owned(), format!("HALTED: {why}"));
                self.note(format!("nothing is sent any more: {why}"));
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
                Mail::Note(text) => self.note(text),
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
        let Some(rehearsal) = &mut self.rehearsal else { return };
        let view = self.session.circuit.engine().view();
        let Some((i, of)) = view.instruments.iter().enumerate().find(|(_, of)| !of.last.is_zero()) else { return };
        if rehearsal.run(InstrumentId(i as u16), of.last, now).is_err() {
            // What cannot be rehearsed is left cold.
            self.rehearsal = None;
        }
    }

    fn on_time(&mut self, now: Ts, desk: &mut Desk<'_>) {
        if let Some(watch) = &self.watch {
            watch.beat();
        }
        self.hear_asked(now, desk);
        self.answer_held_back(now, desk);
        self.settle_funding(now, desk);
        if self.session.circuit.next_due() <= now {
            self.tell(Told::Clock(now), desk);
        }
        if self.status_due <= now {
            let late = now.nanos().saturating_sub(self.status_due.nanos());
            self.lag_ns = if self.status_due == Ts::NONE { 0 } else { late };
            self.status_due = now.plus(STATUS_EVERY_NS);
            self.show();
            self.show_pulse(now);
            let engine = self.session.circuit.engine();
            if let Some(watch) = &self.watch {
                watch.note_positions(positions(engine));
            }
            if let Some(standing) = &mut self.standing {
                standing.see(engine);
            }
        }
        if self.ending.is_some_and(|at| at <= now) {
            let open = self.session.circuit.engine().open_orders().count();
            self.note(format!("the session ended while the venue had not answered for {open} open orders"));
            desk.stop();
        }
    }

    fn next_due(&self) -> Ts {
        if !self.held_back.is_empty() {
            return Ts::NONE;
        }
        let funding = self.funding.values().map(|f| f.0).min().unwrap_or(Ts::MAX);
        self.session.circuit.next_due().min(self.status_due).min(funding).min(self.ending.unwrap_or(Ts::MAX))
    }

    fn on_stop(&mut self, now: Ts, desk: &mut Desk<'_>) {
        if self.ending.is_none() {
            self.end_session(now, desk);
        }
    }
}

impl Pilot<'_, '_> {
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
        self.show();
        if self.gateways.is_empty() || self.is_over(desk) {
            desk.stop();
        } else {
            self.ending = Some(now.plus(FAREWELL_NS));
        }
    }
}
