//! What differs between spot and futures: paths, weights, methods, streams.
//!
//! Weights and paths from the venue's REST and WebSocket API documents (2026-07). Nothing here decides anything.

use super::super::{Method, Product};

/// Something that can be read by REST.
pub(super) struct Route {
    /// The path.
    pub path: &'static str,
    /// Its request weight.
    pub weight: u32,
}

/// Something that can be done with orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// Places one.
    Place,
    /// Places one that waits for a trigger, where these live apart.
    PlaceAlgo,
    /// Places several.
    PlaceMany,
    /// Changes one.
    Amend,
    /// Cancels one.
    Cancel,
    /// Cancels one that waits for a trigger, where these live apart.
    CancelAlgo,
    /// Cancels several.
    CancelMany,
    /// Cancels one and places another.
    CancelReplace,
    /// Cancels all of an instrument.
    CancelAll,
    /// Cancels all of an instrument that wait for a trigger, where these live apart.
    CancelAllAlgo,
}

/// How a verb is said.
pub(super) struct Door {
    /// The verb.
    pub verb: Verb,
    /// The method of REST.
    pub method: Method,
    /// The path of REST.
    pub path: &'static str,
    /// Its request weight.
    pub weight: u32,
    /// The method of the WebSocket API, if it has one.
    pub socket: Option<&'static str>,
}

/// The table of one product.
#[derive(Debug)]
pub(super) struct Dialect {
    /// Which product.
    pub product: Product,
    /// The clock.
    pub time: Route,
    /// Instruments and rules.
    pub instruments: Route,
    /// Best quote; with the last price on spot.
    pub ticker: Route,
    /// The book.
    pub book: Route,
    /// Sizes of books that the venue gives, with their weights, rising.
    pub book_sizes: &'static [(u32, u32)],
    /// Whether a book of a size between those may be asked for.
    pub book_any_size: bool,
    /// The last trades.
    pub trades: Route,
    /// Aggregated trades.
    pub history: Route,
    /// Bars.
    pub bars: Route,
    /// Most bars in an answer.
    pub bars_max: u32,
    /// Funding settlements.
    pub funding: Option<Route>,
    /// Balances.
    pub balances: Route,
    /// Positions.
    pub positions: Option<Route>,
    /// Open orders of one instrument.
    pub open_orders: Route,
    /// Weight of open orders of all instruments.
    pub open_orders_all_weight: u32,
    /// Open orders that wait for a trigger, where these live apart.
    pub open_algo: Option<Route>,
    /// Weight of those of all instruments.
    pub open_algo_all_weight: u32,
    /// One order.
    pub order: Route,
    /// One order that waits for a trigger, where these live apart.
    pub algo: Option<Route>,
    /// Our fills.
    pub fills: Route,
    /// Days that a question about fills reaches from its beginning on, and how many days they are kept; `None` where it
    /// reaches to now.
    pub fills_days: Option<(i64, i64)>,
    /// What changed the wallet beside orders, where it is one list.
    pub income: Option<Route>,
    /// The ticket of the private stream.
    pub ticket: Option<Route>,
    /// What can be done with orders.
    pub doors: &'static [Door],
    /// The stream of trades.
    pub trade_stream: &'static str,
    /// What follows the market host for streams of best quotes and depth.
    pub public_path: &'static str,
    /// What follows the market host for all other streams.
    pub market_path: &'static str,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.path)
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.verb)
    }
}

impl Dialect {
    /// How a verb is said; `None` where the product has no such thing.
    pub(super) fn door(&self, verb: Verb) -> Option<&'static Door> {
        self.doors.iter().find(|d| d.verb == verb)
    }

    /// Whether orders that wait for a trigger live apart.
    pub(super) fn apart(&self) -> bool {
        self.algo.is_some()
    }

    /// Its name in messages.
    pub(super) fn name(&self) -> &'static str {
        match self.product {
            Product::Spot => "binance spot",
            Product::Linear => "binance futures",
        }
    }
}

