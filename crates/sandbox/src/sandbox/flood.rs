//! Load on demand: best quotes at a rate, and how long clients take from a marked one to an order.
//!
//! Messages come evenly, one by one, as the clock says; between them the server looks for requests, so this keeps one
//! processor busy. Four times a second the best bid's quantity changes from one to two or back: the mark. From the
//! moment in which a mark is handed to the system until the next order comes in is counted as a client's answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::SandboxError;
use super::server::Hall;

/// Marks per second: no more orders than the venue's limit of a hundred in ten seconds allows.
const MARKS: u64 = 4;

/// Messages in a row before requests are looked for, when it is behind.
const BURST: u64 = 16;

/// Answers kept.
const KEPT: usize = 100_000;

/// What the flood knows.
#[derive(Debug, Default)]
pub(super) struct Flood {
    /// A mark is on its way to its socket.
    waits: bool,
    /// When the last mark was handed to the system.
    marked: Option<Instant>,
    /// How long clients took.
    pub(super) answers: Arc<Mutex<Vec<Duration>>>,
}

impl Flood {
    /// Messages are about to be handed to the system.
    pub(super) fn leaving(&mut self) {
        if std::mem::take(&mut self.waits) {
            self.marked = Some(Instant::now());
        }
    }

    /// A request came in; an order is the answer to the last mark.
    pub(super) fn heard(&mut self, text: &str) {
        if self.marked.is_some()
            && text.contains("\"order.place\"")
            && let Some(marked) = self.marked.take()
        {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            if answers.len() < KEPT {
                answers.push(marked.elapsed());
            }
        }
    }
}

/// Sends so many best quotes per second to whoever listens, in turn over the markets; none for zero.
pub(super) async fn serve(hall: Hall, per_second: u32) -> Result<(), SandboxError> {
    if per_second == 0 {
        return std::future::pending().await;
    }
    let begun = Instant::now();
    let every = (u64::from(per_second) / MARKS).max(1);
    let mut sent: u64 = 0;
    loop {
        let due = u64::try_from(begun.elapsed().as_micros() * u128::from(per_second) / 1_000_000).unwrap_or(u64::MAX);
        for _ in 0..due.saturating_sub(sent).min(BURST) {
            sent += 1;
            let floor = &mut *hall.floor();
            let market = usize::try_from(sent).unwrap_or(0) % floor.markets.len();
            let market = &floor.markets[market];
            let message = market.flood_message(sent, (sent / every) % 2 == 1);
            floor.hub.publish(&market.topics.book_ticker, &message);
            if sent.is_multiple_of(every) {
                floor.flood.waits = true;
            }
        }
        tokio::task::yield_now().await;
    }
}
