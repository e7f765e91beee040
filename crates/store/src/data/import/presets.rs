//! Column orders of the archives of Binance and Tardis.
//!
//! Binance: <https://github.com/binance/binance-public-data> (klines, trades, aggTrades, bookTicker, fundingRate; with
//! and without header; milliseconds, spot from 2025 on microseconds). Tardis: <https://docs.tardis.dev/downloadable-csv-files>.

use std::path::Path;

use bellwether_sdk::Interval;

use super::plan::{Plan, Role, listed};
use crate::data::error::DataError;
use crate::data::time::TimeUnit;
use crate::market::Kind;

const ARCHIVE_UNITS: &[TimeUnit] = &[TimeUnit::Ms, TimeUnit::Us];

/// A known layout: what marks its header, its kind and its columns.
struct Layout {
    name: &'static str,
    kind: Kind,
    roles: &'static [Option<Role>],
}

const fn r(role: Role) -> Option<Role> {
    Some(role)
}

const KLINES: Layout = Layout {
    name: "binance-klines",
    kind: Kind::Bars(Interval::MINUTE),
    roles: &[
        r(Role::Ts),
        r(Role::Open),
        r(Role::High),
        r(Role::Low),
        r(Role::Close),
        r(Role::Volume),
        r(Role::CloseTime),
        r(Role::QuoteVolume),
        r(Role::Trades),
        r(Role::TakerBase),
        r(Role::TakerQuote),
        None,
    ],
};

const SPOT_TRADES: Layout = Layout {
    name: "binance-trades",
    kind: Kind::Trades,
    roles: &[r(Role::Id), r(Role::Price), r(Role::Qty), None, r(Role::Ts), r(Role::BuyerIsMaker), None],
};

const UM_TRADES: Layout = Layout {
    name: "binance-trades",
    kind: Kind::Trades,
    roles: &[r(Role::Id), r(Role::Price), r(Role::Qty), None, r(Role::Ts), r(Role::BuyerIsMaker)],
};

const AGG_TRADES: Layout = Layout {
    name: "binance-aggTrades",
    kind: Kind::Trades,
    roles: &[r(Role::Id), r(Role::Price), r(Role::Qty), None, None, r(Role::Ts), r(Role::BuyerIsMaker), None],
};

const BOOK_TICKER: Layout = Layout {
    name: "binance-bookTicker",
    kind: Kind::Quotes,
    roles: &[r(Role::UpdateId), r(Role::Bid), r(Role::BidQty), r(Role::Ask), r(Role::AskQty), r(Role::Ts), None],
};

const FUNDING: Layout =
    Layout { name: "binance-fundingRate", kind: Kind::Funding, roles: &[r(Role::Ts), None, r(Role::Rate)] };

const TARDIS_TRADES: Layout = Layout {
    name: "tardis-trades",
    kind: Kind::Trades,
    roles: &[
        None,
        r(Role::Symbol),
        r(Role::TsVenue),
        r(Role::Ts),
        r(Role::Id),
        r(Role::Side),
        r(Role::Price),
        r(Role::Qty),
    ],
};

const TARDIS_L2: Layout = Layout {
    name: "tardis-incremental_book_L2",
    kind: Kind::Depth,
    roles: &[
        None,
        r(Role::Symbol),
        r(Role::TsVenue),
        r(Role::Ts),
        r(Role::Snapshot),
        r(Role::Side),
        r(Role::Price),
        r(Role::Qty),
    ],
};

fn number(field: &str) -> bool {
    !field.is_empty() && field.bytes().all(|c| c.is_ascii_digit())
}

fn boolean(field: &str) -> bool {
    matches!(field.to_ascii_lowercase().as_str(), "true" | "false")
}

