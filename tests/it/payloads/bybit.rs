//! Bybit's payloads.

use bellwether::exchange::{
    AccountNote, Act, Ask, FillNote, Listings, Note, OrderNote, OrderRef, OrderRow, OrderStatus, Product, Reply,
    Response, Span, TradeReply, Venue, venue,
};
use bellwether_sdk::{InstrumentId, Interval, Side, Ts};
use serde_json::{Value, json};

use super::{all, listings, ms, notes, number, price, qty, same, word};

const OUT_OF_SCOPE: &[(&str, &str)] = &[
    ("http_get_account_info.json", "margin mode: no question of ours"),
    ("http_get_fee_rate.json", "fee rates: no question of ours"),
    ("http_get_instruments_inverse.json", "inverse contracts"),
    ("http_get_instruments_inverse_symbol_type.json", "inverse contracts"),
    ("http_get_instruments_option.json", "options"),
    ("http_get_instruments_option_symbol_id.json", "options"),
    ("http_get_user_escrow_sub_members.json", "sub-accounts"),
    ("http_get_user_sub_apikeys.json", "sub-accounts"),
    ("http_get_user_sub_members.json", "sub-accounts"),
    ("http_get_user_sub_members_paged.json", "sub-accounts"),
    ("http_post_user_update_master_api.json", "keys are not changed"),
    ("http_post_user_update_sub_api.json", "keys are not changed"),
    ("ws_account_execution_fast.json", "says no fees, so it is not subscribed"),
    ("ws_account_execution_fast_envelope_id.json", "says no fees, so it is not subscribed"),
    ("ws_ticker_option.json", "options"),
];

const REFUSED: &[(&str, &str)] = &[(
    "ws_public_trade.json",
    "its topic, trade.linear.BTCUSDT, is none of v5's; the rows are compared under the right one",
)];

const PAIRS: [&str; 7] = ["BTC", "ETH", "TSLA", "SOL", "LTC", "APEX", "AAPL"];

fn desk(product: Product) -> (Box<dyn Venue>, Listings) {
    let settle = if product == Product::Linear { ":USDT" } else { "" };
    let names: Vec<_> = PAIRS.iter().map(|c| (format!("bybit:{c}/USDT{settle}"), format!("{c}USDT"))).collect();
    let names: Vec<_> = names.iter().map(|(s, n)| (s.as_str(), n.as_str())).collect();
    (venue("bybit", product).expect("built in"), listings(&names))
}

fn told(ask: &Ask, body: &str, product: Product) -> Result<Reply, String> {
    let (venue, listings) = desk(product);
    let response = Response { status: 200, headers: Vec::new(), body: body.to_owned() };
    venue.reply(ask, &response, &listings).map_err(|e| e.to_string())
}

fn status(word: &str) -> OrderStatus {
    match word {
        "New" | "Untriggered" => OrderStatus::Acknowledged,
        "Filled" => OrderStatus::Filled,
        "Cancelled" => OrderStatus::Cancelled,
        "Rejected" => OrderStatus::Rejected,
        other => panic!("a state that this story does not know: {other}"),
    }
}

fn id_of(symbol: &Value) -> InstrumentId {
    let at = PAIRS.iter().position(|c| word(symbol).strip_suffix("USDT") == Some(c)).expect("listed");
    InstrumentId(u16::try_from(at).expect("few"))
}

fn order_note(note: &OrderNote, row: &Value) -> Result<usize, String> {
    assert_eq!((note.instrument, note.status), (id_of(&row["symbol"]), status(word(&row["orderStatus"]))));
    same(&[
        ("orderId", note.venue_id.as_str(), word(&row["orderId"])),
        ("orderLinkId", &note.client_id, word(&row["orderLinkId"])),
    ])?;
    same(&[
        ("cumExecQty", note.filled.map(qty).unwrap_or(number(&Value::Null)), number(&row["cumExecQty"])),
        ("updatedTime", ms(note.ts_venue), number(&row["updatedTime"])),
    ])
}

