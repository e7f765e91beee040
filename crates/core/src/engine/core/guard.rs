//! The guard at work: what it is shown, what it is told, and what is done when it trips.

use serde::{Deserialize, Serialize};

use super::*;
use crate::risk::{Account, Cause, GuardAct, Hold, Level, Pending, Policy};

/// A minute.
const MINUTE_NS: i64 = 60_000_000_000;

/// How long a position that should be flat is left alone after the last try to close it.
const FLATTEN_EVERY_NS: i64 = 1_000_000_000;

/// What has been done about a trip.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Enforced {
    policy: Option<Policy>,
    /// When positions are next looked at, if they are to be closed.
    flatten_at: Ts,
}

impl Engine {
    /// The guard.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// How the account stands, as the guard sees it.
    pub fn account(&self) -> Account {
        Account {
            equity: self.view.equity,
            day_start: self.recorder.day_start(),
            day: self.recorder.days(),
            scale: self.currencies[0].scale,
        }
    }

    /// What the guard did since the last call, in order.
    pub fn take_guard_acts(&mut self) -> Vec<GuardAct> {
        let acts = self.guard.take_acts();
        for act in &acts {
            if let GuardAct::Tripped(cause, policy) = act {
                self.notes.push(format!("the guard tripped: {cause}; {} (at {})", policy.name(), self.now.nanos()));
            }
        }
        acts
    }

    /// From now on orders go to a venue. In a cash account nothing is sold there that is not held.
    pub(in crate::engine) fn go_to_venue(&mut self) {
        self.at_venue = true;
        if self.account == AccountKind::Cash {
            self.guard.cover_sales();
        }
    }

    /// What each strategy declares that it does at the most, by its place.
    pub fn declared(&self) -> &[crate::risk::Declared] {
        &self.guard.limits().declared
    }

    /// Whether [`take_guard_acts`](Self::take_guard_acts) has something.
    #[inline]
    pub fn has_guard_acts(&self) -> bool {
        self.guard.has_acts()
    }

    /// Somebody pulled the kill switch: all orders are cancelled and, if asked for, all positions closed.
    pub fn kill(&mut self, flatten: bool, at: Ts) {
        self.now = self.now.max(at);
        self.guard.kill(if flatten { Policy::Flatten } else { Policy::CancelAll });
        self.enforce();
    }

    /// A person arms the guard again.
    pub fn arm(&mut self, at: Ts) {
        self.now = self.now.max(at);
        self.guard.arm(&self.account());
        self.enforced = Enforced::default();
    }

    /// Earlier sessions of this UTC day made so much on the account.
    pub fn count_earlier(&mut self, made: Money, at: Ts) {
        self.pass_time(at);
        self.guard.count_earlier(&self.account(), made);
        if self.watching {
            self.judge();
        }
        self.enforce();
    }

    /// What earlier sessions made on the account this day, and this one, in reporting currency.
    pub fn made_today(&self) -> (Money, Money) {
        let account = self.account();
        (self.guard.earlier(&account), self.guard.made(&account))
    }

    /// Entries are held for a reason that the engine does not see, or no longer.
    pub fn hold(&mut self, hold: Hold, on: bool, at: Ts) {
        self.now = self.now.max(at);
        self.guard.hold(hold, on);
    }

    /// How full the limits are that have a level at all times, for people and metrics.
    pub fn guard_levels(&self) -> Vec<Level> {
        self.guard.trip_levels(&self.account()).collect()
    }

    /// Equity or the count of losses has changed.
    #[cold]
    pub(super) fn judge(&mut self) {
        let account = self.account();
        self.guard.watch(&account);
    }

    /// Does what the policy of a trip says, at the end of every input.
    #[inline]
    pub(super) fn enforce(&mut self) {
        if self.guard.is_tripped() {
            self.carry_out_policy();
        }
    }

    #[cold]
    fn carry_out_policy(&mut self) {
        let Some((cause, policy)) = self.guard.tripped() else { return };
        if self.enforced.policy < Some(policy) {
            self.enforced = Enforced { policy: Some(policy), flatten_at: self.now };
            let all = policy == Policy::Flatten || cause == Cause::Kill;
            if all {
                self.forget_protection();
            }
            for i in 0..self.slots.len() {
                if policy != Policy::StopEntries {
                    self.cancel_where(i, |_, role| all || !role.is_protective());
                }
            }
        }
        if policy == Policy::Flatten && self.enforced.flatten_at <= self.now {
            self.enforced.flatten_at = self.now.plus(FLATTEN_EVERY_NS);
            self.flatten();
        }
    }

