//! Signals and features as data: their documented JSON form, and series of them in the catalog.
//!
//! They are few, wide and full of words, unlike market data: a series is lines of JSON by month below `signals/NAME`
//! (`store`). The form is read and written here only ([`Line`]); what it refuses is a [`FormError`].

mod error;
mod form;
mod store;

pub use error::FormError;
pub use form::{DirectionForm, FeatureForm, Line, Scalar, SignalForm, When, schema};
pub use store::{NewsSeries, append, import, load, read_file, series};
