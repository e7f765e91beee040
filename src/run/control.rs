//! Sessions that run, and what is asked of them from outside: locks, requests, the kill switch's file.
//!
//! ```text
//! <state>/STOP                    a kill switch: every session stops at once, and none starts while it is there
//! <state>/locks/NAME.lock         held by the running session of that name; says what it is
//! <state>/locks/NAME.ask          what somebody asks of it, taken within half a second
//! <state>/locks/NAME.kill         the same of a kill switch that was pulled: no other request takes its place
//! <state>/locks/NAME.said        what it answers
//! <state>/locks/NAME.tripped      why its guard tripped; no new session starts on the account until it is armed
//! <state>/locks/NAME.day          what each session of the UTC day made on the account
//! ```
//!
//! NAME is venue and account (`binance-main`), for paper `paper` and the tape's name. A lock is the system's: it goes
//! with its process, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::RunError;
use super::foreign::AdoptAsked;
use super::swap::ChangeAsked;
use crate::config::create_private;

/// A look at a lock holds it for a moment: a claim tries again so often, ...
const TRIES: u32 = 5;
/// ... after so long.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// What somebody asks of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Asked {
    /// Ends it as Ctrl-C would.
    Stop,
    /// Pulls the kill switch.
    Kill {
        /// Close positions too.
        flatten: bool,
        /// Who.
        operator: String,
        /// Why.
        reason: String,
    },
    /// Changes a strategy: another version, other parameters.
    Change(Box<ChangeAsked>),
    /// Arms the guard again.
    Arm {
        /// Who.
        operator: String,
        /// Why.
        reason: String,
    },
    /// Takes what others left at the venue into the books.
    Adopt(Box<AdoptAsked>),
}

/// What a session answers to what was asked of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The number by which it was asked.
    pub number: u64,
    /// How far it has come: `refused`, `in`, `kept` or `taken back`; of what is taken over, `refused` or `adopted`.
    pub step: String,
    /// With what, or why.
    pub text: String,
}

/// A running session, as its lock tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Running {
    /// Its name.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// `paper` or `live`.
    pub mode: String,
    /// Its tape.
    pub tape: Option<PathBuf>,
}

/// The names that a session goes by: those of its accounts.
#[derive(Debug)]
pub(super) struct Claims {
    state: PathBuf,
    held: Vec<(String, File)>,
}

impl Claims {
    /// Takes the locks of a session's names, or none of them.
    ///
    /// # Errors
    /// [`RunError::Refused`] when another session has one, the kill switch's file is there, or, for a session that does
    /// not go on with a tape, a guard that tripped on the account was not armed.
    pub(super) fn take(state: &Path, names: &[String], about: &Running, fresh: bool) -> Result<Self, RunError> {
        if state.join("STOP").exists() {
            return Err(RunError::Refused(format!(
                "{} is there: the kill switch was pulled; `bellwether arm --reason …` takes it away",
                state.join("STOP").display()
            )));
        }
        create_private(&locks(state)).map_err(|e| failed("making", &locks(state), &e))?;
        let mut held = Vec::new();
        for name in names {
            held.push((name.clone(), claim(state, name, about)?));
        }
        let claims = Self { state: state.to_owned(), held };
        for name in names {
            let _ = std::fs::remove_file(kill_path(state, name));
            let asks = claims.read_ask(&ask_path(state, name));
            if matches!(asks, Some(Asked::Stop | Asked::Kill { .. } | Asked::Change(_) | Asked::Adopt(_))) {
                // It was meant for the session before.
                let _ = std::fs::remove_file(ask_path(state, name));
            }
            let tripped = std::fs::read_to_string(tripped_path(state, name)).ok();
            if let Some(why) = tripped.filter(|_| fresh && !matches!(asks, Some(Asked::Arm { .. }))) {
                return Err(RunError::Refused(format!(
                    "the guard of {name} has tripped and nobody armed it: {}; \
                     look at it, then `bellwether arm --reason …`",
                    why.trim()
                )));
            }
        }
        Ok(claims)
    }

    /// What was asked since the last call.
    pub(super) fn asked(&self) -> Option<Asked> {
        if let Ok(text) = std::fs::read_to_string(self.state.join("STOP")) {
            let reason = "the file STOP".to_owned();
            return Some(Asked::Kill { flatten: text.trim() == "flatten", operator: "file".to_owned(), reason });
        }
        let kills = self.held.iter().map(|(name, _)| kill_path(&self.state, name));
        kills.chain(self.held.iter().map(|(name, _)| ask_path(&self.state, name))).find_map(|path| {
            let asked = self.read_ask(&path)?;
            std::fs::remove_file(path).ok()?;
            Some(asked)
        })
    }

