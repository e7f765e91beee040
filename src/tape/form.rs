//! The form of a tape: how its files begin, what they are called, what stands between it and its disk.
//!
//! ```text
//! tape    = first segment*
//! first   = "BWTAPE01" frame*                                   NAME.tape
//! segment = "BWTAPES1" tape 8 bytes | number u32 | check u32 | frame*     NAME.tape.0001 …
//! frame   = length u32 | check u32 | payload
//! ```
//!
//! Numbers are little-endian; the payload is a [`Record`](super::Record) in postcard's form; a frame's `check` is the
//! CRC-32 (IEEE) of the payload, begun with the check of the frame before (of the first: of the eight letters), through
//! all files. A change of any byte so shows at its own record, and a record cannot be left out or put elsewhere. A record's
//! number is its place, from 0. A file is followed by another when it ends with `Continued`. A segment's head holds the head of
//! the tape's first frame, by which it is known to be of this tape, and the check of the bytes before.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) const MAGIC: &[u8; 8] = b"BWTAPE01";
const MAGIC_SEGMENT: &[u8; 8] = b"BWTAPES1";

/// Bytes before the first frame of a segment.
pub(super) const SEGMENT_HEAD: u64 = 24;

/// What a tape begins with after its magic: the head of its first record. A stage or segment belongs to the tape that has it.
pub(super) type TapeId = [u8; 8];

/// How many bytes of a tape may wait for its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// With more, no new order should leave.
    pub orders: u64,
    /// With more, nothing is written any more.
    pub all: u64,
}

impl Default for Waits {
    fn default() -> Self {
        Self { orders: 16 << 20, all: 40 << 20 }
    }
}

/// A tape cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TapeError {
    /// The file cannot be opened, read or written.
    #[error("tape {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no tape, or one of another version.
    #[error("{path} is no tape of version 01: it begins {found:?}")]
    Magic {
        /// The file.
        path: PathBuf,
        /// How it begins.
        found: String,
    },
    /// A record was changed, or the file was damaged there.
    #[error("tape {path}: record {number} is damaged: {why}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The record's number.
        number: u64,
        /// What does not fit.
        why: String,
    },
    /// A session is writing it.
    #[error("tape {path} is being written by a running session; end that first")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The disk is so far behind that nothing more can be recorded.
    #[error("tape {path}: {backlog} bytes wait for the disk, and {max} may; look at the disk")]
    Behind {
        /// The file.
        path: PathBuf,
        /// Bytes that wait.
        backlog: u64,
        /// Bytes that may.
        max: u64,
    },
    /// It does not begin as a tape must.
    #[error("tape {path} does not begin with what the session is made of")]
    NoStart {
        /// The file.
        path: PathBuf,
    },
}

/// Where a tape's bytes end up.
pub trait Disk: Send {
    /// Writes at the end.
    ///
    /// # Errors
    /// The system's.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Waits until what was written survives a loss of power.
    ///
    /// # Errors
    /// The system's.
    fn sync(&mut self) -> io::Result<()>;
}

impl Disk for File {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        Write::write_all(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Puts something between a tape and its files: nothing in a session, what goes wrong in a test.
pub type OnDisk = Arc<dyn Fn(File) -> Box<dyn Disk> + Send + Sync>;

/// Files as they are.
pub fn plain_disk() -> OnDisk {
    Arc::new(|file| Box::new(file))
}

/// The file of a segment: 0 is the tape's own.
pub fn segment_path(tape: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return tape.to_owned();
    }
    beside(tape, &format!(".{number:04}"))
}

/// A file that stands beside a tape: its name with more behind.
pub(super) fn beside(tape: &Path, more: &str) -> PathBuf {
    let mut name = OsString::from(tape);
    name.push(more);
    name.into()
}

/// Where a segment begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// Its number, from 1.
    pub segment: u32,
    /// The number of its first record.
    pub record: u64,
    /// The check of the record before.
    pub check: u32,
    /// Bytes of the file before.
    pub before: u64,
}

/// The head of a segment.
fn segment_head(id: TapeId, number: u32) -> [u8; SEGMENT_HEAD as usize] {
    let mut head = [0; SEGMENT_HEAD as usize];
    head[..8].copy_from_slice(MAGIC_SEGMENT);
    head[8..16].copy_from_slice(&id);
    head[16..20].copy_from_slice(&number.to_le_bytes());
    let check = crc32fast::hash(&head[..20]);
    head[20..].copy_from_slice(&check.to_le_bytes());
    head
}

/// Reads the head of a segment.
///
/// # Errors
/// Why it is not the one that is looked for.
pub(super) fn read_segment_head(file: &mut impl Read, id: TapeId, number: u32) -> Result<(), String> {
    let mut head = [0; SEGMENT_HEAD as usize];
    match fill(file, &mut head) {
        Ok(_) if head == segment_head(id, number) => Ok(()),
        Ok(_) => Err("it does not begin as a file of this tape".to_owned()),
        Err(e) => Err(e.to_string()),
    }
}

/// Makes the file of a segment, on the disk with its name. One that holds no record is left of a process that died, and is
/// made anew.
pub(super) fn make_segment(path: &Path, id: TapeId, number: u32) -> io::Result<File> {
    if path.metadata().is_ok_and(|found| found.len() <= SEGMENT_HEAD) {
        std::fs::remove_file(path)?;
    }
    let mut file = new_file(path)?;
    Write::write_all(&mut file, &segment_head(id, number))?;
    file.sync_all()?;
    sync_folder(path)?;
    Ok(file)
}

/// Opens a file that must not be there, for its owner only.
pub(super) fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Waits until the names in a file's folder are on the disk.
#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Folders are not opened as files here.
#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Reads until the buffer is full or the file ends; says how much.
pub(super) fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read(&mut buffer[read..]) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(read)
}

/// How often a tape's lock is asked for, and after what time again.
#[cfg(unix)]
const LOCK_TRIES: u32 = 10;
#[cfg(unix)]
const LOCK_AGAIN: std::time::Duration = std::time::Duration::from_millis(20);

/// The lock of a tape's file, as long as the result lives. Readers do not ask for it.
///
/// A program that this process starts has all its files, and their locks, until it is another program: a lock that was
/// just given back may be held for some milliseconds more.
#[cfg(unix)]
pub(super) fn lock(file: &File, path: &Path) -> Result<File, TapeError> {
    let io = |source| TapeError::Io { path: path.to_owned(), source };
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return file.try_clone().map_err(io),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_AGAIN),
            Err(TryLockError::Error(e)) => return Err(io(e)),
        }
    }
    Err(TapeError::Busy { path: path.to_owned() })
}

/// Where locks keep readers out, there is none.
#[cfg(not(unix))]
pub(super) fn lock(file: &File, path: &Path) -> Result<File, TapeError> {
    file.try_clone().map_err(|source| TapeError::Io { path: path.to_owned(), source })
}

/// Whether a session is writing a tape.
#[cfg(unix)]
pub fn is_written(tape: &Path) -> bool {
    File::open(tape).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Where locks keep readers out, nobody can tell.
#[cfg(not(unix))]
pub fn is_written(_: &Path) -> bool {
    false
}
