//! `sandbox`: one line, then an exchange until the time is over.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use serde_json::Value;

use crate::desk::Desk;

#[test]
fn the_line_says_where_and_the_exchange_answers_there_until_the_time_is_over() {
    let desk = Desk::new().at_root();
    let line = "sandbox --json --for 2s --history 1m --instrument binance:BTC/USDT --loop --seed 7";
    let mut child = desk.command(line).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
    let mut told = String::new();
    BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut told).expect("a line");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((&told["seed"], &told["keys"][0]["trade"]), (&7.into(), &true.into()));
    assert!(told["keys"][0]["secret"].as_str().is_some_and(|s| s.len() == 64) && told["admin_token"].is_string());
    let address = told["rest_url"].as_str().and_then(|u| u.strip_prefix("http://")).expect("an address");
    let mut stream = TcpStream::connect(address).expect("connected");
    stream
        .write_all(b"GET /api/v3/ticker/price?symbol=BTCUSDT HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"price\":\"872"), "{answer}");
    assert!(child.wait().expect("ended").success());
}

#[test]
fn what_makes_no_sandbox_is_refused_in_words() {
    let desk = Desk::new().at_root();
    desk.fails("sandbox --key id:secret", 2, "write id:secret:perm");
    desk.fails("sandbox --faults drop=7", 2, "is no share from 0 to 1");
    desk.fails("sandbox --balance USDT", 2, "write CODE=AMOUNT");
    desk.fails("sandbox --balance XYZ=5 --for 1s", 3, "no instrument has this currency");
    desk.fails("sandbox --instrument binance:DOGE/USDT", 3, "binance:DOGE/USDT");
    desk.fails("sandbox --instrument binance:BTC/USDT:USDT", 3, "spot");
    desk.fails("sandbox --fill-profile close@1", 3, "a venue has no bars");
}
