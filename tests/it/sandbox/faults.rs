//! Each fault, seen from a client.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Venue, now_ms, price, signed_params, units};

fn trade_ids(messages: &[Value]) -> Vec<i64> {
    messages.iter().filter_map(|m| m["t"].as_i64()).collect()
}

#[test]
fn delays_hold_answers_back() {
    let venue = Venue::new();
    venue.faults(&json!({"delay_min_ms": 150, "delay_max_ms": 200}));
    let asked = Instant::now();
    venue.get("/api/v3/ping").done();
    assert!(asked.elapsed() >= Duration::from_millis(150));
    let mut socket = venue.socket("/ws-api/v3");
    let asked = Instant::now();
    socket.call("1", "ping", &json!({}));
    assert!(asked.elapsed() >= Duration::from_millis(150));
}

#[test]
fn a_socket_is_torn_down_after_so_many_messages() {
    let venue = Venue::new();
    venue.faults(&json!({"disconnect": 3}));
    let mut socket = venue.socket("/ws/btcusdt@trade");
    venue.step(400);
    assert_eq!(socket.events(100).len(), 3);
    assert!(socket.is_closed());
}

#[test]
fn messages_come_twice_late_or_not_at_all() {
    let venue = Venue::new();
    let plain = {
        let mut socket = venue.socket("/ws/btcusdt@trade");
        venue.step(300);
        trade_ids(&socket.events(1_000))
    };
    assert!(plain.len() > 20 && plain.windows(2).all(|w| w[1] == w[0] + 1), "{plain:?}");
    let with = |faults: Value| {
        venue.faults(&faults);
        let mut socket = venue.socket("/ws/btcusdt@trade");
        venue.step(500);
        trade_ids(&socket.events(10_000))
    };
    let twice = with(json!({"duplicate": 1.0}));
    assert!(!twice.is_empty() && twice.chunks(2).all(|c| c.len() == 2 && c[0] == c[1]), "{twice:?}");
    let late = with(json!({"reorder": 0.3}));
    let mut sorted = late.clone();
    sorted.sort_unstable();
    assert!(late != sorted && sorted.windows(2).all(|w| w[1] == w[0] + 1), "{late:?}");
    let lost = with(json!({"drop": 0.5}));
    assert!(lost.len() > 5 && lost.windows(2).any(|w| w[1] > w[0] + 1), "{lost:?}");
    assert!(with(json!({"drop": 1.0})).is_empty());
}

#[test]
fn a_stale_socket_is_silent_and_open_and_a_new_one_speaks() {
    let venue = Venue::new();
    venue.faults(&json!({"stale": 5}));
    let mut socket = venue.socket("/ws/btcusdt@trade");
    venue.step(400);
    assert_eq!(socket.events(100).len(), 5);
    assert!(!socket.is_closed());
    let mut fresh = venue.socket("/ws/btcusdt@trade");
    venue.step(400);
    assert_eq!(fresh.events(100).len(), 5);
}

#[test]
fn busy_and_banned_answers_carry_how_long_to_wait() {
    let venue = Venue::new();
    for (fault, status) in [("busy", 429), ("ban", 418)] {
        venue.faults(&json!({fault: 1.0}));
        let answer = venue.order("side=BUY&type=MARKET&quantity=0.01");
        assert_eq!(answer.refused(), (status, -1003));
        assert!(answer.headers.contains_key("retry-after"));
    }
    venue.faults(&json!({}));
    assert_eq!(venue.signed("GET", "/api/v3/allOrders", "symbol=BTCUSDT").done(), json!([]));
}

#[test]
fn an_error_may_come_before_or_after_the_order() {
    let venue = Venue::new();
    let orders = || venue.signed("GET", "/api/v3/allOrders", "symbol=BTCUSDT").done().as_array().map_or(0, Vec::len);
    venue.faults(&json!({"error_before": 1.0}));
    assert_eq!(venue.order("side=BUY&type=MARKET&quantity=0.01&newClientOrderId=b-1").refused(), (503, -1007));
    assert_eq!(orders(), 0);
    venue.faults(&json!({"error_after": 1.0}));
    assert_eq!(venue.order("side=BUY&type=MARKET&quantity=0.01&newClientOrderId=b-2").refused(), (503, -1007));
    let found = venue.signed("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=b-2").done();
    assert_eq!(found["status"], "FILLED");
    assert_eq!(venue.signed("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=b-1").refused(), (400, -2013));
    let mut socket = venue.socket("/ws-api/v3");
    let order = json!({"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.01"});
    let (answer, _) = socket.call("1", "order.place", &signed_params("full", order));
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!(503), &json!(-1007)));
    assert_eq!(orders(), 2);
}

#[test]
fn a_connection_may_break_with_the_order_done() {
    let venue = Venue::new();
    venue.faults(&json!({"reset": 1.0}));
    let query =
        format!("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&newClientOrderId=r-1&timestamp={}", now_ms());
    let target = format!("/api/v3/order?{query}&signature={}", super::hmac_of(&query));
    let text = venue.raw("POST", &target, "X-MBX-APIKEY: full\r\n", "");
    assert!(!text.contains("orderId"), "{text}");
    let found = venue.signed("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=r-1").done();
    assert_eq!(found["status"], "FILLED");
    let mut socket = venue.socket("/ws-api/v3");
    let order =
        json!({"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.01", "newClientOrderId": "r-2"});
    socket.say(&json!({"id": "1", "method": "order.place", "params": signed_params("full", order)}));
    assert!(socket.is_closed());
    assert_eq!(venue.signed("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=r-2").done()["status"], "FILLED");
}

