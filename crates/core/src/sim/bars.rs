//! Fills against bars: `next-open@1`, `close@1`, `ohlc-path@1`.
//!
//! A bar comes twice: its open print at the open time, and as a whole at its close. Between the two only its range is
//! known. Rules, per profile:
//!
//! | | `next-open@1` | `close@1` | `ohlc-path@1` |
//! |---|---|---|---|
//! | market, decided at a close | next open | that close | that close |
//! | stop, open beyond it | open | open | open |
//! | stop, range reaches it | trigger | trigger | trigger |
//! | limit, open beyond it | open | open | limit |
//! | limit, range reaches it (touch counts) | limit | limit | limit |
//! | stop and target in one bar | stop | stop | whichever the path meets first |
//!
//! A stop-limit whose limit lies before its trigger waits for the next bar. A stop that protects an entry filled inside
//! the same bar fills if the bar's range reaches it at all; a target does not fill in that bar. A trailing stop is
//! tested before it follows the bar's extreme; then once more against the close, which surely came later.

use bellwether_sdk::{Bar, Liquidity, OrderKind, Price, Side, Ts};
use serde::{Deserialize, Serialize};

use super::account::adverse_extreme;
use super::orders::{Executed, Resting};
use super::{Print, Profile, Sim};
use crate::orders::Answer;
use crate::portfolio::PortfolioError;

/// How far the walk through a complete bar has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// `next-open@1`, `close@1`: stops of the range.
    Stops,
    /// Then limits of the range.
    Limits,
    /// Then what the close decides.
    Close,
    /// `ohlc-path@1`: on the leg to this corner.
    Leg(usize),
    /// Nothing more.
    Done,
}

/// A complete bar whose fills are being worked out, one at a time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct BarWalk {
    bar: Bar,
    stage: Stage,
    /// Where the path is (`ohlc-path@1`).
    at: Price,
    corners: [Price; 3],
}

impl BarWalk {
    pub(super) fn new(bar: &Bar, profile: Profile, nearest_first: bool) -> Self {
        let (up, down) = (bar.high.mantissa() - bar.open.mantissa(), bar.open.mantissa() - bar.low.mantissa());
        let high_first = !nearest_first || up < down;
        let corners = if high_first { [bar.high, bar.low, bar.close] } else { [bar.low, bar.high, bar.close] };
        let stage = if profile == Profile::OhlcPath { Stage::Leg(0) } else { Stage::Stops };
        Self { bar: *bar, stage, at: bar.open, corners }
    }
}

impl Sim {
    /// The open print: what waits for it fills, what it gaps over fills. With several instruments the prints of one
    /// moment come one after the other: what makes a position smaller fills at its print, the rest when all have been
    /// seen ([`Sim::settle_prints`]), so that an exit pays for an entry whichever of the two is printed first.
    pub(super) fn print_open(&mut self, i: usize, open: Price, bar_ts: Ts) -> Result<(), PortfolioError> {
        if self.expiries {
            self.expire(bar_ts);
        }
        let alone = self.markets.len() == 1;
        self.markets[i].look();
        let mut from = 0;
        while let Some(at) = self.markets[i].unseen(from) {
            let count = self.markets[i].resting.len();
            if alone || self.reduces(i, at) {
                self.meet_print(i, at, open, bar_ts)?;
            } else {
                self.prints.push(Print { order: self.markets[i].resting[at].order.id, market: i, open, bar_ts });
            }
            from = (at + 1).saturating_sub(count - self.markets[i].resting.len());
        }
        Ok(())
    }

