//! Where a strategy of signals stands.

use serde::{Deserialize, Serialize};

use crate::{Direction, Fill, OrderState, OrderUpdate, Role};

/// What a strategy wished last, and what came of it. A wish can come to nothing: the warm-up is not over, the guard or
/// the venue refuses the order, there is no money. Whoever remembers only the wish waits for ever to leave what it never
/// entered.
///
/// ```
/// use bellwether_sdk::{Direction, InstrumentId, OrderId, OrderState, OrderUpdate, Stance, Ts};
///
/// let mut stance = Stance::default();
/// stance.wish(Direction::Long);
/// assert_eq!(stance.wished(), Direction::Long);
/// let (order, instrument, ts) = (OrderId(0), InstrumentId(0), Ts::from_nanos(0));
/// stance.told(&OrderUpdate { order, instrument, ts, state: OrderState::Rejected, reason: "warm_up" });
/// assert_eq!(stance.wished(), Direction::Flat);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stance {
    wish: Direction,
    held: Direction,
}

impl Default for Stance {
    fn default() -> Self {
        Self { wish: Direction::Flat, held: Direction::Flat }
    }
}

impl Stance {
    /// Where the last signal that was not refused wanted to be.
    pub fn wished(&self) -> Direction {
        self.wish
    }

    /// A signal is given.
    pub fn wish(&mut self, direction: Direction) {
        self.wish = direction;
    }

    /// To be called in `on_fill`: the wish is fulfilled, or a protective order closed what was held.
    pub fn filled(&mut self, fill: &Fill) {
        self.held = if fill.role == Role::Signal { self.wish } else { Direction::Flat };
    }

    /// To be called in `on_order`: a wish that was refused is none.
    pub fn told(&mut self, update: &OrderUpdate) {
        if update.state == OrderState::Rejected {
            self.forget();
        }
    }

    /// The wish is given up: from now on what is held counts.
    pub fn forget(&mut self) {
        self.wish = self.held;
    }
}
