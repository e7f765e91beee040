//! Every indicator against TA-Lib: within 1e-9 from its first value on, or, where it begins otherwise, from where the
//! weight of the beginning is below 1e-12. On random walks with ties, gaps, flat runs and empty bars, at prices of
//! 60,000, 100 and 1e-5; there the tolerance is 1e-9 of the price.
//!
//! A failure names the series: `WALK=<level>/<seed>` in the environment repeats it alone.

use bellwether_sdk::indicators::{
    Adx, Atr, Bollinger, Cci, Donchian, Ema, Highest, Indicator, IndicatorError, Keltner, Lowest, Macd, Mfi, Obv,
    Ohlcv, Roc, Rsi, Seed, SlowStochastic, Sma, StdDev, StochRsi, TrueRange, Wilder, Wma,
};
use ta_lib::{Core, MAType, OutRange, RetCode};

const LEN: usize = 1500;
const SEEDS: u64 = 12;
const PERIODS: [i32; 5] = [2, 3, 14, 20, 55];

/// A series by columns, as TA-Lib wants it, and by bars.
struct Walk {
    name: String,
    level: f64,
    bars: Vec<Ohlcv>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
    volume: Vec<f64>,
}

/// xorshift64*, so that a seed means the same series for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn walk(level: f64, seed: u64, flat_runs: bool) -> Walk {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let tick = level / 2000.0;
    let (mut price, mut flat_left) = (2000.0_f64, 0_u32);
    let mut bars = Vec::with_capacity(LEN);
    for i in 0..LEN {
        if flat_runs && i > 50 && flat_left == 0 && dice.roll() < 0.01 {
            flat_left = 1 + (dice.roll() * 150.0) as u32;
        }
        let open = price;
        let (mut high, mut low) = (open, open);
        if flat_left > 0 {
            flat_left -= 1;
        } else {
            price = (price + ((dice.roll() - 0.5) * 40.0).round()).max(400.0);
            high = open.max(price) + (dice.roll() * 8.0).floor();
            low = open.min(price) - (dice.roll() * 8.0).floor();
        }
        let volume = if dice.roll() < 0.05 { 0.0 } else { (dice.roll() * 1e5).floor() / 100.0 };
        let bar = Ohlcv { open: open * tick, high: high * tick, low: low * tick, close: price * tick, volume };
        bars.push(bar);
    }
    let column = |of: fn(&Ohlcv) -> f64| bars.iter().map(of).collect::<Vec<_>>();
    let (high, low, close) = (column(|b| b.high), column(|b| b.low), column(|b| b.close));
    let volume = column(|b| b.volume);
    Walk { name: format!("WALK={level}/{seed}"), level, bars, high, low, close, volume }
}

fn walks(flat_runs: bool) -> Vec<Walk> {
    if let Ok(wanted) = std::env::var("WALK") {
        let (level, seed) = wanted.split_once('/').expect("level/seed");
        return vec![walk(level.parse().expect("a level"), seed.parse().expect("a seed"), flat_runs)];
    }
    let levels = [60_000.0, 100.0, 1e-5];
    levels.iter().flat_map(|&level| (1..=SEEDS).map(move |seed| walk(level, seed, flat_runs))).collect()
}

/// What TA-Lib says: where it begins and its values from there.
fn theirs<const N: usize>(call: impl FnOnce([&mut [f64]; N]) -> Result<OutRange, RetCode>) -> (usize, [Vec<f64>; N]) {
    let mut out: [Vec<f64>; N] = std::array::from_fn(|_| vec![0.0; LEN]);
    let range = call(out.each_mut().map(Vec::as_mut_slice)).expect("TA-Lib");
    out.iter_mut().for_each(|o| o.truncate(range.count));
    assert_eq!(range.beg_idx + range.count, LEN);
    (range.beg_idx, out)
}

/// Holds ours against theirs. `converged` is the number of inputs after which the beginnings no longer count; zero for
/// indicators that begin the same, whose warm-up must then be the same too.
fn agree<I: Indicator, const N: usize>(
    case: &str,
    mut ours: I,
    inputs: impl Iterator<Item = I::Input>,
    lines: impl Fn(I::Output) -> [f64; N],
    (begin, theirs): (usize, [Vec<f64>; N]),
    converged: usize,
    tolerance: f64,
) {
    if converged == 0 {
        assert_eq!(ours.warmup(), begin + 1, "{case}: the warm-up");
    }
    let mut compared = 0;
    for (i, input) in inputs.enumerate() {
        let value = ours.update(input).map(&lines);
        if i < begin.max(converged) {
            continue;
        }
        let value = value.unwrap_or_else(|| panic!("{case}: no value at {i}"));
        for (line, (a, b)) in value.iter().zip(theirs.iter().map(|t| t[i - begin])).enumerate() {
            assert!(
                (a - b).abs() <= tolerance,
                "{case}: at {i}, line {line}: ours {a:e}, TA-Lib's {b:e}, off {:e}",
                a - b
            );
        }
        compared += 1;
    }
    assert!(compared > 300, "{case}: only {compared} values compared");
}

