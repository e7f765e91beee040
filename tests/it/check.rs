//! What `strategy check` says of good strategies, and of planted ones that cheat or break.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use bellwether::config::{Settings, StrategySettings};
use bellwether::data::{self, Catalog, Format, ImportSpec};
use bellwether::host::Registry;
use bellwether::run::{self, CheckReport, Verdict};
use bellwether_sdk::{Bar, Context, Intent, ParamError, Params, Plugin, Price, Qty, Side, Signal, Strategy, Ts};
use strategy_ema_cross::EmaCross;

/// Checks a strategy over 600 hourly bars of a wave.
fn checked<P: Plugin>() -> CheckReport {
    checked_over::<P>(600)
}

fn checked_over<P: Plugin>(hours: i64) -> CheckReport {
    let dir = tempfile::tempdir().expect("folder");
    let mut bars = String::from("ts_ms,open,high,low,close,volume\n");
    let price = |hour: i64| 100 + (hour % 48 - 24).abs() + (hour % 7);
    for hour in 0..hours {
        let (open, close) = (price(hour), price(hour + 1));
        let (ts, high, low) = (1_704_067_200_000 + hour * 3_600_000, open.max(close) + 1, open.min(close) - 1);
        let _ = writeln!(bars, "{ts},{open},{high},{low},{close},5");
    }
    let file = dir.path().join("bars.csv");
    std::fs::write(&file, bars).expect("written");
    let mut settings = Settings::default();
    settings.data.dir = dir.path().join("data");
    let spec = ImportSpec::new(Format::Csv, "test:AAA/USD".parse().expect("a symbol"));
    let mut catalog = Catalog::open_or_create(&settings.data.dir).expect("a catalog");
    data::import(&mut catalog, &spec, &[file], &mut |_| {}, &AtomicBool::new(false)).expect("imported");
    settings.strategy = vec![StrategySettings { plugin: P::NAME.to_owned(), ..Default::default() }];
    run::check(&settings, &Registry::new().with::<P>(), None, &AtomicBool::new(false)).expect("checked")
}

/// The checks that failed.
fn failed(report: &CheckReport) -> Vec<&'static str> {
    report.findings.iter().filter(|f| f.verdict == Verdict::Bad).map(|f| f.check).collect()
}

fn found<'a>(report: &'a CheckReport, check: &str) -> (Verdict, &'a str) {
    let finding = report.findings.iter().find(|f| f.check == check).unwrap_or_else(|| panic!("{check}: {report:?}"));
    (finding.verdict, &finding.found)
}

#[derive(Params)]
struct NoParams {}

macro_rules! planted {
    ($name:ident, $text:literal, many: $many:literal) => {
        impl Plugin for $name {
            type Params = NoParams;
            const NAME: &'static str = $text;
            const SUMMARY: &'static str = "planted";
            const DIRECTIONAL: bool = true;
            const SIGNAL_ONLY: bool = $many;
            fn new(_: NoParams) -> Result<Self, ParamError> {
                Ok(Self::default())
            }
        }
    };
}

#[test]
fn a_shipped_strategy_passes_and_the_numbers_are_told() {
    let report = checked::<EmaCross>();
    assert_eq!(failed(&report), Vec::<&str>::new(), "{report:#?}");
    assert_eq!(report.events, 600);
    assert!(report.decisions > 5, "{report:#?}");
    assert_eq!(found(&report, "look-ahead").0, Verdict::Good);
    assert_eq!(found(&report, "state").0, Verdict::Good);
    assert!(found(&report, "time").1.contains("ns per event"));
}

/// What earlier runs of this process saw.
static SEEN: Mutex<BTreeMap<Ts, Price>> = Mutex::new(BTreeMap::new());

/// Buys before the bars of which it knows, from a run before, that they rise.
#[derive(Default)]
struct Remembers;

impl Strategy for Remembers {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(bar.ts_close, bar.close);
        if let Some((_, next)) = seen.range(bar.ts_close.plus(1)..).next() {
            ctx.signal(if *next > bar.close { Signal::long(bar.instrument) } else { Signal::flat(bar.instrument) });
        }
    }
}
planted!(Remembers, "remembers", many: false);

