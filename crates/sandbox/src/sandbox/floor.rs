//! The trading floor: markets that play their tapes, accounts that trade on them, keys, limits, faults, listeners.
//!
//! Everything happens under one lock, on one thread; nothing here waits or does I/O but for reading the catalog.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bellwether_sdk::{Decimal, Instrument, InstrumentId, Money, Rate, Symbol, Ts};

use super::Commission;
use super::account::Account;
use super::digits;
use super::error::SandboxError;
use super::fault::{Dice, Faults};
use super::flood::Flood;
use super::hub::Hub;
use super::keys::Keys;
use super::klines::millis;
use super::limits::{LimitSettings, Limits};
use super::market::{Happened, Market};
use super::tape::{Tape, Tick};
use crate::data::Catalog;
use crate::market::{Currency, MONEY_SCALE_MIN};
use crate::portfolio::{Ledger, PortfolioError, Terms};
use crate::sim::{Profile, Sim, SimConfig, SlippageModel};

/// Events of one tape played at once before others get their turn.
const BURST: usize = 4_000;
/// Fee where the catalog states none: ten basis points.
const FEE: Rate = Rate::from_mantissa(1_000_000_000);

/// This machine's clock, UTC.
pub(super) fn clock() -> Ts {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ts::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// What a floor is made of.
pub(super) struct Plan {
    pub(super) catalog: Catalog,
    pub(super) instruments: Vec<Symbol>,
    pub(super) profile: Profile,
    pub(super) commission: Commission,
    pub(super) balances: Vec<(String, Decimal)>,
    pub(super) pace: f64,
    pub(super) again: bool,
    pub(super) history_ns: i64,
    pub(super) limits: LimitSettings,
    pub(super) faults: Faults,
    pub(super) seed: u64,
}

/// What every new account begins with.
struct Opening {
    config: SimConfig,
    commission: Commission,
    rules: Vec<Instrument>,
    currencies: Vec<Currency>,
    terms: Vec<Terms>,
    balances: Vec<(String, Decimal)>,
}

struct Playing {
    tape: Tape,
    /// The offset that is played at the start.
    origin: i64,
}

/// The floor.
pub(super) struct Floor {
    pub(super) markets: Vec<Market>,
    tapes: Vec<Playing>,
    pub(super) accounts: BTreeMap<String, Account>,
    opening: Opening,
    pub(super) keys: Keys,
    pub(super) limits: Limits,
    faults: Faults,
    pub(super) dice: Dice,
    pub(super) hub: Hub,
    pub(super) flood: Flood,
    next_order: u64,
    started: Ts,
    pace: f64,
    again: bool,
}

impl Floor {
    /// A floor whose markets have a past and are about to go on.
    pub(super) fn open(plan: Plan) -> Result<Self, SandboxError> {
        let catalog = Arc::new(plan.catalog);
        let mut rules = Vec::new();
        for (i, symbol) in plan.instruments.iter().enumerate() {
            let id = InstrumentId(u16::try_from(i).unwrap_or(u16::MAX));
            rules.push(checked(catalog.instrument(symbol, id)?, &plan.instruments)?);
        }
        let mut tapes = Vec::new();
        let mut markets = Vec::new();
        for (i, rules) in rules.iter().enumerate() {
            let tape = Tape::open(&catalog, rules)?;
            markets.push(Market::new(i, rules.clone(), &tape));
            tapes.push(Playing { tape, origin: 0 });
        }
        let fees: Vec<(Rate, Rate)> =
            rules.iter().map(|r| catalog.fees(&r.symbol, bellwether_sdk::Ts::MAX).unwrap_or((FEE, FEE))).collect();
        let opening = Opening::new(rules, &fees, (plan.profile, plan.commission), plan.balances)?;
        let mut floor = Self {
            markets,
            tapes,
            accounts: BTreeMap::new(),
            opening,
            keys: Keys::default(),
            limits: Limits::new(plan.limits),
            faults: plan.faults,
            dice: Dice::new(plan.seed),
            hub: Hub::default(),
            flood: Flood::default(),
            next_order: 0,
            started: clock(),
            pace: plan.pace,
            again: plan.again,
        };
        for i in 0..floor.markets.len() {
            floor.live_through_the_past(i, plan.history_ns)?;
        }
        floor.account(super::keys::MAIN)?;
        Ok(floor)
    }

    /// Plays a stretch before the start, so that there are bars and a last price: of a long tape its beginning, of a
    /// short one repetitions of the whole.
    fn live_through_the_past(&mut self, i: usize, history_ns: i64) -> Result<(), SandboxError> {
        let (playing, market) = (&mut self.tapes[i], &mut self.markets[i]);
        let length = playing.tape.length();
        let past = if length > 2 * history_ns { history_ns } else { (history_ns / length + 1) * length };
        while let Some((offset, tick)) = playing.tape.next(past - 1, true)? {
            market.take(&tick, self.started.plus(offset - past), true);
        }
        playing.origin = past;
        // The book of the moment: the next event that makes one, whenever it is due.
        while market.shown.book.best_bid().is_none() {
            let Some((_, tick)) = playing.tape.next(i64::MAX, true)? else { break };
            market.take(&tick, self.started, false);
        }
        Ok(())
    }

    /// An account by its name; a new one begins with the opening balances.
    pub(super) fn account(&mut self, name: &str) -> Result<&mut Account, SandboxError> {
        if !self.accounts.contains_key(name) {
            let mut account = self.opening.account(name, &self.markets)?;
            account.skew_ns = self.skew_ns();
            self.accounts.insert(name.to_owned(), account);
        }
        self.accounts.get_mut(name).ok_or_else(|| SandboxError::setting("account", "it is not there"))
    }

    /// The faults in force.
    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Other faults from now on.
    pub(super) fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
        let skew = self.skew_ns();
        for account in self.accounts.values_mut() {
            account.skew_ns = skew;
        }
    }

    fn skew_ns(&self) -> i64 {
        self.faults.skew_ms.saturating_mul(1_000_000)
    }

    /// The venue's clock.
    pub(super) fn venue_now(&self) -> Ts {
        clock().plus(self.skew_ns())
    }

    /// The number of a new order.
    pub(super) fn order_number(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }

    /// Which market a name means.
    pub(super) fn market(&self, name: &str) -> Option<usize> {
        self.markets.iter().position(|m| m.name == name)
    }

    /// Plays what is due. Gives whether anything is left that is due already.
    pub(super) fn play_due(&mut self) -> Result<bool, SandboxError> {
        if self.pace <= 0.0 {
            return Ok(false);
        }
        let now = clock();
        let elapsed = (now.nanos() - self.started.nanos()).max(0);
        // Pacing is no matter of exactness.
        let due = (elapsed as f64 * self.pace) as i64;
        let mut more = false;
        for i in 0..self.markets.len() {
            let until = self.tapes[i].origin.saturating_add(due);
            more |= self.play(i, until, BURST, now)? == BURST;
        }
        Ok(more)
    }

    /// Plays the next events of a market, or of all, at once.
    pub(super) fn step(&mut self, market: Option<usize>, events: usize) -> Result<usize, SandboxError> {
        let now = clock();
        let mut played = 0;
        for i in (0..self.markets.len()).filter(|i| market.is_none_or(|m| m == *i)) {
            played += self.play(i, i64::MAX, events, now)?;
        }
        self.tell_changes(true, now);
        Ok(played)
    }

    fn play(&mut self, i: usize, until: i64, most: usize, now: Ts) -> Result<usize, SandboxError> {
        for played in 0..most {
            let Some((_, tick)) = self.tapes[i].tape.next(until, self.again)? else { return Ok(played) };
            self.happen(i, &tick, now);
        }
        Ok(most)
    }

    /// One event of a market: to the streams, then to the accounts.
    fn happen(&mut self, i: usize, tick: &Tick, now: Ts) {
        let happened = self.markets[i].take(tick, now, false);
        self.announce(i, &happened, now);
        let market = &self.markets[i];
        for account in self.accounts.values_mut() {
            let trade = if happened.print.is_some() { account.on_trade(market, now) } else { Ok(()) };
            let book = if happened.levels.is_empty() { Ok(()) } else { account.on_book(market, &happened.levels, now) };
            if let Err(error) = trade.and(book) {
                tracing::error!(account = account.name, %error, "an account left the range of exact money");
            }
            tell(&mut self.hub, account);
        }
    }

    fn announce(&mut self, i: usize, happened: &Happened, now: Ts) {
        let stamp = millis(now.plus(self.skew_ns()));
        let (market, hub) = (&self.markets[i], &mut self.hub);
        if let Some(print) = &happened.print {
            if hub.wants(&market.topics.trade) {
                hub.publish(&market.topics.trade, &market.trade_message(print, stamp));
            }
            if hub.wants(&market.topics.agg_trade) {
                hub.publish(&market.topics.agg_trade, &market.agg_message(print, stamp));
            }
        }
        if happened.top && hub.wants(&market.topics.book_ticker) {
            hub.publish(&market.topics.book_ticker, &market.ticker_message());
        }
        announce_ended(market, hub, &happened.ended, stamp);
    }

    /// Every tenth of a second (`fast`) and every second: what streams of that speed have to tell.
    pub(super) fn tell_changes(&mut self, fast: bool, now: Ts) {
        let stamp = millis(now.plus(self.skew_ns()));
        for market in &mut self.markets {
            let ended = market.klines.roll(now);
            announce_ended(market, &mut self.hub, &ended, stamp);
            let suffix = if fast { "@100ms" } else { "" };
            if let Some(changes) = market.shown.take_changes(fast) {
                let topic = format!("{}@depth{suffix}", market.lower);
                if self.hub.wants(&topic) {
                    self.hub.publish(&topic, &market.depth_message(&changes, stamp));
                }
            }
            for levels in [5, 10, 20] {
                let topic = format!("{}@depth{levels}{suffix}", market.lower);
                if self.hub.wants(&topic) {
                    self.hub.publish(&topic, &market.book_text(levels));
                }
            }
            if !fast {
                tell_slowly(market, &mut self.hub, now, stamp);
            }
        }
    }

    /// Sends what an account has to tell.
    pub(super) fn tell_account(&mut self, name: &str) {
        if let Some(account) = self.accounts.get_mut(name) {
            tell(&mut self.hub, account);
        }
    }
}

