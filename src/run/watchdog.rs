//! A thread that watches a session: it hears what is asked from outside, and when the session hangs (a native strategy
//! that does not return, a disk that does not answer) it does what must be done, with its own connection and signer.
//!
//! It shares with the session a counter that moves while the session does, a queue of requests, and the positions as
//! they were a moment ago. When it acts it writes a tape of its own beside the session's, and ends the process: the
//! next start reconciles.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bellwether_sdk::{Decimal, InstrumentKind, Side, Symbol, TimeInForce};

use super::control::{Asked, Claims};
use super::look::{LookAt, LookError, OrderWish, What, look};
use super::market::venue_key;
use crate::config::{Durability, OnHang, RiskSettings, Settings};
use crate::exchange::{Fault, OrderRef};
use crate::tape::{Record, TapeWriter};

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A session that was asked to stop at once and has not heard it for so long does not hear.
const HEARS_WITHIN: Duration = Duration::from_secs(2);
/// How often it tries to cancel before it gives an instrument up.
const TRIES: u32 = 5;

/// What session and watchdog share.
#[derive(Debug, Default)]
struct Shared {
    beat: AtomicU64,
    over: AtomicBool,
    asked: Mutex<VecDeque<Asked>>,
    /// Whether the queue has something: looked at where a lock would be too dear.
    waits: AtomicBool,
    positions: Mutex<BTreeMap<Symbol, Decimal>>,
}

impl Shared {
    fn push(&self, asked: Asked) {
        let mut queue = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back(asked);
        self.waits.store(true, Ordering::Relaxed);
    }

    /// Whether the kill switch was pulled and the session has not heard it. What else waits is no reason to act: one that
    /// heard the kill has its hands full for a while.
    fn kill_waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
            && self.asked.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|a| matches!(a, Asked::Kill { .. }))
    }
}

/// A watch over a session, as long as it lives.
pub(super) struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the watchdog needs to act by itself.
pub(super) struct Post {
    /// The session's settings.
    pub(super) settings: Settings,
    /// Its instruments, where it trades at venues; none for paper.
    pub(super) symbols: Vec<Symbol>,
    /// Its tape.
    pub(super) tape: Option<PathBuf>,
    /// Where requests come in.
    pub(super) claims: Arc<Claims>,
}

