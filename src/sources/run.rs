//! The sources of a session at work: one thread with its own runtime, ended with the session.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use bellwether_sdk::{Instrument, Ts};
use tokio::sync::Notify;

use super::webhook::Webhook;
use super::{Api, Budget, poll, process};
use super::{Gate, GateSettings, Sender};
use crate::config::{Freshness, Settings, SourceSettings, create_private, state_dir};
use crate::exchange::transport::{Live, LiveSettings, Transport};
use crate::keys::{KeyError, Token};

/// Finds the token of a kind and name.
pub type Tokens<'a> = &'a dyn Fn(&str, &str) -> Result<Token, KeyError>;

/// A source cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Its token is not there.
    #[error("source {name}: {error}")]
    Key {
        /// The source.
        name: String,
        /// What is missing.
        error: KeyError,
    },
    /// Its address cannot be listened on.
    #[error("source {name}: listening on {address}: {why}; choose another with `source.{name}.listen`")]
    Listen {
        /// The source.
        name: String,
        /// The address.
        address: String,
        /// What the system says.
        why: String,
    },
    /// A setting does not do.
    #[error("source {name}: {why}")]
    Setting {
        /// The source.
        name: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// The thread cannot begin.
    #[error("starting the sources: {0}")]
    Runtime(String),
}

/// Sources at work; they end when this is dropped.
pub struct Sources {
    /// The gates, by name, for their counts.
    pub gates: Vec<Arc<Gate>>,
    /// Where webhooks listen, by name.
    pub listening: BTreeMap<String, SocketAddr>,
    stop: Arc<AtomicBool>,
    wake: Arc<Notify>,
    threads: Vec<JoinHandle<()>>,
}

