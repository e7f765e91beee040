//! Coinbase Advanced Trade: spot.
//!
//! Orders go over REST only. What to know: messages of a connection are numbered across its channels and books have no
//! numbers of their own, so every message first tells its number ([`Note::Sequence`](super::Note::Sequence)) and the
//! machine judges ([`Continuity::Connection`](super::Continuity::Connection)). The private stream tells what filled of
//! an order in all, not its fills. Cancels and edits know the venue's order ids only, and an order is found by ours
//! among the instrument's newest. The side of public trades is the maker's. Tokens carry a nonce from
//! [`Stamp::nonce`]; a wrong clock shows as a refused key. The venue's sandbox is a fixed answer, so there is no test
//! network. Source: the venue's documents and its Python client, 2026.

mod account;
mod errors;
mod facts;
mod market;
mod orders;
mod rest;
mod rows;
mod sign;
#[cfg(test)]
mod tests;

use bellwether_sdk::{Symbol, Ts};

use super::codec::with_field;
use super::{
    AccountNote, Act, ActReply, Ask, Facts, Listings, Plan, Reply, Request, Response, Sink, Stamp, Topic, TradeReply,
    Urls, Venue, VenueError, WireError,
};
use crate::keys::{KeyError, Signer};

/// Coinbase's spot market.
#[derive(Debug)]
pub struct Coinbase {
    facts: Facts,
}

impl Coinbase {
    /// The codec.
    pub fn new() -> Self {
        Self { facts: facts::facts() }
    }
}

impl Venue for Coinbase {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn guess_name(&self, symbol: &Symbol) -> String {
        format!("{}-{}", symbol.base(), symbol.quote())
    }

    fn ask(&self, ask: &Ask, listings: &Listings) -> Result<Request, VenueError> {
        rest::ask(ask, listings)
    }

    fn ask_on(&self, ask: &Ask, ended: &str, listings: &Listings) -> Result<Request, VenueError> {
        self.ask(ask, listings).map(|r| with_field(r, "cursor", ended))
    }

    fn reply(&self, ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
        rest::reply(ask, response, listings)
    }

    fn act(&self, act: &Act, listings: &Listings) -> Result<Request, VenueError> {
        orders::act(act, listings)
    }

    fn act_reply(&self, act: &Act, response: &Response, _listings: &Listings) -> Result<Vec<ActReply>, VenueError> {
        orders::act_reply(act, response)
    }

    fn sign(&self, request: &mut Request, signer: &dyn Signer, stamp: Stamp) -> Result<(), KeyError> {
        sign::request(request, signer, stamp)
    }

    fn market(&self, urls: &Urls, topics: &[Topic], listings: &Listings) -> Vec<Plan> {
        market::plans(urls, topics, listings)
    }

    fn renew_book(&self, topic: Topic, listings: &Listings) -> Vec<String> {
        market::renew(topic, listings)
    }

    fn read_market(&self, text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
        market::read(text, listings, now, sink)
    }

    fn account(
        &self,
        urls: &Urls,
        listings: &Listings,
        signer: &dyn Signer,
        _ticket: &str,
        stamp: Stamp,
    ) -> Result<Option<Plan>, KeyError> {
        account::plan(urls, listings, signer, stamp).map(Some)
    }

    fn read_account(&self, text: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
        account::read(text, listings)
    }

    fn trade(
        &self,
        _urls: &Urls,
        _listings: &Listings,
        _signer: &dyn Signer,
        _ticket: &str,
        _stamp: Stamp,
    ) -> Result<Option<Plan>, KeyError> {
        Ok(None)
    }

    fn say(
        &self,
        _act: &Act,
        _number: u64,
        _listings: &Listings,
        _signer: &dyn Signer,
        _ticket: &str,
        _stamp: Stamp,
    ) -> Result<Option<String>, VenueError> {
        Ok(None)
    }

    fn read_trade(&self, text: &str, _listings: &Listings) -> Result<TradeReply, WireError> {
        Err(WireError::shape("Coinbase has no trading socket", text))
    }
}
