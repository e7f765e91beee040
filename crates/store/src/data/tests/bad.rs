//! Bad input: refused with file, line and remedy, and the store stays as it was, byte for byte.

use std::io::Write;

use super::*;

/// Imports a file into a store that has bars, expects a refusal and an untouched store; hands back the message.
fn refused(spec: &ImportSpec, name: &str, content: impl AsRef<[u8]>) -> String {
    let desk = Desk::new();
    desk.csv("binance:BTC/USDT", BARS).expect("an import");
    let before = tree(&desk.store());
    let file = desk.file(name, content);
    let error = desk.import(spec, &[file]).expect_err("a refusal").to_string();
    assert_eq!(tree(&desk.store()), before, "the store changed: {error}");
    assert_eq!(error, error.trim_end_matches('.'), "messages end without a full stop");
    error
}

fn refused_csv(content: &str) -> String {
    refused(&spec(Format::Csv, "binance:BTC/USDT"), "bad.csv", content)
}

#[track_caller]
fn says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
}

const HEADER: &str = "ts_ms,open,high,low,close,volume\n1706655600000,10,12,9,11.5,3\n";

/// Found by a million inputs: the last two names had become one, and an error named the eighth of seven columns.
#[test]
fn a_header_that_lacks_a_column_is_none_that_is_known() {
    let content = "exchange,symbol,timestamp,local_timestamp,id,side,price_amount\n\
                   binance,BTCUSDT,1704067200003000,1704067200008000,33,buy,42283.58,x\n";
    let error = refused(&spec(Format::Tardis, "binance:BTC/USDT"), "bad.csv", content);
    says(&error, &["bad.csv", "its header is exchange, symbol", "neither Tardis'"]);
}

#[test]
fn values_that_are_no_numbers_are_refused_with_line_and_column() {
    for value in ["abc", "NaN", "nan", "inf", "-inf", "1.2.3", "0x10", "1,5"] {
        let error = refused_csv(&format!("{HEADER}1706659200000,10,12,9,\"{value}\",3\n"));
        says(&error, &["bad.csv:3", "column close", value, "is not a decimal number"]);
    }
    says(&refused_csv(&format!("{HEADER}1706659200000,10,12,9,,3\n")), &["bad.csv:3", "column close"]);
}

#[test]
fn prices_not_above_zero_and_negative_quantities_are_refused() {
    says(
        &refused_csv(&format!("{HEADER}1706659200000,10,12,0,11,3\n")),
        &["bad.csv:3", "column low", "not above zero"],
    );
    says(&refused_csv(&format!("{HEADER}1706659200000,-1,12,9,11,3\n")), &["column open", "-1", "not above zero"]);
    says(&refused_csv(&format!("{HEADER}1706659200000,10,12,9,11,-3\n")), &["column volume", "-3", "negative"]);
    says(&refused_csv("ts_ms,price,qty\n1706655600000,0,1\n"), &["bad.csv:2", "column price"]);
    says(&refused_csv("ts_ms,bid,ask\n1706655600000,0,1\n"), &["bad.csv:2", "column bid"]);
    says(&refused_csv("ts_ms,bid,ask\n1706655600000,,\n"), &["bad.csv:2", "a bid or an ask"]);
}

#[test]
fn a_trade_of_zero_quantity_is_stored() {
    let desk = Desk::new();
    desk.csv("binance:BTC/USDT", "ts_ms,price,qty\n1706655600000,7,0\n").expect("an import");
}

#[test]
fn numbers_of_forty_digits_are_refused() {
    let forty = "1234567890123456789012345678901234567890";
    says(
        &refused_csv(&format!("{HEADER}1706659200000,{forty},12,9,11,3\n")),
        &["bad.csv:3", "column open", "does not fit"],
    );
    let fine = format!("0.{forty}");
    says(&refused_csv(&format!("{HEADER}1706659200000,{fine},12,9,11,3\n")), &["bad.csv:3", "column open"]);
    // Each fits alone, but not both at one scale.
    let error = refused_csv(&format!("{HEADER}1706659200000,123456789012,999999999999,9,0.1234567890123,3\n"));
    says(&error, &["bad.csv:3", "18 digits"]);
    says(&refused_csv(&format!("{HEADER}{forty},10,12,9,11,3\n")), &["bad.csv:3", "column ts_ms"]);
}

