//! Strategies as settings name them, held against the registry: unknown names and parameters, values out of range.

use bellwether::config::{Origin, SettingsFile, StrategySettings, suggest};
use bellwether::host::{Entry, HostError, Registry};
use bellwether::signal::{SIZER_PARAMS, Sizer};
use bellwether_sdk::{ParamError, ParamValues};

use crate::failure::Failure;

/// The strategy of a name.
pub(crate) fn entry(registry: &Registry, name: &str) -> Result<Entry, Failure> {
    pinned(registry, name, None)
}

/// The strategy that settings name, with the content they pin.
pub(crate) fn of_settings(registry: &Registry, strategy: &StrategySettings) -> Result<Entry, Failure> {
    pinned(registry, &strategy.plugin, strategy.sha256.as_deref())
}

fn pinned(registry: &Registry, name: &str, pin: Option<&str>) -> Result<Entry, Failure> {
    registry.get_pinned(name, pin).map_err(|error| match error {
        HostError::Unknown { name, known } => {
            let advice = match suggest(&name, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "there is none of a similar name".to_owned(),
            };
            Failure::bad(format!("unknown strategy {name:?}; {advice}"))
                .help("`bellwether strategy list` shows the strategies there are; a file is written ./my.wasm")
        }
        #[cfg(not(feature = "wasm"))]
        none @ HostError::NoLoader { .. } => Failure::bad(none.to_string()).help(crate::plugins::GET_WASM),
        other => Failure::bad(other.to_string()),
    })
}

/// The names a strategy's parameters may have, the sizer's included.
pub(crate) fn param_names(entry: &Entry) -> Vec<&'static str> {
    let mut names: Vec<_> = entry.specs.iter().map(|s| s.name).collect();
    if entry.directional() {
        names.extend(SIZER_PARAMS.map(|(name, _)| name));
    }
    names
}

/// Whether a parameter can be given as a list or range: all but free text.
pub(crate) fn can_list(entry: &Entry, name: &str) -> bool {
    !entry.specs.iter().any(|s| s.name == name && s.kind == "text")
}

/// Makes every strategy of the settings once, so that what is wrong with its parameters is said before anything runs. In
/// a grid values may conflict: those variants tell so themselves.
///
/// # Errors
/// The first complaint, with the line of the file where it sets the value.
pub(crate) fn check(
    registry: &Registry,
    strategies: &[StrategySettings],
    file: Option<&SettingsFile>,
    grid: bool,
) -> Result<(), Failure> {
    for strategy in strategies {
        let place = |key: &str| origin(strategy, file, key).map_or(String::new(), |o| format!("{o}: "));
        let named = |failure: Failure, key: &str| failure.prefixed(&place(key));
        let entry = of_settings(registry, strategy).map_err(|f| named(f, "plugin"))?;
        match check_params(&entry, &strategy.params) {
            Err((Some(param), failure)) => return Err(named(failure, &format!("params.{param}"))),
            Err((None, failure)) if !grid => return Err(named(failure, "plugin")),
            _ => {}
        }
    }
    Ok(())
}

/// Where the file sets a key of a strategy, if the value is still the file's.
fn origin(strategy: &StrategySettings, file: Option<&SettingsFile>, key: &str) -> Option<Origin> {
    let file = file?;
    let ours = file.settings().ok()?;
    let index = ours.strategy.iter().position(|s| s.plugin == strategy.plugin && s.name() == strategy.name())?;
    let overridden = |param| ours.strategy[index].params.get(param) != strategy.params.get(param);
    if key.strip_prefix("params.").is_some_and(overridden) {
        return None;
    }
    file.origin_of(&format!("strategy.{index}.{key}"))
}

/// Checks names and values; the complaint comes with the parameter it is about, where there is one.
pub(crate) fn check_params(entry: &Entry, values: &ParamValues) -> Result<(), (Option<String>, Failure)> {
    let names = param_names(entry);
    if let Some(name) = values.keys().find(|name| !names.contains(&name.as_str())) {
        return Err((Some(name.clone()), unknown_param(entry, name)));
    }
    let mut own = values.clone();
    let made = match entry.directional() {
        // How many instruments there are decides the default only.
        true => Sizer::take(&mut own, 1).map(|_| ()),
        false => Ok(()),
    };
    made.and_then(|()| (entry.make)(&own).map(|_| ())).map_err(|error| {
        let name = if let ParamError::Value { name, .. } = &error { Some(name.clone()) } else { None };
        let failure = Failure::bad(format!("strategy {}: {error}", entry.name()));
        (name, failure.help(format!("`bellwether strategy params {}` shows what it takes", entry.name())))
    })
}

/// A parameter that the strategy does not have.
pub(crate) fn unknown_param(entry: &Entry, name: &str) -> Failure {
    let names = param_names(entry);
    let advice = match suggest(name, names.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("there are: {}", names.join(", ")),
    };
    Failure::bad(format!("strategy {} has no parameter {name:?}; {advice}", entry.name()))
        .help(format!("`bellwether strategy params {}` shows what it takes", entry.name()))
}
