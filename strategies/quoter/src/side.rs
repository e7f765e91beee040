//! The one order of one side: where it is in its life, and what to do about it.

use bellwether_sdk::serde::{Deserialize, Serialize};
use bellwether_sdk::{OrderId, Price};

/// One side's order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(crate = "bellwether_sdk::serde")]
pub(crate) struct Resting {
    order: Option<OrderId>,
    /// Its price; without an order the price last refused, or zero.
    price: Price,
    cancelling: bool,
}

/// What to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Keep,
    /// End the order.
    Cancel(OrderId),
    /// Place one at this price.
    Place(Price),
}

impl Resting {
    /// What to do to stand at `wanted` (`None`: not to stand at all), given that being off by the fraction `slack` is
    /// near enough.
    pub(crate) fn step(&mut self, wanted: Option<Price>, slack: f64) -> Step {
        let apart = |price: Price| {
            let off = (price.mantissa() - self.price.mantissa()).abs();
            off as f64 > slack * self.price.mantissa() as f64
        };
        match (self.order, wanted) {
            (Some(_), _) if self.cancelling => Step::Keep,
            (Some(_), Some(price)) if !apart(price) => Step::Keep,
            (Some(order), _) => {
                // The next one waits for the answer: until then this one may still fill.
                self.cancelling = true;
                Step::Cancel(order)
            }
            (None, Some(price)) if apart(price) => Step::Place(price),
            (None, _) => Step::Keep,
        }
    }

    pub(crate) fn placed(&mut self, order: OrderId, price: Price) {
        *self = Self { order: Some(order), price, cancelling: false };
    }

    /// Takes note that an order has ended; a refused price is not tried again.
    pub(crate) fn ended(&mut self, order: OrderId, refused: bool) {
        if self.order == Some(order) {
            let price = if refused { self.price } else { Price::ZERO };
            *self = Self { order: None, price, cancelling: false };
        }
    }

    pub(crate) fn is_resting(&self) -> bool {
        self.order.is_some() && !self.cancelling
    }
}
