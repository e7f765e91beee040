//! Messages of a stream in its order: a listener of the server's that it forgets, and a gap on the way that is noticed.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt;

use super::link::NatsError;

/// A server that says nothing for twice so long is gone.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How long one request for messages stands.
const REQUEST: Duration = Duration::from_secs(20);

/// The server forgets a listener that does not ask for so long.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// Messages that are asked for at a time.
const BATCH: usize = 256;

/// A message, and its number in the stream.
pub(super) struct Pulled {
    pub(super) payload: Vec<u8>,
    /// The id that the sender gave it for the server.
    pub(super) id: Option<String>,
    pub(super) place: u64,
}

/// Messages of a stream, from a place on.
pub(super) struct Pull {
    messages: pull::Stream,
    name: String,
    /// Messages so far.
    number: u64,
    /// Messages that waited in the stream as it began.
    pub(super) waited: u64,
}

impl Pull {
    /// Begins to listen to a subject of a stream.
    pub(super) async fn begin(stream: &Stream, subject: &str, from: DeliverPolicy) -> Result<Self, NatsError> {
        let name = stream.cached_info().config.name.clone();
        let consumer = stream
            .create_consumer(pull::Config {
                deliver_policy: from,
                ack_policy: AckPolicy::None,
                filter_subject: subject.to_owned(),
                inactive_threshold: FORGOTTEN_AFTER,
                ..pull::Config::default()
            })
            .await
            .map_err(|e| NatsError::stream(&name, "listening to it", &e))?;
        let waited = consumer.cached_info().num_pending;
        let asked = consumer.stream().heartbeat(HEARTBEAT).expires(REQUEST).max_messages_per_batch(BATCH).messages();
        let messages = asked.await.map_err(|e| NatsError::stream(&name, "asking for messages", &e))?;
        Ok(Self { messages, name, number: 0, waited })
    }

    /// The next message. May be dropped and called again without loss.
    pub(super) async fn next(&mut self) -> Result<Pulled, NatsError> {
        let message = match self.messages.next().await {
            None => return Err(NatsError::Away("the server ended the stream's messages".to_owned())),
            Some(message) => message.map_err(|e| NatsError::Away(format!("the stream's messages broke off: {e}")))?,
        };
        let (place, nth) = {
            let info = message.info().map_err(|e| NatsError::stream(&self.name, "reading a message's place", &e))?;
            (info.stream_sequence, info.consumer_sequence)
        };
        self.number += 1;
        if nth != self.number {
            // One was lost between the server and us; the stream still has it.
            return Err(NatsError::Away(format!("message {} did not arrive, {nth} did", self.number)));
        }
        let id = id_of(message.headers.as_ref());
        Ok(Pulled { payload: message.payload.to_vec(), id, place })
    }
}

/// The id that the sender gave the message for the server.
pub(super) fn id_of(headers: Option<&async_nats::HeaderMap>) -> Option<String> {
    headers.and_then(|h| h.get(async_nats::header::NATS_MESSAGE_ID)).map(|v| v.as_str().to_owned())
}
