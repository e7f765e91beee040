//! From a market message to its order, under load, with the exchange in its own process on this machine.
//!
//! `cargo bench --bench roundtrip -- [SECONDS] [MESSAGES_PER_SECOND]` starts itself twice more: as the sandbox venue,
//! and as a bare WebSocket echo. A live session with a strategy that answers every marked quote, risk, tape and signed
//! orders over the WebSocket API runs against the first; a bare tokio-tungstenite client against the second, under the
//! same load and right after, turn by turn; and the same client once more, kept awake as the session's thread is. Both servers measure from handing a marked message to the system until the
//! answer came in.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bellwether::config::{Durability, Feed, KeySettings, Settings, StrategySettings};
use bellwether::host::Registry;
use bellwether::run::{self, LatencyReport, SessionPlan, Status, Watcher};
use bellwether::sandbox::{ApiKey, Sandbox, SandboxSettings};
use bellwether_sdk::{
    AccountKind, Context, Intent, ParamError, Params, Plugin, Price, Qty, Quote, Side, Strategy, TimeInForce, Ts,
};
use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

const SYMBOL: &str = "binance:BTC/USDT";
const KEY: &str = "bench";
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// Turns of each.
const TURNS: usize = 5;
/// As the sandbox marks.
const MARKS: u64 = 4;

/// Nothing to set.
#[derive(Debug, Clone, Params)]
struct NoParams {}

/// Sends an order that cannot fill whenever the best bid's quantity changes.
struct Answerer {
    before: Qty,
}

impl Strategy for Answerer {
    fn account(&self) -> AccountKind {
        AccountKind::Cash
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        let one = 10i64.pow(u32::from(ctx.instrument(quote.instrument).qty_scale));
        // Stored quotes come too: the flood's have one of these two.
        if ![one, 2 * one].contains(&quote.bid_qty.mantissa()) {
            return;
        }
        let before = std::mem::replace(&mut self.before, quote.bid_qty);
        if before != quote.bid_qty && !before.is_zero() && !quote.bid.is_zero() {
            let tick = ctx.instrument(quote.instrument).tick.mantissa().max(1);
            let below = Price::from_mantissa(quote.bid.mantissa() * 95 / 100 / tick * tick);
            let lot = ctx.instrument(quote.instrument).lot.mantissa().max(1);
            let qty = Qty::from_mantissa((one / 1000 / lot * lot).max(lot));
            ctx.place(Intent::limit(quote.instrument, Side::Buy, qty, below).tif(TimeInForce::Ioc));
        }
    }
}

impl Plugin for Answerer {
    type Params = NoParams;
    const NAME: &'static str = "answerer";
    const SUMMARY: &'static str = "answers marked quotes";
    const DIRECTIONAL: bool = false;

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self { before: Qty::ZERO })
    }
}

struct Nobody;

impl Watcher for Nobody {
    fn status(&mut self, _: &Status) {}
    fn effect(&mut self, _: Ts, line: &str) {
        // What goes well is not told.
        if !["order ", "accepted ", "expired ", "feed disconnected"].iter().any(|l| line.starts_with(l)) {
            eprintln!("{line}");
        }
    }
}

/// A process of this program in another role, and the line it said at its start.
struct Other {
    child: Child,
    told: Value,
}

impl Other {
    fn start(role: &str, rate: u32) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args([role, &rate.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("stdout")).read_line(&mut line).expect("a line");
        Self { child, told: serde_json::from_str(&line).expect("JSON") }
    }

    fn text(&self, key: &str) -> String {
        self.told[key].as_str().expect("text").to_owned()
    }

    /// Ends it; what it measured, nanoseconds.
    fn end(mut self) -> Vec<u64> {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.child.stdout.take().expect("stdout").read_to_string(&mut text).expect("text");
        self.child.wait().expect("it ends");
        serde_json::from_str(text.trim()).expect("a list")
    }
}

/// Says where it is, waits for the end of stdin, and says what it measured.
fn serve(told: Value, until: impl FnOnce() -> Vec<Duration>) {
    let say = |value: &Value| {
        println!("{value}");
        std::io::stdout().flush().expect("said");
    };
    say(&told);
    let answers: Vec<u128> = until().iter().map(Duration::as_nanos).collect();
    say(&json!(answers.into_iter().map(|n| n as u64).collect::<Vec<u64>>()));
}

fn wait_for_the_end() {
    let mut rest = String::new();
    std::io::stdin().read_to_string(&mut rest).expect("stdin");
}

