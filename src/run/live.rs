//! Sessions on the feeds of venues, or of the bus: paper against the simulated exchange, live against the venue. One thread
//! reads, decides and writes; the tape has an effect before it leaves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bellwether_sdk::{InstrumentId, Interval, Ts};

use super::account::{Accounts, LOOK_EVERY_MS, signing_of, stored_with_cash, with_cash_of_venues};
use super::asked::Standing;
use super::bus::{offerings, with_way};
use super::foreign::Foreigners;
use super::keeper::{Ring, Signings};
use super::latency::LatencyKeeper;
use super::market::{self, Place};
use super::news::Outside;
use super::paper::{SessionPlan, Watcher, with_artefacts};
use super::pilot::{Pilot, left_cold};
use super::rehearsal::Rehearsal;
use super::report::Reporter;
use super::session::{Session, Taping};
use super::settlements;
use super::setup::Setup;
use super::supply::{Offers, Supply};
use super::surroundings::Surroundings;
use super::swap::{pinned, watchdog_waits};
use super::takeup::{TakenUp, take_up};
use super::{RunError, RunReport};
use crate::api::Pages;
use crate::config::Settings;
use crate::engine::{Circuit, Engine, Event, Told};
use crate::exchange::drive::{Drive, Histogram, Latency, Stages};
use crate::exchange::gateway::{Gateway, GatewaySettings};
use crate::exchange::transport::{Live, LiveSettings, Transport};
use crate::exchange::{Listing, Product};
use crate::host::Registry;
use crate::market::Kind;
use crate::sinks::About;
use crate::tape::{InstrumentRecord, MaximaRecord, Mode, Start, VenueNote};

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
    let transport = with_way(settings, plan.tokens, transport)?;
    runtime.block_on(async {
        let signings = match keys {
            Some(ring) => Some(unless_stopped(stop, ring.begin(settings, &*transport)).await?),
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
    let Surroundings { transport, clock, disk, waits, in_real_time } = around;
    let wall_now = || clock().now();
    let registry = &with_artefacts(registry, &plan);
    let began = Instant::now();
    let mode = if keys.is_some() { Mode::Live } else { Mode::Paper };
    let symbols = market::symbols(settings)?;
    let tapes = (plan.tape.as_deref(), plan.resume.as_deref());
    let mut standing = Standing::take(plan.state.as_deref(), settings, mode, &symbols, tapes)?;
    let (places, offers) = unless_stopped(stop, market::places(settings, &symbols, &*transport)).await?;
    let unwanted = market::without_orders(&places);
    // One that goes on has orders and positions to look after.
    if let Some(why) = unwanted.first().filter(|_| mode == Mode::Live && plan.resume.is_none()) {
        return Err(RunError::Venue(why.clone()));
    }
    // What the venue booked before its account was looked at is in what the account holds.
    let looked = wall_now();
    let found = match keys.as_ref().filter(|_| plan.resume.is_none()) {
        Some(keys) => {
            let asking = with_cash_of_venues(settings, &places, &offers, keys, &*transport, &wall_now);
            Some(unless_stopped(stop, asking).await?)
        }
        None => None,
    };
    let (found, held) = found.map_or((None, Vec::new()), |(settings, held)| (Some(settings), held));
    let settings = found.as_ref().unwrap_or(settings);
    let setup = Setup::new(settings, registry, &offers)?;
    let (instruments, series) = (setup.plan.instruments.clone(), setup.plan.series.clone());
    let (builds, forms) = (setup.plan.build.clone(), setup.plan.forms.clone());
    let config_hash = setup.config_hash.clone();
    let (profile, mut notes) = (setup.plan.profile.to_string(), setup.plan.notes.clone());
    if mode == Mode::Paper {
        notes.extend(setup.plan.left_out());
    }
    let range = setup.plan.range.clone();
    let seconds = unless_stopped(stop, market::seconds(settings, &instruments, &*transport)).await?;
    for form in &forms {
        watchdog_waits(settings.session.hang_ms, &form.sha256).map_err(RunError::Settings)?;
    }
    let stored = pinned(&plan.settings_json, &forms, registry)?;
    let start = start_record(settings, &setup, &offers, (&plan, &stored), mode, wall_now());
    let taping = Taping::new(settings, plan.program.1, disk, waits);
    let TakenUp { mut session, number, earlier, taken, paid, funding_since, aside, last } = match &plan.resume {
        Some(path) => take_up(path, registry, settings, mode, taping)?,
        None => {
            let (engine, sim) = setup.build(settings);
            let circuit = match mode {
                Mode::Paper => Circuit::paper(engine, sim),
                Mode::Live => Circuit::live(engine),
            };
            let mut session = Session::new(circuit, instruments.clone(), mode);
            if let Some(path) = &plan.tape {
                session.begin_tape(path, &start, taping)?;
            }
            TakenUp::new(session, plan.session)
        }
    };
    if plan.resume.is_none() && settings.backtest.warmup > 0 {
        let past = past_of(&builds, &series, settings.backtest.warmup);
        unless_stopped(stop, warm_up(&mut session, &places, &past, wall_now(), &*transport)).await?;
    }
    // In paper nobody else books what settled while the session was down.
    let (mut settled, mut unsettled) = (Vec::new(), None);
    if plan.resume.is_some() && mode == Mode::Paper && session.now != Ts::NONE {
        match settlements::since(&places, session.now, wall_now(), &*transport).await {
            Ok(found) => settled = found,
            Err(error) => unsettled = Some(format!("funding since the tape's end is not booked: {error}")),
        }
        for funding in &settled {
            session.tell(Told::Market(Event::Funding(funding)))?;
        }
    }
    let of_today = match mode {
        Mode::Live => standing.tell_day(&mut session, number, wall_now())?,
        Mode::Paper => Vec::new(),
    };
    let latency = Latency::default();
    let stages = Arc::clone(latency.stages());
    let keeper =
        session.tape_path().filter(|_| in_real_time).map(|tape| LatencyKeeper::begin(Arc::clone(&stages), tape));
    let mut drive = Drive::new(transport, clock()).with_probe(Box::new(latency));
    // With one processor only, others would wait for it.
    if keys.is_some() && in_real_time && std::thread::available_parallelism().is_ok_and(|n| n.get() > 1) {
        drive = drive.awake_for(Duration::from_micros(settings.session.awake_us));
    }
    let mut by_instrument = BTreeMap::new();
    let mut accounts = Accounts::new(settings);
    for place in &places {
        drive.add_feed(market::feed(place, &series, settings, number)?, place.urls.rest.clone());
        if let Some(keys) = &keys {
            let mut gateway = gateway(place, keys, number, session.circuit.engine(), settings)?;
            let its = earlier.iter().filter(|e| place.listings.get(e.order.get().instrument).is_some());
            its.for_each(|e| gateway.adopt(e.clone(), wall_now()));
            let its = taken.iter().filter(|t| place.listings.get(t.order.instrument).is_some());
            its.for_each(|t| gateway.take_in(t.clone(), wall_now()));
            gateway.go_on_after(last);
            // Gateways are numbered as they are added.
            let number = by_instrument.values().max().map_or(0, |n: &usize| n + 1);
            if place.venue.facts().product == Product::Linear {
                let known = paid.iter().filter(|((id, _), _)| place.listings.get(*id).is_some());
                let since = funding_since.get(&(number as u64)).copied();
                gateway.follow_funding(since.unwrap_or(looked), known.map(|(k, v)| (k.clone(), *v)).collect());
                if since.is_none() {
                    session.note(VenueNote::Funding(number as u64, looked))?;
                }
            }
            let number = drive.add_gateway(gateway, place.urls.rest.clone());
            by_instrument.extend(place.listings.iter().map(|l| (l.id, number)));
            accounts.add(number, place, places.len() == 1, &aside);
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
    let mut left_out = Vec::new();
    for second in seconds {
        left_out.extend(market::not_stood_in_for(&instruments[second.instrument.index()], &series));
        let series = [(second.instrument, Kind::Trades), (second.instrument, Kind::Quotes)];
        let feed = market::feed(&second.place, &series, settings, plan.session)?;
        let number = drive.add_feed(feed, second.place.urls.rest.clone());
        second_by_feed.insert(number, (second.instrument, second.scale));
    }
    let outside = Outside::open(settings, &instruments, plan.tokens, plan.resume.is_some())?;
    let offerings = offerings(&instruments, &series, |symbol| offers.fees(symbol, &range));
    let about = About { instruments: &instruments, offerings: &offerings, session: plan.session };
    let mut reporter = Reporter::open(settings, plan.tokens, &outside.sender, mode.name(), about, watcher)?;
    session.tap(reporter.taps());
    if reporter.is_open() || settings.signals.only {
        session.circuit.engine_mut().keep_signals();
    }
    reporter.began(wall_now(), plan.resume.is_some());
    drive.ring_for(outside.mailbox.bell());
    let mut hands = Pilot::new(session, settings, &mut reporter, by_instrument);
    (hands.outside, hands.stop, hands.number) = (Some(outside), Some(stop), plan.session);
    hands.seconds = second_by_feed;
    settled.iter().for_each(|f| hands.funding.is_booked(f.instrument, f.ts));
    let words = of_today.into_iter().chain(unsettled).chain(left_out).chain(unwanted);
    words.for_each(|words| hands.note(words));
    hands.accounts = accounts;
    hands.foreigners = Foreigners::new(settings, hands.session.circuit.engine())?;
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
    let forms = if hands.session.forms.is_empty() { forms } else { std::mem::take(&mut hands.session.forms) };
    hands.swapper =
        Some(standing.swapper(registry, hands.session.circuit.engine(), forms, (plan.watch, settings.session.hang_ms)));
    hands.standing = Some(standing);
    drive.run(&mut hands, asked_to_stop(stop, plan.ends_after)).await;
    // A trip of its last moments keeps the next session out too, and what was lost then counts for it.
    hands.see_standing(true);
    drop(hands.swapper.take());
    drop(hands.watch.take());
    // Their keeper has last words.
    drop(keys);
    hands.show(wall_now());
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
        config_hash,
        series: Vec::new(),
        engine_cpu_seconds: 0.0,
        wall_seconds: began.elapsed().as_secs_f64(),
        tape,
    })
}

/// The past bars that make so many of what strategies are given: those that the feed gives, which are finer where others are
/// built from them, else those that are built from trades.
fn past_of(
    builds: &[(InstrumentId, Interval)],
    series: &[(InstrumentId, Kind)],
    count: u64,
) -> Vec<(InstrumentId, Interval, u64)> {
    let given = series.iter().filter_map(|(id, kind)| Some((*id, kind.interval()?)));
    let finer = given.clone().map(|(id, interval)| {
        let wanted = builds.iter().find(|b| b.0 == id).map_or(interval, |b| b.1);
        let times = wanted.nanos() / interval.nanos().max(1);
        (id, interval, count.saturating_mul(u64::try_from(times).unwrap_or(1).max(1)))
    });
    let built = builds.iter().filter(|b| given.clone().all(|g| g.0 != b.0)).map(|b| (b.0, b.1, count));
    finer.chain(built).collect()
}

/// Past bars, so that strategies on bars need not wait for them.
async fn warm_up(
    session: &mut Session,
    places: &[Place],
    past: &[(InstrumentId, Interval, u64)],
    now: Ts,
    transport: &dyn Transport,
) -> Result<(), RunError> {
    let mut bars = Vec::new();
    for (id, interval, count) in past {
        let Some(place) = places.iter().find(|p| p.listings.get(*id).is_some()) else { continue };
        bars.extend(market::history(place, *id, *interval, *count, now, transport).await?);
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

/// What is asked of venues before a session begins may take minutes, and whoever ends it does not wait: nothing was done yet.
async fn unless_stopped<T, E: Into<RunError>>(
    stop: &AtomicBool,
    asking: impl Future<Output = Result<T, E>>,
) -> Result<T, RunError> {
    tokio::select! {
        found = asking => found.map_err(Into::into),
        () = asked_to_stop(stop, None) => Err(RunError::Interrupted),
    }
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
    (plan, stored): (&SessionPlan<'_>, &str),
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
        settings: stored_with_cash(stored, &settings.account.cash),
        instruments: setup.plan.instruments.iter().zip(&offers.rows).map(of).collect(),
        place: offers.place.clone(),
        pace: if settings.session.feed == crate::config::Feed::Store { settings.session.pace } else { 0 },
        maxima: setup.plan.instruments.iter().map(MaximaRecord::new).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_bars_are_those_of_the_feed_and_as_many_as_make_what_is_wanted() {
        let (one, two, three) = (InstrumentId(0), InstrumentId(1), InstrumentId(2));
        let builds = [(one, Interval::HOUR), (two, Interval::HOUR)];
        let series = [(one, Kind::Trades), (two, Kind::Bars(Interval::MINUTE)), (three, Kind::Bars(Interval::HOUR))];
        let past = past_of(&builds, &series, 10);
        assert_eq!(past, [(two, Interval::MINUTE, 600), (three, Interval::HOUR, 10), (one, Interval::HOUR, 10)]);
    }
}
