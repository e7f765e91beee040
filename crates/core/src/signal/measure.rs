//! What a series of signals was worth: hit rate, forward returns, information coefficient, decay, turnover, cost, all held
//! against the same values rotated among the same times.
//!
//! Statistics, so `f64` throughout; sums run in a fixed order and the rotations come from a seed, so that equal input gives
//! equal output. Where it lies: returns of signals whose horizons overlap are not independent, and the intervals only
//! partly allow for that; the baseline does, because rotating keeps what is between neighbours.

use bellwether_sdk::Ts;
use serde::Serialize;

/// Rotations of the baseline.
const ROTATIONS: usize = 999;

/// A series is called real below this share of rotations that do as well.
pub const REAL_BELOW: f64 = 0.01;

/// Fewer values than this are not judged: there are too few rotations.
pub const JUDGED_FROM: usize = 110;

/// A signal as it is measured: since when it could be known, and its wish from -1 (short) to 1 (long), times strength and
/// confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Opinion {
    /// Since when it could be known.
    pub at: Ts,
    /// The wish.
    pub value: f64,
}

/// A price at which one could have traded: the open of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tradable {
    /// When the bar opened.
    pub at: Ts,
    /// Its open.
    pub price: f64,
}

/// What to measure by.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasureSpec {
    /// Horizons in bars, rising.
    pub horizons: Vec<usize>,
    /// Cost of one trade (fee and slippage), as a fraction of its value.
    pub cost: f64,
    /// Bars in a day, for turnover.
    pub bars_per_day: f64,
    /// Seed of the rotations.
    pub seed: u64,
}

/// What a series was worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measure {
    /// Opinions that could be acted on within the data.
    pub count: usize,
    /// Opinions before, after or between the data.
    pub left_out: usize,
    /// Share of long, short and flat wishes.
    pub shares: [f64; 3],
    /// By horizon.
    pub horizons: Vec<AtHorizon>,
    /// Value traded per day as a share of the equity, when each opinion is the position until the next, and the last one for
    /// the longest horizon.
    pub turnover_per_day: f64,
    /// Return of those positions over the whole time, simple, before and after cost.
    pub held_return: f64,
    /// After cost.
    pub held_return_after_cost: f64,
    /// Return of holding the instrument over the same time.
    pub market_return: f64,
    /// Highest information coefficient over the horizons.
    pub best_coefficient: f64,
    /// Share of rotations whose highest coefficient is as high; `None` where it cannot be judged.
    pub as_good_by_chance: Option<f64>,
    /// Of the rotations: the median of their highest coefficients, and what one in a hundred is above. `None` where it cannot
    /// be judged.
    pub chance_coefficients: Option<[f64; 2]>,
    /// What it comes to.
    pub verdict: Verdict,
}

/// What a measure comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its values go before returns, and rotated ones do not.
    Real,
    /// Rotated values do as well.
    NoBetterThanChance,
    /// There are too few opinions to tell.
    TooFew,
    /// It says the same always: there is nothing to compare.
    Constant,
}

/// What a series was worth after so many bars.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AtHorizon {
    /// Bars.
    pub bars: usize,
    /// Opinions other than flat with so many bars after them.
    pub count: usize,
    /// Share of them whose return had the sign of the wish.
    pub hit_rate: f64,
    /// Its interval at 95 per cent (Wilson).
    pub hit_rate_interval: [f64; 2],
    /// Mean return in the direction of the wish.
    pub mean_return: f64,
    /// Its interval at 95 per cent, wider where horizons overlap.
    pub mean_return_interval: [f64; 2],
    /// The mean after the cost of going in and out.
    pub mean_after_cost: f64,
    /// Correlation of values and returns.
    pub coefficient: f64,
    /// Correlation of their ranks.
    pub rank_coefficient: f64,
}

