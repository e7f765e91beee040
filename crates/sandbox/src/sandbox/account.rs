//! One account: its simulated exchange, its orders as the venue tells of them, its balances.
//!
//! Matching is [`Sim`]'s. What a venue has beside matching is here: locked balances, client order ids, stop orders
//! that sleep until the last price wakes them, and the events of the user data stream. The simulated exchange takes its
//! fees in quote currency; where commission is taken in what is received, that is given back for a purchase, and what was
//! bought is less. Accounts do not see each other's orders, and no order changes the book that clients see.

use std::collections::{BTreeMap, BTreeSet};

use bellwether_sdk::{
    Instrument, InstrumentId, Liquidity, Money, OrderId, OrderKind, Price, Qty, Role, Side, Size, TimeInForce, Ts,
};

use super::Commission;
use super::digits::{DIGITS, at_eight};
use super::error::Refused;
use super::market::Market;
use super::shown::message;
use super::views;
use super::wish::{Kind, ORDERS_MAX, SLEEPING_MAX, Tif, Wish};
use crate::market::Currency;
use crate::orders::{Answer, Order, WordId};
use crate::portfolio::PortfolioError;
use crate::risk::{Guard, RiskView};
use crate::sim::{Profile, Sim};

/// Where an order is in its life, in the venue's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    New,
    PartiallyFilled,
    Filled,
    Canceled,
    Rejected,
    Expired,
}

impl Status {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::PartiallyFilled => "PARTIALLY_FILLED",
            Self::Filled => "FILLED",
            Self::Canceled => "CANCELED",
            Self::Rejected => "REJECTED",
            Self::Expired => "EXPIRED",
        }
    }

    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::PartiallyFilled)
    }
}

/// An order.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) id: u64,
    pub(super) market: usize,
    pub(super) wish: Wish,
    pub(super) client_id: String,
    /// Its id before it was amended under another; empty otherwise.
    pub(super) previous_client_id: String,
    /// The id of the cancel that ended it; empty otherwise.
    pub(super) cancel_id: String,
    pub(super) status: Status,
    pub(super) filled: Qty,
    /// At the settlement currency's scale.
    pub(super) quote_filled: Money,
    pub(super) created: Ts,
    pub(super) updated: Ts,
    /// It sleeps until its stop price is reached.
    pub(super) sleeps: bool,
    pub(super) reason: &'static str,
    /// How many executions the account had before it.
    pub(super) executions_before: usize,
}

/// An execution.
#[derive(Debug, Clone)]
pub(super) struct Execution {
    pub(super) id: i64,
    pub(super) order: u64,
    pub(super) market: usize,
    pub(super) side: Side,
    pub(super) price: Price,
    pub(super) qty: Qty,
    pub(super) value: Money,
    pub(super) fee: Fee,
    pub(super) maker: bool,
    pub(super) ts: Ts,
}

/// What was taken of a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fee {
    Quote(Money),
    /// At [`DIGITS`] digits.
    Base(i128),
}

/// A balance, at the currency's scale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Balance {
    pub(super) asset: String,
    pub(super) scale: u8,
    pub(super) free: i128,
    pub(super) locked: i128,
}

/// Money that came in or (below zero) left otherwise than by trading, at the currency's scale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) id: usize,
    pub(super) asset: String,
    pub(super) scale: u8,
    pub(super) amount: i128,
    pub(super) ts: Ts,
}

/// Ids of executions of our own, far from those of public trades.
const EXECUTIONS_FROM: i64 = 1_000_000_000_000;

/// An account.
pub(super) struct Account {
    pub(super) name: String,
    sim: Sim,
    profile: Profile,
    pub(super) rules: Vec<Instrument>,
    pub(super) currencies: Vec<Currency>,
    pub(super) orders: BTreeMap<u64, Held>,
    pub(super) open: BTreeSet<u64>,
    by_client: BTreeMap<String, u64>,
    pub(super) executions: Vec<Execution>,
    pub(super) moved: Vec<Moved>,
    commission: Commission,
    /// Taken of what was bought, by instrument, at [`DIGITS`] digits.
    fees_in_base: Vec<i128>,
    /// The exchange has not seen the present book of the market: nothing of ours rests there.
    behind: Vec<bool>,
    /// Events for the user data stream, in order.
    pub(super) events: Vec<String>,
    pub(super) updated: Ts,
    /// What the venue's clock shows beyond engine time, nanoseconds.
    pub(super) skew_ns: i64,
}

