//! A session that hears a made market, and the exchange of a live one.

use bellwether_sdk::{
    Aggressor, Funding, InstrumentId, Level, OrderKind, Price, Qty, Quote, Rate, Side, Signal, TimeInForce, Trade, Ts,
};

use super::busy::Dice;
use super::{SECOND, registry, start};
use crate::config::Settings;
use crate::engine::{Adopted, Adoption, Command, Fresh, Swap};
use crate::orders::Answer;
use crate::run::session::Session;
use crate::run::tapes::{build, parts_of};
use crate::signal::{Body, News};
use crate::sim::Sim;
use crate::tape::{AnswerRecord, DepthRecord, Mode, Record, Start, VenueNote};

/// The market, and what comes from elsewhere, of one second.
pub(super) fn second(n: i64, dice: &mut Dice, price: &mut [i64; 2]) -> Vec<Record> {
    let mut records = Vec::new();
    for i in 0..2u16 {
        let instrument = InstrumentId(i);
        let at = |ns: i64| Ts::from_nanos(1_000 * SECOND + n * SECOND + ns + i64::from(i));
        let price = &mut price[usize::from(i)];
        *price += dice.below(121) as i64 - 60;
        let (bid, ask) = (Price::from_mantissa(*price - 5), Price::from_mantissa(*price + 5));
        if n % 13 == 0 {
            let level = |side, price, qty| Level { price, qty: Qty::from_mantissa(qty), side };
            let levels = (0..4).flat_map(|k| {
                let away = |p: Price, s: i64| Price::from_mantissa(p.mantissa() + s * k * 10);
                [level(Side::Buy, away(bid, -1), 9 + k), level(Side::Sell, away(ask, 1), 7 + k)]
            });
            let ids = (n, n, -1);
            records.push(Record::Depth(DepthRecord {
                ts: at(10),
                ts_venue: at(10),
                snapshot: true,
                ids,
                instrument,
                levels: levels.collect(),
            }));
        }
        let qty = Qty::from_mantissa(1 + dice.below(60) as i64);
        let quote = Quote { ts: at(20), ts_venue: at(20), bid, bid_qty: qty, ask, ask_qty: qty, instrument };
        let aggressor = if dice.below(2) == 0 { Aggressor::Buyer } else { Aggressor::Seller };
        let trade =
            Trade { ts: at(30), ts_venue: at(30), price: Price::from_mantissa(*price), qty, aggressor, instrument };
        records.extend([Record::Quote(quote), Record::Trade(trade)]);
        if i == 1 && n % 60 == 0 {
            let rate = Rate::from_mantissa(100_000_000);
            records.push(Record::Funding(Funding { ts: at(40), rate, mark: bid, instrument }));
        }
    }
    let at = Ts::from_nanos(1_000 * SECOND + n * SECOND + 500_000_000);
    let news = |body| Record::News(Box::new(News { at, source: "s".to_owned(), message: n.to_string(), body }));
    match n % 40 {
        7 => records.push(news(Body::Feature { name: "f".into(), instrument: None, value: n as f64 / 7.0 })),
        11 => records.push(news(Body::Signal(Signal::long(InstrumentId(1))))),
        17 => records.push(news(Body::Pause(n % 80 < 40))),
        19 => records.push(Record::Reference(InstrumentId(0), Price::from_mantissa(price[0]), at)),
        23 => records.push(Record::BookLost(InstrumentId(0), at)),
        29 => records.push(Record::Hold("clock_skew".to_owned(), n % 80 < 40, at)),
        31 => records.push(Record::Arm("somebody".to_owned(), "a test".to_owned(), at)),
        37 => records.push(Record::Clock(at)),
        // One that goes on with a state, one that is warmed up by what is remembered, one that is sized otherwise.
        33 if n % 80 == 33 => records.push(swap("busy", &[], true, at)),
        33 => {
            let params = [("fast", "2"), ("slow", "9"), ("mode", "long-short"), ("notional", "500")];
            records.push(swap("ema_cross", &params, false, at));
        }
        _ => {}
    }
    records
}

