//! What comes from the host, as the sdk's types.

use bellwether_sdk::{
    Aggressor, Bar, BookView, Decimal, Direction, Fill, Funding, Instrument, InstrumentId, Interval, Liquidity,
    OpenOrder, OrderId, OrderState, Price, Qty, Quote, Rate, Role, Side, Signal, SizeHint, Trade, Trail, Ts,
};

use crate::bindings::exports::bellwether::strategy::plugin as wit;

const fn price(mantissa: i64) -> Price {
    Price::from_mantissa(mantissa)
}

const fn qty(mantissa: i64) -> Qty {
    Qty::from_mantissa(mantissa)
}

const fn ts(nanos: i64) -> Ts {
    Ts::from_nanos(nanos)
}

/// An interval, which the host took from a valid one.
fn interval(nanos: i64) -> Interval {
    match Interval::from_nanos(nanos) {
        Some(interval) => interval,
        None => panic!("an interval of {nanos} ns"),
    }
}

/// Both halves of a 128-bit number.
pub(crate) fn wide(wide: wit::Wide) -> i128 {
    (i128::from(wide.high) << 64) | i128::from(wide.low)
}

pub(crate) fn trade(t: wit::Trade) -> Trade {
    Trade {
        ts: ts(t.ts),
        ts_venue: ts(t.ts_venue),
        price: price(t.price),
        qty: qty(t.qty),
        instrument: InstrumentId(t.instrument),
        aggressor: match t.aggressor {
            wit::Aggressor::Unknown => Aggressor::Unknown,
            wit::Aggressor::Buyer => Aggressor::Buyer,
            wit::Aggressor::Seller => Aggressor::Seller,
        },
    }
}

pub(crate) fn trade_of_row(instrument: u16, row: &[i64; 5]) -> Trade {
    Trade {
        ts: ts(row[0]),
        ts_venue: ts(row[1]),
        price: price(row[2]),
        qty: qty(row[3]),
        instrument: InstrumentId(instrument),
        aggressor: match row[4] {
            1 => Aggressor::Buyer,
            2 => Aggressor::Seller,
            _ => Aggressor::Unknown,
        },
    }
}

pub(crate) fn quote(q: wit::Quote) -> Quote {
    Quote {
        ts: ts(q.ts),
        ts_venue: ts(q.ts_venue),
        bid: price(q.bid),
        bid_qty: qty(q.bid_qty),
        ask: price(q.ask),
        ask_qty: qty(q.ask_qty),
        instrument: InstrumentId(q.instrument),
    }
}

pub(crate) fn bar(b: &wit::Bar) -> Bar {
    bar_of_row(b.instrument, b.interval, &[b.ts_open, b.ts_close, b.open, b.high, b.low, b.close, b.volume])
}

pub(crate) fn bar_of_row(instrument: u16, nanos: i64, row: &[i64; 7]) -> Bar {
    Bar {
        ts_open: ts(row[0]),
        ts_close: ts(row[1]),
        open: price(row[2]),
        high: price(row[3]),
        low: price(row[4]),
        close: price(row[5]),
        volume: qty(row[6]),
        interval: interval(nanos),
        instrument: InstrumentId(instrument),
    }
}

pub(crate) fn funding(f: wit::Funding) -> Funding {
    Funding {
        ts: ts(f.ts),
        rate: Rate::from_mantissa(f.rate),
        mark: price(f.mark),
        instrument: InstrumentId(f.instrument),
    }
}

pub(crate) fn levels(levels: &[wit::Level]) -> Vec<(Price, Qty)> {
    levels.iter().map(|l| (price(l.price), qty(l.qty))).collect()
}

pub(crate) fn book<'a>(
    nanos: i64,
    instrument: u16,
    bids: &'a [(Price, Qty)],
    asks: &'a [(Price, Qty)],
) -> BookView<'a> {
    BookView { ts: ts(nanos), instrument: InstrumentId(instrument), bids, asks }
}

