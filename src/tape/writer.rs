//! Writes a tape: records in frames, each bound to the one before, and a new file when one is full.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use super::form::{
    Disk, MAGIC, OnDisk, Place, SEGMENT_HEAD, TapeError, TapeId, Waits, lock, make_segment, new_file, plain_disk,
    segment_path,
};
#[cfg(unix)]
use super::stage::{self, Stage, Tail};
use super::{Record, TapeReader};
use crate::config::Durability;

/// Bytes that wait before they are written by themselves; effects are written at once, and wait for what waits. A page:
/// with sixteen of them an order waited 60 us for its inputs.
const WAIT_MAX: usize = 4 << 10;

/// Writes a tape.
pub struct TapeWriter {
    path: PathBuf,
    out: Out,
    disk: OnDisk,
    durability: Durability,
    waits: Waits,
    check: u32,
    waiting: Vec<u8>,
    written: u64,
    /// Nothing was flushed yet.
    is_new: bool,
    /// The file that is being written, and its bytes with those that wait.
    segment: u32,
    len: u64,
    /// A file that is so long is followed by another; 0 never.
    len_max: u64,
    id: TapeId,
    /// The next file, while it is made.
    next: Option<JoinHandle<io::Result<File>>>,
    /// What of the file before is not on the disk yet.
    #[cfg(unix)]
    before: Option<Tail>,
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
    /// A new tape of one file; the file must not be there. Its first records are on the disk when they are flushed; then the
    /// stage begins, where there is one.
    ///
    /// # Errors
    /// [`TapeError::Io`].
    pub fn create(path: &Path, durability: Durability) -> Result<Self, TapeError> {
        Self::create_on(path, durability, 0, plain_disk())
    }

    /// The same with files of `len_max` bytes, about (0: one of any length), and with what stands between them and the disk.
    ///
    /// # Errors
    /// [`TapeError::Io`].
    pub fn create_on(path: &Path, durability: Durability, len_max: u64, disk: OnDisk) -> Result<Self, TapeError> {
        let io = |source| TapeError::Io { path: path.to_owned(), source };
        let mut file = new_file(path).map_err(io)?;
        let lock = lock(&file, path)?;
        Write::write_all(&mut file, MAGIC).map_err(io)?;
        Ok(Self {
            path: path.to_owned(),
            out: Out::Disk(disk(file)),
            disk,
            durability,
            waits: Waits::default(),
            check: crc32fast::hash(MAGIC),
            waiting: Vec::new(),
            written: 0,
            is_new: true,
            segment: 0,
            len: MAGIC.len() as u64,
            len_max,
            id: [0; 8],
            next: None,
            #[cfg(unix)]
            before: None,
            _lock: lock,
        })
    }

    /// Goes on with a tape that was read to its last whole record; what follows that is cut off.
    ///
    /// # Errors
    /// [`TapeError::Busy`] while another session writes it; [`TapeError::Io`].
    pub fn resume(reader: TapeReader, durability: Durability) -> Result<Self, TapeError> {
        Self::resume_on(reader, durability, 0, plain_disk())
    }

