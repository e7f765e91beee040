//! Puts new rows beside stored ones: what is already there is not stored twice, what disagrees is refused.
//!
//! Bars and funding are told apart by time, trades by the venue's id, depth messages by their last change id. Trades
//! without ids and quotes are never told apart by value: where a source covers time that is already covered by
//! another, both must have exactly the same rows there.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::Path;

use bellwether_sdk::Symbol;

use crate::data::error::{DataError, Disagreement};
use crate::data::origin::line;
use crate::data::schema::{NULL, TS, Unit, depth, trade};
use crate::data::table::Table;
use crate::market::Kind;

/// What a merge is about, for its errors and its rules.
pub(super) struct Context<'a> {
    pub(super) symbol: &'a Symbol,
    pub(super) kind: Kind,
    pub(super) path: &'a Path,
    /// Closed spans of time that stored sources cover, for kinds without keys.
    pub(super) coverage: &'a [(i64, i64)],
    /// First and last time of the new source.
    pub(super) span: (i64, i64),
}

/// A month after a merge.
pub(super) struct Merged {
    pub(super) table: Table,
    /// Rows that were not there before.
    pub(super) added: u64,
    /// Whether anything changed: rows, or values that were absent before.
    pub(super) changed: bool,
}

/// Merges sorted new rows of one month into the stored ones.
pub(super) fn merge(mut stored: Table, mut new: Table, context: &Context<'_>) -> Result<Merged, DataError> {
    if stored.is_empty() {
        // Numbers depth messages from the start of the month, whatever file they came in.
        new.sort();
        let added = new.len() as u64;
        return Ok(Merged { table: new, added, changed: added > 0 });
    }
    common_scales(&mut stored, &mut new, context)?;
    let ids = |t: &Table| (0..t.len()).all(|r| id_of(t, r).is_some());
    let (keep, enriched) = match context.kind {
        Kind::Bars(_) | Kind::Funding => by_time(&mut stored, &new, context)?,
        Kind::Depth => (by_message(&stored, &new, context)?, false),
        Kind::Trades if ids(&stored) && ids(&new) => (by_id(&stored, &new, context)?, false),
        Kind::Trades | Kind::Quotes => (by_coverage(&stored, &new, context)?, false),
    };
    new.retain(&keep);
    let added = new.len() as u64;
    if added > 0 {
        stored.append(&new).map_err(|_| too_wide(context))?;
        stored.sort();
    }
    Ok(Merged { table: stored, added, changed: added > 0 || enriched })
}

fn too_wide(context: &Context<'_>) -> DataError {
    DataError::file(
        context.path,
        format!("its rows and those stored of {} do not fit 18 digits together", context.symbol),
        "round the file's columns",
    )
}

fn common_scales(a: &mut Table, b: &mut Table, context: &Context<'_>) -> Result<(), DataError> {
    let (price, qty) = (a.scales().0.max(b.scales().0), a.scales().1.max(b.scales().1));
    for table in [a, b] {
        for (unit, scale) in [(Unit::Price, price), (Unit::Qty, qty)] {
            table.raise(unit, scale).map_err(|_| too_wide(context))?;
        }
    }
    Ok(())
}

fn disagreement(
    context: &Context<'_>,
    new: Option<(&Table, usize)>,
    old: Option<(&Table, usize)>,
    with: &str,
) -> DataError {
    let words = |row: Option<(&Table, usize)>| row.map_or_else(|| "no row".to_owned(), |(t, r)| t.describe(r));
    let ts = new.or(old).map_or(0, |(t, r)| t.get(TS, r));
    DataError::Disagreement(Box::new(Disagreement {
        symbol: context.symbol.clone(),
        kind: context.kind,
        path: context.path.to_owned(),
        line: new.map_or(0, |(t, r)| line(t, r) as u64),
        ts,
        with: with.to_owned(),
        new: words(new),
        old: words(old),
    }))
}

const STORED: &str = "what is stored";

