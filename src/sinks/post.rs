//! The post of a session: one thread that sorts notices into the spools of its places and lets couriers deliver them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bellwether_sdk::{Instrument, Ts};
use tokio::sync::{Notify, mpsc};

use super::bus;
use super::courier::{Courier, Delivered, lock};
use super::digest::{Digest, next_at};
use super::disk::{Disk, LOOK_EVERY};
use super::file::Lines;
use super::http::{Form, Http};
use super::mail::Mail;
use super::market::{MarketCounts, Offering, Tap};
use super::quiet::Quiet;
use super::totp::from_base32;
use super::{Chats, Notice, Place, Spool, render};
use crate::config::{Settings, SinkKind, SinkSettings};
use crate::exchange::transport::{Live, LiveSettings, Transport};
use crate::keys::{KeyError, Token};
use crate::sources::Sender;

/// Notices that may wait for the post's thread.
const ROOM: usize = 4_096;

/// How long the last messages of a session are waited for.
const FAREWELL: Duration = Duration::from_secs(5);

/// Work of the post beside its couriers.
pub(super) type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tells the time of day.
pub type Clock = Arc<dyn Fn() -> Ts + Send + Sync>;

/// Finds the token of a kind and name.
pub type Tokens<'a> = &'a dyn Fn(&str, &str) -> Result<Token, KeyError>;

/// The post cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// A place's token is not there.
    #[error("sink {name}: {error}")]
    Key {
        /// The place.
        name: String,
        /// What is missing.
        error: KeyError,
    },
    /// A setting does not do.
    #[error("sink {name}: {why}")]
    Setting {
        /// The place.
        name: String,
        /// What is wrong and what to write.
        why: String,
    },
    /// A spool cannot be opened.
    #[error("sink {name}: opening its spool in {}: {why}", dir.display())]
    Spool {
        /// The place.
        name: String,
        /// The folder.
        dir: PathBuf,
        /// What the system says.
        why: String,
    },
    /// The thread cannot begin.
    #[error("starting the post: {0}")]
    Runtime(String),
}

/// What became of a place's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The place.
    pub name: String,
    /// Deliveries and failures.
    pub delivered: Delivered,
    /// Dropped: the spool was full.
    pub dropped: u64,
    /// Bytes that still wait on disk.
    pub waiting: u64,
}

/// The session that a post is of.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// Its instruments, by number.
    pub instruments: &'a [Instrument],
    /// What it hears of each.
    pub offerings: &'a [Offering],
    /// Its number.
    pub session: u64,
}

/// One place: what it wants, its spool, its courier's state.
struct Letterbox {
    name: String,
    settings: SinkSettings,
    quiet: Quiet,
    digest: Digest,
    digest_at: Ts,
    spool: Arc<Mutex<Spool>>,
    bell: Arc<Notify>,
    state: Arc<Mutex<Delivered>>,
    dropped: Arc<AtomicU64>,
}

/// Takes notices; delivers them on its own thread.
pub struct Post {
    out: Option<mpsc::Sender<Notice>>,
    lost: AtomicU64,
    places: Vec<Watched>,
    taps: Vec<(String, Tap)>,
    thread: Option<JoinHandle<()>>,
}

/// What the session's side keeps of a place.
struct Watched {
    name: String,
    spool: Arc<Mutex<Spool>>,
    state: Arc<Mutex<Delivered>>,
    dropped: Arc<AtomicU64>,
}

impl Post {
    /// Starts the post of the settings' sinks; `None` where there are none. Spools are in `sinks/` of the state folder.
    ///
    /// # Errors
    /// [`PostError`].
    pub fn start(
        settings: &Settings,
        state: &Path,
        tokens: Tokens<'_>,
        ask: Option<&Sender>,
        about: About<'_>,
    ) -> Result<Option<Self>, PostError> {
        Self::start_by(settings, state, tokens, ask, about, Arc::new(now))
    }