/// A strategy takes another's place: what is on the tape is all that is needed.
fn swap(strategy: &str, params: &[(&str, &str)], takes_state: bool, at: Ts) -> Record {
    let swap = Swap {
        strategy: strategy.to_owned(),
        plugin: strategy.to_owned(),
        name: strategy.to_owned(),
        sha256: String::new(),
        version: String::new(),
        state_version: 1,
        params: params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        takes_state,
        operator: "somebody".to_owned(),
    };
    Record::Swap(Box::new(swap), at)
}

/// Tells an input as it is on a tape.
pub(super) fn tell(session: &mut Session, told: &Record) {
    let fresh = match told {
        Record::Swap(swap, _) => session.newcomer_of(swap).expect("made"),
        _ => Fresh::default(),
    };
    told.tell(&fresh, |told| session.tell(told)).expect("an input").expect("heard");
}

/// A session with all that it heard, what it did, and its state at several places.
pub(super) struct Run {
    pub(super) session: Session,
    pub(super) start: Start,
    /// The exchange of a live one.
    pub(super) venue: Option<Sim>,
    pub(super) dice: Dice,
    pub(super) heard: Vec<Record>,
    pub(super) lines: Vec<String>,
    /// How much had been heard and done then, and the state.
    pub(super) marks: Vec<(usize, usize, Vec<u8>)>,
}

impl Run {
    pub(super) fn new(mode: Mode, settings: &Settings) -> Self {
        let start = start(mode, settings);
        let session = build(&start, &registry()).expect("a session");
        let venue = (mode == Mode::Live).then(|| parts_of(&start, &registry()).expect("an exchange").sim);
        Self { session, start, venue, dice: Dice(9), heard: Vec::new(), lines: Vec::new(), marks: Vec::new() }
    }

    pub(super) fn hear(&mut self, record: Record) {
        match &record {
            Record::Venue(note) => self.session.note(note.clone()).expect("noted"),
            told => tell(&mut self.session, told),
        }
        self.lines.extend(self.session.take_lines().into_iter().map(|(_, line)| line));
        self.heard.push(record);
    }

    /// Lets seconds pass; every so often its state is kept.
    pub(super) fn pass(&mut self, seconds: std::ops::Range<i64>, mark_every: i64) {
        let (mut dice, mut price) = (Dice(3), [10_000, 20_000]);
        for n in 0..seconds.end {
            let records = second(n, &mut dice, &mut price);
            for record in records.into_iter().filter(|_| n >= seconds.start) {
                self.show_venue(&record);
                self.hear(record);
                self.trade();
            }
            if n >= seconds.start && n % 50 == 21 && self.venue.is_some() {
                self.adopt(n);
            }
            self.session.flush().expect("flushed");
            if n > seconds.start && n % mark_every == 0 {
                let state = self.session.state().expect("a state");
                self.marks.push((self.heard.len(), self.lines.len(), state));
            }
        }
    }

