//! A crossing of two averages is a strategy of twenty lines at the most; the tutorial shows the same one.

mod cross;

use bellwether_sdk::PerInstrument;
use bellwether_sdk::indicators::Sma;
use bellwether_sdk::testing::{Desk, decides_without_the_future, random_bars};

const SOURCE: &str = include_str!("cross.rs");
const TUTORIAL: &str = include_str!("../../../../docs/your-first-strategy.md");

fn cross(fast: usize, slow: usize) -> cross::Cross {
    let each = |bars| PerInstrument::new(Sma::new(bars).expect("a period"));
    cross::Cross { fast: each(fast), slow: each(slow) }
}

/// Lines that are neither empty nor a comment, without `pub`.
fn code(text: &str) -> Vec<String> {
    let lines = text.lines().map(|l| l.trim().replace("pub ", ""));
    lines.filter(|l| !l.is_empty() && !l.starts_with("//")).collect()
}

#[test]
fn it_is_written_in_twenty_lines() {
    assert!(code(SOURCE).len() <= 20, "{} lines", code(SOURCE).len());
}

#[test]
fn the_tutorial_begins_with_it() {
    let block = TUTORIAL.split("```rust\n").nth(1).and_then(|b| b.split("```").next()).expect("a block");
    let shown = code(block);
    // What it opens for its test comes first there.
    let missing: Vec<_> = code(SOURCE).into_iter().filter(|line| !shown.contains(line)).collect();
    assert!(missing.iter().all(|line| line.starts_with("use ")), "not in the tutorial: {missing:#?}");
}

#[test]
fn it_is_long_while_prices_rise_and_flat_when_they_fall() {
    assert_eq!(Desk::new(cross(1, 2)).bars("100 101 102 99").story(), "2:long 3:long 4:flat");
    decides_without_the_future(|| cross(3, 8), &random_bars(1, 60));
}

#[test]
fn two_instruments_do_not_mix_their_prices() {
    let desk = Desk::with(cross(1, 2), &["test:ONE/USD", "test:TWO/USD"]).bars_of_all(&["100 101", "50 49"]);
    assert_eq!(desk.story(), "3:long:ONE 4:flat:TWO");
}
