//! A campaign's checklist: steps with conditions on the chain, and which addresses have fulfilled what. It only looks: it
//! signs nothing, and needs no private key.
//!
//! What the chain cannot show is `unknown`, unless a person says that it was done; then it says who said so. A look that
//! fails is `unknown` too, with why: nothing is taken for missing that was not looked at.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bellwether_sdk::Ts;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::links::Official;
use crate::config::parse_time;
use crate::sources::{Api, ApiError};

/// Microcredits of a credit, as digits.
const CREDIT_DIGITS: usize = 6;

/// A campaign as its file says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// Its name.
    pub name: String,
    /// Its own official domains; links elsewhere are not shown.
    #[serde(default)]
    pub official: Vec<String>,
    /// Its page.
    #[serde(default)]
    pub link: Option<String>,
    /// When it ends; the deadline of steps that have none.
    #[serde(default)]
    pub ends: Option<String>,
    /// Addresses by a name for people.
    pub addresses: BTreeMap<String, String>,
    /// Its steps.
    pub step: Vec<Step>,
    /// What a person says was done.
    #[serde(default)]
    pub attested: Vec<Attested>,
}

/// A step of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its word.
    pub id: String,
    /// What is to be done.
    pub title: String,
    /// Until when.
    #[serde(default)]
    pub deadline: Option<String>,
    /// Where.
    #[serde(default)]
    pub link: Option<String>,
    /// How the chain shows it.
    pub check: Check,
}

/// How the chain shows that a step was done.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Check {
    /// A public balance of at least so many credits.
    Balance {
        /// Credits, at most six digits after the point.
        credits_min: String,
    },
    /// A stake of at least so many credits, with one validator where one is named.
    Staked {
        /// Credits.
        credits_min: String,
        /// The validator.
        #[serde(default)]
        validator: Option<String>,
    },
    /// A value of a program's mapping: there at all, equal to a text, or a number of at least so much.
    Mapping {
        /// The program.
        program: String,
        /// The mapping.
        mapping: String,
        /// The key; `{address}` stands for the address.
        #[serde(default = "address")]
        key: String,
        /// The field of a struct.
        #[serde(default)]
        field: Option<String>,
        /// The value as the chain writes it, as in `true` or `5u64`.
        #[serde(default)]
        equals: Option<String>,
        /// The least number, without its type.
        #[serde(default)]
        min: Option<String>,
    },
    /// Nothing on the chain shows it.
    OffChain,
}

/// What a person says was done.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attested {
    /// The step.
    pub step: String,
    /// Whose, by the name of the address.
    pub address: String,
    /// Who says so.
    pub by: String,
    /// When it was done.
    pub at: String,
}

/// How a step stands for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The chain shows it.
    Fulfilled,
    /// The chain shows that it is not done, and there is time.
    Missing,
    /// The chain shows that it is not done, and the time is over.
    Missed,
    /// It cannot be seen.
    Unknown,
    /// It cannot be seen, and a person says that it was done.
    Attested,
}

impl Mark {
    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fulfilled => "fulfilled",
            Self::Missing => "missing",
            Self::Missed => "missed",
            Self::Unknown => "unknown",
            Self::Attested => "attested",
        }
    }
}

/// How a step stands for an address, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The step.
    pub step: String,
    /// What is to be done.
    pub title: String,
    /// The address, by its name.
    pub address: String,
    /// How it stands.
    pub mark: Mark,
    /// What was seen, or who says so.
    pub seen: String,
    /// Until when, RFC 3339.
    pub deadline: Option<String>,
    /// Where, if its domain is official.
    pub link: Option<String>,
}

/// A campaign's checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checklist {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// The campaign.
    pub name: String,
    /// Its page, if its domain is official.
    pub link: Option<String>,
    /// Every step for every address.
    pub rows: Vec<Row>,
    /// Links that are not shown, and why.
    pub refused: Vec<String>,
}

/// A campaign's file is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("campaign {name:?}: {why}")]
pub struct CampaignError {
    /// The campaign.
    pub name: String,
    /// What is wrong and what to write.
    pub why: String,
}

/// Where mappings are looked up.
#[async_trait]
pub trait Chain: Sync {
    /// The value of a program's mapping, `null` for none.
    ///
    /// # Errors
    /// [`ApiError`].
    async fn mapping(&self, program: &str, mapping: &str, key: &str) -> Result<Value, ApiError>;
}

