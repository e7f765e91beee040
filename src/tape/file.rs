//! Tapes as files: records in frames, each bound to the one before.
//!
//! ```text
//! file  = "BWTAPE01" frame*
//! frame = length u32 | check u32 | payload
//! ```
//!
//! Numbers are little-endian; the payload is a [`Record`] in postcard's form; `check` is the CRC-32 (IEEE) of the
//! payload, begun with the check of the frame before (of the first: of the eight letters). A change of any byte so shows
//! at its own record, and a record cannot be left out or put elsewhere. A record's number is its place, from 0.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::Record;
#[cfg(unix)]
use super::stage::{self, Stage};
use crate::config::Durability;

const MAGIC: &[u8; 8] = b"BWTAPE01";

/// No record is longer: a longer one is a damaged length.
const RECORD_MAX: usize = 16 << 20;

/// Bytes that wait before they are written by themselves; effects are written at once, and wait for what waits. A page:
/// with sixteen of them an order waited 60 us for its inputs.
const WAIT_MAX: usize = 4 << 10;

/// While more bytes wait in memory for the disk, no new order should leave.
const BACKLOG_MAX: u64 = 16 << 20;

/// When so many wait, nothing is recorded any more.
const BACKLOG_END: u64 = 40 << 20;

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
    #[error("tape {path}: {backlog} bytes wait for the disk, and {BACKLOG_END} may; look at the disk")]
    Behind {
        /// The file.
        path: PathBuf,
        /// Bytes that wait.
        backlog: u64,
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

/// Puts something between a tape and its file: nothing in a session, what goes wrong in a test.
pub type OnDisk<'a> = &'a dyn Fn(File) -> Box<dyn Disk>;

/// Writes a tape.
pub struct TapeWriter {
    path: PathBuf,
    out: Out,
    durability: Durability,
    check: u32,
    waiting: Vec<u8>,
    written: u64,
    /// Nothing was flushed yet.
    is_new: bool,
    /// Holds the lock of the tape as long as it is written.
    _lock: File,
}

/// Where records go first.
enum Out {
    Disk(Box<dyn Disk>),
    #[cfg(unix)]
    Stage(Stage),
    /// Between the two.
    Nowhere,
}

impl TapeWriter {
    /// A new tape; the file must not be there. Its first records are on the disk when they are flushed; then the
    /// stage begins, where there is one.
    ///
    /// # Errors
    /// [`TapeError::Io`].
    pub fn create(path: &Path, durability: Durability) -> Result<Self, TapeError> {
        Self::create_on(path, durability, |file| Box::new(file))
    }

    /// The same, with what stands between it and its file: for benchmarks and tests of slow disks.
    ///
    /// # Errors
    /// [`TapeError::Io`].
    pub fn create_on(
        path: &Path,
        durability: Durability,
        disk: impl FnOnce(File) -> Box<dyn Disk>,
    ) -> Result<Self, TapeError> {
        let io = |source| TapeError::Io { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(io)?;
        let lock = lock(&file, path)?;
        Write::write_all(&mut file, MAGIC).map_err(io)?;
        Ok(Self {
            path: path.to_owned(),
            out: Out::Disk(disk(file)),
            durability,
            check: crc32fast::hash(MAGIC),
            waiting: Vec::new(),
            written: 0,
            is_new: true,
            _lock: lock,
        })
    }

    /// Goes on with a tape that was read to its last whole record; what follows that is cut off.
    ///
    /// # Errors
    /// [`TapeError::Busy`] while another session writes it; [`TapeError::Io`].
    pub fn resume(reader: TapeReader, durability: Durability) -> Result<Self, TapeError> {
        Self::resume_on(reader, durability, |file| Box::new(file))
    }

    /// The same, with what stands between it and its file.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_on(
        reader: TapeReader,
        durability: Durability,
        disk: impl FnOnce(File) -> Box<dyn Disk>,
    ) -> Result<Self, TapeError> {
        let TapeReader { path, check, at, number, head, .. } = reader;
        let io = |source| TapeError::Io { path: path.clone(), source };
        let file = OpenOptions::new().append(true).open(&path).map_err(io)?;
        let lock = lock(&file, &path)?;
        if !planted!("torn_tail_kept") {
            file.set_len(at).map_err(io)?;
        }
        let mut tape = Self {
            out: Out::Disk(disk(file)),
            durability,
            check,
            waiting: Vec::new(),
            written: number,
            is_new: number == 0,
            _lock: lock,
            path,
        };
        if number > 0 {
            tape.begin_stage(head, at)?;
        }
        Ok(tape)
    }

    #[cfg(unix)]
    fn begin_stage(&mut self, id: [u8; 8], at: u64) -> Result<(), TapeError> {
        if self.durability != Durability::Staged {
            return Ok(());
        }
        let Some(place) = stage::place(&self.path) else {
            tracing::warn!("no memory file system takes the tape's stage: it is written to its disk directly");
            return Ok(());
        };
        if let Out::Disk(disk) = std::mem::replace(&mut self.out, Out::Nowhere) {
            let begun = Stage::begin(place, id, at, disk);
            self.out = Out::Stage(begun.map_err(|source| TapeError::Io { path: self.path.clone(), source })?);
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn begin_stage(&mut self, _: [u8; 8], _: u64) -> Result<(), TapeError> {
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many records it has.
    pub fn records(&self) -> u64 {
        self.written
    }

    /// Whether records go to a stage in memory first.
    pub fn is_staged(&self) -> bool {
        #[cfg(unix)]
        return matches!(self.out, Out::Stage(_));
        #[cfg(not(unix))]
        return false;
    }

    /// Bytes that survive the death of the process and are not on the disk's file yet.
    pub fn backlog(&self) -> u64 {
        match &self.out {
            #[cfg(unix)]
            Out::Stage(stage) => stage.backlog(),
            _ => 0,
        }
    }

    /// Whether the disk is so far behind (16 MiB) that no new order should leave.
    pub fn is_behind(&self) -> bool {
        self.backlog() > BACKLOG_MAX
    }

    /// Adds a record. It may wait in memory until [`flush`](Self::flush).
    ///
    /// # Errors
    /// [`TapeError::Io`].
    pub fn append(&mut self, record: &Record) -> Result<(), TapeError> {
        let start = self.waiting.len();
        self.waiting.extend_from_slice(&[0; 8]);
        // Writing into a Vec fails only for a form that postcard does not know, and Record has none.
        let encoded = postcard::to_extend(record, std::mem::take(&mut self.waiting))
            .map_err(|e| TapeError::Io { path: self.path.clone(), source: std::io::Error::other(e) })?;
        self.waiting = encoded;
        let mut hasher = crc32fast::Hasher::new_with_initial(self.check);
        hasher.update(&self.waiting[start + 8..]);
        self.check = hasher.finalize();
        let length = (self.waiting.len() - start - 8) as u32;
        self.waiting[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.waiting[start + 4..start + 8].copy_from_slice(&self.check.to_le_bytes());
        self.written += 1;
        if self.waiting.len() >= WAIT_MAX { self.flush() } else { Ok(()) }
    }

    /// Hands everything to the operating system: from now on it survives the death of this process.
    ///
    /// # Errors
    /// [`TapeError::Io`]; [`TapeError::Behind`].
    pub fn flush(&mut self) -> Result<(), TapeError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let io = |source| TapeError::Io { path: self.path.clone(), source };
        match &mut self.out {
            #[cfg(unix)]
            Out::Stage(stage) => {
                let backlog = stage.backlog();
                if backlog > BACKLOG_END {
                    return Err(TapeError::Behind { path: self.path.clone(), backlog });
                }
                stage.write(&self.waiting).map_err(io)?;
            }
            Out::Disk(disk) => {
                if let Err(error) = disk.write_all(&self.waiting) {
                    // A part may be written: what comes behind it would be damage, not a torn tail.
                    self.out = Out::Nowhere;
                    return Err(io(error));
                }
                if std::mem::take(&mut self.is_new) {
                    let head = <[u8; 8]>::try_from(&self.waiting[..8]).unwrap_or_default();
                    self.begin_stage(head, (MAGIC.len() + self.waiting.len()) as u64)?;
                }
            }
            Out::Nowhere => return Err(io(io::Error::other("writing it failed before"))),
        }
        self.waiting.clear();
        Ok(())
    }

    /// As [`flush`](Self::flush), before an effect leaves the process: with [`Durability::Sync`] the disk has it then.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn commit(&mut self) -> Result<(), TapeError> {
        if self.durability == Durability::Sync && !planted!("sync_skipped") { self.sync() } else { self.flush() }
    }

    /// As [`flush`](Self::flush), and waits until the disk has it: from now on it survives a power loss.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn sync(&mut self) -> Result<(), TapeError> {
        self.flush()?;
        let synced = match &mut self.out {
            #[cfg(unix)]
            Out::Stage(stage) => stage.sync(),
            Out::Disk(disk) => disk.sync(),
            Out::Nowhere => Ok(()),
        };
        synced.map_err(|source| TapeError::Io { path: self.path.clone(), source })
    }
}

/// How often a tape's lock is asked for, and after what time again.
#[cfg(unix)]
const LOCK_TRIES: u32 = 10;
#[cfg(unix)]
const LOCK_AGAIN: std::time::Duration = std::time::Duration::from_millis(20);

impl Drop for TapeWriter {
    /// What waits is handed on; who wants to know whether that worked calls [`TapeWriter::sync`] before.
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

/// The lock of a tape's file, as long as the result lives. Readers do not ask for it.
///
/// A program that this process starts has all its files, and their locks, until it is another program: a lock that was
/// just given back may be held for some milliseconds more.
#[cfg(unix)]
fn lock(file: &File, path: &Path) -> Result<File, TapeError> {
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
fn lock(file: &File, path: &Path) -> Result<File, TapeError> {
    file.try_clone().map_err(|source| TapeError::Io { path: path.to_owned(), source })
}

/// Reads a tape, record by record.
pub struct TapeReader {
    path: PathBuf,
    file: BufReader<File>,
    check: u32,
    /// Where the next frame begins.
    at: u64,
    number: u64,
    torn: u64,
    /// The head of the first record: by it a stage knows its tape.
    head: [u8; 8],
}

impl TapeReader {
    /// Opens a tape. What a dead session left staged is carried over first; of one that lives, only what has reached
    /// the disk is read.
    ///
    /// # Errors
    /// [`TapeError`].
    pub fn open(path: &Path) -> Result<Self, TapeError> {
        let io = |source| TapeError::Io { path: path.to_owned(), source };
        #[cfg(unix)]
        recover(path).map_err(io)?;
        let mut file = BufReader::with_capacity(1 << 18, File::open(path).map_err(io)?);
        let mut magic = [0; 8];
        let read = fill(&mut file, &mut magic).map_err(io)?;
        if read < 8 || &magic != MAGIC {
            let found = String::from_utf8_lossy(&magic[..read]).into_owned();
            return Err(TapeError::Magic { path: path.to_owned(), found });
        }
        Ok(Self { path: path.to_owned(), file, check: crc32fast::hash(MAGIC), at: 8, number: 0, torn: 0, head: [0; 8] })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes at the end that are no whole record: what a crash left behind. Known once the end was reached.
    pub fn torn(&self) -> u64 {
        self.torn
    }

    /// The next record with its number; `None` at the end, also at a torn one.
    ///
    /// # Errors
    /// [`TapeError::Damaged`] with the record's number.
    pub fn read(&mut self) -> Result<Option<(u64, Record)>, TapeError> {
        let io = |source| TapeError::Io { path: self.path.clone(), source };
        let damaged = |why: String| TapeError::Damaged { path: self.path.clone(), number: self.number, why };
        let mut head = [0u8; 8];
        let read = fill(&mut self.file, &mut head).map_err(io)?;
        if read < 8 {
            self.torn = read as u64;
            return Ok(None);
        }
        // After a loss of power the file may be as long as it was to be, and zero where nothing was written.
        if head == [0; 8]
            && let Some(zeros) = zeros_to_the_end(&mut self.file).map_err(io)?
        {
            self.torn = 8 + zeros;
            return Ok(None);
        }
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let check = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        if length > RECORD_MAX {
            return Err(damaged(format!("its length reads {length} bytes")));
        }
        let mut payload = vec![0; length];
        let read = fill(&mut self.file, &mut payload).map_err(io)?;
        if read < length {
            // The check does not cover the length: one that was damaged looks like a torn tail, which would be cut.
            if let Some(fits) = fitting(self.check, &payload[..read], check) {
                return Err(damaged(format!("its length reads {length} bytes, and {fits} fit its check")));
            }
            self.torn = 8 + read as u64;
            return Ok(None);
        }
        let mut hasher = crc32fast::Hasher::new_with_initial(self.check);
        hasher.update(&payload);
        let found = hasher.finalize();
        if found != check && !planted!("check_skipped") {
            // A loss of power may leave the beginning of a record, and zeros where the rest was to be: many, or from a block on.
            let empty = payload.iter().rev().take_while(|b| **b == 0).count();
            let end = self.at + 8 + length as u64;
            let from_block = empty > 0 && (end - 1) / BLOCK * BLOCK >= end - empty as u64;
            let ends_empty = empty >= length.min(EMPTY_END) || from_block;
            if let Some(zeros) = zeros_to_the_end(&mut self.file).map_err(io)?
                && (zeros > 0 || ends_empty)
            {
                self.torn = 8 + length as u64 + zeros;
                return Ok(None);
            }
            return Err(damaged(format!("its check reads {check:08x} and its bytes give {found:08x}")));
        }
        let record = postcard::from_bytes(&payload).map_err(|e| damaged(format!("its bytes do not read: {e}")))?;
        let number = self.number;
        if number == 0 {
            self.head = head;
        }
        self.check = check;
        self.at += 8 + length as u64;
        self.number += 1;
        Ok(Some((number, record)))
    }
}

/// A record that does not fit its check and ends with so many zeros, at the end of the file, was never written whole.
const EMPTY_END: usize = 8;

/// What a disk writes whole or not at all, bytes.
const BLOCK: u64 = 512;

/// How many bytes follow if they are nothing but zeros; if not, the file stays where it is.
fn zeros_to_the_end(file: &mut (impl Read + Seek)) -> io::Result<Option<u64>> {
    let at = file.stream_position()?;
    let (mut piece, mut zeros) = ([0; 4096], 0);
    loop {
        match fill(file, &mut piece)? {
            0 => return Ok(Some(zeros)),
            read if piece[..read].iter().all(|b| *b == 0) => zeros += read as u64,
            _ => {
                file.seek(SeekFrom::Start(at))?;
                return Ok(None);
            }
        }
    }
}

/// How many of these bytes have a check, if any count of them has: a record that was cut off has none. (By chance some
/// count fits once in four billion bytes looked at.)
fn fitting(before: u32, bytes: &[u8], check: u32) -> Option<usize> {
    let mut hasher = crc32fast::Hasher::new_with_initial(before);
    bytes.iter().enumerate().find_map(|(at, byte)| {
        hasher.update(std::slice::from_ref(byte));
        (hasher.clone().finalize() == check).then_some(at + 1)
    })
}

/// Carries over what a session that died left staged.
#[cfg(unix)]
fn recover(path: &Path) -> io::Result<()> {
    if !path.is_file() || !stage::is_left(path) {
        return Ok(());
    }
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => {
            let carried = stage::recover(path, &file)?;
            if carried > 0 {
                tracing::info!(carried, tape = %path.display(), "bytes that a session left staged are on its tape now");
            }
            Ok(())
        }
        Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Reads until the buffer is full or the file ends; says how much.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read(&mut buffer[read..]) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_sdk::Ts;

    fn written(dir: &Path, count: i64) -> PathBuf {
        let path = dir.join("t.tape");
        let mut tape = TapeWriter::create(&path, Durability::Direct).expect("created");
        for i in 0..count {
            tape.append(&Record::Clock(Ts::from_nanos(i))).expect("appended");
        }
        tape.flush().expect("flushed");
        path
    }

    fn read(path: &Path) -> Result<(Vec<Record>, u64), TapeError> {
        let mut reader = TapeReader::open(path)?;
        let mut records = Vec::new();
        while let Some((number, record)) = reader.read()? {
            assert_eq!(number, records.len() as u64);
            records.push(record);
        }
        Ok((records, reader.torn()))
    }

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let (records, torn) = read(&written(dir.path(), 100)).expect("read");
        assert_eq!((records.len(), torn), (100, 0));
        assert_eq!(records[99], Record::Clock(Ts::from_nanos(99)));
    }

    #[test]
    fn a_flipped_bit_is_found_at_its_record_wherever_it_is_and_never_taken_for_a_torn_tail() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = written(dir.path(), 5);
        let bytes = std::fs::read(&path).expect("read");
        for (at, bit) in (0..bytes.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            std::fs::write(&path, &flipped).expect("written");
            match read(&path) {
                Err(TapeError::Damaged { number, .. }) => {
                    // Ten bytes each but for the first number, whose zero takes one byte too.
                    let record = (at as u64 - 8) / ((bytes.len() as u64 - 8) / 5);
                    assert_eq!(number, record, "bit {bit} of byte {at}");
                }
                Err(TapeError::Magic { .. }) => assert!(at < 8, "byte {at}"),
                other => panic!("bit {bit} of byte {at}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_torn_tail_is_cut_at_the_last_whole_record_and_the_tape_goes_on() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = written(dir.path(), 5);
        let bytes = std::fs::read(&path).expect("read");
        for cut in 8..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).expect("written");
            let mut reader = TapeReader::open(&path).expect("open");
            let mut whole = 0;
            while reader.read().expect("no damage").is_some() {
                whole += 1;
            }
            let mut tape = TapeWriter::resume(reader, Durability::Staged).expect("resumed");
            tape.append(&Record::Clock(Ts::from_nanos(7))).expect("appended");
            tape.sync().expect("synced");
            let (records, torn) = read(&path).expect("read");
            assert_eq!((records.len(), torn), (whole + 1, 0), "cut at {cut}");
        }
    }

    #[test]
    fn zeros_at_the_end_are_what_a_loss_of_power_left_and_are_cut() {
        let dir = tempfile::tempdir().expect("a folder");
        // Of the last record's ten bytes of payload and check so many are lost too.
        for (lost, zeros) in [(1, 5_000), (4, 64), (7, 100)] {
            let path = written(dir.path(), 5);
            let mut bytes = std::fs::read(&path).expect("read");
            bytes.truncate(bytes.len() - lost);
            bytes.resize(bytes.len() + zeros, 0);
            std::fs::write(&path, &bytes).expect("written");
            let found = read(&path).map(|(records, torn)| (records.len(), torn > 0));
            assert!(matches!(found, Ok((4, true))), "{lost} lost: {found:?}");
            std::fs::remove_file(&path).expect("removed");
        }
        for zeros in [1, 7, 8, 9, 5_000] {
            let path = written(dir.path(), 5);
            let mut bytes = std::fs::read(&path).expect("read");
            bytes.resize(bytes.len() + zeros, 0);
            std::fs::write(&path, &bytes).expect("written");
            let (records, torn) = read(&path).expect("read");
            assert_eq!((records.len(), torn), (5, zeros as u64));
            // Zeros with something behind them are damage.
            bytes.resize(bytes.len() + 8, 0);
            bytes.push(1);
            std::fs::write(&path, &bytes).expect("written");
            assert!(read(&path).is_err(), "{zeros} zeros and a one");
            std::fs::remove_file(&path).expect("removed");
        }
    }

    #[test]
    fn a_record_whose_rest_is_zeros_is_what_a_loss_of_power_left_and_is_cut() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("t.tape");
        let mut tape = TapeWriter::create(&path, Durability::Direct).expect("created");
        tape.append(&Record::Effect("order 1 buy 0.001 of something with a long name".to_owned())).expect("appended");
        tape.append(&Record::Effect("order 2 sell 0.001 of something with a long name".to_owned())).expect("appended");
        tape.flush().expect("flushed");
        drop(tape);
        let bytes = std::fs::read(&path).expect("read");
        let second = bytes.len() / 2 + 4;
        for from in second + 1..bytes.len() - 8 {
            for behind in [0, 100] {
                let mut cut = bytes.clone();
                cut[from..].fill(0);
                cut.resize(bytes.len() + behind, 0);
                std::fs::write(&path, &cut).expect("written");
                let (records, torn) = read(&path).expect("torn, not damaged");
                assert!(records.len() == 1 && torn > 0, "zeros from {from} with {behind} behind");
            }
        }
    }

    #[test]
    fn a_file_that_is_no_tape_says_so() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("t");
        std::fs::write(&path, "BW").expect("written");
        assert!(TapeReader::open(&path).err().expect("refused").to_string().contains("no tape of version 01"));
    }
}
