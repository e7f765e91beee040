//! OKX: spot and perpetual swaps.

use super::*;

fn wrapped(data: &str) -> Response {
    ok(format!(r#"{{"code":"0","msg":"","data":[{data}]}}"#))
}

pub(super) fn script(product: Product) -> Script {
    let (kind, symbol, id, contract) = match product {
        Product::Spot => ("SPOT", "okx:BTC/USDT", "BTC-USDT", Decimal::new(1, 0)),
        // Five ten-thousandths of a bitcoin are five hundredths of a contract.
        Product::Linear => ("SWAP", "okx:BTC/USDT:USDT", "BTC-USDT-SWAP", Decimal::new(1, 2)),
    };
    let row = format!(
        r#"{{"instType":"{kind}","instId":"{id}","ordId":"v1","clOrdId":"{CLIENT_TEXT}","side":"buy","ordType":"limit","posSide":"net","px":"9000.0","sz":"0.05","state":"partially_filled","accFillSz":"0.03","avgPx":"9000","cTime":"1746947317401","uTime":"1746947317403","cancelSource":"","execType":"M","fee":"-0.05","feeCcy":"USDT","fillFee":"-0.02","fillFeeCcy":"USDT","fillPx":"9000","fillSz":"0.01","fillTime":"1746947317402","tradeId":"t1"}}"#
    );
    let filled = format!(
        r#"{{"instId":"{id}","tradeId":"t1","ordId":"v1","clOrdId":"{CLIENT_TEXT}","fillPx":"9000","fillSz":"0.01","side":"buy","execType":"M","feeCcy":"USDT","fee":"-0.02","ts":"5"}}"#
    );
    let named = |text: &str| text.replace("ID", id);
    let taken = format!(r#"{{"clOrdId":"{CLIENT_TEXT}","ordId":"v1","sCode":"0","sMsg":"","tag":"","ts":"1"}}"#);
    let mut script = super::script(
        listing(symbol, id, (1, 4), contract),
        keys(Scheme::HmacSha256, "a-passphrase", [("key-one", "hmac-secret-one"), ("key-two", "hmac-secret-two")]),
    );
    script.market = [
        r#"{"arg":{"channel":"trades","instId":"ID"},"data":[{"instId":"ID","tradeId":"130639474","px":"42219.9","sz":"12.06","side":"buy","ts":"1630048897897","count":"3"}]}"#,
        r#"{"arg":{"channel":"bbo-tbt","instId":"ID"},"data":[{"asks":[["8477","7","0","2"]],"bids":[["8476.9","1","0","0"]],"ts":"1597026383085","checksum":0,"seqId":19}]}"#,
        r#"{"arg":{"channel":"books","instId":"ID"},"action":"update","data":[{"asks":[["8477","7","0","2"]],"bids":[["8476.9","0","0","0"]],"ts":"1597026383085","checksum":0,"prevSeqId":17,"seqId":19}]}"#,
        r#"{"arg":{"channel":"candle1m","instId":"ID"},"data":[["1597026360000","8533.5","8553.7","8527.1","8548.2","45247","452.47","3","0"]]}"#,
        r#"{"event":"subscribe","arg":{"channel":"books","instId":"ID"},"connId":"c"}"#,
    ]
    .map(named)
    .into();
    script.account = vec![
        format!(r#"{{"arg":{{"channel":"orders","instType":"{kind}"}},"data":[{row}]}}"#),
        r#"{"arg":{"channel":"account"},"data":[{"details":[{"ccy":"USDT","cashBal":"94.42612990333333123","availBal":"90"}]}]}"#.to_owned(),
    ];
    script.trade = vec![
        format!(r#"{{"id":"42","op":"order","code":"0","msg":"","data":[{taken}],"inTime":"1","outTime":"2"}}"#),
        format!(
            r#"{{"id":"43","op":"order","code":"1","msg":"","data":[{}],"inTime":"1","outTime":"2"}}"#,
            taken.replace(r#""sCode":"0","sMsg":"""#, r#""sCode":"51008","sMsg":"Insufficient balance""#)
        ),
    ];
    script.replies = vec![
        (Ask::Time, wrapped(r#"{"ts":"1750000000000"}"#)),
        (
            Ask::Book(BTC, 10),
            wrapped(r#"{"asks":[["3","1","0","1"]],"bids":[["2","1.5","0","1"]],"ts":"5","seqId":77}"#),
        ),
        (Ask::Ticker(BTC), wrapped(r#"{"last":"2.5","bidPx":"2","bidSz":"1","askPx":"","askSz":"","ts":"5"}"#)),
        (Ask::OpenOrders(None), wrapped(&row)),
        (by_client(), wrapped(&row)),
        (fills(), wrapped(&filled)),
    ];
    script.act_replies = vec![(placed(), wrapped(&taken)), (cancel(), wrapped(&taken))];
    script
}
