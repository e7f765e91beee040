//! Where words go: answers to stdout, everything else to stderr. A closed pipe ends the command quietly.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;

use serde::Serialize;

use crate::failure::{Code, Failure};

/// Prints an answer, with a line end if it has none.
pub(crate) fn answer(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    let end: &[u8] = if text.ends_with('\n') { b"" } else { b"\n" };
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.write_all(end)).and_then(|()| stdout.flush());
    written.map_err(|e| match e.kind() {
        ErrorKind::BrokenPipe => Failure::silent(Code::Done),
        _ => Failure::new(Code::Failed, format!("writing to stdout: {e}")),
    })
}

/// Prints an answer as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Failure::new(Code::Failed, format!("writing the answer as JSON: {e}")))?;
    answer(&text)
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
