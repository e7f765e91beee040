//! Rows that came from a venue itself, over the network, into the catalog: by the same merge as imported files.
//!
//! A batch is committed whole or not at all. Batches of one name (a download, a recording) are one source of the
//! series, which grows. It speaks to no venue and changes no value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bellwether_sdk::{Aggressor, Bar, Depth, Funding, Quote, Side, Symbol, Trade, Ts};
use sha2::{Digest, Sha256};

use super::catalog::Catalog;
use super::error::DataError;
use super::import::store_rows;
use super::manifest::SourceEntry;
use super::schema::{NULL, Row, TS, WIDTH, bar, depth, funding, quote, trade};
use super::table::{Table, hex};
use crate::market::Kind;

/// What distinguishes sources that were fetched or recorded from imported files.
const VENUE: &str = "venue";
/// Binance's history of trades is of aggregated ones, whose ids are apart from those of single ones.
const AGGREGATED: &str = "binance-aggTrades";

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intake {
    /// The name under which the rows are one source: `download of binance`, `recording 2026-01-01T00:00:00Z`.
    pub name: String,
    /// Whether trades are aggregated ones as in Binance's aggTrades.
    pub aggregated: bool,
    /// The time that this batch covers, although rows may begin later and end earlier: `[from, to)`.
    pub covers: Option<(Ts, Ts)>,
}

/// Rows of one series, in memory until they are stored.
#[derive(Debug, Clone)]
pub struct Batch {
    symbol: Symbol,
    table: Table,
    messages: i64,
}

impl Batch {
    /// No rows yet of a series whose prices and quantities are mantissas at these scales.
    pub fn new(symbol: Symbol, kind: Kind, price_scale: u8, qty_scale: u8) -> Self {
        Self { symbol, table: Table::new(kind, price_scale, qty_scale), messages: 0 }
    }

    /// Which series.
    pub fn series(&self) -> (&Symbol, Kind) {
        (&self.symbol, self.table.kind())
    }

    /// Rows so far (of depth: levels).
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Engine time of the last row.
    pub fn last(&self) -> Option<Ts> {
        self.table.col(TS).last().copied().map(Ts::from_nanos)
    }

    /// Adds a trade with the venue's id; an empty one for none.
    pub fn trade(&mut self, t: &Trade, id: &str) {
        let mut row = at(t.ts, t.ts_venue, trade::TS_VENUE);
        row[trade::PRICE] = t.price.mantissa();
        row[trade::QTY] = t.qty.mantissa();
        row[trade::AGGRESSOR] = match t.aggressor {
            Aggressor::Buyer => 1,
            Aggressor::Seller => -1,
            Aggressor::Unknown => 0,
        };
        match id.parse::<i64>() {
            Ok(number) if number.to_string() == id => row[trade::ID] = number,
            _ if id.is_empty() => {}
            _ => row[trade::ID_TEXT] = self.table.add_text(id.to_owned()),
        }
        self.table.push(&row);
    }

    /// Adds a quote.
    pub fn quote(&mut self, q: &Quote) {
        let mut row = at(q.ts, q.ts_venue, quote::TS_VENUE);
        row[quote::BID] = q.bid.mantissa();
        row[quote::BID_QTY] = q.bid_qty.mantissa();
        row[quote::ASK] = q.ask.mantissa();
        row[quote::ASK_QTY] = q.ask_qty.mantissa();
        self.table.push(&row);
    }

    /// Adds a message of depth, one row per level. One without levels says nothing and leaves a gap in the ids: it is
    /// kept as a deletion of nothing, a level of price 1 and quantity 0 in the last place.
    pub fn depth(&mut self, d: &Depth<'_>) {
        let some = |id: i64| if id == 0 { NULL } else { id };
        self.messages += 1;
        let mut row = at(d.ts, d.ts_venue, depth::TS_VENUE);
        row[depth::MSG] = self.messages;
        row[depth::SNAPSHOT] = i64::from(d.snapshot);
        row[depth::FIRST_ID] = some(d.first_id);
        row[depth::LAST_ID] = some(d.last_id);
        row[depth::PREV_ID] = some(d.prev_id);
        let mut level = |side: i64, price: i64, qty: i64| {
            (row[depth::SIDE], row[depth::PRICE], row[depth::QTY]) = (side, price, qty);
            self.table.push(&row);
        };
        for l in d.levels {
            level(if l.side == Side::Buy { 1 } else { -1 }, l.price.mantissa(), l.qty.mantissa());
        }
        if d.levels.is_empty() {
            level(1, 1, 0);
        }
    }

