//! Stories of a run over a catalog on disk: what of the stored data counts, and what is refused before it misleads.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bellwether::config::{Settings, Slippage, StrategySettings};
use bellwether::data::{self, Catalog, Format, ImportSpec};
use bellwether::host::Registry;
use bellwether::run::{self, RunError, RunReport};
use bellwether_sdk::{
    AccountKind, Context, Decimal, InstrumentId, Interval, Money, ParamError, Params, Plugin, Strategy, Ts,
};
use strategy_ema_cross::EmaCross;

static NEVER: AtomicBool = AtomicBool::new(false);
const HOUR_MS: i64 = 3_600_000;
const START_MS: i64 = 1_704_067_200_000; // 2024-01-01
const SYMBOL: &str = "binance:BTC/USDT:USDT";

/// A catalog with 48 rising hourly bars, and funding every eight hours from a week before them to a week after.
fn catalog(dir: &Path) {
    let bars: String = (0..48)
        .map(|i| {
            let (ts, price) = (START_MS + i * HOUR_MS, 100 + i);
            format!("{ts},{price},{},{price},{},5\n", price + 1, price + 1)
        })
        .collect();
    let funding: String = (-21..27).map(|i| format!("{},0.0001\n", START_MS + i * 8 * HOUR_MS)).collect();
    import(dir, "bars.csv", &format!("ts_ms,open,high,low,close,volume\n{bars}"));
    import(dir, "funding.csv", &format!("ts_ms,funding_rate\n{funding}"));
}

fn import(dir: &Path, name: &str, text: &str) {
    let file = dir.join(name);
    std::fs::write(&file, text).expect("file");
    let mut catalog = Catalog::open_or_create(&dir.join("catalog")).expect("catalog");
    let spec = ImportSpec::new(Format::Csv, SYMBOL.parse().expect("symbol"));
    data::import(&mut catalog, &spec, &[file], &mut |_| {}, &AtomicBool::new(false)).expect("import");
}

/// Runs an EMA cross of one contract over the catalog, with the settings changed.
fn run(change: impl FnOnce(&mut Settings)) -> Result<RunReport, RunError> {
    let dir = tempfile::tempdir().expect("folder");
    catalog(dir.path());
    let params = [("fast", "1"), ("slow", "5"), ("qty", "1")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let mut settings = Settings::default();
    settings.data.dir = dir.path().join("catalog");
    settings.strategy =
        vec![StrategySettings { plugin: "ema_cross".to_owned(), params: params.into(), ..Default::default() }];
    change(&mut settings);
    run::backtest(&settings, &Registry::new().with::<EmaCross>(), &AtomicBool::new(false))
}

#[test]
fn funding_counts_only_while_there_are_prices() {
    let outcome = run(|_| {}).expect("run").outcome;
    let end = Ts::from_nanos((START_MS + 48 * HOUR_MS) * 1_000_000);
    assert!(outcome.ts_first >= Ts::from_nanos(START_MS * 1_000_000), "{:?}", outcome.ts_first);
    assert!(outcome.ts_last <= end, "{:?}", outcome.ts_last);
    // One contract is held from 02:00 on: five settlements, 08:00 on the first day to 16:00 on the second.
    assert_eq!(outcome.open_lots.len(), 1);
    assert_eq!(outcome.events, 48 + 6);
    assert!(outcome.funding < Money::ZERO);
    let paid = -outcome.funding.to_f64(outcome.reporting.scale);
    let owed: f64 = [108.0, 116.0, 124.0, 132.0, 140.0].iter().map(|price| price * 0.0001).sum();
    assert!((paid - owed).abs() < 0.001, "{paid} paid, {owed} owed");
}

#[test]
fn a_run_in_which_no_bar_is_completed_is_an_error_and_not_a_run_without_trades() {
    let said = run(|s| s.backtest.interval = "1w".parse::<Interval>().ok()).map(|r| r.outcome.events);
    let Err(RunError::Data(said)) = said else { panic!("48 hours make no week: {said:?}") };
    assert!(said.starts_with("no bar of 1w was completed for binance:BTC/USDT:USDT"), "{said}");
}

#[test]
fn bars_made_of_data_that_has_grown_since_do_not_end_a_run_early() {
    let dir = tempfile::tempdir().expect("folder");
    catalog(dir.path());
    let store = dir.path().join("catalog");
    let symbol = SYMBOL.parse().expect("symbol");
    let four: Interval = "4h".parse().expect("an interval");
    let hourly = bellwether::market::Kind::Bars(Interval::HOUR);
    let make = || {
        data::resample(
            &mut Catalog::open(&store).expect("catalog"),
            &symbol,
            hourly,
            four,
            &mut data::Watcher::silent(&NEVER),
        )
        .expect("bars")
    };
    make();
    let more: String = (48..96).map(|i| format!("{},100,100,100,100,5\n", START_MS + i * HOUR_MS)).collect();
    import(dir.path(), "more.csv", &format!("ts_ms,open,high,low,close,volume\n{more}"));
    let mut settings = Settings::default();
    settings.data.dir = store.clone();
    settings.backtest.interval = Some(four);
    settings.strategy = vec![StrategySettings { plugin: "weekly".to_owned(), ..Default::default() }];
    let run = || run::backtest(&settings, &Registry::new().with::<Weekly>(), &AtomicBool::new(false)).expect("a run");
    let told = |report: &RunReport| report.outcome.notes.iter().filter(|n| n.contains("are not used")).count();
    let last = Ts::from_nanos((START_MS + 96 * HOUR_MS) * 1_000_000);
    let done = run();
    assert_eq!((done.outcome.ts_last, told(&done)), (last, 1), "{:?}", done.outcome.notes);
    make();
    let done = run();
    assert_eq!((done.outcome.ts_last, told(&done)), (last, 0), "{:?}", done.outcome.notes);
}

#[derive(Debug, Clone, Params)]
struct NoParams {}

/// Waits for a bar of a week.
struct Weekly;

impl Strategy for Weekly {
    fn on_start(&mut self, ctx: &mut Context<'_>) {
        ctx.subscribe_bars(InstrumentId(0), "1w".parse().expect("a week"));
    }
}

impl Plugin for Weekly {
    type Params = NoParams;
    const NAME: &'static str = "weekly";
    const SUMMARY: &'static str = "waits for a bar of a week";
    const DIRECTIONAL: bool = true;

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self)
    }
}

