//! Calls that cost: counted per UTC day and month on disk, before each is made.

use std::fs::File;
use std::path::{Path, PathBuf};

use bellwether_sdk::Ts;
use serde::{Deserialize, Serialize};

/// What was used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// The UTC day, `2024-01-31`.
    pub day: String,
    /// Calls on it.
    pub day_calls: u64,
    /// Calls in its month.
    pub month_calls: u64,
}

/// A budget with its limits.
#[derive(Debug)]
pub struct Budget {
    path: PathBuf,
    per_day_max: u64,
    per_month_max: u64,
}

impl Budget {
    /// The budget of a source, kept in a folder.
    pub fn new(dir: &Path, name: &str, per_day_max: u64, per_month_max: u64) -> Self {
        Self { path: dir.join(format!("{name}.budget.json")), per_day_max, per_month_max }
    }

    /// Most calls of a UTC day, and of a UTC month.
    pub const fn limits(&self) -> (u64, u64) {
        (self.per_day_max, self.per_month_max)
    }

    /// What was used of the day and month of a time.
    ///
    /// # Errors
    /// Why the count cannot be read. It is not taken for nothing: that could overdraw.
    pub fn used(&self, now: Ts) -> Result<Used, String> {
        let day = day_of(now);
        let wrong = |why: String| {
            format!(
                "the budget's count in {} does not read ({why}); correct it, or remove it to begin at 0",
                self.path.display()
            )
        };
        let known: Used = match std::fs::read_to_string(&self.path) {
            Ok(text) => serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Used::default(),
            Err(e) => return Err(wrong(e.to_string())),
        };
        // A clock that went back gives no new calls.
        if known.day >= day {
            return Ok(known);
        }
        let same_month = known.day.get(..7) == day.get(..7);
        Ok(Used { day, day_calls: 0, month_calls: if same_month { known.month_calls } else { 0 } })
    }

    /// Spends one call, if there is one left.
    ///
    /// # Errors
    /// What is used up, or why the count cannot be kept: a call that is not counted is not made.
    pub fn spend(&self, now: Ts) -> Result<Used, String> {
        let failed = |e: std::io::Error| format!("the budget cannot be kept in {}: {e}", self.path.display());
        // A session and a person may ask at once. The lock ends with the file's handle.
        let lock = File::options().create(true).truncate(false).write(true).open(self.path.with_extension("lock"));
        let lock = lock.map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut used = self.used(now)?;
        if used.day_calls >= self.per_day_max {
            return Err(format!("the day's {} calls are used up; there are new ones at 00:00 UTC", self.per_day_max));
        }
        if used.month_calls >= self.per_month_max {
            return Err(format!("the month's {} calls are used up", self.per_month_max));
        }
        (used.day_calls, used.month_calls) = (used.day_calls + 1, used.month_calls + 1);
        let text = serde_json::to_string(&used).map_err(|e| e.to_string())?;
        let part = self.path.with_extension("part");
        let kept = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, &self.path));
        kept.map_err(failed)?;
        Ok(used)
    }
}

fn day_of(now: Ts) -> String {
    let stamp = jiff::Timestamp::from_nanosecond(i128::from(now.nanos())).unwrap_or_default();
    stamp.strftime("%F").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_does_not_read_or_a_clock_that_goes_back_gives_no_new_calls() {
        let dir = tempfile::tempdir().expect("folder");
        let at = |text: &str| crate::config::parse_time(text).expect("a time");
        let budget = Budget::new(dir.path(), "tm", 1, 9);
        assert!(budget.spend(at("2024-01-30")).is_ok());
        assert!(budget.spend(at("2024-01-29")).is_err_and(|e| e.contains("day's 1")));
        std::fs::write(dir.path().join("tm.budget.json"), "{\"day").expect("written");
        assert!(budget.spend(at("2024-01-31")).is_err_and(|e| e.contains("does not read")));
    }

    #[test]
    fn processes_that_ask_at_once_do_not_overdraw() {
        let dir = tempfile::tempdir().expect("folder");
        let at = crate::config::parse_time("2024-01-30").expect("a time");
        let made: usize = std::thread::scope(|scope| {
            let ask = || (0..50).filter(|_| Budget::new(dir.path(), "tm", 70, 900).spend(at).is_ok()).count();
            let all: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            all.into_iter().map(|t| t.join().expect("no panic")).sum()
        });
        assert_eq!(made, 70);
    }

    #[test]
    fn a_budget_is_kept_over_restarts_and_begins_anew_with_the_day_and_the_month() {
        let dir = tempfile::tempdir().expect("folder");
        let at = |text: &str| crate::config::parse_time(text).expect("a time");
        let budget = || Budget::new(dir.path(), "tm", 2, 3);
        assert_eq!(budget().spend(at("2024-01-30")).map(|u| u.day_calls), Ok(1));
        assert_eq!(budget().spend(at("2024-01-30T12:00:00Z")).map(|u| u.day_calls), Ok(2));
        assert!(budget().spend(at("2024-01-30T23:59:59Z")).is_err_and(|e| e.contains("day's 2")));
        assert_eq!(budget().spend(at("2024-01-31")).map(|u| (u.day_calls, u.month_calls)), Ok((1, 3)));
        assert!(budget().spend(at("2024-01-31")).is_err_and(|e| e.contains("month's 3")));
        assert_eq!(budget().spend(at("2024-02-01")).map(|u| (u.day_calls, u.month_calls)), Ok((1, 1)));
    }
}
