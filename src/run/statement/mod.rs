//! A live session's books held against the venue's own history, to the last digit: fills, funding, and money in and out.
//!
//! Ours are the fills and the funding on the tape, with the venue's ids that were written beside them. Theirs are asked
//! for. Nothing is rounded: a fill differs when any digit of its price, quantity, side or fee does. Money that comes and
//! goes is in no book: it is a difference of the account that was left alone, so the sum of what was left alone in a
//! currency is held against the sum of what the venue lists.

mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bellwether_sdk::{Decimal, InstrumentId, InstrumentKind, OrderId, Symbol, Ts};
use serde_json::Value;

pub use shown::{csv, document, text};

use super::RunError;
use super::look::{LookAt, LookError, What, look};
use super::market::venue_key;
use super::reconcile;
use super::session::Session;
use super::tapes::{self, Ears};
use crate::config::Settings;
use crate::engine::Told;
use crate::exchange::Fault;
use crate::host::Registry;
use crate::orders::Answer;
use crate::tape::{Mode, Start, TapeReader, VenueNote};

/// A fill as one of the two sides has it; numbers as text, without needless zeros.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The venue's time, nanoseconds as text; ours: engine time.
    pub ts: String,
    /// `buy` or `sell`.
    pub side: String,
    /// Quantity.
    pub qty: String,
    /// Price.
    pub price: String,
    /// Fee, in `fee_currency`; ours is in settlement currency.
    pub fee: String,
    /// The fee's currency.
    pub fee_currency: String,
}

/// A fill on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The instrument.
    pub symbol: Symbol,
    /// The venue's id of the fill.
    pub id: String,
    /// As our books have it.
    pub ours: Option<Entry>,
    /// As the venue has it.
    pub venue: Option<Entry>,
}

impl Row {
    /// What differs: empty when the two sides agree. A fee that the venue took in another currency than the settlement's
    /// is told beside ours and not compared.
    pub fn differs(&self) -> Vec<&'static str> {
        match (&self.ours, &self.venue) {
            (Some(ours), Some(venue)) => {
                let mut found = Vec::new();
                let pairs = [("side", &ours.side, &venue.side), ("quantity", &ours.qty, &venue.qty)];
                for (what, a, b) in pairs.into_iter().chain([("price", &ours.price, &venue.price)]) {
                    if a != b {
                        found.push(what);
                    }
                }
                if ours.fee_currency == venue.fee_currency && ours.fee != venue.fee {
                    found.push("fee");
                }
                found
            }
            (None, _) => vec!["not in our books"],
            (_, None) => vec!["not at the venue"],
        }
    }
}

/// Funding on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The contract.
    pub symbol: Symbol,
    /// The venue's id of the payment.
    pub id: String,
    /// The venue's time, nanoseconds as text; empty where only our books have it.
    pub ts: String,
    /// The currency.
    pub currency: String,
    /// What our books were paid; below zero: paid.
    pub ours: Option<String>,
    /// What the venue paid.
    pub venue: Option<String>,
    /// It was for a position of others, or in another currency: our books have noted that it is not theirs.
    pub aside: bool,
}

impl Payment {
    /// What differs: empty when the two sides agree.
    pub fn differs(&self) -> Vec<&'static str> {
        match (&self.ours, &self.venue) {
            (Some(ours), Some(venue)) if ours == venue => Vec::new(),
            (Some(_), Some(_)) => vec!["amount"],
            (None, Some(_)) if self.aside => Vec::new(),
            (None, _) => vec!["not in our books"],
            (_, None) => vec!["not at the venue"],
        }
    }
}

/// A deposit, a withdrawal or a transfer, as the venue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// The venue, by its key in the settings.
    pub venue: String,
    /// Its id.
    pub id: String,
    /// The venue's time, nanoseconds as text.
    pub ts: String,
    /// The venue's word for it.
    pub what: String,
    /// What came in; below zero: what left.
    pub amount: String,
    /// The currency.
    pub currency: String,
}

/// What came into the account of a currency and left it, on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The currency.
    pub currency: String,
    /// The differences that the session left alone, together.
    pub ours: String,
    /// The venue's transfers, together.
    pub venue: String,
}

impl Moved {
    /// Whether the two sides differ.
    pub fn differs(&self) -> bool {
        self.ours != self.venue
    }
}

