//! Runs made by hand, for the tests of this room: one line each.

use bellwether_sdk::{
    AccountKind, Instrument, InstrumentId, Liquidity, Money, OrderId, OrderState, Price, Qty, Role, Side, Ts,
};

use super::document::{DataUse, Document, Provenance, StrategyUse};
use crate::engine::{Candle, Chart, ChartSeries, DayPoint, Drawdown, EquityPoint, Outcome};
use crate::market::Currency;
use crate::orders::{FillRecord, OrderRecord, OrderType, PutAway, TifType, Words};
use crate::portfolio::{OpenLot, TradeRecord};

pub(super) const HOUR: i64 = 3_600_000_000_000;
pub(super) const DAY: i64 = 24 * HOUR;
/// 2024-01-01T00:00:00Z.
pub(super) const START: i64 = 1_704_067_200_000_000_000;

/// A time so many hours after the start of 2024.
pub(super) fn hour(n: i64) -> Ts {
    Ts::from_nanos(START + n * HOUR)
}

/// Whole units of a currency of eight digits.
pub(super) fn usd(n: i64) -> Money {
    Money::from_mantissa(i128::from(n) * 100_000_000)
}

pub(super) fn instrument(id: u16, symbol: &str) -> Instrument {
    let symbol = symbol.parse().expect("a symbol");
    Instrument { inferred: false, ..Instrument::inferred(InstrumentId(id), symbol, 2, 4) }
}

/// A run of BTC/USDT spot from 10,000 USDT in which nothing happened.
pub(super) fn empty() -> Outcome {
    Outcome {
        instruments: vec![instrument(0, "binance:BTC/USDT")],
        strategies: vec!["ema".to_owned()],
        account: AccountKind::Cash,
        reporting: Currency { code: "USDT".to_owned(), scale: 8 },
        currencies: vec![Currency { code: "USDT".to_owned(), scale: 8 }, Currency { code: "BTC".to_owned(), scale: 8 }],
        ts_first: hour(0),
        ts_last: hour(0),
        events: 0,
        warmup: 0,
        start_equity: usd(10_000),
        end_equity: usd(10_000),
        fees: Money::ZERO,
        funding: Money::ZERO,
        orders: vec![],
        fills: vec![],
        put_away: PutAway::default(),
        trades: vec![],
        open_lots: vec![],
        words: Words::default(),
        daily: vec![],
        equity: vec![],
        drawdown: Drawdown::default(),
        exposed_ns: 0,
        charts: vec![],
        refusals: vec![],
        signals: 0,
        unbuilt: Vec::new(),
        signals_dropped: vec![],
        halts: vec![],
        notes: vec![],
        order_hash: "00".repeat(32),
    }
}

/// The same with an equity per day, the first day being 2024-01-01.
pub(super) fn days(equity: &[i64]) -> Outcome {
    let mut run = empty();
    run.events = 24 * equity.len() as u64;
    run.ts_last = hour(24 * equity.len() as i64);
    let point = |(i, e): (usize, &i64)| DayPoint { day: Ts::from_nanos(START + i as i64 * DAY), equity: usd(*e) };
    run.daily = equity.iter().enumerate().map(point).collect();
    run.equity = std::iter::once(&10_000)
        .chain(equity)
        .enumerate()
        .map(|(i, e)| EquityPoint {
            ts: hour(24 * i as i64),
            equity: usd(*e),
            equity_min: usd(*e),
            buy_hold: usd(10_000 + 10 * i as i64),
        })
        .collect();
    run.end_equity = usd(equity.last().copied().unwrap_or(10_000));
    run.drawdown = drawdown(equity);
    run
}

fn drawdown(equity: &[i64]) -> Drawdown {
    let mut found = Drawdown::default();
    let (mut peak, mut peak_at) = (10_000, 0);
    for (i, e) in equity.iter().enumerate() {
        let at = i as i64 + 1;
        if *e >= peak {
            (peak, peak_at) = (*e, at);
            continue;
        }
        found.longest_ns = found.longest_ns.max((at - peak_at) * DAY);
        let fraction = (peak - e) as f64 / peak as f64;
        if fraction > found.fraction {
            let (ts_peak, ts_trough) = (hour(24 * peak_at), hour(24 * at));
            found = Drawdown { fraction, peak: usd(peak), trough: usd(*e), ts_peak, ts_trough, ..found };
        }
    }
    found
}

