//! One file per command: its flags and what it does.

pub(crate) mod adopt;
pub(crate) mod arm;
pub(crate) mod backtest;
pub(crate) mod compare;
pub(crate) mod config;
pub(crate) mod data;
pub(crate) mod doctor;
pub(crate) mod exchange;
pub(crate) mod explain;
pub(crate) mod grid;
pub(crate) mod keys;
pub(crate) mod latency;
pub(crate) mod live;
pub(crate) mod notify;
pub(crate) mod paper;
pub(crate) mod replay;
pub(crate) mod runs;
pub(crate) mod sandbox;
pub(crate) mod schema;
pub(crate) mod signals;
pub(crate) mod state;
pub(crate) mod statement;
pub(crate) mod stop;
pub(crate) mod strategy;
pub(crate) mod verify;

use bellwether::host::Registry;

use crate::args::{Cli, Command};
use crate::failure::Failure;

/// Does what was typed.
pub(crate) fn run(cli: &Cli, registry: &Registry) -> Result<(), Failure> {
    let global = &cli.global;
    match &cli.command {
        Command::Backtest(args) => backtest::run(global, args, registry),
        Command::Doctor(args) => doctor::run(global, args),
        Command::State(args) => state::run(global, args),
        Command::Statement(args) => statement::run(global, args, registry),
        Command::Stop(args) => stop::run(global, args),
        Command::Arm(args) => arm::run(global, args),
        Command::Adopt(args) => adopt::run(global, args),
        Command::Explain(args) => explain::run(global, args, registry),
        Command::Keys(args) => keys::run(global, args),
        Command::Latency(args) => latency::run(global, args),
        Command::Live(args) => live::run(global, args, registry),
        Command::Paper(args) => paper::run(global, args, registry),
        Command::Replay(args) => replay::run(global, args, registry),
        Command::Tape(args) => replay::tape(global, args, registry),
        Command::Runs(args) => runs::run(global, args, registry),
        Command::Compare(args) => compare::run(global, args),
        Command::Verify(args) => verify::run(global, args, registry),
        Command::Data(args) => data::run(global, args),
        Command::Config(args) => config::run(global, args, registry),
        Command::Strategy(args) => strategy::run(global, args, registry),
        Command::Exchange(args) => exchange::run(global, args),
        Command::Sandbox(args) => sandbox::run(global, args),
        Command::Signals(args) => signals::run(global, args, registry),
        Command::Notify(args) => notify::run(global, args),
        Command::Schema(args) => schema::run(args),
    }
}