/// Bars and the day's figures, once a second.
fn tell_slowly(market: &mut Market, hub: &mut Hub, now: Ts, stamp: i64) {
    for i in 0..market.klines.all.len() {
        let series = &mut market.klines.all[i];
        let (name, changed) = (series.name, std::mem::replace(&mut series.changed, false));
        let topic = format!("{}@kline_{name}", market.lower);
        if let Some(bar) = series.bars.back().copied().filter(|_| changed && hub.wants(&topic)) {
            hub.publish(&topic, &market.kline_message(name, &bar, false, stamp));
        }
    }
    for (kind, mini) in [("ticker", false), ("miniTicker", true)] {
        let topic = format!("{}@{kind}", market.lower);
        if hub.wants(&topic)
            && let Some(message) = market.day_message(now, stamp, mini)
        {
            hub.publish(&topic, &message);
        }
    }
}

fn announce_ended(market: &Market, hub: &mut Hub, ended: &[(usize, usize)], stamp: i64) {
    for (interval, count) in ended {
        let series = &market.klines.all[*interval];
        let topic = format!("{}@kline_{}", market.lower, series.name);
        if !hub.wants(&topic) {
            continue;
        }
        let complete = series.bars.len().saturating_sub(1);
        for bar in series.bars.iter().take(complete).skip(complete.saturating_sub(*count)) {
            hub.publish(&topic, &market.kline_message(series.name, bar, true, stamp));
        }
    }
}