#[test]
fn a_skewed_clock_refuses_who_does_not_ask_for_the_time() {
    let venue = Venue::new();
    venue.faults(&json!({"skew_ms": 30_000}));
    assert_eq!(venue.signed("GET", "/api/v3/account", "").refused(), (400, -1021));
    let server = venue.get("/api/v3/time").done()["serverTime"].as_i64().expect("a time");
    assert!((server - now_ms() - 30_000).abs() < 2_000);
    let query = format!("timestamp={server}");
    let target = format!("/api/v3/account?{query}&signature={}", super::hmac_of(&query));
    venue.ask("GET", &target, "X-MBX-APIKEY: full\r\n", "").done();
}

#[test]
fn a_socket_announces_its_end() {
    let venue = Venue::new();
    venue.faults(&json!({"lifetime_s": 1}));
    let mut socket = venue.socket("/ws/btcusdt@trade");
    let shutdown = socket.next().expect("an announcement");
    assert_eq!(shutdown["e"], "serverShutdown");
    assert!(socket.is_closed());
}

#[test]
fn equal_seeds_give_equal_faults() {
    let run = |seed: u64| {
        let venue = Venue::with(|s| s.seed = seed);
        venue.faults(&json!({"error_before": 0.5}));
        let limit = price(venue.best().0 - 10_000);
        let order = format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price={limit}");
        (0..20).map(|_| venue.order(&order).status).collect::<Vec<_>>()
    };
    let (a, b, c) = (run(1), run(1), run(2));
    assert_eq!(a, b);
    assert_ne!(a, c);
    assert!(a.contains(&503) && a.contains(&200));
}

#[test]
fn faults_that_make_no_sense_are_refused() {
    let venue = Venue::new();
    assert_eq!(venue.admin("POST", "faults", &json!({"drop": 2})).status, 400);
    assert_eq!(venue.admin("POST", "faults", &json!({"typo": 1})).status, 400);
    assert_eq!(venue.ask("POST", "/sandbox/faults", "X-Sandbox-Token: guess\r\n", "{}").status, 401);
    assert_eq!(venue.admin("GET", "faults", &json!({})).done()["drop"], json!(0.0));
}

/// Under all faults of orders at once: what was answered is what is there, and no money is made or lost.
#[test]
fn a_storm_loses_no_order_and_no_money() {
    let seed = 20_261_124;
    let venue = Venue::with(|s| s.seed = seed);
    let bid = venue.best().0;
    venue.faults(
        &json!({"busy": 0.1, "ban": 0.05, "error_before": 0.1, "error_after": 0.15, "reset": 0.15, "delay_max_ms": 2}),
    );
    let mut answered = Vec::new();
    for n in 0..90i64 {
        let kind = match n % 3 {
            0 => "side=BUY&type=MARKET&quantity=0.003".to_owned(),
            1 => "side=SELL&type=MARKET&quantity=0.002".to_owned(),
            _ => format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.002&price={}", price(bid - 10_000 - n * 100)),
        };
        let query = format!("symbol=BTCUSDT&{kind}&newClientOrderId=s-{n}&timestamp={}", now_ms());
        let target = format!("/api/v3/order?{query}&signature={}", super::hmac_of(&query));
        let text = venue.raw("POST", &target, "X-MBX-APIKEY: full\r\n", "");
        let status = if text.contains("content-length: 1000") || text.is_empty() { "broken" } else { &text[9..12] };
        answered.push((n, status.to_owned()));
        venue.step(20);
    }
    venue.faults(&json!({}));
    let orders = venue.signed("GET", "/api/v3/allOrders", "symbol=BTCUSDT").done();
    let orders = orders.as_array().expect("orders");
    let there = |n: i64| orders.iter().filter(|o| o["clientOrderId"] == format!("s-{n}")).count();
    let mut unknown = 0;
    for (n, status) in &answered {
        let count = there(*n);
        match status.as_str() {
            "200" | "broken" => assert_eq!(count, 1, "seed {seed}, order {n}: {status}"),
            "429" | "418" => assert_eq!(count, 0, "seed {seed}, order {n}: {status}"),
            "503" => unknown += count,
            other => panic!("seed {seed}, order {n}: {other}"),
        }
        assert!(count <= 1, "seed {seed}, order {n} is there {count} times");
    }
    let statuses = answered.iter().filter(|(_, s)| s == "503").count();
    assert!(unknown > 0 && unknown < statuses, "some of the {statuses} unknown ones were carried out: {unknown}");
    let mine = venue.signed("GET", "/api/v3/myTrades", "symbol=BTCUSDT&limit=1000").done();
    let (mut usdt, mut btc) = (100_000 * 100_000_000i128, 200_000_000i128);
    for trade in mine.as_array().expect("trades") {
        let sign = if trade["isBuyer"] == json!(true) { 1 } else { -1 };
        btc += sign * units(&trade["qty"]);
        usdt -= sign * units(&trade["quoteQty"]) + units(&trade["commission"]);
    }
    let total = |(free, locked): (String, String)| units(&json!(free)) + units(&json!(locked));
    assert_eq!((total(venue.balance("USDT")), total(venue.balance("BTC"))), (usdt, btc), "seed {seed}");
}
