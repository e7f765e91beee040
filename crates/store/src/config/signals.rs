//! Settings of signals: where they come from, how several sources make one wish, where messages go.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the opinions of several sources become one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Combine {
    /// The newest counts.
    #[default]
    Latest,
    /// The first source in `order` that has an opinion counts.
    Priority,
    /// Opinions are added by weight, strength and confidence.
    Weighted,
}

/// What happens when two sources want opposite positions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// The rule of `combine` decides.
    #[default]
    Rule,
    /// The position is closed.
    Flat,
    /// Nothing changes.
    Hold,
}

/// Signals from outside, and those that strategies emit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SignalSettings {
    /// Strategies only emit signals: nothing is sized and no order is made.
    pub only: bool,
    /// Stored series that backtests and paced sessions hear, each at the time at which it could be known.
    pub replay: Vec<String>,
    /// Received signals and features are stored in the catalog under their source's name.
    pub store: bool,
    /// How the opinions of several sources become one.
    pub combine: Combine,
    /// What happens when two sources want opposite positions.
    pub conflict: OnConflict,
    /// `combine = "priority"`: sources, the most trusted first.
    pub order: Vec<String>,
    /// `combine = "weighted"`: weights by source; 1 where none is given.
    pub weights: BTreeMap<String, f64>,
    /// `combine = "weighted"`: the least agreement, from 0 to 1, that makes a wish.
    pub threshold: f64,
}

impl Default for SignalSettings {
    fn default() -> Self {
        Self {
            only: false,
            replay: Vec::new(),
            store: false,
            combine: Combine::Latest,
            conflict: OnConflict::Rule,
            order: Vec::new(),
            weights: BTreeMap::new(),
            threshold: 0.25,
        }
    }
}

/// A source of signals, by its kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum SourceSettings {
    /// Lines of a file, CSV or JSON.
    File(FileSource),
    /// Requests to a server of ours: TradingView alerts and other JSON.
    Webhook(WebhookSource),
    /// Lines that a program of yours writes.
    Process(ProcessSource),
    /// The Token Metrics API.
    TokenMetrics(TokenMetricsSource),
    /// An Aleo explorer or node.
    Aleo(AleoSource),
    /// A NATS server.
    Nats(NatsSource),
}

/// What holds for every message of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Older than so many seconds when received: refused. `u64::MAX`: clocks are not looked at.
    pub age_max_s: u64,
    /// From so many seconds ahead of our clock on: refused.
    pub ahead_max_s: u64,
}

/// Lines of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSource {
    /// The file: `.csv` with a header, else JSON lines.
    pub path: PathBuf,
    /// Seconds from a row's `made` until it could be known, where it does not say `received`.
    #[serde(default)]
    pub delay_s: u64,
}

/// Requests to a server of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookSource {
    /// Address and port to listen on; loopback unless said otherwise.
    pub listen: String,
    /// `body`: the field `secret` of the message (TradingView); `header`: the header `x-bellwether-secret`; `hmac`: the header
    /// `x-bellwether-signature` is `t=SECONDS,v1=HEX` of HMAC-SHA256 over `SECONDS.BODY`.
    pub auth: WebhookAuth,
    /// Fields of the message by ours, as a path: `instrument = "ticker"`, `direction = "order.action"`.
    pub map: BTreeMap<String, String>,
    /// Our instruments by the message's word: `"BINANCE:BTCUSDT" = "binance:BTC/USDT"`.
    pub instruments: BTreeMap<String, String>,
    /// Largest body, bytes.
    pub body_bytes_max: usize,
    /// Most requests in any minute.
    pub per_minute_max: u32,
    /// Older than so many seconds when received: refused.
    pub age_max_s: u64,
    /// From so many seconds ahead of our clock on: refused.
    pub ahead_max_s: u64,
}

impl Default for WebhookSource {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8787".to_owned(),
            auth: WebhookAuth::Body,
            map: BTreeMap::new(),
            instruments: BTreeMap::new(),
            body_bytes_max: 16 * 1024,
            per_minute_max: 120,
            age_max_s: 300,
            ahead_max_s: 30,
        }
    }
}

/// How the sender of a webhook proves itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WebhookAuth {
    /// A secret in the message.
    #[default]
    Body,
    /// A secret in a header.
    Header,
    /// A signature in a header.
    Hmac,
}

/// Lines that a program writes on standard output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessSource {
    /// The program and its arguments. It is given an empty environment but for `PATH`.
    pub command: Vec<String>,
    /// Older than so many seconds when received: refused.
    #[serde(default = "five_minutes")]
    pub age_max_s: u64,
    /// No line for so many seconds: it is told that the source is stale; 0 for never.
    #[serde(default)]
    pub silent_max_s: u64,
}

/// What the Token Metrics API can be asked for.
pub const TOKEN_METRICS: [&str; 24] = [
    "tokens",
    "price",
    "hourly-ohlcv",
    "daily-ohlcv",
    "trading-signals",
    "hourly-trading-signals",
    "trader-grades",
    "investor-grades",
    "tm-grade",
    "tm-grade-history",
    "technology-grade",
    "technology-grade-history",
    "fundamental-grade",
    "fundamental-grade-history",
    "top-market-cap-tokens",
    "moonshot-tokens",
    "market-metrics",
    "indices",
    "indices-holdings",
    "indices-performance",
    "resistance-support",
    "sentiment",
    "quantmetrics",
    "ai-reports",
];

