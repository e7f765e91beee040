//! Tries a key at its venue before anything depends on it: what it may do, whether its signature is taken, and, where the
//! venue has an order-test endpoint, whether it could trade. Nothing is changed by it.

use std::sync::atomic::{AtomicU64, Ordering};

use bellwether_sdk::Ts;

use super::machine::ClockOffset;
use super::transport::Transport;
use super::{Ask, Base, Fault, Listings, Permissions, Reply, Request, Stamp, Urls, Venue, VenueError};
use crate::keys::Signer;

/// A venue's product, for trying keys.
pub struct Counter<'a> {
    /// The codec.
    pub venue: &'a dyn Venue,
    /// Its addresses.
    pub urls: &'a Urls,
    /// Where the venue's spot product answers.
    pub spot_rest: &'a str,
    /// The way there.
    pub transport: &'a dyn Transport,
    /// Our clock.
    pub now: &'a (dyn Fn() -> Ts + Sync),
    /// The number of the last signature; 0 at first.
    pub nonce: AtomicU64,
}

/// What trying a key showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// What the venue says that it may do.
    pub permissions: Result<Permissions, VenueError>,
    /// Whether a signed read was taken.
    pub read: Result<(), VenueError>,
    /// Whether an order would be taken; `None` where the venue has no way to try, or the key only reads.
    pub trial: Option<Result<(), VenueError>>,
}

impl Probed {
    /// The first thing that the venue refused or did not answer, if any. Permissions that are not told are none, unless the
    /// venue does not take the key for them: not every venue signs the read.
    pub fn failed(&self) -> Option<&VenueError> {
        let unknown = self.permissions.as_ref().err().filter(|e| e.fault == Fault::Authentication);
        unknown.or(self.read.as_ref().err()).or_else(|| self.trial.as_ref().and_then(|t| t.as_ref().err()))
    }

    /// Whether the venue was away for some of it, and may answer another time.
    pub fn is_open(&self) -> bool {
        let errors = [self.permissions.as_ref().err(), self.read.as_ref().err()];
        let trial = self.trial.as_ref().and_then(|t| t.as_ref().err());
        errors.into_iter().chain([trial]).flatten().any(|e| is_passing(e.fault))
    }
}

/// A busy venue, a connection that breaks and a clock that is off say nothing about the key.
const fn is_passing(fault: Fault) -> bool {
    matches!(fault, Fault::Transient | Fault::Unknown | Fault::RateLimited { .. } | Fault::ClockSkew)
}

/// A trial may be refused for anything but the key.
fn key_was_taken(error: &VenueError) -> bool {
    matches!(error.fault, Fault::Rejected | Fault::Unsupported)
}

