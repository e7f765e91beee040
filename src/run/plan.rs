//! From settings to a plan: which strategies, which instruments, which stored series, under which fill rules.

use std::ops::Range;

use bellwether_sdk::{
    AccountKind, Instrument, InstrumentId, InstrumentKind, Interval, ParamError, ParamValues, Strategy, Symbol, Ts,
};

use super::supply::Supply;
use super::{RunError, coverage};
use crate::config::{self, Settings, StrategySettings, parse_time};
use crate::engine::{Input, Newcomer, OnHalt};
use crate::host::{Entry, HostError, Manifest, Registry};
use crate::market::Kind;
use crate::risk::Declared;
use crate::signal::{SIZER_PARAMS, Sizer};
use crate::sim::{MarginTerms, Profile};

/// A strategy that is ready to run.
pub(super) struct Planned {
    pub(super) id: String,
    pub(super) strategy: Box<dyn Strategy>,
    pub(super) instruments: Vec<InstrumentId>,
    pub(super) sizer: Sizer,
    pub(super) on_halt: OnHalt,
    /// Whether it emits signals.
    pub(super) directional: bool,
    /// What it declares that it does at the most.
    pub(super) declared: Declared,
    /// What a reader must know of how it is sized, if the settings do not say.
    pub(super) size_note: Option<String>,
    pub(super) form: Form,
}

/// What a strategy of a session was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    /// Its name in the run.
    pub(super) id: String,
    pub(super) plugin: String,
    /// The strategy's own name.
    pub(super) name: String,
    /// Of its file; empty for natives.
    pub(super) sha256: String,
    pub(super) state_version: u32,
    /// As they were given, the sizer's among them.
    pub(super) params: ParamValues,
    pub(super) directional: bool,
}

/// A strategy made, with its sizer.
pub(super) struct Made {
    pub(super) newcomer: Newcomer,
    /// Its parameters without the sizer's.
    pub(super) own: ParamValues,
    /// Whether the parameters say how large it trades, or it says so itself.
    is_sized: bool,
}

/// What will be run.
pub(super) struct Plan {
    pub(super) instruments: Vec<Instrument>,
    /// What strategies are given; see [`Plan::input_of`].
    pub(super) input: Input,
    /// The stored series to stream.
    pub(super) series: Vec<(InstrumentId, Kind)>,
    /// Interval of the streamed bars, per instrument.
    pub(super) bars_of_stream: Vec<Option<Interval>>,
    /// Bars to build.
    pub(super) build: Vec<(InstrumentId, Interval)>,
    pub(super) profile: Profile,
    pub(super) account: AccountKind,
    pub(super) range: Range<Ts>,
    pub(super) notes: Vec<String>,
    /// What the strategies were made of, in order.
    pub(super) forms: Vec<Form>,
}

/// The strategies of the settings; without any, an EMA cross.
pub(super) fn strategies_of(settings: &Settings) -> Vec<StrategySettings> {
    if settings.strategy.is_empty() {
        return vec![StrategySettings { plugin: "ema_cross".to_owned(), ..StrategySettings::default() }];
    }
    settings.strategy.clone()
}

/// Which symbols the run needs, in order, each once.
pub(super) fn symbols_of(settings: &Settings, supply: &dyn Supply) -> Result<Vec<Symbol>, RunError> {
    let mut symbols: Vec<Symbol> = Vec::new();
    let mut add = |list: &[Symbol]| {
        for symbol in list {
            if !symbols.contains(symbol) {
                symbols.push(symbol.clone());
            }
        }
    };
    for strategy in strategies_of(settings) {
        if strategy.instruments.is_empty() {
            add(&default_instruments(settings, supply)?);
        } else {
            add(&strategy.instruments);
        }
    }
    Ok(symbols)
}

/// What strategies without instruments of their own trade.
fn default_instruments(settings: &Settings, supply: &dyn Supply) -> Result<Vec<Symbol>, RunError> {
    if !settings.backtest.instruments.is_empty() {
        return Ok(settings.backtest.instruments.clone());
    }
    let mut stored: Vec<Symbol> = supply.series().into_iter().map(|s| s.0).collect();
    stored.dedup();
    let usual = stored.iter().find(|s| s.as_str() == "binance:BTC/USDT").cloned();
    match (stored.as_slice(), usual) {
        ([], _) => {
            Err(RunError::Data(format!("no data in {}: import some with `bellwether data import`", supply.place())))
        }
        ([one], _) => Ok(vec![one.clone()]),
        (_, Some(usual)) => Ok(vec![usual]),
        (many, None) => Err(RunError::Settings(format!(
            "which instrument? {} holds {}; name one with --instrument",
            supply.place(),
            list(many)
        ))),
    }
}

