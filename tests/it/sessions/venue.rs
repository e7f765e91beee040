//! A venue on this machine that says what a story wants: Binance's and Bybit's linear contracts, market data only.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::get;

/// What a venue says.
pub struct Script {
    /// Its trades' price.
    pub price: &'static str,
    /// Its trades come so long after a connection, milliseconds.
    pub trades_for_ms: u64,
    /// And again after a silence of so many milliseconds, and so on; zero for never.
    pub pauses_ms: u64,
    /// After these it hangs up instead of being silent.
    pub hangs_up: bool,
    /// Funding of so much settles so long after a connection, milliseconds.
    pub funding: Option<(&'static str, u64)>,
}

/// Both venues at one address. They end with the process.
pub struct Venues {
    pub first: Script,
    pub second: Script,
}

pub fn now_ms() -> u64 {
    std::time::UNIX_EPOCH.elapsed().map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(0))
}

impl Venues {
    /// Opens them.
    pub fn open(self) -> SocketAddr {
        self.open_with(Router::new())
    }

    /// Opens them, with more to be asked.
    pub fn open_with(self, more: Router) -> SocketAddr {
        let (told, at) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
                told.send(listener.local_addr().expect("an address")).expect("told");
                axum::serve(listener, router(Arc::new(self)).merge(more)).await.expect("served");
            });
        });
        at.recv().expect("an address")
    }
}

fn router(venues: Arc<Venues>) -> Router {
    let first = |upgrade: WebSocketUpgrade, State(v): State<Arc<Venues>>| async move {
        upgrade.on_upgrade(move |socket| async move { talk(socket, &v.first, &Binance).await })
    };
    let second = |upgrade: WebSocketUpgrade, State(v): State<Arc<Venues>>| async move {
        upgrade.on_upgrade(move |socket| async move { talk(socket, &v.second, &Bybit).await })
    };
    Router::new()
        .route("/fapi/v1/exchangeInfo", get(|| async { BINANCE_INSTRUMENTS }))
        .route("/fapi/v1/time", get(|| async { format!(r#"{{"serverTime":{}}}"#, now_ms()) }))
        .route("/fapi/v1/klines", get(|| async { klines() }))
        .route("/v5/market/instruments-info", get(|| async { BYBIT_INSTRUMENTS }))
        .route("/v5/market/time", get(|| async { bybit_time() }))
        .route("/market/stream", get(first))
        .route("/public/stream", get(first))
        .route("/bybit", get(second))
        .with_state(venues)
}

pub const BINANCE_INSTRUMENTS: &str = r#"{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC",
    "quoteAsset":"USDT","marginAsset":"USDT","contractType":"PERPETUAL","filters":[
    {"filterType":"PRICE_FILTER","tickSize":"0.10"},{"filterType":"LOT_SIZE","minQty":"0.001","stepSize":"0.001"},
    {"filterType":"MIN_NOTIONAL","notional":"5"}]}]}"#;

const BYBIT_INSTRUMENTS: &str = r#"{"retCode":0,"retMsg":"OK","result":{"nextPageCursor":"","list":[{"symbol":"BTCUSDT",
    "contractType":"LinearPerpetual","status":"Trading","baseCoin":"BTC","quoteCoin":"USDT","settleCoin":"USDT",
    "priceScale":"2","priceFilter":{"tickSize":"0.01"},"lotSizeFilter":{"minOrderQty":"0.001","qtyStep":"0.001",
    "minNotionalValue":"5"}}]},"retExtInfo":{},"time":1700000120000}"#;

fn bybit_time() -> String {
    let now = now_ms();
    format!(
        r#"{{"retCode":0,"retMsg":"OK","result":{{"timeSecond":"{}","timeNano":"{}000000"}},"retExtInfo":{{}},"time":{now}}}"#,
        now / 1000,
        now
    )
}

/// The last complete minutes, closing at 101, 102, …
fn klines() -> String {
    let minute = now_ms() / 60_000;
    let row = |i: u64| {
        let (open, close) = ((minute - 5 + i) * 60_000, 101 + i);
        format!(r#"[{open},"{close}","{close}","{close}","{close}","1",{},"100",1,"1","100","0"]"#, open + 59_999)
    };
    format!("[{}]", (0..5).map(row).collect::<Vec<_>>().join(","))
}

trait Words: Sync {
    fn trade(&self, number: u64, price: &str, at: u64) -> String;
    fn funding(&self, rate: &str, at: u64) -> String;
    /// What answers whatever is said.
    fn answer(&self) -> Option<&'static str>;
}

struct Binance;

impl Words for Binance {
    fn trade(&self, number: u64, price: &str, at: u64) -> String {
        format!(
            r#"{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{at},"s":"BTCUSDT","a":{number},"p":"{price}","q":"1.000","f":{number},"l":{number},"T":{at},"m":true}}}}"#
        )
    }

    fn funding(&self, rate: &str, at: u64) -> String {
        format!(
            r#"{{"stream":"btcusdt@markPrice@1s","data":{{"e":"markPriceUpdate","E":1,"s":"BTCUSDT","p":"100.00","i":"100.00","P":"100.00","r":"{rate}","T":{at}}}}}"#
        )
    }

    fn answer(&self) -> Option<&'static str> {
        None
    }
}

struct Bybit;

impl Words for Bybit {
    fn trade(&self, number: u64, price: &str, at: u64) -> String {
        format!(
            r#"{{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":{at},"data":[{{"T":{at},"s":"BTCUSDT","S":"Buy","v":"1.000","p":"{price}","i":"u-{number}","BT":false}}]}}"#
        )
    }

    fn funding(&self, _: &str, _: u64) -> String {
        String::new()
    }

    fn answer(&self) -> Option<&'static str> {
        Some(r#"{"success":true,"ret_msg":"","op":"subscribe","conn_id":"c"}"#)
    }
}

async fn talk(mut socket: WebSocket, script: &Script, words: &dyn Words) {
    let begun = now_ms();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    // Never the one of an earlier connection.
    let mut number = begun;
    loop {
        let line = tokio::select! {
            biased;
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(_))) => words.answer().map(str::to_owned),
                Some(Ok(_)) => None,
                _ => return,
            },
            _ = tick.tick() => {
                number += 1;
                let now = now_ms();
                let since = match script.pauses_ms {
                    0 => now - begun,
                    pause => (now - begun) % (script.trades_for_ms + pause),
                };
                match script.funding {
                    Some((rate, after)) if number.is_multiple_of(5) && now < begun + after => Some(words.funding(rate, begun + after)),
                    _ if since < script.trades_for_ms => Some(words.trade(number, script.price, now)),
                    _ if script.hangs_up => return,
                    _ => None,
                }
            }
        };
        if let Some(line) = line
            && socket.send(Message::Text(line.into())).await.is_err()
        {
            return;
        }
    }
}
