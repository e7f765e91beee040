//! What the flags of a run mean: settings, and the axes of a grid.

use bellwether::config::{
    Loaded, Origin, Override, Settings, SettingsFile, Slippage, StrategySettings, check, env_overrides, known_paths,
    load, parse_time_range, suggest,
};
use bellwether::host::Registry;
use bellwether::signal::excludes;
use bellwether_sdk::Symbol;

use crate::args::{Global, RunArgs};
use crate::failure::{Code, Failure};
use crate::{axes, out, strategies};

/// Most combinations of a grid.
const COMBINATIONS_MAX: usize = 100_000;

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// All settings, the first value of every axis set.
    pub(crate) settings: Settings,
    /// The file they partly came from.
    pub(crate) file: Option<SettingsFile>,
    /// Parameters with several values, in order of the flags.
    pub(crate) axes: Vec<(String, Vec<String>)>,
    /// Strategies from files whose content the settings do not pin: name and SHA-256.
    pub(crate) unpinned: Vec<(String, String)>,
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// A backtest, or a grid of them.
    Backtest,
    /// Paper or live.
    Session,
    /// The same, begun anew and watching the files of its strategies.
    Watched,
}

/// Settings for a command that runs nothing: file, environment and `--state-dir`.
pub(crate) fn settings(global: &Global) -> Result<Loaded, Failure> {
    layered(global, Vec::new())
}

fn layered(global: &Global, flags: Vec<Override>) -> Result<Loaded, Failure> {
    // Names that are not text cannot be ours.
    let vars = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    let mut overrides = env_overrides(vars);
    overrides.extend(flags);
    let mut loaded = load(global.config.as_deref(), &overrides)?;
    if let Some(dir) = &global.state_dir {
        loaded.settings.state_dir = Some(dir.clone());
    }
    Ok(loaded)
}

/// Settings and axes of a run.
pub(crate) fn plan(global: &Global, args: &RunArgs, registry: &Registry, of: Of) -> Result<Plan, Failure> {
    let sets = args.set.iter().map(|text| split(text)).collect::<Result<Vec<_>, Failure>>()?;
    let paths = known_paths();
    let is_path = |key: &str| {
        let section = key.split('.').next().unwrap_or_default();
        paths.iter().any(|p| p == key || p.split('.').next() == Some(section))
    };
    let flags = sets.iter().filter(|(key, _)| is_path(key)).map(|(key, value)| Override {
        origin: Origin::Flag(format!("--set {key}={value}")),
        path: (*key).to_owned(),
        text: (*value).to_owned(),
    });
    let Loaded { mut settings, file } = layered(global, flags.collect())?;
    let unpinned = choose_strategies(&mut settings, args, registry, of)?;
    flags_over(&mut settings, args)?;
    defaults(&mut settings, of);
    let mut axes = Vec::new();
    for (key, value) in sets.iter().filter(|(key, _)| !is_path(key)) {
        set_param(&mut settings, registry, key, value, &mut axes)?;
    }
    let axes: Vec<(String, Vec<String>)> = axes.into_iter().map(|axis| (axis.key, axis.values)).collect();
    let combinations = axes.iter().try_fold(1usize, |n, (_, values)| n.checked_mul(values.len()));
    if combinations.is_none_or(|n| n > COMBINATIONS_MAX) {
        return Err(Failure::bad(format!("the grid has over {COMBINATIONS_MAX} combinations; use coarser steps")));
    }
    check(&settings)?;
    strategies::check(registry, &settings.strategy, file.as_ref(), !axes.is_empty())?;
    Ok(Plan { settings, file, axes, unpinned })
}

fn split(text: &str) -> Result<(&str, &str), Failure> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim(), value.trim())),
        _ => Err(Failure::new(Code::Usage, format!("reading --set {text}: no KEY=VALUE"))
            .help("write --set strategy.fast=10 or --set sim.latency_ms=5")),
    }
}

