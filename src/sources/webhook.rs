//! Incoming webhooks: a small server, on loopback unless told otherwise. Reads TradingView alerts and any other JSON by a
//! map of fields; believes nobody without the secret.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Map, Value, json};

use super::Gate;
use super::gate::now;
use super::limits::PerMinute;
use crate::config::{WebhookAuth, WebhookSource};
use crate::data::news::{FormError, Line};
use crate::keys::Token;

/// A body must have come within so long.
const BODY_WITHIN: Duration = Duration::from_secs(5);

/// The field of the secret in a message.
const SECRET: &str = "secret";

/// A webhook's server.
pub struct Webhook {
    settings: WebhookSource,
    token: Token,
    gate: Arc<Gate>,
    pace: Mutex<PerMinute>,
}

/// Why a request is turned away.
enum Refused {
    Unproven,
    TooMany,
    Slow,
    Form(FormError),
}

impl Webhook {
    /// A webhook that believes whoever knows the token.
    pub fn new(settings: WebhookSource, token: Token, gate: Arc<Gate>) -> Self {
        let pace = Mutex::new(PerMinute::new(settings.per_minute_max));
        Self { settings, token, gate, pace }
    }

    /// Its routes: `POST /`.
    pub fn routes(self: Arc<Self>) -> Router {
        Router::new().route("/", post(take)).with_state(self)
    }

    async fn hear(&self, request: Request<Body>) -> Result<String, Refused> {
        let (parts, body) = request.into_parts();
        if !self.pace.lock().unwrap_or_else(std::sync::PoisonError::into_inner).lets(Instant::now()) {
            return Err(Refused::TooMany);
        }
        let max = self.settings.body_bytes_max;
        let read = tokio::time::timeout(BODY_WITHIN, to_bytes(body, max)).await;
        let large = FormError::Large { bytes: max + 1, max };
        let body = read.map_err(|_| Refused::Slow)?.map_err(|_| Refused::Form(large))?;
        let text = std::str::from_utf8(&body).map_err(|e| Refused::Form(FormError::Form(e.to_string())))?;
        self.read(&parts.headers, text)
    }

    /// Proof first, then the message: who cannot prove himself learns nothing about its form.
    fn read(&self, headers: &HeaderMap, text: &str) -> Result<String, Refused> {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let proven = match self.settings.auth {
            WebhookAuth::Body => None,
            WebhookAuth::Header => Some(self.token.is(header("x-bellwether-secret"))),
            WebhookAuth::Hmac => Some(self.is_signed(header("x-bellwether-signature"), text)),
        };
        if proven == Some(false) {
            return Err(Refused::Unproven);
        }
        let value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(_) if proven.is_none() => return Err(Refused::Unproven),
            Err(e) => return Err(Refused::Form(FormError::Form(e.to_string()))),
        };
        let Value::Object(mut object) = value else {
            let unproven = proven.is_none();
            let form = FormError::Form("not an object".to_owned());
            return Err(if unproven { Refused::Unproven } else { Refused::Form(form) });
        };
        if proven.is_none() {
            let word = object.remove(SECRET);
            if !word.as_ref().and_then(Value::as_str).is_some_and(|word| self.token.is(word)) {
                return Err(Refused::Unproven);
            }
        }
        let line = self.message(object).inspect_err(|e| self.gate.refused(e));
        line.and_then(|line| self.gate.take(line)).map_err(Refused::Form)
    }

    /// `t=SECONDS,v1=HEX` of HMAC-SHA256 over `SECONDS.BODY`, not older than messages may be.
    fn is_signed(&self, header: &str, text: &str) -> bool {
        let part = |name: &str| header.split(',').find_map(|p| p.trim().strip_prefix(name));
        let (Some(seconds), Some(signature)) = (part("t="), part("v1=")) else { return false };
        let Ok(at) = seconds.parse::<i64>() else { return false };
        let age = now().nanos() / 1_000_000_000 - at;
        let max = i64::try_from(self.settings.age_max_s).unwrap_or(i64::MAX);
        let ahead = i64::try_from(self.settings.ahead_max_s).unwrap_or(i64::MAX);
        let Some(bytes) = from_hex(signature) else { return false };
        age <= max && age >= -ahead && self.token.verify(format!("{seconds}.{text}").as_bytes(), &bytes)
    }

    /// The message in our form: by the map of fields where there is one.
    fn message(&self, object: Map<String, Value>) -> Result<Line, FormError> {
        let given = Value::Object(object);
        let value = if self.settings.map.is_empty() { given } else { mapped(&self.settings, &given) };
        let has = |name: &str| value.get(name).is_some_and(|v| !v.is_null());
        // Without either, the same alert a week later could not be told from the same alert sent twice.
        if value.get("feature").is_none() && !has("id") && !has("made") {
            return Err(FormError::Field {
                field: "made",
                found: "nothing".to_owned(),
                wanted: "when it was made (TradingView: {{timenow}}), or an id",
            });
        }
        Line::from_value(value)
    }
}

/// Our fields out of a foreign message: each by a path of names and dots.
fn mapped(settings: &WebhookSource, given: &Value) -> Value {
    let at = |path: &str| path.split('.').try_fold(given, |here, name| here.get(name));
    let mut out = Map::new();
    for (field, path) in &settings.map {
        if let Some(value) = at(path).filter(|v| !v.is_null()) {
            let value = match (field.as_str(), value) {
                ("direction", Value::String(word)) => Value::String(word.to_ascii_lowercase()),
                ("instrument", Value::String(word)) => {
                    Value::String(settings.instruments.get(word).unwrap_or(word).clone())
                }
                (_, value) => value.clone(),
            };
            out.insert(field.clone(), value);
        }
    }
    Value::Object(out)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

async fn take(State(webhook): State<Arc<Webhook>>, request: Request<Body>) -> Response {
    match webhook.hear(request).await {
        Ok(id) => (StatusCode::OK, axum::Json(json!({"accepted": true, "id": id}))).into_response(),
        Err(refused) => webhook.turn_away(&refused),
    }
}

impl Webhook {
    fn turn_away(&self, refused: &Refused) -> Response {
        let (status, count, why) = match refused {
            Refused::Unproven => (StatusCode::UNAUTHORIZED, "unproven", "the secret or signature is wrong".to_owned()),
            Refused::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too_many", "too many requests in a minute".to_owned()),
            Refused::Slow => (StatusCode::REQUEST_TIMEOUT, "slow", "the body did not come in time".to_owned()),
            Refused::Form(error @ FormError::Large { .. }) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too_large", error.to_string())
            }
            Refused::Form(error @ FormError::Busy) => {
                (StatusCode::SERVICE_UNAVAILABLE, error.name(), error.to_string())
            }
            Refused::Form(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.name(), error.to_string()),
        };
        // The gate has counted and told what it refused itself.
        if !matches!(refused, Refused::Form(_)) || status == StatusCode::PAYLOAD_TOO_LARGE {
            let times = self.gate.count(count);
            if super::gate::is_told(times) {
                self.gate.tell(format!("{}: a request is turned away ({times}): {why}", self.gate.name()));
            }
        }
        (status, axum::Json(json!({"accepted": false, "why": why}))).into_response()
    }
}
