//! One connection's life: opened, logged in, subscribed, kept alive, found dead.
//!
//! A line is one connection, once. Who reconnects makes a new one with a new number, so that nothing late of the old
//! one can be taken for the new one's.

use std::collections::VecDeque;

use bellwether_sdk::Ts;

use super::{Action, Link, nanos};
use crate::exchange::{Heartbeat, Plan};

/// Where a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    /// Being opened since.
    Opening(Ts),
    /// Open since; login was said and is awaited.
    LoggingIn(Ts),
    /// Open and, where there is a login, logged in.
    Open,
    /// Over.
    Closed,
}

/// What time did to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineEvent {
    /// Nothing that its owner must know.
    Fine,
    /// It is dead: the owner closes it.
    Dead(String),
}

/// One connection.
#[derive(Debug)]
pub struct Line {
    link: Link,
    plan: Plan,
    heartbeat: Heartbeat,
    state: LineState,
    opened: Ts,
    heard: Ts,
    beat_due: Ts,
    waiting: VecDeque<String>,
    /// How many of the plan's messages wait; they stand first.
    unsaid: usize,
    /// Times at which the last messages were said: at most so many within a second.
    said: VecDeque<Ts>,
    says_per_second: usize,
    open_within_ms: u64,
}

impl Line {
    /// A connection to be opened now; the action that does it is given beside.
    pub fn open(link: Link, plan: Plan, heartbeat: &Heartbeat, says_per_second: u32, now: Ts) -> (Self, Action) {
        let connect = Action::Connect { link, url: plan.url.clone() };
        let line = Self {
            link,
            plan,
            heartbeat: heartbeat.clone(),
            state: LineState::Opening(now),
            opened: Ts::NONE,
            heard: now,
            beat_due: Ts::MAX,
            waiting: VecDeque::new(),
            unsaid: 0,
            said: VecDeque::new(),
            says_per_second: usize::try_from(says_per_second.max(1)).unwrap_or(1),
            open_within_ms: 15_000,
        };
        (line, connect)
    }

    /// Its number.
    pub const fn link(&self) -> Link {
        self.link
    }

    /// What it carries.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where it is.
    pub const fn state(&self) -> LineState {
        self.state
    }

    /// Whether anything may be said on it beside a login.
    pub fn is_open(&self) -> bool {
        self.state == LineState::Open
    }

    /// Whether all that the plan says has been said.
    pub fn is_subscribed(&self) -> bool {
        self.is_open() && self.unsaid == 0
    }

    /// When it was opened; [`Ts::NONE`] before.
    pub const fn opened(&self) -> Ts {
        self.opened
    }

    /// It is open; the plan may be replaced by a fresher one (signatures age).
    pub fn on_opened(&mut self, fresh: Option<Plan>, now: Ts, out: &mut VecDeque<Action>) {
        if let Some(plan) = fresh {
            self.plan = plan;
        }
        self.opened = now;
        self.heard = now;
        if let Some((_, every)) = &self.heartbeat.say {
            self.beat_due = now.plus(nanos(*every));
        }
        match self.plan.login.clone() {
            Some(login) => {
                self.state = LineState::LoggingIn(now);
                self.say_now(login, now, out);
            }
            None => self.begin(now, out),
        }
    }

    /// Login was taken.
    pub fn on_logged_in(&mut self, now: Ts, out: &mut VecDeque<Action>) {
        if matches!(self.state, LineState::LoggingIn(_)) {
            self.begin(now, out);
        }
    }

    fn begin(&mut self, now: Ts, out: &mut VecDeque<Action>) {
        self.state = LineState::Open;
        self.waiting.extend(self.plan.messages.iter().cloned());
        self.unsaid = self.waiting.len();
        self.pump(now, out);
    }

    /// Something was heard.
    #[inline]
    pub fn on_heard(&mut self, now: Ts) {
        self.heard = now;
    }

    /// It is over.
    pub fn on_closed(&mut self) {
        self.state = LineState::Closed;
        self.waiting.clear();
    }

    /// Says a text as soon as the venue's limit allows; in order.
    pub fn say(&mut self, text: String, now: Ts, out: &mut VecDeque<Action>) {
        self.waiting.push_back(text);
        self.pump(now, out);
    }

    /// Says a text at once, whatever the limit of says.
    pub fn say_now(&mut self, text: String, now: Ts, out: &mut VecDeque<Action>) {
        self.say_act(text, None, now, out);
    }

    /// The same for what asks for something, by its number: orders have limits of their own.
    pub fn say_act(&mut self, text: String, act: Option<u64>, now: Ts, out: &mut VecDeque<Action>) {
        self.said.push_back(now);
        if self.said.len() > self.says_per_second {
            self.said.pop_front();
        }
        out.push_back(Action::Say { link: self.link, text, act });
    }

