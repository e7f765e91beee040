//! The limits: what each is called, what it bounds, and what is done when one trips.

use std::collections::BTreeMap;

use bellwether_sdk::{Decimal, InstrumentId, OrderKinds, Rate};
use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::orders::Order;

/// The limits there are. Their names are the settings' keys below `risk`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Limit {
    /// Value of one order, quote currency.
    OrderNotional,
    /// The same, as its strategy declares it of itself.
    Declared,
    /// Position in one instrument, base units.
    PositionQty,
    /// Value of the position in one instrument, quote currency.
    PositionNotional,
    /// Value of the position in one instrument over equity.
    Leverage,
    /// Open orders in one instrument.
    OpenOrders,
    /// Value of all positions without their signs, reporting currency.
    TotalNotional,
    /// The same over equity.
    TotalLeverage,
    /// Open orders in all instruments.
    TotalOpenOrders,
    /// Orders within any 60 seconds.
    OrderRate,
    /// Value of all positions in one base asset, with their signs, reporting currency.
    AssetNotional,
    /// Loss of equity since the start of the UTC day, reporting currency. Trips.
    DailyLoss,
    /// Fall of equity from its peak, per cent of the peak. Trips.
    Drawdown,
    /// Closed trades in a row that lost. Trips.
    LossesInRow,
}

impl Limit {
    /// Its name in settings, reports and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderNotional => "order_notional_max",
            Self::Declared => "declared_notional_max",
            Self::PositionQty => "position_qty_max",
            Self::PositionNotional => "position_notional_max",
            Self::Leverage => "leverage_max",
            Self::OpenOrders => "open_orders_max",
            Self::TotalNotional => "total_notional_max",
            Self::TotalLeverage => "total_leverage_max",
            Self::TotalOpenOrders => "total_open_orders_max",
            Self::OrderRate => "orders_per_minute_max",
            Self::AssetNotional => "asset_notional_max",
            Self::DailyLoss => "daily_loss_max",
            Self::Drawdown => "drawdown_pct_max",
            Self::LossesInRow => "losses_in_row_max",
        }
    }
}

/// What is done when a limit trips. Each does what stands before it too. Orders that only reduce always pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Policy {
    /// No order leaves that could open or enlarge a position.
    #[default]
    StopEntries,
    /// Open orders that could do so are cancelled. What protects a position stays.
    CancelAll,
    /// All orders are cancelled and all positions closed at the market, again and again until they are flat.
    Flatten,
}

impl Policy {
    /// Its name in settings and on the tape.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StopEntries => "stop_entries",
            Self::CancelAll => "cancel_all",
            Self::Flatten => "flatten",
        }
    }
}

/// Limits that one instrument may have of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct InstrumentLimits {
    /// Largest value of one order, in quote currency (settlement currency for inverse contracts).
    pub order_notional_max: Option<Decimal>,
    /// Largest position, in base units.
    pub position_qty_max: Option<Decimal>,
    /// Largest value of the position after the order, in the currency of `order_notional_max`.
    pub position_notional_max: Option<Decimal>,
    /// Largest value of the position over equity.
    pub leverage_max: Option<Decimal>,
    /// Most open orders.
    pub open_orders_max: Option<u32>,
}

impl InstrumentLimits {
    /// These, and where one is missing, the other's.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            order_notional_max: self.order_notional_max.or(other.order_notional_max),
            position_qty_max: self.position_qty_max.or(other.position_qty_max),
            position_notional_max: self.position_notional_max.or(other.position_notional_max),
            leverage_max: self.leverage_max.or(other.leverage_max),
            open_orders_max: self.open_orders_max.or(other.open_orders_max),
        }
    }

    pub(super) const fn weighs_positions(&self) -> bool {
        self.position_qty_max.is_some() || self.position_notional_max.is_some() || self.leverage_max.is_some()
    }
}

