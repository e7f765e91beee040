//! Words of components. Names are held by the sdk as text that lives for ever, so each is kept once and what one component
//! may add is bounded; texts that people read are shortened, and have nothing in them that would command a terminal.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that the names of one component may add to those that are kept.
const BYTES_MAX: usize = 256 << 10;

/// Names of one component.
const NAMES_MAX: usize = 1_000;

/// Bytes of one name or help text.
const NAME_MAX: usize = 4096;

/// Characters of a text that people read.
const TEXT_MAX: usize = 1_000;

/// The names kept, of all components together.
type Kept = Arc<Mutex<BTreeSet<&'static str>>>;

/// The names of one component: one that gives too many does not take the room of others.
#[derive(Debug, Default)]
pub(crate) struct Names {
    kept: Kept,
    /// Those it gave, and the bytes that it added.
    given: Mutex<(BTreeSet<&'static str>, usize)>,
}

impl Names {
    /// For another component.
    pub(crate) fn another(&self) -> Self {
        Self { kept: Arc::clone(&self.kept), given: Mutex::default() }
    }

    /// The name as kept text; `None` when it is too long, or there is no room for more.
    pub(crate) fn keep(&self, name: &str) -> Option<&'static str> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = given.0.get(name) {
            return Some(known);
        }
        if name.len() > NAME_MAX || given.0.len() >= NAMES_MAX {
            return None;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let name = match kept.get(name) {
            Some(known) => *known,
            None if given.1 + name.len() > BYTES_MAX => return None,
            None => {
                let name: &'static str = Box::leak(plain(name).into());
                given.1 += name.len();
                kept.insert(name);
                name
            }
        };
        given.0.insert(name);
        Some(name)
    }
}

/// A text without what would command a terminal, and of a bounded length.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once_and_what_a_component_adds_is_bounded() {
        let names = Names::default();
        let first = names.keep("fast").expect("room");
        assert!(std::ptr::eq(first, names.keep("fast").expect("known")));
        assert_eq!(names.keep(&"x".repeat(NAME_MAX + 1)), None);
        let many = (0..2_000).filter(|i| names.keep(&i.to_string()).is_some()).count();
        assert_eq!(many, NAMES_MAX - 1);
        assert_eq!(names.keep("fast"), Some("fast"), "what is known costs nothing");
        let other = names.another();
        assert!(std::ptr::eq(first, other.keep("fast").expect("known")));
        assert_eq!(other.keep("slow"), Some("slow"), "one that gives too many does not take the room of another");
    }

    #[test]
    fn what_people_read_commands_no_terminal() {
        assert_eq!(plain("\u{1b}[2Jgone\r\n"), " [2Jgone  ");
        assert_eq!(plain(&"x".repeat(1 << 20)).len(), TEXT_MAX);
    }
}
