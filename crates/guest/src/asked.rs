//! What a strategy says and asks for, as the world's types.

use bellwether_sdk::{
    Action, Bracket, Decimal, Direction, InstrumentId, Intent, OrderKind, OrderKinds, ParamSpec, Probe, Side, Signal,
    Size, SizeHint, Strategy, TimeInForce, Trail,
};

use crate::bindings::exports::bellwether::strategy::plugin as wit;

pub(crate) fn param_spec(spec: ParamSpec) -> wit::ParamSpec {
    wit::ParamSpec {
        name: spec.name.to_owned(),
        help: spec.help.to_owned(),
        kind: spec.kind.to_owned(),
        default: spec.default,
        range: spec.range,
        choices: spec.choices.iter().map(|c| (*c).to_owned()).collect(),
    }
}

pub(crate) const fn order_kinds(kinds: OrderKinds) -> wit::OrderKinds {
    let OrderKinds { market, limit, stop_market, stop_limit, trailing_stop } = kinds;
    wit::OrderKinds { market, limit, stop_market, stop_limit, trailing_stop }
}

pub(crate) fn decimal(d: Decimal) -> wit::Decimal {
    wit::Decimal { mantissa: d.mantissa(), scale: d.scale() }
}

pub(crate) fn action(action: Action) -> wit::Action {
    match action {
        Action::Signal(s) => wit::Action::Signal(signal(s)),
        Action::Place(_, i) => wit::Action::Place(intent(i)),
        Action::Cancel(id) => wit::Action::Cancel(id.0),
        Action::CancelAll(instrument) => wit::Action::CancelAll(instrument.0),
        Action::Timer(at, id) => wit::Action::Timer(wit::Timer { at: at.nanos(), id }),
        Action::SubscribeBars(instrument, interval) => {
            wit::Action::SubscribeBars(wit::Subscription { instrument: instrument.0, interval: interval.nanos() })
        }
        Action::Halt(reason) => wit::Action::Halt(reason.into_owned()),
    }
}

fn trail(trail: Trail) -> wit::Trail {
    match trail {
        Trail::Offset(price) => wit::Trail::Offset(price.mantissa()),
        Trail::Fraction(rate) => wit::Trail::Fraction(rate.mantissa()),
    }
}

fn signal(s: Signal) -> wit::Signal {
    wit::Signal {
        id: s.id,
        instrument: s.instrument.0,
        direction: match s.direction {
            Direction::Long => wit::Direction::Long,
            Direction::Short => wit::Direction::Short,
            Direction::Flat => wit::Direction::Flat,
        },
        strength: s.strength,
        confidence: s.confidence,
        horizon_ns: s.horizon_ns,
        expiry: s.expiry.map(|t| t.nanos()),
        size: s.size.map(|size| match size {
            SizeHint::Qty(d) => wit::SizeHint::Qty(decimal(d)),
            SizeHint::Notional(d) => wit::SizeHint::Notional(decimal(d)),
            SizeHint::EquityPct(pct) => wit::SizeHint::EquityPct(pct),
        }),
        entry: s.entry.map(|p| p.mantissa()),
        stop: s.stop.map(|p| p.mantissa()),
        trailing_stop: s.trailing_stop.map(trail),
        targets: s.targets.into_iter().map(|p| p.mantissa()).collect(),
        tags: s.tags.into_iter().map(|t| t.into_owned()).collect(),
        reason: s.reason.into_owned(),
        source: s.source.into_owned(),
        ts_made: s.ts_made.nanos(),
        ts_received: s.ts_received.nanos(),
    }
}

fn intent(i: Intent) -> wit::Intent {
    let Bracket { stop_loss, take_profit, trailing_stop } = i.bracket;
    wit::Intent {
        instrument: i.instrument.0,
        side: match i.side {
            Side::Buy => wit::Side::Buy,
            Side::Sell => wit::Side::Sell,
        },
        size: match i.size {
            Size::Qty(qty) => wit::Size::Qty(qty.mantissa()),
            Size::Notional { amount, close } => {
                wit::Size::Notional(wit::Notional { amount: decimal(amount), close: close.mantissa() })
            }
        },
        kind: match i.kind {
            OrderKind::Market => wit::OrderKind::Market,
            OrderKind::Limit { price } => wit::OrderKind::Limit(price.mantissa()),
            OrderKind::StopMarket { trigger } => wit::OrderKind::StopMarket(trigger.mantissa()),
            OrderKind::StopLimit { trigger, price } => {
                wit::OrderKind::StopLimit(wit::StopLimit { trigger: trigger.mantissa(), price: price.mantissa() })
            }
            OrderKind::TrailingStop { trail: t } => wit::OrderKind::TrailingStop(trail(t)),
        },
        tif: match i.tif {
            TimeInForce::Gtc => wit::TimeInForce::Gtc,
            TimeInForce::Ioc => wit::TimeInForce::Ioc,
            TimeInForce::Fok => wit::TimeInForce::Fok,
            TimeInForce::Gtd(ts) => wit::TimeInForce::Gtd(ts.nanos()),
        },
        post_only: i.post_only,
        reduce_only: i.reduce_only,
        bracket: wit::Bracket {
            stop_loss: stop_loss.map(|p| p.mantissa()),
            take_profit: take_profit.map(|p| p.mantissa()),
            trailing_stop: trailing_stop.map(trail),
        },
        tag: i.tag.into_owned(),
    }
}

pub(crate) fn observed(strategy: &dyn Strategy, instrument: u16) -> wit::Observed {
    let mut probe = Probe { instrument: InstrumentId(instrument), ..Probe::default() };
    strategy.observe(&mut probe);
    wit::Observed {
        values: probe.values.into_iter().map(|(name, now)| wit::Value { name: name.to_owned(), now }).collect(),
        conditions: probe
            .conditions
            .into_iter()
            .map(|(name, now, trigger)| wit::Condition { name: name.to_owned(), now, trigger })
            .collect(),
    }
}
