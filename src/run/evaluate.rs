//! Measuring stored signals against stored prices.

use std::path::Path;

use bellwether_sdk::{Direction, Instrument, InstrumentId, Interval, Symbol, Ts};

use super::RunError;
use crate::data::Catalog;
use crate::data::news;
use crate::market::{Batch, Kind};
use crate::signal::{Body, Measure, MeasureSpec, Opinion, Tradable, measure};

/// What is to be measured.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluateSpec {
    /// A stored series by name, or a file.
    pub series: String,
    /// Which instrument.
    pub symbol: Symbol,
    /// Which bars.
    pub interval: Interval,
    /// A feature to be measured instead of signals.
    pub feature: Option<String>,
    /// Horizons in bars, rising.
    pub horizons: Vec<usize>,
    /// Fee and slippage of one trade, basis points.
    pub cost_bps: f64,
    /// Seconds from a row's `made` until it could be known, where a file does not say.
    pub delay_s: u64,
    /// Seed of the baseline.
    pub seed: u64,
}

/// Measures a series of signals, or of a feature, by the bars of the catalog.
///
/// # Errors
/// [`RunError::Data`].
pub fn evaluate(dir: &Path, spec: &EvaluateSpec) -> Result<Measure, RunError> {
    let catalog = Catalog::open(dir)?;
    let instrument = catalog.instrument(&spec.symbol, InstrumentId(0))?;
    let opinions = opinions(dir, spec, &instrument)?;
    let prices = prices(&catalog, spec, &instrument)?;
    Ok(measure(
        &opinions,
        &prices,
        &MeasureSpec {
            horizons: spec.horizons.clone(),
            cost: spec.cost_bps / 10_000.0,
            bars_per_day: Interval::DAY.nanos() as f64 / spec.interval.nanos() as f64,
            seed: spec.seed,
        },
    ))
}

/// What was said of the instrument, in the order of its being known.
fn opinions(dir: &Path, spec: &EvaluateSpec, instrument: &Instrument) -> Result<Vec<Opinion>, RunError> {
    let path = Path::new(&spec.series);
    let lines = if path.is_file() { news::read_file(path, spec.delay_s)? } else { news::load(dir, &spec.series)? };
    let find = |name: &str| (name == instrument.symbol.as_str()).then(|| instrument.clone());
    let mut all = Vec::new();
    for line in lines.iter().filter(|l| l.instrument().is_none_or(|i| find(i).is_some())) {
        let wrong = |e| RunError::Data(format!("signals {}, message {}: {e}", spec.series, line.id()));
        let at = line.when().map_err(wrong)?.received;
        match (line.body(&find).map_err(wrong)?, &spec.feature) {
            (Body::Signal(signal), None) => {
                let sign = match signal.direction {
                    Direction::Long => 1.0,
                    Direction::Short => -1.0,
                    Direction::Flat => 0.0,
                };
                all.push(Opinion { at, value: sign * signal.strength * signal.confidence });
            }
            (Body::Feature { name, value, .. }, Some(wanted)) if name == *wanted => all.push(Opinion { at, value }),
            _ => {}
        }
    }
    if all.is_empty() {
        return Err(RunError::Data(format!("{} says nothing about {}", spec.series, spec.symbol)));
    }
    Ok(all)
}

/// The opens of the bars.
fn prices(catalog: &Catalog, spec: &EvaluateSpec, instrument: &Instrument) -> Result<Vec<Tradable>, RunError> {
    let all = Ts::from_nanos(i64::MIN + 1)..Ts::MAX;
    let mut source = catalog.source(instrument, Kind::Bars(spec.interval), all)?;
    let mut prices = Vec::new();
    let mut spent = None;
    while let Some(batch) = source.next(spent.take()).map_err(|e| RunError::Data(e.to_string()))? {
        if let Batch::Bars(bars) = &batch {
            let open =
                |b: &bellwether_sdk::Bar| Tradable { at: b.ts_open, price: b.open.to_f64(instrument.price_scale) };
            prices.extend(bars.iter().map(open));
        }
        spent = Some(batch);
    }
    Ok(prices)
}
