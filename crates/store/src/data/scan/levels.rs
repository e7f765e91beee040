//! The book that depth messages make, as a run makes it: a message after which it is crossed is odd.

use bellwether_sdk::{Depth, InstrumentId, Level, Price, Qty, Side, Ts};

use crate::market::book::Book;

/// The book, and the message that is being gathered.
#[derive(Debug, Default)]
pub(super) struct Levels {
    book: Book,
    scales: (u8, u8),
    head: Option<Head>,
    message: Vec<Level>,
}

#[derive(Debug)]
struct Head {
    ts: i64,
    origin: i64,
    snapshot: bool,
    /// First, last and previous.
    ids: [i64; 3],
}

impl Levels {
    pub(super) fn scales(&self) -> (u8, u8) {
        self.scales
    }

    /// A message begins; ids are zero where it has none.
    pub(super) fn begin(&mut self, ts: i64, origin: i64, snapshot: bool, ids: [i64; 3]) {
        self.head = Some(Head { ts, origin, snapshot, ids });
    }

    /// The next level of the message; of one that did not begin here nothing is kept.
    pub(super) fn take(&mut self, [side, price, qty]: [i64; 3]) {
        if self.head.is_some() {
            let side = if side > 0 { Side::Buy } else { Side::Sell };
            self.message.push(Level { side, price: Price::from_mantissa(price), qty: Qty::from_mantissa(qty) });
        }
    }

    /// The message is whole; `scales` are those of the next one. If the book is crossed after it: its time, its origin
    /// and the best prices in words.
    pub(super) fn settle(&mut self, scales: (u8, u8)) -> Option<(i64, i64, String)> {
        let crossed = self.head.take().and_then(|head| self.apply(&head));
        self.message.clear();
        if self.scales != scales {
            // Months have digits of their own: the next snapshot begins another book.
            self.book = Book::default();
            self.scales = scales;
        }
        crossed
    }

    fn apply(&mut self, head: &Head) -> Option<(i64, i64, String)> {
        let [first_id, last_id, prev_id] = head.ids;
        self.book.apply(&Depth {
            ts: Ts::from_nanos(head.ts),
            ts_venue: Ts::NONE,
            snapshot: head.snapshot,
            first_id,
            last_id,
            prev_id,
            levels: &self.message,
            instrument: InstrumentId(0),
        });
        let ((bid, _), (ask, _)) = self.book.best_bid().zip(self.book.best_ask())?;
        let shown = |price: Price| price.to_text(self.scales.0);
        (bid > ask).then(|| (head.ts, head.origin, format!("bid {}, ask {}", shown(bid), shown(ask))))
    }
}
