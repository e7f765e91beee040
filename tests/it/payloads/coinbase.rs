//! Coinbase's payloads.

use bellwether::exchange::{
    AccountNote, Ask, Listings, Note, OrderRef, OrderRow, OrderStatus, Product, Reply, Response, Span, Venue, venue,
};
use bellwether_sdk::{Decimal, InstrumentId, Interval, Side, Ts};
use serde_json::{Value, json};

use super::{all, listings, ms, notes, number, price, qty, same, word};

const OUT_OF_SCOPE: &[(&str, &str)] = &[
    ("http_cfm_balance_summary.json", "futures"),
    ("http_cfm_position.json", "futures"),
    ("http_cfm_positions.json", "futures"),
    ("http_products_future.json", "futures"),
];

const REFUSED: &[(&str, &str)] = &[];

const NAMES: [(&str, &str); 3] =
    [("coinbase:BTC/USD", "BTC-USD"), ("coinbase:ETH/USD", "ETH-USD"), ("coinbase:BTC/USDC", "BTC-USDC")];

fn desk() -> (Box<dyn Venue>, Listings) {
    (venue("coinbase", Product::Spot).expect("built in"), listings(&NAMES))
}

fn told(ask: &Ask, body: &str) -> Result<Reply, String> {
    let (venue, listings) = desk();
    let response = Response { status: 200, headers: Vec::new(), body: body.to_owned() };
    venue.reply(ask, &response, &listings).map_err(|e| e.to_string())
}

fn order(ours: &OrderRow, row: &Value) -> Result<usize, String> {
    let filled = number(&row["filled_size"]);
    let status = match word(&row["status"]) {
        "OPEN" if filled.is_positive() => OrderStatus::PartlyFilled,
        "OPEN" => OrderStatus::Acknowledged,
        "FILLED" => OrderStatus::Filled,
        other => panic!("a state that this story does not know: {other}"),
    };
    assert_eq!(ours.status, status);
    same(&[
        ("order_id", ours.venue_id.as_str(), word(&row["order_id"])),
        ("client_order_id", &ours.client_id, word(&row["client_order_id"])),
        ("side", if ours.side == Side::Buy { "BUY" } else { "SELL" }, word(&row["side"])),
    ])?;
    let limit = &row["order_configuration"]["limit_limit_gtc"];
    let size = if limit.is_null() { filled } else { number(&limit["base_size"]) };
    same(&[("filled_size", qty(ours.filled), filled), ("base_size", qty(ours.qty), size)])
}

