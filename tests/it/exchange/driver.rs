//! The driver and the network transport, over real sockets on this machine.

use std::sync::Arc;
use std::time::Duration;

use bellwether::exchange::drive::{Desk, Drive, Hands, Latency, WallClock};
use bellwether::exchange::feed::{Feed, FeedEvent, FeedSettings};
use bellwether::exchange::gateway::{Gateway, GatewayEvent, GatewaySettings};
use bellwether::exchange::machine::Limits;
use bellwether::exchange::transport::{Frame, Live, LiveSettings, Socket, Transport, TransportError};
use bellwether::exchange::{Listings, Request, Topic, Venue};
use bellwether::orders::Answer;
use bellwether_sdk::{OrderId, Price, Side, Ts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::shop::{Shop, urls};
use super::toy::{Toy, listings};
use super::world::{BTC, approved, credential, order};

/// Buys once when the book is there and the private stream is on, cancels when it is accepted, and stops.
#[derive(Default)]
struct Trader {
    book: bool,
    private: bool,
    sent: bool,
    told: Vec<String>,
    depths: u32,
    private_lost: u32,
}

impl Hands for Trader {
    fn on_feed(&mut self, _: usize, event: FeedEvent<'_>, _: Ts, desk: &mut Desk<'_>) {
        if let FeedEvent::Depth(depth) = event {
            self.book |= depth.snapshot;
            self.depths += 1;
        }
        if self.book && self.private && !self.sent && self.depths > 20 {
            self.sent = true;
            desk.submit(0, approved(order(1, Side::Buy, 5, 9_000)), Price::from_mantissa(10_000));
        }
    }

    fn on_gateway(&mut self, _: usize, event: GatewayEvent, _: Ts, desk: &mut Desk<'_>) {
        match event {
            GatewayEvent::Private(on) => {
                self.private = on;
                self.private_lost += u32::from(!on);
            }
            GatewayEvent::Answer(Answer::Accepted(id)) => {
                self.told.push("accepted".to_owned());
                desk.cancel(0, id);
            }
            GatewayEvent::Answer(Answer::Cancelled(OrderId(1), why)) => {
                self.told.push(format!("cancelled: {why}"));
                desk.stop();
            }
            GatewayEvent::Answer(other) => self.told.push(format!("{other:?}")),
            GatewayEvent::Note(words) => self.told.push(words),
            _ => {}
        }
    }

    fn on_time(&mut self, _: Ts, _: &mut Desk<'_>) {}

    fn next_due(&self) -> Ts {
        Ts::MAX
    }
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), future).await.expect("in time") })
}

#[test]
fn an_order_goes_out_and_is_cancelled_over_real_sockets_and_its_way_is_measured() {
    block_on(async {
        let (shop, at) = Shop::open().await;
        let urls = urls(&at);
        let venue: Arc<dyn Venue> = Arc::new(Toy::numbers());
        let limits = Limits::new(6_000, 100);
        let topics = [Topic::Trades(BTC), Topic::Depth(BTC, 100)];
        let settings = FeedSettings::default();
        let (feed, _) = Feed::new(Arc::clone(&venue), listings(), &topics, &urls, settings, Arc::clone(&limits));
        let settings = GatewaySettings::new(9, urls.clone());
        let gateway = Gateway::new(venue, listings(), credential(), settings, limits);
        let transport = Arc::new(Live::new(LiveSettings::default()).expect("a transport"));
        let mut drive = Drive::new(transport, Box::new(WallClock::default())).with_probe(Box::new(Latency::default()));
        drive.add_feed(feed, urls.rest.clone());
        drive.add_gateway(gateway, urls.rest.clone());
        let mut trader = Trader::default();
        drive.run(&mut trader, std::future::pending()).await;
        assert_eq!(trader.told, ["accepted", "cancelled: requested"]);
        assert_eq!(shop.server.lock().expect("the server").orders[0].status, "cancelled");
        let latency = drive.probe().as_any().downcast_ref::<Latency>().expect("the probe");
        assert!(latency.stages().parse.len() > 20 && latency.stages().whole.len() == 1, "{latency:?}");
    });
}

