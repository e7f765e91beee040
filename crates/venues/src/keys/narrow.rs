//! What a key signs of what a strategy may wish: instruments, kinds, value per order and per day. It is asked with the
//! approved order and its reference price, before a key is given for it; risk has been there before, and this is not risk:
//! it is what is left when risk is wrong.

use std::collections::{BTreeMap, BTreeSet};

use bellwether_sdk::{Decimal, InstrumentId, OrderId, Price, Qty, Ts};

use crate::orders::Order;
use crate::risk::{Approved, Declared};

/// Digits after the point of a day's sum.
const SCALE: u32 = 18;
const DAY_NS: i64 = 86_400_000_000_000;
/// So many orders that count are remembered, the newest, to know their later attempts by. These come within seconds; an
/// attempt that came later would count as another order, so that less is signed and not more.
const SEEN_MAX: usize = 4_096;

/// Limits of an account's keys, for one strategy or for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrow {
    /// The strategy's place in the settings; `None` for all.
    pub strategy: Option<u16>,
    /// The only instruments; `None` for all.
    pub instruments: Option<BTreeSet<InstrumentId>>,
    /// No new orders.
    pub cancel_only: bool,
    /// Largest value of one order, in settlement currency.
    pub order_notional_max: Option<Decimal>,
    /// Largest value of the orders of one UTC day together.
    pub day_notional_max: Option<Decimal>,
}

/// An order that is to be signed.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// As risk approved it.
    pub order: &'a Approved<Order>,
    /// Its quantity.
    pub qty: Qty,
    /// The price it was judged by; of an order with a price of its own, that.
    pub price: Price,
    /// Digits after the point of price and quantity together.
    pub scale: u8,
    /// The contract's multiplier.
    pub multiplier: i64,
}

impl Asked<'_> {
    /// Its value, with [`SCALE`] digits after the point; `None` when it does not fit.
    fn value(&self) -> Option<i128> {
        let value = i128::from(self.qty.mantissa())
            .checked_mul(i128::from(self.price.mantissa()))?
            .checked_mul(i128::from(self.multiplier))?;
        match SCALE.checked_sub(u32::from(self.scale)) {
            Some(more) => value.checked_abs()?.checked_mul(10_i128.checked_pow(more)?),
            None => None,
        }
    }
}

fn wide(limit: Decimal) -> Option<i128> {
    let more = SCALE.checked_sub(u32::from(limit.scale()))?;
    i128::from(limit.mantissa()).checked_mul(10_i128.checked_pow(more)?)
}

/// What was signed today, by limit.
#[derive(Debug, Default)]
pub(super) struct Today {
    day: i64,
    sums: BTreeMap<usize, i128>,
    /// Attempts of one order are one order: those that were counted last.
    seen: BTreeSet<OrderId>,
}

impl Today {
    /// Whether an order passes all limits; counts it if so.
    ///
    /// # Errors
    /// The limit and what was asked.
    pub(super) fn pass(&mut self, limits: &[Narrow], asked: &Asked<'_>, now: Ts) -> Result<(), String> {
        let day = now.nanos().div_euclid(DAY_NS);
        if day != self.day {
            *self = Self { day, ..Self::default() };
        }
        let order = asked.order.get();
        let again = self.seen.contains(&order.id);
        let mut sums = Vec::new();
        for (at, limit) in limits.iter().enumerate() {
            if limit.strategy.is_some_and(|s| s != order.strategy) {
                continue;
            }
            if limit.cancel_only {
                return Err("it only cancels".to_owned());
            }
            if limit.instruments.as_ref().is_some_and(|only| !only.contains(&order.instrument)) {
                return Err(format!("instrument number {} is not among its instruments", order.instrument.0));
            }
            if limit.order_notional_max.is_none() && limit.day_notional_max.is_none() {
                continue;
            }
            let value = asked.value().ok_or("the order's value does not fit into 128 bits")?;
            if let Some(max) = limit.order_notional_max
                && wide(max).is_none_or(|max| value > max)
            {
                return Err(format!("the order is worth {}, and it signs at most {max} an order", shown(value)));
            }
            let Some(max) = limit.day_notional_max.filter(|_| !again) else { continue };
            let sum =
                self.sums.get(&at).copied().unwrap_or(0).checked_add(value).ok_or("the day's sum does not fit")?;
            if wide(max).is_none_or(|max| sum > max) {
                return Err(format!(
                    "with this order today's are worth {}, and it signs at most {max} a day",
                    shown(sum)
                ));
            }
            sums.push((at, sum));
        }
        if !sums.is_empty() {
            self.sums.extend(sums);
            self.seen.insert(order.id);
            if self.seen.len() > SEEN_MAX {
                self.seen.pop_first();
            }
        }
        Ok(())
    }
}

