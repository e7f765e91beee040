//! The storm: the code that trades, in one process with a simulated venue, network, disk and clock. Everything that goes
//! wrong is drawn from one seed; what must hold is looked at after every input. `docs/reliability.md` says how to read a
//! failure.

mod dice;
mod disk;
mod floor;
mod known;
mod life;
mod network;
mod sim;
mod strategy;
mod table;
mod venue;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use clap::Parser;
use life::{Report, Seed};
use table::Totals;

/// Runs seeds of the storm.
#[derive(Debug, Parser)]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Which protocols, by turns.
    #[arg(long, value_delimiter = ',', default_values_t = venue::NAMES.map(str::to_owned))]
    venue: Vec<String>,
    /// Orders in each seed.
    #[arg(long, default_value_t = 200)]
    orders: u64,
    /// How often the strategy acts at a market event, of ten thousand.
    #[arg(long, default_value_t = 3_000)]
    pace: u64,
    /// Seeds at once.
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// Print what happened, line by line.
    #[arg(long)]
    log: bool,
    /// Say only the first seed that fails, or none: for planted bugs.
    #[arg(long)]
    hunt: bool,
}

/// Runs one seed; a panic of the code under test is what must not be, too.
fn one(seed: &Seed) -> Report {
    let failed = |why: String| Report { wrongs: vec![why], ..Report::default() };
    match catch_unwind(AssertUnwindSafe(|| life::run(seed))) {
        Ok(Ok(report)) => report,
        Ok(Err(error)) => failed(format!("the storm itself: {error:#}")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            failed(format!("panic: {}", text.unwrap_or_else(|| "without a text".to_owned())))
        }
    }
}

fn main() -> std::process::ExitCode {
    let args = Args::parse();
    let (next, failed) = (AtomicU64::new(args.first), AtomicBool::new(false));
    let totals = Mutex::new(Totals::default());
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= args.first + args.seeds || failed.load(Ordering::Relaxed) {
                return;
            }
            let turn = usize::try_from(number).unwrap_or(0) % args.venue.len().max(1);
            let Some(venue) = args.venue.get(turn).cloned() else { return };
            let seed = Seed { number, venue, orders: args.orders, pace: args.pace, log: args.log };
            let report = one(&seed);
            report.log.iter().for_each(|line| println!("{line}"));
            if !report.wrongs.is_empty() {
                failed.store(true, Ordering::Relaxed);
            }
            if let Ok(mut totals) = totals.lock() {
                totals.add(&seed, report);
            }
        }
    };
    std::thread::scope(|scope| (0..args.threads.max(1)).for_each(|_| drop(scope.spawn(work))));
    let Ok(totals) = totals.into_inner() else { return 1.into() };
    if args.hunt {
        totals.print_hunt(args.first)
    } else {
        totals.print(args.seeds)
    }
    u8::from(!totals.is_good()).into()
}
