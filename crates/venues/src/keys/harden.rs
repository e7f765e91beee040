//! Keeps what is in memory out of core dumps.

use super::KeyError;

/// From now on this process leaves no core dump, and on Linux no other process of the same user may look into it.
///
/// # Errors
/// [`KeyError::Source`] as the system says.
#[cfg(unix)]
pub fn no_core_dumps() -> Result<(), KeyError> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let failed = |e: rustix::io::Errno| KeyError::source("forbidding core dumps", e.to_string());
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(failed)?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).map_err(failed)?;
    Ok(())
}

/// There it is the system's setting.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn no_core_dumps() -> Result<(), KeyError> {
    Ok(())
}
