//! Hyperliquid perpetuals.

use super::*;

pub(super) fn script() -> Script {
    let secrets = [
        (
            "0x1719884eb866cb12b2287399b15f7db5e7d775ea",
            "0x0123456789012345678901234567890123456789012345678901234567890123",
        ),
        (
            "0x2719884eb866cb12b2287399b15f7db5e7d775ea",
            "0x1123456789012345678901234567890123456789012345678901234567890123",
        ),
    ];
    let mut listings = listing("hyperliquid:BTC/USDC:USDC", "BTC", (2, 4), Decimal::new(1, 0));
    let five = listings.get(BTC).map(|l| Rules { significant_digits: 5, ..l.rules.clone() }).expect("listed");
    listings = Listings::new([(BTC, five)]);
    let row = format!(
        r#"{{"coin":"BTC","side":"B","limitPx":"90","sz":"0.0003","origSz":"0.0005","oid":7,"timestamp":1700000000000,"cloid":"0x{CLIENT_TEXT}","orderType":"Limit","tif":"Gtc","isTrigger":false,"triggerPx":"0.0","reduceOnly":false}}"#
    );
    let statuses =
        |rows: &str| format!(r#"{{"status":"ok","response":{{"type":"order","data":{{"statuses":[{rows}]}}}}}}"#);
    let post = |id: u32, payload: &str| {
        format!(r#"{{"channel":"post","data":{{"id":{id},"response":{{"type":"action","payload":{payload}}}}}}}"#)
    };
    let mut script = super::script(listings, keys(Scheme::Secp256k1, "", secrets));
    script.market = texts(&[
        r#"{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"2000.5","sz":"0.25","hash":"0xabc","time":1700000000123,"tid":77,"users":["0x1","0x2"]}]}"#,
        r#"{"channel":"l2Book","data":{"coin":"BTC","time":1700000000123,"levels":[[{"px":"2000.1","sz":"1.5","n":2}],[{"px":"2000.2","sz":"0.25","n":1}]]}}"#,
        r#"{"channel":"bbo","data":{"coin":"BTC","time":1700000000123,"bbo":[{"px":"2000.1","sz":"1.5","n":2},null]}}"#,
        r#"{"channel":"candle","data":{"t":1700000040000,"T":1700000099999,"s":"BTC","i":"1m","o":"1","c":"2","h":"3","l":"0.5","v":"4.25","n":9}}"#,
        r#"{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"funding":"0.0000125","openInterest":"1.00000001","markPx":"2000.1239","oraclePx":"1"}}}"#,
    ]);
    script.account = vec![
        format!(
            r#"{{"channel":"orderUpdates","data":[{{"order":{{"coin":"BTC","side":"B","limitPx":"90","sz":"0.0003","oid":7,"timestamp":1,"origSz":"0.0005","cloid":"0x{CLIENT_TEXT}"}},"status":"open","statusTimestamp":1700000000000}}]}}"#
        ),
        format!(
            r#"{{"channel":"userFills","data":{{"user":"0x1","fills":[{{"coin":"BTC","px":"90","sz":"0.0002","side":"B","time":1700000000000,"oid":7,"crossed":true,"fee":"0.25","tid":99,"feeToken":"USDC","cloid":"0x{CLIENT_TEXT}","startPosition":"0.0"}}]}}}}"#
        ),
    ];
    script.trade = vec![
        post(42, &statuses(r#"{"resting":{"oid":7}}"#)),
        post(43, &statuses(r#"{"error":"Insufficient margin to place order. asset=1"}"#)),
    ];
    script.replies = vec![
        (Ask::Time, ok(r#"{"time":1750000000000,"specialStatuses":null}"#)),
        (
            Ask::Book(BTC, 10),
            ok(
                r#"{"coin":"BTC","levels":[[{"px":"2000.1","sz":"1.5","n":2}],[{"px":"2000.2","sz":"0.25"}]],"time":1700000000000}"#,
            ),
        ),
        (
            Ask::Trades(BTC, 10),
            ok(r#"[{"coin":"BTC","side":"A","px":"2000.5","sz":"0.5","time":5,"tid":6,"hash":"0x0","users":[]}]"#),
        ),
        (Ask::OpenOrders(None), ok(format!("[{row}]"))),
        (
            fills(),
            ok(
                r#"[{"coin":"BTC","px":"90","sz":"0.0002","side":"B","time":5,"oid":7,"crossed":true,"fee":"0.25","tid":99,"feeToken":"USDC","startPosition":"0.0"}]"#,
            ),
        ),
        (
            by_client(),
            ok(format!(r#"{{"status":"order","order":{{"order":{row},"status":"open","statusTimestamp":1}}}}"#)),
        ),
    ];
    script.act_replies = vec![
        (placed(), ok(statuses(r#"{"resting":{"oid":7}}"#))),
        (cancel(), ok(r#"{"status":"ok","response":{"type":"cancel","data":{"statuses":["success"]}}}"#)),
    ];
    script
}
