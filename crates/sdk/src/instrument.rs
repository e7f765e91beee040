//! What is traded: the instrument's name, kind, scales and rules.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Decimal, NumError, OrderKind, Price, Qty};

/// The place of an instrument in this run's table: dense, from zero, the tie-breaker of equal times.
///
/// ```
/// use bellwether_sdk::InstrumentId;
///
/// assert_eq!(InstrumentId(2).index(), 2); // its place in the run's list of instruments
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstrumentId(pub u16);

impl InstrumentId {
    /// The index into per-instrument tables.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// How profit is made of a price change.
///
/// ```
/// use bellwether_sdk::{InstrumentKind, Symbol};
///
/// let perpetual: Symbol = "binance:BTC/USDT:USDT".parse()?;
/// assert_eq!(perpetual.kind(), InstrumentKind::Linear);
/// # Ok::<(), bellwether_sdk::SymbolError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InstrumentKind {
    /// The asset itself changes hands: quantity × price of quote for quantity of base.
    Spot,
    /// A contract settled in its quote currency: profit = quantity × (exit − entry).
    Linear,
    /// A contract of so much quote currency, settled in base: profit = contracts × (1/entry − 1/exit).
    Inverse,
}

/// A symbol's text is not of the form `venue:BASE/QUOTE[:SETTLE[-YYMMDD]]`.
///
/// ```
/// use bellwether_sdk::Symbol;
///
/// let wrong = "BTCUSDT".parse::<Symbol>().unwrap_err();
/// assert!(wrong.why.contains("venue"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not an instrument: {why}; write venue:BASE/QUOTE, e.g. binance:BTC/USDT (spot) or binance:BTC/USDT:USDT (perpetual)"
)]
pub struct SymbolError {
    /// What was found.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// The name of an instrument, the same everywhere: `venue:BASE/QUOTE[:SETTLE[-YYMMDD]]`.
///
/// ```
/// use bellwether_sdk::Symbol;
///
/// let symbol: Symbol = "kraken:BTC/EUR".parse()?;
/// assert_eq!((symbol.venue(), symbol.base(), symbol.quote(), symbol.settle()), ("kraken", "BTC", "EUR", "EUR"));
/// assert_eq!((symbol.as_str(), symbol.expiry()), ("kraken:BTC/EUR", None));
/// # Ok::<(), bellwether_sdk::SymbolError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Symbol {
    text: String,
    venue_len: usize,
    base_len: usize,
    quote_len: usize,
    settle_len: usize,
}

impl Symbol {
    /// The venue, e.g. `binance`.
    pub fn venue(&self) -> &str {
        &self.text[..self.venue_len]
    }

    /// The base currency, e.g. `BTC`.
    pub fn base(&self) -> &str {
        let start = self.venue_len + 1;
        &self.text[start..start + self.base_len]
    }

    /// The quote currency, e.g. `USDT`.
    pub fn quote(&self) -> &str {
        let start = self.venue_len + self.base_len + 2;
        &self.text[start..start + self.quote_len]
    }

    /// The currency a contract settles in; the quote for spot.
    pub fn settle(&self) -> &str {
        if self.settle_len == 0 {
            return self.quote();
        }
        let start = self.venue_len + self.base_len + self.quote_len + 3;
        &self.text[start..start + self.settle_len]
    }

    /// The expiry as `YYMMDD`, for dated contracts.
    pub fn expiry(&self) -> Option<&str> {
        let end = self.venue_len + self.base_len + self.quote_len + 3 + self.settle_len;
        self.text.get(end + 1..).filter(|s| !s.is_empty())
    }

    /// Spot, linear or inverse, as the settlement currency says.
    pub fn kind(&self) -> InstrumentKind {
        if self.settle_len == 0 {
            InstrumentKind::Spot
        } else if self.settle() == self.quote() {
            InstrumentKind::Linear
        } else {
            InstrumentKind::Inverse
        }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;
    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let wrong = |why| SymbolError { text: text.to_owned(), why };
        let (venue, rest) = text.split_once(':').ok_or_else(|| wrong("no venue before a colon"))?;
        let (pair, settle_part) = rest.split_once(':').map_or((rest, None), |(p, s)| (p, Some(s)));
        let (base, quote) = pair.split_once('/').ok_or_else(|| wrong("no BASE/QUOTE after the venue"))?;
        let (settle, expiry) = match settle_part {
            None => ("", None),
            Some(s) => s.split_once('-').map_or((s, None), |(s, e)| (s, Some(e))),
        };
        let code = |s: &str| {
            s.starts_with(|c: char| c.is_ascii_alphanumeric())
                && s.len() <= 24
                && s.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'.' || c == b'_')
        };
        if venue.is_empty()
            || venue.len() > 24
            || !venue.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        {
            return Err(wrong("the venue must be lower-case letters and digits"));
        }
        if !code(base) || !code(quote) || (settle_part.is_some() && !code(settle)) {
            return Err(wrong("currencies must be upper-case letters and digits"));
        }
        if !settle.is_empty() && settle != quote && settle != base {
            return Err(wrong("a contract must settle in its quote (linear) or base (inverse) currency"));
        }
        if expiry.is_some_and(|e| e.len() != 6 || !e.bytes().all(|c| c.is_ascii_digit())) {
            return Err(wrong("the expiry must be YYMMDD"));
        }
        Ok(Self {
            text: text.to_owned(),
            venue_len: venue.len(),
            base_len: base.len(),
            quote_len: quote.len(),
            settle_len: settle.len(),
        })
    }
}

