//! Every format in, plain and compressed.

use std::io::Write;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, TimestampMillisecondArray};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use bellwether_sdk::Interval;

use parquet::basic::Compression;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;

/// A Parquet file of one row group: its schema, and each column's type, values and levels; not compressed, if not said.
macro_rules! parquet {
    ($schema:expr, $([$kind:ty, $values:expr, $levels:expr]),+) => {
        parquet!(Compression::UNCOMPRESSED, $schema, $([$kind, $values, $levels]),+)
    };
    ($compression:expr, $schema:expr, $([$kind:ty, $values:expr, $levels:expr]),+) => {{
        let schema = parse_message_type(&format!("message m {{ {} }}", $schema)).expect("a schema");
        let properties = Arc::new(WriterProperties::builder().set_compression($compression).build());
        let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), properties).expect("a writer");
        let mut group = writer.next_row_group().expect("a group");
        $(
            let mut column = group.next_column().expect("a column").expect("a column");
            let levels: Option<&[i16]> = $levels;
            column.typed::<$kind>().write_batch(&$values, levels, None).expect("values");
            column.close().expect("a column");
        )+
        group.close().expect("a group");
        writer.into_inner().expect("a file")
    }};
}

fn only(desk: &Desk, format: Format, symbol: &str, name: &str, content: impl AsRef<[u8]>) -> FileReport {
    let file = desk.file(name, content);
    desk.import(&spec(format, symbol), &[file]).unwrap_or_else(|e| panic!("{name}: {e}")).files[0].clone()
}

const KLINES: &str = "1704067200000,42283.58,42554.57,42261.02,42475.23,1271.68108,1704070799999,53957248.973789,47134,682.57581,28957416.819645,0\n\
    1704070800000,42475.23,42775.00,42431.65,42613.56,1196.37856,1704074399999,50984153.8,45320,608.87,25946714.6,0\n";

#[test]
fn binance_klines_with_and_without_header_in_ms_and_us() {
    let header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n";
    let micros = KLINES.replace("200000,", "200000000,").replace("800000,", "800000000,").replace("9999,", "9999999,");
    let mut hashes = std::collections::BTreeSet::new();
    for content in [KLINES.to_owned(), format!("{header}{KLINES}"), micros] {
        let desk = Desk::new();
        let report = only(&desk, Format::Binance, "binance:BTC/USDT", "BTCUSDT-1h-2024-01.csv", content);
        assert_eq!((report.kind.to_string().as_str(), report.rows_added), ("bars-1h", 2));
        hashes.insert(desk.catalog().series()[0].row_hash.clone());
        let shown = show(&desk.catalog(), &sym("binance:BTC/USDT"), report.kind, Place::Head, 1).expect("rows");
        assert_eq!(shown.rows[0]["taker_buy_base"], "682.57581");
        assert_eq!(
            (shown.rows[0]["trades"].as_str(), shown.rows[0]["quote_volume"].as_str()),
            ("47134", "53957248.973789")
        );
    }
    assert_eq!(hashes.len(), 1, "the same rows have the same hash");
    let desk = Desk::new();
    let seconds = desk.file("s.csv", KLINES.replace("200000,", "200,").replace("800000,", "800,"));
    let error = desk.import(&spec(Format::Binance, "binance:BTC/USDT"), &[seconds]).expect_err("seconds").to_string();
    assert!(error.contains("s.csv:1") && error.contains("--time-unit s"), "{error}");
}

#[test]
fn a_single_kline_tells_its_interval() {
    let desk = Desk::new();
    let one = KLINES.lines().next().expect("a line");
    assert_eq!(only(&desk, Format::Binance, "binance:BTC/USDT", "one.csv", one).kind.to_string(), "bars-1h");
}

