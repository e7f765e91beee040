use super::*;
use crate::report::samples::{busy, days, document, empty};

/// The page without the chart library, which has all kinds of text in it.
fn own(html: &str) -> String {
    let library = plotly::Plot::offline_js_sources();
    html.replace(first_script(&library), "")
}

#[test]
fn the_page_of_a_thousand_trades_is_whole_and_bounded() {
    let run = busy(1_000);
    let html = render(&document(&run), Some(&run));
    let own = own(&html);
    assert!(html.len() - own.len() > 3_000_000, "the chart library is in the page");
    assert!(own.len() < 2_000_000, "own part is {} bytes", own.len());
    assert_eq!(own.matches("<tr><td class=\"n\" data-v=").count(), 1_000, "one row per trade");
    for id in ["equity", "drawdown", "candles", "trade-returns", "daily-returns", "chart-pick", "filter", "trades"] {
        assert!(own.contains(&format!("id=\"{id}\"")), "{id}");
    }
    for text in [
        "By exit reason",
        "By instrument",
        "By entry tag",
        "Open at the end",
        "What made this run",
        "Returns by month",
        "candles of 1h with entries",
    ] {
        assert!(own.contains(text), "{text}");
    }
    for definition in DEFINITIONS {
        assert!(own.contains(&esc(definition.formula)), "{} has no definition in the page", definition.key);
    }
    // For looking at it: BELLWETHER_KEEP_REPORTS names a folder.
    if let Some(folder) = std::env::var_os("BELLWETHER_KEEP_REPORTS") {
        let folder = std::path::PathBuf::from(folder);
        std::fs::write(folder.join("report.html"), &html).expect("a page");
        let none = empty();
        std::fs::write(folder.join("empty.html"), render(&document(&none), Some(&none))).expect("a page");
    }
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    let run = busy(30);
    let html = render(&document(&run), Some(&run));
    let own = own(&html);
    assert!(own.contains("default-src 'none'"));
    for loader in ["http:", "https:", "src=", "url(", "@import", "fetch(", "XMLHttpRequest", "import("] {
        assert!(!own.contains(loader), "{loader} is in the page");
    }
    assert_eq!(own.matches("href=").count(), 1);
    assert!(own.contains("href=\"data:,\""));
}

#[test]
fn text_from_outside_stays_text() {
    let evil = "</script><script>alert(1)</script><img src=x onerror='alert(2)'>\"&";
    let mut run = busy(4);
    run.notes = vec![evil.to_owned()];
    run.refusals = vec![(evil.to_owned(), 1)];
    run.strategies = vec![evil.to_owned()];
    run.charts[0].series[0].name = evil.to_owned();
    run.trades[0].entry_tag = run.words.intern(evil);
    let mut document = document(&run);
    document.run.strategies[0].id = evil.to_owned();
    document.run.settings = serde_json::json!({ evil: evil });
    document.run.command = evil.to_owned();
    let own = own(&render(&document, Some(&run)));
    assert!(!own.contains("<script>alert"), "a script came in");
    assert!(!own.contains("<img"), "an element came in");
    assert_eq!(own.matches("</script>").count(), 2, "only our own scripts end");
    assert!(own.contains("&lt;/script&gt;&lt;script&gt;alert(1)"), "and the text is shown");
}

#[test]
fn the_data_of_the_script_reads_back() {
    let run = busy(12);
    let html = render(&document(&run), Some(&run));
    let start = html.find("id=\"data\">").expect("the data") + "id=\"data\">".len();
    let end = start + html[start..].find("</script>").expect("its end");
    let data: serde_json::Value = serde_json::from_str(&html[start..end]).expect("JSON");
    let charts = data["charts"].as_array().expect("charts");
    assert_eq!(charts.len(), 2);
    let marks = |key: &str| -> usize { charts.iter().map(|c| c[key]["t"].as_array().map_or(0, Vec::len)).sum() };
    assert_eq!((marks("long") + marks("short"), marks("exit")), (12, 12));
    let lines = charts[0]["lines"].as_array().expect("lines");
    assert_eq!((&lines[0]["overlay"], &lines[1]["overlay"]), (&true.into(), &false.into()));
    assert!(lines[1]["v"][0].is_null() && lines[1]["v"][20].is_number(), "a value not told is null");
    assert_eq!(data["trade_returns"].as_array().map(Vec::len), Some(12));
}

#[test]
fn drawdown_is_drawn_from_the_highest_equity_before() {
    let run = days(&[11_000, 8_800, 12_000]);
    let data = serde_json::to_value(charts::PageData::of(&document(&run), None)).expect("JSON");
    let drawn: Vec<f64> = serde_json::from_value(data["equity"]["drawdown"].clone()).expect("numbers");
    for (got, want) in drawn.iter().zip([0.0, 0.0, -20.0, 0.0]) {
        assert!((got - want).abs() < 1e-9, "{drawn:?}");
    }
}

#[test]
fn months_compound_to_years() {
    let mut run = days(&[11_000, 12_100]);
    run.daily[1].day = run.daily[1].day.plus(40 * 86_400_000_000_000);
    let table = tables::months(&document(&run));
    assert_eq!(table.matches(">10.0</td>").count(), 2, "{table}");
    assert_eq!(table.matches(">21.0</td>").count(), 1, "{table}");
}

#[test]
fn runs_without_trades_curves_or_sense_still_make_a_page() {
    let none = empty();
    let html = render(&document(&none), Some(&none));
    assert!(html.contains("Why there is no trade"));
    assert!(!html.contains("id=\"equity\""));
    let lost = days(&[5_000, -500, 0]);
    let html = render(&document(&lost), None);
    assert!(html.contains("the account was lost") && html.contains("A stored run has no price curves"));
    assert!(!own(&html).contains("NaN"), "not a number is never printed");
}

#[test]
fn more_trades_than_shown_are_said_to_be_more() {
    let mut run = busy(2);
    let one = run.trades[0];
    run.trades = vec![one; TRADES_SHOWN_MAX + 7];
    let html = render(&document(&run), Some(&run));
    assert!(html.contains("the last 5,000 of 5,007; runs export has all"));
    assert_eq!(html.matches("<tr><td class=\"n\" data-v=").count(), TRADES_SHOWN_MAX);
}
