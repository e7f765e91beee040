//! Golden signals of the EMA cross.

use bellwether_sdk::testing::Desk;
use bellwether_sdk::{ParamValues, Params};

use super::*;

fn cross(settings: &[(&str, &str)]) -> Result<EmaCross, ParamError> {
    let values: ParamValues = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    EmaCross::new(EmaCrossParams::from_values(&values)?)
}

const FAST_2_SLOW_4: [(&str, &str); 2] = [("fast", "2"), ("slow", "4")];

fn small() -> Desk<EmaCross> {
    Desk::new(cross(&FAST_2_SLOW_4).expect("a strategy"))
}

const PRICES: &str = "100 101 102 99 98 98 103";

#[test]
fn a_cross_up_is_long_and_a_cross_down_is_short_from_the_second_bar_on() {
    let desk = small().bars(PRICES);
    assert_eq!(desk.story(), "2:long 4:short 7:long");
    assert_eq!(desk.signals()[0].tags, ["cross_up"]);
    assert_eq!(desk.strategy.account(), AccountKind::Margin);
}

#[test]
fn long_only_goes_flat_instead_of_short() {
    let strategy = cross(&[("fast", "2"), ("slow", "4"), ("mode", "long-only")]).expect("a strategy");
    assert_eq!(strategy.account(), AccountKind::Cash);
    assert_eq!(Desk::new(strategy).bars(PRICES).story(), "2:long 4:flat 7:long");
}

#[test]
fn bars_trades_and_quotes_take_the_same_path() {
    let quotes = "99/101 100/102 101/103 98/100 97/99 97/99 102/104";
    assert_eq!(small().trades(PRICES).story(), small().bars(PRICES).story());
    assert_eq!(small().quotes(quotes).story(), small().bars(PRICES).story());
}

#[test]
fn a_half_empty_quote_is_no_price() {
    assert_eq!(small().quotes("99/101 0/102 100/0").story(), "");
}

#[test]
fn touching_zero_and_turning_back_counts_as_two_crossings() {
    // Flat prices leave the gap at exactly zero; from there any move crosses.
    assert_eq!(small().bars("100 100 100 99 100.5").story(), "4:short 5:long");
}

#[test]
fn a_mean_as_seed_waits_for_the_slow_average() {
    let strategy = cross(&[("fast", "2"), ("slow", "4"), ("seed", "sma")]).expect("a strategy");
    // Averages stand from the fourth price on; the first gap is no crossing.
    assert_eq!(Desk::new(strategy).bars("100 101 102 103 90 80").story(), "5:short");
}

#[test]
fn instruments_do_not_mix() {
    let desk = Desk::with(cross(&FAST_2_SLOW_4).expect("a strategy"), &["test:ONE/USD", "test:TWO/USD"]);
    let desk = desk.bars_of_all(&["100 101 102 99", "5 4 5 6"]);
    assert_eq!(desk.story(), "3:long:ONE 4:short:TWO 6:long:TWO 7:short:ONE");
}

#[test]
fn a_restored_state_goes_on_where_it_stopped() {
    let (first, second) = ("100 101 102", "99 98 98 103");
    let saved = small().bars(first).strategy.save();
    let mut strategy = cross(&FAST_2_SLOW_4).expect("a strategy");
    strategy.restore(&saved).expect("the state");
    assert_eq!(Desk::new(strategy).bars(second).story(), "1:short 4:long");
    let mut other = cross(&[("fast", "3"), ("slow", "4")]).expect("a strategy");
    assert!(other.restore(&saved).expect_err("other parameters").contains("other parameters"));
}

#[test]
fn equal_averages_are_refused() {
    let error = cross(&[("fast", "9"), ("slow", "9")]).expect_err("a conflict");
    assert!(matches!(error, ParamError::Conflict(_)), "{error}");
}

#[test]
fn it_tells_its_averages_and_its_condition() {
    let probe = small().bars("100 103").observe();
    assert_eq!(probe.values.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["fast", "slow"]);
    let (name, gap, trigger) = probe.conditions[0];
    assert_eq!((name, trigger), ("fast - slow", 0.0));
    assert!((gap - 0.8).abs() < 1e-12, "{gap}");
}