#[test]
fn a_strategy_that_waits_for_bars_that_never_complete_is_told_so() {
    let dir = tempfile::tempdir().expect("folder");
    catalog(dir.path());
    let mut settings = Settings::default();
    settings.data.dir = dir.path().join("catalog");
    settings.strategy = vec![StrategySettings { plugin: "weekly".to_owned(), ..Default::default() }];
    let done = run::backtest(&settings, &Registry::new().with::<Weekly>(), &AtomicBool::new(false)).expect("a run");
    assert_eq!(done.outcome.unbuilt, ["1w of binance:BTC/USDT:USDT"]);
}

#[test]
fn a_range_of_one_strategys_parameter_leaves_the_other_alone() {
    let dir = tempfile::tempdir().expect("folder");
    catalog(dir.path());
    let params = [("fast", "1"), ("slow", "5"), ("qty", "1")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let mut settings = Settings::default();
    settings.data.dir = dir.path().join("catalog");
    settings.strategy = vec![
        StrategySettings { plugin: "ema_cross".to_owned(), params: params.into(), ..Default::default() },
        StrategySettings { plugin: "weekly".to_owned(), id: "weekly".to_owned(), ..Default::default() },
    ];
    let axes = [("strategy.fast".to_owned(), vec!["1".to_owned(), "2".to_owned()])];
    let registry = Registry::new().with::<EmaCross>().with::<Weekly>();
    let kept = AtomicUsize::new(0);
    let keep = |report: RunReport| {
        kept.fetch_add(1, Ordering::Relaxed);
        report.outcome.order_hash
    };
    // A run is let go before the next one is begun in its place.
    let done =
        |count: usize| assert!(kept.load(Ordering::Relaxed) >= count, "{count} runs are done and not all let go");
    let all = run::grid(&settings, &registry, &axes, &NEVER, &keep, &done).expect("a grid");
    assert_eq!(
        all.iter().filter(|v| v.result.is_ok()).count(),
        2,
        "{:?}",
        all.iter().map(|v| v.result.as_ref().err()).collect::<Vec<_>>()
    );
}

#[test]
fn an_instrument_without_the_data_that_the_profile_fills_at_is_refused() {
    let dir = tempfile::tempdir().expect("folder");
    catalog(dir.path());
    let trades: String = (0..48).map(|i| format!("{},100,1,buy\n", START_MS + i * HOUR_MS)).collect();
    let file = dir.path().join("trades.csv");
    std::fs::write(&file, format!("ts_ms,price,qty,side\n{trades}")).expect("file");
    let mut store = Catalog::open(&dir.path().join("catalog")).expect("catalog");
    let other: bellwether_sdk::Symbol = "binance:ETH/USDT:USDT".parse().expect("symbol");
    let spec = ImportSpec::new(Format::Csv, other.clone());
    data::import(&mut store, &spec, &[file], &mut |_| {}, &AtomicBool::new(false)).expect("import");
    let mut settings = Settings::default();
    settings.data.dir = dir.path().join("catalog");
    settings.backtest.instruments = vec![SYMBOL.parse().expect("symbol"), other];
    settings.backtest.interval = Some(Interval::HOUR);
    settings.sim.fill_profile = Some("next-open@1".to_owned());
    settings.strategy = vec![StrategySettings { plugin: "weekly".to_owned(), ..Default::default() }];
    let said = run::backtest(&settings, &Registry::new().with::<Weekly>(), &AtomicBool::new(false));
    let Err(RunError::Settings(said)) = said.map(|r| r.fill_profile) else { panic!("its orders would wait for ever") };
    assert!(said.starts_with("fill profile next-open@1 needs bars"), "{said}");
    assert!(said.ends_with("; binance:ETH/USDT:USDT would have none"), "{said}");
}

#[test]
fn rules_are_those_of_the_runs_start_and_a_change_is_told() {
    let ruled = |from: &str| {
        let dir = tempfile::tempdir().expect("folder");
        catalog(dir.path());
        let rules = r#"{"binance:BTC/USDT:USDT": [{"tick": "0.5", "lot": "1", "taker_bps": "5", "valid_from": "2023-01-01"},
            {"tick": "0.1", "lot": "1", "taker_bps": "7", "valid_from": "2024-01-02"}]}"#;
        std::fs::write(dir.path().join("catalog/instruments.json"), rules).expect("file");
        let mut settings = Settings::default();
        settings.data.dir = dir.path().join("catalog");
        settings.backtest.from = Some(from.to_owned());
        settings.strategy = vec![StrategySettings { plugin: "weekly".to_owned(), ..Default::default() }];
        let done = run::backtest(&settings, &Registry::new().with::<Weekly>(), &AtomicBool::new(false)).expect("a run");
        let it = &done.outcome.instruments[0];
        (
            it.tick.to_text(it.price_scale),
            done.outcome.notes.iter().filter(|n| n.contains("other rules")).cloned().collect::<Vec<_>>(),
        )
    };
    let (tick, notes) = ruled("2024-01-01");
    assert_eq!((tick.as_str(), notes.len()), ("0.5", 1), "{notes:?}");
    assert!(notes[0].contains("from 2024-01-02T00:00:00Z on"), "{notes:?}");
    assert_eq!(ruled("2024-01-02"), ("0.1".to_owned(), Vec::new()));
}

