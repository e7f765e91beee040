//! The layers: built-in defaults, then a file, then the environment, then flags.

use std::path::Path;

use config::{Config, File, FileFormat, Value};

use super::file::plain;
use super::shape::{Shape, known_paths};
use super::{ConfigError, Origin, Settings, SettingsFile, check, suggest};

/// What the names of environment variables that set settings begin with; `BELLWETHER__SIM__LATENCY_MS` is
/// `sim.latency_ms`.
pub const ENV_PREFIX: &str = "BELLWETHER__";
/// The environment variable that names the settings file when no flag does.
pub const ENV_CONFIG: &str = "BELLWETHER_CONFIG";

/// One setting given as text, outside of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Where it was given.
    pub origin: Origin,
    /// The dotted path, e.g. `sim.latency_ms`.
    pub path: String,
    /// The value as text; lists by commas.
    pub text: String,
}

/// Settings with the file they partly came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// All layers together.
    pub settings: Settings,
    /// The file, for the places of its keys.
    pub file: Option<SettingsFile>,
}

/// The settings among environment variables, in order of their names.
pub fn env_overrides(vars: impl IntoIterator<Item = (String, String)>) -> Vec<Override> {
    let mut found: Vec<Override> = vars
        .into_iter()
        .filter_map(|(name, text)| {
            let path = name.strip_prefix(ENV_PREFIX)?.to_ascii_lowercase().replace("__", ".");
            Some(Override { origin: Origin::Env(name), path, text })
        })
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Reads the file, if any, and lays the overrides over it in order. File and result are checked.
///
/// # Errors
/// [`ConfigError`], with file and line, variable or flag.
pub fn load(path: Option<&Path>, overrides: &[Override]) -> Result<Loaded, ConfigError> {
    let file = path.map(SettingsFile::read).transpose()?;
    if let Some(file) = &file {
        check(&file.settings()?).map_err(|e| place(e, file))?;
    }
    let shape = Shape::settings();
    let typed =
        overrides.iter().map(|o| typed(o, &shape).map(|value| (o, value))).collect::<Result<Vec<_>, ConfigError>>()?;
    let settings = match layered(file.as_ref(), &typed) {
        Ok(settings) => settings,
        Err(error) => return Err(culprit(file.as_ref(), &typed, &error)),
    };
    check(&settings).map_err(|e| blame(file.as_ref(), &typed, e))?;
    Ok(Loaded { settings, file })
}

/// Names the override that made right settings wrong: the last one before which they were right.
fn blame(file: Option<&SettingsFile>, typed: &[(&Override, Value)], error: ConfigError) -> ConfigError {
    let is_right = |before: usize| layered(file, &typed[..before]).is_ok_and(|settings| check(&settings).is_ok());
    match ((0..typed.len()).rev().find(|i| is_right(*i)).map(|i| typed[i].0), error) {
        (Some(o), ConfigError::Conflict { key, why }) => ConfigError::Value { origin: o.origin.clone(), key, why },
        (_, other) => other,
    }
}

/// Gives a complaint about a value the place where the file sets it.
fn place(error: ConfigError, file: &SettingsFile) -> ConfigError {
    match error {
        ConfigError::Conflict { key, why } => match file.origin_of(&key) {
            Some(origin) => ConfigError::Value { origin, key, why },
            None => ConfigError::Value { origin: Origin::File { path: file.path().to_owned(), line: None }, key, why },
        },
        other => other,
    }
}

fn layered(file: Option<&SettingsFile>, typed: &[(&Override, Value)]) -> Result<Settings, config::ConfigError> {
    let mut builder = Config::builder();
    if let Some(file) = file {
        builder = builder.add_source(File::from_str(file.text(), FileFormat::Toml));
    }
    for (o, value) in typed {
        builder = builder.set_override(&o.path, value.clone())?;
    }
    builder.build()?.try_deserialize()
}

/// The first override without which the settings were right.
fn culprit(file: Option<&SettingsFile>, typed: &[(&Override, Value)], error: &config::ConfigError) -> ConfigError {
    let guilty = (0..typed.len()).find(|i| layered(file, &typed[..=*i]).is_err());
    let why = plain(&bare(error));
    match guilty.map(|i| typed[i].0) {
        Some(o) => ConfigError::Value { origin: o.origin.clone(), key: o.path.clone(), why },
        None => ConfigError::Conflict { key: "settings".to_owned(), why },
    }
}

/// The cause alone; the path is said by us.
fn bare(error: &config::ConfigError) -> String {
    match error {
        config::ConfigError::At { error, .. } => bare(error),
        config::ConfigError::Message(text) => text.clone(),
        other => other.to_string(),
    }
}

fn typed(o: &Override, shape: &Shape) -> Result<Value, ConfigError> {
    let wrong = |why: String| ConfigError::Value { origin: o.origin.clone(), key: o.path.clone(), why };
    if o.path == "strategy" || o.path.starts_with("strategy.") {
        return Err(wrong("strategies are set in a file or with --set strategy.NAME=VALUE".to_owned()));
    }
    let place = shape.at(&o.path).map_err(|_| unknown(o))?;
    let text = o.text.trim();
    match place {
        Shape::Bool => match text {
            "true" | "false" => Ok(Value::from(text == "true")),
            _ => Err(wrong(format!("found {text:?}; write true or false"))),
        },
        Shape::Whole => text
            .parse::<u64>()
            .map(Value::from)
            .map_err(|_| wrong(format!("found {text:?}; write a whole number, 0 or more"))),
        Shape::Text => Ok(Value::from(text)),
        Shape::List(_) => Ok(Value::from(
            text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(Value::from).collect::<Vec<_>>(),
        )),
        Shape::Table(keys) => {
            let keys: Vec<_> = keys.keys().map(|k| format!("{}.{k}", o.path)).collect();
            Err(wrong(format!("is a section; set one of {}", keys.join(", "))))
        }
        Shape::Open => Err(wrong("cannot be set from here; use a file".to_owned())),
    }
}

fn unknown(o: &Override) -> ConfigError {
    let paths = known_paths();
    let shown = |path: &str| match &o.origin {
        Origin::Env(_) => format!("{ENV_PREFIX}{}", path.to_ascii_uppercase().replace('.', "__")),
        _ => path.to_owned(),
    };
    // The last word alone decides when the section was right or left out.
    let last = |p: &str| p.rsplit('.').next().unwrap_or_default().to_owned();
    let near = suggest(&o.path, paths.iter().map(String::as_str)).map(str::to_owned).or_else(|| {
        let words: Vec<String> = paths.iter().map(|p| last(p)).collect();
        let word = suggest(&last(&o.path), words.iter().map(String::as_str))?.to_owned();
        paths.iter().find(|p| last(p) == word).cloned()
    });
    ConfigError::UnknownKey {
        origin: o.origin.clone(),
        key: shown(&o.path),
        suggestion: near.map(|path| shown(&path)),
        known: paths.iter().map(|p| shown(p)).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str, value: &str) -> Vec<Override> {
        env_overrides([(name.to_owned(), value.to_owned())])
    }

    fn flag(path: &str, text: &str) -> Override {
        Override { origin: Origin::Flag(format!("--set {path}={text}")), path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn later_layers_win() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.toml");
        std::fs::write(&path, "[sim]\nlatency_ms = 5\ntaker_bps = 7.5\n[data]\ndir = \"d\"\n").expect("written");
        let mut overrides = env("BELLWETHER__SIM__LATENCY_MS", "6");
        overrides.push(flag("sim.latency_ms", "7"));
        overrides.push(flag("backtest.instruments", "binance:BTC/USDT, binance:ETH/USDT"));
        overrides.push(flag("account.cash", "5000"));
        let settings = load(Some(&path), &overrides).expect("settings").settings;
        assert_eq!(settings.sim.latency_ms, 7);
        assert_eq!(settings.sim.taker_bps.expect("set").to_string(), "7.5");
        assert_eq!(settings.data.dir, Path::new("d"));
        assert_eq!(settings.backtest.instruments.len(), 2);
        assert_eq!(settings.account.cash, "5000");
    }

    #[test]
    fn no_file_and_no_override_are_the_defaults() {
        assert_eq!(load(None, &[]).expect("settings").settings, Settings::default());
    }

    #[test]
    fn a_wrong_variable_is_named_with_the_right_one() {
        let text = load(None, &env("BELLWETHER__SIM__LATNCY_MS", "6")).expect_err("unknown").to_string();
        assert_eq!(
            text,
            "reading the environment variable BELLWETHER__SIM__LATNCY_MS: unknown key \"BELLWETHER__SIM__LATNCY_MS\"; \
             did you mean \"BELLWETHER__SIM__LATENCY_MS\"?"
        );
        let text = load(None, &env("BELLWETHER__SIM__LATENCY_MS", "soon")).expect_err("no number").to_string();
        assert!(text.ends_with("sim.latency_ms: found \"soon\"; write a whole number, 0 or more"), "{text}");
    }

    #[test]
    fn the_override_that_breaks_the_settings_is_the_one_named() {
        let overrides = [flag("sim.latency_ms", "7"), flag("backtest.interval", "1y")];
        let text = load(None, &overrides).expect_err("no interval").to_string();
        assert!(text.starts_with("reading --set backtest.interval=1y: backtest.interval: \"1y\" is not an"), "{text}");
    }

    #[test]
    fn a_variable_out_of_range_is_named() {
        let text = load(None, &env("BELLWETHER__BACKTEST__FROM", "soon")).expect_err("no time").to_string();
        let name = "reading the environment variable BELLWETHER__BACKTEST__FROM: backtest.from: \"soon\"";
        assert!(text.starts_with(name), "{text}");
        // It is the flag that ends before the variable's begin; what came right afterwards is not blamed.
        let mut overrides = env("BELLWETHER__BACKTEST__FROM", "2024-02-01");
        overrides.insert(0, flag("account.cash", "none"));
        overrides.extend([
            flag("account.cash", "5000"),
            flag("backtest.to", "2024-01-01"),
            flag("sim.latency_ms", "5"),
        ]);
        let text = load(None, &overrides).expect_err("an empty range").to_string();
        assert!(text.starts_with("reading --set backtest.to=2024-01-01: backtest.to: the range from"), "{text}");
    }

    #[test]
    fn alternatives_can_be_set_key_by_key() {
        let overrides = [flag("sim.slippage.model", "ticks"), flag("sim.slippage.ticks", "2")];
        let settings = load(None, &overrides).expect("settings").settings;
        assert_eq!(settings.sim.slippage, super::super::Slippage::Ticks { ticks: 2 });
    }

    #[test]
    fn a_file_value_out_of_range_is_named_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.toml");
        std::fs::write(&path, "version = 1\n[backtest]\nfrom = \"soon\"\n").expect("written");
        let text = load(Some(&path), &[]).expect_err("no time").to_string();
        assert!(text.contains("x.toml:3: backtest.from: \"soon\" is not a time"), "{text}");
    }
}
