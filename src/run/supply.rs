//! What data a run can have: a catalog's, a venue's, a tape's.

use bellwether_sdk::{Instrument, InstrumentId, Rate, Symbol};

use super::RunError;
use crate::data::Catalog;
use crate::market::Kind;

/// What data there is, and under which rules its instruments trade.
pub(super) trait Supply {
    /// Every series, instruments together.
    fn series(&self) -> Vec<(Symbol, Kind)>;

    /// Whether there is a series.
    fn has(&self, symbol: &Symbol, kind: Kind) -> bool {
        self.series().iter().any(|s| s.0 == *symbol && s.1 == kind)
    }

    /// An instrument with its rules.
    fn instrument(&self, symbol: &Symbol, id: InstrumentId) -> Result<Instrument, RunError>;

    /// Maker and taker fee, where they are known.
    fn fees(&self, symbol: &Symbol) -> Option<(Rate, Rate)>;

    /// Where that is, for messages.
    fn place(&self) -> String;
}

impl Supply for Catalog {
    fn series(&self) -> Vec<(Symbol, Kind)> {
        Self::series(self).into_iter().map(|s| (s.symbol, s.kind)).collect()
    }

    fn has(&self, symbol: &Symbol, kind: Kind) -> bool {
        self.find(symbol, kind).is_some()
    }

    fn instrument(&self, symbol: &Symbol, id: InstrumentId) -> Result<Instrument, RunError> {
        Ok(Self::instrument(self, symbol, id)?)
    }

    fn fees(&self, symbol: &Symbol) -> Option<(Rate, Rate)> {
        Self::fees(self, symbol)
    }

    fn place(&self) -> String {
        self.dir().display().to_string()
    }
}

/// An instrument that is listed somewhere else than in a catalog: its rules, fees, and the kinds of data there will be.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub(super) instrument: Instrument,
    pub(super) fees: Option<(Rate, Rate)>,
    pub(super) kinds: Vec<Kind>,
}

/// Data of a venue's feed or of a tape.
#[derive(Debug, Clone)]
pub(super) struct Offers {
    pub(super) rows: Vec<Offer>,
    pub(super) place: String,
}

impl Supply for Offers {
    fn series(&self) -> Vec<(Symbol, Kind)> {
        let of = |o: &Offer| o.kinds.iter().map(|k| (o.instrument.symbol.clone(), *k)).collect::<Vec<_>>();
        self.rows.iter().flat_map(of).collect()
    }

    fn instrument(&self, symbol: &Symbol, id: InstrumentId) -> Result<Instrument, RunError> {
        let row = self.rows.iter().find(|o| o.instrument.symbol == *symbol);
        row.map(|o| Instrument { id, ..o.instrument.clone() })
            .ok_or_else(|| RunError::Data(format!("{symbol} is not listed by {}", self.place)))
    }

    fn fees(&self, symbol: &Symbol) -> Option<(Rate, Rate)> {
        self.rows.iter().find(|o| o.instrument.symbol == *symbol).and_then(|o| o.fees)
    }

    fn place(&self) -> String {
        self.place.clone()
    }
}
