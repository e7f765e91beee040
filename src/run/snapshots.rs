//! Snapshots are what hearing the tape would have made of a session, for paper and live, wherever they are taken: after them
//! everything comes out the same, to the byte.

use std::path::{Path, PathBuf};

use bellwether_sdk::{
    AccountKind, Aggressor, Bar, Bracket, Context, Fill, Funding, Instrument, InstrumentId, Intent, Interval, Level,
    OrderKind, ParamError, Params, Plugin, Price, Qty, Quote, Rate, Side, Signal, Strategy, TimeInForce, Trade, Ts,
    state,
};

use super::session::{Session, Taping};
use super::tapes::{build, parts_of, replay_by, resumable};
use crate::config::{Durability, Feed, Settings, StrategySettings};
use crate::engine::{Adopted, Adoption, Circuit, Command, Fresh, Swap};
use crate::host::Registry;
use crate::orders::Answer;
use crate::signal::{Body, News};
use crate::sim::Sim;
use crate::tape::{
    AnswerRecord, DepthRecord, InstrumentRecord, Mode, Record, Snapshot, Start, TapeReader, VenueNote, Waits, files_of,
    plain_disk, segment_path, snapshot_path,
};

const SECOND: i64 = 1_000_000_000;

/// The same numbers for the same seed.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }
}

/// Nothing to set.
#[derive(Debug, Clone, Params)]
struct NoParams {}

/// How often it acts.
#[derive(Debug, Clone, Params)]
struct BusyParams {
    /// At each trade of so many.
    #[param(default = 1, range = 1..=1_000_000)]
    every: u64,
}

/// Does everything a strategy can, by dice.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Busy {
    dice: Dice,
    every: u64,
    trades: u64,
    bars: u64,
    fills: u64,
}

impl Busy {
    fn act(&mut self, ctx: &mut Context<'_>, id: InstrumentId) {
        let last = ctx.last(id);
        let side = if self.dice.below(2) == 0 { Side::Buy } else { Side::Sell };
        let qty = Qty::from_mantissa(1 + self.dice.below(40) as i64);
        let away = Price::from_mantissa(last.mantissa() - side.sign() * self.dice.below(300) as i64);
        match self.dice.below(9) {
            0 | 1 => drop(ctx.place(Intent::limit(id, side, qty, away))),
            2 => {
                let bracket = Bracket {
                    stop_loss: Some(Price::from_mantissa(last.mantissa() - side.sign() * 150)),
                    take_profit: Some(Price::from_mantissa(last.mantissa() + side.sign() * 150)),
                    trailing_stop: None,
                };
                ctx.place(Intent::market(id, side, qty).bracket(bracket).tag("bracketed"));
            }
            3 => {
                if let Some(order) = ctx.open_orders().first() {
                    ctx.cancel(order.id);
                }
            }
            4 => ctx.timer(ctx.now().plus(3 * SECOND), self.dice.below(5)),
            5 if self.fills % 5 == 4 => ctx.cancel_all(id),
            6 => {
                let until = TimeInForce::Gtd(ctx.now().plus(7 * SECOND));
                ctx.place(Intent::limit(id, side, qty, away).tif(until));
            }
            _ => {}
        }
    }
}

impl Strategy for Busy {
    fn account(&self) -> AccountKind {
        AccountKind::Margin
    }

    fn on_start(&mut self, ctx: &mut Context<'_>) {
        for id in ctx.instruments() {
            ctx.subscribe_bars(*id, Interval::from_nanos(5 * SECOND).expect("five seconds"));
        }
        ctx.timer(ctx.now().plus(10 * SECOND), 77);
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.trades += 1;
        if self.trades.is_multiple_of(self.every) {
            self.act(ctx, trade.instrument);
        }
    }

    fn on_bar(&mut self, _: &mut Context<'_>, _: &Bar) {
        self.bars += 1;
    }

