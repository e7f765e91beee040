//! Connections that are cut after every single byte of what the venue says, over real sockets: the driver and the
//! network transport against the toy venue, whose first connections send so many bytes and then end. Handshakes,
//! frames and answers of REST are cut alike, wherever the count of bytes falls; the next connections are whole. Many
//! such sessions run beside each other, so that every byte has its turn in seconds.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::serve::Listener;
use bellwether::exchange::drive::{Desk, Drive, Hands, WallClock};
use bellwether::exchange::feed::{Feed, FeedEvent, FeedSettings};
use bellwether::exchange::gateway::{Gateway, GatewayEvent, GatewaySettings};
use bellwether::exchange::machine::{BackoffSettings, Limits};
use bellwether::exchange::transport::{Live, LiveSettings, Transport};
use bellwether::exchange::{Topic, Urls};
use bellwether::market::book::Book;
use bellwether::orders::Answer;
use bellwether_sdk::{OrderId, Price, Side, Ts};
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::driver::block_on;
use super::server::{Server, levels};
use super::shop::{Shop, ms, urls};
use super::toy::{Toy, listings};
use super::world::{BTC, approved, credential, order};

/// Sessions beside each other.
const TOGETHER: usize = 50;
/// Attempts to connect follow each other at once.
const AT_ONCE: BackoffSettings = BackoffSettings { first_ms: 1, max_ms: 2 };

/// A door whose first connections end after so many bytes.
struct Door {
    listener: TcpListener,
    cuts: usize,
    bytes: usize,
}

impl Listener for Door {
    type Io = Cut;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Cut, SocketAddr) {
        let (stream, at) = self.listener.accept().await.expect("a connection");
        let left = if self.cuts > 0 { self.bytes } else { usize::MAX };
        self.cuts = self.cuts.saturating_sub(1);
        (Cut { stream, left }, at)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that says so many bytes and ends.
struct Cut {
    stream: TcpStream,
    left: usize,
}

impl AsyncRead for Cut {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Cut {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let most = buf.len().min(self.left);
        let wrote = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, &buf[..most]))?;
        self.left -= wrote;
        if self.left == 0 {
            let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
        }
        Poll::Ready(Ok(wrote))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A venue whose first sockets, and first connections for questions, so many, end after so many bytes; and where it is.
async fn shop(sockets: usize, questions: usize, bytes: usize, ticks: bool) -> (Shop, Urls) {
    let shop = Shop::new(60_000, ticks);
    let mut at = Vec::new();
    for cuts in [sockets, questions] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        at.push(listener.local_addr().expect("an address").to_string());
        shop.serve(Door { listener, cuts, bytes });
    }
    (shop, Urls { rest: urls(&at[1]).rest, ..urls(&at[0]) })
}

/// Runs a session for every count of bytes below one, many beside each other.
fn for_every_byte<F: Future<Output = ()>>(bytes: usize, session: impl Fn(Arc<dyn Transport>, usize) -> F) {
    for first in (0..bytes).step_by(200) {
        block_on(async {
            let live: Arc<dyn Transport> = Arc::new(Live::new(LiveSettings::default()).expect("a transport"));
            let some = (first..bytes.min(first + 200)).map(|bytes| session(Arc::clone(&live), bytes));
            stream::iter(some).buffer_unordered(TOGETHER).collect::<Vec<()>>().await;
        });
    }
}

/// Follows a feed and holds its book against the venue's.
struct Follower {
    server: Arc<Mutex<Server>>,
    bytes: usize,
    book: Book,
    cut: bool,
    trades: u64,
    /// Changes of the book that came after the cut.
    since: u32,
}

impl Hands for Follower {
    fn on_feed(&mut self, _: usize, event: FeedEvent<'_>, _: Ts, desk: &mut Desk<'_>) {
        let server = self.server.lock().expect("the server");
        match event {
            FeedEvent::Depth(depth) => {
                self.book.apply(&depth);
                let mine = (levels(&self.book, Side::Buy), levels(&self.book, Side::Sell));
                let truth = server.history.iter().rev().find(|s| s.id == self.book.last_id());
                assert_eq!(truth.map(|s| server.seen(s)), Some(mine), "after {} bytes", self.bytes);
                self.since += u32::from(self.cut);
            }
            FeedEvent::BookLost(..) => self.book = Book::default(),
            FeedEvent::Trade(trade) => {
                self.trades += 1;
                assert_eq!((trade.price.mantissa(), trade.qty.mantissa()), (10_000, 500));
                assert!(self.trades <= server.trades, "a trade was told twice after {} bytes", self.bytes);
            }
            FeedEvent::Reconnecting(..) => self.cut = true,
            FeedEvent::Connected(..) => {
                assert!(!self.book.is_valid(), "after {} bytes a book is believed that nobody told of", self.bytes);
            }
            FeedEvent::Unexpected(_, words) => {
                assert!(
                    !words.contains("not understood"),
                    "half a message was read after {} bytes: {words}",
                    self.bytes
                );
            }
            _ => {}
        }
        if self.since > 3 {
            desk.stop();
        }
    }

