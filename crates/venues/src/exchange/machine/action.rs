//! What a machine wants done.

use crate::exchange::Request;

/// The number of a connection within its machine; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link(pub u32);

/// The number of a request within its machine; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

/// What a machine wants done by whoever owns the transport. Actions are carried out in order, and each `Connect` and
/// `Http` is answered exactly once.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Opens a connection; answered by `on_opened` or `on_closed`.
    Connect {
        /// Its number from now on.
        link: Link,
        /// Where to.
        url: String,
    },
    /// Says a text on an open connection. When that fails, the connection is closed and `on_closed` says so.
    Say {
        /// Where.
        link: Link,
        /// What.
        text: String,
        /// The number under which it asks for an order or for a change of one.
        act: Option<u64>,
    },
    /// Closes a connection, or gives up opening it. Not answered.
    Close {
        /// Which.
        link: Link,
    },
    /// Sends a request; answered by `on_http`.
    Http {
        /// Its number.
        tag: Tag,
        /// The request, signed where it must be.
        request: Request,
    },
}
