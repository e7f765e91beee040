//! The keys of one scope of an account in a running process: which is in force, which are spare, which comes next.
//!
//! Who signs takes the key in force once per request, without a lock; changing it waits for nobody and holds nobody up.
//! A request that was begun with one key is finished with it. What happens is kept as [`KeyNews`] until somebody writes
//! it down.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use bellwether_sdk::Ts;

use super::material::tail;
use super::narrow::{Today, within};
use super::{Asked, Credential, KeyError, Narrow, Scheme, Scope, Signer};
use crate::risk::Declared;

/// What a key is used for, as the audit counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Use {
    /// Placing orders.
    Place,
    /// Cancelling orders.
    Cancel,
    /// Changing orders.
    Amend,
    /// Asking for orders.
    Orders,
    /// Asking for fills.
    Fills,
    /// Asking for balances and positions.
    Account,
    /// Opening private streams and trading sockets, tickets included.
    Streams,
    /// Asking what the key may do, and trying it.
    Probe,
}

impl Use {
    /// All of them, in order.
    pub const ALL: [Self; 8] =
        [Self::Place, Self::Cancel, Self::Amend, Self::Orders, Self::Fills, Self::Account, Self::Streams, Self::Probe];

    /// Its name in the audit.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Place => "place",
            Self::Cancel => "cancel",
            Self::Amend => "amend",
            Self::Orders => "orders",
            Self::Fills => "fills",
            Self::Account => "account",
            Self::Streams => "streams",
            Self::Probe => "probe",
        }
    }

    /// Whether only a key that may trade does it.
    const fn trades(self) -> bool {
        matches!(self, Self::Place | Self::Cancel | Self::Amend)
    }
}

/// One version of a key, with what it was used for. It signs; it does not show its secret.
pub struct Key {
    label: String,
    version: String,
    scope: Scope,
    signer: Arc<dyn Signer>,
    expires: Ts,
    uses: [AtomicU64; Use::ALL.len()],
    first: AtomicI64,
    last: AtomicI64,
}

impl Key {
    /// A key of a scope under a label of the settings, of a version of its source.
    pub fn new(
        label: impl Into<String>,
        version: impl Into<String>,
        scope: Scope,
        signer: Arc<dyn Signer>,
        expires: Ts,
    ) -> Self {
        Self {
            label: label.into(),
            version: version.into(),
            scope,
            signer,
            expires,
            uses: Default::default(),
            first: AtomicI64::new(i64::MAX),
            last: AtomicI64::new(i64::MIN),
        }
    }

    /// Label, version and the end of the public id: how it is called wherever it is spoken of.
    pub fn name(&self) -> String {
        let version = if self.version.is_empty() { String::new() } else { format!(" v{}", self.version) };
        format!("{}{version} (…{})", self.label, tail(self.signer.key_id()))
    }

    /// Its label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What it is for.
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// What stands for it between processes.
    pub fn fingerprint(&self) -> String {
        super::fingerprint_of(&*self.signer)
    }

    /// Its source's name of the version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// When it expires; [`Ts::NONE`] for never or unknown.
    pub const fn expires(&self) -> Ts {
        self.expires
    }

    /// How often it was used for something.
    pub fn count(&self, what: Use) -> u64 {
        self.uses[what as usize].load(Ordering::Relaxed)
    }

    /// When it was used first and last; `None` for not at all.
    pub fn used(&self) -> Option<(Ts, Ts)> {
        let (first, last) = (self.first.load(Ordering::Relaxed), self.last.load(Ordering::Relaxed));
        (first <= last).then(|| (Ts::from_nanos(first), Ts::from_nanos(last)))
    }

    /// Counts a use.
    pub fn note(&self, what: Use, now: Ts) {
        self.uses[what as usize].fetch_add(1, Ordering::Relaxed);
        self.first.fetch_min(now.nanos(), Ordering::Relaxed);
        self.last.fetch_max(now.nanos(), Ordering::Relaxed);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.name())
    }
}

