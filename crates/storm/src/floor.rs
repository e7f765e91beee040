//! The truth at the venue: its market, its orders, what filled, and the money. It knows no protocol, no network and no
//! client; what clients are told of it is [`Said`].
//!
//! One instrument, BTC/USDT: prices in cents, quantities in 1e-5 BTC, money in 1e-8 USDT. Funds are not checked: whether
//! an order is refused for want of them is drawn.

use std::collections::{BTreeMap, BTreeSet};

use crate::dice::Dice;

/// Fee: ten basis points of the value, cut to the digits of money.
const FEE_BPS: i128 = 10;
/// A cent times 1e-5 BTC is 1e-7 USDT: ten units of money.
const MONEY_PER_CENT_LOT: i128 = 10;

/// Orders of others rest here and above, each at a price of its own, far below where the market goes.
const BY_HAND: i64 = 5_000;
/// Others' orders of a seed.
const BY_HAND_MAX: i64 = 9;

/// Of so many newest orders one may fill after its end.
const LATELY: usize = 12;

/// Where an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Rests.
    New,
    /// Rests, some of it filled.
    Part,
    /// Filled.
    Filled,
    /// Cancelled.
    Cancelled,
    /// Ended by its time in force.
    Expired,
}

impl State {
    /// Whether it may still fill.
    pub fn is_open(self) -> bool {
        matches!(self, Self::New | Self::Part)
    }
}

/// How an order meets the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// At a price or better, resting.
    Limit,
    /// The same, refused where it would take.
    Maker,
    /// At a price or better, at once.
    Ioc,
    /// At once.
    Market,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The client's own id.
    pub client: String,
    /// Buys.
    pub buy: bool,
    /// How.
    pub kind: Kind,
    /// Cents; zero for market orders.
    pub price: i64,
    /// 1e-5 BTC.
    pub qty: i64,
}

/// An order.
#[derive(Debug, Clone)]
pub struct Order {
    /// The venue's number, from 1.
    pub id: u64,
    /// What was asked for.
    pub wish: Wish,
    /// What filled.
    pub filled: i64,
    /// Where it is.
    pub state: State,
    /// When it was taken, milliseconds of the venue's clock.
    pub ms: i64,
}

impl Order {
    /// Whether others placed it. Its price is its own, and known on both sides.
    pub fn is_by_hand(&self) -> bool {
        is_by_hand(self.wish.price)
    }
}

/// Whether orders at a price are those of others.
pub fn is_by_hand(cents: i64) -> bool {
    (BY_HAND..BY_HAND + 1_000).contains(&cents)
}

/// A fill.
#[derive(Debug, Clone)]
pub struct Fill {
    /// The venue's number, from 1.
    pub id: u64,
    /// Place of its order in [`Floor::orders`].
    pub order: usize,
    /// Cents.
    pub price: i64,
    /// 1e-5 BTC.
    pub qty: i64,
    /// 1e-8 USDT.
    pub fee: i128,
    /// The order rested.
    pub maker: bool,
    /// When, milliseconds of the venue's clock.
    pub ms: i64,
}

/// What the venue tells its clients.
#[derive(Debug, Clone)]
pub enum Said {
    /// An order changed; the fill that changed it.
    Order(Order, Option<Fill>),
    /// Somebody traded: number, price, quantity, whether the buyer rested.
    Trade(u64, i64, i64, bool),
    /// Best bid and offer.
    Quote(i64, i64),
}

/// Why the venue refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// An open order has this client id.
    Duplicate,
    /// It would take.
    WouldTake,
    /// No such order, or it has ended.
    Unknown,
    /// Not enough money, the venue finds.
    Funds,
}

/// The venue.
pub struct Floor {
    /// Milliseconds of its clock.
    pub ms: i64,
    /// All orders, in order of their numbers.
    pub orders: Vec<Order>,
    /// All fills, in order of their numbers.
    pub fills: Vec<Fill>,
    /// What must not be: a client id that came twice.
    pub wrongs: Vec<String>,
    /// Told, and not yet handed on.
    pub said: Vec<Said>,
    /// Orders refused.
    pub refused: u64,
    /// Prices of others' orders that were taken over: before that they do not fill, since nobody would book it.
    pub taken: BTreeSet<i64>,
    by_hand: i64,
    by_client: BTreeMap<String, Option<usize>>,
    open: BTreeSet<usize>,
    position: i64,
    cash_change: i128,
    bid: i64,
    trades: u64,
}

