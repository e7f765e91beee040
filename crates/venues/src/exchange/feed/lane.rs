//! A lane: one plan of subscriptions, the connection that carries it, and now and then its successor.

use bellwether_sdk::Ts;

use super::keeper::{Keeper, Resync};
use super::topics::Topics;
use super::{Backoff, Facts, FeedEvent, FeedSettings, FeedSink, Line, Link, nanos};
use crate::exchange::machine::LineState;
use crate::exchange::{BookRule, Plan, SnapshotBy, Topic};

/// Which of a lane's two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The one that is told of.
    Current,
    /// The one that will replace it.
    Next,
}

/// A connection and what it knows.
pub(super) struct Conn {
    pub(super) line: Line,
    /// When each topic was heard last on this connection, by the topic's index.
    pub(super) heard: Vec<Ts>,
    /// The books, by the topic's index.
    pub(super) keepers: Vec<Option<Box<Keeper>>>,
    /// When all subscriptions had been said; [`Ts::NONE`] before.
    pub(super) subscribed: Ts,
    /// The venue's running number of the last message, where it counts them.
    pub(super) sequence: Option<u64>,
}

impl Conn {
    /// A connection of a lane; `levels` gives the levels per side that a book has when so many are asked for.
    pub(super) fn new(
        line: Line,
        topics: &Topics,
        mine: &[usize],
        rule: BookRule,
        levels: impl Fn(u32) -> u32,
    ) -> Self {
        let count = topics.states.len();
        let mut keepers: Vec<Option<Box<Keeper>>> = (0..count).map(|_| None).collect();
        for i in mine {
            if let topic @ Topic::Depth(_, asked) = topics.states[*i].topic {
                keepers[*i] = Some(Box::new(Keeper::new(topic, rule, levels(asked))));
            }
        }
        Self { line, heard: vec![Ts::NONE; count], keepers, subscribed: Ts::NONE, sequence: None }
    }

    /// Whether any of its topics was heard of on it.
    fn carries(&self) -> bool {
        self.heard.iter().any(|at| *at != Ts::NONE)
    }
}

/// One plan and its connections.
pub(super) struct Lane {
    pub(super) plan: Plan,
    /// Indices of its topics.
    pub(super) topics: Vec<usize>,
    pub(super) current: Option<Conn>,
    pub(super) next: Option<Conn>,
    pub(super) attempt: u32,
    /// When the next attempt to connect is due, for the current one or its successor.
    pub(super) retry_at: Ts,
    /// Whether its topics were told last as carried; `None` before anything was told.
    carried: Option<bool>,
    backoff: Backoff,
}

/// A connection that lived so long was well: the next failure begins a new series.
const WELL_AFTER_MS: u64 = 10_000;

impl Lane {
    pub(super) fn new(plan: Plan, topics: &Topics, backoff: Backoff) -> Self {
        let mine = plan.topics.iter().filter_map(|t| topics.position(t)).collect();
        Self { plan, topics: mine, current: None, next: None, attempt: 0, retry_at: Ts::NONE, carried: None, backoff }
    }

    /// Tells once that its topics are carried, when they are.
    #[inline]
    pub(super) fn tell_carried(&mut self, sink: &mut dyn FeedSink) {
        if self.carried != Some(true) && self.current.as_ref().is_some_and(Conn::carries) {
            self.carried = Some(true);
            sink.feed(FeedEvent::Carried(&self.plan.topics));
        }
    }

    /// Tells once that nothing carries its topics, unless a successor does.
    pub(super) fn tell_cut(&mut self, sink: &mut dyn FeedSink) {
        if self.carried != Some(false) && !self.current.as_ref().is_some_and(Conn::carries) {
            self.carried = Some(false);
            sink.feed(FeedEvent::Cut(&self.plan.topics));
        }
    }

    pub(super) fn slot(&mut self, place: Place) -> &mut Option<Conn> {
        match place {
            Place::Current => &mut self.current,
            Place::Next => &mut self.next,
        }
    }

    #[inline]
    pub(super) fn place_of(&self, link: Link) -> Option<Place> {
        let is = |conn: &Option<Conn>| conn.as_ref().is_some_and(|c| c.line.link() == link);
        if is(&self.current) {
            Some(Place::Current)
        } else if is(&self.next) {
            Some(Place::Next)
        } else {
            None
        }
    }

    /// A connection of it failed: the number of the next attempt and the wait before it, milliseconds.
    pub(super) fn failed(&mut self, conn: &Conn, now: Ts) -> (u32, u64) {
        let opened = conn.line.opened();
        if opened != Ts::NONE && now >= opened.plus(nanos(WELL_AFTER_MS)) {
            self.backoff.reset();
            self.attempt = 0;
        }
        self.attempt += 1;
        let wait_ms = self.backoff.next_ms();
        self.retry_at = now.plus(nanos(wait_ms));
        (self.attempt, wait_ms)
    }

    /// When the current connection is to be replaced.
    pub(super) fn changeover_at(&self, facts: &Facts, settings: &FeedSettings) -> Ts {
        let (Some(conn), Some(life)) = (&self.current, facts.connection_life_ms) else { return Ts::MAX };
        if conn.line.opened() == Ts::NONE || conn.line.state() == LineState::Closed {
            return Ts::MAX;
        }
        // A life shorter than twice the margin is halved instead.
        let after = life.saturating_sub(settings.changeover_before_ms).max(life / 2);
        conn.line.opened().plus(nanos(after)).max(self.retry_at)
    }

    pub(super) fn next_due(&self, facts: &Facts, settings: &FeedSettings) -> Ts {
        let mut due = match (&self.current, &self.next) {
            (None, _) => self.retry_at,
            (Some(_), None) => self.changeover_at(facts, settings),
            (Some(_), Some(_)) => Ts::MAX,
        };
        for conn in self.current.iter().chain(&self.next) {
            due = due.min(conn.line.next_due());
            let unseen = conn.line.is_subscribed() && conn.subscribed == Ts::NONE;
            if unseen {
                return Ts::NONE;
            }
            for keeper in conn.keepers.iter().flatten().filter(|k| !k.book().is_valid()) {
                due = due.min(match keeper.resync {
                    Resync::Awaited(since) => since.plus(nanos(settings.snapshot_within_ms)),
                    Resync::None if conn.subscribed == Ts::NONE => Ts::MAX,
                    Resync::None => conn.subscribed.plus(first_wait(facts, settings)),
                });
            }
        }
        if let Some(next) = self.next.as_ref().filter(|n| n.subscribed != Ts::NONE && self.current.is_some()) {
            due = due.min(next.subscribed.plus(nanos(settings.changeover_within_ms)));
        }
        due
    }
}

/// How long after the subscription a first snapshot is waited for, nanoseconds: where REST has to be asked, changes
/// should have begun before the question; where the stream sends it, it just takes its time.
pub(super) fn first_wait(facts: &Facts, settings: &FeedSettings) -> i64 {
    match facts.book.snapshot {
        SnapshotBy::Rest(_) => nanos(1_000),
        SnapshotBy::Stream => nanos(settings.snapshot_within_ms),
    }
}
