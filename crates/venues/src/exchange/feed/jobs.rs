//! The feed's own questions: snapshots of books, missed bars, the venue's clock.

use bellwether_sdk::{Depth, Ts};

use super::keeper::{Resync, Took};
use super::lane::{Place, first_wait};
use super::{Feed, FeedEvent, FeedSink, Link, nanos};
use crate::exchange::machine::{Action, Tag};
use crate::exchange::transport::TransportError;
use crate::exchange::{Ask, BookRow, Fault, Reply, Response, SnapshotBy, Topic, VenueError};

/// Attempts to get a snapshot by a connection before it is replaced.
const SNAPSHOT_TRIES: u32 = 4;
/// Attempts to fetch missed bars before they are given up.
const BARS_TRIES: u32 = 4;
/// Measurements of the clock in a row at the start.
const CLOCK_RUNS: u32 = 4;

/// A question under way or waiting.
#[derive(Debug, Clone)]
pub(super) enum Job {
    /// The snapshot of a topic's book for a connection.
    Book(Link, usize),
    /// Bars of a topic that were missed, and how often it was tried.
    Bars(usize, u32),
    /// The venue's clock, asked when.
    Time(Ts),
}

impl Feed {
    /// Sees to the books of a connection that have no snapshot.
    pub(super) fn resynchronise(&mut self, lane: usize, place: Place, sink: &mut dyn FeedSink) {
        let now = self.now;
        let rule = self.facts.book.snapshot;
        let mut jobs = Vec::new();
        let Some(conn) = self.lanes[lane].slot(place).as_mut() else { return };
        if !conn.line.is_open() {
            return;
        }
        let link = conn.line.link();
        for (topic, keeper) in conn.keepers.iter_mut().enumerate() {
            let Some(keeper) = keeper else { continue };
            if keeper.book().is_valid() || matches!(keeper.resync, Resync::Awaited(_)) {
                continue;
            }
            // Before the first snapshot a stream needs no asking: the subscription asks for it.
            if rule == SnapshotBy::Stream && keeper.tries == 0 && conn.subscribed == Ts::NONE {
                continue;
            }
            keeper.tries += 1;
            keeper.resync = Resync::Awaited(now);
            match rule {
                SnapshotBy::Rest(_) => jobs.push((now, Job::Book(link, topic))),
                SnapshotBy::Stream => {
                    for text in self.venue.renew_book(keeper.topic(), &self.listings) {
                        conn.line.say(text, now, &mut self.out);
                    }
                }
            }
        }
        self.waiting.extend(jobs);
        self.pump(sink);
    }

    /// Books whose snapshot did not come.
    pub(super) fn watch_books(&mut self, lane: usize, sink: &mut dyn FeedSink) {
        let now = self.now;
        let within = nanos(self.settings.snapshot_within_ms);
        let first = first_wait(&self.facts, &self.settings);
        for place in [Place::Current, Place::Next] {
            let Some(conn) = self.lanes[lane].slot(place).as_mut() else { continue };
            if conn.subscribed == Ts::NONE && conn.line.is_subscribed() {
                conn.subscribed = now;
            }
            let (mut due, mut hopeless) = (false, false);
            for keeper in conn.keepers.iter_mut().flatten().filter(|k| !k.book().is_valid()) {
                match keeper.resync {
                    Resync::Awaited(since) if now >= since.plus(within) => {
                        keeper.resync = Resync::None;
                        due = true;
                        hopeless |= keeper.tries >= SNAPSHOT_TRIES;
                    }
                    Resync::None if conn.subscribed != Ts::NONE && now >= conn.subscribed.plus(first) => due = true,
                    Resync::Awaited(_) | Resync::None => {}
                }
            }
            if hopeless {
                self.kill(lane, place, "no valid snapshot of a book", sink);
            } else if due {
                self.resynchronise(lane, place, sink);
            }
        }
    }

    pub(super) fn ask_for_missed_bars(&mut self, sink: &mut dyn FeedSink) {
        let now = self.now;
        for (i, state) in self.topics.states.iter_mut().enumerate() {
            if state.bars.wanted.is_some() && !state.bars.asked {
                state.bars.asked = true;
                self.waiting.push_back((now, Job::Bars(i, 0)));
            }
        }
        self.pump(sink);
    }

    pub(super) fn measure_clock(&mut self) {
        if self.now >= self.clock_due {
            self.clock_runs += 1;
            let wait_ms = if self.clock_runs < CLOCK_RUNS { 1_000 } else { self.settings.clock_every_ms };
            self.clock_due = self.now.plus(nanos(wait_ms));
            self.waiting.push_back((self.now, Job::Time(self.now)));
        }
    }

    /// Sends the questions that are due and affordable.
    pub(super) fn pump(&mut self, sink: &mut dyn FeedSink) {
        for (job, error) in self.send_affordable() {
            if matches!(job, Job::Bars(..)) {
                self.bars_given_up(&job, sink);
            }
            if error.fault != Fault::Unsupported {
                sink.feed(FeedEvent::Refused(&error.text));
            }
        }
    }