impl Floor {
    /// A market at 100 USDT, without orders.
    pub fn new() -> Self {
        Self {
            ms: 0,
            orders: Vec::new(),
            fills: Vec::new(),
            wrongs: Vec::new(),
            said: Vec::new(),
            refused: 0,
            taken: BTreeSet::new(),
            by_hand: 0,
            by_client: BTreeMap::new(),
            open: BTreeSet::new(),
            position: 0,
            cash_change: 0,
            bid: 10_000,
            trades: 0,
        }
    }

    /// Best bid and offer, cents.
    pub fn best(&self) -> (i64, i64) {
        (self.bid, self.bid + 2)
    }

    /// Net of all fills, 1e-5 BTC.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// What all fills did to the cash, 1e-8 USDT.
    pub fn cash_change(&self) -> i128 {
        self.cash_change
    }

    /// Takes an order, or refuses it.
    pub fn place(&mut self, wish: Wish, dice: &mut Dice) -> Result<usize, Refusal> {
        if let Some(earlier) = self.by_client.get(&wish.client) {
            let same = earlier.and_then(|i| self.orders.get(i)).is_some_and(|o| o.wish == wish);
            let what = if same { "the same order" } else { "other contents, or refused before" };
            self.wrongs.push(format!("client id {} came twice: {what}", wish.client));
            return Err(Refusal::Duplicate);
        }
        let (bid, ask) = self.best();
        let crosses = if wish.buy { wish.price >= ask } else { wish.price <= bid };
        let refusal = match wish.kind {
            Kind::Maker if crosses => Some(Refusal::WouldTake),
            _ if dice.chance(150) => Some(Refusal::Funds),
            _ => None,
        };
        if let Some(refusal) = refusal {
            self.refused += 1;
            self.by_client.insert(wish.client, None);
            return Err(refusal);
        }
        let (index, kind, qty) = (self.orders.len(), wish.kind, wish.qty);
        self.by_client.insert(wish.client.clone(), Some(index));
        let id = index as u64 + 1;
        self.orders.push(Order { id, wish, filled: 0, state: State::New, ms: self.ms });
        self.open.insert(index);
        self.say(index, None);
        if crosses || kind == Kind::Market {
            let at_once = if dice.chance(6_000) { qty } else { (qty / 2).max(1) };
            self.fill(index, at_once, false);
        }
        if matches!(kind, Kind::Ioc | Kind::Market) && self.orders[index].state.is_open() {
            self.end(index, State::Expired);
        }
        Ok(index)
    }

    /// Others place an order that rests.
    pub fn place_by_hand(&mut self, dice: &mut Dice) {
        if self.by_hand == BY_HAND_MAX {
            return;
        }
        let (index, price) = (self.orders.len(), BY_HAND + self.by_hand);
        self.by_hand += 1;
        let client = format!("by-hand-{}", self.by_hand);
        self.by_client.insert(client.clone(), Some(index));
        let wish = Wish { client, buy: true, kind: Kind::Limit, price, qty: dice.between(10, 400) };
        self.orders.push(Order { id: index as u64 + 1, wish, filled: 0, state: State::New, ms: self.ms });
        self.open.insert(index);
        self.say(index, None);
    }

    /// Cancels an order.
    pub fn cancel(&mut self, index: Option<usize>) -> Result<usize, Refusal> {
        let index = index.filter(|i| self.orders[*i].state.is_open()).ok_or(Refusal::Unknown)?;
        self.end(index, State::Cancelled);
        Ok(index)
    }

    /// Cancels all that is open; their places.
    pub fn cancel_all(&mut self) -> Vec<usize> {
        let open = self.open();
        open.iter().for_each(|i| self.end(*i, State::Cancelled));
        open
    }

    /// Places of all open orders.
    pub fn open(&self) -> Vec<usize> {
        self.open.iter().copied().collect()
    }