fn sandbox(rate: u32) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("backtest-data");
    let sandbox = Sandbox::start(SandboxSettings {
        data,
        instruments: vec![SYMBOL.parse().expect("a symbol")],
        pace: 1.0,
        flood: rate,
        keys: vec![ApiKey::parse(&format!("{KEY}:{SECRET}:read,trade")).expect("a key")],
        ..SandboxSettings::default()
    })
    .expect("a sandbox");
    serve(json!({"address": sandbox.address().to_string()}), || {
        wait_for_the_end();
        sandbox.flood_answers()
    });
}

/// The same load, and whatever comes back at once is the answer to the last mark.
async fn echo_server(listener: tokio::net::TcpListener, rate: u32, ended: &AtomicBool) -> Vec<Duration> {
    let (stream, _) = listener.accept().await.expect("a client");
    stream.set_nodelay(true).expect("set");
    let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a socket");
    let message = |two: bool| {
        let much = if two { 2 } else { 1 };
        let text = format!(
            r#"{{"stream":"btcusdt@bookTicker","data":{{"u":400900217,"s":"BTCUSDT","b":"87250.35","B":"{much}.00000","a":"87250.36","A":"1.00000"}}}}"#
        );
        Message::Text(text.into())
    };
    let (begun, every) = (Instant::now(), (u64::from(rate) / MARKS).max(1));
    let (mut sent, mut marked, mut answers) = (0u64, None, Vec::new());
    'served: while !ended.load(std::sync::atomic::Ordering::Relaxed) {
        let due = (begun.elapsed().as_micros() * u128::from(rate) / 1_000_000) as u64;
        let behind = due.saturating_sub(sent).min(16);
        for _ in 0..behind {
            sent += 1;
            // The client goes when its time is over.
            if socket.feed(message((sent / every) % 2 == 1)).await.is_err() {
                break 'served;
            }
            if sent.is_multiple_of(every) {
                marked = Some(Instant::now());
            }
        }
        if behind > 0 && socket.flush().await.is_err() {
            break;
        }
        while let Some(Some(Ok(Message::Text(_)))) = socket.next().now_or_never() {
            if let Some(marked) = marked.take() {
                answers.push(marked.elapsed());
            }
        }
        tokio::task::yield_now().await;
    }
    answers
}

