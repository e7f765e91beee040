//! What is known of each topic, whichever connection carries it.

use bellwether_sdk::{InstrumentId, Interval, Price, Rate, Trade, Ts};

use super::bars::Bars;
use super::{FeedEvent, FeedSettings, FeedSink, StaleAfter, nanos};
use crate::exchange::Topic;

/// Trades remembered to know duplicates by, per topic.
const REMEMBERED: usize = 4096;

/// So long after a connection began, trades are held against those remembered: venues repeat some at a subscription.
const DOUBT_NS: i64 = 60_000_000_000;

/// A topic's state.
#[derive(Debug)]
pub(super) struct TopicState {
    pub(super) topic: Topic,
    /// When it was heard last; the first time that the machine was told before that.
    heard: Ts,
    /// When a connection of it was opened last.
    opened: Ts,
    stale: bool,
    /// It was heard of on some connection: the venue has it.
    is_known: bool,
    /// While it is stale: when it was seen that its instrument traded since it was heard.
    traded: Ts,
    /// How often a connection was given up for its sake since it was heard.
    given_up: u32,
    doubt_until: Ts,
    seen: Vec<u64>,
    oldest: usize,
    pub(super) bars: Bars,
    /// Funding rate, settlement and mark as they were told last.
    funding: (Option<Rate>, Ts, Price),
}

impl TopicState {
    fn new(topic: Topic) -> Self {
        let bars = Bars::default();
        Self {
            topic,
            heard: Ts::NONE,
            opened: Ts::NONE,
            stale: false,
            is_known: false,
            traded: Ts::NONE,
            given_up: 0,
            doubt_until: Ts::NONE,
            seen: Vec::new(),
            oldest: 0,
            bars,
            funding: (None, Ts::NONE, Price::ZERO),
        }
    }

    /// Takes what is told of funding; gives the whole of it once that is known.
    pub(super) fn funding(&mut self, rate: Option<Rate>, at: Ts, mark: Price) -> Option<(Rate, Ts, Price)> {
        let known = &mut self.funding;
        known.0 = rate.or(known.0);
        known.1 = if at == Ts::NONE { known.1 } else { at };
        known.2 = if mark.is_zero() { known.2 } else { mark };
        known.0.map(|rate| (rate, known.1, known.2))
    }

    /// A connection that carries it was opened.
    pub(super) fn expect(&mut self, now: Ts) {
        self.opened = now;
        self.doubt_until = now.plus(DOUBT_NS);
    }

    /// The connection that carried it is gone.
    pub(super) fn connection_lost(&mut self) {
        self.bars.connection_lost();
    }

    /// It was heard of.
    #[inline]
    pub(super) fn heard(&mut self, now: Ts, sink: &mut dyn FeedSink) {
        (self.heard, self.is_known) = (now, true);
        if self.stale {
            (self.stale, self.traded, self.given_up) = (false, Ts::NONE, 0);
            sink.feed(FeedEvent::Alive(self.topic));
        }
    }

    fn limit(&self, after: &StaleAfter) -> Option<i64> {
        let ms = match self.topic {
            Topic::Trades(_) => after.trades_ms,
            Topic::Quotes(_) => after.quotes_ms,
            Topic::Depth(..) => after.depth_ms,
            Topic::Funding(_) => after.funding_ms,
            Topic::Bars(_, interval) if after.bars_ms > 0 => {
                return Some(nanos(after.bars_ms).saturating_add(interval.nanos()));
            }
            Topic::Bars(..) => 0,
        };
        (ms > 0).then(|| nanos(ms))
    }

    /// When a connection that is silent on it may be given up: twice as long as allowed after it was heard or the
    /// connection was opened; [`Ts::MAX`] while it is not stale.
    pub(super) fn given_up_at(&self, after: &StaleAfter) -> Ts {
        match self.limit(after) {
            Some(limit) if self.stale => self.heard.max(self.opened).plus(limit.saturating_mul(2)),
            _ => Ts::MAX,
        }
    }

