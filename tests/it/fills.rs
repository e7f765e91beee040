//! Known vectors: one order decided at the close of bar 1, one bar that matters, the fill price each engine gives.
//! `next-open@1` claims the rules of backtesting.py 0.6.6, `ohlc-path@1` those of NautilusTrader 1.231 (fixed and
//! adaptive), `close@1` those of vectorbt 1.2.0 where that has the case.

use bellwether::engine::Outcome;
use bellwether::sim::Profile;
use bellwether_sdk::{Bracket, InstrumentId, Intent, Side};

use crate::desk::{Desk, price, qty};

const ID: InstrumentId = InstrumentId(0);

/// Bars 0 and 1 of every case.
const BEFORE: &str = "100/101/99/100 100/101/99/100";

#[derive(Clone, Copy)]
enum Case {
    Market,
    Limit(i64),
    Stop(i64),
    /// Side of the entry, stop, target; the entry fills before the bar that matters.
    Bracket(Side, Option<i64>, Option<i64>),
}

/// The price of the fill that matters, if any.
fn fill(profile: Profile, nearest: bool, case: Case, bar: &str) -> Option<i64> {
    let desk = Desk { nearest, ..Desk::default() }.profile(profile);
    let outcome = match case {
        Case::Market => desk.bars_with(&format!("{BEFORE} {bar}"), 1, vec![Intent::market(ID, Side::Buy, qty(1))]),
        Case::Limit(p) => {
            desk.bars_with(&format!("{BEFORE} {bar}"), 1, vec![Intent::limit(ID, Side::Buy, qty(1), price(p))])
        }
        Case::Stop(p) => {
            desk.bars_with(&format!("{BEFORE} {bar}"), 1, vec![Intent::stop(ID, Side::Buy, qty(1), price(p))])
        }
        Case::Bracket(side, stop, target) => {
            // Decided one bar earlier, so that the entry (at 100 in every profile) is over before the bar comes.
            let bracket = Bracket { stop_loss: stop.map(price), take_profit: target.map(price), trailing_stop: None };
            let entry = Intent::market(ID, side, qty(1)).bracket(bracket);
            desk.bars_with(&format!("{BEFORE} {bar}"), 0, vec![entry])
        }
    };
    let wanted = if matches!(case, Case::Bracket(..)) { 1 } else { 0 };
    outcome.fills.get(wanted).map(|f| f.price.mantissa() / 100)
}

const LONG: Side = Side::Buy;
const SHORT: Side = Side::Sell;

/// case, bar that matters, backtesting.py, nautilus fixed, nautilus adaptive.
const VECTORS: &[(Case, &str, i64, i64, i64)] = &[
    (Case::Market, "102/103/101/102", 102, 100, 100),
    (Case::Limit(98), "100/101/98/99", 98, 98, 98),
    (Case::Limit(98), "95/96/94/95", 95, 98, 98),
    (Case::Stop(105), "110/112/109/111", 110, 110, 110),
    (Case::Stop(105), "101/105/100/104", 105, 105, 105),
    (Case::Bracket(LONG, Some(90), Some(110)), "100/120/80/100", 90, 110, 90),
    (Case::Bracket(LONG, Some(90), Some(110)), "95/120/89/110", 90, 110, 90),
    (Case::Bracket(LONG, Some(90), None), "85/86/84/85", 85, 85, 85),
    (Case::Bracket(LONG, Some(90), None), "85/95/84/85", 85, 85, 85),
    (Case::Bracket(LONG, None, Some(110)), "115/116/114/115", 115, 110, 110),
    (Case::Bracket(SHORT, Some(110), Some(90)), "100/120/80/100", 110, 110, 90),
];

#[test]
fn next_open_fills_as_backtesting_py_does() {
    for (i, (case, bar, want, _, _)) in VECTORS.iter().enumerate() {
        assert_eq!(fill(Profile::NextOpen, false, *case, bar), Some(*want), "vector {i}: {bar}");
    }
}

#[test]
fn ohlc_path_fills_as_nautilus_does_fixed_and_adaptive() {
    for (i, (case, bar, _, fixed, adaptive)) in VECTORS.iter().enumerate() {
        assert_eq!(fill(Profile::OhlcPath, false, *case, bar), Some(*fixed), "vector {i} fixed: {bar}");
        assert_eq!(fill(Profile::OhlcPath, true, *case, bar), Some(*adaptive), "vector {i} adaptive: {bar}");
    }
}

#[test]
fn close_fills_as_vectorbt_does_where_it_has_the_case() {
    for (i, want) in [(0, 100), (5, 90), (6, 90), (7, 85), (8, 85), (9, 115)] {
        let (case, bar, ..) = VECTORS[i];
        assert_eq!(fill(Profile::Close, false, case, bar), Some(want), "vector {i}: {bar}");
    }
}

/// The stop of a market entry lives on the entry's own bar.
#[test]
fn a_stop_is_hit_on_the_bar_of_the_entry() {
    for (profile, nearest) in
        [(Profile::NextOpen, false), (Profile::OhlcPath, false), (Profile::OhlcPath, true), (Profile::Close, false)]
    {
        let bracket = Bracket { stop_loss: Some(price(90)), ..Bracket::default() };
        let outcome = Desk { nearest, ..Desk::default() }.profile(profile).bars_with(
            &format!("{BEFORE} 100/101/85/95"),
            1,
            vec![Intent::market(ID, Side::Buy, qty(1)).bracket(bracket)],
        );
        let prices: Vec<i64> = outcome.fills.iter().map(|f| f.price.mantissa() / 100).collect();
        assert_eq!(prices, [100, 90], "{profile}");
        if profile == Profile::NextOpen {
            assert_eq!(outcome.trades[0].entry_bar_ts, outcome.trades[0].exit_bar_ts);
        }
        assert_eq!(outcome.trades[0].exit_reason.name(), "stop_loss");
    }
}

/// Fills lie inside the bar's range, whatever the order, unless the bar opened beyond it.
#[test]
fn fills_lie_inside_the_bar() {
    let outcome = |profile| -> Outcome {
        let intents = (90..110)
            .flat_map(|p| {
                [Intent::limit(ID, Side::Buy, qty(1), price(p)), Intent::stop(ID, Side::Buy, qty(1), price(p))]
            })
            .collect();
        Desk::default().profile(profile).bars_with(&format!("{BEFORE} 100/105/97/103 103/104/95/96"), 1, intents)
    };
    for profile in [Profile::NextOpen, Profile::Close, Profile::OhlcPath] {
        let outcome = outcome(profile);
        assert!(outcome.fills.len() > 10, "{profile}");
        for f in &outcome.fills {
            let p = f.price.mantissa() / 100;
            let [low, high] = match f.bar_ts.nanos() / 60_000_000_000 {
                1 => [99, 101],
                2 => [97, 105],
                _ => [95, 104],
            };
            assert!((low..=high).contains(&p), "{profile}: {p} at bar {}", f.bar_ts.nanos() / 60_000_000_000);
        }
    }
}
