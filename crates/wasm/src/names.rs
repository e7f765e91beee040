//! Names that strategies give: the sdk holds them as text that lives for ever, so each is kept once and their sum is bounded.

use std::collections::BTreeSet;
use std::sync::Mutex;

/// Bytes of all names that a program keeps.
const BYTES_MAX: usize = 1 << 20;

/// Bytes of one name or help text.
const NAME_MAX: usize = 4096;

/// The names kept.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<(BTreeSet<&'static str>, usize)>);

impl Names {
    /// The name as kept text; `None` when it is too long, or there is no room for more.
    pub(crate) fn keep(&self, name: &str) -> Option<&'static str> {
        let mut kept = self.0.lock().unwrap_or_else(|broken| broken.into_inner());
        if let Some(known) = kept.0.get(name) {
            return Some(known);
        }
        if name.len() > NAME_MAX || kept.1 + name.len() > BYTES_MAX {
            return None;
        }
        let name: &'static str = Box::leak(name.into());
        kept.1 += name.len();
        kept.0.insert(name);
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once_and_their_sum_is_bounded() {
        let names = Names::default();
        let first = names.keep("fast").expect("room");
        assert!(std::ptr::eq(first, names.keep("fast").expect("known")));
        assert_eq!(names.keep(&"x".repeat(NAME_MAX + 1)), None);
        let many = (0..1000).filter(|i| names.keep(&format!("{i:04000}")).is_some()).count();
        assert!((200..300).contains(&many), "{many} of 4 kB each");
        assert_eq!(names.keep("fast"), Some("fast"), "what is known costs nothing");
    }
}
