//! One seed: processes that live, die and are begun again in one world, until the weather is over and both sides are
//! compared.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bellwether::config::{Durability, Feed, Foreign, OnStop, Settings, StrategySettings};
use bellwether::engine::Engine;
use bellwether::exchange::drive::Clock;
use bellwether::host::Registry;
use bellwether::keys::{Credential, Key, KeyError, Scheme, Scope, Signing};
use bellwether::run::{RunError, SessionPlan, Signings, Status, Surroundings, Watcher, replay_by, session_in};
use bellwether::tape::{Disk, TapeReader, Waits, segment_path, snapshot_path};
use bellwether_sdk::Ts;
use tokio::sync::Notify;

use crate::dice::Dice;
use crate::disk::Rough;
use crate::network::Network;
use crate::sim::{MS, ShiftedClock, Sim, Stalled};
use crate::strategy::Restless;
use crate::venue::mouth;
use crate::world::{Coverage, Fault, SEGMENT_HEAD, World};

/// What the tapes are made by.
const PROGRAM: &str = "storm";

/// Cash of the account, 1e-8 USDT.
pub const CASH: i128 = 10_000_000_000_000;
/// Most orders that the guard lets be open.
const OPEN_MAX: u32 = 40;
/// What each seed must have seen before its weather ends.
const FAULTS_MIN: u64 = 20;
/// No record of a seed is longer.
const RECORD_MAX: u64 = 8_192;
/// The weather lasts no longer than so many nanoseconds for each order to be made.
const WEATHER_MAX: i64 = 4_500 * MS;
/// So long both sides have, after the weather, to become equal.
const REST_MAX: i64 = 400_000 * MS;

/// What a seed is made of.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The number that all chance comes from.
    pub number: u64,
    /// The protocol.
    pub venue: String,
    /// Orders that have to leave.
    pub orders: u64,
    /// How often the strategy acts at an event, of ten thousand.
    pub pace: u64,
    /// Keep a log of what happened.
    pub log: bool,
}

/// What came of a seed.
#[derive(Debug, Default)]
pub struct Report {
    /// What must not be; empty when all held.
    pub wrongs: Vec<String>,
    /// Orders that left.
    pub orders: u64,
    /// Fills.
    pub fills: u64,
    /// Faults.
    pub faults: u64,
    /// Processes begun after the first.
    pub restarts: u64,
    /// Simulated seconds.
    pub seconds: f64,
    /// Which fault met which state.
    pub coverage: Coverage,
    /// Lines of what happened.
    pub log: Vec<String>,
}

/// Runs a seed.
///
/// # Errors
/// What could not be set up; what must not be is in the report.
pub fn run(seed: &Seed) -> anyhow::Result<Report> {
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async { Lives::new(seed, dir.path().join("tape"))?.all(seed.orders).await })
}

/// How a process ended.
#[derive(Debug)]
enum End {
    Died,
    Failed(RunError),
    Done,
}

struct Lives {
    sim: Arc<Sim>,
    tape: PathBuf,
    settings: Settings,
    registry: Registry,
    session: u64,
    stop: AtomicBool,
}

impl Lives {
    fn new(seed: &Seed, tape: PathBuf) -> anyhow::Result<Self> {
        let mouth = mouth(&seed.venue).ok_or_else(|| anyhow::anyhow!("no venue {:?} is simulated", seed.venue))?;
        let syncs = seed.number.is_multiple_of(2);
        let settings = settings(seed, mouth.symbol(), syncs)?;
        let (died, stirred) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut world = World::new(seed.number, mouth, syncs, Arc::clone(&died), Arc::clone(&stirred));
        world.fills_late = orders_kept(seed.number) == 0;
        world.known.ends_are_final = !world.fills_late;
        world.others = others(seed.number);
        world.log = seed.log.then(Vec::new);
        Ok(Self {
            sim: Sim::new(world, died, stirred),
            tape,
            settings,
            registry: Registry::new().with::<Restless>(),
            session: Dice(seed.number).roll() | 1,
            stop: AtomicBool::new(false),
        })
    }

    async fn all(self, orders: u64) -> anyhow::Result<Report> {
        let venue = tokio::spawn(venue(Arc::clone(&self.sim)));
        tokio::select! {
            biased;
            done = self.lives() => done?,
            () = self.weather(orders) => {}
        }
        venue.abort();
        if self.sim.world().wrongs.is_empty() {
            self.check_tape();
        }
        Ok(self.report(orders))
    }

