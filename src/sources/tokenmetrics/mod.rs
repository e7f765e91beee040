//! The Token Metrics API, v2 and v3: its rows as signals and features, its history, its reports.
//!
//! Sources: the provider's public SDKs and pages. Calls cost: each is within the [`Budget`](super::Budget) before it is made.

mod desk;
mod reports;
mod rows;

pub use desk::{Asked, Desk, Imported};
pub use reports::{Report, store};
pub use rows::{ENDPOINTS, REPORTS, delay_s, lines, pieces, rows};
