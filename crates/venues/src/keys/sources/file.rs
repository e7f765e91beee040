//! A key in a file of JSON that only its owner may read. Replacing the file by a rename changes the key.

use std::io::Write;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::{Source, Stage};
use crate::keys::{KeyError, Material};

/// Keys are texts of some hundred bytes; a file far beyond that is none.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Who may not read a file with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hidden {
    /// All but the owner.
    FromGroup,
    /// All but the owner and the group: what a container's volume can do.
    FromOthers,
}

/// The text of a file that is not open to others.
pub(super) fn read(path: &Path, hidden: Hidden) -> Result<Zeroizing<String>, KeyError> {
    let wrong = |why: String| KeyError::source(format!("reading {}", path.display()), why);
    let failed = |e: std::io::Error| wrong(e.to_string());
    let meta = std::fs::metadata(path).map_err(failed)?;
    if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
        return Err(wrong(format!("it is no file of at most {FILE_BYTES_MAX} bytes")));
    }
    if let Some(mode) = open_to(&meta, hidden) {
        let chmod = if hidden == Hidden::FromGroup { "600" } else { "640" };
        return Err(wrong(format!(
            "its mode {mode:03o} lets others read it; run `chmod {chmod} {}`, and consider the key as seen",
            path.display()
        )));
    }
    let bytes = Zeroizing::new(std::fs::read(path).map_err(failed)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    if crate::keys::material::clean(text).is_empty() {
        return Err(wrong("it is empty".to_owned()));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// The mode of a file that others may read.
#[cfg(unix)]
fn open_to(meta: &std::fs::Metadata, hidden: Hidden) -> Option<u32> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777;
    let forbidden = if hidden == Hidden::FromGroup { 0o077 } else { 0o007 };
    (mode & forbidden != 0).then_some(mode)
}

/// There the folder's rights decide.
#[cfg(not(unix))]
fn open_to(_meta: &std::fs::Metadata, _hidden: Hidden) -> Option<u32> {
    None
}

/// What changes when a file is written or replaced.
pub(super) fn mark(path: &Path) -> Result<String, KeyError> {
    let meta = std::fs::metadata(path)
        .map_err(|e| KeyError::source(format!("looking at {}", path.display()), e.to_string()))?;
    let time = meta.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&meta);
    #[cfg(not(unix))]
    let inode = 0;
    Ok(format!("{inode}-{}-{}", time.as_nanos(), meta.len()))
}

/// Writes a file that only its owner may read, and renames it into its place.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let failed = |e: std::io::Error| KeyError::source(format!("writing {}", path.display()), e.to_string());
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Such a file is made for its owner alone.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// `file:PATH`.
pub(super) struct FileSource {
    path: PathBuf,
}

impl FileSource {
    pub(super) fn new(path: &str) -> Self {
        Self { path: PathBuf::from(path) }
    }
}

impl Source for FileSource {
    fn place(&self) -> String {
        format!("file:{}", self.path.display())
    }

    fn mark(&mut self) -> Result<String, KeyError> {
        mark(&self.path)
    }

    fn fetch(&mut self, _stage: Stage) -> Result<Material, KeyError> {
        let text = read(&self.path, Hidden::FromGroup)?;
        Material::parse(&text).map_err(|why| KeyError::source(format!("reading {}", self.path.display()), why))
    }

    fn store(&mut self, material: &Material) -> Result<(), KeyError> {
        write(&self.path, material.to_json().expose_secret().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_stored_for_its_owner_alone_and_read_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut source = FileSource::new(dir.path().join("key.json").to_str().expect("UTF-8"));
        let key = Material::new("id", "hunter2", "").expect("a key");
        source.store(&key).expect("stored");
        let before = source.mark().expect("a mark");
        assert!(source.fetch(Stage::Current).expect("a key").is_same(&key));
        source.store(&Material::new("id", "hunter3", "").expect("a key")).expect("stored");
        assert_ne!(source.mark().expect("a mark"), before);
        assert!(!source.fetch(Stage::Current).expect("a key").is_same(&key));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_command_to_run() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("key.json");
        std::fs::write(&path, "{\"id\": \"a\", \"secret\": \"hunter2\"}").expect("written");
        let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("a mode");
        let mut source = FileSource::new(path.to_str().expect("UTF-8"));
        for open in [0o644, 0o640, 0o604] {
            mode(open);
            let why = source.fetch(Stage::Current).expect_err("refused").to_string();
            assert!(why.contains(&format!("chmod 600 {}", path.display())) && !why.contains("hunter2"), "{why}");
        }
        mode(0o600);
        assert!(source.fetch(Stage::Current).is_ok());
    }

    #[test]
    fn a_truncated_file_is_refused_without_what_it_holds() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("key.json");
        for text in ["{\"id\": \"a\", \"secret\": \"hunter2", "", "hunter2"] {
            write(&path, text.as_bytes()).expect("written");
            let why = FileSource::new(path.to_str().expect("UTF-8")).fetch(Stage::Current).expect_err("refused");
            assert!(!why.to_string().contains("hunter2"), "{why}");
        }
    }
}
