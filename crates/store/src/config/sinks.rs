//! Settings of sinks: where messages and signals go.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How grave a message is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Of every day.
    #[default]
    Info,
    /// Somebody should look.
    Warning,
    /// Somebody must look.
    Error,
}

/// A place that messages go to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SinkSettings {
    /// Which kind of place.
    pub kind: SinkKind,
    /// Where: an address, a file, a subject; by default where the service's documents say.
    #[serde(default)]
    pub to: String,
    /// Telegram: the chat; mail: the receiver.
    #[serde(default)]
    pub chat: String,
    /// Mail: the sender.
    #[serde(default)]
    pub from: String,
    /// Telegram: chats whose commands are obeyed.
    #[serde(default)]
    pub allow: Vec<i64>,
    /// Messages less grave than this are not sent.
    #[serde(default)]
    pub level: Level,
    /// Graver ones than this are not sent either: a channel for the everyday, beside one for errors.
    #[serde(default = "gravest")]
    pub level_max: Level,
    /// Topics that are sent; by default all but `signal`.
    #[serde(default)]
    pub topics: Vec<String>,
    /// Words by topic, with `{text}`, `{topic}`, `{level}`, `{time}` and the message's own fields.
    #[serde(default)]
    pub templates: BTreeMap<String, String>,
    /// The same message again within so many seconds is counted, not sent.
    #[serde(default = "minute")]
    pub dedupe_s: u64,
    /// Most messages in any minute; more wait. Not of `nats`, which programs read.
    #[serde(default = "twenty")]
    pub per_minute_max: u32,
    /// Bytes that may wait on disk; what comes beyond is counted and dropped.
    #[serde(default = "eight_mb")]
    pub spool_bytes_max: u64,
    /// The UTC hour of a digest of the day, 0 to 23; none unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_hour: Option<u8>,
    /// NATS: subjects, streams, market data.
    #[serde(default, skip_serializing_if = "NatsSink::is_usual")]
    pub nats: NatsSink,
}

/// What is published on NATS, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NatsSink {
    /// The first word of all subjects.
    pub prefix: String,
    /// The stream of signals and notices; made where it is not there.
    pub stream: String,
    /// How long it keeps them, seconds.
    pub stream_age_max_s: u64,
    /// How many bytes of them it keeps.
    pub stream_bytes_max: u64,
    /// Market data that is published, of what the session hears; none unless set.
    pub market: Vec<MarketWord>,
    /// The stream of market data; made where it is not there, and kept as long as the other.
    pub market_stream: String,
    /// How many bytes of market data it keeps.
    pub market_bytes_max: u64,
    /// Levels per side of the books that are published.
    pub depth_levels: u32,
    /// A book is published at most once in so many milliseconds.
    pub depth_every_ms: u64,
}

impl NatsSink {
    /// Whether nothing differs from what is usual.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for NatsSink {
    fn default() -> Self {
        Self {
            prefix: "bellwether".to_owned(),
            stream: "BELLWETHER".to_owned(),
            stream_age_max_s: 7 * 86_400,
            stream_bytes_max: 256 << 20,
            market: Vec::new(),
            market_stream: "BELLWETHER_MARKET".to_owned(),
            market_bytes_max: 1 << 30,
            depth_levels: 20,
            depth_every_ms: 100,
        }
    }
}

/// Kinds of market data that can be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MarketWord {
    /// Trades.
    Trades,
    /// Best bids and offers.
    Quotes,
    /// Complete bars.
    Bars,
    /// The best levels of books, each message the whole of them.
    Depth,
}

impl SinkSettings {
    /// A sink of a kind to a place, everything else by default.
    pub fn new(kind: SinkKind, to: impl Into<String>) -> Self {
        Self {
            kind,
            to: to.into(),
            chat: String::new(),
            from: String::new(),
            allow: Vec::new(),
            level: Level::Info,
            level_max: gravest(),
            topics: Vec::new(),
            templates: BTreeMap::new(),
            dedupe_s: minute(),
            per_minute_max: twenty(),
            spool_bytes_max: eight_mb(),
            digest_hour: None,
            nats: NatsSink::default(),
        }
    }

    /// The file of a file sink.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(&self.to)
    }
}

/// Kinds of places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SinkKind {
    /// Lines of JSON at the end of a file.
    File,
    /// Signed requests to an address.
    Webhook,
    /// A Telegram bot.
    Telegram,
    /// A Discord webhook.
    Discord,
    /// A Slack webhook.
    Slack,
    /// Mail by SMTP.
    Mail,
    /// Subjects of a NATS server, kept by JetStream.
    Nats,
}

const fn gravest() -> Level {
    Level::Error
}

const fn minute() -> u64 {
    60
}

const fn twenty() -> u32 {
    20
}

const fn eight_mb() -> u64 {
    8 << 20
}
