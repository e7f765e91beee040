//! Binance: spot, and perpetual contracts margined in their quote currency (USDⓈ-M futures).
//!
//! One codec for both. What differs stands in a table ([`dialect`]); what is alike is written once. Trades are the
//! `trade` stream on spot and `aggTrade` on futures (fills of one taker order at one price in one message), since the
//! futures' single trades are no documented stream; ids of trades are of the stream's own kind, and history
//! ([`Ask::TradesFrom`]) is aggregated on both.
//!
//! On futures, orders that wait for a trigger live in a service of their own: their venue ids are written `algo-N`
//! until they trigger, their client ids carry [`ClientId`](super::ClientId)'s mark, and they are listed and cancelled
//! by [`Ask::OpenConditional`] and [`Act::CancelAllConditional`]. Accounts must be in one-way mode.

mod account;
mod answers;
mod dialect;
mod errors;
mod facts;
mod flows;
mod instruments;
mod market;
mod orders;
mod params;
mod rest;
mod rows;
mod sign;
mod trade;
mod used;
mod usual;
mod words;

#[cfg(test)]
mod tests;

use bellwether_sdk::{Symbol, Ts};

use self::dialect::Dialect;
use super::{
    AccountNote, Act, ActReply, Ask, Facts, Listings, Method, Plan, Product, Reply, Request, Response, Sink, Stamp,
    Topic, TradeReply, Urls, Used, Venue, VenueError, WireError,
};
use crate::keys::{KeyError, Signer};

/// A product of Binance.
#[derive(Debug, Clone)]
pub struct Binance {
    facts: Facts,
    dialect: &'static Dialect,
}

impl Binance {
    /// One of its products.
    pub fn new(product: Product) -> Self {
        match product {
            Product::Spot => Self { facts: facts::spot(), dialect: &dialect::SPOT },
            Product::Linear => Self { facts: facts::futures(), dialect: &dialect::FUTURES },
        }
    }
}

impl Venue for Binance {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn guess_name(&self, symbol: &Symbol) -> String {
        format!("{}{}", symbol.base(), symbol.quote())
    }

    fn ask(&self, ask: &Ask, listings: &Listings) -> Result<Request, VenueError> {
        rest::request(self.dialect, ask, listings)
    }

    fn reply(&self, ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
        rows::reply(self.dialect, ask, response, listings)
    }

    fn act(&self, act: &Act, listings: &Listings) -> Result<Request, VenueError> {
        orders::request(self.dialect, act, listings)
    }

    fn act_reply(&self, act: &Act, response: &Response, listings: &Listings) -> Result<Vec<ActReply>, VenueError> {
        answers::reply(act, response, listings)
    }

    fn cancel_after(&self, within_ms: u64, listings: &Listings) -> Vec<Request> {
        orders::cancel_after(self.dialect, within_ms, listings)
    }

    fn cancel_after_reply(&self, response: &Response) -> Result<(), VenueError> {
        if response.is_ok() { Ok(()) } else { Err(errors::of_response(response, true)) }
    }

    fn used(&self, response: &Response) -> Used {
        used::of_headers(response)
    }

    fn used_said(&self, text: &str) -> Used {
        used::of_message(text)
    }

    fn sign(&self, request: &mut Request, signer: &dyn Signer, stamp: Stamp) -> Result<(), KeyError> {
        sign::request(request, signer, stamp)
    }

    fn trial_order(&self) -> Option<Request> {
        // The key is judged before the order.
        let order = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1";
        let path = format!("{}/test", self.dialect.order.path);
        Some(Request::new(Method::Post, path, order, 1).signed().read_only())
    }

    fn trial_reply(&self, response: &Response) -> Result<(), VenueError> {
        if response.is_ok() { Ok(()) } else { Err(errors::of_response(response, false)) }
    }

    fn market(&self, urls: &Urls, topics: &[Topic], listings: &Listings) -> Vec<Plan> {
        market::plans(self.dialect, urls, topics, listings)
    }

    fn renew_book(&self, _topic: Topic, _listings: &Listings) -> Vec<String> {
        // Snapshots come by REST.
        Vec::new()
    }

    fn read_market(&self, text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
        market::read(text, listings, now, sink)
    }

    fn account(
        &self,
        urls: &Urls,
        _listings: &Listings,
        _signer: &dyn Signer,
        ticket: &str,
        _stamp: Stamp,
    ) -> Result<Option<Plan>, KeyError> {
        Ok(account::plan(self.dialect, urls, ticket))
    }

    fn read_account(&self, text: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
        account::read(text, listings)
    }

    fn trade(
        &self,
        urls: &Urls,
        _listings: &Listings,
        signer: &dyn Signer,
        _ticket: &str,
        stamp: Stamp,
    ) -> Result<Option<Plan>, KeyError> {
        trade::plan(self.dialect, urls, signer, stamp)
    }

    fn say(
        &self,
        act: &Act,
        number: u64,
        listings: &Listings,
        signer: &dyn Signer,
        _ticket: &str,
        stamp: Stamp,
    ) -> Result<Option<String>, VenueError> {
        trade::say(self.dialect, act, number, listings, signer, stamp)
    }

    fn read_trade(&self, text: &str, listings: &Listings) -> Result<TradeReply, WireError> {
        trade::read(text, listings)
    }
}
