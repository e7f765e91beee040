//! The stream of a stored series: months one after the other, a chunk of rows at a time.
//!
//! Mantissas are taken as they lie in the file; only a file coarser than the instrument is multiplied. A chunk of
//! columns and the batch being filled are all the memory there is.

use std::path::PathBuf;

use bellwether_sdk::num::pow10;
use bellwether_sdk::{
    Aggressor, Bar, Funding, Instrument, InstrumentId, Interval, Level, Price, Qty, Quote, Rate, Side, Trade, Ts,
};

use super::file::{CHUNK_ROWS, RowReader};
use super::schema::{NULL, TS, Unit, bar, columns, depth, funding, quote, trade};
use crate::market::{Batch, DepthBatch, DepthHead, Kind, Source, SourceError};

/// A batch is handed on once it has so many events.
const BATCH_ROWS_MIN: usize = CHUNK_ROWS / 2;

/// A stream of one series from the catalog.
pub(crate) struct StoreSource {
    kind: Kind,
    instrument: InstrumentId,
    scales: (u8, u8),
    from: i64,
    to: i64,
    files: std::vec::IntoIter<(PathBuf, u8, u8)>,
    open: Option<OpenFile>,
    cols: Vec<Vec<i64>>,
    pending: Pending,
    /// The first batch, read when the stream is opened.
    first: Option<Batch>,
}

struct OpenFile {
    reader: RowReader,
    path: PathBuf,
    price_factor: i64,
    qty_factor: i64,
}

/// What cannot be handed on before the row after it is known.
#[derive(Default)]
struct Pending {
    bar: Option<Bar>,
    head: Option<(DepthHead, i64)>,
    levels: Vec<Level>,
}

impl StoreSource {
    /// A stream of `[from, to)` over files in order of time, each with its path and scales.
    pub(crate) fn new(instrument: &Instrument, kind: Kind, from: i64, to: i64, files: Vec<(PathBuf, u8, u8)>) -> Self {
        Self {
            kind,
            instrument: instrument.id,
            scales: (instrument.price_scale, instrument.qty_scale),
            from,
            to,
            files: files.into_iter(),
            open: None,
            cols: Vec::new(),
            pending: Pending::default(),
            first: None,
        }
    }

    /// Reads the first batch; `None` when there is no event at all.
    pub(crate) fn primed(mut self) -> Result<Option<Self>, SourceError> {
        self.first = self.read(None)?;
        Ok(self.first.is_some().then_some(self))
    }

    fn wanted(kind: Kind) -> fn(usize) -> bool {
        match kind {
            Kind::Trades => |c| c <= trade::AGGRESSOR,
            Kind::Quotes => |c| c <= quote::ASK_QTY,
            Kind::Bars(_) => |c| c <= bar::VOLUME,
            Kind::Depth | Kind::Funding => |_| true,
        }
    }

    /// Where rows stop to be read: bars look past the end for the open of the bar after.
    fn read_to(&self) -> i64 {
        self.to.saturating_add(self.kind.interval().map_or(0, Interval::nanos))
    }

    fn open_next(&mut self) -> Result<bool, SourceError> {
        let Some((path, price_scale, qty_scale)) = self.files.next() else { return Ok(false) };
        let factor = |mine: u8, file: u8| {
            (mine >= file).then(|| pow10(mine - file)).ok_or_else(|| {
                SourceError(format!("{} has {file} digits where the instrument has {mine}", path.display()))
            })
        };
        let (price_factor, qty_factor) = (factor(self.scales.0, price_scale)?, factor(self.scales.1, qty_scale)?);
        let reader = RowReader::open(&path, self.kind, Self::wanted(self.kind), self.from, self.read_to())
            .map_err(|e| SourceError(e.to_string()))?;
        self.open = Some(OpenFile { reader, path, price_factor, qty_factor });
        Ok(true)
    }

    /// The next rows within the range, scaled; `None` at the end of the files.
    fn chunk(&mut self) -> Result<Option<std::ops::Range<usize>>, SourceError> {
        loop {
            let read_to = self.read_to();
            let Some(open) = &mut self.open else {
                if self.open_next()? {
                    continue;
                }
                return Ok(None);
            };
            if open.reader.next(&mut self.cols).map_err(|e| SourceError(e.to_string()))? == 0 {
                self.open = None;
                continue;
            }
            let ts = &self.cols[TS];
            let start = ts.partition_point(|t| *t < self.from);
            let end = ts.partition_point(|t| *t < read_to);
            if start >= end {
                continue;
            }
            for (c, column) in columns(self.kind).iter().enumerate() {
                let factor = match column.unit {
                    Unit::Price => open.price_factor,
                    Unit::Qty => open.qty_factor,
                    _ => 1,
                };
                if factor != 1 && !scale(&mut self.cols[c], factor) {
                    let what =
                        format!("a {} in {} does not fit the instrument's digits", column.name, open.path.display());
                    return Err(SourceError(what));
                }
            }
            return Ok(Some(start..end));
        }
    }

