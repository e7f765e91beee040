//! Targets of brackets that the engine holds itself. A spot venue locks the coins of a sale that rests: of a stop and a
//! target it takes one. The stop is there; when the market reaches the target, the stop is cancelled and, once the venue
//! has said so, the target sold at its price or better, at once. What did not sell has its stop again.

use serde::{Deserialize, Serialize};

use super::*;

/// So long after a try the next one may be.
const AGAIN_NS: i64 = 1_000_000_000;

/// So long what came of a market entry waits for the rest, without protection.
pub(super) const AWAITED_NS: i64 = 2_000_000_000;

/// What protects an entry once it fills, and what of it came and waits for the rest.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Awaited {
    pub(super) bracket: Bracket,
    pub(super) kept: Qty,
    pub(super) since: Ts,
}

impl Awaited {
    pub(super) fn of(bracket: Bracket) -> Self {
        Self { bracket, kept: Qty::ZERO, since: Ts::NONE }
    }
}

/// A take-profit that is not at the venue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Target {
    /// As it is sent when its time comes, but for its number.
    order: Order,
    price: Price,
    /// When it may be tried again.
    not_before: Ts,
    /// The stops that make room for it, once their end has been asked for.
    stops: Option<Vec<Order>>,
}

impl Target {
    fn is_of(&self, strategy: usize, id: InstrumentId) -> bool {
        usize::from(self.order.strategy) == strategy && self.order.instrument == id
    }
}

impl Engine {
    /// Whether targets in an instrument are held here.
    pub(super) fn holds_targets(&self, id: InstrumentId) -> bool {
        let spot = self.view.instruments[id.index()].instrument.kind() == InstrumentKind::Spot;
        spot && self.at_venue
    }

    /// Holds a target until the market is there.
    pub(super) fn hold_target(&mut self, order: Order, price: Price) {
        let order = Order { kind: OrderKind::Limit { price }, tif: TimeInForce::Ioc, ..order };
        let scale = self.view.instruments[order.instrument.index()].instrument.price_scale;
        self.say(usize::from(order.strategy), order.instrument, What::Order, || {
            format!("its target of {} is held here: a spot venue takes one sale", price.to_text(scale))
        });
        self.targets.push(Target { order, price, not_before: Ts::NONE, stops: None });
    }

    /// The market of an instrument has moved.
    #[inline]
    pub(super) fn meet_targets(&mut self, id: InstrumentId) {
        if !self.targets.is_empty() {
            self.make_room(id);
        }
        if self.at_venue && !self.brackets.is_empty() {
            self.protect_late(id);
        }
    }

    /// Protects what came of market entries whose rest does not come.
    #[cold]
    fn protect_late(&mut self, id: InstrumentId) {
        let late = |a: &Awaited| !a.kept.is_zero() && a.since.plus(AWAITED_NS) <= self.now;
        let entries: Vec<OrderId> = self.brackets.iter().filter(|(_, a)| late(a)).map(|(entry, _)| *entry).collect();
        for entry in entries {
            let Ok(record) = self.orders.get(entry) else { continue };
            let state = record.state;
            if record.instrument == id {
                // It is there.
                let _ = self.protect(entry, Qty::ZERO, state);
            }
        }
    }

    /// A strategy takes everything back in an instrument: what came of its entries and is not protected yet stays so, as if
    /// its protection had been there and was cancelled too. What still comes of them is protected.
    pub(super) fn forget_awaited(&mut self, i: usize, id: InstrumentId) {
        let orders = &self.orders;
        let is_of = |r: &OrderRecord| (usize::from(r.strategy), r.instrument) == (i, id);
        let taken_back = self.brackets.iter_mut().filter(|(entry, _)| orders.get(**entry).is_ok_and(is_of));
        taken_back.for_each(|(_, awaited)| awaited.kept = Qty::ZERO);
    }

    /// Asks for the end of the stops that stand before a target that is reached.
    #[cold]
    fn make_room(&mut self, id: InstrumentId) {
        while let Some(at) = self.targets.iter().position(|t| self.is_reached(t, id)) {
            let strategy = self.targets[at].order.strategy;
            let stops = self.protective.values().filter(|o| o.strategy == strategy && o.instrument == id);
            let stops: Vec<Order> = stops.copied().collect();
            stops.iter().for_each(|stop| self.cancel(usize::from(strategy), stop.id));
            self.targets[at].stops = Some(stops);
        }
        self.sell_at_targets(id);
    }

    /// Whether a target's time has come. One sale at a time: an exit that is on its way, or another target, is awaited.
    fn is_reached(&self, target: &Target, id: InstrumentId) -> bool {
        let InstrumentView { last, quote, .. } = &self.view.instruments[id.index()];
        let price = if quote.bid.is_zero() { *last } else { quote.bid };
        let there = target.order.instrument == id && target.price <= price && !price.is_zero();
        let own = &self.slots[usize::from(target.order.strategy)].own.orders;
        let sells = |o: &OpenOrder| o.instrument == id && o.side == Side::Sell && !self.protective.contains_key(&o.id);
        there && target.stops.is_none() && target.not_before <= self.now && !own.iter().any(sells)
    }

    /// Whether the stops before a target have ended.
    fn has_room(&self, target: &Target, id: InstrumentId) -> bool {
        let open = |stop: &Order| self.protective.contains_key(&stop.id);
        target.order.instrument == id && target.stops.as_ref().is_some_and(|stops| !stops.iter().any(open))
    }

    /// Sells at the targets that have room: none of their stops is open any more.
    pub(super) fn sell_at_targets(&mut self, id: InstrumentId) {
        while let Some(at) = self.targets.iter().position(|t| self.has_room(t, id)) {
            let mut target = self.targets.remove(at);
            let held = self.slots[usize::from(target.order.strategy)].lots[id.index()].qty().mantissa();
            let Size::Qty(qty) = target.order.size else { continue };
            let left = qty.mantissa().min(held);
            if left <= 0 {
                continue;
            }
            target.order.size = Size::Qty(Qty::from_mantissa(left));
            target.order.id = OrderId(self.outbox.next_order);
            self.outbox.next_order += 1;
            if let Some(stops) = target.stops.take() {
                self.replaced.insert(target.order.id, stops);
            }
            let order = target.order;
            self.tried.insert(order.id, target);
            if !self.send(order) {
                self.restore_protection(order.id);
                self.hold_again(order.id, left);
            }
        }
    }

    /// A try at a target is over: what is left of it is held again.
    pub(super) fn hold_again(&mut self, order: OrderId, left: i64) {
        let Some(mut target) = self.tried.remove(&order).filter(|_| left > 0) else { return };
        target.order.size = Size::Qty(Qty::from_mantissa(left));
        target.not_before = self.now.plus(AGAIN_NS);
        self.targets.push(target);
    }

    /// A strategy takes everything back in an instrument: what it had as targets is not tried again either.
    pub(super) fn forget_targets(&mut self, i: usize, id: InstrumentId) {
        self.drop_targets(i, id);
        self.tried.retain(|_, t| !t.is_of(i, id));
    }

    /// A strategy's position is closed: its targets have nothing left to do.
    pub(super) fn drop_targets(&mut self, i: usize, id: InstrumentId) {
        self.targets.retain(|t| !t.is_of(i, id));
    }
}
