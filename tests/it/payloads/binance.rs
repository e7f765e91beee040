//! Binance: every payload at hand goes through the reader of its kind, and what was read is compared with the fields
//! of the same payload, looked up one by one.

use std::path::Path;

use bellwether::exchange::{
    AccountNote, Act, Ask, Cancel, Listings, Note, OrderRef, OrderStatus, Product, Reply, Response, Rules, Span,
    TradeReply, Venue, VenueError, venue,
};
use bellwether_sdk::{Aggressor, Depth, InstrumentId, Interval, Liquidity, Price, Qty, Side, Ts};
use serde_json::Value;

use super::{folder, text};

/// Refused, of the kinds that are read; with the reason.
const REFUSED: &[(&str, &str)] = &[
    ("usdm#64 GET /fapi/v1/klines", "the example keeps one field of a bar's twelve"),
    ("usdm#118 test_partial_book_depth_streams_success", "the example's levels have no quantities"),
];

/// Of kinds that are none of ours; with the reason.
const OUT_OF_SCOPE: &[(&str, &str)] = &[
    ("spot/user_data_sbe/", "descriptions of binary messages; we speak JSON"),
    ("ping_response", "pings are not asked"),
    ("spot_market_ping", "pings are not asked"),
    ("avg_price", "average prices are not asked"),
    ("ticker_price", "the last price comes with the day's ticker"),
    ("account_info_v2", "balances are asked by /fapi/v3/balance, positions by /fapi/v3/positionRisk"),
    ("futures_market_asset_index", "multi-asset margin"),
    ("blvt_nav", "leveraged tokens"),
    ("continuous_klines", "bars of pairs instead of contracts"),
    ("index_price_klines", "bars of an index"),
    ("mark_price_klines", "bars of mark prices"),
    ("long_short", "statistics"),
    ("index_info", "composite indices"),
    ("open_interest", "statistics"),
    ("premium_index", "the current funding rate comes by the stream"),
    ("futures_market_ticker_24hr", "best quotes are asked by bookTicker"),
    ("commission_rate", "fees are settings"),
    ("trading_fee", "fees are settings"),
    ("position_side_dual", "the position mode is not asked"),
    ("symbol_config", "leverage is not asked"),
];

