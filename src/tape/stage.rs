//! A tape's stage: files in memory that survive the process, and the thread that carries them to the disk.
//!
//! Whoever decides writes to a file on a memory file system, which waits for no disk. What stands there outlives the
//! death of the process; a thread of its own copies it to the tape and syncs that once a second. Two files take turns:
//! one that was carried over whole is emptied, so that the stage stays as small as the disk is quick. After a crash,
//! whoever opens the tape carries over what is left first. A loss of power takes the stage with it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::form::{Disk, TapeId};

const MAGIC: &[u8; 8] = b"BWSTAGE1";

/// `MAGIC | tape's id | offset in the tape u64 | CRC-32 of these u32 | zeros`, little-endian.
const HEAD: usize = 32;

/// A file that is so long gives its turn to the other, once that is carried over.
const TURN: u64 = 1 << 20;

/// Bytes carried at once.
const PIECE: usize = 1 << 18;

/// How long the thread sleeps when there is nothing to carry. It is not woken: that would cost whoever decides.
const NAP: Duration = Duration::from_millis(5);

/// How often the disk is told to keep what it has.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Two files, open and empty.
pub(super) struct Place {
    files: [File; 2],
    paths: [PathBuf; 2],
}

/// Folders on memory file systems.
fn folders() -> Vec<PathBuf> {
    let shared = PathBuf::from("/dev/shm");
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|d| d.is_absolute());
    [Some(shared), own].into_iter().flatten().filter(|d| d.is_dir()).collect()
}

/// The names of a tape's files, by the hash of its path.
fn names(folder: &Path, tape: &Path) -> [PathBuf; 2] {
    let hash = Sha256::digest(tape.as_os_str().as_encoded_bytes());
    let hash: String = hash.iter().take(12).map(|b| format!("{b:02x}")).collect();
    ["a", "b"].map(|which| folder.join(format!("bellwether-{hash}.{which}")))
}

/// Makes the files of a tape that is locked by us; `None` where there is no memory file system that takes them.
pub(super) fn place(tape: &Path) -> Option<Place> {
    let tape = fs::canonicalize(tape).ok()?;
    folders().into_iter().find_map(|folder| {
        let paths = names(&folder, &tape);
        let made = paths.each_ref().map(|path| {
            // The tape is ours: what stands there is of an earlier one of this name.
            let _ = fs::remove_file(path);
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
        });
        match made {
            [Ok(a), Ok(b)] => Some(Place { files: [a, b], paths }),
            made => {
                for (file, path) in made.iter().zip(&paths) {
                    if file.is_ok() {
                        let _ = fs::remove_file(path);
                    }
                }
                None
            }
        }
    })
}

/// What both threads know.
struct Shared {
    place: Place,
    /// The turn that is being written; turn `n` uses file `n % 2`.
    turn: AtomicU64,
    /// Bytes of each file.
    lens: [AtomicU64; 2],
    /// The turn that is being carried over: those before it are, and their files are empty.
    carrying: AtomicU64,
    /// Bytes carried over.
    carried: AtomicU64,
    /// Of these, bytes that the disk has kept.
    kept: AtomicU64,
    /// Bytes that somebody waits for the disk to have kept.
    wanted: AtomicU64,
    end: AtomicBool,
    failed: OnceLock<(io::ErrorKind, String)>,
}

/// A tape's stage, as its writer has it.
pub(super) struct Stage {
    shared: Arc<Shared>,
    turn: u64,
    len: u64,
    /// Where in the tape the next byte belongs.
    at: u64,
    written: u64,
    id: TapeId,
    thread: Option<JoinHandle<()>>,
}

impl Stage {
    /// Begins to stage what belongs at an offset of the tape, whose end that is.
    pub(super) fn begin(place: Place, id: TapeId, at: u64, disk: Box<dyn Disk>) -> io::Result<Self> {
        write_head(&place.files[0], id, at)?;
        let zero = || AtomicU64::new(0);
        let shared = Arc::new(Shared {
            place,
            turn: zero(),
            lens: [zero(), zero()],
            carrying: zero(),
            carried: zero(),
            kept: zero(),
            wanted: zero(),
            end: AtomicBool::new(false),
            failed: OnceLock::new(),
        });
        let carrier = Carrier { shared: Arc::clone(&shared), disk, turn: 0, at: 0, synced: Instant::now() };
        let thread = std::thread::Builder::new().name("tape".to_owned()).spawn(move || carrier.run())?;
        Ok(Self { shared, turn: 0, len: 0, at, written: 0, id, thread: Some(thread) })
    }

