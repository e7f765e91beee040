//! The venue's words for sides, states, kinds and intervals, and ours.

use bellwether_sdk::{Interval, OrderKind, Price, Rate, Side, TimeInForce, Trail, Ts};

use super::super::OrderStatus;

/// An order's state. What we do not know is [`OrderStatus::Unknown`], and asked about.
pub(super) fn status(word: &str) -> OrderStatus {
    match word {
        // The last two are the venue's own, closing a position of ours.
        "NEW" | "PENDING_NEW" | "PENDING_CANCEL" | "NEW_INSURANCE" | "NEW_ADL" => OrderStatus::Acknowledged,
        "PARTIALLY_FILLED" => OrderStatus::PartlyFilled,
        "FILLED" => OrderStatus::Filled,
        "CANCELED" => OrderStatus::Cancelled,
        "REJECTED" => OrderStatus::Rejected,
        "EXPIRED" | "EXPIRED_IN_MATCH" => OrderStatus::Expired,
        _ => OrderStatus::Unknown,
    }
}

/// The state of an order that waits, or waited, for its trigger. Once it triggered, an order of its own tells the rest:
/// what became of that is not known from here.
pub(super) fn algo_status(word: &str) -> OrderStatus {
    match word {
        "NEW" | "TRIGGERING" => OrderStatus::Acknowledged,
        "CANCELED" => OrderStatus::Cancelled,
        "REJECTED" => OrderStatus::Rejected,
        "EXPIRED" => OrderStatus::Expired,
        _ => OrderStatus::Unknown,
    }
}

/// A side.
pub(super) fn side(word: &str) -> Option<Side> {
    match word {
        "BUY" => Some(Side::Buy),
        "SELL" => Some(Side::Sell),
        _ => None,
    }
}

/// The word for a side.
pub(super) const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

/// An order's kind; `None` for one that we do not have (take-profit orders) or do not know.
pub(super) fn kind(word: &str, price: Price, trigger: Price, trail: Option<Rate>) -> Option<OrderKind> {
    let trailing = || trail.map(|t| OrderKind::TrailingStop { trail: Trail::Fraction(t) });
    match word {
        "MARKET" => Some(OrderKind::Market),
        "LIMIT" | "LIMIT_MAKER" => Some(OrderKind::Limit { price }),
        "TRAILING_STOP_MARKET" => trailing(),
        "STOP_LOSS" | "STOP_MARKET" => trailing().or(Some(OrderKind::StopMarket { trigger })),
        "STOP_LOSS_LIMIT" | "STOP" if trail.is_none() => Some(OrderKind::StopLimit { trigger, price }),
        _ => None,
    }
}

/// A time in force; post-only orders are good till cancelled.
pub(super) fn tif(word: &str, till_ms: i64) -> TimeInForce {
    match word {
        "IOC" => TimeInForce::Ioc,
        "FOK" => TimeInForce::Fok,
        "GTD" if till_ms > 0 => TimeInForce::Gtd(Ts::from_millis(till_ms)),
        _ => TimeInForce::Gtc,
    }
}

/// Intervals of bars that the venue has. Months are none of ours: they differ in length.
const INTERVALS: [(&str, i64); 15] = [
    ("1s", 1),
    ("1m", 60),
    ("3m", 180),
    ("5m", 300),
    ("15m", 900),
    ("30m", 1800),
    ("1h", 3600),
    ("2h", 7200),
    ("4h", 14_400),
    ("6h", 21_600),
    ("8h", 28_800),
    ("12h", 43_200),
    ("1d", 86_400),
    ("3d", 259_200),
    ("1w", 604_800),
];

/// The venue's word for an interval. A second is there on spot only.
pub(super) fn interval_word(interval: Interval, seconds: bool) -> Option<&'static str> {
    INTERVALS
        .iter()
        .find(|(word, s)| s * 1_000_000_000 == interval.nanos() && (seconds || *word != "1s"))
        .map(|(word, _)| *word)
}

/// An interval by the venue's word.
pub(super) fn interval(word: &str) -> Option<Interval> {
    let (_, seconds) = INTERVALS.iter().find(|(w, _)| *w == word)?;
    Interval::from_nanos(seconds * 1_000_000_000)
}
