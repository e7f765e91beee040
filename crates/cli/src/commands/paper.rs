//! `paper`: strategies on a feed, against the simulated exchange, with a tape.

use std::path::PathBuf;
use std::time::Duration;

use bellwether::config::{Feed, Settings};
use bellwether::host::{ARTEFACTS, Registry};
use bellwether::keys::{KeyError, Token};
use bellwether::report::{RunStore, html, terminal};
use bellwether::run::{self, RunReport, SessionPlan};
use bellwether_sdk::Interval;
use clap::Args;

use crate::args::{Global, RunArgs};
use crate::failure::{Code, Failure};
use crate::plan::{Of, plan};
use crate::{interrupt, out, program, record, shipped, steps, watch};

/// `paper`
#[derive(Debug, Args)]
#[command(after_help = "\
Without more it paces the stored trades of the catalog: a bot at once, without network and keys.

Examples:
  bellwether paper
  bellwether paper --pace 10 --strategy rsi_reversion --for 60s
  bellwether paper --feed venue --instrument kraken:BTC/USD
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
    /// Where market data comes from: the catalog, the venue itself, or another process.
    #[arg(long, value_enum)]
    feed: Option<FeedKind>,
}

/// Where market data comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FeedKind {
    /// The catalog, paced.
    Store,
    /// The venue's own streams; no key is needed.
    Venue,
    /// Another process that publishes market data over NATS (`session.bus`).
    Bus,
}

impl From<FeedKind> for Feed {
    fn from(kind: FeedKind) -> Self {
        match kind {
            FeedKind::Store => Self::Store,
            FeedKind::Venue => Self::Venue,
            FeedKind::Bus => Self::Bus,
        }
    }
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
    /// Take a new version of a strategy's file as soon as it is there; see `bellwether strategy swap`.
    #[arg(long)]
    watch: bool,
    /// Do not keep the run (the tape is kept).
    #[arg(long)]
    pub(crate) no_save: bool,
}

impl SessionArgs {
    /// What is to be planned. A session that is taken up goes on with the content that it had.
    pub(crate) fn of(&self) -> Of {
        if self.watch && self.resume.is_none() { Of::Watched } else { Of::Session }
    }
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &PaperArgs, registry: &Registry) -> Result<(), Failure> {
    let mut plan = plan(global, &args.run, registry, args.session.of())?;
    if !plan.axes.is_empty() {
        return Err(Failure::new(Code::Usage, "a range or list makes a grid, and a session is one run")
            .help("find the values with `bellwether backtest`, then give single ones"));
    }
    if let Some(pace) = args.pace {
        plan.settings.session.pace = pace;
    }
    if let Some(feed) = args.feed {
        plan.settings.session.feed = feed.into();
    }
    if plan.settings.session.feed == Feed::Store {
        shipped::stand_in(global, &mut plan.settings.data.dir)?;
    }
    let settings = &plan.settings;
    let store = record::store(global)?;
    let session = session_plan(global, &args.session, settings)?;
    let stop = interrupt::listen()?;
    let report = if settings.session.feed != Feed::Store {
        let mut watcher = watch::Screen::new(
            "paper",
            match settings.session.feed {
                Feed::Bus => "market data of the bus, simulated orders".to_owned(),
                _ => "live feed, simulated orders".to_owned(),
            },
        );
        let report = run::session(settings, registry, session.as_plan(), None, &mut watcher, stop)?;
        watcher.end();
        report
    } else {
        let feed = match settings.session.pace {
            0 => "stored data, without waiting".to_owned(),
            1 => "stored data at its own pace".to_owned(),
            n => format!("stored data at {n}x"),
        };
        let mut watcher = watch::Screen::new("paper", feed);
        let report = run::paper(settings, registry, session.as_plan(), &mut watcher, stop)?;
        watcher.end();
        report
    };
    finish(global, &args.session, settings, registry, &store, &report)
}

/// Finds the token of a source or sink by its kind and name.
type FindToken = dyn Fn(&str, &str) -> Result<Token, KeyError>;

/// What a session needs beside its settings.
pub(crate) struct Prepared {
    tape: Option<PathBuf>,
    resume: Option<PathBuf>,
    ends_after: Option<Duration>,
    artefact: String,
    settings_json: String,
    watch: bool,
    state: PathBuf,
    tokens: Box<FindToken>,
}

impl Prepared {
    /// As the library wants it.
    pub(crate) fn as_plan(&self) -> SessionPlan<'_> {
        SessionPlan {
            tape: self.tape.clone(),
            resume: self.resume.clone(),
            ends_after: self.ends_after,
            program: (record::VERSION, &self.artefact),
            settings_json: self.settings_json.clone(),
            session: record::new_session(),
            watch: self.watch,
            state: Some(self.state.clone()),
            tokens: &*self.tokens,
        }
    }
}

/// Prepares a session: its tape, or the one to go on with.
pub(crate) fn session_plan(global: &Global, args: &SessionArgs, settings: &Settings) -> Result<Prepared, Failure> {
    let state = record::state(global)?;
    Ok(Prepared {
        tape: if args.resume.is_some() { None } else { Some(record::new_tape(global, settings)?) },
        resume: args.resume.as_deref().map(|asked| record::find_tape(global, asked)).transpose()?,
        ends_after: args.ends_after.and_then(|i| u64::try_from(i.nanos()).ok()).map(Duration::from_nanos),
        artefact: program::hash(Some(&state)),
        settings_json: record::stored_settings(settings)?.to_string(),
        watch: args.watch,
        state,
        tokens: Box::new(run::tokens(&settings.key)),
    })
}

/// Tells what came of a session.
pub(super) fn finish(
    global: &Global,
    args: &SessionArgs,
    settings: &Settings,
    registry: &Registry,
    store: &RunStore,
    report: &RunReport,
) -> Result<(), Failure> {
    let state = record::state(global)?;
    // The files of its strategies may have changed while it ran.
    let registry = &registry.clone().with_artefacts(state.join(ARTEFACTS));
    let command = record::shell_line(record::typed());
    let document = record::document(report, settings, registry, command, Some(&state))?;
    if let Some(path) = &args.report {
        out::write_file(path, html::render(&document, Some(&report.outcome)).as_bytes())?;
    }
    let saved = if args.no_save { None } else { store.save(&document, None).ok() };
    if args.json {
        out::document(&document)?;
    } else {
        let mut text = terminal::render(&document, out::terminal());
        text.push_str(&steps::after_session(global, &document, saved.is_some(), report.tape.as_deref()));
        out::answer(&text)?;
    }
    crate::plugins::none_stopped(report)
}
