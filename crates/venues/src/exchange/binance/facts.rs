//! Where Binance's products are, and what the shared machine must know of them.

use bellwether_sdk::Decimal;

use super::super::{BookRule, Continuity, Facts, Heartbeat, Product, SnapshotBy, Urls};

/// Connections are cut after a day.
const DAY_MS: u64 = 86_400_000;

/// Spot.
pub(super) fn spot() -> Facts {
    Facts {
        venue: "binance",
        product: Product::Spot,
        urls: Urls {
            rest: "https://api.binance.com".to_owned(),
            market: "wss://stream.binance.com:9443".to_owned(),
            account: String::new(),
            trade: "wss://ws-api.binance.com:443/ws-api/v3".to_owned(),
        },
        testnet: Some(Urls {
            rest: "https://testnet.binance.vision".to_owned(),
            market: "wss://stream.testnet.binance.vision".to_owned(),
            account: String::new(),
            trade: "wss://ws-api.testnet.binance.vision/ws-api/v3".to_owned(),
        }),
        // Fewer levels would cost less, but what lies beyond the snapshot is unknown until it changes: on a tick of a
        // cent a thousand levels are gone within a minute.
        book: numbered(5000),
        // The venue pings every 20 s.
        heartbeat: Heartbeat { say: None, dead_after_ms: 60_000 },
        connection_life_ms: Some(DAY_MS),
        weight_per_minute: 6000,
        orders_per_10s: 100,
        // A regular user, without a discount for paying in BNB (binance.com/en/fee/trading, November 2026).
        fees_bps: Some((Decimal::new(10, 0), Decimal::new(10, 0))),
        act_count: None,
        says_per_second: 5,
        ticket: None,
        account_on_trade: true,
        signed_in_turn: false,
        cancel_replace: true,
        amend: false,
        batch_max: 1,
        bars_page: 1_000,
        bars_kept: None,
        balance_is_wallet: true,
        // The matching engine gives up after ten seconds.
        settle_ms: 10_000,
    }
}

/// Perpetual contracts margined in their quote currency.
pub(super) fn futures() -> Facts {
    Facts {
        venue: "binance",
        product: Product::Linear,
        urls: Urls {
            rest: "https://fapi.binance.com".to_owned(),
            market: "wss://fstream.binance.com".to_owned(),
            account: "wss://fstream.binance.com".to_owned(),
            trade: "wss://ws-fapi.binance.com/ws-fapi/v1".to_owned(),
        },
        testnet: Some(Urls {
            rest: "https://testnet.binancefuture.com".to_owned(),
            market: "wss://fstream.binancefuture.com".to_owned(),
            account: "wss://fstream.binancefuture.com".to_owned(),
            trade: "wss://testnet.binancefuture.com/ws-fapi/v1".to_owned(),
        }),
        book: numbered(1000),
        // The venue pings every three minutes.
        heartbeat: Heartbeat { say: None, dead_after_ms: 400_000 },
        connection_life_ms: Some(DAY_MS),
        weight_per_minute: 2400,
        orders_per_10s: 300,
        // A regular user (binance.com/en/fee/futureFee, November 2026).
        fees_bps: Some((Decimal::new(2, 0), Decimal::new(5, 0))),
        act_count: None,
        says_per_second: 10,
        // A ticket lives for an hour.
        ticket: Some(1_800_000),
        account_on_trade: false,
        signed_in_turn: false,
        cancel_replace: false,
        amend: true,
        batch_max: 5,
        bars_page: 1_000,
        bars_kept: None,
        balance_is_wallet: true,
        settle_ms: 10_000,
    }
}

fn numbered(levels: u32) -> BookRule {
    BookRule { continuity: Continuity::Numbers, snapshot: SnapshotBy::Rest(levels), truncate: false }
}
