//! What changed an account beside its orders: funding, and money that came in or left.
//!
//! Futures have one list for all of it. Spot has one for deposits, one for withdrawals, and one for transfers of each kind
//! (of which those to and from futures and the funding wallet are read); they are asked one after the other.

use bellwether_sdk::{Decimal, Ts};
use serde::Deserialize;

use super::super::codec::{iso, negated, sum};
use super::super::{Digits, Listings, MovedRow, PaidRow, Reply, Request, Span, VenueError, WireError};
use super::dialect::{Dialect, Route};
use super::params::Params;
use super::rest::{floor_ms, get, has};
use super::rows::parse;

/// Rows of one answer.
const PAGE: usize = 1000;
/// Rows of one answer about transfers.
const TRANSFERS: usize = 100;
/// Days that one question about deposits, withdrawals or transfers may span.
const DAYS: i64 = 89;

/// One of spot's lists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Deposits,
    Withdrawals,
    /// Transfers of a type that take money out of the account or (`true`) bring it in.
    Transfers(&'static str, bool),
}

/// In the order in which they are asked.
const WAYS: [Way; 6] = [
    Way::Deposits,
    Way::Withdrawals,
    Way::Transfers("MAIN_UMFUTURE", false),
    Way::Transfers("UMFUTURE_MAIN", true),
    Way::Transfers("MAIN_FUNDING", false),
    Way::Transfers("FUNDING_MAIN", true),
];

/// Where in a stretch an answer ended: which list, and which page of it from zero.
fn place(span: &Span) -> (usize, usize) {
    let (way, page) = span.cursor.split_once(' ').unwrap_or_default();
    (way.parse().unwrap_or(0), page.parse().unwrap_or(0))
}

/// The question after funding.
///
/// # Errors
/// [`VenueError`] of class unsupported.
pub(super) fn paid(d: &Dialect, span: &Span) -> Result<Request, VenueError> {
    Ok(income(has(d, d.income.as_ref(), "funding")?, "FUNDING_FEE", span))
}

/// The question after money in and out.
///
/// # Errors
/// [`VenueError`] when where to go on does not read.
pub(super) fn moved(d: &Dialect, span: &Span) -> Result<Request, VenueError> {
    if let Some(route) = &d.income {
        return Ok(income(route, "TRANSFER", span));
    }
    let (way, page) = place(span);
    let way = WAYS.get(way).ok_or_else(|| VenueError::malformed(format!("no list has the number {way}")))?;
    let range =
        Params::new().number("startTime", floor_ms(span.from)).number("endTime", floor_ms(span.end_within(DAYS)));
    let listed = |path, weight, params: Params| {
        let params = params.number("offset", page * PAGE).number("limit", PAGE);
        get(&Route { path, weight }, &params).signed()
    };
    Ok(match way {
        Way::Deposits => listed("/sapi/v1/capital/deposit/hisrec", 1, range),
        Way::Withdrawals => listed("/sapi/v1/capital/withdraw/history", 10, range),
        Way::Transfers(kind, _) => {
            let params = Params::new().text("type", *kind).and(range);
            let params = params.number("current", page + 1).number("size", TRANSFERS);
            get(&Route { path: "/sapi/v1/asset/transfer", weight: 1 }, &params).signed()
        }
    })
}

fn income(route: &Route, kind: &str, span: &Span) -> Request {
    let params = Params::new()
        .text("incomeType", kind)
        .number("startTime", floor_ms(span.from))
        .number("endTime", floor_ms(span.to))
        .number("page", place(span).1 + 1)
        .number("limit", PAGE);
    get(route, &params).signed()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IncomeWire<'a> {
    #[serde(default)]
    symbol: String,
    income_type: String,
    #[serde(borrow)]
    income: Digits<'a>,
    asset: String,
    time: i64,
    #[serde(borrow)]
    tran_id: Digits<'a>,
}

/// Reads funding.
///
/// # Errors
/// [`VenueError`].
pub(super) fn read_paid(body: &str, span: &Span, listings: &Listings) -> Result<Reply, VenueError> {
    let rows: Vec<IncomeWire<'_>> = parse(body)?;
    let further = next_page(span, rows.len(), PAGE);
    let mut paid = Vec::with_capacity(rows.len());
    for row in rows.into_iter().filter(|r| r.income_type == "FUNDING_FEE") {
        let Some(listing) = listings.named(&row.symbol) else { continue };
        paid.push(PaidRow {
            instrument: listing.id,
            id: row.tran_id.text().to_owned(),
            amount: row.income.decimal("income")?,
            currency: row.asset,
            ts_venue: Ts::from_millis(row.time),
        });
    }
    Ok(Reply::Paid(paid, further))
}

