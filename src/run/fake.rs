//! A venue that answers requests as a test says; it has no sockets.

use async_trait::async_trait;

use crate::exchange::transport::{Socket, Transport, TransportError};
use crate::exchange::{Request, Response};

/// Gives the body of each answer.
pub(super) struct Fake<F>(pub(super) F);

#[async_trait]
impl<F: Fn(&Request) -> String + Send + Sync> Transport for Fake<F> {
    async fn http(&self, _: &str, request: &Request) -> Result<Response, TransportError> {
        Ok(Response { status: 200, headers: Vec::new(), body: (self.0)(request) })
    }

    async fn connect(&self, _: &str) -> Result<Box<dyn Socket>, TransportError> {
        Err(TransportError::NotSent("no sockets".to_owned()))
    }
}

/// A number of a request's query.
pub(super) fn number(request: &Request, key: &str) -> i64 {
    let fields = request.query.split('&').filter_map(|field| field.split_once('='));
    fields.into_iter().find(|(k, _)| *k == key).and_then(|(_, v)| v.parse().ok()).unwrap_or(0)
}

/// OKX as of a time in milliseconds: it settles and closes a bar every hour, but for the bars of these milliseconds.
pub(super) fn okx(request: &Request, now: i64, without: std::ops::Range<i64>) -> String {
    const HOUR: i64 = 3_600_000;
    let times = || {
        let (before, after) = (number(request, "before"), number(request, "after"));
        let newest = (after - 1).min(now) / HOUR;
        (0..=newest).rev().map(|n| n * HOUR).take_while(move |at| *at > before).take(100)
    };
    let rows: Vec<String> = match request.path.rsplit('/').next() {
        Some("time") => vec![format!(r#"{{"ts":"{now}"}}"#)],
        Some("funding-rate-history") => times()
            .map(|at| format!(r#"{{"fundingRate":"0.0001","realizedRate":"0.0001","fundingTime":"{at}"}}"#))
            .collect(),
        _ => times()
            .filter(|at| !without.contains(at))
            .map(|at| format!(r#"["{at}","2","2","2","2","1","1","1","{}"]"#, u8::from(at + HOUR <= now)))
            .collect(),
    };
    format!(r#"{{"code":"0","msg":"","data":[{}]}}"#, rows.join(","))
}
