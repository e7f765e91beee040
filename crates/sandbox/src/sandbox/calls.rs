//! What can be asked of the venue, over REST and over the WebSocket API alike: the table of calls, who may make them,
//! what they weigh, and the faults that befall them.

use std::net::IpAddr;

use bellwether_sdk::Ts;

use super::error::Refused;
use super::floor::{Floor, clock};
use super::klines::millis;
use super::params::Params;
use super::{public, trading};

/// A call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Ping,
    Time,
    ExchangeInfo,
    Depth,
    Trades,
    AggTrades,
    Klines,
    AvgPrice,
    DayTicker,
    PriceTicker,
    BookTicker,
    Place,
    Test,
    Status,
    Cancel,
    CancelReplace,
    Amend,
    OpenOrders,
    CancelAll,
    AllOrders,
    MyTrades,
    Account,
    OrderLimits,
    Restrictions,
    Coins,
    Deposits,
    Withdrawals,
    Transfers,
}

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    Read,
    Trade,
}

/// A call's names and price.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) op: Op,
    method: &'static str,
    path: &'static str,
    ws: &'static str,
    pub(super) needs: Needs,
    weight: u32,
}

const fn route(op: Op, method: &'static str, path: &'static str, ws: &'static str, needs: Needs, weight: u32) -> Route {
    Route { op, method, path, ws, needs, weight }
}

const ROUTES: [Route; 30] = [
    route(Op::Ping, "GET", "/api/v3/ping", "ping", Needs::Nothing, 1),
    route(Op::Time, "GET", "/api/v3/time", "time", Needs::Nothing, 1),
    route(Op::ExchangeInfo, "GET", "/api/v3/exchangeInfo", "exchangeInfo", Needs::Nothing, 20),
    route(Op::Depth, "GET", "/api/v3/depth", "depth", Needs::Nothing, 5),
    route(Op::Trades, "GET", "/api/v3/trades", "trades.recent", Needs::Nothing, 25),
    route(Op::Trades, "GET", "/api/v3/historicalTrades", "trades.historical", Needs::Nothing, 25),
    route(Op::AggTrades, "GET", "/api/v3/aggTrades", "trades.aggregate", Needs::Nothing, 4),
    route(Op::Klines, "GET", "/api/v3/klines", "klines", Needs::Nothing, 2),
    route(Op::Klines, "GET", "/api/v3/uiKlines", "uiKlines", Needs::Nothing, 2),
    route(Op::AvgPrice, "GET", "/api/v3/avgPrice", "avgPrice", Needs::Nothing, 2),
    route(Op::DayTicker, "GET", "/api/v3/ticker/24hr", "ticker.24hr", Needs::Nothing, 2),
    route(Op::PriceTicker, "GET", "/api/v3/ticker/price", "ticker.price", Needs::Nothing, 2),
    route(Op::BookTicker, "GET", "/api/v3/ticker/bookTicker", "ticker.book", Needs::Nothing, 2),
    route(Op::Place, "POST", "/api/v3/order", "order.place", Needs::Trade, 1),
    route(Op::Test, "POST", "/api/v3/order/test", "order.test", Needs::Trade, 1),
    route(Op::Status, "GET", "/api/v3/order", "order.status", Needs::Read, 4),
    route(Op::Cancel, "DELETE", "/api/v3/order", "order.cancel", Needs::Trade, 1),
    route(Op::CancelReplace, "POST", "/api/v3/order/cancelReplace", "order.cancelReplace", Needs::Trade, 1),
    route(Op::Amend, "PUT", "/api/v3/order/amend/keepPriority", "order.amend.keepPriority", Needs::Trade, 4),
    route(Op::OpenOrders, "GET", "/api/v3/openOrders", "openOrders.status", Needs::Read, 6),
    route(Op::CancelAll, "DELETE", "/api/v3/openOrders", "openOrders.cancelAll", Needs::Trade, 1),
    route(Op::AllOrders, "GET", "/api/v3/allOrders", "allOrders", Needs::Read, 20),
    route(Op::MyTrades, "GET", "/api/v3/myTrades", "myTrades", Needs::Read, 20),
    route(Op::Account, "GET", "/api/v3/account", "account.status", Needs::Read, 20),
    route(Op::OrderLimits, "GET", "/api/v3/rateLimit/order", "account.rateLimits.orders", Needs::Read, 40),
    route(Op::Restrictions, "GET", "/sapi/v1/account/apiRestrictions", "", Needs::Read, 1),
    route(Op::Coins, "GET", "/sapi/v1/capital/config/getall", "", Needs::Read, 10),
    route(Op::Deposits, "GET", "/sapi/v1/capital/deposit/hisrec", "", Needs::Read, 1),
    route(Op::Withdrawals, "GET", "/sapi/v1/capital/withdraw/history", "", Needs::Read, 10),
    route(Op::Transfers, "GET", "/sapi/v1/asset/transfer", "", Needs::Read, 1),
];

