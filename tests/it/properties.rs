//! Properties of the exact parts: money, books, the state of orders. What holds for every sequence, not for one story.

use std::collections::BTreeMap;

use bellwether::market::book::{Applied, Book};
use bellwether::orders::{FillRecord, Life, Order, Orders, WordId};
use bellwether::portfolio::{Ledger, Terms};
use bellwether_sdk::{
    Depth, Instrument, InstrumentId, Level, Liquidity, Money, OrderId, OrderKind, OrderState, Price, Qty, Role, Side,
    Size, TimeInForce, Ts,
};
use proptest::prelude::*;

const ID: InstrumentId = InstrumentId(0);

fn instrument() -> Instrument {
    Instrument {
        id: ID,
        symbol: "test:AAA/USD".parse().expect("a symbol"),
        price_scale: 2,
        qty_scale: 3,
        tick: Price::from_mantissa(1),
        lot: Qty::from_mantissa(1),
        qty_min: Qty::from_mantissa(1),
        notional_min: 0,
        qty_max: Qty::ZERO,
        qty_max_market: Qty::ZERO,
        notional_max: 0,
        multiplier: 1,
        inferred: false,
    }
}

fn ledger() -> Ledger {
    let terms = Terms::new(&instrument(), 0, 8).expect("terms");
    Ledger::new(vec![terms], vec![Money::from_mantissa(1_000_000_000_000)], 0)
}

fn book_fill(ledger: &mut Ledger, side: Side, price: i64, qty: i64) -> i128 {
    let (price, qty) = (Price::from_mantissa(price), Qty::from_mantissa(qty));
    ledger.fill(ID, side, price, qty, Money::ZERO).expect("it fits").mantissa()
}

proptest! {
    /// However a fill is cut into parts, money, position and cost come to the same.
    #[test]
    fn a_fill_in_parts_is_the_fill(price in 1i64..1_000_000, parts in prop::collection::vec(1i64..100_000, 1..20), sells: bool) {
        let side = if sells { Side::Sell } else { Side::Buy };
        let (mut whole, mut pieces) = (ledger(), ledger());
        book_fill(&mut whole, side, price, parts.iter().sum());
        for part in parts {
            book_fill(&mut pieces, side, price, part);
        }
        prop_assert_eq!(whole.cash(0), pieces.cash(0));
        prop_assert_eq!(whole.position(ID), pieces.position(ID));
        prop_assert_eq!(whole.equity(), pieces.equity());
    }

    /// Who has closed all of a position holds nothing that cost anything, and has realised what the cash says.
    #[test]
    fn long_then_flat_is_flat(fills in prop::collection::vec((1i64..1_000_000, 1i64..100_000, any::<bool>()), 1..30), exit in 1i64..1_000_000) {
        let mut ledger = ledger();
        let start = ledger.cash(0).mantissa();
        let mut realised = 0;
        for (price, qty, sells) in fills {
            realised += book_fill(&mut ledger, if sells { Side::Sell } else { Side::Buy }, price, qty);
            let (left, right) = ledger.conservation(0);
            prop_assert_eq!(left, right);
        }
        let held = ledger.position(ID).qty.mantissa();
        if held != 0 {
            realised += book_fill(&mut ledger, if held > 0 { Side::Sell } else { Side::Buy }, exit, held.abs());
        }
        let position = *ledger.position(ID);
        prop_assert_eq!((position.qty, position.cost, position.value), (Qty::ZERO, Money::ZERO, Money::ZERO));
        prop_assert_eq!(ledger.cash(0).mantissa() - start, realised);
    }
}

/// What can happen to an order.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Send,
    Acknowledge,
    LoseSight,
    AskCancel,
    Fill(i64),
    FillLate(i64),
    End(OrderState),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        Just(Happens::Send),
        Just(Happens::Acknowledge),
        Just(Happens::LoseSight),
        Just(Happens::AskCancel),
        (1i64..60).prop_map(Happens::Fill),
        (1i64..60).prop_map(Happens::FillLate),
        prop::sample::select(vec![OrderState::Cancelled, OrderState::Rejected, OrderState::Expired])
            .prop_map(Happens::End),
    ]
}

fn fill(qty: i64) -> FillRecord {
    FillRecord {
        fee: Money::ZERO,
        order: OrderId(1),
        ts: Ts::from_nanos(2),
        bar_ts: Ts::NONE,
        price: Price::from_mantissa(100),
        qty: Qty::from_mantissa(qty),
        instrument: ID,
        strategy: 0,
        side: Side::Buy,
        liquidity: Liquidity::Maker,
    }
}

const ORDERED: i64 = 100;

fn order() -> Order {
    Order {
        id: OrderId(1),
        strategy: 0,
        instrument: ID,
        side: Side::Buy,
        size: Size::Qty(Qty::from_mantissa(ORDERED)),
        kind: OrderKind::Market,
        tif: TimeInForce::Gtc,
        post_only: false,
        reduce_only: false,
        role: Role::Intent,
        parent: OrderId(0),
        oco: OrderId(0),
        tag: WordId::default(),
    }
}

