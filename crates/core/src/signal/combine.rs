//! Several sources, one wish: who is believed, how much, and what happens when they contradict each other.

use std::collections::BTreeMap;

use bellwether_sdk::{Direction, InstrumentId, Signal, Ts};

/// How the opinions of several sources become one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rule {
    /// The newest counts.
    #[default]
    Latest,
    /// The first source in order that has an opinion counts.
    Priority,
    /// Opinions are added by weight, strength and confidence.
    Weighted,
}

/// What happens when two sources want opposite positions in one instrument.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Conflict {
    /// The rule decides.
    #[default]
    Rule,
    /// The position is closed.
    Flat,
    /// Nothing changes.
    Hold,
}

/// How sources are put together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Combination {
    /// The rule.
    pub rule: Rule,
    /// What a contradiction does.
    pub conflict: Conflict,
    /// Sources in order of priority; who is not named comes last.
    pub order: Vec<String>,
    /// Weights by source; 1 where none is given.
    pub weights: BTreeMap<String, f64>,
    /// Weighted: the least share of agreement, from 0 to 1, that makes a wish.
    pub threshold: f64,
}

/// The opinions that stand, and the rule over them.
#[derive(Debug, Default)]
pub struct Combiner {
    rules: Combination,
    opinions: BTreeMap<InstrumentId, BTreeMap<String, Signal>>,
}

impl Combiner {
    /// The opinions that stand, by instrument and source, to be carried over.
    pub(crate) fn opinions(&self) -> &BTreeMap<InstrumentId, BTreeMap<String, Signal>> {
        &self.opinions
    }

    /// Takes up opinions that stood.
    pub(crate) fn take_up(&mut self, opinions: BTreeMap<InstrumentId, BTreeMap<String, Signal>>) {
        self.opinions = opinions;
    }

    /// A combiner without opinions.
    pub fn new(rules: Combination) -> Self {
        Self { rules, opinions: BTreeMap::new() }
    }

    /// Takes a source's new opinion at engine time `now` and gives what all sources together want.
    ///
    /// # Errors
    /// Why nothing is wanted anew, from a closed list.
    pub fn hear(&mut self, source: &str, signal: &Signal, now: Ts) -> Result<Signal, &'static str> {
        let opinions = self.opinions.entry(signal.instrument).or_default();
        opinions.retain(|_, opinion| stands(opinion, now));
        opinions.insert(source.to_owned(), signal.clone());
        let wants = |d: Direction| opinions.values().any(|o| o.direction == d);
        if wants(Direction::Long) && wants(Direction::Short) {
            match self.rules.conflict {
                Conflict::Rule => {}
                Conflict::Hold => return Err("signal_conflict"),
                Conflict::Flat => return Ok(Signal { direction: Direction::Flat, ..signal.clone() }),
            }
        }
        match self.rules.rule {
            Rule::Latest => Ok(signal.clone()),
            Rule::Priority => {
                let rank = |name: &str| self.rules.order.iter().position(|n| n == name).unwrap_or(usize::MAX);
                let outranked = opinions.keys().any(|other| rank(other) < rank(source));
                if outranked { Err("signal_outranked") } else { Ok(signal.clone()) }
            }
            Rule::Weighted => weighted(&self.rules, opinions, signal),
        }
    }
}

/// Whether an opinion is still held.
fn stands(opinion: &Signal, now: Ts) -> bool {
    let until = opinion.horizon_ns.map(|h| opinion.ts_received.plus(h));
    [opinion.expiry, until].into_iter().flatten().all(|end| end > now)
}

const fn sign(direction: Direction) -> f64 {
    match direction {
        Direction::Long => 1.0,
        Direction::Short => -1.0,
        Direction::Flat => 0.0,
    }
}

