//! The house as ARCHITECTURE.md draws it, held against the code: which room opens which, what a pure room may not
//! touch, and whether what the documents point to is there. The table is read out of the document, so that neither
//! can change without the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What no pure room may name: clocks, files, sockets, threads, the environment, randomness, hash order.
const IMPURE: [&str; 15] = [
    "std::time",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "std::io",
    "SystemTime",
    "Instant",
    "HashMap",
    "HashSet",
    "rand",
    "jiff",
    "rayon",
    "tokio",
];

/// Where the rooms are; the pure ones in a crate whose dependencies have nothing impure to offer.
const HOMES: [&str; 5] = ["src", "crates/core/src", "crates/store/src", "crates/venues/src", "crates/sandbox/src"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("reading {}: {e}", path.display()))
}

/// All files below a folder whose name ends so, in order of their paths.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            found.extend(files(&path, end));
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    found
}

/// A room as the document has it.
struct Room {
    pure: bool,
    opens: BTreeSet<String>,
}

/// The table of ARCHITECTURE.md whose rows are `| room | pure or edge | room, room | … |`.
fn rooms_of_the_document() -> BTreeMap<String, Room> {
    let text = read(&root().join("ARCHITECTURE.md"));
    let mut rooms = BTreeMap::new();
    for line in text.lines().filter(|l| l.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, opens, ..] = cells.as_slice() else { continue };
        if !matches!(*kind, "pure" | "edge") {
            continue;
        }
        let word = |w: &str| w.trim().trim_matches('`').to_owned();
        let opens = opens.split(',').map(word).filter(|w| !w.is_empty() && w != "–").collect();
        rooms.insert(word(name), Room { pure: *kind == "pure", opens });
    }
    assert!(!rooms.is_empty(), "ARCHITECTURE.md has no table of rooms any more");
    rooms
}

/// The code of a file that is built into the library: without comments and without what `#[cfg(test)]` stands before.
/// Relies on rustfmt: an item ends at a brace as far in as it began. Also gives the test modules that are files.
fn shipped(text: &str) -> (String, Vec<String>) {
    let (mut code, mut test_files) = (String::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        if trimmed == "#[cfg(test)]" {
            let end = format!("{}}}", &line[..line.len() - trimmed.len()]);
            for inner in lines.by_ref() {
                if let Some(module) = inner.trim().strip_suffix(';').and_then(|l| l.rsplit_once("mod ")) {
                    test_files.push(module.1.to_owned());
                    break;
                }
                if inner == end || inner.trim_end().ends_with(';') && inner.starts_with("use ") {
                    break;
                }
            }
        } else if !trimmed.starts_with("//") {
            code.push_str(line.split(" // ").next().unwrap_or_default());
            code.push('\n');
        }
    }
    (code, test_files)
}

/// The code of each room: file and text.
fn code_of(room: &str) -> Vec<(PathBuf, String)> {
    let all = HOMES.iter().flat_map(|home| files(&root().join(home).join(room), ".rs"));
    let all: Vec<_> = all.map(|p| (shipped(&read(&p)), p)).collect();
    let mut left_out = BTreeSet::new();
    for ((_, tests), path) in &all {
        let own = path.file_name().is_some_and(|n| n == "mod.rs");
        let base = if own { path.with_file_name("") } else { path.with_extension("") };
        left_out.extend(tests.iter().flat_map(|name| [base.join(format!("{name}.rs")), base.join(name)]));
    }
    // A test module may be a folder with files of its own.
    let is_test = |path: &Path| path.ancestors().any(|part| left_out.contains(part));
    all.into_iter().filter(|(_, p)| !is_test(p)).map(|((code, _), p)| (p, code)).collect()
}

