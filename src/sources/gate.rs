//! The gate: every message of every source passes it before a session hears of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use bellwether_sdk::{Instrument, Ts};

use super::{Mail, Sender};
use crate::config::Freshness;
use crate::data::news::{self, FormError, Line};
use crate::signal::{Body, News};

/// A refusal is told at the first, tenth, hundredth, … time.
const TELL_AT: u64 = 10;

/// What a gate knows.
#[derive(Debug, Clone)]
pub struct GateSettings {
    /// The source's name.
    pub name: String,
    /// The run's instruments.
    pub instruments: Vec<Instrument>,
    /// Other names of them.
    pub aliases: BTreeMap<String, String>,
    /// How old and how far ahead a message may be.
    pub fresh: Freshness,
    /// The catalog that received messages are stored in; `None` to store none.
    pub store: Option<PathBuf>,
}

/// The gate of one source.
pub struct Gate {
    settings: GateSettings,
    out: Sender,
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl Gate {
    /// A gate into a mailbox.
    pub fn new(settings: GateSettings, out: Sender) -> Self {
        Self { settings, out, counts: Mutex::new(BTreeMap::new()) }
    }

    /// The source's name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Takes a message by its text; gives its id.
    ///
    /// # Errors
    /// [`FormError`]; it has been counted and told already.
    pub fn take_text(&self, text: &str) -> Result<String, FormError> {
        let line = Line::parse(text).inspect_err(|e| self.refused(e))?;
        self.take(line)
    }

    /// Takes a message; gives its id.
    ///
    /// # Errors
    /// [`FormError`]; it has been counted and told already.
    pub fn take(&self, line: Line) -> Result<String, FormError> {
        self.judge(line, now()).inspect_err(|e| self.refused(e))
    }

    /// Offers a message by somebody who can wait; gives its id.
    ///
    /// # Errors
    /// [`FormError`]; it has been counted and told already, but for [`FormError::Busy`], which is counted only.
    #[cfg(feature = "nats")]
    pub fn offer(&self, line: &Line) -> Result<String, FormError> {
        self.judge(line.clone(), now()).inspect_err(|e| match e {
            FormError::Busy => drop(self.count("waited_for_room")),
            _ => self.refused(e),
        })
    }

    fn judge(&self, line: Line, now: Ts) -> Result<String, FormError> {
        let made = line.when()?.made;
        // Who takes any age rehearses on stored data: clocks say nothing there.
        let by_clock = self.settings.fresh.age_max_s != u64::MAX;
        if made != Ts::NONE && by_clock {
            self.is_fresh(made, now)?;
        }
        let (id, line) = (line.id(), line.received_at(now));
        let mut body = line.body(&|name| self.find(name))?;
        if let Body::Signal(signal) = &mut body {
            signal.ts_received = now;
            if signal.source.is_empty() {
                signal.source = self.settings.name.clone().into();
            }
            if by_clock && signal.expiry.is_some_and(|at| at <= now) {
                return Err(FormError::Old { age_s: 0, max_s: 0 });
            }
        }
        let news = News { at: now, source: self.settings.name.clone(), message: id.clone(), body };
        // Stored is what was taken: who is told to come again brings it again.
        if !self.out.send(Mail::News(news)) {
            return Err(FormError::Busy);
        }
        if let Some(catalog) = &self.settings.store
            && let Err(error) = news::append(catalog, &self.settings.name, &[line])
        {
            self.tell(format!("{}: a message is not stored: {error}", self.settings.name));
        }
        Ok(id)
    }

    fn is_fresh(&self, made: Ts, now: Ts) -> Result<(), FormError> {
        let age_s = now.nanos().saturating_sub(made.nanos()) / 1_000_000_000;
        let (max, ahead) = (self.settings.fresh.age_max_s, self.settings.fresh.ahead_max_s);
        if age_s > i64::try_from(max).unwrap_or(i64::MAX) {
            return Err(FormError::Old { age_s, max_s: max });
        }
        if age_s < 0 && age_s.unsigned_abs() > ahead {
            return Err(FormError::Ahead { ahead_s: -age_s, max_s: ahead });
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Option<Instrument> {
        let name = self.settings.aliases.get(name).map_or(name, String::as_str);
        self.settings.instruments.iter().find(|i| i.symbol.as_str() == name).cloned()
    }

    /// Counts a refusal and tells of it, seldom when it repeats.
    pub fn refused(&self, error: &FormError) {
        let count = self.count(error.name());
        if is_told(count) {
            self.tell(format!("{}: a message is refused ({count}): {error}", self.settings.name));
        }
    }

    /// Counts something by its name; gives how often it was so far.
    pub fn count(&self, what: &'static str) -> u64 {
        let mut counts = self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let count = counts.entry(what).or_default();
        *count += 1;
        *count
    }

    /// What was counted so far.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Tells people something.
    pub fn tell(&self, note: String) {
        self.out.send(Mail::Note(note));
    }
}

/// Whether the nth of its kind is told.
pub(super) fn is_told(count: u64) -> bool {
    let mut at = 1;
    while at < count {
        at *= TELL_AT;
    }
    at == count
}

/// The machine's clock.
pub(super) fn now() -> Ts {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ts::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::InstrumentId;

    use super::super::{Mailbox, mailbox};
    use super::*;

    fn gate() -> (Gate, Mailbox) {
        let (sender, mailbox) = mailbox();
        let symbol = "test:AAA/USD".parse().expect("a symbol");
        let settings = GateSettings {
            name: "tv".to_owned(),
            instruments: vec![Instrument::inferred(InstrumentId(0), symbol, 2, 4)],
            aliases: BTreeMap::from([("AAAUSD".to_owned(), "test:AAA/USD".to_owned())]),
            fresh: Freshness { age_max_s: 60, ahead_max_s: 5 },
            store: None,
        };
        (Gate::new(settings, sender), mailbox)
    }

    fn judge(gate: &Gate, made: &str) -> Result<String, FormError> {
        let text = format!(r#"{{"id":"1","instrument":"AAAUSD","direction":"long","made":"{made}"}}"#);
        gate.judge(
            Line::parse(&text).expect("a line"),
            crate::config::parse_time("2024-01-01T00:01:00Z").expect("a time"),
        )
    }

    #[test]
    fn what_is_fresh_passes_and_what_is_old_or_from_the_future_does_not() {
        let (gate, mailbox) = gate();
        assert_eq!(judge(&gate, "2024-01-01T00:00:30Z"), Ok("1".to_owned()));
        assert!(matches!(mailbox.take(), Some(Mail::News(n)) if n.source == "tv" && n.message == "1"));
        assert_eq!(judge(&gate, "2023-12-31T23:59:59Z"), Err(FormError::Old { age_s: 61, max_s: 60 }));
        assert_eq!(judge(&gate, "2024-01-01T00:01:10Z"), Err(FormError::Ahead { ahead_s: 10, max_s: 5 }));
        assert!(mailbox.take().is_none());
    }

    #[test]
    fn a_message_that_finds_no_room_is_not_taken_and_may_come_again() {
        let (gate, mailbox) = gate();
        let line = |n: usize| Line::parse(&format!(r#"{{"id":"{n}","instrument":"AAAUSD","direction":"long"}}"#));
        let first = (0..10_000).find(|n| gate.take(line(*n).expect("a line")).is_err()).expect("it fills up");
        assert_eq!(gate.take(line(first).expect("a line")), Err(FormError::Busy));
        assert_eq!(gate.counts().get("mailbox_full"), Some(&2));
        assert!(mailbox.take().is_some());
        assert_eq!(gate.take(line(first).expect("a line")), Ok(first.to_string()));
    }

    #[test]
    fn refusals_are_counted_and_told_at_growing_distances() {
        let (gate, mailbox) = gate();
        (0..150).for_each(|_| assert!(gate.take_text("nonsense").is_err()));
        assert_eq!(gate.counts().get("malformed"), Some(&150));
        let told = std::iter::from_fn(|| mailbox.take()).count();
        assert_eq!(told, 3, "at 1, 10 and 100");
    }
}
