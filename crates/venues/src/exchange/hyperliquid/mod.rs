//! Hyperliquid's perpetuals: questions to `/info`, actions signed as EIP-712 messages to `/exchange` or over the socket,
//! whole books instead of changes.
//!
//! A key is an agent wallet (secp256k1). Its id is the address of the account that it acts for; the passphrase, where
//! there is one, is the address of a sub-account or vault to trade and be asked about instead. A market order is a limit
//! that fills at once or goes, at most 5 % from the reference price. What it will not do: spot, perpetuals of builders,
//! transfers; a key that could withdraw is told by [`Ask::Permissions`].

mod account;
mod acts;
mod errors;
mod facts;
mod info;
mod market;
mod prices;
mod rows;
mod sign;
mod socket;
#[cfg(test)]
mod tests;

use bellwether_sdk::{Symbol, Ts};

use super::{
    AccountNote, Act, ActReply, Ask, Facts, Fault, Listings, Plan, Reply, Request, Response, Sink, Stamp, Topic,
    TradeReply, Urls, Venue, VenueError, WireError,
};
use crate::keys::{KeyError, Signer};

/// Hyperliquid's perpetuals on one of its networks: signatures differ between them.
#[derive(Debug)]
pub(super) struct Hyperliquid {
    facts: Facts,
    mainnet: bool,
}

impl Hyperliquid {
    /// The main network.
    pub(super) fn mainnet() -> Self {
        Self { facts: facts::linear(true), mainnet: true }
    }

    /// The test network.
    pub(super) fn testnet() -> Self {
        Self { facts: facts::linear(false), mainnet: false }
    }
}

impl Venue for Hyperliquid {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn guess_name(&self, symbol: &Symbol) -> String {
        info::coin(symbol)
    }

    fn ask(&self, ask: &Ask, listings: &Listings) -> Result<Request, VenueError> {
        info::ask(ask, listings)
    }

    fn reply(&self, ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
        rows::reply(ask, response, listings)
    }

    fn act(&self, act: &Act, listings: &Listings) -> Result<Request, VenueError> {
        acts::act(act, listings)
    }

    fn act_reply(&self, act: &Act, response: &Response, listings: &Listings) -> Result<Vec<ActReply>, VenueError> {
        acts::reply(act, response, listings)
    }

    fn sign(&self, request: &mut Request, signer: &dyn Signer, stamp: Stamp) -> Result<(), KeyError> {
        sign::sign(request, signer, stamp, self.mainnet)
    }

    fn key_end(&self) -> Option<Request> {
        Some(info::agents())
    }

    fn key_end_reply(&self, response: &Response, signer: &dyn Signer) -> Result<Option<Ts>, VenueError> {
        if !response.is_ok() {
            return Err(VenueError::of_status(response.status, false, &response.body));
        }
        let agent = sign::agent(signer).map_err(|e| VenueError::new(Fault::Authentication, "", e.to_string()))?;
        rows::agent_end(&response.body, &agent)
    }

    fn market(&self, urls: &Urls, topics: &[Topic], listings: &Listings) -> Vec<Plan> {
        market::plans(urls, topics, listings)
    }

    fn depth_levels(&self, asked: u32) -> u32 {
        asked.max(20)
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
        signer: &dyn Signer,
        _: &str,
        _: Stamp,
    ) -> Result<Option<Plan>, KeyError> {
        socket::plan(urls, signer).map(Some)
    }

    fn say(
        &self,
        act: &Act,
        number: u64,
        listings: &Listings,
        signer: &dyn Signer,
        _: &str,
        stamp: Stamp,
    ) -> Result<Option<String>, VenueError> {
        let action = acts::action(act, listings)?;
        let payload = sign::payload(&action, signer, stamp.nonce, self.mainnet)
            .map_err(|e| VenueError::new(super::Fault::Authentication, "", e.to_string()))?;
        Ok(Some(socket::post(number, &payload)))
    }

    fn read_trade(&self, text: &str, listings: &Listings) -> Result<TradeReply, WireError> {
        socket::read(text, listings)
    }
}
