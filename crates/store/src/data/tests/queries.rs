//! What can be asked of a store: streams, hashes, instruments, show, resample, export.

use bellwether_sdk::{Interval, Qty};
use proptest::prelude::*;

use super::*;

const BTC: &str = "binance:BTC/USDT";

fn kind(text: &str) -> Kind {
    text.parse().expect("a kind")
}

fn bars(desk: &Desk, name: &str, range: std::ops::Range<Ts>) -> Vec<bellwether_sdk::Bar> {
    let all = desk.batches(BTC, name, range);
    all.into_iter().flat_map(|b| if let Batch::Bars(v) = b { v } else { panic!("bars") }).collect()
}

fn minute_bars(desk: &Desk, count: i64) {
    let row = |i: i64| format!("{},{},{},{},{},1\n", 1_706_655_600_000 + i * 60_000, 100 + i, 102 + i, 99 + i, 101 + i);
    let rows: String = (0..count).map(row).collect();
    desk.csv(BTC, &format!("ts_ms,open,high,low,close,volume\n{rows}")).expect("an import");
}

#[test]
fn a_bar_ends_where_the_next_opens_across_months_and_range_ends() {
    let desk = Desk::new();
    let text = "ts_ms,open,high,low,close,volume\n1706738400000,1,1,1,1,1\n1706742000000,1,1,1,1,1\n1706744400000,1,1,1,1,1\n\
        1706745600000,1,1,1,1,1\n1706749200000,1,1,1,1,1\n";
    desk.csv(BTC, text).expect("an import");
    let ends = |range| {
        bars(&desk, "bars-1h", range)
            .iter()
            .map(|b| (b.ts_close.nanos() - b.ts_open.nanos()) / 60_000_000_000)
            .collect::<Vec<_>>()
    };
    assert_eq!(ends(ALL), [60, 40, 20, 60, 60], "23:40 opens 20 minutes before the month ends");
    let month_end = Ts::from_millis(1_706_745_600_000);
    assert_eq!(ends(Ts::NONE..month_end), [60, 40, 20]);
    assert_eq!(ends(month_end..Ts::MAX), [60, 60]);
}

