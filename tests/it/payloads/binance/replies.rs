//! Answers to questions and acts, against the fields of their payloads.

use bellwether::exchange::{
    Act, ActReply, Balance, Cancel, Listings, OrderRef, OrderRow, Reply, Response, Rules, TradeReply, Venue,
};
use bellwether_sdk::{Aggressor, Decimal, Liquidity, Price, Qty, Side};
use serde_json::Value;

use super::kinds::Kind;
use super::{ID, Wrong, at8, listed, millis, rows, status, words};

pub(super) fn check_reply(kind: Kind, reply: Reply, json: &Value, listings: &Listings) {
    match reply {
        Reply::Time(ts) => assert_eq!(ts, millis(&json["serverTime"])),
        Reply::Ticker(t) => {
            assert_eq!((t.bid.mantissa(), t.ask.mantissa()), (at8(&json["bidPrice"]), at8(&json["askPrice"])));
            assert_eq!((t.bid_qty.mantissa(), t.ask_qty.mantissa()), (at8(&json["bidQty"]), at8(&json["askQty"])));
            assert_eq!(t.last.mantissa(), json.get("lastPrice").map_or(0, at8));
        }
        Reply::Book(b) => {
            assert_eq!(b.last_id, json["lastUpdateId"].as_i64().expect("an id"));
            let side = |name: &str, side| rows(&json[name]).iter().map(move |l| (side, at8(&l[0]), at8(&l[1])));
            let want: Vec<_> = side("bids", Side::Buy).chain(side("asks", Side::Sell)).collect::<Vec<_>>();
            let got: Vec<_> = b.levels.iter().map(|l| (l.side, l.price.mantissa(), l.qty.mantissa())).collect();
            assert_eq!(got, want);
        }
        Reply::Trades(trades) => {
            let short = kind == Kind::History;
            let field = |long: &'static str, abbreviated: &'static str| if short { abbreviated } else { long };
            assert_eq!(trades.len(), rows(json).len());
            for (t, row) in trades.iter().zip(rows(json)) {
                assert_eq!(t.id, words(&row[field("id", "a")]));
                assert_eq!(t.price.mantissa(), at8(&row[field("price", "p")]));
                assert_eq!(t.qty.mantissa(), at8(&row[field("qty", "q")]));
                assert_eq!(t.ts_venue, millis(&row[field("time", "T")]));
                let maker = row[field("isBuyerMaker", "m")].as_bool().expect("a flag");
                assert_eq!(t.aggressor, if maker { Aggressor::Seller } else { Aggressor::Buyer });
            }
        }
        Reply::Bars(bars) => {
            assert_eq!(bars.len(), rows(json).len());
            for (b, row) in bars.iter().zip(rows(json)) {
                assert_eq!(b.ts_open, millis(&row[0]));
                let got = [b.open, b.high, b.low, b.close].map(Price::mantissa);
                assert_eq!(got, [1, 2, 3, 4].map(|i| at8(&row[i])));
                assert_eq!(b.volume.mantissa(), at8(&row[5]));
            }
        }
        Reply::Funding(fundings) => {
            assert_eq!(fundings.len(), rows(json).len());
            for (f, row) in fundings.iter().zip(rows(json)) {
                assert_eq!(f.ts_venue, millis(&row["fundingTime"]));
                assert_eq!(f.rate.mantissa(), at8(&row["fundingRate"]) * 10_000);
                assert_eq!(f.mark.mantissa(), row.get("markPrice").map_or(0, at8));
            }
        }
        Reply::Balances(balances) => check_balances(kind, &balances, json),
        Reply::Positions(positions) => {
            for p in &positions {
                let name = listings.get(p.instrument).expect("listed").rules.name.clone();
                let mine = rows(json).iter().filter(|r| r["symbol"] == name.as_str());
                assert_eq!(p.qty.mantissa(), mine.clone().map(|r| at8(&r["positionAmt"])).sum::<i64>());
                let profit = mine.map(|r| at8(&r["unRealizedProfit"])).sum::<i64>();
                assert_eq!(p.unrealised.expect("a profit").at_scale(8).expect("fits"), profit);
            }
            let held = listed(listings, rows(json)).iter().any(|r| at8(&r["positionAmt"]) != 0);
            assert_eq!(positions.is_empty(), !held);
        }
        Reply::Orders(orders, others) => check_orders(kind, &orders, others, json, listings),
        Reply::Fills(fills, _) => {
            assert_eq!(fills.len(), rows(json).len());
            for (f, row) in fills.iter().zip(rows(json)) {
                assert_eq!((f.trade_id.clone(), f.venue_id.clone()), (words(&row["id"]), words(&row["orderId"])));
                assert_eq!((f.price.mantissa(), f.qty.mantissa()), (at8(&row["price"]), at8(&row["qty"])));
                assert_eq!(f.fee.at_scale(8).expect("fits"), at8(&row["commission"]));
                assert_eq!(f.fee_currency, words(&row["commissionAsset"]));
                let flag = |a: &str, b: &str| row[a].as_bool().or(row[b].as_bool()).expect("a flag");
                assert_eq!(f.side == Side::Buy, flag("isBuyer", "buyer"));
                assert_eq!(f.liquidity == Liquidity::Maker, flag("isMaker", "maker"));
            }
        }
        Reply::Instruments(rules, unknown) => check_instruments(&rules, &unknown, json),
        Reply::StreamTicket(ticket) => assert_eq!(ticket, words(&json["listenKey"])),
        Reply::Done => assert_eq!(kind, Kind::Ticketed),
        other => panic!("{other:?}"),
    }
}

