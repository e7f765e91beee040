//! A strategy that trades for the sake of it: orders of all kinds at random prices, cancels at random, nothing held short.

use bellwether_sdk::{
    Context, InstrumentId, Intent, OrderState, OrderUpdate, ParamError, Params, Plugin, Price, Qty, Quote, Side,
    Strategy, TimeInForce, Trade, state,
};

use crate::dice::Dice;

/// Why an order is refused before it leaves; it does not count.
const NEVER_LEFT: [&str; 3] = ["refused_by_guard", "paused", "warm_up"];

/// What can be set.
#[derive(Debug, Clone, Params)]
pub struct RestlessParams {
    /// Seed of its decisions.
    #[param(default = 1, range = 0..=9_000_000_000_000)]
    pub seed: i64,
    /// Orders it makes; then it cancels nothing any more, and makes a few more for those that never left.
    #[param(default = 200, range = 1..=10_000_000)]
    pub orders: i64,
    /// How often it acts at an event, of ten thousand.
    #[param(default = 3000, range = 0..=10_000)]
    pub pace: i64,
}

/// The strategy.
#[derive(Debug)]
pub struct Restless {
    params: RestlessParams,
    dice: Dice,
    made: i64,
}

impl Restless {
    fn act(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId) {
        let pace = u64::try_from(self.params.pace).unwrap_or(0);
        let most = self.params.orders + self.params.orders / 2;
        if self.made >= most || ctx.last(instrument).is_zero() || !self.dice.chance(pace) {
            return;
        }
        let lot = ctx.instrument(instrument).lot.mantissa();
        let burst = if self.dice.chance(600) { 5 } else { 1 };
        let (mut held, mut selling) = (ctx.position(instrument).qty.mantissa(), 0);
        for open in ctx.open_orders().iter().filter(|o| o.side == Side::Sell) {
            selling += open.qty_left.mantissa();
        }
        for _ in 0..burst {
            if self.made >= most {
                break;
            }
            self.made += 1;
            let qty = self.dice.between(1_000, 50_000) * lot;
            let sell = held - selling >= qty && self.dice.chance(6_500);
            let side = if sell { Side::Sell } else { Side::Buy };
            if sell {
                selling += qty;
                held = held.max(selling);
            }
            let intent = self.intent(ctx, instrument, side, Qty::from_mantissa(qty));
            ctx.place(intent);
        }
        // When its orders are made it leaves them alone: what it would cancel now hides what was forgotten before.
        if self.made >= self.params.orders {
            return;
        }
        if self.dice.chance(3_000) && !ctx.open_orders().is_empty() {
            let which = self.dice.below(ctx.open_orders().len() as u64);
            let id = usize::try_from(which).ok().and_then(|i| ctx.open_orders().get(i)).map(|o| o.id);
            id.into_iter().for_each(|id| ctx.cancel(id));
        }
        if self.dice.chance(80) {
            ctx.cancel_all(instrument);
        }
    }

    fn intent(&mut self, ctx: &Context<'_>, instrument: InstrumentId, side: Side, qty: Qty) -> Intent {
        let (last, tick) = (ctx.last(instrument).mantissa(), ctx.instrument(instrument).tick.mantissa());
        let near = last / tick * tick + self.dice.between(-30, 30) * tick;
        let far = near - side.sign() * self.dice.between(50, 300) * tick;
        let limit = |price| Intent::limit(instrument, side, qty, Price::from_mantissa(price));
        match self.dice.below(10) {
            0..3 => limit(near),
            3..7 => limit(far),
            7 => limit(near).post_only(),
            8 => limit(near).tif(TimeInForce::Ioc),
            _ => Intent::market(instrument, side, qty),
        }
    }
}

impl Strategy for Restless {
    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.act(ctx, trade.instrument);
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        self.act(ctx, quote.instrument);
    }

    fn on_order(&mut self, _: &mut Context<'_>, update: &OrderUpdate) {
        if update.state == OrderState::Rejected && NEVER_LEFT.contains(&update.reason) {
            self.made = (self.made - 1).max(0);
        }
    }

    fn save(&self) -> Vec<u8> {
        state::save(&self.params.seed, &(self.dice.0, self.made))
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        (self.dice.0, self.made) = state::load(&self.params.seed, bytes)?;
        Ok(())
    }
}

impl Plugin for Restless {
    type Params = RestlessParams;
    const NAME: &'static str = "restless";
    const SUMMARY: &'static str = "places and cancels orders at random, for the storm";
    const DIRECTIONAL: bool = false;

    fn new(params: RestlessParams) -> Result<Self, ParamError> {
        let dice = Dice(params.seed.unsigned_abs() ^ 0x5707);
        Ok(Self { params, dice, made: 0 })
    }
}
