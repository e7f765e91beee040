//! The way to a venue: addresses, key, clock, the table of instruments; one request at a time, sent or only written.

use std::sync::Arc;
use std::time::Duration;

use bellwether_sdk::{Decimal, InstrumentId, OrderKind, Symbol, Ts};
use serde_json::{Value, json};

use super::{LookAt, LookError, ONE, What, concerned, dry, headed, rules};
use crate::config::{KeySettings, Settings, VenueSettings};
use crate::exchange::machine::ClockOffset;
use crate::exchange::transport::{Live, LiveSettings, Transport, TransportError};
use crate::exchange::{
    Act, ActReply, Ask, Base, ClientId, Fault, Listings, Product, Reply, Request, Response, Rules, Stamp, Urls, Venue,
    VenueError, venues,
};
use crate::keys::{Credential, Signer};
use crate::run::keyring;
use crate::run::market;
use crate::run::paper::wall_now;

/// A request that asks for nothing being changed is tried so often while the venue or the way to it fails.
const READ_TRIES: u32 = 3;

/// A venue that tells open orders on more pages than these has lost its place.
const PAGES_MAX: u32 = 200;

/// A venue, ready to be asked.
pub(super) struct Desk {
    key: String,
    account: String,
    keys: Vec<KeySettings>,
    venue: Arc<dyn Venue>,
    urls: Urls,
    /// Where the venue's spot product answers, for questions that only it does.
    spot_rest: String,
    is_play: bool,
    listings: Listings,
    odd: Vec<String>,
    symbol: Option<Symbol>,
    given: Option<Vec<Rules>>,
    /// Whether the instrument's rules are nobody's word.
    guessed: bool,
    signer: Option<Credential>,
    transport: Option<Box<dyn Transport>>,
    clock: ClockOffset,
    fixed: Option<Ts>,
    nonce: u64,
    /// In a dry run: what would have been sent.
    requests: Option<Vec<Value>>,
    /// In a dry run: what a session would have said instead, on its trading socket.
    said: Option<Value>,
}

/// A venue's name and product from its key in the settings.
fn named(key: &str) -> Result<(&'static str, Product), LookError> {
    let known = venues();
    let all = known.iter().map(|(name, product)| (market::settings_key(name, *product), *name, *product));
    let found = all.clone().find(|(k, ..)| k == key).or_else(|| {
        // A venue with contracts only is also known by its bare name.
        all.clone().find(|(_, name, _)| *name == key)
    });
    found.map(|(_, name, product)| (name, product)).ok_or_else(|| {
        let known: Vec<String> = all.map(|(k, ..)| k).collect();
        LookError::Unknown(format!("no venue {key:?} is known; there are: {}", known.join(", ")))
    })
}

impl Desk {
    pub(super) fn open(settings: &Settings, at: &LookAt) -> Result<Self, LookError> {
        let (name, product) = named(&at.venue)?;
        let mut settings = settings.clone();
        for product in [product, Product::Spot] {
            let own: &mut VenueSettings = settings.venue.entry(market::settings_key(name, product)).or_default();
            own.testnet |= at.testnet;
            if at.rest_url.is_some() {
                own.rest_url.clone_from(&at.rest_url);
            }
            if at.ws_url.is_some() {
                for url in [&mut own.market_url, &mut own.account_url, &mut own.trade_url] {
                    url.clone_from(&at.ws_url);
                }
            }
        }
        let key = market::settings_key(name, product);
        // All goes by REST.
        let is_play = settings.venue.get(&key).is_some_and(|own| market::is_play(own, own.rest_url.as_deref()));
        let unknown = |e: crate::run::RunError| LookError::Unknown(e.to_string());
        let (venue, urls) = market::open(&settings, name, product).map_err(unknown)?;
        let spot = venues().contains(&(name, Product::Spot)).then(|| market::open(&settings, name, Product::Spot));
        let spot_rest = match spot {
            Some(Ok((_, spot))) => spot.rest,
            _ => urls.rest.clone(),
        };
        let transport = match at.dry_run {
            true => None,
            false => {
                let live = Live::new(LiveSettings::default()).map_err(|e| LookError::Unavailable(e.to_string()))?;
                Some(Box::new(live) as Box<dyn Transport>)
            }
        };
        Ok(Self {
            key,
            account: at.account.clone(),
            keys: settings.key.clone(),
            venue,
            urls,
            spot_rest,
            is_play,
            listings: Listings::default(),
            odd: Vec::new(),
            symbol: None,
            given: at.rules.clone(),
            guessed: false,
            signer: None,
            transport,
            clock: ClockOffset::default(),
            fixed: at.now,
            nonce: 0,
            requests: at.dry_run.then(Vec::new),
            said: None,
        })
    }

