//! Strategies take each other's places while a paper session runs. They count trades and buy and sell by the count, so that
//! one that missed a trade, or did not know what was before, makes other orders.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use bellwether::config::{Settings, StrategySettings};
use bellwether::host::Registry;
use bellwether::run::{self, Asked, ChangeAsked, Reply, SessionPlan, Status, TapeReplay, Watcher};
use bellwether_sdk::{
    Context, Fill, Intent, OrderUpdate, ParamError, ParamValues, Params, Plugin, Qty, Side, Strategy, Trade, Ts, state,
};

const SYMBOL: &str = "binance:BTC/USDT";

#[derive(Debug, Clone, Params)]
struct CountParams {
    /// Trades between two orders.
    #[param(default = 40, range = 1..=1000)]
    every: u64,
    /// Lots per order.
    #[param(default = 10, range = 1..=1000)]
    lots: u64,
}

/// What a version does that the others do not.
trait Kind: Send + 'static {
    const NAME: &'static str;
    const STATE: u32 = 1;
    /// Why it gives up after so many trades.
    fn gives_up(_heard: u64) -> Option<&'static str> {
        None
    }
    /// Why it gives up as it looks at the market and the account.
    fn minds(_: &Context<'_>, _: &Trade) -> Option<&'static str> {
        None
    }
    /// Why its host can call it no more once it was to save its state after so many trades.
    fn breaks(_heard: u64) -> Option<&'static str> {
        None
    }
    /// Whether it takes up a state of so many trades.
    fn takes(_heard: u64) -> bool {
        true
    }
}

struct Counts<K> {
    params: CountParams,
    heard: u64,
    started: bool,
    broken: Cell<Option<&'static str>>,
    kind: std::marker::PhantomData<K>,
}

impl<K: Kind> Strategy for Counts<K> {
    fn on_start(&mut self, _: &mut Context<'_>) {
        self.started = true;
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.heard += 1;
        if let Some(why) = K::gives_up(self.heard).or_else(|| K::minds(ctx, trade)) {
            ctx.halt(why);
        }
        if self.heard.is_multiple_of(self.params.every) {
            let side = if (self.heard / self.params.every) % 2 == 1 { Side::Buy } else { Side::Sell };
            let lot = ctx.instrument(trade.instrument).lot.mantissa();
            let qty = Qty::from_mantissa(lot * i64::try_from(self.params.lots).expect("few"));
            ctx.place(Intent::market(trade.instrument, side, qty));
        }
    }

    /// What it hears first in another's place may be what became of that one's order.
    fn on_fill(&mut self, ctx: &mut Context<'_>, _: &Fill) {
        if let Some(why) = K::gives_up(self.heard) {
            ctx.halt(why);
        }
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, _: &OrderUpdate) {
        if let Some(why) = K::gives_up(self.heard) {
            ctx.halt(why);
        }
    }

    fn failure(&self) -> Option<String> {
        self.broken.get().map(str::to_owned)
    }

    fn save(&self) -> Vec<u8> {
        self.broken.set(K::breaks(self.heard));
        if self.broken.get().is_some() {
            return Vec::new();
        }
        state::save(&(), &self.heard)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
        self.heard = state::load(&(), saved)?;
        if !self.started {
            return Err("not started".to_owned());
        }
        if K::takes(self.heard) { Ok(()) } else { Err(format!("{} trades are too many", self.heard)) }
    }
}

impl<K: Kind> Plugin for Counts<K> {
    type Params = CountParams;
    const NAME: &'static str = K::NAME;
    const SUMMARY: &'static str = "buys and sells by the count";
    const DIRECTIONAL: bool = false;
    const STATE_VERSION: u32 = K::STATE;

    fn new(params: CountParams) -> Result<Self, ParamError> {
        Ok(Self { params, heard: 0, started: false, broken: Cell::new(None), kind: std::marker::PhantomData })
    }
}

macro_rules! kind {
    ($kind:ident, $name:literal, {$($rest:tt)*}) => {
        struct $kind;
        impl Kind for $kind {
            const NAME: &'static str = $name;
            $($rest)*
        }
    };
}

kind!(First, "first", {});
kind!(Second, "second", {});
kind!(OtherState, "other_state", {
    const STATE: u32 = 2;
});
kind!(GivesUp, "gives_up", {
    fn gives_up(heard: u64) -> Option<&'static str> {
        (heard > 10).then_some("enough")
    }
});
kind!(Breaks, "breaks", {
    fn breaks(heard: u64) -> Option<&'static str> {
        (heard > 10).then_some("it broke as it saved")
    }
});
kind!(TakesNothing, "takes_nothing", {
    fn takes(heard: u64) -> bool {
        heard <= 10
    }
});
kind!(FailsAtOnce, "fails_at_once", {
    fn gives_up(_: u64) -> Option<&'static str> {
        Some("no")
    }
});