/// Of the official connector's examples: paths and names of tests of kinds that are none of ours.
const EXAMPLES_OUT_OF_SCOPE: &[(&str, &str)] = &[
    ("/fapi/v1/countdownCancelAll", "a dead man's switch is not set"),
    ("/fapi/v1/leverage", "leverage is not set or asked"),
    ("/fapi/v1/leverageBracket", "leverage is not set or asked"),
    ("/fapi/v1/marginType", "margin is not set"),
    ("/fapi/v1/multiAssetsMargin", "margin is not set"),
    ("/fapi/v1/positionMargin", "margin is not set"),
    ("/fapi/v1/positionMargin/history", "margin is not set"),
    ("/fapi/v1/positionSide/dual", "the position mode is not set"),
    ("/fapi/v1/stock/contract", "contracts are not signed"),
    ("/fapi/v1/orderAmendment", "histories of amends are not asked"),
    ("/fapi/v1/adlQuantile", "statistics"),
    ("/fapi/v2/account", "balances and positions have their own questions"),
    ("/fapi/v3/account", "balances and positions have their own questions"),
    ("/fapi/v1/accountConfig", "settings of the account are not asked"),
    ("/fapi/v1/apiTradingStatus", "statistics"),
    ("/fapi/v1/feeBurn", "fees are settings"),
    ("/fapi/v1/order/asyn", "downloads of histories"),
    ("/fapi/v1/order/asyn/id", "downloads of histories"),
    ("/fapi/v1/trade/asyn", "downloads of histories"),
    ("/fapi/v1/trade/asyn/id", "downloads of histories"),
    ("/fapi/v1/income", "downloads of histories"),
    ("/fapi/v1/income/asyn", "downloads of histories"),
    ("/fapi/v1/income/asyn/id", "downloads of histories"),
    ("/fapi/v1/rateLimit/order", "limits come with the instruments"),
    ("/fapi/v1/symbolConfig", "leverage is not set or asked"),
    ("/fapi/v1/commissionRate", "fees are settings"),
    ("/fapi/v1/symbolAdlRisk", "statistics"),
    ("/fapi/v1/assetIndex", "multi-asset margin"),
    ("/fapi/v1/continuousKlines", "bars of pairs instead of contracts"),
    ("/fapi/v1/fundingInfo", "limits of funding rates are not asked"),
    ("/fapi/v1/indexInfo", "composite indices"),
    ("/fapi/v1/indexPriceKlines", "bars of an index"),
    ("/fapi/v1/markPriceKlines", "bars of mark prices"),
    ("/fapi/v1/premiumIndexKlines", "bars of an index"),
    ("/fapi/v1/premiumIndex", "the current funding rate comes by the stream"),
    ("/fapi/v1/openInterest", "statistics"),
    ("/fapi/v1/constituents", "composite indices"),
    ("/fapi/v1/insuranceBalance", "statistics"),
    ("/fapi/v1/ticker/24hr", "best quotes are asked by bookTicker"),
    ("/fapi/v1/ticker/price", "best quotes are asked by bookTicker"),
    ("/fapi/v2/ticker/price", "best quotes are asked by bookTicker"),
    ("/fapi/v1/tradingSchedule", "hours of shares"),
    ("basis_success", "statistics"),
    ("long_short", "statistics"),
    ("open_interest_statistics", "statistics"),
    ("buy_sell_volume", "statistics"),
    ("settlement_price", "dated contracts"),
    ("test_position_information", "positions are asked by REST"),
    ("test_account_information", "the account is asked by REST"),
    ("test_futures_account_balance", "the account is asked by REST"),
    ("all_market_mini_tickers", "lists of all instruments are not subscribed to"),
    ("all_market_tickers", "lists of all instruments are not subscribed to"),
    ("mark_price_stream_for_all", "lists of all instruments are not subscribed to"),
    ("test_asset_index", "lists of all instruments are not subscribed to"),
    ("composite_index", "composite indices"),
    ("continuous_contract", "bars of pairs instead of contracts"),
    ("trading_session", "hours of shares"),
];

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Time,
    Ticker,
    Book,
    Trades,
    History,
    Bars,
    Funding,
    SpotBalances,
    Balances,
    Positions,
    Orders,
    Order,
    Algos,
    Algo,
    Fills,
    Instruments,
    Ticket,
    Ticketed,
    Act,
    Said,
    Market,
    Account,
}

fn listings(product: Product) -> Listings {
    let settle = |quote: &str| if product == Product::Spot { String::new() } else { format!(":{quote}") };
    let pairs =
        ["BTC/USDT", "ETH/USDT", "BNB/USDT", "ADA/USDT", "DOGE/USDT", "BNB/BTC", "LTC/BTC", "ETH/BTC", "BTC/USD"];
    let rules = |pair: &&str| {
        let (base, quote) = pair.split_once('/').expect("a pair");
        let name = format!("{base}{quote}");
        let plain = super::rules(&format!("binance:{pair}{}", settle(quote)), &name, 8, 8);
        Rules { stream_name: name.to_lowercase(), ..plain }
    };
    Listings::new(pairs.iter().map(rules).enumerate().map(|(i, r)| (InstrumentId(i as u16), r)))
}

/// A decimal at eight digits, read without the code under test.
fn at8(value: &Value) -> i64 {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (negative, digits) = text.strip_prefix('-').map_or((false, text.as_str()), |d| (true, d));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction: String = fraction.chars().chain("00000000".chars()).take(8).collect();
    let mantissa: i64 = format!("{whole}{fraction}").parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    if negative { -mantissa } else { mantissa }
}

/// The text of a number or a string.
fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn millis(value: &Value) -> Ts {
    Ts::from_millis(value.as_i64().expect("milliseconds"))
}

