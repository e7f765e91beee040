//! Kraken spot.

use super::*;

fn result(result: &str) -> Response {
    ok(format!(r#"{{"error":[],"result":{result}}}"#))
}

pub(super) fn script() -> Script {
    let secrets = [
        ("key-one", "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="),
        ("key-two", "a0H5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="),
    ];
    let named = listing("kraken:BTC/USD", "XXBTZUSD", (1, 8), Decimal::new(1, 0));
    let rules = named.get(BTC).map(|l| Rules { stream_name: "BTC/USD".to_owned(), ..l.rules.clone() }).expect("listed");
    let row = format!(
        r#"{{"cl_ord_id":"{CLIENT_TEXT}","status":"open","opentm":1700000000.1234,"expiretm":0,"vol":"1.0","vol_exec":"0.5","oflags":"fciq","misc":"","descr":{{"pair":"XBTUSD","type":"buy","ordertype":"limit","price":"900.0","price2":"0"}}}}"#
    );
    let mut script = super::script(Listings::new([(BTC, rules)]), keys(Scheme::HmacSha512, "", secrets));
    script.market = texts(&[
        r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":30000.10,"qty":0.00027625,"ord_type":"limit","trade_id":71,"timestamp":"2023-10-06T17:35:55.440295Z"}]}"#,
        r#"{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":30000.1,"qty":0.10000000}],"asks":[{"price":30000.2,"qty":2}],"checksum":4000000000,"timestamp":"2023-10-06T17:35:55Z"}]}"#,
        r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":30000.1,"bid_qty":2.5,"ask":30000.2,"ask_qty":3.2,"last":1,"change_pct":0.24}]}"#,
        r#"{"channel":"ohlc","type":"update","data":[{"symbol":"BTC/USD","interval":1,"interval_begin":"2023-10-04T16:25:00.000000000Z","open":1.5,"high":3,"low":1,"close":2,"volume":7.25,"vwap":1.123456789,"trades":12}]}"#,
        r#"{"channel":"status","type":"update","data":[{"system":"maintenance"}]}"#,
    ]);
    let execution = format!(
        r#"{{"channel":"executions","type":"update","data":[{{"order_id":"O1","cl_ord_id":"{CLIENT_TEXT}","exec_id":"T1","exec_type":"trade","trade_id":5,"symbol":"BTC/USD","side":"buy","last_qty":0.005,"last_price":26599.9,"liquidity_ind":"t","timestamp":"2023-09-22T10:33:05.709993Z","order_status":"partially_filled","cum_qty":0.015,"fees":[{{"asset":"USD","qty":0.3458}}]}}],"sequence":10}}"#
    );
    script.account = vec![
        execution.clone(),
        r#"{"channel":"executions","type":"update","data":[{"timestamp":"2023-09-22T10:33:05.709982Z","order_status":"canceled","exec_type":"canceled","order_id":"O1","cum_qty":0.5,"reason":"Post only order"}],"sequence":9}"#.to_owned(),
    ];
    script.trade = vec![
        format!(
            r#"{{"method":"add_order","req_id":42,"success":true,"result":{{"order_id":"O1","cl_ord_id":"{CLIENT_TEXT}"}}}}"#
        ),
        r#"{"method":"add_order","req_id":43,"success":false,"error":"EOrder:Insufficient funds"}"#.to_owned(),
        execution,
    ];
    script.replies = vec![
        (Ask::Time, result(r#"{"unixtime":1750000000,"rfc1123":""}"#)),
        (
            Ask::Book(BTC, 10),
            result(r#"{"XXBTZUSD":{"asks":[["100.3","0.136",1762820248]],"bids":[["100.2","0.002",1762820233]]}}"#),
        ),
        (Ask::Trades(BTC, 10), result(r#"{"XXBTZUSD":[["1.1","2",1762795433.9717445,"b","l","",7]],"last":"1"}"#)),
        (Ask::Balances, result(r#"{"XXBT":{"balance":"1.5","hold_trade":"0.5"},"ZUSD":{"balance":"0.0000"}}"#)),
        (Ask::OpenOrders(None), result(&format!(r#"{{"open":{{"O1":{row}}}}}"#))),
        (by_client(), result(&format!(r#"{{"open":{{"O1":{row}}}}}"#))),
        (
            fills(),
            result(
                r#"{"trades":{"TA":{"ordertxid":"O1","pair":"XXBTZUSD","time":1700000001.5,"type":"sell","ordertype":"limit","price":"100.5","cost":"1","fee":"1.23","vol":"0.5","trade_id":9,"maker":true}},"count":1}"#,
            ),
        ),
        (Ask::StreamTicket, result(r#"{"token":"abc","expires":900}"#)),
    ];
    script.act_replies = vec![
        (placed(), result(r#"{"descr":{"order":"buy"},"txid":["OABC-1"]}"#)),
        (cancel(), result(r#"{"count":1}"#)),
    ];
    script
}
