//! What the parts of the live path cost: CPU time of the thread, median of several runs. That messages are read without
//! allocation is held by a test (`crates/venues/tests/allocations.rs`).
//!
//! `cargo bench --bench live` prints the table of `benches/README.md`; `-- --only NAME` repeats one part for long, for
//! `perf record`, and `-- --counted NAME` runs it once without a clock, for `valgrind --tool=callgrind`, which does not
//! know the clock. Names: trade, depth, tell, order, tape.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bellwether::config::Durability;
use bellwether::engine::{Circuit, Engine, EngineConfig, Event, Input, OnHalt, SlotConfig, Told};
use bellwether::exchange::drive::Histogram;
use bellwether::exchange::feed::{Feed, FeedEvent, FeedSettings};
use bellwether::exchange::gateway::{Gateway, GatewaySettings};
use bellwether::exchange::machine::{Action, Limits};
use bellwether::exchange::{Listings, Note, Product, Response, Rules, Sink, Topic, Venue, venue};
use bellwether::keys::{Credential, Scheme};
use bellwether::market::Currency;
use bellwether::orders::{Order, WordId};
use bellwether::portfolio::{Ledger, Position, Terms};
use bellwether::risk::{Approved, Guard, Pace, RiskView};
use bellwether::signal::Sizer;
use bellwether::tape::{Disk, Record, TapeWriter, effect};
use bellwether_sdk::{
    AccountKind, Aggressor, Decimal, InstrumentId, Interval, Money, OrderId, OrderKind, ParamValues, Params, Plugin,
    Price, Qty, Role, Side, Size, Strategy, TimeInForce, Trade, Ts,
};
use strategy_ema_cross::EmaCross;

const RUNS: usize = 11;
const BTC: InstrumentId = InstrumentId(0);
const START: i64 = 1_750_000_000_000_000_000;

/// Nothing is timed: instructions are counted.
static COUNTED: AtomicBool = AtomicBool::new(false);

fn cpu() -> Duration {
    if COUNTED.load(Ordering::Relaxed) {
        return Duration::ZERO;
    }
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

/// CPU time of one of `count` repetitions, nanoseconds: the median over runs.
fn each(runs: usize, count: u32, mut run: impl FnMut(u32)) -> f64 {
    let mut all: Vec<f64> = (0..runs)
        .map(|_| {
            let begun = cpu();
            (0..count).for_each(&mut run);
            (cpu() - begun).as_nanos() as f64 / f64::from(count)
        })
        .collect();
    all.sort_by(f64::total_cmp);
    all[runs / 2]
}

fn rules() -> Rules {
    let plain = Rules::plain("binance:BTC/USDT".parse().expect("a symbol"), "BTCUSDT", 2, 5);
    Rules { stream_name: "btcusdt".to_owned(), ..plain }
}

fn listings() -> Listings {
    Listings::new([(BTC, rules())])
}

fn binance() -> Arc<dyn Venue> {
    Arc::from(venue("binance", Product::Spot).expect("built in"))
}

struct Count(u64);

impl Sink for Count {
    fn note(&mut self, note: Note<'_>) {
        if let Note::Trade(trade, _) = note {
            self.0 += black_box(trade).price.mantissa() as u64;
        }
    }
}

fn trade(runs: usize) -> f64 {
    let (venue, listings) = (binance(), listings());
    let text = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1750000000123,"s":"BTCUSDT","t":5012345678,"p":"87250.35000000","q":"0.01250000","T":1750000000122,"m":true,"M":true}}"#;
    let mut count = Count(0);
    let spent = each(runs, 100_000, |_| {
        venue.read_market(black_box(text), &listings, Ts::from_nanos(START), &mut count).expect("read");
    });
    assert!(count.0 > 0);
    spent
}

/// Updates of ten levels per side around a price, numbered on from a snapshot.
fn depth_text(number: u64) -> String {
    let level = |side: i64, k: i64| {
        let price = 8_725_000 + side * (1 + (k * 7 + number as i64 * 3) % 50);
        format!(r#"["{}.{:02}000000","{}.50000000"]"#, price / 100, price % 100, 1 + (k + number as i64) % 9)
    };
    let side = |side| (0..10).map(|k| level(side, k)).collect::<Vec<_>>().join(",");
    let (first, last) = (number * 10 + 1, number * 10 + 10);
    format!(
        r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1750000000123,"s":"BTCUSDT","U":{first},"u":{last},"b":[{}],"a":[{}]}}}}"#,
        side(-1),
        side(1)
    )
}

