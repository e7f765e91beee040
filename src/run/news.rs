//! Signals and features of a run: the stored ones, each at the time at which it could be known.

use std::ops::Range;

use bellwether_sdk::{Instrument, Ts};

use super::RunError;
use crate::config::{Settings, SourceSettings};
use crate::data::news::{self, Line};
use crate::signal::News;
use crate::sources::{Mailbox, Sender, SourceError, Sources, Tokens, mailbox};

/// The stored news that the settings name: series of the catalog and files, in the order of their being known. What is
/// about other instruments than the run's is left out.
pub(super) fn stored(
    settings: &Settings,
    instruments: &[Instrument],
    range: &Range<Ts>,
) -> Result<Vec<News>, RunError> {
    let mut all = Vec::new();
    for name in &settings.signals.replay {
        let lines = news::load(&settings.data.dir, name)?;
        if lines.is_empty() {
            let known = news::series(&settings.data.dir)?.into_iter().map(|s| s.name).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "there is none".to_owned() } else { format!("there are: {known}") };
            return Err(RunError::Data(format!("no stored signals called {name:?}; {known}")));
        }
        all.extend(taken(name, &lines, instruments)?);
    }
    for (name, source) in &settings.source {
        if let SourceSettings::File(file) = source {
            all.extend(taken(name, &news::read_file(&file.path, file.delay_s)?, instruments)?);
        }
    }
    all.retain(|n| range.contains(&n.at));
    all.sort_by_key(|n| n.at);
    Ok(all)
}

/// What comes from outside while a session runs.
pub(super) struct Outside {
    pub(super) mailbox: Mailbox,
    /// Kept, so that the mailbox stays open.
    pub(super) sender: Sender,
    pub(super) sources: Sources,
}

impl Outside {
    /// Starts the sources of a session; `again` when it is taken up where its tape ended.
    pub(super) fn open(
        settings: &Settings,
        instruments: &[Instrument],
        tokens: Tokens<'_>,
        again: bool,
    ) -> Result<Self, RunError> {
        let (sender, mailbox) = mailbox();
        let sources = Sources::start(settings, instruments, tokens, &sender, again).map_err(|e| match e {
            SourceError::Runtime(_) => RunError::Tape(e.to_string()),
            _ => RunError::Settings(e.to_string()),
        })?;
        Ok(Self { mailbox, sender, sources })
    }
}

fn taken(name: &str, lines: &[Line], instruments: &[Instrument]) -> Result<Vec<News>, RunError> {
    let find = |wanted: &str| instruments.iter().find(|i| i.symbol.as_str() == wanted).cloned();
    let ours = lines.iter().filter(|l| l.instrument().is_none_or(|wanted| find(wanted).is_some()));
    let of = |line: &Line| {
        let wrong = |e| RunError::Data(format!("signals {name}, message {}: {e}", line.id()));
        let when = line.when().map_err(wrong)?;
        Ok(News {
            at: when.received,
            source: name.to_owned(),
            message: line.id(),
            body: line.body(&find).map_err(wrong)?,
        })
    };
    ours.map(of).collect()
}
