//! One book of one connection: judged, cut to its depth, checked, and told.

use bellwether_sdk::{Depth, InstrumentId, Level, Side, Ts};

use super::{BookLoss, FeedEvent, FeedSink};
use crate::exchange::checksum::crc_of;
use crate::exchange::{BookRule, Continuity, Topic};
use crate::market::book::{Applied, Book};

/// How a lost book comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resync {
    /// It is valid, or nothing was done yet.
    None,
    /// A snapshot is on its way; what was asked at this time has to come.
    Awaited(Ts),
}

/// What a message did to a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Took {
    /// Nothing to tell.
    Nothing,
    /// Nothing to tell: it waits for a snapshot.
    Waits,
    /// Its changes are to be told.
    Changes,
    /// The whole book is to be told.
    Whole,
    /// The book was valid and is lost.
    Lost(BookLoss),
}

/// A book and the rule by which its venue lets it be kept.
#[derive(Debug)]
pub(super) struct Keeper {
    topic: Topic,
    rule: BookRule,
    levels_max: usize,
    book: Book,
    pub(super) resync: Resync,
    /// Attempts since it was last valid.
    pub(super) tries: u32,
    levels: Vec<Level>,
}

impl Keeper {
    /// A book that has so many levels per side at the venue.
    pub(super) fn new(topic: Topic, rule: BookRule, levels: u32) -> Self {
        let levels_max = if rule.truncate { usize::try_from(levels).unwrap_or(usize::MAX) } else { usize::MAX };
        let (book, levels) = (Book::default(), Vec::new());
        Self { topic, rule, levels_max, book, resync: Resync::None, tries: 0, levels }
    }

    pub(super) fn topic(&self) -> Topic {
        self.topic
    }

    pub(super) fn instrument(&self) -> InstrumentId {
        self.topic.instrument()
    }

    pub(super) fn book(&self) -> &Book {
        &self.book
    }

    /// Whether a change that never arrived would not be noticed.
    pub(super) fn cannot_see_gaps(&self) -> bool {
        let unnumbered = matches!(self.rule.continuity, Continuity::Numbers | Continuity::Connection);
        unnumbered && self.book.is_valid() && self.book.last_id() == 0
    }

    /// Forgets the book; whether it was valid.
    pub(super) fn lose(&mut self) -> bool {
        let was = self.book.is_valid();
        self.book = Book::default();
        self.resync = Resync::None;
        was
    }

    /// Takes a message of the stream, or a snapshot from REST.
    pub(super) fn take(&mut self, depth: &Depth<'_>, crc: Option<u32>) -> Took {
        let was_valid = self.book.is_valid();
        let last = self.book.last_id();
        if was_valid && !depth.snapshot && depth.last_id != 0 && depth.last_id <= last {
            return Took::Nothing;
        }
        match self.book.apply(depth) {
            Applied::PassedOver if self.book.is_valid() => return Took::Nothing,
            Applied::PassedOver => return Took::Waits,
            Applied::Gap => {
                self.resync = Resync::None;
                return if was_valid { Took::Lost(BookLoss::Gap) } else { Took::Waits };
            }
            Applied::Changed => {}
        }
        self.levels.clear();
        self.book.keep(self.levels_max, &mut self.levels);
        if let Some(loss) = self.fault(crc) {
            self.lose();
            return if was_valid { Took::Lost(loss) } else { Took::Waits };
        }
        self.resync = Resync::None;
        self.tries = 0;
        if depth.snapshot || !was_valid { Took::Whole } else { Took::Changes }
    }

    fn fault(&self, crc: Option<u32>) -> Option<BookLoss> {
        let wrong = |crc: u32| self.rule.continuity == Continuity::Checksum && crc_of(&self.book) != crc;
        if crc.is_some_and(wrong) {
            return Some(BookLoss::Checksum);
        }
        let crossed = matches!((self.book.best_bid(), self.book.best_ask()), (Some(b), Some(a)) if b.0 >= a.0);
        crossed.then_some(BookLoss::Crossed)
    }

    /// Tells changes that were just taken, with the levels that were cut off as deletions.
    pub(super) fn tell_changes(&mut self, depth: &Depth<'_>, sink: &mut dyn FeedSink) {
        if self.levels.is_empty() {
            sink.feed(FeedEvent::Depth(*depth));
            return;
        }
        let cut = self.levels.len();
        self.levels.extend_from_slice(depth.levels);
        self.levels.rotate_left(cut);
        sink.feed(FeedEvent::Depth(Depth { levels: &self.levels, ..*depth }));
    }

    /// Tells the whole book, where it is valid.
    pub(super) fn tell_whole(&mut self, ts: Ts, ts_venue: Ts, sink: &mut dyn FeedSink) {
        if !self.book.is_valid() {
            return;
        }
        self.levels.clear();
        for side in [Side::Buy, Side::Sell] {
            self.levels.extend(self.book.levels(side).map(|(price, qty)| Level { side, price, qty }));
        }
        let last_id = self.book.last_id();
        let (first_id, prev_id, instrument) = (0, 0, self.instrument());
        let levels = &self.levels;
        sink.feed(FeedEvent::Depth(Depth {
            ts,
            ts_venue,
            snapshot: true,
            first_id,
            last_id,
            prev_id,
            levels,
            instrument,
        }));
    }
}
