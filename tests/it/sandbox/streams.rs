//! Market data: answers, streams and their control, the numbering of the book.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Venue, cents, units};

type Levels = BTreeMap<String, String>;

fn side(book: &Value, name: &str) -> Levels {
    let text = |v: &Value| v.as_str().expect("text").to_owned();
    book[name].as_array().expect("levels").iter().map(|l| (text(&l[0]), text(&l[1]))).collect()
}

#[test]
fn diffs_continue_a_snapshot_without_a_gap_and_end_in_the_next_one() {
    let venue = Venue::new();
    let mut socket = venue.socket("/ws/btcusdt@depth@100ms");
    venue.step(50);
    let start = venue.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").done();
    let mut last = start["lastUpdateId"].as_i64().expect("an id");
    let (mut bids, mut asks) = (side(&start, "bids"), side(&start, "asks"));
    let mut applied = 0;
    for _ in 0..40 {
        venue.step(100);
    }
    let end = venue.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").done();
    while last < end["lastUpdateId"].as_i64().expect("an id") {
        let diff = socket.next().expect("a diff");
        let (first, u) = (diff["U"].as_i64().expect("U"), diff["u"].as_i64().expect("u"));
        if u <= last {
            continue;
        }
        assert!(first <= last + 1, "a gap: {first} after {last}");
        assert!(applied == 0 || first == last + 1, "an overlap: {first} after {last}");
        for (levels, name) in [(&mut bids, "b"), (&mut asks, "a")] {
            for (price, qty) in side(&diff, name) {
                if units(&json!(qty)) == 0 {
                    levels.remove(&price);
                } else {
                    levels.insert(price, qty);
                }
            }
        }
        (last, applied) = (u, applied + 1);
    }
    assert!(applied > 10, "{applied}");
    assert_eq!((bids, asks), (side(&end, "bids"), side(&end, "asks")));
}

#[test]
fn streams_come_wrapped_or_bare_as_asked_for() {
    let venue = Venue::new();
    let mut bare = venue.socket("/ws/btcusdt@trade");
    let mut both = venue.socket("/stream?streams=btcusdt@aggTrade/btcusdt@bookTicker/btcusdt@kline_1s");
    venue.step(400);
    let trade = bare.next().expect("a trade");
    assert_eq!((&trade["e"], &trade["s"], &trade["M"]), (&json!("trade"), &json!("BTCUSDT"), &json!(true)));
    let mut seen = BTreeMap::new();
    for _ in 0..2_000 {
        let Some(message) = both.next() else { break };
        // Bars without a trade come too.
        if message["data"]["k"]["n"] == json!(0) {
            continue;
        }
        let name = message["stream"].as_str().expect("a name").to_owned();
        seen.entry(name).or_insert(message["data"].clone());
        if seen.len() == 3 {
            break;
        }
    }
    let ticker = &seen["btcusdt@bookTicker"];
    assert!(cents(&ticker["b"]) < cents(&ticker["a"]) && ticker.get("e").is_none(), "{ticker}");
    assert_eq!(seen["btcusdt@aggTrade"]["a"], trade["t"]);
    assert!(seen["btcusdt@kline_1s"]["k"]["n"].as_u64().is_some_and(|n| n > 0), "{seen:?}");
    let newest = venue.get("/api/v3/trades?symbol=BTCUSDT&limit=1000").done();
    let found = newest.as_array().expect("trades").iter().find(|t| t["id"] == trade["t"]).expect("the trade").clone();
    assert_eq!((&found["price"], &found["qty"], &found["isBuyerMaker"]), (&trade["p"], &trade["q"], &trade["m"]));
}

#[test]
fn subscriptions_change_on_the_way_and_too_much_talk_ends_it() {
    let venue = Venue::new();
    let mut socket = venue.socket("/ws");
    let mut ask = |id: u64, method: &str, params: Value| {
        socket.say(&json!({"method": method, "params": params, "id": id}));
        // Messages of streams may come in between.
        std::iter::from_fn(|| socket.next()).find(|m| m["id"] == id).expect("an answer")
    };
    assert_eq!(ask(1, "SUBSCRIBE", json!(["btcusdt@trade", "btcusdt@depth5"])), json!({"result": null, "id": 1}));
    assert_eq!(ask(2, "LIST_SUBSCRIPTIONS", json!([]))["result"], json!(["btcusdt@depth5", "btcusdt@trade"]));
    assert_eq!(ask(3, "SUBSCRIBE", json!(["dogeusdt@trade"]))["error"]["code"], 2);
    std::thread::sleep(std::time::Duration::from_millis(1_050));
    // The partial book comes every second, whatever happens.
    let mut partial = None;
    for _ in 0..3 {
        partial = socket.next().filter(|m| m.get("lastUpdateId").is_some());
        if partial.is_some() {
            break;
        }
    }
    assert_eq!(partial.expect("a partial book")["bids"].as_array().map(Vec::len), Some(5));
    socket.say(&json!({"method": "UNSUBSCRIBE", "params": ["btcusdt@trade", "btcusdt@depth5"], "id": 4}));
    while socket.next().expect("an answer")["id"] != 4 {}
    venue.step(300);
    assert!(socket.next().is_none() && !socket.is_closed());
    // The venue may hang up before the last.
    let _ = (0..9).all(|id| socket.may_say(&json!({"method": "LIST_SUBSCRIPTIONS", "id": id})));
    assert!(socket.is_closed());
}

#[test]
fn bars_follow_each_other_and_sum_the_trades() {
    let venue = Venue::new();
    let bars = venue.get("/api/v3/klines?symbol=BTCUSDT&interval=1s&limit=1000").done();
    let bars = bars.as_array().expect("bars");
    assert!(bars.len() > 50, "{}", bars.len());
    for pair in bars.windows(2) {
        assert_eq!(pair[1][0].as_i64(), pair[0][0].as_i64().map(|t| t + 1_000));
    }
    let trades = venue.get("/api/v3/trades?symbol=BTCUSDT&limit=1000").done();
    let trades = trades.as_array().expect("trades");
    let bar = bars.iter().rev().skip(3).find(|b| b[8].as_u64().is_some_and(|n| n > 1)).expect("a bar with trades");
    let within = |t: &&Value| t["time"].as_i64() >= bar[0].as_i64() && t["time"].as_i64() <= bar[6].as_i64();
    let of_bar: Vec<&Value> = trades.iter().filter(within).collect();
    assert_eq!(Some(of_bar.len() as u64), bar[8].as_u64());
    assert_eq!(of_bar.iter().map(|t| units(&t["qty"])).sum::<i128>(), units(&bar[5]));
    assert_eq!((&of_bar[0]["price"], &of_bar[of_bar.len() - 1]["price"]), (&bar[1], &bar[4]));
    assert_eq!(venue.get("/api/v3/klines?symbol=BTCUSDT&interval=7m").refused(), (400, -1120));
    let some = format!("/api/v3/klines?symbol=BTCUSDT&interval=1s&startTime={}&limit=2", bars[5][0]);
    assert_eq!(venue.get(&some).done(), json!([bars[5], bars[6]]));
}
