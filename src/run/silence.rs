//! What is silent of the feeds: strategies are told, and second sources stand in.

use bellwether_sdk::{Feature, InstrumentId, Price, Ts};

use super::market::Scale;
use super::pilot::Pilot;
use crate::engine::{Event, Told};
use crate::exchange::Topic;
use crate::exchange::drive::Desk;
use crate::exchange::feed::FeedEvent;
use crate::signal::{Body, News};

/// How often a second source's price is told at most.
const REFER_EVERY_NS: i64 = 100_000_000;

impl Pilot<'_, '_> {
    pub(super) fn on_stale(&mut self, topic: Topic, age_ms: u64, now: Ts, desk: &mut Desk<'_>) {
        let age_ns = i64::try_from(age_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        self.stale.insert(topic, now.plus(age_ns.saturating_neg()));
        self.alarm(now, format!("feed is stale: {topic:?}"));
        self.tell_stale(topic, now, desk);
    }

    /// Topics lost their connection, or (`false`) have one again.
    pub(super) fn on_cut(&mut self, topics: &[Topic], cut: bool, now: Ts, desk: &mut Desk<'_>) {
        for topic in topics {
            if cut {
                self.cut.insert(*topic)
            } else {
                self.cut.remove(topic)
            };
        }
        topics.iter().for_each(|topic| self.tell_stale(*topic, now, desk));
    }

    /// Tells strategies whether the feed of a topic's instrument is stale, where that is not what they were told last.
    /// What that was is asked of the engine: so it holds also for a session that was taken up.
    pub(super) fn tell_stale(&mut self, topic: Topic, now: Ts, desk: &mut Desk<'_>) {
        let instrument = topic.instrument();
        let stale = self.stale.keys().chain(&self.cut).any(|t| t.instrument() == instrument);
        let known = self.session.circuit.engine().view().features.get(Feature::FEED_STALE, instrument);
        if stale == known.is_some_and(|f| f.value != 0.0) {
            return;
        }
        let name = Feature::FEED_STALE.into();
        let body = Body::Feature { name, instrument: Some(instrument), value: f64::from(u8::from(stale)) };
        let news = News { at: now.max(self.session.now), source: "feed".to_owned(), message: String::new(), body };
        self.tell(Told::News(&news), desk);
    }

    /// A second source: its price judges the first's; while the first is stale, its trades and quotes stand in.
    pub(super) fn on_second(
        &mut self,
        (of, scale): (InstrumentId, Scale),
        event: FeedEvent<'_>,
        now: Ts,
        desk: &mut Desk<'_>,
    ) {
        let (instrument, price, stands_in) = match event {
            FeedEvent::Trade(mut trade) => {
                (trade.price, trade.qty) = (scale.price(trade.price), scale.qty(trade.qty));
                let stands_in = self.stale.contains_key(&Topic::Trades(trade.instrument));
                if stands_in {
                    self.tell(Told::Market(Event::Trade(&trade)), desk);
                }
                (trade.instrument, trade.price, stands_in)
            }
            FeedEvent::Quote(mut quote) => {
                (quote.bid, quote.ask) = (scale.price(quote.bid), scale.price(quote.ask));
                (quote.bid_qty, quote.ask_qty) = (scale.qty(quote.bid_qty), scale.qty(quote.ask_qty));
                let stands_in = self.stale.contains_key(&Topic::Quotes(quote.instrument));
                if stands_in {
                    self.tell(Told::Market(Event::Quote(&quote)), desk);
                }
                (quote.instrument, quote.mid(), stands_in)
            }
            FeedEvent::Reconnecting(_, _, _, why) => {
                self.alarm(now, format!("second source disconnected: {why}"));
                return self.forget_second(of, now, desk);
            }
            FeedEvent::Stale(topic, _) => {
                self.alarm(now, format!("second source is stale: {topic:?}"));
                return self.forget_second(of, now, desk);
            }
            _ => return,
        };
        if stands_in {
            self.heard = now;
            self.alarm(now, "the second source stands in for a stale first".to_owned());
        }
        let last = self.referred.get(&instrument).copied().unwrap_or((Price::ZERO, Ts::NONE));
        if price != last.0 && !price.is_zero() && last.1.plus(REFER_EVERY_NS) <= now {
            self.referred.insert(instrument, (price, now));
            self.tell(Told::Reference(instrument, price, now.max(self.session.now)), desk);
        }
    }

    /// What a second source said last judges no longer: it is silent. What it says next does again.
    fn forget_second(&mut self, instrument: InstrumentId, now: Ts, desk: &mut Desk<'_>) {
        if self.referred.remove(&instrument).is_some() {
            self.tell(Told::Reference(instrument, Price::ZERO, now.max(self.session.now)), desk);
        }
    }
}
