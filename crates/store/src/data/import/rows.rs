//! Turns the fields of a foreign row into a row of the store, or says what is wrong with which field.

use std::collections::BTreeSet;
use std::path::Path;

use bellwether_sdk::{Decimal, InstrumentKind, Interval, NumError, Rate, Symbol, Ts};

use super::plan::{Plan, Role};
use super::{Format, ImportSpec};
use crate::data::error::DataError;
use crate::data::schema::{self, NULL, Row, TS, Unit, WIDTH, bar, depth, funding, quote, trade};
use crate::data::table::{MANTISSA_END, Table};
use crate::data::time::{TimeUnit, day_first, parse_date, parse_day};
use crate::market::Kind;

/// The fields of one row, as text.
pub(super) trait Fields {
    fn field(&self, index: usize) -> &[u8];
}

impl Fields for csv::ByteRecord {
    #[inline]
    fn field(&self, index: usize) -> &[u8] {
        self.get(index).unwrap_or_default()
    }
}

impl Fields for [String] {
    fn field(&self, index: usize) -> &[u8] {
        self.get(index).map(String::as_bytes).unwrap_or_default()
    }
}

/// Collects the rows of one file.
pub(super) struct Rows<'a> {
    path: &'a Path,
    spec: &'a ImportSpec,
    pub(super) plan: Plan,
    pub(super) table: Table,
    pub(super) rows_read: u64,
    /// Rows of other instruments, and trades that are no market trades.
    pub(super) skipped: u64,
    pub(super) other_symbols: BTreeSet<String>,
    names: Vec<String>,
    ts_guess: Option<TimeUnit>,
    venue_guess: Option<TimeUnit>,
    message: (i64, [i64; 4]),
    /// The length of the first bar, where its columns tell.
    pub(super) length: Option<Interval>,
    line: u64,
}

type Bad = (String, String);

impl<'a> Rows<'a> {
    pub(super) fn new(path: &'a Path, spec: &'a ImportSpec, plan: Plan) -> Self {
        let table = Table::new(plan.kind, 0, 0);
        Self {
            path,
            spec,
            plan,
            table,
            rows_read: 0,
            skipped: 0,
            other_symbols: BTreeSet::new(),
            names: symbol_names(&spec.instrument),
            ts_guess: None,
            venue_guess: None,
            message: (-1, [NULL; 4]),
            length: None,
            line: 0,
        }
    }

    /// Takes one row; `line` is where it stands in the file.
    pub(super) fn take<F: Fields + ?Sized>(&mut self, line: u64, fields: &F) -> Result<(), DataError> {
        self.line = line;
        self.rows_read += 1;
        if self.is_other(fields) {
            self.skipped += 1;
            return Ok(());
        }
        // A value finer than those before it moves the table to another scale, and this row with it.
        loop {
            let scales = self.table.scales();
            let row = self.row(fields)?;
            if self.table.scales() == scales {
                self.table.push(&row);
                return Ok(());
            }
        }
    }

    fn row<F: Fields + ?Sized>(&mut self, fields: &F) -> Result<Row, DataError> {
        let mut row: Row = [NULL; WIDTH];
        row[WIDTH - 1] = self.line as i64;
        self.times(fields, &mut row)?;
        match self.plan.kind {
            Kind::Trades => self.trade(fields, &mut row)?,
            Kind::Quotes => self.quote(fields, &mut row)?,
            Kind::Bars(_) => self.bar(fields, &mut row)?,
            Kind::Depth => self.depth(fields, &mut row)?,
            Kind::Funding => {
                let rate = self.decimal(Role::Rate, fields)?;
                let rate = Rate::from_fraction(rate).map_err(|e| self.bad(Role::Rate, number_error(&e)))?;
                row[funding::RATE] = rate.mantissa();
                if !self.text(Role::Mark, fields).is_empty() {
                    row[funding::MARK] = self.price(Role::Mark, fields)?;
                }
            }
        }
        Ok(row)
    }

