//! What others left at the venue: told, left alone, or taken into the books where somebody wants that.
//!
//! An order is taken over by the setting `session.foreign = "adopt"` or by `bellwether adopt`; a position only by the
//! latter, and only of a contract: a spot account has balances, which have no price that they were bought at.

use std::collections::BTreeMap;

use bellwether_sdk::{Decimal, Instrument, InstrumentId, InstrumentKind, OrderId, Price, Qty, Side, Symbol, Ts};
use serde::{Deserialize, Serialize};

use super::RunError;
use super::control::Reply;
use super::pilot::Pilot;
use crate::config::{Foreign, Settings};
use crate::engine::{Adopted, Adoption, Engine, Told};
use crate::exchange::drive::Desk;
use crate::exchange::gateway::{self, Adoptable, LeftAlone};
use crate::exchange::{OrderRow, Position};
use crate::orders::WordId;

/// Most open orders of others that are remembered.
const FOREIGN_MAX: usize = 4_096;

/// What is to be taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdoptWhat {
    /// All open orders of others that were seen.
    Orders,
    /// One of them, by the venue's id.
    Order(String),
    /// The position in a contract.
    Position(Symbol),
}

/// That something is to be taken over, asked of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdoptAsked {
    /// What.
    pub what: AdoptWhat,
    /// The strategy that it belongs to from now on; `None`: to none.
    pub strategy: Option<String>,
    /// Who asks.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// A number by which the answer is known; zero: nobody waits for one.
    pub number: u64,
}

/// For whom something is taken over, and who wants that.
#[derive(Debug, Clone)]
struct Wish {
    strategy: Option<String>,
    operator: String,
    reason: String,
    number: u64,
}

/// What somebody who waits is told at the end.
#[derive(Debug, Default)]
struct Waiter {
    left: usize,
    taken: Vec<String>,
    refused: Vec<String>,
}

/// An order's gateway, instrument and venue's id.
type Name = (usize, InstrumentId, String);

/// What others left at the venues, as far as it was seen.
#[derive(Default)]
pub(super) struct Foreigners {
    /// The settings want all orders taken over.
    policy: Option<Wish>,
    orders: BTreeMap<Name, OrderRow>,
    positions: BTreeMap<(usize, InstrumentId), Position>,
    /// Orders that are looked up.
    wishes: BTreeMap<Name, Wish>,
    waiters: BTreeMap<u64, Waiter>,
}

impl Foreigners {
    /// As the settings say.
    ///
    /// # Errors
    /// [`RunError::Settings`] when they name a strategy that the session does not have.
    pub(super) fn new(settings: &Settings, engine: &Engine) -> Result<Self, RunError> {
        let strategy = settings.session.adopt_for.clone();
        if let Some(id) = strategy.as_ref().filter(|id| engine.given_to(id).is_none()) {
            let there = engine.strategy_ids().join(", ");
            return Err(RunError::Settings(format!(
                "session.adopt_for names the strategy {id}, which does not run; there are: {there}"
            )));
        }
        let reason = "session.foreign = \"adopt\"".to_owned();
        let wish = Wish { strategy, operator: "settings".to_owned(), reason, number: 0 };
        Ok(Self { policy: (settings.session.foreign == Foreign::Adopt).then_some(wish), ..Self::default() })
    }

    /// A gateway's account has these positions, and no others.
    pub(super) fn see_positions(&mut self, number: usize, rows: &[Position]) {
        self.positions.retain(|(gateway, _), _| *gateway != number);
        self.positions.extend(rows.iter().map(|row| ((number, row.instrument), row.clone())));
    }
}

impl Pilot<'_, '_> {
    /// An open order that is not ours was seen for the first time.
    pub(super) fn on_foreign(&mut self, number: usize, row: OrderRow, now: Ts, desk: &mut Desk<'_>) {
        self.note(format!("an open order that is not ours: {} ({})", row.venue_id, row.client_id));
        let name = (number, row.instrument, row.venue_id.clone());
        // The gateways forget as many: one that is still there is told again.
        if self.foreigners.orders.len() >= FOREIGN_MAX {
            self.foreigners.orders.clear();
        }
        self.foreigners.orders.insert(name.clone(), row);
        if let Some(wish) = self.foreigners.policy.clone() {
            self.look_up(name, wish, now, desk);
        }
    }

    /// Somebody asks for something to be taken over.
    pub(super) fn adopt_asked(&mut self, asked: AdoptAsked, now: Ts, desk: &mut Desk<'_>) {
        let AdoptAsked { what, strategy, operator, reason, number } = asked;
        let wish = Wish { strategy, operator, reason, number };
        let names: Vec<Name> = match &what {
            AdoptWhat::Position(symbol) => {
                self.foreigners.waiters.insert(number, Waiter { left: 1, ..Waiter::default() });
                let done = self.adopt_position(symbol, &wish, now, desk);
                return self.tell_waiter(number, done);
            }
            AdoptWhat::Orders => self.foreigners.orders.keys().cloned().collect(),
            AdoptWhat::Order(id) => self.foreigners.orders.keys().filter(|(.., of)| of == id).cloned().collect(),
        };
        if names.is_empty() {
            self.foreigners.waiters.insert(number, Waiter { left: 1, ..Waiter::default() });
            let what = match what {
                AdoptWhat::Order(id) => format!("no open order {id} of others was seen in the session's instruments"),
                _ => "no open order of others was seen in the session's instruments".to_owned(),
            };
            return self.tell_waiter(number, Err(what));
        }
        self.foreigners.waiters.insert(number, Waiter { left: names.len(), ..Waiter::default() });
        for name in names {
            self.look_up(name, wish.clone(), now, desk);
        }
    }

