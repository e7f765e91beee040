//! Bybit: spot and contracts settled in USDT.

use super::*;

fn wrapped(result: &str) -> Response {
    ok(format!(r#"{{"retCode":0,"retMsg":"OK","result":{result},"retExtInfo":{{}},"time":1700000120000}}"#))
}

fn order_row(category: &str) -> String {
    format!(
        r#"{{"category":"{category}","symbol":"BTCUSDT","orderId":"v1","side":"Buy","orderType":"Limit","cancelType":"UNKNOWN","price":"90.00","qty":"0.005","timeInForce":"GTC","orderStatus":"PartiallyFilled","orderLinkId":"{CLIENT_TEXT}","cumExecQty":"0.002","createdTime":"1672364262444","updatedTime":"1672364262457","rejectReason":"EC_NoError","triggerPrice":""}}"#
    )
}

pub(super) fn script(product: Product) -> Script {
    let (category, symbol) = match product {
        Product::Spot => ("spot", "bybit:BTC/USDT"),
        Product::Linear => ("linear", "bybit:BTC/USDT:USDT"),
    };
    let mut script = super::script(
        listing(symbol, "BTCUSDT", (2, 3), Decimal::new(1, 0)),
        keys(Scheme::HmacSha256, "", [("key-one", "hmac-secret-one"), ("key-two", "hmac-secret-two")]),
    );
    script.market = texts(&[
        r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1709891679005,"data":[{"T":1709891679000,"s":"BTCUSDT","S":"Buy","v":"0.010","p":"27451.50","L":"PlusTick","i":"2290000000061666327","BT":false,"seq":1}]}"#,
        r#"{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":1709891679500,"data":{"s":"BTCUSDT","b":[["27450.00","0.4"]],"a":[["27451.00","0.1"]],"u":18,"seq":99},"cts":1709891679400}"#,
        r#"{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1709891679500,"data":{"s":"BTCUSDT","b":[["27450.00","0.4"]],"a":[["27451.00","0"]],"u":18,"seq":99},"cts":1709891679400}"#,
        r#"{"topic":"kline.1.BTCUSDT","data":[{"start":1672324800000,"end":1672324859999,"interval":"1","open":"16649.5","close":"16677","high":"16678","low":"16608","volume":"2.081","turnover":"34666.4005","confirm":true,"timestamp":1672324988882}],"ts":1672324988882,"type":"snapshot"}"#,
        r#"{"success":true,"ret_msg":"","conn_id":"c","req_id":"","op":"subscribe"}"#,
    ]);
    script.account = vec![
        format!(r#"{{"id":"m","topic":"order","creationTime":1672364262474,"data":[{}]}}"#, order_row(category)),
        format!(
            r#"{{"topic":"execution","id":"x","creationTime":1,"data":[{{"category":"{category}","symbol":"BTCUSDT","execFee":"0.0015","feeCurrency":"USDT","execId":"t1","execPrice":"90.00","execQty":"0.002","execType":"Trade","feeRate":"0","orderId":"v1","orderLinkId":"{CLIENT_TEXT}","side":"Buy","execTime":"1746270400353","isMaker":true}}]}}"#
        ),
        r#"{"id":"w","topic":"wallet","creationTime":1,"data":[{"coin":[{"coin":"USDT","walletBalance":"100","locked":"10","totalOrderIM":"20.5","totalPositionIM":"0"}]}]}"#.to_owned(),
    ];
    script.trade = texts(&[
        r#"{"reqId":"42","retCode":0,"retMsg":"OK","op":"order.create","data":{"orderId":"v9","orderLinkId":"z"},"connId":"c"}"#,
        r#"{"reqId":"43","retCode":110007,"retMsg":"not enough","op":"order.create","data":{},"connId":"c"}"#,
    ]);
    script.replies = vec![
        (Ask::Time, wrapped(r#"{"timeSecond":"1750000000","timeNano":"1750000000000000000"}"#)),
        (Ask::Book(BTC, 10), wrapped(r#"{"s":"BTCUSDT","b":[["2","1.5"]],"a":[["3","1"]],"ts":5,"u":77,"seq":1}"#)),
        (
            Ask::Trades(BTC, 10),
            wrapped(r#"{"list":[{"execId":"a","symbol":"BTCUSDT","price":"1","size":"1","side":"Buy","time":"1"}]}"#),
        ),
        (Ask::OpenOrders(None), wrapped(&format!(r#"{{"list":[{}]}}"#, order_row(category)))),
        (by_client(), wrapped(&format!(r#"{{"list":[{}]}}"#, order_row(category)))),
        (
            fills(),
            wrapped(
                r#"{"list":[{"symbol":"BTCUSDT","orderId":"v1","orderLinkId":"c1","side":"Sell","execId":"e1","execPrice":"30","execQty":"1","execFee":"0.01","execType":"Trade","execTime":"5","isMaker":true}],"nextPageCursor":""}"#,
            ),
        ),
    ];
    script.act_replies = vec![
        (placed(), wrapped(&format!(r#"{{"orderId":"v1","orderLinkId":"{CLIENT_TEXT}"}}"#))),
        (cancel(), wrapped(&format!(r#"{{"orderId":"v1","orderLinkId":"{CLIENT_TEXT}"}}"#))),
    ];
    script
}