impl From<Symbol> for String {
    fn from(s: Symbol) -> String {
        s.text
    }
}

impl TryFrom<String> for Symbol {
    type Error = SymbolError;
    fn try_from(s: String) -> Result<Self, SymbolError> {
        s.parse()
    }
}

/// An instrument with the rules in force: scales for its mantissas, price and lot steps, smallest and largest orders,
/// contract size. A component sees no largest orders: there `qty_max`, `qty_max_market` and `notional_max` are zero.
///
/// ```
/// use bellwether_sdk::{Decimal, testing::{instrument, price, qty}};
///
/// let it = instrument(0, "test:AAA/USD"); // six digits
/// assert_eq!(it.price(Decimal::new(1005, 1)), Ok(price("100.5")));
/// assert_eq!(it.price_near(100.000_000_4), Some(price("100")));
/// assert_eq!(it.qty_toward_zero(0.999_999_9), Some(qty("0.999999")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instrument {
    /// Its place in this run's table.
    pub id: InstrumentId,
    /// Its name.
    pub symbol: Symbol,
    /// Digits after the point of every [`Price`].
    pub price_scale: u8,
    /// Digits after the point of every [`Qty`].
    pub qty_scale: u8,
    /// The step of prices, above zero.
    pub tick: Price,
    /// The step of order quantities, above zero.
    pub lot: Qty,
    /// The smallest order quantity; zero for none.
    pub qty_min: Qty,
    /// The smallest order value in quote currency (price × quantity × multiplier), at `price_scale + qty_scale`
    /// digits; zero for none.
    pub notional_min: i128,
    /// The largest quantity of one order; zero for none.
    pub qty_max: Qty,
    /// The largest quantity of one order without a limit price, where the venue has one of its own; zero for `qty_max`.
    pub qty_max_market: Qty,
    /// The largest value of one order with a limit price, as `notional_min` counts it; zero for none.
    pub notional_max: i128,
    /// Units of base per contract (linear), or of quote (inverse); 1 for spot.
    pub multiplier: i64,
    /// Whether the rules were inferred from data instead of being stated by the venue.
    pub inferred: bool,
}

impl Instrument {
    /// An instrument whose rules are inferred from its digits: tick and lot are one unit of the last place.
    pub fn inferred(id: InstrumentId, symbol: Symbol, price_scale: u8, qty_scale: u8) -> Self {
        Self {
            id,
            symbol,
            price_scale,
            qty_scale,
            tick: Price::from_mantissa(1),
            lot: Qty::from_mantissa(1),
            qty_min: Qty::ZERO,
            notional_min: 0,
            qty_max: Qty::ZERO,
            qty_max_market: Qty::ZERO,
            notional_max: 0,
            multiplier: 1,
            inferred: true,
        }
    }

    /// Spot, linear or inverse.
    pub fn kind(&self) -> InstrumentKind {
        self.symbol.kind()
    }

    /// The largest quantity of one order of this kind; `None` for no bound. The value of one with a limit price is
    /// bounded beside it, by `notional_max`.
    ///
    /// ```
    /// use bellwether_sdk::{OrderKind, testing::{instrument, price, qty}};
    ///
    /// let mut it = instrument(0, "test:AAA/USD");
    /// (it.qty_max, it.qty_max_market) = (qty("100"), qty("5"));
    /// assert_eq!(it.qty_max_of(OrderKind::Limit { price: price("9") }), Some(qty("100")));
    /// assert_eq!(it.qty_max_of(OrderKind::Market), Some(qty("5")));
    /// ```
    pub fn qty_max_of(&self, kind: OrderKind) -> Option<Qty> {
        let own = if kind.limit().is_none() { self.qty_max_market } else { Qty::ZERO };
        let most = if own.is_zero() { self.qty_max } else { own };
        (!most.is_zero()).then_some(most)
    }

    /// The value of an order in quote currency (price × quantity × multiplier; an inverse contract is quote currency),
    /// at `price_scale + qty_scale` digits: what `notional_min` and `notional_max` are of.
    pub fn notional(&self, price: Price, qty: Qty) -> i128 {
        let per_unit = match self.kind() {
            InstrumentKind::Spot | InstrumentKind::Linear => price.mantissa(),
            InstrumentKind::Inverse => crate::num::pow10(self.price_scale),
        };
        let value = i128::from(per_unit) * i128::from(qty.mantissa());
        value.saturating_mul(i128::from(self.multiplier))
    }

