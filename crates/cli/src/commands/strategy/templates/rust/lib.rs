//! Follows two simple averages: long while the fast one is above the slow one.

use bellwether_sdk::indicators::{Indicator, Sma};
use bellwether_sdk::{Bar, Context, InstrumentId, ParamError, Params, PerInstrument, Plugin, Probe, Signal, Strategy};

/// What can be set: `--set strategy.fast=5`.
#[derive(Params)]
pub struct {{Type}}Params {
    /// Bars of the fast average.
    #[param(default = 10, range = 1..=1000)]
    pub fast: usize,
    /// Bars of the slow average.
    #[param(default = 30, range = 2..=1000)]
    pub slow: usize,
}

/// The strategy: a pair of averages of each instrument.
pub struct {{Type}} {
    fast: PerInstrument<Sma>,
    slow: PerInstrument<Sma>,
}

impl Strategy for {{Type}} {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let (id, price) = (bar.instrument, ctx.f64(bar.close));
        let (fast, slow) = (self.fast.of(id).update(price), self.slow.of(id).update(price));
        let (Some(fast), Some(slow)) = (fast, slow) else { return };
        // Said at every bar: a wish that is fulfilled makes no order, and one that came to nothing is made again.
        ctx.signal(match fast > slow {
            true => Signal::long(id).reason("the fast average is above the slow one"),
            false => Signal::flat(id).reason("the fast average is not above the slow one"),
        });
    }

    /// What `bellwether explain` and the charts show: the averages, and how far they are from crossing.
    fn observe(&self, probe: &mut Probe) {
        let (fast, slow) = (self.fast.get(probe.instrument).value(), self.slow.get(probe.instrument).value());
        let (Some(fast), Some(slow)) = (fast, slow) else { return };
        probe.value("fast", Some(fast));
        probe.value("slow", Some(slow));
        probe.condition("fast - slow", fast - slow, 0.0);
    }

    /// After so many bars it no longer matters where it began.
    fn rebuild_window(&self) -> u64 {
        self.slow.get(InstrumentId(0)).warmup() as u64
    }
}

impl Plugin for {{Type}} {
    type Params = {{Type}}Params;
    const NAME: &'static str = "{{ident}}";
    const SUMMARY: &'static str = "long while a fast average is above a slow one";
    const DIRECTIONAL: bool = true;
    // With `true` a component is faster, and is shown nothing but its events: say so only if it never asks the context for
    // its position, orders, equity or last prices, and places no orders itself. (This one could.)
    const SIGNAL_ONLY: bool = false;

    fn new(params: {{Type}}Params) -> Result<Self, ParamError> {
        if params.fast >= params.slow {
            return Err(ParamError::Conflict("fast must be below slow".to_owned()));
        }
        let each = |bars| Ok::<_, ParamError>(PerInstrument::new(Sma::new(bars)?));
        Ok(Self { fast: each(params.fast)?, slow: each(params.slow)? })
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::testing::Desk;

    use super::*;

    fn small() -> {{Type}} {
        {{Type}}::new({{Type}}Params { fast: 1, slow: 2 }).unwrap()
    }

    #[test]
    fn it_is_long_while_prices_rise_and_flat_when_they_fall() {
        assert_eq!(Desk::new(small()).bars("100 101 102 99").story(), "2:long 3:long 4:flat");
    }

    #[test]
    fn two_instruments_do_not_mix_their_prices() {
        let desk = Desk::with(small(), &["test:ONE/USD", "test:TWO/USD"]).bars_of_all(&["100 101", "50 49"]);
        assert_eq!(desk.story(), "3:long:ONE 4:flat:TWO");
    }
}
