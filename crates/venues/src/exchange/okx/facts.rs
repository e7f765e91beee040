//! What is fixed of OKX, and the table of what differs between its products.

use bellwether_sdk::Decimal;

use crate::exchange::{BookRule, Continuity, Facts, Heartbeat, Product, SnapshotBy, Urls};

/// What differs between spot and swaps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    /// The product.
    pub product: Product,
    /// The `instType` of requests and subscriptions.
    pub kind: &'static str,
    /// How orders are paid for: own cash, or margin shared by all positions.
    pub mode: &'static str,
    /// Maker and taker fee of a regular user of the first level, in basis points (okx.com/fees, November 2026).
    pub fees_bps: (Decimal, Decimal),
}

impl Table {
    /// The table of a product.
    pub(super) const fn of(product: Product) -> Self {
        match product {
            Product::Spot => {
                Self { product, kind: "SPOT", mode: "cash", fees_bps: (Decimal::new(8, 0), Decimal::new(10, 0)) }
            }
            Product::Linear => {
                Self { product, kind: "SWAP", mode: "cross", fees_bps: (Decimal::new(2, 0), Decimal::new(5, 0)) }
            }
        }
    }
}

/// Minutes and words of the bars that OKX makes; from six hours on the plain words mean days of Hong Kong.
pub(super) const INTERVALS: &[(i64, &str)] = &[
    (1, "1m"),
    (3, "3m"),
    (5, "5m"),
    (15, "15m"),
    (30, "30m"),
    (60, "1H"),
    (120, "2H"),
    (240, "4H"),
    (360, "6Hutc"),
    (720, "12Hutc"),
    (1440, "1Dutc"),
    (2880, "2Dutc"),
    (4320, "3Dutc"),
    (10_080, "1Wutc"),
];

/// After so many milliseconds a request on its way is dropped by the venue.
pub(super) const EXPIRES_MS: i64 = 5000;

fn urls(socket: &str) -> Urls {
    Urls {
        rest: "https://www.okx.com".to_owned(),
        market: format!("wss://{socket}:8443/ws/v5/public"),
        account: format!("wss://{socket}:8443/ws/v5/private"),
        trade: format!("wss://{socket}:8443/ws/v5/private"),
    }
}

/// What is fixed of a product.
pub(super) fn facts(product: Product) -> Facts {
    Facts {
        venue: "okx",
        product,
        urls: urls("ws.okx.com"),
        testnet: Some(urls("wspap.okx.com")),
        book: BookRule { continuity: Continuity::Numbers, snapshot: SnapshotBy::Stream, truncate: false },
        // The server closes after 30 s of silence.
        heartbeat: Heartbeat { say: Some(("ping".to_owned(), 20_000)), dead_after_ms: 45_000 },
        connection_life_ms: None,
        // The narrowest of the questions asked while running: 10 in 2 s.
        weight_per_minute: 300,
        // 60 in 2 s per instrument.
        orders_per_10s: 300,
        fees_bps: Some(Table::of(product).fees_bps),
        act_count: None,
        says_per_second: 20,
        ticket: None,
        account_on_trade: false,
        signed_in_turn: false,
        cancel_replace: false,
        amend: true,
        batch_max: 20,
        bars_page: super::rest::PAGE,
        bars_kept: None,
        balance_is_wallet: true,
        settle_ms: 7000,
    }
}
