//! Providers that are asked now and then: Token Metrics within its budget, Aleo as its blocks come.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bellwether_sdk::Ts;

use super::Gate;
use super::api::{Api, ApiError};
use super::budget::Budget;
use super::gate::{is_told, now};
use super::{aleo, tokenmetrics};
use crate::config::{AleoSource, TokenMetricsSource};
use crate::data::news::{FeatureForm, FormError, Line, Scalar};

/// Message ids, and values of features, that are remembered between rounds.
const REMEMBERED: usize = 50_000;

/// Rows of a page: the most that all endpoints give.
const PAGE: usize = 100;

/// Most pages of one question: each costs a call.
const PAGES_MAX: usize = 20;

/// Blocks of one question, and of one round.
const BLOCKS: u64 = 50;
const BLOCKS_MAX: u64 = 500;

/// Longest wait after failures.
const WAIT_MAX: Duration = Duration::from_secs(900);

/// What was told in the rounds before.
#[derive(Default)]
struct Told {
    ids: BTreeSet<String>,
    /// Features by name and instrument: the date and the value told last.
    values: BTreeMap<(String, Option<String>), (Ts, String)>,
}

impl Told {
    /// Whether a line says something new: a signal once; a feature when it has another value, and never one of before the
    /// newest, which would stand in its place.
    fn is_new(&self, line: &Line) -> bool {
        match line {
            Line::Signal(_) => !self.ids.contains(&line.id()),
            Line::Feature(form) => {
                let made = made(line);
                let last = self.values.get(&(form.feature.clone(), form.instrument.clone()));
                last.is_none_or(|(at, value)| made > *at || made == *at && *value != form.value.text())
            }
        }
    }

    fn remember(&mut self, line: &Line) {
        if self.ids.len() > REMEMBERED {
            self.ids.clear();
        }
        if self.values.len() > REMEMBERED {
            self.values.clear();
        }
        match line {
            Line::Signal(_) => drop(self.ids.insert(line.id())),
            Line::Feature(form) => {
                let name = (form.feature.clone(), form.instrument.clone());
                self.values.insert(name, (made(line), form.value.text()));
            }
        }
    }
}

fn made(line: &Line) -> Ts {
    line.when().map_or(Ts::NONE, |when| when.made)
}

/// Asks Token Metrics round after round.
pub(super) async fn token_metrics(
    settings: TokenMetricsSource,
    api: Api,
    budget: Budget,
    gate: Arc<Gate>,
    catalog: PathBuf,
) {
    let mut open: Vec<String> = settings.endpoints.clone();
    let mut told = Told::default();
    let every = Duration::from_secs(settings.every_s.max(1));
    loop {
        let mut wait = every;
        let mut closed = Vec::new();
        for endpoint in &open {
            match round(&settings, &api, &budget, &gate, (endpoint, &catalog), &mut told).await {
                Ok(()) => {}
                Err(ApiError::Final(why)) => {
                    gate.count("given_up");
                    gate.tell(format!("{}: {endpoint} is not asked any more: {why}", gate.name()));
                    closed.push(endpoint.clone());
                }
                Err(error) => {
                    let times = gate.count("calls_failed");
                    if is_told(times) {
                        gate.tell(format!("{}: stale, {endpoint} ({times}): {error}", gate.name()));
                    }
                    if let ApiError::Later(_, Some(asked)) = error {
                        wait = wait.max(asked.min(WAIT_MAX));
                    }
                }
            }
        }
        open.retain(|e| !closed.contains(e));
        if open.is_empty() {
            return;
        }
        tokio::time::sleep(wait).await;
    }
}

