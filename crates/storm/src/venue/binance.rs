//! Binance spot: REST, the WebSocket API with the user data stream on it, and the streams of trades and best quotes.

use std::collections::BTreeMap;

use bellwether::exchange::{Method, Request, Response};
use serde_json::{Value, json};

use super::{Desk, Ear, Mood, Mouth, digits, units};
use crate::floor::{Fill, Floor, Kind, Order, Refusal, Said, State, Wish};

/// The protocol.
pub struct Binance;

/// How far a request's time may be behind the venue's, and ahead of it, milliseconds.
const BEHIND_MS: i64 = 5_000;
const AHEAD_MS: i64 = 1_000;

type Params = BTreeMap<String, String>;

struct Error {
    status: u16,
    code: i64,
    words: &'static str,
}

const fn error(status: u16, code: i64, words: &'static str) -> Error {
    Error { status, code, words }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Duplicate => error(400, -2010, "Duplicate order sent."),
            Refusal::WouldTake => error(400, -2010, "Order would immediately match and take."),
            Refusal::Funds => error(400, -2010, "Account has insufficient balance for requested action."),
            Refusal::Unknown => error(400, -2011, "Unknown order sent."),
        }
    }
}

const UNKNOWN_STATUS: Error = error(
    500,
    -1007,
    "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
);

fn price(cents: i64) -> String {
    digits(i128::from(cents), 2)
}

fn qty(lots: i64) -> String {
    digits(i128::from(lots), 5)
}

fn side(buy: bool) -> &'static str {
    if buy { "BUY" } else { "SELL" }
}

fn status(state: State) -> &'static str {
    match state {
        State::New => "NEW",
        State::Part => "PARTIALLY_FILLED",
        State::Filled => "FILLED",
        State::Cancelled => "CANCELED",
        State::Expired => "EXPIRED",
    }
}

fn kind(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Limit => ("LIMIT", "GTC"),
        Kind::Maker => ("LIMIT_MAKER", "GTC"),
        Kind::Ioc => ("LIMIT", "IOC"),
        Kind::Market => ("MARKET", "GTC"),
    }
}

fn order(o: &Order) -> Value {
    let (name, tif) = kind(o.wish.kind);
    json!({
        "symbol": "BTCUSDT", "orderId": o.id, "orderListId": -1, "clientOrderId": o.wish.client,
        "price": price(o.wish.price), "origQty": qty(o.wish.qty), "executedQty": qty(o.filled),
        "cummulativeQuoteQty": "0.00", "status": status(o.state), "timeInForce": tif, "type": name,
        "side": side(o.wish.buy), "stopPrice": "0.00", "time": o.ms, "updateTime": o.ms, "isWorking": true,
    })
}

fn cancelled(o: &Order) -> Value {
    let mut row = order(o);
    row["origClientOrderId"] = row["clientOrderId"].take();
    row["clientOrderId"] = format!("cancel{}", o.id).into();
    row
}

fn trade(floor: &Floor, f: &Fill) -> Option<Value> {
    let o = floor.orders.get(f.order)?;
    Some(json!({
        "symbol": "BTCUSDT", "id": f.id, "orderId": o.id, "price": price(f.price), "qty": qty(f.qty),
        "commission": digits(f.fee, 8), "commissionAsset": "USDT", "time": f.ms, "isBuyer": o.wish.buy,
        "isMaker": f.maker, "isBestMatch": true,
    }))
}

fn report(o: &Order, fill: Option<&Fill>, ms: i64) -> Value {
    let (name, tif) = kind(o.wish.kind);
    let what = match (fill, o.state) {
        (Some(_), _) => "TRADE",
        (None, State::Cancelled) => "CANCELED",
        (None, State::Expired) => "EXPIRED",
        (None, _) => "NEW",
    };
    let (client, original) = if o.state == State::Cancelled && fill.is_none() {
        (format!("cancel{}", o.id), o.wish.client.clone())
    } else {
        (o.wish.client.clone(), String::new())
    };
    json!({
        "e": "executionReport", "E": ms, "s": "BTCUSDT", "c": client, "S": side(o.wish.buy), "o": name, "f": tif,
        "q": qty(o.wish.qty), "p": price(o.wish.price), "P": "0.00", "F": "0.00", "g": -1, "C": original, "x": what,
        "X": status(o.state), "r": "NONE", "i": o.id, "l": qty(fill.map_or(0, |f| f.qty)), "z": qty(o.filled),
        "L": price(fill.map_or(0, |f| f.price)), "n": digits(fill.map_or(0, |f| f.fee), 8),
        "N": fill.map(|_| "USDT"), "T": ms, "t": fill.map_or(-1, |f| i64::try_from(f.id).unwrap_or(-1)), "w": true,
        "m": fill.is_some_and(|f| f.maker), "O": o.ms, "Z": "0.00",
    })
}