    fn pump(&mut self, now: Ts, out: &mut VecDeque<Action>) {
        while self.is_open() && !self.waiting.is_empty() && self.may_say_at() <= now {
            if let Some(text) = self.waiting.pop_front() {
                self.unsaid = self.unsaid.saturating_sub(1);
                self.say_now(text, now, out);
            }
        }
    }

    /// From when on the next message may be said.
    fn may_say_at(&self) -> Ts {
        match self.said.front() {
            Some(first) if self.said.len() == self.says_per_second => first.plus(1_000_000_000),
            _ => Ts::NONE,
        }
    }

    /// Time passed: says what waits, beats the heart, finds the dead.
    pub fn on_time(&mut self, now: Ts, out: &mut VecDeque<Action>) -> LineEvent {
        match self.state {
            LineState::Closed => return LineEvent::Fine,
            LineState::Opening(since) | LineState::LoggingIn(since) => {
                if now >= since.plus(nanos(self.open_within_ms)) {
                    let what = if matches!(self.state, LineState::Opening(_)) { "opened" } else { "logged in" };
                    return LineEvent::Dead(format!("not {what} within {} ms", self.open_within_ms));
                }
                return LineEvent::Fine;
            }
            LineState::Open => {}
        }
        if now >= self.dead_at() {
            return LineEvent::Dead(format!("silent for {} ms", self.heartbeat.dead_after_ms));
        }
        if now >= self.beat_due
            && let Some((text, every)) = self.heartbeat.say.clone()
        {
            self.beat_due = now.plus(nanos(every.max(1)));
            self.say_now(text, now, out);
        }
        self.pump(now, out);
        LineEvent::Fine
    }

    fn dead_at(&self) -> Ts {
        self.heard.plus(nanos(self.heartbeat.dead_after_ms))
    }

    /// When [`on_time`](Self::on_time) has something to do.
    pub fn next_due(&self) -> Ts {
        match self.state {
            LineState::Closed => Ts::MAX,
            LineState::Opening(since) | LineState::LoggingIn(since) => since.plus(nanos(self.open_within_ms)),
            LineState::Open => {
                let say = match self.said.iter().rev().nth(self.says_per_second - 1) {
                    _ if self.waiting.is_empty() => Ts::MAX,
                    Some(first) => first.plus(1_000_000_000),
                    None => Ts::NONE,
                };
                self.dead_at().min(self.beat_due).min(say)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(messages: usize, login: bool) -> Plan {
        Plan {
            url: "ws://localhost".to_owned(),
            login: login.then(|| "login".to_owned()),
            messages: (0..messages).map(|i| format!("m{i}")).collect(),
            topics: Vec::new(),
        }
    }

    fn heartbeat() -> Heartbeat {
        Heartbeat { say: Some(("ping".to_owned(), 1_000)), dead_after_ms: 3_000 }
    }

    fn at(ms: i64) -> Ts {
        Ts::from_millis(1_000_000 + ms)
    }

    fn says(out: &mut VecDeque<Action>) -> Vec<String> {
        out.drain(..).map(|a| if let Action::Say { text, .. } = a { text } else { format!("{a:?}") }).collect()
    }

    #[test]
    fn nothing_is_said_before_login_is_taken_and_then_no_faster_than_allowed() {
        let mut out = VecDeque::new();
        let (mut line, _) = Line::open(Link(1), plan(5, true), &heartbeat(), 2, at(0));
        line.on_opened(None, at(0), &mut out);
        assert_eq!(says(&mut out), ["login"]);
        line.on_logged_in(at(500), &mut out);
        assert_eq!(says(&mut out), ["m0"], "two within a second, the login among them");
        assert_eq!(line.next_due(), at(1_000));
        line.on_time(at(1_000), &mut out);
        assert_eq!(says(&mut out), ["ping"], "a heartbeat does not wait in line");
        assert!(!line.is_subscribed());
        for ms in (1_100..6_000).step_by(100) {
            line.on_heard(at(ms));
            line.on_time(at(ms), &mut out);
        }
        assert!(line.is_subscribed());
    }

    #[test]
    fn a_silent_connection_is_found_dead_and_a_heard_one_is_not() {
        let mut out = VecDeque::new();
        let (mut line, _) = Line::open(Link(1), plan(0, false), &heartbeat(), 10, at(0));
        line.on_opened(None, at(0), &mut out);
        assert_eq!(line.on_time(at(2_999), &mut out), LineEvent::Fine);
        line.on_heard(at(2_999));
        assert_eq!(line.on_time(at(5_000), &mut out), LineEvent::Fine);
        assert!(matches!(line.on_time(at(5_999), &mut out), LineEvent::Dead(_)));
    }

    #[test]
    fn a_connection_that_does_not_open_is_given_up() {
        let mut out = VecDeque::new();
        let (mut line, _) = Line::open(Link(1), plan(0, false), &heartbeat(), 10, at(0));
        assert!(matches!(line.on_time(at(15_000), &mut out), LineEvent::Dead(_)));
    }
}