#[test]
fn wrong_column_counts_are_refused_with_both_counts() {
    says(&refused_csv(&format!("{HEADER}1706659200000,10,12,9\n")), &["bad.csv:3", "found 4 columns where 6"]);
    says(&refused_csv(&format!("{HEADER}1706659200000,10,12,9,11,3,7\n")), &["bad.csv:3", "found 7 columns where 6"]);
}

#[test]
fn messages_as_a_venue_sends_them_are_told_to_be_that() {
    let message = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"p":"61800.30","q":"0.006"}}"#;
    for line in [format!("1723161255088176367 {message}\n"), format!("{message}\n")] {
        says(&refused_csv(&line), &["messages as a venue sends them", "data record"]);
    }
}

#[test]
fn times_in_the_wrong_unit_are_refused_with_the_remedy() {
    let error = refused_csv("ts_ms,open,high,low,close,volume\n1706655600,10,12,9,11.5,3\n");
    says(&error, &["bad.csv:2", "looks like seconds", "--time-unit s"]);
    let error = refused_csv("ts_ms,open,high,low,close,volume\n1706655600000000,10,12,9,11.5,3\n");
    says(&error, &["looks like microseconds", "--time-unit us"]);
    let error = refused_csv("timestamp,price,qty\n1706655600000,1,1\n1706655601,1,1\n");
    says(&error, &["bad.csv:3", "looks like seconds"]);
    says(&refused_csv("ts_ms,price,qty\n5,1,1\n"), &["bad.csv:2", "outside 1980..2100"]);
    says(&refused_csv("date,price,qty\n1969-12-31,1,1\n"), &["bad.csv:2", "outside 1980..2100"]);
    says(&refused_csv("date,price,qty\nlast week,1,1\n"), &["bad.csv:2", "neither an integer time nor a date"]);
    says(&refused_csv("date,price,qty\n31.12.2020,1,1\n"), &["bad.csv:2", "whether day or month stands first"]);
    let mut told = spec(Format::Csv, "binance:BTC/USDT");
    told.time_unit = Some(TimeUnit::S);
    let desk = Desk::new();
    let file = desk.file("s.csv", "ts_ms,price,qty\n1706655600,1,1\n");
    let report = desk.import(&told, &[file]).expect("the unit is told");
    assert_eq!(report.files[0].first.utc, "2024-01-30T23:00:00Z");
}

#[test]
fn files_that_are_no_data_are_refused() {
    says(&refused_csv(""), &["bad.csv", "empty"]);
    says(&refused_csv("ts_ms,price,qty\n"), &["no rows"]);
    says(&refused_csv("a,b\n1,2\n"), &["a, b", "--columns"]);
    says(&refused_csv("1706655600000,10,12\n"), &["is no header", "--columns"]);
    let binary: Vec<u8> = (0..=255u8).cycle().take(5_000).collect();
    says(&refused(&spec(Format::Csv, "binance:BTC/USDT"), "bad.csv", &binary), &["bad.csv", "binary"]);
    for format in [Format::Freqtrade, Format::Parquet, Format::Binance, Format::Tardis] {
        says(&refused(&spec(format, "binance:BTC/USDT"), "bad.bin", &binary), &["bad.bin"]);
        says(&refused(&spec(format, "binance:BTC/USDT"), "bad.csv", "a,b\n1,2\n"), &["bad.csv"]);
    }
    let late = format!("{HEADER}\u{0}\u{1}\u{2}\n");
    says(&refused_csv(&late), &["bad.csv"]);
}

#[test]
fn a_directory_and_a_missing_file_are_refused() {
    let desk = Desk::new();
    let dir = desk.dir.path().join("in");
    let error = desk.import(&spec(Format::Csv, "binance:BTC/USDT"), &[dir]).expect_err("a refusal").to_string();
    says(&error, &["it is a directory"]);
    let missing = desk.dir.path().join("in/none.csv");
    let error = desk.import(&spec(Format::Csv, "binance:BTC/USDT"), &[missing]).expect_err("a refusal").to_string();
    says(&error, &["none.csv", "opening"]);
    assert!(!desk.store().exists(), "a failed first import leaves no folder");
}