    /// Whether a row is of another instrument, or a trade that was no market trade: Binance's futures stream marks
    /// insurance fund and ADL prints in a `kind` column; they move no book and are left out, counted.
    fn is_other<F: Fields + ?Sized>(&mut self, fields: &F) -> bool {
        if let Some(column) = self.plan.at(Role::Symbol) {
            let text = String::from_utf8_lossy(fields.field(column).trim_ascii());
            let plain: String =
                text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
            if !self.names.contains(&plain) {
                if self.other_symbols.len() < 20 && !self.other_symbols.contains(text.as_ref()) {
                    self.other_symbols.insert(text.into_owned());
                }
                return true;
            }
        }
        self.plan.kind == Kind::Trades
            && self
                .plan
                .at(Role::TradeKind)
                .is_some_and(|c| !fields.field(c).trim_ascii().eq_ignore_ascii_case(b"MARKET"))
    }

    fn times<F: Fields + ?Sized>(&mut self, fields: &F, row: &mut Row) -> Result<(), DataError> {
        let ts = self.time(Role::Ts, fields)?.ok_or_else(|| self.bad(Role::Ts, missing("a time")))?;
        let venue = self.time(Role::TsVenue, fields)?;
        row[TS] = ts;
        if matches!(self.plan.kind, Kind::Trades | Kind::Quotes | Kind::Depth) {
            // An archive has only the venue's stamp; a recording has the receiver's, which no latency is added to.
            let latency = if self.plan.has(Role::TsVenue) { 0 } else { self.spec.latency_ns };
            row[TS] = ts.saturating_add(latency);
            let venue = venue.unwrap_or(ts);
            if venue != row[TS] {
                row[1] = venue;
            }
        }
        Ok(())
    }

    fn time<F: Fields + ?Sized>(&mut self, role: Role, fields: &F) -> Result<Option<i64>, DataError> {
        let Some(column) = self.plan.at(role) else { return Ok(None) };
        let text = fields.field(column).trim_ascii();
        if text.is_empty() {
            return Ok(None);
        }
        if role == Role::Ts
            && let Some(clock) = self.plan.at(Role::Clock)
        {
            let joined = joined(text, fields.field(clock).trim_ascii());
            return joined.map(Some).ok_or_else(|| self.not_joined(column, clock));
        }
        let named = if role == Role::Ts { self.plan.ts_unit } else { self.plan.venue_unit };
        // The unit told is that of the engine's time; a column whose name says its unit beside it keeps that.
        let told = self.spec.time_unit.filter(|_| role == Role::Ts || named.is_none()).or(named);
        let guess = if role == Role::Ts { &mut self.ts_guess } else { &mut self.venue_guess };
        let allowed = if self.spec.time_unit.is_some() { &TimeUnit::ALL } else { self.plan.units_allowed };
        parse_time(text, told, guess, allowed).map(Some).map_err(|bad| self.bad(role, bad))
    }

    fn trade<F: Fields + ?Sized>(&mut self, fields: &F, row: &mut Row) -> Result<(), DataError> {
        row[trade::PRICE] = self.price(Role::Price, fields)?;
        row[trade::AGGRESSOR] = 0;
        if self.plan.has(Role::SignedQty) {
            let signed = self.mantissa(Role::SignedQty, Unit::Qty, fields)?;
            row[trade::AGGRESSOR] = signed.signum();
            row[trade::QTY] = signed.abs();
        } else {
            row[trade::QTY] = self.qty(Role::Qty, fields)?;
        }
        if self.plan.has(Role::Side) {
            row[trade::AGGRESSOR] = self.side(fields)?;
        } else if self.plan.has(Role::BuyerIsMaker) {
            row[trade::AGGRESSOR] = if self.flag(Role::BuyerIsMaker, fields)? { -1 } else { 1 };
        }
        let id = self.text(Role::Id, fields);
        if !id.is_empty() {
            match parse_int(id) {
                Some(number) => row[trade::ID] = number,
                None => {
                    let text = String::from_utf8_lossy(id).into_owned();
                    row[trade::ID_TEXT] = self.table.add_text(text);
                }
            }
        }
        Ok(())
    }