    fn on_fill(&mut self, _: &mut Context<'_>, _: &Fill) {
        self.fills += 1;
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, timer: u64) {
        self.dice.below(3 + timer);
        if timer == 77 {
            ctx.timer(ctx.now().plus(10 * SECOND), 77);
        }
    }

    fn save(&self) -> Vec<u8> {
        state::save(&(), self)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        *self = state::load(&(), bytes)?;
        Ok(())
    }
}

impl Plugin for Busy {
    type Params = BusyParams;
    const NAME: &'static str = "busy";
    const SUMMARY: &'static str = "does everything";
    const DIRECTIONAL: bool = false;

    fn new(params: BusyParams) -> Result<Self, ParamError> {
        Ok(Self { dice: Dice(5), every: params.every, trades: 0, bars: 0, fills: 0 })
    }
}

/// Saves nothing.
struct Silent;

impl Strategy for Silent {}

impl Plugin for Silent {
    type Params = NoParams;
    const NAME: &'static str = "silent";
    const SUMMARY: &'static str = "does nothing";
    const DIRECTIONAL: bool = false;

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self)
    }
}

fn registry() -> Registry {
    Registry::new().with::<Busy>().with::<strategy_ema_cross::EmaCross>().with::<Silent>()
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    let strategy = |plugin: &str, params: &[(&str, &str)]| StrategySettings {
        plugin: plugin.to_owned(),
        params: params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..StrategySettings::default()
    };
    let sized = [("fast", "3"), ("slow", "7"), ("mode", "long-short"), ("risk_pct", "1")];
    settings.strategy = vec![strategy("busy", &[]), strategy("ema_cross", &sized)];
    settings.backtest.instruments = instruments().into_iter().map(|i| i.symbol).collect();
    settings.backtest.kinds = ["trades", "quotes", "depth"].map(str::to_owned).to_vec();
    settings.backtest.interval = Some(Interval::from_nanos(SECOND).expect("a second"));
    settings.account.cash = "100000USD".to_owned();
    settings.sim.latency_ms = 300;
    settings.risk.losses_in_row_max = Some(4);
    settings.risk.cooldown_s = 5;
    settings.risk.orders_per_minute_max = Some(100);
    settings.session.durability = Durability::Direct;
    settings.session.feed = Feed::Venue;
    settings.session.orders_kept = 40;
    settings.session.segment_kib = 8;
    settings
}

fn instruments() -> Vec<Instrument> {
    let of =
        |(i, name): (usize, &str)| Instrument::inferred(InstrumentId(i as u16), name.parse().expect("a symbol"), 2, 1);
    ["test:AAA/USD", "test:BBB/USD:USD"].into_iter().enumerate().map(of).collect()
}

fn start(mode: Mode, settings: &Settings) -> Start {
    let kinds = ["trades", "quotes", "depth", "funding"].map(str::to_owned).to_vec();
    let fees = Some((Rate::from_mantissa(100_000_000), Rate::from_mantissa(500_000_000)));
    Start {
        mode,
        session: 1,
        version: "test".to_owned(),
        program: "p".to_owned(),
        created: Ts::from_nanos(0),
        settings: serde_json::to_string(settings).expect("JSON"),
        instruments: instruments().iter().map(|i| InstrumentRecord::new(i, fees, kinds.clone())).collect(),
        place: "a test".to_owned(),
        pace: 0,
    }
}

