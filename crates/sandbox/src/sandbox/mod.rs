//! The sandbox venue: an exchange on 127.0.0.1 that speaks Binance's spot protocols over stored data.
//!
//! REST (`/api/v3/…`), market streams (`/ws`, `/stream`) and the WebSocket API (`/ws-api/v3`) on one port. Prices come
//! from the catalog at a chosen pace, stamped with this machine's clock; orders are matched by the simulated exchange
//! ([`Sim`](crate::sim::Sim)). Keys have permissions, expiry and addresses; faults come on demand from one seeded
//! generator. It shares no code with the codecs of the exchange door, so that the two check each other. It will not
//! listen on any other address, keep anything on disk, or move coins. `docs/sandbox.md` says what is there and what is
//! not.

mod account;
mod admin;
mod calls;
mod digits;
mod error;
mod fault;
mod flood;
mod floor;
mod hub;
mod keys;
mod klines;
mod limits;
mod market;
mod params;
mod public;
mod server;
mod shown;
mod streams;
mod tape;
mod trading;
mod views;
mod wire;
mod wish;
mod wsapi;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bellwether_sdk::{Decimal, InstrumentKind, Symbol};
use tokio::sync::oneshot;

pub use error::SandboxError;
pub use fault::Faults;
pub use keys::{ApiKey, MAIN};
pub use limits::LimitSettings;

use crate::data::Catalog;
use crate::market::Kind;
use crate::sim::Profile;
use floor::{Floor, Plan};
use server::Hall;

/// How a sandbox is set up.
#[derive(Debug, Clone)]
pub struct SandboxSettings {
    /// The port on 127.0.0.1; 0 for any that is free.
    pub port: u16,
    /// The catalog's folder.
    pub data: PathBuf,
    /// Spot instruments with stored trades; empty for all there are.
    pub instruments: Vec<Symbol>,
    /// Fill rules: `book@1` (against the book that clients see), `quote@1` or `trade@1`.
    pub profile: Profile,
    /// What commission is taken in.
    pub commission: Commission,
    /// What every account begins with.
    pub balances: Vec<(String, Decimal)>,
    /// Times real time; 0 plays nothing by itself, only steps that are asked for.
    pub pace: f64,
    /// Whether stored data begins anew at its end.
    pub again: bool,
    /// How much of the past there is to ask for at the start, nanoseconds.
    pub history_ns: i64,
    /// Load: best quotes per second beside what is stored; 0 for none. It keeps a processor busy.
    pub flood: u32,
    /// Limits of requests and orders.
    pub limits: LimitSettings,
    /// What goes wrong.
    pub faults: Faults,
    /// The seed of faults.
    pub seed: u64,
    /// The keys; accounts of other names than [`MAIN`] begin with the same balances.
    pub keys: Vec<ApiKey>,
}

impl Default for SandboxSettings {
    fn default() -> Self {
        Self {
            port: 0,
            data: PathBuf::from("backtest-data"),
            instruments: Vec::new(),
            profile: Profile::Book,
            commission: Commission::default(),
            balances: vec![("USDT".to_owned(), Decimal::new(100_000, 0))],
            pace: 1.0,
            again: true,
            history_ns: 4 * 3_600 * 1_000_000_000,
            flood: 0,
            limits: LimitSettings::default(),
            faults: Faults::default(),
            seed: 0,
            keys: Vec::new(),
        }
    }
}

/// What commission is taken in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Commission {
    /// In what a fill gives, as at the venue: a purchase gives less than it filled.
    #[default]
    Received,
    /// In quote currency, always.
    Quote,
}

impl std::str::FromStr for Commission {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "received" => Ok(Self::Received),
            "quote" => Ok(Self::Quote),
            _ => Err(format!("commission is taken in {text:?}: write received or quote")),
        }
    }
}

/// A sandbox at work on a thread of its own; it ends when this is dropped.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    token: String,
    instruments: Vec<Symbol>,
    answers: Arc<Mutex<Vec<Duration>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), SandboxError>>>,
}

impl Sandbox {
    /// Opens the catalog and the port, then serves on a thread of its own.
    ///
    /// # Errors
    /// [`SandboxError`] when a setting, the data or the port is no good.
    pub fn start(settings: SandboxSettings) -> Result<Self, SandboxError> {
        let catalog = Catalog::open(&settings.data)?;
        let instruments = chosen(&catalog, &settings.instruments)?;
        if settings.profile.needs_bars() {
            let why = "write book@1, quote@1 or trade@1: a venue has no bars to fill against";
            return Err(SandboxError::setting(format!("fill profile {}", settings.profile), why));
        }
        if !settings.pace.is_finite() || settings.pace < 0.0 || settings.history_ns <= 0 {
            return Err(SandboxError::setting("pace", "a pace is 0 or more, and a history longer than nothing"));
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port));
        let listener = TcpListener::bind(address).map_err(|source| SandboxError::Listen { address, source })?;
        let address = listener.local_addr()?;
        let mut floor = Floor::open(Plan {
            catalog,
            instruments: instruments.clone(),
            profile: settings.profile,
            commission: settings.commission,
            balances: settings.balances,
            pace: settings.pace,
            again: settings.again,
            history_ns: settings.history_ns,
            limits: settings.limits,
            faults: settings.faults,
            seed: settings.seed,
        })?;
        for key in settings.keys {
            floor.keys.put(key);
        }
        let answers = Arc::clone(&floor.flood.answers);
        let token = keys::random_text()?;
        let hall = Hall::new(floor, &token);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || run(listener, hall, settings.flood, stopped))?;
        Ok(Self { address, token, instruments, answers, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The token of the admin endpoints.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// What is traded.
    pub fn instruments(&self) -> &[Symbol] {
        &self.instruments
    }

    /// Under a [flood](SandboxSettings::flood): how long clients took from a mark in it to an order, in turn.
    pub fn flood_answers(&self) -> Vec<Duration> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it still serves.
    pub fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|t| !t.is_finished())
    }

    /// Stops serving.
    ///
    /// # Errors
    /// [`SandboxError`] of the serving that had ended by itself.
    pub fn stop(mut self) -> Result<(), SandboxError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), SandboxError> {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ = stop.send(());
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(SandboxError::Io(std::io::Error::other("the serving thread panicked"))),
            None => Ok(()),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(%error, "the sandbox ended");
        }
    }
}

fn run(listener: TcpListener, hall: Hall, flood: u32, stopped: oneshot::Receiver<()>) -> Result<(), SandboxError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            served = server::serve(listener, hall, flood) => served,
            _ = stopped => Ok(()),
        }
    })
}

/// The instruments asked for, or all spot instruments with trades.
fn chosen(catalog: &Catalog, asked: &[Symbol]) -> Result<Vec<Symbol>, SandboxError> {
    if !asked.is_empty() {
        return Ok(asked.to_vec());
    }
    let spot = |s: &Symbol| s.kind() == InstrumentKind::Spot;
    let all = catalog.series().into_iter().filter(|s| s.kind == Kind::Trades && spot(&s.symbol));
    let all: Vec<Symbol> = all.map(|s| s.symbol).collect();
    if all.is_empty() {
        return Err(SandboxError::setting("instruments", "the catalog has no trades of spot instruments"));
    }
    Ok(all)
}
