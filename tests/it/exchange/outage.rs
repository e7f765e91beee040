//! Six orders that the venue takes while its name cannot be looked up any more: through the machine in virtual time,
//! and over real sockets with a name that does not resolve.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bellwether::exchange::drive::{Desk, Drive, Hands, WallClock};
use bellwether::exchange::feed::{FeedEvent, FeedSettings};
use bellwether::exchange::gateway::{Gateway, GatewayEvent, GatewaySettings};
use bellwether::exchange::machine::Limits;
use bellwether::exchange::transport::{Frame, Live, LiveSettings, Socket, Transport, TransportError};
use bellwether::exchange::{OrderStatus, Request, Response, Urls};
use bellwether::orders::Answer;
use bellwether_sdk::{OrderId, Price, Side, Ts};

use super::driver::block_on;
use super::shop::{Shop, ms, urls};
use super::toy::{Toy, listings};
use super::world::{World, approved, credential, order};

#[test]
fn six_orders_accepted_during_a_dns_outage_are_known_and_managed_after_it() {
    let mut world = World::new(41, false, FeedSettings::default());
    (world.server.eager, world.server.picky) = (false, false);
    world.run(3_000, |_| {});
    world.ticking = false;
    let ids: Vec<OrderId> =
        (0..6).map(|i| world.submit(if i % 2 == 0 { Side::Buy } else { Side::Sell }, 500)).collect();
    // They arrive, and before any answer does, no name is found any more and all connections are gone.
    world.run(1, |_| {});
    assert_eq!(world.server.orders.len(), 6);
    assert!(ids.iter().all(|id| world.told[id].accepted == 0), "not answered yet");
    world.outage = true;
    world.cut_all();
    // One of them fills meanwhile, one in part.
    world.run(20_000, |_| {});
    world.fill(0, 500);
    world.fill(1, 200);
    world.run(25_000, |_| {});
    for id in &ids {
        let told = &world.told[id];
        assert_eq!(
            (told.unknown, told.known, told.accepted, told.filled, told.ends.len()),
            (1, 0, 0, 0, 0),
            "{told:?}"
        );
        let view = world.gateway.orders().find(|o| o.id == *id).expect("it is known of");
        assert_eq!(view.status, OrderStatus::Unknown);
    }
    world.outage = false;
    world.run(60_000, |_| {});
    let states = [OrderStatus::Filled, OrderStatus::PartlyFilled];
    for (i, id) in ids.iter().enumerate() {
        let told = &world.told[id];
        assert_eq!((told.known, told.accepted), (1, 1), "{told:?}");
        let view = world.gateway.orders().find(|o| o.id == *id).expect("known");
        assert_eq!(view.venue_id, world.server.orders[i].id);
        assert_eq!(view.status, *states.get(i).unwrap_or(&OrderStatus::Acknowledged));
    }
    assert_eq!((world.told[&ids[0]].filled, world.told[&ids[1]].filled), (500, 200));
    assert_eq!((world.server.orders.len(), world.server.clients_seen.len()), (6, 6), "each was sent once");
    world.check_orders();
    // And they are managed.
    ids.iter().for_each(|id| world.cancel(*id));
    world.run(20_000, |_| {});
    for id in &ids[1..] {
        assert_eq!(world.told[id].ends, ["cancelled: requested"]);
    }
    assert!(world.server.orders[1..].iter().all(|o| o.status == "cancelled"));
    world.check_orders();
}

/// The network, whose names can be lost. While it is deaf, what comes in is not read.
struct Names {
    live: Live,
    urls: Urls,
    deaf: AtomicBool,
    lost: AtomicBool,
}

impl Names {
    fn set(&self, deaf: bool, lost: bool) {
        self.deaf.store(deaf, Ordering::Relaxed);
        self.lost.store(lost, Ordering::Relaxed);
    }
}

/// The way to it, as the driver has it.
struct Way(Arc<Names>);

struct Wire(Arc<Names>, Box<dyn Socket>);

#[async_trait::async_trait]
impl Transport for Way {
    async fn http(&self, _: &str, request: &Request) -> Result<Response, TransportError> {
        let lost = self.0.lost.load(Ordering::Relaxed);
        let base = if lost { "http://no-such-host.invalid" } else { &self.0.urls.rest };
        self.0.live.http(base, request).await
    }

    async fn connect(&self, _: &str) -> Result<Box<dyn Socket>, TransportError> {
        let lost = self.0.lost.load(Ordering::Relaxed);
        let url = if lost { "ws://no-such-host.invalid/ws" } else { &self.0.urls.trade };
        Ok(Box::new(Wire(Arc::clone(&self.0), self.0.live.connect(url).await?)))
    }
}

