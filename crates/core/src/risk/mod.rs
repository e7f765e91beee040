//! The only room that makes an [`Approved`] order. It says yes or no, with the numbers, and remembers what tripped it.
//!
//! [`Guard`] is one object in backtest, paper and live. Without limits set, only what no venue would take is refused.
//! Orders that only reduce are held to no limit: a limit must never keep anybody in a position.

mod limits;
mod refusal;
mod trip;
mod weigh;

use bellwether_sdk::{Decimal, Instrument, InstrumentId, Money, OrderKind, Price, Qty, Side, Size, Ts};

use crate::orders::Order;
use crate::portfolio::{Position, Terms};

pub use limits::{Declared, InstrumentLimits, Limit, Limits, Policy};
pub use refusal::{Level, Refusal};
pub(crate) use trip::Memory;
pub use trip::{Account, Cause, GuardAct, Hold};

/// Something risk has approved. Only this room can make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approved<T> {
    approved: T,
    reduces: bool,
}

impl<T> Approved<T> {
    /// What was approved before the process began, and sent then: out of a circuit's saved state, and for nothing else.
    pub(crate) fn before(approved: T) -> Self {
        Self { approved, reduces: false }
    }

    /// Whether it was approved as something that can only make a position smaller, which no limit holds back.
    pub fn reduces(&self) -> bool {
        self.reduces
    }

    /// What was approved.
    pub fn get(&self) -> &T {
        &self.approved
    }

    /// What was approved, for the one who carries it out.
    pub fn into_inner(self) -> T {
        self.approved
    }
}

/// What the guard looks at beside the order.
#[derive(Debug, Clone, Copy)]
pub struct RiskView<'a> {
    /// Name, scales and rules.
    pub instrument: &'a Instrument,
    /// The value formula.
    pub terms: &'a Terms,
    /// Digits of the settlement currency.
    pub money_scale: u8,
    /// The account's net position.
    pub position: &'a Position,
    /// The last price; zero before the first.
    pub last: Price,
    /// Open orders in the instrument.
    pub open_orders: u32,
    /// The second source's price; zero when there is none.
    pub reference: Price,
    /// How the rest of the account stands.
    pub pace: Pace,
}

/// How the rest of the account stands: only what a limit asks for need be filled in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// Engine time.
    pub now: Ts,
    /// Orders that went out within the last 60 seconds.
    pub orders_last_minute: u32,
    /// Open orders in all instruments.
    pub open_orders: u32,
    /// Orders whose outcome nobody knows.
    pub unknown_orders: u32,
    /// When the instrument's price was heard.
    pub price_at: Ts,
    /// Best bid and best offer; zero for none.
    pub quote: (Price, Price),
    /// What the instrument's open orders that could enlarge a position would buy and sell.
    pub pending: (Pending, Pending),
    /// What the instrument's open sales are of, those that protect or that the guard made left out.
    pub sales: i64,
    /// Equity in reporting currency.
    pub equity: Money,
    /// Digits of the reporting currency.
    pub reporting_scale: u8,
    /// Reporting currency per settlement currency, mantissa by mantissa, as a fraction; a denominator of zero says that
    /// there is no price.
    pub in_reporting: (i128, i128),
    /// The largest value that all other instruments can come to, signs aside, in reporting currency.
    pub others: Money,
    /// The value of all other positions in the same base asset, with their signs, in reporting currency.
    pub asset_others: Money,
}

/// What open orders of one side would trade.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pending {
    /// Orders that have a quantity.
    pub qty: i64,
    /// Orders that have a value, in settlement currency.
    pub amount: i128,
}

/// The guard: limits, and what tripped.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    limits: Limits,
    memory: Memory,
}

impl Guard {
    /// What it remembers, to be carried over.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Takes up what it remembered.
    pub(crate) fn take_up(&mut self, memory: Memory) {
        self.memory = memory;
    }

    /// A guard that nothing has tripped.
    pub fn new(limits: Limits) -> Self {
        Self { limits, memory: Memory::default() }
    }

