//! The driver: one thread that reads sockets, lets the machines think, and writes what they want written.
//!
//! Feeds, gateways and whoever decides (the [`Hands`]) run on one single-threaded runtime. A message is read, told, and
//! the orders that come of it are handed to their socket before the next message is looked at: no channel and no other
//! thread lies between. Nothing here waits for a disk. What is queued is bounded by what venues may have open: one
//! answer per request, one frame per socket.

mod clock;
mod latency;
mod sockets;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bellwether_sdk::{InstrumentId, OrderId, Price, Qty, Ts};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;

use super::Response;
use super::feed::{Feed, FeedEvent};
use super::gateway::{Gateway, GatewayEvent};
use super::machine::{Action, Link, Tag};
use super::transport::{Frame, Socket, Transport, TransportError};
use crate::orders::Order;
use crate::risk::Approved;
use sockets::Sockets;

pub use clock::{Clock, WallClock};
pub use latency::{Histogram, Latency, Probe, Stage, Stages};

/// Frames that are handled before the runtime looks at its sockets and clocks again. A socket may have read thousands of
/// messages at once; until they are told, no other socket would be read, no request answered and no timer run.
const FRAMES_PER_TURN: u32 = 64;

/// Events of gateways that are told before sockets and clocks are looked at again. Hands that answer a refusal with the
/// next order, which is refused at once, would otherwise never let go.
const EVENTS_PER_TURN: u32 = 1_024;

/// Which machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Gateway(usize),
    Feed(usize),
}

/// What may be done from within a callback. It is done before the next message is read.
pub struct Desk<'a> {
    gateways: &'a mut [Gateway],
    now: Ts,
    stop: &'a mut bool,
}

impl Desk<'_> {
    /// The time of this callback.
    pub fn now(&self) -> Ts {
        self.now
    }

    /// Sends an order by a gateway, with the price it was judged by.
    pub fn submit(&mut self, gateway: usize, order: Approved<Order>, reference: Price) {
        if let Some(g) = self.gateways.get_mut(gateway) {
            g.submit(order, reference, self.now);
        }
    }

    /// Ends an order.
    pub fn cancel(&mut self, gateway: usize, id: OrderId) {
        if let Some(g) = self.gateways.get_mut(gateway) {
            g.cancel(id, self.now);
        }
    }

    /// Changes a resting order.
    pub fn amend(&mut self, gateway: usize, id: OrderId, price: Option<Price>, qty: Option<Qty>) {
        if let Some(g) = self.gateways.get_mut(gateway) {
            g.amend(id, price, qty, self.now);
        }
    }

    /// Ends all open orders of a gateway, of one instrument or all.
    pub fn cancel_all(&mut self, gateway: usize, instrument: Option<InstrumentId>) {
        if let Some(g) = self.gateways.get_mut(gateway) {
            g.cancel_all(instrument, self.now);
        }
    }

    /// A gateway, for looking at and for what is not of every day.
    pub fn gateway(&mut self, gateway: usize) -> Option<&mut Gateway> {
        self.gateways.get_mut(gateway)
    }

    /// Ends the run after this callback.
    pub fn stop(&mut self) {
        *self.stop = true;
    }
}

/// Whoever decides: the engine and what stands around it.
pub trait Hands {
    /// A feed told something.
    fn on_feed(&mut self, feed: usize, event: FeedEvent<'_>, now: Ts, desk: &mut Desk<'_>);