fn echo(rate: u32) {
    let ended: &'static AtomicBool = Box::leak(Box::default());
    std::thread::spawn(|| {
        wait_for_the_end();
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    runtime().block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        println!("{}", json!({"address": address}));
        std::io::stdout().flush().expect("said");
        let answers = echo_server(listener, rate, ended).await;
        while !ended.load(std::sync::atomic::Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        println!("{}", json!(answers.iter().map(|d| d.as_nanos() as u64).collect::<Vec<u64>>()));
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A bare client: gives marked messages back. An awake one looks at its socket for `awake` after each message before it
/// sleeps, as a live session does.
fn echo_client(address: &str, lasts: Duration, awake: Duration) {
    runtime().block_on(async {
        let url = format!("ws://{address}/");
        let (mut socket, _) = tokio_tungstenite::connect_async_with_config(url, None, true).await.expect("connected");
        let begun = Instant::now();
        let mut before = b'1';
        while begun.elapsed() < lasts {
            let (heard, mut next) = (Instant::now(), None);
            while next.is_none() && heard.elapsed() < awake {
                next = socket.next().now_or_never();
                if next.is_none() {
                    tokio::task::yield_now().await;
                }
            }
            let next = match next {
                Some(next) => next,
                None => socket.next().await,
            };
            let Some(Ok(message)) = next else { return };
            let Message::Text(text) = &message else { continue };
            let much = text.find("\"B\":\"").map_or(before, |at| text.as_bytes()[at + 5]);
            if std::mem::replace(&mut before, much) != much {
                socket.send(message).await.expect("sent");
            }
        }
    });
}

fn session(address: &str, lasts: Duration, tape: &Path) -> LatencyReport {
    let mut settings = Settings::default();
    settings.session.feed = Feed::Venue;
    settings.session.durability = Durability::Staged;
    settings.backtest.instruments = vec![SYMBOL.parse().expect("a symbol")];
    settings.backtest.kinds = vec!["quotes".to_owned()];
    settings.account.cash = "100000USDT".to_owned();
    settings.strategy = vec![StrategySettings { plugin: "answerer".to_owned(), ..StrategySettings::default() }];
    let venue = settings.venue.entry("binance".to_owned()).or_default();
    venue.rest_url = Some(format!("http://{address}"));
    venue.market_url = Some(format!("ws://{address}"));
    venue.account_url = Some(format!("ws://{address}"));
    venue.trade_url = Some(format!("ws://{address}/ws-api/v3"));
    let state = tape.parent().expect("a folder");
    let key = state.join("key.json");
    std::fs::write(&key, format!("{{\"id\": \"{KEY}\", \"secret\": \"{SECRET}\"}}")).expect("written");
    #[cfg(unix)]
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
    settings.key = vec![KeySettings {
        account: "binance/main".to_owned(),
        label: "bench".to_owned(),
        source: format!("file:{}", key.display()),
        ..KeySettings::default()
    }];
    let registry = Registry::new().with::<Answerer>();
    let plan = SessionPlan {
        state: None,
        tape: Some(tape.to_owned()),
        watch: false,
        resume: None,
        ends_after: Some(lasts),
        program: ("bench", ""),
        settings_json: serde_json::to_string(&settings).expect("settings"),
        session: 1,
        tokens: &bellwether::keys::token,
    };
    let ring = run::Ring::open(&settings, &["binance".to_owned()], state, false).expect("a key");
    run::session(&settings, &registry, plan, Some(ring), &mut Nobody, &AtomicBool::new(false)).expect("a session");
    LatencyReport::read(tape).expect("its latency")
}

fn quantile(sorted: &[u64], share: f64) -> f64 {
    let at = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(at).map_or(0.0, |ns| *ns as f64 / 1000.0)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let number = |at: usize, else_: u32| args.get(at).and_then(|a| a.parse().ok()).unwrap_or(else_);
    match args.first().map(String::as_str) {
        Some("sandbox") => return sandbox(number(1, 0)),
        Some("echo") => return echo(number(1, 0)),
        _ => {}
    }
    let (seconds, rate) = (number(0, 30), number(1, 20_000));
    let lasts = Duration::from_secs(u64::from(seconds)) / TURNS as u32;
    let dir = tempfile::tempdir().expect("a folder");
    let awake = Duration::from_micros(Settings::default().session.awake_us);
    let (mut ours, mut bare, mut awake_too) = (Vec::new(), Vec::new(), Vec::new());
    let mut best: Option<LatencyReport> = None;
    for turn in 0..TURNS {
        let [mut echoes, awakes] = [Duration::ZERO, awake].map(|awake| {
            let other = Other::start("echo", rate);
            echo_client(&other.text("address"), lasts, awake);
            other.end()
        });
        let other = Other::start("sandbox", rate);
        let report = session(&other.text("address"), lasts, &dir.path().join(format!("{turn}.tape")));
        let mut answers = other.end();
        echoes.sort_unstable();
        answers.sort_unstable();
        let own = report.stages.iter().find(|s| s.stage == "own").map_or(0, |s| s.p50_ns);
        let (us, them) = (quantile(&answers, 0.5), quantile(&echoes, 0.5));
        println!(
            "turn {turn}: round trip p50 {us:.1} µs of {}, bare echo {them:.1} µs of {}, ratio {:.2}; own p50 {:.2} µs",
            answers.len(),
            echoes.len(),
            us / them,
            own as f64 / 1000.0
        );
        let p50 = |r: &LatencyReport| r.stages.iter().find(|s| s.stage == "own").map_or(u64::MAX, |s| s.p50_ns);
        if best.as_ref().is_none_or(|b| p50(&report) < p50(b)) {
            best = Some(report);
        }
        ours.extend(answers);
        bare.extend(echoes);
        awake_too.extend(awakes);
    }
    awake_too.sort_unstable();
    ours.sort_unstable();
    bare.sort_unstable();
    println!("\n{rate} messages per second; all turns together, microseconds");
    println!("| what | count | p50 | p90 | p99 |\n|---|---|---|---|---|");
    for (what, all) in [
        ("marked message to order, at the exchange", &ours),
        ("bare echo, at the server", &bare),
        ("bare echo by a client that stays awake too", &awake_too),
    ] {
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|q| quantile(all, q));
        println!("| {what} | {} | {p50:.1} | {p90:.1} | {p99:.1} |", all.len());
    }
    for (what, all) in [("ratio to the bare echo", &bare), ("ratio to the one that stays awake", &awake_too)] {
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|q| quantile(&ours, q) / quantile(all, q));
        println!("| {what} | | {p50:.2} | {p90:.2} | {p99:.2} |");
    }
    println!("\nstages of the best turn, microseconds");
    println!("| stage | count | p50 | p90 | p99 | p99.9 | max |\n|---|---|---|---|---|---|---|");
    for s in best.iter().flat_map(|b| &b.stages) {
        let us = [s.p50_ns, s.p90_ns, s.p99_ns, s.p999_ns, s.max_ns].map(|ns| format!("{:.2}", ns as f64 / 1000.0));
        println!("| {} | {} | {} |", s.stage, s.count, us.join(" | "));
    }
}
