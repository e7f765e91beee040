//! Answers that need a key: orders, executions, balances, limits, permissions.

use bellwether_sdk::{Ts, num};
use serde_json::{Value, json};

use super::account::{Account, Held};
use super::calls::{Caller, Op};
use super::error::Refused;
use super::floor::{Floor, clock};
use super::klines::millis;
use super::params::Params;
use super::public::one;
use super::views;
use super::wish::{Wish, client_id, qty_of};

/// Answers a signed call.
pub(super) fn answer(floor: &mut Floor, op: Op, p: &Params, caller: &Caller, seconds: i64) -> Result<String, Refused> {
    let now = clock();
    let name = caller.account.as_str();
    floor.account(name).map_err(|e| Refused::new(-1000, e.to_string()).with_status(500))?;
    let value = match op {
        Op::Place | Op::Test => place(floor, name, p, now, op == Op::Test)?,
        Op::Status => status(floor, name, p)?,
        Op::Cancel => cancel(floor, name, p, now)?,
        Op::CancelReplace => cancel_replace(floor, name, p, now)?,
        Op::Amend => amend(floor, name, p, now)?,
        Op::OpenOrders => open_orders(floor, name, p)?,
        Op::CancelAll => cancel_all(floor, name, p, now)?,
        Op::AllOrders => all_orders(floor, name, p)?,
        Op::MyTrades => my_trades(floor, name, p)?,
        Op::Account => account(floor, caller, p)?,
        Op::OrderLimits => {
            p.finish()?;
            floor.limits.order_rows(name, seconds)
        }
        Op::Restrictions => restrictions(floor, caller, p)?,
        Op::Coins => coins(floor, name, p)?,
        Op::Deposits => moved(floor, name, p, true)?,
        Op::Withdrawals => moved(floor, name, p, false)?,
        Op::Transfers => transfers(p)?,
        _ => return Err(Refused::new(-1020, "This operation is not supported.")),
    };
    Ok(value.to_string())
}

fn of<'a>(floor: &'a Floor, name: &str) -> Result<&'a Account, Refused> {
    floor.accounts.get(name).ok_or_else(Refused::bad_key)
}

fn held(account: &Account, id: u64) -> Result<&Held, Refused> {
    account.orders.get(&id).ok_or_else(Refused::no_such_order)
}

fn place(floor: &mut Floor, name: &str, p: &Params, now: Ts, test: bool) -> Result<Value, Refused> {
    let market = one(floor, p)?;
    let wish = Wish::read(p, &floor.markets[market].rules)?;
    if test {
        p.flag("computeCommissionRates")?;
    }
    p.finish()?;
    place_wish(floor, name, market, wish, now, test)
}

fn place_wish(floor: &mut Floor, name: &str, market: usize, wish: Wish, now: Ts, test: bool) -> Result<Value, Refused> {
    let id = if test { 0 } else { floor.order_number() };
    let telling = wish.telling;
    let account = floor.accounts.get_mut(name).ok_or_else(Refused::bad_key)?;
    account.place(wish, &floor.markets[market], id, now, test)?;
    if test { Ok(json!({})) } else { Ok(views::placed(account, held(account, id)?, telling)) }
}

/// The order that two parameters name.
fn named(account: &Account, market: usize, p: &Params, id: &str, client: &str) -> Result<Option<u64>, Refused> {
    let (by_id, by_client) = (p.int(id)?, p.get(client).map(str::to_owned));
    if by_id.is_none() && by_client.is_none() {
        let words = format!("Param '{client}' or '{id}' must be sent, but both were empty/null!");
        return Err(Refused::new(-1102, words));
    }
    Ok(account.find(market, by_id, by_client.as_deref()).map(|o| o.id))
}

fn status(floor: &Floor, name: &str, p: &Params) -> Result<Value, Refused> {
    let market = one(floor, p)?;
    let account = of(floor, name)?;
    let id = named(account, market, p, "orderId", "origClientOrderId")?;
    p.finish()?;
    Ok(views::order(account, held(account, id.ok_or_else(Refused::no_such_order)?)?))
}

/// Reads what a cancel asks for besides the order.
fn restrictions_of_cancel(p: &Params) -> Result<Option<String>, Refused> {
    match p.get("cancelRestrictions") {
        None | Some("ONLY_NEW" | "ONLY_PARTIALLY_FILLED") => Ok(p.get("cancelRestrictions").map(str::to_owned)),
        Some(_) => Err(Refused::illegal("cancelRestrictions")),
    }
}

