//! Imports every file of `../shared/market-data` and looks for the oddities its README names. Skipped where absent.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use bellwether_sdk::{InstrumentId, Ts};

use super::*;
use crate::market::{Batch, Kind};

fn market_data() -> Option<PathBuf> {
    // Cargo tells the folder when it runs the test; a test binary run by hand may be told another.
    let root = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let dir = Path::new(&root).join("../../../shared/market-data");
    if !dir.is_dir() {
        println!("skipped: no ../shared/market-data");
        return None;
    }
    Some(dir)
}

struct Case {
    data: PathBuf,
    store: tempfile::TempDir,
}

impl Case {
    fn run(&self, symbol: &str, file: &str, change: impl FnOnce(&mut ImportSpec)) -> FileReport {
        let mut spec = ImportSpec::new(Format::Csv, symbol.parse().expect("a symbol"));
        change(&mut spec);
        let file = self.data.join(format!("{file}.csv.gz"));
        let mut catalog = Catalog::open_or_create(&self.store.path().join("s")).expect("a catalog");
        let start = std::time::Instant::now();
        let report = import(&mut catalog, &spec, &[file], &mut |_| {}, &AtomicBool::new(false));
        let report = report.unwrap_or_else(|e| panic!("{e}"));
        let [file] = &report.files[..] else { panic!("one file") };
        println!("{} -> {symbol} {}: {} rows, {:?}", file.name, file.kind, file.rows_added, start.elapsed());
        file.findings.iter().for_each(|f| println!("    {f}"));
        file.clone()
    }
}

fn count(findings: &[Finding], kind: Oddity) -> u64 {
    findings.iter().find(|f| f.kind == kind).map_or(0, |f| f.count)
}

fn detail(findings: &[Finding], kind: Oddity) -> String {
    findings.iter().find(|f| f.kind == kind).map_or_else(String::new, ToString::to_string)
}

#[test]
#[ignore = "acceptance: reads ../shared/market-data"]
fn every_file_imports_and_its_known_oddities_are_named() {
    let Some(data) = market_data() else { return };
    let case = Case { data, store: tempfile::tempdir().expect("a folder") };
    let as_is = |_: &mut ImportSpec| {};

    let r = case.run("binance:BTC/USDT", "shippable/binance_spot_BTCUSDT_1h_2017-08_2024-01", as_is);
    assert_eq!((r.rows_added, r.kind.to_string()), (55_765, "bars-1h".to_owned()));
    assert_eq!(count(&r.findings, Oddity::Gaps), 28);
    assert_eq!(count(&r.findings, Oddity::OffGrid), 43);
    let gaps = detail(&r.findings, Oddity::Gaps);
    assert!(gaps.contains("33.5 h") && gaps.contains("2018-02-08T00:00:00Z"), "{gaps}");
    let r = case.run("binance:SOL/USDT", "shippable/binance_spot_SOLUSDT_1h_2022-09_2025-08", as_is);
    assert_eq!((r.rows_added, count(&r.findings, Oddity::Gaps)), (26_303, 1));
    let r = case.run("binance:SOL/USDT", "shippable/binance_spot_SOLUSDT_1m_2023-03-20_28", as_is);
    assert_eq!((r.rows_added, count(&r.findings, Oddity::FlatZeroVolume)), (12_880, 72));
    assert!(detail(&r.findings, Oddity::Gaps).contains("80 bars missing"));
    for base in ["BTC", "ETH"] {
        let r = case.run(
            &format!("binance:{base}/USDT"),
            &format!("shippable/binance_spot_{base}USDT_5m_2023-03-20_28"),
            as_is,
        );
        assert_eq!((r.rows_added, count(&r.findings, Oddity::FlatZeroVolume)), (2_576, 14));
        assert!(detail(&r.findings, Oddity::Gaps).contains("16 bars missing"));
        let r = case.run(
            &format!("binance:{base}/USDT:USDT"),
            &format!("shippable/binance_um_{base}USDT_1m_2024-01-15"),
            as_is,
        );
        assert_eq!((r.rows_added, r.findings.len()), (1_440, 0));
    }
    let (mut trades, mut quotes) = (0, 0);
    for base in ["BTC", "ETH", "SOL"] {
        let symbol = format!("binance:{base}/USDT");
        trades += case.run(&symbol, "shippable/binance_spot_trades_2025-03-25", as_is).rows_added;
        quotes += case.run(&symbol, "shippable/binance_spot_l1_2025-03-25", as_is).rows_added;
    }
    assert_eq!((trades, quotes), (11_032, 38_968));
    let r = case.run("binance:BTC/USDT", "shippable/btcusdt_daily_2017-08_2021-01", as_is);
    assert_eq!((r.rows_added, r.kind.to_string()), (1_246, "bars-1d".to_owned()));

    for (base, rows) in [("BTC", 73_140), ("SOL", 73_140), ("LTC", 73_140), ("BNB", 73_140), ("ADA", 65_776)] {
        let symbol = format!("binance:{base}/USDT:USDT");
        let r = case.run(&symbol, &format!("acceptance/binance_um_{base}USDT_1m_2025-05_06"), as_is);
        assert!(r.rows_added.abs_diff(rows) < 20, "{}", r.rows_added);
        assert_eq!(count(&r.findings, Oddity::Gaps), 0);
    }
    let r = case.run("binance:BTC/USDT:USDT", "acceptance/binance_um_BTCUSDT_5m_2023-01_2024-05", as_is);
    assert_eq!(r.rows_added, 143_900);
    for (base, rows) in [("BTC", 6_441), ("ETH", 6_445)] {
        let symbol = format!("binance:{base}/USDT:USDT");
        let r = case.run(&symbol, &format!("acceptance/binance_um_{base}USDT_funding_8h_2020_2025"), as_is);
        assert_eq!((r.rows_added, r.kind), (rows, Kind::Funding));
    }
    let r = case.run("bitfinex:BTC/USD", "acceptance/bitfinex_BTCUSD_1m_2018", as_is);
    assert_eq!(r.rows_added, 520_499);
    assert!(detail(&r.findings, Oddity::Gaps).contains("5101 bars missing"));
    let r = case.run("bitmex:XBT/USD:XBT", "acceptance/bitmex_XBTUSD_trades_2018-01", as_is);
    assert_eq!((r.rows_added, count(&r.findings, Oddity::EqualTimes)), (1_000_000, 669_230));

    let perp = "binance:BTC/USDT:USDT";
    let r = case.run(perp, "acceptance/l2_binance_um_BTCUSDT_2024-08-08_snapshot", as_is);
    assert_eq!((r.rows_added, r.kind), (2_000, Kind::Depth));
    let r = case.run(perp, "acceptance/l2_binance_um_BTCUSDT_2024-08-08_depth", as_is);
    assert_eq!((r.rows_added, count(&r.findings, Oddity::Sequence)), (443_521, 0));
    let behind = detail(&r.findings, Oddity::ReceiverBehind);
    assert!(behind.contains("6551") && behind.contains("by 1.268 s"), "{behind}");
    assert_eq!(case.run(perp, "acceptance/l2_binance_um_BTCUSDT_2024-08-08_bookticker", as_is).rows_added, 66_089);
    assert_eq!(case.run(perp, "acceptance/l2_binance_um_BTCUSDT_2024-08-08_trades", as_is).rows_added, 21_313);
    messages_are_whole(&case, perp);

    let r = case.run("fxcm:GBP/USD", "acceptance/fxcm_GBPUSD_1m_bidask_2012-02", as_is);
    assert_eq!((r.rows_added, r.kind, count(&r.findings, Oddity::Crossed)), (30_117, Kind::Quotes, 347));
    let r = case.run("us:SPY/USD", "acceptance/lean_us_daily_ohlcv_1998_2021_unadjusted", as_is);
    assert_eq!((r.rows_added, r.rows_skipped), (5_849, 57_190 - 5_849));
    assert_eq!(case.run("cme:ES/USD", "acceptance/cme_ES_trades_2013-09-01_03", as_is).rows_added, 500_000);
    for base in ["AAPL", "MSFT"] {
        let r = case.run(&format!("us:{base}/USD"), &format!("acceptance/us_{base}_1m_2023-01"), as_is);
        assert_eq!(r.rows_added, 7_410);
    }
    let columns = |s: &mut ImportSpec| s.columns = Some("ts=date,close=XOM".to_owned());
    assert_eq!(case.run("us:XOM/USD", "acceptance/us_20stocks_daily_close_1990_2022", columns).rows_added, 8_313);
    assert_eq!(case.run("fx:EUR/USD", "acceptance/fx_EURUSD_1h_ask_2017", as_is).rows_added, 6_225);
    let r = case.run("fx:EUR/USD", "acceptance/fx_EURUSD_bid_ticks_2016-06-14", as_is);
    assert_eq!((r.rows_added, r.kind), (100_005, Kind::Quotes));

    everything_verifies(&case);
}