#[test]
fn slippage_of_the_whole_price_is_refused_with_the_number() {
    let said = run(|s| s.sim.slippage = Slippage::Bps { bps: Decimal::new(10_000, 0) }).map(|r| r.outcome.events);
    let Err(RunError::Settings(said)) = said else { panic!("sold for nothing: {said:?}") };
    assert_eq!(said, "sim.slippage: found 10000; must be from 0 to below 10000");
}

#[test]
fn the_error_of_an_empty_range_names_the_range_that_was_asked_for() {
    let said = run(|s| s.backtest.to = Some("2010-01-01".to_owned())).map(|r| r.outcome.events);
    let Err(RunError::Data(said)) = said else { panic!("no data before its first: {said:?}") };
    assert!(said.contains("in the beginning .. 2010-01-01T00:00:00Z; it has 2024-01-01T00:00:00Z"), "{said}");
}

/// A catalog with hourly bars of two days and trades of so many hours, from a given hour on, and quotes of three minutes.
fn ticks_beside_bars(dir: &Path, first: i64, hours: i64) {
    catalog(dir);
    let trades: String = (first..first + hours).map(|i| format!("{},100,1,buy\n", START_MS + i * HOUR_MS)).collect();
    import(dir, "trades.csv", &format!("ts_ms,price,qty,side\n{trades}"));
    let at = START_MS + 1000 * HOUR_MS;
    let quotes: String = (0..180).map(|i| format!("{},100,1,101,1\n", at + i * 1000)).collect();
    import(dir, "quotes.csv", &format!("ts_ms,bid,bid_qty,ask,ask_qty\n{quotes}"));
}

#[test]
fn bars_that_decide_and_quotes_that_fill_must_meet() {
    let dir = tempfile::tempdir().expect("folder");
    ticks_beside_bars(dir.path(), 0, 48);
    let mut settings = Settings::default();
    settings.data.dir = dir.path().join("catalog");
    settings.backtest.kinds = vec!["quotes".to_owned()];
    settings.backtest.interval = Some(Interval::HOUR);
    settings.strategy = vec![StrategySettings { plugin: "ema_cross".to_owned(), ..Default::default() }];
    let registry = Registry::new().with::<EmaCross>();
    let said = run::backtest(&settings, &registry, &NEVER).map(|r| r.fill_profile);
    let Err(RunError::Data(said)) = said else { panic!("no order could fill: {said:?}") };
    for part in [
        "bars-1h, stored from 2024-01-01T00:00:00Z to 2024-01-03T00:00:00Z",
        "quotes, stored from 2024-02-11",
        "--kind",
    ] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    // Without an interval the quotes are decided on, too.
    settings.backtest.interval = None;
    let done = run::backtest(&settings, &registry, &NEVER).expect("a run");
    assert_eq!(done.fill_profile, "quote@1");
}

