//! Bars of a coarser interval, built from trades or finer bars.
//!
//! A built bar covers `[open, open + interval)`, counted from 1970 UTC. It is complete when engine time reaches its
//! end, whether or not anything trades then; an interval without data gives no bar. A bar whose interval began before
//! the data did is built from what there is.

use bellwether_sdk::{Bar, InstrumentId, Interval, Price, Qty, Ts};
use serde::{Deserialize, Serialize};

/// Builds bars of one interval for one instrument.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BarBuilder {
    instrument: InstrumentId,
    interval: Interval,
    current: Option<Bar>,
    /// Complete, but not yet due: data of the next interval came at the very moment it closes.
    closing: Option<Bar>,
}

impl BarBuilder {
    /// A builder without data.
    pub fn new(instrument: InstrumentId, interval: Interval) -> Self {
        Self { instrument, interval, current: None, closing: None }
    }

    /// Its instrument.
    pub fn instrument(&self) -> InstrumentId {
        self.instrument
    }

    /// Its interval.
    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// Whether none of its bars was completed by data that began at `first`.
    pub fn completed_none(&self, first: Ts) -> bool {
        self.closing.is_none() && self.current.is_some_and(|b| b.ts_open <= first)
    }

    /// Adds a trade. Returns when the bar it begins, if it begins one, is due.
    #[inline]
    pub fn trade(&mut self, ts: Ts, price: Price, qty: Qty) -> Option<Ts> {
        match &mut self.current {
            Some(bar) if ts < bar.ts_close => {
                bar.high = bar.high.max(price);
                bar.low = bar.low.min(price);
                bar.close = price;
                bar.volume = Qty::from_mantissa(bar.volume.mantissa().saturating_add(qty.mantissa()));
                None
            }
            _ => Some(self.begin(ts, [price; 4], qty)),
        }
    }

    /// Adds a finer bar. Returns when the bar it begins, if it begins one, is due.
    pub fn bar(&mut self, finer: &Bar) -> Option<Ts> {
        match &mut self.current {
            Some(bar) if finer.ts_open < bar.ts_close => {
                bar.high = bar.high.max(finer.high);
                bar.low = bar.low.min(finer.low);
                bar.close = finer.close;
                bar.volume = Qty::from_mantissa(bar.volume.mantissa().saturating_add(finer.volume.mantissa()));
                None
            }
            _ => Some(self.begin(finer.ts_open, [finer.open, finer.high, finer.low, finer.close], finer.volume)),
        }
    }

    /// The bar that is complete at `now`, if there is one; call it when due.
    pub fn take_due(&mut self, now: Ts) -> Option<Bar> {
        if let Some(bar) = self.closing.take_if(|b| b.ts_close <= now) {
            return Some(bar);
        }
        self.current.take_if(|b| b.ts_close <= now)
    }

    fn begin(&mut self, ts: Ts, [open, high, low, close]: [Price; 4], volume: Qty) -> Ts {
        let ts_open = ts.floor_to(self.interval);
        let bar = Bar {
            ts_open,
            ts_close: ts_open.plus(self.interval.nanos()),
            open,
            high,
            low,
            close,
            volume,
            interval: self.interval,
            instrument: self.instrument,
        };
        if let Some(old) = self.current.replace(bar) {
            self.closing = Some(old);
        }
        bar.ts_close
    }
}
