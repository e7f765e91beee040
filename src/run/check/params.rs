//! What a strategy declares of its parameters, held against what it takes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bellwether_sdk::{ParamError, ParamSpec, ParamValues};

use super::{Finding, Verdict};
use crate::host::Entry;
use crate::run::backtest::panic_text;

/// A name that no strategy has for a parameter.
const NOBODYS: &str = "no-such-parameter";

pub(super) fn finding(entry: &Entry) -> Finding {
    let wrong = wrong(entry);
    let bad = !wrong.is_empty();
    let found =
        if bad { wrong.join("; ") } else { format!("{} declared, ranges and defaults hold", entry.specs.len()) };
    Finding { check: "parameters", verdict: if bad { Verdict::Bad } else { Verdict::Good }, found }
}

fn wrong(entry: &Entry) -> Vec<String> {
    let made = |name: &str, value: &str| {
        let values = ParamValues::from([(name.to_owned(), value.to_owned())]);
        making(entry, &values)
    };
    let mut wrong = Vec::new();
    if let Some(e) = making(entry, &ParamValues::new()) {
        wrong.push(format!("its defaults are refused: {e}"));
    }
    if made(NOBODYS, "1").is_none() {
        wrong.push("it takes a parameter that it does not declare".to_owned());
    }
    for spec in &entry.specs {
        // Values that it allows may still not go together.
        for value in allowed(spec) {
            if let Some(e) = made(spec.name, &value).filter(|e| !matches!(e, ParamError::Conflict(_))) {
                wrong.push(format!("{}: {value} is declared and refused: {e}", spec.name));
            }
        }
        for value in forbidden(spec) {
            match made(spec.name, &value) {
                None => wrong.push(format!("{}: {value} is outside what is declared, and taken", spec.name)),
                Some(e @ ParamError::Broken(_)) => wrong.push(format!("{}: at {value} {e}", spec.name)),
                Some(_) => {}
            }
        }
        if spec.help.is_empty() {
            wrong.push(format!("{}: it says nothing of what it is", spec.name));
        }
    }
    wrong
}

/// Why none is made. One that breaks instead of refusing is never as it should be.
fn making(entry: &Entry, values: &ParamValues) -> Option<ParamError> {
    catch_unwind(AssertUnwindSafe(|| (entry.make)(values).err()))
        .unwrap_or_else(|panic| Some(ParamError::Broken(format!("it panicked: {}", panic_text(&*panic)))))
}

fn allowed(spec: &ParamSpec) -> Vec<String> {
    let ends = spec.range.iter().flat_map(|(low, high)| [low.clone(), high.clone()]);
    ends.chain(spec.choices.iter().map(|c| (*c).to_owned())).chain(spec.default.clone()).collect()
}

fn forbidden(spec: &ParamSpec) -> Vec<String> {
    let mut all = Vec::new();
    if let Some((low, high)) = &spec.range
        && let (Ok(low), Ok(high)) = (low.parse::<i64>(), high.parse::<i64>())
    {
        all.extend(low.checked_sub(1).map(|n| n.to_string()));
        all.extend(high.checked_add(1).map(|n| n.to_string()));
    }
    match spec.kind {
        "choice" => all.push("no-such-choice".to_owned()),
        "text" => {}
        _ => all.push("no value".to_owned()),
    }
    all
}
