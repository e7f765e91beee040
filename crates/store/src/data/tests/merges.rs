//! Importing again, importing more, importing what disagrees.

use super::*;

fn bars_of(desk: &Desk) -> u64 {
    desk.catalog().series()[0].rows
}

#[test]
fn the_same_source_again_changes_nothing() {
    let desk = Desk::new();
    desk.csv("binance:BTC/USDT", BARS).expect("an import");
    let before = tree(&desk.store());
    let again = desk.csv("binance:BTC/USDT", BARS).expect("an import");
    assert!(again.unchanged && again.files[0].known);
    // Compressed, the content is the same.
    let gz = desk.file("rows.csv.zst", zstd::stream::encode_all(BARS.as_bytes(), 3).expect("compressed"));
    let again = desk.import(&spec(Format::Csv, "binance:BTC/USDT"), &[gz]).expect("an import");
    assert!(again.unchanged && again.files[0].known);
    // Other text, same rows.
    let again = desk.csv("binance:BTC/USDT", &BARS.replace("11.5", "11.50")).expect("an import");
    assert!(again.unchanged && !again.files[0].known);
    assert_eq!(again.files[0].rows_known, 3);
    assert_eq!(tree(&desk.store()), before);
}

#[test]
fn overlapping_bars_that_agree_add_only_what_is_new() {
    let desk = Desk::new();
    desk.csv("binance:BTC/USDT", BARS).expect("an import");
    let more =
        "ts_ms,open,high,low,close,volume\n1706662800000,12,12.5,11.25,12.5,1\n1706666400000,12.5,13,12,12.125,1\n";
    let report = desk.csv("binance:BTC/USDT", more).expect("an import");
    assert_eq!((report.rows_added, report.files[0].rows_known), (1, 1));
    let batches = desk.batches("binance:BTC/USDT", "bars-1h", ALL);
    let [Batch::Bars(bars)] = &batches[..] else { panic!("{batches:?}") };
    let closes: Vec<String> = bars.iter().map(|b| b.close.to_text(3)).collect();
    assert_eq!(closes, ["11.5", "12", "12.5", "12.125"], "a finer price moves the month to a finer scale");
}

