//! How large a position is.

use std::collections::VecDeque;

use bellwether_sdk::indicators::{Atr, Indicator, Ohlcv};
use bellwether_sdk::{
    Bar, Bracket, Decimal, Direction, Instrument, Intent, Interval, Money, OrderKind, ParamError, ParamValues, Price,
    Qty, Side, Signal, Size, SizeHint, Tag, TimeInForce, Trail,
};
use serde::{Deserialize, Serialize};

/// How large a strategy's positions are, unless a signal says itself. A position of a cash account is never worth more than
/// its equity, whatever risk or volatility would allow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sizer {
    /// A fixed quantity of base.
    Qty(Decimal),
    /// A fixed value in quote currency.
    Notional(Decimal),
    /// Per cent of the account's equity at the decision.
    EquityPct(f64),
    /// So much that reaching the stop costs `pct` per cent of the equity at the decision, before fees and slippage: value =
    /// equity · pct / 100 · price / distance of the stop. A signal without a stop gets one, `atr` average true ranges
    /// ([`Gauge`]) from the entry.
    RiskPct {
        /// Per cent of the equity.
        pct: f64,
        /// Distance of a stop that the sizer sets, in average true ranges.
        atr: f64,
    },
    /// So much that the position alone would move the equity by so many per cent a year: value = equity · target / the
    /// price's volatility a year ([`Gauge`]).
    VolPct(f64),
}

/// The sizer's parameters: accepted beside every directional strategy's own.
pub const SIZER_PARAMS: [(&str, &str); 6] = [
    ("qty", "fixed quantity of base per position"),
    ("notional", "fixed value in quote currency per position (settlement currency for inverse contracts)"),
    ("notional_pct", "per cent of equity per position"),
    ("risk_pct", "per cent of equity that a position costs when it is stopped"),
    (
        "stop_atr",
        "with risk_pct: distance of the stop of a signal that has none, in average true ranges of 14 bars (2)",
    ),
    ("vol_pct", "per cent of equity that a position moves a year, by the volatility of the last 30 bars"),
];

/// Whether a parameter is the sizer's.
pub fn is_sizing(name: &str) -> bool {
    SIZER_PARAMS.iter().any(|(sizer, _)| *sizer == name)
}

/// Whether one parameter of the sizer leaves no place for another.
pub fn excludes(name: &str, other: &str) -> bool {
    let together = ["risk_pct", "stop_atr"];
    name != other && is_sizing(name) && is_sizing(other) && !(together.contains(&name) && together.contains(&other))
}

/// Distance of a stop that the sizer sets, where nobody says another.
const STOP_ATR: f64 = 2.0;

impl Sizer {
    /// Takes the sizer's parameters out of a strategy's; the default is an equal share of the equity per instrument.
    ///
    /// # Errors
    /// [`ParamError`] for values that do not read or more than one of them.
    pub fn take(values: &mut ParamValues, instruments: usize) -> Result<Self, ParamError> {
        let stop_atr = values.remove("stop_atr");
        let given: Vec<(&str, String)> =
            SIZER_PARAMS.iter().filter_map(|(name, _)| values.remove(*name).map(|v| (*name, v))).collect();
        let (name, value) = match given.as_slice() {
            [] if stop_atr.is_some() => {
                return Err(ParamError::Conflict("stop_atr goes with risk_pct only".to_owned()));
            }
            [] => return Ok(Self::EquityPct(100.0 / instruments.max(1) as f64)),
            [one] => one.clone(),
            [(a, _), (b, _), ..] => {
                return Err(ParamError::Conflict(format!(
                    "parameters {a} and {b} both size positions; give one of them"
                )));
            }
        };
        if stop_atr.is_some() && name != "risk_pct" {
            return Err(ParamError::Conflict("stop_atr goes with risk_pct only".to_owned()));
        }
        let number = |name: &str, value: &str, most: f64, such_as: &str| {
            let wrong = |why: String| ParamError::Value { name: name.to_owned(), value: value.to_owned(), why };
            match value.parse::<f64>() {
                Ok(number) if number > 0.0 && number <= most => Ok(number),
                Ok(_) => Err(wrong(format!("must be above 0 and at most {most}"))),
                Err(_) => Err(wrong(format!("write a number, e.g. {such_as}"))),
            }
        };
        match name {
            "notional_pct" => return number(name, &value, 10_000.0, "95").map(Self::EquityPct),
            "vol_pct" => return number(name, &value, 1_000.0, "20").map(Self::VolPct),
            "risk_pct" => {
                let atr = stop_atr.map_or(Ok(STOP_ATR), |text| number("stop_atr", &text, 1_000.0, "2"))?;
                return number(name, &value, 100.0, "1").map(|pct| Self::RiskPct { pct, atr });
            }
            _ => {}
        }
        let wrong = |why: &str| ParamError::Value { name: name.to_owned(), value: value.clone(), why: why.to_owned() };
        let amount: Decimal = value.parse().map_err(|e: bellwether_sdk::NumError| wrong(&e.to_string()))?;
        if !amount.is_positive() {
            return Err(wrong("must be above zero"));
        }
        Ok(if name == "qty" { Self::Qty(amount) } else { Self::Notional(amount) })
    }

