//! Stories of the venue's limits: what others use of them, and what it counts per instrument.

use bellwether::exchange::feed::FeedSettings;
use bellwether_sdk::{Qty, Side};

use super::toy::Toy;
use super::world::{MS, World};

fn calm(toy: Toy, seed: u64) -> World {
    let mut world = World::at_venue(toy, seed, false, FeedSettings::default());
    (world.server.eager, world.server.picky) = (false, false);
    world.run(3_000, |_| {});
    world.ticking = false;
    world
}

/// Lets time pass until so many milliseconds of a stretch of so many seconds have passed.
fn into(world: &mut World, seconds: i64, ms: i64) {
    let now = world.now / MS;
    world.run((ms - now).rem_euclid(seconds * 1_000), |_| {});
}

#[test]
fn orders_that_others_sent_hold_ours_back_until_the_venue_counts_anew() {
    let mut world = calm(Toy::numbers(), 51);
    into(&mut world, 10, 7_500);
    // The answer to the first says that others sent ninety-nine more.
    world.used = Some((10, 100));
    let first = world.submit(Side::Buy, 5);
    world.run(100, |_| {});
    let second = world.submit(Side::Buy, 6);
    world.used = None;
    world.run(2_000, |_| {});
    assert_eq!(world.server.orders.len(), 1, "the venue's limit is used up");
    world.run(2_000, |_| {});
    assert_eq!((world.told[&first].accepted, world.told[&second].accepted), (1, 1), "it counts anew");
    world.check_orders();
}

#[test]
fn weight_that_others_used_holds_questions_back_and_not_what_is_done_about_orders() {
    let mut world = calm(Toy::numbers(), 52);
    let id = world.submit(Side::Buy, 5);
    world.run(1_000, |_| {});
    into(&mut world, 60, 2_000);
    // Nearly all of 6,000: a twentieth is left for what is done about orders.
    world.used = Some((5_750, 1));
    let now = world.ts();
    world.gateway.look_at_account(0, None, now);
    world.carry_out();
    world.run(100, |_| {});
    // Without the trading socket a cancel goes by REST; what comes of it is not asked for before the minute is over.
    world.outage = true;
    world.cut_all();
    world.outage = false;
    world.cancel(id);
    world.run(100, |_| {});
    assert_eq!(world.server.orders[0].status, "cancelled");
    let before = world.asked;
    world.run(40_000, |_| {});
    assert_eq!(world.asked, before, "no question is sent");
    world.used = None;
    world.run(30_000, |_| {});
    assert!(world.asked > before);
    assert_eq!(world.told[&id].ends, ["cancelled: requested"]);
    world.check_orders();
}

#[test]
fn orders_and_changes_wait_while_the_venues_count_is_full_and_cancels_do_not() {
    // One per second.
    let mut world = calm(Toy::that_counts_acts(10, 10_000), 53);
    let resting = world.submit(Side::Buy, 5);
    world.run(12_000, |_| {});
    for qty in [6, 7, 8] {
        let id = world.submit(Side::Buy, qty);
        world.run(20, |_| {});
        world.cancel(id);
        world.run(20, |_| {});
        assert_eq!(world.told[&id].ends, ["cancelled: requested"], "a cancel does not wait");
    }
    // Three times four, and it fell by little.
    let late = world.submit(Side::Buy, 9);
    let now = world.ts();
    world.gateway.amend(resting, None, Some(Qty::from_mantissa(4)), now);
    world.carry_out();
    world.run(2_500, |_| {});
    assert_eq!((world.server.orders.len(), world.server.amends), (4, 0));
    world.run(2_000, |_| {});
    assert_eq!((world.server.orders.len(), world.server.amends, world.told[&late].accepted), (5, 1, 1));
}
