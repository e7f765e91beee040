//! Bybit v5 spot: REST, the private stream, the order-entry socket, and public trades and best quotes.
//!
//! Answers say only that a request was taken; what became of it comes on the private stream. A post-only order that would
//! take is taken and cancelled. Executions and orders are told apart, and in either order.

use bellwether::exchange::{Request, Response};
use serde_json::{Value, json};

use super::{Desk, Ear, Mood, Mouth, digits, units};
use crate::floor::{Fill, Floor, Kind, Order, Refusal, Said, State, Wish};

/// The protocol.
pub struct Bybit;

/// How far a request's time may be off, milliseconds: behind the venue's, and ahead of it.
const BEHIND_MS: i64 = 5_000;
const AHEAD_MS: i64 = 1_000;
/// Rows of a page of orders and of executions, fewer than are asked for so that pages are turned.
const ORDERS_MAX: usize = 7;
const FILLS_MAX: usize = 9;
/// How far a question about executions reaches from its beginning on, if it names no end.
const FILLS_MS: i64 = 7 * 86_400_000;

type Error = (i64, &'static str);

fn price(cents: i64) -> String {
    digits(i128::from(cents), 2)
}

fn qty(lots: i64) -> String {
    digits(i128::from(lots), 5)
}

fn side(buy: bool) -> &'static str {
    if buy { "Buy" } else { "Sell" }
}

fn status(o: &Order) -> &'static str {
    match o.state {
        State::New => "New",
        State::Part => "PartiallyFilled",
        State::Filled => "Filled",
        State::Cancelled | State::Expired if o.filled > 0 => "PartiallyFilledCanceled",
        State::Cancelled | State::Expired => "Cancelled",
    }
}

fn order(o: &Order) -> Value {
    let (kind, tif) = match o.wish.kind {
        Kind::Limit => ("Limit", "GTC"),
        Kind::Maker => ("Limit", "PostOnly"),
        Kind::Ioc => ("Limit", "IOC"),
        Kind::Market => ("Market", "IOC"),
    };
    let reason = match o.state {
        State::Cancelled => "EC_PerCancelRequest",
        State::Expired => "EC_NoImmediateQtyToFill",
        _ => "EC_NoError",
    };
    json!({
        "category": "spot", "symbol": "BTCUSDT", "orderId": o.id.to_string(), "orderLinkId": o.wish.client,
        "side": side(o.wish.buy), "orderType": kind, "price": price(o.wish.price), "qty": qty(o.wish.qty),
        "timeInForce": tif, "orderStatus": status(o), "cumExecQty": qty(o.filled), "triggerPrice": "",
        "triggerDirection": 0, "rejectReason": reason, "cancelType": "UNKNOWN", "createdTime": o.ms.to_string(),
        "updatedTime": o.ms.to_string(),
    })
}

fn execution(o: &Order, f: &Fill) -> Value {
    json!({
        "category": "spot", "symbol": "BTCUSDT", "orderId": o.id.to_string(), "orderLinkId": o.wish.client,
        "side": side(o.wish.buy), "execId": format!("e{}", f.id), "execPrice": price(f.price), "execQty": qty(f.qty),
        "execFee": digits(f.fee, 8), "feeCurrency": "USDT", "execType": "Trade", "isMaker": f.maker,
        "execTime": f.ms.to_string(),
    })
}

fn instruments() -> Value {
    json!({"category": "spot", "list": [{
        "symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "Trading",
        "lotSizeFilter": {"basePrecision": "0.00001", "quotePrecision": "0.0000001", "minOrderQty": "0.00001",
            "maxOrderQty": "100", "minOrderAmt": "0.1", "maxOrderAmt": "4000000"},
        "priceFilter": {"tickSize": "0.01"}}]})
}

fn in_time(floor: &Floor, at: Option<&str>) -> Result<(), Error> {
    let at: i64 = at.and_then(|t| t.parse().ok()).unwrap_or(0);
    if at < floor.ms - BEHIND_MS || at > floor.ms + AHEAD_MS {
        return Err((10002, "invalid request, please check your server timestamp or recv_window param"));
    }
    Ok(())
}

fn wish(args: &Value) -> Result<Wish, Error> {
    let text = |name: &str| args[name].as_str();
    let kind = match (text("orderType"), text("timeInForce")) {
        (Some("Limit"), Some("GTC")) => Kind::Limit,
        (Some("Limit"), Some("IOC")) => Kind::Ioc,
        (Some("Limit"), Some("PostOnly")) => Kind::Maker,
        (Some("Market"), _) if text("marketUnit") == Some("baseCoin") => Kind::Market,
        _ => return Err((10001, "params error")),
    };
    let price = if kind == Kind::Market { Some(0) } else { text("price").and_then(|p| units(p, 2)) };
    match (text("orderLinkId"), price, text("qty").and_then(|q| units(q, 5))) {
        (Some(client), Some(price), Some(qty)) if qty > 0 => {
            Ok(Wish { client: client.to_owned(), buy: text("side") == Some("Buy"), kind, price, qty })
        }
        _ => Err((10001, "params error")),
    }
}