#[test]
fn compressed_files_that_are_cut_off_or_damaged_are_refused() {
    let rows: String =
        (0..5_000).map(|i| format!("{},{}.{:02},1\n", 1_706_655_600_000i64 + i * 997, 100 + i % 7, i % 100)).collect();
    let text = format!("ts_ms,price,qty\n{rows}");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(text.as_bytes()).expect("compressed");
    let gz = gz.finish().expect("compressed");
    let zst = zstd::stream::encode_all(text.as_bytes(), 1).expect("compressed");
    let spec = spec(Format::Csv, "binance:BTC/USDT");
    says(&refused(&spec, "cut.csv.gz", &gz[..gz.len() / 2]), &["cut.csv.gz", "cut off"]);
    says(&refused(&spec, "cut.csv.gz", &gz[..gz.len() - 4]), &["cut.csv.gz", "cut off"]);
    says(&refused(&spec, "cut.csv.zst", &zst[..zst.len() / 2]), &["cut.csv.zst"]);
    says(&refused(&spec, "cut.zip", &zipped(&[("a.csv", &text)])[..2_000]), &["cut.zip", "zip"]);
    let mut flipped = gz.clone();
    let middle = flipped.len() / 2;
    flipped[middle..middle + 16].fill(0xa5);
    says(&refused(&spec, "flipped.csv.gz", &flipped), &["flipped.csv.gz"]);
    says(&refused(&spec, "two.zip", zipped(&[("a.csv", &text), ("b.csv", &text)])), &["holds 2 files"]);
}

pub(super) fn zipped(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("an entry");
        zip.write_all(content.as_bytes()).expect("an entry");
    }
    zip.finish().expect("a zip").into_inner()
}

#[test]
fn one_bad_file_of_many_stops_them_all() {
    let desk = Desk::new();
    desk.csv("binance:BTC/USDT", BARS).expect("an import");
    let before = tree(&desk.store());
    let good = desk.file("good.csv", "ts_ms,price,qty\n1706655600000,7,1\n");
    let bad = desk.file("bad.csv", "ts_ms,price,qty\n1706655600000,seven,1\n");
    let error = desk.import(&spec(Format::Csv, "binance:BTC/USDT"), &[good, bad]).expect_err("a refusal");
    says(&error.to_string(), &["bad.csv:2", "seven"]);
    assert_eq!(tree(&desk.store()), before);
}

#[test]
fn a_stop_writes_nothing() {
    let desk = Desk::new();
    let file = desk.file("rows.csv", BARS);
    let mut catalog = Catalog::open_or_create(&desk.store()).expect("a catalog");
    let stop = AtomicBool::new(true);
    let error = import(&mut catalog, &spec(Format::Csv, "binance:BTC/USDT"), &[file], &mut |_| {}, &stop);
    assert!(matches!(error, Err(DataError::Interrupted)), "{error:?}");
    assert!(!desk.store().exists());
}

#[test]
fn a_stop_in_the_middle_writes_nothing() {
    let desk = Desk::new();
    let rows: String = (0..50_000).map(|i| format!("{},100,1\n", 1_706_655_600_000i64 + i)).collect();
    let file = desk.file("rows.csv", format!("ts_ms,price,qty\n{rows}"));
    let mut catalog = Catalog::open_or_create(&desk.store()).expect("a catalog");
    let stop = AtomicBool::new(false);
    let mut seen = Vec::new();
    let mut progress = |p: Progress| {
        seen.push(p);
        stop.store(seen.len() > 2, std::sync::atomic::Ordering::Relaxed);
    };
    let error = import(&mut catalog, &spec(Format::Csv, "binance:BTC/USDT"), &[file], &mut progress, &stop);
    assert!(matches!(error, Err(DataError::Interrupted)), "{error:?}");
    assert!(seen.windows(2).all(|w| w[0].bytes <= w[1].bytes && w[1].bytes <= w[1].total));
    assert!(!desk.store().exists());
}

#[test]
fn strict_import_refuses_what_is_odd_and_names_it() {
    let mut strict = spec(Format::Csv, "binance:BTC/USDT");
    strict.strict = true;
    let bars = |rows: &str| {
        format!("ts_ms,open,high,low,close,volume\n1706655600000,10,12,9,11,3\n1706659200000,10,12,9,11,3\n{rows}")
    };
    let cases = [
        ("1706666400000,10,12,9,11,3\n1706670000000,10,12,9,11,3\n", "gaps: 1"),
        ("1706652000000,10,12,9,11,3\n", "rows out of order: 1"),
        ("1706659200000,10,12,9,11,3\n", "duplicate rows: 1"),
        ("1706662800000,10,12,9,11,3\n1706666340000,10,12,9,11,3\n", "off-grid open times: 1"),
        ("1706662800000,10,10.5,9,11,3\n", "OHLC violations: 1"),
    ];
    for (rows, what) in cases {
        says(&refused(&strict, "odd.csv", bars(rows)), &["odd.csv", what, "odd.csv:"]);
    }
    says(&refused(&strict, "odd.csv", "ts_ms,bid,ask\n1706655600000,11,10\n"), &["crossed quotes: 1"]);
    let desk = Desk::new();
    let file = desk.file("good.csv", bars(""));
    desk.import(&strict, &[file]).expect("nothing is odd");
}