    /// Begins processes as long as they die.
    async fn lives(&self) -> anyhow::Result<()> {
        loop {
            match self.one().await {
                End::Done if self.stop.load(Ordering::Relaxed) => {
                    self.compare("after the end");
                    return Ok(());
                }
                End::Done => self.sim.world().wrong("a session ended that nobody had ended".to_owned()),
                End::Failed(error) => self.failed(&error)?,
                End::Died => self.died()?,
            }
            let down = self.sim.world().dice.between(20, 4_000);
            self.sim.pass(down).await;
            let flips = self.sim.world().odds(1_000);
            if flips && self.tape.exists() {
                self.flipped().await?;
            }
        }
    }

    /// One process, from its beginning to its end.
    async fn one(&self) -> End {
        let (life, key) = {
            let mut world = self.sim.world();
            (world.begins(), world.key.clone())
        };
        let is_first = !self.tape.exists();
        let plan = SessionPlan {
            state: None,
            tape: is_first.then(|| self.tape.clone()),
            watch: false,
            resume: (!is_first).then(|| self.tape.clone()),
            ends_after: None,
            program: (PROGRAM, PROGRAM),
            settings_json: serde_json::to_string(&self.settings).unwrap_or_default(),
            session: self.session,
            tokens: &bellwether::keys::token,
        };
        let signing = |venue: &str| {
            let secret = Credential::new(key.clone(), Scheme::HmacSha256, "secret")?;
            let key = Key::new("storm", "", Scope::Trade, Arc::new(secret), Ts::NONE);
            Ok((venue.to_owned(), Signing::new(format!("{venue}/main"), key, Vec::new())))
        };
        let keys = match ["binance", "bybit"].map(signing).into_iter().collect::<Result<_, KeyError>>() {
            Ok(by_venue) => Signings::fixed(by_venue),
            Err(error) => return End::Failed(RunError::Settings(error.to_string())),
        };
        let mut eyes = Eyes { sim: Arc::clone(&self.sim), life };
        let clock = || -> Box<dyn Clock> { Box::new(ShiftedClock { sim: Arc::clone(&self.sim), last: 0 }) };
        let sim = Arc::clone(&self.sim);
        let disk = Arc::new(move |file| -> Box<dyn Disk> { Box::new(Rough::new(Arc::clone(&sim), life, file)) });
        let around = Surroundings {
            transport: Arc::new(Network { sim: Arc::clone(&self.sim), life }),
            clock: &clock,
            disk,
            waits: Waits::default(),
            in_real_time: false,
        };
        let process = session_in(&self.settings, &self.registry, plan, Some(keys), &mut eyes, &self.stop, around);
        let process = Stalled::new(Arc::clone(&self.sim), process);
        let end = tokio::select! {
            biased;
            () = self.sim.died.notified() => End::Died,
            ended = process => ended.map_or_else(End::Failed, |_| End::Done),
        };
        let mut world = self.sim.world();
        if world.is_dead(life) {
            return End::Died;
        }
        world.dead = true;
        end
    }

    /// While no process runs, a bit of the tape flips: the next one must refuse it. Then it is mended.
    async fn flipped(&self) -> anyhow::Result<()> {
        let Ok(mut reader) = TapeReader::open(&self.tape) else { return Ok(()) };
        while reader.read()?.is_some() {}
        // What stands before a snapshot is not read by whoever goes on from that: it may stand at the beginning of a file that
        // has nothing else yet.
        if snapshot_path(&self.tape, self.next_number()).exists() {
            return Ok(());
        }
        let file = self.last_file();
        let good = std::fs::read(&file)?;
        let mut bad = good.clone();
        // A torn end is cut, whatever stands in it; of zeros in it the last record is not told apart (decision 29).
        let tried = match reader.torn() {
            0 => good.len() as u64,
            torn => (good.len() as u64).saturating_sub(torn + RECORD_MAX),
        };
        if tried == 0 {
            return Ok(());
        }
        let at = usize::try_from(self.sim.world().dice.below(tried))?;
        bad[at] ^= 1 << self.sim.world().dice.below(8);
        std::fs::write(&file, &bad)?;
        self.sim.world().struck(Fault::BitFlipped);
        let end = self.one().await;
        let untouched = std::fs::read(&file)? == bad;
        match end {
            End::Failed(RunError::Venue(_)) | End::Died if untouched => {}
            End::Failed(RunError::File(why)) if why.contains("damaged") || why.contains("no tape") => {}
            other => {
                let place = file.file_name().unwrap_or_default().display().to_string();
                self.sim.world().wrong(format!("{place} with byte {at} changed was believed: {other:?}"));
            }
        }
        Ok(std::fs::write(&file, good)?)
    }