/// Bars and funding: one row per time. Values the stored row lacks are taken over.
fn by_time(stored: &mut Table, new: &Table, context: &Context<'_>) -> Result<(Vec<bool>, bool), DataError> {
    let mut keep = vec![true; new.len()];
    let mut fill = Vec::new();
    let (mut s, mut n) = (0, 0);
    while s < stored.len() && n < new.len() {
        match stored.cmp_ts(s, new, n) {
            Ordering::Less => s += 1,
            Ordering::Greater => n += 1,
            Ordering::Equal => {
                if new.difference(n, stored, s).is_some() {
                    return Err(disagreement(context, Some((new, n)), Some((stored, s)), STORED));
                }
                keep[n] = false;
                for c in 0..new.schema().len() {
                    if stored.get(c, s) == NULL && new.get(c, n) != NULL {
                        fill.push((c, s, new.get(c, n)));
                    }
                }
                (s, n) = (s + 1, n + 1);
            }
        }
    }
    for (c, row, value) in &fill {
        let len = stored.len();
        let col = stored.col_mut(*c);
        col.resize(len, NULL);
        col[*row] = *value;
    }
    Ok((keep, !fill.is_empty()))
}

/// The venue's id of a trade.
pub(super) fn id_of(table: &Table, row: usize) -> Option<(i64, &str)> {
    let (number, text) = (table.get(trade::ID, row), table.get(trade::ID_TEXT, row));
    match (number, text) {
        (NULL, NULL) => None,
        (NULL, text) => Some((NULL, table.texts()[text as usize].as_str())),
        (number, _) => Some((number, "")),
    }
}

/// Whether two rows are the same trade: the receiver's time may differ, the venue's facts may not.
pub(super) fn same_trade(a: &Table, row: usize, b: &Table, other: usize) -> bool {
    let venue = |t: &Table, r: usize| Some(t.get(trade::TS_VENUE, r)).filter(|v| *v != NULL).unwrap_or(t.get(TS, r));
    let (side_a, side_b) = (a.get(trade::AGGRESSOR, row), b.get(trade::AGGRESSOR, other));
    a.get(trade::PRICE, row) == b.get(trade::PRICE, other)
        && a.get(trade::QTY, row) == b.get(trade::QTY, other)
        && venue(a, row) == venue(b, other)
        && (side_a == side_b || side_a == 0 || side_b == 0)
}

fn by_id(stored: &Table, new: &Table, context: &Context<'_>) -> Result<Vec<bool>, DataError> {
    let disjoint = match (stored.span(), new.span()) {
        (Some(s), Some(n)) => s.1 < n.0 || n.1 < s.0,
        _ => true,
    };
    if disjoint {
        return Ok(vec![true; new.len()]);
    }
    // Only looked up in, never iterated: its order cannot reach any output.
    let known: HashMap<(i64, &str), usize> = (0..stored.len()).filter_map(|r| Some((id_of(stored, r)?, r))).collect();
    let mut keep = Vec::with_capacity(new.len());
    for row in 0..new.len() {
        let old = id_of(new, row).and_then(|id| known.get(&id).copied());
        if let Some(old) = old.filter(|o| !same_trade(new, row, stored, *o)) {
            return Err(disagreement(context, Some((new, row)), Some((stored, old)), STORED));
        }
        keep.push(old.is_none());
    }
    Ok(keep)
}

/// Quotes, and trades without ids: equal sequences where sources overlap in time.
fn by_coverage(stored: &Table, new: &Table, context: &Context<'_>) -> Result<Vec<bool>, DataError> {
    let mut keep = vec![true; new.len()];
    for (first, last) in context.coverage {
        let (from, to) = ((*first).max(context.span.0), (*last).min(context.span.1));
        // Files cut in the middle of an instant touch there: the second continues the first.
        let touches = from == to && first != last && context.span.0 != context.span.1;
        if from > to || touches {
            continue;
        }
        let old = stored.rows_within(from, to.saturating_add(1));
        let fresh = new.rows_within(from, to.saturating_add(1));
        let differs =
            |(s, n): &(usize, usize)| new.difference(*n, stored, *s).is_some() || stored.cmp_ts(*s, new, *n).is_ne();
        if let Some((s, n)) = old.clone().zip(fresh.clone()).find(differs) {
            return Err(disagreement(context, Some((new, n)), Some((stored, s)), STORED));
        }
        if old.len() != fresh.len() {
            let both = old.len().min(fresh.len());
            let next = |t, r: std::ops::Range<usize>| (r.len() > both).then_some((t, r.start + both));
            return Err(disagreement(context, next(new, fresh), next(stored, old), STORED));
        }
        keep[fresh].fill(false);
    }
    Ok(keep)
}

