//! The server: one port, everything by path; the task that plays the tapes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, Path, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{any, get};
use axum::serve::ListenerExt;
use tokio::time::MissedTickBehavior;

use super::calls::{Outcome, Request, Route};
use super::error::{Refused, SandboxError};
use super::floor::{Floor, clock};
use super::hub::Ear;
use super::params::{Params, payload};
use super::{admin, flood, streams, wsapi};

/// The largest request body.
const BODY_MAX: usize = 64 * 1024;

/// What every handler has.
#[derive(Clone)]
pub(super) struct Hall {
    floor: Arc<Mutex<Floor>>,
    pub(super) token: Arc<str>,
}

impl Hall {
    pub(super) fn new(floor: Floor, token: &str) -> Self {
        Self { floor: Arc::new(Mutex::new(floor)), token: token.into() }
    }

    /// The floor. Never held across an await: everything runs on one thread.
    pub(super) fn floor(&self) -> MutexGuard<'_, Floor> {
        // Who panicked while holding it has left nothing half done that matters to a rehearsal.
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until the socket fails.
pub(super) async fn serve(listener: std::net::TcpListener, hall: Hall, flood: u32) -> Result<(), SandboxError> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?.tap_io(|io| {
        // Without it small answers wait for acknowledgements.
        if let Err(error) = io.set_nodelay(true) {
            tracing::debug!(%error, "setting TCP_NODELAY");
        }
    });
    let router = Router::new()
        .route("/ws", get(stream_bare))
        .route("/ws/{*streams}", get(stream_named))
        .route("/stream", get(stream_combined))
        .route("/ws-api/v3", get(ws_api))
        .route("/sandbox/{what}", any(admin::handle))
        .fallback(any(rest))
        .with_state(hall.clone());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::select! {
        served = axum::serve(listener, service).into_future() => served.map_err(SandboxError::from),
        played = play(hall.clone()) => played,
        flooded = flood::serve(hall, flood) => flooded,
    }
}

/// Plays what is due every millisecond, and tells what slow streams have to tell.
async fn play(hall: Hall) -> Result<(), SandboxError> {
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut fast, mut slow) = (0i64, 0i64);
    loop {
        tick.tick().await;
        while hall.floor().play_due()? {
            tokio::task::yield_now().await;
        }
        let now = clock();
        let tenth = now.nanos() / 100_000_000;
        if tenth != fast {
            fast = tenth;
            hall.floor().tell_changes(true, now);
        }
        if tenth / 10 != slow {
            slow = tenth / 10;
            hall.floor().tell_changes(false, now);
        }
    }
}

async fn stream_bare(upgrade: WebSocketUpgrade, State(hall): State<Hall>) -> Response {
    let ear = streams::ear(&hall, "", false);
    upgrade.on_upgrade(move |socket| streams::serve(socket, ear))
}

async fn stream_named(upgrade: WebSocketUpgrade, State(hall): State<Hall>, Path(names): Path<String>) -> Response {
    let ear = streams::ear(&hall, &names, false);
    upgrade.on_upgrade(move |socket| streams::serve(socket, ear))
}

async fn stream_combined(upgrade: WebSocketUpgrade, State(hall): State<Hall>, RawQuery(query): RawQuery) -> Response {
    let params = Params::of_text(&query.unwrap_or_default(), "").unwrap_or_default();
    let ear = streams::ear(&hall, params.get("streams").unwrap_or_default(), true);
    upgrade.on_upgrade(move |socket| streams::serve(socket, ear))
}

async fn ws_api(
    upgrade: WebSocketUpgrade,
    State(hall): State<Hall>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::of_text(&query.unwrap_or_default(), "").unwrap_or_default();
    let with_limits = params.get("returnRateLimits") != Some("false");
    let ear = Ear::new(hall, false);
    upgrade.on_upgrade(move |socket| wsapi::serve(socket, ear, from.ip(), with_limits))
}

async fn rest(
    State(hall): State<Hall>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: axum::extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let route = match Route::of_rest(parts.method.as_str(), parts.uri.path()) {
        Ok(route) => route,
        Err(true) => return plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n"),
        Err(false) => return plain(StatusCode::NOT_FOUND, "not found\n"),
    };
    let body = to_bytes(body, BODY_MAX).await.unwrap_or_default();
    let body = String::from_utf8_lossy(&body);
    let query = parts.uri.query().unwrap_or_default();
    let key = parts.headers.get("x-mbx-apikey").and_then(|v| v.to_str().ok());
    let outcome = match Params::of_text(query, &body) {
        Ok(params) => {
            let signed = payload(query, &body);
            let request = Request { route, params: &params, from: from.ip(), key, signed: Some(&signed) };
            hall.floor().serve(&request)
        }
        Err(refused) => Outcome { reply: Err(refused), delay_ms: 0, reset: false, weight_used: 0, orders: None },
    };
    if outcome.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(outcome.delay_ms)).await;
    }
    if outcome.reset {
        return torn();
    }
    answered(&outcome)
}

fn answered(outcome: &Outcome) -> Response {
    let (status, body) = match &outcome.reply {
        Ok(body) => (200, body.clone()),
        Err(refused) => (refused.status, refused.body().to_string()),
    };
    let mut response = json(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body);
    let headers = response.headers_mut();
    headers.insert("x-mbx-used-weight", outcome.weight_used.into());
    headers.insert("x-mbx-used-weight-1m", outcome.weight_used.into());
    if let Some((ten, day)) = outcome.orders {
        headers.insert("x-mbx-order-count-10s", ten.into());
        headers.insert("x-mbx-order-count-1d", day.into());
    }
    if let Err(Refused { retry_after: Some(seconds), .. }) = &outcome.reply {
        headers.insert(header::RETRY_AFTER, (*seconds).into());
    }
    response
}

/// A JSON response.
pub(super) fn json(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json;charset=UTF-8"));
    response
}

fn plain(status: StatusCode, words: &'static str) -> Response {
    let mut response = Response::new(Body::from(words));
    *response.status_mut() = status;
    response
}

/// A response that breaks off: the connection is closed before its body came.
fn torn() -> Response {
    let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "a fault that was asked for");
    let body = futures_util::stream::once(async move { Err::<Vec<u8>, _>(broken) });
    let mut response = Response::new(Body::from_stream(body));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("1000"));
    response
}
