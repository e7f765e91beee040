//! The WebSocket API: `/ws-api/v3`. Requests by method name, sessions that are logged on, user data streams.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::ws::WebSocket;
use bellwether_sdk::Ts;
use serde_json::{Value, json};

use super::calls::{Caller, Needs, Op, Outcome, Request, Route};
use super::error::Refused;
use super::floor::clock;
use super::hub::{Ear, Link};
use super::klines::millis;
use super::params::Params;
use super::server::Hall;
use super::streams::hand_on;
use super::wire::{Gone, Heard, Wire};

/// One connection to the API.
struct Session {
    hall: Hall,
    link: Link,
    from: IpAddr,
    /// The key that is logged on, and since when.
    key: Option<(String, Ts)>,
    connected: Ts,
    /// Answers list the limits.
    with_limits: bool,
}

/// What to send, and how.
struct Reply {
    text: String,
    delay_ms: u64,
    reset: bool,
}

/// Serves one socket until it is gone.
pub(super) async fn serve(socket: WebSocket, mut ear: Ear, from: IpAddr, with_limits: bool) {
    let (hall, link) = (ear.hall.clone(), ear.link);
    let mut session = Session { hall: hall.clone(), link, from, key: None, connected: clock(), with_limits };
    let mut wire = Wire::new(socket, hall);
    let mut clock = tokio::time::interval(Duration::from_millis(250));
    loop {
        let done = tokio::select! {
            biased;
            heard = wire.hear() => match heard {
                Ok(Heard::Text(text)) => match session.heard(text.as_str()) {
                    Reply { reset: true, .. } => Err(Gone),
                    Reply { text, delay_ms, .. } => wire.reply(text, delay_ms).await,
                },
                Ok(Heard::Nothing) => Ok(()),
                Err(gone) => Err(gone),
            },
            message = ear.queue.recv() => match message {
                Some(first) => hand_on(&mut wire, first, &mut ear.queue).await,
                None => Err(Gone),
            },
            _ = clock.tick() => wire.keep().await,
        };
        if done.is_err() {
            return;
        }
    }
}

/// A call that belongs to the session; it weighs as little as a call can.
static OF_SESSION: Route = Route::made(Op::Account, Needs::Read);

impl Session {
    fn heard(&mut self, text: &str) -> Reply {
        self.hall.floor().flood.heard(text);
        self.said(text)
    }

    fn said(&mut self, text: &str) -> Reply {
        let request: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let id = request.get("id").cloned().unwrap_or(Value::Null);
        let Some(method) = request.get("method").and_then(Value::as_str) else {
            return self.answer(&id, None, Err(Refused::new(-1135, "Invalid JSON Request")));
        };
        let params = match Params::of_json(request.get("params")) {
            Ok(params) => params,
            Err(refused) => return self.answer(&id, None, Err(refused)),
        };
        // Of the connection, or of one request.
        let with_limits = match params.get("returnRateLimits") {
            Some(text) => text != "false",
            None => self.with_limits,
        };
        let known = self.of_session(method, &params);
        if let Some(reply) = known {
            return self.answer(&id, None, reply.map(|v| v.to_string()));
        }
        let Some(route) = Route::of_ws(method) else {
            return self.answer(&id, None, Err(Refused::new(-1020, "This operation is not supported.")));
        };
        let payload = params.sorted_payload();
        let named = params.get("apiKey");
        let on = self.key.as_ref().map(|(key, _)| key.as_str());
        let signed = named.is_some() || params.get("signature").is_some() || on.is_none();
        let request = Request {
            route,
            params: &params,
            from: self.from,
            key: named.or(on),
            signed: signed.then_some(payload.as_str()),
        };
        let outcome = self.hall.floor().serve(&request);
        let outcome = (&outcome, with_limits);
        self.answer(&id, Some(outcome), outcome.0.reply.clone())
    }