    /// The file that follows it: there when it has been made, and has nothing yet.
    fn next_file(&self) -> PathBuf {
        segment_path(&self.tape, self.next_number())
    }

    fn next_number(&self) -> u32 {
        let last = self.last_file();
        (0u32..).take_while(|n| segment_path(&self.tape, *n) != last).last().map_or(1, |n| n + 2)
    }

    /// The file of the tape that is being written: a next one may have been made, and have nothing yet.
    fn last_file(&self) -> PathBuf {
        let files = (0..).map(|n| segment_path(&self.tape, n));
        let written = |path: &PathBuf| path.metadata().is_ok_and(|m| m.len() > SEGMENT_HEAD);
        files.take_while(written).last().unwrap_or_else(|| self.tape.clone())
    }

    /// A process died. Where the machine lost its power, so did the disk.
    fn died(&self) -> anyhow::Result<()> {
        let mut world = self.sim.world();
        let nothing_to_lose = world.is_file_new() && self.next_file().exists();
        if world.syncs && world.odds(5_000) && self.tape.exists() && !nothing_to_lose {
            let file = OpenOptions::new().write(true).open(self.last_file())?;
            let len = file.metadata()?.len();
            let left = world.power_lost(len);
            file.set_len(left)?;
            // The length may have reached the disk where the bytes have not.
            if world.dice.chance(3_000) {
                file.set_len(world.zeros_from(left))?;
                file.set_len(len)?;
            }
        }
        Ok(())
    }

    /// A process gave up: the disk or the venue may be why, and it is begun again.
    fn failed(&self, error: &RunError) -> anyhow::Result<()> {
        let mut world = self.sim.world();
        world.note(|| format!("the process ends: {error}"));
        let text = error.to_string();
        let never_began = text.contains("does not begin with what") || text.contains("is no tape of version");
        match error {
            RunError::Tape(_) | RunError::Venue(_) => {}
            RunError::File(_) if never_began && world.known.left.is_empty() => std::fs::remove_file(&self.tape)?,
            _ => world.wrong(format!("a process ended: {text}")),
        }
        Ok(())
    }

    /// Lets the weather go on until there was enough of it, and waits until both sides are at rest.
    async fn weather(&self, orders: u64) {
        let sim = &self.sim;
        let mut old_key_since = None;
        loop {
            sim.pass(100).await;
            let mut world = sim.world();
            if !world.wrongs.is_empty() {
                return;
            }
            // Who runs the bot gives it the new key.
            let since = *old_key_since.get_or_insert(world.now);
            if world.key == world.key_used {
                old_key_since = None;
            } else if world.now > since + 3_000 * MS {
                world.die(Fault::Death);
            }
            if world.known.left.len() as u64 >= orders && world.faults >= FAULTS_MIN
                || world.now / WEATHER_MAX > i64::try_from(orders).unwrap_or(i64::MAX)
            {
                if world.life > 1 {
                    break;
                }
                world.die(Fault::Death);
            }
        }
        sim.world().calms();
        let until = sim.elapsed() + REST_MAX;
        let mut equal_since = None;
        loop {
            sim.pass(200).await;
            let mut world = sim.world();
            if !world.wrongs.is_empty() {
                return;
            }
            if world.key != world.key_used {
                world.die(Fault::Death);
            }
            let wrongs = world.known.compare(&world.floor, &world.to_be_cancelled);
            let since = *equal_since.get_or_insert(world.now);
            if !wrongs.is_empty() || world.dead {
                equal_since = None;
            } else if world.now > since + 20_000 * MS {
                break;
            }
            if world.now > until {
                wrongs.into_iter().for_each(|w| world.wrong(format!("at rest: {w}")));
                return;
            }
        }
        self.stop.store(true, Ordering::Relaxed);
        sim.pass(REST_MAX / MS).await;
        sim.world().wrong("the session does not end".to_owned());
    }

    fn compare(&self, when: &str) {
        let mut world = self.sim.world();
        for wrong in world.known.compare(&world.floor, &world.to_be_cancelled) {
            world.wrong(format!("{when}: {wrong}"));
        }
        if self.settings.session.on_stop == OnStop::Cancel && !world.floor.open().is_empty() {
            world.wrong(format!("{when}: orders are open that were to be cancelled"));
        }
    }