/// The market, and what comes from elsewhere, of one second.
fn second(n: i64, dice: &mut Dice, price: &mut [i64; 2]) -> Vec<Record> {
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
fn tell(session: &mut Session, told: &Record) {
    let fresh = match told {
        Record::Swap(swap, _) => session.newcomer_of(swap).expect("made"),
        _ => Fresh::default(),
    };
    told.tell(&fresh, |told| session.tell(told)).expect("an input").expect("heard");
}

/// A session with all that it heard, what it did, and its state at several places.
struct Run {
    session: Session,
    start: Start,
    /// The exchange of a live one.
    venue: Option<Sim>,
    dice: Dice,
    heard: Vec<Record>,
    lines: Vec<String>,
    /// How much had been heard and done then, and the state.
    marks: Vec<(usize, usize, Vec<u8>)>,
}

impl Run {
    fn new(mode: Mode, settings: &Settings) -> Self {
        let start = start(mode, settings);
        let session = build(&start, &registry()).expect("a session");
        let venue = (mode == Mode::Live).then(|| parts_of(&start, &registry()).expect("an exchange").sim);
        Self { session, start, venue, dice: Dice(9), heard: Vec::new(), lines: Vec::new(), marks: Vec::new() }
    }

    fn hear(&mut self, record: Record) {
        match &record {
            Record::Venue(note) => self.session.note(note.clone()).expect("noted"),
            told => tell(&mut self.session, told),
        }
        self.lines.extend(self.session.take_lines().into_iter().map(|(_, line)| line));
        self.heard.push(record);
    }

    /// Lets seconds pass; every so often its state is kept.
    fn pass(&mut self, seconds: std::ops::Range<i64>, mark_every: i64) {
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
                qty_total: qty,
                fee: "0".to_owned(),
                liquidity: bellwether_sdk::Liquidity::Maker,
                bar_ts: Ts::NONE,
            };
            self.hear(Record::Answer(fill, at));
        }
    }

    fn show_venue(&mut self, record: &Record) {
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
    fn trade(&mut self) {
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
    fn check(&self) {
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

    fn count(&self, word: &str) -> usize {
        self.lines.iter().filter(|l| l.contains(word)).count()
    }
}

#[test]
fn whoever_takes_up_a_state_goes_on_as_if_it_had_heard_all_before() {
    for mode in [Mode::Paper, Mode::Live] {
        let mut run = Run::new(mode, &settings());
        run.pass(0..400, 25);
        // Of everything there was something.
        for word in
            ["order ", "cancel ", "filled ", "stop ", "limit ", "until ", "guard tripped", "guard armed", "guard holds"]
        {
            assert!(run.count(word) > 0, "{mode:?}: no {word:?}");
        }
        for word in ["unknown ", "adopted order ", "adopted position order "] {
            assert_eq!(run.count(word) > 0, mode == Mode::Live, "{mode:?}: {word}");
        }
        assert!(run.count("funding ") > 0);
        let engine = run.session.circuit.engine();
        assert!(engine.open_orders().count() > 0, "nothing rests at the end");
        assert!(engine.orders().records().iter().any(|o| o.filled > Qty::ZERO && o.filled < o.qty), "no part filled");
        assert_eq!(run.marks.len(), 15);
        let away = run.session.circuit.engine().put_away_counts();
        assert!(away.orders > 0 && away.trades > 0, "nothing was put away: {away:?}");
        run.check();
    }
}

#[test]
fn closed_trades_go_with_the_orders_of_their_time() {
    let settings = settings();
    let mut run = Run::new(Mode::Live, &settings);
    run.pass(0..150, 1_000_000);
    let away = run.session.circuit.engine().put_away_counts();
    let outcome = run.session.finish().expect("an outcome");
    let trades = away.trades + outcome.trades.len() as u64;
    assert!(away.orders > 0 && away.trades > 0 && !outcome.trades.is_empty(), "{away:?}");
    assert!(trades <= settings.session.orders_kept, "{trades} are so many that they would go by their number");
    let last = outcome.orders.iter().map(|o| o.ts_done).max();
    assert!(outcome.trades.last().map(|t| t.exit_ts) >= last.map(|ts| ts.plus(-60 * SECOND)), "the newest stay");
}

/// A tape of a session of so many seconds or more in several files, with its state at the end, and how many they were.
fn taped(mode: Mode, settings: &Settings, dir: &Path, seconds: i64) -> (PathBuf, Vec<u8>, i64) {
    let path = dir.join("t.tape");
    let mut run = Run::new(mode, settings);
    let taping = Taping::new(settings, "p", plain_disk(), Waits::default());
    run.session.begin_tape(&path, &run.start, taping).expect("begun");
    run.pass(0..seconds, 1_000_000);
    // Whoever decides does not wait until a next file is made.
    let mut passed = seconds;
    while Snapshot::segments(&path).len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        run.pass(passed..passed + 50, 1_000_000);
        passed += 50;
    }
    run.session.flush().expect("flushed");
    let state = run.session.state().expect("a state");
    (path, state, passed)
}

fn resumed(path: &Path, mode: Mode, settings: &Settings) -> (Session, Vec<String>) {
    let (_, mut run) = resumable(path, &registry(), settings, mode, "p").expect("resumable");
    let said = run.session.take_lines().into_iter().map(|(_, line)| line).collect();
    (run.session, said)
}

#[test]
fn a_tape_goes_on_in_files_with_snapshots_and_is_taken_up_from_the_newest() {
    for mode in [Mode::Paper, Mode::Live] {
        for durability in [Durability::Staged, Durability::Direct, Durability::Sync] {
            let mut settings = settings();
            settings.session.durability = durability;
            let dir = tempfile::tempdir().expect("a folder");
            let (path, state, _) = taped(mode, &settings, dir.path(), 300);
            let found = Snapshot::segments(&path);
            assert!(segment_path(&path, 2).exists() && found.len() == 2, "{found:?}");
            let replay = replay_by(&path, &registry(), "p").expect("a replay");
            assert!(
                replay.divergence.is_none() && replay.damaged.is_none(),
                "{:?} {:?}",
                replay.divergence,
                replay.damaged
            );
            assert_eq!((replay.snapshots, replay.snapshot_notes.len()), (2, 0));
            assert_eq!(replay.torn, 0);
            let (session, said) = resumed(&path, mode, &settings);
            assert!(said[0].contains("taken up from the snapshot"), "{said:?}");
            assert!(session.state().as_ref() == Ok(&state), "{mode:?} {durability:?} from the newest");
            // Another program hears the whole tape.
            let (_, run) = resumable(&path, &registry(), &settings, mode, "another").expect("resumable");
            assert!(run.session.state().as_ref() == Ok(&state), "{mode:?} {durability:?} from the beginning");
            // Without the newest, the one before; without any, the whole tape.
            for left in [1, 0] {
                std::fs::remove_file(snapshot_path(&path, found[1 - left])).expect("removed");
                let (session, said) = resumed(&path, mode, &settings);
                assert_eq!(said.len(), left, "{said:?}");
                assert!(session.state().as_ref() == Ok(&state), "{mode:?} {durability:?} with {left}");
            }
        }
    }
}

#[test]
fn a_strategy_that_saves_nothing_has_no_snapshot_and_says_so() {
    let mut settings = settings();
    settings.strategy.push(StrategySettings { plugin: "silent".to_owned(), ..StrategySettings::default() });
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("t.tape");
    let mut run = Run::new(Mode::Paper, &settings);
    let taping = Taping::new(&settings, "p", plain_disk(), Waits::default());
    run.session.begin_tape(&path, &run.start, taping).expect("begun");
    run.pass(0..200, 1_000_000);
    assert_eq!(run.count("no snapshot, a resumption hears the whole tape: strategy silent saves no state"), 1);
    assert!(segment_path(&path, 1).exists() && Snapshot::segments(&path).is_empty());
    let hash = run.session.order_hash();
    drop(run);
    let (session, said) = resumed(&path, Mode::Paper, &settings);
    assert_eq!((session.order_hash(), said.len()), (hash, 0));
}

#[test]
fn a_session_that_died_and_goes_on_ends_as_if_it_had_not() {
    for durability in [Durability::Staged, Durability::Direct] {
        let mut settings = settings();
        settings.session.durability = durability;
        let dir = tempfile::tempdir().expect("a folder");
        let (path, _, passed) = taped(Mode::Paper, &settings, dir.path(), 150);
        let mut whole = Run::new(Mode::Paper, &settings);
        whole.pass(0..passed + 150, 1_000_000);
        // In the middle of a record, as a crash leaves it.
        let last = (0..).map(|n| segment_path(&path, n)).take_while(|p| p.exists()).last().expect("a file");
        let mut torn = std::fs::OpenOptions::new().append(true).open(&last).expect("open");
        std::io::Write::write_all(&mut torn, &[9, 0, 0, 0, 1]).expect("written");
        let (reader, run) = resumable(&path, &registry(), &settings, Mode::Paper, "p").expect("resumable");
        let mut again = Run { session: run.session, ..Run::new(Mode::Paper, &settings) };
        let taping = Taping::new(&settings, "p", plain_disk(), Waits::default());
        again.session.resume_tape(reader, &run.start, run.cut, taping).expect("goes on");
        again.pass(passed..passed + 150, 1_000_000);
        assert_eq!(again.session.order_hash(), whole.session.order_hash());
        again.session.finish().expect("ended");
        let replay = replay_by(&path, &registry(), "p").expect("a replay");
        assert!(replay.divergence.is_none() && replay.damaged.is_none() && replay.torn == 0, "{replay:?}");
        assert_eq!((replay.snapshots, replay.recorded_hash), (2, Some(whole.session.order_hash())));
        assert!(Circuit::to_send(&whole.session.circuit).is_empty());
        let left: Vec<PathBuf> = files_of(&path).expect("files");
        assert!(left.iter().all(|p| p.metadata().is_ok_and(|m| m.len() > 24)), "an empty file is left: {left:?}");
    }
}

#[test]
fn a_tape_or_snapshot_with_any_byte_changed_or_cut_anywhere_is_found_out_or_recovered_and_never_believed() {
    let mut settings = settings();
    settings.session.segment_kib = 1;
    settings.strategy.remove(1);
    let dir = tempfile::tempdir().expect("a folder");
    let (path, state, _) = taped(Mode::Paper, &settings, dir.path(), 11);
    assert!(segment_path(&path, 2).exists() && Snapshot::segments(&path).len() == 2);
    // What the session was after each input: all that a tape that is cut may say.
    let mut known = vec![];
    let mut reader = TapeReader::open(&path).expect("open");
    let Some((_, Record::Start(first))) = reader.read().expect("read") else { panic!("no start") };
    let mut session = build(&first, &registry()).expect("a session");
    known.push(session.state().expect("a state"));
    while let Some((_, record)) = reader.read().expect("read") {
        if !matches!(record, Record::Effect(_) | Record::Continued(_)) {
            tell(&mut session, &record);
            known.push(session.state().expect("a state"));
        }
    }
    assert!(known.last() == Some(&state));
    let take_up = || resumable(&path, &registry(), &settings, Mode::Paper, "p");
    for file in files_of(&path).expect("files") {
        let good = std::fs::read(&file).expect("read");
        let number =
            file.to_string_lossy().trim_end_matches(".snap").rsplit_once('.').and_then(|(_, n)| n.parse().ok());
        let is_snapshot = file.extension().is_some_and(|e| e == "snap");
        let is_last = !is_snapshot && file == segment_path(&path, last_segment(&path));
        // Every byte is looked at by whoever reads it; whole sessions are taken up at some places.
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            for (bad, is_cut) in [(bad.as_slice(), false), (&good[..at], true)] {
                std::fs::write(&file, bad).expect("written");
                let what = format!("{} {} at {at}", file.display(), if is_cut { "cut" } else { "changed" });
                if is_snapshot {
                    let read = Snapshot::read(&path, number.expect("a number"));
                    assert!(read.is_err(), "{what} was believed");
                } else {
                    // A tape may end anywhere, and nowhere else than at its end.
                    let read = verify_all(&path);
                    assert!(read.is_err() || is_cut && is_last, "{what} was not found: {read:?}");
                }
                if at % 41 > 0 {
                    continue;
                }
                match take_up() {
                    Ok((_, run)) => {
                        let found = run.session.state().expect("a state");
                        // What stands before a snapshot is not looked at.
                        assert!(found == state || is_cut && is_last && known.contains(&found), "{what}: another state");
                    }
                    Err(why) => assert!(!is_snapshot, "{what}, and nothing else is hurt: {why}"),
                }
            }
        }
        std::fs::remove_file(&file).expect("removed");
        match take_up() {
            Ok((_, run)) => assert!(run.session.state().as_ref() == Ok(&state), "without {}", file.display()),
            Err(_) => assert!(!is_snapshot),
        }
        std::fs::write(&file, &good).expect("written");
    }
    assert!(take_up().is_ok());
}