/// How often an account's connection without a message was taken for dead.
fn lost_in_silence(ping_ms: u64) -> u32 {
    block_on(async {
        let (_shop, at) = Shop::that_pings(ping_ms).await;
        let urls = urls(&at);
        let venue: Arc<dyn Venue> = Arc::new(Toy::that_wants_no_words(1_000));
        let gateway = Gateway::new(
            venue,
            listings(),
            credential(),
            GatewaySettings::new(9, urls.clone()),
            Limits::new(6_000, 100),
        );
        let transport = Arc::new(Live::new(LiveSettings::default()).expect("a transport"));
        let mut drive = Drive::new(transport, Box::new(WallClock::default()));
        drive.add_gateway(gateway, urls.rest.clone());
        let mut trader = Trader::default();
        drive.run(&mut trader, tokio::time::sleep(Duration::from_millis(2_500))).await;
        trader.private_lost
    })
}

#[test]
fn a_connection_that_is_pinged_lives_and_one_without_a_sign_is_dead() {
    assert_eq!(lost_in_silence(100), 0);
    assert!(lost_in_silence(60_000) > 0, "nobody pings");
}

#[test]
fn a_stop_that_is_asked_for_ends_the_run() {
    block_on(async {
        let transport = Arc::new(Live::new(LiveSettings::default()).expect("a transport"));
        let mut drive = Drive::new(transport, Box::new(WallClock::default()));
        let mut trader = Trader::default();
        drive.run(&mut trader, tokio::time::sleep(Duration::from_millis(20))).await;
        assert!(trader.told.is_empty());
    });
}

/// Sockets that always have one more message, up to a count at which they end.
struct Flood;

struct FloodSocket(u32);

#[async_trait::async_trait]
impl Transport for Flood {
    async fn http(&self, _: &str, _: &Request) -> Result<bellwether::exchange::Response, TransportError> {
        std::future::pending().await
    }

    async fn connect(&self, _: &str) -> Result<Box<dyn Socket>, TransportError> {
        Ok(Box::new(FloodSocket(0)))
    }
}

#[async_trait::async_trait]
impl Socket for FloodSocket {
    async fn send(&mut self, _: &str) -> Result<(), TransportError> {
        Ok(())
    }

