//! The JSON form of a signal and of a feature, version 1.

use bellwether_sdk::{Decimal, Direction, Instrument, Price, Rate, Signal, SizeHint, Tag, Trail, Ts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{FormError, shown};
use crate::config::parse_time;
use crate::signal::Body;

/// Longest id, and longest tag.
const WORD_MAX: usize = 128;
/// What the names of features begin with that a session tells itself: nobody else may.
const OWN_FEATURES: &str = "feed.";
/// Longest reason.
const REASON_MAX: usize = 1_000;
/// Most targets, and most tags.
const LIST_MAX: usize = 8;

/// A number or its text; exact numbers travel as text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a number or text")]
pub enum Scalar {
    /// Text.
    Text(String),
    /// A number.
    Number(#[schemars(with = "f64")] serde_json::Number),
}

impl Scalar {
    /// Its text.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.trim().to_owned(),
            Self::Number(number) => number.to_string(),
        }
    }
}

impl From<String> for Scalar {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Where to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DirectionForm {
    /// Own it.
    #[serde(alias = "buy", alias = "bullish", alias = "Long", alias = "LONG", alias = "BUY")]
    Long,
    /// Owe it.
    #[serde(alias = "sell", alias = "bearish", alias = "Short", alias = "SHORT", alias = "SELL")]
    Short,
    /// Neither.
    #[serde(alias = "close", alias = "exit", alias = "neutral", alias = "Flat", alias = "FLAT")]
    Flat,
}

/// A signal as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalForm {
    /// Version of this form; 1.
    #[serde(default = "one")]
    pub schema_version: u32,
    /// The source's id of this message. A signal acts once per source and id. Made of the content where absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Who made it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// `venue:BASE/QUOTE[:SETTLE]`.
    pub instrument: String,
    /// `long`, `short` or `flat` (also `buy`, `sell`, `close`).
    pub direction: DirectionForm,
    /// How strong, 0 to 1.
    #[serde(default = "whole")]
    pub strength: Scalar,
    /// How sure, 0 to 1.
    #[serde(default = "whole")]
    pub confidence: Scalar,
    /// For how many seconds it is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_s: Option<Scalar>,
    /// From when on it must not be acted on: RFC 3339 or a Unix time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Scalar>,
    /// A quantity of base; at most one of `qty`, `notional`, `equity_pct`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qty: Option<Scalar>,
    /// A value in quote currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notional: Option<Scalar>,
    /// Per cent of the equity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equity_pct: Option<Scalar>,
    /// Limit price of the entry; at market where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Scalar>,
    /// Price of the protective stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Scalar>,
    /// Distance of a trailing stop, per cent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailing_pct: Option<Scalar>,
    /// Take-profit prices; the first counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Scalar>,
    /// Words for reports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Why, for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When it was made, by its source's clock: RFC 3339 or a Unix time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Scalar>,
    /// When it could be known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<Scalar>,
}

/// A number from outside the market as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureForm {
    /// Version of this form; 1.
    #[serde(default = "one")]
    pub schema_version: u32,
    /// Its name, e.g. `aleo.block_time`.
    pub feature: String,
    /// Who told it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Of which instrument; of none where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instrument: Option<String>,
    /// The number.
    pub value: Scalar,
    /// When it was made, by its source's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Scalar>,
    /// When it could be known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<Scalar>,
}

/// One line of a series: a signal or a feature.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Line {
    /// A signal.
    Signal(Box<SignalForm>),
    /// A feature.
    Feature(FeatureForm),
}

/// The times of a line: when it was made by its source's clock, and since when it can be known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// [`Ts::NONE`] where the source does not say.
    pub made: Ts,
    /// [`Ts::NONE`] where nobody says.
    pub received: Ts,
}

/// Finds an instrument of the run by its name.
pub type Find<'a> = &'a dyn Fn(&str) -> Option<Instrument>;

const fn one() -> u32 {
    1
}

fn whole() -> Scalar {
    Scalar::Number(1.into())
}

/// The JSON Schema of a line.
pub fn schema() -> Value {
    schemars::schema_for!(Line).to_value()
}

