//! How a key becomes another: its source is watched, what it gives is tried and offered, what was replaced is let go; and
//! what the venue says of it later.

use bellwether_sdk::Ts;

use super::account::{Account, usage};
use super::{MS, Probe, Words, write};
use crate::keys::{Audit, Key, KeyError, Material, Order, Signer, Stage, Verdict, judge, tail};
use crate::run::keyring::{Loaded, tried, words};
use crate::run::paper::wall_now;

/// A source that could not be told which key is in force is told again so late.
const PROMOTE_AGAIN_NS: i64 = 60_000 * MS;

impl Account {
    pub(super) fn source_down(&mut self, label: &str, error: &KeyError, audit: &Audit, words: &Words) {
        let text = error.to_string();
        if self.down.insert(label.to_owned(), text.clone()).as_ref() != Some(&text) {
            words.say(format!("key {label} of {}: {text}; the key in force stays", self.name));
            write(audit, words, "source_down", &self.name, label, &text);
        }
    }

    /// Looks whether a source gives another key, and brings it.
    pub(super) fn watch_sources(&mut self, probe: &Probe<'_>, now: Ts) {
        for at in 0..self.loaded.len() {
            let loaded = &mut self.loaded[at];
            if now < loaded.due {
                continue;
            }
            if loaded.source.is_remote() {
                loaded.due = now.plus(probe.poll_ns);
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
            match loaded.source.fetch(Stage::Pending) {
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
    pub(super) fn bring(&mut self, at: usize, material: Material, probe: &Probe<'_>) {
        let (Some(signing), Some(loaded)) = (&self.signing, self.loaded.get_mut(at)) else { return };
        let place = loaded.source.place();
        let key = match loaded.entry.key(&material, &place) {
            Ok(key) => key,
            Err(error) => {
                self.lease.failed = error.to_string();
                let label = loaded.entry.label.clone();
                return self.source_down(&label, &error, probe.audit, probe.words);
            }
        };
        let fingerprint = key.fingerprint();
        let is_out = |o: &Order| o.revoked.contains(&fingerprint) || o.aside.contains(&fingerprint);
        if self.office.orders().is_ok_and(|orders| orders.values().any(is_out)) {
            self.lease.failed = "the key that the source gives is revoked or was left aside".to_owned();
            return;
        }
        let name = key.name();
        let told = |event: &str, detail: &str| write(probe.audit, probe.words, event, &self.name, &name, detail);
        told("loaded", &format!("scope {} from {place}", key.scope().name()));
        let counter = self.place.counter(probe.transport);
        let tried = probe.runtime.block_on(tried(&loaded.entry, &key, probe.accept, &counter));
        match tried.verdict {
            Verdict::Refused(why) if tried.probed.is_open() => {
                told("unchecked", &format!("{why}; it is tried again"));
                probe.words.say(format!("the new key {name} of {} waits: {why}; the old one signs on", self.name));
                loaded.mark.clear();
                loaded.due = wall_now().plus(probe.poll_ns);
            }
            Verdict::Refused(why) => {
                told("rejected", &why);
                probe.words.say(format!("the new key {name} of {} is not taken: {why}; the old one stays", self.name));
                self.lease.failed = why;
                // What is there now was judged; a torn pair is looked at again when its other half comes.
                self.lease_due = Ts::NONE;
            }
            Verdict::Fit(remarks) => {
                told("probed", &format!("fit; {}", words(&remarks)));
                let ends = tried.probed.permissions.as_ref().map_or(Ts::NONE, |p| p.expires);
                self.alarms.know(&key, material.created, ends, wall_now());
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
                loaded.promote_due = Ts::NONE;
            }
        }
    }

    /// Lets keys go that were replaced, when they are silent and no process signs with them.
    pub(super) fn let_go(&mut self, audit: &Audit, overlap_ns: i64, now: Ts) {
        let Some(signing) = &self.signing else { return };
        let Some(current) = signing.in_force() else { return };
        if now < self.since.plus(overlap_ns) {
            return;
        }
        // Until the new key's connections are up the one before is in force: that is not the one to tell of.
        let is_it = |l: &Loaded| l.entry.label == current.label() && l.material.version == current.version();
        if let Some(loaded) = self.loaded.iter_mut().find(|l| is_it(l) && l.promote_due <= now) {
            loaded.promote_due = match loaded.source.promote(current.version()) {
                Ok(()) => Ts::MAX,
                Err(error) => {
                    write(audit, &Words::default(), "source_down", &self.name, &current.name(), &error.to_string());
                    now.plus(PROMOTE_AGAIN_NS)
                }
            };
        }
        let old = signing.spare().into_iter().filter(|k| k.label() == current.label());
        let silent = |k: &Key| k.used().is_none_or(|(_, last)| now >= last.plus(overlap_ns));
        for key in old.filter(|k| silent(k)).collect::<Vec<_>>() {
            let fingerprint = key.fingerprint();
            // Where nobody can tell who else signs, it stays.
            let Ok(leases) = self.office.leases(now.nanos() / MS) else { return };
            if leases.iter().any(|l| l.fingerprint == fingerprint) {
                continue;
            }
            let name = key.name();
            if signing.retire(&name) {
                let detail = format!(
                    "{}; delete the key …{} at the venue: its page of API keys, or `bellwether keys retire {}`",
                    usage(&key),
                    tail(key.key_id()),
                    self.name
                );
                write(audit, &Words::default(), "let_go", &self.name, &name, &detail);
            }
        }
    }

    /// Asks the venue again what the key may do.
    pub(super) fn check_again(&mut self, probe: &Probe<'_>) {
        let Some(signing) = &self.signing else { return };
        let Some(key) = signing.in_force() else { return };
        let Some(entry) = self.loaded.iter().map(|l| &l.entry).find(|e| e.label == key.label()) else { return };
        let counter = self.place.counter(probe.transport);
        let permissions = probe.runtime.block_on(counter.permissions(&*key));
        let (event, detail) = match &permissions {
            Err(error) => ("unchecked", format!("the venue was asked again what it may do: {error}")),
            Ok(p) => {
                let verdict = judge(entry.scope, Ok(p), wall_now(), probe.accept || entry.accept_unknown);
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
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::config::{KeySettings, Settings};
    use crate::exchange::transport::{Socket, Transport, TransportError};
    use crate::exchange::{Request, Response};
    use crate::run::keeper::Ring;

    /// A venue with one key.
    struct Counter(Mutex<Answer>);

    /// What it says of the key.
    #[derive(Clone, Copy)]
    enum Answer {
        Bound,
        FromAnywhere,
        Withdraws,
        Nothing,
    }

    #[async_trait]
    impl Transport for Counter {
        async fn http(&self, _: &str, request: &Request) -> Result<Response, TransportError> {
            let answer = *self.0.lock().expect("an answer");
            let body = match request.path.rsplit('/').next() {
                Some("time") => r#"{"serverTime":1700000000000}"#.to_owned(),
                Some("apiRestrictions") if matches!(answer, Answer::Nothing) => {
                    return Err(TransportError::NotSent("nobody there".to_owned()));
                }
                Some("apiRestrictions") => {
                    let (bound, takes) = (!matches!(answer, Answer::FromAnywhere), matches!(answer, Answer::Withdraws));
                    format!(
                        r#"{{"ipRestrict":{bound},"enableReading":true,"enableWithdrawals":{takes},"enableInternalTransfer":false,"permitsUniversalTransfer":false,"enableSpotAndMarginTrading":true}}"#
                    )
                }
                Some("account") => r#"{"balances":[]}"#.to_owned(),
                _ => "{}".to_owned(),
            };
            Ok(Response { status: 200, headers: Vec::new(), body })
        }

        async fn connect(&self, _: &str) -> Result<Box<dyn Socket>, TransportError> {
            Err(TransportError::NotSent("no sockets".to_owned()))
        }
    }

    /// The event and the words of the last line of the audit once the venue was asked again, and whether the key signs on.
    fn asked_again(said: Answer) -> (String, String, bool) {
        let dir = tempfile::tempdir().expect("a folder");
        let source = r#"exec:echo '{"id": "key-0001", "secret": "s"}'"#.to_owned();
        let key = KeySettings { account: "binance/main".to_owned(), source, ..KeySettings::default() };
        let settings = Settings { key: vec![key], ..Settings::default() };
        let mut ring = Ring::open(&settings, &["binance".to_owned()], dir.path(), false).expect("a key");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let transport = Counter(Mutex::new(Answer::Bound));
        runtime.block_on(ring.admit(&transport)).expect("it fits");
        *transport.0.lock().expect("an answer") = said;
        let (audit, words) = (ring.audit.clone(), Words::default());
        let probe =
            Probe { audit: &audit, words: &words, accept: false, poll_ns: 0, runtime: &runtime, transport: &transport };
        let account = ring.accounts.first_mut().expect("an account");
        account.check_again(&probe);
        let last = audit.read().expect("a whole audit").entries.pop().expect("an event");
        assert_eq!(words.take().len(), usize::from(last.event != "probed"), "people are told too");
        let signs = account.signing.as_ref().is_some_and(|s| s.in_force().is_some());
        (last.event, last.detail, signs)
    }

    #[test]
    fn a_key_whose_permissions_change_is_told_and_one_that_became_unfit_is_used_no_more() {
        assert_eq!(asked_again(Answer::Bound).0, "probed", "nothing new is nothing to tell");
        let (event, detail, signs) = asked_again(Answer::FromAnywhere);
        assert!(event == "scope_changed" && detail.contains("bound to addresses no") && signs, "{event} {detail}");
        let (event, detail, signs) = asked_again(Answer::Withdraws);
        assert!(event == "scope_changed" && detail.contains("used no more") && !signs, "{event} {detail}");
        let (event, detail, signs) = asked_again(Answer::Nothing);
        assert!(event == "unchecked" && detail.contains("nobody there") && signs, "{event} {detail}");
    }
}