    pub(super) fn watch(&mut self, after: &StaleAfter, now: Ts, sink: &mut dyn FeedSink) {
        if self.heard == Ts::NONE {
            self.heard = now;
        }
        let Some(limit) = self.limit(after) else { return };
        if !self.stale && now >= self.heard.plus(limit) {
            self.stale = true;
            let age = u64::try_from(now.nanos().saturating_sub(self.heard.nanos()) / 1_000_000).unwrap_or(0);
            sink.feed(FeedEvent::Stale(self.topic, age));
        }
    }

    fn stale_due(&self, after: &StaleAfter) -> Ts {
        match self.limit(after) {
            _ if self.heard == Ts::NONE => Ts::NONE,
            Some(limit) if !self.stale => self.heard.plus(limit),
            _ => Ts::MAX,
        }
    }

    /// Whether a trade is new. `doubt` says that two connections carry it.
    #[inline]
    pub(super) fn is_new(&mut self, trade: &Trade, id: u64, doubt: bool) -> bool {
        let key = if id == 0 { key_of(trade) } else { id };
        if (doubt || trade.ts < self.doubt_until) && self.seen.contains(&key) {
            return false;
        }
        if self.seen.len() < REMEMBERED {
            self.seen.push(key);
        } else {
            self.seen[self.oldest] = key;
            self.oldest = (self.oldest + 1) % REMEMBERED;
        }
        true
    }
}

/// What stands for an id where the venue gives none: FNV-1a over the trade's own numbers. Two equal trades of one venue
/// time are then taken for one, but only while a duplicate is to be expected.
fn key_of(trade: &Trade) -> u64 {
    let numbers = [trade.ts_venue.nanos(), trade.price.mantissa(), trade.qty.mantissa(), trade.aggressor as i64];
    numbers.iter().fold(0xcbf2_9ce4_8422_2325, |hash, n| (hash ^ *n as u64).wrapping_mul(0x0100_0000_01b3)) | 1 << 63
}

/// Indices of one instrument's topics.
#[derive(Debug, Clone, Copy, Default)]
struct Places {
    trades: Option<usize>,
    quotes: Option<usize>,
    depth: Option<usize>,
    funding: Option<usize>,
}

/// All topics of a feed, found without hashing.
#[derive(Debug)]
pub(super) struct Topics {
    pub(super) states: Vec<TopicState>,
    places: Vec<Places>,
    bars: Vec<(InstrumentId, Interval, usize)>,
}

impl Topics {
    pub(super) fn new(topics: &[Topic]) -> Self {
        let mut all = Self { states: Vec::new(), places: Vec::new(), bars: Vec::new() };
        for topic in topics {
            if all.position(topic).is_some() {
                continue;
            }
            let at = all.states.len();
            let index = topic.instrument().index();
            if all.places.len() <= index {
                all.places.resize(index + 1, Places::default());
            }
            let places = &mut all.places[index];
            match topic {
                Topic::Trades(_) => places.trades = Some(at),
                Topic::Quotes(_) => places.quotes = Some(at),
                Topic::Depth(..) => places.depth = Some(at),
                Topic::Funding(_) => places.funding = Some(at),
                Topic::Bars(id, interval) => all.bars.push((*id, *interval, at)),
            }
            all.states.push(TopicState::new(*topic));
        }
        all
    }

    pub(super) fn position(&self, topic: &Topic) -> Option<usize> {
        match topic {
            Topic::Trades(id) => self.trades(*id),
            Topic::Quotes(id) => self.quotes(*id),
            Topic::Depth(id, _) => self.depth(*id),
            Topic::Funding(id) => self.funding(*id),
            Topic::Bars(id, interval) => self.bars(*id, *interval),
        }
    }

    #[inline]
    pub(super) fn trades(&self, id: InstrumentId) -> Option<usize> {
        self.places.get(id.index())?.trades
    }

    #[inline]
    pub(super) fn quotes(&self, id: InstrumentId) -> Option<usize> {
        self.places.get(id.index())?.quotes
    }

    #[inline]
    pub(super) fn depth(&self, id: InstrumentId) -> Option<usize> {
        self.places.get(id.index())?.depth
    }

