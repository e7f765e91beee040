//! Logs: to stderr, as loud as asked for.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

use crate::args::Global;

/// Starts logging: `BELLWETHER_LOG` or `RUST_LOG` when set (`level` or `target=level`, with commas between), else what `-v` and `-q` say (warnings by default).
pub(crate) fn start(global: &Global) {
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
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(crate::out::watched());
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    // A program that embeds this one may log already.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
