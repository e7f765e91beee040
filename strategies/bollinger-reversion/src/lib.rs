//! Buys below the lower Bollinger band and sells at the middle.
//!
//! **Idea.** A close far from the mean of the last bars, measured in their own spread, tends to come back to it.
//!
//! **Rules.** After each bar, with the bands including it: a close below the lower band, nothing held: be long; long,
//! when a close is at the middle or above, be flat. In `long-short` also the mirror image. `stop_pct` sets a protective
//! stop that far from the close; after a stop it waits for the middle before it buys again.
//!
//! **When it loses.** When the market breaks out of its range: the bands widen and follow, and the middle comes down to
//! meet it at a loss.

use bellwether_sdk::indicators::{Bollinger, BollingerOutput, Indicator};
use bellwether_sdk::{
    AccountKind, Bar, Context, Direction, Fill, Mode, OrderUpdate, ParamError, Params, PerInstrument, Plugin, Probe,
    Signal, Stance, Strategy, state,
};

/// What can be set.
#[derive(Debug, Clone, Params)]
pub struct BollingerReversionParams {
    /// Bars the mean and the deviation span.
    #[param(default = 20, range = 2..=10_000)]
    pub period: usize,
    /// Distance of the bands from the mean, in standard deviations.
    #[param(default = 2.0, range = 0.1..=10.0)]
    pub width: f64,
    /// Distance of the protective stop from the close, per cent; none when left out.
    #[param(range = 0.01..=90.0)]
    pub stop_pct: Option<f64>,
    /// Which sides to trade.
    #[param(default = Mode::LongOnly)]
    pub mode: Mode,
}

/// The strategy.
#[derive(Debug)]
pub struct BollingerReversion {
    params: BollingerReversionParams,
    /// The bands, the last close, and where it stands.
    seats: PerInstrument<(Bollinger, f64, Stance)>,
}

impl BollingerReversion {
    /// Where to be after a close; `None` for no change.
    fn decide(&self, wish: Direction, close: f64, bands: BollingerOutput) -> Option<Direction> {
        match wish {
            Direction::Flat if close < bands.lower => Some(Direction::Long),
            Direction::Flat if close > bands.upper && self.params.mode == Mode::LongShort => Some(Direction::Short),
            Direction::Long if close >= bands.middle => Some(Direction::Flat),
            Direction::Short if close <= bands.middle => Some(Direction::Flat),
            _ => None,
        }
    }

    fn signal(&self, ctx: &Context<'_>, bar: &Bar, wish: Direction) -> Signal {
        let signal = Signal::new(bar.instrument, wish);
        let (signal, away) = match wish {
            Direction::Long => (signal.tag("below_band").reason("close below the lower band"), -1.0),
            Direction::Short => (signal.tag("above_band").reason("close above the upper band"), 1.0),
            Direction::Flat => return signal.tag("middle").reason("close came back to the mean"),
        };
        let stop = self.params.stop_pct.and_then(|pct| ctx.price(ctx.f64(bar.close) * (1.0 + away * pct / 100.0)));
        match stop {
            Some(stop) => signal.stop(stop),
            None => signal,
        }
    }
}

impl Strategy for BollingerReversion {
    fn account(&self) -> AccountKind {
        self.params.mode.account()
    }

    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let close = ctx.f64(bar.close);
        let (bands, last, stance) = self.seats.of(bar.instrument);
        *last = close;
        let (Some(bands), wish) = (bands.update(close), stance.wished()) else { return };
        if let Some(next) = self.decide(wish, close, bands) {
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
        let (bands, close, stance) = self.seats.get(probe.instrument);
        let Some(bands) = bands.value() else { return };
        probe.value("upper", Some(bands.upper));
        probe.value("middle", Some(bands.middle));
        probe.value("lower", Some(bands.lower));
        match stance.wished() {
            Direction::Flat => probe.condition("close < lower", *close, bands.lower),
            Direction::Long | Direction::Short => probe.condition("close at middle", *close, bands.middle),
        }
    }

    fn save(&self) -> Vec<u8> {
        state::save(&(self.params.period, self.params.width), &self.seats)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.seats = state::load(&(self.params.period, self.params.width), bytes)?;
        Ok(())
    }
}

impl Plugin for BollingerReversion {
    type Params = BollingerReversionParams;
    const NAME: &'static str = "bollinger_reversion";
    const SUMMARY: &'static str = "buys below the lower Bollinger band and sells at the middle";
    const DIRECTIONAL: bool = true;
    const STATE_VERSION: u32 = 2;
    const SIGNAL_ONLY: bool = true;

    fn new(params: BollingerReversionParams) -> Result<Self, ParamError> {
        let seat = (Bollinger::new(params.period, params.width)?, f64::NAN, Stance::default());
        Ok(Self { params, seats: PerInstrument::new(seat) })
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::ParamValues;
    use bellwether_sdk::testing::{Desk, price};

    use super::*;

    fn bollinger(settings: &[(&str, &str)]) -> BollingerReversion {
        let all = [("period", "4"), ("width", "1.5")].iter().chain(settings);
        let values: ParamValues = all.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        BollingerReversion::new(BollingerReversionParams::from_values(&values).expect("values")).expect("a strategy")
    }

    // The fifth close is 1.73 deviations below its mean, the eighth 1.73 above.
    const PRICES: &str = "100 100 100 100 96 98 98 104 97";

    #[test]
    fn it_buys_below_the_band_and_leaves_at_the_middle() {
        assert_eq!(Desk::new(bollinger(&[])).bars(PRICES).story(), "5:long 7:flat");
    }

    #[test]
    fn in_long_short_it_sells_above_the_band() {
        let desk = Desk::new(bollinger(&[("mode", "long-short")])).bars("100 100 100 100 104 102 99");
        assert_eq!(desk.story(), "5:short 7:flat");
    }

    #[test]
    fn a_flat_market_touches_no_band() {
        assert_eq!(Desk::new(bollinger(&[])).bars("0.00001 0.00001 0.00001 0.00001 0.00001 0.00001").story(), "");
    }

    #[test]
    fn the_stop_stands_its_distance_below_the_close() {
        let desk = Desk::new(bollinger(&[("stop_pct", "5")])).bars(PRICES);
        assert_eq!(desk.signals()[0].stop, Some(price("91.2")));
    }

    #[test]
    fn a_restored_state_goes_on_where_it_stopped() {
        let saved = Desk::new(bollinger(&[])).bars("100 100 100 100 96").strategy.save();
        let mut strategy = bollinger(&[]);
        strategy.restore(&saved).expect("the state");
        assert_eq!(Desk::new(strategy).bars("98 98").story(), "2:flat");
        assert!(bollinger(&[("width", "2")]).restore(&saved).is_err());
    }
}
