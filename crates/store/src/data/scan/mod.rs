//! The scan that counts what is odd. Import and check use the same one.
//!
//! Nothing here changes data: odd rows are stored as they came, so that a result can be traced to its source.

mod lags;
mod levels;

use std::collections::{BTreeMap, BTreeSet};

use bellwether_sdk::{Interval, Ts};

use self::lags::Lags;
use self::levels::Levels;
use super::findings::{Finding, Oddity};
use super::origin::{file_of, line_of, origin};
use super::schema::{NULL, TS, depth, quote, trade};
use super::table::Table;
use super::time::iso;
use crate::market::Kind;
use crate::market::book::follows;

#[derive(Debug, Clone)]
struct Tally {
    count: u64,
    first_ts: i64,
    first_origin: i64,
    detail: String,
}

/// Counts oddities over sorted rows, table after table of one series.
#[derive(Debug)]
pub(crate) struct Scan {
    kind: Kind,
    tallies: BTreeMap<Oddity, Tally>,
    before: Option<i64>,
    missing: i64,
    longest: (i64, i64),
    ids: Ids,
    /// The last two steps between fundings.
    pays: [Pay; 2],
    flat_run: u64,
    flat_longest: (u64, i64),
    flat_start: i64,
    volume_seen: bool,
    last_quote: [i64; 6],
    chain: Chain,
    levels: Levels,
    lags: Lags,
    /// Whether any time is finer than a millisecond.
    fine: bool,
    seam: Option<Seam>,
}

/// Where only the seams between files count: what the last row was, and whether a seam lies before it.
#[derive(Debug, Clone, Copy, Default)]
struct Seam {
    /// The origin of the last row.
    last: Option<i64>,
    /// Whether the row before that is of another file.
    crossed: bool,
    /// The origin of the row beside the seam that has one.
    place: i64,
}

/// A step from one funding to the next.
#[derive(Debug, Clone, Copy, Default)]
struct Pay {
    length: i64,
    from: i64,
    /// The line of its end.
    origin: i64,
    seam: Option<Seam>,
}

/// The state of a depth sequence: the unbroken run of change ids, and snapshots waiting for it.
#[derive(Debug, Default)]
struct Chain {
    run: Option<(i64, i64)>,
    waiting: Vec<(i64, i64, i64)>,
    message: Option<(i64, i64)>,
    /// Whether there was any message that is no snapshot.
    continued: bool,
    /// The files that have such messages.
    talking: BTreeSet<i64>,
    /// Whether snapshots are passed over.
    passing: bool,
}

/// The numbers of trades: a venue that counts them one by one shows what is missing.
#[derive(Debug, Default)]
struct Ids {
    last: Option<i64>,
    followed: u64,
    holes: u64,
    backwards: bool,
}

