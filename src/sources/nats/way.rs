//! The way to the bus, for the machine that listens to venues: what is asked and heard at a `nats://` address goes to the server,
//! everything else by the usual way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::link::{Link, NatsError};
use super::pull::{Pull, Pulled};
use super::venue::{LAST, SINCE};
use crate::config::BusFeed;
use crate::exchange::transport::{Frame, Socket, Text, Transport, TransportError};
use crate::exchange::{Request, Response};
use crate::keys::Token;

/// Messages that may wait for the session; beyond, the stream keeps them.
const ROOM: usize = 4_096;

/// How long a history may take, and how much it may be.
const HISTORY_WITHIN: Duration = Duration::from_secs(20);
const HISTORY_MAX: u64 = 200_000;

/// How far a subject was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Heard {
    /// When its stream was made.
    made: i128,
    /// The number in the stream of the message that was heard last.
    place: u64,
    /// The publisher's run, and the number that it gave its message.
    last: Option<(String, u64)>,
}

/// What a message says of those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Follows {
    /// It is the next, or nobody numbers them.
    Next,
    /// It was heard before.
    Again,
    /// What it follows was not heard: why.
    Not(String),
}

impl Heard {
    /// Judges a message by its id, `RUN-mNUMBER`.
    fn judge(&self, id: Option<&str>, subject: &str) -> Follows {
        let Some((run, number)) = numbered(id) else { return Follows::Next };
        match &self.last {
            Some((before, last)) if before == run => match number {
                n if n <= *last => Follows::Again,
                n if n == last + 1 => Follows::Next,
                n => Follows::Not(format!("messages {} to {} of {subject} are lost", last + 1, n - 1)),
            },
            Some(_) => Follows::Not(format!("another publisher of {subject} began, or the same anew")),
            None => Follows::Next,
        }
    }

    /// A message was heard.
    fn hear(&mut self, id: Option<&str>, place: u64) {
        self.place = place;
        if let Some((run, number)) = numbered(id) {
            self.last = Some((run.to_owned(), number));
        }
    }

    /// A message will be heard anew, and nothing is missed before it.
    fn expect(&mut self, id: Option<&str>, place: u64) {
        self.place = place.saturating_sub(1);
        self.last = numbered(id).map(|(run, number)| (run.to_owned(), number.saturating_sub(1)));
    }
}

fn numbered(id: Option<&str>) -> Option<(&str, u64)> {
    let (run, number) = id?.rsplit_once("-m")?;
    Some((run, number.parse().ok()?))
}

/// What all connections of a session share.
struct Shared {
    link: tokio::sync::Mutex<Link>,
    settings: BusFeed,
    heard: Mutex<BTreeMap<String, Heard>>,
}

impl Shared {
    fn heard(&self) -> MutexGuard<'_, BTreeMap<String, Heard>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn stream(&self) -> Result<Stream, NatsError> {
        self.link.lock().await.stream(&self.settings.stream).await
    }

    /// Listens to a subject until something is wrong; says what.
    async fn listen(&self, subject: &str, out: &mpsc::Sender<Frame>) -> Result<(), NatsError> {
        let stream = self.stream().await?;
        let info = stream.cached_info();
        let (made, last) = (info.created.unix_timestamp_nanos(), info.state.last_sequence);
        let from = {
            let mut all = self.heard();
            // At first what comes from now on: what was said before would be acted on too late.
            let anew = Heard { made, place: last, last: None };
            let heard = all.entry(subject.to_owned()).or_insert_with(|| anew);
            if heard.made != made {
                *heard = Heard { made, place: 0, last: None };
            }
            DeliverPolicy::ByStartSequence { start_sequence: heard.place + 1 }
        };
        let mut pull = Pull::begin(&stream, subject, from).await?;
        loop {
            let message = pull.next().await?;
            let id = message.id.as_deref();
            let follows = {
                let mut all = self.heard();
                let Some(heard) = all.get_mut(subject) else { continue };
                let follows = heard.judge(id, subject);
                match follows {
                    Follows::Not(_) => heard.expect(id, message.place),
                    _ => heard.hear(id, message.place),
                }
                follows
            };
            match follows {
                Follows::Again => continue,
                Follows::Not(why) => return Err(NatsError::Away(why)),
                Follows::Next => {}
            }
            if out.send(Frame::Text(self.text(message))).await.is_err() {
                return Ok(());
            }
        }
    }

    /// What cannot be a message becomes a text that no codec takes.
    fn text(&self, message: Pulled) -> Text {
        let (bytes, most) = (message.payload.len(), self.settings.message_bytes_max);
        if bytes > most {
            return format!("<a message of {bytes} bytes; {most} are allowed>").into();
        }
        String::from_utf8(message.payload).map_or_else(|_| "<a message that is no UTF-8>".into(), Text::from)
    }

    async fn last(&self, subjects: &[String]) -> Result<Vec<String>, NatsError> {
        let stream = self.stream().await?;
        let mut texts = Vec::new();
        for subject in subjects {
            match stream.get_last_raw_message_by_subject(subject).await {
                Ok(message) => texts.push(String::from_utf8_lossy(&message.payload).into_owned()),
                Err(e) if e.kind() == LastRawMessageErrorKind::NoMessageFound => {
                    return Err(NatsError::Away(format!(
                        "nothing was published on {subject} of stream {:?}; start its publisher, with that kind of data among \
                         its sink's `nats.market`",
                        self.settings.stream
                    )));
                }
                Err(e) => return Err(NatsError::stream(&self.settings.stream, &format!("asking for {subject}"), &e)),
            }
        }
        Ok(texts)
    }

    async fn since(&self, subject: &str, from_ns: i64) -> Result<Vec<String>, NatsError> {
        let name = &self.settings.stream;
        let stream = self.stream().await?;
        let start_time = async_nats::datetime::from_nanos(i128::from(from_ns.max(0)))
            .map_err(|e| NatsError::stream(name, "where to begin", &e))?;
        let mut pull = Pull::begin(&stream, subject, DeliverPolicy::ByStartTime { start_time }).await?;
        let mut texts = Vec::new();
        if pull.waited > HISTORY_MAX {
            let waited = pull.waited;
            return Err(NatsError::Away(format!("{waited} messages of {subject} since then; {HISTORY_MAX} are read")));
        }
        for _ in 0..pull.waited {
            let message = pull.next().await?;
            texts.push(self.text(message).to_string());
        }
        Ok(texts)
    }

    async fn answer(&self, request: &Request) -> Result<Vec<String>, NatsError> {
        let wrong = || NatsError::Away(format!("no question: {} {}", request.path, request.query));
        match request.path.as_str() {
            LAST => self.last(&serde_json::from_str::<Vec<String>>(&request.body).map_err(|_| wrong())?).await,
            SINCE => {
                let (subject, from) = request.query.split_once(' ').ok_or_else(wrong)?;
                self.since(subject, from.parse().map_err(|_| wrong())?).await
            }
            _ => Err(wrong()),
        }
    }
}