fn status(word: &str) -> OrderStatus {
    match word {
        "NEW" | "NEW_ADL" | "NEW_INSURANCE" | "PENDING_CANCEL" => OrderStatus::Acknowledged,
        "PARTIALLY_FILLED" => OrderStatus::PartlyFilled,
        "FILLED" => OrderStatus::Filled,
        "CANCELED" => OrderStatus::Cancelled,
        "REJECTED" => OrderStatus::Rejected,
        "EXPIRED" | "EXPIRED_IN_MATCH" => OrderStatus::Expired,
        other => panic!("{other}: not in the list of the test"),
    }
}

fn file_kind(name: &str) -> Option<(Product, Kind)> {
    let product = if name.contains("futures") { Product::Linear } else { Product::Spot };
    let base = name.rsplit('/').next().unwrap_or(name).trim_end_matches(".json");
    let kind = match base {
        "server_time_response" | "http_spot_market_time" => Kind::Time,
        "book_ticker_response"
        | "http_spot_market_book_ticker"
        | "http_futures_market_book_ticker"
        | "ticker_24hr_response" => Kind::Ticker,
        "depth_response" | "http_spot_market_depth" | "http_futures_market_depth" => Kind::Book,
        "trades_response"
        | "http_spot_market_trades"
        | "http_spot_market_historical_trades"
        | "http_futures_market_trades"
        | "http_futures_market_historical_trades" => Kind::Trades,
        "http_spot_market_agg_trades" | "http_futures_market_agg_trades" => Kind::History,
        "klines_response" | "http_spot_market_klines" | "http_futures_market_klines" => Kind::Bars,
        "http_futures_market_funding_rate" => Kind::Funding,
        "account_response" | "http_spot_wallet_account" => Kind::SpotBalances,
        "balance" => Kind::Balances,
        "position_risk" | "http_futures_account_positions_hedge" | "http_futures_account_positions_one_way" => {
            Kind::Positions
        }
        "all_orders_response" | "open_orders_response" | "http_futures_account_orders" => Kind::Orders,
        "order_response" => Kind::Order,
        "open_algo_orders" => Kind::Algos,
        "account_trades_response" | "http_futures_account_trades" => Kind::Fills,
        "exchange_info_response" | "http_spot_market_exchange_info" | "http_futures_market_exchange_info" => {
            Kind::Instruments
        }
        "cancel_open_orders_response" | "cancel_order_response" | "new_order_full_response" => Kind::Act,
        _ if name.contains("market_data_json/") => Kind::Market,
        _ if name.contains("user_data_json/") => Kind::Account,
        _ if base.contains("_update_") && !base.contains("depth") => Kind::Account,
        _ if base.contains("execution_report") || base.contains("trade_lite") => Kind::Account,
        _ if name.contains("py_ws_messages/") => Kind::Market,
        _ => return None,
    };
    Some((product, kind))
}

fn example_kind(name: &str) -> Option<Kind> {
    let (_, what) = name.split_once(' ').expect("a name");
    Some(match what {
        "GET /fapi/v1/time" => Kind::Time,
        "GET /fapi/v1/ticker/bookTicker" => Kind::Ticker,
        "GET /fapi/v1/depth" | "GET /fapi/v1/rpiDepth" => Kind::Book,
        "GET /fapi/v1/trades" | "GET /fapi/v1/historicalTrades" => Kind::Trades,
        "GET /fapi/v1/aggTrades" => Kind::History,
        "GET /fapi/v1/klines" => Kind::Bars,
        "GET /fapi/v1/fundingRate" => Kind::Funding,
        "GET /fapi/v2/balance" | "GET /fapi/v3/balance" => Kind::Balances,
        "GET /fapi/v2/positionRisk" | "GET /fapi/v3/positionRisk" => Kind::Positions,
        "GET /fapi/v1/allOrders" | "GET /fapi/v1/openOrders" | "GET /fapi/v1/forceOrders" => Kind::Orders,
        "GET /fapi/v1/order" | "GET /fapi/v1/openOrder" => Kind::Order,
        "GET /fapi/v1/openAlgoOrders" | "GET /fapi/v1/allAlgoOrders" => Kind::Algos,
        "GET /fapi/v1/algoOrder" => Kind::Algo,
        "GET /fapi/v1/userTrades" => Kind::Fills,
        "GET /fapi/v1/exchangeInfo" => Kind::Instruments,
        "POST /fapi/v1/listenKey" => Kind::Ticket,
        "PUT /fapi/v1/listenKey" => Kind::Ticketed,
        _ if what.contains("rder") && what.contains(" /fapi/") => Kind::Act,
        "test_cancel_algo_order_success"
        | "test_cancel_order_success"
        | "test_modify_order_success"
        | "test_new_algo_order_success"
        | "test_new_order_success"
        | "test_query_order_success" => Kind::Said,
        _ if what.starts_with("test_") => Kind::Market,
        _ => return None,
    })
}