impl Signer for Key {
    fn key_id(&self) -> &str {
        self.signer.key_id()
    }

    fn scheme(&self) -> Scheme {
        self.signer.scheme()
    }

    fn passphrase(&self) -> &str {
        self.signer.passphrase()
    }

    fn public_key(&self) -> Vec<u8> {
        self.signer.public_key()
    }

    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.signer.sign(payload)
    }
}

/// What happened to keys, oldest first: for the audit and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyNews {
    /// Signing went from one key to another.
    Switched {
        /// Before.
        from: String,
        /// From now on.
        to: String,
    },
    /// The key that was to come next does not work; nothing changed.
    Withdrawn {
        /// The key.
        key: String,
        /// Why.
        why: String,
    },
    /// The venue refused the key in force. Signing goes on with another, or not at all.
    Refused {
        /// The key.
        key: String,
        /// The venue's words.
        why: String,
        /// What signs from now on.
        now: Option<String>,
    },
    /// A key is used no more, because somebody said so.
    Revoked {
        /// The key.
        key: String,
        /// What signs from now on.
        now: Option<String>,
    },
    /// There is an order in the account that was not sent here, while this key signs.
    Foreign {
        /// The key in force.
        key: String,
        /// The order, in the venue's words.
        order: String,
    },
    /// A spare key was let go.
    Retired {
        /// The key.
        key: String,
    },
}

/// News that nobody collects are forgotten beyond this count, oldest first.
const NEWS_MAX: usize = 1_000;

#[derive(Default)]
struct Others {
    /// Active beside the one in force, best first.
    spare: Vec<Arc<Key>>,
    /// Comes into force when its connections are up.
    next: Option<Arc<Key>>,
    news: VecDeque<KeyNews>,
}

struct Inner {
    account: String,
    current: ArcSwapOption<Key>,
    others: Mutex<Others>,
    changes: AtomicU32,
    narrow: Mutex<(Vec<Narrow>, Vec<Declared>, Today)>,
    cancels: AtomicU32,
    closing: AtomicBool,
    poll_ms: AtomicU32,
}

/// The keys of one scope of an account. Clones are the same keys.
#[derive(Clone)]
pub struct Signing(Arc<Inner>);

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signing({})", self.0.account)
    }
}

impl From<Arc<dyn Signer>> for Signing {
    /// One key that nobody changes.
    fn from(signer: Arc<dyn Signer>) -> Self {
        Self::new("", Key::new("key", "", Scope::Trade, signer, Ts::NONE), Vec::new())
    }
}

impl From<Arc<Credential>> for Signing {
    fn from(key: Arc<Credential>) -> Self {
        let signer: Arc<dyn Signer> = key;
        signer.into()
    }
}

impl Signing {
    /// The keys of an account (`binance/main`): one in force and those that stand in for it, best first. Where only one
    /// that reads is left, orders are not signed.
    pub fn new(account: impl Into<String>, key: Key, spare: Vec<Key>) -> Self {
        Self(Arc::new(Inner {
            account: account.into(),
            current: ArcSwapOption::from_pointee(key),
            others: Mutex::new(Others { spare: spare.into_iter().map(Arc::new).collect(), ..Others::default() }),
            changes: AtomicU32::new(0),
            narrow: Mutex::default(),
            cancels: AtomicU32::new(0),
            closing: AtomicBool::new(false),
            poll_ms: AtomicU32::new(0),
        }))
    }

    /// Whose keys they are.
    pub fn account(&self) -> &str {
        &self.0.account
    }

