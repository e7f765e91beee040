//! What a strategy costs by where it lives: in the program, as a component called for each event, as one that is given many
//! at once. CPU time of the thread, medians; the native one runs in the same process, so ratios can be compared.
//!
//! `cargo bench -p bellwether-cli --features wasm --bench plugins` prints the table of `benches/README.md`. The components are
//! built on the way, which takes the target for WebAssembly; `-- --build` only builds them, `-- --built` takes what is there.
//! `-- FILE.wasm FILE.wasm` measures only these, a bar at a time, with what they cost to compile: those of other languages.

mod shared;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use bellwether::host::Loader;
use bellwether::market::{Batch, Kind};
use bellwether_sdk::{
    Bar, Context, InstrumentId, InstrumentView, Interval, Outbox, OwnView, ParamValues, Params, Plugin, PositionView,
    Price, Quote, Strategy, Trade, Ts, View,
};
use bellwether_wasm::{Limits, WasmHost};
use shared::{ID, cpu, ema, instrument, median, replay, trades};
use strategy_ema_cross::EmaCross;

const RUNS: usize = 9;
const TICKS: usize = 200_000;
/// Events at a time, as the engine gives them.
const PIECE: usize = 128;

/// Builds a component of the folder that holds the measured strategy.
fn built(target: &Path, file: &str, signal_only: bool) -> PathBuf {
    if std::env::args().any(|arg| arg == "--built") {
        return target.join(file);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let out = target.join(file);
    let mut command = Command::new(env!("CARGO_BIN_EXE_bellwether"));
    command.args(["strategy", "build", "tests/plugins/ticks", "--out"]).arg(&out).current_dir(root);
    // A folder of its own, so that it need not be built again for the next run.
    command.env("CARGO_TARGET_DIR", target.join(format!("build-{file}")));
    if signal_only {
        command.env("TICKS_SIGNAL_ONLY", "1");
    }
    let answer = command.output().expect("the command runs");
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    out
}

fn params() -> ParamValues {
    ParamValues::from([("fast".to_owned(), "1000".to_owned()), ("slow".to_owned(), "3000".to_owned())])
}

fn component(file: &Path) -> Box<dyn Strategy> {
    let host = WasmHost::new(Limits::default(), None).expect("a host");
    let entry = host.load(&file.to_string_lossy(), None).expect("a component");
    (entry.make)(&params()).expect("a strategy")
}

/// What a strategy sees, and where its wishes go.
struct Seat {
    view: View,
    own: OwnView,
    out: Outbox,
    wishes: u64,
}

impl Seat {
    fn new() -> Self {
        let seen = InstrumentView {
            instrument: instrument(),
            last: Price::ZERO,
            quote: Quote { instrument: ID, ..Quote::default() },
        };
        Self {
            view: View { instruments: vec![seen], equity_scale: 8, ..View::default() },
            own: OwnView { positions: vec![PositionView::default()], orders: Vec::new(), instruments: vec![ID] },
            out: Outbox { actions: Vec::new(), next_order: 1 },
            wishes: 0,
        }
    }

    #[inline(always)]
    fn tell(&mut self, now: Ts, hook: impl FnOnce(&mut Context<'_>)) {
        let mut ctx = Context::new(now, InstrumentId(0), &self.view, &self.own, &mut self.out);
        hook(&mut ctx);
        if !self.out.actions.is_empty() {
            self.wishes += self.out.actions.len() as u64;
            self.out.actions.clear();
        }
    }
}

/// One tick of many, in nanoseconds, and what was wished for.
fn spent(count: usize, run: impl FnOnce(&mut Seat)) -> (f64, u64) {
    let mut seat = Seat::new();
    let before = cpu();
    run(&mut seat);
    let spent = cpu() - before;
    (spent.as_nanos() as f64 / count as f64, seat.wishes)
}

fn each(strategy: &mut dyn Strategy, trades: &[Trade], seat: &mut Seat) {
    seat.tell(trades[0].ts, |ctx| strategy.on_start(ctx));
    for trade in trades {
        seat.view.instruments[0].last = trade.price;
        seat.tell(trade.ts, |ctx| strategy.on_trade(ctx, trade));
    }
}

/// The same without a call through a table.
fn each_direct(strategy: &mut EmaCross, trades: &[Trade], seat: &mut Seat) {
    seat.tell(trades[0].ts, |ctx| strategy.on_start(ctx));
    for trade in trades {
        seat.view.instruments[0].last = trade.price;
        seat.tell(trade.ts, |ctx| strategy.on_trade(ctx, trade));
    }
}

fn many(strategy: &mut dyn Strategy, trades: &[Trade], seat: &mut Seat) {
    seat.tell(trades[0].ts, |ctx| strategy.on_start(ctx));
    assert!(strategy.takes_many(), "it is given one at a time");
    for piece in trades.chunks(PIECE) {
        let mut heard = 0;
        while heard < piece.len() {
            let rest = &piece[heard..];
            seat.tell(rest[0].ts, |ctx| heard += strategy.on_trades(ctx, rest));
        }
    }
}

/// What a bar costs in components that are given as files.
fn per_bar(files: &[PathBuf]) {
    let trades = trades(2_000);
    println!("| component | µs a bar | s of CPU to compile | MB |\n|---|---|---|---|");
    for file in files {
        let host = WasmHost::new(Limits::default(), None).expect("a host");
        let begun = process_cpu();
        let entry = host.load(&file.to_string_lossy(), None).expect("a component");
        let compiled = process_cpu() - begun;
        let a_bar = |_| {
            let mut it = (entry.make)(&ParamValues::new()).expect("a strategy");
            let (ns, _) = spent(trades.len(), |seat| {
                seat.tell(trades[0].ts, |ctx| it.on_start(ctx));
                for trade in &trades {
                    let bar = bar_of(trade);
                    seat.view.instruments[0].last = bar.close;
                    seat.tell(bar.ts_close, |ctx| it.on_bar(ctx, &bar));
                }
            });
            ns / 1e3
        };
        let (name, mb) = (&entry.manifest.sdk, file.metadata().map_or(0.0, |m| m.len() as f64 / 1e6));
        let us = middle((0..RUNS).map(a_bar).collect());
        println!("| {name} | {us:.1} | {:.1} | {mb:.1} |", compiled.as_secs_f64());
    }
}

/// A bar of one trade.
fn bar_of(trade: &Trade) -> Bar {
    Bar {
        ts_open: trade.ts,
        ts_close: trade.ts.plus(1),
        open: trade.price,
        high: trade.price,
        low: trade.price,
        close: trade.price,
        volume: trade.qty,
        interval: Interval::MINUTE,
        instrument: trade.instrument,
    }
}

/// CPU time of the process, compiling threads with it.
fn process_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn per_tick(typed: &Path, batched: &Path) {
    let trades = trades(TICKS);
    let direct = || EmaCross::new(<EmaCross as Plugin>::Params::from_values(&params()).expect("parameters"));
    let (mut by, mut wished) = (vec![Vec::new(); 4], Vec::new());
    for _ in 0..RUNS {
        // What is compared takes turns.
        let mut own = direct().expect("a strategy");
        let mut native = black_box(ema(1000, 3000));
        let (mut one, mut all) = (component(typed), component(batched));
        let turns = [
            spent(TICKS, |seat| each_direct(&mut own, &trades, seat)),
            spent(TICKS, |seat| each(native.as_mut(), &trades, seat)),
            spent(TICKS, |seat| each(one.as_mut(), &trades, seat)),
            spent(TICKS, |seat| many(all.as_mut(), &trades, seat)),
        ];
        for (times, (ns, wishes)) in by.iter_mut().zip(turns) {
            times.push(ns);
            wished.push(wishes);
        }
    }
    assert!(wished[0] > 10 && wished.iter().all(|w| *w == wished[0]), "they wish for the same: {wished:?}");
    let [own, native, one, all] = [0, 1, 2, 3].map(|i| middle(by[i].clone()));
    println!("| one tick | ns | ratio to native | required |\n|---|---|---|---|");
    println!("| the strategy's own work, called directly | {own:.1} | | |");
    println!("| native, `Box<dyn Strategy>` | {native:.1} | 1 | at most 6 ns beside its own: {:.1} |", native - own);
    println!("| component, typed call with fuel and view | {one:.0} | {:.1} | at most 350 |", one / native);
    println!("| component, {PIECE} at once | {all:.1} | {:.1} | at most 10 |", all / native);
}

fn loading(file: &Path) {
    let wall = |times: Vec<Duration>| median(times).as_secs_f64() * 1e3;
    let (mut compiled, mut cached) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let dir = tempfile::tempdir().expect("a folder");
        let host = || WasmHost::new(Limits::default(), Some(dir.path().join("cache"))).expect("a host");
        for times in [&mut compiled, &mut cached] {
            let host = host();
            let begun = Instant::now();
            host.load(&file.to_string_lossy(), None).expect("a component");
            times.push(begun.elapsed());
        }
    }
    println!("\n| to load a component | ms | required |\n|---|---|---|");
    println!("| compiled | {:.1} | at most 100 |", wall(compiled));
    println!("| from the cache | {:.2} | at most 5 |", wall(cached));
}

fn backtests(typed: &Path, batched: &Path) {
    const COUNT: usize = 5_000_000;
    let trades = trades(COUNT);
    let mut rows = Vec::new();
    type Makes<'a> = (&'a str, &'a dyn Fn() -> Box<dyn Strategy>, &'a str);
    let makes: [Makes<'_>; 3] = [
        ("native", &|| ema(1000, 3000), ""),
        ("component, typed", &|| component(typed), "above 2"),
        ("component, many at once", &|| component(batched), "above 25"),
    ];
    let mut times = vec![Vec::new(); makes.len()];
    let mut hashes = Vec::new();
    for _ in 0..3 {
        for ((_, make, _), times) in makes.iter().zip(&mut times) {
            let (outcome, spent) = replay(Kind::Trades, Batch::Trades(trades.clone()), make());
            assert!(outcome.halts.is_empty(), "{:?}", outcome.halts);
            hashes.push(outcome.order_hash);
            times.push(spent);
        }
    }
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "the same orders");
    for ((what, _, required), times) in makes.iter().zip(times) {
        rows.push((what, COUNT as f64 / median(times).as_secs_f64() / 1e6, required));
    }
    println!(
        "\n| backtest of 5,000,000 trades | M ticks per CPU second | ratio to native | required |\n|---|---|---|---|"
    );
    for (what, rate, required) in &rows {
        println!("| {what} | {rate:.1} | {:.2} | {required} |", rows[0].1 / rate);
    }
}

fn main() {
    let files: Vec<PathBuf> = std::env::args().skip(1).filter(|a| a.ends_with(".wasm")).map(PathBuf::from).collect();
    if !files.is_empty() {
        return per_bar(&files);
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let typed = built(target, "typed.wasm", false);
    let batched = built(target, "batched.wasm", true);
    if std::env::args().any(|arg| arg == "--build") {
        println!("{} {}", typed.display(), batched.display());
        return;
    }
    per_tick(&typed, &batched);
    loading(&typed);
    backtests(&typed, &batched);
}
