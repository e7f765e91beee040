//! Effects as lines: what is compared, and what people read.

use std::fmt::Write as _;

use bellwether_sdk::num::write_mantissa;
use bellwether_sdk::{Instrument, InstrumentId, OrderKind, Price, Size, TimeInForce, Trail};

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
        Passed::Swapped(place) => match engine.swaps().get(*place) {
            Some(swap) => format!("swap {} {}: {} at {}", swap.strategy, swap.step.name(), swap.text, swap.at.nanos()),
            None => "swap".to_owned(),
        },
        Passed::Guard(act) => format!("guard {}", guard_line(act, instruments)),
        Passed::Adopted(order, None) => format!("adopted {}", submit(order, instruments)),
        Passed::Adopted(order, Some(at)) => {
            let scale = instruments.get(order.instrument.index()).map_or(0, |i| i.price_scale);
            format!("adopted position {} @ {}", submit(order, instruments), at.to_text(scale))
        }
    }
}

/// Written for every order before it leaves: one text, nothing beside it.
fn submit(order: &Order, instruments: &[Instrument]) -> String {
    let Some(i) = instruments.get(order.instrument.index()) else { return format!("order {}", order.id.0) };
    let mut line = String::with_capacity(128);
    let price = |before: &str, p: Price, line: &mut String| {
        line.push_str(before);
        write_mantissa(p.mantissa(), i.price_scale, line);
    };
    // Writing to a String cannot fail.
    let _ = write!(line, "order {} ", order.id.0);
    line.push_str(if order.side.sign() > 0 { "buy " } else { "sell " });
    match order.size {
        Size::Qty(qty) => write_mantissa(qty.mantissa(), i.qty_scale, &mut line),
        Size::Notional { amount, close } => {
            if !close.is_zero() {
                write_mantissa(close.mantissa(), i.qty_scale, &mut line);
                line.push_str(" + ");
            }
            let _ = write!(line, "worth {amount} of");
        }
    }
    let _ = write!(line, " {} ", i.symbol);
    match order.kind {
        OrderKind::Market => line.push_str("market"),
        OrderKind::Limit { price: limit } => price("limit ", limit, &mut line),
        OrderKind::StopMarket { trigger } => price("stop ", trigger, &mut line),
        OrderKind::StopLimit { trigger, price: limit } => {
            price("stop ", trigger, &mut line);
            price(" limit ", limit, &mut line);
        }
        OrderKind::TrailingStop { trail: Trail::Offset(offset) } => price("trail ", offset, &mut line),
        OrderKind::TrailingStop { trail: Trail::Fraction(rate) } => {
            let _ = write!(line, "trail fraction {}", rate.to_text());
        }
    }
    match order.tif {
        TimeInForce::Gtc => line.push_str(" gtc "),
        TimeInForce::Ioc => line.push_str(" ioc "),
        TimeInForce::Fok => line.push_str(" fok "),
        TimeInForce::Gtd(at) => {
            let _ = write!(line, " until {} ", at.nanos());
        }
    }
    line.push_str(order.role.name());
    if order.post_only {
        line.push_str(" post_only");
    }
    if order.reduce_only {
        line.push_str(" reduce_only");
    }
    if order.parent.0 != 0 {
        let _ = write!(line, " parent {} group {}", order.parent.0, order.oco.0);
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
        Answer::Fill { order, instrument, price, qty, withheld, fee, liquidity, .. } => {
            let scales = instruments.get(instrument.index()).map_or((0, 0), |i| (i.price_scale, i.qty_scale));
            let kept = match withheld.is_zero() {
                true => String::new(),
                false => format!(" withheld {}", withheld.to_text(scales.1)),
            };
            format!(
                "filled {} {} @ {} fee {} {}{kept}",
                order.0,
                qty.to_text(scales.1),
                price.to_text(scales.0),
                fee.to_text(money_scale(*instrument)),
                if *liquidity == bellwether_sdk::Liquidity::Maker { "maker" } else { "taker" }
            )
        }
    }
}
