//! Live on spot: a venue that takes its fee of what was bought gives less than it filled. Stop and exit are of what there is.

use std::sync::atomic::{AtomicBool, Ordering};

use bellwether::config::Durability;
use bellwether::run::What;
use bellwether_sdk::{
    Bracket, Context, Fill, InstrumentId, Intent, OpenOrder, OrderId, OrderState, OrderUpdate, ParamError, Params,
    Plugin, Price, Qty, Role, Side, Strategy, Trade,
};

use crate::tape_fails::Desk;

/// Where the stop of [`RoundTrip`] is.
#[derive(Debug, Clone, Params)]
pub struct StopParams {
    /// Per mille of the price.
    #[param(default = 900, range = 1..=2_000)]
    stop: i64,
}

/// In lots.
const ORDERED: i64 = 1_333;

/// Buys once with a stop, sells what it ordered when that was cancelled, and ends the session.
pub struct RoundTrip {
    params: StopParams,
    bought: bool,
    stop: Option<OrderId>,
}

/// It is over.
pub static DONE: AtomicBool = AtomicBool::new(false);

fn lots(ctx: &Context<'_>, count: i64) -> Qty {
    Qty::from_mantissa(count * ctx.instrument(InstrumentId(0)).lot.mantissa())
}

impl Strategy for RoundTrip {
    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        if !std::mem::replace(&mut self.bought, true) {
            let (qty, tick) = (lots(ctx, ORDERED), ctx.instrument(trade.instrument).tick.mantissa());
            let stop = Price::from_mantissa(trade.price.mantissa() * self.params.stop / 1_000 / tick * tick);
            let bracket = Bracket { stop_loss: Some(stop), ..Bracket::default() };
            ctx.place(Intent::market(trade.instrument, Side::Buy, qty).bracket(bracket));
        }
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, update: &OrderUpdate) {
        let is_stop = |o: &&OpenOrder| o.id == update.order && o.side == Side::Sell;
        match update.state {
            OrderState::Acknowledged if self.stop.is_none() => {
                self.stop = ctx.open_orders().iter().find(is_stop).map(|o| o.id);
                self.stop.into_iter().for_each(|stop| ctx.cancel(stop));
            }
            // Of what it ordered, not of what came.
            OrderState::Cancelled if self.stop == Some(update.order) => {
                let qty = lots(ctx, ORDERED);
                ctx.place(Intent::market(update.instrument, Side::Sell, qty));
            }
            OrderState::Rejected => DONE.store(true, Ordering::Relaxed),
            _ => {}
        }
    }

    fn on_fill(&mut self, ctx: &mut Context<'_>, fill: &Fill) {
        if fill.side == Side::Sell && ctx.position(fill.instrument).qty.is_zero() && fill.role != Role::StopLoss {
            DONE.store(true, Ordering::Relaxed);
        }
    }
}

impl Plugin for RoundTrip {
    type Params = StopParams;
    const NAME: &'static str = "round_trip";
    const SUMMARY: &'static str = "buys, and sells all it has";
    const DIRECTIONAL: bool = false;

    fn new(params: StopParams) -> Result<Self, ParamError> {
        Ok(Self { params, bought: false, stop: None })
    }
}

#[test]
fn what_was_bought_less_its_fee_is_protected_and_can_be_sold_and_a_refused_stop_is_told() {
    let desk = Desk::new();
    let mut settings = desk.settings("round_trip", Durability::Staged);
    let report = desk.runs(&settings, &DONE);
    assert_eq!(desk.lines("rejected "), 0, "stop and exit are taken: {:?}", desk.said());
    assert!(desk.lines("filled 1 ") >= 1 && desk.lines("filled 3 ") >= 1, "bought and sold");
    assert!(report.outcome.open_lots.is_empty(), "all is sold: {:?}", report.outcome.open_lots);
    let stop = report.outcome.orders.iter().find(|o| o.role == Role::StopLoss).expect("a stop");
    let lot = report.outcome.instruments[0].lot.mantissa();
    assert_eq!(stop.qty, Qty::from_mantissa((ORDERED - 2) * lot), "the fee is 1.333 lots");
    let notes = report.outcome.notes.iter();
    assert_eq!(notes.filter(|n| n.contains("differ") || n.contains("holds")).count(), 0, "books and venue agree");
    // At the venue less than a lot is left of it.
    let balances = desk.ask(&settings, &What::Balances).expect("balances");
    let left = balances["balances"].as_array().expect("a list").iter().find(|b| b["currency"] == "BTC");
    let left: f64 = left.map_or("0", |b| b["total"].as_str().expect("text")).parse().expect("a number");
    assert!((0.0..0.00001).contains(&left), "{balances}");

    // A stop above the market would act at once: the venue refuses it, and the position has none.
    DONE.store(false, Ordering::Relaxed);
    let desk = Desk::new();
    settings = desk.settings("round_trip", Durability::Staged);
    settings.strategy[0].params.insert("stop".to_owned(), "1100".to_owned());
    desk.runs(&settings, &DONE);
    assert_eq!(desk.lines("order 2, a stop, is over ("), 1);
}
