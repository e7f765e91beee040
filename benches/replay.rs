//! How fast a replay is, beside a hand-written loop in the same run. CPU time of the thread, median of several runs.
//!
//! `cargo bench --bench replay` prints the table of `benches/README.md`;
//! `cargo bench --bench replay -- --write-csv N FILE` writes N of its trades as CSV for `benches/process.py`;
//! `-- --once N` and `-- --once-bars N` replay N trades or bars once, for `valgrind --tool=callgrind`;
//! `-- --bars RUNS` replays the bars over and over, for `perf record`.

mod shared;

use std::hint::black_box;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bellwether::config::{Settings, StrategySettings};
use bellwether::data::{Catalog, ImportSpec, import};
use bellwether::host::Registry;
use bellwether::market::{Batch, Kind};
use bellwether_sdk::{Aggressor, Bar, Interval, Price, Qty, Trade, Ts};
use shared::{ID, START, TIMED, Walk, cpu, ema, median, replay, trades};
use strategy_ema_cross::EmaCross;

/// Runs of each kind; those that are compared take turns, so that a slow minute of the machine meets them all.
const RUNS: usize = 7;
const BAR_RUNS: usize = 21;

fn bars(count: usize) -> Vec<Bar> {
    let mut walk = Walk::new();
    let mut last = walk.next();
    (0..count)
        .map(|i| {
            let (open, close) = (last, walk.next());
            last = close;
            let ts_open = Ts::from_nanos(START + i as i64 * Interval::MINUTE.nanos());
            let extra = (walk.random() % 4) as i64;
            Bar {
                ts_open,
                ts_close: ts_open.plus(Interval::MINUTE.nanos()),
                open: Price::from_mantissa(open),
                high: Price::from_mantissa(open.max(close) + extra),
                low: Price::from_mantissa(open.min(close) - extra),
                close: Price::from_mantissa(close),
                volume: Qty::from_mantissa(1_000_000),
                interval: Interval::MINUTE,
                instrument: ID,
            }
        })
        .collect()
}

/// What one would write by hand: a virtual call per tick, two averages, a position, no accounting.
trait Hand {
    fn on_trade(&mut self, price: f64) -> i8;
}

struct HandEma {
    fast: f64,
    slow: f64,
    kf: f64,
    ks: f64,
    before: f64,
}

impl Hand for HandEma {
    fn on_trade(&mut self, price: f64) -> i8 {
        self.fast += self.kf * (price - self.fast);
        self.slow += self.ks * (price - self.slow);
        let now = self.fast - self.slow;
        let cross = i8::from(self.before <= 0.0 && now > 0.0) - i8::from(self.before >= 0.0 && now < 0.0);
        self.before = now;
        cross
    }
}

fn hand_loop(trades: &[Trade]) -> (u64, Duration) {
    let first = trades[0].price.to_f64(1);
    let k = |n: f64| 2.0 / (n + 1.0);
    let mut hand: Box<dyn Hand> =
        black_box(Box::new(HandEma { fast: first, slow: first, kf: k(1000.0), ks: k(3000.0), before: 0.0 }));
    let before = cpu();
    let mut crossings = 0;
    for trade in trades {
        crossings += u64::from(hand.on_trade(trade.price.to_f64(1)) != 0);
    }
    (black_box(crossings), cpu() - before)
}

fn rate_text(count: usize, spent: Duration) -> String {
    format!("{:.1} M/s", count as f64 / spent.as_secs_f64() / 1e6)
}

/// The order hash of the command's own run over the same trades, from a catalog.
fn hash_from_store(trades: &[Trade]) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    let csv = dir.path().join("trades.csv");
    write_csv(trades.iter().copied(), &csv);
    let mut catalog = Catalog::open_or_create(&dir.path().join("catalog")).expect("a catalog");
    let spec = ImportSpec::new(bellwether::data::Format::Csv, "binance:BTC/USDT".parse().expect("a symbol"));
    import(&mut catalog, &spec, &[csv], &mut |_| {}, &AtomicBool::new(false)).expect("an import");
    let params = [("fast", "1000"), ("slow", "3000"), ("qty", "0.01")];
    let mut settings = Settings {
        strategy: vec![StrategySettings {
            plugin: "ema_cross".to_owned(),
            params: params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..StrategySettings::default()
        }],
        ..Settings::default()
    };
    settings.data.dir = dir.path().join("catalog");
    settings.account.cash = "1000000USDT".to_owned();
    settings.backtest.kinds = vec!["trades".to_owned()];
    let registry = Registry::new().with::<EmaCross>();
    bellwether::run::backtest(&settings, &registry, &AtomicBool::new(false)).expect("a run").outcome.order_hash
}