fn tell(hub: &mut Hub, account: &mut Account) {
    for event in account.events.drain(..) {
        hub.tell(&account.name, &event);
    }
}

/// An instrument that the venue's digits can tell of and whose money is simple.
fn checked(rules: Instrument, all: &[Symbol]) -> Result<Instrument, SandboxError> {
    let wrong = |why: &str| Err(SandboxError::setting(format!("instrument {}", rules.symbol), why));
    if rules.symbol.kind() != bellwether_sdk::InstrumentKind::Spot {
        return wrong("it is no spot instrument; the sandbox is a spot exchange");
    }
    if rules.price_scale > digits::DIGITS || rules.qty_scale > digits::DIGITS {
        return wrong("it has more than eight digits after the point, which the venue's protocol cannot write");
    }
    if all.iter().any(|s| s.base() == rules.symbol.quote()) {
        return wrong("its quote currency is the base of another instrument; choose instruments of one quote currency");
    }
    let same = |s: &&Symbol| s.base() == rules.symbol.base();
    if all.iter().filter(same).count() > 1 {
        return wrong("another instrument has the same base currency; a balance would count twice");
    }
    Ok(rules)
}

impl Opening {
    fn new(
        rules: Vec<Instrument>,
        fees: &[(Rate, Rate)],
        (profile, commission): (Profile, Commission),
        balances: Vec<(String, Decimal)>,
    ) -> Result<Self, SandboxError> {
        let mut currencies: Vec<Currency> = Vec::new();
        for symbol in rules.iter().map(|r| &r.symbol) {
            if !currencies.iter().any(|c| c.code == symbol.quote()) {
                let of_quote = rules.iter().filter(|r| r.symbol.quote() == symbol.quote());
                let scale = of_quote.map(|r| r.price_scale + r.qty_scale).max().unwrap_or(0).max(MONEY_SCALE_MIN);
                currencies.push(Currency { code: symbol.quote().to_owned(), scale });
            }
        }
        let known =
            |code: &str| currencies.iter().any(|c| c.code == code) || rules.iter().any(|r| r.symbol.base() == code);
        if let Some((code, _)) = balances.iter().find(|(code, _)| !known(code)) {
            return Err(SandboxError::setting(format!("balance {code}"), "no instrument has this currency"));
        }
        let settle = |r: &Instrument| currencies.iter().position(|c| c.code == r.symbol.quote()).unwrap_or(0);
        let terms = rules.iter().map(|r| Terms::new(r, settle(r), currencies[settle(r)].scale));
        let terms = terms.collect::<Result<Vec<_>, _>>()?;
        let config = SimConfig {
            profile,
            nearest_extreme_first: false,
            maker: fees.iter().map(|f| f.0).collect(),
            taker: fees.iter().map(|f| f.1).collect(),
            money_scales: rules.iter().map(|r| currencies[settle(r)].scale).collect(),
            slippage: SlippageModel::None,
            latency_ns: 0,
            margin: None,
        };
        Ok(Self { config, commission, rules, currencies, terms, balances })
    }