/// Measures opinions against prices; both in order of time.
pub fn measure(opinions: &[Opinion], prices: &[Tradable], spec: &MeasureSpec) -> Measure {
    // The first open after it could be known is the first price at which one could have acted.
    let entry = |o: &Opinion| prices.partition_point(|p| p.at < o.at);
    let first = prices.first().map_or(Ts::MAX, |p| p.at);
    let placed: Vec<(usize, f64)> = opinions
        .iter()
        .filter(|o| o.at >= first && o.value.is_finite())
        .map(|o| (entry(o), o.value))
        .filter(|(i, _)| i + 1 < prices.len())
        .collect();
    let values: Vec<f64> = placed.iter().map(|p| p.1).collect();
    let forward: Vec<Vec<Option<f64>>> = spec.horizons.iter().map(|h| returns(&placed, prices, *h)).collect();
    let horizons: Vec<AtHorizon> =
        spec.horizons.iter().zip(&forward).map(|(h, r)| at_horizon(*h, &placed, r, spec.cost)).collect();
    let best = best_coefficient(&values, &forward);
    let chance = rotated(&values, &forward, spec.seed);
    let as_good = chance.as_ref().map(|c| as_good(c, best));
    let end = end_of(&placed, prices, spec);
    let (turnover_per_day, held, after) = held(&placed, &prices[..end], spec);
    let share = |f: fn(f64) -> bool| values.iter().filter(|v| f(**v)).count() as f64 / values.len().max(1) as f64;
    let constant = values.windows(2).all(|w| w[0] == w[1]);
    let span = placed.first().and_then(|p| Some((prices.get(p.0)?.price, prices[..end].last()?.price)));
    Measure {
        count: placed.len(),
        left_out: opinions.len() - placed.len(),
        shares: [share(|v| v > 0.0), share(|v| v < 0.0), share(|v| v == 0.0)],
        horizons,
        turnover_per_day,
        held_return: held,
        held_return_after_cost: after,
        market_return: span.map_or(0.0, |(a, b)| b / a - 1.0),
        best_coefficient: best,
        as_good_by_chance: as_good.filter(|_| !constant),
        chance_coefficients: chance.filter(|_| !constant).map(|c| [at_share(&c, 50), at_share(&c, 99)]),
        verdict: match as_good {
            _ if constant => Verdict::Constant,
            None => Verdict::TooFew,
            Some(p) if p < REAL_BELOW => Verdict::Real,
            Some(_) => Verdict::NoBetterThanChance,
        },
    }
}

/// The return from each entry over so many bars; `None` where the data ends before.
fn returns(placed: &[(usize, f64)], prices: &[Tradable], bars: usize) -> Vec<Option<f64>> {
    let price = |i: usize| prices.get(i).map(|p| p.price).filter(|p| *p > 0.0);
    placed.iter().map(|(i, _)| Some(price(i + bars)? / price(*i)? - 1.0)).collect()
}

fn at_horizon(bars: usize, placed: &[(usize, f64)], returns: &[Option<f64>], cost: f64) -> AtHorizon {
    let pairs: Vec<(f64, f64)> = placed.iter().zip(returns).filter_map(|((_, v), r)| Some((*v, (*r)?))).collect();
    let signed: Vec<f64> = pairs.iter().filter(|(v, _)| *v != 0.0).map(|(v, r)| v.signum() * r).collect();
    let count = signed.len();
    let hits = signed.iter().filter(|r| **r > 0.0).count();
    let mean = mean_of(&signed);
    let half = 1.96 * deviation(&signed) / independent(placed, bars, count).sqrt();
    let (values, returns): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    AtHorizon {
        bars,
        count,
        hit_rate: hits as f64 / count.max(1) as f64,
        hit_rate_interval: wilson(hits, count),
        mean_return: mean,
        mean_return_interval: [mean - half, mean + half],
        mean_after_cost: if count == 0 { 0.0 } else { mean - 2.0 * cost },
        coefficient: correlation(&values, &returns),
        rank_coefficient: correlation(&ranks(&values), &ranks(&returns)),
    }
}