/// The Token Metrics API. Its key is `BELLWETHER_KEY_TOKENMETRICS_<NAME>_SECRET`, with the source's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenMetricsSource {
    /// Scheme and host.
    pub url: String,
    /// `v2` or `v3`.
    pub version: String,
    /// Token ids of our instruments: `"3375" = "binance:BTC/USDT"`.
    pub instruments: BTreeMap<String, String>,
    /// What to ask for: `trading-signals`, `hourly-trading-signals`, `tm-grade`, `sentiment`, ….
    pub endpoints: Vec<String>,
    /// Seconds between two rounds.
    pub every_s: u64,
    /// Most calls in a UTC day.
    pub calls_per_day_max: u64,
    /// Most calls in a UTC month.
    pub calls_per_month_max: u64,
    /// Most calls in a minute.
    pub per_minute_max: u32,
    /// Signals older than so many seconds when received: refused.
    pub age_max_s: u64,
}

impl Default for TokenMetricsSource {
    fn default() -> Self {
        Self {
            url: "https://api.tokenmetrics.com".to_owned(),
            version: "v2".to_owned(),
            instruments: BTreeMap::new(),
            endpoints: vec!["trading-signals".to_owned()],
            every_s: 3_600,
            calls_per_day_max: 100,
            calls_per_month_max: 1_500,
            per_minute_max: 20,
            age_max_s: 2 * 86_400,
        }
    }
}

/// An Aleo explorer or node; no key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AleoSource {
    /// Scheme, host and version: `https://api.explorer.provable.com/v1`.
    pub url: String,
    /// `mainnet`, `testnet` or `canary`.
    pub network: String,
    /// Seconds between two looks.
    pub every_s: u64,
    /// Programs whose calls and transfers are counted.
    pub programs: Vec<String>,
    /// Watched addresses by a name for people.
    pub addresses: BTreeMap<String, String>,
    /// Most requests in a second.
    pub per_second_max: u32,
}

impl Default for AleoSource {
    fn default() -> Self {
        Self {
            url: "https://api.explorer.provable.com/v1".to_owned(),
            network: "mainnet".to_owned(),
            every_s: 30,
            programs: vec!["credits.aleo".to_owned()],
            addresses: BTreeMap::new(),
            per_second_max: 4,
        }
    }
}

/// A NATS server: one stream of JetStream, or what is said while we listen. Who we are is
/// `BELLWETHER_KEY_NATS_<NAME>_SECRET`, where the server asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NatsSource {
    /// `nats://HOST:PORT`, or `tls://HOST:PORT`.
    pub url: String,
    /// The stream; empty to hear only what is said while we listen.
    pub stream: String,
    /// Subjects that are heard; `*` stands for one word, `>` for all that follow.
    pub subject: String,
    /// A session that begins hears the stream from so many seconds ago on; 0: from now on. One that is taken up again
    /// always hears what it may have missed, `age_max_s` back.
    pub replay_s: u64,
    /// Our instruments by the message's word: `"BTCUSDT" = "binance:BTC/USDT"`.
    pub instruments: BTreeMap<String, String>,
    /// Largest message, bytes.
    pub message_bytes_max: usize,
    /// Most messages in any minute. Of a stream more wait there; without one they are refused.
    pub per_minute_max: u32,
    /// No message for so many seconds: it is told that the source is stale; 0 for never.
    pub silent_max_s: u64,
    /// Older than so many seconds when received: refused. 0: any age will do, for rehearsals on stored data.
    pub age_max_s: u64,
    /// From so many seconds ahead of our clock on: refused.
    pub ahead_max_s: u64,
}

impl Default for NatsSource {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            stream: "BELLWETHER".to_owned(),
            subject: "bellwether.signal.>".to_owned(),
            replay_s: 0,
            instruments: BTreeMap::new(),
            message_bytes_max: 64 * 1024,
            per_minute_max: 6_000,
            silent_max_s: 0,
            age_max_s: 300,
            ahead_max_s: 30,
        }
    }
}

/// Market data that another process publishes on a NATS server, for `session.feed = "bus"`. Its secret, where the server asks,
/// is `BELLWETHER_KEY_NATS_MARKET_SECRET`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BusFeed {
    /// `nats://HOST:PORT`, or `tls://HOST:PORT`.
    pub url: String,
    /// The first word of the publisher's subjects.
    pub prefix: String,
    /// The stream of market data.
    pub stream: String,
    /// Events stamped by the publisher more than so many seconds before or after our clock are passed over. 0: any will do,
    /// for rehearsals on stored data.
    pub age_max_s: u64,
    /// Largest message, bytes.
    pub message_bytes_max: usize,
}

impl BusFeed {
    /// Whether nothing differs from what is usual.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for BusFeed {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            prefix: "bellwether".to_owned(),
            stream: "BELLWETHER_MARKET".to_owned(),
            age_max_s: 10,
            message_bytes_max: 64 * 1024,
        }
    }
}

const fn five_minutes() -> u64 {
    300
}
