//! Orders at the exchange: arrival, rules, execution, cancels, expiry. Where a fill's price comes from is the
//! business of the profiles.

use bellwether_sdk::{
    Instrument, InstrumentId, Liquidity, Money, OrderId, OrderKind, Price, Qty, Rate, Role, Side, Size, TimeInForce,
    Trail, Ts,
};
use serde::{Deserialize, Serialize};

use super::{Message, Profile, Sim, SlippageModel};
use crate::orders::{Answer, Order};
use crate::portfolio::{PortfolioError, div_half_even};

/// An order that is alive at the exchange.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Resting {
    pub(super) order: Order,
    /// When it arrived.
    pub(super) ts: Ts,
    /// Its whole quantity; zero while a notional order has not filled.
    pub(super) qty: i64,
    pub(super) filled: i64,
    /// A stop that has been reached, or an order that never was one.
    pub(super) triggered: bool,
    /// The best price since arrival, for trailing stops.
    pub(super) best: Price,
    /// The look at the market it had last (see `Market::unseen`).
    pub(super) looks: u32,
    /// It has stood through one look at the market: from now on it makes, not takes.
    pub(super) seen: bool,
    /// It came while a bar was being walked, so it knows only what is left of that bar.
    pub(super) born_in_bar: bool,
    /// Quantity that stands before it at its price (`book@1`).
    pub(super) queue_ahead: i64,
}

impl Resting {
    /// The limit price in force, if any.
    pub(super) fn limit(&self) -> Option<Price> {
        self.order.kind.limit()
    }

    /// The trigger price in force while not triggered, if any.
    pub(super) fn trigger(&self) -> Option<Price> {
        if self.triggered {
            return None;
        }
        match self.order.kind {
            OrderKind::StopMarket { trigger } | OrderKind::StopLimit { trigger, .. } => Some(trigger),
            // Without a price seen there is nothing to follow yet.
            OrderKind::TrailingStop { .. } if self.best.is_zero() => None,
            OrderKind::TrailingStop { trail } => Some(self.trailing_trigger(trail)),
            OrderKind::Market | OrderKind::Limit { .. } => None,
        }
    }

    fn trailing_trigger(&self, trail: Trail) -> Price {
        let best = i128::from(self.best.mantissa());
        let distance = match trail {
            Trail::Offset(offset) => i128::from(offset.mantissa()),
            Trail::Fraction(rate) => {
                div_half_even(best * i128::from(rate.mantissa()), i128::from(bellwether_sdk::num::pow10(Rate::SCALE)))
            }
        };
        let trigger = best - i128::from(-self.order.side.sign()) * distance;
        Price::from_mantissa(i64::try_from(trigger.max(1)).unwrap_or(i64::MAX))
    }

    /// Lets a trailing stop follow a price.
    pub(super) fn follow(&mut self, price: Price) {
        if matches!(self.order.kind, OrderKind::TrailingStop { .. }) && !self.triggered {
            // A sell follows rising prices, a buy falling ones.
            self.best = match self.order.side {
                _ if self.best.is_zero() => price,
                Side::Sell => self.best.max(price),
                Side::Buy => self.best.min(price),
            };
        }
    }

    /// Whether a price reaches the trigger (touch counts).
    pub(super) fn reaches_trigger(&self, price: Price) -> bool {
        self.trigger().is_some_and(|t| match self.order.side {
            Side::Buy => price >= t,
            Side::Sell => price <= t,
        })
    }

    /// Whether a price satisfies the limit (touch counts); always, without a limit.
    pub(super) fn within_limit(&self, price: Price) -> bool {
        self.limit().is_none_or(|l| match self.order.side {
            Side::Buy => price <= l,
            Side::Sell => price >= l,
        })
    }

    fn is_immediate(&self) -> bool {
        matches!(self.order.tif, TimeInForce::Ioc | TimeInForce::Fok)
    }
}

/// What a try to execute did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Executed {
    /// So much filled; the order may have ended.
    Filled(Qty),
    /// The order ended without a fill.
    Ended,
}

impl Sim {
    /// Takes what is due out of the inbox, in the order it was sent, then ends what has expired.
    pub(super) fn take_due(&mut self) -> Result<(), PortfolioError> {
        let now = self.now;
        let mut i = 0;
        while i < self.inbox.len() {
            if self.inbox[i].0 > now {
                i += 1;
                continue;
            }
            let (ts, message) = self.inbox.remove(i);
            match message {
                Message::Submit(order) => self.arrive(order, ts)?,
                Message::Cancel(id, instrument) => self.take_out(id, instrument),
            }
        }
        if self.expiries {
            let (profile, past) = (self.config.profile, now.plus(-1));
            self.expire(if profile.needs_bars() { past } else { now });
        }
        self.find_next_due();
        Ok(())
    }