fn list(symbols: &[Symbol]) -> String {
    symbols.iter().map(Symbol::as_str).collect::<Vec<_>>().join(", ")
}

/// Makes the strategies, with their sizers.
pub(super) fn make_strategies(
    settings: &Settings,
    registry: &Registry,
    supply: &dyn Supply,
    instruments: &[Instrument],
) -> Result<Vec<Planned>, RunError> {
    let mut planned: Vec<Planned> = Vec::new();
    for wanted in strategies_of(settings) {
        let entry = registry.get_pinned(&wanted.plugin, wanted.sha256.as_deref()).map_err(|e| match e {
            HostError::Unknown { name, known } => {
                let near = nearest(&name, known.iter().map(String::as_str));
                RunError::Settings(format!(
                    "unknown strategy {name:?}{}; there are: {}",
                    near.map(|n| format!("; did you mean {n:?}?")).unwrap_or_default(),
                    known.join(", ")
                ))
            }
            other => RunError::Settings(other.to_string()),
        })?;
        let symbols = if wanted.instruments.is_empty() {
            default_instruments(settings, supply)?
        } else {
            wanted.instruments.clone()
        };
        let ids: Vec<InstrumentId> =
            symbols.iter().filter_map(|s| instruments.iter().find(|i| i.symbol == *s)).map(|i| i.id).collect();
        let made = make(&wanted.plugin, &entry, &wanted.params, &ids, instruments)?;
        let id = wanted.name().to_owned();
        let id = if planned.iter().any(|p| p.id == id) { format!("{id}#{}", planned.len() + 1) } else { id };
        let size_note = (!made.is_sized).then(|| match &made.newcomer.sizer {
            Sizer::EquityPct(pct) => format!("{id}: no size given; each position takes {pct:.0} % of the equity"),
            _ => String::new(),
        });
        let directional = entry.directional();
        let form = Form {
            id: id.clone(),
            plugin: wanted.plugin.clone(),
            name: entry.manifest.name.clone(),
            sha256: entry.sha256.clone(),
            state_version: entry.manifest.state_version,
            params: wanted.params.clone(),
            directional,
        };
        let Newcomer { strategy, sizer, declared } = made.newcomer;
        let on_halt = match wanted.on_halt {
            config::OnHalt::Cancel => OnHalt::Cancel,
            config::OnHalt::Keep => OnHalt::Keep,
        };
        planned.push(Planned {
            id,
            strategy,
            instruments: ids,
            sizer,
            on_halt,
            directional,
            declared,
            size_note,
            form,
        });
    }
    Ok(planned)
}

/// Makes a strategy of its parameters, its sizer's among them.
pub(super) fn make(
    plugin: &str,
    entry: &Entry,
    params: &ParamValues,
    ids: &[InstrumentId],
    instruments: &[Instrument],
) -> Result<Made, RunError> {
    let declared = declared_of(&entry.manifest, ids, instruments)?;
    let at = |e: ParamError| RunError::Settings(format!("strategy {plugin}: {e}"));
    let mut params = params.clone();
    let given = params.len();
    let sizer =
        if entry.directional() { Sizer::take(&mut params, ids.len()).map_err(at)? } else { Sizer::EquityPct(100.0) };
    let strategy = (entry.make)(&params).map_err(|e| match e {
        ParamError::Unknown { name, known } => {
            let sizing = SIZER_PARAMS.iter().map(|p| p.0).filter(|_| entry.directional());
            let near = nearest(&name, known.split(", ").chain(sizing));
            RunError::Settings(format!(
                "strategy {plugin}: unknown parameter {name:?}{}; there are: {known}{}",
                near.map(|n| format!("; did you mean {n:?}?")).unwrap_or_default(),
                if entry.directional() {
                    ", and for the size qty, notional, notional_pct, risk_pct (stop_atr), vol_pct"
                } else {
                    ""
                }
            ))
        }
        other => at(other),
    })?;
    let is_sized = !entry.directional() || params.len() < given;
    Ok(Made { newcomer: Newcomer { strategy, sizer, declared }, own: params, is_sized })
}

