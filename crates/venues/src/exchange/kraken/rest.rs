//! Questions as requests of Kraken's REST.

use bellwether_sdk::{Interval, Ts};

use super::flows;
use super::names::listed;
use crate::exchange::{Ask, Listings, Method, OrderRef, Request, VenueError};

pub(super) const FORM: &str = "application/x-www-form-urlencoded";
/// What a private read weighs: a third of the account's counter per minute that facts reckon with.
const PRIVATE: u32 = 3;
/// Minutes of the bars that Kraken makes and that begin where ours do.
const MINUTES: [i64; 7] = [1, 5, 15, 30, 60, 240, 1440];
const MINUTE: i64 = 60_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// The request for a question.
pub(super) fn ask(ask: &Ask, listings: &Listings) -> Result<Request, VenueError> {
    let pair = |id| listed(listings, id).map(|l| format!("pair={}", encode(&l.rules.name)));
    Ok(match ask {
        Ask::Time => public("Time", String::new()),
        Ask::Instruments => public("AssetPairs", String::new()),
        Ask::Ticker(id) => public("Ticker", pair(*id)?),
        Ask::Book(id, levels) => public("Depth", format!("{}&count={}", pair(*id)?, (*levels).clamp(1, 500))),
        Ask::Trades(id, count) => public("Trades", format!("{}&count={}", pair(*id)?, (*count).clamp(1, 1000))),
        Ask::OpenConditional(_) => {
            return Err(VenueError::unsupported("Kraken tells orders that wait for a trigger among the open ones"));
        }
        Ask::TradesFrom(id, from) => {
            // `since` is exclusive: the trades of the asked nanosecond belong in.
            public("Trades", format!("{}&since={}&count=1000", pair(*id)?, from.nanos().max(1) - 1))
        }
        Ask::Bars(id, interval, from, _) => {
            let since = from.nanos().div_euclid(SECOND) - 1;
            public("OHLC", format!("{}&interval={}&since={}", pair(*id)?, minutes(*interval)?, since.max(0)))
        }
        Ask::Funding(..) => return Err(VenueError::unsupported("kraken's spot market has no funding")),
        Ask::Balances => private("BalanceEx", String::new(), PRIVATE),
        Ask::Positions => return Err(VenueError::unsupported("kraken's spot market has no positions")),
        Ask::OpenOrders(_) => private("OpenOrders", String::new(), PRIVATE),
        Ask::Order(_, OrderRef::Client(id)) => private("OpenOrders", format!("cl_ord_id={id}"), PRIVATE),
        Ask::Order(_, OrderRef::Venue(id)) => private("QueryOrders", format!("txid={}", encode(id)), PRIVATE),
        Ask::Fills(_, span) => {
            // What one taker order took of several makers is one row else, where the socket tells each.
            let start = seconds_before(span.from);
            let mut form = format!("type=all&consolidate_taker=false&start={start}");
            if !span.cursor.is_empty() {
                form += &format!("&ofs={}", span.cursor);
            }
            private("TradesHistory", form, 2 * PRIVATE)
        }
        Ask::Paid(_) => return Err(VenueError::unsupported("kraken's spot market has no funding")),
        Ask::Moved(span) => private("Ledgers", flows::form(span), 2 * PRIVATE),
        Ask::Permissions => private("GetApiKeyInfo", String::new(), PRIVATE),
        Ask::StreamTicket | Ask::KeepTicket(_) => private("GetWebSocketsToken", String::new(), PRIVATE),
    })
}

/// Orders that ended are asked for apart from those that are open, when the client order id is all there is.
pub(super) fn ask_further(ask: &Ask, _: &Listings) -> Option<Request> {
    match ask {
        Ask::Order(_, OrderRef::Client(id)) => Some(private("ClosedOrders", format!("cl_ord_id={id}"), 2 * PRIVATE)),
        _ => None,
    }
}

/// `start` is exclusive and has a fraction: the nanosecond before.
pub(super) fn seconds_before(ts: Ts) -> String {
    let before = ts.nanos().max(1) - 1;
    format!("{}.{:09}", before / SECOND, before % SECOND)
}

/// An interval in minutes.
fn minutes(interval: Interval) -> Result<i64, VenueError> {
    let minutes = interval.nanos() / MINUTE;
    if interval.nanos() % MINUTE == 0 && MINUTES.contains(&minutes) {
        return Ok(minutes);
    }
    Err(VenueError::unsupported(format!("kraken has no bars of {interval}; it has 1m, 5m, 15m, 30m, 1h, 4h, 1d")))
}

/// The minutes of an interval that a stream carries.
pub(super) fn stream_minutes(interval: Interval) -> Option<i64> {
    minutes(interval).ok()
}

fn public(what: &str, query: String) -> Request {
    Request::get(format!("/0/public/{what}"), query, 1)
}

fn private(what: &str, form: String, weight: u32) -> Request {
    write(what, FORM, form, weight).read_only()
}

/// A signed request that may change something.
pub(super) fn write(what: &str, content_type: &str, body: String, weight: u32) -> Request {
    Request::new(Method::Post, format!("/0/private/{what}"), "", weight).body(content_type, body).signed()
}

/// Percent-encodes what is not unreserved.
pub(super) fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, b| {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
        out
    })
}
