//! What a strategy asks for, as the sdk's types. What these cannot say breaks the contract: a number that is none, a scale
//! that there is not, an instrument that is not its own, endless texts. Whether an order makes sense is for the guard.

use bellwether_sdk::{
    Action, Bracket, Decimal, Direction, InstrumentId, Intent, Interval, OrderId, OrderKind, Outbox, OwnView, Price,
    Qty, Rate, Side, Signal, Size, SizeHint, Tag, TimeInForce, Trail, Ts, num::SCALE_MAX,
};

use crate::bindings::wit;
use crate::names::plain;

/// Bytes of one tag or reason.
const WORD_MAX: usize = 1024;

/// Targets and tags of one signal.
const LIST_MAX: usize = 16;

/// Puts what was asked for into the outbox.
///
/// # Errors
/// What cannot be meant; the outbox then has a part of it.
pub(crate) fn actions(
    asked: Vec<wit::Action>,
    own: &OwnView,
    out: &mut Outbox,
    signal_only: bool,
) -> Result<(), String> {
    for action in asked {
        let action = match action {
            wit::Action::Signal(s) => Action::Signal(signal(s, own)?),
            wit::Action::Place(_) if signal_only => {
                return Err("it placed an order, and its manifest says signal-only".to_owned());
            }
            wit::Action::Place(i) => {
                let intent = intent(i, own)?;
                let id = OrderId(out.next_order);
                out.next_order += 1;
                Action::Place(id, intent)
            }
            wit::Action::Cancel(id) => Action::Cancel(OrderId(id)),
            wit::Action::CancelAll(id) => Action::CancelAll(instrument(id, own)?),
            wit::Action::Timer(timer) => Action::Timer(Ts::from_nanos(timer.at), timer.id),
            wit::Action::SubscribeBars(s) => Action::SubscribeBars(
                instrument(s.instrument, own)?,
                Interval::from_nanos(s.interval)
                    .ok_or_else(|| format!("it asked for bars of {} ns, which is no interval", s.interval))?,
            ),
            wit::Action::Halt(reason) => Action::Halt(word(reason)?),
        };
        out.actions.push(action);
    }
    Ok(())
}

fn instrument(id: u16, own: &OwnView) -> Result<InstrumentId, String> {
    let id = InstrumentId(id);
    if own.instruments.contains(&id) {
        return Ok(id);
    }
    Err(format!("it asked about instrument {}, which is not one of its {}", id.0, own.instruments.len()))
}

fn word(text: String) -> Result<Tag, String> {
    if text.len() > WORD_MAX {
        return Err(format!("it gave a text of {} bytes; the most is {WORD_MAX}", text.len()));
    }
    Ok(if text.chars().any(char::is_control) { plain(&text) } else { text }.into())
}

fn share(value: f64, what: &str) -> Result<f64, String> {
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(format!("{what} of a signal is {value}; it is from 0 to 1"))
    }
}

const fn price(mantissa: i64) -> Price {
    Price::from_mantissa(mantissa)
}

const fn qty(mantissa: i64) -> Qty {
    Qty::from_mantissa(mantissa)
}

fn decimal(d: wit::Decimal) -> Result<Decimal, String> {
    if d.scale <= SCALE_MAX {
        return Ok(Decimal::new(d.mantissa, d.scale));
    }
    Err(format!("it gave an amount of {} with {} decimal places", d.mantissa, d.scale))
}

const fn trail(trail: wit::Trail) -> Trail {
    match trail {
        wit::Trail::Offset(m) => Trail::Offset(price(m)),
        wit::Trail::Fraction(m) => Trail::Fraction(Rate::from_mantissa(m)),
    }
}

fn signal(s: wit::Signal, own: &OwnView) -> Result<Signal, String> {
    if s.targets.len() > LIST_MAX || s.tags.len() > LIST_MAX {
        return Err(format!("a signal has more than {LIST_MAX} targets or tags"));
    }
    Ok(Signal {
        id: s.id,
        instrument: instrument(s.instrument, own)?,
        direction: match s.direction {
            wit::Direction::Long => Direction::Long,
            wit::Direction::Short => Direction::Short,
            wit::Direction::Flat => Direction::Flat,
        },
        strength: share(s.strength, "the strength")?,
        confidence: share(s.confidence, "the confidence")?,
        horizon_ns: s.horizon_ns,
        expiry: s.expiry.map(Ts::from_nanos),
        size: s.size.map(size_hint).transpose()?,
        entry: s.entry.map(price),
        stop: s.stop.map(price),
        trailing_stop: s.trailing_stop.map(trail),
        targets: s.targets.into_iter().map(price).collect(),
        tags: s.tags.into_iter().map(word).collect::<Result<_, _>>()?,
        reason: word(s.reason)?,
        source: word(s.source)?,
        ts_made: Ts::from_nanos(s.ts_made),
        ts_received: Ts::from_nanos(s.ts_received),
    })
}

fn size_hint(hint: wit::SizeHint) -> Result<SizeHint, String> {
    Ok(match hint {
        wit::SizeHint::Qty(d) => SizeHint::Qty(decimal(d)?),
        wit::SizeHint::Notional(d) => SizeHint::Notional(decimal(d)?),
        wit::SizeHint::EquityPct(pct) if pct.is_finite() => SizeHint::EquityPct(pct),
        wit::SizeHint::EquityPct(pct) => return Err(format!("it gave a size of {pct} per cent of equity")),
    })
}

fn intent(i: wit::Intent, own: &OwnView) -> Result<Intent, String> {
    Ok(Intent {
        instrument: instrument(i.instrument, own)?,
        side: match i.side {
            wit::Side::Buy => Side::Buy,
            wit::Side::Sell => Side::Sell,
        },
        size: match i.size {
            wit::Size::Qty(m) => Size::Qty(qty(m)),
            wit::Size::Notional(n) => Size::Notional { amount: decimal(n.amount)?, close: qty(n.close) },
        },
        kind: match i.kind {
            wit::OrderKind::Market => OrderKind::Market,
            wit::OrderKind::Limit(m) => OrderKind::Limit { price: price(m) },
            wit::OrderKind::StopMarket(m) => OrderKind::StopMarket { trigger: price(m) },
            wit::OrderKind::StopLimit(s) => OrderKind::StopLimit { trigger: price(s.trigger), price: price(s.price) },
            wit::OrderKind::TrailingStop(t) => OrderKind::TrailingStop { trail: trail(t) },
        },
        tif: match i.tif {
            wit::TimeInForce::Gtc => TimeInForce::Gtc,
            wit::TimeInForce::Ioc => TimeInForce::Ioc,
            wit::TimeInForce::Fok => TimeInForce::Fok,
            wit::TimeInForce::Gtd(at) => TimeInForce::Gtd(Ts::from_nanos(at)),
        },
        post_only: i.post_only,
        reduce_only: i.reduce_only,
        bracket: Bracket {
            stop_loss: i.bracket.stop_loss.map(price),
            take_profit: i.bracket.take_profit.map(price),
            trailing_stop: i.bracket.trailing_stop.map(trail),
        },
        tag: word(i.tag)?,
    })
}
