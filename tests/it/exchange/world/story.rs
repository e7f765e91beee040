//! What stories do to the world, and what they hold it to at the end.

use std::sync::Arc;

use bellwether::exchange::gateway::{Earlier, Gateway, GatewaySettings};
use bellwether::exchange::machine::{Limits, Link};
use bellwether::exchange::{OrderStatus, Venue};
use bellwether_sdk::{OrderId, Price, Qty, Side};
use serde_json::Value;

use super::super::toy::{Toy, listings};
use super::{Ev, MS, Told, Who, World, approved, credential, order};

impl World {
    pub fn submit(&mut self, side: Side, qty: i64) -> OrderId {
        let id = OrderId(self.next_order);
        self.next_order += 1;
        let price = if side == Side::Buy { 9_000 } else { 11_000 };
        let now = self.ts();
        self.told.insert(id, Told { qty, side: Some(side), sent: now, ..Told::default() });
        self.gateway.submit(approved(order(id.0, side, qty, price)), Price::from_mantissa(10_000), now);
        self.carry_out();
        id
    }

    pub fn cancel(&mut self, id: OrderId) {
        self.told.entry(id).or_default().cancelled = true;
        let now = self.ts();
        self.gateway.cancel(id, now);
        self.carry_out();
    }

    /// The process that holds the gateway dies and begins again with what it was told; what it had said and not yet sent
    /// is lost.
    pub fn restart(&mut self) {
        self.restarted = true;
        self.conns.retain(|(who, _), _| *who == Who::Feed);
        let of_gateway = |e: &Ev| {
            matches!(
                e,
                Ev::Open(Who::Gateway, ..)
                    | Ev::ToServer(Who::Gateway, ..)
                    | Ev::ToClient(Who::Gateway, ..)
                    | Ev::Cut(Who::Gateway, ..)
                    | Ev::Arrive(Who::Gateway, ..)
                    | Ev::Answer(Who::Gateway, ..)
            )
        };
        self.events.retain(|_, e| !of_gateway(e));
        let (now, venue) = (self.ts(), Arc::new(Toy::numbers()));
        let facts = venue.facts().clone();
        let limits = Limits::new(facts.weight_per_minute, facts.orders_per_10s);
        let settings = GatewaySettings::new(self.session, facts.urls);
        self.gateway = Gateway::new(venue, listings(), credential(), settings, limits);
        for (id, told) in &self.told {
            let side = told.side.expect("a side");
            let price = if side == Side::Buy { 9_000 } else { 11_000 };
            let end = |text: &String| match text.split(':').next() {
                Some("rejected") => OrderStatus::Rejected,
                Some("expired") => OrderStatus::Expired,
                _ => OrderStatus::Cancelled,
            };
            let filled = (told.filled >= told.qty).then_some(OrderStatus::Filled);
            let earlier = Earlier {
                order: approved(order(id.0, side, told.qty, price)),
                reference: Price::from_mantissa(10_000),
                sent: told.sent,
                attempts: told.attempts.max(1),
                accepted: told.accepted > 0,
                cancelled: told.cancelled,
                ended: told.ends.first().map(end).or(filled),
                filled: Qty::from_mantissa(told.filled),
                seen: told.ids.clone(),
            };
            self.gateway.adopt(earlier, now);
        }
        self.gateway.start(now);
        self.carry_out();
    }

    /// So much of the venue's order at a place fills.
    pub fn fill(&mut self, at: usize, qty: i64) {
        for text in self.server.fill_of(at, qty, self.now / MS) {
            self.broadcast("orders", &text);
        }
    }

    /// Cuts all connections.
    pub fn cut_all(&mut self) {
        let all: Vec<(Who, Link)> = self.conns.keys().copied().collect();
        for (who, link) in all {
            self.event(Ev::Cut(who, link));
        }
    }

    /// The private stream says something.
    pub fn say_private(&mut self, v: &Value) {
        let now = self.ts();
        let link = self.conns.iter().find(|((who, _), c)| *who == Who::Gateway && c.url.ends_with("account"));
        let link = link.map(|((_, link), _)| *link).expect("a private stream");
        self.gateway.on_text(link, &v.to_string(), now);
        self.carry_out();
    }

    /// A message of the market stream arrives as it is.
    pub fn say_market(&mut self, text: &str) {
        let now = self.ts();
        let link = self.conns.keys().find(|(who, _)| *who == Who::Feed).map(|(_, link)| *link).expect("a stream");
        self.told_by_feed(|feed, sink| feed.on_text(link, text, now, sink));
        self.carry_out();
    }

    /// The feed's connections stay open and say nothing more.
    pub fn mute_feed(&mut self) {
        for ((who, _), conn) in &mut self.conns {
            conn.mute |= *who == Who::Feed;
        }
    }

    /// The feed's connections say nothing more of books, and all else.
    pub fn mute_depth(&mut self) {
        for ((who, _), conn) in &mut self.conns {
            conn.subs.retain(|topic| *who != Who::Feed || !topic.contains("depth"));
        }
    }

    /// The trading socket stays open, and what is said on it is lost.
    pub fn kill_trading_socket(&mut self) {
        for conn in self.conns.values_mut().filter(|c| c.url.ends_with("trade")) {
            conn.dead = true;
        }
    }

    pub fn open_urls(&self) -> Vec<&str> {
        self.conns.values().map(|c| c.url.as_str()).collect()
    }

    /// Our knowledge of every order against the venue's.
    pub fn check_orders(&self) {
        assert_eq!(self.halts, Vec::<String>::new(), "the key was good");
        assert_eq!(self.server.clients_twice, Vec::<String>::new(), "a client id was sent twice");
        for (id, told) in &self.told {
            let is_mine = |c: &str| c.parse().is_ok_and(|c| bellwether::exchange::gateway::order_of(c) == *id);
            let there: Vec<_> = self.server.orders.iter().filter(|o| is_mine(&o.client)).collect();
            assert!(there.len() <= 1, "order {id:?} stands {} times", there.len());
            assert!(told.ends.len() <= 1, "order {id:?} ended more than once: {told:?}");
            assert!(told.accepted <= 1, "order {id:?}: {told:?}");
            match there.first() {
                // Refused, or cancelled before it could be sent.
                None => {
                    let ended =
                        told.ends.first().is_some_and(|e| e.starts_with("rejected") || e == "cancelled: requested");
                    assert!(ended && told.filled == 0, "{id:?} is lost: {told:?}");
                }
                Some(o) => {
                    assert_eq!(told.filled, o.filled, "fills of {id:?}: {told:?} {o:?}");
                    let open = matches!(o.status, "open" | "part");
                    let ended = told.ends.len() == 1 || told.filled == told.qty;
                    assert_eq!(open, !ended, "{id:?}: {told:?} {o:?}");
                    let view = self.gateway.orders().find(|v| v.id == *id).expect("a view");
                    // Of what had ended before a restart the id at the venue is not asked for.
                    assert!(view.venue_id == o.id || self.restarted && !open, "{view:?} {o:?}");
                }
            }
        }
    }
}
