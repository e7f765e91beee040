//! OKX's payloads. Quantities of swaps are compared in contracts: the listings here count one contract as one.

use bellwether::exchange::{
    AccountNote, Act, ActReply, Ask, FillNote, Listings, Note, OrderNote, OrderRef, OrderStatus, Product, Reply,
    Response, Span, Venue, VenueError, venue,
};
use bellwether_sdk::{Decimal, InstrumentId, Interval, Qty, Side, Ts};
use serde_json::{Value, json};

use super::{all, listings, ms, notes, number, price, qty, same, word};

const ALGO: &str = "algo orders are not placed, so not asked for";
const SPREAD: &str = "spread trading";

const OUT_OF_SCOPE: &[(&str, &str)] = &[
    ("common_optional_string_to_u64.json", "another project's unit test, no message of OKX"),
    ("http_cancel_algo_order_response.json", ALGO),
    ("http_get_account_positions-history.json", "closed positions: no question of ours"),
    ("http_get_index_price.json", "index prices: no question of ours"),
    ("http_get_instruments_futures.json", "dated futures"),
    ("http_get_instruments_margin.json", "margin trading"),
    ("http_get_instruments_option.json", "options"),
    ("http_get_mark_price.json", "mark prices: no question of ours"),
    ("http_get_option_summary.json", "options"),
    ("http_get_orders_algo_history.json", ALGO),
    ("http_get_orders_algo_pending.json", ALGO),
    ("http_get_orders_algo_pending_attached_oco.json", ALGO),
    ("http_get_orders_algo_pending_close_fraction.json", ALGO),
    ("http_get_position_tiers.json", "margin tiers: no question of ours"),
    ("http_get_spread_orders.json", SPREAD),
    ("http_get_spread_trades.json", SPREAD),
    ("http_get_spreads.json", SPREAD),
    ("http_get_trade_fee_response.json", "fee rates: no question of ours"),
    ("http_place_algo_order_rejected.json", ALGO),
    ("http_place_algo_order_response.json", ALGO),
    ("http_set_position_mode_response.json", "the account is not set up from here"),
    ("ws_opt_summary.json", "options"),
    ("ws_orders_algo.json", ALGO),
    ("ws_orders_option.json", "options"),
    ("ws_sprd_orders.json", SPREAD),
    ("ws_tickers.json", "not subscribed: quotes come from bbo-tbt; the row is compared as an answer"),
];

const REFUSED: &[(&str, &str)] = &[];

const NAMES: [(&str, &str); 5] = [
    ("okx:BTC/USDT:USDT", "BTC-USDT-SWAP"),
    ("okx:ETH/USDT:USDT", "ETH-USDT-SWAP"),
    ("okx:BTC/USDT", "BTC-USDT"),
    ("okx:BTC/USD", "BTC-USD"),
    ("okx:ETH/USDT", "ETH-USDT"),
];

fn desk(product: Product) -> (Box<dyn Venue>, Listings) {
    (venue("okx", product).expect("built in"), listings(&NAMES))
}

fn id_of(name: &Value) -> InstrumentId {
    let at = NAMES.iter().position(|(_, n)| *n == word(name)).expect("listed");
    InstrumentId(u16::try_from(at).expect("few"))
}

fn told(ask: &Ask, body: &str, product: Product) -> Result<Reply, String> {
    let (venue, listings) = desk(product);
    let response = Response { status: 200, headers: Vec::new(), body: body.to_owned() };
    venue.reply(ask, &response, &listings).map_err(|e| e.to_string())
}

fn status(word: &str) -> OrderStatus {
    match word {
        "live" => OrderStatus::Acknowledged,
        "partially_filled" => OrderStatus::PartlyFilled,
        "filled" => OrderStatus::Filled,
        other => panic!("a state that this story does not know: {other}"),
    }
}

fn minus(value: &Value) -> Decimal {
    let number = number(value);
    Decimal::new(-number.mantissa(), number.scale())
}

fn fill(note: &FillNote, row: &Value, time: &str) -> Result<usize, String> {
    assert_eq!(note.instrument, id_of(&row["instId"]));
    same(&[
        ("tradeId", note.trade_id.as_str(), word(&row["tradeId"])),
        ("ordId", &note.venue_id, word(&row["ordId"])),
        ("side", if note.side == Side::Buy { "buy" } else { "sell" }, word(&row["side"])),
    ])?;
    same(&[
        ("fillPx", price(note.price), number(&row["fillPx"])),
        ("fillSz", qty(note.qty), number(&row["fillSz"])),
        ("fee", note.fee, minus(&row["fee"])),
        (time, ms(note.ts_venue), number(&row[time])),
    ])
}

