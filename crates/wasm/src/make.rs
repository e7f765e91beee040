//! From a core module, as the compiler gives it, to a component.

use wit_component::ComponentEncoder;

/// A module cannot be made a component.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("making a component of the module: {why}")]
pub struct MakeError {
    /// What was found.
    pub why: String,
}

/// Makes a component of a core module that was built around `bellwether-guest`.
///
/// # Errors
/// When it is no such module.
pub fn componentize(module: &[u8]) -> Result<Vec<u8>, MakeError> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|e| MakeError { why: format!("{e:#}") })
}
