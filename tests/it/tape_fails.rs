//! The tape cannot be written: what leaves for the venue then, and what does not, for each setting of durability.
//!
//! The sessions are live ones at the sandbox, over real sockets. Between a tape and its file stands a disk that is full,
//! does not sync, or stands still, from the moment on at which the story wants it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bellwether::config::{Durability, Feed, KeySettings, Settings, StrategySettings};
use bellwether::exchange::transport::{Live, LiveSettings};
use bellwether::exchange::{ClientId, OrderRef};
use bellwether::host::Registry;
use bellwether::keys::{Credential, Key, Scheme, Scope, Signing};
use bellwether::run::{
    self, LookAt, RunError, RunReport, SessionPlan, Signings, Status, Surroundings, Watcher, What, look,
};
use bellwether::sandbox::{ApiKey, Sandbox, SandboxSettings};
use bellwether::tape::{Disk, OnDisk, Waits};
use bellwether_sdk::{
    Context, Intent, OrderId, OrderState, OrderUpdate, ParamError, Params, Plugin, Price, Qty, Side, Strategy, Trade,
    Ts,
};

const SYMBOL: &str = "binance:BTC/USDT";
/// The number of every session here.
const SESSION: u64 = 1;

/// What a disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Does {
    AllIsWell,
    IsFull,
    FailsToSync,
    StandsStill,
}

/// A disk with a switch.
#[derive(Clone)]
struct Switch(Arc<AtomicU8>);

impl Switch {
    fn new() -> Self {
        Self(Arc::new(AtomicU8::new(Does::AllIsWell as u8)))
    }

    fn set(&self, does: Does) {
        self.0.store(does as u8, Ordering::SeqCst);
    }

    fn is(&self, does: Does) -> bool {
        self.0.load(Ordering::SeqCst) == does as u8
    }

    fn disk(&self) -> OnDisk {
        let switch = self.clone();
        Arc::new(move |file| Box::new(Switched { file, switch: switch.clone() }))
    }
}

struct Switched {
    file: File,
    switch: Switch,
}

impl Switched {
    fn stands(&self) {
        while self.switch.is(Does::StandsStill) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Disk for Switched {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stands();
        if self.switch.is(Does::IsFull) {
            // As a disk does: a part goes on it.
            io::Write::write_all(&mut self.file, &bytes[..bytes.len() / 2])?;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        io::Write::write_all(&mut self.file, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.stands();
        if self.switch.is(Does::FailsToSync) {
            return Err(io::Error::other("the disk could not sync"));
        }
        self.file.sync_data()
    }
}

/// Nothing to set.
#[derive(Debug, Clone, Params)]
struct NoParams {}

fn limit(ctx: &Context<'_>, trade: &Trade) -> Intent {
    let unit = 10i64.pow(u32::from(ctx.instrument(trade.instrument).price_scale));
    Intent::limit(trade.instrument, Side::Buy, small(ctx, trade), Price::from_mantissa(60_000 * unit))
}

/// A thousandth of a bitcoin.
fn small(ctx: &Context<'_>, trade: &Trade) -> Qty {
    Qty::from_mantissa(10i64.pow(u32::from(ctx.instrument(trade.instrument).qty_scale)) / 1_000)
}

/// Places an order far from the market at every tenth trade.
struct Rests {
    heard: u64,
}

impl Strategy for Rests {
    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.heard += 1;
        if self.heard.is_multiple_of(10) {
            let intent = limit(ctx, trade);
            ctx.place(intent);
        }
    }
}

impl Plugin for Rests {
    type Params = NoParams;
    const NAME: &'static str = "rests";
    const SUMMARY: &'static str = "places orders far from the market";
    const DIRECTIONAL: bool = false;

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self { heard: 0 })
    }
}

/// How far [`Tries`] has come; the story looks at it.
static FAR: AtomicU64 = AtomicU64::new(0);
/// It has bought and its order rests.
const READY: u64 = 1;
/// An entry did not leave: it cancels and sells.
const HELD_BACK: u64 = 2;
/// Its cancel and its sale have left and were answered.
const OUT: u64 = 3;
/// An entry has left again.
const BACK: u64 = 4;

