//! Market data of one venue: connections, subscriptions, books, bars, and the watch over all of them.
//!
//! A machine without I/O: time, bytes and answers go in, [`Action`]s and [`FeedEvent`]s come out. It reads no clock and
//! opens no socket, so the machine that trades is the machine that runs in the storm of the tests. It keeps no orders
//! and no account.

mod bars;
mod changeover;
mod jobs;
mod keeper;
mod lane;
mod reader;
mod topics;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bellwether_sdk::{Bar, Depth, InstrumentId, Price, Quote, Rate, Trade, Ts};

use super::machine::{Action, Backoff, BackoffSettings, ClockOffset, Limits, Line, LineEvent, Link, Tag, nanos};
use super::{Facts, Listings, Topic, Urls, Venue};
use jobs::Job;
use lane::{Conn, Lane, Place};
use reader::Reader;
use topics::{Topics, Unexpected};

/// Why a book cannot be relied on any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookLoss {
    /// Messages are missing.
    Gap,
    /// The venue's checksum is another.
    Checksum,
    /// The best bid is not below the best offer.
    Crossed,
    /// A message that may have concerned it was not understood.
    Malformed,
    /// The connection is gone.
    Disconnected,
}

impl BookLoss {
    /// Its name in logs and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Checksum => "checksum",
            Self::Crossed => "crossed",
            Self::Malformed => "malformed",
            Self::Disconnected => "disconnected",
        }
    }
}

