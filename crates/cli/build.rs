//! Packs into the command what it needs without the repository, as tables of path and content in order of path: the sources
//! that a strategy is built with, for `strategy new` and `strategy build`, and the shipped data.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The crates that are packed, under `crates/`.
const CRATES: [&str; 3] = ["guest", "sdk", "sdk-macros"];

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = here.join("../..");
    let mut files = vec![root.join("Cargo.toml"), root.join("Cargo.lock"), root.join("clippy.toml")];
    for name in CRATES {
        let folder = root.join("crates").join(name);
        files.push(folder.join("Cargo.toml"));
        for part in ["src", "wit"] {
            collect(&folder.join(part), &mut files)?;
        }
    }
    let out = PathBuf::from(env::var("OUT_DIR").unwrap_or_default());
    fs::write(out.join("sdk_sources.rs"), table(&root, files, "include_str")?)?;
    let (data, mut files) = (root.join("backtest-data"), Vec::new());
    collect(&data, &mut files)?;
    fs::write(out.join("shipped_data.rs"), table(&data, files, "include_bytes")?)
}

fn table(root: &Path, mut files: Vec<PathBuf>, include: &str) -> io::Result<String> {
    files.sort();
    let mut table = "&[\n".to_owned();
    for file in &files {
        let name = file.strip_prefix(root).unwrap_or(file).display();
        println!("cargo::rerun-if-changed={}", file.display());
        let _ = writeln!(table, "    ({:?}, {include}!({:?})),", name.to_string(), fs::canonicalize(file)?);
    }
    table.push_str("]\n");
    Ok(table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
