//! Why it traded, and why it did not: a run made again, and what stood at the moments asked for.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use bellwether_sdk::{Price, Probe, Ts};

use super::RunError;
use super::backtest::Prepared;
use super::session::Session;
use super::tapes::{self, Ears};
use crate::config::Settings;
use crate::data::Catalog;
use crate::engine::{Circuit, Event, Merge, Said, Told, What};
use crate::host::Registry;
use crate::tape::{Mode, TapeReader};

/// What is to be explained.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The moments, in any order.
    pub at: &'a [Ts],
    /// Only what this strategy saw, asked for and was answered; `None` for all.
    pub strategy: Option<&'a str>,
}

/// A moment: the last market event at or before the time asked for, and what stood when that time was over.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The time asked for.
    pub asked: Ts,
    /// The event's engine time; [`Ts::NONE`] when nothing had happened yet.
    pub at: Ts,
    /// The event in words.
    pub event: String,
    /// What each strategy tells of itself, per instrument.
    pub views: Vec<View>,
    /// What was asked for and what became of it, from the first event of that time on.
    pub said: Vec<Word>,
    /// The last words before, for the way that led here.
    pub before: Option<Word>,
    /// The first words after, if the run has any.
    pub after: Option<Word>,
}

/// What a strategy asked for, or what became of it, with the names of whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Engine time.
    pub at: Ts,
    /// The strategy's id.
    pub strategy: String,
    /// The instrument's name.
    pub instrument: String,
    /// What.
    pub what: What,
    /// The words, with numbers.
    pub text: String,
}

/// A strategy at a moment, about one instrument.
#[derive(Debug, Clone)]
pub struct View {
    /// The strategy's id.
    pub strategy: String,
    /// The instrument's name.
    pub instrument: String,
    /// Its values and conditions.
    pub probe: Probe,
    /// Last price as text; empty before the first.
    pub last: String,
    /// The account's position as text.
    pub position: String,
    /// Orders open in the instrument.
    pub orders_open: usize,
}

/// Collects moments as a run passes.
struct Watch<'a> {
    asked: &'a [Ts],
    strategy: Option<&'a str>,
    /// The next of `asked` to be answered.
    next: usize,
    moments: Vec<Moment>,
    last: Option<Word>,
    /// The event heard last, and what was said since the first of its time.
    at: Ts,
    event: String,
    said: Vec<Word>,
    before: Option<Word>,
    /// The event being heard.
    coming: Option<(Ts, String)>,
}

impl<'a> Watch<'a> {
    fn new(asked: &'a [Ts], strategy: Option<&'a str>) -> Self {
        Self {
            asked,
            strategy,
            next: 0,
            moments: Vec::new(),
            last: None,
            at: Ts::NONE,
            event: "nothing had happened yet".to_owned(),
            said: Vec::new(),
            before: None,
            coming: None,
        }
    }

    fn keep(&mut self, session: &Session) {
        let Some(asked) = self.asked.get(self.next) else { return };
        self.next += 1;
        self.moments.push(Moment {
            asked: *asked,
            at: self.at,
            event: self.event.clone(),
            views: views(session, self.strategy),
            said: self.said.clone(),
            before: self.before.clone(),
            after: None,
        });
    }

    fn keep_rest(&mut self, session: &Session) {
        while self.next < self.asked.len() {
            self.keep(session);
        }
    }

    fn is_done(&self) -> bool {
        self.next == self.asked.len() && self.moments.iter().all(|m| m.after.is_some())
    }

    /// What was said of what is asked about, with its names.
    fn named(&self, said: Vec<Said>, session: &Session) -> Vec<Word> {
        if said.is_empty() {
            return Vec::new();
        }
        let engine = session.circuit.engine();
        let ids = engine.strategy_ids();
        let of = |said: Said| Word {
            at: said.at,
            strategy: ids.get(said.strategy).cloned().unwrap_or_default(),
            instrument: engine.view().instruments[said.instrument.index()].instrument.symbol.to_string(),
            what: said.what,
            text: said.text,
        };
        said.into_iter().map(of).filter(|word| self.strategy.is_none_or(|id| id == word.strategy)).collect()
    }
}

impl Ears for Watch<'_> {
    /// Moments that end before this input are complete, whatever it is.
    fn before(&mut self, told: &Told<'_>, session: &mut Session) {
        session.circuit.engine_mut().listen();
        while self.asked.get(self.next).is_some_and(|asked| *asked < told.at()) {
            self.keep(session);
        }
        self.coming = words(told, session);
    }

    fn after(&mut self, session: &mut Session) {
        let said = session.circuit.engine_mut().take_said();
        let said = self.named(said, session);
        if let Some(first) = said.first() {
            // What is said when a moment has been kept came after it.
            self.moments.iter_mut().filter(|m| m.after.is_none()).for_each(|m| m.after = Some(first.clone()));
        }
        if let Some((at, text)) = self.coming.take() {
            // What other events of one time caused belongs to that time.
            if at > self.at {
                self.said.clear();
                self.before = self.last.clone();
            }
            (self.at, self.event) = (self.at.max(at), text);
        }
        if let Some(last) = said.last() {
            self.last = Some(last.clone());
        }
        self.said.extend(said);
    }
}