impl Account {
    pub(super) fn new(
        name: &str,
        sim: Sim,
        profile: Profile,
        rules: Vec<Instrument>,
        currencies: Vec<Currency>,
        commission: Commission,
    ) -> Self {
        let markets = rules.len();
        Self {
            name: name.to_owned(),
            sim,
            profile,
            behind: vec![true; rules.len()],
            rules,
            currencies,
            orders: BTreeMap::new(),
            open: BTreeSet::new(),
            by_client: BTreeMap::new(),
            executions: Vec::new(),
            moved: Vec::new(),
            commission,
            fees_in_base: vec![0; markets],
            events: Vec::new(),
            updated: Ts::from_nanos(0),
            skew_ns: 0,
        }
    }

    /// The index of the currency an instrument is paid in.
    fn settle(&self, market: usize) -> usize {
        self.sim.ledger().terms(InstrumentId(market as u16)).settle
    }

    /// The currency an instrument is paid in.
    pub(super) fn quote(&self, market: usize) -> &Currency {
        &self.currencies[self.settle(market)]
    }

    /// The maker and taker rates of the first instrument.
    pub(super) fn rates(&self) -> (bellwether_sdk::Rate, bellwether_sdk::Rate) {
        (self.sim.maker_rate(InstrumentId(0)), self.sim.taker_rate(InstrumentId(0)))
    }

    /// All balances, quote currencies first.
    pub(super) fn balances(&self) -> Vec<Balance> {
        let ledger = self.sim.ledger();
        let mut all: Vec<Balance> = Vec::new();
        for (c, currency) in self.currencies.iter().enumerate() {
            let total = ledger.cash(c).mantissa();
            let locked = self.locked_quote(c).min(total.max(0));
            all.push(Balance { asset: currency.code.clone(), scale: currency.scale, free: total - locked, locked });
        }
        for (i, rules) in self.rules.iter().enumerate() {
            let held = ledger.position(InstrumentId(i as u16)).qty;
            let total = at_eight(held, rules.qty_scale) - self.fees_in_base[i];
            let locked = self.locked_base(i).min(total.max(0));
            let asset = rules.symbol.base().to_owned();
            all.push(Balance { asset, scale: DIGITS, free: total - locked, locked });
        }
        all
    }

    /// Money comes in or (below zero) leaves, in a currency in which something is priced.
    pub(super) fn pay_in(&mut self, asset: &str, amount: bellwether_sdk::Decimal, now: Ts) -> Result<(), String> {
        let currency = self.currencies.iter().position(|c| c.code == asset);
        let Some(currency) = currency else { return Err(format!("nothing is priced in {asset}")) };
        let scale = self.currencies[currency].scale;
        let amount = super::digits::amount(amount, scale);
        if amount == 0 || self.free(asset).saturating_add(amount) < 0 {
            return Err(format!("of {asset} so much is not free, or it is nothing"));
        }
        self.sim.pay_in(currency, Money::from_mantissa(amount)).map_err(|e| e.to_string())?;
        let id = self.moved.len() + 1;
        self.moved.push(Moved { id, asset: asset.to_owned(), scale, amount, ts: now });
        self.updated = now;
        Ok(())
    }

    fn open_orders(&self) -> impl Iterator<Item = &Held> {
        self.open.iter().filter_map(|id| self.orders.get(id))
    }

    fn locked_quote(&self, currency: usize) -> i128 {
        let buys = self.open_orders().filter(|o| o.wish.side == Side::Buy && self.settle(o.market) == currency);
        buys.map(|o| self.cost_at(o.market, limit_of(&o.wish), left(o))).sum()
    }

    fn locked_base(&self, market: usize) -> i128 {
        let sells = self.open_orders().filter(|o| o.wish.side == Side::Sell && o.market == market);
        sells.map(|o| at_eight(left(o), self.rules[market].qty_scale)).sum()
    }

    /// What a quantity costs at a price, fee of a taker included.
    fn cost_at(&self, market: usize, price: Price, qty: Qty) -> i128 {
        let terms = self.sim.ledger().terms(InstrumentId(market as u16));
        let Ok(value) = terms.notional(price, qty) else { return i128::MAX / 4 };
        let fee = terms.fee(value, self.sim.taker_rate(InstrumentId(market as u16))).map_or(0, Money::mantissa);
        value.mantissa() + fee.max(0)
    }

