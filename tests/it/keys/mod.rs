//! Keys that change while orders flow: the keeper, the gateway and the sandbox venue, over real sockets.

mod narrow;
mod rotation;
mod verdicts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bellwether::config::{KeySettings, Settings};
use bellwether::exchange::drive::{Desk, Drive, Hands, WallClock};
use bellwether::exchange::gateway::{Gateway, GatewayEvent, GatewaySettings};
use bellwether::exchange::machine::Limits;
use bellwether::exchange::transport::{Live, LiveSettings, Transport};
use bellwether::exchange::{
    Ask, ClientId, Listings, Method, Product, Reply, Request, Rules, Stamp, Urls, Venue, venue,
};
use bellwether::keys::{Credential, Scheme};
use bellwether::orders::{Answer, Order, WordId};
use bellwether::portfolio::{Position, Terms};
use bellwether::risk::{Approved, Guard, Pace, RiskView};
use bellwether::run::Ring;
use bellwether::sandbox::{ApiKey, Faults, LimitSettings, Sandbox, SandboxSettings};
use bellwether_sdk::{Instrument, InstrumentId, OrderId, OrderKind, Price, Qty, Role, Side, Size, TimeInForce, Ts};
use serde_json::{Value, json};

const BTC: InstrumentId = InstrumentId(0);
/// The bits of a client order id's number from which on attempts are counted.
const ATTEMPTS_BELOW: u64 = (1 << 48) - 1;
/// Orders under way at once.
const WINDOW: usize = 24;

/// A secret for a key of a name.
pub fn secret(id: &str) -> String {
    format!("{id}-secret-0123456789abcdef0123456789abcdef")
}

/// A key of the sandbox.
pub fn api_key(id: &str, permissions: &str) -> ApiKey {
    ApiKey::parse(&format!("{id}:{}:{permissions}", secret(id))).expect("a key")
}

/// A venue, a state folder, and a folder for keys.
pub struct Bench {
    pub sandbox: Sandbox,
    pub dir: tempfile::TempDir,
    pub settings: Settings,
    pub urls: Urls,
    /// The venue makes no faults.
    pub calm: bool,
    /// How far the venue's clock is ahead.
    skew_ms: i64,
}

impl Bench {
    /// A venue that knows these keys, each of which may read and trade.
    pub fn new(keys: &[&str], faults: Faults) -> Self {
        Self::paced(keys, faults, 0.0)
    }

