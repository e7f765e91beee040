//! Orders by hand: through the guard, once, and asked about where the answer was lost.

use std::time::{Duration, Instant};

use bellwether_sdk::{OrderId, OrderKind, Price, Qty, Role, Side, Size, TimeInForce};
use serde_json::{Value, json};

use super::desk::Desk;
use super::{AmendWish, LookError, ONE, OrderWish, PAGE_WAITS_S, kind_of, rows, rules};
use crate::config::Settings;
use crate::exchange::{
    Act, ActReply, Amend, Ask, Cancel, ClientId, Fault, OrderRef, OrderRow, Place, Product, Reply, Rules, TickerRow,
    VenueError,
};
use crate::orders::{Order, WordId};
use crate::portfolio::{Position, Terms};
use crate::risk::{Approved, Guard, InstrumentLimits, Limits, Pace, RiskView};

/// Beyond the time after which "not found" is believed: how long a lost write is asked about, milliseconds.
const ASK_FOR_MS: u64 = 5_000;
/// Between two questions about a lost write, milliseconds.
const ASK_EVERY_MS: u64 = 500;

/// Places an order.
pub(super) async fn place(settings: &Settings, desk: &mut Desk, wish: &OrderWish) -> Result<Value, LookError> {
    let rules = desk.rules()?.clone();
    let kind = kind_of(wish, &rules)?;
    let qty = rules::qty(&rules, wish.qty)?;
    let client = match wish.client {
        Some(own) => {
            desk.is_of_kind(own, &kind)?;
            own
        }
        None => ClientId::of(u64::try_from(desk.now().nanos()).unwrap_or_default(), 1, &kind),
    };
    let order = Order {
        tif: wish.tif,
        post_only: wish.post_only,
        reduce_only: wish.reduce_only,
        ..order(wish.side, qty, kind)
    };
    let (approved, reference) = approved(settings, desk, &rules, order, wish.reference).await?;
    let act = Act::Place(Place { order: approved, client, qty, reference });
    let told = done(desk, &act, &OrderRef::Client(client)).await?;
    Ok(json!({"client_id": client.to_string(), "order": told}))
}

/// Changes a resting order.
pub(super) async fn amend(settings: &Settings, desk: &mut Desk, wish: &AmendWish) -> Result<Value, LookError> {
    let rules = desk.rules()?.clone();
    if wish.price.is_none() && wish.qty.is_none() {
        return Err(LookError::Usage("amend needs a new price, a new quantity, or both".to_owned()));
    }
    let price = wish.price.map(|p| rules::price(&rules, p)).transpose()?;
    let qty = wish.qty.map(|q| rules::qty(&rules, q)).transpose()?;
    // The order as it is now: the guard judges what it would become.
    let now = if desk.is_dry() { None } else { Some(find(desk, &wish.order).await?) };
    let side = wish.side.or(now.as_ref().map(|o| o.side));
    let side = side.ok_or_else(|| LookError::Usage("a dry run of amend needs --side, buy or sell".to_owned()))?;
    let held = now.as_ref().and_then(|o| match o.kind {
        Some(OrderKind::Limit { price } | OrderKind::StopLimit { price, .. }) => Some(price),
        _ => None,
    });
    let qty_then = qty.or(now.as_ref().map(|o| o.qty));
    if let (Some(price), Some(qty)) = (price.or(held), qty_then) {
        approved(settings, desk, &rules, order(side, qty, OrderKind::Limit { price }), None).await?;
    }
    let act = Act::Amend(Amend { instrument: ONE, order: wish.order.clone(), side, price, qty });
    Ok(json!({"order": done(desk, &act, &wish.order).await?}))
}

/// Cancels an order.
pub(super) async fn cancel(desk: &mut Desk, order: &OrderRef) -> Result<Value, LookError> {
    let act = |order: &OrderRef| Act::Cancel(Cancel { instrument: ONE, order: order.clone() });
    let told = match done(desk, &act(order), order).await {
        // Where the venue takes its own id only, it is asked for that.
        Err(LookError::Venue(e)) if e.fault == Fault::Unsupported && matches!(order, OrderRef::Client(_)) => {
            let theirs = OrderRef::Venue(find(desk, order).await?.venue_id);
            done(desk, &act(&theirs), &theirs).await
        }
        told => told,
    };
    Ok(json!({"order": told?}))
}