/// What a feed tells, in the order in which it came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FeedEvent<'a> {
    /// A trade, once.
    Trade(Trade),
    /// The best quote.
    Quote(Quote),
    /// Depth that passed the book's judgement: a book that takes all of these, and forgets itself at
    /// [`BookLost`](Self::BookLost), equals the feed's own.
    Depth(Depth<'a>),
    /// A complete bar, once, in order.
    Bar(Bar),
    /// The current funding rate of an instrument, when it settles, and the mark price (zero when unknown).
    FundingRate(InstrumentId, Rate, Ts, Price),
    /// A book is invalid until the next snapshot.
    BookLost(InstrumentId, BookLoss),
    /// A topic was not heard of for so many milliseconds.
    Stale(Topic, u64),
    /// A stale topic is heard of again.
    Alive(Topic),
    /// Nothing carries these topics: their connection ended, or could not be opened.
    Cut(&'a [Topic]),
    /// A connection carries these topics, and something was heard on it.
    Carried(&'a [Topic]),
    /// A connection is open and its subscriptions are on their way; `true` when it replaces one that was well.
    Connected(Link, bool),
    /// A connection ended, or could not be opened; the next attempt has this number and comes after so many
    /// milliseconds.
    Reconnecting(Link, u32, u64, &'a str),
    /// A subscription or request was refused.
    Refused(&'a str),
    /// Messages were not understood: how many so far, and the last reason. Told at most every ten seconds.
    Unexpected(u64, &'a str),
    /// The venue's clock was measured: nanoseconds that it is ahead of ours, and the round trip.
    Clock(i64, i64),
}

/// Takes what a feed tells. What is borrowed is borrowed for the time of the call.
pub trait FeedSink {
    /// Takes one.
    fn feed(&mut self, event: FeedEvent<'_>);
}

impl<F: FnMut(FeedEvent<'_>)> FeedSink for F {
    fn feed(&mut self, event: FeedEvent<'_>) {
        self(event);
    }
}

/// After how many milliseconds without a message a topic is stale; zero for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleAfter {
    /// Trades.
    pub trades_ms: u64,
    /// Quotes.
    pub quotes_ms: u64,
    /// Depth.
    pub depth_ms: u64,
    /// Bars, beyond their interval.
    pub bars_ms: u64,
    /// Funding rates.
    pub funding_ms: u64,
}

impl Default for StaleAfter {
    fn default() -> Self {
        Self { trades_ms: 60_000, quotes_ms: 10_000, depth_ms: 10_000, bars_ms: 30_000, funding_ms: 120_000 }
    }
}

/// How a feed behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedSettings {
    /// When topics are stale.
    pub stale: StaleAfter,
    /// Waits between attempts to connect.
    pub backoff: BackoffSettings,
    /// Seed of the jitter.
    pub seed: u64,
    /// Milliseconds after a bar's end by the venue's clock at which it is complete without the venue saying so.
    pub bar_grace_ms: u64,
    /// A connection is replaced so many milliseconds before the venue would cut it.
    pub changeover_before_ms: u64,
    /// The new connection must have shown within so many milliseconds whatever the old one shows.
    pub changeover_within_ms: u64,
    /// A snapshot that does not come within so many milliseconds is asked for again.
    pub snapshot_within_ms: u64,
    /// The venue's clock is measured so often, milliseconds; zero for never.
    pub clock_every_ms: u64,
}

impl Default for FeedSettings {
    fn default() -> Self {
        Self {
            stale: StaleAfter::default(),
            backoff: BackoffSettings::default(),
            seed: 0,
            bar_grace_ms: 2_000,
            changeover_before_ms: 600_000,
            changeover_within_ms: 20_000,
            snapshot_within_ms: 5_000,
            clock_every_ms: 600_000,
        }
    }
}

/// The market data of one venue.
pub struct Feed {
    venue: Arc<dyn Venue>,
    facts: Facts,
    listings: Listings,
    settings: FeedSettings,
    limits: Arc<Limits>,
    lanes: Vec<Lane>,
    topics: Topics,
    out: VecDeque<Action>,
    next_link: u32,
    next_tag: u64,
    asked: BTreeMap<Tag, Job>,
    waiting: VecDeque<(Ts, Job)>,
    clock: ClockOffset,
    clock_due: Ts,
    clock_runs: u32,
    unexpected: Unexpected,
    now: Ts,
}

impl Feed {
    /// A feed of topics at a venue's addresses. Topics that the venue lacks are given back.
    pub fn new(
        venue: Arc<dyn Venue>,
        listings: Listings,
        topics: &[Topic],
        urls: &Urls,
        settings: FeedSettings,
        limits: Arc<Limits>,
    ) -> (Self, Vec<Topic>) {
        let facts = venue.facts().clone();
        let plans = venue.market(urls, topics, &listings);
        let carried: Vec<Topic> = plans.iter().flat_map(|p| p.topics.iter().copied()).collect();
        let missing = topics.iter().filter(|t| !carried.contains(t)).copied().collect();
        let topics = Topics::new(&carried);
        let lanes = plans
            .into_iter()
            .enumerate()
            .map(|(i, plan)| {
                let seed = settings.seed.wrapping_add(i as u64);
                Lane::new(plan, &topics, Backoff::new(settings.backoff, seed))
            })
            .collect();
        let feed = Self {
            venue,
            facts,
            listings,
            settings,
            limits,
            lanes,
            topics,
            out: VecDeque::new(),
            next_link: 0,
            next_tag: 0,
            asked: BTreeMap::new(),
            waiting: VecDeque::new(),
            clock: ClockOffset::default(),
            clock_due: if settings.clock_every_ms == 0 { Ts::MAX } else { Ts::NONE },
            clock_runs: 0,
            unexpected: Unexpected::default(),
            now: Ts::NONE,
        };
        (feed, missing)
    }

    /// What is to be done now, in order.
    pub fn actions(&mut self) -> impl Iterator<Item = Action> + '_ {
        self.out.drain(..)
    }

    /// Nanoseconds that the venue's clock is ahead of ours, as measured.
    pub const fn clock(&self) -> &ClockOffset {
        &self.clock
    }

    /// The instruments it reads.
    pub const fn listings(&self) -> &Listings {
        &self.listings
    }

    /// The feed's own book of an instrument, where it is valid.
    pub fn book(&self, instrument: InstrumentId) -> Option<&crate::market::book::Book> {
        let topic = self.topics.depth(instrument)?;
        let conn = self.lanes.iter().find(|l| l.topics.contains(&topic))?.current.as_ref()?;
        conn.keepers[topic].as_ref().map(|k| k.book()).filter(|b| b.is_valid())
    }

    fn link(&mut self) -> Link {
        self.next_link += 1;
        Link(self.next_link)
    }

    fn at(&mut self, now: Ts) -> Ts {
        self.now = self.now.max(now);
        self.now
    }

    fn find(&self, link: Link) -> Option<(usize, Place)> {
        self.lanes.iter().enumerate().find_map(|(i, lane)| lane.place_of(link).map(|place| (i, place)))
    }

    fn connect(&mut self, lane: usize, place: Place) {
        let link = self.link();
        let plan = self.lanes[lane].plan.clone();
        let (line, action) = Line::open(link, plan, &self.facts.heartbeat, self.facts.says_per_second, self.now);
        let conn =
            Conn::new(line, &self.topics, &self.lanes[lane].topics, self.facts.book, |n| self.venue.depth_levels(n));
        *self.lanes[lane].slot(place) = Some(conn);
        self.out.push_back(action);
    }

    /// A connection was opened.
    pub fn on_opened(&mut self, link: Link, now: Ts, sink: &mut dyn FeedSink) {
        let now = self.at(now);
        let Some((i, place)) = self.find(link) else { return };
        let lane = &mut self.lanes[i];
        for topic in lane.topics.clone() {
            self.topics.states[topic].expect(now);
        }
        if let Some(conn) = lane.slot(place) {
            conn.line.on_opened(None, now, &mut self.out);
            sink.feed(FeedEvent::Connected(link, place == Place::Next));
        }
    }

    /// A connection was pinged: it lives, whatever its topics do.
    pub fn on_alive(&mut self, link: Link, now: Ts) {
        let now = self.at(now);
        let Some((i, place)) = self.find(link) else { return };
        if let Some(conn) = self.lanes[i].slot(place) {
            conn.line.on_heard(now);
        }
    }

    /// A message came on a connection.
    pub fn on_text(&mut self, link: Link, text: &str, now: Ts, sink: &mut dyn FeedSink) {
        let now = self.at(now);
        let Some((i, place)) = self.find(link) else { return };
        let lane = &mut self.lanes[i];
        let both = lane.next.is_some() && lane.current.is_some();
        let Some(conn) = lane.slot(place) else { return };
        conn.line.on_heard(now);
        let mut reader = Reader {
            topics: &mut self.topics,
            conn,
            leads: place == Place::Current,
            both,
            now,
            sink,
            heard_of: Default::default(),
        };
        let read = self.venue.read_market(text, &self.listings, now, &mut reader);
        let heard = reader.heard_of;
        if let Err(error) = read {
            self.not_understood(i, place, &error.to_string(), sink);
        } else if heard.unexpected {
            self.unexpected.count(heard.words.as_deref().unwrap_or_default(), now, sink);
        }
        if heard.refused {
            sink.feed(FeedEvent::Refused(heard.words.as_deref().unwrap_or_default()));
        }
        if heard.missed || heard.book_lost || heard.book_waits {
            self.resynchronise(i, place, sink);
        }
        if heard.leaving && place == Place::Current && self.lanes[i].next.is_none() {
            self.connect(i, Place::Next);
        }
        if both {
            self.change_over_if_proven(i, sink);
        }
        if heard.bars_missed {
            self.ask_for_missed_bars(sink);
        }
        if place == Place::Current {
            self.lanes[i].tell_carried(sink);
        }
    }

    /// A message was not understood. Where nothing else would show that a change was lost, the books are.
    fn not_understood(&mut self, lane: usize, place: Place, why: &str, sink: &mut dyn FeedSink) {
        self.unexpected.count(why, self.now, sink);
        self.lose_unnumbered(lane, place, BookLoss::Malformed, sink);
        self.resynchronise(lane, place, sink);
    }

    fn lose_unnumbered(&mut self, lane: usize, place: Place, loss: BookLoss, sink: &mut dyn FeedSink) {
        let Some(conn) = self.lanes[lane].slot(place) else { return };
        for keeper in conn.keepers.iter_mut().flatten().filter(|k| k.cannot_see_gaps()) {
            if keeper.lose() && place == Place::Current {
                sink.feed(FeedEvent::BookLost(keeper.instrument(), loss));
            }
        }
    }

    /// A connection ended, or could not be opened.
    pub fn on_closed(&mut self, link: Link, why: &str, now: Ts, sink: &mut dyn FeedSink) {
        self.at(now);
        if let Some((i, place)) = self.find(link) {
            self.ended(i, place, why, sink);
        }
    }

    /// Gives a connection up and closes it.
    fn kill(&mut self, lane: usize, place: Place, why: &str, sink: &mut dyn FeedSink) {
        if let Some(conn) = self.lanes[lane].slot(place) {
            self.out.push_back(Action::Close { link: conn.line.link() });
        }
        self.ended(lane, place, why, sink);
    }

    fn ended(&mut self, i: usize, place: Place, why: &str, sink: &mut dyn FeedSink) {
        let now = self.now;
        let Some(conn) = self.lanes[i].slot(place).take() else { return };
        let lane = &mut self.lanes[i];
        let (attempt, wait_ms) = lane.failed(&conn, now);
        sink.feed(FeedEvent::Reconnecting(conn.line.link(), attempt, wait_ms, why));
        if place == Place::Next {
            return;
        }
        for keeper in conn.keepers.iter().flatten().filter(|k| k.book().is_valid()) {
            sink.feed(FeedEvent::BookLost(keeper.instrument(), BookLoss::Disconnected));
        }
        for topic in &lane.topics {
            self.topics.states[*topic].connection_lost();
        }
        // A successor that is on its way is better than a new attempt.
        if let Some(next) = lane.next.take() {
            lane.current = Some(next);
            self.tell_books(i, sink);
        }
        self.lanes[i].tell_cut(sink);
    }

    /// Tells the whole of each valid book of a lane: its followers replace theirs.
    fn tell_books(&mut self, lane: usize, sink: &mut dyn FeedSink) {
        let Some(conn) = self.lanes[lane].current.as_mut() else { return };
        for keeper in conn.keepers.iter_mut().flatten() {
            keeper.tell_whole(self.now, Ts::NONE, sink);
        }
    }

    /// Time passed.
    pub fn on_time(&mut self, now: Ts, sink: &mut dyn FeedSink) {
        let now = self.at(now);
        for i in 0..self.lanes.len() {
            for place in [Place::Current, Place::Next] {
                let event = match self.lanes[i].slot(place) {
                    Some(conn) => conn.line.on_time(now, &mut self.out),
                    None => continue,
                };
                if let LineEvent::Dead(why) = event {
                    self.kill(i, place, &why, sink);
                }
            }
            if self.lanes[i].current.is_none() && self.lanes[i].retry_at <= now {
                self.connect(i, Place::Current);
            }
            self.begin_changeover_if_due(i);
            self.change_over_if_proven(i, sink);
            self.watch_books(i, sink);
        }
        self.watch_topics(sink);
        self.topics.close_bars(now, self.clock.venue_time(now), nanos(self.settings.bar_grace_ms), sink);
        self.ask_for_missed_bars(sink);
        self.measure_clock();
        self.pump(sink);
        self.unexpected.tell(now, sink);
    }

    /// Tells what became stale; a connection all of whose topics are stale is replaced, and one that lost a single topic.
    fn watch_topics(&mut self, sink: &mut dyn FeedSink) {
        let now = self.now;
        self.topics.watch(&self.settings.stale, now, sink);
        for i in 0..self.lanes.len() {
            if now >= self.silent_at(i) {
                let why = match self.topics.give_up(&self.lanes[i].topics, &self.settings.stale, now) {
                    Some(topic) => format!("connected, and silent on {topic:?} while it trades"),
                    None => "connected, and silent on every topic".to_owned(),
                };
                self.kill(i, Place::Current, &why, sink);
            }
        }
    }

    /// When a connection is given up because all its topics have been stale for long, or one that is lost.
    fn silent_at(&self, lane: usize) -> Ts {
        let lane = &self.lanes[lane];
        if !lane.current.as_ref().is_some_and(|c| c.line.is_subscribed()) {
            return Ts::MAX;
        }
        let stale = &self.settings.stale;
        let given_up_at = |t: &usize| self.topics.states[*t].given_up_at(stale);
        let all = lane.topics.iter().map(given_up_at).max();
        let lost = lane.topics.iter().map(|t| self.topics.lost_at(*t, stale)).min();
        all.unwrap_or(Ts::MAX).min(lost.unwrap_or(Ts::MAX))
    }

    /// When [`on_time`](Self::on_time) has something to do; [`Ts::NONE`] for at once.
    pub fn next_due(&self) -> Ts {
        let lanes = self.lanes.iter().map(|l| l.next_due(&self.facts, &self.settings)).min();
        let topics = self.topics.next_due(&self.settings, self.clock.offset());
        let jobs = self.waiting.iter().map(|(at, _)| *at).min();
        let silent = (0..self.lanes.len()).map(|i| self.silent_at(i)).min().unwrap_or(Ts::MAX);
        let due = silent.min(lanes.unwrap_or(Ts::MAX)).min(topics).min(jobs.unwrap_or(Ts::MAX)).min(self.clock_due);
        due.min(self.unexpected.due())
    }
}
