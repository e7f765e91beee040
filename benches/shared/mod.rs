//! What benches share: a random walk, an engine with its exchange, the clock of the thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bellwether::engine::{Engine, EngineConfig, Input, OnHalt, Outcome, Replay, SlotConfig};
use bellwether::market::{Batch, Currency, Kind, Source, VecSource};
use bellwether::portfolio::{Ledger, Terms};
use bellwether::risk::Guard;
use bellwether::signal::Sizer;
use bellwether::sim::{MarginTerms, Profile, Sim, SimConfig, SlippageModel};
use bellwether_sdk::{
    AccountKind, Aggressor, Decimal, Instrument, InstrumentId, Interval, Money, ParamValues, Params, Plugin, Price,
    Qty, Rate, Strategy, Trade, Ts,
};
use strategy_ema_cross::EmaCross;

pub const ID: InstrumentId = InstrumentId(0);
pub const START: i64 = 1_704_067_200_000_000_000;

/// The instrument of the walk.
pub fn instrument() -> Instrument {
    Instrument::inferred(ID, "binance:BTC/USDT".parse().expect("a symbol"), 1, 3)
}

/// A random walk that is the same everywhere: a linear congruential generator.
pub struct Walk {
    state: u64,
    price: i64,
}

impl Walk {
    pub fn new() -> Self {
        Self { state: 42, price: 500_000 }
    }

    pub fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state >> 33
    }

    /// One digit after the point.
    pub fn next(&mut self) -> i64 {
        let step = (self.random() % 7) as i64 - 3;
        self.price = (self.price + step).clamp(100_000, 2_000_000);
        self.price
    }
}

pub fn trades(count: usize) -> Vec<Trade> {
    let mut walk = Walk::new();
    (0..count)
        .map(|i| Trade {
            ts: Ts::from_nanos(START + i as i64 * 500_000_000),
            ts_venue: Ts::NONE,
            price: Price::from_mantissa(walk.next()),
            qty: Qty::from_mantissa((walk.random() % 1000) as i64 + 1000),
            instrument: ID,
            aggressor: if walk.random().is_multiple_of(2) { Aggressor::Buyer } else { Aggressor::Seller },
        })
        .collect()
}

/// The shipped cross of two averages.
pub fn ema(fast: usize, slow: usize) -> Box<dyn Strategy> {
    let values = ParamValues::from([("fast".to_owned(), fast.to_string()), ("slow".to_owned(), slow.to_string())]);
    let params = <EmaCross as Plugin>::Params::from_values(&values).expect("parameters");
    Box::new(EmaCross::new(params).expect("a strategy"))
}

/// Engine, exchange, books: all that the command puts together for these settings.
pub fn replay(kind: Kind, batch: Batch, strategy: Box<dyn Strategy>) -> (Outcome, Duration) {
    let instruments = vec![instrument()];
    let terms = Terms::new(&instruments[0], 0, 8).expect("terms");
    let ledger = Ledger::new(vec![terms], vec![Money::from_mantissa(1_000_000 * 100_000_000)], 0);
    let rate = |n, d| Rate::from_fraction(Decimal::new(n, d)).expect("a rate");
    let bars = kind.interval();
    let sim = Sim::new(
        SimConfig {
            profile: if bars.is_some() { Profile::NextOpen } else { Profile::Trade },
            nearest_extreme_first: false,
            maker: vec![rate(1, 3)],
            taker: vec![rate(1, 3)],
            money_scales: vec![8],
            slippage: SlippageModel::None,
            latency_ns: 0,
            margin: Some(MarginTerms { leverage_max: rate(1, 0), maintenance: rate(5, 3) }),
        },
        instruments.clone(),
        ledger.clone(),
    );
    let engine = Engine::new(EngineConfig {
        instruments,
        currencies: vec![Currency { code: "USDT".to_owned(), scale: 8 }],
        ledger,
        account: AccountKind::Margin,
        slots: vec![SlotConfig {
            id: "ema_cross".to_owned(),
            strategy,
            instruments: vec![ID],
            input: Input { bars, trades: bars.is_none(), quotes: false, depth: false },
            sizer: Sizer::Qty(Decimal::new(1, 2)),
            on_halt: OnHalt::Cancel,
        }],
        guard: Guard::default(),
        warmup: 0,
        chart_width: bars.unwrap_or(Interval::MINUTE),
        build: Vec::new(),
        bars_of_stream: vec![bars],
    });
    let source: Box<dyn Source> = Box::new(VecSource::new(kind, ID, [batch]));
    let stop = AtomicBool::new(false);
    // As in the command's `engine_cpu_seconds`, reading (here: handing out and dropping the batch) is not counted.
    let (mut read, mut since) = (Duration::ZERO, Duration::ZERO);
    let mut reading = |begins: bool| {
        if begins { since = cpu() } else { read += cpu() - since }
    };
    let mut replay = Replay::new(engine, sim, &stop, &mut reading);
    let before = cpu();
    replay.run(vec![source], false).expect("a run");
    let spent = cpu() - before;
    let engine = replay.pair.engine;
    let spent = spent - read;
    (engine.finish(), spent)
}

/// Whether there is a clock: the one of the thread is not to be had under valgrind.
pub static TIMED: AtomicBool = AtomicBool::new(true);

/// The processor's time of this thread.
pub fn cpu() -> Duration {
    if !TIMED.load(Ordering::Relaxed) {
        return Duration::ZERO;
    }
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

/// The one in the middle.
pub fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}