    /// Gives back the questions that cannot be asked.
    fn send_affordable(&mut self) -> Vec<(Job, VenueError)> {
        let now = self.now;
        let mut refused = Vec::new();
        for _ in 0..self.waiting.len() {
            let Some((at, job)) = self.waiting.pop_front() else { break };
            if at > now {
                self.waiting.push_back((at, job));
                continue;
            }
            match self.question(&job).map(|ask| self.venue.ask(&ask, &self.listings)) {
                None => {}
                Some(Err(error)) => refused.push((job, error)),
                Some(Ok(request)) => match self.limits.spend(request.weight, now) {
                    Err(later) => self.waiting.push_back((later, job)),
                    Ok(()) => {
                        self.next_tag += 1;
                        let tag = Tag(self.next_tag);
                        let job = if let Job::Time(_) = job { Job::Time(now) } else { job };
                        self.asked.insert(tag, job);
                        self.out.push_back(Action::Http { tag, request });
                    }
                },
            }
        }
        refused
    }

    /// What a job asks; `None` when it is of no use any more.
    fn question(&self, job: &Job) -> Option<Ask> {
        match job {
            Job::Time(_) => Some(Ask::Time),
            Job::Book(link, topic) => {
                let (lane, place) = self.find(*link)?;
                let lane = &self.lanes[lane];
                let conn = if place == Place::Current { &lane.current } else { &lane.next };
                let keeper = conn.as_ref()?.keepers[*topic].as_ref()?;
                let SnapshotBy::Rest(levels) = self.facts.book.snapshot else { return None };
                (!keeper.book().is_valid()).then(|| Ask::Book(keeper.instrument(), levels))
            }
            Job::Bars(topic, _) => {
                let state = &self.topics.states[*topic];
                let Topic::Bars(instrument, interval) = state.topic else { return None };
                let (from, to) = state.bars.wanted?;
                Some(Ask::Bars(instrument, interval, from, to))
            }
        }
    }

    /// An answer came, or did not.
    pub fn on_http(&mut self, tag: Tag, answer: Result<&Response, &TransportError>, now: Ts, sink: &mut dyn FeedSink) {
        let now = self.at(now);
        if let Ok(response) = answer {
            self.limits.told(self.venue.used(response), now);
        }
        let Some(job) = self.asked.remove(&tag) else { return };
        let Some(ask) = self.question(&job) else { return };
        let reply = match answer {
            Ok(response) => self.venue.reply(&ask, response, &self.listings),
            Err(error) => Err(VenueError::new(Fault::Transient, "", error.to_string())),
        };
        match (reply, job) {
            (Ok(Reply::Time(venue)), Job::Time(asked)) => {
                self.clock.measure(asked, now, venue);
                let round = self.clock.round_trip().unwrap_or(0);
                sink.feed(FeedEvent::Clock(self.clock.offset(), round));
            }
            (Ok(Reply::Book(row)), Job::Book(link, topic)) => self.on_snapshot(link, topic, &row, sink),
            (Ok(Reply::Bars(bars)), Job::Bars(topic, _)) => self.topics.states[topic].bars.fetched(&bars, sink),
            (Ok(other), job) => {
                self.unexpected.count(&format!("another answer than to the question: {other:?}"), now, sink);
                self.try_again(job, None, sink);
            }
            (Err(error), job) => {
                let wait = match error.fault {
                    Fault::RateLimited { retry_after_ms } => {
                        let wait = nanos(retry_after_ms.unwrap_or(5_000));
                        self.limits.pause(now.plus(wait));
                        Some(wait)
                    }
                    _ => None,
                };
                self.unexpected.count(&error.to_string(), now, sink);
                self.try_again(job, wait, sink);
            }
        }
        self.pump(sink);
    }

    fn on_snapshot(&mut self, link: Link, topic: usize, row: &BookRow, sink: &mut dyn FeedSink) {
        let now = self.now;
        let Some((i, place)) = self.find(link) else { return };
        let Some(conn) = self.lanes[i].slot(place).as_mut() else { return };
        let Some(keeper) = conn.keepers[topic].as_mut() else { return };
        let snapshot = Depth {
            ts: now,
            ts_venue: row.ts_venue,
            snapshot: true,
            first_id: 0,
            last_id: row.last_id,
            prev_id: 0,
            levels: &row.levels,
            instrument: keeper.instrument(),
        };
        match keeper.take(&snapshot, None) {
            Took::Whole if place == Place::Current => keeper.tell_whole(now, row.ts_venue, sink),
            Took::Waits | Took::Lost(_) => {
                // Older than the changes that wait for it.
                keeper.resync = Resync::Awaited(now);
                keeper.tries += 1;
                self.waiting.push_back((now.plus(nanos(250)), Job::Book(link, topic)));
            }
            Took::Whole | Took::Changes | Took::Nothing => {}
        }
        self.change_over_if_proven(i, sink);
    }

    /// Asks again later, or gives up.
    fn try_again(&mut self, job: Job, wait: Option<i64>, sink: &mut dyn FeedSink) {
        let now = self.now;
        match job {
            Job::Book(link, topic) => {
                // The watch over snapshots gives the connection up when this lasts.
                self.waiting.push_back((now.plus(wait.unwrap_or(nanos(1_000))), Job::Book(link, topic)));
            }
            Job::Bars(topic, tries) if tries < BARS_TRIES => {
                let wait = wait.unwrap_or(nanos(1_000 << tries));
                self.waiting.push_back((now.plus(wait), Job::Bars(topic, tries + 1)));
            }
            Job::Bars(..) => self.bars_given_up(&job, sink),
            Job::Time(_) => {}
        }
    }

    fn bars_given_up(&mut self, job: &Job, sink: &mut dyn FeedSink) {
        if let Job::Bars(topic, _) = job {
            self.topics.states[*topic].bars.fetched(&[], sink);
        }
    }
}
