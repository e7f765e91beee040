//! The account of a run: its currencies, starting cash, and how one currency becomes another.

use bellwether_sdk::{Decimal, Instrument, InstrumentKind, Money};

use super::RunError;
use crate::market::{Currency, MONEY_SCALE_MIN};
use crate::portfolio::{Ledger, Terms};

/// The digits a currency may have at most.
const MONEY_SCALE_MAX: u8 = 18;

/// The currencies of a run, reporting currency first, and the terms of its instruments.
pub(super) struct Account {
    pub(super) currencies: Vec<Currency>,
    pub(super) terms: Vec<Terms>,
    pub(super) start: Money,
}

/// `10000USDT`, `10000 USDT` or `10000` (quote currency of the first instrument).
pub(super) fn parse_cash(text: &str, instruments: &[Instrument]) -> Result<(Decimal, String), RunError> {
    let text = text.trim();
    let digits = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (amount, code) = (text[..digits].trim(), text[digits..].trim().to_ascii_uppercase());
    let amount: Decimal = amount
        .replace('_', "")
        .parse()
        .map_err(|_| RunError::Settings(format!("account.cash: {text:?} is not an amount; write e.g. 10000USDT")))?;
    if !amount.is_positive() {
        return Err(RunError::Settings(format!("account.cash: {text:?} is not above zero")));
    }
    let code = if code.is_empty() {
        instruments.first().map_or_else(|| "USD".to_owned(), |i| i.symbol.quote().to_owned())
    } else {
        code
    };
    Ok((amount, code))
}

