//! From settings and what data there is to an engine and a simulated exchange: the same for every mode.

use bellwether_sdk::{AccountKind, Decimal, Instrument, InstrumentId, Interval, Rate};

use super::RunError;
use super::limits::limits;
use super::money::Account;
use super::plan::{Plan, make_strategies, range_of, symbols_of};
use super::resolved::config_hash;
use super::supply::Supply;
use crate::config::{Combine, Feed, OnConflict, Settings, SignalSettings, Slippage};
use crate::engine::{Engine, EngineConfig, SlotConfig};
use crate::host::Registry;
use crate::risk::{Guard, Limits};
use crate::signal::{Combination, Conflict, Rule};
use crate::sim::{MarginTerms, Sim, SimConfig, SlippageModel};

/// The fee where neither settings nor data nor venue say one: 10 basis points.
const DEFAULT_FEE: Rate = Rate::from_mantissa(1_000_000_000);

/// A run whose settings have been understood and whose data is known to be there.
pub(super) struct Setup {
    pub(super) plan: Plan,
    /// SHA-256 of the settings that make a result, as they were understood.
    pub(super) config_hash: String,
    slots: Vec<SlotConfig>,
    account: Account,
    sim: SimConfig,
    limits: Limits,
}

impl Setup {
    pub(super) fn new(settings: &Settings, registry: &Registry, supply: &dyn Supply) -> Result<Self, RunError> {
        if settings.version != 1 {
            return Err(RunError::Settings(format!(
                "settings are of version {}; this program knows version 1",
                settings.version
            )));
        }
        let range = range_of(settings)?;
        let instruments = symbols_of(settings, supply)?
            .iter()
            .enumerate()
            .map(|(i, symbol)| supply.instrument(symbol, InstrumentId(i as u16), &range))
            .collect::<Result<Vec<Instrument>, _>>()?;
        let strategies = make_strategies(settings, registry, supply, &instruments)?;
        let mut plan = Plan::new(settings, supply, instruments, &strategies)?;
        let account = Account::new(&settings.account.cash, &plan.instruments)?;
        plan.notes.extend(account.conversions(&plan.instruments));
        let sim = sim_config(settings, supply, &mut plan, &account)?;
        let declared = strategies.iter().map(|s| s.declared.clone()).collect();
        let slots = strategies
            .into_iter()
            .map(|s| SlotConfig {
                input: plan.input_of(&s),
                id: s.id,
                strategy: s.strategy,
                instruments: s.instruments,
                sizer: s.sizer,
                on_halt: s.on_halt,
            })
            .collect();
        let limits = Limits { declared, ..limits(&settings.risk, &plan.instruments)? };
        let config_hash = config_hash(settings, registry, &plan);
        Ok(Self { plan, config_hash, slots, account, sim, limits })
    }

    /// Engine and exchange, each with its own books.
    pub(super) fn build(self, settings: &Settings) -> (Engine, Sim) {
        let instruments = self.plan.instruments;
        let finest = self.plan.bars_of_stream.iter().flatten().min().copied();
        let second = Interval::from_nanos(1_000_000_000).unwrap_or(Interval::MINUTE);
        let sim = Sim::new(self.sim, instruments.clone(), self.account.ledger(&instruments));
        let mut engine = Engine::new(EngineConfig {
            ledger: self.account.ledger(&instruments),
            instruments,
            currencies: self.account.currencies,
            account: self.plan.account,
            slots: self.slots,
            guard: Guard::new(self.limits),
            warmup: settings.backtest.warmup,
            chart_width: finest.unwrap_or(second),
            build: self.plan.build,
            bars_of_stream: self.plan.bars_of_stream,
        });
        if settings.session.feed == Feed::Venue && settings.session.orders_kept > 0 {
            engine.keep_ended(usize::try_from(settings.session.orders_kept).unwrap_or(usize::MAX));
        }
        engine.combine(combination(&settings.signals));
        if settings.signals.only {
            engine.only_emit();
        }
        (engine, sim)
    }
}

/// A rate in basis points, for reading.
fn in_bps(rate: Rate) -> Decimal {
    Decimal::new(rate.mantissa(), Rate::SCALE - 4).normalized()
}

fn combination(settings: &SignalSettings) -> Combination {
    Combination {
        rule: match settings.combine {
            Combine::Latest => Rule::Latest,
            Combine::Priority => Rule::Priority,
            Combine::Weighted => Rule::Weighted,
        },
        conflict: match settings.conflict {
            OnConflict::Rule => Conflict::Rule,
            OnConflict::Flat => Conflict::Flat,
            OnConflict::Hold => Conflict::Hold,
        },
        order: settings.order.clone(),
        weights: settings.weights.clone(),
        threshold: settings.threshold,
    }
}

fn sim_config(
    settings: &Settings,
    supply: &dyn Supply,
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
        let stated = supply.fees(&instrument.symbol, &plan.range);
        let (stated_maker, stated_taker) = stated.unwrap_or((DEFAULT_FEE, DEFAULT_FEE));
        if maker.is_none() || taker.is_none() {
            let symbol = &instrument.symbol;
            if stated.is_none() {
                plan.notes.push(format!("{symbol}: no fee stated; {} basis points assumed", in_bps(DEFAULT_FEE)));
            } else if supply.fees_are_assumed(symbol) {
                let (maker, taker) = (in_bps(stated_maker), in_bps(stated_taker));
                plan.notes.push(format!(
                    "{symbol}: no fee stated; the venue's lowest tier assumed: \
                     maker {maker}, taker {taker} basis points"
                ));
            }
        }
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
