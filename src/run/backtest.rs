//! The backtest: stored data through the engine against the simulated exchange.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bellwether_sdk::{InstrumentId, Probe, Symbol, Ts};
use sha2::{Digest, Sha256};

use super::news;
use super::setup::Setup;
use super::spec::SeriesRead;
use super::{RunError, RunReport};
use crate::config::Settings;
use crate::data::{Catalog, DataError};
use crate::engine::Replay;
use crate::host::Registry;
use crate::market::{Kind, Source};
use crate::orders::hex;
use crate::signal::News;

/// At most so many strategies and instruments of a run without a signal are told of.
const STANDING_MAX: usize = 4;

/// Runs a backtest as the settings say.
///
/// # Errors
/// [`RunError`].
pub fn backtest(settings: &Settings, registry: &Registry, stop: &AtomicBool) -> Result<RunReport, RunError> {
    let catalog = Catalog::open(&settings.data.dir)?;
    Prepared::new(settings, registry, &catalog)?.run(None, stop)
}

/// A run whose settings have been understood and whose data is known to be there.
pub(super) struct Prepared<'a> {
    settings: &'a Settings,
    catalog: &'a Catalog,
    pub(super) setup: Setup,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(settings: &'a Settings, registry: &Registry, catalog: &'a Catalog) -> Result<Self, RunError> {
        Ok(Self { settings, catalog, setup: Setup::new(settings, registry, catalog)? })
    }

    /// Opens the streams of the plan.
    pub(super) fn sources(&self) -> Result<Vec<Box<dyn Source>>, RunError> {
        let mut sources = Vec::new();
        for (id, kind) in &self.setup.plan.series {
            let instrument = &self.setup.plan.instruments[id.index()];
            match self.catalog.source(instrument, *kind, self.range_of(*id, *kind)) {
                Ok(source) => sources.push(source),
                // Funding outside the range is no reason to stop.
                Err(DataError::NoData { .. }) if *kind == Kind::Funding => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(sources)
    }

    /// The range of a series: funding counts only while there are prices of its instrument.
    fn range_of(&self, id: InstrumentId, kind: Kind) -> Range<Ts> {
        let range = self.setup.plan.range.clone();
        if kind != Kind::Funding {
            return range;
        }
        let priced = self.setup.plan.series.iter().filter(|s| s.0 == id && s.1 != Kind::Funding);
        let stored =
            priced.filter_map(|(id, k)| self.catalog.find(&self.setup.plan.instruments[id.index()].symbol, *k));
        let (first, end) = stored.fold((Ts::MAX, Ts::NONE), |(a, b), s| (a.min(s.first), b.max(s.end)));
        range.start.max(first)..range.end.min(end)
    }

    /// Runs it, from its own streams or given ones.
    pub(super) fn run(self, sources: Option<Vec<Box<dyn Source>>>, stop: &AtomicBool) -> Result<RunReport, RunError> {
        let wall = Instant::now();
        let sources = match sources {
            Some(sources) => sources,
            None => self.sources()?,
        };
        let news = self.news()?;
        let data_hash = self.data_hash()?;
        let symbols: Vec<Symbol> = self.setup.plan.instruments.iter().map(|i| i.symbol.clone()).collect();
        let config_hash = self.setup.config_hash.clone();
        let profile = self.setup.plan.profile;
        let (input, symbol) = (self.setup.plan.input, self.setup.plan.instruments[0].symbol.clone());
        let close_at_end = self.settings.backtest.close_at_end;
        let notes = [self.setup.plan.notes.clone(), self.setup.plan.left_out()].concat();
        let (engine, sim) = self.setup.build(self.settings);

        let clock = CpuClock::default();
        let (mut read, mut read_since) = (Duration::ZERO, Duration::ZERO);
        let mut reading = |begins: bool| {
            if begins {
                read_since = clock.elapsed();
            } else {
                read += clock.elapsed().saturating_sub(read_since);
            }
        };
        let mut replay = Replay::new(engine, sim, stop, &mut reading).with_news(news);
        let ran = catch_unwind(AssertUnwindSafe(|| replay.run(sources, close_at_end)));
        let mut series: Vec<SeriesRead> = replay
            .read()
            .iter()
            .map(|p| (symbols[p.instrument.index()].clone(), p.kind, p.rows, p.first, p.last))
            .collect();
        series.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let engine = replay.pair.engine;
        match ran {
            Ok(done) => done?,
            Err(panic) => return Err(RunError::Strategy(format!("a strategy panicked: {}", panic_text(&*panic)))),
        }
        let total = clock.elapsed();
        if let Some(interval) =
            input.bars.filter(|_| engine.bars() == 0 && !(input.trades || input.quotes || input.depth))
        {
            return Err(RunError::Data(format!(
                "no bar of {interval} was completed for {symbol}: what is stored of it is too short or in too coarse bars; \
                 choose another --interval, or a longer range"
            )));
        }
        // A strategy that panics when it is only asked has made its result all the same.
        let observed = catch_unwind(AssertUnwindSafe(|| engine.observed())).unwrap_or_default();
        let mut outcome = engine.finish();
        if outcome.signals == 0 && outcome.orders.is_empty() {
            outcome.notes.extend(standing(&observed, &symbols));
        }
        outcome.notes.extend(notes);
        Ok(RunReport {
            outcome,
            fill_profile: profile.to_string(),
            data_hash,
            config_hash,
            series,
            engine_cpu_seconds: total.saturating_sub(read).as_secs_f64(),
            wall_seconds: wall.elapsed().as_secs_f64(),
            tape: None,
        })
    }

    /// The stored news that the settings name, each at the time at which it could be known.
    pub(super) fn news(&self) -> Result<Vec<News>, RunError> {
        news::stored(self.settings, &self.setup.plan.instruments, &self.setup.plan.range)
    }

    /// The hash of all data in range.
    pub(super) fn data_hash(&self) -> Result<String, RunError> {
        let mut hash = Sha256::new();
        for (id, kind) in &self.setup.plan.series {
            let symbol = &self.setup.plan.instruments[id.index()].symbol;
            match self.catalog.data_hash(symbol, *kind, self.range_of(*id, *kind)) {
                Ok(series) => hash.update(format!("{symbol}|{kind}|{series}\n")),
                Err(DataError::NoData { .. }) if *kind == Kind::Funding => {}
                Err(e) => return Err(e.into()),
            }
        }
        // Without news the hash is that of the market data alone.
        for news in self.news()? {
            hash.update(format!("{news:?}\n"));
        }
        Ok(hex(&hash.finalize()))
    }
}

/// How far from acting the strategies of a run were at its end, where none ever acted: their conditions, in words.
fn standing(observed: &[(String, Probe)], symbols: &[Symbol]) -> Vec<String> {
    let of = |(id, probe): &(String, Probe)| {
        let symbol = &symbols[probe.instrument.index()];
        if probe.conditions.is_empty() {
            return format!("{id} on {symbol} at the end: declares no condition, or is still warming up");
        }
        let conditions = probe.conditions.iter().map(|(name, now, trigger)| {
            let distance = trigger - now;
            format!("{name}: now {now}, acts at {trigger}, distance {distance}")
        });
        format!("{id} on {symbol} at the end: {}", conditions.collect::<Vec<_>>().join("; "))
    };
    let mut notes: Vec<String> = observed.iter().take(STANDING_MAX).map(of).collect();
    if observed.len() > STANDING_MAX {
        notes.push(format!("{} more stood somewhere at the end; `explain` tells all", observed.len() - STANDING_MAX));
    }
    notes
}

pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// CPU time of this thread.
struct CpuClock(Duration);

impl Default for CpuClock {
    fn default() -> Self {
        Self(cpu_now())
    }
}

impl CpuClock {
    fn elapsed(&self) -> Duration {
        cpu_now().saturating_sub(self.0)
    }
}

fn cpu_now() -> Duration {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(t.tv_sec).unwrap_or(0), u32::try_from(t.tv_nsec).unwrap_or(0))
}
