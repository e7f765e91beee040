//! Fills against stored depth and trades (`book@1`).
//!
//! A market order, or the marketable part of a limit, walks the opposite side level by level; what it takes is gone
//! until the feed says otherwise. A resting limit queues behind what stood at its price when it came; trades at its
//! price use up that queue, then fill it; shrinking levels are assumed to shrink ahead of it. Trades through its price,
//! or the opposite side reaching it, fill it at its own price.

use bellwether_sdk::{Aggressor, Liquidity, Price, Qty, Side, Trade, Ts};

use super::Sim;
use super::orders::Executed;
use crate::orders::Answer;
use crate::portfolio::PortfolioError;

impl Sim {
    pub(super) fn fill_in_book(&mut self, i: usize) -> Result<(), PortfolioError> {
        self.markets[i].look();
        let mut from = 0;
        while let Some(at) = self.markets[i].unseen(from) {
            let count = self.markets[i].resting.len();
            self.meet_book(i, at)?;
            if self.markets[i].resting.len() == count {
                self.end_if_immediate(i, at);
            }
            from = (at + 1).saturating_sub(count - self.markets[i].resting.len());
        }
        Ok(())
    }

    /// One order looks at the book.
    fn meet_book(&mut self, i: usize, at: usize) -> Result<(), PortfolioError> {
        let side = self.markets[i].resting[at].order.side;
        let Some((best, _)) = self.best_against(i, side) else { return Ok(()) };
        let r = &mut self.markets[i].resting[at];
        if !r.triggered {
            let reached = r.reaches_trigger(best);
            r.triggered = reached;
            r.follow(best);
            if !reached {
                return Ok(());
            }
        }
        let r = *r;
        self.markets[i].resting[at].seen = true;
        if !r.within_limit(best) {
            if let Some(limit) = r.limit() {
                let shown = self.markets[i].book.qty_at(side, limit).mantissa();
                let r = &mut self.markets[i].resting[at];
                r.queue_ahead = r.queue_ahead.min(shown);
            }
            return Ok(());
        }
        let takes = !r.seen || !Self::is_limit(r.order.kind);
        if takes && r.order.post_only {
            self.end(i, at, Answer::Rejected(r.order.id, "post_only_would_take"));
            return Ok(());
        }
        if r.order.tif == bellwether_sdk::TimeInForce::Fok && !self.book_covers(i, &r, best)? {
            self.end(i, at, Answer::Expired(r.order.id, "fok"));
            return Ok(());
        }
        self.walk_levels(i, at, takes)
    }

    /// Takes level after level until the order is done or its limit reached.
    fn walk_levels(&mut self, i: usize, at: usize, takes: bool) -> Result<(), PortfolioError> {
        let id = self.markets[i].resting[at].order.id;
        loop {
            let Some(r) = self.markets[i].resting.get(at).copied().filter(|r| r.order.id == id) else { return Ok(()) };
            let Some((price, shown)) = self.best_against(i, r.order.side) else { return Ok(()) };
            if !r.within_limit(price) {
                return Ok(());
            }
            let (fill_price, liquidity) = if takes {
                (self.slipped(i, &r, price), Liquidity::Taker)
            } else {
                (r.limit().unwrap_or(price), Liquidity::Maker)
            };
            match self.execute(i, at, fill_price, Some(shown), liquidity, Ts::NONE)? {
                Executed::Filled(qty) if !qty.is_zero() => {
                    self.markets[i].book.take(r.order.side.opposite(), price, qty);
                }
                Executed::Filled(_) | Executed::Ended => return Ok(()),
            }
        }
    }

    /// A trade at a resting order's price uses up the queue before it, then fills it.
    pub(super) fn trade_in_queue(&mut self, i: usize, trade: &Trade) -> Result<(), PortfolioError> {
        let mut left = trade.qty.mantissa();
        self.markets[i].look();
        let mut from = 0;
        while left > 0
            && let Some(at) = self.markets[i].unseen(from)
        {
            from = at + 1;
            let r = self.markets[i].resting[at];
            let hits = match (r.order.side, trade.aggressor) {
                (_, Aggressor::Unknown) => true,
                (Side::Buy, aggressor) => aggressor == Aggressor::Seller,
                (Side::Sell, aggressor) => aggressor == Aggressor::Buyer,
            };
            let Some(limit) = r.limit().filter(|_| hits && r.triggered && r.within_limit(trade.price)) else {
                continue;
            };
            if trade.price == limit {
                let used = left.min(r.queue_ahead);
                self.markets[i].resting[at].queue_ahead -= used;
                left -= used;
                if left == 0 {
                    return Ok(());
                }
            }
            let count = self.markets[i].resting.len();
            let done = self.execute(i, at, limit, Some(Qty::from_mantissa(left)), Liquidity::Maker, Ts::NONE)?;
            if let Executed::Filled(qty) = done {
                left -= qty.mantissa();
            }
            from = (at + 1).saturating_sub(count - self.markets[i].resting.len());
        }
        Ok(())
    }

    fn best_against(&self, i: usize, side: Side) -> Option<(Price, Qty)> {
        let book = &self.markets[i].book;
        match side {
            Side::Buy => book.best_ask(),
            Side::Sell => book.best_bid(),
        }
    }

    /// Whether the book holds all that a fill-or-kill order wants within its limit; a notional is sized at the best price.
    fn book_covers(&mut self, i: usize, r: &super::Resting, best: Price) -> Result<bool, PortfolioError> {
        let wanted = match r.qty {
            0 => self.size_notional(i, &r.order, best, self.config.taker[i])?.mantissa(),
            qty => qty - r.filled,
        };
        let within = self.markets[i].book.levels(r.order.side.opposite()).take_while(|(p, _)| r.within_limit(*p));
        let total: i128 = within.map(|(_, q)| i128::from(q.mantissa())).sum();
        Ok(total >= i128::from(wanted))
    }
}
