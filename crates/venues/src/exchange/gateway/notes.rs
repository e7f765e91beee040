//! What the venue says of orders by itself: states and fills, twice, late or out of order as they may come.

use bellwether_sdk::{InstrumentId, Money, OrderId, Qty, Side, Ts};

use super::held::{Cancelling, Held, State, order_of};
use super::requests::Job;
use super::{Gateway, GatewayEvent, nanos};
use crate::exchange::{ClientId, FillNote, NO_INSTRUMENT, OrderNote, OrderStatus};
use crate::orders::Answer;

/// What names an order only by a venue id that we do not know yet.
#[derive(Debug, Clone)]
pub(super) enum Orphan {
    Order(OrderNote),
    Fill(FillNote),
}

impl Orphan {
    fn venue_id(&self) -> &str {
        match self {
            Self::Order(note) => &note.venue_id,
            Self::Fill(note) => &note.venue_id,
        }
    }
}

/// Orphans kept, and for how long.
const ORPHANS_MAX: usize = 1_000;
const ORPHANS_NS: i64 = 60_000_000_000;

impl Gateway {
    /// The order that is meant, if it is one of this session.
    pub(super) fn find(&self, instrument: InstrumentId, client_id: &str, venue_id: &str) -> Option<OrderId> {
        match client_id.parse::<ClientId>() {
            Ok(client) if client.session == self.settings.session => Some(order_of(client)),
            _ if instrument == NO_INSTRUMENT => {
                self.by_venue.iter().find(|((_, id), _)| id == venue_id).map(|(_, order)| *order)
            }
            _ => self.by_venue.get(&(instrument, venue_id.to_owned())).copied(),
        }
    }

    /// The venue's id of an order is known now; what waited for it is read.
    pub(super) fn named(&mut self, id: OrderId, venue_id: &str) {
        let Some(held) = self.orders.get_mut(&id) else { return };
        if venue_id.is_empty() || held.venue_id == venue_id {
            return;
        }
        venue_id.clone_into(&mut held.venue_id);
        let instrument = held.order().instrument;
        self.by_venue.insert((instrument, venue_id.to_owned()), id);
        if self.orphans.is_empty() {
            return;
        }
        let is_its = |o: &Orphan| match o {
            Orphan::Order(n) => (n.instrument == instrument || n.instrument == NO_INSTRUMENT) && n.venue_id == venue_id,
            Orphan::Fill(n) => n.instrument == instrument && n.venue_id == venue_id,
        };
        let (its, others) = std::mem::take(&mut self.orphans).into_iter().partition(|(_, o)| is_its(o));
        self.orphans = others;
        let its: Vec<(Ts, Orphan)> = its;
        for (_, orphan) in its {
            match orphan {
                Orphan::Order(note) => self.on_order(note),
                Orphan::Fill(note) => self.on_fill(note),
            }
        }
    }

    /// Keeps what names an unknown order while one of ours may still turn out to be it.
    fn keep_orphan(&mut self, instrument: InstrumentId, orphan: Orphan) {
        let pending = self.live.iter().filter_map(|id| self.orders.get(id));
        let is_asked = self.whose.has(instrument, orphan.venue_id());
        let may_be = is_asked
            || self.is_looked_up(instrument, orphan.venue_id())
            || pending
                .filter(|h| instrument == NO_INSTRUMENT || h.order().instrument == instrument)
                .any(|h| matches!(h.state, State::Sent | State::Unknown) || h.venue_id.is_empty());
        if may_be && self.orphans.len() < ORPHANS_MAX {
            self.orphans.push((self.now, orphan));
        }
    }

    /// A fill names its order by a venue's id that we do not know. Of orders that ended before this process began it is not
    /// known: where there are such, the venue is asked once which order that is.
    fn ask_whose(&mut self, fill: &FillNote) {
        let (instrument, name) = (fill.instrument, &fill.venue_id);
        let is_nameless = |h: &Held| {
            !h.is_adopted() && h.venue_id.is_empty() && h.ended.is_some() && h.order().instrument == instrument
        };
        let may_be = !name.is_empty() && fill.client_id.is_empty() && !self.whose.has(instrument, name);
        if may_be && self.orders.values().any(is_nameless) && self.whose.is_new(instrument, name) {
            self.later(0, Job::Whose(instrument, name.clone()), 0);
        }
    }

