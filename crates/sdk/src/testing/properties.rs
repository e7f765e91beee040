//! What should hold of every strategy, whatever it does: helpers for tests over many bars.

use crate::{Action, Bar, Interval, Strategy};

use super::{Desk, bars};

/// Bars of a random walk around 100, the same for the same seed.
///
/// ```
/// use bellwether_sdk::testing::random_bars;
///
/// let bars = random_bars(7, 500);
/// assert_eq!((bars.len(), &bars), (500, &random_bars(7, 500)));
/// assert_ne!(bars, random_bars(8, 500));
/// ```
pub fn random_bars(seed: u64, count: usize) -> Vec<Bar> {
    let mut state = seed;
    let mut cents: i64 = 10_000;
    let mut text = String::new();
    for _ in 0..count {
        // Knuth's generator; its upper bits are the good ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let step = i64::try_from((state >> 33) % 201).unwrap_or(0) - 100;
        cents = (cents + step).max(1_000);
        text.push_str(&format!("{}.{:02} ", cents / 100, cents % 100));
    }
    bars(&text, Interval::HOUR)
}

/// What a new strategy asks for over bars, as text: see [`Desk::story`].
///
/// ```
/// use bellwether_sdk::testing::{random_bars, story_of};
/// use bellwether_sdk::{Bar, Context, Signal, Strategy};
///
/// struct Once(bool);
/// impl Strategy for Once {
///     fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
///         if !std::mem::replace(&mut self.0, true) {
///             ctx.signal(Signal::long(bar.instrument));
///         }
///     }
/// }
/// assert_eq!(story_of(Once(false), &random_bars(1, 10)), "1:long");
/// ```
pub fn story_of<S: Strategy>(strategy: S, bars: &[Bar]) -> String {
    let mut desk = Desk::new(strategy);
    desk.feed(bars);
    desk.story()
}

/// Holds a strategy to this: what it decides at a bar does not depend on the bars after it. Everything that it asks for
/// counts, reasons and tags too.
///
/// # Panics
/// At the first bar where it does not hold, with what it asked for both times.
///
/// ```
/// # use bellwether_sdk::indicators::{Indicator, Sma};
/// # use bellwether_sdk::{Bar, Context, Signal, Strategy};
/// use bellwether_sdk::testing::{decides_without_the_future, random_bars};
///
/// struct Above(Sma);
/// impl Strategy for Above {
///     fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
///         let price = ctx.f64(bar.close);
///         if self.0.update(price).is_some_and(|mean| price > mean) {
///             ctx.signal(Signal::long(bar.instrument));
///         }
///     }
/// }
/// decides_without_the_future(|| Above(Sma::new(5).unwrap()), &random_bars(1, 60));
/// ```
pub fn decides_without_the_future<S: Strategy>(make: impl Fn() -> S, bars: &[Bar]) {
    let mut whole = Desk::new(make());
    whole.feed(bars);
    for end in 0..bars.len() {
        let mut cut = Desk::new(make());
        cut.hear(&bars[..end]);
        // What is due before the bar that it is not told.
        cut.fire(bars[end].ts_close);
        let known = whole.actions.partition_point(|(event, _)| *event <= end);
        if let Some((early, all)) = parted(&cut.actions, &whole.actions[..known]) {
            panic!("with bars 1 to {end} it decides {early}, with all of them {all}");
        }
    }
}

/// Where two lists of actions part first, as text.
fn parted(a: &[(usize, Action)], b: &[(usize, Action)]) -> Option<(String, String)> {
    let at = (0..a.len().max(b.len())).find(|i| a.get(*i) != b.get(*i))?;
    let say = |action: Option<&(usize, Action)>| match action {
        Some((event, action)) => format!("{action:?} at bar {event}"),
        None => "nothing more".to_owned(),
    };
    Some((say(a.get(at)), say(b.get(at))))
}