    /// What a quantity costs in the shown book (its worst price for what the book has not).
    fn cost_in_book(&self, market: &Market, qty: Qty) -> i128 {
        let mut left = qty.mantissa();
        let (mut cost, mut worst) = (0i128, market.last);
        for (price, shown) in market.shown.book.levels(Side::Sell) {
            let take = left.min(shown.mantissa());
            cost += self.cost_at(market.index, price, Qty::from_mantissa(take));
            (left, worst) = (left - take, price);
            if left == 0 {
                return cost;
            }
        }
        cost + self.cost_at(market.index, worst, Qty::from_mantissa(left))
    }

    /// The quantity that an amount of quote currency trades in the shown book, fee included for buys.
    fn qty_for_quote(&self, market: &Market, wish: &Wish) -> Qty {
        let scale = self.quote(market.index).scale;
        let Some(amount) = wish.quote_qty else { return wish.qty };
        let mut amount = super::digits::amount(amount, scale);
        let id = InstrumentId(market.index as u16);
        let terms = self.sim.ledger().terms(id);
        let rate = if wish.side == Side::Buy { self.sim.taker_rate(id) } else { bellwether_sdk::Rate::ZERO };
        let mut total = 0i64;
        for (price, shown) in market.shown.book.levels(wish.side.opposite()) {
            let fits = terms.qty_for(Money::from_mantissa(amount), price, rate, market.rules.lot);
            let take =
                fits.mantissa().min(shown.mantissa() / market.rules.lot.mantissa() * market.rules.lot.mantissa());
            total = total.saturating_add(take);
            amount -= terms.notional(price, Qty::from_mantissa(take)).map_or(0, Money::mantissa);
            if take < shown.mantissa() {
                break;
            }
        }
        Qty::from_mantissa(total)
    }

    fn free(&self, asset: &str) -> i128 {
        self.balances().iter().find(|b| b.asset == asset).map_or(0, |b| b.free)
    }

    /// Takes an order, or says why not as the venue does. `test` stops short of it.
    pub(super) fn place(
        &mut self,
        mut wish: Wish,
        market: &Market,
        id: u64,
        now: Ts,
        test: bool,
    ) -> Result<u64, Refused> {
        if wish.quote_qty.is_some() {
            wish.qty = self.qty_for_quote(market, &wish);
            if wish.qty.is_zero() {
                return Err(Refused::filter("NOTIONAL"));
            }
        }
        market.filters.check(&wish, &market.rules, market.last)?;
        let client_id = wish.client_id.clone().unwrap_or_else(|| format!("sandbox-{id}"));
        self.check_room(&wish, &client_id, market)?;
        if test {
            return Ok(id);
        }
        self.check_money(&wish, market)?;
        let sleeps = wish.kind.is_conditional();
        let held = Held {
            id,
            market: market.index,
            previous_client_id: String::new(),
            cancel_id: String::new(),
            client_id: client_id.clone(),
            status: Status::New,
            filled: Qty::ZERO,
            quote_filled: Money::ZERO,
            created: now,
            updated: now,
            sleeps,
            reason: "",
            executions_before: self.executions.len(),
            wish,
        };
        let mark = self.events.len();
        self.orders.insert(id, held);
        self.open.insert(id);
        self.by_client.insert(client_id.clone(), id);
        if sleeps {
            self.tell(id, "NEW", None, now);
            return Ok(id);
        }
        self.send(id, market, now).map_err(|e| Refused::ours(&e))?;
        match self.orders.get(&id) {
            Some(held) if held.status == Status::Rejected => {
                let refused = refusal(held.reason);
                self.orders.remove(&id);
                self.by_client.remove(&client_id);
                self.events.truncate(mark);
                Err(refused)
            }
            _ => Ok(id),
        }
    }

    /// Duplicates, counts, prices that would act at once.
    fn check_room(&self, wish: &Wish, client_id: &str, market: &Market) -> Result<(), Refused> {
        let here = || self.open_orders().filter(|o| o.market == market.index);
        if here().any(|o| o.client_id == client_id) {
            return Err(Refused::rejected("Duplicate order sent."));
        }
        if here().count() >= ORDERS_MAX {
            return Err(Refused::filter("MAX_NUM_ORDERS"));
        }
        if wish.kind.is_conditional() {
            if here().filter(|o| o.sleeps).count() >= SLEEPING_MAX {
                return Err(Refused::filter("MAX_NUM_ALGO_ORDERS"));
            }
            if wish.kind.wakes(wish.side, wish.stop, market.last) {
                return Err(Refused::rejected("Stop price would trigger immediately."));
            }
        }
        let crosses = match wish.side {
            Side::Buy => market.shown.book.best_ask().is_some_and(|(ask, _)| wish.price >= ask),
            Side::Sell => market.shown.book.best_bid().is_some_and(|(bid, _)| wish.price <= bid),
        };
        if wish.kind == Kind::LimitMaker && crosses {
            return Err(Refused::rejected("Order would immediately match and take."));
        }
        Ok(())
    }