    /// A gateway told something.
    fn on_gateway(&mut self, gateway: usize, event: GatewayEvent, now: Ts, desk: &mut Desk<'_>);

    /// The bell rang: something came by another way than a feed or gateway.
    fn on_bell(&mut self, now: Ts, desk: &mut Desk<'_>) {
        let _ = (now, desk);
    }

    /// A message and all that came of it is done, and the next was not looked at.
    fn between(&mut self, now: Ts) {
        let _ = now;
    }

    /// The time that [`next_due`](Self::next_due) named has come.
    fn on_time(&mut self, now: Ts, desk: &mut Desk<'_>);

    /// When it wants to be told the time; [`Ts::MAX`] for not at all.
    fn next_due(&self) -> Ts;

    /// Someone asked to stop. The run goes on until [`Desk::stop`] is called.
    fn on_stop(&mut self, now: Ts, desk: &mut Desk<'_>) {
        let _ = now;
        desk.stop();
    }
}

/// What came of something that was begun.
enum Done {
    Opened(Of, Link, Result<Box<dyn Socket>, TransportError>),
    Answered(Of, Tag, Result<Response, TransportError>),
    Closed,
}

/// How a turn went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// There was nothing to do.
    Still,
    /// All was done.
    Moved,
    /// There is more to do.
    Unfinished,
}

type Begun = Pin<Box<dyn Future<Output = Done> + Send>>;

/// Completes when a bell rings; never where there is none.
async fn rung(bell: Option<&Notify>) {
    match bell {
        Some(bell) => bell.notified().await,
        None => std::future::pending().await,
    }
}

/// Feeds and gateways on one transport.
pub struct Drive {
    transport: Arc<dyn Transport>,
    clock: Box<dyn Clock>,
    probe: Box<dyn Probe>,
    feeds: Vec<(Feed, String)>,
    gateways: Vec<Gateway>,
    gateway_urls: Vec<String>,
    sockets: Sockets,
    begun: FuturesUnordered<Begun>,
    /// Actions to be carried out; kept for its memory.
    actions: Vec<(Of, Action)>,
    /// Connections that are being opened, and whether they were given up meanwhile.
    opening: BTreeMap<(Of, Link), bool>,
    /// Rings when the hands have something to look at.
    bell: Option<Arc<Notify>>,
    wakefulness: Wakefulness,
    stop: bool,
}

/// How long the thread goes on looking at its sockets before it sleeps. A processor that sleeps between two messages
/// takes longer to hear the next than the thread takes to handle it. So while messages come faster than this, it does not
/// sleep between them; after the first longer silence it does, until two come quickly again.
#[derive(Debug, Default)]
struct Wakefulness {
    /// Nanoseconds; 0 for never.
    lasts: i64,
    heard: Ts,
    until: Ts,
}

impl Wakefulness {
    fn hear(&mut self, now: Ts) {
        if self.lasts > 0 {
            let quick = now.nanos().saturating_sub(self.heard.nanos()) <= self.lasts;
            (self.heard, self.until) = (now, if quick { now.plus(self.lasts) } else { Ts::NONE });
        }
    }

    fn is_awake(&self, now: Ts) -> bool {
        now < self.until
    }
}

impl Drive {
    /// A driver without machines.
    pub fn new(transport: Arc<dyn Transport>, clock: Box<dyn Clock>) -> Self {
        Self {
            transport,
            clock,
            probe: Box::new(()),
            feeds: Vec::new(),
            gateways: Vec::new(),
            gateway_urls: Vec::new(),
            sockets: Sockets::default(),
            begun: FuturesUnordered::new(),
            actions: Vec::new(),
            opening: BTreeMap::new(),
            bell: None,
            wakefulness: Wakefulness::default(),
            stop: false,
        }
    }

    /// The same with a probe.
    #[must_use]
    pub fn with_probe(self, probe: Box<dyn Probe>) -> Self {
        Self { probe, ..self }
    }

    /// While messages come within so long of each other, the thread stays awake between them: it answers sooner, and keeps a
    /// processor busy. For real clocks only: a clock that stands still while the thread is awake would never move.
    #[must_use]
    pub fn awake_for(mut self, lasts: Duration) -> Self {
        self.wakefulness.lasts = i64::try_from(lasts.as_nanos()).unwrap_or(i64::MAX);
        self
    }

    /// Adds a feed whose REST base is at an address; gives its number.
    pub fn add_feed(&mut self, feed: Feed, rest_url: impl Into<String>) -> usize {
        self.feeds.push((feed, rest_url.into()));
        self.feeds.len() - 1
    }

