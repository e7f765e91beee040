//! How a session stands, for its health pages.

use bellwether_sdk::{OpenOrder, Ts};

use crate::api::{KeyUses, Pulse};
use crate::engine::Engine;
use crate::keys::{Key, Signing, Use};
use crate::orders::Life;

/// What the engine does not know of a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    pub(super) mode: &'static str,
    /// When the feed last said something; [`Ts::NONE`] before the first.
    pub(super) heard: Ts,
    pub(super) now: Ts,
    pub(super) stale_topics: usize,
    pub(super) loop_lag_ns: i64,
    pub(super) queued_orders: usize,
    pub(super) tape_backlog: u64,
}

/// The states that open orders are counted by.
const STATES: [Life; 5] = [Life::Sent, Life::Acknowledged, Life::PartlyFilled, Life::CancelPending, Life::Unknown];

/// What the active keys of accounts were used for.
fn key_uses(signings: &[Signing]) -> Vec<KeyUses> {
    let of = |signing: &Signing, key: &Key| KeyUses {
        account: signing.account().to_owned(),
        key: key.name(),
        uses: Use::ALL.map(|what| (what.name(), key.count(what))).to_vec(),
    };
    let all = |signing: &Signing| {
        let active = signing.in_force().into_iter().chain(signing.spare());
        active.map(|key| of(signing, &key)).collect::<Vec<_>>()
    };
    signings.iter().flat_map(all).collect()
}

/// A session's pulse now.
pub(super) fn pulse(engine: &Engine, signings: &[Signing], around: &Around) -> Pulse {
    let guard = engine.guard();
    let tripped = guard.tripped().map(|(cause, _)| cause.to_string());
    let holds: Vec<&'static str> = guard.holds().map(|h| h.name()).collect();
    let life = |o: &OpenOrder| engine.orders().get(o.id).map(|record| record.life);
    let count = |state: Life| (state.name(), engine.open_orders().filter(|o| life(o) == Ok(state)).count());
    let view = engine.view();
    let position = |v: &bellwether_sdk::InstrumentView| {
        let qty = engine.ledger().position(v.instrument.id).qty;
        (v.instrument.symbol.to_string(), qty.to_f64(v.instrument.qty_scale))
    };
    Pulse {
        mode: around.mode,
        engine_ns: engine.now().nanos(),
        feed_age_ms: (around.heard != Ts::NONE)
            .then(|| around.now.nanos().saturating_sub(around.heard.nanos()) / 1_000_000),
        stale_topics: around.stale_topics,
        loop_lag_us: around.loop_lag_ns / 1_000,
        queued_orders: around.queued_orders,
        tape_backlog_bytes: around.tape_backlog,
        open_orders: STATES.map(count).to_vec(),
        orders: engine.orders().made(),
        fills: engine.orders().filled(),
        impossible_answers: engine.impossible_answers(),
        events: engine.events(),
        equity: view.equity.to_f64(view.equity_scale),
        currency: engine.reporting().to_owned(),
        positions: view.instruments.iter().map(position).collect(),
        guard: engine.guard_levels().iter().map(|l| (l.limit.name(), l.filled_bps() as f64 / 1e4)).collect(),
        ready: tripped.is_none() && holds.is_empty() && around.stale_topics == 0,
        tripped,
        holds,
        keys: key_uses(signings),
        sources: Vec::new(),
        sinks: Vec::new(),
    }
}
