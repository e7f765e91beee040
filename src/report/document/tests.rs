mod fits;

use super::*;
use crate::orders::OrderType;
use crate::report::samples::{busy, days, document, empty, fill, lot, order, trade};
use crate::report::why_no_trade;
use bellwether_sdk::{InstrumentId, OrderState, Price, Role, Side};
use fits::fits;
use serde_json::{Value, json};

fn value(document: &Document) -> Value {
    serde_json::to_value(document).expect("JSON")
}

#[test]
fn a_document_reads_back_as_it_was_written() {
    for run in [empty(), days(&[10_100, -5]), busy(40)] {
        let written = document(&run);
        let mut bytes = Vec::new();
        written.write_json(&mut bytes).expect("JSON");
        let read: Document = serde_json::from_slice(&bytes).expect("a document");
        assert_eq!(read, written);
    }
}

#[test]
fn a_trade_is_written_in_exact_text_with_its_times() {
    let mut run = days(&[10_100, 10_200]);
    let mut t = trade(1, 3, 20_000, 20_201);
    t.exit_bar_ts = Ts::NONE;
    t.entry_tag = run.words.intern("cross up");
    run.trades = vec![t];
    assert_eq!(
        value(&document(&run))["trades"][0],
        json!({
            "strategy": "ema",
            "instrument": "binance:BTC/USDT",
            "side": "long",
            "qty": "1",
            "entry_ts": "1704070800000000000",
            "entry_time": "2024-01-01T01:00:00Z",
            "entry_price": "20000",
            "entry_bar_ts": "1704070800000000000",
            "exit_ts": "1704078000000000000",
            "exit_time": "2024-01-01T03:00:00Z",
            "exit_price": "20201",
            "exit_bar_ts": null,
            "fees": "1",
            "pnl": "200",
            "currency": "USDT",
            "return_pct": 1.0,
            "entry_tag": "cross up",
            "exit_reason": "signal",
        })
    );
}

#[test]
fn an_order_shows_the_prices_its_type_has() {
    let mut run = empty();
    let mut limit = order(1, 0, Side::Buy);
    limit.order_type = OrderType::Limit;
    limit.price = Price::from_mantissa(1_950_050);
    let mut trail = order(2, 1, Side::Sell);
    trail.order_type = OrderType::TrailingStop;
    trail.trail_fraction = true;
    trail.trigger = Price::from_mantissa(20_000_000_000);
    let mut notional = order(3, 2, Side::Buy);
    (notional.notional, notional.notional_scale, notional.qty) = (50_050, 2, bellwether_sdk::Qty::ZERO);
    notional.state = OrderState::Rejected;
    notional.reason = run.words.intern("insufficient_cash");
    notional.parent = bellwether_sdk::OrderId(1);
    run.orders = vec![limit, trail, notional];
    let document = value(&document(&run));
    let orders = &document["orders"];
    assert_eq!(
        (&orders[0]["price"], &orders[0]["trigger"], &orders[0]["type"]),
        (&json!("19500.5"), &Value::Null, &json!("limit"))
    );
    assert_eq!(
        (&orders[1]["trail_fraction"], &orders[1]["trail_offset"], &orders[1]["trigger"]),
        (&json!("0.02"), &Value::Null, &Value::Null)
    );
    assert_eq!(
        (&orders[2]["notional"], &orders[2]["qty"], &orders[2]["parent"]),
        (&json!("500.5"), &Value::Null, &json!(1))
    );
    assert_eq!(orders[2]["reason"], "insufficient_cash");
    assert_eq!(document["order_ends"], json!([{"state": "rejected", "reason": "insufficient_cash", "count": 1}]));
}

#[test]
fn open_lots_of_one_side_are_one_position_with_its_lots() {
    let mut run = busy(3);
    run.charts[0].candles.truncate(1);
    run.charts[0].candles[0].close = Price::from_mantissa(2_216_500);
    let document = document(&run);
    assert_eq!(document.summary.open_positions, 1);
    let position = &document.open_positions[0];
    assert_eq!((position.qty.as_str(), position.lots.len(), position.entry_price), ("1", 2, 20_150.0));
    assert_eq!(position.last_price.as_deref(), Some("22165"));
    assert!((position.unrealised_pct.expect("a price") - 10.0).abs() < 1e-12);
}

#[test]
fn tables_add_up_to_all_trades() {
    let document = document(&busy(60));
    for table in [&document.per_instrument, &document.per_tag, &document.per_exit_reason] {
        assert_eq!(table.iter().map(|g| g.trades).sum::<u64>(), 60);
    }
    let pnl: f64 = document.trades.iter().map(|t| t.pnl.parse::<f64>().expect("money")).sum();
    let by_tag: f64 =
        document.per_tag.iter().map(|g| g.pnl.as_deref().expect("one currency").parse::<f64>().expect("money")).sum();
    assert_eq!(pnl, by_tag);
    assert_eq!(
        document.per_instrument.iter().map(|g| g.key.as_str()).collect::<Vec<_>>(),
        ["binance:BTC/USDT", "binance:ETH/USDT:USDT"]
    );
}