/// The layout of a Binance archive file by its first line, and whether that is a header.
fn binance_layout(first: &[&str]) -> Option<(&'static Layout, bool)> {
    let header = first.first().is_some_and(|f| f.bytes().any(|c| c.is_ascii_alphabetic()));
    if header {
        let layout = match (first[0].to_ascii_lowercase().as_str(), first.len()) {
            ("open_time" | "open time", 12) => &KLINES,
            ("agg_trade_id" | "a", 7 | 8) => &AGG_TRADES,
            ("id" | "trade_id", 7) => &SPOT_TRADES,
            ("id" | "trade_id", 6) => &UM_TRADES,
            ("update_id", 7) => &BOOK_TICKER,
            ("calc_time", 3) => &FUNDING,
            _ => return None,
        };
        return Some((layout, true));
    }
    let layout = match first {
        f if f.len() == 12 && number(f[0]) => &KLINES,
        [id, .., maker, best] if first.len() == 7 && number(id) && boolean(maker) && boolean(best) => &SPOT_TRADES,
        [id, .., time, maker] if first.len() == 6 && number(id) && number(time) && boolean(maker) => &UM_TRADES,
        [id, .., maker] if first.len() == 7 && number(id) && boolean(maker) => &AGG_TRADES,
        [id, .., maker, best] if first.len() == 8 && number(id) && boolean(maker) && boolean(best) => &AGG_TRADES,
        [id, .., tx, event] if first.len() == 7 && number(id) && number(tx) && number(event) => &BOOK_TICKER,
        [time, hours, _] if number(time) && number(hours) => &FUNDING,
        _ => return None,
    };
    Some((layout, false))
}

fn plan_of(layout: &Layout, names: Vec<String>) -> Plan {
    Plan::preset(layout.kind, names, layout.roles, layout.name)
}

/// The plan for a Binance archive file, and whether its first line is a header.
pub(super) fn binance(path: &Path, first: &[&str], told: Option<Kind>) -> Result<(Plan, bool), DataError> {
    let (layout, header) = binance_layout(first).ok_or_else(|| DataError::Columns {
        path: path.to_owned(),
        found: format!(
            "its first line has {} columns, {:?}…, which is none of Binance's klines, trades, aggTrades, bookTicker or fundingRate",
            first.len(),
            first.first().unwrap_or(&"")
        ),
        remedy: "import it with --format csv and --columns, or fetch it again".to_owned(),
    })?;
    let fits = told.is_none_or(|k| std::mem::discriminant(&k) == std::mem::discriminant(&layout.kind));
    if !fits {
        return Err(DataError::Columns {
            path: path.to_owned(),
            found: format!(
                "its columns are those of {}, not of {}",
                layout.name,
                told.map_or_else(String::new, |k| k.to_string())
            ),
            remedy: "leave --kind away".to_owned(),
        });
    }
    let names =
        if header { first.iter().map(|f| (*f).to_owned()).collect() } else { layout_names(layout, first.len()) };
    let mut plan = plan_of(layout, names);
    plan.units_allowed = ARCHIVE_UNITS;
    Ok((plan, header))
}

fn layout_names(layout: &Layout, width: usize) -> Vec<String> {
    let name = |i: usize| match layout.roles.get(i).copied().flatten() {
        Some(role) => format!("{} ({role:?})", i + 1).to_lowercase(),
        None => (i + 1).to_string(),
    };
    (0..width).map(name).collect()
}

/// The plan for a Tardis file by its header.
pub(super) fn tardis(path: &Path, first: &[&str]) -> Result<Plan, DataError> {
    let names: Vec<String> = first.iter().map(|f| (*f).to_owned()).collect();
    let layout = [
        (&TARDIS_L2, &["exchange", "symbol", "timestamp", "local_timestamp", "is_snapshot"][..]),
        (&TARDIS_TRADES, &["exchange", "symbol", "timestamp", "local_timestamp", "id", "side"]),
    ];
    let is_it = |(layout, begin): &(&Layout, &[&str])| first.starts_with(begin) && first.len() >= layout.roles.len();
    let Some((layout, _)) = layout.into_iter().find(is_it) else {
        return Err(DataError::Columns {
            path: path.to_owned(),
            found: format!("its header is {}, neither Tardis' incremental_book_L2 nor its trades", listed(&names)),
            remedy: "fetch one of those, or import it with --format csv".to_owned(),
        });
    };
    let mut plan = plan_of(layout, names);
    plan.ts_unit = Some(TimeUnit::Us);
    plan.venue_unit = Some(TimeUnit::Us);
    Ok(plan)
}

/// The plan for freqtrade's columns, which are always the same.
pub(super) fn freqtrade() -> Plan {
    let names = ["date", "open", "high", "low", "close", "volume"].map(str::to_owned).to_vec();
    let roles = [Role::Ts, Role::Open, Role::High, Role::Low, Role::Close, Role::Volume].map(Some);
    Plan::preset(Kind::Bars(Interval::MINUTE), names, &roles, "")
}
