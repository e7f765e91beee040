//! A session's latency beside its tape: kept by a thread of its own, read by whoever asks.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::RunError;
use crate::exchange::drive::Stages;

/// How often a running session's file is written anew.
const KEEP_EVERY: Duration = Duration::from_secs(60);

/// How long the stages from a market message to an order took in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyReport {
    /// The form of this document: 1.
    pub schema_version: u32,
    /// The stages, in order: `parse` (bytes read until understood), `decide` (until strategies and risk are done),
    /// `sign` (until an order's bytes are ready), `own` (these three together), `write` (until the system has taken the
    /// bytes), `whole` (all). The last four are of messages that led to a request. A session on stored data reads no bytes
    /// and writes none: it has `decide`, with the tape's and the simulated exchange's part in it.
    pub stages: Vec<StageLatency>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageLatency {
    /// Its name.
    pub stage: String,
    /// How often it was passed.
    pub count: u64,
    /// Half took at most so many nanoseconds; percentiles are at most 1.6 % too long.
    pub p50_ns: u64,
    /// Nine of ten.
    pub p90_ns: u64,
    /// 99 %.
    pub p99_ns: u64,
    /// 99.9 %.
    pub p999_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

impl LatencyReport {
    pub(super) fn of(stages: &Stages) -> Self {
        let stages = stages.all().map(|(name, h)| StageLatency {
            stage: name.to_owned(),
            count: h.len(),
            p50_ns: h.quantile(0.5),
            p90_ns: h.quantile(0.9),
            p99_ns: h.quantile(0.99),
            p999_ns: h.quantile(0.999),
            max_ns: h.max(),
        });
        Self { schema_version: 1, stages: stages.into() }
    }

    /// Where a tape's stands.
    pub fn path(tape: &Path) -> PathBuf {
        let mut name = tape.as_os_str().to_owned();
        name.push(".latency.json");
        PathBuf::from(name)
    }

    /// Reads a tape's.
    ///
    /// # Errors
    /// [`RunError::Data`] when the session kept none or it does not read.
    pub fn read(tape: &Path) -> Result<Self, RunError> {
        let path = Self::path(tape);
        let text = std::fs::read(&path).map_err(|e| {
            RunError::File(format!("reading {}: {e}; a session whose tape is not kept measures none", path.display()))
        })?;
        serde_json::from_slice(&text).map_err(|e| RunError::File(format!("reading {}: {e}", path.display())))
    }

    /// Writes a tape's: a whole file, or the one before stays.
    fn write(&self, tape: &Path) -> io::Result<()> {
        let path = Self::path(tape);
        let part = path.with_extension("json.part");
        std::fs::write(&part, serde_json::to_vec(self).map_err(io::Error::other)?)?;
        std::fs::rename(part, path)
    }
}

/// Writes a session's latency once a minute and at the end.
pub(super) struct LatencyKeeper {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl LatencyKeeper {
    /// Begins to keep what is counted for a tape. What an earlier process counted for it is put aside under a number. Without a thread nothing is kept: measuring is no reason not to trade.
    pub(super) fn begin(stages: Arc<Stages>, tape: PathBuf) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&end);
        put_aside(&tape);
        let keep = move || {
            let mut kept = Instant::now();
            loop {
                let over = ends.load(Ordering::Acquire);
                if over || kept.elapsed() >= KEEP_EVERY {
                    kept = Instant::now();
                    if let Err(error) = LatencyReport::of(&stages).write(&tape) {
                        tracing::warn!(%error, "keeping the session's latency");
                    }
                }
                if over {
                    return;
                }
                std::thread::park_timeout(KEEP_EVERY);
            }
        };
        let thread = std::thread::Builder::new().name("latency".to_owned()).spawn(keep);
        Self { end, thread: thread.map_err(|error| tracing::warn!(%error, "keeping the session's latency")).ok() }
    }
}

/// `t.tape.latency.json` becomes `t.tape.latency.1.json`, or the next number that is free.
fn put_aside(tape: &Path) {
    let path = LatencyReport::path(tape);
    if !path.exists() {
        return;
    }
    let free = (1..u32::MAX).map(|n| path.with_extension(format!("{n}.json"))).find(|path| !path.exists());
    if let Some(Err(error)) = free.map(|free| std::fs::rename(&path, free)) {
        tracing::warn!(%error, "putting the latency of the session's earlier part aside");
    }
}

impl Drop for LatencyKeeper {
    /// Writes it a last time.
    fn drop(&mut self) {
        self.end.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic there has been printed, and is no reason to fail the session.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_latency_is_kept_at_its_end() {
        let dir = tempfile::tempdir().expect("a folder");
        let tape = dir.path().join("s.tape");
        assert!(matches!(LatencyReport::read(&tape), Err(RunError::File(_))));
        let stages = Arc::new(Stages::default());
        let keeper = LatencyKeeper::begin(Arc::clone(&stages), tape.clone());
        (1..=100).for_each(|n| stages.own.record(n * 1000));
        drop(keeper);
        let report = LatencyReport::read(&tape).expect("kept");
        assert_eq!(report, LatencyReport::of(&stages));
        let own = report.stages.iter().find(|s| s.stage == "own").expect("a stage");
        assert!(own.count == 100 && own.max_ns == 100_000 && (50_000..51_000).contains(&own.p50_ns), "{own:?}");
        // A session that goes on with the tape counts anew, and what was counted before stays.
        drop(LatencyKeeper::begin(Arc::default(), tape.clone()));
        let before = std::fs::read(dir.path().join("s.tape.latency.1.json")).expect("put aside");
        assert_eq!(serde_json::from_slice::<LatencyReport>(&before).expect("a report"), report);
        assert_ne!(LatencyReport::read(&tape).expect("kept"), report);
    }
}
