//! The machines in a storm. A failing run says its seed; `BELLWETHER_STORM_SEED=<seed> cargo test --test it storm`
//! repeats it, `BELLWETHER_STORM_RUNS=<n>` runs more of them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bellwether::exchange::feed::FeedSettings;
use bellwether_sdk::Side;

use super::world::{Faults, STORM, World};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs a story under many seeds.
fn seeds(name: &str, runs: u64, story: impl Fn(u64)) {
    let seeds = match number("BELLWETHER_STORM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..1 + number("BELLWETHER_STORM_RUNS").unwrap_or(runs),
    };
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| story(seed))) {
            eprintln!(
                "{name} fails with seed {seed}; repeat: BELLWETHER_STORM_SEED={seed} cargo test --test it {name}"
            );
            resume_unwind(panic);
        }
    }
}

fn orders_in_a_storm(seed: u64, checksum: bool) {
    let mut world = World::new(seed, checksum, FeedSettings::default());
    world.run(3_000, |_| {});
    world.faults = STORM;
    let mut budget = 40;
    world.run(60_000, |w| {
        if budget > 0 && w.dice.chance(150) {
            budget -= 1;
            let side = if w.dice.chance(5_000) { Side::Buy } else { Side::Sell };
            let qty = 1 + w.dice.below(1_000) as i64;
            w.submit(side, qty);
        }
        if w.dice.chance(60) && w.next_order > 1 {
            let id = bellwether_sdk::OrderId(1 + w.dice.below(w.next_order - 1));
            w.cancel(id);
        }
    });
    // The storm is over; what was open is looked at, and everything is cancelled half of the time.
    world.faults = Faults::default();
    if seed.is_multiple_of(2) {
        let now = world.ts();
        world.gateway.cancel_all(None, now);
    }
    world.run(10_000, |_| {});
    world.ticking = false;
    world.run(180_000, |_| {});
    assert!(world.told.len() > 20, "orders were sent: {}", world.told.len());
    world.check_orders();
    if seed.is_multiple_of(2) {
        assert!(world.server.orders.iter().all(|o| !matches!(o.status, "open" | "part")), "all were to be cancelled");
    }
    assert!(world.feed.book(super::world::BTC).is_some(), "the book is back");
}

#[test]
fn storm_no_order_is_lost_or_doubled_and_no_book_is_silently_wrong() {
    seeds("storm_no_order_is_lost_or_doubled_and_no_book_is_silently_wrong", 12, |seed| {
        orders_in_a_storm(seed, false);
    });
}

#[test]
fn storm_a_book_kept_by_checksum_is_never_silently_wrong() {
    seeds("storm_a_book_kept_by_checksum_is_never_silently_wrong", 6, |seed| orders_in_a_storm(seed, true));
}

#[test]
fn storm_six_orders_accepted_during_an_outage_are_known_and_managed_after_it() {
    seeds("storm_six_orders_accepted_during_an_outage_are_known_and_managed_after_it", 10, |seed| {
        let mut world = World::new(seed, false, FeedSettings::default());
        world.run(3_000, |_| {});
        // The venue takes them, and answers nobody.
        world.faults = Faults { lose_answer: 10_000, ..Faults::default() };
        let ids: Vec<_> = (0..6).map(|i| world.submit(if i % 2 == 0 { Side::Buy } else { Side::Sell }, 500)).collect();
        world.ticking = false;
        world.run(1, |_| {});
        // The names cannot be looked up any more, and all connections are gone.
        world.outage = true;
        world.cut_all();
        world.carry_out();
        world.ticking = true;
        let taken = world.server.orders.len();
        world.run(45_000, |_| {});
        for id in &ids {
            let told = &world.told[id];
            assert!(told.ends.is_empty(), "nothing is known, so nothing is said: {told:?}");
        }
        world.faults = Faults::default();
        world.outage = false;
        world.run(90_000, |_| {});
        world.check_orders();
        assert_eq!(world.server.orders.len(), taken, "nothing was sent again");
        // And they are managed: cancelled one by one.
        for id in &ids {
            world.cancel(*id);
        }
        world.run(20_000, |_| {});
        world.check_orders();
        assert!(world.server.orders.iter().all(|o| !matches!(o.status, "open" | "part")));
    });
}
