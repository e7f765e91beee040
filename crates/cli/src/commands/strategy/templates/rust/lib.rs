//! Follows the crossing of two simple averages: long while the fast one is above the slow one.

use bellwether_sdk::indicators::{Indicator, Sma};
use bellwether_sdk::{Bar, Context, ParamError, Params, Plugin, Probe, Signal, Strategy};

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

/// The strategy: one pair of averages.
pub struct {{Type}} {
    fast: Sma,
    slow: Sma,
    /// Whether the fast one was above at the last bar.
    above: bool,
}

impl Strategy for {{Type}} {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let price = ctx.f64(bar.close);
        let (Some(fast), Some(slow)) = (self.fast.update(price), self.slow.update(price)) else { return };
        let was_above = std::mem::replace(&mut self.above, fast > slow);
        if self.above && !was_above {
            ctx.signal(Signal::long(bar.instrument).reason("the fast average rose above the slow one"));
        } else if was_above && !self.above {
            ctx.signal(Signal::flat(bar.instrument).reason("the fast average fell below the slow one"));
        }
    }

    /// What `bellwether explain` and the charts show: the averages, and how far they are from crossing.
    fn observe(&self, probe: &mut Probe) {
        let (Some(fast), Some(slow)) = (self.fast.value(), self.slow.value()) else { return };
        probe.value("fast", Some(fast));
        probe.value("slow", Some(slow));
        probe.condition("fast - slow", fast - slow, 0.0);
    }

    /// After so many bars it no longer matters where it began.
    fn rebuild_window(&self) -> u64 {
        self.slow.warmup() as u64
    }
}

impl Plugin for {{Type}} {
    type Params = {{Type}}Params;
    const NAME: &'static str = "{{ident}}";
    const SUMMARY: &'static str = "long while a fast average is above a slow one";
    const DIRECTIONAL: bool = true;
    const SIGNAL_ONLY: bool = true;

    fn new(params: {{Type}}Params) -> Result<Self, ParamError> {
        if params.fast >= params.slow {
            return Err(ParamError::Conflict("fast must be below slow".to_owned()));
        }
        Ok(Self { fast: Sma::new(params.fast)?, slow: Sma::new(params.slow)?, above: false })
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::testing::Desk;

    use super::*;

    #[test]
    fn it_is_long_while_prices_rise_and_flat_when_they_fall() {
        let strategy = {{Type}}::new({{Type}}Params { fast: 1, slow: 2 }).unwrap();
        assert_eq!(Desk::new(strategy).bars("100 101 102 99").story(), "2:long 4:flat");
    }
}