#[test]
fn a_strategy_that_remembers_the_future_from_another_run_is_found() {
    let report = checked::<Remembers>();
    assert!(failed(&report).contains(&"determinism"), "{report:#?}");
    assert!(failed(&report).contains(&"look-ahead"), "{report:#?}");
}

/// Peeks at the rows behind the one that it decides at.
#[derive(Default)]
struct Peeks;

impl Strategy for Peeks {
    fn on_bar(&mut self, _: &mut Context<'_>, _: &Bar) {}

    fn takes_many(&self) -> bool {
        true
    }

    fn on_bars(&mut self, ctx: &mut Context<'_>, bars: &[Bar]) -> usize {
        match bars.windows(2).position(|pair| pair[1].close > pair[0].close) {
            Some(at) => {
                ctx.signal(Signal::long(bars[at].instrument));
                at + 1
            }
            None => bars.len(),
        }
    }
}
planted!(Peeks, "peeks", many: true);

#[test]
fn a_strategy_that_peeks_at_the_rows_behind_is_found() {
    // Bars come in rows once the chart of a run has become coarser than they are.
    let report = checked_over::<Peeks>(6_000);
    assert_eq!(found(&report, "look-ahead").0, Verdict::Bad, "{report:#?}");
    assert!(found(&report, "look-ahead").1.starts_with("it looks ahead: at 20"), "{report:#?}");
    assert_eq!(found(&report, "one by one").0, Verdict::Bad, "{report:#?}");
    assert_eq!(found(&report, "determinism").0, Verdict::Good, "{report:#?}");
}

/// Says of every low that it saw it when it was there, two bars before it could.
#[derive(Default)]
struct Repaints {
    last: Vec<Bar>,
}

impl Strategy for Repaints {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        self.last.push(*bar);
        if let [.., a, low, b, c] = self.last[..]
            && low.close < a.close
            && low.close < b.close
            && low.close < c.close
        {
            ctx.signal(Signal { ts_made: low.ts_close, ..Signal::long(bar.instrument) });
        }
    }
}
planted!(Repaints, "repaints", many: false);

#[test]
fn a_strategy_that_repaints_is_found() {
    let report = checked::<Repaints>();
    assert_eq!(found(&report, "look-ahead").0, Verdict::Bad, "{report:#?}");
    assert!(found(&report, "look-ahead").1.starts_with("it repaints: at 20"), "{report:#?}");
}

/// Divides by what may be zero, and gives up on a bar that is not as usual.
#[derive(Default)]
struct Fragile;

impl Strategy for Fragile {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let range = bar.high.mantissa() - bar.low.mantissa();
        let strength = (bar.close.mantissa() - bar.low.mantissa()) as f64 / range as f64;
        assert!(!bar.volume.is_zero(), "a bar without volume");
        ctx.signal(Signal { strength, ..Signal::long(bar.instrument) });
    }
}
planted!(Fragile, "fragile", many: false);

#[test]
fn a_strategy_that_does_not_bear_odd_data_is_found_with_the_case() {
    let report = checked::<Fragile>();
    assert_eq!(failed(&report), ["zero volume", "extreme prices", "flat prices"], "{report:#?}");
    assert!(found(&report, "zero volume").1.contains("a bar without volume"), "{report:#?}");
    assert!(found(&report, "flat prices").1.contains("a strength of NaN"), "{report:#?}");
}

/// Acts at every twentieth bar from where it began, so that it never matters less where that was.
#[derive(Default)]
struct Counts {
    bars: u64,
}

impl Strategy for Counts {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        self.bars += 1;
        match self.bars % 20 {
            0 => ctx.signal(Signal::long(bar.instrument)),
            10 => ctx.signal(Signal::flat(bar.instrument)),
            _ => {}
        }
    }

    fn save(&self) -> Vec<u8> {
        self.bars.to_le_bytes().to_vec()
    }

    fn restore(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
}
planted!(Counts, "counts", many: false);

#[test]
fn a_beginning_that_always_matters_and_a_state_that_is_not_taken_up_are_told() {
    let report = checked::<Counts>();
    let (verdict, text) = found(&report, "warm-up");
    assert_eq!(verdict, Verdict::Warning, "{report:#?}");
    assert!(text.contains("never comes to decide as from the start"), "{text}");
    assert_eq!(failed(&report), ["state"], "{report:#?}");
}