#[test]
fn gaps_of_funding_and_of_trade_ids_are_found() {
    let found = |name: &str, text: &str| {
        let desk = Desk::new();
        desk.csv(BTC, text).expect("an import");
        let report = check(&desk.catalog(), None, Some(kind(name))).expect("a check");
        report.series[0].findings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let funding = |hours: &[i64]| {
        let row = |h: &i64| format!("{},0.0001\n", 1_704_067_200_000 + h * 3_600_000 + h % 3);
        format!("ts_ms,funding_rate\n{}", hours.iter().map(row).collect::<String>())
    };
    assert_eq!(found("funding", &funding(&[0, 8, 16, 24, 28, 32, 36, 44, 52])), [""; 0], "the interval changes twice");
    let one = found("funding", &funding(&[0, 8, 16, 40, 48]));
    assert!(one.len() == 1 && one[0].contains("gaps: 1, first at 2024-01-02T00:00:00"), "{one:?}");
    assert!(one[0].contains("2 payments missing in all; the longest gap has 24.0 h"), "{one:?}");
    let last = found("funding", &funding(&[0, 8, 16, 40]));
    assert!(last[0].contains("gaps: 1") && last[0].contains("2 payments"), "{last:?}");

    let trades = |ids: &mut dyn Iterator<Item = i64>| {
        let row = |id: i64| format!("{id},{},100,1,buy\n", 1_704_067_200_000 + id * 10);
        format!("trade_id,ts_ms,price,qty,side\n{}", ids.map(row).collect::<String>())
    };
    let holes = found("trades", &trades(&mut (1..200).filter(|id| !(50..53).contains(id) && *id != 120)));
    assert!(holes.len() == 1 && holes[0].contains("gaps: 2, first at"), "{holes:?}");
    assert!(holes[0].contains("4 trades missing by their ids; the longest gap has 3, after id 49"), "{holes:?}");
    assert_eq!(found("trades", &trades(&mut (1..200).map(|id| id * 7))), [""; 0], "ids that are no count");
}

#[test]
fn ranges_are_half_open_and_empty_ones_say_what_there_is() {
    let desk = Desk::new();
    minute_bars(&desk, 300);
    let at = |i: i64| Ts::from_millis(1_706_655_600_000 + i * 60_000);
    let got = bars(&desk, "bars-1m", at(10)..at(13));
    assert_eq!(got.iter().map(|b| b.ts_open).collect::<Vec<_>>(), [at(10), at(11), at(12)]);
    let catalog = desk.catalog();
    let instrument = catalog.instrument(&sym(BTC), InstrumentId(0)).expect("an instrument");
    for range in [at(300)..at(400), at(-9)..at(0), at(5)..at(5), at(7)..at(6), at(1).plus(1)..at(2)] {
        let error = catalog.source(&instrument, kind("bars-1m"), range).err().expect("no data").to_string();
        assert!(error.contains("it has 2024-01-30T23:00:00Z .. 2024-01-31T04:00:00Z"), "{error}");
    }
    let error = catalog.source(&instrument, Kind::Trades, ALL).err().expect("no series").to_string();
    assert!(error.contains("no trades of binance:BTC/USDT") && error.contains("bars-1m"), "{error}");
    let error = catalog.instrument(&sym("binance:ETH/USDT"), InstrumentId(0)).expect_err("nothing").to_string();
    assert!(error.contains("nothing of binance:ETH/USDT") && error.contains(BTC), "{error}");
}

#[test]
fn long_streams_come_in_order_and_whole() {
    let desk = Desk::new();
    let rows: String =
        (0..300_000).map(|i| format!("{},{}.{},1\n", 1_706_655_600_000i64 + i * 700, 100 + i % 9, i % 10)).collect();
    desk.csv(BTC, &format!("ts_ms,price,qty\n{rows}")).expect("an import");
    assert_eq!(desk.catalog().series()[0].files, 2, "the rows pass a month's end");
    let instrument = desk.catalog().instrument(&sym(BTC), InstrumentId(3)).expect("an instrument");
    let mut source = desk.catalog().source(&instrument, Kind::Trades, ALL).expect("a source");
    let (mut count, mut last, mut spent) = (0i64, Ts::NONE, None);
    while let Some(batch) = source.next(spent.take()).expect("a batch") {
        let Batch::Trades(trades) = &batch else { panic!("trades") };
        assert!(!trades.is_empty() && trades.len() < 70_000);
        for trade in trades {
            assert!(trade.ts > last);
            assert_eq!(trade.ts, Ts::from_millis(1_706_655_600_000 + count * 700));
            assert_eq!((trade.instrument, trade.qty), (InstrumentId(3), Qty::from_mantissa(1)));
            (count, last) = (count + 1, trade.ts);
        }
        spent = Some(batch);
    }
    assert_eq!(count, 300_000);
}

#[test]
fn the_data_hash_depends_on_content_and_range_only() {
    let (a, b) = (Desk::new(), Desk::new());
    minute_bars(&a, 300);
    minute_bars(&b, 100);
    minute_bars(&b, 300);
    let hash = |desk: &Desk, range| desk.catalog().data_hash(&sym(BTC), kind("bars-1m"), range).expect("a hash");
    let at = |i: i64| Ts::from_millis(1_706_655_600_000 + i * 60_000);
    assert_eq!(hash(&a, ALL), hash(&b, ALL), "the way it came in does not matter");
    assert_eq!(hash(&a, ALL), hash(&a, at(-5)..at(300)), "nor what a range leaves out of nothing");
    assert_ne!(hash(&a, ALL), hash(&a, at(0)..at(100)));
    b.csv("x:A/B", BARS).expect("an import");
    assert_eq!(hash(&a, ALL), hash(&b, ALL));
}

#[test]
fn a_check_of_what_is_not_stored_names_no_kind_that_was_not_asked_for() {
    let desk = Desk::new();
    desk.csv(BTC, BARS).expect("an import");
    let catalog = desk.catalog();
    let error = |kind| check(&catalog, Some(&sym("x:B/USD")), kind).expect_err("nothing is stored").to_string();
    assert!(error(None).contains("has nothing of x:B/USD"), "{}", error(None));
    assert!(error(Some(Kind::Quotes)).contains("has no quotes of x:B/USD"), "{}", error(Some(Kind::Quotes)));
}

#[test]
fn largest_orders_are_stated_or_none_and_noted_when_they_change() {
    let desk = Desk::new();
    desk.csv(BTC, BARS).expect("an import");
    let text = |text: &str| text.to_owned();
    let stated = StatedRules {
        valid_from: text("2024-01-01"),
        tick: text("0.01"),
        lot: text("0.01"),
        qty_min: text("0.01"),
        notional_min: text("5"),
        qty_max: text("0"),
        qty_max_market: text("0"),
        notional_max: text("0"),
        multiplier: 1,
    };
    // As it was written before there were largest orders.
    let older = r#"{"binance:BTC/USDT": [{"valid_from": "2024-01-01", "tick": "0.01", "lot": "0.01", "qty_min": "0.01",
        "notional_min": "5", "multiplier": 1}]}"#;
    std::fs::write(desk.store().join("instruments.json"), older).expect("a file");
    let largest = || {
        let it = desk.catalog().instrument(&sym(BTC), InstrumentId(0)).expect("an instrument");
        (it.qty_max.to_text(2), it.qty_max_market.to_text(2), it.notional_max)
    };
    assert_eq!(largest(), (text("0"), text("0"), 0));
    assert!(!desk.catalog().note_rules(&sym(BTC), &stated).expect("noted"), "nothing is new");
    let most = StatedRules {
        qty_max: text("9000.5"),
        // Digits that no order has are cut.
        qty_max_market: text("112.2110882"),
        notional_max: text("9000000.25"),
        ..stated
    };
    assert!(desk.catalog().note_rules(&sym(BTC), &most).expect("noted"));
    assert!(!desk.catalog().note_rules(&sym(BTC), &most).expect("noted"), "nothing is new");
    assert_eq!(largest(), (text("9000.5"), text("112.21"), 90_000_002_500));
    let beyond = StatedRules { qty_max: text("999999999999999999"), ..most };
    assert!(desk.catalog().note_rules(&sym(BTC), &beyond).expect("noted"));
    assert_eq!(largest().0, "0", "what no order can reach bounds none");
    std::fs::write(desk.store().join("instruments.json"), older.replace("qty_min\": \"", "qty_max\": \"-"))
        .expect("a file");
    let error = Catalog::open(&desk.store()).expect_err("refused").to_string();
    assert!(error.contains("qty_max -0.01 is negative"), "{error}");
}

