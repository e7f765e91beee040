//! One strategy takes another's place: what becomes of its orders, its timers and its trial. The engine's side.

use std::sync::{Arc, Mutex};

use bellwether::engine::{Circuit, Fresh, Newcomer, OnHalt, Step, Swap, Told};
use bellwether::orders::Answer;
use bellwether::risk::{Declared, Limits};
use bellwether::signal::Sizer;
use bellwether_sdk::{
    Context, Decimal, InstrumentId, Intent, Interval, OrderId, OrderKind, OrderUpdate, Price, Qty, Side, Strategy,
    Trade, Ts,
};

use crate::guard::circuit::{at, live_of, out, trade};

const ONE: InstrumentId = InstrumentId(0);

type Heard = Arc<Mutex<Vec<String>>>;

/// What a strategy does at a trade, and whether it goes on at a timer.
#[derive(Clone, Copy)]
struct Does {
    trade: fn(&mut Context<'_>),
    timer: fn(&mut Context<'_>),
    /// Instructions that each event costs it.
    work: u64,
}

fn nothing(_: &mut Context<'_>) {}

fn bid(ctx: &mut Context<'_>) {
    ctx.place(Intent::limit(ONE, Side::Buy, Qty::from_mantissa(1_000), Price::from_mantissa(90_00)));
}

const IDLE: Does = Does { trade: nothing, timer: nothing, work: 0 };

/// Writes down what it hears. It acts at a trade only while no order that it knows of is open.
struct Notes {
    name: &'static str,
    does: Does,
    heard: Heard,
    count: u64,
    open: Option<OrderId>,
    /// What it hears is the past.
    is_past: bool,
}

impl Notes {
    fn note(&self, what: &str, at: Ts) {
        let text = format!("{} {what} {}", self.name, at.nanos() / 1_000_000_000);
        self.heard.lock().expect("whole").push(text);
    }
}

impl Strategy for Notes {
    fn on_trade(&mut self, ctx: &mut Context<'_>, _: &Trade) {
        self.note(if self.is_past { "past" } else { "trade" }, ctx.now());
        self.count += 1;
        if self.open.is_none() {
            let next = ctx.parts().2.next_order;
            (self.does.trade)(ctx);
            self.open = (ctx.parts().2.next_order > next).then_some(OrderId(next));
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _: u64) {
        self.note("timer", ctx.now());
        (self.does.timer)(ctx);
    }

    fn on_order(&mut self, _: &mut Context<'_>, update: &OrderUpdate) {
        if Some(update.order) == self.open && !update.state.is_open() {
            self.open = None;
        }
    }

    fn warms_up(&mut self, on: bool) {
        self.is_past = on;
    }

    fn work(&self) -> u64 {
        self.count * self.does.work
    }

    fn save(&self) -> Vec<u8> {
        vec![u8::try_from(self.count).expect("few")]
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        self.heard.lock().expect("whole").push(format!("{} restores {}", self.name, state[0]));
        self.count = u64::from(state[0]);
        Ok(())
    }
}

struct Place {
    circuit: Circuit,
    heard: Heard,
}

impl Place {
    /// A session of `old`.
    fn of(does: Does, on_halt: OnHalt) -> Self {
        let heard = Heard::default();
        let circuit = live_of(Self::notes("old", does, &heard), on_halt, Limits::default());
        Self { circuit, heard }
    }

    fn notes(name: &'static str, does: Does, heard: &Heard) -> Box<Notes> {
        Box::new(Notes { name, does, heard: Arc::clone(heard), count: 0, open: None, is_past: false })
    }

    fn trade(&mut self, second: i64) -> String {
        trade(&mut self.circuit, second, 100);
        out(&mut self.circuit)
    }

    fn swap(&mut self, name: &'static str, does: Does, takes_state: bool, second: i64) {
        let newcomer = Newcomer {
            strategy: Self::notes(name, does, &self.heard),
            sizer: Sizer::Qty(Decimal::new(1, 0)),
            declared: Declared::default(),
        };
        let swap = Swap {
            strategy: "s".to_owned(),
            plugin: name.to_owned(),
            name: name.to_owned(),
            sha256: String::new(),
            version: String::new(),
            state_version: 1,
            params: Default::default(),
            takes_state,
            operator: "ann".to_owned(),
        };
        self.circuit.tell(Told::Swap(&swap, &Fresh::new(newcomer), at(second))).expect("told");
    }

    /// What was heard since the last call.
    fn heard(&self) -> String {
        std::mem::take(&mut *self.heard.lock().expect("whole")).join(", ")
    }

    fn steps(&self) -> Vec<Step> {
        self.circuit.engine().swaps().iter().map(|s| s.step).collect()
    }

    fn last(&self) -> &str {
        self.circuit.engine().swaps().last().map_or("", |s| s.text.as_str())
    }
}

#[test]
fn orders_of_a_warm_up_come_to_nothing_and_those_that_nobody_knows_any_more_are_cancelled() {
    let bids = Does { trade: bid, ..IDLE };
    for (on_halt, sent, said) in [
        (OnHalt::Cancel, "cancel 1, Buy 2", "; 1 resting orders of the one before are cancelled"),
        (OnHalt::Keep, "Buy 2", ""),
    ] {
        let mut place = Place::of(bids, on_halt);
        assert_eq!(place.trade(1), "Buy 1");
        place.swap("new", bids, false, 2);
        assert_eq!(place.trade(3), sent, "it quotes, and does not wait for an order of its warm-up");
        assert_eq!(place.last(), format!("it heard its first event{said}"));
    }
    let mut place = Place::of(bids, OnHalt::Cancel);
    assert_eq!(place.trade(1), "Buy 1");
    place.swap("new", IDLE, true, 2);
    assert_eq!(place.trade(3), "", "one that took up the state has its orders");
}

#[test]
fn what_only_reduces_a_position_is_not_cancelled_with_the_rest() {
    let stops = |ctx: &mut Context<'_>| {
        let stop = OrderKind::StopMarket { trigger: Price::from_mantissa(12_000) };
        let intent = Intent { kind: stop, ..Intent::market(ONE, Side::Buy, Qty::from_mantissa(1_000)) };
        ctx.place(intent.reduce_only());
        bid(ctx);
    };
    let mut place = Place::of(Does { trade: stops, ..IDLE }, OnHalt::Cancel);
    assert_eq!(place.trade(1), "Buy 1, Buy 2");
    place.swap("new", IDLE, false, 2);
    assert_eq!(place.trade(3), "cancel 2");
}

#[test]
fn cancels_of_a_warm_up_are_not_sent_and_its_timers_are_due_when_they_were() {
    let mut place = Place::of(Does { trade: bid, ..IDLE }, OnHalt::Keep);
    for second in [1, 4, 7] {
        let _ = place.trade(second);
    }
    let _ = place.heard();
    let cancels = |ctx: &mut Context<'_>| {
        ctx.cancel_all(ONE);
        ctx.cancel(OrderId(1));
        ctx.timer(ctx.now().plus(2_000_000_000), 1);
    };
    place.swap("new", Does { trade: cancels, ..IDLE }, false, 8);
    assert_eq!(out(&mut place.circuit), "", "what is open stays");
    assert_eq!(place.heard(), "new past 1, new timer 3, new past 4, new timer 6, new past 7");
    assert_eq!(place.trade(10), "cancel 1, cancel 1", "from now on what it asks for counts");
    assert_eq!(place.heard(), "new timer 9, new trade 10");
}

#[test]
fn a_timer_at_which_a_newcomer_fails_is_heard_once_and_its_own_not_at_all() {
    let timer = |ctx: &mut Context<'_>| {
        if ctx.now() <= at(1) {
            ctx.timer(at(5), 1);
        }
    };
    let fails = |ctx: &mut Context<'_>| ctx.halt("no");
    let mut place = Place::of(Does { trade: timer, ..IDLE }, OnHalt::Cancel);
    let _ = place.trade(1);
    place.swap("new", Does { timer: fails, ..IDLE }, true, 2);
    let _ = (place.trade(6), place.trade(7));
    assert_eq!(
        place.heard(),
        "old trade 1, new restores 1, new timer 5, old timer 5, old trade 6, old trade 7",
        "the old one's timer fires once"
    );
    assert_eq!(place.steps(), [Step::In, Step::Back]);

    let own = |ctx: &mut Context<'_>| ctx.timer(at(5), 9);
    let mut place = Place::of(IDLE, OnHalt::Cancel);
    let _ = place.trade(1);
    place.swap("new", Does { trade: own, timer: fails, ..IDLE }, false, 2);
    let _ = place.trade(6);
    assert_eq!(place.heard(), "old trade 1, new past 1, new timer 5, old trade 6");
}

#[test]
fn another_ends_a_trial_and_takes_up_the_state_of_the_one_before() {
    let mut place = Place::of(IDLE, OnHalt::Cancel);
    let _ = place.trade(1);
    place.swap("second", IDLE, true, 2);
    place.swap("third", IDLE, true, 3);
    assert_eq!(place.steps(), [Step::In, Step::Back, Step::In]);
    let _ = place.trade(4);
    assert_eq!(place.heard(), "old trade 1, second restores 1, third restores 1, third trade 4");
    // One whose state does not fit was warmed up: what fits it does not fit the one before.
    place.swap("fourth", IDLE, false, 5);
    place.swap("fifth", IDLE, true, 6);
    let _ = place.trade(7);
    assert_eq!(
        place.heard(),
        "fourth past 1, fourth past 4, fifth past 1, fifth past 4, fifth trade 7",
        "it is warmed up too"
    );
}

#[test]
fn a_newcomer_that_works_too_long_in_its_warm_up_is_taken_back() {
    let mut place = Place::of(IDLE, OnHalt::Cancel);
    let _ = (place.trade(1), place.trade(2), place.trade(3), place.trade(4));
    place.swap("new", Does { work: 1_000_000_000, ..IDLE }, false, 5);
    assert_eq!(place.steps(), [Step::Back]);
    assert!(place.last().contains("more than 3000 million instructions"), "{}", place.last());
    let endless = |ctx: &mut Context<'_>| ctx.timer(ctx.now(), 1);
    place.swap("new", Does { trade: endless, timer: endless, ..IDLE }, false, 6);
    assert!(place.last().contains("timers and orders"), "{}", place.last());
}

#[test]
fn a_strategy_that_heaps_up_timers_bars_words_or_orders_is_halted() {
    let halted_of = |does: Does| {
        let mut place = Place::of(does, OnHalt::Cancel);
        for second in 1..=40 {
            let _ = place.trade(second);
            let open = place.circuit.engine().open_orders().next().map(|o| o.id);
            if let Some(order) = open {
                let answer = Answer::Cancelled(order, "requested");
                place.circuit.tell(Told::Answer(answer, at(second))).expect("told");
            }
        }
        place.circuit.engine().halts().first().map(|h| h.reason.clone()).unwrap_or_default()
    };
    let halted = |trade: fn(&mut Context<'_>)| halted_of(Does { trade, ..IDLE });
    let far = |ctx: &mut Context<'_>| (0..9_000).for_each(|n| ctx.timer(at(1_000_000), n));
    assert_eq!(halted(far), "more than 100000 timers are pending");
    let intervals = |ctx: &mut Context<'_>| {
        let second = ctx.now().nanos() / 1_000_000_000;
        ctx.subscribe_bars(ONE, Interval::from_nanos(second).expect("an interval"));
    };
    assert_eq!(halted(intervals), "it asks for bars of more than 16 intervals per instrument");
    let words = |ctx: &mut Context<'_>| {
        let tag = format!("{}{}", ctx.now().nanos(), "x".repeat(1 << 20));
        let order = Intent::limit(ONE, Side::Buy, Qty::from_mantissa(1_000), Price::from_mantissa(90_00));
        ctx.place(order.tag(tag));
    };
    assert_eq!(halted(words), "its orders have tags of more than 16 MiB");
    let later = |ctx: &mut Context<'_>| ctx.timer(ctx.now().plus(1_000_000_000), 1);
    let on_and_on = |ctx: &mut Context<'_>| {
        (0..500).for_each(|_| bid(ctx));
        ctx.timer(ctx.now().plus(1_000_000_000), 1);
    };
    let orders = halted_of(Does { trade: later, timer: on_and_on, ..IDLE });
    assert_eq!(orders, "more than 10000 of its orders are open");
    assert_eq!(halted(|ctx| ctx.timer(ctx.now().plus(1), 1)), "");
}