/// After how many inputs `keep^n` is below 1e-12.
fn forgotten(keep: f64) -> usize {
    (bellwether_sdk::math::ln(1e-12) / bellwether_sdk::math::ln(keep)).ceil() as usize + 1
}

fn ema_keep(n: i32) -> f64 {
    1.0 - 2.0 / (f64::from(n) + 1.0)
}

/// The tolerance of values in prices.
fn of_price(walk: &Walk) -> f64 {
    1e-9 * walk.level.min(1.0)
}

fn each(flat_runs: bool, test: impl Fn(&Core, &Walk, i32, &str) -> Result<(), IndicatorError>) {
    let core = Core::new();
    for walk in walks(flat_runs) {
        for n in PERIODS {
            let case = format!("{} period {n}", walk.name);
            test(&core, &walk, n, &case).expect("an indicator");
        }
    }
}

const END: usize = LEN - 1;

fn one(x: f64) -> [f64; 1] {
    [x]
}

#[test]
fn moving_averages() {
    each(true, |core, w, n, case| {
        let (p, x, tolerance) = (n as usize, &w.close, of_price(w));
        let values = || x.iter().copied();
        agree(case, Sma::new(p)?, values(), one, theirs(|[o]| core.sma(0, END, x, n, o)), 0, tolerance);
        agree(case, Wma::new(p)?, values(), one, theirs(|[o]| core.wma(0, END, x, n, o)), 0, tolerance);
        agree(case, Wilder::new(p)?, values(), one, theirs(|[o]| core.rma(0, END, x, n, o)), 0, tolerance);
        let ema = || theirs(|[o]| core.ema(0, END, x, n, o));
        agree(case, Ema::seeded(p, Seed::Sma)?, values(), one, ema(), 0, tolerance);
        agree(case, Ema::new(p)?, values(), one, ema(), forgotten(ema_keep(n)) + p, tolerance);
        Ok(())
    });
}

#[test]
fn macd_with_either_seed() {
    each(true, |core, w, n, case| {
        let (fast, slow, signal) = (n.min(26), n.min(26) * 2 + 1, 9);
        let settled = forgotten(ema_keep(slow)) + forgotten(ema_keep(signal)) + slow as usize + 9;
        for seed in [Seed::First, Seed::Sma] {
            let ours = Macd::seeded(fast as usize, slow as usize, signal as usize, seed)?;
            let ta = theirs(|[a, b, c]| core.macd(0, END, &w.close, fast, slow, signal, a, b, c));
            let lines = |m: bellwether_sdk::indicators::MacdOutput| [m.macd, m.signal, m.histogram];
            agree(case, ours, w.close.iter().copied(), lines, ta, settled, of_price(w));
        }
        Ok(())
    });
}

#[test]
fn oscillators_of_closes() {
    each(true, |core, w, n, case| {
        let (p, x) = (n as usize, &w.close);
        let values = || x.iter().copied();
        agree(case, Rsi::new(p)?, values(), one, theirs(|[o]| core.rsi(0, END, x, n, o)), 0, 1e-9);
        agree(case, Roc::new(p)?, values(), one, theirs(|[o]| core.roc(0, END, x, n, o)), 0, 1e-9);
        Ok(())
    });
}

#[test]
fn stochastic_rsi_where_prices_move() {
    // In a long flat run the RSI's range shrinks to rounding, and its quotient says nothing in either library.
    each(false, |core, w, n, case| {
        let ta = theirs(|[k, d]| core.stochrsi(0, END, &w.close, n, 14, 3, MAType::SMA, k, d));
        agree(case, StochRsi::new(n as usize, 14, 3)?, w.close.iter().copied(), |s| [s.k, s.d], ta, 0, 1e-9);
        Ok(())
    });
}

