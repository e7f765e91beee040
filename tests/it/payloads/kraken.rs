//! Kraken's payloads through its codec, each compared with what a plain JSON reader finds in it.

use bellwether::exchange::{
    AccountNote, Act, Ask, Cancel, ClientId, Listings, Note, OrderRef, OrderStatus, Place, Product, Reply, Response,
    Rules, Span, TradeReply, Venue, venue,
};
use bellwether::orders::{Order, WordId};
use bellwether::portfolio::{Position, Terms};
use bellwether::risk::{Guard, RiskView};
use bellwether_sdk::{
    Aggressor, InstrumentId, Interval, Liquidity, OrderId, OrderKind, Price, Qty, Role, Side, Size, TimeInForce, Ts,
};
use serde_json::Value;

use super::{folder, mantissa, text};

/// What the codec refuses although it is of a kind that it reads.
const REFUSED: &[(&str, &str)] = &[];

/// Files of kinds that this codec does not read.
const OUT_OF_SCOPE: &[(&str, &str)] = &[
    ("http_asset_pairs_tokenized.json", "tokenised assets are not traded: the pair is named as not understood"),
    ("http_spot_open_positions.json", "margin"),
    ("http_spot_trade_balance.json", "margin"),
    ("http_system_status.json", "not asked for: the socket's status channel tells it"),
    ("ws_add_order_request.json", "a request"),
    ("ws_amend_order_request.json", "a request"),
    ("ws_batch_add_request.json", "a request"),
    ("ws_cancel_order_request.json", "a request"),
    ("ws_l3_snapshot.json", "single orders of the book"),
    ("ws_l3_update_add.json", "single orders of the book"),
    ("ws_l3_update_delete.json", "single orders of the book"),
    ("ws_l3_update_modify_price.json", "single orders of the book"),
    ("ws_l3_update_modify_qty.json", "single orders of the book"),
];

const USDT: InstrumentId = InstrumentId(0);
const USD: InstrumentId = InstrumentId(1);
const ETH: InstrumentId = InstrumentId(2);

fn rules(symbol: &str, name: &str, stream_name: &str, price_scale: u8) -> Rules {
    let plain = super::rules(&format!("kraken:{symbol}"), name, price_scale, 8);
    Rules { stream_name: stream_name.to_owned(), ..plain }
}

fn listings() -> Listings {
    Listings::new([
        (USDT, rules("BTC/USDT", "XBTUSDT", "BTC/USDT", 1)),
        (USD, rules("BTC/USD", "XXBTZUSD", "BTC/USD", 1)),
        (ETH, rules("ETH/USDT", "ETHUSDT", "ETH/USDT", 2)),
    ])
}

fn kraken() -> Box<dyn Venue> {
    venue("kraken", Product::Spot).expect("built in")
}

fn response(body: &str) -> Response {
    Response { status: 200, headers: Vec::new(), body: body.to_owned() }
}

