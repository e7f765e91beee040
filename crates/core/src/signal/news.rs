//! News: what is told to the engine from outside the market. A signal made elsewhere, or a number to decide by.

use std::collections::{BTreeSet, VecDeque};

use bellwether_sdk::{InstrumentId, Signal, Tag, Ts};
use serde::{Deserialize, Serialize};

/// Message ids that are remembered; older ones are forgotten.
const REMEMBERED: usize = 100_000;

/// Something told from outside the market.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct News {
    /// Engine time at which it is heard: never before it could be known.
    pub at: Ts,
    /// Which source told it, by its name in the settings.
    pub source: String,
    /// The source's id of this message. A signal acts once per source and id.
    pub message: String,
    /// What it says.
    pub body: Body,
}

/// What news say.
// Few of them exist at a time: their size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// A signal.
    Signal(Signal),
    /// A number.
    Feature {
        /// Its name, e.g. `aleo.block_time`.
        name: Tag,
        /// Of which instrument; `None` for all.
        instrument: Option<InstrumentId>,
        /// The number, finite.
        value: f64,
    },
    /// A person pauses the run: no position is opened or enlarged until it is resumed.
    Pause(bool),
}

/// The messages that were heard.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(from = "VecDeque<(String, String)>", into = "VecDeque<(String, String)>")]
pub struct Heard {
    known: BTreeSet<(String, String)>,
    order: VecDeque<(String, String)>,
}

impl From<VecDeque<(String, String)>> for Heard {
    fn from(order: VecDeque<(String, String)>) -> Self {
        Self { known: order.iter().cloned().collect(), order }
    }
}

impl From<Heard> for VecDeque<(String, String)> {
    fn from(heard: Heard) -> Self {
        heard.order
    }
}

impl Heard {
    /// Takes note of a message; whether it is new.
    pub fn is_new(&mut self, news: &News) -> bool {
        let key = (news.source.clone(), news.message.clone());
        if !self.known.insert(key.clone()) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(source: &str, message: &str) -> News {
        let body = Body::Signal(Signal::long(InstrumentId(0)));
        News { at: Ts::NONE, source: source.to_owned(), message: message.to_owned(), body }
    }

    #[test]
    fn a_message_is_new_once_per_source() {
        let mut heard = Heard::default();
        assert!(heard.is_new(&news("a", "1")));
        assert!(!heard.is_new(&news("a", "1")));
        assert!(heard.is_new(&news("b", "1")));
    }

    #[test]
    fn memory_is_bounded_and_forgets_the_oldest_first() {
        let mut heard = Heard::default();
        (0..=REMEMBERED).for_each(|i| assert!(heard.is_new(&news("a", &i.to_string()))));
        assert!(!heard.is_new(&news("a", "1")));
        assert!(heard.is_new(&news("a", "0")));
        assert!(heard.known.len() <= REMEMBERED + 1);
    }
}
