//! What codecs' tests need and only risk can make: approved orders, ready to be placed.

use bellwether_sdk::{InstrumentId, OrderId, OrderKind, Price, Qty, Role, Side, Size, TimeInForce};

use super::{ClientId, Place, Rules};
use crate::orders::{Order, WordId};
use crate::portfolio::{Position, Terms};
use crate::risk::{Guard, RiskView};

/// An approved buy of `qty` as instrument 0 with these rules; `change` makes something else of it.
pub(super) fn place(rules: &Rules, qty: i64, kind: OrderKind, change: impl FnOnce(&mut Order)) -> Place {
    let instrument = rules.instrument(InstrumentId(0));
    let mut order = Order {
        id: OrderId(7),
        strategy: 0,
        instrument: instrument.id,
        side: Side::Buy,
        size: Size::Qty(Qty::from_mantissa(qty)),
        kind,
        tif: TimeInForce::Gtc,
        post_only: false,
        reduce_only: false,
        role: Role::Intent,
        parent: OrderId(0),
        oco: OrderId(0),
        tag: WordId(0),
    };
    change(&mut order);
    let terms = Terms::new(&instrument, 0, 18).expect("terms");
    let view = RiskView {
        instrument: &instrument,
        terms: &terms,
        money_scale: 18,
        position: &Position::default(),
        last: Price::from_mantissa(1),
        open_orders: 0,
        reference: Price::ZERO,
        pace: crate::risk::Pace::default(),
    };
    Place {
        order: Guard::default().approve(order, &view).expect("approved"),
        client: ClientId { session: 0x0123_4567_89ab_cdef, number: 7 },
        qty: Qty::from_mantissa(qty),
        reference: Price::ZERO,
    }
}
