//! The `bellwether` command with the shipped strategies.

use std::process::ExitCode;

use bellwether::host::Registry;

fn main() -> ExitCode {
    let registry = Registry::new()
        .with::<strategy_ema_cross::EmaCross>()
        .with::<strategy_rsi_reversion::RsiReversion>()
        .with::<strategy_bollinger_reversion::BollingerReversion>()
        .with::<strategy_macd::MacdCross>()
        .with::<strategy_donchian_breakout::DonchianBreakout>()
        .with::<strategy_buy_and_hold::BuyAndHold>()
        .with::<strategy_momentum_rotation::MomentumRotation>()
        .with::<strategy_quoter::Quoter>()
        .with::<strategy_follow::Follow>();
    bellwether_cli::main(&registry)
}