/// Gives those that are from files and not pinned.
fn choose_strategies(
    settings: &mut Settings,
    args: &RunArgs,
    registry: &Registry,
    of: Of,
) -> Result<Vec<(String, String)>, Failure> {
    if let Some(name) = &args.strategy {
        let known: Vec<_> = settings.strategy.iter().filter(|s| s.id == *name || s.plugin == *name).cloned().collect();
        settings.strategy = match known.is_empty() {
            false => known,
            true => vec![StrategySettings { plugin: name.clone(), ..Default::default() }],
        };
    } else if settings.strategy.is_empty() {
        settings.strategy = vec![StrategySettings { plugin: "ema_cross".to_owned(), ..Default::default() }];
    }
    if of == Of::Watched {
        bellwether::run::pin_as_watched(settings, registry).iter().for_each(|text| out::tell(text));
    }
    let mut unpinned = Vec::new();
    for strategy in &mut settings.strategy {
        let entry = strategies::of_settings(registry, strategy)?;
        if !entry.sha256.is_empty() {
            if strategy.sha256.is_none() {
                unpinned.push((entry.manifest.name.clone(), entry.sha256.clone()));
            }
            // From here on this content and no other: on the tape, in the report, and whenever it is loaded again.
            strategy.sha256 = Some(entry.sha256.clone());
        }
        if strategy.id.is_empty() {
            strategy.id = entry.manifest.name;
        }
    }
    Ok(unpinned)
}

fn flags_over(settings: &mut Settings, args: &RunArgs) -> Result<(), Failure> {
    fn over<T: Clone>(target: &mut T, flag: &Option<T>) {
        if let Some(value) = flag {
            target.clone_from(value);
        }
    }
    fn over_some<T: Clone>(target: &mut Option<T>, flag: &Option<T>) {
        if flag.is_some() {
            target.clone_from(flag);
        }
    }
    over(&mut settings.data.dir, &args.data);
    if !args.instrument.is_empty() {
        settings.backtest.instruments.clone_from(&args.instrument);
        // What is typed now is meant for every strategy.
        settings.strategy.iter_mut().for_each(|s| s.instruments.clear());
    }
    let backtest = &mut settings.backtest;
    over_some(&mut backtest.interval, &args.interval);
    if args.interval.is_some() && args.kind.is_empty() {
        backtest.kinds.clear();
    }
    if !args.kind.is_empty() {
        backtest.kinds = args.kind.iter().map(|k| k.name().to_owned()).collect();
        if args.interval.is_none() {
            backtest.interval = None;
        }
    }
    over_some(&mut backtest.from, &args.from);
    over_some(&mut backtest.to, &args.to);
    if let Some(range) = &args.timerange {
        let (from, to) = parse_time_range(range)
            .map_err(|why| Failure::new(Code::Usage, format!("reading --timerange {range}: {why}")))?;
        (backtest.from, backtest.to) = (from, to);
    }
    over(&mut backtest.warmup, &args.warmup);
    backtest.close_at_end |= args.close_at_end;
    over(&mut settings.account.cash, &args.cash);
    over_some(&mut settings.account.kind, &args.account.map(Into::into));
    over(&mut settings.account.leverage_max, &args.leverage);
    let sim = &mut settings.sim;
    over_some(&mut sim.maker_bps, &args.fee_bps.or(args.maker_bps));
    over_some(&mut sim.taker_bps, &args.fee_bps.or(args.taker_bps));
    over(&mut sim.slippage, &args.slippage_bps.map(|bps| Slippage::Bps { bps }));
    over(&mut sim.latency_ms, &args.latency_ms);
    over_some(&mut sim.fill_profile, &args.fill_profile);
    Ok(())
}

