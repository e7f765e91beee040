//! What holds for every indicator, and what `ta` got wrong.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;

/// An input to test with.
trait Sample: Copy {
    /// The `i`-th of a series with moves, a flat run, and moves again.
    fn nth(i: usize) -> Self;
    fn unusable() -> Vec<Self>;
}

impl Sample for f64 {
    fn nth(i: usize) -> f64 {
        if (60..90).contains(&i) { 100.0 } else { 100.0 + ((i * 7919) % 41) as f64 / 8.0 - (i % 5) as f64 }
    }
    fn unusable() -> Vec<f64> {
        vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300]
    }
}

impl Sample for Ohlcv {
    fn nth(i: usize) -> Ohlcv {
        let (open, close) = (f64::nth(i), f64::nth(i + 1));
        let wick = if (60..89).contains(&i) { 0.0 } else { (i % 3) as f64 / 4.0 };
        let (high, low) = (open.max(close) + wick, open.min(close) - wick);
        Ohlcv { open, high, low, close, volume: ((i * 31) % 17) as f64 }
    }
    fn unusable() -> Vec<Ohlcv> {
        f64::unusable().into_iter().map(|x| Ohlcv { close: x, ..Ohlcv::nth(3) }).collect()
    }
}

fn obeys<I>(fresh: I)
where
    I: Indicator + Clone + Serialize + DeserializeOwned,
    I::Input: Sample,
    I::Output: PartialEq + Debug,
{
    let name = std::any::type_name::<I>();
    let mut it = fresh.clone();
    assert!(it.value().is_none(), "{name}: a value before the first input");
    for i in 0..150 {
        let input = I::Input::nth(i);
        for bad in I::Input::unusable() {
            let before = postcard::to_allocvec(&it).expect("bytes");
            assert_eq!((it.peek(bad), it.update(bad)), (None, None), "{name}: took an unusable value");
            assert_eq!(postcard::to_allocvec(&it).expect("bytes"), before, "{name}: changed by an unusable value");
        }
        let peeked = it.peek(input);
        let updated = it.update(input);
        assert_eq!(peeked, updated, "{name}: peek differs from update at {i}");
        assert_eq!(it.value(), updated, "{name}: value differs from update at {i}");
        assert_eq!(updated.is_some(), i + 1 >= it.warmup(), "{name}: warm-up is {}, at input {}", it.warmup(), i + 1);
        if i % 13 == 0 {
            let bytes = postcard::to_allocvec(&it).expect("bytes");
            it = postcard::from_bytes(&bytes).expect("the state again");
        }
    }
    let last = it.value();
    it.reset();
    assert!(it.value().is_none(), "{name}: a value after reset");
    for i in 0..150 {
        it.update(I::Input::nth(i));
    }
    assert_eq!(it.value(), last, "{name}: differs after reset");
}

#[test]
fn every_indicator_keeps_the_contract() -> Result<(), IndicatorError> {
    for n in [1, 2, 3, 14, 40] {
        obeys(Ema::new(n)?);
        obeys(Ema::seeded(n, Seed::Sma)?);
        obeys(Sma::new(n)?);
        obeys(Wma::new(n)?);
        obeys(Wilder::new(n)?);
        obeys(Rsi::new(n)?);
        obeys(StdDev::new(n)?);
        obeys(Bollinger::new(n, 2.0)?);
        obeys(Highest::new(n)?);
        obeys(Lowest::new(n)?);
        obeys(Donchian::new(n)?);
        obeys(Roc::new(n)?);
        obeys(Macd::new(n, 2 * n, 3)?);
        obeys(Macd::seeded(n, 2 * n, 3, Seed::Sma)?);
        obeys(Atr::new(n)?);
        obeys(Cci::new(n)?);
        obeys(SlowStochastic::new(n, 3, 2)?);
        obeys(StochRsi::new(n, 5, 3)?);
        obeys(Keltner::new(n, 10, 2.0)?);
        obeys(Mfi::new(n)?);
        obeys(Adx::new(n)?);
    }
    obeys(TrueRange::new());
    obeys(Obv::new());
    Ok(())
}

#[test]
fn a_period_of_zero_or_beyond_memory_is_refused_with_its_name() {
    let message = |e: IndicatorError| e.to_string();
    assert_eq!(
        Rsi::new(0).map_err(message).expect_err("zero"),
        "the period of rsi is 0; write a whole number from 1 to 10000000"
    );
    assert!(Sma::new(usize::MAX).is_err());
    assert!(Bollinger::new(20, f64::NAN).is_err());
    assert!(Bollinger::new(20, -1.0).is_err());
}

#[test]
fn a_rising_coin_of_tiny_price_has_an_rsi_of_100() -> Result<(), IndicatorError> {
    let mut rsi = Rsi::new(14)?;
    let last = (1..=60).map(|i| rsi.update(1e-5 + f64::from(i) * 1e-8)).last().flatten();
    assert_eq!(last, Some(100.0));
    Ok(())
}

#[test]
fn a_flat_market_has_no_deviation_and_no_nan() -> Result<(), IndicatorError> {
    let (mut deviation, mut rsi, mut mfi) = (StdDev::new(20)?, Rsi::new(2)?, Mfi::new(5)?);
    for i in 0..500 {
        deviation.update(f64::nth(i));
    }
    for _ in 0..2000 {
        deviation.update(100.0);
        rsi.update(100.0);
        mfi.update(Ohlcv { open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 5.0 });
    }
    assert_eq!((deviation.value(), rsi.value(), mfi.value()), (Some(0.0), Some(50.0), Some(0.0)));
    Ok(())
}

#[test]
fn an_outlier_leaves_nothing_behind_in_a_mean() -> Result<(), IndicatorError> {
    let mut sma = Sma::new(3)?;
    let out: Vec<_> = [1.0, 1.0, 1e17, 1.0, 1.0, 1.0].map(|x| sma.update(x)).to_vec();
    assert_eq!(out[5], Some(1.0));
    Ok(())
}