    /// Whether it needs a [`Gauge`] of the strategy's bars.
    pub const fn measures(&self) -> bool {
        matches!(self, Self::RiskPct { .. } | Self::VolPct(_))
    }
}

/// What the sizer looks at.
#[derive(Debug, Clone, Copy)]
pub struct SizingView<'a> {
    /// Name, scales and rules.
    pub instrument: &'a Instrument,
    /// The strategy's own position, signed.
    pub position: Qty,
    /// Sign of the position that its orders in flight will make; `None` when none are.
    pub pending: Option<i64>,
    /// Equity in the reporting currency.
    pub equity: Money,
    /// Digits of `equity`.
    pub equity_scale: u8,
    /// Units of the instrument's quote currency per unit of the reporting one.
    pub quote_per_reporting: f64,
    /// The last price.
    pub last: Price,
    /// What was measured of the strategy's bars of it; `None` where nothing is.
    pub gauge: Option<&'a Gauge>,
    /// Whether shorts are possible: the account is one of margin.
    pub shorts: bool,
    /// Engine time.
    pub now: bellwether_sdk::Ts,
}

/// What becomes of a signal.
#[derive(Debug, Clone, PartialEq)]
pub enum Sized {
    /// This order.
    Order(Intent),
    /// Only the orders in flight are to be cancelled.
    CancelPending,
    /// Nothing, for a reason from a closed list.
    Nothing(&'static str),
}

/// Turns a signal into an order for the difference between where the strategy is and where it wants to be.
pub fn size(signal: &Signal, sizer: &Sizer, view: &SizingView<'_>) -> Sized {
    if signal.expiry.is_some_and(|at| at <= view.now) {
        return Sized::Nothing("signal_expired");
    }
    let held = view.position.mantissa();
    let wanted = match signal.direction {
        Direction::Long => 1,
        Direction::Short if view.shorts => -1,
        Direction::Short | Direction::Flat => 0,
    };
    if wanted == view.pending.unwrap_or(held.signum()) {
        return Sized::Nothing(match wanted {
            1 => "already_long",
            -1 => "already_short",
            _ => "already_flat",
        });
    }
    if wanted == held.signum() {
        return Sized::CancelPending;
    }
    let side = if wanted > 0 || (wanted == 0 && held < 0) { Side::Buy } else { Side::Sell };
    // What undoes the opposite position comes first, in the same order.
    let close = if held.signum() == -side.sign() { Qty::from_mantissa(held.abs()) } else { Qty::ZERO };
    let (size, bracket) = if wanted == 0 {
        (Size::Qty(close), Bracket::default())
    } else {
        let mut bracket = bracket_of(signal);
        match entry_size(signal, sizer, view, close, &mut bracket) {
            Ok(size) => (size, bracket),
            Err(reason) => return Sized::Nothing(reason),
        }
    };
    let kind = signal.entry.filter(|_| wanted != 0).map_or(OrderKind::Market, |price| OrderKind::Limit { price });
    Sized::Order(Intent {
        instrument: signal.instrument,
        side,
        size,
        kind,
        tif: TimeInForce::Gtc,
        post_only: false,
        reduce_only: wanted == 0,
        bracket,
        tag: signal.tags.first().cloned().unwrap_or(Tag::Borrowed("")),
    })
}

fn bracket_of(signal: &Signal) -> Bracket {
    Bracket {
        stop_loss: signal.stop,
        take_profit: signal.targets.first().copied(),
        trailing_stop: signal.trailing_stop,
    }
}

fn entry_size(
    signal: &Signal,
    sizer: &Sizer,
    view: &SizingView<'_>,
    close: Qty,
    bracket: &mut Bracket,
) -> Result<Size, &'static str> {
    let equity = view.equity.to_f64(view.equity_scale) * view.quote_per_reporting;
    let worth =
        |amount: f64| decimal_toward_zero(amount).map(|amount| Size::Notional { amount, close }).ok_or("no_equity");
    let bounded = |amount: f64| worth(if view.shorts { amount } else { amount.min(equity) });
    let hint = signal.size.map(|h| match h {
        SizeHint::Qty(q) => Sizer::Qty(q),
        SizeHint::Notional(n) => Sizer::Notional(n),
        SizeHint::EquityPct(p) => Sizer::EquityPct(p),
    });
    match hint.as_ref().unwrap_or(sizer) {
        Sizer::Qty(qty) => {
            let mantissa = qty.at_scale_toward_zero(view.instrument.qty_scale).ok_or("size_too_large")?;
            let lot = view.instrument.lot.mantissa();
            let lots = mantissa - mantissa % lot;
            if lots <= 0 {
                return Err("size_below_lot");
            }
            lots.checked_add(close.mantissa()).map(|q| Size::Qty(Qty::from_mantissa(q))).ok_or("size_too_large")
        }
        Sizer::Notional(amount) => Ok(Size::Notional { amount: *amount, close }),
        Sizer::EquityPct(pct) => worth(equity * pct / 100.0),
        Sizer::RiskPct { pct, atr } => {
            let price = signal.entry.unwrap_or(view.last);
            let distance = stop_distance(signal, price, *atr, view, bracket)?;
            bounded(equity * pct / 100.0 * price.mantissa() as f64 / distance)
        }
        Sizer::VolPct(target) => {
            let volatility = view.gauge.and_then(Gauge::volatility).ok_or("no_volatility_yet")?;
            bounded(equity * target / 100.0 / volatility)
        }
    }
}