impl Line {
    /// Reads a line of JSON.
    ///
    /// # Errors
    /// [`FormError::Form`].
    pub fn parse(text: &str) -> Result<Self, FormError> {
        let value: Value = serde_json::from_str(text).map_err(|e| FormError::Form(e.to_string()))?;
        Self::from_value(value)
    }

    /// Reads a JSON value.
    ///
    /// # Errors
    /// [`FormError::Form`].
    pub fn from_value(value: Value) -> Result<Self, FormError> {
        let failed = |e: serde_json::Error| FormError::Form(e.to_string());
        let line = if value.get("feature").is_some() {
            Self::Feature(serde_json::from_value(value).map_err(failed)?)
        } else {
            Self::Signal(Box::new(serde_json::from_value(value).map_err(failed)?))
        };
        match line.version() {
            1 => Ok(line),
            other => Err(FormError::Form(format!("schema_version {other}; this program reads 1"))),
        }
    }

    const fn version(&self) -> u32 {
        match self {
            Self::Signal(s) => s.schema_version,
            Self::Feature(f) => f.schema_version,
        }
    }

    /// Who made it; empty where it does not say.
    pub fn source(&self) -> &str {
        match self {
            Self::Signal(s) => &s.source,
            Self::Feature(f) => &f.source,
        }
    }

    /// The instrument it names.
    pub fn instrument(&self) -> Option<&str> {
        match self {
            Self::Signal(s) => Some(&s.instrument),
            Self::Feature(f) => f.instrument.as_deref(),
        }
    }

    /// Its id: its own, or one that its content makes.
    pub fn id(&self) -> String {
        match self {
            Self::Signal(s) if !s.id.is_empty() => s.id.clone(),
            _ => {
                let text = serde_json::to_vec(self).unwrap_or_default();
                crate::data::table::hex(&sha2::Digest::finalize(sha2::Digest::chain_update(
                    <sha2::Sha256 as sha2::Digest>::new(),
                    text,
                )))
            }
        }
    }

    /// Its times.
    ///
    /// # Errors
    /// [`FormError`] when one does not read, or it is known before it is made.
    pub fn when(&self) -> Result<When, FormError> {
        let (made, received) = match self {
            Self::Signal(s) => (&s.made, &s.received),
            Self::Feature(f) => (&f.made, &f.received),
        };
        let when = When { made: time("made", made.as_ref())?, received: time("received", received.as_ref())? };
        if when.received != Ts::NONE && when.received < when.made {
            return Err(FormError::Prescient);
        }
        Ok(when)
    }

    /// The same, received at a time.
    #[must_use]
    pub fn received_at(mut self, at: Ts) -> Self {
        let text = Some(Scalar::Text(crate::data::time::iso(at.nanos())));
        match &mut self {
            Self::Signal(s) => s.received = text,
            Self::Feature(f) => f.received = text,
        }
        self
    }

    /// As the engine takes it.
    ///
    /// # Errors
    /// [`FormError`] names the field.
    pub fn body(&self, find: Find<'_>) -> Result<Body, FormError> {
        let unknown = |name: &str| FormError::Instrument(shown(name));
        match self {
            Self::Signal(form) => {
                let instrument = find(&form.instrument).ok_or_else(|| unknown(&form.instrument))?;
                Ok(Body::Signal(form.signal(&instrument, self.when()?)?))
            }
            Self::Feature(form) => {
                let of = form.instrument.as_deref().map(|name| find(name).ok_or_else(|| unknown(name))).transpose()?;
                let value = form.value.text();
                let number = value.parse::<f64>().ok().filter(|v| v.is_finite());
                let name = word("feature", &form.feature)?;
                if name.starts_with(OWN_FEATURES) {
                    return Err(wrong("feature", &name, "another name: `feed.` is what a session tells itself"));
                }
                Ok(Body::Feature {
                    name: Tag::Owned(name),
                    instrument: of.map(|i| i.id),
                    value: number.ok_or_else(|| wrong("value", &value, "a finite number"))?,
                })
            }
        }
    }
}

