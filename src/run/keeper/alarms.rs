//! What people are told before it is too late: keys that expire, that are due, that nobody uses, and that are used as never
//! before.

use std::collections::{BTreeMap, BTreeSet};

use bellwether_sdk::Ts;

use super::account::Account;
use super::{Words, write};
use crate::keys::{Audit, Due, Key, Use};

const DAY_NS: i64 = 86_400_000_000_000;
const HOUR_NS: i64 = 3_600_000_000_000;
const MINUTE_NS: i64 = 60_000_000_000;
/// Days before its end at which a key's expiry is told.
const EXPIRY_DAYS: [i64; 3] = [1, 7, 30];
/// Minutes of history before a rate is judged, how many times the usual is odd, and below how many a minute nothing is.
const RATE_MINUTES: u32 = 10;
const RATE_TIMES: f64 = 10.0;
const RATE_LEAST: u64 = 60;

/// Orders per minute of a key.
#[derive(Debug, Default)]
struct Rate {
    count: u64,
    usual: f64,
    minutes: u32,
}

impl Rate {
    /// Takes the count of a minute's end; the rate and the usual one when it is far above that.
    fn minute(&mut self, count: u64) -> Option<(u64, f64)> {
        let rate = count.saturating_sub(self.count);
        self.count = count;
        let odd = self.minutes >= RATE_MINUTES && rate >= RATE_LEAST && rate as f64 > self.usual * RATE_TIMES;
        let usual = self.usual;
        self.minutes = self.minutes.saturating_add(1);
        // The mean of the last hour, about.
        self.usual += (rate as f64 - self.usual) / f64::from(self.minutes.min(60));
        odd.then_some((rate, usual))
    }
}

/// What was told already, and what is needed to know more.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    due: Ts,
    pub(super) told: BTreeSet<String>,
    rates: BTreeMap<String, Rate>,
    /// When the venue says that keys expire, by fingerprint.
    expires: BTreeMap<String, Ts>,
    /// When keys were made, or else loaded for the first time, by name.
    first: BTreeMap<String, Ts>,
    began: Option<Ts>,
}

impl Alarms {
    /// What the audit knows of the keys of an account.
    pub(super) fn new(audit: &Audit, account: &str) -> Self {
        let mut first = BTreeMap::new();
        // A broken log is told by `keys audit`.
        for entry in audit.read().map(|chain| chain.entries).unwrap_or_default() {
            let at = entry.at.parse::<jiff::Timestamp>().ok();
            if let Some(at) = at.filter(|_| entry.event == "loaded" && entry.account == account) {
                first.entry(entry.key).or_insert(Ts::from_millis(at.as_millisecond()));
            }
        }
        Self { first, ..Self::default() }
    }

    /// Learns of a key that was read and tried: when it was made, as its source says, and when it ends, as its venue does;
    /// [`Ts::NONE`] for unknown.
    pub(super) fn know(&mut self, key: &Key, created: Ts, ends: Ts, now: Ts) {
        self.expires.insert(key.fingerprint(), ends);
        let first = self.first.entry(key.name()).or_insert(now);
        if created != Ts::NONE {
            *first = created;
        }
    }

    /// When a key ends, as its source and its venue say.
    fn ends(&self, key: &Key) -> impl Iterator<Item = Ts> + use<> {
        let of_venue = self.expires.get(&key.fingerprint()).copied().unwrap_or(Ts::NONE);
        [key.expires(), of_venue].into_iter().filter(|e| *e != Ts::NONE)
    }

    /// Whether a key is due to become another, and why.
    pub(super) fn due(&self, key: &Key, rotate_days: Option<u32>, before_ns: i64, now: Ts) -> Option<(Due, String)> {
        if let Some(ends) = self.ends(key).min().filter(|e| now >= e.plus(-before_ns)) {
            let hours = (ends.nanos() - now.nanos()).max(0) / HOUR_NS;
            return Some((Due::Expiry, format!("ends in {hours} hours")));
        }
        let days = rotate_days?;
        let first = self.first.get(&key.name()).copied()?;
        let old = now >= first.plus(i64::from(days).saturating_mul(DAY_NS));
        old.then(|| (Due::Age, format!("is {days} days old or older")))
    }

    fn of(&mut self, key: &Key, in_force: bool, rotate_days: Option<u32>, now: Ts) -> Vec<(&'static str, String)> {
        let mut said = Vec::new();
        let began = *self.began.get_or_insert(now);
        for ends in self.ends(key) {
            let days = (ends.nanos() - now.nanos()).div_euclid(DAY_NS);
            if let Some(step) = EXPIRY_DAYS.into_iter().find(|step| days < *step) {
                said.push(("expiring", format!("expires within {step} days; rotate it")));
            }
        }
        let first = self.first.get(&key.name()).copied().unwrap_or(began);
        if rotate_days.is_some_and(|d| now >= first.plus(i64::from(d).saturating_mul(DAY_NS))) {
            let days = rotate_days.unwrap_or_default();
            said.push(("due", format!("has been in use for {days} days: it is due to be rotated")));
        }
        if in_force && key.used().is_none_or(|(_, last)| now >= last.plus(DAY_NS)) && now >= began.plus(DAY_NS) {
            said.push(("unused", "has not been used for a day".to_owned()));
        }
        said
    }
}

