//! Messages of the market's and the account's streams, against the fields of their payloads.

use bellwether::exchange::{AccountNote, Listings, Note, OrderStatus, Venue};
use bellwether_sdk::{Aggressor, Depth, Liquidity, Price, Qty, Side, Ts};
use serde_json::Value;

use super::{Wrong, at8, millis, rows, status, words};

pub(super) fn check_market(venue: &dyn Venue, listings: &Listings, body: &str, json: &Value) -> Result<(), Wrong> {
    let data = json.get("data").unwrap_or(json);
    let mut count = 0;
    let mut sink = |note: Note<'_>| {
        count += 1;
        match note {
            Note::Trade(t, id) => {
                let key = if data["e"] == "aggTrade" { "a" } else { "t" };
                assert_eq!(id, data[key].as_u64().expect("an id"));
                assert_eq!((t.price.mantissa(), t.qty.mantissa()), (at8(&data["p"]), at8(&data["q"])));
                assert_eq!(t.ts_venue, millis(&data["T"]));
                assert_eq!(t.aggressor == Aggressor::Seller, data["m"] == true);
            }
            Note::Quote(q) => {
                assert_eq!((q.bid.mantissa(), q.bid_qty.mantissa()), (at8(&data["b"]), at8(&data["B"])));
                assert_eq!((q.ask.mantissa(), q.ask_qty.mantissa()), (at8(&data["a"]), at8(&data["A"])));
            }
            Note::Depth(d, None) => check_depth(&d, data),
            Note::Bar(b, closed) => {
                let k = &data["k"];
                let got = [b.open, b.high, b.low, b.close].map(Price::mantissa);
                assert_eq!(got, ["o", "h", "l", "c"].map(|f| at8(&k[f])));
                assert_eq!((b.volume.mantissa(), closed), (at8(&k["v"]), k["x"] == true));
                assert_eq!((b.ts_open, b.ts_close), (millis(&k["t"]), millis(&k["T"]).plus(1_000_000)));
            }
            Note::FundingRate(_, Some(rate), next, mark) => {
                assert_eq!((rate.mantissa(), next), (at8(&data["r"]) * 10_000, millis(&data["T"])));
                assert_eq!(mark.mantissa(), at8(&data["p"]));
            }
            Note::Ignored => {
                let kind = data["e"].as_str().unwrap_or("");
                assert!(["forceOrder", "24hrTicker", "24hrMiniTicker", "contractInfo"].contains(&kind), "{data}");
            }
            other => panic!("{other:?}"),
        }
    };
    venue.read_market(body, listings, Ts::from_nanos(1), &mut sink)?;
    assert_eq!(count, 1);
    Ok(())
}

fn check_depth(d: &Depth<'_>, data: &Value) {
    let number = |key: &str| data[key].as_i64().expect("a number");
    assert_eq!((d.first_id, d.last_id), (number("U"), number("u")));
    assert_eq!(d.prev_id, data["pu"].as_i64().unwrap_or(0));
    let side =
        |name: &str, side| rows(&data[name]).iter().map(move |l| (side, at8(&l[0]), at8(&l[1]))).collect::<Vec<_>>();
    let want = [side("b", Side::Buy), side("a", Side::Sell)].concat();
    let got: Vec<_> = d.levels.iter().map(|l| (l.side, l.price.mantissa(), l.qty.mantissa())).collect();
    assert_eq!(got, want);
}

