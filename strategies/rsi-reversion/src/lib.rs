//! Buys what fell too fast and sells it when it has calmed down, by the relative strength index.
//!
//! **Idea.** A price that fell on most of the last bars often springs back some way.
//!
//! **Rules.** After each bar, with Wilder's RSI of the closes: when it falls below `oversold` (it was not below at the
//! bar before) and nothing is held, be long; long, when it reaches `exit`, be flat. In `long-short` also the mirror
//! image: above `overbought` short, down at `exit` flat. `stop_pct` sets a protective stop that far from the close.
//! After a stop it waits for `exit` before it buys again.
//!
//! **When it loses.** In a crash: oversold becomes more oversold. Many small gains, a few large losses; the win rate
//! flatters it.

use bellwether_sdk::indicators::{Indicator, Rsi};
use bellwether_sdk::{
    AccountKind, Bar, Context, Direction, Fill, Mode, OrderUpdate, ParamError, Params, PerInstrument, Plugin, Probe,
    Signal, Stance, Strategy, state,
};

/// What can be set.
#[derive(Debug, Clone, Params)]
pub struct RsiReversionParams {
    /// Bars the index spans.
    #[param(default = 14, range = 1..=100_000)]
    pub period: usize,
    /// Below this it buys.
    #[param(default = 30.0, range = 0.0..=100.0)]
    pub oversold: f64,
    /// Above this it sells short, in `long-short`.
    #[param(default = 70.0, range = 0.0..=100.0)]
    pub overbought: f64,
    /// Here it is done.
    #[param(default = 50.0, range = 0.0..=100.0)]
    pub exit: f64,
    /// Distance of the protective stop from the close, per cent; none when left out.
    #[param(range = 0.01..=90.0)]
    pub stop_pct: Option<f64>,
    /// Which sides to trade.
    #[param(default = Mode::LongOnly)]
    pub mode: Mode,
}

/// What is kept of an instrument.
type Seat = (Rsi, Option<f64>, Stance);

/// The strategy.
#[derive(Debug)]
pub struct RsiReversion {
    params: RsiReversionParams,
    /// The index, its last value, and where it stands.
    seats: PerInstrument<Seat>,
}

impl RsiReversion {
    /// Where to be after the index went from `before` to `rsi`; `None` for no change.
    fn decide(&self, wish: Direction, before: f64, rsi: f64) -> Option<Direction> {
        let RsiReversionParams { oversold, overbought, exit, mode, .. } = self.params;
        match wish {
            Direction::Flat if before >= oversold && rsi < oversold => Some(Direction::Long),
            Direction::Flat if mode == Mode::LongShort && before <= overbought && rsi > overbought => {
                Some(Direction::Short)
            }
            Direction::Long if rsi >= exit => Some(Direction::Flat),
            Direction::Short if rsi <= exit => Some(Direction::Flat),
            _ => None,
        }
    }

    fn signal(&self, ctx: &Context<'_>, bar: &Bar, wish: Direction) -> Signal {
        let signal = Signal::new(bar.instrument, wish);
        let (signal, away) = match wish {
            Direction::Long => (signal.tag("oversold").reason("index fell below oversold"), -1.0),
            Direction::Short => (signal.tag("overbought").reason("index rose above overbought"), 1.0),
            Direction::Flat => return signal.tag("calm").reason("index reached exit"),
        };
        let stop = self.params.stop_pct.and_then(|pct| ctx.price(ctx.f64(bar.close) * (1.0 + away * pct / 100.0)));
        match stop {
            Some(stop) => signal.stop(stop),
            None => signal,
        }
    }
}

