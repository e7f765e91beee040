//! Stored streams as one row of inputs, in the order in which a backtest hears them.

use std::collections::VecDeque;

use bellwether_sdk::{Depth, InstrumentId, Ts};

use super::circuit::Told;
use super::core::Event;
use super::replay::{Cursor, Key, SeriesPart};
use super::timers::Class;
use crate::market::{Batch, Source, SourceError};
use crate::signal::News;

/// News in the order in which they are heard.
#[derive(Debug, Default)]
pub(super) struct NewsQueue(VecDeque<News>);

impl NewsQueue {
    pub(super) fn new(mut news: Vec<News>) -> Self {
        // Those of one time keep the order in which they were stored.
        news.sort_by_key(|n| n.at);
        Self(news.into())
    }

    /// The place of the next among all events.
    pub(super) fn key(&self) -> Option<Key> {
        self.0.front().map(|news| (news.at, Class::News, InstrumentId::default()))
    }

    pub(super) fn pop(&mut self) -> Option<News> {
        self.0.pop_front()
    }
}

/// Streams merged by time, one event at a time.
pub struct Merge {
    cursors: Vec<Cursor>,
    read: Vec<SeriesPart>,
    news: NewsQueue,
}

impl Merge {
    /// Streams before their first event.
    ///
    /// # Errors
    /// [`SourceError`] when a stream cannot be read.
    pub fn new(sources: Vec<Box<dyn Source>>) -> Result<Self, SourceError> {
        let mut cursors = Vec::with_capacity(sources.len());
        for source in sources {
            let mut cursor = Cursor::new(source);
            if cursor.fill(&mut |_| ())? {
                cursors.push(cursor);
            }
        }
        Ok(Self { cursors, read: Vec::new(), news: NewsQueue::default() })
    }

    /// The same with news that are heard in their time. They end with the market.
    #[must_use]
    pub fn with_news(self, news: Vec<News>) -> Self {
        Self { news: NewsQueue::new(news), ..self }
    }

    /// Engine time of the next event; `None` at the end.
    pub fn next_ts(&self) -> Option<Ts> {
        let market = self.cursors.iter().filter_map(Cursor::key).min()?;
        Some(self.news.key().map_or(market, |news| news.min(market)).0)
    }

    /// Passes over market events, with the news before them; `seen` sees the events, as far as there are so many.
    ///
    /// # Errors
    /// [`SourceError`] when a stream cannot be read on.
    pub fn skip(&mut self, market: u64, mut seen: impl FnMut(&Told<'_>)) -> Result<(), SourceError> {
        let mut left = market;
        while left > 0 {
            let is_market = |told: Told<'_>| {
                seen(&told);
                !matches!(told, Told::News(_))
            };
            match self.next(is_market)? {
                Some(is_market) => left -= u64::from(is_market),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Hands the next event to `hear`; `None` at the end.
    ///
    /// # Errors
    /// [`SourceError`] when a stream cannot be read on.
    pub fn next<T>(&mut self, hear: impl FnOnce(Told<'_>) -> T) -> Result<Option<T>, SourceError> {
        let keys = self.cursors.iter().enumerate().filter_map(|(i, c)| Some((c.key()?, i)));
        let Some((key, first)) = keys.min() else { return Ok(None) };
        if self.news.key().is_some_and(|news| news < key) {
            return Ok(self.news.pop().map(|news| hear(Told::News(&news))));
        }
        let cursor = &mut self.cursors[first];
        let heard = cursor.hand_on(hear);
        if !cursor.fill(&mut |_| ())? {
            self.read.push(self.cursors.remove(first).read);
        }
        Ok(heard)
    }

    /// What was read of each stream so far.
    pub fn read(&self) -> Vec<SeriesPart> {
        self.read.iter().copied().chain(self.cursors.iter().map(|c| c.read)).collect()
    }
}

impl Cursor {
    /// Hands on what comes next of this stream.
    fn hand_on<T>(&mut self, hear: impl FnOnce(Told<'_>) -> T) -> Option<T> {
        let at = self.at;
        self.at += 1;
        Some(match self.batch.as_ref()? {
            Batch::Trades(v) => hear(Told::Market(Event::Trade(v.get(at)?))),
            Batch::Quotes(v) => hear(Told::Market(Event::Quote(v.get(at)?))),
            Batch::Funding(v) => hear(Told::Market(Event::Funding(v.get(at)?))),
            Batch::Bars(v) => {
                let bar = v.get(at)?;
                self.opened = !self.opened;
                if self.opened {
                    self.at = at;
                    hear(Told::OpenPrint(bar))
                } else {
                    hear(Told::Market(Event::Bar(bar)))
                }
            }
            Batch::Depth(d) => {
                let head = d.heads.get(at)?;
                let levels = head.levels_start as usize..(head.levels_start + head.levels_len) as usize;
                let depth = Depth {
                    ts: head.ts,
                    ts_venue: head.ts_venue,
                    snapshot: head.snapshot,
                    first_id: head.first_id,
                    last_id: head.last_id,
                    prev_id: head.prev_id,
                    levels: d.levels.get(levels).unwrap_or(&[]),
                    instrument: self.source.instrument(),
                };
                hear(Told::Market(Event::Depth(&depth)))
            }
        })
    }
}
