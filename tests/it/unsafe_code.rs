//! `unsafe` is forbidden in every crate. A crate that needs it is named here, with who has to look at it and why.

use std::path::{Path, PathBuf};

/// Crates that may hold `unsafe`, and why. None so far.
const REVIEWED: [(&str, &str); 0] = [];

fn manifests(root: &Path) -> Vec<PathBuf> {
    let folders = ["crates", "strategies"].map(|f| root.join(f));
    let inner = folders.iter().flat_map(std::fs::read_dir).flatten().flatten().map(|e| e.path().join("Cargo.toml"));
    std::iter::once(root.join("Cargo.toml")).chain(inner).filter(|p| p.is_file()).collect()
}

#[test]
fn unsafe_code_is_forbidden_in_every_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(text(&root.join("Cargo.toml")).contains("\nunsafe_code = \"forbid\"\n"), "the workspace forbids it");
    let manifests = manifests(root);
    assert!(manifests.len() > 10, "the crates are found: {manifests:?}");
    for path in manifests {
        let crate_root = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let inherits = text(&path).contains("[lints]\nworkspace = true\n");
        let named = REVIEWED.iter().any(|(name, why)| crate_root.contains(name) && !why.is_empty());
        assert!(inherits || named, "{crate_root} does not take over the workspace's lints");
    }
}
