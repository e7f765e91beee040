//! A grid: every combination of some settings, on all cores, over data decoded once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::backtest::Prepared;
use super::plan::strategies_of;
use super::shared::Shared;
use super::{RunError, RunReport, Variant};
use crate::config::Settings;
use crate::data::Catalog;
use crate::host::Registry;

/// Combinations beyond which a grid is refused: nobody reads the table.
const VARIANTS_MAX: usize = 100_000;

/// Runs every combination of the axes (`("strategy.fast", ["5", "10"])`) on all cores, sharing the decoded data;
/// results come in order of the axes. `keep` takes of each run what is wanted, at once: all runs whole are gigabytes.
/// `done` is called after each with the count so far.
///
/// # Errors
/// [`RunError`] when no combination can run at all; a combination's own error stands in its [`Variant`].
pub fn grid<T: Send>(
    settings: &Settings,
    registry: &Registry,
    axes: &[(String, Vec<String>)],
    stop: &AtomicBool,
    keep: &(dyn Fn(RunReport) -> T + Sync),
    done: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Variant<T>>, RunError> {
    let count = axes.iter().try_fold(1usize, |n, (_, values)| n.checked_mul(values.len()));
    let count = count.filter(|n| *n <= VARIANTS_MAX).ok_or_else(|| {
        RunError::Settings(format!("the grid has over {VARIANTS_MAX} combinations; take larger steps"))
    })?;
    let mut base = settings.clone();
    base.strategy = strategies_of(settings);
    let catalog = Catalog::open(&settings.data.dir)?;
    let shared = shared(&base, registry, &catalog, axes, stop)?;
    let finished = AtomicUsize::new(0);
    Ok((0..count)
        .into_par_iter()
        .map(|n| {
            let set = combination(axes, n);
            let result = if stop.load(Ordering::Relaxed) {
                Err(RunError::Interrupted)
            } else {
                applied(&base, &set).and_then(|settings| {
                    let prepared = Prepared::new(&settings, registry, &catalog)?;
                    prepared.run(Some(shared.sources()), stop).map(keep)
                })
            };
            done(finished.fetch_add(1, Ordering::Relaxed) + 1);
            Variant { set, result }
        })
        .collect())
}

/// The `n`th combination: the last axis turns fastest.
fn combination(axes: &[(String, Vec<String>)], mut n: usize) -> Vec<(String, String)> {
    let mut set: Vec<(String, String)> = axes
        .iter()
        .rev()
        .map(|(name, values)| {
            let value = values[n % values.len()].clone();
            n /= values.len();
            (name.clone(), value)
        })
        .collect();
    set.reverse();
    set
}

/// Settings with parameters put in place: `ID.NAME` for one strategy; `strategy.NAME` for all, or for those that have a
/// value of it already where some have.
fn applied(base: &Settings, set: &[(String, String)]) -> Result<Settings, RunError> {
    let mut settings = base.clone();
    for (path, value) in set {
        let wrong = || RunError::Settings(format!("{path:?} is not a parameter; write strategy.NAME or ID.NAME"));
        let (id, name) = path.split_once('.').ok_or_else(wrong)?;
        let mut found = false;
        let some_have = base.strategy.iter().any(|s| s.params.contains_key(name));
        for strategy in &mut settings.strategy {
            let of_all = id == "strategy" && (!some_have || strategy.params.contains_key(name));
            if of_all || id == strategy.id || id == strategy.plugin {
                strategy.params.insert(name.to_owned(), value.clone());
                found = true;
            }
        }
        if !found {
            return Err(wrong());
        }
    }
    Ok(settings)
}

/// Reads what the first combination that can run would read; parameters do not change what is read.
fn shared(
    base: &Settings,
    registry: &Registry,
    catalog: &Catalog,
    axes: &[(String, Vec<String>)],
    stop: &AtomicBool,
) -> Result<Shared, RunError> {
    let count: usize = axes.iter().map(|a| a.1.len()).product();
    let mut first_error = None;
    for n in 0..count {
        let settings = applied(base, &combination(axes, n))?;
        match Prepared::new(&settings, registry, catalog) {
            Ok(prepared) => return Shared::of(&prepared, stop),
            Err(e) => first_error = first_error.or(Some(e)),
        }
    }
    Err(first_error.unwrap_or_else(|| RunError::Settings("the grid has no combination".to_owned())))
}
