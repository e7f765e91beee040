//! Keys that are due, by their age or by their coming end: their source is asked for another one.
//!
//! Another key goes the way of every rotation. Where the source has none, people are told, and it is asked again later: a
//! key is never given up for being due.

use bellwether_sdk::Ts;

use super::account::Account;
use super::{MS, Probe, write};
use crate::keys::Stage;

/// Somebody else is changing the account's keys: looked at again so soon.
const BUSY_NS: i64 = 1_000 * MS;

/// When keys are due, and how often their sources are asked then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Renewal {
    /// So long before its end a key is due.
    pub(super) before_ns: i64,
    pub(super) every_ns: i64,
}

impl Account {
    /// Asks the sources of keys that are due for other keys, and brings those.
    pub(super) fn renew(&mut self, probe: &Probe<'_>, plan: Renewal, now: Ts) {
        if now < self.renew_due {
            return;
        }
        self.renew_due = now.plus(plan.every_ns);
        for at in 0..self.loaded.len() {
            let (Some(signing), Some(loaded)) = (&self.signing, self.loaded.get_mut(at)) else { return };
            if signing.next().is_some() {
                // One after the other.
                return;
            }
            let label = loaded.entry.label.clone();
            let is_it = |k: &std::sync::Arc<crate::keys::Key>| k.label() == label;
            let key = signing.in_force().filter(is_it).or_else(|| signing.spare().into_iter().find(is_it));
            let Some(key) = key else { continue };
            let Some((due, why)) = self.alarms.due(&key, loaded.entry.rotate_days, plan.before_ns, now) else {
                continue;
            };
            // Of processes that share the key one asks, or a command would make one for each.
            let Ok(lock) = self.office.lock() else {
                self.renew_due = now.plus(BUSY_NS.min(plan.every_ns));
                return;
            };
            let known = loaded.source.fetch(Stage::Pending);
            let asked = match known {
                Ok(material) if material.is_same(&loaded.material) => loaded.source.renew(due),
                known => known,
            };
            let (name, place) = (key.name(), loaded.source.place());
            match asked {
                Ok(material) if material.is_same(&loaded.material) => {
                    let text = format!("{why}; {place} has no other key: put a new one there");
                    if self.alarms.told.insert(format!("{name} {text}")) {
                        probe.words.say(format!("key {name} of {}: {text}", self.name));
                        write(probe.audit, probe.words, "renew", &self.name, &name, &text);
                    }
                }
                Ok(material) => {
                    let text = format!("{why}; {place} has another key");
                    write(probe.audit, probe.words, "renew", &self.name, &name, &text);
                    self.bring(at, material, probe);
                }
                Err(error) => self.source_down(&label, &error, probe.audit, probe.words),
            }
            drop(lock);
        }
    }
}
