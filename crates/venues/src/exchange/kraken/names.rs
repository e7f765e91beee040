//! Kraken's names of currencies and pairs. Its oldest currencies have a leading `X` or `Z` on REST, and two go by names
//! of their own (XBT, XDG); sockets of version 2 say BTC and DOGE.

use bellwether_sdk::{InstrumentId, Symbol};

use crate::exchange::{Listing, Listings, VenueError};

/// Currencies whose REST name has a letter before it.
const LETTERED: [&str; 18] = [
    "XETC", "XETH", "XICN", "XLTC", "XMLN", "XREP", "XXBT", "XXDG", "XXLM", "XXMR", "XXRP", "XZEC", "ZAUD", "ZCAD",
    "ZEUR", "ZGBP", "ZJPY", "ZUSD",
];

/// A currency of REST or a socket in our spelling. What follows a point (staked, earning) stays, in its own currency.
pub(super) fn currency(name: &str) -> String {
    let (name, rest) = name.split_at(name.find('.').unwrap_or(name.len()));
    let short = if LETTERED.contains(&name) { &name[1..] } else { name };
    let ours = match short {
        "XBT" => "BTC",
        "XDG" => "DOGE",
        other => other,
    };
    format!("{ours}{rest}")
}

/// The short REST name of a pair (`XBTUSD`), which can be asked with before the instruments are known.
pub(super) fn alternative(symbol: &Symbol) -> String {
    let theirs = |currency| match currency {
        "BTC" => "XBT",
        "DOGE" => "XDG",
        other => other,
    };
    format!("{}{}", theirs(symbol.base()), theirs(symbol.quote()))
}

/// The listing of a pair by any of its names: orders go by the short one, trades by the long one.
pub(super) fn find<'l>(listings: &'l Listings, pair: &str) -> Option<&'l Listing> {
    listings.named(pair).or_else(|| listings.iter().find(|l| alternative(&l.rules.symbol) == pair))
}

/// The listing of one of our instruments.
///
/// # Errors
/// [`VenueError`], rejected.
pub(super) fn listed(listings: &Listings, id: InstrumentId) -> Result<&Listing, VenueError> {
    listings.get(id).ok_or_else(|| {
        VenueError::new(
            crate::exchange::Fault::Rejected,
            "",
            format!("instrument {} is not listed at kraken in this run", id.0),
        )
    })
}