    pub(super) fn drop_orphans(&mut self) {
        let now = self.now;
        self.orphans.retain(|(at, _)| now < at.plus(ORPHANS_NS));
    }

    /// Whether it is an earlier attempt of an order that shows life, although the venue had said that nothing was done.
    /// It is cancelled; its fills are booked as the order's.
    pub(super) fn is_stray(&mut self, id: OrderId, client_id: &str, venue_id: &str) -> bool {
        let Ok(client) = client_id.parse::<ClientId>() else { return false };
        let is_other = |h: &&Held| !h.is_adopted() && h.client() != client && !venue_id.is_empty();
        let Some(held) = self.orders.get(&id).filter(is_other) else {
            return false;
        };
        let instrument = held.order().instrument;
        if self.foreign.is_new(instrument, venue_id) {
            self.note(format!(
                "order {}: an attempt that the venue had refused is there after all, as {venue_id}: it is cancelled",
                id.0
            ));
            self.later(0, Job::CancelStray(instrument, venue_id.to_owned()), 0);
        }
        true
    }

    /// The private stream says where an order is.
    pub(super) fn on_order(&mut self, note: OrderNote) {
        match self.find(note.instrument, &note.client_id, &note.venue_id) {
            Some(id) if self.orders.contains_key(&id) => {
                if !self.is_stray(id, &note.client_id, &note.venue_id) {
                    self.see(id, note.status, note.filled, &note.venue_id, note.reason, false);
                }
            }
            Some(id) if self.is_put_away(id) => self.see_put_away(note.instrument, id, note.status, &note.venue_id),
            _ => {
                // Orders of this session bear its name: one under another is somebody else's.
                self.others_send |= !note.client_id.is_empty() && note.status.is_open();
                self.keep_orphan(note.instrument, Orphan::Order(note));
            }
        }
    }

    /// An order that is not kept any more shows life, although the venue had called it ended: it is cancelled.
    pub(super) fn see_put_away(&mut self, instrument: InstrumentId, id: OrderId, status: OrderStatus, venue_id: &str) {
        if status.is_open() && !venue_id.is_empty() && self.foreign.is_new(instrument, venue_id) {
            self.note(format!("order {} had ended long ago and is open at the venue: it is cancelled", id.0));
            self.later(0, Job::CancelStray(instrument, venue_id.to_owned()), 0);
        }
    }

