//! What is fixed of Kraken's spot market (docs.kraken.com, November 2026).

use bellwether_sdk::Decimal;

use crate::exchange::{ActCount, BookRule, Continuity, Facts, Heartbeat, Product, SnapshotBy, Urls};

/// The facts.
///
/// Budgets are those of the lowest account tier: a counter of 15 that falls by a third per second, where private
/// reads count one; here such a read weighs 3 of 60 per minute, a public one 1. What is done about orders counts per
/// pair, up to 60, which falls by one per second; it is all that limits orders.
pub(super) fn spot() -> Facts {
    Facts {
        venue: "kraken",
        product: Product::Spot,
        urls: Urls {
            rest: "https://api.kraken.com".to_owned(),
            market: "wss://ws.kraken.com/v2".to_owned(),
            account: String::new(),
            trade: "wss://ws-auth.kraken.com/v2".to_owned(),
        },
        testnet: None,
        book: BookRule { continuity: Continuity::Checksum, snapshot: SnapshotBy::Stream, truncate: true },
        // Subscribed sockets hear a heartbeat each second; the ping keeps those without a subscription.
        heartbeat: Heartbeat { say: Some((r#"{"method":"ping"}"#.to_owned(), 3_000)), dead_after_ms: 8_000 },
        connection_life_ms: None,
        weight_per_minute: 60,
        orders_per_10s: 100,
        // The first step of the schedule that the answer about pairs gives for each (`fees`, `fees_maker`).
        fees_bps: Some((Decimal::new(25, 0), Decimal::new(40, 0))),
        act_count: Some(ActCount { max: 60, empties_ms: 60_000 }),
        says_per_second: 10,
        // The ticket lives as long as the subscriptions made with it.
        ticket: Some(600_000),
        account_on_trade: true,
        signed_in_turn: true,
        cancel_replace: false,
        amend: true,
        batch_max: 15,
        bars_page: 720,
        bars_kept: Some(720),
        balance_is_wallet: true,
        settle_ms: 5_000,
    }
}