    fn on_gateway(&mut self, _: usize, _: GatewayEvent, _: Ts, _: &mut Desk<'_>) {}

    fn on_time(&mut self, _: Ts, _: &mut Desk<'_>) {}

    fn next_due(&self) -> Ts {
        Ts::MAX
    }
}

async fn watch(transport: Arc<dyn Transport>, bytes: usize) {
    // A book that was cut is asked for again after a second: of that there are samples.
    let (shop, urls) = shop(1, usize::from(bytes.is_multiple_of(32)), bytes, true).await;
    let venue = Arc::new(Toy::numbers());
    let topics = [Topic::Trades(BTC), Topic::Depth(BTC, 100)];
    let settings = FeedSettings { backoff: AT_ONCE, seed: bytes as u64, ..FeedSettings::default() };
    let (feed, _) = Feed::new(venue, listings(), &topics, &urls, settings, Limits::new(60_000, 100));
    let mut drive = Drive::new(transport, Box::new(WallClock::default()));
    drive.add_feed(feed, urls.rest);
    let server = Arc::clone(&shop.server);
    let book = Book::default();
    let mut hands = Follower { server, bytes, book, cut: false, trades: 0, since: 0 };
    drive.run(&mut hands, std::future::pending()).await;
    shop.close();
    assert!(hands.cut && hands.book.is_valid(), "after {bytes} bytes");
}

#[test]
fn a_market_stream_cut_after_any_byte_leaves_a_book_that_is_right_or_lost() {
    // The handshake, what is said of subscriptions, and some changes and trades.
    for_every_byte(600, watch);
}

/// Sends an order, by REST at once or over the sockets; ends it when it has filled in part.
struct Trader {
    shop: Shop,
    bytes: usize,
    sent: bool,
    accepted: u32,
    filled: i64,
    ids: Vec<String>,
    ended: Option<String>,
    cuts: u32,
    due: Ts,
}

impl Trader {
    fn place(&mut self, desk: &mut Desk<'_>) {
        if !std::mem::replace(&mut self.sent, true) {
            desk.submit(0, approved(order(1, Side::Buy, 500, 9_000)), Price::from_mantissa(10_000));
        }
    }
}

impl Hands for Trader {
    fn on_feed(&mut self, _: usize, _: FeedEvent<'_>, _: Ts, _: &mut Desk<'_>) {}

    fn on_gateway(&mut self, _: usize, event: GatewayEvent, now: Ts, desk: &mut Desk<'_>) {
        let after = format!("after {} bytes", self.bytes);
        match event {
            GatewayEvent::Private(true) => self.place(desk),
            GatewayEvent::Answer(Answer::Accepted(_)) => self.accepted += 1,
            GatewayEvent::FillId(_, id) => self.ids.push(id),
            GatewayEvent::Answer(Answer::Fill { qty, .. }) => {
                self.filled += qty.mantissa();
                desk.cancel(0, OrderId(1));
            }
            GatewayEvent::Answer(end) => {
                assert_eq!(self.ended, None, "{after} it ended again: {end:?}");
                self.ended = Some(format!("{end:?}"));
                // What is told of it once more comes now.
                self.due = now.plus(20_000_000);
            }
            GatewayEvent::Note(words) => {
                assert!(!words.contains("not understood"), "half a message was read {after}: {words}");
                self.cuts += u32::from(words.contains("trying again"));
            }
            GatewayEvent::Halt(why) => panic!("{after}: {why}"),
            _ => {}
        }
    }

    fn on_time(&mut self, now: Ts, desk: &mut Desk<'_>) {
        if self.ended.is_some() {
            return desk.stop();
        }
        if self.bytes % 2 == 1 {
            self.place(desk);
        }
        self.due = now.plus(5_000_000);
        let mut server = self.shop.server.lock().expect("the server");
        if server.orders.first().is_some_and(|o| o.filled == 0) {
            for note in server.fill_of(0, 200, ms()) {
                let _ = self.shop.news.send(("orders", note));
            }
        }
    }

    fn next_due(&self) -> Ts {
        self.due
    }
}

async fn trade(transport: Arc<dyn Transport>, bytes: usize) {
    // The private stream and the trading socket.
    let (shop, urls) = shop(2, 2, bytes, false).await;
    {
        let mut server = shop.server.lock().expect("the server");
        (server.eager, server.picky) = (false, false);
    }
    let settings = GatewaySettings {
        backoff: AT_ONCE,
        ask_after_ms: 5,
        fills_within_ms: 20,
        reconcile_blind_ms: 50,
        ..GatewaySettings::new(9, urls.clone())
    };
    let venue = Arc::new(Toy::that_settles(200));
    let gateway = Gateway::new(venue, listings(), credential(), settings, Limits::new(60_000, 100));
    let mut drive = Drive::new(transport, Box::new(WallClock::default()));
    drive.add_gateway(gateway, urls.rest);
    let mut hands = Trader {
        shop,
        bytes,
        sent: false,
        accepted: 0,
        filled: 0,
        ids: Vec::new(),
        ended: None,
        cuts: 0,
        due: Ts::NONE,
    };
    drive.run(&mut hands, std::future::pending()).await;
    hands.shop.close();
    assert!(hands.cuts > 0 || bytes > 300, "nothing was cut after {bytes} bytes");
    let server = hands.shop.server.lock().expect("the server");
    assert_eq!(server.clients_twice, Vec::<String>::new(), "sent twice, after {bytes} bytes");
    let ended = hands.ended.unwrap_or_default();
    match server.orders.first() {
        // It was on its way in a connection that ended.
        None => assert!(ended.contains("never_arrived"), "after {bytes} bytes: {ended}"),
        Some(o) => {
            let told = (hands.accepted, hands.filled, hands.ids.len());
            assert_eq!(told, (1, o.filled, server.fills.len()), "after {bytes} bytes: {o:?}");
            assert_eq!((o.status, ended.contains("requested")), ("cancelled", true), "after {bytes} bytes: {ended}");
        }
    }
    assert!(server.orders.len() <= 1, "doubled, after {bytes} bytes");
}

#[test]
fn an_order_whose_connections_are_cut_after_any_byte_is_neither_doubled_nor_forgotten() {
    // The handshakes, logins, and all that is said of the order; by REST the time and what is open.
    for_every_byte(800, trade);
}