impl Counter<'_> {
    /// Tries a key; of one that is to trade also a trial order.
    pub async fn probe(&self, signer: &dyn Signer, trades: bool) -> Probed {
        let permissions = self.permissions(signer).await;
        if let Err(error) = permissions.as_ref().map_err(Clone::clone)
            && error.fault == Fault::Transient
        {
            // A venue that is away is not asked three times more.
            return Probed { permissions, read: Err(error), trial: None };
        }
        let clock = self.clock(signer).await;
        let read = self.ask(&Ask::Balances, signer, &clock).await.map(drop);
        let trial = match trades {
            true => self.try_order(signer, &clock).await,
            false => None,
        };
        Probed { permissions, read, trial }
    }

    /// Asks what a key may do.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn permissions(&self, signer: &dyn Signer) -> Result<Permissions, VenueError> {
        match self.ask(&Ask::Permissions, signer, &self.clock(signer).await).await? {
            Reply::Permissions(permissions) => Ok(self.with_end(permissions, signer).await),
            _ => Err(VenueError::malformed("the answer is of another kind than the question")),
        }
    }

    /// Adds the key's end, where the venue tells it apart; a venue that does not answer that leaves it unknown, and the
    /// rest stands.
    async fn with_end(&self, mut permissions: Permissions, signer: &dyn Signer) -> Permissions {
        let Some(request) = self.venue.key_end().filter(|_| permissions.withdraw == Some(false)) else {
            return permissions;
        };
        let clock = self.clock(signer).await;
        let told = self.patiently(async || {
            let response = self.send(request.clone(), signer, &clock).await?;
            self.venue.key_end_reply(&response, signer)
        });
        match told.await {
            Ok(Some(end)) => permissions.expires = end,
            Ok(None) | Err(_) => permissions.end_unknown = true,
        }
        permissions
    }

    async fn clock(&self, signer: &dyn Signer) -> ClockOffset {
        let mut clock = ClockOffset::default();
        // The first answer may have waited for a connection: the second tells the time better.
        for _ in 0..2 {
            let asked = (self.now)();
            let Ok(Reply::Time(venue)) = self.ask(&Ask::Time, signer, &clock).await else { break };
            clock.measure(asked, (self.now)(), venue);
        }
        clock
    }

    /// Makes an end of a key at its venue, with the key itself; `None` where the venue has no call for that.
    pub async fn retire(&self, signer: &dyn Signer) -> Option<Result<(), VenueError>> {
        let request = self.venue.retire_key()?;
        let clock = self.clock(signer).await;
        Some(match self.send(request, signer, &clock).await {
            Ok(response) => self.venue.trial_reply(&response),
            Err(error) => Err(error),
        })
    }

    /// Tries an order; any answer but one about the key shows that the key was taken.
    async fn try_order(&self, signer: &dyn Signer, clock: &ClockOffset) -> Option<Result<(), VenueError>> {
        let request = self.venue.trial_order()?;
        let told = self.patiently(async || {
            let response = self.send(request.clone(), signer, clock).await?;
            self.venue.trial_reply(&response)
        });
        Some(match told.await {
            Err(error) if key_was_taken(&error) => Ok(()),
            told => told,
        })
    }

    async fn ask(&self, ask: &Ask, signer: &dyn Signer, clock: &ClockOffset) -> Result<Reply, VenueError> {
        let listings = Listings::default();
        let request = self.venue.ask(ask, &listings)?;
        let told = self.patiently(async || {
            let response = self.send(request.clone(), signer, clock).await?;
            self.venue.reply(ask, &response, &listings)
        });
        told.await
    }

    /// What says nothing about the key is asked again.
    async fn patiently<T>(&self, attempt: impl AsyncFn() -> Result<T, VenueError>) -> Result<T, VenueError> {
        let mut last = VenueError::malformed("no answer");
        for pause_ms in [0, 300, 1_200, 2_500] {
            tokio::time::sleep(std::time::Duration::from_millis(pause_ms)).await;
            match attempt().await {
                Err(e) if is_passing(e.fault) => last = e,
                told => return told,
            }
        }
        Err(last)
    }

    async fn send(
        &self,
        mut request: Request,
        signer: &dyn Signer,
        clock: &ClockOffset,
    ) -> Result<super::Response, VenueError> {
        if request.signed {
            let now = clock.venue_time((self.now)());
            let millis = u64::try_from(now.nanos() / 1_000_000).unwrap_or(0);
            let nonce = millis.max(self.nonce.load(Ordering::Relaxed) + 1);
            self.nonce.store(nonce, Ordering::Relaxed);
            let stamp = Stamp { now, nonce };
            let signed = self.venue.sign(&mut request, signer, stamp);
            signed.map_err(|e| VenueError::new(Fault::Authentication, "", e.to_string()))?;
        }
        let base = if request.base == Base::Spot { self.spot_rest } else { &self.urls.rest };
        let answer = self.transport.http(base, &request).await;
        answer.map_err(|e| VenueError::new(Fault::Transient, "", e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::exchange::transport::{Socket, TransportError};
    use crate::exchange::trial::{line, response};
    use crate::exchange::{Product, Response, VENUES, venue};
    use crate::keys::{Credential, Scheme};

    /// Status and body, in turn; the last one stays.
    type Answers = Vec<(u16, &'static str)>;

    /// Answers by the end of the path.
    struct Script(Mutex<Vec<(&'static str, Answers)>>);

    #[async_trait]
    impl Transport for Script {
        async fn http(&self, _: &str, request: &Request) -> Result<Response, TransportError> {
            let mut script = self.0.lock().expect("the script");
            let Some((_, answers)) = script.iter_mut().find(|(path, _)| request.path.ends_with(path)) else {
                return Err(TransportError::NotSent("nobody there".to_owned()));
            };
            let (status, body) = if answers.len() > 1 { answers.remove(0) } else { answers[0] };
            Ok(response(status, body))
        }

        async fn connect(&self, _: &str) -> Result<Box<dyn Socket>, TransportError> {
            Err(TransportError::NotSent("no sockets".to_owned()))
        }
    }

    const TIME: (u16, &str) = (200, r#"{"serverTime":1700000000000}"#);
    const MAY: (u16, &str) = (
        200,
        r#"{"ipRestrict":true,"enableReading":true,"enableWithdrawals":false,"enableInternalTransfer":false,"permitsUniversalTransfer":false,"enableSpotAndMarginTrading":true}"#,
    );
    const ACCOUNT: (u16, &str) = (200, r#"{"balances":[]}"#);
    const NO: (u16, &str) = (401, r#"{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}"#);

    fn probed(may: &[(u16, &'static str)], account: (u16, &'static str), order: &[(u16, &'static str)]) -> Probed {
        let binance = venue("binance", Product::Spot).expect("built in");
        let urls = binance.facts().urls.clone();
        let script = vec![
            ("/time", vec![TIME]),
            ("/apiRestrictions", may.to_vec()),
            ("/account", vec![account]),
            ("/order/test", order.to_vec()),
        ];
        let transport = Script(Mutex::new(script));
        let counter = Counter {
            venue: &*binance,
            urls: &urls,
            spot_rest: &urls.rest,
            transport: &transport,
            now: &|| Ts::from_millis(1_700_000_000_000),
            nonce: AtomicU64::new(0),
        };
        let key = Credential::new("key-0001", Scheme::HmacSha256, "secret").expect("a key");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(counter.probe(&key, true))
    }

    #[test]
    fn a_good_key_is_taken_also_where_the_trial_order_is_not() {
        let good = probed(&[MAY], ACCOUNT, &[(200, "{}")]);
        assert!(good.permissions.is_ok() && good.failed().is_none() && good.trial == Some(Ok(())), "{good:?}");
        let filtered = probed(&[MAY], ACCOUNT, &[(400, r#"{"code":-1013,"msg":"Filter failure: LOT_SIZE"}"#)]);
        assert!(filtered.failed().is_none(), "{filtered:?}");
        let busy = probed(&[(429, r#"{"code":-1003,"msg":"busy"}"#), MAY], ACCOUNT, &[(200, "{}")]);
        assert!(busy.permissions.is_ok(), "a busy venue says nothing about the key: {busy:?}");
    }

    #[test]
    fn a_key_that_the_venue_refuses_anywhere_has_failed() {
        assert!(probed(&[MAY], NO, &[(200, "{}")]).failed().is_some());
        assert!(probed(&[MAY], ACCOUNT, &[NO]).failed().is_some());
        let silent = probed(&[(200, "<html>")], ACCOUNT, &[(200, "{}")]);
        assert!(silent.permissions.is_err() && silent.failed().is_none(), "what it may do is unknown: {silent:?}");
    }

    #[test]
    fn venues_have_the_calls_that_the_documents_say() {
        let of = |name: &str, product, what: fn(&dyn Venue) -> Option<Request>| {
            what(&*venue(name, product).expect("built in")).map(|request| line(&request))
        };
        let trials: Vec<_> = VENUES.iter().filter_map(|(n, p)| of(n, *p, |v| v.trial_order())).collect();
        assert_eq!(
            trials,
            [
                "POST /api/v3/order/test?symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1 signed",
                "POST /fapi/v1/order/test?symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1 signed",
                "POST /0/private/AddOrder signed pair=XBTUSD&type=buy&ordertype=limit&price=1&volume=1&validate=true",
            ]
        );
        let ends: Vec<_> = VENUES.iter().filter_map(|(n, p)| of(n, *p, |v| v.retire_key())).collect();
        assert_eq!(ends, ["POST /v5/user/delete-api signed {}", "POST /v5/user/delete-api signed {}"]);
    }
}