/// Whether an order is within what its strategy declared that it does at the most; what only makes a position smaller is.
///
/// # Errors
/// What it declared and what was asked.
pub(super) fn within(declared: &[Declared], asked: &Asked<'_>) -> Result<(), String> {
    let order = asked.order.get();
    let Some(declared) = declared.get(usize::from(order.strategy)).filter(|_| !asked.order.reduces()) else {
        return Ok(());
    };
    declared.check(order).map_err(|refusal| format!("its strategy did not declare it: {refusal}"))?;
    let Some(max) = declared.order_notional_max else { return Ok(()) };
    let value = asked.value().ok_or("the order's value does not fit into 128 bits")?;
    if wide(max).is_some_and(|max| value <= max) {
        return Ok(());
    }
    Err(format!("the order is worth {}, and its strategy declared at most {max}", shown(value)))
}

fn shown(value: i128) -> String {
    let unit = 10_i128.pow(SCALE);
    let text = format!("{}.{:018}", value / unit, value % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_sdk::{Instrument, OrderKind, OrderKinds, Role, Side, Size, TimeInForce};

    use crate::orders::WordId;
    use crate::portfolio::{Position, Terms};
    use crate::risk::{Guard, Pace, RiskView};

    const NOW: Ts = Ts::from_millis(1_700_000_000_000);

    fn order(id: u64, strategy: u16) -> Approved<Order> {
        let order = Order {
            id: OrderId(id),
            strategy,
            instrument: InstrumentId(3),
            side: Side::Buy,
            size: Size::Qty(Qty::from_mantissa(2_000)),
            kind: OrderKind::Market,
            tif: TimeInForce::Ioc,
            post_only: false,
            reduce_only: false,
            role: Role::Intent,
            parent: OrderId(0),
            oco: OrderId(0),
            tag: WordId(0),
        };
        let instrument = Instrument::inferred(InstrumentId(3), "test:A/B".parse().expect("a symbol"), 2, 3);
        let view = RiskView {
            instrument: &instrument,
            terms: &Terms::new(&instrument, 0, 8).expect("terms"),
            money_scale: 8,
            position: &Position::default(),
            last: Price::from_mantissa(10_000),
            open_orders: 0,
            reference: Price::ZERO,
            pace: Pace::default(),
        };
        Guard::default().approve(order, &view).expect("approved")
    }

    /// Two at a price of 100: worth 200.
    fn pass(today: &mut Today, limits: &[Narrow], id: u64, strategy: u16, now: Ts) -> Result<(), String> {
        let (qty, price) = (Qty::from_mantissa(2_000), Price::from_mantissa(10_000));
        let order = order(id, strategy);
        today.pass(limits, &Asked { order: &order, qty, price, scale: 5, multiplier: 1 }, now)
    }

    #[test]
    fn an_order_over_its_limit_is_not_signed_and_the_limit_is_said() {
        let limit = |max| Narrow { order_notional_max: Some(Decimal::new(max, 2)), ..Narrow::default() };
        assert_eq!(pass(&mut Today::default(), &[limit(20_000)], 1, 0, NOW), Ok(()));
        let why = pass(&mut Today::default(), &[limit(19_999)], 1, 0, NOW).expect_err("over");
        assert_eq!(why, "the order is worth 200, and it signs at most 199.99 an order");
    }

    #[test]
    fn what_a_strategy_did_not_declare_is_not_signed_for_it() {
        let (qty, price) = (Qty::from_mantissa(2_000), Price::from_mantissa(10_000));
        let order = order(1, 1);
        let asked = Asked { order: &order, qty, price, scale: 5, multiplier: 1 };
        let held = |declared: Declared| within(&[Declared::default(), declared], &asked);
        assert_eq!(held(Declared::default()), Ok(()));
        let limits = OrderKinds { limit: true, ..OrderKinds::NONE };
        assert!(held(Declared { orders: limits, ..Declared::default() }).expect_err("a kind").contains("not declare"));
        let elsewhere = Declared { instruments: vec![InstrumentId(1)], ..Declared::default() };
        assert!(held(elsewhere).is_err());
        let most = |max| Declared { order_notional_max: Some(Decimal::new(max, 0)), ..Declared::default() };
        assert_eq!(held(most(200)), Ok(()));
        assert_eq!(
            held(most(199)).expect_err("a value"),
            "the order is worth 200, and its strategy declared at most 199"
        );
    }

    #[test]
    fn a_days_orders_are_added_up_and_attempts_of_one_are_one() {
        let limits = [Narrow { day_notional_max: Some(Decimal::new(500, 0)), ..Narrow::default() }];
        let mut today = Today::default();
        for id in [1, 1, 1, 2] {
            assert_eq!(pass(&mut today, &limits, id, 0, NOW), Ok(()));
        }
        assert!(pass(&mut today, &limits, 3, 0, NOW).expect_err("over").contains("worth 600"));
        assert_eq!(pass(&mut today, &limits, 3, 0, NOW.plus(DAY_NS)), Ok(()), "tomorrow is another day");
    }

    #[test]
    fn a_days_orders_are_remembered_as_long_as_attempts_come_and_no_longer() {
        let day = |max| [Narrow { day_notional_max: Some(Decimal::new(max, 0)), ..Narrow::default() }];
        let mut today = Today::default();
        let last = 3 * SEEN_MAX as u64;
        for id in (1..=last).flat_map(|id| [id, id]) {
            assert_eq!(pass(&mut today, &day(i64::MAX), id, 0, NOW), Ok(()));
        }
        assert_eq!((today.seen.len(), today.sums[&0]), (SEEN_MAX, 10_i128.pow(SCALE) * 200 * i128::from(last)));
        let full = 200 * last as i64;
        assert_eq!(pass(&mut today, &day(full), last, 0, NOW), Ok(()), "an attempt of one that was counted");
        assert!(pass(&mut today, &day(full), 1, 0, NOW).is_err(), "one of long ago counts anew");
    }

    #[test]
    fn instruments_kinds_and_strategies_are_held_apart() {
        let only = |ids: &[u16]| Some(ids.iter().map(|id| InstrumentId(*id)).collect());
        let mut today = Today::default();
        let elsewhere = Narrow { instruments: only(&[1]), ..Narrow::default() };
        assert!(pass(&mut today, std::slice::from_ref(&elsewhere), 1, 0, NOW).is_err());
        let other = Narrow { strategy: Some(4), ..elsewhere };
        assert_eq!(pass(&mut today, std::slice::from_ref(&other), 1, 0, NOW), Ok(()));
        assert!(pass(&mut today, &[other], 1, 4, NOW).is_err());
        let cancels = Narrow { cancel_only: true, ..Narrow::default() };
        assert!(pass(&mut today, &[cancels], 1, 0, NOW).expect_err("none").contains("only cancels"));
    }
}