/// How far the stop is from the entry, in the price's last digit; where the signal has none, one is set.
fn stop_distance(
    signal: &Signal,
    price: Price,
    atr: f64,
    view: &SizingView<'_>,
    bracket: &mut Bracket,
) -> Result<f64, &'static str> {
    let sign = if signal.direction == Direction::Short { -1 } else { 1 };
    if price.is_zero() {
        return Err("no_price_yet");
    }
    let distance = match (bracket.stop_loss, bracket.trailing_stop) {
        (Some(stop), _) => (i128::from(price.mantissa()) - i128::from(stop.mantissa())) as f64 * f64::from(sign),
        (None, Some(Trail::Offset(offset))) => offset.mantissa() as f64,
        (None, Some(Trail::Fraction(rate))) => price.mantissa() as f64 * rate.to_f64(),
        (None, None) => {
            let range = view.gauge.and_then(Gauge::range).ok_or("no_range_yet")?;
            let tick = view.instrument.price_step(price).mantissa().max(1);
            let ticks = (range * atr * bellwether_sdk::num::pow10(view.instrument.price_scale) as f64 / tick as f64)
                .ceil()
                .clamp(1.0, 1e15) as i64;
            let stop = price.mantissa() / tick * tick - i64::from(sign) * ticks.saturating_mul(tick);
            if stop <= 0 {
                return Err("stop_below_zero");
            }
            // Above a power of ten the step may be coarser: away from the price.
            let step = view.instrument.price_step(Price::from_mantissa(stop)).mantissa().max(1);
            let stop = if sign < 0 { -(-stop).div_euclid(step) * step } else { stop.div_euclid(step) * step };
            bracket.stop_loss = Some(Price::from_mantissa(stop));
            (price.mantissa() - stop) as f64 * f64::from(sign)
        }
    };
    if distance > 0.0 { Ok(distance) } else { Err("stop_on_the_wrong_side") }
}

