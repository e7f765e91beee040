//! What an operator does with keys: lists, checks, rotates, revokes, retires. Each answers with the document of
//! docs/keys.md; nothing of a secret is in one.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::RunError;
use super::keyring::{KeyEntry, Loaded, Place, Tried, all_entries, office, offices, tried, words};
use super::paper::wall_now;
use super::tokens::try_token;
use crate::config::{OnRevoke, Settings};
use crate::exchange::transport::{Live, LiveSettings};
use crate::keys::{Audit, Chain, Key, Lease, Material, Office, Reference, Signer, Stage, Verdict, tail};

/// Where and in whose name an operator works.
#[derive(Debug, Clone)]
pub struct KeyDesk<'a> {
    /// All settings.
    pub settings: &'a Settings,
    /// The state folder.
    pub state_dir: &'a Path,
    /// Who: stands in the audit.
    pub by: String,
    /// Why: stands in the audit; empty for not said.
    pub why: String,
    /// Keys whose venue does not tell what they may do are taken.
    pub accept_unknown: bool,
}

/// How a rotation is to go.
#[derive(Debug, Clone)]
pub struct RotateWish<'a> {
    /// Whose: `binance/main`.
    pub account: &'a str,
    /// Which key; the only one of the account where it has one.
    pub label: Option<&'a str>,
    /// Where the new key is, when not where the settings say.
    pub from: Option<&'a str>,
    /// How long the processes that share the key may take to confirm.
    pub within: Duration,
    /// Only try the new key.
    pub dry_run: bool,
}