/// An explorer or node of a network.
pub struct Explorer<'a> {
    /// The way to it.
    pub api: &'a Api,
    /// `mainnet`, `testnet` or `canary`.
    pub network: &'a str,
}

#[async_trait]
impl Chain for Explorer<'_> {
    async fn mapping(&self, program: &str, mapping: &str, key: &str) -> Result<Value, ApiError> {
        let path = format!("/{}/program/{program}/mapping/{mapping}/{key}", self.network);
        let body = self.api.get(&path, "").await?;
        serde_json::from_str(&body).map_err(|e| ApiError::Form(e.to_string()))
    }
}

fn address() -> String {
    "{address}".to_owned()
}

impl Campaign {
    /// Holds the campaign against itself: words that go into addresses of requests, numbers, times, names.
    ///
    /// # Errors
    /// [`CampaignError`] names the place.
    pub fn check(&self) -> Result<(), CampaignError> {
        let wrong = |why: String| Err(CampaignError { name: self.name.clone(), why });
        let word =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if let Err(why) = Official::new(&self.official) {
            return wrong(format!("official: {why}"));
        }
        for (name, address) in &self.addresses {
            if !address.starts_with("aleo1") || !address.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
                return wrong(format!("addresses.{name} is no address; write aleo1…, and never a key"));
            }
        }
        for time in self.ends.iter().chain(self.step.iter().filter_map(|s| s.deadline.as_ref())) {
            if let Err(why) = parse_time(time) {
                return wrong(why);
            }
        }
        for step in &self.step {
            let of = format!("step {:?}", step.id);
            match &step.check {
                Check::Balance { credits_min } | Check::Staked { credits_min, .. } if micro(credits_min).is_none() => {
                    return wrong(format!("{of}: credits_min = {credits_min:?}; write credits as in \"10.5\""));
                }
                Check::Mapping { program, mapping, key, equals, min, .. } => {
                    if !word(program) || !word(mapping) || !word(&key.replace("{address}", "a")) {
                        return wrong(format!("{of}: write letters, digits and . _ - for program, mapping and key"));
                    }
                    if equals.is_some() && min.is_some() {
                        return wrong(format!("{of}: write one of equals and min"));
                    }
                    if min.as_ref().is_some_and(|m| m.parse::<u128>().is_err()) {
                        return wrong(format!("{of}: min is no whole number"));
                    }
                }
                _ => {}
            }
        }
        for said in &self.attested {
            let step = self.step.iter().any(|s| s.id == said.step);
            if !step || !self.addresses.contains_key(&said.address) || said.by.is_empty() {
                let of = (&said.step, &said.address);
                return wrong(format!("attested {of:?}: write a step and an address that there are, and by whom"));
            }
            if let Err(why) = parse_time(&said.at) {
                return wrong(why);
            }
        }
        Ok(())
    }

    /// Looks every step up for every address, at a time.
    ///
    /// # Errors
    /// [`CampaignError`] when the file is wrong. A look that fails is `unknown`.
    pub async fn look(&self, chain: &dyn Chain, now: Ts) -> Result<Checklist, CampaignError> {
        self.check()?;
        let official = Official::new(&self.official).map_err(|why| CampaignError { name: self.name.clone(), why })?;
        let mut refused = Vec::new();
        let mut shown = |of: &str, link: Option<&String>| {
            let link = link?;
            official.shown(link).map_err(|why| refused.push(format!("{of}: a link is not shown: {why}"))).ok()
        };
        let link = shown(&self.name, self.link.as_ref());
        let mut rows = Vec::new();
        for step in &self.step {
            let link = shown(&step.id, step.link.as_ref());
            let deadline = step.deadline.as_ref().or(self.ends.as_ref()).cloned();
            let is_over = deadline.as_ref().and_then(|d| parse_time(d).ok()).is_some_and(|end| end <= now);
            for (name, address) in &self.addresses {
                let (mark, seen) = match look(chain, &step.check, address).await {
                    Ok(Some((true, seen))) => (Mark::Fulfilled, seen),
                    Ok(Some((false, seen))) if is_over => (Mark::Missed, seen),
                    Ok(Some((false, seen))) => (Mark::Missing, seen),
                    Ok(None) => self.attestation(&step.id, name, "the chain does not show it"),
                    Err(error) => self.attestation(&step.id, name, &error.to_string()),
                };
                rows.push(Row {
                    step: step.id.clone(),
                    title: step.title.clone(),
                    address: name.clone(),
                    mark,
                    seen,
                    deadline: deadline.clone(),
                    link: link.clone(),
                });
            }
        }
        Ok(Checklist { schema_version: 1, name: self.name.clone(), link, rows, refused })
    }

    /// What cannot be seen: what a person says, else unknown.
    fn attestation(&self, step: &str, address: &str, why: &str) -> (Mark, String) {
        match self.attested.iter().find(|a| a.step == step && a.address == address) {
            Some(said) => (Mark::Attested, format!("{} says so, done {} ({why})", said.by, said.at)),
            None => (Mark::Unknown, why.to_owned()),
        }
    }
}

