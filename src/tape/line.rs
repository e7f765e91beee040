//! Effects as lines: what is compared, and what people read.

use bellwether_sdk::{Instrument, InstrumentId, OrderKind, Size, TimeInForce, Trail};

use crate::engine::{Engine, Passed};
use crate::orders::{Answer, Order};
use crate::risk::{Cause, GuardAct, Level};

/// What went through the exchange door, as one line in a fixed form.
pub fn effect(passed: &Passed, instruments: &[Instrument], engine: &Engine) -> String {
    let money_scale = |id| engine.money_scale(id);
    match passed {
        Passed::Submit(order) => submit(order, instruments),
        Passed::Cancel(id, _) => format!("cancel {}", id.0),
        Passed::Answer(answer, at) => format!("{} at {}", answer_line(answer, instruments, money_scale), at.nanos()),
        Passed::Halted(place) => match engine.halts().get(*place) {
            Some(halt) => format!("halt {}: {} at {}", halt.strategy, halt.reason, halt.at.nanos()),
            None => "halt".to_owned(),
        },
        Passed::Guard(act) => format!("guard {}", guard_line(act, instruments)),
    }
}

fn submit(order: &Order, instruments: &[Instrument]) -> String {
    let Some(i) = instruments.get(order.instrument.index()) else { return format!("order {}", order.id.0) };
    let price = |p: bellwether_sdk::Price| p.to_text(i.price_scale);
    let size = match order.size {
        Size::Qty(qty) => qty.to_text(i.qty_scale),
        Size::Notional { amount, close } if close.is_zero() => format!("worth {amount} of"),
        Size::Notional { amount, close } => format!("{} + worth {amount} of", close.to_text(i.qty_scale)),
    };
    let kind = match order.kind {
        OrderKind::Market => "market".to_owned(),
        OrderKind::Limit { price: p } => format!("limit {}", price(p)),
        OrderKind::StopMarket { trigger } => format!("stop {}", price(trigger)),
        OrderKind::StopLimit { trigger, price: p } => format!("stop {} limit {}", price(trigger), price(p)),
        OrderKind::TrailingStop { trail: Trail::Offset(offset) } => format!("trail {}", price(offset)),
        OrderKind::TrailingStop { trail: Trail::Fraction(rate) } => format!("trail fraction {}", rate.to_text()),
    };
    let tif = match order.tif {
        TimeInForce::Gtc => "gtc".to_owned(),
        TimeInForce::Ioc => "ioc".to_owned(),
        TimeInForce::Fok => "fok".to_owned(),
        TimeInForce::Gtd(at) => format!("until {}", at.nanos()),
    };
    let side = if order.side.sign() > 0 { "buy" } else { "sell" };
    let mut line = format!("order {} {side} {size} {} {kind} {tif} {}", order.id.0, i.symbol, order.role.name());
    if order.post_only {
        line.push_str(" post_only");
    }
    if order.reduce_only {
        line.push_str(" reduce_only");
    }
    if order.parent.0 != 0 {
        line.push_str(&format!(" parent {} group {}", order.parent.0, order.oco.0));
    }
    line
}

fn guard_line(act: &GuardAct, instruments: &[Instrument]) -> String {
    let level = |level: &Level| {
        let whose = level.instrument.and_then(|id| instruments.get(id.index()));
        let whose = whose.map(|i| format!(" {}", i.symbol)).unwrap_or_default();
        format!("{}{whose} {} of {}", level.limit.name(), level.used_text(), level.max_text())
    };
    match act {
        GuardAct::Warned(at) => format!("warns {}", level(at)),
        GuardAct::Tripped(Cause::Limit(at), policy) => format!("tripped {}: {}", level(at), policy.name()),
        GuardAct::Tripped(Cause::Kill, policy) => format!("tripped kill_switch: {}", policy.name()),
        GuardAct::Armed => "armed".to_owned(),
        GuardAct::Held(hold) => format!("holds entries: {}", hold.name()),
        GuardAct::Released(hold) => format!("releases entries: {}", hold.name()),
    }
}

fn answer_line(answer: &Answer, instruments: &[Instrument], money_scale: impl Fn(InstrumentId) -> u8) -> String {
    match answer {
        Answer::Accepted(id) => format!("accepted {}", id.0),
        Answer::Rejected(id, why) => format!("rejected {} {why}", id.0),
        Answer::Cancelled(id, why) => format!("cancelled {} {why}", id.0),
        Answer::Expired(id, why) => format!("expired {} {why}", id.0),
        Answer::Unknown(id) => format!("unknown {}", id.0),
        Answer::Funding(id, amount) => format!("funding {} {}", id.0, amount.to_text(money_scale(*id))),
        Answer::Fill { order, instrument, price, qty, fee, liquidity, .. } => {
            let scales = instruments.get(instrument.index()).map_or((0, 0), |i| (i.price_scale, i.qty_scale));
            format!(
                "filled {} {} @ {} fee {} {}",
                order.0,
                qty.to_text(scales.1),
                price.to_text(scales.0),
                fee.to_text(money_scale(*instrument)),
                if *liquidity == bellwether_sdk::Liquidity::Maker { "maker" } else { "taker" }
            )
        }
    }
}
