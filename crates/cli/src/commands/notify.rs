//! `notify`: the places that messages go to.

use std::sync::Arc;

use bellwether::config::Level;
use bellwether::exchange::transport::{Live, LiveSettings};
use bellwether::run;
use bellwether::sinks::{Message, Notice, TOPICS, place};
use bellwether_sdk::Ts;
use clap::{Args, Subcommand};

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
    },
    /// What is reported, by topic.
    #[command(after_help = "Example:\n  bellwether notify topics")]
    Topics,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &NotifyArgs) -> Result<(), Failure> {
    match &args.command {
        NotifyCommand::Test { name } => test(global, name.as_deref()),
        NotifyCommand::Topics => {
            let rows: Vec<String> = TOPICS.iter().map(|(topic, what)| format!("{topic:<12}{what}")).collect();
            out::answer(&rows.join("\n"))
        }
    }
}

fn test(global: &Global, only: Option<&str>) -> Result<(), Failure> {
    let settings = plan::settings(global)?.settings;
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
    let mut down = 0;
    for (name, sink) in wanted {
        let mut place = place(name, sink, &token, transport.clone()).map_err(|e| Failure::bad(e.to_string()))?;
        let text = format!("bellwether: a test message to {name}");
        let notice = Notice::new(at, Level::Info, "start", text.clone());
        let message = Message { number: 0, id: format!("{name}-test-{}", now.as_millisecond()), text, notice };
        let answer = match runtime.block_on(place.deliver(&message)) {
            Ok(()) => "delivered".to_owned(),
            Err(error) => {
                down += 1;
                format!("not delivered: {error}")
            }
        };
        out::answer(&format!("{name}: {answer}"))?;
    }
    if down > 0 { Err(failed(format!("{down} of the sinks did not take the message"))) } else { Ok(()) }
}