/// Whether a condition holds, and what was seen; `None` for what the chain does not show.
async fn look(chain: &dyn Chain, check: &Check, address: &str) -> Result<Option<(bool, String)>, ApiError> {
    let of_credits = |value: &Value, field: Option<&str>| {
        let number = number(value, field).ok_or_else(|| form(value))?;
        Ok::<_, ApiError>((number, format!("{} credits", credits_text(number))))
    };
    Ok(match check {
        Check::OffChain => None,
        Check::Balance { credits_min } => {
            let value = chain.mapping("credits.aleo", "account", address).await?;
            let (has, seen) = of_credits(&value, None)?;
            Some((micro(credits_min).is_some_and(|min| has >= min), seen))
        }
        Check::Staked { credits_min, validator } => {
            let value = chain.mapping("credits.aleo", "bonded", address).await?;
            let (has, seen) = of_credits(&value, Some("microcredits"))?;
            let with = text(&value).and_then(|t| field_of(t, "validator")).unwrap_or_default();
            let fits = validator.as_ref().is_none_or(|wanted| wanted == with);
            let seen = if with.is_empty() { seen } else { format!("{seen} with {with}") };
            Some((fits && micro(credits_min).is_some_and(|min| has >= min), seen))
        }
        Check::Mapping { program, mapping, key, field, equals, min } => {
            let value = chain.mapping(program, mapping, &key.replace("{address}", address)).await?;
            if value.is_null() {
                return Ok(Some((false, "no value".to_owned())));
            }
            let whole = text(&value).ok_or_else(|| form(&value))?;
            let found = match field {
                Some(name) => field_of(whole, name).ok_or_else(|| form(&value))?,
                None => whole,
            };
            let holds = match (equals, min) {
                (Some(wanted), _) => found == wanted,
                (None, Some(min)) => {
                    let has = plain_number(found).ok_or_else(|| form(&value))?;
                    min.parse::<u128>().is_ok_and(|min| has >= min)
                }
                (None, None) => true,
            };
            Some((holds, found.chars().filter(|c| !c.is_control()).take(80).collect()))
        }
    })
}

fn form(value: &Value) -> ApiError {
    let said: String = value.to_string().chars().filter(|c| !c.is_control()).take(80).collect();
    ApiError::Form(said)
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().map(str::trim)
}

/// A number of a mapping: of nothing it is zero.
fn number(value: &Value, field: Option<&str>) -> Option<u128> {
    if value.is_null() {
        return Some(0);
    }
    let whole = text(value)?;
    plain_number(field.map_or(Some(whole), |name| field_of(whole, name))?)
}

/// `30000000u64` without its type; visibility such as `.public` is no part of it.
fn plain_number(text: &str) -> Option<u128> {
    let plain = text.split('.').next()?;
    let digits = plain.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix('u').unwrap_or(plain);
    digits.parse().ok()
}

/// A field of a struct in Aleo's plaintext.
fn field_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let of = |part: &'a str| part.split_once(':').filter(|(n, _)| n.trim() == name).map(|(_, value)| value.trim());
    let mut depth = 0i32;
    // A field of a struct in it is not its own.
    let at_its_end = |c: char| {
        depth += i32::from(matches!(c, '{' | '[')) - i32::from(matches!(c, '}' | ']'));
        c == ',' && depth == 0
    };
    inner.split(at_its_end).find_map(of)
}

/// Credits as microcredits; exact.
fn micro(text: &str) -> Option<u128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > CREDIT_DIGITS {
        return None;
    }
    format!("{whole}{part:0<CREDIT_DIGITS$}").parse().ok()
}

fn credits_text(micro: u128) -> String {
    let (whole, part) = (micro / 1_000_000, micro % 1_000_000);
    if part == 0 { whole.to_string() } else { format!("{whole}.{part:06}").trim_end_matches('0').to_owned() }
}

#[cfg(test)]
#[path = "campaign_tests.rs"]
mod tests;