    /// The tape is whole, and says what happened.
    fn check_tape(&self) {
        let wrong = match replay_by(&self.tape, &self.registry, PROGRAM) {
            Err(e) => Some(e.to_string()),
            Ok(r) if r.divergence.is_some() || r.damaged.is_some() || r.torn > 0 => {
                Some(format!("{:?}, {:?}, {} torn bytes", r.divergence, r.damaged, r.torn))
            }
            Ok(_) => None,
        };
        if let Some(wrong) = wrong {
            self.sim.world().wrong(format!("the tape does not replay: {wrong}"));
        }
    }

    fn report(&self, wanted: u64) -> Report {
        let mut world = self.sim.world();
        let venues = std::mem::take(&mut world.floor.wrongs);
        let mut wrongs = std::mem::take(&mut world.wrongs);
        wrongs.extend(venues);
        let (orders, restarts) = (world.known.left.len() as u64, world.life.saturating_sub(1));
        if wrongs.is_empty() && (orders < wanted || world.faults < FAULTS_MIN || restarts == 0) {
            let faults = world.faults;
            wrongs.push(format!("too quiet: {orders} orders of {wanted}, {faults} faults, {restarts} restarts"));
        }
        Report {
            wrongs,
            orders,
            fills: world.floor.fills.len() as u64,
            faults: world.faults,
            restarts,
            seconds: world.now as f64 / 1e9,
            coverage: world.coverage,
            log: world.log.take().unwrap_or_default(),
        }
    }
}

/// What goes on at the venue.
async fn venue(sim: Arc<Sim>) {
    loop {
        let next = sim.world().step().min(sim.elapsed() + 3_600_000 * MS);
        tokio::select! {
            biased;
            () = sim.stirred.notified() => {}
            () = tokio::time::sleep_until(sim.instant(next)) => {}
        }
    }
}

/// Looks at the engine after each input.
struct Eyes {
    sim: Arc<Sim>,
    life: u64,
}

impl Watcher for Eyes {
    fn status(&mut self, _: &Status) {}

    fn effect(&mut self, at: Ts, line: &str) {
        self.sim.world().note(|| format!("process: {} {line}", at.nanos()));
    }

    fn heard(&mut self, engine: &Engine) {
        let mut world = self.sim.world();
        if world.is_dead(self.life) {
            return;
        }
        let World { known, floor, cancelling, .. } = &mut *world;
        let wrongs = known.heard(engine, floor, OPEN_MAX as usize);
        cancelling.retain(|n| known.is_open(*n));
        wrongs.into_iter().for_each(|w| world.wrong(w));
    }
}

fn settings(seed: &Seed, symbol: &str, syncs: bool) -> anyhow::Result<Settings> {
    let mut settings = Settings::default();
    settings.account.cash = format!("{}USDT", CASH / 100_000_000);
    settings.backtest.instruments = vec![symbol.parse()?];
    settings.backtest.kinds = vec!["trades".to_owned(), "quotes".to_owned()];
    settings.risk.open_orders_max = Some(OPEN_MAX);
    settings.session.feed = Feed::Venue;
    settings.session.durability = if syncs { Durability::Sync } else { Durability::Direct };
    settings.session.segment_kib = [0, 8, 16, 32, 64][usize::try_from(seed.number % 5).unwrap_or(0)];
    settings.session.orders_kept = orders_kept(seed.number);
    settings.session.on_stop = if seed.number.is_multiple_of(3) { OnStop::Keep } else { OnStop::Cancel };
    if others(seed.number) {
        settings.session.foreign = Foreign::Adopt;
        settings.session.adopt_for = (seed.number % 8 == 1).then(|| "restless".to_owned());
    }
    let params = [("seed", seed.number % 9_000_000_000_000), ("orders", seed.orders), ("pace", seed.pace)];
    settings.strategy = vec![StrategySettings {
        plugin: "restless".to_owned(),
        params: params.into_iter().map(|(name, value)| (name.to_owned(), value.to_string())).collect(),
        ..StrategySettings::default()
    }];
    Ok(settings)
}

/// Whether others place orders too in a seed, for no strategy or for ours: in a quarter of them.
fn others(seed: u64) -> bool {
    seed % 4 == 1
}

/// How many ended orders a seed's session keeps; none: all. Most keep so few that older ones are put away while they run.
fn orders_kept(seed: u64) -> u64 {
    [0, 100, 140, 80][usize::try_from(seed / 5 % 4).unwrap_or(0)]
}