/// What tells a depth message from others: its last change id, else its time.
type MessageKey = (bool, i64, i64);

fn messages(table: &Table) -> Vec<(MessageKey, std::ops::Range<usize>)> {
    let mut out: Vec<(MessageKey, std::ops::Range<usize>)> = Vec::new();
    let mut start = 0;
    for row in 1..=table.len() {
        let same = |c: usize| table.get(c, row) == table.get(c, start);
        if row < table.len() && same(depth::MSG) && same(TS) {
            continue;
        }
        let last_id = table.get(depth::LAST_ID, start);
        let ts = if last_id == NULL { table.get(TS, start) } else { 0 };
        out.push(((table.get(depth::SNAPSHOT, start) != 0, last_id, ts), start..row));
        start = row;
    }
    out
}

fn by_message(stored: &Table, new: &Table, context: &Context<'_>) -> Result<Vec<bool>, DataError> {
    // Only looked up in, never iterated.
    let known: HashMap<MessageKey, std::ops::Range<usize>> = messages(stored).into_iter().collect();
    let mut keep = vec![true; new.len()];
    for (key, rows) in messages(new) {
        let Some(old) = known.get(&key) else { continue };
        let differs = |(s, n): &(usize, usize)| new.difference(*n, stored, *s).is_some();
        if let Some((s, n)) = old.clone().zip(rows.clone()).find(differs) {
            return Err(disagreement(context, Some((new, n)), Some((stored, s)), STORED));
        }
        if old.len() != rows.len() {
            let both = old.len().min(rows.len());
            let next = |t, r: std::ops::Range<usize>| (r.len() > both).then_some((t, r.start + both));
            return Err(disagreement(context, next(new, rows), next(stored, old.clone()), STORED));
        }
        keep[rows].fill(false);
    }
    Ok(keep)
}

/// Removes exact repeats within one file where rows have a key (bars, funding, trades with ids); refuses rows of
/// equal key that disagree. Hands back the count and the first of the repeats: time and line.
pub(super) fn collapse(table: &mut Table, context: &Context<'_>) -> Result<Option<(u64, i64, i64)>, DataError> {
    let order = match context.kind {
        Kind::Bars(_) | Kind::Funding => (0..table.len() as u32).collect(),
        Kind::Trades => match order_by_id(table) {
            Some(order) => order,
            None => return Ok(None),
        },
        Kind::Quotes | Kind::Depth => return Ok(None),
    };
    let trades = context.kind == Kind::Trades;
    let mut keep = vec![true; table.len()];
    let mut first: Option<(i64, i64)> = None;
    for pair in order.windows(2) {
        let (a, b) = (pair[0] as usize, pair[1] as usize);
        let equal_key = if trades {
            id_of(table, a).is_some() && id_of(table, a) == id_of(table, b)
        } else {
            table.get(TS, a) == table.get(TS, b)
        };
        if !equal_key {
            continue;
        }
        let agree = if trades { same_trade(table, a, table, b) } else { table.difference(a, table, b).is_none() };
        if !agree {
            let with = format!("line {} of the same file", line(table, a));
            return Err(disagreement(context, Some((table, b)), Some((table, a)), &with));
        }
        keep[b] = false;
        let place = (table.get(TS, b), line(table, b));
        first = Some(first.map_or(place, |f| f.min(place)));
    }
    let Some((ts, line)) = first else { return Ok(None) };
    let count = keep.iter().filter(|k| !**k).count() as u64;
    table.retain(&keep);
    Ok(Some((count, ts, line)))
}

/// Rows by id, or `None` when ids only rise (the usual case) or there are none, so that no two can be equal.
fn order_by_id(table: &Table) -> Option<Vec<u32>> {
    let ids = table.col(trade::ID);
    let rising = table.col(trade::ID_TEXT).is_empty() && ids.windows(2).all(|w| w[0] < w[1]);
    if rising {
        return None;
    }
    let mut order: Vec<u32> = (0..table.len() as u32).collect();
    order.sort_by(|a, b| id_of(table, *a as usize).cmp(&id_of(table, *b as usize)));
    Some(order)
}