    fn check_money(&self, wish: &Wish, market: &Market) -> Result<(), Refused> {
        let (needed, asset) = match wish.side {
            Side::Sell => (at_eight(wish.qty, market.rules.qty_scale), market.rules.symbol.base()),
            Side::Buy if limit_of(wish).is_zero() => (self.cost_in_book(market, wish.qty), market.rules.symbol.quote()),
            Side::Buy => (self.cost_at(market.index, limit_of(wish), wish.qty), market.rules.symbol.quote()),
        };
        if needed > self.free(asset) { Err(Refused::broke()) } else { Ok(()) }
    }

    /// Hands an order to the exchange and hears what becomes of it at once.
    fn send(&mut self, id: u64, market: &Market, now: Ts) -> Result<(), PortfolioError> {
        self.catch_up(market, now)?;
        let Some(held) = self.orders.get_mut(&id) else { return Ok(()) };
        held.sleeps = false;
        let order = order_of(held);
        let instrument = InstrumentId(market.index as u16);
        let ledger = self.sim.ledger();
        let view = RiskView {
            instrument: &market.rules,
            terms: ledger.terms(instrument),
            money_scale: self.currencies[ledger.terms(instrument).settle].scale,
            position: ledger.position(instrument),
            last: market.last,
            open_orders: 0,
            reference: Price::ZERO,
            pace: crate::risk::Pace::default(),
        };
        // The venue sets no limits of its own; what it refuses, it has refused above.
        match Guard::default().approve(order, &view) {
            Ok(approved) => self.sim.submit(approved, now),
            Err(_) => self.end(id, Status::Rejected, "size", now),
        }
        self.sim.pass_time(now)?;
        self.hear_all(now)
    }

    /// Shows the exchange the present market, if it was left alone for having nothing of ours.
    fn catch_up(&mut self, market: &Market, now: Ts) -> Result<(), PortfolioError> {
        if !std::mem::replace(&mut self.behind[market.index], false) {
            return Ok(());
        }
        self.sim.pass_time(now)?;
        if let Some(trade) = market.last_trade {
            self.sim.on_trade(&trade)?;
        }
        self.show_book(market, &market.shown.all(), true, now)
    }

    fn show_book(
        &mut self,
        market: &Market,
        levels: &[bellwether_sdk::Level],
        whole: bool,
        now: Ts,
    ) -> Result<(), PortfolioError> {
        let instrument = InstrumentId(market.index as u16);
        match self.profile {
            Profile::Quote => self.sim.on_quote(&market.shown.top(now, instrument)),
            _ => self.sim.on_depth(&message(levels, whole, instrument, now)),
        }
    }

    /// Whether nothing of ours can be touched by the market.
    fn is_calm(&self, market: usize) -> bool {
        !self.open_orders().any(|o| o.market == market)
    }

    /// The shown book changed.
    pub(super) fn on_book(
        &mut self,
        market: &Market,
        levels: &[bellwether_sdk::Level],
        now: Ts,
    ) -> Result<(), PortfolioError> {
        if self.is_calm(market.index) {
            self.behind[market.index] = true;
            return Ok(());
        }
        if self.behind[market.index] {
            return self.catch_up(market, now);
        }
        self.sim.pass_time(now)?;
        self.show_book(market, levels, false, now)?;
        self.hear_all(now)
    }

    /// The market traded: sleeping orders may wake, resting ones may fill.
    pub(super) fn on_trade(&mut self, market: &Market, now: Ts) -> Result<(), PortfolioError> {
        if self.is_calm(market.index) {
            return Ok(());
        }
        if let Some(trade) = market.last_trade.filter(|_| !self.behind[market.index]) {
            self.sim.pass_time(now)?;
            self.sim.on_trade(&trade)?;
            self.hear_all(now)?;
        }
        let woken = |o: &&Held| {
            o.sleeps && o.market == market.index && o.wish.kind.wakes(o.wish.side, o.wish.stop, market.last)
        };
        let woken: Vec<u64> = self.open_orders().filter(woken).map(|o| o.id).collect();
        for id in woken {
            self.send(id, market, now)?;
        }
        Ok(())
    }

