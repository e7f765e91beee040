//! The hash of this program's file, which holds the native strategies: worked out once for a file, and remembered in the
//! state folder. A file that was written to since, or is another one, is read again.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Its file in the state folder.
const REMEMBERED: &str = "program.json";

/// A file as it was when it was read, and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    path: String,
    bytes: u64,
    /// Device and number of the file.
    file: (u64, u64),
    /// When its content, and when anything of it was changed last: nanoseconds since 1970, as text.
    changed: (String, String),
    sha256: String,
}

/// SHA-256 of this program's file, hex; empty where it cannot be read. Remembers it in a state folder that is there.
pub(crate) fn hash(state: Option<&Path>) -> String {
    std::env::current_exe().ok().and_then(|exe| of(&exe, state)).unwrap_or_default()
}

fn of(path: &Path, state: Option<&Path>) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let now = seen(path, &file);
    let kept = state.filter(|dir| dir.is_dir()).map(|dir| dir.join(REMEMBERED));
    if let (Some(now), Some(kept)) = (&now, &kept)
        && let Some(before) = read(kept)
        && (Remembered { sha256: before.sha256.clone(), ..now.clone() }) == before
    {
        return Some(before.sha256);
    }
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).ok()? {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
    }
    let sha256: String = hasher.finalize().iter().map(|b| format!("{b:02x}")).collect();
    // One that changes while it is read is not remembered.
    if let (Some(now), Some(kept)) = (now, kept)
        && seen(path, &file).as_ref() == Some(&now)
    {
        remember(&kept, &Remembered { sha256: sha256.clone(), ..now });
    }
    Some(sha256)
}

/// What is remembered, if it reads and is a hash.
fn read(kept: &Path) -> Option<Remembered> {
    let before: Remembered = serde_json::from_slice(&std::fs::read(kept).ok()?).ok()?;
    (before.sha256.len() == 64 && before.sha256.bytes().all(|b| b.is_ascii_hexdigit())).then_some(before)
}

/// Writes it whole or not at all; without it the next run reads the program again.
fn remember(kept: &Path, what: &Remembered) {
    let beside = kept.with_extension(format!("{}.part", std::process::id()));
    let written = serde_json::to_vec(what).is_ok_and(|text| std::fs::write(&beside, text).is_ok());
    if !written || std::fs::rename(&beside, kept).is_err() {
        let _ = std::fs::remove_file(&beside);
    }
}

/// What tells a file from others and from itself after a change; `None` where the system does not say.
#[cfg(unix)]
fn seen(path: &Path, file: &File) -> Option<Remembered> {
    use std::os::unix::fs::MetadataExt;
    let meta = file.metadata().ok()?;
    let nanos = |seconds: i64, nanos: i64| (i128::from(seconds) * 1_000_000_000 + i128::from(nanos)).to_string();
    Some(Remembered {
        path: path.to_str()?.to_owned(),
        bytes: meta.len(),
        file: (meta.dev(), meta.ino()),
        // The second of them cannot be set by hand.
        changed: (nanos(meta.mtime(), meta.mtime_nsec()), nanos(meta.ctime(), meta.ctime_nsec())),
        sha256: String::new(),
    })
}

#[cfg(not(unix))]
fn seen(_: &Path, _: &File) -> Option<Remembered> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_programs_hash_is_remembered_until_its_file_changes() {
        let dir = tempfile::tempdir().expect("a folder");
        let (exe, state) = (dir.path().join("program"), dir.path());
        std::fs::write(&exe, "one").expect("written");
        let one = of(&exe, Some(state)).expect("a hash");
        assert_eq!(one, of(&exe, None).expect("a hash"), "with and without a state folder");
        let kept = state.join(REMEMBERED);
        // What is remembered is believed: another hash put in its place comes back.
        let mut text: Remembered = serde_json::from_slice(&std::fs::read(&kept).expect("kept")).expect("it reads");
        text.sha256 = "ab".repeat(32);
        std::fs::write(&kept, serde_json::to_vec(&text).expect("text")).expect("written");
        assert_eq!(of(&exe, Some(state)), Some("ab".repeat(32)));
        // Another content, even of the same length and with the same time of change, is read.
        let when = std::fs::metadata(&exe).and_then(|m| m.modified()).expect("a time");
        std::fs::write(&exe, "two").expect("written");
        File::options().write(true).open(&exe).and_then(|f| f.set_modified(when)).expect("the time is set");
        let two = of(&exe, Some(state)).expect("a hash");
        assert_eq!(Some(&two), of(&exe, None).as_ref());
        assert!(two != one && two != "ab".repeat(32));
        for damaged in ["", "{}", "nonsense"] {
            std::fs::write(&kept, damaged).expect("written");
            assert_eq!(of(&exe, Some(state)).as_ref(), Some(&two), "{damaged:?}");
        }
    }
}