/// What a strategy's manifest allows, in terms of the run. One that is given an instrument it does not declare is refused.
fn declared_of(manifest: &Manifest, given: &[InstrumentId], all: &[Instrument]) -> Result<Declared, RunError> {
    let names = &manifest.instruments;
    let is_named = |i: &Instrument| names.iter().any(|name| *name == i.symbol.as_str());
    if let Some(other) = all.iter().find(|i| !names.is_empty() && given.contains(&i.id) && !is_named(i)) {
        return Err(RunError::Settings(format!(
            "strategy {} declares that it trades {} only, and is given {}; name one of its own with --instrument",
            manifest.name,
            names.join(", "),
            other.symbol
        )));
    }
    Ok(Declared {
        instruments: all.iter().filter(|i| is_named(i)).map(|i| i.id).collect(),
        orders: manifest.orders,
        order_notional_max: manifest.order_notional_max,
    })
}

/// The name nearest to a misspelt one.
pub(crate) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|n| (strsim::damerau_levenshtein(wrong, n), n))
        .filter(|(distance, _)| *distance <= 2.max(wrong.len() / 3))
        .min()
        .map(|(_, n)| n)
}

impl Plan {
    /// What one strategy is given. One that emits signals decides on one kind of price: bars where there are any.
    pub(super) fn input_of(&self, strategy: &Planned) -> Input {
        match self.input.bars {
            Some(_) if strategy.directional => Input { bars: self.input.bars, ..Input::default() },
            _ => self.input,
        }
    }

    /// Decides what to stream and how orders fill.
    pub(super) fn new(
        settings: &Settings,
        supply: &dyn Supply,
        instruments: Vec<Instrument>,
        strategies: &[Planned],
    ) -> Result<Self, RunError> {
        let range = range_of(settings)?;
        let ticks = ticks_of(settings)?;
        let mut notes: Vec<String> = strategies.iter().filter_map(|s| s.size_note.clone()).collect();
        let interval = match settings.backtest.interval {
            Some(interval) => Some(interval),
            None if ticks.is_empty() => default_interval(supply, &instruments[0].symbol)?,
            None => None,
        };
        let mut plan_ticks = ticks;
        // Nothing said and no bars stored: ticks of the first kind there is.
        if plan_ticks.is_empty() && interval.is_none() {
            plan_ticks = vec![default_ticks(supply, &instruments[0].symbol)?];
        }
        let mut series = Vec::new();
        let (mut bars_of_stream, mut build) = (Vec::new(), Vec::new());
        for instrument in &instruments {
            let has = |kind: Kind| supply.has(&instrument.symbol, kind);
            let mut own_bars = None;
            for kind in &plan_ticks {
                series.push((instrument.id, *kind));
            }
            if plan_ticks.contains(&Kind::Depth) && !plan_ticks.contains(&Kind::Trades) && has(Kind::Trades) {
                series.push((instrument.id, Kind::Trades));
            }
            if let Some(wanted) = interval {
                if !plan_ticks.contains(&Kind::Trades) {
                    match stored_bars(supply, &instrument.symbol, wanted, &mut notes) {
                        Some(finer) => {
                            series.push((instrument.id, Kind::Bars(finer)));
                            own_bars = Some(finer);
                        }
                        None if has(Kind::Trades) => {
                            let stored = intervals_stored(supply, &instrument.symbol);
                            coverage::trades_for_bars(supply, &instrument.symbol, wanted, &stored, &range)?;
                            if !series.contains(&(instrument.id, Kind::Trades)) {
                                series.push((instrument.id, Kind::Trades));
                            }
                        }
                        None => return Err(no_bars(supply, &instrument.symbol, wanted)),
                    }
                }
                if own_bars != Some(wanted) {
                    build.push((instrument.id, wanted));
                    let kind = own_bars.map_or(Kind::Trades, Kind::Bars);
                    let from = own_bars.map_or_else(|| "trades".to_owned(), |i| format!("bars of {i}"));
                    let covered = coverage::covered(supply, &instrument.symbol, kind, &range);
                    let of = covered.map_or_else(String::new, |part| format!(", {}", coverage::words(&part)));
                    notes.push(format!("{}: bars of {wanted} are built from {from}{of}", instrument.symbol));
                }
            }
            if instrument.kind() != InstrumentKind::Spot && has(Kind::Funding) {
                series.push((instrument.id, Kind::Funding));
            }
            bars_of_stream.push(own_bars);
        }
        let streamed = |kind: Kind| series.iter().any(|s| s.1 == kind);
        let default = if streamed(Kind::Depth) {
            Profile::Book
        } else if streamed(Kind::Quotes) {
            Profile::Quote
        } else if streamed(Kind::Trades) {
            Profile::Trade
        } else {
            Profile::NextOpen
        };
        let profile = match &settings.sim.fill_profile {
            Some(name) => name.parse::<Profile>().map_err(|e| RunError::Settings(e.to_string()))?,
            None => default,
        };
        check_profile(profile, &series, &instruments)?;
        notes.extend(coverage::gaps(supply, &instruments, &series, &range));
        let account = account_of(settings, strategies)?;
        let streams = |kind: Kind| plan_ticks.contains(&kind);
        let input = Input {
            bars: interval,
            trades: streams(Kind::Trades),
            quotes: streams(Kind::Quotes),
            depth: streams(Kind::Depth),
        };
        let forms = strategies.iter().map(|s| s.form.clone()).collect();
        for instrument in &instruments {
            if let Some(at) = supply.rule_changes(&instrument.symbol, &range).first() {
                notes.push(format!(
                    "{}: other rules or fees are stated from {} on; those of the run's start count for all of it",
                    instrument.symbol,
                    crate::data::Stamp::from(*at).utc
                ));
            }
        }
        let plan = Self { instruments, input, series, bars_of_stream, build, profile, account, range, notes, forms };
        plan.check_meeting(supply, strategies)?;
        Ok(plan)
    }

