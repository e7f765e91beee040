//! What is fixed of Coinbase.

use bellwether_sdk::Decimal;

use crate::exchange::{BookRule, Continuity, Facts, Heartbeat, Product, SnapshotBy, Urls};

/// The host that tokens are made out to, whatever address requests are sent to.
pub(super) const HOST: &str = "api.coinbase.com";

/// The bars of REST in minutes. Its socket has those of five minutes only.
pub(super) const INTERVALS: &[(i64, &str)] = &[
    (1, "ONE_MINUTE"),
    (5, "FIVE_MINUTE"),
    (15, "FIFTEEN_MINUTE"),
    (30, "THIRTY_MINUTE"),
    (60, "ONE_HOUR"),
    (120, "TWO_HOUR"),
    (240, "FOUR_HOUR"),
    (360, "SIX_HOUR"),
    (1440, "ONE_DAY"),
];

/// What is fixed.
pub(super) fn facts() -> Facts {
    Facts {
        venue: "coinbase",
        product: Product::Spot,
        urls: Urls {
            rest: format!("https://{HOST}"),
            market: "wss://advanced-trade-ws.coinbase.com".to_owned(),
            account: "wss://advanced-trade-ws-user.coinbase.com".to_owned(),
            trade: String::new(),
        },
        testnet: None,
        book: BookRule { continuity: Continuity::Connection, snapshot: SnapshotBy::Stream, truncate: false },
        // The heartbeats channel speaks every second.
        heartbeat: Heartbeat { say: None, dead_after_ms: 15_000 },
        connection_life_ms: None,
        // 10,000 an hour per key is what is documented.
        weight_per_minute: 166,
        orders_per_10s: 100,
        // Below a thousand dollars in thirty days (help.coinbase.com, "Coinbase Advanced fees", November 2026).
        fees_bps: Some((Decimal::new(60, 0), Decimal::new(120, 0))),
        act_count: None,
        says_per_second: 8,
        ticket: None,
        account_on_trade: false,
        signed_in_turn: false,
        cancel_replace: false,
        amend: true,
        batch_max: 1,
        bars_page: super::rest::BARS_MAX,
        bars_kept: None,
        balance_is_wallet: true,
        settle_ms: 10_000,
    }
}