/// A session's books and the venue's history side by side.
#[derive(Debug, Clone)]
pub struct Statement {
    /// All fills, by instrument and id.
    pub rows: Vec<Row>,
    /// All funding, by instrument and id.
    pub payments: Vec<Payment>,
    /// What the venue lists of money in and out.
    pub transfers: Vec<Transfer>,
    /// The same by currency, beside what our books left alone.
    pub moved: Vec<Moved>,
    /// What could not be compared, in words.
    pub notes: Vec<String>,
}

impl Statement {
    /// How many rows differ: of fills, funding, and currencies that money came in or left in.
    pub fn different(&self) -> (usize, usize, usize) {
        (
            self.rows.iter().filter(|r| !r.differs().is_empty()).count(),
            self.payments.iter().filter(|p| !p.differs().is_empty()).count(),
            self.moved.iter().filter(|m| m.differs()).count(),
        )
    }

    /// Whether nothing differs.
    pub fn is_equal(&self) -> bool {
        self.different() == (0, 0, 0)
    }
}

/// Collects what the session booked, with the venue's ids.
#[derive(Default)]
struct Ours {
    coming: Option<(OrderId, String)>,
    fills: BTreeMap<(Symbol, String), Entry>,
    nameless: u64,
    paying: Option<(InstrumentId, String)>,
    payments: BTreeMap<(Symbol, String), Payment>,
    /// Payments that are not ours.
    beside: Vec<(InstrumentId, String)>,
    /// By instrument: digits of its money.
    scales: BTreeMap<Symbol, u8>,
    /// Since when funding is booked, by gateway.
    funding: BTreeMap<u64, Ts>,
    /// What was left alone, by currency or instrument, and what stands aside of at all.
    left: BTreeMap<String, i128>,
    currencies: BTreeSet<String>,
}

impl Ears for Ours {
    fn before(&mut self, told: &Told<'_>, session: &mut Session) {
        let engine = session.circuit.engine();
        match told {
            Told::Answer(Answer::Funding(instrument, amount), _) => {
                let Some((_, id)) = self.paying.take().filter(|(of, _)| of == instrument) else { return };
                let symbol = engine.view().instruments[instrument.index()].instrument.symbol.clone();
                let scale = engine.money_scale(*instrument);
                self.scales.insert(symbol.clone(), scale);
                let row = Payment {
                    symbol: symbol.clone(),
                    id: id.clone(),
                    ts: String::new(),
                    currency: symbol.settle().to_owned(),
                    ours: Some(plain(&amount.to_text(scale))),
                    venue: None,
                    aside: false,
                };
                self.payments.insert((symbol, id), row);
            }
            Told::Answer(Answer::Fill { order, instrument, side, price, qty, fee, .. }, at) => {
                let rules = &engine.view().instruments[instrument.index()].instrument;
                let Some((_, id)) = self.coming.take().filter(|(id, _)| id == order) else {
                    self.nameless += 1;
                    return;
                };
                let entry = Entry {
                    ts: at.nanos().to_string(),
                    side: if side.sign() > 0 { "buy" } else { "sell" }.to_owned(),
                    qty: plain(&qty.to_text(rules.qty_scale)),
                    price: plain(&price.to_text(rules.price_scale)),
                    fee: plain(&fee.to_text(engine.money_scale(*instrument))),
                    fee_currency: rules.symbol.settle().to_owned(),
                };
                self.fills.insert((rules.symbol.clone(), id), entry);
            }
            _ => {}
        }
    }

    fn noted(&mut self, note: VenueNote) {
        match note {
            VenueNote::Fill(order, id) => self.coming = Some((order, id)),
            VenueNote::Paid(instrument, id, _, true) => self.paying = Some((instrument, id)),
            VenueNote::Paid(instrument, id, _, false) => self.beside.push((instrument, id)),
            VenueNote::Funding(number, since) => drop(self.funding.insert(number, since)),
            VenueNote::Aside(_, what, _) => drop(self.currencies.insert(what)),
            VenueNote::Left(_, what, amount) => {
                *self.left.entry(what).or_default() += reconcile::parse(&amount);
            }
            VenueNote::Attempt(..) => {}
        }
    }
}

