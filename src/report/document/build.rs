//! From an [`Outcome`] to a [`Document`]: exact numbers become exact text, names are looked up, tables are counted.

use std::collections::BTreeMap;

use bellwether_sdk::num::{format_mantissa, format_wide};
use bellwether_sdk::{AccountKind, Instrument, InstrumentId, InstrumentKind, Money, OrderState, Price, Rate, Side, Ts};

use super::rows::{
    Count, CurrencyRow, DataRow, DayRow, EquityRow, FillRow, GroupRow, InstrumentRow, LotRow, OrderEnd, OrderRow,
    PositionRow, Signals, TradeRow,
};
use super::{DataUse, Document, Provenance, Run, SCHEMA_VERSION};
use crate::engine::Outcome;
use crate::orders::{FillRecord, OrderRecord, OrderType};
use crate::portfolio::{OpenLot, TradeRecord};
use crate::report::metrics::{metrics, money_scale, trade_return};
use crate::report::text::{date, nanos, rfc3339};

impl Document {
    /// The document of a run.
    pub fn new(outcome: &Outcome, provenance: &Provenance) -> Self {
        let metrics = metrics(outcome);
        let names = Names::of(outcome);
        let trades: Vec<TradeRow> = outcome.trades.iter().map(|t| names.trade(t)).collect();
        Self {
            schema_version: SCHEMA_VERSION,
            run: run(outcome, provenance),
            summary: metrics.summary,
            reasons: metrics.reasons,
            flags: metrics.flags,
            instruments: outcome.instruments.iter().map(instrument).collect(),
            currencies: currencies(outcome),
            orders: outcome.orders.iter().map(|o| names.order(o)).collect(),
            fills: outcome.fills.iter().map(|f| names.fill(f)).collect(),
            open_positions: names.positions(),
            equity: outcome.equity.iter().map(|p| names.equity(p)).collect(),
            daily: outcome
                .daily
                .iter()
                .map(|d| DayRow { day: date(d.day), equity: names.reported(d.equity) })
                .collect(),
            per_instrument: names.groups(&trades, |t| t.instrument.clone()),
            per_tag: names.groups(&trades, |t| t.entry_tag.clone()),
            per_exit_reason: names.groups(&trades, |t| t.exit_reason.name().to_owned()),
            trades,
            refusals: counts(&outcome.refusals),
            order_ends: order_ends(outcome),
            signals: Signals {
                emitted: outcome.signals,
                dropped: counts(&outcome.signals_dropped),
                unbuilt: outcome.unbuilt.clone(),
            },
        }
    }
}

fn run(outcome: &Outcome, p: &Provenance) -> Run {
    let money = |m: Money| m.to_text(outcome.reporting.scale);
    // Without an event there is no first and no last.
    let (first, last) = if outcome.events == 0 { (Ts::NONE, Ts::NONE) } else { (outcome.ts_first, outcome.ts_last) };
    Run {
        id: p.run_id.clone(),
        order_hash: outcome.order_hash.clone(),
        data_hash: p.data_hash.clone(),
        config_hash: p.config_hash.clone(),
        fill_profile: p.fill_profile.clone(),
        tape: p.tape.clone(),
        seed: p.seed,
        version: p.version.clone(),
        created: p.created.clone(),
        command: p.command.clone(),
        events: outcome.events,
        warmup_bars: outcome.warmup,
        engine_cpu_seconds: seconds(p.engine_cpu_seconds),
        wall_seconds: seconds(p.wall_seconds),
        account: match outcome.account {
            AccountKind::Cash => "cash".to_owned(),
            AccountKind::Margin => "margin".to_owned(),
        },
        currency: outcome.reporting.code.clone(),
        start_equity: money(outcome.start_equity),
        end_equity: money(outcome.end_equity),
        fees: money(outcome.fees),
        funding: money(outcome.funding),
        first_ts: nanos(first),
        first_time: rfc3339(first),
        last_ts: nanos(last),
        last_time: rfc3339(last),
        strategies: p.strategies.clone(),
        data: p.data.iter().map(data).collect(),
        settings: p.settings.clone(),
        notes: outcome.notes.clone(),
    }
}