/// Bars that the average true range is smoothed over.
const ATR_BARS: usize = 14;

/// Returns that the volatility is of.
const RETURNS: usize = 30;

const NANOS_OF_YEAR: f64 = 365.0 * 86_400.0 * 1e9;

/// What sizers measure of an instrument by the bars that a strategy is given of it: of the first interval that comes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Gauge {
    atr: Atr,
    interval: Option<Interval>,
    close: f64,
    returns: VecDeque<f64>,
}

impl Default for Gauge {
    fn default() -> Self {
        let atr = Atr::new(ATR_BARS).expect("a period above zero");
        Self { atr, interval: None, close: 0.0, returns: VecDeque::with_capacity(RETURNS) }
    }
}

impl Gauge {
    /// Takes a bar that has closed, with prices of so many digits.
    pub fn update(&mut self, bar: &Bar, price_scale: u8) {
        if *self.interval.get_or_insert(bar.interval) != bar.interval {
            return;
        }
        let [high, low, close] = [bar.high, bar.low, bar.close].map(|p| p.to_f64(price_scale));
        self.atr.update(Ohlcv { open: bar.open.to_f64(price_scale), high, low, close, volume: 0.0 });
        if self.close > 0.0 {
            if self.returns.len() == RETURNS {
                self.returns.pop_front();
            }
            self.returns.push_back(close / self.close - 1.0);
        }
        self.close = close;
    }

    /// Wilder's average true range of 14 bars, in price; `None` before the 15th.
    pub fn range(&self) -> Option<f64> {
        self.atr.value().filter(|range| *range > 0.0)
    }

    /// Standard deviation (n − 1) of the last 30 simple returns, times the square root of the bars of 365 days, as a
    /// fraction; `None` before there are 30, and of a price that does not move.
    pub fn volatility(&self) -> Option<f64> {
        let interval = self.interval.filter(|_| self.returns.len() == RETURNS)?;
        let mean = self.returns.iter().sum::<f64>() / RETURNS as f64;
        let squares: f64 = self.returns.iter().map(|r| (r - mean) * (r - mean)).sum();
        let variance = squares / (RETURNS - 1) as f64;
        let yearly = (variance * NANOS_OF_YEAR / interval.nanos() as f64).sqrt();
        (yearly > 0.0).then_some(yearly)
    }
}

