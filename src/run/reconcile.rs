//! The venue's account held against our books: every difference with its cause and what is done about it.
//!
//! What the account held before the session, or what others did in it, stands *aside*: it is the venue's total less
//! ours, taken at the first look and written on the tape. From then on the venue's total must be what stands aside plus
//! what our books say. A fill may be under way when the account is looked at; a difference counts only when three looks
//! in a row see the same.
//!
//! Pure: it is told what the venue said, and asks nothing itself.

use std::collections::BTreeMap;

use bellwether_sdk::{Decimal, Instrument, InstrumentId, InstrumentKind, Money, Qty, num};

use crate::engine::Engine;
use crate::exchange::{Balance, Position};

/// Digits that all amounts are compared in.
const SCALE: u8 = 18;

/// Each fill of a contract may set venue and books apart by so much: a millionth of a unit.
const ROUNDING: i128 = 1_000_000_000_000;

/// Whoever goes on with a tape does not know how many fills came after the account was last equal: at most so many.
const FILLS_FORGOTTEN: u64 = 1_000;

/// So many looks that see the same difference confirm it.
const LOOKS: u32 = 3;

/// A difference between the venue and our books that is confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// The currency, or the instrument of a position.
    pub(super) what: String,
    /// What the venue has.
    pub(super) venue: i128,
    /// What it should have by our books.
    pub(super) ours: i128,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |amount| num::format_wide(amount, SCALE);
        let (venue, ours) = (text(self.venue), text(self.ours));
        let (venue, ours) = (trimmed(&venue), trimmed(&ours));
        write!(f, "{}: the venue has {venue}, our books say {ours}", self.what)
    }
}

/// What a look at the account came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// All is as our books say.
    Equal,
    /// Something differs, and may be on its way: look again soon.
    Unsure,
    /// It does differ.
    Different(Vec<Difference>),
}

/// Amounts as text, each with its currency or instrument.
pub(super) type Amounts = Vec<(String, String)>;

/// The account of one venue, as far as a session's instruments concern it.
#[derive(Debug, Default)]
pub(super) struct Books {
    instruments: Vec<InstrumentId>,
    /// Whether the cash of the books is all at this venue: then it is compared.
    whole: bool,
    /// Whether the venue's balances are without unrealised profit: then cash of contracts is too.
    wallet: bool,
    /// How many fills there were when the account was last equal.
    fills: Option<u64>,
    /// By currency or instrument: what the venue has beside our books.
    aside: BTreeMap<String, i128>,
    /// What differed at the last look, and for how many looks.
    seen: BTreeMap<String, (i128, u32)>,
    /// What the venue said last.
    balances: Option<Vec<Balance>>,
    positions: Option<Vec<Position>>,
}

impl Books {
    /// The account behind a session's instruments at a venue; `whole` when the session trades at no other.
    pub(super) fn new(instruments: Vec<InstrumentId>, whole: bool, wallet: bool) -> Self {
        Self { instruments, whole, wallet, ..Self::default() }
    }

    /// What an earlier process had noted.
    pub(super) fn recall_aside(&mut self, what: &str, amount: &str) {
        self.aside.insert(what.to_owned(), parse(amount));
    }

    /// A fee that the venue took in another currency than our books: theirs, and ours in the settlement currency. Gives
    /// what stands aside from now on.
    pub(super) fn fee(
        &mut self,
        currency: &str,
        fee: Decimal,
        settle: &str,
        booked: (i128, u8),
    ) -> Vec<(String, String)> {
        let changes = [(currency, -wide(fee)), (settle, scaled(booked.0, booked.1))];
        let changed = changes.into_iter().filter_map(|(code, change)| {
            let aside = self.aside.get_mut(code)?;
            *aside += change;
            Some((code.to_owned(), num::format_wide(*aside, SCALE)))
        });
        changed.collect()
    }

    /// The venue told all balances.
    pub(super) fn on_balances(&mut self, rows: Vec<Balance>) {
        self.balances = Some(rows);
    }

    /// The venue told all positions.
    pub(super) fn on_positions(&mut self, rows: Vec<Position>) {
        self.positions = Some(rows);
    }

