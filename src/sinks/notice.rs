//! What is reported, and under which topic.

use std::collections::BTreeMap;

use bellwether_sdk::Ts;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Level;

/// The topics there are, with what they are about.
pub const TOPICS: [(&str, &str); 15] = [
    ("start", "a session began, or went on after it ended unexpectedly"),
    ("stop", "a session ended"),
    ("fill", "an order filled"),
    ("order", "an order was refused, rejected or expired"),
    ("guard", "the risk guard warns or has tripped, a strategy was halted, or nothing is sent any more"),
    ("stale", "a feed or source is silent, disconnected or not to be trusted"),
    ("unknown", "nobody knows yet what became of an order, or one is not ours"),
    ("difference", "books and venue disagree"),
    ("key", "a key expires, changed, fails or is used by others"),
    ("clock", "clocks differ"),
    ("disk", "the disk is slow or full"),
    ("source", "a source refused messages or was started again"),
    ("wallet", "a watched address holds or stakes another amount"),
    ("signal", "a strategy emitted a signal"),
    ("digest", "the day in a few lines"),
];

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Engine time.
    pub at: Ts,
    /// How grave.
    pub level: Level,
    /// About what; one of [`TOPICS`].
    pub topic: String,
    /// In words.
    pub text: String,
    /// More about it by name, for templates and programs.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// Of a signal: its JSON form.
    #[serde(default)]
    pub signal: Option<Value>,
}

impl Notice {
    /// A notice in words.
    pub fn new(at: Ts, level: Level, topic: &str, text: impl Into<String>) -> Self {
        Self { at, level, topic: topic.to_owned(), text: text.into(), fields: BTreeMap::new(), signal: None }
    }
}

/// A notice on its way to one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its number at this place, from 1: receivers may know a repeated one by it.
    pub number: u64,
    /// An id that no other message has.
    pub id: String,
    /// The words as the place's template makes them.
    pub text: String,
    /// What it is of.
    pub notice: Notice,
}

/// What words of a session's lines mean. One that ends with a blank is a line's beginning, any other a part of it.
const WORDS: [(&str, Level, &str); 25] = [
    // First: what stands behind it are a stranger's words.
    ("message is refused", Level::Warning, "source"),
    (": the balance of", Level::Warning, "wallet"),
    (": the staked of", Level::Warning, "wallet"),
    ("filled ", Level::Info, "fill"),
    ("rejected ", Level::Warning, "order"),
    ("expired ", Level::Info, "order"),
    ("unknown ", Level::Error, "unknown"),
    ("an open order that is not ours", Level::Warning, "unknown"),
    ("feed is stale", Level::Warning, "stale"),
    ("feed disconnected", Level::Warning, "stale"),
    ("second source", Level::Warning, "stale"),
    ("book lost", Level::Warning, "stale"),
    (": stale,", Level::Warning, "stale"),
    ("nothing is sent any more", Level::Error, "guard"),
    ("is not protected", Level::Error, "guard"),
    ("guard warns", Level::Warning, "guard"),
    ("guard armed", Level::Info, "guard"),
    ("guard releases", Level::Info, "guard"),
    ("guard", Level::Error, "guard"),
    ("halt ", Level::Error, "guard"),
    ("reconcil", Level::Error, "difference"),
    ("key ", Level::Warning, "key"),
    (" key ", Level::Warning, "key"),
    ("clock", Level::Warning, "clock"),
    ("tape waits for its disk", Level::Error, "disk"),
];

/// Level and topic of a line of a session; `None` for what is not reported by itself (orders on their way).
pub fn topic_of(line: &str) -> Option<(Level, &'static str)> {
    let is_in = |word: &str| match word.ends_with(' ') && !word.starts_with(' ') {
        true => line.starts_with(word),
        false => line.contains(word),
    };
    let found = WORDS.iter().find(|(word, ..)| is_in(word));
    match found {
        Some((_, level, topic)) => Some((*level, topic)),
        None if ["order ", "cancel ", "accepted ", "cancelled ", "funding "].iter().any(|w| line.starts_with(w)) => {
            None
        }
        // What nobody foresaw is told all the same.
        None => Some((Level::Warning, "source")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_leads_to_a_topic_that_there_is() {
        for (_, _, topic) in WORDS {
            assert!(TOPICS.iter().any(|(name, _)| *name == topic), "{topic}");
        }
    }

    #[test]
    fn lines_of_a_session_find_their_topic() {
        assert_eq!(topic_of("filled 3 0.5 @ 100 fee 0.1 taker at 5"), Some((Level::Info, "fill")));
        assert_eq!(topic_of("unknown 7"), Some((Level::Error, "unknown")));
        let stop = "order 5, a stop, is over (insufficient_funds): a position in binance:BTC/USDT is not protected";
        assert_eq!(topic_of(stop), Some((Level::Error, "guard")));
        assert_eq!(topic_of("order 3 buy 1 binance:BTC/USDT market gtc signal"), None);
        assert_eq!(topic_of("feed is stale: Trades(InstrumentId(0))"), Some((Level::Warning, "stale")));
        assert_eq!(topic_of("tv: a message is refused (1): malformed"), Some((Level::Warning, "source")));
        let balance = "chain: the balance of guard went from 5 to 7.5 credits";
        assert_eq!(topic_of(balance), Some((Level::Warning, "wallet")), "whatever the address is called");
        let strangers = "tv: a message is refused (1): unknown instrument \"nothing is sent any more\"";
        assert_eq!(topic_of(strangers), Some((Level::Warning, "source")), "a stranger does not raise an alarm");
        for (line, level, topic) in [
            ("guard warns daily_loss_max 80 of 100", Level::Warning, "guard"),
            ("guard tripped daily_loss_max 101 of 100: cancel", Level::Error, "guard"),
            ("guard holds entries: clock_skew", Level::Error, "guard"),
            ("halt mine: it gave up at 5", Level::Error, "guard"),
            ("an open order that is not ours: 7 (x)", Level::Warning, "unknown"),
            ("reconciliation: USDT 5 more; cause: a transfer, or a trade that is not ours", Level::Error, "difference"),
            ("key main (…abcd) of binance/main expires within 7 days; rotate it", Level::Warning, "key"),
            (
                "the new key b (…ef01) of binance/main waits: it is not there; the old one signs on",
                Level::Warning,
                "key",
            ),
            ("the key b (…ef01) signs from now on", Level::Warning, "key"),
            ("clock: the venue's is 2 s ahead of this machine's; set it right", Level::Warning, "clock"),
            ("orders are not sent while the tape waits for its disk", Level::Error, "disk"),
            ("bus: stale, nats://x does not answer (1); it is tried again", Level::Warning, "stale"),
        ] {
            assert_eq!(topic_of(line), Some((level, topic)), "{line}");
        }
        assert_eq!(topic_of("something new under the sun"), Some((Level::Warning, "source")));
    }
}