fn rest(name: &str, body: &str) -> Result<usize, String> {
    let value: Value = serde_json::from_str(body).map_err(|e| e.to_string())?;
    let (btc, start) = (InstrumentId(0), Ts::from_nanos(0));
    let rows = |field: &str| value[field].as_array().cloned().unwrap_or_default();
    match name {
        "http_accounts.json" => {
            let Reply::Balances(ours) = told(&Ask::Balances, body)? else { panic!("{name}") };
            ours.iter()
                .zip(rows("accounts"))
                .map(|(b, row)| {
                    let hold = Decimal::new(b.total.at_scale(8).expect("8") - b.free.at_scale(8).expect("8"), 8);
                    same(&[
                        ("available", b.free, number(&row["available_balance"]["value"])),
                        ("hold", hold, number(&row["hold"]["value"])),
                    ])
                })
                .sum()
        }
        "http_candles.json" => {
            let Reply::Bars(ours) = told(&Ask::Bars(btc, Interval::HOUR, start, Ts::MAX), body)? else {
                panic!("{name}")
            };
            ours.iter()
                .rev()
                .zip(rows("candles"))
                .map(|(b, row)| {
                    let read = [
                        Decimal::new(b.ts_open.nanos() / 1_000_000_000, 0),
                        price(b.open),
                        price(b.high),
                        price(b.low),
                        price(b.close),
                        qty(b.volume),
                    ];
                    same(&[("bar", read, ["start", "open", "high", "low", "close", "volume"].map(|f| number(&row[f])))])
                        .map(|_| 6)
                })
                .sum()
        }
        "http_fills.json" => {
            let Reply::Fills(ours, _) = told(&Ask::Fills(btc, Span::new(start, start)), body)? else {
                panic!("{name}")
            };
            ours.iter()
                .rev()
                .zip(rows("fills"))
                .map(|(f, row)| {
                    same(&[
                        ("trade_id", f.trade_id.as_str(), word(&row["trade_id"])),
                        ("order_id", &f.venue_id, word(&row["order_id"])),
                    ])?;
                    same(&[
                        ("price", price(f.price), number(&row["price"])),
                        ("size", qty(f.qty), number(&row["size"])),
                        ("commission", f.fee, number(&row["commission"])),
                    ])
                })
                .sum()
        }
        "http_order.json" => {
            let Reply::Orders(ours, 0) = told(&Ask::Order(btc, OrderRef::Venue(String::new())), body)? else {
                panic!("{name}")
            };
            order(&ours[0], &value["order"])
        }
        "http_orders_list.json" => {
            let Reply::Orders(ours, 0) = told(&Ask::OpenOrders(None), body)? else { panic!("{name}") };
            ours.iter().zip(rows("orders")).map(|(o, row)| order(o, &row)).sum()
        }
        "http_product.json" | "http_products.json" => {
            let wrapped = if name == "http_product.json" { json!({"products": [value]}) } else { value.clone() };
            let Reply::Instruments(ours, unread) = told(&Ask::Instruments, &wrapped.to_string())? else {
                panic!("{name}")
            };
            assert!(unread.is_empty(), "{unread:?}");
            let theirs = wrapped["products"].as_array().expect("products");
            same(&[("count", ours.len(), theirs.len())])?;
            ours.iter()
                .zip(theirs)
                .map(|(r, row)| {
                    same(&[
                        ("product_id", r.name.as_str(), word(&row["product_id"])),
                        ("base", r.symbol.base(), word(&row["base_currency_id"])),
                    ])?;
                    same(&[
                        (
                            "price_increment",
                            Decimal::new(r.tick.mantissa(), r.price_scale),
                            number(&row["price_increment"]),
                        ),
                        ("base_increment", Decimal::new(r.lot.mantissa(), r.qty_scale), number(&row["base_increment"])),
                        (
                            "base_min_size",
                            Decimal::new(r.qty_min.mantissa(), r.qty_scale),
                            number(&row["base_min_size"]),
                        ),
                        (
                            "base_max_size",
                            Decimal::new(r.qty_max.mantissa(), r.qty_scale),
                            number(&row["base_max_size"]),
                        ),
                    ])
                })
                .sum()
        }
        "http_product_book.json" => {
            let Reply::Book(ours) = told(&Ask::Book(btc, 5), body)? else { panic!("{name}") };
            let side = |side: &str| value["pricebook"][side].as_array().cloned().unwrap_or_default();
            let theirs = [side("bids"), side("asks")].concat();
            same(&[("count", ours.levels.len(), theirs.len())])?;
            ours.levels
                .iter()
                .zip(theirs)
                .map(|(l, row)| {
                    same(&[
                        ("price", price(l.price), number(&row["price"])),
                        ("size", qty(l.qty), number(&row["size"])),
                    ])
                })
                .sum()
        }
        "http_ticker.json" => {
            let Reply::Ticker(t) = told(&Ask::Ticker(btc), body)? else { panic!("{name}") };
            let first = &value["trades"][0];
            same(&[
                ("bid", price(t.bid), number(&value["best_bid"])),
                ("ask", price(t.ask), number(&value["best_ask"])),
                ("last", price(t.last), number(&first["price"])),
            ])?;
            let Reply::Trades(ours) = told(&Ask::Trades(btc, 9), body)? else { panic!("{name}") };
            ours.iter()
                .rev()
                .zip(rows("trades"))
                .map(|(t, row)| {
                    same(&[("trade_id", t.id.as_str(), word(&row["trade_id"]))])?;
                    same(&[
                        ("price", price(t.price), number(&row["price"])),
                        ("size", qty(t.qty), number(&row["size"])),
                    ])
                })
                .sum()
        }
        _ => Err("no reader for this kind".to_owned()),
    }
}

