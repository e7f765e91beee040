//! Holds the strongest of several instruments and changes them now and then.
//!
//! **Idea.** What has risen more than its peers over the last weeks tends to go on doing so for some.
//!
//! **Rules.** Every `rebalance` bars of its first instrument, when all bars of that time are in, it ranks its instruments
//! by the return of their closes over the last `lookback` bars (equal ones in the order given; those with too few bars
//! not at all). It wants to be long in the first `top` of them, with `positive` (the default) only where the return is
//! above zero, and flat in all others. Signals are given for changes only, exits first so that they pay for the entries.
//! Give each a part of the account, e.g. `notional_pct` = 100 / `top`.
//!
//! **When it loses.** At turning points it holds yesterday's winners. With instruments that move together it picks among
//! equals and pays for the exchange.

use bellwether_sdk::indicators::{Indicator, Roc};
use bellwether_sdk::{
    Bar, Context, Direction, Fill, InstrumentId, OrderUpdate, ParamError, Params, PerInstrument, Plugin, Probe, Signal,
    Stance, Strategy, state,
};

/// What can be set.
#[derive(Debug, Clone, Params)]
pub struct MomentumRotationParams {
    /// Bars over which returns are compared.
    #[param(default = 90, range = 1..=100_000)]
    pub lookback: usize,
    /// Bars of the first instrument from one ranking to the next.
    #[param(default = 30, range = 1..=100_000)]
    pub rebalance: u64,
    /// How many instruments to hold.
    #[param(default = 1, range = 1..=1000)]
    pub top: usize,
    /// Whether to hold only what has risen.
    #[param(default = true)]
    pub positive: bool,
}

/// The only timer.
const RANK: u64 = 1;

/// The strategy.
#[derive(Debug)]
pub struct MomentumRotation {
    params: MomentumRotationParams,
    /// The return, and where it stands.
    seats: PerInstrument<(Roc, Stance)>,
    /// Bars of the first instrument so far.
    bars: u64,
}

impl MomentumRotation {
    /// The instruments to hold, best first.
    fn best(&self, instruments: &[InstrumentId]) -> Vec<InstrumentId> {
        let with_return = |&id: &InstrumentId| self.seats.get(id).0.value().map(|r| (id, r));
        let mut ranked: Vec<_> = instruments.iter().filter_map(with_return).collect();
        ranked.retain(|(_, r)| !self.params.positive || *r > 0.0);
        // A stable sort leaves equal ones in the order given.
        ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        ranked.into_iter().map(|(id, _)| id).take(self.params.top).collect()
    }
}

impl Strategy for MomentumRotation {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        self.seats.of(bar.instrument).0.update(ctx.f64(bar.close));
        if ctx.instruments().first() == Some(&bar.instrument) {
            self.bars += 1;
            if self.bars.is_multiple_of(self.params.rebalance) {
                // Timers come after all bars of their time.
                ctx.timer(ctx.now(), RANK);
            }
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _: u64) {
        let best = self.best(ctx.instruments());
        // Beside what it wants, what it has: of a version whose place it took.
        let has = |id: &&InstrumentId| {
            self.seats.get(**id).1.wished() == Direction::Long || !ctx.position(**id).qty.is_zero()
        };
        let outs = ctx.instruments().iter().filter(|id| !best.contains(id)).filter(has);
        let wants = |id: &&InstrumentId| self.seats.get(**id).1.wished() != Direction::Long;
        let ins = best.iter().filter(wants).map(|id| (*id, Direction::Long));
        for (id, direction) in outs.map(|id| (*id, Direction::Flat)).chain(ins).collect::<Vec<_>>() {
            self.seats.of(id).1.wish(direction);
            let (tag, reason) = match direction {
                Direction::Long => ("rotate_in", "among the strongest"),
                Direction::Short | Direction::Flat => ("rotate_out", "no longer among the strongest"),
            };
            ctx.signal(Signal::new(id, direction).tag(tag).reason(reason));
        }
    }

    fn on_fill(&mut self, _: &mut Context<'_>, fill: &Fill) {
        self.seats.of(fill.instrument).1.filled(fill);
    }

