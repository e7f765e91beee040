//! The world's network: what becomes of connections, messages and requests.

use std::task::Waker;

use bellwether::exchange::gateway::order_of;
use bellwether::exchange::transport::{Frame, TransportError};
use bellwether::exchange::{ClientId, Request, Response};
use tokio::sync::oneshot;

use super::{Answered, Ev, Fault, Line, MS, World};
use crate::floor::Said;
use crate::venue::{Desk, Mood};

/// How old the venue's answer to a question may be, milliseconds: less than the least time that codecs say it takes to settle.
const LAG_MAX_MS: i64 = 3_000;

impl World {
    fn delay(&mut self) -> i64 {
        if self.calm { 2 } else { self.dice.between(1, 60) }
    }

    /// A request of a process; `None` when it is dead.
    pub fn requests(&mut self, life: u64, request: &Request) -> Option<oneshot::Receiver<Answered>> {
        if self.is_dead(life) {
            return None;
        }
        let body = format!("{}{}", request.query, request.body);
        self.leaves(&body, request.write && request.method == bellwether::exchange::Method::Delete);
        // What it died of sending may still leave.
        if self.is_dead(life) && !self.dice.chance(5_000) {
            return None;
        }
        let (tell, told) = oneshot::channel();
        let wait = self.delay();
        if self.now < self.outage_until {
            self.at(wait, Ev::Answer(Err(TransportError::NotSent("no route to host".to_owned())), tell));
        } else if self.odds(300) {
            self.struck(Fault::Refused);
            self.at(wait, Ev::Answer(Err(TransportError::NotSent("connection refused".to_owned())), tell));
        } else if self.odds(300) {
            self.struck(Fault::RequestLost);
            let gone = TransportError::Unknown("the connection was reset".to_owned());
            self.at(wait + 500, Ev::Answer(Err(gone), tell));
        } else {
            self.at(wait, Ev::Request(request.clone(), tell));
        }
        Some(told)
    }

    /// A connection is wanted; `None` when the process is dead.
    pub fn connects(&mut self, life: u64, url: &str) -> Option<oneshot::Receiver<Result<u64, TransportError>>> {
        if self.is_dead(life) {
            return None;
        }
        let (tell, told) = oneshot::channel();
        let wait = self.delay();
        if self.now < self.outage_until {
            self.at(wait, Ev::NotOpen(tell));
        } else if self.odds(500) {
            self.struck(Fault::Refused);
            self.at(wait, Ev::NotOpen(tell));
        } else {
            self.at(wait, Ev::Open(life, url.to_owned(), tell));
        }
        Some(told)
    }

    /// A process says something on a connection.
    pub fn says(&mut self, life: u64, id: u64, text: &str) {
        if self.is_dead(life) {
            return;
        }
        self.leaves(text, text.contains("ancel"));
        let wait = self.delay();
        // What it died of sending may still leave.
        let lost = self.is_dead(life) && self.dice.chance(5_000);
        let Some(line) = self.lines.get_mut(&id).filter(|l| !l.mute && !lost) else { return };
        line.to_venue = line.to_venue.max(self.now + wait * MS);
        let wait = (line.to_venue - self.now) / MS;
        self.at(wait, Ev::Text(id, text.to_owned()));
    }

    /// What a process sends is looked at before it leaves; it may die of it.
    fn leaves(&mut self, text: &str, cancels: bool) {
        let client = self.mouth.places(text);
        if let Some(client) = &client {
            match client.parse::<ClientId>().map(order_of) {
                Ok(order) if self.is_recorded(order.0) => {
                    self.known.left.insert(order.0);
                    self.note(|| format!("sends order {}", order.0));
                }
                Ok(order) => self.wrong(format!("order {} leaves before it is on the tape", order.0)),
                Err(_) => self.wrong(format!("an order leaves under a strange id: {client}")),
            }
        } else if cancels {
            self.note(|| format!("sends {text}"));
            self.cancelling.extend(self.known.named_in(text, &self.floor));
        }
        if (client.is_some() || cancels) && self.odds(25) {
            self.die(Fault::DeathAtSend);
        }
    }

    /// What a connection has for its process: a frame, or when the next is due.
    pub fn receives(&mut self, id: u64, waker: &Waker) -> Result<Frame, Option<i64>> {
        let now = self.now;
        let Some(line) = self.lines.get_mut(&id) else { return Ok(Frame::Closed("gone".to_owned())) };
        if let Some(((due, number), _)) = line.inbox.first_key_value() {
            let (due, number) = (*due, *number);
            if due > now {
                line.waker = Some(waker.clone());
                return Err(Some(due));
            }
            if let Some(frame) = line.inbox.remove(&(due, number)) {
                return Ok(frame);
            }
        }
        line.waker = Some(waker.clone());
        Err(None)
    }

    /// The process hangs up.
    pub fn hangs_up(&mut self, id: u64) {
        self.lines.remove(&id);
    }