impl Route {
    /// A call that no path leads to.
    pub(super) const fn made(op: Op, needs: Needs) -> Self {
        route(op, "", "", "", needs, 1)
    }

    /// The call of a REST request; `Err` says whether the path exists under another method.
    pub(super) fn of_rest(method: &str, path: &str) -> Result<&'static Self, bool> {
        let here = || ROUTES.iter().filter(|r| r.path == path);
        here().find(|r| r.method == method).ok_or_else(|| here().next().is_some())
    }

    /// The call of a WebSocket method.
    pub(super) fn of_ws(method: &str) -> Option<&'static Self> {
        ROUTES.iter().find(|r| !r.ws.is_empty() && r.ws == method)
    }

    /// What it weighs with these parameters.
    fn weight(&self, p: &Params) -> u32 {
        let all = p.get("symbol").is_none();
        match self.op {
            Op::Depth => match p.get("limit").and_then(|l| l.parse().ok()).unwrap_or(100i64) {
                ..=100 => 5,
                101..=500 => 25,
                501..=1_000 => 50,
                _ => 250,
            },
            Op::OpenOrders if all => 80,
            Op::DayTicker if all => 80,
            Op::PriceTicker | Op::BookTicker if all => 4,
            Op::MyTrades if p.get("orderId").is_some() => 5,
            _ => self.weight,
        }
    }

    /// Whether it changes orders, so that the faults of orders befall it.
    fn is_write(&self) -> bool {
        matches!(self.op, Op::Place | Op::Cancel | Op::CancelReplace | Op::Amend | Op::CancelAll)
    }
}

/// A request as it came.
pub(super) struct Request<'a> {
    pub(super) route: &'static Route,
    pub(super) params: &'a Params,
    pub(super) from: IpAddr,
    /// The key that was named, or logged on.
    pub(super) key: Option<&'a str>,
    /// What the signature is over; `None` for a session that is logged on and needs none.
    pub(super) signed: Option<&'a str>,
}

/// What becomes of a request.
pub(super) struct Outcome {
    pub(super) reply: Result<String, Refused>,
    /// To wait before the reply goes out, milliseconds.
    pub(super) delay_ms: u64,
    /// The reply never goes out: the connection breaks.
    pub(super) reset: bool,
    /// Weight used in this minute.
    pub(super) weight_used: u32,
    /// Orders in ten seconds and in this day, where the request made one.
    pub(super) orders: Option<(u32, u32)>,
}

/// Who makes a call.
pub(super) struct Caller {
    pub(super) key: String,
    pub(super) account: String,
}

