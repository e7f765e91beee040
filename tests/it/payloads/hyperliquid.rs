//! Hyperliquid's payloads through its codec, each compared with what a plain JSON reader finds in it. Some were made by
//! hand with prices finer than the venue's rule, so that the listing here has two decimals for them.

use bellwether::exchange::{
    AccountNote, Ask, FillNote, Listings, Note, Product, Reply, Response, Rules, Span, Venue, venue,
};
use bellwether_sdk::{Aggressor, InstrumentId, Level, Liquidity, Price, Qty, Side, Ts};
use serde_json::Value;

use super::{folder, mantissa, text};

/// What the codec refuses although it is of a kind that it reads.
const REFUSED: &[(&str, &str)] = &[];

/// Files of kinds that this codec does not read.
const OUT_OF_SCOPE: &[(&str, &str)] = &[
    ("http_all_perp_metas_non_usdc_collateral.json", "perpetuals of builders"),
    ("http_spot_clearinghouse_state.json", "spot"),
    ("http_spot_meta_non_usdc_collateral.json", "spot"),
    ("ws_all_dexs_asset_ctxs.json", "all builders at once; funding is read from activeAssetCtx"),
    ("ws_allmids.json", "mids are no quotes"),
];

const BTC: InstrumentId = InstrumentId(0);

fn rules(coin: &str, price_scale: u8, qty_scale: u8) -> Rules {
    let plain = super::rules(&format!("hyperliquid:{coin}/USDC:USDC"), coin, price_scale, qty_scale);
    Rules { significant_digits: 5, ..plain }
}

fn listings() -> Listings {
    let coins = [("BTC", 2, 5), ("ARB", 5, 1), ("JUP", 6, 0), ("MANTA", 5, 1)];
    Listings::new((0..).map(InstrumentId).zip(coins.map(|(coin, price, qty)| rules(coin, price, qty))))
}

fn hyperliquid() -> Box<dyn Venue> {
    venue("hyperliquid", Product::Linear).expect("built in")
}

fn reply(ask: &Ask, body: &str) -> Reply {
    let response = Response { status: 200, headers: Vec::new(), body: body.to_owned() };
    hyperliquid().reply(ask, &response, &listings()).unwrap_or_else(|e| panic!("{ask:?}: {e}"))
}

fn price(value: &Value) -> i64 {
    mantissa(value, 2)
}

fn qty(value: &Value) -> i64 {
    mantissa(value, 5)
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("a list").iter()
}

fn millis(value: &Value) -> Ts {
    Ts::from_millis(value.as_i64().expect("a number"))
}

fn levels(value: &Value) -> Vec<Level> {
    let side = |side, at: usize| {
        rows(&value["levels"][at]).map(move |l| Level {
            side,
            price: Price::from_mantissa(price(&l["px"])),
            qty: Qty::from_mantissa(qty(&l["sz"])),
        })
    };
    side(Side::Buy, 0).chain(side(Side::Sell, 1)).collect()
}

/// Compares a fill, whose coin has these scales.
fn same(fill: &FillNote, want: &Value) {
    let listings = listings();
    let rules = &listings.get(fill.instrument).expect("listed").rules;
    assert_eq!(rules.name, want["coin"].as_str().expect("text"));
    assert_eq!(fill.price.mantissa(), mantissa(&want["px"], rules.price_scale));
    assert_eq!(fill.qty.mantissa(), mantissa(&want["sz"], rules.qty_scale));
    assert_eq!((fill.trade_id.clone(), fill.venue_id.clone()), (want["tid"].to_string(), want["oid"].to_string()));
    assert_eq!(fill.fee, want["fee"].as_str().expect("text").parse().expect("a number"));
    assert_eq!(fill.fee_currency, want["feeToken"].as_str().expect("text"));
    assert_eq!(fill.liquidity == Liquidity::Taker, want["crossed"].as_bool().expect("a flag"));
    assert_eq!(fill.side == Side::Buy, want["side"] == "B");
    assert_eq!(fill.ts_venue, millis(&want["time"]));
    assert_eq!(fill.client_id, want["cloid"].as_str().unwrap_or_default());
}