    /// The venue says, by whatever way, where an order is. `asked` says that it is an answer of ours, which settles an
    /// unknown outcome also by an unknown status.
    pub(super) fn see(
        &mut self,
        id: OrderId,
        status: OrderStatus,
        filled: Option<Qty>,
        venue_id: &str,
        reason: &'static str,
        asked: bool,
    ) {
        self.named(id, venue_id);
        let Some(held) = self.orders.get_mut(&id) else { return };
        if let Some(filled) = filled {
            let ours = filled.mantissa().saturating_sub(held.before.mantissa());
            held.filled = held.filled.max(Qty::from_mantissa(ours));
        }
        // While it is being changed, its quantity is not known.
        if status == OrderStatus::Filled && held.amending.is_none() {
            held.filled = held.filled.max(held.qty);
        }
        if held.ended.is_some() {
            self.see_ended(id, status);
            return;
        }
        if status == OrderStatus::Unknown && !asked {
            let wait = self.settings.ask_after_ms;
            self.later(wait, Job::Order(id), 0);
            return;
        }
        held.missing = 0;
        if held.state != State::Open {
            let was_unknown = held.state == State::Unknown;
            held.state = State::Open;
            if was_unknown {
                self.events.push_back(GatewayEvent::Known(id, status));
            }
        }
        let Some(held) = self.orders.get_mut(&id) else { return };
        let reason = |default| if reason.is_empty() { default } else { reason };
        let requested = held.cancelling != Cancelling::No;
        let ending = match status {
            OrderStatus::Acknowledged | OrderStatus::PartlyFilled | OrderStatus::Unknown => None,
            OrderStatus::Filled => Some((status, "")),
            OrderStatus::Cancelled if requested => Some((status, "requested")),
            OrderStatus::Cancelled => Some((status, reason("cancelled_by_venue"))),
            OrderStatus::Expired => Some((status, reason("time_in_force"))),
            OrderStatus::Rejected if held.accepted => Some((OrderStatus::Cancelled, reason("venue_rejected"))),
            OrderStatus::Rejected => Some((status, reason("venue_rejected"))),
        };
        let rejected = matches!(ending, Some((OrderStatus::Rejected, _)));
        if !rejected {
            self.accept(id);
        }
        let Some(held) = self.orders.get_mut(&id) else { return };
        if held.ending.is_none() {
            held.ending = ending;
        }
        self.settle(id);
        let wanted =
            |h: &&mut super::Held| h.ended.is_none() && h.ending.is_none() && h.cancelling == Cancelling::Wanted;
        if self.orders.get_mut(&id).as_ref().is_some_and(wanted) {
            self.later(0, Job::Cancel(id), 0);
            self.pump();
        }
    }

    /// An order that ended, as we told, is heard of again.
    fn see_ended(&mut self, id: OrderId, status: OrderStatus) {
        let Some(held) = self.orders.get_mut(&id) else { return };
        let (instrument, first) = (held.order().instrument, held.first);
        if held.filled > held.told {
            self.later(self.settings.fills_within_ms, Job::Fills(instrument, first), 0);
        }
        let Some(held) = self.orders.get_mut(&id) else { return };
        if held.never_arrived && status.is_open() && held.cancelling == Cancelling::No {
            held.cancelling = Cancelling::Wanted;
            self.note(format!("order {} was believed lost and is open at the venue: it is cancelled", id.0));
            self.later(0, Job::Cancel(id), 0);
            self.pump();
        }
    }

    fn accept(&mut self, id: OrderId) {
        if let Some(held) = self.orders.get_mut(&id).filter(|h| !h.accepted) {
            held.accepted = true;
            self.tell(Answer::Accepted(id));
        }
    }

    /// Ends an order when its end is known and all its fills are told; asks for fills that are missing.
    pub(super) fn settle(&mut self, id: OrderId) {
        let now = self.now;
        let within = nanos(self.settings.fills_within_ms);
        let Some(held) = self.orders.get_mut(&id).filter(|h| h.ended.is_none()) else { return };
        if held.told < held.filled && !(held.ending.is_some() && planted!("end_before_fills")) {
            if held.fills_due == Ts::MAX {
                held.fills_due = now.plus(within << held.fills_tries.min(6));
                held.fills_tries += 1;
            }
            return;
        }
        held.fills_due = Ts::MAX;
        held.fills_tries = 0;
        if held.told >= held.qty && held.amending.is_none() {
            self.end(id, OrderStatus::Filled, "");
        } else if let Some((status, reason)) = held.ending {
            self.end(id, status, reason);
        }
    }

    /// A fill that the venue told by itself.
    pub(super) fn on_fill_told(&mut self, fill: FillNote) {
        let found = self.find(fill.instrument, &fill.client_id, &fill.venue_id);
        if let Some(id) = found.filter(|id| self.is_put_away(*id)) {
            // It may be told again, or have come late: whether our books have it, the account says.
            self.note(format!(
                "fill {} of order {}, which had ended long ago: the account is looked at",
                fill.trade_id, id.0
            ));
            let now = self.now;
            self.look_at_account(self.settings.ask_after_ms, None, now);
            return;
        }
        self.on_fill(fill);
    }