    fn fill(&mut self, rows: std::ops::Range<usize>, batch: &mut Batch) {
        let cols = &self.cols;
        let col = |c: usize| cols[c].get(rows.clone()).unwrap_or_default();
        match batch {
            Batch::Trades(out) => trades(out, self.instrument, &col),
            Batch::Quotes(out) => quotes(out, self.instrument, &col),
            Batch::Funding(out) => fundings(out, self.instrument, &col),
            Batch::Bars(out) => bars(out, self.instrument, self.kind, self.to, &mut self.pending.bar, &col),
            Batch::Depth(out) => depths(out, &mut self.pending, &col),
        }
    }

    fn read(&mut self, spent: Option<Batch>) -> Result<Option<Batch>, SourceError> {
        let mut batch = self.empty_batch(spent);
        while let Some(rows) = self.chunk()? {
            self.fill(rows, &mut batch);
            // Short months are handed on together.
            if batch.len() >= BATCH_ROWS_MIN {
                return Ok(Some(batch));
            }
        }
        match &mut batch {
            Batch::Bars(out) => out.extend(self.pending.bar.take()),
            Batch::Depth(out) => self.pending.flush(out),
            _ => {}
        }
        Ok(Some(batch).filter(|b| !b.is_empty()))
    }

    fn empty_batch(&self, spent: Option<Batch>) -> Batch {
        match (self.kind, spent) {
            (Kind::Trades, Some(Batch::Trades(mut v))) => {
                v.clear();
                Batch::Trades(v)
            }
            (Kind::Quotes, Some(Batch::Quotes(mut v))) => {
                v.clear();
                Batch::Quotes(v)
            }
            (Kind::Bars(_), Some(Batch::Bars(mut v))) => {
                v.clear();
                Batch::Bars(v)
            }
            (Kind::Depth, Some(Batch::Depth(mut d))) => {
                d.heads.clear();
                d.levels.clear();
                Batch::Depth(d)
            }
            (Kind::Funding, Some(Batch::Funding(mut v))) => {
                v.clear();
                Batch::Funding(v)
            }
            (Kind::Trades, _) => Batch::Trades(Vec::new()),
            (Kind::Quotes, _) => Batch::Quotes(Vec::new()),
            (Kind::Bars(_), _) => Batch::Bars(Vec::new()),
            (Kind::Depth, _) => Batch::Depth(DepthBatch::default()),
            (Kind::Funding, _) => Batch::Funding(Vec::new()),
        }
    }
}

impl Source for StoreSource {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn instrument(&self) -> InstrumentId {
        self.instrument
    }

    fn next(&mut self, spent: Option<Batch>) -> Result<Option<Batch>, SourceError> {
        match self.first.take() {
            Some(batch) => Ok(Some(batch)),
            None => self.read(spent),
        }
    }
}

fn scale(col: &mut [i64], factor: i64) -> bool {
    col.iter_mut().all(|v| {
        if *v == NULL {
            return true;
        }
        let scaled = v.checked_mul(factor);
        *v = scaled.unwrap_or(0);
        scaled.is_some()
    })
}

/// The venue's times: engine time itself where the file has none beside.
fn venue_times<'a>(ts: &'a [i64], venue: &'a [i64]) -> impl Iterator<Item = i64> + 'a {
    let absent = venue.is_empty();
    ts.iter().enumerate().map(move |(i, t)| if absent || venue[i] == NULL { *t } else { venue[i] })
}

fn trades<'a>(out: &mut Vec<Trade>, instrument: InstrumentId, col: &dyn Fn(usize) -> &'a [i64]) {
    let ts = col(TS);
    let rows = ts.iter().zip(venue_times(ts, col(trade::TS_VENUE))).zip(col(trade::PRICE)).zip(col(trade::QTY));
    out.extend(rows.zip(col(trade::AGGRESSOR)).map(|((((ts, venue), price), qty), aggressor)| Trade {
        ts: Ts::from_nanos(*ts),
        ts_venue: Ts::from_nanos(venue),
        price: Price::from_mantissa(*price),
        qty: Qty::from_mantissa(*qty),
        instrument,
        aggressor: match aggressor {
            1 => Aggressor::Buyer,
            -1 => Aggressor::Seller,
            _ => Aggressor::Unknown,
        },
    }));
}

