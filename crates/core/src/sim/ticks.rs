//! Fills against single trades (`trade@1`) and against the best bid and offer (`quote@1`).
//!
//! `trade@1`: an order meets the trades after its arrival, each up to its quantity. Market orders take every print;
//! a limit that the first print satisfies takes, later ones must trade *through* a resting limit to fill it (a touch
//! leaves us at the back of the queue). A stop that a print reaches takes from the next print on.
//!
//! `quote@1`: an order meets the quote in force at its arrival and every one after, each up to the quantity shown
//! (unknown quantities are no limit). A resting limit fills, as maker and at its own price, when the opposite side
//! reaches it.

use bellwether_sdk::{Liquidity, OrderKind, Price, Qty, Side, Trade, Ts};

use super::Sim;
use super::orders::Executed;
use crate::orders::Answer;
use crate::portfolio::PortfolioError;

impl Sim {
    pub(super) fn fill_at_trade(&mut self, i: usize, trade: &Trade) -> Result<(), PortfolioError> {
        let price = trade.price;
        // A print without a quantity is no limit.
        let mut available = (!trade.qty.is_zero()).then_some(trade.qty);
        self.markets[i].look();
        let mut from = 0;
        while let Some(at) = self.markets[i].unseen(from) {
            from = at + 1;
            let r = self.markets[i].resting[at];
            if !r.triggered {
                let reached = r.reaches_trigger(price);
                let r = &mut self.markets[i].resting[at];
                r.triggered = reached;
                r.follow(price);
                continue;
            }
            let first = !r.seen;
            self.markets[i].resting[at].seen = true;
            let through = r.limit().is_none_or(|l| match r.order.side {
                Side::Buy => price < l,
                Side::Sell => price > l,
            });
            let takes = r.limit().is_none() || (first && r.within_limit(price));
            if takes && r.order.post_only {
                self.end(i, at, Answer::Rejected(r.order.id, "post_only_would_take"));
                from = at;
                continue;
            }
            let count = self.markets[i].resting.len();
            if (takes || through) && available.is_none_or(|a| a > Qty::ZERO) {
                let (fill_price, liquidity) = if takes {
                    (self.slipped(i, &r, price), Liquidity::Taker)
                } else {
                    (r.limit().unwrap_or(price), Liquidity::Maker)
                };
                if let Executed::Filled(qty) = self.execute(i, at, fill_price, available, liquidity, Ts::NONE)? {
                    available = available.map(|a| Qty::from_mantissa(a.mantissa() - qty.mantissa()));
                }
            }
            if self.markets[i].resting.len() == count {
                self.end_if_immediate(i, at);
            }
            from = (at + 1).saturating_sub(count - self.markets[i].resting.len());
        }
        Ok(())
    }

    pub(super) fn fill_at_quote(&mut self, i: usize) -> Result<(), PortfolioError> {
        self.markets[i].look();
        let mut from = 0;
        while let Some(at) = self.markets[i].unseen(from) {
            from = at + 1;
            let quote = self.markets[i].quote;
            let r = self.markets[i].resting[at];
            let (price, shown) = match r.order.side {
                Side::Buy => (quote.ask, quote.ask_qty),
                Side::Sell => (quote.bid, quote.bid_qty),
            };
            if price.is_zero() || price == TAKEN {
                continue;
            }
            if !r.triggered {
                let reached = r.reaches_trigger(price);
                let r = &mut self.markets[i].resting[at];
                r.triggered = reached;
                r.follow(price);
                if !reached {
                    continue;
                }
            }
            let r = self.markets[i].resting[at];
            self.markets[i].resting[at].seen = true;
            let takes = !r.seen || r.limit().is_none();
            if takes && r.order.post_only && r.within_limit(price) {
                self.end(i, at, Answer::Rejected(r.order.id, "post_only_would_take"));
                from = at;
                continue;
            }
            let count = self.markets[i].resting.len();
            if r.within_limit(price) {
                let (fill_price, liquidity) = if takes {
                    (self.slipped(i, &r, price), Liquidity::Taker)
                } else {
                    (r.limit().unwrap_or(price), Liquidity::Maker)
                };
                let available = (!shown.is_zero()).then_some(shown);
                if let Executed::Filled(qty) = self.execute(i, at, fill_price, available, liquidity, Ts::NONE)? {
                    self.take_from_quote(i, r.order.side, qty);
                }
            }
            if self.markets[i].resting.len() == count {
                self.end_if_immediate(i, at);
            }
            from = (at + 1).saturating_sub(count - self.markets[i].resting.len());
        }
        Ok(())
    }

    /// What we took is gone until the next quote.
    fn take_from_quote(&mut self, i: usize, side: Side, qty: Qty) {
        let quote = &mut self.markets[i].quote;
        let (price, shown) = match side {
            Side::Buy => (&mut quote.ask, &mut quote.ask_qty),
            Side::Sell => (&mut quote.bid, &mut quote.bid_qty),
        };
        if !shown.is_zero() {
            *shown = Qty::from_mantissa((shown.mantissa() - qty.mantissa()).max(0));
            if shown.is_zero() {
                *price = TAKEN;
            }
        }
    }

    /// Whether an order rests for a price, for the book profile.
    pub(super) fn is_limit(kind: OrderKind) -> bool {
        matches!(kind, OrderKind::Limit { .. } | OrderKind::StopLimit { .. })
    }
}

/// Stands in a quote for a side we have taken whole.
const TAKEN: Price = Price::from_mantissa(-1);