proptest! {
    /// Whatever happens in whatever order: what filled is the sum of the fills entered, an end is final but for late
    /// fills, nothing happens at a venue before it went out, and what is refused changes nothing.
    #[test]
    fn an_order_is_what_was_entered_of_it(events in prop::collection::vec(happens(), 0..40), is_sent in any::<bool>()) {
        let mut orders = Orders::default();
        orders.create(&order(), Ts::from_nanos(1));
        if is_sent {
            orders.send(OrderId(1)).expect("sent");
        }
        let whole = Qty::from_mantissa(ORDERED);
        for event in events {
            let before = *orders.get(OrderId(1)).expect("it is there");
            let entered = orders.fills().len();
            let done = match event {
                Happens::Send => orders.send(OrderId(1)),
                Happens::AskCancel => orders.ask_cancel(OrderId(1)),
                Happens::Acknowledge => orders.acknowledge(OrderId(1)),
                Happens::LoseSight => orders.lose_sight(OrderId(1)),
                Happens::Fill(qty) => orders.fill(fill(qty), whole).map(drop),
                Happens::FillLate(qty) => orders.fill_late(fill(qty), whole).map(drop),
                Happens::End(state) => orders.end(OrderId(1), state, "", Ts::from_nanos(3)),
            };
            let after = *orders.get(OrderId(1)).expect("it is there");
            let sum: i64 = orders.fills().iter().map(|f| f.qty.mantissa()).sum();
            prop_assert_eq!(after.filled.mantissa(), sum);
            let late = matches!(event, Happens::FillLate(_));
            let (was, is) = (before.life, after.life);
            if was == Life::Created {
                let decides = matches!(event, Happens::Send | Happens::End(OrderState::Rejected));
                prop_assert_eq!(done.is_ok(), decides, "{:?} of an order that did not go out", event);
            }
            // Told twice is told once.
            if matches!(event, Happens::Acknowledge | Happens::LoseSight | Happens::AskCancel) && done.is_ok() {
                let again = match event {
                    Happens::Acknowledge => orders.acknowledge(OrderId(1)),
                    Happens::LoseSight => orders.lose_sight(OrderId(1)),
                    _ => orders.ask_cancel(OrderId(1)),
                };
                prop_assert!(again.is_ok());
                prop_assert_eq!(orders.get(OrderId(1)).expect("it is there").life, is);
            }
            prop_assert_eq!(is.is_over(), !after.state.is_open(), "{:?} is shown as {:?}", is, after.state);
            prop_assert_eq!(is == Life::Unknown, after.state == OrderState::Unknown);
            if !before.state.is_open() && !late {
                prop_assert!(done.is_err(), "{:?} after {:?}", event, before.state);
            }
            if done.is_err() {
                prop_assert_eq!((after.state, after.life, after.filled, orders.fills().len()), (before.state, was, before.filled, entered));
            } else if !late {
                prop_assert!(after.filled <= whole);
            }
            prop_assert!(after.filled < whole || !after.state.is_open());
        }
    }

    /// A book is its snapshot with the changes laid over it, as a map keeps them; a gap empties it.
    #[test]
    fn a_book_is_its_snapshot_and_changes(
        changes in prop::collection::vec(prop::collection::vec((any::<bool>(), 1i64..40, 0i64..5), 1..6), 1..40),
        skip in prop::option::of(1usize..40),
    ) {
        let (mut book, mut map, mut last) = (Book::default(), BTreeMap::new(), 10);
        for (n, change) in changes.iter().enumerate() {
            let of = |(buys, price, qty): &(bool, i64, i64)| {
                // Bids and offers do not meet.
                let (side, price) = if *buys { (Side::Buy, *price) } else { (Side::Sell, price + 100) };
                Level { side, price: Price::from_mantissa(price), qty: Qty::from_mantissa(*qty) }
            };
            let levels: Vec<Level> = change.iter().map(of).collect();
            let missing = skip == Some(n);
            let first = last + 1 + i64::from(missing);
            last = first + 1;
            let depth = Depth {
                ts: Ts::from_nanos(1), ts_venue: Ts::NONE, snapshot: n == 0, first_id: first, last_id: last, prev_id: 0,
                levels: &levels, instrument: ID,
            };
            let applied = book.apply(&depth);
            if missing {
                prop_assert_eq!(applied, Applied::Gap);
                prop_assert!(!book.is_valid() && book.best_bid().is_none() && book.best_ask().is_none());
                return Ok(());
            }
            prop_assert_eq!(applied, Applied::Changed);
            for level in &levels {
                map.insert((level.side == Side::Buy, level.price), level.qty);
            }
            map.retain(|_, qty| !qty.is_zero());
        }
        for (side, buys) in [(Side::Buy, true), (Side::Sell, false)] {
            let mut ours: Vec<(Price, Qty)> = book.levels(side).collect();
            ours.sort();
            let its = map.iter().filter(|((b, _), _)| *b == buys).map(|((_, price), qty)| (*price, *qty));
            prop_assert_eq!(ours, its.collect::<Vec<_>>());
        }
    }
}