/// Why a payload was not read as it stands.
#[derive(Debug)]
struct Wrong(String);

impl From<VenueError> for Wrong {
    fn from(e: VenueError) -> Self {
        Self(e.to_string())
    }
}

impl From<bellwether::exchange::WireError> for Wrong {
    fn from(e: bellwether::exchange::WireError) -> Self {
        Self(e.to_string())
    }
}

const ID: InstrumentId = InstrumentId(0);

fn ask_of(kind: Kind) -> Option<Ask> {
    let minute = Interval::MINUTE;
    Some(match kind {
        Kind::Time => Ask::Time,
        Kind::Ticker => Ask::Ticker(ID),
        Kind::Book => Ask::Book(ID, 5),
        Kind::Trades => Ask::Trades(ID, 5),
        Kind::History => Ask::TradesFrom(ID, Ts::from_nanos(0)),
        Kind::Bars => Ask::Bars(ID, minute, Ts::from_nanos(0), Ts::MAX),
        Kind::Funding => Ask::Funding(ID, Ts::from_nanos(0), Ts::MAX),
        Kind::SpotBalances | Kind::Balances => Ask::Balances,
        Kind::Positions => Ask::Positions,
        Kind::Orders => Ask::OpenOrders(None),
        Kind::Order => Ask::Order(ID, OrderRef::Venue("1".to_owned())),
        Kind::Algos => Ask::OpenConditional(None),
        Kind::Algo => Ask::Order(ID, OrderRef::Venue("algo-1".to_owned())),
        Kind::Fills => Ask::Fills(ID, Span::new(Ts::from_nanos(0), Ts::from_nanos(0))),
        Kind::Instruments => Ask::Instruments,
        Kind::Ticket => Ask::StreamTicket,
        Kind::Ticketed => Ask::KeepTicket(String::new()),
        Kind::Act | Kind::Said | Kind::Market | Kind::Account => return None,
    })
}

fn check(product: Product, kind: Kind, body: &str) -> Result<(), Wrong> {
    let venue = venue("binance", product).expect("built in");
    let listings = listings(product);
    let json: Value = serde_json::from_str(body).expect("json");
    if let Some(ask) = ask_of(kind) {
        let response = Response { status: 200, headers: Vec::new(), body: body.to_owned() };
        check_reply(kind, venue.reply(&ask, &response, &listings)?, &json, &listings);
        return Ok(());
    }
    match kind {
        Kind::Act => check_act(&*venue, &listings, body, &json),
        Kind::Said => check_said(&*venue, &listings, body, &json),
        Kind::Market => check_market(&*venue, &listings, body, &json),
        _ => check_account(&*venue, &listings, body, &json),
    }
}

fn rows(json: &Value) -> &[Value] {
    json.as_array().map_or(std::slice::from_ref(json), Vec::as_slice)
}

fn listed<'a>(listings: &Listings, rows: &'a [Value]) -> Vec<&'a Value> {
    rows.iter().filter(|r| listings.named(r["symbol"].as_str().unwrap_or("")).is_some()).collect()
}

