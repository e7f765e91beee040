//! A strategy in its place: what it is given, what it owns, how its wishes are sized.

use bellwether_sdk::{InstrumentId, Interval, OwnView, PositionView, Strategy, Ts};
use serde::{Deserialize, Serialize};

use super::swap::{Past, Swap, Trial};
use crate::portfolio::Lots;
use crate::signal::{Gauge, Sizer};

/// Which events a strategy is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Input {
    /// Bars of this interval.
    pub bars: Option<Interval>,
    /// Trades.
    pub trades: bool,
    /// Quotes.
    pub quotes: bool,
    /// Depth.
    pub depth: bool,
}

impl Input {
    /// Whether bars are given to a strategy that asked for `more` beside this.
    pub(super) fn has_bars(
        &self,
        is_its_own: bool,
        more: &[(InstrumentId, Interval)],
        bars: (InstrumentId, Interval),
    ) -> bool {
        is_its_own && self.bars == Some(bars.1) || more.contains(&bars)
    }
}

/// A strategy and how it is to be run.
pub struct SlotConfig {
    /// Its name in the run.
    pub id: String,
    /// The strategy itself.
    pub strategy: Box<dyn Strategy>,
    /// What it trades.
    pub instruments: Vec<InstrumentId>,
    /// Which events it is given.
    pub input: Input,
    /// How its signals are sized.
    pub sizer: Sizer,
    /// What becomes of its open orders when it is halted.
    pub on_halt: OnHalt,
}

/// What becomes of a strategy's open orders when it is halted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnHalt {
    /// They are cancelled, but for the stops and targets that protect a position.
    #[default]
    Cancel,
    /// They stay.
    Keep,
}

/// A strategy that is not called any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Its id.
    pub strategy: String,
    /// Engine time.
    pub at: Ts,
    /// Why.
    pub reason: String,
}

/// When something last happened, and how often at that very time.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Rush(Ts, usize);

impl Rush {
    /// It happens once more; says whether that makes it more than `max` at this time.
    pub(super) fn is_over(&mut self, now: Ts, max: usize) -> bool {
        *self = if self.0 == now { Self(now, self.1 + 1) } else { Self(now, 1) };
        self.1 > max
    }
}

/// A strategy at work.
pub(super) struct Slot {
    pub(super) id: String,
    pub(super) strategy: Box<dyn Strategy>,
    pub(super) input: Input,
    pub(super) sizer: Sizer,
    /// By instrument: what its sizer measures; empty for one that measures nothing.
    pub(super) gauges: Vec<Gauge>,
    pub(super) own: OwnView,
    /// By instrument.
    pub(super) lots: Vec<Lots>,
    /// By instrument: whether it is one of this strategy's.
    pub(super) trades_it: Vec<bool>,
    /// By instrument: events seen, for the warm-up.
    pub(super) seen: Vec<u64>,
    /// Bars it asked for beside its input.
    pub(super) more_bars: Vec<(InstrumentId, Interval)>,
    pub(super) on_halt: OnHalt,
    /// Bytes of the tags that it was the first to use.
    pub(super) words: usize,
    /// Its timers and unsent orders that were due at one time.
    pub(super) fired: Rush,
    /// Orders and signals that it asked for at one time.
    pub(super) placed: Rush,
    /// Set once it is not called any more.
    pub(super) halted: bool,
    /// Set while it has just taken another's place.
    pub(super) trial: Option<Box<Trial>>,
    /// What took the place last; `None`: it is what the session began with.
    pub(super) form: Option<Swap>,
    /// What it heard last, where another may take its place.
    pub(super) past: Option<Past>,
    /// No strategy: what was taken over and belongs to none.
    pub(super) house: bool,
}

/// The name of the place of what belongs to no strategy.
pub const HOUSE: &str = "house";

/// Wishes nothing, and is never called.
struct House;

impl Strategy for House {}

impl Slot {
    pub(super) fn new(config: SlotConfig, instruments: usize) -> Self {
        let mut trades_it = vec![false; instruments];
        for id in &config.instruments {
            trades_it[id.index()] = true;
        }
        Self {
            id: config.id,
            strategy: config.strategy,
            input: config.input,
            gauges: if config.sizer.measures() { vec![Gauge::default(); instruments] } else { Vec::new() },
            sizer: config.sizer,
            own: OwnView {
                positions: vec![PositionView::default(); instruments],
                orders: Vec::new(),
                instruments: config.instruments,
            },
            lots: vec![Lots::default(); instruments],
            trades_it,
            seen: vec![0; instruments],
            more_bars: Vec::new(),
            on_halt: config.on_halt,
            words: 0,
            fired: Rush::default(),
            placed: Rush::default(),
            halted: false,
            trial: None,
            form: None,
            past: None,
            house: false,
        }
    }

    /// The place of what belongs to no strategy: orders and positions of others that were taken over.
    pub(super) fn house(instruments: usize) -> Self {
        let config = SlotConfig {
            id: HOUSE.to_owned(),
            strategy: Box::new(House),
            instruments: Vec::new(),
            input: Input::default(),
            sizer: Sizer::EquityPct(0.0),
            on_halt: OnHalt::Keep,
        };
        Self { halted: true, house: true, ..Self::new(config, instruments) }
    }

    pub(super) fn wants_bars(&self, instrument: InstrumentId, interval: Interval) -> bool {
        self.input.has_bars(self.trades_it[instrument.index()], &self.more_bars, (instrument, interval))
    }
}
