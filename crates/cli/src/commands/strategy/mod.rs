//! `strategy`: which strategies there are and what they take; making and building one of your own.

#[cfg(feature = "wasm")]
mod build;
mod create;
#[cfg(feature = "wasm")]
mod package;
mod sources;

use bellwether::host::{Entry, Registry};
use bellwether::signal::SIZER_PARAMS;
use bellwether_sdk::ParamSpec;
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::{out, strategies};

/// `strategy`
#[derive(Debug, Args)]
pub(crate) struct StrategyArgs {
    #[command(subcommand)]
    command: StrategyCommand,
}

#[derive(Debug, Subcommand)]
enum StrategyCommand {
    /// List the strategies.
    #[command(after_help = "Examples:\n  bellwether strategy list\n  bellwether strategy list --json")]
    List {
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a strategy: what it does, what it takes, how to run it.
    #[command(after_help = "Examples:\n  bellwether strategy show ema_cross")]
    Show(Named),
    /// Show a strategy's parameters only.
    #[command(after_help = "Examples:\n  bellwether strategy params ema_cross --json")]
    Params(Named),
    /// Write a strategy of your own, ready to build.
    #[command(
        after_help = "Examples:\n  bellwether strategy new my-cross\n  bellwether strategy new my-cross --lang python"
    )]
    New(create::NewArgs),
    /// Build the strategy in a folder as a WebAssembly component.
    #[cfg(feature = "wasm")]
    #[command(
        after_help = "Examples:\n  bellwether strategy build\n  bellwether strategy build my-cross --out cross.wasm"
    )]
    Build(build::BuildArgs),
}

#[derive(Debug, Args)]
struct Named {
    /// Its name, or the file of a component.
    name: String,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &StrategyArgs, registry: &Registry) -> Result<(), Failure> {
    match &args.command {
        StrategyCommand::New(args) => create::run(args),
        #[cfg(feature = "wasm")]
        StrategyCommand::Build(args) => build::run(args),
        StrategyCommand::List { json } => list(registry, *json),
        StrategyCommand::Show(named) => {
            let entry = strategies::entry(registry, &named.name)?;
            if named.json { out::json(&described(&entry)) } else { show(&entry) }
        }
        StrategyCommand::Params(named) => {
            let entry = strategies::entry(registry, &named.name)?;
            match named.json {
                true => out::json(&json!({"schema_version": 1, "name": entry.name(), "params": params(&entry)})),
                false => out::answer(&table(&entry)),
            }
        }
    }
}

fn list(registry: &Registry, json: bool) -> Result<(), Failure> {
    if json {
        let all: Vec<Value> = registry.entries().iter().map(described).collect();
        return out::json(&json!({"schema_version": 1, "strategies": all}));
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["strategy", "emits", "what it does"]);
    for entry in registry.entries() {
        table.add_row([entry.name(), emits(entry), &entry.manifest.summary]);
    }
    out::answer(&table.to_string())
}

fn show(entry: &Entry) -> Result<(), Failure> {
    out::answer(&format!(
        "{}: {}\nEmits {}.\n\n{}\n\nTry: bellwether backtest --strategy {}{}",
        entry.name(),
        entry.manifest.summary,
        emits(entry),
        table(entry),
        entry.name(),
        // Resting orders are judged on ticks; bars say too little about who was filled.
        if entry.directional() { "" } else { " --kind trades" }
    ))
}

fn emits(entry: &Entry) -> &'static str {
    if entry.directional() { "signals" } else { "orders" }
}

fn described(entry: &Entry) -> Value {
    json!({"name": entry.name(), "summary": entry.manifest.summary, "directional": entry.directional(), "params": params(entry)})
}

fn params(entry: &Entry) -> Vec<Value> {
    let own = &entry.specs;
    let sizer = sizer(entry, own).map(|(name, help)| {
        json!({"name": name, "help": help, "kind": "decimal", "default": null, "range": null, "choices": [], "sizer": true})
    });
    let declared = own.iter().map(|s| {
        let range = s.range.as_ref().map(|(low, high)| json!([low, high]));
        json!({"name": s.name, "help": s.help, "kind": s.kind, "default": s.default, "range": range,
               "choices": s.choices, "sizer": false})
    });
    declared.chain(sizer).collect()
}

fn sizer<'a>(entry: &Entry, own: &'a [ParamSpec]) -> impl Iterator<Item = (&'static str, &'static str)> + 'a {
    let all = if entry.directional() { &SIZER_PARAMS[..] } else { &[] };
    all.iter().copied().filter(move |(name, _)| !own.iter().any(|s| s.name == *name))
}

fn table(entry: &Entry) -> String {
    let own = &entry.specs;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["parameter", "kind", "default", "allowed", "what it is"]);
    for spec in own {
        let allowed = match &spec.range {
            Some((low, high)) => format!("{low} to {high}"),
            None => spec.choices.join(", "),
        };
        let default = spec.default.as_deref().unwrap_or("(none)");
        table.add_row([spec.name, spec.kind, default, &allowed, spec.help]);
    }
    for (name, help) in sizer(entry, own) {
        table.add_row([name, "decimal", "(one of)", "above 0", help]);
    }
    table.to_string()
}
