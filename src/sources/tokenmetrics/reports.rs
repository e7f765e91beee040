//! Reports in words: stored as they came, for people. Nothing trades on them.

use std::fs;
use std::path::{Path, PathBuf};

use bellwether_sdk::Ts;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The folder of reports in a catalog.
const FOLDER: &str = "reports";
/// So many of the newest reports of a token are compared with a new one.
const LOOKED_AT: usize = 100;

/// A stored report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this form; 1.
    pub schema_version: u32,
    /// The source that asked for it.
    pub source: String,
    /// The token's number at the provider.
    pub token_id: String,
    /// When it was received, RFC 3339.
    pub received: String,
    /// Its fields as they came, names in lower case.
    pub fields: Map<String, Value>,
}

/// Stores a row of reports as `reports/SOURCE/TOKEN/TIME.json`; `None` when the token's last report says the same.
///
/// # Errors
/// What is not there in the row, or what the system says.
pub fn store(catalog: &Path, source: &str, row: &Map<String, Value>, now: Ts) -> Result<Option<PathBuf>, String> {
    let token_id = match row.get("token_id") {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.clone(),
        _ => return Err("a report has no token_id".to_owned()),
    };
    let is_word =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if !is_word(&token_id) || !is_word(source) {
        return Err(format!("a report of token {token_id:?} by source {source:?}: write letters, digits, _ and -"));
    }
    let dir = catalog.join(FOLDER).join(source).join(&token_id);
    let failed = |what: &str, path: &Path, e: std::io::Error| format!("{what} {}: {e}", path.display());
    fs::create_dir_all(&dir).map_err(|e| failed("making", &dir, e))?;
    let mut names: Vec<PathBuf> =
        fs::read_dir(&dir).map_err(|e| failed("reading", &dir, e))?.flatten().map(|e| e.path()).collect();
    names.retain(|p| p.extension().is_some_and(|e| e == "json"));
    names.sort();
    // An answer may hold more than one of a token.
    let says = |p: &PathBuf| serde_json::from_slice::<Report>(&fs::read(p).ok()?).ok().map(|r| r.fields);
    if names.iter().rev().take(LOOKED_AT).any(|p| says(p).as_ref() == Some(row)) {
        return Ok(None);
    }
    let stamp = jiff::Timestamp::from_nanosecond(i128::from(now.nanos())).unwrap_or_default();
    let report = Report {
        schema_version: 1,
        source: source.to_owned(),
        token_id,
        received: stamp.to_string(),
        fields: row.clone(),
    };
    let second = stamp.strftime("%Y%m%dT%H%M%SZ");
    let first = dir.join(format!("{second}.json"));
    let others = (2..1_000).map(|n| dir.join(format!("{second}.{n}.json")));
    let path = std::iter::once(first).chain(others).find(|p| !p.exists()).ok_or("a thousand reports in one second")?;
    let text = serde_json::to_string_pretty(&report).map_err(|e| e.to_string())?;
    let part = path.with_extension("part");
    let written = fs::write(&part, text).and_then(|()| fs::rename(&part, &path));
    written.map_err(|e| failed("writing", &path, e))?;
    Ok(Some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Map<String, Value> {
        serde_json::from_value(serde_json::json!({"token_id": 3375, "deep_dive": text})).expect("a row")
    }

    #[test]
    fn a_report_is_stored_once_until_it_says_something_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |s: i64| Ts::from_nanos(s * 1_000_000_000);
        let first = store(dir.path(), "tm", &row("# good"), at(0)).expect("stored").expect("new");
        assert!(first.ends_with("reports/tm/3375/19700101T000000Z.json"), "{first:?}");
        assert_eq!(store(dir.path(), "tm", &row("# good"), at(60)), Ok(None));
        let other = store(dir.path(), "tm", &row("# bad"), at(120)).expect("stored").expect("new");
        let report: Report = serde_json::from_slice(&fs::read(other).expect("read")).expect("a report");
        assert_eq!((report.received.as_str(), &report.fields["deep_dive"]), ("1970-01-01T00:02:00Z", &"# bad".into()));
        // Two of one answer are both kept, and neither is new in the next.
        for text in ["# one", "# two"] {
            assert!(store(dir.path(), "tm", &row(text), at(300)).expect("stored").is_some());
        }
        for text in ["# one", "# two"] {
            assert_eq!(store(dir.path(), "tm", &row(text), at(360)), Ok(None));
        }
        let hostile = serde_json::from_value(serde_json::json!({"token_id": "../../x"})).expect("a row");
        assert!(store(dir.path(), "tm", &hostile, at(0)).is_err());
    }
}