    /// Ends the orders that were good till `now` or earlier.
    pub(super) fn expire(&mut self, now: Ts) {
        for market in 0..self.markets.len() {
            let expired = |r: &Resting| matches!(r.order.tif, TimeInForce::Gtd(at) if at <= now);
            while let Some(at) = self.markets[market].resting.iter().position(expired) {
                let id = self.markets[market].resting[at].order.id;
                self.end(market, at, Answer::Expired(id, "gtd"));
            }
        }
    }

    fn find_next_due(&mut self) {
        let arrival = self.inbox.iter().map(|m| m.0).min().unwrap_or(Ts::MAX);
        self.next_due = if self.expiries { arrival.min(self.next_expiry()) } else { arrival };
    }

    fn next_expiry(&self) -> Ts {
        let expiries = self.markets.iter().flat_map(|m| &m.resting).filter_map(|r| match r.order.tif {
            TimeInForce::Gtd(at) => Some(self.expiry(at)),
            _ => None,
        });
        expiries.min().unwrap_or(Ts::MAX)
    }

    /// When an order that is good till `at` ends: a bar that closes at that moment lies before it, and is still met.
    fn expiry(&self, at: Ts) -> Ts {
        if self.config.profile.needs_bars() { at.plus(1) } else { at }
    }

    fn arrive(&mut self, order: Order, ts: Ts) -> Result<(), PortfolioError> {
        if let Some(reason) = self.refuse(&order, ts) {
            self.answers.push(Answer::Rejected(order.id, reason));
            return Ok(());
        }
        let i = order.instrument.index();
        let market = &mut self.markets[i];
        let queue_ahead = match order.kind {
            OrderKind::Limit { price } => market.book.qty_at(order.side, price).mantissa(),
            _ => 0,
        };
        market.resting.push(Resting {
            order,
            ts,
            qty: match order.size {
                Size::Qty(qty) => qty.mantissa(),
                Size::Notional { .. } => 0,
            },
            filled: 0,
            triggered: matches!(order.kind, OrderKind::Market | OrderKind::Limit { .. }),
            // What protects a fill follows from that fill on; what comes back later, from the market.
            best: if order.parent.0 != 0 && market.last_fill_at == ts { market.last_fill } else { market.last },
            looks: market.looks,
            seen: false,
            born_in_bar: market.walk.is_some(),
            queue_ahead,
        });
        self.answers.push(Answer::Accepted(order.id));
        if let TimeInForce::Gtd(at) = order.tif {
            self.expiries = true;
            self.next_due = self.next_due.min(self.expiry(at));
        }
        let market = &self.markets[i];
        if self.settling {
            let (at, price, bar_ts) = (market.resting.len() - 1, market.last, market.bar_ts);
            self.execute(i, at, price, None, Liquidity::Taker, bar_ts)?;
            return Ok(());
        }
        match self.config.profile {
            Profile::Close | Profile::OhlcPath => self.fill_on_arrival(i, ts),
            Profile::Quote => self.fill_at_quote(i),
            Profile::Book => self.fill_in_book(i),
            Profile::NextOpen | Profile::Trade => Ok(()),
        }
    }