/// A feed whose book has its snapshot, a thousand levels per side.
fn depth_feed() -> (Feed, bellwether::exchange::machine::Link) {
    let (venue, limits) = (binance(), Limits::new(6_000, 100));
    let urls = venue.facts().urls.clone();
    let topics = [Topic::Depth(BTC, 1_000)];
    let (mut feed, _) = Feed::new(venue, listings(), &topics, &urls, FeedSettings::default(), limits);
    let mut link = None;
    let mut now = Ts::from_nanos(START);
    for _ in 0..100 {
        now = now.plus(100_000_000);
        feed.on_time(now, &mut |_: FeedEvent<'_>| {});
        let actions: Vec<Action> = feed.actions().collect();
        for action in actions {
            match action {
                Action::Connect { link: opened, .. } => {
                    link = Some(opened);
                    feed.on_opened(opened, now, &mut |_: FeedEvent<'_>| {});
                }
                Action::Http { tag, request } if request.path.ends_with("/depth") => {
                    let side = |sign: i64| {
                        let rows = (1..=1000).map(|k| {
                            let price = 8_725_000 + sign * k;
                            format!(r#"["{}.{:02}000000","1.00000000"]"#, price / 100, price % 100)
                        });
                        rows.collect::<Vec<_>>().join(",")
                    };
                    let body = format!(r#"{{"lastUpdateId":10,"bids":[{}],"asks":[{}]}}"#, side(-1), side(1));
                    let answer = Response { status: 200, headers: Vec::new(), body };
                    feed.on_http(tag, Ok(&answer), now, &mut |_: FeedEvent<'_>| {});
                }
                _ => {}
            }
        }
    }
    assert!(feed.book(BTC).is_some(), "no book");
    (feed, link.expect("a connection"))
}

fn depth(runs: usize) -> f64 {
    let (mut feed, link) = depth_feed();
    let mut number = 0;
    let mut told = 0;
    let mut spent: Vec<f64> = (0..runs)
        .map(|_| {
            let texts: Vec<String> = (0..2_000).map(|k| depth_text(number + 1 + k)).collect();
            number += 2_000;
            let begun = cpu();
            for text in &texts {
                feed.on_text(link, text, Ts::from_nanos(START + 20_000_000_000), &mut |event: FeedEvent<'_>| {
                    told += u64::from(matches!(event, FeedEvent::Depth(_)));
                });
            }
            (cpu() - begun).as_nanos() as f64 / 2_000.0
        })
        .collect();
    assert_eq!(told, 2_000 * runs as u64);
    spent.sort_by(f64::total_cmp);
    spent[runs / 2]
}

/// A live circuit with an average crossing strategy over trades.
fn circuit(fast: usize, slow: usize) -> Circuit {
    let instruments = vec![rules().instrument(BTC)];
    let terms = Terms::new(&instruments[0], 0, 8).expect("terms");
    let ledger = Ledger::new(vec![terms], vec![Money::from_mantissa(1_000_000 * 100_000_000)], 0);
    let values = ParamValues::from([("fast".to_owned(), fast.to_string()), ("slow".to_owned(), slow.to_string())]);
    let params = <EmaCross as Plugin>::Params::from_values(&values).expect("parameters");
    let strategy: Box<dyn Strategy> = Box::new(EmaCross::new(params).expect("a strategy"));
    Circuit::live(Engine::new(EngineConfig {
        instruments,
        currencies: vec![Currency { code: "USDT".to_owned(), scale: 8 }],
        ledger,
        account: AccountKind::Margin,
        slots: vec![SlotConfig {
            id: "ema_cross".to_owned(),
            strategy,
            instruments: vec![BTC],
            input: Input { bars: None, trades: true, quotes: false, depth: false },
            sizer: Sizer::Qty(Decimal::new(1, 2)),
            on_halt: OnHalt::Cancel,
        }],
        guard: Guard::default(),
        warmup: 0,
        chart_width: Interval::MINUTE,
        build: Vec::new(),
        bars_of_stream: vec![None],
    }))
}

fn trade_at(n: i64, price: i64) -> Trade {
    Trade {
        ts: Ts::from_nanos(START + n * 50_000),
        ts_venue: Ts::from_nanos(START + n * 50_000 - 1_000_000),
        price: Price::from_mantissa(price),
        qty: Qty::from_mantissa(1_250),
        instrument: BTC,
        aggressor: Aggressor::Buyer,
    }
}

/// What a session does with one input: onto the tape, through the circuit, effects onto the tape before they leave.
fn tell(tape: &mut TapeWriter, circuit: &mut Circuit, trade: &Trade) -> usize {
    let told = Told::Market(Event::Trade(trade));
    tape.append(&Record::of(&told)).expect("appended");
    circuit.tell(told).expect("told");
    if circuit.journal().is_empty() {
        return 0;
    }
    let instruments = [rules().instrument(BTC)];
    let mut journal = std::mem::take(circuit.journal());
    for passed in journal.drain(..) {
        let line = effect(&passed, &instruments, circuit.engine());
        tape.append(&Record::Effect(line)).expect("appended");
    }
    *circuit.journal() = journal;
    tape.commit().expect("committed");
    circuit.outgoing().len()
}

fn new_tape(dir: &Path, durability: Durability) -> TapeWriter {
    let path = dir.join(format!("{durability:?}.tape"));
    let _ = std::fs::remove_file(&path);
    TapeWriter::create(&path, durability).expect("a tape")
}

/// A trade that decides nothing.
fn tell_trade(runs: usize, dir: &Path) -> f64 {
    let (mut tape, mut circuit) = (new_tape(dir, Durability::Staged), circuit(12, 26));
    let mut n = 0;
    each(runs, 50_000, |_| {
        n += 1;
        tell(&mut tape, &mut circuit, &trade_at(n, 8_725_000 + n));
    })
}

fn approved(id: u64) -> Approved<Order> {
    let order = Order {
        id: OrderId(id),
        strategy: 0,
        instrument: BTC,
        side: Side::Buy,
        size: Size::Qty(Qty::from_mantissa(1_000)),
        kind: OrderKind::Limit { price: Price::from_mantissa(8_725_035) },
        tif: TimeInForce::Ioc,
        post_only: false,
        reduce_only: false,
        role: Role::Intent,
        parent: OrderId(0),
        oco: OrderId(0),
        tag: WordId::default(),
    };
    let instrument = rules().instrument(BTC);
    let terms = Terms::new(&instrument, 0, 8).expect("terms");
    let view = RiskView {
        instrument: &instrument,
        terms: &terms,
        money_scale: 8,
        position: &Position::default(),
        last: Price::from_mantissa(8_725_035),
        open_orders: 0,
        reference: Price::ZERO,
        pace: Pace::default(),
    };
    Guard::default().approve(order, &view).expect("approved")
}

/// From an approved order to the signed message (HMAC) that the trading socket is given.
fn order(runs: usize) -> f64 {
    let venue = binance();
    let urls = venue.facts().urls.clone();
    let secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let key = Arc::new(Credential::new("bench", Scheme::HmacSha256, secret).expect("a key"));
    let limits = Limits::new(6_000, u32::MAX);
    let mut gateway = Gateway::new(venue, listings(), key, GatewaySettings::new(7, urls), limits);
    let now = Ts::from_nanos(START);
    gateway.start_alone(now);
    let mut id = 0;
    let mut bytes = 0;
    let mut spent: Vec<f64> = (0..runs)
        .map(|_| {
            let orders: Vec<Approved<Order>> = (1..=1_000).map(|k| approved(id + k)).collect();
            id += 1_000;
            let begun = cpu();
            for order in orders {
                gateway.submit(order, Price::from_mantissa(8_725_035), now);
                for action in gateway.actions() {
                    if let Action::Say { text, .. } = action {
                        bytes += text.len();
                    }
                }
            }
            (cpu() - begun).as_nanos() as f64 / 1_000.0
        })
        .collect();
    assert!(bytes > 200_000 * runs / 2, "{bytes}");
    spent.sort_by(f64::total_cmp);
    spent[runs / 2]
}

/// A record that is committed by itself, as before every order: the time on the clock, nanoseconds.
fn commit(dir: &Path, durability: Durability, count: i64) -> (u64, u64) {
    let mut tape = new_tape(dir, durability);
    tape.append(&Record::Clock(Ts::from_nanos(1))).expect("appended");
    tape.flush().expect("flushed");
    let line = "order 281474976710657 buy 0.01000 binance:BTC/USDT limit 87250.35 ioc intent".to_owned();
    let record = Record::Effect(line);
    let histogram = Histogram::default();
    for _ in 0..count {
        let begun = Instant::now();
        tape.append(&record).expect("appended");
        tape.commit().expect("committed");
        histogram.record(begun.elapsed().as_nanos() as u64);
    }
    (histogram.quantile(0.5), histogram.quantile(0.99))
}

/// A disk that takes 20 ms for everything.
struct Slow(std::fs::File);

impl Disk for Slow {
    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        std::thread::sleep(Duration::from_millis(20));
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        std::thread::sleep(Duration::from_millis(20));
        self.0.sync()
    }
}

/// The histogram of `tell` while the disk is slow: some 20,000 trades a second, orders among them.
fn slow_disk(dir: &Path, durability: Durability, trades: i64) -> (Histogram, usize) {
    let path = dir.join(format!("slow-{durability:?}.tape"));
    let mut tape = TapeWriter::create_on(&path, durability, 0, Arc::new(|file| Box::new(Slow(file)))).expect("a tape");
    tape.append(&Record::Clock(Ts::from_nanos(1))).expect("appended");
    tape.flush().expect("flushed");
    // Prices to and fro, so that averages of one and two cross often.
    let mut circuit = circuit(1, 2);
    let histogram = Histogram::default();
    let (begun, mut orders) = (Instant::now(), 0);
    for n in 0..trades {
        while begun.elapsed() < Duration::from_micros(50) * n as u32 {
            std::hint::spin_loop();
        }
        let price = 8_725_000 + if n / 100 % 2 == 0 { n % 100 } else { 100 - n % 100 };
        let told = Instant::now();
        orders += tell(&mut tape, &mut circuit, &trade_at(n, price));
        histogram.record(told.elapsed().as_nanos() as u64);
    }
    (histogram, orders)
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on a disk");
    let dir = dir.path();
    if let Some(at) = args.iter().position(|a| a == "--only" || a == "--counted") {
        let counted = args[at] == "--counted";
        COUNTED.store(counted, Ordering::Relaxed);
        let runs = if counted { 2 } else { 100 };
        let spent = match args.get(at + 1).map(String::as_str) {
            Some("trade") => trade(runs),
            Some("depth") => depth(runs),
            Some("tell") => tell_trade(runs.div_ceil(2), dir),
            Some("order") => order(runs),
            Some("tape") => commit(dir, Durability::Staged, 1_000_000).0 as f64,
            _ => panic!("trade, depth, tell, order or tape"),
        };
        println!("{spent:.0} ns");
        return;
    }
    println!("| what | ns |\n|---|---|");
    println!("| a trade's message read | {:.0} |", trade(RUNS));
    println!("| a depth update of 20 levels read, judged and applied | {:.0} |", depth(RUNS));
    println!("| a trade through tape, engine and strategy | {:.0} |", tell_trade(RUNS, dir));
    println!("| an approved order to its signed message | {:.0} |", order(RUNS));
    println!("\n| a record committed before an order leaves | p50 ns | p99 ns |\n|---|---|---|");
    for (name, durability, count) in [
        ("staged", Durability::Staged, 100_000),
        ("direct", Durability::Direct, 100_000),
        ("sync", Durability::Sync, 300),
    ] {
        let (p50, p99) = commit(dir, durability, count);
        println!("| `{name}` | {p50} | {p99} |");
    }
    println!(
        "\n| `tell` while every write takes the disk 20 ms | orders | p50 µs | p99 | p99.9 | max |\n|---|---|---|---|---|---|"
    );
    for (name, durability, trades) in [("staged", Durability::Staged, 100_000), ("direct", Durability::Direct, 10_000)]
    {
        let (h, orders) = slow_disk(dir, durability, trades);
        let us = |ns: u64| format!("{:.1}", ns as f64 / 1000.0);
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| us(h.quantile(q)));
        println!("| `{name}` | {orders} | {p50} | {p99} | {p999} | {} |", us(h.max()));
    }
}
