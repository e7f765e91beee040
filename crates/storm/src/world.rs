//! Everything of one seed: the venue, the weather, the process as it is seen from outside, and what must hold.

mod wire;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::task::Waker;

use bellwether::exchange::transport::{Frame, TransportError};
use bellwether::exchange::{Request, Response};
use bellwether_sdk::OrderState;
use tokio::sync::{Notify, oneshot};

use crate::dice::Dice;
use crate::disk::Written;
use crate::floor::Floor;
use crate::known::Known;
use crate::sim::MS;
use crate::venue::{Ear, Mouth};

/// Bytes that a file of the tape begins with, but for the first.
pub const SEGMENT_HEAD: u64 = 24;

/// When the simulation begins, nanoseconds since 1970.
pub const START: i64 = 1_750_000_000_000_000_000;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A message comes twice.
    Duplicate,
    /// A message is overtaken by later ones.
    Reorder,
    /// A connection breaks within a message.
    Cut,
    /// A connection stays open and carries nothing.
    HalfOpen,
    /// A connection is refused.
    Refused,
    /// A request does not reach the venue, and nobody says so.
    RequestLost,
    /// The venue did it, and its answer is lost.
    AnswerLost,
    /// The venue did it, and answers 5xx.
    Broken,
    /// Too many requests.
    Limited,
    /// Overloaded.
    Busy,
    /// The venue cannot be reached.
    Outage,
    /// The process' clock jumps.
    ClockJump,
    /// The process waits for its disk.
    SlowDisk,
    /// A write does not fit, a part of it is written.
    DiskFull,
    /// The disk does not sync.
    SyncFailed,
    /// The process dies while it writes.
    DeathInWrite,
    /// The process dies as it sends.
    DeathAtSend,
    /// The process dies at any other time.
    Death,
    /// The machine loses power: what was not synced is gone.
    PowerLoss,
    /// The key is replaced at the venue.
    KeyRotated,
    /// A bit of the tape changes while no process runs.
    BitFlipped,
    /// The venue answers a question with what was a moment ago.
    Lag,
    /// The venue fills what it had called ended.
    LateFill,
}

impl Fault {
    /// All, in order.
    pub const ALL: [Self; 23] = [
        Self::Duplicate,
        Self::Reorder,
        Self::Cut,
        Self::HalfOpen,
        Self::Refused,
        Self::RequestLost,
        Self::AnswerLost,
        Self::Broken,
        Self::Limited,
        Self::Busy,
        Self::Outage,
        Self::ClockJump,
        Self::SlowDisk,
        Self::DiskFull,
        Self::SyncFailed,
        Self::DeathInWrite,
        Self::DeathAtSend,
        Self::Death,
        Self::PowerLoss,
        Self::KeyRotated,
        Self::BitFlipped,
        Self::Lag,
        Self::LateFill,
    ];
}

/// Where an order is when a fault strikes; the last is "its cancel was sent, and it has not ended".
pub const STATES: [&str; 9] =
    ["sent", "acknowledged", "partly", "filled", "cancelled", "rejected", "expired", "unknown", "cancelling"];

/// The column of an order's state.
pub fn column(state: OrderState) -> usize {
    match state {
        OrderState::Sent => 0,
        OrderState::Acknowledged => 1,
        OrderState::PartlyFilled => 2,
        OrderState::Filled => 3,
        OrderState::Cancelled => 4,
        OrderState::Rejected => 5,
        OrderState::Expired => 6,
        OrderState::Unknown => 7,
    }
}

/// How often which fault struck while an order was in which state.
pub type Coverage = [[u64; STATES.len()]; Fault::ALL.len()];

type Answered = Result<Response, TransportError>;

/// What is to come.
pub(crate) enum Ev {
    Tick,
    Open(u64, String, oneshot::Sender<Result<u64, TransportError>>),
    NotOpen(oneshot::Sender<Result<u64, TransportError>>),
    Text(u64, String),
    Request(Request, oneshot::Sender<Answered>),
    Answer(Answered, oneshot::Sender<Answered>),
}

/// A connection as the network has it.
#[derive(Default)]
pub(crate) struct Line {
    ear: Ear,
    inbox: BTreeMap<(i64, u64), Frame>,
    waker: Option<Waker>,
    mute: bool,
    to_venue: i64,
    to_client: i64,
}