/// Cancels all open orders of the instrument, those that wait for a trigger too; answers with what is open after it.
pub(super) async fn cancel_all(desk: &mut Desk) -> Result<Value, LookError> {
    let mut failed = None;
    for act in [Act::CancelAll(ONE), Act::CancelAllConditional(ONE)] {
        match desk.act(&act).await {
            Ok(_) => {}
            Err(LookError::Venue(e)) if e.fault == Fault::Unsupported && act != Act::CancelAll(ONE) => {}
            Err(LookError::Venue(e)) if e.fault == Fault::Unsupported => match cancel_each(desk).await {
                Ok(of_one) => failed = of_one,
                Err(LookError::NotSent) => {}
                Err(e) => return Err(e),
            },
            // Nothing was open.
            Err(LookError::Venue(e)) if e.reason == "unknown_order" => {}
            // What is open afterwards tells.
            Err(LookError::Venue(e)) if is_lost(e.fault) => failed = Some(e),
            Err(LookError::NotSent) => {}
            Err(e) => return Err(e),
        }
    }
    if desk.is_dry() {
        return Err(LookError::NotSent);
    }
    let mut left = desk.open_orders(&Ask::OpenOrders(Some(ONE))).await?;
    if let Reply::Orders(rows, _) = &mut left {
        rows.retain(|row| row.instrument == ONE);
    }
    match (failed, &left) {
        (Some(e), Reply::Orders(rows, _)) if !rows.is_empty() => Err(LookError::Outcome {
            why: format!("{e}; {} orders are open", rows.len()),
            remedy: format!("bellwether exchange {} orders", desk.key()),
        }),
        _ => rows::of(&left, desk),
    }
}

/// Cancels the open orders of the instrument one by one; the last failure, if any.
async fn cancel_each(desk: &mut Desk) -> Result<Option<VenueError>, LookError> {
    let Reply::Orders(rows, _) = desk.open_orders(&Ask::OpenOrders(Some(ONE))).await? else {
        return Err(desk.unexpected());
    };
    let mut failed = None;
    for row in rows.into_iter().filter(|row| row.instrument == ONE) {
        let act = Act::Cancel(Cancel { instrument: ONE, order: OrderRef::Venue(row.venue_id) });
        let mut waits = PAGE_WAITS_S.iter();
        loop {
            match desk.act(&act).await {
                Ok(_) => {}
                Err(LookError::Venue(e)) if e.reason == "unknown_order" => {}
                // Nothing was done: as long as the venue wants, or a little.
                Err(LookError::Venue(e)) => {
                    if let Fault::RateLimited { retry_after_ms } = e.fault
                        && let Some(wait_s) = waits.next()
                    {
                        let wait = retry_after_ms.map_or(Duration::from_secs(*wait_s), Duration::from_millis);
                        tokio::time::sleep(wait).await;
                        continue;
                    }
                    failed = Some(e);
                }
                Err(e) => return Err(e),
            }
            break;
        }
    }
    Ok(failed)
}

fn order(side: Side, qty: Qty, kind: OrderKind) -> Order {
    Order {
        id: OrderId(1),
        strategy: 0,
        instrument: ONE,
        side,
        size: Size::Qty(qty),
        kind,
        tif: TimeInForce::Gtc,
        post_only: false,
        reduce_only: false,
        role: Role::Signal,
        parent: OrderId(0),
        oco: OrderId(0),
        tag: WordId::default(),
    }
}

/// Takes an order through the guard, with what its limits need to know of the account; and the price it is judged by.
async fn approved(
    settings: &Settings,
    desk: &mut Desk,
    rules: &Rules,
    order: Order,
    reference: Option<bellwether_sdk::Decimal>,
) -> Result<(Approved<Order>, Price), LookError> {
    rules::not_above_max(rules, &order)?;
    // Leverage, order rate and daily loss are of sessions: one order by hand has none.
    let limits = Limits {
        each: InstrumentLimits { leverage_max: None, ..super::super::limits::each(&settings.risk) },
        ..Limits::default()
    };
    // A limit order is judged by its own price; by the market's too where its value is bounded.
    let has_price = matches!(order.kind, OrderKind::Limit { .. } | OrderKind::StopLimit { .. });
    let bounded = limits.each.order_notional_max.is_some() || limits.each.position_notional_max.is_some();
    let last = match reference {
        Some(price) => rules::price(rules, price)?,
        None if desk.is_dry() || (has_price && !bounded) => Price::ZERO,
        None => match desk.ask(&Ask::Ticker(ONE)).await? {
            Reply::Ticker(ticker) => reference_of(order.side, &ticker),
            _ => return Err(desk.unexpected()),
        },
    };
    let qty = match limits.each.position_notional_max {
        Some(_) if !desk.is_dry() => held(desk, rules).await?,
        _ => Qty::ZERO,
    };
    let open_orders = match limits.each.open_orders_max {
        Some(_) if !desk.is_dry() => match desk.ask(&Ask::OpenOrders(Some(ONE))).await? {
            Reply::Orders(rows, _) => u32::try_from(rows.len()).unwrap_or(u32::MAX),
            _ => return Err(desk.unexpected()),
        },
        _ => 0,
    };
    let instrument = rules.instrument(ONE);
    let money_scale = rules.price_scale + rules.qty_scale;
    let terms = Terms::new(&instrument, 0, money_scale).map_err(|e| LookError::Rules(e.to_string()))?;
    let mut position = Position::default();
    position.qty = qty;
    let view = RiskView {
        instrument: &instrument,
        terms: &terms,
        money_scale,
        position: &position,
        last,
        open_orders,
        reference: Price::ZERO,
        pace: Pace::default(),
    };
    Ok((Guard::new(limits).approve(order, &view)?, last))
}

