//! Every type, trait and function that the sdk exports has an example that runs.

use std::fs;
use std::path::Path;

/// Items whose documentation has none; methods are shown by their types' examples.
fn without(path: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(path).expect("a folder").map(|e| e.expect("an entry").path()) {
        if entry.is_dir() {
            without(&entry, found);
            continue;
        }
        let text = fs::read_to_string(&entry).expect("text");
        let (mut shown, mut hidden) = (false, false);
        for line in text.lines() {
            let line = line.trim_end();
            let item = ["pub struct ", "pub enum ", "pub trait ", "pub fn ", "pub const fn "]
                .iter()
                .find_map(|start| line.strip_prefix(start));
            match item {
                Some(rest) => {
                    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    // What an indicator gives is shown where it is given.
                    if !shown && !hidden && !name.ends_with("Output") {
                        found.push(format!("{}: {name}", entry.display()));
                    }
                    (shown, hidden) = (false, false);
                }
                None if line.starts_with("///") => shown |= line.contains("```"),
                None if line.starts_with("#[doc(hidden)]") => hidden = true,
                // Attributes, also over several lines.
                None if line.starts_with("#[") || line.starts_with(' ') || line.starts_with(")]") => {}
                None => (shown, hidden) = (false, false),
            }
        }
    }
}

#[test]
fn what_is_exported_has_an_example() {
    let mut found = Vec::new();
    without(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.is_empty(), "without an example: {found:#?}");
}
