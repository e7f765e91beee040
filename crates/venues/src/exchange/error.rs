//! What can go wrong at a venue, sorted by what may be done about it.

use std::fmt;

/// Whose fault it is and whether the request may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Final: the venue understood and refused. Repeating gives the same.
    Rejected,
    /// Too many requests; nothing was done. Repeat after the time, milliseconds, if the venue said one.
    RateLimited {
        /// Milliseconds to wait; `None` when the venue does not say.
        retry_after_ms: Option<u64>,
    },
    /// Our clock is off; nothing was done. Measure the offset, then repeat once.
    ClockSkew,
    /// The key or its signature was refused; nothing was done.
    Authentication,
    /// The venue or the way to it failed and nothing was done; a repeat is safe.
    Transient,
    /// The request may have been carried out. Ask by client order id; never repeat blindly.
    Unknown,
    /// The venue has no such thing; nothing was sent.
    Unsupported,
    /// The answer could not be understood.
    Malformed,
}

impl Fault {
    /// Its name in JSON, logs and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::RateLimited { .. } => "rate_limited",
            Self::ClockSkew => "clock_skew",
            Self::Authentication => "authentication",
            Self::Transient => "transient",
            Self::Unknown => "unknown_outcome",
            Self::Unsupported => "unsupported",
            Self::Malformed => "malformed",
        }
    }
}

/// An error of a venue: its class, the venue's own code and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueError {
    /// The class.
    pub fault: Fault,
    /// The venue's code as it came, e.g. `-2010` or `EOrder:Insufficient funds`; empty for none.
    pub code: String,
    /// The venue's words, or ours where it said nothing.
    pub text: String,
    /// Why, as a word of a closed list that reports and strategies can rely on: `insufficient_funds`,
    /// `post_only_would_take`, `unknown_order`, `duplicate_order_id`, `size_below_minimum`, `notional_below_minimum`,
    /// `price_out_of_bounds`, `price_off_tick`, `size_off_lot`, `reduce_only`, `would_trigger_at_once`, `no_liquidity`,
    /// `market_closed`, `key_narrowed` (a key's limits, ours), else `venue_rejected`.
    pub reason: &'static str,
}

impl VenueError {
    /// An error of a class, with the venue's code and words.
    pub fn new(fault: Fault, code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { fault, code: code.into(), text: text.into(), reason: "venue_rejected" }
    }

    /// The same with a reason of the closed list.
    #[must_use]
    pub fn reason(self, reason: &'static str) -> Self {
        Self { reason, ..self }
    }

    /// The venue has no such thing.
    pub fn unsupported(what: impl Into<String>) -> Self {
        Self::new(Fault::Unsupported, "", what)
    }

    /// An answer could not be understood.
    pub fn malformed(why: impl Into<String>) -> Self {
        Self::new(Fault::Malformed, "", why)
    }

    /// The same; but a write that was refused without a known reason, in words that speak of a timeout, may have been
    /// done, whatever its code is called.
    #[must_use]
    pub fn unknown_if_timed_out(self, write: bool) -> Self {
        let words = format!("{} {}", self.code, self.text).to_ascii_lowercase();
        // A wrong argument of this name is a refusal.
        let timed_out = ["timed out", "timeout", "time out", "deadline_exceeded"].iter().any(|w| words.contains(w))
            && !words.contains("invalid");
        match self.fault {
            Fault::Rejected if write && timed_out && self.reason == "venue_rejected" => {
                Self { fault: Fault::Unknown, ..self }
            }
            _ => self,
        }
    }

    /// What an HTTP status means where the body says nothing better. A write that met a 5xx or a 408 may have been done.
    pub fn of_status(status: u16, write: bool, body: &str) -> Self {
        let fault = match status {
            // A 403 without a word of the venue's own is a firewall's, which says nothing of the key.
            403 | 418 | 429 => Fault::RateLimited { retry_after_ms: None },
            401 => Fault::Authentication,
            400..=407 | 409..=499 => Fault::Rejected,
            _ if write => Fault::Unknown,
            _ => Fault::Transient,
        };
        let words: String = body.chars().take(200).collect();
        Self::new(fault, status.to_string(), words).unknown_if_timed_out(write)
    }
}

impl fmt::Display for VenueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fault.name())?;
        if !self.code.is_empty() {
            write!(f, " ({})", self.code)?;
        }
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {}", self.text) }
    }
}

impl std::error::Error for VenueError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_timed_out_was_not_refused() {
        let fault = |status, write, body| VenueError::of_status(status, write, body).fault;
        assert_eq!(fault(408, true, ""), Fault::Unknown);
        assert_eq!(fault(408, false, ""), Fault::Transient);
        assert_eq!(fault(400, true, r#"{"message":"Upstream request timed out"}"#), Fault::Unknown);
        assert_eq!(fault(400, false, r#"{"message":"Upstream request timed out"}"#), Fault::Rejected);
        assert_eq!(fault(400, true, "no"), Fault::Rejected);
        let refused = |text: &str| VenueError::new(Fault::Rejected, "1", text);
        assert_eq!(refused("Invalid arguments:timeout").unknown_if_timed_out(true).fault, Fault::Rejected);
        let known = refused("Order does not exist, timeout").reason("unknown_order");
        assert_eq!(known.unknown_if_timed_out(true).fault, Fault::Rejected);
    }
}
