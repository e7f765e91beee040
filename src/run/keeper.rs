//! Keeps a session's keys, on a thread of its own that may wait: reads them, tries them, watches their sources and what
//! operators say, brings new ones to the session and lets old ones go, and writes all of it into the audit.
//!
//! A change of a key goes: read → tried at the venue → offered to the [`Signing`] → its connections come up in the gateway →
//! it signs → the one before is spare for the overlap → let go, when it is silent and every process that shares the key
//! signs with the new one. The session's thread never waits for any of it. What a process that dies leaves behind is one of
//! two things: the order of an operator is written, and the next start takes its key, or it is not, and nothing was.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bellwether_sdk::{InstrumentId, Symbol, Ts};

use super::RunError;
use super::keyring::{KeyEntry, Loaded, Place, entries, office, tried, words};
use super::paper::wall_now;
use crate::config::{NarrowSettings, OnRevoke, Settings, StrategySettings};
use crate::exchange::Fault;
use crate::exchange::transport::{Live, LiveSettings, Transport};
use crate::keys::{Audit, Key, KeyError, KeyNews, Lease, Narrow, Office, Order, Signer, Signing, Use, Verdict};

/// How often the gateway looks whether keys changed, milliseconds.
const POLL_MS: u32 = 20;
/// How often sources and orders are looked at.
const TICK: Duration = Duration::from_millis(100);
/// How often a lease is renewed.
const LEASE_EVERY_NS: i64 = 1_000_000_000;
/// How often usage is written into the audit.
const USAGE_EVERY_NS: i64 = 600_000_000_000;
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
}

/// What people are to be told.
#[derive(Clone, Default)]
pub(super) struct Words(Arc<Mutex<VecDeque<String>>>);

impl Words {
    fn say(&self, text: String) {
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() < 1_000 {
            words.push_back(text);
        }
    }

    pub(super) fn take(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}

/// An account's keys.
struct Account {
    name: String,
    venue: String,
    place: Place,
    office: Office,
    /// The name of its lease.
    desk: String,
    lease: Lease,
    lease_due: Ts,
    loaded: Vec<Loaded>,
    signing: Option<Signing>,
    /// Orders that were carried out, by label.
    done: BTreeMap<String, u64>,
    /// What was said of sources that are down, so that it is said once.
    down: BTreeMap<String, String>,
    /// Since when the key in force signs.
    since: Ts,
    /// Keys whose first use is written.
    used: BTreeSet<String>,
    usage_due: Ts,
    check_due: Ts,
    permissions: String,
    /// A key is about to be revoked: only cancels until then.
    closing: Option<(Ts, Vec<String>)>,
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
        Ok(Self { accounts, audit, words, accept_unknown, overlap_ns, recheck_ns, poll_ns })
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

