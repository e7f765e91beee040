//! The wiring of the modes: settings in, a run out. Opens every room; no room opens it.

mod account;
mod archive;
mod ask;
mod asked;
mod backtest;
mod backup;
mod bus;
mod check;
mod control;
mod coverage;
mod day;
mod digest;
mod download;
mod evaluate;
mod explain;
#[cfg(test)]
mod fake;
mod foreign;
mod grid;
mod keeper;
mod keydesk;
mod keyring;
mod latency;
mod limits;
mod live;
mod look;
mod market;
mod money;
mod news;
mod paper;
mod pilot;
mod plan;
mod prune;
mod pulse;
mod reconcile;
mod recording;
mod rehearsal;
mod report;
mod resolved;
mod sent;
mod session;
mod settlements;
mod setup;
mod shared;
mod silence;
#[cfg(test)]
mod snapshots;
mod spec;
mod statement;
mod supply;
mod surroundings;
mod swap;
mod takeup;
mod tapes;
mod tokens;
mod watchdog;

pub use backtest::backtest;
pub use backup::{Backup, backup, restore};
pub use check::{CheckReport, Finding, Verdict, check};
pub use control::{Asked, Reply, Running, ask, clear, reply, running, tripped};
pub use download::{DownloadPlan, DownloadReport, Unserved, download};
pub use evaluate::{EvaluateSpec, evaluate};
pub use explain::{Moment, Question, View, Word, explain_run, explain_tape};
pub use foreign::{AdoptAsked, AdoptWhat};
pub use grid::grid;
pub use keeper::{Keeper, Ring, Signings};
pub use keydesk::{KeyDesk, RotateWish};
pub use keyring::{KeyEntry, Tried, all_entries, try_keys};
pub use latency::{LatencyReport, StageLatency};
pub use live::{session, session_in};
pub use look::{AmendWish, LookAt, LookError, OrderWish, What, look, rules_of};
pub use market::{plays, symbols, venue_key};
pub use paper::{SessionPlan, Watcher, paper};
pub use prune::{PruneRow, PruneRule, durability_costs, prunable, prune, tapes_size};
pub use recording::{RecordPlan, RecordReport, Recorded, record};
pub use session::{Status, StatusRow};
pub use spec::{RunError, RunReport, SeriesRead, Variant};
pub use statement::{
    Entry, Moved, Payment, Row, Statement, Transfer, csv as statement_csv, document as statement_document, statement,
    text as statement_text,
};
pub use surroundings::Surroundings;
pub use swap::{ChangeAsked, file_for_session, pin_as_watched};
pub use tapes::{Divergence, TapeReplay, Verified, export, replay, replay_by, replay_whole, show, verify};
pub use tokens::{TOKEN_KINDS, tokens};
