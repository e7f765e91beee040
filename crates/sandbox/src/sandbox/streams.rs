//! The market streams: `/ws/<stream>` and `/stream?streams=a/b`, SUBSCRIBE and UNSUBSCRIBE.

use std::time::{Duration, Instant};

use axum::extract::ws::WebSocket;
use serde_json::{Value, json};

use super::floor::Floor;
use super::hub::{Ear, Link};
use super::server::Hall;
use super::wire::{Gone, Heard, Wire};

/// Messages of a client per second.
const SAYS_PER_SECOND: u32 = 5;
/// Streams of a socket.
const STREAMS_MAX: usize = 1_024;
/// Messages handed on before the system is asked to send them.
const BATCH: usize = 256;

/// A place for a socket with its first streams.
pub(super) fn ear(hall: &Hall, streams: &str, combined: bool) -> Ear {
    let ear = Ear::new(hall.clone(), combined);
    // Some clients put a number where a stream's name may stand, and subscribe later.
    for stream in streams.split('/').filter(|n| n.contains('@')) {
        if let Err(why) = subscribe(&mut hall.floor(), ear.link, stream) {
            tracing::warn!(stream, why, "a client asks for a stream there is not");
        }
    }
    ear
}

/// Serves one socket until it is gone.
pub(super) async fn serve(socket: WebSocket, mut ear: Ear) {
    let (hall, link) = (ear.hall.clone(), ear.link);
    let mut wire = Wire::new(socket, hall.clone());
    let mut clock = tokio::time::interval(Duration::from_millis(250));
    let mut says = Says::default();
    loop {
        let done = tokio::select! {
            biased;
            heard = wire.hear() => match heard {
                Ok(Heard::Text(text)) if says.one_more() => {
                    let answer = said(&hall, link, text.as_str());
                    wire.reply(answer, 0).await
                }
                Ok(Heard::Text(_)) => Err(Gone),
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

/// Sends what waits, in batches.
pub(super) async fn hand_on(
    wire: &mut Wire,
    first: axum::extract::ws::Utf8Bytes,
    queue: &mut tokio::sync::mpsc::Receiver<axum::extract::ws::Utf8Bytes>,
) -> Result<(), Gone> {
    wire.event(first).await?;
    for _ in 1..BATCH {
        let Ok(next) = queue.try_recv() else { break };
        wire.event(next).await?;
    }
    wire.flush().await
}

/// Counts what a client says: too much in a second ends the connection.
#[derive(Default)]
struct Says {
    since: Option<Instant>,
    count: u32,
}

impl Says {
    fn one_more(&mut self) -> bool {
        let now = Instant::now();
        if self.since.is_none_or(|s| now.duration_since(s) >= Duration::from_secs(1)) {
            (self.since, self.count) = (Some(now), 0);
        }
        self.count += 1;
        self.count <= SAYS_PER_SECOND
    }
}

fn said(hall: &Hall, link: Link, text: &str) -> String {
    let request: Value = match serde_json::from_str(text) {
        Ok(request) => request,
        Err(e) => return failed(&Value::Null, 3, &format!("Invalid JSON: {e}")),
    };
    let id = request.get("id").cloned().unwrap_or(Value::Null);
    let names: Vec<String> = match request.get("params") {
        Some(Value::Array(list)) => {
            list.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect()
        }
        _ => Vec::new(),
    };
    let mut floor = hall.floor();
    let result = match request.get("method").and_then(Value::as_str) {
        Some("SUBSCRIBE") if !names.is_empty() => {
            for name in &names {
                if let Err(why) = subscribe(&mut floor, link, name) {
                    return failed(&id, 2, &format!("Invalid request: {why}"));
                }
            }
            Value::Null
        }
        Some("UNSUBSCRIBE") => {
            names.iter().for_each(|name| floor.hub.unsubscribe(link, name));
            Value::Null
        }
        Some("LIST_SUBSCRIPTIONS") => floor.hub.topics_of(link).into(),
        Some("SET_PROPERTY") => match request["params"].as_array().map(Vec::as_slice) {
            Some([Value::String(name), Value::Bool(on)]) if name == "combined" => {
                floor.hub.set_combined(link, *on);
                Value::Null
            }
            _ => return failed(&id, 0, "Unknown property"),
        },
        Some("GET_PROPERTY") if names == ["combined"] => floor.hub.is_combined(link).into(),
        _ => return failed(&id, 2, "Invalid request: unknown method or params"),
    };
    json!({"result": result, "id": id}).to_string()
}

fn failed(id: &Value, code: i64, words: &str) -> String {
    json!({"error": {"code": code, "msg": words}, "id": id}).to_string()
}

/// Subscribes a socket to a stream there is.
fn subscribe(floor: &mut Floor, link: Link, name: &str) -> Result<(), String> {
    if !exists(floor, name) {
        return Err(format!("there is no stream {name:?} in the sandbox"));
    }
    if floor.hub.topics_of(link).len() >= STREAMS_MAX {
        return Err(format!("more than {STREAMS_MAX} streams on one connection"));
    }
    floor.hub.subscribe(link, name);
    Ok(())
}

fn exists(floor: &Floor, name: &str) -> bool {
    let Some((symbol, kind)) = name.split_once('@') else { return false };
    let Some(market) = floor.markets.iter().find(|m| m.lower == symbol) else { return false };
    match kind {
        "trade" | "aggTrade" | "bookTicker" | "ticker" | "miniTicker" | "depth" | "depth@100ms" => true,
        "depth5" | "depth10" | "depth20" | "depth5@100ms" | "depth10@100ms" | "depth20@100ms" => true,
        _ => kind.strip_prefix("kline_").is_some_and(|interval| market.klines.of(interval).is_some()),
    }
}
