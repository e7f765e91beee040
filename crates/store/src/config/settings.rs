//! The settings tree as types. Every field has a default, so an empty file is a valid one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bellwether_sdk::{AccountKind, Decimal, Interval, Symbol};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::risk::RiskSettings;
use super::{BusFeed, KeySettings, KeysSettings, SignalSettings, SinkSettings, SourceSettings};

/// All settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Version of this form; 1.
    pub version: u32,
    /// Where runs, tapes, audit and locks live; by default `$XDG_STATE_HOME/bellwether` or `~/.local/state/bellwether`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
    /// Where stored market data is.
    pub data: DataSettings,
    /// What a backtest replays.
    pub backtest: BacktestSettings,
    /// The account it trades on.
    pub account: AccountSettings,
    /// The simulated exchange.
    pub sim: SimSettings,
    /// Limits; none unless set.
    pub risk: RiskSettings,
    /// Paper and live sessions.
    pub session: SessionSettings,
    /// Venues' addresses, by name: `binance` for spot, `binance_linear` for its contracts.
    pub venue: BTreeMap<String, VenueSettings>,
    /// Signals from outside, and those that strategies emit.
    pub signals: SignalSettings,
    /// Sources of signals, by name.
    pub source: BTreeMap<String, SourceSettings>,
    /// Places that messages go to, by name.
    pub sink: BTreeMap<String, SinkSettings>,
    /// Keys of accounts: where they come from, not what they are.
    pub key: Vec<KeySettings>,
    /// How they are kept.
    pub keys: KeysSettings,
    /// The strategies of the run, in order.
    pub strategy: Vec<StrategySettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: 1,
            state_dir: None,
            data: DataSettings::default(),
            backtest: BacktestSettings::default(),
            account: AccountSettings::default(),
            sim: SimSettings::default(),
            risk: RiskSettings::default(),
            session: SessionSettings::default(),
            venue: BTreeMap::new(),
            signals: SignalSettings::default(),
            source: BTreeMap::new(),
            sink: BTreeMap::new(),
            key: Vec::new(),
            keys: KeysSettings::default(),
            strategy: Vec::new(),
        }
    }
}

/// Where stored market data is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DataSettings {
    /// The catalog's folder.
    pub dir: PathBuf,
    /// Binance's public archive, for downloads: scheme and host.
    pub archive_url: String,
}

impl Default for DataSettings {
    fn default() -> Self {
        Self { dir: PathBuf::from("backtest-data"), archive_url: "https://data.binance.vision".to_owned() }
    }
}

/// What a backtest replays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BacktestSettings {
    /// Instruments for strategies that name none; by default the only one in the catalog.
    #[schemars(with = "Vec<String>")]
    pub instruments: Vec<Symbol>,
    /// Interval of the bars strategies see; built from finer data when the catalog has none of it.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// Kinds of ticks strategies see and orders fill against: `trades`, `quotes`, `depth`.
    pub kinds: Vec<String>,
    /// Start, inclusive, UTC: `2024-01-01`, `2024-01-01T12:00:00Z` or milliseconds since 1970.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "text_option", skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// End, exclusive, UTC.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "text_option", skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Bars (or ticks) per instrument that strategies see before their signals and orders count.
    pub warmup: u64,
    /// Close what is open at the last price.
    pub close_at_end: bool,
}

/// The account a run trades on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccountSettings {
    /// Starting cash with its currency, e.g. `10000USDT`; a bare number is quote currency of the first instrument.
    #[schemars(with = "NumberForm")]
    #[serde(deserialize_with = "text")]
    pub cash: String,
    /// `cash` or `margin`; by default what the strategies declare.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<AccountKind>,
    /// Margin accounts: largest notional over equity.
    #[schemars(with = "NumberForm")]
    #[serde(deserialize_with = "decimal")]
    pub leverage_max: Decimal,
    /// Margin accounts: equity below this per cent of notional is liquidated.
    #[schemars(with = "NumberForm")]
    #[serde(deserialize_with = "decimal")]
    pub maintenance_pct: Decimal,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self {
            cash: "10000".to_owned(),
            kind: None,
            leverage_max: Decimal::new(1, 0),
            maintenance_pct: Decimal::new(5, 1),
        }
    }
}

/// How much worse than the model's price a taker fill is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, tag = "model", rename_all = "lowercase")]
pub enum Slippage {
    /// Not at all.
    #[default]
    None,
    /// A share of the price.
    Bps {
        /// Basis points.
        #[schemars(with = "NumberForm")]
        #[serde(deserialize_with = "decimal")]
        bps: Decimal,
    },
    /// A count of ticks.
    Ticks {
        /// How many.
        ticks: u32,
    },
    /// A share of the price that grows with the order's share of the bar's or trade's quantity.
    Volume {
        /// Basis points for an order as large as that quantity.
        #[schemars(with = "NumberForm")]
        #[serde(deserialize_with = "decimal")]
        bps: Decimal,
    },
}

