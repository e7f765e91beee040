//! Providers that are asked now and then: Token Metrics within its budget, Aleo as its blocks come.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Gate;
use super::api::{Api, ApiError};
use super::budget::Budget;
use super::gate::{is_told, now};
use super::{aleo, tokenmetrics};
use crate::config::{AleoSource, TokenMetricsSource};
use crate::data::news::{FeatureForm, Line, Scalar};

/// Message ids that are remembered between rounds.
const REMEMBERED: usize = 50_000;

/// Longest wait after failures.
const WAIT_MAX: Duration = Duration::from_secs(900);

/// Asks Token Metrics round after round.
pub(super) async fn token_metrics(
    settings: TokenMetricsSource,
    api: Api,
    budget: Budget,
    gate: Arc<Gate>,
    catalog: PathBuf,
) {
    let mut open: Vec<String> = settings.endpoints.clone();
    let mut seen = BTreeSet::new();
    let every = Duration::from_secs(settings.every_s.max(1));
    loop {
        let mut wait = every;
        let mut closed = Vec::new();
        for endpoint in &open {
            match round(&settings, &api, &budget, &gate, (endpoint, &catalog), &mut seen).await {
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
    seen: &mut BTreeSet<String>,
) -> Result<(), ApiError> {
    let used = budget.spend(now()).map_err(ApiError::Spent)?;
    let ids: Vec<&str> = settings.instruments.keys().map(String::as_str).collect();
    let query = if ids.is_empty() { "limit=100".to_owned() } else { format!("token_id={}&limit=100", ids.join(",")) };
    let body = api.get(&format!("/{}/{endpoint}", settings.version), &query).await?;
    gate.count("calls");
    tracing::debug!(source = gate.name(), day = used.day_calls, month = used.month_calls, "a call was made");
    for row in tokenmetrics::rows(&body)? {
        if endpoint == tokenmetrics::REPORTS {
            match tokenmetrics::store(catalog, gate.name(), &row, now()) {
                Ok(Some(path)) => gate.tell(format!("{}: a report is stored as {}", gate.name(), path.display())),
                Ok(None) => {}
                Err(why) => return Err(ApiError::Form(why)),
            }
            continue;
        }
        for line in tokenmetrics::lines(endpoint, &row, &settings.instruments)? {
            if seen.len() > REMEMBERED {
                seen.clear();
            }
            if seen.insert(line.id()) {
                // What is refused has been told by the gate.
                let _ = gate.take(line);
            }
        }
    }
    Ok(())
}

/// Looks at the newest block and the watched addresses.
pub(super) async fn aleo(settings: AleoSource, api: Api, gate: Arc<Gate>) {
    let mut before: Option<(u64, i64)> = None;
    let mut balances: BTreeMap<String, f64> = BTreeMap::new();
    let every = Duration::from_secs(settings.every_s.max(1));
    loop {
        if let Err(error) = look(&settings, &api, &gate, &mut before, &mut balances).await {
            let times = gate.count("calls_failed");
            if is_told(times) {
                gate.tell(format!("{}: stale, {error} ({times})", gate.name()));
            }
        }
        tokio::time::sleep(every).await;
    }
}

async fn look(
    settings: &AleoSource,
    api: &Api,
    gate: &Gate,
    before: &mut Option<(u64, i64)>,
    balances: &mut BTreeMap<String, f64>,
) -> Result<(), ApiError> {
    let network = &settings.network;
    let form = |e: serde_json::Error| ApiError::Form(e.to_string());
    let body = api.get(&format!("/{network}/block/latest"), "").await?;
    let value = serde_json::from_str(&body).map_err(form)?;
    let block = aleo::block(&value).ok_or_else(|| ApiError::Form("no block".to_owned()))?;
    if before.is_none_or(|(height, _)| height < block.height) {
        for (name, value) in aleo::features(&block, *before, &settings.programs) {
            tell(gate, name, value);
        }
        *before = Some((block.height, block.timestamp));
    }
    for (name, address) in &settings.addresses {
        for (what, mapping) in [("balance", "account"), ("staked", "bonded")] {
            let body = api.get(&format!("/{network}/program/credits.aleo/mapping/{mapping}/{address}"), "").await?;
            let value = serde_json::from_str(&body).map_err(form)?;
            let credits = aleo::credits(&value).ok_or_else(|| ApiError::Form(format!("the {what} of {name}")))?;
            let feature = format!("aleo.{what}.{name}");
            if let Some(old) = balances.insert(feature.clone(), credits).filter(|old| *old != credits) {
                gate.tell(format!("{}: the {what} of {name} went from {old} to {credits} credits", gate.name()));
            }
            tell(gate, feature, credits);
        }
    }
    Ok(())
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