    /// The same by another clock than the machine's: a digest comes when that says so.
    ///
    /// # Errors
    /// [`PostError`].
    pub fn start_by(
        settings: &Settings,
        state: &Path,
        tokens: Tokens<'_>,
        ask: Option<&Sender>,
        about: About<'_>,
        clock: Clock,
    ) -> Result<Option<Self>, PostError> {
        if settings.sink.is_empty() {
            return Ok(None);
        }
        let transport: Arc<dyn Transport> =
            Arc::new(Live::new(LiveSettings::default()).map_err(|e| PostError::Runtime(e.to_string()))?);
        let dir = state.join("sinks");
        let (mut boxes, mut couriers, mut places) = (Vec::new(), Vec::new(), Vec::new());
        let (mut chats, mut taps, mut publishers) = (Vec::new(), Vec::new(), Vec::new());
        for (name, sink) in &settings.sink {
            let spool = Spool::open(&dir, name, sink.spool_bytes_max).map_err(|e| PostError::Spool {
                name: name.clone(),
                dir: dir.clone(),
                why: e.to_string(),
            })?;
            if let Some(ask) = ask.filter(|_| sink.kind == SinkKind::Telegram && !sink.allow.is_empty()) {
                chats.push(listener(name, sink, tokens, Arc::clone(&transport), ask)?);
            }
            if sink.kind == SinkKind::Nats && !sink.nats.market.is_empty() {
                let (tap, publisher) = bus::publisher(name, sink, tokens, about)?;
                taps.push((name.clone(), tap));
                publishers.push(publisher);
            }
            let spool = Arc::new(Mutex::new(spool));
            let (bell, state) = (Arc::new(Notify::new()), Arc::new(Mutex::new(Delivered::default())));
            let dropped = Arc::new(AtomicU64::new(0));
            couriers.push(Courier {
                name: name.clone(),
                place: place(name, sink, tokens, Arc::clone(&transport))?,
                spool: Arc::clone(&spool),
                bell: Arc::clone(&bell),
                state: Arc::clone(&state),
                // Programs read what is published there: they need no peace.
                per_minute_max: if sink.kind == SinkKind::Nats { u32::MAX } else { sink.per_minute_max },
                seed: couriers.len() as u64 + 1,
            });
            places.push(Watched {
                name: name.clone(),
                spool: Arc::clone(&spool),
                state: Arc::clone(&state),
                dropped: Arc::clone(&dropped),
            });
            boxes.push(Letterbox {
                name: name.clone(),
                settings: sink.clone(),
                quiet: Quiet::new(sink.clone()),
                digest: Digest::default(),
                digest_at: sink.digest_hour.map_or(Ts::MAX, |hour| next_at(hour, clock())),
                spool,
                bell,
                state,
                dropped,
            });
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| PostError::Runtime(e.to_string()))?;
        let (out, incoming) = mpsc::channel(ROOM);
        let waiting: Vec<_> = taps.iter().map(|(_, tap)| Arc::clone(tap.counts())).collect();
        let tasks = chats.into_iter().map(|c| Box::pin(c.run()) as Task).chain(publishers).collect();
        let disk = Disk::new(state, settings.session.disk_free_min_mb);
        let thread =
            std::thread::spawn(move || runtime.block_on(work(boxes, disk, couriers, tasks, waiting, incoming, clock)));
        Ok(Some(Self { out: Some(out), lost: AtomicU64::new(0), places, taps, thread: Some(thread) }))
    }