/// One seed.
pub struct World {
    /// Nanoseconds since the beginning.
    pub now: i64,
    /// How far the process' clock is off.
    pub clock_shift: i64,
    /// The process stands still until then.
    pub stalled_until: i64,
    /// All chance.
    pub dice: Dice,
    /// The venue.
    pub floor: Floor,
    /// Its protocol.
    pub mouth: Box<dyn Mouth>,
    /// The key that is good.
    pub key: String,
    /// The key of the process.
    pub key_used: String,
    /// The weather is over.
    pub calm: bool,
    /// Whether the venue fills what it had called ended: not where the session keeps so few that it may have put that away.
    /// Then the account differs, entries are held, and a person looks.
    pub fills_late: bool,
    /// Whether others place orders too, which the session takes over.
    pub others: bool,
    /// Whether the tape is synced before anything leaves.
    pub syncs: bool,
    /// Number of the process that runs, from 1.
    pub life: u64,
    /// It is dead.
    pub dead: bool,
    /// How often each fault struck.
    pub coverage: Coverage,
    /// Faults in all.
    pub faults: u64,
    /// What must not be.
    pub wrongs: Vec<String>,
    /// What the engine is known to believe.
    pub known: Known,
    /// Numbers of orders whose cancel has left.
    pub cancelling: BTreeSet<u64>,
    /// Numbers of orders whose cancel is on the tape.
    pub to_be_cancelled: BTreeSet<u64>,
    /// Lines of what happened, newest last, where asked for.
    pub log: Option<Vec<String>>,
    died: Arc<Notify>,
    stirred: Arc<Notify>,
    lines: BTreeMap<u64, Line>,
    heap: BinaryHeap<Reverse<(i64, u64)>>,
    events: BTreeMap<u64, Ev>,
    next: u64,
    outage_until: i64,
    full_until: i64,
    on_tape: BTreeSet<u64>,
    kept: BTreeSet<u64>,
    kept_len: u64,
}

impl World {
    /// A world before its first process.
    pub fn new(seed: u64, mouth: Box<dyn Mouth>, syncs: bool, died: Arc<Notify>, stirred: Arc<Notify>) -> Self {
        let mut world = Self {
            now: 0,
            clock_shift: 0,
            stalled_until: 0,
            dice: Dice(seed),
            floor: Floor::new(),
            mouth,
            key: "key-0".to_owned(),
            key_used: String::new(),
            calm: false,
            fills_late: false,
            others: false,
            syncs,
            life: 0,
            dead: true,
            coverage: Coverage::default(),
            faults: 0,
            wrongs: Vec::new(),
            known: Known::default(),
            cancelling: BTreeSet::new(),
            to_be_cancelled: BTreeSet::new(),
            log: None,
            died,
            stirred,
            lines: BTreeMap::new(),
            heap: BinaryHeap::new(),
            events: BTreeMap::new(),
            next: 0,
            outage_until: 0,
            full_until: 0,
            on_tape: BTreeSet::new(),
            kept: BTreeSet::new(),
            kept_len: 0,
        };
        world.at(0, Ev::Tick);
        world
    }

    /// A new process begins; its number.
    pub fn begins(&mut self) -> u64 {
        self.life += 1;
        self.dead = false;
        self.stalled_until = 0;
        self.key_used.clone_from(&self.key);
        self.known.begins();
        self.life
    }

    /// Whether what a process does has no effect any more.
    pub fn is_dead(&self, life: u64) -> bool {
        self.dead || life != self.life
    }

    /// The process dies: from now on nothing of it reaches anybody.
    pub fn die(&mut self, how: Fault) {
        if !self.dead {
            self.struck(how);
            self.dead = true;
            self.died.notify_one();
        }
    }

    /// Something went wrong.
    pub fn struck(&mut self, fault: Fault) {
        self.faults += 1;
        let mut here = self.known.states;
        here[8] = u64::try_from(self.cancelling.len()).unwrap_or(0);
        for (cell, count) in self.coverage[fault as usize].iter_mut().zip(here) {
            *cell += u64::from(count > 0);
        }
        self.note(|| format!("fault {fault:?}"));
    }