    /// What it is now is asked of the venue; then it is taken over.
    fn look_up(&mut self, name: Name, wish: Wish, now: Ts, desk: &mut Desk<'_>) {
        let Some(gateway) = desk.gateway(name.0) else { return };
        gateway.look_up(name.1, &name.2, now);
        if let Some(before) = self.foreigners.wishes.insert(name, wish) {
            self.tell_waiter(before.number, Err("somebody else asks for it too".to_owned()));
        }
    }

    /// The venue has told how an order of others stands.
    pub(super) fn on_adoptable(&mut self, number: usize, order: &Adoptable, now: Ts, desk: &mut Desk<'_>) {
        let name = (number, order.row.instrument, order.row.venue_id.clone());
        let Some(wish) = self.foreigners.wishes.remove(&name) else { return };
        let done = self.adopt_order(number, order, &wish, now, desk);
        if done.is_ok() {
            self.foreigners.orders.remove(&name);
        }
        self.tell_waiter(wish.number, done);
    }

    /// An order of others cannot be taken over.
    pub(super) fn on_left_alone(&mut self, number: usize, left: &LeftAlone) {
        let LeftAlone { instrument, venue_id, why, is_gone } = left;
        let name = (number, *instrument, venue_id.clone());
        if *is_gone {
            self.foreigners.orders.remove(&name);
        }
        let wish = self.foreigners.wishes.remove(&name);
        self.tell_waiter(wish.map_or(0, |w| w.number), Err(format!("order {venue_id} of others: {why}")));
    }

    fn adopt_order(
        &mut self,
        number: usize,
        order: &Adoptable,
        wish: &Wish,
        now: Ts,
        desk: &mut Desk<'_>,
    ) -> Result<String, String> {
        let Adoptable { row, seen, since } = order;
        let refused = |why: &str| format!("order {} of others: {why}", row.venue_id);
        let Some(kind) = row.kind else { return Err(refused("it is of a kind that this program does not have")) };
        let qty = Qty::from_mantissa(row.qty.mantissa().saturating_sub(row.filled.mantissa()));
        if qty <= Qty::ZERO {
            return Err(refused("nothing of it is open"));
        }
        self.check_wish(wish, row.instrument).map_err(|why| refused(&why))?;
        let mut adoption = Adoption {
            order: OrderId(0),
            strategy: wish.strategy.clone(),
            instrument: row.instrument,
            side: row.side,
            qty,
            what: Adopted::Order {
                venue_id: row.venue_id.clone(),
                client_id: row.client_id.clone(),
                kind,
                tif: row.tif,
                before: row.filled,
                seen: seen.clone(),
                since: *since,
            },
            operator: wish.operator.clone(),
            reason: wish.reason.clone(),
        };
        let id = self.adopt(&mut adoption, now, desk).map_err(|why| refused(&why))?;
        if let Some(gateway) = desk.gateway(number) {
            let adopted = gateway::Adopted {
                order: adoption.order(0, WordId::default()),
                venue_id: row.venue_id.clone(),
                before: row.filled,
                since: *since,
                cancelled: false,
                ended: None,
                filled: Qty::ZERO,
                seen: seen.clone(),
            };
            gateway.take_in(adopted, now);
        }
        Ok(format!("order {} of others is order {} of {} from now on", row.venue_id, id.0, whose(wish)))
    }

