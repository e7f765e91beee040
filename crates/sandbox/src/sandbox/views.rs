//! An account as JSON: orders, executions, balances, and the events of the user data stream.

use bellwether_sdk::{Price, Side, Ts};
use serde_json::{Value, json};

use super::account::{Account, Execution, Fee, Held};
use super::digits;
use super::klines::millis;
use super::wish::Telling;

/// What the market's own name is of an account's instrument, as in `BTCUSDT`.
pub(super) fn name_of(account: &Account, market: usize) -> String {
    let symbol = &account.rules[market].symbol;
    format!("{}{}", symbol.base(), symbol.quote())
}

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

pub(super) fn stamp(account: &Account, ts: Ts) -> i64 {
    millis(ts.plus(account.skew_ns))
}

/// An order as `order`, `openOrders` and `allOrders` list it.
pub(super) fn order(account: &Account, held: &Held) -> Value {
    let mut row = core(account, held);
    row["clientOrderId"] = held.client_id.clone().into();
    row["stopPrice"] = price(account, held, held.wish.stop).into();
    row["icebergQty"] = "0.00000000".into();
    row["time"] = stamp(account, held.created).into();
    row["updateTime"] = stamp(account, held.updated).into();
    row["isWorking"] = (!held.sleeps).into();
    row["workingTime"] = working(account, held).into();
    row
}

/// What all answers about an order have.
fn core(account: &Account, held: &Held) -> Value {
    let rules = &account.rules[held.market];
    let scale = account.quote(held.market).scale;
    let asked = held.wish.quote_qty.map_or(0, |q| digits::amount(q, digits::DIGITS));
    json!({
        "symbol": name_of(account, held.market),
        "orderId": held.id,
        "orderListId": -1,
        "price": price(account, held, held.wish.price),
        "origQty": digits::qty(held.wish.qty, rules.qty_scale),
        "executedQty": digits::qty(held.filled, rules.qty_scale),
        "origQuoteOrderQty": digits::eight(asked, digits::DIGITS),
        "cummulativeQuoteQty": digits::money(held.quote_filled, scale),
        "status": held.status.name(),
        "timeInForce": tif(held),
        "type": held.wish.kind.name(),
        "side": side_name(held.wish.side),
        "selfTradePreventionMode": "NONE",
    })
}

/// The venue shows GTC where an order has no time in force of its own.
fn tif(held: &Held) -> &'static str {
    let market = !held.wish.kind.has_limit();
    if market { "GTC" } else { held.wish.tif.name() }
}

fn price(account: &Account, held: &Held, price: Price) -> String {
    digits::price(price, account.rules[held.market].price_scale)
}

fn working(account: &Account, held: &Held) -> i64 {
    if held.sleeps { -1 } else { stamp(account, held.created) }
}

/// The answer to a new order.
pub(super) fn placed(account: &Account, held: &Held, telling: Telling) -> Value {
    let at = stamp(account, held.updated);
    if telling == Telling::Ack {
        return json!({
            "symbol": name_of(account, held.market),
            "orderId": held.id,
            "orderListId": -1,
            "clientOrderId": held.client_id,
            "transactTime": at,
        });
    }
    let mut row = core(account, held);
    row["clientOrderId"] = held.client_id.clone().into();
    row["transactTime"] = at.into();
    row["workingTime"] = working(account, held).into();
    if held.wish.kind.is_conditional() {
        row["stopPrice"] = price(account, held, held.wish.stop).into();
    }
    if telling == Telling::Full {
        let since = account.executions.iter().skip(held.executions_before);
        let executions = since.filter(|e| e.order == held.id);
        row["fills"] = executions.map(|e| fill(account, e)).collect();
    }
    row
}

/// The commission as text, and its currency.
fn fee_of<'a>(account: &'a Account, e: &Execution) -> (String, &'a str) {
    let quote = account.quote(e.market);
    match e.fee {
        Fee::Quote(fee) => (digits::money(fee, quote.scale), &quote.code),
        Fee::Base(taken) => (digits::eight(taken, digits::DIGITS), account.rules[e.market].symbol.base()),
    }
}

fn fill(account: &Account, e: &Execution) -> Value {
    let (rules, (fee, asset)) = (&account.rules[e.market], fee_of(account, e));
    json!({
        "price": digits::price(e.price, rules.price_scale),
        "qty": digits::qty(e.qty, rules.qty_scale),
        "commission": fee,
        "commissionAsset": asset,
        "tradeId": e.id,
    })
}

/// The answer to a cancel.
pub(super) fn cancelled(account: &Account, held: &Held) -> Value {
    let mut row = core(account, held);
    row["origClientOrderId"] = held.client_id.clone().into();
    row["clientOrderId"] = held.cancel_id.clone().into();
    row["transactTime"] = stamp(account, held.updated).into();
    row
}