fn cancel_one(
    account: &mut Account,
    id: Option<u64>,
    only: Option<&str>,
    new_id: Option<String>,
    now: Ts,
) -> Result<Value, Refused> {
    let id = id.ok_or_else(Refused::unknown_order)?;
    let status = account.orders.get(&id).map(|o| o.status.name()).unwrap_or_default();
    let fits = match only {
        Some("ONLY_NEW") => status == "NEW",
        Some(_) => status == "PARTIALLY_FILLED",
        None => true,
    };
    if !fits {
        return Err(Refused::new(-2011, "Order was not canceled due to cancel restrictions."));
    }
    account.cancel(id, new_id, now)?;
    Ok(views::cancelled(account, held(account, id)?))
}

fn cancel(floor: &mut Floor, name: &str, p: &Params, now: Ts) -> Result<Value, Refused> {
    let market = one(floor, p)?;
    let id = named(of(floor, name)?, market, p, "orderId", "origClientOrderId")?;
    let (only, new_id) = (restrictions_of_cancel(p)?, client_id(p, "newClientOrderId")?);
    p.finish()?;
    let account = floor.accounts.get_mut(name).ok_or_else(Refused::bad_key)?;
    cancel_one(account, id, only.as_deref(), new_id, now)
}

fn cancel_all(floor: &mut Floor, name: &str, p: &Params, now: Ts) -> Result<Value, Refused> {
    let market = one(floor, p)?;
    p.finish()?;
    let account = floor.accounts.get_mut(name).ok_or_else(Refused::bad_key)?;
    let here = |id: &u64| account.orders.get(id).is_some_and(|o| o.market == market);
    let open: Vec<u64> = account.open.iter().copied().filter(here).collect();
    if open.is_empty() {
        return Err(Refused::unknown_order());
    }
    open.into_iter()
        .map(|id| cancel_one(account, Some(id), None, None, now))
        .collect::<Result<Vec<_>, _>>()
        .map(Value::from)
}

fn cancel_replace(floor: &mut Floor, name: &str, p: &Params, now: Ts) -> Result<Value, Refused> {
    let market = one(floor, p)?;
    let go_on = match p.need("cancelReplaceMode")? {
        "STOP_ON_FAILURE" => false,
        "ALLOW_FAILURE" => true,
        _ => return Err(Refused::illegal("cancelReplaceMode")),
    };
    let id = named(of(floor, name)?, market, p, "cancelOrderId", "cancelOrigClientOrderId")?;
    let (only, cancel_id) = (restrictions_of_cancel(p)?, client_id(p, "cancelNewClientOrderId")?);
    p.get("orderRateLimitExceededMode");
    let wish = Wish::read(p, &floor.markets[market].rules)?;
    p.finish()?;
    // The venue holds the new order against the filters before it cancels anything.
    let here = &floor.markets[market];
    if wish.quote_qty.is_none() {
        here.filters.check(&wish, &here.rules, here.last)?;
    }
    let account = floor.accounts.get_mut(name).ok_or_else(Refused::bad_key)?;
    let cancelled = cancel_one(account, id, only.as_deref(), cancel_id, now);
    let placed = match cancelled {
        Err(_) if !go_on => None,
        _ => Some(place_wish(floor, name, market, wish, now, false)),
    };
    let word = |ok: bool| if ok { "SUCCESS" } else { "FAILURE" };
    let data = json!({
        "cancelResult": word(cancelled.is_ok()),
        "newOrderResult": placed.as_ref().map_or("NOT_ATTEMPTED", |r| word(r.is_ok())),
        "cancelResponse": cancelled.as_ref().map_or_else(Refused::body, Value::clone),
        "newOrderResponse": placed.as_ref().map(|r| r.as_ref().map_or_else(Refused::body, Value::clone)),
    });
    match (cancelled.is_ok(), placed.is_some_and(|r| r.is_ok())) {
        (true, true) => Ok(data),
        (false, false) => Err(Refused::new(-2022, "Order cancel-replace failed.").with_data(data)),
        _ => Err(Refused::new(-2021, "Order cancel-replace partially failed.").with_status(409).with_data(data)),
    }
}

