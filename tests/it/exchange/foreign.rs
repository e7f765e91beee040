//! Stories of orders that others placed: looked up, taken over, followed to their end.

use bellwether::exchange::feed::FeedSettings;
use bellwether::exchange::gateway::{Adoptable, Adopted};
use bellwether_sdk::{OrderId, Qty, Side, Size};
use serde_json::json;

use super::server::Order;
use super::world::{BTC, World, order};

/// A venue with an order of others, of so many thousandths of which so many have filled.
fn with_foreign(client: &str, qty: i64, filled: i64) -> World {
    let mut world = World::new(41, false, FeedSettings::default());
    world.ticking = false;
    place(&mut world, "x1", client, qty, filled);
    if filled > 0 {
        fill(&mut world, "x1", "old", filled);
    }
    world.run(3_000, |_| {});
    assert_eq!(world.foreign.len(), 1, "it is told once: {:?}", world.foreign);
    world
}

fn place(world: &mut World, id: &str, client: &str, qty: i64, filled: i64) {
    let status = if filled > 0 { "part" } else { "open" };
    let (id, client) = (id.to_owned(), client.to_owned());
    let (side, price) = ("buy".to_owned(), "900".to_owned());
    world.server.orders.push(Order { id, client, side, price, qty, filled, status });
}

/// The venue's list has a fill of so many thousandths.
fn fill(world: &mut World, id: &str, trade: &str, qty: i64) -> serde_json::Value {
    let q = format!("{}.{:03}", qty / 1_000, qty % 1_000);
    let fill = json!({ "t": "fill", "s": "BTCUSD", "trade": trade, "id": id, "client": "", "side": "buy", "p": "900",
                       "q": q, "fee": "0.01", "ts": world.now / 1_000_000 });
    world.server.fills.push(fill.clone());
    fill
}

/// Takes the first order that may be over, as order 7.
fn take(world: &mut World) -> OrderId {
    let Adoptable { row, seen, since } = world.adoptable.first().cloned().expect("one that may be taken over");
    let open = row.qty.mantissa() - row.filled.mantissa();
    let mut order = order(7, Side::Buy, open, 9_000);
    order.size = Size::Qty(Qty::from_mantissa(open));
    let adopted = Adopted {
        order,
        venue_id: row.venue_id,
        before: row.filled,
        since,
        cancelled: false,
        ended: None,
        filled: Qty::ZERO,
        seen,
    };
    let now = world.ts();
    world.gateway.take_in(adopted, now);
    world.carry_out();
    OrderId(7)
}

fn look_up(world: &mut World, id: &str) {
    let now = world.ts();
    world.gateway.look_up(BTC, id, now);
    world.carry_out();
    world.run(3_000, |_| {});
}

#[test]
fn an_order_of_others_is_taken_over_its_new_fills_are_booked_once_and_it_is_cancelled_as_ours() {
    let mut world = with_foreign("by-hand", 500, 200);
    look_up(&mut world, "x1");
    let Adoptable { row, seen, .. } = world.adoptable[0].clone();
    assert_eq!((row.filled.mantissa(), seen), (200, vec!["old".to_owned()]));
    let id = take(&mut world);
    world.run(3_000, |_| {});
    assert_eq!(world.told.get(&id).map_or(0, |t| t.filled), 0, "what had filled before stands aside");
    world.server.orders[0].filled = 300;
    let new = fill(&mut world, "x1", "new", 100);
    world.say_private(&new);
    world.say_private(&new);
    world.run(3_000, |_| {});
    assert_eq!(world.told[&id].filled, 100, "booked once");
    assert!(world.told[&id].ends.is_empty(), "{:?}", world.told[&id]);
    assert_eq!(world.foreign.len(), 1, "it is no order of others any more");
    let now = world.ts();
    world.gateway.cancel_all(None, now);
    world.carry_out();
    world.run(3_000, |_| {});
    assert_eq!(world.server.orders[0].status, "cancelled");
    assert_eq!(world.told[&id].ends, ["cancelled: requested"]);
    assert_eq!(world.server.clients_seen.len(), 0, "nothing was placed for it");
}

