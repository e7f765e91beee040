//! The audit: one line of JSON per event, each with the hash of the one before, appended under a lock.
//!
//! A line that is changed, taken out or put in between breaks the chain at its place. A log that is rewritten whole, or cut
//! at its end, has a good chain but not the heads that were sent elsewhere before: [`Chain::has`] tells.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::KeyError;

/// What is before the first line.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The longest line that is written.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1.
    pub seq: u64,
    /// When, UTC, by our clock.
    pub at: String,
    /// What happened: `loaded`, `probed`, `used`, `switched`, `withdrawn`, `refused`, `revoked`, `retired`, ….
    pub event: String,
    /// Whose key.
    pub account: String,
    /// Label, version and the end of the public id; empty where no one key is meant.
    pub key: String,
    /// In words.
    pub detail: String,
    /// Who: the operator's name, or the process.
    pub by: String,
    /// The hash of the line before.
    pub prev: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    entry: Entry,
    hash: String,
}

/// SHA-256 over the fields, each with its length before it.
fn hash_of(e: &Entry) -> String {
    let mut hasher = Sha256::new();
    for field in [&e.seq.to_string(), &e.at, &e.event, &e.account, &e.key, &e.detail, &e.by, &e.prev] {
        hasher.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(field);
    }
    crate::orders::hex(&hasher.finalize())
}

/// Where events are written to.
#[derive(Debug, Clone)]
pub struct Audit {
    path: PathBuf,
    by: String,
}

/// What a log holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// The events, oldest first.
    pub entries: Vec<Entry>,
    /// The hash of each.
    pub hashes: Vec<String>,
}

impl Chain {
    /// The hash of the last line; that of an empty log is all zeros.
    pub fn head(&self) -> &str {
        self.hashes.last().map_or(GENESIS, String::as_str)
    }

    /// Whether a head that was noted before is in it.
    pub fn has(&self, head: &str) -> bool {
        head == GENESIS || self.hashes.iter().any(|h| h == head)
    }
}

impl Audit {
    /// The log in a state folder, written to in somebody's name.
    pub fn new(state_dir: &Path, by: impl Into<String>) -> Self {
        Self { path: state_dir.join("audit").join("keys.jsonl"), by: by.into() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, what: &str, e: &std::io::Error) -> KeyError {
        KeyError::source(format!("{what} the audit {}", self.path.display()), e.to_string())
    }

    /// Appends an event.
    ///
    /// # Errors
    /// [`KeyError::Source`] when it cannot be written, or the last line there is broken.
    pub fn write(&self, event: &str, account: &str, key: &str, detail: &str) -> Result<(), KeyError> {
        let failed = |e: std::io::Error| self.failed("writing", &e);
        let mut options = File::options();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = options.open(&self.path).map_err(failed)?;
        // Given up with the file.
        file.lock().map_err(failed)?;
        let (seq, prev) = self.last(&mut file)?;
        let at = jiff::Timestamp::now().to_string();
        let text = |s: &str| s.chars().take(2_000).collect::<String>();
        let (event, account, key, detail) = (text(event), text(account), text(key), text(detail));
        let entry = Entry { seq: seq + 1, at, event, account, key, detail, by: self.by.clone(), prev };
        let hash = hash_of(&entry);
        let line = serde_json::to_string(&Line { entry, hash }).unwrap_or_default();
        file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_data()).map_err(failed)
    }

