//! The exchange door: venues as pure codecs, and the machines that all of them share.
//!
//! A [`Venue`] turns the common vocabulary ([`Ask`], [`Act`], [`Topic`]) into requests and socket messages, and the
//! venue's bytes into [`Reply`]s and [`Note`]s. It opens no socket, reads no clock, holds no secret and keeps no state:
//! bytes and time in, requests and notes out. Sockets, reconnects, book building, limits, retries and the life of an
//! order's request are written once, outside the venues' folders.

mod bybit;
mod codec;
mod coinbase;
mod error;
mod http;
mod listing;
mod note;
mod okx;
#[cfg(test)]
mod trial;
mod venue;
mod vocab;
mod wire;

pub use error::{Fault, VenueError};
pub use http::{Base, Method, Request, Response};
pub use listing::{Listing, Listings, Rules};
pub use note::{AccountNote, FillNote, Note, OrderNote, OrderStatus, Sink, TradeReply};
pub use okx::Okx;
pub use venue::{BookRule, Continuity, Facts, Heartbeat, Plan, SnapshotBy, SocketUse, Stamp, Topic, Urls, Venue};
pub use vocab::{
    Act, ActReply, Amend, Ask, Balance, BookRow, Cancel, ClientId, FundingRow, OrderRef, OrderRow, Permissions, Place,
    Position, Product, Reply, TickerRow, TradeRow,
};
pub use wire::{Digits, WireError, mantissa, rate};

/// A venue's product by the venue's name in symbols; `None` for one that is not built in.
pub fn venue(name: &str, product: Product) -> Option<Box<dyn Venue>> {
    Some(match (name, product) {
        ("bybit", _) => Box::new(bybit::Bybit::new(product)),
        ("coinbase", Product::Spot) => Box::new(coinbase::Coinbase::new()),
        ("okx", _) => Box::new(okx::Okx::new(product)),
        _ => return None,
    })
}

/// The venues built in, with their products.
pub const VENUES: &[(&str, Product)] = &[
    ("bybit", Product::Spot),
    ("bybit", Product::Linear),
    ("coinbase", Product::Spot),
    ("okx", Product::Spot),
    ("okx", Product::Linear),
];
