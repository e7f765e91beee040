//! What the columnar formats share: which column is what, and how a file is refused.

use std::fmt::Display;
use std::path::Path;

use super::ImportSpec;
use super::plan::Plan;
use crate::data::error::DataError;

/// Columns are found by the generic names, or as the caller told.
pub(super) fn generic(path: &Path, spec: &ImportSpec, names: Vec<String>) -> Result<Plan, DataError> {
    match &spec.columns {
        Some(mapping) => Plan::from_mapping(path, names, mapping, spec.told()),
        None => Plan::from_header(path, names, spec),
    }
}

/// A file that is not what it should be.
pub(super) fn not(path: &Path, what: &str, error: &dyn Display) -> DataError {
    DataError::file(
        path,
        format!("it cannot be read as {what} ({error})"),
        "pass the right --format, or fetch it again",
    )
}

/// A file without rows.
pub(super) fn no_rows(path: &Path) -> DataError {
    DataError::file(path, "the file has no rows", "fetch it again")
}
