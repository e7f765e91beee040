//! Does what signals made elsewhere say: an alert, a provider, another bot.
//!
//! **Idea.** Somebody else has the opinion; this gives it a size, a stop and the guard.
//!
//! **Rules.** Every signal that is heard for one of its instruments becomes its own, if it is strong and confident
//! enough; what is under `min_strength` or `min_confidence` is passed over. In `long-only` a short wish means flat. A
//! signal without a stop gets one `stop_pct` away from the last price, if that is set.
//!
//! **When it loses.** When they are wrong. `bellwether signals evaluate` says how often that was.

use bellwether_sdk::{AccountKind, Context, Direction, Mode, ParamError, Params, Plugin, Signal, Strategy, Tag};

/// What can be set.
#[derive(Debug, Clone, Params)]
pub struct FollowParams {
    /// Signals weaker than this are passed over.
    #[param(default = 0.0, range = 0.0..=1.0)]
    pub min_strength: f64,
    /// Signals less sure than this are passed over.
    #[param(default = 0.0, range = 0.0..=1.0)]
    pub min_confidence: f64,
    /// Distance of the protective stop from the last price, per cent, where a signal has none; none when left out.
    #[param(range = 0.01..=90.0)]
    pub stop_pct: Option<f64>,
    /// Which sides to trade.
    #[param(default = Mode::LongOnly)]
    pub mode: Mode,
}

/// The strategy.
#[derive(Debug)]
pub struct Follow {
    params: FollowParams,
}

impl Follow {
    fn stop(&self, ctx: &Context<'_>, signal: &Signal) -> Option<bellwether_sdk::Price> {
        let away = match signal.direction {
            Direction::Long => -1.0,
            Direction::Short => 1.0,
            Direction::Flat => return None,
        };
        let last = ctx.last(signal.instrument);
        self.params.stop_pct.and_then(|pct| ctx.price(ctx.f64(last) * (1.0 + away * pct / 100.0)))
    }
}

impl Strategy for Follow {
    fn account(&self) -> AccountKind {
        match self.params.mode {
            Mode::LongOnly => AccountKind::Cash,
            Mode::LongShort => AccountKind::Margin,
        }
    }

    fn on_signal(&mut self, ctx: &mut Context<'_>, signal: &Signal) {
        if signal.strength < self.params.min_strength || signal.confidence < self.params.min_confidence {
            return;
        }
        let mut own = signal.clone();
        if own.direction == Direction::Short && self.params.mode == Mode::LongOnly {
            own.direction = Direction::Flat;
        }
        if own.stop.is_none() {
            own.stop = self.stop(ctx, signal);
        }
        if own.tags.is_empty() {
            own.tags.push(Tag::Borrowed("follow"));
        }
        ctx.signal(own);
    }
}

impl Plugin for Follow {
    type Params = FollowParams;
    const NAME: &'static str = "follow";
    const SUMMARY: &'static str = "does what signals made elsewhere say";
    const DIRECTIONAL: bool = true;

    fn new(params: FollowParams) -> Result<Self, ParamError> {
        Ok(Self { params })
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::testing::{Desk, price};
    use bellwether_sdk::{InstrumentId, Ts};

    use super::*;

    fn follow(mode: Mode) -> Follow {
        let params = FollowParams { min_strength: 0.5, min_confidence: 0.0, stop_pct: Some(10.0), mode };
        Follow::new(params).expect("a strategy")
    }

    fn story(mode: Mode, signal: &Signal) -> Vec<Signal> {
        let mut desk = Desk::new(follow(mode)).bars("100");
        desk.signal(signal, Ts::from_nanos(5));
        desk.signals().into_iter().cloned().collect()
    }

    #[test]
    fn it_takes_a_signal_over_and_gives_it_a_stop() {
        let said = story(Mode::LongShort, &Signal::short(InstrumentId(0)));
        assert_eq!((said[0].direction, said[0].stop), (Direction::Short, Some(price("110"))));
        let own = Signal::long(InstrumentId(0)).stop(price("97"));
        assert_eq!(story(Mode::LongOnly, &own)[0].stop, Some(price("97")));
    }

    #[test]
    fn it_passes_over_what_is_too_weak_and_goes_flat_instead_of_short() {
        let weak = Signal { strength: 0.4, ..Signal::long(InstrumentId(0)) };
        assert_eq!(story(Mode::LongOnly, &weak), []);
        assert_eq!(story(Mode::LongOnly, &Signal::short(InstrumentId(0)))[0].direction, Direction::Flat);
    }
}
