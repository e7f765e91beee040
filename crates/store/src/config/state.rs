//! The one folder for what a program leaves behind: runs, tapes, audit, locks.

use std::path::{Path, PathBuf};

use super::{ConfigError, Settings};

/// The state folder, made if it is not there, readable by its owner only: the setting, else
/// `$XDG_STATE_HOME/bellwether`, else `~/.local/state/bellwether`.
///
/// # Errors
/// [`ConfigError::StateDir`] when it cannot be made; [`ConfigError::NoHome`] when nothing says where.
pub fn state_dir(settings: &Settings) -> Result<PathBuf, ConfigError> {
    let from_env = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let path = settings
        .state_dir
        .clone()
        .or_else(|| from_env("XDG_STATE_HOME").filter(|p| p.is_absolute()).map(|p| p.join("bellwether")))
        .or_else(|| from_env("HOME").map(|p| p.join(".local/state/bellwether")))
        .ok_or(ConfigError::NoHome)?;
    create_private(&path).map_err(|why| ConfigError::StateDir { path: path.clone(), why: why.to_string() })?;
    Ok(path)
}

/// Makes a folder for its owner only, if it is not there.
///
/// # Errors
/// As the system says.
pub fn create_private(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)?;
    }
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        // Another process may have made it between the look and the making.
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}
