//! The day in a few lines: how many notices there were of each topic, and the last words of the grave ones.

use std::collections::BTreeMap;

use bellwether_sdk::Ts;

use super::Notice;
use crate::config::Level;

/// Grave notices that are quoted.
const QUOTED: usize = 5;

/// An hour in nanoseconds.
const HOUR_NS: i64 = 3_600_000_000_000;

/// What was heard since the last digest.
#[derive(Debug, Default)]
pub(super) struct Digest {
    counts: BTreeMap<String, u64>,
    grave: Vec<String>,
    /// The last balance that a status told.
    pub(super) standing: String,
}

impl Digest {
    pub(super) fn hear(&mut self, notice: &Notice) {
        *self.counts.entry(notice.topic.clone()).or_default() += 1;
        if notice.level == Level::Error && self.grave.len() < QUOTED {
            self.grave.push(notice.text.chars().take(200).collect());
        }
    }

    /// The digest, and a new day begins.
    pub(super) fn take(&mut self, at: Ts) -> Notice {
        let counts: Vec<String> = self.counts.iter().map(|(topic, n)| format!("{topic} {n}")).collect();
        let quiet = counts.is_empty();
        let mut text = if quiet { "a quiet day".to_owned() } else { counts.join(", ") };
        for part in std::iter::once(&self.standing).chain(&self.grave).filter(|p| !p.is_empty()) {
            text.push('\n');
            text.push_str(part);
        }
        self.counts.clear();
        self.grave.clear();
        Notice::new(at, Level::Info, "digest", text)
    }
}

/// The next time after `now` at which a UTC hour begins.
pub(super) fn next_at(hour: u8, now: Ts) -> Ts {
    let day = 24 * HOUR_NS;
    let today = now.nanos().div_euclid(day) * day + i64::from(hour % 24) * HOUR_NS;
    Ts::from_nanos(if today > now.nanos() { today } else { today + day })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_counted_and_begins_anew() {
        let mut digest = Digest { standing: "equity 10 USDT".to_owned(), ..Digest::default() };
        for _ in 0..3 {
            digest.hear(&Notice::new(Ts::NONE, Level::Info, "fill", "f"));
        }
        digest.hear(&Notice::new(Ts::NONE, Level::Error, "guard", "tripped at 3 %"));
        assert_eq!(digest.take(Ts::NONE).text, "fill 3, guard 1\nequity 10 USDT\ntripped at 3 %");
        assert_eq!(digest.take(Ts::NONE).text, "a quiet day\nequity 10 USDT");
    }

    #[test]
    fn the_hour_comes_once_a_day() {
        let at = |hours: i64| Ts::from_nanos(hours * HOUR_NS);
        assert_eq!(next_at(6, at(5)), at(6));
        assert_eq!(next_at(6, at(6)), at(30));
    }
}