/// How many of `count` returns over so many bars are independent: overlapping ones are not.
fn independent(placed: &[(usize, f64)], bars: usize, count: usize) -> f64 {
    let (Some(first), Some(last)) = (placed.first(), placed.last()) else { return 1.0 };
    let fit = (last.0 - first.0) as f64 / bars.max(1) as f64 + 1.0;
    (count as f64).min(fit).max(1.0)
}

/// How many prices count for positions: the last opinion is one for as long as the longest horizon, and not for the years of
/// data that may come after it.
fn end_of(placed: &[(usize, f64)], prices: &[Tradable], spec: &MeasureSpec) -> usize {
    let longest = spec.horizons.iter().max().copied().unwrap_or(1);
    placed.last().map_or(prices.len(), |p| prices.len().min(p.0.saturating_add(longest).saturating_add(1)))
}

/// Turnover per day and the return of the positions, before and after cost.
fn held(placed: &[(usize, f64)], prices: &[Tradable], spec: &MeasureSpec) -> (f64, f64, f64) {
    let (mut traded, mut gained, mut position, mut next) = (0.0, 0.0, 0.0f64, 0);
    let Some((begin, _)) = placed.first() else { return (0.0, 0.0, 0.0) };
    for i in *begin..prices.len().saturating_sub(1) {
        while let Some((_, value)) = placed.get(next).filter(|p| p.0 == i) {
            traded += (value - position).abs();
            position = *value;
            next += 1;
        }
        if let (Some(now), Some(then)) = (prices.get(i), prices.get(i + 1)) {
            gained += position * (then.price / now.price - 1.0);
        }
    }
    let days = (prices.len() - begin) as f64 / spec.bars_per_day;
    (traded / days.max(1e-9), gained, gained - traded * spec.cost)
}

fn best_coefficient(values: &[f64], forward: &[Vec<Option<f64>>]) -> f64 {
    let of = |returns: &Vec<Option<f64>>| {
        let pairs = values.iter().zip(returns).filter_map(|(v, r)| Some((*v, (*r)?)));
        let (values, returns): (Vec<f64>, Vec<f64>) = pairs.unzip();
        correlation(&values, &returns)
    };
    forward.iter().map(of).fold(f64::NEG_INFINITY, f64::max).max(-1.0)
}

/// The share of series that reach `best`, itself among them.
fn as_good(chance: &[f64], best: f64) -> f64 {
    (chance.iter().filter(|c| **c >= best).count() + 1) as f64 / (chance.len() + 1) as f64
}

/// The value below which so many of a hundred are; the values are in order.
fn at_share(sorted: &[f64], of_hundred: usize) -> f64 {
    sorted.get(sorted.len() * of_hundred / 100).or(sorted.last()).copied().unwrap_or(0.0)
}

/// The highest coefficients of rotations of the values, in order; `None` where there are too few.
fn rotated(values: &[f64], forward: &[Vec<Option<f64>>], seed: u64) -> Option<Vec<f64>> {
    let count = values.len();
    if count < JUDGED_FROM {
        return None;
    }
    let shifts: Vec<usize> = if count - 1 <= ROTATIONS {
        (1..count).collect()
    } else {
        let mut state = seed;
        (0..ROTATIONS).map(|_| 1 + (draw(&mut state) % (count as u64 - 1)) as usize).collect()
    };
    let mut turned = Vec::with_capacity(count);
    let mut reached = Vec::with_capacity(shifts.len());
    for shift in &shifts {
        turned.clear();
        turned.extend(values.iter().cycle().skip(*shift).take(count));
        reached.push(best_coefficient(&turned, forward));
    }
    reached.sort_by(f64::total_cmp);
    Some(reached)
}

/// SplitMix64: equal seeds, equal numbers.
pub fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn mean_of(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The sample's standard deviation.
fn deviation(values: &[f64]) -> f64 {
    let mean = mean_of(values);
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (squares / values.len().saturating_sub(1).max(1) as f64).sqrt()
}

/// Pearson's; zero where one side does not vary.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean_of(a), mean_of(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        (ab, aa, bb) = (ab + x * y, aa + x * x, bb + y * y);
    }
    if aa > 0.0 && bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}

