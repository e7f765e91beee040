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
/// assert_eq!((counts.get(InstrumentId(2)), counts.get(InstrumentId(0))), (&1, &0));
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PerInstrument<T> {
    fresh: T,
    all: Vec<T>,
}

impl<T: Clone> PerInstrument<T> {
    /// Every instrument begins with a copy of `fresh`.
    pub const fn new(fresh: T) -> Self {
        Self { fresh, all: Vec::new() }
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

    #[cold]
    fn grow(&mut self, instrument: InstrumentId) {
        self.all.resize(instrument.index() + 1, self.fresh.clone());
    }
}
