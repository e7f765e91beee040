//! What the sessions of an account made on a UTC day, beside its lock: so that a new session of that day goes on with
//! the day's loss, and does not begin with the whole limit again.
//!
//! What is kept is what each made, not the equity at which the day began: money that came or went between two sessions
//! is no profit of either, and another session may count other coins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use bellwether_sdk::{Decimal, Interval, Money, Ts};
use serde::{Deserialize, Serialize};

use super::RunError;
use super::control::write_private;

/// How often it is written at most: so much is missing after a crash.
const KEEP_EVERY_NS: i64 = 5_000_000_000;

/// What a session made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Made {
    result: Decimal,
    currency: String,
}

/// The file of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct File {
    /// The UTC day, counted from 1970.
    day: i64,
    /// By the session's number.
    sessions: BTreeMap<String, Made>,
}

/// What is kept of a day, for each of a session's accounts.
pub(super) struct Day {
    own: String,
    files: Vec<(PathBuf, File)>,
    kept: Option<Made>,
    /// Whether a file may hold what counts no more.
    forgot: bool,
    due: Ts,
    /// The files that are being written: whoever trades does not wait for a disk.
    writing: Option<JoinHandle<()>>,
}

impl Drop for Day {
    /// The next session of the account finds what this one wrote last.
    fn drop(&mut self) {
        self.wait();
    }
}

impl Day {
    /// What the accounts' files say of the day of `now`; `number` is the session's own.
    ///
    /// # Errors
    /// [`RunError::Refused`] for a file that does not read: nobody knows what was lost.
    pub(super) fn open(paths: impl Iterator<Item = PathBuf>, number: u64, now: Ts) -> Result<Self, RunError> {
        let files = paths.map(|path| Ok((path.clone(), read(&path, day_of(now))?))).collect::<Result<_, RunError>>()?;
        Ok(Self { own: format!("{number:016x}"), files, kept: None, forgot: false, due: Ts::NONE, writing: None })
    }

    /// What the other sessions of the day made, in a currency with so many digits, and what cannot be counted in it. A
    /// session that had several accounts counts once.
    pub(super) fn earlier(&self, (currency, scale): (&str, u8)) -> (Money, Vec<String>) {
        let all: BTreeMap<&String, &Made> =
            self.files.iter().flat_map(|(_, f)| &f.sessions).filter(|(number, _)| **number != self.own).collect();
        let (same, other): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, m)| m.currency == currency);
        let sum = same.iter().fold(0i128, |sum, (_, m)| sum.saturating_add(mantissa(m.result, scale)));
        let said = other.iter().map(|(number, m)| {
            format!("what session {number} made today is not counted to the day's loss: {} {}", m.result, m.currency)
        });
        (Money::from_mantissa(sum), said.collect())
    }

    /// A person armed the guard: what was lost before counts no more.
    pub(super) fn forget(&mut self) {
        self.files.iter_mut().for_each(|(_, file)| file.sessions.clear());
        (self.kept, self.forgot, self.due) = (None, true, Ts::NONE);
    }

    /// Keeps what the session has made until engine time `now`, when it is time and the last was written, or at once.
    /// What cannot be written is told in the log.
    pub(super) fn keep(&mut self, now: Ts, made: Money, (currency, scale): (&str, u8), at_once: bool) {
        let is_writing = self.writing.as_ref().is_some_and(|w| !w.is_finished());
        if now == Ts::NONE || (now < self.due || is_writing) && !at_once {
            return;
        }
        self.wait();
        self.due = now.plus(KEEP_EVERY_NS);
        let made = Made { result: rounded(made, scale).normalized(), currency: currency.to_owned() };
        let known = |(_, file): &(_, File)| file.sessions.contains_key(&self.own);
        let nothing = made.result.mantissa() == 0 && !self.forgot && !self.files.iter().any(known);
        if nothing || self.kept.as_ref() == Some(&made) {
            return;
        }
        let (day, mut texts) = (day_of(now), Vec::new());
        for (path, file) in &mut self.files {
            if file.day != day {
                *file = File { day, ..File::default() };
            }
            file.sessions.insert(self.own.clone(), made.clone());
            texts.push((path.clone(), serde_json::to_vec(file).unwrap_or_default()));
        }
        let thread = std::thread::Builder::new().name("day".to_owned());
        self.writing = thread.spawn(move || texts.iter().for_each(|(path, text)| write(path, text))).ok();
        (self.kept, self.forgot) = (self.writing.is_some().then_some(made), false);
        if at_once {
            self.wait();
        }
    }

    fn wait(&mut self) {
        // It has said in the log what went wrong.
        let _ = self.writing.take().map(JoinHandle::join);
    }
}

fn write(path: &Path, text: &[u8]) {
    let new = path.with_extension("day.new");
    if let Err(error) = write_private(&new, text).and_then(|()| std::fs::rename(&new, path)) {
        tracing::warn!("keeping what the session made today in {}: {error}", path.display());
    }
}

fn day_of(at: Ts) -> i64 {
    at.nanos().div_euclid(Interval::DAY.nanos())
}

/// A file, as far as it is of a day.
fn read(path: &Path, day: i64) -> Result<File, RunError> {
    let nothing = File { day, ..File::default() };
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(nothing),
        Err(e) => return Err(RunError::Tape(format!("reading {}: {e}", path.display()))),
    };
    let file: File = serde_json::from_slice(&text).map_err(|e| {
        RunError::Refused(format!(
            "{} does not read: {e}; it says what the account lost today, remove it if that was nothing",
            path.display()
        ))
    })?;
    Ok(if file.day == day { file } else { nothing })
}

