//! The `bellwether` command with one strategy, which places and cancels orders without rest (`tests/hour/run`).
//!
//! It counts what is allocated, and writes it down for the test while it runs: memory that is kept and memory that only the
//! allocator holds are two different things.

use std::alloc::System;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use bellwether::host::Registry;
use bellwether_sdk::{
    AccountKind, Context, InstrumentId, Intent, OrderId, ParamError, Params, Plugin, Price, Qty, Side, Strategy, state,
};
use cap::Cap;
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Names the file in which the count of allocated bytes is to stand.
const HEAP_FILE: &str = "BELLWETHER_HOUR_HEAP";
/// How often it is written anew.
const HEAP_EVERY: Duration = Duration::from_secs(1);

/// Between two rounds, nanoseconds.
const ROUND_NS: i64 = 100_000_000;
/// Orders of so many rounds rest; then they are cancelled.
const ROUNDS_OPEN: usize = 3;
/// With so many open orders no more are placed: the venue has a limit too.
const OPEN_MAX: usize = 150;

/// What can be set.
#[derive(Debug, Clone, Params)]
struct BustleParams {
    /// Orders of each round, ten rounds a second.
    #[param(default = 20, range = 1..=100)]
    orders: i64,
    /// Quantity of each order, in lots.
    #[param(default = 100, range = 1..=1_000_000)]
    lots: i64,
}

/// Places orders on both sides, some across the market, some near it and most far from it, and cancels them soon.
#[derive(Debug, Serialize, Deserialize)]
struct Bustle {
    orders: i64,
    lots: i64,
    rounds: VecDeque<Vec<OrderId>>,
}

impl Bustle {
    fn place(&self, ctx: &mut Context<'_>, id: InstrumentId, n: i64) -> Option<OrderId> {
        let (instrument, last) = (ctx.instrument(id), ctx.last(id).mantissa());
        let (tick, lot) = (instrument.tick.mantissa().max(1), instrument.lot.mantissa());
        let side = if n % 2 == 0 { Side::Buy } else { Side::Sell };
        // Parts of ten thousand away from the market; below zero is across it.
        let away = match n {
            0 | 1 => -10,
            2..=7 => n,
            _ => 60 + 2 * n,
        };
        let price = last / tick * tick - side.sign() * (last / 10_000 * away / tick * tick);
        if price <= 0 {
            return None;
        }
        let qty = Qty::from_mantissa(lot.saturating_mul(self.lots));
        Some(ctx.place(Intent::limit(id, side, qty, Price::from_mantissa(price))))
    }
}

impl Strategy for Bustle {
    fn account(&self) -> AccountKind {
        AccountKind::Margin
    }

    fn on_start(&mut self, ctx: &mut Context<'_>) {
        ctx.timer(ctx.now().plus(ROUND_NS), 0);
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _: u64) {
        ctx.timer(ctx.now().plus(ROUND_NS), 0);
        let Some(id) = ctx.instruments().first().copied() else { return };
        if self.rounds.len() >= ROUNDS_OPEN
            && let Some(old) = self.rounds.pop_front()
        {
            let open = ctx.open_orders();
            old.into_iter().filter(|order| open.iter().any(|o| o.id == *order)).for_each(|order| ctx.cancel(order));
        }
        let room = OPEN_MAX.saturating_sub(ctx.open_orders().len());
        let count = self.orders.min(i64::try_from(room).unwrap_or(0));
        self.rounds.push_back((0..count).filter_map(|n| self.place(ctx, id, n)).collect());
    }

    fn save(&self) -> Vec<u8> {
        state::save(&(), self)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        *self = state::load(&(), bytes)?;
        Ok(())
    }
}

impl Plugin for Bustle {
    type Params = BustleParams;
    const NAME: &'static str = "bustle";
    const SUMMARY: &'static str = "places and cancels orders without rest";
    const DIRECTIONAL: bool = false;

    fn new(params: BustleParams) -> Result<Self, ParamError> {
        Ok(Self { orders: params.orders, lots: params.lots, rounds: VecDeque::new() })
    }
}

/// Writes the bytes that are allocated into a file, again and again; a whole file, or the one before stays.
fn count_heap(file: PathBuf) {
    let part = file.with_extension("part");
    loop {
        let written =
            std::fs::write(&part, ALLOCATOR.allocated().to_string()).and_then(|()| std::fs::rename(&part, &file));
        if let Err(error) = written {
            eprintln!("writing what is allocated into {}: {error}; it is not counted any more", file.display());
            return;
        }
        thread::sleep(HEAP_EVERY);
    }
}

fn main() -> ExitCode {
    if let Some(file) = std::env::var_os(HEAP_FILE) {
        thread::spawn(move || count_heap(file.into()));
    }
    bellwether_cli::main(&Registry::new().with::<Bustle>())
}
