//! The spool of one place: messages that are not delivered yet, on disk, in order, within a bound.
//!
//! Lines of JSON in one file, and in another the count of bytes delivered, the last number given, and the count of messages
//! dropped since. When all is delivered the lines begin anew: after their numbers stand in the mark, so that a process that
//! dies in between never gives a number again. A line that a crash cut off is dropped when the file is opened; a delivery
//! whose mark was lost is made again, with its number.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

use super::{Message, Notice};

/// Messages on disk.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    mark_path: PathBuf,
    file: File,
    /// Bytes delivered, and bytes there are.
    delivered: u64,
    size: u64,
    bytes_max: u64,
    next_number: u64,
    /// What makes ids of this spool its own: the place's name, and a word that no other folder of spools has.
    name: String,
    /// Messages dropped since one was taken last.
    dropped: u64,
    /// Its lock, while it is open.
    _lock: File,
}

/// Sessions that may deliver to one place at a time.
const SHARERS: usize = 32;
/// A process that starts another holds its locks for a moment longer.
const LOCK_TRIES: usize = 10;
const LOCK_AGAIN: Duration = Duration::from_millis(20);

impl Spool {
    /// Opens the spool of a place in a folder, with what waited when it was closed. Each session that delivers to the place
    /// at the same time has one of its own, `NAME`, `NAME.2`, …: one in which something waits first.
    ///
    /// # Errors
    /// As the system says; or when too many sessions deliver to the place.
    pub fn open(dir: &Path, name: &str, bytes_max: u64) -> io::Result<Self> {
        crate::config::create_private(dir)?;
        let names: Vec<String> =
            (1..=SHARERS).map(|n| if n == 1 { name.to_owned() } else { format!("{name}.{n}") }).collect();
        let waits = |name: &&String| fs::metadata(dir.join(format!("{name}.jsonl"))).is_ok_and(|m| m.len() > 0);
        for name in names.iter().filter(waits).chain(&names) {
            if let Some(lock) = lock(&dir.join(format!("{name}.lock")))? {
                return Self::open_locked(dir, name, bytes_max, lock);
            }
        }
        Err(io::Error::other(format!("{SHARERS} sessions deliver to {name} already")))
    }

