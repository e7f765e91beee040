//! Series of signals and features on disk: lines of JSON, by source and month, below `signals/` of the catalog.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use bellwether_sdk::Ts;
use serde_json::{Map, Value};

use super::{FormError, Line};
use crate::data::DataError;
use crate::data::time::iso;

/// The folder of all series.
const FOLDER: &str = "signals";

/// Largest file that is read whole.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// A row of a file: its number and what it says.
type Row = (usize, Result<Line, FormError>);

/// A stored series.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NewsSeries {
    /// Its name: that of the source that told it.
    pub name: String,
    /// Lines.
    pub lines: usize,
    /// When the first could be known.
    #[serde(skip)]
    pub first: Ts,
    /// When the last could be known.
    #[serde(skip)]
    pub last: Ts,
}

fn folder(catalog: &Path, name: &str) -> Result<PathBuf, DataError> {
    let plain = !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.'));
    if !plain || name.starts_with('.') {
        return Err(DataError::Spec {
            what: format!("a series of signals called {name:?}"),
            remedy: "write letters, digits, _ and -".to_owned(),
        });
    }
    Ok(catalog.join(FOLDER).join(name))
}

/// The month of a time as its file is named.
fn month(at: Ts) -> String {
    iso(at.nanos()).get(..7).unwrap_or("none").to_owned()
}

/// Writes lines at the end of their months' files; each must say when it was received.
///
/// # Errors
/// [`DataError`].
pub fn append(catalog: &Path, name: &str, lines: &[Line]) -> Result<(), DataError> {
    let dir = folder(catalog, name)?;
    fs::create_dir_all(&dir).map_err(DataError::io("making", &dir))?;
    for (month, text) in by_month(lines) {
        let path = dir.join(format!("{month}.jsonl"));
        let mut file =
            OpenOptions::new().create(true).append(true).open(&path).map_err(DataError::io("opening", &path))?;
        file.write_all(text.as_bytes()).map_err(DataError::io("writing", &path))?;
    }
    Ok(())
}

fn by_month(lines: &[Line]) -> BTreeMap<String, String> {
    let mut months: BTreeMap<String, String> = BTreeMap::new();
    for line in lines {
        let received = line.when().map_or(Ts::NONE, |w| w.received);
        // A line is plain data, so writing it cannot fail.
        let text = serde_json::to_string(line).unwrap_or_default();
        let of = months.entry(month(received)).or_default();
        of.push_str(&text);
        of.push('\n');
    }
    months
}

/// Takes lines into a series: what it has already is not taken twice. Gives how many are new. Each month changes by one
/// rename.
///
/// # Errors
/// [`DataError`].
pub fn import(catalog: &Path, name: &str, lines: Vec<Line>) -> Result<usize, DataError> {
    let dir = folder(catalog, name)?;
    fs::create_dir_all(&dir).map_err(DataError::io("making", &dir))?;
    let mut all = load(catalog, name)?;
    let before = all.len();
    let mut known: std::collections::BTreeSet<String> = all.iter().map(Line::id).collect();
    all.extend(lines.into_iter().filter(|line| known.insert(line.id())));
    let new = all.len() - before;
    sort(&mut all);
    for (month, text) in by_month(&all) {
        let path = dir.join(format!("{month}.jsonl"));
        let part = dir.join(format!("{month}.jsonl.{}.part", std::process::id()));
        fs::write(&part, text).map_err(DataError::io("writing", &part))?;
        fs::rename(&part, &path).map_err(DataError::io("renaming", &path))?;
    }
    Ok(new)
}

fn sort(lines: &mut [Line]) {
    lines.sort_by_key(|line| line.when().map_or(Ts::NONE, |w| w.received));
}