/// Spot.
pub(super) static SPOT: Dialect = Dialect {
    product: Product::Spot,
    time: Route { path: "/api/v3/time", weight: 1 },
    instruments: Route { path: "/api/v3/exchangeInfo", weight: 20 },
    ticker: Route { path: "/api/v3/ticker/24hr", weight: 2 },
    book: Route { path: "/api/v3/depth", weight: 250 },
    book_sizes: &[(100, 5), (500, 25), (1000, 50), (5000, 250)],
    book_any_size: true,
    trades: Route { path: "/api/v3/trades", weight: 25 },
    history: Route { path: "/api/v3/aggTrades", weight: 4 },
    bars: Route { path: "/api/v3/klines", weight: 2 },
    bars_max: 1000,
    funding: None,
    balances: Route { path: "/api/v3/account", weight: 20 },
    positions: None,
    open_orders: Route { path: "/api/v3/openOrders", weight: 6 },
    open_orders_all_weight: 80,
    open_algo: None,
    open_algo_all_weight: 0,
    order: Route { path: "/api/v3/order", weight: 4 },
    algo: None,
    fills: Route { path: "/api/v3/myTrades", weight: 20 },
    fills_days: None,
    income: None,
    ticket: None,
    doors: &[
        Door { verb: Verb::Place, method: Method::Post, path: "/api/v3/order", weight: 1, socket: Some("order.place") },
        Door {
            verb: Verb::Cancel,
            method: Method::Delete,
            path: "/api/v3/order",
            weight: 1,
            socket: Some("order.cancel"),
        },
        Door {
            verb: Verb::Amend,
            method: Method::Put,
            path: "/api/v3/order/amend/keepPriority",
            weight: 4,
            socket: Some("order.amend.keepPriority"),
        },
        Door {
            verb: Verb::CancelReplace,
            method: Method::Post,
            path: "/api/v3/order/cancelReplace",
            weight: 1,
            socket: Some("order.cancelReplace"),
        },
        Door {
            verb: Verb::CancelAll,
            method: Method::Delete,
            path: "/api/v3/openOrders",
            weight: 1,
            socket: Some("openOrders.cancelAll"),
        },
    ],
    trade_stream: "trade",
    public_path: "",
    market_path: "",
};

/// Perpetual contracts margined in their quote currency.
pub(super) static FUTURES: Dialect = Dialect {
    product: Product::Linear,
    time: Route { path: "/fapi/v1/time", weight: 1 },
    instruments: Route { path: "/fapi/v1/exchangeInfo", weight: 1 },
    ticker: Route { path: "/fapi/v1/ticker/bookTicker", weight: 2 },
    book: Route { path: "/fapi/v1/depth", weight: 20 },
    book_sizes: &[(5, 2), (10, 2), (20, 2), (50, 2), (100, 5), (500, 10), (1000, 20)],
    book_any_size: false,
    trades: Route { path: "/fapi/v1/trades", weight: 5 },
    history: Route { path: "/fapi/v1/aggTrades", weight: 20 },
    bars: Route { path: "/fapi/v1/klines", weight: 10 },
    bars_max: 1500,
    funding: Some(Route { path: "/fapi/v1/fundingRate", weight: 1 }),
    balances: Route { path: "/fapi/v3/balance", weight: 5 },
    positions: Some(Route { path: "/fapi/v3/positionRisk", weight: 5 }),
    open_orders: Route { path: "/fapi/v1/openOrders", weight: 1 },
    open_orders_all_weight: 40,
    open_algo: Some(Route { path: "/fapi/v1/openAlgoOrders", weight: 1 }),
    open_algo_all_weight: 40,
    order: Route { path: "/fapi/v1/order", weight: 1 },
    algo: Some(Route { path: "/fapi/v1/algoOrder", weight: 1 }),
    fills: Route { path: "/fapi/v1/userTrades", weight: 5 },
    fills_days: Some((7, 180)),
    income: Some(Route { path: "/fapi/v1/income", weight: 30 }),
    ticket: Some(Route { path: "/fapi/v1/listenKey", weight: 1 }),
    doors: &[
        // The order limits count it; the address' weight does not.
        Door {
            verb: Verb::Place,
            method: Method::Post,
            path: "/fapi/v1/order",
            weight: 0,
            socket: Some("order.place"),
        },
        Door {
            verb: Verb::PlaceAlgo,
            method: Method::Post,
            path: "/fapi/v1/algoOrder",
            weight: 1,
            socket: Some("algoOrder.place"),
        },
        Door { verb: Verb::PlaceMany, method: Method::Post, path: "/fapi/v1/batchOrders", weight: 5, socket: None },
        Door {
            verb: Verb::Amend,
            method: Method::Put,
            path: "/fapi/v1/order",
            weight: 1,
            socket: Some("order.modify"),
        },
        Door {
            verb: Verb::Cancel,
            method: Method::Delete,
            path: "/fapi/v1/order",
            weight: 1,
            socket: Some("order.cancel"),
        },
        Door {
            verb: Verb::CancelAlgo,
            method: Method::Delete,
            path: "/fapi/v1/algoOrder",
            weight: 1,
            socket: Some("algoOrder.cancel"),
        },
        Door { verb: Verb::CancelMany, method: Method::Delete, path: "/fapi/v1/batchOrders", weight: 1, socket: None },
        Door { verb: Verb::CancelAll, method: Method::Delete, path: "/fapi/v1/allOpenOrders", weight: 1, socket: None },
        Door {
            verb: Verb::CancelAllAlgo,
            method: Method::Delete,
            path: "/fapi/v1/algoOpenOrders",
            weight: 1,
            socket: None,
        },
    ],
    trade_stream: "aggTrade",
    public_path: "/public",
    market_path: "/market",
};
