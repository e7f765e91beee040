//! Made-up market data beside a new strategy, so that it can be tried before there is any other.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use bellwether::data::{Catalog, Format, ImportSpec, import};
use bellwether_sdk::Symbol;

use super::sources;
use crate::failure::Failure;

/// Its instrument; there is no such venue.
const SYMBOL: &str = "sample:AAA/USD";

/// Hours of it.
const HOURS: i64 = 4_000;

const README: &str = "Made-up hourly bars of sample:AAA/USD: waves with noise, the same in every copy. They are for trying the \
commands; what a strategy earns on them says nothing. `bellwether data download` and `data import` get real ones.\n";

/// Writes a catalog into a folder, from a file of bars that stays beside it as an example of what `data import` reads.
pub(super) fn write(folder: &Path) -> Result<(), Failure> {
    let file = folder.join("sample.csv");
    sources::write(&file, &bars())?;
    sources::write(&folder.join("README.md"), README)?;
    let symbol: Symbol = SYMBOL.parse().map_err(|e| Failure::bad(format!("{SYMBOL}: {e}")))?;
    let mut catalog = Catalog::open_or_create(folder)?;
    import(&mut catalog, &ImportSpec::new(Format::Csv, symbol), &[file], &mut |_| {}, &AtomicBool::new(false))?;
    Ok(())
}

/// Bars as CSV: a slow and a fast triangle wave, and noise of a linear congruence; all in cents.
fn bars() -> String {
    let mut text = String::from("ts_ms,open,high,low,close,volume\n");
    let mut seed = 1_u64;
    let mut noise = |below: i64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as i64 % below
    };
    let wave = |hour: i64, length: i64, step: i64| step * (hour % length - length / 2).abs();
    let show = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
    let mut open = 10_000;
    for hour in 0..HOURS {
        let close = 8_000 + wave(hour, 900, 4) + wave(hour, 130, 12) + noise(400);
        let (high, low) = (open.max(close) + noise(40), open.min(close) - noise(40));
        let ts = 1_704_067_200_000 + hour * 3_600_000;
        let _ = writeln!(text, "{ts},{},{},{},{},{}", show(open), show(high), show(low), show(close), 10 + noise(90));
        open = close;
    }
    text
}