    /// Reads a price at this instrument's scale.
    ///
    /// # Errors
    /// [`NumError`] when digits would be lost or it does not fit.
    pub fn price(&self, value: Decimal) -> Result<Price, NumError> {
        value.at_scale(self.price_scale).map(Price::from_mantissa)
    }

    /// Most significant digits that a price of more decimals than none may have, where the venue has such a rule beside
    /// its tick. It goes by the venue's name, so that it holds wherever the instrument comes from: the venue, stored
    /// data, a tape, or the host of a component.
    pub fn significant_digits(&self) -> Option<u8> {
        (self.symbol.venue() == "hyperliquid").then_some(5)
    }

    /// The step that prices of this size move by: the tick, or a coarser one where
    /// [`significant_digits`](Self::significant_digits) are limited. Whole prices always pass.
    pub fn price_step(&self, price: Price) -> Price {
        let Some(most) = self.significant_digits() else { return self.tick };
        let digits = price.mantissa().unsigned_abs().checked_ilog10().map_or(1, |n| n + 1);
        let excess = digits.saturating_sub(u32::from(most)).min(u32::from(self.price_scale));
        self.tick.max(Price::from_mantissa(10_i64.checked_pow(excess).unwrap_or(1)))
    }

    /// The price nearest to `value` on the grid of [`price_step`](Self::price_step); `None` unless finite and above zero.
    pub fn price_near(&self, value: f64) -> Option<Price> {
        let units = value * crate::num::pow10(self.price_scale) as f64;
        if !units.is_finite() || !(0.0..9.0e18).contains(&units) {
            return None;
        }
        let step = self.price_step(Price::from_mantissa(units as i64)).mantissa();
        let steps = units / step as f64;
        if !(0.5..9.0e15).contains(&steps) {
            return None;
        }
        (libm::round(steps) as i64).checked_mul(step).map(Price::from_mantissa)
    }

    /// The quantity for `value`, rounded toward zero to the lot; `None` unless finite and within range.
    pub fn qty_toward_zero(&self, value: f64) -> Option<Qty> {
        let lots = value * crate::num::pow10(self.qty_scale) as f64 / self.lot.mantissa() as f64;
        if !lots.is_finite() || lots.abs() > 9.0e15 {
            return None;
        }
        (libm::trunc(lots) as i64).checked_mul(self.lot.mantissa()).map(Qty::from_mantissa)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_rounded_to_the_digits_that_the_venue_takes() {
        let it =
            |symbol: &str, scale| Instrument::inferred(InstrumentId(0), symbol.parse().expect("a symbol"), scale, 5);
        let near = |it: &Instrument, value| it.price_near(value).map(|p| p.to_text(it.price_scale));
        let text = |t: &str| Some(t.to_owned());
        let btc = it("hyperliquid:BTC/USDC:USDC", 1);
        for (value, want) in [(64_967.3, "64967"), (9_999.96, "10000"), (1_234.56, "1234.6"), (123_456.7, "123457")] {
            let price = btc.price_near(value).expect("a price");
            assert_eq!(price.to_text(1), want);
            assert_eq!(price.mantissa() % btc.price_step(price).mantissa(), 0, "{value}");
        }
        assert_eq!(near(&it("hyperliquid:XRP/USDC:USDC", 6), 2.123_456), text("2.1235"));
        assert_eq!(near(&it("hyperliquid:KPEPE/USDC:USDC", 6), 0.012_345_6), text("0.012346"));
        assert_eq!(near(&it("binance:BTC/USDT:USDT", 1), 64_967.3), text("64967.3"));
    }

    #[test]
    fn a_symbol_splits_into_its_parts() {
        let s: Symbol = "bitmex:XBT/USD:XBT".parse().expect("a symbol");
        assert_eq!((s.venue(), s.base(), s.quote(), s.settle(), s.expiry()), ("bitmex", "XBT", "USD", "XBT", None));
        assert_eq!(s.kind(), InstrumentKind::Inverse);
        let s: Symbol = "okx:BTC/USDT:USDT-261225".parse().expect("a symbol");
        assert_eq!((s.settle(), s.expiry(), s.kind()), ("USDT", Some("261225"), InstrumentKind::Linear));
        let s: Symbol = "us:AAPL/USD".parse().expect("a symbol");
        assert_eq!((s.settle(), s.expiry(), s.kind()), ("USD", None, InstrumentKind::Spot));
    }

    #[test]
    fn what_is_no_symbol_is_refused() {
        for text in [
            "",
            "BTC/USDT",
            "binance:BTCUSDT",
            "binance:btc/usdt",
            "Binance:BTC/USDT",
            "binance:BTC/USDT:ETH",
            "okx:A/B:B-2612",
            "a:../B",
        ] {
            assert!(text.parse::<Symbol>().is_err(), "{text}");
        }
    }
}