    fn answer(&self, id: &Value, outcome: Option<(&Outcome, bool)>, reply: Result<String, Refused>) -> Reply {
        let (outcome, with_limits) = outcome.map_or((None, self.with_limits), |(o, limits)| (Some(o), limits));
        let mut text = match &reply {
            Ok(result) => format!(r#"{{"id":{id},"status":200,"result":{result}"#),
            Err(refused) => {
                let mut error = refused.body();
                if let Some(after) = refused.retry_after {
                    let now = millis(self.hall.floor().venue_now());
                    let until = now.saturating_add(i64::try_from(after).unwrap_or(0).saturating_mul(1_000));
                    error["data"] = json!({"serverTime": now, "retryAfter": until});
                }
                format!(r#"{{"id":{id},"status":{},"error":{error}"#, refused.status)
            }
        };
        if with_limits {
            let mut rows = vec![self.hall.floor().limits.weight_row(self.from)];
            if let Some((ten, day)) = outcome.and_then(|o| o.orders) {
                let s = self.hall.floor().limits.settings;
                rows.push(json!({"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": s.orders_per_10s, "count": ten}));
                rows.push(json!({"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": s.orders_per_day, "count": day}));
            }
            text.push_str(&format!(r#","rateLimits":{}"#, Value::from(rows)));
        }
        text.push('}');
        Reply { text, delay_ms: outcome.map_or(0, |o| o.delay_ms), reset: outcome.is_some_and(|o| o.reset) }
    }

    /// Answers what concerns the session itself; `None` for anything else.
    fn of_session(&mut self, method: &str, p: &Params) -> Option<Result<Value, Refused>> {
        Some(match method {
            "session.logon" => self.log_on(p),
            "session.status" => Ok(self.status()),
            "session.logout" => {
                self.key = None;
                Ok(self.status())
            }
            "userDataStream.subscribe" => self.follow(p, false),
            "userDataStream.subscribe.signature" => self.follow(p, true),
            "userDataStream.unsubscribe" => self.unfollow(p),
            _ => return None,
        })
    }

    fn status(&self) -> Value {
        let now = millis(self.hall.floor().venue_now());
        json!({
            "apiKey": self.key.as_ref().map(|(key, _)| key),
            "authorizedSince": self.key.as_ref().map(|(_, since)| millis(*since)),
            "connectedSince": millis(self.connected),
            "returnRateLimits": self.with_limits,
            "serverTime": now,
        })
    }

    fn signed(&self, p: &Params) -> Result<Caller, Refused> {
        let payload = p.sorted_payload();
        let key = Some(p.need("apiKey")?);
        let request = Request { route: &OF_SESSION, params: p, from: self.from, key, signed: Some(&payload) };
        self.hall.floor().authenticate(&request)
    }

    fn log_on(&mut self, p: &Params) -> Result<Value, Refused> {
        let caller = self.signed(p)?;
        p.finish()?;
        let scheme = self.hall.floor().keys.get(&caller.key).map_or("", super::keys::ApiKey::scheme);
        if scheme != "ED25519" {
            return Err(Refused::new(-4056, format!("{scheme} API key is not supported.")));
        }
        self.key = Some((caller.key, clock()));
        Ok(self.status())
    }

    fn follow(&mut self, p: &Params, signed: bool) -> Result<Value, Refused> {
        let account = if signed {
            self.signed(p)?.account
        } else {
            let (key, _) = self.key.as_ref().ok_or_else(|| {
                Refused::new(-1002, "You are not authorized to execute this request.").with_status(401)
            })?;
            let floor = self.hall.floor();
            let key = floor.keys.get(key).ok_or_else(Refused::bad_key)?;
            key.admits(self.from, clock())?;
            key.account.clone()
        };
        p.finish()?;
        let mut floor = self.hall.floor();
        floor.account(&account).map_err(|e| Refused::new(-1000, e.to_string()).with_status(500))?;
        let number = floor.hub.follow(self.link, &account);
        let number = number.ok_or_else(|| Refused::new(-2035, "User Data Stream subscription already active."))?;
        Ok(json!({"subscriptionId": number}))
    }

    fn unfollow(&mut self, p: &Params) -> Result<Value, Refused> {
        let number = p.int("subscriptionId")?.map(|n| u64::try_from(n).unwrap_or(u64::MAX));
        p.finish()?;
        let ended = self.hall.floor().hub.unfollow(self.link, number);
        if ended { Ok(json!({})) } else { Err(Refused::new(-2036, "User Data Stream subscription not active.")) }
    }
}