impl KeyDesk<'_> {
    fn entries(&self, account: Option<&str>, label: Option<&str>) -> Result<Vec<KeyEntry>, RunError> {
        let mut all = all_entries(self.settings)?;
        if let Some((venue, name)) = account.and_then(|a| a.split_once('/'))
            && !all.iter().any(|e| Some(e.account.as_str()) == account)
        {
            all.extend(super::keyring::entries(&self.settings.key, venue, name)?);
        }
        all.retain(|e| account.is_none_or(|a| e.account == a) && label.is_none_or(|l| e.label == l));
        match all.is_empty() && account.is_some() {
            true => Err(RunError::Settings(format!(
                "the settings have no key {}; `bellwether keys list` shows those they have",
                [account, label].into_iter().flatten().collect::<Vec<_>>().join(" ")
            ))),
            false => Ok(all),
        }
    }

    fn audit(&self) -> Audit {
        Audit::new(self.state_dir, self.by.clone())
    }

    fn write(&self, event: &str, entry: &KeyEntry, key: &str, detail: &str) -> Result<(), RunError> {
        let why = if self.why.is_empty() { String::new() } else { format!("; why: {}", self.why) };
        Ok(self.audit().write(event, &entry.account, key, &format!("{detail}{why}"))?)
    }

    /// The keys of the settings and of the environment: whose, what for, from where. No source of the settings is read.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn list(&self) -> Result<Value, RunError> {
        let rows: Vec<Value> = self.entries(None, None)?.iter().map(shown).collect();
        Ok(json!({"schema_version": 1, "keys": rows}))
    }

    /// Reads keys and tries them at their venues. Whether all of them fit stands in `fit`.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn check(&self, account: Option<&str>) -> Result<Value, RunError> {
        let (runtime, transport) = way()?;
        let mut rows = Vec::new();
        for entry in self.entries(account, None)? {
            let office = office(self.settings, self.state_dir, &entry.account)?;
            let mut row = shown(&entry);
            if let Some(read) = try_token(&entry, &self.settings.key) {
                let detail = read.as_ref().map_or_else(ToString::to_string, |()| {
                    "it reads; whoever it is for is asked by `notify test` or `signals tokenmetrics check`".to_owned()
                });
                (row["fit"], row["detail"]) = (json!(read.is_ok()), json!(detail));
                rows.push(row);
                continue;
            }
            let read = Loaded::read(entry.clone(), &office).and_then(|l| Ok((l.key()?, l.material)));
            let (fit, detail) = match read {
                Err(error) => (false, error.to_string()),
                Ok((key, material)) => {
                    let place = Place::of(self.settings, &entry.venue)?;
                    let counter = place.counter(&transport);
                    let tried = runtime.block_on(tried(&entry, &key, self.accept_unknown, &counter));
                    describe(&mut row, &key, &material, &tried);
                    let (fit, detail) = told(&tried.verdict);
                    self.write(if fit { "probed" } else { "rejected" }, &entry, &key.name(), &detail)?;
                    (fit, detail)
                }
            };
            row["fit"] = json!(fit);
            row["detail"] = json!(detail);
            rows.push(row);
        }
        if rows.is_empty() {
            let why =
                "there is no key: the settings have no [[key]], and the environment none of the session's account";
            return Err(RunError::Settings(why.to_owned()));
        }
        let fit = rows.iter().all(|row| row["fit"] == true);
        Ok(json!({"schema_version": 1, "fit": fit, "keys": rows}))
    }

    /// Which processes use which keys, how often, and what operators said.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn status(&self) -> Result<Value, RunError> {
        let mut accounts: Vec<Value> = Vec::new();
        let folder = offices(self.settings, self.state_dir);
        let mut names: Vec<String> = self.entries(None, None)?.into_iter().map(|e| e.account).collect();
        let there = std::fs::read_dir(folder).into_iter().flatten().flatten();
        names.extend(
            there.filter_map(|e| e.file_name().into_string().ok()?.split_once('-').map(|(v, a)| format!("{v}/{a}"))),
        );
        names.sort();
        names.dedup();
        for name in names {
            let office = office(self.settings, self.state_dir, &name)?;
            let now_ms = wall_now().nanos() / 1_000_000;
            let keys: Vec<Value> = self.entries(None, None)?.iter().filter(|e| e.account == name).map(shown).collect();
            accounts.push(json!({
                "account": name,
                "keys": keys,
                "processes": office.leases(now_ms)?,
                "orders": office.orders()?,
                "rotating": office.lock().is_err(),
            }));
        }
        Ok(json!({"schema_version": 1, "accounts": accounts}))
    }

    fn one(&self, account: &str, label: Option<&str>) -> Result<KeyEntry, RunError> {
        let mut found = self.entries(Some(account), label)?;
        match found.len() {
            1 => Ok(found.remove(0)),
            _ => Err(RunError::Settings(format!(
                "{account} has {} keys ({}); say which with --label",
                found.len(),
                found.iter().map(|e| e.label.as_str()).collect::<Vec<_>>().join(", ")
            ))),
        }
    }

    /// Rotates a key: reads the new one, tries it, says so to the processes that share it, and waits for them.
    ///
    /// # Errors
    /// [`RunError::Key`] when the new key does not fit, or a process could not take it: then the old one signs on.
    pub fn rotate(&self, wish: &RotateWish<'_>) -> Result<Value, RunError> {
        let entry = self.one(wish.account, wish.label)?;
        let office = office(self.settings, self.state_dir, &entry.account)?;
        if wish.from.is_some() && !office.brings_keys() {
            let why = "--from: over NATS nobody tells where keys come from; put the new key where the settings say";
            return Err(RunError::Settings(why.to_owned()));
        }
        let _lock = office.lock().map_err(|e| RunError::Key(e.to_string()))?;
        let reference: Reference = wish.from.map_or(Ok(entry.reference.clone()), str::parse)?;
        let (_, account) = entry.account.split_once('/').unwrap_or(("", &entry.account));
        let mut source = reference.open(&entry.venue, account, entry.id.as_deref())?;
        let material = source.fetch(Stage::Pending)?;
        let key = entry.key(&material, &source.place())?;
        self.write("introduced", &entry, &key.name(), &format!("to be rotated to, from {}", source.place()))?;
        let tried = self.try_out(&entry, &key)?;
        let mut row = shown(&entry);
        describe(&mut row, &key, &material, &tried);
        if let Verdict::Refused(why) = &tried.verdict {
            self.write("rolled_back", &entry, &key.name(), &format!("it was not taken: {why}"))?;
            return Err(RunError::Key(format!("the new key {} is refused: {why}; the old one signs on", key.name())));
        }
        if wish.dry_run {
            row["rotated"] = json!(false);
            return Ok(json!({"schema_version": 1, "dry_run": true, "key": row}));
        }
        let instead_of = wish.from.map(|from| (from.to_owned(), entry.reference.to_string()));
        let fingerprint = key.fingerprint();
        let number = office.order(&entry.label, |order| {
            order.source = instead_of.clone().or_else(|| order.source.take());
            order.key.clone_from(&fingerprint);
            order.aside.retain(|f| *f != fingerprint);
            order.by.clone_from(&self.by);
            order.why.clone_from(&self.why);
        })?;
        let leases = wait(&office, &fingerprint, number, wish.within)?;
        let (confirmed, rest): (Vec<Lease>, Vec<Lease>) = leases.into_iter().partition(|l| has(l, &fingerprint));
        if let Some(lease) = rest.first() {
            let why = match lease.failed.as_str() {
                "" => format!("it did not confirm within {} s", wish.within.as_secs()),
                failed => failed.to_owned(),
            };
            self.roll_back(&office, &entry, &key, &format!("process {}: {why}", lease.pid))?;
            return Err(RunError::Key(format!(
                "process {} does not sign with {}: {why}; all processes go back to the key before",
                lease.pid,
                key.name()
            )));
        }
        let pids: Vec<u32> = confirmed.iter().map(|l| l.pid).collect();
        self.write("rotated", &entry, &key.name(), &format!("confirmed by {} processes", pids.len()))?;
        row["rotated"] = json!(true);
        Ok(json!({"schema_version": 1, "key": row, "confirmed_by": pids, "next": next_steps(&entry, wish)}))
    }

    fn roll_back(&self, office: &Office, entry: &KeyEntry, key: &Key, why: &str) -> Result<(), RunError> {
        office.order(&entry.label, |order| {
            order.source = None;
            order.key.clear();
            order.aside.push(key.fingerprint());
        })?;
        self.write("rolled_back", entry, &key.name(), why)
    }

    fn try_out(&self, entry: &KeyEntry, key: &Key) -> Result<Tried, RunError> {
        let (runtime, transport) = way()?;
        let place = Place::of(self.settings, &entry.venue)?;
        let tried = runtime.block_on(tried(entry, key, self.accept_unknown, &place.counter(&transport)));
        self.write("probed", entry, &key.name(), &told(&tried.verdict).1)?;
        Ok(tried)
    }

    /// Uses the key that a label has now no more, at once and for good.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn revoke(&self, account: &str, label: Option<&str>, dry_run: bool) -> Result<Value, RunError> {
        let entry = self.one(account, label)?;
        let office = office(self.settings, self.state_dir, &entry.account)?;
        let now_ms = wall_now().nanos() / 1_000_000;
        let leases = office.leases(now_ms)?;
        let prefix = format!("{} ", entry.label);
        let mut meant: Vec<String> =
            leases.iter().filter(|l| l.key.starts_with(&prefix)).map(|l| l.fingerprint.clone()).collect();
        // The source may be down in an emergency; what processes use is known all the same.
        if let Ok(key) = Loaded::read(entry.clone(), &office).and_then(|loaded| loaded.key()) {
            meant.push(key.fingerprint());
        }
        meant.sort();
        meant.dedup();
        if meant.is_empty() {
            return Err(RunError::Settings(format!(
                "no process uses the key {} of {account} and its source does not give it: there is nothing to revoke",
                entry.label
            )));
        }
        let policy = if entry.on_revoke == OnRevoke::Cancel { "open orders are cancelled" } else { "open orders stay" };
        let others: Vec<String> = self
            .entries(Some(account), None)?
            .into_iter()
            .filter(|e| e.label != entry.label)
            .map(|e| format!("{} ({})", e.label, e.scope.name()))
            .collect();
        let falls =
            if others.is_empty() { "no key is left: nothing is sent any more".to_owned() } else { others.join(", ") };
        if !dry_run {
            office.order(&entry.label, |order| {
                order.revoked.extend(meant.clone());
                order.revoked.sort();
                order.revoked.dedup();
                order.by.clone_from(&self.by);
                order.why.clone_from(&self.why);
            })?;
            self.write("revoke", &entry, &entry.label, &format!("by order; {policy}; falls back to: {falls}"))?;
        }
        Ok(json!({
            "schema_version": 1,
            "dry_run": dry_run,
            "account": account,
            "label": entry.label,
            "fingerprints": meant,
            "orders": policy,
            "falls_back_to": falls,
            "processes": leases.iter().map(|l| l.pid).collect::<Vec<_>>(),
            "next": format!("delete the key at {} too: what is revoked here still works there", entry.venue),
        }))
    }

    /// Makes an end of a key at its venue where that has a call for it; else says the steps.
    ///
    /// # Errors
    /// [`RunError::Key`] when a process signs with it.
    pub fn retire(&self, account: &str, label: Option<&str>, from: Option<&str>) -> Result<Value, RunError> {
        let entry = self.one(account, label)?;
        let office = office(self.settings, self.state_dir, &entry.account)?;
        let steps = |id: &str| {
            format!(
                "{} has no call for it: log in there, open the page of API keys, delete the one that ends in {id}",
                entry.venue
            )
        };
        let Some(from) = from else {
            return Ok(json!({"schema_version": 1, "account": account, "retired": false, "next": steps("the old id")}));
        };
        let reference: Reference = from.parse()?;
        let (_, name) = account.split_once('/').unwrap_or(("", account));
        let mut source = reference.open(&entry.venue, name, entry.id.as_deref())?;
        let material = source.fetch(Stage::Current)?;
        let key = entry.key(&material, &source.place())?;
        let now_ms = wall_now().nanos() / 1_000_000;
        let fingerprint = key.fingerprint();
        if let Some(lease) = office.leases(now_ms)?.iter().find(|l| has(l, &fingerprint)) {
            let (does, first) = match lease.fingerprint == fingerprint {
                true => ("signs with", "rotate first"),
                false => ("keeps", "wait until it is let go, or revoke it"),
            };
            return Err(RunError::Key(format!("process {} {does} {}; {first}", lease.pid, key.name())));
        }
        let (runtime, transport) = way()?;
        let place = Place::of(self.settings, &entry.venue)?;
        let done = runtime.block_on(place.counter(&transport).retire(&key));
        let (retired, next) = match done {
            None => (false, steps(&tail(key.key_id()))),
            Some(Ok(())) => (true, String::new()),
            Some(Err(error)) => (false, format!("the venue refused: {error}; {}", steps(&tail(key.key_id())))),
        };
        self.write("retired", &entry, &key.name(), if retired { "by the venue's call" } else { &next })?;
        Ok(json!({"schema_version": 1, "account": account, "key": key.name(), "retired": retired, "next": next}))
    }

    /// Puts a key where a reference says, and gives the lines for the settings.
    ///
    /// # Errors
    /// [`RunError`] where that source does not take keys.
    pub fn add(&self, account: &str, label: &str, source: &str, material: &Material) -> Result<Value, RunError> {
        let reference: Reference = source.parse()?;
        let (venue, name) = account
            .split_once('/')
            .ok_or_else(|| RunError::Settings(format!("{account:?} is no account; write VENUE/ACCOUNT")))?;
        let mut place = reference.open(venue, name, None)?;
        // What would not sign is not stored.
        material.credential(venue, &place.place())?;
        place.store(material)?;
        let detail = format!("put to {}", place.place());
        self.audit().write("added", account, &format!("{label} (…{})", tail(&material.key_id)), &detail)?;
        let lines = format!("[[key]]\naccount = \"{account}\"\nlabel = \"{label}\"\nsource = \"{source}\"\n");
        Ok(json!({"schema_version": 1, "account": account, "label": label, "source": source, "settings": lines}))
    }

    /// The audit's log, held against itself.
    ///
    /// # Errors
    /// [`RunError::Key`] at the line where the chain breaks.
    pub fn chain(&self) -> Result<Chain, RunError> {
        self.audit().read().map_err(|e| RunError::Key(e.to_string()))
    }
}

