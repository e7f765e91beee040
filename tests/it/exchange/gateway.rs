//! Stories of the gateway.

use bellwether::exchange::feed::FeedSettings;
use bellwether_sdk::{OrderId, Side};

use super::world::{Faults, World};

fn calm(seed: u64) -> World {
    let mut world = World::new(seed, false, FeedSettings::default());
    world.run(3_000, |_| {});
    world.ticking = false;
    world
}

#[test]
fn an_order_whose_answer_is_lost_is_unknown_then_known_and_sent_once() {
    let mut world = calm(11);
    world.faults = Faults { lose_answer: 10_000, ..Faults::default() };
    world.cut_all();
    world.run(1_000, |_| {});
    let id = world.submit(Side::Buy, 5);
    world.run(10_000, |_| {});
    world.faults = Faults::default();
    world.run(60_000, |_| {});
    let told = &world.told[&id];
    assert!(told.unknown <= 1 && told.known == told.unknown, "{told:?}");
    assert_eq!(world.server.clients_seen.len(), 1, "sent once");
    world.check_orders();
}

#[test]
fn an_order_that_never_arrived_is_rejected_only_after_the_venue_settled() {
    let mut world = calm(12);
    // Every request is lost on the way, and the trading socket is gone.
    world.outage = true;
    world.cut_all();
    world.run(100, |_| {});
    world.outage = false;
    world.faults = Faults { lose_request: 10_000, refuse: 0, ..Faults::default() };
    let id = world.submit(Side::Buy, 5);
    world.run(1_500, |_| {});
    assert!(world.told[&id].ends.is_empty(), "too early: {:?}", world.told[&id]);
    world.faults = Faults::default();
    world.run(30_000, |_| {});
    let told = &world.told[&id];
    match world.server.orders.len() {
        0 => assert_eq!(told.ends, ["rejected: never_arrived"], "{told:?}"),
        _ => assert!(told.ends.is_empty()),
    }
    world.check_orders();
}

#[test]
fn nothing_is_sent_for_an_order_cancelled_while_the_venue_is_away() {
    let mut world = calm(13);
    world.outage = true;
    world.cut_all();
    world.carry_out();
    let id = world.submit(Side::Sell, 9);
    world.run(20, |_| {});
    world.cancel(id);
    world.run(10_000, |_| {});
    world.outage = false;
    world.run(30_000, |_| {});
    let told = &world.told[&id];
    assert_eq!(told.ends.len(), 1, "{told:?}");
    assert!(world.server.orders.is_empty());
}

#[test]
fn what_cannot_be_sent_for_too_long_is_rejected_not_sent_late() {
    let mut world = calm(14);
    world.outage = true;
    world.cut_all();
    world.carry_out();
    let id = world.submit(Side::Sell, 9);
    world.run(20_000, |_| {});
    assert_eq!(world.told[&id].ends, ["rejected: venue_unreachable"]);
    world.outage = false;
    world.run(30_000, |_| {});
    assert!(world.server.orders.is_empty());
}

#[test]
fn an_order_given_twice_is_sent_once() {
    let mut world = calm(15);
    let id = world.submit(Side::Buy, 5);
    world.next_order = id.0;
    assert_eq!(world.submit(Side::Buy, 5), OrderId(id.0));
    world.run(5_000, |_| {});
    assert_eq!(world.server.orders.len(), 1);
    assert!(world.notes.iter().any(|n| n.contains("twice")), "{:?}", world.notes);
}
