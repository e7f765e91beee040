//! What can be typed. No meaning is given to it here.

mod run;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

pub(crate) use run::RunArgs;

const EXAMPLES: &str = "\
Examples:
  bellwether backtest
  bellwether backtest --strategy ema_cross --set strategy.fast=5:30:5
  bellwether paper
  bellwether data list
  bellwether strategy list

Exit codes: 0 done, 1 failed, 2 usage, 3 bad configuration or data, 4 refused,
5 compared and different, 6 venue unavailable, 130 interrupted";

/// A trading and signal bot: backtest, paper and live on one deterministic engine.
#[derive(Debug, Parser)]
#[command(name = "bellwether", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Settings file (TOML); without one the defaults stand.
    #[arg(long, global = true, value_name = "FILE", env = bellwether::config::ENV_CONFIG)]
    pub(crate) config: Option<PathBuf>,
    /// Folder for runs [default: $XDG_STATE_HOME/bellwether or ~/.local/state/bellwether].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// More logs on stderr; repeat for more.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Fewer logs.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) quiet: u8,
    /// Log as JSON, one object a line.
    #[arg(long, global = true)]
    pub(crate) log_json: bool,
    /// Log to files in a folder too: one a day, fourteen are kept.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) log_dir: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run strategies on stored data and report.
    Backtest(crate::commands::backtest::BacktestArgs),
    /// Run strategies on a feed against the simulated exchange.
    Paper(crate::commands::paper::PaperArgs),
    /// Run strategies at a venue with real orders.
    Live(crate::commands::live::LiveArgs),
    /// End running sessions; with --now, at once: the kill switch.
    Stop(crate::commands::stop::StopArgs),
    /// Arm a guard that has tripped, and take the kill switch's file away.
    Arm(crate::commands::arm::ArmArgs),
    /// Take an open order or a position of others into the books of a running session.
    Adopt(crate::commands::adopt::AdoptArgs),
    /// Look at what a session needs before it begins.
    Doctor(crate::commands::doctor::DoctorArgs),
    /// Keep the state folder in a file, or bring it back.
    State(crate::commands::state::StateArgs),
    /// Hold a live session's books against the venue's own history.
    Statement(crate::commands::statement::StatementArgs),
    /// Why a run traded at a moment, or why it did not.
    Explain(crate::commands::explain::ExplainArgs),
    /// Hear a session's tape again and hold its effects against the recorded ones.
    Replay(crate::commands::replay::ReplayArgs),
    /// How long a session took from market messages to orders, stage by stage.
    Latency(crate::commands::latency::LatencyArgs),
    /// Look into a session's tape.
    Tape(crate::commands::replay::TapeArgs),
    /// Import, list and check stored market data.
    Data(crate::commands::data::DataArgs),
    /// List, show and export stored runs.
    Runs(crate::commands::runs::RunsArgs),
    /// Compare two runs.
    Compare(crate::commands::compare::CompareArgs),
    /// Repeat a stored run and hold its orders against the stored ones.
    Verify(crate::commands::verify::VerifyArgs),
    /// Show or check settings.
    Config(crate::commands::config::ConfigArgs),
    /// Show strategies and their parameters.
    Strategy(crate::commands::strategy::StrategyArgs),
    /// Look at a venue, or place and cancel single orders by hand.
    Exchange(crate::commands::exchange::ExchangeArgs),
    /// List, check, rotate and revoke keys.
    Keys(crate::commands::keys::KeysArgs),
    /// Serve an exchange on this machine: stored data, simulated matching, Binance's spot protocols.
    Sandbox(crate::commands::sandbox::SandboxArgs),
    /// Signals as data: run, store, measure.
    Signals(crate::commands::signals::SignalsArgs),
    /// Try the places that messages go to.
    Notify(crate::commands::notify::NotifyArgs),
    /// Print JSON Schemas of what this program reads and writes.
    Schema(crate::commands::schema::SchemaArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_command_takes_its_flags() {
        Cli::command().debug_assert();
    }
}
