//! The data of a run, cut and spoilt.

use bellwether_sdk::{Bar, InstrumentId, Price, Qty, Quote, Trade, Ts};

use crate::market::Batch;
use crate::run::shared::Shared;

/// When each event is known, in order, all streams together.
pub(super) fn times(data: &Shared) -> Vec<Ts> {
    let mut times: Vec<Ts> = data
        .batches()
        .flat_map(|batch| match batch {
            Batch::Trades(v) => v.iter().map(|e| e.ts).collect::<Vec<_>>(),
            Batch::Quotes(v) => v.iter().map(|e| e.ts).collect(),
            Batch::Funding(v) => v.iter().map(|e| e.ts).collect(),
            Batch::Depth(d) => d.heads.iter().map(|e| e.ts).collect(),
            Batch::Bars(v) => v.iter().map(|e| e.ts_close).collect(),
        })
        .collect();
    times.sort_unstable();
    times
}

/// The events whose beginning and end pass.
fn only(data: &Shared, keep: impl Fn(Ts, Ts) -> bool) -> Shared {
    data.map(|batch| {
        let mut batch = batch.clone();
        match &mut batch {
            Batch::Trades(v) => v.retain(|e| keep(e.ts, e.ts)),
            Batch::Quotes(v) => v.retain(|e| keep(e.ts, e.ts)),
            Batch::Funding(v) => v.retain(|e| keep(e.ts, e.ts)),
            // Levels of heads that are gone are not looked at.
            Batch::Depth(d) => d.heads.retain(|e| keep(e.ts, e.ts)),
            Batch::Bars(v) => v.retain(|e| keep(e.ts_open, e.ts_close)),
        }
        batch
    })
}

/// What was known at a time.
pub(super) fn until(data: &Shared, at: Ts) -> Shared {
    only(data, |_, end| end <= at)
}

/// What began at a time or later.
pub(super) fn from(data: &Shared, at: Ts) -> Shared {
    only(data, |begin, _| begin >= at)
}

/// No events at all.
pub(super) fn empty(data: &Shared) -> Shared {
    only(data, |_, _| false)
}

/// Three stretches are missing, each a thirtieth of the time.
pub(super) fn gaps(data: &Shared, times: &[Ts]) -> Shared {
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return data.clone() };
    let width = (last.nanos() - first.nanos()) / 30;
    let missing = |at: Ts| (1..=3).any(|i| (0..width).contains(&(at.nanos() - first.nanos() - 8 * i * width)));
    only(data, |begin, _| !missing(begin))
}

/// Every trade and bar changed.
fn changed(
    data: &Shared,
    trade: impl Fn(usize, &mut Trade),
    quote: impl Fn(usize, &mut Quote),
    bar: impl Fn(usize, &mut Bar),
) -> Shared {
    data.map(|batch| {
        let mut batch = batch.clone();
        match &mut batch {
            Batch::Trades(v) => v.iter_mut().enumerate().for_each(|(i, e)| trade(i, e)),
            Batch::Quotes(v) => v.iter_mut().enumerate().for_each(|(i, e)| quote(i, e)),
            Batch::Bars(v) => v.iter_mut().enumerate().for_each(|(i, e)| bar(i, e)),
            Batch::Depth(_) | Batch::Funding(_) => {}
        }
        batch
    })
}

/// Nothing is ever traded.
pub(super) fn no_volume(data: &Shared) -> Shared {
    changed(
        data,
        |_, t| t.qty = Qty::ZERO,
        |_, q| (q.bid_qty, q.ask_qty) = (Qty::ZERO, Qty::ZERO),
        |_, b| b.volume = Qty::ZERO,
    )
}

/// A price that jumps tenfold at every 97th event and to a tenth at every 89th.
pub(super) fn spikes(data: &Shared) -> Shared {
    let spike = |i: usize, price: &mut Price| {
        let m = price.mantissa();
        let jumped = match (i % 97, i % 89) {
            (96, _) => m.saturating_mul(10),
            (_, 88) => (m / 10).max(m.signum()),
            _ => m,
        };
        *price = Price::from_mantissa(jumped);
    };
    changed(
        data,
        |i, t| spike(i, &mut t.price),
        |i, q| [&mut q.bid, &mut q.ask].into_iter().for_each(|p| spike(i, p)),
        |i, b| [&mut b.open, &mut b.high, &mut b.low, &mut b.close].into_iter().for_each(|p| spike(i, p)),
    )
}

/// Every price is the first of its instrument.
pub(super) fn flat(data: &Shared) -> Shared {
    let mut firsts: Vec<(InstrumentId, Price)> = Vec::new();
    for batch in data.batches() {
        let first = match batch {
            Batch::Trades(v) => v.first().map(|t| (t.instrument, t.price)),
            Batch::Quotes(v) => v.first().map(|q| (q.instrument, q.mid())),
            Batch::Bars(v) => v.first().map(|b| (b.instrument, b.open)),
            Batch::Depth(_) | Batch::Funding(_) => None,
        };
        firsts.extend(first.filter(|(id, _)| firsts.iter().all(|known| known.0 != *id)));
    }
    let first = |id: InstrumentId, now: Price| firsts.iter().find(|f| f.0 == id).map_or(now, |f| f.1);
    changed(
        data,
        |_, t| t.price = first(t.instrument, t.price),
        |_, q| (q.bid, q.ask) = (first(q.instrument, q.bid), first(q.instrument, q.ask)),
        |_, b| {
            let price = first(b.instrument, b.open);
            (b.open, b.high, b.low, b.close) = (price, price, price, price);
        },
    )
}
