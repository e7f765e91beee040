//! One order as the gateway holds it.

use bellwether_sdk::{OrderId, Price, Qty, Ts};

use super::{Adopted, OrderView};
use crate::exchange::{Amend, ClientId, OrderRef, OrderStatus, Place};
use crate::orders::Order;
use crate::risk::Approved;

/// The lower bits of a client order id's number are the order's number, those above count attempts, and the highest one
/// is [`ClientId::of`]'s.
const ATTEMPT_SHIFT: u32 = 48;

/// The order that a client order id of ours names, whichever attempt it was.
pub const fn order_of(client: ClientId) -> OrderId {
    OrderId(client.number & ((1 << ATTEMPT_SHIFT) - 1))
}

/// Where an order is on its way to the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It will be sent, not before this time.
    Waiting(Ts),
    /// It is on its way; no answer yet.
    Sent,
    /// It may be at the venue.
    Unknown,
    /// The venue has it, or had it.
    Open,
}

/// Where the end of an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancelling {
    /// Nobody asked.
    No,
    /// It is to be sent once the order is known, or again.
    Wanted,
    /// It was sent.
    Sent,
}

/// By which right an order is ours.
#[derive(Debug)]
enum Right {
    /// Risk approved it, and we send it.
    Approved(Approved<Order>),
    /// Others had sent it before it was taken over: it is never sent by us.
    Adopted(Order),
}

/// An order.
#[derive(Debug)]
pub(super) struct Held {
    right: Right,
    /// What of it had filled before it was taken over: no part of its quantity here.
    pub(super) before: Qty,
    reference_price: Price,
    session: u64,
    attempts: u64,
    pub(super) qty: Qty,
    /// When it was submitted.
    pub(super) first: Ts,
    /// When it was sent last.
    pub(super) sent: Ts,
    /// When a change of it was sent last.
    pub(super) touched: Ts,
    pub(super) venue_id: String,
    /// What fills were told.
    pub(super) told: Qty,
    /// The venue's ids of these fills, in order.
    fills: Vec<String>,
    /// What filled as far as we know.
    pub(super) filled: Qty,
    pub(super) state: State,
    pub(super) accepted: bool,
    pub(super) cancelling: Cancelling,
    pub(super) cancel_tries: u32,
    /// A change that the venue took down, and how often it was looked for: whether it was made, the order shows.
    pub(super) amending: Option<(Amend, u32)>,
    /// How the venue says that it ended; told when its fills are.
    pub(super) ending: Option<(OrderStatus, &'static str)>,
    /// How its end was told.
    pub(super) ended: Option<OrderStatus>,
    /// It was told to be rejected because the venue did not know it.
    pub(super) never_arrived: bool,
    /// Answers "not found" that counted.
    pub(super) missing: u32,
    /// When fills are to be asked for.
    pub(super) fills_due: Ts,
    pub(super) fills_tries: u32,
    /// Why it was not taken at the last attempt.
    pub(super) why: &'static str,
    pub(super) tries: u32,
    pub(super) skewed: bool,
}

impl Held {
    pub(super) fn new(approved: Approved<Order>, qty: Qty, reference: Price, session: u64, now: Ts) -> Self {
        Self::of(Right::Approved(approved), qty, reference, session, now)
    }

    fn of(right: Right, qty: Qty, reference: Price, session: u64, now: Ts) -> Self {
        Self {
            right,
            before: Qty::ZERO,
            reference_price: reference,
            session,
            attempts: 0,
            qty,
            first: now,
            sent: Ts::NONE,
            touched: Ts::NONE,
            venue_id: String::new(),
            told: Qty::ZERO,
            fills: Vec::new(),
            filled: Qty::ZERO,
            state: State::Waiting(now),
            accepted: false,
            cancelling: Cancelling::No,
            cancel_tries: 0,
            amending: None,
            ending: None,
            ended: None,
            never_arrived: false,
            missing: 0,
            fills_due: Ts::MAX,
            fills_tries: 0,
            why: "rate_limited",
            tries: 0,
            skewed: false,
        }
    }

    /// One that others had sent: it rests at the venue.
    pub(super) fn adopted(adopted: &Adopted, session: u64) -> Option<Self> {
        let bellwether_sdk::Size::Qty(qty) = adopted.order.size else { return None };
        // The price is of use for what is sent only.
        let held = Self::of(Right::Adopted(adopted.order), qty, Price::ZERO, session, adopted.since);
        Some(Self {
            before: adopted.before,
            sent: adopted.since,
            told: adopted.filled,
            filled: adopted.filled,
            ended: adopted.ended,
            state: State::Open,
            accepted: true,
            ..held
        })
    }

    pub(super) fn order(&self) -> &Order {
        match &self.right {
            Right::Approved(approved) => approved.get(),
            Right::Adopted(order) => order,
        }
    }

    /// Whether others had sent it.
    pub(super) const fn is_adopted(&self) -> bool {
        matches!(self.right, Right::Adopted(_))
    }

    /// Makes the next client order id: the only place that does, and none is made twice.
    pub(super) fn issue(&mut self, now: Ts) {
        self.attempts += 1;
        self.sent = now;
        self.state = State::Sent;
    }

    /// Notes the venue's id of a fill; whether it is new.
    pub(super) fn is_new_fill(&mut self, trade_id: &str) -> bool {
        match self.fills.binary_search_by(|known| known.as_str().cmp(trade_id)) {
            Ok(_) => false,
            Err(at) => {
                self.fills.insert(at, trade_id.to_owned());
                true
            }
        }
    }

    /// How often it was sent.
    pub(super) const fn attempts(&self) -> u64 {
        self.attempts
    }

    /// The id of the last attempt.
    pub(super) fn client(&self) -> ClientId {
        let attempt = self.attempts.saturating_sub(1) << ATTEMPT_SHIFT;
        ClientId::of(self.session, self.order().id.0 | attempt, &self.order().kind)
    }

    /// The order as it is to be placed at this attempt; `None` for one that is not ours to place.
    pub(super) fn placement(&self) -> Option<Place> {
        let Right::Approved(order) = &self.right else { return None };
        Some(Place { order: *order, client: self.client(), qty: self.qty, reference: self.reference_price })
    }

    /// How the venue is told which one is meant.
    pub(super) fn reference(&self) -> OrderRef {
        if self.venue_id.is_empty() { OrderRef::Client(self.client()) } else { OrderRef::Venue(self.venue_id.clone()) }
    }

    pub(super) fn view(&self) -> OrderView {
        let status = match (self.ended.or(self.ending.map(|e| e.0)), self.state) {
            (Some(status), _) => status,
            (None, State::Unknown | State::Sent | State::Waiting(_)) => OrderStatus::Unknown,
            (None, State::Open) if self.told.is_zero() => OrderStatus::Acknowledged,
            (None, State::Open) => OrderStatus::PartlyFilled,
        };
        OrderView { id: self.order().id, venue_id: self.venue_id.clone(), status, qty: self.qty, filled: self.told }
    }
}