    fn on_order(&mut self, _: &mut Context<'_>, update: &OrderUpdate) {
        self.seats.of(update.instrument).1.told(update);
    }

    fn observe(&self, probe: &mut Probe) {
        probe.value("return", self.seats.get(probe.instrument).0.value());
        let since = self.bars % self.params.rebalance;
        probe.condition("bars to the ranking", (self.params.rebalance - since) as f64, 0.0);
    }

    fn save(&self) -> Vec<u8> {
        state::save(&self.params.lookback, &(&self.seats, self.bars))
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        (self.seats, self.bars) = state::load(&self.params.lookback, bytes)?;
        Ok(())
    }
}

impl Plugin for MomentumRotation {
    type Params = MomentumRotationParams;
    const NAME: &'static str = "momentum_rotation";
    const SUMMARY: &'static str = "holds the strongest of several instruments";
    const DIRECTIONAL: bool = true;
    const STATE_VERSION: u32 = 2;

    fn new(params: MomentumRotationParams) -> Result<Self, ParamError> {
        let seats = PerInstrument::new((Roc::new(params.lookback)?, Stance::default()));
        Ok(Self { params, seats, bars: 0 })
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::ParamValues;
    use bellwether_sdk::testing::Desk;

    use super::*;

    fn rotation(settings: &[(&str, &str)]) -> MomentumRotation {
        let all = [("lookback", "2"), ("rebalance", "2")].iter().chain(settings);
        let values: ParamValues = all.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        MomentumRotation::new(MomentumRotationParams::from_values(&values).expect("values")).expect("a strategy")
    }

    fn desk(settings: &[(&str, &str)]) -> Desk<MomentumRotation> {
        Desk::with(rotation(settings), &["test:ONE/USD", "test:TWO/USD", "test:SIX/USD"])
    }

    const ONE: &str = "100 101 102 104 104 104 104 104";
    const TWO: &str = "100 100 100 101 105 107 105 104";
    const SIX: &str = "100 99 98 97 96 95 94 93";

    #[test]
    fn it_holds_the_strongest_and_decides_when_all_bars_of_the_time_are_in() {
        // The rankings come after bars 6, 12, 18 and 24: at the first nothing has enough bars.
        assert_eq!(desk(&[]).bars_of_all(&[ONE, TWO, SIX]).story(), "12:long:ONE 18:flat:ONE 18:long:TWO 24:flat:TWO");
    }

    #[test]
    fn equal_returns_are_taken_in_the_order_given() {
        assert_eq!(desk(&[]).bars_of_all(&[SIX, ONE, ONE]).story().split(' ').next(), Some("12:long:TWO"));
    }

    #[test]
    fn without_positive_it_holds_the_least_bad() {
        let desk = desk(&[("positive", "false"), ("top", "2")]).bars_of_all(&[SIX, SIX, ONE]);
        assert_eq!(desk.story(), "12:long:SIX 12:long:ONE");
    }

    #[test]
    fn what_it_holds_and_did_not_choose_is_given_up() {
        let mut desk = desk(&[]);
        desk.own.positions[2].qty = bellwether_sdk::testing::qty("1");
        let first = desk.bars_of_all(&[ONE, TWO, SIX]).story();
        assert!(first.starts_with("6:flat:SIX 12:flat:SIX 12:long:ONE"), "{first}");
    }

    #[test]
    fn an_instrument_without_bars_is_not_ranked() {
        assert_eq!(desk(&[]).bars_of_all(&[ONE, TWO, ""]).story().split(' ').next(), Some("8:long:ONE"));
    }

    #[test]
    fn a_restored_state_goes_on_where_it_stopped() {
        let saved = desk(&[]).bars_of_all(&["100 101 102 104", "100 100 100 101", "1 1 1 1"]).strategy.save();
        let mut strategy = rotation(&[]);
        strategy.restore(&saved).expect("the state");
        let desk = Desk::with(strategy, &["test:ONE/USD", "test:TWO/USD", "test:SIX/USD"]);
        assert_eq!(desk.bars_of_all(&["104 104", "105 107", "1 1"]).story(), "6:flat:ONE 6:long:TWO");
    }
}
