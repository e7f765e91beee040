//! The store: a catalog of market data on disk, import into it, and what can be asked of it.
//!
//! An edge room: it reads and writes files. It has no network, decides nothing about trading and never changes a value:
//! odd data is stored as it came, counted and named. Prices and quantities stay exact decimals from file to file.
//!
//! * [`Catalog`] — what is stored, streams of it, its hashes
//! * [`import()`] — foreign files in; all or nothing
//! * [`Batch`] and [`Catalog::take_in`] — rows that came from a venue itself
//! * [`news`] — signals and features: their JSON form, and series of them
//! * [`check()`], [`show()`], [`resample()`], [`export()`] — what the `data` commands are made of

mod catalog;
mod check;
mod commit;
mod error;
mod export;
mod file;
mod findings;
mod import;
mod intake;
mod lock;
mod manifest;
pub mod news;
mod origin;
mod reader;
mod resample;
mod rules;
mod scan;
mod schema;
mod show;
mod source;
mod table;
mod time;
mod watcher;

pub use catalog::{Catalog, ListReport, SeriesInfo, SourceInfo};
pub use check::{CheckReport, SeriesCheck, check};
pub use error::{DataError, Disagreement};
pub use export::{ExportFormat, ExportReport, export};
pub use findings::{Finding, Oddity};
pub use import::{FileReport, Format, ImportReport, ImportSpec, Progress, Seams, import, read_only};
pub use intake::{Batch, Intake, RECORDING, StatedRules};
pub use resample::{ResampleReport, resample};
pub use show::{Place, ShowReport, show};
pub use time::{Stamp, TimeUnit, parse_date};
pub use watcher::Watcher;

#[cfg(test)]
mod acceptance;
#[cfg(test)]
mod tests;
