//! The shipped data, as this command carries it: a first result needs no folder of the repository.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bellwether::config::DataSettings;
use sha2::{Digest, Sha256};

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, record};

/// Path in the catalog, and content.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/shipped_data.rs"));

/// Where nobody named data and the default folder is not here, the shipped data stands in for it, unpacked into the
/// state folder.
pub(crate) fn stand_in(global: &Global, dir: &mut PathBuf) -> Result<(), Failure> {
    let usual = DataSettings::default().dir;
    if *dir != usual || usual.exists() {
        return Ok(());
    }
    let state = record::state(global)?;
    let folder = unpack(&state)
        .map_err(|e| Failure::new(Code::Failed, format!("unpacking the shipped data into {}: {e}", state.display())))?;
    out::tell(&format!(
        "there is no {} here: this is the data that the command carries, in {}; --data DIR names your own",
        usual.display(),
        folder.display()
    ));
    *dir = folder;
    Ok(())
}

/// Unpacks it where it is not yet, whole or not at all; the folder's name holds what it contains.
fn unpack(state: &Path) -> io::Result<PathBuf> {
    let mut hash = Sha256::new();
    for (name, bytes) in FILES {
        hash.update(name.as_bytes());
        hash.update(bytes);
    }
    let hash: String = hash.finalize().iter().take(6).map(|b| format!("{b:02x}")).collect();
    let folder = state.join(format!("shipped-data-{hash}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    let part = state.join(format!("shipped-data-{hash}.{}.part", std::process::id()));
    let written = write(&part).and_then(|()| match fs::rename(&part, &folder) {
        // Another process was quicker.
        Err(_) if folder.is_dir() => Ok(()),
        done => done,
    });
    if part.exists() {
        // What is left of an attempt is in nobody's way.
        let _ = fs::remove_dir_all(&part);
    }
    written.map(|()| folder)
}

fn write(folder: &Path) -> io::Result<()> {
    for (name, bytes) in FILES {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_is_the_repository_s_folder_and_is_unpacked_once() {
        let state = tempfile::tempdir().expect("a folder");
        let folder = unpack(state.path()).expect("unpacked");
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../backtest-data");
        for (name, _) in FILES {
            assert_eq!(fs::read(folder.join(name)).expect(name), fs::read(here.join(name)).expect(name), "{name}");
        }
        assert!(FILES.iter().any(|(name, _)| name.ends_with("kind=trades/2025-03.parquet")));
        assert!(FILES.iter().any(|(name, _)| name.starts_with("LICENSES/")), "they go where the data goes");
        let changed = folder.join("mine");
        fs::write(&changed, "x").expect("written");
        assert_eq!(unpack(state.path()).expect("there"), folder);
        assert!(changed.exists() && fs::read_dir(state.path()).expect("read").count() == 1);
    }
}