    fn read_ask(&self, path: &Path) -> Option<Asked> {
        let text = std::fs::read_to_string(path).ok()?;
        match serde_json::from_str(&text) {
            Ok(asked) => Some(asked),
            Err(error) => {
                tracing::warn!("what was asked in {} does not read: {error}; it is put aside", path.display());
                let _ = std::fs::rename(path, path.with_extension("unread"));
                None
            }
        }
    }

    /// Answers what was asked.
    pub(super) fn reply(&self, reply: &Reply) {
        for (name, _) in &self.held {
            let path = said_path(&self.state, name);
            let new = path.with_extension("said.new");
            let text = serde_json::to_vec(reply).unwrap_or_default();
            let written = write_private(&new, &text).and_then(|()| std::fs::rename(&new, &path));
            if let Err(error) = written {
                tracing::warn!("answering in {}: {error}", path.display());
            }
        }
    }

    /// The files that say what the account's sessions made on a day, one for each name.
    pub(super) fn days(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.held.iter().map(|(name, _)| day_path(&self.state, name))
    }

    /// Notes that the guard tripped, or (`None`) that it was armed.
    pub(super) fn mark(&self, tripped: Option<&str>) {
        for (name, _) in &self.held {
            let path = tripped_path(&self.state, name);
            let done = match tripped {
                Some(why) => write_private(&path, why.as_bytes()),
                None => std::fs::remove_file(&path).or_else(|e| if path.exists() { Err(e) } else { Ok(()) }),
            };
            if let Err(error) = done {
                tracing::warn!("noting the guard's state in {}: {error}", path.display());
            }
        }
    }
}

/// The sessions that run.
///
/// # Errors
/// [`RunError::Tape`] when the locks cannot be looked at.
pub fn running(state: &Path) -> Result<Vec<Running>, RunError> {
    let dir = locks(state);
    let Ok(entries) = std::fs::read_dir(&dir) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| failed("reading", &dir, &e))?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".lock")) else {
            continue;
        };
        let mut file = File::open(&path).map_err(|e| failed("opening", &path, &e))?;
        if !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
            continue;
        }
        let mut text = String::new();
        let _ = file.read_to_string(&mut text);
        // A session that is just beginning has not said yet what it is.
        let about: Running = serde_json::from_str(&text).unwrap_or_default();
        found.push(Running { name: name.to_owned(), ..about });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Names whose guard has tripped and was not armed, with why.
pub fn tripped(state: &Path) -> Vec<(String, String)> {
    let Ok(entries) = std::fs::read_dir(locks(state)) else { return Vec::new() };
    let read = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_suffix(".tripped")?.to_owned();
        Some((name, std::fs::read_to_string(&path).ok()?.trim().to_owned()))
    };
    let mut found: Vec<_> = entries.filter_map(|e| read(e.ok()?.path())).collect();
    found.sort();
    found
}

/// Asks something of a session, whether it runs or is yet to be taken up.
///
/// # Errors
/// [`RunError::Tape`] when the request cannot be written.
pub fn ask(state: &Path, name: &str, asked: &Asked) -> Result<(), RunError> {
    let dir = locks(state);
    let path = if matches!(asked, Asked::Kill { .. }) { kill_path(state, name) } else { ask_path(state, name) };
    create_private(&dir).map_err(|e| failed("making", &dir, &e))?;
    let text = serde_json::to_vec(asked).map_err(|e| RunError::Tape(e.to_string()))?;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    write_private(&new, &text).and_then(|()| std::fs::rename(&new, &path)).map_err(|e| failed("writing", &path, &e))
}

/// What a session answered last to what was asked of it.
pub fn reply(state: &Path, name: &str) -> Option<Reply> {
    serde_json::from_str(&std::fs::read_to_string(said_path(state, name)).ok()?).ok()
}

/// Takes a tripped guard's mark and what its account lost that day, or the kill switch's file, away: a person has
/// armed it.
///
/// # Errors
/// [`RunError::Tape`] when they cannot be removed.
pub fn clear(state: &Path, name: Option<&str>) -> Result<(), RunError> {
    let paths = match name {
        Some(name) => vec![tripped_path(state, name), day_path(state, name)],
        None => vec![state.join("STOP")],
    };
    paths.iter().try_for_each(|path| match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(failed("removing", path, &e)),
        _ => Ok(()),
    })
}

fn claim(state: &Path, name: &str, about: &Running) -> Result<File, RunError> {
    let path = locks(state).join(format!("{name}.lock"));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).map_err(|e| failed("opening", &path, &e))?;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => {
                let about = Running { name: name.to_owned(), ..about.clone() };
                let text = serde_json::to_vec(&about).map_err(|e| RunError::Tape(e.to_string()))?;
                let written = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
                written.and_then(|_| file.write_all(&text)).map_err(|e| failed("writing", &path, &e))?;
                return Ok(file);
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(TRY_AGAIN),
            Err(TryLockError::Error(e)) => return Err(failed("locking", &path, &e)),
        }
    }
    let other = running(state)?.into_iter().find(|r| r.name == name).unwrap_or_default();
    Err(RunError::Refused(format!(
        "{name} is traded by another session (process {}, tape {}); one account, one session: \
         end that one first with `bellwether stop`",
        other.pid,
        other.tape.map_or_else(|| "unknown".to_owned(), |t| t.display().to_string())
    )))
}

