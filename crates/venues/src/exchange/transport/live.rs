//! The network: HTTP by reqwest, WebSockets by tungstenite, both over rustls with ring.

use std::error::Error as _;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::{FutureExt, Sink, SinkExt, Stream};
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{Frame, Socket, Text, Transport, TransportError};
use crate::exchange::{Method, Request, Response};

/// How long and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveSettings {
    /// Milliseconds for a connection with its encryption and handshake.
    pub connect_timeout_ms: u64,
    /// Milliseconds for a request from its start to its answer's end.
    pub request_timeout_ms: u64,
    /// Milliseconds for handing a socket message to the system.
    pub send_timeout_ms: u64,
    /// Largest body of an answer, bytes.
    pub response_max: usize,
    /// Largest message of a socket, bytes.
    pub message_max: usize,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            connect_timeout_ms: 5_000,
            request_timeout_ms: 10_000,
            send_timeout_ms: 5_000,
            response_max: 64 << 20,
            message_max: 16 << 20,
        }
    }
}

/// Connections to one host that are kept for the next questions.
const IDLE_CONNECTIONS_MAX: usize = 16;

/// What we call ourselves.
const USER_AGENT: &str = concat!("bellwether/", env!("CARGO_PKG_VERSION"));

/// The network. Redirects are not followed (a signed request must not reach another host) and proxies of the
/// environment are not used.
pub struct Live {
    client: reqwest::Client,
    settings: LiveSettings,
}

impl Live {
    /// A transport with its connection pool.
    ///
    /// # Errors
    /// [`TransportError::NotSent`] when the TLS library does not start.
    pub fn new(settings: LiveSettings) -> Result<Self, TransportError> {
        // The process keeps the provider that was installed first, which is this one or the caller's choice.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            // After a disconnect many orders are asked for at once: their connections do not stay.
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
            .timeout(Duration::from_millis(settings.request_timeout_ms))
            .build()
            .map_err(|e| TransportError::NotSent(causes(e)))?;
        Ok(Self { client, settings })
    }
}

#[async_trait]
impl Transport for Live {
    async fn http(&self, base_url: &str, request: &Request) -> Result<Response, TransportError> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut builder = self.client.request(method, format!("{base_url}{}", request.target()));
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if !request.body.is_empty() {
            builder = builder.body(request.body.clone());
        }
        let told = |e: reqwest::Error| format!("{} {base_url}{}: {}", request.method.name(), request.path, causes(e));
        let failed = |e: reqwest::Error| {
            // A connect error comes before the first byte of the request, a builder error before that.
            if e.is_connect() || e.is_builder() {
                TransportError::NotSent(told(e))
            } else {
                TransportError::Unknown(told(e))
            }
        };
        let mut answer = builder.send().await.map_err(failed)?;
        let max = self.settings.response_max;
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|e| TransportError::Unknown(told(e)))? {
            if body.len() + part.len() > max {
                return Err(TransportError::TooLarge { max });
            }
            body.extend_from_slice(&part);
        }
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        Ok(Response { status: answer.status().as_u16(), headers, body: String::from_utf8_lossy(&body).into_owned() })
    }

    async fn connect(&self, url: &str) -> Result<Box<dyn Socket>, TransportError> {
        let not_sent = |e: WsError| TransportError::NotSent(format!("{e}"));
        let mut request = url.into_client_request().map_err(not_sent)?;
        request.headers_mut().insert("user-agent", HeaderValue::from_static(USER_AGENT));
        let config = WebSocketConfig::default()
            .max_message_size(Some(self.settings.message_max))
            .max_frame_size(Some(self.settings.message_max));
        let opening = tokio_tungstenite::connect_async_with_config(request, Some(config), true);
        let (stream, _) = within(self.settings.connect_timeout_ms, opening)
            .await
            .ok_or_else(|| {
                TransportError::NotSent(format!("no connection within {} ms", self.settings.connect_timeout_ms))
            })?
            .map_err(not_sent)?;
        Ok(Box::new(LiveSocket { stream, send_timeout_ms: self.settings.send_timeout_ms, unsent_since: None }))
    }
}

async fn within<F: Future>(ms: u64, future: F) -> Option<F::Output> {
    tokio::time::timeout(Duration::from_millis(ms), future).await.ok()
}

/// An error with what caused it: the outermost message alone ("error sending request") says little. Without its address,
/// whose query may be signed.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

struct LiveSocket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    send_timeout_ms: u64,
    /// The system has not taken all of the last message, since when: the peer does not read.
    unsent_since: Option<Instant>,
}

impl LiveSocket {
    /// Hands on what the system has not taken yet; why the socket is of no use any more, if so.
    fn push(&mut self, context: &mut Context<'_>) -> Option<String> {
        let since = self.unsent_since?;
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Ready(Ok(())) => self.unsent_since = None,
            Poll::Ready(Err(e)) => return Some(e.to_string()),
            Poll::Pending if since.elapsed() < Duration::from_millis(self.send_timeout_ms) => {}
            Poll::Pending => return Some(format!("not sent within {} ms", self.send_timeout_ms)),
        }
        None
    }
}