/// Buys, rests, and tries to enter again and again; when an entry is not sent, it cancels what rests and sells what it has.
struct Tries {
    heard: u64,
    resting: OrderId,
    rests: bool,
    entry: Option<OrderId>,
    sale: Option<OrderId>,
}

impl Strategy for Tries {
    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.heard += 1;
        let (far, held) = (FAR.load(Ordering::SeqCst), ctx.position(trade.instrument).qty);
        if self.heard == 5 {
            let intent = limit(ctx, trade);
            self.resting = ctx.place(intent);
            let qty = small(ctx, trade);
            ctx.place(Intent::market(trade.instrument, Side::Buy, qty));
        } else if far == 0 && self.rests && held > Qty::ZERO {
            FAR.store(READY, Ordering::SeqCst);
        } else if (far == READY || far == OUT) && self.entry.is_none() && self.heard.is_multiple_of(20) {
            let intent = limit(ctx, trade);
            self.entry = Some(ctx.place(intent));
        } else if far == HELD_BACK && self.sale.is_none() {
            ctx.cancel(self.resting);
            let qty = small(ctx, trade);
            self.sale = Some(ctx.place(Intent::market(trade.instrument, Side::Sell, qty).reduce_only()));
        } else if far == HELD_BACK && !self.rests && held.is_zero() {
            FAR.store(OUT, Ordering::SeqCst);
        }
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, update: &OrderUpdate) {
        if update.order == self.resting {
            self.rests = update.state == OrderState::Acknowledged;
        }
        if self.entry != Some(update.order) {
            return;
        }
        match update.state {
            OrderState::Acknowledged => {
                if FAR.load(Ordering::SeqCst) == OUT {
                    FAR.store(BACK, Ordering::SeqCst);
                }
                ctx.cancel(update.order);
                self.entry = None;
            }
            OrderState::Rejected => {
                self.entry = None;
                if update.reason == "not_sent" && FAR.load(Ordering::SeqCst) == READY {
                    FAR.store(HELD_BACK, Ordering::SeqCst);
                }
            }
            _ => {}
        }
    }
}

impl Plugin for Tries {
    type Params = NoParams;
    const NAME: &'static str = "tries";
    const SUMMARY: &'static str = "tries to enter, and leaves when it cannot";
    const DIRECTIONAL: bool = false;

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self { heard: 0, resting: OrderId(0), rests: false, entry: None, sale: None })
    }
}

/// Counts what the session said it did, and turns the disk's switch at an accepted order.
struct Eyes {
    switch: Switch,
    then: Does,
    at_accepted: usize,
    accepted: usize,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Watcher for Eyes {
    fn status(&mut self, _: &Status) {}

    fn effect(&mut self, _: Ts, line: &str) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
        self.accepted += usize::from(line.starts_with("accepted "));
        if self.accepted == self.at_accepted && line.starts_with("accepted ") {
            self.switch.set(self.then);
        }
    }
}

/// A live session at a sandbox, on a disk that a story may break.
pub(crate) struct Desk {
    venue: Sandbox,
    dir: tempfile::TempDir,
    switch: Switch,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let venue = Sandbox::start(SandboxSettings {
            data: Path::new(env!("CARGO_MANIFEST_DIR")).join("backtest-data"),
            instruments: vec![SYMBOL.parse().expect("a symbol")],
            pace: 20.0,
            keys: vec![ApiKey::parse("bot:s3cret:read,trade").expect("a key")],
            ..SandboxSettings::default()
        });
        let dir = tempfile::tempdir().expect("a folder");
        let key = dir.path().join("key.json");
        std::fs::write(&key, r#"{"id":"bot","secret":"s3cret"}"#).expect("written");
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
        Self { venue: venue.expect("a sandbox"), dir, switch: Switch::new(), lines: Arc::default() }
    }

    fn tape(&self) -> PathBuf {
        self.dir.path().join("t.tape")
    }

    fn registry() -> Registry {
        Registry::new().with::<Rests>().with::<Tries>().with::<crate::spot::RoundTrip>()
    }

