//! Keeps a session's keys, on a thread of its own that may wait: reads them, tries them, watches their sources and what
//! operators say, brings new ones to the session and lets old ones go, and writes all of it into the audit.
//!
//! A change of a key goes: read → tried at the venue → offered to the [`Signing`] → its connections come up in the gateway →
//! it signs → the one before is spare for the overlap → let go, when it is silent and every process that shares the key
//! signs with the new one. The session's thread never waits for any of it. What a process that dies leaves behind is one of
//! two things: the order of an operator is written, and the next start takes its key, or it is not, and nothing was.

mod account;
mod alarms;
mod change;
mod due;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bellwether_sdk::{InstrumentId, Symbol, Ts};

use self::account::Account;
use self::due::Renewal;
use super::RunError;
use super::keyring::entries;
use super::market;
use super::paper::wall_now;
use crate::config::{NarrowSettings, Settings};
use crate::exchange::transport::{Live, LiveSettings, Transport};
use crate::keys::{Audit, Narrow, Signing};

/// How often the gateway looks whether keys changed, milliseconds.
const POLL_MS: u32 = 20;
/// How often sources and orders are looked at.
const TICK: Duration = Duration::from_millis(100);
/// How often a lease is renewed.
const LEASE_EVERY_NS: i64 = 1_000_000_000;
/// How often usage is written into the audit.
const USAGE_EVERY_NS: i64 = 600_000_000_000;
/// How often the audit's head is sent.
const HEAD_EVERY_NS: i64 = 3_600_000_000_000;
const MS: i64 = 1_000_000;

/// The keys of a session before it begins: read, and not yet tried.
pub struct Ring {
    accounts: Vec<Account>,
    audit: Audit,
    words: Words,
    accept_unknown: bool,
    overlap_ns: i64,
    recheck_ns: i64,
    poll_ns: i64,
    renewal: Renewal,
    head_command: Option<String>,
    head_due: Ts,
}

/// Who signs at the venues of a session.
#[derive(Default)]
pub struct Signings {
    by_venue: BTreeMap<String, Signing>,
    words: Words,
    /// Who keeps them; nobody where they are not to change.
    _keeper: Option<Keeper>,
}

impl Signings {
    /// Those of venues by their names in the settings, which stay as they are.
    pub fn fixed(by_venue: BTreeMap<String, Signing>) -> Self {
        Self { by_venue, ..Self::default() }
    }

    /// Who signs at a venue.
    pub(super) fn at(&self, venue: &str) -> Option<Signing> {
        self.by_venue.get(venue).cloned()
    }

    /// The keys of each account, which several venues may share.
    pub(super) fn all(&self) -> Vec<Signing> {
        let by_account: BTreeMap<&str, &Signing> = self.by_venue.values().map(|s| (s.account(), s)).collect();
        by_account.into_values().cloned().collect()
    }

    pub(super) fn words(&self) -> Words {
        self.words.clone()
    }
}

/// What people are to be told.
#[derive(Clone, Default)]
pub(super) struct Words(Arc<Mutex<VecDeque<String>>>);

impl Words {
    pub(super) fn say(&self, text: String) {
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() < 1_000 {
            words.push_back(text);
        }
    }

    pub(super) fn take(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}

impl Ring {
    /// Reads the keys of the accounts that a session trades on: `venues` are names in the settings.
    ///
    /// # Errors
    /// [`RunError`] where an account has no key that can be read.
    pub fn open(
        settings: &Settings,
        venues: &[String],
        state_dir: &Path,
        accept_unknown: bool,
    ) -> Result<Self, RunError> {
        let audit = Audit::new(state_dir, format!("process {}", std::process::id()));
        let words = Words::default();
        let mut accounts: Vec<Account> = Vec::new();
        for venue in venues {
            let entries = entries(&settings.key, venue, &settings.session.account)?;
            let Some(name) = entries.first().map(|e| e.account.clone()) else { continue };
            if accounts.iter().any(|a| a.name == name) {
                continue;
            }
            accounts.push(Account::read(settings, venue, name, entries, state_dir, &audit, &words)?);
        }
        let overlap_ns = i64::from(settings.keys.overlap_s) * 1_000 * MS;
        let recheck_ns = i64::from(settings.keys.recheck_hours) * 3_600_000 * MS;
        let poll_ns = i64::from(settings.keys.poll_s.max(1)) * 1_000 * MS;
        let renewal = Renewal {
            before_ns: i64::from(settings.keys.renew_before_hours) * 3_600_000 * MS,
            every_ns: i64::from(settings.keys.renew_every_s.max(1)) * 1_000 * MS,
        };
        Ok(Self {
            accounts,
            audit,
            words,
            accept_unknown,
            overlap_ns,
            recheck_ns,
            poll_ns,
            renewal,
            head_command: settings.keys.head_command.clone(),
            head_due: Ts::NONE,
        })
    }

