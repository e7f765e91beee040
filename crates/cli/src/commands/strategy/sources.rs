//! The sources that strategies are built with, as this command carries them.

use std::path::Path;

use crate::failure::{Code, Failure};

/// Path from the repository's root, and text.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk_sources.rs"));

/// The text of one of them; empty if it is not carried.
pub(super) fn text(path: &str) -> &'static str {
    FILES.iter().find(|(name, _)| *name == path).map_or("", |(_, text)| text)
}

/// Writes them into a folder: a workspace of the sdk, its macros and the glue for WebAssembly, with a lock file that names
/// the versions this command was built with.
pub(super) fn unpack(folder: &Path) -> Result<(), Failure> {
    for (name, text) in FILES {
        match *name {
            "Cargo.toml" => write(&folder.join(name), &workspace(text))?,
            _ => write(&folder.join(name), text)?,
        }
    }
    Ok(())
}

/// The repository's manifest, cut down to what these crates take from it.
fn workspace(manifest: &str) -> String {
    let shared = manifest.split("[workspace.package]").nth(1).unwrap_or_default();
    let shared = shared.split("\n[package]").next().unwrap_or_default();
    format!("[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n\n[workspace.package]{shared}")
}

/// Writes a file and the folders above it.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|e| Failure::new(Code::Failed, format!("writing {}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_of_the_three_crates_are_carried() {
        for file in [
            "Cargo.lock",
            "clippy.toml",
            "crates/sdk/src/lib.rs",
            "crates/sdk-macros/src/lib.rs",
            "crates/guest/wit/strategy.wit",
        ] {
            assert!(!text(file).is_empty(), "{file}");
        }
        let manifest = workspace(text("Cargo.toml"));
        assert!(manifest.contains("[workspace.dependencies]") && !manifest.contains("\n[package]"), "{manifest}");
    }
}