/// The simulated exchange.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SimSettings {
    /// Named fill rules, e.g. `next-open@1`; the default follows the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill_profile: Option<String>,
    /// `ohlc-path@1`: visit the extreme nearest to the open first, instead of the high.
    pub nearest_extreme_first: bool,
    /// Maker fee in basis points; by default the catalog's, on a venue's feed its lowest tier's, else 10.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub maker_bps: Option<Decimal>,
    /// Taker fee in basis points; by default the catalog's, on a venue's feed its lowest tier's, else 10.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub taker_bps: Option<Decimal>,
    /// How much worse than the model's price a taker fill is.
    pub slippage: Slippage,
    /// Milliseconds from a decision until the order is at the venue.
    pub latency_ms: u64,
}

/// What becomes of open orders and positions when a session ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnStop {
    /// Open orders are cancelled, positions stay.
    #[default]
    Cancel,
    /// Everything stays as it is.
    Keep,
    /// Open orders are cancelled and positions closed (paper: at the last price).
    Close,
}

/// What the watchdog does at the venue when a session hangs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnHang {
    /// All open orders of the session's instruments are cancelled, also those of others.
    #[default]
    Cancel,
    /// And positions are closed at the market.
    Flatten,
    /// Nothing: orders stay, protective ones too.
    Leave,
}

/// What is done when the venue's account has what is not in our books.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Foreign {
    /// Entries wait until a person has looked.
    #[default]
    Hold,
    /// It is reported and left alone.
    Leave,
    /// Open orders are taken into the books; all else is held as by `hold`.
    Adopt,
}

/// Paper and live sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SessionSettings {
    /// Where market data comes from: `store` paces the catalog's, `venue` listens to the venue, `bus` to another process.
    pub feed: Feed,
    /// Where that process publishes.
    #[serde(skip_serializing_if = "BusFeed::is_usual")]
    pub bus: BusFeed,
    /// Stored data: how many times real time; 0 does not wait.
    pub pace: u32,
    /// What becomes of open orders and positions at the end.
    pub on_stop: OnStop,
    /// Live sessions may trade real money: the same as `--i-understand-this-trades-real-money`.
    pub real_money: bool,
    /// The account that live sessions trade on: the part behind the slash of `binance/main`.
    pub account: String,
    /// Second sources by instrument, e.g. `"binance:BTC/USDT" = "kraken:BTC/USDT"`: they stand in while the first is
    /// stale, and the guard holds prices against them (`risk.price_gap_bps_max`).
    #[schemars(with = "BTreeMap<String, String>")]
    pub second_source: BTreeMap<Symbol, Symbol>,
    /// Levels per side of the books that are subscribed.
    pub depth_levels: u32,
    /// Quotes and books not heard of for so many milliseconds are stale.
    pub stale_ms: u64,
    /// Trades not heard of for so many milliseconds are stale: quiet markets trade rarely.
    pub stale_trades_ms: u64,
    /// Fewer free megabytes than this on the disk of the state folder are told to the sinks; 0 for never.
    pub disk_free_min_mb: u64,
    /// Where the tape has an order before it leaves: `staged`, `direct` or `sync`.
    pub durability: Durability,
    /// While messages of the venue come within so many microseconds of each other, a live session's thread does not sleep
    /// between them: it hears the next one sooner, and keeps a processor busy. Not on a machine with one processor; 0 never.
    pub awake_us: u64,
    /// A tape's file of about so many KiB is followed by another, with a snapshot to go on from; 0 keeps one file, and none.
    pub segment_kib: u64,
    /// A session on a venue's feed keeps so many ended orders in memory, with their fills and the closed trades of their time,
    /// of which there are as many at most; older ones are on the tape. 0 keeps all.
    pub orders_kept: u64,
    /// A session that does not move for so many milliseconds hangs: the watchdog ends it. 0 never.
    pub hang_ms: u64,
    /// What the watchdog does at the venue before it ends a session that hangs.
    pub on_hang: OnHang,
    /// Where the venue can, it cancels our orders by itself when it has not heard of us for so many milliseconds; 0 never.
    pub cancel_after_ms: u64,
    /// Where `/health` and `/metrics` of a session on a venue's feed are served: an address of this machine.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_addr: Option<std::net::SocketAddr>,
    /// What is done when the venue's account differs from our books by what is not ours: entries are held until a
    /// person has looked (`hold`), or it is left alone (`leave`). With `adopt` open orders of others in the session's
    /// instruments are taken into the books, and what else differs is held.
    pub foreign: Foreign,
    /// With `foreign = "adopt"`: the strategy, by its id, that these orders belong to; none, unless named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopt_for: Option<String>,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            feed: Feed::Store,
            bus: BusFeed::default(),
            pace: 1,
            on_stop: OnStop::Cancel,
            real_money: false,
            account: "main".to_owned(),
            second_source: BTreeMap::new(),
            depth_levels: 20,
            stale_ms: 10_000,
            stale_trades_ms: 60_000,
            disk_free_min_mb: 500,
            durability: Durability::Staged,
            awake_us: 100,
            segment_kib: 32 << 10,
            orders_kept: 16_384,
            hang_ms: 10_000,
            on_hang: OnHang::Cancel,
            cancel_after_ms: 0,
            health_addr: None,
            foreign: Foreign::Hold,
            adopt_for: None,
        }
    }
}