    /// The key in force, for one request, which is counted.
    ///
    /// # Errors
    /// [`KeyError::NoneInForce`]; [`KeyError::Narrowed`] for orders where the key only reads or is about to go.
    pub fn key(&self, what: Use, now: Ts) -> Result<Arc<Key>, KeyError> {
        let key = self.in_force().ok_or_else(|| KeyError::NoneInForce(self.0.account.clone()))?;
        let narrowed = |why: String| Err(KeyError::Narrowed { account: self.0.account.clone(), why });
        if what.trades() && key.scope == Scope::Read {
            return narrowed(format!("its scope is read, and this is to {}", what.name()));
        }
        if what == Use::Place && self.0.closing.load(Ordering::Acquire) {
            return narrowed("it is being revoked, and only cancels".to_owned());
        }
        key.note(what, now);
        Ok(key)
    }

    /// Limits within which orders are signed from now on.
    pub fn narrow(&self, limits: Vec<Narrow>) {
        self.0.narrow.lock().unwrap_or_else(PoisonError::into_inner).0 = limits;
    }

    /// What each strategy of the session declared that it does at the most, from now on.
    pub fn declare(&self, declared: Vec<Declared>) {
        self.0.narrow.lock().unwrap_or_else(PoisonError::into_inner).1 = declared;
    }

    /// The key in force for an order, which is held against the limits.
    ///
    /// # Errors
    /// As [`key`](Self::key); [`KeyError::Narrowed`] with the limit and what was asked.
    pub fn order(&self, asked: &Asked<'_>, now: Ts) -> Result<Arc<Key>, KeyError> {
        let mut narrow = self.0.narrow.lock().unwrap_or_else(PoisonError::into_inner);
        let (limits, declared, today) = &mut *narrow;
        let narrowed = |why| KeyError::Narrowed { account: self.0.account.clone(), why };
        within(declared, asked).map_err(narrowed)?;
        if !limits.is_empty() {
            today.pass(limits, asked, now).map_err(narrowed)?;
        }
        drop(narrow);
        self.key(Use::Place, now)
    }

    /// The key in force, for looking at.
    pub fn in_force(&self) -> Option<Arc<Key>> {
        self.0.current.load_full()
    }

    /// The keys that stand in, best first.
    pub fn spare(&self) -> Vec<Arc<Key>> {
        self.others().spare.clone()
    }

    /// The key that is to come into force once its connections are up.
    pub fn next(&self) -> Option<Arc<Key>> {
        self.others().next.clone()
    }

    /// How often anything was changed: who has seen this count has nothing new to look for.
    pub fn changes(&self) -> u32 {
        self.0.changes.load(Ordering::Acquire)
    }

    /// How often its users are to look for changes, milliseconds; 0 for never: nobody changes it.
    pub fn poll_ms(&self) -> u32 {
        self.0.poll_ms.load(Ordering::Relaxed)
    }

    /// From now on it may be changed while it is used: users look so often, milliseconds.
    pub fn watch_every(&self, ms: u32) {
        self.0.poll_ms.store(ms, Ordering::Relaxed);
    }

    /// Wants a key to come into force. Its user opens what it needs with it and then calls [`switch`](Self::switch), or
    /// [`withdraw`](Self::withdraw).
    ///
    /// # Errors
    /// The key that is on its way already: one after the other.
    pub fn offer(&self, key: Key) -> Result<(), Arc<Key>> {
        let mut others = self.others();
        if let Some(other) = &others.next {
            return Err(Arc::clone(other));
        }
        others.next = Some(Arc::new(key));
        drop(others);
        self.changed();
        Ok(())
    }

    /// The next key comes into force; the one before stays as the best spare. Whether there was a next one.
    pub fn switch(&self) -> bool {
        let mut others = self.others();
        let Some(next) = others.next.take() else { return false };
        let to = next.name();
        let before = self.0.current.swap(Some(next));
        let from = before.as_ref().map_or_else(|| "no key".to_owned(), |k| k.name());
        if let Some(before) = before {
            others.spare.insert(0, before);
        }
        others.tell(KeyNews::Switched { from, to });
        drop(others);
        self.changed();
        true
    }

