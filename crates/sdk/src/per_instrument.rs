//! One state per instrument, so that a strategy written for one instrument runs on many.

use serde::{Deserialize, Serialize};

use crate::InstrumentId;

/// A value per instrument, each begun as a copy of the first.
///
/// ```
/// use bellwether_sdk::{InstrumentId, PerInstrument};
///
/// let mut counts = PerInstrument::new(0);
/// *counts.of(InstrumentId(2)) += 1;
/// assert_eq!((counts.get(InstrumentId(2)), counts.get(InstrumentId(0)), counts.first()), (&1, &0, &1));
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PerInstrument<T> {
    fresh: T,
    all: Vec<T>,
    first: InstrumentId,
}

impl<T: Clone> PerInstrument<T> {
    /// Every instrument begins with a copy of `fresh`.
    pub const fn new(fresh: T) -> Self {
        Self { fresh, all: Vec::new(), first: InstrumentId(0) }
    }

    /// The value of an instrument, to be changed.
    #[inline]
    pub fn of(&mut self, instrument: InstrumentId) -> &mut T {
        if instrument.index() >= self.all.len() {
            self.grow(instrument);
        }
        &mut self.all[instrument.index()]
    }

    /// The value of an instrument.
    pub fn get(&self, instrument: InstrumentId) -> &T {
        self.all.get(instrument.index()).unwrap_or(&self.fresh)
    }

    /// The value of the instrument that was changed first: what a strategy tells of itself where it can tell of one.
    pub fn first(&self) -> &T {
        self.get(self.first)
    }

    #[cold]
    fn grow(&mut self, instrument: InstrumentId) {
        if self.all.is_empty() {
            self.first = instrument;
        }
        self.all.resize(instrument.index() + 1, self.fresh.clone());
    }
}
