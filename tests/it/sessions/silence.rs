//! What strategies are told when the feed of an instrument is silent or gone, and what is on the tape of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bellwether::engine::Outcome;
use bellwether::run;
use bellwether::signal::Body;
use bellwether::tape::{Record, TapeReader};
use bellwether_sdk::{
    AccountKind, Context, Feature, Intent, OrderState, ParamError, Plugin, Price, Qty, Side, Strategy, Ts,
};

use super::{NoParams, Script, Venues, registry, session_at, trading};

/// How often it looks.
const EVERY_NS: i64 = 100_000_000;

/// Has one order resting at half the price, and takes it back while the data is stale.
pub(super) struct Careful;

impl Strategy for Careful {
    fn account(&self) -> AccountKind {
        AccountKind::Margin
    }

    fn on_start(&mut self, ctx: &mut Context<'_>) {
        ctx.timer(ctx.now().plus(EVERY_NS), 1);
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _: u64) {
        ctx.timer(ctx.now().plus(EVERY_NS), 1);
        let id = ctx.instruments()[0];
        let (rests, last) = (!ctx.open_orders().is_empty(), ctx.last(id));
        if ctx.is_stale(id) && rests {
            ctx.cancel_all(id);
        } else if !ctx.is_stale(id) && !rests && !last.is_zero() {
            let qty = Qty::from_mantissa(10i64.pow(u32::from(ctx.instrument(id).qty_scale)));
            ctx.place(Intent::limit(id, Side::Buy, qty, Price::from_mantissa(last.mantissa() / 2)));
        }
    }
}

impl Plugin for Careful {
    type Params = NoParams;
    const NAME: &'static str = "careful";
    const SUMMARY: &'static str = "rests an order while data flows";
    const DIRECTIONAL: bool = false;

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self)
    }
}

/// What a tape says of the story, in order.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    /// News of the feed: the value, and milliseconds since the last trade before it.
    Stale(f64, i64),
    Order,
    Cancel,
}

fn said(tape: &Path) -> Vec<Said> {
    let mut reader = TapeReader::open(tape).expect("a tape");
    let (mut all, mut market) = (Vec::new(), Ts::NONE);
    while let Some((_, record)) = reader.read().expect("a record") {
        match record {
            Record::Trade(trade) => market = trade.ts,
            Record::News(news) => {
                let Body::Feature { name, instrument: Some(_), value } = news.body else { panic!("{news:?}") };
                assert_eq!(name, Feature::FEED_STALE);
                all.push(Said::Stale(value, (news.at.nanos() - market.nanos()) / 1_000_000));
            }
            Record::Effect(line) if line.starts_with("order ") => all.push(Said::Order),
            Record::Effect(line) if line.starts_with("cancel ") => all.push(Said::Cancel),
            _ => {}
        }
    }
    all
}

/// A session of the careful one on a first venue; trades are stale after a second.
fn careful(first: Script, lasts_ms: u64, folder: &Path) -> (Outcome, PathBuf) {
    let tape = folder.join("t.tape");
    let venues = Venues { first, second: trading("100.0", 0) };
    let tapes = (Some(tape.clone()), None);
    let outcome = session_at(venues.open(), "careful", Duration::from_millis(lasts_ms), tapes, |s| {
        s.session.stale_trades_ms = 1_000;
    });
    (outcome, tape)
}

#[test]
fn a_strategy_is_told_once_that_a_connected_feed_is_silent_and_once_that_it_flows_again() {
    let folder = tempfile::tempdir().expect("a folder");
    // Silent after one and a half seconds, stale after two and a half; after three and a half trades come again.
    let first = Script { pauses_ms: 2_000, ..trading("100.0", 1_500) };
    let (outcome, tape) = careful(first, 4_700, folder.path());
    let said = said(&tape);
    let [Said::Order, Said::Stale(1.0, silent_ms), Said::Cancel, Said::Stale(0.0, _), Said::Order, ..] = said[..]
    else {
        panic!("{said:?}")
    };
    assert!((1_000..1_900).contains(&silent_ms), "{silent_ms}");
    assert_eq!(outcome.orders[0].state, OrderState::Cancelled);
    let replay = run::replay(&tape, &registry()).expect("a replay");
    assert_eq!((replay.divergence, replay.order_hash), (None, outcome.order_hash));
}

#[test]
fn a_strategy_is_told_at_once_that_the_connection_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Script { hangs_up: true, ..trading("100.0", 1_500) };
    let (_, tape) = careful(first, 2_700, folder.path());
    let said = said(&tape);
    let [Said::Order, Said::Stale(1.0, gone_ms), ..] = said[..] else { panic!("{said:?}") };
    assert!(gone_ms < 900, "long before it would be stale: {gone_ms}");
    assert!(said.iter().any(|s| matches!(s, Said::Stale(0.0, _))), "a new one flows: {said:?}");
}

#[test]
fn of_a_feed_that_flows_nothing_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, tape) = careful(trading("100.0", 60_000), 2_500, folder.path());
    // The end takes it back.
    assert_eq!(said(&tape), [Said::Order, Said::Cancel]);
}

#[test]
fn what_a_session_left_stale_flows_again_when_it_is_taken_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let venues = Venues { first: trading("100.0", 1_200), second: trading("100.0", 0) };
    let (at, tape) = (venues.open(), folder.path().join("t.tape"));
    let go = |lasts_ms, tapes| {
        session_at(at, "careful", Duration::from_millis(lasts_ms), tapes, |s| s.session.stale_trades_ms = 1_000)
    };
    go(2_800, (Some(tape.clone()), None));
    go(1_000, (None, Some(tape.clone())));
    let told: Vec<f64> =
        said(&tape).iter().filter_map(|s| if let Said::Stale(v, _) = s { Some(*v) } else { None }).collect();
    assert_eq!(told, [1.0, 0.0]);
    assert_eq!(run::replay(&tape, &registry()).expect("a replay").divergence, None);
}