/// Holds a strategy to this: saved after any bar and taken up by a new one, it decides as if nothing had been. The new
/// one is started first, as wherever a state is taken up; what it asks for in `on_start` was asked for long ago.
///
/// # Panics
/// At the first bar where it does not hold, or when it does not take up its state.
///
/// ```
/// # use bellwether_sdk::{Bar, Context, Signal, Strategy, state};
/// use bellwether_sdk::testing::{random_bars, survives_a_restore};
///
/// struct EveryTenth(u64);
/// impl Strategy for EveryTenth {
///     fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
///         self.0 += 1;
///         if self.0 % 10 == 0 {
///             ctx.signal(Signal::long(bar.instrument));
///         }
///     }
///     fn save(&self) -> Vec<u8> {
///         state::save(&(), &self.0)
///     }
///     fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
///         self.0 = state::load(&(), saved)?;
///         Ok(())
///     }
/// }
/// survives_a_restore(|| EveryTenth(0), &random_bars(1, 40));
/// ```
pub fn survives_a_restore<S: Strategy>(make: impl Fn() -> S, bars: &[Bar]) {
    let mut whole = Desk::new(make());
    whole.feed(bars);
    for at in 0..bars.len() {
        let mut desk = Desk::new(make());
        desk.hear(&bars[..at]);
        let saved = desk.strategy.save();
        desk.seat(make());
        if let Err(why) = desk.strategy.restore(&saved) {
            panic!("after {at} bars it does not take up its own state: {why}");
        }
        desk.feed(&bars[at..]);
        if let Some((restored, all)) = parted(&desk.actions, &whole.actions) {
            panic!("saved and taken up after {at} bars it decides {restored}, else {all}");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Context, Signal};

    use super::*;

    /// Buys at the count of its bars, and forgets it when it is saved.
    struct Forgets(u64);

    impl Strategy for Forgets {
        fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
            self.0 += 1;
            if self.0 == 20 {
                ctx.signal(Signal::long(bar.instrument));
            }
        }
        fn restore(&mut self, _: &[u8]) -> Result<(), String> {
            Ok(())
        }
    }

    #[test]
    #[should_panic(expected = "saved and taken up after 1 bars")]
    fn one_that_forgets_is_found() {
        survives_a_restore(|| Forgets(0), &random_bars(1, 40));
    }

    /// Decides by the count of bars that it was told will come.
    struct Peeks(usize);

    impl Strategy for Peeks {
        fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
            self.0 -= 1;
            if self.0 == 2 {
                ctx.signal(Signal::long(bar.instrument));
            }
        }
    }

    #[test]
    #[should_panic(expected = "with bars 1 to")]
    fn one_that_decides_by_what_comes_is_found() {
        // The first, which hears all bars, is made knowing more than those that hear a part of them.
        let is_first = std::cell::Cell::new(true);
        decides_without_the_future(|| Peeks(if is_first.replace(false) { 11 } else { 10 }), &random_bars(1, 10));
    }

    /// Signals at its first bar with a word from the future, or only if the future comes.
    struct Knows {
        bars: usize,
        at_all: bool,
    }

    impl Strategy for Knows {
        fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
            if self.at_all {
                ctx.signal(Signal::long(bar.instrument).reason(format!("the first of {}", self.bars)));
                self.at_all = false;
            }
        }
    }

    #[test]
    #[should_panic(expected = "the first of 11")]
    fn one_that_gives_another_reason_is_found() {
        let bars = std::cell::Cell::new(11);
        decides_without_the_future(|| Knows { bars: bars.replace(10), at_all: true }, &random_bars(1, 10));
    }

    #[test]
    #[should_panic(expected = "with bars 1 to 1 it decides nothing more")]
    fn one_that_is_silent_where_nothing_follows_is_found() {
        let is_first = std::cell::Cell::new(true);
        decides_without_the_future(|| Knows { bars: 10, at_all: is_first.replace(false) }, &random_bars(1, 10));
    }

    /// Signals half an hour after each bar.
    struct Later;

    impl Strategy for Later {
        fn on_bar(&mut self, ctx: &mut Context<'_>, _: &Bar) {
            ctx.timer(ctx.now().plus(Interval::HOUR.nanos() / 2), 1);
        }
        fn on_timer(&mut self, ctx: &mut Context<'_>, _: u64) {
            ctx.signal(Signal::long(ctx.instruments()[0]));
        }
    }

    #[test]
    fn what_is_due_between_two_bars_is_not_of_the_future() {
        decides_without_the_future(|| Later, &random_bars(1, 10));
    }

    /// Counts the bars of the instruments it was told of at its start, and saves the counts alone.
    #[derive(Default)]
    struct Starts {
        mine: Vec<crate::InstrumentId>,
        count: u64,
    }

    impl Strategy for Starts {
        fn on_start(&mut self, ctx: &mut Context<'_>) {
            self.mine = ctx.instruments().to_vec();
            ctx.signal(Signal::flat(self.mine[0]));
        }
        fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
            self.count += u64::from(self.mine.contains(&bar.instrument));
            if self.count.is_multiple_of(7) {
                ctx.signal(Signal::long(bar.instrument));
            }
        }
        fn save(&self) -> Vec<u8> {
            crate::state::save(&(), &self.count)
        }
        fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
            self.count = crate::state::load(&(), saved)?;
            Ok(())
        }
    }

    #[test]
    fn one_that_takes_up_its_state_is_started_before_and_does_not_ask_again() {
        survives_a_restore(Starts::default, &random_bars(1, 30));
    }
}