    fn hear_all(&mut self, now: Ts) -> Result<(), PortfolioError> {
        let mut answers = Vec::new();
        loop {
            self.sim.advance(&mut answers)?;
            if answers.is_empty() {
                return Ok(());
            }
            for answer in answers.drain(..) {
                self.hear(answer, now);
            }
        }
    }

    fn hear(&mut self, answer: Answer, now: Ts) {
        match answer {
            Answer::Accepted(id) => {
                let woken = self.orders.get(&id.0).is_none_or(|o| o.wish.kind.is_conditional());
                if !woken {
                    self.tell(id.0, "NEW", None, now);
                }
            }
            Answer::Rejected(id, reason) => self.end(id.0, Status::Rejected, reason, now),
            Answer::Cancelled(id, "requested") => self.end(id.0, Status::Canceled, "", now),
            Answer::Cancelled(id, reason) | Answer::Expired(id, reason) => self.end(id.0, Status::Expired, reason, now),
            Answer::Fill { order, instrument, side, price, qty, fee, liquidity, .. } => {
                self.filled(order.0, instrument, side, (price, qty, fee), liquidity == Liquidity::Maker, now);
            }
            Answer::Funding(..) | Answer::Unknown(_) => {}
        }
    }

    fn filled(
        &mut self,
        id: u64,
        instrument: InstrumentId,
        side: Side,
        (price, qty, fee): (Price, Qty, Money),
        maker: bool,
        now: Ts,
    ) {
        let value = self.sim.ledger().terms(instrument).notional(price, qty).unwrap_or_default();
        let Some(held) = self.orders.get_mut(&id) else { return };
        held.filled = Qty::from_mantissa(held.filled.mantissa() + qty.mantissa());
        held.quote_filled = Money::from_mantissa(held.quote_filled.mantissa() + value.mantissa());
        held.updated = now;
        held.status = if held.filled >= held.wish.qty { Status::Filled } else { Status::PartiallyFilled };
        if held.status == Status::Filled {
            self.open.remove(&id);
        }
        let number = EXECUTIONS_FROM + self.executions.len() as i64;
        let market = instrument.index();
        let fee = self.take_fee(instrument, side, qty, fee, maker);
        let execution = Execution { id: number, order: id, market, side, price, qty, value, fee, maker, ts: now };
        self.executions.push(execution.clone());
        self.tell(id, "TRADE", Some(&execution), now);
    }

    /// The commission of a fill, in the currency that it is taken in. What the exchange took of a purchase is given back.
    fn take_fee(&mut self, instrument: InstrumentId, side: Side, qty: Qty, fee: Money, maker: bool) -> Fee {
        if self.commission == Commission::Quote || side == Side::Sell || fee <= Money::ZERO {
            return Fee::Quote(fee);
        }
        let i = instrument.index();
        let rate = if maker { self.sim.maker_rate(instrument) } else { self.sim.taker_rate(instrument) };
        let unit = 10_i128.pow(u32::from(bellwether_sdk::Rate::SCALE));
        let amount = at_eight(qty, self.rules[i].qty_scale).saturating_mul(i128::from(rate.mantissa()));
        let taken = (amount + unit - 1) / unit;
        match self.sim.pay_in(self.settle(i), fee) {
            Ok(()) => {
                self.fees_in_base[i] += taken;
                Fee::Base(taken)
            }
            Err(_) => Fee::Quote(fee),
        }
    }

    fn end(&mut self, id: u64, status: Status, reason: &'static str, now: Ts) {
        let Some(held) = self.orders.get_mut(&id).filter(|o| o.status.is_open()) else { return };
        // Refused after it rested: to the client it expired.
        let late = status == Status::Rejected && now > held.created;
        (held.status, held.reason, held.updated) = (if late { Status::Expired } else { status }, reason, now);
        let kind = held.status.name();
        self.open.remove(&id);
        self.tell(id, kind, None, now);
    }

    /// Queues an execution report and the balances after it.
    fn tell(&mut self, id: u64, kind: &str, execution: Option<&Execution>, now: Ts) {
        self.updated = now;
        let Some(held) = self.orders.get(&id) else { return };
        let report = views::report(self, held, kind, execution, now);
        let position = views::position(self, held.market, now);
        self.events.push(report);
        self.events.push(position);
    }

