//! The shipped cross of two averages as a component that is called for every event or, built with `TICKS_SIGNAL_ONLY` in
//! the environment, given many at once: what the two ways cost.

use bellwether_sdk::{AccountKind, Context, ParamError, Plugin, Strategy, Trade};
use strategy_ema_cross::EmaCross;

/// The strategy.
pub struct Ticks(EmaCross);

impl Strategy for Ticks {
    fn account(&self) -> AccountKind {
        self.0.account()
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.0.on_trade(ctx, trade);
    }

    fn save(&self) -> Vec<u8> {
        self.0.save()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        self.0.restore(state)
    }
}

impl Plugin for Ticks {
    type Params = <EmaCross as Plugin>::Params;
    const NAME: &'static str = "ticks";
    const SUMMARY: &'static str = "two averages, for measurements";
    const DIRECTIONAL: bool = true;
    const SIGNAL_ONLY: bool = option_env!("TICKS_SIGNAL_ONLY").is_some();
    const STATE_VERSION: u32 = <EmaCross as Plugin>::STATE_VERSION;

    fn new(params: Self::Params) -> Result<Self, ParamError> {
        Ok(Self(EmaCross::new(params)?))
    }
}