    /// The venue's rules, each with its reason.
    fn refuse(&self, order: &Order, ts: Ts) -> Option<&'static str> {
        let rules = &self.instruments[order.instrument.index()];
        let off_tick = |p: Price| p.mantissa() % rules.price_step(p).mantissa() != 0;
        let prices_off = match order.kind {
            OrderKind::Market | OrderKind::TrailingStop { .. } => false,
            OrderKind::Limit { price } => off_tick(price),
            OrderKind::StopMarket { trigger } => off_tick(trigger),
            OrderKind::StopLimit { trigger, price } => off_tick(trigger) || off_tick(price),
        };
        if prices_off {
            return Some("price_off_tick");
        }
        if matches!(order.tif, TimeInForce::Gtd(at) if at <= ts) {
            return Some("gtd_in_the_past");
        }
        if order.post_only && order.kind.limit().is_none() {
            return Some("post_only_needs_a_limit");
        }
        let Size::Qty(qty) = order.size else { return None };
        if qty.mantissa() % rules.lot.mantissa() != 0 {
            return Some("qty_off_lot");
        }
        if let Some(reason) = self.above_max(order, qty) {
            return Some(reason);
        }
        // What closes a position may be smaller than what may open one.
        if order.reduce_only {
            return None;
        }
        if qty < rules.qty_min {
            return Some("qty_below_min");
        }
        let last = self.markets[order.instrument.index()].last;
        let price = if order.price().is_zero() { last } else { order.price() };
        (!price.is_zero() && below_notional_min(rules, price, qty)).then_some("notional_below_min")
    }

    /// Which of the venue's largest orders one of this quantity is above.
    fn above_max(&self, order: &Order, qty: Qty) -> Option<&'static str> {
        let rules = &self.instruments[order.instrument.index()];
        if rules.qty_max_of(order.kind).is_some_and(|max| qty > max) {
            return Some("qty_above_max");
        }
        let value = order.kind.limit().map_or(0, |price| rules.notional(price, qty));
        (rules.notional_max > 0 && value > rules.notional_max).then_some("notional_above_max")
    }

    fn take_out(&mut self, id: OrderId, instrument: InstrumentId) {
        let i = instrument.index();
        if let Some(at) = self.markets[i].resting.iter().position(|r| r.order.id == id) {
            self.end(i, at, Answer::Cancelled(id, "requested"));
        } else if let Some(at) = self.inbox.iter().position(|m| matches!(m.1, Message::Submit(o) if o.id == id)) {
            self.inbox.remove(at);
            self.answers.push(Answer::Cancelled(id, "requested"));
        }
    }

    /// Ends an order and says how.
    pub(super) fn end(&mut self, i: usize, at: usize, answer: Answer) {
        self.markets[i].resting.remove(at);
        self.answers.push(answer);
    }

    /// An IOC or FOK order has had its look at the market: what is left of it ends.
    pub(super) fn end_if_immediate(&mut self, i: usize, at: usize) -> bool {
        let r = &self.markets[i].resting[at];
        let reason = match r.order.tif {
            TimeInForce::Ioc => "ioc",
            TimeInForce::Fok => "fok",
            TimeInForce::Gtc | TimeInForce::Gtd(_) => return false,
        };
        if !r.triggered || !r.is_immediate() {
            return false;
        }
        let id = r.order.id;
        self.end(i, at, Answer::Expired(id, reason));
        true
    }

    /// A taker's price made worse by the slippage model, never beyond its limit.
    pub(super) fn slipped(&self, i: usize, r: &Resting, price: Price) -> Price {
        let rules = &self.instruments[i];
        let side = i128::from(r.order.side.sign());
        let p = i128::from(price.mantissa());
        let unit = i128::from(bellwether_sdk::num::pow10(Rate::SCALE));
        let worse = match self.config.slippage {
            SlippageModel::None => return price,
            SlippageModel::Ticks(n) => i128::from(n) * i128::from(rules.tick.mantissa()),
            SlippageModel::Fraction(rate) => p * i128::from(rate.mantissa()) / unit,
            SlippageModel::Volume(rate) => {
                let (qty, traded) = ((r.qty - r.filled).max(0), self.markets[i].last_qty.mantissa());
                let share = if traded <= 0 { unit } else { (i128::from(qty) * unit / i128::from(traded)).min(unit) };
                p * i128::from(rate.mantissa()) / unit * share / unit
            }
        };
        // To the tick, against the trader.
        let tick = i128::from(rules.tick.mantissa());
        let target = p + side * worse;
        let on_tick = if side > 0 { -((-target).div_euclid(tick)) * tick } else { target.div_euclid(tick) * tick };
        let slipped = Price::from_mantissa(i64::try_from(on_tick.max(tick)).unwrap_or(i64::MAX));
        match (r.limit(), r.order.side) {
            (Some(limit), Side::Buy) => slipped.min(limit.max(price)),
            (Some(limit), Side::Sell) => slipped.max(limit.min(price)),
            (None, _) => slipped,
        }
    }

    /// Executes order number `at` of an instrument at `price`, at most `available`, within what the account can bear.
    pub(super) fn execute(
        &mut self,
        i: usize,
        at: usize,
        price: Price,
        available: Option<Qty>,
        liquidity: Liquidity,
        bar_ts: Ts,
    ) -> Result<Executed, PortfolioError> {
        let instrument = InstrumentId(i as u16);
        let rate = match liquidity {
            Liquidity::Maker => self.config.maker[i],
            Liquidity::Taker => self.config.taker[i],
        };
        let r = &self.markets[i].resting[at];
        let Order { id, side, tif, reduce_only, .. } = r.order;
        let filled = r.filled;
        if r.qty == 0 {
            let order = r.order;
            let qty = self.size_notional(i, &order, price, rate)?;
            let reason = match qty.is_zero() {
                true if self.bearable(i, side, price, rate, Qty::ZERO)?.is_zero() => Some("insufficient_funds"),
                true => Some("notional_too_small"),
                false => self.above_max(&order, qty),
            };
            if let Some(reason) = reason {
                self.end(i, at, Answer::Rejected(id, reason));
                return Ok(Executed::Ended);
            }
            self.markets[i].resting[at].qty = qty.mantissa();
        }
        let mut left = self.markets[i].resting[at].qty - filled;
        if reduce_only {
            let held = self.ledger.position(instrument).qty.mantissa();
            let reducible = if held.signum() == -side.sign() { held.abs() } else { 0 };
            if reducible == 0 {
                self.end(i, at, Answer::Cancelled(id, "nothing_to_reduce"));
                return Ok(Executed::Ended);
            }
            if reducible < left {
                left = reducible;
                self.markets[i].resting[at].qty = filled + left;
            }
        }
        // In a book the levels have been counted together before the first is taken.
        let counted = self.config.profile == Profile::Book;
        if tif == TimeInForce::Fok && !counted && available.is_some_and(|a| a.mantissa() < left) {
            self.end(i, at, Answer::Expired(id, "fok"));
            return Ok(Executed::Ended);
        }
        self.mark_all(i, price)?;
        let qty = Qty::from_mantissa(available.map_or(left, |a| a.mantissa().min(left)));
        if qty <= Qty::ZERO {
            return Ok(Executed::Filled(Qty::ZERO));
        }
        let fee = self.ledger.terms(instrument).fee(self.ledger.terms(instrument).notional(price, qty)?, rate)?;
        if let Some(reason) = self.unaffordable(i, side, price, qty, fee)? {
            let answer = if filled == 0 { Answer::Rejected(id, reason) } else { Answer::Cancelled(id, reason) };
            self.end(i, at, answer);
            return Ok(Executed::Ended);
        }
        self.book_fill(i, at, price, qty, fee, liquidity, bar_ts)?;
        Ok(Executed::Filled(qty))
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one fill, used once")]
    fn book_fill(
        &mut self,
        i: usize,
        at: usize,
        price: Price,
        qty: Qty,
        fee: Money,
        liquidity: Liquidity,
        bar_ts: Ts,
    ) -> Result<(), PortfolioError> {
        let instrument = InstrumentId(i as u16);
        let r = &mut self.markets[i].resting[at];
        r.filled += qty.mantissa();
        let Order { id, side, oco, .. } = r.order;
        let (done, total) = (r.filled == r.qty, r.qty);
        self.ledger.fill(instrument, side, price, qty, fee)?;
        self.answers.push(Answer::Fill {
            order: id,
            instrument,
            side,
            price,
            qty,
            withheld: Qty::ZERO,
            qty_total: Qty::from_mantissa(total),
            fee,
            liquidity,
            bar_ts,
        });
        if done {
            self.markets[i].resting.remove(at);
        }
        self.markets[i].last_fill = price;
        self.markets[i].last_fill_at = self.now;
        if oco.0 != 0 {
            self.reduce_siblings(i, id, oco, qty);
        }
        self.margin_changed();
        Ok(())
    }

    /// One cancels other: what one protective order filled, its siblings no longer need to.
    fn reduce_siblings(&mut self, i: usize, order: OrderId, oco: OrderId, qty: Qty) {
        let sibling = |r: &Resting| r.order.oco == oco && r.order.id != order;
        for r in self.markets[i].resting.iter_mut().filter(|r| sibling(r)) {
            r.qty = (r.qty - qty.mantissa()).max(r.filled);
        }
        while let Some(at) = self.markets[i].resting.iter().position(|r| sibling(r) && r.qty == r.filled) {
            let id = self.markets[i].resting[at].order.id;
            self.end(i, at, Answer::Cancelled(id, "oco"));
        }
    }

    /// The quantity a notional order comes to at its first fill.
    pub(super) fn size_notional(
        &mut self,
        i: usize,
        order: &Order,
        price: Price,
        rate: Rate,
    ) -> Result<Qty, PortfolioError> {
        let Size::Notional { amount, close } = order.size else { return Ok(Qty::ZERO) };
        let instrument = InstrumentId(i as u16);
        let terms = *self.ledger.terms(instrument);
        let lot = self.instruments[i].lot;
        let scale = self.config.money_scales[i];
        let amount = Money::from_mantissa(amount.at_wide_scale(scale));
        let held = self.ledger.position(instrument).qty.mantissa();
        let close = if held.signum() == -order.side.sign() { close.mantissa().min(held.abs()) } else { 0 };
        let close = Qty::from_mantissa(close);
        let wanted = terms.qty_for(amount, price, rate, lot);
        let bearable = self.bearable(i, order.side, price, rate, close)?;
        let open = wanted.min(bearable);
        let rules = &self.instruments[i];
        let too_small = open < rules.qty_min || below_notional_min(rules, price, open);
        let open = if too_small { 0 } else { open.mantissa() };
        Ok(Qty::from_mantissa(close.mantissa().saturating_add(open)))
    }
}

impl Order {
    /// Whether it is the stop of a bracket.
    pub(super) fn is_protective_stop(&self) -> bool {
        self.parent.0 != 0 && self.role == Role::StopLoss
    }
}

/// Whether an order's value in quote currency is below the venue's minimum.
fn below_notional_min(rules: &Instrument, price: Price, qty: Qty) -> bool {
    rules.notional_min > 0 && rules.notional(price, qty) < rules.notional_min
}
