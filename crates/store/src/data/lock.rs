//! One writer at a time: a lock file in the catalog, held by the system and so free after any death.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::error::DataError;

const LOCK: &str = "_lock";

/// The right to write to a catalog, until dropped.
#[derive(Debug)]
pub(crate) struct WriteLock {
    // Held for its lock.
    _file: File,
    path: PathBuf,
    made_dir: Option<PathBuf>,
}

impl WriteLock {
    /// Takes the right to write, making the folder where it is missing.
    pub(crate) fn take(dir: &Path) -> Result<Self, DataError> {
        let made_dir = (!dir.exists()).then(|| dir.to_owned());
        std::fs::create_dir_all(dir).map_err(DataError::io("making the catalog", dir))?;
        let path = dir.join(LOCK);
        // The holder removes the file when done; whoever locked the removed one tries again with the new one.
        loop {
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(DataError::io("locking", &path))?;
            match file.try_lock() {
                Ok(()) if same_file(&file, &path) => return Ok(Self { _file: file, path, made_dir }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(DataError::Locked { path: dir.to_owned() }),
                Err(TryLockError::Error(e)) => return Err(DataError::io("locking", &path)(e)),
            }
        }
    }
}

#[cfg(unix)]
fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(named)) => held.ino() == named.ino() && held.dev() == named.dev(),
        _ => false,
    }
}

#[cfg(not(unix))]
fn same_file(_: &File, _: &Path) -> bool {
    true
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        // Left behind, the file would do no harm: the lock is the system's, not the file's existence.
        let _ = std::fs::remove_file(&self.path);
        if let Some(dir) = &self.made_dir {
            // Only succeeds while empty: an import that failed leaves no new folder behind.
            let _ = std::fs::remove_dir(dir);
        }
    }
}