/// Compares a tape's session with its venues' histories.
///
/// # Errors
/// [`RunError`] when the tape cannot be read to its end, is of paper, this program does something else than is recorded on it,
/// or a venue does not answer.
pub fn statement(tape: &Path, registry: &Registry) -> Result<Statement, RunError> {
    let mut reader = TapeReader::open(tape)?;
    let mut ours = Ours::default();
    let run = tapes::run(&mut reader, registry, &mut ours)?;
    if run.start.mode != Mode::Live {
        return Err(RunError::Settings(format!(
            "{} is of a paper session: there is no venue to compare it with",
            tape.display()
        )));
    }
    // Half of our books held against all of the venue's would differ where nothing does.
    if let Some(why) = tapes::unequal(tape, &run) {
        return Err(why);
    }
    let settings = tapes::settings_of(&run.start)?;
    let mut notes = Vec::new();
    if ours.nameless > 0 {
        notes.push(format!("{} fills of the tape have no id of the venue and are not compared", ours.nameless));
    }
    let mut rows: BTreeMap<(Symbol, String), Row> = BTreeMap::new();
    for ((symbol, id), entry) in std::mem::take(&mut ours.fills) {
        let row = Row { symbol: symbol.clone(), id: id.clone(), ours: Some(entry), venue: None };
        rows.insert((symbol, id), row);
    }
    let began = run.start.created;
    for instrument in &run.start.instruments {
        let symbol = &instrument.symbol;
        let at = LookAt { venue: venue_key(symbol)?, account: settings.session.account.clone(), ..LookAt::default() };
        let told = look(&settings, &at, &What::Fills(Some(began)), Some(symbol.as_str()));
        let told = told.map_err(|e| failed(symbol, &e))?;
        for fill in told["fills"].as_array().into_iter().flatten() {
            let text = |key: &str| text_of(fill, key);
            let entry = Entry {
                ts: text("ts_venue_ns"),
                side: text("side"),
                qty: plain(&text("qty")),
                price: plain(&text("price")),
                fee: plain(&text("fee")),
                fee_currency: text("fee_currency"),
            };
            let id = text("trade_id");
            let fresh = Row { symbol: symbol.clone(), id: id.clone(), ours: None, venue: None };
            rows.entry((symbol.clone(), id)).or_insert(fresh).venue = Some(entry);
        }
    }
    let asks = Asks { settings: &settings, start: &run.start };
    let payments = payments(&asks, &mut ours, &mut notes)?;
    let transfers = transfers(&asks, &mut notes)?;
    let moved = moved(&ours, &transfers);
    let transfers = transfers.into_iter().flat_map(|(_, rows)| rows).collect();
    Ok(Statement { rows: rows.into_values().collect(), payments, transfers, moved, notes })
}

/// Who is asked about what.
struct Asks<'a> {
    settings: &'a Settings,
    start: &'a Start,
}

impl Asks<'_> {
    /// The venues of the session, by their keys, each with its instruments.
    fn venues(&self) -> Result<BTreeMap<String, Vec<&Symbol>>, RunError> {
        let mut venues: BTreeMap<String, Vec<&Symbol>> = BTreeMap::new();
        for instrument in &self.start.instruments {
            venues.entry(venue_key(&instrument.symbol)?).or_default().push(&instrument.symbol);
        }
        Ok(venues)
    }

    /// A venue's list; `None`, with a note, where it has none.
    fn ask(&self, venue: &str, what: &What, notes: &mut Vec<String>) -> Result<Option<Vec<Value>>, RunError> {
        let account = self.settings.session.account.clone();
        let at = LookAt { venue: venue.to_owned(), account, ..LookAt::default() };
        match look(self.settings, &at, what, None) {
            Ok(told) => Ok(Some(told[what.name()].as_array().cloned().unwrap_or_default())),
            Err(LookError::Venue(e)) if e.fault == Fault::Unsupported => {
                notes.push(format!("{} at {venue} are not compared: {}", what.name(), e.text));
                Ok(None)
            }
            Err(error) => Err(RunError::Venue(format!("asking for the {} at {venue}: {error}", what.name()))),
        }
    }
}

fn text_of(row: &Value, key: &str) -> String {
    row[key].as_str().unwrap_or_default().to_owned()
}

