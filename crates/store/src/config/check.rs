//! What the types of the settings cannot hold: versions, names, ranges, values that must go together.
//!
//! Strategies and their parameters are checked where the registry is known.

use bellwether_sdk::Decimal;

use super::{ConfigError, Settings, SourceSettings, TOKEN_METRICS, parse_time, suggest};

/// The fill profiles there are.
pub const FILL_PROFILES: [&str; 6] = ["next-open@1", "close@1", "ohlc-path@1", "trade@1", "quote@1", "book@1"];

const TICK_KINDS: [&str; 3] = ["trades", "quotes", "depth"];

/// Checks the settings as a whole.
///
/// # Errors
/// [`ConfigError::Conflict`] with the path of the first key that is wrong.
pub fn check(settings: &Settings) -> Result<(), ConfigError> {
    let wrong = |key: &str, why: String| Err(ConfigError::Conflict { key: key.to_owned(), why });
    if settings.version != 1 {
        return wrong("version", format!("found {}; this program reads version 1", settings.version));
    }
    if let Err(why) = parse_cash(&settings.account.cash) {
        return wrong("account.cash", why);
    }
    if let Some((index, field, why)) = super::keys::wrong(&settings.key) {
        return wrong(&format!("key.{index}.{field}"), why);
    }
    check_names(settings)?;
    check_times(settings)?;
    check_numbers(settings)?;
    check_strategies(settings)
}

fn check_names(settings: &Settings) -> Result<(), ConfigError> {
    let unknown = |key: &str, word: &str, words: &[&str]| {
        let advice = match suggest(word, words.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("there are: {}", words.join(", ")),
        };
        Err(ConfigError::Conflict { key: key.to_owned(), why: format!("unknown {word:?}; {advice}") })
    };
    if let Some(kind) = settings.backtest.kinds.iter().find(|k| !TICK_KINDS.contains(&k.as_str())) {
        return unknown("backtest.kinds", kind, &TICK_KINDS);
    }
    for (name, source) in &settings.source {
        if let SourceSettings::TokenMetrics(source) = source
            && let Some(word) = source.endpoints.iter().find(|e| !TOKEN_METRICS.contains(&e.as_str()))
        {
            // Asking for what is not there costs a call.
            return unknown(&format!("source.{name}.endpoints"), word, &TOKEN_METRICS);
        }
    }
    match &settings.sim.fill_profile {
        Some(profile) if !FILL_PROFILES.contains(&profile.as_str()) => {
            unknown("sim.fill_profile", profile, &FILL_PROFILES)
        }
        _ => Ok(()),
    }
}

fn check_times(settings: &Settings) -> Result<(), ConfigError> {
    let read = |key: &str, text: &Option<String>| {
        let conflict = |why| ConfigError::Conflict { key: key.to_owned(), why };
        text.as_deref().map(parse_time).transpose().map_err(conflict)
    };
    let from = read("backtest.from", &settings.backtest.from)?;
    let to = read("backtest.to", &settings.backtest.to)?;
    match (from, to) {
        (Some(from), Some(to)) if from >= to => Err(ConfigError::Conflict {
            key: "backtest.to".to_owned(),
            why: format!(
                "the range from {} to {} is empty; --to (exclusive) must be after --from",
                settings.backtest.from.as_deref().unwrap_or_default(),
                settings.backtest.to.as_deref().unwrap_or_default()
            ),
        }),
        _ => Ok(()),
    }
}

fn check_numbers(settings: &Settings) -> Result<(), ConfigError> {
    let (account, sim, risk) = (&settings.account, &settings.sim, &settings.risk);
    // Percentages and factors: the doubles compare, the decimals are kept.
    let ranges = [
        ("account.leverage_max", Some(account.leverage_max), 0.01, 1000.0),
        ("account.maintenance_pct", Some(account.maintenance_pct), 0.0, 100.0),
        ("sim.maker_bps", sim.maker_bps, -1000.0, 10_000.0),
        ("sim.taker_bps", sim.taker_bps, -1000.0, 10_000.0),
        ("risk.order_notional_max", risk.order_notional_max, 0.0, f64::INFINITY),
        ("risk.position_notional_max", risk.position_notional_max, 0.0, f64::INFINITY),
    ];
    let limits = [
        ("risk.position_qty_max", risk.position_qty_max),
        ("risk.leverage_max", risk.leverage_max),
        ("risk.total_notional_max", risk.total_notional_max),
        ("risk.total_leverage_max", risk.total_leverage_max),
        ("risk.daily_loss_max", risk.daily_loss_max),
        ("risk.price_gap_bps_max", risk.price_gap_bps_max),
        ("risk.price_collar_bps_max", risk.price_collar_bps_max),
    ];
    let limits = limits.map(|(key, value)| (key, value, 0.0, f64::INFINITY));
    let drawdown = ("risk.drawdown_pct_max", risk.drawdown_pct_max, 0.01, 100.0);
    for (key, value, low, high) in ranges.into_iter().chain(limits).chain([drawdown]) {
        let Some(value) = value else { continue };
        if !(low..=high).contains(&value.to_f64()) {
            let why = format!("found {value}; must be from {low} to {high}");
            return Err(ConfigError::Conflict { key: key.to_owned(), why });
        }
    }
    Ok(())
}