#[async_trait]
impl Socket for LiveSocket {
    async fn send(&mut self, text: &str) -> Result<(), TransportError> {
        // All other sockets would wait with it. What the system does not take now goes on with the next look.
        if self.unsent_since.is_some() && unconstrained(self.stream.flush()).now_or_never().is_none() {
            return Err(TransportError::Unknown("the message before it is not sent yet".to_owned()));
        }
        self.unsent_since = None;
        match unconstrained(self.stream.send(Message::Text(text.into()))).now_or_never() {
            Some(sent) => sent.map_err(|e| TransportError::Unknown(e.to_string())),
            None => {
                self.unsent_since = Some(Instant::now());
                Ok(())
            }
        }
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Frame> {
        if let Some(why) = self.push(context) {
            return Poll::Ready(Frame::Closed(why));
        }
        loop {
            let Poll::Ready(next) = Pin::new(&mut self.stream).poll_next(context) else { return Poll::Pending };
            return Poll::Ready(match next {
                Some(Ok(Message::Text(text))) => Frame::Text(Text(text)),
                // The library queues the pong and sends it with the next poll.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Frame::Alive,
                Some(Ok(Message::Frame(_))) => continue,
                // No venue here speaks binary: what comes is not understood, and said so by the codec.
                Some(Ok(Message::Binary(bytes))) => {
                    Frame::Text(Text(format!("<binary message of {} bytes>", bytes.len()).into()))
                }
                Some(Ok(Message::Close(frame))) => Frame::Closed(frame.map_or_else(
                    || "closed by the venue".to_owned(),
                    |f| format!("closed by the venue: {} {}", u16::from(f.code), f.reason),
                )),
                Some(Err(e)) => Frame::Closed(e.to_string()),
                None => Frame::Closed("the connection ended".to_owned()),
            });
        }
    }

    async fn close(&mut self) {
        let _ = within(100, self.stream.close(None)).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    #[test]
    fn an_error_names_the_request_and_not_what_signed_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let live = Live::new(LiveSettings::default()).expect("a transport");
        // Nobody listens there.
        let query = "timestamp=1&signature=0123456789abcdef".to_owned();
        let request = Request::get("/api/v3/order", query, 1);
        let error = runtime.block_on(live.http("http://127.0.0.1:1", &request)).expect_err("no connection").to_string();
        assert!(error.contains("GET http://127.0.0.1:1/api/v3/order: "), "{error}");
        assert!(!error.contains("signature") && !error.contains("0123456789abcdef"), "{error}");
    }

    #[test]
    fn a_peer_that_does_not_read_keeps_nobody_waiting() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let url = format!("ws://{}", listener.local_addr().expect("an address"));
            let live =
                Live::new(LiveSettings { send_timeout_ms: 300, ..LiveSettings::default() }).expect("a transport");
            let accepting = async {
                let (stream, _) = listener.accept().await.expect("a client");
                tokio_tungstenite::accept_async(stream).await.expect("a socket")
            };
            let (peer, socket) = tokio::join!(accepting, live.connect(&url));
            let mut socket = socket.expect("connected");
            let (begun, text) = (Instant::now(), "x".repeat(1 << 20));
            let mut sent = 0;
            while socket.send(&text).await.is_ok() {
                sent += 1;
                assert!(sent < 1_000, "the system takes all of it");
            }
            assert!(begun.elapsed() < Duration::from_millis(250), "it waited: {:?}", begun.elapsed());
            // After its time it is given up.
            tokio::time::sleep(Duration::from_millis(350)).await;
            let frame = std::future::poll_fn(|context| socket.poll_recv(context)).await;
            assert!(matches!(&frame, Frame::Closed(why) if why == "not sent within 300 ms"), "{frame:?}");
            drop(peer);
        });
    }

    #[test]
    fn what_the_system_did_not_take_at_once_arrives_whole() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let url = format!("ws://{}", listener.local_addr().expect("an address"));
            let live = Live::new(LiveSettings::default()).expect("a transport");
            let accepting = async {
                let (stream, _) = listener.accept().await.expect("a client");
                tokio_tungstenite::accept_async(stream).await.expect("a socket")
            };
            let (mut peer, socket) = tokio::join!(accepting, live.connect(&url));
            let mut socket = socket.expect("connected");
            let text = "y".repeat(12 << 20);
            socket.send(&text).await.expect("taken");
            assert!(socket.send("another").await.is_err(), "the first is on its way");
            let pushing = std::future::poll_fn(|context| socket.poll_recv(context));
            let heard = tokio::select! {
                frame = pushing => panic!("{frame:?}"),
                heard = peer.next() => heard,
            };
            let heard = heard.expect("a message").expect("no error").into_text().expect("text");
            assert!(heard.as_str() == text, "{} bytes", heard.len());
        });
    }
}
