//! The sandbox venue over real sockets: what it answers to whom, order life, streams, faults.

mod faults;
mod orders;
mod signing;
mod streams;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bellwether::sandbox::{ApiKey, Commission, Sandbox, SandboxSettings};
use ring::hmac;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::stream::MaybeTlsStream;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, connect};

/// The secret of the keys `full` and `reader`.
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

/// A sandbox of the shipped Bitcoin data that plays only the steps that are asked for.
pub struct Venue {
    sandbox: Sandbox,
}

/// What the venue answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub json: Value,
}

impl Answer {
    /// The answer of a request that was carried out.
    pub fn done(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.json);
        self.json
    }

    /// Status and code of one that was refused.
    pub fn refused(&self) -> (u16, i64) {
        (self.status, self.json["code"].as_i64().unwrap_or(0))
    }
}

pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("a time")
}

pub fn hmac_of(payload: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), payload.as_bytes());
    tag.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

impl Venue {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut SandboxSettings)) -> Self {
        let key = |text: &str| ApiKey::parse(text).expect("a key");
        let mut settings = SandboxSettings {
            data: Path::new(env!("CARGO_MANIFEST_DIR")).join("backtest-data"),
            instruments: vec!["binance:BTC/USDT".parse().expect("a symbol")],
            pace: 0.0,
            history_ns: 60_000_000_000,
            commission: Commission::Quote,
            balances: vec![
                ("USDT".into(), "100000".parse().expect("money")),
                ("BTC".into(), "2".parse().expect("money")),
            ],
            keys: vec![key(&format!("full:{SECRET}:read,trade")), key(&format!("reader:{SECRET}:read"))],
            ..SandboxSettings::default()
        };
        change(&mut settings);
        Self { sandbox: Sandbox::start(settings).expect("a sandbox") }
    }

    pub fn address(&self) -> SocketAddr {
        self.sandbox.address()
    }

    /// The raw bytes that come back for a request.
    pub fn raw(&self, method: &str, target: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        let length = body.len();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("written");
        let mut bytes = Vec::new();
        // A connection that breaks gives what came before.
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn ask(&self, method: &str, target: &str, headers: &str, body: &str) -> Answer {
        let text = self.raw(method, target, headers, body);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {target}: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).expect("a status");
        let header = |l: &str| l.split_once(": ").map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()));
        Answer {
            status,
            headers: lines.filter_map(header).collect(),
            json: serde_json::from_str(body).unwrap_or(Value::Null),
        }
    }

    pub fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, "", "")
    }

    /// A request signed by `full`.
    pub fn signed(&self, method: &str, path: &str, query: &str) -> Answer {
        self.signed_by("full", method, path, query)
    }

    pub fn signed_by(&self, key: &str, method: &str, path: &str, query: &str) -> Answer {
        let time = format!("timestamp={}", now_ms());
        let query = if query.is_empty() { time } else { format!("{query}&{time}") };
        let target = format!("{path}?{query}&signature={}", hmac_of(&query));
        self.ask(method, &target, &format!("X-MBX-APIKEY: {key}\r\n"), "")
    }

    /// A new Bitcoin order.
    pub fn order(&self, rest: &str) -> Answer {
        self.signed("POST", "/api/v3/order", &format!("symbol=BTCUSDT&{rest}"))
    }

    pub fn admin(&self, method: &str, what: &str, body: &Value) -> Answer {
        let header = format!("X-Sandbox-Token: {}\r\n", self.sandbox.token());
        self.ask(method, &format!("/sandbox/{what}"), &header, &body.to_string())
    }

    pub fn faults(&self, faults: &Value) {
        self.admin("POST", "faults", faults).done();
    }

    /// Plays the next events.
    pub fn step(&self, events: u64) {
        let played = self.admin("POST", "step", &json!({"events": events})).done();
        assert_eq!(played["played"], events);
    }

    /// Best bid and offer, in hundredths.
    pub fn best(&self) -> (i64, i64) {
        let ticker = self.get("/api/v3/ticker/bookTicker?symbol=BTCUSDT").done();
        (cents(&ticker["bidPrice"]), cents(&ticker["askPrice"]))
    }

    /// Free and locked of an asset.
    pub fn balance(&self, asset: &str) -> (String, String) {
        let account = self.signed("GET", "/api/v3/account", "").done();
        let row = account["balances"]
            .as_array()
            .expect("balances")
            .iter()
            .find(|b| b["asset"] == asset)
            .expect(asset)
            .clone();
        (row["free"].as_str().expect("text").to_owned(), row["locked"].as_str().expect("text").to_owned())
    }

    pub fn socket(&self, path: &str) -> Socket {
        let (socket, _) = connect(format!("ws://{}{path}", self.address())).expect("a socket");
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(Duration::from_millis(1_500))).expect("a timeout");
        }
        Socket(socket)
    }
}

/// A price text in hundredths.
pub fn cents(text: &Value) -> i64 {
    let text = text.as_str().expect("a price");
    let (whole, rest) = text.split_once('.').expect("digits");
    whole.parse::<i64>().expect("digits") * 100 + rest[..2].parse::<i64>().expect("digits")
}

/// Hundredths as a price text.
pub fn price(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// A text of eight digits after the point as a whole number.
pub fn units(text: &Value) -> i128 {
    text.as_str().expect("a number").replace('.', "").parse().expect("digits")
}

/// A client's socket.
pub struct Socket(WebSocket<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).expect("sent");
    }

    /// The same to a venue that may have hung up; whether it could be sent.
    pub fn may_say(&mut self, message: &Value) -> bool {
        self.0.send(Message::text(message.to_string())).is_ok()
    }

    /// The next message; `None` when none comes in time or the socket is gone.
    pub fn next(&mut self) -> Option<Value> {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).expect("JSON")),
                Ok(Message::Close(_)) => return None,
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// Whether the other side has ended the connection (a silent one has not).
    pub fn is_closed(&mut self) -> bool {
        loop {
            match self.0.read() {
                Ok(Message::Close(_)) => return true,
                Ok(_) => {}
                Err(Error::Io(e))
                    if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
                {
                    return false;
                }
                Err(_) => return true,
            }
        }
    }

    /// Asks and takes the answer, past events that come in between.
    pub fn call(&mut self, id: &str, method: &str, params: &Value) -> (Value, Vec<Value>) {
        self.say(&json!({"id": id, "method": method, "params": params}));
        let mut events = Vec::new();
        loop {
            let message = self.next().unwrap_or_else(|| panic!("no answer to {method}; events {events:?}"));
            if message["id"] == id {
                return (message, events);
            }
            events.push(message);
        }
    }

    /// Events that have come and come within the timeout, until `count`.
    pub fn events(&mut self, count: usize) -> Vec<Value> {
        std::iter::from_fn(|| self.next()).take(count).collect()
    }
}

/// Parameters with key, time and signature, as the WebSocket API wants them.
pub fn signed_params(key: &str, mut params: Value) -> Value {
    params["apiKey"] = key.into();
    params["timestamp"] = now_ms().into();
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let sorted: BTreeMap<&String, String> =
        params.as_object().expect("params").iter().map(|(n, v)| (n, text(v))).collect();
    let payload = sorted.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("&");
    params["signature"] = hmac_of(&payload).into();
    params
}
