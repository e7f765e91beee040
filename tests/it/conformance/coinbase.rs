//! Coinbase Advanced Trade.

use super::*;

/// A key made for tests, in the documents' form.
const PEM: &str = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIKwf3Uox30cRWzRBOPoPOH5p0Gpb0Dt8zUKXUEM5fMkGoAoGCCqGSM49AwEHoUQDQgAEbAtpLlSZYVOwYICz+uEyxcS29vRIujiES/gQ1DC7FV4zK4JuYE9vqDyGZQYjdXHLM7I6f/QnnOITL+dXYWBHRA==\n-----END EC PRIVATE KEY-----";
const SEED: &str = "k0BUni0p0vZG1BdpVjS6ogBJ7kxm630AJ2dN+tuputDOKsRAwgyrpEQLeBtS1znTmzPX6Xr2eOWpzx6nW8knkA==";

pub(super) fn script() -> Script {
    let key =
        |id: &str, scheme, secret| -> Arc<dyn Signer> { Arc::new(Credential::new(id, scheme, secret).expect("a key")) };
    let signers = vec![
        key("organizations/o/apiKeys/one", Scheme::Es256, PEM),
        key("organizations/o/apiKeys/two", Scheme::Ed25519, SEED),
    ];
    let row = format!(
        r#"{{"order_id":"v1","product_id":"BTC-USD","client_order_id":"{CLIENT_TEXT}","side":"BUY","status":"OPEN","order_configuration":{{"limit_limit_gtc":{{"base_size":"0.00000005","limit_price":"90.00","post_only":false}}}},"filled_size":"0.00000002","created_time":"1970-01-01T00:00:05Z"}}"#
    );
    let mut script = super::script(
        listing("coinbase:BTC/USD", "BTC-USD", (2, 8), Decimal::new(1, 0)),
        (signers, vec![PEM.to_owned(), SEED.to_owned()]),
    );
    script.market = texts(&[
        r#"{"channel":"l2_data","client_id":"","timestamp":"2026-04-07T14:30:01.456789Z","sequence_num":7,"events":[{"type":"update","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"68900.00","new_quantity":"2.00000000"},{"side":"offer","event_time":"x","price_level":"68901.00","new_quantity":"0"}]}]}"#,
        r#"{"channel":"market_trades","client_id":"","timestamp":"2026-04-07T14:30:02Z","sequence_num":8,"events":[{"type":"update","trades":[{"trade_id":"12","product_id":"BTC-USD","price":"68900.50","size":"0.0015","side":"BUY","time":"2026-04-07T14:30:02.789Z"}]}]}"#,
        r#"{"channel":"ticker","timestamp":"2026-04-07T14:30:03Z","sequence_num":9,"events":[{"type":"update","tickers":[{"type":"ticker","product_id":"BTC-USD","price":"1","best_bid":"68900","best_bid_quantity":"1.5","best_ask":"","best_ask_quantity":""}]}]}"#,
        r#"{"channel":"candles","timestamp":"2026-04-07T14:30:05Z","sequence_num":3,"events":[{"type":"update","candles":[{"start":"1775521800","high":"4","low":"1","open":"2","close":"3","volume":"42","product_id":"BTC-USD"}]}]}"#,
        r#"{"channel":"heartbeats","sequence_num":0,"events":[{"heartbeat_counter":42}]}"#,
    ]);
    script.account = texts(&[
        r#"{"channel":"user","client_id":"","timestamp":"2026-04-07T14:30:06Z","sequence_num":1,"events":[{"type":"update","orders":[{"order_id":"v1","client_order_id":"0000000000000abc0000000000000001","cumulative_quantity":"0.5","leaves_quantity":"0.5","avg_price":"1","total_fees":"0","status":"OPEN","product_id":"BTC-USD","order_side":"BUY","cancel_reason":"","reject_reason":""}]}]}"#,
        r#"{"channel":"subscriptions","sequence_num":2,"events":[{"subscriptions":{"user":["x"]}}]}"#,
    ]);
    script.replies = vec![
        (Ask::Time, ok(r#"{"iso":"x","epochSeconds":"1","epochMillis":"1750000000000"}"#)),
        (
            Ask::Balances,
            ok(
                r#"{"accounts":[{"currency":"BTC","available_balance":{"value":"1.5","currency":"BTC"},"hold":{"value":"0.25","currency":"BTC"}}],"has_next":false}"#,
            ),
        ),
        (Ask::OpenOrders(None), ok(format!(r#"{{"orders":[{row}],"has_next":false}}"#))),
        (by_client(), ok(format!(r#"{{"orders":[{row}],"has_next":false}}"#))),
        (
            fills(),
            ok(
                r#"{"fills":[{"trade_id":"t1","order_id":"v1","trade_time":"1970-01-01T00:00:05Z","trade_type":"FILL","price":"3","size":"0.5","commission":"1.14","product_id":"BTC-USD","liquidity_indicator":"MAKER","size_in_quote":false,"side":"BUY"}],"cursor":""}"#,
            ),
        ),
    ];
    let order = format!(r#"{{"order_id":"v1","product_id":"BTC-USD","side":"BUY","client_order_id":"{CLIENT_TEXT}"}}"#);
    let cancel = Act::Cancel(Cancel { instrument: BTC, order: OrderRef::Venue("v1".to_owned()) });
    script.act_replies = vec![
        (placed(), ok(format!(r#"{{"success":true,"success_response":{order},"order_configuration":{{}}}}"#))),
        (
            cancel,
            ok(r#"{"results":[{"success":true,"failure_reason":"UNKNOWN_CANCEL_FAILURE_REASON","order_id":"v1"}]}"#),
        ),
    ];
    script
}