/// Reads a file and compares it; `false` for a file that no reader is meant for.
fn read(file: &str, body: &str) -> bool {
    let value: Value = serde_json::from_str(body).expect("JSON");
    match file {
        "http_meta_perp_sample.json" => {
            let Reply::Instruments(known, unknown) = reply(&Ask::Instruments, body) else { panic!("instruments") };
            assert!(unknown.is_empty(), "{unknown:?}");
            for (index, (row, want)) in known.iter().zip(rows(&value["universe"])).enumerate() {
                assert_eq!((row.name.as_str(), row.index as usize), (want["name"].as_str().expect("text"), index));
                assert_eq!(u64::from(row.qty_scale), want["szDecimals"].as_u64().expect("a number"));
                assert_eq!(row.price_scale + row.qty_scale, 6);
            }
            assert_eq!(known.len(), 3);
        }
        "http_l2_book_btc.json" | "http_l2_book_snapshot.json" => {
            let Reply::Book(book) = reply(&Ask::Book(BTC, 5), body) else { panic!("a book") };
            assert_eq!((book.levels, book.ts_venue), (levels(&value), millis(&value["time"])));
        }
        "ws_book_data.json" => {
            let mut books = Vec::new();
            let mut sink = |note: Note<'_>| {
                if let Note::Depth(depth, None) = note {
                    books.push((depth.snapshot, depth.ts_venue, depth.levels.to_vec()));
                }
            };
            let message = format!("{{\"channel\":\"l2Book\",\"data\":{body}}}");
            hyperliquid().read_market(&message, &listings(), Ts::from_nanos(0), &mut sink).expect("read");
            assert_eq!(books, [(true, millis(&value["time"]), levels(&value))]);
        }
        "http_recent_trades_btc.json" => {
            let Reply::Trades(trades) = reply(&Ask::Trades(BTC, 10), body) else { panic!("trades") };
            let mut want: Vec<_> = rows(&value)
                .map(|t| {
                    let aggressor = if t["side"] == "B" { Aggressor::Buyer } else { Aggressor::Seller };
                    (t["tid"].to_string(), millis(&t["time"]), price(&t["px"]), qty(&t["sz"]), aggressor)
                })
                .collect();
            want.reverse();
            let have: Vec<_> = trades
                .into_iter()
                .map(|t| (t.id, t.ts_venue, t.price.mantissa(), t.qty.mantissa(), t.aggressor))
                .collect();
            assert_eq!(have, want);
        }
        "http_funding_history.json" => {
            let Reply::Funding(have) = reply(&Ask::Funding(BTC, Ts::from_nanos(0), Ts::MAX), body) else {
                panic!("rates")
            };
            let want: Vec<_> = rows(&value).map(|r| (millis(&r["time"]), mantissa(&r["fundingRate"], 12))).collect();
            let have: Vec<_> = have.iter().map(|r| (r.ts_venue, r.rate.mantissa())).collect();
            assert_eq!(have, want);
        }
        "http_clearinghouse_state_negative_total_raw_usd.json" => {
            let Reply::Balances(rows) = reply(&Ask::Balances, body) else { panic!("balances") };
            let text = |value: &Value| value.as_str().expect("text").parse().expect("a number");
            assert_eq!(rows[0].total, text(&value["crossMarginSummary"]["accountValue"]));
            assert_eq!(rows[0].free, text(&value["withdrawable"]));
            assert_eq!(reply(&Ask::Positions, body), Reply::Positions(Vec::new()));
        }
        "http_user_fills_dust_conversion.json" => {
            for listing in listings().iter() {
                let Reply::Fills(have, _) =
                    reply(&Ask::Fills(listing.id, Span::new(Ts::from_nanos(0), Ts::from_nanos(0))), body)
                else {
                    panic!("fills")
                };
                let want: Vec<_> = rows(&value).filter(|f| f["coin"] == listing.rules.name.as_str()).collect();
                assert_eq!(have.len(), want.len(), "{}", listing.rules.name);
                have.iter().zip(want).for_each(|(have, want)| same(have, want));
            }
        }
        "ws_user_fill_liquidation.json" => {
            let notes = hyperliquid().read_account(body, &listings()).expect("read");
            let [AccountNote::Fill(fill)] = notes.as_slice() else { panic!("{notes:?}") };
            same(fill, &value["data"]["fills"][0]);
        }
        _ => return false,
    }
    true
}

#[test]
fn hyperliquids_payloads_are_read_to_the_digit() {
    let Some(folder) = folder("hyperliquid") else { return };
    let out = |file: &str| OUT_OF_SCOPE.iter().any(|(f, _)| *f == file);
    super::every_file_is_read(&folder, REFUSED, out, |file| read(file, &text(&folder, file)));
}