fn write_csv(trades: impl Iterator<Item = Trade>, path: &std::path::Path) {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path).expect("a file"));
    writeln!(out, "ts_ns,price,qty,side").expect("a line");
    for t in trades {
        let side = if t.aggressor == Aggressor::Buyer { "buy" } else { "sell" };
        writeln!(out, "{},{},{},{side}", t.ts.nanos(), t.price.to_text(1), t.qty.to_text(3)).expect("a line");
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|a| a == "--write-csv") {
        let count = args[at + 1].parse().expect("a count");
        write_csv(trades(count).into_iter(), args[at + 2].as_ref());
        return;
    }
    TIMED.store(!args.iter().any(|a| a.starts_with("--once")), Ordering::Relaxed);
    if let Some(at) = args.iter().position(|a| a == "--once") {
        let all = trades(args[at + 1].parse().expect("a count"));
        replay(Kind::Trades, Batch::Trades(all), ema(1000, 3000));
        return;
    }
    if let Some(at) = args.iter().position(|a| a == "--once-bars") {
        let all = bars(args[at + 1].parse().expect("a count"));
        replay(Kind::Bars(Interval::MINUTE), Batch::Bars(all), ema(12, 26));
        return;
    }
    if let Some(at) = args.iter().position(|a| a == "--bars") {
        let (runs, all) = (args[at + 1].parse().expect("a count"), bars(1_000_000));
        let run = |_| replay(Kind::Bars(Interval::MINUTE), Batch::Bars(all.clone()), ema(12, 26)).1;
        println!("{:?}", median((0..runs).map(run).collect()));
        return;
    }
    let count = 5_000_000;
    let all = trades(count);
    let (mut by_hand, mut spent) = (Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..RUNS {
        by_hand.push(hand_loop(&all).1);
        let (outcome, cpu) = replay(Kind::Trades, Batch::Trades(all.clone()), ema(1000, 3000));
        spent.push(cpu);
        last = Some(outcome);
    }
    let (hand, ours, outcome) = (median(by_hand), median(spent), last.expect("an outcome"));
    println!("| what | per CPU second | ratio to the hand-written loop |");
    println!("|---|---|---|");
    println!(
        "| hand-written loop, {count} trades, {} crossings | {} | 1.0 |",
        hand_loop(&all).0,
        rate_text(count, hand)
    );
    println!(
        "| trades in memory, `trade@1`, {} orders | {} | {:.1} |",
        outcome.orders.len(),
        rate_text(count, ours),
        ours.as_secs_f64() / hand.as_secs_f64()
    );
    let stored = hash_from_store(&all);
    assert_eq!(outcome.order_hash, stored, "the bench and the command order differently");
    println!("order hash equals the command's own run over the same trades: {}", &stored[..16]);

    let count = 1_000_000;
    let all = bars(count);
    let over = |fast, slow| replay(Kind::Bars(Interval::MINUTE), Batch::Bars(all.clone()), ema(fast, slow));
    let (mut without, mut spent) = (Vec::new(), Vec::new());
    let (mut orders, mut few) = (0, 0);
    for _ in 0..BAR_RUNS {
        let (outcome, cpu) = over(9998, 9999);
        without.push(cpu);
        few = outcome.orders.len();
        let (outcome, cpu) = over(12, 26);
        spent.push(cpu);
        orders = outcome.orders.len();
    }
    let (quiet, ours) = (median(without), median(spent));
    let per_order = ours.saturating_sub(quiet).as_nanos() as f64 / (orders - few) as f64;
    println!("| 1,000,000 bars, `next-open@1`, {few} orders | {:.3} CPU s | |", quiet.as_secs_f64());
    println!(
        "| 1,000,000 bars, `next-open@1`, {orders} orders | {:.3} CPU s, {per_order:.0} ns per order | |",
        ours.as_secs_f64()
    );
    let record = std::mem::size_of::<bellwether::orders::OrderRecord>()
        + std::mem::size_of::<bellwether::orders::FillRecord>()
        + std::mem::size_of::<bellwether::portfolio::TradeRecord>()
        + std::mem::size_of::<u32>();
    println!("| kept per order with its fill and trade | {record} bytes | |");
}