#[test]
fn instruments_are_inferred_unless_rules_are_stated() {
    let desk = Desk::new();
    desk.csv(BTC, BARS).expect("an import");
    let inferred = desk.catalog().instrument(&sym(BTC), InstrumentId(0)).expect("an instrument");
    assert_eq!((inferred.price_scale, inferred.qty_scale, inferred.inferred), (2, 2, true));
    assert_eq!(desk.catalog().fees(&sym(BTC), Ts::MAX), None);
    let rules = r#"{"binance:BTC/USDT": [
        {"tick": "0.1", "lot": "1", "valid_from": "2020-01-01"},
        {"tick": "0.001", "lot": "0.01", "notional_min": "5", "maker_bps": "7.5", "taker_bps": "10", "valid_from": "2023-01-01"}]}"#;
    std::fs::write(desk.store().join("instruments.json"), rules).expect("a file");
    let stated = desk.catalog().instrument(&sym(BTC), InstrumentId(0)).expect("an instrument");
    assert_eq!((stated.price_scale, stated.tick.mantissa(), stated.lot.mantissa(), stated.inferred), (3, 1, 1, false));
    assert_eq!(stated.notional_min, 5 * 100_000);
    let (maker, taker) = desk.catalog().fees(&sym(BTC), Ts::MAX).expect("fees");
    assert_eq!((maker.to_text().as_str(), taker.to_text().as_str()), ("0.00075", "0.001"));
    let [before, then, since] = ["2015-01-01", "2022-12-31", "2023-01-01"].map(|day| parse_date(day).expect("a date"));
    let tick = |at| {
        let it = desk.catalog().instrument_at(&sym(BTC), InstrumentId(0), at).expect("an instrument");
        it.tick.to_text(it.price_scale)
    };
    assert_eq!(
        [tick(before), tick(then), tick(since)],
        ["0.1", "0.1", "0.001"],
        "the first rules count before their time"
    );
    assert_eq!(desk.catalog().fees(&sym(BTC), then), None);
    assert_eq!(desk.catalog().rule_changes(&sym(BTC), before..Ts::MAX), [since]);
    assert_eq!(desk.catalog().rule_changes(&sym(BTC), since..Ts::MAX), []);
    let got = desk.batches(BTC, "bars-1h", ALL);
    let [Batch::Bars(b)] = &got[..] else { panic!("{got:?}") };
    assert_eq!(b[0].close.to_text(3), "11.5", "prices follow the instrument's scale");
    for wrong in [
        r#"{"binance:BTC/USDT": [{"tick": "0", "lot": "1"}]}"#,
        r#"{"BTC": []}"#,
        r#"{"binance:BTC/USDT": [{"tik": "1"}]}"#,
        "[",
    ] {
        std::fs::write(desk.store().join("instruments.json"), wrong).expect("a file");
        let error = Catalog::open(&desk.store()).expect_err("a refusal").to_string();
        assert!(error.contains("instruments.json"), "{error}");
    }
}

