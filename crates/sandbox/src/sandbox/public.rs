//! Answers that need no key: time, rules, book, trades, bars, tickers.

use bellwether_sdk::Ts;
use serde_json::{Value, json};

use super::calls::Op;
use super::error::Refused;
use super::floor::{Floor, clock};
use super::klines::{Print, millis};
use super::market::Market;
use super::params::Params;

/// Answers a public call.
pub(super) fn answer(floor: &mut Floor, op: Op, p: &Params) -> Result<String, Refused> {
    let now = clock();
    match op {
        Op::Ping => p.finish().map(|()| "{}".to_owned()),
        Op::Time => p.finish().map(|()| format!(r#"{{"serverTime":{}}}"#, millis(floor.venue_now()))),
        Op::ExchangeInfo => exchange_info(floor, p),
        Op::Depth => {
            let market = one(floor, p)?;
            let limit = limit(p, 100, 5_000)?;
            p.finish()?;
            Ok(floor.markets[market].book_text(limit))
        }
        Op::Trades | Op::AggTrades => trades(floor, p, op == Op::AggTrades),
        Op::Klines => klines(floor, p, now),
        Op::AvgPrice => {
            let market = one(floor, p)?;
            p.finish()?;
            let market = &floor.markets[market];
            let price = super::digits::price(market.average_of_five(), market.rules.price_scale);
            Ok(json!({"mins": 5, "price": price, "closeTime": millis(now)}).to_string())
        }
        Op::DayTicker => tickers(floor, p, |m, mini| m.day_ticker(now, mini)),
        Op::PriceTicker => tickers(
            floor,
            p,
            |m, _| json!({"symbol": m.name, "price": super::digits::price(m.last, m.rules.price_scale)}),
        ),
        Op::BookTicker => tickers(floor, p, |m, _| {
            let top = m.shown.top(now, m.rules.id);
            let (ps, qs) = (m.rules.price_scale, m.rules.qty_scale);
            json!({"symbol": m.name, "bidPrice": super::digits::price(top.bid, ps), "bidQty": super::digits::qty(top.bid_qty, qs),
                   "askPrice": super::digits::price(top.ask, ps), "askQty": super::digits::qty(top.ask_qty, qs)})
        }),
        _ => Err(Refused::new(-1020, "This operation is not supported.")),
    }
}

/// The market of `symbol`.
pub(super) fn one(floor: &Floor, p: &Params) -> Result<usize, Refused> {
    named(floor, p.need("symbol")?)
}

fn named(floor: &Floor, name: &str) -> Result<usize, Refused> {
    if name.is_empty()
        || !name.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_' | b'.'))
    {
        return Err(Refused::new(
            -1100,
            "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'.",
        ));
    }
    floor.market(name).ok_or_else(|| Refused::new(-1121, "Invalid symbol."))
}

/// The markets of `symbol` or `symbols`; all where neither is sent. Whether one was asked for.
fn some(floor: &Floor, p: &Params) -> Result<(Vec<usize>, bool), Refused> {
    if let Some(name) = p.get("symbol") {
        return Ok((vec![named(floor, name)?], true));
    }
    let Some(list) = p.get("symbols") else { return Ok(((0..floor.markets.len()).collect(), false)) };
    let names: Vec<String> = serde_json::from_str(list).map_err(|_| Refused::illegal("symbols"))?;
    Ok((names.iter().map(|n| named(floor, n)).collect::<Result<_, _>>()?, false))
}

fn limit(p: &Params, usual: i64, most: i64) -> Result<usize, Refused> {
    let limit = p.int("limit")?.unwrap_or(usual);
    if limit < 1 {
        return Err(Refused::illegal("limit"));
    }
    Ok(usize::try_from(limit.min(most)).unwrap_or(1))
}

fn exchange_info(floor: &Floor, p: &Params) -> Result<String, Refused> {
    let (markets, _) = some(floor, p)?;
    for name in ["permissions", "showPermissionSets", "symbolStatus"] {
        p.get(name);
    }
    p.finish()?;
    let symbols: Vec<Value> = markets.iter().map(|m| floor.markets[*m].listed()).collect();
    Ok(json!({
        "timezone": "UTC",
        "serverTime": millis(floor.venue_now()),
        "rateLimits": floor.limits.listed(),
        "exchangeFilters": [],
        "symbols": symbols,
    })
    .to_string())
}

fn tickers(floor: &Floor, p: &Params, row: impl Fn(&Market, bool) -> Value) -> Result<String, Refused> {
    let (markets, one) = some(floor, p)?;
    let mini = match p.get("type") {
        None | Some("FULL") => false,
        Some("MINI") => true,
        Some(_) => return Err(Refused::illegal("type")),
    };
    p.get("symbolStatus");
    p.finish()?;
    let mut rows: Vec<Value> = markets.iter().map(|m| row(&floor.markets[*m], mini)).collect();
    match rows.pop() {
        Some(row) if one => Ok(row.to_string()),
        Some(row) => {
            rows.push(row);
            Ok(Value::from(rows).to_string())
        }
        None => Ok("[]".to_owned()),
    }
}

fn trades(floor: &Floor, p: &Params, aggregate: bool) -> Result<String, Refused> {
    let market = &floor.markets[one(floor, p)?];
    let limit = limit(p, 500, 1_000)?;
    let (from_id, start, end) = (p.int("fromId")?, p.int("startTime")?, p.int("endTime")?);
    p.finish()?;
    let within = |t: &&Print| {
        from_id.is_none_or(|id| t.id >= id)
            && start.is_none_or(|s| millis(t.ts) >= s)
            && end.is_none_or(|e| millis(t.ts) <= e)
    };
    let row = |t: &Print| if aggregate { market.agg_row(t) } else { market.trade_row(t) };
    let found: Vec<&Print> = market.trades.iter().filter(within).collect();
    // From a place on: the first ones; else the last ones.
    let skip = if from_id.is_some() || start.is_some() { 0 } else { found.len().saturating_sub(limit) };
    let rows: Vec<Value> = found.into_iter().skip(skip).take(limit).map(row).collect();
    Ok(Value::from(rows).to_string())
}

fn klines(floor: &mut Floor, p: &Params, now: Ts) -> Result<String, Refused> {
    let index = one(floor, p)?;
    let interval = p.need("interval")?.to_owned();
    let limit = limit(p, 500, 1_000)?;
    let (start, end) = (p.int("startTime")?, p.int("endTime")?);
    if p.get("timeZone").is_some_and(|z| !matches!(z, "0" | "+0" | "+00:00" | "0:00" | "+0:00")) {
        return Err(Refused::new(-1100, "The sandbox keeps bars of time zone 0 only (parameter 'timeZone')."));
    }
    p.finish()?;
    // Streams are told of bars that end by the clock's task; asking must not take them from it.
    let market = &floor.markets[index];
    let mut copy = market.klines.of(&interval).ok_or_else(|| Refused::new(-1120, "Invalid interval."))?.clone();
    copy.roll(now);
    let within = |t: i64| start.is_none_or(|s| t >= s) && end.is_none_or(|e| t <= e);
    let found: Vec<_> = copy.bars.iter().filter(|b| within(millis(b.open_ts))).collect();
    let skip = if start.is_some() { 0 } else { found.len().saturating_sub(limit) };
    let (ps, qs) = (market.rules.price_scale, market.rules.qty_scale);
    let rows: Vec<String> = found.into_iter().skip(skip).take(limit).map(|b| b.row(ps, qs)).collect();
    Ok(format!("[{}]", rows.join(",")))
}