    /// What the simulated exchange and its account leave out, as sentences for the result.
    pub(super) fn left_out(&self) -> Vec<String> {
        let mut notes = vec![format!("{} leaves out: {}", self.profile, self.profile.leaves_out())];
        if self.account == AccountKind::Margin {
            notes.push(format!("{} leaves out: {}", MarginTerms::NAME, MarginTerms::LEAVES_OUT));
        }
        notes
    }

    /// What a strategy decides on must share some time with what its orders fill at, for each of its instruments.
    fn check_meeting(&self, supply: &dyn Supply, strategies: &[Planned]) -> Result<(), RunError> {
        for strategy in strategies {
            let input = self.input_of(strategy);
            for id in &strategy.instruments {
                let bars = self.bars_of_stream[id.index()].map_or(Kind::Trades, Kind::Bars);
                let heard = [
                    (input.bars.is_some(), bars),
                    (input.trades, Kind::Trades),
                    (input.quotes, Kind::Quotes),
                    (input.depth, Kind::Depth),
                ];
                let decide: Vec<Kind> = heard.into_iter().filter(|h| h.0).map(|h| h.1).collect();
                let own = self.series.iter().filter(|s| s.0 == *id).map(|s| s.1);
                let fill: Vec<Kind> = own.filter(|k| fills_at(self.profile, *k)).collect();
                coverage::meet(supply, &self.instruments[id.index()].symbol, &self.range, &decide, &fill)?;
            }
        }
        Ok(())
    }
}

pub(super) fn range_of(settings: &Settings) -> Result<Range<Ts>, RunError> {
    let time = |text: &Option<String>, none: Ts| {
        text.as_deref().map_or(Ok(none), |t| parse_time(t).map_err(RunError::Settings))
    };
    let range = time(&settings.backtest.from, Ts::from_nanos(i64::MIN + 1))?..time(&settings.backtest.to, Ts::MAX)?;
    if range.start >= range.end {
        return Err(RunError::Settings(format!(
            "--from {} is not before --to {}",
            settings.backtest.from.as_deref().unwrap_or("the beginning"),
            settings.backtest.to.as_deref().unwrap_or("the end")
        )));
    }
    Ok(range)
}

