//! `signals run`: strategies on a feed, their signals as lines of JSON on stdout and to the sinks.

use bellwether::config::Feed;
use bellwether::data::news::{self, Line, SignalForm};
use bellwether::host::Registry;
use bellwether::run::{self, Status, Watcher};
use bellwether_sdk::Ts;
use clap::Args;

use crate::args::{Global, RunArgs};
use crate::commands::paper::{FeedKind, SessionArgs, session_plan};
use crate::failure::{Code, Failure};
use crate::plan::plan;
use crate::{interrupt, out};

/// `signals run`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bellwether signals run --strategy rsi_reversion --pace 0
  bellwether signals run --config my.toml --feed venue --store mine")]
pub(crate) struct RunSignalsArgs {
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
    /// Also store the signals in the catalog under this name.
    #[arg(long, value_name = "NAME")]
    store: Option<String>,
}

/// Prints signals.
struct Printer {
    kept: Vec<Line>,
    keeps: bool,
    closed: Option<Failure>,
}

impl Watcher for Printer {
    fn status(&mut self, _: &Status) {}

    fn effect(&mut self, _: Ts, line: &str) {
        out::tell(line);
    }

    fn signal(&mut self, signal: &SignalForm) {
        let line = Line::Signal(Box::new(signal.clone()));
        if self.closed.is_none() {
            self.closed = out::line(&line).err();
        }
        if self.keeps {
            self.kept.push(line);
        }
    }
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &RunSignalsArgs, registry: &Registry) -> Result<(), Failure> {
    let mut plan = plan(global, &args.run, registry, args.session.of())?;
    if !plan.axes.is_empty() {
        return Err(Failure::new(Code::Usage, "a range or list makes a grid, and this is one run"));
    }
    let settings = &mut plan.settings;
    settings.signals.only = true;
    settings.session.pace = args.pace.unwrap_or(settings.session.pace);
    settings.session.feed = args.feed.map_or(settings.session.feed, Feed::from);
    let session = session_plan(global, &args.session, settings)?;
    let stop = interrupt::listen()?;
    let mut printer = Printer { kept: Vec::new(), keeps: args.store.is_some(), closed: None };
    let report = match settings.session.feed {
        Feed::Venue | Feed::Bus => run::session(settings, registry, session.as_plan(), None, &mut printer, stop)?,
        Feed::Store => run::paper(settings, registry, session.as_plan(), &mut printer, stop)?,
    };
    if let Some(closed) = printer.closed {
        return Err(closed);
    }
    let mut words = format!("{} signals", report.outcome.signals);
    if let Some(name) = &args.store {
        let new = news::import(&settings.data.dir, name, printer.kept)?;
        words.push_str(&format!(", {new} of them new in series {name}"));
    }
    out::tell(&words);
    // What became of them on their way in and out.
    report
        .outcome
        .notes
        .iter()
        .filter(|n| n.starts_with("sink ") || n.starts_with("source "))
        .for_each(|n| out::tell(n));
    Ok(())
}
