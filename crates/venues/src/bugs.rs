//! Known bugs, planted to see whether the storm finds them (`tests/storm/bugs`). They are there only in builds with
//! `--cfg bellwether_bugs`, one at a time, named by the environment; in all others `planted!` is `false`.

use std::sync::OnceLock;

/// Whether this is the bug that is planted.
pub fn is(name: &str) -> bool {
    static PLANTED: OnceLock<String> = OnceLock::new();
    PLANTED.get_or_init(|| std::env::var("BELLWETHER_BUG").unwrap_or_default()) == name
}
