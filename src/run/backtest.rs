//! The backtest: stored data through the engine against the simulated exchange.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bellwether_sdk::{AccountKind, Decimal, Instrument, InstrumentId, Interval, Rate, Symbol, Ts};
use sha2::{Digest, Sha256};

use super::money::Account;
use super::plan::{Plan, make_strategies, symbols_of};
use super::spec::SeriesRead;
use super::{RunError, RunReport};
use crate::config::{Settings, Slippage};
use crate::data::{Catalog, DataError};
use crate::engine::{Engine, EngineConfig, Replay, SlotConfig};
use crate::host::Registry;
use crate::market::{Kind, Source};
use crate::orders::hex;
use crate::risk::{Guard, Limits};
use crate::sim::{MarginTerms, Sim, SimConfig, SlippageModel};

/// The fee where neither settings nor catalog say one: 10 basis points.
const DEFAULT_FEE: Rate = Rate::from_mantissa(1_000_000_000);

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
    pub(super) plan: Plan,
    slots: Vec<SlotConfig>,
    account: Account,
    sim: SimConfig,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(settings: &'a Settings, registry: &Registry, catalog: &'a Catalog) -> Result<Self, RunError> {
        if settings.version != 1 {
            return Err(RunError::Settings(format!(
                "settings are of version {}; this program knows version 1",
                settings.version
            )));
        }
        let instruments = symbols_of(settings, catalog)?
            .iter()
            .enumerate()
            .map(|(i, symbol)| catalog.instrument(symbol, InstrumentId(i as u16)))
            .collect::<Result<Vec<Instrument>, _>>()?;
        let strategies = make_strategies(settings, registry, catalog, &instruments)?;
        let mut plan = Plan::new(settings, catalog, instruments, &strategies)?;
        let account = Account::new(&settings.account.cash, &plan.instruments)?;
        let sim = sim_config(settings, catalog, &mut plan, &account)?;
        let slots = strategies
            .into_iter()
            .map(|s| SlotConfig {
                input: plan.input_of(&s),
                id: s.id,
                strategy: s.strategy,
                instruments: s.instruments,
                sizer: s.sizer,
            })
            .collect();
        Ok(Self { settings, catalog, plan, slots, account, sim })
    }

    /// Opens the streams of the plan.
    pub(super) fn sources(&self) -> Result<Vec<Box<dyn Source>>, RunError> {
        let mut sources = Vec::new();
        for (id, kind) in &self.plan.series {
            let instrument = &self.plan.instruments[id.index()];
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
        let range = self.plan.range.clone();
        if kind != Kind::Funding {
            return range;
        }
        let priced = self.plan.series.iter().filter(|s| s.0 == id && s.1 != Kind::Funding);
        let stored = priced.filter_map(|(id, k)| self.catalog.find(&self.plan.instruments[id.index()].symbol, *k));
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
        let data_hash = self.data_hash()?;
        let symbols: Vec<Symbol> = self.plan.instruments.iter().map(|i| i.symbol.clone()).collect();
        let config_hash = config_hash(self.settings);
        let profile = self.plan.profile;
        let (input, symbol) = (self.plan.input, self.plan.instruments[0].symbol.clone());
        let (notes, close_at_end) = (self.plan.notes.clone(), self.settings.backtest.close_at_end);
        let (engine, sim) = self.build();

        let clock = CpuClock::default();
        let (mut read, mut read_since) = (Duration::ZERO, Duration::ZERO);
        let mut reading = |begins: bool| {
            if begins {
                read_since = clock.elapsed();
            } else {
                read += clock.elapsed().saturating_sub(read_since);
            }
        };
        let mut replay = Replay::new(engine, sim, stop, &mut reading);
        let ran = catch_unwind(AssertUnwindSafe(|| replay.run(sources, close_at_end)));
        let mut series: Vec<SeriesRead> = replay
            .read()
            .iter()
            .map(|p| (symbols[p.instrument.index()].clone(), p.kind, p.rows, p.first, p.last))
            .collect();
        series.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let engine = replay.engine;
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
        let mut outcome = engine.finish();
        outcome.notes.extend(notes);
        Ok(RunReport {
            outcome,
            fill_profile: profile.to_string(),
            data_hash,
            config_hash,
            series,
            engine_cpu_seconds: total.saturating_sub(read).as_secs_f64(),
            wall_seconds: wall.elapsed().as_secs_f64(),
        })
    }

    /// Engine and exchange, each with its own books.
    pub(super) fn build(self) -> (Engine, Sim) {
        let instruments = self.plan.instruments;
        let limits = Limits {
            order_notional_max: self.settings.risk.order_notional_max,
            position_notional_max: self.settings.risk.position_notional_max,
            open_orders_max: self.settings.risk.open_orders_max,
        };
        let finest = self.plan.bars_of_stream.iter().flatten().min().copied();
        let second = Interval::from_nanos(1_000_000_000).unwrap_or(Interval::MINUTE);
        let sim = Sim::new(self.sim, instruments.clone(), self.account.ledger(&instruments));
        let engine = Engine::new(EngineConfig {
            ledger: self.account.ledger(&instruments),
            instruments,
            currencies: self.account.currencies,
            account: self.plan.account,
            slots: self.slots,
            guard: Guard { limits },
            warmup: self.settings.backtest.warmup,
            chart_width: finest.unwrap_or(second),
            build: self.plan.build,
            bars_of_stream: self.plan.bars_of_stream,
        });
        (engine, sim)
    }

    /// The hash of all data in range.
    fn data_hash(&self) -> Result<String, RunError> {
        let mut hash = Sha256::new();
        for (id, kind) in &self.plan.series {
            let symbol = &self.plan.instruments[id.index()].symbol;
            match self.catalog.data_hash(symbol, *kind, self.range_of(*id, *kind)) {
                Ok(series) => hash.update(format!("{symbol}|{kind}|{series}\n")),
                Err(DataError::NoData { .. }) if *kind == Kind::Funding => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(hex(&hash.finalize()))
    }
}

fn sim_config(
    settings: &Settings,
    catalog: &Catalog,
    plan: &mut Plan,
    account: &Account,
) -> Result<SimConfig, RunError> {
    let rate = |bps: Option<Decimal>| {
        bps.map(|b| {
            Rate::from_bps(b).map_err(|_| {
                RunError::Settings(format!("a fee of {b} basis points has more than eight digits after the point"))
            })
        })
        .transpose()
    };
    let (maker, taker) = (rate(settings.sim.maker_bps)?, rate(settings.sim.taker_bps)?);
    let mut fees = Vec::new();
    for instrument in &plan.instruments {
        let stated = catalog.fees(&instrument.symbol);
        if (maker.is_none() || taker.is_none()) && stated.is_none() {
            plan.notes.push(format!("{}: no fee stated; 10 basis points assumed", instrument.symbol));
        }
        let (stated_maker, stated_taker) = stated.unwrap_or((DEFAULT_FEE, DEFAULT_FEE));
        fees.push((maker.unwrap_or(stated_maker), taker.unwrap_or(stated_taker)));
    }
    let pct = |d: Decimal, what: &str| {
        Rate::from_pct(d).map_err(|_| RunError::Settings(format!("account.{what} = {d} is out of range")))
    };
    let margin = match plan.account {
        AccountKind::Cash => None,
        AccountKind::Margin => {
            let leverage = settings.account.leverage_max;
            let leverage_max = Rate::from_fraction(leverage)
                .ok()
                .filter(|r| r.mantissa() > 0 && leverage.to_f64() <= 1000.0)
                .ok_or_else(|| {
                    RunError::Settings(format!("account.leverage_max = {leverage} must be above 0 and at most 1000"))
                })?;
            let maintenance = pct(settings.account.maintenance_pct, "maintenance_pct")?;
            if maintenance < Rate::ZERO || maintenance.to_f64() >= 1.0 {
                return Err(RunError::Settings(format!(
                    "account.maintenance_pct = {} must be from 0 to below 100",
                    settings.account.maintenance_pct
                )));
            }
            Some(MarginTerms { leverage_max, maintenance })
        }
    };
    let bps = |d: Decimal| {
        Rate::from_bps(d)
            .ok()
            .filter(|r| *r >= Rate::ZERO && r.to_f64() < 1.0)
            .ok_or_else(|| RunError::Settings(format!("sim.slippage: found {d}; must be from 0 to below 10000")))
    };
    Ok(SimConfig {
        profile: plan.profile,
        nearest_extreme_first: settings.sim.nearest_extreme_first,
        maker: fees.iter().map(|f| f.0).collect(),
        taker: fees.iter().map(|f| f.1).collect(),
        money_scales: account.terms.iter().map(|t| account.currencies[t.settle].scale).collect(),
        slippage: match settings.sim.slippage {
            Slippage::None => SlippageModel::None,
            Slippage::Bps { bps: b } => SlippageModel::Fraction(bps(b)?),
            Slippage::Ticks { ticks } => SlippageModel::Ticks(ticks),
            Slippage::Volume { bps: b } => SlippageModel::Volume(bps(b)?),
        },
        latency_ns: i64::try_from(settings.sim.latency_ms)
            .ok()
            .and_then(|ms| ms.checked_mul(1_000_000))
            .filter(|ns| *ns <= Interval::DAY.nanos())
            .ok_or_else(|| RunError::Settings(format!("sim.latency_ms = {} is over a day", settings.sim.latency_ms)))?,
        margin,
    })
}

/// SHA-256 of the settings that make a result; where data and state are stored does not.
fn config_hash(settings: &Settings) -> String {
    let mut relevant = settings.clone();
    relevant.state_dir = None;
    relevant.data = crate::config::DataSettings::default();
    // Settings are plain data, so writing them cannot fail.
    let text = serde_json::to_vec(&relevant).unwrap_or_default();
    hex(&Sha256::digest(&text))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
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
