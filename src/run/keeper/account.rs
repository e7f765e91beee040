//! The keys of one account in a session: read and tried at the start, told of, obeyed for, leased.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bellwether_sdk::Ts;

use super::alarms::Alarms;
use super::{LEASE_EVERY_NS, MS, USAGE_EVERY_NS, Words, write};
use crate::config::{OnRevoke, Settings};
use crate::exchange::transport::Transport;
use crate::keys::{Audit, Key, KeyNews, Lease, Office, Order, Scope, Signing, Use, Verdict};
use crate::run::RunError;
use crate::run::keyring::{self, KeyEntry, Loaded, Place, office, tried};
use crate::run::paper::wall_now;

/// An account's keys.
pub(super) struct Account {
    pub(super) name: String,
    pub(super) venue: String,
    pub(super) place: Place,
    pub(super) office: Office,
    /// The name of its lease.
    pub(super) desk: String,
    pub(super) lease: Lease,
    pub(super) lease_due: Ts,
    pub(super) loaded: Vec<Loaded>,
    pub(super) signing: Option<Signing>,
    /// Orders that were carried out, by label.
    pub(super) done: BTreeMap<String, u64>,
    /// What was said of sources that are down, so that it is said once.
    pub(super) down: BTreeMap<String, String>,
    /// Since when the key in force signs.
    pub(super) since: Ts,
    /// Keys whose first use is written.
    pub(super) used: BTreeSet<String>,
    pub(super) usage_due: Ts,
    pub(super) check_due: Ts,
    /// When keys that are due are looked for again.
    pub(super) renew_due: Ts,
    pub(super) permissions: String,
    pub(super) alarms: Alarms,
    /// A key is about to be revoked: only cancels until then.
    pub(super) closing: Option<(Ts, Vec<String>)>,
}

impl Account {
    pub(super) fn read(
        settings: &Settings,
        venue: &str,
        name: String,
        entries: Vec<KeyEntry>,
        state_dir: &Path,
        audit: &Audit,
        words: &Words,
    ) -> Result<Self, RunError> {
        let office = office(settings, state_dir, &name)?;
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
            alarms: Alarms::new(audit, &name),
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
            check_due: Ts::NONE,
            renew_due: Ts::NONE,
            permissions: String::new(),
            closing: None,
        })
    }

    pub(super) async fn admit(
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
                    let ends = tried.probed.permissions.as_ref().map_or(Ts::NONE, |p| p.expires);
                    self.alarms.know(&key, loaded.material.created, ends, wall_now());
                    let summary = tried.probed.permissions.as_ref().map_or_else(|_| String::new(), |p| p.summary());
                    let detail = format!("fit: {summary}; {}", keyring::words(&remarks));
                    write(audit, words, "probed", &self.name, &name, &detail);
                    if !remarks.is_empty() {
                        words.say(format!("key {name} of {}: {}", self.name, keyring::words(&remarks)));
                    }
                    if fit.is_empty() {
                        self.permissions = summary;
                    }
                    fit.push(key);
                }
                Verdict::Refused(why) => {
                    write(audit, words, "rejected", &self.name, &name, &why);
                    if tried.probed.is_open() {
                        return Err(RunError::Venue(format!("trying the key {name} of {}: {why}", self.name)));
                    }
                    refused.push(format!("the key {name} of {} is refused: {why}", self.name));
                }
            }
        }
        let trades = fit.iter().position(|k| k.scope() == Scope::Trade);
        let Some(at) = trades else {
            refused.push(format!("no key of {} that may trade is left", self.name));
            return Err(RunError::Key(refused.join("; ")));
        };
        refused.into_iter().for_each(|why| words.say(why));
        let key = fit.remove(at);
        self.since = wall_now();
        self.usage_due = self.since.plus(USAGE_EVERY_NS);
        self.signing = Some(Signing::new(self.name.clone(), key, fit));
        Ok(())
    }

    /// Writes down what happened to keys in the session.
    pub(super) fn tell_news(&mut self, audit: &Audit, words: &Words, now: Ts) {
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
                KeyNews::Foreign { key, order } => ("foreign", key, format!("an order that we did not send: {order}")),
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
    pub(super) fn hear_orders(&mut self, audit: &Audit, words: &Words, now: Ts) {
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

    pub(super) fn revoke(&mut self, order: &Order, now: Ts) {
        let Some(signing) = &self.signing else { return };
        signing.revoke(&|k: &Key| order.aside.contains(&k.fingerprint()));
        let is_meant = |k: &Key| order.revoked.contains(&k.fingerprint());
        let Some(key) = signing.in_force().filter(|k| is_meant(k)) else {
            signing.revoke(&is_meant);
            return;
        };
        let policy = self.loaded.iter().find(|l| l.entry.label == key.label()).map(|l| l.entry.on_revoke);
        let cancel = policy.unwrap_or_default() == OnRevoke::Cancel;
        let stands_in = signing.spare().iter().any(|k| !is_meant(k) && k.scope() == Scope::Trade);
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

    pub(super) fn finish_closing(&mut self, now: Ts) {
        if self.closing.as_ref().is_some_and(|(until, _)| *until <= now)
            && let (Some((_, revoked)), Some(signing)) = (self.closing.take(), &self.signing)
        {
            signing.revoke(&|k: &Key| revoked.contains(&k.fingerprint()));
        }
    }

    pub(super) fn renew_lease(&mut self, now: Ts) {
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
        lease.holds = signing.spare().iter().map(|k| k.fingerprint()).collect();
        let last = |k: &Arc<Key>| k.used().map_or(0, |(_, last)| last.nanos() / MS);
        lease.used_ms = current.as_ref().map_or(0, last);
        lease.old_used_ms = signing.spare().iter().map(last).max().unwrap_or(0);
        lease.uses = current.iter().flat_map(|k| Use::ALL.map(|u| (u.name().to_owned(), k.count(u)))).collect();
        if let Err(error) = self.office.renew(&self.desk, &self.lease) {
            tracing::warn!("{error}");
        }
    }

    pub(super) fn write_usage(&mut self, audit: &Audit) {
        let Some(signing) = &self.signing else { return };
        let mut active = signing.spare();
        active.extend(signing.in_force());
        for key in active.iter().filter(|k| k.used().is_some()) {
            write(audit, &Words::default(), "usage", &self.name, &key.name(), &usage(key));
        }
    }
}

/// How often a key was used by this process, and when.
pub(super) fn usage(key: &Key) -> String {
    let counts = Use::ALL.iter().filter(|u| key.count(**u) > 0).map(|u| format!("{} {}", u.name(), key.count(*u)));
    let counts: Vec<String> = counts.collect();
    let at = |ts: Ts| {
        jiff::Timestamp::from_nanosecond(i128::from(ts.nanos())).map_or_else(|_| String::new(), |t| t.to_string())
    };
    let when = key.used().map_or_else(String::new, |(first, last)| format!(" from {} to {}", at(first), at(last)));
    format!("used: {}{when}", if counts.is_empty() { "never".to_owned() } else { counts.join(", ") })
}
