//! Bybit v5, unified account: spot and linear perpetuals. One codec; the products differ by a table.
//!
//! Orders go over the order-entry socket; its answers, like those of REST, say only that a request was taken: what
//! became of it comes on the private stream. Market orders are sized in base (`marketUnit`), positions are one-way.
//! Hedge mode, position-level trailing stops and conditional spot orders (whose cancels must name their kind) are not
//! spoken. Source: the venue's v5 documents, July 2026.

mod account;
mod errors;
mod facts;
mod flows;
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
    AccountNote, Act, ActReply, Ask, Facts, Listings, Method, Plan, Product, Reply, Request, Response, Sink, Stamp,
    Topic, TradeReply, Urls, Venue, VenueError, WireError,
};
use crate::keys::{KeyError, Signer};

/// One of Bybit's products.
#[derive(Debug)]
pub struct Bybit {
    facts: Facts,
    table: facts::Table,
}

impl Bybit {
    /// The codec of a product.
    pub fn new(product: Product) -> Self {
        let table = facts::Table::of(product);
        Self { facts: facts::facts(product, &table), table }
    }
}

impl Venue for Bybit {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn guess_name(&self, symbol: &Symbol) -> String {
        match (self.facts.product, symbol.quote()) {
            (Product::Linear, "USDC") => format!("{}PERP", symbol.base()),
            (_, quote) => format!("{}{quote}", symbol.base()),
        }
    }

    fn not_together(&self, listings: &Listings) -> Option<String> {
        rest::not_together(&self.table, listings)
    }

    fn ask(&self, ask: &Ask, listings: &Listings) -> Result<Request, VenueError> {
        rest::ask(&self.table, ask, listings)
    }

    fn ask_further(&self, ask: &Ask, listings: &Listings) -> Option<Request> {
        rest::ask_further(&self.table, ask, listings)
    }

    fn ask_on(&self, ask: &Ask, ended: &str, listings: &Listings) -> Result<Request, VenueError> {
        self.ask(ask, listings).map(|r| with_field(r, "cursor", ended))
    }

    fn reply(&self, ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
        rest::reply(&self.table, ask, response, listings)
    }

    fn act(&self, act: &Act, listings: &Listings) -> Result<Request, VenueError> {
        orders::act(&self.table, act, listings)
    }

    fn act_reply(&self, _act: &Act, response: &Response, _listings: &Listings) -> Result<Vec<ActReply>, VenueError> {
        orders::act_reply(response)
    }

    fn sign(&self, request: &mut Request, signer: &dyn Signer, stamp: Stamp) -> Result<(), KeyError> {
        sign::request(request, signer, stamp)
    }

    fn retire_key(&self) -> Option<Request> {
        let request = Request::new(Method::Post, "/v5/user/delete-api", "", 1);
        Some(request.body("application/json", "{}").signed())
    }

    fn trial_reply(&self, response: &Response) -> Result<(), VenueError> {
        errors::open(response, true).map(drop)
    }

    fn market(&self, urls: &Urls, topics: &[Topic], listings: &Listings) -> Vec<Plan> {
        market::plans(&self.table, urls, topics, listings)
    }

    fn renew_book(&self, topic: Topic, listings: &Listings) -> Vec<String> {
        market::renew(&self.table, topic, listings)
    }

    fn read_market(&self, text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
        market::read(text, listings, now, sink)
    }

    fn account(
        &self,
        urls: &Urls,
        _listings: &Listings,
        signer: &dyn Signer,
        _ticket: &str,
        stamp: Stamp,
    ) -> Result<Option<Plan>, KeyError> {
        account::plan(&self.table, urls, signer, stamp).map(Some)
    }

    fn read_account(&self, text: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
        account::read(&self.table, text, listings)
    }

    fn trade(
        &self,
        urls: &Urls,
        _listings: &Listings,
        signer: &dyn Signer,
        _ticket: &str,
        stamp: Stamp,
    ) -> Result<Option<Plan>, KeyError> {
        let login = Some(sign::login(signer, stamp)?);
        Ok(Some(Plan { url: urls.trade.clone(), login, ..Plan::default() }))
    }

    fn say(
        &self,
        act: &Act,
        number: u64,
        listings: &Listings,
        _signer: &dyn Signer,
        _ticket: &str,
        stamp: Stamp,
    ) -> Result<Option<String>, VenueError> {
        orders::say(&self.table, act, number, listings, stamp)
    }

    fn read_trade(&self, text: &str, _listings: &Listings) -> Result<TradeReply, WireError> {
        orders::read_trade(text)
    }
}