    /// Adds a gateway whose REST base is at an address; gives its number.
    pub fn add_gateway(&mut self, gateway: Gateway, rest_url: impl Into<String>) -> usize {
        self.gateways.push(gateway);
        self.gateway_urls.push(rest_url.into());
        self.gateways.len() - 1
    }

    /// From now on the hands hear it when this bell rings.
    pub fn ring_for(&mut self, bell: Arc<Notify>) {
        self.bell = Some(bell);
    }

    /// The gateways.
    pub fn gateways(&self) -> &[Gateway] {
        &self.gateways
    }

    /// The feeds.
    pub fn feeds(&self) -> impl Iterator<Item = &Feed> {
        self.feeds.iter().map(|(feed, _)| feed)
    }

    /// The probe, with what it measured.
    pub fn probe(&self) -> &dyn Probe {
        &*self.probe
    }

    /// Runs until the hands stop it. `stop` completes when someone asks for that. Must run on a single-threaded tokio
    /// runtime with I/O and time.
    pub async fn run(&mut self, hands: &mut dyn Hands, stop: impl Future<Output = ()>) {
        let mut asked_to_stop = false;
        tokio::pin!(stop);
        let sleep = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(sleep);
        let now = self.clock.now();
        for gateway in &mut self.gateways {
            gateway.start(now);
        }
        let bell = self.bell.clone();
        let mut set_for = Ts::MAX;
        let mut frames = 0;
        while !self.stop {
            let now = self.clock.now();
            let mut due = self.next_due(hands);
            if due <= now {
                self.on_time(now, hands);
                due = Ts::NONE;
            }
            let settled = self.settle(hands).await;
            if settled != Settled::Still || due == Ts::NONE {
                due = self.next_due(hands);
            }
            if self.stop {
                break;
            }
            if settled == Settled::Still {
                hands.between(now);
            }
            // Most messages put off what is due. A sleep that ends too early costs a look at the clock; setting it anew
            // for every message costs more.
            if due < set_for {
                set_for = due;
                let wait = due.nanos().saturating_sub(self.clock.now().nanos()).clamp(0, 3_600_000_000_000);
                sleep.as_mut().reset(tokio::time::Instant::now() + Duration::from_nanos(wait.unsigned_abs()));
            }
            tokio::select! {
                biased;
                () = &mut stop, if !asked_to_stop => {
                    asked_to_stop = true;
                    let now = self.clock.now();
                    hands.on_stop(now, &mut Desk { gateways: &mut self.gateways, now, stop: &mut self.stop });
                }
                () = rung(bell.as_deref()) => {
                    let now = self.clock.now();
                    hands.on_bell(now, &mut Desk { gateways: &mut self.gateways, now, stop: &mut self.stop });
                }
                Some(done) = self.begun.next(), if !self.begun.is_empty() => self.done(done, hands),
                (of, link, frame) = self.sockets.next() => {
                    self.frame(of, link, frame, hands);
                    // An order goes out before anything else is looked at.
                    if self.gateways.iter().any(Gateway::has_actions) {
                        self.settle(hands).await;
                    }
                    frames = (frames + 1) % FRAMES_PER_TURN;
                    if frames == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                () = &mut sleep, if set_for != Ts::MAX => set_for = Ts::MAX,
                () = tokio::task::yield_now(), if settled == Settled::Unfinished || self.wakefulness.is_awake(now) => {}
            }
        }
        // What the last callback wanted sent, such as cancels, still goes out.
        self.settle(hands).await;
        self.sockets.close_all().await;
    }

    fn next_due(&self, hands: &dyn Hands) -> Ts {
        let feeds = self.feeds.iter().map(|(f, _)| f.next_due());
        let gateways = self.gateways.iter().map(Gateway::next_due);
        feeds.chain(gateways).min().unwrap_or(Ts::MAX).min(hands.next_due())
    }

    fn on_time(&mut self, now: Ts, hands: &mut dyn Hands) {
        let (gateways, stop) = (&mut self.gateways, &mut self.stop);
        for (i, (feed, _)) in self.feeds.iter_mut().enumerate().filter(|(_, (f, _))| f.next_due() <= now) {
            feed.on_time(now, &mut |event: FeedEvent<'_>| {
                hands.on_feed(i, event, now, &mut Desk { gateways, now, stop });
            });
        }
        for gateway in gateways.iter_mut().filter(|g| g.next_due() <= now) {
            gateway.on_time(now);
        }
        if hands.next_due() <= now {
            hands.on_time(now, &mut Desk { gateways, now, stop });
        }
    }