    fn poll_recv(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Frame> {
        self.0 += 1;
        assert!(self.0 < 20_000_000, "the flood was told whole, and no timer ran");
        std::task::Poll::Ready(Frame::Text(r#"{"t":"pong"}"#.to_owned().into()))
    }

    async fn close(&mut self) {}
}

#[test]
fn a_flood_of_messages_does_not_keep_clocks_and_other_sockets_waiting() {
    block_on(async {
        let venue: Arc<dyn Venue> = Arc::new(Toy::numbers());
        let urls = venue.facts().urls.clone();
        let topics = [Topic::Trades(BTC)];
        let limits = Limits::new(6_000, 100);
        let (feed, _) = Feed::new(venue, listings(), &topics, &urls, FeedSettings::default(), limits);
        let mut drive = Drive::new(Arc::new(Flood), Box::new(WallClock::default()));
        drive.add_feed(feed, urls.rest);
        drive.run(&mut Trader::default(), tokio::time::sleep(Duration::from_millis(50))).await;
    });
}

/// Answers the refusal of an order with the next one.
#[derive(Default)]
struct Stubborn(u64);

impl Stubborn {
    fn place(&mut self, desk: &mut Desk<'_>) {
        self.0 += 1;
        desk.submit(0, approved(order(self.0, Side::Buy, 5, 9_000)), Price::from_mantissa(10_000));
    }
}

impl Hands for Stubborn {
    fn on_feed(&mut self, _: usize, _: FeedEvent<'_>, _: Ts, _: &mut Desk<'_>) {}

    fn on_gateway(&mut self, _: usize, event: GatewayEvent, _: Ts, desk: &mut Desk<'_>) {
        if let GatewayEvent::Answer(Answer::Rejected(..)) = event {
            self.place(desk);
        }
    }

    fn on_time(&mut self, _: Ts, desk: &mut Desk<'_>) {
        self.place(desk);
    }

    fn next_due(&self) -> Ts {
        if self.0 == 0 { Ts::NONE } else { Ts::MAX }
    }
}

#[test]
fn an_order_for_every_refusal_does_not_keep_the_end_waiting() {
    block_on(async {
        let venue: Arc<dyn Venue> = Arc::new(Toy::numbers());
        let urls = venue.facts().urls.clone();
        let limits = Limits::new(6_000, 100);
        // Not listed at the venue: refused before anything is sent.
        let nothing = Listings::default();
        let gateway = Gateway::new(venue, nothing, credential(), GatewaySettings::new(9, urls.clone()), limits);
        let mut drive = Drive::new(Arc::new(Flood), Box::new(WallClock::default()));
        drive.add_gateway(gateway, urls.rest);
        let mut hands = Stubborn::default();
        drive.run(&mut hands, tokio::time::sleep(Duration::from_millis(50))).await;
        assert!(hands.0 > 2_000, "{} orders", hands.0);
    });
}

#[test]
fn the_transport_says_whether_anything_may_have_been_sent() {
    block_on(async {
        let settings = LiveSettings { request_timeout_ms: 500, response_max: 10_000, ..LiveSettings::default() };
        let live = Live::new(settings).expect("a transport");
        let ask = Request::get("/time", "", 1);
        let refused = live.http("http://127.0.0.1:1", &ask).await;
        assert!(matches!(&refused, Err(e) if e.nothing_sent()), "{refused:?}");
        let nameless = live.http("http://no-such-host.invalid", &ask).await;
        assert!(matches!(&nameless, Err(e) if e.nothing_sent()), "{nameless:?}");
        let nameless = live.connect("ws://no-such-host.invalid/").await.map(|_| ());
        assert!(matches!(&nameless, Err(e) if e.nothing_sent()), "{nameless:?}");
        // Reads the request and hangs up; then one that never answers.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            let mut kept = Vec::new();
            for n in 0.. {
                let Ok((mut socket, _)) = listener.accept().await else { return };
                let mut bytes = [0; 4_096];
                let _ = socket.read(&mut bytes).await;
                if n == 0 {
                    let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
                } else {
                    kept.push(socket);
                }
            }
        });
        for what in ["half an answer", "no answer in time"] {
            let answer = live.http(&at, &ask).await;
            assert!(matches!(&answer, Err(TransportError::Unknown(_))), "{what}: {answer:?}");
        }
        let (_, at) = Shop::open().await;
        let at = format!("http://{at}");
        let too_large = live.http(&at, &Request::get("/large", "", 1)).await;
        assert_eq!(too_large, Err(TransportError::TooLarge { max: 10_000 }));
        let elsewhere = live.http(&at, &Request::get("/elsewhere", "", 1)).await.expect("an answer");
        assert_eq!(elsewhere.status, 307, "redirects are not followed");
        let agent = live.http(&at, &Request::get("/agent", "", 1)).await.expect("an answer");
        assert!(agent.body.contains("bellwether/"), "{}", agent.body);
    });
}

#[test]
fn a_message_over_the_limit_closes_the_socket() {
    block_on(async {
        let (shop, at) = Shop::open().await;
        let live = Live::new(LiveSettings { message_max: 1_000, ..LiveSettings::default() }).expect("a transport");
        let mut socket = live.connect(&format!("ws://{at}/ws")).await.expect("a socket");
        socket.send(r#"{"op":"sub","topic":"orders"}"#).await.expect("sent");
        assert!(matches!(socket.recv().await, Frame::Text(text) if text.contains("ok")));
        let _ = shop.news.send(("orders", "x".repeat(2_000)));
        assert!(matches!(socket.recv().await, Frame::Closed(_)));
    });
}