    pub(crate) fn settings(&self, plugin: &str, durability: Durability) -> Settings {
        let at = self.venue.address();
        let mut settings = Settings::default();
        settings.session.feed = Feed::Venue;
        settings.session.durability = durability;
        settings.session.segment_kib = 0;
        settings.session.hang_ms = 0;
        settings.backtest.instruments = vec![SYMBOL.parse().expect("a symbol")];
        settings.backtest.kinds = vec!["trades".to_owned()];
        settings.strategy = vec![StrategySettings { plugin: plugin.to_owned(), ..StrategySettings::default() }];
        settings.key.push(KeySettings {
            account: "binance/main".to_owned(),
            label: "one".to_owned(),
            source: format!("file:{}", self.dir.path().join("key.json").display()),
            ..KeySettings::default()
        });
        let venue = settings.venue.entry("binance".to_owned()).or_default();
        venue.rest_url = Some(format!("http://{at}"));
        venue.market_url = Some(format!("ws://{at}"));
        venue.account_url = Some(format!("ws://{at}"));
        venue.trade_url = Some(format!("ws://{at}/ws-api/v3"));
        settings
    }

    /// A session until it ends by itself, `stop` is set, or a minute is over.
    fn session(
        &self,
        settings: &Settings,
        (then, at_accepted): (Does, usize),
        waits: Waits,
        stop: &AtomicBool,
    ) -> Result<RunReport, RunError> {
        let plan = SessionPlan {
            state: None,
            tape: Some(self.tape()),
            watch: false,
            resume: None,
            ends_after: Some(Duration::from_secs(60)),
            program: ("test", ""),
            settings_json: serde_json::to_string(settings).expect("settings"),
            session: SESSION,
            tokens: &bellwether::keys::token,
        };
        let secret = Arc::new(Credential::new("bot", Scheme::HmacSha256, "s3cret").expect("a key"));
        let key = Key::new("one", "", Scope::Trade, secret, Ts::NONE);
        let signing = Signing::new("binance/main", key, Vec::new());
        let signings = Signings::fixed([("binance".to_owned(), signing)].into());
        let transport = Arc::new(Live::new(LiveSettings::default()).expect("a transport"));
        let around = Surroundings { disk: self.switch.disk(), waits, ..Surroundings::of_this_machine(transport) };
        let (switch, lines) = (self.switch.clone(), Arc::clone(&self.lines));
        let mut eyes = Eyes { switch, then, at_accepted, accepted: 0, lines };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let registry = Self::registry();
        runtime.block_on(run::session_in(settings, &registry, plan, Some(signings), &mut eyes, stop, around))
    }

    /// A session until it ends by itself or `stop` is set.
    pub(crate) fn runs(&self, settings: &Settings, stop: &AtomicBool) -> RunReport {
        let usual = (Does::AllIsWell, usize::MAX);
        self.session(settings, usual, Waits::default(), stop).expect("a session")
    }

    pub(crate) fn ask(&self, settings: &Settings, what: &What) -> Result<serde_json::Value, run::LookError> {
        let at = LookAt { venue: "binance".to_owned(), account: "main".to_owned(), ..LookAt::default() };
        look(settings, &at, what, Some(SYMBOL))
    }

    fn open(&self, settings: &Settings) -> usize {
        self.ask(settings, &What::Orders).expect("orders")["orders"].as_array().expect("a list").len()
    }

    /// Which of the session's orders up to a number the venue has, or had.
    fn at_the_venue(&self, settings: &Settings, up_to: u64) -> Vec<u64> {
        let there = |number: &u64| {
            let client = ClientId { session: SESSION, number: *number };
            self.ask(settings, &What::Order(OrderRef::Client(client))).is_ok()
        };
        (1..=up_to).filter(there).collect()
    }

    /// The orders that the tape has.
    fn on_tape(&self) -> Vec<u64> {
        let mut orders = Vec::new();
        run::show(&self.tape(), |_, line| {
            let number: Option<u64> =
                line.strip_prefix("effect order ").and_then(|rest| rest.split(' ').next()?.parse().ok());
            orders.extend(number);
            true
        })
        .expect("a tape");
        orders
    }

    pub(crate) fn said(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many lines of the session begin so.
    pub(crate) fn lines(&self, beginning: &str) -> usize {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|l| l.starts_with(beginning)).count()
    }
}

