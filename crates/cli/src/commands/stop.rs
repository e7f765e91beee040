//! `stop`: ends running sessions from another terminal; with `--now` it is the kill switch.

use std::path::Path;
use std::time::{Duration, Instant};

use bellwether::run::{self, Asked, Running};
use clap::Args;
use serde_json::{Value, json};

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, record};

/// `stop`
#[derive(Debug, Args)]
#[command(after_help = "\
Without --now sessions end as at Ctrl-C: by session.on_stop. With it all orders are cancelled at once, and entries stay
barred until `bellwether arm`. The same by signal: SIGUSR1 (cancel), SIGUSR2 (cancel and close positions); and by a file
STOP in the state folder, with the word `flatten` in it or not.

Examples:
  bellwether stop
  bellwether stop --now
  bellwether stop --now --flatten --session binance-main --reason 'wrong price'")]
pub(crate) struct StopArgs {
    /// At once: cancel all orders, let no new one out.
    #[arg(long)]
    now: bool,
    /// Close positions at the market too.
    #[arg(long, requires = "now")]
    flatten: bool,
    /// Which session; all that run, unless named.
    #[arg(long, value_name = "NAME")]
    session: Option<String>,
    /// Why, for the tape.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Who, for the tape.
    #[arg(long, value_name = "NAME", env = "USER", default_value = "unknown")]
    operator: String,
    /// Wait at most so many seconds for the sessions to end.
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    wait: u64,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &StopArgs) -> Result<(), Failure> {
    let state = record::state(global)?;
    let sessions = sessions(&state, args.session.as_deref())?;
    let asked = match args.now {
        false => Asked::Stop,
        true => Asked::Kill { flatten: args.flatten, operator: args.operator.clone(), reason: args.reason.clone() },
    };
    for session in &sessions {
        run::ask(&state, &session.name, &asked)?;
        out::tell(&format!("asked {} (process {}) to stop", session.name, session.pid));
    }
    let began = Instant::now();
    loop {
        let left: Vec<String> = run::running(&state)?
            .into_iter()
            .filter(|r| sessions.iter().any(|s| s.name == r.name && s.pid == r.pid))
            .map(|r| r.name)
            .collect();
        let over = began.elapsed() >= Duration::from_secs(args.wait);
        if args.json && (left.is_empty() || over) {
            let row = |s: &Running| json!({"session": s.name, "pid": s.pid, "ended": !left.contains(&s.name)});
            let rows: Vec<Value> = sessions.iter().map(row).collect();
            out::json(&json!({"schema_version": 1, "sessions": rows}))?;
        }
        if left.is_empty() {
            if args.json {
                return Ok(());
            }
            let names: Vec<&str> = sessions.iter().map(|s| s.name.as_str()).collect();
            return out::answer(&format!("stopped: {}\n", names.join(", ")));
        }
        if over {
            return Err(Failure::new(
                Code::Failed,
                format!("after {} seconds these sessions have not ended: {}", args.wait, left.join(", ")),
            )
            .help("look at what they say; `kill` ends the process, and --resume reconciles"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The sessions that are meant.
fn sessions(state: &Path, name: Option<&str>) -> Result<Vec<Running>, Failure> {
    let all = run::running(state)?;
    let names = all.iter().map(|r| r.name.clone()).collect::<Vec<_>>().join(", ");
    let found: Vec<Running> = all.into_iter().filter(|r| name.is_none_or(|n| n == r.name)).collect();
    match (found.is_empty(), name, names.is_empty()) {
        (false, ..) => Ok(found),
        (true, Some(name), false) => Err(Failure::bad(format!("no session {name} runs; there are: {names}"))),
        _ => Err(Failure::bad(format!("no session runs with the state folder {}", state.display()))
            .help("name the state folder of the session with --state-dir")),
    }
}
