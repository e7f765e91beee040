//! Logs: to stderr, as loud as asked for, as lines or as JSON; and to files that rotate, where a folder is named.

use std::path::Path;

use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

use crate::args::Global;

/// Files of this many days are kept.
const DAYS_KEPT: usize = 14;

/// Starts logging: `BELLWETHER_LOG` or `RUST_LOG` when set (`level` or `target=level`, with commas between), else what `-v` and `-q` say (warnings by default).
/// What it gives writes what waits when it is dropped.
pub(crate) fn start(global: &Global) -> Option<WorkerGuard> {
    let asked =
        ["BELLWETHER_LOG", "RUST_LOG"].iter().find_map(|name| std::env::var(name).ok()).filter(|v| !v.is_empty());
    let level = match i16::from(global.verbose) - i16::from(global.quiet) {
        ..=-2 => "off",
        -1 => "error",
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter: Targets = match asked.as_deref().unwrap_or(level).parse() {
        Ok(filter) => filter,
        Err(e) => {
            eprintln!("BELLWETHER_LOG, RUST_LOG: {e}; write for instance \"warn,bellwether=debug\"; logging warnings");
            Targets::new().with_default(tracing::Level::WARN)
        }
    };
    let (files, guard) = global.log_dir.as_deref().and_then(files).unzip();
    let on_screen = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(crate::out::watched());
    let in_files = files.map(|to| tracing_subscriber::fmt::layer().with_writer(to).with_ansi(false));
    // A program that embeds this one may log already.
    let _ = if global.log_json {
        let layers = on_screen.json().and_then(in_files.map(tracing_subscriber::fmt::Layer::json));
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(filter).with(layers))
    } else {
        let layers = on_screen.and_then(in_files);
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(filter).with(layers))
    };
    guard
}

/// Files in a folder: one for each day, UTC, of which the last fourteen are kept. A thread of its own writes them.
fn files(dir: &Path) -> Option<(NonBlocking, WorkerGuard)> {
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("bellwether")
        .filename_suffix("log")
        .max_log_files(DAYS_KEPT)
        .build(dir);
    match appender {
        Ok(appender) => Some(tracing_appender::non_blocking(appender)),
        Err(e) => {
            eprintln!("--log-dir {}: {e}; logging to stderr only", dir.display());
            None
        }
    }
}