/// A time measured by whoever ran it; JSON has no NaN.
fn seconds(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

fn data(d: &DataUse) -> DataRow {
    DataRow {
        instrument: d.instrument.clone(),
        kind: d.kind.clone(),
        rows: d.rows,
        first_ts: nanos(d.first),
        first_time: rfc3339(d.first),
        last_ts: nanos(d.last),
        last_time: rfc3339(d.last),
    }
}

const fn kind_name(kind: InstrumentKind) -> &'static str {
    match kind {
        InstrumentKind::Spot => "spot",
        InstrumentKind::Linear => "linear",
        InstrumentKind::Inverse => "inverse",
    }
}

fn instrument(i: &Instrument) -> InstrumentRow {
    InstrumentRow {
        symbol: i.symbol.to_string(),
        kind: kind_name(i.kind()).to_owned(),
        settle: i.symbol.settle().to_owned(),
        price_scale: i.price_scale,
        qty_scale: i.qty_scale,
        tick: i.tick.to_text(i.price_scale),
        lot: i.lot.to_text(i.qty_scale),
        qty_min: i.qty_min.to_text(i.qty_scale),
        notional_min: format_wide(i.notional_min, i.price_scale + i.qty_scale),
        qty_max: i.qty_max.to_text(i.qty_scale),
        qty_max_market: i.qty_max_market.to_text(i.qty_scale),
        notional_max: format_wide(i.notional_max, i.price_scale + i.qty_scale),
        multiplier: i.multiplier,
        inferred: i.inferred,
    }
}

fn currencies(outcome: &Outcome) -> Vec<CurrencyRow> {
    outcome.currencies.iter().map(|c| CurrencyRow { code: c.code.clone(), scale: c.scale }).collect()
}

fn counts(pairs: &[(String, u64)]) -> Vec<Count> {
    pairs.iter().map(|(reason, count)| Count { reason: reason.clone(), count: *count }).collect()
}

fn order_ends(outcome: &Outcome) -> Vec<OrderEnd> {
    let mut table: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for order in &outcome.orders {
        if matches!(order.state, OrderState::Rejected | OrderState::Expired | OrderState::Cancelled) {
            *table.entry((order.state.name(), outcome.words.get(order.reason))).or_default() += 1;
        }
    }
    let mut ends: Vec<OrderEnd> = table
        .into_iter()
        .map(|((state, reason), count)| OrderEnd { state: state.to_owned(), reason: reason.to_owned(), count })
        .collect();
    ends.sort_by_key(|end| std::cmp::Reverse(end.count));
    ends
}

/// Looks up what records only number.
struct Names<'a> {
    outcome: &'a Outcome,
    /// Symbol and scales by instrument; the scale of its settlement currency beside.
    instruments: Vec<(&'a Instrument, u8)>,
}