fn act(desk: &mut Desk<'_>, verb: &str, args: &Value) -> Result<Value, Error> {
    match desk.mood {
        Mood::Limited => return Err((10006, "Too many visits. Exceeded the API Rate Limit.")),
        Mood::Busy => return Err((10429, "System level frequency protection")),
        Mood::Well | Mood::Broken => {}
    }
    let named = |desk: &Desk<'_>| {
        let id = args["orderId"].as_str().and_then(|id| id.parse().ok());
        desk.floor.find(id, args["orderLinkId"].as_str())
    };
    let taken = |o: &Order| json!({"orderId": o.id.to_string(), "orderLinkId": o.wish.client});
    let done = match verb {
        "create" => match desk.floor.place(wish(args)?, desk.dice) {
            Ok(index) => Ok(taken(&desk.floor.orders[index])),
            Err(Refusal::Duplicate) => Err((170141, "Duplicate clientOrderId.")),
            Err(Refusal::WouldTake) => Err((170218, "The LIMIT-MAKER order is rejected due to invalid price.")),
            Err(Refusal::Funds | Refusal::Unknown) => Err((170131, "Insufficient balance.")),
        },
        "cancel" => {
            let named = named(desk);
            match desk.floor.cancel(named) {
                Ok(index) => Ok(taken(&desk.floor.orders[index])),
                Err(_) => Err((170213, "Order does not exist.")),
            }
        }
        _ => {
            let gone = desk.floor.cancel_all();
            Ok(json!({"list": gone.iter().map(|i| taken(&desk.floor.orders[*i])).collect::<Vec<_>>(), "success": "1"}))
        }
    };
    if desk.mood == Mood::Broken { Err((10016, "Internal server error.")) } else { done }
}

fn ask(desk: &Desk<'_>, path: &str, query: &str) -> Result<Value, Error> {
    if desk.mood == Mood::Limited {
        return Err((10006, "Too many visits. Exceeded the API Rate Limit."));
    }
    let floor = &*desk.floor;
    let param = |name: &str| query.split('&').filter_map(|p| p.split_once('=')).find(|(k, _)| *k == name).map(|p| p.1);
    match path {
        "/v5/order/realtime" | "/v5/order/history" if param("orderId").is_some() || param("orderLinkId").is_some() => {
            let found = floor.find(param("orderId").and_then(|id| id.parse().ok()), param("orderLinkId"));
            let found = found.iter().map(|i| &floor.orders[*i]).filter(|o| desk.knows(o.ms));
            let rows: Vec<Value> = found.map(order).collect();
            Ok(json!({"category": "spot", "list": rows}))
        }
        "/v5/order/realtime" => {
            let below = param("cursor").map_or(Ok(u64::MAX), str::parse).map_err(|_| (10001, "params error"))?;
            let open = floor.open().into_iter().rev().map(|i| &floor.orders[i]).filter(|o| desk.knows(o.ms));
            let page: Vec<&Order> = open.filter(|o| o.id < below).take(ORDERS_MAX).collect();
            let ended = page.last().map(|o| o.id.to_string()).unwrap_or_default();
            let rows: Vec<Value> = page.into_iter().map(order).collect();
            Ok(json!({"category": "spot", "list": rows, "nextPageCursor": ended}))
        }
        "/v5/execution/list" => {
            let from: i64 = param("startTime").and_then(|t| t.parse().ok()).unwrap_or(0);
            let below = param("cursor").map_or(Ok(u64::MAX), str::parse).map_err(|_| (10001, "params error"))?;
            // Newest first, and those before are on further pages.
            let asked = floor.fills.iter().rev().filter(|f| (from..=from + FILLS_MS).contains(&f.ms) && f.id < below);
            let page: Vec<&Fill> = asked.filter(|f| desk.knows(f.ms)).take(FILLS_MAX).collect();
            let ended = page.last().map(|f| f.id.to_string()).unwrap_or_default();
            let rows: Vec<Value> = page.into_iter().map(|f| execution(&floor.orders[f.order], f)).collect();
            Ok(json!({"category": "spot", "list": rows, "nextPageCursor": ended}))
        }
        "/v5/account/wallet-balance" => {
            let (cash, base) = (crate::life::CASH + floor.cash_change(), floor.position());
            Ok(json!({"list": [{"accountType": "UNIFIED", "coin": [
                {"coin": "USDT", "walletBalance": digits(cash, 8), "locked": "0"},
                {"coin": "BTC", "walletBalance": qty(base), "locked": "0"}]}]}))
        }
        _ => Err((10001, "no such endpoint")),
    }
}