impl SignalForm {
    /// A signal of an instrument, as it is published.
    pub fn of(signal: &Signal, instrument: &Instrument, id: String) -> Self {
        let price = |p: Price| Scalar::Text(p.to_text(instrument.price_scale));
        let number = |v: f64| serde_json::Number::from_f64(v).map_or_else(whole, Scalar::Number);
        let at = |ts: Ts| (ts != Ts::NONE).then(|| Scalar::Text(crate::data::time::iso(ts.nanos())));
        let (mut qty, mut notional, mut equity_pct) = (None, None, None);
        match signal.size {
            Some(SizeHint::Qty(d)) => qty = Some(Scalar::Text(d.to_string())),
            Some(SizeHint::Notional(d)) => notional = Some(Scalar::Text(d.to_string())),
            Some(SizeHint::EquityPct(p)) => equity_pct = Some(number(p)),
            None => {}
        }
        Self {
            schema_version: 1,
            id,
            source: signal.source.to_string(),
            instrument: instrument.symbol.to_string(),
            direction: match signal.direction {
                Direction::Long => DirectionForm::Long,
                Direction::Short => DirectionForm::Short,
                Direction::Flat => DirectionForm::Flat,
            },
            strength: number(signal.strength),
            confidence: number(signal.confidence),
            horizon_s: signal.horizon_ns.map(|ns| Scalar::Number((ns / 1_000_000_000).into())),
            expiry: signal.expiry.and_then(at),
            qty,
            notional,
            equity_pct,
            entry: signal.entry.map(price),
            stop: signal.stop.map(price),
            trailing_pct: match signal.trailing_stop {
                Some(Trail::Fraction(rate)) => Some(Scalar::Text(pct_of(rate))),
                _ => None,
            },
            targets: signal.targets.iter().copied().map(price).collect(),
            tags: signal.tags.iter().map(ToString::to_string).collect(),
            reason: signal.reason.to_string(),
            made: at(signal.ts_made),
            received: at(signal.ts_received),
        }
    }

    /// Refuses a message that has neither an id nor a time: the same wish a week later could not be told from the same
    /// message sent twice.
    ///
    /// # Errors
    /// [`FormError::Field`].
    pub fn must_be_known_apart(&self) -> Result<(), FormError> {
        if self.id.is_empty() && self.made.is_none() {
            return Err(FormError::Field {
                field: "made",
                found: "nothing".to_owned(),
                wanted: "when it was made, or an id",
            });
        }
        Ok(())
    }

    fn signal(&self, instrument: &Instrument, when: When) -> Result<Signal, FormError> {
        let price = |field, value: &Scalar| price_of(instrument, field, value);
        let may = |field, value: &Option<Scalar>| value.as_ref().map(|v| price(field, v)).transpose();
        if self.targets.len() > LIST_MAX || self.tags.len() > LIST_MAX {
            return Err(wrong("targets, tags", "more than eight", "at most eight of each"));
        }
        if self.reason.len() > REASON_MAX {
            return Err(wrong("reason", &self.reason, "at most 1000 bytes"));
        }
        word("id", &self.id)?;
        let owned = |field, text: &String| word(field, text).map(Tag::Owned);
        Ok(Signal {
            id: 0,
            instrument: instrument.id,
            direction: match self.direction {
                DirectionForm::Long => Direction::Long,
                DirectionForm::Short => Direction::Short,
                DirectionForm::Flat => Direction::Flat,
            },
            strength: share("strength", &self.strength)?,
            confidence: share("confidence", &self.confidence)?,
            horizon_ns: self.horizon_s.as_ref().map(seconds).transpose()?,
            expiry: match time("expiry", self.expiry.as_ref())? {
                Ts::NONE => None,
                at => Some(at),
            },
            size: self.size()?,
            entry: may("entry", &self.entry)?,
            stop: may("stop", &self.stop)?,
            trailing_stop: self.trailing_pct.as_ref().map(trail).transpose()?,
            targets: self.targets.iter().map(|t| price("targets", t)).collect::<Result<_, _>>()?,
            tags: self.tags.iter().map(|t| owned("tags", t)).collect::<Result<_, _>>()?,
            reason: Tag::Owned(self.reason.chars().filter(|c| !c.is_control()).collect()),
            source: owned("source", &self.source)?,
            ts_made: when.made,
            ts_received: when.received,
        })
    }

