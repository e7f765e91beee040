//! Drives the engine against the simulated exchange from streams of stored events, merged by time.
//!
//! Order of events: engine time, then [`Class`], then instrument id, then place in the stream. With one stream left
//! the merge costs one comparison per event.

use std::sync::atomic::{AtomicBool, Ordering};

use bellwether_sdk::{Depth, InstrumentId, Ts};

use super::core::{Calm, Engine, EngineError, Event};
use super::merge::NewsQueue;
use super::pair::Pair;
use super::timers::Class;
use crate::market::{Batch, Kind, Source, SourceError};
use crate::portfolio::PortfolioError;
use crate::signal::News;
use crate::sim::Sim;

/// A replay could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The engine could not.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The exchange's books left the range of exact money.
    #[error(transparent)]
    Exchange(#[from] PortfolioError),
    /// A stream broke.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The person asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// The place of an event among all: what a stream's next event is compared by.
pub(super) type Key = (Ts, Class, InstrumentId);

/// A stream and how far it has been read.
pub(super) struct Cursor {
    pub(super) source: Box<dyn Source>,
    pub(super) batch: Option<Batch>,
    pub(super) at: usize,
    /// The bar at `at` has had its open print.
    pub(super) opened: bool,
    /// What has been read of it.
    pub(super) read: SeriesPart,
}

/// What was read of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesPart {
    /// Which kind.
    pub kind: Kind,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// How many events (of depth: messages).
    pub rows: u64,
    /// Engine time of the first (bars: its open).
    pub first: Ts,
    /// Engine time of the last (bars: its open).
    pub last: Ts,
}

/// Engine time of the first and the last event of a batch.
fn ends(batch: &Batch) -> Option<(Ts, Ts)> {
    let (first, last) = match batch {
        Batch::Trades(v) => (v.first()?.ts, v.last()?.ts),
        Batch::Quotes(v) => (v.first()?.ts, v.last()?.ts),
        Batch::Funding(v) => (v.first()?.ts, v.last()?.ts),
        Batch::Depth(d) => (d.heads.first()?.ts, d.heads.last()?.ts),
        Batch::Bars(v) => (v.first()?.ts_open, v.last()?.ts_open),
    };
    Some((first, last))
}

impl Cursor {
    pub(super) fn new(source: Box<dyn Source>) -> Self {
        let (kind, instrument) = (source.kind(), source.instrument());
        let read = SeriesPart { kind, instrument, rows: 0, first: Ts::NONE, last: Ts::NONE };
        Self { source, batch: None, at: 0, opened: false, read }
    }

    /// Reads the next batch when the present one is used up; `false` at the end of the stream.
    pub(super) fn fill(&mut self, reading: &mut dyn FnMut(bool)) -> Result<bool, SourceError> {
        if self.batch.as_ref().is_some_and(|b| self.at < b.len()) {
            return Ok(true);
        }
        self.at = 0;
        reading(true);
        let next = self.source.next(self.batch.take());
        reading(false);
        self.batch = next?;
        if let Some(batch) = &self.batch
            && let Some((first, last)) = ends(batch)
        {
            let read = &mut self.read;
            read.first = if read.rows == 0 { first } else { read.first };
            read.last = last;
            read.rows += batch.len() as u64;
        }
        Ok(self.batch.is_some())
    }

    pub(super) fn key(&self) -> Option<Key> {
        let id = self.source.instrument();
        let (ts, class) = match self.batch.as_ref()? {
            Batch::Trades(v) => (v.get(self.at)?.ts, Class::Trade),
            Batch::Quotes(v) => (v.get(self.at)?.ts, Class::Quote),
            Batch::Funding(v) => (v.get(self.at)?.ts, Class::Funding),
            Batch::Depth(d) => (d.heads.get(self.at)?.ts, Class::Depth),
            Batch::Bars(v) => {
                let bar = v.get(self.at)?;
                if self.opened { (bar.ts_close, Class::BarClose) } else { (bar.ts_open, Class::BarOpen) }
            }
        };
        Some((ts, class, id))
    }
}

