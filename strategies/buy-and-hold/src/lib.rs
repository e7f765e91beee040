//! Buys at the first price and never sells: the yardstick.
//!
//! **Idea.** Whoever trades has to beat the one who does not.
//!
//! **Rules.** One long signal per instrument, at its first bar, trade or quote of which an order can be made. Nothing
//! after that.
//!
//! **When it loses.** When the market falls, all the way down.

use bellwether_sdk::{
    Bar, Context, InstrumentId, OrderId, OrderUpdate, ParamError, PerInstrument, Plugin, Probe, Quote, Signal,
    Strategy, Trade, state,
};

/// The strategy.
#[derive(Debug)]
pub struct BuyAndHold {
    bought: PerInstrument<bool>,
}

impl BuyAndHold {
    #[inline]
    fn step(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId) {
        if !std::mem::replace(self.bought.of(instrument), true) {
            ctx.signal(Signal::long(instrument).tag("hold").reason("first price"));
        }
    }
}

impl Strategy for BuyAndHold {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        self.step(ctx, bar.instrument);
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.step(ctx, trade.instrument);
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        if !quote.ask.is_zero() {
            self.step(ctx, quote.instrument);
        }
    }

    fn on_order(&mut self, _: &mut Context<'_>, update: &OrderUpdate) {
        // A signal of which no order came, in the warm-up for one. An order that was refused is not sent again.
        if update.order == OrderId(0) {
            *self.bought.of(update.instrument) = false;
        }
    }

    fn observe(&self, probe: &mut Probe) {
        probe.condition("bought", f64::from(*self.bought.get(probe.instrument)), 1.0);
    }

    fn save(&self) -> Vec<u8> {
        state::save(&(), &self.bought)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.bought = state::load(&(), bytes)?;
        Ok(())
    }
}

impl Plugin for BuyAndHold {
    type Params = ();
    const NAME: &'static str = "buy_and_hold";
    const SUMMARY: &'static str = "buys at the first price and holds";
    const DIRECTIONAL: bool = true;
    const STATE_VERSION: u32 = 1;
    const SIGNAL_ONLY: bool = true;

    fn new((): ()) -> Result<Self, ParamError> {
        Ok(Self { bought: PerInstrument::new(false) })
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::testing::Desk;

    use super::*;

    fn fresh() -> BuyAndHold {
        BuyAndHold::new(()).expect("a strategy")
    }

    #[test]
    fn it_buys_each_instrument_once() {
        assert_eq!(Desk::new(fresh()).bars("100 101 99").story(), "1:long");
        assert_eq!(Desk::new(fresh()).trades("100 101").story(), "1:long");
        assert_eq!(Desk::new(fresh()).quotes("99/0 99/101 100/102").story(), "2:long");
        let both = Desk::with(fresh(), &["test:ONE/USD", "test:TWO/USD"]).bars_of_all(&["1 2", "3 4"]);
        assert_eq!(both.story(), "1:long:ONE 2:long:TWO");
    }

    #[test]
    fn a_restored_one_does_not_buy_again() {
        let saved = Desk::new(fresh()).bars("100").strategy.save();
        let mut strategy = fresh();
        strategy.restore(&saved).expect("the state");
        assert_eq!(Desk::new(strategy).bars("100 101").story(), "");
        assert!(fresh().restore(&[7, 7]).is_err());
    }
}
