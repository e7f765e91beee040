//! Stories of measuring signals on the shipped market data: a planted signal is found, a shuffled one is not.

use std::path::{Path, PathBuf};

use bellwether::data::Catalog;
use bellwether::market::{Batch, Kind};
use bellwether::run::{self, EvaluateSpec};
use bellwether::signal::{Measure, Verdict, draw};
use bellwether_sdk::{Bar, InstrumentId, Interval, Ts};

const SYMBOL: &str = "binance:BTC/USDT";
/// Bars between two signals, and the bars after which the planted one is right.
const EVERY: usize = 8;
const COUNT: usize = 500;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("backtest-data")
}

fn bars() -> Vec<Bar> {
    let catalog = Catalog::open(&shipped()).expect("the shipped data");
    let instrument = catalog.instrument(&SYMBOL.parse().expect("a symbol"), InstrumentId(0)).expect("its rules");
    let all = Ts::from_nanos(i64::MIN + 1)..Ts::MAX;
    let mut source = catalog.source(&instrument, Kind::Bars(Interval::HOUR), all).expect("hours");
    let mut bars = Vec::new();
    while let Some(batch) = source.next(None).expect("bars") {
        if let Batch::Bars(some) = batch {
            bars.extend(some);
        }
    }
    bars
}

/// Signals that are right two times in three about the next eight hours, drawn from a seed.
fn planted(bars: &[Bar], seed: u64) -> Vec<(Ts, bool)> {
    let mut state = seed;
    let at = |i: usize| {
        let (now, then) = (bars[i * EVERY], bars[(i + 1) * EVERY]);
        let right = draw(&mut state) % 100 < 65;
        (now.ts_open, (then.open > now.open) == right)
    };
    (0..COUNT).map(at).collect()
}

/// The same directions at the same times in another order.
fn shuffled(signals: &[(Ts, bool)], seed: u64) -> Vec<(Ts, bool)> {
    let mut state = seed ^ 0xdead_beef;
    let mut directions: Vec<bool> = signals.iter().map(|s| s.1).collect();
    for i in (1..directions.len()).rev() {
        let j = usize::try_from(draw(&mut state) % (i as u64 + 1)).expect("small");
        directions.swap(i, j);
    }
    signals.iter().zip(directions).map(|((at, _), direction)| (*at, direction)).collect()
}

fn measured(dir: &Path, name: &str, signals: &[(Ts, bool)]) -> Measure {
    let path = dir.join(format!("{name}.jsonl"));
    let line = |(at, long): &(Ts, bool)| {
        let direction = if *long { "long" } else { "short" };
        let at = at.nanos();
        format!(r#"{{"instrument":"{SYMBOL}","direction":"{direction}","made":"{at}","received":"{at}"}}"#) + "\n"
    };
    std::fs::write(&path, signals.iter().map(line).collect::<String>()).expect("written");
    let spec = EvaluateSpec {
        series: path.display().to_string(),
        symbol: SYMBOL.parse().expect("a symbol"),
        interval: Interval::HOUR,
        feature: None,
        horizons: vec![1, 4, 8, 24],
        cost_bps: 10.0,
        delay_s: 0,
        seed: 1,
    };
    run::evaluate(&shipped(), &spec).expect("a measure")
}

#[test]
fn over_twenty_seeds_a_planted_signal_is_found_and_a_shuffled_one_is_not() {
    let (dir, bars) = (tempfile::tempdir().expect("folder"), bars());
    assert!(bars.len() > (COUNT + 1) * EVERY, "{} bars", bars.len());
    let (mut found, mut mistaken) = (0, 0);
    for seed in 0..20 {
        let signals = planted(&bars, seed);
        let real = measured(dir.path(), "planted", &signals);
        let shuffled = measured(dir.path(), "shuffled", &shuffled(&signals, seed));
        assert_eq!((real.count, shuffled.count), (COUNT, COUNT));
        found += usize::from(real.verdict == Verdict::Real);
        mistaken += usize::from(shuffled.verdict == Verdict::Real);
    }
    assert_eq!(found, 20, "each planted signal is found");
    assert!(mistaken <= 1, "{mistaken} of 20 shuffled ones are called real; one is allowed");
}

#[test]
fn a_signal_that_always_says_the_same_or_too_little_is_not_judged() {
    let (dir, bars) = (tempfile::tempdir().expect("folder"), bars());
    let signals = planted(&bars, 1);
    let constant: Vec<_> = signals.iter().map(|s| (s.0, true)).collect();
    assert_eq!(measured(dir.path(), "constant", &constant).verdict, Verdict::Constant);
    assert_eq!(measured(dir.path(), "few", &signals[..50]).verdict, Verdict::TooFew);
}