#[test]
fn binance_trades_of_every_layout() {
    let cases = [
        ("1,42283.58,0.5,21141.79,1704067200000,True,True\n2,42283.59,0.25,1,1704067200001,False,True\n", "spot"),
        (
            "id,price,qty,quote_qty,time,is_buyer_maker\n1,42283.58,0.5,21141.79,1704067200000,true\n2,42283.59,0.25,1,1704067200001,false\n",
            "um",
        ),
        ("1,42283.58,0.5,21141.79,1704067200000,true\n2,42283.59,0.25,1,1704067200001,false\n", "um without header"),
        (
            "1,42283.58,0.5,10,11,1704067200000,True,True\n2,42283.59,0.25,12,12,1704067200001,False,True\n",
            "spot aggTrades",
        ),
        (
            "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n1,42283.58,0.5,10,11,1704067200000,true\n2,42283.59,0.25,12,12,1704067200001,false\n",
            "um aggTrades",
        ),
        (
            "1,42283.58,0.5,10,11,1704067200000000,True,True\n2,42283.59,0.25,12,12,1704067200001000,False,True\n",
            "aggTrades in µs",
        ),
    ];
    for (content, name) in cases {
        let desk = Desk::new();
        let report = only(&desk, Format::Binance, "binance:BTC/USDT", "t.csv", content);
        assert_eq!((report.kind, report.rows_added), (Kind::Trades, 2), "{name}");
        let shown = show(&desk.catalog(), &sym("binance:BTC/USDT"), Kind::Trades, Place::Head, 2).expect("rows");
        let row = &shown.rows[0];
        let got = (row["id"].as_str(), row["price"].as_str(), row["qty"].as_str(), row["aggressor"].as_str());
        assert_eq!(got, ("1", "42283.58", "0.5", "sell"), "{name}");
        assert_eq!(shown.rows[1]["utc"], "2024-01-01T00:00:00.001Z", "{name}");
    }
}

#[test]
fn binance_quotes_and_funding() {
    let desk = Desk::new();
    let quotes = "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n\
        1,100.1,5,100.2,6,1704067200000,1704067200003\n";
    let report = only(&desk, Format::Binance, "binance:BTC/USDT:USDT", "q.csv", quotes);
    assert_eq!((report.kind, report.first.utc.as_str()), (Kind::Quotes, "2024-01-01T00:00:00Z"));
    let bare = "2,100.1,5,100.2,6,1704067201000,1704067201003\n";
    assert_eq!(only(&desk, Format::Binance, "binance:BTC/USDT:USDT", "q2.csv", bare).rows_added, 1);
    let funding =
        "calc_time,funding_interval_hours,last_funding_rate\n1704067200009,8,0.00037409\n1704096000000,8,-0.0001\n";
    let report = only(&desk, Format::Binance, "binance:BTC/USDT:USDT", "f.csv", funding);
    assert_eq!((report.kind, report.rows_added), (Kind::Funding, 2));
    let batches = desk.batches("binance:BTC/USDT:USDT", "funding", ALL);
    let [Batch::Funding(rates)] = &batches[..] else { panic!("{batches:?}") };
    assert_eq!((rates[0].rate.to_text().as_str(), rates[1].rate.to_text().as_str()), ("0.00037409", "-0.0001"));
}

#[test]
fn the_declared_latency_is_added_to_the_venues_time() {
    let desk = Desk::new();
    let file = desk.file("t.csv", "1,42283.58,0.5,1,1704067200000,True,True\n");
    let mut late = spec(Format::Binance, "binance:BTC/USDT");
    late.latency_ns = 5_000_000;
    desk.import(&late, &[file]).expect("an import");
    let batches = desk.batches("binance:BTC/USDT", "trades", ALL);
    let [Batch::Trades(t)] = &batches[..] else { panic!("{batches:?}") };
    assert_eq!(t[0].ts, t[0].ts_venue.plus(5_000_000));
}