    /// Adds whole records. From now on they survive the death of this process.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        if self.len >= TURN && self.shared.carrying.load(Ordering::Acquire) == self.turn {
            self.next_turn()?;
        }
        let which = usize::from(self.turn % 2 == 1);
        self.shared.place.files[which].write_all_at(bytes, HEAD as u64 + self.len)?;
        self.len += bytes.len() as u64;
        self.at += bytes.len() as u64;
        self.written += bytes.len() as u64;
        self.shared.lens[which].store(self.len, Ordering::Release);
        Ok(())
    }

    /// The other file is empty: its turn.
    fn next_turn(&mut self) -> io::Result<()> {
        let which = usize::from((self.turn + 1) % 2 == 1);
        write_head(&self.shared.place.files[which], self.id, self.at)?;
        self.shared.lens[which].store(0, Ordering::Relaxed);
        self.turn += 1;
        self.len = 0;
        self.shared.turn.store(self.turn, Ordering::Release);
        Ok(())
    }

    /// Bytes that are not on the tape yet.
    pub(super) fn backlog(&self) -> u64 {
        self.written - self.shared.carried.load(Ordering::Relaxed)
    }

    /// Waits until the disk has kept everything.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.shared.wanted.store(self.written, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
        while self.shared.kept.load(Ordering::Acquire) < self.written {
            self.check()?;
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    fn check(&self) -> io::Result<()> {
        self.shared.check()
    }

    /// What is not on the tape yet, for whoever does not write here any more.
    pub(super) fn tail(&self) -> Tail {
        Tail { shared: Arc::clone(&self.shared), written: self.written }
    }

    /// Ends it without waiting: gives a disk that lets nothing through before all that is staged here is kept.
    pub(super) fn retire(self, disk: Box<dyn Disk>) -> io::Result<After> {
        let retiring = std::thread::Builder::new().name("retires".to_owned());
        let tail = self.tail();
        let before = retiring.spawn(move || {
            drop(self);
            tail.shared.check()
        })?;
        Ok(After { before: Some(before), disk })
    }
}

impl Shared {
    fn check(&self) -> io::Result<()> {
        match self.failed.get() {
            Some((kind, why)) => Err(io::Error::new(*kind, why.clone())),
            None => Ok(()),
        }
    }
}

/// What a stage that nobody writes to any more still has to carry.
pub(super) struct Tail {
    shared: Arc<Shared>,
    written: u64,
}

impl Tail {
    /// Bytes that are not on the tape yet.
    pub(super) fn backlog(&self) -> u64 {
        self.written - self.shared.carried.load(Ordering::Relaxed)
    }

    /// Waits until the disk has kept all of it.
    pub(super) fn wait(&self) -> io::Result<()> {
        while self.shared.kept.load(Ordering::Acquire) < self.written {
            self.shared.check()?;
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }
}

/// A disk that begins when the one before has kept everything: what follows on a tape is never there without what it
/// follows.
pub(super) struct After {
    before: Option<JoinHandle<io::Result<()>>>,
    disk: Box<dyn Disk>,
}

impl After {
    fn wait(&mut self) -> io::Result<()> {
        match self.before.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(io::Error::other("the thread of the file before panicked")),
        }
    }
}

impl Disk for After {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wait()?;
        self.disk.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.wait()?;
        self.disk.sync()
    }
}

impl Drop for After {
    /// Whoever ends the tape waits for all of it.
    fn drop(&mut self) {
        let _ = self.wait();
    }
}

