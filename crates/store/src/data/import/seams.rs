//! Looks at the seams of an import: what is odd between rows of different files, or between a file and what is stored.
//!
//! It stands after the merge of all files, so that a file that fills a gap, in whatever order it is given, leaves none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::report::Seams;
use super::stage::Staged;
use super::{ImportSpec, name_of, refuse_odd};
use crate::data::catalog::Catalog;
use crate::data::error::DataError;
use crate::data::findings::Finding;
use crate::data::manifest::FileEntry;
use crate::data::reader::SeriesReader;
use crate::data::scan::Scan;
use crate::data::time::Month;
use crate::market::Kind;

/// What is odd at the seams of every series that changes.
///
/// # Errors
/// [`DataError::Strict`] where the import is strict and anything is; stored months that cannot be read.
pub(super) fn look(
    catalog: &Catalog,
    spec: &ImportSpec,
    files: &[PathBuf],
    staged: &BTreeMap<Kind, Staged>,
) -> Result<Vec<Seams>, DataError> {
    let names: Vec<String> = files.iter().map(|f| name_of(f)).collect();
    let mut out = Vec::new();
    for (kind, series) in staged.iter().filter(|(_, series)| series.changed()) {
        let findings = of_series(catalog, spec, *kind, series, &names)?;
        if spec.strict {
            let of_first = |f: &Finding| f.place.as_ref()?.rsplit_once(':').map(|(name, _)| name.to_owned());
            let at = findings.iter().find_map(of_first).and_then(|name| names.iter().position(|n| *n == name));
            refuse_odd(&files[at.unwrap_or(0)], &findings)?;
        }
        if !findings.is_empty() {
            out.push(Seams { kind: *kind, findings });
        }
    }
    Ok(out)
}

fn of_series(
    catalog: &Catalog,
    spec: &ImportSpec,
    kind: Kind,
    series: &Staged,
    names: &[String],
) -> Result<Vec<Finding>, DataError> {
    let stored = catalog.manifest().find(&spec.instrument, kind).map_or(&[][..], |e| &e.files);
    if stored.is_empty() && names.len() == 1 {
        return Ok(Vec::new());
    }
    let left: BTreeMap<Month, &FileEntry> = stored
        .iter()
        .filter_map(|f| Some((f.month.parse().ok()?, f)))
        .filter(|(month, _)| series.month(*month).is_none())
        .collect();
    let all: Vec<Month> = series.months().chain(left.keys().copied()).collect::<BTreeSet<_>>().into_iter().collect();
    let mut scan = Scan::seams(kind);
    for (i, month) in all.iter().enumerate() {
        if let Some(table) = series.month(*month) {
            scan.feed(table);
        } else if let Some(file) = left.get(month) {
            let touched = |at: Option<usize>| at.and_then(|at| all.get(at)).is_some_and(|m| series.month(*m).is_some());
            border(catalog, kind, file, (touched(i.checked_sub(1)), touched(Some(i + 1))), &mut scan)?;
        }
    }
    Ok(scan.finish_seams(names))
}

/// Of a month that is left alone only the ends count, each where the month beside it is touched.
fn border(
    catalog: &Catalog,
    kind: Kind,
    file: &FileEntry,
    (before, after): (bool, bool),
    scan: &mut Scan,
) -> Result<(), DataError> {
    // A payment is judged by the steps around it; a month has few.
    let whole = kind == Kind::Funding || (before && after && file.first_ts == file.last_ts);
    let ends = match (before, after) {
        (false, false) => [None, None],
        _ if whole => [Some((file.first_ts, file.last_ts)), None],
        _ => [before.then_some((file.first_ts, file.first_ts)), after.then_some((file.last_ts, file.last_ts))],
    };
    for (first, last) in ends.into_iter().flatten() {
        if first != file.first_ts {
            scan.jump();
        }
        let mut rows = SeriesReader::new(catalog.dir(), kind, &[file], first, last.saturating_add(1));
        while let Some(chunk) = rows.next()? {
            scan.feed_border(&chunk);
        }
        if last != file.last_ts {
            scan.jump();
        }
    }
    Ok(())
}