    fn size(&self) -> Result<Option<SizeHint>, FormError> {
        let exact = |field, value: &Scalar| {
            let text = value.text();
            let number = text.parse::<Decimal>().ok().filter(|d| d.is_positive());
            number.ok_or_else(|| wrong(field, &text, "a number above zero"))
        };
        match (&self.qty, &self.notional, &self.equity_pct) {
            (None, None, None) => Ok(None),
            (Some(qty), None, None) => Ok(Some(SizeHint::Qty(exact("qty", qty)?))),
            (None, Some(notional), None) => Ok(Some(SizeHint::Notional(exact("notional", notional)?))),
            (None, None, Some(pct)) => {
                let text = pct.text();
                let pct = text.parse::<f64>().ok().filter(|p| *p > 0.0 && *p <= 10_000.0);
                Ok(Some(SizeHint::EquityPct(pct.ok_or_else(|| wrong("equity_pct", &text, "above 0, at most 10000"))?)))
            }
            _ => Err(wrong("qty, notional, equity_pct", "more than one", "one of them")),
        }
    }
}

fn wrong(field: &'static str, found: &str, wanted: &'static str) -> FormError {
    FormError::Field { field, found: shown(found), wanted }
}

fn word(field: &'static str, text: &str) -> Result<String, FormError> {
    if text.len() > WORD_MAX || text.chars().any(char::is_control) {
        return Err(wrong(field, text, "at most 128 bytes without control characters"));
    }
    Ok(text.to_owned())
}

fn share(field: &'static str, value: &Scalar) -> Result<f64, FormError> {
    let text = value.text();
    let share = text.parse::<f64>().ok().filter(|v| (0.0..=1.0).contains(v));
    share.ok_or_else(|| wrong(field, &text, "a number from 0 to 1"))
}

fn seconds(value: &Scalar) -> Result<i64, FormError> {
    let text = value.text();
    let ns = text.parse::<i64>().ok().filter(|s| *s > 0).and_then(|s| s.checked_mul(1_000_000_000));
    ns.ok_or_else(|| wrong("horizon_s", &text, "whole seconds above zero"))
}

fn time(field: &'static str, value: Option<&Scalar>) -> Result<Ts, FormError> {
    let Some(value) = value else { return Ok(Ts::NONE) };
    let text = value.text();
    parse_time(&text).map_err(|_| wrong(field, &text, "RFC 3339 (2024-01-01T12:00:00Z) or a Unix time"))
}

/// An exact price on the instrument's grid; what is finer is cut toward zero.
fn price_of(instrument: &Instrument, field: &'static str, value: &Scalar) -> Result<Price, FormError> {
    let text = value.text();
    let mantissa = text.parse::<Decimal>().ok().and_then(|d| d.at_scale_toward_zero(instrument.price_scale));
    let on_grid = mantissa.map(|m| m - m % instrument.tick.mantissa().max(1)).filter(|m| *m > 0);
    on_grid.map(Price::from_mantissa).ok_or_else(|| wrong(field, &text, "a price above zero"))
}

fn trail(value: &Scalar) -> Result<Trail, FormError> {
    let text = value.text();
    let rate = text.parse::<Decimal>().ok().and_then(|pct| Rate::from_pct(pct).ok());
    let rate = rate.filter(|r| *r > Rate::ZERO && r.to_f64() < 1.0);
    rate.map(Trail::Fraction).ok_or_else(|| wrong("trailing_pct", &text, "per cent above 0 and below 100"))
}