/// The shipped data's best-known series stands in where nobody said what to replay.
fn defaults(settings: &mut Settings, of: Of) {
    // A session watches the market tick by tick unless bars were asked for.
    if of != Of::Backtest && settings.backtest.kinds.is_empty() && settings.backtest.interval.is_none() {
        settings.backtest.kinds.push("trades".to_owned());
    }
    let shipped = settings.data == bellwether::config::DataSettings::default();
    let unsaid = settings.backtest.instruments.is_empty() && settings.strategy.iter().all(|s| s.instruments.is_empty());
    if !(shipped && unsaid) {
        return;
    }
    if let Ok(symbol) = "binance:BTC/USDT".parse::<Symbol>() {
        settings.backtest.instruments.push(symbol);
    }
    if settings.backtest.interval.is_none() && settings.backtest.kinds.is_empty() {
        settings.backtest.interval = Some(bellwether_sdk::Interval::HOUR);
    }
}

/// Sets `strategy.NAME` of every strategy that has it, or `ID.NAME` of one; several values become an axis.
fn set_param(
    settings: &mut Settings,
    registry: &Registry,
    key: &str,
    value: &str,
    axes: &mut Vec<Axis>,
) -> Result<(), Failure> {
    let Some((scope, name)) = key.split_once('.') else { return Err(unknown_key(settings, key)) };
    let scoped: Vec<usize> =
        (0..settings.strategy.len()).filter(|i| scope == "strategy" || settings.strategy[*i].id == scope).collect();
    let Some(first) = scoped.first() else { return Err(unknown_key(settings, key)) };
    let first = strategies::of_settings(registry, &settings.strategy[*first])?;
    let mut values = None;
    let mut axis = Axis { key: key.to_owned(), values: Vec::new(), sets: Vec::new() };
    for index in scoped {
        let strategy = &mut settings.strategy[index];
        let entry = strategies::of_settings(registry, strategy)?;
        if !strategies::param_names(&entry).contains(&name) {
            continue;
        }
        let all = axes::values(value, strategies::can_list(&entry, name))
            .map_err(|why| Failure::new(Code::Usage, format!("reading --set {key}={value}: {why}")))?;
        axis.sets.push((index, name.to_owned()));
        if entry.directional() {
            // One way of sizing stands; the flag's takes the place of the file's.
            strategy.params.retain(|other, _| !excludes(name, other));
        }
        for one in &all {
            let params = std::collections::BTreeMap::from([(name.to_owned(), one.clone())]);
            check_alone(&entry, &params)?;
        }
        if let Some(one) = all.first() {
            strategy.params.insert(name.to_owned(), one.clone());
        }
        values = Some(all);
    }
    let values =
        values.ok_or_else(|| strategies::unknown_param(&first, name).prefixed(&format!("reading --set {key}: ")))?;
    // What is set later counts, however it is written: an axis goes when it has nothing left to set. One that has keeps
    // its values for the others, and this one stands after it although it may have one value only.
    for earlier in axes.iter_mut() {
        earlier.sets.retain(|(index, other)| {
            !axis.sets.iter().any(|(i, name)| i == index && (name == other || excludes(name, other)))
        });
    }
    axes.retain(|earlier| !earlier.sets.is_empty());
    let is_shared = axes.iter().any(|earlier| earlier.key.strip_prefix("strategy.") == Some(name));
    if values.len() > 1 || is_shared {
        axes.push(Axis { values, ..axis });
    }
    Ok(())
}

/// A parameter with several values.
struct Axis {
    /// As it is written: `strategy.NAME` or `ID.NAME`.
    key: String,
    values: Vec<String>,
    /// What it sets that nothing later does: index of the strategy, and name.
    sets: Vec<(usize, String)>,
}

/// A value of one parameter; conflicts with the defaults of others are left to the run.
fn check_alone(entry: &bellwether::host::Entry, params: &bellwether_sdk::ParamValues) -> Result<(), Failure> {
    match strategies::check_params(entry, params) {
        Err((Some(_), failure)) => Err(failure),
        _ => Ok(()),
    }
}

fn unknown_key(settings: &Settings, key: &str) -> Failure {
    let mut known = known_paths();
    known.extend(settings.strategy.iter().map(|s| format!("{}.NAME", s.id)));
    known.push("strategy.NAME".to_owned());
    let advice = match suggest(key, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("there are: {}", known.join(", ")),
    };
    Failure::bad(format!("reading --set {key}: unknown key {key:?}; {advice}"))
}