type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Sources {
    /// Starts what the settings name; files were read before. Mail goes to `sender`. A session that is taken up `again`
    /// also hears what it may have missed, where a source keeps it.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn start(
        settings: &Settings,
        instruments: &[Instrument],
        tokens: Tokens<'_>,
        sender: &Sender,
        again: bool,
    ) -> Result<Self, SourceError> {
        let (stop, wake) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let (mut gates, mut listening, mut threads) = (Vec::new(), BTreeMap::new(), Vec::new());
        let mut tasks: Vec<Task> = Vec::new();
        for (name, source) in &settings.source {
            let Some((fresh, aliases)) = gate_of(source) else { continue };
            let store: Option<PathBuf> = settings.signals.store.then(|| settings.data.dir.clone());
            let of = GateSettings { name: name.clone(), instruments: instruments.to_vec(), aliases, fresh, store };
            let gate = Arc::new(Gate::new(of, sender.clone()));
            gates.push(Arc::clone(&gate));
            match source {
                SourceSettings::Webhook(hook) => {
                    let token =
                        tokens("webhook", name).map_err(|error| SourceError::Key { name: name.clone(), error })?;
                    let failed = |e: std::io::Error| SourceError::Listen {
                        name: name.clone(),
                        address: hook.listen.clone(),
                        why: e.to_string(),
                    };
                    let listener = std::net::TcpListener::bind(&hook.listen).map_err(failed)?;
                    listener.set_nonblocking(true).map_err(failed)?;
                    listening.insert(name.clone(), listener.local_addr().map_err(failed)?);
                    let routes = Arc::new(Webhook::new(hook.clone(), token, gate)).routes();
                    tasks.push(Box::pin(async move {
                        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                        // It serves until the runtime is dropped.
                        let _ = axum::serve(listener, routes).await;
                    }));
                }
                SourceSettings::Process(of) => {
                    let (of, stop) = (of.clone(), Arc::clone(&stop));
                    threads.push(std::thread::spawn(move || process::run(&of, &gate, &stop)));
                }
                SourceSettings::TokenMetrics(of) => {
                    let token =
                        tokens("tokenmetrics", name).map_err(|error| SourceError::Key { name: name.clone(), error })?;
                    let dir = budgets(settings).map_err(|why| SourceError::Setting { name: name.clone(), why })?;
                    let budget = Budget::new(&dir, name, of.calls_per_day_max, of.calls_per_month_max);
                    let api = Api::new(transport()?, &of.url, Some(token), of.per_minute_max);
                    tasks.push(Box::pin(poll::token_metrics(of.clone(), api, budget, gate, settings.data.dir.clone())));
                }
                SourceSettings::Aleo(of) => {
                    let api = Api::new(transport()?, &of.url, None, of.per_second_max.saturating_mul(60));
                    tasks.push(Box::pin(poll::aleo(of.clone(), api, gate)));
                }
                SourceSettings::Nats(of) => {
                    let token = super::nats::who(tokens("nats", name))
                        .map_err(|error| SourceError::Key { name: name.clone(), error })?;
                    let back_s = if again { of.replay_s.max(of.age_max_s) } else { of.replay_s };
                    let back = i64::try_from(back_s).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
                    let since = Ts::from_nanos(super::gate::now().nanos().saturating_sub(back).max(0));
                    let listener = super::nats::listener(of.clone(), token, gate, since);
                    let listener = listener.map_err(|why| SourceError::Setting { name: name.clone(), why })?;
                    tasks.push(Box::pin(listener));
                }
                SourceSettings::File(_) => {}
            }
        }
        if !tasks.is_empty() {
            // It must not be dropped here: a session may be asynchronous itself.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|e| SourceError::Runtime(e.to_string()))?;
            let wake = Arc::clone(&wake);
            threads.push(std::thread::spawn(move || {
                runtime.block_on(async move {
                    for task in tasks {
                        tokio::spawn(task);
                    }
                    wake.notified().await;
                });
            }));
        }
        Ok(Self { gates, listening, stop, wake, threads })
    }

    /// What was counted, by source and name, for the metrics.
    pub fn metrics(&self) -> Vec<(String, Vec<(&'static str, u64)>)> {
        self.gates.iter().map(|g| (g.name().to_owned(), g.counts().into_iter().collect())).collect()
    }

    /// What was counted, by source and name, for the report.
    pub fn counts(&self) -> Vec<String> {
        let of = |g: &Arc<Gate>| {
            let counts: Vec<String> = g.counts().iter().map(|(what, n)| format!("{what} {n}")).collect();
            (!counts.is_empty()).then(|| format!("source {}: {}", g.name(), counts.join(", ")))
        };
        self.gates.iter().filter_map(of).collect()
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wake.notify_one();
        for thread in self.threads.drain(..) {
            // A panic of a source has been told by its thread; the session ends all the same.
            let _ = thread.join();
        }
    }
}

/// The folder of budgets, made if it is not there.
///
/// # Errors
/// What the system says.
pub fn budgets(settings: &Settings) -> Result<PathBuf, String> {
    let dir = state_dir(settings).map_err(|e| e.to_string())?.join("sources");
    create_private(&dir).map_err(|e| format!("making {}: {e}", dir.display()))?;
    Ok(dir)
}

fn transport() -> Result<Arc<dyn Transport>, SourceError> {
    let live = Live::new(LiveSettings::default()).map_err(|e| SourceError::Runtime(e.to_string()))?;
    Ok(Arc::new(live))
}

/// What a source's messages must keep to; `None` for files, which are read before the session.
fn gate_of(source: &SourceSettings) -> Option<(Freshness, BTreeMap<String, String>)> {
    let fresh = |age_max_s, ahead_max_s| Freshness { age_max_s, ahead_max_s };
    Some(match source {
        SourceSettings::File(_) => return None,
        SourceSettings::Webhook(s) => (fresh(s.age_max_s, s.ahead_max_s), s.instruments.clone()),
        SourceSettings::Process(s) => (fresh(s.age_max_s, 30), BTreeMap::new()),
        SourceSettings::TokenMetrics(s) => (fresh(s.age_max_s, 86_400), BTreeMap::new()),
        SourceSettings::Aleo(_) => (fresh(3_600, 30), BTreeMap::new()),
        SourceSettings::Nats(s) => {
            (fresh(if s.age_max_s == 0 { u64::MAX } else { s.age_max_s }, s.ahead_max_s), s.instruments.clone())
        }
    })
}