    /// Adds a complete bar.
    pub fn bar(&mut self, b: &Bar) {
        let mut row = at(b.ts_open, Ts::NONE, 1);
        row[bar::OPEN] = b.open.mantissa();
        row[bar::HIGH] = b.high.mantissa();
        row[bar::LOW] = b.low.mantissa();
        row[bar::CLOSE] = b.close.mantissa();
        row[bar::VOLUME] = b.volume.mantissa();
        self.table.push(&row);
    }

    /// Adds a funding settlement.
    pub fn funding(&mut self, f: &Funding) {
        let mut row = at(f.ts, Ts::NONE, 1);
        row[funding::RATE] = f.rate.mantissa();
        row[funding::MARK] = if f.mark.is_zero() { NULL } else { f.mark.mantissa() };
        self.table.push(&row);
    }

    /// Appends rows of the same series that follow these.
    pub fn join(&mut self, other: Self) {
        // Mantissas at one scale: what fitted one table fits both.
        let joined = self.table.append_rows(&other.table);
        debug_assert!(joined.is_ok(), "both are at the same scales");
        self.messages = self.messages.max(other.messages);
    }

    /// Takes off the rows of the last time, so that what is stored ends before it: rows that have no key can then not
    /// be split within one time.
    #[must_use]
    pub fn split_last(&mut self) -> Self {
        let times = self.table.col(TS);
        let cut = times.last().map_or(0, |last| times.partition_point(|t| t < last));
        let rest = self.table.slice(cut..self.table.len());
        let kept = self.table.slice(0..cut);
        self.table = kept;
        Self { symbol: self.symbol.clone(), table: rest, messages: self.messages }
    }
}

fn at(ts: Ts, ts_venue: Ts, column: usize) -> Row {
    let mut row = [NULL; WIDTH];
    row[TS] = ts.nanos();
    if ts_venue != Ts::NONE && ts_venue != ts {
        row[column] = ts_venue.nanos();
    }
    row
}

impl Catalog {
    /// Stores batches, each whole; gives how many rows were new. An empty batch that covers a time notes that nothing
    /// is there.
    ///
    /// # Errors
    /// [`DataError::Locked`] while another writes; [`DataError::Disagreement`] when stored rows say something else.
    /// Batches before the one that failed are stored.
    pub fn take_in(&mut self, batches: Vec<Batch>, intake: &Intake) -> Result<u64, DataError> {
        let lock = self.lock()?;
        let mut added = 0;
        for batch in batches {
            let Batch { symbol, mut table, .. } = batch;
            table.sort();
            let Some((first, last)) =
                intake.covers.map(|(from, to)| (from.nanos(), to.nanos().saturating_sub(1))).or_else(|| table.span())
            else {
                continue;
            };
            let trades = table.kind() == Kind::Trades && intake.aggregated;
            let source = SourceEntry {
                name: intake.name.clone(),
                sha256: hex(&Sha256::digest(format!("{first} {last} {}", table.hash()))),
                format: if trades { AGGREGATED.to_owned() } else { VENUE.to_owned() },
                options: String::new(),
                rows: table.len() as u64,
                first_ts: first,
                last_ts: last,
                findings: Vec::new(),
            };
            added += store_rows(self, &lock, &symbol, table, source)?;
        }
        Ok(added)
    }