fn last_segment(path: &Path) -> u32 {
    (0..).take_while(|n| segment_path(path, *n).exists()).last().unwrap_or(0)
}

/// Reads a tape to its end.
fn verify_all(path: &Path) -> Result<u64, String> {
    match super::verify(path) {
        Ok(found) => found.damaged.map_or(Ok(found.records), Err),
        Err(e) => Err(e.to_string()),
    }
}

/// A gigabyte of trades and quotes, with some hundred thousand orders. Takes minutes: `cargo test --release -p bellwether
/// --lib -- --ignored --nocapture gigabyte`.
#[test]
#[ignore = "takes minutes, and is of a release build"]
fn a_tape_of_a_gigabyte_is_taken_up_within_two_seconds() {
    let mut settings = settings();
    settings.strategy[0].params.insert("every".to_owned(), "101".to_owned());
    settings.strategy.remove(1);
    settings.risk = crate::config::RiskSettings::default();
    settings.account.cash = "1000000000USD".to_owned();
    settings.session.segment_kib = Settings::default().session.segment_kib;
    for mode in [Mode::Live, Mode::Paper] {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("t.tape");
        let mut run = Run::new(mode, &settings);
        let taping = Taping::new(&settings, "p", plain_disk(), Waits::default());
        run.session.begin_tape(&path, &run.start, taping).expect("begun");
        let size = || files_of(&path).expect("files").iter().map(|f| f.metadata().map_or(0, |m| m.len())).sum::<u64>();
        let (mut dice, mut price, mut n) = (Dice(3), [1_000_000, 2_000_000], 0);
        while n % 10_000 != 9_999 || size() < 1_000_000_000 {
            for record in second(n, &mut dice, &mut price)
                .into_iter()
                .filter(|r| !matches!(r, Record::News(_) | Record::Hold(..) | Record::Swap(..)))
            {
                run.show_venue(&record);
                run.hear(record);
                run.trade();
            }
            run.session.flush().expect("flushed");
            run.heard.clear();
            run.lines.clear();
            price = price.map(|p| p.clamp(500_000, 5_000_000));
            n += 1;
        }
        let (orders, hash) = (run.session.circuit.engine().orders().records().len(), run.session.order_hash());
        drop(run);
        let snapshot = snapshot_path(&path, Snapshot::segments(&path)[0]).metadata().expect("there").len();
        let begun = std::time::Instant::now();
        let (session, said) = resumed(&path, mode, &settings);
        let took = begun.elapsed();
        eprintln!("{mode:?}: {} bytes, {orders} orders, a snapshot of {snapshot}: {took:?}; {said:?}", size());
        assert_eq!(session.order_hash(), hash);
        let begun = std::time::Instant::now();
        let (_, whole) = resumable(&path, &registry(), &settings, mode, "").expect("resumable");
        eprintln!("{mode:?}: the whole tape: {:?}", begun.elapsed());
        assert!(whole.session.state() == session.state());
        assert!(took.as_secs_f64() < 2.0, "{took:?}");
    }
}
