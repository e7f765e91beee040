//! One-line set-up: an engine, the simulated exchange, and a strategy that does what a script says.

use std::sync::atomic::AtomicBool;

use bellwether::engine::{Engine, EngineConfig, Input, OnHalt, Outcome, Replay, SlotConfig};
use bellwether::market::{Batch, Currency, Kind, Source, VecSource};
use bellwether::portfolio::{Ledger, Terms};
use bellwether::risk::{Guard, Limits};
use bellwether::signal::Sizer;
use bellwether::sim::{MarginTerms, Profile, Sim, SimConfig, SlippageModel};
use bellwether_sdk::{
    AccountKind, Aggressor, Bar, Context, Decimal, Fill, Instrument, InstrumentId, Intent, Interval, Money, Price, Qty,
    Quote, Rate, Strategy, Trade, Ts,
};

/// What a script does at an event: the count of bars (or ticks) so far, from 0.
pub type Script = Box<dyn FnMut(usize, &mut Context<'_>) + Send>;

/// A strategy that does what a script says.
pub struct Scripted {
    script: Script,
    seen: usize,
}

impl Scripted {
    fn next(&mut self, ctx: &mut Context<'_>) {
        (self.script)(self.seen, ctx);
        self.seen += 1;
    }
}

impl Strategy for Scripted {
    fn on_bar(&mut self, ctx: &mut Context<'_>, _: &Bar) {
        self.next(ctx);
    }
    fn on_trade(&mut self, ctx: &mut Context<'_>, _: &Trade) {
        self.next(ctx);
    }
    fn on_quote(&mut self, ctx: &mut Context<'_>, _: &Quote) {
        self.next(ctx);
    }
    fn on_fill(&mut self, _: &mut Context<'_>, _: &Fill) {}
}

/// A run to be.
pub struct Desk {
    pub symbols: Vec<&'static str>,
    pub profile: Profile,
    pub nearest: bool,
    pub fee_bps: i64,
    pub cash: i64,
    pub margin: Option<(i64, i64)>,
    pub slippage: SlippageModel,
    pub latency_ns: i64,
    pub limits: Limits,
    pub close_at_end: bool,
    pub warmup: u64,
    pub chart_width: Interval,
    /// What is stated of an instrument beside its digits.
    pub rules: fn(&mut Instrument),
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            symbols: vec!["test:AAA/USD"],
            profile: Profile::NextOpen,
            nearest: false,
            fee_bps: 0,
            cash: 1_000_000,
            margin: Some((10, 5)),
            slippage: SlippageModel::None,
            latency_ns: 0,
            limits: Limits::default(),
            close_at_end: false,
            warmup: 0,
            chart_width: Interval::MINUTE,
            rules: |_| {},
        }
    }
}

/// A price of the test instrument: two digits.
pub fn price(value: i64) -> Price {
    Price::from_mantissa(value * 100)
}

/// A quantity of the test instrument: three digits.
pub fn qty(value: i64) -> Qty {
    Qty::from_mantissa(value * 1000)
}

/// Bars of a minute from `"open/high/low/close …"`, or from single closes.
pub fn bars(text: &str) -> Vec<Bar> {
    text.split_whitespace()
        .enumerate()
        .map(|(i, word)| {
            let p: Vec<i64> = word.split('/').map(|n| n.parse().expect("a price")).collect();
            let [open, high, low, close] = if p.len() == 4 { [p[0], p[1], p[2], p[3]] } else { [p[0]; 4] };
            let ts_open = Ts::from_nanos(i as i64 * Interval::MINUTE.nanos());
            Bar {
                ts_open,
                ts_close: ts_open.plus(Interval::MINUTE.nanos()),
                open: price(open),
                high: price(high),
                low: price(low),
                close: price(close),
                volume: qty(1000),
                interval: Interval::MINUTE,
                instrument: InstrumentId(0),
            }
        })
        .collect()
}

/// Trades of a second each from `"price:qty …"`; a leading `b` or `s` names the taker.
pub fn trades(text: &str) -> Vec<Trade> {
    text.split_whitespace()
        .enumerate()
        .map(|(i, word)| {
            let (aggressor, word) = match word.as_bytes()[0] {
                b'b' => (Aggressor::Buyer, &word[1..]),
                b's' => (Aggressor::Seller, &word[1..]),
                _ => (Aggressor::Unknown, word),
            };
            let (p, q) = word.split_once(':').unwrap_or((word, "1000"));
            Trade {
                ts: Ts::from_nanos(i as i64 * 1_000_000_000),
                ts_venue: Ts::NONE,
                price: price(p.parse().expect("a price")),
                qty: qty(q.parse().expect("a quantity")),
                instrument: InstrumentId(0),
                aggressor,
            }
        })
        .collect()
}