    /// Compares what the venue told since the last look; `None` while something has not been told. The second value is
    /// what stands aside from now on, where that is new: it belongs on the tape.
    pub(super) fn look(&mut self, engine: &Engine) -> Option<(Look, Amounts)> {
        let (balances, positions) = (self.balances.as_ref()?, self.positions.as_ref()?);
        let venue = self.venue_side(engine, balances, positions);
        (self.balances, self.positions) = (None, None);
        let ours = self.our_side(engine);
        let rounding = self.rounding(engine);
        let mut noted = Vec::new();
        let mut seen = BTreeMap::new();
        let mut different = Vec::new();
        for (what, own) in ours {
            let theirs = venue.get(&what).copied().unwrap_or(0);
            let Some(aside) = self.aside.get(&what) else {
                self.aside.insert(what.clone(), theirs - own);
                noted.push((what, num::format_wide(theirs - own, SCALE)));
                continue;
            };
            let difference = theirs - own - aside;
            if difference != 0 && difference.abs() <= rounding.get(&what).copied().unwrap_or(0) {
                let aside = aside + difference;
                self.aside.insert(what.clone(), aside);
                noted.push((what, num::format_wide(aside, SCALE)));
            } else if difference != 0 {
                let times = self.seen.get(&what).filter(|(d, _)| *d == difference).map_or(1, |(_, n)| n + 1);
                seen.insert(what.clone(), (difference, times));
                if times >= LOOKS {
                    different.push(Difference { what, venue: theirs, ours: own + aside });
                }
            }
        }
        self.seen = seen;
        if self.seen.is_empty() {
            self.fills = Some(engine.orders().filled());
        }
        let look = match (self.seen.is_empty(), different.is_empty()) {
            (true, _) => Look::Equal,
            (false, true) => Look::Unsure,
            (false, false) => Look::Different(different),
        };
        Some((look, noted))
    }

    /// A person, or the settings, say that what differs is to be left alone: it stands aside from now on.
    /// Gives what is left, and what stands aside.
    pub(super) fn leave(&mut self) -> (Amounts, Amounts) {
        let (mut left, mut noted) = (Vec::new(), Vec::new());
        for (what, (difference, _)) in std::mem::take(&mut self.seen) {
            left.push((what.clone(), text(difference)));
            let aside = self.aside.entry(what.clone()).or_default();
            *aside += difference;
            noted.push((what, num::format_wide(*aside, SCALE)));
        }
        (left, noted)
    }

    /// So much more of a currency is the venue's and not ours. Gives what stands aside then; `None` where it is not compared.
    pub(super) fn shift(&mut self, currency: &str, amount: i128) -> Option<(String, String)> {
        let aside = self.aside.get_mut(currency).filter(|_| amount != 0)?;
        *aside += amount;
        Some((currency.to_owned(), num::format_wide(*aside, SCALE)))
    }

    /// By currency: what venue and books may differ by because both round. A venue keeps the entry price of a position in so
    /// many digits, and gives the profit of each part that closes in so many.
    fn rounding(&self, engine: &Engine) -> BTreeMap<String, i128> {
        let fills = engine.orders().filled();
        let since = fills - self.fills.unwrap_or_else(|| fills.saturating_sub(FILLS_FORGOTTEN)).min(fills);
        let contracts = self.its(engine).filter(|i| i.symbol.kind() != InstrumentKind::Spot);
        contracts.map(|i| (i.symbol.settle().to_owned(), i128::from(since) * ROUNDING)).collect()
    }

    /// What stands aside of an instrument's position, in its digits; `None` where it was not looked at yet, or does not fit.
    pub(super) fn aside_of(&self, instrument: &Instrument) -> Option<Qty> {
        let aside = self.aside.get(instrument.symbol.as_str())?;
        let unit = 10i128.pow(u32::from(SCALE.saturating_sub(instrument.qty_scale)));
        (aside % unit == 0).then(|| i64::try_from(aside / unit).ok()).flatten().map(Qty::from_mantissa)
    }

    /// The position in an instrument is ours from now on. Gives what stands aside then.
    pub(super) fn nothing_aside_of(&mut self, instrument: &Instrument) -> Vec<(String, String)> {
        let what = instrument.symbol.to_string();
        self.aside.insert(what.clone(), 0);
        vec![(what, num::format_wide(0, SCALE))]
    }

    /// What stands aside and is not nothing.
    pub(super) fn aside(&self) -> impl Iterator<Item = (&str, String)> {
        let held = self.aside.iter().filter(|(_, amount)| **amount != 0);
        held.map(|(what, amount)| (what.as_str(), trimmed(&num::format_wide(*amount, SCALE)).to_owned()))
    }

    fn its<'a>(&'a self, engine: &'a Engine) -> impl Iterator<Item = &'a Instrument> {
        let view = engine.view();
        self.instruments.iter().filter_map(move |id| Some(&view.instruments.get(id.index())?.instrument))
    }

