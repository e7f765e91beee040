//! Stories of the store, each over a catalog in a temporary folder.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use bellwether_sdk::{InstrumentId, Symbol, Ts};

use super::*;
use crate::market::{Batch, Kind};

mod bad;
mod formats;
mod merges;
mod queries;

/// A catalog in a temporary folder, and a folder for files beside it.
struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(dir.path().join("in")).expect("a folder for files");
        Self { dir }
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join("in").join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    fn import(&self, spec: &ImportSpec, files: &[PathBuf]) -> Result<ImportReport, DataError> {
        let mut catalog = Catalog::open_or_create(&self.store())?;
        import(&mut catalog, spec, files, &mut |_| {}, &AtomicBool::new(false))
    }

    fn csv(&self, symbol: &str, content: &str) -> Result<ImportReport, DataError> {
        let file = self.file("rows.csv", content);
        self.import(&spec(Format::Csv, symbol), &[file])
    }

    fn catalog(&self) -> Catalog {
        Catalog::open(&self.store()).expect("a catalog")
    }

    /// Every batch of a series in `range`.
    fn batches(&self, symbol: &str, kind: &str, range: std::ops::Range<Ts>) -> Vec<Batch> {
        let catalog = self.catalog();
        let instrument = catalog.instrument(&sym(symbol), InstrumentId(0)).expect("an instrument");
        let mut source = catalog.source(&instrument, kind.parse().expect("a kind"), range).expect("a source");
        let mut out = Vec::new();
        while let Some(batch) = source.next(None).expect("a batch") {
            out.push(batch);
        }
        out
    }
}

/// Nobody asks to stop.
static NEVER: AtomicBool = AtomicBool::new(false);

fn check(catalog: &Catalog, symbol: Option<&Symbol>, kind: Option<Kind>) -> Result<CheckReport, DataError> {
    super::check(catalog, symbol, kind, &mut Watcher::silent(&NEVER))
}

const ALL: std::ops::Range<Ts> = Ts::NONE..Ts::MAX;

fn sym(text: &str) -> Symbol {
    text.parse().expect("a symbol")
}

fn spec(format: Format, symbol: &str) -> ImportSpec {
    ImportSpec::new(format, sym(symbol))
}

/// Every file below a folder with its content.
fn tree(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut out = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = std::fs::read(&path).expect("a file");
                out.push((path, content));
            }
        }
    }
    out.sort();
    out
}

const BARS: &str = "ts_ms,open,high,low,close,volume\n\
    1706655600000,10,12,9,11.5,3\n\
    1706659200000,11.5,13,11,12,0.25\n\
    1706662800000,12,12.5,11.25,12.5,1\n";

#[test]
fn bars_come_out_as_they_went_in() {
    let desk = Desk::new();
    let report = desk.csv("binance:BTC/USDT", BARS).expect("an import");
    assert_eq!(report.rows_added, 3);
    let batches = desk.batches("binance:BTC/USDT", "bars-1h", ALL);
    let [Batch::Bars(bars)] = &batches[..] else { panic!("{batches:?}") };
    let closes: Vec<String> = bars.iter().map(|b| b.close.to_text(2)).collect();
    assert_eq!(closes, ["11.5", "12", "12.5"]);
    assert_eq!(bars[1].volume.to_text(2), "0.25");
    assert_eq!(bars[2].ts_close, Ts::from_millis(1_706_666_400_000));
}

#[test]
fn trades_come_out_as_they_went_in() {
    let desk = Desk::new();
    let text = "ts_recv_ns,ts_event_ns,symbol,trade_id,price,qty,taker_side\n\
        1706745599000000007,1706745599000000000,BTCUSDT,1,100.10,0.5,buy\n\
        1706745599000000008,1706745599000000001,ETHUSDT,7,3,1,buy\n\
        1706745600000000000,1706745600000000000,BTCUSDT,2,100.2,0.25,sell\n";
    let report = desk.csv("binance:BTC/USDT", text).expect("an import");
    assert_eq!((report.rows_added, report.files[0].rows_skipped), (2, 1));
    let batches = desk.batches("binance:BTC/USDT", "trades", ALL);
    let [Batch::Trades(trades)] = &batches[..] else { panic!("{batches:?}") };
    assert_eq!(trades.len(), 2, "two months");
    assert_eq!(trades[0].ts_venue, Ts::from_nanos(1_706_745_599_000_000_000));
    assert_eq!(trades[1].price.to_text(1), "100.2");
    assert_eq!(desk.catalog().find(&sym("binance:BTC/USDT"), Kind::Trades).map(|s| s.files), Some(2));
}