fn check_balances(kind: Kind, balances: &[Balance], json: &Value) {
    let want: Vec<(String, i64, i64)> = if kind == Kind::SpotBalances {
        let all = rows(&json["balances"]).iter();
        all.map(|b| (words(&b["asset"]), at8(&b["free"]) + at8(&b["locked"]), at8(&b["free"]))).collect()
    } else {
        let all = rows(json).iter();
        all.map(|b| (words(&b["asset"]), at8(&b["balance"]), at8(&b["availableBalance"]))).collect()
    };
    let want: Vec<_> = want.into_iter().filter(|b| b.1 != 0).collect();
    let eight = |d: Decimal| d.at_scale(8).expect("fits");
    let got: Vec<_> = balances.iter().map(|b| (b.currency.clone(), eight(b.total), eight(b.free))).collect();
    assert_eq!(got, want);
}

fn check_orders(kind: Kind, orders: &[OrderRow], others: u32, json: &Value, listings: &Listings) {
    let wanted = listed(listings, rows(json));
    assert_eq!((orders.len(), orders.len() + others as usize), (wanted.len(), rows(json).len()));
    for (o, row) in orders.iter().zip(wanted) {
        assert_eq!(o.side == Side::Buy, row["side"] == "BUY");
        if matches!(kind, Kind::Algo | Kind::Algos) {
            assert_eq!(o.venue_id, format!("algo-{}", words(&row["algoId"])));
            assert_eq!((o.client_id.clone(), o.qty.mantissa()), (words(&row["clientAlgoId"]), at8(&row["quantity"])));
            assert_eq!((o.status, o.ts_venue), (status(&words(&row["algoStatus"])), millis(&row["createTime"])));
        } else {
            assert_eq!(
                (o.venue_id.clone(), o.client_id.clone()),
                (words(&row["orderId"]), words(&row["clientOrderId"]))
            );
            assert_eq!((o.qty.mantissa(), o.filled.mantissa()), (at8(&row["origQty"]), at8(&row["executedQty"])));
            assert_eq!((o.status, o.ts_venue), (status(&words(&row["status"])), millis(&row["time"])));
        }
    }
}

