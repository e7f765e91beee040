//! What the sandbox has and no venue: faults, keys, steps and money by request, guarded by the token of the start.
//!
//! `GET|POST /sandbox/faults`, `GET|POST|DELETE /sandbox/keys`, `GET /sandbox/refused`, `POST /sandbox/step`,
//! `POST /sandbox/deposit`, with the header `X-Sandbox-Token`.

use axum::body::{Bytes, to_bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::fault::Faults;
use super::floor::clock;
use super::keys::{ApiKey, MAIN};
use super::server::{Hall, json as answer};

/// Answers an admin request.
pub(super) async fn handle(
    State(hall): State<Hall>,
    Path(what): Path<String>,
    request: axum::extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let token = parts.headers.get("x-sandbox-token").map(axum::http::HeaderValue::as_bytes);
    if token != Some(hall.token.as_bytes()) {
        return failed(StatusCode::UNAUTHORIZED, "send the token of the start in X-Sandbox-Token");
    }
    let body = to_bytes(body, 64 * 1024).await.unwrap_or_default();
    match (parts.method.as_str(), what.as_str()) {
        ("GET", "faults") => ok(json!(hall.floor().faults())),
        ("POST", "faults") => set_faults(&hall, &body),
        ("GET", "keys") => ok(hall.floor().keys.list().map(ApiKey::shown).collect()),
        ("POST", "keys") => put_key(&hall, &body),
        ("DELETE", "keys") => {
            let id = value(&body).get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            let gone = hall.floor().keys.remove(&id);
            if gone { ok(json!({})) } else { failed(StatusCode::NOT_FOUND, "no such key") }
        }
        ("GET", "refused") => ok(json!({"keys": hall.floor().keys.refused})),
        ("POST", "step") => step(&hall, &body),
        ("POST", "deposit") => deposit(&hall, &body),
        _ => failed(StatusCode::NOT_FOUND, "there are faults, keys, refused, step and deposit"),
    }
}

fn value(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap_or(Value::Null)
}

fn ok(value: Value) -> Response {
    answer(StatusCode::OK, value.to_string())
}

fn failed(status: StatusCode, words: &str) -> Response {
    answer(status, json!({"error": words}).to_string())
}

/// All faults anew: what is not named is off.
fn set_faults(hall: &Hall, body: &Bytes) -> Response {
    let read = serde_json::from_slice::<Faults>(body).map_err(|e| e.to_string());
    match read.and_then(|f| f.checked().map_err(|e| e.to_string())) {
        Ok(faults) => {
            hall.floor().set_faults(faults);
            ok(json!(faults))
        }
        Err(why) => failed(StatusCode::BAD_REQUEST, &why),
    }
}

/// `{"key": "id:secret:perm,…"}`, as with `--key`.
fn put_key(hall: &Hall, body: &Bytes) -> Response {
    let text = value(body).get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
    match ApiKey::parse(&text) {
        Ok(key) => {
            let shown = key.shown();
            hall.floor().keys.put(key);
            ok(shown)
        }
        Err(why) => failed(StatusCode::BAD_REQUEST, &why.to_string()),
    }
}

/// `{"events": n, "symbol": "BTCUSDT"}`: the next events of one market or of all, at once.
fn step(hall: &Hall, body: &Bytes) -> Response {
    let request = value(body);
    let events = request.get("events").and_then(Value::as_u64).unwrap_or(1).min(1_000_000);
    let mut floor = hall.floor();
    let market = match request.get("symbol").and_then(Value::as_str) {
        None => None,
        Some(name) => match floor.market(name) {
            Some(market) => Some(market),
            None => return failed(StatusCode::BAD_REQUEST, "no such symbol"),
        },
    };
    match floor.step(market, usize::try_from(events).unwrap_or(usize::MAX)) {
        Ok(played) => ok(json!({"played": played})),
        Err(why) => failed(StatusCode::INTERNAL_SERVER_ERROR, &why.to_string()),
    }
}

/// `{"asset": "USDT", "amount": "500", "account": "main"}`: money comes in or, below zero, leaves.
fn deposit(hall: &Hall, body: &Bytes) -> Response {
    let request = value(body);
    let text = |key: &str| request.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = Some(text("account")).filter(|n| !n.is_empty()).unwrap_or_else(|| MAIN.to_owned());
    let Ok(amount) = text("amount").parse::<bellwether_sdk::Decimal>() else {
        return failed(StatusCode::BAD_REQUEST, "send the amount as text, as in \"500\" or \"-20.5\"");
    };
    let mut floor = hall.floor();
    let done = match floor.account(&name) {
        Ok(account) => account.pay_in(&text("asset"), amount, clock()),
        Err(why) => Err(why.to_string()),
    };
    match done {
        Ok(()) => ok(json!({})),
        Err(why) => failed(StatusCode::BAD_REQUEST, &why),
    }
}
