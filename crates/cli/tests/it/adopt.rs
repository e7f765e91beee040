//! What others left at the venue is taken into the books of a running session, or not.

#![cfg(unix)]

use bellwether::sandbox::Sandbox;

use crate::desk::Desk;
use crate::kill::{Running, at_sandbox, live, wait_for};

/// Places an order by hand, far from the market; the venue's id of it.
fn by_hand(desk: &Desk, venue: &Sandbox) -> String {
    let at = format!("--json --rest-url http://{}", venue.address());
    let told = desk.json(&format!("exchange binance place BTC/USDT --side buy --qty 0.001 --price 60000 {at}"));
    told["order"]["venue_id"].as_str().expect("an id").to_owned()
}

/// The venue's ids of open orders.
fn open(desk: &Desk, venue: &Sandbox) -> Vec<String> {
    let told = desk.json(&format!("exchange binance orders BTC/USDT --json --rest-url http://{}", venue.address()));
    let rows = told["orders"].as_array().expect("orders").clone();
    rows.iter().map(|r| r["venue_id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn with_foreign_adopt_an_order_by_hand_is_the_sessions_from_its_start_on_and_goes_with_it() {
    let (venue, desk) = at_sandbox();
    let id = by_hand(&desk, &venue);
    let mut child = Running::start(&desk, &live("--strategy buy_and_hold --set strategy.notional=1 --foreign adopt"));
    wait_for(&desk, &format!("order {id} of others is order "));
    assert_eq!(open(&desk, &venue), std::slice::from_ref(&id));
    assert_eq!(desk.done("stop --now --state-dir state").trim(), "stopped: binance-main");
    assert_eq!(child.ended(), Some(0));
    assert_eq!(open(&desk, &venue), Vec::<String>::new());
    let tape = desk.done("tape show last --state-dir state");
    let (adopted, effect) = (tape.find("Adopt("), tape.find("effect adopted order "));
    assert!(adopted.is_some() && adopted < effect, "{tape}");
    assert_eq!(desk.json("replay last --json --state-dir state")["equal"], true);
}

#[test]
fn a_person_takes_an_order_over_and_a_killed_session_still_has_it() {
    let (venue, desk) = at_sandbox();
    let (one, other) = (by_hand(&desk, &venue), by_hand(&desk, &venue));
    let line = live("--strategy buy_and_hold --set strategy.notional=1 --set session.on_stop=cancel");
    let child = Running::start(&desk, &line);
    wait_for(&desk, &format!("an open order that is not ours: {one}"));
    let adopt = |rest: &str| format!("adopt binance-main --reason mine --state-dir state {rest}");
    desk.fails(&adopt("--order 999999"), 4, "no open order 999999 of others was seen");
    desk.fails(&adopt(&format!("--order {one} --strategy nobody")), 4, "no strategy nobody runs");
    desk.fails(&adopt("--position binance:BTC/USDT"), 4, "a spot account has no positions but balances");
    desk.fails(&adopt(""), 2, "--position");
    let told = desk.json(&adopt(&format!("--order {one} --strategy buy_and_hold --json")));
    assert_eq!((&told["schema_version"], &told["session"]), (&1.into(), &"binance-main".into()));
    let told = told["text"].as_str().expect("words");
    assert!(told.contains(&format!("order {one} of others is order ")), "{told}");
    assert!(told.contains("of the strategy buy_and_hold"), "{told}");
    // Killed as if by the system: what was taken over is on the tape.
    drop(child);
    let mut child = Running::start(&desk, &format!("{line} --resume last"));
    wait_for(&desk, &format!("an open order that is not ours: {other}"));
    assert!(!std::fs::read_to_string(desk.path("stderr")).expect("read").contains(&format!("not ours: {one}")));
    desk.done("stop --state-dir state");
    assert_eq!(child.ended(), Some(0));
    assert_eq!(open(&desk, &venue), [other], "the one goes with the session, the other is left alone");
    assert_eq!(desk.json("replay last --json --state-dir state")["equal"], true);
}

#[test]
fn a_strategy_that_does_not_run_is_refused_before_the_session_begins() {
    let (_venue, desk) = at_sandbox();
    let line = live("--strategy quoter --foreign adopt --adopt-for nobody --for 1s");
    desk.fails(&line, 3, "session.adopt_for names the strategy nobody");
}