fn order_rows(ours: &[OrderRow], theirs: &[Value]) -> Result<usize, String> {
    let mut count = 0;
    for row in theirs {
        let Some(ours) = ours.iter().find(|o| o.venue_id == word(&row["orderId"])) else {
            let closed = !status(word(&row["orderStatus"])).is_open();
            assert!(closed, "an open order is missing: {row}");
            continue;
        };
        assert_eq!((ours.instrument, ours.status), (id_of(&row["symbol"]), status(word(&row["orderStatus"]))));
        assert_eq!(ours.side == Side::Buy, row["side"] == "Buy");
        count += same(&[
            ("qty", qty(ours.qty), number(&row["qty"])),
            ("cumExecQty", qty(ours.filled), number(&row["cumExecQty"])),
            ("createdTime", ms(ours.ts_venue), number(&row["createdTime"])),
        ])?;
    }
    Ok(count)
}

fn fill(note: &FillNote, row: &Value) -> Result<usize, String> {
    assert_eq!(note.side == Side::Buy, row["side"] == "Buy");
    same(&[
        ("execId", note.trade_id.as_str(), word(&row["execId"])),
        ("orderId", &note.venue_id, word(&row["orderId"])),
    ])?;
    same(&[
        ("execPrice", price(note.price), number(&row["execPrice"])),
        ("execQty", qty(note.qty), number(&row["execQty"])),
        ("execFee", note.fee, number(&row["execFee"])),
        ("execTime", ms(note.ts_venue), number(&row["execTime"])),
    ])
}

fn rows(value: &Value) -> &[Value] {
    value["result"]["list"].as_array().expect("a list")
}

