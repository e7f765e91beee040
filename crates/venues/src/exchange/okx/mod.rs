//! OKX v5: spot and linear perpetual swaps. One codec; the products differ by a table.
//!
//! Swaps are counted in contracts on the wire and in base units here: contracts × value of a contract, exact both ways
//! ([`Rules::contract`](super::Rules::contract)). Positions are net. Orders that wait for a trigger are another kind of
//! order at OKX, with cancels and queries of their own, so stops are not placed; there is no cancel-all for spot and
//! swaps. The socket names instruments by number (`instIdCode`); one without a number is traded over REST. The demo is
//! the same REST host with a header: [`Okx::demo`]. Source: the venue's v5 documents, 2026.

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
    AccountNote, Act, ActReply, Ask, Facts, Listings, Plan, Product, Reply, Request, Response, Sink, Stamp, Topic,
    TradeReply, Urls, Venue, VenueError, WireError,
};
use crate::keys::{KeyError, Signer};

/// One of OKX's products.
#[derive(Debug)]
pub struct Okx {
    facts: Facts,
    table: facts::Table,
    demo: bool,
}

impl Okx {
    /// The codec of a product.
    pub fn new(product: Product) -> Self {
        let table = facts::Table::of(product);
        Self { facts: facts::facts(product), table, demo: false }
    }

    /// The same for the demo: its socket addresses, and the header that it wants on every request.
    pub fn demo(product: Product) -> Self {
        let mut venue = Self::new(product);
        if let Some(urls) = venue.facts.testnet.clone() {
            venue.facts.urls = urls;
        }
        Self { demo: true, ..venue }
    }

    fn marked(&self, mut request: Request) -> Request {
        if self.demo {
            request.headers.push(("x-simulated-trading".to_owned(), "1".to_owned()));
        }
        request
    }
}

impl Venue for Okx {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn guess_name(&self, symbol: &Symbol) -> String {
        let end = if self.facts.product == Product::Linear { "-SWAP" } else { "" };
        format!("{}-{}{end}", symbol.base(), symbol.quote())
    }

    fn ask(&self, ask: &Ask, listings: &Listings) -> Result<Request, VenueError> {
        rest::ask(&self.table, ask, listings).map(|r| self.marked(r))
    }

    fn ask_on(&self, ask: &Ask, ended: &str, listings: &Listings) -> Result<Request, VenueError> {
        self.ask(ask, listings).map(|r| with_field(r, "after", ended))
    }

    fn reply(&self, ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
        rest::reply(&self.table, ask, response, listings)
    }

    fn act(&self, act: &Act, listings: &Listings) -> Result<Request, VenueError> {
        orders::act(&self.table, act, listings).map(|r| self.marked(r))
    }

    fn act_reply(&self, _act: &Act, response: &Response, _listings: &Listings) -> Result<Vec<ActReply>, VenueError> {
        orders::act_reply(response)
    }

    fn cancel_after(&self, within_ms: u64, _: &Listings) -> Vec<Request> {
        vec![self.marked(orders::cancel_after(within_ms))]
    }

    fn cancel_after_reply(&self, response: &Response) -> Result<(), VenueError> {
        errors::open(response).map(drop)
    }

    fn sign(&self, request: &mut Request, signer: &dyn Signer, stamp: Stamp) -> Result<(), KeyError> {
        sign::request(request, signer, stamp)
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
