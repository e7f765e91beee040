//! Asking a provider: one GET after the other, within its pace, and what its answers mean.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::limits::PerMinute;
use crate::exchange::Request;
use crate::exchange::transport::{Live, LiveSettings, Transport};
use crate::keys::Token;

/// How long a call waits for its turn before it looks again.
const TURN: Duration = Duration::from_millis(100);

/// A provider's address, key and pace.
pub struct Api {
    transport: Arc<dyn Transport>,
    /// Scheme and host, and a path that all requests begin with.
    base: String,
    path: String,
    key: Option<Token>,
    pace: Mutex<PerMinute>,
}

/// A call brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// It will not become better by asking again: the key, the plan, a payment that is never made by itself.
    #[error("{0}")]
    Final(String),
    /// It may be asked again, after so long where the provider says.
    #[error("{0}")]
    Later(String, Option<Duration>),
    /// The budget is used up: nothing was asked.
    #[error("{0}")]
    Spent(String),
    /// The answer is none that is documented.
    #[error("the answer is not understood: {0}")]
    Form(String),
}

impl Api {
    /// A provider at `url`, asked at most so often in a minute; its key goes in the header `x-api-key`.
    pub fn new(transport: Arc<dyn Transport>, url: &str, key: Option<Token>, per_minute_max: u32) -> Self {
        let url = url.trim_end_matches('/');
        let host = url.find("://").map_or(0, |at| at + 3);
        let at = url[host..].find('/').map_or(url.len(), |at| host + at);
        let (base, path) = url.split_at(at);
        let pace = Mutex::new(PerMinute::new(per_minute_max.max(1)));
        Self { transport, base: base.to_owned(), path: path.to_owned(), key, pace }
    }

    /// The same over the network.
    ///
    /// # Errors
    /// Why there is none.
    pub fn open(url: &str, key: Option<Token>, per_minute_max: u32) -> Result<Self, String> {
        let live = Live::new(LiveSettings::default()).map_err(|e| e.to_string())?;
        Ok(Self::new(Arc::new(live), url, key, per_minute_max))
    }

    /// The body of an answer.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn get(&self, path: &str, query: &str) -> Result<String, ApiError> {
        while !self.pace.lock().unwrap_or_else(PoisonError::into_inner).lets(Instant::now()) {
            tokio::time::sleep(TURN).await;
        }
        let mut request = Request::get(format!("{}{path}", self.path), query, 0);
        request.headers.push(("accept".to_owned(), "application/json".to_owned()));
        if let Some(key) = &self.key {
            request.headers.push(("x-api-key".to_owned(), key.expose().to_owned()));
        }
        let sent = self.transport.http(&self.base, &request).await;
        let answer = sent.map_err(|e| ApiError::Later(e.to_string(), None))?;
        if answer.is_ok() {
            return Ok(answer.body);
        }
        let said: String = answer.body.chars().filter(|c| !c.is_control()).take(160).collect();
        let why = format!("status {} for {path}: {said}", answer.status);
        Err(match answer.status {
            401 => ApiError::Final(format!("the key is not accepted ({why})")),
            402 => ApiError::Final(format!("it wants to be paid, which is never done by itself ({why})")),
            403 | 404 => ApiError::Final(format!("not there, or not in the plan ({why})")),
            _ => ApiError::Later(why, answer.retry_after_ms().map(Duration::from_millis)),
        })
    }
}
