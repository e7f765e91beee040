//! Hears one subject: of a stream from where it was heard last, else what is said while we listen.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::Event;
use async_nats::jetstream::consumer::DeliverPolicy;
use bellwether_sdk::Ts;
use futures_util::StreamExt;

use super::link::{Link, NatsError};
use super::pull::{Pull, id_of};
use crate::config::NatsSource;
use crate::data::news::{FormError, Line};
use crate::exchange::machine::{Backoff, BackoffSettings};
use crate::keys::Token;
use crate::sources::Gate;
use crate::sources::gate::is_told;
use crate::sources::limits::PerMinute;

/// Waits between attempts.
const WAITS: BackoffSettings = BackoffSettings { first_ms: 500, max_ms: 10_000 };

/// How long a message waits for its turn before it looks again.
const TURN: Duration = Duration::from_millis(20);

/// A link that tells the gate what happens to it.
pub(super) fn link(settings: &NatsSource, token: Option<Token>, gate: &Arc<Gate>) -> Result<Link, String> {
    let (told, kept) = (Arc::clone(gate), !settings.stream.is_empty());
    let tell = move |event: &Event| {
        let (count, what) = match event {
            Event::Disconnected if kept => {
                ("disconnected", "the connection is gone; the stream keeps what is said".to_owned())
            }
            Event::Disconnected => {
                ("disconnected", "the connection is gone, and what is said meanwhile is lost".to_owned())
            }
            Event::SlowConsumer(_) => {
                ("lost_slow", "messages come faster than they are heard, and are lost".to_owned())
            }
            Event::ServerError(error) => ("server_errors", format!("the server says: {error}")),
            Event::ClientError(error) => ("client_errors", format!("the connection fails: {error}")),
            _ => return,
        };
        let times = told.count(count);
        if is_told(times) {
            told.tell(format!("{}: stale, {what} ({times})", told.name()));
        }
    };
    Link::new(&settings.url, token, Some(Arc::new(tell)))
}

/// Who listens.
pub(super) struct Listener {
    settings: NatsSource,
    link: Link,
    gate: Arc<Gate>,
    /// From here on the stream is heard at first.
    since: Ts,
    /// When the stream was made, and the number of its message that was heard last.
    last: Option<(i128, u64)>,
    pace: PerMinute,
    /// When a message was heard last, and whether the silence was told.
    heard: Instant,
    silent: bool,
}

impl Listener {
    pub(super) fn new(settings: NatsSource, link: Link, gate: Arc<Gate>, since: Ts) -> Self {
        let pace = PerMinute::new(settings.per_minute_max.max(1));
        Self { settings, link, gate, since, last: None, pace, heard: Instant::now(), silent: false }
    }

