//! Signals, notices and market data on NATS. JetStream keeps them, and takes a message of one id once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_trait::async_trait;
use bellwether_sdk::{Instrument, Ts};
use tokio::sync::mpsc;

use super::file::as_json;
use super::market::{MarketCounts, Numbered, Offering, form};
use super::{Message, Place, Undelivered, post};
use crate::config::NatsSink;
use crate::exchange::machine::{Backoff, BackoffSettings};
use crate::sources::nats::{Link, MarketForm, NatsError, StreamSpec, subject_of, told, word};

/// Waits between attempts to publish market data.
const WAITS: BackoffSettings = BackoffSettings { first_ms: 250, max_ms: 5_000 };

/// Market events that are published together.
const BATCH: usize = 256;

/// How often it is said what is published.
const OFFERED_EVERY: Duration = Duration::from_secs(60);

/// Something for the server: subject, id, text.
struct Parcel {
    subject: String,
    id: String,
    body: Vec<u8>,
}

/// A stream that is published to.
struct Outlet {
    link: Link,
    spec: StreamSpec,
    /// Whether the stream is known to be there.
    ready: bool,
}

impl Outlet {
    /// Publishes parcels; all of them are at the server when it returns.
    async fn send(&mut self, parcels: &[Parcel]) -> Result<(), Undelivered> {
        if !self.ready {
            self.link.make(&self.spec).await.map_err(later)?;
            self.ready = true;
        }
        let context = self.link.jetstream().await.map_err(later)?;
        let mut answers = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            let message = PublishMessage::build().payload(parcel.body.clone().into()).message_id(&parcel.id);
            answers.push(context.send_publish(parcel.subject.clone(), message).await);
        }
        let mut result = Ok(());
        for answer in answers {
            let done = match answer {
                Ok(waiting) => waiting.await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                // The stream may have been taken away, or changed.
                self.ready = self.ready && error.kind() != PublishErrorKind::StreamNotFound;
                let failed = match error.kind() {
                    PublishErrorKind::MaxPayloadExceeded => Undelivered::Never { why: error.to_string() },
                    PublishErrorKind::StreamNotFound => Undelivered::later(format!(
                        "no stream takes {}; let stream {} have it among its subjects",
                        self.spec.subjects.join(", "),
                        self.spec.name
                    )),
                    _ => Undelivered::later(format!("{}: {error}", self.link.url())),
                };
                // What is worth trying again counts more than what never will be.
                if !(matches!(failed, Undelivered::Never { .. }) && result.is_err()) {
                    result = Err(failed);
                }
            }
        }
        result
    }
}

fn later(error: NatsError) -> Undelivered {
    Undelivered::later(error.to_string())
}

/// Subjects of messages, kept by a stream.
pub(super) struct Subjects {
    outlet: Outlet,
    prefix: String,
}

impl Subjects {
    pub(super) fn new(link: Link, of: &NatsSink) -> Self {
        let prefix = word(&of.prefix);
        let spec = StreamSpec {
            name: of.stream.clone(),
            subjects: ["signal", "feature", "notice"].map(|what| format!("{prefix}.{what}.>")).to_vec(),
            age_max_s: of.stream_age_max_s,
            bytes_max: of.stream_bytes_max,
        };
        Self { outlet: Outlet { link, spec, ready: false }, prefix }
    }

    /// A signal in its own documented form; anything else as the message that it is.
    fn parcel(&self, message: &Message) -> Parcel {
        let signal = message.notice.signal.as_ref();
        let text = |name: &str| signal.and_then(|s| s.get(name)).and_then(serde_json::Value::as_str);
        match (signal, text("instrument")) {
            (Some(signal), Some(instrument)) => Parcel {
                subject: format!("{}.signal.{}", self.prefix, subject_of(instrument)),
                id: text("id").unwrap_or(&message.id).to_owned(),
                body: signal.to_string().into_bytes(),
            },
            _ => Parcel {
                subject: format!("{}.notice.{}", self.prefix, word(&message.notice.topic)),
                id: message.id.clone(),
                body: as_json(message).into_bytes(),
            },
        }
    }
}

