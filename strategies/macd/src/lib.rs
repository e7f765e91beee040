//! Follows the MACD histogram across zero.
//!
//! **Idea.** MACD is the distance of two averages; when it passes above its own average the rise is gaining speed.
//!
//! **Rules.** After each bar, with histogram = MACD − signal line: from ≤ 0 to > 0 between two bars in a row it wants to
//! be long; from ≥ 0 to < 0 short, or flat in `long-only` (the default). Lines begin with the first close; `seed = sma`
//! waits for means of the first values, as TA-Lib does.
//!
//! **When it loses.** In a steady trend the histogram hovers about zero and crosses for nothing; sideways it is as late
//! as every average. It trades more often than a plain cross, so fees weigh more.

use bellwether_sdk::indicators::{Indicator, Macd, Seed};
use bellwether_sdk::{
    AccountKind, Bar, Context, Mode, ParamError, Params, PerInstrument, Plugin, Probe, Signal, Strategy, state,
};

/// What can be set.
#[derive(Debug, Clone, Params)]
pub struct MacdCrossParams {
    /// Bars the fast average spans.
    #[param(default = 12, range = 1..=100_000)]
    pub fast: usize,
    /// Bars the slow average spans; more than `fast`.
    #[param(default = 26, range = 2..=100_000)]
    pub slow: usize,
    /// Bars the signal line spans.
    #[param(default = 9, range = 1..=100_000)]
    pub signal: usize,
    /// Which sides to trade.
    #[param(default = Mode::LongOnly)]
    pub mode: Mode,
    /// Where the averages begin: at the first price, or at the mean of the first ones.
    #[param(default = Seed::First)]
    pub seed: Seed,
}

/// The strategy.
#[derive(Debug)]
pub struct MacdCross {
    params: MacdCrossParams,
    /// The lines and the last histogram.
    lines: PerInstrument<(Macd, f64)>,
}

impl Strategy for MacdCross {
    fn account(&self) -> AccountKind {
        self.params.mode.account()
    }

    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let (macd, last) = self.lines.of(bar.instrument);
        let Some(lines) = macd.update(ctx.f64(bar.close)) else { return };
        let before = std::mem::replace(last, lines.histogram);
        if before <= 0.0 && lines.histogram > 0.0 {
            ctx.signal(Signal::long(bar.instrument).tag("macd_up").reason("macd rose above its signal line"));
        } else if before >= 0.0 && lines.histogram < 0.0 {
            let signal = self.params.mode.short_or_flat(bar.instrument);
            ctx.signal(signal.tag("macd_down").reason("macd fell below its signal line"));
        }
    }

    fn observe(&self, probe: &mut Probe) {
        let (macd, last) = self.lines.get(probe.instrument);
        probe.value("macd", macd.value().map(|m| m.macd));
        probe.value("signal", macd.value().map(|m| m.signal));
        probe.condition("macd - signal", *last, 0.0);
    }

    fn save(&self) -> Vec<u8> {
        state::save(&self.key(), &self.lines)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.lines = state::load(&self.key(), bytes)?;
        Ok(())
    }
}

impl MacdCross {
    /// What a saved state depends on.
    fn key(&self) -> (usize, usize, usize, Seed) {
        (self.params.fast, self.params.slow, self.params.signal, self.params.seed)
    }
}

impl Plugin for MacdCross {
    type Params = MacdCrossParams;
    const NAME: &'static str = "macd";
    const SUMMARY: &'static str = "follows the MACD across its signal line";
    const DIRECTIONAL: bool = true;
    const STATE_VERSION: u32 = 1;
    const SIGNAL_ONLY: bool = true;

    fn new(params: MacdCrossParams) -> Result<Self, ParamError> {
        let MacdCrossParams { fast, slow, signal, seed, .. } = params;
        if fast >= slow {
            return Err(ParamError::Conflict(format!("fast is {fast} and slow {slow}: fast must be the smaller one")));
        }
        // No histogram before the first: NaN compares false with everything.
        Ok(Self { lines: PerInstrument::new((Macd::seeded(fast, slow, signal, seed)?, f64::NAN)), params })
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::testing::Desk;
    use bellwether_sdk::{InstrumentId, ParamValues, Params};

    use super::*;

    fn macd(settings: &[(&str, &str)]) -> Result<MacdCross, ParamError> {
        let small = [("fast", "2"), ("slow", "4"), ("signal", "2")].iter().chain(settings);
        let values: ParamValues = small.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        MacdCross::new(MacdCrossParams::from_values(&values)?)
    }

    fn desk(settings: &[(&str, &str)]) -> Desk<MacdCross> {
        Desk::new(macd(settings).expect("a strategy"))
    }

    const PRICES: &str = "100 101 103 104 104 102 99 99 100 103";

    #[test]
    fn it_is_long_above_the_signal_line_and_flat_or_short_below() {
        assert_eq!(desk(&[]).bars(PRICES).story(), "2:long 5:flat 9:long");
        assert_eq!(desk(&[("mode", "long-short")]).bars(PRICES).story(), "2:long 5:short 9:long");
        assert_eq!(desk(&[]).strategy.account(), AccountKind::Cash);
    }

    #[test]
    fn means_as_seed_wait_for_all_three_averages() {
        let desk = desk(&[("seed", "sma")]).bars("100 101 102 103 104");
        assert_eq!(desk.strategy.lines.get(InstrumentId(0)).0.warmup(), 5);
        assert_eq!((desk.story(), desk.observe().values.len()), (String::new(), 2));
    }

    #[test]
    fn a_restored_state_goes_on_where_it_stopped() {
        let saved = desk(&[]).bars("100 101 103 104").strategy.save();
        let mut strategy = macd(&[]).expect("a strategy");
        strategy.restore(&saved).expect("the state");
        assert_eq!(Desk::new(strategy).bars("104 102 99 99 100").story(), "1:flat 5:long");
        assert!(macd(&[("signal", "3")]).expect("a strategy").restore(&saved).is_err());
    }

    #[test]
    fn a_fast_average_that_is_not_faster_is_refused() {
        assert!(matches!(macd(&[("fast", "4")]), Err(ParamError::Conflict(_))));
    }
}
