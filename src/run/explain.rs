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
use crate::engine::{Circuit, Event, Merge, Said, Told};
use crate::host::Registry;
use crate::tape::{Mode, TapeReader};

/// A moment: the last market event at or before the time asked for, and what stood after it.
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
    /// What was asked for and what became of it, from the event on until the next event.
    pub said: Vec<Said>,
    /// The last words before, for the way that led here.
    pub before: Option<Said>,
    /// The first signal or order after, if the run has one.
    pub after: Option<Said>,
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
    /// The next of `asked` to be answered.
    next: usize,
    moments: Vec<Moment>,
    last: Option<Said>,
    /// The event heard last, and what was said from it on.
    at: Ts,
    event: String,
    said: Vec<Said>,
    before: Option<Said>,
    /// The event being heard.
    coming: Option<(Ts, String)>,
}

impl<'a> Watch<'a> {
    fn new(asked: &'a [Ts]) -> Self {
        Self {
            asked,
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
            views: views(session),
            said: self.said.clone(),
            before: self.before.clone(),
            after: None,
        });
    }

    fn is_done(&self) -> bool {
        self.next == self.asked.len() && self.moments.iter().all(|m| m.after.is_some())
    }
}

impl Ears for Watch<'_> {
    /// Moments that end with the event before this one are complete.
    fn before(&mut self, told: &Told<'_>, session: &mut Session) {
        session.circuit.engine_mut().listen();
        self.coming = words(told, session);
        let Some((at, _)) = self.coming else { return };
        while self.asked.get(self.next).is_some_and(|asked| *asked < at) {
            self.keep(session);
        }
    }

    fn after(&mut self, session: &mut Session) {
        let said = session.circuit.engine_mut().take_said();
        for word in &said {
            let open = self.moments.iter_mut().filter(|m| m.after.is_none() && m.asked < word.at);
            open.for_each(|m| m.after = Some(word.clone()));
        }
        if let Some((at, text)) = self.coming.take() {
            (self.at, self.event) = (at, text);
            self.said.clear();
            self.before = self.last.clone();
        }
        if let Some(last) = said.last() {
            self.last = Some(last.clone());
        }
        self.said.extend(said);
    }
}

fn views(session: &Session) -> Vec<View> {
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
    engine.observed().into_iter().map(of).collect()
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

/// Explains moments of a backtest: the run is made again from its settings. `asked` is put in order.
///
/// # Errors
/// [`RunError`].
pub fn explain_run(
    settings: &Settings,
    registry: &Registry,
    asked: &[Ts],
    stop: &AtomicBool,
) -> Result<Vec<Moment>, RunError> {
    let catalog = Catalog::open(&settings.data.dir)?;
    let prepared = Prepared::new(settings, registry, &catalog)?;
    let merge = Merge::new(prepared.sources()?).map_err(|e| RunError::Data(e.to_string()))?;
    let mut merge = merge.with_news(prepared.news()?);
    let instruments = prepared.setup.plan.instruments.clone();
    let (engine, sim) = prepared.setup.build(settings);
    let mut session = Session::new(Circuit::paper(engine, sim), instruments, Mode::Paper);
    let asked = in_order(asked);
    let mut watch = Watch::new(&asked);
    while !watch.is_done() {
        if stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(RunError::Interrupted);
        }
        let heard = merge
            .next(|told| {
                watch.before(&told, &mut session);
                session.tell(told)
            })
            .map_err(|e| RunError::Data(e.to_string()))?;
        let Some(told) = heard else { break };
        told?;
        session.take_lines();
        watch.after(&mut session);
    }
    while watch.next < asked.len() {
        watch.keep(&session);
    }
    Ok(watch.moments)
}

/// Explains moments of a session from its tape.
///
/// # Errors
/// [`RunError`].
pub fn explain_tape(path: &Path, registry: &Registry, asked: &[Ts]) -> Result<Vec<Moment>, RunError> {
    let mut reader = TapeReader::open(path)?;
    let asked = in_order(asked);
    let mut watch = Watch::new(&asked);
    let run = tapes::run(&mut reader, registry, &mut watch)?;
    while watch.next < asked.len() {
        watch.keep(&run.session);
    }
    Ok(watch.moments)
}

fn in_order(asked: &[Ts]) -> Vec<Ts> {
    let mut asked = asked.to_vec();
    asked.sort();
    asked
}