fn rest(desk: &mut Desk<'_>, request: &Request) -> Result<Value, Error> {
    match request.path.as_str() {
        "/v5/market/time" => {
            return Ok(json!({"timeSecond": (desk.floor.ms / 1000).to_string(),
                "timeNano": format!("{}000000", desk.floor.ms)}));
        }
        "/v5/market/instruments-info" => return Ok(instruments()),
        _ => {}
    }
    let header = |name: &str| request.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    if header("X-BAPI-API-KEY") != Some(desk.key) {
        return Err((10003, "API key is invalid."));
    }
    in_time(desk.floor, header("X-BAPI-TIMESTAMP"))?;
    match request.path.strip_prefix("/v5/order/") {
        Some(verb @ ("create" | "cancel" | "cancel-all")) => {
            let args: Value = serde_json::from_str(&request.body).map_err(|_| (10001, "params error"))?;
            act(desk, verb, &args)
        }
        _ => ask(desk, &request.path, &request.query),
    }
}

impl Mouth for Bybit {
    fn symbol(&self) -> &'static str {
        "bybit:BTC/USDT"
    }

    fn opened(&self, _url: &str) -> Ear {
        Ear::default()
    }

    fn answer(&mut self, desk: &mut Desk<'_>, request: &Request) -> Response {
        let (code, text, result) = match rest(desk, request) {
            Ok(_) if desk.mood == Mood::Broken => return super::json(502, "<html>Bad Gateway</html>".to_owned()),
            Ok(result) => (0, "OK", result),
            Err((code, text)) => (code, text, json!({})),
        };
        let body = json!({"retCode": code, "retMsg": text, "result": result, "retExtInfo": {}, "time": desk.floor.ms});
        super::json(200, body.to_string())
    }

    fn hear(&mut self, desk: &mut Desk<'_>, ear: &mut Ear, text: &str) -> Vec<String> {
        let Ok(said) = serde_json::from_str::<Value>(text) else { return Vec::new() };
        let op = said["op"].as_str().unwrap_or_default();
        let answer = match op {
            "ping" => json!({"op": "pong", "success": true, "retCode": 0, "ret_msg": "pong"}),
            "auth" => {
                let good = said["args"][0].as_str() == Some(desk.key);
                let late = said["args"][1].as_i64().is_none_or(|expires| expires < desk.floor.ms);
                ear.known = good && !late;
                let (code, text) = match (good, late) {
                    (true, false) => (0, "OK"),
                    (true, true) => (10002, "expired"),
                    _ => (10003, "API key is invalid."),
                };
                json!({"op": "auth", "success": code == 0, "retCode": code, "retMsg": text, "ret_msg": text})
            }
            "subscribe" => {
                let private = said["args"][0].as_str() == Some("order");
                ear.account |= private && ear.known;
                ear.market |= !private;
                let good = !private || ear.known;
                json!({"op": "subscribe", "success": good, "ret_msg": "", "retCode": if good { 0 } else { 10004 }})
            }
            _ if !ear.known => json!({"op": op, "reqId": said["reqId"], "retCode": 10003, "retMsg": "log in first"}),
            _ => {
                let verb = op.strip_prefix("order.").unwrap_or_default();
                let at = said["header"]["X-BAPI-TIMESTAMP"].as_str();
                let done = in_time(desk.floor, at).and_then(|()| act(desk, verb, &said["args"][0]));
                let (code, text, data) = match done {
                    Ok(data) => (0, "OK", data),
                    Err((code, text)) => (code, text, json!({})),
                };
                json!({"op": op, "reqId": said["reqId"], "retCode": code, "retMsg": text, "data": data,
                    "retExtInfo": {}})
            }
        };
        vec![answer.to_string()]
    }

    fn tell(&self, said: &Said, ms: i64) -> Vec<String> {
        let private = |topic: &str, row: Value| json!({"id": "", "topic": topic, "creationTime": ms, "data": [row]});
        match said {
            Said::Order(o, fill) => {
                let mut told = vec![private("order", order(o)).to_string()];
                if let Some(fill) = fill {
                    told.push(private("execution", execution(o, fill)).to_string());
                }
                // Neither comes first always.
                if fill.as_ref().is_some_and(|f| f.id % 2 == 0) {
                    told.reverse();
                }
                told
            }
            Said::Trade(id, at, lots, buyer_rests) => vec![
                json!({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": ms, "data": [{
                    "T": ms, "s": "BTCUSDT", "S": side(!buyer_rests), "v": qty(*lots), "p": price(*at),
                    "i": id.to_string(), "BT": false}]})
                .to_string(),
            ],
            Said::Quote(bid, ask) => vec![
                json!({"topic": "orderbook.1.BTCUSDT", "type": "snapshot", "ts": ms, "cts": ms, "data": {
                    "s": "BTCUSDT", "b": [[price(*bid), "1"]], "a": [[price(*ask), "1"]], "u": ms, "seq": ms}})
                .to_string(),
            ],
        }
    }

    fn places(&self, text: &str) -> Option<String> {
        let rest = text.split_once("\"orderType\"").and(text.split_once("\"orderLinkId\":\""))?.1;
        rest.split('"').next().map(str::to_owned)
    }
}