fn reply(ask: &Ask, body: &str) -> Reply {
    kraken().reply(ask, &response(body), &listings()).unwrap_or_else(|e| panic!("{ask:?}: {e}"))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn price(value: &Value) -> i64 {
    mantissa(value, 1)
}

fn qty(value: &Value) -> i64 {
    mantissa(value, 8)
}

fn seconds(value: &Value) -> Ts {
    Ts::from_nanos(mantissa(value, 9))
}

fn order() -> Act {
    let listings = listings();
    let instrument = listings.get(USD).expect("listed").rules.instrument(USD);
    let order = Order {
        id: OrderId(1),
        strategy: 0,
        instrument: USD,
        side: Side::Buy,
        size: Size::Qty(Qty::from_mantissa(1_000_000)),
        kind: OrderKind::Limit { price: Price::from_mantissa(500_000) },
        tif: TimeInForce::Gtc,
        post_only: false,
        reduce_only: false,
        role: Role::Intent,
        parent: OrderId(0),
        oco: OrderId(0),
        tag: WordId(0),
    };
    let view = RiskView {
        instrument: &instrument,
        terms: &Terms::new(&instrument, 0, 18).expect("terms"),
        money_scale: 18,
        position: &Position::default(),
        last: Price::from_mantissa(1),
        open_orders: 0,
        reference: bellwether_sdk::Price::ZERO,
        pace: bellwether::risk::Pace::default(),
    };
    Act::Place(Place {
        order: Guard::default().approve(order, &view).expect("approved"),
        client: ClientId { session: 1, number: 1 },
        qty: Qty::from_mantissa(1_000_000),
        reference: Price::ZERO,
    })
}

/// Reads a file and compares it; `false` for a file that no reader is meant for.
fn read(file: &str, body: &str) -> bool {
    let value = json(body);
    let result = &value["result"];
    match file {
        "http_server_time.json" => assert_eq!(reply(&Ask::Time, body), Reply::Time(seconds(&result["unixtime"]))),
        "http_asset_pairs.json" => pairs(body, result),
        "http_ticker.json" => {
            let Reply::Ticker(row) = reply(&Ask::Ticker(USDT), body) else { panic!("a ticker") };
            let want = &result["XBTUSDT"];
            let have = [row.bid, row.ask, row.last].map(Price::mantissa);
            assert_eq!(have, [price(&want["b"][0]), price(&want["a"][0]), price(&want["c"][0])]);
            assert_eq!([row.bid_qty, row.ask_qty].map(Qty::mantissa), [qty(&want["b"][2]), qty(&want["a"][2])]);
        }
        "http_order_book.json" => {
            let Reply::Book(row) = reply(&Ask::Book(USDT, 5), body) else { panic!("a book") };
            let want = &result["XBTUSDT"];
            let levels: Vec<_> = [(Side::Buy, "bids"), (Side::Sell, "asks")]
                .iter()
                .flat_map(|(side, key)| rows(&want[*key]).map(move |l| (*side, price(&l[0]), qty(&l[1]))))
                .collect();
            let have: Vec<_> = row.levels.iter().map(|l| (l.side, l.price.mantissa(), l.qty.mantissa())).collect();
            assert_eq!(have, levels);
        }
        "http_trades.json" => {
            let Reply::Trades(trades) = reply(&Ask::TradesFrom(USDT, Ts::from_nanos(0)), body) else {
                panic!("trades")
            };
            let want: Vec<_> = rows(&result["XBTUSDT"])
                .map(|t| {
                    let aggressor = if t[3] == "b" { Aggressor::Buyer } else { Aggressor::Seller };
                    (t[6].to_string(), seconds(&t[2]), price(&t[0]), qty(&t[1]), aggressor)
                })
                .collect();
            let have: Vec<_> = trades
                .into_iter()
                .map(|t| (t.id, t.ts_venue, t.price.mantissa(), t.qty.mantissa(), t.aggressor))
                .collect();
            assert!(have == want && have.len() == 1000);
        }
        "http_ohlc.json" => {
            let ask = Ask::Bars(USDT, Interval::MINUTE, Ts::from_nanos(0), Ts::MAX);
            let Reply::Bars(bars) = reply(&ask, body) else { panic!("bars") };
            let want: Vec<_> = rows(&result["XBTUSDT"])
                .filter(|b| b[0].as_i64() <= result["last"].as_i64())
                .map(|b| (seconds(&b[0]), price(&b[1]), price(&b[2]), price(&b[3]), price(&b[4]), qty(&b[6])))
                .collect();
            let have: Vec<_> = bars
                .iter()
                .map(|b| {
                    let [o, h, l, c] = [b.open, b.high, b.low, b.close].map(Price::mantissa);
                    (b.ts_open, o, h, l, c, b.volume.mantissa())
                })
                .collect();
            assert!(have == want && have.len() == 720);
        }
        "http_spot_balance.json" => {
            let Reply::Balances(rows) = reply(&Ask::Balances, body) else { panic!("balances") };
            let have: Vec<_> = rows.iter().map(|b| format!("{} {}", b.currency, b.total)).collect();
            assert_eq!(have, ["ETH 2", "BTC 0.5", "USD 200000"]);
        }
        "http_open_orders.json" => orders(body, &result["open"]),
        "http_closed_orders.json" => orders(body, &result["closed"]),
        "http_trades_history.json" => fills(body, &result["trades"]),
        "http_add_order_spot.json" => {
            let rows = kraken().act_reply(&order(), &response(body), &listings()).expect("read");
            assert_eq!(rows[0].venue_id, result["txid"][0].as_str().expect("an id"));
        }
        "http_cancel_order_spot.json" => {
            let cancel = Act::Cancel(Cancel { instrument: USD, order: OrderRef::Venue("O".to_owned()) });
            let rows = kraken().act_reply(&cancel, &response(body), &listings()).expect("read");
            assert_eq!(rows[0].status, OrderStatus::Cancelled);
        }
        "ws_add_order_response_failure.json" => {
            let TradeReply::Answered(99, Err(error)) = trade_reply(body) else { panic!("an answer") };
            assert_eq!(
                (error.code.as_str(), error.reason),
                (value["error"].as_str().expect("text"), "insufficient_funds")
            );
        }
        "ws_add_order_response_success.json" => {
            let TradeReply::Answered(42, Ok(rows)) = trade_reply(body) else { panic!("an answer") };
            assert_eq!(rows[0].venue_id, result["order_id"].as_str().expect("an id"));
        }
        "ws_batch_add_response_partial.json" => {
            let TradeReply::Answered(45, Ok(rows)) = trade_reply(body) else { panic!("an answer") };
            assert_eq!((rows[0].venue_id.as_str(), rows[0].refused.is_none()), ("O1", true));
            let code = rows[1].refused.as_ref().map(|e| e.code.clone());
            assert_eq!(code.as_deref(), result["orders"][1]["error"].as_str());
        }
        _ => return stream(file, body, &value),
    }
    true
}

fn trade_reply(body: &str) -> TradeReply {
    kraken().read_trade(body, &listings()).expect("read")
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("a list").iter()
}

fn pairs(body: &str, result: &Value) {
    let Reply::Instruments(known, unknown) = reply(&Ask::Instruments, body) else { panic!("instruments") };
    assert!(unknown.is_empty(), "{unknown:?}");
    let want = &result["XBTUSDT"];
    let row = &known[0];
    assert_eq!(
        (row.symbol.as_str(), row.name.as_str(), row.stream_name.as_str()),
        ("kraken:BTC/USDT", "XBTUSDT", "BTC/USDT")
    );
    assert_eq!(u64::from(row.price_scale), want["pair_decimals"].as_u64().expect("a number"));
    assert_eq!(u64::from(row.qty_scale), want["lot_decimals"].as_u64().expect("a number"));
    assert_eq!(row.tick.mantissa(), price(&want["tick_size"]));
    assert_eq!(row.qty_min.mantissa(), qty(&want["ordermin"]));
    assert_eq!(row.notional_min, i128::from(mantissa(&want["costmin"], 9)));
}

fn orders(body: &str, result: &Value) {
    let Reply::Orders(have, 0) = reply(&Ask::OpenOrders(None), body) else { panic!("orders") };
    assert_eq!(have.len(), result.as_object().expect("an object").len());
    for row in have {
        let want = &result[&row.venue_id];
        assert_eq!((row.qty.mantissa(), row.filled.mantissa()), (qty(&want["vol"]), qty(&want["vol_exec"])));
        assert_eq!(row.ts_venue, seconds(&want["opentm"]));
        assert_eq!(row.side == Side::Buy, want["descr"]["type"] == "buy");
        assert_eq!(row.instrument == USDT, want["descr"]["pair"] == "XBTUSDT");
        let scale = if row.instrument == USDT { 1 } else { 2 };
        let at = |key: &str| Price::from_mantissa(mantissa(&want["descr"][key], scale));
        let kind = match want["descr"]["ordertype"].as_str().expect("text") {
            "limit" => OrderKind::Limit { price: at("price") },
            "market" => OrderKind::Market,
            _ => OrderKind::StopMarket { trigger: at("price2") },
        };
        assert_eq!(row.kind, Some(kind));
        let status = if want["status"] == "open" { OrderStatus::Acknowledged } else { OrderStatus::Filled };
        assert_eq!(row.status, status);
    }
}

fn fills(body: &str, result: &Value) {
    for (id, scale) in [(USDT, 1), (ETH, 2)] {
        let Reply::Fills(have, _) = reply(&Ask::Fills(id, Span::new(Ts::from_nanos(0), Ts::from_nanos(0))), body)
        else {
            panic!("fills")
        };
        assert_eq!(have.len(), 1);
        let (row, want) = (&have[0], &result[&have[0].trade_id]);
        assert_eq!(row.venue_id, want["ordertxid"].as_str().expect("an id"));
        assert_eq!((row.price.mantissa(), row.qty.mantissa()), (mantissa(&want["price"], scale), qty(&want["vol"])));
        assert_eq!(row.fee, want["fee"].as_str().expect("text").parse().expect("a number"));
        assert_eq!(row.liquidity == Liquidity::Maker, want["maker"].as_bool().expect("a flag"));
        assert_eq!(row.ts_venue, seconds(&want["time"]));
    }
}

/// What a market message said, as text.
fn notes(body: &str) -> Vec<String> {
    let mut notes = Vec::new();
    let mut sink = |note: Note<'_>| {
        notes.push(match note {
            Note::Trade(t, id) => {
                format!("{id} {} {} {:?}", t.price.mantissa(), t.qty.mantissa(), t.aggressor).to_lowercase()
            }
            Note::Quote(q) => {
                let ([b, a], [c, d]) = ([q.bid, q.ask].map(Price::mantissa), [q.bid_qty, q.ask_qty].map(Qty::mantissa));
                format!("{b} {c} {a} {d}")
            }
            Note::Depth(d, crc) => {
                let levels: Vec<_> = d
                    .levels
                    .iter()
                    .map(|l| format!("{:?} {} {}", l.side, l.price.mantissa(), l.qty.mantissa()))
                    .collect();
                format!("{} {} {}", d.snapshot, crc.expect("a checksum"), levels.join(" "))
            }
            Note::Bar(b, complete) => {
                let [o, h, l, c] = [b.open, b.high, b.low, b.close].map(Price::mantissa);
                format!("{} {o} {h} {l} {c} {} {complete}", b.ts_open.nanos(), b.volume.mantissa())
            }
            other => format!("{other:?}"),
        });
    };
    kraken().read_market(body, &listings(), Ts::from_nanos(0), &mut sink).expect("read");
    notes
}

