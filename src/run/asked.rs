//! What is asked of a running session from outside, and what it does about it; what the watchdog is told of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bellwether_sdk::{Decimal, Symbol, Ts};

use super::RunError;
use super::control::{Asked, Claims, Reply, Running};
use super::day::Day;
use super::pilot::{FAREWELL_NS, Pilot};
use super::plan::Form;
use super::session::Session;
use super::swap::Swapper;
use super::watchdog::{Post, Watch};
use crate::config::Settings;
use crate::engine::{Ending, Engine, Person, Told};
use crate::exchange::drive::Desk;
use crate::host::Registry;
use crate::tape::Mode;

/// A session's place among others: its locks, and who watches it.
pub(super) struct Standing {
    claims: Option<Arc<Claims>>,
    /// Whether the guard was tripped when it was last looked at.
    tripped: bool,
    /// What the account's sessions made today; of a live session.
    day: Option<Day>,
}

impl Standing {
    /// Takes the locks of a session's accounts. Paper has none to share, and goes by its tape.
    ///
    /// # Errors
    /// [`RunError::Refused`]: [`Claims::take`].
    pub(super) fn take(
        state: Option<&Path>,
        settings: &Settings,
        mode: Mode,
        symbols: &[Symbol],
        tapes: (Option<&Path>, Option<&Path>),
    ) -> Result<Self, RunError> {
        let (new, resumed) = tapes;
        let tape = resumed.or(new);
        let names = match mode {
            Mode::Live => {
                let mut names: Vec<String> =
                    symbols.iter().map(|s| plain(&format!("{}-{}", s.venue(), settings.session.account))).collect();
                names.sort();
                names.dedup();
                names
            }
            Mode::Paper => {
                let stem = tape.and_then(Path::file_stem).unwrap_or_default().to_string_lossy();
                vec![plain(&format!("paper-{stem}"))]
            }
        };
        let about = Running {
            name: String::new(),
            pid: std::process::id(),
            mode: mode.name().to_owned(),
            tape: tape.map(Path::to_owned),
        };
        let claims = state.map(|state| Claims::take(state, &names, &about, resumed.is_none())).transpose()?;
        Ok(Self { claims: claims.map(Arc::new), tripped: false, day: None })
    }

    /// Tells a live session what earlier ones of the day made on its account, where it does not know it; gives what
    /// people should hear of it.
    ///
    /// # Errors
    /// [`Day::open`], and those of the session.
    pub(super) fn tell_day(&mut self, session: &mut Session, number: u64, now: Ts) -> Result<Vec<String>, RunError> {
        let Some(claims) = &self.claims else { return Ok(Vec::new()) };
        let day = self.day.insert(Day::open(claims.days(), number, now)?);
        let engine = session.circuit.engine();
        let (currency, scale) = (engine.reporting(), engine.account().scale);
        let (made, mut said) = day.earlier((currency, scale));
        if made != engine.made_today().0 {
            said.push(format!("earlier sessions of the day made {} {currency} on the account", made.to_text(scale)));
            session.tell(Told::Earlier(made, now.max(session.now)))?;
        }
        Ok(said)
    }

    /// A person armed the guard: what was lost today counts no more.
    fn forget_day(&mut self) {
        self.day.iter_mut().for_each(Day::forget);
    }

    /// Keeps what the session made today where the next one finds it.
    pub(super) fn keep_day(&mut self, engine: &Engine, at_once: bool) {
        if let Some(day) = &mut self.day {
            let of = (engine.reporting(), engine.account().scale);
            day.keep(engine.now(), engine.made_today().1, of, at_once);
        }
    }

    /// Begins to watch the session. One without a state folder is watched by nobody: it hears no requests either.
    pub(super) fn watch(&self, settings: &Settings, symbols: &[Symbol], tape: Option<&Path>) -> Option<Watch> {
        let claims = self.claims.clone()?;
        Some(Watch::begin(Post {
            settings: settings.clone(),
            symbols: symbols.to_vec(),
            tape: tape.map(Path::to_owned),
            claims,
        }))
    }

    /// Answers what was asked.
    pub(super) fn answer(&self, reply: &Reply) {
        if let Some(claims) = &self.claims {
            claims.reply(reply);
        }
    }