    /// Number and hash of the last line. A line that a crash left half is made an end of: what was not written is lost.
    fn last(&self, file: &mut File) -> Result<(u64, String), KeyError> {
        let failed = |e: std::io::Error| self.failed("reading", &e);
        let len = file.metadata().map_err(failed)?.len();
        let from = len.saturating_sub(2 * LINE_BYTES_MAX);
        file.seek(SeekFrom::Start(from)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        if whole < bytes.len() {
            let keep = from + u64::try_from(whole).unwrap_or(0);
            file.set_len(keep).map_err(failed)?;
        }
        let text = String::from_utf8_lossy(&bytes[..whole]);
        match text.lines().next_back() {
            None => Ok((0, GENESIS.to_owned())),
            Some(line) => serde_json::from_str::<Line>(line).map(|l| (l.entry.seq, l.hash)).map_err(|_| {
                let why = "its last line is no event; `keys audit --verify` says where the chain breaks";
                KeyError::source(self.path.display().to_string(), why)
            }),
        }
    }

    /// Reads the log and holds every line against the one before.
    ///
    /// # Errors
    /// [`KeyError::Source`] with the line at which the chain breaks. No log is an empty one.
    pub fn read(&self) -> Result<Chain, KeyError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Chain::default()),
            Err(e) => return Err(self.failed("reading", &e)),
        };
        let mut chain = Chain::default();
        for (line, number) in text.lines().zip(1u64..) {
            let broken = |why: &str| KeyError::source(format!("{}:{number}", self.path.display()), why);
            let Line { entry, hash } = serde_json::from_str(line).map_err(|_| broken("this line is no event"))?;
            if entry.prev != chain.head() || entry.seq != number {
                return Err(broken("the chain breaks: a line before this one was taken out, put in or changed"));
            }
            if hash_of(&entry) != hash {
                return Err(broken("the chain breaks: this line was changed"));
            }
            chain.entries.push(entry);
            chain.hashes.push(hash);
        }
        Ok(chain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(dir: &Path, events: &[&str]) -> Audit {
        let audit = Audit::new(dir, "tester");
        events.iter().for_each(|event| audit.write(event, "a/b", "main (…1234)", "why").expect("written"));
        audit
    }

    #[test]
    fn a_changed_line_a_line_too_few_and_one_too_many_break_the_chain() {
        let dir = tempfile::tempdir().expect("a folder");
        let audit = written(dir.path(), &["loaded", "probed", "switched", "retired"]);
        assert_eq!(audit.read().expect("whole").entries.len(), 4);
        let text = std::fs::read_to_string(audit.path()).expect("read");
        let lines: Vec<&str> = text.lines().collect();
        let changed = text.replacen("probed", "prohed", 1);
        for (bad, line) in [
            (changed, 2),
            ([lines[0], lines[2], lines[3]].join("\n"), 2),
            ([lines[0], lines[0], lines[1]].join("\n"), 2),
            (format!("{text}nonsense\n"), 5),
        ] {
            std::fs::write(audit.path(), bad).expect("written");
            let why = audit.read().expect_err("broken").to_string();
            assert!(why.contains(&format!("keys.jsonl:{line}")), "{why}");
        }
    }

    #[test]
    fn a_log_that_was_rewritten_or_cut_lacks_the_heads_of_before() {
        let dir = tempfile::tempdir().expect("a folder");
        let audit = written(dir.path(), &["loaded", "switched"]);
        let chain = audit.read().expect("whole");
        let (head, first) = (chain.head().to_owned(), chain.hashes[0].clone());
        assert!(chain.has(&head) && chain.has(&first));
        let text = std::fs::read_to_string(audit.path()).expect("read");
        std::fs::write(audit.path(), format!("{}\n", text.lines().next().expect("a line"))).expect("cut");
        let cut = audit.read().expect("a good chain all the same");
        assert!(!cut.has(&head) && cut.has(&first));
        std::fs::remove_file(audit.path()).expect("removed");
        let anew = written(dir.path(), &["loaded", "switched"]).read().expect("whole");
        assert!(!anew.has(&head));
    }

    #[test]
    fn what_a_crash_left_half_is_cut_and_the_chain_goes_on() {
        let dir = tempfile::tempdir().expect("a folder");
        let audit = written(dir.path(), &["loaded"]);
        let mut file = File::options().append(true).open(audit.path()).expect("open");
        file.write_all(b"{\"seq\":2,\"at\":\"20").expect("written");
        audit.write("switched", "a/b", "", "").expect("written");
        let chain = audit.read().expect("whole");
        assert_eq!(chain.entries.iter().map(|e| e.event.as_str()).collect::<Vec<_>>(), ["loaded", "switched"]);
    }
}
