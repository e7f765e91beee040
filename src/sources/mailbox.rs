//! The mailbox between sources and a session: bounded, so that a flood outside costs no memory inside.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::signal::News;

/// Messages that may wait.
const ROOM: usize = 4_096;

/// What a source sends.
#[derive(Debug)]
// At most some thousands wait: their size does not matter, and news are not boxed on their way.
#[allow(clippy::large_enum_variant)]
pub enum Mail {
    /// News; the session stamps the engine time at which it hears them.
    News(News),
    /// Something to be told to people: a refusal, a silence, a lost connection.
    Note(String),
    /// A person asks; the answer goes back by the channel.
    Ask(Question, oneshot::Sender<String>),
}

/// What a person can ask a running session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// How it stands.
    Status,
    /// What strategies wait for.
    Why,
    /// What is held.
    Positions,
    /// What is open.
    Orders,
    /// What was made.
    Profit,
    /// Open or enlarge no position from now on.
    Pause,
    /// Go on.
    Resume,
    /// End the session.
    Stop,
}

/// Where sources put their mail.
#[derive(Clone)]
pub struct Sender {
    tx: SyncSender<Mail>,
    wake: Arc<Notify>,
}

/// Where a session takes it out.
pub struct Mailbox {
    rx: Receiver<Mail>,
    wake: Arc<Notify>,
}

/// Most characters of a note.
const NOTE_MAX: usize = 600;

/// A mailbox with both its ends.
pub fn mailbox() -> (Sender, Mailbox) {
    let (tx, rx) = sync_channel(ROOM);
    let wake = Arc::new(Notify::new());
    (Sender { tx, wake: Arc::clone(&wake) }, Mailbox { rx, wake })
}

/// A note without what would command a terminal, and of a bounded length: it may quote what strangers wrote.
pub(crate) fn plain(text: String) -> String {
    if text.len() <= NOTE_MAX && !text.chars().any(char::is_control) {
        return text;
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(NOTE_MAX).collect()
}

impl Sender {
    /// Puts mail in; false when the box is full or nobody reads it any more.
    pub fn send(&self, mail: Mail) -> bool {
        let mail = match mail {
            Mail::Note(text) => Mail::Note(plain(text)),
            mail => mail,
        };
        let sent = match self.tx.try_send(mail) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        };
        self.wake.notify_one();
        sent
    }
}

impl Mailbox {
    /// The next mail, if there is any.
    pub fn take(&self) -> Option<Mail> {
        self.rx.try_recv().ok()
    }

    /// Waits for mail, at most so long.
    pub fn wait(&self, at_most: Duration) -> Option<Mail> {
        match self.rx.recv_timeout(at_most) {
            Ok(mail) => Some(mail),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                // All sources are gone; time passes all the same.
                std::thread::sleep(at_most);
                None
            }
        }
    }

    /// What wakes an asynchronous reader when mail comes.
    pub fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_commands_no_terminal_and_has_a_bound() {
        assert_eq!(plain("unknown field `\u{1b}[2J\u{7}`".to_owned()), "unknown field ` [2J `");
        assert_eq!(plain("ä".repeat(5_000)).chars().count(), NOTE_MAX);
        assert_eq!(plain("as it is".to_owned()), "as it is");
    }
}