    /// The next key does not work: nothing changes.
    pub fn withdraw(&self, why: impl Into<String>) {
        let mut others = self.others();
        if let Some(next) = others.next.take() {
            others.tell(KeyNews::Withdrawn { key: next.name(), why: why.into() });
        }
        drop(others);
        self.changed();
    }

    /// The venue refused a key. If it is the one in force, the best spare takes its place. Whether a key is in force now
    /// that is another than the refused: then what was refused may be tried again, since nothing was done.
    pub fn refused(&self, key: &Arc<Key>, why: &str) -> bool {
        let mut others = self.others();
        others.spare.retain(|k| !Arc::ptr_eq(k, key));
        if self.in_force().is_some_and(|k| Arc::ptr_eq(&k, key)) {
            if others.spare.is_empty() {
                // The last key stays: who has none else may try it again when the venue has changed its mind.
                return false;
            }
            let best = others.spare.remove(0);
            let now = Some(best.name());
            self.0.current.store(Some(best));
            others.tell(KeyNews::Refused { key: key.name(), why: why.to_owned(), now });
            drop(others);
            self.changed();
            return true;
        }
        self.in_force().is_some()
    }

    /// From now on no order is signed any more: what is left is to cancel.
    pub fn close(&self) {
        self.0.closing.store(true, Ordering::Release);
    }

    /// Wants all open orders cancelled.
    pub fn cancel_all(&self) {
        self.0.cancels.fetch_add(1, Ordering::Release);
        self.changed();
    }

    /// How often that was wanted.
    pub fn cancels(&self) -> u32 {
        self.0.cancels.load(Ordering::Acquire)
    }

    /// Puts a key behind the spare ones.
    pub fn add(&self, key: Key) {
        self.others().spare.push(Arc::new(key));
    }

    /// Uses keys no more, at once. Gives the key that signs from now on.
    pub fn revoke(&self, is_meant: &dyn Fn(&Key) -> bool) -> Option<Arc<Key>> {
        let mut others = self.others();
        let is_meant = |k: &Arc<Key>| is_meant(k);
        others.spare.retain(|k| !is_meant(k));
        if others.next.as_ref().is_some_and(is_meant) {
            others.next = None;
        }
        if let Some(key) = self.in_force().filter(is_meant) {
            let best = if others.spare.is_empty() { None } else { Some(others.spare.remove(0)) };
            self.0.current.store(best.clone());
            self.0.closing.store(false, Ordering::Release);
            others.tell(KeyNews::Revoked { key: key.name(), now: best.map(|k| k.name()) });
        }
        drop(others);
        self.changed();
        self.in_force()
    }

    /// Lets a spare key go; one that is in force is not.
    pub fn retire(&self, name: &str) -> bool {
        let mut others = self.others();
        let before = others.spare.len();
        others.spare.retain(|k| k.name() != name);
        let gone = others.spare.len() < before;
        if gone {
            others.tell(KeyNews::Retired { key: name.to_owned() });
        }
        drop(others);
        self.changed();
        gone
    }

    /// Lets the spare keys of a label go.
    pub fn retire_label(&self, label: &str) {
        let names: Vec<String> = self.spare().iter().filter(|k| k.label == label).map(|k| k.name()).collect();
        for name in &names {
            self.retire(name);
        }
    }

    /// There is an order in the account that was not sent here.
    pub fn foreign(&self, order: String) {
        let key = self.in_force().map_or_else(String::new, |k| k.name());
        self.others().tell(KeyNews::Foreign { key, order });
    }

    /// What happened since it was asked last.
    pub fn news(&self) -> Vec<KeyNews> {
        self.others().news.drain(..).collect()
    }

    fn changed(&self) {
        self.0.changes.fetch_add(1, Ordering::Release);
    }

