//! A live session's books held against the venue's own history, fill by fill, to the last digit.
//!
//! Ours are the fills on the tape, with the venue's ids that were written beside them. Theirs are asked for. Nothing is
//! rounded: a fill differs when any digit of its price, quantity, side or fee does.

use std::collections::BTreeMap;
use std::path::Path;

use bellwether_sdk::{Decimal, OrderId, Symbol};
use serde_json::Value;

use super::RunError;
use super::look::{LookAt, LookError, What, look};
use super::market::venue_key;
use super::session::Session;
use super::tapes::{self, Ears};
use crate::engine::Told;
use crate::host::Registry;
use crate::orders::Answer;
use crate::tape::{Mode, TapeReader, VenueNote};

/// The venue's answer to one question holds this many fills at least, if there are more: then it is asked on.
const PAGE: usize = 100;

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

/// A session's fills on both sides, by instrument and id.
#[derive(Debug, Clone)]
pub struct Statement {
    /// All of them.
    pub rows: Vec<Row>,
    /// What could not be compared, in words.
    pub notes: Vec<String>,
}

/// Collects the session's fills with the venue's ids.
#[derive(Default)]
struct Fills {
    coming: Option<(OrderId, String)>,
    rows: BTreeMap<(Symbol, String), Entry>,
    nameless: u64,
}

impl Ears for Fills {
    fn before(&mut self, told: &Told<'_>, session: &mut Session) {
        let Told::Answer(Answer::Fill { order, instrument, side, price, qty, fee, .. }, at) = told else { return };
        let engine = session.circuit.engine();
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
        self.rows.insert((rules.symbol.clone(), id), entry);
    }

    fn noted(&mut self, note: VenueNote) {
        if let VenueNote::Fill(order, id) = note {
            self.coming = Some((order, id));
        }
    }
}

/// Compares a tape's session with its venues' histories.
///
/// # Errors
/// [`RunError`] when the tape cannot be read, is of paper, or a venue does not answer.
pub fn statement(tape: &Path, registry: &Registry) -> Result<Statement, RunError> {
    let mut reader = TapeReader::open(tape)?;
    let mut ours = Fills::default();
    let run = tapes::run(&mut reader, registry, &mut ours)?;
    if run.start.mode != Mode::Live {
        return Err(RunError::Settings(format!(
            "{} is of a paper session: there is no venue to compare it with",
            tape.display()
        )));
    }
    let settings = tapes::settings_of(&run.start)?;
    let mut notes = Vec::new();
    if ours.nameless > 0 {
        notes.push(format!("{} fills of the tape have no id of the venue and are not compared", ours.nameless));
    }
    notes.push("funding and transfers are not compared: venues are not asked for them".to_owned());
    let mut rows: BTreeMap<(Symbol, String), Row> = BTreeMap::new();
    for ((symbol, id), entry) in ours.rows {
        let row = Row { symbol: symbol.clone(), id: id.clone(), ours: Some(entry), venue: None };
        rows.insert((symbol, id), row);
    }
    let began = run.start.created;
    for instrument in &run.start.instruments {
        let symbol = &instrument.symbol;
        let at = LookAt { venue: venue_key(symbol)?, account: settings.session.account.clone(), ..LookAt::default() };
        let ask = |from| look(&settings, &at, &What::Fills(Some(from)), Some(symbol.as_str()));
        let mut from = began;
        loop {
            let told = ask(from).map_err(|e| failed(symbol, &e))?;
            let page = told["fills"].as_array().cloned().unwrap_or_default();
            let before = rows.len();
            let mut last = from;
            for fill in &page {
                let text = |key: &str| fill[key].as_str().unwrap_or_default().to_owned();
                let entry = Entry {
                    ts: text("ts_venue_ns"),
                    side: text("side"),
                    qty: plain(&text("qty")),
                    price: plain(&text("price")),
                    fee: plain(&text("fee")),
                    fee_currency: text("fee_currency"),
                };
                last = text("ts_venue_ns").parse().map_or(last, |ns| last.max(bellwether_sdk::Ts::from_nanos(ns)));
                let id = text("trade_id");
                let fresh = Row { symbol: symbol.clone(), id: id.clone(), ours: None, venue: None };
                rows.entry((symbol.clone(), id)).or_insert(fresh).venue = Some(entry);
            }
            if page.len() < PAGE || last <= from && rows.len() == before {
                break;
            }
            from = last;
        }
    }
    Ok(Statement { rows: rows.into_values().collect(), notes })
}

fn failed(symbol: &Symbol, error: &LookError) -> RunError {
    RunError::Venue(format!("asking for the fills of {symbol}: {error}"))
}

/// A number without needless zeros and sign.
fn plain(text: &str) -> String {
    text.parse::<Decimal>().map_or_else(|_| text.to_owned(), |d| d.normalized().to_string())
}

/// The rows as CSV, for accounting.
pub fn csv(statement: &Statement) -> String {
    let mut text =
        String::from("symbol,id,ts_ns,side,qty,price,fee,fee_currency,fee_booked,fee_booked_currency,state\n");
    for row in &statement.rows {
        let empty = Entry::default();
        let shown = row.venue.as_ref().or(row.ours.as_ref()).unwrap_or(&empty);
        let ours = row.ours.as_ref().unwrap_or(&empty);
        let differs = row.differs();
        let state = if differs.is_empty() { "equal".to_owned() } else { differs.join(" and ") };
        let fields = [
            row.symbol.as_str(),
            &row.id,
            &shown.ts,
            &shown.side,
            &shown.qty,
            &shown.price,
            &shown.fee,
            &shown.fee_currency,
            &ours.fee,
            &ours.fee_currency,
            &state,
        ];
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}

/// The statement as the document of `statement --json`.
pub fn document(statement: &Statement) -> Value {
    let side = |e: &Option<Entry>| match e {
        None => Value::Null,
        Some(e) => serde_json::json!({
            "ts_ns": e.ts, "side": e.side, "qty": e.qty, "price": e.price, "fee": e.fee, "fee_currency": e.fee_currency,
        }),
    };
    let rows: Vec<Value> = statement
        .rows
        .iter()
        .map(|r| {
            serde_json::json!({
                "symbol": r.symbol.as_str(), "id": r.id, "ours": side(&r.ours), "venue": side(&r.venue),
                "differs": r.differs(),
            })
        })
        .collect();
    let different = statement.rows.iter().filter(|r| !r.differs().is_empty()).count();
    serde_json::json!({
        "schema_version": 1, "equal": different == 0, "fills": rows.len(), "different": different, "rows": rows,
        "notes": statement.notes,
    })
}
