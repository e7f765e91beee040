//! Binance: spot and USDT-margined futures.

use super::*;

const HMAC: [(&str, &str); 2] = [("key-one", "hmac-secret-one"), ("key-two", "hmac-secret-two")];

pub(super) fn script(product: Product) -> Script {
    match product {
        Product::Spot => spot(),
        Product::Linear => linear(),
    }
}

fn row(id: &str) -> String {
    format!(
        r#"{{"symbol":"BTCUSDT","orderId":9,"clientOrderId":"{CLIENT_TEXT}","price":"90.00","origQty":"0.005","executedQty":"0.002","cummulativeQuoteQty":"0.18","status":"PARTIALLY_FILLED","timeInForce":"GTC","type":"LIMIT","side":"BUY","stopPrice":"0","time":8,"updateTime":9,"transactTime":9{id}}}"#
    )
}

fn spot() -> Script {
    Script {
        market: texts(&[
            r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":2,"s":"BTCUSDT","t":12345,"p":"100.25000000","q":"0.50000000","T":1,"m":true,"M":true}}"#,
            r#"{"stream":"btcusdt@bookTicker","data":{"u":400900217,"s":"BTCUSDT","b":"100.25000000","B":"31.210","a":"100.50000000","A":"0.001"}}"#,
            r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":9,"s":"BTCUSDT","U":157,"u":160,"b":[["100.25","10"]],"a":[["100.50","0.00000000"]]}}"#,
            r#"{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":119999,"s":"BTCUSDT","k":{"t":60000,"T":119999,"s":"BTCUSDT","i":"1m","f":1,"L":2,"o":"1","c":"2","h":"3.5","l":"0.5","v":"7","n":2,"x":true,"q":"1","V":"5","Q":"5","B":"0"}}}"#,
            r#"{"e":"serverShutdown","E":1}"#,
        ]),
        account: texts(&[
            r#"{"e":"executionReport","E":9,"s":"BTCUSDT","c":"0000000000000abc0000000000000001","S":"BUY","o":"LIMIT","f":"GTC","q":"0.005","p":"90","P":"0","F":"0","g":-1,"C":"","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":9,"l":"0.002","z":"0.002","L":"90.00","n":"0.00018","N":"USDT","T":8,"t":77,"w":true,"m":true,"O":8,"Z":"0.18"}"#,
            r#"{"e":"outboundAccountPosition","E":9,"u":8,"B":[{"a":"BTC","f":"1.5","l":"0.25"}]}"#,
        ]),
        trade: vec![
            format!(r#"{{"id":"42","status":200,"result":{},"rateLimits":[]}}"#, row("")),
            r#"{"id":"43","status":400,"error":{"code":-2010,"msg":"Account has insufficient balance for requested action."},"rateLimits":[]}"#.to_owned(),
        ],
        replies: vec![
            (Ask::Time, ok(r#"{"serverTime":1750000000000}"#)),
            (Ask::Book(BTC, 10), ok(r#"{"lastUpdateId":77,"bids":[["100.25","2"]],"asks":[["101","0.5"]]}"#)),
            (Ask::Trades(BTC, 10), ok(r#"[{"id":5,"price":"100.25","qty":"1","time":9,"isBuyerMaker":true,"isBestMatch":true}]"#)),
            (Ask::Balances, ok(r#"{"canTrade":true,"balances":[{"asset":"BTC","free":"1.5","locked":"0.25000000"}]}"#)),
            (Ask::OpenOrders(None), ok(format!("[{}]", row("")))),
            (by_client(), ok(row(""))),
            (fills(), ok(r#"[{"symbol":"BTCUSDT","id":3,"orderId":9,"price":"100.25","qty":"0.5","commission":"-0.001","commissionAsset":"BNB","time":5,"isBuyer":true,"isMaker":true}]"#)),
        ],
        act_replies: vec![
            (placed(), ok(row(""))),
            (cancel(), ok(row(&format!(r#","origClientOrderId":"{CLIENT_TEXT}""#)).replace("PARTIALLY_FILLED", "CANCELED"))),
        ],
        ..super::script(listing("binance:BTC/USDT", "BTCUSDT", (2, 3), Decimal::new(1, 0)), keys(Scheme::HmacSha256, "", HMAC))
    }
}

fn linear() -> Script {
    Script {
        market: texts(&[
            r#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":5,"a":77,"s":"BTCUSDT","p":"100.50","q":"0.5","nq":"0.5","f":1,"l":2,"T":4,"m":false,"st":1}}"#,
            r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":1,"E":2,"T":2,"s":"BTCUSDT","b":"100.25","B":"31.21","a":"100.50","A":"0.001"}}"#,
            r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":9,"T":8,"s":"BTCUSDT","U":157,"u":160,"pu":149,"b":[["100.25","10"]],"a":[["100.50","1.5"]],"ps":"BTCUSDT","st":1}}"#,
            r#"{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":1,"s":"BTCUSDT","p":"11794.15999999","i":"1","P":"2","r":"0.00038167","T":1562306400000}}"#,
            r#"{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":119999,"s":"BTCUSDT","k":{"t":60000,"T":119999,"s":"BTCUSDT","i":"1m","f":1,"L":2,"o":"1","c":"2","h":"3.5","l":"0.5","v":"7","n":2,"x":true,"q":"1","V":"5","Q":"5","B":"0"}}}"#,
        ]),
        account: texts(&[
            r#"{"e":"ORDER_TRADE_UPDATE","E":9,"T":9,"o":{"s":"BTCUSDT","c":"0000000000000abc0000000000000001","S":"SELL","o":"MARKET","f":"IOC","q":"0.5","p":"0","ap":"99","sp":null,"x":"CALCULATED","X":"FILLED","i":66,"l":"0.5","z":"0.5","L":"99.00","N":null,"n":null,"T":7,"t":888,"b":"0","m":false,"R":true,"ps":"BOTH","rp":"-5","si":0,"ss":0}}"#,
            r#"{"e":"ACCOUNT_UPDATE","E":9,"T":8,"a":{"m":"ORDER","B":[{"a":"USDT","wb":"100.5","cw":"90","bc":"0"}],"P":[{"s":"BTCUSDT","pa":"-0.5","ep":"100.125","up":"-1.5","ps":"BOTH"}]}}"#,
        ]),
        trade: vec![
            format!(r#"{{"id":"42","status":200,"result":{},"rateLimits":[]}}"#, row("")),
            r#"{"id":"43","status":400,"error":{"code":-2019,"msg":"Margin is insufficient."},"rateLimits":[]}"#
                .to_owned(),
        ],
        replies: vec![
            (Ask::Time, ok(r#"{"serverTime":1750000000000}"#)),
            (
                Ask::Book(BTC, 10),
                ok(r#"{"lastUpdateId":77,"E":5,"T":6,"bids":[["100.25","2"]],"asks":[["101","0.5"]]}"#),
            ),
            (Ask::Balances, ok(r#"[{"asset":"USDT","balance":"100.00","availableBalance":"40.5"}]"#)),
            (
                Ask::Positions,
                ok(
                    r#"[{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"-0.5","entryPrice":"100.123456","liquidationPrice":"0","unRealizedProfit":"1.25"}]"#,
                ),
            ),
            (Ask::OpenOrders(None), ok(format!("[{}]", row("")))),
            (by_client(), ok(row(""))),
        ],
        act_replies: vec![(placed(), ok(row(""))), (cancel(), ok(row("").replace("PARTIALLY_FILLED", "CANCELED")))],
        ..super::script(
            listing("binance:BTC/USDT:USDT", "BTCUSDT", (2, 3), Decimal::new(1, 0)),
            keys(Scheme::HmacSha256, "", HMAC),
        )
    }
}
