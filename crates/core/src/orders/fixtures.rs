//! An order and a fill for tests.

use bellwether_sdk::{
    InstrumentId, Liquidity, Money, OrderId, OrderKind, Price, Qty, Role, Side, Size, TimeInForce, Ts,
};

use super::{FillRecord, Order, WordId};

/// A limit order to buy 10 at 100.
pub(super) fn order(id: u64) -> Order {
    Order {
        id: OrderId(id),
        strategy: 0,
        instrument: InstrumentId(0),
        side: Side::Buy,
        size: Size::Qty(Qty::from_mantissa(10)),
        kind: OrderKind::Limit { price: Price::from_mantissa(100) },
        tif: TimeInForce::Gtc,
        post_only: false,
        reduce_only: false,
        role: Role::Intent,
        parent: OrderId(0),
        oco: OrderId(0),
        tag: WordId(0),
    }
}

/// A fill of it, at nine nanoseconds.
pub(super) fn fill(order: u64, qty: i64) -> FillRecord {
    FillRecord {
        fee: Money::ZERO,
        order: OrderId(order),
        ts: Ts::from_nanos(9),
        bar_ts: Ts::NONE,
        price: Price::from_mantissa(100),
        qty: Qty::from_mantissa(qty),
        instrument: InstrumentId(0),
        strategy: 0,
        side: Side::Buy,
        liquidity: Liquidity::Maker,
    }
}