#[test]
fn an_order_whose_fills_are_on_many_pages_may_be_taken_over() {
    let mut world = with_foreign("by-hand", 500, 0);
    for i in 1..=12 {
        fill(&mut world, "x1", &format!("f{i}"), 10);
    }
    (world.server.orders[0].filled, world.server.orders[0].status) = (120, "part");
    look_up(&mut world, "x1");
    let Adoptable { row, seen, .. } = world.adoptable[0].clone();
    assert_eq!((row.filled.mantissa(), seen.len()), (120, 12));
}

#[test]
fn a_fill_that_comes_between_the_look_and_the_taking_is_booked() {
    let mut world = with_foreign("by-hand", 500, 0);
    look_up(&mut world, "x1");
    world.server.orders[0].filled = 500;
    world.server.orders[0].status = "filled";
    let new = fill(&mut world, "x1", "between", 500);
    // Nobody holds the order yet, and the private stream says it only now.
    world.say_private(&new);
    let id = take(&mut world);
    world.run(5_000, |_| {});
    let told = &world.told[&id];
    assert_eq!((told.filled, told.ends.len()), (500, 0), "all of it filled: {told:?}");
}

#[test]
fn an_order_whose_fills_the_venue_does_not_tell_is_left_alone() {
    let mut world = with_foreign("by-hand", 500, 0);
    world.server.orders[0].filled = 200;
    world.server.orders[0].status = "part";
    look_up(&mut world, "x1");
    assert!(world.adoptable.is_empty(), "it would not be known which fills are ours");
    world.run(200_000, |_| {});
    assert_eq!(world.left_alone, ["the venue does not tell the fills that make up what has filled of it"]);
    assert_eq!(world.server.orders[0].status, "part");
}

#[test]
fn an_order_of_another_session_of_this_program_is_no_stray_of_ours() {
    let mut world = with_foreign("00000000000000990000000000000001", 500, 0);
    look_up(&mut world, "x1");
    let id = take(&mut world);
    let note = json!({ "t": "order", "s": "BTCUSD", "id": "x1", "client": "00000000000000990000000000000001",
                       "status": "open", "filled": "0", "side": "buy", "p": "900", "q": "0.5" });
    world.say_private(&note);
    world.run(5_000, |_| {});
    assert_eq!(world.server.orders[0].status, "open", "it was cancelled as a stray: {:?}", world.notes);
    world.server.orders[0].status = "cancelled";
    world.run(120_000, |_| {});
    assert_eq!(world.told[&id].ends, ["cancelled: cancelled_by_venue"], "its end is seen without the stream");
}

#[test]
fn an_order_that_is_gone_or_bears_this_sessions_number_is_left_alone() {
    let mut world = with_foreign(&format!("{:016x}{:016x}", 41, 900), 500, 0);
    look_up(&mut world, "x1");
    assert_eq!(world.left_alone, ["it bears a number of this very session"]);
    let now = world.ts();
    world.gateway.look_up(BTC, "x2", now);
    world.carry_out();
    world.run(1_500, |_| {});
    assert_eq!(world.left_alone.len(), 1, "an answer without it may be of a moment ago");
    world.run(10_000, |_| {});
    assert!(world.left_alone[1].starts_with("it is not open any more"), "{:?}", world.left_alone);
}

#[test]
fn an_order_of_others_that_the_private_stream_tells_is_not_cancelled_with_ours() {
    let mut world = World::new(42, false, FeedSettings::default());
    (world.server.eager, world.server.picky, world.ticking) = (false, false, false);
    world.run(3_000, |_| {});
    let ours = [world.submit(Side::Buy, 500), world.submit(Side::Buy, 500)];
    world.run(1_000, |_| {});
    // Placed by hand, and told before the next look at what is open.
    place(&mut world, "x1", "by-hand", 500, 0);
    world.say_private(&json!({ "t": "order", "s": "BTCUSD", "id": "x1", "client": "by-hand", "status": "open",
                               "filled": "0", "side": "buy", "p": "900", "q": "0.5" }));
    assert!(world.foreign.is_empty(), "its row is not known yet");
    let now = world.ts();
    world.gateway.cancel_all(None, now);
    world.run(2_000, |_| {});
    assert!(ours.iter().all(|id| world.told[id].ends == ["cancelled: requested"]), "{:?}", world.told);
    assert_eq!(world.server.orders[2].status, "open", "it was cancelled with ours");
    world.run(61_000, |_| {});
    assert_eq!(world.foreign.len(), 1, "it is told with its row");
}