    /// The parts of `[from, to)` that the catalog does not have of a series, in order. Bars that are stored are there,
    /// whatever they came from; of other kinds, the time between the first and the last row of a source is.
    ///
    /// # Errors
    /// [`DataError`] of reading.
    pub fn missing(&self, symbol: &Symbol, kind: Kind, from: Ts, to: Ts) -> Result<Vec<(Ts, Ts)>, DataError> {
        let mut have: Vec<(i64, i64)> = Vec::new();
        let entry = self.manifest().find(symbol, kind);
        let covers = |s: &&SourceEntry| kind.interval().is_none() || s.format == VENUE;
        have.extend(
            entry.iter().flat_map(|e| &e.sources).filter(covers).map(|s| (s.first_ts, s.last_ts.saturating_add(1))),
        );
        if let (Some(interval), true) =
            (kind.interval(), self.files_within(symbol, kind, from.nanos(), to.nanos()).is_ok())
        {
            let mut rows = self.rows(symbol, kind, from.nanos(), to.nanos())?;
            while let Some(chunk) = rows.next()? {
                for open in chunk.col(TS) {
                    match have.last_mut() {
                        Some((_, end)) if *end == *open => *end = open + interval.nanos(),
                        _ => have.push((*open, open + interval.nanos())),
                    }
                }
            }
        }
        have.sort_unstable();
        let mut gaps = Vec::new();
        let mut at = from.nanos();
        for (start, end) in have {
            if start > at && at < to.nanos() {
                gaps.push((Ts::from_nanos(at), Ts::from_nanos(start.min(to.nanos()))));
            }
            at = at.max(end);
        }
        if at < to.nanos() {
            gaps.push((Ts::from_nanos(at), to));
        }
        Ok(gaps)
    }

    /// Whether a source of this name is stored in a series.
    pub fn has_source(&self, symbol: &Symbol, kind: Kind, name: &str) -> bool {
        self.manifest().find(symbol, kind).is_some_and(|e| e.sources.iter().any(|s| s.name == name))
    }

    /// Notes an instrument's rules in `instruments.json`, unless the rules in force there are the same. Fees that are
    /// stated stay. `valid_from` is a date such as `2026-01-31`; numbers are text.
    ///
    /// # Errors
    /// [`DataError`] of reading, locking and writing.
    pub fn note_rules(&mut self, symbol: &Symbol, rules: &StatedRules) -> Result<bool, DataError> {
        let _lock = self.lock()?;
        super::rules::note(&self.dir, symbol, rules)
    }
}

/// An instrument's rules as they stand in `instruments.json`; numbers as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedRules {
    /// The date from which on they are known.
    pub valid_from: String,
    /// The step of prices.
    pub tick: String,
    /// The step of quantities.
    pub lot: String,
    /// Smallest quantity.
    pub qty_min: String,
    /// Smallest value.
    pub notional_min: String,
    /// Largest quantity; zero for none.
    pub qty_max: String,
    /// Largest quantity of an order without a limit price; zero for `qty_max`.
    pub qty_max_market: String,
    /// Largest value of an order with a limit price; zero for none.
    pub notional_max: String,
    /// Units of base per contract.
    pub multiplier: i64,
}

/// Puts a new part of a source that is there already into it: by name and format. Indices of the new one in months
/// become those of the old one.
pub(super) fn fold_source(sources: &mut Vec<SourceEntry>) -> Option<(usize, usize)> {
    let new = sources.pop()?;
    // Parts that do not follow each other stay apart, since what lies between was not covered; a recording is one.
    let follows = |old: &SourceEntry| {
        let touches = new.first_ts <= old.last_ts.saturating_add(1) && old.first_ts <= new.last_ts.saturating_add(1);
        touches || old.format == VENUE && old.name.starts_with(RECORDING)
    };
    let same = |s: &SourceEntry| s.name == new.name && s.format == new.format && s.options == new.options;
    let Some(index) = sources.iter().position(|s| same(s) && follows(s)) else {
        sources.push(new);
        return None;
    };
    let old = &mut sources[index];
    old.rows += new.rows;
    old.first_ts = old.first_ts.min(new.first_ts);
    old.last_ts = old.last_ts.max(new.last_ts);
    old.sha256 = hex(&Sha256::digest(format!("{} {}", old.sha256, new.sha256)));
    Some((sources.len(), index))
}

/// What the names of recordings begin with: their batches are one source although time passes between rows.
pub const RECORDING: &str = "recording";

/// The path that errors of a source without a file name.
pub(super) fn place_of(source: &SourceEntry) -> PathBuf {
    Path::new(&source.name).to_owned()
}

/// Months and their sources after a fold.
pub(super) fn refold<T>(
    months: &mut BTreeMap<T, (Table, std::collections::BTreeSet<usize>, bool)>,
    fold: Option<(usize, usize)>,
) {
    let Some((from, to)) = fold else { return };
    for (_, sources, _) in months.values_mut() {
        if sources.remove(&from) {
            sources.insert(to);
        }
    }
}