#[test]
fn bars_that_disagree_are_refused_with_both_values() {
    let desk = Desk::new();
    desk.csv("binance:BTC/USDT", BARS).expect("an import");
    let before = tree(&desk.store());
    let error =
        desk.csv("binance:BTC/USDT", &BARS.replace("11,12,0.25", "11,12.125,0.25")).expect_err("a refusal").to_string();
    for part in ["rows.csv:3", "2024-01-31T00:00:00Z", "close 12.125", "close 12,", "nothing was written"] {
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
    assert_eq!(tree(&desk.store()), before);
}

#[test]
fn a_bar_twice_in_a_file_is_stored_once_and_told_and_refused_when_it_disagrees() {
    let desk = Desk::new();
    let twice = format!("{BARS}1706662800000,12,12.5,11.25,12.5,1\n");
    let report = desk.csv("binance:BTC/USDT", &twice).expect("an import");
    assert_eq!((report.rows_added, report.files[0].rows_repeated), (3, 1));
    let findings = &check(&desk.catalog(), None, None).expect("a check").series[0].findings;
    assert_eq!((findings[0].kind, findings[0].count), (Oddity::Duplicates, 1));
    let differs = format!("{BARS}1706662800000,12,12.5,11.25,12.25,1\n");
    let error = desk.csv("okx:BTC/USDT", &differs).expect_err("a refusal").to_string();
    assert!(error.contains("rows.csv:5") && error.contains("line 4 of the same file"), "{error}");
}

#[test]
fn a_source_with_more_columns_fills_what_was_absent() {
    let desk = Desk::new();
    desk.csv("binance:BTC/USDT", BARS).expect("an import");
    let wide: String = BARS
        .lines()
        .enumerate()
        .map(|(i, l)| if i == 0 { format!("{l},trades\n") } else { format!("{l},{i}\n") })
        .collect();
    let report = desk.csv("binance:BTC/USDT", &wide).expect("an import");
    assert_eq!((report.rows_added, report.unchanged), (0, false));
    let shown = show(&desk.catalog(), &sym("binance:BTC/USDT"), "bars-1h".parse().expect("a kind"), Place::Head, 3)
        .expect("rows");
    assert_eq!(shown.rows[2]["trades"], "3");
    assert!(desk.csv("binance:BTC/USDT", BARS).expect("an import").unchanged);
}

#[test]
fn disorder_is_sorted_counted_and_placed() {
    let desk = Desk::new();
    let lines: Vec<&str> = BARS.lines().collect();
    let text = format!("{}\n{}\n{}\n{}\n", lines[0], lines[2], lines[1], lines[3]);
    let report = desk.csv("binance:BTC/USDT", &text).expect("an import");
    let finding = &report.files[0].findings[0];
    assert_eq!((finding.kind, finding.count, finding.place.as_deref()), (Oddity::Disorder, 1, Some("rows.csv:3")));
    let info = &desk.catalog().series()[0];
    let straight = Desk::new();
    straight.csv("binance:BTC/USDT", BARS).expect("an import");
    assert_eq!(info.row_hash, straight.catalog().series()[0].row_hash);
}

const IDS: &str = "ts_ms,price,qty,trade_id\n1706655600000,10,1,5\n1706655600000,10,1,6\n1706655601000,11,1,7\n";

#[test]
fn trades_with_ids_are_told_apart_by_id() {
    let desk = Desk::new();
    desk.csv("binance:BTC/USDT", IDS).expect("an import");
    let more = "ts_ms,price,qty,trade_id\n1706655600000,10,1,6\n1706655601000,11,1,7\n1706655601000,11,1,8\n";
    let report = desk.csv("binance:BTC/USDT", more).expect("an import");
    assert_eq!((report.rows_added, report.files[0].rows_known), (1, 2));
    let error = desk
        .csv("binance:BTC/USDT", "ts_ms,price,qty,trade_id\n1706655600500,12,1,6\n")
        .expect_err("a refusal")
        .to_string();
    assert!(error.contains("price 12") && error.contains("price 10") && error.contains("rows.csv:2"), "{error}");
    let repeated = "ts_ms,price,qty,trade_id\n1706655600000,10,1,5\n1706655600000,10,1,5\n";
    let report = desk.csv("okx:BTC/USDT", repeated).expect("an import");
    assert_eq!((report.rows_added, report.files[0].rows_repeated), (1, 1));
}

fn shown_ids(desk: &Desk, symbol: &str) -> Vec<String> {
    let shown = show(&desk.catalog(), &sym(symbol), Kind::Trades, Place::Head, 99).expect("rows");
    shown.rows.iter().map(|r| format!("{}{}", r.get("id").map_or("", String::as_str), r["price"])).collect()
}

#[test]
fn trades_of_one_time_stand_by_their_ids_whatever_came_first() {
    let rows = |ids: &[(i64, u32)]| {
        let rows: String = ids.iter().map(|(ts, id)| format!("{},1,1,{id}\n", 1_706_655_600_000 + ts)).collect();
        format!("ts_ms,price,qty,trade_id\n{rows}")
    };
    let (early, late) = (rows(&[(0, 3), (1, 4), (1, 5)]), rows(&[(1, 6), (1, 7), (2, 9)]));
    for order in [[&early, &late], [&late, &early]] {
        let desk = Desk::new();
        order.iter().for_each(|text| assert_eq!(desk.csv("x:A/B", text).expect("an import").rows_added, 3));
        assert_eq!(shown_ids(&desk, "x:A/B"), ["31", "41", "51", "61", "71", "91"]);
    }
    // Newest first, and the hole before 9 is found all the same.
    let desk = Desk::new();
    let all: Vec<(i64, u32)> = (0..40).map(|id| (i64::from(id / 4), if id < 30 { id } else { id + 2 })).collect();
    let backwards: Vec<_> = all.iter().copied().rev().collect();
    let report = desk.csv("x:A/B", &rows(&backwards)).expect("an import");
    let found: Vec<_> = report.files[0].findings.iter().map(|f| (f.kind, f.detail.as_str())).collect();
    assert_eq!(found[0], (Oddity::Disorder, "newest first; turned round"));
    assert_eq!(found[1].0, Oddity::Gaps, "{found:?}");
    let straight = Desk::new();
    straight.csv("x:A/B", &rows(&all)).expect("an import");
    assert_eq!(desk.catalog().series()[0].row_hash, straight.catalog().series()[0].row_hash);
}

#[test]
fn a_file_with_the_newest_first_is_turned_round_and_ids_without_an_order_move_nothing() {
    let desk = Desk::new();
    desk.csv("x:A/B", &bare(&[(9, 5), (5, 4), (5, 3), (0, 2), (0, 1)])).expect("an import");
    assert_eq!(shown_ids(&desk, "x:A/B"), ["1", "2", "3", "4", "5"]);
    let hashes = "ts_ms,price,qty,trade_id\n1706655600000,1,1,9\n1706655600000,2,1,8\n1706655601000,3,1,4\n\
        1706655602000,4,1,7\n1706655603000,5,1,2\n";
    desk.csv("y:A/B", hashes).expect("an import");
    assert_eq!(shown_ids(&desk, "y:A/B"), ["91", "82", "43", "74", "25"]);
}

#[test]
fn ids_may_be_text() {
    let desk = Desk::new();
    let text = "ts_ms,price,qty,trade_id\n1706655600000,10,1,a-1\n1706655600000,10,1,b-2\n1706655600000,10,1,a-1\n";
    let report = desk.csv("bybit:BTC/USDT", text).expect("an import");
    assert_eq!((report.rows_added, report.files[0].rows_repeated), (2, 1));
    let again = desk.csv("bybit:BTC/USDT", &text.replace("b-2", "c-3")).expect("an import");
    assert_eq!(again.rows_added, 1);
    let shown = show(&desk.catalog(), &sym("bybit:BTC/USDT"), Kind::Trades, Place::Head, 9).expect("rows");
    let ids: Vec<&str> = shown.rows.iter().map(|r| r["id_text"].as_str()).collect();
    assert_eq!(ids, ["a-1", "b-2", "c-3"]);
}

fn bare(rows: &[(i64, u32)]) -> String {
    let rows: String = rows.iter().map(|(ts, price)| format!("{},{price},1\n", 1_706_655_600_000 + ts)).collect();
    format!("ts_ms,price,qty\n{rows}")
}

#[test]
fn trades_without_ids_are_never_told_apart_by_value() {
    let desk = Desk::new();
    let report = desk.csv("bitmex:XBT/USD:XBT", &bare(&[(0, 7), (0, 7), (0, 7), (5, 8)])).expect("an import");
    let findings: Vec<(Oddity, u64)> = report.files[0].findings.iter().map(|f| (f.kind, f.count)).collect();
    assert_eq!((report.rows_added, findings), (4, vec![(Oddity::EqualTimes, 2)]));
    // A file cut in the middle of an instant continues there, even with equal trades.
    let report = desk.csv("bitmex:XBT/USD:XBT", &bare(&[(5, 8), (9, 9)])).expect("an import");
    assert_eq!(report.rows_added, 2);
    assert_eq!(bars_of(&desk), 6);
}

#[test]
fn a_stretch_of_trades_without_ids_that_stands_twice_is_told() {
    let day = [(0, 7), (0, 7), (3, 8), (5, 7)];
    let next = [(7, 7), (9, 8)];
    let told = |rows: &[(i64, u32)]| {
        let report = Desk::new().csv("bitmex:XBT/USD:XBT", &bare(rows)).expect("an import");
        assert_eq!(report.rows_added, rows.len() as u64, "never told apart by value");
        let found = report.files[0].findings.iter().find(|f| f.kind == Oddity::Duplicates);
        found.map(|f| (f.count, f.place.clone().unwrap_or_default()))
    };
    let again = Some((4, "rows.csv:6".to_owned()));
    assert_eq!(told(&[day, day].concat()), again);
    assert_eq!(told(&[&day[..], &day, &next].concat()), again);
    assert_eq!(told(&[&day[..], &next, &day[2..]].concat()), Some((2, "rows.csv:8".to_owned())));
    assert_eq!(told(&[&day[..], &next, &[(3, 8), (4, 1)]].concat()), None, "another trade of that time");
    assert_eq!(told(&[&day[..], &next, &day, &next].concat()), Some((6, "rows.csv:8".to_owned())));
    assert_eq!(told(&[&next[..], &day].concat()), None, "disorder alone");
    assert_eq!(told(&[(0, 7), (0, 7), (0, 7)]), None);
}

#[test]
fn trades_without_ids_that_overlap_must_agree_row_for_row() {
    let desk = Desk::new();
    desk.csv("bitmex:XBT/USD:XBT", &bare(&[(0, 7), (3, 7), (3, 7), (5, 8)])).expect("an import");
    let before = tree(&desk.store());
    let report = desk.csv("bitmex:XBT/USD:XBT", &bare(&[(3, 7), (3, 7), (5, 8)])).expect("a part of it");
    assert!(report.unchanged);
    for wrong in [&[(3, 7), (5, 8), (9, 1)][..], &[(3, 7), (3, 9), (5, 8)], &[(3, 7), (3, 7), (4, 1), (5, 8)]] {
        let error = desk.csv("bitmex:XBT/USD:XBT", &bare(wrong)).expect_err("a refusal");
        assert!(matches!(error, DataError::Disagreement(_)), "{error}");
    }
    assert_eq!(tree(&desk.store()), before);
    let report = desk.csv("bitmex:XBT/USD:XBT", &bare(&[(3, 7), (3, 7), (5, 8), (9, 1)])).expect("more of it");
    assert_eq!(report.rows_added, 1);
    // What lies between two sources is new.
    desk.csv("okx:A/B", &bare(&[(0, 1), (1, 1)])).expect("an import");
    desk.csv("okx:A/B", &bare(&[(8, 1), (9, 1)])).expect("an import");
    assert_eq!(desk.csv("okx:A/B", &bare(&[(4, 1), (5, 1)])).expect("an import").rows_added, 2);
}

#[test]
fn depth_and_its_snapshot_merge_the_same_in_any_order() {
    let depth = "seq,ts_recv_ns,ts_event_ms,first_id,final_id,prev_final_id,side,price,qty\n\
        0,1706655600000000000,1706655600001,5,9,4,b,10.5,1\n0,1706655600000000000,1706655600001,5,9,4,a,11,2\n\
        2,1706655600300000000,1706655600301,10,12,9,b,10.5,0\n";
    let snapshot = "seq,ts_recv_ns,ts_event_ms,last_update_id,side,price,qty\n\
        1,1706655600200000000,1706655600201,10,b,10,3\n1,1706655600200000000,1706655600201,10,a,11,2\n";
    let perp = "binance:BTC/USDT:USDT";
    let mut seen = Vec::new();
    for order in [[depth, snapshot], [snapshot, depth]] {
        let desk = Desk::new();
        order.iter().for_each(|text| assert!(desk.csv(perp, text).expect("an import").rows_added > 0));
        assert!(desk.csv(perp, depth).expect("an import").unchanged);
        let report = check(&desk.catalog(), None, None).expect("a check");
        assert!(report.ok, "{report:?}");
        let batches = desk.batches(perp, "depth", ALL);
        let [Batch::Depth(d)] = &batches[..] else { panic!("{batches:?}") };
        let heads: Vec<_> =
            d.heads.iter().map(|h| (h.snapshot, h.first_id, h.last_id, h.prev_id, h.levels_len)).collect();
        assert_eq!(heads, [(false, 5, 9, 4, 2), (true, 0, 10, 0, 2), (false, 10, 12, 9, 1)]);
        seen.push((desk.catalog().series()[0].row_hash.clone(), batches));
    }
    assert_eq!(seen[0], seen[1]);
    let desk = Desk::new();
    let files = [desk.file("d.csv", depth), desk.file("s.csv", snapshot)];
    desk.import(&spec(Format::Csv, perp), &files).expect("together");
    assert_eq!(desk.catalog().series()[0].row_hash, seen[0].0);
    let error = desk.csv(perp, &depth.replace("a,11,2", "a,11,3")).expect_err("a refusal").to_string();
    assert!(error.contains("qty 3") && error.contains("qty 2"), "{error}");
}

#[test]
fn a_broken_depth_sequence_is_found() {
    let text = "seq,ts_recv_ns,first_id,final_id,prev_final_id,side,price,qty\n\
        0,1706655600000000000,5,9,4,b,10,1\n1,1706655601000000000,10,12,9,b,10,2\n2,1706655602000000000,14,15,13,b,10,3\n";
    let desk = Desk::new();
    desk.csv("binance:BTC/USDT:USDT", text).expect("an import");
    let findings = check(&desk.catalog(), None, None).expect("a check").series[0].findings.clone();
    assert_eq!((findings[0].kind, findings[0].count), (Oddity::Sequence, 1));
    assert_eq!(findings[0].first.as_ref().map(|s| s.utc.as_str()), Some("2024-01-30T23:00:02Z"));
}

/// Spot's messages may bring again what the one before had; the check and the book of a run judge the same.
#[test]
fn a_message_that_brings_changes_again_is_nothing_odd() {
    let text = "seq,ts_recv_ns,snapshot,first_id,final_id,side,price,qty\n\
        0,1706655600000000000,1,,10,b,10,1\n1,1706655601000000000,0,11,15,b,10,2\n2,1706655602000000000,0,14,20,b,10,3\n";
    let desk = Desk::new();
    desk.csv("binance:BTC/USDT", text).expect("an import");
    assert_eq!(check(&desk.catalog(), None, None).expect("a check").series[0].findings, []);
}

#[test]
fn depth_cut_into_files_by_month_is_the_same_depth() {
    let header = "seq,ts_recv_ns,first_id,final_id,prev_final_id,side,price,qty\n";
    let january = "0,1706745599000000000,5,9,4,b,10,1\n0,1706745599000000000,5,9,4,a,11,1\n";
    let february = "1,1706745600000000000,10,12,9,b,10,2\n2,1706745601000000000,13,15,12,b,10,3\n";
    let (whole, parts) = (Desk::new(), Desk::new());
    whole.csv("binance:BTC/USDT:USDT", &format!("{header}{january}{february}")).expect("an import");
    parts.csv("binance:BTC/USDT:USDT", &format!("{header}{february}")).expect("an import");
    parts.csv("binance:BTC/USDT:USDT", &format!("{header}{january}")).expect("an import");
    assert_eq!(whole.catalog().series()[0].row_hash, parts.catalog().series()[0].row_hash);
    let batches = parts.batches("binance:BTC/USDT:USDT", "depth", ALL);
    let [Batch::Depth(d)] = &batches[..] else { panic!("{batches:?}") };
    assert_eq!(d.heads.iter().map(|h| h.levels_len).collect::<Vec<_>>(), [2, 1, 1]);
}

/// Hourly bars from an hour since 1970 on.
fn hours(from: i64, count: i64) -> String {
    let rows = (from..from + count).map(|h| format!("{},10,12,9,11,1\n", h * 3_600_000));
    format!("ts_ms,open,high,low,close,volume\n{}", rows.collect::<String>())
}

/// 2024-01-01, in hours since 1970.
const JANUARY: i64 = 1_704_067_200 / 3600;
const MARCH: i64 = 1_709_251_200 / 3600;

#[test]
fn a_gap_between_two_files_is_counted_and_refused_when_strict() {
    let desk = Desk::new();
    let files = [desk.file("01.csv", hours(JANUARY, 744)), desk.file("03.csv", hours(MARCH, 24))];
    let mut strict = spec(Format::Csv, "binance:BTC/USDT");
    strict.strict = true;
    let error = desk.import(&strict, &files).expect_err("a refusal").to_string();
    for part in ["03.csv strictly", "gaps: 1, first at 2024-02-01T00:00:00Z (03.csv:2)", "696 bars missing"] {
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
    assert!(tree(&desk.store()).is_empty(), "nothing was written");
    let report = desk.import(&spec(Format::Csv, "binance:BTC/USDT"), &files).expect("an import");
    assert!(report.files.iter().all(|f| f.findings.is_empty()), "neither file has a gap of its own");
    let [seams] = &report.seams[..] else { panic!("{:?}", report.seams) };
    let told = check(&desk.catalog(), None, None).expect("a check").series.remove(0).findings;
    assert_eq!((seams.findings.len(), told.len()), (1, 1));
    assert_eq!((seams.findings[0].count, seams.findings[0].missing), (1, Some(696)));
    assert_eq!((seams.findings[0].missing, &seams.findings[0].detail), (told[0].missing, &told[0].detail));
}

#[test]
fn a_month_that_fills_a_gap_leaves_none_whatever_the_order() {
    let february = hours(JANUARY + 744, 696);
    let desk = Desk::new();
    let files = [
        desk.file("03.csv", hours(MARCH, 24)),
        desk.file("01.csv", hours(JANUARY, 744)),
        desk.file("02.csv", &february),
    ];
    let mut strict = spec(Format::Csv, "binance:BTC/USDT");
    strict.strict = true;
    assert!(desk.import(&strict, &files).expect("an import").seams.is_empty());
    // One after the other: the gap is told while it is there.
    let desk = Desk::new();
    let file = |name: &str, text: &str| desk.file(name, text);
    let plain = spec(Format::Csv, "binance:BTC/USDT");
    desk.import(&plain, &[file("03.csv", &hours(MARCH, 24))]).expect("an import");
    let report = desk.import(&plain, &[file("01.csv", &hours(JANUARY, 744))]).expect("an import");
    assert_eq!(report.seams[0].findings[0].missing, Some(696));
    assert_eq!(report.seams[0].findings[0].place.as_deref(), Some("01.csv:745"), "what is stored has no line");
    let report = desk.import(&strict, &[file("02.csv", &february)]).expect("an import");
    assert!(report.seams.is_empty(), "{:?}", report.seams);
    // A gap that is stored is not told again with a file that has nothing to do with it.
    let later = hours(MARCH + 48, 24);
    assert_eq!(desk.import(&plain, &[file("gap.csv", &later)]).expect("an import").seams[0].findings[0].count, 1);
    assert!(desk.import(&strict, &[file("on.csv", &hours(MARCH + 72, 24))]).expect("an import").seams.is_empty());
}

#[test]
fn overlaps_ids_and_sequences_are_looked_at_across_files() {
    let desk = Desk::new();
    let half = hours(JANUARY, 24).replace("00000,10", "00001,10");
    let files = [desk.file("a.csv", hours(JANUARY, 24)), desk.file("b.csv", half)];
    let report = desk.import(&spec(Format::Csv, "binance:BTC/USDT"), &files).expect("an import");
    let kinds: Vec<(Oddity, u64)> = report.seams[0].findings.iter().map(|f| (f.kind, f.count)).collect();
    assert_eq!(kinds, [(Oddity::Overlaps, 47)]);

    let trades = |from: i64, count: i64| {
        let rows = (from..from + count).map(|id| format!("{},{id},10,1,buy\n", 1_704_067_200_000 + id));
        format!("ts_ms,trade_id,price,qty,side\n{}", rows.collect::<String>())
    };
    let files = [desk.file("a.csv", trades(1, 100)), desk.file("b.csv", trades(111, 100))];
    let report = desk.import(&spec(Format::Csv, "binance:ETH/USDT"), &files).expect("an import");
    assert_eq!((report.seams[0].kind, report.seams[0].findings[0].missing), (Kind::Trades, Some(10)));

    // Months that are left alone count with the rows at their ends.
    let at = |day: i64, from: i64| {
        let rows = (from..from + 100).map(|id| format!("{},{id},10,1,buy\n", day * 86_400_000 + id));
        format!("ts_ms,trade_id,price,qty,side\n{}", rows.collect::<String>())
    };
    let plain = spec(Format::Csv, "binance:LTC/USDT");
    desk.import(&plain, &[desk.file("12.csv", at(19_700, 1))]).expect("an import");
    let report = desk.import(&plain, &[desk.file("02.csv", at(19_762, 206))]).expect("an import");
    assert_eq!(report.seams[0].findings[0].missing, Some(105));
    let report = desk.import(&plain, &[desk.file("01.csv", at(19_730, 103))]).expect("an import");
    let finding = &report.seams[0].findings[0];
    assert_eq!((finding.count, finding.missing, finding.place.as_deref()), (2, Some(5), Some("01.csv:2")));

    let depth = |from: i64| {
        let rows = (from..from + 3).map(|id| format!("{},0,{id},{id},{},b,10,1\n", 1_704_067_200_000 + id, id - 1));
        format!("ts_ms,snapshot,first_id,final_id,prev_final_id,side,price,qty\n{}", rows.collect::<String>())
    };
    let files = [desk.file("a.csv", depth(1)), desk.file("b.csv", depth(4))];
    let plain = spec(Format::Csv, "binance:SOL/USDT");
    assert!(desk.import(&plain, &files).expect("an import").seams.is_empty(), "they follow each other");
    let report = desk.import(&plain, &[desk.file("c.csv", depth(9))]).expect("an import");
    let finding = &report.seams[0].findings[0];
    assert_eq!((finding.kind, finding.count, finding.place.as_deref()), (Oddity::Sequence, 1, Some("c.csv:2")));
}

#[test]
fn a_payment_missing_between_two_months_is_told() {
    let desk = Desk::new();
    let pays = |from: i64, count: i64| {
        let rows = (0..count).map(|i| format!("{},0.0001\n", (from + i * 8) * 3_600_000));
        format!("ts_ms,funding_rate\n{}", rows.collect::<String>())
    };
    let plain = spec(Format::Csv, "binance:BTC/USDT:USDT");
    desk.import(&plain, &[desk.file("01.csv", pays(JANUARY, 93))]).expect("an import");
    let report = desk.import(&plain, &[desk.file("02.csv", pays(JANUARY + 744 + 8, 20))]).expect("an import");
    assert_eq!((report.seams[0].findings[0].kind, report.seams[0].findings[0].missing), (Oddity::Gaps, Some(1)));
    let report = desk.import(&plain, &[desk.file("2.csv", pays(JANUARY + 744 + 8 + 160, 20))]).expect("an import");
    assert!(report.seams.is_empty(), "{:?}", report.seams);
}
