//! Stories of venues: looking at one, orders by hand, downloads and recordings. The venue is the sandbox on this
//! machine, and the archive a folder behind a socket.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use bellwether::sandbox::{ApiKey, Faults, Sandbox, SandboxSettings};
use sha2::{Digest, Sha256};

use crate::desk::{Desk, root};

/// The key and secret of the venue's published examples.
const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

fn sandbox(change: impl FnOnce(&mut SandboxSettings)) -> Sandbox {
    let key = ApiKey::parse(&format!("{KEY}:{SECRET}:read,trade")).expect("a key");
    let mut settings = SandboxSettings {
        data: root().join("backtest-data"),
        instruments: vec!["binance:BTC/USDT".parse().expect("a symbol")],
        pace: 50.0,
        keys: vec![key],
        ..SandboxSettings::default()
    };
    change(&mut settings);
    Sandbox::start(settings).expect("a sandbox")
}

fn keyed() -> Desk {
    Desk::new().env("BELLWETHER_KEY_BINANCE_MAIN_ID", KEY).env("BELLWETHER_KEY_BINANCE_MAIN_SECRET", SECRET)
}

#[test]
fn public_questions_are_answered_in_one_vocabulary() {
    let venue = sandbox(|_| {});
    let desk = Desk::new();
    let ask = |what: &str| desk.json(&format!("exchange binance {what} --json --rest-url http://{}", venue.address()));
    let time = ask("time");
    assert!(time["venue_ns"].as_str().expect("text").len() >= 19, "{time}");
    let instruments = ask("instruments");
    assert_eq!(instruments["instruments"][0]["symbol"], "binance:BTC/USDT");
    assert_eq!(instruments["instruments"][0]["name"], "BTCUSDT");
    let ticker = ask("ticker BTC/USDT");
    assert_eq!(ticker["schema_version"], 1);
    assert_eq!(ticker["symbol"], "binance:BTC/USDT");
    let number = |v: &serde_json::Value| v.as_str().expect("text").parse::<f64>().expect("a number");
    assert!(number(&ticker["bid"]) < number(&ticker["ask"]), "{ticker}");
    let book = ask("book BTCUSDT --limit 3");
    assert_eq!((book["bids"].as_array().map(Vec::len), book["asks"].as_array().map(Vec::len)), (Some(3), Some(3)));
    assert!(number(&book["bids"][0][0]) < number(&book["asks"][0][0]), "{book}");
    let trades = ask("trades binance:BTC/USDT --limit 5");
    assert_eq!(trades["trades"].as_array().map(Vec::len), Some(5));
    let bars = ask("bars BTC/USDT --limit 10 --interval 1m");
    let bars = bars["bars"].as_array().expect("bars");
    assert!((9..=10).contains(&bars.len()), "{bars:?}");
    assert!(number(&bars[0]["low"]) <= number(&bars[0]["high"]));
    desk.done(&format!("exchange binance trades BTC/USDT --rest-url http://{}", venue.address()));
}

#[test]
fn an_order_is_placed_asked_for_and_cancelled() {
    let venue = sandbox(|_| {});
    let desk = keyed();
    let ask = |what: &str| desk.json(&format!("exchange binance {what} --json --rest-url http://{}", venue.address()));
    assert_eq!(ask("balances")["balances"][0]["currency"], "USDT");
    let placed = ask("place BTC/USDT --side buy --qty 0.001 --price 60000");
    let id = placed["client_id"].as_str().expect("an id").to_owned();
    assert_eq!(placed["order"]["status"], "acknowledged", "{placed}");
    assert_eq!(placed["order"]["known_by"], "answer");
    let open = ask("orders BTC/USDT");
    assert_eq!(open["orders"][0]["client_id"], id.as_str(), "{open}");
    assert_eq!(open["orders"][0]["price"], "60000");
    let one = ask(&format!("order BTC/USDT {id}"));
    assert_eq!(one["order"]["qty"], "0.001", "{one}");
    let by_venue = ask(&format!("order BTC/USDT {}", one["order"]["venue_id"].as_str().expect("an id")));
    assert_eq!(by_venue["order"]["client_id"], id.as_str());
    let cancelled = ask(&format!("cancel BTC/USDT {id}"));
    assert_eq!(cancelled["order"]["status"], "cancelled", "{cancelled}");
    let bought = ask("place BTC/USDT --side buy --qty 0.001");
    assert_eq!(bought["order"]["status"], "filled", "{bought}");
    let fills = ask("fills BTC/USDT");
    assert_eq!(fills["fills"][0]["side"], "buy", "{fills}");
    ask("place BTC/USDT --side buy --qty 0.001 --price 60000");
    assert_eq!(ask("cancel-all BTC/USDT")["orders"].as_array().map(Vec::len), Some(0));
    let refused = desk.run(&format!("exchange binance cancel BTC/USDT {id} --rest-url http://{}", venue.address()));
    assert_eq!(refused.code, 4, "{refused:?}");
}

