//! `config show|check`: what the settings are once all layers are merged, and whether they can be used.

use bellwether::config::{Settings, redact};
use bellwether::host::Registry;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::args::{Global, RunArgs};
use crate::failure::{Code, Failure};
use crate::{out, plan};

/// `config`
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print the merged settings as TOML, secrets hidden.
    #[command(after_help = "\
Examples:
  bellwether config show
  bellwether config show --config config/default.toml --set sim.latency_ms=5
  BELLWETHER__SIM__LATENCY_MS=5 bellwether config show --json")]
    Show(Shown),
    /// Check settings, strategies and parameters without running; exits 3 when something is wrong.
    #[command(after_help = "\
Examples:
  bellwether config check --config config/default.toml")]
    Check(Shown),
}

#[derive(Debug, Args)]
struct Shown {
    #[command(flatten)]
    run: RunArgs,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &ConfigArgs, registry: &Registry) -> Result<(), Failure> {
    match &args.command {
        ConfigCommand::Show(shown) => {
            show(&plan::plan(global, &shown.run, registry, plan::Of::Backtest)?.settings, shown.json)
        }
        ConfigCommand::Check(shown) => {
            let plan = plan::plan(global, &shown.run, registry, plan::Of::Backtest)?;
            let ids: Vec<_> = plan.settings.strategy.iter().map(|s| s.id.as_str()).collect();
            if shown.json {
                return out::json(&json!({"schema_version": 1, "ok": true, "strategies": ids}));
            }
            let from = plan.file.as_ref().map_or("the defaults".to_owned(), |f| f.path().display().to_string());
            out::answer(&format!("{from}: fine; strategies: {}", ids.join(", ")))
        }
    }
}

fn show(settings: &Settings, json: bool) -> Result<(), Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::new(Code::Failed, format!("printing the settings: {e}"));
    let mut value = serde_json::to_value(settings).map_err(|e| failed(&e))?;
    redact(&mut value);
    if json {
        value["schema_version"] = 1.into();
        return out::json(&value);
    }
    out::answer(&toml_edit::ser::to_string_pretty(&value).map_err(|e| failed(&e))?)
}