/// Where a venue is: by default where its documents say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VenueSettings {
    /// Its test network.
    pub testnet: bool,
    /// REST: scheme and host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest_url: Option<String>,
    /// Market streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub market_url: Option<String>,
    /// The private stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_url: Option<String>,
    /// The trading socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trade_url: Option<String>,
    /// Request weight that the venue allows this address in a minute, where it is not what its documents say. Half of it is
    /// used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_per_minute: Option<u32>,
    /// Orders that the venue allows this account in ten seconds, where it is not what its documents say. Half of them are
    /// used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders_per_10s: Option<u32>,
    /// How far the venue's count of what is done about orders may go, per instrument, where it keeps one and it is
    /// not what its documents say of the lowest tier: at Kraken 125 for an intermediate account, 180 for a pro.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act_count_max: Option<u32>,
    /// Milliseconds in which that count falls from there to nothing: at Kraken 53400 for an intermediate account,
    /// 48000 for a pro.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act_count_empties_ms: Option<u64>,
}

/// Where the tape has an order before it leaves the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// In a file in memory, which survives the death of the process; a second thread carries it to the disk and syncs
    /// that once a second. Whoever decides never waits for the disk. Where there is no memory file system, as `direct`.
    #[default]
    Staged,
    /// In its file, handed to the system: survives the death of the process; a slow disk may be waited for.
    Direct,
    /// On the disk: survives a loss of power; the disk is waited for before every order.
    Sync,
}

/// Where a session's market data comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Feed {
    /// The catalog, paced.
    #[default]
    Store,
    /// The venue.
    Venue,
    /// Another process, over NATS: `session.bus`.
    Bus,
}

/// What becomes of a strategy's open orders when it is stopped before the session ends. The session goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnHalt {
    /// They are cancelled, but for the stops and targets that protect a position.
    #[default]
    Cancel,
    /// They stay.
    Keep,
}

/// One strategy of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StrategySettings {
    /// Its name in this run; by default the plugin's.
    #[serde(default)]
    pub id: String,
    /// Which strategy: a name that `bellwether strategy list` shows, or the file of a WebAssembly component.
    pub plugin: String,
    /// SHA-256 of that file, hex: another content is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What becomes of its open orders when it is stopped because it misbehaved or gave up.
    #[serde(default)]
    pub on_halt: OnHalt,
    /// What it trades; by default the run's instruments.
    #[schemars(with = "Vec<String>")]
    #[serde(default)]
    pub instruments: Vec<Symbol>,
    /// Its parameters. Strategies that emit signals also take the sizer's: one of `qty`, `notional`, `notional_pct`.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    #[serde(default, deserialize_with = "params")]
    pub params: BTreeMap<String, String>,
}

impl StrategySettings {
    /// What it goes by in this run: its id, else its plugin as it was named.
    pub fn name(&self) -> &str {
        if self.id.is_empty() { &self.plugin } else { &self.id }
    }
}

/// A number or its text; floats by their shortest text.
#[derive(Deserialize)]
#[serde(untagged, expecting = "write a number or text in quotes")]
enum Scalar {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl Scalar {
    fn into_text(self) -> String {
        match self {
            Self::Bool(b) => b.to_string(),
            Self::Int(i) => i.to_string(),
            Self::Float(f) => f.to_string(),
            Self::Text(t) => t,
        }
    }
}

/// The form of an exact number in the schema: a number or its text.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is only the shape of a schema, never a value")]
pub(super) enum NumberForm {
    Number(f64),
    Text(String),
}

fn text<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    Scalar::deserialize(d).map(Scalar::into_text)
}

fn text_option<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Scalar>::deserialize(d)?.map(Scalar::into_text))
}

pub(super) fn decimal<'de, D: Deserializer<'de>>(d: D) -> Result<Decimal, D::Error> {
    Scalar::deserialize(d)?.into_text().parse().map_err(serde::de::Error::custom)
}

pub(super) fn decimal_option<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Decimal>, D::Error> {
    Option::<Scalar>::deserialize(d)?.map(|s| s.into_text().parse().map_err(serde::de::Error::custom)).transpose()
}

fn params<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<String, String>, D::Error> {
    let map = BTreeMap::<String, Scalar>::deserialize(d)?;
    Ok(map.into_iter().map(|(name, value)| (name, value.into_text())).collect())
}
