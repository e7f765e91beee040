//! Sessions on venues' feeds: paper against the simulated exchange, live against the venue. One thread reads, decides and
//! writes; the tape has an effect before it leaves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bellwether_sdk::{InstrumentId, Interval, Ts};

use super::account::{Accounts, LOOK_EVERY_MS, signing_of, stored_with_cash, with_cash_of_venues};
use super::asked::Standing;
use super::backtest::config_hash;
use super::keeper::{Ring, Signings};
use super::latency::LatencyKeeper;
use super::market::{self, Place};
use super::news::Outside;
use super::paper::{SessionPlan, Watcher};
use super::pilot::{Pilot, left_cold};
use super::rehearsal::Rehearsal;
use super::report::Reporter;
use super::session::Session;
use super::setup::Setup;
use super::supply::Offers;
use super::surroundings::Surroundings;
use super::takeup::{TakenUp, take_up};
use super::{RunError, RunReport};
use crate::api::Pages;
use crate::config::Settings;
use crate::engine::{Circuit, Engine, Event, Told};
use crate::exchange::Listing;
use crate::exchange::drive::{Drive, Histogram, Latency, Stages};
use crate::exchange::gateway::{Earlier, Gateway, GatewaySettings};
use crate::exchange::transport::{Live, LiveSettings, Transport};
use crate::host::Registry;
use crate::market::Kind;
use crate::tape::{InstrumentRecord, Mode, Start};

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
            let account = session.circuit.engine().account_kind();
            Rehearsal::new(settings, account, &offers, place, &signing_of(place, keys)?)
        }
        _ => Ok(None),
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
    match rehearsal {
        Ok(rehearsal) => hands.rehearsal = rehearsal,
        Err(error) => hands.note(left_cold(&error)),
    }
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
