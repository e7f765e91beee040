//! The streams of a run, decoded once and read many times.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bellwether_sdk::InstrumentId;

use super::RunError;
use super::backtest::Prepared;
use crate::market::{Batch, Kind, Source, SourceError};

/// The streams.
#[derive(Clone)]
pub(super) struct Shared {
    streams: Vec<(Kind, InstrumentId, Arc<Vec<Batch>>)>,
}

impl Shared {
    /// Reads all that a run would read.
    pub(super) fn of(prepared: &Prepared<'_>, stop: &AtomicBool) -> Result<Self, RunError> {
        let mut streams = Vec::new();
        for mut source in prepared.sources()? {
            let mut batches = Vec::new();
            while let Some(batch) = source.next(None).map_err(|e| RunError::Data(e.to_string()))? {
                if stop.load(Ordering::Relaxed) {
                    return Err(RunError::Interrupted);
                }
                batches.push(batch);
            }
            streams.push((source.kind(), source.instrument(), Arc::new(batches)));
        }
        Ok(Self { streams })
    }

    /// The same with every batch changed; batches that come to nothing are left out.
    pub(super) fn map(&self, change: impl Fn(&Batch) -> Batch) -> Self {
        let streams = self.streams.iter().map(|(kind, instrument, batches)| {
            (*kind, *instrument, Arc::new(batches.iter().map(&change).filter(|b| !b.is_empty()).collect::<Vec<_>>()))
        });
        Self { streams: streams.collect() }
    }

    /// All batches of all streams.
    pub(super) fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.streams.iter().flat_map(|(_, _, batches)| batches.iter())
    }

    /// A reader of each.
    pub(super) fn sources(&self) -> Vec<Box<dyn Source>> {
        self.streams
            .iter()
            .map(|(kind, instrument, batches)| {
                let source = SharedSource { kind: *kind, instrument: *instrument, batches: batches.clone(), at: 0 };
                Box::new(source) as Box<dyn Source>
            })
            .collect()
    }
}

/// One reader of a shared stream.
struct SharedSource {
    kind: Kind,
    instrument: InstrumentId,
    batches: Arc<Vec<Batch>>,
    at: usize,
}

impl Source for SharedSource {
    fn kind(&self) -> Kind {
        self.kind
    }
    fn instrument(&self) -> InstrumentId {
        self.instrument
    }
    fn next(&mut self, spent: Option<Batch>) -> Result<Option<Batch>, SourceError> {
        let Some(batch) = self.batches.get(self.at) else { return Ok(None) };
        self.at += 1;
        Ok(Some(match (spent, batch) {
            // The memory of the batch before is used again.
            (Some(Batch::Trades(mut v)), Batch::Trades(b)) => {
                v.clone_from(b);
                Batch::Trades(v)
            }
            (Some(Batch::Bars(mut v)), Batch::Bars(b)) => {
                v.clone_from(b);
                Batch::Bars(v)
            }
            (_, b) => b.clone(),
        }))
    }
}