    /// An order by either of its ids.
    pub(super) fn find(&self, market: usize, id: Option<i64>, client_id: Option<&str>) -> Option<&Held> {
        let by_id = id.and_then(|id| u64::try_from(id).ok()).and_then(|id| self.orders.get(&id));
        let by_client = || client_id.and_then(|c| self.by_client.get(c)).and_then(|id| self.orders.get(id));
        let found = if id.is_some() { by_id } else { by_client() };
        let agrees =
            |o: &&Held| id.is_none() || client_id.is_none_or(|c| o.previous_client_id == c || o.client_id == c);
        found.filter(|o| o.market == market).filter(agrees)
    }

    /// Cancels an open order; the cancel has an id of its own.
    pub(super) fn cancel(&mut self, id: u64, new_client_id: Option<String>, now: Ts) -> Result<(), Refused> {
        let Some(held) = self.orders.get_mut(&id).filter(|o| o.status.is_open()) else {
            return Err(Refused::unknown_order());
        };
        held.cancel_id = new_client_id.unwrap_or_else(|| format!("sandbox-cancel-{id}"));
        let (sleeps, market) = (held.sleeps, held.market);
        if sleeps {
            self.end(id, Status::Canceled, "", now);
            return Ok(());
        }
        self.sim.cancel(OrderId(id), InstrumentId(market as u16), now);
        self.sim.pass_time(now).and_then(|()| self.hear_all(now)).map_err(|e| Refused::ours(&e))
    }

    /// Makes an open order smaller; it keeps its place.
    pub(super) fn amend(&mut self, id: u64, qty: Qty, new_client_id: Option<String>, now: Ts) -> Result<(), Refused> {
        let refused = |words: &str| Refused::new(-2038, words);
        let Some(held) = self.orders.get_mut(&id).filter(|o| o.status.is_open()) else {
            return Err(Refused::no_such_order());
        };
        if qty >= held.wish.qty {
            return Err(refused("The new quantity must be less than the present quantity."));
        }
        if qty <= held.filled {
            return Err(refused("The new quantity must be more than what was executed."));
        }
        if !held.sleeps && !self.sim.reduce(OrderId(id), InstrumentId(held.market as u16), qty) {
            return Err(refused("Order amend is not possible in its present state."));
        }
        held.wish.qty = qty;
        held.updated = now;
        if let Some(client_id) = new_client_id {
            held.previous_client_id = std::mem::replace(&mut held.client_id, client_id.clone());
            self.by_client.insert(client_id, id);
        }
        self.tell(id, "REPLACED", None, now);
        Ok(())
    }
}

/// The price that an order's money is locked at: its limit, or the stop of a sleeping market order.
fn limit_of(wish: &Wish) -> Price {
    if wish.price.is_zero() { wish.stop } else { wish.price }
}

fn left(held: &Held) -> Qty {
    Qty::from_mantissa(held.wish.qty.mantissa() - held.filled.mantissa())
}

fn order_of(held: &Held) -> Order {
    let wish = &held.wish;
    let kind = if wish.kind.has_limit() { OrderKind::Limit { price: wish.price } } else { OrderKind::Market };
    let tif = match wish.tif {
        Tif::Gtc => TimeInForce::Gtc,
        Tif::Ioc => TimeInForce::Ioc,
        Tif::Fok => TimeInForce::Fok,
    };
    Order {
        id: OrderId(held.id),
        strategy: 0,
        instrument: InstrumentId(held.market as u16),
        side: wish.side,
        size: Size::Qty(wish.qty),
        kind,
        tif,
        post_only: wish.kind == Kind::LimitMaker,
        reduce_only: false,
        role: Role::Intent,
        parent: OrderId(0),
        oco: OrderId(0),
        tag: WordId(0),
    }
}

/// A reason of the exchange in the venue's words.
fn refusal(reason: &str) -> Refused {
    match reason {
        "insufficient_funds" | "insufficient_position" => Refused::broke(),
        "post_only_would_take" => Refused::rejected("Order would immediately match and take."),
        "price_off_tick" => Refused::filter("PRICE_FILTER"),
        "qty_off_lot" | "qty_below_min" | "qty_above_max" => Refused::filter("LOT_SIZE"),
        "notional_below_min" | "notional_above_max" => Refused::filter("NOTIONAL"),
        other => Refused::rejected(other),
    }
}