    /// All open prints of a moment have been seen: what they left waiting meets them, in the order it was placed.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    pub(crate) fn settle_prints(&mut self) -> Result<(), PortfolioError> {
        let mut prints = std::mem::take(&mut self.prints);
        prints.sort_unstable_by_key(|p| p.order);
        for Print { order, market, open, bar_ts } in prints.drain(..) {
            if let Some(at) = self.markets[market].resting.iter().position(|r| r.order.id == order) {
                self.meet_print(market, at, open, bar_ts)?;
            }
        }
        self.prints = prints;
        Ok(())
    }

    /// Whether an order can only make the position of its instrument smaller.
    fn reduces(&self, i: usize, at: usize) -> bool {
        let r = &self.markets[i].resting[at];
        let held = self.ledger.position(r.order.instrument).qty.mantissa();
        let against = held.signum() == -r.order.side.sign();
        against && (r.order.reduce_only || (r.qty > 0 && r.qty - r.filled <= held.abs()))
    }

    /// One order meets an open print.
    fn meet_print(&mut self, i: usize, at: usize, open: Price, bar_ts: Ts) -> Result<(), PortfolioError> {
        let r = &mut self.markets[i].resting[at];
        r.born_in_bar = false;
        if r.reaches_trigger(open) {
            r.triggered = true;
        } else {
            r.follow(open);
        }
        if r.triggered && r.within_limit(open) {
            self.fill_at_print(i, at, open, bar_ts)?;
        } else {
            r.seen = true;
            self.end_if_immediate(i, at);
        }
        Ok(())
    }

    /// Fills an order that a print satisfies.
    fn fill_at_print(&mut self, i: usize, at: usize, print: Price, bar_ts: Ts) -> Result<Executed, PortfolioError> {
        let r = &self.markets[i].resting[at];
        if r.order.post_only && !r.seen {
            let id = r.order.id;
            self.end(i, at, Answer::Rejected(id, "post_only_would_take"));
            return Ok(Executed::Ended);
        }
        match r.limit().filter(|_| r.seen && self.config.profile == Profile::OhlcPath) {
            Some(limit) => self.execute(i, at, limit, None, Liquidity::Maker, bar_ts),
            None => {
                let price = self.slipped(i, r, print);
                self.execute(i, at, price, None, Liquidity::Taker, bar_ts)
            }
        }
    }

    /// `close@1` and `ohlc-path@1`: an order made at a bar's close meets the price of that close.
    pub(super) fn fill_on_arrival(&mut self, i: usize, ts: Ts) -> Result<(), PortfolioError> {
        let market = &self.markets[i];
        let Some(at) = market.resting.len().checked_sub(1) else { return Ok(()) };
        let r = market.resting[at];
        let print = match &market.walk {
            // Inside a walked bar only the path knows where the price is.
            Some(walk) if self.config.profile == Profile::OhlcPath => walk.at,
            Some(_) => return Ok(()),
            None => market.last,
        };
        let fresh = ts == self.now && !print.is_zero();
        if !fresh || matches!(r.order.kind, OrderKind::TrailingStop { .. }) {
            return Ok(());
        }
        if r.reaches_trigger(print) {
            self.markets[i].resting[at].triggered = true;
        }
        let r = self.markets[i].resting[at];
        if r.triggered && r.within_limit(print) {
            let bar_ts = market_bar(&self.markets[i]);
            self.fill_at_print(i, at, print, bar_ts)?;
            return Ok(());
        }
        self.markets[i].resting[at].seen = true;
        self.end_if_immediate(i, at);
        Ok(())
    }

    /// Goes on with the walk through a complete bar until something fills or the bar is done.
    pub(super) fn walk_bar(&mut self, i: usize) -> Result<(), PortfolioError> {
        while self.answers.is_empty() {
            let Some(walk) = self.markets[i].walk else { return Ok(()) };
            let next = match walk.stage {
                Stage::Stops => self.walk_stops(i, &walk)?,
                Stage::Limits => self.walk_limits(i, &walk)?,
                Stage::Close => self.walk_close(i, &walk)?,
                Stage::Leg(leg) => self.walk_leg(i, &walk, leg)?,
                Stage::Done => {
                    self.markets[i].walk = None;
                    let bar = walk.bar;
                    return self.saw(i, bar.close, bar.volume, bar.ts_open);
                }
            };
            if let Some(walk) = &mut self.markets[i].walk {
                walk.stage = next;
            }
        }
        Ok(())
    }

    fn walk_stops(&mut self, i: usize, walk: &BarWalk) -> Result<Stage, PortfolioError> {
        let bar = &walk.bar;
        let reached = |r: &Resting| {
            let known = if r.born_in_bar { r.order.is_protective_stop() } else { r.ts <= bar.ts_open };
            known && r.trigger().is_some_and(|t| bar.low <= t && t <= bar.high) && stop_limit_is_clear(r)
        };
        if let Some(at) = self.markets[i].resting.iter().position(reached) {
            let r = self.markets[i].resting[at];
            let trigger = r.trigger().unwrap_or(bar.open);
            self.markets[i].resting[at].triggered = true;
            let price = self.slipped(i, &r, trigger);
            self.execute(i, at, price, None, Liquidity::Taker, bar.ts_open)?;
            return Ok(Stage::Stops);
        }
        self.trigger_unclear_stop_limits(i, bar);
        self.reach(i, adverse_extreme(bar, self.ledger.position(bar.instrument).qty), bar.ts_open)?;
        Ok(Stage::Limits)
    }

    /// A stop-limit whose limit the bar may have met before the trigger: awake from the next bar on.
    fn trigger_unclear_stop_limits(&mut self, i: usize, bar: &Bar) {
        for r in &mut self.markets[i].resting {
            let reached =
                !r.born_in_bar && r.ts <= bar.ts_open && r.trigger().is_some_and(|t| bar.low <= t && t <= bar.high);
            if reached && matches!(r.order.kind, OrderKind::StopLimit { .. }) {
                r.triggered = true;
                r.seen = true;
                r.ts = bar.ts_close;
            }
        }
    }

    fn walk_limits(&mut self, i: usize, walk: &BarWalk) -> Result<Stage, PortfolioError> {
        let bar = &walk.bar;
        let reached = |r: &Resting| {
            !r.born_in_bar
                && r.ts <= bar.ts_open
                && r.triggered
                && r.limit().is_some_and(|l| match r.order.side {
                    Side::Buy => bar.low <= l,
                    Side::Sell => bar.high >= l,
                })
        };
        if let Some(at) = self.markets[i].resting.iter().position(reached) {
            if let Some(limit) = self.markets[i].resting[at].limit() {
                self.execute(i, at, limit, None, Liquidity::Maker, bar.ts_open)?;
            }
            return Ok(Stage::Limits);
        }
        Ok(Stage::Close)
    }

    /// Trailing stops follow the bar and meet its close; `close@1` fills what waited for a close.
    fn walk_close(&mut self, i: usize, walk: &BarWalk) -> Result<Stage, PortfolioError> {
        let bar = &walk.bar;
        for r in &mut self.markets[i].resting {
            if !r.born_in_bar && r.ts <= bar.ts_open {
                r.follow(if r.order.side == Side::Sell { bar.high } else { bar.low });
            } else {
                r.follow(bar.close);
            }
        }
        let trailed = |r: &Resting| {
            !r.born_in_bar && r.reaches_trigger(bar.close) && matches!(r.order.kind, OrderKind::TrailingStop { .. })
        };
        if let Some(at) = self.markets[i].resting.iter().position(trailed) {
            let r = self.markets[i].resting[at];
            let trigger = r.trigger().map_or(bar.close, |t| t.max(bar.low).min(bar.high));
            self.markets[i].resting[at].triggered = true;
            let price = self.slipped(i, &r, trigger);
            self.execute(i, at, price, None, Liquidity::Taker, bar.ts_open)?;
            return Ok(Stage::Close);
        }
        let waits = |r: &Resting| matches!(r.order.kind, OrderKind::Market) && r.ts <= bar.ts_close;
        if self.config.profile == Profile::Close
            && let Some(at) = self.markets[i].resting.iter().position(waits)
        {
            let r = self.markets[i].resting[at];
            let price = self.slipped(i, &r, bar.close);
            self.execute(i, at, price, None, Liquidity::Taker, bar.ts_open)?;
            return Ok(Stage::Close);
        }
        Ok(Stage::Done)
    }

    /// One leg of the four-price path: the order nearest along it fills, at its own price.
    fn walk_leg(&mut self, i: usize, walk: &BarWalk, leg: usize) -> Result<Stage, PortfolioError> {
        let Some(&to) = walk.corners.get(leg) else { return Ok(Stage::Done) };
        let (from, up) = (walk.at, to > walk.at);
        let opened = walk.bar.ts_open;
        let level = |r: &Resting| -> Option<(Price, bool)> {
            // What the latency brought in the middle of the bar has no place on its path.
            if !r.born_in_bar && r.ts > opened {
                return None;
            }
            let (price, is_stop) = match r.trigger() {
                Some(t) => (t, true),
                None => (r.limit()?, false),
            };
            // Rising prices meet buy stops and sell limits, falling ones the others.
            let met_rising = (r.order.side == Side::Buy) == is_stop;
            let on_leg = if up { from <= price && price <= to } else { to <= price && price <= from };
            (met_rising == up && on_leg && from != to).then_some((price, is_stop))
        };
        let distance = |p: Price| (p.mantissa() - from.mantissa()).abs();
        let nearest = self.markets[i]
            .resting
            .iter()
            .enumerate()
            .filter_map(|(at, r)| level(r).map(|(p, is_stop)| (distance(p), !is_stop, at, p)))
            .min();
        let Some((_, is_limit, at, price)) = nearest else {
            self.reach(i, to, walk.bar.ts_open)?;
            if let Some(walk) = &mut self.markets[i].walk {
                walk.at = to;
            }
            self.markets[i].last = to;
            for r in &mut self.markets[i].resting {
                r.follow(to);
            }
            return Ok(if leg + 1 < walk.corners.len() { Stage::Leg(leg + 1) } else { Stage::Done });
        };
        if let Some(walk) = &mut self.markets[i].walk {
            walk.at = price;
        }
        self.markets[i].last = price;
        let r = self.markets[i].resting[at];
        self.markets[i].resting[at].triggered = true;
        self.markets[i].resting[at].seen = true;
        if is_limit {
            self.execute(i, at, price, None, Liquidity::Maker, walk.bar.ts_open)?;
        } else if r.within_limit(price) {
            let slipped = self.slipped(i, &r, price);
            self.execute(i, at, slipped, None, Liquidity::Taker, walk.bar.ts_open)?;
        }
        Ok(Stage::Leg(leg))
    }
}

/// Whether a stop-limit (or anything else) can fill at its trigger: its limit does not lie before it.
fn stop_limit_is_clear(r: &Resting) -> bool {
    match r.order.kind {
        OrderKind::StopLimit { trigger, .. } => r.within_limit(trigger),
        _ => true,
    }
}

fn market_bar(market: &super::Market) -> Ts {
    market.walk.map_or(market.bar_ts, |w| w.bar.ts_open)
}
