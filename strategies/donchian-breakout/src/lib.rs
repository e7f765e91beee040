//! Follows a close beyond the range of the last bars, and leaves by a trailing stop.
//!
//! **Idea.** A price nobody has paid for weeks means that something is new. Take the move, and let it decide when it ends.
//!
//! **Rules.** After each bar, against the `entry` bars *before* it: a close above their highest high: be long; below
//! their lowest low: be short, in `long-short` (the default is `long-only`, where that is nothing). The entry carries a
//! trailing stop `trail_pct` behind the best price since. A position ends by that stop, or by the opposite breakout.
//! Once stopped out it takes the next breakout, in either direction.
//!
//! **When it loses.** Most breakouts fail: it loses small and often, and lives on the few that run. In a narrow range
//! with a tight trail it only pays.

use bellwether_sdk::indicators::{Donchian, DonchianOutput, Indicator, Ohlcv};
use bellwether_sdk::{
    AccountKind, Bar, Context, Decimal, Direction, Fill, Mode, OrderUpdate, ParamError, Params, PerInstrument, Plugin,
    Probe, Rate, Role, Signal, Stance, Strategy, Trail, state,
};

/// What can be set.
#[derive(Debug, Clone, Params)]
pub struct DonchianBreakoutParams {
    /// Bars whose range must be left.
    #[param(default = 20, range = 1..=100_000)]
    pub entry: usize,
    /// Distance of the trailing stop behind the best price, per cent.
    #[param(default = Decimal::new(5, 0), range = Decimal::new(1, 2)..=Decimal::new(90, 0))]
    pub trail_pct: Decimal,
    /// Which sides to trade.
    #[param(default = Mode::LongOnly)]
    pub mode: Mode,
}

/// The strategy.
#[derive(Debug)]
pub struct DonchianBreakout {
    params: DonchianBreakoutParams,
    trail: Trail,
    /// The channel, the last close, and where it stands.
    seats: PerInstrument<(Donchian, f64, Stance)>,
}

impl DonchianBreakout {
    /// Where a close beyond the channel leads; `None` for no change.
    fn decide(&self, wish: Direction, close: f64, before: DonchianOutput) -> Option<Direction> {
        if close > before.upper && wish != Direction::Long {
            return Some(Direction::Long);
        }
        let short = self.params.mode == Mode::LongShort && wish != Direction::Short;
        (short && close < before.lower).then_some(Direction::Short)
    }
}

impl Strategy for DonchianBreakout {
    fn account(&self) -> AccountKind {
        self.params.mode.account()
    }

    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let input = Ohlcv::of(bar, ctx.instrument(bar.instrument));
        let (channel, last, stance) = self.seats.of(bar.instrument);
        let before = channel.value();
        channel.update(input);
        *last = input.close;
        let (Some(before), wish) = (before, stance.wished()) else { return };
        if let Some(next) = self.decide(wish, input.close, before) {
            self.seats.of(bar.instrument).2.wish(next);
            let (tag, reason) = match next {
                Direction::Long => ("breakout_up", "close above the highest high"),
                Direction::Short | Direction::Flat => ("breakout_down", "close below the lowest low"),
            };
            ctx.signal(Signal::new(bar.instrument, next).trailing(self.trail).tag(tag).reason(reason));
        }
    }

    fn on_fill(&mut self, _: &mut Context<'_>, fill: &Fill) {
        let stance = &mut self.seats.of(fill.instrument).2;
        stance.filled(fill);
        if fill.role != Role::Signal {
            stance.forget();
        }
    }

    fn on_order(&mut self, _: &mut Context<'_>, update: &OrderUpdate) {
        self.seats.of(update.instrument).2.told(update);
    }

    fn observe(&self, probe: &mut Probe) {
        let (channel, close, stance) = self.seats.get(probe.instrument);
        let Some(channel) = channel.value() else { return };
        probe.value("upper", Some(channel.upper));
        probe.value("lower", Some(channel.lower));
        let wish = stance.wished();
        if wish != Direction::Long {
            probe.condition("close > upper", *close, channel.upper);
        }
        if wish != Direction::Short && self.params.mode == Mode::LongShort {
            probe.condition("close < lower", *close, channel.lower);
        }
    }

    fn save(&self) -> Vec<u8> {
        state::save(&self.params.entry, &self.seats)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.seats = state::load(&self.params.entry, bytes)?;
        Ok(())
    }
}