kind!(Slow, "slow", {
    fn gives_up(_: u64) -> Option<&'static str> {
        std::thread::sleep(std::time::Duration::from_millis(30));
        None
    }
});
kind!(Hangs, "hangs", {
    fn gives_up(_: u64) -> Option<&'static str> {
        loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
    }
});
kind!(Guarded, "guarded", {
    fn minds(ctx: &Context<'_>, trade: &Trade) -> Option<&'static str> {
        let (last, price) = (ctx.f64(ctx.last(trade.instrument)), ctx.f64(trade.price));
        let odd = ctx.equity_f64() < 50_000.0 || ctx.now() < Ts::from_millis(1_500_000_000_000);
        (odd || (price / last - 1.0).abs() > 0.2).then_some("the market or the account is not as it should be")
    }
});

fn registry() -> Registry {
    Registry::new()
        .with::<Counts<First>>()
        .with::<Counts<Second>>()
        .with::<Counts<OtherState>>()
        .with::<Counts<GivesUp>>()
        .with::<Counts<Breaks>>()
        .with::<Counts<TakesNothing>>()
        .with::<Counts<FailsAtOnce>>()
        .with::<Counts<Slow>>()
        .with::<Counts<Hangs>>()
        .with::<Counts<Guarded>>()
}

/// Asks for one change after the other, each when the one before is answered.
struct Asks<'a> {
    state: &'a Path,
    changes: Vec<ChangeAsked>,
    replies: Vec<Reply>,
    asked: usize,
}

impl Watcher for Asks<'_> {
    fn status(&mut self, status: &Status) {
        if status.events < 100 {
            return;
        }
        if self.asked > self.replies.len() {
            let number = self.asked as u64;
            let reply = run::reply(self.state, "paper-swap").filter(|r| r.number == number && r.step != "in");
            self.replies.extend(reply);
        }
        if self.asked == self.replies.len() && self.asked < self.changes.len() {
            self.asked += 1;
            let asked = ChangeAsked { number: self.asked as u64, ..self.changes[self.asked - 1].clone() };
            run::ask(self.state, "paper-swap", &Asked::Change(Box::new(asked))).expect("asked");
        }
    }

    fn effect(&mut self, _: Ts, _: &str) {}
}

struct Heard {
    order_hash: String,
    replies: Vec<(String, String)>,
    lines: Vec<String>,
    replay: TapeReplay,
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.data.dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("backtest-data");
    settings.backtest.instruments = vec![SYMBOL.parse().expect("a symbol")];
    settings.backtest.kinds = vec!["trades".to_owned()];
    settings.session.pace = 20;
    settings.account.cash = "100000USDT".to_owned();
    settings.strategy = vec![StrategySettings { plugin: "first".to_owned(), ..StrategySettings::default() }];
    settings
}

/// The whole of the data, in some nine seconds, with changes on the way.
fn session(changes: Vec<ChangeAsked>) -> Heard {
    let dir = tempfile::tempdir().expect("a folder");
    let tape: PathBuf = dir.path().join("swap.tape");
    let settings = settings();
    let plan = SessionPlan { state: Some(dir.path().to_owned()), ..crate::signals::desk::plan(Some(&tape), &settings) };
    let count = changes.len();
    let mut asks = Asks { state: dir.path(), changes, replies: Vec::new(), asked: 0 };
    let report = run::paper(&settings, &registry(), plan, &mut asks, &AtomicBool::new(false)).expect("a session");
    assert_eq!(asks.replies.len(), count, "every change is answered: {:?}", asks.replies);
    let mut lines = Vec::new();
    run::show(&tape, |_, line| {
        lines.extend(line.strip_prefix("effect ").map(str::to_owned));
        true
    })
    .expect("a tape");
    Heard {
        order_hash: report.outcome.order_hash,
        replies: asks.replies.into_iter().map(|r| (r.step, r.text)).collect(),
        lines,
        replay: run::replay(&tape, &registry()).expect("a replay"),
    }
}

fn to(file: &str) -> ChangeAsked {
    ChangeAsked { file: Some(file.to_owned()), with_state: true, operator: "ann".to_owned(), ..ChangeAsked::default() }
}

