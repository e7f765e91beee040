//! The courier of one place: takes what waits in its spool and delivers it, in order, until the place takes it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{Message, Spool};
use crate::exchange::machine::{Backoff, BackoffSettings};

/// Waits between attempts.
const WAITS: BackoffSettings = BackoffSettings { first_ms: 500, max_ms: 60_000 };

/// A place that messages can be delivered to.
#[async_trait]
pub trait Place: Send {
    /// Delivers a message. The same one may come again after a failure whose outcome is not known, with its id.
    ///
    /// # Errors
    /// [`Undelivered`] says whether it is worth trying again.
    async fn deliver(&mut self, message: &Message) -> Result<(), Undelivered>;
}

/// A message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// The place is down, busy, or does not know us today. Waits at least so long where it says.
    #[error("{why}")]
    Later {
        /// What happened.
        why: String,
        /// What the place asks for.
        wait: Option<Duration>,
    },
    /// This message will never be taken.
    #[error("{why}")]
    Never {
        /// What happened.
        why: String,
    },
}

impl Undelivered {
    /// Try again.
    pub fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), wait: None }
    }
}

/// What became of messages, for the report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Delivered.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Put aside: the place will never take them.
    pub refused: u64,
    /// Why the last attempt failed; empty when it did not.
    pub trouble: String,
}

/// Spool, place and what wakes the courier.
pub(super) struct Courier {
    pub(super) name: String,
    pub(super) place: Box<dyn Place>,
    pub(super) spool: Arc<Mutex<Spool>>,
    pub(super) bell: Arc<Notify>,
    pub(super) state: Arc<Mutex<Delivered>>,
    pub(super) per_minute_max: u32,
    pub(super) seed: u64,
}

impl Courier {
    /// Delivers for ever.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(WAITS, self.seed);
        let gap = Duration::from_secs(60) / self.per_minute_max.max(1);
        // A burst of a tenth of a minute's messages goes out at once.
        let burst = gap * (self.per_minute_max / 10).max(1);
        let mut free_at = Instant::now();
        loop {
            let first = lock(&self.spool).first();
            let (message, length) = match first {
                Ok(Some(found)) => found,
                Ok(None) => {
                    self.bell.notified().await;
                    continue;
                }
                Err(error) => {
                    lock(&self.state).trouble = format!("its spool does not read: {error}");
                    tokio::time::sleep(Duration::from_millis(backoff.next_ms())).await;
                    continue;
                }
            };
            let now = Instant::now();
            free_at = free_at.max(now.checked_sub(burst).unwrap_or(now)) + gap;
            tokio::time::sleep(free_at.saturating_duration_since(now)).await;
            match self.place.deliver(&message).await {
                Ok(()) => {
                    backoff.reset();
                    {
                        let mut state = lock(&self.state);
                        state.sent += 1;
                        state.trouble.clear();
                    }
                    self.done(length);
                }
                Err(Undelivered::Never { why }) => {
                    tracing::warn!(sink = self.name, why, "a message is refused for good");
                    // It is told on, whether it can be put aside or not.
                    let _ = lock(&self.spool).set_aside(&message, &why);
                    self.done(length);
                    lock(&self.state).refused += 1;
                }
                Err(Undelivered::Later { why, wait }) => {
                    let own = Duration::from_millis(backoff.next_ms());
                    {
                        let mut state = lock(&self.state);
                        if state.trouble.is_empty() {
                            tracing::warn!(sink = self.name, why, "a message is not delivered yet");
                        }
                        (state.failed, state.trouble) = (state.failed + 1, why);
                    }
                    tokio::time::sleep(wait.map_or(own, |w| w.max(own))).await;
                }
            }
        }
    }

    fn done(&self, length: u64) {
        if let Err(error) = lock(&self.spool).delivered(length) {
            lock(&self.state).trouble = format!("its spool cannot be written: {error}");
        }
    }
}

/// A lock that a panic elsewhere does not keep shut: what it guards is whole after every statement.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::Ts;
    use mockall::Sequence;

    use super::super::Notice;
    use super::*;
    use crate::config::Level;

    mockall::mock! {
        Chat {}

        #[async_trait]
        impl Place for Chat {
            async fn deliver(&mut self, message: &Message) -> Result<(), Undelivered>;
        }
    }

    #[tokio::test]
    async fn a_message_comes_again_until_it_is_taken_and_one_that_never_will_be_holds_nobody_up() {
        let dir = tempfile::tempdir().expect("folder");
        let mut spool = Spool::open(dir.path(), "chat", 10_000).expect("open");
        for text in ["a", "b", "c"] {
            let notice = Notice::new(Ts::from_millis(1), Level::Info, "fill", text);
            assert!(spool.put(text.to_owned(), notice).expect("written"));
        }
        let (mut chat, mut order) = (MockChat::new(), Sequence::new());
        let mut expect = |text: &'static str, answer: Result<(), Undelivered>| {
            let call = chat.expect_deliver().withf(move |m| m.text == text).times(1).in_sequence(&mut order);
            call.return_once(move |_| answer);
        };
        expect("a", Err(Undelivered::later("it is down")));
        expect("a", Ok(()));
        expect("b", Err(Undelivered::Never { why: "too long".to_owned() }));
        expect("c", Ok(()));
        let (spool, state) = (Arc::new(Mutex::new(spool)), Arc::new(Mutex::new(Delivered::default())));
        let courier = Courier {
            name: "chat".to_owned(),
            place: Box::new(chat),
            spool: Arc::clone(&spool),
            bell: Arc::new(Notify::new()),
            state: Arc::clone(&state),
            per_minute_max: 60_000,
            seed: 1,
        };
        let all_told = async {
            while lock(&state).sent < 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            () = courier.run() => {}
            () = all_told => {}
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("not delivered: {:?}", lock(&state)),
        }
        let expected = Delivered { sent: 2, failed: 1, refused: 1, trouble: String::new() };
        assert_eq!((lock(&state).clone(), lock(&spool).waiting()), (expected, 0));
    }
}