impl Plugin for DonchianBreakout {
    type Params = DonchianBreakoutParams;
    const NAME: &'static str = "donchian_breakout";
    const SUMMARY: &'static str = "follows a close beyond the Donchian channel, with a trailing stop";
    const DIRECTIONAL: bool = true;
    const STATE_VERSION: u32 = 2;
    const SIGNAL_ONLY: bool = true;

    fn new(params: DonchianBreakoutParams) -> Result<Self, ParamError> {
        let rate = Rate::from_pct(params.trail_pct);
        let rate = rate.map_err(|e| ParamError::Conflict(format!("trail_pct = {}: {e}", params.trail_pct)))?;
        let seat = (Donchian::new(params.entry)?, f64::NAN, Stance::default());
        Ok(Self { params, trail: Trail::Fraction(rate), seats: PerInstrument::new(seat) })
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::testing::{Desk, price, qty};
    use bellwether_sdk::{InstrumentId, Liquidity, OrderId, Outbox, OwnView, ParamValues, Side, Ts, View};

    use super::*;

    fn donchian(settings: &[(&str, &str)]) -> DonchianBreakout {
        let all = [("entry", "3"), ("trail_pct", "2.5")].iter().chain(settings);
        let values: ParamValues = all.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        DonchianBreakout::new(DonchianBreakoutParams::from_values(&values).expect("values")).expect("a strategy")
    }

    const PRICES: &str = "100 101/103/99/101 102 103 103.5 104 98 97";

    #[test]
    fn a_close_above_the_highs_before_it_is_long_with_a_trailing_stop() {
        let desk = Desk::new(donchian(&[])).bars(PRICES);
        // The fourth close only touches the highest high of 103.
        assert_eq!(desk.story(), "5:long[trail-2.5%]");
        assert_eq!(desk.signals()[0].trailing_stop, Some(Trail::Fraction(Rate::from_mantissa(25_000_000_000))));
    }

    #[test]
    fn in_long_short_a_close_below_the_lows_before_it_is_short() {
        let desk = Desk::new(donchian(&[("mode", "long-short")])).bars(PRICES);
        assert_eq!(desk.story(), "5:long[trail-2.5%] 7:short[trail-2.5%]");
        assert_eq!(desk.strategy.account(), AccountKind::Margin);
    }

    #[test]
    fn once_stopped_out_it_takes_the_next_breakout() {
        let mut desk = Desk::new(donchian(&[])).bars(PRICES);
        let (view, own, mut out) = (View::default(), OwnView::default(), Outbox::default());
        let mut ctx = Context::new(Ts::from_nanos(0), InstrumentId(0), &view, &own, &mut out);
        let fill = Fill {
            order: OrderId(2),
            instrument: InstrumentId(0),
            ts: Ts::from_nanos(0),
            side: Side::Sell,
            price: price("101"),
            qty: qty("1"),
            liquidity: Liquidity::Taker,
            role: Role::TrailingStop,
        };
        desk.strategy.on_fill(&mut ctx, &fill);
        assert_eq!(desk.bars("98 105 106").story(), "5:long[trail-2.5%] 10:long[trail-2.5%]");
    }

    #[test]
    fn a_restored_state_goes_on_where_it_stopped() {
        let saved = Desk::new(donchian(&[])).bars("100 101 102").strategy.save();
        let mut strategy = donchian(&[]);
        strategy.restore(&saved).expect("the state");
        assert_eq!(Desk::new(strategy).bars("103").story(), "1:long[trail-2.5%]");
        assert!(donchian(&[("entry", "4")]).restore(&saved).is_err());
    }

    #[test]
    fn a_trail_of_more_digits_than_a_rate_has_is_refused() {
        let values = ParamValues::from([("trail_pct".to_owned(), "5.12345678901".to_owned())]);
        let params = DonchianBreakoutParams::from_values(&values).expect("values");
        assert!(matches!(DonchianBreakout::new(params), Err(ParamError::Conflict(_))));
    }
}