    fn open_locked(dir: &Path, name: &str, bytes_max: u64, lock: File) -> io::Result<Self> {
        let path = dir.join(format!("{name}.jsonl"));
        let mark_path = dir.join(format!("{name}.mark"));
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path)?;
        let size = whole_lines(&mut file)?;
        file.set_len(size)?;
        let mark = fs::read_to_string(&mark_path).unwrap_or_default();
        let mut mark = mark.split_whitespace().map(|n| n.parse::<u64>().unwrap_or(0));
        let marked = mark.next().unwrap_or(0);
        // A mark beyond the lines is of lines that have begun anew since.
        let delivered = if marked > size { 0 } else { marked };
        let numbered = mark.next().unwrap_or(0);
        let dropped = mark.next().unwrap_or(0);
        let mut spool = Self {
            path,
            mark_path,
            file,
            delivered,
            size,
            bytes_max,
            next_number: numbered + 1,
            name: format!("{name}-{}", origin(dir)?),
            dropped,
            _lock: lock,
        };
        spool.next_number = spool.last_number()?.max(numbered) + 1;
        if marked > size {
            spool.mark()?;
        }
        Ok(spool)
    }

    /// Takes a notice; false when there is no room and it was dropped, which the next message that is taken says.
    ///
    /// # Errors
    /// As the system says.
    pub fn put(&mut self, text: String, notice: Notice) -> io::Result<bool> {
        let text = match self.dropped {
            0 => text,
            n => format!("{text}\n({n} messages before this one were dropped: the spool was full)"),
        };
        let number = self.next_number;
        let message = Message { number, id: format!("{}-{number}", self.name), text, notice };
        let mut line = serde_json::to_vec(&message).map_err(io::Error::other)?;
        line.push(b'\n');
        if self.size - self.delivered + line.len() as u64 > self.bytes_max {
            self.dropped += 1;
            // Also the next session has to say it.
            self.mark()?;
            return Ok(false);
        }
        if let Err(error) = self.file.write_all(&line) {
            // A part of it may stand there, and the next line would be one with it.
            self.dropped += 1;
            self.file.set_len(self.size)?;
            return Err(error);
        }
        self.size += line.len() as u64;
        self.next_number = number + 1;
        if std::mem::take(&mut self.dropped) > 0 {
            self.mark()?;
        }
        Ok(true)
    }

    /// The first message that waits, with its length on disk.
    ///
    /// # Errors
    /// As the system says.
    pub fn first(&mut self) -> io::Result<Option<(Message, u64)>> {
        while self.delivered < self.size {
            let mut reader = BufReader::new(File::open(&self.path)?);
            reader.seek(SeekFrom::Start(self.delivered))?;
            let mut line = Vec::new();
            let length = reader.read_until(b'\n', &mut line)? as u64;
            match serde_json::from_slice(&line) {
                Ok(message) => return Ok(Some((message, length))),
                // Somebody wrote into the file. What does not read is passed over.
                Err(_) if length > 0 => self.delivered(length)?,
                Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The first message, of this length, is delivered.
    ///
    /// # Errors
    /// As the system says.
    pub fn delivered(&mut self, length: u64) -> io::Result<()> {
        self.delivered += length;
        self.mark()?;
        if self.delivered >= self.size {
            self.file.set_len(0)?;
            (self.delivered, self.size) = (0, 0);
            self.mark()?;
        }
        Ok(())
    }

    fn mark(&self) -> io::Result<()> {
        let part = self.mark_path.with_extension("mark.part");
        fs::write(&part, format!("{} {} {}", self.delivered, self.next_number - 1, self.dropped))?;
        fs::rename(&part, &self.mark_path)
    }

    /// Puts a message aside that its place will never take.
    ///
    /// # Errors
    /// As the system says.
    pub fn set_aside(&self, message: &Message, why: &str) -> io::Result<()> {
        let path = self.path.with_extension("refused.jsonl");
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let line = serde_json::json!({"why": why, "message": message});
        file.write_all(format!("{line}\n").as_bytes())
    }

    /// Bytes that wait.
    pub const fn waiting(&self) -> u64 {
        self.size - self.delivered
    }

    fn last_number(&self) -> io::Result<u64> {
        let mut last = 0;
        for line in BufReader::new(File::open(&self.path)?).lines() {
            if let Ok(message) = serde_json::from_str::<Message>(&line?) {
                last = message.number;
            }
        }
        Ok(last)
    }
}

/// The lock of a spool, if nobody has it.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_AGAIN),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// How many bytes of a file are whole lines.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut reader = BufReader::new(&mut *file);
    reader.seek(SeekFrom::Start(0))?;
    let (mut whole, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)? as u64;
        if read == 0 || !line.ends_with(b"\n") {
            return Ok(whole);
        }
        whole += read;
    }
}