/// The price at which a market order would begin to fill, else the last one.
fn reference_of(side: Side, ticker: &TickerRow) -> Price {
    let near = if side == Side::Buy { ticker.ask } else { ticker.bid };
    if near.is_zero() { ticker.last } else { near }
}

/// What the account holds of the instrument.
async fn held(desk: &mut Desk, rules: &Rules) -> Result<Qty, LookError> {
    if desk.venue().facts().product == Product::Spot {
        let Reply::Balances(rows) = desk.ask(&Ask::Balances).await? else { return Err(desk.unexpected()) };
        let total = rows.iter().find(|b| b.currency == rules.symbol.base()).map(|b| b.total);
        let mantissa = total.and_then(|t| t.at_scale_toward_zero(rules.qty_scale)).unwrap_or(0);
        return Ok(Qty::from_mantissa(mantissa));
    }
    let Reply::Positions(rows) = desk.ask(&Ask::Positions).await? else { return Err(desk.unexpected()) };
    Ok(rows.iter().find(|p| p.instrument == ONE).map_or(Qty::ZERO, |p| p.qty))
}

/// Whether a write with this fault may have been carried out.
fn is_lost(fault: Fault) -> bool {
    matches!(fault, Fault::Unknown | Fault::Malformed)
}

/// Acts, and tells what became of the order: from the answer, or where that was lost from a question by id.
async fn done(desk: &mut Desk, act: &Act, order: &OrderRef) -> Result<Value, LookError> {
    match desk.act(act).await {
        Ok(replies) => replies.first().map(|r| told(desk, order, r)).unwrap_or_else(|| Err(desk.unexpected())),
        Err(LookError::Venue(e)) if is_lost(e.fault) => lost(desk, act, order, &e.to_string()).await,
        Err(e) => Err(e),
    }
}

fn told(desk: &Desk, order: &OrderRef, reply: &ActReply) -> Result<Value, LookError> {
    let rules = desk.rules()?;
    let own = match order {
        OrderRef::Client(id) => Some(*id),
        OrderRef::Venue(_) => None,
    };
    let client = reply.client.or(own).map_or(Value::Null, |id| json!(id.to_string()));
    let venue = match (reply.venue_id.as_str(), order) {
        ("", OrderRef::Venue(id)) => json!(id),
        ("", OrderRef::Client(_)) => Value::Null,
        (id, _) => json!(id),
    };
    Ok(json!({
        "symbol": rules.symbol.as_str(),
        "venue_id": venue,
        "client_id": client,
        "status": reply.status.name(),
        "filled": reply.filled.map(|q| rows::qty_text(rules, q)),
        "known_by": "answer",
    }))
}

/// Asks what became of a write whose answer was lost, until the venue says so or its "not found" can be believed.
async fn lost(desk: &mut Desk, act: &Act, order: &OrderRef, why: &str) -> Result<Value, LookError> {
    let settle = Duration::from_millis(desk.venue().facts().settle_ms);
    let began = Instant::now();
    let mut last = why.to_owned();
    while began.elapsed() < settle + Duration::from_millis(ASK_FOR_MS) {
        tokio::time::sleep(Duration::from_millis(ASK_EVERY_MS)).await;
        match find(desk, order).await {
            // Only a place is settled by the order being there; others are by what it is now.
            Ok(row) => {
                let rules = desk.rules()?;
                let mut shown = rows::order(rules, &row);
                shown["known_by"] = json!("question");
                shown["answer_lost"] = json!(why);
                return Ok(shown);
            }
            Err(LookError::Venue(e)) if e.reason == "unknown_order" => {
                if began.elapsed() >= settle {
                    let what =
                        if matches!(act, Act::Place(_)) { "it was not placed" } else { "there is no such order" };
                    return Err(LookError::Unavailable(format!("{why}; asked, the venue does not have it: {what}")));
                }
            }
            Err(e) => last = e.to_string(),
        }
    }
    let id = match order {
        OrderRef::Client(id) => id.to_string(),
        OrderRef::Venue(id) => id.clone(),
    };
    let symbol = desk.rules()?.symbol.clone();
    let remedy = format!("bellwether exchange {} order {symbol} {id}", desk.key());
    Err(LookError::Outcome { why: format!("{why}; then {last}"), remedy })
}

async fn find(desk: &mut Desk, order: &OrderRef) -> Result<OrderRow, LookError> {
    match desk.ask(&Ask::Order(ONE, order.clone())).await? {
        Reply::Orders(rows, _) => rows.into_iter().next().ok_or_else(|| desk.unexpected()),
        _ => Err(desk.unexpected()),
    }
}