#[test]
fn a_lost_answer_is_asked_about_and_the_order_is_there_once() {
    // Every write is carried out and answered with an error.
    let venue = sandbox(|s| s.faults = Faults::parse("error_after=1").expect("faults"));
    let desk = keyed();
    let at = format!("--json --rest-url http://{}", venue.address());
    let placed = desk.json(&format!("exchange binance place BTC/USDT --side buy --qty 0.001 --price 60000 {at}"));
    assert_eq!(placed["order"]["known_by"], "question", "{placed}");
    assert_eq!(placed["order"]["status"], "acknowledged");
    let open = desk.json(&format!("exchange binance orders BTC/USDT {at}"));
    assert_eq!(open["orders"].as_array().map(Vec::len), Some(1), "{open}");
}

#[test]
fn refusals_exit_with_their_codes() {
    let venue = sandbox(|_| {});
    let desk = keyed();
    let at = format!("--rest-url http://{}", venue.address());
    desk.fails(&format!("exchange binance ticker {at}"), 2, "needs a symbol");
    desk.fails(&format!("exchange binance place BTC/USDT --side buy {at}"), 2, "--qty");
    desk.fails(&format!("exchange binance order BTC/USDT {at}"), 2, "no order is named");
    desk.fails(&format!("exchange mtgox time {at}"), 3, "there are: binance, binance_linear");
    desk.fails(&format!("exchange binance ticker BTC/USDC {at}"), 3, "did you mean binance:BTC/USDT?");
    desk.fails(&format!("exchange binance balances --account other {at}"), 3, "BELLWETHER_KEY_BINANCE_OTHER_ID");
    let place = "exchange binance place BTC/USDT --side buy --price 60000";
    desk.fails(&format!("{place} --qty 0.000000001 {at}"), 4, "the lot of binance:BTC/USDT");
    desk.fails(&format!("{place} --qty 10000 {at}"), 4, "a value of 600000000 is above 9000000");
    desk.fails(&format!("{place} --qty 100 {at}"), 4, "rejected");
    desk.fails(&format!("{place} --qty 1"), 4, "real money");
    let bad = Desk::new().env("BELLWETHER_KEY_BINANCE_MAIN_ID", KEY).env("BELLWETHER_KEY_BINANCE_MAIN_SECRET", "no");
    bad.fails(&format!("exchange binance balances {at}"), 4, "authentication");
    let limited = keyed().env("BELLWETHER__RISK__ORDER_NOTIONAL_MAX", "5");
    limited.fails(&format!("{place} --qty 0.001 {at}"), 4, "order value 60");
    venue.stop().expect("stopped");
    desk.fails(&format!("exchange binance time {at}"), 6, "nothing was sent");
}

