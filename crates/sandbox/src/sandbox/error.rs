//! What goes wrong: starting the sandbox ([`SandboxError`]), and what a client is told ([`Refused`]: Binance's codes).

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::data::DataError;
use crate::market::SourceError;
use crate::portfolio::PortfolioError;

/// The sandbox could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The address is taken or not ours.
    #[error("listening on {address}: {source}; choose another with --port, 0 for any that is free")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The runtime or the socket failed later.
    #[error("serving: {0}")]
    Io(#[from] std::io::Error),
    /// A setting does not read.
    #[error("{what}: {why}")]
    Setting {
        /// Which.
        what: String,
        /// What is wrong with it and what to write.
        why: String,
    },
    /// The data is not there or damaged.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A stream of stored data broke.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The simulated exchange left the range of exact money.
    #[error(transparent)]
    Exchange(#[from] PortfolioError),
}

impl SandboxError {
    pub(super) fn setting(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Setting { what: what.into(), why: why.into() }
    }
}

/// An error as the venue answers it: HTTP status, code, words, and for cancel-replace what became of the parts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) code: i64,
    pub(super) words: String,
    pub(super) data: Option<Value>,
    /// Seconds to wait (429, 418).
    pub(super) retry_after: Option<u64>,
}

impl Refused {
    pub(super) fn new(code: i64, words: impl Into<String>) -> Self {
        Self { status: 400, code, words: words.into(), data: None, retry_after: None }
    }

    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(super) fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// The body, as REST writes it and as the WebSocket API has it under `error`.
    pub(super) fn body(&self) -> Value {
        let mut body = json!({"code": self.code, "msg": self.words});
        if let Some(data) = &self.data {
            body["data"] = data.clone();
        }
        body
    }

    pub(super) fn missing(name: &str) -> Self {
        Self::new(-1102, format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."))
    }

    pub(super) fn illegal(name: &str) -> Self {
        Self::new(-1100, format!("Illegal characters found in parameter '{name}'."))
    }

    pub(super) fn not_required(name: &str) -> Self {
        Self::new(-1106, format!("Parameter '{name}' sent when not required."))
    }

    pub(super) fn filter(name: &str) -> Self {
        Self::new(-1013, format!("Filter failure: {name}"))
    }

    pub(super) fn rejected(words: &str) -> Self {
        Self::new(-2010, words)
    }

    pub(super) fn broke() -> Self {
        Self::rejected("Account has insufficient balance for requested action.")
    }

    pub(super) fn no_such_order() -> Self {
        Self::new(-2013, "Order does not exist.")
    }

    pub(super) fn unknown_order() -> Self {
        Self::new(-2011, "Unknown order sent.")
    }

    pub(super) fn bad_key() -> Self {
        Self::new(-2015, "Invalid API-key, IP, or permissions for action.").with_status(401)
    }

    pub(super) fn key_format() -> Self {
        Self::new(-2014, "API-key format invalid.").with_status(401)
    }

    pub(super) fn signature() -> Self {
        Self::new(-1022, "Signature for this request is not valid.")
    }

    /// Whether it is about the key or its signature.
    pub(super) fn is_of_key(&self) -> bool {
        matches!(self.code, -2015 | -2014 | -1022)
    }

    pub(super) fn too_many(retry_after: u64, banned: bool) -> Self {
        let (status, words) = match banned {
            false => (
                429,
                "Too much request weight used; current limit is per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
            ),
            true => (
                418,
                "Way too much request weight used; IP banned. Please use WebSocket Streams for live updates to avoid bans.",
            ),
        };
        Self { retry_after: Some(retry_after), ..Self::new(-1003, words).with_status(status) }
    }

    pub(super) fn unknown_outcome(status: u16) -> Self {
        Self::new(
            -1007,
            "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
        )
        .with_status(status)
    }

    /// The books left the range of exact money: a fault of ours, with an outcome nobody knows.
    pub(super) fn ours(error: &PortfolioError) -> Self {
        Self::new(-1000, format!("An unknown error occurred while processing the request: {error}")).with_status(500)
    }
}