#[test]
fn swaps_with_state_or_history_and_swaps_that_fail_leave_the_orders_as_they_would_have_been() {
    let plain = session(Vec::new());
    let swapped = session(vec![
        to("second"),
        to("gives_up"),
        to("takes_nothing"),
        to("other_state"),
        ChangeAsked { with_state: false, ..to("first") },
        to("fails_at_once"),
        to("absent"),
    ]);
    let replies: Vec<(&str, &str)> = swapped.replies.iter().map(|(s, t)| (s.as_str(), t.as_str())).collect();
    let [
        ("kept", _),
        ("taken back", gave_up),
        ("taken back", took_nothing),
        ("kept", _),
        ("kept", _),
        ("refused", at_once),
        ("refused", absent),
    ] = replies.as_slice()
    else {
        panic!("{replies:?}")
    };
    assert!(gave_up.contains("in its first event: enough"), "{gave_up}");
    assert!(
        took_nothing.contains("does not take over the state") && took_nothing.contains("too many"),
        "{took_nothing}"
    );
    assert!(at_once.contains("tried out, it stops: no"), "{at_once}");
    assert!(absent.contains("absent"), "{absent}");
    let said = |what: &str| swapped.lines.iter().filter(|l| l.starts_with("swap first") && l.contains(what)).count();
    assert_eq!((said(" in: "), said(" kept: "), said(" taken back: ")), (4, 3, 2), "{:?}", swapped.lines);
    assert_eq!((said("took over a state"), said("warmed up by")), (2, 2), "{:?}", swapped.lines);
    assert!(swapped.lines.iter().filter(|l| l.starts_with("order ")).count() > 50);
    assert_eq!(swapped.order_hash, plain.order_hash);
    assert_eq!(swapped.replay.divergence, None);
    assert_eq!(swapped.replay.recorded_hash.as_deref(), Some(plain.order_hash.as_str()));
}

#[test]
fn one_that_takes_long_to_be_warmed_up_is_refused_beside_the_session() {
    let plain = session(Vec::new());
    let heard = session(vec![ChangeAsked { with_state: false, ..to("slow") }]);
    let [(step, why)] = heard.replies.as_slice() else { panic!("{:?}", heard.replies) };
    assert_eq!(step, "refused");
    assert!(why.contains("longer than 1000 ms to be warmed up"), "{why}");
    assert!(!heard.lines.iter().any(|l| l.starts_with("swap ")), "the session has nothing to do with it");
    assert_eq!(heard.order_hash, plain.order_hash);
}

#[test]
fn a_session_does_not_wait_for_one_that_never_returns_as_it_is_tried_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = settings();
    let plan = SessionPlan { state: Some(dir.path().to_owned()), ..crate::signals::desk::plan(None, &settings) };
    let mut asks = Asks { state: dir.path(), changes: vec![to("hangs")], replies: Vec::new(), asked: 0 };
    let report = run::paper(&settings, &registry(), plan, &mut asks, &AtomicBool::new(false)).expect("a session");
    assert_eq!((asks.asked, asks.replies.len()), (1, 0));
    assert_eq!(report.outcome.order_hash, session(Vec::new()).order_hash);
}

#[test]
fn one_that_breaks_as_it_saves_is_stopped_and_the_next_takes_its_place_without_a_state() {
    let heard = session(vec![to("breaks"), to("takes_nothing"), ChangeAsked { with_state: false, ..to("second") }]);
    let steps: Vec<&str> = heard.replies.iter().map(|r| r.0.as_str()).collect();
    assert_eq!(steps, ["kept", "kept", "kept"], "{:?}", heard.replies);
    let lines: Vec<&String> =
        heard.lines.iter().filter(|l| l.starts_with("halt ") || l.starts_with("swap first in")).collect();
    let [taken, stopped, warmed, last] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(taken.contains("in: breaks; took over a state"), "{taken}");
    assert!(stopped.contains("halt first: it broke as it saved"), "{stopped}");
    assert!(
        warmed.contains("in: takes_nothing; warmed up by"),
        "it is not blamed for a state that there is not: {warmed}"
    );
    assert!(last.contains("in: second; warmed up by"), "{last}");
    assert_eq!(heard.replay.divergence, None);
}