    /// Hands a notice over and returns at once; when thousands wait already it is counted as lost.
    pub fn send(&self, notice: Notice) {
        let taken = self.out.as_ref().is_some_and(|out| out.try_send(notice).is_ok());
        if !taken {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Where market data is handed over, for places that publish it.
    pub fn taps(&self) -> Vec<Tap> {
        self.taps.iter().map(|(_, tap)| tap.clone()).collect()
    }

    /// What became of the messages so far, and how many notices the post itself could not take.
    pub fn counts(&self) -> (Vec<Counts>, u64) {
        let of = |p: &Watched| Counts {
            name: p.name.clone(),
            delivered: lock(&p.state).clone(),
            dropped: p.dropped.load(Ordering::Relaxed),
            waiting: lock(&p.spool).waiting(),
        };
        (self.places.iter().map(of).collect(), self.lost.load(Ordering::Relaxed))
    }

    /// The counts by name, for the metrics.
    pub fn metrics(&self) -> Vec<(String, Vec<(&'static str, u64)>)> {
        let of = |c: &Counts| {
            let d = &c.delivered;
            let rows = [("delivered", d.sent), ("failed", d.failed), ("refused", d.refused), ("dropped", c.dropped)];
            (c.name.clone(), rows.into_iter().chain([("bytes_waiting", c.waiting)]).collect())
        };
        let market = |(name, tap): &(String, Tap)| {
            let (c, read) = (tap.counts(), |n: &AtomicU64| n.load(Ordering::Relaxed));
            let rows = [("published", read(&c.published)), ("dropped", read(&c.dropped)), ("failed", read(&c.failed))];
            (format!("{name} market"), rows.to_vec())
        };
        self.counts().0.iter().map(of).chain(self.taps.iter().map(market)).collect()
    }

    /// The counts in words, for a report.
    pub fn words(&self) -> Vec<String> {
        let (counts, lost) = self.counts();
        let of = |c: &Counts| {
            let mut text = format!("sink {}: {} delivered", c.name, c.delivered.sent);
            let more = [
                (c.delivered.failed, "attempts failed"),
                (c.delivered.refused, "refused for good"),
                (c.dropped, "dropped, the spool was full"),
                (c.waiting, "bytes wait on disk"),
            ];
            more.iter().filter(|(n, _)| *n > 0).for_each(|(n, what)| text.push_str(&format!(", {n} {what}")));
            if !c.delivered.trouble.is_empty() {
                text.push_str(&format!(" ({})", c.delivered.trouble));
            }
            text
        };
        let lost = (lost > 0).then(|| format!("{lost} messages came faster than they could be written down"));
        let market = |(name, tap): &(String, Tap)| {
            let counts = tap.counts();
            let of = |n: &AtomicU64| n.load(Ordering::Relaxed);
            let (sent, failed, dropped) = (of(&counts.published), of(&counts.failed), of(&counts.dropped));
            let mut text = format!("sink {name}: {sent} market events published");
            let more =
                [(dropped, "dropped, too many waited"), (failed, "attempts failed"), (counts.waiting(), "not sent")];
            more.iter().filter(|(n, _)| *n > 0).for_each(|(n, what)| text.push_str(&format!(", {n} {what}")));
            text
        };
        counts.iter().map(of).chain(lost).chain(self.taps.iter().map(market)).collect()
    }

    /// Ends the post: what is handed over is written down, and delivered where a place is up. What waits after a few
    /// seconds stays on disk for the next session.
    pub fn close(&mut self) {
        self.out = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the post has been told by its thread; the session ends all the same.
            let _ = thread.join();
        }
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.close();
    }
}

async fn work(
    mut boxes: Vec<Letterbox>,
    mut disk: Disk,
    couriers: Vec<Courier>,
    tasks: Vec<Task>,
    published: Vec<Arc<MarketCounts>>,
    mut incoming: mpsc::Receiver<Notice>,
    clock: Clock,
) {
    for task in tasks {
        tokio::spawn(task);
    }
    for courier in couriers {
        tokio::spawn(courier.run());
    }
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        let due = boxes.iter().map(|b| b.digest_at).min().unwrap_or(Ts::MAX);
        let wait = due.nanos().saturating_sub(clock().nanos()).clamp(0, 3_600_000_000_000);
        tokio::select! {
            biased;
            notice = incoming.recv() => match notice {
                Some(notice) => boxes.iter_mut().for_each(|b| b.sort(&notice)),
                None => break,
            },
            _ = look.tick() => if let Some(notice) = disk.look() {
                boxes.iter_mut().for_each(|b| b.sort(&notice));
            },
            () = tokio::time::sleep(Duration::from_nanos(wait.unsigned_abs())), if due != Ts::MAX => {
                let now = clock();
                boxes.iter_mut().filter(|b| b.digest_at <= now).for_each(|b| b.send_digest(now));
            }
        }
    }
    let until = Instant::now() + FAREWELL;
    let waits = |b: &Letterbox| lock(&b.spool).waiting() > 0 && lock(&b.state).trouble.is_empty();
    let is_away = |c: &Arc<MarketCounts>| c.away.load(Ordering::Relaxed);
    let market_waits = |c: &Arc<MarketCounts>| c.waiting() > 0 && !is_away(c);
    while Instant::now() < until && (boxes.iter().any(waits) || published.iter().any(market_waits)) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Letterbox {
    fn sort(&mut self, notice: &Notice) {
        self.digest.hear(notice);
        if let Some(standing) = notice.fields.get("standing") {
            self.digest.standing.clone_from(standing);
        }
        if !self.quiet.wants(notice) {
            return;
        }
        if let Some(kept) = self.quiet.lets(notice, Instant::now()) {
            let again = if kept > 0 { format!(" ({kept} times more before)") } else { String::new() };
            self.put(notice, &again);
        }
    }

    fn send_digest(&mut self, now: Ts) {
        let notice = self.digest.take(now);
        self.put(&notice, "");
        self.digest_at = self.settings.digest_hour.map_or(Ts::MAX, |hour| next_at(hour, now));
    }

    fn put(&self, notice: &Notice, more: &str) {
        let template = self.settings.templates.get(&notice.topic).map(String::as_str);
        let text = render(template, notice) + more;
        match lock(&self.spool).put(text, notice.clone()) {
            Ok(true) => {}
            Ok(false) => drop(self.dropped.fetch_add(1, Ordering::Relaxed)),
            Err(error) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(sink = self.name, %error, "a message cannot be written down");
            }
        }
        self.bell.notify_one();
    }
}

/// The place of a sink.
///
/// # Errors
/// [`PostError`].
pub fn place(
    name: &str,
    sink: &SinkSettings,
    tokens: Tokens<'_>,
    transport: Arc<dyn Transport>,
) -> Result<Box<dyn Place>, PostError> {
    let setting = |why: String| PostError::Setting { name: name.to_owned(), why };
    let must = |what: &str, value: &str, example: &str| {
        if value.is_empty() { Err(setting(format!("{what} is not set; write {example}"))) } else { Ok(()) }
    };
    let token = |kind: &str| tokens(kind, name).map_err(|error| PostError::Key { name: name.to_owned(), error });
    let http = |form: Form, usual: &str, token: Token| {
        let to = if sink.to.is_empty() { usual } else { sink.to.trim_end_matches('/') };
        Box::new(Http { form, to: to.to_owned(), token, transport: Arc::clone(&transport) }) as Box<dyn Place>
    };
    Ok(match sink.kind {
        SinkKind::File => {
            must("to", &sink.to, "the path of a file")?;
            Box::new(Lines::at(sink.path()))
        }
        SinkKind::Webhook => {
            must("to", &sink.to, "an address")?;
            http(Form::Webhook, "", token("webhook")?)
        }
        SinkKind::Telegram => {
            must("chat", &sink.chat, "the chat's id")?;
            let form = Form::Telegram { chat: sink.chat.clone() };
            http(form, "https://api.telegram.org", token("telegram")?)
        }
        SinkKind::Discord => http(Form::Discord, "https://discord.com/api/webhooks", slash(&token("discord")?)),
        SinkKind::Slack => http(Form::Slack, "https://hooks.slack.com/services", slash(&token("slack")?)),
        SinkKind::Mail => {
            must("to", &sink.to, "the server, e.g. smtps://user@mail.example.org")?;
            let password = if sink.to.contains('@') { Some(token("mail")?) } else { None };
            Box::new(Mail::new(&sink.to, &sink.from, &sink.chat, password.as_ref()).map_err(setting)?)
        }
        SinkKind::Nats => bus::subjects(name, sink, tokens)?,
    })
}

/// A bot that listens to the chats of a sink.
fn listener(
    name: &str,
    sink: &SinkSettings,
    tokens: Tokens<'_>,
    transport: Arc<dyn Transport>,
    ask: &Sender,
) -> Result<Chats, PostError> {
    let token = tokens("telegram", name).map_err(|error| PostError::Key { name: name.to_owned(), error })?;
    // Without a secret for codes the bot still answers questions.
    let codes = tokens("totp", name).ok().and_then(|secret| from_base32(secret.expose()));
    let url = if sink.to.is_empty() { "https://api.telegram.org" } else { sink.to.trim_end_matches('/') };
    Ok(Chats { url: url.to_owned(), token, allow: sink.allow.clone(), codes, transport, ask: ask.clone() })
}

/// The part of an address that is secret, from its slash on.
fn slash(token: &Token) -> Token {
    Token::new(format!("/{}", token.expose().trim_start_matches('/')))
}

/// The machine's clock.
pub(super) fn now() -> Ts {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ts::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
