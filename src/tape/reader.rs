//! Reads a tape, from file to file, and believes no record that was changed.

use std::fs::File;
#[cfg(unix)]
use std::fs::{OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::Record;
use super::form::{MAGIC, Place, SEGMENT_HEAD, TapeError, TapeId, fill, read_segment_head, segment_path};
#[cfg(unix)]
use super::stage;

/// No record is longer: a longer one is a damaged length.
const RECORD_MAX: usize = 16 << 20;

/// Reads a tape, record by record.
pub struct TapeReader {
    pub(super) path: PathBuf,
    file: BufReader<File>,
    pub(super) check: u32,
    /// Where the next frame begins.
    pub(super) at: u64,
    pub(super) number: u64,
    torn: u64,
    /// The head of the first record: by it stages and segments know their tape.
    pub(super) id: TapeId,
    /// The file that is being read.
    pub(super) segment: u32,
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
        let mut file = open_file(path).map_err(io)?;
        let mut magic = [0; 8];
        let read = fill(&mut file, &mut magic).map_err(io)?;
        if read < 8 || &magic != MAGIC {
            let found = String::from_utf8_lossy(&magic[..read]).into_owned();
            return Err(TapeError::Magic { path: path.to_owned(), found });
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            check: crc32fast::hash(MAGIC),
            at: 8,
            number: 0,
            torn: 0,
            id: [0; 8],
            segment: 0,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes at the end that are no whole record: what a crash left behind. Known once the end was reached.
    pub fn torn(&self) -> u64 {
        self.torn
    }

    /// The next record with its number; `None` at the end, also at a torn one. Goes from file to file.
    ///
    /// # Errors
    /// [`TapeError::Damaged`] with the record's number.
    pub fn read(&mut self) -> Result<Option<(u64, Record)>, TapeError> {
        let read = self.read_frame()?;
        match &read {
            Some((_, Record::Continued(number))) => self.go_on(*number)?,
            Some(_) => {}
            None => self.check_end()?,
        }
        Ok(read)
    }

    fn damaged(&self, why: String) -> TapeError {
        TapeError::Damaged { path: segment_path(&self.path, self.segment), number: self.number, why }
    }

    /// Goes on in the next file.
    fn go_on(&mut self, number: u32) -> Result<(), TapeError> {
        if number != self.segment + 1 {
            return Err(self.damaged(format!("file {} is followed by file {number}", self.segment)));
        }
        let path = segment_path(&self.path, number);
        let opened = open_file(&path).map_err(|e| e.to_string());
        let opened = opened.and_then(|mut file| read_segment_head(&mut file, self.id, number).map(|()| file));
        self.file = opened.map_err(|why| self.damaged(format!("the tape goes on in {}: {why}", path.display())))?;
        (self.segment, self.at) = (number, SEGMENT_HEAD);
        Ok(())
    }

    /// A file that ends the tape is the last one. (The next may have been made, and have nothing yet.)
    fn check_end(&self) -> Result<(), TapeError> {
        let next = segment_path(&self.path, self.segment + 1);
        match next.metadata() {
            Ok(found) if found.len() > SEGMENT_HEAD => {
                Err(self.damaged(format!("the file ends before it, and {} goes on", next.display())))
            }
            _ => Ok(()),
        }
    }

    /// Goes to the beginning of a segment without reading what stands before. The first record must have been read.
    ///
    /// # Errors
    /// [`TapeError::Damaged`] when the tape does not come there, as far as the ends of its files tell.
    pub fn jump(&mut self, place: &Place) -> Result<(), TapeError> {
        let before = segment_path(&self.path, place.segment.saturating_sub(1));
        let no = |why: String| TapeError::Damaged { path: before.clone(), number: place.record, why };
        let io = |e: io::Error| no(e.to_string());
        // The last frame of the file before says that the tape goes on, and the chain of checks has come to where it should.
        let said = postcard::to_extend(&Record::Continued(place.segment), Vec::new()).unwrap_or_default();
        let mut frame = u32::try_from(said.len()).unwrap_or_default().to_le_bytes().to_vec();
        frame.extend(place.check.to_le_bytes());
        frame.extend(&said);
        let mut file = File::open(&before).map_err(io)?;
        let len = file.metadata().map_err(io)?.len();
        let mut found = vec![0; frame.len()];
        if len != place.before || len < frame.len() as u64 {
            return Err(no(format!("the file has {len} bytes and had {} when it was left", place.before)));
        }
        file.seek(SeekFrom::Start(len - frame.len() as u64)).map_err(io)?;
        fill(&mut file, &mut found).map_err(io)?;
        if found != frame {
            return Err(no("its last record is not the one that it was left with".to_owned()));
        }
        self.segment = place.segment - 1;
        self.go_on(place.segment)?;
        (self.number, self.check) = (place.record, place.check);
        Ok(())
    }

    fn read_frame(&mut self) -> Result<Option<(u64, Record)>, TapeError> {
        let file = segment_path(&self.path, self.segment);
        let io = |source| TapeError::Io { path: file.clone(), source };
        let damaged = |why: String| TapeError::Damaged { path: file.clone(), number: self.number, why };
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
        if self.number == 0 {
            // A `Start` from before it had `maxima` ends where they would begin: zero is an empty list. Behind a whole
            // one it is not read.
            payload.push(0);
        }
        let record = postcard::from_bytes(&payload).map_err(|e| damaged(format!("its bytes do not read: {e}")))?;
        let number = self.number;
        if number == 0 {
            self.id = head;
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

fn open_file(path: &Path) -> io::Result<BufReader<File>> {
    Ok(BufReader::with_capacity(1 << 18, File::open(path)?))
}

/// Carries over what a session that died left staged, file by file.
#[cfg(unix)]
fn recover(path: &Path) -> io::Result<()> {
    let segments: Vec<PathBuf> = (0..).map(|n| segment_path(path, n)).take_while(|p| p.is_file()).collect();
    if !segments.iter().any(|segment| stage::is_left(segment)) {
        return Ok(());
    }
    let first = OpenOptions::new().read(true).write(true).open(path)?;
    match first.try_lock() {
        Ok(()) => {
            let mut carried = 0;
            for segment in segments.iter().filter(|segment| stage::is_left(segment)) {
                carried += stage::recover(segment, &OpenOptions::new().read(true).write(true).open(segment)?)?;
            }
            if carried > 0 {
                tracing::info!(carried, tape = %path.display(), "bytes that a session left staged are on its tape now");
            }
            Ok(())
        }
        Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(e)) => Err(e),
    }
}