    /// Tries all keys at their venues; those that do not fit are left out.
    ///
    /// # Errors
    /// [`RunError::Key`] where none of an account's fits.
    pub async fn admit(&mut self, transport: &dyn Transport) -> Result<(), RunError> {
        for account in &mut self.accounts {
            account.admit(&self.audit, &self.words, self.accept_unknown, transport).await?;
        }
        Ok(())
    }

    /// Sets the limits of the settings within which orders are signed; instruments are numbered as the session's symbols.
    ///
    /// # Errors
    /// [`RunError::Settings`] for a strategy or an instrument that is not of the session.
    pub(super) fn narrow(&self, settings: &Settings, symbols: &[Symbol]) -> Result<(), RunError> {
        for account in &self.accounts {
            let Some(signing) = &account.signing else { continue };
            let own = settings.key.iter().filter(|k| k.account == account.name).flat_map(|k| &k.narrow);
            let limits: Result<Vec<Narrow>, RunError> = own.map(|n| narrowed(n, settings, symbols)).collect();
            signing.narrow(limits?);
        }
        Ok(())
    }

    /// Who signs at a venue (its name in the settings).
    pub fn signing(&self, venue: &str) -> Option<Signing> {
        let base = venue.strip_suffix("_linear").unwrap_or(venue);
        let of = |v: &str| self.accounts.iter().find(|a| a.venue == v || a.name.split('/').next() == Some(v));
        of(venue).or_else(|| of(base)).and_then(|a| a.signing.clone())
    }

    /// Tries the keys, sets their limits, and begins to keep them.
    ///
    /// # Errors
    /// [`RunError`] where an account has no key that fits, or a limit is of something else.
    pub(super) async fn begin(mut self, settings: &Settings, transport: &dyn Transport) -> Result<Signings, RunError> {
        let symbols = market::symbols(settings)?;
        self.admit(transport).await?;
        self.narrow(settings, &symbols)?;
        let mut by_venue = BTreeMap::new();
        for symbol in &symbols {
            let venue = market::venue_key(symbol)?;
            if let Some(signing) = self.signing(&venue) {
                by_venue.insert(venue, signing);
            }
        }
        let words = self.words.clone();
        Ok(Signings { by_venue, words, _keeper: Some(self.keep()?) })
    }

    /// Begins to keep them, until what is given is dropped.
    ///
    /// # Errors
    /// [`RunError`] when the thread cannot be made.
    pub fn keep(self) -> Result<Keeper, RunError> {
        let stop = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&stop);
        let transport = Live::new(LiveSettings::default()).map_err(|e| RunError::Venue(e.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| RunError::Venue(format!("starting the keeper's runtime: {e}")))?;
        let mut ring = self;
        let thread = std::thread::Builder::new().name("keys".to_owned()).spawn(move || {
            for account in &mut ring.accounts {
                if let Some(signing) = &account.signing {
                    signing.watch_every(POLL_MS);
                }
            }
            while !heard.load(Ordering::Relaxed) {
                ring.send_head(wall_now());
                for i in 0..ring.accounts.len() {
                    ring.tick(i, &runtime, &transport);
                }
                std::thread::sleep(TICK);
            }
            ring.end();
        });
        let thread = thread.map_err(|e| RunError::Venue(format!("starting the keeper of keys: {e}")))?;
        Ok(Keeper { stop, thread: Some(thread) })
    }

    fn end(&mut self) {
        for account in &mut self.accounts {
            account.tell_news(&self.audit, &self.words, wall_now());
            account.write_usage(&self.audit);
            account.office.leave(&account.desk);
        }
    }