/// Funding on both sides, of contracts.
fn payments(asks: &Asks<'_>, ours: &mut Ours, notes: &mut Vec<String>) -> Result<Vec<Payment>, RunError> {
    let mut payments = std::mem::take(&mut ours.payments);
    let of = |id: &InstrumentId| asks.start.instruments.get(id.index()).map(|i| i.symbol.clone());
    let beside: BTreeSet<(Symbol, String)> =
        ours.beside.iter().filter_map(|(id, name)| Some((of(id)?, name.clone()))).collect();
    for (venue, symbols) in asks.venues()? {
        if symbols.iter().all(|s| s.kind() == InstrumentKind::Spot) {
            continue;
        }
        let Some(since) = ours.funding.values().min().copied() else {
            notes
                .push(format!("funding at {venue} is not compared: the session was of a program that did not book it"));
            continue;
        };
        for row in asks.ask(&venue, &What::Payments(Some(since)), notes)?.unwrap_or_default() {
            let Some(symbol) = symbols.iter().find(|s| s.as_str() == text_of(&row, "symbol")) else { continue };
            let key = ((*symbol).clone(), text_of(&row, "id"));
            let fresh = Payment {
                symbol: key.0.clone(),
                id: key.1.clone(),
                ts: String::new(),
                currency: text_of(&row, "currency"),
                ours: None,
                venue: None,
                aside: beside.contains(&key),
            };
            let amount = decimal(&text_of(&row, "amount"));
            // What our money has no digits for was noted beside the books.
            let scale = ours.scales.get(&key.0).copied().filter(|_| !fresh.aside);
            let amount = scale.map_or(amount, |scale| rounded(amount, scale));
            let payment = payments.entry(key).or_insert(fresh);
            payment.ts = text_of(&row, "ts_venue_ns");
            payment.venue = Some(amount.normalized().to_string());
        }
    }
    Ok(payments.into_values().collect())
}

/// By venue: what came into the account and left it since the session began.
fn transfers(asks: &Asks<'_>, notes: &mut Vec<String>) -> Result<Vec<(String, Vec<Transfer>)>, RunError> {
    let mut all = Vec::new();
    for venue in asks.venues()?.into_keys() {
        let Some(rows) = asks.ask(&venue, &What::Transfers(Some(asks.start.created)), notes)? else { continue };
        let row = |row: &Value| Transfer {
            venue: venue.clone(),
            id: text_of(row, "id"),
            ts: text_of(row, "ts_venue_ns"),
            what: text_of(row, "what"),
            amount: text_of(row, "amount"),
            currency: text_of(row, "currency"),
        };
        let mut rows: Vec<Transfer> = rows.iter().map(row).collect();
        rows.sort_by(|a, b| (&a.ts, &a.id).cmp(&(&b.ts, &b.id)));
        all.push((venue, rows));
    }
    Ok(all)
}

/// By currency that the session looks at; nothing where no venue was asked.
fn moved(ours: &Ours, transfers: &[(String, Vec<Transfer>)]) -> Vec<Moved> {
    if transfers.is_empty() {
        return Vec::new();
    }
    // A position is no currency: its name is an instrument's.
    let currencies = ours.currencies.iter().filter(|code| !code.contains(':'));
    let of = |code: &String| {
        let rows = transfers.iter().flat_map(|(_, rows)| rows).filter(|t| t.currency == *code);
        let venue = rows.map(|t| reconcile::parse(&t.amount)).fold(0, i128::saturating_add);
        let ours = ours.left.get(code).copied().unwrap_or(0);
        let (mine, theirs) = (reconcile::text(ours), reconcile::text(venue));
        (ours != 0 || venue != 0).then(|| Moved { currency: code.clone(), ours: mine, venue: theirs })
    };
    currencies.filter_map(of).collect()
}

fn decimal(text: &str) -> Decimal {
    text.parse().map_or(Decimal::new(0, 0), |d: Decimal| d.normalized())
}

/// An amount in the digits of money, as it is booked.
fn rounded(amount: Decimal, scale: u8) -> Decimal {
    let (money, _) = reconcile::at_scale(amount, scale);
    i64::try_from(money.mantissa()).map_or(amount, |mantissa| Decimal::new(mantissa, scale))
}

fn failed(symbol: &Symbol, error: &LookError) -> RunError {
    RunError::Venue(format!("asking for the fills of {symbol}: {error}"))
}

/// A number without needless zeros and sign.
fn plain(text: &str) -> String {
    text.parse::<Decimal>().map_or_else(|_| text.to_owned(), |d| d.normalized().to_string())
}