    /// An order by the venue's number or the client's id.
    pub fn find(&self, id: Option<u64>, client: Option<&str>) -> Option<usize> {
        match (id, client) {
            (Some(id), _) => usize::try_from(id).ok()?.checked_sub(1).filter(|i| *i < self.orders.len()),
            (None, Some(client)) => self.by_client.get(client).copied().flatten(),
            (None, None) => None,
        }
    }

    /// The market moves: others trade, and some of what rests fills unless it is to keep.
    pub fn tick(&mut self, dice: &mut Dice, fills: bool) {
        self.bid = (self.bid + dice.between(-3, 3)).clamp(9_000, 11_000);
        let (bid, ask) = self.best();
        self.said.push(Said::Quote(bid, ask));
        if dice.chance(5_000) {
            self.trades += 1;
            let buyer_rests = dice.chance(5_000);
            let price = if buyer_rests { bid } else { ask };
            self.said.push(Said::Trade(self.trades, price, dice.between(1, 50_000), buyer_rests));
        }
        let open = if fills { self.open() } else { Vec::new() };
        for index in open {
            let wish = &self.orders[index].wish;
            if is_by_hand(wish.price) && !self.taken.contains(&wish.price) {
                continue;
            }
            let crossed = if wish.buy { wish.price >= ask } else { wish.price <= bid };
            if crossed || dice.chance(60) {
                let left = wish.qty - self.orders[index].filled;
                let qty = if dice.chance(4_000) { left } else { dice.between(1, left) };
                self.fill(index, qty, true);
            }
        }
    }

    /// An order that was called ended lately fills after all; whether there is one.
    pub fn fill_late(&mut self, dice: &mut Dice) -> bool {
        let ended = |o: &Order| {
            matches!(o.state, State::Cancelled | State::Expired) && o.filled < o.wish.qty && !o.is_by_hand()
        };
        let lately = self.orders.iter().enumerate().rev().take(LATELY).filter(|(_, o)| ended(o) && o.wish.buy);
        let lately: Vec<usize> = lately.map(|(i, _)| i).collect();
        let Some(index) = usize::try_from(dice.below(lately.len() as u64)).ok().and_then(|i| lately.get(i)) else {
            return false;
        };
        let (state, left) = (self.orders[*index].state, self.orders[*index].wish.qty - self.orders[*index].filled);
        self.fill(*index, dice.between(1, left), false);
        // It stays as it was called, unless all of it filled.
        if self.orders[*index].state != State::Filled {
            self.orders[*index].state = state;
        }
        self.retell();
        true
    }

    /// What was said last is said as it is now.
    fn retell(&mut self) {
        if let Some(Said::Order(order, Some(_))) = self.said.last_mut()
            && let Some(now) = usize::try_from(order.id).ok().and_then(|id| self.orders.get(id - 1))
        {
            *order = now.clone();
        }
    }

    fn fill(&mut self, index: usize, qty: i64, maker: bool) {
        let (bid, ask) = self.best();
        let order = &mut self.orders[index];
        let price = match (maker, order.wish.buy) {
            (true, _) => order.wish.price,
            (false, true) => ask,
            (false, false) => bid,
        };
        order.filled += qty;
        order.state = if order.filled == order.wish.qty { State::Filled } else { State::Part };
        let (buys, is_open) = (order.wish.buy, order.state.is_open());
        let fee = value(price, qty) * FEE_BPS / 10_000;
        self.position += if buys { qty } else { -qty };
        self.cash_change += if buys { -value(price, qty) } else { value(price, qty) } - fee;
        if !is_open {
            self.open.remove(&index);
        }
        let id = self.fills.len() as u64 + 1;
        self.fills.push(Fill { id, order: index, price, qty, fee, maker, ms: self.ms });
        self.say(index, self.fills.last().cloned());
    }

    fn end(&mut self, index: usize, state: State) {
        self.orders[index].state = state;
        self.open.remove(&index);
        self.say(index, None);
    }

    fn say(&mut self, index: usize, fill: Option<Fill>) {
        self.said.push(Said::Order(self.orders[index].clone(), fill));
    }
}

/// Price times quantity in 1e-8 USDT.
pub fn value(price: i64, qty: i64) -> i128 {
    i128::from(price) * i128::from(qty) * MONEY_PER_CENT_LOT
}
