//! The way to a venue: HTTP requests and sockets behind one trait.
//!
//! [`Live`] is the network; tests put a simulated one in its place. A transport moves bytes. It signs nothing, repeats
//! nothing and knows no venue.

mod live;
mod text;

use std::task::{Context, Poll};

use async_trait::async_trait;

use super::{Request, Response};

pub use live::{Live, LiveSettings};
pub use text::Text;

/// A request or connection failed on the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Nothing reached the venue: the name was not found, the connection or its encryption was refused.
    #[error("nothing was sent: {0}")]
    NotSent(String),
    /// It broke after the request began: the venue may have carried it out.
    #[error("the connection broke after the request began: {0}")]
    Unknown(String),
    /// The answer was larger than allowed; the request may have been carried out.
    #[error("the answer is over {max} bytes")]
    TooLarge {
        /// The limit, bytes.
        max: usize,
    },
}

impl TransportError {
    /// Whether it is certain that the venue has not seen the request.
    pub const fn nothing_sent(&self) -> bool {
        matches!(self, Self::NotSent(_))
    }
}

/// What a socket gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A text message.
    Text(Text),
    /// A ping or a pong: the venue lives, and has nothing to say.
    Alive,
    /// The connection is over, with the reason. Nothing comes after it.
    Closed(String),
}

/// An open WebSocket connection. Pings are answered inside.
#[async_trait]
pub trait Socket: Send {
    /// Hands a text message to the connection. Does not wait for a peer that does not read: what the system does not take
    /// at once goes on with the next looks, and a connection that it does not leave within its time is closed.
    ///
    /// # Errors
    /// [`TransportError::Unknown`]: part of the message may have been sent.
    async fn send(&mut self, text: &str) -> Result<(), TransportError>;

    /// Gives the next frame when there is one, else keeps the waker. Nothing is lost between calls, so that one thread
    /// can wait for many sockets.
    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Frame>;

    /// Says goodbye and closes; does not wait for an answer.
    async fn close(&mut self);
}

impl dyn Socket {
    /// Waits for the next frame. May be dropped and called again without loss.
    pub async fn recv(&mut self) -> Frame {
        std::future::poll_fn(|context| self.poll_recv(context)).await
    }
}

/// Sends requests and opens sockets.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends a request to a base address (scheme and host, without a slash at the end) and waits for its answer,
    /// whatever its status.
    ///
    /// # Errors
    /// [`TransportError`], which says whether the venue may have seen the request.
    async fn http(&self, base_url: &str, request: &Request) -> Result<Response, TransportError>;

    /// Opens a WebSocket connection.
    ///
    /// # Errors
    /// [`TransportError::NotSent`].
    async fn connect(&self, url: &str) -> Result<Box<dyn Socket>, TransportError>;
}
