//! Signals and orders as words of a [`Desk`](super::Desk)'s story. What is usual is not said.

use crate::num::format_mantissa;
use crate::{
    Bracket, Direction, Intent, OrderKind, Price, Qty, Rate, Side, Signal, Size, SizeHint, TimeInForce, Trail,
};

use super::SCALE;

pub(super) fn of_signal(signal: &Signal) -> String {
    let mut text = match signal.direction {
        Direction::Long => "long",
        Direction::Short => "short",
        Direction::Flat => "flat",
    }
    .to_owned();
    match signal.size {
        Some(SizeHint::Qty(qty)) => text.push_str(&format!("-{qty}")),
        Some(SizeHint::Notional(amount)) => text.push_str(&format!("-for-{amount}")),
        Some(SizeHint::EquityPct(pct)) => text.push_str(&format!("-{pct}%")),
        None => {}
    }
    if let Some(entry) = signal.entry {
        text.push_str(&format!("@{}", in_text(entry)));
    }
    text + &guards(signal.stop, &signal.targets, signal.trailing_stop)
}

pub(super) fn of_order(intent: &Intent) -> String {
    let side = match intent.side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    };
    let mut text = format!("{side}-{}@{}", size(intent.size), kind(intent.kind));
    match intent.tif {
        TimeInForce::Gtc => {}
        TimeInForce::Ioc => text.push_str("/ioc"),
        TimeInForce::Fok => text.push_str("/fok"),
        TimeInForce::Gtd(end) => text.push_str(&format!("/until-{}", end.nanos())),
    }
    for (is_so, word) in [(intent.post_only, "/post"), (intent.reduce_only, "/reduce")] {
        text.push_str(if is_so { word } else { "" });
    }
    let Bracket { stop_loss, take_profit, trailing_stop } = intent.bracket;
    text + &guards(stop_loss, take_profit.as_slice(), trailing_stop)
}

fn size(size: Size) -> String {
    match size {
        Size::Qty(qty) => qty.to_text(SCALE),
        Size::Notional { amount, close: Qty::ZERO } => format!("for-{amount}"),
        Size::Notional { amount, close } => format!("{}+for-{amount}", close.to_text(SCALE)),
    }
}

fn kind(kind: OrderKind) -> String {
    match kind {
        OrderKind::Market => "market".to_owned(),
        OrderKind::Limit { price: limit } => in_text(limit),
        OrderKind::StopMarket { trigger } => format!("market/on-{}", in_text(trigger)),
        OrderKind::StopLimit { trigger, price: limit } => format!("{}/on-{}", in_text(limit), in_text(trigger)),
        OrderKind::TrailingStop { trail } => format!("market/{}", trailing(trail)),
    }
}

/// What protects a position, in brackets; nothing if nothing does.
fn guards(stop: Option<Price>, targets: &[Price], trail: Option<Trail>) -> String {
    let stop = stop.map(|p| format!("stop-{}", in_text(p)));
    let targets = targets.iter().map(|p| format!("target-{}", in_text(*p)));
    let all: Vec<String> = stop.into_iter().chain(targets).chain(trail.map(trailing)).collect();
    if all.is_empty() { String::new() } else { format!("[{}]", all.join(",")) }
}

fn trailing(trail: Trail) -> String {
    match trail {
        Trail::Offset(distance) => format!("trail-{}", in_text(distance)),
        Trail::Fraction(rate) => format!("trail-{}%", format_mantissa(rate.mantissa(), Rate::SCALE - 2)),
    }
}

fn in_text(price: Price) -> String {
    price.to_text(SCALE)
}

#[cfg(test)]
mod tests {
    use crate::testing::{price, qty};
    use crate::{Decimal, InstrumentId, Ts};

    use super::*;

    const ID: InstrumentId = InstrumentId(0);

    fn buy(size: &str, limit: &str) -> Intent {
        Intent::limit(ID, Side::Buy, qty(size), price(limit))
    }

    #[test]
    fn round_numbers_keep_their_zeros() {
        for (size, limit, text) in [
            ("100", "1000", "buy-100@1000"),
            ("10", "100", "buy-10@100"),
            ("1000", "10", "buy-1000@10"),
            ("0.5", "99.50", "buy-0.5@99.5"),
        ] {
            assert_eq!(of_order(&buy(size, limit)), text);
        }
    }

    #[test]
    fn an_order_says_its_kind_and_all_that_is_not_usual() {
        let market = Intent::market(ID, Side::Sell, qty("10"));
        assert_eq!(of_order(&market), "sell-10@market");
        let kind = |kind| of_order(&Intent { kind, ..market.clone() });
        assert_eq!(kind(OrderKind::StopMarket { trigger: price("90") }), "sell-10@market/on-90");
        assert_eq!(kind(OrderKind::StopLimit { trigger: price("90"), price: price("89") }), "sell-10@89/on-90");
        let pct = Trail::Fraction(Rate::from_mantissa(20_000_000_000));
        assert_eq!(kind(OrderKind::TrailingStop { trail: pct }), "sell-10@market/trail-2%");
        assert_eq!(kind(OrderKind::TrailingStop { trail: Trail::Offset(price("2.5")) }), "sell-10@market/trail-2.5");
        for (tif, text) in [
            (TimeInForce::Ioc, "buy-1@99/ioc"),
            (TimeInForce::Fok, "buy-1@99/fok"),
            (TimeInForce::Gtd(Ts::from_nanos(70)), "buy-1@99/until-70"),
        ] {
            assert_eq!(of_order(&buy("1", "99").tif(tif)), text);
        }
        assert_eq!(of_order(&buy("1", "99").post_only()), "buy-1@99/post");
        assert_eq!(of_order(&buy("1", "99").reduce_only()), "buy-1@99/reduce");
        let bracket =
            Bracket { stop_loss: Some(price("90")), take_profit: Some(price("110")), trailing_stop: Some(pct) };
        assert_eq!(of_order(&buy("1", "99").bracket(bracket)), "buy-1@99[stop-90,target-110,trail-2%]");
        let worth = |close| Size::Notional { amount: Decimal::new(500, 0), close: qty(close) };
        assert_eq!(of_order(&Intent { size: worth("0"), ..market.clone() }), "sell-for-500@market");
        assert_eq!(of_order(&Intent { size: worth("2"), ..market.clone() }), "sell-2+for-500@market");
    }

    #[test]
    fn a_signal_says_what_protects_it_and_its_size_and_entry_where_it_has_them() {
        assert_eq!(of_signal(&Signal::short(ID).reason("for people")), "short");
        let guarded = Signal::long(ID).stop(price("90")).target(price("110")).target(price("120"));
        assert_eq!(of_signal(&guarded), "long[stop-90,target-110,target-120]");
        assert_eq!(of_signal(&Signal::flat(ID).trailing(Trail::Offset(price("5")))), "flat[trail-5]");
        assert_eq!(of_signal(&Signal::long(ID).entry(price("99")).size(SizeHint::EquityPct(25.0))), "long-25%@99");
        assert_eq!(of_signal(&Signal::long(ID).size(SizeHint::Qty(Decimal::new(20, 1)))), "long-2");
        assert_eq!(of_signal(&Signal::long(ID).size(SizeHint::Notional(Decimal::new(500, 0)))), "long-for-500");
    }
}