/// Quotes of a second each from `"bid/ask:qty …"`.
pub fn quotes(text: &str) -> Vec<Quote> {
    text.split_whitespace()
        .enumerate()
        .map(|(i, word)| {
            let (sides, q) = word.split_once(':').unwrap_or((word, "1000"));
            let (bid, ask) = sides.split_once('/').expect("bid/ask");
            let size = qty(q.parse().expect("a quantity"));
            Quote {
                ts: Ts::from_nanos(i as i64 * 1_000_000_000),
                ts_venue: Ts::NONE,
                bid: price(bid.parse().expect("a bid")),
                bid_qty: size,
                ask: price(ask.parse().expect("an ask")),
                ask_qty: size,
                instrument: InstrumentId(0),
            }
        })
        .collect()
}

impl Desk {
    pub fn profile(self, profile: Profile) -> Self {
        Self { profile, ..self }
    }

    /// Runs a script over bars.
    pub fn bars(self, text: &str, script: impl FnMut(usize, &mut Context<'_>) + Send + 'static) -> Outcome {
        self.run(vec![(Kind::Bars(Interval::MINUTE), Batch::Bars(bars(text)))], script)
    }

    /// Runs a script over trades.
    pub fn trades(self, text: &str, script: impl FnMut(usize, &mut Context<'_>) + Send + 'static) -> Outcome {
        self.profile(Profile::Trade).run(vec![(Kind::Trades, Batch::Trades(trades(text)))], script)
    }

    /// Runs a script over quotes.
    pub fn quotes(self, text: &str, script: impl FnMut(usize, &mut Context<'_>) + Send + 'static) -> Outcome {
        self.profile(Profile::Quote).run(vec![(Kind::Quotes, Batch::Quotes(quotes(text)))], script)
    }

    /// Places intents after the given event.
    pub fn bars_with(self, text: &str, at: usize, intents: Vec<Intent>) -> Outcome {
        self.bars(text, move |n, ctx| {
            if n == at {
                for intent in &intents {
                    ctx.place(intent.clone());
                }
            }
        })
    }

    /// Runs a script over one instrument's events.
    pub fn run(
        self,
        streams: Vec<(Kind, Batch)>,
        script: impl FnMut(usize, &mut Context<'_>) + Send + 'static,
    ) -> Outcome {
        let strategy = Scripted { script: Box::new(script), seen: 0 };
        self.run_strategy(streams, Box::new(strategy))
    }

    /// Runs a strategy over one instrument's events.
    pub fn run_strategy(self, streams: Vec<(Kind, Batch)>, strategy: Box<dyn Strategy>) -> Outcome {
        self.run_all(streams.into_iter().map(|(kind, batch)| (0, kind, batch)).collect(), strategy)
    }

    /// Runs a strategy over bars of several instruments, all at the same times; `text` has a line for each.
    pub fn bars_of_all(self, text: &[&str], script: impl FnMut(usize, &mut Context<'_>) + Send + 'static) -> Outcome {
        let stream = |(id, text): (usize, &&str)| {
            let bars = bars(text).into_iter().map(|bar| Bar { instrument: InstrumentId(id as u16), ..bar });
            (id as u16, Kind::Bars(Interval::MINUTE), Batch::Bars(bars.collect()))
        };
        let streams = text.iter().enumerate().map(stream).collect();
        self.run_all(streams, Box::new(Scripted { script: Box::new(script), seen: 0 }))
    }

    /// Runs streams of several instruments, each by its number.
    pub fn run_all(self, streams: Vec<(u16, Kind, Batch)>, strategy: Box<dyn Strategy>) -> Outcome {
        let ids: Vec<InstrumentId> = (0..self.symbols.len() as u16).map(InstrumentId).collect();
        let inferred =
            |id: &InstrumentId| Instrument::inferred(*id, self.symbols[id.index()].parse().expect("a symbol"), 2, 3);
        let mut instruments: Vec<Instrument> = ids.iter().map(inferred).collect();
        instruments.iter_mut().for_each(self.rules);
        let currency = Currency { code: instruments[0].symbol.settle().to_owned(), scale: 8 };
        let terms = instruments.iter().map(|i| Terms::new(i, 0, 8).expect("terms")).collect();
        let start = Money::from_mantissa(i128::from(self.cash) * 100_000_000);
        let ledger = Ledger::new(terms, vec![start], 0);
        let fee = Rate::from_bps(Decimal::new(self.fee_bps, 0)).expect("a rate");
        let pct = |n| Rate::from_pct(Decimal::new(n, 0)).expect("a rate");
        let sim = Sim::new(
            SimConfig {
                profile: self.profile,
                nearest_extreme_first: self.nearest,
                maker: vec![fee; ids.len()],
                taker: vec![fee; ids.len()],
                money_scales: vec![8; ids.len()],
                slippage: self.slippage,
                latency_ns: self.latency_ns,
                margin: self.margin.map(|(leverage, maintenance)| MarginTerms {
                    leverage_max: pct(leverage * 100),
                    maintenance: pct(maintenance),
                }),
            },
            instruments.clone(),
            ledger.clone(),
        );
        let has = |kind: fn(&Kind) -> bool| streams.iter().any(|s| kind(&s.1));
        let bars = has(|k| k.interval().is_some());
        let engine = Engine::new(EngineConfig {
            instruments,
            currencies: vec![currency],
            ledger,
            account: if self.margin.is_some() { AccountKind::Margin } else { AccountKind::Cash },
            slots: vec![SlotConfig {
                id: "s".to_owned(),
                strategy,
                instruments: ids.clone(),
                input: Input {
                    bars: bars.then_some(Interval::MINUTE),
                    trades: !bars && has(|k| *k == Kind::Trades),
                    quotes: has(|k| *k == Kind::Quotes),
                    depth: has(|k| *k == Kind::Depth),
                },
                sizer: Sizer::Qty(Decimal::new(1, 0)),
                on_halt: OnHalt::Cancel,
            }],
            guard: Guard::new(self.limits),
            warmup: self.warmup,
            chart_width: self.chart_width,
            build: Vec::new(),
            bars_of_stream: vec![bars.then_some(Interval::MINUTE); ids.len()],
        });
        let sources = streams
            .into_iter()
            .map(|(id, kind, batch)| Box::new(VecSource::new(kind, InstrumentId(id), [batch])) as Box<dyn Source>)
            .collect();
        let stop = AtomicBool::new(false);
        let mut reading = |_| {};
        let mut replay = Replay::new(engine, sim, &stop, &mut reading);
        replay.run(sources, self.close_at_end).expect("a run");
        let ours: Vec<_> = replay.pair.engine.ledger().positions().to_vec();
        let theirs: Vec<_> = replay.pair.sim.ledger().positions().to_vec();
        let quantities = |p: &[bellwether::portfolio::Position]| p.iter().map(|p| (p.qty, p.cost)).collect::<Vec<_>>();
        assert_eq!(quantities(&ours), quantities(&theirs), "our books and the exchange's differ");
        assert_eq!(
            replay.pair.engine.ledger().cash(0),
            replay.pair.sim.ledger().cash(0),
            "our cash and the exchange's differ"
        );
        let (left, right) = replay.pair.engine.ledger().conservation(0);
        assert_eq!(left, right, "money was made or lost from nothing");
        assert_eq!(replay.pair.engine.impossible_answers(), 0, "the exchange said what cannot be");
        replay.pair.engine.finish()
    }
}

/// Fills as text: `order side qty@price`, with the minute or second of their time.
pub fn fills_text(outcome: &Outcome) -> String {
    outcome
        .fills
        .iter()
        .map(|f| {
            let side = if f.side == bellwether_sdk::Side::Buy { "buy" } else { "sell" };
            format!("{} {side} {}@{}", f.order.0, f.qty.to_text(3), f.price.to_text(2))
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// Orders as text: `id state reason`.
pub fn states_text(outcome: &Outcome) -> String {
    outcome
        .orders
        .iter()
        .map(|o| {
            let reason = outcome.words.get(o.reason);
            format!("{} {}{}{reason}", o.id.0, o.state.name(), if reason.is_empty() { "" } else { " " })
        })
        .collect::<Vec<_>>()
        .join(", ")
}