#[test]
fn a_table_of_several_currencies_has_no_sum() {
    let mut run = busy(8);
    run.instruments[1] = crate::report::samples::instrument(1, "bitmex:XBT/USD:XBT");
    let document = document(&run);
    assert!(document.per_instrument.iter().all(|g| g.pnl.is_some()));
    let mixed: Vec<_> = document.per_tag.iter().filter(|g| g.currency.is_none()).collect();
    assert!(!mixed.is_empty() && mixed.iter().all(|g| g.pnl.is_none() && g.fees.is_none()));
}

#[test]
fn the_published_schema_is_the_one_of_the_code() {
    let path = format!("{}/docs/schema/run-{SCHEMA_VERSION}.json", env!("CARGO_MANIFEST_DIR"));
    let text = format!("{:#}\n", schema());
    if std::env::var_os("BELLWETHER_BLESS").is_some() {
        std::fs::write(&path, &text).expect("docs/schema");
    }
    let published = std::fs::read_to_string(&path).expect("docs/schema");
    assert!(published == text, "{path} is stale: run this test with BELLWETHER_BLESS=1, and only add fields");
}

#[test]
fn documents_fit_their_schema() {
    let schema = schema();
    // What only live sessions have.
    let mut live = document(&busy(30));
    live.orders[0].state = OrderState::Unknown;
    live.orders[1].role = Role::Guard;
    live.trades[0].exit_reason = Role::Guard;
    for document in [document(&empty()), document(&busy(30)), live] {
        fits(&value(&document), &schema, &schema).expect("a document of the schema");
    }
    let mut wrong = value(&document(&busy(3)));
    wrong["trades"][0]["side"] = json!("up");
    assert!(fits(&wrong, &schema, &schema).is_err(), "the check must be able to fail");
}

#[test]
fn the_keys_that_scripts_use_are_there() {
    let document = value(&document(&busy(3)));
    for key in [
        "id",
        "order_hash",
        "data_hash",
        "config_hash",
        "fill_profile",
        "events",
        "engine_cpu_seconds",
        "wall_seconds",
        "warmup_bars",
    ] {
        assert!(!document["run"][key].is_null(), "run.{key}");
    }
    let summary = document["summary"].as_object().expect("an object");
    for key in
        "start_equity end_equity return_pct cagr_pct buy_hold_return_pct exposure_pct fees funding orders trades \
        win_rate_pct profit_factor expectancy_pct sqn max_drawdown_pct max_drawdown_days sharpe_daily_365 \
        sortino_daily_365 calmar"
            .split_whitespace()
    {
        assert!(summary.contains_key(key), "summary.{key}");
    }
    assert!(summary.values().all(|v| v.is_number() || v.is_null()), "the summary has numbers only");
}

#[test]
fn a_run_without_trades_says_why_in_the_order_of_frequency() {
    let mut run = empty();
    run.events = 1_440;
    assert_eq!(why_no_trade(&document(&run)), ["no signal: 0 signals and 0 orders in 1,440 bars"]);
    run.unbuilt = vec!["7m of binance:BTC/USDT".to_owned()];
    assert_eq!(why_no_trade(&document(&run))[0], "no bar was completed: 7m of binance:BTC/USDT");
    run.unbuilt.clear();
    run.signals = 12;
    assert_eq!(why_no_trade(&document(&run)), ["12 signals in 1,440 bars and no order came of them"]);
    run.signals_dropped = vec![("size_is_zero".to_owned(), 7)];
    run.refusals = vec![("insufficient_cash".to_owned(), 1_200), ("below_min_notional".to_owned(), 3)];
    let mut expired = order(1, 0, Side::Buy);
    expired.state = OrderState::Expired;
    expired.reason = run.words.intern("ioc_unfilled");
    run.orders = vec![expired; 5];
    assert_eq!(
        why_no_trade(&document(&run)),
        [
            "order refused: insufficient_cash (1,200 times)",
            "signal made no order: size_is_zero (7 times)",
            "order expired: ioc_unfilled (5 times)"
        ]
    );
    let mut run = empty();
    run.events = 10;
    run.orders = vec![order(1, 0, Side::Buy)];
    run.fills = vec![fill(1, 0, Side::Buy, 20_000)];
    run.open_lots = vec![lot(0, 20_000)];
    assert_eq!(why_no_trade(&document(&run)), ["position opened and never closed (1 lots open at the end)"]);
    run.trades = vec![trade(0, 1, 20_000, 20_001)];
    run.trades[0].instrument = InstrumentId(0);
    assert_eq!(why_no_trade(&document(&run)), [] as [&str; 0]);
}