/// A closed long of 1 BTC: hours of entry and exit, prices, and a fee of 1 in all.
pub(super) fn trade(from: i64, to: i64, entry: i64, exit: i64) -> TradeRecord {
    TradeRecord {
        fees: usd(1),
        pnl: usd(exit - entry - 1),
        entry_ts: hour(from),
        entry_bar_ts: hour(from),
        exit_ts: hour(to),
        exit_bar_ts: hour(to),
        entry_price: Price::from_mantissa(entry * 100),
        exit_price: Price::from_mantissa(exit * 100),
        qty: Qty::from_mantissa(10_000),
        entry_tag: crate::orders::WordId(0),
        instrument: InstrumentId(0),
        strategy: 0,
        side: Side::Buy,
        exit_reason: Role::Signal,
    }
}

/// An open long of 0.5 BTC.
pub(super) fn lot(at: i64, entry: i64) -> OpenLot {
    OpenLot {
        fees: usd(1),
        entry_ts: hour(at),
        entry_bar_ts: hour(at),
        entry_price: Price::from_mantissa(entry * 100),
        qty: Qty::from_mantissa(5_000),
        entry_tag: crate::orders::WordId(0),
        instrument: InstrumentId(0),
        strategy: 0,
        side: Side::Buy,
    }
}

/// A market order of 1 BTC that filled.
pub(super) fn order(id: u64, at: i64, side: Side) -> OrderRecord {
    OrderRecord {
        id: OrderId(id),
        ts_created: hour(at),
        ts_done: hour(at),
        ts_expiry: Ts::NONE,
        price: Price::ZERO,
        trigger: Price::ZERO,
        qty: Qty::from_mantissa(10_000),
        filled: Qty::from_mantissa(10_000),
        notional: 0,
        parent: OrderId(0),
        tag: crate::orders::WordId(0),
        reason: crate::orders::WordId(0),
        strategy: 0,
        instrument: InstrumentId(0),
        notional_scale: 0,
        side,
        order_type: OrderType::Market,
        tif: TifType::Gtc,
        trail_fraction: false,
        post_only: false,
        reduce_only: false,
        role: Role::Signal,
        state: OrderState::Filled,
        life: crate::orders::Life::Filled,
    }
}

/// The fill of [`order`].
pub(super) fn fill(id: u64, at: i64, side: Side, price: i64) -> FillRecord {
    FillRecord {
        fee: Money::from_mantissa(50_000_000),
        order: OrderId(id),
        ts: hour(at),
        bar_ts: hour(at),
        price: Price::from_mantissa(price * 100),
        qty: Qty::from_mantissa(10_000),
        instrument: InstrumentId(0),
        strategy: 0,
        side,
        liquidity: Liquidity::Taker,
    }
}