fn amend(floor: &mut Floor, name: &str, p: &Params, now: Ts) -> Result<Value, Refused> {
    let market = one(floor, p)?;
    let id = named(of(floor, name)?, market, p, "orderId", "origClientOrderId")?;
    let rules = &floor.markets[market].rules;
    let qty = qty_of(p, "newQty", rules)?;
    let new_id = client_id(p, "newClientOrderId")?;
    p.finish()?;
    floor.markets[market].filters.check_qty(qty, rules)?;
    let id = id.ok_or_else(Refused::no_such_order)?;
    let account = floor.accounts.get_mut(name).ok_or_else(Refused::bad_key)?;
    let before = held(account, id)?.client_id.clone();
    account.amend(id, qty, new_id, now)?;
    Ok(views::amended(account, held(account, id)?, &before))
}

fn open_orders(floor: &Floor, name: &str, p: &Params) -> Result<Value, Refused> {
    let market = p.get("symbol").is_some().then(|| one(floor, p)).transpose()?;
    p.finish()?;
    let account = of(floor, name)?;
    let open = account.open.iter().filter_map(|id| account.orders.get(id));
    Ok(open.filter(|o| market.is_none_or(|m| m == o.market)).map(|o| views::order(account, o)).collect())
}

/// The window of a list: how many, and whether an id and a time are in it.
fn window(p: &Params, id: &str) -> Result<(usize, impl Fn(i64, i64) -> bool, bool), Refused> {
    let limit = p.int("limit")?.unwrap_or(500);
    if limit < 1 {
        return Err(Refused::illegal("limit"));
    }
    let (from, start, end) = (p.int(id)?, p.int("startTime")?, p.int("endTime")?);
    let within = move |id: i64, ms: i64| {
        from.is_none_or(|f| id >= f) && start.is_none_or(|s| ms >= s) && end.is_none_or(|e| ms <= e)
    };
    Ok((usize::try_from(limit.min(1_000)).unwrap_or(1), within, from.is_some() || start.is_some()))
}

fn all_orders(floor: &Floor, name: &str, p: &Params) -> Result<Value, Refused> {
    let market = one(floor, p)?;
    let (limit, within, first) = window(p, "orderId")?;
    p.finish()?;
    let account = of(floor, name)?;
    let fits = |o: &&Held| o.market == market && within(o.id.cast_signed(), millis(o.created));
    Ok(page(account.orders.values().filter(fits), limit, first, |o| views::order(account, o)))
}

fn my_trades(floor: &Floor, name: &str, p: &Params) -> Result<Value, Refused> {
    let market = one(floor, p)?;
    let order = p.int("orderId")?;
    let (limit, within, first) = window(p, "fromId")?;
    p.finish()?;
    let account = of(floor, name)?;
    let all = account.executions.iter().filter(|e| e.market == market && within(e.id, millis(e.ts)));
    let its = all.filter(|e| order.is_none_or(|o| e.order.cast_signed() == o));
    Ok(page(its, limit, first, |e| views::my_trade(account, e)))
}

/// A page of what was found: the first or the last of it. Only what is on it is shown: making all of a long history into JSON
/// for each page took longer than anybody waits.
fn page<T>(found: impl DoubleEndedIterator<Item = T>, limit: usize, first: bool, show: impl Fn(T) -> Value) -> Value {
    if first {
        return found.take(limit).map(show).collect();
    }
    let mut last: Vec<T> = found.rev().take(limit).collect();
    last.reverse();
    last.into_iter().map(show).collect()
}

fn account(floor: &Floor, caller: &Caller, p: &Params) -> Result<Value, Refused> {
    let omit_zero = p.flag("omitZeroBalances")?.unwrap_or(false);
    p.finish()?;
    let account = of(floor, &caller.account)?;
    let key = floor.keys.get(&caller.key).ok_or_else(Refused::bad_key)?;
    let (maker, taker) = account.rates();
    let text =
        |rate: bellwether_sdk::Rate| super::digits::eight(i128::from(rate.mantissa()), bellwether_sdk::Rate::SCALE);
    let bps = |rate: bellwether_sdk::Rate| rate.mantissa() / num::pow10(bellwether_sdk::Rate::SCALE - 4);
    Ok(json!({
        "makerCommission": bps(maker),
        "takerCommission": bps(taker),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": text(maker), "taker": text(taker), "buyer": "0.00000000", "seller": "0.00000000"},
        "canTrade": key.trade,
        "canWithdraw": key.withdraw,
        "canDeposit": false,
        "brokered": false,
        "requireSelfTradePrevention": false,
        "preventSor": false,
        "updateTime": millis(account.updated),
        "accountType": "SPOT",
        "balances": views::balances(account, omit_zero),
        "permissions": ["SPOT"],
        "uid": 1,
    }))
}