fn pct_of(rate: Rate) -> String {
    // Twelve digits of a fraction are ten of per cent.
    Decimal::new(rate.mantissa(), 10).normalized().to_string()
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::InstrumentId;

    use super::*;

    fn find(name: &str) -> Option<Instrument> {
        let symbol = "test:AAA/USD".parse().ok().filter(|_| name == "test:AAA/USD")?;
        Some(Instrument::inferred(InstrumentId(0), symbol, 2, 4))
    }

    fn refused(text: &str) -> String {
        Line::parse(text).and_then(|l| l.body(&find)).expect_err("a refusal").to_string()
    }

    #[test]
    fn a_whole_signal_reads_and_is_written_again_the_same() {
        let text = r#"{"schema_version":1,"id":"m-1","source":"mine","instrument":"test:AAA/USD","direction":"long",
            "strength":0.5,"confidence":0.25,"horizon_s":3600,"expiry":"2024-01-01T02:00:00Z","qty":"0.5","stop":"99.5",
            "trailing_pct":"2.5","targets":["110"],"tags":["x"],"reason":"why","made":"2024-01-01T00:00:00Z",
            "received":"2024-01-01T00:00:01Z"}"#;
        let line = Line::parse(text).expect("a line");
        let Body::Signal(signal) = line.body(&find).expect("a signal") else { panic!("no signal") };
        assert_eq!(signal.stop, Some(Price::from_mantissa(9950)));
        assert_eq!(signal.ts_received.nanos() - signal.ts_made.nanos(), 1_000_000_000);
        let instrument = find("test:AAA/USD").expect("one");
        let again = Line::Signal(Box::new(SignalForm::of(&signal, &instrument, "m-1".to_owned())));
        assert_eq!(again.body(&find), line.body(&find));
        assert_eq!(again.id(), "m-1");
    }

    #[test]
    fn a_feature_reads() {
        let line = Line::parse(r#"{"feature":"aleo.block_time","value":"3.5"}"#).expect("a line");
        let wanted = Body::Feature { name: "aleo.block_time".into(), instrument: None, value: 3.5 };
        assert_eq!(line.body(&find), Ok(wanted));
    }

    #[test]
    fn nobody_tells_in_a_sessions_place_whether_its_feed_is_stale() {
        let of = |name: &str| format!(r#"{{"feature":"{name}","instrument":"test:AAA/USD","value":0}}"#);
        let why = refused(&of(bellwether_sdk::Feature::FEED_STALE));
        assert_eq!(why, r#"feature: found "feed.stale"; write another name: `feed.` is what a session tells itself"#);
        assert!(refused(&of("feed.other")).contains("another name"));
        assert!(Line::parse(&of("feedback")).and_then(|l| l.body(&find)).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named_with_what_was_found() {
        let plain = r#"{"instrument":"test:AAA/USD","direction":"long""#;
        assert!(refused("{").contains("no JSON object"));
        assert!(refused(r#"{"instrument":"test:AAA/USD","direction":"up"}"#).contains("unknown variant `up`"));
        assert!(refused(&format!("{plain},\"stp\":1}}")).contains("unknown field `stp`"));
        assert_eq!(refused(&format!("{plain},\"strength\":2}}")), "strength: found \"2\"; write a number from 0 to 1");
        assert!(refused(&format!("{plain},\"confidence\":\"NaN\"}}")).starts_with("confidence: found \"NaN\""));
        assert!(refused(&format!("{plain},\"stop\":\"-5\"}}")).starts_with("stop: found \"-5\""));
        assert!(refused(&format!("{plain},\"qty\":1,\"notional\":2}}")).contains("write one of them"));
        assert!(refused(&format!("{plain},\"made\":\"soon\"}}")).starts_with("made: found \"soon\""));
        assert!(refused(r#"{"instrument":"test:BBB/USD","direction":"long"}"#).contains("unknown instrument"));
        assert!(refused(r#"{"feature":"x","value":"inf"}"#).contains("a finite number"));
        let early = format!("{plain},\"made\":\"2024-01-02\",\"received\":\"2024-01-01\"}}");
        assert_eq!(Line::parse(&early).expect("a line").when(), Err(FormError::Prescient));
    }

    #[test]
    fn a_message_without_an_id_is_known_by_its_content() {
        let id = |text: &str| Line::parse(text).expect("a line").id();
        let one = id(r#"{"instrument":"test:AAA/USD","direction":"long","made":1}"#);
        assert_eq!(one, id(r#"{"direction":"long","instrument":"test:AAA/USD","made":1}"#));
        assert_ne!(one, id(r#"{"instrument":"test:AAA/USD","direction":"long","made":2}"#));
    }
}
