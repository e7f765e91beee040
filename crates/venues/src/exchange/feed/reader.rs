//! Takes a message's notes: each to its topic, each topic's news to the sink.

use bellwether_sdk::{Depth, Ts};

use super::keeper::Took;
use super::lane::Conn;
use super::topics::Topics;
use super::{BookLoss, FeedEvent, FeedSink};
use crate::exchange::{Note, Sink};

/// What the machine must see to after a message.
#[derive(Debug, Default)]
pub(super) struct HeardOf {
    pub(super) book_lost: bool,
    pub(super) book_waits: bool,
    pub(super) bars_missed: bool,
    pub(super) leaving: bool,
    pub(super) refused: bool,
    pub(super) unexpected: bool,
    /// The connection's running number jumped.
    pub(super) missed: bool,
    /// The message came before: its notes are passed over.
    pub(super) pass_over: bool,
    pub(super) words: Option<String>,
}

/// The sink of one message of one connection.
pub(super) struct Reader<'a> {
    pub(super) topics: &'a mut Topics,
    pub(super) conn: &'a mut Conn,
    /// Whether this connection is the one that is told of.
    pub(super) leads: bool,
    /// Whether another carries the same topics now.
    pub(super) both: bool,
    pub(super) now: Ts,
    pub(super) sink: &'a mut dyn FeedSink,
    pub(super) heard_of: HeardOf,
}

impl Reader<'_> {
    /// Notes that a topic was heard; whether it is one that was asked for and may be told.
    #[inline]
    fn heard(&mut self, topic: Option<usize>) -> bool {
        let Some(topic) = topic else { return false };
        self.conn.heard[topic] = self.now;
        self.topics.states[topic].heard(self.now, self.sink);
        self.leads
    }

    fn depth(&mut self, depth: &Depth<'_>, crc: Option<u32>) {
        let topic = self.topics.depth(depth.instrument);
        let leads = self.heard(topic);
        let Some(keeper) = topic.and_then(|t| self.conn.keepers[t].as_mut()) else { return };
        match keeper.take(depth, crc) {
            Took::Nothing => {}
            Took::Waits => self.heard_of.book_waits = true,
            Took::Changes if leads => keeper.tell_changes(depth, self.sink),
            Took::Whole if leads => keeper.tell_whole(depth.ts, depth.ts_venue, self.sink),
            Took::Changes | Took::Whole => {}
            Took::Lost(loss) => {
                self.heard_of.book_lost = true;
                if leads {
                    self.sink.feed(FeedEvent::BookLost(depth.instrument, loss));
                }
            }
        }
    }

    /// Messages of the connection are missing: books that cannot show it themselves are lost.
    fn missed(&mut self) {
        self.heard_of.missed = true;
        for keeper in self.conn.keepers.iter_mut().flatten().filter(|k| k.cannot_see_gaps()) {
            if keeper.lose() && self.leads {
                self.sink.feed(FeedEvent::BookLost(keeper.instrument(), BookLoss::Gap));
            }
        }
    }

    fn words(&mut self, words: &str) {
        self.heard_of.words = Some(words.to_owned());
    }
}

impl Sink for Reader<'_> {
    fn note(&mut self, note: Note<'_>) {
        if self.heard_of.pass_over && !matches!(note, Note::Sequence(_)) {
            return;
        }
        match note {
            Note::Trade(trade, id) => {
                let topic = self.topics.trades(trade.instrument);
                self.heard(topic);
                // While two connections carry them, whichever is first tells a trade.
                if let Some(t) = topic.filter(|_| self.leads || self.both)
                    && self.topics.states[t].is_new(&trade, id, self.both)
                {
                    self.sink.feed(FeedEvent::Trade(trade));
                }
            }
            Note::Quote(quote) => {
                if self.heard(self.topics.quotes(quote.instrument)) {
                    self.sink.feed(FeedEvent::Quote(quote));
                }
            }
            Note::Depth(depth, crc) => self.depth(&depth, crc),
            Note::Bar(bar, complete) => {
                let topic = self.topics.bars(bar.instrument, bar.interval);
                if self.heard(topic)
                    && let Some(t) = topic
                {
                    self.heard_of.bars_missed |= self.topics.states[t].bars.on_bar(bar, complete, self.sink);
                }
            }
            Note::FundingRate(instrument, rate, settles, mark) => {
                let topic = self.topics.funding(instrument);
                if self.heard(topic)
                    && let Some(t) = topic
                    && let Some((rate, settles, mark)) = self.topics.states[t].funding(rate, settles, mark)
                {
                    self.sink.feed(FeedEvent::FundingRate(instrument, rate, settles, mark));
                }
            }
            Note::Sequence(n) => {
                let last = self.conn.sequence;
                self.heard_of.pass_over = last.is_some_and(|last| n <= last);
                if last.is_some_and(|last| n > last.saturating_add(1)) {
                    self.missed();
                }
                self.conn.sequence = Some(last.map_or(n, |last| last.max(n)));
            }
            Note::Subscribed | Note::Alive | Note::Ignored => {}
            Note::Refused(words) => {
                self.heard_of.refused = true;
                self.words(words);
            }
            Note::Leaving(words) => {
                self.heard_of.leaving = true;
                self.words(words);
            }
            Note::Unexpected(words) => {
                self.heard_of.unexpected = true;
                self.words(words);
            }
        }
    }
}