fn order_note(note: &OrderNote, row: &Value) -> Result<usize, String> {
    assert_eq!((note.instrument, note.status), (id_of(&row["instId"]), status(word(&row["state"]))));
    same(&[
        ("ordId", note.venue_id.as_str(), word(&row["ordId"])),
        ("clOrdId", &note.client_id, word(&row["clOrdId"])),
    ])?;
    same(&[
        ("accFillSz", note.filled.map_or(number(&Value::Null), qty), number(&row["accFillSz"])),
        ("uTime", ms(note.ts_venue), number(&row["uTime"])),
    ])
}

fn enveloped(value: &Value) -> Value {
    if value["code"].is_null() { json!({"code": "0", "msg": "", "data": [value]}) } else { value.clone() }
}

fn instruments(body: &str, product: Product) -> Result<usize, String> {
    let value: Value = serde_json::from_str(body).expect("JSON");
    let Reply::Instruments(ours, unread) = told(&Ask::Instruments, body, product)? else { panic!("no instruments") };
    assert!(unread.is_empty(), "{unread:?}");
    let theirs: Vec<_> = value["data"].as_array().expect("rows").iter().filter(|r| r["ctType"] != "inverse").collect();
    same(&[("count", ours.len(), theirs.len())])?;
    let mut count = 0;
    for (ours, row) in ours.iter().zip(theirs) {
        // What a contract is, with 128 bits: the product of the two digits' numbers.
        let contract = number(if product == Product::Spot { &Value::Null } else { &row["ctVal"] });
        let contract = if contract.mantissa() == 0 { Decimal::new(1, 0) } else { contract };
        let lot = number(&row["lotSz"]);
        let product = i128::from(lot.mantissa()) * i128::from(contract.mantissa());
        let scale = u32::from(lot.scale() + contract.scale());
        let ours_wide = i128::from(ours.lot.mantissa()) * 10i128.pow(scale);
        same(&[("lot", ours_wide, product * 10i128.pow(u32::from(ours.qty_scale)))])?;
        same(&[("instId", ours.name.as_str(), word(&row["instId"]))])?;
        let most = number(&row["maxLmtSz"]);
        let theirs = i128::from(most.mantissa()) * i128::from(contract.mantissa());
        let scale = u32::from(most.scale() + contract.scale());
        let ours_wide = i128::from(ours.qty_max.mantissa()) * 10i128.pow(scale);
        same(&[("maxLmtSz", ours_wide, theirs * 10i128.pow(u32::from(ours.qty_scale)))])?;
        count += same(&[
            ("ctVal", ours.contract, contract),
            ("tickSz", Decimal::new(ours.tick.mantissa(), ours.price_scale), number(&row["tickSz"])),
        ])?;
    }
    Ok(count)
}

