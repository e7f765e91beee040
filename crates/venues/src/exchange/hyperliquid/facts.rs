//! What is fixed of Hyperliquid's perpetuals (its documents and SDK, November 2026).

use bellwether_sdk::Decimal;

use crate::exchange::{BookRule, Continuity, Facts, Heartbeat, Product, SnapshotBy, Urls};

/// Where the main network is.
fn mainnet() -> Urls {
    Urls {
        rest: "https://api.hyperliquid.xyz".to_owned(),
        market: "wss://api.hyperliquid.xyz/ws".to_owned(),
        account: String::new(),
        trade: "wss://api.hyperliquid.xyz/ws".to_owned(),
    }
}

/// Where the test network is.
fn testnet() -> Urls {
    Urls {
        rest: "https://api.hyperliquid-testnet.xyz".to_owned(),
        market: "wss://api.hyperliquid-testnet.xyz/ws".to_owned(),
        account: String::new(),
        trade: "wss://api.hyperliquid-testnet.xyz/ws".to_owned(),
    }
}

/// The facts; those of the test network name it in `urls` too.
pub(super) fn linear(on_mainnet: bool) -> Facts {
    Facts {
        venue: "hyperliquid",
        product: Product::Linear,
        urls: if on_mainnet { mainnet() } else { testnet() },
        testnet: Some(testnet()),
        book: BookRule { continuity: Continuity::Snapshots, snapshot: SnapshotBy::Stream, truncate: false },
        // The venue closes what was silent for a minute.
        heartbeat: Heartbeat { say: Some((r#"{"method":"ping"}"#.to_owned(), 20_000)), dead_after_ms: 45_000 },
        connection_life_ms: None,
        weight_per_minute: 1_200,
        // There is no limit per time but one per traded value; this keeps below 100 requests in flight.
        orders_per_10s: 100,
        // Tier 0 (hyperliquid.gitbook.io/hyperliquid-docs/trading/fees, November 2026).
        fees_bps: Some((Decimal::new(15, 1), Decimal::new(45, 1))),
        act_count: None,
        // 2000 per minute.
        says_per_second: 30,
        ticket: None,
        account_on_trade: true,
        signed_in_turn: false,
        cancel_replace: true,
        // Its "modify" wants the whole new order: that is a cancel-replace.
        amend: false,
        batch_max: 40,
        bars_page: 5_000,
        bars_kept: Some(5_000),
        balance_is_wallet: false,
        settle_ms: 5_000,
    }
}