    fn account(&self, name: &str, markets: &[Market]) -> Result<Account, SandboxError> {
        let given = |code: &str| self.balances.iter().find(|(c, _)| c == code).map(|(_, amount)| *amount);
        let mut start: Vec<Money> = Vec::new();
        for currency in &self.currencies {
            let amount = given(&currency.code).map_or(0, |a| digits::amount(a, currency.scale));
            start.push(Money::from_mantissa(amount));
        }
        // What is held of base currencies is bought at the last price with money that is there for it.
        let mut bought = Vec::new();
        for (i, rules) in self.rules.iter().enumerate() {
            let Some(amount) = given(rules.symbol.base()) else { continue };
            let qty = i64::try_from(digits::amount(amount, rules.qty_scale));
            let qty =
                bellwether_sdk::Qty::from_mantissa(qty.map_err(|_| PortfolioError::Overflow { what: "a balance" })?);
            let price = markets[i].last;
            let value = self.terms[i].notional(price, qty)?;
            let cash = &mut start[self.terms[i].settle];
            *cash = cash.checked_add(value).map_err(|_| PortfolioError::Overflow { what: "a balance" })?;
            bought.push((rules.id, price, qty));
        }
        let mut ledger = Ledger::new(self.terms.clone(), start, 0);
        for (id, price, qty) in bought {
            ledger.fill(id, bellwether_sdk::Side::Buy, price, qty, Money::ZERO)?;
        }
        let sim = Sim::new(self.config.clone(), self.rules.clone(), ledger);
        Ok(Account::new(name, sim, self.config.profile, self.rules.clone(), self.currencies.clone(), self.commission))
    }
}