    /// The same by another way to the venue.
    #[cfg(test)]
    pub(super) fn by(self, transport: Box<dyn Transport>) -> Self {
        Self { transport: Some(transport), ..self }
    }

    pub(super) fn venue(&self) -> &dyn Venue {
        &*self.venue
    }

    pub(super) fn rest_url(&self) -> &str {
        &self.urls.rest
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn listings(&self) -> &Listings {
        &self.listings
    }

    /// Instruments that the codec did not understand.
    pub(super) fn odd(&self) -> &[String] {
        &self.odd
    }

    pub(super) fn is_dry(&self) -> bool {
        self.requests.is_some()
    }

    /// Whether no real money is behind it.
    pub(super) fn is_play(&self) -> bool {
        self.is_play
    }

    pub(super) fn now(&self) -> Ts {
        self.fixed.unwrap_or_else(wall_now)
    }

    /// What a dry run wrote.
    pub(super) fn take_written(&mut self) -> Value {
        let mut written = json!({"dry_run": true, "requests": self.requests.take().unwrap_or_default()});
        if let Some(said) = self.said.take() {
            written["socket"] = said;
        }
        written
    }

    pub(super) fn document(&self, what: &What, body: Value) -> Value {
        headed(&self.key, what, self.symbol.as_ref().map(Symbol::as_str), body)
    }

    /// The rules of the instrument that is asked about.
    pub(super) fn rules(&self) -> Result<&Rules, LookError> {
        let one = self.listings.get(ONE).filter(|_| self.symbol.is_some());
        one.map(|l| &l.rules).ok_or_else(|| LookError::Usage("no symbol is named".to_owned()))
    }

    /// Gets the instruments that the question needs: the one asked about is the first.
    pub(super) async fn list(&mut self, what: &What, symbol: Option<&str>) -> Result<(), LookError> {
        if matches!(what, What::Time | What::Balances | What::Transfers(_) | What::Permissions) {
            return Ok(());
        }
        let all = match (self.given.take(), self.is_dry()) {
            (Some(given), _) => given,
            (None, true) => match symbol {
                Some(symbol) => {
                    self.guessed = true;
                    vec![rules::guess(&*self.venue, &self.full(symbol)?)]
                }
                None => Vec::new(),
            },
            (None, false) => match self.ask(&Ask::Instruments).await? {
                Reply::Instruments(rules, odd) => {
                    self.odd = odd;
                    rules
                }
                _ => return Err(self.unexpected()),
            },
        };
        let one = symbol.map(|s| self.find(&all, s)).transpose()?;
        // Some questions are about one settlement currency, that of the first: the usual one comes first.
        let mut all = all;
        all.sort_by_key(|r| (one.as_ref() != Some(&r.symbol), r.symbol.settle() != "USDT"));
        self.symbol = one;
        self.listings = Listings::new((0u16..u16::MAX).map(InstrumentId).zip(all));
        Ok(())
    }

    /// A symbol as it is typed: `BTC/USDT`, with or without venue and settlement currency.
    fn full(&self, text: &str) -> Result<Symbol, LookError> {
        let facts = self.venue.facts();
        let mut text = text.to_owned();
        if text.split_once('/').is_none_or(|(before, _)| !before.contains(':')) {
            text = format!("{}:{text}", facts.venue);
        }
        if facts.product == Product::Linear && text.matches(':').count() == 1 {
            let quote = text.rsplit('/').next().unwrap_or_default().to_owned();
            text = format!("{text}:{quote}");
        }
        let symbol: Symbol = text.parse().map_err(|e: bellwether_sdk::SymbolError| LookError::Usage(e.to_string()))?;
        if symbol.venue() != facts.venue {
            return Err(LookError::Usage(format!("{symbol} is not of the venue {}", facts.venue)));
        }
        Ok(symbol)
    }

    fn find(&self, all: &[Rules], text: &str) -> Result<Symbol, LookError> {
        if let Some(rules) = all.iter().find(|r| r.name == text || r.stream_name == text) {
            return Ok(rules.symbol.clone());
        }
        let near = |text: &str| {
            let near = crate::run::plan::nearest(text, all.iter().map(|r| r.symbol.as_str()));
            let near = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            LookError::Unknown(format!("{text} is not listed by {}{near}", self.key))
        };
        if !text.contains('/') {
            return Err(near(text));
        }
        let symbol = self.full(text)?;
        match all.iter().any(|r| r.symbol == symbol) {
            true => Ok(symbol),
            false => Err(near(symbol.as_str())),
        }
    }

    /// Holds an id that was given against the kind of its order: where the venue keeps orders that wait for a trigger
    /// apart, they are found again by a mark in their ids.
    ///
    /// # Errors
    /// [`LookError::Usage`] with the id that fits.
    pub(super) fn is_of_kind(&self, given: ClientId, kind: &OrderKind) -> Result<(), LookError> {
        let apart = match self.venue.ask(&Ask::OpenConditional(None), &self.listings) {
            Err(e) => e.fault != Fault::Unsupported,
            Ok(_) => true,
        };
        let fits = ClientId::of(given.session, given.number, kind);
        if !apart || fits == given {
            return Ok(());
        }
        let which = if fits.is_conditional() { "that wait for a trigger" } else { "that wait for no trigger" };
        Err(LookError::Usage(format!(
            "{} tells orders {which} by a mark in their ids: give --client-id {fits}, or none",
            self.key
        )))
    }

    /// Asks for the venue's clock, and says how far it is from ours.
    pub(super) async fn time(&mut self) -> Result<Value, LookError> {
        let asked = wall_now();
        let Reply::Time(venue) = self.ask(&Ask::Time).await? else { return Err(self.unexpected()) };
        let answered = wall_now();
        self.clock.measure(asked, answered, venue);
        Ok(json!({
            "venue_ns": venue.nanos().to_string(),
            "offset_ns": self.clock.offset().to_string(),
            "round_trip_ns": self.clock.round_trip().unwrap_or_default().to_string(),
        }))
    }

    /// Asks, and asks again where nothing was done and that may help.
    pub(super) async fn ask(&mut self, ask: &Ask) -> Result<Reply, LookError> {
        let request = self.venue.ask(ask, &self.listings).map_err(LookError::Venue)?;
        self.rests_on_no_guess(&request, |listings| self.venue.ask(ask, listings))?;
        let found = self.question(ask, request).await;
        match found {
            Err(LookError::Venue(e)) if e.reason == "unknown_order" => {
                match self.venue.ask_further(ask, &self.listings) {
                    Some(further) => self.question(ask, further).await,
                    None => Err(LookError::Venue(e)),
                }
            }
            found => found,
        }
    }

    /// Asks for open orders, all pages of them.
    pub(super) async fn open_orders(&mut self, ask: &Ask) -> Result<Reply, LookError> {
        let (mut rows, mut others) = (Vec::new(), 0);
        let mut reply = self.ask(ask).await?;
        for _ in 0..PAGES_MAX {
            match reply {
                Reply::SomeOrders(more, left_out, ended) => {
                    rows.extend(more);
                    others += left_out;
                    let next = self.venue.ask_on(ask, &ended, &self.listings).map_err(LookError::Venue)?;
                    reply = self.question(ask, next).await?;
                }
                Reply::Orders(more, left_out) => {
                    rows.extend(more);
                    return Ok(Reply::Orders(rows, others + left_out));
                }
                other => return Ok(other),
            }
        }
        Err(self.unexpected())
    }

    async fn question(&mut self, ask: &Ask, request: Request) -> Result<Reply, LookError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let found = match self.send(request.clone()).await? {
                Ok(response) => self.venue.reply(ask, &response, &self.listings),
                Err(e) => Err(VenueError::new(Fault::Transient, "", e.to_string())),
            };
            match found {
                Err(e) if e.fault == Fault::ClockSkew && tries == 1 && *ask != Ask::Time => {
                    Box::pin(self.time()).await?;
                }
                Err(e) if e.fault == Fault::Transient && tries < READ_TRIES => {
                    tokio::time::sleep(Duration::from_millis(200 << tries)).await;
                }
                found => return found.map_err(LookError::Venue),
            }
        }
    }

    /// Does something, once. Where the clock was the reason that nothing was done, once more.
    ///
    /// # Errors
    /// [`LookError::Venue`] of class unknown when it may have been done.
    pub(super) async fn act(&mut self, act: &Act) -> Result<Vec<ActReply>, LookError> {
        let request = self.venue.act(act, &self.listings).map_err(LookError::Venue)?;
        self.rests_on_no_guess(&request, |listings| self.venue.act(act, listings))?;
        for last in [false, true] {
            let sent = self.send(request.clone()).await;
            if let (true, Some(signer)) = (self.is_dry(), &self.signer) {
                // Of the same moment and with the same number: only one of the two would be sent.
                let stamp = Stamp { now: self.clock.venue_time(self.now()), nonce: self.nonce };
                self.said = dry::said(&*self.venue, &self.urls, &self.listings, act, signer, stamp)?;
            }
            let done = match sent? {
                Ok(response) => self.venue.act_reply(act, &response, &self.listings),
                Err(e) => {
                    let fault = if e.nothing_sent() { Fault::Transient } else { Fault::Unknown };
                    Err(VenueError::new(fault, "", e.to_string()))
                }
            };
            match done {
                Err(e) if e.fault == Fault::ClockSkew && !last => drop(self.time().await?),
                Err(e) => return Err(LookError::Venue(e)),
                Ok(replies) => {
                    // Acts of one order answer with one entry; a refusal stands in it.
                    let refused = replies.iter().find_map(|r| r.refused.clone()).filter(|_| concerned(act).is_some());
                    return refused.map_or(Ok(replies), |e| Err(LookError::Venue(e)));
                }
            }
        }
        Err(self.unexpected())
    }

    /// Refuses what a guess cannot know: a request that would be another one if the venue's number of the instrument, or
    /// what one of its contracts is, were others.
    fn rests_on_no_guess(
        &self,
        request: &Request,
        write: impl Fn(&Listings) -> Result<Request, VenueError>,
    ) -> Result<(), LookError> {
        let Some(rules) = self.listings.get(ONE).map(|l| &l.rules).filter(|_| self.guessed) else { return Ok(()) };
        let others = [Rules { index: 1, ..rules.clone() }, Rules { contract: Decimal::new(5, 1), ..rules.clone() }];
        if others.into_iter().all(|other| write(&Listings::new([(ONE, other)])).as_ref() == Ok(request)) {
            return Ok(());
        }
        let key = &self.key;
        Err(LookError::Usage(format!(
            "a dry run knows neither the number nor the contract size that {key} has for {}: give --rules FILE, which \
             bellwether exchange {key} instruments --json > FILE writes",
            rules.symbol
        )))
    }

    async fn send(&mut self, mut request: Request) -> Result<Result<Response, TransportError>, LookError> {
        if request.signed {
            let stamp = self.stamp();
            let signer = match self.signer.take() {
                Some(signer) => signer,
                None => self.key_of_account()?,
            };
            let signed = self.venue.sign(&mut request, &signer, stamp);
            self.signer = Some(signer);
            signed?;
        }
        let base = match request.base {
            Base::Rest => self.urls.rest.clone(),
            Base::Spot => self.spot_rest.clone(),
        };
        if let Some(requests) = &mut self.requests {
            let secret = self.signer.as_ref().map(Signer::passphrase).unwrap_or_default();
            requests.push(dry::written(&base, &request, secret));
            return Err(LookError::NotSent);
        }
        match &self.transport {
            Some(transport) => Ok(transport.http(&base, &request).await),
            None => Err(LookError::NotSent),
        }
    }

    /// The first key of the account that the settings have, else that of the environment.
    fn key_of_account(&self) -> Result<Credential, LookError> {
        let entry = keyring::entries(&self.keys, &self.key, &self.account)?.into_iter().next();
        let entry = entry.ok_or_else(|| LookError::Unknown(format!("no key of {}/{}", self.key, self.account)))?;
        Ok(keyring::load(&entry)?.1)
    }

    fn stamp(&mut self) -> Stamp {
        let now = self.clock.venue_time(self.now());
        let millis = u64::try_from(now.nanos() / 1_000_000).unwrap_or(0);
        self.nonce = millis.max(self.nonce + 1);
        Stamp { now, nonce: self.nonce }
    }

    pub(super) fn unexpected(&self) -> LookError {
        LookError::Venue(VenueError::malformed("the answer is of another kind than the question"))
    }
}
