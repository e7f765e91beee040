//! Stories of the private connections at the end of their lives. The toy venue's live for ten minutes.

use bellwether::exchange::OrderStatus;
use bellwether::exchange::feed::FeedSettings;
use bellwether_sdk::{OrderId, Side};

use super::toy::Toy;
use super::world::{Faults, MS, START, World};

/// A world with an order that rests, half a minute before its private connections are renewed.
fn before_the_changeover(toy: Toy, seed: u64) -> (World, OrderId) {
    let mut world = World::at_venue(toy, seed, false, FeedSettings::default());
    (world.server.eager, world.server.picky) = (false, false);
    world.run(3_000, |_| {});
    world.ticking = false;
    let id = world.submit(Side::Buy, 100_000);
    world.run(555_000, |_| {});
    assert_eq!((world.told[&id].accepted, private(&world)), (1, (1, 1)));
    (world, id)
}

/// How many private streams and trading sockets are open.
fn private(world: &World) -> (usize, usize) {
    let count = |end: &str| world.open_urls().iter().filter(|url| url.ends_with(end)).count();
    (count("account"), count("trade"))
}

fn renewed(world: &World) -> bool {
    world.notes.iter().any(|n| n.contains("are renewed"))
}

#[test]
fn fills_told_at_the_changeover_are_booked_once_and_the_stream_is_never_off() {
    for (toy, seed) in [(Toy::numbers(), 31), (Toy::numbers(), 32), (Toy::with_tickets(), 33)] {
        let has_tickets = seed == 33;
        let (mut world, id) = before_the_changeover(toy, seed);
        // What the stream does not tell is not heard of: no question is answered, but for the ticket.
        world.faults = Faults { delay_ms: 80, lose_request: if has_tickets { 0 } else { 10_000 }, ..Faults::default() };
        let (mut both, mut all) = (0, 0);
        for ms in 0..40_000 {
            world.run(1, |_| {});
            both += u32::from(private(&world) == (2, 2));
            all = all.max(private(&world).0);
            if ms % 10 == 0 && world.server.orders[0].filled < world.server.orders[0].qty {
                world.fill(0, 30);
            }
        }
        world.run(300, |_| {});
        assert!(renewed(&world) && both > 400 && all == 2, "{both} {:?}", world.notes);
        assert_eq!(private(&world), (1, 1), "the old ones are closed");
        assert_eq!(world.private, [true], "it is never off");
        let told = &world.told[&id];
        assert_eq!((told.filled, told.ids.len()), (world.server.orders[0].filled, world.server.fills.len()));
        world.faults = Faults::default();
        world.run(30_000, |_| {});
        world.check_orders();
        assert!(world.now > START + 600_000 * MS);
    }
}

#[test]
fn orders_under_way_at_the_changeover_are_answered_where_they_were_sent() {
    let (mut world, _) = before_the_changeover(Toy::numbers(), 34);
    // Answers take longer than the old ones would be heard without them.
    world.faults = Faults { delay_ms: 900, lose_request: 10_000, ..Faults::default() };
    let (mut sent, mut under_way) = (Vec::new(), 0);
    for _ in 0..40_000 {
        let before = renewed(&world);
        world.run(1, |_| {});
        if !before && renewed(&world) {
            under_way = world.gateway.orders().filter(|o| o.status == OrderStatus::Unknown).count();
        }
        if private(&world) == (2, 2) && sent.len() < 40 && world.now / MS % 20 == 0 {
            sent.push(world.submit(Side::Sell, 10));
        }
    }
    assert!(under_way > 0 && sent.len() > 20, "{under_way} of {}: {:?}", sent.len(), world.notes);
    for id in &sent {
        let told = &world.told[id];
        assert_eq!((told.accepted, told.unknown, told.ends.len()), (1, 0, 0), "{told:?}");
    }
    world.faults = Faults::default();
    // And what comes after goes over the new one.
    world.cancel(sent[0]);
    world.run(30_000, |_| {});
    assert_eq!(world.told[&sent[0]].ends, ["cancelled: requested"]);
    world.check_orders();
}

#[test]
fn connections_whose_successors_cannot_be_opened_stay_until_they_are_cut() {
    let (mut world, id) = before_the_changeover(Toy::numbers(), 35);
    world.outage = true;
    world.run(60_000, |_| {});
    assert!(world.notes.iter().any(|n| n.contains("are not renewed")), "{:?}", world.notes);
    assert_eq!((private(&world), &world.private[..]), ((1, 1), &[true][..]), "the old ones stay");
    world.fill(0, 70);
    world.run(10, |_| {});
    assert_eq!(world.told[&id].filled, 70, "and are heard");
    let spoken = world.submit(Side::Sell, 10);
    world.run(10, |_| {});
    assert_eq!(world.told[&spoken].accepted, 1, "and spoken to");
    // The venue cuts them.
    world.cut_all();
    world.fill(0, 30);
    world.run(5_000, |_| {});
    assert_eq!((private(&world), &world.private[..]), ((0, 0), &[true, false][..]));
    world.outage = false;
    world.run(60_000, |_| {});
    assert_eq!((private(&world), &world.private[..]), ((1, 1), &[true, false, true][..]));
    assert_eq!(world.told[&id].filled, 100);
    world.check_orders();
}

#[test]
fn connections_are_renewed_once_their_successors_can_be_opened() {
    let (mut world, _) = before_the_changeover(Toy::numbers(), 36);
    world.outage = true;
    world.run(60_000, |_| {});
    world.outage = false;
    world.run(60_000, |_| {});
    assert!(renewed(&world) && private(&world) == (1, 1), "{:?}", world.notes);
    assert_eq!(world.private, [true]);
    world.check_orders();
}

#[test]
fn a_stream_whose_ticket_the_venue_forgot_is_opened_with_another() {
    let mut world = World::at_venue(Toy::with_tickets(), 38, false, FeedSettings::default());
    world.ticking = false;
    world.server.forgets_tickets = true;
    world.run(302_000, |_| {});
    assert_eq!(world.private, [true, false, true], "{:?}", world.notes);
    assert!(world.notes.iter().any(|n| n.contains("its ticket is not kept")), "{:?}", world.notes);
    assert_eq!(private(&world), (1, 1));
}
