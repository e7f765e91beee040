//! Stories of a key that the venue refuses: what does not leave any more, what does, and how that ends.

use bellwether_sdk::Side;
use serde_json::json;

use super::gateway::calm;
use super::world::{World, credential};

#[test]
fn a_refused_key_is_reported_and_nothing_more_is_sent() {
    let mut world = calm(26);
    world.force = vec![json!({ "code": "key", "msg": "who are you" })];
    let first = world.submit(Side::Buy, 500);
    world.run(1_000, |_| {});
    assert_eq!(world.halts.len(), 1);
    assert_eq!(world.told[&first].ends, ["rejected: authentication"]);
    let second = world.submit(Side::Buy, 500);
    world.run(10_000, |_| {});
    assert_eq!(world.told[&second].ends, ["rejected: halted"]);
    assert!(world.server.orders.is_empty());
    let now = world.ts();
    world.gateway.resume(credential(), now);
    world.submit(Side::Buy, 500);
    world.run(1_000, |_| {});
    assert_eq!(world.server.orders.len(), 1, "it goes on with a good key");
}

#[test]
fn a_key_that_was_refused_for_a_question_and_is_taken_again_signs_again() {
    let mut world = calm(26);
    world.server.eager = false;
    let resting = world.submit(Side::Buy, 500);
    world.run(1_000, |_| {});
    world.no_reads = true;
    world.run(70_000, |_| {});
    assert_eq!(world.halts.len(), 1, "{:?}", world.notes);
    let refused = world.submit(Side::Buy, 500);
    world.run(30_000, |_| {});
    assert_eq!((&world.told[&refused].ends[0][..], world.told[&resting].ends.len()), ("rejected: halted", 0));
    world.no_reads = false;
    // It asks less and less often.
    world.run(200_000, |_| {});
    assert!(world.gateway.halted().is_none() && world.halts.len() == 1, "{:?}", world.halts);
    let after = world.submit(Side::Buy, 500);
    world.run(1_000, |_| {});
    assert_eq!((world.told[&after].accepted, world.server.orders.len()), (1, 2));
}

/// A world with an order that rests; the private connections were cut, and the venue refuses the login of new ones.
fn without_login(seed: u64) -> (World, bellwether_sdk::OrderId) {
    let mut world = calm(seed);
    (world.server.eager, world.server.picky) = (false, false);
    let resting = world.submit(Side::Buy, 500);
    world.run(1_000, |_| {});
    assert_eq!(world.told[&resting].accepted, 1);
    world.no_logins = true;
    world.cut_all();
    (world, resting)
}

#[test]
fn a_login_that_was_refused_is_tried_again_when_the_balances_are_told() {
    let (mut world, resting) = without_login(29);
    world.no_reads = true;
    world.run(20_000, |_| {});
    assert_eq!((world.halts.len(), world.private.last()), (1, Some(&false)), "{:?}", world.halts);
    assert!(world.halts[0].contains("login"), "{:?}", world.halts);
    (world.no_logins, world.no_reads) = (false, false);
    world.run(60_000, |_| {});
    assert!(world.gateway.halted().is_none() && world.halts.len() == 1, "{:?}", world.halts);
    assert_eq!(world.private.last(), Some(&true), "it is connected again");
    let after = world.submit(Side::Buy, 500);
    world.run(1_000, |_| {});
    assert_eq!((world.told[&after].accepted, world.told[&resting].ends.len()), (1, 0));
}

#[test]
fn a_login_that_stays_refused_while_questions_are_answered_is_tried_less_and_less_often() {
    let (mut world, _) = without_login(30);
    world.run(600_000, |_| {});
    assert!((4..=9).contains(&world.halts.len()), "{} halts in ten minutes", world.halts.len());
}

#[test]
fn a_cancel_goes_out_by_rest_in_spite_of_a_halt() {
    let (mut world, resting) = without_login(31);
    world.no_reads = true;
    world.run(20_000, |_| {});
    assert!(world.gateway.halted().is_some());
    world.cancel(resting);
    world.run(1_000, |_| {});
    assert_eq!(world.told[&resting].ends, ["cancelled: requested"]);
    assert_eq!(world.server.orders[0].status, "cancelled");
}