    /// Listens for ever.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(WAITS, 11);
        let mut said = String::new();
        loop {
            let before = self.heard;
            let ended = match self.settings.stream.is_empty() {
                true => self.hear_talk().await,
                false => self.hear_stream().await,
            };
            if self.heard != before {
                backoff.reset();
            }
            let Err(error) = ended;
            let (times, why) = (self.gate.count("calls_failed"), error.to_string());
            // Another trouble than the last is told at once.
            if is_told(times) || why != said {
                self.gate.tell(format!("{}: stale, {why} ({times}); it is tried again", self.gate.name()));
                said = why;
            }
            tokio::time::sleep(Duration::from_millis(backoff.next_ms())).await;
        }
    }

    /// What is said while we listen.
    async fn hear_talk(&mut self) -> Result<std::convert::Infallible, NatsError> {
        let client = self.link.client().await?;
        let failed = |e: &dyn std::fmt::Display| NatsError::Away(format!("subscribing: {e}"));
        let mut messages = client.subscribe(self.settings.subject.clone()).await.map_err(|e| failed(&e))?;
        loop {
            let next = tokio::time::timeout(Duration::from_secs(1), messages.next()).await;
            match next {
                Err(_) => self.note_silence(),
                Ok(None) => return Err(NatsError::Away("the subscription ended".to_owned())),
                Ok(Some(message)) => {
                    self.note_heard();
                    if !self.pace.lets(Instant::now()) {
                        let times = self.gate.count("too_many");
                        if is_told(times) {
                            let most = self.settings.per_minute_max;
                            self.gate.tell(format!("{}: over {most} messages in a minute ({times})", self.gate.name()));
                        }
                        continue;
                    }
                    let id = id_of(message.headers.as_ref());
                    // What is refused has been told by the gate.
                    if let Ok(line) = self.read(&message.payload, id) {
                        let _ = self.gate.take(line);
                    }
                }
            }
        }
    }

    /// What a stream keeps: a listener of the server's that it forgets, and the place in the stream that we remember.
    async fn hear_stream(&mut self) -> Result<std::convert::Infallible, NatsError> {
        let stream = self.link.stream(&self.settings.stream).await?;
        let info = stream.cached_info();
        let made = info.created.unix_timestamp_nanos();
        let from = self.begin(made, info.state.first_sequence)?;
        let mut pull = Pull::begin(&stream, &self.settings.subject, from).await?;
        loop {
            let message = match tokio::time::timeout(Duration::from_secs(1), pull.next()).await {
                Err(_) => {
                    self.note_silence();
                    continue;
                }
                Ok(message) => message?,
            };
            self.note_heard();
            while !self.pace.lets(Instant::now()) {
                tokio::time::sleep(TURN).await;
            }
            if let Ok(line) = self.read(&message.payload, message.id) {
                // A full mailbox is waited for: the stream keeps what comes. What is refused has been told by the gate.
                while let Err(FormError::Busy) = self.gate.offer(&line) {
                    tokio::time::sleep(TURN).await;
                }
            }
            self.last = Some((made, message.place));
        }
    }

    /// Where a stream is begun: after what was heard of it last.
    fn begin(&mut self, made: i128, first: u64) -> Result<DeliverPolicy, NatsError> {
        match self.last {
            Some((then, last)) if then == made => {
                if first > last + 1 {
                    self.gate.count("gone_from_stream");
                    let name = self.gate.name();
                    self.gate.tell(format!(
                        "{name}: stale, the stream now begins at message {first}, and {last} was heard last: what was \
                         said between them may be lost; let the stream keep more"
                    ));
                }
                Ok(DeliverPolicy::ByStartSequence { start_sequence: last + 1 })
            }
            other => {
                if other.is_some() {
                    self.gate.count("streams_anew");
                    self.gate.tell(format!(
                        "{}: stale, the stream was made anew; it is heard from its start",
                        self.gate.name()
                    ));
                    return Ok(DeliverPolicy::All);
                }
                let start_time = async_nats::datetime::from_nanos(i128::from(self.since.nanos()));
                let start_time =
                    start_time.map_err(|e| NatsError::stream(&self.settings.stream, "where to begin", &e))?;
                Ok(DeliverPolicy::ByStartTime { start_time })
            }
        }
    }

    /// A message as a line of our form; what does not read is counted and told.
    fn read(&self, payload: &[u8], id: Option<String>) -> Result<Line, FormError> {
        let max = self.settings.message_bytes_max;
        let read = || {
            if payload.len() > max {
                return Err(FormError::Large { bytes: payload.len(), max });
            }
            let text = std::str::from_utf8(payload).map_err(|e| FormError::Form(e.to_string()))?;
            let mut line = Line::parse(text)?;
            if let Line::Signal(signal) = &mut line {
                if let Some(id) = id.filter(|_| signal.id.is_empty()) {
                    signal.id = id;
                }
                signal.must_be_known_apart()?;
            }
            Ok(line)
        };
        read().inspect_err(|e| self.gate.refused(e))
    }

    fn note_heard(&mut self) {
        (self.heard, self.silent) = (Instant::now(), false);
        self.gate.count("messages");
    }

    fn note_silence(&mut self) {
        let most = self.settings.silent_max_s;
        if most > 0 && !self.silent && self.heard.elapsed().as_secs() >= most {
            self.silent = true;
            self.gate.count("stale");
            self.gate.tell(format!("{}: stale, no message for {most} s", self.gate.name()));
        }
    }
}
