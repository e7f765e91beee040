//! The `bellwether` command with the shipped strategies.

use std::process::ExitCode;

use bellwether::host::Registry;

fn main() -> ExitCode {
    bellwether_cli::main(&Registry::new().with::<strategy_ema_cross::EmaCross>())
}