    fn others(&self) -> MutexGuard<'_, Others> {
        // Every change under the lock is whole before it can panic.
        self.0.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Others {
    fn tell(&mut self, news: KeyNews) {
        if self.news.len() == NEWS_MAX {
            self.news.pop_front();
        }
        self.news.push_back(news);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Ts = Ts::from_millis(1_700_000_000_000);

    fn key(label: &str, id: &str) -> Key {
        let signer = Credential::new(id, Scheme::HmacSha256, id).expect("a key");
        Key::new(label, "", Scope::Trade, Arc::new(signer), Ts::NONE)
    }

    fn in_force(signing: &Signing) -> String {
        signing.in_force().map_or_else(String::new, |k| k.key_id().to_owned())
    }

    #[test]
    fn a_request_is_finished_with_the_key_that_it_was_begun_with() {
        let signing = Signing::new("binance/main", key("main", "key-old"), Vec::new());
        let begun = signing.key(Use::Place, NOW).expect("a key");
        signing.offer(key("main", "key-new")).expect("offered");
        assert_eq!(in_force(&signing), "key-old", "it is not in force before its connections are up");
        assert!(signing.switch());
        assert_eq!((begun.key_id(), in_force(&signing).as_str()), ("key-old", "key-new"));
        assert_eq!(begun.sign(b"x"), Credential::new("", Scheme::HmacSha256, "key-old").expect("a key").sign(b"x"));
        assert_eq!((begun.count(Use::Place), begun.used()), (1, Some((NOW, NOW))));
        assert!(matches!(signing.news().as_slice(), [KeyNews::Switched { .. }]));
    }

    #[test]
    fn a_refused_key_gives_way_to_a_spare_and_the_last_one_to_nobody() {
        let signing = Signing::new("a/b", key("a", "key-a"), vec![key("b", "key-b")]);
        let (first, late) = (signing.in_force().expect("a key"), signing.in_force().expect("a key"));
        assert!(signing.refused(&first, "401"));
        assert_eq!(in_force(&signing), "key-b");
        assert!(signing.refused(&late, "401"), "a late refusal of the same key changes nothing more");
        assert_eq!((in_force(&signing).as_str(), signing.news().len()), ("key-b", 1));
        let last = signing.in_force().expect("a key");
        assert!(!signing.refused(&last, "401"));
    }

    #[test]
    fn a_revoked_label_is_used_no_more() {
        let signing = Signing::new("a/b", key("a", "key-a"), vec![key("b", "key-b"), key("a", "key-c")]);
        assert_eq!(signing.revoke(&|k| k.label() == "a").map(|k| k.key_id().to_owned()), Some("key-b".to_owned()));
        assert!(signing.spare().is_empty());
        assert!(signing.revoke(&|_| true).is_none());
        assert!(matches!(signing.key(Use::Orders, NOW), Err(KeyError::NoneInForce(_))));
    }

    #[test]
    fn a_key_that_reads_stands_in_and_signs_no_orders() {
        let reader = Key { scope: Scope::Read, ..key("r", "key-r") };
        let signing = Signing::new("a/b", key("a", "key-a"), vec![reader]);
        signing.close();
        assert!(signing.key(Use::Cancel, NOW).is_ok() && signing.key(Use::Place, NOW).is_err());
        signing.revoke(&|k| k.label() == "a");
        assert!(signing.key(Use::Orders, NOW).is_ok());
        for what in [Use::Place, Use::Cancel, Use::Amend] {
            assert!(matches!(signing.key(what, NOW), Err(KeyError::Narrowed { .. })));
        }
    }

    #[test]
    fn one_key_after_the_other_is_offered() {
        let signing = Signing::new("a/b", key("a", "key-a"), Vec::new());
        signing.offer(key("a", "key-b")).expect("the first");
        assert_eq!(signing.offer(key("a", "key-c")).expect_err("the second").key_id(), "key-b");
        signing.withdraw("its stream was refused");
        assert!(!signing.switch() && in_force(&signing) == "key-a");
    }
}
