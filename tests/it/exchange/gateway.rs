//! Stories of the gateway.

use bellwether::exchange::ClientId;
use bellwether::exchange::feed::FeedSettings;
use bellwether_sdk::{OrderId, Qty, Side};
use serde_json::{Value, json};

use super::toy::Toy;
use super::world::{Faults, MS, World};

/// A world in which nothing goes wrong, and its market stands still.
pub fn calm(seed: u64) -> World {
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
fn the_cancel_of_an_order_that_was_believed_lost_is_sent_until_it_is_answered() {
    let mut world = calm(43);
    (world.server.eager, world.server.picky) = (false, false);
    world.faults = Faults { lose_answer: 10_000, refuse_sockets: true, ..Faults::default() };
    world.cut_all();
    let id = world.submit(Side::Buy, 5);
    world.run(100, |_| {});
    // The venue does not show it for longer than it says.
    let hidden = world.server.orders.pop().expect("it arrived");
    world.faults.lose_answer = 0;
    world.run(10_000, |_| {});
    assert_eq!(world.told[&id].ends, ["rejected: never_arrived"]);
    world.server.orders.push(hidden);
    world.run(10_000, |world| {
        let is_seen = world.notes.iter().any(|note| note.contains("believed lost"));
        world.faults.lose_request = if is_seen { 10_000 } else { 0 };
    });
    assert_eq!(world.server.orders[0].status, "open", "{:?}", world.notes);
    world.faults.lose_request = 0;
    world.run(30_000, |_| {});
    assert_eq!(world.server.orders[0].status, "cancelled");
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

/// Orders and questions by REST, through a network where what is sent first may arrive last; how many nonces arrived
/// below one that was there before.
fn nonces_overtaken(toy: Toy) -> u32 {
    let mut world = World::at_venue(toy, 16, false, FeedSettings::default());
    world.faults = Faults { delay_ms: 300, refuse: 0, ..Faults::default() };
    world.ticking = false;
    world.run(3_000, |_| {});
    for side in [Side::Buy, Side::Sell, Side::Buy] {
        // Without the trading socket, acts go by REST.
        world.cut_all();
        let id = world.submit(side, 5);
        world.submit(side, 6);
        world.run(40, |_| {});
        world.cancel(id);
        world.run(20_000, |_| {});
    }
    world.run(60_000, |_| {});
    assert_eq!(world.told.len(), 6);
    assert!(world.gateway.is_settled());
    world.check_orders();
    world.overtaken
}

#[test]
fn signed_requests_go_one_at_a_time_where_nonces_have_to_rise() {
    assert_eq!(nonces_overtaken(Toy::with_rising_nonces()), 0);
    assert!(nonces_overtaken(Toy::numbers()) > 0, "this network lets requests overtake each other");
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

/// A message of the private stream about the first order, of so many thousandths.
fn private(kind: &str, status: &str, trade: &str, qty: &str) -> Value {
    json!({ "t": kind, "s": "BTCUSD", "id": "v1", "client": "", "status": status, "filled": qty, "trade": trade,
            "side": "buy", "p": "900", "q": qty, "fee": "0.01" })
}

#[test]
fn a_fill_is_booked_once_also_when_it_comes_twice_or_after_the_cancel() {
    let mut world = calm(21);
    let id = world.submit(Side::Buy, 500);
    world.run(200, |_| {});
    world.say_private(&private("fill", "part", "x1", "0.1"));
    world.say_private(&private("fill", "part", "x1", "0.1"));
    assert_eq!(world.told[&id].filled, 100);
    world.say_private(&private("order", "cancelled", "", "0.1"));
    assert_eq!(world.told[&id].ends, ["cancelled: cancelled_by_venue"]);
    world.say_private(&private("fill", "part", "x2", "0.05"));
    assert_eq!(world.told[&id].filled, 150, "a fact is a fact");
    assert!(world.notes.iter().any(|n| n.contains("filled after it was cancelled")), "{:?}", world.notes);
    world.say_private(&private("order", "open", "", "0"));
    assert_eq!(world.told[&id].ends.len(), 1, "what ended does not end again, or come back");
}

#[test]
fn an_acknowledgement_after_the_fill_says_nothing_new() {
    let mut world = calm(22);
    world.server.eager = false;
    let id = world.submit(Side::Buy, 500);
    let client = ClientId { session: 23, number: id.0 };
    let mut fill = private("fill", "filled", "x1", "0.5");
    fill["client"] = json!(client.to_string());
    world.say_private(&fill);
    let told = world.told[&id].clone();
    assert_eq!((told.accepted, told.filled), (1, 500));
    world.run(5_000, |_| {});
    assert_eq!((world.told[&id].accepted, world.told[&id].filled), (1, 500));
    assert!(world.told[&id].ends.is_empty(), "{:?}", world.told[&id]);
}

#[test]
fn a_quantity_that_fills_do_not_explain_is_asked_for() {
    let mut world = calm(23);
    let id = world.submit(Side::Buy, 500);
    world.run(200, |_| {});
    let fill = private("fill", "part", "x1", "0.2");
    world.server.fills.push(fill);
    world.say_private(&private("order", "cancelled", "", "0.2"));
    assert!(world.told[&id].ends.is_empty(), "its end is not told before its fills");
    world.run(5_000, |_| {});
    assert_eq!(world.told[&id].filled, 200);
    assert_eq!(world.told[&id].ends.len(), 1);
}

/// An order that filled in 23 parts while the private stream was off; five of them are on a page, the newest first.
fn filled_unheard(seed: u64) -> (World, OrderId) {
    let mut world = calm(seed);
    (world.server.eager, world.server.picky) = (false, false);
    let id = world.submit(Side::Buy, 500);
    world.run(200, |_| {});
    world.outage = true;
    world.cut_all();
    let (ms, qty) = (world.now / MS, world.server.orders[0].qty);
    for i in 1..=23 {
        let mut fill = private("fill", "part", &format!("f{i}"), if i == 23 { "0.06" } else { "0.02" });
        (fill["id"], fill["ts"]) = (json!(world.server.orders[0].id), json!(ms + i / 3));
        world.server.fills.push(fill);
    }
    (world.server.orders[0].filled, world.server.orders[0].status) = (qty, "filled");
    world.run(2_000, |_| {});
    world.outage = false;
    (world, id)
}

#[test]
fn fills_on_many_pages_are_booked_from_the_oldest_to_the_newest() {
    let (mut world, id) = filled_unheard(26);
    world.run(20_000, |_| {});
    let ids: Vec<String> = (1..=23).map(|i| format!("f{i}")).collect();
    assert_eq!((world.told[&id].filled, &world.told[&id].ids), (500, &ids));
    world.check_orders();
}

#[test]
fn a_page_of_fills_that_is_lost_is_asked_for_again_and_not_all_before_it() {
    let (mut world, id) = filled_unheard(27);
    world.faults = Faults { lose_answer: 5_000, ..Faults::default() };
    world.run(60_000, |_| {});
    world.faults = Faults::default();
    world.run(20_000, |_| {});
    let ids: Vec<String> = (1..=23).map(|i| format!("f{i}")).collect();
    assert_eq!((world.told[&id].filled, &world.told[&id].ids), (500, &ids));
    world.check_orders();
}

#[test]
fn after_a_rate_limit_the_order_goes_out_under_a_new_client_id() {
    let mut world = calm(24);
    world.force = vec![json!({ "code": "limit", "msg": "slow down", "wait": 300 })];
    world.submit(Side::Buy, 500);
    world.run(250, |_| {});
    assert!(world.server.orders.is_empty(), "not before the time");
    world.run(1_000, |_| {});
    let client: ClientId = world.server.orders[0].client.parse().expect("ours");
    assert_eq!(client.number, 1 | 1 << 48, "the second attempt of order 1");
    world.check_orders();
}

#[test]
fn a_skewed_clock_is_measured_and_the_order_repeated_once() {
    for (times, sent) in [(1, 1), (2, 0)] {
        let mut world = calm(25);
        world.force = vec![json!({ "code": "clock", "msg": "your clock" }); times];
        let id = world.submit(Side::Buy, 500);
        world.run(3_000, |_| {});
        assert_eq!(world.server.orders.len(), sent);
        assert_eq!(world.told[&id].ends.len(), 1 - sent, "{:?}", world.told[&id]);
    }
}

/// A world at a venue whose sockets may be silent for minutes, with an order that rests; the trading socket is open,
/// and what is said on it is lost.
fn with_dead_socket(seed: u64) -> (World, OrderId) {
    let mut world = World::at_venue(Toy::that_wants_no_words(400_000), seed, false, FeedSettings::default());
    (world.server.eager, world.server.picky, world.ticking) = (false, false, false);
    world.run(3_000, |_| {});
    let resting = world.submit(Side::Buy, 500);
    world.run(1_000, |_| {});
    assert_eq!(world.told[&resting].accepted, 1);
    world.kill_trading_socket();
    (world, resting)
}

#[test]
fn a_cancel_that_a_dead_trading_socket_swallowed_goes_out_again_by_rest_or_on_a_new_one() {
    let (mut world, resting) = with_dead_socket(34);
    world.cancel(resting);
    world.run(4_500, |_| {});
    assert_eq!(world.told[&resting].ends, ["cancelled: requested"]);
    assert!(world.notes.iter().any(|n| n.contains("no answer within 3000 ms")), "{:?}", world.notes);
    let next = world.submit(Side::Buy, 500);
    world.run(100, |_| {});
    assert_eq!((world.told[&next].accepted, world.told[&next].unknown), (1, 0), "the new one carries");
    world.check_orders();
}

#[test]
fn while_the_trading_socket_is_opened_anew_acts_go_by_rest_and_what_was_swallowed_is_not_sent_again() {
    let (mut world, _) = with_dead_socket(35);
    let swallowed = world.submit(Side::Buy, 500);
    world.run(2_995, |_| {});
    // No new connection is made from now on; REST works.
    world.faults.refuse_sockets = true;
    world.run(20, |_| {});
    assert_eq!((world.told[&swallowed].unknown, world.told[&swallowed].ends.len()), (1, 0));
    let by_rest = world.submit(Side::Buy, 500);
    world.run(100, |_| {});
    assert_eq!(world.told[&by_rest].accepted, 1);
    world.run(20_000, |_| {});
    assert_eq!(world.told[&swallowed].ends, ["rejected: never_arrived"]);
    assert_eq!(world.server.orders.len(), 2, "nothing was sent twice");
    world.check_orders();
}

#[test]
fn an_order_refused_for_lack_of_money_says_so() {
    let mut world = calm(27);
    world.force = vec![json!({ "code": "funds", "msg": "no money" })];
    let id = world.submit(Side::Buy, 500);
    world.run(1_000, |_| {});
    assert_eq!(world.told[&id].ends, ["rejected: insufficient_funds"]);
}

#[test]
fn an_unsure_answer_is_an_unknown_outcome_not_a_refusal() {
    let mut world = calm(28);
    world.force = vec![json!({ "code": "unsure", "msg": "timeout" })];
    let id = world.submit(Side::Buy, 500);
    world.run(1_000, |_| {});
    assert_eq!((world.told[&id].unknown, world.told[&id].ends.len()), (1, 0));
    world.run(30_000, |_| {});
    assert_eq!(world.told[&id].ends, ["rejected: never_arrived"]);
    assert!(world.server.orders.is_empty(), "and it was not sent again");
}

#[test]
fn orders_of_an_earlier_process_are_taken_over_not_sent_again_and_no_fill_is_booked_twice() {
    for seed in 40..70 {
        let mut world = World::new(seed, false, FeedSettings::default());
        world.run(1_000, |_| {});
        if seed % 2 == 0 {
            world.faults = Faults { lose_answer: 1_000, refuse: 1_000, delay_ms: 80, ..Faults::default() };
        }
        let mut ids = Vec::new();
        for n in 0..8 {
            ids.push(world.submit(if n % 2 == 0 { Side::Buy } else { Side::Sell }, 300 + n));
            let wait = world.dice.below(700) as i64;
            world.run(wait, |_| {});
        }
        world.cancel(ids[7]);
        world.cancel(ids[2]);
        let wait = world.dice.below(30) as i64;
        world.run(wait, |_| {});
        world.restart();
        world.faults = Faults::default();
        world.run(20_000, |_| {});
        world.ticking = false;
        world.run(130_000, |_| {});
        assert!(world.told.len() == 8 && world.notes.iter().all(|n| !n.contains("twice")), "{:?}", world.notes);
        let open = |id| world.gateway.orders().any(|o| o.id == id && o.status.is_open());
        assert!(!open(ids[7]) && !open(ids[2]), "seed {seed}: a cancel was forgotten");
        world.check_orders();
    }
}

#[test]
fn an_order_that_the_venue_had_taken_and_does_not_find_any_more_is_not_rejected() {
    for filled in [true, false] {
        // The venue refuses or fills some orders by chance.
        let rests = |seed: u64| {
            let mut world = calm(seed);
            let id = world.submit(Side::Buy, 500);
            world.run(1_000, |_| {});
            let told = &world.told[&id];
            (told.accepted == 1 && told.filled == 0 && told.ends.is_empty()).then_some((world, seed | 1, id))
        };
        let (mut world, session, id) = (30..60).find_map(rests).expect("an order that rests");
        // While we are down it ends; it is among those that the venue tells no more, its fill is not.
        world.server.orders.clear();
        if filled {
            let mut fill = private("fill", "filled", "x1", "0.5");
            fill["client"] = json!(ClientId { session, number: id.0 }.to_string());
            world.server.fills.push(fill);
        }
        world.restart();
        world.run(30_000, |_| {});
        let told = &world.told[&id];
        let end = if filled { Vec::new() } else { vec!["cancelled: not_at_venue".to_owned()] };
        assert_eq!((told.filled, &told.ends), (if filled { 500 } else { 0 }, &end), "{told:?}");
    }
}

/// An order of half a piece that rests, and of which a change to 0.2 was asked for and taken down.
fn amended() -> (World, OrderId) {
    let rests = |seed: u64| {
        let mut world = calm(seed);
        world.server.eager = false;
        let id = world.submit(Side::Buy, 500);
        world.run(1_000, |_| {});
        world.told[&id].ends.is_empty().then_some((world, id))
    };
    let (mut world, id) = (30..60).find_map(rests).expect("an order that rests");
    let now = world.ts();
    world.gateway.amend(id, None, Some(Qty::from_mantissa(200)), now);
    world.carry_out();
    world.run(150, |_| {});
    assert!(world.amends.is_empty(), "the answer alone says nothing: {:?}", world.amends);
    (world, id)
}

#[test]
fn a_change_is_made_when_the_order_shows_it_and_not_when_it_was_taken_down() {
    // It is not made: what fills of the old quantity does not end the order.
    let (mut world, id) = amended();
    world.say_private(&private("fill", "part", "x1", "0.3"));
    world.run(20_000, |_| {});
    assert_eq!(world.amends, ["1 unknown_outcome"]);
    assert!(world.told[&id].filled == 300 && world.gateway.has_live(), "0.2 of it rest");
    // It is made.
    let (mut world, id) = amended();
    world.server.orders[0].qty = 200;
    world.run(2_000, |_| {});
    assert_eq!(world.amends, ["1 made Some(Qty(200))"]);
    world.say_private(&private("fill", "filled", "x1", "0.2"));
    assert!(world.told[&id].filled == 200 && !world.gateway.has_live(), "all of it filled");
}

#[test]
fn an_order_that_was_put_away_is_neither_placed_again_nor_taken_for_somebody_elses() {
    // The venue refuses some orders by chance.
    let rests = |seed: u64| {
        let mut world = calm(seed);
        let (old, young) = (world.submit(Side::Buy, 500), world.submit(Side::Buy, 500));
        world.run(1_000, |_| {});
        let both = [old, young].iter().all(|id| world.told[id].ends.is_empty() && world.told[id].filled == 0);
        both.then_some((world, seed | 1, old, young))
    };
    let (mut world, session, old, young) = (30..60).find_map(rests).expect("two orders that rest");
    world.cancel(old);
    world.run(3_000, |_| {});
    assert_eq!(world.told[&old].ends, ["cancelled: requested"]);
    world.gateway.put_away(|id| id == young);
    assert!(world.gateway.orders().all(|o| o.id == young), "what ended is forgotten, what rests is not");
    // Its number is not used again.
    world.next_order = old.0;
    world.submit(Side::Buy, 500);
    world.run(2_000, |_| {});
    assert_eq!(world.server.orders.len(), 2, "an order was placed again");
    assert!(world.notes.iter().any(|n| n.contains("twice")), "{:?}", world.notes);
    // A fill of it has the account looked at, and is not booked for anybody else.
    let client = ClientId { session, number: old.0 }.to_string();
    let said = |kind: &str, status: &str| {
        let mut said = private(kind, status, "x9", "0.1");
        said["client"] = json!(client);
        said
    };
    let filled = world.told[&old].filled;
    world.say_private(&said("fill", "part"));
    assert_eq!((world.told[&old].filled, world.told[&young].filled), (filled, 0));
    assert!(
        world.notes.iter().any(|n| n.contains("fill x9 of order 1, which had ended long ago")),
        "{:?}",
        world.notes
    );
    // Open after all, it is cancelled.
    world.say_private(&said("order", "open"));
    assert!(world.notes.iter().any(|n| n.contains("order 1 had ended long ago and is open")), "{:?}", world.notes);
}

#[test]
fn a_sale_by_rest_waits_until_the_one_before_it_has_made_room() {
    for seed in 50..62 {
        let mut world = calm(seed);
        (world.server.eager, world.server.picky) = (false, false);
        let first = world.submit(Side::Sell, 5);
        world.run(5_000, |_| {});
        world.faults = Faults { delay_ms: 300, refuse: 0, ..Faults::default() };
        world.cut_all();
        world.cancel(first);
        let second = world.submit(Side::Sell, 6);
        let open = |w: &World| w.server.orders.iter().filter(|o| matches!(o.status, "open" | "part")).count();
        world.run(10_000, |w| assert!(open(w) <= 1, "seed {seed}: {:?}", w.server.orders));
        assert_eq!(world.server.orders.len(), 2, "seed {seed}: {:?}", world.told.get(&second));
        assert_eq!(open(&world), 1, "seed {seed}");
    }
}