    /// A line of the log.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(log) = &mut self.log {
            log.push(format!("{:>9.3} s  {}", now as f64 / 1e9, line()));
        }
    }

    /// Something that must not be.
    pub fn wrong(&mut self, what: String) {
        self.note(|| format!("WRONG {what}"));
        self.wrongs.push(what);
    }

    /// True so often while there is weather.
    pub(crate) fn odds(&mut self, of_ten_thousand: u64) -> bool {
        self.dice.chance(of_ten_thousand) && !self.calm
    }

    pub(crate) fn at(&mut self, ms: i64, ev: Ev) {
        self.next += 1;
        self.heap.push(Reverse((self.now + ms * MS, self.next)));
        self.events.insert(self.next, ev);
        self.stirred.notify_one();
    }

    /// Does what is due; when the next thing is.
    pub fn step(&mut self) -> i64 {
        while let Some(Reverse((at, number))) = self.heap.peek().copied() {
            if at > self.now {
                return at;
            }
            self.heap.pop();
            self.floor.ms = (START + self.now) / MS;
            if let Some(ev) = self.events.remove(&number) {
                self.happens(ev);
            }
            self.hand_on();
        }
        i64::MAX
    }

    fn tick(&mut self) {
        let wait = self.dice.between(80, 160);
        self.at(wait, Ev::Tick);
        if self.others {
            self.floor.taken = self.known.taken();
            if self.odds(250) {
                self.floor.place_by_hand(&mut self.dice);
            }
        }
        self.floor.tick(&mut self.dice, !self.calm);
        if self.odds(12) {
            self.outage_until = self.now + self.dice.between(2_000, 12_000) * MS;
            self.struck(Fault::Outage);
            let all: Vec<u64> = self.lines.keys().copied().collect();
            all.into_iter().for_each(|id| self.cut(id, "reset by peer"));
        }
        if self.odds(25) {
            let jump = self.dice.between(-4_000, 4_000) * MS;
            self.clock_shift += jump;
            self.struck(Fault::ClockJump);
        }
        if self.odds(20) {
            let count = self.lines.len() as u64;
            let which = usize::try_from(self.dice.below(count)).unwrap_or(0);
            if let Some(line) = self.lines.values_mut().nth(which) {
                line.mute = true;
                self.struck(Fault::HalfOpen);
            }
        }
        if self.fills_late && self.odds(15) && self.floor.fill_late(&mut self.dice) {
            self.struck(Fault::LateFill);
        }
        if self.odds(8) {
            self.key = format!("key-{}", self.now / MS);
            self.struck(Fault::KeyRotated);
        }
        if self.odds(20) {
            self.die(Fault::Death);
        }
    }

    /// The weather ends, and with it what it left half open.
    pub fn calms(&mut self) {
        self.calm = true;
        self.outage_until = 0;
        self.full_until = 0;
        let mute: Vec<u64> = self.lines.iter().filter(|(_, l)| l.mute).map(|(id, _)| *id).collect();
        mute.into_iter().for_each(|id| self.cut(id, "reset by peer"));
    }

    /// What becomes of a write of so many bytes.
    pub fn disk_write(&mut self, life: u64, len: usize) -> Written {
        let part = usize::try_from(self.dice.below(len as u64)).unwrap_or(0);
        if self.is_dead(life) {
            return Written::Dead(0);
        }
        if self.odds(6) {
            self.die(Fault::DeathInWrite);
            return Written::Dead(part);
        }
        if self.now < self.full_until {
            return Written::Full(0);
        }
        if self.odds(6) {
            self.struck(Fault::DiskFull);
            self.full_until = self.now + self.dice.between(0, 3_000) * MS;
            return Written::Full(part);
        }
        if self.odds(25) {
            self.struck(Fault::SlowDisk);
            self.stalled_until = self.now + self.dice.between(5, 900) * MS;
        }
        Written::Whole
    }

    /// Bytes stand on the tape: the orders in them are known from now on.
    pub fn disk_written(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        for (at, head) in text.match_indices("order ") {
            let mut words = text[at + head.len()..].split(' ');
            let number = words.next().and_then(|n| n.parse().ok());
            if let (Some(number), Some("buy" | "sell")) = (number, words.next()) {
                self.on_tape.insert(number);
            }
        }
        for (at, head) in text.match_indices("cancel ") {
            let digits = text[at + head.len()..].split(|c: char| !c.is_ascii_digit()).next();
            self.to_be_cancelled.extend(digits.and_then(|d| d.parse::<u64>().ok()));
        }
    }

    /// Whether the disk refuses to sync now.
    pub fn disk_sync_fails(&mut self) -> bool {
        self.odds(6)
    }

    /// A file of the tape is written to from here on. One that has only its head is new, and was synced with it.
    pub fn disk_opened(&mut self, life: u64, len: u64) {
        if len == SEGMENT_HEAD && !self.is_dead(life) {
            self.kept_len = len;
        }
    }

    /// Whether the file that is written to has nothing but its head: a loss of power takes nothing of it.
    pub fn is_file_new(&self) -> bool {
        self.kept_len == SEGMENT_HEAD
    }

    /// The tape's file is safe up to here.
    pub fn disk_synced(&mut self, len: u64) {
        self.kept_len = len;
        self.kept.extend(&self.on_tape);
    }

    /// After a loss of power so many bytes of the file are left, of those it had.
    pub fn power_lost(&mut self, len: u64) -> u64 {
        self.struck(Fault::PowerLoss);
        self.on_tape = self.kept.clone();
        self.kept_len.min(len) + self.dice.below(len.saturating_sub(self.kept_len) + 1)
    }

    /// Where zeros begin, when a loss of power left so many bytes and the file's length: what is not safe was written by the
    /// block, or not at all.
    pub fn zeros_from(&self, left: u64) -> u64 {
        self.kept_len.max(left / 512 * 512).min(left)
    }

    /// Whether the tape has an order as safely as the settings promise.
    pub(crate) fn is_recorded(&self, order: u64) -> bool {
        if self.syncs { self.kept.contains(&order) } else { self.on_tape.contains(&order) }
    }
}