    fn quote<F: Fields + ?Sized>(&mut self, fields: &F, row: &mut Row) -> Result<(), DataError> {
        let roles =
            if self.plan.quotes_from_bars() { [Role::BidClose, Role::AskClose] } else { [Role::Bid, Role::Ask] };
        for (role, to) in roles.into_iter().zip([quote::BID, quote::ASK]) {
            let absent = self.text(role, fields).is_empty();
            // Parquet files of a catalog write an absent side as zero.
            let absent = absent || (self.spec.format == Format::Parquet && is_zero(self.text(role, fields)));
            row[to] = if absent { 0 } else { self.price(role, fields)? };
        }
        if row[quote::BID] == 0 && row[quote::ASK] == 0 {
            let role = if self.plan.has(roles[0]) { roles[0] } else { roles[1] };
            return Err(self.bad(role, missing("a bid or an ask")));
        }
        for (role, to) in [(Role::BidQty, quote::BID_QTY), (Role::AskQty, quote::ASK_QTY)] {
            let absent = self.text(role, fields).is_empty();
            row[to] = if absent { 0 } else { self.qty(role, fields)? };
        }
        row[quote::UPDATE_ID] = self.int(Role::UpdateId, fields)?;
        Ok(())
    }

    fn bar<F: Fields + ?Sized>(&mut self, fields: &F, row: &mut Row) -> Result<(), DataError> {
        if self.length.is_none() {
            self.length = self.first_length(fields);
        }
        let close = self.price(Role::Close, fields)?;
        row[bar::CLOSE] = close;
        for (role, to) in [(Role::Open, bar::OPEN), (Role::High, bar::HIGH), (Role::Low, bar::LOW)] {
            row[to] = if self.plan.has(role) { self.price(role, fields)? } else { close };
        }
        row[bar::VOLUME] = if self.text(Role::Volume, fields).is_empty() { 0 } else { self.qty(Role::Volume, fields)? };
        if !self.text(Role::TakerBase, fields).is_empty() {
            row[bar::TAKER_BASE] = self.qty(Role::TakerBase, fields)?;
        }
        row[bar::TRADES] = self.int(Role::Trades, fields)?;
        row[bar::QUOTE_VOLUME] = self.float(Role::QuoteVolume, fields)?;
        row[bar::TAKER_QUOTE] = self.float(Role::TakerQuote, fields)?;
        Ok(())
    }

    /// The length of a kline, which closes one unit of its time stamps before the next opens.
    fn first_length<F: Fields + ?Sized>(&self, fields: &F) -> Option<Interval> {
        let open = parse_int(self.text(Role::Ts, fields))?;
        let close = parse_int(self.text(Role::CloseTime, fields))?;
        let unit = self.spec.time_unit.or(self.plan.ts_unit).or(self.ts_guess)?;
        Interval::from_nanos(close.checked_sub(open)?.checked_add(1)?.checked_mul(unit.nanos())?)
    }

    fn depth<F: Fields + ?Sized>(&mut self, fields: &F, row: &mut Row) -> Result<(), DataError> {
        row[depth::PRICE] = self.price(Role::Price, fields)?;
        row[depth::QTY] = self.qty(Role::Qty, fields)?;
        row[depth::SIDE] = self.side(fields)?;
        if row[depth::SIDE] == 0 {
            return Err(self.bad(Role::Side, missing("b or a")));
        }
        row[depth::FIRST_ID] = self.int(Role::FirstId, fields)?;
        row[depth::LAST_ID] = self.int(Role::LastId, fields)?;
        row[depth::PREV_ID] = self.int(Role::PrevId, fields)?;
        // Without a flag, a file that has the last id and no first one is a snapshot as REST gives it.
        let snapshot = if self.plan.has(Role::Snapshot) {
            self.flag(Role::Snapshot, fields)?
        } else {
            !self.plan.has(Role::FirstId) && self.plan.has(Role::LastId)
        };
        row[depth::SNAPSHOT] = i64::from(snapshot);
        let seq = self.int(Role::Seq, fields)?;
        let key = [seq, row[TS], i64::from(snapshot), row[depth::LAST_ID]];
        if key != self.message.1 {
            self.message = (self.message.0 + 1, key);
        }
        row[depth::MSG] = self.message.0;
        Ok(())
    }

