//! Questions as bodies of `/info`. Those about an account name it when they are signed.

use bellwether_sdk::{Interval, Symbol, Ts};

use super::acts::listed;
use super::sign::{ACCOUNT, AGENT, OWNER};
use crate::exchange::{Ask, Listings, Method, OrderRef, Request, VenueError};

const JSON: &str = "application/json";
const MILLIS: i64 = 1_000_000;
/// Coins that count thousands have a small letter before their name.
const THOUSANDS: [&str; 7] = ["KPEPE", "KSHIB", "KBONK", "KFLOKI", "KLUNC", "KDOGS", "KNEIRO"];
/// Bars whose beginnings are ours.
const INTERVALS: [&str; 11] = ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d"];

/// The venue's coin of a symbol, before its instruments are known.
pub(super) fn coin(symbol: &Symbol) -> String {
    let base = symbol.base();
    if THOUSANDS.contains(&base) { format!("k{}", &base[1..]) } else { base.to_owned() }
}

/// An interval as the venue writes it.
pub(super) fn interval(interval: Interval) -> Option<String> {
    let text = interval.to_string();
    INTERVALS.contains(&text.as_str()).then_some(text)
}

/// The request for a question.
pub(super) fn ask(ask: &Ask, listings: &Listings) -> Result<Request, VenueError> {
    let coin = |id| listed(listings, id).map(|l| super::acts::quote(&l.rules.name));
    Ok(match ask {
        Ask::Time => info("{\"type\":\"exchangeStatus\"}".to_owned(), 2),
        Ask::Instruments => info("{\"type\":\"meta\"}".to_owned(), 20),
        Ask::Ticker(id) | Ask::Book(id, _) => info(format!("{{\"type\":\"l2Book\",\"coin\":{}}}", coin(*id)?), 2),
        Ask::Trades(id, _) => info(format!("{{\"type\":\"recentTrades\",\"coin\":{}}}", coin(*id)?), 20),
        Ask::OpenConditional(_) => {
            return Err(VenueError::unsupported(
                "hyperliquid tells orders that wait for a trigger among the open ones",
            ));
        }
        Ask::TradesFrom(..) => return Err(VenueError::unsupported("hyperliquid serves no history of trades")),
        Ask::Bars(id, every, from, to) => {
            let name = interval(*every).ok_or_else(|| {
                VenueError::unsupported(format!("hyperliquid has no bars of {every} that begin as ours"))
            })?;
            let range = range(*from, *to);
            info(
                format!(
                    "{{\"type\":\"candleSnapshot\",\"req\":{{\"coin\":{},\"interval\":\"{name}\",{range}}}}}",
                    coin(*id)?
                ),
                20 + 84,
            )
        }
        Ask::Funding(id, from, to) => {
            info(format!("{{\"type\":\"fundingHistory\",\"coin\":{},{}}}", coin(*id)?, range(*from, *to)), 20 + 25)
        }
        Ask::Balances | Ask::Positions => about("clearinghouseState", "", 2),
        Ask::OpenOrders(_) => about("frontendOpenOrders", "", 20),
        Ask::Order(_, OrderRef::Client(id)) => about("orderStatus", &format!(",\"oid\":\"0x{id}\""), 2),
        Ask::Order(_, OrderRef::Venue(id)) => about("orderStatus", &format!(",\"oid\":{}", number(id)?), 2),
        Ask::Fills(_, span) => {
            let start = span.from.nanos().div_euclid(MILLIS).max(0);
            about("userFillsByTime", &format!(",\"startTime\":{start}"), 20 + 100)
        }
        Ask::Paid(span) => about("userFunding", &format!(",{}", range(span.from, span.to.plus(MILLIS))), 20 + 25),
        Ask::Moved(_) => {
            return Err(VenueError::unsupported(
                "hyperliquid's deposits and withdrawals are not read: what of their fees is whose it does not say",
            ));
        }
        Ask::Permissions => info(format!("{{\"type\":\"userRole\",\"user\":\"{AGENT}\"}}"), 60).signed(),
        Ask::StreamTicket | Ask::KeepTicket(_) => {
            return Err(VenueError::unsupported("hyperliquid's streams need no ticket"));
        }
    })
}

/// The agents that an account has named, each with its end.
pub(super) fn agents() -> Request {
    info(format!("{{\"type\":\"extraAgents\",\"user\":\"{OWNER}\"}}"), 20).signed()
}

/// The venue's number of an order.
pub(super) fn number(id: &str) -> Result<u64, VenueError> {
    id.parse().map_err(|_| {
        let why = format!("{:?} is no order number of hyperliquid", id.chars().take(40).collect::<String>());
        VenueError::new(crate::exchange::Fault::Rejected, "", why).reason("unknown_order")
    })
}

/// Both ends count at the venue: the end becomes the millisecond before.
fn range(from: Ts, to: Ts) -> String {
    let millis = |ts: Ts| ts.nanos().div_euclid(MILLIS).max(0);
    format!("\"startTime\":{},\"endTime\":{}", millis(from), millis(to.plus(-1)))
}

fn info(body: String, weight: u32) -> Request {
    Request::new(Method::Post, "/info", "", weight).body(JSON, body).read_only()
}

fn about(kind: &str, rest: &str, weight: u32) -> Request {
    info(format!("{{\"type\":\"{kind}\",\"user\":\"{ACCOUNT}\"{rest}}}"), weight).signed()
}
