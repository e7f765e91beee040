//! `notify`: the places that messages go to.

use std::sync::Arc;

use bellwether::config::Level;
use bellwether::exchange::transport::{Live, LiveSettings};
use bellwether::run;
use bellwether::sinks::{Message, Notice, TOPICS, place};
use bellwether_sdk::Ts;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, plan};

/// `notify`
#[derive(Debug, Args)]
pub(crate) struct NotifyArgs {
    #[command(subcommand)]
    command: NotifyCommand,
}

#[derive(Debug, Subcommand)]
enum NotifyCommand {
    /// Send a message to every sink of the settings, or to one, and say what came of it.
    #[command(after_help = "Examples:\n  bellwether notify test --config my.toml\n  bellwether notify test chat")]
    Test {
        /// Which sink.
        name: Option<String>,
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// What is reported, by topic.
    #[command(after_help = "Example:\n  bellwether notify topics")]
    Topics {
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &NotifyArgs) -> Result<(), Failure> {
    match &args.command {
        NotifyCommand::Test { name, json } => test(global, name.as_deref(), *json),
        NotifyCommand::Topics { json: true } => {
            let rows: Vec<Value> = TOPICS.iter().map(|(topic, what)| json!({"topic": topic, "what": what})).collect();
            out::json(&json!({"schema_version": 1, "topics": rows}))
        }
        NotifyCommand::Topics { json: false } => {
            let rows: Vec<String> = TOPICS.iter().map(|(topic, what)| format!("{topic:<12}{what}")).collect();
            out::answer(&rows.join("\n"))
        }
    }
}

fn test(global: &Global, only: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let settings = plan::settings(global)?.settings;
    if settings.sink.is_empty() {
        return Err(Failure::bad("the settings name no place for messages: there is no [sink.NAME]").help(
            "write one into the settings file, e.g.\n  [sink.chat]\n  kind = \"file\"\n  to = \"messages.jsonl\"\n\
             docs/notify.md shows each kind; name the file with --config FILE",
        ));
    }
    let wanted: Vec<_> = settings.sink.iter().filter(|(name, _)| only.is_none_or(|o| o == *name)).collect();
    if wanted.is_empty() {
        let names: Vec<&str> = settings.sink.keys().map(String::as_str).collect();
        return Err(Failure::bad(format!("no such sink; the settings have: {}", names.join(", ")))
            .help("write [sink.NAME] into the settings file; docs/notify.md shows each kind"));
    }
    let failed = |e: String| Failure::new(Code::Failed, e);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| failed(e.to_string()))?;
    let transport = Arc::new(Live::new(LiveSettings::default()).map_err(|e| failed(e.to_string()))?);
    let now = jiff::Timestamp::now();
    let at = Ts::from_millis(now.as_millisecond());
    let token = run::tokens(&settings.key);
    let mut rows = Vec::new();
    for (name, sink) in wanted {
        let mut place = place(name, sink, &token, transport.clone()).map_err(|e| Failure::bad(e.to_string()))?;
        let text = format!("bellwether: a test message to {name}");
        let notice = Notice::new(at, Level::Info, "start", text.clone());
        let message = Message { number: 0, id: format!("{name}-test-{}", now.as_millisecond()), text, notice };
        let error = runtime.block_on(place.deliver(&message)).err().map(|e| e.to_string());
        if !as_json {
            let answer = error.as_ref().map_or("delivered".to_owned(), |e| format!("not delivered: {e}"));
            out::answer(&format!("{name}: {answer}"))?;
        }
        rows.push(json!({"sink": name, "delivered": error.is_none(), "error": error}));
    }
    let down = rows.iter().filter(|row| row["delivered"] == false).count();
    if as_json {
        out::json(&json!({"schema_version": 1, "sinks": rows}))?;
    }
    if down > 0 { Err(failed(format!("{down} of the sinks did not take the message"))) } else { Ok(()) }
}