impl Account {
    /// Tells what is due, each thing once.
    pub(super) fn alarm(&mut self, audit: &Audit, words: &Words, now: Ts) {
        let Some(signing) = &self.signing else { return };
        if now < self.alarms.due {
            return;
        }
        self.alarms.due = now.plus(MINUTE_NS);
        let current = signing.in_force();
        let fingerprint = current.as_ref().map(|k| k.fingerprint());
        for key in signing.spare().into_iter().chain(current) {
            let name = key.name();
            let days = self.loaded.iter().find(|l| l.entry.label == key.label()).and_then(|l| l.entry.rotate_days);
            let mut said = self.alarms.of(&key, Some(key.fingerprint()) == fingerprint, days, now);
            let rate = self.alarms.rates.entry(name.clone()).or_default();
            if let Some((rate, usual)) = rate.minute(key.count(Use::Place)) {
                said.push(("unusual", format!("placed {rate} orders in a minute, where {usual:.1} are usual")));
            }
            for (event, text) in said {
                // What is unusual is told every time.
                if self.alarms.told.insert(format!("{name} {text}")) || event == "unusual" {
                    words.say(format!("key {name} of {} {text}", self.name));
                    write(audit, words, event, &self.name, &name, &text);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::keys::{Credential, Scheme, Scope};

    const NOW: Ts = Ts::from_millis(1_700_000_000_000);

    fn key(expires: Ts) -> Key {
        let signer = Credential::new("key-0001", Scheme::HmacSha256, "secret").expect("a key");
        Key::new("main", "", Scope::Trade, Arc::new(signer), expires)
    }

    fn said(alarms: &mut Alarms, key: &Key, rotate_days: Option<u32>, now: Ts) -> Vec<String> {
        alarms.of(key, true, rotate_days, now).into_iter().map(|(event, text)| format!("{event}: {text}")).collect()
    }

    #[test]
    fn an_expiry_is_told_at_thirty_seven_and_one_days() {
        let key = key(NOW);
        let told = |days: i64| said(&mut Alarms::default(), &key, None, NOW.plus(-days * DAY_NS));
        assert!(told(31).is_empty());
        for (days, step) in [(29, 30), (8, 30), (6, 7), (1, 7), (0, 1)] {
            assert_eq!(told(days), [format!("expiring: expires within {step} days; rotate it")], "{days}");
        }
    }

    #[test]
    fn a_key_is_due_by_its_age_and_idle_by_its_use() {
        let key = key(Ts::NONE);
        let mut alarms = Alarms::default();
        assert!(said(&mut alarms, &key, Some(90), NOW).is_empty());
        let later = NOW.plus(90 * DAY_NS);
        key.note(Use::Place, later);
        assert_eq!(said(&mut alarms, &key, Some(90), later).len(), 1);
        assert_eq!(said(&mut alarms, &key, None, later.plus(DAY_NS)), ["unused: has not been used for a day"]);
    }

    #[test]
    fn a_key_is_to_become_another_in_the_window_before_its_end_or_at_its_age() {
        let due = |alarms: &Alarms, key: &Key, days: Option<u32>, now: Ts| {
            alarms.due(key, days, 2 * DAY_NS, now).map(|(due, why)| format!("{due:?}: {why}"))
        };
        let ends = key(NOW);
        let alarms = Alarms::default();
        assert_eq!(due(&alarms, &ends, None, NOW.plus(-2 * DAY_NS - 1)), None);
        assert_eq!(due(&alarms, &ends, None, NOW.plus(-2 * DAY_NS)), Some("Expiry: ends in 48 hours".to_owned()));
        assert_eq!(due(&alarms, &ends, None, NOW.plus(DAY_NS)), Some("Expiry: ends in 0 hours".to_owned()));
        let endless = key(Ts::NONE);
        let mut told_by_venue = Alarms::default();
        told_by_venue.know(&endless, Ts::NONE, NOW.plus(DAY_NS), NOW);
        assert!(due(&told_by_venue, &endless, None, NOW).is_some(), "the venue's word counts too");
        let mut aged = Alarms::default();
        aged.know(&endless, NOW.plus(-89 * DAY_NS), Ts::NONE, NOW);
        assert_eq!(due(&aged, &endless, Some(90), NOW), None);
        assert_eq!(due(&aged, &endless, None, NOW.plus(DAY_NS)), None);
        assert_eq!(due(&aged, &endless, Some(90), NOW.plus(DAY_NS)), Some("Age: is 90 days old or older".to_owned()));
        // What was loaded for the first time now is not as old as the session.
        let mut loaded = Alarms { began: Some(NOW.plus(-100 * DAY_NS)), ..Alarms::default() };
        loaded.know(&endless, Ts::NONE, Ts::NONE, NOW);
        assert_eq!(due(&loaded, &endless, Some(90), NOW), None);
        assert!(said(&mut loaded, &endless, Some(90), NOW).iter().all(|s| !s.starts_with("due")));
    }

    #[test]
    fn a_rate_far_above_the_usual_is_odd_and_its_rise_by_steps_is_not() {
        let mut rate = Rate::default();
        let mut count = 0;
        let mut minute = |more: u64| {
            count += more;
            rate.minute(count)
        };
        assert!((0..30).all(|_| minute(20).is_none()));
        assert!(minute(150).is_none());
        assert!(minute(900).is_some());
        assert!((0..60).all(|n| minute(20 + n).is_none()));
    }
}
