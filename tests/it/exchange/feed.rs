//! Stories of the feed.

use bellwether::exchange::feed::FeedSettings;

use super::world::{BTC, World};

fn count(world: &World, what: &str) -> usize {
    world.log.iter().filter(|l| l.contains(what)).count()
}

#[test]
fn a_changeover_before_the_venue_cuts_loses_no_trade_and_never_the_book() {
    // The toy venue cuts after ten minutes.
    let settings = FeedSettings { changeover_before_ms: 300_000, ..FeedSettings::default() };
    let mut world = World::new(7, false, settings);
    let quiet = |world: &mut World| {
        world.ticking = false;
        world.run(100, |_| {});
        world.ticking = true;
        (world.server.trades, world.trades)
    };
    world.run(3_000, |_| {});
    let (seen, told) = quiet(&mut world);
    world.run(1_200_000, |w| assert!(w.feed.book(BTC).is_some()));
    let (seen_after, told_after) = quiet(&mut world);
    assert!(count(&world, "Connected(Link(2), true)") == 1, "{:?}", world.log);
    assert_eq!(count(&world, "book lost"), 0, "{:?}", world.log);
    assert_eq!(count(&world, "Reconnecting"), 0, "{:?}", world.log);
    assert_eq!((count(&world, "Cut"), count(&world, "Carried")), (0, 1), "{:?}", world.log);
    assert_eq!(told_after - told, seen_after - seen, "each trade once");
    assert_eq!(world.open_urls().iter().filter(|u| u.ends_with("market")).count(), 1, "the old one is closed");
}

#[test]
fn a_connected_but_silent_socket_is_noticed_and_replaced() {
    let mut world = World::new(3, false, FeedSettings::default());
    world.run(5_000, |_| {});
    world.mute_feed();
    world.run(11_000, |_| {});
    assert_eq!(count(&world, "Stale(Depth"), 1, "{:?}", world.log);
    world.run(130_000, |_| {});
    assert!(count(&world, "silent") >= 1, "{:?}", world.log);
    assert!(count(&world, "Alive(Depth") == 1 && world.feed.book(BTC).is_some(), "{:?}", world.log);
}

#[test]
fn a_book_that_falls_silent_while_its_market_trades_is_lost_and_asked_for_anew() {
    let mut world = World::new(4, false, FeedSettings::default());
    world.run(5_000, |_| {});
    world.mute_depth();
    world.run(11_000, |_| {});
    assert_eq!((count(&world, "Stale(Depth"), count(&world, "Stale(Trades")), (1, 0), "{:?}", world.log);
    world.run(20_000, |_| {});
    assert_eq!(count(&world, "while it trades"), 1, "{:?}", world.log);
    assert_eq!(count(&world, "book lost: disconnected"), 1, "{:?}", world.log);
    assert!(count(&world, "Alive(Depth") == 1 && world.feed.book(BTC).is_some(), "{:?}", world.log);
    world.run(60_000, |_| {});
    assert_eq!(count(&world, "Reconnecting"), 1, "once: {:?}", world.log);
}

#[test]
fn one_trade_after_a_quiet_spell_is_no_reason_to_give_a_connection_up() {
    let mut world = World::new(6, false, FeedSettings::default());
    world.run(5_000, |_| {});
    world.ticking = false;
    // Silent on the book for longer than it is given up after, and its market trades once, just before it moves.
    world.run(25_000, |_| {});
    assert_eq!(count(&world, "Stale(Depth"), 1, "{:?}", world.log);
    let said = count(&world, "Reconnecting");
    world.say_market(r#"{"t":"trade","s":"BTCUSD","id":900000,"p":"100.00","q":"0.100","side":"buy","ts":1}"#);
    world.run(2_000, |_| {});
    assert_eq!((count(&world, "Reconnecting"), count(&world, "Unexpected")), (said, 0), "{:?}", world.log);
    world.ticking = true;
    world.run(30_000, |_| {});
    assert_eq!(count(&world, "Reconnecting"), said, "{:?}", world.log);
}

#[test]
fn a_disconnection_is_told_and_the_book_comes_back() {
    let mut world = World::new(5, false, FeedSettings::default());
    world.run(5_000, |_| {});
    world.cut_all();
    assert!(world.feed.book(BTC).is_none() && !world.follower.is_valid());
    world.run(5_000, |_| {});
    assert_eq!(count(&world, "book lost: disconnected"), 1, "{:?}", world.log);
    assert!(count(&world, "Reconnecting") == 1 && world.feed.book(BTC).is_some(), "{:?}", world.log);
    let topics = "[Trades(InstrumentId(0)), Depth(InstrumentId(0), 1000)]";
    assert_eq!(count(&world, &format!("Cut({topics})")), 1, "{:?}", world.log);
    assert_eq!(count(&world, &format!("Carried({topics})")), 2, "{:?}", world.log);
}

#[test]
fn malformed_messages_are_counted_and_told_now_and_then() {
    let mut world = World::new(9, false, FeedSettings::default());
    world.run(5_000, |_| {});
    for n in 0..1_000 {
        world.say_market(["", "{", "{\"t\":\"new_kind\"}", "[1,2]", "{\"t\":\"trade\",\"s\":\"BTCUSD\"}"][n % 5]);
    }
    assert_eq!(count(&world, "Unexpected"), 1, "{:?}", world.log);
    world.run(15_000, |_| {});
    assert_eq!(count(&world, "Unexpected(1000"), 1, "{:?}", world.log);
    assert!(world.feed.book(BTC).is_some(), "the feed goes on");
}

#[test]
fn a_crossed_book_is_lost_and_fetched_anew() {
    let mut world = World::new(10, false, FeedSettings::default());
    world.run(5_000, |_| {});
    let last = world.feed.book(BTC).map(|b| b.last_id()).expect("a book");
    world.say_market(&format!(
        r#"{{"t":"depth","s":"BTCUSD","first":{},"last":{},"b":[["2000","1"]],"a":[]}}"#,
        last + 1,
        last + 1
    ));
    assert!(world.feed.book(BTC).is_none() && !world.follower.is_valid());
    world.run(5_000, |_| {});
    assert_eq!(count(&world, "book lost: crossed"), 1, "{:?}", world.log);
    assert!(world.feed.book(BTC).is_some());
}