    fn text<'f, F: Fields + ?Sized>(&self, role: Role, fields: &'f F) -> &'f [u8] {
        self.plan.at(role).map(|c| fields.field(c).trim_ascii()).unwrap_or_default()
    }

    fn decimal<F: Fields + ?Sized>(&self, role: Role, fields: &F) -> Result<Decimal, DataError> {
        Decimal::parse(self.text(role, fields)).map_err(|e| self.bad(role, number_error(&e)))
    }

    /// A value at its table's scale, which grows where the value needs it.
    fn mantissa<F: Fields + ?Sized>(&mut self, role: Role, unit: Unit, fields: &F) -> Result<i64, DataError> {
        let value = self.decimal(role, fields)?;
        let too_wide = |scale: u8| {
            let found =
                format!("{value} and the rows before it do not fit 18 digits with {scale} of them after the point");
            (found, "correct the value, or round the column".to_owned())
        };
        if value.scale() > self.table.scale_of(unit) {
            let raised = self.table.raise(unit, value.scale());
            raised.map_err(|wide| self.bad(role, too_wide(wide.scale)))?;
        }
        let scale = self.table.scale_of(unit);
        let mantissa = value.at_scale(scale).ok().filter(|m| m.abs() < MANTISSA_END);
        mantissa.ok_or_else(|| self.bad(role, too_wide(scale)))
    }

    fn price<F: Fields + ?Sized>(&mut self, role: Role, fields: &F) -> Result<i64, DataError> {
        let price = self.mantissa(role, Unit::Price, fields)?;
        if price > 0 {
            return Ok(price);
        }
        let found = format!("the price {} is not above zero", shown(self.text(role, fields)));
        Err(self.bad(role, (found, "correct the row, or leave it out".to_owned())))
    }

    fn qty<F: Fields + ?Sized>(&mut self, role: Role, fields: &F) -> Result<i64, DataError> {
        let qty = self.mantissa(role, Unit::Qty, fields)?;
        if qty >= 0 {
            return Ok(qty);
        }
        let found = format!("the quantity {} is negative", shown(self.text(role, fields)));
        Err(self.bad(role, (found, "correct the row; signed quantities belong in a column signed_qty".to_owned())))
    }

    fn int<F: Fields + ?Sized>(&self, role: Role, fields: &F) -> Result<i64, DataError> {
        let text = self.text(role, fields);
        if text.is_empty() {
            return Ok(NULL);
        }
        let whole = || Decimal::parse(text).ok().and_then(|d| d.at_scale(0).ok());
        parse_int(text).or_else(whole).ok_or_else(|| {
            self.bad(role, (format!("{} is no whole number", shown(text)), "correct the row".to_owned()))
        })
    }

    fn float<F: Fields + ?Sized>(&self, role: Role, fields: &F) -> Result<i64, DataError> {
        let text = self.text(role, fields);
        if text.is_empty() {
            return Ok(NULL);
        }
        let value = std::str::from_utf8(text).ok().and_then(|t| t.parse::<f64>().ok());
        let value = value.filter(|v| v.is_finite() && *v >= 0.0).ok_or_else(|| {
            self.bad(role, (format!("{} is no finite number from zero up", shown(text)), "correct the row".to_owned()))
        })?;
        // Adding zero turns -0.0, whose bits mean "absent", into 0.0.
        Ok((value + 0.0).to_bits() as i64)
    }

    fn flag<F: Fields + ?Sized>(&self, role: Role, fields: &F) -> Result<bool, DataError> {
        let text = self.text(role, fields);
        match text.to_ascii_lowercase().as_slice() {
            b"true" | b"1" | b"t" | b"yes" => Ok(true),
            b"false" | b"0" | b"f" | b"no" => Ok(false),
            _ => {
                Err(self
                    .bad(role, (format!("{} is neither true nor false", shown(text)), "correct the row".to_owned())))
            }
        }
    }

    /// 1 for buy or bid, -1 for sell or ask, 0 for unknown.
    fn side<F: Fields + ?Sized>(&self, fields: &F) -> Result<i64, DataError> {
        let text = self.text(Role::Side, fields);
        match text.to_ascii_lowercase().as_slice() {
            b"buy" | b"b" | b"bid" | b"1" | b"buyer" | b"+1" => Ok(1),
            b"sell" | b"s" | b"ask" | b"a" | b"-1" | b"seller" => Ok(-1),
            b"" | b"0" | b"unknown" | b"none" | b"n" => Ok(0),
            _ => {
                let found = format!("{} is no side", shown(text));
                Err(self.bad(Role::Side, (found, "write buy or sell".to_owned())))
            }
        }
    }

    fn not_joined(&self, date: usize, clock: usize) -> DataError {
        let names = [date, clock].map(|c| self.plan.names.get(c).map_or("", String::as_str));
        let found = format!(
            "its columns {:?} and {:?} are not a date, as in 2024-01-31, and a time of day, as in 12:00:00",
            names[0], names[1]
        );
        let remedy = format!("say which is the time, as in --columns ts={},…", names[0]);
        self.bad(Role::Ts, (found, remedy))
    }

    fn bad(&self, role: Role, (found, remedy): Bad) -> DataError {
        let column = self.plan.at(role).and_then(|c| self.plan.names.get(c).cloned());
        let column = column.unwrap_or_else(|| format!("{role:?}").to_lowercase());
        DataError::Value { path: self.path.to_owned(), line: self.line, column, found, remedy }
    }
}