/// Ranks; equal values share theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut begin = 0;
    while begin < order.len() {
        let same = order[begin..].iter().take_while(|i| values[**i] == values[order[begin]]).count().max(1);
        let shared = begin as f64 + (same as f64 - 1.0) / 2.0;
        order[begin..begin + same].iter().for_each(|i| ranks[*i] = shared);
        begin += same;
    }
    ranks
}

/// Wilson's interval of a share at 95 per cent.
fn wilson(hits: usize, count: usize) -> [f64; 2] {
    if count == 0 {
        return [0.0, 1.0];
    }
    let (n, p, z) = (count as f64, hits as f64 / count as f64, 1.96);
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z * z / n;
    [(middle - half) / whole, (middle + half) / whole]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> MeasureSpec {
        MeasureSpec { horizons: vec![1, 2], cost: 0.001, bars_per_day: 24.0, seed: 1 }
    }

    fn prices(text: &[f64]) -> Vec<Tradable> {
        text.iter().zip(0..).map(|(p, i)| Tradable { at: Ts::from_nanos(i * 10), price: *p }).collect()
    }

    fn opinion(at: i64, value: f64) -> Opinion {
        Opinion { at: Ts::from_nanos(at), value }
    }

    #[test]
    fn a_signal_is_acted_on_at_the_first_open_at_which_it_is_known() {
        let prices = prices(&[100.0, 110.0, 121.0, 121.0]);
        // Known within the first bar: the second bar's open is the first price.
        let late = measure(&[opinion(1, 1.0)], &prices, &spec());
        assert!((late.horizons[0].mean_return - 0.1).abs() < 1e-12);
        // Known at the very open: that open.
        let early = measure(&[opinion(0, 1.0)], &prices, &spec());
        assert!((early.horizons[1].mean_return - 0.21).abs() < 1e-12);
        assert!((early.horizons[1].mean_after_cost - 0.208).abs() < 1e-12);
        assert_eq!((early.verdict, early.as_good_by_chance), (Verdict::Constant, None));
    }

    #[test]
    fn what_has_no_price_after_it_is_left_out() {
        let prices = prices(&[100.0, 110.0]);
        let measured = measure(&[opinion(-5, 1.0), opinion(0, 1.0), opinion(10, 1.0)], &prices, &spec());
        assert_eq!((measured.count, measured.left_out), (1, 2));
    }

    #[test]
    fn turnover_and_cost_follow_the_positions() {
        let prices = prices(&[100.0, 100.0, 100.0, 100.0]);
        let measured = measure(&[opinion(0, 1.0), opinion(10, -1.0)], &prices, &spec());
        // 1 in, 2 over to the other side; nothing gained: three units of cost.
        assert!((measured.held_return_after_cost + 0.003).abs() < 1e-12);
        assert!((measured.turnover_per_day - 3.0 / (4.0 / 24.0)).abs() < 1e-9);
    }

    #[test]
    fn the_last_opinion_is_no_position_for_ever() {
        let mut all = vec![100.0, 100.0, 110.0];
        all.extend([50.0; 40]);
        let measured = measure(&[opinion(0, 1.0)], &prices(&all), &spec());
        // Held for two bars, the longest horizon: up by a tenth, before the fall.
        assert!((measured.held_return - 0.1).abs() < 1e-12, "{}", measured.held_return);
        assert!((measured.market_return - 0.1).abs() < 1e-12, "{}", measured.market_return);
        assert!((measured.turnover_per_day - 1.0 / (3.0 / 24.0)).abs() < 1e-9);
    }

    #[test]
    fn equal_values_share_their_rank_and_wilson_is_the_textbooks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0]), [1.5, 0.0, 1.5]);
        let [low, high] = wilson(81, 263);
        assert!((low - 0.2553).abs() < 1e-3 && (high - 0.3662).abs() < 1e-3, "{low} {high}");
    }
}