/// A replay at work: engine, exchange, and the way between them.
pub struct Replay<'a> {
    /// Engine and exchange.
    pub pair: Pair,
    /// Asked now and then whether to stop.
    stop: &'a AtomicBool,
    /// Told before (`true`) and after (`false`) a stream is read, so that reading can be timed apart.
    reading: &'a mut dyn FnMut(bool),
    read: Vec<SeriesPart>,
    news: NewsQueue,
}

impl<'a> Replay<'a> {
    /// A replay before its first event.
    pub fn new(engine: Engine, sim: Sim, stop: &'a AtomicBool, reading: &'a mut dyn FnMut(bool)) -> Self {
        Self { pair: Pair::new(engine, sim), stop, reading, read: Vec::new(), news: NewsQueue::default() }
    }

    /// The same with news that are heard in their time.
    #[must_use]
    pub fn with_news(self, news: Vec<News>) -> Self {
        Self { news: NewsQueue::new(news), ..self }
    }

    /// What was read of each stream, in the order in which they ended.
    pub fn read(&self) -> &[SeriesPart] {
        &self.read
    }

    /// Runs all streams to their end.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn run(&mut self, sources: Vec<Box<dyn Source>>, close_at_end: bool) -> Result<(), ReplayError> {
        let mut cursors: Vec<Cursor> = sources.into_iter().map(Cursor::new).collect();
        let mut live = Vec::with_capacity(cursors.len());
        for mut cursor in cursors.drain(..) {
            if cursor.fill(self.reading)? {
                live.push(cursor);
            }
        }
        let first = live.iter().filter_map(Cursor::key).min();
        let first = first.map_or(Ts::NONE, |k| self.news.key().map_or(k, |news| news.min(k)).0);
        self.pair.engine.start(first)?;
        self.pair.pump()?;
        while !live.is_empty() {
            if self.stop.load(Ordering::Relaxed) {
                return Err(ReplayError::Interrupted);
            }
            let (first, mut limit) = first_and_limit(&live);
            if let Some(key) = self.news.key() {
                if live[first].key().is_some_and(|next| key < next) {
                    if let Some(news) = self.news.pop() {
                        self.pair.news(&news)?;
                    }
                    continue;
                }
                limit = Some(limit.map_or(key, |l| l.min(key)));
            }
            self.run_until(&mut live[first], limit)?;
            if !live[first].fill(self.reading)? {
                self.read.push(live.remove(first).read);
            }
        }
        self.pair.settle_prints()?;
        let end = self.pair.engine.now();
        while self.pair.engine.fire_before(end.plus(1), Class::Funding)? {
            self.pair.pump()?;
        }
        self.pair.engine.stop()?;
        if close_at_end {
            self.pair.engine.close_all();
            self.pair.sim.settle_at_last(end);
            self.pair.pump()?;
        }
        Ok(())
    }

    /// Hands on the events of one stream while they come before `limit`.
    fn run_until(&mut self, cursor: &mut Cursor, limit: Option<Key>) -> Result<(), ReplayError> {
        let id = cursor.source.instrument();
        let before = |ts: Ts, class: Class| limit.is_none_or(|l| (ts, class, id) <= l);
        // Without another stream to wait for, a batch is one piece of work.
        match cursor.batch.as_ref() {
            Some(Batch::Trades(v)) => {
                while let Some(trade) = v.get(cursor.at).filter(|t| before(t.ts, Class::Trade)) {
                    let calm = self.calm(&v[cursor.at..], limit, |sim, t| sim.on_trade(t))?;
                    if calm > 0 {
                        cursor.at += calm;
                        continue;
                    }
                    self.pair.come_to(trade.ts, Class::Trade)?;
                    self.pair.sim.on_trade(trade)?;
                    self.pair.step(Event::Trade(trade))?;
                    cursor.at += 1;
                }
            }
            Some(Batch::Quotes(v)) => {
                while let Some(quote) = v.get(cursor.at).filter(|q| before(q.ts, Class::Quote)) {
                    self.pair.come_to(quote.ts, Class::Quote)?;
                    self.pair.sim.on_quote(quote)?;
                    self.pair.step(Event::Quote(quote))?;
                    cursor.at += 1;
                }
            }
            Some(Batch::Funding(v)) => {
                while let Some(funding) = v.get(cursor.at).filter(|f| before(f.ts, Class::Funding)) {
                    self.pair.come_to(funding.ts, Class::Funding)?;
                    self.pair.sim.on_funding(funding)?;
                    self.pair.step(Event::Funding(funding))?;
                    cursor.at += 1;
                }
            }
            Some(Batch::Depth(d)) => {
                while let Some(head) = d.heads.get(cursor.at).filter(|h| before(h.ts, Class::Depth)) {
                    let levels = head.levels_start as usize..(head.levels_start + head.levels_len) as usize;
                    let depth = Depth {
                        ts: head.ts,
                        ts_venue: head.ts_venue,
                        snapshot: head.snapshot,
                        first_id: head.first_id,
                        last_id: head.last_id,
                        prev_id: head.prev_id,
                        levels: d.levels.get(levels).unwrap_or(&[]),
                        instrument: id,
                    };
                    self.pair.come_to(depth.ts, Class::Depth)?;
                    self.pair.sim.on_depth(&depth)?;
                    self.pair.step(Event::Depth(&depth))?;
                    cursor.at += 1;
                }
            }
            Some(Batch::Bars(v)) => {
                while let Some(bar) = v.get(cursor.at) {
                    // A bar whose open print has been may be the first: seeing that print again changes nothing.
                    let calm = self.calm(&v[cursor.at..], limit, |sim, bar| {
                        sim.on_bar_open(bar)?;
                        sim.on_bar(bar)
                    })?;
                    if calm > 0 {
                        cursor.at += calm;
                        cursor.opened = false;
                        continue;
                    }
                    if !cursor.opened {
                        if !before(bar.ts_open, Class::BarOpen) {
                            break;
                        }
                        cursor.opened = true;
                        if self.pair.open_print(bar)? {
                            // What waited for the print has filled: the rest of the bar may be calm.
                            continue;
                        }
                    }
                    if !before(bar.ts_close, Class::BarClose) {
                        break;
                    }
                    self.pair.come_to(bar.ts_close, Class::BarClose)?;
                    self.pair.sim.on_bar(bar)?;
                    self.pair.step(Event::Bar(bar))?;
                    cursor.opened = false;
                    cursor.at += 1;
                }
            }
            None => {}
        }
        Ok(())
    }

    /// A stretch of events in which nothing can happen but what the strategy asks for; gives how many were handled.
    /// The exchange is shown the last of them: without orders and inside the band that is all it remembers.
    #[inline]
    fn calm<T: Calm>(
        &mut self,
        events: &[T],
        limit: Option<Key>,
        show: impl Fn(&mut Sim, &T) -> Result<(), PortfolioError>,
    ) -> Result<usize, ReplayError> {
        let Some(first) = events.first() else { return Ok(0) };
        let Some(band) = self.pair.sim.calm(first.instrument())? else { return Ok(0) };
        let horizon = self.pair.sim.next_due().min(limit.map_or(Ts::MAX, |l| l.0));
        let calm = self.pair.engine.calm_stretch(events, horizon, band)?;
        if let Some(last) = calm.checked_sub(1).and_then(|i| events.get(i)) {
            self.pair.sim.pass_time(last.end())?;
            show(&mut self.pair.sim, last)?;
            if !self.pair.engine.commands().is_empty() {
                self.pair.pump()?;
            }
        }
        Ok(calm)
    }
}

/// Which cursor is first, and the key the others begin at.
fn first_and_limit(cursors: &[Cursor]) -> (usize, Option<Key>) {
    let (mut first, mut first_key, mut limit) = (0, None::<Key>, None::<Key>);
    for (i, cursor) in cursors.iter().enumerate() {
        let Some(key) = cursor.key() else { continue };
        match first_key {
            Some(known) if known <= key => limit = Some(limit.map_or(key, |l| l.min(key))),
            known => {
                limit = known.map_or(limit, |k| Some(limit.map_or(k, |l| l.min(k))));
                (first, first_key) = (i, Some(key));
            }
        }
    }
    (first, limit)
}