    pub(super) fn funding(&self, id: InstrumentId) -> Option<usize> {
        self.places.get(id.index())?.funding
    }

    pub(super) fn bars(&self, id: InstrumentId, interval: Interval) -> Option<usize> {
        self.bars.iter().find(|b| b.0 == id && b.1 == interval).map(|b| b.2)
    }

    /// Tells what became stale, and sees what trades all the same.
    pub(super) fn watch(&mut self, after: &StaleAfter, now: Ts, sink: &mut dyn FeedSink) {
        for at in 0..self.states.len() {
            self.states[at].watch(after, now, sink);
            let state = &self.states[at];
            let (Topic::Quotes(id) | Topic::Depth(id, _)) = state.topic else { continue };
            let trades = self.trades(id).map_or(Ts::NONE, |t| self.states[t].heard);
            if state.stale && state.is_known && state.traded == Ts::NONE && trades > state.heard {
                self.states[at].traded = now;
            }
        }
    }

    /// When quotes or a book are given up for lost: so long after their instrument traded, or their connection was opened,
    /// as they may be silent; later each time. Quiet markets are silent too, but a trade changes what is offered.
    /// [`Ts::MAX`] while nothing speaks for that.
    pub(super) fn lost_at(&self, at: usize, after: &StaleAfter) -> Ts {
        let state = &self.states[at];
        match state.limit(after) {
            Some(limit) if state.traded != Ts::NONE => {
                state.traded.max(state.opened).plus(limit.saturating_mul(1 << state.given_up.min(10)))
            }
            _ => Ts::MAX,
        }
    }

    /// A connection is given up for what is lost by now; the first of that.
    pub(super) fn give_up(&mut self, of: &[usize], after: &StaleAfter, now: Ts) -> Option<Topic> {
        let lost: Vec<usize> = of.iter().copied().filter(|at| self.lost_at(*at, after) <= now).collect();
        lost.iter().for_each(|at| self.states[*at].given_up += 1);
        lost.first().map(|at| self.states[*at].topic)
    }

    /// Ends bars whose time is over by the venue's clock.
    pub(super) fn close_bars(&mut self, now: Ts, venue_now: Ts, grace: i64, sink: &mut dyn FeedSink) {
        for (_, _, at) in &self.bars {
            self.states[*at].bars.on_time(now, venue_now, grace, sink);
        }
    }

    /// When a topic becomes stale, or a bar ends, by our clock.
    pub(super) fn next_due(&self, settings: &FeedSettings, clock_offset: i64) -> Ts {
        let stale = self.states.iter().map(|s| s.stale_due(&settings.stale)).min().unwrap_or(Ts::MAX);
        let grace = nanos(settings.bar_grace_ms);
        let bars = self.bars.iter().map(|(_, _, at)| self.states[*at].bars.due(grace)).min().unwrap_or(Ts::MAX);
        let bars = if bars == Ts::MAX { bars } else { bars.plus(clock_offset.saturating_neg()) };
        stale.min(bars)
    }
}

/// Counts what was not understood, and tells it now and then.
#[derive(Debug, Default)]
pub(super) struct Unexpected {
    count: u64,
    told: u64,
    words: String,
    quiet_until: Option<Ts>,
}

impl Unexpected {
    const EVERY_NS: i64 = 10_000_000_000;

    pub(super) fn count(&mut self, words: &str, now: Ts, sink: &mut dyn FeedSink) {
        self.count += 1;
        self.words.clear();
        self.words.extend(words.chars().take(300));
        self.tell(now, sink);
    }

    pub(super) fn tell(&mut self, now: Ts, sink: &mut dyn FeedSink) {
        if self.told == self.count || self.quiet_until.is_some_and(|until| now < until) {
            return;
        }
        self.told = self.count;
        self.quiet_until = Some(now.plus(Self::EVERY_NS));
        sink.feed(FeedEvent::Unexpected(self.count, &self.words));
    }

    pub(super) fn due(&self) -> Ts {
        match self.quiet_until {
            Some(until) if self.told != self.count => until,
            _ => Ts::MAX,
        }
    }
}