/// The answer to an amend.
pub(super) fn amended(account: &Account, held: &Held, before: &str) -> Value {
    let mut row = core(account, held);
    if let Some(row) = row.as_object_mut() {
        let qty = row.remove("origQty").unwrap_or_default();
        row.insert("qty".into(), qty);
        let quote = row.remove("cummulativeQuoteQty").unwrap_or_default();
        row.insert("cumulativeQuoteQty".into(), quote);
        let asked = row.remove("origQuoteOrderQty").unwrap_or_default();
        row.insert("quoteOrderQty".into(), asked);
        row.insert("preventedQty".into(), "0.00000000".into());
        row.insert("origClientOrderId".into(), before.into());
        row.insert("clientOrderId".into(), held.client_id.clone().into());
        row.insert("workingTime".into(), working(account, held).into());
    }
    json!({"transactTime": stamp(account, held.updated), "executionId": held.id, "amendedOrder": row})
}

/// A row of `myTrades`.
pub(super) fn my_trade(account: &Account, e: &Execution) -> Value {
    let (rules, quote) = (&account.rules[e.market], account.quote(e.market));
    let (fee, asset) = fee_of(account, e);
    json!({
        "symbol": name_of(account, e.market),
        "id": e.id,
        "orderId": e.order,
        "orderListId": -1,
        "price": digits::price(e.price, rules.price_scale),
        "qty": digits::qty(e.qty, rules.qty_scale),
        "quoteQty": digits::money(e.value, quote.scale),
        "commission": fee,
        "commissionAsset": asset,
        "time": stamp(account, e.ts),
        "isBuyer": e.side == Side::Buy,
        "isMaker": e.maker,
        "isBestMatch": true,
    })
}

/// An `executionReport`.
pub(super) fn report(account: &Account, held: &Held, kind: &str, execution: Option<&Execution>, now: Ts) -> String {
    let (rules, quote) = (&account.rules[held.market], account.quote(held.market));
    let qty = |q| digits::qty(q, rules.qty_scale);
    let now = stamp(account, now);
    let cancelled = kind == "CANCELED";
    let (c, original) = match kind {
        "CANCELED" => (&held.cancel_id, held.client_id.as_str()),
        "REPLACED" => (&held.client_id, held.previous_client_id.as_str()),
        _ => (&held.client_id, ""),
    };
    let zero = || "0.00000000".to_owned();
    let asked = held.wish.quote_qty.map_or(0, |q| digits::amount(q, digits::DIGITS));
    let mut event = json!({
        "e": "executionReport",
        "E": now,
        "s": name_of(account, held.market),
        "c": c,
        "S": side_name(held.wish.side),
        "o": held.wish.kind.name(),
        "f": tif(held),
        "q": qty(held.wish.qty),
        "p": price(account, held, held.wish.price),
        "P": price(account, held, held.wish.stop),
        "F": "0.00000000",
        "g": -1,
        "C": original,
        "x": kind,
        "X": held.status.name(),
        "r": if kind == "REJECTED" { "INSUFFICIENT_BALANCES" } else { "NONE" },
        "i": held.id,
        "l": execution.map_or_else(zero, |e| qty(e.qty)),
        "z": qty(held.filled),
        "L": execution.map_or_else(zero, |e| digits::price(e.price, rules.price_scale)),
        "n": execution.map_or_else(|| "0".to_owned(), |e| fee_of(account, e).0),
        "N": execution.map(|e| fee_of(account, e).1),
        "T": now,
        "t": execution.map_or(-1, |e| e.id),
        "I": held.id,
        "w": held.status.is_open() && !held.sleeps && !cancelled,
        "m": execution.is_some_and(|e| e.maker),
        "M": false,
        "O": stamp(account, held.created),
        "Z": digits::money(held.quote_filled, quote.scale),
        "Y": execution.map_or_else(zero, |e| digits::money(e.value, quote.scale)),
        "Q": digits::eight(asked, digits::DIGITS),
        "V": "NONE",
    });
    if !held.sleeps {
        event["W"] = stamp(account, held.created).into();
    }
    event.to_string()
}

/// An `outboundAccountPosition` of the two assets of a market.
pub(super) fn position(account: &Account, market: usize, now: Ts) -> String {
    let symbol = &account.rules[market].symbol;
    let assets = [symbol.base(), symbol.quote()];
    let rows: Vec<Value> = account
        .balances()
        .iter()
        .filter(|b| assets.contains(&b.asset.as_str()))
        .map(|b| json!({"a": b.asset, "f": digits::eight(b.free, b.scale), "l": digits::eight(b.locked, b.scale)}))
        .collect();
    let now = stamp(account, now);
    json!({"e": "outboundAccountPosition", "E": now, "u": now, "B": rows}).to_string()
}

/// The rows of `account`'s balances.
pub(super) fn balances(account: &Account, omit_zero: bool) -> Vec<Value> {
    let all = account.balances();
    all.iter()
        .filter(|b| !omit_zero || b.free != 0 || b.locked != 0)
        .map(|b| json!({"asset": b.asset, "free": digits::eight(b.free, b.scale), "locked": digits::eight(b.locked, b.scale)}))
        .collect()
}
