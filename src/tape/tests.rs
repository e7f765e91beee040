//! Stages: what survives a death, and what a slow disk does to whoever writes.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bellwether_sdk::Ts;

use super::{Disk, Record, TapeError, TapeReader, TapeWriter, plain_disk, segment_path, stage};
use crate::config::Durability;

/// A disk that takes its time, or none until it is told to.
struct Slow {
    file: File,
    takes: Duration,
    stuck: Arc<AtomicBool>,
}

impl Disk for Slow {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        std::thread::sleep(self.takes);
        while self.stuck.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        std::thread::sleep(self.takes);
        self.file.sync()
    }
}

/// Holds a disk up; lets it go when dropped, so that a test that fails ends.
struct Hold(Arc<AtomicBool>);

impl Hold {
    fn stick(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn let_go(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// A tape whose first record is on the disk, on a disk that may be slow or stuck from then on.
fn tape(dir: &Path, durability: Durability, takes_ms: u64) -> (TapeWriter, Hold) {
    let stuck = Arc::new(AtomicBool::new(false));
    let (takes, held) = (Duration::from_millis(takes_ms), Arc::clone(&stuck));
    let slow = Arc::new(move |file| -> Box<dyn Disk> { Box::new(Slow { file, takes, stuck: Arc::clone(&held) }) });
    let mut tape = TapeWriter::create_on(&dir.join("t.tape"), durability, 0, slow).expect("created");
    write(&mut tape, 0..1);
    (tape, Hold(stuck))
}

fn write(tape: &mut TapeWriter, clocks: std::ops::Range<i64>) {
    for i in clocks {
        tape.append(&Record::Clock(Ts::from_nanos(i))).expect("appended");
        tape.commit().expect("committed");
    }
}

fn clocks(path: &Path) -> i64 {
    let mut reader = TapeReader::open(path).expect("open");
    let mut count = 0;
    while let Some((_, record)) = reader.read().expect("whole") {
        assert_eq!(record, Record::Clock(Ts::from_nanos(count)));
        count += 1;
    }
    assert_eq!(reader.torn(), 0);
    count
}

/// Whether this machine has a memory file system at the usual place.
fn stages() -> bool {
    let there = Path::new("/dev/shm").is_dir();
    if !there {
        eprintln!("skipped: no /dev/shm");
    }
    there
}

#[test]
fn a_staged_tape_is_the_same_file_as_a_direct_one_however_often_the_stages_take_turns() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut files = Vec::new();
    for durability in [Durability::Staged, Durability::Direct] {
        let path = dir.path().join(format!("{durability:?}.tape"));
        let mut tape = TapeWriter::create(&path, durability).expect("created");
        // Some 5 MB: several turns of 1 MiB.
        for i in 0..300_000 {
            tape.append(&Record::Clock(Ts::from_nanos(1 << 60 | i))).expect("appended");
            if i % 7 == 0 {
                tape.flush().expect("flushed");
            }
        }
        tape.sync().expect("synced");
        assert_eq!(tape.backlog(), 0);
        drop(tape);
        files.push(std::fs::read(path).expect("read"));
    }
    assert_eq!(files[0].len(), files[1].len());
    assert!(files[0] == files[1]);
}

#[test]
fn what_was_flushed_survives_a_death_before_the_disk_had_it() {
    if !stages() {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let (mut tape, stuck) = tape(dir.path(), Durability::Staged, 0);
    assert!(tape.is_staged());
    stuck.stick();
    write(&mut tape, 1..50);
    assert!(tape.backlog() > 0);
    let path = tape.path().to_owned();
    // The living writer is let alone.
    assert_eq!(clocks(&path), 1);
    // In this process its lock cannot be taken from it: what opening does to a dead one's tape is done here. The copy
    // stands at another path, so the stage is taken along under the name of that.
    let copy = dir.path().join("copy.tape");
    std::fs::copy(&path, &copy).expect("copied");
    adopt(&path, &copy);
    assert_eq!(clocks(&copy), 50);
    assert!(!stage::is_left(&copy), "it is taken away once it is on the tape");
    // Carried over twice it would be there twice.
    assert_eq!(clocks(&copy), 50);
    let reader = read_to_the_end(&copy);
    let mut again = TapeWriter::resume(reader, Durability::Staged).expect("resumed");
    assert!(again.is_staged());
    write(&mut again, 50..60);
    drop(again);
    assert_eq!(clocks(&copy), 60);
    stuck.let_go();
    drop(tape);
    assert_eq!(clocks(&path), 50);
    assert!(!stage::is_left(&path));
}

fn read_to_the_end(path: &Path) -> TapeReader {
    let mut reader = TapeReader::open(path).expect("open");
    while reader.read().expect("whole").is_some() {}
    reader
}

/// Copies the stage of a tape to the names of another.
fn adopt(from: &Path, to: &Path) {
    let names = |tape: &Path| stage::names_of_all(&std::fs::canonicalize(tape).expect("a path"));
    let pairs: Vec<(PathBuf, PathBuf)> = names(from).into_iter().zip(names(to)).collect();
    for (from, to) in pairs.iter().filter(|(from, _)| from.exists()) {
        std::fs::copy(from, to).expect("copied");
    }
}

#[test]
fn a_stage_of_another_tape_of_the_same_name_is_not_taken() {
    if !stages() {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let (mut tape, stuck) = tape(dir.path(), Durability::Staged, 0);
    stuck.stick();
    write(&mut tape, 1..50);
    let other = dir.path().join("other.tape");
    let mut second = TapeWriter::create(&other, Durability::Direct).expect("created");
    second.append(&Record::Resume(Ts::from_nanos(7))).expect("appended");
    drop(second);
    adopt(tape.path(), &other);
    let before = std::fs::read(&other).expect("read");
    drop(read_to_the_end(&other));
    assert_eq!(std::fs::read(&other).expect("read"), before);
    for name in stage::names_of_all(&std::fs::canonicalize(&other).expect("a path")) {
        let _ = std::fs::remove_file(name);
    }
    stuck.let_go();
}

#[test]
fn who_writes_does_not_wait_for_a_slow_disk_unless_the_setting_says_so() {
    if !stages() {
        return;
    }
    const TAKES_MS: u64 = 20;
    let slowest = |durability| {
        let dir = tempfile::tempdir().expect("a folder");
        let (mut tape, _stuck) = tape(dir.path(), durability, TAKES_MS);
        let mut took: Vec<Duration> = (1..=40)
            .map(|i| {
                let begun = Instant::now();
                write(&mut tape, i..i + 1);
                begun.elapsed()
            })
            .collect();
        took.sort();
        // The machine may take the processor away now and then; the disk would be slow every time.
        took[took.len() - 3]
    };
    let takes = Duration::from_millis(TAKES_MS);
    let staged = slowest(Durability::Staged);
    assert!(staged < takes / 2, "{staged:?}");
    assert!(slowest(Durability::Direct) >= takes);
    assert!(slowest(Durability::Sync) >= 2 * takes);
}

#[test]
fn a_disk_that_stands_still_stops_orders_then_the_tape_and_loses_nothing() {
    if !stages() {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let (mut tape, stuck) = tape(dir.path(), Durability::Staged, 0);
    stuck.stick();
    let line = "x".repeat(1 << 20);
    let mut behind_at = 0;
    let mut written = 0;
    let end = loop {
        // A record that is refused waits, and is refused again at the next flush.
        written += u32::from(tape.append(&Record::Effect(line.clone())).is_ok());
        if let Err(e) = tape.flush() {
            break e;
        }
        if behind_at == 0 && tape.is_behind() {
            behind_at = written;
        }
        assert!(written < 100, "it goes on without end");
    };
    assert!(matches!(end, TapeError::Behind { backlog, .. } if backlog > 40 << 20), "{end}");
    assert_eq!(behind_at, 16);
    stuck.let_go();
    let path = tape.path().to_owned();
    drop(tape);
    let mut reader = TapeReader::open(&path).expect("open");
    let mut effects = 0;
    while let Some((_, record)) = reader.read().expect("whole") {
        effects += u32::from(matches!(record, Record::Effect(_)));
    }
    assert!(effects >= 40, "{effects}");
}

#[test]
fn a_tape_that_is_being_written_is_not_taken_up_by_another() {
    let dir = tempfile::tempdir().expect("a folder");
    let (tape, _stuck) = tape(dir.path(), Durability::Staged, 0);
    let refused = TapeWriter::resume(read_to_the_end(tape.path()), Durability::Staged).err();
    assert!(matches!(refused, Some(TapeError::Busy { .. })));
    let path = tape.path().to_owned();
    drop(tape);
    TapeWriter::resume(read_to_the_end(&path), Durability::Staged).map(drop).expect("nobody writes it now");
    assert!(OpenOptions::new().read(true).open(&path).is_ok());
}

#[test]
fn a_next_file_that_cannot_be_made_leaves_the_tape_in_the_present_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("t.tape");
    let mut tape = TapeWriter::create_on(&path, Durability::Direct, 1_000, plain_disk()).expect("created");
    // What stands there is no empty file of this tape.
    let blocked = segment_path(&path, 1);
    std::fs::write(&blocked, [7; 100]).expect("written");
    write(&mut tape, 0..120);
    assert!(tape.is_full());
    assert_eq!(tape.turn().expect("goes on"), None);
    assert!(!tape.is_full(), "it tries again at once");
    std::fs::remove_file(&blocked).expect("removed");
    write(&mut tape, 120..300);
    assert!(tape.is_full());
    let place = tape.turn().expect("goes on").expect("a place");
    assert_eq!((place.segment, place.record), (1, 301));
    write(&mut tape, 300..310);
    drop(tape);
    let mut reader = TapeReader::open(&path).expect("open");
    let mut count = 0;
    while let Some((_, record)) = reader.read().expect("whole") {
        count += u64::from(matches!(record, Record::Clock(_)));
    }
    assert_eq!((count, reader.torn()), (310, 0));
}
