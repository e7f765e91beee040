//! Kraken spot: REST with form bodies signed by HMAC-SHA512, market streams of WebSocket v2, and one private socket that
//! carries orders and the account's notes.
//!
//! What it will not do: margin, futures, tokenised assets, staking. `reduce_only` on a sale is left out, because a spot
//! account cannot sell what it does not own; on a purchase it is refused. Client order ids are written as 32 hex digits.

mod account;
mod acts;
mod errors;
mod facts;
mod flows;
mod market;
mod names;
mod private;
mod rest;
mod rows;
mod sign;
mod socket;
#[cfg(test)]
mod tests;
mod time;

use bellwether_sdk::{Symbol, Ts};

use super::{
    AccountNote, Act, ActReply, Ask, Facts, Listings, Plan, Reply, Request, Response, Sink, Stamp, Topic, TradeReply,
    Urls, Venue, VenueError, WireError,
};
use crate::keys::{KeyError, Signer};

/// Kraken's spot market.
#[derive(Debug)]
pub(super) struct Kraken {
    facts: Facts,
}

impl Kraken {
    /// The spot market; it has no public test network.
    pub(super) fn spot() -> Self {
        Self { facts: facts::spot() }
    }
}

impl Venue for Kraken {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn cost(&self, act: &Act, age_ms: u64) -> u32 {
        acts::cost(act, age_ms)
    }

    fn guess_name(&self, symbol: &Symbol) -> String {
        names::alternative(symbol)
    }

    fn ask(&self, ask: &Ask, listings: &Listings) -> Result<Request, VenueError> {
        rest::ask(ask, listings)
    }

    fn ask_further(&self, ask: &Ask, listings: &Listings) -> Option<Request> {
        rest::ask_further(ask, listings)
    }

    fn reply(&self, ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
        rows::reply(ask, response, listings)
    }

    fn act(&self, act: &Act, listings: &Listings) -> Result<Request, VenueError> {
        acts::act(act, listings)
    }

    fn act_reply(&self, act: &Act, response: &Response, _: &Listings) -> Result<Vec<ActReply>, VenueError> {
        acts::reply(act, response)
    }

    fn cancel_after(&self, within_ms: u64, _: &Listings) -> Vec<Request> {
        vec![acts::cancel_after(within_ms)]
    }

    fn cancel_after_reply(&self, response: &Response) -> Result<(), VenueError> {
        errors::result(response, true).map(drop)
    }

    fn sign(&self, request: &mut Request, signer: &dyn Signer, stamp: Stamp) -> Result<(), KeyError> {
        sign::sign(request, signer, stamp)
    }

    fn trial_order(&self) -> Option<Request> {
        let order = "pair=XBTUSD&type=buy&ordertype=limit&price=1&volume=1&validate=true";
        Some(rest::write("AddOrder", rest::FORM, order.to_owned(), 0).read_only())
    }

    fn trial_reply(&self, response: &Response) -> Result<(), VenueError> {
        errors::result(response, false).map(drop)
    }

    fn market(&self, urls: &Urls, topics: &[Topic], listings: &Listings) -> Vec<Plan> {
        market::plans(urls, topics, listings)
    }

    fn depth_levels(&self, asked: u32) -> u32 {
        market::depth_levels(asked)
    }

    fn renew_book(&self, topic: Topic, listings: &Listings) -> Vec<String> {
        market::renew_book(topic, listings)
    }

    fn read_market(&self, text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
        market::read(text, listings, now, sink)
    }

    /// Account notes come on the trading socket.
    fn account(&self, _: &Urls, _: &Listings, _: &dyn Signer, _: &str, _: Stamp) -> Result<Option<Plan>, KeyError> {
        Ok(None)
    }

    fn read_account(&self, text: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
        match socket::read(text, listings)? {
            TradeReply::Account(notes) => Ok(notes),
            _ => Ok(vec![AccountNote::Ignored]),
        }
    }

    fn trade(
        &self,
        urls: &Urls,
        _: &Listings,
        _: &dyn Signer,
        ticket: &str,
        _: Stamp,
    ) -> Result<Option<Plan>, KeyError> {
        Ok(Some(socket::plan(urls, ticket)))
    }

    fn say(
        &self,
        act: &Act,
        number: u64,
        listings: &Listings,
        _: &dyn Signer,
        ticket: &str,
        _: Stamp,
    ) -> Result<Option<String>, VenueError> {
        socket::say(act, number, listings, ticket)
    }

    fn read_trade(&self, text: &str, listings: &Listings) -> Result<TradeReply, WireError> {
        socket::read(text, listings)
    }
}
