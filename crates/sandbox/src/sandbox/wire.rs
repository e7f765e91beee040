//! One socket to a client, with the faults that befall its messages.

use std::time::{Duration, Instant};

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use futures_util::{SinkExt, StreamExt};

use super::floor::clock;
use super::klines::millis;
use super::server::Hall;

/// How often the venue pings, and how long it waits for the pong.
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(60);

/// The socket is gone, or is to be torn down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gone;

/// What came in or is due.
pub(super) enum Heard {
    Text(Utf8Bytes),
    /// Of no matter: a pong, a ping that is answered already.
    Nothing,
}

/// What befalls one message.
#[derive(Debug, Clone, Copy, Default)]
struct Fate {
    delay_ms: u64,
    lost: bool,
    twice: bool,
    late: bool,
    silent: bool,
    torn: bool,
}

/// A socket.
pub(super) struct Wire {
    socket: WebSocket,
    hall: Hall,
    sent: u64,
    /// A message that goes out after the next.
    held: Option<Utf8Bytes>,
    opened: Instant,
    answered: Instant,
    next_ping: Instant,
    announced: bool,
}

impl Wire {
    pub(super) fn new(socket: WebSocket, hall: Hall) -> Self {
        let now = Instant::now();
        Self {
            socket,
            hall,
            sent: 0,
            held: None,
            opened: now,
            answered: now,
            next_ping: now + PING_EVERY,
            announced: false,
        }
    }

    /// The next text of the client.
    pub(super) async fn hear(&mut self) -> Result<Heard, Gone> {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => Ok(Heard::Text(text)),
            Some(Ok(Message::Pong(_) | Message::Ping(_))) => {
                self.answered = Instant::now();
                Ok(Heard::Nothing)
            }
            Some(Ok(Message::Binary(_))) => Ok(Heard::Nothing),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Gone),
        }
    }

    fn fate(&mut self) -> Fate {
        let mut floor = self.hall.floor();
        let f = *floor.faults();
        self.sent += 1;
        if f.disconnect > 0 && self.sent > f.disconnect {
            return Fate { torn: true, ..Fate::default() };
        }
        if f.stale > 0 && self.sent > f.stale {
            return Fate { silent: true, ..Fate::default() };
        }
        Fate {
            delay_ms: floor.dice.delay_ms(&f),
            lost: floor.dice.happens(f.drop),
            twice: floor.dice.happens(f.duplicate),
            late: floor.dice.happens(f.reorder),
            ..Fate::default()
        }
    }

    /// Sends a message of a stream, as the faults have it; [`Wire::flush`] follows.
    pub(super) async fn event(&mut self, text: Utf8Bytes) -> Result<(), Gone> {
        let fate = self.fate();
        if fate.torn {
            self.flush().await?;
            return Err(Gone);
        }
        if fate.silent || fate.lost {
            return Ok(());
        }
        if fate.delay_ms > 0 {
            self.flush().await?;
            tokio::time::sleep(Duration::from_millis(fate.delay_ms)).await;
        }
        if fate.late && self.held.is_none() {
            self.held = Some(text);
            return Ok(());
        }
        if fate.twice {
            self.feed(text.clone()).await?;
        }
        self.feed(text).await?;
        match self.held.take() {
            Some(held) => self.feed(held).await,
            None => Ok(()),
        }
    }

    async fn feed(&mut self, text: Utf8Bytes) -> Result<(), Gone> {
        self.socket.feed(Message::Text(text)).await.map_err(|_| Gone)
    }

    /// Hands what was sent to the system.
    pub(super) async fn flush(&mut self) -> Result<(), Gone> {
        self.hall.floor().flood.leaving();
        self.socket.flush().await.map_err(|_| Gone)
    }

    /// Answers a request, after a delay.
    pub(super) async fn reply(&mut self, text: String, delay_ms: u64) -> Result<(), Gone> {
        if delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
        self.socket.send(Message::Text(text.into())).await.map_err(|_| Gone)
    }

    /// Pings when it is time, gives up on a client that does not answer, and ends a socket that has lived its time.
    pub(super) async fn keep(&mut self) -> Result<(), Gone> {
        let now = Instant::now();
        let lifetime = self.hall.floor().faults().lifetime_s;
        if lifetime > 0 {
            let lived = now - self.opened;
            if lived >= Duration::from_secs(lifetime + 1) {
                return Err(Gone);
            }
            if lived >= Duration::from_secs(lifetime) && !std::mem::replace(&mut self.announced, true) {
                let text = format!(r#"{{"e":"serverShutdown","E":{}}}"#, millis(clock()));
                self.socket.send(Message::Text(text.into())).await.map_err(|_| Gone)?;
            }
        }
        if now >= self.next_ping {
            if now.duration_since(self.answered) > PING_EVERY + PONG_WITHIN {
                return Err(Gone);
            }
            self.next_ping = now + PING_EVERY;
            let payload = millis(clock()).to_string().into_bytes();
            self.socket.send(Message::Ping(payload.into())).await.map_err(|_| Gone)?;
        }
        Ok(())
    }
}