#[async_trait::async_trait]
impl Socket for Wire {
    async fn send(&mut self, text: &str) -> Result<(), TransportError> {
        self.1.send(text).await
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Frame> {
        if self.0.lost.load(Ordering::Relaxed) {
            return Poll::Ready(Frame::Closed("cut".to_owned()));
        }
        if self.0.deaf.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        self.1.poll_recv(context)
    }

    async fn close(&mut self) {
        self.1.close().await;
    }
}

/// Sends six orders, loses the names when the venue has them, finds them again, and cancels what is left.
struct Story {
    shop: Shop,
    names: Arc<Names>,
    due: Ts,
    step: u32,
    unknown: Vec<OrderId>,
    known: Vec<OrderId>,
    accepted: Vec<OrderId>,
    cancelled: Vec<OrderId>,
    filled: Vec<(OrderId, i64)>,
    other: Vec<String>,
}

impl Hands for Story {
    fn on_feed(&mut self, _: usize, _: FeedEvent<'_>, _: Ts, _: &mut Desk<'_>) {}

    fn on_gateway(&mut self, _: usize, event: GatewayEvent, now: Ts, desk: &mut Desk<'_>) {
        match event {
            // The trading socket may need a moment more.
            GatewayEvent::Private(true) if self.step == 0 => self.due = now.plus(100_000_000),
            GatewayEvent::Unknown(id) => self.unknown.push(id),
            GatewayEvent::Known(id, _) => self.known.push(id),
            GatewayEvent::Answer(Answer::Accepted(id)) => self.accepted.push(id),
            GatewayEvent::Answer(Answer::Fill { order, qty, .. }) => self.filled.push((order, qty.mantissa())),
            GatewayEvent::Answer(Answer::Cancelled(id, "requested")) => self.cancelled.push(id),
            GatewayEvent::Answer(other) => self.other.push(format!("{other:?}")),
            _ => {}
        }
        if self.step == 3 && self.known.len() == 6 && self.filled.len() == 1 {
            self.step = 4;
            (2..=6).for_each(|id| desk.cancel(0, OrderId(id)));
        }
        if self.cancelled.len() == 5 {
            desk.stop();
        }
    }

    fn on_time(&mut self, now: Ts, desk: &mut Desk<'_>) {
        self.due = now.plus(5_000_000);
        let mut server = self.shop.server.lock().expect("the server");
        match self.step {
            0 => {
                self.names.set(true, false);
                for id in 1..=6 {
                    desk.submit(0, approved(order(id, Side::Buy, 5, 9_000)), Price::from_mantissa(10_000));
                }
                self.step = 1;
            }
            1 if server.orders.len() == 6 => {
                assert!(self.accepted.is_empty(), "not answered yet");
                self.names.set(false, true);
                server.fill_of(0, 5, ms());
                (self.step, self.due) = (2, now.plus(1_000_000_000));
            }
            1 => {}
            2 => {
                assert_eq!((self.unknown.len(), self.known.len(), self.accepted.len()), (6, 0, 0));
                self.names.set(false, false);
                (self.step, self.due) = (3, Ts::MAX);
            }
            _ => self.due = Ts::MAX,
        }
    }

    fn next_due(&self) -> Ts {
        self.due
    }
}

#[test]
fn six_orders_accepted_before_a_name_does_not_resolve_are_known_and_managed_over_real_sockets() {
    block_on(async {
        let (shop, at) = Shop::open().await;
        {
            let mut server = shop.server.lock().expect("the server");
            (server.eager, server.picky) = (false, false);
        }
        let urls = urls(&at);
        let live = Live::new(LiveSettings::default()).expect("a transport");
        let (deaf, lost) = (AtomicBool::new(false), AtomicBool::new(false));
        let names = Arc::new(Names { live, urls: urls.clone(), deaf, lost });
        let mut drive = Drive::new(Arc::new(Way(Arc::clone(&names))), Box::new(WallClock::default()));
        let settings = GatewaySettings::new(9, urls.clone());
        let venue = Arc::new(Toy::numbers());
        drive.add_gateway(Gateway::new(venue, listings(), credential(), settings, Limits::new(6_000, 100)), urls.rest);
        let mut story = Story {
            shop,
            names,
            due: Ts::MAX,
            step: 0,
            unknown: Vec::new(),
            known: Vec::new(),
            accepted: Vec::new(),
            cancelled: Vec::new(),
            filled: Vec::new(),
            other: Vec::new(),
        };
        drive.run(&mut story, std::future::pending()).await;
        assert_eq!((&story.filled[..], &story.other[..]), (&[(OrderId(1), 5)][..], &[][..]));
        let server = story.shop.server.lock().expect("the server");
        assert_eq!((server.orders.len(), &server.clients_twice[..]), (6, &[][..]), "each was sent once");
        assert!(server.orders[1..].iter().all(|o| o.status == "cancelled"));
        assert_eq!(story.accepted.len(), 6);
    });
}