#[test]
fn mark_prices_widen_the_scale_but_not_the_tick() {
    let desk = Desk::new();
    desk.csv(BTC, BARS).expect("an import");
    desk.csv(BTC, "ts_ms,funding_rate,mark_price\n1706655600000,0.0001,42000.12345678\n").expect("an import");
    let instrument = desk.catalog().instrument(&sym(BTC), InstrumentId(0)).expect("an instrument");
    assert_eq!((instrument.price_scale, instrument.tick.to_text(8)), (8, "0.01".to_owned()));
    assert_eq!(bars(&desk, "bars-1h", ALL)[0].close.to_text(8), "11.5");
}

#[test]
fn rows_are_shown_from_either_end_and_from_a_time() {
    let desk = Desk::new();
    minute_bars(&desk, 5);
    let opens = |place, count| {
        let report = show(&desk.catalog(), &sym(BTC), kind("bars-1m"), place, count).expect("rows");
        assert_eq!(report.columns[..3], ["utc", "ts_open", "open"]);
        report.rows.iter().map(|r| r["open"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(opens(Place::Head, 2), ["100", "101"]);
    assert_eq!(opens(Place::Tail, 2), ["103", "104"]);
    assert_eq!(opens(Place::Tail, 99).len(), 5);
    assert_eq!(opens(Place::At(Ts::from_millis(1_706_655_600_001)), 1), ["101"]);
    let after = Place::At(Ts::from_millis(1_806_655_600_001));
    assert!(matches!(show(&desk.catalog(), &sym(BTC), kind("bars-1m"), after, 1), Err(DataError::NoData { .. })));
}

#[test]
fn minutes_resample_to_quarters_of_an_hour() {
    let desk = Desk::new();
    minute_bars(&desk, 40);
    let quarter: Interval = "15m".parse().expect("an interval");
    let report =
        resample(&mut desk.catalog(), &sym(BTC), kind("bars-1m"), quarter, &mut Watcher::silent(&NEVER)).expect("bars");
    assert_eq!((report.rows_read, report.bars, report.bars_added), (40, 3, 3));
    let got = bars(&desk, "bars-15m", ALL);
    let text: Vec<String> = got
        .iter()
        .map(|b| {
            format!(
                "{} {} {} {} {}",
                b.open.to_text(0),
                b.high.to_text(0),
                b.low.to_text(0),
                b.close.to_text(0),
                b.volume.to_text(0)
            )
        })
        .collect();
    assert_eq!(text, ["100 116 99 115 15", "115 131 114 130 15", "130 141 129 140 10"]);
    let before = tree(&desk.store());
    let again =
        resample(&mut desk.catalog(), &sym(BTC), kind("bars-1m"), quarter, &mut Watcher::silent(&NEVER)).expect("bars");
    assert_eq!((again.bars, again.bars_added), (3, 0));
    assert_eq!(tree(&desk.store()), before);
    // More minutes: bars made of other data are made anew, the unfinished last one too.
    minute_bars(&desk, 60);
    resample(&mut desk.catalog(), &sym(BTC), kind("bars-1m"), quarter, &mut Watcher::silent(&NEVER)).expect("bars");
    assert_eq!(bars(&desk, "bars-15m", ALL).iter().map(|b| b.volume.mantissa()).collect::<Vec<_>>(), [15, 15, 15, 15]);
    for (from, to) in [("bars-1m", "90s"), ("bars-15m", "15m"), ("quotes", "1h")] {
        let error = resample(
            &mut desk.catalog(),
            &sym(BTC),
            kind(from),
            to.parse().expect("an interval"),
            &mut Watcher::silent(&NEVER),
        );
        assert!(matches!(error, Err(DataError::Spec { .. })), "{from} {to}");
    }
}

#[test]
fn bars_made_of_data_that_has_changed_since_are_found() {
    let desk = Desk::new();
    minute_bars(&desk, 40);
    let interval = |text: &str| text.parse::<Interval>().expect("an interval");
    resample(&mut desk.catalog(), &sym(BTC), kind("bars-1m"), interval("5m"), &mut Watcher::silent(&NEVER))
        .expect("bars");
    resample(&mut desk.catalog(), &sym(BTC), kind("bars-5m"), interval("15m"), &mut Watcher::silent(&NEVER))
        .expect("bars");
    assert!(check(&desk.catalog(), None, None).expect("a check").ok);
    minute_bars(&desk, 60);
    let report = check(&desk.catalog(), None, None).expect("a check");
    let found: Vec<_> =
        report.series.iter().flat_map(|s| s.findings.iter().map(|f| (s.kind.to_string(), f.kind))).collect();
    let outdated = |kind: &str| (kind.to_owned(), Oddity::Outdated);
    assert_eq!((report.ok, found), (false, vec![outdated("bars-5m"), outdated("bars-15m")]), "and what is made of it");
    resample(&mut desk.catalog(), &sym(BTC), kind("bars-1m"), interval("5m"), &mut Watcher::silent(&NEVER))
        .expect("bars");
    resample(&mut desk.catalog(), &sym(BTC), kind("bars-5m"), interval("15m"), &mut Watcher::silent(&NEVER))
        .expect("bars");
    assert!(check(&desk.catalog(), None, None).expect("a check").ok);
}

#[test]
fn bars_made_of_another_series_stay() {
    let desk = Desk::new();
    minute_bars(&desk, 40);
    let quarters = |from: &str| {
        resample(
            &mut desk.catalog(),
            &sym(BTC),
            kind(from),
            "15m".parse().expect("an interval"),
            &mut Watcher::silent(&NEVER),
        )
    };
    quarters("bars-1m").expect("bars");
    // Trades of a later time: their bars come beside those there are.
    desk.csv(BTC, "ts_ms,price,qty\n1706662800000,10,1\n1706662801000,12,1\n").expect("an import");
    assert_eq!(quarters("trades").expect("bars").bars_added, 1);
    let volumes = || bars(&desk, "bars-15m", ALL).iter().map(|b| b.volume.mantissa()).collect::<Vec<_>>();
    assert_eq!(volumes(), [15, 15, 10, 2]);
    assert_eq!(quarters("bars-1m").expect("bars").bars_added, 0);
    // More trades: the part of the bars that is made of them is theirs alone.
    desk.csv(BTC, "ts_ms,price,qty\n1706664600000,10,3\n").expect("an import");
    assert_eq!(desk.catalog().outdated(&sym(BTC), kind("bars-15m")), Some(Kind::Trades));
    assert_eq!(quarters("trades").expect("bars").bars_added, 1);
    assert_eq!(volumes(), [15, 15, 10, 2, 3]);
    assert_eq!(desk.catalog().outdated(&sym(BTC), kind("bars-15m")), None);
    assert_eq!(desk.catalog().find(&sym(BTC), kind("bars-15m")).expect("a series").sources.len(), 2);
    // What contradicts is refused, as the unfinished bar of a series that goes on.
    minute_bars(&desk, 60);
    let error = quarters("bars-1m").expect_err("a refusal").to_string();
    assert!(error.contains("bars-1m disagrees with what is stored"), "{error}");
    assert_eq!(volumes(), [15, 15, 10, 2, 3]);
}

#[test]
fn trades_resample_to_bars_and_disagree_with_others() {
    let desk = Desk::new();
    let trades = "ts_ms,price,qty\n1706655600000,10,1\n1706655601000,12,0.5\n1706655659999,9,1\n1706655660000,11,2\n";
    desk.csv(BTC, trades).expect("an import");
    resample(&mut desk.catalog(), &sym(BTC), Kind::Trades, Interval::MINUTE, &mut Watcher::silent(&NEVER))
        .expect("bars");
    let got = bars(&desk, "bars-1m", ALL);
    assert_eq!(
        (got.len(), got[0].high.mantissa(), got[0].low.mantissa(), got[0].close.mantissa(), got[0].volume.mantissa()),
        (2, 12, 9, 9, 25)
    );
    let other = Desk::new();
    other.csv(BTC, trades).expect("an import");
    other.csv(BTC, "ts_ms,close,volume\n1706655600000,10,1\n1706655660000,10,1\n").expect("an import");
    let error = resample(&mut other.catalog(), &sym(BTC), Kind::Trades, Interval::MINUTE, &mut Watcher::silent(&NEVER))
        .expect_err("a refusal");
    assert!(matches!(error, DataError::Disagreement(_)), "{error}");
}

#[test]
fn every_kind_survives_export_and_import() {
    let kinds = [
        ("bars-1h", BARS.to_owned()),
        ("bars-1h", "ts_ms,open,high,low,close,volume,quote_volume,trades,taker_buy_base,taker_buy_quote\n1706655600000,1,2,1,2,5,7.25,3,2.5,0.1\n1706659200000,1,2,1,2,5,,,,\n".to_owned()),
        ("trades", "ts_recv_ns,ts_event_ns,price,qty,side,trade_id\n1706655600000000007,1706655600000000000,1.5,2,buy,7\n1706745600000000007,,1.25,0,,8\n".to_owned()),
        ("trades", "ts_ms,price,qty,trade_id\n1706655600000,1.5,2,a-7\n".to_owned()),
        ("quotes", "ts_recv_ns,ts_event_ms,update_id,bid,bid_qty,ask,ask_qty\n1706655600000000007,1706655600000,9,1.5,2,,\n1706655600000000008,1706655600000,10,1.5,2,1.6,3\n".to_owned()),
        ("depth", "seq,ts_recv_ns,snapshot,first_id,final_id,prev_final_id,side,price,qty\n1,1706655600000000007,1,,9,,b,1.5,2\n1,1706655600000000007,1,,9,,a,1.75,2\n2,1706655600000000009,0,10,11,9,a,1.75,0\n".to_owned()),
        ("funding", "ts_ms,funding_rate,mark_price\n1706655600000,-0.00012359,\n1706684400000,0.0001,42000.5\n".to_owned()),
    ];
    for (name, text) in kinds {
        let desk = Desk::new();
        desk.csv(BTC, &text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let before = desk.catalog().find(&sym(BTC), kind(name)).expect("a series");
        for (format, import_format) in [(ExportFormat::Csv, Format::Csv), (ExportFormat::Parquet, Format::Parquet)] {
            let out = desk.dir.path().join(format!("out.{format:?}"));
            let report =
                export(&desk.catalog(), &sym(BTC), kind(name), ALL, format, &out, &mut Watcher::silent(&NEVER))
                    .expect("an export");
            assert_eq!(report.rows, before.rows);
            let other = Desk::new();
            let mut back = spec(import_format, BTC);
            back.interval = kind(name).interval();
            other.import(&back, std::slice::from_ref(&out)).unwrap_or_else(|e| panic!("{name} {format:?}: {e}"));
            let after = other.catalog().find(&sym(BTC), kind(name)).unwrap_or_else(|| panic!("{name} {format:?}"));
            assert_eq!(after.row_hash, before.row_hash, "{name} {format:?}");
            assert!(
                export(&desk.catalog(), &sym(BTC), kind(name), ALL, format, &out, &mut Watcher::silent(&NEVER))
                    .is_err(),
                "it exists"
            );
        }
    }
}

#[test]
fn what_is_stopped_leaves_nothing_and_what_is_written_may_be_read_by_others() {
    let desk = Desk::new();
    minute_bars(&desk, 40);
    let before = tree(desk.dir.path());
    let stop = AtomicBool::new(true);
    let out = desk.dir.path().join("out.csv");
    let error =
        export(&desk.catalog(), &sym(BTC), kind("bars-1m"), ALL, ExportFormat::Csv, &out, &mut Watcher::silent(&stop));
    assert!(matches!(error, Err(DataError::Interrupted)), "{error:?}");
    let error = resample(&mut desk.catalog(), &sym(BTC), kind("bars-1m"), Interval::HOUR, &mut Watcher::silent(&stop));
    assert!(matches!(error, Err(DataError::Interrupted)), "{error:?}");
    assert_eq!(tree(desk.dir.path()), before);
    let mut heard = Vec::new();
    let mut progress = |p: Progress| heard.push((p.bytes, p.total));
    let mut watcher = Watcher::new(&NEVER, &mut progress);
    export(&desk.catalog(), &sym(BTC), kind("bars-1m"), ALL, ExportFormat::Csv, &out, &mut watcher).expect("an export");
    assert!(
        heard.len() > 1 && heard[0].0 == 0 && heard.last().is_some_and(|(bytes, total)| bytes == total),
        "{heard:?}"
    );
    let stopped = super::super::check(&desk.catalog(), None, None, &mut Watcher::silent(&stop));
    assert!(matches!(stopped, Err(DataError::Interrupted)));
    let plain = desk.file("plain", "x");
    let permissions = |path: &Path| std::fs::metadata(path).expect("a file").permissions();
    assert_eq!(permissions(&out), permissions(&plain));
}

#[test]
fn a_series_can_be_removed_and_imported_again() {
    let desk = Desk::new();
    desk.csv(BTC, BARS).expect("an import");
    desk.csv("okx:A/B", BARS).expect("an import");
    let before = tree(&desk.store());
    minute_bars(&desk, 40);
    let mut catalog = desk.catalog();
    assert_eq!(catalog.remove(&sym(BTC), kind("bars-1m")).expect("removed").rows, 40);
    assert_eq!(tree(&desk.store()), before, "the others are as they were");
    let error = catalog.remove(&sym(BTC), kind("bars-1m")).expect_err("gone").to_string();
    assert!(error.contains("no bars-1m of binance:BTC/USDT"), "{error}");
    catalog.remove(&sym(BTC), kind("bars-1h")).expect("removed");
    assert!(!desk.store().join("venue=binance").exists());
    desk.csv(BTC, &BARS.replace("11,12,0.25", "11,12.125,0.25")).expect("what disagreed is stored now");
}

#[test]
fn an_export_without_rows_leaves_no_file() {
    let desk = Desk::new();
    desk.csv(BTC, BARS).expect("an import");
    let out = desk.dir.path().join("none.csv");
    let range = Ts::from_millis(1_706_655_600_001)..Ts::from_millis(1_706_655_600_002);
    let error = export(
        &desk.catalog(),
        &sym(BTC),
        kind("bars-1h"),
        range,
        ExportFormat::Csv,
        &out,
        &mut Watcher::silent(&NEVER),
    );
    assert!(matches!(error, Err(DataError::NoData { .. })), "{error:?}");
    assert!(!out.exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever mix of digits goes in, the same decimals come out, in stored and in exported form.
    #[test]
    fn decimals_of_any_digits_round_trip(values in prop::collection::vec((1i64..1_000_000_000, 0u8..9, 0i64..1_000_000, 0u8..6), 1..40)) {
        let desk = Desk::new();
        let text = |m: i64, s: u8| bellwether_sdk::num::format_mantissa(m, s);
        let want: Vec<(String, String)> = values.iter().map(|(p, ps, q, qs)| (text(*p, *ps), text(*q, *qs))).collect();
        let rows: String = want.iter().enumerate().map(|(i, (p, q))| format!("{},{p},{q}\n", 1_706_745_590_000i64 + i as i64 * 1_000)).collect();
        desk.csv(BTC, &format!("ts_ms,price,qty\n{rows}")).expect("an import");
        let instrument = desk.catalog().instrument(&sym(BTC), InstrumentId(0)).expect("an instrument");
        let mut got = Vec::new();
        for batch in desk.batches(BTC, "trades", ALL) {
            let Batch::Trades(trades) = batch else { panic!("trades") };
            got.extend(trades.iter().map(|t| (t.price.to_text(instrument.price_scale), t.qty.to_text(instrument.qty_scale))));
        }
        prop_assert_eq!(got, want);
        desk.catalog().verify(&sym(BTC), Kind::Trades).expect("whole");
    }
}

#[test]
fn the_shipped_catalog_is_whole() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../backtest-data");
    let catalog = Catalog::open(&dir).expect("the shipped catalog");
    let report = check(&catalog, None, None).expect("a check");
    assert_eq!(report.series.len(), 13);
    assert!(report.series.iter().flat_map(|s| &s.findings).all(|f| f.kind != Oddity::RowHash), "{report:?}");
    let hours = catalog.find(&sym(BTC), kind("bars-1h")).expect("hourly bars");
    assert_eq!((hours.rows, hours.files), (55_765, 78));
    let readme = std::fs::read_to_string(dir.join("README.md")).expect("its README");
    catalog.series().iter().for_each(|s| assert!(readme.contains(&s.row_hash), "{} {}", s.symbol, s.kind));
}

#[test]
fn equal_times_and_a_clock_behind_are_told_and_are_no_fault() {
    let desk = Desk::new();
    let mut strict = spec(Format::Csv, BTC);
    strict.strict = true;
    let trades = "ts_ms,price,qty\n1706655600000,10,1\n1706655600000,11,1\n1706655600000,10,1\n1706655600001,10,1\n";
    desk.import(&strict, &[desk.file("t.csv", trades)]).expect("no fault");
    let report = check(&desk.catalog(), None, None).expect("a check");
    let told: Vec<(Oddity, u64)> = report.series[0].findings.iter().map(|f| (f.kind, f.count)).collect();
    assert_eq!((told, report.ok), (vec![(Oddity::EqualTimes, 2)], true));
    // Finer times that are equal are one moment at the venue.
    let desk = Desk::new();
    let fine = trades.replace("ts_ms", "ts_us").replace("0000,", "0000007,").replace("0001,", "0001000,");
    desk.import(&strict, &[desk.file("t.csv", fine)]).expect("no fault");
    assert_eq!(check(&desk.catalog(), None, None).expect("a check").series[0].findings, []);

    let desk = Desk::new();
    let rows = (0..9_i64).map(|i| {
        let (received, stamped) =
            (1_706_655_600_000 + i * 1000, 1_706_655_600_000 + i * 1000 + if i < 6 { 1270 } else { -5 });
        format!("{received}000001,{stamped},10,1,11,1\n")
    });
    let text = format!("ts_recv_ns,ts_event_ms,bid,bid_qty,ask,ask_qty\n{}", rows.collect::<String>());
    desk.import(&strict, &[desk.file("q.csv", text)]).expect("no fault");
    let finding = check(&desk.catalog(), None, None).expect("a check").series[0].findings.remove(0);
    assert_eq!((finding.kind, finding.count), (Oddity::ReceiverBehind, 6));
    assert!(finding.detail.contains("by 1.269 s"), "{}", finding.detail);
}

#[test]
fn a_book_that_crosses_is_found() {
    let desk = Desk::new();
    let text = "seq,ts_recv_ns,snapshot,first_id,final_id,side,price,qty\n\
        0,1706655600000000000,1,,10,b,10,1\n0,1706655600000000000,1,,10,a,11,1\n\
        1,1706655601000000000,0,11,11,b,12,2\n2,1706655602000000000,0,12,12,a,11,0\n2,1706655602000000000,0,12,12,a,13,1\n";
    desk.csv(BTC, text).expect("an import");
    let finding = check(&desk.catalog(), None, None).expect("a check").series[0].findings.remove(0);
    assert_eq!((finding.kind, finding.count, finding.detail.as_str()), (Oddity::Crossed, 1, "bid 12, ask 11"));
}
