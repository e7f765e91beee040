//! Compiled components, kept in a private folder. Compiled code is run as it lies there, so only what this program wrote is
//! taken: the folder belongs to us and nobody else may write to it; names tell content, compiler and settings; a checksum
//! tells torn files.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

/// A folder of compiled components.
pub(crate) struct Cache {
    dir: PathBuf,
    /// Compiler, its settings and this machine's abilities.
    engine: u64,
}

impl Cache {
    pub(crate) fn new(dir: PathBuf, engine: &Engine) -> Self {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self { dir, engine: hasher.finish() }
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.dir.join(format!("{sha256}-{:016x}.cwasm", self.engine))
    }

    /// The compiled form of a component, if it is there and whole.
    pub(crate) fn get(&self, engine: &Engine, sha256: &str) -> Option<Component> {
        is_private(&self.dir).then_some(())?;
        let bytes = fs::read(self.path(sha256)).ok()?;
        let (sum, code) = bytes.split_first_chunk::<4>()?;
        if crc32fast::hash(code).to_le_bytes() != *sum {
            tracing::warn!(file = %self.path(sha256).display(), "a compiled strategy is damaged; it is compiled again");
            return None;
        }
        deserialize(engine, code)
    }

    /// Keeps a compiled component; that it cannot be kept costs time only.
    pub(crate) fn put(&self, sha256: &str, component: &Component) {
        if let Err(error) = self.try_put(sha256, component) {
            tracing::warn!(%error, dir = %self.dir.display(), "a compiled strategy is not kept");
        }
    }

    fn try_put(&self, sha256: &str, component: &Component) -> Result<(), String> {
        let code = component.serialize().map_err(|e| format!("{e:#}"))?;
        let said = |e: std::io::Error| e.to_string();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir).map_err(said)?;
        if !is_private(&self.dir) {
            return Err("the folder is not ours alone; make it `chmod 700`".to_owned());
        }
        let mut file = tempfile::NamedTempFile::new_in(&self.dir).map_err(said)?;
        file.write_all(&crc32fast::hash(&code).to_le_bytes()).map_err(said)?;
        file.write_all(&code).map_err(said)?;
        file.persist(self.path(sha256)).map_err(|e| e.error.to_string())?;
        Ok(())
    }
}

/// Whether a folder is ours and nobody else may write to it.
fn is_private(dir: &Path) -> bool {
    fs::symlink_metadata(dir).is_ok_and(|m| {
        m.is_dir() && m.uid() == rustix::process::geteuid().as_raw() && m.permissions().mode() & 0o022 == 0
    })
}

/// Takes compiled code as it is.
#[allow(unsafe_code)]
fn deserialize(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: the bytes are what `Component::serialize` gave: they lie in a folder that is ours and that nobody else may write
    // to, in a file that only `try_put` writes and renames there whole, and their checksum is right.
    unsafe { Component::deserialize(engine, code) }.ok()
}