    /// From now on spot sales must be covered.
    pub(crate) fn cover_sales(&mut self) {
        self.limits.covered_sales = true;
    }

    /// Its limits.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Holds a strategy by another declaration from now on; gives the one before.
    pub fn declare(&mut self, strategy: usize, declared: Declared) -> Declared {
        if self.limits.declared.len() <= strategy {
            self.limits.declared.resize_with(strategy + 1, Declared::default);
        }
        std::mem::replace(&mut self.limits.declared[strategy], declared)
    }

    /// Approves an order or says why not.
    ///
    /// # Errors
    /// [`Refusal`], with the numbers.
    pub fn approve(&self, order: Order, view: &RiskView<'_>) -> Result<Approved<Order>, Refusal> {
        check_form(&order)?;
        if self.limits.covered_sales {
            weigh::covered(&order, view)?;
        }
        let reduces = reduces(&order, view);
        if !reduces {
            if let Some(declared) = self.limits.declared_by(order.strategy) {
                declared.check(&order)?;
            }
            self.check_state(&view.pace, order.instrument)?;
            self.check_price(&order, view)?;
            for level in weigh::levels(&self.limits, &order, view)? {
                if level.is_over() {
                    return Err(Refusal::Over(level));
                }
            }
        }
        Ok(Approved { approved: order, reduces })
    }

    /// Warns of the limits that an approved order nearly fills.
    pub fn note(&mut self, order: &Order, view: &RiskView<'_>) {
        if reduces(order, view) {
            return;
        }
        for level in weigh::levels(&self.limits, order, view).into_iter().flatten() {
            if !matches!(level.limit, Limit::OrderNotional | Limit::Declared) {
                self.memory.warn(level);
            }
        }
    }

    /// Looks at the limits that trip: equity has changed.
    pub fn watch(&mut self, account: &Account) {
        self.memory.watch(&self.limits, account);
    }

    /// Whether [`watch`](Self::watch) has anything to look at.
    pub const fn is_watching(&self) -> bool {
        self.limits.watches_equity() || self.limits.losses_in_row_max.is_some()
    }

    /// The levels of the limits that trip, for people and metrics.
    pub fn trip_levels(&self, account: &Account) -> impl Iterator<Item = Level> + use<> {
        self.memory.trip_levels(&self.limits, account)
    }

    /// An order that closed something has ended; what it closed had this profit after fees.
    pub fn count_trade(&mut self, pnl: Money) {
        self.memory.count_trade(pnl);
    }

    /// A stop closed something at engine time `now`.
    pub fn stopped_out(&mut self, instrument: InstrumentId, now: Ts) {
        if self.limits.cooldown_ns > 0 {
            self.memory.cool(instrument, now.plus(self.limits.cooldown_ns));
        }
    }

    /// Somebody pulled the kill switch.
    pub fn kill(&mut self, policy: Policy) {
        self.memory.trip(Cause::Kill, policy);
    }

    /// A person re-armed it. What tripped is measured anew from here.
    pub fn arm(&mut self, account: &Account) {
        self.memory.arm(account);
    }

    /// Earlier sessions made so much on the account in this day: what they lost counts to the day's loss.
    pub fn count_earlier(&mut self, account: &Account, made: Money) {
        self.memory.count_earlier(account, made);
    }

    /// What earlier sessions made on the account in this day, as it was told.
    pub fn earlier(&self, account: &Account) -> Money {
        self.memory.earlier(account)
    }

    /// What this session made in this day; since a person armed the guard, where that was in this day.
    pub fn made(&self, account: &Account) -> Money {
        self.memory.made(account)
    }

    /// Holds entries, or does no longer.
    pub fn hold(&mut self, hold: Hold, on: bool) {
        self.memory.hold(hold, on);
    }

    /// What tripped it, and what is done about it.
    pub const fn tripped(&self) -> Option<(Cause, Policy)> {
        self.memory.tripped
    }