    /// The same, with a market that moves so many times as fast as it did.
    pub fn paced(keys: &[&str], faults: Faults, pace: f64) -> Self {
        let sandbox = Sandbox::start(SandboxSettings {
            data: Path::new(env!("CARGO_MANIFEST_DIR")).join("backtest-data"),
            instruments: vec!["binance:BTC/USDT".parse().expect("a symbol")],
            pace,
            history_ns: 60_000_000_000,
            balances: vec![("USDT".into(), "100000000".parse().expect("money"))],
            keys: keys.iter().map(|id| api_key(id, "read,trade")).collect(),
            limits: LimitSettings { weight_per_minute: u32::MAX, orders_per_10s: u32::MAX, orders_per_day: u32::MAX },
            faults,
            seed: 7,
            ..SandboxSettings::default()
        });
        let sandbox = sandbox.expect("a sandbox");
        let at = sandbox.address();
        let mut settings = Settings::default();
        let own = settings.venue.entry("binance".to_owned()).or_default();
        let socket = format!("ws://{at}");
        own.rest_url = Some(format!("http://{at}"));
        own.trade_url = Some(format!("{socket}/ws-api/v3"));
        settings.keys.overlap_s = 1;
        settings.keys.poll_s = 1;
        let urls = Urls {
            rest: format!("http://{at}"),
            market: socket.clone(),
            account: socket.clone(),
            trade: format!("{socket}/ws-api/v3"),
        };
        let skew_ms = faults.skew_ms;
        let calm = faults == Faults { skew_ms, ..Faults::default() };
        Self { sandbox, dir: tempfile::tempdir().expect("a folder"), settings, urls, calm, skew_ms }
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Puts a key into a file, by a rename; gives the reference.
    pub fn put(&self, file: &str, id: &str) -> String {
        self.put_with(file, id, &secret(id))
    }

    pub fn put_with(&self, file: &str, id: &str, secret: &str) -> String {
        self.put_json(file, &json!({"id": id, "secret": secret}))
    }

    /// Puts what a source is to give into a file, by a rename; gives the reference.
    pub fn put_json(&self, file: &str, key: &Value) -> String {
        let path = self.dir.path().join(file);
        let new = path.with_extension("new");
        std::fs::write(&new, key.to_string()).expect("written");
        #[cfg(unix)]
        std::fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
        std::fs::rename(&new, &path).expect("renamed");
        format!("file:{}", path.display())
    }

    /// A key in the settings.
    pub fn with_key(&mut self, label: &str, source: String) {
        self.settings.key.push(KeySettings {
            account: "binance/main".to_owned(),
            label: label.to_owned(),
            source,
            ..KeySettings::default()
        });
    }

    pub fn ring(&self) -> Ring {
        Ring::open(&self.settings, &["binance".to_owned()], &self.state(), false).expect("keys")
    }

    /// Tells the venue something about a key.
    pub fn admin(&self, method: &str, body: &Value) {
        self.at_desk(method, "keys", body);
    }

    /// How many requests the venue has refused for their key or its signature.
    pub fn refused(&self) -> u64 {
        let told: Value = serde_json::from_str(&self.at_desk("GET", "refused", &Value::Null)).expect("JSON");
        told["keys"].as_u64().expect("a count")
    }

    /// Asks the venue for what only the sandbox does.
    pub fn at_desk(&self, method: &str, what: &str, body: &Value) -> String {
        let client = reqwest::Client::builder().build().expect("a client");
        let url = format!("http://{}/sandbox/{what}", self.sandbox.address());
        let request = client
            .request(method.parse().expect("a method"), url)
            .header("X-Sandbox-Token", self.sandbox.token())
            .body(body.to_string());
        block_on(async {
            let told = request.send().await.expect("an answer");
            assert!(told.status().is_success(), "{method} {what} {body}: {}", told.status());
            told.text().await.expect("a text")
        })
    }

    pub fn remove_key(&self, id: &str) {
        self.admin("DELETE", &json!({"id": id}));
    }

    /// Places an order that rests, with a key, as somebody else does: by a request that no session knows of.
    pub fn place_by_hand(&self, id: &str) {
        let transport = Live::new(LiveSettings::default()).expect("a transport");
        let venue = binance();
        let key = Credential::new(id, Scheme::HmacSha256, &secret(id)).expect("a key");
        block_on(async {
            let (_, rules, price) = market(&*venue, &self.urls, &transport).await;
            let price = price.mantissa() / 10i64.pow(u32::from(rules.price_scale));
            let query = format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price={price}");
            let mut request = Request::new(Method::Post, "/api/v3/order", query, 1).signed();
            venue.sign(&mut request, &key, Stamp { now: now(), nonce: 0 }).expect("signed");
            let answer = transport.http(&self.urls.rest, &request).await.expect("an answer");
            assert_eq!(answer.status, 200, "{}", answer.body);
        });
    }

    /// All orders that the venue has taken, by their numbers in their session, and how often, asked with a key. Attempts
    /// of one order have ids of their own, and are counted together.
    pub fn taken(&self, id: &str) -> BTreeMap<u64, u32> {
        let transport = Live::new(LiveSettings::default()).expect("a transport");
        let venue = binance();
        let key = Credential::new(id, Scheme::HmacSha256, &secret(id)).expect("a key");
        let mut seen = BTreeMap::new();
        let mut from = 0u64;
        block_on(async {
            loop {
                let query = format!("symbol=BTCUSDT&orderId={from}&limit=1000");
                let mut request = Request::get("/api/v3/allOrders", query, 20).signed();
                let now = now().plus(self.skew_ms * 1_000_000);
                let nonce = 0;
                venue.sign(&mut request, &key, Stamp { now, nonce }).expect("signed");
                let answer = transport.http(&self.urls.rest, &request).await.expect("an answer");
                let rows: Vec<Value> = serde_json::from_str(&answer.body).expect("orders");
                for row in &rows {
                    let client = row["clientOrderId"].as_str().expect("an id");
                    let orig = row["origClientOrderId"].as_str().unwrap_or(client);
                    let id: ClientId = orig.parse().expect("an id of ours");
                    *seen.entry(id.number & ATTEMPTS_BELOW).or_default() += 1;
                    from = from.max(row["orderId"].as_u64().expect("a number") + 1);
                }
                if rows.len() < 1_000 {
                    return;
                }
            }
        });
        seen
    }
}

pub fn now() -> Ts {
    Ts::from_millis(i64::try_from(std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_millis())).expect("a time"))
}

