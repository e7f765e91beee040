//! What Binance says in its answers of the limits that all share: weight by address and minute, orders by account and
//! ten seconds. REST says it in headers, the trading socket in rows.

use serde::Deserialize;

use super::super::{Digits, Response, Used};

/// Of an answer of REST.
pub(super) fn of_headers(response: &Response) -> Used {
    let number = |name: &str| response.header(name)?.trim().parse().ok();
    Used { weight: number("x-mbx-used-weight-1m"), orders: number("x-mbx-order-count-10s") }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default, rename = "rateLimits")]
    rows: Vec<Row<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    rate_limit_type: &'a str,
    interval: &'a str,
    interval_num: u32,
    #[serde(borrow)]
    count: Digits<'a>,
}

/// Of an answer of the trading socket. What is not understood says nothing.
pub(super) fn of_message(text: &str) -> Used {
    let rows = serde_json::from_str::<Message<'_>>(text).map(|m| m.rows).unwrap_or_default();
    let count = |kind: &str, interval: &str, number: u32| {
        let row = rows.iter().find(|r| (r.rate_limit_type, r.interval, r.interval_num) == (kind, interval, number))?;
        row.count.text().parse().ok()
    };
    Used { weight: count("REQUEST_WEIGHT", "MINUTE", 1), orders: count("ORDERS", "SECOND", 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_stands_in_headers_and_in_rows_of_the_socket() {
        let headers = [("x-mbx-used-weight", "9"), ("x-mbx-used-weight-1m", "1203"), ("x-mbx-order-count-10s", "7")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let response = Response { status: 200, headers, body: String::new() };
        assert_eq!(of_headers(&response), Used { weight: Some(1_203), orders: Some(7) });
        let text = r#"{"id":41,"status":200,"result":{},"rateLimits":[
            {"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":50,"count":12},
            {"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":160000,"count":4043},
            {"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000,"count":321}]}"#;
        assert_eq!(of_message(text), Used { weight: Some(321), orders: Some(12) });
        for other in ["", "{}", r#"{"id":1,"status":200}"#, r#"{"rateLimits":[{"count":-5}]}"#] {
            assert_eq!(of_message(other), Used::default(), "{other}");
        }
        let bad =
            Response { status: 200, headers: vec![("x-mbx-used-weight-1m".into(), "-4".into())], body: String::new() };
        assert_eq!(of_headers(&bad), Used::default());
    }
}