/// Whether a process took a key: it signs, or stands in where another label signs.
fn has(lease: &Lease, fingerprint: &str) -> bool {
    lease.fingerprint == fingerprint || lease.holds.iter().any(|f| f == fingerprint)
}

/// Waits until all processes confirm a key, one of them fails, or the time is over; gives the processes.
fn wait(office: &Office, fingerprint: &str, number: u64, within: Duration) -> Result<Vec<Lease>, RunError> {
    let began = Instant::now();
    loop {
        let told = office.leases(wall_now().nanos() / 1_000_000);
        let confirmed = |l: &Lease| has(l, fingerprint);
        let failed = |l: &Lease| !confirmed(l) && l.order >= number && !l.failed.is_empty();
        let is_over = |leases: &Vec<Lease>| leases.iter().all(confirmed) || leases.iter().any(failed);
        if told.as_ref().is_ok_and(is_over) || began.elapsed() >= within {
            return Ok(told?);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn way() -> Result<(tokio::runtime::Runtime, Live), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| RunError::Venue(format!("starting the runtime: {e}")))?;
    let transport = Live::new(LiveSettings::default()).map_err(|e| RunError::Venue(e.to_string()))?;
    Ok((runtime, transport))
}

fn shown(entry: &KeyEntry) -> Value {
    json!({
        "account": entry.account,
        "label": entry.label,
        "scope": entry.scope.name(),
        "source": entry.reference.to_string(),
        "accept_unknown_scopes": entry.accept_unknown,
        "rotate_days": entry.rotate_days,
    })
}

fn describe(row: &mut Value, key: &Key, material: &Material, tried: &Tried) {
    row["key"] = json!(key.name());
    row["version"] = json!(key.version());
    row["scheme"] = json!(key.scheme().name());
    row["permissions"] = match &tried.probed.permissions {
        Ok(p) => json!({"read": p.read, "trade": p.trade, "withdraw": p.withdraw, "ip_bound": p.ip_bound}),
        Err(error) => json!({"error": error.to_string()}),
    };
    let told = tried.probed.permissions.as_ref().map_or(bellwether_sdk::Ts::NONE, |p| p.expires);
    let expires = [told, material.expires].into_iter().find(|t| *t != bellwether_sdk::Ts::NONE);
    row["expires_ns"] = json!(expires.map(|t| t.nanos().to_string()));
    row["trial_order"] = json!(
        tried.probed.trial.as_ref().map(|t| t.as_ref().map_or_else(ToString::to_string, |()| "taken".to_owned()))
    );
}

fn told(verdict: &Verdict) -> (bool, String) {
    match verdict {
        Verdict::Fit(remarks) if remarks.is_empty() => (true, "fit".to_owned()),
        Verdict::Fit(remarks) => (true, format!("fit; {}", words(remarks))),
        Verdict::Refused(why) => (false, why.clone()),
    }
}

fn next_steps(entry: &KeyEntry, wish: &RotateWish<'_>) -> String {
    let settings = match wish.from {
        Some(from) => format!("write source = \"{from}\" for the key {} into the settings; ", entry.label),
        None => String::new(),
    };
    format!("{settings}when the overlap is over, delete the old key at {}", entry.venue)
}