impl<'a> Names<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let instruments = outcome.instruments.iter().map(|i| (i, money_scale(outcome, i.symbol.settle()))).collect();
        Self { outcome, instruments }
    }

    /// # Panics
    /// If a record names an instrument that is not of the run: the engine made both.
    fn instrument(&self, id: InstrumentId) -> (&'a Instrument, u8) {
        self.instruments[id.index()]
    }

    fn strategy(&self, index: u16) -> String {
        self.outcome.strategies.get(usize::from(index)).cloned().unwrap_or_default()
    }

    fn reported(&self, money: Money) -> String {
        money.to_text(self.outcome.reporting.scale)
    }

    fn order(&self, o: &OrderRecord) -> OrderRow {
        let (instrument, _) = self.instrument(o.instrument);
        let price = |p: Price| (!p.is_zero()).then(|| p.to_text(instrument.price_scale));
        let trailing = o.order_type == OrderType::TrailingStop;
        let notional = (o.notional != 0).then(|| format_mantissa(o.notional, o.notional_scale));
        OrderRow {
            id: o.id.0,
            strategy: self.strategy(o.strategy),
            instrument: instrument.symbol.to_string(),
            side: o.side,
            order_type: o.order_type,
            tif: o.tif,
            qty: (notional.is_none() || !o.qty.is_zero()).then(|| o.qty.to_text(instrument.qty_scale)),
            notional,
            filled: o.filled.to_text(instrument.qty_scale),
            price: price(o.price),
            trigger: price(o.trigger).filter(|_| !trailing),
            trail_offset: price(o.trigger).filter(|_| trailing && !o.trail_fraction),
            trail_fraction: (trailing && o.trail_fraction).then(|| Rate::from_mantissa(o.trigger.mantissa()).to_text()),
            post_only: o.post_only,
            reduce_only: o.reduce_only,
            role: o.role,
            state: o.state,
            reason: self.outcome.words.get(o.reason).to_owned(),
            tag: self.outcome.words.get(o.tag).to_owned(),
            parent: (o.parent.0 != 0).then_some(o.parent.0),
            created_ts: o.ts_created.nanos().to_string(),
            created_time: rfc3339(o.ts_created).unwrap_or_default(),
            done_ts: nanos(o.ts_done),
            done_time: rfc3339(o.ts_done),
            expiry_ts: nanos(o.ts_expiry),
            expiry_time: rfc3339(o.ts_expiry),
        }
    }

    fn fill(&self, f: &FillRecord) -> FillRow {
        let (instrument, scale) = self.instrument(f.instrument);
        FillRow {
            order: f.order.0,
            strategy: self.strategy(f.strategy),
            instrument: instrument.symbol.to_string(),
            side: f.side,
            price: f.price.to_text(instrument.price_scale),
            qty: f.qty.to_text(instrument.qty_scale),
            fee: f.fee.to_text(scale),
            fee_currency: instrument.symbol.settle().to_owned(),
            liquidity: f.liquidity,
            ts: f.ts.nanos().to_string(),
            time: rfc3339(f.ts).unwrap_or_default(),
            bar_ts: nanos(f.bar_ts),
        }
    }

    fn trade(&self, t: &TradeRecord) -> TradeRow {
        let (instrument, scale) = self.instrument(t.instrument);
        TradeRow {
            strategy: self.strategy(t.strategy),
            instrument: instrument.symbol.to_string(),
            side: t.side.into(),
            qty: t.qty.to_text(instrument.qty_scale),
            entry_ts: t.entry_ts.nanos().to_string(),
            entry_time: rfc3339(t.entry_ts).unwrap_or_default(),
            entry_price: t.entry_price.to_text(instrument.price_scale),
            entry_bar_ts: nanos(t.entry_bar_ts),
            exit_ts: t.exit_ts.nanos().to_string(),
            exit_time: rfc3339(t.exit_ts).unwrap_or_default(),
            exit_price: t.exit_price.to_text(instrument.price_scale),
            exit_bar_ts: nanos(t.exit_bar_ts),
            fees: t.fees.to_text(scale),
            pnl: t.pnl.to_text(scale),
            currency: instrument.symbol.settle().to_owned(),
            return_pct: trade_return(instrument, t, scale).map(|r| 100.0 * r),
            entry_tag: self.outcome.words.get(t.entry_tag).to_owned(),
            exit_reason: t.exit_reason,
        }
    }

    fn equity(&self, p: &crate::engine::EquityPoint) -> EquityRow {
        EquityRow {
            ts: p.ts.nanos().to_string(),
            time: rfc3339(p.ts).unwrap_or_default(),
            equity: self.reported(p.equity),
            equity_min: self.reported(p.equity_min),
            buy_hold: self.reported(p.buy_hold),
        }
    }

    fn positions(&self) -> Vec<PositionRow> {
        let mut table: BTreeMap<(u16, InstrumentId, i64), Vec<&OpenLot>> = BTreeMap::new();
        for lot in &self.outcome.open_lots {
            table.entry((lot.strategy, lot.instrument, lot.side.sign())).or_default().push(lot);
        }
        table.into_values().map(|lots| self.position(&lots)).collect()
    }

    fn position(&self, lots: &[&OpenLot]) -> PositionRow {
        let head = lots[0];
        let (instrument, _) = self.instrument(head.instrument);
        let qty: i128 = lots.iter().map(|l| i128::from(l.qty.mantissa())).sum();
        let entry = average_price(instrument, lots);
        let last = self.outcome.charts.get(head.instrument.index()).and_then(|c| c.candles.last()).map(|c| c.close);
        PositionRow {
            strategy: self.strategy(head.strategy),
            instrument: instrument.symbol.to_string(),
            side: head.side.into(),
            qty: format_wide(qty, instrument.qty_scale),
            entry_ts: head.entry_ts.nanos().to_string(),
            entry_time: rfc3339(head.entry_ts).unwrap_or_default(),
            entry_price: entry,
            last_price: last.map(|p| p.to_text(instrument.price_scale)),
            unrealised_pct: last.and_then(|p| price_gain(instrument, head.side, entry, p)),
            lots: lots.iter().map(|l| self.lot(l)).collect(),
        }
    }

    fn lot(&self, l: &OpenLot) -> LotRow {
        let (instrument, scale) = self.instrument(l.instrument);
        LotRow {
            qty: l.qty.to_text(instrument.qty_scale),
            entry_ts: l.entry_ts.nanos().to_string(),
            entry_time: rfc3339(l.entry_ts).unwrap_or_default(),
            entry_price: l.entry_price.to_text(instrument.price_scale),
            entry_bar_ts: nanos(l.entry_bar_ts),
            fees: l.fees.to_text(scale),
            entry_tag: self.outcome.words.get(l.entry_tag).to_owned(),
        }
    }

    /// Trades put together by a key, in order of the key.
    fn groups(&self, rows: &[TradeRow], key: impl Fn(&TradeRow) -> String) -> Vec<GroupRow> {
        let mut table: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (i, row) in rows.iter().enumerate() {
            table.entry(key(row)).or_default().push(i);
        }
        table.into_iter().map(|(key, members)| self.group(key, &members, rows)).collect()
    }

    fn group(&self, key: String, members: &[usize], rows: &[TradeRow]) -> GroupRow {
        let n = members.len() as f64;
        let returns: Vec<f64> = members.iter().map(|i| rows[*i].return_pct.unwrap_or(0.0)).collect();
        let records: Vec<&TradeRecord> = members.iter().map(|i| &self.outcome.trades[*i]).collect();
        let wins = records.iter().filter(|t| t.pnl.mantissa() > 0).count();
        let gains: f64 = returns.iter().filter(|r| **r > 0.0).sum();
        let losses: f64 = returns.iter().filter(|r| **r < 0.0).sum();
        let hours: f64 =
            records.iter().map(|t| t.exit_ts.nanos().saturating_sub(t.entry_ts.nanos()) as f64 / 3.6e12).sum();
        let currency = rows[members[0]].currency.clone();
        let one = members.iter().all(|i| rows[*i].currency == currency);
        let scale = money_scale(self.outcome, &currency);
        let sum = |of: fn(&TradeRecord) -> Money| {
            let total = records.iter().try_fold(Money::ZERO, |sum, t| sum.checked_add(of(t)));
            total.ok().filter(|_| one).map(|m| m.to_text(scale))
        };
        GroupRow {
            key,
            trades: members.len() as u64,
            win_rate_pct: 100.0 * wins as f64 / n,
            pnl: sum(|t| t.pnl),
            fees: sum(|t| t.fees),
            currency: one.then_some(currency),
            mean_return_pct: returns.iter().sum::<f64>() / n,
            best_return_pct: returns.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            worst_return_pct: returns.iter().copied().fold(f64::INFINITY, f64::min),
            profit_factor_return: (losses < 0.0).then(|| gains / -losses),
            mean_hours: hours / n,
        }
    }
}

/// The average entry price of lots: weighted by quantity, for inverse contracts harmonically; for display.
fn average_price(instrument: &Instrument, lots: &[&OpenLot]) -> f64 {
    let pair = |l: &&OpenLot| (l.qty.to_f64(instrument.qty_scale), l.entry_price.to_f64(instrument.price_scale));
    let qty: f64 = lots.iter().map(|l| pair(l).0).sum();
    let average = match instrument.kind() {
        InstrumentKind::Inverse => qty / lots.iter().map(|l| pair(l).0 / pair(l).1).sum::<f64>(),
        InstrumentKind::Spot | InstrumentKind::Linear => lots.iter().map(|l| pair(l).0 * pair(l).1).sum::<f64>() / qty,
    };
    if average.is_finite() { average } else { 0.0 }
}

fn price_gain(instrument: &Instrument, side: Side, entry: f64, last: Price) -> Option<f64> {
    let last = last.to_f64(instrument.price_scale);
    let change = match instrument.kind() {
        InstrumentKind::Inverse => 1.0 - entry / last,
        InstrumentKind::Spot | InstrumentKind::Linear => last / entry - 1.0,
    };
    let gain = 100.0 * side.sign() as f64 * change;
    gain.is_finite().then_some(gain)
}
