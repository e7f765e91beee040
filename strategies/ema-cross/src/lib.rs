//! Two exponential averages, and a wish wherever they cross: the smallest whole strategy, and the one to copy.
//!
//! **Idea.** A fast average above a slow one says that the price has risen lately. Follow it.
//!
//! **Rules.** After each price both averages take it, beginning with the very first; no warm-up is hidden (`seed = sma`
//! waits for the mean of the first values). With `gap = fast − slow`: from ≤ 0 to > 0 between two prices in a row it
//! wants to be long; from ≥ 0 to < 0 short, or flat in `long-only`. In `long-short` it is always in the market after
//! the first crossing. Prices are bar closes, trades, or the middle of quotes: give it one of them.
//!
//! **When it loses.** In a market that goes nowhere it buys every rise late and sells every fall late, and pays fees for
//! both. It earns in long trends only.

use bellwether_sdk::indicators::{Ema, Indicator, Seed};
use bellwether_sdk::{
    AccountKind, Bar, Context, InstrumentId, Mode, ParamError, Params, PerInstrument, Plugin, Probe, Quote, Signal,
    Strategy, Trade, state,
};

/// What can be set.
#[derive(Debug, Clone, Params)]
pub struct EmaCrossParams {
    /// Prices the fast average spans.
    #[param(default = 12, range = 1..=100_000)]
    pub fast: usize,
    /// Prices the slow average spans.
    #[param(default = 26, range = 1..=100_000)]
    pub slow: usize,
    /// Which sides to trade.
    #[param(default = Mode::LongShort)]
    pub mode: Mode,
    /// Where the averages begin: at the first price, or at the mean of the first ones.
    #[param(default = Seed::First)]
    pub seed: Seed,
}

/// The strategy.
#[derive(Debug)]
pub struct EmaCross {
    params: EmaCrossParams,
    /// Fast average, slow average, and their last gap.
    lines: PerInstrument<(Ema, Ema, f64)>,
}

impl EmaCross {
    #[inline(always)]
    fn step(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, price: f64) {
        let (fast, slow, last_gap) = self.lines.of(instrument);
        let (Some(fast), Some(slow)) = (fast.update(price), slow.update(price)) else { return };
        let gap = fast - slow;
        let before = std::mem::replace(last_gap, gap);
        if before <= 0.0 && gap > 0.0 {
            ctx.signal(Signal::long(instrument).tag("cross_up").reason("fast average rose above slow"));
        } else if before >= 0.0 && gap < 0.0 {
            let signal = self.params.mode.short_or_flat(instrument);
            ctx.signal(signal.tag("cross_down").reason("fast average fell below slow"));
        }
    }
}

impl Strategy for EmaCross {
    fn account(&self) -> AccountKind {
        self.params.mode.account()
    }

    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        self.step(ctx, bar.instrument, ctx.f64(bar.close));
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.step(ctx, trade.instrument, ctx.f64(trade.price));
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        // A quote with one side only is no price: in a two-sided market it would jump by half the spread.
        if !quote.bid.is_zero() && !quote.ask.is_zero() {
            self.step(ctx, quote.instrument, (ctx.f64(quote.bid) + ctx.f64(quote.ask)) / 2.0);
        }
    }

    fn observe(&self, probe: &mut Probe) {
        let (fast, slow, gap) = self.lines.get(probe.instrument);
        probe.value("fast", fast.value());
        probe.value("slow", slow.value());
        probe.condition("fast - slow", *gap, 0.0);
    }

    fn save(&self) -> Vec<u8> {
        state::save(&self.key(), &self.lines)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.lines = state::load(&self.key(), bytes)?;
        Ok(())
    }
}

impl EmaCross {
    /// What a saved state depends on.
    fn key(&self) -> (usize, usize, Seed) {
        (self.params.fast, self.params.slow, self.params.seed)
    }
}

impl Plugin for EmaCross {
    type Params = EmaCrossParams;
    const NAME: &'static str = "ema_cross";
    const SUMMARY: &'static str = "follows the crossing of two exponential averages";
    const DIRECTIONAL: bool = true;
    const STATE_VERSION: u32 = 1;
    const SIGNAL_ONLY: bool = true;

    fn new(params: EmaCrossParams) -> Result<Self, ParamError> {
        let EmaCrossParams { fast, slow, seed, .. } = params;
        if fast == slow {
            return Err(ParamError::Conflict(format!("fast and slow are both {fast}: equal averages never cross")));
        }
        // No gap before the first price: NaN compares false with everything.
        let lines = (Ema::seeded(fast, seed)?, Ema::seeded(slow, seed)?, f64::NAN);
        Ok(Self { params, lines: PerInstrument::new(lines) })
    }
}

#[cfg(test)]
mod tests;
