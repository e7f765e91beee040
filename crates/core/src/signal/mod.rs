//! From wishes to sized intents: the sizer and the rules for signals that repeat, reverse or come too late.

mod combine;
mod measure;
mod news;

pub use combine::{Combination, Combiner, Conflict, Rule};
pub use measure::{
    AtHorizon, JUDGED_FROM, Measure, MeasureSpec, Opinion, REAL_BELOW, Tradable, Verdict, draw, measure,
};
pub use news::{Body, Heard, News};

use bellwether_sdk::{
    Bracket, Decimal, Direction, Instrument, Intent, Money, OrderKind, ParamError, ParamValues, Qty, Side, Signal,
    Size, SizeHint, Tag, TimeInForce,
};

/// How large a strategy's positions are, unless a signal says itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sizer {
    /// A fixed quantity of base.
    Qty(Decimal),
    /// A fixed value in quote currency.
    Notional(Decimal),
    /// Per cent of the account's equity at the decision.
    EquityPct(f64),
}

/// The sizer's parameters: accepted beside every directional strategy's own.
pub const SIZER_PARAMS: [(&str, &str); 3] = [
    ("qty", "fixed quantity of base per position"),
    ("notional", "fixed value in quote currency per position (settlement currency for inverse contracts)"),
    ("notional_pct", "per cent of equity per position"),
];

impl Sizer {
    /// Takes the sizer's parameters out of a strategy's; the default is an equal share of the equity per instrument.
    ///
    /// # Errors
    /// [`ParamError`] for values that do not read or more than one of them.
    pub fn take(values: &mut ParamValues, instruments: usize) -> Result<Self, ParamError> {
        let given: Vec<(&str, String)> =
            SIZER_PARAMS.iter().filter_map(|(name, _)| values.remove(*name).map(|v| (*name, v))).collect();
        let (name, value) = match given.as_slice() {
            [] => return Ok(Self::EquityPct(100.0 / instruments.max(1) as f64)),
            [one] => one.clone(),
            [(a, _), (b, _), ..] => {
                return Err(ParamError::Conflict(format!(
                    "parameters {a} and {b} both size positions; give one of them"
                )));
            }
        };
        let wrong = |why: &str| ParamError::Value { name: name.to_owned(), value: value.clone(), why: why.to_owned() };
        if name == "notional_pct" {
            let pct: f64 = value.parse().map_err(|_| wrong("write a number of per cent, e.g. 95"))?;
            return if pct > 0.0 && pct <= 10_000.0 {
                Ok(Self::EquityPct(pct))
            } else {
                Err(wrong("must be above 0 and at most 10000"))
            };
        }
        let amount: Decimal = value.parse().map_err(|e: bellwether_sdk::NumError| wrong(&e.to_string()))?;
        if !amount.is_positive() {
            return Err(wrong("must be above zero"));
        }
        Ok(if name == "qty" { Self::Qty(amount) } else { Self::Notional(amount) })
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
    /// Whether shorts are possible.
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
    let size = if wanted == 0 {
        Size::Qty(close)
    } else {
        match entry_size(signal, sizer, view, close) {
            Ok(size) => size,
            Err(reason) => return Sized::Nothing(reason),
        }
    };
    let bracket = if wanted == 0 { Bracket::default() } else { bracket_of(signal) };
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

fn entry_size(signal: &Signal, sizer: &Sizer, view: &SizingView<'_>, close: Qty) -> Result<Size, &'static str> {
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
        Sizer::EquityPct(pct) => {
            let amount = view.equity.to_f64(view.equity_scale) * pct / 100.0 * view.quote_per_reporting;
            decimal_toward_zero(amount).map(|amount| Size::Notional { amount, close }).ok_or("no_equity")
        }
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
