//! The exchange door: venues as pure codecs, and the machines that all of them share.
//!
//! A [`Venue`] turns the common vocabulary ([`Ask`], [`Act`], [`Topic`]) into requests and socket messages, and the
//! venue's bytes into [`Reply`]s and [`Note`]s. It opens no socket, reads no clock, holds no secret and keeps no state:
//! bytes and time in, requests and notes out. Sockets, reconnects, book building, limits, retries and the life of an
//! order's request are written once, outside the venues' folders.

mod binance;
mod bybit;
mod checksum;
mod codec;
mod coinbase;
pub mod drive;
mod error;
pub mod feed;
#[cfg(test)]
mod fixtures;
pub mod gateway;
mod http;
mod hyperliquid;
mod kraken;
mod listing;
pub mod machine;
mod note;
mod okx;
mod own;
pub mod probe;
mod scan;
pub mod testing;
pub mod transport;
#[cfg(test)]
mod trial;
mod venue;
mod vocab;
mod wire;

pub use checksum::crc_of;
pub use codec::{notional, qty_max};
pub use error::{Fault, VenueError};
pub use http::{Base, Method, Request, Response};
pub use listing::{Listing, Listings, Rules};
pub use note::{AccountNote, FillNote, NO_INSTRUMENT, Note, OrderNote, OrderStatus, Sink, TradeReply};
pub use own::{MakeVenue, VenueTaken, add_venue, venues};
pub use venue::{
    ActCount, BookRule, Continuity, Facts, Heartbeat, Plan, SnapshotBy, SocketUse, Stamp, Topic, Urls, Used, Venue,
};
pub use vocab::{
    Act, ActReply, Amend, Ask, Balance, BookRow, Cancel, ClientHex, ClientId, FundingRow, MovedRow, OrderRef, OrderRow,
    PaidRow, Permissions, Place, Position, Product, Reply, Span, TickerRow, TradeRow,
};
pub use wire::{Digits, WireError, mantissa, rate};

/// A venue's product by the venue's name in symbols; `None` for one that is neither built in nor [added](add_venue).
pub fn venue(name: &str, product: Product) -> Option<Box<dyn Venue>> {
    match (name, product) {
        ("binance", _) => Some(Box::new(binance::Binance::new(product))),
        ("bybit", _) => Some(Box::new(bybit::Bybit::new(product))),
        ("coinbase", Product::Spot) => Some(Box::new(coinbase::Coinbase::new())),
        ("hyperliquid", Product::Linear) => Some(Box::new(hyperliquid::Hyperliquid::mainnet())),
        ("kraken", Product::Spot) => Some(Box::new(kraken::Kraken::spot())),
        ("okx", _) => Some(Box::new(okx::Okx::new(product))),
        _ => own::added(name, product, false),
    }
}

/// The same for a venue's test network, where that signs or asks otherwise (Hyperliquid, OKX). Its addresses are in
/// [`Facts::testnet`].
pub fn venue_on_testnet(name: &str, product: Product) -> Option<Box<dyn Venue>> {
    match (name, product) {
        ("hyperliquid", Product::Linear) => Some(Box::new(hyperliquid::Hyperliquid::testnet())),
        ("okx", _) => Some(Box::new(okx::Okx::demo(product))),
        _ => own::added(name, product, true).or_else(|| venue(name, product)),
    }
}

/// The venues built in, with their products; [`venues`] has those that were added too.
pub const VENUES: &[(&str, Product)] = &[
    ("binance", Product::Spot),
    ("binance", Product::Linear),
    ("bybit", Product::Spot),
    ("bybit", Product::Linear),
    ("coinbase", Product::Spot),
    ("hyperliquid", Product::Linear),
    ("kraken", Product::Spot),
    ("okx", Product::Spot),
    ("okx", Product::Linear),
];
