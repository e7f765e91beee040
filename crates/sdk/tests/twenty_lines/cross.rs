use bellwether_sdk::indicators::{Indicator, Sma};
use bellwether_sdk::{Bar, Context, PerInstrument, Signal, Strategy};

/// What it remembers from bar to bar.
pub struct Cross {
    pub fast: PerInstrument<Sma>,
    pub slow: PerInstrument<Sma>,
}

impl Strategy for Cross {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let (id, price) = (bar.instrument, ctx.f64(bar.close));
        let (fast, slow) = (self.fast.of(id).update(price), self.slow.of(id).update(price));
        let (Some(fast), Some(slow)) = (fast, slow) else { return };
        ctx.signal(if fast > slow { Signal::long(id) } else { Signal::flat(id) });
    }
}
