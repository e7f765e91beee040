//! Faults on demand: what goes wrong, how often, and the one seeded generator that every draw comes from.
//!
//! Equal seeds and equal traffic give equal faults. With no fault asked for nothing is drawn.

use serde::{Deserialize, Serialize};

use super::error::SandboxError;

/// What is to go wrong. Shares lie between 0 and 1; `0` everywhere is a venue without faults.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Least delay of an answer or message, milliseconds.
    pub delay_min_ms: u64,
    /// Largest delay, milliseconds; drawn evenly between the two.
    pub delay_max_ms: u64,
    /// A socket is torn down after so many messages; 0 never.
    pub disconnect: u64,
    /// Share of socket messages sent twice.
    pub duplicate: f64,
    /// Share of socket messages sent after the one that follows.
    pub reorder: f64,
    /// Share of socket messages lost.
    pub drop: f64,
    /// Share of requests answered 429 with `Retry-After: 1`; not carried out.
    pub busy: f64,
    /// Share of requests answered 418 with `Retry-After: 2`; not carried out.
    pub ban: f64,
    /// Share of order requests answered 503 although they were carried out.
    pub error_after: f64,
    /// Share of order requests answered 503 and not carried out.
    pub error_before: f64,
    /// Share of order requests that were carried out and whose answer never comes: the connection breaks.
    pub reset: f64,
    /// How far the venue's clock is ahead of this machine's, milliseconds; negative behind.
    pub skew_ms: i64,
    /// A socket goes silent, but stays open and answers pings, after so many messages; 0 never.
    pub stale: u64,
    /// A socket announces `serverShutdown` after so many seconds and closes a second later; 0 never.
    pub lifetime_s: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            delay_min_ms: 0,
            delay_max_ms: 0,
            disconnect: 0,
            duplicate: 0.0,
            reorder: 0.0,
            drop: 0.0,
            busy: 0.0,
            ban: 0.0,
            error_after: 0.0,
            error_before: 0.0,
            reset: 0.0,
            skew_ms: 0,
            stale: 0,
            lifetime_s: 0,
        }
    }
}

impl Faults {
    /// Reads `delay=5..50,duplicate=0.01,disconnect=500,skew=1500,…`: names as in the fields, `delay` for both ends,
    /// `skew` and `lifetime` without their units.
    ///
    /// # Errors
    /// [`SandboxError::Setting`] names the part that does not read.
    pub fn parse(text: &str) -> Result<Self, SandboxError> {
        let mut object = serde_json::Map::new();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let wrong = || SandboxError::setting(format!("fault {part:?}"), "write name=number, e.g. duplicate=0.01");
            let (name, value) = part.split_once('=').ok_or_else(wrong)?;
            if name == "delay" {
                let (from, to) = value.split_once("..").unwrap_or((value, value));
                object.insert("delay_min_ms".into(), number(from).ok_or_else(wrong)?);
                object.insert("delay_max_ms".into(), number(to).ok_or_else(wrong)?);
                continue;
            }
            let name = match name {
                "skew" => "skew_ms",
                "lifetime" => "lifetime_s",
                other => other,
            };
            object.insert(name.into(), number(value).ok_or_else(wrong)?);
        }
        let faults: Self = serde_json::from_value(object.into())
            .map_err(|e| SandboxError::setting(format!("faults {text:?}"), e.to_string()))?;
        faults.checked()
    }

    /// The same, when shares are shares and the delay is a range.
    pub(super) fn checked(self) -> Result<Self, SandboxError> {
        let shares = [
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
            ("drop", self.drop),
            ("busy", self.busy),
            ("ban", self.ban),
            ("error_after", self.error_after),
            ("error_before", self.error_before),
            ("reset", self.reset),
        ];
        if let Some((name, share)) = shares.into_iter().find(|(_, s)| !(0.0..=1.0).contains(s)) {
            return Err(SandboxError::setting(format!("fault {name}"), format!("{share} is no share from 0 to 1")));
        }
        if self.delay_min_ms > self.delay_max_ms || self.delay_max_ms > 60_000 {
            let range = format!("{}..{}", self.delay_min_ms, self.delay_max_ms);
            return Err(SandboxError::setting("fault delay", format!("{range} is no range of at most 60000 ms")));
        }
        Ok(self)
    }
}

fn number(text: &str) -> Option<serde_json::Value> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    text.parse::<f64>().ok().filter(|f| f.is_finite()).map(Into::into)
}

/// The generator (splitmix64).
#[derive(Debug, Clone)]
pub(super) struct Dice {
    state: u64,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.state)
    }

    /// Whether it happens; draws only when it may.
    pub(super) fn happens(&mut self, share: f64) -> bool {
        // 53 bits are exact in a double.
        share > 0.0 && ((self.draw() >> 11) as f64) < share * 9_007_199_254_740_992.0
    }

    /// The delay of one message, milliseconds.
    pub(super) fn delay_ms(&mut self, faults: &Faults) -> u64 {
        match faults.delay_max_ms - faults.delay_min_ms {
            0 => faults.delay_min_ms,
            width => faults.delay_min_ms + self.draw() % (width + 1),
        }
    }
}

/// splitmix64's mixing of 64 bits.
pub(super) fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_read_and_refuse_what_is_none() {
        let faults = Faults::parse("delay=5..50, duplicate=0.01,disconnect=500,skew=-1500").expect("faults");
        assert_eq!((faults.delay_min_ms, faults.delay_max_ms, faults.disconnect, faults.skew_ms), (5, 50, 500, -1500));
        for text in ["drop", "drop=2", "delay=9..3", "bogus=1", "disconnect=0.5", "drop=nan"] {
            assert!(Faults::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn equal_seeds_draw_equally_and_shares_are_met() {
        let (mut a, mut b) = (Dice::new(7), Dice::new(7));
        let drawn: Vec<bool> = (0..10_000).map(|_| a.happens(0.1)).collect();
        assert!(drawn.iter().all(|d| *d == b.happens(0.1)));
        let share = drawn.iter().filter(|d| **d).count();
        assert!((900..1100).contains(&share), "{share}");
        assert!(!a.happens(0.0) && a.happens(1.0));
    }
}