fn rest(name: &str, body: &str) -> Result<usize, String> {
    let value: Value = serde_json::from_str(body).map_err(|e| e.to_string())?;
    let (btc, all_time) = (InstrumentId(0), Ts::from_nanos(0));
    let product = if name.contains("spot") { Product::Spot } else { Product::Linear };
    match name {
        n if n.starts_with("http_get_instruments") => {
            let Reply::Instruments(ours, unread) = told(&Ask::Instruments, body, product)? else { panic!("{name}") };
            assert!(unread.is_empty(), "{unread:?}");
            let theirs = rows(&value);
            same(&[("count", ours.len(), theirs.len())])?;
            let mut count = 0;
            for (ours, row) in ours.iter().zip(theirs) {
                let lots = &row["lotSizeFilter"];
                let lot = if product == Product::Spot { &lots["basePrecision"] } else { &lots["qtyStep"] };
                let at = bellwether_sdk::Decimal::new;
                count += same(&[
                    ("tickSize", at(ours.tick.mantissa(), ours.price_scale), number(&row["priceFilter"]["tickSize"])),
                    ("lot", at(ours.lot.mantissa(), ours.qty_scale), number(lot)),
                    ("minOrderQty", at(ours.qty_min.mantissa(), ours.qty_scale), number(&lots["minOrderQty"])),
                    ("maxOrderQty", at(ours.qty_max.mantissa(), ours.qty_scale), number(&lots["maxOrderQty"])),
                    (
                        "maxMktOrderQty",
                        at(ours.qty_max_market.mantissa(), ours.qty_scale),
                        number(&lots["maxMktOrderQty"]),
                    ),
                ])?;
            }
            Ok(count)
        }
        n if n.contains("wallet_balance") => {
            let Reply::Balances(ours) = told(&Ask::Balances, body, product)? else { panic!("{name}") };
            let theirs = rows(&value)[0]["coin"].as_array().expect("coins");
            let mut count = 0;
            for row in theirs {
                let ours = ours.iter().find(|b| b.currency == word(&row["coin"]));
                let total = ours.map_or(number(&Value::Null), |b| b.total);
                count += same(&[("walletBalance", total, number(&row["walletBalance"]))])?;
            }
            Ok(count)
        }
        n if n.contains("positions") => {
            let Reply::Positions(ours) = told(&Ask::Positions, body, product)? else { panic!("{name}") };
            let mut count = 0;
            for row in rows(&value).iter().filter(|r| number(&r["size"]).is_positive()) {
                let ours =
                    ours.iter().find(|p| p.instrument == id_of(&row["symbol"])).ok_or("a position is missing")?;
                let sign = if row["side"] == "Buy" { 1 } else { -1 };
                let size = bellwether_sdk::Qty::from_mantissa(ours.qty.mantissa() * sign);
                count += same(&[
                    ("size", qty(size), number(&row["size"])),
                    ("avgPrice", ours.entry.expect("an entry"), number(&row["avgPrice"])),
                    ("liqPrice", ours.liquidation.unwrap_or(number(&Value::Null)), number(&row["liqPrice"])),
                    ("unrealisedPnl", ours.unrealised.expect("a value"), number(&row["unrealisedPnl"])),
                ])?;
            }
            Ok(count)
        }
        n if n.starts_with("http_get_order_") || n.contains("orders") => {
            let ask = if n.contains("realtime") {
                Ask::OpenOrders(None)
            } else {
                Ask::Order(btc, OrderRef::Venue("any".to_owned()))
            };
            let Reply::Orders(ours, others) = told(&ask, body, product)? else { panic!("{name}") };
            assert_eq!(others, 0);
            order_rows(&ours, rows(&value))
        }
        "http_get_executions.json" => {
            let Reply::Fills(ours, _) = told(&Ask::Fills(btc, Span::new(all_time, all_time)), body, product)? else {
                panic!("{name}")
            };
            ours.iter().rev().zip(rows(&value)).map(|(ours, row)| fill(ours, row)).sum()
        }
        "http_get_funding_history.json" => {
            let Reply::Funding(ours) = told(&Ask::Funding(btc, all_time, Ts::MAX), body, product)? else {
                panic!("{name}")
            };
            ours.iter()
                .rev()
                .zip(rows(&value))
                .map(|(ours, row)| {
                    let rate = bellwether_sdk::Decimal::new(ours.rate.mantissa(), 12);
                    same(&[
                        ("fundingRate", rate, number(&row["fundingRate"])),
                        ("time", ms(ours.ts_venue), number(&row["fundingRateTimestamp"])),
                    ])
                })
                .sum()
        }
        "http_get_klines_linear.json" => {
            let ask = Ask::Bars(btc, Interval::MINUTE, all_time, Ts::MAX);
            let Reply::Bars(open) = told(&ask, body, product)? else { panic!("{name}") };
            assert!(open.is_empty(), "the payload's bar is still open at its time");
            let mut later = value.clone();
            later["time"] = json!(1_709_999_999_999_i64);
            let Reply::Bars(ours) = told(&ask, &later.to_string(), product)? else { panic!("{name}") };
            let (bar, row) = (&ours[0], &rows(&value)[0]);
            same(&[
                ("start", ms(bar.ts_open), number(&row[0])),
                ("open", price(bar.open), number(&row[1])),
                ("high", price(bar.high), number(&row[2])),
                ("low", price(bar.low), number(&row[3])),
                ("close", price(bar.close), number(&row[4])),
                ("volume", qty(bar.volume), number(&row[5])),
            ])
        }
        "http_get_orderbook.json" => {
            let Reply::Book(ours) = told(&Ask::Book(btc, 3), body, product)? else { panic!("{name}") };
            same(&[("u", ours.last_id, value["result"]["u"].as_i64().expect("a number"))])?;
            levels(
                &ours.levels.iter().map(|l| (l.side, price(l.price), qty(l.qty))).collect::<Vec<_>>(),
                &value["result"],
            )
        }
        "http_get_trades_recent.json" => {
            let Reply::Trades(ours) = told(&Ask::Trades(btc, 1), body, product)? else { panic!("{name}") };
            let row = &rows(&value)[0];
            same(&[("execId", ours[0].id.as_str(), word(&row["execId"]))])?;
            same(&[
                ("price", price(ours[0].price), number(&row["price"])),
                ("size", qty(ours[0].qty), number(&row["size"])),
                ("time", ms(ours[0].ts_venue), number(&row["time"])),
            ])
        }
        "http_get_user_query_api.json" => {
            let Reply::Permissions(ours) = told(&Ask::Permissions, body, product)? else { panic!("{name}") };
            same(&[
                ("trade", ours.trade, Some(false)),
                ("withdraw", ours.withdraw, Some(false)),
                ("ip", ours.ip_bound, Some(true)),
            ])
        }
        _ => Err("no reader for this kind".to_owned()),
    }
}