/// A long run with so many trades on two instruments, every field in use; deterministic.
pub(super) fn busy(trades: usize) -> Outcome {
    let mut state = 42_u64;
    let mut random = move |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let n_days = (trades * 8).div_ceil(24).max(2);
    let mut equity = 10_000;
    let curve: Vec<i64> = (0..n_days)
        .map(|_| {
            equity += random(400) as i64 - 185;
            equity = equity.max(4_000);
            equity
        })
        .collect();
    let mut run = days(&curve);
    run.instruments.push(instrument(1, "binance:ETH/USDT:USDT"));
    run.account = AccountKind::Margin;
    run.signals = trades as u64 * 2 + 3;
    run.signals_dropped = vec![("cooldown".to_owned(), 3)];
    run.refusals = vec![("insufficient_cash".to_owned(), 2)];
    run.notes = vec!["warm-up took 0 bars".to_owned()];
    let tags = ["cross up", "cross down", "<script>alert('tag')</script>"].map(|t| run.words.intern(t));
    let reasons = [Role::Signal, Role::StopLoss, Role::TakeProfit];
    for i in 0..trades {
        let (from, entry) = (i as i64 * 8, 20_000 + random(400) as i64);
        let exit = entry + random(200) as i64 - 96;
        let mut t = trade(from, from + 1 + random(7) as i64, entry, exit);
        if i % 3 == 1 {
            t.side = Side::Sell;
            t.pnl = usd(entry - exit - 1);
        }
        t.instrument = InstrumentId((i % 4 == 3).into());
        t.entry_tag = tags[i % 3];
        t.exit_reason = reasons[random(3) as usize];
        for (k, (at, side, price)) in
            [(from, t.side, entry), ((t.exit_ts.nanos() - START) / HOUR, t.side.opposite(), exit)]
                .into_iter()
                .enumerate()
        {
            let id = (2 * i + k + 1) as u64;
            run.orders.push(OrderRecord { instrument: t.instrument, ..order(id, at, side) });
            run.fills.push(FillRecord { instrument: t.instrument, ..fill(id, at, side, price) });
        }
        run.trades.push(t);
    }
    run.fees = usd(trades as i64);
    run.exposed_ns = run.trades.iter().map(|t| t.exit_ts.nanos() - t.entry_ts.nanos()).sum();
    run.open_lots = vec![lot(24 * n_days as i64 - 2, 20_100), lot(24 * n_days as i64 - 1, 20_200)];
    run.charts = (0..2).map(|_| chart(n_days * 24, &mut random)).collect();
    run
}

fn chart(candles: usize, random: &mut impl FnMut(u64) -> u64) -> Chart {
    let p = |v: i64| Price::from_mantissa(v * 100);
    let mut close = 20_200_i64;
    let candles: Vec<Candle> = (0..candles.min(2_000))
        .map(|i| {
            let open = close;
            close = (close + random(61) as i64 - 30).max(100);
            let (high, low) = (open.max(close) + random(20) as i64, open.min(close) - random(20) as i64);
            Candle {
                ts: hour(i as i64),
                open: p(open),
                high: p(high),
                low: p(low),
                close: p(close),
                volume: Qty::from_mantissa(10_000),
            }
        })
        .collect();
    let fast: Vec<f64> = candles.iter().map(|c| c.open.to_f64(2)).collect();
    let rsi = candles.iter().enumerate().map(|(i, _)| if i < 14 { f64::NAN } else { 30.0 + (i % 40) as f64 }).collect();
    let series = |name: &str, values| ChartSeries { name: name.to_owned(), values };
    Chart {
        width: bellwether_sdk::Interval::HOUR,
        series: vec![series("ema: fast", fast), series("ema: rsi", rsi)],
        candles,
    }
}

pub(super) fn provenance() -> Provenance {
    let data = DataUse {
        instrument: "binance:BTC/USDT".to_owned(),
        kind: "bars-1h".to_owned(),
        rows: 1440,
        first: hour(0),
        last: hour(1439),
    };
    let strategy = StrategyUse {
        id: "ema".to_owned(),
        plugin: "ema_cross".to_owned(),
        params: [("fast", 10), ("slow", 30)].map(|(k, v)| (k.to_owned(), serde_json::json!(v))).into(),
        instruments: vec!["binance:BTC/USDT".to_owned()],
        artefact_hash: "ab".repeat(32),
    };
    Provenance {
        run_id: "20240301-120000-abcdef".to_owned(),
        version: "0.1.0".to_owned(),
        strategies: vec![strategy],
        data_hash: "cd".repeat(32),
        config_hash: "ef".repeat(32),
        fill_profile: "next-open@1".to_owned(),
        tape: None,
        seed: 7,
        engine_cpu_seconds: 0.012,
        wall_seconds: 0.034,
        data: vec![data],
        settings: serde_json::json!({"fees": {"maker_bps": "10", "taker_bps": "10"}, "cash": "10000"}),
        created: "2024-03-01T12:00:00Z".to_owned(),
        command: "bellwether backtest --strategy ema_cross".to_owned(),
    }
}

/// The document of a run with [`provenance`].
pub(super) fn document(outcome: &Outcome) -> Document {
    Document::new(outcome, &provenance())
}
