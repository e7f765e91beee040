//! Settings: one tree, layered from defaults, a TOML file, the environment and flags; checked as a whole.
//!
//! Edge: reads files and the environment. Secrets never stand here, only references to them.

mod settings;

pub use settings::{
    AccountSettings, BacktestSettings, DataSettings, RiskSettings, Settings, SimSettings, Slippage, StrategySettings,
};
