//! A key in a mounted folder, one file per text, as containers get their secrets: `id`, `secret` and, where needed,
//! `passphrase` and `scheme`; or one file `key.json`.
//!
//! Kubernetes changes such a folder by renaming its link `..data` to another folder. All texts are read from below one
//! target of that link, so that no id is read with another's secret.

use std::path::{Path, PathBuf};

use super::file::{self, Hidden};
use super::{Source, Stage};
use crate::keys::{KeyError, Material, Scheme};

/// `dir:PATH`.
pub(super) struct DirSource {
    path: PathBuf,
}

impl DirSource {
    pub(super) fn new(path: &str) -> Self {
        Self { path: PathBuf::from(path) }
    }

    /// Where the files are now.
    fn target(&self) -> Result<PathBuf, KeyError> {
        let data = self.path.join("..data");
        let folder = if data.exists() { &data } else { &self.path };
        std::fs::canonicalize(folder)
            .map_err(|e| KeyError::source(format!("looking at {}", folder.display()), e.to_string()))
    }

    fn read(folder: &Path) -> Result<Material, KeyError> {
        let whole = folder.join("key.json");
        if whole.exists() {
            let text = file::read(&whole, Hidden::FromOthers)?;
            return Material::parse(&text).map_err(|why| KeyError::source(format!("reading {}", whole.display()), why));
        }
        let must = |name: &str| file::read(&folder.join(name), Hidden::FromOthers);
        let may = |name: &str| match folder.join(name).exists() {
            true => must(name).map(Some),
            false => Ok(None),
        };
        let (id, secret, passphrase) = (must("id")?, must("secret")?, may("passphrase")?);
        let wrong = |why: String| KeyError::source(format!("reading {}", folder.display()), why);
        let passphrase = passphrase.as_ref().map_or("", |p| p.as_str());
        let mut material = Material::new(&id, &secret, passphrase).map_err(wrong)?;
        if let Some(word) = may("scheme")? {
            let scheme = Scheme::of_word(&word).ok_or_else(|| wrong("the file scheme names none".to_owned()))?;
            material.scheme = Some(scheme);
        }
        Ok(material)
    }
}

impl Source for DirSource {
    fn place(&self) -> String {
        format!("dir:{}", self.path.display())
    }

    fn mark(&mut self) -> Result<String, KeyError> {
        let target = self.target()?;
        let mut mark = target.display().to_string();
        for name in ["key.json", "id", "secret", "passphrase", "scheme"] {
            if let Ok(own) = file::mark(&target.join(name)) {
                mark = format!("{mark} {own}");
            }
        }
        Ok(mark)
    }

    fn fetch(&mut self, _stage: Stage) -> Result<Material, KeyError> {
        let target = self.target()?;
        let before = self.mark()?;
        let material = Self::read(&target)?;
        match self.mark()? == before {
            true => Ok(material),
            false => Err(KeyError::source(self.place(), "it changed while it was read; it is read again")),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn put(folder: &Path, id: &str, secret: &str) {
        std::fs::create_dir_all(folder).expect("a folder");
        for (name, text) in [("id", id), ("secret", secret)] {
            std::fs::write(folder.join(name), text).expect("written");
            std::fs::set_permissions(folder.join(name), PermissionsExt::from_mode(0o440)).expect("a mode");
        }
    }

    #[test]
    fn the_link_of_a_mounted_secret_changes_id_and_secret_together() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name);
        put(&at("..2026_1"), "id-1\n", "secret-1\n");
        put(&at("..2026_2"), "id-2\n", "secret-2\n");
        symlink("..2026_1", at("..data")).expect("a link");
        let mut source = DirSource::new(dir.path().to_str().expect("UTF-8"));
        let first = source.fetch(Stage::Current).expect("a key");
        assert!(first.is_same(&Material::new("id-1", "secret-1", "").expect("a key")));
        let mark = source.mark().expect("a mark");
        symlink("..2026_2", at("..new")).expect("a link");
        std::fs::rename(at("..new"), at("..data")).expect("renamed");
        assert_ne!(source.mark().expect("a mark"), mark);
        let second = source.fetch(Stage::Current).expect("a key");
        assert!(second.is_same(&Material::new("id-2", "secret-2", "").expect("a key")));
    }

    #[test]
    fn a_folder_without_its_files_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let why = DirSource::new(dir.path().to_str().expect("UTF-8")).fetch(Stage::Current).expect_err("nothing there");
        assert!(why.to_string().contains("id"), "{why}");
        let why = DirSource::new("/nowhere/at-all").mark().expect_err("nothing there");
        assert!(why.to_string().contains("/nowhere/at-all"), "{why}");
    }
}