    /// An order of others is taken over; what fills of it is told at once. Or a position is.
    fn adopt(&mut self, n: i64) {
        let (order, at) = (self.session.circuit.engine().next_order(), self.session.now);
        let qty = Qty::from_mantissa(9);
        let what = match n % 100 {
            21 => Adopted::Order {
                venue_id: format!("v{n}"),
                client_id: "by hand".to_owned(),
                kind: OrderKind::Limit { price: Price::from_mantissa(9_000) },
                tif: TimeInForce::Gtc,
                before: Qty::from_mantissa(4),
                seen: vec!["t-4".to_owned()],
                since: at,
            },
            _ => Adopted::Position { entry: Price::from_mantissa(19_000) },
        };
        let is_order = matches!(what, Adopted::Order { .. });
        let instrument = InstrumentId(u16::from(!is_order));
        self.hear(Record::Adopt(
            Box::new(Adoption {
                order,
                strategy: (n % 200 < 100).then(|| "busy".to_owned()),
                instrument,
                side: Side::Buy,
                qty,
                what,
                operator: "somebody".to_owned(),
                reason: "a test".to_owned(),
            }),
            at,
        ));
        if is_order {
            self.hear(Record::Venue(VenueNote::Fill(order, format!("a{n}"))));
            let fill = AnswerRecord::Fill {
                order,
                instrument,
                side: Side::Buy,
                price: Price::from_mantissa(9_000),
                qty: Qty::from_mantissa(4),
                withheld: Qty::ZERO,
                qty_total: qty,
                fee: "0".to_owned(),
                liquidity: bellwether_sdk::Liquidity::Maker,
                bar_ts: Ts::NONE,
            };
            self.hear(Record::Answer(fill, at));
        }
    }

    pub(super) fn show_venue(&mut self, record: &Record) {
        let Some(venue) = &mut self.venue else { return };
        let shown = record.tell(&Fresh::default(), |told| match told {
            crate::engine::Told::Market(event) => {
                use crate::engine::Event;
                venue.pass_time(event.ts())?;
                match event {
                    Event::Trade(t) => venue.on_trade(t),
                    Event::Quote(q) => venue.on_quote(q),
                    Event::Bar(b) => venue.on_bar(b),
                    Event::Depth(d) => venue.on_depth(d),
                    Event::Funding(f) => venue.on_funding(f),
                }
            }
            _ => Ok(()),
        });
        shown.unwrap_or(Ok(())).expect("the exchange goes on");
    }

    /// Carries orders to the venue and answers back, some of them late or in doubt first.
    pub(super) fn trade(&mut self) {
        loop {
            let outgoing = self.session.circuit.outgoing();
            let Some(venue) = &mut self.venue else { return };
            let now = self.session.now;
            for command in outgoing {
                match command {
                    Command::Submit(order) => venue.submit(order, now),
                    Command::Cancel(id, instrument) => venue.cancel(id, instrument, now),
                }
            }
            let mut answers = Vec::new();
            venue.advance(&mut answers).expect("answers");
            if answers.is_empty() {
                return;
            }
            for answer in answers {
                let tell = |answer: &Answer| Record::Answer(AnswerRecord::of(answer), now);
                match answer {
                    Answer::Accepted(id) if self.dice.below(6) == 0 => {
                        self.hear(tell(&Answer::Unknown(id)));
                        self.hear(Record::Venue(VenueNote::Attempt(id, 2)));
                    }
                    Answer::Fill { order, .. } => {
                        let trade = format!("t{}", self.heard.len());
                        self.hear(Record::Venue(VenueNote::Fill(order, trade)));
                    }
                    _ => {}
                }
                self.hear(tell(&answer));
            }
        }
    }

    /// Goes on from each kept state, and comes out where the session did.
    pub(super) fn check(&self) {
        let at_end = self.session.state().expect("a state");
        for (heard, done, state) in &self.marks {
            let mut again = build(&self.start, &registry()).expect("a session");
            again.take_up(state).expect("taken up");
            assert!(again.state().as_ref() == Ok(state), "what was taken up at {heard} is another state");
            let mut lines = Vec::new();
            for record in &self.heard[*heard..] {
                match record {
                    Record::Venue(note) => again.note(note.clone()).expect("noted"),
                    told => tell(&mut again, told),
                }
                again.circuit.outgoing();
                lines.extend(again.take_lines().into_iter().map(|(_, line)| line));
            }
            assert_eq!(lines, self.lines[*done..], "from {heard}");
            assert!(again.state().as_ref() == Ok(&at_end), "from {heard}");
            assert_eq!(again.order_hash(), self.session.order_hash());
        }
    }

    pub(super) fn count(&self, word: &str) -> usize {
        self.lines.iter().filter(|l| l.contains(word)).count()
    }
}