impl Watch {
    /// Begins to watch.
    pub(super) fn begin(post: Post) -> Self {
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        let spawned = std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || watch(&post, &its));
        if let Err(error) = &spawned {
            tracing::error!("the watchdog could not begin: {error}; nobody watches this session");
        }
        Self { shared, thread: spawned.ok() }
    }

    /// The session moves.
    #[inline]
    pub(super) fn beat(&self) {
        // Only the session writes it: no need for an atomic addition.
        self.shared.beat.store(self.shared.beat.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Whether somebody asks something.
    #[inline]
    pub(super) fn is_asked(&self) -> bool {
        self.shared.waits.load(Ordering::Relaxed)
    }

    /// What somebody asks, oldest first.
    pub(super) fn asked(&self) -> Option<Asked> {
        if !self.is_asked() {
            return None;
        }
        let mut asked = self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let first = asked.pop_front();
        self.shared.waits.store(!asked.is_empty(), Ordering::Relaxed);
        first
    }

    /// Positions as they are now.
    pub(super) fn note_positions(&self, positions: BTreeMap<Symbol, Decimal>) {
        *self.shared.positions.lock().unwrap_or_else(PoisonError::into_inner) = positions;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(post: &Post, shared: &Shared) {
    let hang = Duration::from_millis(post.settings.session.hang_ms);
    let mut signals = Signals::listen();
    let mut last = (0, Instant::now());
    let mut killed: Option<(Instant, bool)> = None;
    while !shared.over.load(Ordering::Relaxed) {
        match signals.wait(LOOK_EVERY).or_else(|| post.claims.asked()) {
            // The file stays where it is; it counts once, unless it asks for more.
            Some(Asked::Kill { flatten, .. }) if killed.is_some_and(|(_, done)| done || !flatten) => {}
            Some(asked) => {
                if let Asked::Kill { flatten, .. } = &asked {
                    killed = Some((Instant::now(), *flatten));
                }
                shared.push(asked);
            }
            None => {}
        }
        let beat = shared.beat.load(Ordering::Relaxed);
        if beat != last.0 {
            last = (beat, Instant::now());
        }
        if let Some((at, flatten)) = killed.filter(|(at, _)| at.elapsed() >= HEARS_WITHIN && shared.kill_waits()) {
            let ms = at.elapsed().as_millis();
            act(post, shared, &format!("the kill switch was pulled and for {ms} ms nobody heard it"), Some(flatten));
        }
        if !hang.is_zero() && last.1.elapsed() >= hang {
            let flatten = match post.settings.session.on_hang {
                OnHang::Leave => None,
                OnHang::Cancel => Some(false),
                OnHang::Flatten => Some(true),
            };
            act(post, shared, &format!("the session has not moved for {} ms", last.1.elapsed().as_millis()), flatten);
        }
    }
}

/// Cancels and closes in the session's place, and ends the process.
fn act(post: &Post, shared: &Shared, why: &str, flatten: Option<bool>) -> ! {
    let mut book = Logbook::open(post);
    book.note(&format!("watchdog acts: {why}"));
    let at = |symbol: &Symbol| LookAt {
        venue: venue_key(symbol).unwrap_or_default(),
        account: post.settings.session.account.clone(),
        real_money: true,
        ..LookAt::default()
    };
    // The limits were for what the session wanted; this only makes things smaller.
    let settings = Settings { risk: RiskSettings::default(), ..post.settings.clone() };
    let symbols: &[Symbol] = if flatten.is_some() { &post.symbols } else { &[] };
    for symbol in symbols {
        book.note(&format!("watchdog cancels all orders of {symbol}, also those of others"));
        for tries in 0..TRIES {
            match cancel_all(&settings, &at(symbol), symbol) {
                Ok(_) => {
                    book.note(&format!("watchdog cancelled all orders of {symbol}"));
                    break;
                }
                Err(error) => book.note(&format!("watchdog cancelling orders of {symbol} failed: {error}")),
            }
            std::thread::sleep(Duration::from_millis(200 << tries));
        }
    }
    let positions = shared.positions.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for (symbol, held) in positions.iter().filter(|(_, held)| flatten == Some(true) && held.mantissa() != 0) {
        let wish = closing(symbol, *held);
        book.note(&format!("watchdog closes {held} of {symbol}"));
        match look(&settings, &at(symbol), &What::Place(wish), Some(symbol.as_str())) {
            Ok(told) => book.note(&format!("watchdog closed {symbol}: {}", told["order"]["status"])),
            // A write is not repeated: it may have been done.
            Err(error) => book.note(&format!("watchdog closing {symbol} failed: {error}")),
        }
    }
    book.note("watchdog ends the process; go on with --resume, which reconciles");
    std::process::exit(1);
}

/// Cancels all open orders of an instrument: with one request, or where the venue has none, one by one.
fn cancel_all(settings: &Settings, at: &LookAt, symbol: &Symbol) -> Result<(), LookError> {
    match look(settings, at, &What::CancelAll, Some(symbol.as_str())) {
        Err(LookError::Venue(e)) if e.fault == Fault::Unsupported => {}
        done => return done.map(drop),
    }
    let told = look(settings, at, &What::Orders, Some(symbol.as_str()))?;
    let ids = told["orders"].as_array().into_iter().flatten().filter_map(|o| o["venue_id"].as_str());
    let mut failed = None;
    for id in ids {
        let cancel = What::Cancel(OrderRef::Venue(id.to_owned()));
        // One that cannot be cancelled does not keep the others.
        failed = look(settings, at, &cancel, Some(symbol.as_str())).err().or(failed);
    }
    failed.map_or(Ok(()), Err)
}

fn closing(symbol: &Symbol, held: Decimal) -> OrderWish {
    OrderWish {
        side: if held.is_positive() { Side::Sell } else { Side::Buy },
        qty: Decimal::new(held.mantissa().saturating_abs(), held.scale()),
        price: None,
        trigger: None,
        trail_pct: None,
        tif: TimeInForce::Gtc,
        post_only: false,
        reduce_only: symbol.kind() != InstrumentKind::Spot,
        client: None,
        reference: None,
    }
}

/// What the watchdog did, on a tape of its own: the session's belongs to the session.
struct Logbook {
    tape: Option<TapeWriter>,
}

impl Logbook {
    fn open(post: &Post) -> Self {
        let path = post.tape.as_ref().map(|p| p.with_extension("tape.watchdog"));
        let tape = path.and_then(|path| match TapeWriter::create(&path, Durability::Sync) {
            Ok(tape) => Some(tape),
            Err(error) => {
                // What must be done is done all the same.
                tracing::error!("the watchdog cannot write its tape: {error}");
                None
            }
        });
        Self { tape }
    }

    fn note(&mut self, line: &str) {
        tracing::error!("{line}");
        if let Some(tape) = &mut self.tape {
            let written = tape.append(&Record::Effect(line.to_owned())).and_then(|()| tape.sync());
            if let Err(error) = written {
                tracing::error!("the watchdog's tape: {error}");
                self.tape = None;
            }
        }
    }
}

/// The kill switch as signals: the first user signal cancels, the second also closes positions.
#[cfg(unix)]
struct Signals {
    runtime: Option<(tokio::runtime::Runtime, [tokio::signal::unix::Signal; 2])>,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let listened = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let inside = runtime.enter();
            let heard = [signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?];
            drop(inside);
            Ok::<_, std::io::Error>((runtime, heard))
        };
        let runtime = listened().inspect_err(|e| tracing::warn!("the kill switch does not hear signals: {e}")).ok();
        Self { runtime }
    }

    /// Waits for a signal, at most so long.
    fn wait(&mut self, at_most: Duration) -> Option<Asked> {
        let Some((runtime, [cancel, flatten])) = &mut self.runtime else {
            std::thread::sleep(at_most);
            return None;
        };
        let flatten = runtime.block_on(async {
            tokio::select! {
                biased;
                _ = flatten.recv() => Some(true),
                _ = cancel.recv() => Some(false),
                () = tokio::time::sleep(at_most) => None,
            }
        })?;
        Some(Asked::Kill { flatten, operator: "signal".to_owned(), reason: "a signal".to_owned() })
    }
}

/// Where there are no user signals.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    fn wait(&mut self, at_most: Duration) -> Option<Asked> {
        std::thread::sleep(at_most);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_after_a_heard_kill_is_no_reason_to_act() {
        let kill = || Asked::Kill { flatten: true, operator: "ann".to_owned(), reason: "drill".to_owned() };
        let watch = Watch { shared: Arc::new(Shared::default()), thread: None };
        watch.shared.push(kill());
        assert!(watch.shared.kill_waits());
        assert_eq!(watch.asked(), Some(kill()));
        watch.shared.push(Asked::Stop);
        assert!(watch.is_asked() && !watch.shared.kill_waits(), "the session heard it");
        watch.shared.push(kill());
        assert!(watch.shared.kill_waits(), "behind another request it waits all the same");
    }
}