#[test]
fn freqtrade_feather_in_every_compression_and_json() {
    let (times, prices) = ([1_704_067_200_000i64, 1_704_070_800_000], [42283.58, 42475.23]);
    let price = |add: f64| Arc::new(Float64Array::from_iter_values(prices.iter().map(|p| p + add))) as ArrayRef;
    let date = Arc::new(TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC")) as ArrayRef;
    let volume = Arc::new(Float64Array::from_iter_values([1271.68108, 0.1])) as ArrayRef;
    let columns = [
        ("date", date),
        ("open", price(0.0)),
        ("high", price(1.0)),
        ("low", price(-1.0)),
        ("close", price(0.5)),
        ("volume", volume),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let mut hashes = std::collections::BTreeSet::new();
    for compression in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        let options = IpcWriteOptions::default().try_with_compression(compression).expect("options");
        let mut writer = FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).expect("a writer");
        writer.write(&batch).expect("a batch");
        let desk = Desk::new();
        let report = only(
            &desk,
            Format::Freqtrade,
            "binance:BTC/USDT",
            "BTC_USDT-1h.feather",
            writer.into_inner().expect("a file"),
        );
        assert_eq!((report.kind.to_string().as_str(), report.rows_added), ("bars-1h", 2));
        hashes.insert(desk.catalog().series()[0].row_hash.clone());
    }
    let json = "[[1704067200000, 42283.58, 42284.58, 42282.58, 42284.08, 1271.68108],\n [1704070800000, 42475.23, 42476.23, 42474.23, 42475.73, 0.1]]";
    let desk = Desk::new();
    only(&desk, Format::Freqtrade, "binance:BTC/USDT", "BTC_USDT-1h.json", json);
    hashes.insert(desk.catalog().series()[0].row_hash.clone());
    assert_eq!(hashes.len(), 1);
    let bad = desk.file("bad.json", "[[1704067200000, 1, 1, 1, 1, 1], [1704070800000, 1, 1]]");
    let error = desk.import(&spec(Format::Freqtrade, "binance:BTC/USDT"), &[bad]).expect_err("a refusal").to_string();
    assert!(error.contains("bad.json:2") && error.contains("found 3 columns where 6"), "{error}");
}

#[test]
fn parquet_columns_of_every_kind_of_number_are_the_same_rows() {
    let (ms, prices) = ([1_704_067_200_000i64, 1_704_067_200_001], [42283.58, 42475.2]);
    let sides = ["buy", "sell"].map(ByteArray::from);
    let days = [19_723, 19_724];
    let trades = [
        parquet!(
            "required int64 timestamp (TIMESTAMP(MILLIS,true)); required double price; optional double qty; required binary side (UTF8);",
            [Int64Type, ms, None],
            [DoubleType, prices, None],
            [DoubleType, [0.05, 2.0], Some(&[1, 1])],
            [ByteArrayType, sides, None]
        ),
        parquet!(
            "required int64 timestamp (TIMESTAMP_MICROS); required int32 price (DECIMAL(9,2)); required binary qty (DECIMAL(20,3)); optional boolean buyer_is_maker;",
            [Int64Type, ms.map(|t| t * 1_000), None],
            [Int32Type, [4_228_358, 4_247_520], None],
            [ByteArrayType, [vec![50], vec![7, 208]].map(ByteArray::from), None],
            [BoolType, [false, true], Some(&[1, 1])]
        ),
        parquet!(
            "required int64 ts_ms (INTEGER(64,false)); required int64 price (DECIMAL(18,2)); required fixed_len_byte_array(20) signed_qty (DECIMAL(40,2));",
            [Int64Type, ms, None],
            [Int64Type, [4_228_358, 4_247_520], None],
            [
                FixedLenByteArrayType,
                [(0u8, 5u8), (0xff, 0x38)].map(|(sign, low)| {
                    let mut bytes = vec![sign; 20];
                    bytes[19] = low;
                    FixedLenByteArray::from(bytes)
                }),
                None
            ]
        ),
    ];
    let mut shown_rows = std::collections::BTreeSet::new();
    for file in trades {
        let desk = Desk::new();
        let report = only(&desk, Format::Parquet, "binance:BTC/USDT", "t.parquet", file);
        assert_eq!((report.kind, report.rows_added), (Kind::Trades, 2));
        let shown = show(&desk.catalog(), &sym("binance:BTC/USDT"), Kind::Trades, Place::Head, 2).expect("rows");
        let text = |row: usize| ["utc", "price", "qty", "aggressor"].map(|c| shown.rows[row][c].clone());
        shown_rows.insert([text(0), text(1)]);
    }
    let expected =
        [["2024-01-01T00:00:00Z", "42283.58", "0.05", "buy"], ["2024-01-01T00:00:00.001Z", "42475.2", "2", "sell"]];
    assert_eq!(shown_rows.into_iter().collect::<Vec<_>>(), [expected.map(|row| row.map(str::to_owned))]);
    let bars = parquet!(
        "required int32 date (DATE); required double close; optional double volume;",
        [Int32Type, days, None],
        [DoubleType, prices, None],
        [DoubleType, [7.0], Some(&[0, 1])]
    );
    let report = only(&Desk::new(), Format::Parquet, "binance:BTC/USDT", "b.parquet", bars);
    assert_eq!((report.kind.to_string().as_str(), report.first.utc.as_str()), ("bars-1d", "2024-01-01T00:00:00Z"));
}