fn binance() -> Arc<dyn Venue> {
    Arc::from(venue("binance", Product::Spot).expect("built in"))
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// What a trader saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub placed: u64,
    pub accepted: u64,
    pub ended: BTreeMap<String, u64>,
    /// Orders that were told never to have arrived.
    pub lost: Vec<u64>,
    pub halts: Vec<String>,
    pub notes: Vec<String>,
    /// The longest time between two answers.
    pub gap: Duration,
}

/// Places orders that rest far from the market and cancels them, as fast as answers come.
struct Trader {
    rules: Rules,
    price: Price,
    orders: u64,
    seen: Seen,
    open: usize,
    progress: Arc<AtomicU64>,
    go_on: Arc<AtomicBool>,
    answered: Option<Instant>,
    /// When orders are sent again after a refusal.
    again: Ts,
    began: bool,
}

impl Trader {
    fn fill(&mut self, desk: &mut Desk<'_>) {
        while self.open < WINDOW && (self.seen.placed < self.orders || self.go_on.load(Ordering::Relaxed)) {
            self.seen.placed += 1;
            self.open += 1;
            let order = approved(&self.rules, self.seen.placed, self.price);
            desk.submit(0, order, self.price);
        }
        let over = !self.seen.halts.is_empty() && !self.go_on.load(Ordering::Relaxed);
        if self.open == 0 || over {
            desk.stop();
        }
    }

    fn over(&mut self, how: String, now: Ts, desk: &mut Desk<'_>) {
        let refused = how.starts_with("rejected");
        *self.seen.ended.entry(how).or_default() += 1;
        self.open -= 1;
        self.progress.fetch_add(1, Ordering::Relaxed);
        if refused {
            // What is refused at once and asked for at once would leave the session no time for anything else.
            self.again = now.plus(1_000_000);
        } else {
            self.fill(desk);
        }
    }
}

impl Hands for Trader {
    fn on_feed(&mut self, _: usize, _: bellwether::exchange::feed::FeedEvent<'_>, _: Ts, _: &mut Desk<'_>) {}

    fn on_gateway(&mut self, _: usize, event: GatewayEvent, now: Ts, desk: &mut Desk<'_>) {
        if let GatewayEvent::Answer(_) = &event {
            let gap = self.answered.replace(Instant::now()).map_or(Duration::ZERO, |at| at.elapsed());
            self.seen.gap = self.seen.gap.max(gap);
        }
        match event {
            GatewayEvent::Private(true) if !std::mem::replace(&mut self.began, true) => self.fill(desk),
            GatewayEvent::Answer(Answer::Accepted(id)) => {
                self.seen.accepted += 1;
                desk.cancel(0, id);
            }
            GatewayEvent::Answer(Answer::Cancelled(_, why)) => self.over(format!("cancelled: {why}"), now, desk),
            GatewayEvent::Answer(Answer::Rejected(id, why)) => {
                if why == "never_arrived" {
                    self.seen.lost.push(id.0);
                }
                self.over(format!("rejected: {why}"), now, desk);
            }
            GatewayEvent::Answer(Answer::Expired(_, why)) => self.over(format!("expired: {why}"), now, desk),
            GatewayEvent::Halt(why) => {
                self.seen.halts.push(why);
                self.again = now;
            }
            GatewayEvent::Note(note) => self.seen.notes.push(note),
            _ => {}
        }
    }

    fn on_time(&mut self, now: Ts, desk: &mut Desk<'_>) {
        // One that is halted looks now and then whether it is to end.
        self.again = if self.seen.halts.is_empty() { Ts::MAX } else { now.plus(10_000_000) };
        if self.began {
            self.fill(desk);
        }
    }

    fn next_due(&self) -> Ts {
        self.again
    }
}