#[test]
fn a_dry_run_signs_as_the_venues_example_and_shows_no_secret() {
    let desk = keyed();
    let answer = desk.json("exchange binance balances --dry-run --json --now 1578963600000");
    let request = &answer["requests"][0];
    assert_eq!(request["method"], "GET");
    assert_eq!(request["headers"]["X-MBX-APIKEY"], KEY);
    let url = request["url"].as_str().expect("text");
    let payload = "omitZeroBalances=true&timestamp=1578963600000";
    // The signature of the same payload by another implementation of HMAC-SHA256 than the command's.
    let signature = hmac_sha256(SECRET.as_bytes(), payload.as_bytes());
    assert_eq!(url, format!("https://api.binance.com/api/v3/account?{payload}&signature={signature}"));
    let placed = desk.json(
        "exchange binance place LTC/BTC --side buy --qty 1 --price 0.1 --dry-run --json --now 1499827319559 \
         --client-id 00000000000000010000000000000002",
    );
    let url = placed["requests"][0]["url"].as_str().expect("text");
    assert!(url.contains("symbol=LTCBTC&side=BUY&type=LIMIT"), "{url}");
    assert!(url.contains("timestamp=1499827319559&signature="), "{url}");
    // What a session says on its socket, signed over the sorted parameters.
    let message: serde_json::Value =
        serde_json::from_str(placed["socket"]["message"].as_str().expect("text")).expect("JSON");
    let params = message["params"].as_object().expect("an object");
    let payload: Vec<String> = params
        .iter()
        .filter(|(name, _)| *name != "signature")
        .map(|(name, value)| format!("{name}={}", value.as_str().map_or(value.to_string(), str::to_owned)))
        .collect();
    assert_eq!(params["signature"], hmac_sha256(SECRET.as_bytes(), payload.join("&").as_bytes()), "{message}");
    assert_eq!(message["method"], "order.place");
    let text = desk.done("exchange binance balances --dry-run --now 1578963600000");
    assert!(text.starts_with("GET https://api.binance.com/") && !text.contains(SECRET), "{text}");
    let kraken = Desk::new().env("BELLWETHER_KEY_KRAKEN_MAIN_ID", "public").env(
        "BELLWETHER_KEY_KRAKEN_MAIN_SECRET",
        "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==",
    );
    let once = kraken.done("exchange kraken balances --dry-run --json --now 1616492376594");
    assert!(once.contains("1616492376594") && !once.contains("kQH5HW"), "{once}");
    assert_eq!(once, kraken.done("exchange kraken balances --dry-run --json --now 1616492376594"));
}

