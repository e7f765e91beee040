//! `schema`: JSON Schemas of what this program reads and writes.

use bellwether::data::{CheckReport, ExportReport, ImportReport, ListReport, ResampleReport, ShowReport};
use clap::{Args, ValueEnum};
use schemars::schema_for;

use super::grid::Grid;
use crate::failure::Failure;
use crate::out;

/// `schema`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bellwether schema backtest
  bellwether schema data-import
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
    /// What `backtest --json` prints of ranges and lists of parameters.
    Grid,
    /// What `data import --json` prints.
    DataImport,
    /// What `data list --json` prints.
    DataList,
    /// What `data check --json` prints.
    DataCheck,
    /// What `data show --json` prints.
    DataShow,
    /// What `data resample --json` prints.
    DataResample,
    /// What `data export --json` prints.
    DataExport,
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
        Of::Grid => out::json(&schema_for!(Grid)),
        Of::DataImport => out::json(&schema_for!(ImportReport)),
        Of::DataList => out::json(&schema_for!(ListReport)),
        Of::DataCheck => out::json(&schema_for!(CheckReport)),
        Of::DataShow => out::json(&schema_for!(ShowReport)),
        Of::DataResample => out::json(&schema_for!(ResampleReport)),
        Of::DataExport => out::json(&schema_for!(ExportReport)),
        Of::Market => out::json(&bellwether::sources::nats::market_schema()),
        Of::Message => out::json(&bellwether::sinks::message_schema()),
        Of::Signal => out::json(&bellwether::data::news::schema()),
        Of::Config => out::json(&schema_for!(bellwether::config::Settings)),
    }
}
