//! What data a run can have: a catalog's, a venue's, a tape's.

use std::ops::Range;

use bellwether_sdk::{Instrument, InstrumentId, Rate, Symbol, Ts};

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

    /// From the first row of a stored series to just after its last; `None` where it is not stored.
    fn span(&self, _: &Symbol, _: Kind) -> Option<Range<Ts>> {
        None
    }

    /// An instrument with its rules when a range begins.
    fn instrument(&self, symbol: &Symbol, id: InstrumentId, range: &Range<Ts>) -> Result<Instrument, RunError>;

    /// Maker and taker fee then, where they are known.
    fn fees(&self, symbol: &Symbol, range: &Range<Ts>) -> Option<(Rate, Rate)>;

    /// Whether these fees are what the venue takes of most, and nobody said that they are ours.
    fn fees_are_assumed(&self, _: &Symbol) -> bool {
        false
    }

    /// When within the range other rules begin.
    fn rule_changes(&self, _: &Symbol, _: &Range<Ts>) -> Vec<Ts> {
        Vec::new()
    }

    /// Of stored bars that are made of another stored series: that one, where it has changed since.
    fn outdated(&self, _: &Symbol, _: Kind) -> Option<Kind> {
        None
    }

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

    fn span(&self, symbol: &Symbol, kind: Kind) -> Option<Range<Ts>> {
        self.find(symbol, kind).map(|s| s.first..s.end)
    }

    fn instrument(&self, symbol: &Symbol, id: InstrumentId, range: &Range<Ts>) -> Result<Instrument, RunError> {
        Ok(self.instrument_at(symbol, id, within(self, symbol, range).start)?)
    }

    fn fees(&self, symbol: &Symbol, range: &Range<Ts>) -> Option<(Rate, Rate)> {
        Self::fees(self, symbol, within(self, symbol, range).start)
    }

    fn rule_changes(&self, symbol: &Symbol, range: &Range<Ts>) -> Vec<Ts> {
        Self::rule_changes(self, symbol, within(self, symbol, range))
    }

    fn outdated(&self, symbol: &Symbol, kind: Kind) -> Option<Kind> {
        Self::outdated(self, symbol, kind)
    }

    fn place(&self) -> String {
        self.dir().display().to_string()
    }
}

/// The part of a range in which there is market data of an instrument.
fn within(catalog: &Catalog, symbol: &Symbol, range: &Range<Ts>) -> Range<Ts> {
    let stored = Catalog::series(catalog).into_iter().filter(|s| s.symbol == *symbol && s.kind != Kind::Funding);
    let (first, end) = stored.fold((Ts::MAX, Ts::NONE), |(a, b), s| (a.min(s.first), b.max(s.end)));
    range.start.max(first)..range.end.min(end)
}

/// An instrument that is listed somewhere else than in a catalog: its rules, fees, whether these are only what the
/// venue takes of most, and the kinds of data there will be.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub(super) instrument: Instrument,
    pub(super) fees: Option<(Rate, Rate)>,
    pub(super) fees_are_assumed: bool,
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

    fn instrument(&self, symbol: &Symbol, id: InstrumentId, _: &Range<Ts>) -> Result<Instrument, RunError> {
        let row = self.rows.iter().find(|o| o.instrument.symbol == *symbol);
        row.map(|o| Instrument { id, ..o.instrument.clone() })
            .ok_or_else(|| RunError::Data(format!("{symbol} is not listed by {}", self.place)))
    }

    fn fees(&self, symbol: &Symbol, _: &Range<Ts>) -> Option<(Rate, Rate)> {
        self.rows.iter().find(|o| o.instrument.symbol == *symbol).and_then(|o| o.fees)
    }

    fn fees_are_assumed(&self, symbol: &Symbol) -> bool {
        self.rows.iter().any(|o| o.instrument.symbol == *symbol && o.fees_are_assumed)
    }

    fn place(&self) -> String {
        self.place.clone()
    }
}