#[test]
fn parameters_change_between_two_events_and_replay_changes_them_at_the_same_place() {
    let set = |name: &str, value: &str| ChangeAsked {
        params: ParamValues::from([(name.to_owned(), value.to_owned())]),
        operator: "ann".to_owned(),
        ..ChangeAsked::default()
    };
    let heard = session(vec![set("lots", "20"), set("lots", "0"), set("pace", "1"), set("lots", "20")]);
    let steps: Vec<&str> = heard.replies.iter().map(|r| r.0.as_str()).collect();
    assert_eq!(steps, ["kept", "refused", "refused", "refused"], "{:?}", heard.replies);
    assert!(heard.replies[1].1.contains("lots"), "{:?}", heard.replies);
    assert!(heard.replies[3].1.contains("runs already"), "{:?}", heard.replies);
    let changed = heard.lines.iter().position(|l| l.contains("swap first in: first lots=20; warmed up by"));
    let (before, after) = heard.lines.split_at(changed.unwrap_or_else(|| panic!("{:?}", heard.lines)));
    let sizes = |lines: &[String]| {
        let mut all: Vec<String> = lines
            .iter()
            .filter(|l| l.starts_with("order "))
            .map(|l| l.split(' ').nth(3).expect("a size").to_owned())
            .collect();
        all.dedup();
        all
    };
    let (before, after) = (sizes(before), sizes(after));
    let [small] = before.as_slice() else { panic!("{before:?}") };
    let [large] = after.as_slice() else { panic!("{after:?}") };
    let number = |text: &str| text.parse::<bellwether_sdk::Decimal>().expect("a number").to_f64();
    assert!((number(large) - 2.0 * number(small)).abs() < 1e-9, "{small} and {large}");
    assert_eq!(heard.replay.divergence, None);
}

#[test]
fn a_session_that_swapped_is_taken_up_with_what_it_ran_last() {
    let dir = tempfile::tempdir().expect("a folder");
    let tape = dir.path().join("swap.tape");
    let settings = settings();
    let stop = AtomicBool::new(false);
    struct Until<'a>(Asks<'a>, &'a AtomicBool);
    impl Watcher for Until<'_> {
        fn status(&mut self, status: &Status) {
            self.0.status(status);
            if self.0.replies.len() == self.0.changes.len() {
                self.1.store(true, Ordering::Relaxed);
            }
        }
        fn effect(&mut self, _: Ts, _: &str) {}
    }
    let plan = |tape: Option<&Path>, resume: Option<&Path>| SessionPlan {
        state: Some(dir.path().to_owned()),
        resume: resume.map(Path::to_owned),
        ..crate::signals::desk::plan(tape, &settings)
    };
    let asks = Asks { state: dir.path(), changes: vec![to("second")], replies: Vec::new(), asked: 0 };
    run::paper(&settings, &registry(), plan(Some(&tape), None), &mut Until(asks, &stop), &stop).expect("a session");
    let none = Asks { state: dir.path(), changes: vec![to("second")], replies: Vec::new(), asked: 0 };
    stop.store(false, Ordering::Relaxed);
    let mut again = Until(none, &stop);
    run::paper(&settings, &registry(), plan(None, Some(&tape)), &mut again, &stop).expect("taken up");
    let [reply] = again.0.replies.as_slice() else { panic!("{:?}", again.0.replies) };
    assert_eq!((reply.step.as_str(), reply.text.as_str()), ("refused", "that is what runs already"));
    assert_eq!(run::replay(&tape, &registry()).expect("a replay").divergence, None);
}

#[test]
fn a_guard_that_minds_prices_time_and_equity_is_tried_out_on_those_there_are() {
    let heard = session(vec![to("guarded")]);
    assert_eq!(heard.replies[0].0, "kept", "{:?}", heard.replies);
}

/// Asks for a swap and for a parameter before the session has looked at either.
struct AsksBoth<'a> {
    state: &'a Path,
    asked: bool,
}

impl Watcher for AsksBoth<'_> {
    fn status(&mut self, status: &Status) {
        if status.events < 100 || std::mem::replace(&mut self.asked, true) {
            return;
        }
        let set = ChangeAsked {
            params: ParamValues::from([("lots".to_owned(), "20".to_owned())]),
            operator: "ann".to_owned(),
            ..ChangeAsked::default()
        };
        for asked in [to("second"), set] {
            run::ask(self.state, "paper-swap", &Asked::Change(Box::new(asked))).expect("asked");
            // The session stands still meanwhile; who watches it takes what is asked.
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
    }

    fn effect(&mut self, _: Ts, _: &str) {}
}

#[test]
fn parameters_that_are_set_behind_a_swap_are_set_of_what_it_puts_in() {
    let dir = tempfile::tempdir().expect("a folder");
    let tape: PathBuf = dir.path().join("swap.tape");
    let settings = settings();
    let plan = SessionPlan { state: Some(dir.path().to_owned()), ..crate::signals::desk::plan(Some(&tape), &settings) };
    let mut asks = AsksBoth { state: dir.path(), asked: false };
    run::paper(&settings, &registry(), plan, &mut asks, &AtomicBool::new(false)).expect("a session");
    let mut lines = Vec::new();
    run::show(&tape, |_, line| {
        lines.extend(line.split_once("swap first in: ").map(|(_, rest)| rest.to_owned()));
        true
    })
    .expect("a tape");
    let [swapped, set] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(swapped.starts_with("second; took over") && set.starts_with("second lots=20; "), "{lines:?}");
}