/// What a strategy declares that it does at the most, by which it is held; by default anything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Declared {
    /// The only instruments; empty: any.
    pub instruments: Vec<InstrumentId>,
    /// The only kinds of orders.
    pub orders: OrderKinds,
    /// Largest value of one order, in quote currency.
    pub order_notional_max: Option<Decimal>,
}

impl Declared {
    /// Whether an order is of an instrument and a kind that are declared.
    ///
    /// # Errors
    /// The [`Refusal`].
    pub fn check(&self, order: &Order) -> Result<(), Refusal> {
        if !self.instruments.is_empty() && !self.instruments.contains(&order.instrument) {
            return Err(Refusal::InstrumentUndeclared);
        }
        if self.orders.allow(order.kind) { Ok(()) } else { Err(Refusal::KindUndeclared(order.kind.into())) }
    }
}

/// Limits; `None` means none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// Of every instrument.
    pub each: InstrumentLimits,
    /// Of single instruments, before those of all.
    pub own: BTreeMap<InstrumentId, InstrumentLimits>,
    /// Largest value of all positions together, signs aside, in reporting currency.
    pub total_notional_max: Option<Decimal>,
    /// The same over equity.
    pub total_leverage_max: Option<Decimal>,
    /// Most open orders over all instruments.
    pub total_open_orders_max: Option<u32>,
    /// Largest value of all positions in a base asset, by its code, in reporting currency.
    pub asset_notional_max: BTreeMap<String, Decimal>,
    /// Most orders within any 60 seconds of engine time.
    pub orders_per_minute_max: Option<u32>,
    /// Furthest that a buy's price may be above the best offer, or a sell's below the best bid, as a fraction of it.
    pub price_collar_max: Option<Rate>,
    /// Largest distance of an instrument's price from its second source's, as a fraction of the latter.
    pub price_gap_max: Option<Rate>,
    /// Oldest that an instrument's price may be when an order is made, nanoseconds of engine time.
    pub price_age_ns_max: Option<i64>,
    /// Most orders of unknown outcome at one time with which new ones are made.
    pub unknown_orders_max: Option<u32>,
    /// So long after a stop-loss or trailing stop closed a position nothing is opened in its instrument, nanoseconds.
    pub cooldown_ns: i64,
    /// Largest loss of equity since the start of the UTC day, in reporting currency, open positions at their marks.
    pub daily_loss_max: Option<Decimal>,
    /// Largest fall of equity from its peak, per cent of the peak.
    pub drawdown_pct_max: Option<Decimal>,
    /// Most closed trades in a row that lost.
    pub losses_in_row_max: Option<u32>,
    /// Whether a spot sale must be covered by the position, together with all sales that are open: a spot venue sells what it
    /// is told to, ours or not.
    pub covered_sales: bool,
    /// What strategies declare, by their places; those beyond the end declare nothing.
    pub declared: Vec<Declared>,
    /// What is done when one of the three before that trips.
    pub on_trip: Policy,
}

impl Limits {
    /// Those of an instrument.
    pub fn of(&self, instrument: InstrumentId) -> InstrumentLimits {
        match self.own.get(&instrument) {
            Some(own) => own.or(self.each),
            None => self.each,
        }
    }

    /// What a strategy declares of itself.
    pub fn declared_by(&self, strategy: u16) -> Option<&Declared> {
        self.declared.get(usize::from(strategy))
    }

    /// Whether orders that are open in the same instrument must be known to judge another.
    pub fn weighs_pending(&self) -> bool {
        self.weighs_others()
            || self.each.weighs_positions()
            || self.own.values().any(InstrumentLimits::weighs_positions)
    }

    /// Whether positions in other instruments must be known to judge an order.
    pub fn weighs_others(&self) -> bool {
        self.total_notional_max.is_some() || self.total_leverage_max.is_some() || !self.asset_notional_max.is_empty()
    }

    /// Whether equity is watched at every event.
    pub const fn watches_equity(&self) -> bool {
        self.daily_loss_max.is_some() || self.drawdown_pct_max.is_some()
    }
}
