//! Snapshots beside a tape: what its session was at the beginning of a file, so that it need not all be heard again.
//!
//! ```text
//! file = "BWSNAP01" length u32 | head | state | check u32           NAME.tape.0001.snap
//! ```
//!
//! `length` is the head's, which is in postcard's form; `check` is the CRC-32 of all bytes before. A snapshot is written
//! beside and renamed, so it is whole or not there; one that is damaged, or of another tape or program, is not believed.
//! It holds nothing that the tape does not: it can be deleted at any time.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::form::{Place, beside, new_file, segment_path, sync_folder};

const MAGIC: &[u8; 8] = b"BWSNAP01";

/// How many of a tape are kept: the newest, and the one before for when that is damaged.
const KEPT: usize = 2;

/// What a session was at the beginning of a file of its tape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The program and the strategies that made it: nobody else can read it.
    pub made_by: String,
    /// Where it stands.
    pub place: Place,
    /// The session's state.
    pub state: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    made_by: String,
    place: Place,
}

/// The file of the snapshot at a segment's beginning.
pub fn snapshot_path(tape: &Path, segment: u32) -> PathBuf {
    beside(&segment_path(tape, segment), ".snap")
}

impl Snapshot {
    /// Writes it beside its tape, and takes older ones away.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, tape: &Path) -> io::Result<()> {
        let head = Head { made_by: self.made_by.clone(), place: self.place };
        let head = postcard::to_extend(&head, Vec::new()).map_err(io::Error::other)?;
        let length = u32::try_from(head.len()).map_err(io::Error::other)?.to_le_bytes();
        let mut hasher = crc32fast::Hasher::new();
        let to = snapshot_path(tape, self.place.segment);
        let new = beside(&to, ".new");
        match fs::remove_file(&new) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = new_file(&new)?;
        for part in [MAGIC.as_slice(), &length, &head, &self.state] {
            hasher.update(part);
            file.write_all(part)?;
        }
        file.write_all(&hasher.finalize().to_le_bytes())?;
        file.sync_all()?;
        drop(file);
        fs::rename(&new, &to)?;
        sync_folder(&to)?;
        for old in Self::segments(tape).into_iter().skip(KEPT) {
            fs::remove_file(snapshot_path(tape, old))?;
        }
        Ok(())
    }

    /// The segments of a tape that have one, the newest first.
    pub fn segments(tape: &Path) -> Vec<u32> {
        let (Some(folder), Some(name)) = (tape.parent(), tape.file_name()) else { return Vec::new() };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let of = |entry: fs::DirEntry| {
            let found = entry.file_name().into_string().ok()?;
            found.strip_prefix(name.to_str()?)?.strip_prefix('.')?.strip_suffix(".snap")?.parse().ok()
        };
        let mut found: Vec<u32> = fs::read_dir(folder).into_iter().flatten().flatten().filter_map(of).collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        found
    }

    /// Reads the snapshot at a segment's beginning; `None` where there is none.
    ///
    /// # Errors
    /// Why it is not to be believed.
    pub fn read(tape: &Path, segment: u32) -> Result<Option<Self>, String> {
        let path = snapshot_path(tape, segment);
        let mut bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(format!("snapshot {}: {e}", path.display())),
        };
        let found = Self::parse(&mut bytes).filter(|s| s.place.segment == segment);
        found.map(Some).ok_or_else(|| format!("snapshot {} is damaged", path.display()))
    }

    fn parse(bytes: &mut Vec<u8>) -> Option<Self> {
        let end = bytes.len().checked_sub(4)?;
        let check = u32::from_le_bytes(bytes[end..].try_into().ok()?);
        if !bytes.starts_with(MAGIC) || crc32fast::hash(&bytes[..end]) != check {
            return None;
        }
        let length = u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?) as usize;
        let head: Head = postcard::from_bytes(bytes.get(12..12 + length)?).ok()?;
        bytes.truncate(end);
        Some(Self { made_by: head.made_by, place: head.place, state: bytes.split_off(12 + length) })
    }
}

/// All files of a tape, its own first: segments, snapshots, and what else stands beside it under its name.
///
/// # Errors
/// The system's.
pub fn files_of(tape: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = tape.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = tape.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let own = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if own == name || own.strip_prefix(&name).is_some_and(|more| more.starts_with('.')) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
