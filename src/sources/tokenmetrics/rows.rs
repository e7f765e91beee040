//! Rows of the provider as signals and features.
//!
//! Both versions have one envelope; field names differ in case only, so they are read in lower case. Numbers may come as
//! numbers or text. Tickers are not unique: rows are known by `token_id`.

use std::collections::BTreeMap;

use bellwether_sdk::Ts;
use serde_json::{Map, Value};

use crate::data::news::{DirectionForm, FeatureForm, Line, Scalar, SignalForm};
use crate::sources::api::ApiError;

pub use crate::config::TOKEN_METRICS as ENDPOINTS;

/// What is asked for its words: stored for people, and no signal.
pub const REPORTS: &str = "ai-reports";

/// What is of indices, which have a ticker or an id instead of a token.
const INDICES: [&str; 2] = ["indices", "indices-performance"];

/// Most levels of one row that become features: the newest.
const LEVELS_MAX: usize = 16;

/// Most days of one request.
const DAYS_MAX: i64 = 29;

/// Fields that are numbers and say nothing.
const NO_FEATURES: [&str; 3] = ["token_id", "id", "page"];

/// Nanoseconds of a day.
const DAY_NS: i64 = 86_400_000_000_000;

/// The rows of an answer, their names in lower case.
///
/// # Errors
/// [`ApiError::Form`] for what is no such answer, [`ApiError::Later`] for one that says it failed.
pub fn rows(body: &str) -> Result<Vec<Map<String, Value>>, ApiError> {
    let value: Value = serde_json::from_str(body).map_err(|e| ApiError::Form(e.to_string()))?;
    if value["success"] == Value::Bool(false) {
        let said = value["message"].as_str().unwrap_or("no message");
        return Err(ApiError::Later(format!("it says that it failed: {said}"), None));
    }
    let data = value["data"].as_array().ok_or_else(|| ApiError::Form("no list `data`".to_owned()))?;
    let lower = |row: &Map<String, Value>| row.iter().map(|(k, v)| (k.to_ascii_lowercase(), v.clone())).collect();
    data.iter()
        .map(|row| row.as_object().map(lower).ok_or_else(|| ApiError::Form("a row is no object".to_owned())))
        .collect()
}

/// A row's signal, if it has one, and its numbers as features named `tokenmetrics.ENDPOINT.FIELD`, those of an index
/// `tokenmetrics.indices.TICKER.FIELD`. A list of levels is its newest ones, `level_1` being the newest. Rows of tokens that
/// nobody named give nothing. `instruments` is by token id.
///
/// # Errors
/// [`ApiError::Form`] when a row of signals has no readable one: the provider may have changed its fields.
pub fn lines(
    endpoint: &str,
    row: &Map<String, Value>,
    instruments: &BTreeMap<String, String>,
) -> Result<Vec<Line>, ApiError> {
    let token = row.get("token_id").and_then(text);
    let instrument = match &token {
        Some(id) => match instruments.get(id) {
            Some(name) => Some(name.clone()),
            None => return Ok(Vec::new()),
        },
        None => None,
    };
    let made = ["timestamp", "date", "datetime"].iter().find_map(|name| row.get(*name).and_then(text));
    let made = made.map(|t| Scalar::Text(t.replacen(' ', "T", 1)));
    let mut all = Vec::new();
    if endpoint.ends_with("trading-signals") {
        let (Some(instrument), Some(token), Some(at)) = (&instrument, &token, &made) else {
            return Err(ApiError::Form("a signal without token_id or date".to_owned()));
        };
        let direction = direction(row).ok_or_else(|| ApiError::Form("a signal is neither 1, 0 nor -1".to_owned()))?;
        let id = format!("{endpoint}-{token}-{}-{direction:?}", at.text());
        all.push(Line::Signal(Box::new(signal(id, instrument, direction, at.clone()))));
    }
    let of = match INDICES.contains(&endpoint) {
        true => format!("{endpoint}.{}", index_of(row)?),
        false => endpoint.to_owned(),
    };
    let mut tell = |name: &str, number: String| {
        all.push(Line::Feature(FeatureForm {
            schema_version: 1,
            feature: format!("tokenmetrics.{of}.{name}"),
            source: "tokenmetrics".to_owned(),
            instrument: instrument.clone(),
            value: Scalar::Text(number),
            made: made.clone(),
            received: None,
        }));
    };
    for (name, value) in row.iter().filter(|(name, _)| !NO_FEATURES.contains(&name.as_str())) {
        if let Some(number) = number(value) {
            tell(name, number);
        }
        for (n, level) in levels(value).into_iter().enumerate() {
            tell(&format!("level_{}", n + 1), level);
        }
    }
    Ok(all)
}

