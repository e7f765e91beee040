//! A strategy that does everything one can, and one that does nothing.

use bellwether_sdk::{
    AccountKind, Bar, Bracket, Context, Fill, InstrumentId, Intent, Interval, ParamError, Params, Plugin, Price, Qty,
    Side, Strategy, TimeInForce, Trade, state,
};

use super::SECOND;

/// The same numbers for the same seed.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }
}

/// Nothing to set.
#[derive(Debug, Clone, Params)]
pub(super) struct NoParams {}

/// How often it acts.
#[derive(Debug, Clone, Params)]
pub(super) struct BusyParams {
    /// At each trade of so many.
    #[param(default = 1, range = 1..=1_000_000)]
    every: u64,
}

/// Does everything a strategy can, by dice.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(super) struct Busy {
    dice: Dice,
    every: u64,
    trades: u64,
    bars: u64,
    fills: u64,
}

impl Busy {
    fn act(&mut self, ctx: &mut Context<'_>, id: InstrumentId) {
        let last = ctx.last(id);
        let side = if self.dice.below(2) == 0 { Side::Buy } else { Side::Sell };
        let qty = Qty::from_mantissa(1 + self.dice.below(40) as i64);
        let away = Price::from_mantissa(last.mantissa() - side.sign() * self.dice.below(300) as i64);
        match self.dice.below(9) {
            0 | 1 => drop(ctx.place(Intent::limit(id, side, qty, away))),
            2 => {
                let bracket = Bracket {
                    stop_loss: Some(Price::from_mantissa(last.mantissa() - side.sign() * 150)),
                    take_profit: Some(Price::from_mantissa(last.mantissa() + side.sign() * 150)),
                    trailing_stop: None,
                };
                ctx.place(Intent::market(id, side, qty).bracket(bracket).tag("bracketed"));
            }
            3 => {
                if let Some(order) = ctx.open_orders().first() {
                    ctx.cancel(order.id);
                }
            }
            4 => ctx.timer(ctx.now().plus(3 * SECOND), self.dice.below(5)),
            5 if self.fills % 5 == 4 => ctx.cancel_all(id),
            6 => {
                let until = TimeInForce::Gtd(ctx.now().plus(7 * SECOND));
                ctx.place(Intent::limit(id, side, qty, away).tif(until));
            }
            _ => {}
        }
    }
}

impl Strategy for Busy {
    fn account(&self) -> AccountKind {
        AccountKind::Margin
    }

    fn on_start(&mut self, ctx: &mut Context<'_>) {
        for id in ctx.instruments() {
            ctx.subscribe_bars(*id, Interval::from_nanos(5 * SECOND).expect("five seconds"));
        }
        ctx.timer(ctx.now().plus(10 * SECOND), 77);
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.trades += 1;
        if self.trades.is_multiple_of(self.every) {
            self.act(ctx, trade.instrument);
        }
    }

    fn on_bar(&mut self, _: &mut Context<'_>, _: &Bar) {
        self.bars += 1;
    }

    fn on_fill(&mut self, _: &mut Context<'_>, _: &Fill) {
        self.fills += 1;
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, timer: u64) {
        self.dice.below(3 + timer);
        if timer == 77 {
            ctx.timer(ctx.now().plus(10 * SECOND), 77);
        }
    }

    fn save(&self) -> Vec<u8> {
        state::save(&(), self)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        *self = state::load(&(), bytes)?;
        Ok(())
    }
}

impl Plugin for Busy {
    type Params = BusyParams;
    const NAME: &'static str = "busy";
    const SUMMARY: &'static str = "does everything";
    const DIRECTIONAL: bool = false;

    fn new(params: BusyParams) -> Result<Self, ParamError> {
        Ok(Self { dice: Dice(5), every: params.every, trades: 0, bars: 0, fills: 0 })
    }
}

/// Saves nothing.
pub(super) struct Silent;

impl Strategy for Silent {}

impl Plugin for Silent {
    type Params = NoParams;
    const NAME: &'static str = "silent";
    const SUMMARY: &'static str = "does nothing";
    const DIRECTIONAL: bool = false;

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self)
    }
}