#[test]
fn in_a_halt_an_order_of_unknown_outcome_is_cancelled_by_our_id() {
    let mut world = calm(36);
    (world.server.eager, world.server.picky) = (false, false);
    let id = world.submit(Side::Buy, 500);
    // It arrives, and before it is answered all connections are gone.
    world.run(1, |_| {});
    (world.no_logins, world.no_reads) = (true, true);
    world.cut_all();
    world.run(20_000, |_| {});
    assert!(world.gateway.halted().is_some());
    assert_eq!((world.server.orders[0].status, world.told[&id].unknown), ("open", 1));
    world.cancel(id);
    world.run(1_000, |_| {});
    assert_eq!(
        (world.server.orders[0].status, &world.told[&id].ends[..]),
        ("cancelled", &["cancelled: requested".to_owned()][..])
    );
}

#[test]
fn in_a_halt_a_cancel_of_unknown_outcome_is_sent_again() {
    let (mut world, resting) = without_login(34);
    world.no_reads = true;
    world.run(20_000, |_| {});
    assert!(world.gateway.halted().is_some());
    world.faults.lose_request = 10_000;
    world.cancel(resting);
    world.run(1_000, |_| {});
    world.faults.lose_request = 0;
    assert!(world.told[&resting].ends.is_empty() && world.server.orders[0].status == "open");
    world.run(10_000, |_| {});
    assert!(world.gateway.halted().is_some());
    assert_eq!(world.told[&resting].ends, ["cancelled: requested"]);
}

#[test]
fn in_a_halt_an_order_that_was_to_end_is_cancelled_when_its_answer_does_not_come() {
    let mut world = calm(37);
    (world.server.eager, world.server.picky) = (false, false);
    let id = world.submit(Side::Buy, 500);
    // It arrives, and is not answered yet.
    world.run(1, |_| {});
    world.cancel(id);
    (world.no_logins, world.no_reads) = (true, true);
    world.say_private(&json!({ "t": "login", "code": "key", "msg": "who are you" }));
    assert!(world.gateway.halted().is_some());
    world.cut_all();
    world.run(1_000, |_| {});
    assert_eq!((world.told[&id].unknown, world.server.orders[0].status), (1, "cancelled"));
    assert_eq!(world.told[&id].ends, ["cancelled: requested"]);
}

#[test]
fn a_cancel_whose_outcome_was_to_be_asked_for_is_sent_again_when_a_halt_comes_before() {
    let (mut world, resting) = without_login(38);
    (world.no_reads, world.faults.lose_request) = (true, 10_000);
    world.cancel(resting);
    world.run(20, |_| {});
    world.faults.lose_request = 0;
    assert!(world.gateway.halted().is_none());
    world.run(20_000, |_| {});
    assert!(world.gateway.halted().is_some());
    assert_eq!((world.told[&resting].ends.len(), world.server.orders[0].status), (1, "cancelled"));
}

#[test]
fn a_cancel_that_was_refused_with_the_key_is_tried_again_and_at_once_when_all_are_to_end() {
    let (mut world, resting) = without_login(32);
    (world.no_reads, world.no_acts) = (true, true);
    world.run(20_000, |_| {});
    world.cancel(resting);
    world.run(12_000, |_| {});
    assert!(world.told[&resting].ends.is_empty() && world.server.orders[0].status == "open");
    world.no_acts = false;
    let now = world.ts();
    world.gateway.cancel_all(None, now);
    world.run(100, |_| {});
    assert_eq!(world.told[&resting].ends, ["cancelled: requested"], "at once");
    // Without being asked for again it takes until its time.
    let (mut world, resting) = without_login(33);
    (world.no_reads, world.no_acts) = (true, true);
    world.run(20_000, |_| {});
    world.cancel(resting);
    world.run(1_000, |_| {});
    world.no_acts = false;
    world.run(10_000, |_| {});
    assert_eq!(world.told[&resting].ends, ["cancelled: requested"]);
}