fn word_at(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The rooms that code names by `crate::room` or `crate::{room::…, room}`.
fn opened(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, name) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '$')) {
            continue;
        }
        let rest = &code[at + name.len()..];
        if !rest.starts_with('{') {
            found.insert(word_at(rest).to_owned());
            continue;
        }
        let (mut depth, mut begins) = (0, false);
        for (i, c) in rest.char_indices() {
            match c {
                '{' => (depth, begins) = (depth + 1, depth == 0),
                '}' => depth -= 1,
                ',' => begins = depth == 1,
                c if c.is_whitespace() => {}
                _ if begins && depth == 1 => {
                    found.insert(word_at(&rest[i..]).to_owned());
                    begins = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

/// Whether code names a word (or path) as a whole.
fn names(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        !code[..at].chars().next_back().is_some_and(part) && !code[at + word.len()..].chars().next().is_some_and(part)
    })
}

/// How many modules lie between a file and its crate: `src/tape/mod.rs` has one, `src/tape/file.rs` two.
fn depth(path: &Path) -> usize {
    let inside = HOMES.iter().find_map(|home| path.strip_prefix(root().join(home)).ok()).expect("a file of a room");
    let inside = inside.with_extension("");
    inside.components().filter(|c| c.as_os_str() != "mod").count()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn every_room_is_in_the_table() {
    let table = rooms_of_the_document();
    let mut folders = BTreeSet::new();
    for home in HOMES {
        for entry in std::fs::read_dir(root().join(home)).expect(home).flatten().filter(|e| e.path().is_dir()) {
            folders.insert((entry.file_name().to_string_lossy().into_owned(), home == HOMES[1]));
        }
    }
    let listed: BTreeSet<(String, bool)> = table.iter().map(|(name, room)| (name.clone(), room.pure)).collect();
    assert_eq!(
        folders, listed,
        "the rooms and whether they are in crates/core (left) are not those of ARCHITECTURE.md"
    );
    let named: BTreeSet<String> = table.keys().cloned().collect();
    for (name, room) in &table {
        let unknown: Vec<_> = room.opens.difference(&named).collect();
        assert!(unknown.is_empty(), "ARCHITECTURE.md lets {name} open {unknown:?}, which is no room");
    }
}

#[test]
fn rooms_open_only_what_the_table_allows() {
    let table = rooms_of_the_document();
    let mut wrong = Vec::new();
    for (name, room) in &table {
        for (path, code) in code_of(name) {
            for other in opened(&code).iter().filter(|o| *o != name && !room.opens.contains(*o)) {
                wrong.push(format!("{} opens {other}: the table of ARCHITECTURE.md does not let {name}", shown(&path)));
            }
            let up = "super::".repeat(depth(&path));
            if code.contains(&up) {
                wrong
                    .push(format!("{} leaves its room by {up}; say crate::ROOM, so that it can be seen", shown(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_have_no_clock_file_socket_thread_or_hash_order() {
    let mut wrong = Vec::new();
    for (name, _) in rooms_of_the_document().iter().filter(|(_, room)| room.pure) {
        for (path, code) in code_of(name) {
            for word in IMPURE.iter().filter(|w| names(&code, w)) {
                wrong.push(format!("{} names {word}, and {name} is a pure room", shown(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_uses_sees_what_is_there() {
    let (code, tests) = shipped(
        "// crate::no\nuse crate::{a::B, c, d::{e, f}};\nfn g() { crate::h::i(); } // crate::no\n\
         #[cfg(test)]\nmod t {\n    use crate::no::Such;\n}\n#[cfg(test)]\nmod u;\nuse crate::k::L;\n",
    );
    let found: Vec<String> = opened(&code).into_iter().collect();
    assert_eq!(found, ["a", "c", "d", "h", "k"]);
    assert_eq!(tests, ["u"]);
    assert!(names("use std::time::Instant;", "std::time") && !names("runs brand new", "rand"));
}

/// The links of a Markdown text outside of code fences: words and target.
fn links(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let mut rest = if fenced { "" } else { line };
        while let Some((before, after)) = rest.split_once("](") {
            let Some((target, next)) = after.split_once(')') else { break };
            let words = before.rsplit_once('[').map_or("", |(_, words)| words);
            found.push((words.to_owned(), target.to_owned()));
            rest = next;
        }
    }
    found
}

fn documents() -> Vec<PathBuf> {
    let mut all = files(&root().join("docs"), ".md");
    all.extend(
        ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|n| root().join(n)).into_iter().filter(|p| p.exists()),
    );
    all
}

/// A link to a file finds it, and one whose words are code finds that name in it.
#[test]
fn what_the_documents_point_to_is_there() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for document in documents() {
        for (words, target) in links(&read(&document)) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let path = document.with_file_name("").join(file);
            if !path.exists() {
                wrong.push(format!("{} points to {target}, which is not there", shown(&document)));
                continue;
            }
            let code = words.trim_matches('`').trim_end_matches("()");
            let name = code.rsplit([':', '.']).next().unwrap_or_default();
            let is_name = words.starts_with('`') && !code.contains(['/', ' ', '-']) && !code.ends_with(".rs");
            if is_name && file.ends_with(".rs") && !names(&read(&path), name) {
                wrong.push(format!("{} says that {file} has {name}, which it has not", shown(&document)));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(count > 40, "only {count} links were found in all documents");
}
