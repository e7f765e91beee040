//! The limits of the risk guard, as settings.

use std::collections::BTreeMap;

use bellwether_sdk::{Decimal, Symbol};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::{NumberForm, decimal_option};

/// Limits of the risk guard; absent means none. Values of single instruments are in quote currency.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RiskSettings {
    /// Largest value of one order, in quote currency.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub order_notional_max: Option<Decimal>,
    /// Largest position in one instrument, in base units.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub position_qty_max: Option<Decimal>,
    /// Largest value of the position in one instrument, in quote currency, with all that is open filled.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub position_notional_max: Option<Decimal>,
    /// Largest value of the position in one instrument over equity.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub leverage_max: Option<Decimal>,
    /// Most open orders in one instrument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_orders_max: Option<u32>,
    /// Largest value of all positions together, signs aside, in reporting currency.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub total_notional_max: Option<Decimal>,
    /// The same over equity.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub total_leverage_max: Option<Decimal>,
    /// Most open orders over all instruments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_open_orders_max: Option<u32>,
    /// Largest value of all positions in a base asset, by its code, in reporting currency.
    #[schemars(with = "BTreeMap<String, NumberForm>")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub asset_notional_max: BTreeMap<String, Amount>,
    /// Most orders within any 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders_per_minute_max: Option<u32>,
    /// Furthest that a limit price may cross the quote, basis points.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub price_collar_bps_max: Option<Decimal>,
    /// Largest distance of a price from its second source's, basis points; beyond it only orders that reduce are let
    /// through.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub price_gap_bps_max: Option<Decimal>,
    /// Oldest that a price may be when an order is made, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_age_ms_max: Option<u32>,
    /// Largest distance of the venue's clock from ours, milliseconds; beyond it entries are held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew_ms_max: Option<u32>,
    /// Most orders of unknown outcome at one time with which new ones are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_orders_max: Option<u32>,
    /// Seconds after a stop closed a position in which nothing is opened in its instrument.
    pub cooldown_s: u32,
    /// Largest loss of equity since the start of the UTC day, in reporting currency. Trips.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub daily_loss_max: Option<Decimal>,
    /// Largest fall of equity from its peak, per cent with at most two digits after the point. Trips.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub drawdown_pct_max: Option<Decimal>,
    /// Most closed trades in a row that lost. Trips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub losses_in_row_max: Option<u32>,
    /// What is done when a limit trips.
    pub on_trip: OnTrip,
    /// Limits of single instruments, before those of all.
    #[schemars(with = "BTreeMap<String, OwnLimits>")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub instrument: BTreeMap<Symbol, OwnLimits>,
}

/// Limits that one instrument has of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OwnLimits {
    /// Largest value of one order, in quote currency.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub order_notional_max: Option<Decimal>,
    /// Largest position, in base units.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub position_qty_max: Option<Decimal>,
    /// Largest value of the position, in quote currency.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub position_notional_max: Option<Decimal>,
    /// Largest value of the position over equity.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub leverage_max: Option<Decimal>,
    /// Most open orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_orders_max: Option<u32>,
}

/// An amount: a number or its text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(#[serde(deserialize_with = "super::settings::decimal")] pub Decimal);

/// What is done when a limit trips.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTrip {
    /// Nothing is opened or enlarged any more.
    #[default]
    StopEntries,
    /// And open orders that could do so are cancelled; what protects a position stays.
    CancelAll,
    /// All orders are cancelled and all positions closed at the market.
    Flatten,
}