fn stream(file: &str, body: &str, value: &Value) -> bool {
    let data = &value["data"];
    let first = &data[0];
    let want: Vec<String> = match file {
        "ws_pong.json" => vec!["Alive".to_owned()],
        "ws_subscribe_response.json" => {
            assert_eq!(kraken().read_account(body, &listings()).expect("read"), [AccountNote::Ready]);
            vec!["Subscribed".to_owned()]
        }
        "ws_trade_update.json" => rows(data)
            .map(|t| {
                let aggressor = if t["side"] == "buy" { "buyer" } else { "seller" };
                format!("{} {} {} {aggressor}", t["trade_id"], price(&t["price"]), qty(&t["qty"]))
            })
            .collect(),
        "ws_ticker_snapshot.json" => vec![format!(
            "{} {} {} {}",
            price(&first["bid"]),
            qty(&first["bid_qty"]),
            price(&first["ask"]),
            qty(&first["ask_qty"])
        )],
        "ws_book_snapshot.json" | "ws_book_update.json" => {
            let levels: Vec<_> = [("Buy", "bids"), ("Sell", "asks")]
                .iter()
                .flat_map(|(side, key)| {
                    rows(&first[*key]).map(move |l| format!("{side} {} {}", price(&l["price"]), qty(&l["qty"])))
                })
                .collect();
            vec![format!("{} {} {}", value["type"] == "snapshot", first["checksum"], levels.join(" "))]
        }
        "ws_ohlc_update.json" => {
            let [o, h, l, c] = ["open", "high", "low", "close"].map(|key| price(&first[key]));
            // 2023-10-04T16:25:00Z, by date(1).
            vec![format!("1696436700000000000 {o} {h} {l} {c} {} false", qty(&first["volume"]))]
        }
        _ => return false,
    };
    assert_eq!(notes(body), want, "{file}");
    true
}

#[test]
fn krakens_payloads_are_read_to_the_digit() {
    let Some(folder) = folder("kraken") else { return };
    let of = |list: &[(&str, &str)], file: &str| list.iter().any(|(f, _)| *f == file);
    let out = |file: &str| of(OUT_OF_SCOPE, file) || file.contains("futures");
    super::every_file_is_read(&folder, REFUSED, out, |file| read(file, &text(&folder, file)));
}