    /// Begins to wait for changes of the session's strategies.
    pub(super) fn swapper(
        &self,
        registry: &Registry,
        engine: &Engine,
        forms: Vec<Form>,
        (watch, hang_ms): (bool, u64),
    ) -> Swapper {
        Swapper::begin(registry, engine, forms, self.claims.clone(), (watch, hang_ms))
    }

    /// Keeps the guard's state where the next session finds it.
    pub(super) fn see(&mut self, engine: &Engine) {
        let tripped = engine.guard().tripped();
        if tripped.is_some() == self.tripped {
            return;
        }
        self.tripped = tripped.is_some();
        if let Some(claims) = &self.claims {
            claims.mark(tripped.map(|(cause, _)| cause.to_string()).as_deref());
        }
    }
}

/// A name for a file: what is no letter, digit, dot, dash or underscore becomes a dash.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect()
}

/// The account's positions, by symbol.
pub(super) fn positions(engine: &Engine) -> BTreeMap<Symbol, Decimal> {
    let view = &engine.view().instruments;
    let of = |v: &bellwether_sdk::InstrumentView| {
        let qty = engine.ledger().position(v.instrument.id).qty;
        (v.instrument.symbol.clone(), Decimal::new(qty.mantissa(), v.instrument.qty_scale))
    };
    view.iter().map(of).collect()
}

impl Pilot<'_, '_> {
    /// Does what was asked from outside.
    pub(super) fn hear_asked(&mut self, now: Ts, desk: &mut Desk<'_>) {
        while let Some(asked) = self.watch.as_ref().and_then(Watch::asked) {
            let at = now.max(self.session.now);
            match asked {
                Asked::Stop if self.ending.is_none() => self.end_session(now, desk),
                Asked::Stop => {}
                Asked::Kill { flatten, operator, reason } => {
                    self.note(format!("the kill switch was pulled by {operator}: {reason}"));
                    let who = Person { operator: &operator, reason: &reason };
                    // The simulated exchange closes at the last price, as at any end.
                    self.tell(Told::Kill(flatten && !self.gateways.is_empty(), who, at), desk);
                    self.kill(flatten, now, desk);
                }
                Asked::Change(asked) => {
                    let engine = self.session.circuit.engine();
                    let refused = self.swapper.as_mut().and_then(|s| s.ask(*asked, engine));
                    refused.into_iter().for_each(|why| self.note(why));
                }
                Asked::Adopt(asked) => self.adopt_asked(*asked, now, desk),
                Asked::Arm { operator, reason } => {
                    self.note(format!("the guard was armed by {operator}: {reason}"));
                    self.tell(Told::Arm(Person { operator: &operator, reason: &reason }, at), desk);
                    self.standing.iter_mut().for_each(Standing::forget_day);
                    self.leave_differences(now, desk);
                }
            }
        }
    }

    /// Puts strategies that are ready in the places of others, and answers who asked.
    pub(super) fn take_newcomers(&mut self, now: Ts, desk: &mut Desk<'_>) {
        let Some(mut swapper) = self.swapper.take() else { return };
        while swapper.is_ready() {
            let mut said = Vec::new();
            let next = swapper.next(self.session.circuit.engine(), |text| said.push(text));
            said.into_iter().for_each(|text| self.note(text));
            if let Some((swap, fresh)) = next {
                self.tell(Told::Swap(&swap, &fresh, now.max(self.session.now)), desk);
            }
        }
        swapper.answer(self.session.circuit.engine());
        self.swapper = Some(swapper);
    }

    fn kill(&mut self, flatten: bool, now: Ts, desk: &mut Desk<'_>) {
        self.killed = Some(flatten);
        if self.gateways.is_empty() {
            let ending = Ending { cancel: true, close: flatten };
            self.tell(Told::Stop(now.max(self.session.now), ending), desk);
            desk.stop();
        } else {
            // The venue has the last word: it is waited for as at any end.
            self.ending = Some(now.plus(FAREWELL_NS));
            if self.is_over(desk) {
                desk.stop();
            }
        }
    }

    /// Whether every position is closed.
    pub(super) fn is_flat(&self) -> bool {
        self.session.circuit.engine().ledger().open_count() == 0
    }
}
