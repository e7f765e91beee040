//! Settings: one tree, layered from defaults, a TOML file, the environment and flags; checked as a whole.
//!
//! Edge: reads files and the environment. Secrets never stand here, only references to them.

mod check;
mod error;
mod file;
mod keys;
mod load;
mod redact;
mod risk;
mod settings;
mod shape;
mod signals;
mod sinks;
mod state;
mod suggest;
mod time;

pub use check::{FILL_PROFILES, check, parse_cash};
pub use error::{ConfigError, Origin};
pub use file::SettingsFile;
pub use keys::{KeyScope, KeySettings, KeysSettings, NarrowSettings, OnRevoke};
pub use load::{ENV_CONFIG, ENV_PREFIX, Loaded, Override, env_overrides, load};
pub use redact::{REDACTED, redact};
pub use risk::{Amount, OnTrip, OwnLimits, RiskSettings};
pub use settings::{
    AccountSettings, BacktestSettings, DataSettings, Durability, Feed, Foreign, OnHalt, OnHang, OnStop,
    SessionSettings, Settings, SimSettings, Slippage, StrategySettings, VenueSettings,
};
pub use shape::known_paths;
pub use signals::{
    AleoSource, BusFeed, Combine, FileSource, Freshness, NatsSource, OnConflict, ProcessSource, SignalSettings,
    SourceSettings, TOKEN_METRICS, TokenMetricsSource, WebhookAuth, WebhookSource,
};
pub use sinks::{Level, MarketWord, NatsSink, SinkKind, SinkSettings};
pub use state::{create_private, state_dir};
pub use suggest::suggest;
pub use time::{parse_time, parse_time_range};
