//! `unsafe` is forbidden in every crate. A crate that needs it denies it instead, and each place that allows it is named
//! here, with why.

use std::path::{Path, PathBuf};

/// Crates that may hold `unsafe`: the only file, in which it is allowed once, and why.
const REVIEWED: [(&str, &str, &str); 1] = [(
    "crates/wasm",
    "crates/wasm/src/cache.rs",
    "wasmtime takes compiled code from a cache only so: it is our own, in a folder of ours, and checked before",
)];

fn manifests(root: &Path) -> Vec<PathBuf> {
    let folders = ["crates", "strategies"].map(|f| root.join(f));
    let inner = folders.iter().flat_map(std::fs::read_dir).flatten().flatten().map(|e| e.path().join("Cargo.toml"));
    std::iter::once(root.join("Cargo.toml")).chain(inner).filter(|p| p.is_file()).collect()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Files below a folder that allow it, once for each time.
fn allowing(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()) {
        if path.is_dir() {
            found.extend(allowing(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let times = text(&path).matches("allow(unsafe_code)").count();
            found.extend(std::iter::repeat_n(path, times));
        }
    }
    found
}

#[test]
fn unsafe_code_is_forbidden_in_every_crate_but_in_named_places() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(text(&root.join("Cargo.toml")).contains("\nunsafe_code = \"forbid\"\n"), "the workspace forbids it");
    let manifests = manifests(root);
    assert!(manifests.len() > 10, "the crates are found: {manifests:?}");
    for path in manifests {
        let folder = path.parent().unwrap_or(root);
        let name = folder.strip_prefix(root).unwrap_or(folder).display().to_string();
        if text(&path).contains("[lints]\nworkspace = true\n") {
            continue;
        }
        let Some((_, place, why)) = REVIEWED.iter().find(|(reviewed, ..)| *reviewed == name) else {
            panic!("{name} does not take over the workspace's lints, and is not named here");
        };
        assert!(text(&path).contains("\nunsafe_code = \"deny\"\n"), "{name} denies it");
        assert_eq!(allowing(&folder.join("src")), [root.join(place)], "{name} may hold it once: {why}");
    }
}