#[test]
fn a_file_of_other_symbols_says_which() {
    let error = refused_csv("ts_ms,symbol,price,qty\n1706655600000,ETHUSDT,1,1\n1706655600001,SOLUSDT,1,1\n");
    says(&error, &["no row is of binance:BTC/USDT", "ETHUSDT, SOLUSDT"]);
}

#[test]
fn a_second_writer_is_refused() {
    let desk = Desk::new();
    desk.csv("binance:BTC/USDT", BARS).expect("an import");
    let mut catalog = desk.catalog();
    let held = catalog.lock().expect("a lock");
    let error = desk.csv("binance:ETH/USDT", BARS).expect_err("a refusal");
    assert!(matches!(error, DataError::Locked { .. }), "{error}");
    drop(held);
    desk.csv("binance:ETH/USDT", BARS).expect("the lock is free again");
}

#[test]
fn what_a_crash_left_is_swept_and_never_read() {
    let desk = Desk::new();
    desk.csv("binance:BTC/USDT", BARS).expect("an import");
    let folder = desk.store().join("venue=binance/instrument=BTC-USDT/kind=bars-1h");
    let litter =
        [folder.join("2024-01-deadbeef.parquet"), folder.join("2024-02.parquet.tmp"), folder.join("2024-02.parquet")];
    litter.iter().for_each(|f| std::fs::write(f, "half a file").expect("litter"));
    assert_eq!(
        desk.catalog().find(&sym("binance:BTC/USDT"), "bars-1h".parse().expect("a kind")).map(|s| s.rows),
        Some(3)
    );
    desk.csv(
        "binance:BTC/USDT",
        "ts_ms,open,high,low,close,volume\n1706745600000,10,12,9,11,3\n1706749200000,10,12,9,11,3\n",
    )
    .expect("an import");
    assert!(litter.iter().take(2).all(|f| !f.exists()));
    let catalog = desk.catalog();
    catalog.verify(&sym("binance:BTC/USDT"), "bars-1h".parse().expect("a kind")).expect("whole");
    assert_eq!(catalog.series()[0].rows, 5);
}

#[test]
fn a_folder_that_is_no_catalog_is_refused() {
    let desk = Desk::new();
    let error = Catalog::open(desk.dir.path()).expect_err("a refusal").to_string();
    says(&error, &["_manifest.json", "import data into it first"]);
    let file = desk.file("a.csv", "x");
    assert!(Catalog::open_or_create(&file).is_err());
    std::fs::write(desk.dir.path().join("_manifest.json"), "{ half").expect("a file");
    says(&Catalog::open(desk.dir.path()).expect_err("a refusal").to_string(), &["_manifest.json"]);
}

#[test]
fn damage_to_a_stored_file_is_found() {
    let desk = Desk::new();
    desk.csv("binance:BTC/USDT", BARS).expect("an import");
    let other = Desk::new();
    other.csv("binance:BTC/USDT", &BARS.replace("12.5,1\n", "12.5,2\n")).expect("an import");
    let path = "venue=binance/instrument=BTC-USDT/kind=bars-1h/2024-01.parquet";
    std::fs::copy(other.store().join(path), desk.store().join(path)).expect("a copy");
    let kind = "bars-1h".parse().expect("a kind");
    let error = desk.catalog().verify(&sym("binance:BTC/USDT"), kind).expect_err("damage");
    assert!(matches!(error, DataError::HashMismatch { .. }), "{error}");
    let report = check(&desk.catalog(), None, None).expect("a check");
    assert_eq!((report.ok, report.series[0].findings[0].kind), (false, Oddity::RowHash));
    std::fs::write(desk.store().join(path), "nothing of the kind").expect("a file");
    assert!(matches!(desk.catalog().verify(&sym("binance:BTC/USDT"), kind), Err(DataError::Damaged { .. })));
}