impl Floor {
    /// Carries out a request, or not, as limits and faults have it.
    pub(super) fn serve(&mut self, request: &Request<'_>) -> Outcome {
        let faults = *self.faults();
        let delay_ms = self.dice.delay_ms(&faults);
        let mut outcome = Outcome { reply: Ok(String::new()), delay_ms, reset: false, weight_used: 0, orders: None };
        let write = request.route.is_write();
        let seconds = clock().nanos() / 1_000_000_000;
        outcome.reply = if self.dice.happens(faults.busy) {
            Err(Refused::too_many(1, false))
        } else if self.dice.happens(faults.ban) {
            Err(Refused::too_many(2, true))
        } else if write && self.dice.happens(faults.error_before) {
            Err(Refused::unknown_outcome(503))
        } else {
            self.limits
                .spend(request.from, request.route.weight(request.params), seconds)
                .and_then(|()| self.carry_out(request, &mut outcome.orders, seconds))
        };
        outcome.weight_used = self.limits.used(request.from);
        if write && outcome.reply.is_ok() {
            if self.dice.happens(faults.error_after) {
                outcome.reply = Err(Refused::unknown_outcome(503));
            } else if self.dice.happens(faults.reset) {
                outcome.reset = true;
            }
        }
        outcome
    }

    fn carry_out(
        &mut self,
        request: &Request<'_>,
        orders: &mut Option<(u32, u32)>,
        seconds: i64,
    ) -> Result<String, Refused> {
        let (op, p) = (request.route.op, request.params);
        if request.route.needs == Needs::Nothing {
            return public::answer(self, op, p);
        }
        let caller = self.authenticate(request)?;
        if matches!(op, Op::Place | Op::CancelReplace) {
            self.limits.order(&caller.account, seconds)?;
            *orders = Some(self.limits.orders_used(&caller.account, seconds));
        }
        let answer = trading::answer(self, op, p, &caller, seconds);
        self.tell_account(&caller.account);
        answer
    }

    /// Who makes a signed request; what is refused for its key is counted.
    pub(super) fn authenticate(&mut self, request: &Request<'_>) -> Result<Caller, Refused> {
        let caller = self.caller(request);
        if caller.as_ref().is_err_and(Refused::is_of_key) {
            self.keys.refused += 1;
        }
        caller
    }

    /// Refuses what the venue refuses, in its order.
    fn caller(&self, request: &Request<'_>) -> Result<Caller, Refused> {
        let p = request.params;
        let id = request.key.filter(|k| !k.is_empty()).ok_or_else(Refused::key_format)?;
        let key = self.keys.get(id).ok_or_else(Refused::bad_key)?;
        if let Some(payload) = request.signed {
            let signature = p.need("signature")?;
            check_time(p, self.venue_now())?;
            if !key.verifies(payload, signature) {
                return Err(Refused::signature());
            }
        } else {
            check_time(p, self.venue_now())?;
        }
        key.admits(request.from, clock())?;
        let may = match request.route.needs {
            Needs::Nothing => true,
            Needs::Read => key.read,
            Needs::Trade => key.trade,
        };
        if !may {
            return Err(Refused::bad_key());
        }
        Ok(Caller { key: key.id.clone(), account: key.account.clone() })
    }
}

/// The venue's rule of time: at most a second ahead, at most `recvWindow` behind.
fn check_time(p: &Params, now: Ts) -> Result<(), Refused> {
    let sent = p.int("timestamp")?.ok_or_else(|| Refused::missing("timestamp"))?;
    let window = match p.get("recvWindow") {
        None => 5_000,
        // Up to three digits after the point; they do not matter at this machine's distance.
        Some(text) => {
            let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
            whole.parse::<i64>().map_err(|_| Refused::illegal("recvWindow"))?
        }
    };
    if !(1..=60_000).contains(&window) {
        return Err(Refused::new(-1131, "recvWindow must be less than 60000"));
    }
    // Microseconds, where there are that many digits.
    let sent = if sent > 100_000_000_000_000 { sent / 1_000 } else { sent };
    let now = millis(now);
    if sent >= now.saturating_add(1_000) {
        return Err(Refused::new(-1021, "Timestamp for this request was 1000ms ahead of the server's time."));
    }
    if now.saturating_sub(sent) > window {
        return Err(Refused::new(-1021, "Timestamp for this request is outside of the recvWindow."));
    }
    Ok(())
}