    fn venue_side(&self, engine: &Engine, balances: &[Balance], positions: &[Position]) -> BTreeMap<String, i128> {
        let mut side: BTreeMap<String, i128> = BTreeMap::new();
        for row in balances {
            *side.entry(row.currency.clone()).or_default() += wide(row.total);
        }
        for instrument in self.its(engine).filter(|i| i.symbol.kind() != InstrumentKind::Spot) {
            let held = positions.iter().filter(|p| p.instrument == instrument.id);
            let held: i128 = held.map(|p| scaled(i128::from(p.qty.mantissa()), instrument.qty_scale)).sum();
            side.insert(instrument.symbol.to_string(), held);
        }
        side
    }

    /// What of our books must be at the venue: assets of spot instruments, positions of contracts, and cash.
    fn our_side(&self, engine: &Engine) -> BTreeMap<String, i128> {
        let mut side: BTreeMap<String, i128> = BTreeMap::new();
        let contracts = self.its(engine).any(|i| i.symbol.kind() != InstrumentKind::Spot);
        for instrument in self.its(engine) {
            let held = engine.ledger().position(instrument.id).qty;
            let held = scaled(i128::from(held.mantissa()), instrument.qty_scale);
            if instrument.symbol.kind() != InstrumentKind::Spot {
                side.insert(instrument.symbol.to_string(), held);
                continue;
            }
            *side.entry(instrument.symbol.base().to_owned()).or_default() += held;
        }
        if self.whole && (!contracts || self.wallet) {
            let mut cash = BTreeMap::new();
            for instrument in self.its(engine) {
                let currency = engine.ledger().terms(instrument.id).settle;
                let amount = scaled(engine.ledger().cash(currency).mantissa(), engine.money_scale(instrument.id));
                cash.insert(instrument.symbol.settle().to_owned(), amount);
            }
            for (code, amount) in cash {
                *side.entry(code).or_default() += amount;
            }
        }
        side
    }
}

/// An amount in the digits of money, rounded half to even, and what of it that leaves out, in the digits of this room.
pub(super) fn at_scale(amount: Decimal, scale: u8) -> (Money, i128) {
    let wide = wide(amount);
    let unit = 10i128.pow(u32::from(SCALE.saturating_sub(scale)));
    let money = crate::portfolio::div_half_even(wide, unit);
    (Money::from_mantissa(money), wide - money * unit)
}

/// An amount in the digits that all are compared in.
pub(super) fn wide(amount: Decimal) -> i128 {
    scaled(i128::from(amount.mantissa()), amount.scale())
}

fn scaled(mantissa: i128, scale: u8) -> i128 {
    mantissa.saturating_mul(10i128.pow(u32::from(SCALE.saturating_sub(scale))))
}

/// Reads what [`num::format_wide`] wrote at [`SCALE`]; what does not read is nothing.
pub(super) fn parse(text: &str) -> i128 {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let padded = format!("{whole}{part:0<width$}", width = usize::from(SCALE));
    let amount: i128 = padded.parse().unwrap_or(0);
    if negative { -amount } else { amount }
}

/// An amount as text, without needless zeros.
pub(super) fn text(amount: i128) -> String {
    trimmed(&num::format_wide(amount, SCALE)).to_owned()
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_with_more_digits_than_money_is_split_and_nothing_of_it_is_lost() {
        for (text, scale, money) in [("-0.0123456789", 8, -1_234_568), ("0.25", 8, 25_000_000), ("1.5", 0, 2)] {
            let amount: Decimal = text.parse().expect("a decimal");
            let (booked, rest) = at_scale(amount, scale);
            assert_eq!(booked.mantissa(), money, "{text}");
            assert_eq!(scaled(booked.mantissa(), scale) + rest, wide(amount), "{text}");
        }
    }

    #[test]
    fn amounts_survive_the_way_to_the_tape_and_back() {
        for amount in [0, 1, -1, 10i128.pow(18), -123_456_789_012_345_678_901, 5 * 10i128.pow(16)] {
            assert_eq!(parse(&num::format_wide(amount, SCALE)), amount);
        }
    }

    #[test]
    fn a_difference_reads_as_a_sentence() {
        let one = 10i128.pow(18);
        let difference = Difference { what: "BTC".to_owned(), venue: one / 2, ours: one };
        assert_eq!(difference.to_string(), "BTC: the venue has 0.5, our books say 1");
    }
}
