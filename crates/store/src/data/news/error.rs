//! Why a message is not taken.

/// A message is no signal that may be acted on. Messages are foreign: what is shown of them is short.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// It does not read.
    #[error("it is no JSON object of the documented form: {0}; `bellwether schema signal` prints the form")]
    Form(String),
    /// A field is wrong.
    #[error("{field}: found {found}; write {wanted}")]
    Field {
        /// Which.
        field: &'static str,
        /// What it holds.
        found: String,
        /// What it may hold.
        wanted: &'static str,
    },
    /// Nobody here knows the instrument.
    #[error("unknown instrument {0}; the run has no such, and the source's `instruments` do not name it")]
    Instrument(String),
    /// It was made too long ago.
    #[error("it is {age_s} s old; {max_s} s are allowed")]
    Old {
        /// Its age.
        age_s: i64,
        /// The limit.
        max_s: u64,
    },
    /// It was made in the future: a clock is wrong, or somebody lies.
    #[error("it is {ahead_s} s ahead of our clock; {max_s} s are allowed; set the clocks right")]
    Ahead {
        /// How far.
        ahead_s: i64,
        /// The limit.
        max_s: u64,
    },
    /// It could be known before it was made.
    #[error("received is before made: nobody can know a signal before it is made")]
    Prescient,
    /// It is larger than a message may be.
    #[error("it has {bytes} bytes; {max} are allowed")]
    Large {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Too many wait to be heard already.
    #[error("the session has no room for it: thousands wait to be heard; send it again later")]
    Busy,
}

impl FormError {
    /// Its name in counters.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Form(_) => "malformed",
            Self::Field { .. } => "bad_field",
            Self::Instrument(_) => "unknown_instrument",
            Self::Old { .. } => "too_old",
            Self::Ahead { .. } => "from_the_future",
            Self::Prescient => "known_before_made",
            Self::Large { .. } => "too_large",
            Self::Busy => "mailbox_full",
        }
    }
}

/// The beginning of a foreign text, without what could move a terminal or a chat.
pub(super) fn shown(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
    format!("{plain:?}")
}