/// An amount in at most eight digits, rounded to the loss; what does not fit then is as much as does.
fn rounded(amount: Money, scale: u8) -> Decimal {
    let (mantissa, kept) = (amount.mantissa(), scale.min(8));
    let cut = mantissa.div_euclid(10i128.pow(u32::from(scale - kept)));
    let most = if cut < 0 { i64::MIN + 1 } else { i64::MAX };
    Decimal::new(i64::try_from(cut).unwrap_or(most), kept)
}

/// A sum at a scale; digits that do not fit are rounded to the loss.
fn mantissa(amount: Decimal, scale: u8) -> i128 {
    let (mantissa, from) = (i128::from(amount.mantissa()), u32::from(amount.scale()));
    match u32::from(scale).checked_sub(from) {
        Some(more) => mantissa.saturating_mul(10i128.pow(more)),
        None => mantissa.div_euclid(10i128.pow(from - u32::from(scale))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USDT: (&str, u8) = ("USDT", 2);

    fn hour(n: i64) -> Ts {
        Ts::from_nanos(n * Interval::HOUR.nanos())
    }

    /// A session of accounts in a folder, at an hour.
    fn session(dir: &Path, names: &[&str], number: u64, at: i64) -> Day {
        let paths: Vec<PathBuf> = names.iter().map(|name| dir.join(format!("{name}.day"))).collect();
        Day::open(paths.into_iter(), number, hour(at)).expect("it reads")
    }

    fn made(hundredths: i128) -> Money {
        Money::from_mantissa(hundredths)
    }

    #[test]
    fn a_new_session_of_the_day_counts_what_earlier_ones_made_and_each_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path();
        session(dir, &["a", "b"], 1, 1).keep(hour(1), made(-1_250), USDT, true);
        session(dir, &["a"], 2, 2).keep(hour(2), made(250), USDT, true);
        session(dir, &["b"], 3, 3).keep(hour(3), made(-100), USDT, true);
        assert_eq!(session(dir, &["a"], 4, 4).earlier(USDT).0, made(-1_000));
        assert_eq!(session(dir, &["a", "b"], 4, 4).earlier(USDT).0, made(-1_100), "the first had both accounts");
        assert_eq!(session(dir, &["a"], 2, 4).earlier(USDT).0, made(-1_250), "it is taken up: its own is in its books");
        assert_eq!(session(dir, &["a"], 4, 25).earlier(USDT).0, made(0), "of yesterday");
        assert_eq!(session(dir, &["c"], 4, 4).earlier(USDT).0, made(0), "another account");
        let (sum, said) = session(dir, &["b"], 4, 4).earlier(("EUR", 2));
        assert_eq!((sum, said.len()), (made(0), 2), "{said:?}");
        assert!(said[0].ends_with("is not counted to the day's loss: -12.5 USDT"), "{said:?}");
    }

    #[test]
    fn a_session_keeps_its_last_result_of_the_day_and_an_armed_guard_forgets_what_was_before() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path();
        session(dir, &["a"], 1, 1).keep(hour(1), made(-500), USDT, true);
        let mut second = session(dir, &["a"], 2, 2);
        second.keep(hour(2), made(0), USDT, true);
        second.keep(hour(3), made(-200), USDT, false);
        second.keep(hour(3), made(-300), USDT, false);
        second.wait();
        assert_eq!(session(dir, &["a"], 3, 4).earlier(USDT).0, made(-700), "not so often");
        second.keep(hour(3), made(-300), USDT, true);
        assert_eq!(session(dir, &["a"], 3, 4).earlier(USDT).0, made(-800));
        second.forget();
        second.keep(hour(4), made(-10), USDT, false);
        second.wait();
        assert_eq!(session(dir, &["a"], 3, 4).earlier(USDT).0, made(-10));
        second.forget();
        second.keep(hour(5), made(0), USDT, true);
        assert_eq!(session(dir, &["a"], 3, 6).earlier(USDT).0, made(0), "also where nothing was made since");
        // Over midnight the day begins anew.
        second.keep(hour(25), made(-1), USDT, true);
        assert_eq!(session(dir, &["a"], 3, 26).earlier(USDT).0, made(-1));
    }

    #[test]
    fn a_file_that_does_not_read_keeps_a_session_out_with_what_to_do() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.day");
        std::fs::write(&path, "{").expect("written");
        let error = Day::open([path].into_iter(), 1, hour(1)).map(|_| ()).expect_err("a refusal");
        assert!(matches!(&error, RunError::Refused(why) if why.contains("remove it if that was nothing")), "{error}");
    }

    #[test]
    fn digits_that_do_not_fit_are_rounded_to_the_loss() {
        let of = |text: &str| mantissa(text.parse().expect("a decimal"), 2);
        assert_eq!([of("-0.011"), of("0.019"), of("-3"), of("0.5")], [-2, 1, -300, 50]);
        let kept = |amount: i128, scale| rounded(Money::from_mantissa(amount), scale).to_string();
        assert_eq!(kept(-5_000 * 10i128.pow(16) - 1, 16), "-5000.00000001", "more than 64 bits at sixteen digits");
        assert_eq!([kept(i128::MIN, 8), kept(150, 2)], ["-92233720368.54775807".to_owned(), "1.5".to_owned()]);
    }
}