pub(super) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

fn locks(state: &Path) -> PathBuf {
    state.join("locks")
}

fn ask_path(state: &Path, name: &str) -> PathBuf {
    locks(state).join(format!("{name}.ask"))
}

fn kill_path(state: &Path, name: &str) -> PathBuf {
    locks(state).join(format!("{name}.kill"))
}

fn said_path(state: &Path, name: &str) -> PathBuf {
    locks(state).join(format!("{name}.said"))
}

fn tripped_path(state: &Path, name: &str) -> PathBuf {
    locks(state).join(format!("{name}.tripped"))
}

fn day_path(state: &Path, name: &str) -> PathBuf {
    locks(state).join(format!("{name}.day"))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> RunError {
    RunError::Tape(format!("{what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["binance-main".to_owned()]
    }

    fn arm() -> Asked {
        Asked::Arm { operator: "ann".to_owned(), reason: "looked".to_owned() }
    }

    #[test]
    fn one_account_has_one_session_and_the_lock_goes_with_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let about = Running { pid: 7, mode: "live".to_owned(), ..Running::default() };
        let first = Claims::take(dir.path(), &names(), &about, true).expect("the first");
        let second = Claims::take(dir.path(), &names(), &about, true).expect_err("the second");
        assert!(second.to_string().contains("process 7"), "{second}");
        assert_eq!(running(dir.path()).expect("a look")[0].pid, 7);
        drop(first);
        assert_eq!(running(dir.path()).expect("a look"), Vec::new());
        Claims::take(dir.path(), &names(), &about, true).expect("after it");
    }

    #[test]
    fn a_request_is_heard_once_and_a_stale_stop_does_not_meet_the_next_session() {
        let dir = tempfile::tempdir().expect("a folder");
        ask(dir.path(), "binance-main", &Asked::Stop).expect("asked");
        let claims = Claims::take(dir.path(), &names(), &Running::default(), true).expect("claimed");
        assert_eq!(claims.asked(), None);
        ask(dir.path(), "binance-main", &arm()).expect("asked");
        assert_eq!((claims.asked(), claims.asked()), (Some(arm()), None));
        std::fs::write(ask_path(dir.path(), "binance-main"), "{").expect("written");
        assert_eq!(claims.asked(), None);
    }

    #[test]
    fn a_kill_that_nobody_has_heard_yet_is_not_lost_to_the_next_request() {
        let dir = tempfile::tempdir().expect("a folder");
        let kill = Asked::Kill { flatten: true, operator: "ann".to_owned(), reason: "drill".to_owned() };
        ask(dir.path(), "binance-main", &kill).expect("asked");
        let claims = Claims::take(dir.path(), &names(), &Running::default(), true).expect("claimed");
        assert_eq!(claims.asked(), None, "it was meant for the session before");
        ask(dir.path(), "binance-main", &kill).expect("asked");
        ask(dir.path(), "binance-main", &arm()).expect("asked");
        assert_eq!([claims.asked(), claims.asked(), claims.asked()], [Some(kill), Some(arm()), None]);
    }

    #[test]
    fn a_tripped_guard_keeps_new_sessions_out_until_it_is_armed() {
        let dir = tempfile::tempdir().expect("a folder");
        let take = |fresh| Claims::take(dir.path(), &names(), &Running::default(), fresh);
        take(true).expect("claimed").mark(Some("daily_loss_max 60 of 50"));
        let refused = take(true).expect_err("refused").to_string();
        assert!(refused.contains("daily_loss_max 60 of 50"), "{refused}");
        take(false).expect("the tape knows that it has tripped");
        ask(dir.path(), "binance-main", &arm()).expect("asked");
        take(true).expect("armed").mark(None);
        assert_eq!(tripped(dir.path()), Vec::new());
    }

    #[test]
    fn the_file_stop_ends_sessions_and_keeps_new_ones_out() {
        let dir = tempfile::tempdir().expect("a folder");
        let claims = Claims::take(dir.path(), &names(), &Running::default(), true).expect("claimed");
        std::fs::write(dir.path().join("STOP"), "flatten\n").expect("written");
        assert!(matches!(claims.asked(), Some(Asked::Kill { flatten: true, .. })));
        drop(claims);
        assert!(Claims::take(dir.path(), &names(), &Running::default(), true).is_err());
        clear(dir.path(), None).expect("cleared");
        Claims::take(dir.path(), &names(), &Running::default(), true).expect("claimed");
    }
}