fn rest(name: &str, body: &str) -> Result<usize, String> {
    let value: Value = serde_json::from_str(body).map_err(|e| e.to_string())?;
    let value = match name {
        n if n.contains("balance_detail") => enveloped(&json!({"details": [value]})),
        _ => enveloped(&value),
    };
    let body = value.to_string();
    let (swap, start) = (InstrumentId(0), Ts::from_nanos(0));
    let rows = value["data"].as_array().expect("rows");
    match name {
        "http_get_instruments_spot.json" => instruments(&body, Product::Spot),
        "http_get_instruments_swap.json" => instruments(&body, Product::Linear),
        n if n.contains("balance") => {
            let Reply::Balances(ours) = told(&Ask::Balances, &body, Product::Spot)? else { panic!("{name}") };
            let row = &rows[0]["details"][0];
            same(&[("ccy", ours[0].currency.as_str(), word(&row["ccy"]))])?;
            same(&[
                ("cashBal", ours[0].total, number(&row["cashBal"])),
                ("availBal", ours[0].free, number(&row["availBal"])),
            ])
        }
        n if n.starts_with("http_get_candlesticks") => {
            let ask = Ask::Bars(swap, Interval::MINUTE, start, Ts::MAX);
            let Reply::Bars(ours) = told(&ask, &body, Product::Linear)? else { panic!("{name}") };
            let complete: Vec<_> = rows.iter().rev().filter(|r| r[8] == "1").collect();
            same(&[("count", ours.len(), complete.len())])?;
            let mut count = 1;
            for (bar, row) in ours.iter().zip(complete) {
                let read = [
                    ms(bar.ts_open),
                    price(bar.open),
                    price(bar.high),
                    price(bar.low),
                    price(bar.close),
                    qty(bar.volume),
                ];
                let theirs = [0, 1, 2, 3, 4, 5].map(|i| number(&row[i]));
                count += same(&[("bar", read, theirs)]).map(|_| 6)?;
            }
            Ok(count)
        }
        "http_get_funding_rate_history.json" => {
            let Reply::Funding(ours) = told(&Ask::Funding(swap, start, Ts::MAX), &body, Product::Linear)? else {
                panic!()
            };
            ours.iter()
                .rev()
                .zip(rows)
                .map(|(o, row)| {
                    same(&[
                        ("rate", Decimal::new(o.rate.mantissa(), 12), number(&row["realizedRate"])),
                        ("time", ms(o.ts_venue), number(&row["fundingTime"])),
                    ])
                })
                .sum()
        }
        "http_get_order_book.json" => {
            let Reply::Book(ours) = told(&Ask::Book(swap, 3), &body, Product::Linear)? else { panic!() };
            levels(&ours.levels.iter().map(|l| (l.side, price(l.price), qty(l.qty))).collect::<Vec<_>>(), &rows[0])
        }
        "http_get_trades.json" => {
            let Reply::Trades(ours) = told(&Ask::Trades(InstrumentId(2), 9), &body, Product::Spot)? else { panic!() };
            ours.iter()
                .rev()
                .zip(rows)
                .map(|(o, row)| {
                    same(&[("tradeId", o.id.as_str(), word(&row["tradeId"]))])?;
                    same(&[
                        ("px", price(o.price), number(&row["px"])),
                        ("sz", qty(o.qty), number(&row["sz"])),
                        ("ts", ms(o.ts_venue), number(&row["ts"])),
                    ])
                })
                .sum()
        }
        n if n.starts_with("http_get_orders") => {
            let Reply::Orders(ours, 0) =
                told(&Ask::Order(swap, OrderRef::Venue(String::new())), &body, Product::Linear)?
            else {
                panic!()
            };
            ours.iter()
                .zip(rows)
                .map(|(o, row)| {
                    assert_eq!((o.instrument, o.status), (id_of(&row["instId"]), status(word(&row["state"]))));
                    same(&[
                        ("ordId", o.venue_id.as_str(), word(&row["ordId"])),
                        ("clOrdId", &o.client_id, word(&row["clOrdId"])),
                    ])?;
                    same(&[
                        ("sz", qty(o.qty), number(&row["sz"])),
                        ("accFillSz", qty(o.filled), number(&row["accFillSz"])),
                        ("cTime", ms(o.ts_venue), number(&row["cTime"])),
                    ])
                })
                .sum()
        }
        "http_get_positions.json" => {
            let Reply::Positions(ours) = told(&Ask::Positions, &body, Product::Linear)? else { panic!() };
            let row = &rows[0];
            same(&[
                ("pos", qty(ours[0].qty), number(&row["pos"])),
                ("avgPx", ours[0].entry.expect("an entry"), number(&row["avgPx"])),
                ("liqPx", ours[0].liquidation.expect("a price"), number(&row["liqPx"])),
            ])
        }
        n if n.starts_with("http_transaction_detail") => {
            let Reply::Fills(ours, _) =
                told(&Ask::Fills(InstrumentId(2), Span::new(start, start)), &body, Product::Spot)?
            else {
                panic!()
            };
            fill(&ours[0], &rows[0], "ts")
        }
        "http_place_order_response.json" => {
            let (venue, l) = desk(Product::Linear);
            let response = Response { status: 200, headers: Vec::new(), body };
            let read: Result<Vec<ActReply>, VenueError> = venue.act_reply(&Act::CancelAll(swap), &response, &l);
            let read = read.map_err(|e| e.to_string())?;
            same(&[("ordId", read[0].venue_id.as_str(), word(&rows[0]["ordId"]))])
        }
        _ => Err("no reader for this kind".to_owned()),
    }
}

type Row = (Side, Decimal, Decimal);

fn levels(ours: &[Row], value: &Value) -> Result<usize, String> {
    let side = |name: &str, side: Side| {
        let rows = value[name].as_array().cloned().unwrap_or_default();
        rows.into_iter().map(move |row| (side, number(&row[0]), number(&row[1]))).collect::<Vec<Row>>()
    };
    let theirs = [side("bids", Side::Buy), side("asks", Side::Sell)].concat();
    same(&[("levels", ours, &theirs[..])]).map(|_| theirs.len() * 2)
}