fn stream(name: &str, text: &str) -> Result<usize, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let (venue, l) = desk();
    let event = &value["events"][0];
    if name == "ws_user.json" {
        let notes = venue.read_account(text, &l).map_err(|e| e.to_string())?;
        let [AccountNote::Sequence(n), AccountNote::Order(note)] = notes.as_slice() else {
            return Err(format!("{notes:?}"));
        };
        let row = &event["orders"][0];
        same(&[("sequence_num", Some(*n), value["sequence_num"].as_u64())])?;
        same(&[
            ("order_id", note.venue_id.as_str(), word(&row["order_id"])),
            ("client", &note.client_id, word(&row["client_order_id"])),
        ])?;
        return same(&[(
            "cumulative_quantity",
            note.filled.map_or(number(&Value::Null), qty),
            number(&row["cumulative_quantity"]),
        )]);
    }
    let rows = |field: &str| event[field].as_array().cloned().unwrap_or_default();
    let at = |row: &Value, fields: &[&str]| fields.iter().map(|f| number(&row[*f])).collect::<Vec<_>>();
    let theirs: Vec<Vec<Decimal>> = match name {
        "ws_l2_data_snapshot.json" | "ws_l2_data_update.json" => {
            vec![rows("updates").iter().flat_map(|r| at(r, &["price_level", "new_quantity"])).collect()]
        }
        "ws_market_trades.json" => rows("trades").iter().map(|r| at(r, &["price", "size", "trade_id"])).collect(),
        "ws_ticker.json" => {
            let fields = ["best_bid", "best_bid_quantity", "best_ask", "best_ask_quantity"];
            rows("tickers").iter().map(|r| at(r, &fields)).collect()
        }
        "ws_candles.json" => {
            rows("candles").iter().map(|r| at(r, &["open", "high", "low", "close", "volume"])).collect()
        }
        "ws_heartbeats.json" | "ws_subscriptions.json" => vec![Vec::new()],
        _ => return Err("no reader for this kind".to_owned()),
    };
    let read = notes(venue.as_ref(), text, &l, |note| match note {
        Note::Sequence(n) => vec![Decimal::new(i64::try_from(*n).expect("small"), 0)],
        Note::Depth(d, None) => d.levels.iter().flat_map(|l| [price(l.price), qty(l.qty)]).collect(),
        Note::Trade(t, id) => vec![price(t.price), qty(t.qty), Decimal::new(i64::try_from(*id).expect("an id"), 0)],
        Note::Quote(q) => vec![price(q.bid), qty(q.bid_qty), price(q.ask), qty(q.ask_qty)],
        Note::Bar(b, false) => vec![price(b.open), price(b.high), price(b.low), price(b.close), qty(b.volume)],
        Note::Alive | Note::Subscribed => Vec::new(),
        other => panic!("{other:?}"),
    })?;
    let expected = [vec![vec![number(&value["sequence_num"])]], theirs].concat();
    same(&[("notes", &read, &expected)])?;
    Ok(read.iter().map(Vec::len).sum())
}

#[test]
fn payloads_of_coinbase_are_read_and_their_values_are_those_of_the_json() {
    all("coinbase", OUT_OF_SCOPE, REFUSED, |name, text| {
        if name.starts_with("http") { rest(name, text) } else { stream(name, text) }
    });
    assert_eq!(ms(Ts::from_millis(5)), Decimal::new(5, 0));
}
