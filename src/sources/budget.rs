//! Calls that cost: counted per UTC day and month on disk, before each is made.

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

    /// What was used of the day and month of a time.
    pub fn used(&self, now: Ts) -> Used {
        let day = day_of(now);
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        let known: Used = serde_json::from_str(&text).unwrap_or_default();
        if known.day == day {
            return known;
        }
        let same_month = known.day.get(..7) == day.get(..7);
        Used { day, day_calls: 0, month_calls: if same_month { known.month_calls } else { 0 } }
    }

    /// Spends one call, if there is one left.
    ///
    /// # Errors
    /// What is used up, or why the count cannot be kept: a call that is not counted is not made.
    pub fn spend(&self, now: Ts) -> Result<Used, String> {
        let mut used = self.used(now);
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
        kept.map_err(|e| format!("the budget cannot be kept in {}: {e}", self.path.display()))?;
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
