//! What came of all seeds, for people: sums, the table of faults and states, failures with the command that repeats them.

use crate::life::{Report, Seed};
use crate::world::{Coverage, Fault, STATES};

/// Cells that cannot be met: fault, state, and why not.
const UNREACHABLE: [(Fault, usize); 0] = [];

/// So many seeds have to meet every cell.
const SEEDS_FOR_ALL: u64 = 2_000;

/// Sums over seeds.
#[derive(Default)]
pub struct Totals {
    seeds: u64,
    orders: u64,
    fills: u64,
    faults: u64,
    restarts: u64,
    seconds: f64,
    least: Option<(u64, u64, u64)>,
    coverage: Coverage,
    failures: Vec<(Seed, Vec<String>)>,
}

impl Totals {
    /// Adds a seed's.
    pub fn add(&mut self, seed: &Seed, report: Report) {
        self.seeds += 1;
        self.orders += report.orders;
        self.fills += report.fills;
        self.faults += report.faults;
        self.restarts += report.restarts;
        self.seconds += report.seconds;
        if report.wrongs.is_empty() {
            let (o, f, r) = self.least.unwrap_or((u64::MAX, u64::MAX, u64::MAX));
            self.least = Some((o.min(report.orders), f.min(report.faults), r.min(report.restarts)));
        } else {
            self.failures.push((seed.clone(), report.wrongs));
        }
        for (row, more) in self.coverage.iter_mut().zip(report.coverage) {
            row.iter_mut().zip(more).for_each(|(cell, n)| *cell += n);
        }
    }

    /// Nothing was wrong, and so many seeds that all cells should be met met them.
    pub fn is_good(&self) -> bool {
        self.failures.is_empty() && (self.seeds < SEEDS_FOR_ALL || self.empty().is_empty())
    }

    /// Cells that no seed met.
    fn empty(&self) -> Vec<String> {
        let mut empty = Vec::new();
        for fault in Fault::ALL {
            for (state, name) in STATES.iter().enumerate() {
                if self.coverage[fault as usize][state] == 0 && !UNREACHABLE.contains(&(fault, state)) {
                    empty.push(format!("{fault:?} × {name}"));
                }
            }
        }
        empty
    }

    /// All of it.
    pub fn print(&self, wanted: u64) {
        println!("{:<14}{}", "", STATES.map(|s| format!("{s:>14}")).join(""));
        for fault in Fault::ALL {
            let row = self.coverage[fault as usize].map(|n| format!("{n:>14}")).join("");
            println!("{:<14}{row}", format!("{fault:?}"));
        }
        println!(
            "{} seeds of {wanted}: {} orders, {} fills, {} faults, {} restarts, {:.0} simulated hours",
            self.seeds,
            self.orders,
            self.fills,
            self.faults,
            self.restarts,
            self.seconds / 3600.0
        );
        if let Some((orders, faults, restarts)) = self.least {
            println!("the least of a seed: {orders} orders, {faults} faults, {restarts} restarts");
        }
        let empty = self.empty();
        if !empty.is_empty() {
            println!("no seed met: {}", empty.join(", "));
        }
        for (seed, wrongs) in &self.failures {
            println!("seed {} at {} FAILS:", seed.number, seed.venue);
            wrongs.iter().take(12).for_each(|w| println!("  {w}"));
            println!(
                "  repeat: cargo run --release -p bellwether-storm -- --seeds 1 --first {} --venue {} --orders {} --log",
                seed.number, seed.venue, seed.orders
            );
        }
    }

    /// The first failure: after how many seeds, and what it was.
    pub fn print_hunt(&self, first: u64) {
        let found = self.failures.iter().min_by_key(|(seed, _)| seed.number);
        match found {
            Some((seed, wrongs)) => {
                println!("{} {}", seed.number - first + 1, wrongs.first().map_or("", String::as_str))
            }
            None => println!("none in {}", self.seeds),
        }
    }
}