fn restrictions(floor: &Floor, caller: &Caller, p: &Params) -> Result<Value, Refused> {
    p.finish()?;
    let key = floor.keys.get(&caller.key).ok_or_else(Refused::bad_key)?;
    let mut row = json!({
        "ipRestrict": !key.ips.is_empty(),
        "createTime": millis(clock()),
        "enableReading": key.read,
        "enableSpotAndMarginTrading": key.trade,
        "enableWithdrawals": key.withdraw,
        "enableInternalTransfer": false,
        "permitsUniversalTransfer": false,
        "enableVanillaOptions": false,
        "enableFutures": false,
        "enableMargin": false,
        "enablePortfolioMarginTrading": false,
    });
    if key.expires != Ts::MAX {
        row["tradingAuthorityExpirationTime"] = millis(key.expires).into();
    }
    Ok(row)
}

/// Deposits, or withdrawals, of a stretch of time.
fn moved(floor: &Floor, name: &str, p: &Params, comes_in: bool) -> Result<Value, Refused> {
    let (from, to) = (p.int("startTime")?.unwrap_or(0), p.int("endTime")?.unwrap_or(i64::MAX));
    let (offset, limit) = (p.int("offset")?.unwrap_or(0), p.int("limit")?.unwrap_or(1_000));
    p.finish()?;
    let account = of(floor, name)?;
    let rows = account.moved.iter().filter(|m| (m.amount > 0) == comes_in);
    let rows = rows.filter(|m| (from..=to).contains(&views::stamp(account, m.ts)));
    let skip = usize::try_from(offset).unwrap_or(usize::MAX);
    let rows = rows.skip(skip).take(usize::try_from(limit).unwrap_or(0));
    let shown = rows.map(|m| {
        let at = views::stamp(account, m.ts);
        let amount = super::digits::eight(m.amount.saturating_abs(), m.scale);
        if comes_in {
            json!({"id": m.id.to_string(), "amount": amount, "coin": m.asset, "network": "SANDBOX", "status": 1,
                   "address": "", "addressTag": "", "txId": "", "insertTime": at, "completeTime": at,
                   "transferType": 0, "confirmTimes": "1/1", "unlockConfirm": 0, "walletType": 0})
        } else {
            let second = jiff::Timestamp::from_millisecond(at).unwrap_or_default().strftime("%Y-%m-%d %H:%M:%S");
            json!({"id": format!("w{}", m.id), "amount": amount, "transactionFee": "0", "coin": m.asset,
                   "status": 6, "address": "", "txId": "", "applyTime": second.to_string(), "network": "SANDBOX",
                   "transferType": 0, "info": "", "confirmNo": 1, "walletType": 0, "txKey": ""})
        }
    });
    Ok(shown.collect())
}

/// There is no other wallet to transfer from or to.
fn transfers(p: &Params) -> Result<Value, Refused> {
    p.need("type")?;
    for name in ["startTime", "endTime", "current", "size"] {
        p.int(name)?;
    }
    p.finish()?;
    Ok(json!({"total": 0}))
}

fn coins(floor: &Floor, name: &str, p: &Params) -> Result<Value, Refused> {
    p.finish()?;
    let account = of(floor, name)?;
    let rows = account.balances().into_iter().map(|b| {
        json!({"coin": b.asset, "depositAllEnable": false, "withdrawAllEnable": false, "name": b.asset,
               "free": super::digits::eight(b.free, b.scale), "locked": super::digits::eight(b.locked, b.scale),
               "freeze": "0", "withdrawing": "0", "ipoing": "0", "ipoable": "0", "storage": "0",
               "isLegalMoney": false, "trading": true, "networkList": []})
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_page_is_the_first_or_the_last_of_a_list_and_nothing_else_is_shown() {
        let shown = Cell::new(0);
        let show = |n: u64| {
            shown.set(shown.get() + 1);
            n.into()
        };
        assert_eq!(page(1..=1_000_000, 3, true, show), json!([1, 2, 3]));
        assert_eq!(page(1..=1_000_000, 3, false, show), json!([999_998, 999_999, 1_000_000]));
        assert_eq!(page(1..=2, 3, false, show), json!([1, 2]));
        assert_eq!(shown.get(), 8);
    }
}