impl Account {
    pub(super) fn new(cash: &str, instruments: &[Instrument]) -> Result<Self, RunError> {
        let (amount, reporting) = parse_cash(cash, instruments)?;
        if !instruments.iter().any(|i| reaches(&reporting, i, instruments)) {
            let settle = instruments.first().map_or("", |i| i.symbol.settle());
            return Err(RunError::Settings(format!(
                "account.cash is in {reporting}, but the instruments settle in {settle} and none of them converts it; \
                 write the cash in {settle}"
            )));
        }
        let mut codes = vec![reporting];
        for instrument in instruments {
            let settle = instrument.symbol.settle();
            if !codes.iter().any(|c| c == settle) {
                codes.push(settle.to_owned());
            }
        }
        let currencies: Vec<Currency> =
            codes.into_iter().map(|code| Currency { scale: money_scale(&code, instruments, amount), code }).collect();
        let terms = instruments
            .iter()
            .map(|i| {
                let settle = currencies.iter().position(|c| c.code == i.symbol.settle()).unwrap_or(0);
                Terms::new(i, settle, currencies[settle].scale).map_err(|_| {
                    RunError::Settings(format!(
                        "{}: {} + {} digits of price and quantity do not fit exact money",
                        i.symbol, i.price_scale, i.qty_scale
                    ))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let scale = currencies[0].scale;
        let start = i128::from(amount.mantissa()) * 10i128.pow(u32::from(scale - amount.normalized().scale()))
            / 10i128.pow(u32::from(amount.scale() - amount.normalized().scale()));
        Ok(Self { currencies, terms, start: Money::from_mantissa(start) })
    }

    /// Books with the starting cash; made twice, for us and for the simulated exchange.
    pub(super) fn ledger(&self, instruments: &[Instrument]) -> Ledger {
        let mut start = vec![Money::ZERO; self.currencies.len()];
        start[0] = self.start;
        let mut ledger = Ledger::new(self.terms.clone(), start, 0);
        let reporting = &self.currencies[0];
        for (c, currency) in self.currencies.iter().enumerate().skip(1) {
            let by = conversion(currency, reporting, instruments);
            if let Some((instrument, times)) = by {
                // reporting = amount × price (or ÷ price), brought from the currency's scale to the reporting one's.
                let price = i32::from(instrument.price_scale) * if times { -1 } else { 1 };
                let shift = i32::from(reporting.scale) - i32::from(currency.scale) + price;
                let power = 10i128.pow(shift.unsigned_abs());
                let (num, den) = if shift >= 0 { (power, 1) } else { (1, power) };
                ledger.convert_by(c, instrument.id, times, num, den);
            }
        }
        ledger
    }

    /// A sentence for every other currency of the run: by which price it is counted, or that there is none, and what cannot
    /// trade for that.
    pub(super) fn conversions(&self, instruments: &[Instrument]) -> Vec<String> {
        let reporting = &self.currencies[0];
        let of = |currency: &Currency| match conversion(currency, reporting, instruments) {
            Some((by, _)) => format!("{} → {} by {}", currency.code, reporting.code, by.symbol),
            None => {
                let stuck: Vec<&str> = instruments
                    .iter()
                    .filter(|i| i.symbol.settle() == currency.code)
                    .map(|i| i.symbol.as_str())
                    .collect();
                format!("{} has no price in {}: {} cannot trade", currency.code, reporting.code, stuck.join(", "))
            }
        };
        self.currencies[1..].iter().map(of).collect()
    }
}

/// The instrument by whose price a currency is counted in another, and whether it is times the price (else by it).
fn conversion<'a>(of: &Currency, to: &Currency, instruments: &'a [Instrument]) -> Option<(&'a Instrument, bool)> {
    instruments.iter().find_map(|i| {
        let (base, quote) = (i.symbol.base(), i.symbol.quote());
        if base == of.code && quote == to.code {
            Some((i, true))
        } else if base == to.code && quote == of.code {
            Some((i, false))
        } else {
            None
        }
    })
}

/// Whether an instrument's profit is counted in a currency, or an instrument of the run has a price between the two.
fn reaches(reporting: &str, instrument: &Instrument, instruments: &[Instrument]) -> bool {
    let settle = instrument.symbol.settle();
    settle == reporting
        || instruments
            .iter()
            .map(|i| (i.symbol.base(), i.symbol.quote()))
            .any(|(base, quote)| (base == settle && quote == reporting) || (base == reporting && quote == settle))
}

/// Enough digits for every price × quantity in that currency to be exact.
fn money_scale(code: &str, instruments: &[Instrument], cash: Decimal) -> u8 {
    instruments
        .iter()
        .filter(|i| i.symbol.settle() == code)
        .map(|i| match i.kind() {
            InstrumentKind::Spot | InstrumentKind::Linear => i.price_scale + i.qty_scale,
            InstrumentKind::Inverse => i.qty_scale,
        })
        .chain([MONEY_SCALE_MIN, cash.normalized().scale()])
        .max()
        .unwrap_or(MONEY_SCALE_MIN)
        .min(MONEY_SCALE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_sdk::InstrumentId;

    fn instruments(symbols: &[&str]) -> Vec<Instrument> {
        symbols
            .iter()
            .zip(0..)
            .map(|(s, id)| Instrument::inferred(InstrumentId(id), s.parse().expect("symbol"), 2, 3))
            .collect()
    }

    #[test]
    fn cash_that_no_instrument_can_use_is_refused_with_the_currency_to_write() {
        let spot = instruments(&["binance:BTC/USDT"]);
        let Err(RunError::Settings(said)) = Account::new("100EUR", &spot) else { panic!("euros are no tether") };
        assert!(said.contains("EUR") && said.ends_with("write the cash in USDT"), "{said}");
    }

    #[test]
    fn cash_in_a_currency_that_an_instrument_prices_is_taken() {
        for (cash, symbols) in [
            ("10000", &["binance:BTC/USDT"][..]),
            ("1BTC", &["binance:BTC/USDT"]),
            ("1000USD", &["bitmex:XBT/USD:XBT"]),
            ("100EUR", &["binance:BTC/USDT", "fx:EUR/USDT"]),
        ] {
            assert!(Account::new(cash, &instruments(symbols)).is_ok(), "{cash} {symbols:?}");
        }
    }
    #[test]
    fn every_other_currency_has_its_path_or_is_listed() {
        for (cash, symbols, said) in [
            ("1000USDT", &["x:BTC/USDT"][..], &[][..]),
            ("1000USDT", &["x:BTC/USDT", "x:ETH/EUR"], &["EUR has no price in USDT: x:ETH/EUR cannot trade"]),
            ("1000USDT", &["x:BTC/USDT", "x:ETH/EUR", "fx:EUR/USDT"], &["EUR → USDT by fx:EUR/USDT"]),
            ("1000EUR", &["x:BTC/USDT", "x:ETH/EUR", "fx:EUR/USDT"], &["USDT → EUR by fx:EUR/USDT"]),
            ("1000USD", &["bitmex:XBT/USD:XBT"], &["XBT → USD by bitmex:XBT/USD:XBT"]),
        ] {
            let all = instruments(symbols);
            assert_eq!(Account::new(cash, &all).expect("an account").conversions(&all), said, "{cash} {symbols:?}");
        }
    }
}