fn ticks_of(settings: &Settings) -> Result<Vec<Kind>, RunError> {
    let mut kinds = Vec::new();
    for name in &settings.backtest.kinds {
        let kind = match name.as_str() {
            "trades" => Kind::Trades,
            "quotes" => Kind::Quotes,
            "depth" => Kind::Depth,
            "bars" => continue,
            _ => {
                return Err(RunError::Settings(format!(
                    "backtest.kinds: {name:?} is not a kind of ticks; there are trades, quotes, depth"
                )));
            }
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}

fn intervals_stored(supply: &dyn Supply, symbol: &Symbol) -> Vec<Interval> {
    supply.series().into_iter().filter(|s| s.0 == *symbol).filter_map(|s| s.1.interval()).collect()
}

/// An hour if there is one, else the finest.
fn default_interval(supply: &dyn Supply, symbol: &Symbol) -> Result<Option<Interval>, RunError> {
    if !supply.series().iter().any(|s| s.0 == *symbol) {
        return Err(missing(supply, symbol));
    }
    let stored = intervals_stored(supply, symbol);
    Ok(if stored.contains(&Interval::HOUR) { Some(Interval::HOUR) } else { stored.into_iter().min() })
}

fn default_ticks(supply: &dyn Supply, symbol: &Symbol) -> Result<Kind, RunError> {
    [Kind::Trades, Kind::Quotes, Kind::Depth]
        .into_iter()
        .find(|k| supply.has(symbol, *k))
        .ok_or_else(|| missing(supply, symbol))
}

/// The stored interval to stream for bars of `wanted`: itself, or the coarsest that makes it up. Bars made of data that
/// has changed since might end before it does: they are left out, and told.
fn stored_bars(supply: &dyn Supply, symbol: &Symbol, wanted: Interval, notes: &mut Vec<String>) -> Option<Interval> {
    let mut fit: Vec<Interval> =
        intervals_stored(supply, symbol).into_iter().filter(|i| wanted.is_multiple_of(*i)).collect();
    fit.sort_unstable();
    while let Some(interval) = fit.pop() {
        let Some(from) = supply.outdated(symbol, Kind::Bars(interval)) else { return Some(interval) };
        notes.push(format!(
            "{symbol}: the stored bars of {interval} are not used: the {from} they were made of have changed since; \
             `data resample` makes them anew"
        ));
    }
    None
}

fn missing(supply: &dyn Supply, symbol: &Symbol) -> RunError {
    let mut stored: Vec<Symbol> = supply.series().into_iter().map(|s| s.0).collect();
    stored.dedup();
    let near = nearest(symbol.as_str(), stored.iter().map(Symbol::as_str));
    RunError::Data(format!(
        "no data of {symbol} in {}{}; it holds {}",
        supply.place(),
        near.map(|n| format!("; did you mean {n}?")).unwrap_or_default(),
        if stored.is_empty() { "nothing".to_owned() } else { list(&stored) }
    ))
}

fn no_bars(supply: &dyn Supply, symbol: &Symbol, wanted: Interval) -> RunError {
    let kinds: Vec<String> = supply.series().iter().filter(|s| s.0 == *symbol).map(|s| s.1.to_string()).collect();
    if kinds.is_empty() {
        return missing(supply, symbol);
    }
    RunError::Data(format!(
        "no bars of {wanted} for {symbol} in {}, nor finer ones to build them from; it holds {}",
        supply.place(),
        kinds.join(", ")
    ))
}

/// Whether a profile fills at a kind of data.
const fn fills_at(profile: Profile, kind: Kind) -> bool {
    match profile {
        Profile::NextOpen | Profile::Close | Profile::OhlcPath => matches!(kind, Kind::Bars(_)),
        Profile::Trade => matches!(kind, Kind::Trades),
        Profile::Quote => matches!(kind, Kind::Quotes),
        Profile::Book => matches!(kind, Kind::Depth),
    }
}

/// Every instrument must have the kind of data that the profile fills at: without it its orders would wait for ever.
fn check_profile(profile: Profile, series: &[(InstrumentId, Kind)], all: &[Instrument]) -> Result<(), RunError> {
    let needs = match profile {
        Profile::NextOpen | Profile::Close | Profile::OhlcPath => {
            "bars; leave out --kind, or choose trade@1, quote@1 or book@1"
        }
        Profile::Trade => "trades: add --kind trades",
        Profile::Quote => "quotes: add --kind quotes",
        Profile::Book => "depth: add --kind depth",
    };
    let without = all.iter().find(|i| !series.iter().any(|(id, kind)| *id == i.id && fills_at(profile, *kind)));
    let Some(without) = without else { return Ok(()) };
    let of = if all.len() > 1 { format!("; {} would have none", without.symbol) } else { String::new() };
    Err(RunError::Settings(format!("fill profile {profile} needs {needs}{of}")))
}

fn account_of(settings: &Settings, strategies: &[Planned]) -> Result<AccountKind, RunError> {
    let wants_margin = strategies.iter().find(|s| s.strategy.account() == AccountKind::Margin);
    match (settings.account.kind, wants_margin) {
        (Some(AccountKind::Cash), Some(strategy)) => Err(RunError::Settings(format!(
            "strategy {} needs a margin account and the settings say cash; use --account margin, or make it long only",
            strategy.id
        ))),
        (Some(kind), _) => Ok(kind),
        (None, Some(_)) => Ok(AccountKind::Margin),
        (None, None) => Ok(AccountKind::Cash),
    }
}