/// What a symbol column may call an instrument: its base and quote run together, or its base; a perpetual also with
/// what venues append (`BTC-USDT-SWAP`, `BTC-PERPETUAL`). Letters and digits only.
fn symbol_names(symbol: &Symbol) -> Vec<String> {
    let (base, pair) = (symbol.base(), format!("{}{}", symbol.base(), symbol.quote()));
    let mut names = vec![base.to_owned(), pair.clone()];
    if symbol.kind() != InstrumentKind::Spot && symbol.expiry().is_none() {
        names.extend([format!("{pair}PERP"), format!("{pair}SWAP"), format!("{base}PERPETUAL")]);
    }
    names.iter().map(|n| n.chars().filter(char::is_ascii_alphanumeric).collect()).collect()
}

fn missing(what: &str) -> Bad {
    (format!("found nothing where {what} is expected"), "correct the row, or leave it out".to_owned())
}

fn number_error(error: &NumError) -> Bad {
    (format!("found {error}"), "correct the row, or leave it out".to_owned())
}

fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(40)]);
    format!("{text:?}")
}

fn is_zero(text: &[u8]) -> bool {
    Decimal::parse(text).is_ok_and(|d| d.mantissa() == 0)
}

fn parse_int(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse::<i64>().ok().filter(|v| *v != schema::NULL)
}

/// Reads a time: an integer in the unit told, or guessed from the first row and kept; a decimal; or a date.
fn parse_time(
    text: &[u8],
    told: Option<TimeUnit>,
    guess: &mut Option<TimeUnit>,
    allowed: &[TimeUnit],
) -> Result<i64, Bad> {
    // Eight digits are no time in any unit.
    if let Some(day) = std::str::from_utf8(text).ok().filter(|t| t.len() == 8).and_then(parse_day) {
        return within(text, day);
    }
    if let Some(value) = parse_int(text) {
        let unit = match told.or(*guess) {
            Some(unit) => unit,
            None => {
                let unit = TimeUnit::guess(value).unwrap_or(TimeUnit::Ms);
                let unit = if allowed.contains(&unit) { unit } else { TimeUnit::Ms };
                *guess = Some(unit);
                unit
            }
        };
        return unit.checked(value);
    }
    let as_text = String::from_utf8_lossy(text);
    if let Ok(value) = Decimal::parse(text) {
        let whole = value.at_scale_toward_zero(0).unwrap_or(i64::MAX);
        let unit = told.or(*guess).or_else(|| TimeUnit::guess(whole)).unwrap_or(TimeUnit::Ms);
        *guess = Some(unit);
        unit.checked(whole)?;
        let nanos = i128::from(value.mantissa()) * i128::from(unit.nanos()) / 10i128.pow(u32::from(value.scale()));
        return i64::try_from(nanos).map_err(|_| missing("a time"));
    }
    let date = parse_date(&as_text).ok_or_else(|| {
        if day_first(&as_text) {
            let found = format!("of the date {} it is not known whether day or month stands first", shown(text));
            return (found, "write the year first, as in 2024-01-31, or an integer time".to_owned());
        }
        let found = format!("{} is neither an integer time nor a date", shown(text));
        (found, "write 2024-01-31 12:00:00 (UTC), or an integer time".to_owned())
    })?;
    within(text, date)
}

fn within(text: &[u8], date: Ts) -> Result<i64, Bad> {
    let outside = || (format!("{} is outside 1980..2100", String::from_utf8_lossy(text)), "correct the row".to_owned());
    TimeUnit::Ns.to_ns(date.nanos()).ok_or_else(outside)
}

/// A date and a time of day from two columns.
fn joined(date: &[u8], clock: &[u8]) -> Option<i64> {
    let (date, clock) = (std::str::from_utf8(date).ok()?, std::str::from_utf8(clock).ok()?);
    parse_day(date)?;
    TimeUnit::Ns.to_ns(parse_date(&format!("{date} {clock}"))?.nanos())
}
