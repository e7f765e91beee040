//! The account's channels of Kraken's private socket: executions and balances.

use bellwether_sdk::{Decimal, Price, Qty, Ts};
use serde::Deserialize;

use super::names::{currency, find};
use super::private::side;
use super::{errors, time};
use crate::exchange::vocab::liquidity;
use crate::exchange::wire::each;
use crate::exchange::{
    AccountNote, Balance, Digits, FillNote, Listing, Listings, NO_INSTRUMENT, OrderNote, OrderStatus, WireError,
};

/// Reads the rows of a channel's message.
pub(super) fn read(channel: &str, data: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    let mut notes = Vec::new();
    match channel {
        "executions" => each(data, |row: Execution<'_>| execution(&row, listings, &mut notes))?,
        "balances" => each(data, |row: Owned<'_>| {
            notes.push(AccountNote::Balance(balance(&row)?));
            Ok(())
        })?,
        "heartbeat" => notes.push(AccountNote::Alive),
        "status" => notes.push(status(data)),
        other => notes.push(AccountNote::Unexpected(other.chars().take(80).collect())),
    }
    if notes.is_empty() {
        notes.push(AccountNote::Ignored);
    }
    Ok(notes)
}

/// What the venue says of itself.
fn status(data: &str) -> AccountNote {
    #[derive(Deserialize)]
    struct Row {
        system: String,
    }
    let rows: Vec<Row> = serde_json::from_str(data).unwrap_or_default();
    match rows.first() {
        Some(row) if row.system == "maintenance" => AccountNote::Leaving(row.system.clone()),
        _ => AccountNote::Ignored,
    }
}

#[derive(Deserialize)]
struct Owned<'a> {
    asset: String,
    #[serde(borrow)]
    balance: Digits<'a>,
}

/// The channel tells what is owned, not what orders hold of it: both values are the same until a question by REST tells
/// more.
fn balance(row: &Owned<'_>) -> Result<Balance, WireError> {
    let total = row.balance.decimal("balance")?;
    Ok(Balance { currency: currency(&row.asset), total, free: total })
}

#[derive(Deserialize)]
struct Execution<'a> {
    /// Missing in rows about margin positions.
    #[serde(default)]
    order_id: String,
    #[serde(default)]
    cl_ord_id: Option<String>,
    #[serde(default)]
    exec_type: String,
    #[serde(default)]
    order_status: Option<String>,
    #[serde(default)]
    symbol: Option<String>,
    #[serde(default)]
    side: Option<String>,
    #[serde(default)]
    exec_id: Option<String>,
    #[serde(borrow, default)]
    last_qty: Option<Digits<'a>>,
    #[serde(borrow, default)]
    last_price: Option<Digits<'a>>,
    #[serde(borrow, default)]
    cum_qty: Option<Digits<'a>>,
    #[serde(borrow, default)]
    fees: Option<Vec<Fee<'a>>>,
    #[serde(default)]
    liquidity_ind: Option<String>,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Fee<'a> {
    asset: String,
    #[serde(borrow)]
    qty: Digits<'a>,
}

/// A row gives the order's state, and before it the fill if it is one. Many rows name no pair: the order is then found
/// by its ids, and its filled quantity is not told, as its digits are not known. Rows of pairs that are not of this run
/// give nothing.
fn execution(row: &Execution<'_>, listings: &Listings, notes: &mut Vec<AccountNote>) -> Result<(), WireError> {
    if row.order_id.is_empty() {
        return Ok(());
    }
    let listing = match &row.symbol {
        None => None,
        Some(symbol) => match find(listings, symbol) {
            Some(listing) => Some(listing),
            None => return Ok(()),
        },
    };
    let ts_venue = row.timestamp.as_deref().map_or(Ok(Ts::NONE), |t| time::read("timestamp", t))?;
    if let Some(listing) = listing.filter(|_| row.exec_type == "trade") {
        notes.push(AccountNote::Fill(fill(row, listing, ts_venue)?));
    }
    let qty = |digits: Digits<'_>, listing: &Listing| {
        digits.mantissa("cum_qty", listing.rules.qty_scale).map(Qty::from_mantissa)
    };
    let filled = match (row.cum_qty, listing) {
        (Some(digits), Some(listing)) => Some(qty(digits, listing)?),
        _ => None,
    };
    let status = order_status(row);
    let text = row.reason.clone().unwrap_or_default();
    let ended = matches!(status, OrderStatus::Cancelled | OrderStatus::Expired | OrderStatus::Rejected);
    let reason = if ended && !text.is_empty() && text != "User requested" {
        Some(errors::reason(&text)).filter(|r| !r.is_empty()).unwrap_or("venue_rejected")
    } else {
        ""
    };
    notes.push(AccountNote::Order(OrderNote {
        instrument: listing.map_or(NO_INSTRUMENT, |l| l.id),
        venue_id: row.order_id.clone(),
        client_id: row.cl_ord_id.clone().unwrap_or_default(),
        status,
        filled,
        reason,
        text,
        ts_venue,
    }));
    Ok(())
}

fn order_status(row: &Execution<'_>) -> OrderStatus {
    let word = row.order_status.as_deref().unwrap_or(&row.exec_type);
    match word {
        "pending_new" | "new" | "amended" | "restated" | "iceberg_refill" => OrderStatus::Acknowledged,
        "partially_filled" | "trade" => OrderStatus::PartlyFilled,
        "filled" => OrderStatus::Filled,
        "canceled" => OrderStatus::Cancelled,
        "expired" => OrderStatus::Expired,
        "rejected" => OrderStatus::Rejected,
        _ => OrderStatus::Unknown,
    }
}

fn fill(row: &Execution<'_>, listing: &Listing, ts_venue: Ts) -> Result<FillNote, WireError> {
    let need = |field: &'static str, digits: Option<Digits<'_>>, scale| {
        let missing = || WireError::Number { field, text: String::new(), why: "a trade must say it".to_owned() };
        digits.ok_or_else(missing)?.mantissa(field, scale)
    };
    let (fee, fee_currency) = fees(row.fees.as_deref().unwrap_or_default())?;
    FillNote {
        instrument: listing.id,
        // The same id as REST gives its rows, so that a fill told by both is one; the number beside it is the market's.
        // A fill without it is asked for.
        trade_id: row.exec_id.clone().unwrap_or_default(),
        venue_id: row.order_id.clone(),
        client_id: row.cl_ord_id.clone().unwrap_or_default(),
        side: side("side", row.side.as_deref().unwrap_or_default())?,
        price: Price::from_mantissa(need("last_price", row.last_price, listing.rules.price_scale)?),
        qty: Qty::from_mantissa(need("last_qty", row.last_qty, listing.rules.qty_scale)?),
        fee,
        fee_currency,
        liquidity: liquidity(row.liquidity_ind.as_deref() == Some("m")),
        ts_venue,
    }
    .checked()
}

/// The fee: of the first currency that one is paid in. Kraken takes a fill's fee in one currency.
fn fees(fees: &[Fee<'_>]) -> Result<(Decimal, String), WireError> {
    match fees.first() {
        Some(fee) => Ok((fee.qty.decimal("fees")?, currency(&fee.asset))),
        None => Ok((Decimal::new(0, 0), String::new())),
    }
}
