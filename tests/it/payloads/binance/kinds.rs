//! What each payload is, by the name of its file or example, and which are none of ours.

use bellwether::exchange::{Ask, OrderRef, Product, Span};
use bellwether_sdk::{Interval, Ts};

use super::ID;

/// Refused, of the kinds that are read; with the reason.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("usdm#64 GET /fapi/v1/klines", "the example keeps one field of a bar's twelve"),
    ("usdm#118 test_partial_book_depth_streams_success", "the example's levels have no quantities"),
];

/// Of kinds that are none of ours; with the reason.
pub(super) const OUT_OF_SCOPE: &[(&str, &str)] = &[
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
pub(super) const EXAMPLES_OUT_OF_SCOPE: &[(&str, &str)] = &[
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
pub(super) enum Kind {
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

pub(super) fn file_kind(name: &str) -> Option<(Product, Kind)> {
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

pub(super) fn example_kind(name: &str) -> Option<Kind> {
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

pub(super) fn ask_of(kind: Kind) -> Option<Ask> {
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
