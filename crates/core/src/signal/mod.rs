//! From wishes to sized intents: the sizer and the rules for signals that repeat, reverse or come too late.

mod combine;
mod measure;
mod news;
mod size;

pub use combine::{Combination, Combiner, Conflict, Rule};
pub use measure::{
    AtHorizon, JUDGED_FROM, Measure, MeasureSpec, Opinion, REAL_BELOW, Tradable, Verdict, draw, measure,
};
pub use news::{Body, Heard, News};
pub use size::{Gauge, SIZER_PARAMS, Sized, Sizer, SizingView, excludes, is_sizing, size};
