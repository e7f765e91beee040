//! HTTP requests and responses as data: what a venue wants sent, without the sending.

/// HTTP methods that venues use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Writes, and reads of venues that sign bodies.
    Post,
    /// Amends.
    Put,
    /// Cancels.
    Delete,
}

impl Method {
    /// As it stands on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// Which host of the venue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Base {
    /// Its REST host.
    #[default]
    Rest,
    /// The REST host of the venue's spot product, which also answers for keys (Binance futures).
    Spot,
}

/// A request before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Which host.
    pub base: Base,
    /// From the slash on, without a query.
    pub path: String,
    /// The query as it will stand on the wire, already percent-encoded, without `?`; empty for none.
    pub query: String,
    /// The body; empty for none.
    pub body: String,
    /// Headers beside the transport's own; names in lower case or as the venue writes them.
    pub headers: Vec<(String, String)>,
    /// Whether it must be signed.
    pub signed: bool,
    /// Whether it may change something: then a lost answer is an unknown outcome.
    pub write: bool,
    /// What it costs of the venue's request budget.
    pub weight: u32,
}

impl Request {
    /// A public read.
    pub fn get(path: impl Into<String>, query: impl Into<String>, weight: u32) -> Self {
        Self::new(Method::Get, path, query, weight)
    }

    /// A request of any method, public, with an empty body; `write` unless it is a GET.
    pub fn new(method: Method, path: impl Into<String>, query: impl Into<String>, weight: u32) -> Self {
        Self {
            method,
            base: Base::Rest,
            path: path.into(),
            query: query.into(),
            body: String::new(),
            headers: Vec::new(),
            signed: false,
            write: method != Method::Get,
            weight,
        }
    }

    /// The same with a body and its content type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<String>) -> Self {
        self.body = body.into();
        self.headers.push(("content-type".to_owned(), content_type.to_owned()));
        self
    }

    /// The same, to be signed.
    #[must_use]
    pub fn signed(self) -> Self {
        Self { signed: true, ..self }
    }

    /// The same, a read whatever its method.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { write: false, ..self }
    }

    /// Path and query as they stand on the wire.
    pub fn target(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }
}

/// A response as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Response {
    /// The first header of a name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Milliseconds of a `Retry-After` header in seconds.
    pub fn retry_after_ms(&self) -> Option<u64> {
        let seconds: u64 = self.header("retry-after")?.trim().parse().ok()?;
        seconds.checked_mul(1000)
    }

    /// Whether the status is 2xx.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }
}