pub(super) fn check_account(venue: &dyn Venue, listings: &Listings, body: &str, json: &Value) -> Result<(), Wrong> {
    let event = json.get("event").or(json.get("data")).unwrap_or(json);
    let notes = venue.read_account(body, listings)?;
    match event["e"].as_str().expect("a kind") {
        "executionReport" => check_report(&notes, event, listings),
        "ORDER_TRADE_UPDATE" => check_report(&notes, &event["o"], listings),
        "ALGO_UPDATE" => {
            let o = &event["o"];
            let [AccountNote::Order(note)] = notes.as_slice() else { panic!("{notes:?}") };
            assert_eq!(note.client_id, words(&o["caid"]));
            let actual = words(&o["ai"]);
            assert_eq!(note.venue_id, if actual.is_empty() { format!("algo-{}", words(&o["aid"])) } else { actual });
            let want = match words(&o["X"]).as_str() {
                "TRIGGERING" | "TRIGGERED" => OrderStatus::Acknowledged,
                "FINISHED" if at8(&o["aq"]) == at8(&o["q"]) => OrderStatus::Filled,
                "FINISHED" => OrderStatus::Unknown,
                word => status(word),
            };
            assert_eq!(note.status, want);
        }
        "outboundAccountPosition" => {
            for (note, b) in notes.iter().zip(rows(&event["B"])) {
                let AccountNote::Balance(got) = note else { panic!("{note:?}") };
                assert_eq!(got.total.at_scale(8), Ok(at8(&b["f"]) + at8(&b["l"])));
                assert_eq!((got.free.at_scale(8), got.currency.clone()), (Ok(at8(&b["f"])), words(&b["a"])));
            }
            assert_eq!(notes.len(), rows(&event["B"]).len());
        }
        "ACCOUNT_UPDATE" => {
            let balances: Vec<_> = notes.iter().filter(|n| matches!(n, AccountNote::Balance(_))).collect();
            assert_eq!(balances.len(), rows(&event["a"]["B"]).len());
            for (note, b) in balances.iter().zip(rows(&event["a"]["B"])) {
                let AccountNote::Balance(got) = note else { panic!("{note:?}") };
                assert_eq!((got.total.at_scale(8), got.currency.clone()), (Ok(at8(&b["wb"])), words(&b["a"])));
            }
            for note in &notes {
                if let AccountNote::Position(p) = note {
                    let both = rows(&event["a"]["P"]).iter().find(|p| p["ps"] == "BOTH").expect("one-way");
                    assert_eq!(p.qty.mantissa(), at8(&both["pa"]));
                }
            }
        }
        "balanceUpdate" | "listStatus" | "TRADE_LITE" => assert_eq!(notes, [AccountNote::Ignored]),
        other => panic!("{other}: {notes:?}"),
    }
    Ok(())
}

fn check_report(notes: &[AccountNote], o: &Value, listings: &Listings) {
    if listings.named(&words(&o["s"])).is_none() {
        assert_eq!(notes, [AccountNote::Ignored]);
        return;
    }
    let Some(AccountNote::Order(order)) = notes.last() else { panic!("{notes:?}") };
    let original = o["C"].as_str().filter(|c| !c.is_empty());
    assert_eq!(
        (order.venue_id.clone(), order.client_id.clone()),
        (words(&o["i"]), original.map_or(words(&o["c"]), str::to_owned))
    );
    assert_eq!((order.status, order.filled.map(Qty::mantissa)), (status(&words(&o["X"])), Some(at8(&o["z"]))));
    let filled =
        ["TRADE", "CALCULATED"].contains(&o["x"].as_str().unwrap_or("")) && at8(&o["l"]) > 0 && at8(&o["L"]) > 0;
    match notes {
        [AccountNote::Fill(f), _] if filled => {
            assert_eq!((f.trade_id.clone(), f.venue_id.clone()), (words(&o["t"]), words(&o["i"])));
            assert_eq!((f.price.mantissa(), f.qty.mantissa()), (at8(&o["L"]), at8(&o["l"])));
            assert_eq!(f.fee.at_scale(8), Ok(o.get("n").filter(|n| !n.is_null()).map_or(0, at8)));
            assert_eq!(f.fee_currency, o["N"].as_str().unwrap_or(""));
            assert_eq!((f.side == Side::Buy, f.liquidity == Liquidity::Maker), (o["S"] == "BUY", o["m"] == true));
        }
        [_] if !filled => {}
        other => panic!("{other:?}"),
    }
}