#[async_trait]
impl Place for Subjects {
    async fn deliver(&mut self, message: &Message) -> Result<(), Undelivered> {
        let parcel = self.parcel(message);
        self.outlet.send(&[parcel]).await
    }
}

/// Market data on its way to a stream.
pub(super) struct Publisher {
    outlet: Outlet,
    prefix: String,
    /// What no other run's messages begin with.
    run: String,
    instruments: Vec<Instrument>,
    /// What is published of each.
    offerings: Vec<Offering>,
    events: mpsc::Receiver<Numbered>,
    counts: Arc<MarketCounts>,
    backoff: Backoff,
}

impl Publisher {
    pub(super) fn new(
        link: Link,
        of: &NatsSink,
        run: String,
        instruments: &[Instrument],
        offerings: &[Offering],
        events: mpsc::Receiver<Numbered>,
        counts: Arc<MarketCounts>,
    ) -> Self {
        let prefix = word(&of.prefix);
        let spec = StreamSpec {
            name: of.market_stream.clone(),
            subjects: vec![format!("{prefix}.market.>")],
            age_max_s: of.stream_age_max_s,
            bytes_max: of.market_bytes_max,
        };
        let offered = |o: &Offering| Offering { kinds: o.published(&of.market), ..o.clone() };
        Self {
            outlet: Outlet { link, spec, ready: false },
            prefix,
            run,
            instruments: instruments.to_vec(),
            offerings: offerings.iter().map(offered).collect(),
            events,
            counts,
            backoff: Backoff::new(WAITS, 5),
        }
    }

    /// Publishes until nothing comes any more: first what is offered, and that again every minute, since a stream forgets.
    pub(super) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut offer = tokio::time::interval(OFFERED_EVERY);
        offer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut offers = 0u64;
        loop {
            tokio::select! {
                biased;
                _ = offer.tick() => {
                    offers += 1;
                    let parcels = self.offers(offers);
                    self.send(&parcels).await;
                }
                taken = self.events.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        return;
                    }
                    let parcels: Vec<Parcel> = batch.drain(..).filter_map(|event| self.parcel(&event)).collect();
                    self.send(&parcels).await;
                    self.counts.published.fetch_add(parcels.len() as u64, Ordering::Relaxed);
                }
            }
        }
    }

    /// Sends parcels in order. What a server that is away does not take is tried again; what is too large for it is
    /// dropped.
    async fn send(&mut self, parcels: &[Parcel]) {
        while let Err(error) = self.outlet.send(parcels).await {
            if let Undelivered::Never { why } = &error {
                tracing::warn!(why, "market data is refused for good");
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                break;
            }
            self.counts.away.store(true, Ordering::Relaxed);
            if self.counts.failed.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::warn!(%error, "market data is not published yet");
            }
            tokio::time::sleep(Duration::from_millis(self.backoff.next_ms())).await;
        }
        self.counts.away.store(false, Ordering::Relaxed);
        self.backoff.reset();
    }

    fn parcel(&self, of: &Numbered) -> Option<Parcel> {
        let form = of.event.form(&self.instruments)?;
        Some(self.wrap(&form, format!("{}-{}-m{}", self.run, of.event.instrument().index(), of.number)))
    }

    fn offers(&self, number: u64) -> Vec<Parcel> {
        let of = |(i, (instrument, offering)): (usize, (&Instrument, &Offering))| {
            let what = told(instrument, offering.fees, offering.kinds.clone());
            self.wrap(&form(instrument, post::now(), Ts::NONE, what), format!("{}-{i}-i{number}", self.run))
        };
        self.instruments.iter().zip(&self.offerings).enumerate().map(of).collect()
    }

    fn wrap(&self, form: &MarketForm, id: String) -> Parcel {
        let subject = format!("{}.market.{}.{}", self.prefix, form.what.word(), subject_of(&form.instrument));
        // A form is plain data, so writing it cannot fail.
        Parcel { subject, id, body: serde_json::to_vec(form).unwrap_or_default() }
    }
}
