//! Who listens to what: sockets, the streams they asked for, the accounts whose events they want.
//!
//! Every socket has a bounded queue. A client so slow that its queue is full is disconnected, as the venue does it;
//! nobody else waits for it.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::mpsc;

use super::server::Hall;

/// Messages a socket may be behind.
pub(super) const QUEUE: usize = 16_384;

/// A socket's number.
pub(super) type Link = u64;

#[derive(Debug)]
struct Listener {
    queue: mpsc::Sender<Utf8Bytes>,
    /// Messages are wrapped with the name of their stream.
    combined: bool,
    topics: BTreeSet<String>,
    /// Subscriptions to accounts: number and account.
    accounts: BTreeMap<u64, String>,
}

/// A socket's place in the hub, given up when dropped.
pub(super) struct Ear {
    pub(super) hall: Hall,
    pub(super) link: Link,
    pub(super) queue: mpsc::Receiver<Utf8Bytes>,
}

impl Ear {
    /// A place for a socket that is about to open: who sees it open is heard from then on.
    pub(super) fn new(hall: Hall, combined: bool) -> Self {
        let (link, queue) = hall.floor().hub.join(combined);
        Self { hall, link, queue }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.hall.floor().hub.leave(self.link);
    }
}

/// All listeners.
#[derive(Debug, Default)]
pub(super) struct Hub {
    next: Link,
    next_subscription: u64,
    listeners: BTreeMap<Link, Listener>,
    topics: BTreeMap<String, BTreeSet<Link>>,
    accounts: BTreeMap<String, BTreeSet<Link>>,
}

impl Hub {
    /// A new socket and its queue.
    fn join(&mut self, combined: bool) -> (Link, mpsc::Receiver<Utf8Bytes>) {
        self.next += 1;
        let (queue, receiver) = mpsc::channel(QUEUE);
        let listener = Listener { queue, combined, topics: BTreeSet::new(), accounts: BTreeMap::new() };
        self.listeners.insert(self.next, listener);
        (self.next, receiver)
    }

    /// A socket is gone.
    fn leave(&mut self, link: Link) {
        let Some(listener) = self.listeners.remove(&link) else { return };
        for topic in &listener.topics {
            forget(&mut self.topics, topic, link);
        }
        for account in listener.accounts.values() {
            forget(&mut self.accounts, account, link);
        }
    }

    pub(super) fn subscribe(&mut self, link: Link, topic: &str) {
        let Some(listener) = self.listeners.get_mut(&link) else { return };
        listener.topics.insert(topic.to_owned());
        self.topics.entry(topic.to_owned()).or_default().insert(link);
    }

    pub(super) fn unsubscribe(&mut self, link: Link, topic: &str) {
        let Some(listener) = self.listeners.get_mut(&link) else { return };
        listener.topics.remove(topic);
        forget(&mut self.topics, topic, link);
    }

    /// The streams of a socket.
    pub(super) fn topics_of(&self, link: Link) -> Vec<String> {
        self.listeners.get(&link).map(|l| l.topics.iter().cloned().collect()).unwrap_or_default()
    }

    /// Wraps messages of a socket with their stream's name, or not.
    pub(super) fn set_combined(&mut self, link: Link, combined: bool) {
        if let Some(listener) = self.listeners.get_mut(&link) {
            listener.combined = combined;
        }
    }

    /// Whether messages of a socket are wrapped.
    pub(super) fn is_combined(&self, link: Link) -> bool {
        self.listeners.get(&link).is_some_and(|l| l.combined)
    }

    /// Subscribes a socket to an account's events; `None` when it is subscribed already.
    pub(super) fn follow(&mut self, link: Link, account: &str) -> Option<u64> {
        let listener = self.listeners.get_mut(&link)?;
        if listener.accounts.values().any(|a| a == account) {
            return None;
        }
        let number = self.next_subscription;
        self.next_subscription += 1;
        listener.accounts.insert(number, account.to_owned());
        self.accounts.entry(account.to_owned()).or_default().insert(link);
        Some(number)
    }

    /// Ends one subscription to an account, or all of a socket.
    pub(super) fn unfollow(&mut self, link: Link, number: Option<u64>) -> bool {
        let Some(listener) = self.listeners.get_mut(&link) else { return false };
        let gone: Vec<u64> = listener.accounts.keys().copied().filter(|n| number.is_none_or(|w| w == *n)).collect();
        for number in &gone {
            if let Some(account) = listener.accounts.remove(number) {
                forget(&mut self.accounts, &account, link);
            }
        }
        !gone.is_empty()
    }

    /// Whether anybody listens to a stream.
    pub(super) fn wants(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    /// Sends a message of a stream to all who listen.
    pub(super) fn publish(&mut self, topic: &str, message: &str) {
        let Some(links) = self.topics.get(topic) else { return };
        let (mut bare, mut wrapped): (Option<Utf8Bytes>, Option<Utf8Bytes>) = (None, None);
        let mut slow = Vec::new();
        for link in links {
            let Some(listener) = self.listeners.get(link) else { continue };
            let text = if listener.combined {
                wrapped.get_or_insert_with(|| format!(r#"{{"stream":"{topic}","data":{message}}}"#).into()).clone()
            } else {
                bare.get_or_insert_with(|| message.into()).clone()
            };
            if listener.queue.try_send(text).is_err() {
                slow.push(*link);
            }
        }
        self.drop_all(&slow);
    }

    /// Sends an event of an account to all who follow it.
    pub(super) fn tell(&mut self, account: &str, event: &str) {
        let Some(links) = self.accounts.get(account) else { return };
        let mut slow = Vec::new();
        for link in links {
            let Some(listener) = self.listeners.get(link) else { continue };
            for (number, _) in listener.accounts.iter().filter(|(_, a)| *a == account) {
                let text = format!(r#"{{"subscriptionId":{number},"event":{event}}}"#);
                if listener.queue.try_send(text.into()).is_err() {
                    slow.push(*link);
                }
            }
        }
        self.drop_all(&slow);
    }

    /// The queue's end is what tells the socket's task to close.
    fn drop_all(&mut self, slow: &[Link]) {
        for link in slow {
            tracing::warn!(link, "a client is {QUEUE} messages behind and is disconnected");
            self.leave(*link);
        }
    }
}

fn forget(map: &mut BTreeMap<String, BTreeSet<Link>>, name: &str, link: Link) {
    if let Some(links) = map.get_mut(name) {
        links.remove(&link);
        if links.is_empty() {
            map.remove(name);
        }
    }
}