/// Snappy is what pandas and Polars' older versions write when nobody says otherwise.
#[test]
fn parquet_is_read_in_the_codecs_that_are_usual() {
    let file = |compression| {
        parquet!(
            compression,
            "required int64 ts_ms; required double price; required double qty;",
            [Int64Type, [1_704_067_200_000, 1_704_067_200_001], None],
            [DoubleType, [42283.58, 42475.2], None],
            [DoubleType, [0.05, 2.0], None]
        )
    };
    for compression in [Compression::SNAPPY, Compression::ZSTD(Default::default())] {
        let report = only(&Desk::new(), Format::Parquet, "binance:BTC/USDT", "t.parquet", file(compression));
        assert_eq!((report.kind, report.rows_added), (Kind::Trades, 2), "{compression:?}");
    }
}

#[test]
fn parquet_rows_and_columns_that_cannot_be_read_are_named() {
    let (ms, prices) = ([1_704_067_200_000i64, 1_704_067_200_001], [1.5, f64::NAN]);
    let schema = "required int64 ts_ms; required double price; optional double qty;";
    let columns = |more: &str| format!("{schema} {more}");
    let cases = [
        (
            parquet!(
                schema,
                [Int64Type, ms, None],
                [DoubleType, prices, None],
                [DoubleType, [1.0, 1.0], Some(&[1, 1])]
            ),
            "bad.parquet:2: column price: found \"NaN\"",
        ),
        (
            parquet!(schema, [Int64Type, ms, None], [DoubleType, [1.5, 1.5], None], [DoubleType, [1.0], Some(&[0, 1])]),
            "bad.parquet:1: column qty: found \"\"",
        ),
        (
            parquet!(
                columns("required group x { required int32 a; }"),
                [Int64Type, ms, None],
                [DoubleType, [1.5, 1.5], None],
                [DoubleType, [1.0, 1.0], Some(&[1, 1])],
                [Int32Type, [1, 2], None]
            ),
            "a column is of type group (\"x\"), which is neither number, text nor time",
        ),
        (
            parquet!(
                columns("required int32 x (TIME_MILLIS);"),
                [Int64Type, ms, None],
                [DoubleType, [1.5, 1.5], None],
                [DoubleType, [1.0, 1.0], Some(&[1, 1])],
                [Int32Type, [1, 2], None]
            ),
            "a column is of type TIME_MILLIS (\"x\")",
        ),
        (
            parquet!(
                columns("required binary side (UTF8);"),
                [Int64Type, ms, None],
                [DoubleType, [1.5, 1.5], None],
                [DoubleType, [1.0, 1.0], Some(&[1, 1])],
                [ByteArrayType, [vec![0xff], vec![0xfe]].map(ByteArray::from), None]
            ),
            "a text is not UTF-8",
        ),
    ];
    for (file, part) in cases {
        let desk = Desk::new();
        let file = desk.file("bad.parquet", file);
        let error =
            desk.import(&spec(Format::Parquet, "binance:BTC/USDT"), &[file]).expect_err("a refusal").to_string();
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn tardis_depth_groups_rows_of_one_reception() {
    let l2 = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
        deribit,BTC-PERPETUAL,1704067200000000,1704067200004000,true,bid,42000.5,10\n\
        deribit,BTC-PERPETUAL,1704067200000000,1704067200004000,true,ask,42001,20\n\
        deribit,BTC-PERPETUAL,1704067200010000,1704067200015000,false,bid,42000.5,0\n";
    let desk = Desk::new();
    let report = only(&desk, Format::Tardis, "deribit:BTC/USD:BTC", "l2.csv", l2);
    assert_eq!((report.kind, report.rows_added), (Kind::Depth, 3));
    let batches = desk.batches("deribit:BTC/USD:BTC", "depth", ALL);
    let [Batch::Depth(d)] = &batches[..] else { panic!("{batches:?}") };
    assert_eq!(d.heads.iter().map(|h| (h.snapshot, h.levels_len)).collect::<Vec<_>>(), [(true, 2), (false, 1)]);
    assert_eq!(d.heads[0].ts.nanos() - d.heads[0].ts_venue.nanos(), 4_000_000);
    let trades = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n\
        deribit,BTC-PERPETUAL,1704067200000000,1704067200004000,x7,sell,42000.5,10\n";
    assert_eq!(only(&desk, Format::Tardis, "deribit:BTC/USD:BTC", "t.csv", trades).kind, Kind::Trades);
}

#[test]
fn every_compression_is_told_by_its_first_bytes() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(BARS.as_bytes()).expect("compressed");
    let packed = [
        gz.finish().expect("compressed"),
        zstd::stream::encode_all(BARS.as_bytes(), 1).expect("compressed"),
        super::bad::zipped(&[("rows.csv", BARS)]),
        BARS.replace('\n', "\r\n").into_bytes(),
        format!("\u{feff}{BARS}").into_bytes(),
        BARS.replace(',', ";").into_bytes(),
    ];
    for content in packed {
        let desk = Desk::new();
        assert_eq!(only(&desk, Format::Csv, "binance:BTC/USDT", "data.bin", content).rows_added, 3);
    }
}

#[test]
fn generic_headers_are_recognised() {
    let cases = [
        ("Date,Open,High,Low,Close,Volume\n2024-01-01,1,2,1,2,5\n2024-01-02,1,2,1,2,5\n", "bars-1d"),
        ("timestamp,close\n2024-01-01T00:00:00Z,1\n2024-01-01T00:01:00Z,2\n", "bars-1m"),
        ("ts_us,price,size,side\n1704067200000000,5,1,b\n", "trades"),
        ("time,price,amount,side\n1704067200,5,1,-1\n", "trades"),
        ("ts_ms,price,signed_qty_usd\n1704067200000,13873,-10\n", "trades"),
        ("ts_ms,bid\n1704067200000,1.1\n", "quotes"),
        ("ts_ns,bid_price,bid_size,ask_price,ask_size\n1704067200000000000,1,2,3,4\n", "quotes"),
        ("ts_ms,bid_open,bid_close,ask_open,ask_close\n1704067200000,1,1,2,2\n1704067260000,1,1,2,2\n", "quotes"),
        ("ts_ms,ts_exact_ms,funding_rate,mark_price\n1704067200000,1704067200003,0.0001,\n", "funding"),
    ];
    for (content, kind) in cases {
        let desk = Desk::new();
        let report = only(&desk, Format::Csv, "x:A/B", "g.csv", content);
        assert_eq!(report.kind.to_string(), kind, "{content}");
        match kind {
            "funding" => assert_eq!(report.first.utc, "2024-01-01T00:00:00.003Z"),
            "quotes" if content.contains("bid_open") => assert_eq!(report.first.utc, "2024-01-01T00:01:00Z"),
            _ => assert_eq!(report.first.utc, "2024-01-01T00:00:00Z"),
        }
    }
}

#[test]
fn volume_may_be_named_by_its_currency_and_columns_left_out_are_named() {
    let text = "https://www.CryptoDataDownload.com\n\
        unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT\n\
        1704067200000,2024-01-01 00:00:00,BTC/USDT,1,2,1,2,5.25,9.5\n1704070800000,2024-01-01 01:00:00,BTC/USDT,1,2,1,2,4,8\n";
    let desk = Desk::new();
    let report = only(&desk, Format::Csv, "binance:BTC/USDT", "cdd.csv", text);
    assert_eq!((report.rows_added, report.columns_unused, report.no_volume), (2, vec!["unix".to_owned()], false));
    let shown = show(&desk.catalog(), &sym("binance:BTC/USDT"), report.kind, Place::Head, 1).expect("rows");
    assert_eq!((shown.rows[0]["volume"].as_str(), shown.rows[0]["quote_volume"].as_str()), ("5.25", "9.5"));
    // Lines are counted from the file's first.
    let bad = desk.file("bad.csv", text.replace("4,8", "4,x"));
    let error = desk.import(&spec(Format::Csv, "binance:BTC/USDT"), &[bad]).expect_err("no number").to_string();
    assert!(error.contains("bad.csv:4"), "{error}");
}

#[test]
fn bars_without_volume_are_told_and_have_a_fine_lot() {
    let desk = Desk::new();
    let text = "date,open,high,low,close,Volume ETH\n2024-01-01,1,2,1,2,5\n2024-01-02,1,2,1,2,5\n";
    let report = only(&desk, Format::Csv, "binance:BTC/USDT", "other.csv", text);
    assert_eq!((report.columns_unused, report.no_volume), (vec!["Volume ETH".to_owned()], true));
    let lot = |desk: &Desk| {
        let it = desk.catalog().instrument(&sym("binance:BTC/USDT"), InstrumentId(0)).expect("an instrument");
        it.lot.to_text(it.qty_scale)
    };
    assert_eq!(lot(&desk), "0.00000001");
    // Whole quantities that were seen are another thing.
    let trades = "ts_ms,price,qty\n1704067200000,2,3\n";
    only(&desk, Format::Csv, "binance:BTC/USDT", "t.csv", trades);
    assert_eq!(lot(&desk), "1");
}

#[test]
fn a_date_and_a_time_of_day_are_joined_and_two_times_are_refused() {
    for (rows, name) in [
        ("2024-01-02,13:05,1,2,1,2\n2024-01-02,13:06,1,2,1,2\n", "iso"),
        ("2024.01.02,13:05:00,1,2,1,2\n2024.01.02,13:06:00,1,2,1,2\n", "dotted"),
        ("20240102,130500,1,2,1,2\n20240102,130600,1,2,1,2\n", "digits"),
    ] {
        let desk = Desk::new();
        for header in ["Date,Time,Open,High,Low,Close", "<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>"] {
            let report = only(&desk, Format::Csv, "fx:EUR/USD", "d.csv", format!("{header}\n{rows}"));
            assert_eq!(
                (report.first.utc.as_str(), report.kind.to_string().as_str()),
                ("2024-01-02T13:05:00Z", "bars-1m"),
                "{name}"
            );
            assert!(report.columns_unused.is_empty());
        }
    }
    let refused = |text: &str| {
        let desk = Desk::new();
        let file = desk.file("two.csv", text);
        desk.import(&spec(Format::Csv, "fx:EUR/USD"), &[file]).expect_err("a refusal").to_string()
    };
    let error = refused("Date,Time,Close\n2024-01-02 13:05,1704200700,1\n");
    assert!(error.contains("\"Date\" and \"Time\"") && error.contains("--columns ts=Date"), "{error}");
    let error = refused("timestamp,datetime,close\n1704200700,2024-01-02 13:05,1\n");
    assert!(error.contains("\"timestamp\" and \"datetime\" may both be the time"), "{error}");
    let error = refused("ts,price,qty,size\n1704200700,1,1,1\n");
    assert!(error.contains("\"qty\" and \"size\" may both be the qty"), "{error}");
    // A role that bars do not have is nobody's.
    only(
        &Desk::new(),
        Format::Csv,
        "fx:EUR/USD",
        "ok.csv",
        "date,close,qty,size\n2024-01-02,1,1,1\n2024-01-03,1,1,1\n",
    );
}

#[test]
fn dates_of_other_forms_read_and_ambiguous_ones_say_so() {
    for (date, next) in [("20240102", "20240103"), ("2024.01.02", "2024.01.03"), ("2024/01/02", "2024/01/03")] {
        let report = only(&Desk::new(), Format::Csv, "x:A/B", "d.csv", format!("date,close\n{date},1\n{next},2\n"));
        assert_eq!((report.first.utc.as_str(), report.kind.to_string().as_str()), ("2024-01-02T00:00:00Z", "bars-1d"));
    }
    let desk = Desk::new();
    let file = desk.file("d.csv", "date,close\n01/02/2024,1\n");
    let error = desk.import(&spec(Format::Csv, "x:A/B"), &[file]).expect_err("a refusal").to_string();
    for part in ["d.csv:2", "whether day or month stands first", "write the year first"] {
        assert!(error.contains(part), "{error}");
    }
    let file = desk.file("d.csv", "when,PRICE\n2024-01-02,1\n");
    let error = desk.import(&spec(Format::Csv, "x:A/B"), &[file]).expect_err("a refusal").to_string();
    assert!(error.contains("--columns ts=when,close=PRICE"), "{error}");
}

#[test]
fn columns_can_be_told() {
    let desk = Desk::new();
    let file = desk.file("wide.csv", "date,AAPL,AMD\n1990-01-02,0.264,4.125\n1990-01-03,0.266,4.0\n");
    let mut told = spec(Format::Csv, "us:AMD/USD");
    told.columns = Some("ts=date,close=AMD".to_owned());
    let report = desk.import(&told, &[file]).expect("an import");
    assert_eq!(report.rows_added, 2);
    let file = desk.file("bare.csv", "1704067200000,7,3\n");
    told.columns = Some("ts=1,price=2,qty=3".to_owned());
    assert_eq!(desk.import(&told, std::slice::from_ref(&file)).expect("an import").files[0].kind, Kind::Trades);
    for (wrong, part) in [
        ("ts=1,price=9,qty=3", "no column \"9\""),
        ("ts=1,prize=2", "\"prize\""),
        ("ts", "no '='"),
        ("price=2,qty=3", "ts"),
    ] {
        told.columns = Some(wrong.to_owned());
        let error = desk.import(&told, std::slice::from_ref(&file)).expect_err("a refusal").to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn columns_told_by_number_are_those_columns_with_or_without_a_header() {
    let rows = "1704067200000,42000.5,2,buy\n1704067201000,42001,7,sell\n";
    for head in ["", "when,what,how,side\n"] {
        let desk = Desk::new();
        let mut told = spec(Format::Csv, "x:A/B");
        told.columns = Some("ts=1,price=2,qty=3,side=4".to_owned());
        let file = desk.file("rows.csv", format!("{head}{rows}"));
        assert_eq!(desk.import(&told, &[file]).expect("an import").rows_added, 2, "{head:?}");
        let shown = show(&desk.catalog(), &sym("x:A/B"), Kind::Trades, Place::Head, 9).expect("rows");
        let got: Vec<_> = shown.rows.iter().map(|r| (r["price"].as_str(), r["qty"].as_str())).collect();
        assert_eq!(got, [("42000.5", "2"), ("42001", "7")], "{head:?}");
    }
}

#[test]
fn rows_that_are_told_to_be_bars_are_bars_or_refused() {
    let desk = Desk::new();
    let both = "ts_ms,open,high,low,close,volume,funding_rate\n1704067200000,5,6,5,6,1,0.0001\n1704070800000,5,6,5,6,1,0.0001\n";
    let trades = desk.file("t.csv", "ts_ms,price,qty\n1704067200000,5,1\n1704067300000,5,1\n");
    let file = desk.file("both.csv", both);
    let mut told = spec(Format::Csv, "x:A/B");
    told.interval = Some(Interval::HOUR);
    for (file, part) in [(&file, "are those of funding, and --interval is for bars"), (&trades, "those of trades")] {
        let error = desk.import(&told, std::slice::from_ref(file)).expect_err("a refusal").to_string();
        assert!(error.contains(part), "{error}");
    }
    told.interval = None;
    told.bars = true;
    assert!(desk.import(&told, &[trades]).is_err(), "they have no close");
    let klines = ImportSpec { format: Format::Binance, ..told.clone() };
    let bare = desk.file("b.csv", "1,42283.58,0.5,21141.79,1704067200000,True,True\n");
    let error = desk.import(&klines, &[bare]).expect_err("trades").to_string();
    assert!(error.contains("binance-trades"), "{error}");
    assert_eq!(desk.import(&told, &[file]).expect("an import").files[0].kind, Kind::Bars(Interval::HOUR));
}

#[test]
fn an_interval_that_contradicts_the_data_is_refused() {
    let desk = Desk::new();
    let file = desk.file("rows.csv", BARS);
    let mut told = spec(Format::Csv, "x:A/B");
    told.interval = Some("4h".parse().expect("an interval"));
    let error = desk.import(&told, &[file]).expect_err("a refusal").to_string();
    assert!(error.contains("1h apart, not 4h"), "{error}");
    let one = desk.file("one.csv", "ts_ms,close\n1704067200000,5\n");
    let error =
        desk.import(&spec(Format::Csv, "x:A/B"), std::slice::from_ref(&one)).expect_err("a refusal").to_string();
    assert!(error.contains("--interval"), "{error}");
    told.interval = Some("1d".parse().expect("an interval"));
    assert_eq!(desk.import(&told, &[one]).expect("an import").files[0].kind.to_string(), "bars-1d");
}

#[test]
fn trades_that_are_no_market_trades_are_left_out_and_counted() {
    let desk = Desk::new();
    let text = "ts_ms,price,qty,trade_id,buyer_is_maker,kind\n1704067200000,5,1,1,0,MARKET\n1704067200000,5,1,2,1,INSURANCE_FUND\n";
    let report = only(&desk, Format::Csv, "binance:BTC/USDT:USDT", "t.csv", text);
    assert_eq!((report.rows_added, report.rows_skipped), (1, 1));
}
