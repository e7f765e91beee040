//! Quotes both sides of the market with resting limit orders and leans against its inventory.
//!
//! **Idea.** Whoever waits to be hit earns the spread that others pay, as long as the price does not run away from him.
//!
//! **Rules.** The middle is that of the last quote or book, or the last trade where neither is known. The fair price is the
//! middle less `skew_bps` for each `qty` held (more when short). It bids `half_spread_bps` below the fair price and
//! offers as much above, on the tick, never across the market, each order `qty`, post-only, good till cancelled. One order
//! per side: when its price is off by more than `requote_bps` it is cancelled, and replaced once the cancel is confirmed.
//! Holding `inventory_max` × `qty` or more it does not bid (short as much: does not offer). In `long-only` it offers only
//! what it holds. After a refusal it waits until its price has moved, but for one of a warm-up.
//!
//! **When it loses.** When the market runs: it is filled on the wrong side first (adverse selection), and the inventory
//! costs more than the spreads earned. Fills in a backtest depend on the queue model more than in any other strategy.

mod side;

use bellwether_sdk::{
    AccountKind, Bar, BookView, Context, InstrumentId, Intent, Mode, OrderState, OrderUpdate, ParamError, Params,
    PerInstrument, Plugin, Price, Probe, Qty, Quote, Side, Strategy, Trade, state,
};
use side::{Resting, Step};

/// What can be set.
#[derive(Debug, Clone, Params)]
pub struct QuoterParams {
    /// Quantity of each order, in base; rounded toward zero to the lot.
    #[param(default = 0.01, range = 1e-12..=1e12)]
    pub qty: f64,
    /// Distance of each order from the fair price, basis points.
    #[param(default = 5.0, range = 0.0..=5000.0)]
    pub half_spread_bps: f64,
    /// How far the fair price leans per `qty` held, basis points.
    #[param(default = 1.0, range = 0.0..=5000.0)]
    pub skew_bps: f64,
    /// How far an order may be off its price before it is moved, basis points.
    #[param(default = 1.0, range = 0.0..=5000.0)]
    pub requote_bps: f64,
    /// Most to hold or owe, in multiples of `qty`.
    #[param(default = 5, range = 1..=1_000_000)]
    pub inventory_max: i64,
    /// Which sides to trade: long-only never sells what it does not hold.
    #[param(default = Mode::LongShort)]
    pub mode: Mode,
}

/// What is known of an instrument: both orders, and whether the best prices are.
type Seat = (Resting, Resting, bool);

/// The strategy.
#[derive(Debug)]
pub struct Quoter {
    params: QuoterParams,
    seats: PerInstrument<Seat>,
}

/// The prices an event brought: the middle, and the best of each side where known.
struct Market {
    middle: f64,
    bid: Price,
    ask: Price,
}

impl Quoter {
    /// The prices to quote: below and above the fair price, never across the market; `None` for none.
    fn targets(&self, ctx: &Context<'_>, instrument: InstrumentId, market: &Market, lots: f64) -> [Option<Price>; 2] {
        let fair = market.middle * (1.0 - self.params.skew_bps * 1e-4 * lots);
        let half = self.params.half_spread_bps * 1e-4;
        let rules = ctx.instrument(instrument);
        let below = |ask: Price| Price::from_mantissa(ask.mantissa() - rules.price_step(ask).mantissa());
        let above = |bid: Price| Price::from_mantissa(bid.mantissa() + rules.price_step(bid).mantissa());
        let bid =
            ctx.price(fair * (1.0 - half)).map(|p| if market.ask.is_zero() { p } else { p.min(below(market.ask)) });
        let ask =
            ctx.price(fair * (1.0 + half)).map(|p| if market.bid.is_zero() { p } else { p.max(above(market.bid)) });
        [bid.filter(|p| p.mantissa() > 0), ask]
    }

