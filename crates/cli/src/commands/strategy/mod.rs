//! `strategy`: which strategies there are and what they take; making, building and checking one of your own, and changing it
//! while it runs.

#[cfg(feature = "wasm")]
mod build;
mod change;
mod check;
mod create;
#[cfg(feature = "wasm")]
mod package;
mod sample;
mod sources;

use bellwether::host::{Entry, Registry};
use bellwether::signal::SIZER_PARAMS;
use bellwether_sdk::{AccountKind, ParamSpec, ParamValues};
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use serde_json::{Value, json};

use crate::args::Global;
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
    #[command(after_help = "Examples:\n  bellwether strategy list\n  bellwether strategy list ./my_cross.wasm --json")]
    List {
        /// Files of components to list beside those of the command.
        files: Vec<String>,
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
    /// Look at a strategy before it trades: is it deterministic, does it look ahead, what does it do on bad data.
    #[command(after_help = "\
Runs it again and again over stored data, whole, cut and spoilt. Exits 5 when a check failed; warnings do not count.

Examples:
  bellwether strategy check ema_cross
  bellwether strategy check ./my_cross.wasm --interval 1h --set strategy.fast=5
  bellwether strategy check ./my_cross.wasm --against my_cross --json")]
    Check(Box<check::CheckArgs>),
    /// Put another version of a strategy in its place, in a session that runs.
    #[command(after_help = "\
The session goes on: positions and open orders stay, and no event is missed. The new version is loaded and tried beside it,
takes over the state of the one before where both declare the same state version and the parameters are the same, and is
warmed up by what the session heard otherwise. If it fails before it has heard its first event, the one before goes on.
Exits 4 when it was refused or taken back.

Examples:
  bellwether strategy swap paper-20260101-120000 ./my_cross.wasm
  bellwether strategy swap binance-main ./my_cross.wasm --strategy cross --without-state")]
    Swap(change::SwapArgs),
    /// Change parameters of a strategy in a session that runs.
    #[command(after_help = "\
The strategy is made anew with them and warmed up by what the session heard; see `bellwether strategy swap`.

Examples:
  bellwether strategy set paper-20260101-120000 fast=5
  bellwether strategy set binance-main notional=500 --strategy cross")]
    Set(change::SetArgs),
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
    /// The same, where this program was built without: says how to get it.
    #[cfg(not(feature = "wasm"))]
    #[command(hide = true)]
    Build {
        /// What was meant.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        line: Vec<String>,
    },
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
pub(crate) fn run(global: &Global, args: &StrategyArgs, registry: &Registry) -> Result<(), Failure> {
    match &args.command {
        StrategyCommand::New(args) => create::run(args, registry),
        StrategyCommand::Swap(args) => change::swap(global, args, registry),
        StrategyCommand::Set(args) => change::set(global, args),
        StrategyCommand::Check(args) => check::run(global, args, registry),
        #[cfg(feature = "wasm")]
        StrategyCommand::Build(args) => build::run(args),
        #[cfg(not(feature = "wasm"))]
        StrategyCommand::Build { line } => {
            let what = ["strategy build"].into_iter().chain(line.iter().map(String::as_str));
            let what = what.collect::<Vec<_>>().join(" ");
            Err(Failure::new(
                crate::failure::Code::Usage,
                format!("{what}: this program was built without WebAssembly"),
            )
            .help(crate::plugins::GET_WASM))
        }
        StrategyCommand::List { files, json } => list(registry, files, *json),
        StrategyCommand::Show(named) => {
            let entry = strategies::entry(registry, &named.name)?;
            if !named.json {
                return show(&named.name, &entry);
            }
            let mut document = described(&entry);
            document["schema_version"] = 1.into();
            out::json(&document)
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

fn list(registry: &Registry, files: &[String], json: bool) -> Result<(), Failure> {
    let mut entries = registry.entries().to_vec();
    for file in files {
        entries.push(strategies::entry(registry, file)?);
    }
    if json {
        let all: Vec<Value> = entries.iter().map(described).collect();
        return out::json(&json!({"schema_version": 1, "strategies": all}));
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["strategy", "emits", "what it does"]);
    for entry in &entries {
        table.add_row([entry.name(), emits(entry), &entry.manifest.summary]);
    }
    out::answer(&table.to_string())
}

fn show(named: &str, entry: &Entry) -> Result<(), Failure> {
    out::answer(&format!(
        "{}: {}\nEmits {}.{}{}\n\n{}\n\nTry: bellwether backtest --strategy {}{}",
        entry.name(),
        entry.manifest.summary,
        emits(entry),
        needs(entry),
        declares(entry),
        table(entry),
        named,
        // Resting orders are judged on ticks; bars say too little about who was filled.
        if entry.directional() { "" } else { " --kind trades" }
    ))
}

/// What it needs and how it is kept, as it says with its default parameters.
fn needs(entry: &Entry) -> String {
    let may = &entry.manifest;
    let orders = match orders(entry).join(", ") {
        none if none.is_empty() => "none".to_owned(),
        some => some,
    };
    let mut text = format!(" Kinds of orders: {orders}.");
    if may.signal_only {
        text.push_str("\nLooks at events alone.");
    }
    if let Some((account, warmup)) = made(entry) {
        text.push_str(&format!("\nNeeds a {account} account. "));
        text.push_str(&match warmup {
            0 => "It declares no warm-up.".to_owned(),
            n => format!("After {n} events per instrument it no longer matters where it began."),
        });
    }
    text.push_str(&match may.state_version {
        0 => "\nNo other version takes its state.".to_owned(),
        n => format!("\nState version {n}."),
    });
    text
}

/// Its account and its warm-up, made with its default parameters; nothing where it cannot be made without any.
fn made(entry: &Entry) -> Option<(&'static str, u64)> {
    let made = (entry.make)(&ParamValues::new()).ok()?;
    let account = match made.account() {
        AccountKind::Cash => "cash",
        AccountKind::Margin => "margin",
    };
    Some((account, made.rebuild_window()))
}

/// The kinds of orders that it may place, itself or by signals.
fn orders(entry: &Entry) -> Vec<&'static str> {
    let may = entry.manifest.orders;
    let all = [
        ("market", may.market),
        ("limit", may.limit),
        ("stop_market", may.stop_market),
        ("stop_limit", may.stop_limit),
        ("trailing_stop", may.trailing_stop),
    ];
    all.into_iter().filter(|o| o.1).map(|o| o.0).collect()
}

/// What a component says of itself beside that, and what it may do at the most.
fn declares(entry: &Entry) -> String {
    let may = &entry.manifest;
    let mut text = String::new();
    if !entry.sha256.is_empty() {
        text.push_str(&format!("\nVersion {}, sha256 {}.", may.version, entry.sha256));
        text.push_str(&format!("\nMade for contract {} with sdk {}.", may.contract, may.sdk));
    }
    if !may.instruments.is_empty() {
        text.push_str(&format!("\nTrades {} only.", may.instruments.join(", ")));
    }
    if let Some(max) = may.order_notional_max {
        text.push_str(&format!("\nNo order of more than {max} in quote currency."));
    }
    text
}

fn emits(entry: &Entry) -> &'static str {
    if entry.directional() { "signals" } else { "orders" }
}

fn described(entry: &Entry) -> Value {
    let may = &entry.manifest;
    let own = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    let made = made(entry);
    json!({
        "name": entry.name(),
        "summary": may.summary,
        "directional": entry.directional(),
        "signal_only": may.signal_only,
        "state_version": may.state_version,
        "account": made.map(|m| m.0),
        "warmup": made.map(|m| m.1),
        "version": own(&may.version),
        "contract": own(&may.contract),
        "sdk": own(&may.sdk),
        "sha256": own(&entry.sha256),
        "capabilities": {
            "instruments": may.instruments,
            "orders": orders(entry),
            "order_notional_max": may.order_notional_max.map(|max| max.to_string()),
        },
        "params": params(entry),
    })
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

#[cfg(test)]
mod tests {
    use bellwether_sdk::{Capabilities, OrderKinds, ParamError, Params, Plugin, Strategy};

    use super::*;

    #[derive(Params)]
    struct Nothing {}

    struct Warms;

    impl Strategy for Warms {
        fn rebuild_window(&self) -> u64 {
            30
        }
    }

    impl Plugin for Warms {
        type Params = Nothing;
        const NAME: &'static str = "warms";
        const SUMMARY: &'static str = "";
        const DIRECTIONAL: bool = true;
        const SIGNAL_ONLY: bool = true;
        fn capabilities() -> Capabilities {
            Capabilities { orders: OrderKinds { limit: true, ..OrderKinds::NONE }, ..Capabilities::default() }
        }
        fn new(_: Nothing) -> Result<Self, ParamError> {
            Ok(Self)
        }
    }

    struct Asks;

    impl Strategy for Asks {}

    impl Plugin for Asks {
        type Params = Nothing;
        const NAME: &'static str = "asks";
        const SUMMARY: &'static str = "";
        const DIRECTIONAL: bool = true;
        fn new(_: Nothing) -> Result<Self, ParamError> {
            Err(ParamError::Conflict("say what".to_owned()))
        }
    }

    #[test]
    fn what_a_strategy_needs_is_told_as_far_as_its_defaults_tell_it() {
        assert_eq!(
            needs(&Entry::native::<Warms>()),
            " Kinds of orders: limit.\nLooks at events alone.\nNeeds a cash account. After 30 events per instrument it no \
             longer matters where it began.\nNo other version takes its state."
        );
        let asks = Entry::native::<Asks>();
        assert_eq!(described(&asks)["account"], Value::Null);
        assert!(!needs(&asks).contains("account"));
    }
}
