//! `schema`: JSON Schemas of what this program reads and writes.

use clap::{Args, ValueEnum};

use crate::failure::Failure;
use crate::out;

/// `schema`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bellwether schema backtest
  bellwether schema config > settings.schema.json")]
pub(crate) struct SchemaArgs {
    /// Which.
    #[arg(value_enum)]
    of: Of,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Of {
    /// What `backtest --json` and `runs show --json` print.
    Backtest,
    /// The settings file.
    Config,
    /// A market event as it is published.
    Market,
    /// A message as a sink of kind webhook, file or nats gets it.
    Message,
    /// A signal or feature, as a line of JSON.
    Signal,
}

/// Runs the command.
pub(crate) fn run(args: &SchemaArgs) -> Result<(), Failure> {
    match args.of {
        Of::Backtest => out::json(&bellwether::report::schema()),
        Of::Market => out::json(&bellwether::sources::nats::market_schema()),
        Of::Message => out::json(&bellwether::sinks::message_schema()),
        Of::Signal => out::json(&bellwether::data::news::schema()),
        Of::Config => out::json(&schemars::schema_for!(bellwether::config::Settings)),
    }
}