fn views(session: &Session, strategy: Option<&str>) -> Vec<View> {
    let engine = session.circuit.engine();
    let of = |(strategy, probe): (String, Probe)| {
        let id = probe.instrument;
        let seen = &engine.view().instruments[id.index()];
        View {
            strategy,
            instrument: seen.instrument.symbol.to_string(),
            last: if seen.last == Price::ZERO { String::new() } else { seen.last.to_text(seen.instrument.price_scale) },
            position: engine.ledger().position(id).qty.to_text(seen.instrument.qty_scale),
            orders_open: engine.open_orders().filter(|o| o.instrument == id).count(),
            probe,
        }
    };
    engine.observed().into_iter().filter(|(id, _)| strategy.is_none_or(|only| only == id)).map(of).collect()
}

/// An event in words; `None` for one that strategies do not hear.
fn words(told: &Told<'_>, session: &Session) -> Option<(Ts, String)> {
    let Told::Market(event) = told else { return None };
    let of = |id: bellwether_sdk::InstrumentId| &session.circuit.engine().view().instruments[id.index()].instrument;
    let text = match event {
        Event::Trade(t) => {
            let i = of(t.instrument);
            format!("trade {} of {} @ {}", i.symbol, t.qty.to_text(i.qty_scale), t.price.to_text(i.price_scale))
        }
        Event::Quote(q) => {
            let i = of(q.instrument);
            format!("quote {} {} / {}", i.symbol, q.bid.to_text(i.price_scale), q.ask.to_text(i.price_scale))
        }
        Event::Bar(b) => {
            let i = of(b.instrument);
            let [o, h, l, c] = [b.open, b.high, b.low, b.close].map(|p| p.to_text(i.price_scale));
            format!("bar {} {} open {o} high {h} low {l} close {c}", i.symbol, b.interval)
        }
        Event::Depth(d) => format!("book {}", of(d.instrument).symbol),
        Event::Funding(f) => format!("funding {} {}", of(f.instrument).symbol, f.rate.to_text()),
    };
    Some((event.ts(), text))
}

/// Explains moments of a backtest, in order of time: the run is made again from its settings.
///
/// # Errors
/// [`RunError`].
pub fn explain_run(
    settings: &Settings,
    registry: &Registry,
    question: &Question<'_>,
    stop: &AtomicBool,
) -> Result<Vec<Moment>, RunError> {
    let catalog = Catalog::open(&settings.data.dir)?;
    let prepared = Prepared::new(settings, registry, &catalog)?;
    let merge = Merge::new(prepared.sources()?).map_err(|e| RunError::Data(e.to_string()))?;
    let mut merge = merge.with_news(prepared.news()?);
    let instruments = prepared.setup.plan.instruments.clone();
    let (engine, sim) = prepared.setup.build(settings);
    let mut session = Session::new(Circuit::paper(engine, sim), instruments, Mode::Paper);
    let asked = in_order(question.at);
    let mut watch = Watch::new(&asked, question.strategy);
    while let Some(next) = merge.next_ts().filter(|_| !watch.is_done()) {
        if stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(RunError::Interrupted);
        }
        // What is due before the next event (a timer, a bar made of trades, an answer on its way) has its own time: a moment
        // between it and that event saw it.
        let due = session.circuit.next_due();
        if due < next {
            hear(Told::Clock(due), &mut session, &mut watch)?;
            watch.after(&mut session);
            continue;
        }
        let heard =
            merge.next(|told| hear(told, &mut session, &mut watch)).map_err(|e| RunError::Data(e.to_string()))?;
        let Some(told) = heard else { break };
        told?;
        watch.after(&mut session);
    }
    watch.keep_rest(&session);
    Ok(watch.moments)
}

fn hear(told: Told<'_>, session: &mut Session, watch: &mut Watch<'_>) -> Result<(), RunError> {
    watch.before(&told, session);
    session.tell(told)?;
    session.take_lines();
    Ok(())
}

/// Explains moments of a session from its tape, in order of time.
///
/// # Errors
/// [`RunError`]; [`RunError::Data`] when a moment lies behind a place where the tape is damaged, or where this program does
/// something else than the one that recorded it: what came then is not known.
pub fn explain_tape(path: &Path, registry: &Registry, question: &Question<'_>) -> Result<Vec<Moment>, RunError> {
    let mut reader = TapeReader::open(path)?;
    let asked = in_order(question.at);
    let mut watch = Watch::new(&asked, question.strategy);
    let run = tapes::run(&mut reader, registry, &mut watch)?;
    match tapes::unequal(path, &run) {
        Some(why) if watch.next < asked.len() => return Err(why),
        Some(why) => {
            tracing::warn!("{why}");
            let until = run.session.now;
            watch.moments.iter_mut().for_each(|m| m.after = m.after.take().filter(|word| word.at < until));
        }
        None => watch.keep_rest(&run.session),
    }
    Ok(watch.moments)
}

fn in_order(asked: &[Ts]) -> Vec<Ts> {
    let mut asked = asked.to_vec();
    asked.sort();
    asked
}