    /// Gives the audit's head to the command of the settings, every hour.
    fn send_head(&mut self, now: Ts) {
        let Some(command) = self.head_command.as_ref().filter(|_| self.head_due <= now) else { return };
        self.head_due = now.plus(HEAD_EVERY_NS);
        let head = match self.audit.read() {
            Ok(chain) => chain.head().to_owned(),
            Err(error) => return self.words.say(error.to_string()),
        };
        let mut sending = std::process::Command::new("sh");
        sending
            .args(["-c", command])
            .env("HEAD", head)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let words = self.words.clone();
        // It may take its time: nobody waits for it.
        std::thread::spawn(move || match sending.status() {
            Ok(status) if status.success() => {}
            Ok(status) => words.say(format!("keys.head_command ended with {status}: the audit's head was not sent")),
            Err(error) => words.say(format!("keys.head_command: {error}")),
        });
    }

    fn tick(&mut self, index: usize, runtime: &tokio::runtime::Runtime, transport: &dyn Transport) {
        let now = wall_now();
        let (overlap_ns, recheck_ns, poll_ns) = (self.overlap_ns, self.recheck_ns, self.poll_ns);
        let (accept, renewal) = (self.accept_unknown, self.renewal);
        let Some(account) = self.accounts.get_mut(index) else { return };
        account.tell_news(&self.audit, &self.words, now);
        account.hear_orders(&self.audit, &self.words, now);
        account.finish_closing(now);
        let probe = Probe { audit: &self.audit, words: &self.words, accept, poll_ns, runtime, transport };
        account.watch_sources(&probe, now);
        account.renew(&probe, renewal, now);
        account.let_go(&self.audit, overlap_ns, now);
        if account.check_due == Ts::NONE {
            // The start has just asked.
            account.check_due = now.plus(recheck_ns);
        }
        if recheck_ns > 0 && account.check_due <= now {
            account.check_due = now.plus(recheck_ns);
            account.check_again(&probe);
        }
        account.alarm(&self.audit, &self.words, now);
        account.renew_lease(now);
        if account.usage_due <= now {
            account.usage_due = now.plus(USAGE_EVERY_NS);
            account.write_usage(&self.audit);
        }
    }
}

/// What trying a key needs.
struct Probe<'a> {
    audit: &'a Audit,
    words: &'a Words,
    accept: bool,
    /// How often what costs a request is looked at again.
    poll_ns: i64,
    runtime: &'a tokio::runtime::Runtime,
    transport: &'a dyn Transport,
}

/// The thread that keeps the keys; it ends when this is dropped.
pub struct Keeper {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A keeper that panicked has said so on stderr.
            let _ = thread.join();
        }
    }
}

/// Writes into the audit; a log that cannot be written is told, and trading goes on.
fn write(audit: &Audit, words: &Words, event: &str, account: &str, key: &str, detail: &str) {
    if let Err(error) = audit.write(event, account, key, detail) {
        words.say(error.to_string());
    }
}

fn narrowed(n: &NarrowSettings, settings: &Settings, symbols: &[Symbol]) -> Result<Narrow, RunError> {
    let wrong = |why: String| RunError::Settings(format!("key.narrow: {why}"));
    let strategy = match n.strategy.as_str() {
        "" => None,
        id => {
            let at = settings.strategy.iter().position(|s| s.name() == id).and_then(|at| u16::try_from(at).ok());
            Some(at.ok_or_else(|| wrong(format!("the session has no strategy {id:?}")))?)
        }
    };
    let id_of = |symbol: &Symbol| {
        let at = symbols.iter().position(|s| s == symbol).and_then(|at| u16::try_from(at).ok());
        at.map(InstrumentId).ok_or_else(|| wrong(format!("{symbol} is no instrument of the session")))
    };
    let instruments = match n.instruments.is_empty() {
        true => None,
        false => Some(n.instruments.iter().map(id_of).collect::<Result<_, _>>()?),
    };
    Ok(Narrow {
        strategy,
        instruments,
        cancel_only: n.cancel_only,
        order_notional_max: n.order_notional_max,
        day_notional_max: n.day_notional_max,
    })
}
