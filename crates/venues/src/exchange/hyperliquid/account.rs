//! The account's streams: orders and fills.

use bellwether_sdk::Ts;
use serde::Deserialize;

use super::errors;
use super::market::{price, qty, side};
use crate::exchange::vocab::liquidity;
use crate::exchange::wire::each;
use crate::exchange::{AccountNote, Digits, FillNote, Listing, Listings, OrderNote, OrderStatus, WireError};

#[derive(Deserialize)]
struct Update<'a> {
    #[serde(borrow)]
    order: UpdateOrder<'a>,
    status: String,
    #[serde(rename = "statusTimestamp", default)]
    at: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateOrder<'a> {
    coin: String,
    oid: u64,
    #[serde(borrow)]
    sz: Digits<'a>,
    #[serde(borrow)]
    orig_sz: Digits<'a>,
    #[serde(default)]
    cloid: Option<String>,
}

/// Order updates; those of coins that are not of this run give nothing.
pub(super) fn orders(data: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    let mut notes = Vec::new();
    each(data, |row: Update<'_>| {
        let Some(listing) = listings.named(&row.order.coin) else { return Ok(()) };
        // `sz` is what is left.
        let (left, whole) =
            (qty("sz", row.order.sz, &listing.rules)?, qty("origSz", row.order.orig_sz, &listing.rules)?);
        let filled = bellwether_sdk::Qty::from_mantissa((whole.mantissa() - left.mantissa()).max(0));
        let (mut status, reason) = errors::status(&row.status);
        if status == OrderStatus::Acknowledged && !filled.is_zero() {
            status = OrderStatus::PartlyFilled;
        }
        notes.push(AccountNote::Order(OrderNote {
            instrument: listing.id,
            venue_id: row.order.oid.to_string(),
            client_id: row.order.cloid.unwrap_or_default(),
            status,
            filled: Some(filled),
            reason,
            text: row.status,
            ts_venue: Ts::from_millis(row.at),
        }));
        Ok(())
    })?;
    Ok(notes)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FillWords<'a> {
    pub(super) coin: String,
    #[serde(borrow)]
    px: Digits<'a>,
    #[serde(borrow)]
    sz: Digits<'a>,
    side: String,
    pub(super) time: i64,
    oid: u64,
    #[serde(default)]
    crossed: bool,
    #[serde(borrow)]
    fee: Digits<'a>,
    #[serde(borrow)]
    tid: Digits<'a>,
    #[serde(default)]
    fee_token: Option<String>,
    #[serde(default)]
    cloid: Option<String>,
}

impl FillWords<'_> {
    /// The fill.
    pub(super) fn fill(self, listing: &Listing) -> Result<FillNote, WireError> {
        FillNote {
            instrument: listing.id,
            trade_id: self.tid.text().to_owned(),
            venue_id: self.oid.to_string(),
            client_id: self.cloid.unwrap_or_default(),
            side: side(&self.side)?,
            price: price("px", self.px, &listing.rules)?,
            qty: qty("sz", self.sz, &listing.rules)?,
            fee: self.fee.decimal("fee")?,
            fee_currency: self.fee_token.unwrap_or_default(),
            liquidity: liquidity(!self.crossed),
            ts_venue: Ts::from_millis(self.time),
        }
        .checked()
    }
}

/// Fills, of `userFills` or of `user` events; those of coins that are not of this run give nothing.
pub(super) fn fills(rows: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
    let mut notes = Vec::new();
    each(rows, |row: FillWords<'_>| {
        if let Some(listing) = listings.named(&row.coin) {
            notes.push(AccountNote::Fill(row.fill(listing)?));
        }
        Ok(())
    })?;
    Ok(notes)
}
