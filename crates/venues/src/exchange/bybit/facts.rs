//! What is fixed of Bybit, and the table of what differs between its products.

use bellwether_sdk::Decimal;

use crate::exchange::{BookRule, Continuity, Facts, Heartbeat, Product, SnapshotBy, Urls};

/// What differs between spot and linear.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    /// The product.
    pub product: Product,
    /// The `category` of requests and rows.
    pub category: &'static str,
    /// Most trades in one answer.
    pub trades_max: u32,
    /// Most orders in one request.
    pub batch_max: u32,
    /// Orders per ten seconds.
    pub orders_per_10s: u32,
    /// Maker and taker fee of those who are no VIP, in basis points (Bybit's help centre, "Trading Fee Structure",
    /// November 2026).
    pub fees_bps: (Decimal, Decimal),
    /// What the private stream is asked for.
    pub account_topics: &'static [&'static str],
}

impl Table {
    /// The table of a product.
    pub(super) const fn of(product: Product) -> Self {
        match product {
            Product::Spot => Self {
                product,
                category: "spot",
                trades_max: 60,
                batch_max: 10,
                orders_per_10s: 200,
                fees_bps: (Decimal::new(10, 0), Decimal::new(10, 0)),
                account_topics: &["order", "execution", "wallet"],
            },
            Product::Linear => Self {
                product,
                category: "linear",
                trades_max: 1000,
                batch_max: 20,
                orders_per_10s: 100,
                fees_bps: (Decimal::new(2, 0), Decimal::new(55, 1)),
                account_topics: &["order", "execution", "position", "wallet"],
            },
        }
    }
}

/// Minutes and words of the bars that Bybit makes. (Its months have no fixed length.)
pub(super) const INTERVALS: &[(i64, &str)] = &[
    (1, "1"),
    (3, "3"),
    (5, "5"),
    (15, "15"),
    (30, "30"),
    (60, "60"),
    (120, "120"),
    (240, "240"),
    (360, "360"),
    (720, "720"),
    (1440, "D"),
    (10_080, "W"),
];

/// The receive window in milliseconds: a request that comes later is not carried out.
pub(super) const WINDOW_MS: &str = "5000";

fn urls(rest: &str, stream: &str, category: &str) -> Urls {
    Urls {
        rest: format!("https://{rest}"),
        market: format!("wss://{stream}/v5/public/{category}"),
        account: format!("wss://{stream}/v5/private"),
        trade: format!("wss://{stream}/v5/trade"),
    }
}

/// What is fixed of a product.
pub(super) fn facts(product: Product, table: &Table) -> Facts {
    Facts {
        venue: "bybit",
        product,
        urls: urls("api.bybit.com", "stream.bybit.com", table.category),
        testnet: Some(urls("api-testnet.bybit.com", "stream-testnet.bybit.com", table.category)),
        book: BookRule { continuity: Continuity::Numbers, snapshot: SnapshotBy::Stream, truncate: false },
        heartbeat: Heartbeat { say: Some((r#"{"op":"ping"}"#.to_owned(), 20_000)), dead_after_ms: 45_000 },
        connection_life_ms: None,
        // 600 requests in 5 s per address.
        weight_per_minute: 7200,
        orders_per_10s: table.orders_per_10s,
        fees_bps: Some(table.fees_bps),
        act_count: None,
        says_per_second: 20,
        ticket: None,
        account_on_trade: false,
        signed_in_turn: false,
        cancel_replace: false,
        amend: true,
        batch_max: table.batch_max,
        // The receive window, and the time that an accepted order takes to be seen by queries.
        bars_page: super::rest::BARS_MAX,
        bars_kept: None,
        balance_is_wallet: true,
        settle_ms: 7000,
    }
}