fn check_strategies(settings: &Settings) -> Result<(), ConfigError> {
    for (index, strategy) in settings.strategy.iter().enumerate() {
        let wrong =
            |name: &str, why: String| Err(ConfigError::Conflict { key: format!("strategy.{index}.{name}"), why });
        if strategy.plugin.is_empty() {
            return wrong("plugin", "is empty; name a strategy (`bellwether strategy list` shows them)".to_owned());
        }
        let id = |i: usize| settings.strategy[i].name();
        // One without an id is called as its plugin calls itself, which may be a file that nobody has read yet.
        if !strategy.id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-') {
            return wrong("id", format!("found {:?}; write letters, digits, _ and -", strategy.id));
        }
        if let Some(other) = (0..index).find(|other| id(*other) == id(index)) {
            let why = format!(
                "strategies {} and {} are both called {:?}; give each its own id",
                other + 1,
                index + 1,
                id(index)
            );
            return wrong(if strategy.id.is_empty() { "plugin" } else { "id" }, why);
        }
    }
    Ok(())
}

/// Reads `10000USDT`, `10000 USDT` or `10000` into amount and currency.
///
/// # Errors
/// What was found and what to write.
pub fn parse_cash(text: &str) -> Result<(Decimal, Option<String>), String> {
    let wrong = |why: &str| format!("{text:?} is not an amount of cash: {why}; write 10000 or 10000USDT");
    let text_trimmed = text.trim();
    let below = text_trimmed.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if below {
        return Err(wrong("it must be above zero"));
    }
    let digits = text_trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text_trimmed.len());
    let (number, code) = (&text_trimmed[..digits], text_trimmed[digits..].trim());
    if number.is_empty() {
        return Err(wrong("it begins with no digit"));
    }
    let amount = Decimal::parse(number.as_bytes()).map_err(|e| wrong(&e.to_string()))?;
    if !amount.is_positive() {
        return Err(wrong("it must be above zero"));
    }
    if !code.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) {
        return Err(wrong("a currency is upper-case letters"));
    }
    Ok((amount, Some(code.to_owned()).filter(|c| !c.is_empty())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cash_reads_with_and_without_its_currency() {
        let read = |text: &str| parse_cash(text).map(|(n, c)| (n.to_string(), c));
        assert_eq!(read("10000USDT"), Ok(("10000".to_owned(), Some("USDT".to_owned()))));
        assert_eq!(read("0.5 BTC"), Ok(("0.5".to_owned(), Some("BTC".to_owned()))));
        assert_eq!(read("10000"), Ok(("10000".to_owned(), None)));
        for text in ["", "USDT", "0", "-5USDT", "5 usdt", "1.2.3"] {
            assert!(parse_cash(text).is_err(), "{text}");
        }
        assert!(parse_cash("-5").is_err_and(|e| e.contains("it must be above zero")));
    }

    #[test]
    fn an_empty_range_and_an_unknown_profile_are_refused() {
        let mut settings = Settings::default();
        settings.backtest.from = Some("2024-02-01".to_owned());
        settings.backtest.to = Some("2024-01-01".to_owned());
        assert!(check(&settings).expect_err("an empty range").to_string().starts_with("backtest.to: "));
        let mut settings = Settings::default();
        settings.sim.fill_profile = Some("next-opn@1".to_owned());
        let text = check(&settings).expect_err("unknown").to_string();
        assert_eq!(text, r#"sim.fill_profile: unknown "next-opn@1"; did you mean "next-open@1"?"#);
    }

    #[test]
    fn two_strategies_of_one_name_are_refused() {
        let strategy = vec![super::super::StrategySettings { plugin: "a".to_owned(), ..Default::default() }; 2];
        let settings = Settings { strategy, ..Settings::default() };
        assert!(check(&settings).expect_err("same names").to_string().contains("both called \"a\""));
    }
}
