//! `signals`: signals as data, and the mode that only emits them.

mod aleo;
mod evaluate;
mod run;
mod stored;
mod tokenmetrics;

use bellwether::host::Registry;
use clap::{Args, Subcommand};

use crate::args::Global;
use crate::failure::Failure;

/// `signals`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bellwether signals run --strategy rsi_reversion --pace 0
  bellwether signals import --name research research.csv
  bellwether signals list
  bellwether signals evaluate research --instrument binance:BTC/USDT --interval 1h")]
pub(crate) struct SignalsArgs {
    #[command(subcommand)]
    command: SignalsCommand,
}

#[derive(Debug, Subcommand)]
enum SignalsCommand {
    /// Run strategies and only print the signals they emit: no account, no orders, no keys.
    Run(Box<run::RunSignalsArgs>),
    /// Take signals or features from files into the catalog.
    Import(stored::ImportArgs),
    /// What series there are.
    List(stored::ListArgs),
    /// Print a stored series as lines of JSON.
    Show(stored::ShowArgs),
    /// Look at Token Metrics, take its history in, and see what calls are left.
    #[command(name = "tokenmetrics")]
    TokenMetrics(tokenmetrics::TokenMetricsArgs),
    /// Look at Aleo: the checklist of a campaign.
    Aleo(aleo::AleoArgs),
    /// What a series was worth: hit rate, forward returns, information coefficient, against chance.
    Evaluate(evaluate::EvaluateArgs),
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &SignalsArgs, registry: &Registry) -> Result<(), Failure> {
    match &args.command {
        SignalsCommand::Run(args) => run::run(global, args, registry),
        SignalsCommand::Import(args) => stored::import(global, args),
        SignalsCommand::List(args) => stored::list(global, args),
        SignalsCommand::Show(args) => stored::show(global, args),
        SignalsCommand::TokenMetrics(args) => tokenmetrics::run(global, args),
        SignalsCommand::Aleo(args) => aleo::run(global, args),
        SignalsCommand::Evaluate(args) => evaluate::run(global, args),
    }
}