/// RFC 2104.
fn hmac_sha256(key: &[u8], message: &[u8]) -> String {
    let mut block = [0u8; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|b| b ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    hex(&Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn bars_are_downloaded_once_and_with_the_venues_rules() {
    let venue = sandbox(|s| s.pace = 1.0);
    let desk = Desk::new();
    let bars =
        desk.json(&format!("exchange binance bars BTC/USDT --limit 200 --json --rest-url http://{}", venue.address()));
    let first = bars["bars"][0]["ts_open_ns"].as_str().expect("text").to_owned();
    let line = |extra: &str| {
        format!(
            "data download --instrument binance:BTC/USDT --interval 1m --from {first} --data got --json \
             --rest-url http://{} {extra}",
            venue.address()
        )
    };
    let to = bars["bars"][99]["ts_open_ns"].as_str().expect("text");
    let part = desk.json(&line(&format!("--to {to}")));
    assert_eq!(part["rows_added"], 99, "{part}");
    assert_eq!(part["rules_noted"], true);
    let rest = desk.json(&line(""));
    let count = bars["bars"].as_array().expect("bars").len() as u64;
    assert!(rest["rows_added"].as_u64().is_some_and(|n| (count - 99..=count - 97).contains(&n)), "{rest} of {count}");
    let again = desk.json(&line(&format!("--to {to}")));
    assert_eq!((&again["rows_added"], &again["requests"]), (&0.into(), &0.into()), "{again}");
    assert_eq!(again["rules_noted"], false);
    assert!(desk.done("data check --data got").contains("nothing odd"));
    let rules = std::fs::read_to_string(desk.path("got/instruments.json")).expect("rules");
    assert!(rules.contains("\"tick\"") && rules.contains("valid_from"), "{rules}");
    assert!(rules.contains(r#""qty_max": "1000000""#) && rules.contains(r#""notional_max": "9000000""#), "{rules}");
}

#[test]
fn trades_are_downloaded_with_their_ids_and_not_twice() {
    let venue = sandbox(|s| s.pace = 1.0);
    let desk = Desk::new();
    let now = desk.json(&format!("exchange binance time --json --rest-url http://{}", venue.address()));
    let now: i64 = now["venue_ns"].as_str().expect("text").parse().expect("a number");
    let line = |from: i64, to: i64| {
        format!(
            "data download --instrument binance:BTC/USDT --kind trades --from {from} --to {to} --data got --json \
             --rest-url http://{}",
            venue.address()
        )
    };
    // The sandbox keeps the last few minutes of trades.
    let second = 1_000_000_000;
    let (from, to) = (now - 100 * second, now - 60 * second);
    let first = desk.json(&line(from, to));
    assert!(first["rows_added"].as_u64().is_some_and(|n| n > 0), "{first}");
    let more = desk.json(&line(from, to + 20 * second));
    let again = desk.json(&line(from, to + 20 * second));
    assert_eq!((&again["rows_added"], &again["requests"]), (&0.into(), &0.into()), "{more} {again}");
    let at_once = desk.json(&line(from, to + 20 * second).replace("--data got", "--data other"));
    let hash = |dir: &str| desk.json(&format!("data list --data {dir} --json"))["series"][0]["row_hash"].clone();
    assert_eq!(hash("got"), hash("other"), "{at_once}");
}

#[test]
fn a_live_feed_is_recorded_without_gaps() {
    let venue = sandbox(|_| {});
    let desk = Desk::new();
    let report = desk.json(&format!(
        "data record --instrument binance:BTC/USDT --kind trades,quotes,depth --for 6s --every 2s --data got --json \
         --rest-url http://{0} --ws-url ws://{0}",
        venue.address()
    ));
    let rows = |kind: &str| {
        let series = report["series"].as_array().expect("series");
        series.iter().find(|s| s["kind"] == kind).and_then(|s| s["rows"].as_u64()).unwrap_or(0)
    };
    assert!(rows("trades") > 0 && rows("quotes") > 0 && rows("depth") > 0, "{report}");
    assert!(report["commits"].as_u64().is_some_and(|n| n >= 2), "{report}");
    let listed = desk.json("data list --data got --json");
    for series in listed["series"].as_array().expect("series") {
        assert_eq!(series["rows"], rows(series["kind"].as_str().expect("text")), "{series}");
        assert_eq!(series["sources"].as_array().map(Vec::len), Some(1), "{series}");
    }
    let checked = desk.run("data check --data got");
    assert!(!checked.stdout.contains("sequence"), "{checked:?}");
}

/// An archive on this machine: files by path, and which were asked for.
struct Archive {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Archive {
    fn new(files: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
                let mut line = String::new();
                if reader.read_line(&mut line).is_err() {
                    continue;
                }
                let mut header = String::new();
                while reader.read_line(&mut header).is_ok_and(|n| n > 2) {
                    header.clear();
                }
                let path = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
                told.lock().expect("not poisoned").push(path.clone());
                let (status, body) = match files.get(&path) {
                    Some(body) => ("200 OK", body.clone()),
                    None => ("404 Not Found", Vec::new()),
                };
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let mut stream = stream;
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            }
        });
        Self { address, asked }
    }
}

/// A day of hourly bars as the archive has it.
fn day(start_ms: i64) -> Vec<u8> {
    let mut text = String::new();
    for hour in 0..24 {
        let open = start_ms + hour * 3_600_000;
        text.push_str(&format!("{open},100.0,101.0,99.0,100.5,12.5,{},1250.0,10,6.0,600.0,0\n", open + 3_599_999));
    }
    text.into_bytes()
}

#[test]
fn the_archive_is_fetched_checked_and_not_fetched_again() {
    let folder = "/data/spot/daily/klines/BTCUSDT/1h";
    let mut files = BTreeMap::new();
    for (date, start_ms) in [("2024-01-30", 1_706_572_800_000), ("2024-01-31", 1_706_659_200_000)] {
        let path = format!("{folder}/BTCUSDT-1h-{date}.zip");
        let body = day(start_ms);
        files.insert(format!("{path}.CHECKSUM"), format!("{}  x.zip\n", hex(&Sha256::digest(&body))).into_bytes());
        files.insert(path, body);
    }
    let archive = Archive::new(files.clone());
    let desk = Desk::new();
    let line = format!(
        "data download --instrument binance:BTC/USDT --interval 1h --from 2024-01-30 --to 2024-02-02 --source archive \
         --data got --json --archive-url http://{}",
        archive.address
    );
    let report = desk.json(&line);
    assert_eq!((&report["rows_added"], &report["requests"]), (&48.into(), &2.into()), "{report}");
    assert_eq!(report["files_absent"][0], "BTCUSDT-1h-2024-02-01.zip");
    assert!(desk.done("data check --data got").contains("48 rows: nothing odd"));
    archive.asked.lock().expect("not poisoned").clear();
    assert_eq!(desk.json(&line)["rows_added"], 0);
    let asked = archive.asked.lock().expect("not poisoned").clone();
    assert!(asked.iter().all(|p| p.contains("2024-02-01")), "{asked:?}");

    let path = format!("{folder}/BTCUSDT-1h-2024-01-31.zip");
    files.insert(path, b"damaged on the way".to_vec());
    let damaged = Archive::new(files);
    let line =
        line.replace("--data got", "--data other").replace(&archive.address.to_string(), &damaged.address.to_string());
    desk.fails(&line, 6, "SHA-256");
    let kept = desk.json("data list --data other --json");
    assert_eq!(kept["series"][0]["rows"], 24, "the file before it is kept");
}
