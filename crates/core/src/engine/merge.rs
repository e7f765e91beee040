//! Stored streams as one row of inputs, in the order in which a backtest hears them.

use bellwether_sdk::{Depth, Ts};

use super::circuit::Told;
use super::core::Event;
use super::replay::{Cursor, SeriesPart};
use crate::market::{Batch, Source, SourceError};

/// Streams merged by time, one event at a time.
pub struct Merge {
    cursors: Vec<Cursor>,
    read: Vec<SeriesPart>,
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
        Ok(Self { cursors, read: Vec::new() })
    }

    /// Engine time of the next event; `None` at the end.
    pub fn next_ts(&self) -> Option<Ts> {
        self.cursors.iter().filter_map(Cursor::key).min().map(|k| k.0)
    }

    /// Hands the next event to `hear`; `None` at the end.
    ///
    /// # Errors
    /// [`SourceError`] when a stream cannot be read on.
    pub fn next<T>(&mut self, hear: impl FnOnce(Told<'_>) -> T) -> Result<Option<T>, SourceError> {
        let keys = self.cursors.iter().enumerate().filter_map(|(i, c)| Some((c.key()?, i)));
        let Some((_, first)) = keys.min() else { return Ok(None) };
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