fn weighted(rules: &Combination, opinions: &BTreeMap<String, Signal>, newest: &Signal) -> Result<Signal, &'static str> {
    let weight = |name: &str| rules.weights.get(name).copied().unwrap_or(1.0);
    let vote = |(name, o): (&String, &Signal)| weight(name) * o.strength * o.confidence * sign(o.direction);
    let total: f64 = opinions.keys().map(|name| weight(name)).sum();
    let score = if total > 0.0 { opinions.iter().map(vote).sum::<f64>() / total } else { 0.0 };
    if score.abs() < rules.threshold || score == 0.0 {
        let agree_on_flat = opinions.values().all(|o| o.direction == Direction::Flat);
        return if agree_on_flat || rules.threshold > 0.0 {
            Ok(Signal { direction: Direction::Flat, strength: 1.0 - score.abs(), ..newest.clone() })
        } else {
            Err("signal_conflict")
        };
    }
    // Prices and words are those of the strongest voice for what comes out.
    let strongest = opinions.iter().filter(|(_, o)| sign(o.direction) * score > 0.0);
    let strongest = strongest.max_by(|a, b| vote(*a).abs().total_cmp(&vote(*b).abs()));
    let (_, voice) = strongest.ok_or("signal_conflict")?;
    Ok(Signal { strength: score.abs().min(1.0), ..voice.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: InstrumentId = InstrumentId(0);
    const NOW: Ts = Ts::from_nanos(1_000);

    fn combiner(rule: Rule, conflict: Conflict) -> Combiner {
        Combiner::new(Combination {
            rule,
            conflict,
            order: vec!["first".to_owned(), "second".to_owned()],
            weights: BTreeMap::from([("first".to_owned(), 3.0)]),
            threshold: 0.25,
        })
    }

    #[test]
    fn the_newest_counts_unless_a_contradiction_is_to_close_or_hold() {
        let (long, short) = (Signal::long(ONE), Signal::short(ONE));
        let mut latest = combiner(Rule::Latest, Conflict::Rule);
        assert_eq!(latest.hear("a", &long, NOW).map(|s| s.direction), Ok(Direction::Long));
        assert_eq!(latest.hear("b", &short, NOW).map(|s| s.direction), Ok(Direction::Short));
        let mut flat = combiner(Rule::Latest, Conflict::Flat);
        assert!(flat.hear("a", &long, NOW).is_ok());
        assert_eq!(flat.hear("b", &short, NOW).map(|s| s.direction), Ok(Direction::Flat));
        let mut hold = combiner(Rule::Latest, Conflict::Hold);
        assert!(hold.hear("a", &long, NOW).is_ok());
        assert_eq!(hold.hear("b", &short, NOW), Err("signal_conflict"));
        // A source that changes its mind does not contradict itself.
        assert_eq!(hold.hear("a", &short, NOW).map(|s| s.direction), Ok(Direction::Short));
    }

    #[test]
    fn a_lower_source_is_heard_only_when_no_higher_one_has_an_opinion() {
        let mut both = combiner(Rule::Priority, Conflict::Rule);
        let first = Signal { expiry: Some(Ts::from_nanos(2_000)), ..Signal::long(ONE) };
        assert!(both.hear("second", &Signal::short(ONE), NOW).is_ok());
        assert!(both.hear("first", &first, NOW).is_ok());
        assert_eq!(both.hear("second", &Signal::short(ONE), NOW), Err("signal_outranked"));
        assert_eq!(both.hear("nobody", &Signal::short(ONE), NOW), Err("signal_outranked"));
        // When the first's opinion has expired, the second is heard.
        assert!(both.hear("second", &Signal::short(ONE), Ts::from_nanos(2_000)).is_ok());
    }

    #[test]
    fn votes_are_added_by_weight() {
        let mut both = combiner(Rule::Weighted, Conflict::Rule);
        assert_eq!(both.hear("second", &Signal::short(ONE), NOW).map(|s| s.direction), Ok(Direction::Short));
        // (3 - 1) / 4 = 0.5 for long.
        let said = both.hear("first", &Signal::long(ONE), NOW).expect("a wish");
        assert_eq!((said.direction, said.strength), (Direction::Long, 0.5));
        // (3 × 0.4 - 1) / 4 = 0.05: under the threshold nobody is believed.
        let weak = Signal { confidence: 0.4, ..Signal::long(ONE) };
        assert_eq!(both.hear("first", &weak, NOW).map(|s| s.direction), Ok(Direction::Flat));
    }
}