/// What an index is called in the names of its features: its ticker, or its id.
fn index_of(row: &Map<String, Value>) -> Result<String, ApiError> {
    let name = ["ticker", "id", "name"].iter().find_map(|field| row.get(*field).and_then(text));
    let name = name.ok_or_else(|| ApiError::Form("an index without ticker and id".to_owned()))?;
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { '_' };
    Ok(name.chars().take(40).map(plain).collect())
}

/// The levels in a list of `{date, level}`, the newest first; nothing where it is no such list.
fn levels(value: &Value) -> Vec<String> {
    let read = |row: &Value| {
        let field = |name: &str| row.as_object()?.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v);
        Some((field("date").and_then(text).unwrap_or_default(), field("level").and_then(number)?))
    };
    let mut all: Vec<(String, String)> = value.as_array().into_iter().flatten().filter_map(read).collect();
    // Dates of one form sort as texts do; a list without dates stays as it came.
    all.sort_by(|(a, _), (b, _)| b.cmp(a));
    all.into_iter().take(LEVELS_MAX).map(|(_, level)| level).collect()
}

fn number(value: &Value) -> Option<String> {
    text(value).filter(|t| t.parse::<f64>().is_ok_and(f64::is_finite))
}

/// A date range in pieces that the provider takes, without gap or overlap: first and last day of each.
pub fn pieces(from: Ts, to: Ts) -> Vec<(String, String)> {
    let day = |n: i64| {
        let stamp = jiff::Timestamp::from_nanosecond(i128::from(n) * i128::from(DAY_NS)).unwrap_or_default();
        stamp.strftime("%F").to_string()
    };
    let (mut first, end) = (from.nanos().div_euclid(DAY_NS), to.nanos().div_euclid(DAY_NS));
    let mut all = Vec::new();
    while first <= end {
        let last = (first + DAYS_MAX - 1).min(end);
        all.push((day(first), day(last)));
        first = last + 1;
    }
    all
}

/// How long after its date a row could be known, seconds: when the day or hour that it names is over.
pub fn delay_s(endpoint: &str) -> u64 {
    if endpoint.starts_with("hourly") { 3_600 } else { 86_400 }
}

fn direction(row: &Map<String, Value>) -> Option<DirectionForm> {
    let word = ["trading_signal", "position", "signal"].iter().find_map(|name| row.get(*name).and_then(text))?;
    match word.parse::<f64>().ok()? {
        1.0 => Some(DirectionForm::Long),
        0.0 => Some(DirectionForm::Flat),
        -1.0 => Some(DirectionForm::Short),
        _ => None,
    }
}

fn signal(id: String, instrument: &str, direction: DirectionForm, made: Scalar) -> SignalForm {
    SignalForm {
        schema_version: 1,
        id,
        source: "tokenmetrics".to_owned(),
        instrument: instrument.to_owned(),
        direction,
        strength: Scalar::Number(1.into()),
        confidence: Scalar::Number(1.into()),
        horizon_s: None,
        expiry: None,
        qty: None,
        notional: None,
        equity_pct: None,
        entry: None,
        stop: None,
        trailing_pct: None,
        targets: Vec::new(),
        tags: vec!["tokenmetrics".to_owned()],
        reason: String::new(),
        made: Some(made),
        received: None,
    }
}