async fn round(
    settings: &TokenMetricsSource,
    api: &Api,
    budget: &Budget,
    gate: &Gate,
    (endpoint, catalog): (&str, &Path),
    told: &mut Told,
) -> Result<(), ApiError> {
    let ids: Vec<&str> = settings.instruments.keys().map(String::as_str).collect();
    let tokens = if ids.is_empty() { String::new() } else { format!("token_id={}&", ids.join(",")) };
    let mut all = Vec::new();
    for page in 1..=PAGES_MAX {
        let used = budget.spend(now()).map_err(ApiError::Spent)?;
        let more = if page == 1 { String::new() } else { format!("&page={page}") };
        let query = format!("{tokens}limit={PAGE}{more}");
        let body =
            api.get(&format!("/{}/{endpoint}", settings.version), &query).await.map_err(|error| match error {
                // The first page was given: the endpoint is there.
                ApiError::Final(why) if page > 1 => ApiError::Later(why, None),
                error => error,
            })?;
        gate.count("calls");
        tracing::debug!(source = gate.name(), day = used.day_calls, month = used.month_calls, "a call was made");
        let rows = tokenmetrics::rows(&body)?;
        let (mut is_new, is_full) = (false, rows.len() >= PAGE);
        for row in rows {
            if endpoint == tokenmetrics::REPORTS {
                match tokenmetrics::store(catalog, gate.name(), &row, now()) {
                    Ok(Some(path)) => {
                        is_new = true;
                        gate.tell(format!("{}: a report is stored as {}", gate.name(), path.display()));
                    }
                    Ok(None) => {}
                    Err(why) => return Err(ApiError::Form(why)),
                }
                continue;
            }
            let before = all.len();
            let lines = tokenmetrics::lines(endpoint, &row, &settings.instruments)?;
            all.extend(lines.into_iter().filter(|line| told.is_new(line)));
            is_new |= all.len() > before;
        }
        // A further page of what was known already is not worth a call.
        if !is_full || !is_new {
            break;
        }
    }
    // Oldest first, whichever way the provider tells: the newest is what stands.
    all.sort_by_key(made);
    for line in all.into_iter().filter(|line| told.is_new(line)).collect::<Vec<_>>() {
        // What is refused has been told by the gate; what finds no room comes again with the next round.
        if !matches!(gate.take(line.clone()), Err(FormError::Busy)) {
            told.remember(&line);
        }
    }
    Ok(())
}

/// The height of the last block that was told, and its time where that is known.
type Last = (u64, Option<i64>);

/// Looks at the blocks since the last look and the watched addresses.
pub(super) async fn aleo(settings: AleoSource, api: Api, gate: Arc<Gate>) {
    let mut before: Option<Last> = None;
    let mut balances: BTreeMap<String, f64> = BTreeMap::new();
    let every = Duration::from_secs(settings.every_s.max(1));
    loop {
        let failed = |error: ApiError| {
            let times = gate.count("calls_failed");
            if is_told(times) {
                gate.tell(format!("{}: stale, {error} ({times})", gate.name()));
            }
        };
        if let Err(error) = blocks(&settings, &api, &gate, &mut before).await {
            failed(error);
        }
        for (name, address) in &settings.addresses {
            for (what, mapping) in [("balance", "account"), ("staked", "bonded")] {
                // One that cannot be looked at does not hide the others.
                match holds(&settings, &api, (name, address), (what, mapping)).await {
                    Ok(credits) => {
                        let feature = format!("aleo.{what}.{name}");
                        if let Some(old) = balances.insert(feature.clone(), credits).filter(|old| *old != credits) {
                            let name = format!("{}: the {what} of {name}", gate.name());
                            gate.tell(format!("{name} went from {old} to {credits} credits"));
                        }
                        tell(&gate, feature, credits);
                    }
                    Err(error) => failed(error),
                }
            }
        }
        tokio::time::sleep(every).await;
    }
}