fn quotes<'a>(out: &mut Vec<Quote>, instrument: InstrumentId, col: &dyn Fn(usize) -> &'a [i64]) {
    let ts = col(TS);
    let rows = ts.iter().zip(venue_times(ts, col(quote::TS_VENUE)));
    let bids = col(quote::BID).iter().zip(col(quote::BID_QTY));
    let asks = col(quote::ASK).iter().zip(col(quote::ASK_QTY));
    out.extend(rows.zip(bids).zip(asks).map(|(((ts, venue), (bid, bid_qty)), (ask, ask_qty))| Quote {
        ts: Ts::from_nanos(*ts),
        ts_venue: Ts::from_nanos(venue),
        bid: Price::from_mantissa(*bid),
        bid_qty: Qty::from_mantissa(*bid_qty),
        ask: Price::from_mantissa(*ask),
        ask_qty: Qty::from_mantissa(*ask_qty),
        instrument,
    }));
}

fn fundings<'a>(out: &mut Vec<Funding>, instrument: InstrumentId, col: &dyn Fn(usize) -> &'a [i64]) {
    let marks = col(funding::MARK);
    out.extend(col(TS).iter().zip(col(funding::RATE)).enumerate().map(|(i, (ts, rate))| Funding {
        ts: Ts::from_nanos(*ts),
        rate: Rate::from_mantissa(*rate),
        mark: Price::from_mantissa(marks.get(i).copied().filter(|m| *m != NULL).unwrap_or(0)),
        instrument,
    }));
}

/// Bars are handed on one row late: each ends at its interval or at the open of the next, whichever is first.
fn bars<'a>(
    out: &mut Vec<Bar>,
    instrument: InstrumentId,
    kind: Kind,
    to: i64,
    pending: &mut Option<Bar>,
    col: &dyn Fn(usize) -> &'a [i64],
) {
    let Kind::Bars(interval) = kind else { return };
    let prices = [bar::OPEN, bar::HIGH, bar::LOW, bar::CLOSE].map(col);
    for (i, (ts, volume)) in col(TS).iter().zip(col(bar::VOLUME)).enumerate() {
        let ts_open = Ts::from_nanos(*ts);
        if let Some(mut before) = pending.take() {
            before.ts_close = before.ts_close.min(ts_open);
            out.push(before);
        }
        if *ts >= to {
            return;
        }
        let [open, high, low, close] = prices.map(|p| Price::from_mantissa(p[i]));
        *pending = Some(Bar {
            ts_open,
            ts_close: ts_open.plus(interval.nanos()),
            open,
            high,
            low,
            close,
            volume: Qty::from_mantissa(*volume),
            interval,
            instrument,
        });
    }
}

/// Regroups rows into messages; the last one waits for the chunk after, which may continue it.
fn depths<'a>(out: &mut DepthBatch, pending: &mut Pending, col: &dyn Fn(usize) -> &'a [i64]) {
    let (ts, msgs, sides) = (col(TS), col(depth::MSG), col(depth::SIDE));
    let (prices, qtys) = (col(depth::PRICE), col(depth::QTY));
    let (venues, snapshots) = (col(depth::TS_VENUE), col(depth::SNAPSHOT));
    let ids = [depth::FIRST_ID, depth::LAST_ID, depth::PREV_ID].map(col);
    let mut current = pending.head.take();
    let mut levels = std::mem::take(&mut pending.levels);
    for i in 0..ts.len() {
        let same = current.is_some_and(|(head, msg)| msg == msgs[i] && head.ts.nanos() == ts[i]);
        if !same {
            if let Some((head, _)) = current.take() {
                close_message(out, head, &mut levels);
            }
            let [first_id, last_id, prev_id] = ids.map(|id| id.get(i).copied().filter(|v| *v != NULL).unwrap_or(0));
            let venue = venues.get(i).copied().filter(|v| *v != NULL).unwrap_or(ts[i]);
            let head = DepthHead {
                ts: Ts::from_nanos(ts[i]),
                ts_venue: Ts::from_nanos(venue),
                snapshot: snapshots[i] != 0,
                first_id,
                last_id,
                prev_id,
                levels_start: 0,
                levels_len: 0,
            };
            current = Some((head, msgs[i]));
        }
        levels.push(Level {
            side: if sides[i] >= 0 { Side::Buy } else { Side::Sell },
            price: Price::from_mantissa(prices[i]),
            qty: Qty::from_mantissa(qtys[i]),
        });
    }
    pending.head = current;
    pending.levels = levels;
}

fn close_message(out: &mut DepthBatch, mut head: DepthHead, levels: &mut Vec<Level>) {
    head.levels_start = out.levels.len() as u32;
    head.levels_len = levels.len() as u32;
    out.levels.append(levels);
    out.heads.push(head);
}

impl Pending {
    fn flush(&mut self, out: &mut DepthBatch) {
        if let Some((head, _)) = self.head.take() {
            close_message(out, head, &mut self.levels);
        }
    }
}