    /// Closes every strategy's positions at the market; those on the way to it are left alone.
    fn flatten(&mut self) {
        for i in 0..self.slots.len() {
            for index in 0..self.view.instruments.len() {
                let instrument = InstrumentId(index as u16);
                let is_closing = |o: &OpenOrder| {
                    o.instrument == instrument && self.orders.get(o.id).is_ok_and(|r| r.role == Role::Guard)
                };
                if !self.slots[i].own.orders.iter().any(is_closing) {
                    self.close_held(i, instrument, Role::Guard);
                }
            }
        }
    }

    /// What the guard is shown beside an order.
    pub(super) fn pace(&mut self, order: &Order) -> Pace {
        while self.sent.front().is_some_and(|at| at.plus(MINUTE_NS) <= self.now) {
            self.sent.pop_front();
        }
        let (limits, id) = (self.guard.limits(), order.instrument);
        let quote = &self.view.instruments[id.index()].quote;
        let open = self.open_orders();
        let unknown = match limits.unknown_orders_max {
            Some(_) => self.open_orders().filter(|o| o.state == OrderState::Unknown).count(),
            None => 0,
        };
        let (others, asset_others) = if limits.weighs_others() { self.others(id) } else { (0, 0) };
        let settle = self.ledger.terms(id).settle;
        Pace {
            now: self.now.max(self.told_at),
            orders_last_minute: u32::try_from(self.sent.len()).unwrap_or(u32::MAX),
            open_orders: u32::try_from(open.count()).unwrap_or(u32::MAX),
            unknown_orders: u32::try_from(unknown).unwrap_or(u32::MAX),
            price_at: self.price_at[id.index()],
            quote: (quote.bid, quote.ask),
            pending: self.pending(id, order.id),
            sales: if limits.covered_sales { self.sales(id, order.id) } else { 0 },
            equity: self.view.equity,
            reporting_scale: self.currencies[0].scale,
            in_reporting: self.ledger.reporting_per(settle).unwrap_or((0, 0)),
            others: Money::from_mantissa(others),
            asset_others: Money::from_mantissa(asset_others),
        }
    }

    /// What open orders in an instrument that may enlarge a position would buy and sell; one order is left out.
    fn pending(&self, id: InstrumentId, but: OrderId) -> (Pending, Pending) {
        let (mut buys, mut sells) = (Pending::default(), Pending::default());
        for open in self.open_orders().filter(|o| o.instrument == id && o.id != but) {
            let Ok(record) = self.orders.get(open.id) else { continue };
            if record.reduce_only || record.role.is_protective() {
                continue;
            }
            let side = if record.side == Side::Buy { &mut buys } else { &mut sells };
            if record.qty.is_zero() && record.notional != 0 {
                let scale = self.money_scale(id);
                let notional = bellwether_sdk::Decimal::new(record.notional, record.notional_scale);
                let amount = crate::risk::amount_at(notional, scale);
                side.amount = side.amount.saturating_add(i128::try_from(amount).unwrap_or(i128::MAX));
            } else {
                let left = record.qty.mantissa().saturating_sub(record.filled.mantissa());
                side.qty = side.qty.saturating_add(left);
            }
        }
        (buys, sells)
    }

    /// What open sales of an instrument are of; one order is left out.
    fn sales(&self, id: InstrumentId, but: OrderId) -> i64 {
        let open = self.open_orders().filter(|o| o.instrument == id && o.id != but && o.side == Side::Sell);
        let records = open.filter_map(|o| self.orders.get(o.id).ok()).filter(|r| !r.role.is_protective());
        records.fold(0, |sum: i64, r| sum.saturating_add(r.qty.mantissa().saturating_sub(r.filled.mantissa()).max(0)))
    }

    /// What all other instruments can come to at the worst, signs aside, and what those of the same base asset are
    /// worth with their signs; in reporting currency. What has no price yet is worth nothing.
    fn others(&self, id: InstrumentId) -> (i128, i128) {
        let base = self.view.instruments[id.index()].instrument.symbol.base();
        let (mut total, mut asset) = (0i128, 0i128);
        for (index, view) in self.view.instruments.iter().enumerate() {
            let other = InstrumentId(index as u16);
            if other == id {
                continue;
            }
            let held = self.ledger.position(other).qty.mantissa();
            let (buys, sells) = self.pending(other, OrderId(0));
            let terms = self.ledger.terms(other);
            let worth = |qty: i64| {
                let value = terms.notional(view.last, Qty::from_mantissa(qty.saturating_abs())).unwrap_or_default();
                let value = Money::from_mantissa(value.mantissa().saturating_abs());
                self.ledger.in_reporting(terms.settle, value).unwrap_or_default().mantissa()
            };
            let up = worth(held.saturating_add(buys.qty).max(0)).saturating_add(buys.amount);
            let down = worth(held.saturating_sub(sells.qty).min(0)).saturating_add(sells.amount);
            total = total.saturating_add(up.max(down).max(worth(held)));
            if view.instrument.symbol.base() == base {
                asset = asset.saturating_add(worth(held) * i128::from(held.signum()));
            }
        }
        (total, asset)
    }
}
