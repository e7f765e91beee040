//! The venues that a program can name: those that are built in, and those that it adds itself.

use std::sync::{PoisonError, RwLock};

use super::{Product, VENUES, Venue};

/// Makes an adapter: the venue's, or its test network's.
pub type MakeVenue = fn(testnet: bool) -> Box<dyn Venue>;

static ADDED: RwLock<Vec<(&'static str, Product, MakeVenue)>> = RwLock::new(Vec::new());

/// A venue of this name and product is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is a venue {0:?} for {1:?} already")]
pub struct VenueTaken(pub &'static str, pub Product);

/// Adds an adapter of the program's own: from now on settings, instruments and flags may name it like those that are built
/// in. A program does this before anything else, once; the name is the one of symbols (`toy` in `toy:BTC/USDT`) and of
/// [`Facts::venue`](super::Facts::venue).
///
/// # Errors
/// [`VenueTaken`]: nothing is replaced.
pub fn add_venue(name: &'static str, product: Product, make: MakeVenue) -> Result<(), VenueTaken> {
    let mut added = ADDED.write().unwrap_or_else(PoisonError::into_inner);
    if VENUES.contains(&(name, product)) || added.iter().any(|(n, p, _)| (*n, *p) == (name, product)) {
        return Err(VenueTaken(name, product));
    }
    added.push((name, product, make));
    Ok(())
}

/// All venues with their products: the built-in ones, then those that were added.
pub fn venues() -> Vec<(&'static str, Product)> {
    let added = ADDED.read().unwrap_or_else(PoisonError::into_inner);
    VENUES.iter().copied().chain(added.iter().map(|(name, product, _)| (*name, *product))).collect()
}

/// One that was added.
pub(super) fn added(name: &str, product: Product, testnet: bool) -> Option<Box<dyn Venue>> {
    let added = ADDED.read().unwrap_or_else(PoisonError::into_inner);
    let make = added.iter().find(|(n, p, _)| (*n, *p) == (name, product))?.2;
    drop(added);
    Some(make(testnet))
}
