//! Fills of weeks, at a venue that tells the newest first, page by page, and no more than seven days at once.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use bellwether::config::{KeySettings, Settings};
use bellwether::run::{LookAt, What, look};
use bellwether_sdk::Ts;
use serde_json::{Value, json};

const DAY: i64 = 86_400_000;
const NOW: i64 = 1_750_000_000_000;
const PAGE: usize = 9;
/// Two fills a day in twenty days.
const FILLS: i64 = 40;

static ASKED: AtomicU32 = AtomicU32::new(0);

/// When a fill was.
fn at(number: i64) -> i64 {
    NOW - 20 * DAY + number * DAY / 2 + 1
}

fn fill(number: i64) -> Value {
    json!({"symbol": "BTCUSDT", "orderId": "o", "orderLinkId": "", "side": "Buy", "execId": format!("e{number}"),
        "execPrice": "100.00", "execQty": "0.00001", "execFee": "0.1", "feeCurrency": "USDT", "execType": "Trade",
        "isMaker": true, "execTime": at(number).to_string()})
}

type Asked = Query<std::collections::BTreeMap<String, String>>;

async fn executions(Query(query): Asked) -> String {
    let number = |key: &str| query.get(key).and_then(|text| text.parse::<i64>().ok());
    if ASKED.fetch_add(1, Ordering::Relaxed) == 3 {
        return json!({"retCode": 10006, "retMsg": "Too many visits.", "result": {}, "time": NOW}).to_string();
    }
    let from = number("startTime").expect("a time");
    let below = number("cursor").unwrap_or(i64::MAX);
    let asked = (1..=FILLS).rev().filter(|n| *n < below && (from..=from + 7 * DAY).contains(&at(*n)));
    let page: Vec<i64> = asked.take(PAGE).collect();
    let ended = page.last().map(|n| n.to_string()).unwrap_or_default();
    let rows: Vec<Value> = page.into_iter().map(fill).collect();
    json!({"retCode": 0, "retMsg": "OK", "time": NOW,
        "result": {"category": "spot", "list": rows, "nextPageCursor": ended}})
    .to_string()
}

async fn instruments() -> String {
    json!({"retCode": 0, "retMsg": "OK", "time": NOW, "result": {"category": "spot", "list": [{
        "symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "Trading",
        "lotSizeFilter": {"basePrecision": "0.00001", "quotePrecision": "0.0000001", "minOrderQty": "0.00001",
            "maxOrderQty": "100", "minOrderAmt": "0.1", "maxOrderAmt": "4000000"},
        "priceFilter": {"tickSize": "0.01"}}]}})
    .to_string()
}

/// Opens the venue on a thread that lives as long as the process.
fn venue() -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(listener.local_addr().expect("an address")).expect("somebody waits");
            let app = Router::new()
                .route("/v5/market/instruments-info", get(instruments))
                .route("/v5/execution/list", get(executions));
            axum::serve(listener, app).await.expect("served");
        });
    });
    told.recv().expect("an address")
}

#[test]
fn fills_of_weeks_are_told_whole_the_oldest_first() {
    let dir = tempfile::tempdir().expect("a folder");
    let key = dir.path().join("key.json");
    std::fs::write(&key, json!({"id": "bot", "secret": "s3cret"}).to_string()).expect("written");
    #[cfg(unix)]
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
    let mut settings = Settings::default();
    settings.key.push(KeySettings {
        account: "bybit/main".to_owned(),
        label: "one".to_owned(),
        source: format!("file:{}", key.display()),
        ..KeySettings::default()
    });
    let look_at = LookAt {
        venue: "bybit".to_owned(),
        account: "main".to_owned(),
        rest_url: Some(format!("http://{}", venue())),
        now: Some(Ts::from_millis(NOW)),
        ..LookAt::default()
    };
    let from = Ts::from_millis(NOW - 20 * DAY);
    let told = look(&settings, &look_at, &What::Fills(Some(from)), Some("bybit:BTC/USDT")).expect("an answer");
    let ids: Vec<&str> =
        told["fills"].as_array().expect("fills").iter().filter_map(|f| f["trade_id"].as_str()).collect();
    let all: Vec<String> = (1..=FILLS).map(|n| format!("e{n}")).collect();
    assert_eq!(ids, all);
}