impl Strategy for RsiReversion {
    fn account(&self) -> AccountKind {
        self.params.mode.account()
    }

    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let (index, last, stance) = self.seats.of(bar.instrument);
        let Some(rsi) = index.update(ctx.f64(bar.close)) else { return };
        let Some(before) = last.replace(rsi) else { return };
        let wish = stance.wished();
        if let Some(next) = self.decide(wish, before, rsi) {
            self.seats.of(bar.instrument).2.wish(next);
            ctx.signal(self.signal(ctx, bar, next));
        }
    }

    fn on_fill(&mut self, _: &mut Context<'_>, fill: &Fill) {
        self.seats.of(fill.instrument).2.filled(fill);
    }

    fn on_order(&mut self, _: &mut Context<'_>, update: &OrderUpdate) {
        self.seats.of(update.instrument).2.told(update);
    }

    fn observe(&self, probe: &mut Probe) {
        let (index, _, stance) = self.seats.get(probe.instrument);
        probe.value("rsi", index.value());
        let Some(rsi) = index.value() else { return };
        match stance.wished() {
            Direction::Flat => probe.condition("rsi < oversold", rsi, self.params.oversold),
            Direction::Long | Direction::Short => probe.condition("rsi at exit", rsi, self.params.exit),
        }
    }

    fn save(&self) -> Vec<u8> {
        state::save(&self.params.period, &self.seats)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.seats = state::load(&self.params.period, bytes)?;
        Ok(())
    }
}

impl Plugin for RsiReversion {
    type Params = RsiReversionParams;
    const NAME: &'static str = "rsi_reversion";
    const SUMMARY: &'static str = "buys a low relative strength index and sells the calm after it";
    const DIRECTIONAL: bool = true;
    const STATE_VERSION: u32 = 2;
    const SIGNAL_ONLY: bool = true;

    fn new(params: RsiReversionParams) -> Result<Self, ParamError> {
        let RsiReversionParams { oversold, overbought, exit, .. } = params;
        if !(oversold < exit && exit < overbought) {
            let found = format!("oversold {oversold}, exit {exit} and overbought {overbought} must rise in this order");
            return Err(ParamError::Conflict(found));
        }
        let seat = (Rsi::new(params.period)?, None, Stance::default());
        Ok(Self { params, seats: PerInstrument::new(seat) })
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::ParamValues;
    use bellwether_sdk::testing::{Desk, price};

    use super::*;

    fn rsi(settings: &[(&str, &str)]) -> Result<RsiReversion, ParamError> {
        let all = [("period", "2")].iter().chain(settings);
        let values: ParamValues = all.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        RsiReversion::new(RsiReversionParams::from_values(&values)?)
    }

    fn desk(settings: &[(&str, &str)]) -> Desk<RsiReversion> {
        Desk::new(rsi(settings).expect("a strategy"))
    }

    // RSI(2) from the third bar on: 50, 25, 12.5, 78.1, 93.8, 24.3
    const PRICES: &str = "100 101 100 99 98 101 106 96";

    #[test]
    fn it_buys_the_fall_below_oversold_and_leaves_at_exit() {
        assert_eq!(desk(&[]).bars(PRICES).story(), "4:long 6:flat 8:long");
    }

    #[test]
    fn in_long_short_it_sells_the_rise_above_overbought_once_flat() {
        let desk = desk(&[("mode", "long-short"), ("exit", "49")]).bars("100 101 100 99 98 101 100 103 98");
        assert_eq!(desk.story(), "4:long 6:flat 8:short 9:flat");
        assert_eq!(desk.strategy.account(), AccountKind::Margin);
    }

    #[test]
    fn the_stop_stands_its_distance_below_the_close() {
        let desk = desk(&[("stop_pct", "10")]).bars(PRICES);
        assert_eq!(desk.signals()[0].stop, Some(price("89.1")));
        assert_eq!(desk.signals()[1].stop, None);
    }

    #[test]
    fn a_restored_state_goes_on_where_it_stopped() {
        let saved = desk(&[]).bars("100 101 100 99 98").strategy.save();
        let mut strategy = rsi(&[]).expect("a strategy");
        strategy.restore(&saved).expect("the state");
        assert_eq!(Desk::new(strategy).bars("101 106 96").story(), "1:flat 3:long");
    }

    #[test]
    fn levels_out_of_order_are_refused() {
        assert!(matches!(rsi(&[("exit", "20")]), Err(ParamError::Conflict(_))));
    }
}