    /// The same with files of about `len_max` bytes, and with what stands between them and the disk.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_on(
        reader: TapeReader,
        durability: Durability,
        len_max: u64,
        disk: OnDisk,
    ) -> Result<Self, TapeError> {
        let TapeReader { path, check, at, number, id, segment, .. } = reader;
        let io = |source| TapeError::Io { path: path.clone(), source };
        let lock = lock(&OpenOptions::new().append(true).open(&path).map_err(io)?, &path)?;
        let file = OpenOptions::new().append(true).open(segment_path(&path, segment)).map_err(io)?;
        if !planted!("torn_tail_kept") {
            file.set_len(at).map_err(io)?;
        }
        let mut tape = Self {
            out: Out::Disk(disk(file)),
            disk,
            durability,
            waits: Waits::default(),
            check,
            waiting: Vec::new(),
            written: number,
            is_new: number == 0,
            segment,
            len: at,
            len_max,
            id,
            next: None,
            #[cfg(unix)]
            before: None,
            _lock: lock,
            path,
        };
        if number > 0 {
            tape.begin_stage()?;
        }
        Ok(tape)
    }

    /// From now on what is added to the present file is staged, where the settings say so.
    #[cfg(unix)]
    fn begin_stage(&mut self) -> Result<(), TapeError> {
        if self.durability != Durability::Staged {
            return Ok(());
        }
        let Some(place) = stage::place(&segment_path(&self.path, self.segment)) else {
            tracing::warn!("no memory file system takes the tape's stage: it is written to its disk directly");
            return Ok(());
        };
        if let Out::Disk(disk) = std::mem::replace(&mut self.out, Out::Nowhere) {
            let begun = Stage::begin(place, self.id, self.len - self.waiting.len() as u64, disk);
            self.out = Out::Stage(begun.map_err(|source| self.failed(source))?);
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn begin_stage(&mut self) -> Result<(), TapeError> {
        Ok(())
    }

    fn failed(&self, source: io::Error) -> TapeError {
        TapeError::Io { path: segment_path(&self.path, self.segment), source }
    }

    /// The file that it begins with.
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
            Out::Stage(stage) => stage.backlog() + self.before.as_ref().map_or(0, Tail::backlog),
            _ => 0,
        }
    }

    /// So many bytes may wait for its disk, instead of the usual.
    pub fn with_waits(mut self, waits: Waits) -> Self {
        self.waits = waits;
        self
    }

    /// Whether the disk is so far behind that no new order should leave.
    pub fn is_behind(&self) -> bool {
        self.backlog() > self.waits.orders
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
            .map_err(|e| TapeError::Io { path: self.path.clone(), source: io::Error::other(e) })?;
        self.waiting = encoded;
        let mut hasher = crc32fast::Hasher::new_with_initial(self.check);
        hasher.update(&self.waiting[start + 8..]);
        self.check = hasher.finalize();
        let length = (self.waiting.len() - start - 8) as u32;
        self.waiting[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.waiting[start + 4..start + 8].copy_from_slice(&self.check.to_le_bytes());
        self.written += 1;
        self.len += 8 + u64::from(length);
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
        #[cfg(unix)]
        let backlog = self.backlog();
        match &mut self.out {
            #[cfg(unix)]
            Out::Stage(stage) => {
                if backlog > self.waits.all {
                    return Err(TapeError::Behind { path: self.path.clone(), backlog, max: self.waits.all });
                }
                if let Err(error) = stage.write(&self.waiting) {
                    return Err(self.failed(error));
                }
            }
            Out::Disk(disk) => {
                if let Err(error) = disk.write_all(&self.waiting) {
                    // A part may be written: what comes behind it would be damage, not a torn tail.
                    self.out = Out::Nowhere;
                    return Err(self.failed(error));
                }
            }
            Out::Nowhere => return Err(self.failed(io::Error::other("writing it failed before"))),
        }
        let head = <[u8; 8]>::try_from(&self.waiting[..8]).unwrap_or_default();
        self.waiting.clear();
        if std::mem::take(&mut self.is_new) {
            self.id = head;
            self.begin_stage()?;
        }
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
            Out::Stage(stage) => self.before.as_ref().map_or(Ok(()), Tail::wait).and_then(|()| stage.sync()),
            Out::Disk(disk) => disk.sync(),
            Out::Nowhere => Err(io::Error::other("writing it failed before")),
        };
        synced.map_err(|source| self.failed(source))
    }

    /// Whether the file is as long as it should be, and the next can be begun without waiting.
    pub fn is_full(&mut self) -> bool {
        if self.len_max == 0 || self.len < self.len_max / 2 || self.is_new {
            return false;
        }
        if self.is_staged() && self.next.is_none() {
            // Its making waits for the disk, and whoever decides does not.
            let (path, id, number) = (segment_path(&self.path, self.segment + 1), self.id, self.segment + 1);
            let making = std::thread::Builder::new().name("segment".to_owned());
            self.next = making.spawn(move || make_segment(&path, id, number)).ok();
        }
        self.len >= self.len_max && self.next.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Goes on in a new file; says where that begins. Nothing stands in it before all of the file before is on the disk.
    /// `None` where no new file can be made: the present one goes on, and it is tried again when that has become twice as long.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn turn(&mut self) -> Result<Option<Place>, TapeError> {
        let number = self.segment + 1;
        let made = match self.next.take().map(JoinHandle::join) {
            Some(made) => made.unwrap_or_else(|_| Err(io::Error::other("the thread that makes it panicked"))),
            None => make_segment(&segment_path(&self.path, number), self.id, number),
        };
        let file = match made {
            Ok(file) => file,
            Err(error) => {
                let path = segment_path(&self.path, number);
                tracing::warn!("tape {}: {error}; the file before it goes on", path.display());
                self.len_max = self.len.saturating_mul(2);
                return Ok(None);
            }
        };
        let ended = self.append(&Record::Continued(number)).and_then(|()| match self.is_staged() {
            true => self.flush(),
            false => self.sync(),
        });
        if ended.is_err() {
            // It may stand there that the tape goes on elsewhere: behind that nothing would be read.
            self.out = Out::Nowhere;
        }
        ended?;
        let place = Place { segment: number, record: self.written, check: self.check, before: self.len };
        let mut disk = (self.disk)(file);
        match std::mem::replace(&mut self.out, Out::Nowhere) {
            #[cfg(unix)]
            Out::Stage(stage) => {
                self.before = Some(stage.tail());
                disk = Box::new(stage.retire(disk).map_err(|source| self.failed(source))?);
            }
            _ => {}
        }
        self.out = Out::Disk(disk);
        (self.segment, self.len) = (number, SEGMENT_HEAD);
        self.begin_stage()?;
        Ok(Some(place))
    }
}

impl Drop for TapeWriter {
    /// What waits is handed on; who wants to know whether that worked calls [`TapeWriter::sync`] before. A next file that was
    /// not needed is taken away.
    fn drop(&mut self) {
        let _ = self.flush();
        if let Some(Ok(Ok(_))) = self.next.take().map(JoinHandle::join) {
            let _ = std::fs::remove_file(segment_path(&self.path, self.segment + 1));
        }
    }
}
