//! `paper`: strategies on a feed, against the simulated exchange, with a tape.

use std::path::PathBuf;
use std::time::Duration;

use bellwether::config::Feed;
use bellwether::host::Registry;
use bellwether::report::{html, terminal};
use bellwether::run::{self, SessionPlan};
use bellwether_sdk::Interval;
use clap::Args;

use crate::args::{Global, RunArgs};
use crate::failure::{Code, Failure};
use crate::plan::{Of, plan};
use crate::{interrupt, out, record, steps, watch};

/// `paper`
#[derive(Debug, Args)]
#[command(after_help = "\
Without more it paces the stored trades of the catalog: a bot at once, without network and keys.

Examples:
  bellwether paper
  bellwether paper --pace 10 --strategy rsi_reversion --for 60s
  bellwether paper --resume last
  bellwether paper --json --pace 0 > run.json")]
pub(crate) struct PaperArgs {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    session: SessionArgs,
    /// Times real time at which stored data passes; 0 does not wait.
    #[arg(long, value_name = "N")]
    pace: Option<u32>,
}

/// What paper and live sessions share.
#[derive(Debug, Args)]
pub(crate) struct SessionArgs {
    /// End after so long by the clock on the wall: 60s, 15m, 8h.
    #[arg(long = "for", value_name = "TIME")]
    ends_after: Option<Interval>,
    /// Go on with a tape: account and strategies are as they were when it ended. A file, or `last`.
    #[arg(long, value_name = "TAPE")]
    resume: Option<String>,
    /// Print one JSON document at the end instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
    /// Also write the report as one HTML file at the end.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Do not keep the run (the tape is kept).
    #[arg(long)]
    pub(crate) no_save: bool,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &PaperArgs, registry: &Registry) -> Result<(), Failure> {
    let mut plan = plan(global, &args.run, registry, Of::Session)?;
    if !plan.axes.is_empty() {
        return Err(Failure::new(Code::Usage, "a range or list makes a grid, and a session is one run")
            .help("find the values with `bellwether backtest`, then give single ones"));
    }
    if let Some(pace) = args.pace {
        plan.settings.session.pace = pace;
    }
    let settings = &plan.settings;
    if settings.session.feed == Feed::Venue {
        return Err(Failure::new(Code::Refused, "session.feed = \"venue\" is not built into this version yet"));
    }
    let store = record::store(global)?;
    let session = record::new_session();
    let tape = match args.session.resume {
        Some(_) => None,
        None => Some(record::new_tape(global, settings)?),
    };
    let resume = args.session.resume.as_deref().map(|asked| record::find_tape(global, asked)).transpose()?;
    let artefact = record::program_hash();
    let pace = settings.session.pace;
    let feed = match pace {
        0 => "stored data, without waiting".to_owned(),
        1 => "stored data at its own pace".to_owned(),
        n => format!("stored data at {n}x"),
    };
    let mut watcher = watch::Screen::new("paper", feed);
    let report = run::paper(
        settings,
        registry,
        SessionPlan {
            tape,
            resume,
            ends_after: args.session.ends_after.and_then(|i| u64::try_from(i.nanos()).ok()).map(Duration::from_nanos),
            program: (record::VERSION, &artefact),
            settings_json: record::stored_settings(settings)?.to_string(),
            session,
        },
        &mut watcher,
        interrupt::listen()?,
    )?;
    watcher.end();
    let document = record::document(&report, settings, registry, record::shell_line(record::typed()))?;
    if let Some(path) = &args.session.report {
        out::write_file(path, html::render(&document, Some(&report.outcome)).as_bytes())?;
    }
    let saved = if args.session.no_save { None } else { store.save(&document, None).ok() };
    if args.session.json {
        return out::document(&document);
    }
    let mut text = terminal::render(&document, out::terminal());
    text.push_str(&steps::after_session(global, &document, saved.is_some(), report.tape.as_deref()));
    out::answer(&text)
}