fn stream(name: &str, text: &str) -> Result<usize, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let (linear, l) = desk(Product::Linear);
    let row = &value["data"][0];
    match name {
        "ws_books_snapshot.json" | "ws_books_update.json" => {
            let read = notes(linear.as_ref(), text, &l, |note| match note {
                Note::Depth(d, None) => {
                    let rows: Vec<Row> = d.levels.iter().map(|l| (l.side, price(l.price), qty(l.qty))).collect();
                    (rows, d.snapshot, d.prev_id, d.last_id)
                }
                other => panic!("{other:?}"),
            })?;
            let (rows, snapshot, prev, last) = &read[0];
            let theirs = if *snapshot { 0 } else { row["prevSeqId"].as_i64().expect("a number") };
            same(&[("prev", *prev, theirs), ("seqId", *last, row["seqId"].as_i64().expect("a number"))])?;
            levels(rows, row)
        }
        "ws_bbo_tbt.json" => {
            let read = notes(linear.as_ref(), text, &l, |note| match note {
                Note::Quote(q) => [price(q.bid), qty(q.bid_qty), price(q.ask), qty(q.ask_qty), ms(q.ts_venue)],
                other => panic!("{other:?}"),
            })?;
            let at = |side: &str, i: usize| number(&row[side][0][i]);
            same(&[(
                "quote",
                read[0],
                [at("bids", 0), at("bids", 1), at("asks", 0), at("asks", 1), number(&row["ts"])],
            )])
            .map(|_| 5)
        }
        "ws_trades.json" => {
            let read = notes(linear.as_ref(), text, &l, |note| match note {
                Note::Trade(t, id) => {
                    [price(t.price), qty(t.qty), ms(t.ts_venue), Decimal::new(i64::try_from(*id).expect("an id"), 0)]
                }
                other => panic!("{other:?}"),
            })?;
            same(&[("trade", read[0], ["px", "sz", "ts", "tradeId"].map(|f| number(&row[f])))]).map(|_| 4)
        }
        "ws_candle.json" => {
            // OKX's day of Hong Kong is no interval of ours; the row is the same for all.
            let unknown = notes(linear.as_ref(), text, &l, |note| matches!(note, Note::Unexpected(_)))?;
            assert_eq!(unknown, [true]);
            let read = notes(linear.as_ref(), &text.replace("candle1D", "candle1Dutc"), &l, |note| match note {
                Note::Bar(b, true) => {
                    [ms(b.ts_open), price(b.open), price(b.high), price(b.low), price(b.close), qty(b.volume)]
                }
                other => panic!("{other:?}"),
            })?;
            same(&[("bar", read[0], [0, 1, 2, 3, 4, 5].map(|i| number(&row[i])))]).map(|_| 6)
        }
        "ws_funding_rate.json" => {
            let read = notes(linear.as_ref(), text, &l, |note| match note {
                Note::FundingRate(_, Some(rate), ts, _) => [Decimal::new(rate.mantissa(), 12), ms(*ts)],
                other => panic!("{other:?}"),
            })?;
            same(&[("funding", read[0], ["fundingRate", "fundingTime"].map(|f| number(&row[f])))]).map(|_| 2)
        }
        "ws_instruments.json" => instruments(&json!({"code": "0", "data": value["data"]}).to_string(), Product::Linear),
        n if n.starts_with("ws_orders") => {
            let product = if value["arg"]["instType"] == "SPOT" { Product::Spot } else { Product::Linear };
            let (venue, l) = desk(product);
            let mut count = 0;
            for note in venue.read_account(text, &l).map_err(|e| e.to_string())? {
                count += match &note {
                    AccountNote::Fill(note) => fill(note, row, "fillTime")?,
                    AccountNote::Order(note) => order_note(note, row)?,
                    other => return Err(format!("{other:?}")),
                };
            }
            // A fill and a state: neither may be missing.
            if count < 6 { Err(format!("only {count} values")) } else { Ok(count) }
        }
        n if n.starts_with("ws_account") => {
            let notes = linear.read_account(text, &l).map_err(|e| e.to_string())?;
            let details = row["details"].as_array().expect("details");
            if details.is_empty() {
                return same(&[("empty", notes, vec![AccountNote::Ignored])]);
            }
            let mut count = 0;
            for (note, row) in notes.iter().zip(details) {
                let AccountNote::Balance(b) = note else { return Err(format!("{note:?}")) };
                same(&[("ccy", b.currency.as_str(), word(&row["ccy"]))])?;
                count += same(&[
                    ("cashBal", b.total, number(&row["cashBal"])),
                    ("availBal", b.free, number(&row["availBal"])),
                ])?;
            }
            Ok(count)
        }
        _ => Err("no reader for this kind".to_owned()),
    }
}

#[test]
fn payloads_of_okx_are_read_and_their_values_are_those_of_the_json() {
    all(
        "okx",
        OUT_OF_SCOPE,
        REFUSED,
        |name, text| {
            if name.starts_with("http") { rest(name, text) } else { stream(name, text) }
        },
    );
    assert_eq!(qty(Qty::from_mantissa(100_000_000)), Decimal::new(1, 0));
}