    /// A fill, from the stream or asked for.
    pub(super) fn on_fill(&mut self, fill: FillNote) {
        let found = self.find(fill.instrument, &fill.client_id, &fill.venue_id);
        let Some(id) = found.filter(|id| self.orders.contains_key(id)) else {
            if !found.is_some_and(|id| self.is_put_away(id)) {
                self.ask_whose(&fill);
                self.keep_orphan(fill.instrument, Orphan::Fill(fill));
            }
            return;
        };
        if fill.trade_id.is_empty() {
            self.note(format!("order {}: a fill without an id; it is asked for", id.0));
            self.later(0, Job::Fills(fill.instrument, fill.ts_venue), 0);
            return;
        }
        let is_new = self.orders.get_mut(&id).is_some_and(|held| held.is_new_fill(&fill.trade_id));
        if !is_new && !planted!("double_fill") {
            return;
        }
        if !self.is_stray(id, &fill.client_id, &fill.venue_id) {
            self.named(id, &fill.venue_id);
        }
        let Some(held) = self.orders.get_mut(&id) else { return };
        if held.ended.is_some() && planted!("late_fill_ignored") {
            return;
        }
        if held.ended.is_none() && held.state != State::Open {
            let was_unknown = held.state == State::Unknown;
            held.state = State::Open;
            if was_unknown {
                self.events.push_back(GatewayEvent::Known(id, OrderStatus::PartlyFilled));
            }
        }
        if self.orders.get(&id).is_some_and(|h| h.ended.is_none()) {
            self.accept(id);
        }
        self.book(id, &fill);
        self.settle(id);
        let wanted = self.orders.get(&id).is_some_and(|h| h.ended.is_none() && h.cancelling == Cancelling::Wanted);
        if wanted {
            self.later(0, Job::Cancel(id), 0);
        }
    }

    fn book(&mut self, id: OrderId, fill: &FillNote) {
        let Some(listing) = self.listings.get(fill.instrument) else { return };
        let rules = &listing.rules;
        let settle = rules.symbol.settle().to_owned();
        let scale = self.settings.money_scales.get(&settle).copied();
        let scale = scale.unwrap_or_else(|| (rules.price_scale + rules.qty_scale).min(18));
        let booked = self.spare.book(fill, rules, scale);
        let Some(held) = self.orders.get_mut(&id) else { return };
        held.told = Qty::from_mantissa(held.told.mantissa().saturating_add(fill.qty.mantissa()));
        held.filled = held.filled.max(held.told);
        let (qty_total, ended, over) = (held.qty, held.ended, held.told > held.qty);
        if booked.is_none() {
            self.events.push_back(GatewayEvent::FeeElsewhere(id, fill.fee, fill.fee_currency.clone()));
        }
        self.events.push_back(GatewayEvent::FillId(id, fill.trade_id.clone()));
        self.tell(Answer::Fill {
            order: id,
            instrument: fill.instrument,
            side: fill.side,
            price: fill.price,
            qty: fill.qty,
            withheld: booked.map_or(Qty::ZERO, |b| b.withheld),
            qty_total,
            fee: booked.map_or(Money::ZERO, |b| b.fee),
            liquidity: fill.liquidity,
            bar_ts: Ts::NONE,
        });
        // Where lots were withheld, our cash is as the venue's; else our books paid a fee that the venue took elsewhere.
        let (paid, ours) = match booked {
            None => (Some(fill.fee), Money::ZERO),
            Some(b) => (b.elsewhere, if fill.side == Side::Buy { Money::ZERO } else { b.fee }),
        };
        if let Some(paid) = paid.filter(|paid| paid.mantissa() != 0) {
            self.events.push_back(GatewayEvent::FeePaid(fill.instrument, paid, fill.fee_currency.clone(), ours));
        }
        if let Some(ended) = ended {
            self.note(format!("order {} filled after it was {}", id.0, ended.name()));
        }
        if over {
            self.note(format!("order {} filled more than its quantity", id.0));
        }
    }
}