/// The word of a folder of spools, made when there is none: a receiver that remembers ids must not take the first messages
/// of a new folder for those of one before.
fn origin(dir: &Path) -> io::Result<String> {
    let path = dir.join("origin");
    match fs::read_to_string(&path) {
        Ok(word) if !word.trim().is_empty() => return Ok(word.trim().to_owned()),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let mut bytes = [0; 6];
    let filled = SecureRandom::fill(&SystemRandom::new(), &mut bytes);
    filled.map_err(|_| io::Error::other("the system gives no random bytes"))?;
    let word = crate::orders::hex(&bytes);
    fs::write(&path, &word)?;
    Ok(word)
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::Ts;

    use super::*;
    use crate::config::Level;

    fn notice(text: &str) -> Notice {
        Notice::new(Ts::from_millis(1), Level::Info, "fill", text)
    }

    fn put(spool: &mut Spool, text: &str) -> bool {
        spool.put(text.to_owned(), notice(text)).expect("written")
    }

    fn next(spool: &mut Spool) -> Option<String> {
        let (message, length) = spool.first().expect("read")?;
        spool.delivered(length).expect("marked");
        let (name, number) = message.id.rsplit_once('-').expect("a number");
        let (name, origin) = name.rsplit_once('-').expect("a word of its own");
        assert_eq!(origin.len(), 12, "{origin}");
        Some(format!("{name}-{number} {}", message.text))
    }

    #[test]
    fn messages_survive_the_process_and_come_in_order_once() {
        let dir = tempfile::tempdir().expect("folder");
        let mut spool = Spool::open(dir.path(), "chat", 10_000).expect("open");
        ["a", "b", "c"].iter().for_each(|t| assert!(put(&mut spool, t)));
        assert_eq!(next(&mut spool).as_deref(), Some("chat-1 a"));
        drop(spool);
        let mut spool = Spool::open(dir.path(), "chat", 10_000).expect("open");
        assert!(put(&mut spool, "d"));
        let rest: Vec<_> = std::iter::from_fn(|| next(&mut spool)).collect();
        assert_eq!(rest, ["chat-2 b", "chat-3 c", "chat-4 d"]);
        drop(spool);
        // An empty spool goes on counting.
        let mut spool = Spool::open(dir.path(), "chat", 10_000).expect("open");
        assert!(put(&mut spool, "e"));
        assert_eq!(next(&mut spool).as_deref(), Some("chat-5 e"));
    }

    #[test]
    fn a_process_that_dies_in_a_delivery_gives_no_number_to_two_messages_and_loses_none() {
        let dir = tempfile::tempdir().expect("folder");
        let open = || Spool::open(dir.path(), "chat", 10_000).expect("open");
        let mark = || fs::read(dir.path().join("chat.mark")).expect("a mark");
        let mut spool = open();
        ["a", "b"].iter().for_each(|t| assert!(put(&mut spool, t)));
        assert_eq!(next(&mut spool).as_deref(), Some("chat-1 a"));
        // Between the mark of the last one and the new beginning of the lines.
        let lines = fs::read(dir.path().join("chat.jsonl")).expect("lines");
        spool.delivered = lines.len() as u64;
        spool.mark().expect("marked");
        let marked = mark();
        drop(spool);
        let mut spool = open();
        assert_eq!(spool.first().expect("read"), None);
        assert!(put(&mut spool, "c"));
        assert_eq!(next(&mut spool).as_deref(), Some("chat-3 c"));
        drop(spool);
        // After the lines began anew, before that is marked: also a line that is shorter than what was marked is there.
        fs::write(dir.path().join("chat.jsonl"), b"").expect("emptied");
        fs::write(dir.path().join("chat.mark"), &marked).expect("marked");
        assert!(put(&mut open(), "d"));
        let mut spool = open();
        assert_eq!(next(&mut spool).as_deref(), Some("chat-3 d"));
        assert_eq!(next(&mut spool), None);
    }

    #[test]
    fn sessions_that_deliver_to_one_place_do_not_touch_each_others_messages() {
        let dir = tempfile::tempdir().expect("folder");
        let open = || Spool::open(dir.path(), "chat", 10_000).expect("open");
        let (mut one, mut two) = (open(), open());
        assert!(put(&mut one, "a") && put(&mut two, "b") && put(&mut two, "c"));
        assert_eq!((next(&mut one).as_deref(), next(&mut two).as_deref()), (Some("chat-1 a"), Some("chat.2-1 b")));
        drop((one, two));
        // The next session delivers what is left, whosever it was.
        let mut spool = open();
        assert_eq!(next(&mut spool).as_deref(), Some("chat.2-2 c"));
        assert!(put(&mut spool, "d"));
        assert_eq!(next(&mut spool).as_deref(), Some("chat.2-3 d"));
    }

    #[test]
    fn a_folder_that_was_thrown_away_does_not_give_its_ids_again() {
        let id = || {
            let dir = tempfile::tempdir().expect("folder");
            let mut spool = Spool::open(dir.path(), "chat", 10_000).expect("open");
            assert!(put(&mut spool, "a"));
            spool.first().expect("read").expect("one").0.id
        };
        assert_ne!(id(), id());
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_the_next_one_says_so() {
        let dir = tempfile::tempdir().expect("folder");
        let mut spool = Spool::open(dir.path(), "chat", 400).expect("open");
        let taken = (0..10).filter(|i| put(&mut spool, &format!("message {i}"))).count();
        assert!((1..10).contains(&taken), "{taken}");
        while next(&mut spool).is_some() {}
        assert!(put(&mut spool, "room again"));
        let said = next(&mut spool).expect("a message");
        assert!(said.contains(&format!("({} messages before this one were dropped", 10 - taken)), "{said}");
    }

    #[test]
    fn a_line_that_a_crash_cut_off_is_no_message() {
        let dir = tempfile::tempdir().expect("folder");
        let mut spool = Spool::open(dir.path(), "chat", 10_000).expect("open");
        assert!(put(&mut spool, "whole"));
        drop(spool);
        let path = dir.path().join("chat.jsonl");
        let mut file = OpenOptions::new().append(true).open(path).expect("file");
        file.write_all(b"{\"number\":2,\"te").expect("written");
        let mut spool = Spool::open(dir.path(), "chat", 10_000).expect("open");
        assert!(put(&mut spool, "next"));
        let all: Vec<_> = std::iter::from_fn(|| next(&mut spool)).collect();
        assert_eq!(all, ["chat-1 whole", "chat-2 next"]);
    }
}