    /// A frame of a socket.
    fn frame(&mut self, of: Of, link: Link, frame: Frame, hands: &mut dyn Hands) {
        let now = self.clock.now();
        self.wakefulness.hear(now);
        let (gateways, stop, probe) = (&mut self.gateways, &mut self.stop, &mut self.probe);
        match (of, frame) {
            (Of::Feed(i), Frame::Text(text)) => {
                probe.stamp(Stage::Read);
                let mut first = true;
                self.feeds[i].0.on_text(link, &text, now, &mut |event: FeedEvent<'_>| {
                    if std::mem::take(&mut first) {
                        probe.stamp(Stage::Parsed);
                    }
                    hands.on_feed(i, event, now, &mut Desk { gateways, now, stop });
                });
                self.probe.stamp(Stage::Decided);
            }
            (Of::Gateway(i), Frame::Text(text)) => gateways[i].on_text(link, &text, now),
            (Of::Feed(i), Frame::Alive) => self.feeds[i].0.on_alive(link, now),
            (Of::Gateway(i), Frame::Alive) => gateways[i].on_alive(link, now),
            (_, Frame::Closed(why)) => self.closed(of, link, &why, hands),
        }
    }

    fn closed(&mut self, of: Of, link: Link, why: &str, hands: &mut dyn Hands) {
        drop(self.sockets.remove(of, link));
        let now = self.clock.now();
        let (gateways, stop) = (&mut self.gateways, &mut self.stop);
        match of {
            Of::Feed(i) => self.feeds[i].0.on_closed(link, why, now, &mut |event: FeedEvent<'_>| {
                hands.on_feed(i, event, now, &mut Desk { gateways, now, stop });
            }),
            Of::Gateway(i) => gateways[i].on_closed(link, why, now),
        }
    }

    /// Something that was begun is done.
    fn done(&mut self, done: Done, hands: &mut dyn Hands) {
        let now = self.clock.now();
        let (gateways, stop) = (&mut self.gateways, &mut self.stop);
        match done {
            Done::Closed => {}
            // The socket goes with it.
            Done::Opened(of, link, _) if self.opening.remove(&(of, link)) == Some(true) => {}
            Done::Opened(of, link, Err(error)) => self.closed(of, link, &error.to_string(), hands),
            Done::Opened(of, link, Ok(socket)) => {
                self.sockets.insert(of, link, socket);
                match of {
                    Of::Feed(i) => self.feeds[i].0.on_opened(link, now, &mut |event: FeedEvent<'_>| {
                        hands.on_feed(i, event, now, &mut Desk { gateways, now, stop });
                    }),
                    Of::Gateway(i) => gateways[i].on_opened(link, now),
                }
            }
            Done::Answered(Of::Feed(i), tag, answer) => {
                self.feeds[i].0.on_http(tag, answer.as_ref(), now, &mut |event: FeedEvent<'_>| {
                    hands.on_feed(i, event, now, &mut Desk { gateways, now, stop });
                });
            }
            Done::Answered(Of::Gateway(i), tag, answer) => gateways[i].on_http(tag, answer.as_ref(), now),
        }
    }

    /// Carries actions out and tells events until nothing moves, or the turn is over.
    async fn settle(&mut self, hands: &mut dyn Hands) -> Settled {
        let mut any = false;
        let mut left = EVENTS_PER_TURN;
        loop {
            let moved = self.tell(hands, &mut left);
            let mut actions = std::mem::take(&mut self.actions);
            for (i, gateway) in self.gateways.iter_mut().enumerate() {
                actions.extend(gateway.actions().map(|a| (Of::Gateway(i), a)));
            }
            for (i, (feed, _)) in self.feeds.iter_mut().enumerate() {
                actions.extend(feed.actions().map(|a| (Of::Feed(i), a)));
            }
            let done = actions.is_empty() && !moved;
            for (of, action) in actions.drain(..) {
                self.carry_out(of, action, hands).await;
            }
            self.actions = actions;
            any |= !done;
            if done || left == 0 {
                self.probe.stamp(Stage::Done);
                return match (done, any) {
                    (false, _) => Settled::Unfinished,
                    (true, true) => Settled::Moved,
                    (true, false) => Settled::Still,
                };
            }
        }
    }

    /// Tells what gateways have to tell, `left` events at most; whether there was anything.
    fn tell(&mut self, hands: &mut dyn Hands, left: &mut u32) -> bool {
        let mut moved = false;
        for i in 0..self.gateways.len() {
            while *left > 0
                && let Some(event) = self.gateways[i].next_event()
            {
                *left -= 1;
                moved = true;
                let now = self.clock.now();
                let (gateways, stop) = (&mut self.gateways, &mut self.stop);
                hands.on_gateway(i, event, now, &mut Desk { gateways, now, stop });
            }
        }
        moved
    }

    async fn carry_out(&mut self, of: Of, action: Action, hands: &mut dyn Hands) {
        match action {
            Action::Say { link, text, .. } => {
                let Some(socket) = self.sockets.get(of, link) else { return };
                if matches!(of, Of::Gateway(_)) {
                    self.probe.stamp(Stage::Ready);
                }
                match socket.send(&text).await {
                    Ok(()) if matches!(of, Of::Gateway(_)) => self.probe.stamp(Stage::Written),
                    Ok(()) => {}
                    Err(error) => self.closed(of, link, &error.to_string(), hands),
                }
            }
            Action::Connect { link, url } => {
                let transport = Arc::clone(&self.transport);
                self.opening.insert((of, link), false);
                self.begun.push(Box::pin(async move { Done::Opened(of, link, transport.connect(&url).await) }));
            }
            Action::Close { link } => {
                if let Some(mut socket) = self.sockets.remove(of, link) {
                    self.begun.push(Box::pin(async move {
                        socket.close().await;
                        Done::Closed
                    }));
                } else if let Some(given_up) = self.opening.get_mut(&(of, link)) {
                    *given_up = true;
                }
            }
            Action::Http { tag, request } => {
                let transport = Arc::clone(&self.transport);
                let base = match of {
                    Of::Feed(i) => self.feeds[i].1.clone(),
                    Of::Gateway(i) => self.gateway_urls[i].clone(),
                };
                self.begun.push(Box::pin(async move {
                    let answer = transport.http(&base, &request).await;
                    Done::Answered(of, tag, answer)
                }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_stays_awake_while_messages_come_quickly_and_sleeps_after_a_silence() {
        let at = |us: i64| Ts::from_nanos(us * 1_000);
        let mut w = Wakefulness { lasts: 100_000, heard: at(0), until: Ts::NONE };
        assert!(!w.is_awake(at(1)), "nothing was heard yet");
        w.hear(at(5_000));
        assert!(!w.is_awake(at(5_001)), "one message after a silence");
        w.hear(at(5_080));
        assert!(w.is_awake(at(5_100)) && w.is_awake(at(5_179)), "a second one soon after");
        assert!(!w.is_awake(at(5_180)), "a silence");
        w.hear(at(6_000));
        assert!(!w.is_awake(at(6_001)));
        let mut never = Wakefulness::default();
        (0..3).for_each(|n| never.hear(at(n)));
        assert!(!never.is_awake(at(3)));
    }
}