fn levels(ours: &[(Side, bellwether_sdk::Decimal, bellwether_sdk::Decimal)], value: &Value) -> Result<usize, String> {
    let side = |name: &str, side: Side| {
        let rows = value[name].as_array().cloned().unwrap_or_default();
        rows.into_iter().map(move |row| (side, number(&row[0]), number(&row[1]))).collect::<Vec<_>>()
    };
    let theirs = [side("b", Side::Buy), side("a", Side::Sell)].concat();
    same(&[("levels", ours, &theirs[..])]).map(|_| theirs.len() * 2)
}

fn depth(text: &str) -> Result<Vec<(Side, bellwether_sdk::Decimal, bellwether_sdk::Decimal)>, String> {
    let (venue, listings) = desk(Product::Linear);
    let keep = |note: &Note<'_>| match note {
        Note::Depth(d, None) => d.levels.iter().map(|l| (l.side, price(l.price), qty(l.qty))).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    notes(venue.as_ref(), text, &listings, keep).map(|n| n.concat())
}

fn stream(name: &str, text: &str) -> Result<usize, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let (linear, l) = desk(Product::Linear);
    let hear = |text: &str| notes(linear.as_ref(), text, &l, |note| format!("{note:?}"));
    match name {
        n if n.starts_with("ws_orderbook") => {
            // A book of one level is a quote; as one of fifty it gives its levels.
            levels(&depth(&text.replace("orderbook.1.", "orderbook.50."))?, &value["data"])
        }
        "ws_public_trade.json" => {
            let row = &value["data"][0];
            let right = text.replace("trade.linear.BTCUSDT", "publicTrade.BTCUSDT");
            let ours = notes(linear.as_ref(), &right, &l, |note| match note {
                Note::Trade(t, _) => [price(t.price), qty(t.qty), ms(t.ts_venue)],
                other => panic!("{other:?}"),
            })?;
            same(&[("row", ours[0], [number(&row["p"]), number(&row["v"]), number(&row["T"])])]).expect("the rows");
            match hear(text)?[0].starts_with("Unexpected") {
                true => Err("unexpected topic".to_owned()),
                false => Ok(3),
            }
        }
        "ws_kline.json" => {
            let row = &value["data"][0];
            let ours = notes(linear.as_ref(), text, &l, |note| match note {
                Note::Bar(b, false) => {
                    [ms(b.ts_open), price(b.open), price(b.high), price(b.low), price(b.close), qty(b.volume)]
                }
                other => panic!("{other:?}"),
            })?;
            same(&[("bar", ours[0], ["start", "open", "high", "low", "close", "volume"].map(|f| number(&row[f])))])
                .map(|_| 6)
        }
        "ws_ticker_linear.json" => {
            let row = &value["data"];
            let ours = notes(linear.as_ref(), text, &l, |note| match note {
                Note::FundingRate(_, Some(rate), ts, mark) => {
                    [bellwether_sdk::Decimal::new(rate.mantissa(), 12), ms(*ts), price(*mark)]
                }
                other => panic!("{other:?}"),
            })?;
            same(&[("funding", ours[0], ["fundingRate", "nextFundingTime", "markPrice"].map(|f| number(&row[f])))])
                .map(|_| 3)
        }
        "ws_subscription_ack.json" => same(&[("note", hear(text)?[0].as_str(), "Subscribed")]),
        "ws_subscription_failure.json" => {
            same(&[("note", hear(text)?[0].clone(), format!("Refused({:?})", word(&value["ret_msg"])))])
        }
        "ws_order_response.json" => {
            let numbered = text.replace("order-req-001", "17");
            let read = linear.read_trade(&numbered, &l).map_err(|e| e.to_string())?;
            let TradeReply::Answered(17, Ok(replies)) = read else { return Err(format!("{read:?}")) };
            same(&[("orderId", replies[0].venue_id.as_str(), word(&value["data"]["orderId"]))])
        }
        "ws_auth_success.json" | "ws_auth_failure.json" => {
            let account = linear.read_account(text, &l).map_err(|e| e.to_string())?;
            let trade = linear.read_trade(text, &l).map_err(|e| e.to_string())?;
            let ok = name.contains("success");
            same(&[
                ("account", matches!(account[0], AccountNote::LoggedIn), ok),
                ("refused", matches!(&account[0], AccountNote::Refused(e) if e.code == "10003"), !ok),
                ("trade", trade == TradeReply::LoggedIn(Ok(())), ok),
            ])
        }
        n if n.starts_with("ws_account") => account(text, &value),
        _ => Err("no reader for this kind".to_owned()),
    }
}

