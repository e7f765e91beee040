//! How a gateway goes from one set of connections to another. From one key to another: the connections of the next
//! come up, it signs, those of the one before are left to be answered; and back, when the venue refuses it. With the
//! same key, before the venue cuts them: new ones come up, and nothing is missed between them.

use std::sync::Arc;

use super::wires::{BOTH, Era, Wires};
use super::{Gateway, GatewayEvent, nanos};
use crate::exchange::machine::Link;
use crate::keys::Key;

/// The next connections must be up by then; answers on the old ones are awaited so long.
const NEXT_WITHIN: i64 = nanos(20_000);
/// The old connections are heard for so long at least: what the venue told before it heard of the new ones may be
/// under way.
const OLD_HEARD: i64 = nanos(500);
/// Connections whose successors did not come up are renewed again after so long.
const RENEW_AGAIN: i64 = nanos(30_000);

impl Gateway {
    /// The next connections are up, or will not be; the old ones are of no use any more.
    pub(super) fn watch_eras(&mut self) {
        let now = self.now;
        if self.next.as_ref().is_some_and(|set| set.is_up(now)) {
            self.take_over();
        } else if self.next.as_ref().is_some_and(|set| now >= set.since.plus(NEXT_WITHIN)) {
            self.next_failed("its connections did not come up in time");
        }
        let awaited = |set: &Wires, link: Link| set.trade.is(link) && now < set.since.plus(NEXT_WITHIN);
        let waits = |set: &Wires| self.said.values().filter_map(|f| f.link).any(|link| awaited(set, link));
        if self.old.as_ref().is_some_and(|set| now >= set.since.plus(OLD_HEARD) && !waits(set)) {
            self.drop_set(Era::Old);
        }
    }

    /// Whether connections can be renewed: no others come or go.
    pub(super) const fn may_renew(&self) -> bool {
        self.next.is_none() && self.old.is_none() && self.halted.is_none()
    }

    /// Opens connections beside those that the venue will cut, of the same key.
    pub(super) fn renew(&mut self) {
        if let Some(key) = self.wires.key.clone().filter(|_| self.may_renew()) {
            self.begin_next(key, u64::from(self.next_link));
        }
    }

    fn begin_next(&mut self, key: Arc<Key>, seed: u64) {
        let mut set = Wires::new(self.settings.backoff, self.settings.seed ^ seed);
        set.key = Some(key);
        set.since = self.now;
        set.begin(self.now);
        self.next = Some(set);
    }

    /// Whether the next connections are of the key that signs: they are renewed, and nothing else changes.
    fn is_renewal(&self) -> bool {
        let key = self.next.as_ref().and_then(|set| set.key.as_ref());
        key.is_some_and(|key| self.wires.is_of(key))
    }

    /// Looks which key is to sign: one that is new gets connections of its own.
    pub(super) fn look_at_keys(&mut self) {
        self.keys_seen = self.signing.changes();
        if self.signing.cancels() != self.cancels_seen {
            self.cancels_seen = self.signing.cancels();
            self.cancel_all(None, self.now);
        }
        let Some(key) = self.signing.next().or_else(|| self.signing.in_force()) else {
            self.drop_set(Era::Next);
            self.halt(format!("no key of {} is in force", self.signing.account()));
            return;
        };
        if self.wires.is_of(&key) || self.wires.key.is_none() {
            if !self.is_renewal() {
                self.drop_set(Era::Next);
            }
        } else if self.old.as_ref().is_some_and(|set| set.is_of(&key)) {
            // Back to the key before, whose connections are still there.
            self.drop_set(Era::Next);
            self.next = self.old.take();
            self.take_over();
        } else if !self.next.as_ref().is_some_and(|set| set.is_of(&key)) {
            self.drop_set(Era::Next);
            self.begin_next(key, u64::from(self.keys_seen));
        }
    }

    /// Orders go over the next connections from now on, and their key signs; those before are left to be answered.
    fn take_over(&mut self) {
        let renewed = self.is_renewal();
        let Some(set) = self.next.take() else { return };
        let is_next = self.signing.next().is_some_and(|key| set.is_of(&key));
        if is_next {
            self.signing.switch();
        }
        self.keys_seen = self.signing.changes();
        self.drop_set(Era::Old);
        let mut before = std::mem::replace(&mut self.wires, set);
        let was_on = before.private_on;
        before.since = self.now;
        self.old = Some(before);
        self.keep_later();
        if renewed {
            self.note("the private connections are renewed".to_owned());
        } else {
            let name = self.wires.key.as_ref().map(|k| k.name()).unwrap_or_default();
            self.note(format!("the key {name} signs from now on"));
            (self.halted, self.refused) = (None, None);
        }
        self.wires.private_on = true;
        if !was_on {
            self.events.push_back(GatewayEvent::Private(true));
        }
        self.catch_up();
    }

    /// The next key does not come into force, or the connections are not renewed: all stays as it is.
    pub(super) fn next_failed(&mut self, why: &str) {
        let renewal = self.is_renewal();
        let Some(key) = self.next.as_ref().and_then(|set| set.key.clone()) else { return };
        self.drop_set(Era::Next);
        if renewal {
            self.renew_due = self.now.plus(RENEW_AGAIN);
            self.note(format!("the private connections are not renewed: {why}"));
            return;
        }
        self.note(format!("the key {} is not taken: {why}", key.name()));
        if self.signing.next().is_some_and(|next| Arc::ptr_eq(&next, &key)) {
            self.signing.withdraw(why);
        } else {
            // It signs already, by REST; its connections are tried again.
            self.signing.refused(&key, why);
        }
        self.keys_seen = self.keys_seen.wrapping_sub(1);
    }

    /// The venue refused a key. Whether another signs from now on: what was refused may be tried again.
    pub(super) fn key_refused(&mut self, key: &Arc<Key>, why: &str) -> bool {
        if self.next.as_ref().is_some_and(|set| set.is_of(key)) && self.signing.next().is_some() {
            self.next_failed(why);
            return true;
        }
        let before = self.signing.changes();
        let another = self.signing.refused(key, why);
        // Of many requests under way only the first refusal is news.
        if self.signing.changes() != before {
            self.note(format!("the venue refused the key {}; another signs: {why}", key.name()));
            self.look_at_keys();
        }
        another
    }

    fn drop_set(&mut self, era: Era) {
        for which in BOTH {
            self.kill_wire((era, which), "others took its place");
        }
        match era {
            Era::Now => {}
            Era::Next => self.next = None,
            Era::Old => self.old = None,
        }
    }
}