#[test]
fn deviation_and_bollinger_bands() {
    each(true, |core, w, n, case| {
        let (p, x, tolerance) = (n as usize, &w.close, of_price(w));
        let values = || x.iter().copied();
        agree(case, StdDev::new(p)?, values(), one, theirs(|[o]| core.stddev(0, END, x, n, 1.0, o)), 0, tolerance);
        let ta = theirs(|[u, m, l]| core.bbands(0, END, x, n, 2.0, 2.0, MAType::SMA, u, m, l));
        agree(case, Bollinger::new(p, 2.0)?, values(), |b| [b.upper, b.middle, b.lower], ta, 0, tolerance);
        Ok(())
    });
}

#[test]
fn extremes_and_donchian_channels() {
    each(true, |core, w, n, case| {
        let p = n as usize;
        let highest = || theirs(|[o]| core.max(0, END, &w.high, n, o));
        let lowest = || theirs(|[o]| core.min(0, END, &w.low, n, o));
        agree(case, Highest::new(p)?, w.high.iter().copied(), one, highest(), 0, 0.0);
        agree(case, Lowest::new(p)?, w.low.iter().copied(), one, lowest(), 0, 0.0);
        agree(case, Donchian::new(p)?, w.bars.iter().copied(), |d| [d.upper], highest(), 0, 0.0);
        agree(case, Donchian::new(p)?, w.bars.iter().copied(), |d| [d.lower], lowest(), 0, 0.0);
        Ok(())
    });
}

#[test]
fn ranges_and_keltner_channels() {
    each(true, |core, w, n, case| {
        let (h, l, c, bars) = (&w.high, &w.low, &w.close, || w.bars.iter().copied());
        let (p, tolerance) = (n as usize, of_price(w));
        agree(case, TrueRange::new(), bars(), one, theirs(|[o]| core.trange(0, END, h, l, c, o)), 1, tolerance);
        agree(case, Atr::new(p)?, bars(), one, theirs(|[o]| core.atr(0, END, h, l, c, n, o)), 0, tolerance);
        let ta = theirs(|[a, b, d]| core.kc(0, END, h, l, c, n, 10, 2.0, a, b, d));
        let settled = forgotten(ema_keep(n)) + forgotten(0.9) + p;
        agree(case, Keltner::new(p, 10, 2.0)?, bars(), |k| [k.upper, k.middle, k.lower], ta, settled, tolerance);
        Ok(())
    });
}

#[test]
fn oscillators_of_bars() {
    each(true, |core, w, n, case| {
        let (h, l, c, bars) = (&w.high, &w.low, &w.close, || w.bars.iter().copied());
        let p = n as usize;
        agree(case, Cci::new(p)?, bars(), one, theirs(|[o]| core.cci(0, END, h, l, c, n, o)), 0, 1e-9);
        let sma = MAType::SMA;
        let stoch = theirs(|[k, d]| core.stoch(0, END, h, l, c, n, 3, sma, 5, sma, k, d));
        agree(case, SlowStochastic::new(p, 3, 5)?, bars(), |s| [s.k, s.d], stoch, 0, 1e-9);
        agree(case, Adx::new(p)?, bars(), |a| [a.adx], theirs(|[o]| core.adx(0, END, h, l, c, n, o)), 0, 1e-9);
        let (plus, minus) =
            (theirs(|[o]| core.plus_di(0, END, h, l, c, n, o)), theirs(|[o]| core.minus_di(0, END, h, l, c, n, o)));
        agree(case, Adx::new(p)?, bars(), |a| [a.plus_di], plus, 2 * p, 1e-9);
        agree(case, Adx::new(p)?, bars(), |a| [a.minus_di], minus, 2 * p, 1e-9);
        Ok(())
    });
}

#[test]
fn volume_indicators() {
    each(true, |core, w, n, case| {
        let (h, l, c, v, bars) = (&w.high, &w.low, &w.close, &w.volume, || w.bars.iter().copied());
        // Bar by bar: over a whole series TA-Lib's running sums keep a residue that near an empty window passes 1e-9.
        let mut mfi = (n as usize, [Vec::new()]);
        for i in mfi.0..LEN {
            let mut out = [0.0];
            core.mfi(i, i, h, l, c, v, n, &mut out).expect("TA-Lib");
            mfi.1[0].push(out[0]);
        }
        agree(case, Mfi::new(n as usize)?, bars(), one, mfi, 0, 1e-9);
        agree(case, Obv::new(), bars(), one, theirs(|[o]| core.obv(0, END, c, v, o)), 0, 1e-9);
        Ok(())
    });
}