impl Drop for Stage {
    /// Carries everything over, and takes the files away; after a failure they stay, for whoever opens the tape next.
    fn drop(&mut self) {
        self.shared.end.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        thread.thread().unpark();
        if thread.join().is_ok() && self.shared.failed.get().is_none() {
            for path in &self.shared.place.paths {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// The thread that carries.
struct Carrier {
    shared: Arc<Shared>,
    disk: Box<dyn Disk>,
    turn: u64,
    at: u64,
    synced: Instant,
}

impl Carrier {
    fn run(mut self) {
        let mut piece = vec![0; PIECE];
        loop {
            match self.step(&mut piece) {
                Ok(true) => {}
                Ok(false) => return,
                Err(e) => {
                    let _ = self.shared.failed.set((e.kind(), e.to_string()));
                    return;
                }
            }
        }
    }

    /// Carries a piece, or naps; false at the end.
    fn step(&mut self, piece: &mut [u8]) -> io::Result<bool> {
        // In this order: who sees that all is over, or the next turn, sees the last length of this one.
        let end = self.shared.end.load(Ordering::Acquire);
        let newest = self.shared.turn.load(Ordering::Acquire);
        let which = usize::from(self.turn % 2 == 1);
        let len = self.shared.lens[which].load(Ordering::Acquire);
        if self.at < len {
            let count = usize::try_from(len - self.at).unwrap_or(PIECE).min(piece.len());
            self.shared.place.files[which].read_exact_at(&mut piece[..count], HEAD as u64 + self.at)?;
            self.disk.write_all(&piece[..count])?;
            self.at += count as u64;
            self.shared.carried.fetch_add(count as u64, Ordering::Release);
        } else if newest > self.turn {
            self.shared.place.files[which].set_len(0)?;
            (self.turn, self.at) = (self.turn + 1, 0);
            self.shared.carrying.store(self.turn, Ordering::Release);
        } else if self.is_sync_due(end) {
            self.disk.sync()?;
            self.synced = Instant::now();
            self.shared.kept.store(self.shared.carried.load(Ordering::Relaxed), Ordering::Release);
        } else if end {
            return Ok(false);
        } else {
            std::thread::park_timeout(NAP);
        }
        Ok(true)
    }

    fn is_sync_due(&self, end: bool) -> bool {
        let kept = self.shared.kept.load(Ordering::Relaxed);
        kept < self.shared.carried.load(Ordering::Relaxed)
            && (end || kept < self.shared.wanted.load(Ordering::Acquire) || self.synced.elapsed() >= SYNC_EVERY)
    }
}

fn write_head(file: &File, id: TapeId, at: u64) -> io::Result<()> {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(MAGIC);
    head[8..16].copy_from_slice(&id);
    head[16..24].copy_from_slice(&at.to_le_bytes());
    let check = crc32fast::hash(&head[..24]);
    head[24..28].copy_from_slice(&check.to_le_bytes());
    file.write_all_at(&head, 0)
}

/// Reads a head: the tape's id and the offset.
fn read_head(file: &File) -> Option<(TapeId, u64)> {
    let mut head = [0; HEAD];
    file.read_exact_at(&mut head, 0).ok()?;
    let (id, at, check) = (head[8..16].try_into().ok()?, head[16..24].try_into().ok()?, head[24..28].try_into().ok()?);
    let whole = &head[..8] == MAGIC && u32::from_le_bytes(check) == crc32fast::hash(&head[..24]);
    whole.then(|| (id, u64::from_le_bytes(at)))
}

/// Carries over what a dead process left of a tape that is locked by us. Says how many bytes that were.
pub(super) fn recover(tape: &Path, file: &File) -> io::Result<u64> {
    let path = fs::canonicalize(tape)?;
    let mut id = [0; 8];
    if file.metadata()?.len() < 16 {
        return Ok(0);
    }
    file.read_exact_at(&mut id, 8)?;
    let mut left = Vec::new();
    for name in names_of_all(&path) {
        let Some(stage) = open_left(&name, file)? else { continue };
        match read_head(&stage) {
            Some((of, at)) if of == id => left.push((at, stage, name)),
            // Of another tape that had this name.
            Some(_) => {}
            // Its turn had not come, or had gone.
            None => fs::remove_file(&name)?,
        }
    }
    left.sort_by_key(|(at, ..)| *at);
    let mut carried = 0;
    for (at, stage, _) in &left {
        let (end, until) = (file.metadata()?.len(), at + stage.metadata()?.len().saturating_sub(HEAD as u64));
        if *at > end && until > *at {
            return Err(io::Error::other(format!("what was staged begins at byte {at}, and the tape ends at {end}")));
        }
        if until > end {
            let mut rest = vec![0; usize::try_from(until - end).map_err(io::Error::other)?];
            stage.read_exact_at(&mut rest, HEAD as u64 + end - at)?;
            file.write_all_at(&rest, end)?;
            carried += until - end;
        }
    }
    file.sync_data()?;
    for (.., name) in &left {
        fs::remove_file(name)?;
    }
    Ok(carried)
}

/// Whether somebody staged for this tape and did not take it away.
pub(super) fn is_left(tape: &Path) -> bool {
    fs::canonicalize(tape).is_ok_and(|path| names_of_all(&path).iter().any(|name| name.exists()))
}

pub(super) fn names_of_all(tape: &Path) -> Vec<PathBuf> {
    folders().iter().flat_map(|folder| names(folder, tape)).collect()
}

/// Opens a file that was left. Where anybody may write, somebody else's file is not for us.
fn open_left(name: &Path, tape: &File) -> io::Result<Option<File>> {
    match fs::symlink_metadata(name) {
        Ok(found) if found.is_file() && found.uid() == tape.metadata()?.uid() => File::open(name).map(Some),
        Ok(_) => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
