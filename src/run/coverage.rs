//! How much of a run's time its stored series cover: what never meets is refused, what is missing is told. Of a venue's
//! feed and of a tape it is not known, and nothing is said.

use std::ops::Range;

use bellwether_sdk::{Instrument, InstrumentId, Interval, Symbol, Ts};

use super::RunError;
use super::supply::Supply;
use crate::data::Stamp;
use crate::market::Kind;

/// At most so many series are named in the notes.
const NAMED_MAX: usize = 4;

/// The part of a range that a series covers; `None` where it is not known or empty.
pub(super) fn covered(supply: &dyn Supply, symbol: &Symbol, kind: Kind, range: &Range<Ts>) -> Option<Range<Ts>> {
    let span = supply.span(symbol, kind)?;
    let part = span.start.max(range.start)..span.end.min(range.end);
    (part.start < part.end).then_some(part)
}

/// How far a series may begin or end from where others do without a word: a day, or three of its intervals.
fn slack(kind: Kind) -> i64 {
    kind.interval().map_or(0, |i| i.nanos().saturating_mul(3)).max(Interval::DAY.nanos())
}

/// A range in words, to the second.
pub(super) fn words(range: &Range<Ts>) -> String {
    format!("{} to {}", at(range.start), at(range.end))
}

/// A time in words: the end of ticks lies a nanosecond after the last one, which tells nobody anything.
fn at(ts: Ts) -> String {
    let second = 1_000_000_000;
    Stamp::from(Ts::from_nanos(ts.nanos().div_euclid(second).saturating_mul(second))).utc
}

/// Of one instrument, some kind that is decided on and some kind that fills must share some time: else no order could
/// ever fill. A kind without any data in the range is refused where it is opened.
pub(super) fn meet(
    supply: &dyn Supply,
    symbol: &Symbol,
    range: &Range<Ts>,
    decide: &[Kind],
    fill: &[Kind],
) -> Result<(), RunError> {
    let parts = |kinds: &[Kind]| -> Vec<(Kind, Range<Ts>)> {
        kinds.iter().filter_map(|k| Some((*k, covered(supply, symbol, *k, range)?))).collect()
    };
    let (decide, fill) = (parts(decide), parts(fill));
    let meets = |a: &Range<Ts>, b: &Range<Ts>| a.start < b.end && b.start < a.end;
    let (Some((on, decided)), Some((at, filled))) = (decide.first(), fill.first()) else { return Ok(()) };
    if decide.iter().any(|(_, d)| fill.iter().any(|(_, f)| meets(d, f))) {
        return Ok(());
    }
    Err(RunError::Data(format!(
        "{symbol}: it would be decided on {on}, stored from {}, and filled at {at}, stored from {}: no order could ever \
         fill; leave out --kind, or leave out --interval to decide on {at} too, or import what is missing",
        words(decided),
        words(filled)
    )))
}

/// Trades stand in for bars that do not fit an interval only where they cover about what these do of the range.
pub(super) fn trades_for_bars(
    supply: &dyn Supply,
    symbol: &Symbol,
    wanted: Interval,
    stored: &[Interval],
    range: &Range<Ts>,
) -> Result<(), RunError> {
    let bars = stored.iter().filter_map(|i| covered(supply, symbol, Kind::Bars(*i), range));
    let Some(bars) = bars.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)) else { return Ok(()) };
    // Whether there are trades at all is known before; those of a venue's feed are where its bars are.
    if supply.span(symbol, Kind::Trades).is_none() {
        return Ok(());
    }
    let slack = slack(Kind::Bars(wanted));
    let trades = covered(supply, symbol, Kind::Trades, range);
    if trades.as_ref().is_some_and(|t| t.start <= bars.start.plus(slack) && t.end >= bars.end.plus(-slack)) {
        return Ok(());
    }
    let mut fit: Vec<Interval> = stored.to_vec();
    fit.sort_unstable();
    let fit: Vec<String> = fit.iter().map(Interval::to_string).collect();
    let trades = trades.map_or_else(|| "nothing of that".to_owned(), |t| format!("only {}", words(&t)));
    Err(RunError::Data(format!(
        "no bars of {wanted} for {symbol}: the stored ones of {} do not make them up, and its trades cover {trades}, where \
         the bars cover {}; choose a multiple of {}, or --kind trades to run on these trades",
        fit.join(" and "),
        words(&bars),
        fit.join(" or ")
    )))
}

/// A sentence for every series that begins or ends more than a day (or three intervals) from the run's range: before, its
/// instrument is not there; after, its last price stands.
pub(super) fn gaps(
    supply: &dyn Supply,
    instruments: &[Instrument],
    series: &[(InstrumentId, Kind)],
    range: &Range<Ts>,
) -> Vec<String> {
    let of = |(id, kind): &(InstrumentId, Kind)| {
        let symbol = &instruments[id.index()].symbol;
        Some((symbol, *kind, covered(supply, symbol, *kind, range)?))
    };
    let known: Vec<_> = series.iter().filter(|s| s.1 != Kind::Funding).filter_map(of).collect();
    let first = known.iter().map(|k| k.2.start).min().unwrap_or(range.start);
    let end = known.iter().map(|k| k.2.end).max().unwrap_or(range.end);
    // What was not asked for is what there is.
    let start = if range.start > Ts::from_nanos(i64::MIN + 1) { range.start } else { first };
    let end = if range.end < Ts::MAX { range.end } else { end };
    let mut told = Vec::new();
    for (symbol, kind, part) in &known {
        let slack = slack(*kind);
        let late = part.start > start.plus(slack);
        let early = part.end < end.plus(-slack);
        let text = match (late, early) {
            (false, false) => continue,
            (true, false) => format!("begin at {}, the run at {}", at(part.start), at(start)),
            (false, true) => format!("end at {}, the run at {}: the last price stands", at(part.end), at(end)),
            (true, true) => format!("cover {}, the run {}: the last price stands", words(part), words(&(start..end))),
        };
        told.push(format!("{symbol}: its {kind} {text}"));
    }
    if told.len() > NAMED_MAX {
        let more = told.len() - NAMED_MAX;
        told.truncate(NAMED_MAX);
        told.push(format!("{more} more series begin or end apart from the run's range"));
    }
    told
}