/// The disk fails once three orders rest: no order is at the venue that the tape does not have, what rests is cancelled, and
/// the session ends with the disk's words.
fn ends_with_nothing_at_risk(durability: Durability, then: Does, words: &str) {
    let desk = Desk::new();
    let settings = desk.settings("rests", durability);
    let ended = desk.session(&settings, (then, 3), Waits::default(), &AtomicBool::new(false));
    let error = ended.map(|_| ()).expect_err("a session whose tape cannot be written does not go on").to_string();
    assert!(error.contains(words), "{durability:?}: {error}");
    assert!(desk.lines("accepted ") >= 3);
    // The cancels have left; the venue carries them out.
    let began = Instant::now();
    while desk.open(&settings) > 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "{durability:?}: orders are open at the venue");
        std::thread::sleep(Duration::from_millis(50));
    }
    // What of the tape could be written is whole; what a full disk cut off is no record.
    desk.switch.set(Does::AllIsWell);
    let (there, taped) = (desk.at_the_venue(&settings, 40), desk.on_tape());
    assert!(there.len() >= 3, "{there:?}");
    let untaped: Vec<&u64> = there.iter().filter(|n| !taped.contains(n)).collect();
    assert!(untaped.is_empty(), "{durability:?}: orders {untaped:?} left and are not on the tape {taped:?}");
}

#[test]
fn a_full_disk_under_a_staged_tape_ends_the_session_with_nothing_at_risk() {
    ends_with_nothing_at_risk(Durability::Staged, Does::IsFull, "no storage space");
}

#[test]
fn a_full_disk_under_a_direct_tape_ends_the_session_with_nothing_at_risk() {
    ends_with_nothing_at_risk(Durability::Direct, Does::IsFull, "no storage space");
}

#[test]
fn a_full_disk_under_a_synced_tape_ends_the_session_with_nothing_at_risk() {
    ends_with_nothing_at_risk(Durability::Sync, Does::IsFull, "no storage space");
}

/// (A direct tape is not synced before its end.)
#[test]
fn a_disk_that_does_not_sync_ends_sessions_that_rely_on_it() {
    ends_with_nothing_at_risk(Durability::Sync, Does::FailsToSync, "could not sync");
    ends_with_nothing_at_risk(Durability::Staged, Does::FailsToSync, "could not sync");
}

#[test]
fn while_the_disk_stands_still_no_entry_leaves_but_cancels_and_reductions_do() {
    let desk = Desk::new();
    let settings = desk.settings("tries", Durability::Staged);
    let stop = AtomicBool::new(false);
    // A few hundred trades fill the smaller of these; nothing here comes near the larger.
    let waits = Waits { orders: 8 << 10, all: 40 << 20 };
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            let wait_for = |far: u64| {
                let began = Instant::now();
                while FAR.load(Ordering::SeqCst) < far && began.elapsed() < Duration::from_secs(50) {
                    std::thread::sleep(Duration::from_millis(5));
                }
            };
            wait_for(READY);
            desk.switch.set(Does::StandsStill);
            wait_for(OUT);
            desk.switch.set(Does::AllIsWell);
            wait_for(BACK);
            stop.store(true, Ordering::SeqCst);
        });
        desk.session(&settings, (Does::AllIsWell, usize::MAX), waits, &stop)
    });
    let outcome = report.expect("the session goes on all the while").outcome;
    assert_eq!(FAR.load(Ordering::SeqCst), BACK, "{:?}", outcome.notes);
    assert!(
        outcome.notes.iter().any(|n| n.starts_with("orders are not sent while the tape waits")),
        "{:?}",
        outcome.notes
    );
    let held_back: Vec<u64> =
        outcome.orders.iter().filter(|o| outcome.words.get(o.reason) == "not_sent").map(|o| o.id.0).collect();
    assert!(!held_back.is_empty());
    let last = outcome.orders.last().expect("orders").id.0;
    let there = desk.at_the_venue(&settings, last);
    assert!(held_back.iter().all(|id| !there.contains(id)), "{held_back:?} of {there:?} left");
    assert_eq!(desk.open(&settings), 0);
    assert!(outcome.open_lots.is_empty(), "the sale left while entries did not: {:?}", outcome.open_lots);
    let taped = desk.on_tape();
    assert!(there.iter().all(|id| taped.contains(id)), "{there:?} left, {taped:?} are on the tape");
}
