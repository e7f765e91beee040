//! What a strategy sees, as the world's types.

use bellwether_sdk::{
    Aggressor, Bar, Direction, Fill, Funding, Instrument, Liquidity, OpenOrder, OrderState, OrderUpdate, Price, Qty,
    Quote, Role, Side, Signal, SizeHint, Trade, Trail,
};

use crate::bindings::wit;

/// Columns of a row of trades.
pub(crate) const TRADE_ROW: usize = 5;
/// Columns of a row of bars.
pub(crate) const BAR_ROW: usize = 7;

pub(crate) const fn wide(number: i128) -> wit::Wide {
    wit::Wide { high: (number >> 64) as i64, low: number as u64 }
}

pub(crate) const fn trade(t: &Trade) -> wit::Trade {
    wit::Trade {
        ts: t.ts.nanos(),
        ts_venue: t.ts_venue.nanos(),
        price: t.price.mantissa(),
        qty: t.qty.mantissa(),
        instrument: t.instrument.0,
        aggressor: match t.aggressor {
            Aggressor::Unknown => wit::Aggressor::Unknown,
            Aggressor::Buyer => wit::Aggressor::Buyer,
            Aggressor::Seller => wit::Aggressor::Seller,
        },
    }
}

pub(crate) const fn trade_row(t: &Trade) -> [i64; TRADE_ROW] {
    let aggressor = match t.aggressor {
        Aggressor::Unknown => 0,
        Aggressor::Buyer => 1,
        Aggressor::Seller => 2,
    };
    [t.ts.nanos(), t.ts_venue.nanos(), t.price.mantissa(), t.qty.mantissa(), aggressor]
}

pub(crate) const fn quote(q: &Quote) -> wit::Quote {
    wit::Quote {
        ts: q.ts.nanos(),
        ts_venue: q.ts_venue.nanos(),
        bid: q.bid.mantissa(),
        bid_qty: q.bid_qty.mantissa(),
        ask: q.ask.mantissa(),
        ask_qty: q.ask_qty.mantissa(),
        instrument: q.instrument.0,
    }
}

pub(crate) const fn bar(b: &Bar) -> wit::Bar {
    wit::Bar {
        ts_open: b.ts_open.nanos(),
        ts_close: b.ts_close.nanos(),
        open: b.open.mantissa(),
        high: b.high.mantissa(),
        low: b.low.mantissa(),
        close: b.close.mantissa(),
        volume: b.volume.mantissa(),
        interval: b.interval.nanos(),
        instrument: b.instrument.0,
    }
}

pub(crate) const fn bar_row(b: &Bar) -> [i64; BAR_ROW] {
    [
        b.ts_open.nanos(),
        b.ts_close.nanos(),
        b.open.mantissa(),
        b.high.mantissa(),
        b.low.mantissa(),
        b.close.mantissa(),
        b.volume.mantissa(),
    ]
}

pub(crate) const fn funding(f: &Funding) -> wit::Funding {
    wit::Funding { ts: f.ts.nanos(), rate: f.rate.mantissa(), mark: f.mark.mantissa(), instrument: f.instrument.0 }
}

pub(crate) fn levels(levels: &[(Price, Qty)]) -> Vec<wit::Level> {
    levels.iter().map(|(price, qty)| wit::Level { price: price.mantissa(), qty: qty.mantissa() }).collect()
}

pub(crate) fn instrument(i: &Instrument) -> wit::Instrument {
    wit::Instrument {
        symbol: i.symbol.to_string(),
        price_scale: i.price_scale,
        qty_scale: i.qty_scale,
        tick: i.tick.mantissa(),
        lot: i.lot.mantissa(),
        qty_min: i.qty_min.mantissa(),
        notional_min: wide(i.notional_min),
        multiplier: i.multiplier,
        inferred: i.inferred,
    }
}

const fn side(side: Side) -> wit::Side {
    match side {
        Side::Buy => wit::Side::Buy,
        Side::Sell => wit::Side::Sell,
    }
}