/// All lines of a series, in the order in which they could be known; none where there is no such series.
///
/// # Errors
/// [`DataError`] with file and line of what does not read.
pub fn load(catalog: &Path, name: &str) -> Result<Vec<Line>, DataError> {
    let dir = folder(catalog, name)?;
    let mut files: Vec<PathBuf> = fs::read_dir(&dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    let mut all = Vec::new();
    for path in &files {
        all.extend(read_file(path, 0)?);
    }
    sort(&mut all);
    Ok(all)
}

/// The series of a catalog.
///
/// # Errors
/// [`DataError`] when one does not read.
pub fn series(catalog: &Path) -> Result<Vec<NewsSeries>, DataError> {
    let dir = catalog.join(FOLDER);
    let entries = fs::read_dir(&dir).into_iter().flatten().flatten().filter(|e| e.path().is_dir());
    let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let of = |name: String| {
        let lines = load(catalog, &name)?;
        let received = |line: Option<&Line>| line.and_then(|l| l.when().ok()).map_or(Ts::NONE, |w| w.received);
        Ok(NewsSeries { name, lines: lines.len(), first: received(lines.first()), last: received(lines.last()) })
    };
    names.into_iter().map(of).collect()
}

/// The lines of a file: CSV with a header where its name ends so, else JSON. A line that does not say when it was
/// received was so `delay_s` after it was made.
///
/// # Errors
/// [`DataError`] with the line.
pub fn read_file(path: &Path, delay_s: u64) -> Result<Vec<Line>, DataError> {
    let size = fs::metadata(path).map_err(DataError::io("reading", path))?.len();
    let file_error =
        |found: String, remedy: &str| DataError::File { path: path.to_owned(), found, remedy: remedy.to_owned() };
    if size > FILE_BYTES_MAX {
        return Err(file_error(format!("{size} bytes"), "split it; at most 1 GiB is read"));
    }
    let text = fs::read_to_string(path).map_err(DataError::io("reading", path))?;
    let rows: Vec<Row> = if path.extension().is_some_and(|e| e == "csv") {
        csv_rows(&text).map_err(|e| file_error(e, "write a header and as many fields in every row"))?
    } else {
        let lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
        lines.map(|(i, line)| (i + 1, Line::parse(line))).collect()
    };
    let mut all = Vec::with_capacity(rows.len());
    for (number, row) in rows {
        let known = row.and_then(|line| known_at(line, delay_s));
        all.push(known.map_err(|e| file_error(format!("line {number}: {e}"), "correct the line or leave it out"))?);
    }
    sort(&mut all);
    Ok(all)
}

fn known_at(line: Line, delay_s: u64) -> Result<Line, FormError> {
    let when = line.when()?;
    if when.received != Ts::NONE {
        return Ok(line);
    }
    if when.made == Ts::NONE {
        return Err(FormError::Field {
            field: "made",
            found: "nothing".to_owned(),
            wanted: "when it was made, or `received`",
        });
    }
    let delay = i64::try_from(delay_s).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
    Ok(line.received_at(when.made.plus(delay)))
}

/// Rows of CSV: empty fields are absent; `targets` and `tags` are split at blanks.
fn csv_rows(text: &str) -> Result<Vec<Row>, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| e.to_string())?.clone();
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| e.to_string())?;
        let number = row.position().map_or(0, |p| p.line() as usize);
        let mut object = Map::new();
        for (name, field) in header.iter().zip(row.iter()).filter(|(_, field)| !field.is_empty()) {
            let value = match name {
                "targets" | "tags" => field.split_whitespace().map(|w| Value::String(w.to_owned())).collect(),
                "schema_version" => serde_json::from_str(field).unwrap_or(Value::Null),
                _ => Value::String(field.to_owned()),
            };
            object.insert(name.to_owned(), value);
        }
        rows.push((number, Line::from_value(Value::Object(object))));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, received: &str) -> Line {
        let text = format!(
            r#"{{"id":"{id}","instrument":"test:AAA/USD","direction":"long","made":"2024-01-01","received":"{received}"}}"#
        );
        Line::parse(&text).expect("a line")
    }

    #[test]
    fn a_series_keeps_each_message_once_in_the_order_of_its_being_known() {
        let dir = tempfile::tempdir().expect("folder");
        let lines = vec![line("b", "2024-02-01"), line("a", "2024-01-15")];
        assert_eq!(import(dir.path(), "tm", lines.clone()).expect("taken"), 2);
        assert_eq!(import(dir.path(), "tm", lines).expect("taken"), 0);
        append(dir.path(), "tm", &[line("c", "2024-01-20")]).expect("written");
        let ids: Vec<String> = load(dir.path(), "tm").expect("read").iter().map(Line::id).collect();
        assert_eq!(ids, ["a", "c", "b"]);
        let all = series(dir.path()).expect("listed");
        assert_eq!((all[0].name.as_str(), all[0].lines), ("tm", 3));
        assert!(dir.path().join("signals/tm/2024-02.jsonl").is_file());
    }

    #[test]
    fn csv_reads_like_json_and_a_delay_makes_it_known_later() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("x.csv");
        fs::write(&path, "instrument,direction,made,stop,tags\ntest:AAA/USD,buy,2024-01-01,,a b\n").expect("written");
        let lines = read_file(&path, 60).expect("read");
        let when = lines[0].when().expect("times");
        assert_eq!(when.received.nanos() - when.made.nanos(), 60_000_000_000);
        fs::write(&path, "instrument,direction,made\ntest:AAA/USD,up,2024-01-01\n").expect("written");
        let said = read_file(&path, 0).expect_err("a refusal").to_string();
        assert!(said.contains("line 2") && said.contains("`up`"), "{said}");
    }

    #[test]
    fn a_name_is_no_path() {
        let dir = tempfile::tempdir().expect("folder");
        for name in ["../x", "", "a/b", ".hidden"] {
            assert!(import(dir.path(), name, Vec::new()).is_err(), "{name}");
        }
    }
}
