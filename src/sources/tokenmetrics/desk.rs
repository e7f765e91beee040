//! Asking the provider for a person: a look at what it says, and its history into the catalog.

use std::collections::BTreeMap;
use std::path::Path;

use bellwether_sdk::Ts;
use serde::Serialize;
use serde_json::{Map, Value};

use super::rows::{delay_s, lines, pieces, rows};
use crate::data::news;
use crate::sources::gate::now;
use crate::sources::{Api, ApiError, Budget};

/// Rows of a page: the most that all endpoints give.
const PAGE: usize = 100;

/// Most pages of one question: more than any has, and an end for a provider that has none.
const PAGES_MAX: usize = 500;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// The endpoint, one of [`ENDPOINTS`](super::ENDPOINTS).
    pub endpoint: String,
    /// Filters as the provider names them: `token_id`, `symbol`, `indicesType`. Letters, digits and `,._-` are taken.
    pub filters: BTreeMap<String, String>,
    /// The first and the last day.
    pub days: Option<(String, String)>,
}

/// What an import brought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Rows that the provider gave.
    pub rows: usize,
    /// Signals and features of named tokens in them.
    pub lines: usize,
    /// How many of those the series had not.
    pub new: usize,
    /// The last day whose rows are stored, empty for none.
    pub until: String,
}

/// Somebody's place at the provider: a key, a pace, a budget.
pub struct Desk {
    api: Api,
    budget: Budget,
    version: String,
}

impl Desk {
    /// A place; `version` is `v2` or `v3`.
    pub fn new(api: Api, budget: Budget, version: &str) -> Self {
        Self { api, budget, version: version.to_owned() }
    }

    /// The budget.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// One page of rows, the first being 1. It costs a call.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn page(&self, asked: &Asked, page: usize, limit: usize) -> Result<Vec<Map<String, Value>>, ApiError> {
        let query = self.query(asked, page, limit)?;
        self.budget.spend(now()).map_err(ApiError::Spent)?;
        let body = self.api.get(&format!("/{}/{}", self.version, asked.endpoint), &query).await?;
        rows(&body)
    }

    /// All rows, page after page.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn all(&self, asked: &Asked) -> Result<Vec<Map<String, Value>>, ApiError> {
        let mut all = Vec::new();
        for page in 1..=PAGES_MAX {
            let rows = self.page(asked, page, PAGE).await?;
            let is_last = rows.len() < PAGE;
            all.extend(rows);
            if is_last {
                return Ok(all);
            }
        }
        Err(ApiError::Form(format!("it gives more than {PAGES_MAX} pages")))
    }

    /// Stores the history of an endpoint in a series: each row known when its day or hour was over, and `late_s` seconds
    /// later. Range by range, so that what was paid for is kept when something fails.
    ///
    /// # Errors
    /// What was stored before it, and why no more.
    pub async fn import(
        &self,
        catalog: &Path,
        series: &str,
        asked: &Asked,
        range: (Ts, Ts),
        late_s: u64,
        instruments: &BTreeMap<String, String>,
    ) -> Result<Imported, (Imported, String)> {
        let mut done = Imported::default();
        for days in pieces(range.0, range.1) {
            let last = days.1.clone();
            let asked = Asked { days: Some(days), ..asked.clone() };
            let rows = self.all(&asked).await.map_err(|e| (done.clone(), e.to_string()))?;
            let stored =
                stored(&asked.endpoint, &rows, late_s, instruments).map_err(|e| (done.clone(), e.to_string()))?;
            let (rows, lines) = (rows.len(), stored.len());
            let new = news::import(catalog, series, stored).map_err(|e| (done.clone(), e.to_string()))?;
            done = Imported { rows: done.rows + rows, lines: done.lines + lines, new: done.new + new, until: last };
        }
        Ok(done)
    }

    fn query(&self, asked: &Asked, page: usize, limit: usize) -> Result<String, ApiError> {
        let mut parts = Vec::new();
        for (name, value) in &asked.filters {
            let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b",._-".contains(&b));
            if !plain(name) || !plain(value) || value.is_empty() {
                return Err(ApiError::Final(format!("{name} = {value:?}: write letters, digits, and , . _ -")));
            }
            parts.push(format!("{name}={value}"));
        }
        if let Some((first, last)) = &asked.days {
            let (from, to) = if self.version == "v2" { ("startDate", "endDate") } else { ("start_date", "end_date") };
            parts.extend([format!("{from}={first}"), format!("{to}={last}")]);
        }
        parts.extend([format!("limit={limit}"), format!("page={page}")]);
        Ok(parts.join("&"))
    }
}

/// Rows as lines of a series, each with the time at which it could be known.
fn stored(
    endpoint: &str,
    rows: &[Map<String, Value>],
    late_s: u64,
    instruments: &BTreeMap<String, String>,
) -> Result<Vec<news::Line>, ApiError> {
    let wait_ns =
        i64::try_from(delay_s(endpoint).saturating_add(late_s)).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
    let mut all = Vec::new();
    for row in rows {
        for line in lines(endpoint, row, instruments)? {
            let made = line.when().map_err(|e| ApiError::Form(e.to_string()))?.made;
            if made == Ts::NONE {
                let why = format!("rows of {endpoint} have no date, so nobody can say when they were known");
                return Err(ApiError::Form(why));
            }
            all.push(line.received_at(made.plus(wait_ns)));
        }
    }
    Ok(all)
}