const fn state(state: OrderState) -> wit::OrderState {
    match state {
        OrderState::Sent => wit::OrderState::Sent,
        OrderState::Acknowledged => wit::OrderState::Acknowledged,
        OrderState::PartlyFilled => wit::OrderState::PartlyFilled,
        OrderState::Filled => wit::OrderState::Filled,
        OrderState::Cancelled => wit::OrderState::Cancelled,
        OrderState::Rejected => wit::OrderState::Rejected,
        OrderState::Expired => wit::OrderState::Expired,
        OrderState::Unknown => wit::OrderState::Unknown,
    }
}

pub(crate) const fn open_order(o: &OpenOrder) -> wit::OpenOrder {
    wit::OpenOrder {
        id: o.id.0,
        instrument: o.instrument.0,
        side: side(o.side),
        state: state(o.state),
        price: o.price.mantissa(),
        qty_left: o.qty_left.mantissa(),
    }
}

pub(crate) fn update(u: &OrderUpdate) -> wit::OrderUpdate {
    wit::OrderUpdate {
        order: u.order.0,
        instrument: u.instrument.0,
        ts: u.ts.nanos(),
        state: state(u.state),
        reason: u.reason.to_owned(),
    }
}

pub(crate) const fn fill(f: &Fill) -> wit::Fill {
    wit::Fill {
        order: f.order.0,
        instrument: f.instrument.0,
        ts: f.ts.nanos(),
        side: side(f.side),
        price: f.price.mantissa(),
        qty: f.qty.mantissa(),
        liquidity: match f.liquidity {
            Liquidity::Maker => wit::Liquidity::Maker,
            Liquidity::Taker => wit::Liquidity::Taker,
        },
        role: match f.role {
            Role::Signal => wit::Role::Signal,
            Role::Intent => wit::Role::Intent,
            Role::StopLoss => wit::Role::StopLoss,
            Role::TakeProfit => wit::Role::TakeProfit,
            Role::TrailingStop => wit::Role::TrailingStop,
            Role::Liquidation => wit::Role::Liquidation,
            Role::EndOfData => wit::Role::EndOfData,
            Role::Guard => wit::Role::Guard,
        },
    }
}

fn decimal(d: bellwether_sdk::Decimal) -> wit::Decimal {
    wit::Decimal { mantissa: d.mantissa(), scale: d.scale() }
}

pub(crate) fn signal(s: &Signal) -> wit::Signal {
    wit::Signal {
        id: s.id,
        instrument: s.instrument.0,
        direction: match s.direction {
            Direction::Long => wit::Direction::Long,
            Direction::Short => wit::Direction::Short,
            Direction::Flat => wit::Direction::Flat,
        },
        strength: s.strength,
        confidence: s.confidence,
        horizon_ns: s.horizon_ns,
        expiry: s.expiry.map(|t| t.nanos()),
        size: s.size.map(|size| match size {
            SizeHint::Qty(d) => wit::SizeHint::Qty(decimal(d)),
            SizeHint::Notional(d) => wit::SizeHint::Notional(decimal(d)),
            SizeHint::EquityPct(pct) => wit::SizeHint::EquityPct(pct),
        }),
        entry: s.entry.map(|p| p.mantissa()),
        stop: s.stop.map(|p| p.mantissa()),
        trailing_stop: s.trailing_stop.map(|trail| match trail {
            Trail::Offset(price) => wit::Trail::Offset(price.mantissa()),
            Trail::Fraction(rate) => wit::Trail::Fraction(rate.mantissa()),
        }),
        targets: s.targets.iter().map(|p| p.mantissa()).collect(),
        tags: s.tags.iter().map(|t| t.to_string()).collect(),
        reason: s.reason.to_string(),
        source: s.source.to_string(),
        ts_made: s.ts_made.nanos(),
        ts_received: s.ts_received.nanos(),
    }
}