fn account(text: &str, value: &Value) -> Result<usize, String> {
    // One file holds a row without its message.
    let (text, value) = if value["topic"].is_null() {
        let message = json!({"topic": "position", "data": [value]});
        (message.to_string(), message)
    } else {
        (text.to_owned(), value.clone())
    };
    let spot = value["data"][0]["category"] == "spot";
    let (venue, l) = desk(if spot { Product::Spot } else { Product::Linear });
    let notes = venue.read_account(&text, &l).map_err(|e| e.to_string())?;
    let rows = value["data"].as_array().expect("rows");
    let mut count = 0;
    for (i, note) in notes.iter().enumerate() {
        count += match note {
            AccountNote::Order(note) => order_note(note, &rows[i])?,
            AccountNote::Fill(note) => fill(note, &rows[i])?,
            AccountNote::Position(p) => {
                let row = &rows[i];
                let sign = if row["side"] == "Sell" { -1 } else { 1 };
                same(&[
                    ("size", qty(bellwether_sdk::Qty::from_mantissa(p.qty.mantissa() * sign)), number(&row["size"])),
                    ("entryPrice", p.entry.expect("an entry"), number(&row["entryPrice"])),
                    ("liqPrice", p.liquidation.expect("a price"), number(&row["liqPrice"])),
                ])?
            }
            AccountNote::Balance(b) => {
                let row = &rows[0]["coin"][i];
                same(&[("coin", b.currency.as_str(), word(&row["coin"]))])?;
                same(&[("walletBalance", b.total, number(&row["walletBalance"]))])?
            }
            other => return Err(format!("{other:?}")),
        };
    }
    Ok(count)
}

#[test]
fn payloads_of_bybit_are_read_and_their_values_are_those_of_the_json() {
    all(
        "bybit",
        OUT_OF_SCOPE,
        REFUSED,
        |name, text| {
            if name.starts_with("http") { rest(name, text) } else { stream(name, text) }
        },
    );
    let (venue, l) = desk(Product::Linear);
    let answer = Response { status: 200, headers: Vec::new(), body: "[]".to_owned() };
    assert!(venue.act_reply(&Act::CancelAll(InstrumentId(0)), &answer, &l).is_err());
}
