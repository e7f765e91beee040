//! `data`: the store of market data: what comes in, what is there, what is wrong with it, what goes out.

mod import;
mod list;

use std::path::{Path, PathBuf};

use bellwether::data::Catalog;
use clap::{Args, Subcommand};

use crate::args::Global;
use crate::failure::Failure;
use crate::plan;

/// `data`
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Import files of one instrument: all of them or none.
    Import(import::ImportArgs),
    /// List what is stored.
    List(list::ListArgs),
}

/// Where the catalog is.
#[derive(Debug, Args)]
struct Place {
    /// Folder of stored market data [default: the settings', else backtest-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Place {
    fn dir(&self, global: &Global) -> Result<PathBuf, Failure> {
        match &self.data {
            Some(dir) => Ok(dir.clone()),
            None => Ok(plan::settings(global)?.settings.data.dir),
        }
    }

    fn open(&self, global: &Global) -> Result<Catalog, Failure> {
        Ok(Catalog::open(&self.dir(global)?)?)
    }
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &DataArgs) -> Result<(), Failure> {
    match &args.command {
        DataCommand::Import(args) => import::run(global, args),
        DataCommand::List(args) => list::run(global, args),
    }
}

/// A path as it is shown in lists.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