    /// The connection breaks.
    pub(super) fn cut(&mut self, id: u64, why: &str) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.mute = true;
            let at = line.to_client.max(self.now);
            self.push(id, at, Frame::Closed(why.to_owned()));
        }
    }

    fn push(&mut self, id: u64, at: i64, frame: Frame) {
        self.next += 1;
        let number = self.next;
        if let Some(line) = self.lines.get_mut(&id) {
            line.inbox.insert((at, number), frame);
            if let Some(waker) = line.waker.take() {
                waker.wake();
            }
        }
    }

    pub(super) fn happens(&mut self, ev: Ev) {
        match ev {
            Ev::Tick => self.tick(),
            Ev::NotOpen(tell) => drop(tell.send(Err(TransportError::NotSent("connection refused".to_owned())))),
            Ev::Open(life, url, tell) => {
                self.next += 1;
                let id = self.next;
                if !self.is_dead(life) && tell.send(Ok(id)).is_ok() {
                    let ear = self.mouth.opened(&url);
                    self.lines.insert(id, Line { ear, ..Line::default() });
                }
            }
            Ev::Text(id, text) => self.hears(id, &text),
            Ev::Request(request, tell) => {
                let answer = self.answers(&request);
                let wait = self.delay();
                self.at(wait, Ev::Answer(answer, tell));
            }
            // Who asked may be dead.
            Ev::Answer(answer, tell) => drop(tell.send(answer)),
        }
    }

    fn mood(&mut self, acts: bool) -> Mood {
        let (mood, fault) = match self.dice.below(100) {
            _ if self.calm => return Mood::Well,
            0..2 => (Mood::Limited, Fault::Limited),
            2..4 if acts => (Mood::Busy, Fault::Busy),
            4..8 => (Mood::Broken, Fault::Broken),
            _ => return Mood::Well,
        };
        self.struck(fault);
        mood
    }

    /// The venue hears a message; it does so too when the connection has broken since.
    fn hears(&mut self, id: u64, text: &str) {
        let mood = self.mood(text.contains("order"));
        let mut ear = self.lines.get(&id).map(|l| l.ear.clone()).unwrap_or_default();
        let Self { floor, dice, key, mouth, .. } = self;
        let says = mouth.hear(&mut Desk { floor, dice, key, mood, lag_ms: 0 }, &mut ear, text);
        if let Some(line) = self.lines.get_mut(&id) {
            line.ear = ear;
        }
        // What changed is told before the answer half of the time.
        if self.dice.chance(5_000) {
            self.hand_on();
        }
        if self.odds(300) {
            self.struck(Fault::AnswerLost);
        } else {
            says.into_iter().for_each(|text| self.deliver(id, text));
        }
    }

    fn answers(&mut self, request: &Request) -> Answered {
        let mood = self.mood(request.write);
        let lag_ms = if !request.write && self.odds(1_500) {
            self.struck(Fault::Lag);
            self.dice.between(100, LAG_MAX_MS)
        } else {
            0
        };
        let Self { floor, dice, key, mouth, .. } = self;
        let answer = mouth.answer(&mut Desk { floor, dice, key, mood, lag_ms }, request);
        if !self.odds(400) {
            return Ok(answer);
        }
        self.struck(Fault::AnswerLost);
        match self.dice.below(3) {
            0 => Err(TransportError::Unknown("the connection was reset".to_owned())),
            1 => Ok(Response { status: 504, headers: Vec::new(), body: "<html>gateway timeout</html>".to_owned() }),
            _ => {
                let half = answer.body.get(..answer.body.len() / 2).unwrap_or_default().to_owned();
                Ok(Response { body: half, ..answer })
            }
        }
    }

    /// What the venue has to tell goes to all who listen.
    pub(super) fn hand_on(&mut self) {
        self.floor.ms = (super::START + self.now) / MS;
        for said in std::mem::take(&mut self.floor.said) {
            if let Said::Order(order, fill) = &said {
                self.note(|| format!("venue: {order:?} {fill:?}"));
            }
            let private = matches!(said, Said::Order(..));
            let wants = |l: &&Line| if private { l.ear.account } else { l.ear.market };
            let to: Vec<u64> = self.lines.iter().filter(|(_, l)| wants(l)).map(|(id, _)| *id).collect();
            for text in self.mouth.tell(&said, self.floor.ms) {
                to.iter().for_each(|id| self.deliver(*id, text.clone()));
            }
        }
    }

    fn deliver(&mut self, id: u64, text: String) {
        let wait = self.delay() * MS;
        let Some(line) = self.lines.get_mut(&id).filter(|l| !l.mute) else { return };
        line.to_client = line.to_client.max(self.now + wait) + 1;
        let at = line.to_client;
        if self.odds(8) {
            self.struck(Fault::Cut);
            let cut = usize::try_from(self.dice.below(text.len() as u64)).unwrap_or(0);
            let part = text.get(..cut).unwrap_or_default().to_owned();
            self.push(id, at, Frame::Text(part.into()));
            return self.cut(id, "connection reset in a message");
        }
        if self.odds(100) {
            self.struck(Fault::Duplicate);
            let late = self.dice.between(0, 300) * MS;
            self.push(id, at + late, Frame::Text(text.clone().into()));
        }
        let late = if self.odds(100) {
            self.struck(Fault::Reorder);
            self.dice.between(50, 400) * MS
        } else {
            0
        };
        self.push(id, at + late, Frame::Text(text.into()));
    }
}
