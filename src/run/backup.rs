//! The state folder as one file and back: runs, tapes and what guards have tripped.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::RunError;
use super::control::running;
use crate::config::create_private;

/// The folders that are kept.
const KEPT: [&str; 3] = ["runs", "tapes", "locks"];

/// What was put into a backup, or taken out of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backup {
    /// Files.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// Writes the state folder's runs, tapes and marks into a new file. Locks and requests are left out.
///
/// # Errors
/// [`RunError::Refused`] while a session runs (its tape is not whole) or where the file is there; [`RunError::Tape`].
pub fn backup(state: &Path, to: &Path) -> Result<Backup, RunError> {
    refuse_running(state)?;
    let exists = |e: &io::Error| e.kind() == io::ErrorKind::AlreadyExists;
    let file = File::create_new(to).map_err(|e| match exists(&e) {
        true => RunError::Refused(format!("{} is there already; name another file", to.display())),
        false => failed("making", to, &e),
    })?;
    let mut zip = ZipWriter::new(file);
    let mut done = Backup::default();
    for folder in KEPT {
        for path in files(&state.join(folder)).map_err(|e| failed("reading", &state.join(folder), &e))? {
            let passing = path.extension().is_some_and(|x| ["lock", "ask", "kill", "new"].iter().any(|e| x == *e));
            if folder == "locks" && passing {
                continue;
            }
            let Ok(name) = path.strip_prefix(state) else { continue };
            let options = SimpleFileOptions::default().large_file(true).unix_permissions(0o600);
            let mut put = || -> io::Result<u64> {
                zip.start_file(name.to_string_lossy(), options)?;
                io::copy(&mut File::open(&path)?, &mut zip)
            };
            done.bytes += put().map_err(|e| failed("storing", &path, &e))?;
            done.files += 1;
        }
    }
    let finished = zip.finish().map_err(io::Error::other).and_then(|f| f.sync_all());
    finished.map_err(|e| failed("writing", to, &e))?;
    Ok(done)
}

/// Brings a backup back into a state folder that has none of its files.
///
/// # Errors
/// [`RunError::Refused`] while a session runs, or where a file is there already: nothing is overwritten;
/// [`RunError::Data`] for what is no backup.
pub fn restore(from: &Path, state: &Path) -> Result<Backup, RunError> {
    refuse_running(state)?;
    let file = File::open(from).map_err(|e| failed("opening", from, &e))?;
    let no_backup = |why: String| RunError::File(format!("{} is no backup of a state folder: {why}", from.display()));
    let mut zip = ZipArchive::new(file).map_err(|e| no_backup(e.to_string()))?;
    let mut names: Vec<(usize, PathBuf)> = Vec::new();
    for at in 0..zip.len() {
        let entry = zip.by_index(at).map_err(|e| no_backup(e.to_string()))?;
        // A name that leads out of the folder is refused, whatever it is.
        let name = entry.enclosed_name().ok_or_else(|| no_backup(format!("it holds {:?}", entry.name())))?;
        let inside = KEPT.iter().any(|folder| name.starts_with(folder));
        if !inside || entry.is_dir() {
            return Err(no_backup(format!("it holds {}", name.display())));
        }
        if state.join(&name).exists() {
            return Err(RunError::Refused(format!(
                "{} is there already; restore into an empty state folder with --state-dir",
                state.join(&name).display()
            )));
        }
        names.push((at, name));
    }
    let mut done = Backup::default();
    for (at, name) in names {
        let path = state.join(&name);
        if let Some(parent) = path.parent() {
            create_private(parent).map_err(|e| failed("making", parent, &e))?;
        }
        let mut entry = zip.by_index(at).map_err(|e| no_backup(e.to_string()))?;
        done.bytes += write_new(&path, &mut entry).map_err(|e| failed("writing", &path, &e))?;
        done.files += 1;
    }
    Ok(done)
}

fn refuse_running(state: &Path) -> Result<(), RunError> {
    let names: Vec<String> = running(state)?.into_iter().map(|r| r.name).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(RunError::Refused(format!("these sessions run: {}; `bellwether stop` ends them", names.join(", "))))
}

fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !dir.is_dir() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => found.extend(files(&entry.path())?),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found.sort();
    Ok(found)
}

fn write_new(path: &Path, from: &mut dyn Read) -> io::Result<u64> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let bytes = io::copy(from, &mut file)?;
    file.flush()?;
    file.sync_all()?;
    Ok(bytes)
}

fn failed(what: &str, path: &Path, error: &io::Error) -> RunError {
    RunError::Tape(format!("{what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_folder_comes_back_as_it_was_and_overwrites_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let (old, new, file) = (dir.path().join("old"), dir.path().join("new"), dir.path().join("b.zip"));
        for (name, text) in [("tapes/a.tape", "tape"), ("runs/r/run.json", "{}"), ("locks/b.tripped", "why")] {
            let path = old.join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        std::fs::write(old.join("locks/b.lock"), "").expect("written");
        assert_eq!(backup(&old, &file).expect("kept").files, 3);
        assert!(matches!(backup(&old, &file), Err(RunError::Refused(_))));
        assert_eq!(restore(&file, &new).expect("back"), Backup { files: 3, bytes: 9 });
        assert_eq!(std::fs::read_to_string(new.join("tapes/a.tape")).expect("read"), "tape");
        assert!(matches!(restore(&file, &new), Err(RunError::Refused(_))));
        std::fs::write(dir.path().join("no.zip"), "no").expect("written");
        assert!(matches!(restore(&dir.path().join("no.zip"), &dir.path().join("x")), Err(RunError::File(_))));
    }
}