    /// How much to bid and to offer; zero for nothing.
    fn sizes(&self, ctx: &Context<'_>, instrument: InstrumentId, held: i64) -> [Qty; 2] {
        let qty = ctx.instrument(instrument).qty_toward_zero(self.params.qty).map_or(0, Qty::mantissa);
        let most = qty.saturating_mul(self.params.inventory_max);
        let least = if self.params.mode == Mode::LongOnly { 0 } else { -most };
        let bid = qty.min(most.saturating_sub(held)).max(0);
        let ask = qty.min(held.saturating_sub(least)).max(0);
        [Qty::from_mantissa(bid), Qty::from_mantissa(ask)]
    }

    fn requote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, market: &Market) {
        let held = ctx.position(instrument).qty;
        let lots = ctx.qty_f64(held) / self.params.qty;
        let targets = self.targets(ctx, instrument, market, lots);
        let sizes = self.sizes(ctx, instrument, held.mantissa());
        let slack = self.params.requote_bps * 1e-4;
        let (bid, ask, _) = self.seats.of(instrument);
        for (resting, side, target, size) in
            [(bid, Side::Buy, targets[0], sizes[0]), (ask, Side::Sell, targets[1], sizes[1])]
        {
            let wanted = target.filter(|_| !size.is_zero());
            match resting.step(wanted, slack) {
                Step::Keep => {}
                Step::Cancel(order) => ctx.cancel(order),
                Step::Place(price) => {
                    let intent = Intent::limit(instrument, side, size, price).post_only().tag("quote");
                    resting.placed(ctx.place(intent), price);
                }
            }
        }
    }

    fn best(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, bid: Price, ask: Price) {
        if !bid.is_zero() && !ask.is_zero() {
            self.seats.of(instrument).2 = true;
            let middle = (ctx.f64(bid) + ctx.f64(ask)) / 2.0;
            self.requote(ctx, instrument, &Market { middle, bid, ask });
        }
    }

    fn last(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, price: Price) {
        if !self.seats.of(instrument).2 {
            self.requote(ctx, instrument, &Market { middle: ctx.f64(price), bid: Price::ZERO, ask: Price::ZERO });
        }
    }
}

impl Strategy for Quoter {
    fn account(&self) -> AccountKind {
        self.params.mode.account()
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        self.best(ctx, quote.instrument, quote.bid, quote.ask);
    }

    fn on_book(&mut self, ctx: &mut Context<'_>, book: &BookView<'_>) {
        if let (Some(&(bid, _)), Some(&(ask, _))) = (book.bids.first(), book.asks.first()) {
            self.best(ctx, book.instrument, bid, ask);
        }
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.last(ctx, trade.instrument, trade.price);
    }

    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        self.last(ctx, bar.instrument, bar.close);
    }

    fn on_order(&mut self, _: &mut Context<'_>, update: &OrderUpdate) {
        if !update.state.is_open() {
            let (bid, ask, _) = self.seats.of(update.instrument);
            // What a warm-up drops is no judgement of its price: when it counts it is asked for again.
            let refused = update.state == OrderState::Rejected && update.reason != "warm_up";
            for resting in [bid, ask] {
                resting.ended(update.order, refused);
            }
        }
    }

    fn observe(&self, probe: &mut Probe) {
        let (bid, ask, _) = self.seats.get(probe.instrument);
        probe.condition("bid resting", f64::from(bid.is_resting()), 1.0);
        probe.condition("offer resting", f64::from(ask.is_resting()), 1.0);
    }

    fn save(&self) -> Vec<u8> {
        state::save(&(), &self.seats)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.seats = state::load(&(), bytes)?;
        Ok(())
    }
}

impl Plugin for Quoter {
    type Params = QuoterParams;
    const NAME: &'static str = "quoter";
    const SUMMARY: &'static str = "quotes both sides with resting post-only orders";
    const DIRECTIONAL: bool = false;
    const STATE_VERSION: u32 = 1;

    fn new(params: QuoterParams) -> Result<Self, ParamError> {
        Ok(Self { params, seats: PerInstrument::new(Seat::default()) })
    }
}

#[cfg(test)]
mod tests;