    fn adopt_position(&mut self, symbol: &Symbol, wish: &Wish, now: Ts, desk: &mut Desk<'_>) -> Result<String, String> {
        let view = &self.session.circuit.engine().view().instruments;
        let instrument = view.iter().map(|v| &v.instrument).find(|i| i.symbol == *symbol).cloned();
        let Some(instrument) = instrument else { return Err(format!("{symbol} is no instrument of this session")) };
        let refused = |why: &str| format!("the position in {symbol}: {why}");
        if symbol.kind() == InstrumentKind::Spot {
            return Err(refused(
                "a spot account has no positions but balances, and the venue knows no price at which they were bought; \
                 what the account holds beside the session stands aside, and is bought or sold by whoever holds it",
            ));
        }
        self.check_wish(wish, instrument.id).map_err(|why| refused(&why))?;
        let Some(number) = self.gateways.get(&instrument.id).copied() else {
            return Err(refused("nobody stands behind the door of a paper session"));
        };
        let held = self.session.circuit.engine().ledger().position(instrument.id).qty;
        let books = self.accounts.books.get(&number);
        let aside = books.and_then(|b| b.aside_of(&instrument)).unwrap_or(Qty::ZERO);
        let venue = self.foreigners.positions.get(&(number, instrument.id));
        let (Some(venue), false) = (venue, aside.is_zero()) else {
            return Err(refused("nothing of it stands aside"));
        };
        if !held.is_zero() || venue.qty != aside {
            return Err(refused("a part of it is ours, and the venue's entry price is of the whole"));
        }
        let entry = venue.entry.and_then(|entry| at_scale(entry, &instrument)).filter(|p| *p > Price::ZERO);
        let Some(entry) = entry else { return Err(refused("the venue tells no entry price")) };
        let mut adoption = Adoption {
            order: OrderId(0),
            strategy: wish.strategy.clone(),
            instrument: instrument.id,
            side: if aside > Qty::ZERO { Side::Buy } else { Side::Sell },
            qty: Qty::from_mantissa(aside.mantissa().saturating_abs()),
            what: Adopted::Position { entry },
            operator: wish.operator.clone(),
            reason: wish.reason.clone(),
        };
        self.adopt(&mut adoption, now, desk).map_err(|why| refused(&why))?;
        let noted = self.accounts.books.get_mut(&number).map(|b| b.nothing_aside_of(&instrument)).unwrap_or_default();
        self.note_aside(number, noted, desk);
        let (qty, price) = (aside.to_text(instrument.qty_scale), entry.to_text(instrument.price_scale));
        Ok(format!("the position of {qty} {symbol} at {price} is of {} from now on", whose(wish)))
    }

    /// Whether a wish can be followed now.
    fn check_wish(&self, wish: &Wish, instrument: InstrumentId) -> Result<(), String> {
        if self.ending.is_some() || self.failed.is_some() {
            return Err("the session ends".to_owned());
        }
        let Some(id) = &wish.strategy else { return Ok(()) };
        match self.session.circuit.engine().given_to(id) {
            None => Err(format!(
                "no strategy {id} runs; there are: {}",
                self.session.circuit.engine().strategy_ids().join(", ")
            )),
            Some(given) if !given.contains(&instrument) => Err(format!("the strategy {id} does not trade it")),
            Some(_) => Ok(()),
        }
    }

    /// Numbers the order and tells the session, whose tape has it first. Gives the number.
    fn adopt(&mut self, adoption: &mut Adoption, now: Ts, desk: &mut Desk<'_>) -> Result<OrderId, String> {
        let at = now.max(self.session.now);
        // What is due until now comes first: the orders it makes take the next numbers.
        if self.session.circuit.next_due() <= at {
            self.tell(Told::Clock(at), desk);
        }
        adoption.order = self.session.circuit.engine().next_order();
        self.tell(Told::Adopt(adoption, at), desk);
        match self.session.circuit.engine().orders().get(adoption.order) {
            Ok(_) if self.failed.is_none() => Ok(adoption.order),
            _ => Err("the session could not write it down".to_owned()),
        }
    }

    /// What came of a wish: told, and answered once all that was asked together is decided.
    fn tell_waiter(&mut self, number: u64, done: Result<String, String>) {
        let text = match &done {
            Ok(text) => text.clone(),
            Err(why) => format!("not taken over: {why}"),
        };
        self.note(text);
        let Some(waiter) = self.foreigners.waiters.get_mut(&number) else { return };
        waiter.left = waiter.left.saturating_sub(1);
        match done {
            Ok(text) => waiter.taken.push(text),
            Err(why) => waiter.refused.push(why),
        }
        if waiter.left > 0 {
            return;
        }
        let Some(waiter) = self.foreigners.waiters.remove(&number) else { return };
        let step = if waiter.refused.is_empty() { "adopted" } else { "refused" };
        let text = waiter.taken.into_iter().chain(waiter.refused).collect::<Vec<_>>().join("\n");
        if let Some(standing) = self.standing.as_ref().filter(|_| number != 0) {
            standing.answer(&Reply { number, step: step.to_owned(), text });
        }
    }
}

/// Who something belongs to, for people.
fn whose(wish: &Wish) -> String {
    wish.strategy.as_ref().map_or_else(|| "no strategy".to_owned(), |id| format!("the strategy {id}"))
}

/// A price in an instrument's digits, rounded half to even.
fn at_scale(price: Decimal, instrument: &Instrument) -> Option<Price> {
    let (mantissa, from, to) =
        (i128::from(price.mantissa()), u32::from(price.scale()), u32::from(instrument.price_scale));
    let wide = if to >= from {
        mantissa.checked_mul(10i128.checked_pow(to - from)?)?
    } else {
        crate::portfolio::div_half_even(mantissa, 10i128.checked_pow(from - to)?)
    };
    i64::try_from(wide).ok().map(Price::from_mantissa)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_price_is_rounded_half_to_even_to_the_digits_of_the_instrument() {
        let instrument = Instrument::inferred(InstrumentId(0), "test:AAA/USD:USD".parse().expect("a symbol"), 2, 3);
        for (text, mantissa) in [("95.565", 9_556), ("95.575", 9_558), ("95.5650001", 9_557), ("95", 9_500)] {
            assert_eq!(at_scale(text.parse().expect("a decimal"), &instrument), Some(Price::from_mantissa(mantissa)));
        }
    }
}