/// A number or text as text; `None` for everything else and for nothing.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(endpoint: &str, body: &str) -> Result<Vec<Line>, ApiError> {
        let instruments = BTreeMap::from([("3375".to_owned(), "binance:BTC/USDT".to_owned())]);
        let mut all = Vec::new();
        for row in rows(body)? {
            all.extend(lines(endpoint, &row, &instruments)?);
        }
        Ok(all)
    }

    const V2: &str = r#"{"success":true,"message":"ok","length":1,"data":[{"TOKEN_ID":3375,"TOKEN_SYMBOL":"BTC","DATE":"2025-01-15","TRADING_SIGNAL":1,"TM_TRADER_GRADE":81.2}]}"#;

    #[test]
    fn both_versions_read_the_same() {
        let v3 = r#"{"success":true,"data":[{"token_id":"3375","token_symbol":"BTC","date":"2025-01-15","trading_signal":"1","tm_trader_grade":"81.2"}]}"#;
        let read = |body| read("trading-signals", body).expect("lines");
        assert_eq!(read(V2), read(v3));
        let Line::Signal(signal) = &read(V2)[0] else { panic!("a signal comes first") };
        assert_eq!((signal.direction, signal.instrument.as_str()), (DirectionForm::Long, "binance:BTC/USDT"));
        let Line::Feature(grade) = &read(V2)[1] else { panic!("a grade comes next") };
        assert_eq!(
            (grade.feature.as_str(), grade.value.text()),
            ("tokenmetrics.trading-signals.tm_trader_grade", "81.2".to_owned())
        );
    }

    #[test]
    fn an_hour_has_its_time_and_the_market_has_no_token() {
        let hourly = r#"{"success":true,"data":[{"TOKEN_ID":3375,"TIMESTAMP":"2025-01-15 13:00:00","CLOSE":96000.12,"SIGNAL":"-1","POSITION":"-1"}]}"#;
        let all = read("hourly-trading-signals", hourly).expect("lines");
        let at = all[0].when().expect("times").made;
        assert_eq!(at, crate::config::parse_time("2025-01-15T13:00:00Z").expect("a time"));
        let market = r#"{"success":true,"data":[{"DATE":"2025-01-15","TOTAL_CRYPTO_MCAP":3300000000000.0}]}"#;
        let all = read("market-metrics", market).expect("lines");
        assert_eq!((all.len(), all[0].instrument()), (1, None));
    }

    #[test]
    fn features_of_two_endpoints_indices_or_levels_have_names_of_their_own() {
        let names = |endpoint: &str, body: &str| -> Vec<String> {
            let of = |line: Line| match line {
                Line::Feature(f) => format!("{} {}", f.feature, f.value.text()),
                Line::Signal(s) => s.id,
            };
            read(endpoint, body).expect("lines").into_iter().map(of).collect()
        };
        let bar = r#"{"success":true,"data":[{"TOKEN_ID":3375,"TIMESTAMP":"2025-01-15 13:00:00","CLOSE":9.5}]}"#;
        assert_eq!(names("hourly-ohlcv", bar), ["tokenmetrics.hourly-ohlcv.close 9.5"]);
        assert_eq!(names("daily-ohlcv", bar), ["tokenmetrics.daily-ohlcv.close 9.5"]);
        let two =
            r#"{"success":true,"data":[{"ID":1,"TICKER":"TM 100","PRICE":100},{"ID":2,"TICKER":"","PRICE":"7"}]}"#;
        assert_eq!(names("indices", two), ["tokenmetrics.indices.tm_100.price 100", "tokenmetrics.indices.2.price 7"]);
        let levels = r#"{"success":true,"data":[{"TOKEN_ID":3375,"HISTORICAL_RESISTANCE_SUPPORT_LEVELS":[{"date":"2024-01-02","level":44.5},{"date":"2025-03-01","level":"61"},{"x":1}]}]}"#;
        let expected = ["tokenmetrics.resistance-support.level_1 61", "tokenmetrics.resistance-support.level_2 44.5"];
        assert_eq!(names("resistance-support", levels), expected);
    }

    #[test]
    fn nothing_is_no_error_and_failure_and_change_are() {
        assert_eq!(read("trading-signals", r#"{"success":true,"data":[]}"#), Ok(Vec::new()));
        let other = r#"{"success":true,"data":[{"TOKEN_ID":1,"DATE":"2025-01-15","TRADING_SIGNAL":1}]}"#;
        assert_eq!(read("trading-signals", other), Ok(Vec::new()), "a token that nobody named");
        assert!(
            matches!(read("x", r#"{"success":false,"message":"no credits"}"#), Err(ApiError::Later(why, _)) if why.contains("no credits"))
        );
        assert!(matches!(read("x", "<html>"), Err(ApiError::Form(_))));
        assert!(matches!(read("x", r#"{"success":true,"rows":[]}"#), Err(ApiError::Form(_))));
        let changed = V2.replace("TRADING_SIGNAL", "SIGNAL_NEW");
        assert!(matches!(read("trading-signals", &changed), Err(ApiError::Form(_))));
        assert!(matches!(read("trading-signals", &V2.replace("\":1,\"TM", "\":7,\"TM")), Err(ApiError::Form(_))));
    }

    #[test]
    fn a_range_is_cut_without_gap_or_overlap() {
        let at = |text: &str| crate::config::parse_time(text).expect("a time");
        let all = pieces(at("2024-01-01"), at("2024-02-10"));
        let wanted = [("2024-01-01", "2024-01-29"), ("2024-01-30", "2024-02-10")];
        assert_eq!(all, wanted.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