    pub(super) fn words(&self) -> Words {
        self.words.clone()
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

    fn tick(&mut self, index: usize, runtime: &tokio::runtime::Runtime, transport: &dyn Transport) {
        let now = wall_now();
        let (overlap_ns, recheck_ns, poll_ns) = (self.overlap_ns, self.recheck_ns, self.poll_ns);
        let accept = self.accept_unknown;
        let Some(account) = self.accounts.get_mut(index) else { return };
        account.tell_news(&self.audit, &self.words, now);
        account.hear_orders(&self.audit, &self.words, now);
        account.finish_closing(now);
        let probe = Probe { audit: &self.audit, words: &self.words, accept, runtime, transport };
        account.watch_sources(&probe, poll_ns, now);
        account.let_go(&self.audit, overlap_ns, now);
        if recheck_ns > 0 && account.check_due <= now {
            account.check_due = now.plus(recheck_ns);
            account.check_again(&probe);
        }
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

impl Account {
    fn read(
        settings: &Settings,
        venue: &str,
        name: String,
        entries: Vec<KeyEntry>,
        state_dir: &Path,
        audit: &Audit,
        words: &Words,
    ) -> Result<Self, RunError> {
        let office = office(state_dir, &name)?;
        let (mut loaded, mut first) = (Vec::new(), None);
        for entry in entries {
            let label = entry.label.clone();
            match Loaded::read(entry, &office) {
                Ok(one) => loaded.push(one),
                Err(error) => {
                    write(audit, words, "failed", &name, &label, &error.to_string());
                    words.say(format!("key {label} of {name}: {error}"));
                    first.get_or_insert(error);
                }
            }
        }
        if let Some(error) = first.filter(|_| loaded.is_empty()) {
            return Err(error.into());
        }
        let done = office.orders()?.into_iter().map(|(label, order)| (label, order.number)).collect();
        Ok(Self {
            place: Place::of(settings, venue)?,
            venue: venue.to_owned(),
            name,
            office,
            desk: format!("{}-{}", std::process::id(), wall_now().nanos()),
            lease: Lease { pid: std::process::id(), ..Lease::default() },
            lease_due: Ts::NONE,
            loaded,
            signing: None,
            done,
            down: BTreeMap::new(),
            since: Ts::NONE,
            used: BTreeSet::new(),
            usage_due: Ts::MAX,
            check_due: Ts::MAX,
            permissions: String::new(),
            closing: None,
        })
    }

    async fn admit(
        &mut self,
        audit: &Audit,
        words: &Words,
        accept: bool,
        transport: &dyn Transport,
    ) -> Result<(), RunError> {
        let counter = self.place.counter(transport);
        let (mut fit, mut refused) = (Vec::new(), Vec::new());
        for loaded in &self.loaded {
            let key = loaded.key()?;
            let (name, place) = (key.name(), loaded.source.place());
            write(audit, words, "loaded", &self.name, &name, &format!("scope {} from {place}", key.scope().name()));
            let tried = tried(&loaded.entry, &key, accept, &counter).await;
            match tried.verdict {
                Verdict::Fit(remarks) => {
                    let summary = tried.probed.permissions.as_ref().map_or_else(|_| String::new(), |p| p.summary());
                    let detail = format!("fit: {summary}; {}", self::words(&remarks));
                    write(audit, words, "probed", &self.name, &name, &detail);
                    if !remarks.is_empty() {
                        words.say(format!("key {name} of {}: {}", self.name, self::words(&remarks)));
                    }
                    if fit.is_empty() {
                        self.permissions = summary;
                    }
                    fit.push(key);
                }
                Verdict::Refused(why) => {
                    write(audit, words, "rejected", &self.name, &name, &why);
                    if tried
                        .probed
                        .failed()
                        .is_some_and(|e| matches!(e.fault, Fault::Transient | Fault::RateLimited { .. }))
                    {
                        return Err(RunError::Venue(format!("trying the key {name} of {}: {why}", self.name)));
                    }
                    refused.push(format!("the key {name} of {} is refused: {why}", self.name));
                }
            }
        }
        let trades = fit.iter().position(|k| k.scope() == crate::keys::Scope::Trade);
        let Some(at) = trades else {
            refused.push(format!("no key of {} that may trade is left", self.name));
            return Err(RunError::Key(refused.join("; ")));
        };
        refused.into_iter().for_each(|why| words.say(why));
        let key = fit.remove(at);
        self.since = wall_now();
        self.usage_due = self.since.plus(USAGE_EVERY_NS);
        self.check_due = self.since;
        self.signing = Some(Signing::new(self.name.clone(), key, fit));
        Ok(())
    }

    /// Writes down what happened to keys in the session.
    fn tell_news(&mut self, audit: &Audit, words: &Words, now: Ts) {
        let Some(signing) = &self.signing else { return };
        for news in signing.news() {
            let (event, key, detail) = match news {
                KeyNews::Switched { from, to } => {
                    self.since = now;
                    self.lease.failed.clear();
                    ("switched", to, format!("before: {from}"))
                }
                KeyNews::Withdrawn { key, why } => {
                    self.lease.failed.clone_from(&why);
                    ("withdrawn", key, why)
                }
                KeyNews::Refused { key, why, now: next } => {
                    self.since = now;
                    self.lease.failed.clone_from(&why);
                    ("refused", key, format!("{why}; signs now: {}", next.unwrap_or_else(|| "none".to_owned())))
                }
                KeyNews::Revoked { key, now: next } => {
                    self.since = now;
                    ("revoked", key, format!("signs now: {}", next.unwrap_or_else(|| "none".to_owned())))
                }
                KeyNews::Retired { key } => ("retired", key, "nobody signs with it any more".to_owned()),
            };
            if event != "retired" {
                words.say(format!("key {key} of {}: {event}; {detail}", self.name));
            }
            write(audit, words, event, &self.name, &key, &detail);
            self.lease_due = Ts::NONE;
        }
        let mut active = signing.spare();
        active.extend(signing.in_force());
        for key in active {
            if key.used().is_some() && self.used.insert(key.name()) {
                write(audit, words, "used", &self.name, &key.name(), "for the first time by this process");
            }
        }
    }

    /// Carries out what operators said.
    fn hear_orders(&mut self, audit: &Audit, words: &Words, now: Ts) {
        let orders = match self.office.orders() {
            Ok(orders) => orders,
            Err(error) => return self.source_down("orders", &error, audit, words),
        };
        self.down.remove("orders");
        for (label, order) in orders {
            if self.done.get(&label).is_some_and(|n| *n >= order.number) {
                continue;
            }
            self.done.insert(label.clone(), order.number);
            self.lease.order = self.lease.order.max(order.number);
            self.lease_due = Ts::NONE;
            self.revoke(&order, now);
            if let Some(at) = self.loaded.iter().position(|l| l.entry.label == label) {
                match self.loaded[at].entry.source(&self.office) {
                    Ok(source) => {
                        // Looked at by the next round as one that changed.
                        self.loaded[at].source = source;
                        self.loaded[at].mark.clear();
                        self.loaded[at].due = Ts::NONE;
                        self.lease.failed.clear();
                    }
                    Err(error) => self.lease.failed = error.to_string(),
                }
            }
        }
    }

    fn revoke(&mut self, order: &Order, now: Ts) {
        let Some(signing) = &self.signing else { return };
        signing.revoke(&|k: &Key| order.aside.contains(&k.fingerprint()));
        let is_meant = |k: &Key| order.revoked.contains(&k.fingerprint());
        let Some(key) = signing.in_force().filter(|k| is_meant(k)) else {
            signing.revoke(&is_meant);
            return;
        };
        let policy = self.loaded.iter().find(|l| l.entry.label == key.label()).map(|l| l.entry.on_revoke);
        let cancel = policy.unwrap_or_default() == OnRevoke::Cancel;
        let stands_in = signing.spare().iter().any(|k| !is_meant(k) && k.scope() == crate::keys::Scope::Trade);
        if cancel && !stands_in {
            // The last thing that it does.
            signing.close();
            signing.cancel_all();
            self.closing = Some((now.plus(2_000 * MS), order.revoked.clone()));
            return;
        }
        signing.revoke(&is_meant);
        if cancel {
            signing.cancel_all();
        }
    }

    fn finish_closing(&mut self, now: Ts) {
        if self.closing.as_ref().is_some_and(|(until, _)| *until <= now)
            && let (Some((_, revoked)), Some(signing)) = (self.closing.take(), &self.signing)
        {
            signing.revoke(&|k: &Key| revoked.contains(&k.fingerprint()));
        }
    }

    fn source_down(&mut self, label: &str, error: &KeyError, audit: &Audit, words: &Words) {
        let text = error.to_string();
        if self.down.insert(label.to_owned(), text.clone()).as_ref() != Some(&text) {
            words.say(format!("key {label} of {}: {text}; the key in force stays", self.name));
            write(audit, words, "source_down", &self.name, label, &text);
        }
    }

    /// Looks whether a source gives another key, and brings it.
    fn watch_sources(&mut self, probe: &Probe<'_>, poll_ns: i64, now: Ts) {
        for at in 0..self.loaded.len() {
            let loaded = &mut self.loaded[at];
            if now < loaded.due {
                continue;
            }
            if loaded.source.is_remote() {
                loaded.due = now.plus(poll_ns);
            }
            let label = loaded.entry.label.clone();
            let mark = match loaded.source.mark() {
                Ok(mark) if mark == loaded.mark => {
                    self.down.remove(&label);
                    continue;
                }
                Ok(mark) => mark,
                Err(error) => {
                    self.source_down(&label, &error, probe.audit, probe.words);
                    continue;
                }
            };
            match loaded.source.fetch(crate::keys::Stage::Pending) {
                Ok(material) => {
                    loaded.mark = mark;
                    self.down.remove(&label);
                    if !material.is_same(&loaded.material) {
                        self.bring(at, material, probe);
                    }
                }
                // Read again at the next round: it may have been written half.
                Err(error) => self.source_down(&label, &error, probe.audit, probe.words),
            }
        }
    }

    /// Tries a key that a source gives, and offers it to the session.
    fn bring(&mut self, at: usize, material: crate::keys::Material, probe: &Probe<'_>) {
        let (Some(signing), Some(loaded)) = (&self.signing, self.loaded.get_mut(at)) else { return };
        let place = loaded.source.place();
        let fingerprint = crate::keys::fingerprint(&material.key_id);
        let is_out = |o: &Order| o.revoked.contains(&fingerprint) || o.aside.contains(&fingerprint);
        if self.office.orders().is_ok_and(|orders| orders.values().any(is_out)) {
            self.lease.failed = "the key that the source gives is revoked or was left aside".to_owned();
            return;
        }
        let key = match loaded.entry.key(&material, &place) {
            Ok(key) => key,
            Err(error) => {
                self.lease.failed = error.to_string();
                let label = loaded.entry.label.clone();
                return self.source_down(&label, &error, probe.audit, probe.words);
            }
        };
        let name = key.name();
        let told = |event: &str, detail: &str| write(probe.audit, probe.words, event, &self.name, &name, detail);
        told("loaded", &format!("scope {} from {place}", key.scope().name()));
        let counter = self.place.counter(probe.transport);
        let tried = probe.runtime.block_on(tried(&loaded.entry, &key, probe.accept, &counter));
        match tried.verdict {
            Verdict::Refused(why) => {
                told("rejected", &why);
                probe.words.say(format!("the new key {name} of {} is not taken: {why}; the old one stays", self.name));
                self.lease.failed = why;
                // What is there now was judged; a torn pair is looked at again when its other half comes.
                self.lease_due = Ts::NONE;
            }
            Verdict::Fit(remarks) => {
                told("probed", &format!("fit; {}", words(&remarks)));
                let replaces = signing.in_force().is_some_and(|k| k.label() == key.label());
                if replaces || signing.in_force().is_none() {
                    if signing.offer(key).is_err() {
                        // One after the other: tried again when the one under way is done.
                        loaded.mark.clear();
                        return;
                    }
                } else {
                    signing.retire_label(&loaded.entry.label);
                    signing.add(key);
                }
                loaded.material = material;
                loaded.promoted = false;
            }
        }
    }

    /// Lets keys go that were replaced, when they are silent and no process signs with them.
    fn let_go(&mut self, audit: &Audit, overlap_ns: i64, now: Ts) {
        let Some(signing) = &self.signing else { return };
        let Some(current) = signing.in_force() else { return };
        if now < self.since.plus(overlap_ns) {
            return;
        }
        if let Some(loaded) = self.loaded.iter_mut().find(|l| l.entry.label == current.label())
            && !std::mem::replace(&mut loaded.promoted, true)
            && let Err(error) = loaded.source.promote(current.version())
        {
            write(audit, &Words::default(), "source_down", &self.name, &current.name(), &error.to_string());
        }
        let old = signing.spare().into_iter().filter(|k| k.label() == current.label());
        let silent = |k: &Key| k.used().is_none_or(|(_, last)| now >= last.plus(overlap_ns));
        for key in old.filter(|k| silent(k)).collect::<Vec<_>>() {
            let fingerprint = key.fingerprint();
            let leases = self.office.leases(now.nanos() / MS);
            if leases.iter().any(|l| l.fingerprint == fingerprint) {
                continue;
            }
            let name = key.name();
            if signing.retire(&name) {
                let detail = format!(
                    "{}; delete the key …{} at the venue: its page of API keys, or `bellwether keys retire {}`",
                    usage(&key),
                    crate::keys::tail(key.key_id()),
                    self.name
                );
                write(audit, &Words::default(), "let_go", &self.name, &name, &detail);
            }
        }
    }

    /// Asks the venue again what the key may do.
    fn check_again(&mut self, probe: &Probe<'_>) {
        let Some(signing) = &self.signing else { return };
        let Some(key) = signing.in_force() else { return };
        let Some(entry) = self.loaded.iter().map(|l| &l.entry).find(|e| e.label == key.label()) else { return };
        let counter = self.place.counter(probe.transport);
        let permissions = probe.runtime.block_on(counter.permissions(&*key));
        let (event, detail) = match &permissions {
            Err(error) => ("unchecked", format!("the venue was asked again what it may do: {error}")),
            Ok(p) => {
                let verdict = crate::keys::judge(entry.scope, Ok(p), wall_now(), probe.accept || entry.accept_unknown);
                let changed = !self.permissions.is_empty() && self.permissions != p.summary();
                self.permissions = p.summary();
                match verdict {
                    Verdict::Refused(why) => {
                        signing.revoke(&|k: &Key| k.fingerprint() == key.fingerprint());
                        ("scope_changed", format!("{why}; it is used no more"))
                    }
                    Verdict::Fit(_) if changed => ("scope_changed", self.permissions.clone()),
                    Verdict::Fit(_) => return,
                }
            }
        };
        probe.words.say(format!("key {} of {}: {detail}", key.name(), self.name));
        write(probe.audit, probe.words, event, &self.name, &key.name(), &detail);
    }

    fn renew_lease(&mut self, now: Ts) {
        let Some(signing) = &self.signing else { return };
        if now < self.lease_due {
            return;
        }
        self.lease_due = now.plus(LEASE_EVERY_NS);
        let lease = &mut self.lease;
        lease.seen_ms = now.nanos() / MS;
        let current = signing.in_force();
        lease.key = current.as_ref().map(|k| k.name()).unwrap_or_default();
        lease.fingerprint = current.as_ref().map(|k| k.fingerprint()).unwrap_or_default();
        lease.spare = signing.spare().iter().map(|k| k.name()).collect();
        let last = |k: &Arc<Key>| k.used().map_or(0, |(_, last)| last.nanos() / MS);
        lease.used_ms = current.as_ref().map_or(0, last);
        lease.old_used_ms = signing.spare().iter().map(last).max().unwrap_or(0);
        lease.uses = current.iter().flat_map(|k| Use::ALL.map(|u| (u.name().to_owned(), k.count(u)))).collect();
        if let Err(error) = self.office.renew(&self.desk, &self.lease) {
            tracing::warn!("{error}");
        }
    }

    fn write_usage(&mut self, audit: &Audit) {
        let Some(signing) = &self.signing else { return };
        let mut active = signing.spare();
        active.extend(signing.in_force());
        for key in active.iter().filter(|k| k.used().is_some()) {
            write(audit, &Words::default(), "usage", &self.name, &key.name(), &usage(key));
        }
    }
}

fn narrowed(n: &NarrowSettings, settings: &Settings, symbols: &[Symbol]) -> Result<Narrow, RunError> {
    let wrong = |why: String| RunError::Settings(format!("key.narrow: {why}"));
    let name = |s: &StrategySettings| if s.id.is_empty() { s.plugin.clone() } else { s.id.clone() };
    let strategy = match n.strategy.as_str() {
        "" => None,
        id => {
            let at = settings.strategy.iter().position(|s| name(s) == id).and_then(|at| u16::try_from(at).ok());
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

/// How often a key was used by this process, and when.
fn usage(key: &Key) -> String {
    let counts = Use::ALL.iter().filter(|u| key.count(**u) > 0).map(|u| format!("{} {}", u.name(), key.count(*u)));
    let counts: Vec<String> = counts.collect();
    let at = |ts: Ts| {
        jiff::Timestamp::from_nanosecond(i128::from(ts.nanos())).map_or_else(|_| String::new(), |t| t.to_string())
    };
    let when = key.used().map_or_else(String::new, |(first, last)| format!(" from {} to {}", at(first), at(last)));
    format!("used: {}{when}", if counts.is_empty() { "never".to_owned() } else { counts.join(", ") })
}