pub(crate) fn instrument((id, i): (u16, wit::Instrument)) -> Instrument {
    let Ok(symbol) = i.symbol.parse() else { panic!("an instrument named {:?}", i.symbol) };
    Instrument {
        id: InstrumentId(id),
        symbol,
        price_scale: i.price_scale,
        qty_scale: i.qty_scale,
        tick: price(i.tick),
        lot: qty(i.lot),
        qty_min: qty(i.qty_min),
        notional_min: wide(i.notional_min),
        qty_max: Qty::ZERO,
        qty_max_market: Qty::ZERO,
        notional_max: 0,
        multiplier: i.multiplier,
        inferred: i.inferred,
    }
}

fn side(side: wit::Side) -> Side {
    match side {
        wit::Side::Buy => Side::Buy,
        wit::Side::Sell => Side::Sell,
    }
}

pub(crate) fn state(state: wit::OrderState) -> OrderState {
    match state {
        wit::OrderState::Sent => OrderState::Sent,
        wit::OrderState::Acknowledged => OrderState::Acknowledged,
        wit::OrderState::PartlyFilled => OrderState::PartlyFilled,
        wit::OrderState::Filled => OrderState::Filled,
        wit::OrderState::Cancelled => OrderState::Cancelled,
        wit::OrderState::Rejected => OrderState::Rejected,
        wit::OrderState::Expired => OrderState::Expired,
        wit::OrderState::Unknown => OrderState::Unknown,
    }
}

pub(crate) fn open_order(o: &wit::OpenOrder) -> OpenOrder {
    OpenOrder {
        id: OrderId(o.id),
        instrument: InstrumentId(o.instrument),
        side: side(o.side),
        state: state(o.state),
        price: price(o.price),
        qty_left: qty(o.qty_left),
    }
}

pub(crate) fn fill(f: wit::Fill) -> Fill {
    Fill {
        order: OrderId(f.order),
        instrument: InstrumentId(f.instrument),
        ts: ts(f.ts),
        side: side(f.side),
        price: price(f.price),
        qty: qty(f.qty),
        liquidity: match f.liquidity {
            wit::Liquidity::Maker => Liquidity::Maker,
            wit::Liquidity::Taker => Liquidity::Taker,
        },
        role: match f.role {
            wit::Role::Signal => Role::Signal,
            wit::Role::Intent => Role::Intent,
            wit::Role::StopLoss => Role::StopLoss,
            wit::Role::TakeProfit => Role::TakeProfit,
            wit::Role::TrailingStop => Role::TrailingStop,
            wit::Role::Liquidation => Role::Liquidation,
            wit::Role::EndOfData => Role::EndOfData,
            wit::Role::Guard => Role::Guard,
        },
    }
}

fn decimal(d: wit::Decimal) -> Decimal {
    Decimal::new(d.mantissa, d.scale)
}

pub(crate) fn signal(s: wit::Signal) -> Signal {
    Signal {
        id: s.id,
        instrument: InstrumentId(s.instrument),
        direction: match s.direction {
            wit::Direction::Long => Direction::Long,
            wit::Direction::Short => Direction::Short,
            wit::Direction::Flat => Direction::Flat,
        },
        strength: s.strength,
        confidence: s.confidence,
        horizon_ns: s.horizon_ns,
        expiry: s.expiry.map(ts),
        size: s.size.map(|size| match size {
            wit::SizeHint::Qty(d) => SizeHint::Qty(decimal(d)),
            wit::SizeHint::Notional(d) => SizeHint::Notional(decimal(d)),
            wit::SizeHint::EquityPct(pct) => SizeHint::EquityPct(pct),
        }),
        entry: s.entry.map(price),
        stop: s.stop.map(price),
        trailing_stop: s.trailing_stop.map(|trail| match trail {
            wit::Trail::Offset(m) => Trail::Offset(price(m)),
            wit::Trail::Fraction(m) => Trail::Fraction(Rate::from_mantissa(m)),
        }),
        targets: s.targets.into_iter().map(price).collect(),
        tags: s.tags.into_iter().map(Into::into).collect(),
        reason: s.reason.into(),
        source: s.source.into(),
        ts_made: ts(s.ts_made),
        ts_received: ts(s.ts_received),
    }
}