/// A positive amount at eight decimals (fewer when it is very large), cut toward zero.
fn decimal_toward_zero(amount: f64) -> Option<Decimal> {
    if !amount.is_finite() || amount <= 0.0 {
        return None;
    }
    let scale = if amount < 1e7 { 8 } else { 2 };
    let mantissa = (amount * bellwether_sdk::num::pow10(scale) as f64).floor();
    (1.0..9.0e18).contains(&mantissa).then(|| Decimal::new(mantissa as i64, scale))
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::{InstrumentId, Symbol, Ts};

    use super::*;

    fn instrument() -> Instrument {
        let symbol: Symbol = "test:AAA/USD".parse().expect("a symbol");
        Instrument::inferred(InstrumentId(0), symbol, 2, 4)
    }

    /// Equity 10,000 and a last price of 100.00.
    fn sized(sizer: &Sizer, signal: &Signal, gauge: Option<&Gauge>, shorts: bool) -> Sized {
        sized_at(&instrument(), 10_000, sizer, signal, gauge, shorts)
    }

    fn sized_at(
        instrument: &Instrument,
        last: i64,
        sizer: &Sizer,
        signal: &Signal,
        gauge: Option<&Gauge>,
        shorts: bool,
    ) -> Sized {
        let view = SizingView {
            instrument,
            position: Qty::ZERO,
            pending: None,
            equity: Money::from_mantissa(1_000_000),
            equity_scale: 2,
            quote_per_reporting: 1.0,
            last: Price::from_mantissa(last),
            gauge,
            shorts,
            now: Ts::from_nanos(1),
        };
        size(signal, sizer, &view)
    }

    fn value_and_stop(sized: Sized) -> (f64, Option<i64>) {
        let Sized::Order(Intent { size: Size::Notional { amount, .. }, bracket, .. }) = sized else {
            panic!("{sized:?}");
        };
        (amount.to_f64(), bracket.stop_loss.map(|p| p.mantissa()))
    }

    fn bars(prices: impl IntoIterator<Item = [i64; 3]>) -> Gauge {
        let mut gauge = Gauge::default();
        for (n, [high, low, close]) in prices.into_iter().enumerate() {
            let price = Price::from_mantissa;
            let ts_open = Ts::from_nanos(n as i64 * Interval::HOUR.nanos());
            let bar = Bar {
                ts_open,
                ts_close: ts_open.plus(Interval::HOUR.nanos()),
                open: price(close),
                high: price(high),
                low: price(low),
                close: price(close),
                volume: Qty::ZERO,
                instrument: InstrumentId(0),
                interval: Interval::HOUR,
            };
            gauge.update(&bar, 2);
        }
        gauge
    }

    #[test]
    fn a_stop_that_is_reached_costs_what_was_risked() {
        let sizer = Sizer::RiskPct { pct: 1.0, atr: 2.0 };
        let long = Signal::long(InstrumentId(0)).stop(Price::from_mantissa(9_500));
        // 1 % of 10,000 is 100: 20 pieces that lose 5 each, worth 2,000.
        assert_eq!(value_and_stop(sized(&sizer, &long, None, true)), (2_000.0, Some(9_500)));
        let short = Signal::short(InstrumentId(0)).stop(Price::from_mantissa(10_200));
        assert_eq!(value_and_stop(sized(&sizer, &short, None, true)), (5_000.0, Some(10_200)));
        let close = Signal::long(InstrumentId(0)).stop(Price::from_mantissa(9_990));
        assert_eq!(value_and_stop(sized(&sizer, &close, None, true)).0, 100_000.0);
        assert_eq!(value_and_stop(sized(&sizer, &close, None, false)).0, 10_000.0, "a cash account buys no more");
        let wrong = Signal::long(InstrumentId(0)).stop(Price::from_mantissa(10_100));
        assert_eq!(sized(&sizer, &wrong, None, true), Sized::Nothing("stop_on_the_wrong_side"));
    }

    #[test]
    fn a_signal_without_a_stop_gets_one_by_the_range_of_its_bars() {
        let sizer = Sizer::RiskPct { pct: 1.0, atr: 2.0 };
        // Each bar spans 2.00.
        let gauge = bars(std::iter::repeat_n([10_100, 9_900, 10_000], 20));
        let long = Signal::long(InstrumentId(0));
        assert_eq!(value_and_stop(sized(&sizer, &long, Some(&gauge), true)), (2_500.0, Some(9_600)));
        let short = Signal::short(InstrumentId(0));
        assert_eq!(value_and_stop(sized(&sizer, &short, Some(&gauge), true)), (2_500.0, Some(10_400)));
        let early = bars(std::iter::repeat_n([10_100, 9_900, 10_000], 14));
        assert_eq!(sized(&sizer, &long, Some(&early), true), Sized::Nothing("no_range_yet"));
        assert_eq!(sized(&sizer, &long, None, true), Sized::Nothing("no_range_yet"));
    }

    #[test]
    fn a_stop_by_the_range_has_the_digits_that_the_venue_takes() {
        let symbol: Symbol = "hyperliquid:AAA/USDC:USDC".parse().expect("a symbol");
        let it = Instrument::inferred(InstrumentId(0), symbol, 2, 4);
        // Each bar spans 3.33: a distance of 3.327, at least.
        let sizer = Sizer::RiskPct { pct: 1.0, atr: 0.999 };
        let gauge = bars(std::iter::repeat_n([100_200, 99_867, 99_987], 20));
        let stop = |last, signal| value_and_stop(sized_at(&it, last, &sizer, &signal, Some(&gauge), true)).1;
        assert_eq!(stop(99_987, Signal::long(InstrumentId(0))), Some(99_654), "996.54 has five digits");
        assert_eq!(stop(99_987, Signal::short(InstrumentId(0))), Some(100_320), "1003.2 has, 1003.20 is the same");
        assert_eq!(stop(99_988, Signal::short(InstrumentId(0))), Some(100_330), "1003.21 has six: away from the price");
        assert_eq!(stop(123_456, Signal::long(InstrumentId(0))), Some(123_110));
    }

    #[test]
    fn a_target_of_volatility_takes_less_of_what_moves_more() {
        // Closes of 100 and 101 in turn: thirty returns of +1 % and −1/101, half each.
        let gauge = bars((0..31).map(|n| [10_100, 10_000, 10_000 + 100 * (n % 2)]));
        let (up, down): (f64, f64) = (0.01, -1.0 / 101.0);
        let deviation = ((up - down) / 2.0) * (30.0f64 / 29.0).sqrt();
        let yearly = deviation * (365.0f64 * 24.0).sqrt();
        let (value, stop) =
            value_and_stop(sized(&Sizer::VolPct(20.0), &Signal::long(InstrumentId(0)), Some(&gauge), true));
        assert!((value - 10_000.0 * 0.2 / yearly).abs() < 1e-6, "{value}, {yearly}");
        assert_eq!(stop, None);
        let still = bars(std::iter::repeat_n([10_000, 10_000, 10_000], 40));
        let none = Sized::Nothing("no_volatility_yet");
        assert_eq!(sized(&Sizer::VolPct(20.0), &Signal::long(InstrumentId(0)), Some(&still), true), none);
    }

    #[test]
    fn parameters_are_read_and_what_contradicts_is_named() {
        let take = |pairs: &[(&str, &str)]| {
            let mut values: ParamValues = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Sizer::take(&mut values, 1).map_err(|e| e.to_string())
        };
        assert_eq!(take(&[("risk_pct", "1.5")]), Ok(Sizer::RiskPct { pct: 1.5, atr: 2.0 }));
        assert_eq!(take(&[("risk_pct", "1"), ("stop_atr", "3")]), Ok(Sizer::RiskPct { pct: 1.0, atr: 3.0 }));
        assert_eq!(take(&[("vol_pct", "20")]), Ok(Sizer::VolPct(20.0)));
        for (pairs, why) in [
            (&[("stop_atr", "3")][..], "stop_atr goes with risk_pct only"),
            (&[("stop_atr", "3"), ("qty", "1")], "stop_atr goes with risk_pct only"),
            (&[("risk_pct", "1"), ("qty", "1")], "both size positions"),
            (&[("risk_pct", "101")], "at most 100"),
            (&[("risk_pct", "nan")], "above 0"),
            (&[("vol_pct", "much")], "write a number"),
            (&[("risk_pct", "1"), ("stop_atr", "0")], "above 0"),
        ] {
            let error = take(pairs).expect_err("a refusal");
            assert!(error.contains(why), "{pairs:?}: {error}");
        }
    }
}