fn check_reply(kind: Kind, reply: Reply, json: &Value, listings: &Listings) {
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

fn check_balances(kind: Kind, balances: &[bellwether::exchange::Balance], json: &Value) {
    let want: Vec<(String, i64, i64)> = if kind == Kind::SpotBalances {
        let all = rows(&json["balances"]).iter();
        all.map(|b| (words(&b["asset"]), at8(&b["free"]) + at8(&b["locked"]), at8(&b["free"]))).collect()
    } else {
        let all = rows(json).iter();
        all.map(|b| (words(&b["asset"]), at8(&b["balance"]), at8(&b["availableBalance"]))).collect()
    };
    let want: Vec<_> = want.into_iter().filter(|b| b.1 != 0).collect();
    let eight = |d: bellwether_sdk::Decimal| d.at_scale(8).expect("fits");
    let got: Vec<_> = balances.iter().map(|b| (b.currency.clone(), eight(b.total), eight(b.free))).collect();
    assert_eq!(got, want);
}

fn check_orders(kind: Kind, orders: &[bellwether::exchange::OrderRow], others: u32, json: &Value, listings: &Listings) {
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

fn compare_act(reply: &bellwether::exchange::ActReply, row: &Value) {
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

fn check_act(venue: &dyn Venue, listings: &Listings, body: &str, json: &Value) -> Result<(), Wrong> {
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
fn check_said(venue: &dyn Venue, listings: &Listings, body: &str, json: &Value) -> Result<(), Wrong> {
    let numbered = body.replace(&json["id"].to_string(), "41");
    match venue.read_trade(&numbered, listings)? {
        TradeReply::Answered(41, Ok(replies)) => compare_act(&replies[0], &json["result"]),
        other => panic!("{other:?}"),
    }
    Ok(())
}

fn check_market(venue: &dyn Venue, listings: &Listings, body: &str, json: &Value) -> Result<(), Wrong> {
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

fn check_account(venue: &dyn Venue, listings: &Listings, body: &str, json: &Value) -> Result<(), Wrong> {
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

fn files(folder: &Path, below: &Path, into: &mut Vec<String>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(below).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(folder, &path, into);
        } else {
            into.push(path.strip_prefix(folder).expect("below").to_string_lossy().into_owned());
        }
    }
}

fn is_in(list: &[(&str, &str)], name: &str) -> bool {
    list.iter().any(|(part, _)| name.contains(part))
}

#[test]
fn every_payload_at_hand_is_read_as_it_stands() {
    let Some(folder) = folder("binance") else { return };
    let mut names = Vec::new();
    files(&folder, &folder, &mut names);
    let (mut read, mut refused, mut others) = (0, Vec::new(), 0);
    let mut take = |name: &str, kind: Option<(Product, Kind)>, body: &str| {
        let (product, kind) = kind.unwrap_or_else(|| panic!("{name}: in no list"));
        match std::panic::catch_unwind(|| check(product, kind, body)) {
            Ok(Ok(())) => read += 1,
            Ok(Err(Wrong(why))) => {
                assert!(REFUSED.iter().any(|(n, _)| *n == name), "{name}: refused: {why}");
                refused.push(name.to_owned());
            }
            Err(_) => panic!("{name} ({kind:?}): what was read differs, or could not be compared"),
        }
    };
    for name in names {
        if name == "usdm_official_connector_examples.json" {
            let examples: Vec<Value> = serde_json::from_str(&text(&folder, &name)).expect("examples");
            for (i, example) in examples.iter().enumerate() {
                let what = match (example["method"].as_str(), example["path"].as_str()) {
                    (Some(method), Some(path)) => format!("{method} {path}"),
                    _ => words(&example["test"]),
                };
                let out = |(part, _): &(&str, &str)| {
                    if part.starts_with('/') { what.ends_with(&format!(" {part}")) } else { what.contains(part) }
                };
                if EXAMPLES_OUT_OF_SCOPE.iter().any(out) {
                    others += 1;
                    continue;
                }
                let name = format!("usdm#{i} {what}");
                let kind = example_kind(&name).map(|kind| (Product::Linear, kind));
                take(&name, kind, &example["example"].to_string());
            }
        } else if is_in(OUT_OF_SCOPE, &name) {
            others += 1;
        } else {
            take(&name, file_kind(&name), &text(&folder, &name));
        }
    }
    eprintln!("binance: {read} payloads read and compared, {} refused, {others} of other kinds", refused.len());
    assert_eq!(refused.len(), REFUSED.len(), "{refused:?}");
    assert!(refused.len() * 20 <= read + refused.len());
}