/// A transport that also knows the way to a NATS server.
pub struct BusWay {
    other: Arc<dyn Transport>,
    shared: Arc<Shared>,
}

impl BusWay {
    /// The way to the server of the settings, and all other ways by `other`.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn new(settings: &BusFeed, token: Option<Token>, other: Arc<dyn Transport>) -> Result<Self, String> {
        let link = tokio::sync::Mutex::new(Link::new(&settings.url, token, None)?);
        let shared = Shared { link, settings: settings.clone(), heard: Mutex::default() };
        Ok(Self { other, shared: Arc::new(shared) })
    }

    fn is_mine(&self, url: &str) -> bool {
        url == self.shared.settings.url
    }
}

#[async_trait]
impl Transport for BusWay {
    async fn http(&self, base_url: &str, request: &Request) -> Result<Response, TransportError> {
        if !self.is_mine(base_url) {
            return self.other.http(base_url, request).await;
        }
        let answer = tokio::time::timeout(HISTORY_WITHIN, self.shared.answer(request)).await;
        let (status, body) = match answer {
            Ok(Ok(texts)) => (200, serde_json::Value::from(texts).to_string()),
            Ok(Err(error)) => (503, error.to_string()),
            Err(_) => (503, format!("{base_url} does not answer in time")),
        };
        Ok(Response { status, headers: Vec::new(), body })
    }

    async fn connect(&self, url: &str) -> Result<Box<dyn Socket>, TransportError> {
        if !self.is_mine(url) {
            return self.other.connect(url).await;
        }
        self.shared.stream().await.map_err(|e| TransportError::NotSent(e.to_string()))?;
        let (out, frames) = mpsc::channel(ROOM);
        Ok(Box::new(BusSocket { shared: Arc::clone(&self.shared), out, frames, tasks: Vec::new() }))
    }
}

/// What is heard of subjects. What is said on it is the subject.
struct BusSocket {
    shared: Arc<Shared>,
    out: mpsc::Sender<Frame>,
    frames: mpsc::Receiver<Frame>,
    tasks: Vec<JoinHandle<()>>,
}

#[async_trait]
impl Socket for BusSocket {
    async fn send(&mut self, text: &str) -> Result<(), TransportError> {
        let (shared, out, subject) = (Arc::clone(&self.shared), self.out.clone(), text.to_owned());
        self.tasks.push(tokio::spawn(async move {
            let ended = shared.listen(&subject, &out).await;
            let why = ended.err().map_or_else(|| "the session listens no more".to_owned(), |e| e.to_string());
            // Who does not listen any more needs no reason.
            let _ = out.send(Frame::Closed(why)).await;
        }));
        Ok(())
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Frame> {
        self.frames.poll_recv(context).map(|frame| frame.unwrap_or_else(|| Frame::Closed("closed".to_owned())))
    }

    async fn close(&mut self) {
        self.tasks.drain(..).for_each(|task| task.abort());
    }
}

impl Drop for BusSocket {
    fn drop(&mut self) {
        self.tasks.drain(..).for_each(|task| task.abort());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_heard_is_noticed_and_what_was_is_passed_over() {
        let mut heard = Heard { made: 1, place: 4, last: None };
        assert_eq!(heard.judge(Some("run-m7"), "s"), Follows::Next, "the first of all says nothing of those before");
        heard.hear(Some("run-m7"), 5);
        assert_eq!(heard.judge(Some("run-m8"), "s"), Follows::Next);
        assert_eq!(heard.judge(Some("run-m7"), "s"), Follows::Again);
        assert_eq!(heard.judge(None, "s"), Follows::Next, "not every publisher numbers its messages");
        assert_eq!(heard.judge(Some("run-i1"), "s"), Follows::Next);
        assert_eq!(heard.judge(Some("run-m11"), "s"), Follows::Not("messages 8 to 10 of s are lost".to_owned()));
        heard.expect(Some("run-m11"), 9);
        assert_eq!((heard.place, heard.judge(Some("run-m11"), "s")), (8, Follows::Next), "a gap is told once");
        assert!(matches!(heard.judge(Some("other-m1"), "s"), Follows::Not(_)));
        heard.expect(Some("other-m1"), 12);
        assert_eq!(heard.judge(Some("other-m1"), "s"), Follows::Next);
    }
}