fn check_instruments(rules: &[Rules], unknown: &[String], json: &Value) {
    assert!(unknown.is_empty(), "{unknown:?}");
    let perpetual = |s: &&Value| s.get("contractType").is_none_or(|t| t == "PERPETUAL");
    let symbols: Vec<_> = rows(&json["symbols"]).iter().filter(perpetual).collect();
    assert_eq!(rules.len(), symbols.len());
    for (r, s) in rules.iter().zip(symbols) {
        assert_eq!(
            (r.name.clone(), r.symbol.base(), r.symbol.quote()),
            (words(&s["symbol"]), s["baseAsset"].as_str().unwrap_or(""), s["quoteAsset"].as_str().unwrap_or(""))
        );
        assert_eq!(r.closed.is_none(), s["status"] == "TRADING");
        let filter = |kind: &str| rows(&s["filters"]).iter().find(|f| f["filterType"] == kind);
        let eight = |mantissa: i64, scale: u8| i128::from(mantissa) * 10i128.pow(8 - u32::from(scale));
        if let Some(f) = filter("PRICE_FILTER") {
            assert_eq!(eight(r.tick.mantissa(), r.price_scale), i128::from(at8(&f["tickSize"])));
        }
        if let Some(f) = filter("LOT_SIZE") {
            assert_eq!(eight(r.lot.mantissa(), r.qty_scale), i128::from(at8(&f["stepSize"])));
            assert_eq!(eight(r.qty_min.mantissa(), r.qty_scale), i128::from(at8(&f["minQty"])));
            assert_eq!(eight(r.qty_max.mantissa(), r.qty_scale), i128::from(at8(&f["maxQty"])));
        }
        if let Some(f) = filter("MARKET_LOT_SIZE") {
            // Ours is cut at the digits that orders have.
            let cut = i128::from(at8(&f["maxQty"])) - eight(r.qty_max_market.mantissa(), r.qty_scale);
            assert!((0..eight(1, r.qty_scale)).contains(&cut), "{}: {cut}", r.name);
        }
        if let Some(f) = filter("MIN_NOTIONAL") {
            let least = i128::from(at8(f.get("minNotional").unwrap_or(&f["notional"])));
            assert_eq!(r.notional_min * 10i128.pow(8), least * 10i128.pow(u32::from(r.price_scale + r.qty_scale)));
        }
    }
}

fn compare_act(reply: &ActReply, row: &Value) {
    let apart = row.get("algoId").is_some();
    let id = if apart { format!("algo-{}", words(&row["algoId"])) } else { words(&row["orderId"]) };
    assert_eq!(reply.venue_id, id);
    match row.get("code").map(words) {
        Some(code) if code.starts_with('-') => {
            assert_eq!(reply.refused.as_ref().map(|e| e.code.clone()), Some(code));
            return;
        }
        _ => assert_eq!(reply.refused, None),
    }
    if let Some(word) = row.get("status").or(row.get("algoStatus")) {
        assert_eq!(reply.status, status(&words(word)));
    }
    if let Some(filled) = row.get("executedQty") {
        assert_eq!(reply.filled.map(Qty::mantissa), Some(at8(filled)));
    }
}

pub(super) fn check_act(venue: &dyn Venue, listings: &Listings, body: &str, json: &Value) -> Result<(), Wrong> {
    let act = Act::Cancel(Cancel { instrument: ID, order: OrderRef::Venue("1".to_owned()) });
    let response = Response { status: 200, headers: Vec::new(), body: body.to_owned() };
    let replies = venue.act_reply(&act, &response, listings)?;
    let want: Vec<&Value> = rows(json)
        .iter()
        .filter(|r| r.get("orderId").or(r.get("algoId")).or(r.get("orderReports")).is_some())
        .flat_map(|r| r.get("orderReports").map_or(std::slice::from_ref(r), rows))
        .collect();
    assert_eq!(replies.len(), want.len());
    replies.iter().zip(want).for_each(|(reply, row)| compare_act(reply, row));
    Ok(())
}

/// The examples' ids are words; ours are numbers.
pub(super) fn check_said(venue: &dyn Venue, listings: &Listings, body: &str, json: &Value) -> Result<(), Wrong> {
    let numbered = body.replace(&json["id"].to_string(), "41");
    match venue.read_trade(&numbered, listings)? {
        TradeReply::Answered(41, Ok(replies)) => compare_act(&replies[0], &json["result"]),
        other => panic!("{other:?}"),
    }
    Ok(())
}