/// 6,551 messages and the snapshot; a book rebuilt of them is never crossed.
fn messages_are_whole(case: &Case, perp: &str) {
    let catalog = Catalog::open(&case.store.path().join("s")).expect("a catalog");
    let instrument = catalog.instrument(&perp.parse().expect("a symbol"), InstrumentId(0)).expect("an instrument");
    let mut source = catalog.source(&instrument, Kind::Depth, Ts::NONE..Ts::MAX).expect("a source");
    let (mut heads, mut levels, mut spent) = (0, 0, None);
    while let Some(batch) = source.next(spent.take()).expect("a batch") {
        let Batch::Depth(d) = &batch else { panic!("depth") };
        heads += d.heads.len();
        levels += d.levels.len();
        assert!(d.heads.iter().all(|h| (h.levels_start + h.levels_len) as usize <= d.levels.len()));
        spent = Some(batch);
    }
    assert_eq!((heads, levels), (6_552, 445_521));
}

fn everything_verifies(case: &Case) {
    let catalog = Catalog::open(&case.store.path().join("s")).expect("a catalog");
    let start = std::time::Instant::now();
    let report = check(&catalog, None, None, &mut Watcher::silent(&AtomicBool::new(false))).expect("a check");
    println!("check of {} series took {:?}", report.series.len(), start.elapsed());
    for series in &report.series {
        println!("{} {} {} rows", series.symbol, series.kind, series.rows);
        series.findings.iter().for_each(|f| println!("    {f}"));
        assert_eq!(count(&series.findings, Oddity::RowHash), 0);
        assert_eq!(count(&series.findings, Oddity::SnapshotSync), 0);
        let instrument = catalog.instrument(&series.symbol, InstrumentId(0)).expect("an instrument");
        let mut source = catalog.source(&instrument, series.kind, Ts::NONE..Ts::MAX).expect("a source");
        let (mut events, mut spent) = (0, None);
        while let Some(batch) = source.next(spent.take()).expect("a batch") {
            events += batch.len() as u64;
            spent = Some(batch);
        }
        assert!(series.kind == Kind::Depth || events == series.rows);
    }
}
