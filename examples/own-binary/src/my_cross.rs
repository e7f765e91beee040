//! Long while a fast average is above a slow one.

use bellwether_sdk::indicators::{Indicator, Sma};
use bellwether_sdk::{Bar, Context, ParamError, Params, Plugin, Signal, Strategy};

/// What can be set.
#[derive(Debug, Clone, Params)]
pub struct MyCrossParams {
    /// Bars of the fast average.
    #[param(default = 10, range = 1..=1_000)]
    pub fast: usize,
    /// Bars of the slow average.
    #[param(default = 30, range = 2..=1_000)]
    pub slow: usize,
}

/// The strategy.
pub struct MyCross(Sma, Sma);

impl Strategy for MyCross {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let price = ctx.f64(bar.close);
        let (Some(fast), Some(slow)) = (self.0.update(price), self.1.update(price)) else { return };
        // A wish for what is there already makes no order.
        let id = bar.instrument;
        ctx.signal(if fast > slow { Signal::long(id) } else { Signal::flat(id) });
    }
}

impl Plugin for MyCross {
    type Params = MyCrossParams;
    const NAME: &'static str = "my_cross";
    const SUMMARY: &'static str = "long while a fast average is above a slow one";
    const DIRECTIONAL: bool = true;

    fn new(params: MyCrossParams) -> Result<Self, ParamError> {
        Ok(Self(Sma::new(params.fast)?, Sma::new(params.slow)?))
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::testing::Desk;

    use super::*;

    #[test]
    fn it_is_long_while_prices_rise_and_flat_when_they_fall() {
        let strategy = MyCross::new(MyCrossParams { fast: 1, slow: 2 }).expect("parameters");
        assert_eq!(Desk::new(strategy).bars("100 101 99").story(), "2:long 3:flat");
    }
}