/// Says at each twentieth bar what it would have said ten bars before, in the name of another.
#[derive(Default)]
struct RepaintsAsAnother {
    times: Vec<Ts>,
}

impl Strategy for RepaintsAsAnother {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        self.times.push(bar.ts_close);
        if self.times.len().is_multiple_of(20) {
            let ts_made = self.times[self.times.len() - 10];
            ctx.signal(Signal { ts_made, source: "another".into(), ..Signal::long(bar.instrument) });
        }
    }
}
planted!(RepaintsAsAnother, "repaints_as_another", many: false);

#[test]
fn a_signal_that_is_dated_back_in_the_name_of_another_is_found_too() {
    let report = checked::<RepaintsAsAnother>();
    assert!(found(&report, "look-ahead").1.starts_with("it repaints: at 20"), "{report:#?}");
}

/// Takes up a state only once it has been started, as the sdk says it will be.
#[derive(Default)]
struct StartsFirst {
    bars: u64,
    started: bool,
}

impl Strategy for StartsFirst {
    fn on_start(&mut self, ctx: &mut Context<'_>) {
        self.started = ctx.instruments().len() == 1;
    }

    fn on_bar(&mut self, _: &mut Context<'_>, _: &Bar) {
        self.bars += 1;
    }

    fn save(&self) -> Vec<u8> {
        self.bars.to_le_bytes().to_vec()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        self.bars = u64::from_le_bytes(state.try_into().map_err(|_| "eight bytes".to_owned())?);
        if self.started { Ok(()) } else { Err("not started".to_owned()) }
    }
}
planted!(StartsFirst, "starts_first", many: false);

#[test]
fn a_state_is_taken_up_by_one_that_was_started_first() {
    assert_eq!(failed(&checked::<StartsFirst>()), [""; 0]);
}

#[derive(Params)]
struct Length {
    /// Of what.
    #[param(default = 5, range = 1..=10)]
    length: u64,
}

/// Breaks where its parameter is the most it may be.
struct Breaks;

impl Strategy for Breaks {}

impl Plugin for Breaks {
    type Params = Length;
    const NAME: &'static str = "breaks";
    const SUMMARY: &'static str = "planted";
    const DIRECTIONAL: bool = true;

    fn new(params: Length) -> Result<Self, ParamError> {
        assert!(params.length < 10, "too long");
        Ok(Self)
    }
}

#[test]
fn a_strategy_that_breaks_at_the_end_of_a_declared_range_is_found() {
    let report = checked::<Breaks>();
    assert_eq!(failed(&report), ["parameters"], "{report:#?}");
    assert!(found(&report, "parameters").1.contains("length: 10 is declared and refused: it panicked: too long"));
}

#[derive(Params)]
struct Size {
    /// How many it buys at once.
    #[param(default = 4, range = 1..=4)]
    many: i64,
}

/// Buys some at once every hundred bars, and sells them one by one.
struct InParts {
    size: Size,
    bars: i64,
}

impl Strategy for InParts {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let one = Qty::from_mantissa(10_i64.pow(u32::from(ctx.instrument(bar.instrument).qty_scale)));
        let at = self.bars % 100;
        self.bars += 1;
        if at == 0 {
            let all = Qty::from_mantissa(one.mantissa() * self.size.many);
            ctx.place(Intent::market(bar.instrument, Side::Buy, all));
        } else if at <= self.size.many {
            ctx.place(Intent::market(bar.instrument, Side::Sell, one));
        }
    }
}

impl Plugin for InParts {
    type Params = Size;
    const NAME: &'static str = "in_parts";
    const SUMMARY: &'static str = "planted";
    const DIRECTIONAL: bool = false;
    fn new(size: Size) -> Result<Self, ParamError> {
        Ok(Self { size, bars: 0 })
    }
}

#[test]
fn what_is_sold_in_parts_is_one_round_trip() {
    let report = checked::<InParts>();
    let (verdict, found) = found(&report, "parameters and data");
    assert!(found.starts_with("1 parameters, 6 round trips of 6 entries, 600 events"), "{found}");
    assert_eq!(verdict, Verdict::Warning, "{found}");
}