    /// Whether something tripped it.
    #[inline]
    pub const fn is_tripped(&self) -> bool {
        self.memory.tripped.is_some()
    }

    /// What holds entries at present.
    pub fn holds(&self) -> impl Iterator<Item = Hold> + '_ {
        self.memory.holds.iter().copied()
    }

    /// What it did since the last call, in order.
    pub fn take_acts(&mut self) -> Vec<GuardAct> {
        self.memory.take_acts()
    }

    /// Whether [`take_acts`](Self::take_acts) has something.
    pub const fn has_acts(&self) -> bool {
        self.memory.has_acts()
    }

    /// What forbids entries whatever the order is.
    fn check_state(&self, pace: &Pace, instrument: InstrumentId) -> Result<(), Refusal> {
        if let Some((cause, _)) = self.memory.tripped {
            return Err(Refusal::Tripped(cause));
        }
        if let Some(hold) = self.memory.holds.first() {
            return Err(Refusal::Held(*hold));
        }
        if let Some(left) = self.memory.cooling_left(instrument, pace.now) {
            return Err(Refusal::Cooldown { left_ms: left / 1_000_000 });
        }
        match self.limits.unknown_orders_max.filter(|max| pace.unknown_orders > *max) {
            Some(max) => Err(Refusal::UnknownOrders { unknown: pace.unknown_orders, max }),
            None => Ok(()),
        }
    }

    /// What the price is held against: its age, the quote, the second source.
    fn check_price(&self, order: &Order, view: &RiskView<'_>) -> Result<(), Refusal> {
        if let Some(max) = self.limits.price_age_ns_max {
            let age = view.pace.now.nanos().saturating_sub(view.pace.price_at.nanos());
            if view.last.is_zero() || age > max {
                return Err(Refusal::PriceAge { age_ms: age / 1_000_000, max_ms: max / 1_000_000 });
            }
        }
        weigh::collar(&self.limits, order, view)?;
        weigh::gap(&self.limits, view)
    }
}

/// Whether an order can do nothing but make the position smaller, with all that is open on its side.
fn reduces(order: &Order, view: &RiskView<'_>) -> bool {
    if order.only_reduces() {
        return true;
    }
    let held = view.position.qty.mantissa();
    let pending = if order.side == Side::Buy { view.pace.pending.0 } else { view.pace.pending.1 };
    match order.size {
        Size::Qty(qty) if held.signum() == -order.side.sign() && pending.amount == 0 => {
            qty.mantissa().saturating_add(pending.qty) <= held.saturating_abs()
        }
        Size::Qty(_) | Size::Notional { .. } => false,
    }
}

/// What no venue would take.
fn check_form(order: &Order) -> Result<(), Refusal> {
    let prices_positive = match order.kind {
        OrderKind::Market | OrderKind::TrailingStop { .. } => true,
        OrderKind::Limit { price } => price > Price::ZERO,
        OrderKind::StopMarket { trigger } => trigger > Price::ZERO,
        OrderKind::StopLimit { trigger, price } => trigger > Price::ZERO && price > Price::ZERO,
    };
    if !prices_positive {
        return Err(Refusal::PriceNotPositive);
    }
    match order.size {
        Size::Qty(qty) if qty <= Qty::ZERO => Err(Refusal::SizeZero),
        Size::Notional { amount, close } if !amount.is_positive() && close <= Qty::ZERO => Err(Refusal::SizeZero),
        Size::Qty(_) | Size::Notional { .. } => Ok(()),
    }
}

/// A decimal amount as a mantissa at a money scale, cut toward zero, saturating.
pub(crate) fn amount_at(amount: Decimal, scale: u8) -> u128 {
    let mantissa = u128::from(amount.mantissa().unsigned_abs());
    let (from, to) = (u32::from(amount.scale()), u32::from(scale));
    if to >= from {
        mantissa.saturating_mul(10u128.saturating_pow(to - from))
    } else {
        mantissa / 10u128.pow(from - to)
    }
}
