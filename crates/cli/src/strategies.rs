//! Strategies as settings name them, held against the registry: unknown names and parameters, values out of range.

use bellwether::config::{Origin, SettingsFile, StrategySettings, suggest};
use bellwether::host::{Entry, Registry};
use bellwether_sdk::{Decimal, ParamError, ParamValues};

use crate::failure::Failure;

/// Parameters of the sizer, which every strategy that emits signals takes besides its own.
pub(crate) const SIZER: [(&str, &str); 3] = [
    ("qty", "Quantity of every entry, in units of the instrument."),
    ("notional", "Value of every entry, in quote currency."),
    ("notional_pct", "Value of every entry, in per cent of equity."),
];

/// The strategy of a name.
pub(crate) fn entry<'r>(registry: &'r Registry, name: &str) -> Result<&'r Entry, Failure> {
    registry.get(name).ok_or_else(|| {
        let names = registry.entries().iter().map(|e| e.name);
        let advice = match suggest(name, names) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "there is none of a similar name".to_owned(),
        };
        Failure::bad(format!("unknown strategy {name:?}; {advice}"))
            .help("`bellwether strategy list` shows the strategies there are")
    })
}

/// The names a strategy's parameters may have, the sizer's included.
pub(crate) fn param_names(entry: &Entry) -> Vec<&'static str> {
    let mut names: Vec<_> = (entry.specs)().iter().map(|s| s.name).collect();
    if entry.directional {
        names.extend(SIZER.iter().map(|(name, _)| *name).filter(|name| !names.contains(name)).collect::<Vec<_>>());
    }
    names
}

/// Whether a parameter can be given as a list or range: all but free text.
pub(crate) fn can_list(entry: &Entry, name: &str) -> bool {
    !(entry.specs)().iter().any(|s| s.name == name && s.kind == "text")
}

/// Makes every strategy of the settings once, so that what is wrong with its parameters is said before anything runs.
///
/// # Errors
/// The first complaint, with the line of the file where it sets the value.
pub(crate) fn check(
    registry: &Registry,
    strategies: &[StrategySettings],
    file: Option<&SettingsFile>,
) -> Result<(), Failure> {
    for strategy in strategies {
        let place = |key: &str| origin(strategy, file, key).map_or(String::new(), |o| format!("{o}: "));
        let named = |failure: Failure, key: &str| failure.prefixed(&place(key));
        let entry = entry(registry, &strategy.plugin).map_err(|f| named(f, "plugin"))?;
        check_params(entry, &strategy.params).map_err(|(param, failure)| {
            let key = param.map_or("plugin".to_owned(), |p| format!("params.{p}"));
            named(failure, &key)
        })?;
    }
    Ok(())
}

/// Where the file sets a key of a strategy, if the value is still the file's.
fn origin(strategy: &StrategySettings, file: Option<&SettingsFile>, key: &str) -> Option<Origin> {
    let file = file?;
    let ours = file.settings().ok()?;
    let id = |s: &StrategySettings| if s.id.is_empty() { s.plugin.clone() } else { s.id.clone() };
    let index = ours.strategy.iter().position(|s| s.plugin == strategy.plugin && id(s) == id(strategy))?;
    if let Some(param) = key.strip_prefix("params.") {
        if ours.strategy[index].params.get(param) != strategy.params.get(param) {
            return None;
        }
    }
    file.origin_of(&format!("strategy.{index}.{key}"))
}

/// Checks names and values; the complaint comes with the parameter it is about, where there is one.
pub(crate) fn check_params(entry: &Entry, values: &ParamValues) -> Result<(), (Option<String>, Failure)> {
    let names = param_names(entry);
    if let Some(name) = values.keys().find(|name| !names.contains(&name.as_str())) {
        return Err((Some(name.clone()), unknown_param(entry, name)));
    }
    let own = (entry.specs)();
    let (ours, sizers): (Vec<_>, Vec<_>) =
        values.iter().partition(|(name, _)| own.iter().any(|s| s.name == name.as_str()));
    if let [(a, _), (b, _), ..] = sizers[..] {
        let text = format!("strategy {}: {a} and {b} both say how much to trade; give one", entry.name);
        return Err((Some(b.clone()), Failure::bad(text)));
    }
    for (name, value) in sizers {
        if !Decimal::parse(value.trim().as_bytes()).is_ok_and(Decimal::is_positive) {
            let text = format!("strategy {}: parameter {name} = {value:?}: write a number above zero", entry.name);
            return Err((Some(name.clone()), Failure::bad(text)));
        }
    }
    let ours: ParamValues = ours.into_iter().map(|(n, v)| (n.clone(), v.clone())).collect();
    match (entry.make)(&ours) {
        Ok(_) => Ok(()),
        Err(error) => {
            let name = if let ParamError::Value { name, .. } = &error { Some(name.clone()) } else { None };
            let failure = Failure::bad(format!("strategy {}: {error}", entry.name));
            Err((name, failure.help(format!("`bellwether strategy params {}` shows what it takes", entry.name))))
        }
    }
}

/// A parameter that the strategy does not have.
pub(crate) fn unknown_param(entry: &Entry, name: &str) -> Failure {
    let names = param_names(entry);
    let advice = match suggest(name, names.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("there are: {}", names.join(", ")),
    };
    Failure::bad(format!("strategy {} has no parameter {name:?}; {advice}", entry.name))
        .help(format!("`bellwether strategy params {}` shows what it takes", entry.name))
}
