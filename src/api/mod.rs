//! Health and metrics of a running session over HTTP, on this machine only: for a supervisor and for Prometheus.
//!
//! A thread of its own serves the last [`Pulse`] that the session left; nothing here can slow the session or ask it for
//! anything. There is no way in: two pages are read, nothing is written.

mod text;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

/// A session whose pulse is older is not well.
const FRESH: Duration = Duration::from_secs(5);

/// How a session stood a moment ago.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Pulse {
    /// `paper` or `live`.
    pub mode: &'static str,
    /// Engine time, nanoseconds.
    pub engine_ns: i64,
    /// Milliseconds since the feed last said something; `None` before the first.
    pub feed_age_ms: Option<i64>,
    /// Topics that are stale.
    pub stale_topics: usize,
    /// The longest that the loop was late for what was due, since the last pulse, microseconds.
    pub loop_lag_us: i64,
    /// Orders that wait for the tape's disk.
    pub queued_orders: usize,
    /// Bytes of the tape that wait for the disk.
    pub tape_backlog_bytes: u64,
    /// Open orders by state.
    pub open_orders: Vec<(&'static str, usize)>,
    /// Orders made, fills booked, answers that were impossible.
    pub orders: u64,
    /// Fills booked.
    pub fills: u64,
    /// Answers of the venue that were impossible and were refused.
    pub impossible_answers: u64,
    /// Market events heard.
    pub events: u64,
    /// Equity in the reporting currency.
    pub equity: f64,
    /// The reporting currency.
    pub currency: String,
    /// Positions by symbol.
    pub positions: Vec<(String, f64)>,
    /// How full limits are, as a share of each.
    pub guard: Vec<(&'static str, f64)>,
    /// Why the guard tripped, if it did.
    pub tripped: Option<String>,
    /// What holds entries.
    pub holds: Vec<&'static str>,
    /// What keys were used for.
    pub keys: Vec<KeyUses>,
    /// What each source counted: messages, refusals, failures, by name.
    pub sources: Vec<(String, Vec<(&'static str, u64)>)>,
    /// What became of the messages of each sink, by name.
    pub sinks: Vec<(String, Vec<(&'static str, u64)>)>,
    /// Whether the session is up and trading as it should: not tripped, not held, no topic stale.
    pub ready: bool,
}

/// What a session used a key for.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct KeyUses {
    /// Whose: `binance/main`.
    pub account: String,
    /// Label, version and the end of the public id.
    pub key: String,
    /// How often, by purpose.
    pub uses: Vec<(&'static str, u64)>,
}

/// The page server of a session.
pub struct Pages {
    state: Arc<Shared>,
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    pulse: Mutex<Option<(Pulse, Instant)>>,
}

impl Pages {
    /// Listens on an address of this machine; port 0 lets the system choose.
    ///
    /// # Errors
    /// What was tried and why it failed, in words.
    pub fn serve(address: SocketAddr) -> Result<Self, String> {
        if !address.ip().is_loopback() {
            return Err(format!(
                "session.health_addr = {address} is not on this machine; write 127.0.0.1:PORT and put a proxy before it"
            ));
        }
        let failed = |e: std::io::Error| format!("listening on session.health_addr = {address}: {e}");
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let state = Arc::new(Shared::default());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let routes = Router::new().route("/health", get(health)).route("/metrics", get(metrics));
        let routes = routes.with_state(Arc::clone(&state));
        let serve = move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                let until = async {
                    let _ = stopped.await;
                };
                if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(until).await {
                    tracing::warn!("the health pages ended: {error}");
                }
            });
        };
        let thread = std::thread::Builder::new().name("health".to_owned()).spawn(serve).map_err(failed)?;
        Ok(Self { state, address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How the session stands now.
    pub fn show(&self, pulse: Pulse) {
        *self.state.pulse.lock().unwrap_or_else(PoisonError::into_inner) = Some((pulse, Instant::now()));
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn last(state: &Shared) -> Option<(Pulse, Duration)> {
    let held = state.pulse.lock().unwrap_or_else(PoisonError::into_inner);
    held.as_ref().map(|(pulse, at)| (pulse.clone(), at.elapsed()))
}

/// 200 while the session moves and is ready; 503 with the same document otherwise.
async fn health(State(state): State<Arc<Shared>>) -> Response {
    let found = last(&state);
    let alive = found.as_ref().is_some_and(|(_, age)| *age <= FRESH);
    let ready = alive && found.as_ref().is_some_and(|(pulse, _)| pulse.ready);
    let age_ms = found.as_ref().map(|(_, age)| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    let body = serde_json::json!({
        "schema_version": 1,
        "alive": alive,
        "ready": ready,
        "pulse_age_ms": age_ms,
        "pulse": found.map(|(pulse, _)| pulse),
    });
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn metrics(State(state): State<Arc<Shared>>) -> Response {
    let text = last(&state).map(|(pulse, age)| text::page(&pulse, age)).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = std::net::TcpStream::connect(address).expect("connected");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("asked");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("answered");
        text
    }

    #[test]
    fn a_session_is_healthy_while_it_moves_and_is_ready() {
        let pages = Pages::serve("127.0.0.1:0".parse().expect("an address")).expect("served");
        assert!(get(pages.address(), "/health").starts_with("HTTP/1.1 503"), "before the first pulse");
        pages.show(Pulse { ready: true, mode: "live", ..Pulse::default() });
        let well = get(pages.address(), "/health");
        assert!(well.starts_with("HTTP/1.1 200") && well.contains("\"alive\":true"), "{well}");
        pages.show(Pulse { tripped: Some("daily_loss_max".to_owned()), ..Pulse::default() });
        let tripped = get(pages.address(), "/health");
        assert!(tripped.starts_with("HTTP/1.1 503") && tripped.contains("daily_loss_max"), "{tripped}");
        let page = get(pages.address(), "/metrics");
        assert!(page.contains("\nbellwether_guard_tripped 1\n"), "{page}");
    }

    #[test]
    fn only_this_machine_may_look() {
        let refused = Pages::serve("0.0.0.0:0".parse().expect("an address")).err().expect("refused");
        assert!(refused.contains("127.0.0.1:PORT"), "{refused}");
    }
}