fn approved(rules: &Rules, id: u64, price: Price) -> Approved<Order> {
    let order = Order {
        id: OrderId(id),
        strategy: 0,
        instrument: BTC,
        side: Side::Buy,
        size: Size::Qty(Qty::from_mantissa(rules.lot.mantissa() * 100)),
        kind: OrderKind::Limit { price },
        tif: TimeInForce::Gtc,
        post_only: false,
        reduce_only: false,
        role: Role::Intent,
        parent: OrderId(0),
        oco: OrderId(0),
        tag: WordId(0),
    };
    let instrument: Instrument = rules.instrument(BTC);
    let view = RiskView {
        instrument: &instrument,
        terms: &Terms::new(&instrument, 0, rules.price_scale + rules.qty_scale).expect("terms"),
        money_scale: rules.price_scale + rules.qty_scale,
        position: &Position::default(),
        last: price,
        open_orders: 0,
        reference: Price::ZERO,
        pace: Pace::default(),
    };
    Guard::default().approve(order, &view).expect("approved")
}

/// A session that trades while something is done to its keys.
pub struct Trading {
    /// Orders that came to their end.
    pub progress: Arc<AtomicU64>,
    go_on: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Seen>,
}

impl Trading {
    /// Begins with a ring of keys; places at least so many orders, and goes on until it is ended.
    pub fn begin(bench: &Bench, mut ring: Ring, orders: u64, session: u64) -> Self {
        let (progress, go_on) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(true)));
        let (counter, heard, urls) = (Arc::clone(&progress), Arc::clone(&go_on), bench.urls.clone());
        let thread = std::thread::spawn(move || {
            block_on(async {
                let transport = Arc::new(Live::new(LiveSettings::default()).expect("a transport"));
                ring.admit(&*transport).await.expect("keys that fit");
                let venue = binance();
                let (listings, rules, price) = market(&*venue, &urls, &*transport).await;
                let signing = ring.signing("binance").expect("keys");
                let keeper = ring.keep().expect("a keeper");
                let settings = GatewaySettings::new(session, urls.clone());
                let limits = Limits::new(u32::MAX, u32::MAX);
                let gateway = Gateway::new(venue, listings, signing, settings, limits);
                let mut drive = Drive::new(transport, Box::new(WallClock::default()));
                drive.add_gateway(gateway, urls.rest.clone());
                let mut trader = Trader {
                    rules,
                    price,
                    orders,
                    seen: Seen::default(),
                    open: 0,
                    progress: counter,
                    go_on: heard,
                    answered: None,
                    again: Ts::MAX,
                    began: false,
                };
                drive.run(&mut trader, std::future::pending()).await;
                drop(keeper);
                trader.seen
            })
        });
        Self { progress, go_on, thread }
    }

    /// Waits until so many orders came to their end.
    pub fn until(&self, count: u64) {
        let began = Instant::now();
        while self.progress.load(Ordering::Relaxed) < count {
            assert!(
                began.elapsed() < Duration::from_secs(900),
                "{} of {count} orders",
                self.progress.load(Ordering::Relaxed)
            );
            assert!(!self.thread.is_finished(), "the session ended early");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// So many more.
    pub fn more(&self, count: u64) {
        self.until(self.progress.load(Ordering::Relaxed) + count);
    }

    pub fn end(self) -> Seen {
        self.go_on.store(false, Ordering::Relaxed);
        self.thread.join().expect("a session that ends")
    }
}

async fn market(venue: &dyn Venue, urls: &Urls, transport: &dyn Transport) -> (Listings, Rules, Price) {
    let none = Listings::default();
    let request = venue.ask(&Ask::Instruments, &none).expect("a request");
    let answer = transport.http(&urls.rest, &request).await.expect("an answer");
    let Reply::Instruments(all, _) = venue.reply(&Ask::Instruments, &answer, &none).expect("instruments") else {
        panic!("another answer");
    };
    let rules = all.into_iter().find(|r| r.symbol.as_str() == "binance:BTC/USDT").expect("listed");
    let listings = Listings::new([(BTC, rules.clone())]);
    let request = venue.ask(&Ask::Ticker(BTC), &listings).expect("a request");
    let answer = transport.http(&urls.rest, &request).await.expect("an answer");
    let Reply::Ticker(ticker) = venue.reply(&Ask::Ticker(BTC), &answer, &listings).expect("a ticker") else {
        panic!("another answer");
    };
    // Far enough not to fill, near enough for the venue's rule of prices.
    let tick = rules.tick.mantissa();
    let price = Price::from_mantissa(ticker.last.mantissa() / 10 * 7 / tick * tick);
    (listings, rules, price)
}