fn exchange_info() -> Value {
    json!({"symbols": [{
        "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
        "isSpotTradingAllowed": true, "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.00000", "stepSize": "0.00001"},
            {"filterType": "NOTIONAL", "minNotional": "0.10"}]}]})
}

fn query(text: &str) -> Params {
    text.split('&').filter_map(|p| p.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// Key and time of a signed request.
fn check(desk: &Desk<'_>, key: Option<&str>, params: &Params) -> Result<(), Error> {
    if key != Some(desk.key) {
        return Err(error(401, -2015, "Invalid API-key, IP, or permissions for action."));
    }
    if !params.contains_key("signature") {
        return Err(error(400, -1102, "Mandatory parameter 'signature' was not sent."));
    }
    let at: i64 = params.get("timestamp").and_then(|t| t.parse().ok()).unwrap_or(0);
    if at < desk.floor.ms - BEHIND_MS || at > desk.floor.ms + AHEAD_MS {
        return Err(error(400, -1021, "Timestamp for this request is outside of the recvWindow."));
    }
    Ok(())
}

fn wish(params: &Params) -> Result<Wish, Error> {
    let get = |name: &str| params.get(name).map(String::as_str);
    let kind = match (get("type"), get("timeInForce")) {
        (Some("LIMIT"), Some("GTC")) => Kind::Limit,
        (Some("LIMIT"), Some("IOC")) => Kind::Ioc,
        (Some("LIMIT_MAKER"), _) => Kind::Maker,
        (Some("MARKET"), _) => Kind::Market,
        _ => return Err(error(400, -1106, "Unsupported order combination.")),
    };
    let mandatory = error(400, -1102, "Mandatory parameter was not sent, was empty/null, or malformed.");
    let price = if kind == Kind::Market { Some(0) } else { get("price").and_then(|p| units(p, 2)) };
    match (get("newClientOrderId"), price, get("quantity").and_then(|q| units(q, 5))) {
        (Some(client), Some(price), Some(qty)) if qty > 0 => {
            Ok(Wish { client: client.to_owned(), buy: get("side") == Some("BUY"), kind, price, qty })
        }
        _ => Err(mandatory),
    }
}

fn named(desk: &Desk<'_>, params: &Params) -> Option<usize> {
    let id = params.get("orderId").and_then(|id| id.parse().ok());
    desk.floor.find(id, params.get("origClientOrderId").map(String::as_str))
}

/// What is done with orders, by REST and socket alike.
fn act(desk: &mut Desk<'_>, verb: &str, params: &Params) -> Result<Value, Error> {
    match desk.mood {
        Mood::Limited => return Err(error(429, -1015, "Too many new orders.")),
        Mood::Busy => return Err(error(503, -1008, "Server is currently overloaded with other requests.")),
        Mood::Well | Mood::Broken => {}
    }
    let done = match verb {
        "place" => desk.floor.place(wish(params)?, desk.dice).map(|i| order(&desk.floor.orders[i])),
        "cancel" => {
            let named = named(desk, params);
            desk.floor.cancel(named).map(|i| cancelled(&desk.floor.orders[i]))
        }
        _ => match desk.floor.cancel_all() {
            gone if gone.is_empty() => Err(Refusal::Unknown),
            gone => Ok(gone.into_iter().map(|i| cancelled(&desk.floor.orders[i])).collect()),
        },
    };
    if desk.mood == Mood::Broken { Err(UNKNOWN_STATUS) } else { done.map_err(Error::from) }
}

fn rest(desk: &mut Desk<'_>, request: &Request) -> Result<Value, Error> {
    let params = query(&format!("{}&{}", request.query, request.body));
    let signed = |desk: &Desk<'_>| {
        let key = request.headers.iter().find(|(n, _)| n == "X-MBX-APIKEY").map(|(_, v)| v.as_str());
        check(desk, key, &params)
    };
    match (request.method, request.path.as_str()) {
        (Method::Get, "/api/v3/time") => return Ok(json!({"serverTime": desk.floor.ms})),
        (Method::Get, "/api/v3/exchangeInfo") => return Ok(exchange_info()),
        _ => signed(desk)?,
    }
    if desk.mood == Mood::Limited {
        return Err(error(
            429,
            -1003,
            "Too much request weight used; current limit is 6000 request weight per 1 MINUTE.",
        ));
    }
    match (request.method, request.path.as_str()) {
        (Method::Post, "/api/v3/order") => act(desk, "place", &params),
        (Method::Delete, "/api/v3/order") => act(desk, "cancel", &params),
        (Method::Delete, "/api/v3/openOrders") => act(desk, "cancel_all", &params),
        (Method::Get, "/api/v3/order") => {
            let found = named(desk, &params).and_then(|i| desk.floor.orders.get(i)).filter(|o| desk.knows(o.ms));
            found.map(order).ok_or(error(400, -2013, "Order does not exist."))
        }
        (Method::Get, "/api/v3/openOrders") => {
            let open = desk.floor.open().into_iter().map(|i| &desk.floor.orders[i]);
            Ok(open.filter(|o| desk.knows(o.ms)).map(order).collect())
        }
        (Method::Get, "/api/v3/myTrades") => {
            let from: i64 = params.get("startTime").and_then(|t| t.parse().ok()).unwrap_or(0);
            let limit = params.get("limit").and_then(|t| t.parse().ok()).unwrap_or(500);
            let rows = desk.floor.fills.iter().filter(|f| f.ms >= from && desk.knows(f.ms)).take(limit);
            Ok(rows.filter_map(|f| trade(desk.floor, f)).collect())
        }
        (Method::Get, "/api/v3/account") => {
            let (cash, base) = (crate::life::CASH + desk.floor.cash_change(), desk.floor.position());
            Ok(json!({"balances": [
                {"asset": "USDT", "free": digits(cash, 8), "locked": "0.00000000"},
                {"asset": "BTC", "free": qty(base), "locked": "0.00000"}]}))
        }
        _ => Err(error(404, -1000, "no such endpoint")),
    }
}

impl Mouth for Binance {
    fn symbol(&self) -> &'static str {
        "binance:BTC/USDT"
    }

    fn opened(&self, url: &str) -> Ear {
        Ear { market: url.contains("/stream?"), ..Ear::default() }
    }

    fn answer(&mut self, desk: &mut Desk<'_>, request: &Request) -> Response {
        match rest(desk, request) {
            Ok(_) if desk.mood == Mood::Broken => super::json(502, "<html>502 Bad Gateway</html>".to_owned()),
            Ok(value) => super::json(200, value.to_string()),
            Err(e) => super::json(e.status, json!({"code": e.code, "msg": e.words}).to_string()),
        }
    }

    fn hear(&mut self, desk: &mut Desk<'_>, ear: &mut Ear, text: &str) -> Vec<String> {
        let Ok(said) = serde_json::from_str::<Value>(text) else { return Vec::new() };
        let mut params = Params::new();
        for (name, value) in said["params"].as_object().into_iter().flatten() {
            params.insert(name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        let key = params.get("apiKey").cloned();
        let done = check(desk, key.as_deref(), &params).and_then(|()| match said["method"].as_str() {
            Some("userDataStream.subscribe.signature") => {
                ear.account = true;
                Ok(json!({"subscriptionId": 0}))
            }
            Some("order.place") => act(desk, "place", &params),
            Some("order.cancel") => act(desk, "cancel", &params),
            Some("openOrders.cancelAll") => act(desk, "cancel_all", &params),
            _ => Err(error(400, -1020, "This operation is not supported.")),
        });
        let answer = match done {
            Ok(result) => json!({"id": said["id"], "status": 200, "result": result}),
            Err(e) => json!({"id": said["id"], "status": e.status, "error": {"code": e.code, "msg": e.words}}),
        };
        vec![answer.to_string()]
    }

    fn tell(&self, said: &Said, ms: i64) -> Vec<String> {
        vec![match said {
            Said::Order(order, fill) => {
                json!({"subscriptionId": 0, "event": report(order, fill.as_ref(), ms)}).to_string()
            }
            Said::Trade(id, at, lots, buyer_rests) => json!({"stream": "btcusdt@trade", "data": {
                "e": "trade", "E": ms, "s": "BTCUSDT", "t": id, "p": price(*at), "q": qty(*lots), "T": ms,
                "m": buyer_rests, "M": true}})
            .to_string(),
            Said::Quote(bid, ask) => json!({"stream": "btcusdt@bookTicker", "data": {
                "u": ms, "s": "BTCUSDT", "b": price(*bid), "B": "1.00000", "a": price(*ask), "A": "1.00000"}})
            .to_string(),
        }]
    }

    fn places(&self, text: &str) -> Option<String> {
        let value_of = |name: &str| {
            let rest = text.split_once(name)?.1.trim_start_matches([':', '"', '=']);
            rest.split(['"', '&']).next().map(str::to_owned)
        };
        (!text.contains("cancelReplace")).then(|| value_of("newClientOrderId")).flatten()
    }
}
