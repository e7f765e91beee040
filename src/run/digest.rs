//! A number of the market inputs that a session has heard: equal for equal inputs in equal order. It finds data that was
//! changed, not somebody who means to deceive.

use bellwether_sdk::{InstrumentId, Price, Qty, Side, Ts};
use serde::{Deserialize, Serialize};

use crate::engine::{Event, Told};

/// The number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digest(u64);

impl Digest {
    /// Hears an input; what is not of the market does not count.
    pub(super) fn hear(&mut self, told: &Told<'_>) {
        match told {
            Told::OpenPrint(bar) => {
                self.add(1);
                self.of(bar.instrument, bar.ts_open, &[bar.open], &[]);
            }
            Told::Market(event) => {
                self.add(2 + i64::from(event.class() as u8));
                self.event(event);
            }
            _ => {}
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Trade(t) => {
                self.of(t.instrument, t.ts, &[t.price], &[t.qty]);
                self.add(t.aggressor as i64);
            }
            Event::Quote(q) => self.of(q.instrument, q.ts, &[q.bid, q.ask], &[q.bid_qty, q.ask_qty]),
            Event::Bar(b) => {
                self.of(b.instrument, b.ts_close, &[b.open, b.high, b.low, b.close], &[b.volume]);
                self.add(b.interval.nanos());
            }
            Event::Depth(d) => {
                self.of(d.instrument, d.ts, &[], &[]);
                [d.first_id, d.last_id, d.prev_id, i64::from(d.snapshot)].into_iter().for_each(|n| self.add(n));
                for level in d.levels {
                    self.add(i64::from(level.side == Side::Buy));
                    self.add(level.price.mantissa());
                    self.add(level.qty.mantissa());
                }
            }
            Event::Funding(f) => {
                self.of(f.instrument, f.ts, &[f.mark], &[]);
                f.rate.to_text().bytes().for_each(|b| self.add(i64::from(b)));
            }
        }
    }

    fn of(&mut self, instrument: InstrumentId, ts: Ts, prices: &[Price], qtys: &[Qty]) {
        self.add(i64::from(instrument.0));
        self.add(ts.nanos());
        prices.iter().for_each(|p| self.add(p.mantissa()));
        qtys.iter().for_each(|q| self.add(q.mantissa()));
    }

    fn add(&mut self, number: i64) {
        self.0 = (self.0.rotate_left(5) ^ number.cast_unsigned()).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}