/// Tells of each block since the last look, oldest first; of more than there is time for, the newest.
async fn blocks(settings: &AleoSource, api: &Api, gate: &Gate, before: &mut Option<Last>) -> Result<(), ApiError> {
    let network = &settings.network;
    let form = |e: serde_json::Error| ApiError::Form(e.to_string());
    let body = api.get(&format!("/{network}/block/latest"), "").await?;
    let value = serde_json::from_str(&body).map_err(form)?;
    let latest = aleo::block(&value).ok_or_else(|| ApiError::Form("no block".to_owned()))?;
    if let Some((last, _)) = *before {
        let mut from = last.saturating_add(1);
        let missed = latest.height.saturating_sub(from).saturating_sub(BLOCKS_MAX);
        if missed > 0 {
            gate.count("blocks_left_out");
            gate.tell(format!("{}: {missed} blocks from {from} on are not looked at, there are too many", gate.name()));
            from += missed;
            // The time of a block is of two that follow one another.
            *before = Some((from - 1, None));
        }
        while from < latest.height {
            let end = latest.height.min(from + BLOCKS);
            let body = api.get(&format!("/{network}/blocks"), &format!("start={from}&end={end}")).await?;
            let rows: Vec<serde_json::Value> = serde_json::from_str(&body).map_err(form)?;
            if rows.len() as u64 != end - from {
                return Err(ApiError::Form(format!("{} blocks from {from} to {end}", rows.len())));
            }
            for row in &rows {
                let block = aleo::block(row).ok_or_else(|| ApiError::Form("no block among blocks".to_owned()))?;
                told(settings, gate, &block, before);
            }
            from = end;
        }
    }
    told(settings, gate, &latest, before);
    Ok(())
}

fn told(settings: &AleoSource, gate: &Gate, block: &aleo::Block, before: &mut Option<Last>) {
    if before.is_none_or(|(height, _)| height < block.height) {
        let timed = before.and_then(|(height, time)| Some((height, time?)));
        for (name, value) in aleo::features(block, timed, &settings.programs) {
            tell(gate, name, value);
        }
        *before = Some((block.height, Some(block.timestamp)));
    }
}

/// What an address holds in a mapping, credits.
async fn holds(
    settings: &AleoSource,
    api: &Api,
    (name, address): (&str, &str),
    (what, mapping): (&str, &str),
) -> Result<f64, ApiError> {
    let path = format!("/{}/program/credits.aleo/mapping/{mapping}/{address}", settings.network);
    let body = api.get(&path, "").await?;
    let value = serde_json::from_str(&body).map_err(|e| ApiError::Form(e.to_string()))?;
    aleo::credits(&value).ok_or_else(|| ApiError::Form(format!("the {what} of {name}")))
}

fn tell(gate: &Gate, feature: String, value: f64) {
    // What is refused has been told by the gate.
    let _ = gate.take(Line::Feature(FeatureForm {
        schema_version: 1,
        feature,
        source: gate.name().to_owned(),
        instrument: None,
        value: Scalar::Text(value.to_string()),
        made: None,
        received: None,
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_comes_back_is_news_and_one_that_stays_is_not() {
        let line = |value: &str, made: Option<&str>| {
            Line::Feature(FeatureForm {
                schema_version: 1,
                feature: "price".to_owned(),
                source: "tm".to_owned(),
                instrument: None,
                value: Scalar::Text(value.to_owned()),
                made: made.map(|m| Scalar::Text(m.to_owned())),
                received: None,
            })
        };
        let mut told = Told::default();
        let mut hear = |value: &str, made: Option<&str>| {
            let line = line(value, made);
            let is_new = told.is_new(&line);
            if is_new {
                told.remember(&line);
            }
            is_new
        };
        assert_eq!(["1", "2", "1", "1", "2"].map(|v| hear(v, None)), [true, true, true, false, true]);
        // A dated value comes with every round, may change, and gives way to a newer one only.
        let dated = [("1", "2025-01-01"), ("2", "2025-01-02"), ("1", "2025-01-01"), ("3", "2025-01-02")];
        assert_eq!(dated.map(|(v, made)| hear(v, Some(made))), [true, true, false, true]);
    }
}
