//! Where words go: answers to stdout, everything else to stderr. A closed pipe ends the command quietly.

use std::io::{BufWriter, ErrorKind, IsTerminal, Write};
use std::path::Path;

use bellwether::report::terminal::Terminal;
use bellwether::report::{Document, ReportError};
use serde::Serialize;

use crate::failure::{Code, Failure};

/// Prints an answer, with a line end if it has none.
pub(crate) fn answer(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    let end: &[u8] = if text.ends_with('\n') { b"" } else { b"\n" };
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.write_all(end)).and_then(|()| stdout.flush());
    written.map_err(|e| stdout_failed(&e))
}

/// Prints an answer as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Failure::new(Code::Failed, format!("writing the answer as JSON: {e}")))?;
    answer(&text)
}

/// Prints a value as one line of JSON.
pub(crate) fn line(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|e| Failure::new(Code::Failed, format!("writing the answer as JSON: {e}")))?;
    answer(&text)
}

/// Prints the document of a run, as one line of JSON.
pub(crate) fn document(document: &Document) -> Result<(), Failure> {
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    document.write_json(&mut stdout).map_err(|e| match &e {
        ReportError::Json(json) if json.io_error_kind() == Some(ErrorKind::BrokenPipe) => Failure::silent(Code::Done),
        _ => Failure::new(Code::Failed, format!("writing to stdout: {e}")),
    })?;
    stdout.write_all(b"\n").and_then(|()| stdout.flush()).map_err(|e| stdout_failed(&e))
}

fn stdout_failed(error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe => Failure::silent(Code::Done),
        _ => Failure::new(Code::Failed, format!("writing to stdout: {error}")),
    }
}

/// What the terminal behind stdout can do; 100 columns of plain text where there is none.
pub(crate) fn terminal() -> Terminal {
    let stdout = console::Term::stdout();
    let set = |name: &str| std::env::var(name).unwrap_or_default();
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().map(set).find(|v| !v.is_empty()).unwrap_or_default();
    Terminal {
        width: stdout.size_checked().map_or(100, |(_, columns)| columns),
        utf8: locale.to_ascii_lowercase().replace('-', "").contains("utf8"),
        colour: stdout.is_term() && set("NO_COLOR").is_empty() && set("TERM") != "dumb",
    }
}

/// Says something on stderr; a closed stderr is no reason to stop.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Whether a person looks at stderr.
pub(crate) fn watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Writes a whole file or none: beside its place first, then renamed into it. Devices are written directly.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |e: std::io::Error| {
        Failure::new(Code::Failed, format!("writing {}: {e}", path.display()))
            .help("choose a folder that exists, may be written and has room")
    };
    let regular = std::fs::metadata(path).map_or(true, |m| m.is_file());
    if !regular {
        return std::fs::write(path, bytes).map_err(failed);
    }
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, path));
    written.map_err(|e| {
        let _ = std::fs::remove_file(&part);
        failed(e)
    })
}

/// Whether a file's name says that it holds Parquet or text; `None` where it says neither.
pub(crate) fn is_parquet(path: &Path) -> Option<bool> {
    let end = path.extension()?.to_str()?.to_ascii_lowercase();
    match end.as_str() {
        "parquet" | "pq" => Some(true),
        "csv" | "txt" | "tsv" => Some(false),
        _ => None,
    }
}

/// The format that is asked for or that a file's name says.
///
/// # Errors
/// [`Failure`] of the command line when both say something, and not the same.
pub(crate) fn one_format<F: PartialEq>(asked: Option<F>, named: Option<F>, usual: F) -> Result<F, Failure> {
    match (asked, named) {
        (Some(asked), Some(named)) if asked != named => {
            Err(Failure::new(Code::Usage, "--format says another format than the name of the file in --out")
                .help("leave --format away, or name the file otherwise"))
        }
        (Some(format), _) | (None, Some(format)) => Ok(format),
        (None, None) => Ok(usual),
    }
}