#[test]
fn trades_stand_in_for_bars_only_where_they_cover_as_much() {
    let with = |first: i64, hours: i64, from: Option<&str>| {
        let dir = tempfile::tempdir().expect("folder");
        ticks_beside_bars(dir.path(), first, hours);
        let mut settings = Settings::default();
        settings.data.dir = dir.path().join("catalog");
        settings.backtest.interval = "30m".parse().ok();
        settings.backtest.from = from.map(str::to_owned);
        settings.strategy = vec![StrategySettings { plugin: "weekly".to_owned(), ..Default::default() }];
        run::backtest(&settings, &Registry::new().with::<Weekly>(), &NEVER).map(|r| r.outcome.notes)
    };
    // Two days of bars and four hours of trades, long after them.
    let Err(RunError::Data(said)) = with(480, 4, None) else { panic!("a sliver of trades is not the run asked for") };
    for part in ["bars of 30m", "only 2024-01-21T00:00:00Z to 2024-01-21T03:00:00", "a multiple of 1h", "--kind trades"]
    {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    // Asked for the time of the trades, or with trades all along, they are what there is.
    let built = |notes: Vec<String>| notes.into_iter().find(|n| n.contains("are built from")).expect("a note");
    let note = built(with(480, 4, Some("2024-01-20")).expect("a run"));
    assert!(note.contains("bars of 30m are built from trades, 2024-01-21T00:00:00Z to 2024-01-21T03:00:00"), "{note}");
    assert!(built(with(0, 48, None).expect("a run")).contains("2024-01-01T00:00:00Z to 2024-01-02T23:00:00"));
}

#[test]
fn a_series_that_ends_before_the_run_is_told() {
    let dir = tempfile::tempdir().expect("folder");
    catalog(dir.path());
    let other = "binance:ETH/USDT:USDT";
    let bars: String = (0..480).map(|i| format!("{},100,100,100,100,5\n", START_MS + i * HOUR_MS)).collect();
    let file = dir.path().join("other.csv");
    std::fs::write(&file, format!("ts_ms,open,high,low,close,volume\n{bars}")).expect("file");
    let mut store = Catalog::open(&dir.path().join("catalog")).expect("catalog");
    let spec = ImportSpec::new(Format::Csv, other.parse().expect("symbol"));
    data::import(&mut store, &spec, &[file], &mut |_| {}, &NEVER).expect("import");
    let told = |to: Option<&str>| {
        let mut settings = Settings::default();
        settings.data.dir = dir.path().join("catalog");
        settings.backtest.instruments = vec![SYMBOL.parse().expect("symbol"), other.parse().expect("symbol")];
        settings.backtest.to = to.map(str::to_owned);
        settings.strategy = vec![StrategySettings { plugin: "weekly".to_owned(), ..Default::default() }];
        let done = run::backtest(&settings, &Registry::new().with::<Weekly>(), &NEVER).expect("a run");
        done.outcome.notes.into_iter().filter(|n| n.contains(": its bars")).collect::<Vec<_>>()
    };
    assert_eq!(
        told(None),
        ["binance:BTC/USDT:USDT: its bars-1h end at 2024-01-03T00:00:00Z, the run at 2024-01-21T00:00:00Z: the last \
          price stands"]
    );
    assert_eq!(told(Some("2024-01-03")), Vec::<String>::new());
}

#[test]
fn what_the_models_leave_out_stands_in_the_notes() {
    let notes = |account| {
        let done = run(|s| {
            s.account.kind = Some(account);
            s.strategy[0].params.insert("mode".to_owned(), "long-only".to_owned());
            s.sim.fill_profile = Some("close@1".to_owned());
        });
        done.expect("a run").outcome.notes
    };
    let says =
        |notes: &[String], of: &str| notes.iter().filter(|n| n.starts_with(&format!("{of} leaves out: "))).count();
    let (margin, cash) = (notes(AccountKind::Margin), notes(AccountKind::Cash));
    assert_eq!((says(&margin, "close@1"), says(&margin, "margin@1")), (1, 1), "{margin:?}");
    assert_eq!((says(&cash, "close@1"), says(&cash, "margin@1")), (1, 0), "{cash:?}");
    assert!(margin.iter().any(|n| n.contains("isolated margin")), "{margin:?}");
}
