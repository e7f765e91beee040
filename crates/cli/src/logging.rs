//! Logs: to stderr, as loud as asked for.

use tracing_subscriber::EnvFilter;

use crate::args::Global;

/// Starts logging: `BELLWETHER_LOG` or `RUST_LOG` when set, else what `-v` and `-q` say (warnings by default).
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
    let filter = EnvFilter::new(asked.unwrap_or_else(|| level.to_owned()));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(crate::out::watched())
        .finish();
    // A program that embeds this one may log already.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
