//! The flags that describe a run: what is replayed, on which account, under which fill rules.

use std::path::PathBuf;

use bellwether_sdk::{AccountKind, Decimal, Interval, Symbol};
use clap::{Args, ValueEnum};

/// The flags of a run.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RunArgs {
    /// Strategy by name (`bellwether strategy list`), or one of the settings file by id.
    #[arg(long, value_name = "NAME")]
    pub(crate) strategy: Option<String>,
    /// Set a parameter (`strategy.fast=10`, or `ID.fast=10` for one strategy) or a setting (`sim.latency_ms=5`); a range
    /// `5:30:5` or a list `5,10,20` for a parameter makes a grid.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Folder of stored market data [default: backtest-data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Instrument, e.g. binance:BTC/USDT; repeat for more.
    #[arg(long, visible_alias = "symbol", value_name = "SYMBOL")]
    pub(crate) instrument: Vec<Symbol>,
    /// Interval of the bars, e.g. 1m, 1h, 1d.
    #[arg(long, visible_alias = "timeframe", value_name = "INTERVAL")]
    pub(crate) interval: Option<Interval>,
    /// Ticks to see and fill against; repeat for more.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Vec<TickKind>,
    /// Start, inclusive, UTC: 2024-01-01, 20240101, RFC 3339 or a Unix time.
    #[arg(long, value_name = "TIME", conflicts_with = "timerange")]
    pub(crate) from: Option<String>,
    /// End, exclusive, UTC.
    #[arg(long, value_name = "TIME", conflicts_with = "timerange")]
    pub(crate) to: Option<String>,
    /// Start and end in one: 20240101-20240601, 20240101- or -20240601.
    #[arg(long, value_name = "FROM-TO", allow_hyphen_values = true)]
    pub(crate) timerange: Option<String>,
    /// Starting cash, e.g. 10000USDT; a bare number is quote currency [default: 10000].
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub(crate) cash: Option<String>,
    /// Kind of account [default: what the strategies declare].
    #[arg(long, value_name = "KIND")]
    pub(crate) account: Option<Account>,
    /// Margin accounts: largest notional over equity [default: 1].
    #[arg(long, value_name = "N")]
    pub(crate) leverage: Option<Decimal>,
    /// Maker and taker fee in basis points [default: the catalog's, else 10].
    #[arg(long, value_name = "BPS", conflicts_with_all = ["maker_bps", "taker_bps"], allow_negative_numbers = true)]
    pub(crate) fee_bps: Option<Decimal>,
    /// Maker fee in basis points; negative is a rebate.
    #[arg(long, value_name = "BPS", allow_negative_numbers = true)]
    pub(crate) maker_bps: Option<Decimal>,
    /// Taker fee in basis points.
    #[arg(long, value_name = "BPS", allow_negative_numbers = true)]
    pub(crate) taker_bps: Option<Decimal>,
    /// How much worse than the model's price a taker fill is, in basis points.
    #[arg(long, value_name = "BPS")]
    pub(crate) slippage_bps: Option<Decimal>,
    /// Milliseconds from a decision until the order is at the venue.
    #[arg(long, value_name = "MS")]
    pub(crate) latency_ms: Option<u64>,
    /// Fill rules: next-open@1, close@1, ohlc-path@1, trade@1, quote@1, book@1 [default: by the data].
    #[arg(long, value_name = "NAME")]
    pub(crate) fill_profile: Option<String>,
    /// Bars (or ticks) per instrument that only warm up.
    #[arg(long, value_name = "N")]
    pub(crate) warmup: Option<u64>,
    /// Close what is open at the end.
    #[arg(long)]
    pub(crate) close_at_end: bool,
}

/// Ticks that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TickKind {
    /// Single trades.
    Trades,
    /// Best bid and offer.
    Quotes,
    /// L2 book.
    Depth,
}

impl TickKind {
    /// Its name in settings.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Quotes => "quotes",
            Self::Depth => "depth",
        }
    }
}

/// Kinds of account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Account {
    /// No shorts, no leverage.
    Cash,
    /// Shorts and leverage within limits.
    Margin,
}

impl From<Account> for AccountKind {
    fn from(account: Account) -> Self {
        match account {
            Account::Cash => Self::Cash,
            Account::Margin => Self::Margin,
        }
    }
}