impl Scan {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            tallies: BTreeMap::new(),
            before: None,
            missing: 0,
            longest: (0, 0),
            ids: Ids::default(),
            pays: [Pay::default(); 2],
            flat_run: 0,
            flat_longest: (0, 0),
            flat_start: 0,
            volume_seen: false,
            last_quote: [NULL; 6],
            chain: Chain::default(),
            levels: Levels::default(),
            lags: Lags::default(),
            fine: false,
            seam: None,
        }
    }

    /// A scan that counts only what lies between rows of different files: what a file shows alone is not told again.
    pub(crate) fn seams(kind: Kind) -> Self {
        Self { seam: Some(Seam::default()), ..Self::new(kind) }
    }

    /// Counts an oddity; `detail` is asked for the first only.
    pub(crate) fn note(&mut self, kind: Oddity, count: u64, ts: i64, origin: i64, detail: impl FnOnce() -> String) {
        match self.seam {
            None => self.count(kind, count, ts, origin, detail),
            Some(seam) if seam.crossed && kind.lies_between() => self.count(kind, count, ts, seam.place, detail),
            Some(_) => {}
        }
    }

    fn count(&mut self, kind: Oddity, count: u64, ts: i64, origin: i64, detail: impl FnOnce() -> String) {
        let tally = self.tallies.entry(kind).or_insert_with(|| Tally {
            count: 0,
            first_ts: ts,
            first_origin: origin,
            detail: detail(),
        });
        tally.count += count;
    }

    /// Looks whether the next row is of another file than the one before.
    fn cross(&mut self, origin: i64) {
        if let Some(seam) = &mut self.seam {
            let before = seam.last.replace(origin);
            seam.crossed = before.is_some_and(|b| file_of(b) != file_of(origin));
            // What is stored has no place.
            seam.place = if file_of(origin) == 0 { before.unwrap_or(0) } else { origin };
        }
    }

    /// Looks at rows that only border on others: of their snapshots nothing is said.
    pub(crate) fn feed_border(&mut self, table: &Table) {
        self.chain.passing = true;
        self.feed(table);
        self.chain.passing = false;
    }

    /// Rows are left out here: what follows is not held against what was before.
    pub(crate) fn jump(&mut self) {
        self.before = None;
        self.ids.last = None;
        self.pays = [Pay::default(); 2];
        self.end_run();
    }

    /// Looks at the next rows, in order of time.
    pub(crate) fn feed(&mut self, table: &Table) {
        match self.kind {
            Kind::Bars(interval) => self.bars(table, interval),
            Kind::Quotes => self.quotes(table),
            Kind::Depth => self.depth(table),
            Kind::Funding => self.funding(table),
            Kind::Trades => self.trades(table),
        }
    }

    fn bars(&mut self, table: &Table, interval: Interval) {
        let step_expected = interval.nanos();
        for row in 0..table.len() {
            let [ts, open, high, low, close, volume] = std::array::from_fn(|c| table.get(c, row));
            let origin = origin(table, row);
            self.cross(origin);
            if let Some(before) = self.before {
                self.step(before, ts, step_expected, origin);
            }
            self.before = Some(ts);
            if Ts::from_nanos(ts).floor_to(interval).nanos() != ts {
                self.note(Oddity::OffGrid, 1, ts, origin, String::new);
            }
            if high < open.max(close).max(low) || low > open.min(close) {
                self.note(Oddity::Ohlc, 1, ts, origin, || table.describe(row));
            }
            self.volume_seen |= volume != 0;
            if volume == 0 && high == low && open == close && high == open {
                self.flat(ts, origin);
            } else {
                self.flat_run = 0;
            }
        }
    }

    fn step(&mut self, before: i64, ts: i64, expected: i64, origin: i64) {
        let step = ts - before;
        if step > expected {
            self.gap(step / expected - 1, (step, before), before.saturating_add(expected), origin);
        } else if step < expected && step > 0 {
            self.note(Oddity::Overlaps, 1, ts, origin, || {
                format!("{} opens before the bar of {} is over", iso(ts), iso(before))
            });
        }
    }

    fn gap(&mut self, missing: i64, (length, after): (i64, i64), ts: i64, origin: i64) {
        self.note(Oddity::Gaps, 1, ts, origin, String::new);
        if self.seam.is_some_and(|seam| !seam.crossed) {
            return;
        }
        self.missing = self.missing.saturating_add(missing);
        if length > self.longest.0 {
            self.longest = (length, after);
        }
    }

    /// A venue may pay every eight hours, then every four: what is missing is known by a step that is longer than both
    /// of its neighbours.
    fn funding(&mut self, table: &Table) {
        for row in 0..table.len() {
            let (ts, origin) = (table.get(TS, row), origin(table, row));
            self.cross(origin);
            if let Some(before) = self.before.filter(|before| *before != ts) {
                let pay = Pay { length: ts - before, from: before, origin, seam: self.seam };
                self.funding_step(ts - before);
                self.seam = pay.seam;
                self.pays = [self.pays[1], pay];
            }
            self.before = Some(ts);
        }
    }

    /// Looks at the step before this one, whose neighbours are known now.
    fn funding_step(&mut self, step: i64) {
        let [Pay { length: earlier, .. }, Pay { length: middle, from, origin, seam }] = self.pays;
        self.seam = seam;
        let usual = earlier.max(step);
        // Stamps are some milliseconds off.
        if earlier > 0 && middle > usual + usual / 2 {
            self.gap((middle + usual / 2) / usual - 1, (middle, from), from.saturating_add(usual), origin);
        }
    }

    fn trades(&mut self, table: &Table) {
        for row in 0..table.len() {
            let id = table.get(trade::ID, row);
            self.cross(origin(table, row));
            self.times(table, row, trade::TS_VENUE);
            if id == NULL {
                continue;
            }
            match self.ids.last {
                Some(last) if id <= last => self.ids.backwards = true,
                Some(last) if id == last + 1 => self.ids.followed += 1,
                Some(last) => {
                    self.ids.holes += 1;
                    let holes = id.saturating_sub(last).saturating_sub(1);
                    self.gap(holes, (holes, last), table.get(TS, row), origin(table, row));
                }
                None => {}
            }
            self.ids.last = Some(id.max(self.ids.last.unwrap_or(id)));
        }
    }

    fn flat(&mut self, ts: i64, origin: i64) {
        self.note(Oddity::FlatZeroVolume, 1, ts, origin, String::new);
        if self.flat_run == 0 {
            self.flat_start = ts;
        }
        self.flat_run += 1;
        if self.flat_run > self.flat_longest.0 {
            self.flat_longest = (self.flat_run, self.flat_start);
        }
    }

    fn quotes(&mut self, table: &Table) {
        for row in 0..table.len() {
            let (bid, ask) = (table.get(quote::BID, row), table.get(quote::ASK, row));
            let ts = table.get(TS, row);
            self.cross(origin(table, row));
            self.lag(table, row, quote::TS_VENUE);
            if bid > ask && ask > 0 {
                self.note(Oddity::Crossed, 1, ts, origin(table, row), || table.describe(row));
            }
            let this = [
                ts,
                bid,
                table.get(quote::BID_QTY, row),
                ask,
                table.get(quote::ASK_QTY, row),
                table.get(quote::UPDATE_ID, row),
            ];
            if this == self.last_quote {
                self.note(Oddity::Duplicates, 1, ts, origin(table, row), || "stored as often as they came".to_owned());
            }
            self.last_quote = this;
        }
    }

    /// The time of a trade against that of the one before, and its two times against each other.
    fn times(&mut self, table: &Table, row: usize, venue: usize) {
        let ts = table.get(TS, row);
        self.fine |= ts % 1_000_000 != 0;
        if self.before == Some(ts) {
            self.note(Oddity::EqualTimes, 1, ts, origin(table, row), || {
                "which came first only their file, or their ids, can tell".to_owned()
            });
        }
        self.before = Some(ts);
        self.lag(table, row, venue);
    }

    fn lag(&mut self, table: &Table, row: usize, venue: usize) {
        let (ts, stamp) = (table.get(TS, row), table.get(venue, row));
        let lag = if stamp == NULL { 0 } else { ts.saturating_sub(stamp) };
        self.lags.take(lag);
        if lag < 0 {
            self.note(Oddity::ReceiverBehind, 1, ts, origin(table, row), String::new);
        }
    }

    fn depth(&mut self, table: &Table) {
        for row in 0..table.len() {
            let (ts, msg) = (table.get(TS, row), table.get(depth::MSG, row));
            if self.chain.message != Some((ts, msg)) {
                self.chain.message = Some((ts, msg));
                let ids = [depth::FIRST_ID, depth::LAST_ID, depth::PREV_ID].map(|c| table.get(c, row));
                let (snapshot, origin) = (table.get(depth::SNAPSHOT, row) != 0, origin(table, row));
                self.settle(table.scales());
                if self.seam.is_none() {
                    self.levels.begin(ts, origin, snapshot, ids.map(number));
                }
                self.lag(table, row, depth::TS_VENUE);
                self.message(snapshot, ts, ids, origin);
            }
            self.levels.take([depth::SIDE, depth::PRICE, depth::QTY].map(|c| table.get(c, row)));
        }
    }

    /// The gathered message is whole: into the book with it; `scales` are those of the next one.
    fn settle(&mut self, scales: (u8, u8)) {
        if let Some((ts, origin, best)) = self.levels.settle(scales) {
            self.note(Oddity::Crossed, 1, ts, origin, || best);
        }
    }

    /// Judges as the book of a run does.
    fn message(&mut self, snapshot: bool, ts: i64, [first, last, prev]: [i64; 3], origin: i64) {
        if last == NULL {
            return;
        }
        if snapshot {
            if !self.chain.passing {
                self.chain.waiting.push((last, ts, origin));
            }
            return;
        }
        self.cross(origin);
        self.chain.continued = true;
        self.chain.talking.insert(file_of(origin));
        let before_first = if prev != NULL {
            prev
        } else if first != NULL {
            first - 1
        } else {
            return;
        };
        match self.chain.run {
            Some((_, end)) if follows(end, number(first), last, number(prev)) => {}
            Some((_, end)) => {
                self.note(Oddity::Sequence, 1, ts, origin, || {
                    format!("{} follows {end} but continues {before_first}", last)
                });
                self.end_run();
            }
            None => {}
        }
        let start = self.chain.run.map_or(if first == NULL { before_first } else { first.min(before_first) }, |r| r.0);
        self.chain.run = Some((start, last));
    }

    /// Snapshots that an unbroken run covers are in sync with it.
    fn end_run(&mut self) {
        if let Some((start, end)) = self.chain.run.take() {
            self.chain.waiting.retain(|(last, ..)| !(start..=end).contains(last));
        }
    }

    /// Whether trades are counted one by one: their numbers rise, and nearly all by one.
    fn numbered(&self) -> bool {
        !self.ids.backwards && self.ids.followed / 20 >= self.ids.holes
    }

    /// What was found, by kind, in a file of this name, or in what is stored.
    pub(crate) fn finish(self, file_name: Option<&str>) -> Vec<Finding> {
        self.end(file_name.is_some(), |_| file_name)
    }

    /// What was found at seams, by kind, between files of these names.
    pub(crate) fn finish_seams(self, names: &[String]) -> Vec<Finding> {
        self.end(true, |origin| names.get(usize::try_from(file_of(origin)).ok()?.checked_sub(1)?).map(String::as_str))
    }

    /// `partial`: other rows of the series may stand elsewhere; `name` gives the file of an origin.
    fn end<'n>(mut self, partial: bool, name: impl Fn(i64) -> Option<&'n str>) -> Vec<Finding> {
        let continued = self.chain.continued;
        self.settle(self.levels.scales());
        let behind = self.lags.median();
        if behind >= 0 {
            // Here and there a stamp is odd; a clock is not.
            self.tallies.remove(&Oddity::ReceiverBehind);
        }
        if self.fine {
            self.tallies.remove(&Oddity::EqualTimes);
        }
        self.end_run();
        if self.kind == Kind::Funding {
            // The last step has one neighbour.
            self.funding_step(self.pays[0].length);
        }
        if self.kind == Kind::Trades && !self.numbered() {
            self.tallies.remove(&Oddity::Gaps);
        }
        if !self.volume_seen {
            // A series without volume has no quiet bars, it has no volume.
            self.tallies.remove(&Oddity::FlatZeroVolume);
        }
        if partial && !continued {
            // A file of snapshots alone: whether they are continued shows with the messages stored beside.
            self.chain.waiting.clear();
        }
        if self.seam.is_some() {
            // A file with messages has said it of its snapshots itself.
            self.chain.waiting.retain(|(.., origin)| !self.chain.talking.contains(&file_of(*origin)));
        }
        for (last, ts, origin) in std::mem::take(&mut self.chain.waiting) {
            self.count(Oddity::SnapshotSync, 1, ts, origin, || {
                format!("no unbroken run of messages covers its id {last}")
            });
        }
        let (kind_of_data, missing, longest, flat) = (self.kind, self.missing, self.longest, self.flat_longest);
        self.tallies
            .into_iter()
            .map(|(kind, tally)| Finding {
                kind,
                count: tally.count,
                first: Some(Ts::from_nanos(tally.first_ts).into()),
                place: name(tally.first_origin)
                    .filter(|_| line_of(tally.first_origin) > 0)
                    .map(|f| format!("{f}:{}", line_of(tally.first_origin))),
                missing: (kind == Oddity::Gaps).then_some(missing as u64),
                detail: match kind {
                    Oddity::Gaps => gaps(kind_of_data, missing, longest),
                    Oddity::FlatZeroVolume => format!("the longest run has {} bars from {}", flat.0, iso(flat.1)),
                    Oddity::ReceiverBehind => {
                        format!("half of the rows by {} s or more", seconds(behind.saturating_neg()))
                    }
                    _ => tally.detail,
                },
            })
            .collect()
    }
}

/// Seconds to three digits, from nanoseconds.
fn seconds(nanos: i64) -> String {
    let millis = nanos / 1_000_000;
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

fn gaps(kind: Kind, missing: i64, (length, after): (i64, i64)) -> String {
    let hours = length as f64 / 3.6e12;
    match kind {
        Kind::Trades => {
            format!("{missing} trades missing by their ids; the longest gap has {length}, after id {after}")
        }
        Kind::Funding => {
            format!("{missing} payments missing in all; the longest gap has {hours:.1} h, after that of {}", iso(after))
        }
        _ => format!(
            "{missing} bars missing in all; the longest gap has {hours:.1} h from one open to the next, after the bar of {}",
            iso(after)
        ),
    }
}

/// An id as messages have it: zero where there is none.
const fn number(id: i64) -> i64 {
    if id == NULL { 0 } else { id }
}