/// Reads money in and out.
///
/// # Errors
/// [`VenueError`].
pub(super) fn read_moved(d: &Dialect, body: &str, span: &Span) -> Result<Reply, VenueError> {
    if d.income.is_some() {
        let rows: Vec<IncomeWire<'_>> = parse(body)?;
        let further = next_page(span, rows.len(), PAGE);
        let rows = rows.into_iter().map(|row| {
            Ok(MovedRow {
                id: row.tran_id.text().to_owned(),
                amount: row.income.decimal("income")?,
                currency: row.asset,
                word: row.income_type,
                ts_venue: Ts::from_millis(row.time),
            })
        });
        return Ok(Reply::Moved(rows.collect::<Result<_, WireError>>()?, further));
    }
    let (number, _) = place(span);
    let way = WAYS.get(number).ok_or_else(|| VenueError::malformed(format!("no list has the number {number}")))?;
    let (rows, told, page) = match way {
        Way::Deposits => deposits(body).map(|(rows, told)| (rows, told, PAGE))?,
        Way::Withdrawals => withdrawals(body).map(|(rows, told)| (rows, told, PAGE))?,
        Way::Transfers(_, comes_in) => transfers(body, *comes_in).map(|(rows, told)| (rows, told, TRANSFERS))?,
    };
    let next_way = || {
        let more = number + 1 < WAYS.len();
        if more { Some(span.go_on(format!("{} 0", number + 1))) } else { span.after(span.end_within(DAYS)) }
    };
    Ok(Reply::Moved(rows, next_page(span, told, page).or_else(next_way)))
}

/// The next page where this one is full.
fn next_page(span: &Span, told: usize, page: usize) -> Option<Span> {
    let (way, at) = place(span);
    (told >= page).then(|| span.go_on(format!("{way} {}", at + 1)))
}

/// Rows and how many the answer had.
type Read = Result<(Vec<MovedRow>, usize), VenueError>;

fn deposits(body: &str) -> Read {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row<'a> {
        id: String,
        #[serde(borrow)]
        amount: Digits<'a>,
        coin: String,
        status: i64,
        insert_time: i64,
    }
    /// Credited, and credited but not to be withdrawn yet.
    const IN_THE_ACCOUNT: [i64; 2] = [1, 6];
    let rows: Vec<Row<'_>> = parse(body)?;
    let told = rows.len();
    let rows = rows.into_iter().filter(|r| IN_THE_ACCOUNT.contains(&r.status)).map(|row| {
        Ok(MovedRow {
            id: row.id,
            amount: row.amount.decimal("amount")?,
            currency: row.coin,
            word: "deposit".to_owned(),
            ts_venue: Ts::from_millis(row.insert_time),
        })
    });
    Ok((rows.collect::<Result<_, WireError>>()?, told))
}

/// The venue's fee for it is not in the amount, and leaves the account too.
fn withdrawals(body: &str) -> Read {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row<'a> {
        id: String,
        #[serde(borrow)]
        amount: Digits<'a>,
        #[serde(borrow, default)]
        transaction_fee: Option<Digits<'a>>,
        coin: String,
        status: i64,
        apply_time: String,
    }
    /// Cancelled, refused, failed: nothing left.
    const CAME_TO_NOTHING: [i64; 3] = [1, 3, 5];
    let rows: Vec<Row<'_>> = parse(body)?;
    let told = rows.len();
    let rows = rows.into_iter().filter(|r| !CAME_TO_NOTHING.contains(&r.status)).map(|row| {
        let fee = row.transaction_fee.map_or(Ok(Decimal::new(0, 0)), |f| f.decimal("transactionFee"))?;
        let whole = sum(row.amount.decimal("amount")?, fee);
        let whole = whole.ok_or_else(|| WireError::shape("a withdrawal that does not fit", &row.id))?;
        Ok(MovedRow {
            amount: negated(whole),
            currency: row.coin,
            word: "withdrawal".to_owned(),
            // UTC, without saying so.
            ts_venue: iso("applyTime", &format!("{}Z", row.apply_time.trim()))?,
            id: row.id,
        })
    });
    Ok((rows.collect::<Result<_, WireError>>()?, told))
}

fn transfers(body: &str, comes_in: bool) -> Read {
    #[derive(Deserialize)]
    struct Whole<'a> {
        #[serde(borrow, default)]
        rows: Vec<Row<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row<'a> {
        asset: String,
        #[serde(borrow)]
        amount: Digits<'a>,
        #[serde(rename = "type")]
        kind: String,
        status: String,
        #[serde(borrow)]
        tran_id: Digits<'a>,
        timestamp: i64,
    }
    let whole: Whole<'_> = parse(body)?;
    let told = whole.rows.len();
    let rows = whole.rows.into_iter().filter(|r| r.status == "CONFIRMED").map(|row| {
        let amount = row.amount.decimal("amount")?;
        Ok(MovedRow {
            id: row.tran_id.text().to_owned(),
            amount: if comes_in { amount } else { negated(amount) },
            currency: row.asset,
            word: row.kind,
            ts_venue: Ts::from_millis(row.timestamp),
        })
    });
    Ok((rows.collect::<Result<_, WireError>>()?, told))
}
