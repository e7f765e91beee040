//! Strategies that come as files: the WebAssembly host, where this program was built with it.

use bellwether::host::Registry;
use bellwether::run::RunReport;

use crate::failure::{Code, Failure};

/// How to get a program that takes files.
#[cfg(not(feature = "wasm"))]
pub(crate) const GET_WASM: &str =
    "`cargo install --locked --path crates/cli --features wasm` in a checkout builds one that can";

/// The registry with a host for files.
#[cfg(feature = "wasm")]
pub(crate) fn with_files(registry: &Registry) -> Result<Registry, Failure> {
    use bellwether_wasm::{Limits, WasmHost};
    let host = WasmHost::new(Limits::default(), cache_dir()).map_err(|e| Failure::bad(e.to_string()))?;
    Ok(registry.clone().with_loader(std::sync::Arc::new(host)))
}

/// The registry as it is: files are refused.
#[cfg(not(feature = "wasm"))]
pub(crate) fn with_files(registry: &Registry) -> Result<Registry, Failure> {
    Ok(registry.clone())
}

/// Where compiled components are kept: `$XDG_CACHE_HOME/bellwether/wasm` or `~/.cache/bellwether/wasm`.
#[cfg(feature = "wasm")]
fn cache_dir() -> Option<std::path::PathBuf> {
    let dir = |name| std::env::var_os(name).map(std::path::PathBuf::from).filter(|d| d.is_absolute());
    let cache = dir("XDG_CACHE_HOME").or_else(|| dir("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("bellwether").join("wasm"))
}

/// A run in which a strategy was stopped has its result, and says at its end that it is not whole.
pub(crate) fn none_stopped(report: &RunReport) -> Result<(), Failure> {
    let said = |h: &bellwether::engine::Halt| format!("strategy {} was stopped: {}", h.strategy, h.reason);
    let all: Vec<String> = report.outcome.halts.iter().map(said).collect();
    if all.is_empty() { Ok(()) } else { Err(Failure::new(Code::Failed, all.join("; "))) }
}
